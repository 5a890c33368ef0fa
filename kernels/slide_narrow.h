/* Template: narrow rows of single lanes, whose rows of columns stay in registers: `narrow` of slide.h, for a window of
 * slide_window.h. */

/* Vectors of the columns of a row from p on, as many a unit as `size`. Columns that are not there are in the first vector (edge 2)
 * or in the last unit. */
ALWAYS_INLINE void NAME_(narrow_row)(const char *p, const FN(ivec) *edge, int units, int size, ptrdiff_t apart, FN(vec) *v)
{
#pragma GCC unroll 8
    for (int q = 0; q < units * size; q++) {
        const int last = q / size == units - 1;
        v[q] = FN(down_window)(p + (q / size * apart + q % size * LANES) * ELEM_SIZE, 0, 1, NULL);
        if (last || q == 0)
            v[q] = FN(where)(edge[last ? q % size : 2], v[q], FN(identity)());
    }
}

/* Rows of a window, the new ones last, folded down; they become what the window below needs: its rows, or of 5 rows at stride 1
 * what the first four of them give, the second two, the third two, and the last: three steps for four. */
#define SLIDE_DOUBLES (SLIDE_KERNEL == 5 && SLIDE_HOP == 1)
ALWAYS_INLINE FN(vec) NAME_(narrow_down)(FN(vec) row[SLIDE_KERNEL][2 * NUMPOOL_NARROW], int q)
{
#if SLIDE_DOUBLES
    const FN(vec) last = row[4][q], two = STEP(row[3][q], last), x = STEP(row[0][q], last);
    row[0][q] = STEP(row[1][q], two);
    row[1][q] = row[2][q];
    row[2][q] = two;
    row[3][q] = last;
    return x;
#else
    FN(vec) tap[SLIDE_KERNEL];
#pragma GCC unroll 8
    for (int t = 0; t < SLIDE_KERNEL; t++)
        tap[t] = row[t][q];
    const FN(vec) x = FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, NULL);
#pragma GCC unroll 8
    for (int t = 0; t < SLIDE_KEPT; t++)
        row[t][q] = row[t + SLIDE_HOP][q];
    return x;
#endif
}

/* The windows of a unit: of one vector of columns, folded down, or of two. */
ALWAYS_INLINE FN(vec) NAME_(narrow_windows)(const FN(vec) *v, int size)
{
#if SLIDE_DOUBLES
    const FN(vec) two = STEP(v[0], FN(shifted)(v[0], v[0], 1)), four = STEP(two, FN(shifted)(two, two, 2));
    (void)size;
    return STEP(four, FN(shifted)(v[0], v[0], 4));
#else
    FN(vec) tap[SLIDE_KERNEL];
#if SLIDE_HOP == 2
    if (size == 2) {
        const FN(vec) column[] = {FN(evens)(v[0], v[1]), FN(odds)(v[0], v[1])};
        for (int t = 0; t < SLIDE_KERNEL; t++)
            tap[t] = FN(shifted)(column[t % 2], column[t % 2], t / 2);
        return FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, NULL);
    }
#endif
    (void)size;
    for (int t = 0; t < SLIDE_KERNEL; t++)
        tap[t] = FN(shifted)(v[0], v[0], t);
    const FN(vec) x = FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, NULL);
#if SLIDE_HOP == 2
    return FN(evens)(x, x);
#else
    return x;
#endif
#endif
}

/* Windows from column `from` of a tile on, in so many units (a constant): each holds all columns of its windows, and the rows
 * that the windows below share stay in registers. A vector of results spills over those behind it, which follow; over the next
 * row only where `spills`. */
