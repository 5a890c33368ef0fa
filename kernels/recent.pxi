# Plans found again: `pool` runs that of a call seen before.

cdef object np_dtype = np.dtype

cdef enum:
    MOST_WORDS = 1 + MOST_SOURCES * (2 + 2 * 64)  # the level; of each array its rank, type, shape and strides
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


cdef object in_full = None      # makes the results of all other calls: is told the plan, if there is one, and whether it failed
cdef object threads_for = None  # how many threads a call of so many bytes takes
cdef ptrdiff_t alone_below = 0  # bytes below which it is one


def set_callbacks(looks_in_full, says_threads):
    """The Python room's functions for what is not known here."""
    global in_full, threads_for
    in_full, threads_for = looks_in_full, says_threads


def set_alone_below(ptrdiff_t nbytes):
    """A call of fewer bytes takes one thread; of others `threads_for` knows."""
    global alone_below
    alone_below = nbytes


def pool(str operation, tuple arrays, tuple args, out):
    """The results of every pooling call: by the plan of an earlier one like it, or else as `in_full` makes them."""
    cdef tuple outs = None
    cdef object results = None
    cdef bint ran
    cdef Plan plan = find(operation, arrays, args)
    if plan is not None and out is not None:
        outs = plan.accepts(arrays, out)
    ran = plan is not None and (out is None or outs is not None)
    if ran:
        results = plan.perform(arrays, outs, 1 if plan.cost < alone_below else threads_for(plan.cost))
    return in_full(operation, arrays, args, out, plan, ran) if results is None else results


def remember(str operation, tuple arrays, tuple args, Plan plan):
    cdef Py_ssize_t words[MOST_WORDS]
    key = key_of(operation, args, words, describe(arrays, words))
    if key is not None and len(arrays) <= MOST_SOURCES:
        if len(plans) >= 1024:
            forget()
        plan.know(arrays)
        plans[key] = plan


def forget():
    """Plans are made anew from now on: for tests, which change how they are made."""
    plans.clear()
    recent[:] = [None] * RECENT
