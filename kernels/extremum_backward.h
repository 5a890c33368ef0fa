/* Template: the gradient of a maximum or minimum: every window adds its grad to the place that its index names, in the order
 * of the windows, a plane at a time.
 *
 *     indices --read--> positions in the plane, or taps --decode--> places --scatter--> sums (float32, float64: grad_input)
 *
 * A place is an offset, in elements, from the first element of the plane (or of several small planes); -1 is "no tap".
 * Nothing is used as an address before it has been compared with the size of the plane. */
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
    int flat;                           /* positions, times `pixel`, are places: nothing to decode */
    const ACC *values;                  /* the gradients: `grad`, or where they lie */
    PLACE *place;
    ACC *grad;
    /* single lanes: of each window the input row (less that of the run's first) and column of tap 0, and its plane's place */
    PLACE *row, *column, *base;
} FN(run);

static void FN(fill_tables)(const numpool_job *job, FN(run) *run)
{
    const ptrdiff_t cols = run->last - run->first;
    for (ptrdiff_t r = 0, i = 0; run->lanes == 1 && r < run->rows; r++, i += cols) {
        const PLACE row = (PLACE)(r % job->h.out * job->h.stride - job->h.before);
        const PLACE base = (PLACE)(r / job->h.out * run->plane);
        PLACE *restrict rows = run->row + i, *restrict bases = run->base + i;
        for (ptrdiff_t c = 0; c < cols; c++)
            rows[c] = row;
        for (ptrdiff_t c = 0; c < cols; c++)
            bases[c] = base;
        if (r > 0)
            memcpy(run->column + i, run->column, cols * ACC_SIZE);
        else
            for (ptrdiff_t c = 0; c < cols; c++)
                run->column[c] = (PLACE)((run->first + c) * job->w.stride - job->w.before);
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

/* One vector of what `read` left, to places. *bad collects the lanes that name no element of the plane; a tap also has to
 * lie in the image, which all do in a window that is `inside`. */
ALWAYS_INLINE FN(ivec) FN(places)(const numpool_job *job, const FN(run) *run, FN(ivec) given, FN(ivec) row, FN(ivec) column,
                                  FN(ivec) base, int inside, FN(ivec) *bad)
{
    const FN(ivec) some = given >= 0, at = given & some;
    FN(ivec) x, y, odd, wrong;
    if (job->window_index) {
        const PLACE kw = (PLACE)job->w.kernel, kh = (PLACE)job->h.kernel;
        y = row + FN(quotient)(at, kw, &x) * (PLACE)job->h.step;
        x = column + x * (PLACE)job->w.step;
        wrong = OUTSIDE(at, kh * kw);
        if (!inside)
            wrong |= OUTSIDE(y, job->h.in) | OUTSIDE(x, job->w.in);
    } else {
        y = FN(quotient)(at, (PLACE)job->position.row, &x);
        x = FN(quotient)(x, (PLACE)job->position.pixel, &odd);
        wrong = odd != 0; /* the position of another channel */
    }
    *bad |= (wrong & some) | (given < -1);
    const FN(ivec) place = y * (PLACE)run->pitch + x * (PLACE)run->pixel + base;
    return (place & some) | ~some;
}

/* The whole run, whose first row is row `first` of its plane. Returns 1 when an index is wrong. */
static int FN(decode)(const numpool_job *job, const FN(run) *run, ptrdiff_t first)
{
    FN(ivec) bad = {0}, given, row = {0}, column = {0}, base = {0};
    if (run->lanes == 1) {
        memset(run->place + run->n, -1, VECTOR_BYTES); /* the last vector's lanes behind the run */
        for (ptrdiff_t i = 0; i < run->n; i += LANES) {
            memcpy(&given, run->place + i, sizeof given);
            memcpy(&row, run->row + i, sizeof row);
            memcpy(&column, run->column + i, sizeof column);
            memcpy(&base, run->base + i, sizeof base);
            given = FN(places)(job, run, given, row + (PLACE)(first * job->h.stride), column, base, 0, &bad);
            memcpy(run->place + i, &given, sizeof given);
        }
    } else {
        PLACE *at = run->place;
        ptrdiff_t inner, outer;
        numpool_interior(&job->w, &inner, &outer);
        for (ptrdiff_t r = first; r < first + run->rows; r++) {
            const int level = numpool_clip(&job->h, r).taps == job->h.kernel;
            row = (FN(ivec)){0} + (PLACE)(r * job->h.stride - job->h.before);
            for (ptrdiff_t c = run->first; c < run->last; c++) {
                column = (FN(ivec)){0} + (PLACE)(c * job->w.stride - job->w.before);
                for (ptrdiff_t l = 0; l < run->room; l += LANES, at += LANES) {
                    memcpy(&given, at, sizeof given);
                    given = FN(places)(job, run, given, row, column, base, level && c >= inner && c < outer, &bad);
                    memcpy(at, &given, sizeof given);
                }
            }
        }
    }
    int any = 0;
    for (int i = 0; i < LANES; i++)
        any |= bad[i] != 0;
    return any;
}

/* The same one by one, for numbers that float arithmetic cannot divide. */
static int FN(decode_long)(const numpool_job *job, const FN(run) *run, ptrdiff_t first)
{
    const ptrdiff_t cols = run->last - run->first;
    for (ptrdiff_t i = 0; i < run->n; i++) {
        const ptrdiff_t given = run->place[i], r = i / run->room / cols;
        ptrdiff_t y, x, wrong;
        if (given == -1)
            continue;
        if (job->window_index) {
            y = (first + r % job->h.out) * job->h.stride - job->h.before + given / job->w.kernel * job->h.step;
            x = (run->first + i / run->room % cols) * job->w.stride - job->w.before + given % job->w.kernel * job->w.step;
            wrong = given >= job->h.kernel * job->w.kernel;
        } else {
            y = given / job->position.row;
            x = given % job->position.row / job->position.pixel;
            wrong = given % job->position.row % job->position.pixel;
        }
        if (given < 0 || wrong || y < 0 || y >= job->h.in || x < 0 || x >= job->w.in)
            return 1;
        run->place[i] = (PLACE)(y * run->pitch + x * run->pixel + r / job->h.out * run->plane);
    }
    return 0;
}

/* The run from row r of a plane on (or several whole planes): indices as tap numbers, or as positions in the plane (-1: none,
 * -2: out of range), grad widened where it is wanted; then places, unless positions are places already. */
static int FN(read)(const numpool_job *job, const numpool_tile *tile, FN(run) *run, ptrdiff_t plane, ptrdiff_t r, int grads)
{
    const ptrdiff_t lanes = run->lanes, cols = run->last - run->first;
    const int64_t span = job->h.in * job->position.row, taps = job->h.kernel * job->w.kernel;
    const uint64_t limit = (uint64_t)numpool_min(span, INT32_MAX);
    int bad = 0;
    const ptrdiff_t index_row = job->index.row, grad_row = job->y.row;
    const char *index = job->index.data + numpool_lead(job, job->index.lead, plane) + r * index_row
                        + run->first * job->index.pixel + tile->lane0 * job->index_size;
    const char *grad = job->y.data + numpool_lead(job, job->y.lead, plane) + r * grad_row + run->first * job->y.pixel
                       + tile->lane0 * ELEM_SIZE;
    const int64_t zero = numpool_lead(job, job->position.lead, plane) + tile->lane0 * job->position.lane;
    /* elements that lie end to end: one piece; else a row, or the lanes of one window, at a time */
    const int rowwise = run->room == lanes && job->index.pixel == lanes * job->index_size
                        && job->y.pixel == lanes * ELEM_SIZE
                        && (lanes == 1 || job->window_index || job->position.lane == 0);
    const int whole = rowwise && index_row == cols * job->index.pixel && grad_row == cols * job->y.pixel;
    const ptrdiff_t piece = whole ? run->n : rowwise ? cols * lanes : lanes, unit = rowwise ? piece : run->room;
    const int as_is = KIND == KIND_FLOAT && whole;
    run->values = as_is ? (const ACC *)(const void *)grad : run->grad;
    const PLACE scale = run->flat ? (PLACE)run->pixel : 1;
    PLACE *to = run->place;
    for (ptrdiff_t i = 0; i < run->n; i += unit, to += unit) {
        const ptrdiff_t window = i / run->room, row = whole ? 0 : window / cols, col = whole ? 0 : window - row * cols;
        const char *from = index + row * index_row + col * job->index.pixel;
        if (grads && !as_is)
            COMMON(widen)((char *)(run->grad + i), grad + row * grad_row + col * job->y.pixel, piece);
        for (ptrdiff_t l = piece; l < unit; l++)
            to[l] = -1;
        if (!job->window_index) {
            const int64_t *at = (const int64_t *)(const void *)from, step = job->position.lane;
            for (ptrdiff_t j = 0; j < piece; j++) {
                const uint64_t rest = (uint64_t)(at[j] - (step ? zero + j * step : zero)); /* below zero: beyond any limit */
                const int in = rest < limit, none = at[j] == -1;
                bad |= !(in | none);
                to[j] = in ? (PLACE)rest * scale : none ? -1 : -2;
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
    const int several = run->flat && grads && run->rows > job->h.out; /* planes: places count from the first one */
    for (ptrdiff_t i = 0; several && i < run->n; i += LANES) {
        FN(ivec) place, base;
        memcpy(&place, run->place + i, sizeof place);
        memcpy(&base, run->base + i, sizeof base);
        place += base & (place >= 0);
        memcpy(run->place + i, &place, sizeof place);
    }
    if (bad || run->flat)
        return bad;
    return ((job->window_index ? taps : span) <= NUMPOOL_EXACT(ACC_SIZE) ? FN(decode) : FN(decode_long))(job, run, r);
}

/* Whether small planes of windows lie end to end, so that a run may hold several. */
ALWAYS_INLINE int FN(level)(const numpool_job *job, ptrdiff_t lanes)
{
    return lanes == 1 && job->leads == 1 && job->h.out * job->w.out <= NUMPOOL_RUN
           && job->y.lead[0] == job->h.out * job->y.row && job->index.lead[0] == job->h.out * job->index.row
           && job->y.row == job->w.out * ELEM_SIZE && job->index.row == job->w.out * job->index_size
           && (job->window_index || job->position.lead[0] == 0);
}

/* A run of NUMPOOL_RUN elements or less, of one window at least: its form, and its arrays in scratch. Returns the bytes that
 * any run of this job takes. */
static ptrdiff_t FN(make_run)(const numpool_job *job, FN(run) *run, ptrdiff_t lanes, int level, char *scratch)
{
    run->lanes = lanes;
    run->flat = !job->window_index && job->position.pixel == 1 && job->position.row * run->pixel == run->pitch
                && (lanes > 1 || run->pixel == 1);
    run->room = lanes == 1 || run->flat ? lanes : (lanes + LANES - 1) / LANES * LANES;
    run->last = numpool_max(1, numpool_min(job->w.out, NUMPOOL_RUN / run->room));
    run->rows = numpool_max(1, numpool_min(job->h.out, NUMPOOL_RUN / (run->last * run->room)));
    if (level)
        run->rows = NUMPOOL_RUN / (job->h.out * job->w.out) * job->h.out;
    const ptrdiff_t most = numpool_max(NUMPOOL_RUN, job->lanes + LANES);
    const ptrdiff_t bytes = (most * ACC_SIZE + VECTOR_BYTES + 63) / 64 * 64;
    if (scratch) {
        run->place = (PLACE *)(void *)scratch;
        run->grad = (ACC *)(void *)(scratch + bytes);
        run->row = (PLACE *)(void *)(scratch + 2 * bytes);
        run->column = (PLACE *)(void *)(scratch + 3 * bytes);
        run->base = (PLACE *)(void *)(scratch + 4 * bytes);
        FN(fill_tables)(job, run);
    }
    return 5 * bytes;
}

/* Adds the gradients whose places lie in [0, size): the others belong to nobody. */
static void FN(scatter)(const FN(run) *run, ACC *sums, ptrdiff_t size)
{
    const PLACE *place = run->place, span = (PLACE)size;
    const ACC *grad = run->values;
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
    const int direct = KIND == KIND_FLOAT && job->x.row % ACC_SIZE == 0 && job->x.pixel % ACC_SIZE == 0;
    const int level = direct && FN(level)(job, lanes) && job->x.lead[0] % ACC_SIZE == 0 && job->x.lead[0] > 0
                      && job->x.lead[0] / ACC_SIZE * NUMPOOL_RUN < INT32_MAX;
    FN(run) run = {.pixel = direct ? job->x.pixel / ACC_SIZE : lanes, .pitch = direct ? job->x.row / ACC_SIZE : w->in * lanes,
                   .plane = level ? job->x.lead[0] / ACC_SIZE : 0};
    const ptrdiff_t taken = FN(make_run)(job, &run, lanes, level, scratch), cols = run.last, some = run.rows;
    const ptrdiff_t plane_size = direct ? (h->in - 1) * run.pitch + (w->in - 1) * run.pixel + 1 : h->in * run.pitch;
    const int dense = run.pixel == lanes; /* a row in one piece */
    if (!scratch)
        return taken + (direct ? 0 : plane_size * ACC_SIZE);

    for (ptrdiff_t plane = tile->row0 / h->in, planes; plane < tile->row1 / h->in; plane += planes) {
        planes = level ? numpool_min(some / h->out, tile->row1 / h->in - plane) : 1;
        char *to = job->x.data + numpool_lead(job, job->x.lead, plane) + tile->lane0 * ELEM_SIZE;
        ACC *sums = (ACC *)(void *)(direct ? to : scratch + taken);
        for (ptrdiff_t p = 0; p < planes; p++)
            for (ptrdiff_t i = 0; i < h->in; i++)
                for (ptrdiff_t j = 0; j < (dense ? 1 : w->in); j++)
                    memset(sums + p * run.plane + i * run.pitch + j * run.pixel, 0, (dense ? w->in : 1) * lanes * ACC_SIZE);
        for (ptrdiff_t r = 0; r < h->out; r += some) /* in the order of the windows, on which the sums depend */
            for (ptrdiff_t c = 0; c < w->out; c += cols) {
                run.first = c;
                run.last = numpool_min(c + cols, w->out);
                run.rows = planes > 1 ? planes * h->out : numpool_min(some, h->out - r);
                if (cols < w->out)
                    FN(fill_tables)(job, &run);
                run.n = run.rows * (run.last - run.first) * run.room;
                if (FN(read)(job, tile, &run, plane, r, 1))
                    return 1;
                FN(scatter)(&run, sums, planes > 1 ? planes * run.plane : plane_size);
            }
        for (ptrdiff_t i = 0; i < h->in && !direct; i++)
            COMMON(put_phase)(to + i * job->x.row, (char *)(sums + i * run.pitch), w->in, lanes, job->x.pixel);
    }
    return 0;
}

static ptrdiff_t FN(check_block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const numpool_axis *h = &job->h;
    const ptrdiff_t lanes = tile->lane1 - tile->lane0;
    const int level = FN(level)(job, lanes);
    FN(run) run = {.pitch = job->position.row, .pixel = 1}; /* positions are places, which nobody will look at */
    const ptrdiff_t taken = FN(make_run)(job, &run, lanes, level, scratch), cols = run.last, some = run.rows;
    if (!scratch)
        return taken;
    for (ptrdiff_t c = tile->col0; c < tile->col1; c += cols) {
        run.first = c;
        run.last = numpool_min(c + cols, tile->col1);
        run.rows = some;
        FN(fill_tables)(job, &run);
        for (ptrdiff_t row = tile->row0, next; row < tile->row1; row = next) {
            const ptrdiff_t plane = row / h->out, r = row % h->out;
            next = numpool_min(tile->row1, row + some);
            if (!level)
                next = numpool_min(next, row - r + h->out);
            run.rows = next - row;
            run.n = run.rows * (run.last - run.first) * run.room;
            if (FN(read)(job, tile, &run, plane, r, 0))
                return 1;
        }
    }
    return 0;
}

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    return (job->check_only ? FN(check_block) : FN(scatter_block))(job, tile, scratch);
}
#undef COMMON
#undef PLACE
#undef UNSIGNED_PLACE
#undef OUTSIDE
#undef LANES
#undef ACC
#undef ACC_SIZE
