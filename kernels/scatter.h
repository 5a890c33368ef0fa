/* Template: the pass SCATTER of extremum_backward.h: any windows, whose indices may name any place of their plane. A tile is whole
 * planes: zero, then each window adds its gradient to the place that its index names, in the order of the windows. */

#if KIND == KIND_HALF
#define WIDE_LOAD(x) HALF_LOAD((uint16_t)(x))
#define NARROW(x) ((ELEM)HALF_STORE(x))
#else
#define WIDE_LOAD(x) (x)
#define NARROW(x) (x)
#endif

/* Gradients to the accumulator. */
static void FN(widen)(ACC *sums, const char *row, ptrdiff_t n)
{
    const ELEM *from = (const ELEM *)(const void *)row;
    for (ptrdiff_t i = 0; i < n; i++)
        sums[i] = WIDE_LOAD(from[i]);
}

/* Sums to a row of grad_input: count pixels of so many lanes, `pixel` bytes apart. */
static void FN(put_row)(char *row, const ACC *sums, ptrdiff_t count, ptrdiff_t lanes, ptrdiff_t pixel)
{
    if (pixel == lanes * ELEM_SIZE) {
        lanes *= count;
        count = 1;
    }
    for (ptrdiff_t i = 0; i < count; i++, sums += lanes, row += pixel) {
        ELEM *to = (ELEM *)(void *)row;
        for (ptrdiff_t j = 0; j < lanes; j++)
            to[j] = NARROW(sums[j]);
    }
}
#undef WIDE_LOAD
#undef NARROW

/* Where a byte's tap lies, counted from tap 0: as an offset, and in rows and columns of the image. */
typedef struct {
    ptrdiff_t offset; /* -1: no tap; -2: no tap of any window */
    int32_t down, right;
} FN(tap);

/* n positions that count pixels, `scale` elements each, and their gradients; the sums are those of the first one. Returns
 * `bad`, or 1 where one is wrong. */
ALWAYS_INLINE int FN(add_lanes)(const uint64_t *index, const ACC *grad, ptrdiff_t n, uint64_t zero, uint64_t span,
                                ptrdiff_t scale, ACC *sums, int bad)
{
    for (ptrdiff_t l = 0; l < n; l++) {
        const uint64_t at = index[l];
        if (at - zero < span)
            sums[(ptrdiff_t)(at - zero) * scale + l] += grad[l];
        else
            bad |= at != (uint64_t)-1;
    }
    return bad;
}

typedef int64_t FN(positions) __attribute__((vector_size(VECTOR_BYTES)));

/* The same for so many that are compared at once, and used as they were read then. */
ALWAYS_INLINE int FN(add_together)(const uint64_t *index, const ACC *grad, uint64_t zero, uint64_t span, ptrdiff_t scale,
                                   ACC *sums, int bad)
{
    int64_t at[NUMPOOL_TOGETHER], sign = 0;
    FN(positions) signs = {0};
    for (int l = 0; l < NUMPOOL_TOGETHER; l += LANES_8) {
        FN(positions) own;
        memcpy(&own, index + l, sizeof own);
        own -= (int64_t)zero;
        signs |= own | ((int64_t)span - 1 - own);
        memcpy(at + l, &own, sizeof own);
    }
    for (int i = 0; i < LANES_8; i++)
        sign |= signs[i];
    if (sign < 0)
        return FN(add_lanes)(index, grad, NUMPOOL_TOGETHER, zero, span, scale, sums, bad);
    for (int l = 0; l < NUMPOOL_TOGETHER; l++)
        sums[at[l] * scale + l] += grad[l];
    return bad;
}

/* Windows of `lanes` positions; the steps lead from window to window. */
ALWAYS_INLINE int FN(add_positions)(const char *index, ptrdiff_t index_step, const char *grad, ptrdiff_t grad_step,
                                    ptrdiff_t windows, ptrdiff_t lanes, uint64_t zero, uint64_t span, ptrdiff_t scale, ACC *sums)
{
    int bad = 0;
    if (lanes == 1) {
#pragma GCC unroll 4
        for (ptrdiff_t w = 0; w < windows; w++)
            bad = FN(add_lanes)((const uint64_t *)(const void *)(index + w * index_step),
                                (const ACC *)(const void *)(grad + w * grad_step), 1, zero, span, scale, sums, bad);
        return bad;
    }
    for (ptrdiff_t w = 0; w < windows; w++, index += index_step, grad += grad_step) {
        const uint64_t *at = (const uint64_t *)(const void *)index;
        const ACC *from = (const ACC *)(const void *)grad;
        ptrdiff_t l = 0;
        for (; l + NUMPOOL_TOGETHER <= lanes; l += NUMPOOL_TOGETHER)
            bad = FN(add_together)(at + l, from + l, zero, span, scale, sums + l, bad);
        bad = FN(add_lanes)(at + l, from + l, lanes - l, zero, span, scale, sums + l, bad);
    }
    return bad;
}

