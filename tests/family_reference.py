"""The slow truth of the whole family, over 1, 2 and 3 spatial axes; for the plane it must agree with `reference`.

    regular, adaptive, fractional ──> an axis: its windows, each (how many taps, [(tap, position) that are real]) ──┐
    max, min, avg, lp, stochastic <── every_window: the taps and positions of one window at a time <────────────────┘
    backward passes, unpooling    <── places: which position of its plane each index names

Names and signatures are the public ones, less `out`; arguments are taken to be right. Every array is first seen as
(planes, spatial axes), so there is one story for all layouts. A rank's functions are one function: `max_pool1d` is
`_extreme` with rank 1. Averages and norms are computed exactly, or to 60 digits, and rounded at the end.
"""

import math
from collections import namedtuple
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache, partial

import numpy as np
from reference import NO_TAP, exact_mean, index_dtype, limits, output_size, pair, resolve_padding

FIRST = {1: "NCL", 2: "NCHW", 3: "NCDHW"}  # the default layouts, by spatial rank
RANKS = tuple(FIRST)
DIGITS = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN)


# ---- Layouts ----


def rank(layout):
    """How many spatial axes a layout has."""
    return len(layout) - 2


def each_axis(value, n):
    """One number for all axes, or one for each."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * n


def to_planes(x, layout):
    """Any array as (planes, spatial axes)."""
    n = rank(layout)
    if layout[-1] == "C":
        x = np.moveaxis(x, -1, -1 - n)
    return x.reshape(math.prod(x.shape[:-n]), *x.shape[-n:])


def from_planes(planes, shape, layout):
    """The inverse, for planes that came from an array of this shape."""
    n = rank(layout)
    if layout[-1] != "C":
        return planes.reshape(*shape[:-n], *planes.shape[1:])
    return np.moveaxis(planes.reshape(*shape[: -n - 1], shape[-1], *planes.shape[1:]), -n - 1, -1)


def plane_size(shape, layout):
    n = rank(layout)
    return tuple(shape[-n - 1 : -1] if layout[-1] == "C" else shape[-n:])


def index_names(shape, layout, index):
    """What `index` calls each position, as (planes, spatial axes); "window" numbers taps and names none."""
    positions = to_planes(np.arange(math.prod(shape)).reshape(shape), layout)
    size, n = positions.shape[1:], rank(layout)
    plane = np.broadcast_to(np.arange(math.prod(size)).reshape(size), positions.shape)
    channels = shape[-1] if layout[-1] == "C" else (1, *shape)[-n - 1]
    channel = np.arange(len(positions)).reshape(-1, *[1] * n) % max(channels, 1)
    return {"tensor": positions, "plane": plane, "nhwc": plane * channels + channel, "window": None}[index]


def places(indices, shape, layout, index, axes=None):
    """The flat position in its plane that each index names, as (planes, output axes); NO_TAP where it names none."""
    chosen, size = to_planes(np.asarray(indices), layout), plane_size(shape, layout)
    result = np.full(chosen.shape, NO_TAP, np.int64)
    if index == "window":
        for at, taps, positions in every_window(axes):
            for tap, place in zip(taps, np.ravel_multi_index(positions, size) if len(taps) else ()):
                result[(chosen[(slice(None), *at)] == tap).nonzero()[0], *at] = place
        return result
    for names, row, found in zip(index_names(shape, layout, index), chosen, result):
        known = {name: place for place, name in enumerate(names.ravel().tolist())}
        found[...] = np.array([known.get(i, NO_TAP) for i in row.ravel().tolist()], np.int64).reshape(row.shape)
    return result


# ---- Windows ----


def every_window(axes):
    """Each window: (output position, tap numbers, positions per axis), its real taps in row-major order."""
    return windows_of(tuple(tuple((kernel, tuple(taps)) for kernel, taps in axis) for axis in axes))


@lru_cache(maxsize=4)  # one operation after the other has the same
def windows_of(axes):
    axes = [[(kernel, np.array(taps, np.int64).reshape(-1, 2).T) for kernel, taps in axis] for axis in axes]
    result = []
    for at in np.ndindex(*map(len, axes)):
        kernel, taps = zip(*(axis[i] for axis, i in zip(axes, at)))
        grid = np.indices([t.shape[1] for t in taps]).reshape(len(axes), -1)
        numbers, positions = zip(*(t[:, some] for t, some in zip(taps, grid)))
        result.append((at, np.ravel_multi_index(numbers, kernel), positions))
    return result


class Regular:
    """Windows of one kernel, stride, padding and dilation: `axes`, one table of windows per spatial axis."""

    def __init__(self, shape, layout, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        n, self.size = rank(layout), plane_size(shape, layout)
        self.kernel, dilation = each_axis(kernel_size, n), each_axis(dilation, n)
        self.stride = self.kernel if stride is None or stride == () else each_axis(stride, n)
        rows = list(zip(self.size, self.kernel, self.stride, dilation))
        if isinstance(padding, str):
            self.padding = [resolve_padding(padding, *((v,) * 2 for v in row))[0] for row in rows]
            ceil_mode = False
        else:
            self.padding = [pair(p) for p in each_axis(padding, n)]
        self.axes = []
        for (L, k, s, d), (before, after) in zip(rows, self.padding):
            starts = [i * s - before for i in range(output_size(L, k, s, before, after, d, ceil_mode))]
            self.axes.append([(k, [(t, a + t * d) for t in range(k) if 0 <= a + t * d < L]) for a in starts])

    def divisors(self, count_include_pad, divisor_override):
        """The number that each window's sum is divided by, as an array of the output's size."""
        output = [len(axis) for axis in self.axes]
        if divisor_override is not None:
            return np.full(output, divisor_override, object)
        result = np.array(1, object)  # Python ints: no wrap
        for L, k, s, (before, after), o in zip(self.size, self.kernel, self.stride, self.padding, output):
            low, high = (-before, L + after) if count_include_pad else (0, L)
            starts = [i * s - before for i in range(o)]
            lengths = [max(min(start + k, high) - max(start, low), 0) for start in starts]
            result = np.multiply.outer(result, np.array(lengths, object))
        return result


def adaptive_axis(L, o):
    """`o` windows that cover L positions: from floor(i * L / o) to ceil((i + 1) * L / o)."""
    bounds = [(i * L // o, -(-(i + 1) * L // o)) for i in range(o)]
    return [(b - a, [(position - a, position) for position in range(a, b)]) for a, b in bounds]


def adaptive_axes(size, output_size):
    wanted = each_axis(output_size, len(size))
    return [adaptive_axis(L, L if o is None else o) for L, o in zip(size, wanted)]


def largest(axes):
    """The most taps of a window on each axis."""
    return [max(kernel for kernel, _ in axis) for axis in axes]


# ---- Over windows ----


def native(x):
    x = np.asarray(x)
    return x.astype(x.dtype.newbyteorder("="))


def average_dtype(x, dtype):
    return np.dtype(dtype if dtype is not None else np.float64 if x.dtype.kind in "biu" else x.dtype)


def comparable(x):
    """Values to compare: NumPy is not sure of the order of bfloat16."""
    return x.astype(np.float32) if x.dtype.name == "bfloat16" else x


def over_extremes(end, x, axes, layout, index, return_indices):
    """The largest (end 0) or smallest (end 1) tap of each window, and its name."""
    x = native(x)
    choose, empty = (np.argmax, np.argmin)[end], limits(x.dtype)[end]
    planes, names = to_planes(x, layout), index_names(x.shape, layout, index)
    keys, everyone = comparable(planes), np.arange(len(planes))
    values = np.full((len(planes), *map(len, axes)), empty, x.dtype)
    indices = np.full(values.shape, NO_TAP, np.int64).astype(index_dtype(index, largest(axes)))
    for at, taps, positions in every_window(axes):
        if len(taps):
            t = choose(keys[:, *positions], axis=1)  # NumPy's rule: the first NaN, else the first of the best
            where = (everyone, *(p[t] for p in positions))
            values[:, *at] = planes[where]
            indices[:, *at] = taps[t] if index == "window" else names[where]
    values, indices = (from_planes(a, x.shape, layout) for a in (values, indices))
    return (values, indices) if return_indices else values


def rounded(mean, divisor, dtype):
    if dtype.kind not in "iu":
        return float(mean)
    low, high = limits(dtype)
    return min(max(round(mean), low), high) if divisor else 0  # round: half to even


def over_numbers(function, x, axes, layout, dtype):
    """function(output position, the taps as Python numbers) for each window of each plane."""
    planes = to_planes(x, layout).astype(object if x.dtype.kind in "biu" else np.float64)
    result = np.empty((len(planes), *map(len, axes)), dtype)
    for at, _, positions in every_window(axes):
        for p, taps in enumerate(planes[:, *positions].tolist()):
            result[(p, *at)] = function(at, taps)
    return from_planes(result, x.shape, layout)


def over_averages(x, axes, divisors, layout, dtype):
    x = native(x)
    dtype = average_dtype(x, dtype)
    return over_numbers(
        lambda at, taps: rounded(exact_mean(taps, divisors[at]), divisors[at], dtype), x, axes, layout, dtype
    )


def spread(grad_output, input_shape, axes, divisors, layout):
    """The gradient of an average."""
    grad = to_planes(np.asarray(grad_output), layout).astype(np.float64)
    result = np.zeros((len(grad), *plane_size(input_shape, layout)))
    for at, taps, positions in every_window(axes):
        if len(taps):
            result[:, *positions] += grad[:, *at][:, None] / divisors[at]
    return from_planes(result, input_shape, layout).astype(grad_output.dtype)


def scatter(grad_output, indices, input_shape, layout, index, axes=None):
    """The gradient of a choice: each goes to the place that its index names."""
    grad = to_planes(np.asarray(grad_output), layout).astype(np.float64)
    result = np.zeros((len(grad), math.prod(plane_size(input_shape, layout))))
    for row, g, at in zip(result, grad, places(indices, input_shape, layout, index, axes)):
        np.add.at(row, at[at >= 0], g[at >= 0])
    planes = result.reshape(len(grad), *plane_size(input_shape, layout))
    return from_planes(planes, input_shape, layout).astype(grad_output.dtype)


# ---- Maximum, minimum, average ----


def _extreme(
    end,
    n,
    x,
    kernel_size,
    stride=None,
    padding=0,
    dilation=1,
    ceil_mode=False,
    return_indices=False,
    *,
    layout=None,
    index="plane",
):
    layout = layout or FIRST[n]
    axes = Regular(np.shape(x), layout, kernel_size, stride, padding, dilation, ceil_mode).axes
    return over_extremes(end, x, axes, layout, index, return_indices)


def _extreme_backward(
    n,
    grad_output,
    indices,
    input_shape,
    kernel_size,
    stride=None,
    padding=0,
    dilation=1,
    ceil_mode=False,
    *,
    layout=None,
    index="plane",
):
    layout = layout or FIRST[n]
    axes = Regular(input_shape, layout, kernel_size, stride, padding, dilation, ceil_mode).axes
    return scatter(grad_output, indices, input_shape, layout, index, axes)


max_pool1d, max_pool2d, max_pool3d = (partial(_extreme, 0, n) for n in RANKS)
min_pool1d, min_pool2d, min_pool3d = (partial(_extreme, 1, n) for n in RANKS)
max_pool1d_backward, max_pool2d_backward, max_pool3d_backward = (partial(_extreme_backward, n) for n in RANKS)
min_pool1d_backward, min_pool2d_backward, min_pool3d_backward = (partial(_extreme_backward, n) for n in RANKS)


def _avg(
    n,
    x,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
    *,
    layout=None,
    dtype=None,
):
    layout = layout or FIRST[n]
    windows = Regular(np.shape(x), layout, kernel_size, stride, padding, 1, ceil_mode)
    return over_averages(x, windows.axes, windows.divisors(count_include_pad, divisor_override), layout, dtype)


def _avg_backward(
    n,
    grad_output,
    input_shape,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
    *,
    layout=None,
):
    layout = layout or FIRST[n]
    windows = Regular(input_shape, layout, kernel_size, stride, padding, 1, ceil_mode)
    divisors = windows.divisors(count_include_pad, divisor_override)
    return spread(grad_output, input_shape, windows.axes, divisors, layout)


avg_pool1d, avg_pool2d, avg_pool3d = (partial(_avg, n) for n in RANKS)
avg_pool1d_backward, avg_pool2d_backward, avg_pool3d_backward = (partial(_avg_backward, n) for n in RANKS)


# ---- Lp ----


def exact_norm(taps, p):
    """(sum |t|**p) ** (1/p) to 60 digits, as a float."""
    sizes = [abs(t) for t in taps if t]
    if any(map(math.isnan, sizes)):
        return math.nan
    if p == math.inf or math.inf in sizes or not sizes:
        return float(max(sizes, default=0))
    with localcontext(DIGITS):
        return float(sum(Decimal(t) ** Decimal(p) for t in sizes) ** (1 / Decimal(p)))


def over_norms(x, norm_type, axes, layout):
    x = native(x)
    return over_numbers(lambda _, taps: exact_norm(taps, norm_type), x, axes, layout, average_dtype(x, None))


def share(x, y, p):
    """sign(x) * (|x| / y) ** (p - 1), which is dy/dx; 0 where x or y is 0."""
    if x == 0 or y == 0:
        return 0.0
    if p == math.inf:
        return math.copysign(abs(x) == y, x)
    return math.copysign((abs(x) / y) ** (p - 1), x)


def spread_norms(grad_output, x, y, norm_type, axes, layout):
    grad, planes, norms = (to_planes(np.asarray(a), layout).astype(np.float64) for a in (grad_output, x, y))
    result = np.zeros(planes.shape)
    for at, _, positions in every_window(axes):
        for p in range(len(planes)):
            for where in zip(*positions):
                result[(p, *where)] += grad[(p, *at)] * share(planes[(p, *where)], norms[(p, *at)], norm_type)
    return from_planes(result, np.shape(x), layout).astype(grad_output.dtype)


def _lp(n, x, norm_type, kernel_size, stride=None, ceil_mode=False, *, padding=0, dilation=1, layout=None):
    layout = layout or FIRST[n]
    axes = Regular(np.shape(x), layout, kernel_size, stride, padding, dilation, ceil_mode).axes
    return over_norms(x, norm_type, axes, layout)


def _lp_backward(
    n, grad_output, x, y, norm_type, kernel_size, stride=None, ceil_mode=False, *, padding=0, dilation=1, layout=None
):
    layout = layout or FIRST[n]
    axes = Regular(np.shape(x), layout, kernel_size, stride, padding, dilation, ceil_mode).axes
    return spread_norms(grad_output, x, y, norm_type, axes, layout)


lp_pool1d, lp_pool2d, lp_pool3d = (partial(_lp, n) for n in RANKS)
lp_pool1d_backward, lp_pool2d_backward, lp_pool3d_backward = (partial(_lp_backward, n) for n in RANKS)


# ---- Adaptive ----


def window_lengths(axes):
    """How many positions each window has, as an array of the output's size."""
    result = np.array(1, object)
    for axis in axes:
        result = np.multiply.outer(result, np.array([kernel for kernel, _ in axis], object))
    return result


