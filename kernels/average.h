/* Template: averages, as a sum and one division. The includer defines OPERATION, SHORT and WIDE.
 *
 *   dtype                narrow                        WIDE (long windows)
 *   float16, bfloat16    float32                       trees of 8 in float32, then float64
 *   float32              float32                       trees of 8 in float32, then float64
 *   float64              float64                       float64 and its rounding errors, summed beside it
 *   8 and 16 bits, bool  int32                         int64
 *   32 bits              int64                         -
 *   64 bits              high and low 32 bits, int64   -
 *
 * SHORT (small windows, to the input's type): 8 bits, in int16.
 *
 * Trees of at most 8 (fold.h) keep a float32 sum within 3 roundings, so that any window is within 4 ulp. Integer sums
 * are exact. */
#if SHORT ? KIND == KIND_INT && ELEM_SIZE == 1 : !(WIDE && KIND == KIND_INT && ELEM_SIZE >= 4)
#if SHORT
#define PARTS 1
#define ACC int16_t
#define ACC_SIZE 2
#define TREE ACC
#elif KIND == KIND_INT
#if ELEM_SIZE == 8
#define PARTS 2
#define SUMS int64pairs
#else
#define PARTS 1
#endif
#if ELEM_SIZE <= 2 && !WIDE
#define ACC int32_t
#define ACC_SIZE 4
#define SUMS int32
#else
#define ACC int64_t
#define ACC_SIZE 8
#if PARTS == 1
#define SUMS int64
#endif
#endif
#define TREE ACC
#elif ELEM_SIZE == 8
#define ACC double
#define ACC_SIZE 8
#define TREE double
#define PARTS (1 + WIDE)
#if WIDE
#define SUMS float64pairs
#else
#define SUMS float64
#endif
#elif WIDE
#define ACC double
#define ACC_SIZE 8
#define TREE float
#define PARTS 1
#define SUMS float64
#else
#define ACC float
#define ACC_SIZE 4
#define TREE float
#define PARTS 1
#define SUMS float32
#endif
#define LANES LANES_OF(ACC_SIZE)
#define OWN_RESULT (!WIDE && PARTS == 1) /* may be divided in the stage that makes them: results of the input's type */
#if OWN_RESULT
#define DIRECT(job) ((job)->divisor && FN(divides)(job, (job)->divisor))
#define LAST last
#define LAST2 last2
#else
#define DIRECT(job) 0
#define LAST across
#define LAST2 across2
#endif
#define IDENTITY 0
#define SUMS_ARE_RESULTS 0

#define IN_PAIRS (WIDE && KIND != KIND_INT && ELEM_SIZE < 8) /* trees of a vector of floats, summed as two of doubles */
#if IN_PAIRS
#define DOWN_LANES LANES_OF(4)
#else
#define DOWN_LANES LANES_OF(ACC_SIZE)
#endif

typedef ACC FN(plane) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ACC_SIZE) FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
typedef ELEM FN(evec) __attribute__((vector_size(DOWN_LANES * ELEM_SIZE)));
#include "doubling.h"
typedef int32_t FN(bits) __attribute__((vector_size(DOWN_LANES * 4)));
typedef TREE FN(tree) __attribute__((vector_size(DOWN_LANES * sizeof(TREE))));

ALWAYS_INLINE FN(plane) FN(load)(const char *p)
{
    FN(plane) x;
    memcpy(&x, p, sizeof x);
    return x;
}

