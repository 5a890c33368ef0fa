"""Forward calls, checked: maximum, minimum and average over windows of any kind."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Any

import numpy as np

from numpool import _kernels, arguments
from numpool.arguments import INDEXES, LAYOUTS, RANKS, choice
from numpool.arrays import (
    DTYPES,
    FLOATS,
    Result,
    Shape,
    checked_array,
    name_of,
    readable,
)
from numpool.blocks import MOST_SHORT, MOST_SHORT_SIDE
from numpool.flatten import is_whole
from numpool.geometry import (
    Axis,
    adaptive_windows,
    output_shape,
    windows,
    without,
)
from numpool.indices import Indices
from numpool.plan import Call, Check, pool
from numpool.spec import OUTS, Pooling, make_spec, named


def extremum_call(operation: str, rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
    x = checked_array("x", sources[0], DTYPES)
    axes = windows(x.shape, layout, kernel_size, stride, padding, dilation, ceil_mode)
    return extremum_of(operation, x, layout, axes, index if return_indices else None)


def adaptive_extremum_call(operation: str, rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    output_size, return_indices, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
    x = checked_array("x", sources[0], DTYPES)
    axes = adaptive_windows(x.shape, layout, output_size)
    return extremum_of(operation, x, layout, axes, index if return_indices else None)


def extremum_of(
    operation: str, x: np.ndarray, layout: str, axes: tuple[Axis, ...], index: str | None, dropped: Shape = ()
) -> Call:
    """The call on windows already known; `index`: the convention of the indices, None for none; `dropped`: axes of the
    output that the results do not have."""
    shape = output_shape(x.shape, layout, axes)
    indices = Indices(index, x.shape, layout, axes) if index else None
    dtypes = (x.dtype, indices.dtype) if indices else (x.dtype,)
    results = tuple(Result(without(shape, dropped), dtype) for dtype in dtypes)
    x, at = readable(x, layout)
    if 0 in shape:
        return Call(None, (x,), results, at.without(dropped))
    if not indices and not at.has_lanes:  # whole vectors of single lanes; the order of taps counts for indices alone
        at, axes = at.by_memory(x, axes)
    y, *where = (at.header(shape, dtype) for dtype in dtypes)
    name, index_of = ("arg" + operation, named(where[0], indices)) if indices else (operation, None)
    made_at = at.without(dropped)
    plan = _kernels.Plan(make_spec(Pooling(name, at, axes, x, y, made_at.outputs(results), index_of)))
    return Call(plan, (x,), results, made_at)


def average_dtype(dtype: Any, source: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of an average: the source's for floats, else float64, or what the caller asks for."""
    if dtype is None:
        return source if name_of(source) in FLOATS else np.dtype(np.float64)
    rule = f"dtype must be one of {', '.join(OUTS)}"
    try:
        wanted: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{rule}; got {dtype!r}") from None
    if name_of(wanted) not in OUTS or not wanted.isnative:
        raise TypeError(f"{rule}; got {wanted}")
    if name_of(source) in FLOATS and name_of(wanted) not in FLOATS:
        raise TypeError(f"the average of floats must have a float dtype; got {wanted} for an input of {source}")
    return wanted


def is_wide(source: np.dtype[Any], result: np.dtype[Any], axes: tuple[Axis, ...]) -> bool:
    """Whether sums of a window need the wider accumulator (see average.h)."""
    if name_of(source) in FLOATS:
        depth = sum((a.kernel - 1).bit_length() for a in axes)
        return max(a.kernel for a in axes) > 16 or depth > 7 or result != source
    taps = prod(min(a.kernel, a.size) for a in axes)
    if taps >= 2**31:
        kernels = " x ".join(str(a.kernel) for a in axes)
        raise ValueError(f"integer averages need windows of fewer than 2**31 elements; got {kernels}")
    return taps * (2**8 if source.itemsize == 1 else 2**16) > 2**31


def is_short(source: np.dtype[Any], result: np.dtype[Any], axes: tuple[Axis, ...], common: int) -> bool:
    """Whether sums of bytes, and their means as bytes, need no more than 16 bits (see average.h)."""
    taps = prod(a.kernel for a in axes)
    few = taps <= (common or taps) <= MOST_SHORT and max(a.kernel for a in axes) <= MOST_SHORT_SIDE
    return few and source.itemsize == 1 and result == source


