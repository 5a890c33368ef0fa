/* Template: max and min, values only. The includer defines OPERATION (max or min) and the dtype (dtypes.h).
 *
 * Integers are compared as they are. Floats: NaN wins, wherever it stands. The 16-bit floats become int16 keys in the
 * same order, with every NaN above +infinity (twice the lanes of float32, one instruction a tap). */
#if KIND == KIND_HALF
#define ACC int16_t
#else
#define ACC ELEM
#endif
#define ACC_SIZE ELEM_SIZE
#define LANES LANES_OF(ELEM_SIZE)
#define DOWN_LANES LANES
#define TALL_LOAD(p, f) FN(load)(p)
#define TALL_STORE(p, x, f) FN(put)(p, x)
#define TABLE_STORE(p, x, apart) FN(put)(p, x)
#define TABLE_RESULT(p, x, f) FN(put)(p, x)
#define DIVIDES_EACH(job) 0
#define PARTS 1
#define OUT_SIZE(job) ELEM_SIZE
#define DIRECT(job) (KIND != KIND_HALF)
#define SUMS_ARE_RESULTS (KIND != KIND_HALF)
#define LAST across
#define LAST2 across2
#define WIDEN(tree) (tree)
#define STEP_STAGE(a, b) STEP(a, b)
#define TREE_TYPE FN(vec)
#define STAGE_TYPE FN(vec)

typedef ACC FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ELEM_SIZE) FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));

ALWAYS_INLINE FN(vec) FN(load)(const char *p)
{
    FN(vec) x;
    memcpy(&x, p, sizeof x);
    return x;
}
ALWAYS_INLINE FN(vec) FN(load_parts)(const char *p, ptrdiff_t apart) { (void)apart; return FN(load)(p); }
ALWAYS_INLINE void FN(store)(char *p, FN(vec) x, ptrdiff_t apart) { (void)apart; memcpy(p, &x, sizeof x); }

/* What may be a result. A zero is +0: which of two a fold keeps depends on its order, and that on the level and the layout. */
ALWAYS_INLINE void FN(put)(char *p, FN(vec) x)
{
#if KIND == KIND_FLOAT
    x += 0;
#endif
    memcpy(p, &x, sizeof x);
}

#if KIND == KIND_HALF
#define OPERATION_OF_KEYS max
#define KEY_OFFSET (0x7fff - INFINITY_BITS) /* the key of -infinity, above the least int16 */
ALWAYS_INLINE FN(vec) FN(key)(FN(vec) x)
{
    if (MINIMUM)
        x ^= (int16_t)0x8000;
    x ^= x >> 15 & 0x7fff;
    return x - KEY_OFFSET; /* wraps: the NaNs of either sign end above +infinity, -infinity on the least int16 */
}
ALWAYS_INLINE FN(vec) FN(unkey)(FN(vec) x)
{
    x += KEY_OFFSET;
    x ^= x >> 15 & 0x7fff;
    if (MINIMUM)
        x ^= (int16_t)0x8000;
    return x & ~(FN(vec))(x == (int16_t)0x8000); /* a zero is +0, as of other floats */
}
#define IDENTITY INT16_MIN
#else
#define OPERATION_OF_KEYS OPERATION
#define IDENTITY (MINIMUM ? HIGHEST : LOWEST)
#endif

ALWAYS_INLINE FN(vec) FN(step)(FN(vec) a, FN(vec) b)
{
#if KIND == KIND_FLOAT
#ifdef NATIVE_FLOAT
    return NATIVE_FLOAT(OPERATION, ELEM_SIZE)(a, b);
#else
    FN(ivec) keep = (MINIMUM ? a < b : a > b) | (a != a); /* b where equal, as the instructions do */
    return SELECT(FN(vec), FN(ivec), keep, a, b);
#endif
#else
#if NATIVE_INTEGER(ELEM_SIZE, UNSIGNED)
    return (FN(vec))NATIVE(OPERATION_OF_KEYS, ELEM_SIZE, UNSIGNED)((native_int)a, (native_int)b);
#else
    FN(ivec) keep = MINIMUM && KIND != KIND_HALF ? a < b : a > b;
    return SELECT(FN(vec), FN(ivec), keep, a, b);
#endif
#endif
}
#define STEP(a, b) FN(step)(a, b)

