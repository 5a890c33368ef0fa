/* Template: the way of one tile through a forward pass, vertical stage first.
 *
 *     image rows --down--> sums (one padded scratch row per output row) --across--> results --emit--> output rows
 *
 * Scratch rows hold the identity where the padding is, so `across` has no edges; `down` folds only rows that exist.
 * The includer defines the stages `down`, `across`, `across2` and `emit` (fold.h) and
 *   ELEM_SIZE, ACC_SIZE   bytes of an input element and of an accumulator        PARTS   planes of an accumulator, 1 or 2
 *   OUT_SIZE(job)         bytes of an output element                             DOWN_LANES   elements that `down` does together
 *   SUMS_ARE_RESULTS      whether nothing but the horizontal stage makes results of sums
 *   DIRECT(job)           whether the stages LAST (and LAST2, at stride 2) may store the output in place of `across`
 *   FN(fill)(p, n, apart) sets n accumulators to the identity
 *   TABLE_STORE(p, x, apart), TABLE_RESULT(p, x, f)  store a vector of accumulators, as such or, where LAST may, as results
 *   DIVIDES_EACH(job)     whether LAST may do so where each window has a divisor of its own
 *   FN(finish)(...)       emits a run of rows of one plane
 *   LINES                 if there is FN(lines), for long windows of single lanes
 *   THROUGH               if there is FN(through), vertical windows of at most so many rows to results
 *   PICKS, CROSSWISE      if pick.h and crosswise.h are for it
 *   LONE                  if there is FN(lone), for one window a row of single lanes
 *   RUNNING_WIDE          if there is FN(run) (running.h), ROLLS if its sums roll; RUNS_ACROSS if turned.h,
 *                         TRANSPOSE_NOTHING if transpose.h, and SLIDES if slide.h is included */

/* The identity to so many bytes, and to the rest of the last vector. */
ALWAYS_INLINE void FN(fill_rows)(char *p, ptrdiff_t bytes, ptrdiff_t apart)
{
    char identity[PARTS * NUMPOOL_SLACK];
    FN(fill)(identity, VECTOR_BYTES / ACC_SIZE, NUMPOOL_SLACK);
    for (ptrdiff_t part = 0; part < PARTS; part++)
        for (ptrdiff_t i = 0; i < bytes; i += VECTOR_BYTES)
            memcpy(p + part * apart + i, identity + part * NUMPOOL_SLACK, VECTOR_BYTES);
}

/* Vertical windows [first, last) of `axis` over one plane, then the identity on both sides. `going`: the row before dst holds
 * those before, from which sums may roll on. */
static void FN(windows)(const numpool_job *job, const numpool_tile *tile, const numpool_axis *axis, const char *plane,
                        ptrdiff_t first, ptrdiff_t last, char *dst, ptrdiff_t pitch, ptrdiff_t apart, int going)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const numpool_pixels at = numpool_reach(&job->w, tile->col0, tile->col1);
    const ptrdiff_t left = at.left, pixels = at.pixels, right = at.right;
    const int dense = job->x.pixel == lanes * ELEM_SIZE;
    numpool_fold f = {.step = axis->step * job->x.row, .dst_apart = apart, .job = job};
    /* short rows are filled whole, a few vectors each, before what exists is written to them exactly */
    const ptrdiff_t n = dense ? pixels * lanes : lanes;
    const int filled = left + right > 0 && n >= DOWN_LANES && pitch <= NUMPOOL_FILLED;
    if (filled)
        FN(fill_rows)(dst, (last - first) * pitch, apart);
    ptrdiff_t inner, outer;
    numpool_interior(axis, &inner, &outer);
    plane += at.low * job->x.pixel + tile->lane0 * ELEM_SIZE;
#ifdef RUNNING_WIDE
    if (axis->running) {
        f.src = plane;
        f.dst = dst + left * lanes * ACC_SIZE;
        f.dst_pitch = pitch;
        f.n = dense ? pixels * lanes : lanes;
        for (ptrdiff_t i = 0; i < (dense ? pixels > 0 : pixels); i++) { /* a row, or each pixel of its own */
            FN(run)(&f, axis, first, last, going);
            f.src += job->x.pixel;
            f.dst += lanes * ACC_SIZE;
        }
    }
    const int running = axis->running;
#else
    (void)going;
    const int running = 0;
