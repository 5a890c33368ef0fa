/* Template: max and min with the tap where they stand. Horizontal stage first, then vertical, each keeping the earlier tap
 * unless a later one is greater: so ties go to the first tap in row-major order, after 2k compares instead of k*k.
 *
 *     image rows --pack--> padded scratch rows --across--> (value, tap) rows --upright--> (value, tap) --emit--> y, index
 *
 * Values are compared as ACC: floats as they are, the smaller numbers as int32, unsigned ones and the 16-bit floats as
 * signed integers in the same order; for a minimum, in the opposite order. */
#if KIND == KIND_FLOAT
#define ACC ELEM
#define ACC_SIZE ELEM_SIZE
#define CORE(part) NUMPOOL_JOIN(arg, DTYPE, part)
#elif ELEM_SIZE == 8
#define ACC int64_t
#define ACC_SIZE 8
#define CORE(part) NUMPOOL_JOIN(arg, int64, part)
#else
#define ACC int32_t
#define ACC_SIZE 4
#define CORE(part) NUMPOOL_JOIN(arg, int32, part)
#endif
#define LANES LANES_OF(ACC_SIZE)
#define WIDEN(tree) (tree)
#define STEP_STAGE(a, b) STEP(a, b)
#define TREE_TYPE FN(vec)
#define STAGE_TYPE FN(vec)
#define STEP(a, b) (a) /* one tap: nothing to join */

typedef CORE(vec) FN(vec);
typedef CORE(ivec) FN(ivec);
typedef ELEM FN(evec) __attribute__((vector_size(LANES * ELEM_SIZE)));
#include "doubling.h"
/* Element to comparable value, and back: each on vectors and, the same words, on single elements. */
#if KIND == KIND_FLOAT
#define TO_ACC(type, x) (MINIMUM ? -(x) : (x))
#define FROM_ACC(x) ((ELEM)(MINIMUM ? -(x) : (x)))
#define IDENTITY -INFINITY
#elif KIND == KIND_HALF
#define IDENTITY (-INFINITY_BITS)
ALWAYS_INLINE FN(vec) FN(key)(FN(vec) x)
{
    FN(vec) size = x & 0x7fff, key = SELECT(FN(vec), FN(ivec), ((MINIMUM ? -x : x) < 0), -size, size);
    return SELECT(FN(vec), FN(ivec), size > INFINITY_BITS, (FN(vec)){0} + 0x7fff, key); /* one key for every NaN */
}
#define TO_ACC(type, x) FN(key)(x)
#define FROM_ACC(x) ((ELEM)((x) == 0x7fff ? 0x7fff : (MINIMUM ? -(x) : (x)) < 0 ? ((x) < 0 ? -(x) : (x)) | 0x8000 \
                                                                               : ((x) < 0 ? -(x) : (x))))
#else
#define FLIP ((UNSIGNED && ELEM_SIZE >= 4) != 0 ? (ACC)((uint64_t)1 << (ELEM_SIZE * 8 - 1)) : 0)
#define TO_ACC(type, x) (MINIMUM ? ~((x) ^ (ACC)FLIP) : ((x) ^ (ACC)FLIP))
#define FROM_ACC(x) ((ELEM)((MINIMUM ? ~(x) : (x)) ^ (ACC)FLIP))
#define IDENTITY ((ACC)(MINIMUM ? ~((ACC)HIGHEST ^ (ACC)FLIP) : ((ACC)LOWEST ^ (ACC)FLIP)))
#endif

ALWAYS_INLINE FN(vec) FN(load_element)(const char *p)
{
    FN(evec) x;
    memcpy(&x, p, sizeof x);
    return TO_ACC(FN(vec), DOUBLING(x, FN(vec)));
}

ALWAYS_INLINE void FN(fill)(char *p, ptrdiff_t n)
{
    for (ACC identity = IDENTITY; n-- > 0; p += ACC_SIZE)
        memcpy(p, &identity, ACC_SIZE);
}

#define STAGE pack
#define SINGLE_TAP
#define SOURCE_SIZE ELEM_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(load_element)(p)
#define PUT(d, x, f) CORE(store)(d, x)
#define PREFETCH PREFETCH_ROWS
#include "fold.h"
#undef PREFETCH

