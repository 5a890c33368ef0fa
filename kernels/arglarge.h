/* Template: windows of any size with their taps: across every row, then down the rows, then from slab to slab. The
 * includer is argextremum.h. */
/* `rows` image rows from `first` on, `step` apart, to (value, tap) rows: the tile's columns of windows. */
static __attribute__((noinline)) void FN(row_windows)(const numpool_job *job, const numpool_elements *elements, const
                                                      numpool_tile *tile, const char *plane, ptrdiff_t first, ptrdiff_t
                                                      rows, ptrdiff_t step, ptrdiff_t first_tap, ptrdiff_t tap_weight,
                                                      char *packed, char *dst, ptrdiff_t apart)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const numpool_axis *w = &job->w;
    const numpool_pixels at = numpool_reach(w, tile->col0, tile->col1);
    const ptrdiff_t pitch = FN(pitch)(at.span * lanes), dst_pitch = FN(pitch)(cols * lanes);
    const ptrdiff_t at_once = numpool_max(1, NUMPOOL_PACKED / numpool_max(pitch, 1));
    const int halves = w->stride == 2 && lanes == 1 && w->step == 1 && w->kernel <= 5;
    /* rows that are comparable as they lie, and that `across` reads exactly, need no packing */
    const int as_is = elements->comparable && !w->table && at.left + at.right == 0
                      && job->x.pixel == lanes * elements->size && (w->stride == 1 ? cols * lanes >= LANES : lanes >= LANES);
    for (ptrdiff_t r = 0; r < rows; r += at_once) {
        const ptrdiff_t some = numpool_min(at_once, rows - r), src_pitch = step * job->x.row;
        const char *src = plane + (first + r * step) * job->x.row + at.low * job->x.pixel + tile->lane0 * elements->size;
        if (!as_is) {
            FN(pack_image)(job, elements, lanes, &at, src, src_pitch, some, packed, pitch);
            FN(pad_rows)(elements, lanes, &at, some, packed, pitch);
        }
        const ptrdiff_t from_pitch = as_is ? src_pitch : pitch;
        numpool_fold f = {.src = as_is ? src : packed, .src_pitch = from_pitch, .step = w->step * lanes * ACC_SIZE,
                          .taps = w->kernel, .first_tap = first_tap, .tap_weight = tap_weight, .dst = dst + r * dst_pitch,
                          .dst_pitch = dst_pitch, .dst_apart = apart, .rows = some, .n = cols * lanes, .job = job,
                          .fresh = as_is && lanes * ACC_SIZE >= 64 && job->x.end - job->x.data > NUMPOOL_NEAR};
        if (w->table) {
            f.rows = 1;
            f.n = lanes;
            for (ptrdiff_t i = 0; i < some; i++, f.src += from_pitch)
                for (ptrdiff_t c = tile->col0; c < tile->col1; c++) {
                    numpool_fold one = f;
                    one.src += (numpool_start(w, c) - at.low) * lanes * ACC_SIZE;
                    one.taps = numpool_clip(w, c).taps;
                    one.dst += i * dst_pitch + (c - tile->col0) * lanes * ACC_SIZE;
                    if (one.taps == 0)
                        FN(fill)(elements, one.dst, lanes);
                    else if (lanes <= LANES && one.taps <= 8) /* one vector, one tree: no call for so little */
                        FN(store_pair)(one.dst, FN(across_tree)(one.src, 0, one.step, (int)one.taps, &one), apart);
                    else
                        FN(across)(&one);
                }
        } else if (f.taps > NUMPOOL_TALL && cols == 1 && f.n >= NUMPOOL_TALL_WIDTH * LANES) {
            FN(across_tall)(&f);
        } else if (w->stride == 1 || cols == 1) {
            FN(across)(&f);
        } else if (halves) {
            FN(across2)(&f);
        } else {
            f.src_pitch = w->stride * lanes * ACC_SIZE;
            f.dst_pitch = lanes * ACC_SIZE;
            f.rows = cols;
            f.n = lanes;
            for (ptrdiff_t i = 0; i < some; i++, f.src += from_pitch, f.dst += dst_pitch)
                FN(across)(&f);
        }
    }
}

