/* What the Cython room hands to the C room: one job (the same for every block of a call) and one tile (a block).
   Counts are in pixels, rows or lanes; the steps of a view are in bytes, those of a position in what an index counts. */
#ifndef NUMPOOL_JOB_H
#define NUMPOOL_JOB_H
#include <stddef.h>
#include <stdint.h>

#ifndef __GNUC__
#error "numpool needs GCC or clang: its kernels are written in their vector types"
#endif

/* A wide window in passes: each folds `taps` results of the one before, `gap` positions apart. */
typedef struct {
    ptrdiff_t taps, gap;
} numpool_pass;

/* Output i of an axis reads the taps i*stride - before + j*step for j < kernel that lie in [0, in); where there is a
   table, table[2*i + 1] taps from table[2*i] on, which all exist. */
typedef struct {
    ptrdiff_t in, out, kernel, stride, step, before, after;
    const ptrdiff_t *table; /* then n windows cover at most (n - 1)*stride + kernel positions */
    ptrdiff_t passes; /* 1: all taps at once */
    const numpool_pass *pass;
    int running; /* windows as two running folds, or sums that roll, see running.h */
} numpool_axis;

typedef struct {
    ptrdiff_t first, taps, skipped; /* input position of the first tap inside, how many are, how many lie before them */
} numpool_window;

/* An array as (lead axes..., slab, row, pixel, lane): the lanes of one pixel are adjacent. */
typedef struct {
    char *data;
    const ptrdiff_t *lead;
    ptrdiff_t slab, row, pixel;
    const char *end; /* of x alone: one past the last byte that belongs to it */
} numpool_view;

/* A position in an index convention is the sum of lead*index, slab*d, row*h, pixel*w and lane*c. */
typedef struct {
    const ptrdiff_t *lead;
    ptrdiff_t slab, row, pixel, lane;
} numpool_position;

typedef struct {
    numpool_axis d;      /* windows over slabs: the innermost lead counts those of the output; d.out = 0: there are none */
    numpool_window deep; /* the window of the slab at hand: without slabs, one tap */
    numpool_axis h, w;
    ptrdiff_t lanes;
    ptrdiff_t leads;
    const ptrdiff_t *lead; /* how many there are along each leading axis */
    numpool_view x;       /* what a forward pass reads, a backward pass writes */
    numpool_view y;       /* what a forward pass writes, a backward pass reads */
    numpool_view index;   /* what argmax writes, and the gradient of an extremum reads */
    ptrdiff_t index_size; /* bytes of one index */
    int window_index;     /* the index is the tap number; else `position` says what it is */
    numpool_position position;
    int slabs_first;   /* windows over slabs are folded before those over rows and columns (deep.h), not after them */
    int across_first;  /* windows are folded across rows before they are down columns (crosswise.h) */
    int lone;          /* one window a row of single lanes, whose taps are added as if they were rows (lone.h) */
    int apart;         /* windows with indices that share few taps or none: whole vectors of lanes, tap after tap (argsmall.h) */
    int parts;         /* windows too wide for a scratch row: folded in parts, one output column a tile */
    int count_padding; /* the divisor counts padding */
    int64_t divisor;   /* 0: the number of taps in the window */
    ptrdiff_t out_size; /* average: bytes of an output element */
    int out_code;      /* average: the result's number type, one of enum numpool_out */
    int gradient;      /* of an extremum: how it is made, one of enum numpool_gradient */
    int moves;         /* values go to their places as they are, -0 too: unpooling, and no sum */
} numpool_job;

/* A block: output rows (input rows in a backward pass) of all planes in one count, columns and lanes. */
typedef struct {
    ptrdiff_t row0, row1, col0, col1, lane0, lane1;
    const char *limit; /* whole vectors may be stored below this address: later rows of the same part overwrite them */
} numpool_tile;

