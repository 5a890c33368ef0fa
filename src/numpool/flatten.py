"""Flattening: the axes of a call as those that the kernels know, leads and three spatial ones (slabs, rows, pixels).

The kernels fold windows down rows, then across pixels; those over slabs before or after both. So axes go where their
windows cost least: one whose windows are single positions becomes a lead, and two that are read as one become one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from numpool.geometry import UNIT, Axis, copy_axis, loose_axis, whole_axis

# What has steps: the array of input shape, that of output shape, the indices, and the position that an index names.
X, Y, INDEX, POSITION = range(4)

# Lanes of a pixel from which windows over one axis are folded down it: a vector of float32 at the longest level.
LEAST_LANES = 16

# Columns below which a plane is left as it is: most of each vector would be idle.
LEAST_COLUMNS = 8

# Pixels of a line from which its maximum is one over rows of pixels.
LEAST_LINE = 128

# Columns that a line is folded to, the best first (bench/README.md); a line that none divides is folded across.
LINE_COLUMNS = (8, 4, 6, 5, 7, 9, 11, 13)


@dataclass
class Flat:
    """`lead` sizes, `axes` of windows, and of each of the four things its step along every one of both."""

    lead: list[int]
    axes: list[Axis]
    steps: list[list[int]]

    def length(self, thing: int, axis: int) -> int:
        a = self.axes[axis]
        return a.size if thing in (X, POSITION) else a.out

    def step(self, thing: int, axis: int) -> int:
        return self.steps[thing][len(self.lead) + axis]

    def follows(self, axis: int) -> bool:
        """Whether one step along `axis` is one round of the next axis, for all things."""
        things = (X, Y, INDEX, POSITION)
        return all(self.step(t, axis) == self.step(t, axis + 1) * self.length(t, axis + 1) for t in things)

    def insert(self, axis: int, steps: list[int]) -> None:
        """An axis of single windows, of no effect."""
        self.axes.insert(axis, UNIT)
        for own, step in zip(self.steps, steps, strict=True):
            own.insert(len(self.lead) + axis, step)

    def to_lead(self, axis: int) -> None:
        """Windows of single positions along `axis`: a lead."""
        picked = self.axes.pop(axis)
        for thing, own in enumerate(self.steps):
            step = own.pop(len(self.lead) + axis)
            own.insert(len(self.lead), step * picked.stride if thing in (X, POSITION) else step)
        self.lead.append(picked.out)

    def merge(self, axis: int, whole: Axis, outer: tuple[int, ...] = ()) -> None:
        """`axis` and the next one as a single axis, `whole`, that steps as the next; things in `outer` as `axis`."""
        self.axes[axis : axis + 2] = [whole]
        for thing, own in enumerate(self.steps):
            own.pop(len(self.lead) + axis + (thing in outer))


def is_pick(a: Axis) -> bool:
    """Whether every window is a single position of the input."""
    return a.kernel == 1 and a.inside


def is_copy(a: Axis) -> bool:
    return is_pick(a) and a.stride == 1 and a.out == a.size


def is_whole(a: Axis) -> bool:
    """Whether the only window is the whole axis."""
    return a.out == 1 and a.inside and a.kernel == a.size and a.dilation == 1


def is_lone(axes: Sequence[Axis]) -> bool:
    """Whether the windows are one a line, each line's of its own length."""
    return len(axes) == 1 and axes[0].table is not None and axes[0].out == 1


def flatten(
    lead: list[int],
    axes: tuple[Axis, ...],
    steps: list[list[int]],
    lane: list[int],
    lanes: int,
    way: str,
    most_columns: int = 0,
    least_line: int = 0,
) -> Flat:
    """As few axes as will do, then three.

    `lane`: what the lanes of a pixel take of each thing. `way`: "fold" windows, "across" or "down" the same but of a
    single axis only across pixels or down rows, "spread" a gradient over them, or "scatter" one by its indices, which
    needs no windows.
    `most_columns`: where the order of taps is free, a window that is all of a plane becomes one of no more columns.
    `least_line`: one that is all of a line of so many pixels becomes one over rows of some; 0: none does.
    """
    flat = Flat(list(lead), list(axes), [list(own) for own in steps])
    if len(axes) == 3 and way == "scatter":
        d, h = axes[:2]
        flat.merge(0, loose_axis(d.size * h.size, d.out * h.out))
    elif len(axes) == 3:
        drop_an_axis(flat, way in ("fold", "across"))
    if len(flat.axes) == 1 and 0 < least_line <= flat.axes[0].size:
        fold_line(flat)
    if len(flat.axes) == 1 and (way == "down" or (way == "fold" and lanes >= LEAST_LANES)):
        flat.insert(1, lane)
    while len(flat.axes) < 3:
        flat.insert(0, [flat.step(t, 0) * flat.length(t, 0) for t in (X, Y, INDEX, POSITION)])
    if way == "fold" and lanes == 1 and most_columns:
        fold_plane(flat, most_columns)
    return flat


def fold_plane(flat: Flat, most: int) -> None:
    """A window that is all of a plane without gaps as a window over rows of no more columns."""
    h, w = flat.axes[1:]
    if not is_whole(h) or not is_whole(w) or any(flat.step(t, 1) != flat.step(t, 2) * w.size for t in (X, POSITION)):
        return
    n = h.size * w.size
    columns = next(c for c in range(min(most, n), 0, -1) if n % c == 0)
    if columns < LEAST_COLUMNS or columns <= w.size <= most:
        return
    flat.axes[1:] = [whole_axis(n // columns), whole_axis(columns)]
    for thing in (X, POSITION):
        flat.steps[thing][-2] = flat.step(thing, 2) * columns


def fold_line(flat: Flat) -> None:
    """A window that is all of a line as one over rows of a few elements each, which depend on its length alone."""
    line = flat.axes[0]
    columns = next((c for c in LINE_COLUMNS if line.size % c == 0 and line.size > c), 0)
    if not is_whole(line) or not columns:
        return
    flat.insert(0, [flat.step(t, 0) * (columns if t in (X, POSITION) else 1) for t in (X, Y, INDEX, POSITION)])
    flat.axes[:] = [whole_axis(line.size // columns), whole_axis(columns)]


def drop_an_axis(flat: Flat, fold: bool) -> None:
    """Windows over three axes as windows over two, where one of the three allows it."""
    d, h, w = flat.axes
    if is_copy(d) or (fold and is_pick(d)):
        flat.to_lead(0)
    elif is_copy(h) and is_copy(w) and flat.follows(1):
        flat.merge(1, copy_axis(h.size * w.size))
    elif fold and is_pick(h):
        flat.to_lead(1)
    elif fold and is_whole(h) and d.dilation == 1 and d.table is None:
        if all(flat.step(t, 0) == flat.step(t, 1) * h.size for t in (X, POSITION)):
            n = h.size
            whole = Axis(d.size * n, d.out, d.kernel * n, d.stride * n, 1, d.before * n, d.after * n)
            flat.merge(0, whole, outer=(Y, INDEX))
