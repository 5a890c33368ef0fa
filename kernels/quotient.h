/* Template: vectors of sums over a divisor, as elements of the input's type: the end of the last stage of average.h, whose words
 * and types these are. Other divisors and results are those of divide.h. */
#if SHORT
ALWAYS_INLINE int FN(divides)(const numpool_job *job, int64_t divisor) { (void)job; return divisor > 0; }

typedef uint16_t FN(uvec) __attribute__((vector_size(VECTOR_BYTES)));
ALWAYS_INLINE FN(uvec) FN(high_product)(FN(uvec) a, uint16_t b)
{
#ifdef NATIVE_HIGH_2
    return (FN(uvec))NATIVE_HIGH_2(a, (FN(uvec)){0} + b);
#else
    typedef uint32_t twice __attribute__((vector_size(2 * VECTOR_BYTES)));
    return __builtin_convertvector((__builtin_convertvector(a, twice) * b) >> 16, FN(uvec));
#endif
}

/* Whole quotients, half to even, of sums of at most `divisor` <= 128 elements; signed ones are moved up by 128 a tap first.
 * By a power of two: plus a half, less one unless the whole number before is odd. Else x + half the divisor, below 2**15,
 * times 2**(15 + bits) / divisor, rounded up, is exact (Granlund and Montgomery, 1994); what was a half has gone up, and
 * goes back from an odd number. */
ALWAYS_INLINE FN(vec) FN(quotient)(FN(vec) sum, numpool_by given)
{
    const int by = (int)given.divisor, bits = by > 1 ? 32 - __builtin_clz(by - 1) : 0;
    const int low = UNSIGNED ? 0 : 128, some = by > 1;
    FN(uvec) x = (FN(uvec))sum + (uint16_t)(low * by), q;
    if ((by & (by - 1)) == 0) {
        q = (x + (uint16_t)(by / 2 - some) + (x >> bits & (uint16_t)some)) >> bits;
    } else {
        x += (uint16_t)(by / 2);
        q = FN(high_product)(x, (uint16_t)(((1 << (15 + bits)) + by - 1) / by)) >> (bits - 1);
        if (by % 2 == 0)
            q -= q & 1 & (FN(uvec))(q * (uint16_t)by == x);
    }
    return (FN(vec))(q - (uint16_t)low);
}
#elif KIND == KIND_INT
/* Sums of so many taps are below a quarter of the whole numbers that REAL holds, see FN(quotient); more are divided in double. */
#if ACC_SIZE == 4
#define REAL float
#define MOST_SUMMED (ELEM_SIZE == 1 ? 1 << 14 : 1 << 6)
#define ROUNDING 0x1.8p23f
#else
#define REAL double
#define MOST_SUMMED (1 << 19)
#define ROUNDING 0x1.8p52
#endif
typedef REAL FN(real) __attribute__((vector_size(VECTOR_BYTES)));

/* Whether FN(quotient) may divide by it, to the input's type. */
ALWAYS_INLINE int FN(divides)(const numpool_job *job, int64_t divisor)
{
    const double taps = (double)numpool_max(job->d.kernel, 1) * (double)job->h.kernel * (double)job->w.kernel;
    return job->out_code == OWN_OUT && divisor > 0 && divisor <= (ACC_SIZE == 4 ? INT32_MAX : MOST_SUMMED)
           && (job->divisor == 0 || (double)divisor >= taps); /* a mean: it fits */
}

/* x * (1 / by), rounded. */
ALWAYS_INLINE FN(vec) FN(near)(FN(vec) x, ACC by)
{
#if ACC_SIZE == 4
    if (by > MOST_SUMMED) {
        typedef double doubles __attribute__((vector_size(2 * VECTOR_BYTES)));
        typedef int64_t longs __attribute__((vector_size(2 * VECTOR_BYTES)));
        const doubles near = __builtin_convertvector(x, doubles) * (1 / (double)by) + 0x1.8p52;
        return __builtin_convertvector((longs)near - (longs)((doubles){0} + 0x1.8p52), FN(vec));
    }
    const FN(real) real = __builtin_convertvector(x, FN(real));
#else
    const FN(real) real = (FN(real))(x + (FN(vec))((FN(real)){0} + ROUNDING)) - ROUNDING; /* as numpool_real */
#endif
    const FN(real) near = real * ((REAL)1 / (REAL)by) + ROUNDING;
    return (FN(vec))near - (FN(vec))((FN(real)){0} + ROUNDING);
}

