/* Template: DOUBLING(x, to), a vector of elements as wider integers, and HALVING(x, to), of what fits, back. GCC 12 converts lane
 * by lane unless it is to twice the size, so the longer ways go step by step; INTS(p), where it is defined, the elements at p in
 * one. */
#undef DOUBLING
#undef HALVING
#undef INTS
#if KIND == KIND_INT && ELEM_SIZE == 1 && ACC_SIZE == 4 && defined(NATIVE_INTS_1)
#define INTS(p) NUMPOOL_CAT(NATIVE_INTS_, UNSIGNED)(p)
#endif
#if KIND != KIND_FLOAT && ACC_SIZE == 2 * ELEM_SIZE && defined(NATIVE_DOUBLE_1_0)
#define DOUBLING(x, to) ((to)NUMPOOL_JOIN(NATIVE_DOUBLE, ELEM_SIZE, UNSIGNED)(x))
#elif KIND == KIND_INT && ELEM_SIZE < 4 && ACC_SIZE / ELEM_SIZE >= 4
typedef int16_t FN(short) __attribute__((vector_size(LANES * 2)));
typedef int32_t FN(int) __attribute__((vector_size(LANES * 4)));
#if ELEM_SIZE == 2
#define DOUBLING(x, to) __builtin_convertvector(__builtin_convertvector(x, FN(int)), to)
#else
#define DOUBLING(x, to) \
    __builtin_convertvector(__builtin_convertvector(__builtin_convertvector(x, FN(short)), FN(int)), to)
#endif
#else
#define DOUBLING(x, to) __builtin_convertvector(x, to)
#endif
#if KIND == KIND_INT && ACC_SIZE == 2 * ELEM_SIZE && ELEM_SIZE <= 2 && defined(NATIVE_HALVE_1_0)
#define HALVING(x, to) ((to)NUMPOOL_JOIN(NATIVE_HALVE, ELEM_SIZE, UNSIGNED)(x))
#else
#define HALVING(x, to) __builtin_convertvector(x, to)
#endif
