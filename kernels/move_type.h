/* Template: planes [first, last) of elements of type MOVED; zeros where no index points. Returns whether one is wrong. */
#define SCATTER NUMPOOL_MOVE_NAME(NUMPOOL_CAT(MOVED, _scatter))
#define GATHER NUMPOOL_MOVE_NAME(NUMPOOL_CAT(MOVED, _gather))
#define PLACE(at, i) ((ptrdiff_t)(at) * lanes + (lanes == 1 ? 0 : (i)))

/* n elements to the places that their indices name: of one lane (`lanes` 1), or of the lanes of one pixel. */
ALWAYS_INLINE int SCATTER(const int64_t *restrict index, const MOVED *restrict from, MOVED *restrict to, ptrdiff_t n,
                          ptrdiff_t lanes, uint64_t plane)
{
    int bad = 0;
#pragma GCC unroll 4
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)index[i];
        if (at < plane)
            to[PLACE(at, i)] = from[i];
        else
            bad |= at != (uint64_t)-1;
    }
    return bad;
}

/* The other way round: from such places. */
ALWAYS_INLINE int GATHER(const int64_t *restrict index, const MOVED *restrict from, MOVED *restrict to, ptrdiff_t n,
                         ptrdiff_t lanes, uint64_t plane)
{
    int bad = 0;
#pragma GCC unroll 4
    for (ptrdiff_t i = 0; i < n; i++) {
        const uint64_t at = (uint64_t)index[i];
        if (at < plane) {
            to[i] = from[PLACE(at, i)];
        } else {
            to[i] = 0;
            bad |= at != (uint64_t)-1;
        }
    }
    return bad;
}

static int NUMPOOL_MOVE_NAME(MOVED)(const numpool_move *m, ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t lanes = m->lanes, row = m->count * lanes, plane = m->plane * lanes;
    const ptrdiff_t cleared = numpool_max(1, MOVE_CLEARED / (plane * (ptrdiff_t)sizeof(MOVED))); /* planes at once */
    const uint64_t places = (uint64_t)m->plane;
    int bad = 0;
    for (ptrdiff_t p = first; p < last; p++) {
        const int64_t *index = m->index + p * row;
        const MOVED *from = (const MOVED *)(const void *)m->from + p * (m->gather ? plane : row);
        MOVED *to = (MOVED *)(void *)m->to + p * (m->gather ? row : plane);
        if (!m->gather && (p - first) % cleared == 0)
            memset(to, 0, numpool_min(cleared, last - p) * plane * sizeof *to);
        if (m->gather && lanes == 1)
            bad |= GATHER(index, from, to, row, 1, places);
        else if (m->gather)
            for (ptrdiff_t i = 0; i < row; i += lanes, index += lanes, to += lanes)
                bad |= GATHER(index, from, to, lanes, lanes, places);
        else if (lanes > 1)
            for (ptrdiff_t i = 0; i < row; i += lanes, index += lanes, from += lanes)
                bad |= SCATTER(index, from, to, lanes, lanes, places);
        else
            bad |= SCATTER(index, from, to, row, 1, places);
    }
    return bad;
}
#undef SCATTER
#undef GATHER
#undef PLACE
#undef MOVED
