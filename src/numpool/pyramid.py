"""Pooling to several sizes at once: the spatial pyramid."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from numpool.arguments import LAYOUTS, choice, integer
from numpool.arrays import DTYPES, FLOATS, Result, check_output_shape, checked_array, narrowed, sum_dtype
from numpool.documents import document
from numpool.forward import average_dtype
from numpool.geometry import is_channels_last, spatial_sizes
from numpool.plan import deliver, pool
from numpool.pooling import Array

__all__ = ["spatial_pyramid_pool2d", "spatial_pyramid_pool2d_backward"]


def bins(levels: Any) -> list[tuple[int, int]]:
    """The (rows, columns) of each level."""
    rule = "levels must be a sequence of integers, or of pairs (rows, columns), at least one"
    if not isinstance(levels, tuple | list):
        raise TypeError(f"{rule}; got {levels!r}")
    if not levels:
        raise ValueError(f"{rule}; got {levels!r}")
    pairs = [tuple(level) if isinstance(level, tuple | list) else (level, level) for level in levels]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"{rule}; got {levels!r}")
    return [(integer("levels", rows, 1), integer("levels", columns, 1)) for rows, columns in pairs]


def checked(x: Any, levels: Any, op: Any, layout: Any) -> tuple[np.ndarray, list[tuple[int, int]], list[int]]:
    """The input, the bins of each level, and how many features each gives; or what is wrong with one of these."""
    choice("op", op, ("max", "avg"))
    choice("layout", layout, LAYOUTS[2])
    sizes, x = bins(levels), checked_array("x", x, DTYPES)
    if x.ndim < 3:
        raise ValueError(f"x must have a channel, a height and a width; got shape {x.shape}")
    spatial_sizes(x.shape, layout)
    channels = x.shape[-1 if is_channels_last(layout) else -3]
    return x, sizes, [channels * rows * columns for rows, columns in sizes]


def features_last(x: np.ndarray, layout: str) -> np.ndarray:
    """The bins of one level as (..., channel * row * column)."""
    if is_channels_last(layout):
        x = np.moveaxis(x, -1, -3)
    return x.reshape(*x.shape[:-3], prod(x.shape[-3:]))


@document
def spatial_pyramid_pool2d(
    x: npt.ArrayLike,
    levels: Sequence[int] | Sequence[tuple[int, int]],
    op: Literal["max", "avg"] = "max",
    *,
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    out: Array | None = None,
) -> Array:
    """Adaptive pooling to several sizes at once, as one vector of features.

    Parameters
    ----------
    x : array_like, (..., C, H, W) or (..., H, W, C)
        float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.
    levels : sequence of int, or of pairs (rows, columns)
        The bins of each level: n stands for n x n.
    op : {"max", "avg"}
        What is taken of each bin.
    {layout}
    {out}

    Returns
    -------
    y : array, (..., F)
        F is C times the number of all bins. The features lie in the order level, channel, row, column, in either
        layout.

    Raises
    ------
    {raises}

    References
    ----------
    K. He, X. Zhang, S. Ren, J. Sun: Spatial pyramid pooling in deep convolutional networks for visual recognition,
    2014.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.spatial_pyramid_pool2d(np.arange(16).reshape(1, 1, 4, 4), [1, 2])
    array([[15,  5,  7, 13, 15]])
    """
    given = x
    x, sizes, counts = checked(x, levels, op, layout)
    dtype = x.dtype if op == "max" else average_dtype(None, x.dtype)

    def compute() -> tuple[np.ndarray]:
        tail = (0, layout, "plane") if op == "max" else (layout, None)
        pooled = (pool(f"adaptive_{op}_pool2d", (x,), (size, *tail), None)[0] for size in sizes)
        return (np.concatenate([features_last(y, layout) for y in pooled], axis=-1),)

    return deliver((Result((*x.shape[:-3], sum(counts)), dtype),), compute, out, (given, x))[0]


@document
def spatial_pyramid_pool2d_backward(
    grad_output: npt.ArrayLike,
    x: npt.ArrayLike,
    levels: Sequence[int] | Sequence[tuple[int, int]],
    op: Literal["max", "avg"] = "max",
    *,
    layout: Literal["NCHW", "NHWC"] = "NCHW",
    out: Array | None = None,
) -> Array:
    """Gradient of `spatial_pyramid_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like, (..., F)
        Gradient of the output: float16, bfloat16, float32 or float64.
    x : array_like, (..., C, H, W) or (..., H, W, C)
        The input, in which the maxima are found again.
    levels : sequence of int, or of pairs (rows, columns)
        The bins of each level.
    op : {"max", "avg"}
        What was taken of each bin.
    {layout}
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
    >>> x = np.arange(4.0).reshape(1, 1, 2, 2)
    >>> numpool.spatial_pyramid_pool2d_backward(np.array([[1.0, 2, 3, 4, 5]]), x, [1, 2])
    array([[[[2., 3.],
             [4., 6.]]]])
    """
    given = grad_output, x
    x, sizes, counts = checked(x, levels, op, layout)
    grad = checked_array("grad_output", grad_output, FLOATS)
    check_output_shape("grad_output", grad, (*x.shape[:-3], sum(counts)), f"x of {x.shape}")

    @np.errstate(invalid="ignore", over="ignore")
    def compute() -> tuple[np.ndarray]:
        wide = grad.astype(sum_dtype(grad.dtype), copy=False)
        total = np.zeros(x.shape, wide.dtype)
        for (rows, columns), part in zip(sizes, np.split(wide, np.cumsum(counts)[:-1], axis=-1), strict=True):
            part = part.reshape(*x.shape[:-3], part.shape[-1] // (rows * columns), rows, columns)
            part = np.ascontiguousarray(np.moveaxis(part, -3, -1)) if is_channels_last(layout) else part
            if op == "max":
                indices = pool("adaptive_max_pool2d", (x,), ((rows, columns), 1, layout, "plane"), None)[1]
                args = (x.shape, (rows, columns), layout, "plane")
                total += pool("adaptive_max_pool2d_backward", (part, indices), args, None)[0]
            else:
                total += pool("adaptive_avg_pool2d_backward", (part,), (x.shape, layout), None)[0]
        return (narrowed(total, grad.dtype),)

    return deliver((Result(x.shape, grad.dtype),), compute, out, (*given, grad, x))[0]
