/* Template: rows of sums across, to results: windows at one stride, windows of a table, and sums of one slab joined with those of
 * another. A part of forward.h, whose words these are. */

/* Elements that one fold of the horizontal stage can take together: a row of windows, or the lanes of one. */
ALWAYS_INLINE ptrdiff_t FN(row_length)(const numpool_job *job, ptrdiff_t cols, ptrdiff_t lanes, int dense)
{
    const numpool_axis *axis = &job->w;
    const int halves = axis->stride == 2 && lanes == 1 && axis->step == 1 && axis->kernel <= 5;
    return !axis->table && (axis->stride == 1 || halves) && dense ? cols * lanes : lanes;
}

/* One run of rows of sums, across, to dst. */
static void FN(horizontal)(const numpool_job *job, ptrdiff_t cols, ptrdiff_t lanes, ptrdiff_t rows, char *sums,
                           char *spare, ptrdiff_t pitch, ptrdiff_t apart, char *dst, ptrdiff_t dst_pitch,
                           ptrdiff_t dst_pixel, int direct)
{
    const numpool_axis *axis = &job->w;
    const ptrdiff_t length = FN(row_length)(job, cols, lanes, dst_pixel == lanes * (direct ? OUT_SIZE(job) : ACC_SIZE));
#ifdef TRANSPOSE_NOTHING
    const int quads = axis->kernel == 4 && axis->stride == 4 && 2 * cols >= LANES;
#endif
    numpool_fold f = {.src = sums, .src_pitch = pitch, .step = axis->step * lanes * ACC_SIZE, .taps = axis->kernel,
                      .rows = rows, .n = cols * lanes, .dst = dst, .dst_pitch = dst_pitch, .job = job,
                      .by = numpool_by_of(job->divisor),
                      .src_apart = apart, .dst_apart = apart};
    if (length > lanes && axis->stride == 1) {
        ptrdiff_t wide = cols + axis->kernel - 1;
        for (ptrdiff_t i = 0; i < axis->passes; i++) {
            numpool_fold pass = f;
            pass.taps = axis->passes == 1 ? axis->kernel : axis->pass[i].taps;
            if (i > 0)
                pass.src = i % 2 ? spare : sums;
            if (axis->passes > 1)
                pass.step = axis->pass[i].gap * lanes * ACC_SIZE;
            if (i < axis->passes - 1) {
                wide -= (axis->pass[i].taps - 1) * axis->pass[i].gap;
                pass.n = wide * lanes;
                pass.dst = i % 2 ? sums : spare;
                pass.dst_pitch = pitch;
            }
            (direct && i == axis->passes - 1 ? FN(LAST) : FN(across))(&pass);
        }
    } else if (length > lanes) {
        (direct ? FN(LAST2) : FN(across2))(&f);
#ifdef TRANSPOSE_NOTHING
    } else if (cols == 1 && lanes == 1 && axis->step == 1 && axis->kernel <= MOST_JOINED && dst_pitch == ACC_SIZE) {
        FN(joined_rows)(&f);
#endif
#ifdef LINES
    } else if (cols == 1 && lanes == 1 && axis->step == 1 && axis->kernel >= LANES) {
        FN(lines)(&f);
#endif
#ifdef RUNS_ACROSS
    } else if (cols == 1 && lanes == 1 && axis->step == 1 && spare && rows > 1 && dst_pitch == ACC_SIZE) {
        FN(turned_rows)(&f, spare);
#endif
    } else if (cols == 1) { /* one window a row: all rows together */
        f.n = lanes;
        (direct ? FN(LAST) : FN(across))(&f);
#ifdef TRANSPOSE_NOTHING
    } else if (lanes == 1 && axis->step == 1 && dst_pixel == ACC_SIZE && !direct
               && (quads || (axis->kernel >= LEAST_JOINED && axis->kernel <= MOST_JOINED))) {
        f.rows = cols; /* each window is a row */
        f.src_pitch = axis->stride * ACC_SIZE;
        if (pitch == cols * f.src_pitch && dst_pitch == cols * ACC_SIZE) { /* those of all rows, one behind the other */
            f.rows *= rows;
            rows = 1;
        }
        for (ptrdiff_t r = 0; r < rows; r++, f.src += pitch, f.dst += dst_pitch)
            (quads ? FN(quads) : FN(joined_rows))(&f);
#endif
    } else {
        f.rows = cols;
        f.n = lanes;
        f.src_pitch = axis->stride * lanes * ACC_SIZE;
        f.dst_pitch = dst_pixel;
        for (ptrdiff_t r = 0; r < rows; r++, f.src += pitch, f.dst += dst_pitch)
            (direct ? FN(LAST) : FN(across))(&f);
    }
}

/* The same for windows of a table, each by itself, of output rows from `first` on. */
static void FN(by_table)(const numpool_job *job, const numpool_tile *tile, ptrdiff_t first, ptrdiff_t rows, const char *sums,
                         ptrdiff_t pitch, ptrdiff_t apart, char *dst, ptrdiff_t dst_pitch, ptrdiff_t dst_pixel, int direct)
{
    const ptrdiff_t lanes = tile->lane1 - tile->lane0, pixel = lanes * ACC_SIZE, start = numpool_start(&job->w, tile->col0);
    numpool_fold f = {.step = pixel, .rows = 1, .n = lanes, .src_apart = apart, .dst_apart = apart, .job = job,
                      .by = numpool_by_of(job->divisor)};
    const int each = direct && DIVIDES_EACH(job);
    for (ptrdiff_t r = 0; r < rows; r++) {
        const ptrdiff_t high = each ? numpool_count(&job->h, first + r, job->count_padding) : 0;
        for (ptrdiff_t c = tile->col0; c < tile->col1; c++) {
            const numpool_window window = numpool_clip(&job->w, c);
            if (each)
                f.by = numpool_by_of(high * numpool_count(&job->w, c, job->count_padding));
            f.src = sums + r * pitch + (window.first - start) * pixel;
            f.dst = dst + r * dst_pitch + (c - tile->col0) * dst_pixel;
            f.taps = window.taps;
            if (window.taps == 0) {
                FN(fill)(f.dst, lanes, apart);
                f.src = f.dst;
                f.taps = 1;
                if (each)
                    FN(LAST)(&f);
            }
#ifdef LINES
            else if (lanes == 1 && window.taps >= LANES)
                FN(lines)(&f);
#endif
            else if (direct && lanes == LANES && window.taps <= 8) /* one vector, one tree: no call for so little */
                TABLE_RESULT(f.dst, FN(across_tree)(f.src, 0, pixel, (int)window.taps, &f), &f);
            else if (direct)
                FN(LAST)(&f);
            else if (lanes <= LANES && window.taps <= 8)
                TABLE_STORE(f.dst, FN(across_tree)(f.src, 0, pixel, (int)window.taps, &f), apart);
            else
                FN(across)(&f);
        }
    }
}

/* Rows of accumulators one behind the other, `bytes` in all, each joined with its like at `other`, in place: whole vectors,
 * for one that overlapped the one before it would join some twice. */
static void FN(join)(const numpool_job *job, char *sums, const char *other, ptrdiff_t bytes, ptrdiff_t apart)
{
    const ptrdiff_t vector = LANES * ACC_SIZE;
    const numpool_fold f = {.src = sums, .step = other - sums, .taps = 2, .rows = 1, .dst = sums, .src_apart = apart,
                            .n = (bytes + vector - 1) / vector * LANES, .dst_apart = apart, .job = job};
    FN(across)(&f);
}
