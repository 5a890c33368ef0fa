"""Specs: a checked call in the words of `_kernels.Plan`, which are those of the kernels.

::

    arrays, windows  --->  flatten: the axes as the kernels know them  --->  blocks: how much is done at a time

Where groups of planes become the lanes of pixels, the spec is that of one group, and says where the planes lie.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

from numpool import _kernels
from numpool.arrays import FLOATS, HALVES, Header, Lying, Place, Recipes, Shape, extent, name_of
from numpool.blocks import (
    LEAST_LONE_ROWS,
    MOST_LONE_BYTES,
    are_apart,
    are_lines,
    axis_words,
    blocks,
    crosswise_block,
)
from numpool.flatten import LEAST_COLUMNS, LEAST_LANES, LEAST_LINE, flatten, is_lone
from numpool.geometry import UNIT, Axis, number_of_tables
from numpool.indices import Indices
from numpool.turning import ACROSS_BYTES, STRIP_BYTES, is_ordered, is_turned, rows_read, strips

# The order of enum numpool_out (job.h): number types that an average can be written as.
OUTS = (*FLOATS, "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")


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
    return [row[0] for row in rows], [[row[1 + c] for row in rows] for c in range(len(columns))]


def dense(strides: list[int], dims: list[int], inner: int) -> bool:
    """Whether elements of `inner` bytes, in these dimensions, follow each other in memory without a gap."""
    return all(stride == inner * prod(dims[i + 1 :]) for i, stride in enumerate(strides))


class Named(NamedTuple):
    """Indices of a call: an array of them, the steps of what they name (`Indices.steps`), and whether that is taps."""

    array: Lying
    steps: list[int]
    numbered: bool


def named(array: Lying, indices: Indices) -> Named:
    return Named(array, indices.steps(), indices.convention == "window")


@dataclass(frozen=True)
class Pooling:
    """What a plan is made for: windows over `x`, of the input's shape, and `y`, of the output's; how both lie, and what
    a call allocates (`Place.outputs`)."""

    operation: str
    at: Place
    axes: tuple[Axis, ...]
    x: Lying
    y: Lying
    outputs: Recipes
    index: Named | None = None
    divisor: int = 0
    count_padding: bool = True
    across_first: bool = False  # else windows are folded down columns first
    moves: bool = False  # a gradient's values go to their places as they are

    @property
    def backward(self) -> bool:
        return self.operation.endswith("backward")

    @property
    def steps(self) -> tuple[list[int] | Shape, ...]:
        """Of x, of y, of the indices and of the position that an index names: the step along every axis."""
        index = self.index
        last = (index.array.strides, index.steps) if index else (self.y.strides, self.x.strides)
        return self.x.strides, self.y.strides, *last


def make_spec(p: Pooling, scatter: bool = False) -> dict[str, Any]:
    """The words of a plan.

    Most are members of `numpool_job` (job.h). Beside them: `planes`, `rows`, `cols`, all that is covered; `block`, the
    rows, columns and lanes of one; `sharing`, how many planes a table is for (0: all); `x_extent`, bytes of x from its
    first element to its end; `y_dense`, whether rows of y follow each other; `outputs`, as `Place.outputs`; `cost`,
    bytes read and written; `turned`, see Turned in blocks.pxi.

    `scatter`: the gradient of an extremum whose windows are not to be looked at.
    """
    if is_turned(p.operation, p.at, p.axes, p.x, p.y, p.divisor, p.across_first):
        return turned_spec(p)
    operation, at, x, y, index = p.operation, p.at, p.x, p.y, p.index
    lanes = at.split(x.shape)[2] or 1
    steps = [[*lead, *inner] for lead, inner, _ in map(at.split, p.steps)]
    lane = [lanes * x.itemsize, lanes * y.itemsize, lanes * index.array.itemsize if index else 0, 0]
    flat = flatten(at.split(x.shape)[0], p.axes, steps, lane, lanes, *order_of(p, lanes, scatter))
    d, h, w = flat.axes
    assert d is UNIT or not p.backward, "gradients know two axes"
    tables, planes = number_of_tables(flat.axes), prod(flat.lead)
    leads = len(flat.lead)
    lead, heads = flat.lead, [own[:leads] for own in flat.steps]
    inner = [own[leads:] for own in flat.steps]
    if d is not UNIT:  # the innermost lead counts the slabs of the output; the kernel finds those of the input
        lead = [*lead, d.out]
        heads = [[*head, step * (n in (1, 2))] for n, (head, (step, _, _)) in enumerate(zip(heads, inner, strict=True))]
    lead, heads = merged(lead, heads)
    alike = tables == 1 and (operation in ("max", "min") or (p.divisor != 0 and not p.backward))
    if lead and d is UNIT and h.tiles and alike and follow(heads, h, inner):
        h = replace(h, size=h.size * lead[-1], out=h.out * lead[-1], after=0)  # a single tall plane
        for row in (lead, *heads):
            del row[-1]
    axes = d, h, w
    rows, cols = (h.size, w.size) if p.backward else (h.out, w.out)
    rows *= prod(lead)
    spec: dict[str, Any] = {
        "operation": operation,
        "dtype": name_of(x.dtype),
        "outputs": p.outputs,
        "lead": lead,
        "planes": prod(lead),
        "rows": rows,
        "cols": cols,
        "lanes": lanes,
        "d": None if d is UNIT else axis_words(d, operation, name_of(x.dtype), True),
        "h": axis_words(h, operation, name_of(x.dtype), True),
        "w": axis_words(w, operation, name_of(x.dtype), False),
        "x": (heads[0], *inner[0]),
        "x_extent": extent(x),
        "y": (heads[1], *inner[1]),
        "y_dense": not p.backward and dense([*heads[1], *inner[1][1:]], [*lead, h.out, w.out], lanes * y.itemsize),
        "index": None,
        "count_padding": p.count_padding,
        "divisor": p.divisor,
        "out_code": OUTS.index(name_of(y.dtype)) if name_of(y.dtype) in OUTS else 0,
        "out_size": y.itemsize,
        "cost": x.nbytes + y.nbytes,
        "slabs_first": False,
        "across_first": p.across_first,
        "lone": False,
        "apart": False,
        "parts": False,
        "gradient": None,
        "moves": p.moves,
        "sharing": planes_a_table(planes, flat.axes),
        "turned": None,
    }
    if index:
        spec |= {
            "index": (heads[2], *inner[2]),
            "index_size": index.array.itemsize,
            "window_index": index.numbered,
            "position": (heads[3], *inner[3], at.split(index.steps)[2]),
        }
    numbered = index is not None and (index.numbered or p.moves)  # what is moved is not scattered
    vectors = index is not None and in_step(index, spec)
    apart = are_apart(operation, name_of(x.dtype), axes, lanes, spec["x_extent"])
    apart = apart and index is not None and fit_vectors(index, spec)
    spec |= blocks(operation, name_of(x.dtype), axes, lanes, rows, p.divisor, numbered, vectors, apart)
    if p.across_first:
        spec |= {"block": crosswise_block(h, w, lanes, x.itemsize)}
    if scatter:
        spec |= {"block": (h.size, w.size, lanes), "gradient": "scatter"}
    if tables > 1:  # blocks keep to a plane: as many rows as divide its
        block: Any = spec["block"]
        some = next(n for n in range(min(block[0], h.out), 0, -1) if h.out % n == 0)
        near = are_lines(operation, axes, lanes) and h.out * w.extent * x.itemsize <= MOST_LONE_BYTES
        whole = some < LEAST_LONE_ROWS and (spec["lone"] or near)
        spec["block"] = (h.out if whole else some, *block[1:])
    return spec


def order_of(p: Pooling, lanes: int, scatter: bool) -> tuple[str, int, int]:
    """How axes may be flattened: the last three arguments of `flatten`."""
    any_order = p.operation in ("max", "min", "argmax", "argmin")
    ordered = is_ordered(p.operation, p.x.dtype, p.axes)
    way = "scatter" if scatter else "spread" if p.backward else "across" if ordered else "fold"
    if is_lone(p.axes) and not (any_order and lanes == 1):
        way = "down"  # in every layout: sums have one order
    vector = _kernels.vector_bytes() // p.x.itemsize
    most_columns = max(LEAST_COLUMNS, vector) if any_order else 0
    long = prod(a.size for a in p.axes) >= vector and not p.at.columns_apart(p.x)
    if long and p.operation in ("max", "min") and name_of(p.x.dtype) not in HALVES:
        most_columns = sys.maxsize  # one line, read where it lies (`lines` in extremum.h)
    least_line = 1 if way == "across" else 0
    if any_order and lanes >= LEAST_LANES:
        least_line = LEAST_LINE if p.operation in ("max", "min") else 1
    return way, most_columns, least_line


def follow(heads: list[list[int]], h: Axis, inner: list[list[int]]) -> bool:
    """Whether planes, of x and of y, lie without a gap between them."""
    return [head[-1] for head in heads[:2]] == [h.size * inner[0][1], h.out * inner[1][1]]


def planes_a_table(planes: int, axes: Sequence[Axis]) -> int:
    """How many planes, one after the other, share a table; 0: there is one for all."""
    tables = number_of_tables(axes)
    return planes // tables if tables > 1 else 0


def in_step(index: Named, spec: dict[str, Any]) -> bool:
    """Whether the indices of a pixel's lanes are bytes, or positions that count alike in all lanes."""
    lane = spec["position"][-1]
    return index.array.itemsize == 1 if index.numbered else lane == 0


