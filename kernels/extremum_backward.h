/* Template: the gradient of a maximum or minimum: every input element sums grad over the windows that chose it, in the
 * order of the windows, whichever way it is done:
 *   scatter  each window adds to the place that its index names
 *   gather   each pixel's lanes look at the few windows that hold it and keep those that name its place; vectors of lanes
 *
 *     indices --read--> distances or taps --decode--> checked, and for a scatter places --> grad_input
 *
 * A place is an offset, in elements, from the first element of the input block at hand; -1 is "no tap". Whatever
 * convention the indices come in, nothing is used as an address before `decode` has found it inside its own window. */
#define ACC_SIZE NUMPOOL_CAT(BACKWARD_ACC_, ELEM_SIZE)
#define ACC NUMPOOL_CAT(BACKWARD_TYPE_, ELEM_SIZE)
#define PLACE SIGNED(ACC_SIZE)
#define LANES LANES_OF(ACC_SIZE)
#define COMMON(part) NUMPOOL_JOIN(backward, DTYPE, part)

typedef ACC FN(vec) __attribute__((vector_size(VECTOR_BYTES)));
typedef PLACE FN(ivec) __attribute__((vector_size(VECTOR_BYTES)));
#define UNSIGNED_PLACE NUMPOOL_CAT(u, PLACE)
typedef UNSIGNED_PLACE FN(uvec) __attribute__((vector_size(VECTOR_BYTES)));

/* A run of output rows, columns and lanes: window after window, `room` elements each. */
typedef struct {
    ptrdiff_t rows, first, last, lanes; /* rows, which may be those of several planes; columns [first, last) */
    ptrdiff_t room, n;                  /* lanes, rounded up to vectors unless there is one; windows * room */
    ptrdiff_t pitch, pixel, plane;      /* of places: from row to row, pixel to pixel, plane to plane */
    ptrdiff_t origin;                   /* the input row of place 0 */
    PLACE *row, *column, *base;         /* single lanes: of each window the input row and column of tap 0, less those of */
    PLACE *place;                       /* the run's first row, and the place of its plane */
    ACC *grad;
} FN(run);

static void FN(fill_tables)(const numpool_job *job, FN(run) *run)
{
    const ptrdiff_t cols = run->last - run->first;
    for (ptrdiff_t r = 0, i = 0; run->lanes == 1 && r < run->rows; r++, i += cols) {
        const PLACE row = (PLACE)(r % job->h.out * job->h.stride - job->h.before), base = (PLACE)(r / job->h.out * run->plane);
        for (ptrdiff_t c = 0; c < cols; c++) {
            run->row[i + c] = row;
            run->column[i + c] = (PLACE)((run->first + c) * job->w.stride - job->w.before);
            run->base[i + c] = base;
        }
    }
}

/* a / by and, in *rest, a % by, for lanes of 0 <= a < NUMPOOL_EXACT: the float quotient is off by one at most. */
ALWAYS_INLINE FN(ivec) FN(quotient)(FN(ivec) a, PLACE by, FN(ivec) *rest)
{
    if (by == 1) {
        *rest = a - a;
        return a;
    }
    FN(ivec) q = __builtin_convertvector(__builtin_convertvector(a, FN(vec)) * (1 / (ACC)by), FN(ivec));
    FN(ivec) r = a - q * by;
    q += (r < 0) - (r >= by);
    *rest = a - q * by;
    return q;
}

/* 1 in the lanes where a, as an unsigned number, is not below `end`: one compare for "outside [0, end)". */
#define OUTSIDE(a, end) ((FN(ivec))((FN(uvec))(a) >= (UNSIGNED_PLACE)(end)))

