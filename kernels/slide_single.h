/* Template: rows of single lanes, vectors of neighbouring columns: `single` of slide.h, for a window of slide_window.h. */

/* What a vector of windows needs of the columns from c on: SLIDE_HOP vectors, each of every SLIDE_HOP-th column. At a
 * row's ends `present` says which lanes are there, and `any` whether one is. */
typedef struct {
    FN(ivec) present[SLIDE_HOP];
    int any[SLIDE_HOP];
} NAME_(edge);

ALWAYS_INLINE NAME_(edge) NAME_(edge_at)(const FN(sliding) *s, ptrdiff_t c)
{
    NAME_(edge) edge;
    for (int q = 0; q < SLIDE_HOP; q++) {
        edge.present[q] = FN(present)(s, c + q * LANES);
        edge.any[q] = c + q * LANES < s->high;
    }
    return edge;
}

ALWAYS_INLINE void NAME_(columns)(const char *const *row, ptrdiff_t c, const NAME_(edge) *edge, FN(vec) *v)
{
    for (int q = 0; q < SLIDE_HOP; q++) {
        if (edge && !edge->any[q]) {
            v[q] = FN(identity)();
            continue;
        }
        FN(vec) tap[SLIDE_KERNEL];
        for (int t = 0; t < SLIDE_KERNEL; t++)
            tap[t] = FN(down_window)(row[t] + (c + q * LANES) * ELEM_SIZE, 0, 1, NULL);
        v[q] = FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, NULL);
        if (edge)
            v[q] = FN(where)(edge->present[q], v[q], FN(identity)());
    }
#if SLIDE_HOP == 2
    const FN(vec) a = v[0], b = v[1];
    v[0] = FN(evens)(a, b);
    v[1] = FN(odds)(a, b);
#endif
}

/* As many lines, further on, as the columns from c on take of the rows that the windows above have not read. Short rows that lie
 * end to end (`first` is the first column that windows read) are fetched in the order of memory, which the hardware follows. */
ALWAYS_INLINE void NAME_(prefetch)(const char *const *row, ptrdiff_t c, ptrdiff_t first, int short_rows)
{
    for (int t = 0; t < SLIDE_HOP; t++)
        for (int q = 0; q < SLIDE_HOP; q++) {
            const char *p = row[SLIDE_KERNEL - SLIDE_HOP + (short_rows ? 0 : t)];
            const ptrdiff_t line = t * SLIDE_HOP + q;
            const ptrdiff_t at = short_rows ? first + (c - first) * SLIDE_HOP + line * LANES : c + q * LANES;
            __builtin_prefetch(p + at * ELEM_SIZE + (short_rows ? PREFETCH_IN_ORDER : PREFETCH_FURTHER));
        }
}

ALWAYS_INLINE FN(vec) NAME_(windows)(const FN(vec) *now, const FN(vec) *next)
{
    FN(vec) tap[SLIDE_KERNEL];
    for (int t = 0; t < SLIDE_KERNEL; t++)
        tap[t] = FN(shifted)(now[t % SLIDE_HOP], next[t % SLIDE_HOP], t / SLIDE_HOP);
    return FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, NULL);
}

#if SLIDE_HOP == SLIDE_KERNEL
/* A row of windows inside the image; a last vector overlaps the one before it, a single one spills. */
ALWAYS_INLINE void NAME_(tiles)(const char *p, ptrdiff_t x_row, ptrdiff_t cols, char *d, int short_rows,
                                const numpool_fold *f)
{
    const char *const row[] = {p, p + x_row};
    (void)f;
    for (ptrdiff_t i = 0; i < cols; i += LANES) {
        const ptrdiff_t at = numpool_max(numpool_min(i, cols - LANES), 0);
        FN(vec) v[SLIDE_HOP];
        NAME_(prefetch)(row, at * SLIDE_HOP, 0, short_rows);
        NAME_(columns)(row, at * SLIDE_HOP, NULL, v);
        SLIDE_PUT(d + at * SLIDE_SIZE, NAME_(windows)(v, v), f);
    }
}
#endif

