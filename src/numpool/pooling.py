"""The public functions of maximum, minimum and average pooling over 1, 2 and 3 axes.

Each one only gathers its arguments; `plan.pool` finds or makes the plan and runs it. A maker (``extreme_pool`` ...)
writes a function once for every number of axes. With the channels-first layouts, the defaults, leading axes are free:
``H x W``, ``C x H x W``, ``N x T x C x H x W`` ...; with the channels-last ones the channel is the last axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias, cast, overload

import numpy.typing as npt

from numpool import backward, forward
from numpool.arguments import LAYOUTS, RANKS
from numpool.documents import documented
from numpool.plan import CALLS, pool

__all__ = [
    "avg_pool1d",
    "avg_pool1d_backward",
    "avg_pool2d",
    "avg_pool2d_backward",
    "avg_pool3d",
    "avg_pool3d_backward",
    "max_pool1d",
    "max_pool1d_backward",
    "max_pool2d",
    "max_pool2d_backward",
    "max_pool3d",
    "max_pool3d_backward",
    "min_pool1d",
    "min_pool1d_backward",
    "min_pool2d",
    "min_pool2d_backward",
    "min_pool3d",
    "min_pool3d_backward",
]

CALLS.update(forward.CALLS | backward.CALLS)

Array: TypeAlias = npt.NDArray[Any]
Ints: TypeAlias = int | Sequence[int]
Stride: TypeAlias = int | Sequence[int] | None
Padding: TypeAlias = int | Sequence[int] | Sequence[Sequence[int]] | Literal["valid", "same", "same_lower"]
Sizes: TypeAlias = int | Sequence[int | None] | None
Layout: TypeAlias = Literal["NCL", "NLC", "NCHW", "NHWC", "NCDHW", "NDHWC"]
Index: TypeAlias = Literal["plane", "window", "tensor", "nhwc"]


def as_key(input_shape: Any) -> Any:
    """A list as a tuple, which a plan can be found by."""
    return tuple(input_shape) if isinstance(input_shape, list) else input_shape


# --- maximum and minimum ---------------------------------------------------------------------------------------------


class ExtremePool(Protocol):
    """The type of max_pool1d and its kin."""

    @overload
    def __call__(
        self,
        x: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: Literal[False] = False,
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...
    @overload
    def __call__(
        self,
        x: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride,
        padding: Padding,
        dilation: Ints,
        ceil_mode: bool,
        return_indices: Literal[True],
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: tuple[Array, Array] | None = None,
    ) -> tuple[Array, Array]: ...
    @overload
    def __call__(
        self,
        x: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        *,
        return_indices: Literal[True],
        layout: Layout = ...,
        index: Index = "plane",
        out: tuple[Array, Array] | None = None,
    ) -> tuple[Array, Array]: ...


# The words of each extreme: what it is, and what an empty window gives.
WORDS = {
    "max": ("Maximum", "-inf (the least value of an integer dtype, False)"),
    "min": ("Minimum", "inf (the greatest value of an integer dtype, True)"),
}
EXAMPLES = {
    ("max", 1): """
    >>> y, indices = numpool.max_pool1d(np.array([3, 1, 4, 1, 5, 9]), 2, return_indices=True)
    >>> y, indices
    (array([3, 4, 9]), array([0, 2, 5]))""",
    ("min", 1): """
    >>> y, indices = numpool.min_pool1d(np.array([3, 1, 4, 1, 5, 9]), 2, return_indices=True)
    >>> y, indices
    (array([1, 1, 5]), array([1, 3, 4]))""",
    ("max", 2): """
    >>> x = np.arange(16).reshape(4, 4)
    >>> numpool.max_pool2d(x, 2)
    array([[ 5,  7],
           [13, 15]])
    >>> y, indices = numpool.max_pool2d(x, 2, return_indices=True)
    >>> indices
    array([[ 5,  7],
           [13, 15]])""",
    ("min", 2): """
    >>> x = np.arange(16).reshape(4, 4)
    >>> numpool.min_pool2d(x, 2)
    array([[ 0,  2],
           [ 8, 10]])
    >>> y, indices = numpool.min_pool2d(x, 2, return_indices=True)
    >>> indices
    array([[ 0,  2],
           [ 8, 10]])""",
    ("max", 3): """
    >>> y, indices = numpool.max_pool3d(np.arange(16).reshape(2, 2, 4), 2, return_indices=True)
    >>> y, indices
    (array([[[13, 15]]]), array([[[13, 15]]]))""",
    ("min", 3): """
    >>> y, indices = numpool.min_pool3d(np.arange(16).reshape(2, 2, 4), 2, return_indices=True)
    >>> y, indices
    (array([[[0, 2]]]), array([[[0, 2]]]))""",
}


def extreme_pool(op: str, rank: int) -> ExtremePool:
    name, channels_first = f"{op}_pool{rank}d", LAYOUTS[rank][0]

    def extreme_pool(
        x: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Any = None,
    ) -> Array | tuple[Array, Array]:
        results = pool(
            name,
            (x,),
            (kernel_size, stride, padding, dilation, 1 if ceil_mode else 0, 1 if return_indices else 0, layout, index),
            out,
        )
        return (results[0], results[1]) if return_indices else results[0]

    text = """EXTREME over {RANK}-D windows.

    Parameters
    ----------
    {x}
    {kernel_size}
    {stride}
    {padding}
    {dilation}
    {ceil_mode}
    {return_indices}
    {layout}
    {index}
    {out_indices}

    Returns
    -------
    {returns_y}
    {returns_indices}

    Raises
    ------
    {raises}

    Notes
    -----
    NaN propagates from every place in a window, and its index is that of the first NaN. Equal values: the first in
    row-major order; +0.0 and -0.0 are equal. Padding never wins: a window that holds nothing but padding gives EMPTY
    and the index "no tap" (-1).

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.max_pool{RANK}d``.

    Examples
    --------
    >>> import numpool, numpy as np
    EXAMPLE
    """
    what, empty = WORDS[op]
    text = text.replace("EXTREME", what).replace("EMPTY", empty).replace("\n    EXAMPLE", EXAMPLES[op, rank])
    return cast(ExtremePool, documented(extreme_pool, name, text, rank))


max_pool1d, max_pool2d, max_pool3d = (extreme_pool("max", rank) for rank in RANKS)
min_pool1d, min_pool2d, min_pool3d = (extreme_pool("min", rank) for rank in RANKS)


class ExtremeBackward(Protocol):
    """The type of max_pool1d_backward and its kin."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        input_shape: Sequence[int],
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...