enum numpool_out {
    OUT_FLOAT16, OUT_BFLOAT16, OUT_FLOAT32, OUT_FLOAT64,
    OUT_INT8, OUT_INT16, OUT_INT32, OUT_INT64, OUT_UINT8, OUT_UINT16, OUT_UINT32, OUT_UINT64
};

/* How the gradient of an extremum is made, see extremum_backward.h; and what its blocks return of the indices. */
enum numpool_gradient { NUMPOOL_TILES, NUMPOOL_GATHER, NUMPOOL_SCATTER, NUMPOOL_CHECK };
enum { NUMPOOL_BAD = 1, NUMPOOL_FOREIGN = 2 }; /* names no place of its plane; or no tap of its window */

/* Works on one tile; scratch is private to the thread. Returns 0, or what is wrong with the indices.
 * Without scratch (NULL) it does nothing and returns how many bytes of it the tile needs. */
typedef ptrdiff_t numpool_block(const numpool_job *job, const numpool_tile *tile, char *scratch);

/* Elements moved by index, see move.h. Arrays lie without gaps as (planes, positions, lanes). */
typedef struct {
    ptrdiff_t planes, count, plane, lanes, size; /* indices a plane and lane; positions a plane; bytes of an element */
    const int64_t *index;
    const char *from;
    char *to; /* NULL: the indices are looked at and nothing is moved */
    int gather;
    ptrdiff_t parts;
} numpool_move;

/* What a level has besides blocks: elements that move and stay what they are. Planes of n elements as the lanes of pixels, and
 * back, by the bytes of an element (planes.h); one part of a numpool_move, as team.h hands them out. */
typedef struct {
    ptrdiff_t vector_bytes;
    void (*in[9])(const char *const *plane, ptrdiff_t n, ptrdiff_t lanes, ptrdiff_t ahead, char *to);
    void (*out[9])(const char *from, ptrdiff_t n, ptrdiff_t lanes, char *const *plane, ptrdiff_t planes);
    int (*by_index)(void *move, ptrdiff_t part, ptrdiff_t thread);
} numpool_movers;

/* What a level has for each dtype, in three tables of one order; NULL: no such operation on this dtype. */
typedef struct {
    const char *dtype;
    numpool_block *max, *min;
} numpool_extremum_kernels;
typedef struct {
    numpool_block *average, *short_average, *wide_average, *average_backward;
} numpool_average_kernels;
typedef struct {
    numpool_block *argmax, *argmin, *extremum_backward;
} numpool_index_kernels;

/* A divisor; where it is a power of two, 1 / divisor, by which a sum is multiplied; else 0. */
typedef struct {
    int64_t divisor;
    float factor;
} numpool_by;

static inline numpool_by numpool_by_of(int64_t divisor)
{
    return (numpool_by){divisor, divisor > 0 && (divisor & (divisor - 1)) == 0 ? 1 / (float)divisor : 0};
}

/* One stage: see fold.h. Pitches and step are in bytes. */
typedef struct {
    char *dst;
    ptrdiff_t dst_pitch;
    const char *src;
    ptrdiff_t src_pitch, step, taps, rows, n;
    ptrdiff_t dst_apart, src_apart; /* from the first to the second plane of a two-part accumulator */
    ptrdiff_t first_tap, tap_weight; /* argmax: tap number = tap_weight * (first_tap + t) */
    numpool_by by; /* average: see quotient.h */
    const numpool_job *job;
    ptrdiff_t fresh; /* how many of the last taps are worth a prefetch: no earlier output row has read them; or whether all are */
} numpool_fold;

/* Two of the longest vectors of any level: scratch rows have this much room behind them, for loads at stride 2 and for
 * accumulators in two parts. */
#define NUMPOOL_SLACK 128

/* Bytes of a pixel whose lanes were planes: the longest vector, so that its lanes fill one at every level. */
#define NUMPOOL_TURNED 64

