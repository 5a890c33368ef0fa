"""No kernel touches a byte that is not its own: the fuzz of guard.py in a process of its own for each dtype."""

import signal
import sys

import guard
import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="guard pages are made with mprotect, which is POSIX")


def run(*command):
    return guard.run(sys.executable, "-X", "faulthandler", *command)


@pytest.mark.parametrize("dtype", guard.DTYPES)
@pytest.mark.parametrize("threads", guard.THREADS)
def test_guard_pages_hold(threads, dtype):
    child = run(guard.__file__, str(threads), dtype)
    *_, last = child.stdout.splitlines() or ["nothing was printed"]
    assert (child.returncode, last) == (0, "held"), f"exit {child.returncode} in: {last}\n{child.stderr[-3000:]}"


ONE_ROW = """
import itertools, guard, numpy as np, numpool
arena = guard.Arena(4096)
for dtype, side, level in itertools.product(guard.DTYPES, guard.SIDES, numpool.levels()):
    row = arena.place(np.arange(320).reshape(16, 1, 20).astype(dtype), side)
    x = np.broadcast_to(row, (16, 8, 20))
    windows = (2, 1, 1), (2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2)
    for op, window in itertools.product(("max", "min", "avg"), windows):
        pool = getattr(numpool, f"{op}_pool2d")
        with numpool.use_level(level):
            print(level, side, op, *window, dtype, flush=True)
            assert (pool(x, *window) == pool(x.copy(), *window)).all()
print("held")
"""


def test_rows_that_are_one_row_are_not_read_before_it():
    child = run("-c", ONE_ROW)
    *_, last = child.stdout.splitlines() or ["nothing was printed"]
    assert (child.returncode, last) == (0, "held"), f"exit {child.returncode} in: {last}\n{child.stderr[-3000:]}"


@pytest.mark.parametrize("beyond", ("array[-1:].ctypes.data + 4", "array.ctypes.data - 4"))
@pytest.mark.parametrize("access", ("ctypes.c_float.from_address({}).value", "ctypes.memset({}, 0, 1)"))
def test_guard_kills_an_access_just_beyond_the_array(beyond, access):
    side = "start" if "- 4" in beyond else "end"
    code = f"import ctypes, guard; array = guard.Arena().empty((5,), 'float32', {side!r}); "
    assert run("-c", code + access.format("array.ctypes.data")).returncode == 0
    assert run("-c", code + access.format(beyond)).returncode == -signal.SIGSEGV


@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
@pytest.mark.parametrize("view", guard.VIEWS)
@pytest.mark.parametrize("side", guard.SIDES)
def test_guard_places_arrays_flush_and_sees_stray_writes(side, view, layout):
    arena = guard.Arena(4096)
    x = np.arange(2 * 3 * 4 * 5, dtype=np.float16).reshape(2, 3, 4, 5)
    placed = arena.empty(x.shape, x.dtype, side, view, layout)
    placed[...] = x
    start, first = arena.bytes.ctypes.data, placed.ctypes.data  # of the lowest element
    first += sum((n - 1) * step for n, step in zip(placed.shape, placed.strides) if step < 0)
    last = first + sum((n - 1) * abs(step) for n, step in zip(placed.shape, placed.strides)) + placed.itemsize
    assert last == start + arena.bytes.size if side == "end" else first == start
    assert placed.flags.c_contiguous == (view == "whole")
    assert arena.take(placed).tobytes() == x.tobytes()
    stray = first - 1 if side == "end" else last
    arena.bytes[stray - start] = 0
    with pytest.raises(AssertionError, match="1 bytes outside"):
        arena.take(placed)
    placed = arena.place(x, side, view, layout)
    assert (placed == x).all() and np.isnan(arena.used.view(np.float16)).sum() == arena.used.size // 2 - x.size
