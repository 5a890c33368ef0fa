"""Arguments: every form that a caller may write, as one type; or an error that states the rule, then the value."""

from __future__ import annotations

import operator
from typing import Any, TypeAlias

Pair: TypeAlias = tuple[int, int]
Ints: TypeAlias = tuple[int, ...]

# By the number of spatial axes: channels first, channels last; the axes; what one number for each axis is called.
LAYOUTS = {1: ("NCL", "NLC"), 2: ("NCHW", "NHWC"), 3: ("NCDHW", "NDHWC")}
RANKS = (1, 2, 3)
AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
TUPLES = {1: "a tuple of one", 2: "a pair of integers (height, width)", 3: "three integers (depth, height, width)"}
INDEXES = ("plane", "window", "tensor", "nhwc")
PADDINGS = ("valid", "same", "same_lower")


def choice(name: str, value: Any, choices: tuple[str, ...]) -> str:
    if isinstance(value, str) and value in choices:
        return value
    rule = f"{name} must be one of {', '.join(choices)}"
    if not isinstance(value, str):
        raise TypeError(f"{rule}; got {value!r} of type {type(value).__name__}")
    raise ValueError(f"{rule}; got {value!r}")


def whole(rule: str, value: Any) -> int:
    """`value` as an int; bool and float are not integers here. `rule` is what the error text says."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{rule}; got {value!r} of type {type(value).__name__}")


def integer(name: str, value: Any, least: int, rule: str | None = None) -> int:
    number = whole(rule or f"{name} must be an integer", value)
    if number < least:
        raise ValueError(f"{name} must be at least {least}; got {number}")
    return number


def each(name: str, value: Any, least: int, rank: int) -> Ints:
    """One integer for all axes, alone or in a tuple, or one for each."""
    rule = f"{name} must be an integer or {TUPLES[rank]}"
    if not isinstance(value, tuple | list):
        return (integer(name, value, least, rule),) * rank
    if len(value) not in (1, rank):
        raise ValueError(f"{rule}; got {value!r}")
    return tuple(integer(name, v, least) for v in value) * (rank // len(value))


def paddings(value: Any, rank: int) -> tuple[Pair | str, ...]:
    """Every form of `padding` as (before, after) for each axis, or the name of the rule for each."""
    pairs = ", ".join(["(before, after)"] * rank)
    rule = (
        f"padding must be an integer, {TUPLES[rank]}, a pair for each axis ({pairs}), 'valid', 'same' or 'same_lower'"
    )
    if isinstance(value, str):
        if value not in PADDINGS:
            raise ValueError(f"{rule}; got {value!r}")
        return (value,) * rank
    if not isinstance(value, tuple | list):
        both = integer("padding", value, 0, rule)
        return ((both, both),) * rank
    nested = [isinstance(v, tuple | list) for v in value]
    if len(value) == 1 and not nested[0] and not isinstance(value[0], str):
        return paddings(value[0], rank)
    if len(value) != rank or (all(nested) and any(len(v) != 2 for v in value)):
        raise ValueError(f"{rule}; got {value!r}")
    if any(nested) and not all(nested) or any(isinstance(v, str) for v in value):
        raise TypeError(f"{rule}; got {value!r}")
    pairs_given = value if all(nested) else [(v, v) for v in value]
    return tuple((integer("padding", a, 0), integer("padding", b, 0)) for a, b in pairs_given)


def input_size(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple | list):
        raise TypeError(f"input_shape must be a tuple of integers; got {value!r} of type {type(value).__name__}")
    rule = "input_shape must be a tuple of integers"
    return tuple(integer("input_shape", n, 0, rule) for n in value)


def divisor(value: Any) -> int:
    """`divisor_override`; 0 where there is none."""
    if value is None:
        return 0
    number = whole("divisor_override must be None or an integer", value)
    if number == 0 or abs(number) >= 2**63:
        raise ValueError(f"divisor_override must not be 0, and must lie within +-(2**63 - 1); got {number}")
    return number
