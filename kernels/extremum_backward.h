/* Template: the gradient of a maximum or minimum: every input element sums grad over the windows that chose it, in the
 * order of the windows, whichever way it is done:
 *   gather   each input vector looks at the few windows that hold it and keeps those whose tap it is; no two stores meet
 *   scatter  each window adds to its tap's place in a block of scratch; better once windows overlap many times
 * Both begin with rows of grad_output and of checked tap numbers, whatever convention the indices come in. */
#define ACC_SIZE NUMPOOL_CAT(BACKWARD_ACC_, ELEM_SIZE)
#define ACC NUMPOOL_CAT(BACKWARD_TYPE_, ELEM_SIZE)
#define TAP_TYPE SIGNED(ACC_SIZE)
#define LANES LANES_OF(ACC_SIZE)
#define COMMON(part) NUMPOOL_JOIN(backward, DTYPE, part)

typedef ACC FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef TAP_TYPE FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
typedef struct { ptrdiff_t offset; TAP_TYPE tap; } FN(window);

/* n indices to tap numbers, -1 for none. `move` is the position step from one element to the next. Returns 1 when one
 * names no tap of its window that lies inside the image. */
static int FN(taps)(const numpool_job *job, const char *index, ptrdiff_t n, int64_t base, ptrdiff_t move,
                    const numpool_window *down, const numpool_window *right, TAP_TYPE *to)
{
    const ptrdiff_t kw = job->w.kernel;
    const int whole = down->taps == job->h.kernel && right->taps == kw;
    int bad = 0;
    if (!job->window_index) {
        const int64_t *from = (const int64_t *)(const void *)index;
        const int64_t dy = job->h.step * job->position.row, dx = job->w.step * job->position.pixel;
        const double per_dy = 1.0 / (double)dy, per_dx = 1.0 / (double)dx;
        const int64_t tall = down->taps, wide = right->taps, most = tall * dy;
        for (ptrdiff_t i = 0; i < n; i++) {
            const int64_t rest = from[i] - base - i * move; /* wraps for absurd values, and is refused all the same */
            const int64_t in = rest >= 0 && rest < most ? rest : 0;
            int64_t y = (int64_t)((double)in * per_dy); /* off by one at most */
            y -= in - y * dy < 0;
            y += in - y * dy >= dy;
            const int64_t left = in - y * dy;
            int64_t x = (int64_t)((double)left * per_dx);
            x -= left - x * dx < 0;
            x += left - x * dx >= dx;
            const int some = from[i] != -1;
            bad |= some & ((in != rest) | (x >= wide) | (left != x * dx) | (wide == 0));
            to[i] = !some ? -1 : (TAP_TYPE)((y + down->skipped) * kw + x + right->skipped);
        }
        return bad;
    }
    const int64_t taps = kw * job->h.kernel;
    const int64_t none = job->index_size == 1 ? UINT8_MAX : job->index_size == 2 ? UINT16_MAX : -1;
    if (job->index_size == 1)
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = ((const uint8_t *)index)[i];
    else if (job->index_size == 2)
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = ((const uint16_t *)(const void *)index)[i];
    else
        for (ptrdiff_t i = 0; i < n; i++)
            to[i] = ((const int32_t *)(const void *)index)[i];
    for (ptrdiff_t i = 0; i < n; i++) {
        const TAP_TYPE t = to[i];
        bad |= (t != none) & ((t < 0) | (t >= taps));
        to[i] = t == none ? -1 : t;
    }
    if (whole || bad)
        return bad;
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t y = to[i] / kw - down->skipped, x = to[i] % kw - right->skipped;
        bad |= to[i] >= 0 && (y < 0 || y >= down->taps || x < 0 || x >= right->taps);
    }
    return bad;
}

/* Columns [first, last) of output row r: taps checked, and grad widened unless grad is NULL. */
static int FN(read_row)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t r, ptrdiff_t first,
                        ptrdiff_t last, char *grad, char *taps)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const numpool_window down = numpool_clip(&job->h, r);
    const char *index = job->index.data + numpool_lead(job, job->index.lead, plane) + r * job->index.row
                        + tile->lane0 * job->index_size;
    const char *from = job->y.data + numpool_lead(job, job->y.lead, plane) + r * job->y.row + tile->lane0 * ELEM_SIZE;
    const int64_t top = numpool_lead(job, job->position.lead, plane) + down.first * job->position.row
                        + tile->lane0 * job->position.lane;
    ptrdiff_t inner, outer;
    int bad = 0;
    numpool_interior(&job->w, &inner, &outer);
    for (ptrdiff_t c = first, next; c < last; c = next) {
        const numpool_window right = numpool_clip(&job->w, c);
        const int dense = job->index.pixel == lanes * job->index_size && job->y.pixel == lanes * ELEM_SIZE;
        const int level = (lanes == 1 || job->window_index) && dense && c >= inner && c < outer;
        next = level ? numpool_min(outer, last) : c + 1;
        bad |= FN(taps)(job, index + c * job->index.pixel, (next - c) * lanes, top + right.first * job->position.pixel,
                        lanes == 1 ? job->w.stride * job->position.pixel : job->position.lane, &down, &right,
                        (TAP_TYPE *)(void *)taps + (c - first) * lanes);
        if (grad)
            COMMON(widen)(grad + (c - first) * lanes * ACC_SIZE, from + c * job->y.pixel, (next - c) * lanes);
    }
    return bad;
}

