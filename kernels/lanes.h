/* Names and the smallest helpers of the templates. VECTOR_BYTES comes from the level. */
#ifndef NUMPOOL_LANES_H
#define NUMPOOL_LANES_H
#include <math.h>
#include <string.h>
#include "job.h"

#define NUMPOOL_CAT2(a, b) a##b
#define NUMPOOL_CAT(a, b) NUMPOOL_CAT2(a, b)
#define LANES_OF(size) NUMPOOL_CAT(LANES_, size) /* a literal number: the level defines LANES_1 ... LANES_8 */
#define SIGNED(size) NUMPOOL_CAT(NUMPOOL_SIGNED_, size)
#define NUMPOOL_SIGNED_1 int8_t
#define NUMPOOL_SIGNED_2 int16_t
#define NUMPOOL_SIGNED_4 int32_t
#define NUMPOOL_SIGNED_8 int64_t

/* Hardware prefetchers stop at a page and at a row's end; this runs ahead over the rows not read before. Further where planes
 * of single lanes are read by rows. */
#define PREFETCH_AHEAD 3072
#define PREFETCH_FURTHER 8192
#define PREFETCH_IN_ORDER 12288 /* where two short rows are fetched one after the other */
#define PREFETCH_SHORT 4096 /* bytes of a row, of which two that are read together lie in a page or two */
/* Whether the processor follows one row after the other: beyond its caches one without AVX-512 (Zen 3) falls behind. */
#define IS_FOLLOWED(job) (VECTOR_BYTES == 64 || (job)->x.end - (job)->x.data <= NUMPOOL_BEYOND)
#define PREFETCH_LINE(ask, apart, taps, f, i) \
    ((taps) > (i) && (f)->fresh > (i) ? __builtin_prefetch((ask) + (i) * (apart)) : (void)0)
#define PREFETCH_ROWS(p, ask, apart, taps, f) /* the last two; of four all, else more cost more than they gain */ \
    (PREFETCH_LINE(ask, apart, taps, f, 0), PREFETCH_LINE(ask, apart, taps, f, 1), \
     (taps) == 4 ? (PREFETCH_LINE(ask, apart, taps, f, 2), PREFETCH_LINE(ask, apart, taps, f, 3)) : (void)0)
#define PREFETCH_NOT(p, ask, apart, taps, f) ((void)(ask), (void)(apart))

#define ALWAYS_INLINE static inline __attribute__((always_inline, unused))
/* The lines that a vector of a row asks for, from the row on: the first, one for each tap that is fresh `apart`; and how much
 * further those of the next vector are. */
typedef struct { ptrdiff_t first, apart, next; } numpool_lines;

/* Far from every cache, few short rows that lie end to end are fetched in the order of memory, which the processor follows; else
 * further along each row. */
ALWAYS_INLINE numpool_lines numpool_lines_of(const numpool_fold *f, ptrdiff_t taps, ptrdiff_t row, ptrdiff_t vector)
{
    const int end_to_end = f->step == row && f->src_pitch == f->fresh * row && f->fresh >= 2 && f->fresh <= 4;
    if (end_to_end && row <= PREFETCH_SHORT && f->job->x.end - f->job->x.data > NUMPOOL_BEYOND)
        return (numpool_lines){(taps - f->fresh) * row + PREFETCH_IN_ORDER, vector, f->fresh * vector};
    return (numpool_lines){(taps - 1) * f->step + PREFETCH_AHEAD, -f->step, vector};
}

ALWAYS_INLINE void numpool_prefetch_taps(const char *p, ptrdiff_t taps, const numpool_fold *f)
{
    for (ptrdiff_t i = 0; f->fresh && i < taps; i++)
        __builtin_prefetch(p + i * f->step + PREFETCH_AHEAD);
}

/* How far ahead to fetch so many bytes of a pixel: the same bytes of a later one, where others lie between them. */
ALWAYS_INLINE ptrdiff_t numpool_ahead(ptrdiff_t pixel, ptrdiff_t bytes)
{
    return pixel > bytes ? (PREFETCH_AHEAD + pixel - 1) / pixel * pixel : PREFETCH_AHEAD;
}

