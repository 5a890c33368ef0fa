"""The roof: copying the bytes that a job has to move, at the same residency. No pooling can be much faster.

A job reads its input and writes its output; copying (input + output) / 2 bytes reads and writes as many in sum."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import numpy as np

from .timing import loop_timer


def roof(nbytes, copies, threads):
    """A timer of that copy; `copies` pairs of buffers taken in turn, each split among the threads."""
    pairs = [(np.ones(nbytes // 2, np.uint8), np.ones(nbytes // 2, np.uint8)) for _ in range(copies)]
    cuts = np.linspace(0, nbytes // 2, threads + 1).astype(int) // 64 * 64
    parts = [slice(start, stop) for start, stop in zip(cuts, [*cuts[1:-1], None])]
    timers = [loop_timer([partial(np.copyto, to[part], of[part]) for to, of in pairs]) for part in parts]
    if threads == 1:
        return timers[0]
    pool, barrier = ThreadPoolExecutor(threads - 1), Barrier(threads)

    def start(timer, repeat):
        barrier.wait()
        return timer(repeat)

    def timed(repeat):
        """Every thread copies its part all along, so handing out work costs nothing; the slowest counts."""
        others = [pool.submit(start, timer, repeat) for timer in timers[1:]]
        return max(start(timers[0], repeat), *(other.result() for other in others))

    return timed
