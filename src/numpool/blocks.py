"""Blocks: how much is done at a time, so that its scratch stays in the caches.

A block is some rows, columns and lanes of the result (of the input, for a backward pass). The kernels fold the windows
of a block into scratch rows first; threads share the blocks.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np

from numpool import _kernels
from numpool.arrays import FLOATS, HALVES
from numpool.flatten import LEAST_LANES, is_lone
from numpool.geometry import UNIT, Axis

Chain: TypeAlias = tuple[tuple[int, int], ...]  # (taps, gap) of each fold

# --- forward: blocks -------------------------------------------------------------------------------------------------

# Bytes of scratch rows that a block fills: half of a small first-level cache (bench/README.md: 4 to 64 KiB).
BLOCK_BYTES = 16 * 1024
# Bytes of a row of windows below which it is not cut into column blocks; of windows that share no row, what is read
# once is best read as it lies.
MOST_ROW_BYTES = 32 * 1024
MOST_LONE_BYTES = 120 * 1024
# Rows of a block of windows that are folded in registers (slide.h), whatever their length.
SLID_ROWS = 8
# Bytes of the image that the slabs of windows are folded to (deep.h), and the rows of windows that it is for at least
# where they share some.
IMAGE_BYTES = 96 * 1024
IMAGE_ROWS = 8
# The most rows, or columns, from the first to the last tap of windows for which slabs are so folded: far dilated ones
# read little of an image, which is large.
MOST_IMAGE_EXTENT = 32
# Rows of a block of lines whose averages are in double (lone.h); and fewer than are worth a block.
LONE_ROWS = 64
LEAST_LONE_ROWS = 8
# Input of a block of planes that go as one long row (flat.h), whose masks are made once a block.
FLAT_INPUT = 128 * 1024
# Taps from which a tall window of an extreme runs down (running.h), the bytes of its block (bench/README.md: 64 KiB
# to 512 are alike) and those of its lanes.
LEAST_TALL = 5
TALL_BYTES = 64 * 1024
TALL_LANES = 256
# A wide window of an average is running sums where it would else be more taps than this. Bytes of scratch rows of a
# block of them that is taller than a window, at most, and of one row: taller blocks and longer rows repeat fewer sums.
LEAST_RUN, LEAST_ROLLED = 7, 5
RUN_BYTES = 512 * 1024
MOST_RUN_BYTES = 1024 * 1024
RUN_ROW_BYTES = 64 * 1024
# Bytes of the scratch of windows whose sums roll, where they leave room for columns enough, and how many times the rows
# of a window a block of theirs has at most.
ROLL_BYTES = 128 * 1024
ROLL_ROWS = 4
# Taps of a window of bytes, and of its sides, up to which it is added up in 16 bits.
MOST_SHORT, MOST_SHORT_SIDE = 128, 8

# --- indices: blocks -------------------------------------------------------------------------------------------------

# Rows of a block of small windows (argsmall.h) that share rows of taps, at least; of windows read where they lie: rows
# of many lanes often lie a page apart, in the same few sets of a cache.
SMALL_ROWS = _kernels.SMALL_ROWS
ROWS_AS_IS = 4
# Lanes of a block of small windows that are packed, and the input of one, which scratch holds some rows at a time: what
# all rows share is made once a block.
MOST_SMALL_LANES = 352
SMALL_INPUT = 128 * 1024
# Taps along an axis of a table's windows up to which all of them are read anew.
FEW_TAPS = 6
# Rows of a block of large windows (arglarge.h) at least, and the bytes of their rows of taps.
LARGE_ROWS = 8
LARGE_BYTES = 96 * 1024

# --- gradients: blocks -----------------------------------------------------------------------------------------------

# Bytes of a block of an average's gradient, and of its rows: where they are copied and where they are summed.
TILE_BYTES = 256 * 1024
ROW_BYTES = 16 * 1024
PAIR_ROW_BYTES = 60 * 1024
SUM_ROW_BYTES = 5 * 1024
# Bytes of rows of sums of windows folded across first (crosswise.h), and the least lanes of a block of theirs.
CROSSWISE_BYTES = 320 * 1024
CROSSWISE_LANES = 64
# Windows of a row from which rows are folded where they lie, many at a time: no scratch holds them.
LEAST_ALONG = 64

# Bytes of a block of gradients that are gathered, and its rows, in strides, at least: at its ends windows are looked at
# twice. Bytes of a vector from which threads gather; `Plan.differentiate` says from which one thread does.
GATHER_BYTES = 256 * 1024
GATHER_ROWS = 14
GATHER_VECTOR = 32

# --- picked windows --------------------------------------------------------------------------------------------------

# Most rows and columns of windows that are picked from two vectors (pick.h), and columns of regular ones; and by the
# bytes of a vector, how many elements are turned in the time that up to four columns of such windows take.
MOST_PICKED, MOST_PICKED_REGULAR = _kernels.TALL, 5
PICK_COST = {64: 22, 32: 14}
# Rows of a block of them, for which the places of taps are worked out once, where that leaves threads blocks enough;
# and its columns at most, whose places scratch holds.
PICKED_ROWS, LEAST_BLOCKS, PICKED_COLUMNS = 32, 16, 1024

# ---------------------------------------------------------------------------------------------------------------------


@cache
def passes(kernel: int) -> Chain:
    """A wide window as a chain of narrow folds, (taps, gap) each; only for operations that may count a tap twice.

    A fold of `taps` windows of width w, `gap` <= w positions apart, makes windows of w + (taps - 1) * gap. The chain
    with the fewest loads: 13 is 5 taps, then 3 of those, 4 apart.
    """
    best: list[tuple[int, Chain]] = [(0, ())]
    for k in range(1, kernel + 1):
        choices: list[tuple[int, Chain]] = [(k, ((k, 1),))] if k <= 5 else []
        for taps in range(2, 6):
            for gap in range(1, (k - 1) // (taps - 1) + 1):
                width = k - (taps - 1) * gap
                if gap <= width < k:
                    loads, chain = best[width]
                    choices.append((loads + taps + 1, (*chain, (taps, gap))))  # + 1: the store between
        best.append(min(choices))
    return best[kernel][1]


def can_run(a: Axis, least: int) -> bool:
    """Whether running sums, or extremes, which cost as much as `least` taps, are worth their while along this axis."""
    regular = a.table is None and a.dilation == 1
    return regular and least < a.kernel and a.out * a.kernel > least * ((a.out - 1) * a.stride + a.kernel)


def runs(a: Axis, operation: str, dtype: str, down: bool) -> bool:
    """Whether the windows are running sums, or extremes, along this axis.

    Extremes only down columns: across rows passes are faster. Sums of floats only in wide accumulators, which many
    additions in a row do not harm; that sets their order, so the axis alone decides.
    """
    if operation in ("max", "min"):
        return down and can_run(a, LEAST_TALL)
    if rolls(operation, dtype):
        return can_run(a, LEAST_ROLLED)
    return operation == "wide_average" and can_run(a, LEAST_RUN)


def rolls(operation: str, dtype: str) -> bool:
    """Whether running sums roll, each from the one before (running.h): those of integers, the same in any order."""
    return operation in ("average", "wide_average") and dtype not in FLOATS


def axis_words(a: Axis, operation: str, dtype: str, down: bool) -> dict[str, Any]:
    """The words of an axis in a plan; `down`: its windows are folded down columns, not across rows."""
    chain: Chain = ((a.kernel, 1),)
    free = operation in ("max", "min") and not down  # may count a tap twice
    if free and a.table is None and a.dilation == 1 and 5 < a.kernel <= 512 and a.out > a.kernel:
        longer = passes(a.kernel)
        if a.stride * sum(taps + 1 for taps, _ in longer[:-1]) + longer[-1][0] < a.kernel:
            chain = longer
    return {
        "size": a.size,
        "out": a.out,
        "kernel": a.kernel,
        "stride": a.stride,
        "step": a.dilation,
        "before": a.before,
        "after": a.after,
        "passes": chain,
        "table": None if a.table is None else a.table.tobytes(),
        "running": runs(a, operation, dtype, down),
    }


def accumulator(operation: str, dtype: str) -> int:
    """Bytes of one accumulator, all its parts."""
    size = 1 if dtype == "bool" else np.dtype(dtype if dtype != "bfloat16" else "float16").itemsize
    if operation in ("max", "min"):
        return size
    if operation.startswith("arg"):
        return 2 * max(4, size)
    if operation.endswith("backward"):
        return max(4, size)
    if operation == "short_average":
        return 2
    wide = operation == "wide_average"
    if dtype in FLOATS:
        return (8 if wide else 4) if size < 8 else (16 if wide else 8)
    return {1: 4, 2: 4, 4: 8, 8: 16}[size] * (2 if wide and size <= 2 else 1)


def blocks(
    operation: str,
    dtype: str,
    axes: tuple[Axis, Axis, Axis],
    lanes: int,
    rows: int,
    divisor: int,
    numbered: bool,
    in_step: bool,
    apart: bool,
) -> dict[str, Any]:
    """How many rows, columns and lanes a block has, so that its scratch stays in the first-level cache.

    `numbered`: indices are numbers of taps, which irregular windows count each in its own shape. `in_step`: a vector of
    indices means the same in every lane, see `spec.in_step`. `apart`: see `are_apart`.
    """
    d, h, w = axes
    size = accumulator(operation, dtype)
    irregular = any(a.table is not None for a in axes)
    if operation == "extremum_backward":
        return extremum_backward_blocks(h, w, lanes, size, numbered, in_step, dtype)
    if operation == "average_backward":
        apart = h.kernel <= h.stride and w.kernel <= w.stride
        pairs = h.kernel < 2 * h.stride and w.kernel < 2 * w.stride and 64 <= lanes * size <= ROW_BYTES
        if divisor and (apart or pairs):
            return {"block": spread_block(h, w, lanes, size, rows)}
        return {"block": sums_block(h, w, lanes, size)}
    arg = operation.startswith("arg")
    deep = d is not UNIT
    if apart:
        return {"block": (rows_as_is(h), w.out, lanes), "apart": True}
    if arg and max(h.kernel, w.kernel) <= 3 and h.dilation == w.dilation == 1 and not irregular and not deep:
        return small_blocks(h, w, lanes, size // 2, operation == "argmax" and dtype in ("float32", "float64"))
    if lanes == 1 and are_added(operation, (h, w)):
        return {"block": (LONE_ROWS, 1, 1), "lone": True}
    if are_lines(operation, axes, lanes):
        high = max(1, min(LONE_ROWS, MOST_LONE_BYTES // (w.extent * size)))
        return {"block": (high, 1, 1), "parts": w.extent > _kernels.PART}
    if w.extent > _kernels.PART or (arg and (h.kernel > _kernels.PART or (irregular and numbered))):
        some = max(1, MOST_ROW_BYTES // (min(w.kernel, _kernels.PART) * size))
        if arg:
            some = max(1, min(some, MOST_ROW_BYTES // (min(h.kernel, _kernels.PART) * size)))
        return {"block": (1, 1, min(lanes, some)), "parts": True}
    some = lanes
    alone = h.out == 1 or h.kernel <= h.stride
    most = MOST_LONE_BYTES if alone else MOST_ROW_BYTES
    if w.extent * lanes * size > most:
        some = min(lanes, max(16, most // (w.extent * size) // 16 * 16))
    down = runs(h, operation, dtype, True)
    if down or runs(w, operation, dtype, False):
        if rolls(operation, dtype) and not deep:
            return {"block": (*rolled_block(h, w, some * size, min(size, 8), rows), some)}
        if operation in ("max", "min"):
            some = min(some, TALL_LANES // size)
        cols = min(w.out, max(w.extent, (RUN_ROW_BYTES // (some * size) - w.extent) // w.stride + 1))
        per_row = ((cols - 1) * w.stride + w.extent) * some * size
        room, most = (TALL_BYTES, per_row * h.kernel) if operation in ("max", "min") else (RUN_BYTES, MOST_RUN_BYTES)
        tall = min(max(h.kernel, room // per_row), max(room, most) // per_row)
        return {"block": (max(16, tall), cols, some)}
    if deep and folds_slabs(operation, dtype, (h, w), divisor):
        return {"block": image_block(h, w, lanes, size), "slabs_first": True}
    if not arg and not deep and lanes * size >= 64 and dtype in FLOATS and is_slid(operation, h, w, divisor):
        return {"block": (min(h.out, SLID_ROWS), w.out, lanes)}
    whole = goes_along(operation, dtype, h, w, divisor) or is_flat(operation, h, w, size, divisor)
    if not deep and lanes == 1 and whole and w.size * size <= FLAT_INPUT:
        return {"block": (max(1, FLAT_INPUT // (w.size * size)), w.out, 1)}
    if arg:
        return {"block": (*large_block(h, w, some * size), some)}
    cols, most = w.out, max(BLOCK_BYTES, MOST_ROW_BYTES) // (some * size)
    if w.out * w.stride + w.extent > most:
        cols = max(1, min(w.out, (most - w.extent) // w.stride + 1))
    high = max(1, BLOCK_BYTES // (((cols - 1) * w.stride + w.extent) * some * size))
    if not deep and lanes == 1 and may_pick(operation, dtype, h, w):  # scratch holds where taps are, for all rows alike
        high, cols = max(high, min(PICKED_ROWS, rows // LEAST_BLOCKS)), min(cols, PICKED_COLUMNS)
    return {"block": (high, cols, some)}


def rolled_block(h: Axis, w: Axis, pixel_bytes: int, size: int, rows: int) -> tuple[int, int]:
    """Rows and columns of windows whose sums roll: scratch has a few rows of them, whatever the block's, of which the
    first costs as much as a window has rows. `size`: bytes of one part of a sum."""
    at_once = _kernels.ROLLED * _kernels.vector_bytes() // size
    fit = ROLL_BYTES // ((at_once + 1) * pixel_bytes)  # and the row before them
    cols = min(w.out, max(4 * w.extent, fit - w.extent) // w.stride + 1)
    high = max(h.kernel, min(ROLL_ROWS * h.kernel, rows // LEAST_BLOCKS))
    return max(at_once, high), -(-w.out // -(-w.out // cols))


def folds_slabs(operation: str, dtype: str, axes: tuple[Axis, ...], divisor: int) -> bool:
    """Whether windows over slabs are folded first, to an image (deep.h) of which those over `axes` read most: where
    accumulators are input elements. It sets the order of sums: neither the layout nor the level may decide."""
    if any(a.extent > MOST_IMAGE_EXTENT or a.stride > a.extent for a in axes):
        return False
    if operation in ("max", "min"):
        return dtype not in HALVES
    return operation == "average" and dtype in ("float32", "float64") and divisor != 0


def crosswise_block(h: Axis, w: Axis, lanes: int, size: int) -> tuple[int, int, int]:
    """Windows folded across first (crosswise.h), whose rows of sums stay in the second-level cache: whole planes, if
    they fit, else parts of the lanes, or fewer rows."""
    row = w.out * lanes * size
    parts = min(-(-h.size * row // CROSSWISE_BYTES), max(1, lanes // CROSSWISE_LANES))
    lanes = -(-lanes // parts)
    fit = CROSSWISE_BYTES // (w.out * lanes * size)
    return max(1, min(h.out, (fit - h.kernel) // max(h.stride, 1) + 1 if fit < h.size else h.out)), w.out, lanes


def image_block(h: Axis, w: Axis, lanes: int, size: int) -> tuple[int, int, int]:
    """Rows, columns and lanes of windows whose image stays near: whole planes, or rows of windows, which share some."""
    wanted = min(h.out, IMAGE_ROWS if h.extent > h.stride else 1)
    least = (wanted - 1) * h.stride + h.extent  # rows of the image
    some = lanes
    if least * w.extent * lanes * size > IMAGE_BYTES:
        some = min(lanes, max(16, IMAGE_BYTES // (least * w.extent * size) // 16 * 16))
    cols = max(1, min(w.out, (IMAGE_BYTES // (least * some * size) - w.extent) // w.stride + 1))
    high = IMAGE_BYTES // (((cols - 1) * w.stride + w.extent) * some * size)
    if high >= h.size:
        return high // h.size * h.out, cols, some
    rows = max(1, (high - h.extent) // h.stride + 1)
    return -(-h.out // -(-h.out // rows)), cols, some  # alike


def large_block(h: Axis, w: Axis, window_bytes: int) -> tuple[int, int]:
    """Rows and columns of windows with their taps, where scratch holds rows of taps, each folded once across, and the
    windows: few columns rather than few rows, which share most of those."""
    rows = min(h.out, max(LARGE_ROWS, 2 * h.extent // h.stride))
    rows = -(-h.out // -(-h.out // rows))  # alike
    pixels = 2 * MOST_ROW_BYTES // window_bytes  # of the one row that is packed, each half as long
    room = LARGE_BYTES // (((rows - 1) * h.stride + h.extent + rows) * window_bytes)
    cols = max(1, min(w.out, room, (pixels - w.extent) // w.stride + 1))
    most = (LARGE_BYTES // (cols * window_bytes) - h.extent + h.stride) // (h.stride + 1)
    return max(1, rows if most < h.out else most), cols


def are_apart(operation: str, dtype: str, axes: tuple[Axis, Axis, Axis], lanes: int, nbytes: int) -> bool:
    """Whether windows with their taps share few or none, so that they are read tap after tap, as these lie in memory,
    some vectors of lanes at a time (`apart` in argsmall.h). Regular small ones of images that a cache holds are faster
    all taps of a vector at a time."""
    d, h, w = axes
    irregular = any(a.table is not None for a in axes)
    whole = all(a.dilation == 1 and (a.table is not None or a.inside) for a in axes)
    values = operation == "argmax" and dtype in ("float32", "float64")  # compared as they lie
    if not (values and whole and lanes >= LEAST_LANES):
        return False
    many = lanes * accumulator("max", dtype) >= _kernels.APART * _kernels.vector_bytes()
    if all(a.kernel <= (FEW_TAPS if irregular else min(3, a.stride)) for a in axes):
        return irregular or d is not UNIT or (many and nbytes > 2 * _kernels.BEYOND)
    slabs = min(d.kernel, d.stride)
    in_stages = slabs * (min(h.kernel, h.stride) * w.kernel + h.kernel) + d.kernel
    large = max(a.kernel for a in axes) > 3
    # a tap here costs two thirds of one that goes by way of scratch (bench/README.md, rows AA)
    return many and large and w.out > 1 and d.kernel * h.kernel * w.kernel * 2 <= in_stages * 3


def are_lines(operation: str, axes: tuple[Axis, Axis, Axis], lanes: int) -> bool:
    """Whether windows are one a row of single lanes, read where it lies (`lines` in extremum.h)."""
    d, h, w = axes
    return operation in ("max", "min") and d is UNIT and lanes == w.out == h.kernel == 1


def are_added(operation: str, axes: tuple[Axis, ...]) -> bool:
    """Whether windows are one a line, added as they lie in memory (lone.h)."""
    return operation == "wide_average" and len(axes) == 2 and is_lone(axes[1:])


def are_alike(operation: str, divisor: int) -> bool:
    """Whether all windows are finished alike, and not each divided by its own number."""
    return divisor != 0 or not operation.endswith("average")


def is_slid(operation: str, h: Axis, w: Axis, divisor: int, kernels: tuple[int, ...] = (2, 3)) -> bool:
    """Whether windows are folded in registers, without scratch (slide.h)."""
    small = h.kernel == w.kernel in kernels and h.dilation == w.dilation == 1 and h.table is w.table is None
    return are_alike(operation, divisor) and small and each_has_a_place(h)


def each_has_a_place(a: Axis) -> bool:
    """Whether no window of the axis lies beside the image."""
    return a.before < a.kernel and (a.out - 1) * a.stride - a.before < a.size


def is_flat(operation: str, h: Axis, w: Axis, size: int, divisor: int) -> bool:
    """Whether planes of single lanes may go as one long row (flat.h, which knows more)."""
    regular = all(a.table is None and a.dilation == a.stride == 1 and a.out == a.size for a in (h, w))
    taps = _kernels.FLAT_TAPS
    most = {"max": taps, "min": taps, "average": 3, "short_average": taps}.get(operation, 0)
    few = h.kernel == 1 or h.kernel * h.size * w.size * size <= _kernels.FLAT_MASKS
    return are_alike(operation, divisor) and regular and few and h.kernel <= most and w.kernel <= taps


def goes_along(operation: str, dtype: str, h: Axis, w: Axis, divisor: int) -> bool:
    """Whether long rows of single lanes are folded where they lie (`goes_along` in along.h, which knows more)."""
    regular = all(a.table is None and a.dilation == 1 for a in (h, w)) and h.kernel == 1 and w.stride <= 2
    return regular and dtype in ("float32", "float64") and are_alike(operation, divisor) and w.out >= LEAST_ALONG


def is_narrow(w: Axis, lanes: int) -> bool:
    """Whether windows 2 apart go by vectors that hold all columns of theirs (narrow rows, slide.h), few lanes idle."""
    if lanes < 8:
        return False
    one, two = ((vectors * lanes - w.kernel) // 2 + 1 for vectors in (1, 2))
    busy = _kernels.BUSY[lanes] + (_kernels.FIVE_BUSIER if w.kernel == 5 else 0)
    filled = w.out > one or w.out * 100 >= one * busy
    return filled and w.out <= _kernels.NARROW * two


def may_pick(operation: str, dtype: str, h: Axis, w: Axis) -> bool:
    """Whether windows of a row that else go one by one may be picked (pick.h knows more)."""
    vector = _kernels.vector_bytes()
    if vector not in PICK_COST or accumulator(operation, dtype) != 4 or max(h.kernel, w.kernel) > MOST_PICKED:
        return False
    several = w.kernel <= MOST_PICKED_REGULAR and windows_of_unit(w, vector) >= _kernels.LEAST_PICKED
    return w.table is not None or (w.stride > 2 and several and not w.kernel == w.stride == 4)


def windows_of_unit(w: Axis, vector: int) -> int:
    """Windows that have their taps in two vectors of 4-byte columns, but for the last two."""
    return (2 * vector // 4 - 2 - w.extent) // max(w.stride, 1) + 1


def small_blocks(h: Axis, w: Axis, lanes: int, size: int, comparable: bool) -> dict[str, Any]:
    """Small windows with their taps: whole vectors of `comparable` values are read where they lie, others packed."""
    if comparable and lanes >= 16:
        return {"block": (rows_as_is(h), w.out, lanes)}
    lanes = min(lanes, MOST_SMALL_LANES)
    room = MOST_ROW_BYTES // (lanes * size)
    high = h.kernel + (SMALL_ROWS * h.stride if h.stride < h.kernel else 0)
    cols = min(w.out, max(1, (room // high - w.kernel) // w.stride + 1))
    per_row = (cols - 1) * w.stride + w.kernel
    rows = max(1, SMALL_INPUT // MOST_ROW_BYTES * room // (per_row * h.stride))
    rows -= rows % h.out if rows > h.out else 0
    return {"block": (rows, cols, lanes)}


def rows_as_is(h: Axis) -> int:
    return -(-h.out // -(-h.out // ROWS_AS_IS))  # alike


def spread_block(h: Axis, w: Axis, lanes: int, size: int, rows: int) -> tuple[int, int, int]:
    """A block of an average's gradient whose rows are stored once and copied; see spread.h and expand.h."""
    pixel = lanes * size
    tile = min(4 * TILE_BYTES, max(TILE_BYTES, rows * w.size * pixel // 8))
    if h.kernel > h.stride or w.kernel > w.stride:  # two rows in scratch
        most = PAIR_ROW_BYTES
    else:  # the copies read the first row again; a table is made anew for each block
        most = ROW_BYTES if pixel >= 64 else TILE_BYTES
        if most == ROW_BYTES < w.size * pixel:
            tile = 0  # one row of windows: memory is written from its start to its end
    cols = min(w.size, max(1, most // pixel))
    if w.stride < cols < w.size:
        cols -= cols % w.stride
    return rows_of_tile(h, cols * pixel, tile), cols, lanes


def sums_block(h: Axis, w: Axis, lanes: int, size: int) -> tuple[int, int, int]:
    """A block of an average's gradient where windows meet: a few rows of sums stay in the first-level cache."""
    row = SUM_ROW_BYTES // size
    least = min(w.size, 4 * (w.kernel - 1 + w.stride))  # columns: at its ends a block takes windows of its neighbours
    some = max(64, row // least // 32 * 32)
    if some < lanes:
        some = -(-lanes // -(-lanes // some) // 32) * 32
    some = min(some, lanes)
    cols = min(w.size, max(row // some, least))
    parts = -(-w.size // cols)
    if parts > 1:
        cols = min(w.size, -(-w.size // parts // w.stride) * w.stride)
    return rows_of_tile(h, cols * some * size, TILE_BYTES), cols, some


def rows_of_tile(h: Axis, row_bytes: int, tile_bytes: int) -> int:
    """How many rows a block of an average's gradient has: planes if they fit, else windows."""
    rows = tile_bytes // row_bytes
    whole = h.size if h.size <= rows else h.stride
    return max(1, rows // whole) * whole


def extremum_backward_blocks(
    h: Axis, w: Axis, lanes: int, size: int, numbered: bool, in_step: bool, dtype: str
) -> dict[str, Any]:
    """Windows side by side are spread over the input, a block of output rows at a time; what small ones that overlap
    give is gathered, a block of input rows at a time; others are scattered over whole planes."""
    regular = all(a.table is None and a.dilation == 1 for a in (h, w))
    tiles = regular and all(a.inside and a.kernel == a.stride for a in (h, w))
    least = 32  # windows of a row
    if dtype in ("float32", "float64") and w.kernel == 2:  # a good part of a vector, where the scatter is not slow
        least = 1 if numbered else max(8, 5 * _kernels.vector_bytes() // (8 * size))
    if tiles and (lanes >= LEAST_LANES or (lanes == 1 and w.kernel <= 2 and w.out >= least)):
        return {"block": (max(1, BLOCK_BYTES // (w.size * lanes * size * h.stride)), w.out, lanes), "gradient": "tiles"}
    small = regular and h.kernel <= 3 and w.kernel <= min(3, w.size) and dtype in ("float32", "float64")
    small = small and each_has_a_place(h)  # others are in no row of the input, and nobody would look at their indices
    if small and in_step and lanes >= LEAST_LANES and _kernels.vector_bytes() >= GATHER_VECTOR:
        rows = max(rows_of_tile(h, w.size * lanes * size, GATHER_BYTES), GATHER_ROWS * h.stride)
        return {"block": (rows, w.size, lanes), "gradient": "gather"}
    return {"block": (h.size, w.size, lanes), "gradient": "scatter"}
