/* What the kernels use of x86-64-v3: 32-byte vectors. The instructions by name, the same in dispatch.h: GCC 11 and
 * clang 16 cannot ask for a level. */
#define LEVEL v3
#define VECTOR_BYTES 32
#define LANES_1 32
#define LANES_2 16
#define LANES_4 8
#define LANES_8 4
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,bmi,bmi2,f16c")
#endif
#include "level.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