#if PARTS == 1
typedef FN(plane) FN(vec);
ALWAYS_INLINE FN(vec) FN(load_parts)(const char *p, ptrdiff_t apart) { (void)apart; return FN(load)(p); }
ALWAYS_INLINE void FN(store)(char *p, FN(vec) x, ptrdiff_t apart) { (void)apart; memcpy(p, &x, sizeof x); }
#define STEP(a, b) ((a) + (b))
#else
typedef struct { FN(plane) high, low; } FN(vec);
ALWAYS_INLINE FN(vec) FN(load_parts)(const char *p, ptrdiff_t apart)
{
    return (FN(vec)){FN(load)(p), FN(load)(p + apart)};
}
ALWAYS_INLINE void FN(store)(char *p, FN(vec) x, ptrdiff_t apart)
{
    memcpy(p, &x.high, sizeof x.high);
    memcpy(p + apart, &x.low, sizeof x.low);
}
ALWAYS_INLINE FN(vec) FN(add)(FN(vec) a, FN(vec) b)
{
#if KIND == KIND_INT
    return (FN(vec)){a.high + b.high, a.low + b.low};
#else
    FN(plane) sum = a.high + b.high, of_b = sum - a.high; /* Knuth's two-sum: what the addition lost goes to `low` */
    return (FN(vec)){sum, a.low + b.low + ((a.high - (sum - of_b)) + (b.high - of_b))};
#endif
}
#define STEP(a, b) FN(add)(a, b)
#endif
#if PARTS == 2
#define TREE_TYPE FN(vec)
ALWAYS_INLINE FN(vec) FN(load_element)(const char *p)
{
    FN(evec) x;
    memcpy(&x, p, sizeof x);
#if KIND == KIND_INT
    return (FN(vec)){__builtin_convertvector(x >> 32, FN(plane)), __builtin_convertvector(x & 0xffffffff, FN(plane))};
#else
    return (FN(vec)){x, (FN(plane)){0}};
#endif
}
#else
#define TREE_TYPE FN(tree)
#if KIND == KIND_HALF
ALWAYS_INLINE FN(tree) FN(float16_load)(FN(evec) x)
{
#ifdef NATIVE_FLOAT16_LOAD
    return (FN(tree))NATIVE_FLOAT16_LOAD(x);
#else
    const FN(bits) h = __builtin_convertvector(x, FN(bits));
    FN(tree) scaled = (FN(tree))((h & 0x7fff) << 13) * 0x1p112f; /* as numpool_float16_load */
    return (FN(tree))((FN(bits))scaled | (((h & 0x7c00) == 0x7c00) & 0x7f800000) | (h & 0x8000) << 16);
#endif
}
ALWAYS_INLINE FN(tree) FN(bfloat16_load)(FN(evec) x)
{
#ifdef NATIVE_DOUBLE_2_1
    return (FN(tree))((FN(bits))NATIVE_DOUBLE_2_1(x) << 16);
#else
    return (FN(tree))(__builtin_convertvector(x, FN(bits)) << 16);
#endif
}
#define LOAD_HALF NUMPOOL_CAT(FN(DTYPE), _load)
#endif
/* By a pointer, not memcpy: GCC 12 copies some vectors of `down_narrow` by way of the stack then. */
typedef ELEM FN(elements) __attribute__((vector_size(DOWN_LANES * ELEM_SIZE), aligned(1), may_alias));
ALWAYS_INLINE FN(tree) FN(load_element)(const char *p)
{
#ifdef INTS
    return (FN(tree))INTS(p);
#else
    const FN(evec) x = *(const FN(elements) *)(const void *)p;
#if KIND == KIND_HALF
    return LOAD_HALF(x);
#elif KIND == KIND_FLOAT
    return x;
#else
    return DOUBLING(x, FN(tree));
#endif
#endif
}
#endif

ALWAYS_INLINE void FN(fill)(char *p, ptrdiff_t n, ptrdiff_t apart)
{
    for (ptrdiff_t part = 0; part < PARTS; part++)
        memset(p + part * apart, 0, n > 0 ? n * ACC_SIZE : 0);
}

