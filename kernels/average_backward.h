/* Template: the gradient of an average. A window's share, its gradient over its divisor, is what each of its pixels gets.
 *
 *     windows that meet (meeting.h)    grad --share_rows--> shares --add_columns--> sums --add_rows--> grad_input
 *     windows apart, one divisor       grad --share_rows--> shares --expand_rows--> grad_input    pixels below a vector (expand.h)
 *                                      grad --spread_row--> one row of grad_input --> its copies  longer ones (spread.h) */
#define ACC_SIZE NUMPOOL_CAT(BACKWARD_ACC_, ELEM_SIZE)
#define ACC NUMPOOL_CAT(BACKWARD_TYPE_, ELEM_SIZE)
#define LANES LANES_OF(ACC_SIZE)
#define SUM(part) NUMPOOL_JOIN(average, DTYPE, part)
#define SUM_BYTES 16384  /* of rows of sums that are filled before they are added: half of a small first-level cache */
#define SHARE_BYTES 4096 /* of rows of shares that are filled before they are used */

/* Bytes of a piece of scratch: whole cache lines, and room for a vector that spills. */
ALWAYS_INLINE ptrdiff_t FN(piece)(ptrdiff_t bytes) { return (bytes + NUMPOOL_SLACK + 63) / 64 * 64; }

/* n elements as whole vectors, if they are more than one: a last vector that overlaps the one before costs more. */
ALWAYS_INLINE ptrdiff_t FN(vectors)(ptrdiff_t n) { return n > LANES ? (n + LANES - 1) / LANES * LANES : n; }

/* How many windows hold a position of phase `at`: positions a multiple of the stride apart are of one phase. */
ALWAYS_INLINE ptrdiff_t FN(windows_at)(const numpool_axis *axis, ptrdiff_t at)
{
    return at < axis->kernel ? (axis->kernel - 1 - at) / axis->stride + 1 : 0;
}

/* The first window that meets a position, whether it exists or not, and how many meet `span` positions at most. */
ALWAYS_INLINE ptrdiff_t FN(first_window)(const numpool_axis *axis, ptrdiff_t i)
{
    return numpool_ceil_div(i + axis->before - (axis->kernel - 1), axis->stride);
}
ALWAYS_INLINE ptrdiff_t FN(windows_of)(const numpool_axis *axis, ptrdiff_t span)
{
    return (span + axis->kernel - 2) / axis->stride + 2;
}

/* A vector of sums as it lies in memory. */
ALWAYS_INLINE SUM(evec) FN(narrow)(SUM(vec) x)
{
#if KIND == KIND_HALF
    return NUMPOOL_CAT(SUM(DTYPE), _store)(x);
#else
    return x;
#endif
}

/* The same to grad_input. Rows of a tile may be short pieces, before which no hardware prefetcher runs: it asks for the row
 * below. */
ALWAYS_INLINE void FN(put)(const numpool_job *job, char *p, SUM(vec) x)
{
    const SUM(evec) narrow = FN(narrow)(x);
    __builtin_prefetch(p + job->x.row, 1, 2);
    memcpy(p, &narrow, sizeof narrow);
}

/* The columns and lanes of a tile, and the windows that meet these columns. */
typedef struct {
    ptrdiff_t lanes, cols, n;    /* n: elements of a row */
    ptrdiff_t left, first, last; /* windows from `left`, which may lie before the first that exists; [first, last) do */
    ptrdiff_t before, after;     /* elements of 0 on both sides of a row of shares, for windows that do not exist */
    ptrdiff_t most;              /* elements of a row of shares, in any tile as wide */
    ptrdiff_t pitch;             /* bytes from one row of shares to the next */
    int64_t divisor;             /* 0: each window has its own */
    int dense;                   /* the pixels of a row of grad_output follow each other */
    const char *end;             /* of grad_output: nothing from here on is read */
} FN(frame);

