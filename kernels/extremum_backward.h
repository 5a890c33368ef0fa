/* Template: the gradient of a maximum or minimum: every window gives its grad to the place that its index names, and each
 * place sums what it is given in the order of the windows. Four passes (numpool_job.pass):
 *
 *     SPREAD    windows side by side whose indices name taps of their own: each input element is written once.
 *               Returns NUMPOOL_FOREIGN where an index names something else
 *     GATHER    small windows that overlap and whose indices name taps of their own, see gather.h; returns the same
 *     SCATTER   any windows; an index may name any place of its plane; a tile is whole planes
 *     CHECK     looks at the indices of some output rows and writes nothing
 *
 * Nothing is used as an address before it has been compared with the size of the plane. */
#define ACC_SIZE NUMPOOL_CAT(BACKWARD_ACC_, ELEM_SIZE)
#define ACC NUMPOOL_CAT(BACKWARD_TYPE_, ELEM_SIZE)
#define COMMON(part) NUMPOOL_JOIN(backward, DTYPE, part)

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

/* --- SCATTER ------------------------------------------------------------------------------------------------------ */

/* Where a byte's tap lies, counted from tap 0: as an offset, and in rows and columns of the image. */
typedef struct {
    ptrdiff_t offset; /* -1: no tap; -2: no tap of any window */
    int32_t down, right;
} FN(tap);

