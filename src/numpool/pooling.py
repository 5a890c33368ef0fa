"""The public pooling functions.

Each one only gathers its arguments; `plan.pool` finds or makes the plan and runs it. Shapes below are written for
``layout="NCHW"``, the default; leading axes are free (``H x W``, ``C x H x W``, ``N x T x C x H x W`` ...). With
``layout="NHWC"`` the channel is the last axis, and at least three are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, overload

import numpy.typing as npt

from numpool.plan import pool

Array: TypeAlias = npt.NDArray[Any]
Ints: TypeAlias = int | Sequence[int]
Stride: TypeAlias = int | Sequence[int] | None
Padding: TypeAlias = int | Sequence[int] | Sequence[Sequence[int]] | Literal["valid", "same", "same_lower"]
Layout: TypeAlias = Literal["NCHW", "NHWC"]
Index: TypeAlias = Literal["plane", "window", "tensor", "nhwc"]

# What each public function runs; the backward passes of both extremes are one, for an index says it all.
OPERATIONS = {
    "avg_pool2d": "average",
    "avg_pool2d_backward": "average_backward",
    "max_pool2d": "max",
    "max_pool2d_backward": "extremum_backward",
    "min_pool2d": "min",
    "min_pool2d_backward": "extremum_backward",
}
__all__ = list(OPERATIONS)


@overload
def max_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Array | None = None,
) -> Array: ...
@overload
def max_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: Literal[True],
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
@overload
def max_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
def max_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Any = None,
) -> Array | tuple[Array, Array]:
    """Maximum over 2-D windows.

    Parameters
    ----------
    x : array_like, (..., H, W) or (..., H, W, C)
        float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.
    kernel_size : int or pair of int
        Window height and width, in elements.
    stride : int or pair of int, optional
        Step from window to window; the kernel size if None or ``()``.
    padding : int, pair, pair of pairs or str
        Padding on every side; (height, width); ((top, bottom), (left, right)); "valid" (none); "same"
        (``ceil(size / stride)`` outputs, the odd element at the end) or "same_lower" (at the start). Any size: there is
        no "half the kernel" rule.
    dilation : int or pair of int
        Distance between the taps of a window.
    ceil_mode : bool
        Round the number of windows up instead of down; no window starts in the padding behind the input.
    return_indices : bool
        Also return where each maximum stands.
    layout : {"NCHW", "NHWC"}
        Whether the channel comes before the height and width or after them.
    index : {"plane", "window", "tensor", "nhwc"}
        What an index is: position in the H x W plane (int64, as PyTorch); number of the tap in its window,
        ``kh * KW + kw`` (uint8 up to 255 taps, uint16 up to 65535, else int32; "no tap" is the largest value, or -1);
        position in the whole array (int64, as ONNX); ``(h * W + w) * C + c`` (int64, as TensorFlow).
    out : array or pair of arrays, optional
        Where to write the result (and the indices): their exact shape and dtype, any strides, no overlap with `x`.

    Returns
    -------
    y : array, (..., OH, OW) or (..., OH, OW, C)
        Of the dtype of `x`. A new array lies in memory as `x` does.
    indices : array of the same shape
        Only if `return_indices`.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array a dtype that cannot be pooled.
    ValueError
        An argument breaks its rule; the message states the rule and the values. Nothing has been written then.

    Notes
    -----
    NaN propagates from every place in a window, and its index is that of the first NaN. Equal values: the first in
    row-major order; +0.0 and -0.0 are equal. Padding never wins: a window that holds nothing but padding gives -inf
    (the least value of an integer dtype, False) and the index "no tap" (-1).

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.max_pool2d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(16).reshape(4, 4)
    >>> numpool.max_pool2d(x, 2)
    array([[ 5,  7],
           [13, 15]])
    >>> y, indices = numpool.max_pool2d(x, 2, return_indices=True)
    >>> indices
    array([[ 5,  7],
           [13, 15]])
    """
    results = pool(
        "max",
        (x,),
        (kernel_size, stride, padding, dilation, 1 if ceil_mode else 0, 1 if return_indices else 0, layout, index),
        out,
    )
    return (results[0], results[1]) if return_indices else results[0]


def max_pool2d_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Array | None = None,
) -> Array:
    """Gradient of `max_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like, (..., OH, OW) or (..., OH, OW, C)
        Gradient of the output: float16, bfloat16, float32 or float64.
    indices : array_like of integers, same shape
        What `max_pool2d` returned, in the same `index` convention. "No tap" gives its gradient to nobody.
    input_shape : tuple of int
        The shape of the input.
    kernel_size : int or pair of int
        Window height and width, in elements.
    stride : int or pair of int, optional
        Step from window to window; the kernel size if None or ``()``.
    padding : int, pair, pair of pairs or str
        Padding on every side; (height, width); ((top, bottom), (left, right)); "valid" (none); "same"
        (``ceil(size / stride)`` outputs, the odd element at the end) or "same_lower" (at the start). Any size: there is
        no "half the kernel" rule.
    dilation : int or pair of int
        Distance between the taps of a window.
    ceil_mode : bool
        Round the number of windows up instead of down; no window starts in the padding behind the input.
    layout : {"NCHW", "NHWC"}
        Whether the channel comes before the height and width or after them.
    index : {"plane", "window", "tensor", "nhwc"}
        What an index is: position in the H x W plane (int64, as PyTorch); number of the tap in its window,
        ``kh * KW + kw`` (uint8 up to 255 taps, uint16 up to 65535, else int32; "no tap" is the largest value, or -1);
        position in the whole array (int64, as ONNX); ``(h * W + w) * C + c`` (int64, as TensorFlow).
    out : array, optional
        Where to write the result: its exact shape and dtype, any strides, no overlap with the inputs.

    Returns
    -------
    grad_input : array of shape `input_shape`
        Of the dtype of `grad_output`. float16 and bfloat16 are summed in float32 and rounded once.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array a dtype that cannot be pooled.
    ValueError
        An argument breaks its rule, or an index lies outside its plane (a tap number: outside the input); the
        message states the rule and the values. Nothing has been written then.

    Notes
    -----
    Contributions are added in the order of the windows, whatever the number of threads: the result is the same bits.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(16.0).reshape(4, 4)
    >>> y, indices = numpool.max_pool2d(x, 2, return_indices=True)
    >>> numpool.max_pool2d_backward(np.ones_like(y), indices, x.shape, 2)
    array([[0., 0., 0., 0.],
           [0., 1., 0., 1.],
           [0., 0., 0., 0.],
           [0., 1., 0., 1.]])
    """
    args = (
        tuple(input_shape) if isinstance(input_shape, list) else input_shape,
        kernel_size,
        stride,
        padding,
        dilation,
        1 if ceil_mode else 0,
        layout,
        index,
    )
    return pool("extremum_backward", (grad_output, indices), args, out)[0]


@overload
def min_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Array | None = None,
) -> Array: ...
@overload
def min_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride,
    padding: Padding,
    dilation: Ints,
    ceil_mode: bool,
    return_indices: Literal[True],
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
@overload
def min_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: tuple[Array, Array] | None = None,
) -> tuple[Array, Array]: ...
def min_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Any = None,
) -> Array | tuple[Array, Array]:
    """Minimum over 2-D windows.

    Parameters
    ----------
    x : array_like, (..., H, W) or (..., H, W, C)
        float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.
    kernel_size : int or pair of int
        Window height and width, in elements.
    stride : int or pair of int, optional
        Step from window to window; the kernel size if None or ``()``.
    padding : int, pair, pair of pairs or str
        Padding on every side; (height, width); ((top, bottom), (left, right)); "valid" (none); "same"
        (``ceil(size / stride)`` outputs, the odd element at the end) or "same_lower" (at the start). Any size: there is
        no "half the kernel" rule.
    dilation : int or pair of int
        Distance between the taps of a window.
    ceil_mode : bool
        Round the number of windows up instead of down; no window starts in the padding behind the input.
    return_indices : bool
        Also return where each minimum stands.
    layout : {"NCHW", "NHWC"}
        Whether the channel comes before the height and width or after them.
    index : {"plane", "window", "tensor", "nhwc"}
        What an index is: position in the H x W plane (int64, as PyTorch); number of the tap in its window,
        ``kh * KW + kw`` (uint8 up to 255 taps, uint16 up to 65535, else int32; "no tap" is the largest value, or -1);
        position in the whole array (int64, as ONNX); ``(h * W + w) * C + c`` (int64, as TensorFlow).
    out : array or pair of arrays, optional
        Where to write the result (and the indices): their exact shape and dtype, any strides, no overlap with `x`.

    Returns
    -------
    y : array, (..., OH, OW) or (..., OH, OW, C)
        Of the dtype of `x`. A new array lies in memory as `x` does.
    indices : array of the same shape
        Only if `return_indices`.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array a dtype that cannot be pooled.
    ValueError
        An argument breaks its rule; the message states the rule and the values. Nothing has been written then.

    Notes
    -----
    NaN propagates from every place in a window, and its index is that of the first NaN. Equal values: the first in
    row-major order; +0.0 and -0.0 are equal. Padding never wins: a window that holds nothing but padding gives inf (the
    greatest value of an integer dtype, True) and the index "no tap" (-1).

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.max_pool2d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(16).reshape(4, 4)
    >>> numpool.min_pool2d(x, 2)
    array([[ 0,  2],
           [ 8, 10]])
    >>> y, indices = numpool.min_pool2d(x, 2, return_indices=True)
    >>> indices
    array([[ 0,  2],
           [ 8, 10]])
    """
    results = pool(
        "min",
        (x,),
        (kernel_size, stride, padding, dilation, 1 if ceil_mode else 0, 1 if return_indices else 0, layout, index),
        out,
    )
    return (results[0], results[1]) if return_indices else results[0]


def min_pool2d_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    dilation: Ints = 1,
    ceil_mode: bool = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Array | None = None,
) -> Array:
    """Gradient of `min_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like, (..., OH, OW) or (..., OH, OW, C)
        Gradient of the output: float16, bfloat16, float32 or float64.
    indices : array_like of integers, same shape
        What `min_pool2d` returned, in the same `index` convention. "No tap" gives its gradient to nobody.
    input_shape : tuple of int
        The shape of the input.
    kernel_size : int or pair of int
        Window height and width, in elements.
    stride : int or pair of int, optional
        Step from window to window; the kernel size if None or ``()``.
    padding : int, pair, pair of pairs or str
        Padding on every side; (height, width); ((top, bottom), (left, right)); "valid" (none); "same"
        (``ceil(size / stride)`` outputs, the odd element at the end) or "same_lower" (at the start). Any size: there is
        no "half the kernel" rule.
    dilation : int or pair of int
        Distance between the taps of a window.
    ceil_mode : bool
        Round the number of windows up instead of down; no window starts in the padding behind the input.
    layout : {"NCHW", "NHWC"}
        Whether the channel comes before the height and width or after them.
    index : {"plane", "window", "tensor", "nhwc"}
        What an index is: position in the H x W plane (int64, as PyTorch); number of the tap in its window,
        ``kh * KW + kw`` (uint8 up to 255 taps, uint16 up to 65535, else int32; "no tap" is the largest value, or -1);
        position in the whole array (int64, as ONNX); ``(h * W + w) * C + c`` (int64, as TensorFlow).
    out : array, optional
        Where to write the result: its exact shape and dtype, any strides, no overlap with the inputs.

    Returns
    -------
    grad_input : array of shape `input_shape`
        Of the dtype of `grad_output`. float16 and bfloat16 are summed in float32 and rounded once.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array a dtype that cannot be pooled.
    ValueError
        An argument breaks its rule, or an index lies outside its plane (a tap number: outside the input); the
        message states the rule and the values. Nothing has been written then.

    Notes
    -----
    Contributions are added in the order of the windows, whatever the number of threads: the result is the same bits.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(16.0).reshape(4, 4)
    >>> y, indices = numpool.min_pool2d(x, 2, return_indices=True)
    >>> numpool.min_pool2d_backward(np.ones_like(y), indices, x.shape, 2)
    array([[1., 0., 1., 0.],
           [0., 0., 0., 0.],
           [1., 0., 1., 0.],
           [0., 0., 0., 0.]])
    """
    args = (
        tuple(input_shape) if isinstance(input_shape, list) else input_shape,
        kernel_size,
        stride,
        padding,
        dilation,
        1 if ceil_mode else 0,
        layout,
        index,
    )
    return pool("extremum_backward", (grad_output, indices), args, out)[0]


def avg_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    layout: Layout = "NCHW",
    dtype: npt.DTypeLike | None = None,
    out: Array | None = None,
) -> Array:
    """Average over 2-D windows.

    Parameters
    ----------
    x : array_like, (..., H, W) or (..., H, W, C)
        float16, bfloat16 (ml_dtypes), float32, float64, bool or any integer.
    kernel_size : int or pair of int
        Window height and width, in elements.
    stride : int or pair of int, optional
        Step from window to window; the kernel size if None or ``()``.
    padding : int, pair, pair of pairs or str
        Padding on every side; (height, width); ((top, bottom), (left, right)); "valid" (none); "same"
        (``ceil(size / stride)`` outputs, the odd element at the end) or "same_lower" (at the start). Any size: there is
        no "half the kernel" rule.
    ceil_mode : bool
        Round the number of windows up instead of down; no window starts in the padding behind the input.
    count_include_pad : bool
        Whether padding counts in the divisor. The part of a window beyond the padding (`ceil_mode`) never does.
    divisor_override : int, optional
        The divisor of every window; not 0.
    layout : {"NCHW", "NHWC"}
        Whether the channel comes before the height and width or after them.
    dtype : dtype, optional
        Dtype of the result: by default that of `x` for floats, else float64. An integer dtype, for integer and bool
        `x`, rounds half to even and saturates where a divisor override or a narrower dtype makes the average not fit.
    out : array, optional
        Where to write the result: its exact shape and dtype, any strides, no overlap with `x`.

    Returns
    -------
    y : array, (..., OH, OW) or (..., OH, OW, C)
        A new array lies in memory as `x` does.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array a dtype that cannot be pooled.
    ValueError
        An argument breaks its rule; the message states the rule and the values. Nothing has been written then.

    Notes
    -----
    Values of one sign give a result within 4 units in the last place, whatever the window's size. float16 and bfloat16
    are summed in float32 or wider, integers exactly. NaN and inf touch only the windows that hold them. A window
    without an element and ``count_include_pad=False`` gives NaN, and 0 in an integer dtype.

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.avg_pool2d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(16.0).reshape(4, 4)
    >>> numpool.avg_pool2d(x, 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    >>> numpool.avg_pool2d(np.array([[1, 2], [2, 1]], np.uint8), 2, dtype=np.uint8)
    array([[2]], dtype=uint8)
    """
    args = (
        kernel_size,
        stride,
        padding,
        1 if ceil_mode else 0,
        1 if count_include_pad else 0,
        divisor_override,
        layout,
        dtype,
    )
    return pool("average", (x,), args, out)[0]


def avg_pool2d_backward(
    grad_output: npt.ArrayLike,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    layout: Layout = "NCHW",
    out: Array | None = None,
) -> Array:
    """Gradient of `avg_pool2d` with respect to its input.

    Parameters
    ----------
    grad_output : array_like, (..., OH, OW) or (..., OH, OW, C)
        Gradient of the output: float16, bfloat16, float32 or float64.
    input_shape : tuple of int
        The shape of the input.
    kernel_size : int or pair of int
        Window height and width, in elements.
    stride : int or pair of int, optional
        Step from window to window; the kernel size if None or ``()``.
    padding : int, pair, pair of pairs or str
        Padding on every side; (height, width); ((top, bottom), (left, right)); "valid" (none); "same"
        (``ceil(size / stride)`` outputs, the odd element at the end) or "same_lower" (at the start). Any size: there is
        no "half the kernel" rule.
    ceil_mode : bool
        Round the number of windows up instead of down; no window starts in the padding behind the input.
    count_include_pad : bool
        Whether padding counts in the divisor.
    divisor_override : int, optional
        The divisor of every window; not 0.
    layout : {"NCHW", "NHWC"}
        Whether the channel comes before the height and width or after them.
    out : array, optional
        Where to write the result: its exact shape and dtype, any strides, no overlap with `grad_output`.

    Returns
    -------
    grad_input : array of shape `input_shape`
        Of the dtype of `grad_output`. float16 and bfloat16 are summed in float32 and rounded once.

    Raises
    ------
    TypeError
        An argument has the wrong type, or an array a dtype that cannot be pooled.
    ValueError
        An argument breaks its rule; the message states the rule and the values. Nothing has been written then.

    Notes
    -----
    With a stride equal to the kernel and a divisor of 1 this is nearest-neighbour upsampling.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.avg_pool2d_backward(np.array([[4.0, 8.0]]), (2, 4), 2)
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]])
    """
    args = (
        tuple(input_shape) if isinstance(input_shape, list) else input_shape,
        kernel_size,
        stride,
        padding,
        1 if ceil_mode else 0,
        1 if count_include_pad else 0,
        divisor_override,
        layout,
    )
    return pool("average_backward", (grad_output,), args, out)[0]