static FN(frame) FN(framed)(const numpool_job *job, const numpool_tile *tile)
{
    const numpool_axis *w = &job->w;
    FN(frame) f = {.lanes = tile->lane1 - tile->lane0, .cols = tile->col1 - tile->col0};
    const ptrdiff_t right = (tile->col1 - 1 + w->before) / w->stride + 1;
    f.n = f.cols * f.lanes;
    f.left = FN(first_window)(w, tile->col0);
    f.first = numpool_max(f.left, 0);
    f.last = numpool_max(f.first, numpool_min(right, w->out));
    f.before = (f.first - f.left) * f.lanes;
    f.after = (right - f.last) * f.lanes;
    f.most = FN(windows_of)(w, f.cols) * f.lanes;
    f.pitch = (right - f.left) * f.lanes * ACC_SIZE;
    f.divisor = job->divisor;
    f.dense = job->y.pixel == f.lanes * ELEM_SIZE;
    f.end = job->y.data + numpool_max(0, (job->h.out - 1) * job->y.row) + numpool_max(0, (w->out - 1) * job->y.pixel)
            + job->lanes * ELEM_SIZE;
    for (ptrdiff_t i = 0; i < job->leads; i++)
        f.end += numpool_max(0, (job->lead[i] - 1) * job->y.lead[i]);
    return f;
}

/* --- shares ------------------------------------------------------------------------------------------------------ */

ALWAYS_INLINE void FN(clear)(char *to, ptrdiff_t n)
{
    const SUM(vec) zero = {0};
    for (ptrdiff_t i = 0; i < n; i += LANES)
        memcpy(to + i * ACC_SIZE, &zero, sizeof zero);
}

ALWAYS_INLINE SUM(vec) FN(quotient)(SUM(vec) x, numpool_by by)
{
    return by.factor != 0 ? x * (ACC)by.factor : x / (ACC)by.divisor;
}

/* n elements of grad_output, divided. The last vector may spill; nothing from `end` on is read. */
ALWAYS_INLINE void FN(share)(char *to, const char *grad, ptrdiff_t n, int64_t divisor, const char *end, ptrdiff_t ahead)
{
    const numpool_by by = numpool_by_of(divisor);
    SUM(vec) x;
    ptrdiff_t i = 0;
    for (; i < n && end - grad >= (i + LANES) * ELEM_SIZE; i += LANES) {
        __builtin_prefetch(grad + i * ELEM_SIZE + ahead, 0, 2);
        x = FN(quotient)(SUM(load_element)(grad + i * ELEM_SIZE), by);
        memcpy(to + i * ACC_SIZE, &x, sizeof x);
    }
    if (i < n) {
        char copy[LANES * ELEM_SIZE] = {0};
        memcpy(copy, grad + i * ELEM_SIZE, (n - i) * ELEM_SIZE);
        x = FN(quotient)(SUM(load_element)(copy), by);
        memcpy(to + i * ACC_SIZE, &x, sizeof x);
    }
}

/* `rows` rows of grad_output from row `first` of its plane on, `grad` being its start, to rows of shares. What spills to
 * the right is stored anew. */
static void FN(share_rows)(const numpool_job *job, const FN(frame) *f, const char *grad, ptrdiff_t first, ptrdiff_t rows,
                           char *to)
{
    const numpool_view *y = &job->y;
    const ptrdiff_t n = (f->last - f->first) * f->lanes;
    if (f->divisor && f->dense && y->row == n * ELEM_SIZE && f->pitch == n * ACC_SIZE) { /* rows end to end: one */
        FN(share)(to, grad + f->first * y->pixel, rows * n, f->divisor, f->end, y->row);
        return;
    }
    ptrdiff_t inner = 0, outer = 0;
    if (!f->divisor)
        numpool_interior(&job->w, &inner, &outer);
    for (ptrdiff_t r = 0; r < rows; r++, to += f->pitch, grad += y->row) {
        const int64_t high = f->divisor ? 1 : numpool_count(&job->h, first + r, job->count_padding);
        char *at = to + f->before * ACC_SIZE;
        FN(clear)(to, f->before);
        for (ptrdiff_t c = f->first, next; c < f->last; c = next) { /* columns with one divisor together */
            next = !f->dense ? c + 1 : f->divisor ? f->last
                   : c >= inner && c < outer ? numpool_min(outer, f->last) : c + 1;
            FN(share)(at, grad + c * y->pixel, (next - c) * f->lanes,
                      f->divisor ? f->divisor : high * numpool_count(&job->w, c, job->count_padding), f->end, y->row);
            at += (next - c) * f->lanes * ACC_SIZE;
        }
        FN(clear)(at, f->after);
    }
}

