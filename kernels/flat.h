/* Template: windows at stride 1 with as many outputs as inputs (padding makes up for the kernel), on single lanes. The planes
 * of a tile lie end to end, in the image, in scratch and in the output: both stages run over them as over one long row, so
 * that a row of 7 columns costs no more than its share of a vector. A tap of another row or plane becomes the identity.
 *
 *     image rows --down--> sums, some rows at a time --across--> output rows
 *
 * Which taps are there repeats from plane to plane, and from row to row: a table of masks, all ones or zeros an element, is
 * read where a vector begins. After slide.h, whose trees, last stage and identity it has, and what that asks for; the includer defines NO_TAP, a vector that changes no sum, and
 * FLAT_DOWN, the most rows of a window: the order of a longer sum depends on which of them are there. */
/* Masks of one axis: `period` positions, of which `step` follow each other with the same taps. */
typedef struct {
    ptrdiff_t period, step, taps, before;
    const char *at;
    ptrdiff_t apart; /* bytes from one tap's masks to the next: a vector may begin at any position; 0: a lone tap needs none */
} FN(masks);

ALWAYS_INLINE FN(masks) FN(masks_of)(const numpool_axis *axis, ptrdiff_t step, const char *at)
{
    const ptrdiff_t period = axis->in * step;
    return (FN(masks)){period, step, axis->kernel, axis->before, at,
                       axis->kernel > 1 ? (period + LANES) * ACC_SIZE : 0};
}

static int FN(is_flat_axis)(const numpool_axis *axis, ptrdiff_t most)
{
    return !axis->table && axis->stride == 1 && axis->step == 1 && axis->out == axis->in
           && axis->kernel <= most;
}

static int FN(is_flat)(const numpool_job *job, const numpool_tile *tile)
{
    const ptrdiff_t row = job->w.in, plane = job->h.in * row;
    const int runs = job->w.running || (job->h.running && 4 * row > 5 * LANES); /* faster, but in rows of a vector or less */
    const int planes = job->leads == 0 || (job->leads == 1 && job->x.lead[0] == plane * ELEM_SIZE && job->y.lead[0] == plane * SLIDE_SIZE);
    return job->lanes == 1 && SLIDES(job) && !job->d.out && !runs && FN(is_flat_axis)(&job->h, FLAT_DOWN)
           && FN(is_flat_axis)(&job->w, NUMPOOL_FLAT_TAPS) && planes && job->x.pixel == ELEM_SIZE
           && job->y.pixel == SLIDE_SIZE && job->x.row == row * ELEM_SIZE && job->y.row == row * SLIDE_SIZE && tile->col1 - tile->col0 == row
           && job->h.kernel * FN(masks_of)(&job->h, row, NULL).apart <= NUMPOOL_FLAT_MASKS;
}

/* Rows of sums that are made at a time. */
ALWAYS_INLINE ptrdiff_t FN(flat_rows)(const numpool_job *job)
{
    return numpool_max(1, NUMPOOL_FLAT_MASKS / (job->w.in * ACC_SIZE));
}

static ptrdiff_t FN(flat_bytes)(const numpool_job *job)
{
    return 3 * NUMPOOL_SLACK + FN(flat_rows)(job) * job->w.in * ACC_SIZE
           + job->h.kernel * FN(masks_of)(&job->h, job->w.in, NULL).apart
           + job->w.kernel * FN(masks_of)(&job->w, 1, NULL).apart;
}

static void FN(fill_masks)(const FN(masks) *m, char *to)
{
    const ptrdiff_t bytes = m->period * ACC_SIZE;
    for (ptrdiff_t t = 0; m->apart && t < m->taps; t++, to += m->apart) {
        const ptrdiff_t low = numpool_min(numpool_max(m->before - t, 0) * m->step * ACC_SIZE, bytes);
        const ptrdiff_t high = numpool_min(numpool_max(t - m->before, 0) * m->step * ACC_SIZE, bytes);
        memset(to, -1, bytes);
        memset(to, 0, low);
        memset(to + bytes - high, 0, high);
        for (ptrdiff_t i = bytes; i < m->apart; i += ACC_SIZE)
            memcpy(to + i, to + i - bytes, ACC_SIZE);
    }
}