def common_divisor(axes: tuple[Axis, ...], override: int, count_padding: bool) -> int:
    """The divisor of every window, or 0 where they differ."""
    if override:
        return override
    taps = prod(a.kernel for a in axes)
    if count_padding and taps >= 2**63:
        kernels = " x ".join(str(a.kernel) for a in axes)
        raise ValueError(f"a window that counts its padding must have fewer than 2**63 taps; got {kernels}")
    return taps if all(a.counts_alike(count_padding) for a in axes) else 0


def average_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout, dtype = args
    layout, override = choice("layout", layout, LAYOUTS[rank]), arguments.divisor(divisor_override)
    x = checked_array("x", sources[0], DTYPES)
    axes = windows(x.shape, layout, kernel_size, stride, padding, 1, ceil_mode)
    return average_of(x, layout, axes, dtype, override, bool(count_include_pad))


def adaptive_average_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    output_size, layout, dtype = args
    layout = choice("layout", layout, LAYOUTS[rank])
    x = checked_array("x", sources[0], DTYPES)
    return average_of(x, layout, adaptive_windows(x.shape, layout, output_size), dtype)


def in_doubles(x: np.ndarray, dtype: np.dtype[Any]) -> np.ndarray:
    """`x` as the kernels need it for averages of this dtype: they add a few elements of a column in the input's own."""
    return x.astype(np.float64) if name_of(x.dtype) in FLOATS and dtype == np.float64 != x.dtype else x


def average_of(
    x: np.ndarray,
    layout: str,
    axes: tuple[Axis, ...],
    dtype: Any,
    override: int = 0,
    padded: bool = False,
    dropped: Shape = (),
) -> Call:
    """The call on windows already known; `dropped`: axes of the output that the result does not have."""
    dtype, shape = average_dtype(dtype, x.dtype), output_shape(x.shape, layout, axes)
    result = Result(without(shape, dropped), dtype)
    x, at = readable(in_doubles(x, dtype), layout)
    made_at = at.without(dropped)
    if 0 in shape:
        return Call(None, (x,), (result,), made_at)
    if len(axes) == 3 and is_whole(axes[1]):  # however it lies, sums are made in one order
        x = at.evenly(x)
    common = common_divisor(axes, override, padded)
    short = is_short(x.dtype, dtype, axes, common)
    name = "short_average" if short else "wide_average" if is_wide(x.dtype, dtype, axes) else "average"
    y, made = at.header(shape, dtype), made_at.outputs((result,))
    plan = _kernels.Plan(make_spec(Pooling(name, at, axes, x, y, made, divisor=common, count_padding=padded)))
    return Call(plan, (x,), (result,), made_at)


def sums_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    layout, words, dtype = args
    return average_of(sources[0], layout, tuple(Axis(*own) for own in words), dtype, 1)


def maxima_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    layout, words = args
    return extremum_of("max", sources[0], layout, tuple(Axis(*own) for own in words), None)


CALLS: dict[str, Check] = {
    **{f"{name}_pool{n}d": partial(extremum_call, name, n) for n in RANKS for name in ("max", "min")},
    **{f"avg_pool{n}d": partial(average_call, n) for n in RANKS},
    **{f"adaptive_max_pool{n}d": partial(adaptive_extremum_call, "max", n) for n in RANKS},
    **{f"adaptive_avg_pool{n}d": partial(adaptive_average_call, n) for n in RANKS},
    "window_sums": sums_call,
    "window_maxima": maxima_call,
}


def words_of(axes: tuple[Axis, ...]) -> tuple[tuple[int, ...], ...]:
    """Regular windows as what a plan is found by."""
    return tuple((a.size, a.out, a.kernel, a.stride, a.dilation, a.before, a.after) for a in axes)


def window_sums(x: np.ndarray, layout: str, axes: tuple[Axis, ...], dtype: Any) -> np.ndarray:
    """The sum of each regular window, in a new array."""
    return pool("window_sums", (x,), (layout, words_of(axes), dtype), None)[0]


def window_maxima(x: np.ndarray, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    return pool("window_maxima", (x,), (layout, words_of(axes)), None)[0]