/* --- emit: values and taps to the output's dtype and the caller's index convention ------------------------------- */

static __attribute__((noinline)) void FN(finish)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t row,
                                                 const char *value, const char *tap, char *y, char *index,
                                                 ptrdiff_t plane_position, int offsets)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const numpool_window down = numpool_clip(&job->h, row);
    const ptrdiff_t top = (row * job->h.stride - job->h.before) * job->position.row + plane_position;
    const int single = lanes == 1 && job->y.pixel == ELEM_SIZE && job->index.pixel == job->index_size;
    ptrdiff_t inner, outer;
    numpool_interior(&job->w, &inner, &outer);
    for (ptrdiff_t c = tile->col0, next; c < tile->col1; c = next) {
        const numpool_window right = numpool_clip(&job->w, c);
        const int level = single && c >= inner && c < outer; /* equal windows in a row, single lanes: one run */
        next = level ? numpool_min(outer, tile->col1) : c + 1;
        const ptrdiff_t skip = (c - tile->col0) * lanes;
        numpool_run run = {.n = (next - c) * lanes, .offsets = offsets,
                       .first = !down.taps || !right.taps ? -1
                                 : offsets ? down.skipped * job->h.step * job->position.row
                                             + right.skipped * job->w.step * job->position.pixel
                                           : down.skipped * job->w.kernel + right.skipped,
                       .base = top + (c * job->w.stride - job->w.before) * job->position.pixel
                               + tile->lane0 * job->position.lane,
                       .move = lanes == 1 ? job->w.stride * job->position.pixel : job->position.lane};
        const ACC *from = (const ACC *)(const void *)value + skip;
        ELEM *to = (ELEM *)(void *)(y + (c - tile->col0) * job->y.pixel);
        for (ptrdiff_t i = 0; i < run.n; i++)
            to[i] = FROM_ACC(from[i]);
        CORE(emit_taps)(job, from, (const SIGNED(ACC_SIZE) *)(const void *)tap + skip,
                      index + (c - tile->col0) * job->index.pixel, &run, IDENTITY);
    }
}

ALWAYS_INLINE ptrdiff_t FN(pitch)(ptrdiff_t n)
{
    ptrdiff_t bytes = n * ACC_SIZE;
    return bytes <= 64 ? bytes : (bytes + 63) & ~(ptrdiff_t)63;
}

