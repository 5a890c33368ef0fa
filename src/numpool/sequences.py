"""Pooling of sequences: the k largest steps in their order, and maximum and average over time, with lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from numpool.arguments import LAYOUTS, choice, input_size, integer
from numpool.arrays import (
    DTYPES,
    FLOATS,
    Result,
    check_output_shape,
    checked_array,
    name_of,
    readable,
    sum_dtype,
)
from numpool.backward import scattered
from numpool.documents import document
from numpool.forward import average_dtype, average_of, extremum_of, in_doubles, is_wide
from numpool.geometry import Axis, copy_axis, is_channels_last, loose_axis, whole_axis
from numpool.plan import CALLS, Call, deliver, perform, pool
from numpool.pooling import Array, as_key

__all__ = [
    "avg_over_time",
    "avg_over_time_backward",
    "dynamic_k",
    "k_max_pool1d",
    "k_max_pool1d_backward",
    "max_over_time",
    "max_over_time_backward",
]

SequenceLayout: TypeAlias = Literal["NCL", "NLC"]


def sequence(x: Any, layout: Any) -> tuple[np.ndarray, str, int]:
    """An array of sequences, its layout, and the axis of its steps."""
    known, x = choice("layout", layout, LAYOUTS[1]), np.asarray(x)
    return x, known, steps_axis(x.shape, known)


def steps_axis(shape: tuple[int, ...], layout: str) -> int:
    if len(shape) not in (2, 3):
        names = "(N, C, L) or (C, L)" if layout == "NCL" else "(N, L, C) or (L, C)"
        raise ValueError(f"the shape of sequences must be {names}; got {shape}")
    axis = len(shape) - (2 if is_channels_last(layout) else 1)
    if shape[axis] < 1:
        raise ValueError(f"every spatial size must be at least 1; got length = {shape[axis]}")
    return axis


def checked_lengths(lengths: Any, shape: tuple[int, ...], axis: int) -> np.ndarray:
    """The number of steps of each sample."""
    samples, most = (shape[0] if len(shape) == 3 else 1), shape[axis]
    given = np.asarray(lengths)
    if given.dtype.kind not in "iu" and given.size:  # NumPy takes an empty list for floats
        raise TypeError(f"lengths must be integers; got {given.dtype}")
    if given.shape != (samples,):
        raise ValueError(f"lengths must have one entry a sample, shape ({samples},); got shape {given.shape}")
    counted = given.astype(np.int64, copy=False)
    bad = counted.view(np.uint64) > most  # negative ones too
    if bad.any():
        raise ValueError(f"every length must lie between 0 and the {most} steps; got {given[bad][0]}")
    return counted


# --- k-max -----------------------------------------------------------------------------------------------------------


def lowest(dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "b":
        return False
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def largest_steps(x: np.ndarray, k: int, lengths: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Along the last axis, the k largest of each sample's steps in their order, and where they stand; -1 for none."""
    length, counts = x.shape[-1], None
    values: Any = x.view(np.uint8) if x.dtype.kind == "b" else x
    if x.dtype.itemsize == 2 and x.dtype.kind not in "iu":
        values = x.astype(np.float32)  # NumPy knows no bfloat16, and sorts float16 slowly
    if lengths is not None:
        counts = lengths.reshape([-1, 1, 1] if x.ndim == 3 else [1, 1])
        values = np.where(np.arange(length) < counts, values, np.array(lowest(x.dtype), values.dtype))
    least = np.partition(values, length - k, axis=-1)[..., length - k, None]  # NaN is largest there too
    kept = values >= least
    nan = np.isnan(values) if values.dtype.kind == "f" else np.zeros_like(kept)
    kept |= nan
    crowded = np.count_nonzero(kept, axis=-1) > k
    if crowded.any():  # of those that are like the least, the first ones
        rows, low = values[crowded], least[crowded]
        alike = (rows == low) | (nan[crowded] & np.isnan(low))
        above = kept[crowded] & ~alike
        room = k - np.count_nonzero(above, axis=-1)[..., None]
        kept[crowded] = above | (alike & (np.cumsum(alike, axis=-1) <= room))
    where = (np.flatnonzero(kept) % length).reshape(*x.shape[:-1], k)
    picked = np.take_along_axis(x, where, -1)
    if counts is not None:
        missing = where >= counts
        picked, where = np.where(missing, np.array(lowest(x.dtype), x.dtype), picked), np.where(missing, -1, where)
    return picked, where


