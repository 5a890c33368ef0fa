/* Template: the pass TILES of extremum_backward.h: windows side by side whose indices name taps of their own, so that each input
 * element is written once. A tile is rows of windows.
 *
 * Returns NUMPOOL_FOREIGN where an index names something else; by vectors, nothing at all too. */

#if KIND == KIND_FLOAT
/* Never -0, just as in a sum. */
ALWAYS_INLINE FN(ivec) FN(summed)(FN(ivec) grad)
{
    return (FN(ivec))((FN(vec))grad + 0);
}

/* A window of kh x kw taps and of a vector of lanes or more, each tap's to its pixel; or, where kw is 1, a row of windows of
 * single lanes, each tap's to its column. */
ALWAYS_INLINE void FN(tile_taps)(const numpool_job *job, const FN(reading) *reading, const FN(piece) *piece, char *to,
                                   ptrdiff_t kh, ptrdiff_t kw, FN(doubts) *doubts)
{
    const ptrdiff_t row = job->x.row, pixel = job->x.pixel, n = piece->n;
    const int64_t start = FN(window_start)(job, piece);
    FN(doubts) own_doubts = *doubts;
    for (ptrdiff_t next = 0; next < n; next += LANES) {
        const ptrdiff_t lane = numpool_min(next, n - LANES); /* the last vector may do some lanes again */
        FN(ivec) tap, grad, found = {0};
        FN(read_vector)(reading, piece, start, lane, reading->bytewise, &tap, &grad, &own_doubts);
        grad = job->moves ? grad : FN(summed)(grad);
        char *line = to + lane * ELEM_SIZE;
        for (ptrdiff_t j = 0; j < kh; j++, line += row) {
            char *at = line;
            int32_t wanted = (int32_t)j * reading->down;
            for (ptrdiff_t k = 0; k < kw; k++, at += pixel, wanted += reading->right) {
                const FN(ivec) named = tap == (FN(ivec)){0} + wanted;
                const FN(ivec) own = grad & named;
                memcpy(at, &own, sizeof own);
                found ^= named;
            }
        }
        own_doubts.lost |= ~found;
    }
    *doubts = own_doubts;
}

/* So many rows of windows two wide, of single lanes, the first of which is `line` and has its tap 0 at `x`: each tap's to its
 * column, and zeros in the column beside them, if there is one, and behind a plane's last.
 *
 * Rows may be shorter than a vector, which then reads windows of the next rows and writes over what those get: it is written anew
 * when their turn comes. So the caller keeps some rows back whose vectors would leave the tile, and makes them afterwards. */
ALWAYS_INLINE void FN(tile_pairs)(const numpool_job *job, const FN(reading) *reading, FN(piece) line, ptrdiff_t rows, char *x,
                                  ptrdiff_t kh, int bytewise, FN(doubts) *doubts)
{
    const ptrdiff_t n = job->w.out, row = job->x.row, down = bytewise ? 2 : job->position.row;
    int64_t start = FN(window_start)(job, &line);
    FN(ivec) column, lost = {0};
    FN(doubts) own_doubts = {.lost = {0}};
    for (int i = 0; i < LANES; i++)
        column[i] = i % 2;
    for (; rows-- > 0; line.index += job->index.row, line.grad += job->y.row) {
        for (ptrdiff_t next = 0; next < n; next += LANES) {
            const ptrdiff_t i = numpool_max(0, numpool_min(next, n - LANES));
            FN(ivec) tap, grad, wanted = column;
            FN(read_vector)(reading, &line, start, i, bytewise, &tap, &grad, &own_doubts);
            grad = job->moves ? grad : FN(summed)(grad);
            const FN(ivec) left_tap = SHUFFLE(FN(ivec), tap, tap, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(0, 0));
            const FN(ivec) right_tap = SHUFFLE(FN(ivec), tap, tap, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(LANES / 2, 0));
            const FN(ivec) left = SHUFFLE(FN(ivec), grad, grad, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(0, 0));
            const FN(ivec) right = SHUFFLE(FN(ivec), grad, grad, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(LANES / 2, 0));
            char *to = x + 2 * i * ELEM_SIZE;
            for (ptrdiff_t j = 0; j < kh; j++, to += row, wanted += (SIGNED(ELEM_SIZE))down) {
                const FN(ivec) own_left = left & (left_tap == wanted), own_right = right & (right_tap == wanted);
                memcpy(to, &own_left, sizeof own_left);
                memcpy(to + VECTOR_BYTES, &own_right, sizeof own_right);
                if (j) /* a tap of this row or a later one: now counted from this row, so that its column is left in the end */
                    tap -= (tap >= (SIGNED(ELEM_SIZE))down) & (SIGNED(ELEM_SIZE))down;
            }
            lost |= tap; /* column 0 or 1, where it was a tap */
        }
        for (ptrdiff_t j = 0; j < kh && 2 * n < job->w.in; j++)
            memset(x + j * row + 2 * n * ELEM_SIZE, 0, ELEM_SIZE); /* one size: a call would take the vectors' registers */
        x += kh * row;
        start += bytewise ? 0 : kh * job->position.row;
        if (++line.row == job->h.out) {
            line.row = 0;
            line.zero += job->leads ? job->position.lead[0] : 0;
            start = line.zero;
            for (ptrdiff_t j = job->h.out * kh; j < job->h.in; j++, x += row)
                memset(x, 0, job->w.in * ELEM_SIZE);
        }
    }
    FN(ivec) own = {0};
    FN(longs) own_far[8 / ELEM_SIZE] = {{0}};
    for (int i = 0; i < LANES && i < n; i++) /* other lanes were windows of the next rows */
        own_far[i / LANES_8][i % LANES_8] = own[i] = -1;
    doubts->lost |= lost & own & ~((FN(ivec)){0} + 1);
    for (int i = 0; i < 8 / ELEM_SIZE; i++)
        doubts->far[i] |= own_doubts.far[i] & own_far[i];
}