def fit_vectors(index: Named, spec: dict[str, Any]) -> bool:
    """Whether the indices of a window are bytes, or positions that fit 32 bits when they count from its first tap."""
    if index.numbered:
        return bool(index.array.itemsize == 1)
    axes = ((spec[n], step) for n, step in zip("dhw", spec["position"][1:4], strict=True))
    farthest: int = sum((a["kernel"] - 1) * step for a, step in axes if a is not None)
    return farthest < 2**31 - 1


def turned_spec(p: Pooling) -> dict[str, Any]:
    """The same where groups of planes are the lanes of pixels: the plan of one group, and where the planes lie."""
    at, axes, x, y, index = p.at, p.axes, p.x, p.y, p.index
    lanes = _kernels.TURNED // x.itemsize
    spatial = at.order[at.leads : at.leads + at.rank]
    group = Place(tuple(range(at.rank + 1)), 0, at.rank)

    def pixels(array: Lying) -> Header:
        """One plane's, as they follow each other in memory."""
        laid = Place((*(spatial.index(a) for a in at.spatial_by_memory(array)), at.rank), 0, at.rank)
        return laid.header((*(array.shape[a] for a in spatial), lanes), array.dtype)

    inner = None
    if index:
        steps = [*(index.steps[a] for a in spatial), 0]
        inner = Named(pixels(index.array), steps, index.numbered)
    spec = make_spec(replace(p, at=group, x=pixels(x), y=pixels(y), outputs=(), index=inner))
    lead, heads = merged(at.split(x.shape)[0], [at.split(own)[0] for own in p.steps])
    planes, tables = prod(lead), number_of_tables(axes)
    turned = {
        "lanes": lanes,
        "planes": planes // tables,
        "tables": tables,
        "slabs": len(axes) == 3,
        "strips": 1,
        "strip": (prod(a.size for a in axes), prod(a.out for a in axes)),
        "across": (False, False),
        "size": x.itemsize,
        "out_size": y.itemsize,
        "lead": lead,
        "heads": heads,
    }
    h, w = (*axes, UNIT)[:2]
    if len(axes) < 3 and all((spec[n]["size"], spec[n]["out"]) == (a.size, a.out) for n, a in (("h", h), ("w", w))):
        made = y.itemsize + (index.array.itemsize if index else 0)
        across, out_across = (view[-2] < view[-1] for view in (spec["x"], spec["y"]))
        most = ACROSS_BYTES if across or out_across else STRIP_BYTES
        count, block, rows = strips(h, spec["block"][0], lanes * w.size * x.itemsize, lanes * w.out * made, most)
        spec["block"] = (block, *spec["block"][1:])
        strip = (rows_read(h, rows) * w.size, rows * w.out)
        turned |= {"strips": count, "strip": strip, "across": (across, out_across)}
    cost = x.nbytes + y.nbytes
    own = {"outputs": p.outputs, "planes": planes, "cost": cost, "turned": turned}
    return spec | own | {"sharing": planes_a_table(planes, axes)}


