"""A job: one case pooled one way (operation, layout, threads, ...), with its arithmetic and its data."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from reference import Geometry, index_dtype

# What is measured of a case, by its op.
OPS = {"max": ("max", "argmax", "max_backward"), "min": ("min",), "avg": ("avg", "avg_backward")}
FORWARD = ("max", "min", "avg")
EXTREMA = ("max", "min", "argmax")


@dataclass(frozen=True)
class Job:
    case: Any  # a Network of tests/cases.py or networks.py
    op: str
    layout: str = "NCHW"
    threads: int = 1
    index: str = "plane"  # the index convention asked of numpool
    dtype: str = "float32"
    count_include_pad: bool = True
    out: bool = True  # False: every call allocates its result
    view: str = "contiguous"  # one of VIEWS: how x lies in memory

    @cached_property
    def geometry(self):
        case = self.case
        return Geometry(case.shape[2:], case.kernel_size, case.stride, case.padding, 1, case.ceil_mode)

    @cached_property
    def axes(self):
        """Of H and W: (length, kernel, stride, padding before, output length, padding after that a window touches)."""
        g = self.geometry
        axes = zip(g.size, g.kernel, g.stride, g.padding, g.output)
        return [(n, k, s, before, o, max((o - 1) * s + k - n - before, 0)) for n, k, s, (before, _), o in axes]

    @property
    def reach(self):
        """The padding that some window touches: ((top, bottom), (left, right))."""
        return tuple((before, after) for *_, before, _, after in self.axes)

    @property
    def pads(self):
        return any(map(any, self.reach))

    @property
    def counts_padding(self):
        """Whether padding is part of a divisor."""
        return self.op == "avg" and self.pads and self.count_include_pad

    @property
    def indexed(self):
        return self.op in ("argmax", "max_backward")

    def spread(self, values, rest):
        """Four entries, one per axis of an array: `values` at H and W, `rest` at N and C."""
        return (rest, rest, *values) if self.layout == "NCHW" else (rest, *values, rest)

    @property
    def spatial(self):
        """Positions of H and W among the axes of an array."""
        return (2, 3) if self.layout == "NCHW" else (1, 2)

    def shape(self, size):
        n, c = self.case.shape[:2]
        return (n, c, *size) if self.layout == "NCHW" else (n, *size, c)

    @property
    def input_shape(self):
        return self.shape(self.geometry.size)

    @property
    def output_shape(self):
        return self.shape(self.geometry.output)

    @property
    def taps(self):
        return prod(self.output_shape) * prod(self.geometry.kernel)

    @property
    def itemsize(self):
        return np.dtype(self.dtype).itemsize

    @property
    def read_bytes(self):
        """Bytes of the input."""
        return prod(self.input_shape) * self.itemsize

    @property
    def nbytes(self):
        """Bytes that have to move: every input read once, every output written once."""
        index = np.dtype(index_dtype(self.index, self.geometry.kernel)).itemsize
        return self.read_bytes + prod(self.output_shape) * (self.itemsize + index * self.indexed)

    def data(self):
        """(x, gradient of the output), the same on every call."""
        rng, shapes = np.random.default_rng(0), (self.input_shape, self.output_shape)
        if np.dtype(self.dtype).kind in "iu":
            x, grad = (rng.integers(0, 100, shape).astype(self.dtype) for shape in shapes)
        else:
            x, grad = (rng.standard_normal(shape, dtype=np.float32).astype(self.dtype) for shape in shapes)
        return [VIEWS[self.view](self, x), grad]

    def plane_index(self, taps):
        """Positions in the H*W plane from tap numbers in the window."""
        rows, columns = np.divmod(taps.astype(np.int64), self.geometry.kernel[1])
        top, left = (np.arange(o) * s - before for _, _, s, before, o, _ in self.axes)
        behind = (1,) * (3 - self.spatial[1])
        return (rows + top.reshape(-1, 1, *behind)) * self.geometry.size[1] + columns + left.reshape(-1, *behind)


def crop(job, x):
    """A part of a larger image."""
    height, width = job.geometry.size
    frame = np.ones(job.shape((height + 8, width + 8)), x.dtype)
    return filled(frame[job.spread([slice(4, -4)] * 2, slice(None))], x)


def channel_slice(job, x):
    """Half of the channels of a larger array."""
    channel, count = 1 if job.layout == "NCHW" else 3, job.case.shape[1]
    whole = np.ones([2 * n if axis == channel else n for axis, n in enumerate(x.shape)], x.dtype)
    return filled(whole[(slice(None),) * channel + (slice(count // 2, count // 2 + count),)], x)


def other_layout(job, x):
    """Channels first seen as channels last, or the other way round."""
    last, second = (1, -1) if job.layout == "NCHW" else (-1, 1)
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, last, second)), second, last)


def plane_transposed(job, x):
    """Height and width change places."""
    return np.ascontiguousarray(x.swapaxes(*job.spatial)).swapaxes(*job.spatial)


def filled(view, x):
    view[...] = x
    return view


# name -> function: an array equal to x that lies in memory as the name says
VIEWS = {
    "contiguous": lambda job, x: x,
    "crop": crop,
    "channel slice": channel_slice,
    "other layout": other_layout,
    "plane transposed": plane_transposed,
}
