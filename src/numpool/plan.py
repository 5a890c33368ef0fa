"""Plans: what a call means, checked once and frozen for the kernels.

::

    pool  --->  call: arguments and arrays, checked  --->  make_spec  --->  _kernels.Plan, remembered
                  |                                          |
                  arguments: every form as one type          blocks: how much is done at a time
                  geometry:  the windows of an axis
                  arrays:    which axes are leads, rows, pixels and lanes
                  indices:   what an index means

The first call with new arguments or shapes comes here; the next ones find their plan in the compiled cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np

from numpool import _kernels, arguments
from numpool.arguments import INDEXES, LAYOUTS, choice
from numpool.arrays import (
    DTYPES,
    FLOATS,
    Arrays,
    Place,
    Result,
    Shape,
    checked_array,
    checked_outs,
    extent,
    readable,
)
from numpool.blocks import axis_words, blocks
from numpool.geometry import Axis, output_shape, spatial_axes, windows
from numpool.indices import Indices
from numpool.threads import plan_threads

# The order of enum numpool_out (job.h): number types that an average can be written as.
OUTS = (*FLOATS, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


# --- from arrays to a spec -------------------------------------------------------------------------------------------


def merged(dims: list[int], columns: list[list[int]]) -> tuple[list[int], list[list[int]]]:
    """Adjacent leads that every array walks evenly become one; leads of one step go."""
    rows: list[list[int]] = []
    for n, *steps in zip(dims, *columns, strict=True):
        if n == 1:
            continue
        count = n
        if rows and rows[-1][1:] == [step * n for step in steps]:
            count *= rows.pop()[0]
        rows.append([count, *steps])
    if len(rows) > _kernels.LEADS:
        raise ValueError(f"at most {_kernels.LEADS} leading axes may be strided apart; got {len(rows)}")
    return [row[0] for row in rows], [[row[1 + c] for row in rows] for c in range(len(columns))]


def dense(strides: list[int], dims: list[int], inner: int) -> bool:
    """Whether elements of `inner` bytes, in these dimensions, follow each other in memory without a gap."""
    return all(stride == inner * prod(dims[i + 1 :]) for i, stride in enumerate(strides))


def make_spec(
    operation: str,
    at: Place,
    h: Axis,
    w: Axis,
    x: np.ndarray,
    y: np.ndarray,
    results: tuple[Result, ...],
    *,
    index: tuple[np.ndarray, Indices] | None = None,
    divisor: int = 0,
    count_padding: bool = True,
) -> dict[str, Any]:
    """The words of a plan, see `_kernels.Plan`: x is the array of input shape, y the one of output shape."""
    backward, extremum = operation.endswith("backward"), operation in ("max", "min")
    dims, _, _, lanes = at.split(x.shape)
    lanes = lanes or 1
    x_lead, *x_inner, _ = at.split(x.strides)
    y_lead, *y_inner, _ = at.split(y.strides)
    i_lead, *i_inner, _ = at.split(index[0].strides) if index else at.split(y.strides)
    p_lead, *p_inner = at.split(index[1].steps()) if index else at.split(y.strides)
    lead, (x_lead, y_lead, i_lead, p_lead) = merged(dims, [x_lead, y_lead, i_lead, p_lead])
    stacked = lead and (x_lead[-1], y_lead[-1]) == (h.size * x_inner[0], h.out * y_inner[0])
    if stacked and h.tiles and not backward and (extremum or divisor):
        # Planes without a gap between them, and no window across it: a single tall plane.
        h = replace(h, size=h.size * lead[-1], out=h.out * lead[-1], after=0)
        del lead[-1], x_lead[-1], y_lead[-1]
    rows, cols = (h.size, w.size) if backward else (h.out, w.out)
    rows *= prod(lead)
    spec = {
        "operation": operation,
        "dtype": x.dtype.name,
        "outputs": tuple((*at.recipe(r.shape), r.dtype) for r in results),
        "lead": lead,
        "planes": prod(lead),
        "rows": rows,
        "cols": cols,
        "lanes": lanes,
        "h": axis_words(h, operation, x.dtype.name),
        "w": axis_words(w, operation, x.dtype.name),
        "x": (x_lead, *x_inner),
        "x_extent": extent(x),
        "y": (y_lead, *y_inner),
        "y_dense": not backward and dense([*y_lead, *y_inner], [*lead, h.out, w.out], lanes * y.itemsize),
        "index": None,
        "count_padding": count_padding,
        "divisor": divisor,
        "out_code": OUTS.index(y.dtype.name) if y.dtype.name in OUTS else 0,
        "out_size": y.itemsize,
        "cost": x.nbytes + y.nbytes,
        "parts": False,
        "scatter": False,
    }
    if index:
        spec |= {
            "index": (i_lead, *i_inner),
            "index_size": index[0].itemsize,
            "window_index": index[1].convention == "window",
            "position": (p_lead, *p_inner),
        }
    return spec | blocks(operation, x.dtype.name, h, w, lanes, rows, divisor)


# --- calls -----------------------------------------------------------------------------------------------------------


@dataclass
class Call:
    """A checked call: what to run, on which arrays, into what."""

    plan: _kernels.Plan | None  # None: there is nothing to compute
    arrays: Arrays
    results: tuple[Result, ...]
    place: Place
    blame: Callable[[], str] | None = None  # says which index names no tap, once one does


def extremum_call(operation: str, sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    kernel_size, stride, padding, dilation, ceil_mode, return_indices, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS), choice("index", index, INDEXES)
    x = checked_array("x", sources[0], DTYPES)
    h, w = windows(x.shape, layout, kernel_size, stride, padding, dilation, ceil_mode)
    shape = output_shape(x.shape, layout, h, w)
    indices = Indices(index, x.shape, layout, h, w) if return_indices else None
    results = tuple(Result(shape, dtype) for dtype in ((x.dtype, indices.dtype) if indices else (x.dtype,)))
    x, at = readable(x, layout)
    if 0 in shape:
        return Call(None, (x,), results, at)
    y, *where = (at.unallocated(r.shape, r.dtype) for r in results)
    name, named = ("arg" + operation, (where[0], indices)) if indices else (operation, None)
    plan = _kernels.Plan(make_spec(name, at, h, w, x, y, results, index=named))
    return Call(plan, (x,), results, at)


def average_dtype(dtype: Any, source: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of an average: the source's for floats, else float64, or what the caller asks for."""
    if dtype is None:
        return source if source.name in FLOATS else np.dtype(np.float64)
    rule = f"dtype must be one of {', '.join(OUTS)}"
    try:
        wanted: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        raise TypeError(f"{rule}; got {dtype!r}") from None
    if wanted.name not in OUTS or not wanted.isnative:
        raise TypeError(f"{rule}; got {wanted}")
    if source.name in FLOATS and wanted.name not in FLOATS:
        raise TypeError(f"the average of floats must have a float dtype; got {wanted} for an input of {source}")
    return wanted


