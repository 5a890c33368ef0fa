/* Template: the two loops of slide.h for windows of SLIDE_KERNEL x SLIDE_KERNEL, of which neighbours in a row share all
 * but SLIDE_HOP columns (the stride; where they share none, the kernel). */
#define NAME_(kind) NUMPOOL_JOIN(FN(kind), SLIDE_KERNEL, SLIDE_HOP)

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
            v[q] = SELECT(FN(vec), FN(ivec), edge->present[q], v[q], FN(identity)());
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
            __builtin_prefetch(p + at * ELEM_SIZE + (short_rows ? 2 : 1) * PREFETCH_FURTHER);
        }
}

ALWAYS_INLINE FN(vec) NAME_(windows)(const FN(vec) *now, const FN(vec) *next)
{
    FN(vec) tap[SLIDE_KERNEL];
    for (int t = 0; t < SLIDE_KERNEL; t++)
        tap[t] = FN(shifted)(now[t % SLIDE_HOP], next[t % SLIDE_HOP], t / SLIDE_HOP);
    return FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, NULL);
}

#if SLIDE_KERNEL <= 3
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

#endif

#define SLIDE_KEPT (SLIDE_KERNEL - SLIDE_HOP) /* columns that a window shares with the next, folded down, in scratch */
#if LANES >= 8
/* Vectors of the columns of a row from p on, as many a unit as `size`. Columns that are not there are in the first vector (edge 2)
 * or in the last unit. */
ALWAYS_INLINE void NAME_(narrow_row)(const char *p, const FN(ivec) *edge, int units, int size, ptrdiff_t apart, FN(vec) *v)
{
#pragma GCC unroll 8
    for (int q = 0; q < units * size; q++) {
        const int last = q / size == units - 1;
        v[q] = FN(down_window)(p + (q / size * apart + q % size * LANES) * ELEM_SIZE, 0, 1, NULL);
        if (last || q == 0)
            v[q] = SELECT(FN(vec), FN(ivec), edge[last ? q % size : 2], v[q], FN(identity)());
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
#endif

/* Rows of single lanes. */
static void NAME_(rows)(const FN(sliding) *s)
{
#if LANES >= 8
    const ptrdiff_t units = FN(narrow_units)(s->job, s->tile), windows = FN(unit_windows)(SLIDE_UNIT, SLIDE_KERNEL, SLIDE_HOP);
#if SLIDE_HOP == 2
    if (units && s->tile->col1 - s->tile->col0 <= FN(unit_windows)(1, SLIDE_KERNEL, SLIDE_HOP)) {
        NAME_(narrow_half)(s);
        return;
    }
#endif
    for (ptrdiff_t u = 0; u < units; u += NUMPOOL_NARROW)
        NAME_(narrow_units)(s, u * windows, numpool_min(units - u, NUMPOOL_NARROW), units <= NUMPOOL_NARROW);
    if (units)
        return;
#undef SLIDE_UNIT
#undef SLIDE_DOUBLES
#endif
#if SLIDE_KERNEL <= 3
    NAME_(single)(s);
#endif
}

#if SLIDE_KERNEL <= 3
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
    const int far = s->job->x.end - s->job->x.data > 2 * NUMPOOL_FAR;
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
    const int whole = VECTOR_BYTES == 64 && ELEM_SIZE == ACC_SIZE && lanes <= SLIDE_STRIP * LANES; /* else slower (measured) */
    const int strips = job->x.pixel == lanes * ELEM_SIZE && job->y.pixel == lanes * SLIDE_SIZE && (lanes % LANES || whole);
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
#endif
#undef NAME_
#undef SLIDE_KEPT
#undef SLIDE_KERNEL
#undef SLIDE_HOP
