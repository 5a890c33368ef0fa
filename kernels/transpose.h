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