static __attribute__((noinline)) void NAME_(single)(const FN(sliding) *s)
{
    const numpool_job *job = s->job; /* what the loops need of it is copied: stores through char * may not change it */
    const numpool_tile *tile = s->tile;
    const numpool_fold fold = s->fold, *f = &fold;
    const ptrdiff_t cols = tile->col1 - tile->col0, group = SLIDE_HOP * LANES, start = s->start;
    const ptrdiff_t last = (s->high - 1 - start) / group;
    const ptrdiff_t stride = job->h.stride, before = job->h.before, in = s->rows;
    const ptrdiff_t x_row = job->x.row, y_row = job->y.row;
    const int short_rows = x_row == job->w.in * ELEM_SIZE && x_row <= PREFETCH_SHORT;
    const char *nothing = s->scratch - start * ELEM_SIZE;
    const NAME_(edge) left = NAME_(edge_at)(s, start), right = NAME_(edge_at)(s, start + last * group);
    const char *limit = tile->limit;
    for (ptrdiff_t at = tile->row0, next_plane; at < tile->row1; at = next_plane) {
        const ptrdiff_t number = at / job->h.out, first = at % job->h.out;
        const char *plane = job->x.data + numpool_lead(job, job->x.lead, number);
        char *out = job->y.data + numpool_lead(job, job->y.lead, number) + first * job->y.row + tile->col0 * SLIDE_SIZE;
        next_plane = numpool_min(tile->row1, at - first + job->h.out);
        const ptrdiff_t rows = next_plane - at;
        ptrdiff_t low, high, r = 0, y = first * stride - before;
        FN(rows_inside)(s, plane, &low, &high);
#if SLIDE_HOP == SLIDE_KERNEL
        if (s->low == start && s->high == start + cols * SLIDE_HOP && y >= low)
            for (const ptrdiff_t stop = high - SLIDE_KERNEL;
                 r < rows && y <= stop && (cols >= LANES || out + LANES * SLIDE_SIZE <= limit);
                 r++, y += stride, out += y_row)
                NAME_(tiles)(plane + y * x_row + start * ELEM_SIZE, x_row, cols, out, short_rows, f);
#endif
        for (; r < rows; r++, y += stride, out += y_row) {
            const char *row[SLIDE_KERNEL];
            for (int t = 0; t < SLIDE_KERNEL; t++)
                row[t] = (size_t)(y + t) < (size_t)in ? plane + (y + t) * x_row : nothing;
            if (numpool_max(y, 0) < low || numpool_min(y + SLIDE_KERNEL, in) > high)
                FN(copy_rows)(s, row, SLIDE_KERNEL);
            FN(vec) now[SLIDE_HOP], next[SLIDE_HOP];
            char *d = out;
            ptrdiff_t c = start;
            NAME_(prefetch)(row, c, start, short_rows);
            NAME_(columns)(row, c, &left, now);
            for (ptrdiff_t g = 1; g < last; g++, d += LANES * SLIDE_SIZE) {
                c += group;
                NAME_(prefetch)(row, c, start, short_rows);
                NAME_(columns)(row, c, NULL, next);
                SLIDE_PUT(d, NAME_(windows)(now, next), f);
                memcpy(now, next, sizeof now);
            }
            for (ptrdiff_t i = numpool_max(last - 1, 0) * LANES; i < cols; i += LANES, d += LANES * SLIDE_SIZE) {
                if (i == (last - 1) * LANES) {
                    NAME_(prefetch)(row, start + last * group, start, short_rows);
                    NAME_(columns)(row, start + last * group, &right, next);
                } else
                    for (int q = 0; q < SLIDE_HOP; q++)
                        next[q] = FN(identity)();
                const FN(vec) x = NAME_(windows)(now, next);
                if (i + LANES <= cols || d + LANES * SLIDE_SIZE <= limit)
                    SLIDE_PUT(d, x, f);
                else
                    FN(slide_last)(d, x, cols - i, f);
                memcpy(now, next, sizeof now);
            }
        }
    }
}
