"""Docstrings: what all functions say of a parameter stands here once; a function's own text names it as ``{name}``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from textwrap import indent
from typing import Any, TypeVar

from numpool.arguments import AXES, LAYOUTS

F = TypeVar("F", bound=Callable[..., Any])

SHAPES = {1: "(..., L) or (..., L, C)", 2: "(..., H, W) or (..., H, W, C)", 3: "(..., D, H, W) or (..., D, H, W, C)"}
OUTPUT_SHAPES = {
    1: "(..., OL) or (..., OL, C)",
    2: "(..., OH, OW) or (..., OH, OW, C)",
    3: "(..., OD, OH, OW) or (..., OD, OH, OW, C)",
}
INTS = {1: "int or tuple of one", 2: "int or pair of int", 3: "int or three int"}
PLANES = {1: "along the length", 2: "in the H x W plane", 3: "in the D x H x W volume"}
TAPS = {1: "``k``", 2: "``kh * KW + kw``", 3: "``(kd * KH + kh) * KW + kw``"}
FLAT = {1: "``l * C + c``", 2: "``(h * W + w) * C + c``", 3: "``((d * H + h) * W + w) * C + c``"}

PARAMETERS = {
    "x": """
x : array_like, {SHAPES}
    float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.""",
    "any_x": """
x : array_like, (N, C, ...), or as `layout` says
    float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.""",
    "grad_output": """
grad_output : array_like, {OUTPUT_SHAPES}
    Gradient of the output: float16, bfloat16, float32 or float64.""",
    "any_grad_output": """
grad_output : array_like
    Gradient of the output: float16, bfloat16, float32 or float64, with its spatial axes or without them.""",
    "indices": """
indices : array_like of integers, same shape
    What the forward pass returned, in the same `index` convention. "No tap" gives its gradient to nobody.""",
    "input_shape": """
input_shape : tuple of int
    The shape of the input.""",
    "kernel_size": """
kernel_size : {INTS}
    Window size along the {AXES}, in elements.""",
    "stride": """
stride : {INTS}, optional
    Step from window to window; the kernel size if None or ``()``.""",
    "padding": """
padding : int, one int or one pair (before, after) an axis, or str
    Padding on every side; "valid" (none); "same" (``ceil(size / stride)`` outputs, the odd element at the end) or
    "same_lower" (at the start). Any size: there is no "half the kernel" rule.""",
    "dilation": """
dilation : {INTS}
    Distance between the taps of a window.""",
    "ceil_mode": """
ceil_mode : bool
    Round the number of windows up instead of down; no window starts in the padding behind the input. Where `padding` is
    a word, that says how many there are.""",
    "output_size": """
output_size : int, None, or one an axis
    Number of windows along the {AXES}; None keeps an axis as it is.""",
    "return_indices": """
return_indices : bool
    Also return where each extreme stands.""",
    "layout": """
layout : {LAYOUTS}
    Whether the channel comes before the spatial axes or after them.""",
    "any_layout": """
layout : str, optional
    "NCL", "NLC", "NCHW", "NHWC", "NCDHW" or "NDHWC", whose spatial axes are pooled over; None: all axes from the third
    on, of an array of 3 to 5 dimensions.""",
    "steps_x": """
x : array_like, (N, C, L) or (C, L), channels last (N, L, C) or (L, C)
    float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.""",
    "steps_layout": """
layout : {"NCL", "NLC"}
    Whether the channel comes before the steps or after them.""",
    "lengths": """
lengths : array_like of int, (N,), optional
    The number of steps of each sample that count; all of them if None.""",
    "index": """
index : {"plane", "window", "tensor", "nhwc"}
    What an index is: position {PLANES} (int64, as PyTorch); number of the tap in its window, {TAPS}, K being the
    largest window's (uint8 up to 255 taps, uint16 up to 65535, else int32; "no tap" is the largest value, or -1);
    position in the whole array (int64, as ONNX); {FLAT} (int64, as TensorFlow).""",
    "any_index": """
