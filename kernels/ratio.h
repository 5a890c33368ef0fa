/* Exact sums of integers over integers: to the nearest double, and to the nearest integer, half to even. */
#ifndef NUMPOOL_RATIO_H
#define NUMPOOL_RATIO_H
#include "lanes.h"

static inline __attribute__((unused)) double numpool_ratio(__int128 sum, int64_t by)
{
    const __int128 exact = (__int128)1 << 53;
    if ((sum < exact && sum > -exact) || by == 0)
        return (double)sum / (double)by; /* by < 2**53: windows are smaller, and a larger override is handled below */
    int negative = (sum < 0) != (by < 0), shift = 0;
    unsigned __int128 a = sum < 0 ? -(unsigned __int128)sum : (unsigned __int128)sum;
    unsigned __int128 b = by < 0 ? -(unsigned __int128)by : (unsigned __int128)by;
    while (a >> 126 == 0) { /* at least 63 bits of quotient, so that the sticky bit below is no digit of the result */
        a <<= 1;
        shift++;
    }
    double value = ldexp((double)(a / b | (a % b != 0)), -shift);
    return negative ? -value : value;
}

static inline __attribute__((unused)) __int128 numpool_round(__int128 sum, int64_t divisor, __int128 low, __int128 high)
{
    __int128 by = divisor;
    if (by == 0)
        return 0;
    if (by < 0) {
        by = -by;
        sum = -sum;
    }
    __int128 whole = sum / by, rest = sum % by;
    if (rest < 0) {
        rest += by;
        whole--;
    }
    whole += 2 * rest > by || (2 * rest == by && (whole & 1));
    return whole < low ? low : whole > high ? high : whole;
}

/* Integers below 2**51 as doubles, and back: AVX2 has no instruction for it. */
ALWAYS_INLINE double numpool_real(int64_t x)
{
    const int64_t bits = x + 0x4338000000000000; /* 0x1.8p52 */
    double real;
    memcpy(&real, &bits, sizeof real);
    return real - 0x1.8p52;
}
ALWAYS_INLINE int64_t numpool_whole(double x)
{
    int64_t bits;
    x += 0x1.8p52;
    memcpy(&bits, &x, sizeof bits);
    return bits - 0x4338000000000000;
}

/* As numpool_round for |sum| < 2**51, where the double quotient lies on the right side of every half. */
ALWAYS_INLINE double numpool_round_small(double sum, int64_t by, double low, double high)
{
    double whole = by ? rint(sum / (double)by) : 0;
    return whole < low ? low : whole > high ? high : whole;
}
#endif
