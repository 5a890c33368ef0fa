/* Template: windows two rows high that lie inside the image, in one stage from the image to the output: each tap of
 * `across` is the join of two rows, `src_apart` bytes apart, just as `down` would have joined them. The includer defines
 * FN(load), STEP and SQUARE_PUT(d, x, f). */
ALWAYS_INLINE FN(vec) FN(two_rows)(const char *p, const numpool_fold *f)
{
    return STEP(FN(load)(p), FN(load)(p + f->src_apart));
}
ALWAYS_INLINE FN(vec) FN(two_rows_strided)(const char *p, ptrdiff_t t, const numpool_fold *f)
{
    p -= t % 2 * ACC_SIZE;
    const FN(vec) a = FN(two_rows)(p, f), b = FN(two_rows)(p + VECTOR_BYTES, f);
    return t % 2 ? SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 1)) : SHUFFLE(FN(ivec), a, b, COUNT_BY_2(LANES, 0));
}

#undef PREFETCH
#define PREFETCH(p, taps, f) \
    (__builtin_prefetch((p) + PREFETCH_AHEAD), __builtin_prefetch((p) + (f)->src_apart + PREFETCH_AHEAD))
#define STAGE square
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(two_rows)(p, f)
#define PUT(d, x, f) SQUARE_PUT(d, x, f)
#include "fold.h"
#define STAGE square2
#define SOURCE_SIZE (2 * ACC_SIZE)
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(two_rows_strided)(p, t, f)
#define PUT(d, x, f) SQUARE_PUT(d, x, f)
#include "fold.h"
#undef PREFETCH
#define PREFETCH PREFETCH_NOT
#undef SQUARE_PUT
