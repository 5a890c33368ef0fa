/* Template: the gradient of an average: every input pixel sums grad / divisor over the windows that hold it. In two
 * stages, as forward: rows of windows are folded down, then across; each phase of columns has its own number of windows. */
#define ACC_SIZE NUMPOOL_CAT(BACKWARD_ACC_, ELEM_SIZE)
#define ACC NUMPOOL_CAT(BACKWARD_TYPE_, ELEM_SIZE)
#define COMMON(part) NUMPOOL_JOIN(backward, DTYPE, part)
#define SUM(part) NUMPOOL_JOIN(average, DTYPE, part)

/* One row of grad_output, columns [first, last), divided by its windows' divisors. */
static void FN(divide_row)(const numpool_job *job, const char *grad, ptrdiff_t r, ptrdiff_t first, ptrdiff_t last,
                           ptrdiff_t lanes, char *sums)
{
    const int64_t rows = numpool_count(&job->h, r, job->count_padding);
    ptrdiff_t inner, outer;
    numpool_interior(&job->w, &inner, &outer);
    for (ptrdiff_t i = 0; i < (job->y.pixel == lanes * ELEM_SIZE ? 1 : last - first); i++) {
        const ptrdiff_t pixels = job->y.pixel == lanes * ELEM_SIZE ? last - first : 1;
        COMMON(widen)(sums + i * lanes * ACC_SIZE, grad + i * job->y.pixel, pixels * lanes);
    }
    for (ptrdiff_t c = first, next; c < last; c = next) {
        const int all = c >= inner && c < outer;
        const int64_t divisor = job->divisor ? job->divisor
                                             : rows * numpool_count(&job->w, c, job->count_padding);
        next = job->divisor ? last : all ? numpool_min(outer, last) : c + 1;
        ACC *sum = (ACC *)(void *)sums + (c - first) * lanes;
        const ptrdiff_t n = (next - c) * lanes;
        const ACC by = (ACC)divisor, factor = 1 / by;
        if (divisor == 0)
            memset(sum, 0, n * ACC_SIZE);
        else if (divisor > 0 && (divisor & (divisor - 1)) == 0)
            for (ptrdiff_t i = 0; i < n; i++)
                sum[i] *= factor;
        else
            for (ptrdiff_t i = 0; i < n; i++)
                sum[i] /= by;
    }
}

/* Whether there is one window, which holds the whole plane, and the tile is planes whose elements lie end to end. */
static int FN(is_global)(const numpool_job *job, const numpool_tile *tile)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    return h->out == 1 && w->out == 1 && h->kernel - h->before >= h->in && w->kernel - w->before >= w->in && job->lanes == 1
           && job->x.pixel == ELEM_SIZE && job->x.row == w->in * ELEM_SIZE && tile->col1 - tile->col0 == w->in
           && tile->row0 % h->in == 0 && tile->row1 % h->in == 0;
}

