/* Template: windows of 2 x 2 or 3 x 3, some of 5 x 5, in one stage, from the image to the output. The columns of a window
 * are folded down as `down` would, and kept for the next window where that shares them; then they are joined as `across` would.
 *
 *   single   a pixel is one lane: a vector holds neighbouring columns, read without regard to a row's ends, where the
 *            lanes outside become the identity. Taps are shifts of one vector into the next (at stride 2: of their even
 *            and odd columns). The last vector of a row spills, below `limit` only; rows at the ends of the array are
 *            read in a copy.
 *   narrow   the same where few vectors make a row: each holds all columns of some windows, so that no window needs another
 *            vector, and they go down the image together; rows that the windows below share stay in registers. For windows of
 *            5 x 5 as well, which have no other way here.
 *   many     a vector holds lanes of one pixel, and a tap is a pixel's vector. All lanes of a window follow those of the
 *            window before: what is read is read in order, and columns are kept in scratch.
 *   strips   the same at stride 1 where short pixels follow each other: a row is one of elements, of which some vectors go from
 *            pixel to pixel and keep columns in registers. They begin on cache lines, whatever lanes those are. Long
 *            pixels are faster in order (measured on Zen 5).
 *
 * The includer defines FN(vec), FN(ivec), LANES, ELEM_SIZE, ACC, IDENTITY, STEP, the stage `down`, and
 *   SLIDE_PUT(d, x, f)   stores results       SLIDE_SIZE      bytes of an output element
 *   SLIDES_FIVE          whether narrow rows are for windows of 5 x 5 too (sums of rows beside the image: another order)
 *   SLIDES(job)          whether it may       SLIDE_NOTHING   what changes nothing, as an input element
 *                                             SLIDE_BESIDE    an input element beside a row's ends */
#define STAGE slide
#define PLACE FN(vec)
#define TAP(v, t, f) (*(v))
#include "tree.h"
#undef STAGE
#undef TAP

ALWAYS_INLINE FN(vec) FN(identity)(void) { return (FN(vec)){0} + (ACC)IDENTITY; }

/* Lanes of a or else b, by a mask that was read; where b is the identity 0, GCC makes one `and` of it. */
ALWAYS_INLINE FN(vec) FN(where)(FN(ivec) mask, FN(vec) a, FN(vec) b)
{
    return IDENTITY == 0 ? SELECT(FN(vec), FN(ivec), mask, a, b) : SELECT_READ(FN(vec), FN(ivec), mask, a, b);
}

typedef struct {
    const numpool_job *job;
    const numpool_tile *tile;
    numpool_fold fold;           /* what the stages' words look at */
    ptrdiff_t start, low, high;  /* the first window's first column; the columns that exist and are wanted */
    ptrdiff_t rows;              /* of a plane; none where no column is there */
    ptrdiff_t ahead;             /* many: how far to fetch, 0: not */
    char *scratch;               /* single: a row of nothing, and the copies of rows; start is its first column */
    ptrdiff_t pitch;
} FN(sliding);

/* --- single ------------------------------------------------------------------------------------------------------ */

/* Whether vectors over a row may reach over an end of the array. */
ALWAYS_INLINE int FN(reaches_out)(const FN(sliding) *s, const char *row)
{
    return row + s->start * ELEM_SIZE < s->job->x.data || row + s->start * ELEM_SIZE + s->pitch > s->job->x.end;
}

/* Of `taps` rows (their columns 0), those that reach out, as copies. */
static __attribute__((noinline)) void FN(copy_rows)(const FN(sliding) *s, const char **row, int taps)
{
    for (int t = 0; t < taps; t++) {
        char *copy = s->scratch + (t + 1) * s->pitch - s->start * ELEM_SIZE;
        if (row[t] == s->scratch - s->start * ELEM_SIZE || !FN(reaches_out)(s, row[t]))
            continue;
        memcpy(copy + s->low * ELEM_SIZE, row[t] + s->low * ELEM_SIZE, (s->high - s->low) * ELEM_SIZE);
        row[t] = copy;
    }
}

/* The rows of a plane, [low, high), over which vectors stay in the array; a negative stride leaves none, and one of 0 (all rows
 * are one) all or none. */
