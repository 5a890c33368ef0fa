"""Plans: what a call means, checked once and frozen for the kernels.

::

    pool  --->  call: arguments and arrays, checked  --->  spec: the kernels' words  --->  _kernels.Plan, remembered
                  |
                  arguments: every form as one type
                  geometry:  the windows of an axis
                  arrays:    which axes are leads, rows, pixels and lanes
                  indices:   what an index means

The first call with new arguments or shapes comes here; the next ones find their plan in the compiled cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import gcd, prod
from typing import Any

import numpy as np

from numpool import _kernels, arguments
from numpool.arguments import INDEXES, LAYOUTS, RANKS, choice
from numpool.arrays import (
    DTYPES,
    FLOATS,
    Arrays,
    Place,
    Result,
    Shape,
    check_output_shape,
    checked_array,
    checked_outs,
    name_of,
    readable,
)
from numpool.blocks import LEAST_RUN, MOST_SHORT, is_turned
from numpool.flatten import LEAST_LANES, is_copy, is_whole
from numpool.geometry import (
    Axis,
    adaptive_windows,
    copy_axis,
    is_channels_last,
    output_shape,
    spatial_axes,
    spatial_sizes,
    windows,
)
from numpool.indices import Indices
from numpool.spec import OUTS, make_spec, named
from numpool.threads import plan_threads

# Planes of which NumPy divides by the counts of their windows at once, at most.
MOST_TOGETHER = 64


@dataclass
class Call:
    """A checked call: what to run, on which arrays, into what."""

    plan: _kernels.Plan | None  # None: there is nothing to compute, or `compute` does it
    arrays: Arrays
    results: tuple[Result, ...]
    place: Place | None = None
    blame: Callable[[], str] | None = None  # says which index names no tap, once one does
    # Instead of a plan: makes the results, in the arrays that it is given or in new ones.
    compute: Callable[[Arrays | None], Arrays] | None = None


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


def extremum_of(operation: str, x: np.ndarray, layout: str, axes: tuple[Axis, ...], index: str | None) -> Call:
    """The call on windows already known; `index`: the convention of the indices, None for none."""
    shape = output_shape(x.shape, layout, axes)
    indices = Indices(index, x.shape, layout, axes) if index else None
    results = tuple(Result(shape, dtype) for dtype in ((x.dtype, indices.dtype) if indices else (x.dtype,)))
    x, at = readable(x, layout)
    if 0 in shape:
        return Call(None, (x,), results, at)
    if not indices and not at.has_lanes:  # whole vectors of single lanes; the order of taps counts for indices alone
        at, axes = at.by_memory(x, axes)
    y, *where = (at.header(r.shape, r.dtype) for r in results)
    name, index_of = ("arg" + operation, named(where[0], indices)) if indices else (operation, None)
    plan = _kernels.Plan(make_spec(name, at, axes, x, y, results, index=index_of))
    return Call(plan, (x,), results, at)


def lengths_axis(x: np.ndarray, windows: np.ndarray, layout: str) -> Axis:
    """Each sample's only window, of a table that every call brings anew: no plan depends on what is in it."""
    size = x.shape[spatial_axes(x.ndim, layout)[0]]
    return Axis(size, 1, size, size, 1, 0, 0, windows)


def by_samples(x: np.ndarray, layout: str) -> np.ndarray:
    """`x`, or a copy where samples would be the lanes of pixels: those share their windows."""
    at = readable(x, layout)[1]
    return np.ascontiguousarray(x) if x.ndim == 3 and at.order[0] != 0 else x


