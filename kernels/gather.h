/* Template: the pass GATHER of extremum_backward.h: small windows that overlap, and vectors of the lanes of a pixel. A tile is
 * rows of the input, which are zeroed; then each window, in order, adds to its taps what it gives them. Windows that reach into
 * a tile from the rows beside it are looked at for each of both.
 *
 * Returns NUMPOOL_FOREIGN where an index names no tap of its window that is inside the image, or none at all. */
static void FN(zero_rows)(const numpool_job *job, char *rows, ptrdiff_t count, ptrdiff_t lanes)
{
    const ptrdiff_t pixel = job->x.pixel, columns = pixel == lanes * ELEM_SIZE ? job->w.in : 1;
    for (ptrdiff_t i = 0; i < count; i++)
        for (ptrdiff_t j = 0; j < job->w.in; j += columns)
            memset(rows + i * job->x.row + j * pixel, 0, columns * lanes * ELEM_SIZE);
}

/* Which taps of a window are inside the image, [j0, j1) x [k0, k1); and which rows of taps lie in the tile, [low, high). */
typedef struct {
    ptrdiff_t j0, j1, k0, k1, low, high;
} FN(part);

/* A window of at most 3 x 3 taps, of these numbers: each lane's gradient is added to the tap that its index names. `to` is tap 0. */
ALWAYS_INLINE void FN(add_window)(const numpool_job *job, const FN(reading) *reading, const FN(piece) *piece, char *to,
                                  FN(part) part, FN(ivec) wanted[3][3], FN(doubts) *doubts)
{
    const ptrdiff_t row = job->x.row, pixel = job->x.pixel, n = piece->n;
    const int64_t start = FN(window_start)(job, piece);
    FN(doubts) own = *doubts;
    for (ptrdiff_t next = 0; next < n; next += LANES) {
        const ptrdiff_t lane = numpool_min(next, n - LANES);
        FN(ivec) tap, grad, fresh, found = {0};
        FN(read_vector)(reading, piece, start, lane, reading->bytewise, &tap, &grad, &own);
        char *at = to + lane * ELEM_SIZE;
        if (lane < next) { /* lanes of the vector before: not once more */
            memcpy(&fresh, numpool_edge + 64 - (next - lane) * ELEM_SIZE, sizeof fresh);
            grad &= fresh;
        }
        for (int j = 0; j < 3; j++)
            for (int k = 0; k < 3; k++) {
                if (j < part.j0 || j >= part.j1 || k < part.k0 || k >= part.k1)
                    continue;
                const FN(ivec) named = tap == wanted[j][k];
                found ^= named;
                if (j < part.low || j >= part.high)
                    continue;
                const FN(vec) sum = FN(load)(at + j * row + k * pixel) + (FN(vec))(grad & named);
                memcpy(at + j * row + k * pixel, &sum, sizeof sum);
            }
        own.lost |= ~found;
    }
    *doubts = own;
}

/* Rows [y0, y1) of a plane. */
static int FN(gather_rows)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t y0, ptrdiff_t y1)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t kh = h->kernel, kw = w->kernel, lanes = tile->lane1 - tile->lane0;
    const ptrdiff_t last = numpool_min(h->out, (y1 - 1 + h->before) / h->stride + 1);
    char *x = job->x.data + numpool_lead(job, job->x.lead, plane) + tile->lane0 * ELEM_SIZE;
    ptrdiff_t zeroed = y0, inner, outer;
    FN(doubts) doubts = {.lost = {0}};
    numpool_interior(w, &inner, &outer);
    const FN(reading) reading = FN(reading_of)(job, 0);
    FN(ivec) wanted[3][3];
    for (int j = 0; j < 3; j++)
        for (int k = 0; k < 3; k++)
            wanted[j][k] = (FN(ivec)){0} + (SIGNED(ELEM_SIZE))(j * reading.down + k * reading.right);
    for (ptrdiff_t r = numpool_max(0, numpool_ceil_div(y0 + h->before - kh + 1, h->stride)); r < last; r++) {
        const ptrdiff_t top = r * h->stride - h->before, below = numpool_max(zeroed, numpool_min(y1, top + kh));
        FN(part) part = {.j0 = numpool_max(0, -top), .j1 = numpool_min(kh, h->in - top)};
        part.low = numpool_max(part.j0, y0 - top);
        part.high = numpool_min(part.j1, y1 - top);
        const int whole = part.low == 0 && part.high == 3 && kw == 3;
        FN(zero_rows)(job, x + zeroed * job->x.row, below - zeroed, lanes);
        zeroed = below;
        FN(piece) piece = FN(row_at)(job, tile, plane, r);
        do {
            const ptrdiff_t left = piece.column * w->stride - w->before;
            char *to = x + top * job->x.row + left * job->x.pixel;
            part.k0 = numpool_max(0, -left);
            part.k1 = numpool_min(kw, w->in - left);
            if (whole && piece.column >= inner && piece.column < outer)
                FN(add_window)(job, &reading, &piece, to, (FN(part)){.j1 = 3, .k1 = 3, .high = 3}, wanted, &doubts);
            else
                FN(add_window)(job, &reading, &piece, to, part, wanted, &doubts);
        } while (FN(advance)(job, &piece));
    }
    FN(zero_rows)(job, x + zeroed * job->x.row, y1 - zeroed, lanes);
    return FN(is_foreign)(&doubts);
}

static ptrdiff_t FN(gather_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t in = job->h.in;
    int foreign = 0;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1 && scratch; row = next) {
        next = numpool_min(tile->row1, row - row % in + in);
        foreign |= FN(gather_rows)(job, tile, row / in, row % in, row % in + next - row);
    }
    return foreign ? NUMPOOL_FOREIGN : 0;
}
