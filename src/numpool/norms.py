"""Lp pooling: the p-norm of every window, safe from overflow and underflow; and its gradient."""

from __future__ import annotations

from functools import partial
from math import inf
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from numpool.adaptive import gradient_kept, layout_of
from numpool.arguments import LAYOUTS, RANKS, choice
from numpool.arrays import DTYPES, FLOATS, Result, check_output_shape, checked_array, name_of, narrowed
from numpool.backward import window_sums_backward
from numpool.documents import document, documented
from numpool.forward import window_maxima, window_sums
from numpool.geometry import Axis, output_shape, spatial_axes, spatial_sizes, whole_axis, windows
from numpool.plan import deliver
from numpool.pooling import Array, Ints, Layout, Padding, Stride
from numpool.taps import padded, taps, unpadded

__all__ = [
    "global_lp_pool",
    "global_lp_pool_backward",
    "lp_pool1d",
    "lp_pool1d_backward",
    "lp_pool2d",
    "lp_pool2d_backward",
    "lp_pool3d",
    "lp_pool3d_backward",
]

# Sums of powers of float32 and smaller floats, up to this power, neither overflow nor vanish in float64; up to the
# first power those of float64 do not, unless the norm does.
SAFE_POWER = 6
# Below this a sum may have lost terms that count; the windows are then done once more, each on its own scale.
LEAST_SUM = 1e-270
# The least number that has all its digits.
SMALLEST = float(np.finfo(np.float64).tiny)
# Powers whose sums float32 holds, where all lies in its middle: a sum below the least may have lost terms that count.
QUICK_POWERS = (1, 2, 3)
LEAST_QUICK_SUM = 1e-28
# Norms, and gradients beside them, of which float32 holds such powers and their quotients.
QUICK_SIZES, QUICK_GRADIENTS = (1e-9, 1e9), (1e-15, 1e15)


def power(norm_type: Any) -> float:
    rule = "norm_type must be a number above 0"
    if isinstance(norm_type, bool | np.bool_ | str | bytes):
        raise TypeError(f"{rule}; got {norm_type!r}")
    try:
        p = float(norm_type)
    except OverflowError:
        raise ValueError(f"{rule}, below 1.8e308, or inf; got {norm_type!r}") from None
    except (TypeError, ValueError):
        raise TypeError(f"{rule}; got {norm_type!r}") from None
    if not p > 0:
        raise ValueError(f"{rule}; got {norm_type!r}")
    return p


def norm_dtype(x: np.ndarray) -> np.dtype[Any]:
    return x.dtype if name_of(x.dtype) in FLOATS else np.dtype(np.float64)


def raised(x: np.ndarray, p: float) -> np.ndarray:
    """x ** p for x >= 0; x itself where p is 1."""
    if p == 1:
        return x
    if p == 2:
        return np.asarray(np.square(x))
    if p == 3:  # a general power takes ten times as long
        return np.asarray(x * x * x)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.power(x, p))


def absolute(x: np.ndarray) -> np.ndarray:
    return np.abs(x, dtype=np.float64) if x.dtype.kind == "f" else np.abs(x.astype(np.float64))


