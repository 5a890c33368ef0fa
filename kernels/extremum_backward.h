/* Template: the gradient of a maximum or minimum: every window gives its grad to the place that its index names, and each
 * place sums what it is given in the order of the windows. Four passes (numpool_job.gradient):
 *
 *     TILES     windows side by side whose indices name taps of their own: each input element is written once.
 *               Returns NUMPOOL_FOREIGN where an index names something else
 *     GATHER    small windows that overlap and whose indices name taps of their own, see gather.h; returns the same
 *     SCATTER   any windows; an index may name any place of its plane; a tile is whole planes
 *     CHECK     looks at the indices of some output rows and writes nothing
 *
 * Nothing is used as an address before it has been compared with the size of the plane. */
#define ACC_SIZE NUMPOOL_CAT(BACKWARD_ACC_, ELEM_SIZE)
#define ACC NUMPOOL_CAT(BACKWARD_TYPE_, ELEM_SIZE)

/* Windows in a row of one plane (`move` 1, single lanes), or lanes of one window (`move` 0). */
typedef struct {
    const char *index, *grad;
    ptrdiff_t n, row, column, move; /* elements; the first window */
    int64_t zero, step;             /* the position of the plane's first element in that lane; from element to element */
} FN(piece);

/* --- indices as numbers ------------------------------------------------------------------------------------------- */

/* Tap numbers, -1 for none, and -2 for what is no tap of any window. */
static void FN(read_taps)(const numpool_job *job, const FN(piece) *piece, int32_t *tap)
{
    const uint32_t taps = (uint32_t)(job->h.kernel * job->w.kernel);
    const uint8_t *bytes = (const uint8_t *)piece->index;
    const uint16_t *words = (const uint16_t *)(const void *)piece->index;
    const int32_t *numbers = (const int32_t *)(const void *)piece->index;
    if (job->index_size == 1)
        for (ptrdiff_t i = 0; i < piece->n; i++)
            tap[i] = bytes[i] < taps ? bytes[i] : bytes[i] == UINT8_MAX ? -1 : -2;
    else if (job->index_size == 2)
        for (ptrdiff_t i = 0; i < piece->n; i++)
            tap[i] = words[i] < taps ? words[i] : words[i] == UINT16_MAX ? -1 : -2;
    else
        for (ptrdiff_t i = 0; i < piece->n; i++)
            tap[i] = (uint32_t)numbers[i] < taps ? numbers[i] : numbers[i] == -1 ? -1 : -2;
}

/* Positions in the plane and lane, -1 for none, and -2 for what lies outside. */
static void FN(read_positions)(const numpool_job *job, const FN(piece) *piece, int32_t *position)
{
    const int64_t *at = (const int64_t *)(const void *)piece->index;
    const uint64_t span = (uint64_t)(job->h.in * job->position.row);
    for (ptrdiff_t i = 0; i < piece->n; i++) {
        const uint64_t rest = (uint64_t)at[i] - (uint64_t)(piece->zero + i * piece->step);
        position[i] = rest < span ? (int32_t)rest : at[i] == -1 ? -1 : -2;
    }
}

/* The elements that a piece's indices name, as offsets from the first of the plane, `pitch` a row and `pixel` a column; -1
 * for none. `numbers` is scratch. Returns 1 when one is wrong. */
