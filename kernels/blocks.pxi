# WORK without the GIL: the blocks of a call, one thread's part after the other (see team.h).

cdef enum:
    PARTS_A_THREAD = 8  # 4 to 16 are alike: few, so that rows end seldom; many, so that no thread waits long for another


cdef struct Grid:
    ptrdiff_t rows, cols, lanes                    # what the blocks cover
    ptrdiff_t block_rows, block_cols, block_lanes  # the largest block
    ptrdiff_t col_blocks, lane_blocks, blocks      # side by side in columns and in lanes; all of them


cdef struct Turned:
    ptrdiff_t lanes                     # planes that go together as the lanes of pixels; 0: none do
    ptrdiff_t planes                    # that have the same windows: groups do not mix them with others
    ptrdiff_t groups, strips            # a group goes strip by strip, each some rows of windows, or all
    ptrdiff_t pixels, results           # of a strip at most: those that it reads, and what it makes
    bint slabs                          # planes have more than rows and columns: they go whole
    ptrdiff_t size, out_size            # bytes of an element of a plane, and of one of the output
    bint across, out_across             # of both: columns, not rows, follow each other
    ptrdiff_t x_bytes, y_bytes, index_bytes  # of scratch that a strip's pixels take
    numpool_job lie                     # where planes lie: its leads, and the steps and data of its arrays


cdef struct Strip:
    ptrdiff_t runs, elements, first, apart  # of each plane: runs of so many elements, where the first and the others start


cdef struct Work:
    numpool_job job
    numpool_block *block
    Grid grid
    Turned turned
    const numpool_movers *movers
    ptrdiff_t parts  # ranges of blocks, or of strips of groups of planes, one after the other
    bint dense       # rows follow each other in the output
    ptrdiff_t sharing  # planes after planes that share a table each, and blocks keep to a plane; 0: all share one
    ptrdiff_t bytes  # of scratch a thread
    char *scratch


cdef void advance(numpool_axis *to, const numpool_axis *base, ptrdiff_t tables) noexcept nogil:
    if base.table != NULL:
        to.table = base.table + 2 * base.out * tables