def _adaptive_max(n, x, output_size, return_indices=False, *, layout=None, index="plane"):
    layout = layout or FIRST[n]
    return over_extremes(
        0, x, adaptive_axes(plane_size(np.shape(x), layout), output_size), layout, index, return_indices
    )


def _adaptive_max_backward(n, grad_output, indices, input_shape, output_size, *, layout=None, index="plane"):
    layout = layout or FIRST[n]
    axes = adaptive_axes(plane_size(input_shape, layout), output_size)
    return scatter(grad_output, indices, input_shape, layout, index, axes)


def _adaptive_avg(n, x, output_size, *, layout=None, dtype=None):
    layout = layout or FIRST[n]
    axes = adaptive_axes(plane_size(np.shape(x), layout), output_size)
    return over_averages(x, axes, window_lengths(axes), layout, dtype)


def _adaptive_avg_backward(n, grad_output, input_shape, *, layout=None):
    layout = layout or FIRST[n]
    axes = adaptive_axes(plane_size(input_shape, layout), plane_size(grad_output.shape, layout))
    return spread(grad_output, input_shape, axes, window_lengths(axes), layout)


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = (partial(_adaptive_max, n) for n in RANKS)
adaptive_max_pool1d_backward, adaptive_max_pool2d_backward, adaptive_max_pool3d_backward = (
    partial(_adaptive_max_backward, n) for n in RANKS
)
adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = (partial(_adaptive_avg, n) for n in RANKS)
adaptive_avg_pool1d_backward, adaptive_avg_pool2d_backward, adaptive_avg_pool3d_backward = (
    partial(_adaptive_avg_backward, n) for n in RANKS
)