static void FN(rows_inside)(const FN(sliding) *s, const char *plane, ptrdiff_t *low, ptrdiff_t *high)
{
    const ptrdiff_t row = s->job->x.row;
    const char *lowest = plane + s->start * ELEM_SIZE, *data = s->job->x.data, *end = s->job->x.end - s->pitch;
    *low = lowest < data ? 1 + (data - lowest - 1) / numpool_max(row, 1) : 0;
    const int none = end < lowest || row < 0 || (row == 0 && lowest < data);
    const ptrdiff_t most = none ? 0 : row == 0 ? s->rows : (end - lowest) / row + 1;
    *high = numpool_max(*low, numpool_min(most, s->rows));
}

#if LANES >= 8 /* narrow rows */
/* Where row y begins that does not exist, or over which vectors would leave the array. */
static __attribute__((noinline)) const char *FN(other_row)(const FN(sliding) *s, const char *plane, ptrdiff_t y)
{
    const char *row = (size_t)y < (size_t)s->rows ? plane + y * s->job->x.row : s->scratch - s->start * ELEM_SIZE;
    FN(copy_rows)(s, &row, 1);
    return row + s->start * ELEM_SIZE;
}
#endif

/* All ones in those lanes whose columns, from c on, are there. */
ALWAYS_INLINE FN(ivec) FN(present)(const FN(sliding) *s, ptrdiff_t c)
{
    const ptrdiff_t low = numpool_min(numpool_max(s->low - c, 0), LANES);
    const ptrdiff_t high = numpool_min(numpool_max(s->high - c, 0), LANES);
    FN(ivec) from, to;
    memcpy(&from, numpool_edge + 64 - low * ACC_SIZE, sizeof from);
    memcpy(&to, numpool_edge + 128 - high * ACC_SIZE, sizeof to);
    return from & to;
}

ALWAYS_INLINE FN(vec) FN(shifted)(FN(vec) a, FN(vec) b, int by)
{
    switch (by) {
    case 0: return a;
    case 1: return SHUFFLE(FN(ivec), a, b, COUNT_BY_1(LANES, 1));
#if SLIDES_FIVE
    case 3: return SHUFFLE(FN(ivec), a, b, COUNT_BY_1(LANES, 3));
    case 4: return SHUFFLE(FN(ivec), a, b, COUNT_BY_1(LANES, 4));
#endif
    default: return SHUFFLE(FN(ivec), a, b, COUNT_BY_1(LANES, 2));
    }
}

/* Some of the last results of a row, none behind them. */
static __attribute__((noinline)) void FN(slide_last)(char *d, FN(vec) x, ptrdiff_t n, const numpool_fold *f)
{
    char last[VECTOR_BYTES];
    (void)f;
    SLIDE_PUT(last, x, f);
    NATIVE_COPY(d, last, n * SLIDE_SIZE);
}
#if VECTOR_BYTES == 64
#define NARROW_TWICE 1 /* rows may be cut in two, where the end of the first part must not spill */
#else
#define NARROW_TWICE 0
#endif

/* How many windows lie in so many vectors of columns. */
ALWAYS_INLINE ptrdiff_t FN(unit_windows)(ptrdiff_t vectors, ptrdiff_t kernel, ptrdiff_t hop)
{
    return (vectors * LANES - kernel) / hop + 1;
}

/* How many units of one vector (at stride 2, of two) hold the windows of a tile's rows; 0: they are not to be done so, as where
 * more would be slower (measured). All columns that are not there must lie in the first vector and the last unit. */
static ptrdiff_t FN(narrow_units)(const numpool_job *job, const numpool_tile *tile)
{
    const numpool_axis *w = &job->w;
    const ptrdiff_t cols = tile->col1 - tile->col0, hop = w->stride;
    const ptrdiff_t windows = numpool_max(1, FN(unit_windows)(hop, w->kernel, hop)), units = numpool_ceil_div(cols, windows);
    const ptrdiff_t last = numpool_start(w, tile->col0 + (units - 1) * windows);
    const ptrdiff_t most = LANES < 8 || job->h.stride != hop ? 0 : NUMPOOL_NARROW * (NARROW_TWICE && hop == 1 ? 2 : 1);
    /* windows that share nothing, of sums wider than their elements, are faster by other vectors */
    const int other = hop == w->kernel && ACC_SIZE > ELEM_SIZE && cols > FN(unit_windows)(1, w->kernel, hop);
    return !other && units <= most && w->before < w->kernel && last + w->kernel - hop <= w->in ? units : 0;
}