/* n sums, each over the listed windows: grad where the window's tap is the listed one. */
ALWAYS_INLINE FN(vec) FN(gather_vector)(const char *grad, const char *taps, const FN(window) *list, ptrdiff_t windows)
{
    FN(vec) sum = {0};
    for (ptrdiff_t e = 0; e < windows; e++) {
        FN(vec) g;
        FN(ivec) t;
        memcpy(&g, grad + list[e].offset, sizeof g);
        memcpy(&t, taps + list[e].offset, sizeof t);
        sum += (FN(vec))((FN(ivec))g & (t == list[e].tap));
    }
    return sum;
}
static void FN(gather)(char *dst, const char *grad, const char *taps, ptrdiff_t n, const FN(window) *list,
                       ptrdiff_t windows)
{
    for (ptrdiff_t i = 0; i < n; i += LANES) {
        const ptrdiff_t at = (n < LANES || i + LANES <= n ? i : n - LANES) * ACC_SIZE;
        FN(vec) sum = FN(gather_vector)(grad + at, taps + at, list, windows);
        memcpy(dst + at, &sum, sizeof sum);
    }
}

/* Columns of output windows that a tile's columns of input can meet, with room for windows that do not exist. */
static ptrdiff_t FN(gather_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, stride = w->stride, cols = tile->col1 - tile->col0;
    const ptrdiff_t reach = (w->kernel - 1) * w->step / stride;
    const ptrdiff_t begin = (tile->col0 + w->before) / stride - reach, end = (tile->col1 - 1 + w->before) / stride + 1;
    const ptrdiff_t left = numpool_min(end, numpool_max(0, begin)), right = numpool_max(left, numpool_min(w->out, end));
    const ptrdiff_t most = (cols - 1) / stride + 2 + reach; /* of any tile with as many columns */
    const ptrdiff_t pitch = COMMON(pitch)(most * lanes), phase = COMMON(pitch)(((cols - 1) / stride + 1) * lanes)
                                                                         + NUMPOOL_SLACK;
    const ptrdiff_t rows_out = (tile->row1 - tile->row0 + (h->kernel - 1) * h->step - 1) / h->stride + 2;
    const ptrdiff_t apart = rows_out * pitch + NUMPOOL_SLACK;
    if (!scratch)
        return 2 * apart + numpool_min(stride, cols) * phase + NUMPOOL_SLACK;
    char *grads = scratch, *taps = scratch + apart, *phases = taps + apart;
    FN(window) list[NUMPOOL_GATHER];
    int bad = 0;

    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->in, first = row % h->in;
        next = numpool_min(tile->row1, row - first + h->in);
        const ptrdiff_t last = first + next - row;
        const ptrdiff_t top = numpool_max(0, numpool_ceil_div(first + h->before - (h->kernel - 1) * h->step, h->stride));
        const ptrdiff_t bottom = numpool_max(top, numpool_min(h->out, (last - 1 + h->before) / h->stride + 1));
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row
                   + tile->col0 * job->x.pixel + tile->lane0 * ELEM_SIZE;
        for (ptrdiff_t r = top; r < bottom; r++) {
            char *grad = grads + (r - top) * pitch, *tap = taps + (r - top) * pitch;
            const ptrdiff_t before = (left - begin) * lanes * ACC_SIZE, n = (right - left) * lanes * ACC_SIZE;
            const ptrdiff_t after = (end - right) * lanes * ACC_SIZE;
            bad |= FN(read_row)(job, tile, plane, r, left, right, grad + before, tap + before);
            memset(tap, -1, before);
            memset(tap + before + n, -1, after);
            memset(grad, 0, before);
            memset(grad + before + n, 0, after);
        }
        for (ptrdiff_t i = first; i < last; i++, to += job->x.row) {
            for (ptrdiff_t q = 0; q < numpool_min(stride, cols); q++) {
                const ptrdiff_t start = tile->col0 + q + w->before, mid = start / stride, at = start % stride;
                const ptrdiff_t count = (cols - q - 1) / stride + 1;
                ptrdiff_t windows = 0;
                for (ptrdiff_t r = top; r < bottom; r++) {
                    const ptrdiff_t y = i + h->before - r * h->stride;
                    if (y < 0 || y % h->step || y / h->step >= h->kernel)
                        continue;
                    for (ptrdiff_t j = w->kernel; j-- > 0; ) /* a later tap belongs to an earlier window */
                        if ((at - j * w->step) % stride == 0)
                            list[windows++] = (FN(window)){
                                (r - top) * pitch + (mid + (at - j * w->step) / stride - begin) * lanes * ACC_SIZE,
                                (TAP_TYPE)(y / h->step * w->kernel + j)};
                }
                if (lanes >= LANES && KIND == KIND_FLOAT) /* whole pixels, straight to their place */
                    for (ptrdiff_t m = 0; m < count; m++)
                        FN(gather)(to + (q + m * stride) * job->x.pixel, grads + m * lanes * ACC_SIZE,
                                   taps + m * lanes * ACC_SIZE, lanes, list, windows);
                else
                    FN(gather)(phases + q * phase, grads, taps, count * lanes, list, windows);
            }
            if (lanes >= LANES && KIND == KIND_FLOAT)
                continue;
            if (stride == 2 && lanes == 1 && job->x.pixel == ELEM_SIZE && cols > 1)
                COMMON(put_pairs)(to, phases, phases + phase, cols);
            else
                for (ptrdiff_t q = 0; q < numpool_min(stride, cols); q++)
                    COMMON(put_phase)(to + q * job->x.pixel, phases + q * phase, (cols - q - 1) / stride + 1, lanes,
                                      stride * job->x.pixel);
        }
    }
    return bad;
}

