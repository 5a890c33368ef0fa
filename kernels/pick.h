/* Template: windows of single lanes that lie anywhere along a row, from the image to the output in one stage.
 *
 *     image rows --tree--> two or three vectors of columns --shuffle--> tap 0 of each window ... tap k --tree--> results
 *
 * A unit is as many windows of a row as have their taps in these, but for the last two places: one holds what a column
 * beside the image is, the other changes nothing, for windows of fewer taps than others. Trees are those of fold.h, so is the
 * order. The includer defines TRANSPOSE_NOTHING, PUT_RESULT and DIVIDES_EACH as forward.h has them, and
 *   PICK_BESIDE     a column beside the image                 PICK_LOAD(p)   a vector of elements as accumulators */
#define MOST_PICKED NUMPOOL_TALL /* taps, of which one tree is made */
#define PICK_FETCHED 512 /* bytes of a row from which on rows are fetched ahead: the processor does so with shorter ones */
#define PICK_BESIDE_AT(vectors) ((vectors) * LANES - 2)
#define PICK_NOTHING_AT(vectors) ((vectors) * LANES - 1)
#define PICK_FEW 4 /* taps of a row up to which a unit may have three vectors */
#define PICK_SOME 5 /* and those that are picked by a tree of their own, not of MOST_PICKED */

typedef struct {
    FN(ivec) at[MOST_PICKED]; /* of tap t of each window, as NATIVE_PICK_4 has it */
    FN(vec) counts;           /* each window's part of its divisor */
    ptrdiff_t low, first, windows; /* the first column and the first window; how many */
} FN(unit);

#define STAGE pick_down
#define PLACE char
#define TAP(p, t, f) PICK_LOAD(p)
#include "tree.h"
#undef STAGE
#undef TAP
#define STAGE pick
#define PLACE FN(vec)
#define TAP(p, t, f) *(p)
#include "tree.h"
#undef STAGE
#undef TAP

/* Windows of a unit of so many vectors, at least: where it is not the last. */
ALWAYS_INLINE ptrdiff_t FN(windows_of_unit)(const numpool_axis *w, int vectors)
{
    const ptrdiff_t room = PICK_BESIDE_AT(vectors) - ((w->kernel - 1) * w->step + 1);
    return room < 0 ? 0 : numpool_min(LANES, room / numpool_max(w->stride, 1) + 1);
}

/* Vectors of a unit: three cost a third more than two, which may hold a row. */
ALWAYS_INLINE int FN(vectors_of_unit)(const numpool_axis *w, ptrdiff_t cols)
{
    const ptrdiff_t two = (cols - 1) / FN(windows_of_unit)(w, 2) + 1, three = (cols - 1) / FN(windows_of_unit)(w, 3) + 1;
    return w->kernel <= PICK_FEW && w->in > PICK_BESIDE_AT(2) && 4 * three <= 3 * two ? 3 : 2;
}

static int FN(picks)(const numpool_job *job, const numpool_tile *tile)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const int one_by_one = w->table || w->stride > 2 || (w->stride == 2 && (w->kernel > 5 || w->step > 1));
    const int direct = DIRECT(job) || (w->table && DIVIDES_EACH(job));
    return one_by_one && direct && tile->lane1 - tile->lane0 == 1 && job->x.pixel == ELEM_SIZE && job->y.pixel == ELEM_SIZE
           && !job->parts && !job->d.out && !h->running && !w->running && h->kernel <= MOST_PICKED && w->kernel <= MOST_PICKED
           && w->out > 1 && FN(windows_of_unit)(w, 2) >= NUMPOOL_LEAST_PICKED
           && (w->table || (w->kernel < LEAST_JOINED && !(w->kernel == 4 && w->stride == 4 && 2 * w->out >= LANES)));
}

ALWAYS_INLINE ptrdiff_t FN(most_units)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t cols = tile->col1 - tile->col0;
    return (cols - 1) / FN(windows_of_unit)(&job->w, FN(vectors_of_unit)(&job->w, cols)) + 1;
}

/* A place in the vectors of a unit. */
ALWAYS_INLINE int32_t FN(place_of)(ptrdiff_t at)
{
    return (int32_t)((uint32_t)at | (at >= 2 * LANES ? 1u << 30 : at >= LANES ? 1u << 31 : 0));
}

