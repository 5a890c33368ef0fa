/* Template: the elements of one dtype as argmax or argmin compares them, see numpool_elements. The includer defines
 * OPERATION, MINIMUM and the dtype (dtypes.h).
 *
 * Values are compared as ACC: floats as they are, the smaller numbers as int32, unsigned ones and the 16-bit floats as
 * signed integers in the same order; for a minimum, in the opposite order. */
#if KIND == KIND_FLOAT
#define ACC ELEM
#define ACC_SIZE ELEM_SIZE
#define CORE(part) NUMPOOL_JOIN(arg, DTYPE, part)
#elif ELEM_SIZE == 8
#define ACC int64_t
#define ACC_SIZE 8
#define CORE(part) NUMPOOL_JOIN(arg, int64, part)
#else
#define ACC int32_t
#define ACC_SIZE 4
#define CORE(part) NUMPOOL_JOIN(arg, int32, part)
#endif
#define LANES LANES_OF(ACC_SIZE)
#define WIDEN(tree) (tree)
#define STEP_STAGE(a, b) STEP(a, b)
#define TREE_TYPE FN(vec)
#define STAGE_TYPE FN(vec)
#define STEP(a, b) (a) /* one tap: nothing to join */

typedef CORE(vec) FN(vec);
typedef CORE(ivec) FN(ivec);
typedef ELEM FN(evec) __attribute__((vector_size(LANES * ELEM_SIZE)));
#include "doubling.h"
/* Element to comparable value, and back: each on vectors and, the same words, on single elements. */
#if KIND == KIND_FLOAT
#define TO_ACC(type, x) (MINIMUM ? -(x) : (x))
#define FROM_ACC(x) ((ELEM)(MINIMUM ? -(x) : (x)) + 0) /* a zero is +0 */
#define IDENTITY -INFINITY
#elif KIND == KIND_HALF
#define IDENTITY (-INFINITY_BITS)
ALWAYS_INLINE FN(vec) FN(key)(FN(vec) x)
{
    FN(vec) size = x & 0x7fff, key = SELECT(FN(vec), FN(ivec), ((MINIMUM ? -x : x) < 0), -size, size);
    return SELECT(FN(vec), FN(ivec), size > INFINITY_BITS, (FN(vec)){0} + 0x7fff, key); /* one key for every NaN */
}
#define TO_ACC(type, x) FN(key)(x)
#define FROM_ACC(x) ((ELEM)((x) == 0x7fff ? 0x7fff : (MINIMUM ? -(x) : (x)) < 0 ? ((x) < 0 ? -(x) : (x)) | 0x8000 \
                                                                               : ((x) < 0 ? -(x) : (x))))
#else
#define FLIP ((UNSIGNED && ELEM_SIZE >= 4) != 0 ? (ACC)((uint64_t)1 << (ELEM_SIZE * 8 - 1)) : 0)
#define TO_ACC(type, x) (MINIMUM ? ~((x) ^ (ACC)FLIP) : ((x) ^ (ACC)FLIP))
#define FROM_ACC(x) ((ELEM)((MINIMUM ? ~(x) : (x)) ^ (ACC)FLIP))
#define IDENTITY ((ACC)(MINIMUM ? ~((ACC)HIGHEST ^ (ACC)FLIP) : ((ACC)LOWEST ^ (ACC)FLIP)))
#endif

ALWAYS_INLINE FN(vec) FN(load_element)(const char *p)
{
#ifdef INTS
    return TO_ACC(FN(vec), (FN(vec))INTS(p));
#else
    FN(evec) x;
    memcpy(&x, p, sizeof x);
    return TO_ACC(FN(vec), DOUBLING(x, FN(vec)));
#endif
}

#define STAGE pack
#define SINGLE_TAP
#define SOURCE_SIZE ELEM_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(load_element)(p)
#define PUT(d, x, f) CORE(store)(d, x)
#define PREFETCH PREFETCH_ROWS
#define FIRST_VECTOR(p, n) LANES
#include "fold.h"
#undef PREFETCH
#undef FIRST_VECTOR

/* n values back to elements. */
static void FN(put_back)(const char *values, char *y, ptrdiff_t n)
{
    const ACC *from = (const ACC *)(const void *)values;
    ELEM *to = (ELEM *)(void *)y;
    for (ptrdiff_t i = 0; i < n; i++)
        to[i] = FROM_ACC(from[i]);
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    static const ACC identity = IDENTITY;
    static const numpool_elements elements = {ELEM_SIZE, KIND == KIND_FLOAT && !MINIMUM, &identity, FN(pack_guarded),
                                              FN(put_back)};
    return CORE(block)(job, &elements, tile, scratch);
}
#undef CORE
#undef TO_ACC
#undef FROM_ACC
#undef FLIP
#include "undefine.h"