static int FN(places)(const numpool_job *job, const FN(piece) *piece, ptrdiff_t pitch, ptrdiff_t pixel, int32_t *numbers,
                      ptrdiff_t *place)
{
    int bad = 0;
    if (job->window_index) {
        const int32_t kw = (int32_t)job->w.kernel;
        const double by_kw = 1 / (double)kw;
        const ptrdiff_t y0 = piece->row * job->h.stride - job->h.before;
        const ptrdiff_t x0 = piece->column * job->w.stride - job->w.before, move = piece->move * job->w.stride;
        FN(read_taps)(job, piece, numbers);
        for (ptrdiff_t i = 0; i < piece->n; i++) {
            const int32_t tap = numbers[i], down = numpool_quotient(tap, by_kw);
            const ptrdiff_t y = y0 + down * job->h.step, x = x0 + i * move + (tap - down * kw) * job->w.step;
            const int good = tap >= 0 && y >= 0 && y < job->h.in && x >= 0 && x < job->w.in;
            bad |= !(good | (tap == -1));
            place[i] = good ? y * pitch + x * pixel : -1;
        }
        return bad;
    }
    const int32_t row = (int32_t)job->position.row, step = (int32_t)job->position.pixel;
    const double by_row = 1 / (double)row, by_step = 1 / (double)step;
    FN(read_positions)(job, piece, numbers);
    for (ptrdiff_t i = 0; i < piece->n; i++) {
        const int32_t y = numpool_quotient(numbers[i], by_row), rest = numbers[i] - y * row;
        const int32_t x = numpool_quotient(rest, by_step);
        const int good = numbers[i] >= 0 && x * step == rest; /* else another channel's position */
        bad |= !(good | (numbers[i] == -1));
        place[i] = good ? y * pitch + x * pixel : -1;
    }
    return bad;
}

/* The beginning of an output row: as many windows as can go together. */
ALWAYS_INLINE FN(piece) FN(row_at)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t row)
{
    const int single = job->lanes == 1 && job->index.pixel == job->index_size && job->y.pixel == ELEM_SIZE;
    return (FN(piece)){.index = job->index.data + numpool_lead(job, job->index.lead, plane) + row * job->index.row
                                + tile->lane0 * job->index_size,
                       .grad = job->y.data + numpool_lead(job, job->y.lead, plane) + row * job->y.row + tile->lane0 * ELEM_SIZE,
                       .n = single ? numpool_min(job->w.out, NUMPOOL_RUN) : tile->lane1 - tile->lane0,
                       .row = row, .move = single, .step = single ? 0 : job->position.lane,
                       .zero = numpool_lead(job, job->position.lead, plane) + tile->lane0 * job->position.lane};
}

/* On to the windows behind the piece. Returns 0 at the row's end. */
ALWAYS_INLINE int FN(advance)(const numpool_job *job, FN(piece) *piece)
{
    const ptrdiff_t windows = piece->move ? piece->n : 1;
    piece->column += windows;
    piece->index += windows * job->index.pixel;
    piece->grad += windows * job->y.pixel;
    if (piece->move)
        piece->n = numpool_min(piece->n, job->w.out - piece->column);
    return piece->column < job->w.out;
}

/* Whether every number below the plane's size is the position of an element, whatever the lane. */
ALWAYS_INLINE int FN(counts_pixels)(const numpool_job *job)
{
    return !job->window_index && job->position.pixel == 1 && job->position.lane == 0;
}

/* Whether the indices and gradients of a plane are one piece in memory. */
ALWAYS_INLINE int FN(is_flat)(const numpool_job *job)
{
    return job->index.pixel == job->lanes * job->index_size && job->index.row == job->w.out * job->index.pixel
           && job->y.pixel == job->lanes * ELEM_SIZE && job->y.row == job->w.out * job->y.pixel;
}

/* The position of tap 0 of a piece's first window, which may lie outside the image. */
ALWAYS_INLINE int64_t FN(window_start)(const numpool_job *job, const FN(piece) *piece)
{
    return piece->zero + numpool_start(&job->h, piece->row) * job->position.row
           + numpool_start(&job->w, piece->column) * job->position.pixel;
}

#include "scatter.h"
#if KIND == KIND_FLOAT
#include "tap_vectors.h"
#include "gather.h"
#endif
#include "tiles.h"
#include "check.h"

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    return (job->gradient == NUMPOOL_TILES ? FN(tile_block)
#if KIND == KIND_FLOAT
            : job->gradient == NUMPOOL_GATHER ? FN(gather_block)
#endif
            : job->gradient == NUMPOOL_SCATTER ? FN(scatter_block) : FN(check_block))(job, tile, scratch);
}
#undef LANES
#undef ACC
#undef ACC_SIZE