/* One vector of what `read` left: lanes that name no tap of their window inside the image. `inside`: all taps are. */
ALWAYS_INLINE FN(ivec) FN(wrong)(const numpool_job *job, FN(ivec) given, FN(ivec) row, FN(ivec) column, PLACE above, int inside)
{
    const PLACE kw = (PLACE)job->w.kernel, kh = (PLACE)job->h.kernel, dx = (PLACE)job->w.step, dy = (PLACE)job->h.step;
    const FN(ivec) some = given >= 0, at = given & some;
    FN(ivec) y, x, odd, wrong;
    if (job->window_index) {
        wrong = OUTSIDE(at, kh * kw);
        if (!inside) {
            y = row + FN(quotient)(at, kw, &x) * dy;
            wrong |= OUTSIDE(y, job->h.in) | OUTSIDE(column + x * dx, job->w.in);
        }
    } else {
        y = FN(quotient)(at, (PLACE)job->position.row, &x) + above - row;
        x = FN(quotient)(x, (PLACE)job->position.pixel, &odd) - column;
        wrong = (odd != 0) | OUTSIDE(y, kh * dy) | OUTSIDE(x, kw * dx);
        if (dy > 1)
            wrong |= ((void)FN(quotient)(y & ~wrong, dy, &odd), odd != 0);
        if (dx > 1)
            wrong |= ((void)FN(quotient)(x & ~wrong, dx, &odd), odd != 0);
    }
    return (wrong & some) | (given < -1);
}

/* The same vector as places; what is not a place here may be any number outside the block. */
ALWAYS_INLINE FN(ivec) FN(places)(const numpool_job *job, const FN(run) *run, FN(ivec) given, FN(ivec) row, FN(ivec) column,
                                  FN(ivec) base, PLACE above)
{
    const FN(ivec) some = given >= 0, at = given & some;
    const PLACE pitch = (PLACE)run->pitch, pixel = (PLACE)run->pixel, origin = (PLACE)run->origin;
    FN(ivec) x, odd, place;
    if (job->window_index) {
        const FN(ivec) y = row + FN(quotient)(at, (PLACE)job->w.kernel, &x) * (PLACE)job->h.step - origin;
        place = y * pitch + (column + x * (PLACE)job->w.step) * pixel + base;
    } else if (job->position.pixel == pixel && job->position.row == pitch) { /* already places, but for the first row */
        place = at + (above - origin) * pitch + base;
    } else {
        const FN(ivec) y = FN(quotient)(at, (PLACE)job->position.row, &x) + (above - origin);
        place = y * pitch + FN(quotient)(x, (PLACE)job->position.pixel, &odd) * pixel + base;
    }
    return (place & some) | ~some;
}

/* All of the run. `top`: the input row of row 0's tap 0, less the table's; `above`: the input row that distances count from.
 * Returns 1 when an index names no tap of its window inside the image; a call that has been checked does not ask again. */
static int FN(decode)(const numpool_job *job, const FN(run) *run, ptrdiff_t top, ptrdiff_t above, int to_places)
{
    FN(ivec) bad = {0}, given, row, column, base = {0};
    const int ask = !job->checked;
    if (run->lanes == 1) {
        memset(run->place + run->n, -1, VECTOR_BYTES); /* the last vector's lanes behind the run */
        for (ptrdiff_t i = 0; i < run->n; i += LANES) {
            memcpy(&given, run->place + i, sizeof given);
            memcpy(&row, run->row + i, sizeof row);
            memcpy(&column, run->column + i, sizeof column);
            memcpy(&base, run->base + i, sizeof base);
            row += (PLACE)top;
            if (ask)
                bad |= FN(wrong)(job, given, row, column, (PLACE)above, 0);
            if (to_places) {
                given = FN(places)(job, run, given, row, column, base, (PLACE)above);
                memcpy(run->place + i, &given, sizeof given);
            }
        }
    } else {
        PLACE *at = run->place;
        ptrdiff_t inner, outer;
        numpool_interior(&job->w, &inner, &outer);
        for (ptrdiff_t r = 0; r < run->rows; r++) {
            const ptrdiff_t y = r * job->h.stride - job->h.before + top;
            const int level = y >= 0 && y + (job->h.kernel - 1) * job->h.step < job->h.in;
            for (ptrdiff_t c = run->first; c < run->last; c++) {
                row = (FN(ivec)){0} + (PLACE)y;
                column = (FN(ivec)){0} + (PLACE)(c * job->w.stride - job->w.before);
                const int inside = level && c >= inner && c < outer;
                for (ptrdiff_t l = 0; l < run->room; l += LANES, at += LANES) {
                    memcpy(&given, at, sizeof given);
                    if (ask)
                        bad |= FN(wrong)(job, given, row, column, (PLACE)above, inside);
                    if (to_places) {
                        given = FN(places)(job, run, given, row, column, base, (PLACE)above);
                        memcpy(at, &given, sizeof given);
                    }
                }
            }
        }
    }
    int any = 0;
    for (int i = 0; i < LANES; i++)
        any |= bad[i] != 0;
    return any;
}

