/* x86-64-v3 (AVX2, FMA unused): 32-byte vectors. */
#define LEVEL v3
#define VECTOR_BYTES 32
#define LANES_1 32
#define LANES_2 16
#define LANES_4 8
#define LANES_8 4
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("arch=x86-64-v3"))), apply_to = function)
#else
#pragma GCC target("arch=x86-64-v3")
#endif
#include "level.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
