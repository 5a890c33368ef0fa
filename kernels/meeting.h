/* Template: the gradient of an average whose windows meet: each pixel sums the shares of the windows that hold it, first
 * along the rows of grad_output, then down its columns. Shares of windows that do not exist are 0 in scratch, so no sum
 * has edges: how many terms it has, and with that their order, depends on the phases of its row and column alone.
 *
 *     add_columns    at stride 1 a fold of shifted rows; else pixel by pixel, or vector by vector where pixels are shorter
 *     add_rows       a fold of rows of sums
 *
 * The includer is average_backward.h. */
#define SHORT_VECTORS 4 /* rows of no more are stored in their order, longer ones phase by phase */

/* The windows that hold every stride-th column from one on: how many, and the last one of the first column. */
typedef struct {
    ptrdiff_t windows, last;
} FN(phase);

typedef struct {
    const numpool_job *job;
    const numpool_tile *tile;
    FN(frame) frame;
    FN(table) table;              /* of rows of pixels shorter than a vector, at a stride */
    FN(phase) *phases;            /* of longer ones; NULL: stride 1 or a table */
    ptrdiff_t rows, planes;       /* of grad_input, taken at once: some of a plane, or all of several planes */
    ptrdiff_t share_rows;         /* rows of shares taken at once */
    ptrdiff_t pitch;              /* bytes from one row of sums to the next */
    char *shares, *sums;
} FN(sums);

static void FN(fill_phases)(const FN(sums) *s)
{
    const numpool_axis *w = &s->job->w;
    for (ptrdiff_t q = 0; q < numpool_min(w->stride, s->frame.cols); q++) {
        const ptrdiff_t start = s->tile->col0 + q + w->before;
        s->phases[q].windows = FN(windows_at)(w, start % w->stride);
        s->phases[q].last = start / w->stride - s->frame.left;
    }
}

/* Lays out scratch (NULL: only asks for it). Returns its bytes, which are no fewer for a larger tile. */
static ptrdiff_t FN(make_sums)(FN(sums) *s, const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    FN(frame) *frame = &s->frame;
    s->job = job;
    s->tile = tile;
    *frame = FN(framed)(job, tile);
    frame->pitch = numpool_pitch(frame->pitch);
    s->pitch = numpool_pitch(frame->n * ACC_SIZE);
    const ptrdiff_t most = numpool_pitch(frame->most * ACC_SIZE);
    const ptrdiff_t least = numpool_min(h->in, h->kernel / 2 + h->stride); /* rows that scratch has room for in any case */
    const ptrdiff_t few = FN(windows_of)(h, least), all = FN(windows_of)(h, h->in);
    const ptrdiff_t room = numpool_max(few, SUM_BYTES / s->pitch);
    s->rows = numpool_min(h->in, numpool_max(least, (room - 2) * h->stride - h->kernel + 2));
    s->planes = s->rows < h->in ? 1 : numpool_max(1, numpool_min(room / all, SUM_BYTES / (all * most)));
    s->share_rows = numpool_max(1, SHARE_BYTES / most);
    const ptrdiff_t sums = FN(piece)(numpool_max(few * s->pitch, SUM_BYTES)), shares = FN(piece)(numpool_max(most, SUM_BYTES));
    char *rest = scratch + sums + shares;
    s->sums = scratch;
    s->shares = scratch + sums;
    s->phases = NULL;
    if (w->stride == 1)
        return sums + shares;
    if (job->lanes < LANES) {
        const ptrdiff_t table = FN(make_table)(&s->table, job, frame, 1, scratch ? rest : NULL);
        if (scratch)
            FN(fill_table)(&s->table, job, tile, frame);
        return sums + shares + table;
    }
    s->phases = (FN(phase) *)(void *)rest;
    if (scratch)
        FN(fill_phases)(s);
    return sums + shares + FN(piece)(numpool_min(w->stride, frame->cols) * sizeof *s->phases);
}

/* --- along the rows ---------------------------------------------------------------------------------------------- */

