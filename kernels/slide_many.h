/* Template: pixels of many lanes, in order or in strips: `many` and `strips` of slide.h, for a window of slide_window.h. */

/* Lanes of a window from i on; `beside`: the columns that it does not share with the window before. */
ALWAYS_INLINE void NAME_(one_vector)(const FN(sliding) *s, const FN(column) *beside, char *d, char *const *kept, int far,
                                     ptrdiff_t i)
{
    const numpool_fold *f = &s->fold;
    FN(vec) tap[SLIDE_KERNEL];
    (void)f;
    (void)kept;
    (void)far;
    for (int t = 0; t < SLIDE_KEPT; t++)
        tap[t] = FN(load)(kept[t] + i * ACC_SIZE);
    for (int t = 0; t < SLIDE_HOP; t++)
        tap[SLIDE_KEPT + t] = FN(folded)(&beside[t], i * ELEM_SIZE, SLIDE_KERNEL);
#if SLIDE_KEPT
    memcpy(kept[SLIDE_KEPT] + i * ACC_SIZE, &tap[SLIDE_KERNEL - 1], sizeof tap[0]);
#endif
    for (int t = 0; t < SLIDE_HOP && far; t++)
        for (int u = SLIDE_KEPT; u < SLIDE_KERNEL; u++) /* rows that the windows above have not read */
            __builtin_prefetch(beside[t].at[u] + i * ELEM_SIZE + s->ahead);
    SLIDE_PUT(d + i * SLIDE_SIZE, FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, f), f);
}

/* Elements of a pixel to its second vector, which starts on a cache line: that costs a vector more. */
ALWAYS_INLINE ptrdiff_t NAME_(second)(const char *p, ptrdiff_t lanes)
{
    return lanes >= (SLIDE_KEPT ? 12 : 32) * LANES ? numpool_second(p, lanes, LANES, ELEM_SIZE) : LANES;
}

/* Windows [from, to) of a row, all lanes of one after the other: what is read is read in order. `column` is that of the first
 * window; `whole`: all columns are there; `far`: they are worth a prefetch. The first columns of window `from` are in
 * kept[0], ..., and those of window `to` in the end; one more pixel is there to be written to. */
ALWAYS_INLINE void NAME_(in_order)(const FN(sliding) *s, FN(column) column, char *d, ptrdiff_t from, ptrdiff_t to,
                                   ptrdiff_t lanes, int whole, int far, char **kept)
{
    const ptrdiff_t dst_pixel = s->job->y.pixel;
    FN(go_on)(&column, from * SLIDE_HOP + SLIDE_KEPT, SLIDE_KERNEL);
    d += from * dst_pixel;
    const ptrdiff_t second = NAME_(second)(column.at[SLIDE_KERNEL / 2], lanes);
    for (ptrdiff_t j = from; j < to; j++, d += dst_pixel) {
        FN(column) beside[SLIDE_HOP];
        for (int t = 0; t < SLIDE_HOP; t++) {
            beside[t] = whole ? column : FN(column_at)(s, &column, s->start + j * SLIDE_HOP + SLIDE_KEPT + t, lanes);
            FN(go_on)(&column, 1, SLIDE_KERNEL);
        }
        NAME_(one_vector)(s, beside, d, kept, far, 0);
        ptrdiff_t i = second;
        for (; i <= lanes - LANES; i += LANES)
            NAME_(one_vector)(s, beside, d, kept, far, i);
        if (i < lanes) /* the last vector overlaps the one before */
            NAME_(one_vector)(s, beside, d, kept, far, lanes - LANES);
        char *first = kept[0];
        for (int t = 0; t < SLIDE_KEPT; t++)
            kept[t] = kept[t + 1];
        kept[SLIDE_KEPT] = first;
    }
}

