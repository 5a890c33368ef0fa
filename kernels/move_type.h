/* Template: planes [first, last) of elements of type MOVED; zeros where no index points. Returns whether one is wrong. */
static int NUMPOOL_MOVE_NAME(MOVED)(const numpool_move *m, ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t lanes = m->lanes, row = m->count * lanes, plane = m->plane * lanes;
    int bad = 0;
    for (ptrdiff_t p = first; p < last; p++) {
        const int64_t *index = m->index + p * row;
        const MOVED *from = (const MOVED *)(const void *)m->from + p * (m->gather ? plane : row);
        MOVED *to = (MOVED *)(void *)m->to + p * (m->gather ? row : plane);
        if (!m->gather)
            memset(to, 0, plane * sizeof *to);
        for (ptrdiff_t i = 0; i < row; i += lanes)
            for (ptrdiff_t c = 0; c < lanes; c++) {
                const int64_t at = index[i + c];
                const int inside = (uint64_t)at < (uint64_t)m->plane;
                bad |= !inside && at != -1;
                if (m->gather)
                    to[i + c] = inside ? from[at * lanes + c] : 0;
                else if (inside)
                    to[at * lanes + c] = from[i + c];
            }
    }
    return bad;
}
#undef MOVED
