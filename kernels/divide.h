/* Template: sums over a divisor, to every number type that an average can have. The includer defines DTYPE (the sums' name),
 * ACC, SUM_SIZE (its bytes), SUMS_ARE_INTEGERS and PARTS: two parts are high and low 32 bits, or a sum and its rounding errors.
 * FITTING, of 64-bit integers: the name under which this file is included for sums below 2**51, without the word: they and their
 * quotients are doubles. */
#define OPERATION divide

#define SUM(i) (((const ACC *)(const void *)sums)[i])
#define SECOND(i) (((const ACC *)(const void *)(sums + apart))[i])
#if SUMS_ARE_INTEGERS && SUM_SIZE == 8 && !defined(FITTING)
#define TOTAL(i) numpool_real(PARTS == 2 ? ((int64_t)SUM(i) << 32) + SECOND(i) : SUM(i))
#elif SUMS_ARE_INTEGERS && PARTS == 2
#define TOTAL(i) (((__int128)SUM(i) << 32) + SECOND(i))
#elif SUMS_ARE_INTEGERS || PARTS == 1
#define TOTAL(i) SUM(i)
#else
ALWAYS_INLINE double FN(total)(double sum, double errors)
{
    return sum - sum == 0 ? sum + errors : sum; /* the errors of an infinite sum are NaN */
}
#define TOTAL(i) FN(total)(SUM(i), SECOND(i))
#endif
#ifdef FITTING
#define QUOTIENT(i) numpool_ratio(TOTAL(i), divisor)
#define ROUNDED(i, low, high) numpool_round(TOTAL(i), divisor, low, high)
#define ROUNDED_LONG(i, low, high) ROUNDED(i, low, high)
#else
#define QUOTIENT(i) ((double)(TOTAL(i)) / (double)divisor)
#define ROUNDED(i, low, high) numpool_round_small(TOTAL(i), divisor, low, high)
#define ROUNDED_LONG(i, low, high) numpool_whole(ROUNDED(i, (double)(low), (double)(high)))
#endif
#define INTEGER_CASE(code, type, round, low, high) \
    case code: for (ptrdiff_t i = 0; i < n; i++) ((type *)(void *)out)[i] = (type)round(i, low, high); break

#ifdef FITTING
/* Whether the n sums are below 2**51. */
ALWAYS_INLINE int FN(fit)(const char *sums, ptrdiff_t apart, ptrdiff_t n)
{
    int64_t bits = 0, low = 0;
    (void)apart;
    for (ptrdiff_t i = 0; i < n; i++) {
        bits |= SUM(i) ^ (SUM(i) >> 63);
#if PARTS == 2
        low |= SECOND(i);
#endif
    }
    return bits >> (PARTS == 2 ? 18 : 51) == 0 && low >> 50 == 0;
}
#endif

/* n of them. */
static __attribute__((noinline, unused)) void FN(all)(int out_code, const char *sums, ptrdiff_t apart, ptrdiff_t n,
                                                      int64_t divisor, char *out)
{
    (void)apart;
#ifdef FITTING
    if (FN(fit)(sums, apart, n)) {
        NUMPOOL_JOIN(divide, FITTING, all)(out_code, sums, apart, n, divisor, out);
        return;
    }
#endif
    switch (out_code) {
    case OUT_FLOAT16:
        for (ptrdiff_t i = 0; i < n; i++)
            ((uint16_t *)(void *)out)[i] = numpool_float16_store(numpool_round_to_odd(QUOTIENT(i)));
        break;
    case OUT_BFLOAT16:
        for (ptrdiff_t i = 0; i < n; i++)
            ((uint16_t *)(void *)out)[i] = numpool_bfloat16_store(numpool_round_to_odd(QUOTIENT(i)));
        break;
    case OUT_FLOAT32:
#if !SUMS_ARE_INTEGERS && SUM_SIZE == 8 && PARTS == 1
        for (ptrdiff_t i = 0; i < n; i++) /* a double or two from the quotient: as a float, the same but once in 2**28 */
            ((float *)(void *)out)[i] = (float)(SUM(i) * (1 / (double)divisor));
#else
        for (ptrdiff_t i = 0; i < n; i++)
            ((float *)(void *)out)[i] = (float)QUOTIENT(i);
#endif
        break;
    case OUT_FLOAT64:
        for (ptrdiff_t i = 0; i < n; i++)
            ((double *)(void *)out)[i] = QUOTIENT(i);
        break;
#if SUMS_ARE_INTEGERS
    INTEGER_CASE(OUT_INT8, int8_t, ROUNDED, INT8_MIN, INT8_MAX);
    INTEGER_CASE(OUT_INT16, int16_t, ROUNDED, INT16_MIN, INT16_MAX);
    INTEGER_CASE(OUT_INT32, int32_t, ROUNDED, INT32_MIN, INT32_MAX);
    INTEGER_CASE(OUT_UINT8, uint8_t, ROUNDED, 0, UINT8_MAX);
    INTEGER_CASE(OUT_UINT16, uint16_t, ROUNDED, 0, UINT16_MAX);
    INTEGER_CASE(OUT_UINT32, uint32_t, ROUNDED, 0, UINT32_MAX);
    INTEGER_CASE(OUT_INT64, int64_t, ROUNDED_LONG, INT64_MIN, INT64_MAX);
    INTEGER_CASE(OUT_UINT64, uint64_t, ROUNDED_LONG, 0, UINT64_MAX);
#endif
    }
}
#undef OPERATION
#undef DTYPE
#undef ACC
#undef SUM_SIZE
#undef PARTS
#undef SUMS_ARE_INTEGERS
#undef FITTING
#undef SUM
#undef SECOND
#undef TOTAL
#undef QUOTIENT
#undef ROUNDED
#undef ROUNDED_LONG
#undef INTEGER_CASE
