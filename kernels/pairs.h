/* Template: averages of 16- and 32-bit floats in double: `down` adds whole vectors of floats in trees of 8, and keeps what they
 * come to as two vectors of doubles. For average.h, IN_PAIRS. */
typedef struct { FN(plane) low, high; } FN(pair);
typedef float FN(half) __attribute__((vector_size(VECTOR_BYTES / 2)));
ALWAYS_INLINE FN(pair) FN(widen)(FN(tree) x)
{
#ifdef NATIVE_DOUBLES
    return (FN(pair)){(FN(plane))NATIVE_DOUBLES(x), (FN(plane))NATIVE_HIGH_DOUBLES(x)};
#else
    FN(half) half[2];
    memcpy(half, &x, sizeof x);
    return (FN(pair)){__builtin_convertvector(half[0], FN(plane)), __builtin_convertvector(half[1], FN(plane))};
#endif
}
ALWAYS_INLINE FN(pair) FN(join_pairs)(FN(pair) a, FN(pair) b) { return (FN(pair)){a.low + b.low, a.high + b.high}; }
ALWAYS_INLINE FN(pair) FN(load_pair)(const char *p) { return (FN(pair)){FN(load)(p), FN(load)(p + VECTOR_BYTES)}; }
ALWAYS_INLINE void FN(store_pair)(char *p, FN(pair) x)
{
    FN(store)(p, x.low, 0);
    FN(store)(p + VECTOR_BYTES, x.high, 0);
}

typedef int32_t FN(half_bits) __attribute__((vector_size(VECTOR_BYTES / 2)));
ALWAYS_INLINE FN(half) FN(narrow)(FN(plane) x)
{
#ifdef NATIVE_FLOATS
    return (FN(half))NATIVE_FLOATS(x);
#else
    return __builtin_convertvector(x, FN(half));
#endif
}

/* LANES elements alone. */
ALWAYS_INLINE FN(vec) FN(load_few)(const char *p)
{
#ifdef NATIVE_FEW
    const FN(evec) x = (FN(evec))NATIVE_FEW(p, ELEM_SIZE);
#else
    FN(evec) x = {0};
    memcpy(&x, p, LANES * ELEM_SIZE);
#endif
#if KIND == KIND_HALF
    return FN(widen)(LOAD_HALF(x)).low;
#else
    return FN(widen)(x).low;
#endif
}

#if KIND == KIND_FLOAT
/* Rows of at most LANES elements: trees of half a vector of floats, each summed as one of doubles. */
typedef float FN(half_elements) __attribute__((vector_size(VECTOR_BYTES / 2), aligned(1), may_alias));
#define NARROW down_half
#define NARROW_STORE(p, x, f) FN(store)(p, x, 0)
#define NARROW_ONE
#define TAP(p, t, f) (*(const FN(half_elements) *)(const void *)(p))
#define WIDEN(tree) __builtin_convertvector(tree, FN(plane))
#define STEP_STAGE(a, b) ((a) + (b))
#define STAGE_TYPE FN(plane)
#undef TREE_TYPE
#define TREE_TYPE FN(half)
#include "narrow.h"
#undef TAP
#undef WIDEN
#undef STEP_STAGE
#undef STAGE_TYPE
#undef TREE_TYPE
#define TREE_TYPE FN(tree)
#endif
