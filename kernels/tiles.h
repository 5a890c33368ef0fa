/* Template: the pass TILES of extremum_backward.h: windows side by side whose indices name taps of their own, so that each input
 * element is written once. A tile is rows of windows.
 *
 * Returns NUMPOOL_FOREIGN where an index names something else; by vectors, nothing at all too. */

#if KIND == KIND_FLOAT
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
        FN(read_vector)(reading, piece, start, lane, &tap, &grad, &own_doubts);
        char *line = to + lane * ELEM_SIZE;
        for (ptrdiff_t j = 0; j < kh; j++, line += row) {
            char *at = line;
            int32_t wanted = (int32_t)j * reading->down;
            for (ptrdiff_t k = 0; k < kw; k++, at += pixel, wanted += reading->right) {
                const FN(ivec) named = tap == (FN(ivec)){0} + wanted;
                const FN(vec) own = (FN(vec))(grad & named) + 0;
                memcpy(at, &own, sizeof own);
                found ^= named;
            }
        }
        own_doubts.lost |= ~found;
    }
    *doubts = own_doubts;
}

/* A row of windows two wide, single lanes: each tap's to its column. A row has a vector of windows, and more. */
ALWAYS_INLINE void FN(tile_pairs)(const numpool_job *job, const FN(reading) *reading, const FN(piece) *piece, char *to,
                                    ptrdiff_t kh, FN(doubts) *doubts)
{
    const ptrdiff_t row = job->x.row;
    const int64_t start = FN(window_start)(job, piece);
    FN(doubts) own_doubts = *doubts;
    for (ptrdiff_t next = 0; next < piece->n; next += LANES) {
        const ptrdiff_t i = numpool_min(next, piece->n - LANES);
        FN(ivec) tap, grad, found = {0};
        FN(read_vector)(reading, piece, start, i, &tap, &grad, &own_doubts);
        for (ptrdiff_t j = 0; j < kh; j++) {
            const FN(ivec) left = tap == (SIGNED(ELEM_SIZE))(j * reading->down);
            const FN(ivec) right = tap == (SIGNED(ELEM_SIZE))(j * reading->down + reading->right);
            const FN(vec) a = (FN(vec))(grad & left) + 0, b = (FN(vec))(grad & right) + 0;
            const FN(vec) first = SHUFFLE(FN(ivec), a, b, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(0, LANES));
            const FN(vec) last = SHUFFLE(FN(ivec), a, b, NUMPOOL_CAT(COUNT_IN_TURN_, LANES)(LANES / 2, LANES));
            memcpy(to + j * row + 2 * i * ELEM_SIZE, &first, sizeof first);
            memcpy(to + j * row + (2 * i + LANES) * ELEM_SIZE, &last, sizeof last);
            found ^= left ^ right;
        }
        own_doubts.lost |= ~found;
    }
    *doubts = own_doubts;
}

/* Rows [row, last) of windows of one plane, the first of which is `line`. */
ALWAYS_INLINE void FN(tile_vectors)(const numpool_job *job, FN(piece) line, ptrdiff_t last, char *x, FN(doubts) *doubts)
{
    const ptrdiff_t kh = job->h.kernel, kw = job->w.kernel;
    const int pairs = line.move && kw == 2;
    const FN(reading) reading = FN(reading_of)(job, line.step + line.move * job->w.stride * job->position.pixel);
    for (; line.row < last; line.row++, line.index += job->index.row, line.grad += job->y.row) {
        FN(piece) piece = line;
        do {
            char *at = x + piece.row * kh * job->x.row + piece.column * kw * job->x.pixel;
            if (pairs && kh == 2)
                FN(tile_pairs)(job, &reading, &piece, at, 2, doubts);
            else if (pairs)
                FN(tile_pairs)(job, &reading, &piece, at, kh, doubts);
            else if (kh == 2 && kw == 2)
                FN(tile_taps)(job, &reading, &piece, at, 2, 2, doubts);
            else if (kw == 1)
                FN(tile_taps)(job, &reading, &piece, at, kh, 1, doubts);
            else
                FN(tile_taps)(job, &reading, &piece, at, kh, kw, doubts);
        } while (FN(advance)(job, &piece));
    }
}
#endif

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
static ptrdiff_t FN(tile_columns)(char *row, const int32_t *tap, const char *grad, ptrdiff_t n, int32_t first, int32_t second)
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
static ptrdiff_t FN(tile_lanes)(char *pixel, const int32_t *tap, const char *grad, ptrdiff_t n, int32_t wanted)
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
                    missing -= FN(tile_columns)(at, tap, piece.grad, piece.n, first, first + right);
                else
                    for (ptrdiff_t k = 0; k < kw; k++)
                        missing -= FN(tile_lanes)(at + k * job->x.pixel, tap, piece.grad, piece.n, first + (int32_t)k * right);
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
    const ptrdiff_t beside = job->w.out * job->w.kernel;
    for (ptrdiff_t y = beside < job->w.in ? row * job->h.kernel : covered; y < end; y++)
        for (ptrdiff_t c = y < covered ? beside : 0; c < job->w.in; c++)
            memset(x + y * job->x.row + c * job->x.pixel, 0, lanes * ELEM_SIZE);
}

/* A tile is rows of windows. */
static ptrdiff_t FN(tile_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, out = job->h.out;
    if (!scratch)
        return numpool_max(NUMPOOL_RUN, lanes) * 4;
#if KIND == KIND_FLOAT
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
        const int narrow = !job->window_index || job->index_size == 1;
        if (narrow && (line.move ? job->w.kernel <= 2 && job->w.out >= LANES : lanes >= LANES))
            FN(tile_vectors)(job, line, last, x, &doubts);
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