#if IN_PAIRS
#include "pairs.h"
#define WIDEN(tree) FN(widen)(tree)
#define STEP_STAGE(a, b) FN(join_pairs)(a, b)
#define STAGE_TYPE FN(pair)
#define TALL_LOAD(p, f) FN(load_pair)(p)
#define TALL_STORE(p, x, f) FN(store_pair)(p, x)
#else
ALWAYS_INLINE FN(vec) FN(load_few)(const char *p) { return FN(load_element)(p); }
#define WIDEN(tree) (tree)
#define STEP_STAGE(a, b) STEP(a, b)
#define STAGE_TYPE FN(vec)
#define TALL_LOAD(p, f) FN(load_parts)(p, (f)->dst_apart)
#define TALL_STORE(p, x, f) FN(store)(p, x, (f)->dst_apart)
#endif
#undef LANES
#define LANES DOWN_LANES /* for this stage */
#if VECTOR_BYTES == 64 && KIND == KIND_FLOAT && ELEM_SIZE == 4 && !IN_PAIRS /* few are read by half a vector */
#define TAP(p, t, f) ((f) && (f)->n <= LANES / 2 ? (FN(tree))NATIVE_FEW(p, ELEM_SIZE) : FN(load_element)(p))
#else
#define TAP(p, t, f) FN(load_element)(p)
#endif
#define NARROW down_narrow
#define NARROW_STORE(p, x, f) TALL_STORE(p, x, f)
#include "narrow.h"
#define STAGE down
#define SOURCE_SIZE ELEM_SIZE
#define TARGET_SIZE ACC_SIZE
#define PUT(d, x, f) TALL_STORE(d, x, f)
#if IN_PAIRS && KIND == KIND_FLOAT
#define MANY(f) ((f)->n <= LANES / 2 ? FN(down_half)(f) : FN(down_narrow)(f))
#else
#define MANY(f) FN(down_narrow)(f)
#endif
#define PREFETCH PREFETCH_ROWS
#define FIRST_VECTOR(p, n) ALIGNED_VECTOR(p, n)
#include "fold.h"
#define TALL down
#define TALL_SIZE ELEM_SIZE
#include "tall.h"
#undef LANES
#define LANES LANES_OF(ACC_SIZE)
#undef WIDEN
#undef STEP_STAGE
#undef STAGE_TYPE
#define WIDEN(tree) (tree)
#define STEP_STAGE(a, b) STEP(a, b)
#define STAGE_TYPE FN(vec)

#define RUNNING (!SHORT && (KIND == KIND_INT || WIDE))
#if RUNNING
#define ROLLS (KIND == KIND_INT)
#if ROLLS && PARTS == 1
ALWAYS_INLINE FN(vec) FN(less)(FN(vec) a, FN(vec) b) { return a - b; }
#elif ROLLS
ALWAYS_INLINE FN(vec) FN(less)(FN(vec) a, FN(vec) b) { return (FN(vec)){a.high - b.high, a.low - b.low}; }
#endif
#define RUNNING_WIDE (8 / PARTS)
#define RUNS_ACROSS
ALWAYS_INLINE FN(vec) FN(nothing)(void) { return (FN(vec)){0}; }
#define STAGE run
#define SOURCE_SIZE ELEM_SIZE
#define TAP(p, apart) FN(load_few)(p)
#include "running.h"
#endif

#undef PREFETCH
#undef FIRST_VECTOR
#undef TREE_TYPE

#define PREFETCH PREFETCH_NOT
#define FIRST_VECTOR(p, n) LANES
#define TREE_TYPE FN(vec)
#define STAGE across
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(load_parts)(p, (f)->src_apart)
#define PUT(d, x, f) FN(store)(d, x, (f)->dst_apart)
#include "fold.h"

#if RUNNING
#define STAGE run_on
#define SOURCE_SIZE ACC_SIZE
#define TAP(p, apart) FN(load_parts)(p, apart)
#include "running.h"
#endif

