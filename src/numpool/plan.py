"""Plans: what a call means, checked once and frozen for the kernels.

::

    pool  --->  Call (arguments and arrays, checked)  --->  spec  --->  _kernels.Plan, remembered
                   |                                          |
                   geometry: windows of an axis               places: which axes are leads, rows, pixels and lanes
                                                              blocks: how much is done at a time

The first call with new arguments or shapes comes here; the next ones find their plan in the compiled cache. A plan sees
every array as (leads..., height, width, lanes): channels-first has one lane a pixel and its channels among the leads,
channels-last has its channels as lanes. Which it is, is read off the strides, not off the layout's name, so that a
transposed view needs no copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import numpy as np

from numpool import _kernels
from numpool.geometry import MOST, Axis, axis, integer, pair, paddings, passes
from numpool.threads import plan_threads

DTYPES: tuple[str, ...] = _kernels.DTYPES
FLOATS = ("float16", "bfloat16", "float32", "float64")
INDEXES = ("plane", "window", "tensor", "nhwc")
LAYOUTS = ("NCHW", "NHWC")

# The order of enum numpool_out (job.h): number types that an average can be written as.
OUTS = ("float16", "bfloat16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")

# Bytes of scratch rows that a block fills: half of a small first-level cache. Measured from 4 to 64 KiB.
BLOCK_BYTES = 16 * 1024
# Below this a row of windows is not cut into column blocks.
MOST_ROW_BYTES = 32 * 1024


# --- arrays ----------------------------------------------------------------------------------------------------------


def checked_array(name: str, value: Any, dtypes: tuple[str, ...] = DTYPES) -> np.ndarray:
    """`value` as an array that the kernels can read: a known dtype, native byte order, aligned."""
    array = np.asarray(value)
    if array.dtype.name not in dtypes:
        raise TypeError(f"{name} must have one of the dtypes {', '.join(dtypes)}; got {array.dtype}")
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    return array if array.flags.aligned else array.copy()


@dataclass(frozen=True)
class Place:
    """Which axes of an array are what: `order` lists leads, height, width and, if there are any, lanes."""

    order: tuple[int, ...]
    leads: int

    @property
    def has_lanes(self) -> bool:
        return len(self.order) > self.leads + 2

    def stride(self, strides: tuple[int, ...], itemsize: int) -> tuple[list[int], int, int]:
        """Strides of the leads, a row and a pixel."""
        laid = [strides[a] for a in self.order]
        return laid[: self.leads], laid[self.leads], laid[self.leads + 1]

    def fits(self, array: np.ndarray) -> bool:
        """Whether the lanes of each pixel of `array` are adjacent."""
        lane = self.order[-1]
        return not self.has_lanes or array.shape[lane] == 1 or array.strides[lane] == array.itemsize

    def empty(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """A new array of this shape whose memory has this order."""
        laid, axes = self.recipe(shape)
        array = np.empty(laid, dtype)
        return array if axes is None else array.transpose(axes)

    def recipe(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """The shape to allocate, and the transposition of it (None: none) that has `shape`."""
        if self.order == tuple(range(len(self.order))):
            return shape, None
        axes = tuple(int(a) for a in np.argsort(self.order))
        return tuple(shape[a] for a in self.order), axes


def spatial_axes(ndim: int, layout: str) -> tuple[int, int]:
    return (ndim - 2, ndim - 1) if layout == "NCHW" else (ndim - 3, ndim - 2)


def place(array: np.ndarray, layout: str) -> Place:
    """How to walk `array`: lanes are the axis whose elements are adjacent, unless that is the width."""
    height, width = spatial_axes(array.ndim, layout)
    others = [a for a in range(array.ndim) if a not in (height, width)]
    lane = None
    if array.shape[width] == 1 or array.strides[width] != array.itemsize:
        adjacent = [a for a in others if array.shape[a] > 1 and array.strides[a] == array.itemsize]
        if adjacent:
            lane = adjacent[-1]
    leads = [a for a in others if a != lane]
    order = (*leads, height, width) + (() if lane is None else (lane,))
    return Place(order, len(leads))


def extent(array: np.ndarray) -> int:
    """Bytes from the first element to the end of the last one in memory."""
    return sum(max(0, (n - 1) * s) for n, s in zip(array.shape, array.strides, strict=True)) + array.itemsize


# --- arguments -------------------------------------------------------------------------------------------------------


def checked_choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {', '.join(choices)}; got {value!r} of type {type(value).__name__}")
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def checked_shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list):
        raise TypeError(f"input_shape must be a tuple of integers; got {value!r} of type {type(value).__name__}")
    return tuple(integer("input_shape", n, 0) for n in value)


def windows(shape: tuple[int, ...], layout: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
            ) -> tuple[Axis, Axis]:
    """The windows over the height and the width of an input of this shape."""
    least = 2 if layout == "NCHW" else 3
    if len(shape) < least:
        raise ValueError(f'layout "{layout}" needs at least {least} dimensions; got shape {shape}')
    kernels = pair("kernel_size", kernel_size, 1)
    strides = kernels if stride is None or (isinstance(stride, tuple | list) and not stride) else pair("stride", stride, 1)
    pads, dilations = paddings(padding), pair("dilation", dilation, 1)
    sizes = [shape[a] for a in spatial_axes(len(shape), layout)]
    height, width = (
        axis(name, sizes[i], kernels[i], strides[i], pads[i], dilations[i], ceil) for i, name in enumerate(("height", "width"))
    )
    return height, width


def output_shape(shape: tuple[int, ...], layout: str, h: Axis, w: Axis) -> tuple[int, ...]:
    result = list(shape)
    for a, out in zip(spatial_axes(len(shape), layout), (h.out, w.out), strict=True):
        result[a] = out
    return tuple(result)


def index_dtype(index: str, taps: int) -> np.dtype[Any]:
    if index != "window":
        return np.dtype(np.int64)
    return np.dtype(np.uint8 if taps <= 255 else np.uint16 if taps <= 65535 else np.int32)


def wrong_index(indices: np.ndarray, shape: tuple[int, ...], layout: str, index: str, h: Axis, w: Axis) -> str:
    """Which index names no tap of its own window inside the input, for the error text."""
    axes = spatial_axes(len(shape), layout)
    grid = np.ogrid[tuple(slice(n) for n in indices.shape)]
    flat = indices.astype(np.int64)
    if index == "window":
        none = -1 if indices.dtype.kind == "i" else int(np.iinfo(indices.dtype).max)
        taps = (flat // w.kernel, flat % w.kernel)
        good = flat >= 0
    else:
        none = -1
        steps = position_steps(index, shape, layout)
        rest = flat - sum(step * grid[a] for a, step in enumerate(steps) if a not in axes)
        rows, rest = rest // steps[axes[0]], rest % steps[axes[0]]
        columns, rest = rest // steps[axes[1]], rest % steps[axes[1]]
        starts = [grid[a] * side.stride - side.before for a, side in zip(axes, (h, w), strict=True)]
        good = (rest == 0) & ((rows - starts[0]) % h.dilation == 0) & ((columns - starts[1]) % w.dilation == 0)
        taps = ((rows - starts[0]) // h.dilation, (columns - starts[1]) // w.dilation)
    for a, side, tap in zip(axes, (h, w), taps, strict=True):
        position = grid[a] * side.stride - side.before + tap * side.dilation
        good = good & (tap >= 0) & (tap < side.kernel) & (position >= 0) & (position < side.size)
    where = tuple(int(n) for n in np.argwhere(~good & (flat != none))[0])
    return (
        f'"{index}" indices must be {none} or name a tap of their own window inside the input of shape {shape}; '
        f"got {indices[where]} at {where}"
    )


# --- from arrays to a spec -------------------------------------------------------------------------------------------


def position_steps(index: str, shape: tuple[int, ...], layout: str) -> list[int]:
    """What one step along each axis of the input adds to an index."""
    ndim = len(shape)
    height, width = spatial_axes(ndim, layout)
    steps = [0] * ndim
    channel = ndim - 1 if layout == "NHWC" else ndim - 3
    if index == "plane":
        steps[height], steps[width] = shape[width], 1
    elif index == "tensor":
        steps = [prod(shape[a + 1 :]) for a in range(ndim)]
    elif index == "nhwc":
        channels = shape[channel] if channel >= 0 else 1
        steps[height], steps[width] = shape[width] * channels, channels
        if channel >= 0:
            steps[channel] = 1
    return steps


def merged(dims: list[int], columns: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Adjacent leads that every array walks evenly become one; leads of one step go."""
    rows: list[list[int]] = []
    for i, n in enumerate(dims):
        row = [n, *(column[i] for column in columns)]
        if n == 1:
            continue
        if rows and all(a == b * n for a, b in zip(rows[-1][1:], row[1:], strict=True)):
            row[0] *= rows.pop()[0]
        rows.append(row)
    return [row[0] for row in rows], [[row[1 + c] for row in rows] for c in range(len(columns))]


