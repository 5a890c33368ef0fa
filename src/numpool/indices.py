"""Indices: what the numbers that name a window's winner mean, under each of the four conventions.

``plane``, ``tensor`` and ``nhwc`` name a position of the input, so much for each step along each of its axes;
``window`` names a tap of the window, in row-major order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from numpool.arrays import Shape
from numpool.geometry import Axis, spatial_axes


@dataclass(frozen=True)
class Indices:
    """The indices of one call, into an input of this shape."""

    convention: str
    shape: Shape
    layout: str
    h: Axis
    w: Axis

    def __post_init__(self) -> None:
        if self.h.kernel * self.w.kernel >= 2**31:
            raise ValueError(f"indices need windows of fewer than 2**31 taps; got {self.h.kernel} x {self.w.kernel}")

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.convention != "window":
            return np.dtype(np.int64)
        taps = self.h.kernel * self.w.kernel
        return np.dtype(np.uint8 if taps <= 255 else np.uint16 if taps <= 65535 else np.int32)

    @property
    def no_tap(self) -> int:
        """What stands for "no tap"."""
        return -1 if self.dtype.kind == "i" else int(np.iinfo(self.dtype).max)

    def steps(self) -> list[int]:
        """What one step along each axis of the input adds to an index."""
        shape, ndim = self.shape, len(self.shape)
        height, width = spatial_axes(ndim, self.layout)
        steps = [0] * ndim
        if self.convention == "plane":
            steps[height], steps[width] = shape[width], 1
        elif self.convention == "tensor":
            steps = [prod(shape[a + 1 :]) for a in range(ndim)]
        elif self.convention == "nhwc":
            channel = ndim - 1 if self.layout == "NHWC" else ndim - 3
            channels = shape[channel] if channel >= 0 else 1
            steps[height], steps[width] = shape[width] * channels, channels
            if channel >= 0:
                steps[channel] = 1
        return steps

    def checked(self, source: Any, wanted: Shape) -> np.ndarray:
        """Indices in their convention's own dtype; other integer dtypes are looked through and converted."""
        indices = np.asarray(source)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"indices must have an integer dtype; got {indices.dtype}")
        if indices.shape != wanted:
            raise ValueError(f"indices must have the shape {wanted} of grad_output; got {indices.shape}")
        if indices.dtype == self.dtype and indices.dtype.isnative and indices.flags.aligned:
            return indices
        low, high = min(self.no_tap, 0), int(np.iinfo(self.dtype).max)
        for found in (int(indices.min()), int(indices.max())) if indices.size else ():
            if not low <= found <= high:
                raise ValueError(f"{self.convention} indices must lie within {low} and {high}; got {found}")
        return indices.astype(self.dtype)

    def wrong(self, indices: np.ndarray) -> str:
        """Which index names no element of its plane, or no tap inside the input, for the error text."""
        axes, sides = spatial_axes(len(self.shape), self.layout), (self.h, self.w)
        grid = np.ogrid[tuple(slice(n) for n in indices.shape)]
        flat = indices.astype(np.int64)
        if self.convention == "window":
            good, rule = flat >= 0, "name a tap of their window that lies inside the input"
            taps = (flat // self.w.kernel, flat % self.w.kernel)
            places = [
                grid[a] * side.stride - side.before + tap * side.dilation
                for a, side, tap in zip(axes, sides, taps, strict=True)
            ]
        else:
            steps, rule = self.steps(), "lie in their own plane of the input"
            rest = flat - sum(step * grid[a] for a, step in enumerate(steps) if a not in axes)
            good = (rest >= 0) & (rest % steps[axes[0]] % steps[axes[1]] == 0)
            places = [rest // steps[axes[0]], rest % steps[axes[0]] // steps[axes[1]]]
        for side, place in zip(sides, places, strict=True):
            good = good & (place >= 0) & (place < side.size)
        where = tuple(int(n) for n in np.argwhere(~good & (flat != self.no_tap))[0])
        return (
            f'"{self.convention}" indices must be {self.no_tap} or {rule}, of shape {self.shape}; '
            f"got {indices[where]} at {where}"
        )