@overload
def k_max_pool1d(
    x: npt.ArrayLike,
    k: int,
    return_indices: Literal[False] = False,
    *,
    lengths: npt.ArrayLike | None = None,
    layout: SequenceLayout = "NCL",
    index: Literal["plane"] = "plane",
    out: Array | None = None,
) -> Array: ...
@overload
def k_max_pool1d(
    x: npt.ArrayLike,
    k: int,
    return_indices: Literal[True],
    *,
    lengths: npt.ArrayLike | None = None,
    layout: SequenceLayout = "NCL",
    index: Literal["plane"] = "plane",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
@document
def k_max_pool1d(
    x: npt.ArrayLike,
    k: int,
    return_indices: bool = False,
    *,
    lengths: npt.ArrayLike | None = None,
    layout: SequenceLayout = "NCL",
    index: Literal["plane"] = "plane",
    out: Any = None,
) -> Array | tuple[Array, Array]:
    """The k largest steps of every channel, in the order in which they came.

    Parameters
    ----------
    {steps_x}
    k : int
        How many are kept, at most L.
    {return_indices}
    lengths : array_like of int, (N,), optional
        The number of steps of each sample that count. A sample with fewer than k is filled up with -inf (the least
        value of an integer dtype) and the index -1.
    {steps_layout}
    index : {"plane"}
        What an index is: the number of the step.
    {out_indices}

    Returns
    -------
    y : array, (N, C, k) or (N, k, C)
        Of the dtype of `x`.
    {returns_indices}

    Raises
    ------
    {raises}

    Notes
    -----
    Of equal steps the earliest are kept; NaN counts as the largest.

    References
    ----------
    N. Kalchbrenner, E. Grefenstette, P. Blunsom: A convolutional neural network for modelling sentences, 2014.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.k_max_pool1d(np.array([[3, 1, 4, 1, 5]]), 3)
    array([[3, 4, 5]])
    """
    given, known, axis = sequence(x, layout)
    x = checked_array("x", given, DTYPES)
    choice("index", index, ("plane",))
    k, counted = integer("k", k, 1), None if lengths is None else checked_lengths(lengths, x.shape, axis)
    if k > x.shape[axis]:
        raise ValueError(f"k must be at most the number of steps {x.shape[axis]}; got {k}")
    shape = tuple(k if a == axis else n for a, n in enumerate(x.shape))
    results = [Result(shape, x.dtype)] + [Result(shape, np.dtype(np.int64))] * bool(return_indices)

    def compute() -> tuple[np.ndarray, ...]:
        made = largest_steps(np.moveaxis(x, axis, -1), k, counted)
        return tuple(np.ascontiguousarray(np.moveaxis(a, -1, axis)) for a in made[: len(results)])

    made = deliver(tuple(results), compute, out, (given, x))
    return (made[0], made[1]) if return_indices else made[0]


def steps_backward(grad_output: Any, indices: Any, input_shape: Any, layout: Any, out: Any, drop: bool) -> np.ndarray:
    """A gradient to the steps that the indices name; `drop`: the output has no axis of steps."""
    known, shape = choice("layout", layout, LAYOUTS[1]), input_size(as_key(input_shape))
    axis = steps_axis(shape, known)
    grad, given = checked_array("grad_output", grad_output, FLOATS), np.asarray(indices)
    if grad.ndim != len(shape) - drop:
        raise ValueError(f"grad_output must have {len(shape) - drop} axes for input_shape {shape}; got {grad.shape}")
    if given.shape != grad.shape:
        raise ValueError(f"indices must have the shape {grad.shape} of grad_output; got {given.shape}")
    if drop:
        grad, given = np.expand_dims(grad, axis), np.expand_dims(given, axis)
    axes = (loose_axis(shape[axis], grad.shape[axis]),)
    call = scattered((grad, given), shape, known, axes, "plane", True)
    return perform(call, out, (grad_output, given, *call.arrays))[0]


@document
def k_max_pool1d_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: SequenceLayout = "NCL",
    out: Array | None = None,
) -> Array:
    """Gradient of `k_max_pool1d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like, (N, C, k) or (N, k, C)
        Gradient of the output: float16, bfloat16, float32 or float64.
    indices : array_like of integers, same shape
        What `k_max_pool1d` returned; -1 gives its gradient to nobody.
    {input_shape}
    {steps_layout}
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
    >>> y, indices = numpool.k_max_pool1d(np.array([[3, 1, 4]]), 2, True)
    >>> numpool.k_max_pool1d_backward(np.array([[1.0, 2.0]]), indices, (1, 3))
    array([[1., 0., 2.]])
    """
    return steps_backward(grad_output, indices, input_shape, layout, out, False)


