/* Template: the horizontal stage where a row of single lanes is one window: LANES rows at once, each level of the tree
 * joining the neighbours of two vectors into one, which is the order of fold.h's trees too. The includer defines
 * FN(load), STEP and TRANSPOSE_NOTHING, a vector that changes no value that it is joined to. */
ALWAYS_INLINE FN(vec) FN(neighbours)(FN(vec) a, FN(vec) b)
{
    return STEP(SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 0)), SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 1)));
}

/* f.rows results of f.taps <= LANES taps each, one after another. */
static __attribute__((noinline)) void FN(joined_rows)(const numpool_fold *f)
{
    const FN(vec) nothing = TRANSPOSE_NOTHING;
    FN(ivec) present;
    memcpy(&present, numpool_edge + 128 - f->taps * ACC_SIZE, sizeof present);
    for (ptrdiff_t r = 0; r < f->rows; r += LANES) {
        FN(vec) v[LANES];
        for (ptrdiff_t i = 0; i < LANES; i++) {
            const FN(vec) x = FN(load)(f->src + numpool_min(r + i, f->rows - 1) * f->src_pitch);
            v[i] = SELECT(FN(vec), FN(ivec), present, x, nothing);
        }
        for (ptrdiff_t n = LANES / 2; n > 0; n /= 2)
            for (ptrdiff_t i = 0; i < n; i++)
                v[i] = FN(neighbours)(v[2 * i], v[2 * i + 1]);
        memcpy(f->dst + r * ACC_SIZE, &v[0], numpool_min(f->rows - r, LANES) * ACC_SIZE);
    }
}
