# `Plan`: what one kind of call needs, and what runs it.

cdef enum:
    MOST_SHARES = 64       # blocks of a pass that goes over whole planes, or over the indices alone
    LEAST_SHARE = 32       # lanes of such a block
    LEAST_SHARED = 49      # taps of a window from which threads share the lanes of pixels that are scattered to: of smaller
                           # ones so many places are written that their lines move from processor to processor
    MOST_GATHERED_ALONE = 4  # taps of a window up to which one thread gathers as well, by the longest vectors
    LEAST_VECTOR = 16      # lanes of a block that knows only whole vectors: the longest, of 4-byte elements
    MOST_SOURCES = 2       # arrays that a call reads
    LITTLE_SCRATCH = 2048  # bytes that are not worth an allocation


cdef struct Span:
    ptrdiff_t low, high  # of an array's memory: its first byte, and the one behind its last, from where its data starts


cdef Span span_of(object array):
    cdef Span span
    cdef int i
    span.low, span.high = 0, numpool_itemsize(array)
    for i in range(numpool_ndim(array)):
        if numpool_strides(array)[i] < 0:
            span.low += numpool_strides(array)[i] * (numpool_dims(array)[i] - 1)
        else:
            span.high += numpool_strides(array)[i] * (numpool_dims(array)[i] - 1)
    return span


cdef bint meet_in_memory(object a, const Span *of_a, object b, const Span *of_b):
    cdef char *at_a = <char *>numpool_data(a)
    cdef char *at_b = <char *>numpool_data(b)
    return at_a + of_a.low < at_b + of_b.high and at_b + of_b.low < at_a + of_a.high


cdef ptrdiff_t room(ptrdiff_t nbytes) noexcept:
    """So many bytes as a piece of scratch: whole cache lines, and a vector behind them."""
    return (nbytes + NUMPOOL_SLACK + 63) // 64 * 64