#if SLIDE_STRIPS && SLIDE_HOP == 1
/* Window j by itself, all its lanes. `column` is that of window 0. */
static __attribute__((noinline)) void NAME_(one_window)(const FN(sliding) *s, const FN(column) *column, ptrdiff_t j, char *d,
                                                        ptrdiff_t lanes)
{
    const numpool_fold *f = &s->fold;
    FN(column) there[SLIDE_KERNEL];
    for (int t = 0; t < SLIDE_KERNEL; t++) {
        FN(column) own = *column;
        FN(go_on)(&own, j + t, SLIDE_KERNEL);
        there[t] = FN(column_at)(s, &own, s->start + j + t, lanes);
    }
    for (ptrdiff_t i = 0; i < lanes; i += LANES) {
        const ptrdiff_t at = numpool_min(i, lanes - LANES);
        FN(vec) tap[SLIDE_KERNEL];
        for (int t = 0; t < SLIDE_KERNEL; t++)
            tap[t] = FN(folded)(&there[t], at * ELEM_SIZE, SLIDE_KERNEL);
        SLIDE_PUT(d + at * SLIDE_SIZE, FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, f), f);
    }
    (void)f;
}

/* Of n elements of a row of windows, so many vectors (a constant) from element e on, and those a pixel further each. `column` is
 * that of element 0. */
ALWAYS_INLINE void NAME_(strip)(const FN(sliding) *s, const FN(column) *column, ptrdiff_t e, ptrdiff_t n, ptrdiff_t lanes, char *d,
                                int vectors)
{
    const numpool_fold *f = &s->fold;
    const int far = s->job->x.end - s->job->x.data > SLIDE_FAR;
    FN(vec) tap[SLIDE_STRIP][SLIDE_KERNEL];
    FN(column) next = *column;
    (void)f;
    if (e + vectors * LANES > n)
        return;
    for (int t = 0; t < SLIDE_KERNEL; t++) /* a row that does not exist is the same everywhere */
        next.at[t] += next.pixel[t] ? e * ELEM_SIZE : 0;
    for (int t = 0; t < SLIDE_KEPT; t++, FN(go_on)(&next, 1, SLIDE_KERNEL))
        for (int v = 0; v < vectors; v++)
            tap[v][t] = FN(folded)(&next, v * LANES * ELEM_SIZE, SLIDE_KERNEL);
    for (; e + vectors * LANES <= n; e += lanes, FN(go_on)(&next, 1, SLIDE_KERNEL))
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) {
            if (far) /* of the row that the windows above have not read */
                __builtin_prefetch(next.at[SLIDE_KERNEL - 1] + v * LANES * ELEM_SIZE + PREFETCH_AHEAD);
            tap[v][SLIDE_KEPT] = FN(folded)(&next, v * LANES * ELEM_SIZE, SLIDE_KERNEL);
            SLIDE_PUT(d + (e + v * LANES) * SLIDE_SIZE, FN(slide_tree)(tap[v], 0, 1, SLIDE_KERNEL, f), f);
            for (int t = 0; t < SLIDE_KEPT; t++)
                tap[v][t] = tap[v][t + 1];
        }
}

/* n elements of a row of windows that all columns are there for, whose pixels follow each other. */
static __attribute__((noinline)) void NAME_(strips)(const FN(sliding) *given, const FN(column) *column, ptrdiff_t n,
                                                    ptrdiff_t lanes, char *d)
{
    const FN(sliding) copy = *given, *s = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t second = numpool_second(column->at[SLIDE_KEPT], n, LANES, ELEM_SIZE), end = second + lanes;
    NAME_(strip)(s, column, 0, LANES, lanes, d, 1);
    for (ptrdiff_t e = second; e < end; e += SLIDE_STRIP * LANES)
        switch (numpool_min(numpool_ceil_div(end - e, LANES), SLIDE_STRIP)) {
        case 1: NAME_(strip)(s, column, e, n, lanes, d, 1); break;
        case 2: NAME_(strip)(s, column, e, n, lanes, d, 2); break;
        case 3: NAME_(strip)(s, column, e, n, lanes, d, 3); break;
        default: NAME_(strip)(s, column, e, n, lanes, d, SLIDE_STRIP);
        }
    for (ptrdiff_t i = 1; i <= SLIDE_STRIP; i++) { /* what no strip had room for */
        const ptrdiff_t e = numpool_max(0, n - i * LANES);
        NAME_(strip)(s, column, e, e + LANES, lanes, d, 1);
    }
}
#endif

