"""Unpooling, which puts values back where their indices say; and maxout, pooling over channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any, Literal, Protocol, overload

import numpy as np
import numpy.typing as npt

from numpool import _kernels
from numpool.arguments import INDEXES, LAYOUTS, RANKS, choice, input_size, integer, paddings
from numpool.arguments import Ints as IntTuple
from numpool.arrays import DTYPES, FLOATS, Arrays, Result, check_output_shape, checked_array, checked_outs
from numpool.backward import scattered
from numpool.documents import document, documented
from numpool.flatten import LEAST_LANES
from numpool.geometry import Axis, is_channels_last, spatial_axes, spatial_sizes, steps
from numpool.indices import Indices
from numpool.plan import CALLS, Call, deliver, perform, pool, written
from numpool.pooling import Array, Index, Ints, Layout, Stride, as_key
from numpool.threads import plan_threads

__all__ = [
    "max_unpool1d",
    "max_unpool1d_backward",
    "max_unpool2d",
    "max_unpool2d_backward",
    "max_unpool3d",
    "max_unpool3d_backward",
    "maxout",
    "maxout_backward",
]


# --- unpooling -------------------------------------------------------------------------------------------------------


def unpool_axes(
    sizes: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, wanted: tuple[int, ...] | None
) -> tuple[Axis, ...]:
    """The windows that made `sizes` outputs of an input of the `wanted` sizes, or of ``(o - 1) * s - pl - pr + k``."""
    rank = len(sizes)
    kernels, strides = steps(kernel_size, stride, rank)
    if isinstance(padding, str):
        raise ValueError(f"padding of an unpooling must be numbers; got {padding!r}")
    axes = []
    for i, (out, k, s, pads) in enumerate(zip(sizes, kernels, strides, paddings(padding, rank), strict=True)):
        before, after = (int(p) for p in pads)
        size = wanted[i] if wanted else (out - 1) * s - before - after + k
        if size < 1:
            raise ValueError(
                f"every size of the result must be at least 1; got {size} for {out} windows of kernel_size {k}, stride "
                f"{s} and padding ({before}, {after})"
            )
        axes.append(Axis(size, out, k, s, 1, before, after))
    return tuple(axes)


def wanted_sizes(output_size: Any, shape: tuple[int, ...], layout: str) -> IntTuple | None:
    """The spatial part of `output_size`, which may be a whole shape."""
    if output_size is None:
        return None
    spatial = spatial_axes(len(shape), layout)
    rule = f"output_size must be {len(spatial)} integers or the result's whole shape"
    if not isinstance(output_size, tuple | list):
        raise TypeError(f"{rule}; got {output_size!r}")
    given = tuple(integer("output_size", n, 0) for n in output_size)
    if len(given) == len(spatial):
        return given
    if len(given) != len(shape) or any(given[a] != n for a, n in enumerate(shape) if a not in spatial):
        raise ValueError(f"{rule}; got {output_size!r} for x of shape {shape}")
    return tuple(given[a] for a in spatial)


def moved(
    indices: np.ndarray,
    source: np.ndarray,
    meaning: Indices,
    shape: tuple[int, ...],
    out: Any,
    sources: tuple[Any, ...],
    gather: bool,
) -> np.ndarray:
    """Elements moved by their indices into a result of this shape, once all indices have been looked at. `sources`:
    what the caller gave."""
    plane = meaning
    if meaning.convention != "plane":
        plane, indices = meaning.in_plane(indices)
    sizes = prod(a.size for a in plane.axes)
    result = Result(shape, source.dtype)
    outs = checked_outs(out, (result,), (*sources, source, indices))
    direct = outs is not None and outs[0].flags.c_contiguous and outs[0].flags.aligned and outs[0].dtype.isnative
    target = outs[0] if outs is not None and direct else np.empty(shape, source.dtype)
    lanes = shape[-1] if is_channels_last(plane.layout) else 1
    arrays = (np.ascontiguousarray(indices), np.ascontiguousarray(source))
    positions = source.size if gather else target.size
    threads = plan_threads(target.nbytes + sum(a.nbytes for a in arrays))
    for to in (None, target) if direct else (target,):  # a given `out` is written once all indices have been looked at
        if not _kernels.move(*arrays, to, positions, sizes, lanes, gather, threads):
            raise ValueError(plane.wrong(indices))
    return target if outs is None or direct else written(outs, (target,))[0]


@dataclass(frozen=True)
class Unpooling:
    """A checked unpooling."""

    x: np.ndarray
    indices: np.ndarray
    meaning: Indices
    shape: tuple[int, ...]  # of the result
    sources: tuple[Any, ...]  # of the caller

    def one_by_one(self, out: Any) -> np.ndarray:
        return moved(self.indices, self.x, self.meaning, self.shape, out, self.sources, gather=False)


def checked_unpooling(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Unpooling:
    kernel_size, stride, padding, output_size, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
    x = checked_array("x", sources[0], DTYPES)
    sizes = spatial_sizes(x.shape, layout)
    axes = unpool_axes(sizes, kernel_size, stride, padding, wanted_sizes(output_size, x.shape, layout))
    spatial = spatial_axes(x.ndim, layout)
    shape = tuple(axes[a - spatial[0]].size if a in spatial else n for a, n in enumerate(x.shape))
    meaning = Indices(index, shape, layout, axes)
    return Unpooling(x, meaning.checked(sources[1], x.shape, "x"), meaning, shape, sources)


def side_by_side(x: Any, kernel_size: Any, stride: Any, padding: Any, layout: Any) -> bool:
    """Whether floats go to windows side by side that have kernels: of two columns, or of many channels. Arguments that
    are not plain are left to others."""
    kernels = kernel_size if type(kernel_size) is tuple else (kernel_size,)
    strides = kernels if stride is None else stride if type(stride) is tuple else (stride,)
    plain = type(layout) is str and all(type(n) is int for n in (*kernels, *strides, padding))
    if not plain or not kernels or strides != kernels or padding:
        return False
    if not isinstance(x, np.ndarray) or not x.ndim or x.dtype not in (np.float32, np.float64):
        return False
    return x.shape[-1] >= LEAST_LANES if layout[-1:] == "C" else bool(kernels[-1] == 2)


def unpool_call(rank: int, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    """An unpooling as the gradient of a maximum; element by element where indices name taps of other windows."""
    checked = checked_unpooling(rank, sources, args)
    x, indices, meaning, shape = checked.x, checked.indices, checked.meaning, checked.shape

    def compute(outs: Arrays | None) -> Arrays:
        return (checked.one_by_one(outs[0] if outs else None),)

    if all(a.inside and a.kernel == a.stride for a in meaning.axes) and 0 < prod(shape) < 2**31:
        call = scattered((x, indices), shape, meaning.layout, meaning.axes, meaning.convention, False, moves=True)
        if call.plan is not None and call.plan.spec["gradient"] == "tiles":
            return replace(call, otherwise=compute)
    return Call(None, (x, indices), (Result(shape, x.dtype),), compute=compute)


CALLS.update({f"max_unpool{n}d": partial(unpool_call, n) for n in (1, 2)})


class Unpool(Protocol):
    """The type of max_unpool1d and its kin."""

    def __call__(
        self,
        x: npt.ArrayLike,
        indices: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Ints = 0,
        output_size: Sequence[int] | None = None,
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...


def unpool(rank: int) -> Unpool:
    name, channels_first = f"max_unpool{rank}d", LAYOUTS[rank][0]

    def unpool(
        x: npt.ArrayLike,
        indices: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Ints = 0,
        output_size: Sequence[int] | None = None,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array:
        args = (kernel_size, stride, padding, as_key(output_size), layout, index)
        if rank < 3 and side_by_side(x, kernel_size, stride, padding, layout):
            return pool(name, (x, indices), args, out)[0]
        return checked_unpooling(rank, (x, indices), args).one_by_one(out)

    text = """The inverse of `max_pool{RANK}d`: its values where they stood, and zeros.

    Parameters
    ----------
    {x}
    indices : array_like of integers, same shape
        What `max_pool{RANK}d` returned, in the same `index` convention. "No tap" is left out.
    {kernel_size}
    {stride}
    padding : int, one int or one pair (before, after) an axis
        The padding of the pooling.
    output_size : tuple of int, optional
        The spatial sizes of the result, or its whole shape; by default ``(o - 1) * stride - padding + kernel_size``.
    {layout}
    {index}
    {out}

    Returns
    -------
    y : array, {SHAPES}
        Of the dtype of `x`.

    Raises
    ------
    {raises_index}

    Notes
    -----
    Where two indices name one place, the last in row-major order stays. Nearest upsampling is not this but the gradient
    of an average with a divisor of 1, see `avg_pool{RANK}d_backward`.

    References
    ----------
    M. Zeiler, R. Fergus: Visualizing and understanding convolutional networks, 2013. Names, order and defaults are
    those of ``torch.nn.functional.max_unpool{RANK}d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> y, indices = numpool.max_pool{RANK}d(np.array([1, 3, 4, 2]).reshape({ROW4}), {PAIR}, return_indices=True)
    >>> numpool.max_unpool{RANK}d(y, indices, {PAIR}).ravel()
    array([0, 3, 4, 0])
    """
    return documented(unpool, name, text, rank)


class UnpoolBackward(Protocol):
    """The type of max_unpool1d_backward and its kin."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Ints = 0,
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...