ALWAYS_INLINE void FN(fill)(char *p, ptrdiff_t n, ptrdiff_t apart)
{
    (void)apart;
    for (ACC identity = IDENTITY; n-- > 0; p += ACC_SIZE)
        memcpy(p, &identity, ACC_SIZE);
}

#if KIND == KIND_HALF
#define TAP(p, t, f) FN(key)(FN(load)(p))
#elif VECTOR_BYTES == 64 && KIND == KIND_FLOAT && ELEM_SIZE == 4 /* few are read by half a vector */
#define TAP(p, t, f) ((f) && (f)->n <= LANES / 2 ? (FN(vec))NATIVE_FEW(p, ELEM_SIZE) : FN(load)(p))
#else
#define TAP(p, t, f) FN(load)(p)
#endif
#define NARROW down_narrow
#define NARROW_STORE(p, x, f) FN(put)(p, x)
#include "narrow.h"
#define STAGE down
#define SOURCE_SIZE ELEM_SIZE
#define TARGET_SIZE ACC_SIZE
#define PUT(d, x, f) FN(put)(d, x)
#define MANY(f) FN(down_narrow)(f)
#define PREFETCH PREFETCH_ROWS
#define FIRST_VECTOR(p, n) ALIGNED_VECTOR(p, n)
#include "fold.h"
#undef PREFETCH
#undef FIRST_VECTOR
#define TALL down
#define TALL_SIZE ELEM_SIZE
#include "tall.h"

ALWAYS_INLINE FN(vec) FN(nothing)(void) { return (FN(vec)){0} + (ACC)IDENTITY; }
#define RUNNING_WIDE 4
#define STAGE run
#define SOURCE_SIZE ELEM_SIZE
#if KIND == KIND_HALF
#define TAP(p, apart) FN(key)(FN(load)(p))
#else
#define TAP(p, apart) FN(load)(p)
#endif
#include "running.h"

#define STAGE across
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(load)(p)
#define PUT(d, x, f) FN(put)(d, x)
#define PREFETCH PREFETCH_NOT
#define FIRST_VECTOR(p, n) LANES
#include "fold.h"

#include "across2.h"
/* Windows of single lanes, a row each of LANES taps or more, as rows of one vector; the last vector overlaps the one before:
 * a tap may count twice, and in any order. Some rows are joined at once: each level of the tree makes the neighbours of two
 * of their vectors one. Nothing behind a row is read, nor behind a result written. */
#define LINES
#define LINES_FETCHED 4096 /* bytes of rows, at least one row, that short ones with others between them are fetched ahead */
#define LINES_AT_ONCE (LANES < 8 ? LANES : 8)
/* `some` vectors of a row after another, while there are so many, joined with x. Returns where the rest of it starts. */
ALWAYS_INLINE const char *FN(line_part)(const char *p, const char *end, ptrdiff_t ahead, int some, FN(vec) *x)
{
    for (; end - p >= some * VECTOR_BYTES; p += some * VECTOR_BYTES) {
        for (ptrdiff_t i = 0; i < some * VECTOR_BYTES && ahead; i += 64)
            __builtin_prefetch(p + ahead + i);
        *x = STEP(*x, FN(across_tree)(p, 0, VECTOR_BYTES, some, NULL));
    }
    return p;
}