#define vec plane
#include "across2.h"
#undef vec
#if PARTS == 1 && (ACC_SIZE == 4 || (ACC_SIZE == 8 && KIND != KIND_INT)) && LANES >= 4 /* vectors of two join slowly */
#define TRANSPOSE_NOTHING -(FN(vec)){0} /* changes no sum, not even one of negative zeros */
#endif
#define STAGE across2
#define MOST_TAPS 5
#define SOURCE_SIZE (2 * ACC_SIZE)
#define TARGET_SIZE ACC_SIZE
#if PARTS == 2
ALWAYS_INLINE FN(vec) FN(strided)(const char *p, ptrdiff_t t, ptrdiff_t apart)
{
    p -= t % 2 * ACC_SIZE;
    return t % 2 ? (FN(vec)){FN(odd)(p), FN(odd)(p + apart)} : (FN(vec)){FN(even)(p), FN(even)(p + apart)};
}
#define TAP(p, t, f) FN(strided)(p, t, (f)->src_apart)
#else
#define TAP(p, t, f) ((t) % 2 ? FN(odd)((p) - ACC_SIZE) : FN(even)(p))
#endif
#define PUT(d, x, f) FN(store)(d, x, (f)->dst_apart)
#include "fold.h"

#if OWN_RESULT
#include "quotient.h"
#define STAGE last
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ELEM_SIZE
#define TAP(p, t, f) FN(load_parts)(p, 0)
#define PUT(d, x, f) FN(store_quotient)(d, x, (f)->by)
#include "fold.h"
#define STAGE last2
#define MOST_TAPS 5
#define SOURCE_SIZE (2 * ACC_SIZE)
#define TARGET_SIZE ELEM_SIZE
#define TAP(p, t, f) ((t) % 2 ? FN(odd)((p) - ACC_SIZE) : FN(even)(p))
#define PUT(d, x, f) FN(store_quotient)(d, x, (f)->by)
#include "fold.h"
#if KIND != KIND_INT || SHORT /* as in extremum.h */
#define SLIDE_PUT(d, x, f) FN(store_quotient)(d, x, (f)->by)
#define SLIDE_SIZE ELEM_SIZE
#define SLIDES(job) DIRECT(job)
#define SLIDES_FIVE 0
#define FLAT_DOWN (SHORT ? NUMPOOL_FLAT_TAPS : 3)
#define NO_TAP -(FN(vec)){0} /* not even one of negative zeros */
#if KIND == KIND_HALF
#define SLIDE_NOTHING (ELEM)0x8000
#elif KIND == KIND_FLOAT
#define SLIDE_NOTHING (ELEM)-0.0
#else
#define SLIDE_NOTHING 0
#endif
#define SLIDE_BESIDE 0 /* columns beside the image are taps, rows are not */
#include "slide.h"
#endif
#endif

/* --- the division ------------------------------------------------------------------------------------------------ */

/* n sums, divided, to the output's number type. */
static void FN(divide)(const numpool_job *job, const char *sums, ptrdiff_t apart, ptrdiff_t n, int64_t divisor, char *out)
{
#if OWN_RESULT
    if (FN(divides)(job, divisor)) {
        const numpool_by by = numpool_by_of(divisor);
        ptrdiff_t i = 0;
        for (; i + LANES <= n; i += LANES)
            FN(store_quotient)(out + i * ELEM_SIZE, FN(load)(sums + i * ACC_SIZE), by);
        if (i < n) {
            char last[LANES * ELEM_SIZE];
            FN(store_quotient)(last, FN(load)(sums + i * ACC_SIZE), by);
            memcpy(out + i * ELEM_SIZE, last, (n - i) * ELEM_SIZE);
        }
        return;
    }
#endif
#if SHORT
    (void)apart;
    memset(out, 0, n); /* windows without a tap */
#else
    NUMPOOL_JOIN(divide, SUMS, all)(job->out_code, sums, apart, n, divisor, out);
#endif
}