# ---- Global ----


def spatial_axes(ndim, layout):
    n = rank(layout)
    return tuple(range(-n - 1, -1) if layout[-1] == "C" else range(-n, 0))


def _global(pool, x, keepdims, layout, *args, **kwargs):
    """An adaptive pooling to one output; `layout` None is channels-first with one batch and one channel axis."""
    layout = layout or FIRST[np.ndim(x) - 2]
    size = plane_size(np.shape(x), layout)
    results = pool(x, [adaptive_axis(L, 1) for L in size], layout, *args, **kwargs)
    if keepdims:
        return results
    drop = partial(np.squeeze, axis=spatial_axes(np.ndim(x), layout))
    return tuple(map(drop, results)) if isinstance(results, tuple) else drop(results)


def _kept(array, input_shape, layout):
    """The array with the spatial axes of length 1, whether or not they were dropped."""
    shape = list(input_shape)
    for axis in spatial_axes(len(shape), layout):
        shape[axis] = 1
    return np.asarray(array).reshape(shape)


def global_max_pool(x, return_indices=False, *, keepdims=True, layout=None, index="plane"):
    return _global(partial(over_extremes, 0), x, keepdims, layout, index, return_indices)


def global_max_pool_backward(grad_output, indices, input_shape, *, layout=None, index="plane"):
    layout = layout or FIRST[len(input_shape) - 2]
    grad, chosen = (_kept(a, input_shape, layout) for a in (grad_output, indices))
    axes = adaptive_axes(plane_size(input_shape, layout), 1)
    return scatter(grad, chosen, input_shape, layout, index, axes)


