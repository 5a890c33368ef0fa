# WORK without the GIL: the blocks of a call, one thread's part after the other (see team.h).

cdef enum:
    PARTS_A_THREAD = 8  # 4 to 16 are alike: few, so that rows end seldom; many, so that no thread waits long for another


cdef struct Grid:
    ptrdiff_t rows, cols, lanes                    # what the blocks cover
    ptrdiff_t block_rows, block_cols, block_lanes  # the largest block
    ptrdiff_t across, deep, blocks                 # blocks side by side in columns and in lanes; all of them


cdef struct Turned:
    ptrdiff_t lanes                     # planes that go together as the lanes of pixels; 0: none do
    ptrdiff_t planes                    # that have the same windows: groups do not mix them with others
    ptrdiff_t groups
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
        if work.sharing and not work.turned.lanes:
            advance_tables(job, work, tile.row0 // (job.h.out * max(job.d.out, 1)))
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
    cdef ptrdiff_t alike = (turned.planes + turned.lanes - 1) // turned.lanes  # groups of planes with the same windows
    cdef ptrdiff_t before = group % alike * turned.lanes, some = min(turned.planes - before, turned.lanes)
    cdef ptrdiff_t i, first = group // alike * turned.planes + before, pixels = turned.pixels, ahead = 0
    if work.sharing:
        advance_tables(job, work, first)
        if job.h.table != NULL and job.h.out == 1:  # what lies behind the only window is not looked at
            pixels = (job.h.table[0] + job.h.table[1]) * job.w.size
    for i in range(turned.lanes):
        plane[i] = lie.x.data + numpool_lead(lie, lie.x.lead, first + min(i, some - 1))
    if turned.groups * turned.x_bytes > NUMPOOL_FAR and group + 1 < turned.groups:
        ahead = lie.x.data + numpool_lead(lie, lie.x.lead, first + some) - plane[0]
    work.turns.turn_in[turned.size](<const char *const *>plane, pixels, turned.lanes, ahead, job.x.data)
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
    if not turned.lanes and not work.sharing:
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
