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
from numpool.geometry import Axis, is_channels_last, spatial_axes


@dataclass(frozen=True)
class Indices:
    """The indices of one call, into an input of this shape."""

    convention: str
    shape: Shape
    layout: str
    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        if self.taps >= 2**31:
            kernels = " x ".join(str(a.kernel) for a in self.axes)
            raise ValueError(f"indices need windows of fewer than 2**31 taps; got {kernels}")

    @property
    def taps(self) -> int:
        """Of the largest window."""
        return prod(a.kernel for a in self.axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.convention != "window":
            return np.dtype(np.int64)
        return np.dtype(np.uint8 if self.taps <= 255 else np.uint16 if self.taps <= 65535 else np.int32)

    @property
    def no_tap(self) -> int:
        """What stands for "no tap"."""
        return -1 if self.dtype.kind == "i" else int(np.iinfo(self.dtype).max)

    def steps(self) -> list[int]:
        """What one step along each axis of the input adds to an index."""
        shape, ndim = self.shape, len(self.shape)
        spatial = spatial_axes(ndim, self.layout)
        steps = [0] * ndim
        if self.convention == "tensor":
            steps = [prod(shape[a + 1 :]) for a in range(ndim)]
        elif self.convention != "window":
            channel = ndim - 1 if is_channels_last(self.layout) else spatial[0] - 1
            channels = shape[channel] if self.convention == "nhwc" and channel >= 0 else 1
            for a in spatial:
                steps[a] = prod(shape[a + 1 : spatial[-1] + 1]) * channels
            if self.convention == "nhwc" and channel >= 0:
                steps[channel] = 1
        return steps

    def checked(self, source: Any, wanted: Shape, like: str = "grad_output") -> np.ndarray:
        """Indices in their convention's own dtype; other integer dtypes are looked through and converted."""
        indices = np.asarray(source)
        if indices.dtype.kind not in "iu":
            raise TypeError(f"indices must have an integer dtype; got {indices.dtype}")
        if indices.shape != wanted:
            raise ValueError(f"indices must have the shape {wanted} of {like}; got {indices.shape}")
        if indices.dtype == self.dtype and indices.dtype.isnative and indices.flags.aligned:
            return indices
        low, high = min(self.no_tap, 0), int(np.iinfo(self.dtype).max)
        for found in (int(indices.min()), int(indices.max())) if indices.size else ():
            if not low <= found <= high:
                raise ValueError(f'"{self.convention}" indices must lie within {low} and {high}; got {found}')
        return indices.astype(self.dtype)

    def places(self, indices: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Where each index stands along each spatial axis, and which of them name an element of their own plane."""
        spatial = spatial_axes(len(self.shape), self.layout)
        grid = np.ogrid[tuple(slice(n) for n in indices.shape)]
        rest = indices.astype(np.int64)
        if self.convention == "window":
            good = (rest >= 0) & (rest < self.taps)
            places: list[np.ndarray] = []
            for a, side in reversed(list(zip(spatial, self.axes, strict=True))):
                start, count = grid[a] * side.stride - side.before, np.asarray(side.kernel)
                if side.table is not None:  # taps are numbered in the window's own shape
                    along = [-1 if b == a else 1 for b in range(rest.ndim)]
                    start, count = (side.table[0, :, n].reshape(along) for n in (0, 1))
                places.insert(0, start + rest % count * side.dilation)
                rest = rest // count
            good = good & (rest == 0)
        else:
            steps = self.steps()
            rest = rest - sum(step * grid[a] for a, step in enumerate(steps) if a not in spatial)
            places, good = [], rest >= 0
            for a in spatial:
                places.append(rest // steps[a])
                rest = rest % steps[a]
            good = good & (rest == 0)
        for side, place in zip(self.axes, places, strict=True):
            good = good & (place >= 0) & (place < side.size)
        return places, good

    def wrong(self, indices: np.ndarray) -> str:
        """Which index names no element of its plane, or no tap inside the input, for the error text."""
        rule = "name a tap of their window that lies inside the input"
        if self.convention != "window":
            rule = "lie in their own plane of the input"
        good = self.places(indices)[1]
        where = tuple(int(n) for n in np.argwhere(~good & (indices != self.no_tap))[0])
        return (
            f'"{self.convention}" indices must be {self.no_tap} or {rule}, of shape {self.shape}; '
            f"got {indices[where]} at {where}"
        )

    def named(self, places: list[np.ndarray], good: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
        """Indices of these places along the spatial axes, "no tap" where they are not `good`; `order`: tap numbers."""
        if self.convention == "window":
            assert order is not None
            return np.where(good, order, self.no_tap).astype(self.dtype)
        spatial, flat = spatial_axes(len(self.shape), self.layout), np.zeros(good.shape, np.int64)
        grid = np.ogrid[tuple(slice(n) for n in good.shape)]
        for a, step in enumerate(self.steps()):
            flat += step * (places[a - spatial[0]] if a in spatial else grid[a])
        return np.where(good, flat, -1)

    def in_plane(self, indices: np.ndarray) -> tuple[Indices, np.ndarray]:
        """The same indices as positions in their planes."""
        places, good = self.places(indices)
        if not (good | (indices == self.no_tap)).all():
            raise ValueError(self.wrong(indices))
        plane = Indices("plane", self.shape, self.layout, self.axes)
        return plane, plane.named(places, good)