/* --- rows of pixels shorter than a vector ------------------------------------------------------------------------ */

typedef SIGNED(ACC_SIZE) FN(places) __attribute__((vector_size(VECTOR_BYTES)));

/* How a row of shares becomes a row of sums, or of grad_input, vector by vector. An element sums the shares of `taps`
 * windows, the last one that holds it first, or of one fewer: then its last tap is -0, which changes no sum. */
typedef struct {
    ptrdiff_t rows;         /* of grad_input that make such a row: 1, or all of a plane */
    ptrdiff_t taps, step;   /* step: bytes from a window to the one before */
    ptrdiff_t vectors, period;
    FN(places) *all, *last; /* which share an element takes in all taps, and in the last; LANES: none. Alike after `period` */
    ptrdiff_t *from;        /* of each vector: bytes to the shares that its first tap takes */
} FN(table);

/* Lays out a table (NULL: only asks for its room). Returns its bytes. */
static ptrdiff_t FN(make_table)(FN(table) *t, const numpool_job *job, const FN(frame) *f, ptrdiff_t rows, char *scratch)
{
    t->rows = rows;
    t->taps = (job->w.kernel - 1) / job->w.stride + 1;
    t->step = -f->lanes * ACC_SIZE;
    t->vectors = (rows * f->n + LANES - 1) / LANES;
    for (t->period = 1; t->period < t->vectors; t->period++)
        if (rows == 1 && t->period * LANES % (job->w.stride * f->lanes) == 0)
            break;
    t->all = (FN(places) *)(void *)scratch;
    t->last = t->all + t->period;
    t->from = (ptrdiff_t *)(void *)(t->last + t->period);
    return 2 * t->period * VECTOR_BYTES + FN(piece)(t->vectors * sizeof *t->from);
}

/* Fills in vector v. Returns 0 where it would take shares from too far apart. */
static int FN(fill_vector)(const FN(table) *t, const numpool_job *job, const numpool_tile *tile, const FN(frame) *f,
                           ptrdiff_t v)
{
    const numpool_axis *h = &job->h, *w = &job->w;
    const ptrdiff_t start = (tile->col0 + w->before) % w->stride, left = (tile->col0 + w->before) / w->stride - f->left;
    const ptrdiff_t most = (w->kernel - 1) / w->stride + 1, rest = (w->kernel - 1) % w->stride; /* as windows_at */
    ptrdiff_t row = v * LANES / f->n, column = v * LANES % f->n / f->lanes, lane = v * LANES % f->lanes;
    ptrdiff_t at = (start + column) % w->stride, window = (start + column) / w->stride + left;
    ptrdiff_t low = PTRDIFF_MAX, high = 0, share[LANES], windows[LANES], base = -1;
    for (int i = 0; i < LANES; i++) {
        if (i == 0 || (column == 0 && lane == 0)) { /* of the row: where its shares start; -1: it has none */
            const ptrdiff_t y = t->rows > 1 ? row + h->before : 0;
            base = row < t->rows && y / h->stride < h->out && (t->rows == 1 || y % h->stride < h->kernel)
                       ? y / h->stride * (f->pitch / ACC_SIZE) : -1;
        }
        windows[i] = base < 0 ? 0 : at <= rest ? most : most - 1;
        share[i] = base + window * f->lanes + lane;
        if (windows[i]) {
            low = numpool_min(low, share[i]);
            high = numpool_max(high, share[i]);
        }
        if (++lane < f->lanes)
            continue;
        lane = 0;
        if (++at == w->stride) {
            at = 0;
            window++;
        }
        if (++column == f->cols) {
            column = 0;
            row++;
            at = start;
            window = left;
        }
    }
    t->from[v] = high < low ? 0 : low * ACC_SIZE;
    for (int i = 0; i < LANES; i++) {
        t->all[v][i] = windows[i] ? (SIGNED(ACC_SIZE))(share[i] - low) : LANES;
        t->last[v][i] = windows[i] == t->taps ? t->all[v][i] : LANES;
    }
    return high - low < LANES;
}