/* The same one by one, for distances that float arithmetic cannot divide. */
static int FN(decode_long)(const numpool_job *job, const FN(run) *run, ptrdiff_t top, ptrdiff_t above, int to_places)
{
    const ptrdiff_t cols = run->last - run->first;
    for (ptrdiff_t i = 0; i < run->n; i++) {
        const ptrdiff_t given = run->place[i], r = i / run->room / cols;
        const ptrdiff_t row = r % job->h.out * job->h.stride - job->h.before + top;
        const ptrdiff_t column = (run->first + i / run->room % cols) * job->w.stride - job->w.before;
        ptrdiff_t y, x, odd = 0;
        if (given == -1)
            continue;
        if (job->window_index) {
            y = row + given / job->w.kernel * job->h.step;
            x = column + given % job->w.kernel * job->w.step;
            odd = given >= job->h.kernel * job->w.kernel;
        } else {
            y = given / job->position.row + above;
            x = given % job->position.row / job->position.pixel;
            odd = given % job->position.row % job->position.pixel || y < row || x < column
                  || (y - row) % job->h.step || (x - column) % job->w.step
                  || (y - row) / job->h.step >= job->h.kernel || (x - column) / job->w.step >= job->w.kernel;
        }
        if (given < 0 || odd || y < 0 || y >= job->h.in || x < 0 || x >= job->w.in)
            return 1;
        if (to_places)
            run->place[i] = (PLACE)((y - run->origin) * run->pitch + x * run->pixel + r / job->h.out * run->plane);
    }
    return 0;
}

/* Row r of a plane, or, for a run of whole planes, all of them from `plane` on: indices as tap numbers or as distances from
 * the plane's position 0 (-1: none, -2: out of range), grad widened where it is wanted. Then `decode`. */
