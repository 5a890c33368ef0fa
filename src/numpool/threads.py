"""The one place that knows thread counts.

::

    num_threads(n)  else  set_num_threads(n)  else  the default: OpenMP's number (OMP_NUM_THREADS, CPU affinity),
                               |                    no more than the cgroup's CPU quota
                               v
                        get_num_threads    <---     OpenMP's limit for the calling thread (threadpoolctl)
                               |
                               v
    a pooling call  --->  plan_threads     <---     the bytes that the call touches; OpenMP absent; a forked child
                               |
                               v
                     a count for the kernels

The kernels run with the number that they are given and ask nobody else.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from math import ceil
from pathlib import Path, PurePosixPath

from numpool import _kernels
from numpool.arguments import integer

# No call gains from more than this.
MOST_THREADS = 1024

_context_threads: ContextVar[int | None] = ContextVar("numpool_num_threads", default=None)
_chosen_threads: int | None = None

# Bytes a thread below which another is not worth calling: to wake one takes a third of such a call (bench/README.md).
_min_bytes = 256 * 1024
# Below twice that no second thread can get its share: small calls need not even ask.
_kernels.set_alone_below(2 * _min_bytes)

# A forked child has the lists and locks of its parent's team (kernels/team.h), in any state, but none of its threads.
_forked = False


def _after_fork_in_child() -> None:
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def _v2_quota(directory: Path) -> float | None:
    """CPUs granted by a cgroup v2 directory: cpu.max is "200000 100000" or "max 100000"."""
    quota, period = (directory / "cpu.max").read_text().split()
    return None if quota == "max" else int(quota) / int(period)


def _v1_quota(directory: Path) -> float | None:
    """CPUs granted by a cgroup v1 directory; a quota of -1 is no limit."""
    quota = int((directory / "cpu.cfs_quota_us").read_text())
    return None if quota <= 0 else quota / int((directory / "cpu.cfs_period_us").read_text())


def cpu_quota(root: str | os.PathLike[str] = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> float | None:
    """CPUs that the cgroups of this process grant it.

    Parameters
    ----------
    root : path
        Where the cgroup file systems are mounted.
    membership : path
        The file that names this process's cgroups, a line each: ``id:controllers:path``.

    Returns
    -------
    float or None
        The least quota over the process's own cgroup and its parents, version 2 (``cpu.max``) and version 1
        (``cpu.cfs_quota_us`` over ``cpu.cfs_period_us``); None where nothing limits it.
    """
    top = Path(root)
    # The mount's root is always asked: inside a container it is the container's own cgroup, whatever path is named.
    places = {(_v2_quota, top), (_v1_quota, top / "cpu"), (_v1_quota, top / "cpu,cpuacct")}
    try:
        lines = Path(membership).read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        hierarchy, controllers, path = line.split(":", 2)
        if hierarchy == "0":
            reader, mounts = _v2_quota, [top, top / "unified"]
        elif "cpu" in controllers.split(","):
            reader, mounts = _v1_quota, [top / "cpu", top / controllers]
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        places.update((reader, mount / part) for mount in mounts for part in (group, *group.parents))
    quotas = []
    for reader, directory in places:
        try:
            quota = reader(directory)
        except (OSError, ValueError, ZeroDivisionError):  # absent or unreadable: it limits nothing that we can know
            continue
        if quota is not None:
            quotas.append(quota)
    return min(quotas, default=None)


def _default_threads(omp_max: int, quota: float | None) -> int:
    """What OpenMP would take (it reads OMP_NUM_THREADS and the CPU affinity), no more than the quota can feed."""
    return max(1, omp_max if quota is None else min(omp_max, ceil(quota)))


_omp_at_import: int = _kernels.omp_max_threads()
_at_import = _default_threads(_omp_at_import, cpu_quota())


def set_num_threads(n: int) -> None:
    """Set the largest number of threads that a pooling call may take, for the whole process.

    Parameters
    ----------
    n : int
        At least 1. More than the machine has CPUs is allowed, and slow.

    Raises
    ------
    TypeError
        `n` is not an integer.
    ValueError
        `n` is less than 1.

    See Also
    --------
    num_threads : the same for one block of code in one Python thread.
    get_num_threads : the number in force.

    Notes
    -----
    Before the first call the number is the least of what OpenMP offers (``OMP_NUM_THREADS``, CPU affinity) and the
    cgroup's CPU quota, rounded up. Results do not depend on the number of threads, to the last bit.

    Examples
    --------
    >>> import numpool
    >>> before = numpool.get_num_threads()
    >>> numpool.set_num_threads(1)
    >>> numpool.get_num_threads()
    1
    >>> numpool.set_num_threads(before)
    """
    global _chosen_threads
    _chosen_threads = integer("the number of threads", n, 1)


def get_num_threads() -> int:
    """The largest number of threads that a pooling call made here may take.

    Returns
    -------
    int
        The number of the innermost `num_threads` block, else that of `set_num_threads`, else the default; no more
        than the calling thread's OpenMP limit where that was changed since the import (threadpoolctl,
        ``omp_set_num_threads``).

    See Also
    --------
    set_num_threads : sets it for the process.
    num_threads : sets it for a block.

    Notes
    -----
    Calls that touch little memory, calls in a forked child and builds without OpenMP run on one thread, whatever
    the number.

    Examples
    --------
    >>> import numpool
    >>> numpool.get_num_threads() >= 1
    True
    """
    wanted = _context_threads.get()
    if wanted is None:
        wanted = _at_import if _chosen_threads is None else _chosen_threads
    omp_now: int = _kernels.omp_max_threads()
    return wanted if omp_now == _omp_at_import or omp_now >= wanted else max(1, omp_now)


def num_threads(n: int) -> AbstractContextManager[None]:
    """Context manager: inside the block a pooling call takes at most `n` threads.

    Parameters
    ----------
    n : int
        At least 1.

    Returns
    -------
    context manager
        It restores the number that was in force before. Blocks may be nested; the innermost counts. It also works
        as a decorator of a function.

    Raises
    ------
    TypeError
        `n` is not an integer.
    ValueError
        `n` is less than 1.

    See Also
    --------
    set_num_threads : sets the number for the whole process.

    Notes
    -----
    The number is held in a `contextvars.ContextVar`: it belongs to the calling Python thread or asyncio task, and
    other threads do not see it.

    Examples
    --------
    >>> import numpy as np
    >>> import numpool
    >>> with numpool.num_threads(1):
    ...     numpool.get_num_threads()
    1
    """
    return _threads_within(integer("the number of threads", n, 1))


@contextmanager
def _threads_within(count: int) -> Iterator[None]:
    token = _context_threads.set(count)
    try:
        yield
    finally:
        _context_threads.reset(token)


@contextmanager
def min_bytes_per_thread(nbytes: int) -> Iterator[None]:
    """Inside the block a call takes another thread for every `nbytes` bytes (for the whole process).

    A hook for tests: 1 splits even tiny arrays among threads.
    """
    global _min_bytes
    before, _min_bytes = _min_bytes, nbytes
    _kernels.set_alone_below(2 * nbytes)
    try:
        yield
    finally:
        _min_bytes = before
        _kernels.set_alone_below(2 * before)


def plan_threads(nbytes: int) -> int:
    """How many threads a call that touches `nbytes` bytes takes."""
    if nbytes < 2 * _min_bytes or _forked or not _kernels.has_openmp:
        return 1
    return min(get_num_threads(), nbytes // _min_bytes, MOST_THREADS)