/* Whole quotients, half to even. |x| < 2**22 (in double 2**51): x * (1 / by) is off by less than 1 / (2 * by), and what is no
 * half is at least that far from the next half. Halves are found by their remainders; an odd divisor makes none, and a power
 * of two makes exact products. */
ALWAYS_INLINE FN(vec) FN(quotient)(FN(vec) x, numpool_by given)
{
    const ACC by = (ACC)given.divisor;
    FN(vec) q = FN(near)(x, by);
    if (by % 2 == 0 && (by & (by - 1))) {
        const FN(vec) twice = 2 * (x - q * by), odd = q & 1;
        q += odd & (FN(vec))(twice == by);
        q -= odd & (FN(vec))(twice == -by);
    }
    return q;
}
#undef REAL
#undef ROUNDING
#undef MOST_SUMMED
#else
ALWAYS_INLINE int FN(divides)(const numpool_job *job, int64_t divisor)
{
    return job->out_code == OWN_OUT && (int64_t)(ACC)divisor == divisor;
}

ALWAYS_INLINE FN(vec) FN(quotient)(FN(vec) x, numpool_by by)
{
    return by.factor != 0 ? x * (ACC)by.factor : x / (ACC)by.divisor;
}
#endif

#if KIND == KIND_HALF
/* As numpool_float16_store and numpool_bfloat16_store. */
ALWAYS_INLINE FN(evec) FN(float16_store)(FN(vec) value)
{
#ifdef NATIVE_FLOAT16_STORE
    return (FN(evec))NATIVE_FLOAT16_STORE(value);
#else
    const FN(bits) given = (FN(bits))value, u = given & 0x7fffffff;
    const FN(bits) small = (FN(bits))((FN(vec))u + 0.5f) - 0x3f000000;
    const FN(bits) large = (u - 0x38000000 + 0xfff + (u >> 13 & 1)) >> 13;
    FN(bits) h = SELECT(FN(bits), FN(bits), u < 0x38800000, small, large);
    h = SELECT(FN(bits), FN(bits), u >= 0x47800000, (FN(bits)){0} + 0x7c00, h);
    h = SELECT(FN(bits), FN(bits), u > 0x7f800000, (FN(bits)){0} + 0x7e00, h);
    return __builtin_convertvector(h | (given >> 16 & 0x8000), FN(evec));
#endif
}
ALWAYS_INLINE FN(evec) FN(bfloat16_store)(FN(vec) value)
{
    typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES)));
    const words u = (words)value; /* the low half of a NaN is 0, as in the elements it came from: it stays one */
    const words rounded = (u + 0x7fff + (u >> 16 & 1)) >> 16;
#ifdef NATIVE_HALVE_2_1
    return (FN(evec))NATIVE_HALVE_2_1(rounded);
#else
    return __builtin_convertvector(rounded, FN(evec));
#endif
}
#define STORE_HALF NUMPOOL_CAT(FN(DTYPE), _store)
#endif

/* A vector of sums, divided, to elements of the input's type. */
ALWAYS_INLINE void FN(store_quotient)(char *p, FN(vec) sum, numpool_by by)
{
    const FN(vec) x = FN(quotient)(sum, by);
#if KIND == KIND_HALF
    const FN(evec) y = STORE_HALF(x);
    memcpy(p, &y, sizeof y);
#elif KIND == KIND_FLOAT
    memcpy(p, &x, sizeof x);
#elif ACC_SIZE == 4 && ELEM_SIZE == 1 && defined(NATIVE_BYTES_4)
    NATIVE_BYTES_4(p, x);
#else
    const FN(evec) y = HALVING(x, FN(evec));
    memcpy(p, &y, sizeof y);
#endif
}
