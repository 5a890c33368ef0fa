/* Template: sums that roll across rows of pixels shorter than a vector, at stride 1. Each window's is the one before and a
 * difference, and a vector of differences is summed within itself, by steps that double, before it is joined to the pixel before.
 * The includer's words are those of running.h. */

/* The places of a pixel's elements, one pixel after the other. */
ALWAYS_INLINE FN(ivec) FN(repeated)(ptrdiff_t lanes, ptrdiff_t first)
{
    FN(ivec) at;
    for (ptrdiff_t i = 0; i < LANES; i++)
        at[i] = (ACC)(first + i % lanes);
    return at;
}

ALWAYS_INLINE void FN(scan_rows)(const numpool_fold *given, ptrdiff_t n, int steps)
{
    numpool_fold f = *given; /* the first window of each row */
    const ptrdiff_t lanes = f.n, pixels = LANES / lanes * lanes, entering = f.taps * lanes * ACC_SIZE;
    const FN(ivec) first = FN(repeated)(lanes, 0), last = FN(repeated)(lanes, pixels - lanes);
    FN(ivec) from[4], there[4];
    for (int s = 0; s < steps; s++)
        for (ptrdiff_t i = 0; i < LANES; i++) {
            from[s][i] = (ACC)numpool_max(i - (lanes << s), 0);
            there[s][i] = i >= lanes << s ? -1 : 0;
        }
    for (ptrdiff_t r = 0; r < given->rows; r++, f.src += f.src_pitch, f.dst += f.dst_pitch) {
        f.rows = 1;
        FN(across)(&f);
        FN(vec) before = NATIVE_PLACE_4(FN(vec), FN(load)(f.dst), first);
        for (ptrdiff_t e = 0; e < n - lanes; e += pixels) {
            const char *const p = f.src + e * ACC_SIZE;
            FN(vec) x = FN(load)(p + entering) - FN(load)(p);
            for (int s = 0; s < steps; s++)
                x += NATIVE_PLACE_4(FN(vec), x, from[s]) & there[s];
            FN(store)(f.dst + (e + lanes) * ACC_SIZE, before + x, 0);
            before += NATIVE_PLACE_4(FN(vec), x, last);
        }
    }
}

/* Windows of f->taps pixels of f->n elements each, n elements a row; a row may spill over the next. */
static __attribute__((noinline)) void FN(scan)(const numpool_fold *f, ptrdiff_t n)
{
    if (8 * f->n < LANES)
        FN(scan_rows)(f, n, 4);
    else if (4 * f->n < LANES)
        FN(scan_rows)(f, n, 3);
    else if (2 * f->n < LANES)
        FN(scan_rows)(f, n, 2);
    else
        FN(scan_rows)(f, n, 1);
}
