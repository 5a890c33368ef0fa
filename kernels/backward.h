/* What both backward templates need, for one float dtype: gradients to and from the accumulator, and input columns put
 * back in place. Input columns w with equal (w + before) % stride are a phase: their windows lie alike. */
#if KIND == KIND_HALF
#define ACC float
#define ACC_SIZE 4
#define WIDE_LOAD(x) HALF_LOAD((uint16_t)(x))
#define NARROW(x) ((ELEM)HALF_STORE(x))
#else
#define ACC ELEM
#define ACC_SIZE ELEM_SIZE
#define WIDE_LOAD(x) (x)
#define NARROW(x) (x)
#endif
#define LANES LANES_OF(ACC_SIZE)
#define OPERATION backward

/* count pixels of `lanes` each, one phase, to every stride-th pixel of a row of grad_input. */
static __attribute__((unused)) void FN(put_phase)(char *row, const char *sums, ptrdiff_t count, ptrdiff_t lanes,
                                                  ptrdiff_t pixel)
{
    const ACC *from = (const ACC *)(const void *)sums;
    if (pixel == lanes * ELEM_SIZE) {
        lanes *= count;
        count = 1;
    }
    if (lanes == 1) {
        for (ptrdiff_t i = 0; i < count; i++)
            *(ELEM *)(void *)(row + i * pixel) = NARROW(from[i]);
        return;
    }
    for (ptrdiff_t i = 0; i < count; i++, from += lanes, row += pixel) {
        ELEM *to = (ELEM *)(void *)row;
        for (ptrdiff_t j = 0; j < lanes; j++)
            to[j] = NARROW(from[j]);
    }
}

static __attribute__((unused)) void FN(widen)(char *sums, const char *row, ptrdiff_t n)
{
    ACC *to = (ACC *)(void *)sums;
    const ELEM *from = (const ELEM *)(const void *)row;
    for (ptrdiff_t i = 0; i < n; i++)
        to[i] = WIDE_LOAD(from[i]);
}

/* As forward.h: short rows end to end, long ones on cache lines. */
ALWAYS_INLINE ptrdiff_t FN(pitch)(ptrdiff_t n)
{
    ptrdiff_t bytes = n * ACC_SIZE;
    return bytes <= 64 ? bytes : (bytes + 63) & ~(ptrdiff_t)63;
}

#undef OPERATION
#undef WIDE_LOAD
#undef NARROW
#undef ACC
#undef ACC_SIZE
#undef LANES