/* An address of which GCC makes no others ahead of time: it would keep those of all taps, in memory. */
ALWAYS_INLINE const char *numpool_address(const char *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* Where in a row of n elements the second vector best begins: NumPy's arrays begin 16 bytes behind a cache line, and a 64-byte
 * vector that crosses a line is two loads. So in a long row it is the first that begins where the processor likes it, and does
 * some elements again. */
ALWAYS_INLINE ptrdiff_t numpool_second(const char *p, ptrdiff_t n, ptrdiff_t lanes, ptrdiff_t size)
{
    const ptrdiff_t beyond = (ptrdiff_t)((uintptr_t)p % (uintptr_t)(lanes * size));
    return n < 8 * lanes || beyond % size ? lanes : lanes - beyond / size;
}

/* Whether one of n indices is neither -1 nor a position in a plane of so many: its successor is below 0 or beyond them. */
static inline int numpool_outside(const int64_t *index, ptrdiff_t n, int64_t plane)
{
    typedef int64_t vector __attribute__((vector_size(VECTOR_BYTES)));
    vector doubts[4] = {{0}}, next; /* four: in one, each vector would wait for the one before */
    int64_t doubt = 0;
    ptrdiff_t i = 0;
    for (; i + 4 * LANES_8 <= n; i += 4 * LANES_8) {
#pragma GCC unroll 4
        for (int v = 0; v < 4; v++) {
            memcpy(&next, index + i + v * LANES_8, sizeof next);
            next += 1;
            doubts[v] |= next | (plane - next);
        }
    }
    for (; i < n; i++)
        doubt |= (index[i] + 1) | (plane - 1 - index[i]);
    doubts[0] |= doubts[1] | doubts[2] | doubts[3];
    for (int l = 0; l < LANES_8; l++)
        doubt |= doubts[0][l];
    return doubt < 0;
}

#define NUMPOOL_JOIN2(a, b, c) a##_##b##_##c
#define NUMPOOL_JOIN(a, b, c) NUMPOOL_JOIN2(a, b, c)
#define FN(part) NUMPOOL_JOIN(OPERATION, DTYPE, part) /* max_float32_across: <operation>_<dtype>_<part> */

/* Lanes of either mask state, chosen without a branch; every mask lane is all ones or all zeros. */
#define SELECT(type, mask_type, mask, a, b) \
    ((type)(((mask) & (mask_type)(a)) | (~(mask) & (mask_type)(b))))
#define SELECT_READ SELECT /* see native.h */

#if defined(__clang__)
#define SHUFFLE(mask_type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(mask_type, a, b, ...) __builtin_shuffle(a, b, (mask_type){__VA_ARGS__})
#endif

/* Even (from 0) and odd (from 1) positions of two vectors laid end to end, for 2 to 64 lanes. */
#define COUNT_BY_2(n, from) NUMPOOL_CAT(COUNT_BY_2_, n)(from)
#define COUNT_BY_2_1(f) (f)
#define COUNT_BY_2_2(f) COUNT_BY_2_1(f), COUNT_BY_2_1((f) + 2)
#define COUNT_BY_2_4(f) COUNT_BY_2_2(f), COUNT_BY_2_2((f) + 4)
#define COUNT_BY_2_8(f) COUNT_BY_2_4(f), COUNT_BY_2_4((f) + 8)
#define COUNT_BY_2_16(f) COUNT_BY_2_8(f), COUNT_BY_2_8((f) + 16)
#define COUNT_BY_2_32(f) COUNT_BY_2_16(f), COUNT_BY_2_16((f) + 32)
#define COUNT_BY_2_64(f) COUNT_BY_2_32(f), COUNT_BY_2_32((f) + 64)

/* n positions in a row of the same. */
#define COUNT_BY_1(n, from) NUMPOOL_CAT(COUNT_BY_1_, n)(from)
#define COUNT_BY_1_2(f) (f), (f) + 1
#define COUNT_BY_1_4(f) COUNT_BY_1_2(f), COUNT_BY_1_2((f) + 2)
#define COUNT_BY_1_8(f) COUNT_BY_1_4(f), COUNT_BY_1_4((f) + 4)
#define COUNT_BY_1_16(f) COUNT_BY_1_8(f), COUNT_BY_1_8((f) + 8)
#define COUNT_BY_1_32(f) COUNT_BY_1_16(f), COUNT_BY_1_16((f) + 16)
#define COUNT_BY_1_64(f) COUNT_BY_1_32(f), COUNT_BY_1_32((f) + 32)

/* A position of each of two vectors laid end to end in turn, n in all and the second one `far` behind; the same in each
 * piece of 16 bytes, which are n elements. */
#define COUNT_IN_TURN_2(f, far) (f), (f) + (far)
#define COUNT_IN_TURN_4(f, far) COUNT_IN_TURN_2(f, far), COUNT_IN_TURN_2((f) + 1, far)
#define COUNT_IN_TURN_8(f, far) COUNT_IN_TURN_4(f, far), COUNT_IN_TURN_4((f) + 2, far)
#define COUNT_IN_TURN_16(f, far) COUNT_IN_TURN_8(f, far), COUNT_IN_TURN_8((f) + 4, far)
#define COUNT_IN_PIECES(n, from, far) NUMPOOL_CAT(COUNT_IN_PIECES_, VECTOR_BYTES)(NUMPOOL_CAT(COUNT_IN_TURN_, n), n, from, far)
#define COUNT_IN_PIECES_16(count, n, f, far) count(f, far)
#define COUNT_IN_PIECES_32(count, n, f, far) count(f, far), count((f) + (n), far)
#define COUNT_IN_PIECES_64(count, n, f, far) COUNT_IN_PIECES_32(count, n, f, far), COUNT_IN_PIECES_32(count, n, (f) + 2 * (n), far)
#define QUAD_1 16
#define QUAD_2 8
#define QUAD_4 4
#define QUAD_8 2

/* Masks of lanes: read k bytes before byte 64, the first k bytes are 0; k bytes before byte 128, all but those are. */
#define MASK_8 -1, -1, -1, -1, -1, -1, -1, -1
static const signed char numpool_edge[192] __attribute__((aligned(64), unused)) = {
    [64] = MASK_8, MASK_8, MASK_8, MASK_8, MASK_8, MASK_8, MASK_8, MASK_8};
#endif