/* Elements [first, last) of a piece of byte taps whose windows are inside the image; `move` elements from one to the next. */
ALWAYS_INLINE int FN(add_taps)(const FN(piece) *piece, ptrdiff_t first, ptrdiff_t last, const FN(tap) *taps, ptrdiff_t move,
                               ACC *sums)
{
    const uint8_t *tap = (const uint8_t *)piece->index;
    const ACC *grad = (const ACC *)(const void *)piece->grad;
    int bad = 0;
    for (ptrdiff_t i = first; i < last; i++) {
        const ptrdiff_t offset = taps[tap[i]].offset;
        if (offset >= 0)
            sums[offset + i * move] += grad[i];
        else
            bad |= offset != -1;
    }
    return bad;
}

/* The same for windows that reach beyond it. Without sums (NULL) they are checked. */
static int FN(add_edge_taps)(const numpool_job *job, const FN(piece) *piece, ptrdiff_t first, ptrdiff_t last,
                             const FN(tap) *taps, ptrdiff_t move, ACC *sums)
{
    const uint8_t *tap = (const uint8_t *)piece->index;
    const ACC *grad = (const ACC *)(const void *)piece->grad;
    const ptrdiff_t y = piece->row * job->h.stride - job->h.before, step = piece->move * job->w.stride;
    ptrdiff_t x = (piece->column + first * piece->move) * job->w.stride - job->w.before;
    int bad = 0;
    for (ptrdiff_t i = first; i < last; i++, x += step) {
        const FN(tap) *at = taps + tap[i];
        const int good = at->offset >= 0 && y + at->down >= 0 && y + at->down < job->h.in && x + at->right >= 0
                         && x + at->right < job->w.in;
        bad |= !good && at->offset != -1;
        if (sums && good)
            sums[at->offset + i * move] += grad[i];
    }
    return bad;
}

/* Byte taps: where they lie, and which windows are inside the image. */
typedef struct {
    FN(tap) at[UINT8_MAX + 1];
    ptrdiff_t top, bottom, left, right;
} FN(taps);

static void FN(find_interior)(const numpool_job *job, FN(taps) *taps)
{
    numpool_interior(&job->h, &taps->top, &taps->bottom);
    numpool_interior(&job->w, &taps->left, &taps->right);
}

static void FN(fill_taps)(const numpool_job *job, ptrdiff_t pitch, ptrdiff_t pixel, FN(taps) *taps)
{
    for (ptrdiff_t t = 0; t <= UINT8_MAX; t++)
        taps->at[t].offset = t == UINT8_MAX ? -1 : -2;
    for (ptrdiff_t j = 0, t = 0; j < job->h.kernel; j++)
        for (ptrdiff_t k = 0; k < job->w.kernel; k++, t++) {
            const ptrdiff_t down = j * job->h.step, right = k * job->w.step;
            taps->at[t] = (FN(tap)){down * pitch + right * pixel, (int32_t)down, (int32_t)right};
        }
    FN(find_interior)(job, taps);
}

/* Which elements of a piece belong to windows inside the image. */
ALWAYS_INLINE void FN(find_inside)(const FN(taps) *taps, const FN(piece) *piece, ptrdiff_t *first, ptrdiff_t *last)
{
    const int level = piece->row >= taps->top && piece->row < taps->bottom;
    if (!level || !piece->move) {
        *first = 0;
        *last = level && piece->column >= taps->left && piece->column < taps->right ? piece->n : 0;
        return;
    }
    *first = numpool_min(numpool_max(0, taps->left - piece->column), piece->n);
    *last = numpool_max(*first, numpool_min(taps->right - piece->column, piece->n));
}