cdef class Plan:
    """One kind of call, frozen: its job, its blocks, its outputs.

    Parameters
    ----------
    spec : dict
        What `spec.make_spec` returns, which says what each word is.
    """
    cdef numpool_job job
    cdef Turned turned
    cdef int dtype, operation
    cdef ptrdiff_t rows, cols, block_rows, block_cols, block_lanes, x_extent
    cdef readonly ptrdiff_t cost     # bytes read and written
    cdef ptrdiff_t sharing           # planes that share a table, 0: all
    cdef bint y_dense
    cdef readonly tuple outputs      # (shape to allocate, transposition or None, dtype) of each
    cdef numpool_layout results[2]   # the same, as they lie
    cdef Span result_spans[2]
    cdef Span source_spans[MOST_SOURCES]  # of the arrays of a call that is remembered
    cdef Grid alone                  # the blocks on one thread, and their scratch at this level
    cdef ptrdiff_t alone_bytes
    cdef int level
    cdef readonly dict spec
    cdef public object made          # of a plan that is remembered: what its results are, and how they lie
    cdef list held                   # memory that the job points to

    def __init__(self, dict spec):
        cdef numpool_job *job = &self.job
        self.spec, self.held = spec, []
        self.dtype = DTYPES.index(spec["dtype"])
        self.operation = OPERATIONS.index(spec["operation"])
        if spec["d"] is not None:
            self.set_axis(&job.d, spec["d"])
        job.deep.taps = 1
        self.set_axis(&job.h, spec["h"])
        self.set_axis(&job.w, spec["w"])
        job.lanes = spec["lanes"]
        job.leads, job.lead = len(spec["lead"]), self.hold(spec["lead"])
        self.set_view(&job.x, spec["x"])
        self.set_view(&job.y, spec["y"])
        if spec["index"] is not None:
            self.set_view(&job.index, spec["index"])
            job.index_size = spec["index_size"]
            job.window_index = spec["window_index"]
            lead, job.position.slab, job.position.row, job.position.pixel, job.position.lane = spec["position"]
            job.position.lead = self.hold(lead)
        job.slabs_first = spec["slabs_first"]
        job.across_first = spec["across_first"]
        job.lone = spec["lone"]
        job.apart = spec["apart"]
        job.parts = spec["parts"]
        job.gradient, job.moves = GRADIENTS[spec["gradient"]], spec["moves"]
        job.count_padding = spec["count_padding"]
        job.divisor = spec["divisor"]
        job.out_code = spec["out_code"]
        job.out_size = spec["out_size"]
        self.rows, self.cols = spec["rows"], spec["cols"]
        self.block_rows, self.block_cols, self.block_lanes = spec["block"]
        self.x_extent = spec["x_extent"]
        self.cost = spec["cost"]
        self.y_dense = spec["y_dense"]
        self.sharing = spec["sharing"]
        self.outputs = spec["outputs"]
        if spec["turned"] is not None:
            self.turn(spec["turned"])
        for (shape, axes, dtype), result in zip(self.outputs, range(2)):
            self.lay(&self.results[result], shape, axes or range(len(shape)), dtype)
            self.result_spans[result].low, self.result_spans[result].high = 0, dtype.itemsize * prod(shape)
        self.alone, self.level = self.grid(job.gradient, 1), level_now
        self.alone_bytes = self.scratch(job, &self.alone)

    cdef const ptrdiff_t *hold(self, numbers) except NULL:
        """The numbers in memory that stays as long as the plan: a job is copied each call, and small without them."""
        cdef bytes memory = np.array(numbers, np.intp).tobytes()
        self.held.append(memory)
        return <const ptrdiff_t *><const char *>memory

    cdef int set_axis(self, numpool_axis *to, dict given) except -1:
        to.size, to.out, to.kernel = given["size"], given["out"], given["kernel"]
        to.stride, to.step, to.before, to.after = given["stride"], given["step"], given["before"], given["after"]
        to.passes, to.chain = len(given["passes"]), <const numpool_pass *>self.hold(given["passes"])
        to.table = <const ptrdiff_t *><const char *>given["table"] if given["table"] is not None else NULL
        to.running = given["running"]
        return 0

    cdef int set_view(self, numpool_view *to, tuple given) except -1:
        """given: strides of the leads, of a slab, of a row and of a pixel, in bytes."""
        lead, to.slab, to.row, to.pixel = given
        to.lead = self.hold(lead)
        return 0

    cdef int turn(self, dict given) except -1:
        cdef Turned *to = &self.turned
        cdef numpool_job *lie = &to.lie
        to.lanes, to.planes, to.strips = given["lanes"], given["planes"], given["strips"]
        to.size, to.out_size = given["size"], given["out_size"]
        to.slabs = given["slabs"]
        to.across, to.out_across = given["across"]
        to.groups = given["tables"] * ((to.planes + to.lanes - 1) // to.lanes)
        to.pixels, to.results = given["strip"]
        to.x_bytes = room(to.pixels * to.lanes * to.size)
        to.y_bytes = room(to.results * to.lanes * to.out_size)
        to.index_bytes = room(to.results * to.lanes * self.job.index_size)
        lie.leads, lie.lead = len(given["lead"]), self.hold(given["lead"])
        x, y, index, position = given["heads"]
        lie.x.lead, lie.y.lead = self.hold(x), self.hold(y)
        lie.index.lead, lie.position.lead = self.hold(index), self.hold(position)
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
        cdef ptrdiff_t planes, some, lanes
        grid.rows, grid.cols, grid.lanes = self.rows, self.cols, job.lanes
        grid.block_rows, grid.block_cols, grid.block_lanes = self.block_rows, self.block_cols, self.block_lanes
        if self.operation == EXTREMUM_BACKWARD and gradient != NUMPOOL_GATHER:
            planes = self.rows // job.h.size
            grid.block_cols = grid.cols
            if gradient == NUMPOOL_SCATTER:
                some = (planes + MOST_SHARES - 1) // MOST_SHARES
                if job.lanes == 1:  # whole turns
                    some = (some + NUMPOOL_IN_TURN - 1) // NUMPOOL_IN_TURN * NUMPOOL_IN_TURN
                    some = min(some, (planes + threads - 1) // threads)
                grid.block_rows = some * job.h.size
            else:
                grid.rows, grid.cols = planes * job.h.out, job.w.out
            if gradient == NUMPOOL_CHECK:
                grid.block_rows, grid.block_lanes = (grid.rows + MOST_SHARES - 1) // MOST_SHARES, grid.lanes
        grid.block_rows, grid.block_cols = min(grid.block_rows, grid.rows), min(grid.block_cols, grid.cols)
        grid.block_lanes = min(grid.block_lanes, grid.lanes)
        grid.col_blocks = (grid.cols + grid.block_cols - 1) // grid.block_cols
        windows = (grid.rows + grid.block_rows - 1) // grid.block_rows * grid.col_blocks
        few = gradient == NUMPOOL_SCATTER and job.h.kernel * job.w.kernel < LEAST_SHARED
        if windows < threads and not few:  # they share the lanes
            lanes = max(LEAST_SHARE, grid.lanes // threads // LEAST_SHARE * LEAST_SHARE)
            vectors = gradient == NUMPOOL_GATHER or job.apart
            if not vectors or not 0 < grid.lanes % lanes < LEAST_VECTOR:
                grid.block_lanes = min(grid.block_lanes, lanes)
        grid.lane_blocks = (grid.lanes + grid.block_lanes - 1) // grid.block_lanes
        grid.blocks = windows * grid.lane_blocks
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

    cdef bytes windows_of(self, object lengths):
        """The table of windows of a call that brings one length a sample, or None where one is no number of steps."""
        cdef const char *given = <const char *>numpool_data(lengths)
        cdef Py_ssize_t n = numpool_dims(lengths)[0], step = numpool_strides(lengths)[0], i
        cdef ptrdiff_t most = self.job.h.size if self.job.h.table != NULL else self.job.w.size, length
        cdef bytes table = PyBytes_FromStringAndSize(NULL, 2 * n * sizeof(ptrdiff_t))
        cdef ptrdiff_t *window = <ptrdiff_t *><char *>table
        for i in range(n):
            length = (<const ptrdiff_t *>(given + i * step))[0]
            if not 0 <= length <= most:
                return None
            window[2 * i], window[2 * i + 1] = 0, length
        return table

    cdef int run(self, int threads, object x, object y, object index, int gradient, bytes table=None) except -1:
        """All blocks of the call, or of one pass of an extremum's gradient. Returns what is wrong with the indices.

        x is what the forward pass reads (a backward pass writes), y what it writes (a backward pass reads); `table` the
        windows of its one irregular axis, where each call brings its own."""
        cdef Work work
        cdef numpool_job *job = &work.job
        cdef ptrdiff_t team, shares
        cdef char little[LITTLE_SCRATCH]
        cdef char *memory
        cdef char *aligned
        cdef int bad
        memcpy(&work.job, &self.job, sizeof(numpool_job))  # an assignment copies it twice
        job.gradient = gradient
        work.block = block_of(level_now, self.dtype, self.operation)
        work.turned.lanes = 0
        if self.turned.lanes:  # else not worth a copy
            memcpy(&work.turned, &self.turned, sizeof(Turned))
        work.movers = level_list[level_now].movers
        if gradient == self.job.gradient and (threads == 1 or self.turned.lanes) and self.level == level_now:
            work.grid, work.bytes = self.alone, self.alone_bytes
        else:
            work.grid = self.grid(gradient, 1 if self.turned.lanes else threads)
            work.bytes = self.scratch(job, &work.grid)
        work.dense = self.y_dense
        work.sharing = self.sharing
        if table is not None and job.h.table != NULL:
            job.h.table = <const ptrdiff_t *><const char *>table
        elif table is not None:
            job.w.table = <const ptrdiff_t *><const char *>table
        job.x.data = <char *>numpool_data(x) if x is not None else NULL
        job.x.end = job.x.data + self.x_extent
        job.y.data = <char *>numpool_data(y)
        job.index.data = <char *>numpool_data(index) if index is not None else NULL
        work.bytes = (work.bytes + 127) // 64 * 64
        work.turned.lie.x.data, work.turned.lie.y.data, work.turned.lie.index.data = job.x.data, job.y.data, job.index.data
        shares = self.turned.groups * self.turned.strips if self.turned.lanes else work.grid.blocks
        team = min(threads, shares)
        work.parts = 1 if team == 1 else min(shares, team * PARTS_A_THREAD)
        memory = little
        if team * (work.bytes + NUMPOOL_RANGE) + 64 > LITTLE_SCRATCH:
            memory = <char *>malloc(team * (work.bytes + NUMPOOL_RANGE) + 64)
        if memory == NULL:
            raise MemoryError(f"numpool: no memory for {team * work.bytes} bytes of scratch")
        aligned = memory + (64 - <uintptr_t>memory % 64)
        work.scratch = aligned + team * NUMPOOL_RANGE
        with nogil:
            bad = numpool_share(run_part, &work, work.parts, team, aligned)
        if memory != little:
            free(memory)
        return bad

    cdef tuple accepts(self, tuple arrays, out):
        """`out` as a tuple where it lies as a new result would and far from the inputs; None: look at it in full."""
        cdef tuple outs = (out,) if len(self.outputs) == 1 else tuple(out) if isinstance(out, (tuple, list)) else ()
        cdef Py_ssize_t i, j
        if len(outs) != len(self.outputs):
            return None
        for i in range(len(outs)):
            if not numpool_lies(outs[i], &self.results[i]):
                return None
            for j in range(len(arrays)):
                if meet_in_memory(outs[i], &self.result_spans[i], arrays[j], &self.source_spans[j]):
                    return None
        if len(outs) == 2 and meet_in_memory(outs[0], &self.result_spans[0], outs[1], &self.result_spans[1]):
            return None
        return outs

    cdef int know(self, tuple arrays) except -1:
        """That later calls have arrays like these."""
        for i, array in enumerate(arrays):
            self.source_spans[i] = span_of(array)
        return 0

    cdef tuple allocate(self):
        if len(self.outputs) == 1:
            return (numpool_new(&self.results[0]),)
        return numpool_new(&self.results[0]), numpool_new(&self.results[1])

    cdef int differentiate(self, tuple arrays, object out, int threads) except -1:
        """The gradient of an extremum. Indices that name places of other windows are rare: only then are
        gradients scattered after all."""
        cdef int bad, gradient = self.job.gradient
        cdef ptrdiff_t taps = self.job.h.kernel * self.job.w.kernel
        short = level_list[level_now].movers.vector_bytes < 64
        if gradient == NUMPOOL_GATHER and threads == 1 and (short or taps > MOST_GATHERED_ALONE):
            gradient = NUMPOOL_SCATTER  # as fast, but for threads that would share its pixels
        bad = self.run(threads, out, arrays[0], arrays[1], gradient)
        if bad == NUMPOOL_FOREIGN and not self.job.moves:
            bad = self.run(threads, out, arrays[0], arrays[1], NUMPOOL_SCATTER)
        return bad

    def __call__(self, tuple arrays, outs, int threads):
        return self.perform(arrays, outs, threads)

    cdef object perform(self, tuple arrays, outs, int threads):
        # `outs`: arrays as `outputs` describes, or None: they are made. Returns them, or None when an index names no place
        # of its plane, or a length none of its steps; then nothing was written to a given `outs`. What only moves also returns
        # None where an index names a tap of another window, after it has written.
        cdef bint checked = outs is None
        if checked:
            outs = self.allocate()
        if self.operation < EXTREMUM_BACKWARD:
            table = None
            if len(arrays) > 1:
                table = self.windows_of(arrays[1])
                if table is None:
                    return None
            self.run(threads, arrays[0], outs[0], outs[1] if len(outs) > 1 else None, 0, table)
        elif self.operation > EXTREMUM_BACKWARD:
            self.run(threads, outs[0], arrays[0], None, 0)
        elif not checked and self.run(threads, None, arrays[0], arrays[1], NUMPOOL_CHECK):
            return None
        elif self.differentiate(arrays, outs[0], threads):
            return None
        return outs
