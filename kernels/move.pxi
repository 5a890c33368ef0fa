# Elements moved by index: unpooling.

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
    threads = <int>min(threads, work.planes)
    work.parts = 1 if threads == 1 else min(work.planes, threads * PARTS_A_THREAD)
    memory = <char *>malloc(threads * NUMPOOL_RANGE + 64)
    if memory == NULL:
        raise MemoryError(f"numpool: no memory for {threads * NUMPOOL_RANGE} bytes of scratch")
    with nogil:
        bad = numpool_share(level_list[level_now].movers.by_index, &work, work.parts, threads, memory + (64 - <uintptr_t>memory % 64))
    free(memory)
    return not bad