/* The windows of one plane. */
static int FN(scatter)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t pitch, ptrdiff_t pixel,
                       const FN(taps) *taps, char *scratch, ACC *sums)
{
    const ptrdiff_t most = numpool_max(NUMPOOL_RUN, job->lanes);
    ptrdiff_t *place = (ptrdiff_t *)(void *)scratch;
    ACC *grads = (ACC *)(void *)(place + most);
    int32_t *numbers = (int32_t *)(void *)(grads + most);
    const int by_pixels = FN(counts_pixels)(job) && pitch == job->position.row * pixel;
    const int by_taps = job->window_index && job->index_size == 1;
    const uint64_t span = (uint64_t)(job->h.in * job->position.row);
    int bad = 0;
    if (by_pixels && KIND == KIND_FLOAT) {
        const ptrdiff_t lanes = tile->lane1 - tile->lane0, rows = FN(is_flat)(job) ? job->h.out : 1, n = rows * job->w.out;
        const ptrdiff_t i = job->index.pixel, g = job->y.pixel;
        for (ptrdiff_t r = 0; r < job->h.out; r += rows) {
            const FN(piece) row = FN(row_at)(job, tile, plane, r);
            const uint64_t zero = (uint64_t)row.zero;
            bad |= lanes == 3   ? FN(add_positions)(row.index, i, row.grad, g, n, 3, zero, span, pixel, sums)
                   : lanes > 1  ? FN(add_positions)(row.index, i, row.grad, g, n, lanes, zero, span, pixel, sums)
                   : pixel == 1 ? FN(add_positions)(row.index, i, row.grad, g, n, 1, zero, span, 1, sums)
                                : FN(add_positions)(row.index, i, row.grad, g, n, 1, zero, span, pixel, sums);
        }
        return bad;
    }
    for (ptrdiff_t r = 0; r < job->h.out; r++) {
        FN(piece) piece = FN(row_at)(job, tile, plane, r);
        do {
            FN(piece) own = piece;
            ptrdiff_t first, last;
            if (KIND == KIND_HALF) {
                FN(widen)(grads, piece.grad, piece.n);
                own.grad = (const char *)grads;
            }
            if (by_pixels) { /* halves, widened */
                const ptrdiff_t i = job->index.pixel, windows = own.move ? own.n : 1, lanes = own.move ? 1 : own.n;
                bad |= FN(add_positions)(own.index, i, own.grad, ACC_SIZE, windows, lanes, (uint64_t)own.zero, span, pixel, sums);
            } else if (by_taps) {
                const ptrdiff_t move = own.move ? job->w.stride * pixel : 1;
                ACC *from = sums + (r * job->h.stride - job->h.before) * pitch
                            + (own.column * job->w.stride - job->w.before) * pixel;
                FN(find_inside)(taps, &own, &first, &last);
                bad |= FN(add_edge_taps)(job, &own, 0, first, taps->at, move, from);
                bad |= FN(add_taps)(&own, first, last, taps->at, move, from);
                bad |= FN(add_edge_taps)(job, &own, last, own.n, taps->at, move, from);
            } else if (FN(places)(job, &own, pitch, pixel, numbers, place)) {
                return NUMPOOL_BAD;
            } else {
                const ACC *grad = (const ACC *)(const void *)own.grad;
                for (ptrdiff_t i = 0; i < own.n; i++)
                    if (place[i] >= 0)
                        sums[place[i] + i * !own.move] += grad[i];
            }
        } while (FN(advance)(job, &piece));
    }
    return bad;
}

/* Whether a plane of single lanes is one piece in memory, as are its indices and gradients. */
static int FN(is_solid)(const numpool_job *job)
{
    return job->lanes == 1 && FN(is_flat)(job) && job->x.pixel == ELEM_SIZE && job->x.row == job->w.in * ELEM_SIZE;
}

/* Whether such planes lie one behind the other. */
static int FN(is_dense)(const numpool_job *job)
{
    const ptrdiff_t in = job->h.in * job->w.in, out = job->h.out * job->w.out;
    return FN(is_solid)(job)
           && (job->leads == 0
               || (job->leads == 1 && job->x.lead[0] == in * ELEM_SIZE && job->y.lead[0] == out * ELEM_SIZE
                   && job->index.lead[0] == out * job->index_size));
}

/* Whether positions count the elements of each such plane: most are small, and what is done once a plane counts. */
static int FN(is_stack)(const numpool_job *job)
{
    return KIND == KIND_FLOAT && FN(is_dense)(job) && FN(counts_pixels)(job) && job->position.row == job->w.in
           && (job->leads == 0 || job->position.lead[0] == 0);
}

/* Windows of so many of these planes (a constant), one of each in turn: neighbours that overlap often name one place, and the
 * second waits for the first. While gradients are scattered over some planes, the next ones are fetched, `ahead` bytes of each a
 * window. */
