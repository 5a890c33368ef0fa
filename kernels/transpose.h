/* Template: the horizontal stage where a row of single lanes is one window, or windows go one by one: LANES of them at once,
 * each level of the tree joining the neighbours of two vectors into one, which is the order of fold.h's trees too; at every
 * level up to 16 taps, what the longest vector holds. The includer defines FN(load), FN(evens), FN(odds), STEP,
 * TRANSPOSE_NOTHING, a vector that changes no value that it is joined to, and PUT_RESULT(d, x, f), which stores results where
 * DIRECT(job). */
#define MOST_JOINED 16
#define LEAST_JOINED 6 /* of several windows in a row: fewer taps are loaded as fast one window after the other */
ALWAYS_INLINE FN(vec) FN(neighbours)(FN(vec) a, FN(vec) b)
{
    return STEP(FN(evens)(a, b), FN(odds)(a, b));
}

#ifdef NATIVE_PIECES
ALWAYS_INLINE FN(vec) FN(neighbours_inside)(FN(vec) a, FN(vec) b)
{
#if ACC_SIZE == 4
    return STEP((FN(vec))NATIVE_INSIDE_4(a, b, 0), (FN(vec))NATIVE_INSIDE_4(a, b, 1));
#else
    return STEP((FN(vec))NATIVE_INSIDE_8(a, b, 0), (FN(vec))NATIVE_INSIDE_8(a, b, 1));
#endif
}
#endif

/* The trees of LANES vectors side by side. */
ALWAYS_INLINE FN(vec) FN(join_all)(FN(vec) *v)
{
#ifdef NATIVE_PIECES /* within them first, which costs less */
    for (int n = LANES / 2; n > 1; n /= 2)
        for (int i = 0; i < n; i++)
            v[i] = FN(neighbours_inside)(v[2 * i], v[2 * i + 1]);
    return STEP((FN(vec))NATIVE_PIECES(v[0], v[1], 0), (FN(vec))NATIVE_PIECES(v[0], v[1], 1));
#else
    for (int n = LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++)
            v[i] = FN(neighbours)(v[2 * i], v[2 * i + 1]);
    return v[0];
#endif
}

/* Those of the four elements at p and of each four behind them, from four vectors. */
ALWAYS_INLINE FN(vec) FN(join_fours)(const char *p)
{
    FN(vec) v[] = {FN(load)(p), FN(load)(p + VECTOR_BYTES), FN(load)(p + 2 * VECTOR_BYTES), FN(load)(p + 3 * VECTOR_BYTES)};
#if defined(NATIVE_PIECES) && LANES == 4
    return FN(join_all)(v);
#elif defined(NATIVE_PIECES)
    v[0] = FN(neighbours_inside)(FN(neighbours_inside)(v[0], v[1]), FN(neighbours_inside)(v[2], v[3]));
    return NATIVE_PLACE_4(FN(vec), v[0], ((FN(ivec)){0, 4, 1, 5, 2, 6, 3, 7}));
#else
    return FN(neighbours)(FN(neighbours)(v[0], v[1]), FN(neighbours)(v[2], v[3]));
#endif
}

/* f.rows results, one after another, of f.taps taps each, which `vectors` hold. */
ALWAYS_INLINE void FN(joined)(const numpool_fold *f, int vectors)
{
    const FN(vec) nothing = TRANSPOSE_NOTHING;
    FN(ivec) present[MOST_JOINED / LANES];
    for (int j = 0; j < vectors; j++) {
        const ptrdiff_t some = numpool_max(0, numpool_min(f->taps - j * LANES, LANES));
        memcpy(&present[j], numpool_edge + 128 - some * ACC_SIZE, sizeof present[j]);
    }
    for (ptrdiff_t r = 0; r < f->rows; r += LANES) {
        FN(vec) v[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) {
            const char *p = f->src + numpool_min(r + i, f->rows - 1) * f->src_pitch;
            FN(vec) x[MOST_JOINED / LANES];
            for (int j = 0; j < vectors; j++)
                x[j] = SELECT_READ(FN(vec), FN(ivec), present[j], FN(load)(p + j * VECTOR_BYTES), nothing);
            for (int n = vectors / 2; n > 0; n /= 2)
                for (int j = 0; j < n; j++)
                    x[j] = FN(neighbours)(x[2 * j], x[2 * j + 1]);
            v[i] = x[0];
        }
        const FN(vec) all = FN(join_all)(v);
        memcpy(f->dst + r * ACC_SIZE, &all, numpool_min(f->rows - r, LANES) * ACC_SIZE);
    }
}

/* f.rows windows of four taps side by side, as sums or (`straight`) results; the last vector overlaps the one before it. Fewer
 * than a vector of them are read and written as one. */