static __attribute__((noinline)) void FN(lines)(const numpool_fold *f)
{
    const ptrdiff_t bytes = f->taps * ACC_SIZE;
    const ptrdiff_t rows_ahead = bytes < 4 * LINES_FETCHED && f->fresh ? numpool_max(1, LINES_FETCHED / bytes) : 0;
    const ptrdiff_t ahead = bytes < f->src_pitch ? rows_ahead * f->src_pitch : IS_FOLLOWED(f->job) ? 0 : PREFETCH_AHEAD;
    for (ptrdiff_t r = 0; r < f->rows; r += LINES_AT_ONCE) {
        const ptrdiff_t some = numpool_min(f->rows - r, LINES_AT_ONCE);
        FN(vec) x[LINES_AT_ONCE] = {{0}}; /* rows that are not there are joined as well */
        char results[VECTOR_BYTES];
        for (ptrdiff_t i = 0; i < some; i++) {
            const char *p = f->src + (r + i) * f->src_pitch, *const end = p + bytes;
            FN(vec) all = FN(load)(p);
            p = FN(line_part)(p, end, ahead, 8, &all);
            p = FN(line_part)(p, end, ahead, 4, &all);
            FN(line_part)(p, end, ahead, 1, &all);
            x[i] = STEP(all, FN(load)(end - VECTOR_BYTES));
        }
        for (int n = LINES_AT_ONCE / 2; n > 0; n /= 2)
            for (int i = 0; i < n; i++)
                x[i] = STEP(FN(evens)(x[2 * i], x[2 * i + 1]), FN(odds)(x[2 * i], x[2 * i + 1]));
        for (int n = LANES / LINES_AT_ONCE; n > 1; n /= 2)
            x[0] = STEP(FN(evens)(x[0], x[0]), FN(odds)(x[0], x[0]));
        FN(put)(results, x[0]);
        for (ptrdiff_t i = 0; i < some; i++)
            memcpy(f->dst + (r + i) * f->dst_pitch, results + i * ACC_SIZE, ACC_SIZE);
    }
}

#define STAGE across2
#define MOST_TAPS 5
#define SOURCE_SIZE (2 * ACC_SIZE)
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) ((t) % 2 ? FN(odd)((p) - ACC_SIZE) : FN(even)(p))
#define PUT(d, x, f) FN(put)(d, x)
#include "fold.h"

#if ACC_SIZE == 4
#define TRANSPOSE_NOTHING FN(nothing)()
#define PUT_RESULT(d, x, f) FN(put)(d, x)
#include "transpose.h"
#ifdef NATIVE_PICK_4
#define PICKS
#define PICK_BESIDE IDENTITY
#define PICK_LOAD(p) FN(load)(p)
#endif
#endif

#if KIND != KIND_INT || ELEM_SIZE == 1 /* images and maps; wider integers are rarely pooled, and the code is large */
#if KIND == KIND_HALF
#define SLIDE_PUT(d, x, f) FN(store)(d, FN(unkey)(x), 0)
#define SLIDE_NOTHING (ELEM)(MINIMUM ? INFINITY_BITS : INFINITY_BITS | 0x8000)
#else
#define SLIDE_PUT(d, x, f) FN(put)(d, x)
#define SLIDE_NOTHING IDENTITY
#endif
#define SLIDE_BESIDE SLIDE_NOTHING
#define SLIDE_SIZE ELEM_SIZE
#define SLIDES(job) 1
#define SLIDES_FIVE (LANES >= NUMPOOL_FIVE_LANES)
#define FLAT_DOWN NUMPOOL_FLAT_TAPS
#define NO_TAP FN(identity)()
#include "slide.h"
#endif

#define STAGE emit
#define SINGLE_TAP
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ELEM_SIZE
#define TAP(p, t, f) FN(load)(p)
#if KIND == KIND_HALF
#define PUT(d, x, f) FN(store)(d, FN(unkey)(x), 0)
#else
#define PUT(d, x, f) FN(put)(d, x)
#endif
#include "fold.h"

/* Rows of one plane that `across` could not store itself: keys back to floats, or rows shorter than a vector. */
static void FN(finish)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t first,
                       ptrdiff_t last, const char *sums, ptrdiff_t pitch, ptrdiff_t apart, char *out)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const int dense = job->y.pixel == lanes * ELEM_SIZE;
    numpool_fold f = {.src = sums, .taps = 1, .dst = out, .job = job,
                      .src_pitch = pitch, .dst_pitch = job->y.row, .rows = last - first, .n = cols * lanes};
    (void)apart;
    (void)plane;
    if (dense) {
        FN(emit_exact)(&f, tile->limit);
        return;
    }
    f.src_pitch = lanes * ACC_SIZE;
    f.dst_pitch = job->y.pixel;
    f.rows = cols;
    f.n = lanes;
    for (ptrdiff_t r = first; r < last; r++, f.src += pitch, f.dst += job->y.row)
        FN(emit_exact)(&f, NULL);
}

#include "forward.h"
#undef RUNNING_WIDE
#include "undefine.h"