def norms(x: np.ndarray, p: float, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    """The p-norms of the windows of `x`, in float64 or, of float32 and smaller floats, in float32."""
    shape = output_shape(x.shape, layout, axes)
    if 0 in shape:
        return np.zeros(shape)
    if p in QUICK_POWERS and (is_narrow(x) or x.dtype == np.float64):
        return quick_norms(x if x.dtype == np.float64 else x.astype(np.float32, copy=False), p, layout, axes)
    plain = absolute(x)
    if p == inf:
        largest: np.ndarray = np.maximum(window_maxima(plain, layout, axes), 0)  # -inf without an element; NaN stays
        return largest
    if p <= 1 or (p <= SAFE_POWER and x.dtype.itemsize < 8):
        return root(window_sums(raised(plain, p), layout, axes, np.float64), p, 1.0)
    top = np.max(plain, where=np.isfinite(plain), initial=0)
    scale = float(top) if top > 0 else 1.0
    with np.errstate(under="ignore"):
        sums = window_sums(raised(plain / scale, p), layout, axes, np.float64)
    y, small = root(sums, p, scale), sums < LEAST_SUM
    if small.any():
        small &= window_maxima(plain, layout, axes) > 0
    if small.any():
        y[small] = rescaled(plain, p, layout, axes, small)
    return y


def is_narrow(*arrays: np.ndarray) -> bool:
    """Whether all are of float32 or smaller floats."""
    return all(name_of(a.dtype) in FLOATS and a.dtype.itemsize <= 4 for a in arrays)


def cube_root(sums: np.ndarray) -> np.ndarray:
    """Of float32, by way of the logarithm and one step of Newton's: a quarter of np.cbrt's time."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.exp(np.log(sums) / np.float32(3))
        y -= (y - sums / (y * y)) / np.float32(3)
    return np.where((sums == 0) | np.isinf(sums), sums, y)


def quick_norms(x: np.ndarray, p: float, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    """The norms in the dtype of `x`, float32 or float64; the windows that it does not do for, each by itself."""
    least = 0 if p == 1 else LEAST_QUICK_SUM if x.dtype == np.float32 else LEAST_SUM
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        powers = np.square(x) if p == 2 else np.abs(x)
        if p == 3:
            powers *= np.square(x)
        sums = window_sums(powers, layout, axes, x.dtype)
        odd = None
        if not (sums.min() >= least and sums.max() < inf):
            largest = window_maxima(np.abs(x), layout, axes)
            odd = (np.isinf(sums) & np.isfinite(largest)) | ((sums < least) & (largest > 0))
        if p == 3:
            y = cube_root(sums) if x.dtype == np.float32 else np.cbrt(sums)
        else:
            y = np.sqrt(sums, out=sums) if p == 2 else sums
        if odd is not None and odd.any():
            y[odd] = rescaled(np.abs(x.astype(np.float64, copy=False)), p, layout, axes, odd)
    return y


def root(sums: np.ndarray, p: float, scale: float | np.ndarray) -> np.ndarray:
    """``sums ** (1 / p) * scale``, which may fit where the root alone does not."""
    with np.errstate(over="ignore", under="ignore"):
        y: np.ndarray = sums if p == 1 else np.sqrt(sums) if p == 2 else np.cbrt(sums) if p == 3 else sums ** (1 / p)
        y = y * scale
        beyond = np.isinf(y) & np.isfinite(sums)
        if beyond.any():
            half = sums[beyond] ** (0.5 / p)
            y[beyond] = half * (scale if np.ndim(scale) == 0 else np.asarray(scale)[beyond]) * half
    return y


def rescaled(sizes: np.ndarray, p: float, layout: str, axes: tuple[Axis, ...], chosen: np.ndarray) -> np.ndarray:
    """The norms of the chosen windows, of finite elements, each scaled by its own largest one."""
    around = padded(sizes, layout, axes, 0.0)
    largest = np.zeros(int(chosen.sum()))
    for tap in taps(around, layout, axes):
        np.maximum(largest, tap[chosen], out=largest)
    total = np.zeros_like(largest)
    for tap in taps(around, layout, axes):
        with np.errstate(under="ignore"):
            total += raised(tap[chosen] / largest, p)
    return root(total, p, largest)


def within(a: np.ndarray, least: float, most: float) -> bool:
    """Whether all that is not 0 lies between two sizes."""
    sizes = np.abs(a, dtype=np.float32 if a.dtype.itemsize == 2 else None)
    return bool(sizes.max(initial=0) < most and sizes.min(initial=1, where=sizes != 0) > least)


@np.errstate(all="ignore")  # what overflows is infinite, as it is in the kernels
def norm_gradient(
    grad: np.ndarray, x: np.ndarray, y: np.ndarray, p: float, layout: str, axes: tuple[Axis, ...]
) -> np.ndarray:
    """The gradient of `norms`: each window gives g * sign(x) * (|x| / y) ** (p - 1), and nothing where y = 0."""
    quick = p in QUICK_POWERS and is_narrow(grad, x, y) and within(y, *QUICK_SIZES) and within(grad, *QUICK_GRADIENTS)
    number = np.float32 if quick else np.float64
    g, y = grad.astype(number, copy=False), y.astype(number, copy=False)
    x = x.astype(number) if x.dtype.kind != "f" or x.dtype.itemsize == 2 else x
    mild = (quick or (within(y, 1e-75, 1e75) and within(grad, 1e-75, 1e75))) and np.isfinite(x).all()
    if 1 <= p <= 3 and mild and all(a.dilation == 1 for a in axes):  # the factors apart neither overflow nor vanish
        weights = np.where(y == 0, number(0), g / raised(y, p - 1) if p != 1 else g)
        total = window_sums_backward(weights, x.shape, layout, axes)
        total *= x if p in (2, 3) else np.sign(x)
        if p not in (1, 2):
            total *= np.abs(x) if p == 3 else raised(absolute(x), p - 1)
        if not np.isfinite(weights).all():
            total[x == 0] = 0
        return total
    g, y, around = g.astype(np.float64), y.astype(np.float64), padded(x.astype(np.float64), layout, axes, 0.0)
    total = np.zeros_like(around)
    for tap, to in zip(taps(around, layout, axes), taps(total, layout, axes), strict=True):
        ratio = np.abs(tap) / y
        slope = (np.abs(tap) == y).astype(np.float64) if p == inf else raised(ratio, p - 1)
        lost = (ratio < SMALLEST) & (tap != 0) & np.isfinite(y)  # the quotient has lost digits, or is 0
        if p != inf and lost.any():
            slope[lost] = raised(np.abs(tap[lost]), p - 1) * raised(y[lost], 1 - p)
        to += np.where((y == 0) | (tap == 0), 0.0, g * np.sign(tap) * slope)
    return unpadded(total, layout, axes)


class LpPool(Protocol):
    """The type of lp_pool1d and its kin."""

    def __call__(
        self,
        x: npt.ArrayLike,
        norm_type: float,
        kernel_size: Ints,
        stride: Stride = None,
        ceil_mode: bool = False,
        *,
        padding: Padding = 0,
        dilation: Ints = 1,
        layout: Layout = ...,
        out: Array | None = None,
    ) -> Array: ...


NOTES = """
    Notes
    -----
    ``(sum(|x| ** p)) ** (1 / p)``, with the absolute value that some frameworks leave out; a window that reaches beyond
    the input sums its own taps, one without an element gives 0. Sums are taken in float64, and scaled where they must
    be (those of float32 and smaller floats, p = 1, 2, 3, in float32 where that will do): nothing overflows or vanishes
    while the true result fits."""


def lp_pool(rank: int) -> LpPool:
    name, channels_first = f"lp_pool{rank}d", LAYOUTS[rank][0]

    def lp_pool(
        x: npt.ArrayLike,
        norm_type: float,
        kernel_size: Ints,
        stride: Stride = None,
        ceil_mode: bool = False,
        *,
        padding: Padding = 0,
        dilation: Ints = 1,
        layout: Layout = channels_first,  # type: ignore[assignment]
        out: Array | None = None,
    ) -> Array:
        p, known = power(norm_type), choice("layout", layout, LAYOUTS[rank])
        given, x = x, checked_array("x", x, DTYPES)
        axes = windows(x.shape, known, kernel_size, stride, padding, dilation, ceil_mode)
        result = Result(output_shape(x.shape, known, axes), norm_dtype(x))
        return deliver((result,), lambda: (narrowed(norms(x, p, known, axes), result.dtype),), out, (given, x))[0]

    text = """The p-norm of {RANK}-D windows.

    Parameters
    ----------
    {x}
    {norm_type}
    {kernel_size}
    {stride}
    {ceil_mode}
    {padding}
    {dilation}
    {layout}
    {out}

    Returns
    -------
    y : array, {OUTPUT_SHAPES}
        Of the dtype of `x` for floats, else float64.

    Raises
    ------
    {raises}
    NOTES

    References
    ----------
    P. Sermanet, S. Chintala, Y. LeCun: Convolutional neural networks applied to house numbers digit classification,
    2012. Names, order and defaults are those of ``torch.nn.functional.lp_pool{RANK}d``.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.lp_pool{RANK}d(np.array([3.0, -4.0, 0.0, 1.0]).reshape({ROW4}), 2, {PAIR}).ravel()
    array([5., 1.])
    """
    return documented(lp_pool, name, text.replace("\n    NOTES", NOTES), rank)


class LpBackward(Protocol):
    """The type of lp_pool1d_backward and its kin."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        norm_type: float,
        kernel_size: Ints,
        stride: Stride = None,
        ceil_mode: bool = False,
        *,
        padding: Padding = 0,
        dilation: Ints = 1,
        layout: Layout = ...,
        out: Array | None = None,
    ) -> Array: ...