static void FN(tile_two_columns)(const numpool_job *job, const FN(reading) *reading, const FN(piece) *line, ptrdiff_t rows,
                                 char *x, FN(doubts) *doubts)
{
    const ptrdiff_t kh = job->h.kernel;
    if (kh == 2 && reading->bytewise)
        FN(tile_pairs)(job, reading, *line, rows, x, 2, 1, doubts);
    else if (kh == 2)
        FN(tile_pairs)(job, reading, *line, rows, x, 2, 0, doubts);
    else
        FN(tile_pairs)(job, reading, *line, rows, x, kh, reading->bytewise, doubts);
}

/* Rows [line.row, last) of windows of one plane. */
ALWAYS_INLINE void FN(tile_vectors)(const numpool_job *job, const FN(reading) *reading, FN(piece) line, ptrdiff_t last, char *x,
                                    FN(doubts) *doubts)
{
    const ptrdiff_t kh = job->h.kernel, kw = job->w.kernel;
    for (; line.row < last; line.row++, line.index += job->index.row, line.grad += job->y.row) {
        FN(piece) piece = line;
        do {
            char *at = x + piece.row * kh * job->x.row + piece.column * kw * job->x.pixel;
            if (kh == 2 && kw == 2)
                FN(tile_taps)(job, reading, &piece, at, 2, 2, doubts);
            else if (kw == 1)
                FN(tile_taps)(job, reading, &piece, at, kh, 1, doubts);
            else
                FN(tile_taps)(job, reading, &piece, at, kh, kw, doubts);
        } while (FN(advance)(job, &piece));
    }
}
#endif

/* A gradient where `tap` is the wanted one, else 0: never -0, just as in a sum, unless it is only moved. */
ALWAYS_INLINE ELEM FN(chosen)(int32_t tap, int32_t wanted, ELEM grad, int moves)
{
#if KIND == KIND_HALF
    return tap == wanted && (moves || grad != INT16_MIN) ? grad : 0;
#else
    return moves ? (tap == wanted ? grad : 0) : (tap == wanted ? grad : 0) + 0;
#endif
}

/* A row of windows two wide, single lanes, to one row of the input. Returns how many taps were found. */
static ptrdiff_t FN(tile_columns)(char *row, const int32_t *tap, const char *grad, ptrdiff_t n, int32_t first, int32_t second,
                                  int moves)
{
    ELEM *restrict to = (ELEM *)(void *)row;
    const ELEM *restrict from = (const ELEM *)(const void *)grad;
    int32_t found = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        to[2 * i] = FN(chosen)(tap[i], first, from[i], moves);
        to[2 * i + 1] = FN(chosen)(tap[i], second, from[i], moves);
        found += (tap[i] == first) + (tap[i] == second);
    }
    return found;
}