/* `rows` rows of shares to rows of sums: each pixel sums the windows that hold its column. */
static void FN(add_columns)(const FN(sums) *s, ptrdiff_t rows, char *sums)
{
    const numpool_axis *w = &s->job->w;
    const FN(frame) *frame = &s->frame;
    const ptrdiff_t pixel = frame->lanes * ACC_SIZE, stride = w->stride;
    numpool_fold f = {.src = s->shares, .src_pitch = frame->pitch, .step = pixel, .taps = w->kernel, .rows = rows,
                      .n = FN(vectors)(frame->n), .dst = sums, .dst_pitch = s->pitch, .job = s->job};
    if (stride == 1) {
        SUM(across)(&f);
        return;
    }
    if (!s->phases) {
        f.taps = 1;
        FN(expand_sums)(&s->table, &f, sums + rows * s->pitch + NUMPOOL_SLACK);
        return;
    }
    f = (numpool_fold){.src_pitch = pixel, .step = -pixel, .n = frame->lanes, .dst_pitch = stride * pixel, .job = s->job};
    for (ptrdiff_t q = 0; q < numpool_min(stride, frame->cols); q++) {
        f.taps = s->phases[q].windows;
        f.rows = (frame->cols - 1 - q) / stride + 1;
        for (ptrdiff_t r = 0; r < rows; r++) {
            f.src = s->shares + r * frame->pitch + s->phases[q].last * pixel; /* the last window first: as in a table */
            f.dst = sums + r * s->pitch + q * pixel;
            if (f.taps)
                SUM(across_exact)(&f, NULL);
            for (ptrdiff_t i = 0; i < f.rows && !f.taps; i++)
                memset(f.dst + i * f.dst_pitch, 0, pixel);
        }
    }
}

/* --- down the columns -------------------------------------------------------------------------------------------- */

/* Rows that follow each other in memory up to `limit` may spill over the next one; with NULL none does. */
static void FN(put_rows)(numpool_fold f, const char *limit)
{
    const ptrdiff_t n = FN(vectors)(f.n), room = limit ? limit - f.dst - n * ELEM_SIZE : -1;
    if (n > f.n && room >= 0) {
        numpool_fold g = f;
        g.n = n;
        g.rows = numpool_min(f.rows, room / f.dst_pitch + 1);
        FN(down)(&g);
        f.src += g.rows * f.src_pitch;
        f.dst += g.rows * f.dst_pitch;
        f.rows -= g.rows;
    }
    FN(down_exact)(&f, limit);
}

/* f.rows rows of a tile of some lanes, whose pixels lie apart; without taps they are 0. */
static void FN(put_pixels)(const FN(sums) *s, numpool_fold f)
{
    numpool_fold g = f;
    g.src_pitch = s->frame.lanes * ACC_SIZE;
    g.dst_pitch = s->job->x.pixel;
    g.rows = s->frame.cols;
    g.n = s->frame.lanes;
    for (ptrdiff_t r = 0; r < f.rows; r++, g.src += f.src_pitch, g.dst += f.dst_pitch) {
        if (f.taps)
            FN(put_rows)(g, NULL);
        for (ptrdiff_t c = 0; c < g.rows && !f.taps; c++)
            memset(g.dst + c * g.dst_pitch, 0, g.n * ELEM_SIZE);
    }
}

/* The vectors of one short row; the last one spills. */
ALWAYS_INLINE void FN(put_short)(const FN(sums) *s, const char *sums, ptrdiff_t taps, char *to)
{
    SUM(vec) x = {0};
    for (ptrdiff_t i = 0; i < s->frame.n; i += LANES) {
        if (taps)
            x = FN(down_window)(sums + i * ACC_SIZE, s->pitch, taps, NULL);
        FN(put)(s->job, to + i * ELEM_SIZE, x);
    }
}

/* `rows` rows of grad_input, the first of phase `at`, in their order; `sums` are of the last window that holds it. Whole
 * vectors may be stored below `limit`. */
