/* Template: windows of one row over single lanes that are their own sums, folded where they lie: no row goes to scratch first. A
 * part of forward.h, whose words these are.
 *
 *     fold_in_place   to scratch or to the output: one long window a row, and four columns side by side
 *     go_along        at stride 1 or 2 to the output, all windows but those beside the image */
enum { FN(nothing_folded), FN(sums_folded), FN(results_folded) };

/* Whether rows of windows side by side, and their results, are one long row of both. */
ALWAYS_INLINE int FN(rows_are_one)(const numpool_job *job)
{
    const numpool_axis *w = &job->w;
    return w->kernel == w->stride && w->kernel > 1 && w->before == 0 && w->in == w->out * w->stride && job->h.stride == 1
           && job->x.row == w->in * ELEM_SIZE && job->y.row == w->out * OUT_SIZE(job);
}

/* Rows of single lanes that are their own sums, where a stage reads nothing behind them: no copy. Returns what it made, sums to
 * dst or results to the output; or nothing. */
static int FN(fold_in_place)(const numpool_job *job, const numpool_tile *tile, const char *plane, ptrdiff_t first, ptrdiff_t last,
                             char *dst, ptrdiff_t dst_pitch, char *out)
{
    const numpool_axis *w = &job->w;
    const numpool_window window = numpool_clip(w, tile->col0);
    const ptrdiff_t cols = tile->col1 - tile->col0, row = job->h.stride * job->x.row;
    ptrdiff_t rows = last - first;
    numpool_fold f = {.src = plane + first * row + window.first * ELEM_SIZE, .src_pitch = row, .taps = window.taps,
                      .rows = rows, .dst = dst, .dst_pitch = dst_pitch, .job = job,
                      .fresh = job->x.end - job->x.data > NUMPOOL_NEAR};
    (void)out;
#ifdef LINES
    if (cols == 1 && window.taps >= LANES) {
        f.dst = out;
        f.dst_pitch = job->y.row;
        FN(lines)(&f);
        return FN(results_folded);
    }
#endif
#ifdef TRANSPOSE_NOTHING
    const int straight = DIRECT(job) && job->y.pixel == OUT_SIZE(job);
    const int one = straight && cols == w->out && FN(rows_are_one)(job);
    if (w->kernel == 4 && w->stride == 4 && w->before == 0 && !w->table && (one ? rows : 1) * cols >= LANES
        && tile->col1 * 4 <= w->in) {
        f.by = numpool_by_of(job->divisor);
        f.rows = (one ? rows : 1) * cols;
        rows = one ? 1 : rows;
        for (ptrdiff_t r = 0; r < rows; r++, f.src += f.src_pitch) {
            f.dst = straight ? out + r * job->y.row : dst + r * dst_pitch;
            if (straight)
                FN(quads_to)(&f, 1);
            else
                FN(quads)(&f);
        }
        return straight ? FN(results_folded) : FN(sums_folded);
    }
#endif
    return FN(nothing_folded);
}

/* Whether rows are single lanes that are their own sums. */
ALWAYS_INLINE int FN(rows_are_sums)(const numpool_job *job)
{
    const numpool_axis *h = &job->h;
    return job->lanes == 1 && job->x.pixel == ELEM_SIZE && job->w.step == 1 && h->kernel == 1 && h->before == 0 && !h->table
           && (h->out - 1) * h->stride < h->in && !job->d.out;
}

/* Whether windows along such rows, at stride 1 or 2, go from the image to the output, and which: all their taps are inside, and
 * vectors end before the row does. Those beside them go by way of scratch, a vector of them. */
static int FN(goes_along)(const numpool_job *job, const numpool_tile *tile, numpool_tile *inner)
{
    numpool_axis w = job->w;
    if (!FN(rows_are_sums)(job) || w.table || w.passes > 1 || w.running || w.stride > 2 || (w.stride == 2 && w.kernel > 5)
        || !DIRECT(job) || job->y.pixel != OUT_SIZE(job))
        return 0;
    ptrdiff_t first, last;
    w.kernel += w.stride == 2 && w.kernel % 2; /* pairs of columns are read */
    numpool_interior(&w, &first, &last);
    *inner = *tile;
    inner->col0 = numpool_max(first, tile->col0);
    inner->col1 = numpool_min(last, tile->col1);
    const ptrdiff_t left = inner->col0 - tile->col0, right = tile->col1 - inner->col1, cols = inner->col1 - inner->col0;
    const int one = cols == w.out && job->leads == 0 && FN(rows_are_one)(job); /* of one plane: all rows of the tile */
    return cols * (one ? tile->row1 - tile->row0 : 1) >= (left || right ? NUMPOOL_ALONG : 1) * LANES && left <= LANES
           && right <= LANES;
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch);

static void FN(go_along)(const numpool_job *job, const numpool_tile *tile, const numpool_tile *inner, char *scratch)
{
    numpool_tile beside = *tile;
    numpool_fold f = {.step = ELEM_SIZE, .taps = job->w.kernel, .n = inner->col1 - inner->col0, .job = job,
                      .src_pitch = job->h.stride * job->x.row, .dst_pitch = job->y.row, .by = numpool_by_of(job->divisor)};
    if (inner->col0 > tile->col0) {
        beside.col1 = tile->col0 + LANES;
        FN(block)(job, &beside, scratch);
    }
    if (inner->col1 < tile->col1) {
        beside.col0 = tile->col1 - LANES;
        beside.col1 = tile->col1;
        FN(block)(job, &beside, scratch);
    }
    for (ptrdiff_t row = tile->row0; row < tile->row1; row += f.rows) {
        const ptrdiff_t plane = row / job->h.out, first = row % job->h.out;
        f.rows = numpool_min(tile->row1 - row, job->h.out - first);
        f.src = job->x.data + numpool_lead(job, job->x.lead, plane) + first * f.src_pitch
                + numpool_start(&job->w, inner->col0) * ELEM_SIZE;
        f.dst = job->y.data + numpool_lead(job, job->y.lead, plane) + first * job->y.row + inner->col0 * OUT_SIZE(job);
        numpool_fold g = f;
        if (inner->col1 - inner->col0 == job->w.out && FN(rows_are_one)(job)) {
            g.n *= g.rows;
            g.rows = 1;
        }
        if (job->w.stride == 1)
            FN(LAST)(&g);
        else
            FN(LAST2)(&g);
    }
}