/* One tap of one window, to one pixel of the input. */
static ptrdiff_t FN(tile_lanes)(char *pixel, const int32_t *tap, const char *grad, ptrdiff_t n, int32_t wanted, int moves)
{
    ELEM *restrict to = (ELEM *)(void *)pixel;
    const ELEM *restrict from = (const ELEM *)(const void *)grad;
    int32_t found = 0;
    for (ptrdiff_t i = 0; i < n; i++) {
        to[i] = FN(chosen)(tap[i], wanted, from[i], moves);
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

/* As tile_vectors, by way of tap numbers. Returns 1 where an index names no tap of its window. */
static int FN(tile_numbers)(const numpool_job *job, FN(piece) line, ptrdiff_t last, char *x, int32_t *tap)
{
    const ptrdiff_t kh = job->h.kernel, kw = job->w.kernel;
    const int32_t down = (int32_t)(job->window_index ? kw : job->position.row);
    const int32_t right = (int32_t)(job->window_index ? 1 : job->position.pixel);
    for (; line.row < last; line.row++, line.index += job->index.row, line.grad += job->y.row) {
        FN(piece) piece = line;
        do {
            char *at = x + piece.row * kh * job->x.row + piece.column * kw * job->x.pixel;
            ptrdiff_t missing = FN(own_taps)(job, &piece, tap);
            for (ptrdiff_t j = 0; j < kh; j++, at += job->x.row) {
                const int32_t first = (int32_t)j * down;
                if (piece.move && kw == 2)
                    missing -= FN(tile_columns)(at, tap, piece.grad, piece.n, first, first + right, job->moves);
                else
                    for (ptrdiff_t k = 0; k < kw; k++)
                        missing -= FN(tile_lanes)(at + k * job->x.pixel, tap, piece.grad, piece.n, first + (int32_t)k * right,
                                                      job->moves);
            }
            if (missing)
                return 1;
        } while (FN(advance)(job, &piece));
    }
    return 0;
}

/* Zero: what lies beside the windows of rows [row, last), and behind the last ones of a plane. */
static void FN(clear_rest)(const numpool_job *job, ptrdiff_t row, ptrdiff_t last, char *x, ptrdiff_t lanes)
{
    const ptrdiff_t covered = job->h.out * job->h.kernel, end = last == job->h.out ? job->h.in : last * job->h.kernel;
    const ptrdiff_t beside = job->w.out * job->w.kernel, solid = job->x.pixel == lanes * ELEM_SIZE;
    for (ptrdiff_t y = beside < job->w.in ? row * job->h.kernel : covered; y < end; y++)
        for (ptrdiff_t c = y < covered ? beside : 0, some; c < job->w.in; c += some) {
            some = solid ? job->w.in - c : 1;
            memset(x + y * job->x.row + c * job->x.pixel, 0, some * lanes * ELEM_SIZE);
        }
}

/* A tile is rows of windows. */
static ptrdiff_t FN(tile_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, out = job->h.out;
    if (!scratch)
        return numpool_max(NUMPOOL_RUN, lanes) * 4;
#if KIND == KIND_FLOAT
    const FN(piece) any = FN(row_at)(job, tile, 0, 0);
    const FN(reading) reading = FN(reading_of)(job, any.step + any.move * job->w.stride * job->position.pixel);
    const int by_vectors = !job->window_index || job->index_size == 1, solid = FN(is_solid)(job), dense = FN(is_dense)(job);
    const int pairs = any.move && job->w.kernel == 2 && by_vectors && reading.right == 1 && (solid || job->w.out >= LANES)
                      && job->w.in - 2 * job->w.out <= 1; /* unpooling may leave more */
    FN(doubts) doubts = {.lost = {0}};
#endif
    for (ptrdiff_t i = tile->row0, next; i < tile->row1; i = next) {
        const ptrdiff_t plane = i / out, row = i - plane * out, last = numpool_min(tile->row1 - plane * out, out);
        char *x = job->x.data + numpool_lead(job, job->x.lead, plane) + tile->lane0 * ELEM_SIZE;
        const FN(piece) line = FN(row_at)(job, tile, plane, row);
        next = plane * out + last;
        if (line.move && job->x.pixel != ELEM_SIZE)
            return NUMPOOL_FOREIGN;
#if KIND == KIND_FLOAT
        /* all but the last rows, behind which a vector would leave the tile */
        const ptrdiff_t rows = pairs ? (dense ? tile->row1 : next) - i - (LANES - 1) / job->w.out : 0;
        if (rows > 0) {
            FN(tile_two_columns)(job, &reading, &line, rows, x + row * job->h.kernel * job->x.row, &doubts);
            next = i + rows;
            continue;
        }
        if (by_vectors && (line.move ? job->w.kernel == 1 && job->w.out >= LANES : lanes >= LANES))
            FN(tile_vectors)(job, &reading, line, last, x, &doubts);
        else
#endif
            if (FN(tile_numbers)(job, line, last, x, (int32_t *)(void *)scratch))
            return NUMPOOL_FOREIGN;
        FN(clear_rest)(job, row, last, x, lanes);
    }
#if KIND == KIND_FLOAT
    return FN(is_foreign)(&doubts) ? NUMPOOL_FOREIGN : 0;
#else
    return 0;
#endif
}