static void FN(put_short_rows)(const FN(sums) *s, const char *sums, ptrdiff_t at, ptrdiff_t rows, char *to, const char *limit)
{
    const numpool_axis *h = &s->job->h;
    const ptrdiff_t most = (h->kernel - 1) / h->stride + 1, rest = (h->kernel - 1) % h->stride; /* as windows_at */
    const ptrdiff_t bytes = s->frame.n * ELEM_SIZE, spilling = (s->frame.n + LANES - 1) / LANES * LANES * ELEM_SIZE;
    char copy[SHORT_VECTORS * VECTOR_BYTES] __attribute__((aligned(64)));
    for (ptrdiff_t i = 0; i < rows; i++, to += bytes) {
        const ptrdiff_t windows = at <= rest ? most : most - 1;
        const char *from = sums - (windows - 1) * s->pitch;
        char *row = limit - to >= spilling ? to : copy;
        if (windows == 1)
            FN(put_short)(s, from, 1, row);
        else if (windows == 2)
            FN(put_short)(s, from, 2, row);
        else
            FN(put_short)(s, from, windows, row);
        if (row == copy)
            memcpy(to, copy, bytes);
        if (++at == h->stride) {
            at = 0;
            sums += s->pitch;
        }
    }
}

/* Rows [first, last) of grad_input from the sums of windows from `low` on. */
static void FN(add_rows)(const FN(sums) *s, const char *sums, ptrdiff_t first, ptrdiff_t last, ptrdiff_t low, char *to,
                         const char *limit)
{
    const numpool_job *job = s->job;
    const numpool_axis *h = &job->h;
    const ptrdiff_t n = s->frame.n, stride = h->stride, start = (first + h->before) % stride;
    sums += ((first + h->before) / stride - low) * s->pitch; /* the last window that holds the first row */
    if (limit && n <= SHORT_VECTORS * LANES && stride > 1) {
        FN(put_short_rows)(s, sums, start, last - first, to, limit);
        return;
    }
    for (ptrdiff_t i = 0, at = start; i < numpool_min(stride, last - first); i++, to += job->x.row) {
        const ptrdiff_t windows = FN(windows_at)(h, at);
        numpool_fold f = {.src = sums - (windows - 1) * s->pitch, .src_pitch = s->pitch, .step = s->pitch, .taps = windows,
                          .rows = (last - first - 1 - i) / stride + 1, .n = n, .dst = to,
                          .dst_pitch = stride * job->x.row, .job = job};
        if (!windows || job->x.pixel != s->frame.lanes * ELEM_SIZE) {
            FN(put_pixels)(s, f);
        } else if (stride > 1) {
            FN(down_exact)(&f, NULL);
        } else {
            if (limit && s->pitch == n * ACC_SIZE) { /* rows end to end: one */
                f.n *= f.rows;
                f.rows = 1;
            }
            FN(put_rows)(f, limit);
        }
        if (++at == stride) {
            at = 0;
            sums += s->pitch;
        }
    }
}

/* --- tiles ------------------------------------------------------------------------------------------------------- */

/* Rows [r, end) of the windows of a plane, all of which exist, to rows of sums. */
static void FN(sum_rows)(const FN(sums) *s, const char *grad, ptrdiff_t r, ptrdiff_t end, char *sums)
{
    for (ptrdiff_t some; r < end; r += some, sums += some * s->pitch) {
        some = numpool_min(s->share_rows, end - r);
        FN(share_rows)(s->job, &s->frame, grad + r * s->job->y.row, r, some, s->shares);
        FN(add_columns)(s, some, sums);
    }
}

