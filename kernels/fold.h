/* Template: one stage of a window, a fold of `taps` equally spaced source rows into one row, for many rows.
 *
 *     dst[r][i] = TAP(src[r], 0)[i] o TAP(src[r], 1)[i] o ... o TAP(src[r], taps - 1)[i]          o is STEP
 *
 * A vertical stage folds image rows (`step` is the row stride), a horizontal stage folds shifted views of one row
 * (`step` is a pixel). Up to 8 taps form a tree of fixed shape, more are trees of 8 in sequence: the order depends on
 * `taps` alone, never on the level, the layout, the tile or the thread.
 *
 * The includer defines
 *   STAGE            the name                            TREE_TYPE, STAGE_TYPE  what a tree and the whole fold compute in
 *   TAP(p, t, f)     tap number t of the fold f, at p    STEP(a, b)  joins two trees' values
 *   WIDEN(tree)      TREE_TYPE to STAGE_TYPE             STEP_STAGE(a, b)  joins two stage values
 *   PUT(d, x, f)     stores a STAGE_TYPE                 LANES, SOURCE_SIZE, TARGET_SIZE (bytes an element)
 *
 *   PREFETCH(p, ask, apart, taps, f) asks for what follows, or PREFETCH_NOT; `ask` and `apart` are the lines that
 *                numpool_lines_of says
 *   MANY(f)      (may be defined) does a fold of more than NUMPOOL_TALL taps and at most two vectors a row, in the same order
 *   FIRST_VECTOR(p, n)   elements to the second vector of a row: ALIGNED_VECTOR where sources are image rows, else LANES
 *
 * SINGLE_TAP, or MOST_TAPS where the stage never has more, keeps the code small.
 *
 * A row of n >= LANES elements is read and written exactly (the last vector overlaps the one before it). A shorter
 * row is read and written as one whole vector: the caller sees to the room, or calls the `_guarded` twin. */
#define STAGE_NAME(part) NUMPOOL_CAT(FN(STAGE), _##part)
#define TREE_ STAGE_NAME(tree)
#define WINDOW_ STAGE_NAME(window)
#define ROWS_ STAGE_NAME(rows)
#define BOUNCE_ STAGE_NAME(bounce)
#define GUARDED_ STAGE_NAME(guarded)
#define EXACT_ STAGE_NAME(exact)

/* Not where the row is folded in place, or where wider results would cross lines instead. */
#define ALIGNED_VECTOR(p, n) \
    (SOURCE_SIZE < TARGET_SIZE || taps == 1 ? LANES : numpool_second(p, n, LANES, SOURCE_SIZE))

#define PLACE char
#include "tree.h"

ALWAYS_INLINE STAGE_TYPE WINDOW_(const char *p, ptrdiff_t step, ptrdiff_t taps, const numpool_fold *f)
{
    STAGE_TYPE all = WIDEN(TREE_(p, 0, step, (int)numpool_min(taps, 8), f));
    ptrdiff_t t = 8;
    for (; t + 8 <= taps; t += 8)
        all = STEP_STAGE(all, WIDEN(TREE_(p + t * step, t, step, 8, f)));
    if (t < taps)
        all = STEP_STAGE(all, WIDEN(TREE_(p + t * step, t, step, (int)(taps - t), f)));
    return all;
}

ALWAYS_INLINE void ROWS_(const numpool_fold *given, ptrdiff_t taps)
{
    const numpool_fold copy = *given, *f = &copy; /* a copy: stores through char * may not change it */
    const char *p = f->src;
    char *d = f->dst;
    const numpool_lines lines = numpool_lines_of(f, taps, f->n * SOURCE_SIZE, LANES * SOURCE_SIZE);
    for (ptrdiff_t r = 0; r < f->rows; r++, p += f->src_pitch, d += f->dst_pitch) {
        const ptrdiff_t last = numpool_max(f->n - LANES, 0);
        const char *ask = p + lines.first;
        for (ptrdiff_t i = 0, next = FIRST_VECTOR(p, f->n); i < f->n; i += next, next = LANES, ask += lines.next) {
            const ptrdiff_t at = numpool_min(i, last); /* the last vector overlaps the one before: one body, half the code */
            PREFETCH(p + at * SOURCE_SIZE, ask, lines.apart, taps, f);
            PUT(d + at * TARGET_SIZE, WINDOW_(p + at * SOURCE_SIZE, f->step, taps, f), f);
        }
    }
}