def is_wide(source: np.dtype[Any], result: np.dtype[Any], h: Axis, w: Axis) -> bool:
    """Whether sums of a window need the wider accumulator (see average.h)."""
    if source.name in FLOATS:
        depth = (h.kernel - 1).bit_length() + (w.kernel - 1).bit_length()
        return h.kernel > 16 or w.kernel > 16 or depth > 7 or result != source
    taps = min(h.kernel, h.size) * min(w.kernel, w.size)
    if taps >= 2**31:
        raise ValueError(f"integer averages need windows of fewer than 2**31 elements; got {h.kernel} x {w.kernel}")
    return taps > 32767


def common_divisor(h: Axis, w: Axis, override: int, count_padding: bool) -> int:
    """The divisor of every window, or 0 where they differ."""
    if override:
        return override
    taps = h.kernel * w.kernel
    if count_padding and taps >= 2**63:
        raise ValueError(
            f"a window that counts its padding must have fewer than 2**63 taps; got {h.kernel} x {w.kernel}"
        )
    return taps if h.counts_alike(count_padding) and w.counts_alike(count_padding) else 0


def average_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout, dtype = args
    layout, override = choice("layout", layout, LAYOUTS), arguments.divisor(divisor_override)
    x = checked_array("x", sources[0], DTYPES)
    dtype = average_dtype(dtype, x.dtype)
    h, w = windows(x.shape, layout, kernel_size, stride, padding, 1, ceil_mode)
    result = Result(output_shape(x.shape, layout, h, w), dtype)
    x, at = readable(x, layout)
    if 0 in result.shape:
        return Call(None, (x,), (result,), at)
    name = "wide_average" if is_wide(x.dtype, dtype, h, w) else "average"
    padded = bool(count_include_pad)
    common = common_divisor(h, w, override, padded)
    y = at.unallocated(result.shape, dtype)
    plan = _kernels.Plan(make_spec(name, at, h, w, x, y, (result,), divisor=common, count_padding=padded))
    return Call(plan, (x,), (result,), at)


def checked_gradient(source: Any, shape: Shape, layout: str, h: Axis, w: Axis) -> np.ndarray:
    grad = checked_array("grad_output", source, FLOATS)
    wanted = output_shape(shape, layout, h, w)
    if grad.shape != wanted:
        raise ValueError(f"grad_output must have the output's shape {wanted} for input_shape {shape}; got {grad.shape}")
    return grad


