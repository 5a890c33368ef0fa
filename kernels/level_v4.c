/* x86-64-v4 (AVX-512 F, BW, CD, DQ, VL): 64-byte vectors. */
#define LEVEL v4
#define VECTOR_BYTES 64
#define LANES_1 64
#define LANES_2 32
#define LANES_4 16
#define LANES_8 8
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v4"))), apply_to = function)
#else
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#endif
#include "level.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