static __attribute__((noinline)) void NAME_(many)(const FN(sliding) *given)
{
    const FN(sliding) copy = *given, *s = &copy; /* a copy: stores through char * may not change it */
    const numpool_job *job = s->job;
    const numpool_tile *tile = s->tile;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    ptrdiff_t inner, outer;
    numpool_interior(&job->w, &inner, &outer);
    const ptrdiff_t left = numpool_min(numpool_max(inner - tile->col0, 0), cols);
    const ptrdiff_t right = numpool_max(left, numpool_min(outer - tile->col0, cols));
#if SLIDE_STRIPS && SLIDE_HOP == 1
    const int one = VECTOR_BYTES == 64 && ELEM_SIZE == ACC_SIZE && lanes <= SLIDE_STRIP * LANES; /* a pixel is one strip */
    const int strips = job->x.pixel == lanes * ELEM_SIZE && job->y.pixel == lanes * SLIDE_SIZE
                       && (lanes % LANES || one); /* else slower (measured) */
#endif
    for (ptrdiff_t at = tile->row0; at < tile->row1; at++) {
        const ptrdiff_t number = at / job->h.out, r = at % job->h.out, y = r * job->h.stride - job->h.before;
        const char *plane = job->x.data + numpool_lead(job, job->x.lead, number) + tile->lane0 * ELEM_SIZE;
        char *d = job->y.data + numpool_lead(job, job->y.lead, number) + r * job->y.row + tile->col0 * job->y.pixel
                  + tile->lane0 * SLIDE_SIZE;
        FN(column) column;
        for (int t = 0; t < SLIDE_KERNEL; t++) {
            const int there = y + t >= 0 && y + t < s->rows;
            column.pixel[t] = there ? job->x.pixel : 0;
            column.at[t] = there ? plane + (y + t) * job->x.row + s->start * job->x.pixel : s->scratch;
        }
#if SLIDE_STRIPS && SLIDE_HOP == 1
        if (strips) {
            FN(column) here = column;
            FN(go_on)(&here, left, SLIDE_KERNEL);
            for (ptrdiff_t j = left > 0 ? 0 : right; j < cols; j = j + 1 == left ? right : j + 1)
                NAME_(one_window)(s, &column, j, d + j * job->y.pixel, lanes);
            if (left < right)
                NAME_(strips)(s, &here, (right - left) * lanes, lanes, d + left * job->y.pixel);
            continue;
        }
#endif
        char *kept[SLIDE_KEPT + 1];
        for (int t = 0; t <= SLIDE_KEPT; t++)
            kept[t] = s->scratch + 2 * FN(pixel_room)(lanes) * ELEM_SIZE + lanes * t * ACC_SIZE
                      + (64 - NAME_(second)(column.at[SLIDE_KERNEL / 2], lanes) * ACC_SIZE % 64) % 64;
        for (int t = 0; t < SLIDE_KEPT; t++) {
            FN(column) here = column;
            FN(go_on)(&here, t, SLIDE_KERNEL);
            here = FN(column_at)(s, &here, s->start + t, lanes);
            for (ptrdiff_t i = 0; i < lanes; i += LANES) {
                const ptrdiff_t at = numpool_min(i, lanes - LANES);
                const FN(vec) tap = FN(folded)(&here, at * ELEM_SIZE, SLIDE_KERNEL);
                memcpy(kept[t] + at * ACC_SIZE, &tap, sizeof tap);
            }
        }
        for (ptrdiff_t from = 0, to; from < cols; from = to) {
            const int whole = from >= left && from < right;
            to = whole ? right : from < left ? left : cols;
            if (!whole)
                NAME_(in_order)(s, column, d, from, to, lanes, 0, 0, kept);
            else if (s->ahead)
                NAME_(in_order)(s, column, d, from, to, lanes, 1, 1, kept);
            else
                NAME_(in_order)(s, column, d, from, to, lanes, 1, 0, kept);
        }
    }
}