static int FN(read)(const numpool_job *job, const numpool_tile *tile, FN(run) *run, ptrdiff_t plane, ptrdiff_t r, int grads,
                    int to_places)
{
    const ptrdiff_t lanes = run->lanes, cols = run->last - run->first;
    const ptrdiff_t above = numpool_max(0, r * job->h.stride - job->h.before);
    const ptrdiff_t below = (r + run->rows - 1) * job->h.stride - job->h.before + (job->h.kernel - 1) * job->h.step + 1;
    const int64_t span = numpool_max(0, (run->rows > job->h.out ? job->h.in : numpool_min(job->h.in, below)) - above)
                         * job->position.row;
    const uint64_t limit = (uint64_t)numpool_min(span, INT32_MAX);
    const int64_t taps = job->h.kernel * job->w.kernel;
    const ptrdiff_t index_row = job->index.row, grad_row = job->y.row;
    const char *index = job->index.data + numpool_lead(job, job->index.lead, plane) + r * index_row
                        + run->first * job->index.pixel + tile->lane0 * job->index_size;
    const char *grad = job->y.data + numpool_lead(job, job->y.lead, plane) + r * grad_row + run->first * job->y.pixel
                       + tile->lane0 * ELEM_SIZE;
    const int64_t zero = numpool_lead(job, job->position.lead, plane) + tile->lane0 * job->position.lane
                         + above * job->position.row;
    /* single lanes that lie end to end: one piece; else a row, or the lanes of one window, at a time */
    const int rowwise = lanes == 1 && job->index.pixel == job->index_size && job->y.pixel == ELEM_SIZE;
    const int whole = rowwise && index_row == cols * job->index.pixel && grad_row == cols * job->y.pixel;
    const ptrdiff_t piece = whole ? run->n : rowwise ? cols : lanes, unit = lanes == 1 ? piece : run->room;
    PLACE *to = run->place;
    for (ptrdiff_t i = 0; i < run->n; i += unit, to += unit) {
        const ptrdiff_t window = i / run->room, row = whole ? 0 : window / cols, col = whole ? 0 : window - row * cols;
        const char *from = index + row * index_row + col * job->index.pixel;
        if (grads)
            COMMON(widen)((char *)(run->grad + i), grad + row * grad_row + col * job->y.pixel, piece);
        for (ptrdiff_t l = piece; l < unit; l++)
            to[l] = -1;
        if (!job->window_index) {
            const int64_t *at = (const int64_t *)(const void *)from, step = job->position.lane;
            for (ptrdiff_t j = 0; j < piece; j++) {
                const uint64_t rest = (uint64_t)(at[j] - (step ? zero + j * step : zero)); /* below zero: beyond any limit */
                to[j] = rest < limit ? (PLACE)rest : at[j] == -1 ? -1 : -2;
            }
        } else if (job->index_size == 1) {
            for (ptrdiff_t j = 0; j < piece; j++)
                to[j] = ((const uint8_t *)from)[j] == UINT8_MAX ? -1 : ((const uint8_t *)from)[j];
        } else if (job->index_size == 2) {
            for (ptrdiff_t j = 0; j < piece; j++)
                to[j] = ((const uint16_t *)(const void *)from)[j] == UINT16_MAX ? -1
                                                                                : ((const uint16_t *)(const void *)from)[j];
        } else {
            for (ptrdiff_t j = 0; j < piece; j++) {
                const int32_t t = ((const int32_t *)(const void *)from)[j];
                to[j] = t < -1 || t >= taps ? -2 : t;
            }
        }
    }
    const int exact = (job->window_index ? taps : span) <= NUMPOOL_EXACT(ACC_SIZE);
    if (job->checked && !to_places)
        return 0;
    return (exact ? FN(decode) : FN(decode_long))(job, run, r * job->h.stride, above, to_places);
}

/* A run of at most `rows` rows, its arrays in scratch; returns the bytes that it takes. */
static ptrdiff_t FN(make_run)(const numpool_job *job, FN(run) *run, ptrdiff_t rows, ptrdiff_t first, ptrdiff_t last,
                              ptrdiff_t lanes, char *scratch)
{
    run->first = first;
    run->last = last;
    run->lanes = lanes;
    run->room = lanes == 1 ? 1 : (lanes + LANES - 1) / LANES * LANES;
    run->rows = rows;
    run->n = rows * (last - first) * run->room;
    const ptrdiff_t bytes = (run->n * ACC_SIZE + VECTOR_BYTES + 63) / 64 * 64;
    if (scratch) {
        run->place = (PLACE *)(void *)scratch;
        run->grad = (ACC *)(void *)(scratch + bytes);
        run->row = (PLACE *)(void *)(scratch + 2 * bytes);
        run->column = (PLACE *)(void *)(scratch + 3 * bytes);
        run->base = (PLACE *)(void *)(scratch + 4 * bytes);
        FN(fill_tables)(job, run);
    }
    return (lanes == 1 ? 5 : 2) * bytes;
}

