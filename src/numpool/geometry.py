"""Windows: from kernel, stride, padding and dilation, or from an output size, to axes of windows.

Output i of an axis reads the taps ``i * stride - before + j * dilation``, j < kernel, that lie inside the input; where
its windows are irregular, a table says which. All sizes are Python integers, so nothing overflows before it has been
checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np

from numpool.arguments import AXES, TUPLES, Pair, each, integer, paddings

# What the kernels' 64-bit sums of positions can hold.
MOST = 2**62


@dataclass(frozen=True)
class Axis:
    """Windows over one spatial axis, `size` long.

    `table` holds (first tap, number of taps) of each window where they are not regular, for all planes or for each
    plane in turn, of shape (1 or planes, out, 2); `kernel` and `stride` are then the largest of them.
    """

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int
    table: np.ndarray | None = field(default=None, compare=False)

    @property
    def extent(self) -> int:
        """Positions from a window's first tap to its last, both counted."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def inside(self) -> bool:
        """Whether no window reaches beyond the input."""
        return self.table is None and self.before == 0 and (self.out - 1) * self.stride + self.extent <= self.size

    @property
    def tiles(self) -> bool:
        """Whether a second input behind this one would take the same windows again, one after the last of these."""
        return self.inside and self.size == self.out * self.stride and self.extent <= self.stride

    def counts_alike(self, padding: bool) -> bool:
        """Whether every window has the same number of positions in an average's divisor."""
        if self.table is not None:
            return False
        end = (self.out - 1) * self.stride - self.before + self.kernel
        return end <= self.size + self.after if padding else self.inside

    def counts(self, padding: bool) -> np.ndarray:
        """How many positions of each window count in an average's divisor."""
        if self.table is not None:
            taps: np.ndarray = self.table[0, :, 1]
            return taps
        low, high = (-self.before, self.size + self.after) if padding else (0, self.size)
        start = np.arange(self.out, dtype=np.int64) * self.stride - self.before
        counts: np.ndarray = np.minimum(start + self.kernel, high) - np.maximum(start, low)
        return np.asarray(np.maximum(counts, 0))

    @cached_property
    def transposed(self) -> Axis:
        """For each position the windows that hold it, as a table over them: they follow each other."""
        if self.table is None:
            first, taps = np.arange(self.out) * self.stride - self.before, np.full(self.out, self.kernel)
        else:
            first, taps = self.table[0, :, 0], self.table[0, :, 1]
        position = np.arange(self.size)
        low = np.searchsorted(first + taps, position, "right")
        return from_table(self.out, low[None], np.maximum(np.searchsorted(first, position, "right") - low, 0)[None])


