/* Template: one window a row of single lanes, as long as a table says, for averages in double. Some rows go together: each level
 * of a tree of eight joins the neighbours of two rows' vectors into one, so that the trees of all rows come out side by side.
 * Sums are those that `down` makes where the taps are rows: a layout may not show. For average.h, IN_PAIRS. */
#define LONE_ROWS (DOWN_LANES < 8 ? DOWN_LANES : 8)
#define LONE_TAPS (DOWN_LANES < 8 ? 8 : DOWN_LANES) /* whole trees of a row */

ALWAYS_INLINE FN(tree) FN(tree_pairs)(FN(tree) a, FN(tree) b)
{
#ifdef NATIVE_EVENS_4
    return (FN(tree))NATIVE_EVENS_4(a, b) + (FN(tree))NATIVE_ODDS_4(a, b);
#else
    return SHUFFLE(FN(bits), a, b, COUNT_BY_2(DOWN_LANES, 0)) + SHUFFLE(FN(bits), a, b, COUNT_BY_2(DOWN_LANES, 1));
#endif
}

static __attribute__((noinline)) FN(tree) FN(load_copy)(const char *p, ptrdiff_t n)
{
    char copy[DOWN_LANES * ELEM_SIZE] = {0};
    memcpy(copy, p, n * ELEM_SIZE);
    return FN(load_element)(copy);
}

/* The first n elements at p, if there are any, and then some that change no sum; nothing is read at `end` or behind. */
ALWAYS_INLINE FN(tree) FN(load_some)(const char *p, ptrdiff_t n, const char *end)
{
    const ptrdiff_t some = numpool_max(0, numpool_min(n, DOWN_LANES));
    const FN(tree) x = end - p < DOWN_LANES * ELEM_SIZE ? FN(load_copy)(p, some) : FN(load_element)(p);
    FN(bits) there;
    memcpy(&there, numpool_edge + 128 - some * 4, sizeof there);
    return SELECT_READ(FN(tree), FN(bits), there, x, -(FN(tree)){0});
}

/* LONE_TAPS taps of each row from `at` on: the trees of the rows, the first of each before others. Of the taps `left` are there;
 * without an `end` (NULL) all are. */
ALWAYS_INLINE FN(tree) FN(lone_trees)(const char *const *row, ptrdiff_t at, ptrdiff_t left, const char *end)
{
    FN(tree) half[2];
    for (int h = 0; h < LONE_TAPS / DOWN_LANES; h++) {
        FN(tree) v[LONE_ROWS];
        for (int i = 0; i < LONE_ROWS; i++) {
            const char *p = row[i] + (at + h * DOWN_LANES) * ELEM_SIZE;
            v[i] = end ? FN(load_some)(p, left - h * DOWN_LANES, end) : FN(load_element)(p);
        }
#ifdef NATIVE_PIECES
        for (int n = LONE_ROWS / 2; n > 1; n /= 2)
            for (int i = 0; i < n; i++)
                v[i] = (FN(tree))NATIVE_INSIDE_4(v[2 * i], v[2 * i + 1], 0) + (FN(tree))NATIVE_INSIDE_4(v[2 * i], v[2 * i + 1], 1);
        v[0] = (FN(tree))NATIVE_PIECES(v[0], v[1], 0) + (FN(tree))NATIVE_PIECES(v[0], v[1], 1);
#else
        for (int n = LONE_ROWS / 2; n > 0; n /= 2)
            for (int i = 0; i < n; i++)
                v[i] = FN(tree_pairs)(v[2 * i], v[2 * i + 1]);
#endif
        half[h] = v[0];
    }
#if DOWN_LANES == 4
    return half[0] + half[1];
#elif DOWN_LANES == 16 /* two trees a row */
    return SHUFFLE(FN(bits), half[0], half[0], COUNT_BY_2_8(0), COUNT_BY_2_8(1));
#else
    return half[0];
#endif
}

ALWAYS_INLINE FN(pair) FN(lone_step)(FN(pair) sum, FN(tree) trees)
{
    const FN(pair) x = FN(widen)(trees);
#if DOWN_LANES == 16
    return (FN(pair)){sum.low + x.low + x.high, sum.high};
#else
    return FN(join_pairs)(sum, x);
#endif
}

/* The sums of a tile's rows, of one plane, then their averages. */
static void FN(lone)(const numpool_job *job, const numpool_tile *tile, char *sums)
{
    const numpool_window window = numpool_clip(&job->w, 0);
    const ptrdiff_t first = tile->row0 % job->h.out, plane = tile->row0 / job->h.out, rows = tile->row1 - tile->row0;
    const ptrdiff_t pitch = job->x.row, whole = window.taps / LONE_TAPS * LONE_TAPS;
    const char *src = job->x.data + numpool_lead(job, job->x.lead, plane) + first * pitch + window.first * ELEM_SIZE;
    const ptrdiff_t ahead = job->x.end - job->x.data > NUMPOOL_NEAR ? LONE_ROWS * pitch : 0; /* the next rows */
    for (ptrdiff_t r = 0; r < rows; r += LONE_ROWS) {
        const char *row[LONE_ROWS];
        for (int i = 0; i < LONE_ROWS; i++)
            row[i] = src + numpool_min(r + i, rows - 1) * pitch;
        FN(pair) sum = {-(FN(plane)){0}, -(FN(plane)){0}};
        for (ptrdiff_t t = 0; t < whole; t += LONE_TAPS) {
            for (int i = 0; i < LONE_ROWS && ahead; i++)
                __builtin_prefetch(row[i] + ahead + t * ELEM_SIZE);
            sum = FN(lone_step)(sum, FN(lone_trees)(row, t, LONE_TAPS, NULL));
        }
        if (whole < window.taps)
            sum = FN(lone_step)(sum, FN(lone_trees)(row, whole, window.taps - whole, job->x.end));
        memcpy(sums + r * ACC_SIZE, &sum, LONE_ROWS * ACC_SIZE);
    }
    char *out = job->y.data + numpool_lead(job, job->y.lead, plane) + first * job->y.row;
    const ptrdiff_t divisor = job->divisor ? job->divisor : numpool_count(&job->w, 0, 0);
    if (job->y.row == job->out_size) {
        FN(divide)(job, sums, 0, rows, divisor, out);
        return;
    }
    for (ptrdiff_t r = 0; r < rows; r++)
        FN(divide)(job, sums + r * ACC_SIZE, 0, 1, divisor, out + r * job->y.row);
}
#undef LONE_ROWS
#undef LONE_TAPS
