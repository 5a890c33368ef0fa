"""Pooling with chance: fractional windows (Graham) and stochastic picks (Zeiler and Fergus)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from numpool.arguments import INDEXES, LAYOUTS, choice, each, input_size
from numpool.arrays import DTYPES, FLOATS, Result, checked_array, name_of
from numpool.backward import scattered
from numpool.documents import document, documented
from numpool.forward import extremum_of
from numpool.geometry import Axis, from_table, is_channels_last, loose_axis, output_shape, spatial_sizes, windows
from numpool.indices import Indices
from numpool.plan import deliver, perform, pool
from numpool.pooling import Array, Index, Ints, Layout, Padding, Stride, as_key
from numpool.taps import inside, padded, picked, taps

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_backward",
    "fractional_max_pool3d",
    "fractional_max_pool3d_backward",
    "stochastic_pool2d",
    "stochastic_pool2d_backward",
]


def generator(rng: Any) -> np.random.Generator:
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        raise TypeError(f"rng must be a numpy.random.Generator, a seed at least 0 or None; got {rng!r}") from None


# --- fractional ------------------------------------------------------------------------------------------------------


def fractional_sizes(
    sizes: tuple[int, ...], kernels: tuple[int, ...], output_size: Any, output_ratio: Any
) -> tuple[int, ...]:
    """The number of windows along each axis."""
    if (output_size is None) == (output_ratio is None):
        raise ValueError(
            f"exactly one of output_size and output_ratio must be given; got {output_size!r} and {output_ratio!r}"
        )
    if output_ratio is not None:
        rule = "output_ratio must be a number between 0 and 1, or one an axis"
        ratios = tuple(output_ratio) if isinstance(output_ratio, tuple | list) else (output_ratio,) * len(sizes)
        if any(isinstance(r, bool) or not isinstance(r, float | int | np.floating) for r in ratios):
            raise TypeError(f"{rule}; got {output_ratio!r}")
        if len(ratios) != len(sizes) or not all(0 < r < 1 for r in ratios):
            raise ValueError(f"{rule}; got {output_ratio!r}")
        wanted = tuple(int(size * ratio) for size, ratio in zip(sizes, ratios, strict=True))
    else:
        wanted = each("output_size", output_size, 1, len(sizes))
    for size, kernel, out in zip(sizes, kernels, wanted, strict=True):
        if out < 1 or out + kernel - 1 > size:
            raise ValueError(
                f"every axis must hold output_size + kernel_size - 1 positions at least, and give an output; got "
                f"an axis of {size} for an output_size of {out} and a kernel_size of {kernel}"
            )
    return wanted


def arithmetic_of(dtype: np.dtype[Any], sizes: tuple[int, ...]) -> np.dtype[Any]:
    """What the windows are computed in: as the input, which must hold the sizes."""
    if name_of(dtype) == "float16" and max(sizes) > float(np.finfo(np.float16).max):
        return np.dtype(np.float32)
    return dtype if name_of(dtype) in FLOATS else np.dtype(np.float64)


def checked_samples(samples: Any, shape: tuple[int, ...], arithmetic: np.dtype[Any], rng: Any) -> np.ndarray:
    """The random offsets of each plane and axis, in the arithmetic that the windows are computed in."""
    below = np.nextafter(arithmetic.type(1), arithmetic.type(0))  # what rounds to 1
    if samples is None:
        drawn = generator(rng).random(shape, np.float64 if arithmetic.itemsize == 8 else np.float32)
        return np.asarray(np.minimum(drawn.astype(arithmetic), below))
    if rng is not None:
        raise ValueError(f"at most one of random_samples and rng may be given; got both, rng = {rng!r}")
    given = np.asarray(samples)
    if given.dtype.kind != "f" and name_of(given.dtype) != "bfloat16":
        raise TypeError(f"random_samples must have a float dtype; got {given.dtype}")
    if given.shape != shape:
        raise ValueError(f"random_samples must have the shape (N, C, axes) = {shape}; got {given.shape}")
    bad = ~((given >= 0) & (given < 1))
    if bad.any():
        raise ValueError(f"random_samples must lie in [0, 1); got {given[bad][0]}")
    return np.asarray(np.minimum(given.astype(arithmetic), below))


def fractional_axis(size: int, kernel: int, out: int, samples: np.ndarray) -> Axis:
    """The windows of every plane: ``int((i + u) * alpha) - int(u * alpha)``, alpha = (size - kernel) / (out - 1)."""
    u = samples.reshape(-1, 1)
    first = np.full((len(u), out), size - kernel, np.int64)
    if out > 1:
        alpha = samples.dtype.type(size - kernel) / samples.dtype.type(out - 1)
        i = np.arange(out - 1).astype(samples.dtype)
        first[:, :-1] = ((i + u) * alpha).astype(np.int64) - (u * alpha).astype(np.int64)
        np.minimum(first, size - kernel, out=first)  # where the arithmetic rounds a start beyond the last
    return from_table(size, first, np.full_like(first, kernel))


def fractional(x: np.ndarray, layout: str, axes: tuple[Axis, ...], index: str | None) -> tuple[np.ndarray, ...]:
    """The maxima of windows that differ from plane to plane: planes are read one by one, channels first."""
    last = is_channels_last(layout)
    first = np.ascontiguousarray(np.moveaxis(x, -1, 1) if last else x)
    own = LAYOUTS[len(axes)][0]
    kind = index if index in (None, "window") else "plane"
    results = perform(extremum_of("max", first, own, axes, kind), None, (first,))
    if last:
        results = tuple(np.moveaxis(r, 1, -1) for r in results)
    if index in ("tensor", "nhwc"):
        places, good = Indices("plane", x.shape, layout, axes).places(results[1])
        results = (results[0], Indices(index, x.shape, layout, axes).named(places, good))
    return tuple(map(np.ascontiguousarray, results))


class FractionalPool(Protocol):
    """The type of fractional_max_pool2d and its kin."""

    def __call__(
        self,
        x: npt.ArrayLike,
        kernel_size: Ints,
        output_size: Ints | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        random_samples: npt.ArrayLike | None = None,
        *,
        rng: np.random.Generator | int | None = None,
        layout: Layout = ...,
        index: Index = "plane",
        out: Any = None,
    ) -> Any: ...


def fractional_pool(rank: int) -> FractionalPool:
    name, channels_first = f"fractional_max_pool{rank}d", LAYOUTS[rank][0]

    def fractional_pool(
        x: npt.ArrayLike,
        kernel_size: Ints,
        output_size: Ints | None = None,
        output_ratio: float | Sequence[float] | None = None,
        return_indices: bool = False,
        random_samples: npt.ArrayLike | None = None,
        *,
        rng: np.random.Generator | int | None = None,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Any = None,
    ) -> Any:
        known, kind = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
        given, x = x, checked_array("x", x, DTYPES)
        if x.ndim not in (rank + 1, rank + 2):
            raise ValueError(f"x must have {rank + 1} or {rank + 2} dimensions (a batch may be missing); got {x.shape}")
        whole = x if x.ndim == rank + 2 else x[None]
        sizes, kernels = spatial_sizes(whole.shape, known), each("kernel_size", kernel_size, 1, rank)
        wanted = fractional_sizes(sizes, kernels, output_size, output_ratio)
        planes = (whole.shape[0], whole.shape[-1 if is_channels_last(known) else 1])
        samples = checked_samples(random_samples, (*planes, rank), arithmetic_of(x.dtype, sizes), rng)
        # the last axis comes first among the samples of two axes, the first one among those of three, as in PyTorch
        of_axis = [samples[..., rank - 1 - a if rank == 2 else a] for a in range(rank)]
        shape = output_shape(x.shape, known, tuple(map(loose_axis, sizes, wanted)))
        if 0 in planes:
            axes = tuple(Axis(s, o, k, 1, 1, 0, 0) for s, o, k in zip(sizes, wanted, kernels, strict=True))
        else:
            axes = tuple(fractional_axis(*words) for words in zip(sizes, kernels, wanted, of_axis, strict=True))
        convention = kind if return_indices else None
        results = [Result(shape, x.dtype)]
        if convention:
            results.append(Result(shape, Indices(convention, whole.shape, known, axes).dtype))

        def compute() -> tuple[np.ndarray, ...]:
            if 0 in planes:
                return tuple(np.empty(r.shape, r.dtype) for r in results)
            return tuple(r.reshape(shape) for r in fractional(whole, known, axes, convention))

        made = deliver(tuple(results), compute, out, (given, x))
        return made if return_indices else made[0]

    text = """Maximum over {RANK}-D windows whose places are drawn at random.

    Parameters
    ----------
    {x}
    {kernel_size}
    output_size : {INTS}, optional
        Number of windows along each axis.
    output_ratio : float or one an axis, optional
        The same as a part of the input, between 0 and 1. Exactly one of the two must be given.
    {return_indices}
    random_samples : array_like of float, (N, C, {RANK}), optional
        The offsets u in [0, 1) of every plane, as PyTorch takes them, in either layout.
    {rng}
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
    Window i of O over L positions starts at ``int((i + u) * a) - int(u * a)`` with a = (L - k) / (O - 1), in the
    precision of the input, the last one at L - k: the windows of PyTorch.

    References
    ----------
    B. Graham: Fractional max-pooling, 2014.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(5.0 ** {RANK}).reshape(SHAPE)
    >>> u = np.full((1, 1, {RANK}), 0.5)
    >>> numpool.fractional_max_pool{RANK}d(x, 2, 3, random_samples=u).ravel()[-3:]
    RESULT
    """
    result = {2: "array([21., 23., 24.])", 3: "array([121., 123., 124.])"}[rank]
    text = text.replace("SHAPE", "1, 1" + ", 5" * rank).replace("RESULT", result)
    return documented(fractional_pool, name, text, rank)


class ScatterBackward(Protocol):
    """The type of gradients that their indices alone say."""

    def __call__(
        self,
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        input_shape: Sequence[int],
        *,
        layout: Layout = ...,
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array: ...


def fractional_backward(rank: int) -> ScatterBackward:
    name, channels_first = f"fractional_max_pool{rank}d_backward", LAYOUTS[rank][0]

    def fractional_backward(
        grad_output: npt.ArrayLike,
        indices: npt.ArrayLike,
        input_shape: Sequence[int],
        *,
        layout: Layout = channels_first,  # type: ignore[assignment]
        index: Index = "plane",
        out: Array | None = None,
    ) -> Array:
        known, kind = choice("layout", layout, LAYOUTS[rank]), choice("index", index, INDEXES)
        if kind == "window":
            raise ValueError('index must not be "window": where the windows lay is not known here')
        return by_indices(grad_output, indices, input_shape, known, kind, out)

    text = """Gradient of `fractional_max_pool{RANK}d` with respect to its input.

    Parameters
    ----------
    {grad_output}
    {indices}
    {input_shape}
    {layout}
    index : {"plane", "tensor", "nhwc"}
        What an index is, as in the forward pass; the tap of a window is not enough.
    {out}

    Returns
    -------
    {returns_gradient}

    Raises
    ------
    {raises_index}

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.arange(4.0 ** {RANK}).reshape(SHAPE)
    >>> y, indices = numpool.fractional_max_pool{RANK}d(x, 2, 2, return_indices=True, rng=1)
    >>> numpool.fractional_max_pool{RANK}d_backward(np.ones_like(y), indices, x.shape).sum()
    np.float64(RESULT)
    """
    text = text.replace("SHAPE", "1, 1" + ", 4" * rank).replace("RESULT", f"{2.0**rank}")
    return documented(fractional_backward, name, text, rank)


def by_indices(grad_output: Any, indices: Any, input_shape: Any, layout: str, index: str, out: Any) -> np.ndarray:
    """The sum of gradients at the places that their indices name, whatever the windows were."""
    grad, shape = checked_array("grad_output", grad_output, FLOATS), input_size(as_key(input_shape))
    sizes = spatial_sizes(shape, layout)
    if grad.ndim != len(shape):
        raise ValueError(f"grad_output must have as many axes as input_shape {shape}; got shape {grad.shape}")
    wanted = spatial_sizes(grad.shape, layout)
    axes = tuple(map(loose_axis, sizes, wanted))
    call = scattered((grad, indices), shape, layout, axes, index, True)
    return perform(call, out, (grad_output, indices, *call.arrays))[0]


fractional_max_pool2d, fractional_max_pool3d = map(fractional_pool, (2, 3))
fractional_max_pool2d_backward, fractional_max_pool3d_backward = map(fractional_backward, (2, 3))


# --- stochastic ------------------------------------------------------------------------------------------------------


def weights_of(x: np.ndarray) -> np.ndarray:
    """What the taps weigh: max(x, 0); NaN stays."""
    return np.maximum(x.astype(np.float64), 0)


def expected(x: np.ndarray, layout: str, axes: tuple[Axis, ...]) -> np.ndarray:
    """The mean of the windows' taps, weighted by themselves."""
    around = padded(weights_of(x), layout, axes, 0.0)
    shape = output_shape(x.shape, layout, axes)
    largest, total, squares = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for tap in taps(around, layout, axes):
        np.maximum(largest, tap, out=largest)
    with np.errstate(invalid="ignore", divide="ignore"):
        for tap in taps(around, layout, axes):  # scaled by the largest: squares neither overflow nor vanish
            part = np.where(largest == tap, 1.0, tap / largest)
            total += np.where(tap == 0, 0.0, part)
            squares += np.where(tap == 0, 0.0, part * part)
        return np.where(largest == 0, 0.0, largest * (squares / total))


