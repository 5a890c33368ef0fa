"""Pooling to a given size: adaptive and global."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, cast, overload

import numpy as np
import numpy.typing as npt

from numpool.arguments import INDEXES, LAYOUTS, RANKS, choice, input_size
from numpool.arrays import DTYPES, checked_array
from numpool.documents import document, documented
from numpool.forward import average_of, extremum_of
from numpool.geometry import Axis, rank_of, spatial_axes, spatial_sizes, whole_axis, without
from numpool.plan import CALLS, Call, pool
from numpool.pooling import Array, Index, Layout, Sizes, as_key

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool1d_backward",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_backward",
    "adaptive_avg_pool3d",
    "adaptive_avg_pool3d_backward",
    "adaptive_max_pool1d",
    "adaptive_max_pool1d_backward",
    "adaptive_max_pool2d",
    "adaptive_max_pool2d_backward",
    "adaptive_max_pool3d",
    "adaptive_max_pool3d_backward",
    "global_avg_pool",
    "global_avg_pool_backward",
    "global_max_pool",
    "global_max_pool_backward",
]


# --- adaptive --------------------------------------------------------------------------------------------------------


class AdaptiveMax(Protocol):
    """The type of adaptive_max_pool1d and its kin."""

    @overload
    def __call__(
        self,
        x: npt.ArrayLike,
        output_size: Sizes,
        return_indices: Literal[False] = False,
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        x: npt.ArrayLike,
        output_size: Sizes,
        return_indices: Literal[True],
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: tuple[Array, Array] | None = None,
    ) -> tuple[Array, Array]: ...


def adaptive_max(rank: int) -> AdaptiveMax:
    name, channels_first = f"adaptive_max_pool{rank}d", LAYOUTS[rank][0]

    def adaptive_max(
        x: npt.ArrayLike,
        output_size: Sizes,
        return_indices: bool = False,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Any = None,
    ) -> Array | tuple[Array, Array]:
        results = pool(name, (x,), (as_key(output_size), 1 if return_indices else 0, layout, index), out)
        return (results[0], results[1]) if return_indices else results[0]

    text = """Maximum over {RANK}-D windows that share the input evenly.

    Parameters
    ----------
    {x}
    {output_size}
    {return_indices}
    {layout}
    {index}
    {out_indices}

    Returns
    -------
    {returns_y}
    {returns_indices}

    Raises
    ------
    {raises}

    Notes
    -----
    Window i of O over L positions is [floor(i * L / O), ceil((i + 1) * L / O)), in integers. O > L is fine.

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.adaptive_max_pool{RANK}d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.adaptive_max_pool{RANK}d(np.arange(5).reshape(SHAPE), SIZE).ravel()
    array([1, 3, 4])
    """
    return cast(AdaptiveMax, documented(adaptive_max, name, example(text, rank), rank))


def example(text: str, rank: int) -> str:
    """The shape of one row, and a size that pools along it alone."""
    return text.replace("SHAPE", ("5", "1, 5", "1, 1, 5")[rank - 1]).replace(
        "SIZE", ("3", "(1, 3)", "(1, 1, 3)")[rank - 1]
    )


class AdaptiveMaxBackward(Protocol):
    """The type of adaptive_max_pool1d_backward and its kin."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        input_shape: Sequence[int],
        output_size: Sizes,
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...