ALWAYS_INLINE void NAME_(narrow)(const FN(sliding) *given, ptrdiff_t from, int units, int size, int spills)
{
    const FN(sliding) copy = *given, *s = &copy; /* a copy: stores through char * may not change it */
    const numpool_job *job = s->job;
    const numpool_tile *tile = s->tile;
    const numpool_fold fold = s->fold, *f = &fold;
    const ptrdiff_t windows = FN(unit_windows)(size, SLIDE_KERNEL, SLIDE_HOP), cols = tile->col1 - tile->col0 - from;
    const ptrdiff_t start = s->start + from * SLIDE_HOP, far = start + (units - 1) * windows * SLIDE_HOP;
    const ptrdiff_t x_row = job->x.row, y_row = job->y.row;
    const FN(ivec) edge[] = {FN(present)(s, far), FN(present)(s, far + LANES), FN(present)(s, start)};
    const char *limit = spills ? tile->limit : NULL;
    (void)f;
    for (ptrdiff_t at = tile->row0, next_plane; at < tile->row1; at = next_plane) {
        const ptrdiff_t number = at / job->h.out, first = at % job->h.out;
        const char *plane = job->x.data + numpool_lead(job, job->x.lead, number);
        char *out = job->y.data + numpool_lead(job, job->y.lead, number) + first * y_row + (tile->col0 + from) * SLIDE_SIZE;
        next_plane = numpool_min(tile->row1, at - first + job->h.out);
        FN(vec) row[SLIDE_KERNEL][2 * NUMPOOL_NARROW];
        ptrdiff_t low, high, y = first * SLIDE_HOP - job->h.before;
        FN(rows_inside)(s, plane, &low, &high);
        const size_t inside = (size_t)(high - low);
        const char *p = plane + start * ELEM_SIZE + y * x_row;
#define NARROW_ROW(t) \
    NAME_(narrow_row)((size_t)(y - low) < inside ? p : FN(other_row)(s, plane, y) + from * SLIDE_HOP * ELEM_SIZE, edge, units, \
                      size, windows * SLIDE_HOP, row[t]), \
        y++, p += x_row
#pragma GCC unroll 8
        for (int t = 0; t < SLIDE_KEPT; t++)
            NARROW_ROW(t);
#if SLIDE_DOUBLES
#pragma GCC unroll 8
        for (int q = 0; q < units * size; q++) {
            row[0][q] = STEP(STEP(row[0][q], row[1][q]), STEP(row[2][q], row[3][q]));
            row[1][q] = STEP(row[1][q], row[2][q]);
            row[2][q] = STEP(row[2][q], row[3][q]);
        }
#endif
        for (ptrdiff_t r = at; r < next_plane; r++, out += y_row) {
#pragma GCC unroll 8
            for (int t = SLIDE_KEPT; t < SLIDE_KERNEL; t++) {
                for (int at = 0; at < units * size * VECTOR_BYTES; at += 64)
                    __builtin_prefetch(p + at + PREFETCH_FURTHER);
                NARROW_ROW(t);
            }
            FN(vec) v[2 * NUMPOOL_NARROW];
#pragma GCC unroll 8
            for (int q = 0; q < units * size; q++)
                v[q] = NAME_(narrow_down)(row, q);
#pragma GCC unroll 8
            for (int u = 0; u < units; u++) {
                char *d = out + u * windows * SLIDE_SIZE;
                const FN(vec) x = NAME_(narrow_windows)(v + u * size, size);
                if (u * windows + LANES <= cols || d + LANES * SLIDE_SIZE <= limit)
                    SLIDE_PUT(d, x, f);
                else
                    FN(slide_last)(d, x, numpool_min(windows, cols - u * windows), f);
            }
        }
#undef NARROW_ROW
    }
}
#define SLIDE_UNIT (SLIDE_HOP == 1 ? 1 : 2)
static __attribute__((noinline)) void NAME_(narrow_units)(const FN(sliding) *s, ptrdiff_t from, ptrdiff_t units, int spills)
{
    switch (units) { /* constants, so that rows stay in registers */
    case 1: NAME_(narrow)(s, from, 1, SLIDE_UNIT, spills); break;
    case 2: NAME_(narrow)(s, from, 2, SLIDE_UNIT, spills); break;
    case 3: NAME_(narrow)(s, from, 3, SLIDE_UNIT, spills); break;
    default: NAME_(narrow)(s, from, NUMPOOL_NARROW, SLIDE_UNIT, spills);
    }
}
#if SLIDE_HOP == 2
static __attribute__((noinline)) void NAME_(narrow_half)(const FN(sliding) *s) { NAME_(narrow)(s, 0, 1, 1, 1); }
#endif
