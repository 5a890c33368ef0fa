/* Template: the stages of argmax in one comparable type. The includer defines DTYPE (its name), ACC, ACC_SIZE. */
#define OPERATION arg
#define LANES LANES_OF(ACC_SIZE)
#define WIDEN(tree) (tree)
#define STEP_STAGE(a, b) STEP(a, b)
#define TREE_TYPE FN(pair)
#define STAGE_TYPE FN(pair)
#define PREFETCH(p, ask, apart, taps, f) ((void)(ask), (void)(apart), numpool_prefetch_taps(p, taps, f))
#define FIRST_VECTOR(p, n) LANES

typedef ACC FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ACC_SIZE) FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
typedef struct { FN(vec) value; FN(ivec) tap; } FN(pair);

ALWAYS_INLINE FN(vec) FN(load)(const char *p)
{
    FN(vec) x;
    memcpy(&x, p, sizeof x);
    return x;
}
ALWAYS_INLINE FN(ivec) FN(load_taps)(const char *p)
{
    FN(ivec) x;
    memcpy(&x, p, sizeof x);
    return x;
}
/* A zero is stored as +0, as without indices (extremum.h). */
ALWAYS_INLINE void FN(store)(char *p, FN(vec) x)
{
#if ACC_IS_FLOAT
    x += 0;
#endif
    memcpy(p, &x, sizeof x);
}
ALWAYS_INLINE void FN(store_pair)(char *p, FN(pair) x, ptrdiff_t apart)
{
    memcpy(p, &x.value, sizeof x.value);
    memcpy(p + apart, &x.tap, sizeof x.tap);
}

ALWAYS_INLINE FN(pair) FN(load_pair)(const char *p, ptrdiff_t apart)
{
    return (FN(pair)){FN(load)(p), FN(load_taps)(p + apart)};
}
#define TALL_LOAD(p, f) FN(load_pair)(p, (f)->dst_apart)
#define TALL_STORE(p, x, f) FN(store_pair)(p, x, (f)->dst_apart)

ALWAYS_INLINE FN(pair) FN(step)(FN(pair) best, FN(pair) next)
{
#if ACC_IS_FLOAT
    FN(ivec) take = ~(next.value <= best.value) & (best.value == best.value); /* the first NaN stays */
#else
    FN(ivec) take = next.value > best.value;
#endif
    return (FN(pair)){SELECT(FN(vec), FN(ivec), take, next.value, best.value),
                      SELECT(FN(ivec), FN(ivec), take, next.tap, best.tap)};
}
#define STEP(a, b) FN(step)(a, b)

ALWAYS_INLINE FN(pair) FN(at_tap)(FN(vec) value, ptrdiff_t tap)
{
    return (FN(pair)){value, (FN(ivec)){0} + (SIGNED(ACC_SIZE))tap};
}

ALWAYS_INLINE FN(pair) FN(in_row)(const char *p, ptrdiff_t t, const numpool_fold *f)
{
    return (FN(pair)){FN(load)(p),
                      FN(load_taps)(p + f->src_apart) + (SIGNED(ACC_SIZE))((f->first_tap + t) * f->tap_weight)};
}

#define STAGE across
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(at_tap)(FN(load)(p), ((f)->first_tap + (t)) * (f)->tap_weight)
#define PUT(d, x, f) FN(store_pair)(d, x, (f)->dst_apart)
#include "fold.h"
#define TALL across
#define TALL_SIZE ACC_SIZE
#include "tall.h"

#include "across2.h"
#define STAGE across2
#define MOST_TAPS 5
#define SOURCE_SIZE (2 * ACC_SIZE)
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) \
    FN(at_tap)((t) % 2 ? FN(odd)((p) - ACC_SIZE) : FN(even)(p), ((f)->first_tap + (t)) * (f)->tap_weight)
#define PUT(d, x, f) FN(store_pair)(d, x, (f)->dst_apart)
#include "fold.h"

#define STAGE upright
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(in_row)(p, t, f)
#define PUT(d, x, f) FN(store_pair)(d, x, (f)->dst_apart)
#include "fold.h"

#include "argsmall.h"