static __attribute__((noinline, unused)) void FN(STAGE)(const numpool_fold *f)
{
#ifdef SINGLE_TAP
    ROWS_(f, 1);
#else
#ifdef MOST_TAPS
    if (f->taps > MOST_TAPS)
        __builtin_unreachable(); /* leaves out the cases that never run */
#endif
    switch (f->taps) { /* a constant tap count lets the compiler unroll the tree */
    case 1: ROWS_(f, 1); break;
    case 2: ROWS_(f, 2); break;
    case 3: ROWS_(f, 3); break;
    case 4: ROWS_(f, 4); break;
    case 5: ROWS_(f, 5); break;
    case 7: ROWS_(f, 7); break; /* the last maps of many networks are 7 x 7 */
    default:
#ifdef MANY
        if (f->taps > NUMPOOL_TALL && f->n <= 2 * LANES) {
            MANY(f);
            break;
        }
#endif
        ROWS_(f, numpool_max(f->taps, 6)); /* tells the compiler that there are so many: fewer trees */
    }
#endif
}

/* Rows shorter than a vector, read through a copy: nothing behind a row is touched. */
static __attribute__((noinline, unused)) void BOUNCE_(const numpool_fold *f)
{
    char copy[8 * NUMPOOL_SLACK] __attribute__((aligned(64)));
    const ptrdiff_t line = LANES * SOURCE_SIZE;
    memset(copy, 0, sizeof copy);
    for (ptrdiff_t r = 0; r < f->rows; r++) {
        STAGE_TYPE all = {0};
        for (ptrdiff_t t = 0; t < f->taps; t += 8) {
            ptrdiff_t taps = numpool_min(f->taps - t, 8);
            for (ptrdiff_t j = 0; j < taps; j++)
                memcpy(copy + j * line, f->src + r * f->src_pitch + (t + j) * f->step, f->n * SOURCE_SIZE);
            STAGE_TYPE tree = WIDEN(TREE_(copy, t, line, (int)taps, f));
            all = t ? STEP_STAGE(all, tree) : tree;
        }
        PUT(f->dst + r * f->dst_pitch, all, f);
    }
}

/* As the stage itself, for sources that may end where `end` says. */
static __attribute__((unused)) void GUARDED_(const numpool_fold *given, const char *end)
{
    if (given->n >= LANES || given->rows <= 0) { /* no copy: its long loads wait for the short stores of the caller */
        FN(STAGE)(given);
        return;
    }
    numpool_fold f = *given, rest = f;
    const ptrdiff_t reach = numpool_max(0, (f.taps - 1) * f.step) + LANES * SOURCE_SIZE;
    const ptrdiff_t room = end - f.src - reach; /* row r is safe where r * src_pitch <= room */
    const ptrdiff_t safe = f.src_pitch > 0 ? (room < 0 ? 0 : numpool_min(f.rows, room / f.src_pitch + 1))
                                           : (room < 0 ? 0 : f.rows);
    rest.rows = f.rows - safe;
    rest.src += safe * f.src_pitch;
    rest.dst += safe * f.dst_pitch;
    f.rows = safe;
    FN(STAGE)(&f);
    BOUNCE_(&rest);
}

/* As the stage itself, but nothing behind a row of dst changes, unless it lies below `limit`. */
static __attribute__((unused)) void EXACT_(const numpool_fold *given, const char *limit)
{
    if (given->n >= LANES) {
        FN(STAGE)(given);
        return;
    }
    numpool_fold f = *given;
    ptrdiff_t room = limit ? limit - f.dst - LANES * TARGET_SIZE : -1;
    ptrdiff_t whole = room < 0 ? 0 : numpool_min(f.rows, room / numpool_max(f.dst_pitch, 1) + 1);
    char last[NUMPOOL_SLACK * 2] __attribute__((aligned(64)));
    numpool_fold rest = f;
    f.rows = whole;
    FN(STAGE)(&f);
    rest.rows = 1;
    rest.dst = last;
    for (ptrdiff_t r = whole; r < given->rows; r++) {
        rest.src = given->src + r * given->src_pitch;
        FN(STAGE)(&rest);
        memcpy(given->dst + r * given->dst_pitch, last, given->n * TARGET_SIZE);
    }
}

#undef STAGE_NAME
#undef ALIGNED_VECTOR
#undef TREE_
#undef WINDOW_
#undef ROWS_
#undef BOUNCE_
#undef GUARDED_
#undef EXACT_
#undef STAGE
#undef TAP
#undef PUT
#undef SOURCE_SIZE
#undef TARGET_SIZE
#undef SINGLE_TAP
#undef MANY
#undef MOST_TAPS