#endif
    for (ptrdiff_t r = first, next; r < last && !running; r = next) {
        numpool_window window = numpool_clip(axis, r);
        char *to = dst + (r - first) * pitch + left * lanes * ACC_SIZE;
        next = r >= inner && r < outer ? numpool_min(outer, last) : r + 1;
        f.taps = window.taps;
        f.fresh = job->x.end - job->x.data <= NUMPOOL_NEAR ? 0 : numpool_min(window.taps, axis->stride);
        if (f.taps == 0 || pixels == 0) {
            for (ptrdiff_t i = 0; i < next - r; i++)
                FN(fill)(to + i * pitch, pixels * lanes, apart);
            continue;
        }
        f.src = plane + window.first * job->x.row;
        f.src_pitch = axis->stride * job->x.row;
        f.dst = to;
        f.dst_pitch = pitch;
        f.rows = next - r;
        f.n = pixels * lanes;
        if (dense && f.taps > NUMPOOL_TALL && f.n >= NUMPOOL_TALL_WIDTH * LANES && f.n > 2 * DOWN_LANES) {
            FN(down_tall)(&f);
            continue;
        }
        if (dense && f.src_pitch == f.n * ELEM_SIZE && f.dst_pitch == f.n * ACC_SIZE) { /* rows end to end: one */
            f.n *= f.rows;
            f.rows = 1;
        }
        if (dense) {
            FN(down_guarded)(&f, job->x.end);
            continue;
        }
        for (ptrdiff_t i = r; i < next; i++) { /* pixels apart: each is a row of its own */
            numpool_fold g = f;
            g.src = f.src + (i - r) * f.src_pitch;
            g.dst = to + (i - r) * pitch;
            g.src_pitch = job->x.pixel;
            g.dst_pitch = lanes * ACC_SIZE;
            g.rows = pixels;
            g.n = lanes;
            if (g.taps > NUMPOOL_TALL && g.n >= DOWN_LANES) {
                FN(down_tall)(&g);
                continue;
            }
            FN(down_guarded)(&g, job->x.end);
        }
    }
    if (left && !filled)
        for (ptrdiff_t r = 0; r < last - first; r++)
            FN(fill)(dst + r * pitch, left * lanes, apart);
    if (right && !filled)
        for (ptrdiff_t r = 0; r < last - first; r++)
            FN(fill)(dst + r * pitch + (left + pixels) * lanes * ACC_SIZE, right * lanes, apart);
}

#include "across.h"

/* One window wider than a scratch row: its taps are the columns of an image of its own, taken some at a time. */
static void FN(in_parts)(const numpool_job *job, const numpool_tile *tile, const char *plane, ptrdiff_t row, char *sums,
                         ptrdiff_t pitch, ptrdiff_t apart, char *result, int joined)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, next = numpool_pitch(lanes * ACC_SIZE);
    const numpool_window window = numpool_clip(&job->w, tile->col0);
    const numpool_tile one = {.col1 = 1, .lane0 = tile->lane0, .lane1 = tile->lane1};
    numpool_job part = *job;
    part.x.pixel = job->w.step * job->x.pixel;
    if (!joined)
        FN(fill)(result, lanes, apart);
    for (ptrdiff_t j = 0; j < window.taps; j += NUMPOOL_PART) {
        const ptrdiff_t some = numpool_min(NUMPOOL_PART, window.taps - j);
        part.w = (numpool_axis){.in = some, .out = 1, .kernel = some, .stride = 1, .step = 1, .passes = 1};
        FN(windows)(&part, &one, &part.h, plane + (window.first + j * job->w.step) * job->x.pixel, row, row + 1, sums,
                    pitch, apart, 0);
        char *to = joined ? result + next : result;
        FN(horizontal)(&part, 1, lanes, 1, sums, NULL, pitch, apart, to, next, lanes * ACC_SIZE, 0);
        if (joined)
            FN(join)(job, result, to, lanes * ACC_SIZE, apart);
        joined = 1;
    }
}

#if ACC_SIZE == ELEM_SIZE && PARTS == 1 && KIND != KIND_HALF && (defined LINES || defined TRANSPOSE_NOTHING)
#define IN_PLACE
#include "along.h"
#endif

#ifdef SLIDES
#include "flat.h"
#endif
#ifdef PICKS
#include "pick.h"
#endif