BACKWARD_EXAMPLES = {
    1: """
    >>> x = np.array([3.0, 1.0, 4.0, 1.0])
    >>> y, indices = numpool.OP_pool1d(x, 2, return_indices=True)
    >>> numpool.OP_pool1d_backward(np.ones_like(y), indices, x.shape, 2)
    """,
    2: """
    >>> x = np.arange(16.0).reshape(4, 4)
    >>> y, indices = numpool.OP_pool2d(x, 2, return_indices=True)
    >>> numpool.OP_pool2d_backward(np.ones_like(y), indices, x.shape, 2)
    """,
    3: """
    >>> x = np.arange(8.0).reshape(2, 2, 2)
    >>> y, indices = numpool.OP_pool3d(x, 2, return_indices=True)
    >>> numpool.OP_pool3d_backward(np.ones_like(y), indices, x.shape, 2)
    """,
}
BACKWARD_RESULTS = {
    ("max", 1): "array([1., 0., 1., 0.])",
    ("min", 1): "array([0., 1., 0., 1.])",
    ("max", 2): """array([[0., 0., 0., 0.],
           [0., 1., 0., 1.],
           [0., 0., 0., 0.],
           [0., 1., 0., 1.]])""",
    ("min", 2): """array([[1., 0., 1., 0.],
           [0., 0., 0., 0.],
           [1., 0., 1., 0.],
           [0., 0., 0., 0.]])""",
    ("max", 3): """array([[[0., 0.],
            [0., 0.]],
    <BLANKLINE>
           [[0., 0.],
            [0., 1.]]])""",
    ("min", 3): """array([[[1., 0.],
            [0., 0.]],
    <BLANKLINE>
           [[0., 0.],
            [0., 0.]]])""",
}


