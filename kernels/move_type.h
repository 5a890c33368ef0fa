/* Template: planes [first, last) of elements of type MOVED; zeros where no index points. Returns whether one is wrong. */
ALWAYS_INLINE int NUMPOOL_MOVE_NAME(NUMPOOL_CAT(MOVED, _plane))(const int64_t *restrict index, const MOVED *restrict from,
                                                               MOVED *restrict to, ptrdiff_t row, ptrdiff_t lanes,
                                                               uint64_t plane, int gather)
{
    uint64_t doubt = 0;
    for (ptrdiff_t i = 0; i < row; i += lanes)
        for (ptrdiff_t c = 0; c < lanes; c++) {
            const uint64_t at = (uint64_t)index[i + c];
            const int inside = at < plane;
            doubt |= numpool_move_doubt(index[i + c], plane);
            if (gather)
                to[i + c] = inside ? from[(ptrdiff_t)at * lanes + c] : 0;
            else if (inside)
                to[(ptrdiff_t)at * lanes + c] = from[i + c];
        }
    return (int)(doubt >> 63);
}

static int NUMPOOL_MOVE_NAME(MOVED)(const numpool_move *m, ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t lanes = m->lanes, row = m->count * lanes, plane = m->plane * lanes;
    const uint64_t places = (uint64_t)m->plane;
    int bad = 0;
    for (ptrdiff_t p = first; p < last; p++) {
        const int64_t *index = m->index + p * row;
        const MOVED *from = (const MOVED *)(const void *)m->from + p * (m->gather ? plane : row);
        MOVED *to = (MOVED *)(void *)m->to + p * (m->gather ? row : plane);
        if (!m->gather)
            memset(to, 0, plane * sizeof *to);
#define PLANE(lanes, gather) NUMPOOL_MOVE_NAME(NUMPOOL_CAT(MOVED, _plane))(index, from, to, row, lanes, places, gather)
        bad |= m->gather ? (lanes == 1 ? PLANE(1, 1) : PLANE(lanes, 1)) : (lanes == 1 ? PLANE(1, 0) : PLANE(lanes, 0));
#undef PLANE
    }
    return bad;
}
#undef MOVED