/* Bytes of an array that is taken to be in the second-level cache: a prefetch would cost more than it gives. */
#define NUMPOOL_NEAR (512 * 1024)

/* And from which on the next strip of planes is fetched while one is turned. */
#define NUMPOOL_FAR (4 * 1024 * 1024)

/* And from which on it is taken to be in no cache. */
#define NUMPOOL_BEYOND (8 * 1024 * 1024)

/* Vectors of a row of windows from which those beside the image may go by themselves. */
#define NUMPOOL_ALONG 8


/* Most taps along an axis of windows of planes that go as one long row (flat.h), and most bytes of their masks and of their
 * sums: both stay in the first-level cache. */
#define NUMPOOL_FLAT_TAPS 7
#define NUMPOOL_FLAT_MASKS (16 * 1024)

/* Rows of small windows with indices that go downwards in one strip: all their input, a few pages apart, stays there too. */
#define NUMPOOL_SMALL_ROWS 8

/* A window of more taps than this on an axis is folded in parts. */
#define NUMPOOL_PART 512

/* Taps beyond which a window is folded eight rows after eight, each from end to end: more would meet in the same few lines of
 * a cache of eight ways where rows lie a page apart. And vectors of a row, below which all of a column stays in a register. */
#define NUMPOOL_TALL 8
#define NUMPOOL_TALL_WIDTH 4
#define NUMPOOL_AHEAD 1024 /* bytes of such a row up to which the next eight are fetched while these are read */

/* Bytes of a row of sums up to which it is filled whole where it has padding. */
#define NUMPOOL_FILLED 512

/* Bytes of padded rows that argmax packs at once: a part of the first-level cache. */
#define NUMPOOL_PACKED 8192
/* Narrow rows, see slide.h: the most units that go down an image together, each number with code of its own; and of 100 windows
 * for which units have room, how many there must be where rows could go another way (measured). */
#define NUMPOOL_NARROW 4
#define NUMPOOL_FIVE_LANES 16 /* lanes of a vector from which on windows of 5 x 5 go so too */
#define NUMPOOL_BUSY(lanes) ((lanes) < 16 ? 88 : 60)
#define NUMPOOL_FIVE_BUSIER 10 /* how many more of windows of 5 x 5 */

/* Vectors of rows of sums that roll at once, as many rows as these have lanes (forward.h). */
#define NUMPOOL_ROLLED 2

/* Vectors of windows with indices that share few taps, which go together tap after tap. */
#define NUMPOOL_APART 4

/* Windows of a unit (pick.h) that are worth two vectors. */
#define NUMPOOL_LEAST_PICKED 3

/* Windows of an output row whose gradients are scattered at once. */
#define NUMPOOL_RUN 2048

/* Windows whose gradients are scattered while a part of the next plane is fetched, and indices that are compared at once. */
#define NUMPOOL_MEANWHILE 16
#define NUMPOOL_TOGETHER 16
/* Planes whose windows take turns where one plane's would wait for each other. */
#define NUMPOOL_IN_TURN 4

/* --- geometry shared by every block ------------------------------------------------------------------------------ */