def extremum_backward_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, kernel_size, stride, padding, dilation, ceil_mode, layout, index = args
    layout, index = choice("layout", layout, LAYOUTS), choice("index", index, INDEXES)
    shape = arguments.input_size(input_shape)
    h, w = windows(shape, layout, kernel_size, stride, padding, dilation, ceil_mode)
    grad = checked_gradient(sources[0], shape, layout, h, w)
    meaning = Indices(index, shape, layout, h, w)
    indices = meaning.checked(sources[1], grad.shape)
    reach = h.size * max(
        meaning.steps()[spatial_axes(len(shape), layout)[0]], w.size * (shape[-1] if layout == "NHWC" else 1)
    )
    if reach >= 2**31:
        raise ValueError(
            f"gradients by index need planes that span fewer than 2**31 positions; got {reach} for {shape}"
        )
    result = Result(shape, grad.dtype)
    grad, at = readable(grad, layout)
    if 0 in shape:
        return Call(None, (grad,), (result,), at)
    if not at.fits(indices):
        given, indices = indices, at.empty(indices.shape, indices.dtype)
        np.copyto(indices, given)
    x = at.unallocated(shape, grad.dtype)
    plan = _kernels.Plan(make_spec("extremum_backward", at, h, w, x, grad, (result,), index=(indices, meaning)))
    return Call(plan, (grad, indices), (result,), at, partial(meaning.wrong, indices))


def average_backward_call(sources: tuple[Any, ...], args: tuple[Any, ...]) -> Call:
    input_shape, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, layout = args
    layout, override = choice("layout", layout, LAYOUTS), arguments.divisor(divisor_override)
    shape = arguments.input_size(input_shape)
    h, w = windows(shape, layout, kernel_size, stride, padding, 1, ceil_mode)
    grad = checked_gradient(sources[0], shape, layout, h, w)
    result = Result(shape, grad.dtype)
    grad, at = readable(grad, layout)
    if 0 in shape:
        return Call(None, (grad,), (result,), at)
    padded = bool(count_include_pad)
    common = common_divisor(h, w, override, padded)
    x = at.unallocated(shape, grad.dtype)
    spec = make_spec("average_backward", at, h, w, x, grad, (result,), divisor=common, count_padding=padded)
    return Call(_kernels.Plan(spec), (grad,), (result,), at)


# Each takes its sources, and its arguments in the order of the public function's signature.
CALLS: dict[str, Callable[[tuple[Any, ...], tuple[Any, ...]], Call]] = {
    "max": partial(extremum_call, "max"),
    "min": partial(extremum_call, "min"),
    "average": average_call,
    "extremum_backward": extremum_backward_call,
    "average_backward": average_backward_call,
}


def perform(call: Call, out: Any, sources: Arrays) -> Arrays:
    """Run a call: into `out`, directly where its memory allows, else through new arrays."""
    outs = checked_outs(out, call.results, sources)
    if call.plan is None:
        return outs or tuple(call.place.empty(r.shape, r.dtype) for r in call.results)
    direct = outs is not None and all(call.place.is_of(array) for array in outs)
    results = call.plan(call.arrays, outs if direct else None, plan_threads(call.plan.cost))
    if results is None:
        assert call.blame is not None
        raise ValueError(call.blame())
    if outs is None or direct:
        return results
    for array, result in zip(outs, results, strict=True):
        np.copyto(array, result)
    return outs


def pool(operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...], out: Any) -> Arrays:
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
    call = CALLS[operation](arrays, args)
    if call.plan is not None and all(a is b for a, b in zip(arrays, call.arrays, strict=False)):
        _kernels.remember(operation, arrays, args, call.plan)
    sources = tuple(a for a in (*arrays, *call.arrays) if isinstance(a, np.ndarray))
    return perform(call, out, sources)


# --- for explain -----------------------------------------------------------------------------------------------------


def describe(plan: _kernels.Plan) -> list[str]:
    """A plan in words."""
    spec = plan.spec
    lines = []
    for name, a in (("height", spec["h"]), ("width", spec["w"])):
        chain = "" if len(a["passes"]) == 1 else f", in passes of (taps, gap) {' '.join(map(str, a['passes']))}"
        chain += ", as running sums" if a["running"] else ""
        lines.append(
            f"{name}: {a['out']} windows of {a['kernel']} taps over {a['size']}, stride {a['stride']}, dilation "
            f"{a['step']}, padding ({a['before']}, {a['after']}){chain}"
        )
    if "average" in spec["operation"]:
        lines.append(f"divisor: {spec['divisor'] or 'the window without padding, or clipped to it'}")
    lines.append(f"{spec['planes']} planes, {spec['lanes']} lanes a pixel, as {spec['operation']} of {spec['dtype']}")
    rows, cols, lanes = (min(spec["block"][i], spec[key]) for i, key in enumerate(("rows", "cols", "lanes")))
    lines.append(f"blocks of {rows} rows, {cols} columns, {lanes} lanes" + (", in parts" if spec["parts"] else ""))
    return lines