/* Rows [first, last) of one plane, some at a time: sums of rows that the next ones need again move to the front. */
static void FN(add_windows)(const FN(sums) *s, const char *grad, char *to, ptrdiff_t first, ptrdiff_t last,
                            const char *limit)
{
    const numpool_axis *h = &s->job->h;
    ptrdiff_t before = 0, ready = PTRDIFF_MIN; /* the first row of sums is that of window `before`; they end at `ready` */
    for (ptrdiff_t i = first, next; i < last; to += (next - i) * s->job->x.row, i = next) {
        next = numpool_min(i + s->rows, last);
        const ptrdiff_t low = FN(first_window)(h, i), high = (next - 1 + h->before) / h->stride + 1;
        if (ready > low)
            memmove(s->sums, s->sums + (low - before) * s->pitch, (ready - low) * s->pitch);
        ready = numpool_max(ready, low);
        const ptrdiff_t start = numpool_max(ready, numpool_min(0, high)), end = numpool_max(start, numpool_min(high, h->out));
        memset(s->sums + (ready - low) * s->pitch, 0, (start - ready) * s->pitch);
        FN(sum_rows)(s, grad, start, end, s->sums + (start - low) * s->pitch);
        memset(s->sums + (end - low) * s->pitch, 0, (high - end) * s->pitch);
        before = low;
        ready = high;
        FN(add_rows)(s, s->sums, i, next, low, to, limit);
    }
}

/* Several whole planes, stage by stage: small ones do not pay for a call each. */
static void FN(add_planes)(const FN(sums) *s, ptrdiff_t plane, ptrdiff_t planes, char *to, const char *limit)
{
    const numpool_job *job = s->job;
    const numpool_axis *h = &job->h;
    const ptrdiff_t low = FN(first_window)(h, 0), all = (h->in - 1 + h->before) / h->stride + 1 - low;
    const ptrdiff_t start = numpool_max(low, 0), rows = numpool_max(0, numpool_min(low + all, h->out) - start);
    const ptrdiff_t above = (start - low) * s->frame.pitch, held = above + rows * s->frame.pitch, bytes = all * s->frame.pitch;
    for (ptrdiff_t p = 0; p < planes; p++) {
        const char *grad = job->y.data + numpool_lead(job, job->y.lead, plane + p) + s->tile->lane0 * ELEM_SIZE;
        char *shares = s->shares + p * bytes;
        FN(clear)(shares, above / ACC_SIZE);
        FN(share_rows)(job, &s->frame, grad + start * job->y.row, start, rows, shares + above);
        FN(clear)(shares + held, (bytes - held) / ACC_SIZE);
    }
    FN(add_columns)(s, planes * all, s->sums);
    if (h->stride == 1 && limit && s->pitch == s->frame.n * ACC_SIZE) { /* rows end to end: a plane is one */
        const numpool_fold f = {.src = s->sums, .src_pitch = all * s->pitch, .step = s->pitch, .taps = h->kernel,
                                .rows = planes, .n = h->in * s->frame.n, .dst = to, .dst_pitch = h->in * job->x.row,
                                .job = job};
        FN(put_rows)(f, limit);
        return;
    }
    for (ptrdiff_t p = 0; p < planes; p++)
        FN(add_rows)(s, s->sums + p * all * s->pitch, 0, h->in, low, to + p * h->in * job->x.row, limit);
}

static ptrdiff_t FN(sum_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    FN(sums) s;
    const ptrdiff_t bytes = FN(make_sums)(&s, job, tile, scratch);
    if (!scratch)
        return bytes;
    const ptrdiff_t lane0 = tile->lane0 * ELEM_SIZE;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / job->h.in, first = row % job->h.in;
        const ptrdiff_t planes = first ? 0 : numpool_min(s.planes, (tile->row1 - row) / job->h.in);
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row + tile->col0 * job->x.pixel + lane0;
        next = planes ? row + planes * job->h.in : numpool_min(tile->row1, row - first + job->h.in);
        const char *limit = job->x.row == s.frame.n * ELEM_SIZE ? to + (next - row) * job->x.row : NULL;
        if (planes > 1)
            FN(add_planes)(&s, plane, planes, to, limit);
        else
            FN(add_windows)(&s, job->y.data + numpool_lead(job, job->y.lead, plane) + lane0, to, first,
                            first + next - row, limit);
    }
    return 0;
}
#undef SHORT_VECTORS