def drawn(
    x: np.ndarray, layout: str, axes: tuple[Axis, ...], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The values drawn and the numbers of their taps; -1 where a window has none."""
    around = padded(x, layout, axes, 0)
    weights = list(taps(weights_of(around), layout, axes))
    shape = weights[0].shape
    steps = np.empty((len(weights), *shape))  # the weights of the taps up to each
    steps[0] = weights[0]
    with np.errstate(over="ignore"):
        for t in range(1, len(weights)):
            np.add(steps[t - 1], weights[t], out=steps[t])
    odd = ~((steps[-1] > 0) & np.isfinite(steps[-1]))  # no positive tap, NaN or infinity, or beyond the range
    if odd.any():
        there = np.stack([np.broadcast_to(t, shape) for t in taps(inside(x.shape, layout, axes), layout, axes)])
        steps[:, odd] = np.cumsum(odd_weights(np.stack([w[odd] for w in weights]), there[:, odd]), axis=0)
    # drawn in one order for both layouts: batch, channel, row, column
    last = is_channels_last(layout)
    u = rng.random((*shape[:-3], shape[-1], *shape[-3:-1]) if last else shape)
    goal = (np.moveaxis(u, -3, -1) if last else u) * steps[-1]
    goal = np.minimum(goal, np.nextafter(steps[-1], 0))  # rounded, u * total may be the total
    beyond = np.zeros(shape, np.uint8 if len(weights) < 256 else np.int64)
    for step in steps[:-1]:
        beyond += step <= goal
    chosen = beyond.astype(np.int64)
    values, nothing = picked(around, layout, axes, chosen), steps[-1] == 0
    chosen[nothing], values[nothing] = -1, 0
    return values, chosen


def odd_weights(weights: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The weights of windows (taps first) whose own cannot be drawn by: the first NaN alone, else the infinite ones
    evenly, else those in scale, else all that exist."""
    nan, infinite = np.isnan(weights), np.isposinf(weights)
    first = nan & (np.cumsum(nan, axis=0) == 1)
    largest = np.where(nan | infinite, 0.0, weights).max(0)
    scaled = np.where(largest > 0, np.where(infinite, 0.0, weights) / np.where(largest > 0, largest, 1.0), there)
    return np.where(nan.any(0), first, np.where(infinite.any(0), infinite, scaled))


@document
def stochastic_pool2d(
    x: npt.ArrayLike,
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    return_indices: bool = False,
    *,
    training: bool = True,
    rng: np.random.Generator | int | None = None,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Any = None,
) -> Any:
    """One tap of every window, drawn with probability in proportion to its value; or the mean of such draws.

    Parameters
    ----------
    x : array_like, (..., H, W) or (..., H, W, C)
        float16, bfloat16 (ml_dtypes), float32 or float64. Taps weigh max(x, 0).
    {kernel_size}
    {stride}
    {padding}
    {ceil_mode}
    return_indices : bool
        Also return which taps were drawn; only in training.
    training : bool
        Draw; otherwise give sum(w * w) / sum(w).
    {rng}
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
    A window without a positive tap draws uniformly (training) or gives 0. NaN propagates. The same seed gives the same
    result for any number of threads and in both layouts. A window without an element gives 0 and the index "no tap".

    References
    ----------
    M. Zeiler, R. Fergus: Stochastic pooling for regularization of deep convolutional neural networks, 2013.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.stochastic_pool2d(np.array([[0.0, 5.0], [0.0, 0.0]]), 2, rng=0)
    array([[5.]])
    >>> numpool.stochastic_pool2d(np.array([[1.0, 3.0], [0.0, 0.0]]), 2, training=False)
    array([[2.5]])
    """
    known, kind = choice("layout", layout, LAYOUTS[2]), choice("index", index, INDEXES)
    given, x, source = x, checked_array("x", x, FLOATS), generator(rng)
    axes = windows(x.shape, known, kernel_size, stride, padding, 1, ceil_mode)
    if return_indices and not training:
        raise ValueError("return_indices needs training: nothing is drawn otherwise; got training = False")
    shape = output_shape(x.shape, known, axes)
    numbers, meaning = Indices("window", x.shape, known, axes), Indices(kind, x.shape, known, axes)
    results = [Result(shape, x.dtype)] + [Result(shape, meaning.dtype)] * bool(return_indices)

    def compute() -> tuple[np.ndarray, ...]:
        if not training:
            return (expected(x, known, axes).astype(x.dtype),)
        values, chosen = drawn(x, known, axes, source)
        if not return_indices:
            return (values,)
        return values, meaning.named(numbers.places(chosen)[0], chosen >= 0, chosen)

    made = deliver(tuple(results), compute, out, (given, x))
    return made if return_indices else made[0]


@document
def stochastic_pool2d_backward(
    grad_output: npt.ArrayLike,
    indices: npt.ArrayLike,
    input_shape: Sequence[int],
    kernel_size: Ints,
    stride: Stride = None,
    padding: Padding = 0,
    ceil_mode: bool = False,
    *,
    layout: Layout = "NCHW",
    index: Index = "plane",
    out: Array | None = None,
) -> Array:
    """Gradient of `stochastic_pool2d` with respect to its input: each goes to the tap that was drawn.

    Parameters
    ----------
    {grad_output}
    {indices}
    {input_shape}
    {kernel_size}
    {stride}
    {padding}
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

    Examples
    --------
    >>> import numpool, numpy as np
    >>> x = np.array([[0.0, 5.0], [0.0, 0.0]])
    >>> y, indices = numpool.stochastic_pool2d(x, 2, return_indices=True, rng=0)
    >>> numpool.stochastic_pool2d_backward(np.ones_like(y), indices, x.shape, 2)
    array([[0., 1.],
           [0., 0.]])
    """
    args = (as_key(input_shape), kernel_size, stride, padding, 1, 1 if ceil_mode else 0, layout, index)
    return pool("max_pool2d_backward", (grad_output, indices), args, out)[0]