def make_spec(operation: str, dtype: str, at: Place, h: Axis, w: Axis, x: np.ndarray, y: np.ndarray, *,
              index: np.ndarray | None = None, index_name: str = "plane", layout: str = "NCHW", backward: bool = False,
              divisor: int = 0, count_padding: bool = True, out: str = "float32", wide: bool = False) -> dict[str, Any]:
    """The words of a plan, see `_kernels.Plan`: x is the array of input shape, y the one of output shape."""
    dims = [x.shape[a] for a in at.order]
    lanes = dims[-1] if at.has_lanes else 1
    x_lead, x_row, x_pixel = at.stride(x.strides, x.itemsize)
    y_lead, y_row, y_pixel = at.stride(y.strides, y.itemsize)
    columns = [x_lead, y_lead]
    if index is not None:
        i_lead, i_row, i_pixel = at.stride(index.strides, index.itemsize)
        steps = [position_steps(index_name, x.shape, layout)[a] for a in at.order]
        p_lead, p_row, p_pixel, p_lane = steps[: at.leads], *steps[at.leads : at.leads + 2], steps[-1] if at.has_lanes else 0
        columns += [i_lead, p_lead]
    lead, columns = merged(dims[: at.leads], columns)
    if len(lead) > _kernels.LEADS:
        raise ValueError(f"at most {_kernels.LEADS} leading axes may be strided apart; got {len(lead)}")
    x_lead, y_lead = columns[:2]
    tall = (
        index is None and not backward and lead and h.inside and h.size == h.out * h.stride and h.extent <= h.stride
        and x_lead[-1] == h.size * x_row and y_lead[-1] == h.out * y_row and (operation in ("max", "min") or divisor)
    )
    if tall:  # planes stacked without a gap, and no window across one: a single tall plane
        planes = lead.pop()
        x_lead.pop()
        y_lead.pop()
        h = Axis(h.size * planes, h.out * planes, h.kernel, h.stride, h.dilation, 0, 0)
    extremum = operation in ("max", "min")
    spec: dict[str, Any] = {
        "operation": operation, "dtype": dtype, "lanes": lanes, "lead": lead,
        "x": (x_lead, x_row, x_pixel), "y": (y_lead, y_row, y_pixel), "index": None,
        "h": axis_words(h, extremum), "w": axis_words(w, extremum),
        "count_padding": count_padding, "divisor": divisor, "out_code": OUTS.index(out) if out in OUTS else 0,
        "out_size": y.itemsize, "x_extent": extent(x), "cost": x.nbytes + y.nbytes,
        "planes": prod(lead), "rows": prod(lead) * (h.size if backward else h.out), "cols": w.size if backward else w.out,
        "scatter": False, "parts": False,
        "y_dense": not backward and dense(y_lead, lead, h.out * y_row) and y_row == w.out * y_pixel == w.out * lanes * y.itemsize,
    }
    if index is not None:
        spec |= {"index": (columns[2], i_row, i_pixel), "index_size": index.itemsize, "window_index": index_name == "window",
                 "position": (columns[3], p_row, p_pixel, p_lane)}
    spec |= blocks(operation, dtype, h, w, lanes, spec["rows"], wide)
    if spec.pop("one_pass", False):
        spec["h"]["passes"] = ((h.kernel, 1),)
    return spec