/* The scratch of a tile: where its pieces start, from `line` on, and how long their rows are. */
typedef struct {
    ptrdiff_t rows;                  /* of sums, at once */
    ptrdiff_t pitch, out_pitch;      /* rows of sums, and of results */
    ptrdiff_t apart, results_apart;  /* bytes from one part of an accumulator to the next */
    ptrdiff_t line;                  /* the first pixel of a row, not its padding, is what should start on a cache line */
    ptrdiff_t spare, other, results; /* from the rows of sums: those of the passes, of another slab, and results */
    ptrdiff_t turned;                /* before them: rows that are turned */
    ptrdiff_t bytes;
    int across, lone;                /* running sums across; windows of a single column, one lane a pixel */
} FN(room);

/* Whether sums roll, through scratch for a few rows of a tile. */
ALWAYS_INLINE int FN(rolls)(const numpool_job *job)
{
#if ROLLS
    return (job->h.running || job->w.running) && !job->parts && !job->d.out;
#else
    (void)job;
    return 0;
#endif
}

static FN(room) FN(room_of)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t cols = tile->col1 - tile->col0, lanes = tile->lane1 - tile->lane0;
    const int rolls = FN(rolls)(job);
    const ptrdiff_t at_once = numpool_min(tile->row1 - tile->row0, rolls ? NUMPOOL_ROLLED * LANES : PTRDIFF_MAX), rows = at_once + rolls;
    const ptrdiff_t span = job->parts ? numpool_min(job->w.kernel, NUMPOOL_PART)
                           : (cols - 1) * job->w.stride + (job->w.kernel - 1) * job->w.step + 1;
    const ptrdiff_t left = job->parts ? 0 : numpool_max(0, job->w.before - tile->col0 * job->w.stride) * lanes * ACC_SIZE;
    FN(room) room = {.pitch = numpool_pitch(span * lanes * ACC_SIZE), .out_pitch = numpool_pitch(cols * lanes * ACC_SIZE),
                     .rows = at_once, .lone = cols == 1 && lanes == 1 && !job->parts};
    ptrdiff_t result_rows = at_once, last_turned = 0;
#ifdef RUNS_ACROSS
    room.across = job->w.running && !job->parts;
    room.turned = (room.across && !FN(scans)(job, lanes)) || room.lone ? PARTS * FN(turned_bytes)(span, lanes) : 0;
    /* the last tile may have fewer lanes, or columns, and be turned where the largest is not */
    const ptrdiff_t fewer = job->lanes % lanes, column = span - (cols - 1) * job->w.stride;
    last_turned = PARTS * numpool_max(room.across && fewer && !FN(scans)(job, fewer) ? FN(turned_bytes)(span, fewer) : 0,
                                      lanes == 1 || fewer == 1 ? FN(turned_bytes)(column, 1) : 0);
    if (room.across) {
        result_rows = numpool_min(at_once, LANES); /* as many as are turned at once */
        room.pitch |= 64; /* rows are walked down: an odd number of cache lines keeps them out of each other's way */
        room.out_pitch |= 64;
    }
#endif
    const ptrdiff_t passed = job->w.passes > 1 ? rows * room.pitch : 0;
    const ptrdiff_t slab = job->d.out ? rows * room.pitch + NUMPOOL_SLACK : 0;
    room.apart = rows * room.pitch + passed + slab + 2 * NUMPOOL_SLACK;
    room.results_apart = PARTS == 2 ? room.apart : 0;
    const ptrdiff_t before = rolls ? room.pitch : 0; /* the row from which sums roll on */
    room.line = room.turned + before + 64 - left % 64;
    room.spare = rows * room.pitch + NUMPOOL_SLACK;
    room.other = room.spare + passed + (slab ? NUMPOOL_SLACK : 0);
    room.results = PARTS * room.apart;
    room.bytes = 64 + numpool_max(room.turned, last_turned) + before + (2 * PARTS - 1) * room.apart
                 + numpool_max(result_rows, 3) * room.out_pitch + 2 * NUMPOOL_SLACK;
    return room;
}

#ifdef THROUGH
/* Whether windows of a single column are so few rows, all inside, that one stage makes their results; and that stage. */
ALWAYS_INLINE int FN(goes_through)(const numpool_axis *h)
{
    return h->kernel <= THROUGH && !h->table && h->before == 0 && (h->out - 1) * h->stride + (h->kernel - 1) * h->step < h->in;
}

