/* The two 16-bit floats as bits: to and from float32, and as integers whose order is the floats' order. */
#ifndef NUMPOOL_HALVES_H
#define NUMPOOL_HALVES_H
#include "lanes.h"

/* What a dtype's bits are: infinity, and how far the integer key of -infinity lies above the least int16. */
#define FLOAT16_INFINITY 0x7c00
#define BFLOAT16_INFINITY 0x7f80

typedef union { float f; uint32_t u; int32_t i; } numpool_bits32;

ALWAYS_INLINE float numpool_float16_load(uint16_t h)
{
    numpool_bits32 x = {.u = (uint32_t)(h & 0x7fff) << 13}, scale = {.u = 0x77800000}; /* 2**112: moves the exponent */
    x.f *= scale.f;                                                                    /* and is exact for subnormals */
    x.u |= ((h & 0x7c00) == 0x7c00 ? 0x7f800000u : 0) | (uint32_t)(h & 0x8000) << 16;
    return x.f;
}

/* a or b, without a branch: loops over what follows become vectors. */
ALWAYS_INLINE uint32_t numpool_either(int condition, uint32_t a, uint32_t b) { return b ^ ((a ^ b) & (0 - (uint32_t)condition)); }

ALWAYS_INLINE uint16_t numpool_float16_store(float value)
{
    numpool_bits32 x = {.f = value}, small, half = {.f = 0.5f};
    uint32_t sign = x.u >> 16 & 0x8000, bits;
    x.u &= 0x7fffffff;
    small.f = x.f + half.f; /* below 2**-14 the sum's last place is a float16's: the addition rounds */
    bits = numpool_either(x.u < 0x38800000, small.u - half.u, (x.u - 0x38000000 + 0xfff + (x.u >> 13 & 1)) >> 13);
    bits = numpool_either(x.u >= 0x47800000, 0x7c00, bits); /* 65536 and more */
    bits = numpool_either(x.u > 0x7f800000, 0x7e00, bits);
    return (uint16_t)(sign | bits);
}

ALWAYS_INLINE float numpool_bfloat16_load(uint16_t h)
{
    numpool_bits32 x = {.u = (uint32_t)h << 16};
    return x.f;
}

ALWAYS_INLINE uint16_t numpool_bfloat16_store(float value)
{
    numpool_bits32 x = {.f = value};
    uint32_t rounded = (x.u + 0x7fff + (x.u >> 16 & 1)) >> 16;
    return (uint16_t)((x.u & 0x7fffffff) > 0x7f800000 ? (x.u >> 16 | 0x40) : rounded);
}

/* double to float that never ends on a rounding boundary (round to odd), so that the next rounding is the only one. */
ALWAYS_INLINE float numpool_round_to_odd(double value)
{
    numpool_bits32 x = {.f = (float)value};
    const double back = (double)x.f;
    const int32_t toward = fabs(back) < fabs(value) ? 1 : -1, lost = back != value ? 1 : 0, finite = value - value == 0 ? 1 : 0;
    x.i += toward * (lost & finite & ~x.i);
    return x.f;
}
#endif