static int FN(fill_table)(const FN(table) *t, const numpool_job *job, const numpool_tile *tile, const FN(frame) *f)
{
    for (ptrdiff_t v = 0; v < t->vectors; v++)
        if (v >= t->period)
            t->from[v] = t->from[v - t->period] + t->period * LANES / job->w.stride * ACC_SIZE;
        else if (!FN(fill_vector)(t, job, tile, f, v))
            return 0;
    return 1;
}

ALWAYS_INLINE SUM(vec) FN(none)(ptrdiff_t taps) { return taps > 1 ? -(SUM(vec)){0} : (SUM(vec)){0}; }

ALWAYS_INLINE SUM(vec) FN(taken)(const char *shares, const char *places, SUM(vec) none)
{
    const SUM(vec) x = SUM(load)(shares);
    FN(places) at;
    memcpy(&at, places, sizeof at);
#if defined(__clang__) /* knows no shuffle by a variable */
    SUM(vec) y;
    for (int i = 0; i < LANES; i++)
        y[i] = at[i] < LANES ? x[at[i]] : none[0];
    return y;
#else
    return __builtin_shuffle(x, none, at);
#endif
}

#define TREE_TYPE SUM(vec)
#define STAGE_TYPE SUM(vec)
#define STEP(a, b) ((a) + (b))
#define STEP_STAGE(a, b) STEP(a, b)
#define WIDEN(tree) (tree)
#define PREFETCH PREFETCH_NOT
#define FIRST_VECTOR(p, n) LANES

/* A fold of one vector: src are the places of all taps, dst those of the last. */
#define STAGE take
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ACC_SIZE
#define TAP(p, t, f) FN(taken)(p, (t) < (f)->taps - 1 ? (f)->src : (f)->dst, FN(none)((f)->taps))
#define PUT(d, x, f) SUM(store)(d, x, 0)
#include "fold.h"

/* Sums as they lie in memory. */
#define STAGE down
#define SOURCE_SIZE ACC_SIZE
#define TARGET_SIZE ELEM_SIZE
#define TAP(p, t, f) SUM(load)(p)
#define PUT(d, x, f) FN(put)((f)->job, d, x)
#include "fold.h"
#undef TREE_TYPE
#undef STAGE_TYPE
#undef STEP
#undef STEP_STAGE
#undef WIDEN
#undef PREFETCH
#undef FIRST_VECTOR

/* Vectors [first, last) of a row from a row of shares. */
ALWAYS_INLINE void FN(expand_vectors)(const FN(table) *given, const char *shares, ptrdiff_t first, ptrdiff_t last,
                                      ptrdiff_t taps, int narrow, char *to)
{
    const FN(table) t = *given; /* a copy: stores through char * may not change it */
    for (ptrdiff_t v = first, like = first % t.period; v < last; v++, like = like + 1 == t.period ? 0 : like + 1) {
        const numpool_fold f = {.taps = taps, .src = (const char *)(t.all + like), .dst = (char *)(t.last + like)};
        const SUM(vec) x = FN(take_window)(shares + t.from[v], t.step, taps, &f);
        if (narrow) {
            const SUM(evec) y = FN(narrow)(x);
            memcpy(to, &y, sizeof y);
        } else
            memcpy(to, &x, sizeof x);
        to += narrow ? LANES * ELEM_SIZE : VECTOR_BYTES;
    }
}