def global_avg_pool(x, *, keepdims=True, layout=None, dtype=None):
    return _global(
        lambda x, axes, layout: over_averages(x, axes, window_lengths(axes), layout, dtype), x, keepdims, layout
    )


def global_avg_pool_backward(grad_output, input_shape, *, layout=None):
    layout = layout or FIRST[len(input_shape) - 2]
    return _adaptive_avg_backward(rank(layout), _kept(grad_output, input_shape, layout), input_shape, layout=layout)


def global_lp_pool(x, norm_type, *, keepdims=True, layout=None):
    return _global(lambda x, axes, layout: over_norms(x, norm_type, axes, layout), x, keepdims, layout)


def global_lp_pool_backward(grad_output, x, y, norm_type, *, layout=None):
    layout = layout or FIRST[np.ndim(x) - 2]
    grad, norms = (_kept(a, np.shape(x), layout) for a in (grad_output, y))
    return spread_norms(grad, x, norms, norm_type, adaptive_axes(plane_size(np.shape(x), layout), 1), layout)


# ---- Fractional ----


def sample_dtype(dtype):
    """The precision of the sequence: that of the input."""
    return dtype if dtype.name in ("float16", "bfloat16", "float32") else np.dtype(np.float64)


def drawn_samples(rng, shape, dtype):
    """Samples of a generator: those of halves are float32's, rounded, but below 1."""
    drawn = rng.random(shape, np.float64 if dtype.itemsize == 8 else np.float32)
    return np.minimum(drawn.astype(dtype), np.nextafter(dtype.type(1), dtype.type(0)))