def extreme_backward(op: str, rank: int) -> ExtremeBackward:
    name, channels_first = f"{op}_pool{rank}d_backward", LAYOUTS[rank][0]

    def extreme_backward(
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        input_shape: Sequence[int],
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        dilation: Ints = 1,
        ceil_mode: bool = False,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array:
        window = (kernel_size, stride, padding, dilation, 1 if ceil_mode else 0, layout, index)
        return pool(name, (grad_output, indices), (as_key(input_shape), *window), out)[0]

    text = """Gradient of `OP_pool{RANK}d` with respect to its input.

    Parameters
    ----------
    {grad_output}
    {indices}
    {input_shape}
    {kernel_size}
    {stride}
    {padding}
    {dilation}
    {ceil_mode}
    {layout}
    {index}
    {out}

    Returns
    -------
    {returns_gradient}

    Raises
    ------
    {raises_index}

    Notes
    -----
    Contributions are added in the order of the windows, whatever the number of threads: the result is the same bits.

    Examples
    --------
    >>> import numpool, numpy as np
    EXAMPLE
    """
    example = BACKWARD_EXAMPLES[rank].strip() + "\n    " + BACKWARD_RESULTS[op, rank]
    text = text.replace("EXAMPLE", example).replace("OP", op)
    return documented(extreme_backward, name, text, rank)


max_pool1d_backward, max_pool2d_backward, max_pool3d_backward = (extreme_backward("max", rank) for rank in RANKS)
min_pool1d_backward, min_pool2d_backward, min_pool3d_backward = (extreme_backward("min", rank) for rank in RANKS)


# --- average ---------------------------------------------------------------------------------------------------------


class AveragePool(Protocol):
    """The type of avg_pool1d and its kin."""

    def __call__(
        self,
        x: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        layout: Layout = ...,
        dtype: npt.DTypeLike | None = None,
        out: Array | None = None,
    ) -> Array: ...


AVERAGE_EXAMPLES = {
    1: """
    >>> numpool.avg_pool1d(np.arange(6.0), 3)
    array([1., 4.])""",
    2: """
    >>> x = np.arange(16.0).reshape(4, 4)
    >>> numpool.avg_pool2d(x, 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    >>> numpool.avg_pool2d(np.array([[1, 2], [2, 1]], np.uint8), 2, dtype=np.uint8)
    array([[2]], dtype=uint8)""",
    3: """
    >>> numpool.avg_pool3d(np.arange(16.0).reshape(2, 2, 4), 2)
    array([[[6.5, 8.5]]])""",
}


def average_pool(rank: int) -> AveragePool:
    name, channels_first = f"avg_pool{rank}d", LAYOUTS[rank][0]

    def average_pool(
        x: npt.ArrayLike,
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        dtype: npt.DTypeLike | None = None,
        out: Array | None = None,
    ) -> Array:
        window = (kernel_size, stride, padding, 1 if ceil_mode else 0, 1 if count_include_pad else 0, divisor_override)
        return pool(name, (x,), (*window, layout, dtype), out)[0]

    text = """Average over {RANK}-D windows.

    Parameters
    ----------
    {x}
    {kernel_size}
    {stride}
    {padding}
    {ceil_mode}
    count_include_pad : bool
        Whether padding counts in the divisor. The part of a window beyond the padding (`ceil_mode`) never does.
    divisor_override : int, optional
        The divisor of every window; not 0.
    {layout}
    {dtype}
    {out}

    Returns
    -------
    y : array, {OUTPUT_SHAPES}
        A new array lies in memory as `x` does.

    Raises
    ------
    {raises}

    Notes
    -----
    Values of one sign give a result within 4 units in the last place, whatever the window's size. float16 and bfloat16
    are summed in float32 or wider, integers exactly. NaN and inf touch only the windows that hold them. A window
    without an element and ``count_include_pad=False`` gives NaN, and 0 in an integer dtype.

    References
    ----------
    Names, order and defaults are those of ``torch.nn.functional.avg_pool{RANK}d``.

    Examples
    --------
    >>> import numpool, numpy as np
    EXAMPLE
    """
    return documented(average_pool, name, text.replace("\n    EXAMPLE", AVERAGE_EXAMPLES[rank]), rank)


avg_pool1d, avg_pool2d, avg_pool3d = (average_pool(rank) for rank in RANKS)


class AverageBackward(Protocol):
    """The type of avg_pool1d_backward and its kin."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        input_shape: Sequence[int],
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        layout: Layout = ...,
        out: Array | None = None,
    ) -> Array: ...


AVERAGE_BACKWARD_EXAMPLES = {
    1: """
    >>> numpool.avg_pool1d_backward(np.array([2.0, 4.0]), (4,), 2)
    array([1., 1., 2., 2.])""",
    2: """
    >>> numpool.avg_pool2d_backward(np.array([[4.0, 8.0]]), (2, 4), 2)
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.]])""",
    3: """
    >>> numpool.avg_pool3d_backward(np.array([[[8.0, 16.0]]]), (2, 2, 4), 2)
    array([[[1., 1., 2., 2.],
            [1., 1., 2., 2.]],
    <BLANKLINE>
           [[1., 1., 2., 2.],
            [1., 1., 2., 2.]]])""",
}


def average_backward(rank: int) -> AverageBackward:
    name, channels_first = f"avg_pool{rank}d_backward", LAYOUTS[rank][0]

    def average_backward(
        grad_output: npt.ArrayLike,
        input_shape: Sequence[int],
        kernel_size: Ints,
        stride: Stride = None,
        padding: Padding = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        out: Array | None = None,
    ) -> Array:
        window = (kernel_size, stride, padding, 1 if ceil_mode else 0, 1 if count_include_pad else 0, divisor_override)
        return pool(name, (grad_output,), (as_key(input_shape), *window, layout), out)[0]

    text = """Gradient of `avg_pool{RANK}d` with respect to its input.

    Parameters
    ----------
    {grad_output}
    {input_shape}
    {kernel_size}
    {stride}
    {padding}
    {ceil_mode}
    count_include_pad : bool
        Whether padding counts in the divisor.
    divisor_override : int, optional
        The divisor of every window; not 0.
    {layout}
    {out}

    Returns
    -------
    {returns_gradient}

    Raises
    ------
    {raises}

    Notes
    -----
    With a stride equal to the kernel and a divisor of 1 this is nearest-neighbour upsampling.

    Examples
    --------
    >>> import numpool, numpy as np
    EXAMPLE
    """
    return documented(average_backward, name, text.replace("\n    EXAMPLE", AVERAGE_BACKWARD_EXAMPLES[rank]), rank)


avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward = (average_backward(rank) for rank in RANKS)