/* Whether b, of tap `at`, goes before a, of tap `tap`: the greater one, NaN above all, and of equals the earlier. */
ALWAYS_INLINE int FN(wins)(ACC b, SIGNED(ACC_SIZE) at, ACC a, SIGNED(ACC_SIZE) tap)
{
#if ACC_IS_FLOAT
    const int a_is_nan = a != a, b_is_nan = b != b;
#else
    const int a_is_nan = 0, b_is_nan = 0;
#endif
    return (b > a) | (b_is_nan & !a_is_nan) | (((b == a) | (b_is_nan & a_is_nan)) & (at < tap)); /* no branch: a vector's */
}

/* n values at `best`, their taps `apart` behind them, and the same at `next`, whose taps count from `base`: the better
 * of two to `best`. A part of a window may hold an earlier tap than the part before it. */
static void FN(join)(char *best, const char *next, ptrdiff_t apart, ptrdiff_t n, ptrdiff_t base)
{
    ACC *value = (ACC *)(void *)best;
    const ACC *other = (const ACC *)(const void *)next;
    SIGNED(ACC_SIZE) *tap = (SIGNED(ACC_SIZE) *)(void *)(best + apart);
    const SIGNED(ACC_SIZE) *its = (const SIGNED(ACC_SIZE) *)(const void *)(next + apart);
    for (ptrdiff_t i = 0; i < n; i++) {
        const ACC a = value[i], b = other[i];
        const SIGNED(ACC_SIZE) at = its[i] + (SIGNED(ACC_SIZE))base;
        const int take = FN(wins)(b, at, a, tap[i]);
        value[i] = take ? b : a;
        tap[i] = take ? at : tap[i];
    }
}

/* The best of n values, their taps `apart` behind them and `base` plus `unit` a place more; of equals the least tap. */
static void FN(best_of)(const char *values, ptrdiff_t apart, ptrdiff_t n, ptrdiff_t base, ptrdiff_t unit, char *to,
                        ptrdiff_t to_apart)
{
    const ACC *value = (const ACC *)(const void *)values;
    const SIGNED(ACC_SIZE) *taps = (const SIGNED(ACC_SIZE) *)(const void *)(values + apart);
    ACC best = value[0];
    SIGNED(ACC_SIZE) tap = taps[0];
    for (ptrdiff_t i = 1; i < n; i++) {
        const ACC a = best, b = value[i];
        const SIGNED(ACC_SIZE) at = taps[i] + (SIGNED(ACC_SIZE))(i * unit);
        const int take = FN(wins)(b, at, a, tap);
        best = take ? b : a;
        tap = take ? at : tap;
    }
    tap += (SIGNED(ACC_SIZE))base;
    memcpy(to, &best, sizeof best);
    memcpy(to + to_apart, &tap, sizeof tap);
}

/* The taps of `n` windows of one row in the caller's index convention; `offsets`: they are positions from tap 0. Windows
 * lie one behind the other (single lanes), or are the lanes of one: tap 0 is at `base`, and `move` further each time. */
static void FN(emit_taps)(const numpool_job *job, const SIGNED(ACC_SIZE) *tap, char *index, ptrdiff_t n, int offsets,
                          int64_t base, int64_t move)
{
    if (job->window_index && job->index_size == 1) {
        uint8_t *to = (uint8_t *)index;
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = (uint8_t)tap[i];
    } else if (job->window_index && job->index_size == 2) {
        uint16_t *to = (uint16_t *)index;
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = (uint16_t)tap[i];
    } else if (job->window_index) {
        int32_t *to = (int32_t *)index;
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = (int32_t)tap[i];
    } else if (offsets) {
        int64_t *to = (int64_t *)index;
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = base + i * move + tap[i];
    } else {
        int64_t *to = (int64_t *)index;
        const ptrdiff_t kh = job->h.kernel, kw = job->w.kernel, deep = job->d.step * job->position.slab;
        const ptrdiff_t down = job->h.step * job->position.row, right = job->w.step * job->position.pixel;
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = base + i * move + tap[i] / kw / kh * deep + tap[i] / kw % kh * down + tap[i] % kw * right;
    }
}

#include "argextremum.h"

#undef OPERATION
#undef DTYPE
#undef ACC_IS_FLOAT
#include "undefine.h"