def dynamic_k(layer: int, layers: int, length: int, k_top: int) -> int:
    """The k of one layer in a stack of k-max poolings, which shrinks towards the top.

    Parameters
    ----------
    layer : int
        The number of this layer, from 1 to `layers`.
    layers : int
        The number of layers.
    length : int
        The number of steps of the input.
    k_top : int
        The k of the topmost layer.

    Returns
    -------
    int
        ``max(k_top, ceil((layers - layer) * length / layers))``, in integers.

    Raises
    ------
    TypeError
        An argument is not an integer.
    ValueError
        An argument is out of its range.

    References
    ----------
    N. Kalchbrenner, E. Grefenstette, P. Blunsom: A convolutional neural network for modelling sentences, 2014.

    Examples
    --------
    >>> import numpool
    >>> [numpool.dynamic_k(layer, 3, 18, 3) for layer in (1, 2, 3)]
    [12, 6, 3]
    """
    layers, layer = integer("layers", layers, 1), integer("layer", layer, 1)
    length, k_top = integer("length", length, 0), integer("k_top", k_top, 1)
    if layer > layers:
        raise ValueError(f"layer must be at most the number of layers {layers}; got {layer}")
    return max(k_top, -(-(layers - layer) * length // layers))


# --- over time -------------------------------------------------------------------------------------------------------


def arrays_of(x: npt.ArrayLike, lengths: npt.ArrayLike | None) -> tuple[Any, ...]:
    """The arrays of a call; lengths as the kernels read them, where that cannot change one."""
    if lengths is None:
        return (x,)
    given = np.asarray(lengths)
    if given.dtype != np.int64 and given.dtype.kind in "iu" and np.can_cast(given.dtype, np.int64):
        given = given.astype(np.int64)
    return x, given


def lengths_axis(counts: np.ndarray, size: int) -> Axis:
    """Each sample's only window. No plan depends on the counts: every call brings its own."""
    windows = np.zeros((len(counts), 1, 2), np.int64)
    windows[:, 0, 1] = counts
    return Axis(size, 1, size, size, 1, 0, 0, windows)


def by_samples(x: np.ndarray, layout: str) -> np.ndarray:
    """`x`, or a copy where samples would be the lanes of pixels: those share their windows."""
    at = readable(x, layout)[1]
    return np.ascontiguousarray(x) if x.ndim == 3 and at.order[0] != 0 else x


def has_rows(x: np.ndarray, layout: str) -> bool:
    """Whether the channels of a sample are rows with the same window: samples next to each other would be lanes."""
    return not is_channels_last(layout) and (x.ndim < 3 or x.shape[0] == 1 or x.strides[0] != x.itemsize)


def is_along_memory(x: np.ndarray, layout: str, dtype: np.dtype[Any]) -> bool:
    """Whether the steps of a sequence are lines that averages in double are made of as they lie (lone.h)."""
    short = name_of(x.dtype) in FLOATS and x.itemsize < 8
    wide = short and is_wide(x.dtype, dtype, (whole_axis(x.shape[-1]),))
    return wide and has_rows(x, layout) and x.strides[-1] == x.itemsize


def max_over_time_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    return_indices, layout = args
    given, layout, axis = sequence(sources[0], layout)
    x, index = checked_array("x", given, DTYPES), "plane" if return_indices else None
    if len(sources) == 1:
        return extremum_of("max", x, layout, (whole_axis(x.shape[axis]),), index, (axis,))
    counts = checked_lengths(sources[1], x.shape, axis)
    x = by_samples(x, layout)
    axes: tuple[Axis, ...] = (lengths_axis(counts, x.shape[axis]),)
    if not return_indices and has_rows(x, layout):
        layout, axes = LAYOUTS[2][0], (copy_axis(x.shape[-2]), *axes)
    call = extremum_of("max", x, layout, axes, index, (axis,))
    return replace(call, arrays=(*call.arrays, counts))


def avg_over_time_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    layout, dtype = args
    given, layout, axis = sequence(sources[0], layout)
    x = checked_array("x", given, DTYPES)
    if len(sources) == 1:
        return average_of(x, layout, (whole_axis(x.shape[axis]),), dtype, dropped=(axis,))
    dtype = average_dtype(dtype, x.dtype)
    counts = checked_lengths(sources[1], x.shape, axis)
    x = by_samples(in_doubles(x, dtype), layout)
    axes: tuple[Axis, ...] = (lengths_axis(counts, x.shape[axis]),)
    if is_along_memory(x, layout, dtype):
        layout, axes = LAYOUTS[2][0], (copy_axis(x.shape[-2]), *axes)
    call = average_of(x, layout, axes, dtype, dropped=(axis,))
    return replace(call, arrays=(*call.arrays, counts))


CALLS.update({"max_over_time": max_over_time_call, "avg_over_time": avg_over_time_call})


@overload
def max_over_time(
    x: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    return_indices: Literal[False] = False,
    *,
    layout: SequenceLayout = "NCL",
    out: Array | None = None,
) -> Array: ...
@overload
def max_over_time(
    x: npt.ArrayLike,
    lengths: npt.ArrayLike | None,
    return_indices: Literal[True],
    *,
    layout: SequenceLayout = "NCL",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
@document
def max_over_time(
    x: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    return_indices: bool = False,
    *,
    layout: SequenceLayout = "NCL",
    out: Any = None,
) -> Array | tuple[Array, Array]:
    """Maximum over the steps of sequences, which may differ in length.

    Parameters
    ----------
    {steps_x}
    {lengths}
    {return_indices}
    {steps_layout}
    {out_indices}

    Returns
    -------
    y : array, (N, C)
        Of the dtype of `x`; -inf (the least value of an integer dtype) for a length of 0.
    indices : array of int64, same shape
        The numbers of the steps, -1 for a length of 0. Only if `return_indices`.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.max_over_time(np.array([[[1, 5, 9]], [[4, 2, 3]]]), lengths=[2, 3])
    array([[5],
           [4]])
    """
    results = pool("max_over_time", arrays_of(x, lengths), (1 if return_indices else 0, layout), out)
    return (results[0], results[1]) if return_indices else results[0]


@document
def max_over_time_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: SequenceLayout = "NCL",
    out: Array | None = None,
) -> Array:
    """Gradient of `max_over_time` with respect to its input.

    Parameters
    ----------
    grad_output : array_like, (N, C)
        Gradient of the output: float16, bfloat16, float32 or float64.
    indices : array_like of integers, same shape
        What `max_over_time` returned; -1 gives its gradient to nobody.
    {input_shape}
    {steps_layout}
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
    >>> numpool.max_over_time_backward(np.array([[7.0]]), np.array([[1]]), (1, 1, 3))
    array([[[0., 7., 0.]]])
    """
    return steps_backward(grad_output, indices, input_shape, layout, out, True)


@document
def avg_over_time(
    x: npt.ArrayLike,
    lengths: npt.ArrayLike | None = None,
    *,
    layout: SequenceLayout = "NCL",
    dtype: npt.DTypeLike | None = None,
    out: Array | None = None,
) -> Array:
    """Average over the steps of sequences, which may differ in length.

    Parameters
    ----------
    {steps_x}
    {lengths}
    {steps_layout}
    {dtype}
    {out}

    Returns
    -------
    y : array, (N, C)
        NaN (0 in an integer dtype) for a length of 0.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.avg_over_time(np.array([[[1.0, 5.0, 9.0]], [[4.0, 2.0, 3.0]]]), lengths=[2, 3])
    array([[3.],
           [3.]])
    """
    return pool("avg_over_time", arrays_of(x, lengths), (layout, dtype), out)[0]


@document
def avg_over_time_backward(
    grad_output: npt.ArrayLike,
    input_shape: Sequence[int],
    lengths: npt.ArrayLike | None = None,
    *,
    layout: SequenceLayout = "NCL",
    out: Array | None = None,
) -> Array:
    """Gradient of `avg_over_time` with respect to its input: every step that counts has an even share.

    Parameters
    ----------
    grad_output : array_like, (N, C)
        Gradient of the output: float16, bfloat16, float32 or float64.
    {input_shape}
    {lengths}
    {steps_layout}
    {out}

    Returns
    -------
    grad_input : array of the input's shape
        Of the dtype of `grad_output`.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.avg_over_time_backward(np.array([[6.0]]), (1, 1, 3), lengths=[2])
    array([[[3., 3., 0.]]])
    """
    known, shape = choice("layout", layout, LAYOUTS[1]), input_size(as_key(input_shape))
    axis = steps_axis(shape, known)
    grad = checked_array("grad_output", grad_output, FLOATS)
    counts = np.array([shape[axis]]) if lengths is None else checked_lengths(lengths, shape, axis)
    wanted = tuple(n for a, n in enumerate(shape) if a != axis)
    check_output_shape("grad_output", grad, wanted, f"input_shape {shape}")

    def compute() -> tuple[np.ndarray]:
        result = np.zeros(shape, grad.dtype)
        wide = grad.astype(sum_dtype(grad.dtype))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (wide / counts.reshape(-1, *[1] * (wide.ndim - 1)).astype(wide.dtype)).astype(grad.dtype)
        within = np.arange(shape[axis]) < counts.reshape(-1, 1, 1)
        within = within if not is_channels_last(known) else np.swapaxes(within, 1, 2)
        np.copyto(result, np.expand_dims(share, axis), where=within.reshape(within.shape[3 - len(shape) :]))
        return (result,)

    return deliver((Result(shape, grad.dtype),), compute, out, (grad_output, grad))[0]
