"""Windows tap by tap, for operations that no kernel does: every tap of all windows at once, as a view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from numpool.geometry import Axis, spatial_axes


def padded(x: np.ndarray, layout: str, axes: tuple[Axis, ...], fill: Any) -> np.ndarray:
    """A copy of `x` with `fill` around it, so that every tap of every window exists."""
    around = [(0, 0)] * x.ndim
    for a, side in zip(spatial_axes(x.ndim, layout), axes, strict=True):
        behind = (side.out - 1) * side.stride - side.before + side.extent - side.size
        around[a] = (side.before, max(0, behind))
    return np.pad(x, around, constant_values=fill)


def taps(x: np.ndarray, layout: str, axes: tuple[Axis, ...]) -> Iterator[np.ndarray]:
    """The taps in row-major order, each a view of the padded array of the output's shape."""
    spatial = spatial_axes(x.ndim, layout)
    for tap in np.ndindex(*(side.kernel for side in axes)):
        where = [slice(None)] * x.ndim
        for a, side, t in zip(spatial, axes, tap, strict=True):
            start = t * side.dilation
            where[a] = slice(start, start + (side.out - 1) * side.stride + 1, side.stride)
        yield x[tuple(where)]


def picked(x: np.ndarray, layout: str, axes: tuple[Axis, ...], numbers: np.ndarray) -> np.ndarray:
    """Of every window the tap of its number, a new array; `x` is padded."""
    x = np.ascontiguousarray(x)
    steps, spatial = [stride // x.itemsize for stride in x.strides], spatial_axes(x.ndim, layout)
    offsets = np.zeros((), np.intp)
    for a, side in zip(spatial, axes, strict=True):
        offsets = np.add.outer(offsets, np.arange(side.kernel) * (side.dilation * steps[a]))
        steps[a] *= side.stride
    place = offsets.ravel()[numbers]
    for a, n in enumerate(numbers.shape):
        place += (np.arange(n) * steps[a]).reshape(-1, *[1] * (x.ndim - 1 - a))
    values: np.ndarray = np.take(x.ravel(), place)
    return values


def inside(shape: tuple[int, ...], layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    """True where there is an element, False in the padding; an array that broadcasts against the padded one."""
    spatial = spatial_axes(len(shape), layout)
    only = tuple(n if a in spatial else 1 for a, n in enumerate(shape))
    return padded(np.ones(only, bool), layout, axes, False)


def unpadded(x: np.ndarray, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    """The part of a padded array that is not padding."""
    where = [slice(None)] * x.ndim
    for a, side in zip(spatial_axes(x.ndim, layout), axes, strict=True):
        where[a] = slice(side.before, side.before + side.size)
    return x[tuple(where)]
