# cython: boundscheck=False, wraparound=False, cdivision=True
"""WORK: blocks that stay in cache, threads, scratch, the choice of level, and the cache of plans.

A `Plan` holds what one kind of call needs: the job (see job.h), the size of its blocks and what its outputs look like.
`run` hands the blocks to the team (team.h); `attempt` runs the plan of a call seen before. This room
knows row ranges and pointers; what arguments mean, and every error but out of memory, belongs to the Python room.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from cython cimport final

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
    enum: NUMPOOL_LEADS, NUMPOOL_PASSES, NUMPOOL_PART, NUMPOOL_SLACK, NUMPOOL_TURNED
    enum: NUMPOOL_SPREAD, NUMPOOL_GATHER, NUMPOOL_SCATTER, NUMPOOL_CHECK, NUMPOOL_BAD, NUMPOOL_FOREIGN
    ctypedef struct numpool_axis:
        # `in` is a word of Cython's own
        ptrdiff_t size "in", out, kernel, stride, step, before, after, passes
        const ptrdiff_t *table
        ptrdiff_t *taps
        ptrdiff_t *gap
        int running
    ctypedef struct numpool_view:
        char *data
        ptrdiff_t *lead
        ptrdiff_t slab, row, pixel
        const char *end
    ctypedef struct numpool_position:
        ptrdiff_t *lead
        ptrdiff_t slab, row, pixel, lane
    ctypedef struct numpool_window:
        ptrdiff_t first, taps, skipped
    ctypedef struct numpool_job:
        numpool_axis d, h, w
        numpool_window deep
        ptrdiff_t lanes, leads
        ptrdiff_t *lead
        numpool_view x, y, index
        ptrdiff_t index_size
        int window_index
        numpool_position position
        int parts, count_padding
        int64_t divisor
        ptrdiff_t out_size
        int out_code
        int gradient "pass"  # a word of Python's own
    ctypedef struct numpool_tile:
        ptrdiff_t row0, row1, col0, col1, lane0, lane1
        const char *limit
    ctypedef ptrdiff_t numpool_block(const numpool_job *, const numpool_tile *, char *) noexcept nogil
    ctypedef struct numpool_kernels:
        const char *dtype
        ptrdiff_t itemsize
        numpool_block *max
        numpool_block *min
        numpool_block *average
        numpool_block *short_average
        numpool_block *wide_average
        numpool_block *average_backward
    ctypedef struct numpool_index_kernels:
        numpool_block *argmax
        numpool_block *argmin
        numpool_block *extremum_backward
    ctypedef struct numpool_turns:
        ptrdiff_t vector_bytes
        void (**turn_in "in")(const char *const *, ptrdiff_t, ptrdiff_t, char *) noexcept nogil  # a word of Python's own
        void (**turn_out "out")(const char *, ptrdiff_t, ptrdiff_t, char *const *, ptrdiff_t) noexcept nogil
    ptrdiff_t numpool_lead(const numpool_job *, const ptrdiff_t *, ptrdiff_t) noexcept nogil

cdef extern from "dispatch.h":
    ctypedef struct numpool_level:
        const char *name
        const numpool_kernels *kernels
        const numpool_index_kernels *index_kernels
        const numpool_turns *turns
        int runs
    int numpool_levels(numpool_level *)
    int NUMPOOL_OPENMP
    int omp_get_max_threads() nogil
    const char *NUMPOOL_COMPILER

cdef extern from "team.h":
    enum: NUMPOOL_RANGE
    ctypedef int numpool_part(void *, ptrdiff_t, ptrdiff_t) noexcept nogil
    int numpool_share(numpool_part *, void *, ptrdiff_t, ptrdiff_t, void *) nogil

cdef extern from "move.h":
    ctypedef struct numpool_move:
        ptrdiff_t planes, count, plane, lanes, size
        const int64_t *index
        const char *source "from"  # a word of Python's own
        char *to
        int gather
        ptrdiff_t parts
    int numpool_move_part(void *, ptrdiff_t, ptrdiff_t) noexcept nogil

numpool_import()

PART = NUMPOOL_PART
PASSES = NUMPOOL_PASSES
LEADS = NUMPOOL_LEADS
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
    return level_list[level_now].turns.vector_bytes


set_level(LEVELS[len(LEVELS) - 1])

# --- dtypes and operations, as the levels' tables list them ----------------------------------------------------------



cdef tuple dtype_names():
    cdef list names = []
    cdef const numpool_kernels *entry = level_list[0].kernels
    while entry.dtype != NULL:
        names.append(entry.dtype.decode())
        entry += 1
    return tuple(names)


DTYPES = dtype_names()

OPERATIONS = (
    "max", "min", "argmax", "argmin", "average", "short_average", "wide_average", "extremum_backward", "average_backward"
)
GRADIENTS = {None: 0, "spread": NUMPOOL_SPREAD, "gather": NUMPOOL_GATHER, "scatter": NUMPOOL_SCATTER}
cdef enum:
    EXTREMUM_BACKWARD = 7  # from here on an operation reads gradients
    MOST_SHARES = 64       # blocks of a pass that goes over whole planes, or over the indices alone
    LEAST_SHARE = 32       # lanes of such a block
    LEAST_GATHERED = 16    # lanes of a block that is gathered: the longest vector, of 4-byte elements


cdef numpool_block *block_of(int level, int dtype, int operation) noexcept nogil:
    cdef const numpool_kernels *k = &level_list[level].kernels[dtype]
    cdef const numpool_index_kernels *indexed = &level_list[level].index_kernels[dtype]
    if operation == 0:
        return k.max
    if operation == 1:
        return k.min
    if operation == 2:
        return indexed.argmax
    if operation == 3:
        return indexed.argmin
    if operation == 4:
        return k.average
    if operation == 5:
        return k.short_average
    if operation == 6:
        return k.wide_average
    if operation == 7:
        return indexed.extremum_backward
    return k.average_backward

# --- OpenMP: how many threads, see threads.py; who they are, see team.h ------------------------------------------------

has_openmp = bool(NUMPOOL_OPENMP)


def omp_max_threads():
    """omp_get_max_threads() of the calling thread; 1 without OpenMP."""
    return omp_get_max_threads()

COMPILER = NUMPOOL_COMPILER.decode()

# --- plans -----------------------------------------------------------------------------------------------------------


cdef void set_axis(numpool_axis *to, dict given) except *:
    to.size, to.out, to.kernel = given["size"], given["out"], given["kernel"]
    to.stride, to.step, to.before, to.after = given["stride"], given["step"], given["before"], given["after"]
    to.passes = len(given["passes"])
    for i, (taps, gap) in enumerate(given["passes"]):
        to.taps[i], to.gap[i] = taps, gap
    to.table = <const ptrdiff_t *><const char *>given["table"] if given["table"] is not None else NULL
    to.running = given["running"]


cdef void set_view(numpool_view *to, tuple given) except *:
    """given: strides of the leads, of a slab, of a row and of a pixel, in bytes."""
    lead, to.slab, to.row, to.pixel = given
    for i, stride in enumerate(lead):
        to.lead[i] = stride


cdef struct Grid:
    ptrdiff_t rows, cols, lanes                    # what the blocks cover
    ptrdiff_t block_rows, block_cols, block_lanes  # the largest block
    ptrdiff_t across, deep, blocks                 # blocks side by side in columns and in lanes; all of them


cdef struct Turned:
    ptrdiff_t lanes                     # planes that go together as the lanes of pixels; 0: none do
    ptrdiff_t planes, groups
    ptrdiff_t pixels, results           # elements of a plane, and of one of the output
    ptrdiff_t size, out_size            # bytes of an element of both
    ptrdiff_t x_bytes, y_bytes, index_bytes  # of scratch that a group's pixels take
    numpool_job lie                     # where planes lie: its leads, and the steps and data of its arrays


cdef struct Work:
    numpool_job job
    numpool_block *block
    Grid grid
    Turned turned
    const numpool_turns *turns
    ptrdiff_t parts  # ranges of blocks, or of groups of planes, one after the other
    bint dense       # rows follow each other in the output
    bint own_tables  # each plane has tables of its own, which follow each other; blocks then keep to a plane
    ptrdiff_t bytes  # of scratch a thread
    char *scratch


cdef void advance(numpool_axis *to, const numpool_axis *base, ptrdiff_t plane) noexcept nogil:
    if base.table != NULL:
        to.table = base.table + 2 * base.out * plane


cdef int run_blocks(const Work *work, numpool_job *job, ptrdiff_t first, ptrdiff_t last, char *scratch) noexcept nogil:
    """Some blocks of a call: rows outermost, then columns, then lanes. Returns what is wrong with the indices."""
    cdef const Grid *grid = &work.grid
    cdef numpool_tile tile
    cdef ptrdiff_t i, plane, slabs = grid.across * grid.deep
    cdef int bad = 0
    tile.limit = NULL
    if work.dense and slabs == 1:  # rows follow each other in the output, up to the next part's first
        tile.limit = job.y.data + min(last * grid.block_rows, grid.rows) * job.y.row
    for i in range(first, last):
        tile.row0 = i // slabs * grid.block_rows
        tile.row1 = min(tile.row0 + grid.block_rows, grid.rows)
        tile.col0 = i // grid.deep % grid.across * grid.block_cols
        tile.col1 = min(tile.col0 + grid.block_cols, grid.cols)
        tile.lane0 = i % grid.deep * grid.block_lanes
        tile.lane1 = min(tile.lane0 + grid.block_lanes, grid.lanes)
        if work.own_tables:
            plane = tile.row0 // (job.h.out * max(job.d.out, 1))
            advance(&job.d, &work.job.d, plane)
            advance(&job.h, &work.job.h, plane)
            advance(&job.w, &work.job.w, plane)
        bad |= <int>work.block(job, &tile, scratch)
    return bad


cdef void move_index(int64_t *index, ptrdiff_t n, int64_t by) noexcept nogil:
    """Positions `by` further; -1 stays."""
    for i in range(n):
        index[i] += by & ~(index[i] >> 63)


cdef void run_group(const Work *work, numpool_job *job, ptrdiff_t group, char *scratch) noexcept nogil:
    """A group of planes: their elements become pixels in scratch, of which the blocks make pixels of results, and those
    become planes again. The last group has the last plane several times, if need be; nothing comes of the others."""
    cdef const Turned *turned = &work.turned
    cdef const numpool_job *lie = &turned.lie
    cdef char *plane[NUMPOOL_TURNED]
    cdef ptrdiff_t i, first = group * turned.lanes, some = min(turned.planes - first, turned.lanes)
    for i in range(turned.lanes):
        plane[i] = lie.x.data + numpool_lead(lie, lie.x.lead, first + min(i, some - 1))
    work.turns.turn_in[turned.size](<const char *const *>plane, turned.pixels, turned.lanes, job.x.data)
    run_blocks(work, job, 0, work.grid.blocks, scratch)
    for i in range(some):
        plane[i] = lie.y.data + numpool_lead(lie, lie.y.lead, first + i)
    work.turns.turn_out[turned.out_size](job.y.data, turned.results, turned.lanes, plane, some)
    if lie.index.data == NULL:
        return
    for i in range(some):
        plane[i] = lie.index.data + numpool_lead(lie, lie.index.lead, first + i)
    work.turns.turn_out[job.index_size](job.index.data, turned.results, turned.lanes, plane, some)
    for i in range(some if not job.window_index else 0):  # lanes were those of the first plane
        move_index(<int64_t *>plane[i], turned.results, numpool_lead(lie, lie.position.lead, first + i))


cdef int run_part(void *given, ptrdiff_t part, ptrdiff_t thread) noexcept nogil:
    """Some blocks, or groups of planes, of a call. Returns what is wrong with the indices."""
    cdef Work *work = <Work *>given
    cdef const Turned *turned = &work.turned
    cdef ptrdiff_t all = turned.groups if turned.lanes else work.grid.blocks
    cdef ptrdiff_t i, first = part * all // work.parts, last = (part + 1) * all // work.parts
    cdef char *scratch = work.scratch + thread * work.bytes
    cdef numpool_job own
    if not turned.lanes and not work.own_tables:
        return run_blocks(work, &work.job, first, last, scratch)
    own = work.job
    if not turned.lanes:
        return run_blocks(work, &own, first, last, scratch)
    own.x.data = scratch
    own.x.end = scratch + turned.x_bytes
    own.y.data = scratch + turned.x_bytes
    own.index.data = own.y.data + turned.y_bytes
    for i in range(first, last):
        run_group(work, &own, i, own.index.data + turned.index_bytes)
    return 0


cdef enum:
    PARTS_A_THREAD = 8  # 4 to 16 are alike: few, so that rows end seldom; many, so that no thread waits long for another


cdef bint overlap(object a, object b):
    """Whether the memory between the first and the last byte of two arrays has anything in common."""
    cdef char *low[2]
    cdef char *high[2]
    cdef int which, i
    for which in range(2):
        array = a if which == 0 else b
        low[which] = high[which] = <char *>numpool_data(array)
        for i in range(numpool_ndim(array)):
            if numpool_strides(array)[i] < 0:
                low[which] += numpool_strides(array)[i] * (numpool_dims(array)[i] - 1)
            else:
                high[which] += numpool_strides(array)[i] * (numpool_dims(array)[i] - 1)
        high[which] += numpool_itemsize(array)
    return low[0] < high[1] and low[1] < high[0]


cdef ptrdiff_t room(ptrdiff_t nbytes) noexcept:
    """So many bytes as a piece of scratch: whole cache lines, and a vector behind them."""
    return (nbytes + NUMPOOL_SLACK + 63) // 64 * 64


cdef class Plan:
    """One kind of call, frozen: its job, its blocks, its outputs.

    Parameters
    ----------
    spec : dict
        See `plan.py`, which fills it.
    """
    cdef numpool_job job
    cdef Turned turned
    cdef int dtype, operation
    cdef ptrdiff_t rows, cols, block_rows, block_cols, block_lanes, x_extent
    cdef readonly ptrdiff_t cost     # bytes read and written
    cdef bint y_dense, own_tables
    cdef readonly tuple outputs      # (shape to allocate, transposition or None, dtype) of each
    cdef numpool_layout results[2]   # the same, as they lie
    cdef readonly dict spec

    def __init__(self, dict spec):
        cdef numpool_job *job = &self.job
        self.spec = spec
        self.dtype = DTYPES.index(spec["dtype"])
        self.operation = OPERATIONS.index(spec["operation"])
        if spec["d"] is not None:
            set_axis(&job.d, spec["d"])
        job.deep.taps = 1
        set_axis(&job.h, spec["h"])
        set_axis(&job.w, spec["w"])
        job.lanes = spec["lanes"]
        job.leads = len(spec["lead"])
        for i, n in enumerate(spec["lead"]):
            job.lead[i] = n
        set_view(&job.x, spec["x"])
        set_view(&job.y, spec["y"])
        if spec["index"] is not None:
            set_view(&job.index, spec["index"])
            job.index_size = spec["index_size"]
            job.window_index = spec["window_index"]
            lead, job.position.slab, job.position.row, job.position.pixel, job.position.lane = spec["position"]
            for i, n in enumerate(lead):
                job.position.lead[i] = n
        job.parts = spec["parts"]
        job.gradient = GRADIENTS[spec["way"]]
        job.count_padding = spec["count_padding"]
        job.divisor = spec["divisor"]
        job.out_code = spec["out_code"]
        job.out_size = spec["out_size"]
        self.rows, self.cols = spec["rows"], spec["cols"]
        self.block_rows, self.block_cols, self.block_lanes = spec["block"]
        self.x_extent = spec["x_extent"]
        self.cost = spec["cost"]
        self.y_dense = spec["y_dense"]
        self.own_tables = spec["own_tables"]
        self.outputs = spec["outputs"]
        if spec["turned"] is not None:
            self.turn(spec["turned"])
        for (shape, axes, dtype), result in zip(self.outputs, range(2)):
            self.lay(&self.results[result], shape, axes or range(len(shape)), dtype)

    cdef int turn(self, dict given) except -1:
        cdef Turned *to = &self.turned
        cdef numpool_job *lie = &to.lie
        to.lanes, to.planes, to.pixels, to.results = given["lanes"], given["planes"], given["pixels"], given["results"]
        to.size, to.out_size = given["size"], given["out_size"]
        to.groups = (to.planes + to.lanes - 1) // to.lanes
        to.x_bytes = room(to.pixels * to.lanes * to.size)
        to.y_bytes = room(to.results * to.lanes * to.out_size)
        to.index_bytes = room(to.results * to.lanes * self.job.index_size)
        lie.leads = len(given["lead"])
        for i, n in enumerate(given["lead"]):
            lie.lead[i] = n
        for i, (x, y, index, position) in enumerate(zip(*given["heads"])):
            lie.x.lead[i], lie.y.lead[i], lie.index.lead[i], lie.position.lead[i] = x, y, index, position
        return 0

    cdef int lay(self, numpool_layout *to, shape, axes, dtype) except -1:
        steps = [dtype.itemsize]
        for n in reversed(shape[1:]):
            steps.insert(0, steps[0] * n)
        to.dtype, to.ndim = <PyObject *>dtype, len(shape)
        for i, axis in enumerate(axes):
            to.dims[i], to.strides[i] = shape[axis], steps[axis]

    cdef Grid grid(self, int gradient, int threads) noexcept:
        """The blocks of the call, or of one pass of an extremum's gradient."""
        cdef const numpool_job *job = &self.job
        cdef Grid grid
        cdef ptrdiff_t lanes
        grid.rows, grid.cols, grid.lanes = self.rows, self.cols, job.lanes
        grid.block_rows, grid.block_cols, grid.block_lanes = self.block_rows, self.block_cols, self.block_lanes
        if self.operation == EXTREMUM_BACKWARD and gradient != NUMPOOL_GATHER:
            planes = self.rows // job.h.size
            grid.block_cols = grid.cols
            if gradient == NUMPOOL_SCATTER:
                grid.block_rows = (planes + MOST_SHARES - 1) // MOST_SHARES * job.h.size
            else:
                grid.rows, grid.cols = planes * job.h.out, job.w.out
            if gradient == NUMPOOL_CHECK:
                grid.block_rows, grid.block_lanes = (grid.rows + MOST_SHARES - 1) // MOST_SHARES, grid.lanes
        grid.block_rows, grid.block_cols = min(grid.block_rows, grid.rows), min(grid.block_cols, grid.cols)
        grid.block_lanes = min(grid.block_lanes, grid.lanes)
        grid.across = (grid.cols + grid.block_cols - 1) // grid.block_cols
        windows = (grid.rows + grid.block_rows - 1) // grid.block_rows * grid.across
        if windows < threads:  # they share the lanes
            lanes = max(LEAST_SHARE, grid.lanes // threads // LEAST_SHARE * LEAST_SHARE)
            if gradient != NUMPOOL_GATHER or not 0 < grid.lanes % lanes < LEAST_GATHERED:
                grid.block_lanes = min(grid.block_lanes, lanes)
        grid.deep = (grid.lanes + grid.block_lanes - 1) // grid.block_lanes
        grid.blocks = windows * grid.deep
        return grid

    cdef ptrdiff_t scratch(self, const numpool_job *job, const Grid *grid) noexcept:
        """Bytes of scratch that the largest block needs."""
        cdef numpool_tile tile
        tile.row0 = tile.col0 = tile.lane0 = 0
        tile.row1, tile.col1, tile.lane1 = grid.block_rows, grid.block_cols, grid.block_lanes
        tile.limit = NULL
        return (
            block_of(level_now, self.dtype, self.operation)(job, &tile, NULL)
            + self.turned.x_bytes + self.turned.y_bytes + self.turned.index_bytes
        )

    def scratch_bytes(self, int threads=1):
        """Bytes of scratch that a thread is given."""
        cdef Grid grid = self.grid(self.job.gradient, threads)
        return self.scratch(&self.job, &grid)

    def scratch_needed(self, int threads=1):
        """The same as each kind of block asks for it: those at the ends of rows, columns and lanes may be smaller."""
        cdef Grid grid = self.grid(self.job.gradient, threads)
        cdef Grid own
        needed = []
        for rows in {grid.block_rows, grid.rows % grid.block_rows or grid.block_rows}:
            for cols in {grid.block_cols, grid.cols % grid.block_cols or grid.block_cols}:
                for lanes in {grid.block_lanes, grid.lanes % grid.block_lanes or grid.block_lanes}:
                    own = grid
                    own.block_rows, own.block_cols, own.block_lanes = rows, cols, lanes
                    needed.append(self.scratch(&self.job, &own))
        return max(needed)

    cdef int run(self, int threads, object x, object y, object index, int gradient) except -1:
        """All blocks of the call, or of one pass of an extremum's gradient. Returns what is wrong with the indices.

        x is what the forward pass reads (a backward pass writes), y what it writes (a backward pass reads)."""
        cdef Work work
        cdef numpool_job *job = &work.job
        cdef ptrdiff_t team, shares
        cdef char *memory
        cdef char *aligned
        cdef int bad
        work.job = self.job
        work.block = block_of(level_now, self.dtype, self.operation)
        work.turned.lanes = 0
        if self.turned.lanes:  # else not worth a copy
            work.turned = self.turned
        work.turns = level_list[level_now].turns
        work.grid = self.grid(gradient, 1 if self.turned.lanes else threads)
        work.dense = self.y_dense
        work.own_tables = self.own_tables
        job.gradient = gradient
        job.x.data = <char *>numpool_data(x) if x is not None else NULL
        job.x.end = job.x.data + self.x_extent
        job.y.data = <char *>numpool_data(y)
        job.index.data = <char *>numpool_data(index) if index is not None else NULL
        work.bytes = (self.scratch(job, &work.grid) + 127) // 64 * 64
        work.turned.lie.x.data, work.turned.lie.y.data, work.turned.lie.index.data = job.x.data, job.y.data, job.index.data
        shares = self.turned.groups if self.turned.lanes else work.grid.blocks
        team = min(threads, shares)
        work.parts = 1 if team == 1 else min(shares, team * PARTS_A_THREAD)
        memory = <char *>malloc(team * (work.bytes + NUMPOOL_RANGE) + 64)
        if memory == NULL:
            raise MemoryError(f"numpool: no memory for {team * work.bytes} bytes of scratch")
        aligned = memory + (64 - <uintptr_t>memory % 64)
        work.scratch = aligned + team * NUMPOOL_RANGE
        with nogil:
            bad = numpool_share(run_part, &work, work.parts, team, aligned)
        free(memory)
        return bad

    def accepts(self, tuple arrays, out):
        """`out` as a tuple where it lies as a new result would and far from the inputs; None: look at it in full."""
        cdef tuple outs = (out,) if len(self.outputs) == 1 else tuple(out) if isinstance(out, (tuple, list)) else ()
        cdef Py_ssize_t i
        if len(outs) != len(self.outputs):
            return None
        for i in range(len(outs)):
            if not numpool_lies(outs[i], &self.results[i]):
                return None
            for b in arrays:
                if overlap(outs[i], b):
                    return None
        if len(outs) == 2 and overlap(outs[0], outs[1]):
            return None
        return outs

    cdef tuple allocate(self):
        if len(self.outputs) == 1:
            return (numpool_new(&self.results[0]),)
        return numpool_new(&self.results[0]), numpool_new(&self.results[1])

    cdef int differentiate(self, tuple arrays, object out, int threads) except -1:
        """The gradient of an extremum. Indices that name places of other windows are rare: only then are
        gradients scattered after all."""
        cdef int bad, gradient = self.job.gradient
        if gradient == NUMPOOL_GATHER and threads == 1 and level_list[level_now].turns.vector_bytes < 64:
            gradient = NUMPOOL_SCATTER  # as fast where vectors are short, but for threads that would share its pixels
        bad = self.run(threads, out, arrays[0], arrays[1], gradient)
        if bad == NUMPOOL_FOREIGN:
            bad = self.run(threads, out, arrays[0], arrays[1], NUMPOOL_SCATTER)
        return bad

    def __call__(self, tuple arrays, outs, int threads):
        return self.perform(arrays, outs, threads)

    cdef object perform(self, tuple arrays, outs, int threads):
        # `outs`: arrays as `outputs` describes, or None: they are made. Returns them, or None when an index names no place
        # of its plane; then nothing was written to a given `outs`.
        cdef bint checked = outs is None
        if checked:
            outs = self.allocate()
        if self.operation < EXTREMUM_BACKWARD:
            self.run(threads, arrays[0], outs[0], outs[1] if len(outs) > 1 else None, 0)
        elif self.operation > EXTREMUM_BACKWARD:
            self.run(threads, outs[0], arrays[0], None, 0)
        elif not checked and self.run(threads, None, arrays[0], arrays[1], NUMPOOL_CHECK):
            return None
        elif self.differentiate(arrays, outs[0], threads):
            return None
        return outs


def move(
    object index, object source, object target, ptrdiff_t positions, ptrdiff_t plane, ptrdiff_t lanes, bint gather,
    int threads
):
    """Move elements by index, see move.h: to `target` (zeros elsewhere), or with `gather` to it from where they point.

    All three lie in C order, `index` is int64; `positions` are those of all planes, times lanes. Without a `target` (None)
    the indices are looked at and nothing is moved. Returns whether every index was -1 or inside its plane; if not, what
    `target` holds is not to be used.
    """
    cdef numpool_move work
    cdef char *memory
    cdef int bad
    cdef ptrdiff_t count = index.size
    if count == 0 or positions == 0:
        return True
    work.planes = positions // (plane * lanes)
    work.count = count // (work.planes * lanes)
    work.plane, work.lanes, work.size, work.gather = plane, lanes, numpool_itemsize(source), gather
    work.index = <const int64_t *>numpool_data(index)
    work.source = <const char *>numpool_data(source)
    work.to = <char *>numpool_data(target) if target is not None else NULL
    threads = min(threads, <int>min(work.planes, 1024))
    work.parts = 1 if threads == 1 else min(work.planes, threads * PARTS_A_THREAD)
    memory = <char *>malloc(threads * NUMPOOL_RANGE + 64)
    if memory == NULL:
        raise MemoryError(f"numpool: no memory for {threads * NUMPOOL_RANGE} bytes of scratch")
    with nogil:
        bad = numpool_share(numpool_move_part, &work, work.parts, threads, memory + (64 - <uintptr_t>memory % 64))
    free(memory)
    return not bad


cdef object np_dtype = np.dtype

# --- plans found again -----------------------------------------------------------------------------------------------

cdef enum:
    MOST_WORDS = 512  # four arrays of 64 dimensions
    FEW_WORDS = 32    # of a call that is looked for among the recent ones first
    RECENT = 64       # of those
cdef dict plans = {}
cdef list recent = [None] * RECENT


cdef bint plain(tuple args) noexcept:
    """Whether equal means the same for these arguments: 2, 2.0 and True are equal keys of a dict."""
    cdef object a
    for a in args:
        if type(a) is tuple:
            if not plain(<tuple>a):
                return False
        elif not (type(a) is int or a is None or type(a) is str or isinstance(a, (type, np_dtype))):
            return False
    return True


cdef int describe(tuple arrays, Py_ssize_t *words) except -2:
    """What a plan depends on of the arrays, and the level. Returns how many words, -1 where they must be looked at in full."""
    cdef int n = 1, i, ndim
    cdef object a
    words[0] = level_now  # whose vectors decide which planes become lanes
    for a in arrays:
        if not numpool_is_array(a) or not numpool_is_readable(a):
            return -1
        ndim = numpool_ndim(a)
        if n + 2 * ndim + 2 > MOST_WORDS:
            return -1
        words[n] = ndim
        words[n + 1] = numpool_type(a)
        n += 2
        for i in range(ndim):
            words[n + i] = numpool_dims(a)[i]
            words[n + ndim + i] = numpool_strides(a)[i]
        n += 2 * ndim
    return n


cdef object key_of(str operation, tuple args, const Py_ssize_t *words, int n):
    """The key of a plan, or None where the arguments must be looked at in full."""
    if n < 0 or not plain(args):
        return None
    return (operation, args, PyBytes_FromStringAndSize(<const char *>words, n * sizeof(Py_ssize_t)))


@final
cdef class Call:
    """A recent call: found again by the same objects, which costs less than to find equal ones."""
    cdef str operation
    cdef tuple args
    cdef Plan plan
    cdef int n
    cdef Py_ssize_t words[FEW_WORDS]

    cdef bint is_like(self, str operation, tuple args, const Py_ssize_t *words, int n) noexcept:
        cdef Py_ssize_t i
        if self.n != n or self.operation is not operation or len(self.args) != len(args):
            return False
        for i in range(len(args)):
            if self.args[i] is not args[i]:
                return False
        return memcmp(self.words, words, n * sizeof(Py_ssize_t)) == 0


cdef size_t place_of(const Py_ssize_t *words, int n) noexcept:
    cdef size_t mixed = n
    cdef int i
    for i in range(n):
        mixed = (mixed ^ <size_t>words[i]) * <size_t>0x9E3779B97F4A7C15
    return mixed >> 58  # RECENT is 2**6


cdef Plan find(str operation, tuple arrays, tuple args):
    """The plan of an earlier call like this one, or None."""
    cdef Py_ssize_t words[MOST_WORDS]
    cdef int n = describe(arrays, words)
    cdef Call call
    cdef size_t place = 0
    if 0 < n <= FEW_WORDS:
        place = place_of(words, n)
        call = recent[place]
        if call is not None and call.is_like(operation, args, words, n):
            return call.plan
    key = key_of(operation, args, words, n)
    plan = plans.get(key) if key is not None else None
    if plan is not None and n <= FEW_WORDS:
        call = Call.__new__(Call)
        call.operation, call.args, call.plan, call.n = operation, args, plan, n
        memcpy(call.words, words, n * sizeof(Py_ssize_t))
        recent[place] = call
    return plan


def attempt(str operation, tuple arrays, tuple args, out, threads):
    """The results of a call like an earlier one, by its plan; or None, where the call must be looked at in full.

    `threads` says how many a call of so many bytes takes.
    """
    cdef tuple outs = None
    cdef Plan plan = find(operation, arrays, args)
    if plan is None:
        return None
    if out is not None:
        outs = plan.accepts(arrays, out)
        if outs is None:
            return None
    return plan.perform(arrays, outs, threads(plan.cost))


def remember(str operation, tuple arrays, tuple args, Plan plan):
    cdef Py_ssize_t words[MOST_WORDS]
    key = key_of(operation, args, words, describe(arrays, words))
    if key is not None:
        if len(plans) >= 1024:
            forget()
        plans[key] = plan


def forget():
    """Plans are made anew from now on: for tests, which change how they are made."""
    plans.clear()
    recent[:] = [None] * RECENT
