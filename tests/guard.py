"""Arrays that touch an unreadable page, and the fuzz that pools them: one byte read or written too far is a crash.

    python guard.py THREADS DTYPE    prints every case before it runs, so the last line names the one that crashed

An arena is a stretch of memory between two pages without any right:

    | no access |  . . . canary . . . [array] | no access |      side "end": the array's last byte is the arena's last
    | no access | [array] . . . canary . . .  | no access |      side "start": its first byte is the arena's first

The array may be whole, a crop of a larger one (which lies flush, so that the crop's last element is the last that may
be read), lie in memory in the other layout's order, or backwards along all axes but the last. What an output does not
cover must keep its canary; around an input lie NaN and the largest integers, which no result can swallow.
"""

import ctypes
import itertools
import mmap
import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np

CANARY, POISON = 0xA5, 0xFF
SIDES = ("end", "start")
THREADS = (1, 3)
VIEWS = ("whole", "crop", "other", "flipped")
INDICES = ("plane", "window", "tensor", "nhwc")
DTYPES = ("uint8", "float16", "float32", "float64")  # one per item size
CHANNELS = (1, 3, 8, 17, 33)

# (kernel, stride, padding, dilation, ceil_mode): every family of loops, and edge windows on each side
GEOMETRIES = (
    (2, 2, 0, 1, False),
    (2, 2, 0, 1, True),
    (2, 1, 0, 1, False),
    ((2, 3), (1, 1), ((0, 1), (2, 0)), 1, False),
    (3, 1, 1, 1, False),
    (3, 2, 1, 1, False),
    (3, 2, 0, 1, True),
    (3, 3, 0, 1, False),
    (4, 2, 1, 1, False),
    (5, 1, 2, 1, False),
    (5, 3, 0, 1, False),
    (5, 2, 2, 1, False),
    (4, 4, 0, 1, False),
    ((2, 1), (2, 1), 0, 1, False),
    (13, 1, 6, 1, False),
    (15, 1, 14, 1, False),  # running sums
    (1, 2, 0, 1, False),  # stride beyond the kernel: most taps are never read
    (3, 7, 1, 1, False),
    ((1, 6), (1, 1), ((0, 0), (0, 5)), 1, False),
    ((6, 1), (1, 2), ((5, 0), (0, 0)), 1, False),
    ((1, 4), (1, 4), ((0, 3), (0, 0)), 1, False),  # rows of windows behind the last row alone
    ((1, 7), (1, 1), ((0, 3), (0, 0)), 1, False),
    (3, 1, 2, 2, False),
    (2, 1, 5, 3, False),  # windows that lie in the padding alone
)


def run(*command, timeout=600):
    """A process of its own, in this folder, finished."""
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=Path(__file__).parent)


def libc_mprotect(address, length, rights):
    mprotect = ctypes.CDLL(None, use_errno=True).mprotect
    mprotect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    if mprotect(address, length, rights):
        raise OSError(ctypes.get_errno(), "mprotect")