def dense(strides: list[int], dims: list[int], inner: int) -> bool:
    """Whether the leads follow each other in memory without a gap."""
    for n, stride in zip(reversed(dims), reversed(strides), strict=True):
        if stride != inner:
            return False
        inner *= n
    return True


def axis_words(a: Axis, idempotent: bool) -> dict[str, Any]:
    chain = ((a.kernel, 1),)
    if idempotent and a.dilation == 1 and 5 < a.kernel <= 512 and a.out > a.kernel:
        longer = passes(a.kernel)
        if a.stride * sum(taps + 1 for taps, _ in longer[:-1]) + longer[-1][0] < a.kernel:
            chain = longer
    return {"size": a.size, "out": a.out, "kernel": a.kernel, "stride": a.stride, "step": a.dilation,
            "before": a.before, "after": a.after, "passes": chain}


def accumulator(operation: str, dtype: str, wide: bool) -> int:
    """Bytes of one accumulator, all its parts."""
    size = 1 if dtype == "bool" else np.dtype(dtype if dtype != "bfloat16" else "float16").itemsize
    if operation in ("max", "min"):
        return size
    if operation.startswith("arg"):
        return 2 * max(4, size)
    if operation.endswith("backward"):
        return max(4, size)
    if dtype in FLOATS:
        return (8 if wide else 4) if size < 8 else (16 if wide else 8)
    return {1: 4, 2: 4, 4: 8, 8: 16}[size] * (2 if wide and size <= 2 else 1)


