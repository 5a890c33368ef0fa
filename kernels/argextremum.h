/* Template: max and min with the tap where they stand, in one comparable type. Across a row first, then down the rows, each
 * keeping the earlier tap unless a later one is greater: so ties go to the first tap in row-major order, after 2k compares
 * instead of k*k.
 *
 *     image rows --pack--> padded scratch rows --across--> (value, tap) rows --upright--> (value, tap) --finish--> y, index
 *     small windows: image rows --pack--> padded scratch rows --small--> y, index
 *
 * `pack` is left out where rows can be compared as they lie; `finish` follows `small` where y holds other values than ACC.
 * What the elements of an array are, `numpool_elements` says (argelements.h). The includer is argcore.h. */
ALWAYS_INLINE ACC FN(identity)(const numpool_elements *elements)
{
    ACC identity;
    memcpy(&identity, elements->identity, ACC_SIZE);
    return identity;
}

ALWAYS_INLINE void FN(fill)(const numpool_elements *elements, char *p, ptrdiff_t n)
{
    for (const ACC identity = FN(identity)(elements); n-- > 0; p += ACC_SIZE)
        memcpy(p, &identity, ACC_SIZE);
}

ALWAYS_INLINE ptrdiff_t FN(pitch)(ptrdiff_t n) { return numpool_pitch(n * ACC_SIZE); }

/* Image rows as comparable values, with room for the padding. Rows shorter than a vector spill into that behind them. */
static void FN(pack_image)(const numpool_job *job, const numpool_elements *elements, ptrdiff_t lanes, const
                           numpool_pixels *at, const char *src, ptrdiff_t src_pitch, ptrdiff_t rows, char *packed,
                           ptrdiff_t pitch)
{
    numpool_fold f = {.src = src, .src_pitch = src_pitch, .taps = 1, .dst = packed + at->left * lanes * ACC_SIZE,
                      .dst_pitch = pitch, .rows = rows, .n = at->pixels * lanes, .job = job, .fresh = 1};
    if (at->pixels == 0) {
        /* nothing but padding */
    } else if (job->x.pixel == lanes * elements->size) {
        elements->pack(&f, job->x.end);
    } else {
        for (ptrdiff_t i = 0; i < rows; i++) { /* pixels apart: each is a row of its own */
            numpool_fold g = f;
            g.src += i * f.src_pitch;
            g.dst += i * pitch;
            g.src_pitch = job->x.pixel;
            g.dst_pitch = lanes * ACC_SIZE;
            g.rows = at->pixels;
            g.n = lanes;
            elements->pack(&g, job->x.end);
        }
    }
}

/* The identities before and behind packed rows. */
static void FN(pad_rows)(const numpool_elements *elements, ptrdiff_t lanes, const numpool_pixels *at, ptrdiff_t rows,
                         char *packed, ptrdiff_t pitch)
{
    for (ptrdiff_t i = 0; at->left && i < rows; i++)
        FN(fill)(elements, packed + i * pitch, at->left * lanes);
    for (ptrdiff_t i = 0; at->right && i < rows; i++)
        FN(fill)(elements, packed + i * pitch + (at->left + at->pixels) * lanes * ACC_SIZE, at->right * lanes);
}

/* --- emit: values and taps to the output's dtype and the caller's index convention ------------------------------- */

/* The windows of row `r`, columns [col0, col1): where the best is the identity nothing is greater, so the first tap
 * inside is the answer, whatever the padding did, and -1 if there is no tap inside. */
ALWAYS_INLINE void FN(settle_row)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile,
                                  ptrdiff_t r, ptrdiff_t col0, ptrdiff_t col1, const char *value, ptrdiff_t value_pixel,
                                  numpool_target to)
{
    const ACC identity = FN(identity)(elements);
    for (ptrdiff_t c = col0; c < col1; c++)
        for (ptrdiff_t i = 0; i < tile->lane1 - tile->lane0; i++) {
            ACC best;
            memcpy(&best, value + (c - tile->col0) * value_pixel + i * ACC_SIZE, ACC_SIZE);
            if (best != identity)
                continue;
            const numpool_window down = numpool_clip(&job->h, r), right = numpool_clip(&job->w, c);
            int64_t at = (job->deep.skipped * job->h.kernel + down.skipped) * job->w.kernel + right.skipped;
            if (!job->deep.taps || !down.taps || !right.taps)
                at = -1;
            else if (!job->window_index)
                at = to.position + job->deep.first * job->position.slab + down.first * job->position.row
                     + right.first * job->position.pixel + (tile->lane0 + i) * job->position.lane;
            memcpy(to.index + (c - tile->col0) * job->index.pixel + i * job->index_size, &at, job->index_size);
        } /* little endian */
}