cdef void advance_tables(numpool_job *job, const Work *work, ptrdiff_t plane) noexcept nogil:
    """To those of a plane."""
    advance(&job.d, &work.job.d, plane // work.sharing)
    advance(&job.h, &work.job.h, plane // work.sharing)
    advance(&job.w, &work.job.w, plane // work.sharing)


cdef int run_blocks(const Work *work, numpool_job *job, ptrdiff_t first, ptrdiff_t last, char *scratch) noexcept nogil:
    """Some blocks of a call: rows outermost, then columns, then lanes. Returns what is wrong with the indices."""
    cdef const Grid *grid = &work.grid
    cdef numpool_tile tile
    cdef ptrdiff_t i, plane, beside = grid.col_blocks * grid.lane_blocks
    cdef int bad = 0
    tile.limit = NULL
    if work.dense and beside == 1:  # rows follow each other in the output, up to the next part's first
        tile.limit = job.y.data + min(last * grid.block_rows, grid.rows) * job.y.row
    for i in range(first, last):
        tile.row0 = i // beside * grid.block_rows
        tile.row1 = min(tile.row0 + grid.block_rows, grid.rows)
        tile.col0 = i // grid.lane_blocks % grid.col_blocks * grid.block_cols
        tile.col1 = min(tile.col0 + grid.block_cols, grid.cols)
        tile.lane0 = i % grid.lane_blocks * grid.block_lanes
        tile.lane1 = min(tile.lane0 + grid.block_lanes, grid.lanes)
        if work.sharing and not work.turned.lanes:
            advance_tables(job, work, tile.row0 // (job.h.out * max(job.d.out, 1)))
        bad = <int>work.block(job, &tile, scratch)
        if bad:  # what was made is of no use
            break
    return bad


cdef void move_index(int64_t *index, ptrdiff_t n, int64_t by) noexcept nogil:
    """Positions `by` further; -1 stays."""
    for i in range(n):
        index[i] += by & ~(index[i] >> 63)


cdef Strip strip_of(bint across, ptrdiff_t low, ptrdiff_t high, ptrdiff_t rows, ptrdiff_t cols) noexcept nogil:
    """The rows [low, high) of planes."""
    cdef Strip strip
    strip.runs, strip.elements, strip.first, strip.apart = 1, (high - low) * cols, low * cols, 0
    if across and high - low < rows:
        strip.runs, strip.elements, strip.first, strip.apart = cols, high - low, low, rows
    return strip


cdef void settle(numpool_view *view, bint across, ptrdiff_t low, ptrdiff_t high, char *memory) noexcept nogil:
    """The rows [low, high) of planes lie as pixels in `memory`."""
    if across:
        view.pixel = (high - low) * view.row
    view.data = memory - low * view.row


cdef char *plane_at(const Turned *turned, const numpool_view *lie, ptrdiff_t plane) noexcept nogil:
    return lie.data + numpool_lead(&turned.lie, lie.lead, plane)


cdef void turn_strip(
    const Work *work, const numpool_view *lie, const Strip *strip, ptrdiff_t size, ptrdiff_t first, ptrdiff_t some,
    char *pixels, ptrdiff_t ahead, bint back
) noexcept nogil:
    """A strip of a group of `some` planes to pixels, or `back` to the planes. The last group has its last plane several
    times, if need be."""
    cdef ptrdiff_t i, run, lanes = work.turned.lanes
    cdef char *plane[NUMPOOL_TURNED]
    for i in range(lanes):
        plane[i] = plane_at(&work.turned, lie, first + min(i, some - 1)) + strip.first * size
    for run in range(strip.runs):
        if back:
            work.movers.turn_out[size](pixels, strip.elements, lanes, plane, some)
        else:
            work.movers.turn_in[size](<const char *const *>plane, strip.elements, lanes, ahead, pixels)
        pixels += strip.elements * lanes * size
        for i in range(lanes):
            plane[i] += strip.apart * size


cdef void run_strip(const Work *work, numpool_job *job, ptrdiff_t number, char *scratch) noexcept nogil:
    """Rows of windows of a group of planes: the elements that they read become pixels in scratch, of which the blocks make
    pixels of results, and those become planes again."""
    cdef const Turned *turned = &work.turned
    cdef const Grid *grid = &work.grid
    cdef const numpool_job *lie = &turned.lie
    cdef ptrdiff_t group = number // turned.strips, part = number % turned.strips
    cdef ptrdiff_t alike = (turned.planes + turned.lanes - 1) // turned.lanes  # groups of planes with the same windows
    cdef ptrdiff_t before = group % alike * turned.lanes, some = min(turned.planes - before, turned.lanes)
    cdef ptrdiff_t first = group // alike * turned.planes + before, beside = grid.col_blocks * grid.lane_blocks
    cdef ptrdiff_t high = grid.blocks // beside  # rows of blocks
    cdef ptrdiff_t block0 = part * high // turned.strips, block1 = (part + 1) * high // turned.strips
    cdef ptrdiff_t row0 = block0 * grid.block_rows, row1 = min(block1 * grid.block_rows, grid.rows)
    cdef ptrdiff_t ahead = 0, i, run
    cdef char *results = scratch + turned.x_bytes
    cdef char *indices = results + turned.y_bytes
    cdef numpool_pixels read
    cdef Strip strip, out
    if work.sharing:
        advance_tables(job, work, first)
    if turned.slabs:
        strip = strip_of(False, 0, 1, 1, turned.pixels)
        out = strip_of(False, 0, 1, 1, turned.results)
        job.x.data, job.y.data, job.index.data = scratch, results, indices
    else:
        read = numpool_reach(&job.h, row0, row1)
        strip = strip_of(turned.across, read.low, read.low + read.pixels, job.h.size, job.w.size)
        out = strip_of(turned.out_across, row0, row1, job.h.out, job.w.out)
        settle(&job.x, turned.across, read.low, read.low + read.pixels, scratch)
        settle(&job.y, turned.out_across, row0, row1, results)
        settle(&job.index, turned.out_across, row0, row1, indices)
    if turned.groups * turned.strips * turned.x_bytes > NUMPOOL_FAR:  # the next strip, or group
        if part + 1 < turned.strips:
            ahead = strip.elements * turned.size
        elif group + 1 < turned.groups:
            ahead = plane_at(turned, &lie.x, first + some) - plane_at(turned, &lie.x, first) - strip.first * turned.size
    turn_strip(work, &lie.x, &strip, turned.size, first, some, scratch, ahead, False)
    run_blocks(work, job, block0 * beside, block1 * beside, indices + turned.index_bytes)
    turn_strip(work, &lie.y, &out, turned.out_size, first, some, results, 0, True)
    if lie.index.data == NULL:
        return
    turn_strip(work, &lie.index, &out, job.index_size, first, some, indices, 0, True)
    if job.window_index:
        return
    for i in range(some):  # lanes were those of the first plane
        for run in range(out.runs):
            move_index(
                <int64_t *>plane_at(turned, &lie.index, first + i) + out.first + run * out.apart, out.elements,
                numpool_lead(lie, lie.position.lead, first + i),
            )


cdef int run_part(void *given, ptrdiff_t part, ptrdiff_t thread) noexcept nogil:
    """Some blocks, or strips of groups of planes, of a call. Returns what is wrong with the indices."""
    cdef Work *work = <Work *>given
    cdef const Turned *turned = &work.turned
    cdef ptrdiff_t all = turned.groups * turned.strips if turned.lanes else work.grid.blocks
    cdef ptrdiff_t i, first = part * all // work.parts, last = (part + 1) * all // work.parts
    cdef char *scratch = work.scratch + thread * work.bytes
    cdef numpool_job own
    if not turned.lanes and not work.sharing:
        return run_blocks(work, &work.job, first, last, scratch)
    own = work.job
    if not turned.lanes:
        return run_blocks(work, &own, first, last, scratch)
    own.x.end = scratch + turned.x_bytes
    for i in range(first, last):
        run_strip(work, &own, i, scratch)
    return 0