class Arena:
    """Memory between two unreadable pages. It holds one array at a time."""

    def __init__(self, nbytes=1 << 20):
        pages = -(-nbytes // mmap.PAGESIZE)
        whole = np.frombuffer(mmap.mmap(-1, (pages + 2) * mmap.PAGESIZE), np.uint8)
        for page in (0, pages + 1):
            libc_mprotect(whole.ctypes.data + page * mmap.PAGESIZE, mmap.PAGESIZE, 0)
        self.bytes = whole[mmap.PAGESIZE : -mmap.PAGESIZE]

    def empty(self, shape, dtype, side, view="whole", layout="NCHW", fill=CANARY):
        """An array full of one byte, flush with the unreadable page at `side`."""
        shape, dtype = tuple(shape), np.dtype(dtype)
        channels, rows = (-3, -2) if layout == "NCHW" else (-1, -3)
        if view == "other":
            order = list(range(len(shape)))
            order.insert(len(shape) - 1 if layout == "NCHW" else len(shape) - 3, order.pop(channels))
            return self.empty([shape[axis] for axis in order], dtype, side, fill=fill).transpose(np.argsort(order))
        if view == "flipped":
            return self.empty(shape, dtype, side, fill=fill)[(slice(None, None, -1),) * (len(shape) - 1)]
        base, crop = list(shape), [slice(None)] * len(shape)
        if view == "crop":
            for axis, more in ((rows, 2), (rows + 1, 3)):
                base[axis] += more
                crop[axis] = slice(more, None) if side == "end" else slice(0, shape[axis])
        nbytes = prod(base) * dtype.itemsize
        margin = min(nbytes + 512, self.bytes.size)  # on the open side too
        self.used = self.bytes[-margin:] if side == "end" else self.bytes[:margin]
        self.used[:] = fill
        memory = self.bytes[self.bytes.size - nbytes :] if side == "end" else self.bytes[:nbytes]
        return memory.view(dtype).reshape(base)[tuple(crop)]

    def place(self, array, *how):
        """A copy of `array` that is flush with the unreadable page."""
        placed = self.empty(array.shape, array.dtype, *how, fill=POISON)
        placed[...] = array
        return placed

    def take(self, array):
        """The content of an `array` from `empty`; AssertionError if anything around it was written."""
        content = array.copy()
        array.view(f"u{array.itemsize}")[...] = int.from_bytes(bytes([CANARY]) * array.itemsize, "little")
        strays = np.flatnonzero(self.used != CANARY)
        assert strays.size == 0, f"{strays.size} bytes outside the array were written"
        return content


def cases(threads, dtype):
    """Yield (geometry, layout, height, width, channels) wherever every window fits."""
    widths = range(1, 61) if threads == 1 else (1, 7, 16, 33, 39)
    for geometry, layout in itertools.product(GEOMETRIES, ("NCHW", "NHWC")):
        kernel, _, padding, dilation, _ = geometry
        (kh, kw) = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        (ph, pw) = map(sum, padding) if isinstance(padding, tuple) else (2 * padding, 2 * padding)
        for width in widths:
            height = 1 + width * 5 % 11
            if height + ph > dilation * (kh - 1) and width + pw > dilation * (kw - 1):
                yield geometry, layout, height, width, CHANNELS[width % len(CHANNELS)]
    if threads == 1 and dtype == "float32":  # beyond one cache block: long rows, many planes
        for layout in ("NCHW", "NHWC"):
            for shape in ((9, 2501, 1), (7, 7, 501), (14, 14, 67)):
                yield GEOMETRIES[3], layout, *shape


def family(rng, threads, dtype):
    """Yield (name, arrays, args, kwargs) beyond 2-D windows: other ranks, tables of windows, slabs, moves by index."""
    for n in range(1, 41) if threads == 1 else (3, 17):
        channels, other = CHANNELS[n % len(CHANNELS)], 1 + n * 7 % 13

        def draw(*shape):
            return (rng.standard_normal(shape) * 50).astype(dtype)

        for layout, x in (("NCL", draw(2, channels, n + 2)), ("NLC", draw(2, n + 2, channels))):
            for op in ("max", "avg"):
                yield f"{op}_pool1d", [x], (3, 1, 1), {"layout": layout}
                yield f"{op}_pool1d", [x], (n,), {"layout": layout}
                yield f"adaptive_{op}_pool1d", [x], (other,), {"layout": layout}
                yield f"{op}_over_time", [x], ([n + 2, n // 2],), {"layout": layout}
            yield "max_pool1d", [x], (2, 1, 1, 1, False, True), {"layout": layout}
            yield "adaptive_max_pool1d", [x], (other, True), {"layout": layout, "index": str(rng.choice(INDICES))}
            yield "max_over_time", [x], ([n // 2, n + 2], True), {"layout": layout}
        for op, window in itertools.product(("max", "avg"), ((2, 2), (3, 2, 1), (5, 1, 2), (1, 2))):
            yield f"{op}_pool1d", [draw(2, channels, 140 + n)], window, {"layout": "NCL"}
        for op, kernel in itertools.product(("max", "avg"), (4, 6)):
            yield f"{op}_pool1d", [draw(2, channels, 6 * n + 5)], (kernel,), {"layout": "NCL"}
        for layout, x in (("NCDHW", draw(2, channels, 3, 4, n)), ("NDHWC", draw(2, 3, 4, n, channels))):
            for op in ("max", "avg"):
                yield f"{op}_pool3d", [x], (2, 1, 1), {"layout": layout}
                yield f"{op}_pool3d", [x], (3, 1, 1), {"layout": layout}
                yield f"{op}_pool3d", [x], ((3, 4, n),), {"layout": layout}
                yield f"adaptive_{op}_pool3d", [x], ((2, 3, other),), {"layout": layout}
            for window in ((2, 1, 1), ((2, 3, 1), None, 0)):
                index = str(rng.choice(INDICES))
                yield "max_pool3d", [x], (*window, 1, False, True), {"layout": layout, "index": index}
        shape = (2, channels, 3 + n % 9, n)
        yield "adaptive_avg_pool2d_backward", [draw(2, channels, 2, 1 + n * 5 % 8)], (shape,), {"layout": "NCHW"}
        x, y = draw(2, channels, 5, n + 4), draw(2, channels, 2, 2)
        where = rng.integers(-1, 20, y.shape)
        yield "fractional_max_pool2d", [x], (2, (3, 2), None, True), {"rng": n, "layout": "NCHW"}
        yield "fractional_max_pool2d", [x], (2, (3, 2)), {"rng": n, "layout": "NCHW"}
        for op in ("max", "avg"):
            yield f"adaptive_{op}_pool2d", [x], ((3, min(n, other)),), {"layout": "NCHW"}
        high, wide = 2 + n % 7, 1 + n * 3 % 8
        yield "avg_pool2d", [draw(2, channels, high, wide)], ((high, wide),), {"layout": "NCHW"}
        yield "avg_pool2d", [draw(2, channels, 20 + high, wide)], ((high, wide), 1 + n % 3), {"layout": "NCHW"}
        yield "max_unpool2d", [y, where], (2, None, 0, (4, 5)), {"layout": "NCHW"}
        yield "max_unpool2d_backward", [draw(2, channels, 4, 5), where], (2,), {"layout": "NCHW"}
        for layout, shape in (("NCL", (2, channels, n)), ("NLC", (2, n, channels))):  # sixteen together, and fewer
            where = rng.integers(-1 if n % 3 else 0, 2 * n, shape)
            whole = (2, channels, 2 * n) if layout == "NCL" else (2, 2 * n, channels)
            yield "max_unpool1d", [draw(*shape), where], (2,), {"layout": layout}
            yield "max_unpool1d_backward", [draw(*whole), where], (2,), {"layout": layout}


def fuzz(threads, dtype):
    """Every operation on every case of a dtype, at every level, flush at both sides.

    The results must be those of ordinary arrays at the lowest level, bit for bit. Planes that can become the lanes of
    pixels do half of the time, and else where it pays.
    """
    import numpool
    from numpool import _kernels, turning

    pays, always = turning.pays, lambda *args: True
    rng = np.random.default_rng(2014)
    arenas = [Arena() for _ in range(4)]

    def check(name, dtypes, arrays, *args, views=VIEWS, **kwargs):
        """Call numpool's `name` on ordinary arrays, then on guarded ones."""
        plain = [array.copy() for array in arrays]
        with numpool.use_level("baseline"), numpool.num_threads(1):
            expected = getattr(numpool, name)(*plain, *args, **kwargs)
        many = isinstance(expected, tuple)
        expected = expected if many else (expected,)
        assert dtypes is None or [result.dtype for result in expected] == list(dtypes)
        view, shapes = str(rng.choice(views)), [array.shape for array in arrays]
        for level in numpool.levels():
            with numpool.use_level(level), numpool.num_threads(threads):  # of both sides at once: plans are found again
                for side in SIDES:
                    print(level, threads, side, view, name, *shapes, arrays[0].dtype, args, kwargs, flush=True)
                    how = side, view, kwargs["layout"]
                    inputs = [arena.place(array, *how) for arena, array in zip(arenas, arrays)]
                    outs = [arena.empty(e.shape, e.dtype, *how) for arena, e in zip(arenas[2:], expected)]
                    getattr(numpool, name)(*inputs, *args, **kwargs, out=tuple(outs) if many else outs[0])
                    for arena, out, result in zip(arenas[2:], outs, expected):
                        same = arena.take(out).tobytes() == result.tobytes()
                        assert same, "the result differs from an ordinary array's"
        return expected

    def choose():
        """Whether planes become lanes from now on."""
        turning.pays = rng.choice([always, pays])
        _kernels.forget()

    for (kernel, stride, padding, dilation, ceil), layout, height, width, channels in cases(threads, dtype):
        choose()
        shape = (2, channels, height, width) if layout == "NCHW" else (2, height, width, channels)
        x = (rng.standard_normal(shape) * 50).astype(dtype) if dtype != "uint8" else rng.integers(0, 255, shape, dtype)
        index, spatial = str(rng.choice(INDICES)), (kernel, stride, padding)
        taps = np.uint8 if index == "window" else np.int64
        check("max_pool2d", [x.dtype], [x], *spatial, dilation, ceil, layout=layout)
        y, where = check("max_pool2d", [x.dtype, taps], [x], *spatial, dilation, ceil, True, layout=layout, index=index)
        check("min_pool2d", [x.dtype, taps], [x], *spatial, dilation, ceil, True, layout=layout, index=index)
        mean = np.float64 if dtype == "uint8" else x.dtype
        check("avg_pool2d", [mean], [x], *spatial, ceil, False, layout=layout)
        if dtype != "uint8":
            again = {"layout": layout, "index": index}
            check("max_pool2d_backward", [x.dtype], [y, where], shape, *spatial, dilation, ceil, **again)
            if dilation == 1:
                check("avg_pool2d_backward", [x.dtype], [y], shape, *spatial, ceil, layout=layout)
    for name, arrays, args, kwargs in family(rng, threads, dtype) if dtype != "uint8" else ():
        choose()
        check(name, None, arrays, *args, views=("whole", "flipped"), **kwargs)


if __name__ == "__main__":
    import numpool
    import numpool.threads

    with numpool.threads.min_bytes_per_thread(1):
        fuzz(int(sys.argv[1]), sys.argv[2])
    print("held")