/* Whether so few lanes are idle that this is faster than one long row (stride 1, measured); 5 x 5 at stride 2 has no other way
 * in registers. */
static int FN(fills_units)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t units = FN(narrow_units)(job, tile), windows = FN(unit_windows)(1, job->w.kernel, 1);
    const int five = job->w.kernel == 5;
    const ptrdiff_t busy = five && job->w.stride == 2 ? 0 : NUMPOOL_BUSY(LANES) + (five ? NUMPOOL_FIVE_BUSIER : 0);
    return units > 0 && units <= NUMPOOL_NARROW && (tile->col1 - tile->col0) * 100 >= units * windows * busy;
}

/* --- many -------------------------------------------------------------------------------------------------------- */

/* A column of the rows of a window: where it lies in each, and bytes to the next. A row that does not exist is a single
 * pixel of SLIDE_NOTHING, so that every window has as many rows. */
typedef struct {
    const char *at[3];
    ptrdiff_t pixel[3];
} FN(column);

/* The vector `skip` bytes into a pixel, folded down. */
ALWAYS_INLINE FN(vec) FN(folded)(const FN(column) *column, ptrdiff_t skip, int taps)
{
    FN(vec) tap[3];
    for (int t = 0; t < taps; t++)
        tap[t] = FN(down_window)(column->at[t] + skip, 0, 1, NULL);
    return FN(slide_tree)(tap, 0, 1, taps, NULL);
}

ALWAYS_INLINE void FN(go_on)(FN(column) *column, ptrdiff_t columns, int taps)
{
    for (int t = 0; t < taps; t++)
        column->at[t] += columns * column->pixel[t];
}

/* A pixel in scratch: vectors may reach over its end. */
ALWAYS_INLINE ptrdiff_t FN(pixel_room)(ptrdiff_t lanes) { return lanes + LANES; }

/* Column c, at `column` where it is there. */
ALWAYS_INLINE FN(column) FN(column_at)(const FN(sliding) *s, const FN(column) *column, ptrdiff_t c, ptrdiff_t lanes)
{
    const char *beside = s->scratch + FN(pixel_room)(lanes) * ELEM_SIZE;
    return c >= s->low && c < s->high ? *column : (FN(column)){.at = {beside, beside, beside}};
}

#define SLIDE_STRIPS (VECTOR_BYTES >= 32)
#define SLIDE_STRIP 4 /* vectors that go along a row together */
#define SLIDE_FAR (8 * 1024 * 1024) /* bytes of an array from which on strips are worth a prefetch (measured) */
#define SLIDE_KERNEL 2
#define SLIDE_HOP 1
#include "slide_window.h"
#define SLIDE_KERNEL 2
#define SLIDE_HOP 2
#include "slide_window.h"
#define SLIDE_KERNEL 3
#define SLIDE_HOP 1
#include "slide_window.h"
#define SLIDE_KERNEL 3
#define SLIDE_HOP 2
#include "slide_window.h"
#if SLIDES_FIVE
#define SLIDE_KERNEL 5
#define SLIDE_HOP 1
#include "slide_window.h"
#define SLIDE_KERNEL 5
#define SLIDE_HOP 2
#include "slide_window.h"
#endif

/* --- the tile ---------------------------------------------------------------------------------------------------- */

/* Whether this is for windows of so many rows and columns, but for what `slides` asks besides. */
ALWAYS_INLINE int FN(slides_square)(const numpool_job *job, ptrdiff_t kernel)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    return SLIDES(job) && !job->d.out && !h->table && !w->table && h->step == 1 && w->step == 1 && w->stride <= 2
           && h->kernel == kernel && w->kernel == kernel
           && h->before < h->kernel && (h->out - 1) * h->stride - h->before < h->in; /* each window has a row */
}

ALWAYS_INLINE int FN(slides_single)(const numpool_job *job, ptrdiff_t lanes)
{
    return lanes == 1 && job->w.before <= LANES && job->x.pixel == ELEM_SIZE && job->y.pixel == SLIDE_SIZE;
}

static int FN(slides)(const numpool_job *job, ptrdiff_t lanes)
{
    return (FN(slides_single)(job, lanes) || lanes >= LANES) && (FN(slides_square)(job, 2) || FN(slides_square)(job, 3));
}