/* Whether a tile's only column of single lanes is best folded down first: its columns then fill a vector. */
ALWAYS_INLINE int FN(stands_alone)(const numpool_job *job, ptrdiff_t cols, ptrdiff_t lanes)
{
    return cols == 1 && lanes == 1 && job->w.step == 1 && !job->w.table && !job->parts
           && job->h.kernel * FN(pitch)(job->w.kernel) <= NUMPOOL_PACKED;
}

/* One window of single lanes over one slab: down its columns, then across them, where of equals the least tap wins. */
static void FN(lone_window)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, const
                            numpool_large *way, const char *slab, ptrdiff_t row, char *dst)
{
    const numpool_window down = numpool_clip(&job->h, row), right = numpool_clip(&job->w, tile->col0);
    const numpool_pixels at = {.low = right.first, .pixels = right.taps, .span = right.taps};
    const ptrdiff_t pitch = FN(pitch)(right.taps), apart = way->columns_apart;
    if (!down.taps || !right.taps) {
        FN(fill)(elements, dst, 1);
        return;
    }
    const char *src = slab + down.first * job->x.row + right.first * job->x.pixel + tile->lane0 * elements->size;
    FN(pack_image)(job, elements, 1, &at, src, job->h.step * job->x.row, down.taps, way->packed, pitch);
    const numpool_fold f = {.src = way->packed, .step = pitch, .taps = down.taps, .rows = 1, .n = right.taps,
                            .first_tap = down.skipped, .tap_weight = way->unit_y, .dst = way->columns, .dst_apart = apart,
                            .job = job};
    FN(across)(&f);
    FN(best_of)(way->columns, apart, right.taps, right.skipped * way->unit_x, way->unit_x, dst, way->apart);
}

/* How many rows of taps of a single row of windows scratch holds at a time. */
ALWAYS_INLINE ptrdiff_t FN(rows_at_once)(ptrdiff_t taps, ptrdiff_t pitch)
{
    return numpool_max(1, numpool_min(taps, NUMPOOL_PACKED / pitch));
}

/* A row of windows over one slab: only its own rows of taps, which may lie apart, some after some. */
static void FN(one_row)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, const
                        numpool_large *way, const char *slab, numpool_window down, char *dst)
{
    const numpool_axis *h = &job->h;
    const ptrdiff_t n = (tile->col1 - tile->col0) * (tile->lane1 - tile->lane0), pitch = way->pitch;
    const ptrdiff_t at_once = FN(rows_at_once)(h->kernel, pitch);
    if (!down.taps)
        FN(fill)(elements, dst, n);
    for (ptrdiff_t t = 0; t < down.taps; t += at_once) {
        char *to = t ? way->rows + at_once * pitch : dst;
        const numpool_fold f = {.src = way->rows, .step = pitch, .taps = numpool_min(at_once, down.taps - t), .rows = 1, .n = n,
                                .first_tap = down.skipped + t, .tap_weight = way->unit_y, .src_apart = way->apart, .dst = to,
                                .dst_apart = way->apart, .job = job};
        FN(row_windows)(job, elements, tile, slab, down.first + t * h->step, f.taps, h->step, 0, way->unit_x, way->packed,
                        way->rows, way->apart);
        FN(upright)(&f);
        if (t)
            FN(join)(dst, to, way->apart, n, 0);
    }
}