/* The same for sums of any number of windows, which are rare: once in the code. */
static __attribute__((noinline)) void FN(expand_many)(const FN(table) *t, const char *shares, ptrdiff_t first, ptrdiff_t last,
                                                      char *to)
{
    FN(expand_vectors)(t, shares, first, last, t->taps, 0, to);
}

/* given->rows rows of shares to given->taps rows each, of n elements and given->step bytes apart. The last vector of a row
 * may spill over the next one, below `limit`. `taps`: 0 for any number. */
ALWAYS_INLINE void FN(expand_rows)(const FN(table) *t, const numpool_fold *given, const char *limit, ptrdiff_t taps,
                                   int narrow)
{
    const numpool_fold f = *given;
    const ptrdiff_t size = narrow ? LANES * ELEM_SIZE : VECTOR_BYTES, vectors = t->vectors, last = vectors - 1;
    for (ptrdiff_t r = 0; r < f.rows; r++)
        for (ptrdiff_t i = 0; i < f.taps; i++) {
            const char *shares = f.src + r * f.src_pitch;
            char *to = f.dst + r * f.dst_pitch + i * f.step;
            if (limit - to >= vectors * size) {
                if (taps)
                    FN(expand_vectors)(t, shares, 0, vectors, taps, narrow, to);
                else
                    FN(expand_many)(t, shares, 0, vectors, to);
            } else {
                char copy[VECTOR_BYTES] __attribute__((aligned(64)));
                if (taps) {
                    FN(expand_vectors)(t, shares, 0, last, taps, narrow, to);
                    FN(expand_vectors)(t, shares, last, vectors, taps, narrow, copy);
                } else {
                    FN(expand_many)(t, shares, 0, last, to);
                    FN(expand_many)(t, shares, last, vectors, copy);
                }
                memcpy(to + last * size, copy, (f.n - last * LANES) * (size / LANES));
            }
        }
}

/* To rows of grad_input: of windows that do not meet along a row. */
static void FN(expand)(const FN(table) *t, const numpool_fold *f, const char *limit)
{
    FN(expand_rows)(t, f, limit, 1, 1);
}

/* To rows of sums. */
static void FN(expand_sums)(const FN(table) *t, const numpool_fold *f, const char *limit)
{
    switch (t->taps) {
    case 1: FN(expand_rows)(t, f, limit, 1, 0); break;
    case 2: FN(expand_rows)(t, f, limit, 2, 0); break;
    default: FN(expand_rows)(t, f, limit, 0, 0);
    }
}

/* The row at `to` once more, to the `times` - 1 rows behind it. */
static void FN(repeat)(const numpool_job *job, const FN(frame) *f, char *to, ptrdiff_t times)
{
    const ptrdiff_t bytes = f->n * ELEM_SIZE, pitch = job->x.row;
    for (ptrdiff_t done = 1, some; done < times; done += some) {
        some = bytes < pitch ? 1 : numpool_min(times - done, numpool_min(done, numpool_max(1, SUM_BYTES / bytes)));
        memcpy(to + done * pitch, to, some * bytes);
    }
}

#include "spread.h"
#include "expand.h"
#include "meeting.h"

static ptrdiff_t FN(block)(const numpool_job *job, const numpool_tile *tile, char *scratch)
{
    return (FN(is_spread)(job, tile) ? FN(spread_block) : FN(is_expansion)(job) ? FN(expand_block) : FN(sum_block))(job, tile, scratch);
}
#undef SUM
#undef ACC
#undef ACC_SIZE
#undef LANES
#undef SUM_BYTES
#undef SHARE_BYTES