/* The same for rows [first, last), where the stages may have taken padding for a tap: at rows and columns without taps,
 * and, unless `settled` (see numpool_small.skipped), at columns clipped on the left. */
static void FN(settle)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, ptrdiff_t
                       first, ptrdiff_t last, const char *value, ptrdiff_t value_row, ptrdiff_t value_pixel,
                       numpool_target to, int settled)
{
    ptrdiff_t top, bottom, inner, outer;
    numpool_interior(&job->h, &top, &bottom);
    numpool_interior(&job->w, &inner, &outer);
    const ptrdiff_t padded = numpool_max(tile->col0, numpool_min(inner, tile->col1));
    ptrdiff_t left = settled ? tile->col0 : padded, right = tile->col1;
    while (left < padded && !numpool_clip(&job->w, left).taps)
        left++;
    while (right > left && right > outer && !numpool_clip(&job->w, right - 1).taps)
        right--;
    for (ptrdiff_t r = first; r < last; r++) {
        const int inside = job->deep.taps && r >= top && r < bottom;
        if (inside && left == tile->col0 && right == tile->col1) {
            r = numpool_min(bottom, last) - 1;
            continue;
        }
        const char *from = value + (r - first) * value_row;
        const numpool_target row = {.index = to.index + (r - first) * job->index.row, .position = to.position};
        const ptrdiff_t end = inside || (job->deep.taps && numpool_clip(&job->h, r).taps) ? left : tile->col1;
        FN(settle_row)(job, elements, tile, r, tile->col0, end, from, value_pixel, row);
        FN(settle_row)(job, elements, tile, r, right, tile->col1, from, value_pixel, row);
    }
}

/* Rows [first, last) of windows from scratch: (value, tap) rows, `pitch` bytes from one to the next. */
static __attribute__((noinline)) void FN(finish)(const numpool_job *job, const numpool_elements *elements, const
                                                 numpool_tile *tile, ptrdiff_t first, ptrdiff_t last, const char *best,
                                                 ptrdiff_t apart, ptrdiff_t pitch, numpool_target to, int offsets,
                                                 int settled, ptrdiff_t pick)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const int dense = job->y.pixel == lanes * elements->size && job->index.pixel == lanes * job->index_size;
    const int alike = !job->w.table && (lanes == 1 || job->window_index);
    const int whole = dense && pick == 1 && alike; /* a row of windows is one run */
    const ptrdiff_t n = whole ? cols * lanes : lanes, runs = whole ? 1 : cols;
    const ptrdiff_t move = lanes == 1 ? job->w.stride * job->position.pixel : job->position.lane;
    for (ptrdiff_t r = first; r < last; r++)
        for (ptrdiff_t run = 0; run < runs; run++) {
            const ptrdiff_t skip = (r - first) * pitch + run * pick * n * ACC_SIZE;
            elements->put_back(best + skip, to.y + (r - first) * job->y.row + run * job->y.pixel, n);
            FN(emit_taps)(job, (const SIGNED(ACC_SIZE) *)(const void *)(best + apart + skip),
                          to.index + (r - first) * job->index.row + run * job->index.pixel, n, offsets,
                          to.position + numpool_origin(job, tile, r, tile->col0 + run), move);
        }
    FN(settle)(job, elements, tile, first, last, best, pitch, pick * lanes * ACC_SIZE, to, settled);
}

#include "arglarge.h"

/* --- small windows: one stage ------------------------------------------------------------------------------------ */