@lru_cache(1024)
def axis(name: str, size: int, kernel: int, stride: int, padding: Pair | str, dilation: int, ceil: bool) -> Axis:
    """The windows over an axis of `size`; `name` is for the error texts."""
    extent = (kernel - 1) * dilation + 1
    if isinstance(padding, str):  # TensorFlow's and ONNX's words, which say the number of outputs: no ceil_mode
        ceil = False
        total = 0 if padding == "valid" else max((-(-size // stride) - 1) * stride + extent - size, 0)
        small, large = total // 2, total - total // 2
        before, after = (large, small) if padding == "same_lower" else (small, large)
    else:
        before, after = padding
    padded = size + before + after
    if padded >= MOST:
        raise ValueError(f"the padded {name} must be below 2**62; got {size} + {before} + {after}")
    out = (padded - extent + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (out - 1) * stride >= size + before:
        out -= 1  # a window may not start in the padding behind the input
    if padding in ("same", "same_lower"):
        out = -(-size // stride)  # a stride beyond the kernel may leave the last of these out above
    if out < 1:
        raise ValueError(
            f"the window must fit into the padded {name}; got {size} + {before} + {after} = {padded} positions for a "
            f"kernel of {kernel} with dilation {dilation}, which takes {extent}"
        )
    if extent >= MOST:
        raise ValueError(f"a window must span fewer than 2**62 positions; got {extent} for a kernel of {kernel}")
    if out == 1:
        stride = max(padded, extent)  # there is no second window: any stride that reaches beyond does
    if dilation > 1 and kernel == 1:
        dilation = 1
    return Axis(size, out, kernel, stride, dilation, before, after)


def copy_axis(size: int) -> Axis:
    """A window for each position."""
    return loose_axis(size, size)


def whole_axis(size: int) -> Axis:
    """One window, all of the axis."""
    return Axis(size, 1, size, size, 1, 0, 0)


def loose_axis(size: int, out: int) -> Axis:
    """`out` outputs of which no window is known, only what their indices say."""
    return Axis(size, out, 1, 1, 1, 0, 0)


UNIT = copy_axis(1)


def from_table(size: int, first: np.ndarray, taps: np.ndarray) -> Axis:
    """Windows of `taps` taps from `first` on: two arrays of shape (1 or planes, out); neither end ever falls back."""
    table = np.stack([first, taps], -1).astype(np.int64)
    stride = int(np.diff(first).max(initial=1))
    return Axis(size, table.shape[1], max(1, int(taps.max())), stride, 1, 0, 0, np.ascontiguousarray(table))


def number_of_tables(axes: Sequence[Axis]) -> int:
    """1 where all planes have the same windows; else so many planes, or groups of them, have their own."""
    return max(1 if a.table is None else len(a.table) for a in axes)


@cache
def adaptive_axis(size: int, out: int) -> Axis:
    """`out` windows that share an axis evenly: window i is [floor(i * size / out), ceil((i + 1) * size / out))."""
    if size % out == 0:
        return Axis(size, out, size // out, size // out, 1, 0, 0)
    if size * (out + 1) >= MOST:
        raise ValueError(f"size * output_size must be below 2**62; got {size} * {out}")
    i = np.arange(out, dtype=np.int64)
    first, stop = i * size // out, ((i + 1) * size + out - 1) // out
    return from_table(size, first[None], (stop - first)[None])


def is_channels_last(layout: str) -> bool:
    return layout.endswith("C")


def rank_of(layout: str) -> int:
    """The number of its spatial axes."""
    return len(layout) - 2


def spatial_axes(ndim: int, layout: str) -> tuple[int, ...]:
    """Which axes of an array are spatial."""
    end = ndim - is_channels_last(layout)
    return tuple(range(end - rank_of(layout), end))


def spatial_sizes(shape: tuple[int, ...], layout: str) -> tuple[int, ...]:
    """The sizes that are pooled over, all at least 1."""
    least = rank_of(layout) + is_channels_last(layout)
    if len(shape) < least:
        raise ValueError(f'layout "{layout}" needs at least {least} dimensions; got shape {shape}')
    sizes = tuple(shape[a] for a in spatial_axes(len(shape), layout))
    for name, size in zip(AXES[len(sizes)], sizes, strict=True):
        if size < 1:
            raise ValueError(f"every spatial size must be at least 1; got {name} = {size}")
    return sizes


def steps(kernel_size: Any, stride: Any, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Kernel and stride along each axis: a stride of None, or of nothing, is the kernel."""
    kernels = each("kernel_size", kernel_size, 1, rank)
    empty = stride is None or (isinstance(stride, tuple | list) and not stride)
    return kernels, kernels if empty else each("stride", stride, 1, rank)


def windows(
    shape: tuple[int, ...], layout: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> tuple[Axis, ...]:
    """The windows over the spatial axes of an input of this shape, from the caller's own arguments."""
    sizes = spatial_sizes(shape, layout)
    rank = len(sizes)
    kernels, strides = steps(kernel_size, stride, rank)
    pads, dilations = paddings(padding, rank), each("dilation", dilation, 1, rank)
    each_axis = zip(AXES[rank], sizes, kernels, strides, pads, dilations, strict=True)
    return tuple(axis(name, n, k, s, p, d, bool(ceil_mode)) for name, n, k, s, p, d in each_axis)


def adaptive_windows(shape: tuple[int, ...], layout: str, output_size: Any) -> tuple[Axis, ...]:
    """Windows that share each spatial axis evenly; None keeps an axis as it is."""
    sizes = spatial_sizes(shape, layout)
    rank = len(sizes)
    given = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * rank
    if len(given) != rank:
        raise ValueError(f"output_size must be an integer, None or {TUPLES[rank]}; got {output_size!r}")
    wanted = [s if o is None else integer("output_size", o, 1) for s, o in zip(sizes, given, strict=True)]
    return tuple(adaptive_axis(size, out) for size, out in zip(sizes, wanted, strict=True))


def output_shape(shape: tuple[int, ...], layout: str, axes: tuple[Axis, ...]) -> tuple[int, ...]:
    spatial = spatial_axes(len(shape), layout)
    return (*shape[: spatial[0]], *(a.out for a in axes), *shape[spatial[-1] + 1 :])


def without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(n for a, n in enumerate(shape) if a not in axes)