/* How many columns, and rows of them, a run has room for, at least one. */
ALWAYS_INLINE ptrdiff_t FN(columns_at_once)(const numpool_job *job, ptrdiff_t lanes)
{
    return numpool_max(1, numpool_min(job->w.out, NUMPOOL_RUN / numpool_max(lanes, lanes == 1 ? 1 : LANES)));
}
ALWAYS_INLINE ptrdiff_t FN(rows_at_once)(const numpool_job *job, ptrdiff_t cols, ptrdiff_t lanes)
{
    return numpool_max(1, numpool_min(job->h.out, NUMPOOL_RUN / (cols * numpool_max(lanes, lanes == 1 ? 1 : LANES))));
}

/* --- scatter ----------------------------------------------------------------------------------------------------- */

/* Adds the gradients whose places lie in [0, size): the others belong to nobody, or to another tile. */
static void FN(scatter)(const FN(run) *run, ACC *sums, ptrdiff_t size)
{
    const PLACE *place = run->place, span = (PLACE)size;
    const ACC *grad = run->grad;
    if (run->lanes == 1) {
        for (ptrdiff_t i = 0; i < run->n; i++)
            if (place[i] >= 0 && place[i] < span)
                sums[place[i]] += grad[i];
        return;
    }
    for (ptrdiff_t i = 0; i < run->n; i += run->room)
        for (ptrdiff_t l = 0; l < run->lanes; l++)
            if (place[i + l] >= 0 && place[i + l] < span)
                sums[place[i + l] + l] += grad[i + l];
}

static ptrdiff_t FN(scatter_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const int direct = KIND == KIND_FLOAT && job->x.row % ACC_SIZE == 0 && job->x.pixel == lanes * ACC_SIZE;
    const ptrdiff_t cols = FN(columns_at_once)(job, lanes);
    ptrdiff_t some = FN(rows_at_once)(job, cols, lanes);
    /* small planes that lie end to end everywhere go several at a time */
    const int level = direct && lanes == 1 && cols == w->out && some == h->out && job->leads == 1
                      && job->y.lead[0] == h->out * job->y.row && job->index.lead[0] == h->out * job->index.row
                      && job->x.lead[0] % ACC_SIZE == 0 && job->x.lead[0] > 0 && (job->window_index || job->position.lead[0] == 0)
                      && job->y.row == w->out * ELEM_SIZE && job->index.row == w->out * job->index_size
                      && job->x.lead[0] / ACC_SIZE * NUMPOOL_RUN < INT32_MAX;
    if (level)
        some = numpool_max(1, NUMPOOL_RUN / (h->out * w->out)) * h->out;
    FN(run) run = {.pixel = lanes, .pitch = direct ? job->x.row / ACC_SIZE : w->in * lanes,
                   .plane = level ? job->x.lead[0] / ACC_SIZE : 0};
    const ptrdiff_t taken = FN(make_run)(job, &run, some, 0, cols, lanes, scratch);
    const ptrdiff_t row_size = w->in * lanes * ACC_SIZE;
    if (!scratch)
        return taken + (direct ? 0 : (tile->row1 - tile->row0) * row_size);

    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->in, first = row % h->in;
        ptrdiff_t planes = level && first == 0 ? numpool_min(some / h->out, (tile->row1 - row) / h->in) : 1;
        planes = numpool_max(planes, 1);
        next = numpool_min(tile->row1, row - first + planes * h->in);
        const ptrdiff_t rows = planes > 1 ? h->in : next - row;
        const ptrdiff_t top = numpool_max(0, numpool_ceil_div(first + h->before - (h->kernel - 1) * h->step, h->stride));
        const ptrdiff_t bottom = numpool_max(top, numpool_min(h->out, (first + rows - 1 + h->before) / h->stride + 1));
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row + tile->lane0 * ELEM_SIZE;
        ACC *sums = (ACC *)(void *)(direct ? to : scratch + taken);
        run.origin = first;
        for (ptrdiff_t p = 0; p < planes; p++)
            for (ptrdiff_t i = 0; i < rows; i++)
                memset(sums + p * run.plane + i * run.pitch, 0, row_size);
        if (planes > 1) {
            run.rows = planes * h->out;
            run.n = run.rows * w->out;
            if (FN(read)(job, tile, &run, plane, 0, 1, 1))
                return 1;
            FN(scatter)(&run, sums, planes * run.plane);
            continue;
        }
        for (ptrdiff_t c = 0; c < w->out; c += cols) {
            run.first = c;
            run.last = numpool_min(c + cols, w->out);
            run.rows = numpool_min(some, h->out);
            if (cols < w->out)
                FN(fill_tables)(job, &run);
            for (ptrdiff_t r = top; r < bottom; r += some) {
                run.rows = numpool_min(some, bottom - r);
                run.n = run.rows * (run.last - run.first) * run.room;
                if (FN(read)(job, tile, &run, plane, r, 1, 1))
                    return 1;
                FN(scatter)(&run, sums, rows * run.pitch);
            }
        }
        for (ptrdiff_t i = 0; i < rows && !direct; i++)
            COMMON(put_phase)(to + i * job->x.row, (char *)sums + i * row_size, w->in, lanes, job->x.pixel);
    }
    return 0;
}