ALWAYS_INLINE void FN(quads_to)(const numpool_fold *f, int straight)
{
    for (ptrdiff_t next = 0; next < f->rows; next += LANES) {
        const ptrdiff_t r = numpool_max(0, numpool_min(next, f->rows - LANES));
        const char *p = f->src + r * 4 * ACC_SIZE;
        for (int i = 0; i < 4 && f->fresh; i++)
            __builtin_prefetch(p + i * VECTOR_BYTES + PREFETCH_FURTHER);
        const FN(vec) four = FN(join_fours)(p);
        if (straight)
            PUT_RESULT(f->dst + r * ELEM_SIZE, four, f);
        else
            memcpy(f->dst + r * ACC_SIZE, &four, sizeof four);
    }
}

static __attribute__((noinline)) void FN(quads)(const numpool_fold *f) { FN(quads_to)(f, 0); }

static __attribute__((noinline)) void FN(joined_rows)(const numpool_fold *f)
{
    enum { MOST = MOST_JOINED / LANES, PAIR = MOST > 1 ? 2 : 1 }; /* numbers of vectors that halve to one */
    if (MOST == 1 || f->taps <= LANES)
        FN(joined)(f, 1);
    else if (MOST == PAIR || f->taps <= PAIR * LANES)
        FN(joined)(f, PAIR);
    else
        FN(joined)(f, MOST);
}

#ifdef JOINS_WINDOWS
/* Whether windows are one a row of single lanes, small, and all inside: each is folded down to a vector, and those are joined, all
 * in registers. */
ALWAYS_INLINE int FN(joins_windows)(const numpool_job *job)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const int one = job->lanes == 1 && w->out == 1 && w->before == 0 && w->step == 1 && w->kernel <= numpool_min(w->in, LANES);
    const int inside = h->before == 0 && (h->out - 1) * h->stride + (h->kernel - 1) * h->step < h->in;
    const int lie = job->x.pixel == ELEM_SIZE && job->x.row >= 0 && job->y.row == ELEM_SIZE && !job->d.out;
    const int few = h->kernel > 1 && h->kernel <= 8 && h->out >= LANES;
    return one && inside && lie && few && !h->table && !w->table && DIRECT(job);
}

/* f.rows windows of `taps` rows (a constant where there are 7), f.n elements each; nothing from `end` on is read. */
ALWAYS_INLINE void FN(join_run)(const numpool_fold *given, const char *end, int taps)
{
    const numpool_fold copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const FN(vec) nothing = TRANSPOSE_NOTHING;
    FN(ivec) present;
    memcpy(&present, numpool_edge + 128 - f->n * ACC_SIZE, sizeof present);
    for (ptrdiff_t r = 0; r < f->rows; r += LANES) {
        const ptrdiff_t some = numpool_min(f->rows - r, LANES);
        const char *p = f->src + r * f->src_pitch;
        ptrdiff_t pitch = f->src_pitch, step = f->step;
        char near_end[LANES * 8 * LANES * ELEM_SIZE];
        if (end - p < (some - 1) * pitch + (taps - 1) * step + LANES * ELEM_SIZE) {
            memset(near_end, 0, sizeof near_end);
            for (ptrdiff_t i = 0; i < some * 8; i++)
                if (i % 8 < taps)
                    memcpy(near_end + i * LANES * ELEM_SIZE, p + i / 8 * pitch + i % 8 * step, f->n * ELEM_SIZE);
            p = near_end;
            step = LANES * ELEM_SIZE;
            pitch = 8 * step;
        }
        FN(vec) v[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) {
            const FN(vec) down = FN(down_tree)(p + numpool_min(i, some - 1) * pitch, 0, step, taps, f);
            v[i] = SELECT_READ(FN(vec), FN(ivec), present, down, nothing);
        }
        const FN(vec) all = FN(join_all)(v);
        char last[LANES * ELEM_SIZE];
        PUT_RESULT(some == LANES ? f->dst + r * ELEM_SIZE : last, all, f);
        if (some < LANES)
            memcpy(f->dst + r * ELEM_SIZE, last, some * ELEM_SIZE);
    }
}

static __attribute__((noinline)) void FN(join_windows)(const numpool_job *job, const numpool_tile *tile)
{
    const numpool_axis *h = &job->h;
    numpool_fold f = {.step = h->step * job->x.row, .src_pitch = h->stride * job->x.row, .taps = h->kernel, .n = job->w.kernel,
                      .job = job, .by = numpool_by_of(job->divisor)};
    for (ptrdiff_t row = tile->row0; row < tile->row1; row += f.rows) {
        const ptrdiff_t plane = row / h->out, first = row % h->out;
        f.rows = numpool_min(tile->row1 - row, h->out - first);
        f.src = job->x.data + numpool_lead(job, job->x.lead, plane) + first * f.src_pitch;
        f.dst = job->y.data + numpool_lead(job, job->y.lead, plane) + first * ELEM_SIZE;
        if (f.taps == 7) /* the last maps of many networks are 7 x 7 */
            FN(join_run)(&f, job->x.end, 7);
        else
            FN(join_run)(&f, job->x.end, (int)f.taps);
    }
}
#endif