static void FN(go_through)(const numpool_job *job, const numpool_tile *tile, const char *plane, ptrdiff_t first, ptrdiff_t last,
                           char *out)
{
    const numpool_axis *h = &job->h;
    const numpool_fold f = {
        .src = plane + first * h->stride * job->x.row + tile->col0 * job->x.pixel + tile->lane0 * ELEM_SIZE,
        .src_pitch = h->stride * job->x.row, .step = h->step * job->x.row, .taps = h->kernel, .rows = last - first,
        .n = (tile->col1 - tile->col0) * (tile->lane1 - tile->lane0), .dst = out, .dst_pitch = job->y.row, .job = job,
        .by = numpool_by_of(job->divisor),
        .fresh = job->x.end - job->x.data <= NUMPOOL_NEAR ? 0 : numpool_min(h->kernel, h->stride)};
    FN(through_guarded)(&f, job->x.end);
}
#endif

#if ACC_SIZE == ELEM_SIZE && PARTS == 1 && KIND != KIND_HALF
#define FOLDS_SLABS
#include "deep.h"
#endif

#ifdef CROSSWISE
#include "crosswise.h"
#endif

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t cols = tile->col1 - tile->col0, lanes = tile->lane1 - tile->lane0;
#ifdef CROSSWISE
    if (job->across_first) {
        if (!scratch)
            return FN(crosswise_bytes)(job, tile);
        FN(crosswise)(job, tile, scratch);
        return 0;
    }
#endif
#ifdef FOLDS_SLABS
    if (job->slabs_first && job->d.out)
        return FN(deep)(job, tile, scratch);
#endif
#ifdef LONE
    if (job->lone) {
        if (!scratch)
            return (tile->row1 - tile->row0) * ACC_SIZE + NUMPOOL_SLACK;
        FN(lone)(job, tile, scratch);
        return 0;
    }
#endif
#ifdef IN_PLACE
    numpool_tile inner;
    if (FN(goes_along)(job, tile, &inner)) {
        if (!scratch)
            return FN(room_of)(job, tile).bytes;
        FN(go_along)(job, tile, &inner, scratch);
        return 0;
    }
#endif
#ifdef SLIDES
    const int narrow = FN(is_narrow)(job, tile);
    if (!narrow && FN(is_flat)(job, tile)) {
        if (!scratch)
            return FN(flat_bytes)(job);
        FN(flat)(job, tile, scratch);
        return 0;
    }
    if (narrow || FN(slides)(job, lanes)) {
        if (!scratch) { /* the last tile may have too few lanes to slide */
            numpool_tile last = *tile;
            last.lane1 = last.lane0 + job->lanes % lanes;
            const int other = last.lane1 > last.lane0 && !FN(slides)(job, last.lane1 - last.lane0);
            return numpool_max(FN(slide_bytes)(job, tile), other ? FN(block)(job, &last, NULL) : 0);
        }
        FN(slide)(job, tile, scratch);
        return 0;
    }
#endif
#ifdef PICKS
    if (FN(picks)(job, tile)) {
        if (!scratch)
            return FN(pick_bytes)(job, tile);
        FN(pick)(job, tile, scratch);
        return 0;
    }
#endif
#ifdef JOINS_WINDOWS
    if (FN(joins_windows)(job)) {
        if (scratch)
            FN(join_windows)(job, tile);
        return 0;
    }
#endif
    const FN(room) room = FN(room_of)(job, tile);
    if (!scratch)
        return room.bytes;
    char *sums = scratch + room.line, *spare = sums + room.spare, *other = sums + room.other, *results = sums + room.results;
    const ptrdiff_t pitch = room.pitch, out_pitch = room.out_pitch, results_apart = room.results_apart;
    const int dense = job->y.pixel == lanes * OUT_SIZE(job);
    /* by a table, a window without a tap is filled with accumulators, which must be results then, or divided each */
    const int each = job->w.table && !job->d.out && DIVIDES_EACH(job);
    const ptrdiff_t length = FN(row_length)(job, cols, lanes, dense);
    const int direct = (DIRECT(job) || each) && (!job->w.table || ACC_SIZE == ELEM_SIZE) && length >= LANES;
    /* rows shorter than a vector may spill over those behind them; quotients of few are better made for all rows at once */
    const int shorter = !direct && DIRECT(job) && dense && tile->limit && !job->w.table;
    const int spilling = shorter && length > lanes && (SUMS_ARE_RESULTS || 2 * length >= LANES);
    /* windows of a single column: the vertical stage makes the results */
    const int upright = (direct || shorter) && job->w.kernel == 1 && job->w.stride == 1 && job->w.before == 0 && !job->w.table
                        && !job->d.out && !job->h.running && job->x.pixel == lanes * ELEM_SIZE && dense && tile->col1 <= job->w.in;
    const int alone = upright && SUMS_ARE_RESULTS;