/* Such planes: each is its one quotient. */
static void FN(fill_planes)(const numpool_job *job, const numpool_tile *tile)
{
    const int64_t divisor = job->divisor ? job->divisor
                                         : (int64_t)numpool_count(&job->h, 0, job->count_padding)
                                               * numpool_count(&job->w, 0, job->count_padding);
    const ACC by = (ACC)divisor, factor = 1 / by;
    const int halving = divisor > 0 && (divisor & (divisor - 1)) == 0; /* then the product is the quotient */
    const ptrdiff_t n = job->h.in * job->w.in;
    for (ptrdiff_t plane = tile->row0 / job->h.in; plane < tile->row1 / job->h.in; plane++) {
        ELEM *to = (ELEM *)(void *)(job->x.data + numpool_lead(job, job->x.lead, plane));
        ACC sum;
        COMMON(widen)((char *)&sum, job->y.data + numpool_lead(job, job->y.lead, plane), 1);
        sum = divisor == 0 ? 0 : halving ? sum * factor : sum / by;
        COMMON(put_phase)((char *)to, (const char *)&sum, 1, 1, ELEM_SIZE);
        for (ptrdiff_t i = 1; i < n; i++)
            to[i] = to[0];
    }
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, stride = w->stride, rows_in = tile->row1 - tile->row0;
    const ptrdiff_t left = numpool_max(0, numpool_ceil_div(tile->col0 + w->before - (w->kernel - 1), stride));
    const ptrdiff_t right = numpool_max(left, numpool_min(w->out, (tile->col1 - 1 + w->before) / stride + 1));
    const ptrdiff_t most = numpool_min(w->out, (tile->col1 - tile->col0 + w->kernel - 2) / stride + 2); /* of any tile */
    const ptrdiff_t pitch = COMMON(pitch)(most * lanes);
    const ptrdiff_t rows_out = (rows_in + h->kernel - 2) / h->stride + 2;
    const ptrdiff_t phase = COMMON(pitch)(((tile->col1 - tile->col0 - 1) / stride + 1) * lanes) + NUMPOOL_SLACK;
    const ptrdiff_t phase_count = numpool_min(stride, tile->col1 - tile->col0);
    if (!scratch)
        return (rows_out + 1) * pitch + 3 * NUMPOOL_SLACK
               + numpool_max(phase_count * phase, (tile->col1 - tile->col0) * lanes * ACC_SIZE);
    if (FN(is_global)(job, tile)) {
        FN(fill_planes)(job, tile);
        return 0;
    }
    char *down = scratch + rows_out * pitch + NUMPOOL_SLACK, *phases = down + pitch + NUMPOOL_SLACK;

    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->in, first = row % h->in;
        next = numpool_min(tile->row1, row - first + h->in);
        const ptrdiff_t last = first + next - row;
        const ptrdiff_t top = numpool_max(0, numpool_ceil_div(first + h->before - (h->kernel - 1), h->stride));
        const ptrdiff_t bottom = numpool_max(top, numpool_min(h->out, (last - 1 + h->before) / h->stride + 1));
        const char *grad = job->y.data + numpool_lead(job, job->y.lead, plane) + left * job->y.pixel
                           + tile->lane0 * ELEM_SIZE;
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row
                   + tile->col0 * job->x.pixel + tile->lane0 * ELEM_SIZE;
        for (ptrdiff_t r = top; r < bottom; r++)
            FN(divide_row)(job, grad + r * job->y.row, r, left, right, lanes, scratch + (r - top) * pitch);
        ptrdiff_t low_before = -1, high_before = -1;
        for (ptrdiff_t i = first; i < last; i++, to += job->x.row) {
            const ptrdiff_t low = numpool_max(top, numpool_ceil_div(i + h->before - (h->kernel - 1), h->stride));
            const ptrdiff_t high = numpool_min(bottom, (i + h->before) / h->stride + 1);
            const ptrdiff_t width = (right - left) * lanes;
            if (low == low_before && high == high_before && job->x.pixel == lanes * ELEM_SIZE) { /* as the row above */
                memcpy(to, to - job->x.row, (tile->col1 - tile->col0) * lanes * ELEM_SIZE);
                continue;
            }
            low_before = low;
            high_before = high;
            numpool_fold f = {.src = scratch + (low - top) * pitch, .step = pitch, .taps = high - low, .rows = 1,
                              .n = width, .dst = down, .job = job};
            if (high > low && width)
                SUM(across)(&f);
            else
                memset(down, 0, width * ACC_SIZE);
            if (w->kernel <= stride && lanes == 1) { /* no two windows meet: each column has one, or none */
                ACC *row = (ACC *)(void *)phases;
                const ACC *sum = (const ACC *)(const void *)down;
                memset(row, 0, (tile->col1 - tile->col0) * ACC_SIZE);
                for (ptrdiff_t c = left; c < right; c++) {
                    const ptrdiff_t start = c * stride - w->before - tile->col0;
                    const ptrdiff_t end = numpool_min(start + w->kernel, tile->col1 - tile->col0);
                    for (ptrdiff_t x = numpool_max(start, 0); x < end; x++)
                        row[x] = sum[c - left];
                }
                COMMON(put_phase)(to, phases, tile->col1 - tile->col0, 1, job->x.pixel);
                continue;
            }
            for (ptrdiff_t q = 0; q < phase_count; q++) {
                /* columns col0 + q, col0 + q + stride, ...: window `mid` and the `more` before it hold the first */
                const ptrdiff_t start = tile->col0 + q + w->before, mid = start / stride, at = start % stride;
                const ptrdiff_t count = (tile->col1 - tile->col0 - q - 1) / stride + 1;
                const ptrdiff_t windows = at < w->kernel ? (w->kernel - 1 - at) / stride + 1 : 0;
                char *sums = phases + q * phase;
                const ptrdiff_t begin = numpool_min(count, numpool_max(0, windows - 1 - mid));
                const ptrdiff_t end = numpool_max(begin, numpool_min(count, w->out - mid));
                if (windows == 0) {
                    memset(sums, 0, count * lanes * ACC_SIZE);
                    continue;
                }
                f = (numpool_fold){.src = down + (mid + begin - windows + 1 - left) * lanes * ACC_SIZE,
                                   .step = lanes * ACC_SIZE, .taps = windows, .rows = 1, .n = (end - begin) * lanes,
                                   .dst = sums + begin * lanes * ACC_SIZE, .job = job};
                if (end > begin)
                    SUM(across)(&f);
                for (ptrdiff_t m = 0; m < count; m = m + 1 == begin ? numpool_max(end, begin) : m + 1) {
                    if (m >= begin && m < end) { /* begin == 0 */
                        m = end - 1;
                        continue;
                    }
                    const ptrdiff_t one = numpool_max(0, mid + m - windows + 1), beyond = numpool_min(w->out, mid + m + 1);
                    char spill[NUMPOOL_SLACK * 2] __attribute__((aligned(64)));
                    f.src = down + (one - left) * lanes * ACC_SIZE;
                    f.taps = beyond - one;
                    f.n = lanes;
                    f.dst = lanes < NUMPOOL_SLACK / ACC_SIZE ? spill : sums + m * lanes * ACC_SIZE;
                    if (beyond > one)
                        SUM(across)(&f);
                    else
                        memset(f.dst, 0, lanes * ACC_SIZE);
                    if (f.dst == spill)
                        memcpy(sums + m * lanes * ACC_SIZE, spill, lanes * ACC_SIZE);
                }
            }
            if (stride == 2 && lanes == 1 && job->x.pixel == ELEM_SIZE && tile->col1 - tile->col0 > 1)
                COMMON(put_pairs)(to, phases, phases + phase, tile->col1 - tile->col0);
            else
                for (ptrdiff_t q = 0; q < phase_count; q++)
                    COMMON(put_phase)(to + q * job->x.pixel, phases + q * phase,
                                      (tile->col1 - tile->col0 - q - 1) / stride + 1, lanes, stride * job->x.pixel);
        }
    }
    return 0;
}
#undef COMMON
#undef SUM
#undef ACC
#undef ACC_SIZE
