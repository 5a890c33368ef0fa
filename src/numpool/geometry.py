"""Windows: from kernel, stride, padding and dilation to one axis of windows.

Output i of an axis reads the taps ``i * stride - before + j * dilation``, j < kernel, that lie inside the input. All
sizes are Python integers, so nothing overflows before it has been checked.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from functools import cache
from typing import Any

# What the kernels' 64-bit sums of positions can hold.
MOST = 2**62


def integer(name: str, value: Any, least: int) -> int:
    """`value` as an int; bool and float are not integers here."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} must be an integer; got {value!r} of type {type(value).__name__}")
    number = operator.index(value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}; got {number}")
    return number


def pair(name: str, value: Any, least: int) -> tuple[int, int]:
    """One integer for both axes, or one for each."""
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{name} must be an integer or a pair of integers (height, width); got {value!r}")
        return integer(name, value[0], least), integer(name, value[1], least)
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(
            f"{name} must be an integer or a pair of integers (height, width); got {value!r} of type {type(value).__name__}"
        )
    return (integer(name, value, least),) * 2


@dataclass(frozen=True)
class Axis:
    """Regular windows over one spatial axis, `size` long."""

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        """Positions from a window's first tap to its last, both counted."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def inside(self) -> bool:
        """Whether no window reaches beyond the input."""
        return self.before == 0 and (self.out - 1) * self.stride + self.extent <= self.size

    def counts_alike(self, padding: bool) -> bool:
        """Whether every window has the same number of positions in an average's divisor."""
        end = (self.out - 1) * self.stride - self.before + self.kernel
        return end <= self.size + self.after if padding else self.inside


def axis(name: str, size: int, kernel: int, stride: int, padding: tuple[int, int] | str, dilation: int, ceil: bool) -> Axis:
    """The windows over an axis of `size`; `name` is for the error texts."""
    if size < 1:
        raise ValueError(f"every spatial size must be at least 1; got {name} = {size}")
    extent = (kernel - 1) * dilation + 1
    if isinstance(padding, str):  # TensorFlow's and ONNX's words, which say the number of outputs: no ceil_mode
        ceil = False
        total = 0 if padding == "valid" else max((-(-size // stride) - 1) * stride + extent - size, 0)
        small, large = total // 2, total - total // 2
        before, after = (large, small) if padding == "same_lower" else (small, large)
    else:
        before, after = padding
    padded = size + before + after
    if padded >= MOST:
        raise ValueError(f"the padded {name} must be below 2**62; got {size} + {before} + {after}")
    out = (padded - extent + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (out - 1) * stride >= size + before:
        out -= 1  # a window may not start in the padding behind the input
    if padding in ("same", "same_lower"):
        out = -(-size // stride)  # a stride beyond the kernel may leave the last of these out above
    if out < 1:
        raise ValueError(
            f"the window must fit into the padded {name}; got {size} + {before} + {after} = {padded} positions for a kernel "
            f"of {kernel} with dilation {dilation}, which takes {extent}"
        )
    if out == 1:
        stride = max(padded, extent)  # there is no second window: any stride that reaches beyond does
    if dilation > 1 and kernel == 1:
        dilation = 1
    return Axis(size, out, kernel, stride, dilation, before, after)


def paddings(value: Any) -> tuple[tuple[int, int], tuple[int, int]] | tuple[str, str]:
    """Every form of `padding` as (before, after) for height and width, or the name of the rule twice."""
    form = (
        "padding must be an integer, a pair (height, width), a pair of pairs ((before, after), (before, after)), "
        "'valid', 'same' or 'same_lower'"
    )
    if isinstance(value, str):
        if value not in ("valid", "same", "same_lower"):
            raise ValueError(f"{form}; got {value!r}")
        return value, value
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise ValueError(f"{form}; got {value!r}")
        if all(isinstance(v, tuple | list) for v in value):
            if any(len(v) != 2 for v in value):
                raise ValueError(f"{form}; got {value!r}")
            return tuple((integer("padding", v[0], 0), integer("padding", v[1], 0)) for v in value)  # type: ignore[return-value]
        if any(isinstance(v, tuple | list | str) for v in value):
            raise TypeError(f"{form}; got {value!r}")
    elif isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{form}; got {value!r} of type {type(value).__name__}")
    height, width = pair("padding", value, 0)
    return (height, height), (width, width)


@cache
def passes(kernel: int) -> tuple[tuple[int, int], ...]:
    """A wide window as a chain of narrow folds, (taps, gap) each; only for operations that may count a tap twice.

    A fold of `taps` windows of width w, `gap` <= w positions apart, makes windows of w + (taps - 1) * gap. The chain with the
    fewest loads: 13 is 5 taps, then 3 of those, 4 apart.
    """
    best: list[tuple[int, tuple[tuple[int, int], ...]]] = [(0, ())]
    for k in range(1, kernel + 1):
        choices = [(k, ((k, 1),))] if k <= 5 else []
        for taps in range(2, 6):
            for gap in range(1, (k - 1) // (taps - 1) + 1):
                width = k - (taps - 1) * gap
                if gap <= width < k:
                    loads, chain = best[width]
                    choices.append((loads + taps + 1, (*chain, (taps, gap))))  # + 1: the store between
        best.append(min(choices))
    return best[kernel][1]