/* Whether narrow rows are the way of a tile of single lanes: at stride 1 elsewhere too, and for windows of 5 x 5, which have no
 * other in registers. */
static int FN(is_narrow)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const int five = SLIDES_FIVE && FN(slides_single)(job, lanes) && FN(slides_square)(job, 5);
    return lanes == 1 && (five || FN(slides)(job, lanes)) && FN(fills_units)(job, tile);
}

/* Whether every window has all its taps. */
ALWAYS_INLINE int FN(stays_inside)(const numpool_job *job)
{
    ptrdiff_t top, bottom, inner, outer;
    numpool_interior(&job->h, &top, &bottom);
    numpool_interior(&job->w, &inner, &outer);
    return top == 0 && bottom >= job->h.out && inner == 0 && outer >= job->w.out;
}

/* Bytes from one scratch row to the next. */
ALWAYS_INLINE ptrdiff_t FN(slide_pitch)(const numpool_job *job, ptrdiff_t cols)
{
    const ptrdiff_t vectors = ((cols - 1) * job->w.stride + job->w.kernel - 1) / LANES + 1;
    return (vectors + 1) * LANES * ELEM_SIZE;
}

/* Scratch: a row of nothing and the copies of rows; or a pixel of nothing, one beside the image, and those that are kept, with
 * one more. */
static ptrdiff_t FN(slide_bytes)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const ptrdiff_t kept = numpool_max(job->w.kernel - job->w.stride, 0);
    if (lanes > 1 && !kept && FN(stays_inside)(job))
        return 0;
    return lanes == 1 ? (job->h.kernel + 1) * FN(slide_pitch)(job, cols)
                      : 2 * FN(pixel_room)(lanes) * ELEM_SIZE + 64 + lanes * (kept + 1) * ACC_SIZE;
}

static void FN(fill_elements)(char *to, ptrdiff_t bytes, ELEM element)
{
    for (ptrdiff_t i = 0; i < bytes; i += ELEM_SIZE)
        memcpy(to + i, &element, ELEM_SIZE);
}

/* How far ahead to fetch the lanes of pixels: not what is near. */
static ptrdiff_t FN(slide_ahead)(const numpool_job *job, ptrdiff_t lanes)
{
    return job->x.end - job->x.data <= NUMPOOL_NEAR ? 0 : numpool_ahead(job->x.pixel, lanes * ELEM_SIZE);
}

static void FN(slide)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *w = &job->w;
    const ptrdiff_t cols = tile->col1 - tile->col0, start = tile->col0 * w->stride - w->before;
    const ptrdiff_t end = start + (cols - 1) * w->stride + w->kernel;
    FN(sliding) s = {.job = job, .tile = tile, .fold = {.job = job, .by = numpool_by_of(job->divisor)},
                     .start = start, .scratch = scratch, .ahead = FN(slide_ahead)(job, tile->lane1 - tile->lane0),
                     .pitch = FN(slide_pitch)(job, cols)};
    s.low = numpool_max(s.start, 0);
    s.high = numpool_max(s.low, numpool_min(end, w->in));
    s.rows = s.low < s.high ? job->h.in : 0;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, pixel = FN(pixel_room)(lanes) * ELEM_SIZE;
    const int single = lanes == 1;
    ptrdiff_t inner, outer, first = tile->row0 % job->h.out;
    numpool_interior(&job->h, &inner, &outer);
    if (!FN(stays_inside)(job) && (first < inner || first + tile->row1 - tile->row0 > outer || s.rows == 0))
        FN(fill_elements)(scratch, single ? s.pitch : pixel, SLIDE_NOTHING);
    if (!single && (s.low > start || s.high < end))
        FN(fill_elements)(scratch + pixel, pixel, SLIDE_BESIDE);
    switch (2 * w->kernel + w->stride) {
    case 2 * 2 + 1: (single ? FN(rows_2_1) : FN(many_2_1))(&s); break;
    case 2 * 2 + 2: (single ? FN(rows_2_2) : FN(many_2_2))(&s); break;
    case 2 * 3 + 1: (single ? FN(rows_3_1) : FN(many_3_1))(&s); break;
#if SLIDES_FIVE
    case 2 * 5 + 1: FN(rows_5_1)(&s); break;
    case 2 * 5 + 2: FN(rows_5_2)(&s); break;
#endif
    default: (single ? FN(rows_3_2) : FN(many_3_2))(&s);
    }
}