def gradient_of(given: tuple[Any, Any, Any], p: float, layout: str, axes_of: Any, out: Any) -> np.ndarray:
    """`given`: grad_output, x and y."""
    named = zip(("grad_output", "x", "y"), given, (FLOATS, DTYPES, FLOATS), strict=True)
    grad, x, y = (checked_array(name, array, dtypes) for name, array, dtypes in named)
    axes = axes_of(x.shape)
    wanted = output_shape(x.shape, layout, axes)
    for name, array in (("grad_output", grad), ("y", y)):
        check_output_shape(name, array, wanted, f"x of {x.shape}")

    def compute() -> tuple[np.ndarray]:
        return (narrowed(norm_gradient(grad, x, y, p, layout, axes), grad.dtype),)

    return deliver((Result(x.shape, grad.dtype),), compute, out, (*given, grad, x, y))[0]


def lp_backward(rank: int) -> LpBackward:
    name, channels_first = f"lp_pool{rank}d_backward", LAYOUTS[rank][0]

    def lp_backward(
        grad_output: npt.ArrayLike,
        x: npt.ArrayLike,
        y: npt.ArrayLike,
        norm_type: float,
        kernel_size: Ints,
        stride: Stride = None,
        ceil_mode: bool = False,
        *,
        padding: Padding = 0,
        dilation: Ints = 1,
        layout: Layout = channels_first,  # type: ignore[assignment]
        out: Array | None = None,
    ) -> Array:
        p, known = power(norm_type), choice("layout", layout, LAYOUTS[rank])

        def axes_of(shape: tuple[int, ...]) -> tuple[Axis, ...]:
            return windows(shape, known, kernel_size, stride, padding, dilation, ceil_mode)

        return gradient_of((grad_output, x, y), p, known, axes_of, out)

    text = """Gradient of `lp_pool{RANK}d` with respect to its input.

    Parameters
    ----------
    {grad_output}
    x : array_like, {SHAPES}
        The input.
    y : array_like, {OUTPUT_SHAPES}
        The output.
    {norm_type}
    {kernel_size}
    {stride}
    {ceil_mode}
    {padding}
    {dilation}
    {layout}
    {out}

    Returns
    -------
    grad_input : array of the input's shape
        Of the dtype of `grad_output`: the sum of ``g * sign(x) * (|x| / y) ** (p - 1)``, 0 where y or x is.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.array([3.0, -4.0]).reshape({ROW2})
    >>> y = numpool.lp_pool{RANK}d(x, 2, {PAIR})
    >>> numpool.lp_pool{RANK}d_backward(np.ones_like(y), x, y, 2, {PAIR}).ravel()
    array([ 0.6, -0.8])
    """
    return documented(lp_backward, name, text, rank)