index : {"plane", "window", "tensor", "nhwc"}
    What an index is: position among those of its channel (int64, as PyTorch; "window" gives the same number, as uint8
    up to 255 positions, uint16 up to 65535, else int32); in the whole array (int64, as ONNX); in its sample with the
    channels last (int64, as TensorFlow).""",
    "dtype": """
dtype : dtype, optional
    Dtype of the result: by default that of `x` for floats, else float64. An integer dtype, for integer and bool `x`,
    rounds half to even and saturates where the average does not fit.""",
    "keepdims": """
keepdims : bool
    Leave the spatial axes in the result, with length 1.""",
    "norm_type": """
norm_type : float
    The power p > 0; ``inf`` gives the largest absolute value.""",
    "rng": """
rng : numpy.random.Generator, int or None
    Where random numbers come from: a generator, a seed, or fresh entropy.""",
    "out": """
out : array, optional
    Where to write the result: its exact shape and dtype, any strides, no overlap with the inputs.""",
    "out_indices": """
out : array or pair of arrays, optional
    Where to write the result (and the indices): their exact shape and dtype, any strides, no overlap with `x`.""",
    "returns_y": """
y : array, {OUTPUT_SHAPES}
    Of the dtype of `x`. A new array lies in memory as `x` does.""",
    "returns_indices": """
indices : array of the same shape
    Only if `return_indices`; of the dtype that `index` names, else int64.""",
    "returns_gradient": """
grad_input : array of the input's shape
    Of the dtype of `grad_output`. float16 and bfloat16 are summed in float32 and rounded once.""",
    "raises": """
TypeError
    An argument has the wrong type, or an array a dtype that cannot be pooled.
ValueError
    An argument breaks its rule; the message states the rule and the values. Nothing has been written then.""",
    "raises_index": """
TypeError
    An argument has the wrong type, or an array a dtype that cannot be pooled.
ValueError
    An argument breaks its rule, or an index lies outside its plane (a tap number: outside the input); the message
    states the rule and the values. Nothing has been written then.""",
}


def filled(text: str, rank: int) -> str:
    """A docstring with its parameters in place, and the words that depend on the number of spatial axes."""
    lines = []
    for line in inspect.cleandoc(text).splitlines():
        key = line.strip()[1:-1]
        if line.strip() == "{" + key + "}" and key in PARAMETERS:
            lines.append(indent(PARAMETERS[key].strip("\n"), " " * (len(line) - len(line.lstrip()))))
        else:
            lines.append(line)
    words = {
        "SHAPES": SHAPES[rank],
        "OUTPUT_SHAPES": OUTPUT_SHAPES[rank],
        "INTS": INTS[rank],
        "AXES": " and ".join(AXES[rank][-2:]) if rank < 3 else "depth, height and width",
        "LAYOUTS": "{" + ", ".join(f'"{name}"' for name in LAYOUTS[rank]) + "}",
        "PLANES": PLANES[rank],
        "TAPS": TAPS[rank],
        "FLAT": FLAT[rank],
        "RANK": str(rank),
        # of the examples: a row of 4 and of 2, and windows of 2 along it
        "ROW4": "1, " * (rank - 1) + "4",
        "ROW2": "1, " * (rank - 1) + "2",
        "PAIR": "2" if rank == 1 else "(" + "1, " * (rank - 1) + "2)",
    }
    result = "\n".join(lines)
    for word, value in words.items():
        result = result.replace("{" + word + "}", value)
    return result


def documented(function: F, name: str, text: str, rank: int = 2) -> F:
    """The function under its public name, with its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = filled(text, rank)
    return function


def document(function: F) -> F:
    """Decorator: the parameters of its docstring in place."""
    function.__doc__ = filled(function.__doc__ or "", 2)
    return function