def extremum_lengths_call(operation: str, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    return_indices, layout, index = args
    x = by_samples(sources[0], layout)
    axes: tuple[Axis, ...] = (lengths_axis(x, sources[1], layout),)
    if not return_indices and not is_channels_last(layout):  # the channels of a sample are rows with the same window
        layout, axes = LAYOUTS[2][0], (copy_axis(x.shape[-2]), *axes)
    call = extremum_of(operation, x, layout, axes, index if return_indices else None)
    return replace(call, arrays=(*call.arrays, sources[1]))


def average_lengths_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    layout, dtype = args
    x = by_samples(sources[0], layout)
    call = average_of(x, layout, (lengths_axis(x, sources[1], layout),), dtype)
    return replace(call, arrays=(*call.arrays, sources[1]))


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
    return taps > 32767


def is_short(source: np.dtype[Any], result: np.dtype[Any], axes: tuple[Axis, ...], common: int) -> bool:
    """Whether sums of bytes, and their means as bytes, need no more than 16 bits (see average.h). Windows beyond
    LEAST_RUN are running sums."""
    taps = prod(a.kernel for a in axes)
    few = taps <= (common or taps) <= MOST_SHORT and max(a.kernel for a in axes) <= LEAST_RUN
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


def average_of(
    x: np.ndarray, layout: str, axes: tuple[Axis, ...], dtype: Any, override: int = 0, padded: bool = False
) -> Call:
    """The call on windows already known."""
    dtype = average_dtype(dtype, x.dtype)
    result = Result(output_shape(x.shape, layout, axes), dtype)
    if name_of(x.dtype) in FLOATS and dtype == np.float64 != x.dtype:
        x = x.astype(np.float64)  # the kernels add a few elements of a column in float32
    x, at = readable(x, layout)
    if 0 in result.shape:
        return Call(None, (x,), (result,), at)
    if len(axes) == 3 and is_whole(axes[1]):  # however it lies, sums are made in one order
        x = at.evenly(x)
    common = common_divisor(axes, override, padded)
    short = is_short(x.dtype, dtype, axes, common)
    name = "short_average" if short else "wide_average" if is_wide(x.dtype, dtype, axes) else "average"
    y = at.header(result.shape, dtype)
    plan = _kernels.Plan(make_spec(name, at, axes, x, y, (result,), divisor=common, count_padding=padded))
    return Call(plan, (x,), (result,), at)


def checked_gradient(source: Any, shape: Shape, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    grad = checked_array("grad_output", source, FLOATS)
    wanted = output_shape(shape, layout, axes)
    check_output_shape("grad_output", grad, wanted, f"input_shape {shape}")
    return grad


def extremum_backward_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, kernel_size, stride, padding, dilation, ceil_mode, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
    shape = arguments.input_size(input_shape)
    axes = windows(shape, layout, kernel_size, stride, padding, dilation, ceil_mode)
    flat = rank < 3 or all(map(is_copy, axes[1:]))  # two axes, where pixels of slabs are one
    return scattered(sources, shape, layout, axes, index, not flat)


def adaptive_extremum_backward_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, output_size, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
    shape = arguments.input_size(input_shape)
    axes = adaptive_windows(shape, layout, output_size)
    regular = rank < 3 and all(a.table is None for a in axes)
    return scattered(sources, shape, layout, axes, index, not regular)


def scattered(
    sources: tuple[Any, ...], shape: Shape, layout: str, axes: tuple[Axis, ...], index: str, anywhere: bool
) -> Call:
    """A gradient by its indices; `anywhere`: the kernel is not to look at the windows."""
    grad = checked_gradient(sources[0], shape, layout, axes)
    meaning = Indices(index, shape, layout, axes)
    indices = meaning.checked(sources[1], grad.shape)
    outermost = meaning.steps()[spatial_axes(len(shape), layout)[0]]
    reach = max(axes[0].size * outermost, prod(a.size for a in axes) * (shape[-1] if is_channels_last(layout) else 1))
    if reach >= 2**31:
        raise ValueError(
            f"gradients by index need planes that span fewer than 2**31 positions; got {reach} for {shape}"
        )
    result = Result(shape, grad.dtype)
    if 0 not in shape and anywhere and index == "window":
        meaning, indices = meaning.in_plane(indices)
    grad, at = readable(grad, layout)
    if 0 in shape:
        return Call(None, (grad,), (result,), at)
    if not at.fits(indices):
        indices = at.copy(indices)
    if anywhere:
        grad, indices = at.evenly(grad), at.evenly(indices)
    elif len(axes) == 3:
        grad, indices = at.solid(grad), at.solid(indices)
    x = at.header(shape, grad.dtype)
    plan = _kernels.Plan(
        make_spec("extremum_backward", at, axes, x, grad, (result,), index=named(indices, meaning), scatter=anywhere)
    )
    return Call(plan, (grad, indices), (result,), at, partial(meaning.wrong, indices))


def average_backward_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout = args
    layout, override = choice("layout", layout, LAYOUTS[rank]), arguments.divisor(divisor_override)
    shape = arguments.input_size(input_shape)
    axes = windows(shape, layout, kernel_size, stride, padding, 1, ceil_mode)
    grad = checked_gradient(sources[0], shape, layout, axes)
    return spread_of(grad, shape, layout, axes, override, bool(count_include_pad))


def spread_of(
    grad: np.ndarray, shape: Shape, layout: str, axes: tuple[Axis, ...], override: int = 0, padded: bool = False
) -> Call:
    """The gradient of an average over windows already known."""
    result, common = Result(shape, grad.dtype), common_divisor(axes, override, padded)
    grad, at = readable(grad, layout)
    if 0 in shape:
        return Call(None, (grad,), (result,), at)
    if len(axes) == 3 and all(map(is_whole, axes)):
        return Call(
            None, (grad,), (result,), at, compute=lambda out: (spread_line(grad, shape, layout, override, out),)
        )
    deep = len(axes) == 3 and not is_copy(axes[0])
    if any(a.table is not None for a in axes) or (deep and not all(map(is_copy, axes[1:]))):
        return Call(
            None, (grad,), (result,), at, compute=lambda out: (spread_apart(grad, layout, axes, override, padded, out),)
        )
    if deep:  # slabs of pixels that follow each other: two axes
        grad = at.solid(grad)
    x = at.header(shape, grad.dtype)
    spec = make_spec("average_backward", at, axes, x, grad, (result,), divisor=common, count_padding=padded)
    return Call(_kernels.Plan(spec), (grad,), (result,), at)


def adaptive_average_backward_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, layout = args
    layout, shape = choice("layout", layout, LAYOUTS[rank]), arguments.input_size(input_shape)
    grad = checked_array("grad_output", sources[0], FLOATS)
    if grad.ndim != len(shape):
        raise ValueError(f"grad_output must have as many axes as input_shape {shape}; got shape {grad.shape}")
    axes = adaptive_windows(shape, layout, spatial_sizes(grad.shape, layout))
    grad = checked_gradient(grad, shape, layout, axes)
    at = readable(grad, layout)[1]
    irregular = len(axes) == 2 and any(a.table is not None for a in axes)
    if not irregular or 0 in shape or not is_crosswise(grad, at, shape, axes):
        return spread_of(grad, shape, layout, axes)
    result = Result(shape, grad.dtype)
    return Call(None, (grad,), (result,), at, compute=lambda out: (shared_out(grad, shape, layout, axes, out),))


def is_crosswise(grad: np.ndarray, at: Place, shape: Shape, axes: tuple[Axis, ...]) -> bool:
    """Whether both axes of an adaptive average's gradient go at once, as windows over the shares: where sums have the
    order of one axis after the other, and pixels have lanes enough, or planes become them."""
    across = tuple(a.transposed() for a in reversed(axes))
    own = np.dtype(np.float64 if grad.dtype == np.float64 else np.float32)
    if is_wide(own, own, across):
        return False
    if at.has_lanes:
        return (at.split(shape)[2] or 1) >= LEAST_LANES
    shares, sums = at.header(grad.shape, own), at.header(shape, own)
    return is_turned("average", at.crosswise(), across, shares, sums, 1)


def shared_out(grad: np.ndarray, shape: Shape, layout: str, axes: tuple[Axis, ...], out: Arrays | None) -> np.ndarray:
    """The gradient of an average over adaptive windows of two axes: the share of each, and their sums, to `out`."""
    shares = shares_of(grad, layout, axes, 0, False)
    direct = out is not None and out[0].dtype == shares.dtype
    sums = pool("adaptive_shares2d", (shares,), (shape, layout), out[0] if out and direct else None)[0]
    return sums.astype(grad.dtype, copy=False)


def shares_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    """Sums of the shares of all windows that hold a position, as windows over shares: along rows, then down columns."""
    shape, layout = args
    shares, at = readable(sources[0], layout)
    axes = adaptive_windows(shape, layout, spatial_sizes(shares.shape, layout))
    result = Result(shape, shares.dtype)
    across = tuple(a.transposed() for a in reversed(axes))
    y = at.header(shape, shares.dtype)
    spec = make_spec("average", at.crosswise(), across, shares, y, (), divisor=1)
    return Call(_kernels.Plan(spec | {"outputs": at.outputs((result,))}), (shares,), (result,), at)


def spread_line(grad: np.ndarray, shape: Shape, layout: str, override: int, out: Arrays | None) -> np.ndarray:
    """The gradient of an average over all of three axes, as over one line; to `out` where its memory allows."""
    spatial, known = spatial_axes(len(shape), layout), LAYOUTS[1][is_channels_last(layout)]
    n = prod(shape[a] for a in spatial)
    lead, lanes = shape[: spatial[0]], shape[spatial[-1] + 1 :]
    direct = out is not None and out[0].dtype == grad.dtype and out[0].flags.c_contiguous
    result: np.ndarray = out[0] if out is not None and direct else np.empty(shape, grad.dtype)
    args = ((*lead, n, *lanes), n, None, 0, 0, 0, override or None, known)  # no bool: the plan is found again
    pool("avg_pool1d_backward", (grad.reshape((*lead, 1, *lanes)),), args, result.reshape((*lead, n, *lanes)))
    return result


def shares_of(grad: np.ndarray, layout: str, axes: tuple[Axis, ...], override: int, padded: bool) -> np.ndarray:
    """The gradient of each window over its divisor."""
    shares = grad.astype(np.float64 if grad.dtype == np.float64 else np.float32, copy=False)
    spatial = spatial_axes(grad.ndim, layout)
    counts: Any = override
    if not override:
        along = [[-1 if b == a else 1 for b in range(grad.ndim)] for a in spatial]
        counts = prod(a.counts(padded).reshape(shape) for a, shape in zip(axes, along, strict=True))
    counts = np.asarray(counts, shares.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):  # a window without an element has no share to give
        if not override and not is_channels_last(layout) and shares.flags.c_contiguous:
            some = gcd(MOST_TOGETHER, prod(grad.shape[: spatial[0]]))  # planes together: NumPy's inner loop is long
            shares = shares.reshape(-1, some * counts.size) / np.tile(counts.ravel(), some)
            return np.asarray(shares.reshape(grad.shape))
        return np.asarray(shares / counts)


def spread_apart(
    grad: np.ndarray, layout: str, axes: tuple[Axis, ...], override: int, padded: bool, out: Arrays | None
) -> np.ndarray:
    """The gradient of an average over irregular windows, or over three axes: the share of each window, and then one
    axis after the other, the last of them to `out`."""
    spatial = spatial_axes(grad.ndim, layout)
    shares = shares_of(grad, layout, axes, override, padded)
    stages = [(i, a) for i, a in enumerate(axes) if not is_copy(a)]
    for i, a in reversed(stages):  # the last one first: what follows it goes by whole rows
        stage = [copy_axis(shares.shape[b]) for b in spatial]
        stage[i] = a if a.table is None else a.transposed()
        if a.table is None:
            shape = tuple(a.size if b == spatial[i] else n for b, n in enumerate(shares.shape))
            call = spread_of(shares, shape, layout, tuple(stage), 1)
        else:
            call = average_of(shares, layout, tuple(stage), None, 1)
        last = i == stages[0][0] and out is not None and out[0].dtype == shares.dtype
        shares = perform(call, out[0] if last and out else None, ())[0]
    return shares.astype(grad.dtype, copy=False)


def parts_call(kind: str, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    """The call of `window_sums`, `window_maxima` or `window_spread`."""
    layout, words, dtype, shape = args
    axes = tuple(Axis(*own) for own in words)
    if kind == "sums":
        return average_of(sources[0], layout, axes, dtype, 1)
    if kind == "maxima":
        return extremum_of("max", sources[0], layout, axes, None)
    return spread_of(sources[0], shape, layout, axes, 1)


# By public function, or by the name of a part of some: each takes the sources, and the arguments in the order of the
# function's signature.
CALLS: dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], Call]] = {
    "adaptive_shares2d": shares_call,
    "adaptive_max_pool1d_lengths": partial(extremum_lengths_call, "max"),
    "adaptive_avg_pool1d_lengths": average_lengths_call,
    **{kind: partial(parts_call, kind) for kind in ("sums", "maxima", "spread")},
}
for _n in RANKS:
    for _name in ("max", "min"):
        CALLS[f"{_name}_pool{_n}d"] = partial(extremum_call, _name, _n)
        CALLS[f"{_name}_pool{_n}d_backward"] = partial(extremum_backward_call, _n)
    CALLS[f"adaptive_max_pool{_n}d"] = partial(adaptive_extremum_call, "max", _n)
    CALLS[f"adaptive_max_pool{_n}d_backward"] = partial(adaptive_extremum_backward_call, _n)
    CALLS[f"avg_pool{_n}d"] = partial(average_call, _n)
    CALLS[f"avg_pool{_n}d_backward"] = partial(average_backward_call, _n)
    CALLS[f"adaptive_avg_pool{_n}d"] = partial(adaptive_average_call, _n)
    CALLS[f"adaptive_avg_pool{_n}d_backward"] = partial(adaptive_average_backward_call, _n)