def adaptive_max_backward(rank: int) -> AdaptiveMaxBackward:
    name, channels_first = f"adaptive_max_pool{rank}d_backward", LAYOUTS[rank][0]

    def adaptive_max_backward(
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        input_shape: Sequence[int],
        output_size: Sizes,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array:
        args = (as_key(input_shape), as_key(output_size), layout, index)
        return pool(name, (grad_output, indices), args, out)[0]

    text = """Gradient of `adaptive_max_pool{RANK}d` with respect to its input.

    Parameters
    ----------
    {grad_output}
    {indices}
    {input_shape}
    {output_size}
    {layout}
    {index}
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
    >>> x = np.arange(5.0).reshape(SHAPE)
    >>> y, indices = numpool.adaptive_max_pool{RANK}d(x, SIZE, return_indices=True)
    >>> numpool.adaptive_max_pool{RANK}d_backward(np.ones_like(y), indices, x.shape, SIZE).ravel()
    array([0., 1., 0., 1., 1.])
    """
    return documented(adaptive_max_backward, name, example(text, rank), rank)


class AdaptiveAverage(Protocol):
    """The type of adaptive_avg_pool1d and its kin."""

    def __call__(
        self,
        x: npt.ArrayLike,
        output_size: Sizes,
        *,
        layout: Layout = ...,
        dtype: npt.DTypeLike | None = None,
        out: Array | None = None,
    ) -> Array: ...


def adaptive_average(rank: int) -> AdaptiveAverage:
    name, channels_first = f"adaptive_avg_pool{rank}d", LAYOUTS[rank][0]

    def adaptive_average(
        x: npt.ArrayLike,
        output_size: Sizes,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        dtype: npt.DTypeLike | None = None,
        out: Array | None = None,
    ) -> Array:
        return pool(name, (x,), (as_key(output_size), layout, dtype), out)[0]

    text = """Average over {RANK}-D windows that share the input evenly.

    Parameters
    ----------
    {x}
    {output_size}
    {layout}
    {dtype}
    {out}

    Returns
    -------
    y : array, {OUTPUT_SHAPES}
        A new array lies in memory as `x` does.

    Raises
    ------
    {raises}

    Notes
    -----
    Window i of O over L positions is [floor(i * L / O), ceil((i + 1) * L / O)), in integers. O > L is fine.

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.adaptive_avg_pool{RANK}d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.adaptive_avg_pool{RANK}d(np.arange(5.0).reshape(SHAPE), SIZE).ravel()
    array([0.5, 2. , 3.5])
    """
    return documented(adaptive_average, name, example(text, rank), rank)


class AdaptiveAverageBackward(Protocol):
    """The type of adaptive_avg_pool1d_backward and its kin."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        input_shape: Sequence[int],
        *,
        layout: Layout = ...,
        out: Array | None = None,
    ) -> Array: ...


def adaptive_average_backward(rank: int) -> AdaptiveAverageBackward:
    name, channels_first = f"adaptive_avg_pool{rank}d_backward", LAYOUTS[rank][0]

    def adaptive_average_backward(
        grad_output: npt.ArrayLike,
        input_shape: Sequence[int],
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        out: Array | None = None,
    ) -> Array:
        return pool(name, (grad_output,), (as_key(input_shape), layout), out)[0]

    text = """Gradient of `adaptive_avg_pool{RANK}d` with respect to its input.

    Parameters
    ----------
    {grad_output}
    {input_shape}
    {layout}
    {out}

    Returns
    -------
    {returns_gradient}

    Raises
    ------
    {raises}

    Notes
    -----
    The number of windows is read off `grad_output`.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.adaptive_avg_pool{RANK}d_backward(np.array([2.0, 3.0, 2.0]).reshape(GRAD), (SHAPE,)).ravel()
    array([1., 2., 1., 2., 1.])
    """
    text = text.replace("GRAD", ("3", "1, 3", "1, 1, 3")[rank - 1])
    return documented(adaptive_average_backward, name, example(text, rank), rank)


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(adaptive_max, RANKS)
adaptive_max_pool1d_backward, adaptive_max_pool2d_backward, adaptive_max_pool3d_backward = map(
    adaptive_max_backward, RANKS
)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(adaptive_average, RANKS)
adaptive_avg_pool1d_backward, adaptive_avg_pool2d_backward, adaptive_avg_pool3d_backward = map(
    adaptive_average_backward, RANKS
)


# --- global ----------------------------------------------------------------------------------------------------------


ANY_LAYOUT = tuple(name for names in LAYOUTS.values() for name in names)


def layout_of(layout: str | None, ndim: int) -> str:
    """The layout of an array of this many dimensions."""
    if layout is None:
        if not 3 <= ndim <= 5:
            raise ValueError(
                f"an array without a layout must have 3 to 5 dimensions, the first two N and C; got {ndim}"
            )
        return LAYOUTS[ndim - 2][0]
    return choice("layout", layout, ANY_LAYOUT)


def gradient_kept(name: str, value: Any, input_shape: Any, layout: str) -> Any:
    """A gradient with its spatial axes, of length 1, where they were dropped."""
    array, shape = np.asarray(value), as_key(input_shape)
    spatial = spatial_axes(len(shape), layout)
    if array.ndim >= len(shape):
        return array
    if array.ndim != len(shape) - len(spatial):
        wanted = without(shape, spatial)
        raise ValueError(f"{name} must have the shape {wanted} where the spatial axes are dropped; got {array.shape}")
    return array[tuple(None if a in spatial else slice(None) for a in range(len(shape)))]


def whole_windows(x: np.ndarray, layout: str | None) -> tuple[str, tuple[Axis, ...], tuple[int, ...]]:
    """The layout of `x`, a window over each spatial axis, and which ones those are."""
    known = layout_of(layout, x.ndim)
    return known, tuple(map(whole_axis, spatial_sizes(x.shape, known))), spatial_axes(x.ndim, known)


def global_max_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    return_indices, keepdims, layout, index = args
    x, index = np.asarray(sources[0]), choice("index", index, INDEXES)
    known, axes, spatial = whole_windows(x, layout)
    x = checked_array("x", x, DTYPES)
    return extremum_of("max", x, known, axes, index if return_indices else None, () if keepdims else spatial)


def global_average_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    keepdims, layout, dtype = args
    x = np.asarray(sources[0])
    known, axes, spatial = whole_windows(x, layout)
    return average_of(checked_array("x", x, DTYPES), known, axes, dtype, dropped=() if keepdims else spatial)


CALLS.update({"global_max_pool": global_max_call, "global_avg_pool": global_average_call})


@overload
def global_max_pool(
    x: npt.ArrayLike,
    return_indices: Literal[False] = False,
    *,
    keepdims: bool = True,
    layout: Layout | None = None,
    index: Index = "plane",
    out: Array | None = None,
) -> Array: ...
@overload
def global_max_pool(
    x: npt.ArrayLike,
    return_indices: Literal[True],
    *,
    keepdims: bool = True,
    layout: Layout | None = None,
    index: Index = "plane",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
@document
def global_max_pool(
    x: npt.ArrayLike,
    return_indices: bool = False,
    *,
    keepdims: bool = True,
    layout: Layout | None = None,
    index: Index = "plane",
    out: Any = None,
) -> Array | tuple[Array, Array]:
    """Maximum over all spatial axes.

    Parameters
    ----------
    {any_x}
    {return_indices}
    {keepdims}
    {any_layout}
    {any_index}
    {out_indices}

    Returns
    -------
    y : array
        Of the dtype of `x`; its spatial axes have length 1, or are dropped.
    {returns_indices}

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(8.0).reshape(1, 2, 2, 2)
    >>> numpool.global_max_pool(x, keepdims=False)
    array([[3., 7.]])
    """
    args = (1 if return_indices else 0, 1 if keepdims else 0, layout, index)
    results = pool("global_max_pool", (x,), args, out)
    return (results[0], results[1]) if return_indices else results[0]


@document
def global_max_pool_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: Layout | None = None,
    index: Index = "plane",
    out: Array | None = None,
) -> Array:
    """Gradient of `global_max_pool` with respect to its input.

    Parameters
    ----------
    {any_grad_output}
    indices : array_like of integers, same shape
        What `global_max_pool` returned, in the same `index` convention.
    {input_shape}
    {any_layout}
    {any_index}
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
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> y, indices = numpool.global_max_pool(x, True)
    >>> numpool.global_max_pool_backward(np.full_like(y, 5), indices, x.shape)
    array([[[[0., 0.],
             [0., 5.]]]])
    """
    known = layout_of(layout, len(input_size(as_key(input_shape))))
    arrays = tuple(
        gradient_kept(name, value, input_shape, known)
        for name, value in (("grad_output", grad_output), ("indices", indices))
    )
    return pool(f"adaptive_max_pool{rank_of(known)}d_backward", arrays, (as_key(input_shape), 1, known, index), out)[
        0
    ]


@document
def global_avg_pool(
    x: npt.ArrayLike,
    *,
    keepdims: bool = True,
    layout: Layout | None = None,
    dtype: npt.DTypeLike | None = None,
    out: Array | None = None,
) -> Array:
    """Average over all spatial axes.

    Parameters
    ----------
    {any_x}
    {keepdims}
    {any_layout}
    {dtype}
    {out}

    Returns
    -------
    y : array
        Its spatial axes have length 1, or are dropped.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.global_avg_pool(np.arange(8.0).reshape(1, 2, 2, 2), keepdims=False)
    array([[1.5, 5.5]])
    """
    return pool("global_avg_pool", (x,), (1 if keepdims else 0, layout, dtype), out)[0]


@document
def global_avg_pool_backward(
    grad_output: npt.ArrayLike,
    input_shape: Sequence[int],
    *,
    layout: Layout | None = None,
    out: Array | None = None,
) -> Array:
    """Gradient of `global_avg_pool` with respect to its input.

    Parameters
    ----------
    {any_grad_output}
    {input_shape}
    {any_layout}
    {out}

    Returns
    -------
    {returns_gradient}

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.global_avg_pool_backward(np.array([[8.0]]), (1, 1, 2, 2))
    array([[[[2., 2.],
             [2., 2.]]]])
    """
    known = layout_of(layout, len(input_size(as_key(input_shape))))
    rank, sizes = rank_of(known), spatial_sizes(as_key(input_shape), known)
    grad = gradient_kept("grad_output", grad_output, input_shape, known)
    # one window: a regular average, whose gradient needs no tables
    return pool(f"avg_pool{rank}d_backward", (grad,), (as_key(input_shape), sizes, None, 0, 0, 1, None, known), out)[
        0
    ]