def unpool_backward(rank: int) -> UnpoolBackward:
    name, channels_first = f"max_unpool{rank}d_backward", LAYOUTS[rank][0]

    def unpool_backward(
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Ints = 0,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array:
        known, kind = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
        grad, where = checked_array("grad_output", grad_output, DTYPES), np.asarray(indices)
        wanted = spatial_sizes(grad.shape, known)
        spatial = spatial_axes(grad.ndim, known)
        others = [a for a in range(grad.ndim) if a not in spatial]
        if where.ndim != grad.ndim or any(where.shape[a] != grad.shape[a] for a in others):
            raise ValueError(
                f"indices must have the shape of grad_output {grad.shape} but for its spatial sizes; got {where.shape}"
            )
        axes = unpool_axes(spatial_sizes(where.shape, known), kernel_size, stride, padding, wanted)
        meaning = Indices(kind, grad.shape, known, axes)
        given = meaning.checked(where, where.shape, "indices")

        return moved(given, grad, meaning, where.shape, out, (grad_output, where), gather=True)

    text = """Gradient of `max_unpool{RANK}d` with respect to its input: what stands where the indices point.

    Parameters
    ----------
    grad_output : array_like, {SHAPES}
        Gradient of the output, of any dtype.
    indices : array_like of integers, {OUTPUT_SHAPES}
        What the unpooling was given, in the same `index` convention. "No tap" gives 0.
    {kernel_size}
    {stride}
    padding : int, one int or one pair (before, after) an axis
        The padding of the pooling.
    {layout}
    {index}
    {out}

    Returns
    -------
    grad_input : array of the shape of `indices`
        Of the dtype of `grad_output`.

    Raises
    ------
    {raises_index}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> grad, indices = np.array([5, 6, 7, 8]).reshape({ROW4}), np.array([1, 2]).reshape({ROW2})
    >>> numpool.max_unpool{RANK}d_backward(grad, indices, {PAIR}).ravel()
    array([6, 7])
    """
    return documented(unpool_backward, name, text, rank)


max_unpool1d, max_unpool2d, max_unpool3d = map(unpool, RANKS)
max_unpool1d_backward, max_unpool2d_backward, max_unpool3d_backward = map(unpool_backward, RANKS)


# --- maxout ----------------------------------------------------------------------------------------------------------


def grouped(shape: tuple[int, ...], groups: Any, axis: Any) -> tuple[int, int, tuple[int, int, int], tuple[int, ...]]:
    """groups, the axis from the front, (before, channels, behind) as a plane each, and the shape of the result."""
    groups, number = integer("groups", groups, 1), integer("axis", axis, -len(shape))
    if number >= len(shape):
        raise ValueError(f"axis must lie below the {len(shape)} axes; got {axis}")
    number %= len(shape)
    channels = shape[number]
    if channels % groups or not channels:
        raise ValueError(f"groups must divide the {channels} channels of axis {axis}; got {groups}")
    whole = (prod(shape[:number]), channels, prod(shape[number + 1 :]))
    return groups, number, whole, (*shape[:number], channels // groups, *shape[number + 1 :])


@overload
def maxout(
    x: npt.ArrayLike, groups: int, return_indices: Literal[False] = False, axis: int = 1, *, out: Array | None = None
) -> Array: ...
@overload
def maxout(
    x: npt.ArrayLike,
    groups: int,
    return_indices: Literal[True],
    axis: int = 1,
    *,
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
@document
def maxout(
    x: npt.ArrayLike, groups: int, return_indices: bool = False, axis: int = 1, *, out: Any = None
) -> Array | tuple[Array, Array]:
    """Maximum over groups of neighbouring channels.

    Parameters
    ----------
    x : array_like
        float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.
    groups : int
        Number of channels of which the largest is taken; it divides their number.
    {return_indices}
    axis : int
        The axis of the channels.
    {out_indices}

    Returns
    -------
    y : array
        Of the dtype of `x`; channel c is the maximum of the `groups` channels from ``c * groups`` on.
    indices : array of int64, same shape
        The numbers of those channels. Only if `return_indices`.

    Raises
    ------
    {raises}

    References
    ----------
    I. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio: Maxout networks, 2013.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.maxout(np.array([[1, 7, 5, 2]]), 2)
    array([[7, 5]])
    """
    given, x = x, checked_array("x", x, DTYPES)
    groups, axis, whole, shape = grouped(x.shape, groups, axis)
    results = [Result(shape, x.dtype)] + [Result(shape, np.dtype(np.int64))] * bool(return_indices)

    def compute(outs: Arrays | None) -> Arrays:
        if 0 in shape:
            return outs or tuple(np.empty(shape, r.dtype) for r in results)
        args = ((groups, 1), None, 0, 1, 0, 1 if return_indices else 0, "NCHW", "plane")
        flat = (whole[0], whole[1] // groups, whole[2])
        direct = outs if outs and all(o.flags.c_contiguous for o in outs) else None
        given = tuple(o.reshape(flat) for o in direct) if direct else None
        made = pool("max_pool2d", (x.reshape(whole),), args, given if return_indices or not given else given[0])
        if return_indices:
            np.floor_divide(made[1], whole[2], out=made[1])
        return direct or tuple(m.reshape(shape) for m in made)

    made = perform(Call(None, (x,), tuple(results), compute=compute), out, (given, x))
    return (made[0], made[1]) if return_indices else made[0]


@document
def maxout_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    groups: int,
    axis: int = 1,
    *,
    out: Array | None = None,
) -> Array:
    """Gradient of `maxout` with respect to its input.

    Parameters
    ----------
    grad_output : array_like
        Gradient of the output: float16, bfloat16, float32 or float64.
    indices : array_like of integers, same shape
        What `maxout` returned.
    {input_shape}
    groups : int
        Number of channels of which the largest was taken.
    axis : int
        The axis of the channels.
    {out}

    Returns
    -------
    {returns_gradient}

    Raises
    ------
    {raises_index}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> y, indices = numpool.maxout(np.array([[1, 7, 5, 2]]), 2, return_indices=True)
    >>> numpool.maxout_backward(np.array([[1.0, 2.0]]), indices, (1, 4), 2)
    array([[0., 1., 2., 0.]])
    """
    shape = input_size(as_key(input_shape))
    groups, axis, whole, wanted = grouped(shape, groups, axis)
    grad, given = checked_array("grad_output", grad_output, FLOATS), np.asarray(indices)
    if given.dtype.kind not in "iu":
        raise TypeError(f"indices must have an integer dtype; got {given.dtype}")
    for name, array in (("grad_output", grad), ("indices", given)):
        check_output_shape(name, array, wanted, f"input_shape {shape}")
    channels = np.arange(wanted[axis]).reshape([-1 if a == axis else 1 for a in range(len(wanted))])
    tap = given.astype(np.int64) - channels * groups
    bad = (tap < 0) | (tap >= groups)
    if bad.any():
        raise ValueError(f"indices must name a channel of their own group of {groups}; got {given[bad][0]}")

    def compute() -> tuple[np.ndarray]:
        result = np.zeros(shape, grad.dtype)
        np.put_along_axis(result, given.astype(np.int64), grad, axis)
        return (result,)

    return deliver((Result(shape, grad.dtype),), compute, out, (grad_output, grad, given))[0]
