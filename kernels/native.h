/* x86: the instructions for a maximum, a minimum, floats of other widths and narrow integers, which GCC does not find in
 * vector code by itself. `extremum.h`, `average.h` and `argsmall.h` hold the plain version beside each use; it is what
 * other processors run, and for most at the baseline level the tests' oracle. A float extremum takes 2 instructions instead of 4
 * (AVX-512), an integer one 1 instead of 2 or 3. */
#ifndef NUMPOOL_NATIVE_H
#define NUMPOOL_NATIVE_H
#include "lanes.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define NATIVE_TYPE_0 epi
#define NATIVE_TYPE_1 epu
#define NATIVE(op, size, is_unsigned) \
    NUMPOOL_JOIN(NATIVE_PREFIX, op, NUMPOOL_CAT(NUMPOOL_CAT(NATIVE_TYPE_, is_unsigned), NUMPOOL_CAT(NATIVE_BITS_, size)))
#define NATIVE_BITS_1 8
#define NATIVE_BITS_2 16
#define NATIVE_BITS_4 32
#define NATIVE_BITS_8 64
#if VECTOR_BYTES == 64
#define NATIVE_PREFIX _mm512
#define NATIVE_INTEGER(size, is_unsigned) 1
typedef __m512i native_int;
typedef __m256i native_half;
#elif VECTOR_BYTES == 32
#define NATIVE_PREFIX _mm256
#define NATIVE_INTEGER(size, is_unsigned) ((size) < 8)
typedef __m256i native_int;
typedef __m128i native_half;
#else
#define NATIVE_PREFIX _mm
#define NATIVE_INTEGER(size, is_unsigned) ((size) == ((is_unsigned) ? 1 : 2))
typedef __m128i native_int;
#endif

