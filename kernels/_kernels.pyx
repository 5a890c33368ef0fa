# cython: boundscheck=False, wraparound=False, cdivision=True
"""WORK: blocks that stay in cache, threads, scratch, the choice of level, and the cache of plans.

::

    recent.pxi  a call seen before: its plan  --->  plan.pxi    one kind of call: its job (job.h), blocks, outputs, scratch
                                                      |
    move.pxi    elements moved by index               v
         |                                          blocks.pxi  one thread's part of the blocks, without the GIL
         +--->  team.h: the threads  <--------------- +

This file holds what they share: the words of the C headers, and the levels with their dtypes and operations. This room
knows row ranges and pointers; what arguments mean, and every error but out of memory, belongs to the Python room.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from cython cimport final

from math import prod

import numpy as np

cdef extern from "arrays.h":
    int numpool_import() except -1
    bint numpool_is_array(object)
    bint numpool_is_readable(object)
    ctypedef struct numpool_layout:
        PyObject *dtype
        int ndim
        Py_ssize_t *dims
        Py_ssize_t *strides
    object numpool_new(const numpool_layout *)
    bint numpool_lies(object, const numpool_layout *)
    void *numpool_data(object)
    int numpool_ndim(object)
    Py_ssize_t *numpool_dims(object)
    Py_ssize_t *numpool_strides(object)
    int numpool_type(object)
    Py_ssize_t numpool_itemsize(object)

cdef extern from "job.h":
    enum: NUMPOOL_APART, NUMPOOL_BEYOND, NUMPOOL_FAR, NUMPOOL_FIVE_BUSIER, NUMPOOL_FIVE_LANES, NUMPOOL_FLAT_MASKS, NUMPOOL_FLAT_TAPS, NUMPOOL_IN_TURN, NUMPOOL_LEAST_PICKED, NUMPOOL_NARROW, NUMPOOL_PART, NUMPOOL_SLACK, NUMPOOL_TALL
    enum: NUMPOOL_ROLLED, NUMPOOL_SMALL_ROWS, NUMPOOL_TURNED
    int NUMPOOL_BUSY(int lanes)
    enum: NUMPOOL_TILES, NUMPOOL_GATHER, NUMPOOL_SCATTER, NUMPOOL_CHECK, NUMPOOL_FOREIGN
    ctypedef struct numpool_pass:
        ptrdiff_t taps, gap
    ctypedef struct numpool_axis:
        # `in` is a word of Cython's own
        ptrdiff_t size "in", out, kernel, stride, step, before, after, passes
        const ptrdiff_t *table
        const numpool_pass *chain "pass"  # a word of Python's own
        int running
    ctypedef struct numpool_view:
        char *data
        const ptrdiff_t *lead
        ptrdiff_t slab, row, pixel
        const char *end
    ctypedef struct numpool_position:
        const ptrdiff_t *lead
        ptrdiff_t slab, row, pixel, lane
    ctypedef struct numpool_window:
        ptrdiff_t first, taps, skipped
    ctypedef struct numpool_job:
        numpool_axis d, h, w
        numpool_window deep
        ptrdiff_t lanes, leads
        const ptrdiff_t *lead
        numpool_view x, y, index
        ptrdiff_t index_size
        int window_index
        numpool_position position
        int slabs_first, across_first, lone, apart, parts, count_padding
        int64_t divisor
        ptrdiff_t out_size
        int out_code
        int gradient, moves
    ctypedef struct numpool_tile:
        ptrdiff_t row0, row1, col0, col1, lane0, lane1
        const char *limit
    ctypedef ptrdiff_t numpool_block(const numpool_job *, const numpool_tile *, char *) noexcept nogil
    ctypedef struct numpool_extremum_kernels:
        const char *dtype
        numpool_block *max
        numpool_block *min
    ctypedef struct numpool_average_kernels:
        numpool_block *average
        numpool_block *short_average
        numpool_block *wide_average
        numpool_block *average_backward
    ctypedef struct numpool_index_kernels:
        numpool_block *argmax
        numpool_block *argmin
        numpool_block *extremum_backward
    ctypedef struct numpool_pixels:
        ptrdiff_t low, pixels
    ctypedef struct numpool_move:
        ptrdiff_t planes, count, plane, lanes, size
        const int64_t *index
        const char *source "from"  # a word of Python's own
        char *to
        int gather
        ptrdiff_t parts
    ctypedef struct numpool_movers:
        ptrdiff_t vector_bytes
        void (**turn_in "in")(const char *const *, ptrdiff_t, ptrdiff_t, ptrdiff_t, char *) noexcept nogil  # Python's word
        void (**turn_out "out")(const char *, ptrdiff_t, ptrdiff_t, char *const *, ptrdiff_t) noexcept nogil
        int (*by_index)(void *, ptrdiff_t, ptrdiff_t) noexcept nogil
    ptrdiff_t numpool_lead(const numpool_job *, const ptrdiff_t *, ptrdiff_t) noexcept nogil
    numpool_pixels numpool_reach(const numpool_axis *, ptrdiff_t, ptrdiff_t) noexcept nogil

cdef extern from "dispatch.h":
    ctypedef struct numpool_level:
        const char *name
        const numpool_extremum_kernels *extremum_kernels
        const numpool_average_kernels *average_kernels
        const numpool_index_kernels *index_kernels
        const numpool_movers *movers
        int runs
    int numpool_levels(numpool_level *)
    int NUMPOOL_OPENMP
    int omp_get_max_threads() nogil
    const char *NUMPOOL_COMPILER

cdef extern from "team.h":
    enum: NUMPOOL_RANGE
    ctypedef int numpool_part(void *, ptrdiff_t, ptrdiff_t) noexcept nogil
    int numpool_share(numpool_part *, void *, ptrdiff_t, ptrdiff_t, void *) nogil

numpool_import()

# Constants of both rooms.
BUSY = {lanes: NUMPOOL_BUSY(lanes) for lanes in (2, 4, 8, 16, 32, 64)}
FLAT_MASKS = NUMPOOL_FLAT_MASKS
FLAT_TAPS = NUMPOOL_FLAT_TAPS
FIVE_BUSIER, FIVE_LANES, NARROW = NUMPOOL_FIVE_BUSIER, NUMPOOL_FIVE_LANES, NUMPOOL_NARROW
APART, BEYOND = NUMPOOL_APART, NUMPOOL_BEYOND
LEAST_PICKED = NUMPOOL_LEAST_PICKED
PART = NUMPOOL_PART
ROLLED = NUMPOOL_ROLLED
SMALL_ROWS = NUMPOOL_SMALL_ROWS
TALL = NUMPOOL_TALL
TURNED = NUMPOOL_TURNED

# --- levels ----------------------------------------------------------------------------------------------------------

cdef numpool_level level_list[8]
cdef int level_count = numpool_levels(level_list)
cdef int level_now = 0

BUILT_LEVELS = tuple([level_list[i].name.decode() for i in range(level_count)])
LEVELS = tuple([level_list[i].name.decode() for i in range(level_count) if level_list[i].runs])


def set_level(str name):
    """Calls from now on run the level of this name, one of LEVELS."""
    global level_now
    level_now = BUILT_LEVELS.index(name)


def get_level():
    return BUILT_LEVELS[level_now]


def vector_bytes():
    return level_list[level_now].movers.vector_bytes


set_level(LEVELS[len(LEVELS) - 1])

# --- dtypes and operations, as the levels' tables list them ----------------------------------------------------------


cdef tuple dtype_names():
    cdef list names = []
    cdef const numpool_extremum_kernels *entry = level_list[0].extremum_kernels
    while entry.dtype != NULL:
        names.append(entry.dtype.decode())
        entry += 1
    return tuple(names)


DTYPES = dtype_names()

OPERATIONS = (
    "max", "min", "argmax", "argmin", "average", "short_average", "wide_average", "extremum_backward", "average_backward"
)
GRADIENTS = {None: 0, "tiles": NUMPOOL_TILES, "gather": NUMPOOL_GATHER, "scatter": NUMPOOL_SCATTER}
cdef enum:
    EXTREMUM_BACKWARD = 7  # from here on an operation reads gradients


cdef numpool_block *block_of(int level, int dtype, int operation) noexcept nogil:
    cdef const numpool_extremum_kernels *extremum = &level_list[level].extremum_kernels[dtype]
    cdef const numpool_average_kernels *average = &level_list[level].average_kernels[dtype]
    cdef const numpool_index_kernels *indexed = &level_list[level].index_kernels[dtype]
    if operation == 0:
        return extremum.max
    if operation == 1:
        return extremum.min
    if operation == 2:
        return indexed.argmax
    if operation == 3:
        return indexed.argmin
    if operation == 4:
        return average.average
    if operation == 5:
        return average.short_average
    if operation == 6:
        return average.wide_average
    if operation == 7:
        return indexed.extremum_backward
    return average.average_backward


# --- OpenMP: how many threads, see threads.py; who they are, see team.h ------------------------------------------------

has_openmp = bool(NUMPOOL_OPENMP)


def omp_max_threads():
    """omp_get_max_threads() of the calling thread; 1 without OpenMP."""
    return omp_get_max_threads()


COMPILER = NUMPOOL_COMPILER.decode()

include "blocks.pxi"
include "plan.pxi"
include "move.pxi"
include "recent.pxi"