static void FN(finish)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t first,
                       ptrdiff_t last, const char *sums, ptrdiff_t pitch, ptrdiff_t apart, char *out)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0, n = cols * lanes;
    const ptrdiff_t size = job->out_size;
    const int dense = job->y.pixel == lanes * size;
    if (job->divisor && dense && pitch == n * ACC_SIZE && job->y.row == n * size) { /* rows end to end: one */
        FN(divide)(job, sums, apart, (last - first) * n, job->divisor, out);
        return;
    }
    ptrdiff_t inner, outer;
    numpool_interior(&job->w, &inner, &outer);
    const ptrdiff_t slabs = job->d.out ? numpool_count(&job->d, plane % job->d.out, job->count_padding) : 1;
    for (ptrdiff_t r = first; r < last; r++, sums += pitch, out += job->y.row) {
        const int64_t rows = slabs * numpool_count(&job->h, r, job->count_padding);
        for (ptrdiff_t c = tile->col0, next; c < tile->col1; c = next) { /* columns with one divisor together */
            const int all = job->divisor || (c >= inner && c < outer);
            next = !dense || !all ? c + 1 : job->divisor ? tile->col1 : numpool_min(outer, tile->col1);
            const ptrdiff_t skip = (c - tile->col0) * lanes;
            FN(divide)(job, sums + skip * ACC_SIZE, apart, (next - c) * lanes,
                       job->divisor ? job->divisor : rows * numpool_count(&job->w, c, job->count_padding),
                       out + (c - tile->col0) * job->y.pixel);
        }
    }
}
#define TABLE_STORE(p, x, apart) FN(store)(p, x, apart)
#if OWN_RESULT
#define TABLE_RESULT(p, x, f) FN(store_quotient)(p, x, (f)->by)
#else
#define TABLE_RESULT(p, x, f) FN(store)(p, x, 0)
#endif
#define DIVIDES_EACH(job) (OWN_RESULT && KIND == KIND_FLOAT && !(job)->divisor && (job)->out_code == OWN_OUT)
#define OUT_SIZE(job) (job)->out_size
#if OWN_RESULT && (KIND != KIND_INT || SHORT)
#define THROUGH 5 /* rows of a window, at most, that go from the image to results in one stage */
#undef PREFETCH
#define PREFETCH PREFETCH_ROWS
#define STAGE through
#define MOST_TAPS THROUGH
#define SOURCE_SIZE ELEM_SIZE
#define TARGET_SIZE ELEM_SIZE
#define TAP(p, t, f) FN(load_element)(p)
#define PUT(d, x, f) FN(store_quotient)(d, x, (f)->by)
#include "fold.h"
#endif
#ifdef TRANSPOSE_NOTHING
#if OWN_RESULT
#define PUT_RESULT(d, x, f) FN(store_quotient)(d, x, (f)->by)
#if KIND != KIND_INT
#define JOINS_WINDOWS
#endif
#else
#define PUT_RESULT(d, x, f) FN(store)(d, x, 0)
#endif
#include "transpose.h"
#if OWN_RESULT && ACC_SIZE == 4 && defined(NATIVE_PICK_4)
#define PICKS
#define PICK_BESIDE 0
#define PICK_LOAD(p) FN(load_element)(p)
#endif
#endif
#ifdef RUNS_ACROSS
#if ROLLS && ACC_SIZE == 4 && defined(NATIVE_PLACE_4)
#define SCANS
#include "scan.h"
#endif
#include "turned.h"
#endif
#if IN_PAIRS
#define LONE
#include "lone.h"
#endif
#if KIND == KIND_FLOAT && OWN_RESULT
#define CROSSWISE
#endif
#include "forward.h"
#undef RUNNING
#undef RUNNING_WIDE
#undef ROLLS
#undef SCANS
#undef RUNS_ACROSS
#undef LONE
#undef CROSSWISE
#undef IN_PAIRS
#undef SUMS
#undef TREE
#undef OWN_RESULT
#undef LOAD_HALF
#undef STORE_HALF
#include "undefine.h"
#endif
