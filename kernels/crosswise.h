/* Template: sums of windows across rows first, then down columns: the order of gradients, whose shares these are.
 *
 *     image rows --across--> rows of sums in scratch --down--> output rows, one after the other
 *
 * For average.h, floats that are their own sums; no window is empty. */
ALWAYS_INLINE ptrdiff_t FN(crosswise_pitch)(const numpool_tile *tile)
{
    return numpool_pitch((tile->col1 - tile->col0) * (tile->lane1 - tile->lane0) * ACC_SIZE);
}

static ptrdiff_t FN(crosswise_bytes)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t rows = numpool_min(tile->row1 - tile->row0, job->h.out);
    return numpool_min(job->h.in, (rows - 1) * job->h.stride + job->h.kernel) * FN(crosswise_pitch)(tile) + NUMPOOL_SLACK;
}

/* The windows of one row of pixels; nothing from `end` on is read. */
static void FN(across_row)(const numpool_job *job, const numpool_tile *tile, const char *row, char *to)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    numpool_fold f = {.step = job->x.pixel, .rows = 1, .n = lanes, .dst = to, .job = job};
    for (ptrdiff_t c = tile->col0; c < tile->col1; c++, f.dst += lanes * ACC_SIZE) {
        const numpool_window window = numpool_clip(&job->w, c);
        f.src = row + window.first * job->x.pixel;
        f.taps = window.taps;
        if (lanes == LANES && f.taps <= 8) /* one vector, one tree: no call for so little */
            FN(store)(f.dst, FN(across_tree)(f.src, 0, f.step, (int)f.taps, &f), 0);
        else
            FN(across_guarded)(&f, job->x.end);
    }
}

static void FN(crosswise)(const numpool_job *job, const numpool_tile *tile, char *sums)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0, pitch = FN(crosswise_pitch)(tile);
    const int dense = job->y.pixel == lanes * ELEM_SIZE;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / job->h.out, first = row % job->h.out;
        next = numpool_min(tile->row1, row - first + job->h.out);
        const numpool_pixels read = numpool_reach(&job->h, first, first + next - row);
        const char *from = job->x.data + numpool_lead(job, job->x.lead, plane) + read.low * job->x.row + tile->lane0 * ELEM_SIZE;
        char *out = job->y.data + numpool_lead(job, job->y.lead, plane) + first * job->y.row + tile->col0 * job->y.pixel
                    + tile->lane0 * ELEM_SIZE;
        for (ptrdiff_t r = 0; r < read.pixels; r++)
            FN(across_row)(job, tile, from + r * job->x.row, sums + r * pitch);
        for (ptrdiff_t r = first; r < first + next - row; r++, out += job->y.row) {
            const numpool_window window = numpool_clip(&job->h, r);
            numpool_fold f = {.src = sums + (window.first - read.low) * pitch, .step = pitch, .taps = window.taps, .rows = 1,
                              .n = cols * lanes, .dst = out, .job = job, .by = numpool_by_of(job->divisor)};
            if (!dense) {
                f.rows = cols;
                f.src_pitch = lanes * ACC_SIZE;
                f.dst_pitch = job->y.pixel;
                f.n = lanes;
            }
            FN(last_exact)(&f, dense ? tile->limit : NULL);
        }
    }
}
