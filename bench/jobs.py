"""A job: one case pooled one way (operation, layout, threads, ...), with its arithmetic and its data."""

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from reference import Geometry, index_dtype

# What is measured of a case, by its op.
OPS = {"max": ("max", "argmax", "max_backward"), "avg": ("avg", "avg_backward")}


@dataclass(frozen=True)
class Job:
    case: Any  # one of tests/cases.py: a geometry, and for a network its name and op
    op: str
    layout: str = "NCHW"
    threads: int = 1
    index: str = "plane"  # the index convention asked of numpool
    dtype: str = "float32"
    count_include_pad: bool = True
    out: bool = True  # False: every call allocates its result

    @property
    def ceil_mode(self):
        return getattr(self.case, "ceil_mode", False)

    @cached_property
    def geometry(self):
        case = self.case
        return Geometry(case.shape[2:], case.kernel_size, case.stride, case.padding, 1, self.ceil_mode)

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
    def nbytes(self):
        """Bytes that have to move: every input read once, every output written once."""
        item = np.dtype(self.dtype).itemsize
        index = np.dtype(index_dtype(self.index, self.geometry.kernel)).itemsize
        written = item + index * self.indexed
        return prod(self.input_shape) * item + prod(self.output_shape) * written

    def data(self):
        """(x, gradient of the output), the same on every call."""
        rng, shapes = np.random.default_rng(0), (self.input_shape, self.output_shape)
        if np.dtype(self.dtype).kind in "iu":
            return [rng.integers(0, 100, shape).astype(self.dtype) for shape in shapes]
        return [rng.standard_normal(shape, dtype=np.float32).astype(self.dtype) for shape in shapes]

    def plane_index(self, taps):
        """Positions in the H*W plane from tap numbers in the window."""
        rows, columns = np.divmod(taps.astype(np.int64), self.geometry.kernel[1])
        top, left = (np.arange(o) * s - before for _, _, s, before, o, _ in self.axes)
        behind = (1,) * (3 - self.spatial[1])
        return (rows + top.reshape(-1, 1, *behind)) * self.geometry.size[1] + columns + left.reshape(-1, *behind)
