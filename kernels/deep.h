/* Template: windows over slabs before those over rows and columns. The slabs that a plane of the output needs are folded into
 * one, an image in scratch, which is pooled as any other, by whatever stages its shape allows. A slab is read once a plane, not
 * once for each row of a window.
 *
 *     slabs --down--> image --block--> output rows
 *
 * For accumulators that are input elements (FOLDS_SLABS), before forward.h's FN(block). */
static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch);

/* Of the input, what so many windows of a tile read at most. */
ALWAYS_INLINE ptrdiff_t FN(most_read)(const numpool_axis *axis, ptrdiff_t windows)
{
    return numpool_min(axis->in, (windows - 1) * axis->stride + (axis->kernel - 1) * axis->step + 1);
}

/* The rows and columns of one plane that a tile reads, folded over its slabs; they follow each other in the image. */
static void FN(fold_slabs)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, const numpool_pixels *down,
                           const numpool_pixels *across, char *to)
{
    const numpool_window slabs = numpool_slabs(job, plane);
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, row = across->pixels * lanes;
    const char *from = job->x.data + numpool_lead(job, job->x.lead, plane) + slabs.first * job->x.slab
                       + down->low * job->x.row + across->low * job->x.pixel + tile->lane0 * ELEM_SIZE;
    numpool_fold f = {.src = from, .src_pitch = job->x.row, .step = job->d.step * job->x.slab, .taps = slabs.taps,
                      .rows = down->pixels, .n = row, .dst = to, .dst_pitch = row * ELEM_SIZE, .job = job,
                      .fresh = job->x.end - job->x.data <= NUMPOOL_NEAR ? 0 : numpool_min(slabs.taps, job->d.stride)};
    if (slabs.taps == 0) {
        FN(fill)(to, down->pixels * row, 0);
        return;
    }
    if (job->x.pixel != lanes * ELEM_SIZE) { /* pixels apart: each is a row of its own */
        f.src_pitch = job->x.pixel;
        f.dst_pitch = lanes * ELEM_SIZE;
        f.rows = across->pixels;
        f.n = lanes;
        for (ptrdiff_t r = 0; r < down->pixels; r++, f.src = from + r * job->x.row, f.dst += row * ELEM_SIZE)
            FN(down_guarded)(&f, job->x.end);
        return;
    }
    if (f.src_pitch == f.dst_pitch) { /* rows end to end: one */
        f.n *= f.rows;
        f.rows = 1;
    }
    FN(down_guarded)(&f, job->x.end);
}

/* A tile: some rows of one plane, or some whole planes of one lead, at a time. */
static ptrdiff_t FN(deep)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, high = job->h.out;
    numpool_pixels across = numpool_reach(&job->w, tile->col0, tile->col1);
    if (!scratch)
        across.pixels = FN(most_read)(&job->w, tile->col1 - tile->col0);
    const ptrdiff_t row = across.pixels * lanes * ELEM_SIZE, rows = tile->row1 - tile->row0;
    const ptrdiff_t most = numpool_max(1, rows / high); /* planes at a time */
    const ptrdiff_t bytes = most * FN(most_read)(&job->h, numpool_min(rows, high)) * row;
    const ptrdiff_t image_bytes = NUMPOOL_SLACK + (bytes + 63) / 64 * 64 + NUMPOOL_SLACK; /* the blocks' scratch is aligned */
    ptrdiff_t planes, plane_bytes = 0;
    /* planes along the innermost lead, and bytes from one to the next in the output */
    const ptrdiff_t along = job->leads ? job->lead[job->leads - 1] : 1, apart = job->leads ? job->y.lead[job->leads - 1] : 0;
    numpool_job flat = *job;
    flat.d.out = 0;
    flat.lead = &planes;
    flat.x.lead = &plane_bytes;
    flat.y.lead = &apart;
    flat.x.row = row;
    flat.x.pixel = lanes * ELEM_SIZE;
    numpool_tile part = *tile;
    if (!scratch) { /* the way of one plane may be another than that of some */
        flat.leads = 0;
        const ptrdiff_t one = FN(block)(&flat, tile, NULL);
        flat.leads = 1;
        plane_bytes = job->h.in * row;
        return image_bytes + numpool_max(one, FN(block)(&flat, tile, NULL));
    }
    char *image = scratch + NUMPOOL_SLACK;
    for (ptrdiff_t r = tile->row0; r < tile->row1; r += part.row1 - part.row0) {
        const ptrdiff_t plane = r / high, left = along - plane % along;
        part.row0 = r % high;
        planes = part.row0 ? 1 : numpool_max(1, numpool_min((tile->row1 - r) / high, left));
        part.row1 = planes > 1 ? planes * high : numpool_min(high, part.row0 + tile->row1 - r);
        const numpool_pixels down = numpool_reach(&job->h, part.row0, planes > 1 ? high : part.row1);
        plane_bytes = down.pixels * row;
        flat.leads = planes > 1;
        for (ptrdiff_t i = 0; i < planes; i++)
            FN(fold_slabs)(job, tile, plane + i, &down, &across, image + i * plane_bytes);
        flat.x.data = image - down.low * row - (across.low * lanes + tile->lane0) * ELEM_SIZE;
        flat.x.end = image + planes * plane_bytes;
        flat.y.data = job->y.data + numpool_lead(job, job->y.lead, plane);
        FN(block)(&flat, &part, scratch + image_bytes);
    }
    return 0;
}
