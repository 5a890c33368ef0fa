"""Arrays: which of their axes are what, and which ones the kernels can read and write where they lie.

The kernels see every array as (leads..., spatial axes, lanes): channels-first has one lane a pixel and its channels
among the leads, channels-last has its channels as lanes. Which it is, is read off the strides, not off the layout's
name, so that a transposed view needs no copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from numpool import _kernels
from numpool.geometry import MOST, Axis, is_channels_last, spatial_axes

DTYPES = _kernels.DTYPES
FLOATS = ("float16", "bfloat16", "float32", "float64")
HALVES = FLOATS[:2]

Shape: TypeAlias = tuple[int, ...]
Arrays: TypeAlias = tuple[np.ndarray, ...]
Recipes: TypeAlias = tuple[tuple[Shape, Shape | None, np.dtype[Any]], ...]  # see Place.recipe


class Header(NamedTuple):
    """How an array lies that need not exist: of it a plan asks what is here, in the same words."""

    shape: Shape
    strides: Shape
    dtype: np.dtype[Any]

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return prod(self.shape) * self.itemsize


Lying: TypeAlias = np.ndarray | Header

# Steps that NumPy may take to tell whether two arrays overlap. Any: its stubs know only the names of 0 and -1.
MOST_WORK: Any = 10_000_000


@lru_cache
def name_of(dtype: np.dtype[Any]) -> str:
    """`dtype.name`, which NumPy puts together anew each time."""
    return str(dtype.name)


def checked_array(name: str, value: Any, dtypes: tuple[str, ...]) -> np.ndarray:
    """`value` as an array that the kernels can read: a known dtype, native byte order, aligned."""
    array = np.asarray(value)
    if name_of(array.dtype) not in dtypes:
        raise TypeError(f"{name} must have one of the dtypes {', '.join(dtypes)}; got {array.dtype}")
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


def sum_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What gradients of a dtype are summed in."""
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def narrowed(y: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """`y` in the dtype of a result; what does not fit is infinite."""
    with np.errstate(over="ignore", under="ignore"):
        return y.astype(dtype, copy=False)


def check_output_shape(name: str, array: np.ndarray, wanted: Shape, source: str) -> None:
    """That an array has the output's shape; `source` says what this follows from."""
    if array.shape != wanted:
        raise ValueError(f"{name} must have the output's shape {wanted} for {source}; got {array.shape}")


def extent(array: Lying) -> int:
    """Bytes from the first element to the end of the last one in memory."""
    last: int = sum(max(0, (n - 1) * stride) for n, stride in zip(array.shape, array.strides, strict=True))
    return last + array.itemsize


@dataclass(frozen=True)
class Place:
    """Which axes of an array are what: `order` lists leads, `rank` spatial axes and, if there are any, lanes."""

    order: tuple[int, ...]
    leads: int
    rank: int

    @property
    def has_lanes(self) -> bool:
        return len(self.order) > self.leads + self.rank

    def split(self, axes: list[int] | Shape) -> tuple[list[int], list[int], int]:
        """A number an axis, such as strides, as those of the leads, of the spatial axes and of a lane (0: none)."""
        laid = [axes[a] for a in self.order]
        lane = laid[-1] if self.has_lanes else 0
        return laid[: self.leads], laid[self.leads : self.leads + self.rank], lane

    def by_memory(self, array: np.ndarray, axes: tuple[Axis, ...]) -> tuple[Place, tuple[Axis, ...]]:
        """The same with the spatial axes of `array`, and their windows, from the longest step to the shortest.

        Which of two taps comes first then depends on memory, which values alone do not show.
        """
        end = self.leads + self.rank
        spatial = self.order[self.leads : end]
        still = [i for i, a in enumerate(spatial) if array.shape[a] == 1 or array.strides[a] == 0]
        moving = [i for i in range(self.rank) if i not in still]
        laid = sorted(moving, key=lambda i: -abs(array.strides[spatial[i]]))
        if laid == moving:
            return self, axes
        laid = [*still, *laid]
        order = (*self.order[: self.leads], *(spatial[i] for i in laid), *self.order[end:])
        return Place(order, self.leads, self.rank), tuple(axes[i] for i in laid)

    def spatial_by_memory(self, array: Lying) -> list[int]:
        """The spatial axes of `array` from the longest step to the shortest; of equal ones the order stays."""
        return sorted(self.order[self.leads : self.leads + self.rank], key=lambda a: (-array.strides[a], a))

    def columns_apart(self, array: Lying) -> bool:
        """Whether, without lanes, the elements of a row of `array` are not adjacent."""
        column = self.order[self.leads + self.rank - 1]
        return array.shape[column] > 1 and array.strides[column] != array.itemsize

    def fits(self, array: np.ndarray) -> bool:
        """Whether the lanes of each pixel of `array` are adjacent."""
        lane = self.order[-1]
        return not self.has_lanes or array.shape[lane] == 1 or array.strides[lane] == array.itemsize

    def evenly(self, array: np.ndarray) -> np.ndarray:
        """`array`, or a copy, with the rows of its first two spatial axes all one step apart."""
        if self.rank < 3:
            return array
        slab, row = self.order[self.leads : self.leads + 2]
        if array.strides[slab] == array.strides[row] * array.shape[row]:
            return array
        return self.copy(array)

    def solid(self, array: np.ndarray) -> np.ndarray:
        """`array`, or a copy, that lies as a new array would, to the steps of axes of length 1."""
        if not self.is_of(array):
            return self.copy(array)
        laid, axes = self.recipe(array.shape)
        array = array.transpose(self.order).reshape(-1).reshape(laid)
        return array if axes is None else array.transpose(axes)

    def copy(self, array: np.ndarray) -> np.ndarray:
        copy = self.empty(array.shape, array.dtype)
        np.copyto(copy, array)
        return copy

    def is_of(self, array: np.ndarray) -> bool:
        """Whether `array` lies as a new array of this place would."""
        expected = array.itemsize
        for a in reversed(self.order):
            if array.strides[a] != expected and array.shape[a] != 1:
                return False
            expected *= array.shape[a]
        return array.flags.aligned and array.dtype.isnative

    def recipe(self, shape: Shape) -> tuple[Shape, Shape | None]:
        """The shape to allocate, and the transposition of it (None: none) that has `shape`."""
        if self.order == tuple(range(len(self.order))):
            return shape, None
        axes = [0] * len(self.order)
        for place, a in enumerate(self.order):
            axes[a] = place
        return tuple(shape[a] for a in self.order), tuple(axes)

    def without(self, axes: Shape) -> Place:
        """How the same array lies without some of its axes, which are of length 1."""
        end = self.leads + self.rank
        leads, spatial, lanes = (
            [a for a in part if a not in axes]
            for part in (self.order[: self.leads], self.order[self.leads : end], self.order[end:])
        )
        order = tuple(a - sum(gone < a for gone in axes) for a in (*leads, *spatial, *lanes))
        return Place(order, len(leads), len(spatial))

    def outputs(self, results: tuple[Result, ...]) -> Recipes:
        """The recipe and the dtype of each."""
        return tuple((*self.recipe(r.shape), r.dtype) for r in results)

    def empty(self, shape: Shape, dtype: np.dtype[Any]) -> np.ndarray:
        """A new array of this shape whose memory has this order."""
        laid, axes = self.recipe(shape)
        array = np.empty(laid, dtype)
        return array if axes is None else array.transpose(axes)

    def header(self, shape: Shape, dtype: np.dtype[Any]) -> Header:
        """How such an array would lie."""
        strides, step = [0] * len(shape), dtype.itemsize
        for a in reversed(self.order):
            strides[a] = step
            step *= shape[a]
        return Header(shape, tuple(strides), dtype)


def place(array: np.ndarray, layout: str) -> Place:
    """How to walk `array`: lanes are the axis whose elements are adjacent, unless that is the last spatial one."""
    spatial = spatial_axes(array.ndim, layout)
    width = spatial[-1]
    others = [a for a in range(array.ndim) if a not in spatial]
    lanes: list[int] = []
    if array.flags.c_contiguous:  # with axes of length 1 the strides alone do not say what is what
        lanes = [array.ndim - 1] if is_channels_last(layout) and array.shape[-1] > 1 else []
    elif array.shape[width] == 1 or array.strides[width] != array.itemsize:
        lanes = [a for a in others if array.shape[a] > 1 and array.strides[a] == array.itemsize][-1:]
    leads = [a for a in others if a not in lanes]
    return Place((*leads, *spatial, *lanes), len(leads), len(spatial))


def readable(array: np.ndarray, layout: str) -> tuple[np.ndarray, Place]:
    """`array` and how to walk it; copied once where channels-last pixels are scattered."""
    at = place(array, layout)
    width = spatial_axes(array.ndim, layout)[-1]
    adjacent = array.shape[width] == 1 or array.strides[width] == array.itemsize
    if is_channels_last(layout) and not at.has_lanes and array.shape[-1] > 1 and not adjacent:
        array = np.ascontiguousarray(array)
        at = place(array, layout)
    return array, at


@dataclass(frozen=True)
class Result:
    """What an array that a call returns looks like."""

    shape: Shape
    dtype: np.dtype[Any]

    def __post_init__(self) -> None:
        if prod(self.shape) * self.dtype.itemsize >= MOST:
            raise ValueError(f"the result must be smaller than 2**62 bytes; got shape {self.shape}")


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    return np.may_share_memory(a, b) and np.shares_memory(a, b, max_work=MOST_WORK)


def meets_itself(array: np.ndarray) -> bool:
    """Whether two elements share memory."""
    inner = array.itemsize
    for stride, n in sorted((abs(s), n) for s, n in zip(array.strides, array.shape, strict=True) if n > 1):
        if stride == 0:
            return True
        if stride < inner:  # strides that interleave: rare enough to look at each element
            places = sum(np.ix_(*(np.arange(n) * s for s, n in zip(array.strides, array.shape, strict=True))))
            return bool((np.diff(np.sort(places, axis=None)) < array.itemsize).any())
        inner += stride * (n - 1)
    return False


def checked_outs(out: Any, results: tuple[Result, ...], sources: tuple[Any, ...]) -> Arrays | None:
    """The arrays that the caller wants written, or None. `sources`: what the caller gave, and what is read, perhaps a
    copy of it."""
    if out is None:
        return None
    names: tuple[str, ...] = ("out",)
    if len(results) == 1:
        given = (out,)
    elif isinstance(out, tuple | list) and len(out) == 2:
        names, given = ("out[0]", "out[1]"), tuple(out)
    else:
        raise TypeError(
            f"out must be a pair of arrays (values, indices) when indices are returned; got {type(out).__name__}"
        )
    for name, array, result in zip(names, given, results, strict=True):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name} must be a NumPy array; got {array!r} of type {type(array).__name__}")
        if array.shape != result.shape or array.dtype != result.dtype:
            raise ValueError(
                f"{name} must have the shape {result.shape} and the dtype {result.dtype} of the result; "
                f"got shape {array.shape} and dtype {array.dtype}"
            )
        if not array.flags.writeable:
            raise ValueError(f"{name} must be writeable; got a read-only array of shape {array.shape}")
        for other in sources:
            if isinstance(other, np.ndarray) and overlap(array, other):
                raise ValueError(
                    f"{name} must not overlap an input; got an array of shape {array.shape} that shares memory with "
                    f"one of shape {other.shape}"
                )
        if meets_itself(array):
            raise ValueError(f"{name} must have memory of its own for each element; got strides {array.strides}")
    if len(given) == 2 and overlap(*given):
        raise ValueError(
            f"the two arrays of out must not overlap each other; got shapes {given[0].shape} and {given[1].shape}"
        )
    return given