/* Rows [first, last) of windows over one slab, to (value, tap) rows. */
static void FN(upright_windows)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile,
                                const numpool_large *way, const char *slab, ptrdiff_t first, ptrdiff_t last, char *dst)
{
    const numpool_axis *h = &job->h;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0, pitch = way->pitch;
    if (way->lone) {
        for (ptrdiff_t r = first; r < last; r++)
            FN(lone_window)(job, elements, tile, way, slab, r, dst + (r - first) * pitch);
        return;
    }
    if (last - first == 1) {
        FN(one_row)(job, elements, tile, way, slab, numpool_clip(h, first), dst);
        return;
    }
    const numpool_pixels reach = numpool_reach(h, first, last);
    FN(row_windows)(job, elements, tile, slab, reach.low, reach.pixels, 1, 0, way->unit_x, way->packed, way->rows, way->apart);
    ptrdiff_t inner, outer;
    numpool_interior(h, &inner, &outer);
    for (ptrdiff_t r = first, end; r < last; r = end) {
        const numpool_window window = numpool_clip(h, r);
        end = r >= inner && r < outer ? numpool_min(outer, last) : r + 1;
        numpool_fold f = {.src = way->rows + (window.first - reach.low) * pitch, .src_pitch = h->stride * pitch,
                          .step = h->step * pitch, .taps = window.taps, .first_tap = window.skipped,
                          .tap_weight = way->unit_y, .rows = end - r, .n = cols * lanes, .src_apart = way->apart,
                          .dst = dst + (r - first) * pitch, .dst_pitch = pitch, .dst_apart = way->apart, .job = job};
        if (window.taps)
            FN(upright)(&f);
        else
            FN(fill)(elements, f.dst, f.n);
    }
}

/* One window over one slab, joined to `best`: its taps as the columns of images of their own, taken some at a time.
 * `base` is what the slab adds to a tap. */
static void FN(window_in_parts)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile,
                                const numpool_large *way, const char *slab, numpool_window down, numpool_window right,
                                ptrdiff_t base, char *best)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const numpool_tile one = {.col1 = 1, .lane0 = tile->lane0, .lane1 = tile->lane1};
    numpool_job part = *job;
    part.x.pixel = w->step * job->x.pixel;
    for (ptrdiff_t i = 0; i < down.taps; i += NUMPOOL_PART)
        for (ptrdiff_t j = 0; j < right.taps; j += NUMPOOL_PART) {
            const ptrdiff_t some = numpool_min(NUMPOOL_PART, down.taps - i);
            const ptrdiff_t across = numpool_min(NUMPOOL_PART, right.taps - j);
            part.w = (numpool_axis){.in = across, .out = 1, .kernel = across, .stride = 1, .step = 1, .passes = 1};
            FN(row_windows)(&part, elements, &one, slab + (right.first + j * w->step) * job->x.pixel,
                            down.first + i * h->step, some,
                            h->step, right.skipped + j, way->unit_x, way->packed, way->rows, way->apart);
            const numpool_fold f = {.src = way->rows, .src_pitch = way->pitch, .step = way->pitch, .taps = some, .rows = 1,
                                    .first_tap = down.skipped + i, .tap_weight = way->unit_y, .n = lanes,
                                    .src_apart = way->apart, .dst = best + way->pitch, .dst_pitch = way->pitch,
                                    .dst_apart = way->apart, .job = job};
            FN(upright)(&f);
            FN(join)(best, best + way->pitch, way->apart, lanes, base);
        }
}