lp_pool1d, lp_pool2d, lp_pool3d = map(lp_pool, RANKS)
lp_pool1d_backward, lp_pool2d_backward, lp_pool3d_backward = map(lp_backward, RANKS)


def whole(shape: tuple[int, ...], layout: str) -> tuple[Axis, ...]:
    return tuple(map(whole_axis, spatial_sizes(shape, layout)))


@document
def global_lp_pool(
    x: npt.ArrayLike, norm_type: float, *, keepdims: bool = True, layout: Layout | None = None, out: Array | None = None
) -> Array:
    """The p-norm over all spatial axes.

    Parameters
    ----------
    {any_x}
    {norm_type}
    {keepdims}
    {any_layout}
    {out}

    Returns
    -------
    y : array
        Of the dtype of `x` for floats, else float64; its spatial axes have length 1, or are dropped.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.global_lp_pool(np.array([[[3.0, -4.0]]]), 2)
    array([[[5.]]])
    """
    p, given, x = power(norm_type), x, checked_array("x", x, DTYPES)
    known = layout_of(layout, x.ndim)
    spatial, axes = spatial_axes(x.ndim, known), whole(x.shape, known)
    shape = output_shape(x.shape, known, axes)
    if not keepdims:
        shape = tuple(n for a, n in enumerate(shape) if a not in spatial)
    result = Result(shape, norm_dtype(x))
    made = partial(norms, x, p, known, axes)
    return deliver((result,), lambda: (narrowed(made(), result.dtype).reshape(shape),), out, (given, x))[0]


@document
def global_lp_pool_backward(
    grad_output: npt.ArrayLike,
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    norm_type: float,
    *,
    layout: Layout | None = None,
    out: Array | None = None,
) -> Array:
    """Gradient of `global_lp_pool` with respect to its input.

    Parameters
    ----------
    {any_grad_output}
    x : array_like
        The input.
    y : array_like
        The output, with its spatial axes or without them.
    {norm_type}
    {any_layout}
    {out}

    Returns
    -------
    grad_input : array of the input's shape
        Of the dtype of `grad_output`.

    Raises
    ------
    {raises}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.array([[[3.0, -4.0]]])
    >>> numpool.global_lp_pool_backward(np.array([[1.0]]), x, numpool.global_lp_pool(x, 2), 2)
    array([[[ 0.6, -0.8]]])
    """
    p, x = power(norm_type), np.asarray(x)
    known = layout_of(layout, x.ndim)
    grad, y = (gradient_kept(name, a, x.shape, known) for name, a in (("grad_output", grad_output), ("y", y)))
    return gradient_of((grad, x, y), p, known, lambda shape: whole(shape, known), out)