/* Tap t of the vector at position `at` of the masks' period. */
ALWAYS_INLINE FN(vec) FN(if_there)(const FN(masks) *m, int t, ptrdiff_t at, FN(vec) x, FN(vec) nothing)
{
    FN(ivec) there;
    memcpy(&there, m->at + t * m->apart + at * ACC_SIZE, sizeof there);
    return FN(where)(there, x, nothing);
}

/* A vector of image elements, of which some may lie outside the array. */
static __attribute__((noinline)) FN(vec) FN(part_of_vector)(const numpool_job *job, const char *p)
{
    char copy[LANES * ELEM_SIZE] = {0};
    const ptrdiff_t low = numpool_max(job->x.data - p, 0), high = numpool_min(job->x.end - p, (ptrdiff_t)sizeof copy);
    if (low < high)
        memcpy(copy + low, p + low, high - low);
    return FN(down_window)(copy, 0, 1, NULL);
}

/* Elements [from, to) of the sums, whole vectors. `src` is that of element 0, `at` the position of element `from`. */
ALWAYS_INLINE void FN(flat_down)(const numpool_job *job, const FN(masks) *given, const char *src, ptrdiff_t from,
                                 ptrdiff_t to, ptrdiff_t at, char *sums, int taps, int before, int guarded)
{
    const FN(masks) copy = *given, *m = &copy; /* a copy: stores through char * may not change it */
    const ptrdiff_t row = m->step * ELEM_SIZE, move = LANES % m->period;
    const FN(vec) nothing = NO_TAP;
    src -= before * row;
    for (ptrdiff_t i = from; i < to; i += LANES) {
        const char *p = src + i * ELEM_SIZE;
        FN(vec) tap[NUMPOOL_FLAT_TAPS + 1]; /* a tree has room for 8 */
        if (!guarded)
            __builtin_prefetch(p + (taps - 1) * row + PREFETCH_AHEAD);
        for (int t = 0; t < taps; t++, p += row) {
            tap[t] = guarded ? FN(part_of_vector)(job, p) : FN(down_window)(p, 0, 1, NULL);
            if (t != before)
                tap[t] = FN(if_there)(m, t, at, tap[t], nothing);
        }
        FN(store)(sums + i * ACC_SIZE, FN(slide_tree)(tap, 0, 1, taps, NULL), 0);
        at += move;
        at -= at < m->period ? 0 : m->period;
    }
}

/* n elements of the output from sums, a whole number of rows; whole vectors may be stored below `limit`. */
ALWAYS_INLINE void FN(flat_across)(const numpool_job *job, const FN(masks) *given, const char *sums, ptrdiff_t n, char *d,
                                   const char *limit, int taps, int before)
{
    const numpool_fold fold = {.job = job, .by = numpool_by_of(job->divisor)}, *f = &fold;
    const FN(masks) copy = *given, *m = &copy;
    const ptrdiff_t move = LANES % m->period;
    ptrdiff_t at = 0;
    (void)f;
    sums -= before * ACC_SIZE;
    for (ptrdiff_t i = 0; i < n; i += LANES, d += LANES * SLIDE_SIZE) {
        FN(vec) tap[NUMPOOL_FLAT_TAPS + 1]; /* a tree has room for 8 */
        for (int t = 0; t < taps; t++) {
            tap[t] = FN(load)(sums + (i + t) * ACC_SIZE);
            if (t != before)
                tap[t] = FN(if_there)(m, t, at, tap[t], FN(identity)());
        }
        const FN(vec) x = FN(slide_tree)(tap, 0, 1, taps, NULL);
        if (i + LANES <= n || d + LANES * SLIDE_SIZE <= limit)
            SLIDE_PUT(d, x, f);
        else
            FN(slide_last)(d, x, n - i, f);
        at += move;
        at -= at < m->period ? 0 : m->period;
    }
}