/* How a tile goes. Returns the bytes of its scratch: packed rows, results, numbers of the first taps inside. */
static ptrdiff_t FN(small_way)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, char
                               *scratch, numpool_way *way)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const numpool_axis *h = &job->h, *w = &job->w;
    const numpool_pixels at = numpool_reach(w, tile->col0, tile->col1);
    const int comparable = elements->comparable, close = job->x.pixel == lanes * elements->size;
    const int dense = job->y.pixel == lanes * elements->size && job->index.pixel == lanes * job->index_size;
    /* a position is an even step from the one before among single lanes, or among the lanes of a pixel */
    const int even = lanes == 1 ? w->stride <= 2 : w->stride == 1 && close && dense && job->window_index;
    const ptrdiff_t pick = !even && job->lanes * w->stride <= LANES ? w->stride : 1;
    const ptrdiff_t made = pick > 1 ? (cols - 1) * pick + 1 : cols;
    const int flat = even || pick > 1;
    const int clipped = comparable && lanes >= LANES;
    const int offsets = !job->window_index && 2 * (job->position.row + job->position.pixel) < INT32_MAX;
    const int direct = comparable && (lanes >= LANES || (even && dense))
                       && (job->window_index ? job->index_size == 1 : offsets);
    const int spills = direct && lanes < LANES && cols * lanes < LANES;
    int alike = tile->limit && job->index.row * elements->size == job->y.row * job->index_size;
    for (ptrdiff_t i = 0; i < job->leads; i++)
        alike &= job->index.lead[i] * elements->size == job->y.lead[i] * job->index_size;
    /* Scratch must do for every tile of the call: only whole pixels, the same everywhere, are sure to need none. */
    const int sure = clipped && lanes == job->lanes;
    const ptrdiff_t pitch = FN(pitch)(at.span * lanes), best_pitch = FN(pitch)(made * lanes);
    const ptrdiff_t widest = FN(pitch)(((w->out - 1) * w->stride + w->kernel) * job->lanes); /* the same for every tile */
    const ptrdiff_t strip = h->stride < h->kernel ? NUMPOOL_SMALL_ROWS : 1;
    const ptrdiff_t at_once = numpool_max(strip, NUMPOOL_PACKED_SMALL / (h->stride * widest));
    const ptrdiff_t rows = numpool_min(numpool_min(tile->row1 - tile->row0, h->out), at_once);
    const ptrdiff_t packed_size = sure ? 0 : ((rows - 1) * h->stride + h->kernel) * pitch + NUMPOOL_SLACK + 64;
    const ptrdiff_t apart = sure && direct ? 0 : rows * best_pitch + NUMPOOL_SLACK;
    *way = (numpool_way){
        .at = at, .src_pitch = pitch, .best_pitch = best_pitch, .apart = apart, .rows = rows, .flat = flat, .made = made,
        .pick = pick, .clipped = clipped, .offsets = offsets, .direct = direct && (!spills || alike), .spills = spills,
        /* the first pixel of a row, not its padding, starts on a cache line: the pack stage stores whole vectors */
        .packed = scratch + 64 - at.left * lanes * ACC_SIZE % 64, .best = scratch + packed_size,
        .skipped = scratch + packed_size + 2 * apart};
    way->as_is = clipped || (comparable && close && even && at.left + at.right == 0 && w->kernel >= w->stride
                             && job->x.row > 0 && (way->direct || !spills) && (direct || cols * lanes >= LANES));
    way->tall = way->as_is && way->direct && !clipped && alike && h->kernel <= h->stride && h->before == 0
                && (h->out - 1) * h->stride + h->kernel <= h->in && job->leads == 1 && job->x.lead[0] == h->in * job->x.row
                && job->y.lead[0] == h->out * job->y.row;
    way->jump = way->tall ? (h->in - h->out * h->stride) * job->x.row : 0;
    if (scratch && (!way->as_is || spills)) {
        SIGNED(ACC_SIZE) *first = (SIGNED(ACC_SIZE) *)(void *)way->skipped;
        ptrdiff_t inner, outer;
        numpool_interior(w, &inner, &outer);
        if (pick > 1)
            memset(first, 0, made * lanes * ACC_SIZE);
        for (ptrdiff_t c = tile->col0; c < tile->col1; c++, first += (pick - 1) * lanes)
            for (ptrdiff_t i = 0, skipped = c < inner ? numpool_clip(w, c).skipped : 0; i < lanes; i++)
                *first++ = skipped * (offsets ? job->position.pixel : 1);
        FN(pad_rows)(elements, lanes, &at, (rows - 1) * h->stride + h->kernel, way->packed, pitch);
    }
    return packed_size + 2 * apart + (sure ? 0 : best_pitch + NUMPOOL_SLACK);
}