/* How a tile goes; its scratch is `packed_size` and twice `apart`. */
static void FN(large_way)(const numpool_job *job, const numpool_tile *tile, char *scratch, numpool_large *way)
{
    const ptrdiff_t cols = tile->col1 - tile->col0, lanes = tile->lane1 - tile->lane0, rows = tile->row1 - tile->row0;
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t span = job->parts ? numpool_min(w->kernel, NUMPOOL_PART)
                                      : (cols - 1) * w->stride + (w->kernel - 1) * w->step + 1;
    const ptrdiff_t tall = numpool_min(h->kernel, NUMPOOL_PART);
    way->pitch = FN(pitch)(cols * lanes);
    /* bytes of rows of taps, of a single row of windows: never less for a longer pitch, though it takes fewer rows at a time */
    const ptrdiff_t one = job->parts ? tall * way->pitch
                                     : numpool_min((h->kernel + 1) * way->pitch, NUMPOOL_PACKED + 2 * way->pitch);
    const ptrdiff_t room = rows == 1 ? one : numpool_max(one, ((rows - 1) * h->stride + (tall - 1) * h->step + 1) * way->pitch);
    const ptrdiff_t kept = job->d.out ? 2 * rows : rows; /* those of a slab beside the best so far */
    /* the larger of two would do, but this is never less for more */
    way->packed_size = FN(pitch)(span * lanes) + NUMPOOL_PACKED + 2 * NUMPOOL_SLACK;
    way->lone = FN(stands_alone)(job, cols, lanes);
    way->columns_apart = FN(pitch)(span) + NUMPOOL_SLACK;
    way->columns = scratch + way->packed_size;
    way->packed_size += 2 * way->columns_apart; /* for all tiles: the last one may be lone where the largest is not */
    way->apart = room + (kept + 1) * way->pitch + 2 * NUMPOOL_SLACK; /* rows of stage one, then the best */
    way->packed = scratch;
    way->rows = scratch + way->packed_size;
    way->best = way->rows + room + NUMPOOL_SLACK;
    way->other = way->best + rows * way->pitch;
    /* a tap's number in its window, or, where one fits into the accumulator, its position from tap 0 */
    const ptrdiff_t deep = job->d.step * job->position.slab, fall = h->step * job->position.row;
    const ptrdiff_t move = w->step * job->position.pixel;
    const ptrdiff_t farthest = (job->d.out ? (job->d.kernel - 1) * deep : 0) + (h->kernel - 1) * fall
                               + (w->kernel - 1) * move;
    way->offsets = !job->window_index && farthest < INT32_MAX;
    way->unit_x = way->offsets ? move : 1;
    way->unit_y = way->offsets ? fall : w->kernel;
    way->unit_z = way->offsets ? deep : h->kernel * w->kernel;
}

static void FN(large_block)(const numpool_job *given, const numpool_elements *elements, const numpool_tile *tile,
                            numpool_large *way)
{
    numpool_job slabs;
    const numpool_job *job = given;
    const numpool_axis *h = &job->h;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const int irregular = job->d.table || h->table || job->w.table;
    if (given->d.out) {
        slabs = *given;
        job = &slabs;
    }
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->out, first = row % h->out;
        next = numpool_min(tile->row1, row - first + h->out);
        const ptrdiff_t last = first + next - row;
        const numpool_window deep = numpool_slabs(given, plane);
        const char *from = job->x.data + numpool_lead(job, job->x.lead, plane) + deep.first * job->x.slab;
        const numpool_target to = numpool_target_of(job, tile, plane, first, elements->size);
        if (given->d.out)
            slabs.deep = deep;
        const numpool_window down = numpool_clip(h, first), right = numpool_clip(&job->w, tile->col0);
        const ptrdiff_t n = job->parts ? lanes : (last - first) * way->pitch / ACC_SIZE;
        if (job->parts && job->window_index && irregular) { /* taps are numbered in the window's own shape */
            way->unit_y = job->w.table ? right.taps : job->w.kernel;
            way->unit_z = (h->table ? down.taps : h->kernel) * way->unit_y;
        }
        SIGNED(ACC_SIZE) *taps = (SIGNED(ACC_SIZE) *)(void *)(way->best + way->apart);
        if (job->parts || !deep.taps) {
            FN(fill)(elements, way->best, n);
            for (ptrdiff_t i = 0; i < n; i++)
                taps[i] = deep.skipped * way->unit_z + down.skipped * way->unit_y + right.skipped * way->unit_x;
        }
        for (ptrdiff_t t = 0; t < deep.taps; t++, from += job->d.step * job->x.slab) {
            const ptrdiff_t base = (deep.skipped + t) * way->unit_z;
            if (job->parts) {
                FN(window_in_parts)(job, elements, tile, way, from, down, right, base, way->best);
            } else {
                FN(upright_windows)(job, elements, tile, way, from, first, last, t ? way->other : way->best);
                if (t)
                    FN(join)(way->best, way->other, way->apart, n, base);
                for (ptrdiff_t i = 0; !t && base && i < n; i++)
                    taps[i] += base;
            }
        }
        FN(finish)(job, elements, tile, first, last, way->best, way->apart, way->pitch, to, way->offsets, 0, 1);
    }
}
