/* Template: a stage of many taps and at most two vectors a row, which stay in registers: each line of the image is read once.
 * The order is the one of fold.h. The includer defines TREE_TYPE, TAP, STAGE_TYPE, WIDEN, STEP_STAGE and STEP as there, and
 *   NARROW                  the stage's name         NARROW_ONE   where rows have one vector only
 *   NARROW_STORE(p, x, f)   STAGE_TYPE, of accumulators */
#define NARROW_NAME(part) NUMPOOL_CAT(FN(NARROW), _##part)
#define NARROW_TREE NARROW_NAME(tree)
#define STAGE NARROW
#define PLACE char
#include "tree.h"
#undef STAGE

/* What lies behind some rows, which are a cache line long or less. */
ALWAYS_INLINE void NARROW_NAME(fetch)(const char *p, ptrdiff_t rows, int far, const numpool_fold *f)
{
    for (ptrdiff_t i = 0; far && i < rows; i++)
        __builtin_prefetch(p + i * f->step + PREFETCH_AHEAD);
}

/* Rows of up to a vector, or with `two` of up to two, of which the second overlaps the first if need be. */
ALWAYS_INLINE void NARROW_NAME(rows)(const numpool_fold *given, int two)
{
    const numpool_fold copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t second = f->n - LANES, eight = 8 * f->step;
    const int far = f->job->x.end - f->job->x.data > NUMPOOL_NEAR && (f->step > f->n * ELEM_SIZE || !IS_FOLLOWED(f->job));
    for (ptrdiff_t r = 0; r < f->rows; r++) {
        const char *p = numpool_address(f->src + r * f->src_pitch), *q = numpool_address(p + second * ELEM_SIZE);
        char *d = f->dst + r * f->dst_pitch;
        NARROW_NAME(fetch)(p, 8, far, f);
        STAGE_TYPE a = WIDEN(NARROW_TREE(p, 0, f->step, 8, f)), b = a;
        if (two)
            b = WIDEN(NARROW_TREE(q, 0, f->step, 8, f));
        ptrdiff_t t = 8;
        for (p += eight, q += eight; t + 8 <= f->taps; t += 8, p += eight, q += eight) {
            NARROW_NAME(fetch)(p, 8, far, f);
            a = STEP_STAGE(a, WIDEN(NARROW_TREE(p, t, f->step, 8, f)));
            if (two)
                b = STEP_STAGE(b, WIDEN(NARROW_TREE(q, t, f->step, 8, f)));
        }
        if (t < f->taps) {
            NARROW_NAME(fetch)(p, f->taps - t, far, f);
            a = STEP_STAGE(a, WIDEN(NARROW_TREE(p, t, f->step, (int)(f->taps - t), f)));
            if (two)
                b = STEP_STAGE(b, WIDEN(NARROW_TREE(q, t, f->step, (int)(f->taps - t), f)));
        }
        NARROW_STORE(d, a, f);
        if (two)
            NARROW_STORE(d + second * ACC_SIZE, b, f);
    }
}

static __attribute__((noinline)) void FN(NARROW)(const numpool_fold *f)
{
#ifndef NARROW_ONE
    if (f->n > LANES) {
        NARROW_NAME(rows)(f, 1);
        return;
    }
#endif
    NARROW_NAME(rows)(f, 0);
}
#undef NARROW_NAME
#undef NARROW_TREE
#undef NARROW
#undef NARROW_STORE
#undef NARROW_ONE