/* `rows` image rows from `first` on, `step` apart, to (value, tap) rows: the tile's columns of windows. */
static __attribute__((noinline)) void FN(row_windows)(const numpool_job *job, const numpool_tile *tile, const char *plane,
                                                      ptrdiff_t first, ptrdiff_t rows, ptrdiff_t step, ptrdiff_t first_tap,
                                                      ptrdiff_t tap_weight, char *packed, char *dst, ptrdiff_t apart)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const numpool_axis *w = &job->w;
    const ptrdiff_t start = tile->col0 * w->stride - w->before, taps = w->kernel;
    const ptrdiff_t span = (cols - 1) * w->stride + (taps - 1) * w->step + 1;
    const ptrdiff_t low = numpool_min(numpool_max(start, 0), numpool_max(start + span, 0));
    const ptrdiff_t high = numpool_max(low, numpool_min(start + span, w->in));
    const ptrdiff_t left = numpool_min(low - start, span), pixels = high - low, right = span - left - pixels;
    const ptrdiff_t pitch = FN(pitch)(span * lanes), dst_pitch = FN(pitch)(cols * lanes);
    const ptrdiff_t at_once = numpool_max(1, NUMPOOL_PACKED / numpool_max(pitch, 1));
    const int halves = w->stride == 2 && lanes == 1 && w->step == 1 && taps <= 5;
    /* rows that are comparable as they lie, and that `across` reads exactly, need no packing */
    const int as_is = KIND == KIND_FLOAT && !MINIMUM && left + right == 0 && job->x.pixel == lanes * ELEM_SIZE
                      && (w->stride == 1 ? cols * lanes >= LANES : lanes >= LANES);
    for (ptrdiff_t r = 0; r < rows; r += at_once) {
        const ptrdiff_t some = numpool_min(at_once, rows - r);
        numpool_fold f = {.src = plane + (first + r * step) * job->x.row + low * job->x.pixel + tile->lane0 * ELEM_SIZE,
                          .src_pitch = step * job->x.row, .taps = 1, .dst = packed + left * lanes * ACC_SIZE,
                          .dst_pitch = pitch, .rows = some, .n = pixels * lanes, .job = job};
        if (as_is || pixels == 0) {
            /* nothing to pack */
        } else if (job->x.pixel == lanes * ELEM_SIZE) {
            FN(pack_guarded)(&f, job->x.end);
        } else {
            for (ptrdiff_t i = 0; i < some; i++) { /* pixels apart: each is a row of its own */
                numpool_fold g = f;
                g.src += i * f.src_pitch;
                g.dst += i * pitch;
                g.src_pitch = job->x.pixel;
                g.dst_pitch = lanes * ACC_SIZE;
                g.rows = pixels;
                g.n = lanes;
                FN(pack_guarded)(&g, job->x.end);
            }
        }
        for (ptrdiff_t i = 0; left && i < some; i++)
            FN(fill)(packed + i * pitch, left * lanes);
        for (ptrdiff_t i = 0; right && i < some; i++)
            FN(fill)(packed + i * pitch + (left + pixels) * lanes * ACC_SIZE, right * lanes);
        const ptrdiff_t from_pitch = as_is ? f.src_pitch : pitch;
        f = (numpool_fold){.src = as_is ? f.src : packed, .src_pitch = from_pitch,
                           .step = w->step * lanes * ACC_SIZE, .taps = taps, .first_tap = first_tap, .tap_weight = tap_weight,
                           .dst = dst + r * dst_pitch, .dst_pitch = dst_pitch, .dst_apart = apart, .rows = some, .n = cols * lanes, .job = job};
        if (w->stride == 1 || cols == 1) {
            CORE(across)(&f);
        } else if (halves) {
            CORE(across2)(&f);
        } else {
            f.src_pitch = w->stride * lanes * ACC_SIZE;
            f.dst_pitch = lanes * ACC_SIZE;
            f.rows = cols;
            f.n = lanes;
            for (ptrdiff_t i = 0; i < some; i++, f.src += from_pitch, f.dst += dst_pitch)
                CORE(across)(&f);
        }
    }
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t cols = tile->col1 - tile->col0, lanes = tile->lane1 - tile->lane0;
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t pitch = FN(pitch)(cols * lanes), kw = w->kernel;
    const ptrdiff_t span = job->parts ? numpool_min(kw, NUMPOOL_PART) : (cols - 1) * w->stride + (kw - 1) * w->step + 1;
    const ptrdiff_t packed_pitch = FN(pitch)(span * lanes);
    const ptrdiff_t packed_size = packed_pitch + NUMPOOL_PACKED + 2 * NUMPOOL_SLACK; /* the larger, and never less for more */
    const ptrdiff_t tall = numpool_min(h->kernel, NUMPOOL_PART), out_rows = tile->row1 - tile->row0;
    const ptrdiff_t room = out_rows == 1 ? tall : (out_rows - 1) * h->stride + (tall - 1) * h->step + 1;
    const ptrdiff_t apart = (room + out_rows + 1) * pitch + 2 * NUMPOOL_SLACK; /* rows of the first stage, then the best */
    if (!scratch)
        return packed_size + 2 * apart;
    char *packed = scratch, *rows = packed + packed_size, *best = rows + room * pitch + NUMPOOL_SLACK;
    /* a tap's number in its window, or, where one fits into the accumulator, its position from tap 0 */
    const ptrdiff_t fall = h->step * job->position.row, move = w->step * job->position.pixel;
    const int offsets = !job->window_index && (h->kernel - 1) * fall + (kw - 1) * move < INT32_MAX;
    const ptrdiff_t unit_x = offsets ? move : 1, unit_y = offsets ? fall : kw;

    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->out, first = row % h->out;
        next = numpool_min(tile->row1, row - first + h->out);
        const ptrdiff_t last = first + next - row;
        const char *from = job->x.data + numpool_lead(job, job->x.lead, plane);
        if (job->parts) { /* one window at a time, its taps as the columns of an image of its own */
            const numpool_window down = numpool_clip(h, first), right = numpool_clip(w, tile->col0);
            const numpool_tile one = {.col1 = 1, .lane0 = tile->lane0, .lane1 = tile->lane1};
            numpool_job part = *job;
            FN(fill)(best, lanes);
            memset(best + apart, 0, lanes * ACC_SIZE);
            for (ptrdiff_t i = 0; i < down.taps; i += NUMPOOL_PART)
                for (ptrdiff_t j = 0; j < right.taps; j += NUMPOOL_PART) {
                    const ptrdiff_t some = numpool_min(NUMPOOL_PART, down.taps - i);
                    const ptrdiff_t across = numpool_min(NUMPOOL_PART, right.taps - j);
                    part.x.pixel = w->step * job->x.pixel;
                    part.w = (numpool_axis){.in = across, .out = 1, .kernel = across, .stride = 1, .step = 1, .passes = 1};
                    FN(row_windows)(&part, &one, from + (right.first + j * w->step) * job->x.pixel,
                                    down.first + i * h->step, some, h->step, right.skipped + j, unit_x, packed, rows, apart);
                    numpool_fold f = {.src = rows, .src_pitch = pitch, .step = pitch, .taps = some, .rows = 1,
                                      .first_tap = down.skipped + i, .tap_weight = unit_y, .n = lanes, .src_apart = apart,
                                      .dst = best + pitch, .dst_pitch = pitch, .dst_apart = apart, .job = job};
                    CORE(upright)(&f);
                    CORE(join)((ACC *)(void *)best, (SIGNED(ACC_SIZE) *)(void *)(best + apart), pitch / ACC_SIZE, lanes);
                }
        } else {
            const int alone = last - first == 1; /* then only the window's own rows, which may lie apart */
            const numpool_window top = numpool_clip(h, first);
            const ptrdiff_t unit = alone ? h->step : 1;
            const ptrdiff_t begin = alone ? top.first : numpool_max(0, first * h->stride - h->before);
            const ptrdiff_t stop = (last - 1) * h->stride - h->before + (h->kernel - 1) * h->step + 1;
            const ptrdiff_t count = alone ? top.taps : numpool_max(0, numpool_min(h->in, stop) - begin);
            FN(row_windows)(job, tile, from, begin, count, unit, 0, unit_x, packed, rows, apart);
            ptrdiff_t inner, outer;
            numpool_interior(h, &inner, &outer);
            for (ptrdiff_t r = first, end; r < last; r = end) {
                const numpool_window window = numpool_clip(h, r);
                end = r >= inner && r < outer ? numpool_min(outer, last) : r + 1;
                numpool_fold f = {.src = rows + (window.first - begin) / unit * pitch, .src_pitch = h->stride * pitch,
                                  .step = h->step / unit * pitch, .taps = window.taps, .first_tap = window.skipped,
                                  .tap_weight = unit_y, .rows = end - r, .n = cols * lanes, .src_apart = apart,
                                  .dst = best + (r - first) * pitch, .dst_pitch = pitch, .dst_apart = apart, .job = job};
                if (window.taps)
                    CORE(upright)(&f);
                else
                    FN(fill)(f.dst, f.n);
            }
        }
        const ptrdiff_t position = numpool_lead(job, job->position.lead, plane);
        char *y = job->y.data + numpool_lead(job, job->y.lead, plane) + first * job->y.row
                  + tile->col0 * job->y.pixel + tile->lane0 * ELEM_SIZE;
        char *index = job->index.data + numpool_lead(job, job->index.lead, plane) + first * job->index.row
                      + tile->col0 * job->index.pixel + tile->lane0 * job->index_size;
        for (ptrdiff_t r = first; r < last; r++)
            FN(finish)(job, tile, r, best + (r - first) * pitch, best + apart + (r - first) * pitch,
                       y + (r - first) * job->y.row, index + (r - first) * job->index.row, position, offsets);
    }
    return 0;
}
#undef CORE
#undef TO_ACC
#undef FROM_ACC
#undef FLIP
#include "undefine.h"
