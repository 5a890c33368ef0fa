"""Planes as the lanes of pixels.

Where the windows of planes go one by one along their rows, or rows are short, groups of planes are turned first
(planes.h), a strip of rows at a time, if that `pays`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from numpool import _kernels
from numpool.arrays import FLOATS, Lying, Place, name_of
from numpool.blocks import (
    LEAST_RUN,
    MOST_PICKED,
    MOST_PICKED_REGULAR,
    PICK_COST,
    accumulator,
    are_added,
    are_alike,
    folds_slabs,
    is_flat,
    is_narrow,
    is_slid,
    windows_of_unit,
)
from numpool.flatten import LEAST_LANES, is_lone, is_whole
from numpool.geometry import UNIT, Axis, number_of_tables

# Bytes of a strip of a group of planes and of its results: as many as stay in a small second-level cache beside what
# they come from; where a strip takes more, at most; and where a strip of rows is many short runs of memory.
STRIP_BYTES = 96 * 1024
MOST_STRIP_BYTES = 256 * 1024
ACROSS_BYTES = 2 * 1024 * 1024
# Vectors of the input for each window up to which planes are turned: for irregular windows, for those that go one by
# one, with indices and without, and of the latter for a row of windows that are small or leave something over.
MOST_SHARE = 8
MOST_SHARE_INDEXED = 56
MOST_SHARE_ALONE = 0.5
MOST_SHARE_SMALL = 1.25
MOST_SHARE_ROW = 28
# Taps from which sums, and windows with indices, at stride 1 are slow along rows of a few vectors; and extremes.
LEAST_WIDE = 5
LEAST_WIDE_EXTREME = 9


def is_turned(
    operation: str, at: Place, axes: tuple[Axis, ...], x: Lying, y: Lying, divisor: int, across_first: bool = False
) -> bool:
    """Whether groups of planes become the lanes of pixels (planes.h): they can where each lies in memory without a gap
    and all have the same windows, and do where it `pays`."""
    if operation.endswith("backward") or at.has_lanes or are_added(operation, axes):
        return False
    step = x.itemsize
    for a in reversed(at.spatial_by_memory(x)):
        if x.shape[a] > 1 and x.strides[a] != step:
            return False
        step *= x.shape[a]
    planes, results = prod(at.split(x.shape)[0]) // number_of_tables(axes), prod(a.out for a in axes)
    made = y.itemsize + 8 * operation.startswith("arg")
    slow = across_first or at.columns_apart(x) or is_slow(operation, x.dtype, axes, step / results, divisor)
    least = step + results * made
    down = len(axes) == 1 and x.itemsize * LEAST_LANES <= _kernels.TURNED and not is_ordered(operation, x.dtype, axes)
    if len(axes) == 2 or down:
        h, w = (*axes, UNIT)[:2]
        rows = least_rows(h)
        least = rows_read(h, rows) * w.size * x.itemsize + rows * w.out * made
    return pays(slow, planes, least, x.itemsize)


def is_ordered(operation: str, dtype: np.dtype[Any], axes: tuple[Axis, ...]) -> bool:
    """Whether sums are made across rows alone: wide ones, and those of clipped windows, are others down columns."""
    clipped = operation == "average" and not all(a.inside for a in axes)
    return name_of(dtype) in FLOATS and (operation == "wide_average" or clipped)


def least_rows(h: Axis) -> int:
    """Rows of windows of a strip, which reads half as many rows again as it would without its neighbours, at most."""
    return min(h.out, max(1, -(-2 * (h.extent - h.stride) // h.stride)))


def rows_read(h: Axis, rows: int) -> int:
    """How many rows so many windows, one after the other, read at most."""
    return min(h.size, (rows - 1) * h.stride + h.extent)


def pays(slow: bool, planes: int, plane_bytes: int, itemsize: int) -> bool:
    """Whether to turn planes costs less than it spares: their windows are slow, the lanes of groups full or nearly so,
    and what is turned at once of a group, with its results, stays in the second-level cache."""
    lanes = _kernels.TURNED // itemsize
    groups = -(-planes // lanes)
    return slow and lanes * plane_bytes <= MOST_STRIP_BYTES and groups * lanes * 3 <= planes * 4


def strips(h: Axis, block_rows: int, row_bytes: int, out_row_bytes: int, most: int) -> tuple[int, int, int]:
    """How many strips the rows of windows of a group are cut into, the rows of a block of theirs, and the most rows of
    a strip, of no more than `most` bytes where it can be. `row_bytes`, of the input and of the output, are those of all
    planes of the group."""
    if rows_read(h, h.out) * row_bytes + h.out * out_row_bytes <= most:
        return 1, block_rows, h.out
    fit = (most - (h.extent - h.stride) * row_bytes) // (h.stride * row_bytes + out_row_bytes)
    fit = max(fit, least_rows(h))
    block_rows = min(block_rows, -(-h.out // -(-h.out // fit)))
    blocks = -(-h.out // block_rows)
    count = -(-blocks // (fit // block_rows))
    return count, block_rows, min(h.out, -(-blocks // count) * block_rows)


def is_slow(operation: str, dtype: np.dtype[Any], axes: tuple[Axis, ...], share: float, divisor: int) -> bool:
    """Whether windows of planes are slow: they go one by one along a row, or a row of them is short beside a vector of
    this level. `share`: bytes of the input for each window, what turning costs it. The bounds are measured ones."""
    h, w = axes[-2] if len(axes) > 1 else UNIT, axes[-1]
    arg, vector = operation.startswith("arg"), _kernels.vector_bytes()
    if len(axes) == 2 and is_flat(operation, *axes, dtype.itemsize, divisor):
        return False  # as one long row
    size = accumulator(operation, name_of(dtype)) // (1 + arg)
    lanes, kernel = vector // size, max(h.kernel, w.kernel)
    one_by_one = w.table is not None or not (w.stride == 1 or (w.stride == 2 and w.kernel <= 5 and w.dilation == 1))
    if len(axes) < 3 and size == 4 and one_by_one and is_picked(operation, dtype, h, w, share, divisor):
        return False
    if any(a.table is not None for a in axes):
        return arg or (is_lone(axes) and operation not in ("max", "min")) or share <= MOST_SHARE * vector
    tiles = all(a.tiles for a in axes)
    if len(axes) == 3 and axes[0].kernel > 1 and kernel > 1:  # three stages
        if not arg and all(map(is_whole, axes)):
            return False
        if tiles or folds_slabs(operation, name_of(dtype), (h, w), divisor):
            return w.out <= lanes
        return True
    if arg and (w.out == 1 or one_by_one):
        return share <= MOST_SHARE_INDEXED * vector
    if w.out == 1:
        return False
    if w.kernel == w.stride == 4 and w.before == 0 and 2 * w.out >= lanes:
        return False  # a vector of windows at once (transpose.h)
    if one_by_one:
        share /= min(vector, vector * vector // 32)  # short vectors gain less
        if len(axes) == 1:
            return share <= MOST_SHARE_SMALL and w.out > lanes
        few = share * w.out <= MOST_SHARE_ROW and (share <= MOST_SHARE_SMALL or not tiles)
        return few or share <= MOST_SHARE_ALONE
    if not are_alike(operation, divisor):
        return w.out <= lanes * 3 // 2
    comparable = operation == "argmax" and name_of(dtype) in ("float32", "float64")  # else indices need a pass before
    if all(a.kernel <= a.stride for a in axes) and (comparable or not arg):
        return False  # each element is read once, by whole vectors where planes follow each other
    if w.stride == 2:
        five = operation in ("max", "min") and lanes >= _kernels.FIVE_LANES  # narrow rows alone
        slid = is_slid(operation, h, w, divisor, (2, 3, 5) if five else (2, 3))
        if not arg and slid and h.stride == 2 and is_narrow(w, lanes):
            return False
        return 4 * w.out <= lanes * (3 * kernel - 6 + (arg and not w.inside))
    if w.out < lanes and 4 * w.out <= lanes * (kernel - 1):
        return True
    if len(axes) == 1:
        return arg and w.out <= 4 * lanes
    if operation in ("max", "min"):
        return kernel >= LEAST_WIDE_EXTREME and w.out <= 2 * lanes
    return kernel >= LEAST_WIDE and w.out <= (2 if arg or kernel <= LEAST_RUN else 4) * lanes


def is_picked(operation: str, dtype: np.dtype[Any], h: Axis, w: Axis, share: float, divisor: int) -> bool:
    """Whether windows that else go one by one are picked from vectors of columns (pick.h, which knows more), a row of
    them for less than it costs to turn what they read: smaller elements cost little."""
    irregular, vector = w.table is not None, _kernels.vector_bytes()
    most = MOST_PICKED if irregular else MOST_PICKED_REGULAR
    if vector not in PICK_COST or dtype.itemsize != 4 or h.kernel > MOST_PICKED or w.kernel > most or w.out == 1:
        return False
    if operation not in ("max", "min") and not (operation == "average" and (divisor or irregular)):
        return False
    windows = windows_of_unit(w, vector)
    units = -(-w.out // min(max(windows, 1), vector // 4))
    cost = PICK_COST[vector] * units * (2 if w.kernel > 4 else 1)
    return windows >= _kernels.LEAST_PICKED and share * w.out >= 4 * cost