ALWAYS_INLINE int FN(scatter_planes)(const uint64_t *index, const ACC *grad, ACC *sums, ptrdiff_t in, ptrdiff_t out, int planes,
                                     ptrdiff_t ahead)
{
    const ptrdiff_t most = ahead ? NUMPOOL_MEANWHILE : out, share = planes * ahead;
    int bad = 0;
    memset(sums, 0, planes * in * ACC_SIZE);
    for (ptrdiff_t i = 0, next; i < out; i = next) {
        next = numpool_min(i + most, out);
        if (ahead)
            numpool_fetch((const char *)(sums + planes * in) + i * share, (next - i) * share);
        if (planes == 1) {
            const char *own_index = (const char *)(index + i), *own_grad = (const char *)(grad + i);
            bad |= FN(add_positions)(own_index, 8, own_grad, ACC_SIZE, next - i, 1, 0, (uint64_t)in, 1, sums);
            continue;
        }
#pragma GCC unroll 4
        for (; i < next; i++)
#pragma GCC unroll 4
            for (int p = 0; p < planes; p++)
                bad = FN(add_lanes)(index + p * out + i, grad + p * out + i, 1, 0, (uint64_t)in, 1, sums + p * in, bad);
    }
    return bad;
}

static int FN(scatter_stack)(const numpool_job *job, ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t in = job->h.in * job->w.in, out = job->h.out * job->w.out;
    const ptrdiff_t ahead = job->x.end - job->x.data > NUMPOOL_NEAR ? in * ACC_SIZE / out : 0;
    const uint64_t *index = (const uint64_t *)(const void *)job->index.data + first * out;
    const ACC *grad = (const ACC *)(const void *)job->y.data + first * out;
    ACC *sums = (ACC *)(void *)job->x.data + first * in;
    const ptrdiff_t most = job->h.kernel > job->h.stride || job->w.kernel > job->w.stride ? NUMPOOL_IN_TURN : 1;
    int bad = 0;
    for (ptrdiff_t plane = first, some; plane < last; plane += some) {
        some = numpool_min(most, last - plane);
        bad |= some == 4   ? FN(scatter_planes)(index, grad, sums, in, out, 4, ahead)
               : some == 3 ? FN(scatter_planes)(index, grad, sums, in, out, 3, ahead)
               : some == 2 ? FN(scatter_planes)(index, grad, sums, in, out, 2, ahead)
                           : FN(scatter_planes)(index, grad, sums, in, out, 1, ahead);
        index += some * out;
        grad += some * out;
        sums += some * in;
    }
    return bad;
}

static ptrdiff_t FN(scatter_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, in_row = job->w.in * lanes;
    const int direct = KIND == KIND_FLOAT && job->x.row % ACC_SIZE == 0 && job->x.pixel % ACC_SIZE == 0;
    const ptrdiff_t most = numpool_max(NUMPOOL_RUN, job->lanes);
    const ptrdiff_t taken = (sizeof(FN(taps)) + most * (sizeof(ptrdiff_t) + ACC_SIZE + 4) + 63) / 64 * 64;
    if (!scratch)
        return taken + (direct ? 0 : job->h.in * in_row * ACC_SIZE);
    const ptrdiff_t pitch = direct ? job->x.row / ACC_SIZE : in_row, pixel = direct ? job->x.pixel / ACC_SIZE : lanes;
    /* what is zeroed at once: a plane, a row, or a pixel */
    const ptrdiff_t columns = pixel == lanes ? job->w.in : 1, rows = columns > 1 && pitch == in_row ? job->h.in : 1;
    FN(taps) *taps = (FN(taps) *)(void *)scratch;
    if (FN(is_stack)(job))
        return FN(scatter_stack)(job, tile->row0 / job->h.in, tile->row1 / job->h.in) ? NUMPOOL_BAD : 0;
    if (job->window_index && job->index_size == 1)
        FN(fill_taps)(job, pitch, pixel, taps);
    for (ptrdiff_t plane = tile->row0 / job->h.in; plane < tile->row1 / job->h.in; plane++) {
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + tile->lane0 * ELEM_SIZE;
        ACC *sums = (ACC *)(void *)(direct ? to : scratch + taken);
        for (ptrdiff_t i = 0; i < job->h.in; i += rows)
            for (ptrdiff_t j = 0; j < job->w.in; j += columns)
                memset(sums + i * pitch + j * pixel, 0, rows * columns * lanes * ACC_SIZE);
        if (FN(scatter)(job, tile, plane, pitch, pixel, taps, (char *)(taps + 1), sums))
            return NUMPOOL_BAD;
        for (ptrdiff_t i = 0; i < job->h.in && !direct; i++)
            FN(put_row)(to + i * job->x.row, sums + i * in_row, job->w.in, lanes, job->x.pixel);
    }
    return 0;
}
