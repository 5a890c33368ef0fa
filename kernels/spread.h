/* Template: the gradient of an average of one divisor, for pixels of a vector or more, where no more than two windows meet
 * along an axis and every window has pixels for itself: its own are those up to the next window, and of these it may share
 * the first with the window before. A row of grad_input that one row of windows holds is stored once, from registers; the
 * others are its copies (memcpy knows how to write to memory that is in no cache) or sums of two such rows.
 *
 *     grad --spread_row--> rows of one window --copies, sums of two--> the other rows
 *
 * A tile has all lanes. The includer is average_backward.h. */
#define FAR_BYTES 4096 /* pixels of one share that lie further apart meet in few sets of the cache */

typedef struct {
    const numpool_job *job;
    const numpool_tile *tile;
    FN(frame) frame;
    char *rows[2];   /* of windows that have no row for themselves in the tile */
    char *shares[2]; /* of the windows before this one and before the next one */
    char *zero;      /* the gradient of a window that does not exist, whose share is +0 */
} FN(spread);

static int FN(is_spread)(const numpool_job *job, const numpool_tile *tile)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    if (!job->divisor || job->lanes < LANES || tile->lane1 - tile->lane0 < job->lanes)
        return 0;
#if KIND == KIND_HALF
    return h->kernel <= h->stride && w->kernel <= w->stride; /* grad_input cannot hold the terms of sums */
#else
    return h->kernel < 2 * h->stride && w->kernel < 2 * w->stride;
#endif
}

/* Lays out scratch (NULL: only asks for it). Returns its bytes, which are no fewer for a larger tile. */
static ptrdiff_t FN(make_spread)(FN(spread) *s, const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    s->job = job;
    s->tile = tile;
    s->frame = FN(framed)(job, tile);
    if (job->h.kernel <= job->h.stride && job->w.kernel <= job->w.stride)
        return 0;
    const ptrdiff_t row = FN(piece)(s->frame.n * ACC_SIZE), pixel = FN(piece)(s->frame.lanes * ACC_SIZE);
    s->shares[0] = scratch;
    s->shares[1] = scratch + pixel;
    s->zero = scratch + 2 * pixel;
    s->rows[0] = scratch + 3 * pixel;
    s->rows[1] = s->rows[0] + row;
    if (scratch)
        memset(s->zero, 0, pixel);
    for (ptrdiff_t i = 0; scratch && job->divisor < 0 && i < s->frame.lanes; i++)
        s->zero[(i + 1) * ELEM_SIZE - 1] = (char)0x80; /* -0, little endian */
    return 3 * pixel + 2 * row;
}

/* --- along a row ------------------------------------------------------------------------------------------------- */

/* f->rows windows, the share of each to f->taps pixels that are f->step bytes apart. The first `shared` of these add the
 * share of the window before; `keep`: for which this one is to be kept. */
ALWAYS_INLINE void FN(spread_taps)(FN(spread) *s, const numpool_fold *given, ptrdiff_t shared, ptrdiff_t taps, int keep)
{
    const numpool_fold f = *given;
    for (ptrdiff_t r = 0; r < f.rows; r++) {
        const char *before = s->shares[0];
        char *here = s->shares[1]; /* another place: the last vector overlaps the one before it */
        for (ptrdiff_t i = 0; i < f.n; i += LANES) {
            i = numpool_min(i, f.n - LANES);
            const SUM(vec) share = FN(quotient)(SUM(load_element)(f.src + r * f.src_pitch + i * ELEM_SIZE), f.by);
            const SUM(evec) own = FN(narrow)(share);
            char *to = f.dst + r * f.dst_pitch + i * ELEM_SIZE;
            for (ptrdiff_t t = 0; t < shared; t++)
                FN(put)(s->job, to + t * f.step, share + SUM(load)(before + i * ACC_SIZE));
            for (ptrdiff_t t = shared; t < taps; t++)
                memcpy(to + t * f.step, &own, sizeof own);
            if (keep)
                SUM(store)(here + i * ACC_SIZE, share, 0);
        }
        if (keep) {
            s->shares[1] = s->shares[0];
            s->shares[0] = here;
        }
    }
}

static void FN(spread_some)(FN(spread) *s, const numpool_fold *f, ptrdiff_t shared, int keep)
{
    if (!keep && f->taps == 2)
        FN(spread_taps)(s, f, 0, 2, 0);
    else if (shared == 1 && f->taps == 2)
        FN(spread_taps)(s, f, 1, 2, 1);
    else
        FN(spread_taps)(s, f, shared, f->taps, keep);
}

