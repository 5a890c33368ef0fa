/* Template: the two loops of slide.h for windows of SLIDE_KERNEL x SLIDE_KERNEL, of which neighbours in a row share all
 * but SLIDE_HOP columns (the stride; where they share none, the kernel). */
#define NAME_(kind) NUMPOOL_JOIN(FN(kind), SLIDE_KERNEL, SLIDE_HOP)

#if SLIDE_HOP <= 2
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
    v[0] = SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 0));
    v[1] = SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 1));
#endif
}

/* The columns from c on of the rows that the windows above have not read. */
ALWAYS_INLINE void NAME_(prefetch)(const char *const *row, ptrdiff_t c)
{
    for (int t = SLIDE_KERNEL - SLIDE_HOP; t < SLIDE_KERNEL; t++)
        for (int q = 0; q < SLIDE_HOP; q++)
            __builtin_prefetch(row[t] + (c + q * LANES) * ELEM_SIZE + PREFETCH_AHEAD);
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
ALWAYS_INLINE void NAME_(tiles)(const char *p, ptrdiff_t x_row, ptrdiff_t cols, char *d, const numpool_fold *f)
{
    const char *const row[] = {p, p + x_row};
    (void)f;
    for (ptrdiff_t i = 0; i < cols; i += LANES) {
        const ptrdiff_t at = numpool_max(numpool_min(i, cols - LANES), 0);
        FN(vec) v[SLIDE_HOP];
        NAME_(prefetch)(row, at * SLIDE_HOP);
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
    const char *nothing = s->scratch - start * ELEM_SIZE;
    const NAME_(edge) left = NAME_(edge_at)(s, start), right = NAME_(edge_at)(s, start + last * group);
    const char *limit = tile->limit;
    for (ptrdiff_t at = tile->row0, next_plane; at < tile->row1; at = next_plane) {
        const ptrdiff_t number = at / job->h.out, first = at % job->h.out;
        const char *plane = job->x.data + numpool_lead(job, job->x.lead, number);
        char *out = job->y.data + numpool_lead(job, job->y.lead, number) + first * job->y.row + tile->col0 * SLIDE_SIZE;
        const char *lowest = plane + start * ELEM_SIZE, *end = job->x.end - s->pitch;
        /* the rows over which vectors stay in the array; a negative stride leaves none */
        const ptrdiff_t low = lowest < job->x.data ? 1 + (job->x.data - lowest - 1) / numpool_max(x_row, 1) : 0;
        const ptrdiff_t high = end < lowest || x_row < 0 ? 0 : x_row == 0 ? in : (end - lowest) / x_row + 1;
        next_plane = numpool_min(tile->row1, at - first + job->h.out);
        const ptrdiff_t rows = next_plane - at;
        ptrdiff_t r = 0, y = first * stride - before;
#if SLIDE_HOP == SLIDE_KERNEL
        if (s->low == start && s->high == start + cols * SLIDE_HOP && y >= low)
            for (const ptrdiff_t stop = numpool_min(high, in) - SLIDE_KERNEL;
                 r < rows && y <= stop && (cols >= LANES || out + LANES * SLIDE_SIZE <= limit);
                 r++, y += stride, out += y_row)
                NAME_(tiles)(plane + y * x_row + start * ELEM_SIZE, x_row, cols, out, f);
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
            NAME_(columns)(row, c, &left, now);
            for (ptrdiff_t g = 1; g < last; g++, d += LANES * SLIDE_SIZE) {
                c += group;
                NAME_(prefetch)(row, c);
                NAME_(columns)(row, c, NULL, next);
                SLIDE_PUT(d, NAME_(windows)(now, next), f);
                memcpy(now, next, sizeof now);
            }
            for (ptrdiff_t i = numpool_max(last - 1, 0) * LANES; i < cols; i += LANES, d += LANES * SLIDE_SIZE) {
                if (i == (last - 1) * LANES)
                    NAME_(columns)(row, start + last * group, &right, next);
                else
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

/* `cols` windows in a row over `wide` vectors of each pixel, the first from column c on. */
ALWAYS_INLINE void NAME_(vectors)(const FN(sliding) *s, const numpool_fold *f, const char *row, char *d, ptrdiff_t c,
                                  ptrdiff_t cols, int taps, int wide)
{
    FN(vec) v[SLIDE_KERNEL][SLIDE_WIDE];
    const ptrdiff_t dst_pixel = s->job->y.pixel;
    for (int t = SLIDE_HOP; t < SLIDE_KERNEL; t++)
        FN(pixel)(s, f, row, c++, taps, wide, v[t]);
    for (ptrdiff_t j = 0; j < cols; j++, d += dst_pixel, c += s->job->w.stride - SLIDE_HOP) {
        for (int t = 0; t < SLIDE_KERNEL - SLIDE_HOP; t++)
            for (int u = 0; u < wide; u++)
                v[t][u] = v[t + SLIDE_HOP][u];
        for (int t = SLIDE_KERNEL - SLIDE_HOP; t < SLIDE_KERNEL; t++)
            FN(pixel)(s, f, row, c++, taps, wide, v[t]);
        for (int u = 0; u < wide; u++)
            SLIDE_PUT(d + u * LANES * SLIDE_SIZE, FN(slide_tree)(&v[0][u], 0, SLIDE_WIDE, SLIDE_KERNEL, f), f);
    }
}

#if SLIDE_HOP == SLIDE_KERNEL
/* Windows [j, cols) of a row that lie inside the image, all lanes of one after the other: what is read is read in
 * order. Returns the first that is left. */
ALWAYS_INLINE ptrdiff_t NAME_(apart)(const FN(sliding) *s, const numpool_fold *f, const char *row, char *d, ptrdiff_t j,
                                     ptrdiff_t cols, ptrdiff_t lanes, int taps)
{
    const ptrdiff_t pixel = s->job->x.pixel, hop = s->job->w.stride * pixel, dst_pixel = s->job->y.pixel;
    const ptrdiff_t inside = numpool_min(cols, s->high < s->start + SLIDE_KERNEL ? 0
                                               : (s->high - s->start - SLIDE_KERNEL) / s->job->w.stride + 1);
    const char *p = row + (s->start + j * s->job->w.stride) * pixel;
    for (d += j * dst_pixel; j < inside; j++, p += hop, d += dst_pixel)
        for (ptrdiff_t i = 0; i < lanes; i += LANES) {
            const ptrdiff_t at = numpool_min(i, lanes - LANES);
            FN(vec) tap[SLIDE_KERNEL];
            for (int t = 0; t < SLIDE_KERNEL; t++) {
                PREFETCH_ROWS(p + t * pixel + at * ELEM_SIZE, taps, f);
                tap[t] = FN(down_window)(p + t * pixel + at * ELEM_SIZE, f->step, taps, f);
            }
            SLIDE_PUT(d + at * SLIDE_SIZE, FN(slide_tree)(tap, 0, 1, SLIDE_KERNEL, f), f);
        }
    return j;
}
#endif

ALWAYS_INLINE void NAME_(rows)(const FN(sliding) *given, const numpool_fold *fold, int taps)
{
    const FN(sliding) copy = *given, *s = &copy; /* copies: stores through char * may not change them */
    const numpool_fold f = *fold;
    const ptrdiff_t lanes = s->tile->lane1 - s->tile->lane0, cols = s->tile->col1 - s->tile->col0;
    for (ptrdiff_t r = 0; r < f.rows; r++) {
        const char *row = f.src + r * f.src_pitch;
        char *d = f.dst + r * f.dst_pitch;
        ptrdiff_t c = s->start, done = 0;
#if SLIDE_HOP == SLIDE_KERNEL
        if (s->low <= s->start) {
            done = NAME_(apart)(s, &f, row, d, 0, cols, lanes, taps);
            c += done * s->job->w.stride;
            d += done * s->job->y.pixel;
        }
#endif
        for (ptrdiff_t i = 0; i < lanes && done < cols;) {
            const int wide = i + SLIDE_WIDE * LANES <= lanes;
            const ptrdiff_t at = wide ? i : numpool_min(i, lanes - LANES);
            const char *from = row + at * ELEM_SIZE;
            char *to = d + at * SLIDE_SIZE;
            if (wide)
                NAME_(vectors)(s, &f, from, to, c, cols - done, taps, SLIDE_WIDE);
            else
                NAME_(vectors)(s, &f, from, to, c, cols - done, taps, 1);
            i += wide ? SLIDE_WIDE * LANES : LANES;
        }
    }
}

static __attribute__((noinline)) void NAME_(many)(const FN(sliding) *s)
{
    const numpool_job *job = s->job;
    const numpool_tile *tile = s->tile;
    numpool_fold f = s->fold;
    ptrdiff_t inner, outer;
    numpool_interior(&job->h, &inner, &outer);
    f.step = job->x.row;
    f.src_pitch = job->h.stride * job->x.row;
    f.dst_pitch = job->y.row;
    for (ptrdiff_t at = tile->row0, next; at < tile->row1; at = next) { /* rows of one plane with as many taps */
        const ptrdiff_t plane = at / job->h.out, r = at % job->h.out;
        const numpool_window window = numpool_clip(&job->h, r);
        next = r >= inner && r < outer ? numpool_min(at - r + outer, tile->row1) : at + 1;
        f.rows = next - at;
        f.taps = window.taps;
        f.fresh = numpool_min(window.taps, job->h.stride);
        f.src = job->x.data + numpool_lead(job, job->x.lead, plane) + window.first * job->x.row
                + tile->lane0 * ELEM_SIZE;
        f.dst = job->y.data + numpool_lead(job, job->y.lead, plane) + r * job->y.row + tile->col0 * job->y.pixel
                + tile->lane0 * SLIDE_SIZE;
        FN(sliding) some = *s;
        if (f.taps == 0)
            some.high = some.low; /* no column is there */
        if (f.taps == SLIDE_KERNEL)
            NAME_(rows)(&some, &f, SLIDE_KERNEL);
        else
            NAME_(rows)(&some, &f, (int)f.taps);
    }
}
#undef NAME_
#undef SLIDE_KERNEL
#undef SLIDE_HOP