/* The units of a tile's columns. Returns how many there are. */
static ptrdiff_t FN(make_units)(const numpool_job *job, const numpool_tile *tile, FN(unit) *unit)
{
    const numpool_axis *w = &job->w;
    const int vectors = FN(vectors_of_unit)(w, tile->col1 - tile->col0);
    FN(unit) *const start = unit;
    for (ptrdiff_t c = tile->col0; c < tile->col1; unit++) {
        unit->first = c;
        unit->low = numpool_max(0, numpool_min(numpool_start(w, c), w->in));
        unit->counts = (FN(vec)){0} + 1;
        for (ptrdiff_t t = 0; t < MOST_PICKED; t++)
            unit->at[t] = (FN(ivec)){0} + FN(place_of)(PICK_NOTHING_AT(vectors));
        ptrdiff_t l = 0;
        for (; l < LANES && c < tile->col1; l++, c++) {
            const numpool_window window = numpool_clip(w, c);
            const ptrdiff_t first = window.first - unit->low;
            if (window.taps && first + (window.taps - 1) * w->step >= PICK_BESIDE_AT(vectors))
                break;
            for (ptrdiff_t t = 0; t < (w->table ? window.taps : w->kernel); t++) {
                const ptrdiff_t own = t - window.skipped;
                const int inside = own >= 0 && own < window.taps;
                unit->at[t][l] = FN(place_of)(inside ? first + own * w->step : PICK_BESIDE_AT(vectors));
            }
            unit->counts[l] = (ACC)numpool_count(w, c, job->count_padding);
        }
        unit->windows = l;
    }
    return unit - start;
}

/* The windows of a unit in one row, of `rows` rows and at most `taps` columns. `exist`: bytes of columns from the unit's on. */
ALWAYS_INLINE FN(vec) FN(pick_windows)(const FN(unit) *unit, const char *p, ptrdiff_t step, ptrdiff_t exist, int rows, int taps,
                                       int vectors)
{
    const FN(ivec) place = (FN(ivec)){COUNT_BY_1(LANES, 0)} + (vectors - 1) * LANES;
    FN(vec) tap[MOST_PICKED], part[3], fill = TRANSPOSE_NOTHING;
    fill = SELECT(FN(vec), FN(ivec), place == PICK_BESIDE_AT(vectors), (FN(vec)){0} + PICK_BESIDE, fill);
#pragma GCC unroll 3
    for (int v = 0; v < vectors; v++) {
        const ptrdiff_t at = v * LANES * ELEM_SIZE;
        part[v] = v == 0 || exist > at ? FN(pick_down_tree)(p + at, 0, step, rows, NULL) : fill;
    }
    part[vectors - 1] = SELECT(FN(vec), FN(ivec), place >= PICK_BESIDE_AT(vectors), fill, part[vectors - 1]);
#pragma GCC unroll 8
    for (int t = 0; t < taps; t++)
        tap[t] = vectors == 3 ? (FN(vec))NATIVE_PICK_OF_3_4(part[0], part[1], part[2], unit->at[t])
                              : (FN(vec))NATIVE_PICK_4(part[0], part[1], unit->at[t]);
    return FN(pick_tree)(tap, 0, 1, taps, NULL);
}

ALWAYS_INLINE FN(vec) FN(pick_rows)(const FN(unit) *unit, const char *p, ptrdiff_t step, ptrdiff_t exist, ptrdiff_t rows,
                                    int taps, int vectors)
{
    switch (rows) {
    case 1: return FN(pick_windows)(unit, p, step, exist, 1, taps, vectors);
    case 2: return FN(pick_windows)(unit, p, step, exist, 2, taps, vectors);
    case 3: return FN(pick_windows)(unit, p, step, exist, 3, taps, vectors);
    case 4: return FN(pick_windows)(unit, p, step, exist, 4, taps, vectors);
    case 5: return FN(pick_windows)(unit, p, step, exist, 5, taps, vectors);
    default: return FN(pick_windows)(unit, p, step, exist, (int)rows, taps, vectors);
    }
}

/* The rows that the windows of an output row read: how far from the image's first, how many; and their part of a divisor. */
typedef struct {
    ptrdiff_t at, rows;
    ACC count;
} FN(reading);

/* Those of some output rows, from `first` on, and again from a plane's first. */
static void FN(make_readings)(const numpool_job *job, ptrdiff_t first, ptrdiff_t n, FN(reading) *reading)
{
    for (ptrdiff_t i = 0, r = first; i < n; i++, r = r + 1 == job->h.out ? 0 : r + 1) {
        const numpool_window window = numpool_clip(&job->h, r);
        reading[i] = (FN(reading)){window.first * job->x.row, window.taps, (ACC)numpool_count(&job->h, r, job->count_padding)};
    }
}

/* The rows of one unit as copies, where vectors would reach over the end of the array; where there is no row, one beside the
 * image. `room`: from one to the next. Returns their number. */
static __attribute__((noinline)) ptrdiff_t FN(copy_reading)(const char *from, ptrdiff_t step, ptrdiff_t rows, ptrdiff_t bytes,
                                                            ptrdiff_t room, char *copy)
{
    const ELEM beside = PICK_BESIDE;
    for (ptrdiff_t t = 0; t < rows; t++)
        memcpy(copy + t * room, from + t * step, bytes);
    for (ptrdiff_t i = 0; rows == 0 && i < room; i += ELEM_SIZE)
        memcpy(copy + i, &beside, ELEM_SIZE);
    return numpool_max(rows, 1);
}