/* a where it is NaN, else the instruction, whose answer is b where either is NaN or both are equal */
#if VECTOR_BYTES == 64
#define NATIVE_FLOAT(op, size) NUMPOOL_JOIN(numpool, op, size)
ALWAYS_INLINE __m512 numpool_max_4(__m512 a, __m512 b)
{
    return _mm512_mask_max_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b);
}
ALWAYS_INLINE __m512 numpool_min_4(__m512 a, __m512 b)
{
    return _mm512_mask_min_ps(a, _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q), a, b);
}
ALWAYS_INLINE __m512d numpool_max_8(__m512d a, __m512d b)
{
    return _mm512_mask_max_pd(a, _mm512_cmp_pd_mask(a, a, _CMP_ORD_Q), a, b);
}
ALWAYS_INLINE __m512d numpool_min_8(__m512d a, __m512d b)
{
    return _mm512_mask_min_pd(a, _mm512_cmp_pd_mask(a, a, _CMP_ORD_Q), a, b);
}
#elif VECTOR_BYTES == 32
#define NATIVE_FLOAT(op, size) NUMPOOL_JOIN(numpool, op, size)
ALWAYS_INLINE __m256 numpool_max_4(__m256 a, __m256 b)
{
    return _mm256_blendv_ps(_mm256_max_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
ALWAYS_INLINE __m256 numpool_min_4(__m256 a, __m256 b)
{
    return _mm256_blendv_ps(_mm256_min_ps(a, b), a, _mm256_cmp_ps(a, a, _CMP_UNORD_Q));
}
ALWAYS_INLINE __m256d numpool_max_8(__m256d a, __m256d b)
{
    return _mm256_blendv_pd(_mm256_max_pd(a, b), a, _mm256_cmp_pd(a, a, _CMP_UNORD_Q));
}
ALWAYS_INLINE __m256d numpool_min_8(__m256d a, __m256d b)
{
    return _mm256_blendv_pd(_mm256_min_pd(a, b), a, _mm256_cmp_pd(a, a, _CMP_UNORD_Q));
}
#endif

/* Less than a vector of bytes from memory to memory: a load or a store, where memcpy is a call. NATIVE_COPY reads a whole vector,
 * NATIVE_TAKE writes one */
#if VECTOR_BYTES == 64
#define NATIVE_COPY(to, from, bytes) _mm512_mask_storeu_epi8(to, ((__mmask64)1 << (bytes)) - 1, _mm512_loadu_si512(from))
#define NATIVE_TAKE(to, from, bytes) _mm512_storeu_si512(to, _mm512_maskz_loadu_epi8(((__mmask64)1 << (bytes)) - 1, from))
#endif

/* Half a vector of floats as doubles, and back: GCC 12 does each quarter by itself and joins them, 7 instructions instead of 1 */
#if VECTOR_BYTES == 64
#define NATIVE_DOUBLES(x) _mm512_cvtps_pd(_mm512_castps512_ps256((__m512)(x)))
#define NATIVE_HIGH_DOUBLES(x) _mm512_cvtps_pd(_mm512_extractf32x8_ps((__m512)(x), 1))
#define NATIVE_FLOATS(x) _mm512_cvtpd_ps((__m512d)(x))
#elif VECTOR_BYTES == 32
#define NATIVE_DOUBLES(x) _mm256_cvtps_pd(_mm256_castps256_ps128((__m256)(x)))
#define NATIVE_HIGH_DOUBLES(x) _mm256_cvtps_pd(_mm256_extractf128_ps((__m256)(x), 1))
#define NATIVE_FLOATS(x) _mm256_cvtpd_ps((__m256d)(x))
#endif

/* The first half of a vector of floats, or of so many halves, from p: GCC 12 joins it to zeros in memory, and waits for it */
#if VECTOR_BYTES >= 32
#define NATIVE_FEW(p, size) NUMPOOL_CAT(NATIVE_FEW_, size)(p)
#endif
#if VECTOR_BYTES == 64
#define NATIVE_FEW_4(p) _mm512_castps256_ps512(_mm256_loadu_ps((const float *)(const void *)(p)))
#define NATIVE_FEW_2(p) _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#elif VECTOR_BYTES == 32
#define NATIVE_FEW_4(p) _mm256_castps128_ps256(_mm_loadu_ps((const float *)(const void *)(p)))
#define NATIVE_FEW_2(p) _mm_loadl_epi64((const __m128i *)(const void *)(p))
#endif

/* float16 as float32, and back: 1 instruction instead of 8 and 14, averages take a quarter of the time */
#if VECTOR_BYTES == 64
#define NATIVE_FLOAT16_LOAD(x) _mm512_cvtph_ps((__m256i)(x))
#define NATIVE_FLOAT16_STORE(x) _mm512_cvtps_ph((__m512)(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#elif VECTOR_BYTES == 32
#define NATIVE_FLOAT16_LOAD(x) _mm256_cvtph_ps((__m128i)(x))
#define NATIVE_FLOAT16_STORE(x) _mm256_cvtps_ph((__m256)(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#endif

/* SELECT by a mask from memory, whose lanes GCC does not know to be all ones or all zeros: 1 instruction instead of 3 */
#if VECTOR_BYTES == 32
#undef SELECT_READ
#define SELECT_READ(type, mask_type, mask, a, b) \
    ((type)_mm256_blendv_epi8((__m256i)(b), (__m256i)(a), (__m256i)(mask)))
#endif

/* Every second element of two vectors of 32 bits: GCC 12 takes 3 instructions instead of 2, and two of them cross the vector */
#if VECTOR_BYTES == 32
#define NATIVE_TWICE_4(a, b, which) \
    _mm256_permute4x64_pd((__m256d)_mm256_shuffle_ps((__m256)(a), (__m256)(b), which), 0xd8)
#define NATIVE_EVENS_4(a, b) NATIVE_TWICE_4(a, b, 0x88)
#define NATIVE_ODDS_4(a, b) NATIVE_TWICE_4(a, b, 0xdd)
#endif

/* The same inside each piece of 16 bytes, 1 instruction, from element 0 or 1 on; and every second piece of two vectors */
#if VECTOR_BYTES == 32
#define NATIVE_INSIDE_4(a, b, from) _mm256_shuffle_ps((__m256)(a), (__m256)(b), (from) ? 0xdd : 0x88)
#define NATIVE_INSIDE_8(a, b, from) _mm256_shuffle_pd((__m256d)(a), (__m256d)(b), (from) ? 0xf : 0)
#define NATIVE_PIECES(a, b, from) _mm256_permute2f128_ps((__m256)(a), (__m256)(b), (from) ? 0x31 : 0x20)
#endif

/* Elements of 32 bits from two vectors, by their places, of which the second vector's have their sign set as well */
#if VECTOR_BYTES == 64
#define NATIVE_PICK_4(a, b, at) _mm512_permutex2var_ps((__m512)(a), (__m512i)(at), (__m512)(b))
#elif VECTOR_BYTES == 32
#define NATIVE_PICK_4(a, b, at) \
    _mm256_blendv_ps(_mm256_permutevar8x32_ps((__m256)(a), (__m256i)(at)), \
                     _mm256_permutevar8x32_ps((__m256)(b), (__m256i)(at)), (__m256)(at))
#endif

/* The same of three vectors, of which the third's have the bit below the sign set */
#if VECTOR_BYTES == 64
#define NATIVE_PICK_OF_3_4(a, b, c, at) \
    _mm512_mask_permutexvar_ps(NATIVE_PICK_4(a, b, at), _mm512_movepi32_mask(_mm512_slli_epi32((__m512i)(at), 1)), \
                               (__m512i)(at), (__m512)(c))
#elif VECTOR_BYTES == 32
#define NATIVE_PICK_OF_3_4(a, b, c, at) \
    _mm256_blendv_ps(NATIVE_PICK_4(a, b, at), _mm256_permutevar8x32_ps((__m256)(c), (__m256i)(at)), \
                     (__m256)_mm256_slli_epi32((__m256i)(at), 1))
#endif

/* Elements of 32 bits of one vector, by their places */
#if VECTOR_BYTES == 64
#define NATIVE_PLACE_4(type, x, at) ((type)_mm512_permutexvar_epi32((__m512i)(at), (__m512i)(x)))
#elif VECTOR_BYTES == 32
#define NATIVE_PLACE_4(type, x, at) ((type)_mm256_permutevar8x32_epi32((__m256i)(x), (__m256i)(at)))
#endif

/* The high half of the products of uint16 */
#if VECTOR_BYTES == 64
#define NATIVE_HIGH_2(a, b) _mm512_mulhi_epu16((__m512i)(a), (__m512i)(b))
#elif VECTOR_BYTES == 32
#define NATIVE_HIGH_2(a, b) _mm256_mulhi_epu16((__m256i)(a), (__m256i)(b))
#else
#define NATIVE_HIGH_2(a, b) _mm_mulhi_epu16((__m128i)(a), (__m128i)(b))
#endif

/* Vectors of int32, and of int64, as bytes: GCC 12 goes by way of int16 and the stack, 15 cycles instead of 2; with AVX2 element
 * by element, 32 instructions instead of 4 */
#if VECTOR_BYTES == 64
#define NATIVE_BYTES_4(p, x) _mm_storeu_si128((__m128i *)(p), _mm512_cvtepi32_epi8((__m512i)(x)))
#define NATIVE_BYTES_8(p, x) _mm_storel_epi64((__m128i *)(p), _mm512_cvtepi64_epi8((__m512i)(x)))
#elif VECTOR_BYTES == 32
#define NATIVE_BYTES_4(p, x) numpool_bytes_4(p, (__m256i)(x))
#define NATIVE_BYTES_8(p, x) numpool_bytes_8(p, (__m256i)(x))
ALWAYS_INLINE void numpool_bytes_4(void *p, __m256i x)
{
    const __m256i low = _mm256_shuffle_epi8(x, _mm256_set1_epi32(0x0c080400));
    _mm_storel_epi64(p, _mm_unpacklo_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
}
ALWAYS_INLINE void numpool_bytes_8(void *p, __m256i x)
{
    const __m256i low = _mm256_shuffle_epi8(x, _mm256_set1_epi16(0x0800));
    const int four = _mm_cvtsi128_si32(_mm_unpacklo_epi16(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1)));
    memcpy(p, &four, sizeof four);
}
#endif

/* Half a vector of integers of so many bytes, signed (0) or not (1), as a vector of integers twice as wide, and back, of what fits:
 * GCC 12 does each quarter by itself and joins them, 4 instructions instead of 1, and 4 instead of 2 */
#if VECTOR_BYTES >= 32
#define NATIVE_DOUBLE_1_0(x) NUMPOOL_JOIN(NATIVE_PREFIX, cvtepi8, epi16)((native_half)(x))
#define NATIVE_DOUBLE_1_1(x) NUMPOOL_JOIN(NATIVE_PREFIX, cvtepu8, epi16)((native_half)(x))
#define NATIVE_DOUBLE_2_0(x) NUMPOOL_JOIN(NATIVE_PREFIX, cvtepi16, epi32)((native_half)(x))
#define NATIVE_DOUBLE_2_1(x) NUMPOOL_JOIN(NATIVE_PREFIX, cvtepu16, epi32)((native_half)(x))
#define NATIVE_DOUBLE_4_0(x) NUMPOOL_JOIN(NATIVE_PREFIX, cvtepi32, epi64)((native_half)(x))
#define NATIVE_DOUBLE_4_1(x) NUMPOOL_JOIN(NATIVE_PREFIX, cvtepu32, epi64)((native_half)(x))
#endif
#if VECTOR_BYTES == 64
#define NATIVE_HALVE_1_0(x) _mm512_cvtepi16_epi8((__m512i)(x))
#define NATIVE_HALVE_1_1(x) NATIVE_HALVE_1_0(x)
#define NATIVE_HALVE_2_0(x) _mm512_cvtepi32_epi16((__m512i)(x))
#define NATIVE_HALVE_2_1(x) NATIVE_HALVE_2_0(x)
#elif VECTOR_BYTES == 32
#define NATIVE_PACKED(pack, x) _mm256_castsi256_si128(_mm256_permute4x64_epi64(pack((__m256i)(x), (__m256i)(x)), 0x08))
#define NATIVE_HALVE_1_0(x) NATIVE_PACKED(_mm256_packs_epi16, x)
#define NATIVE_HALVE_1_1(x) NATIVE_PACKED(_mm256_packus_epi16, x)
#define NATIVE_HALVE_2_0(x) NATIVE_PACKED(_mm256_packs_epi32, x)
#define NATIVE_HALVE_2_1(x) NATIVE_PACKED(_mm256_packus_epi32, x)
#endif

/* So many bytes from p, signed (0) or not (1), as a vector of int32: GCC 12 takes 9 instructions instead of 1 */
#if VECTOR_BYTES == 64
#define NATIVE_INTS_0(p) _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define NATIVE_INTS_1(p) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#elif VECTOR_BYTES == 32
#define NATIVE_INTS_0(p) _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p)))
#define NATIVE_INTS_1(p) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)(p)))
#endif
#else
#define NATIVE_INTEGER(size, is_unsigned) 0
#endif
#ifndef NATIVE_COPY
#define NATIVE_COPY(to, from, bytes) memcpy(to, from, bytes)
#define NATIVE_TAKE(to, from, bytes) memcpy(to, from, bytes)
#endif

/* A vector from pieces of 16 bytes, which lie `at` bytes from every `step`-th address; and back. GCC joins pieces in memory
 * and waits for it: 4 times as long. */
typedef int64_t numpool_bits __attribute__((vector_size(VECTOR_BYTES)));
#define NUMPOOL_PIECE(i) _mm_loadu_si128((const __m128i *)(const void *)(from[(i) * step] + at))
ALWAYS_INLINE numpool_bits numpool_pieces(const char *const *from, ptrdiff_t step, ptrdiff_t at)
{
#if VECTOR_BYTES == 64
    const __m512i low = _mm512_inserti32x4(_mm512_castsi128_si512(NUMPOOL_PIECE(0)), NUMPOOL_PIECE(1), 1);
    return (numpool_bits)_mm512_inserti32x4(_mm512_inserti32x4(low, NUMPOOL_PIECE(2), 2), NUMPOOL_PIECE(3), 3);
#elif VECTOR_BYTES == 32
    return (numpool_bits)_mm256_inserti128_si256(_mm256_castsi128_si256(NUMPOOL_PIECE(0)), NUMPOOL_PIECE(1), 1);
#else
    numpool_bits x;
    (void)step;
    memcpy(&x, *from + at, sizeof x);
    return x;
#endif
}
#undef NUMPOOL_PIECE

#define NUMPOOL_PIECE(i) _mm_storeu_si128((__m128i *)(void *)(to[(i) * step] + at), PIECE_OF(x, i))
ALWAYS_INLINE void numpool_store_pieces(numpool_bits x, char *const *to, ptrdiff_t step, ptrdiff_t at)
{
#if VECTOR_BYTES == 64
#define PIECE_OF(x, i) _mm512_extracti32x4_epi32((__m512i)(x), i)
    NUMPOOL_PIECE(0);
    NUMPOOL_PIECE(1);
    NUMPOOL_PIECE(2);
    NUMPOOL_PIECE(3);
#elif VECTOR_BYTES == 32
#define PIECE_OF(x, i) _mm256_extracti128_si256((__m256i)(x), i)
    NUMPOOL_PIECE(0);
    NUMPOOL_PIECE(1);
#else
    (void)step;
    memcpy(*to + at, &x, sizeof x);
#endif
}
#undef PIECE_OF
#undef NUMPOOL_PIECE
#endif