/* A row of sums from a row of grad_output. */
static void FN(spread_row)(FN(spread) *s, const char *grad, char *to)
{
    const numpool_job *job = s->job;
    const numpool_axis *w = &job->w;
    const FN(frame) *frame = &s->frame;
    const ptrdiff_t pixel = frame->lanes * ELEM_SIZE, origin = w->before + s->tile->col0;
    const ptrdiff_t common = numpool_max(0, w->kernel - w->stride), own = numpool_min(w->kernel, w->stride);
    const ptrdiff_t windows = frame->last + (common > 0); /* one behind them, of no share, adds to what it shares */
    const ptrdiff_t end = numpool_max(0, (windows - 1) * w->stride + own - origin);
    if (common)
        memset(s->shares[0], 0, frame->lanes * ACC_SIZE);
    if (own < w->stride)
        memset(to, 0, frame->cols * pixel);
    else if (end < frame->cols)
        memset(to + end * pixel, 0, (frame->cols - end) * pixel);
    for (ptrdiff_t c = frame->first, next; c < windows; c = next) {
        const ptrdiff_t start = c * w->stride - origin, room = frame->cols - own - start;
        const ptrdiff_t low = numpool_max(start, 0), high = numpool_min(start + own, frame->cols);
        next = start < 0 || room < 0 ? c + 1 : numpool_min(frame->last, c + 1 + room / w->stride); /* inside the tile */
        numpool_fold f = {.src = grad + c * job->y.pixel, .src_pitch = job->y.pixel, .rows = next - c, .n = frame->lanes,
                          .dst = to + low * pixel, .dst_pitch = w->stride * pixel, .step = pixel,
                          .taps = numpool_max(0, high - low), .by = numpool_by_of(job->divisor)};
        if (c >= frame->last) {
            next = windows;
            f.rows = 1;
            f.src = s->zero;
        }
        const ptrdiff_t shared = numpool_min(f.taps, numpool_max(0, start + common - low)), alone = f.taps - shared;
        const int far = alone > 4 && alone * pixel > FAR_BYTES;
        if (far)
            f.taps = shared + 1;
        FN(spread_some)(s, &f, shared, common > 0);
        for (ptrdiff_t i = 0; i < f.rows && far; i++)
            for (ptrdiff_t t = 1; t < alone; t++) {
                char *first = f.dst + i * f.dst_pitch + shared * pixel;
                memcpy(first + t * pixel, first, pixel);
            }
    }
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

/* The row of sums of window r of a plane, which may not exist. */
static const char *FN(window_row)(FN(spread) *s, const char *grad, ptrdiff_t r, char *to)
{
    if (r >= 0 && r < s->job->h.out)
        FN(spread_row)(s, grad + r * s->job->y.row, to);
    else
        memset(to, 0, s->frame.n * ELEM_SIZE);
    return to;
}

/* Rows [first, last) of one plane. */
static void FN(spread_rows)(FN(spread) *s, const char *grad, char *to, ptrdiff_t first, ptrdiff_t last)
{
    const numpool_job *job = s->job;
    const numpool_axis *h = &job->h;
    const ptrdiff_t common = numpool_max(0, h->kernel - h->stride), own = numpool_min(h->kernel, h->stride);
    const ptrdiff_t pitch = job->x.row, n = s->frame.n;
    ptrdiff_t r = (first + h->before) / h->stride;
    const char *above = NULL;
    to -= first * pitch; /* row 0 of the plane */
    if (common && r * h->stride - h->before + common > first)
        above = FN(window_row)(s, grad, r - 1, s->rows[(r - 1) & 1]);
    for (ptrdiff_t start; (start = r * h->stride - h->before) < last; r++) {
        const ptrdiff_t low = numpool_max(start, first), alone = numpool_min(last, numpool_max(start + common, first));
        const ptrdiff_t end = numpool_max(alone, numpool_min(start + own, last)), next = numpool_min(start + h->stride, last);
        char *row = alone < end ? to + alone * pitch : s->rows[r & 1];
        if (low < end)
            FN(window_row)(s, grad, r, row);
        FN(repeat)(job, &s->frame, row, end - alone);
        if (low < alone) {
            const numpool_fold f = {.src = above, .step = row - above, .taps = 2, .rows = 1, .n = n, .dst = to + low * pitch,
                                    .job = job};
            FN(down)(&f);
            FN(repeat)(job, &s->frame, to + low * pitch, alone - low);
        }
        for (ptrdiff_t i = end; i < next; i++)
            memset(to + i * pitch, 0, n * ELEM_SIZE);
        above = row;
    }
}

static ptrdiff_t FN(spread_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    FN(spread) s;
    const ptrdiff_t bytes = FN(make_spread)(&s, job, tile, scratch), in = job->h.in;
    if (!scratch)
        return bytes;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / in, first = row % in;
        next = numpool_min(tile->row1, row - first + in);
        FN(spread_rows)(&s, job->y.data + numpool_lead(job, job->y.lead, plane),
                        job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row + tile->col0 * job->x.pixel,
                        first, first + next - row);
    }
    return 0;
}
#undef FAR_BYTES