/* --- gather ------------------------------------------------------------------------------------------------------ */

/* A window that holds a pixel: where its elements are in the run, and what its index says if the pixel is chosen. */
typedef struct { ptrdiff_t at; PLACE says; } FN(holder);

/* One pixel: for each lane the sum over the windows that chose it. */
ALWAYS_INLINE void FN(gather)(char *dst, const FN(run) *run, const FN(holder) *windows, ptrdiff_t count)
{
    for (ptrdiff_t l = 0; l < run->lanes; l += LANES) {
        const ptrdiff_t at = l + LANES <= run->lanes ? l : numpool_max(0, run->lanes - LANES);
        FN(vec) sum = {0};
        for (ptrdiff_t e = 0; e < count; e++) {
            FN(vec) g;
            FN(ivec) p;
            memcpy(&g, run->grad + windows[e].at + at, sizeof g);
            memcpy(&p, run->place + windows[e].at + at, sizeof p);
            sum += (FN(vec))((FN(ivec))g & (p == windows[e].says));
        }
        if (run->lanes >= LANES)
            memcpy(dst + at * ACC_SIZE, &sum, sizeof sum);
        else
            memcpy(dst, &sum, run->lanes * ACC_SIZE);
    }
}

static ptrdiff_t FN(gather_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = tile->col1 - tile->col0;
    const ptrdiff_t reach_y = (h->kernel - 1) * h->step, reach_x = (w->kernel - 1) * w->step;
    const ptrdiff_t left = numpool_max(0, numpool_ceil_div(tile->col0 + w->before - reach_x, w->stride));
    const ptrdiff_t right = numpool_max(left, numpool_min(w->out, (tile->col1 - 1 + w->before) / w->stride + 1));
    const ptrdiff_t most = numpool_min(w->out, (cols + reach_x - 1) / w->stride + 2); /* columns of windows, of any tile */
    const ptrdiff_t rows_out = numpool_min(h->out, (tile->row1 - tile->row0 + reach_y - 1) / h->stride + 2);
    FN(run) run = {0};
    if (!scratch)
        return FN(make_run)(job, &run, rows_out, 0, most, lanes, NULL) + lanes * ACC_SIZE + NUMPOOL_SLACK
               + 2 * cols * (ptrdiff_t)sizeof(ptrdiff_t);
    const ptrdiff_t taken = FN(make_run)(job, &run, rows_out, left, right, lanes, scratch);
    FN(holder) windows[NUMPOOL_GATHER];
    ptrdiff_t *begins = (ptrdiff_t *)(void *)(scratch + taken + (lanes * ACC_SIZE + NUMPOOL_SLACK) / 8 * 8), *ends = begins + cols;
    for (ptrdiff_t x = 0; x < cols; x++) { /* windows [begin, end) hold a column */
        begins[x] = numpool_max(left, numpool_ceil_div(tile->col0 + x + w->before - reach_x, w->stride));
        ends[x] = numpool_min(right, (tile->col0 + x + w->before) / w->stride + 1);
    }

    for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
        const ptrdiff_t plane = row / h->in, first = row % h->in;
        next = numpool_min(tile->row1, row - first + h->in);
        const ptrdiff_t last = first + next - row;
        const ptrdiff_t top = numpool_max(0, numpool_ceil_div(first + h->before - reach_y, h->stride));
        const ptrdiff_t bottom = numpool_max(top, numpool_min(h->out, (last - 1 + h->before) / h->stride + 1));
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + first * job->x.row + tile->lane0 * ELEM_SIZE;
        run.rows = bottom - top;
        run.n = run.rows * (right - left) * run.room;
        const ptrdiff_t above = numpool_max(0, top * h->stride - h->before); /* as in FN(read) */
        if (run.n && FN(read)(job, tile, &run, plane, top, 1, 0))
            return 1;
        for (ptrdiff_t y = first; y < last; y++, to += job->x.row) {
            const ptrdiff_t low = numpool_max(top, numpool_ceil_div(y + h->before - reach_y, h->stride));
            const ptrdiff_t high = numpool_min(bottom, (y + h->before) / h->stride + 1);
            for (ptrdiff_t x = tile->col0; x < tile->col1; x++) {
                const ptrdiff_t begin = begins[x - tile->col0], end = ends[x - tile->col0];
                ptrdiff_t count = 0;
                for (ptrdiff_t r = low; r < high; r++)
                    for (ptrdiff_t c = begin; c < end; c++) {
                        const ptrdiff_t i = y + h->before - r * h->stride, j = x + w->before - c * w->stride;
                        if ((h->step > 1 && i % h->step) || (w->step > 1 && j % w->step))
                            continue; /* between two taps */
                        windows[count++] = (FN(holder)){
                            ((r - top) * (right - left) + c - left) * run.room,
                            (PLACE)(job->window_index ? (h->step > 1 ? i / h->step : i) * w->kernel + (w->step > 1 ? j / w->step : j)
                                                      : (y - above) * job->position.row + x * job->position.pixel)};
                    }
                char *pixel = to + x * job->x.pixel;
                if (KIND == KIND_FLOAT) {
                    FN(gather)(pixel, &run, windows, count);
                } else {
                    FN(gather)(scratch + taken, &run, windows, count);
                    COMMON(put_phase)(pixel, scratch + taken, 1, lanes, job->x.pixel);
                }
            }
        }
    }
    return 0;
}

static ptrdiff_t FN(check_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, cols = FN(columns_at_once)(job, lanes);
    FN(run) run = {0};
    const ptrdiff_t some = FN(rows_at_once)(job, cols, lanes), taken = FN(make_run)(job, &run, some, 0, cols, lanes, scratch);
    if (!scratch)
        return taken;
    for (ptrdiff_t c = tile->col0; c < tile->col1; c += cols) {
        run.first = c;
        run.last = numpool_min(c + cols, tile->col1);
        run.rows = some;
        FN(fill_tables)(job, &run);
        for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
            const ptrdiff_t plane = row / h->out, r = row % h->out;
            next = numpool_min(numpool_min(tile->row1, row + some), row - r + h->out);
            run.rows = next - row;
            run.n = run.rows * (run.last - run.first) * run.room;
            if (FN(read)(job, tile, &run, plane, r, 0, 0))
                return 1;
        }
    }
    return 0;
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    return (job->check_only ? FN(check_block) : job->scatter ? FN(scatter_block) : FN(gather_block))(job, tile, scratch);
}
#undef COMMON
#undef PLACE
#undef UNSIGNED_PLACE
#undef OUTSIDE
#undef LANES
#undef ACC
#undef ACC_SIZE