# What the kernels call their axes, in explain's words.
WORDS = {"d": "depth", "h": "height", "w": "width"}


def describe(plan: _kernels.Plan) -> list[str]:
    """A plan in words."""
    spec = plan.spec
    lines = []
    for name in ("d", "h", "w"):
        a = spec[name]
        if a is None or a["size"] == a["out"] == a["kernel"] == 1:
            continue
        chain = "" if len(a["passes"]) == 1 else f", in passes of (taps, gap) {' '.join(map(str, a['passes']))}"
        chain += ", running" if a["running"] else ""
        windows = f"{a['out']} windows of {'' if a['table'] is None else 'up to '}{a['kernel']} taps over {a['size']}"
        if a["table"] is None:
            windows += f", stride {a['stride']}, dilation {a['step']}, padding ({a['before']}, {a['after']}){chain}"
        lines.append(f"{WORDS[name]}: {windows}")
    if "average" in spec["operation"]:
        lines.append(f"divisor: {spec['divisor'] or 'the window without padding, or clipped to it'}")
    turned = spec["turned"] is not None  # then a pixel's lanes are planes
    lanes_are = "lanes a pixel" if not turned else "at a time as the lanes of pixels"
    lines.append(f"{spec['planes']} planes, {spec['lanes']} {lanes_are}, as {spec['operation']} of {spec['dtype']}")
    rows, cols, lanes = (min(spec["block"][i], spec[key]) for i, key in enumerate(("rows", "cols", "lanes")))
    lines.append(f"blocks of {rows} rows, {cols} columns, {lanes} lanes" + (", in parts" if spec["parts"] else ""))
    return lines
