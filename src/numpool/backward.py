"""Backward calls, checked: the gradients of maxima by their indices, and of averages by their windows."""

from __future__ import annotations

from functools import partial
from math import gcd, prod
from typing import Any

import numpy as np

from numpool import _kernels, arguments
from numpool.arguments import INDEXES, LAYOUTS, RANKS, choice
from numpool.arrays import (
    FLOATS,
    Arrays,
    Place,
    Result,
    Shape,
    check_output_shape,
    checked_array,
    narrowed,
    readable,
    sum_dtype,
)
from numpool.flatten import LEAST_LANES, is_copy, is_whole
from numpool.forward import average_of, common_divisor, is_wide, words_of
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
from numpool.plan import Call, Check, perform, pool
from numpool.spec import Pooling, make_spec, named
from numpool.turning import is_turned

# Planes of which NumPy divides by the counts of their windows at once, at most.
MOST_TOGETHER = 64


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
    flat = rank < 3 or (all(map(is_copy, axes[1:])) and not is_copy(axes[0]))  # two axes, where pixels of slabs are one
    return scattered(sources, shape, layout, axes, index, not flat)


def adaptive_extremum_backward_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, output_size, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
    shape = arguments.input_size(input_shape)
    axes = adaptive_windows(shape, layout, output_size)
    regular = rank < 3 and all(a.table is None for a in axes)
    return scattered(sources, shape, layout, axes, index, not regular)


def scattered(
    sources: tuple[Any, ...],
    shape: Shape,
    layout: str,
    axes: tuple[Axis, ...],
    index: str,
    anywhere: bool,
    moves: bool = False,
) -> Call:
    """A gradient by its indices. `anywhere`: not to look at the windows; `moves`: values of an unpooling."""
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
    x, made = at.header(shape, grad.dtype), at.outputs((result,))
    plan = _kernels.Plan(
        make_spec(
            Pooling("extremum_backward", at, axes, x, grad, made, named(indices, meaning), moves=moves),
            scatter=anywhere,
        )
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
    x, made = at.header(shape, grad.dtype), at.outputs((result,))
    spec = make_spec(Pooling("average_backward", at, axes, x, grad, made, divisor=common, count_padding=padded))
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
    held = tuple(a.transposed for a in axes)
    own = sum_dtype(grad.dtype)
    if is_wide(own, own, held):
        return False
    if at.has_lanes:
        return (at.split(shape)[2] or 1) >= LEAST_LANES
    return is_turned("average", at, held, at.header(grad.shape, own), at.header(shape, own), 1, across_first=True)


def shared_out(grad: np.ndarray, shape: Shape, layout: str, axes: tuple[Axis, ...], out: Arrays | None) -> np.ndarray:
    """The gradient of an average over adaptive windows of two axes: the share of each, and their sums, to `out`."""
    shares = shares_of(grad, layout, axes, 0, False)
    direct = out is not None and out[0].dtype == shares.dtype
    sums = pool("adaptive_shares2d", (shares,), (shape, layout), out[0] if out and direct else None)[0]
    return narrowed(sums, grad.dtype)


def shares_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    """Sums of the shares of all windows that hold a position, as windows over shares: along rows, then down columns."""
    shape, layout = args
    shares, at = readable(sources[0], layout)
    axes = adaptive_windows(shape, layout, spatial_sizes(shares.shape, layout))
    result = Result(shape, shares.dtype)
    held = tuple(a.transposed for a in axes)
    y, made = at.header(shape, shares.dtype), at.outputs((result,))
    spec = make_spec(Pooling("average", at, held, shares, y, made, divisor=1, across_first=True))
    return Call(_kernels.Plan(spec), (shares,), (result,), at)


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
    shares = grad.astype(sum_dtype(grad.dtype), copy=False)
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
    """The gradient of an average over irregular windows, or over three axes: the share of each window, then one stage
    after the other, the last of them to `out`."""
    spatial = spatial_axes(grad.ndim, layout)
    shares = shares_of(grad, layout, axes, override, padded)
    for some in (stages := stages_of(axes)):
        stage = [copy_axis(shares.shape[b]) for b in spatial]
        for i in some:
            stage[i] = axes[i] if axes[i].table is None else axes[i].transposed
        if axes[some[0]].table is None:
            sizes = {spatial[i]: axes[i].size for i in some}
            shape = tuple(sizes.get(b, n) for b, n in enumerate(shares.shape))
            call = spread_of(shares, shape, layout, tuple(stage), 1)
        else:
            call = average_of(shares, layout, tuple(stage), None, 1)
        last = some == stages[-1] and out is not None and out[0].dtype == shares.dtype
        shares = perform(call, out[0] if last and out else None, ())[0]
    return narrowed(shares, grad.dtype)


def stages_of(axes: tuple[Axis, ...]) -> list[tuple[int, ...]]:
    """The axes that shares are spread over together: slabs, while there are few, then rows and columns; irregular ones
    one after the other, the last one first: what follows it goes by whole rows."""
    if all(a.table is None for a in axes):
        stages = [tuple(i for i in some if not is_copy(axes[i])) for some in ((0,), (1, 2))]
        return [some for some in stages if some]
    return [(i,) for i in reversed(range(len(axes))) if not is_copy(axes[i])]


def spread_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    layout, words, shape = args
    return spread_of(sources[0], shape, layout, tuple(Axis(*own) for own in words), 1)


CALLS: dict[str, Check] = {
    **{f"{name}_pool{n}d_backward": partial(extremum_backward_call, n) for n in RANKS for name in ("max", "min")},
    **{f"avg_pool{n}d_backward": partial(average_backward_call, n) for n in RANKS},
    **{f"adaptive_max_pool{n}d_backward": partial(adaptive_extremum_backward_call, n) for n in RANKS},
    **{f"adaptive_avg_pool{n}d_backward": partial(adaptive_average_backward_call, n) for n in RANKS},
    "adaptive_shares2d": shares_call,
    "window_sums_backward": spread_call,
}


def window_sums_backward(grad: np.ndarray, shape: Shape, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    return pool("window_sums_backward", (grad,), (layout, words_of(axes), shape), None)[0]