/* `rows` rows of sums from `row` on: windows down the columns. */
static __attribute__((noinline)) void FN(flat_rows_down)(const numpool_job *job, const FN(masks) *m, ptrdiff_t row,
                                                         ptrdiff_t rows, char *sums)
{
    const ptrdiff_t width = m->step, n = rows * width, at = row % job->h.in * width;
    const char *src = job->x.data + row * width * ELEM_SIZE;
    /* elements [low, high) are far enough from both ends of the array */
    const ptrdiff_t above = numpool_max(m->before - row, 0) * width, below = (m->taps - 1 - m->before) * width + LANES;
    const ptrdiff_t room = (job->x.end - src) / ELEM_SIZE - below;
    const ptrdiff_t low = numpool_min(n, numpool_ceil_div(above, LANES) * LANES);
    const ptrdiff_t high = numpool_max(low, room < 0 ? 0 : numpool_min(n, room / LANES * LANES));
    const ptrdiff_t inner = (at + low) % m->period, outer = (at + high) % m->period;
    FN(flat_down)(job, m, src, 0, low, at, sums, (int)m->taps, (int)m->before, 1);
    switch (8 * m->taps + m->before) { /* constants, so that the taps stay in registers */
    case 8 * 3 + 1: FN(flat_down)(job, m, src, low, high, inner, sums, 3, 1, 0); break;
    case 8 * 1: FN(flat_down)(job, m, src, low, high, inner, sums, 1, 0, 0); break;
    case 8 * 2: FN(flat_down)(job, m, src, low, high, inner, sums, 2, 0, 0); break;
    case 8 * 5 + 2: FN(flat_down)(job, m, src, low, high, inner, sums, 5, 2, 0); break;
    default: FN(flat_down)(job, m, src, low, high, inner, sums, (int)m->taps, (int)m->before, 0);
    }
    FN(flat_down)(job, m, src, high, n, outer, sums, (int)m->taps, (int)m->before, 1);
}

/* The same rows across, to the output. */
static __attribute__((noinline)) void FN(flat_rows_across)(const numpool_job *job, const FN(masks) *m, ptrdiff_t row,
                                                           ptrdiff_t rows, const char *sums, const char *limit)
{
    char *out = job->y.data + row * job->y.row;
    const ptrdiff_t n = rows * m->period;
    switch (8 * m->taps + m->before) {
    case 8 * 3 + 1: FN(flat_across)(job, m, sums, n, out, limit, 3, 1); break;
    case 8 * 2: FN(flat_across)(job, m, sums, n, out, limit, 2, 0); break;
    case 8 * 5 + 2: FN(flat_across)(job, m, sums, n, out, limit, 5, 2); break;
    case 8 * 7 + 3: FN(flat_across)(job, m, sums, n, out, limit, 7, 3); break;
    default: FN(flat_across)(job, m, sums, n, out, limit, (int)m->taps, (int)m->before);
    }
}

static void FN(flat)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    const ptrdiff_t width = job->w.in, rows = FN(flat_rows)(job);
    char *sums = scratch + NUMPOOL_SLACK, *masks = sums + rows * width * ACC_SIZE + NUMPOOL_SLACK;
    const FN(masks) down = FN(masks_of)(&job->h, width, masks);
    const FN(masks) across = FN(masks_of)(&job->w, 1, masks + down.taps * down.apart);
    FN(fill_masks)(&down, masks);
    FN(fill_masks)(&across, masks + down.taps * down.apart);
    for (ptrdiff_t row = tile->row0, some; row < tile->row1; row += some) {
        some = numpool_min(rows, tile->row1 - row);
        FN(flat_rows_down)(job, &down, row, some, sums);
        FN(flat_rows_across)(job, &across, row, some, sums, tile->limit);
    }
}
