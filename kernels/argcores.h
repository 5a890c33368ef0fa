/* The types that argmax compares in. */

/* Windows of at most 3 x 3 taps, as argsmall.h takes them: rows x n of them. Steps and pitches are in bytes. */
typedef struct {
    const char *src;
    ptrdiff_t src_pitch, down, across; /* to the next row of windows; from tap to tap */
    ptrdiff_t taps_y, taps_x, kept;    /* kept: rows of taps that a window shares with the one below */
    ptrdiff_t taps_z, slab, unit_z;    /* of windows over slabs, the same from slab to slab */
    ptrdiff_t rows, n, ahead, further; /* how far to prefetch: the first column of a window, and another */
    ptrdiff_t tap, unit_y, unit_x;     /* tap (t, u) is number tap + t * unit_y + u * unit_x; for u = 0, which may be */
    const char *skipped;               /* padding, it is what stands here more, that of the first tap inside: */
    ptrdiff_t skipped_pitch, skipped_size; /* bytes from row to row (0 where windows keep rows), from element to element */
    char *value, *index;
    ptrdiff_t value_pitch, index_pitch, index_size;
    int positions;            /* the index is a position, else the tap, in index_size bytes: 1, or those of ACC */
    int64_t base, fall, move; /* position of tap 0, and its step from row to row and from element to element */
    ptrdiff_t until, period;  /* rows of the first plane, and of each other one where planes follow each other */
    ptrdiff_t src_jump;       /* between two planes, beyond `src_pitch` */
    int64_t jump;             /* the same of positions, beyond `fall` */
} numpool_small;

/* Bytes of a pixel up to which strips are worth their while for one row of taps out of three; longer ones are read in order. */
#define NUMPOOL_SHORT_PIXEL 128

/* Bytes of padded rows that small windows pack at once: half of the first-level cache. */
#define NUMPOOL_PACKED_SMALL 16384

/* The elements of an array, of which an argmax core knows only what they are compared as. */
typedef struct {
    ptrdiff_t size;
    int comparable;       /* as they lie */
    const void *identity; /* less than any other value, as compared */
    void (*pack)(const numpool_fold *f, const char *end); /* rows to rows of comparable values, see fold.h */
    void (*put_back)(const char *values, char *y, ptrdiff_t n);
} numpool_elements;

/* What all planes of a tile of small windows have in common. */
typedef struct {
    numpool_pixels at;
    ptrdiff_t src_pitch, best_pitch, apart;
    ptrdiff_t rows;    /* that fit into scratch */
    int clipped;       /* windows at the edge have fewer taps; else rows are padded, or nothing is clipped */
    int as_is, direct; /* no packing; results go straight to the output */
    int flat;          /* a row of windows is one row of elements, else the lanes of each window are */
    ptrdiff_t made, pick; /* few lanes at a stride: windows are made at every pixel, this many, and each pick-th taken */
    int offsets;       /* taps are positions from tap 0 */
    int spills;        /* rows shorter than a vector: direct where there is room behind them */
    int tall;          /* planes follow each other and no window is clipped: they go as one */
    ptrdiff_t jump;    /* then, rows that windows leave between two, in bytes */
    char *packed, *best, *skipped;
} numpool_way;

/* How a tile of other windows goes. */
typedef struct {
    ptrdiff_t packed_size;
    ptrdiff_t pitch, apart;           /* of (value, tap) rows: to the next one, and from values to taps */
    ptrdiff_t unit_z, unit_y, unit_x; /* what the next tap's number, or its position, is more */
    int offsets;                      /* taps are positions from tap 0 */
    char *packed, *rows;              /* rows of the image, and of windows across */
    char *best, *other;               /* rows of whole windows; those of another slab */
    int lone;                         /* one column of single lanes: each window is folded down, then across */
    ptrdiff_t columns_apart;
    char *columns;                    /* its (value, tap) columns */
} numpool_large;

/* Where a tile's windows of one row go, and what the position of its plane's first element is. */
typedef struct {
    char *y, *index;
    ptrdiff_t position;
} numpool_target;

static inline numpool_target numpool_target_of(const numpool_job *job, const numpool_tile *tile, ptrdiff_t plane, ptrdiff_t row,
                                               ptrdiff_t size)
{
    return (numpool_target){
        .y = job->y.data + numpool_lead(job, job->y.lead, plane) + row * job->y.row + tile->col0 * job->y.pixel
             + tile->lane0 * size,
        .index = job->index.data + numpool_lead(job, job->index.lead, plane) + row * job->index.row
                 + tile->col0 * job->index.pixel + tile->lane0 * job->index_size,
        .position = numpool_lead(job, job->position.lead, plane)};
}

/* Position of the first lane of tap 0 of a window, wherever it lies. */
static inline ptrdiff_t numpool_origin(const numpool_job *job, const numpool_tile *tile, ptrdiff_t row, ptrdiff_t col)
{
    return (job->deep.first - job->deep.skipped * job->d.step) * job->position.slab
           + numpool_start(&job->h, row) * job->position.row + numpool_start(&job->w, col) * job->position.pixel
           + tile->lane0 * job->position.lane;
}

#define DTYPE float32
#define ACC float
#define ACC_SIZE 4
#define ACC_IS_FLOAT 1
#include "argcore.h"

#define DTYPE float64
#define ACC double
#define ACC_SIZE 8
#define ACC_IS_FLOAT 1
#include "argcore.h"

#define DTYPE int32
#define ACC int32_t
#define ACC_SIZE 4
#define ACC_IS_FLOAT 0
#include "argcore.h"

#define DTYPE int64
#define ACC int64_t
#define ACC_SIZE 8
#define ACC_IS_FLOAT 0
#include "argcore.h"