static inline ptrdiff_t numpool_min(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static inline ptrdiff_t numpool_max(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
/* Ask for bytes that will be written. */
static inline void numpool_fetch(const char *from, ptrdiff_t bytes)
{
    for (ptrdiff_t i = 0; i < bytes; i += 64)
        __builtin_prefetch(from + i, 1);
}

static inline ptrdiff_t numpool_ceil_div(ptrdiff_t a, ptrdiff_t b) { return a <= 0 ? -(-a / b) : (a - 1) / b + 1; }

/* Bytes from one scratch row to the next: short rows lie end to end, long ones start on a cache line. */
static inline ptrdiff_t numpool_pitch(ptrdiff_t bytes) { return bytes <= 64 ? bytes : (bytes + 63) & ~(ptrdiff_t)63; }

/* Input position of tap 0 of window i, which may lie outside. */
static inline ptrdiff_t numpool_start(const numpool_axis *a, ptrdiff_t i)
{
    return a->table ? a->table[2 * i] : i * a->stride - a->before;
}

static inline numpool_window numpool_clip(const numpool_axis *a, ptrdiff_t i)
{
    if (a->table)
        return (numpool_window){a->table[2 * i], a->table[2 * i + 1], 0};
    ptrdiff_t start = i * a->stride - a->before;
    ptrdiff_t skipped = start < 0 ? (-start - 1) / a->step + 1 : 0;
    ptrdiff_t stop = start < a->in ? (a->in - 1 - start) / a->step + 1 : 0; /* first tap behind the end */
    if (skipped > a->kernel) skipped = a->kernel;
    if (stop > a->kernel) stop = a->kernel;
    if (stop < skipped) stop = skipped;
    return (numpool_window){start + skipped * a->step, stop - skipped, skipped};
}

/* a / by for 0 <= a < 2**31, given 1 / by: half a step from the nearest whole quotient, where rounding cannot reach. */
static inline int32_t numpool_quotient(int32_t a, double one_by) { return (int32_t)((a + 0.5) * one_by); }

/* Outputs [first, last) of an axis have all their taps inside, as many as the kernel says, one stride apart. */
static inline void numpool_interior(const numpool_axis *a, ptrdiff_t *first, ptrdiff_t *last)
{
    *first = *last = 0;
    if (a->table)
        return;
    ptrdiff_t room = a->in + a->before - ((a->kernel - 1) * a->step + 1);
    *first = numpool_min(numpool_ceil_div(a->before, a->stride), a->out);
    *last = room < 0 ? *first : numpool_max(*first, numpool_min(room / a->stride + 1, a->out));
}

/* How many positions of window i count in an average's divisor. */
static inline ptrdiff_t numpool_count(const numpool_axis *a, ptrdiff_t i, int padding)
{
    if (a->table)
        return a->table[2 * i + 1];
    ptrdiff_t start = i * a->stride - a->before, stop = start + a->kernel;
    ptrdiff_t low = padding ? -a->before : 0, high = padding ? a->in + a->after : a->in;
    return numpool_max(0, numpool_min(stop, high) - numpool_max(start, low));
}

/* The pixels that the windows [col0, col1) read: padding, pixels of the image from `low` on, padding. */
typedef struct { ptrdiff_t low, left, pixels, right, span; } numpool_pixels;

static inline numpool_pixels numpool_reach(const numpool_axis *w, ptrdiff_t col0, ptrdiff_t col1)
{
    const ptrdiff_t start = numpool_start(w, col0);
    const ptrdiff_t span = w->table ? w->table[2 * col1 - 2] + w->table[2 * col1 - 1] - start
                                    : (col1 - col0 - 1) * w->stride + (w->kernel - 1) * w->step + 1;
    const ptrdiff_t low = numpool_min(numpool_max(start, 0), numpool_max(start + span, 0));
    const ptrdiff_t high = numpool_max(low, numpool_min(start + span, w->in));
    const ptrdiff_t left = numpool_min(low - start, span);
    return (numpool_pixels){low, left, high - low, span - left - (high - low), span};
}

/* The window over slabs of a plane of the output. */
static inline numpool_window numpool_slabs(const numpool_job *job, ptrdiff_t plane)
{
    return job->d.out ? numpool_clip(&job->d, plane % job->d.out) : job->deep;
}

static inline ptrdiff_t numpool_lead(const numpool_job *job, const ptrdiff_t *stride, ptrdiff_t plane)
{
    ptrdiff_t offset = 0;
    for (ptrdiff_t i = job->leads; --i > 0; plane /= job->lead[i])
        offset += plane % job->lead[i] * stride[i];
    return job->leads ? offset + plane * stride[0] : 0;
}
#endif