#ifdef THROUGH
    const int through = upright && FN(goes_through)(&job->h);
    const int spills = spilling || (shorter && (alone || through));
#else
    const int spills = spilling || (shorter && alone);
#endif
#ifdef IN_PLACE
    const int in_place = FN(rows_are_sums)(job);
#endif
    const int rolls_down = FN(rolls)(job) && job->h.running;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / job->h.out, first = row % job->h.out;
        char *out = job->y.data + numpool_lead(job, job->y.lead, plane) + first * job->y.row
                    + tile->col0 * job->y.pixel + tile->lane0 * OUT_SIZE(job);
        next = numpool_min(tile->row1, row - first + job->h.out);
        const ptrdiff_t below = spills ? tile->limit - out - LANES * OUT_SIZE(job) : 0;
        const int exact = below < 0; /* the last rows: what spills would be lost to others */
        if (spills && !exact)
            next = numpool_min(next, row + below / job->y.row + 1);
        next = numpool_min(next, row + room.rows);
        const ptrdiff_t last = first + next - row;
        const int going = rolls_down && first > 0 && row > tile->row0;
        const char *from = job->x.data + numpool_lead(job, job->x.lead, plane);
        const numpool_window slabs = numpool_slabs(job, plane);
        const ptrdiff_t step = job->d.step * job->x.slab;
        from += slabs.first * job->x.slab;
#ifdef IN_PLACE
        const int folded = in_place ? FN(fold_in_place)(job, tile, from, first, last, results, out_pitch, out)
                                    : FN(nothing_folded);
        if (folded == FN(sums_folded))
            FN(finish)(job, tile, plane, first, last, results, out_pitch, results_apart, out);
        if (folded != FN(nothing_folded))
            continue;
#endif
        for (ptrdiff_t r = first; job->parts && r < last; r++, out += job->y.row) {
            if (!slabs.taps)
                FN(fill)(results, lanes, results_apart);
            for (ptrdiff_t i = 0; i < slabs.taps; i++)
                FN(in_parts)(job, tile, from + i * step, r, sums, pitch, results_apart, results, i > 0);
            FN(finish)(job, tile, plane, r, r + 1, results, out_pitch, results_apart, out);
        }
        if (job->parts)
            continue;
#ifdef THROUGH
        if (through && !exact) {
            FN(go_through)(job, tile, from, first, last, out);
            continue;
        }
#endif
        if (alone && !exact) {
            FN(windows)(job, tile, &job->h, from, first, last, out, job->y.row, 0, 0);
            continue;
        }
        if (slabs.taps)
            FN(windows)(job, tile, &job->h, from, first, last, sums, pitch, results_apart, going);
        else
            FN(fill)(sums, (last - first) * pitch / ACC_SIZE, results_apart);
        for (ptrdiff_t i = 1; i < slabs.taps; i++) {
            FN(windows)(job, tile, &job->h, from + i * step, first, last, other, pitch, results_apart, 0);
            FN(join)(job, sums, other, (last - first) * pitch, results_apart);
        }
        for (ptrdiff_t part = 0; part < PARTS && rolls_down; part++)
            memcpy(sums - pitch + part * results_apart, sums + (last - first - 1) * pitch + part * results_apart, pitch);
#ifdef RUNS_ACROSS
        if (room.lone)
            spare = scratch;
        if (room.across) {
            FN(run_across)(job, tile, plane, first, last, sums, pitch, results_apart, results, out_pitch, out, scratch);
            continue;
        }
#endif
        if (job->w.table && direct) {
            FN(by_table)(job, tile, first, last - first, sums, pitch, 0, out, job->y.row, job->y.pixel, 1);
        } else if (job->w.table) {
            FN(by_table)(job, tile, first, last - first, sums, pitch, results_apart, results, out_pitch, lanes * ACC_SIZE, 0);
            FN(finish)(job, tile, plane, first, last, results, out_pitch, results_apart, out);
        } else if (direct || (spilling && !exact)) {
            FN(horizontal)(job, cols, lanes, last - first, sums, spare, pitch, 0, out, job->y.row, job->y.pixel, 1);
        } else {
            FN(horizontal)(job, cols, lanes, last - first, sums, spare, pitch, results_apart, results,
                           out_pitch, lanes * ACC_SIZE, 0);
            FN(finish)(job, tile, plane, first, last, results, out_pitch, results_apart, out);
        }
    }
    return 0;
}