def deliver(results: tuple[Result, ...], compute: Callable[[], Arrays], out: Any, sources: Arrays) -> Arrays:
    """What `compute` makes, into `out` where that is given; it is looked at first."""
    return perform(Call(None, sources, results, compute=lambda _: compute()), out, sources)


def perform(call: Call, out: Any, sources: Arrays) -> Arrays:
    """Run a call: into `out`, directly where its memory allows, else through new arrays."""
    outs = checked_outs(out, call.results, sources)
    if call.compute:
        computed = call.compute(outs)
        return computed if outs is None or computed[0] is outs[0] else written(outs, computed)
    assert call.place is not None
    if call.plan is None:
        return outs or tuple(call.place.empty(r.shape, r.dtype) for r in call.results)
    direct = outs is not None and all(call.place.is_of(array) for array in outs)
    results = call.plan(call.arrays, outs if direct else None, plan_threads(call.plan.cost))
    if results is None:
        assert call.blame is not None
        raise ValueError(call.blame())
    return results if outs is None or direct else written(outs, results)


def written(outs: Arrays, results: Arrays) -> Arrays:
    for array, result in zip(outs, results, strict=True):
        np.copyto(array, result)
    return outs


def pool(operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...], out: Any) -> Arrays:
    """Every pooling call: by the plan of an earlier one like it, else checked in full.

    Returns
    -------
    tuple of arrays
        The results, `out` where it was given.
    """
    found = _kernels.attempt(operation, arrays, args, out, plan_threads)
    if found is not None:
        return found
    call = CALLS[operation](arrays, args)
    if call.plan is not None and all(a is b for a, b in zip(arrays, call.arrays, strict=False)):
        _kernels.remember(operation, arrays, args, call.plan)
    sources = tuple(a for a in (*arrays, *call.arrays) if isinstance(a, np.ndarray))
    return perform(call, out, sources)


def words_of(axes: tuple[Axis, ...]) -> tuple[tuple[int, ...], ...]:
    """Regular windows as what a plan is found by."""
    return tuple((a.size, a.out, a.kernel, a.stride, a.dilation, a.before, a.after) for a in axes)


def window_sums(x: np.ndarray, layout: str, axes: tuple[Axis, ...], dtype: Any) -> np.ndarray:
    """The sum of each regular window, in a new array, as are those of the next two."""
    return pool("sums", (x,), (layout, words_of(axes), dtype, None), None)[0]


def window_maxima(x: np.ndarray, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    return pool("maxima", (x,), (layout, words_of(axes), None, None), None)[0]


def window_spread(grad: np.ndarray, shape: Shape, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    """The gradient of `window_sums`."""
    return pool("spread", (grad,), (layout, words_of(axes), None, shape), None)[0]
