/* Template: the gradient of an average of one divisor, for pixels shorter than a vector of which each has one window or
 * none: a row of shares is expanded to rows of grad_input, as a table says. Copies of many bytes are left to memcpy. The
 * includer is average_backward.h. */
#define COPY_BYTES 1024   /* what memcpy does sooner than the vectors of a table */
#define PLANE_ELEMENTS 256 /* a plane of as many is one row of vectors, if it can be */

typedef struct {
    const numpool_job *job;
    const numpool_tile *tile;
    FN(frame) frame;
    FN(table) table;
    ptrdiff_t first, last;     /* rows of grad_output, counted over all planes, whose shares are in scratch */
    ptrdiff_t share_rows, end; /* how many there may be; where those of the tile end, if planes follow each other as rows do */
    char *shares;
} FN(expansion);

static int FN(is_expansion)(const numpool_job *job)
{
    return job->divisor && job->lanes < LANES && job->h.kernel <= job->h.stride && job->w.kernel <= job->w.stride;
}

/* Lays out scratch (NULL: only asks for it). Returns its bytes, which are no fewer for a larger tile. */
static ptrdiff_t FN(make_expansion)(FN(expansion) *s, const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h;
    const FN(frame) frame = FN(framed)(job, tile);
    s->job = job;
    s->tile = tile;
    s->frame = frame;
    const int small = h->in * frame.n <= PLANE_ELEMENTS && frame.cols == job->w.in;
    const int stacked = job->leads == 0 || (job->leads == 1 && job->y.lead[0] == h->out * job->y.row);
    const ptrdiff_t row = frame.most * ACC_SIZE, bytes = FN(piece)(numpool_max((small ? h->out : 1) * row, SHARE_BYTES));
    s->share_rows = numpool_max(small ? h->out : 1, SHARE_BYTES / row);
    s->first = s->last = 0;
    s->end = stacked ? (tile->row1 + h->in - 1) / h->in * h->out : 0;
    s->shares = scratch;
    const ptrdiff_t table = FN(make_table)(&s->table, job, &frame, small ? h->in : 1, scratch ? scratch + bytes : NULL);
    if (!scratch)
        return bytes + numpool_max(table, FN(make_table)(&s->table, job, &frame, 1, NULL));
    if (small && stacked && tile->row0 % h->in == 0 && tile->row1 % h->in == 0 && FN(fill_table)(&s->table, job, tile, &frame))
        return 0;
    FN(make_table)(&s->table, job, &frame, 1, scratch + bytes);
    FN(fill_table)(&s->table, job, tile, &frame);
    return 0;
}

static void FN(clear_rows)(const FN(expansion) *s, char *to, ptrdiff_t rows)
{
    for (ptrdiff_t r = 0; r < rows; r++)
        memset(to + r * s->job->x.row, 0, s->frame.n * ELEM_SIZE);
}

/* Shares of row r of a plane of grad_output; *left says how many rows from it on are in scratch. */
static const char *FN(shares_of)(FN(expansion) *s, ptrdiff_t plane, ptrdiff_t r, ptrdiff_t *left)
{
    const numpool_job *job = s->job;
    const ptrdiff_t row = plane * job->h.out + r;
    if (row < s->first || row >= s->last) {
        s->first = row;
        s->last = numpool_min(row + s->share_rows, s->end ? s->end : row - r + job->h.out);
        FN(share_rows)(job, &s->frame, job->y.data + numpool_lead(job, job->y.lead, plane) + r * job->y.row, r,
                       s->last - row, s->shares);
    }
    *left = s->last - row;
    return s->shares + (row - s->first) * s->frame.pitch;
}

/* Planes [first, last), each as one row of vectors. */
static void FN(expand_planes)(FN(expansion) *s, char *to, ptrdiff_t first, ptrdiff_t last)
{
    const numpool_axis *h = &s->job->h;
    const ptrdiff_t bytes = h->in * s->job->x.row;
    const char *limit = to + (last - first) * bytes;
    numpool_fold f = {.src_pitch = h->out * s->frame.pitch, .taps = 1, .dst_pitch = bytes, .n = h->in * s->frame.n};
    for (ptrdiff_t plane = first; plane < last; plane += f.rows) {
        f.dst = to + (plane - first) * bytes;
        f.src = FN(shares_of)(s, plane, 0, &f.rows);
        f.rows /= h->out;
        s->last = s->first + f.rows * h->out;
        FN(expand)(&s->table, &f, limit);
    }
}

/* --- tiles ------------------------------------------------------------------------------------------------------- */

/* `windows` windows of a plane down from row r of grad_output, the first `taps` rows of each. Returns how many it took. */
static ptrdiff_t FN(put_windows)(FN(expansion) *s, ptrdiff_t plane, ptrdiff_t r, ptrdiff_t windows, ptrdiff_t taps, char *to,
                                 const char *limit)
{
    const ptrdiff_t pitch = s->job->x.row, step = s->job->h.stride * pitch;
    const int copies = (taps - 1) * s->frame.n * ELEM_SIZE >= COPY_BYTES;
    numpool_fold f = {.src_pitch = s->frame.pitch, .taps = copies ? 1 : taps, .step = pitch, .dst = to, .dst_pitch = step,
                      .n = s->frame.n};
    f.src = FN(shares_of)(s, plane, r, &f.rows);
    f.rows = numpool_min(f.rows, windows);
    FN(expand)(&s->table, &f, limit ? limit : to);
    for (ptrdiff_t w = 0; w < f.rows && copies; w++)
        FN(repeat)(s->job, &s->frame, to + w * step, taps);
    return f.rows;
}

/* Rows [first, last) of one plane. */
static void FN(expand_windows)(FN(expansion) *s, ptrdiff_t plane, char *to, ptrdiff_t first, ptrdiff_t last, const char *limit)
{
    const numpool_axis *h = &s->job->h;
    const ptrdiff_t pitch = s->job->x.row;
    ptrdiff_t done = first;
    for (ptrdiff_t r = (first + h->before) / h->stride, some; r < h->out && r * h->stride - h->before < last; r += some) {
        const ptrdiff_t start = r * h->stride - h->before, room = last - start - h->kernel;
        const ptrdiff_t low = numpool_max(start, first), taps = numpool_min(start + h->kernel, last) - low;
        some = 1;
        if (taps <= 0)
            continue;
        if (start >= first && room >= 0 && h->kernel == h->stride) /* whole windows without a gap go together */
            some = numpool_min(h->out - r, 1 + room / h->stride);
        FN(clear_rows)(s, to + (done - first) * pitch, low - done);
        some = FN(put_windows)(s, plane, r, some, taps, to + (low - first) * pitch, limit);
        done = low + taps + (some - 1) * h->stride;
    }
    FN(clear_rows)(s, to + (done - first) * pitch, last - done);
}

static ptrdiff_t FN(expand_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    FN(expansion) s;
    const ptrdiff_t bytes = FN(make_expansion)(&s, job, tile, scratch), in = job->h.in;
    if (!scratch)
        return bytes;
    if (s.table.rows > 1) {
        FN(expand_planes)(&s, job->x.data + tile->row0 * job->x.row, tile->row0 / in, tile->row1 / in);
        return 0;
    }
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / in, first = row % in;
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row + tile->col0 * job->x.pixel;
        next = numpool_min(tile->row1, row - first + in);
        FN(expand_windows)(&s, plane, to, first, first + next - row,
                           job->x.row == s.frame.n * ELEM_SIZE ? to + (next - row) * job->x.row : NULL);
    }
    return 0;
}
#undef COPY_BYTES
#undef PLANE_ELEMENTS
