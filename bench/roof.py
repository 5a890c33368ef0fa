"""The roof: moving the bytes that a job has to move, at the same residency. No pooling can be much faster.

A job reads its input and writes its output; copying (input + output) / 2 bytes reads and writes as many in sum. Where
the output is next to nothing, reading the input once is the roof."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

import numpy as np

from .timing import loop_timer


def copying(job, copies):
    """name -> timer of that copy, on one thread and on the job's; `copies` pairs of buffers are taken in turn."""
    half = job.nbytes // 2
    pairs = [(np.ones(half, np.uint8), np.ones(half, np.uint8)) for _ in range(copies)]

    def part(where):
        return loop_timer([partial(np.copyto, to[where], of[where]) for to, of in pairs])

    return {f"copy on {n}": shared(part, half, n) for n in {1, job.threads}}


def reading(job, copies):
    """name -> timer of reading the input once, in the two fastest ways that NumPy and Python have."""
    inputs = [np.zeros(job.read_bytes, np.uint8) for _ in range(copies)]

    def part(where):
        return loop_timer([partial(np.maximum.reduce, x[where]) for x in inputs])

    timers = {f"maximum on {n}": shared(part, job.read_bytes, n) for n in {1, job.threads}}
    return timers | {"memchr": loop_timer([partial(x.tobytes().find, b"\1") for x in inputs])}


def shared(part, nbytes, threads):
    """One timer of `part(slice)` for every thread's slice of the bytes, at once."""
    cuts = np.linspace(0, nbytes, threads + 1).astype(int) // 64 * 64
    timers = [part(slice(start, stop)) for start, stop in zip(cuts, [*cuts[1:-1], None])]
    if threads == 1:
        return timers[0]
    pool, barrier = ThreadPoolExecutor(threads - 1), Barrier(threads)

    def start(timer, repeat):
        barrier.wait()
        return timer(repeat)

    def timed(repeat):
        """Every thread works on its part all along, so handing out work costs nothing; the slowest counts."""
        others = [pool.submit(start, timer, repeat) for timer in timers[1:]]
        return max(start(timers[0], repeat), *(other.result() for other in others))

    return timed