def fractional_starts(L, k, o, u):
    """PyTorch's sequence, in the precision of u."""
    number = u.dtype.type
    alpha = number(L - k) / number(o - 1) if o > 1 else number(0)
    return [int((number(i) + u) * alpha) - int(u * alpha) for i in range(o - 1)] + [L - k]


def _fractional(
    n,
    x,
    kernel_size,
    output_size=None,
    output_ratio=None,
    return_indices=False,
    random_samples=None,
    *,
    rng=None,
    layout=None,
    index="plane",
):
    layout, x = layout or FIRST[n], native(x)
    size, kernel = plane_size(x.shape, layout), each_axis(kernel_size, n)
    if output_size is None:
        output_size = [int(L * ratio) for L, ratio in zip(size, each_axis(output_ratio, n))]
    planes, dtype = to_planes(x, layout), sample_dtype(x.dtype)
    if random_samples is None:
        channels = x.shape[-1] if layout[-1] == "C" else x.shape[-n - 1]
        random_samples = drawn_samples(np.random.default_rng(rng), (len(planes) // channels, channels, n), dtype)
    samples = np.asarray(random_samples).astype(dtype).reshape(-1, n)
    samples = samples[:, ::-1] if n == 2 else samples  # of two, the first is for the width; of three, for the depth
    names = index_names(x.shape, layout, index)
    values, indices = [], []
    for p, plane in enumerate(planes):
        axes = []
        for L, k, o, u in zip(size, kernel, each_axis(output_size, n), samples[p]):
            axes.append([(k, [(t, a + t) for t in range(k)]) for a in fractional_starts(L, k, o, u)])
        y, i = over_extremes(0, plane, axes, FIRST[n], "window" if index == "window" else "plane", True)
        values.append(y)
        indices.append(i if index == "window" else names[p].ravel()[i])
    values, indices = (from_planes(np.array(a), x.shape, layout) for a in (values, indices))
    return (values, indices) if return_indices else values


def _fractional_backward(n, grad_output, indices, input_shape, *, layout=None, index="plane"):
    return scatter(grad_output, indices, input_shape, layout or FIRST[n], index)


fractional_max_pool2d, fractional_max_pool3d = (partial(_fractional, n) for n in (2, 3))
fractional_max_pool2d_backward, fractional_max_pool3d_backward = (partial(_fractional_backward, n) for n in (2, 3))


# ---- Stochastic ----


def expected(taps):
    """sum(w * w) / sum(w) of the weights w = max(t, 0); 0 where there is none."""
    if any(map(math.isnan, taps)):
        return math.nan
    weights = [Fraction(max(t, 0)) for t in taps]
    return float(sum(w * w for w in weights) / sum(weights)) if any(weights) else 0.0


def draw(taps, u):
    """The tap below which a fraction u of the weight lies: one drawn in proportion to its weight."""
    if any(map(math.isnan, taps)):
        return int(np.isnan(taps).argmax())
    weights = [Fraction(max(t, 0)) for t in taps]
    if not any(weights):
        weights = [Fraction(1)] * len(taps)
    left = Fraction(u) * sum(weights)
    for tap, weight in enumerate(weights):
        left -= weight
        if left < 0:
            return tap
    raise AssertionError("u was not below 1")


def stochastic_pool2d(
    x,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    return_indices=False,
    *,
    training=True,
    rng=None,
    layout="NCHW",
    index="plane",
):
    """In training one right answer of many: which tap a random number picks is not part of the contract."""
    x = native(x)
    axes = Regular(x.shape, layout, kernel_size, stride, padding, 1, ceil_mode).axes
    if not training:
        return over_numbers(lambda _, taps: expected(taps), x, axes, layout, x.dtype)
    planes, names = to_planes(x, layout), index_names(x.shape, layout, index)
    values = np.zeros((len(planes), *map(len, axes)), x.dtype)
    indices = np.full(values.shape, NO_TAP, np.int64).astype(index_dtype(index, largest(axes)))
    samples = np.random.default_rng(rng).random(values.shape)
    for at, taps, positions in every_window(axes):
        for p in range(len(planes) if len(taps) else 0):
            t = draw(planes[p][positions].astype(np.float64).tolist(), samples[(p, *at)])
            where = (p, *(axis[t] for axis in positions))
            values[(p, *at)] = planes[where]
            indices[(p, *at)] = taps[t] if index == "window" else names[where]
    values, indices = (from_planes(a, x.shape, layout) for a in (values, indices))
    return (values, indices) if return_indices else values


def stochastic_pool2d_backward(
    grad_output,
    indices,
    input_shape,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    *,
    layout="NCHW",
    index="plane",
):
    return _extreme_backward(
        2, grad_output, indices, input_shape, kernel_size, stride, padding, 1, ceil_mode, layout=layout, index=index
    )


# ---- Along one axis ----


def _lengths(lengths, x, layout):
    """How many steps of each plane count."""
    planes = to_planes(x, layout)
    if lengths is None:
        return [planes.shape[-1]] * len(planes)
    return [int(n) for n in lengths for _ in range(len(planes) // len(lengths))]


def k_max_pool1d(x, k, return_indices=False, *, lengths=None, layout="NCL", index="plane"):
    x = native(x)
    planes = to_planes(x, layout)
    values = np.full((len(planes), k), limits(x.dtype)[0], x.dtype)
    indices = np.full(values.shape, NO_TAP, np.int64)
    for p, (row, length) in enumerate(zip(planes, _lengths(lengths, x, layout))):
        keys = [(t != t, 0 if t != t else t) for t in comparable(row)[:length].tolist()]  # NaN is the largest
        best = sorted(range(length), key=keys.__getitem__, reverse=True)[:k]  # of equals the earliest: sorted is stable
        values[p, : len(best)], indices[p, : len(best)] = row[sorted(best)], sorted(best)
    values, indices = (from_planes(a, x.shape, layout) for a in (values, indices))
    return (values, indices) if return_indices else values


def k_max_pool1d_backward(grad_output, indices, input_shape, *, layout="NCL"):
    return scatter(grad_output, indices, input_shape, layout, "plane")


def dynamic_k(layer, layers, length, k_top):
    return max(k_top, math.ceil(Fraction((layers - layer) * length, layers)))


def _without_time(array, layout):
    return np.squeeze(array, 2 if layout == "NCL" else 1)


def _with_time(array, layout):
    return np.expand_dims(array, 2 if layout == "NCL" else 1)


def max_over_time(x, lengths=None, return_indices=False, *, layout="NCL"):
    values, indices = k_max_pool1d(x, 1, True, lengths=lengths, layout=layout)
    values, indices = (_without_time(a, layout) for a in (values, indices))
    return (values, indices) if return_indices else values


def max_over_time_backward(grad_output, indices, input_shape, *, layout="NCL"):
    grad, chosen = (_with_time(a, layout) for a in (grad_output, indices))
    return scatter(grad, chosen, input_shape, layout, "plane")


def avg_over_time(x, lengths=None, *, layout="NCL", dtype=None):
    x = native(x)
    dtype = average_dtype(x, dtype)
    planes = to_planes(x, layout).astype(object if x.dtype.kind in "biu" else np.float64)
    means = np.empty((len(planes), 1), dtype)
    for p, (row, length) in enumerate(zip(planes, _lengths(lengths, x, layout))):
        means[p] = rounded(exact_mean(row[:length].tolist(), length), length, dtype)
    return _without_time(from_planes(means, x.shape, layout), layout)


def avg_over_time_backward(grad_output, input_shape, lengths=None, *, layout="NCL"):
    result = np.zeros(input_shape)
    grad, planes = (to_planes(a, layout) for a in (_with_time(grad_output, layout).astype(np.float64), result))
    planes = planes.copy()
    for row, g, length in zip(planes, grad, _lengths(lengths, result, layout)):
        row[:length] = g / max(length, 1)
    return from_planes(planes, input_shape, layout).astype(grad_output.dtype)


# ---- Pyramid and maxout ----


def _features(y, layout):
    """(..., rows, columns and channels) as (..., features), in the order channel, row, column."""
    y = np.moveaxis(y, -1, -3) if layout == "NHWC" else y
    return y.reshape(*y.shape[:-3], -1)


def spatial_pyramid_pool2d(x, levels, op="max", *, layout="NCHW"):
    pool = {"max": adaptive_max_pool2d, "avg": adaptive_avg_pool2d}[op]
    return np.concatenate([_features(pool(x, level, layout=layout), layout) for level in levels], -1)


def spatial_pyramid_pool2d_backward(grad_output, x, levels, op="max", *, layout="NCHW"):
    first = np.moveaxis(np.asarray(x), -1, -3) if layout == "NHWC" else np.asarray(x)
    result, start = np.zeros(first.shape), 0
    for level in levels:
        bins = pair(level)
        stop = start + first.shape[-3] * math.prod(bins)
        part = grad_output[..., start:stop].reshape(*first.shape[:-2], *bins).astype(np.float64)
        if op == "max":
            indices = adaptive_max_pool2d(first, bins, True)[1]
            result += adaptive_max_pool2d_backward(part, indices, first.shape, bins)
        else:
            result += adaptive_avg_pool2d_backward(part, first.shape)
        start = stop
    result = result.astype(grad_output.dtype)
    return np.moveaxis(result, -3, -1) if layout == "NHWC" else result


def maxout(x, groups, return_indices=False, axis=1):
    x = np.moveaxis(native(x), axis, -1)
    y, i = max_pool1d(x[..., None, :], groups, return_indices=True)  # a row of channels, in windows side by side
    y, i = (np.moveaxis(a[..., 0, :], -1, axis) for a in (y, i))
    return (y, i) if return_indices else y


def maxout_backward(grad_output, indices, input_shape, groups, axis=1):
    result = np.zeros(input_shape, grad_output.dtype)
    np.put_along_axis(result, indices, grad_output, axis)  # a channel is in one group only
    return result


# ---- Unpooling ----


def _unpooled_shape(shape, n, kernel_size, stride, padding, output_size, layout):
    if output_size is not None and len(output_size) == len(shape):
        return tuple(output_size)
    if output_size is None:
        kernel = each_axis(kernel_size, n)
        strides = kernel if stride is None or stride == () else each_axis(stride, n)
        pads = [pair(p) for p in each_axis(padding, n)]
        size = plane_size(shape, layout)
        output_size = [(o - 1) * s - sum(p) + k for o, k, s, p in zip(size, kernel, strides, pads)]
    channels = shape[-1:] if layout[-1] == "C" else ()
    return (*shape[: len(shape) - n - len(channels)], *output_size, *channels)


def _max_unpool(n, x, indices, kernel_size, stride=None, padding=0, output_size=None, *, layout=None, index="plane"):
    layout, x = layout or FIRST[n], native(x)
    shape = _unpooled_shape(x.shape, n, kernel_size, stride, padding, output_size, layout)
    axes = Regular(shape, layout, kernel_size, stride, padding).axes if index == "window" else None
    planes = to_planes(x, layout)
    result = np.zeros((len(planes), math.prod(plane_size(shape, layout))), x.dtype)
    for row, values, at in zip(result, planes, places(indices, shape, layout, index, axes)):
        for value, place in zip(values.ravel(), at.ravel()):  # in order: the last of two wins
            if place >= 0:
                row[place] = value
    return from_planes(result.reshape(-1, *plane_size(shape, layout)), shape, layout)


def _max_unpool_backward(n, grad_output, indices, kernel_size, stride=None, padding=0, *, layout=None, index="plane"):
    layout, grad_output = layout or FIRST[n], native(grad_output)
    shape = grad_output.shape
    axes = Regular(shape, layout, kernel_size, stride, padding).axes if index == "window" else None
    at = places(indices, shape, layout, index, axes)
    grad = to_planes(grad_output, layout).reshape(len(at), -1)
    result = [np.where(p >= 0, g[p], g.dtype.type(0)) for g, p in zip(grad, at)]
    return from_planes(np.array(result), np.shape(indices), layout)


max_unpool1d, max_unpool2d, max_unpool3d = (partial(_max_unpool, n) for n in RANKS)
max_unpool1d_backward, max_unpool2d_backward, max_unpool3d_backward = (partial(_max_unpool_backward, n) for n in RANKS)


# ---- What an output sees ----


ReceptiveField = namedtuple("ReceptiveField", "size stride padding start")


def receptive_field(layers):
    rows = []
    for layer in layers:
        if isinstance(layer, dict):
            layer = [layer[key] for key in ("kernel_size", "stride", "padding")] + [layer.get("dilation", 1)]
        rows.append((*layer, 1)[:4])
    numbers = [number for row in rows for number in row]
    ranks = {len(number) for number in numbers if isinstance(number, (tuple, list))}
    fields = []
    for axis in range(max(ranks, default=1)):
        size, jump, padding, start = 1, 1, 0, 0.0
        for k, s, p, d in ((each_axis(number, 1 + axis)[axis] for number in row) for row in rows):
            size += (k - 1) * d * jump
            start += ((k - 1) * d / 2 - p) * jump
            padding += p * jump
            jump *= s
        fields.append((size, jump, padding, start))
    return ReceptiveField(*(zip(*fields) if ranks else fields[0]))