/* How many rows of windows, from this one on, may read and write a whole vector. */
static ptrdiff_t FN(safe_rows)(const numpool_job *job, const numpool_tile *tile, const numpool_way *way, const char
                               *src, const char *y)
{
    const ptrdiff_t to = tile->limit - y - LANES * ACC_SIZE, row = job->h.stride * job->x.row;
    const ptrdiff_t read = (job->h.kernel - 1) * job->x.row + (job->w.kernel - 1) * job->x.pixel + 2 * VECTOR_BYTES;
    const ptrdiff_t from = way->as_is ? job->x.end - src - read : 0;
    if (to < 0 || from < 0)
        return 0;
    const ptrdiff_t jump = numpool_max(way->jump, 0), most = (from - jump) / (row + numpool_ceil_div(jump, job->h.out));
    return numpool_min(to / job->y.row, way->as_is ? numpool_max(most, 0) : PTRDIFF_MAX - 1) + 1;
}

/* Rows [first, last) of one plane, or, where it is `tall`, of the planes from there on. */
static void FN(small_windows)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, const
                              numpool_way *way, const char *plane, ptrdiff_t first, ptrdiff_t last, numpool_target to)
{
    static const char nothing[NUMPOOL_SLACK];
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t begin = numpool_max(0, first * h->stride - h->before);
    const ptrdiff_t stop = numpool_min(h->in, (last - 1) * h->stride - h->before + h->kernel);
    const ptrdiff_t src_row = way->as_is ? job->x.row : way->src_pitch;
    const ptrdiff_t pixel = way->as_is ? job->x.pixel : lanes * ACC_SIZE;
    const ptrdiff_t unit_x = way->offsets ? job->position.pixel : 1;
    const ptrdiff_t unit_y = way->offsets ? job->position.row : w->kernel;
    const ptrdiff_t src_pixel = w->stride * pixel, move = w->stride * job->position.pixel;
    const int direct = way->direct;
    const ptrdiff_t value_row = direct ? job->y.row : way->best_pitch;
    const ptrdiff_t index_row = direct ? job->index.row : way->best_pitch;
    const ptrdiff_t value_pixel = direct ? job->y.pixel : lanes * ACC_SIZE;
    const ptrdiff_t index_pixel = direct ? job->index.pixel : lanes * ACC_SIZE;
    const char *src = plane + begin * job->x.row + way->at.low * job->x.pixel + tile->lane0 * elements->size;
    ptrdiff_t top, bottom, inner, outer;
    numpool_interior(h, &top, &bottom);
    numpool_interior(w, &inner, &outer);
    if (!way->as_is && stop > begin) {
        FN(pack_image)(job, elements, lanes, &way->at, src, job->x.row, stop - begin, way->packed, way->src_pitch);
        const int apart = job->x.pixel != lanes * elements->size;
        if ((apart ? lanes : way->at.pixels * lanes) < LANES) /* the last vector of a row spilled */
            FN(pad_rows)(elements, lanes, &way->at, stop - begin, way->packed, way->src_pitch);
    }
    if (!way->as_is)
        src = way->packed;
    for (ptrdiff_t r = first, below; r < last; r = below) {
        const numpool_window down = way->tall ? (numpool_window){begin, h->kernel, 0} : numpool_clip(h, r);
        below = way->tall ? last : r >= top && r < bottom ? numpool_min(bottom, last) : r + 1;
        for (ptrdiff_t c = tile->col0, next; c < tile->col1; c = next) {
            const ptrdiff_t row = r - first, col = c - tile->col0;
            numpool_window right = {way->at.low + col * w->stride, w->kernel, 0};
            next = tile->col1;
            if (way->clipped) {
                right = numpool_clip(w, c);
                next = c >= inner && c < outer ? numpool_min(outer, next) : c + 1;
            }
            const ptrdiff_t ahead = numpool_ahead(job->x.pixel, lanes * ACC_SIZE);
            numpool_small f = {
                .src = src + (down.first - begin) * src_row + (right.first - way->at.low) * pixel,
                .src_pitch = h->stride * src_row, .down = src_row, .across = pixel,
                .taps_y = down.taps, .taps_x = right.taps, .rows = below - r,
                .n = !way->flat ? lanes : way->pick > 1 ? way->made * lanes : (next - c) * lanes,
                .kept = below - r == 1 ? 0 : numpool_max(0, down.taps - h->stride),
                .ahead = way->as_is ? ahead : 0,
                .further = way->as_is ? ahead + numpool_min(w->stride - 1, right.taps - 1) * pixel : 0,
                .tap = down.skipped * unit_y + right.skipped * unit_x, .unit_y = unit_y, .unit_x = unit_x,
                .skipped = way->as_is ? nothing : way->skipped, .skipped_size = way->as_is ? 0 : ACC_SIZE,
                .value = (direct ? to.y : way->best) + row * value_row + col * value_pixel, .value_pitch = value_row,
                .index = (direct ? to.index : way->best + way->apart) + row * index_row + col * index_pixel,
                .index_pitch = index_row, .index_size = direct ? job->index_size : ACC_SIZE,
                .positions = direct && !job->window_index, .base = to.position + numpool_origin(job, tile, r, c),
                .fall = h->stride * job->position.row, .move = lanes == 1 ? move : job->position.lane,
                .until = way->tall ? h->out - r : below - r, .period = h->out, .src_jump = way->jump,
                .jump = job->position.lead[0] - h->out * h->stride * job->position.row};
            if (!f.taps_y || !f.taps_x) {
                for (ptrdiff_t i = 0; i < f.rows; i++)
                    for (ptrdiff_t j = 0; j < (way->flat ? 1 : next - c); j++)
                        FN(fill)(elements, f.value + i * value_row + j * value_pixel, f.n); /* `settle` does the index */
            } else if (way->flat) {
                (w->stride == 2 && lanes == 1 ? FN(small2) : FN(small))(&f);
            } else if (f.kept && lanes >= LANES && (2 * f.kept >= f.taps_y || lanes * ACC_SIZE <= NUMPOOL_SHORT_PIXEL)) {
                for (; c < next; c++) {
                    FN(small)(&f);
                    f.src += src_pixel;
                    f.skipped += lanes * f.skipped_size;
                    f.value += value_pixel;
                    f.index += index_pixel;
                    f.base += move;
                }
            } else { /* a row of windows at a time: little to keep, or vectors that spill into the next pixel */
                f.kept = 0;
                f.rows = next - c;
                f.src_pitch = src_pixel;
                f.value_pitch = value_pixel;
                f.index_pitch = index_pixel;
                f.skipped_pitch = lanes * f.skipped_size;
                f.fall = move;
                f.until = f.rows;
                for (ptrdiff_t i = r; i < below; i++) {
                    FN(small)(&f);
                    f.src += h->stride * src_row;
                    f.value += value_row;
                    f.index += index_row;
                    f.base += h->stride * job->position.row;
                }
            }
        }
    }
    if (way->tall)
        return; /* no padding */
    if (direct)
        FN(settle)(job, elements, tile, first, last, to.y, job->y.row, job->y.pixel, to, 1);
    else
        FN(finish)(job, elements, tile, first, last, way->best, way->apart, way->best_pitch, to, way->offsets, 1, way->pick);
}