def blocks(operation: str, dtype: str, h: Axis, w: Axis, lanes: int, rows: int, wide: bool) -> dict[str, Any]:
    """How many rows, columns and lanes a block has, so that its scratch stays in the first-level cache."""
    size = accumulator(operation, dtype, wide)
    if operation.endswith("backward"):
        return backward_blocks(operation, h, w, lanes, size)
    arg = operation.startswith("arg")
    if w.extent > _kernels.PART or (arg and h.kernel > _kernels.PART):
        some = max(1, MOST_ROW_BYTES // (min(w.kernel, _kernels.PART) * size))
        if arg:
            some = max(1, min(some, MOST_ROW_BYTES // (min(h.kernel, _kernels.PART) * size)))
        return {"block": (1, 1, min(lanes, some)), "parts": True}
    some = lanes
    if w.extent * lanes * size > MOST_ROW_BYTES:
        some = min(lanes, max(16, MOST_ROW_BYTES // (w.extent * size) // 16 * 16))
    elif rows < 16 and lanes >= 128 and h.kernel * w.kernel > 16:  # few windows, all of them large: threads share the lanes
        some = max(64, lanes // 16 // 16 * 16)
    words = axis_words(h, operation in ("max", "min"))
    chained = len(words["passes"]) > 1
    high = h.kernel if chained else (h.extent - 1 if arg else 0)  # scratch rows beside those of the result
    room = BLOCK_BYTES * (4 if chained or arg else 1)
    cols = w.out
    if (w.out * w.stride + w.extent) * some * size * (1 + high) > max(room, MOST_ROW_BYTES):
        least = max(room, MOST_ROW_BYTES) // (some * size * (1 + high))
        cols = max(1, (least - w.extent) // w.stride + 1)
        if chained and cols < w.extent // 2:  # too narrow a block: fold all taps at once instead
            return blocks_of_one_pass(operation, w, some, size, room)
        cols = min(w.out, cols)
    per_row = ((cols - 1) * w.stride + w.extent if not arg else cols) * some * size * (h.stride if arg else 1)
    count = max(1, (room - high * per_row) // per_row if per_row else 1)
    return {"block": (max(1, count), cols, some)}


def blocks_of_one_pass(operation: str, w: Axis, lanes: int, size: int, room: int) -> dict[str, Any]:
    cols = min(w.out, max(1, (MOST_ROW_BYTES // (lanes * size) - w.extent) // w.stride + 1))
    per_row = ((cols - 1) * w.stride + w.extent) * lanes * size
    return {"block": (max(1, room // per_row), cols, lanes), "one_pass": True}


def backward_blocks(operation: str, h: Axis, w: Axis, lanes: int, size: int) -> dict[str, Any]:
    """Blocks of input rows, and how an extremum's gradient is done."""
    room = 2 * BLOCK_BYTES
    each_way = -(-h.kernel // h.stride) * -(-w.kernel // w.stride)  # windows that hold one input element
    scatter = operation == "extremum_backward" and (each_way > 25 or (w.extent - 1) // w.stride > 64)
    some = lanes
    if scatter:
        some = min(lanes, max(16, room // (h.size * w.size * size) // 16 * 16))
        cols = min(w.size, max(1, 2 * room // (some * size)))
        return {"block": (max(1, min(room // (cols * some * size), 1 << 20)), cols, some), "scatter": True}
    near = (w.extent - 1) // w.stride + 1
    reach = near * w.stride if operation == "extremum_backward" else 0
    if (reach + 1) * lanes * size > room:
        some = min(lanes, max(16, room // ((reach + 1) * size) // 16 * 16))
    cols = w.size
    if cols * some * size > room:
        cols = max(1, room // (some * size) - reach, reach)
        cols = min(w.size, -(-cols // w.stride) * w.stride)
    across = (cols // w.stride + near) * some * size * (2 if operation == "extremum_backward" else 1)
    count = max(1, (room // max(across, 1)) * h.stride - h.extent)
    return {"block": (count, cols, some)}


# --- calls -----------------------------------------------------------------------------------------------------------


@dataclass
class Call:
    """A checked call: what to run, on which arrays, into what."""

    plan: _kernels.Plan | None  # None: there is nothing to compute
    arrays: tuple[np.ndarray, ...]
    outputs: tuple[tuple[tuple[int, ...], Any], ...]  # shape and dtype of each result
    place: Place
    blame: Callable[[], str] | None = None  # says which index names no tap, once one does


def checked_outs(out: Any, call: Call, sources: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...] | None:
    """The arrays that the caller wants written, or None."""
    if out is None:
        return None
    names = ("out",) if len(call.outputs) == 1 else ("out[0]", "out[1]")
    if len(call.outputs) == 1:
        given = (out,)
    elif isinstance(out, tuple | list) and len(out) == 2:
        given = tuple(out)
    else:
        raise TypeError(f"out must be a pair of arrays (values, indices) when indices are returned; got {type(out).__name__}")
    for name, array, (shape, dtype) in zip(names, given, call.outputs, strict=True):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name} must be a NumPy array; got {array!r} of type {type(array).__name__}")
        if array.shape != shape or array.dtype != dtype:
            raise ValueError(
                f"{name} must have the shape {shape} and the dtype {np.dtype(dtype)} of the result; "
                f"got shape {array.shape} and dtype {array.dtype}"
            )
        if not array.flags.writeable:
            raise ValueError(f"{name} must be writeable; got a read-only array of shape {array.shape}")
        for other in sources:
            if np.may_share_memory(array, other) and np.shares_memory(array, other, max_work=10_000_000):
                raise ValueError(
                    f"{name} must not overlap an input; got an array of shape {array.shape} that shares memory with one of shape "
                    f"{other.shape}"
                )
        if any(n > 1 and stride == 0 for n, stride in zip(array.shape, array.strides, strict=True)):
            raise ValueError(f"{name} must have memory of its own for each element; got strides {array.strides}")
    if len(given) == 2 and np.may_share_memory(*given) and np.shares_memory(*given):
        raise ValueError(f"the two arrays of out must not overlap each other; got shapes {given[0].shape} and {given[1].shape}")
    return given


def perform(call: Call, out: Any, sources: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Run a call: into `out`, directly where its memory allows, else through new arrays."""
    outs = checked_outs(out, call, sources)
    if call.plan is None:
        return outs or tuple(call.place.empty(shape, dtype) for shape, dtype in call.outputs)
    direct = outs is not None and all(same_memory(array, call.place) for array in outs)
    threads = plan_threads(call.plan.cost)
    results = call.plan(call.arrays, outs if direct else None, threads)
    if results is None:
        assert call.blame is not None
        raise ValueError(call.blame())
    if outs is None or direct:
        return results
    for array, result in zip(outs, results, strict=True):
        np.copyto(array, result)
    return outs


def same_memory(array: np.ndarray, at: Place) -> bool:
    """Whether `array` lies as a new array of this place would."""
    expected = array.itemsize
    for a in reversed(at.order):
        if array.strides[a] != expected and array.shape[a] != 1:
            return False
        expected *= array.shape[a]
    return array.flags.aligned and array.dtype.isnative


def sized(shape: tuple[int, ...], dtype: Any) -> tuple[tuple[int, ...], Any]:
    """A result's shape and dtype, refused where no memory could hold it."""
    if prod(shape) * np.dtype(dtype).itemsize >= MOST:
        raise ValueError(f"the result must be smaller than 2**62 bytes; got shape {shape}")
    return shape, np.dtype(dtype)


def nowhere(array: np.ndarray, at: Place, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """An array header with the shape and strides of a result that is not allocated yet."""
    laid, axes = at.recipe(shape)
    strides, step = [], np.dtype(dtype).itemsize
    for n in reversed(laid):
        strides.append(step)
        step *= n
    view = np.lib.stride_tricks.as_strided(np.empty(1, dtype), laid, strides[::-1], writeable=False)
    return view if axes is None else view.transpose(axes)


def readable(array: np.ndarray, layout: str) -> tuple[np.ndarray, Place]:
    """`array` and how to walk it; copied once where channels-last pixels are scattered."""
    at = place(array, layout)
    width = spatial_axes(array.ndim, layout)[1]
    scattered = layout == "NHWC" and not at.has_lanes and array.shape[-1] > 1 and (
        array.shape[width] > 1 and array.strides[width] != array.itemsize
    )
    if scattered:
        array = np.ascontiguousarray(array)
        at = place(array, layout)
    return array, at


def pool_call(operation: str, source: Any, args: tuple[Any, ...]) -> Call:
    """max and min: args are kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, index."""
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, index = args
    layout = checked_choice("layout", layout, LAYOUTS)
    index = checked_choice("index", index, INDEXES)
    x = checked_array("x", source)
    h, w = windows(x.shape, layout, kernel_size, stride, padding, dilation, bool(ceil_mode))
    shape, dtype = sized(output_shape(x.shape, layout, h, w), x.dtype)
    outputs: tuple[tuple[tuple[int, ...], Any], ...] = ((shape, dtype),)
    if return_indices:
        taps = h.kernel * w.kernel
        if taps >= 2**31:
            raise ValueError(f"indices need windows of fewer than 2**31 taps; got {h.kernel} x {w.kernel}")
        outputs += (sized(shape, index_dtype(index, taps)),)
    x, at = readable(x, layout)
    if 0 in shape:
        return Call(None, (x,), outputs, at)
    y = nowhere(x, at, shape, dtype)
    where = nowhere(x, at, shape, outputs[1][1]) if return_indices else None
    name = ("arg" if return_indices else "") + operation
    spec = make_spec(name, x.dtype.name, at, h, w, x, y, index=where, index_name=index, layout=layout)
    return Call(planned(spec, outputs, at), (x,), outputs, at)


def planned(spec: dict[str, Any], outputs: tuple[tuple[tuple[int, ...], Any], ...], at: Place) -> _kernels.Plan:
    spec["outputs"] = tuple((*at.recipe(shape), dtype) for shape, dtype in outputs)
    return _kernels.Plan(spec)


def checked_divisor(divisor_override: Any) -> int:
    if divisor_override is None:
        return 0
    if isinstance(divisor_override, bool) or not hasattr(divisor_override, "__index__"):
        raise TypeError(
            f"divisor_override must be None or an integer; got {divisor_override!r} of type {type(divisor_override).__name__}"
        )
    divisor = int(divisor_override)
    if divisor == 0 or abs(divisor) >= 2**63:
        raise ValueError(f"divisor_override must not be 0, and must lie within +-(2**63 - 1); got {divisor}")
    return divisor


def checked_result_dtype(dtype: Any, source: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of an average: the source's for floats, else float64, or what the caller asks for."""
    if dtype is None:
        return source if source.name in FLOATS else np.dtype(np.float64)
    try:
        wanted = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"dtype must be one of {', '.join(OUTS)}; got {dtype!r}") from None
    if wanted.name not in OUTS or not wanted.isnative:
        raise TypeError(f"dtype must be one of {', '.join(OUTS)}; got {wanted}")
    if source.name in FLOATS and wanted.name not in FLOATS:
        raise TypeError(f"the average of floats must have a float dtype; got {wanted} for an input of {source}")
    return wanted


def is_wide(name: str, h: Axis, w: Axis, result: np.dtype[Any]) -> bool:
    """Whether sums of a window need the wider accumulator (see average.h)."""
    taps = min(h.kernel, h.size) * min(w.kernel, w.size)
    if name in FLOATS:
        depth = (h.kernel - 1).bit_length() + (w.kernel - 1).bit_length()
        return h.kernel > 16 or w.kernel > 16 or depth > 7 or result.name != name
    if taps >= 2**31:
        raise ValueError(f"integer averages need windows of fewer than 2**31 elements; got {h.kernel} x {w.kernel}")
    return taps > 32767


def average_divisor(h: Axis, w: Axis, override: int, count_padding: bool) -> int:
    """The divisor of every window, or 0 where they differ."""
    if override:
        return override
    if count_padding and h.kernel * w.kernel >= 2**63:
        raise ValueError(f"a window that counts its padding must have fewer than 2**63 taps; got {h.kernel} x {w.kernel}")
    alike = h.counts_alike(count_padding) and w.counts_alike(count_padding)
    return h.kernel * w.kernel if alike else 0


def average_call(source: Any, args: tuple[Any, ...]) -> Call:
    """args are kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout, dtype."""
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout, dtype = args
    layout = checked_choice("layout", layout, LAYOUTS)
    override = checked_divisor(divisor_override)
    x = checked_array("x", source)
    result = checked_result_dtype(dtype, x.dtype)
    h, w = windows(x.shape, layout, kernel_size, stride, padding, 1, bool(ceil_mode))
    outputs = (sized(output_shape(x.shape, layout, h, w), result),)
    x, at = readable(x, layout)
    if 0 in outputs[0][0]:
        return Call(None, (x,), outputs, at)
    count_padding = bool(count_include_pad)
    wide = is_wide(x.dtype.name, h, w, result)
    spec = make_spec("wide_average" if wide else "average", x.dtype.name, at, h, w, x, nowhere(x, at, *outputs[0]), layout=layout,
                     divisor=average_divisor(h, w, override, count_padding), count_padding=count_padding, out=result.name,
                     wide=wide)
    return Call(planned(spec, outputs, at), (x,), outputs, at)


def checked_gradient(source: Any, shape: tuple[int, ...], layout: str, h: Axis, w: Axis) -> np.ndarray:
    grad = checked_array("grad_output", source, FLOATS)
    wanted = output_shape(shape, layout, h, w)
    if grad.shape != wanted:
        raise ValueError(f"grad_output must have the output's shape {wanted} for input_shape {shape}; got {grad.shape}")
    return grad


def checked_indices(source: Any, wanted: tuple[int, ...], index: str, taps: int) -> np.ndarray:
    """Indices in their convention's own dtype; other integer dtypes are looked through and converted."""
    indices = np.asarray(source)
    if indices.dtype.kind not in "iu":
        raise TypeError(f"indices must have an integer dtype; got {indices.dtype}")
    if indices.shape != wanted:
        raise ValueError(f"indices must have the shape {wanted} of grad_output; got {indices.shape}")
    dtype = index_dtype(index, taps)
    if indices.dtype == dtype and indices.dtype.isnative and indices.flags.aligned:
        return indices
    low, high = (-1, 2**31 - 1) if index == "window" and dtype == np.int32 else (0, np.iinfo(dtype).max)
    if index != "window":
        low = -1
    if indices.size and (int(indices.min()) < low or int(indices.max()) > high):
        bad = int(indices.min()) if int(indices.min()) < low else int(indices.max())
        raise ValueError(f"{index} indices must lie within {low} and {high}; got {bad}")
    return indices.astype(dtype)


def extremum_backward_call(arrays: tuple[Any, Any], args: tuple[Any, ...]) -> Call:
    """args are input_shape, kernel_size, stride, padding, dilation, ceil_mode, layout, index."""
    input_shape, kernel_size, stride, padding, dilation, ceil_mode, layout, index = args
    layout = checked_choice("layout", layout, LAYOUTS)
    index = checked_choice("index", index, INDEXES)
    shape = checked_shape(input_shape)
    h, w = windows(shape, layout, kernel_size, stride, padding, dilation, bool(ceil_mode))
    grad = checked_gradient(arrays[0], shape, layout, h, w)
    taps = h.kernel * w.kernel
    if taps >= 2**31:
        raise ValueError(f"indices need windows of fewer than 2**31 taps; got {h.kernel} x {w.kernel}")
    indices = checked_indices(arrays[1], grad.shape, index, taps)
    outputs = (sized(shape, grad.dtype),)
    grad, at = readable(grad, layout)
    if 0 in shape:
        return Call(None, (grad,), outputs, at)
    if not at.fits(indices):
        copy = at.empty(indices.shape, indices.dtype)
        np.copyto(copy, indices)
        indices = copy
    x = nowhere(grad, at, *outputs[0])
    spec = make_spec("extremum_backward", grad.dtype.name, at, h, w, x, grad, index=indices, index_name=index, layout=layout,
                     backward=True)
    return Call(planned(spec, outputs, at), (grad, indices), outputs, at, partial(wrong_index, indices, shape, layout, index, h, w))


def average_backward_call(source: Any, args: tuple[Any, ...]) -> Call:
    """args are input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout."""
    input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout = args
    layout = checked_choice("layout", layout, LAYOUTS)
    override = checked_divisor(divisor_override)
    shape = checked_shape(input_shape)
    h, w = windows(shape, layout, kernel_size, stride, padding, 1, bool(ceil_mode))
    grad = checked_gradient(source, shape, layout, h, w)
    outputs = (sized(shape, grad.dtype),)
    grad, at = readable(grad, layout)
    if 0 in shape:
        return Call(None, (grad,), outputs, at)
    count_padding = bool(count_include_pad)
    spec = make_spec("average_backward", grad.dtype.name, at, h, w, nowhere(grad, at, *outputs[0]), grad, layout=layout,
                     backward=True, divisor=average_divisor(h, w, override, count_padding), count_padding=count_padding)
    return Call(planned(spec, outputs, at), (grad,), outputs, at)


def call(operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    if operation in ("max", "min"):
        return pool_call(operation, arrays[0], args)
    if operation == "average":
        return average_call(arrays[0], args)
    if operation == "extremum_backward":
        return extremum_backward_call((arrays[0], arrays[1]), args)
    return average_backward_call(arrays[0], args)


def pool(operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...], out: Any) -> tuple[np.ndarray, ...]:
    """Every pooling call: by the plan of an earlier one like it, else checked in full.

    Returns
    -------
    tuple of arrays
        The results, `out` where it was given.
    """
    plan = _kernels.find(operation, arrays, args)
    if plan is not None:
        outs = None if out is None else plan.accepts(arrays, out)
        if out is None or outs is not None:
            results = plan(arrays, outs, plan_threads(plan.cost))
            if results is not None:
                return results
    made = call(operation, arrays, args)
    if made.plan is not None and all(a is b for a, b in zip(arrays, made.arrays, strict=False)):
        _kernels.remember(operation, arrays, args, made.plan)
    sources = tuple(a for a in (*arrays, *made.arrays) if isinstance(a, np.ndarray))
    return perform(made, out, sources)


# --- for explain -----------------------------------------------------------------------------------------------------


def describe(made: Call) -> list[str]:
    """A plan in words."""
    assert made.plan is not None
    spec = made.plan.spec
    lines = []
    for name, a in (("height", spec["h"]), ("width", spec["w"])):
        chain = "" if len(a["passes"]) == 1 else f", in passes of (taps, gap) {' '.join(map(str, a['passes']))}"
        lines.append(
            f"{name}: {a['out']} windows of {a['kernel']} taps over {a['size']}, stride {a['stride']}, dilation {a['step']}, "
            f"padding ({a['before']}, {a['after']}){chain}"
        )
    if spec["operation"].endswith("average") or spec["operation"] == "average_backward":
        lines.append(f"divisor: {spec['divisor'] or 'the window without padding, or clipped to it'}")
    lines.append(f"{spec['planes']} planes, {spec['lanes']} lanes a pixel, as {spec['operation']} of {spec['dtype']}")
    rows, cols, lanes = spec["block"]
    cols, lanes, rows = min(cols, spec["cols"]), min(lanes, spec["lanes"]), min(rows, spec["rows"])
    lines.append(f"blocks of {rows} rows, {cols} columns, {lanes} lanes" + (", in parts" if spec["parts"] else ""))
    return lines