/* The windows of the units in the output rows of a tile, unit after unit of each row: a vector may spill over those behind it,
 * below the tile's limit, or to the end of its columns. A `single` unit of few taps stays in registers. */
ALWAYS_INLINE void FN(pick_units)(const numpool_job *job, const numpool_tile *tile, const FN(unit) *units, ptrdiff_t n,
                                  const FN(reading) *first, ptrdiff_t different, int single, int vectors)
{
    const ptrdiff_t step = job->h.step * job->x.row, high = job->h.out, cols = tile->col1;
    const ptrdiff_t room = vectors * LANES * ELEM_SIZE;
    const ptrdiff_t fresh = job->x.end - job->x.data > NUMPOOL_NEAR && job->x.row >= PICK_FETCHED ? job->h.stride : 0;
    const int each = job->w.table && DIVIDES_EACH(job), few = single || vectors == 3 || job->w.kernel <= PICK_FEW;
    const numpool_fold fold = {.job = job, .by = numpool_by_of(each ? 1 : job->divisor)}, *f = &fold;
    const char *const end = job->x.end, *const limit = tile->limit, *image = NULL;
    char copy[MOST_PICKED * 3 * LANES * ELEM_SIZE], *out = NULL;
    const FN(unit) alone = *units;
    const FN(reading) *reading = first;
    (void)f;
    for (ptrdiff_t row = tile->row0, below = row; row < tile->row1; row++, out += job->y.row, reading++) {
        if (reading == first + different)
            reading = first;
        if (row == below) { /* another plane */
            const ptrdiff_t plane = row / high;
            image = job->x.data + numpool_lead(job, job->x.lead, plane);
            out = job->y.data + numpool_lead(job, job->y.lead, plane) + (row - plane * high) * job->y.row;
            below = (plane + 1) * high;
        }
        for (ptrdiff_t u = 0; u < (single ? 1 : n); u++) {
            const FN(unit) *const unit = single ? &alone : units + u;
            const char *from = image + reading->at + unit->low * ELEM_SIZE;
            const ptrdiff_t exist = numpool_min(vectors * LANES, job->w.in - unit->low) * ELEM_SIZE;
            ptrdiff_t rows = reading->rows, apart = step;
            for (ptrdiff_t t = numpool_max(0, rows - fresh); fresh && t < rows; t++)
                for (ptrdiff_t i = 0; i < exist; i += 64)
                    __builtin_prefetch(from + t * step + PREFETCH_FURTHER + i);
            if (rows == 0 || end - from < numpool_max(0, (rows - 1) * step) + room) {
                rows = FN(copy_reading)(from, step, rows, exist, room, copy);
                from = copy;
                apart = room;
            }
            FN(vec) x = few                          ? FN(pick_rows)(unit, from, apart, exist, rows, PICK_FEW, vectors)
                      : job->w.kernel <= PICK_SOME ? FN(pick_rows)(unit, from, apart, exist, rows, PICK_SOME, vectors)
                                                   : FN(pick_rows)(unit, from, apart, exist, rows, MOST_PICKED, vectors);
            if (each)
                x /= unit->counts * reading->count;
            char *to = out + unit->first * ELEM_SIZE;
            if ((limit && limit - to >= LANES * ELEM_SIZE) || unit->first + LANES <= cols) {
                PUT_RESULT(to, x, f);
            } else {
                char last[VECTOR_BYTES];
                PUT_RESULT(last, x, f);
                NATIVE_COPY(to, last, unit->windows * ELEM_SIZE);
            }
        }
    }
}

static void FN(pick)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t different = numpool_min(job->h.out, tile->row1 - tile->row0);
    FN(unit) *const units = (FN(unit) *)(void *)scratch;
    const ptrdiff_t n = FN(make_units)(job, tile, units);
    FN(reading) *const first = (FN(reading) *)(void *)(units + FN(most_units)(job, tile));
    FN(make_readings)(job, tile->row0 % job->h.out, different, first);
    const int three = FN(vectors_of_unit)(&job->w, tile->col1 - tile->col0) == 3;
    if (n == 1 && three)
        FN(pick_units)(job, tile, units, n, first, different, 1, 3);
    else if (three)
        FN(pick_units)(job, tile, units, n, first, different, 0, 3);
    else if (n == 1 && job->w.kernel <= PICK_FEW)
        FN(pick_units)(job, tile, units, n, first, different, 1, 2);
    else
        FN(pick_units)(job, tile, units, n, first, different, 0, 2);
}

static ptrdiff_t FN(pick_bytes)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t rows = numpool_min(job->h.out, tile->row1 - tile->row0);
    return FN(most_units)(job, tile) * sizeof(FN(unit)) + rows * sizeof(FN(reading));
}