/* A tile: runs of rows that go together, a plane's at most unless it is `tall`. */
static void FN(small_block)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, const
                            numpool_way *way)
{
    numpool_way slow = *way;
    slow.direct = slow.as_is = slow.tall = 0;
    const ptrdiff_t out = job->h.out;
    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / out, first = row % out;
        const char *x = job->x.data + numpool_lead(job, job->x.lead, plane);
        const numpool_target to = numpool_target_of(job, tile, plane, first, elements->size);
        const char *src = x + first * job->h.stride * job->x.row + way->at.low * job->x.pixel;
        const ptrdiff_t left = tile->row1 - row;
        const ptrdiff_t safe = !way->spills ? left : way->direct ? FN(safe_rows)(job, tile, way, src, to.y) : 0;
        const numpool_way *now = safe ? way : &slow;
        ptrdiff_t rows = numpool_min(left, safe ? safe : left);
        if (!now->tall)
            rows = numpool_min(rows, out - first);
        if (!now->as_is || !now->direct)
            rows = numpool_min(rows, now->rows);
        next = row + rows;
        FN(small_windows)(job, elements, tile, now, x, first, first + rows, to);
    }
}

/* --- windows of few taps that hardly overlap ---------------------------------------------------------------------- */

static void FN(apart_block)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const int far = job->x.end - job->x.data > NUMPOOL_BEYOND && numpool_max(h->kernel, w->kernel) > 3;
    for (ptrdiff_t row = tile->row0; row < tile->row1; row++) {
        const ptrdiff_t plane = row / h->out, r = row % h->out;
        numpool_job slabs = *job;
        slabs.deep = numpool_slabs(job, plane);
        const numpool_window down = numpool_clip(h, r);
        const char *x = job->x.data + numpool_lead(job, job->x.lead, plane) + slabs.deep.first * job->x.slab
                        + down.first * job->x.row + tile->lane0 * ACC_SIZE;
        const numpool_target to = numpool_target_of(job, tile, plane, r, ACC_SIZE);
        for (ptrdiff_t c = tile->col0, next; c < tile->col1; c = next) {
            const numpool_window right = numpool_clip(w, c);
            const int numbered = job->window_index; /* in the window's own shape */
            const ptrdiff_t unit_y = numbered ? right.taps : job->position.row;
            next = w->table ? c + 1 : tile->col1;
            const numpool_small f = {
                .src = x + right.first * job->x.pixel, .src_pitch = w->stride * job->x.pixel,
                .slab = job->x.slab, .down = job->x.row, .across = job->x.pixel,
                .taps_z = slabs.deep.taps, .taps_y = down.taps, .taps_x = right.taps,
                .unit_z = numbered ? down.taps * unit_y : job->position.slab, .unit_y = unit_y,
                .unit_x = numbered ? 1 : job->position.pixel,
                .rows = next - c, .n = lanes, .ahead = far ? NUMPOOL_APART * VECTOR_BYTES : 0,
                .value = to.y + (c - tile->col0) * job->y.pixel, .value_pitch = job->y.pixel,
                .index = to.index + (c - tile->col0) * job->index.pixel, .index_pitch = job->index.pixel, .index_size = job->index_size,
                .positions = !numbered, .fall = w->stride * job->position.pixel, .move = job->position.lane,
                .base = to.position + numpool_origin(&slabs, tile, r, c)};
            if (f.taps_z && f.taps_y && f.taps_x) {
                FN(apart)(&f);
                continue;
            }
            for (ptrdiff_t i = c; i < next; i++) { /* no tap */
                FN(fill)(elements, to.y + (i - tile->col0) * job->y.pixel, lanes);
                memset(to.index + (i - tile->col0) * job->index.pixel, -1, lanes * job->index_size);
            }
        }
    }
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_elements *elements, const numpool_tile *tile, char
                           *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    numpool_way small;
    numpool_large large;
    const int regular = !job->d.out && !h->table && !w->table;
    if (job->apart) {
        if (scratch)
            FN(apart_block)(job, elements, tile);
    } else if (h->kernel <= 3 && w->kernel <= 3 && h->step == 1 && w->step == 1 && regular) {
        const ptrdiff_t bytes = FN(small_way)(job, elements, tile, scratch, &small);
        if (!scratch)
            return bytes;
        FN(small_block)(job, elements, tile, &small);
    } else {
        FN(large_way)(job, tile, scratch, &large);
        if (!scratch)
            return large.packed_size + 2 * large.apart;
        FN(large_block)(job, elements, tile, &large);
    }
    return 0;
}
