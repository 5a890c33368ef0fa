/* What the kernels use of x86-64-v4: 64-byte vectors. The names are those of dispatch.h. */
#define LEVEL v4
#define VECTOR_BYTES 64
#define LANES_1 64
#define LANES_2 32
#define LANES_4 16
#define LANES_8 8
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi,bmi2"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,bmi,bmi2,prefer-vector-width=512")
#endif
#include "level.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