/* Windows of `lanes` positions that count pixels, `scale` elements each; the steps lead from window to window. */
ALWAYS_INLINE int FN(add_positions)(const char *index, ptrdiff_t index_step, const char *grad, ptrdiff_t grad_step,
                                    ptrdiff_t windows, ptrdiff_t lanes, uint64_t zero, uint64_t span, ptrdiff_t scale, ACC *sums)
{
    int bad = 0;
    for (ptrdiff_t w = 0; w < windows; w++, index += index_step, grad += grad_step)
        for (ptrdiff_t l = 0; l < lanes; l++) {
            const uint64_t at = ((const uint64_t *)(const void *)index)[l];
            if (at - zero < span)
                sums[(ptrdiff_t)(at - zero) * scale + l] += ((const ACC *)(const void *)grad)[l];
            else
                bad |= at != (uint64_t)-1;
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

static void FN(fill_taps)(const numpool_job *job, ptrdiff_t pitch, ptrdiff_t pixel, FN(taps) *taps)
{
    for (ptrdiff_t t = 0; t <= UINT8_MAX; t++)
        taps->at[t].offset = t == UINT8_MAX ? -1 : -2;
    for (ptrdiff_t j = 0, t = 0; j < job->h.kernel; j++)
        for (ptrdiff_t k = 0; k < job->w.kernel; k++, t++) {
            const ptrdiff_t down = j * job->h.step, right = k * job->w.step;
            taps->at[t] = (FN(tap)){down * pitch + right * pixel, (int32_t)down, (int32_t)right};
        }
    numpool_interior(&job->h, &taps->top, &taps->bottom);
    numpool_interior(&job->w, &taps->left, &taps->right);
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
                COMMON(widen)((char *)grads, piece.grad, piece.n);
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

/* Whether planes of single lanes lie one behind the other, and positions count the elements of each. */
static int FN(is_stack)(const numpool_job *job)
{
    const ptrdiff_t in = job->h.in * job->w.in, out = job->h.out * job->w.out;
    return KIND == KIND_FLOAT && job->lanes == 1 && FN(counts_pixels)(job) && FN(is_flat)(job)
           && job->position.row == job->w.in && job->x.pixel == ELEM_SIZE && job->x.row == job->w.in * ELEM_SIZE
           && (job->leads == 0
               || (job->leads == 1 && job->position.lead[0] == 0 && job->x.lead[0] == in * ELEM_SIZE
                   && job->y.lead[0] == out * ELEM_SIZE && job->index.lead[0] == out * job->index_size));
}

/* The windows of such planes: most are small, and what is done once a plane counts. */
static int FN(scatter_stack)(const numpool_job *job, ptrdiff_t first, ptrdiff_t last)
{
    const ptrdiff_t in = job->h.in * job->w.in, out = job->h.out * job->w.out;
    const char *index = job->index.data + first * out * 8, *grad = job->y.data + first * out * ELEM_SIZE;
    ACC *sums = (ACC *)(void *)job->x.data + first * in;
    int bad = 0;
    for (ptrdiff_t plane = first; plane < last; plane++, index += out * 8, grad += out * ELEM_SIZE, sums += in) {
        memset(sums, 0, in * ACC_SIZE);
        bad |= FN(add_positions)(index, 8, grad, ACC_SIZE, out, 1, 0, (uint64_t)in, 1, sums);
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
            COMMON(put_phase)(to + i * job->x.row, (char *)(sums + i * in_row), job->w.in, lanes, job->x.pixel);
    }
    return 0;
}

/* The position of tap 0 of a piece's first window, which may lie outside the image. */
ALWAYS_INLINE int64_t FN(window_start)(const numpool_job *job, const FN(piece) *piece)
{
    return piece->zero + numpool_start(&job->h, piece->row) * job->position.row
           + numpool_start(&job->w, piece->column) * job->position.pixel;
}

/* --- vectors of indices and gradients ------------------------------------------------------------------------------ */

#if KIND == KIND_FLOAT
#define LANES LANES_OF(ELEM_SIZE)
typedef ELEM FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef SIGNED(ELEM_SIZE) FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t FN(longs) __attribute__((vector_size(VECTOR_BYTES)));
typedef uint8_t FN(bytes) __attribute__((vector_size(LANES)));

ALWAYS_INLINE FN(vec) FN(load)(const char *p)
{
    FN(vec) x;
    memcpy(&x, p, sizeof x);
    return x;
}

/* What a pass saw of its indices: `lost` is not 0 where one names no tap, `far` has bits from 32 on where one is far off. */
typedef struct {
    FN(ivec) lost;
    FN(longs) far;
} FN(doubts);

static int FN(is_foreign)(const FN(doubts) *doubts)
{
    int foreign = 0;
    for (int i = 0; i < LANES; i++)
        foreign |= doubts->lost[i] != 0;
    for (int i = 0; i < LANES_8; i++)
        foreign |= (uint64_t)doubts->far[i] > UINT32_MAX;
    return foreign;
}

/* What the elements of a piece have in common. A position counts from tap 0 of its own window: that of element i is
 * `first` + i * step. */
typedef struct {
    const FN(piece) *piece;
    int bytewise;
    int32_t down, right; /* from tap to tap, as indices count */
    int64_t first;
    ptrdiff_t step;
    FN(longs) ramp[8 / ELEM_SIZE]; /* multiples of step */
    FN(ivec) none;                 /* "no tap", in the elements from 0 on */
} FN(reading);

ALWAYS_INLINE FN(reading) FN(reading_of)(const numpool_job *job, const FN(piece) *piece, ptrdiff_t step)
{
    const int bytewise = job->window_index;
    FN(reading) r = {.piece = piece, .bytewise = bytewise, .first = bytewise ? 0 : FN(window_start)(job, piece),
                     .down = (int32_t)(bytewise ? job->w.kernel : job->position.row),
                     .right = (int32_t)(bytewise ? 1 : job->position.pixel),
                     .step = bytewise ? 0 : step};
    for (int i = 0; i < LANES; i++) {
        r.ramp[i / LANES_8][i % LANES_8] = i * r.step;
        r.none[i] = (SIGNED(ELEM_SIZE))(bytewise ? UINT8_MAX : -1 - r.first - i * r.step);
    }
    return r;
}

/* Elements from i on: the taps that they name, and their gradients. Returns which name one. */
ALWAYS_INLINE FN(ivec) FN(read_vector)(const FN(reading) *r, ptrdiff_t i, FN(ivec) *tap, FN(ivec) *grad, FN(doubts) *doubts)
{
    *grad = (FN(ivec))FN(load)(r->piece->grad + i * ELEM_SIZE);
    if (r->bytewise) {
        FN(bytes) bytes;
        memcpy(&bytes, r->piece->index + i, sizeof bytes);
        *tap = __builtin_convertvector(bytes, FN(ivec));
        return *tap != r->none;
    }
    const FN(longs) a = (FN(longs))FN(load)(r->piece->index + i * 8) - (r->ramp[0] + r->first + i * r->step);
    doubts->far |= a + ((int64_t)1 << 31);
#if ELEM_SIZE == 8
    *tap = a;
#else
    const FN(longs) b = (FN(longs))FN(load)(r->piece->index + i * 8 + VECTOR_BYTES) - (r->ramp[1] + r->first + i * r->step);
    doubts->far |= b + ((int64_t)1 << 31);
    *tap = SHUFFLE(FN(ivec), (FN(ivec))a, (FN(ivec))b, COUNT_BY_2(LANES, 0)); /* little endian */
#endif
    return *tap != r->none - (SIGNED(ELEM_SIZE))(i * r->step);
}

/* A window of kh x kw taps and of a vector of lanes or more, each tap's to its pixel. */
ALWAYS_INLINE void FN(spread_taps)(const numpool_job *job, const FN(piece) *piece, char *to, ptrdiff_t kh, ptrdiff_t kw,
                                   FN(doubts) *doubts)
{
    const ptrdiff_t row = job->x.row, pixel = job->x.pixel, n = piece->n;
    const FN(reading) reading = FN(reading_of)(job, piece, 0);
    FN(doubts) own_doubts = *doubts;
    for (ptrdiff_t next = 0; next < n; next += LANES) {
        const ptrdiff_t lane = numpool_min(next, n - LANES); /* the last vector may do some lanes again */
        FN(ivec) tap, grad, unnamed = FN(read_vector)(&reading, lane, &tap, &grad, &own_doubts);
        char *line = to + lane * ELEM_SIZE;
        for (ptrdiff_t j = 0; j < kh; j++, line += row) {
            char *at = line;
            int32_t wanted = (int32_t)j * reading.down;
            for (ptrdiff_t k = 0; k < kw; k++, at += pixel, wanted += reading.right) {
                const FN(ivec) named = tap == (FN(ivec)){0} + wanted;
                const FN(vec) own = (FN(vec))(grad & named) + 0;
                memcpy(at, &own, sizeof own);
                unnamed ^= named;
            }
        }
        own_doubts.lost |= unnamed;
    }
    *doubts = own_doubts;
}

/* A row of windows two wide, single lanes: each tap's to its column. A row has a vector of windows, and more. */
ALWAYS_INLINE void FN(spread_pairs)(const numpool_job *job, const FN(piece) *piece, char *to, ptrdiff_t kh, FN(doubts) *doubts)
{
    const ptrdiff_t row = job->x.row;
    const FN(reading) reading = FN(reading_of)(job, piece, job->w.stride * job->position.pixel);
    FN(doubts) own_doubts = *doubts;
    for (ptrdiff_t next = 0; next < piece->n; next += LANES) {
        const ptrdiff_t i = numpool_min(next, piece->n - LANES);
        FN(ivec) tap, grad, unnamed = FN(read_vector)(&reading, i, &tap, &grad, &own_doubts);
        for (ptrdiff_t j = 0; j < kh; j++) {
            const FN(ivec) left = tap == (SIGNED(ELEM_SIZE))(j * reading.down);
            const FN(ivec) right = tap == (SIGNED(ELEM_SIZE))(j * reading.down + reading.right);
            const FN(vec) a = (FN(vec))(grad & left) + 0, b = (FN(vec))(grad & right) + 0;
            const FN(vec) first = SHUFFLE(FN(ivec), a, b, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(0, LANES));
            const FN(vec) last = SHUFFLE(FN(ivec), a, b, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(LANES / 2, LANES));
            memcpy(to + j * row + 2 * i * ELEM_SIZE, &first, sizeof first);
            memcpy(to + j * row + (2 * i + LANES) * ELEM_SIZE, &last, sizeof last);
            unnamed ^= left ^ right;
        }
        own_doubts.lost |= unnamed;
    }
    *doubts = own_doubts;
}

#include "gather.h"
#endif

/* --- SPREAD ------------------------------------------------------------------------------------------------------- */

/* A gradient where `tap` is the wanted one, else 0: never -0, just as in a sum. */
ALWAYS_INLINE ELEM FN(chosen)(int32_t tap, int32_t wanted, ELEM grad)
{
#if KIND == KIND_HALF
    return tap == wanted && grad != INT16_MIN ? grad : 0;
#else
    return (tap == wanted ? grad : 0) + 0;
#endif
}

/* A row of windows two wide, single lanes, to one row of the input. Returns how many taps were found. */
static ptrdiff_t FN(spread_columns)(char *row, const int32_t *tap, const char *grad, ptrdiff_t n, int32_t first, int32_t second)
{
    ELEM *restrict to = (ELEM *)(void *)row;
    const ELEM *restrict from = (const ELEM *)(const void *)grad;
    int32_t found = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        to[2 * i] = FN(chosen)(tap[i], first, from[i]);
        to[2 * i + 1] = FN(chosen)(tap[i], second, from[i]);
        found += (tap[i] == first) + (tap[i] == second);
    }
    return found;
}

/* One tap of one window, to one pixel of the input. */
static ptrdiff_t FN(spread_lanes)(char *pixel, const int32_t *tap, const char *grad, ptrdiff_t n, int32_t wanted)
{
    ELEM *restrict to = (ELEM *)(void *)pixel;
    const ELEM *restrict from = (const ELEM *)(const void *)grad;
    int32_t found = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        to[i] = FN(chosen)(tap[i], wanted, from[i]);
        found += tap[i] == wanted;
    }
    return found;
}

/* The piece's indices, counted from each window's own tap 0; a negative number where there is none. Returns how many are not
 * "no tap". */
static ptrdiff_t FN(own_taps)(const numpool_job *job, const FN(piece) *piece, int32_t *tap)
{
    const int64_t *at = (const int64_t *)(const void *)piece->index;
    const int64_t step = piece->step + piece->move * job->w.stride * job->position.pixel;
    const int64_t start = FN(window_start)(job, piece);
    int32_t some = 0;
    if (job->window_index) {
        FN(read_taps)(job, piece, tap);
        for (ptrdiff_t i = 0; i < piece->n; i++)
            some += tap[i] != -1;
        return some;
    }
    for (ptrdiff_t i = 0; i < piece->n; i++) {
        const uint64_t own = (uint64_t)at[i] - (uint64_t)(start + i * step);
        tap[i] = own <= INT32_MAX ? (int32_t)own : -1;
        some += at[i] != -1;
    }
    return some;
}

/* A tile is rows of windows; the last ones of a plane have what lies behind them as well. */
static ptrdiff_t FN(spread_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, kh = job->h.kernel, kw = job->w.kernel;
    const int32_t down = (int32_t)(job->window_index ? kw : job->position.row);
    const int32_t right = (int32_t)(job->window_index ? 1 : job->position.pixel);
    int32_t *tap = (int32_t *)(void *)scratch;
    if (!scratch)
        return numpool_max(NUMPOOL_RUN, lanes) * 4;
    for (ptrdiff_t row = tile->row0; row < tile->row1; row++) {
        const ptrdiff_t plane = row / job->h.out, r = row % job->h.out;
        const ptrdiff_t rows = r == job->h.out - 1 ? job->h.in - r * kh : kh;
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + r * kh * job->x.row + tile->lane0 * ELEM_SIZE;
        FN(piece) piece = FN(row_at)(job, tile, plane, r);
        if (piece.move && job->x.pixel != ELEM_SIZE)
            return NUMPOOL_FOREIGN;
#if KIND == KIND_FLOAT
        const int narrow = !job->window_index || job->index_size == 1;
        const int vectors = narrow && !piece.move && lanes >= LANES && piece.step == 0;
        const int pairs = narrow && piece.move && job->w.out >= LANES;
        FN(doubts) doubts = {.lost = {0}};
#endif
        do {
            char *at = to + piece.column * kw * job->x.pixel;
#if KIND == KIND_FLOAT
            if (vectors) {
                if (kh == 2 && kw == 2)
                    FN(spread_taps)(job, &piece, at, 2, 2, &doubts);
                else
                    FN(spread_taps)(job, &piece, at, kh, kw, &doubts);
                continue;
            }
            if (pairs) {
                FN(spread_pairs)(job, &piece, at, kh, &doubts);
                continue;
            }
#endif
            ptrdiff_t missing = FN(own_taps)(job, &piece, tap);
            for (ptrdiff_t j = 0; j < kh; j++, at += job->x.row) {
                const int32_t first = (int32_t)j * down;
                if (piece.move)
                    missing -= FN(spread_columns)(at, tap, piece.grad, piece.n, first, first + right);
                for (ptrdiff_t k = 0; k < kw && !piece.move; k++)
                    missing -= FN(spread_lanes)(at + k * job->x.pixel, tap, piece.grad, lanes, first + (int32_t)k * right);
            }
            if (missing)
                return NUMPOOL_FOREIGN;
        } while (FN(advance)(job, &piece));
#if KIND == KIND_FLOAT
        if (FN(is_foreign)(&doubts))
            return NUMPOOL_FOREIGN;
#endif
        for (ptrdiff_t j = 0; j < rows; j++)
            for (ptrdiff_t x = j < kh ? job->w.out * kw : 0; x < job->w.in; x++)
                memset(to + j * job->x.row + x * job->x.pixel, 0, lanes * ELEM_SIZE);
    }
    return 0;
}

/* --- CHECK -------------------------------------------------------------------------------------------------------- */

/* Whether one of n positions that count pixels lies outside the plane. */
static int FN(outside)(const char *index, ptrdiff_t n, int64_t zero, uint64_t span)
{
    const int64_t *at = (const int64_t *)(const void *)index;
    int bad = 0;
    int64_t signs = 0; /* without a comparison: few processors have one of 64 bits for vectors */
    if (zero == 0) {
        for (ptrdiff_t i = 0; i < n; i++)
            signs |= (at[i] + 1) | ((int64_t)span - 1 - at[i]);
        return signs < 0;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        bad |= ((uint64_t)at[i] - (uint64_t)zero >= span) & (at[i] != -1);
    return bad;
}

/* Whether one of n bytes is no tap of any window. */
static int FN(no_tap)(const char *index, ptrdiff_t n, ptrdiff_t taps)
{
    const uint8_t *tap = (const uint8_t *)index, last = (uint8_t)(taps - 1);
    uint8_t bad = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        bad |= (tap[i] > last) & (tap[i] != UINT8_MAX);
    return bad;
}

static ptrdiff_t FN(check_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t most = numpool_max(NUMPOOL_RUN, job->lanes);
    const uint64_t span = (uint64_t)(job->h.in * job->position.row);
    const int by_pixels = FN(counts_pixels)(job), flat = FN(is_flat)(job), bytes = job->window_index && job->index_size == 1;
    if (!scratch)
        return sizeof(FN(taps)) + most * (4 + sizeof(ptrdiff_t));
    FN(taps) *taps = (FN(taps) *)(void *)scratch;
    ptrdiff_t *place = (ptrdiff_t *)(void *)(taps + 1), first, last;
    int32_t *numbers = (int32_t *)(void *)(place + most);
    int bad = 0;
    if (bytes)
        FN(fill_taps)(job, 1, 1, taps);
    const int all = job->leads == 1 && job->position.lead[0] == 0 && job->index.lead[0] == job->h.out * job->index.row;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / job->h.out, r = row % job->h.out;
        FN(piece) piece = FN(row_at)(job, tile, plane, r);
        next = row + 1;
        if (by_pixels && flat) {
            next = all ? tile->row1 : numpool_min(tile->row1, row - r + job->h.out);
            bad |= FN(outside)(piece.index, (next - row) * job->w.out * job->lanes, piece.zero, span);
            continue;
        }
        do {
            if (by_pixels) {
                bad |= FN(outside)(piece.index, piece.n, piece.zero, span);
            } else if (bytes) {
                FN(find_inside)(taps, &piece, &first, &last);
                bad |= FN(add_edge_taps)(job, &piece, 0, first, taps->at, 0, NULL);
                bad |= FN(no_tap)(piece.index + first, last - first, job->h.kernel * job->w.kernel);
                bad |= FN(add_edge_taps)(job, &piece, last, piece.n, taps->at, 0, NULL);
            } else {
                bad |= FN(places)(job, &piece, 1, 1, numbers, place);
            }
        } while (FN(advance)(job, &piece));
    }
    return bad ? NUMPOOL_BAD : 0;
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    return (job->pass == NUMPOOL_SPREAD ? FN(spread_block)
#if KIND == KIND_FLOAT
            : job->pass == NUMPOOL_GATHER ? FN(gather_block)
#endif
            : job->pass == NUMPOOL_SCATTER ? FN(scatter_block) : FN(check_block))(job, tile, scratch);
}
#undef COMMON
#undef LANES
#undef ACC
#undef ACC_SIZE