static ptrdiff_t FN(scatter_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const ptrdiff_t left = numpool_max(0, numpool_ceil_div(tile->col0 + w->before - (w->kernel - 1) * w->step, w->stride));
    const ptrdiff_t right = numpool_max(left, numpool_min(w->out, (tile->col1 - 1 + w->before) / w->stride + 1));
    const ptrdiff_t row_size = cols * lanes * ACC_SIZE;
    const ptrdiff_t some = numpool_max(1, NUMPOOL_PART / lanes); /* windows read at once */
    if (!scratch)
        return (tile->row1 - tile->row0) * row_size + 2 * (some * lanes * ACC_SIZE + NUMPOOL_SLACK);
    char *grads = scratch + (tile->row1 - tile->row0) * row_size, *taps = grads + some * lanes * ACC_SIZE + NUMPOOL_SLACK;
    int bad = 0;

    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->in, first = row % h->in;
        next = numpool_min(tile->row1, row - first + h->in);
        const ptrdiff_t rows = next - row;
        const ptrdiff_t top = numpool_max(0, numpool_ceil_div(first + h->before - (h->kernel - 1) * h->step, h->stride));
        const ptrdiff_t bottom = numpool_max(top, numpool_min(h->out, (first + rows - 1 + h->before) / h->stride + 1));
        ACC *sums = (ACC *)(void *)scratch;
        memset(scratch, 0, rows * row_size);
        for (ptrdiff_t r = top; r < bottom; r++)
            for (ptrdiff_t c0 = left; c0 < right; c0 += some) {
                const ptrdiff_t c1 = numpool_min(c0 + some, right);
                bad |= FN(read_row)(job, tile, plane, r, c0, c1, grads, taps);
                if (bad)
                    return bad;
                const ACC *g = (const ACC *)(void *)grads;
                const TAP_TYPE *t = (const TAP_TYPE *)(void *)taps;
                const ptrdiff_t y0 = r * h->stride - h->before - first;
                for (ptrdiff_t c = c0; c < c1; c++) {
                    const ptrdiff_t x0 = c * w->stride - w->before - tile->col0;
                    for (ptrdiff_t l = 0; l < lanes; l++, g++, t++) {
                        if (*t < 0)
                            continue;
                        const uint32_t i = (uint32_t)*t / (uint32_t)w->kernel, j = (uint32_t)*t - i * (uint32_t)w->kernel;
                        const ptrdiff_t y = y0 + i * h->step, x = x0 + j * w->step;
                        if (y >= 0 && y < rows && x >= 0 && x < cols)
                            sums[(y * cols + x) * lanes + l] += *g;
                    }
                }
            }
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row
                   + tile->col0 * job->x.pixel + tile->lane0 * ELEM_SIZE;
        for (ptrdiff_t i = 0; i < rows; i++)
            COMMON(put_phase)(to + i * job->x.row, scratch + i * row_size, cols, lanes, job->x.pixel);
    }
    return bad;
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    if (!job->check_only)
        return (job->scatter ? FN(scatter_block) : FN(gather_block))(job, tile, scratch);
    int bad = 0;
    const ptrdiff_t some = numpool_max(1, NUMPOOL_PART / (tile->lane1 - tile->lane0));
    if (!scratch)
        return some * (tile->lane1 - tile->lane0) * ACC_SIZE + NUMPOOL_SLACK;
    for (ptrdiff_t row = tile->row0; row < tile->row1 && !bad; row++)
        for (ptrdiff_t c = tile->col0; c < tile->col1; c += some)
            bad |= FN(read_row)(job, tile, row / job->h.out, row % job->h.out, c, numpool_min(c + some, tile->col1), NULL,
                                scratch);
    return bad;
}
#undef COMMON
#undef TAP_TYPE
#undef LANES
#undef ACC
#undef ACC_SIZE
