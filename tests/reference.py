"""The slow truth of maxima, minima and averages over 2-D windows, in plain NumPy and Python loops.

    max_pool2d, min_pool2d ──> _extreme ──┐
    max_pool2d_backward ──────────────────┼──> windows ──> output_size
    avg_pool2d, avg_pool2d_backward ──────┘    (one window at a time: its taps that lie on real pixels)

Names and signatures are the public ones, less `out`; arguments are taken to be right. Every array is first seen as
(planes, height, width), so there is one story for both layouts. Averages are summed exactly and rounded at the end.
"""

import math
from fractions import Fraction
from functools import lru_cache
from itertools import product

import numpy as np

NO_TAP = -1


def output_size(L, k, s, pl, pr, d, ceil_mode):
    """How many windows lie on an axis of length L."""
    e = (k - 1) * d + 1
    o = (L + pl + pr - e + (s - 1 if ceil_mode else 0)) // s + 1
    if ceil_mode and (o - 1) * s >= L + pl:  # a window may not start in the padding behind the data
        o -= 1
    return o


def pair(value):
    """One number for both axes, or one for each."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def resolve_padding(padding, size, kernel, stride, dilation):
    """((before, after), (before, after)) from any accepted form of padding."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding in ("same", "same_lower"):
        result = []
        for L, k, s, d in zip(size, kernel, stride, dilation):
            total = max((-(-L // s) - 1) * s + (k - 1) * d + 1 - L, 0)
            small, large = total // 2, total - total // 2
            result.append((small, large) if padding == "same" else (large, small))
        return tuple(result)
    return tuple(pair(p) for p in pair(padding))


@lru_cache(maxsize=2)  # one dtype after the other has the same
def windows(size, kernel, stride, dilation, before, output):
    """`Geometry.windows` in numbers, a pair of each."""
    axes = []
    for L, k, s, d, b, o in zip(size, kernel, stride, dilation, before, output):
        valid = ([(t, i * s - b + t * d) for t in range(k) if 0 <= i * s - b + t * d < L] for i in range(o))
        axes.append([np.array(pairs, np.int64).reshape(-1, 2).T for pairs in valid])
    result = []
    for (i, (a, y)), (j, (b, x)) in product(*map(enumerate, axes)):
        taps = np.add.outer(a * kernel[1], b).ravel()
        result.append((i, j, taps, np.repeat(y, len(x)), np.tile(x, len(y))))
    return result


class Geometry:
    """Kernel, stride, padding and dilation as pairs, and the output size, for one plane."""

    def __init__(self, size, kernel_size, stride, padding, dilation, ceil_mode):
        self.size, self.kernel, self.dilation = size, pair(kernel_size), pair(dilation)
        self.stride = self.kernel if stride is None or stride == () else pair(stride)
        self.padding = resolve_padding(padding, size, self.kernel, self.stride, self.dilation)
        ceil_mode = ceil_mode and not isinstance(padding, str)
        self.output = tuple(
            output_size(L, k, s, *p, d, ceil_mode)
            for L, k, s, p, d in zip(size, self.kernel, self.stride, self.padding, self.dilation)
        )

    def windows(self):
        """Every window: (i, j, taps, rows, columns), the valid taps in row-major order."""
        starts = (before for before, _ in self.padding)
        return windows(self.size, self.kernel, self.stride, self.dilation, tuple(starts), self.output)

    def divisors(self, count_include_pad, divisor_override):
        """The number each window's sum is divided by, as an array of the output's size."""
        if divisor_override is not None:
            return np.full(self.output, divisor_override, object)
        lengths = []
        for L, k, s, (before, after), o in zip(self.size, self.kernel, self.stride, self.padding, self.output):
            low, high = (-before, L + after) if count_include_pad else (0, L)
            starts = [i * s - before for i in range(o)]
            lengths.append([max(min(start + k, high) - max(start, low), 0) for start in starts])
        return np.multiply.outer(*(np.array(n, object) for n in lengths))  # Python ints: no wrap


def to_planes(x, layout):
    """Any array as (planes, height, width)."""
    if layout == "NHWC":
        x = np.moveaxis(x, -1, -3)
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def from_planes(planes, shape, layout):
    """The inverse, for planes that came from an array of this shape."""
    if layout == "NCHW":
        return planes.reshape(*shape[:-2], *planes.shape[-2:])
    return np.moveaxis(planes.reshape(*shape[:-3], shape[-1], *planes.shape[-2:]), -3, -1)


def plane_size(shape, layout):
    return tuple(shape[-2:] if layout == "NCHW" else shape[-3:-1])


def index_names(shape, layout, index):
    """What `index` calls each pixel, as (planes, height, width); "window" numbers taps and names no pixel."""
    positions = to_planes(np.arange(math.prod(shape)).reshape(shape), layout)
    p, h, w = np.indices(positions.shape)
    channels = shape[-1] if layout == "NHWC" else (1, *shape)[-3]
    plane = h * positions.shape[2] + w
    return {"tensor": positions, "plane": plane, "nhwc": plane * channels + p % channels, "window": None}[index]


def index_dtype(index, kernel):
    taps = math.prod(kernel)
    if index != "window":
        return np.dtype(np.int64)
    return np.dtype(np.uint8 if taps <= 255 else np.uint16 if taps <= 65535 else np.int32)


def limits(dtype):
    """The smallest and the largest value of a dtype."""
    if dtype.kind == "b":
        return False, True
    return (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-np.inf, np.inf)


def _extreme(choose, empty, x, geometry, return_indices, layout, index):
    x = np.asarray(x)
    x = x.astype(x.dtype.newbyteorder("="))
    planes = to_planes(x, layout)
    keys = planes.astype(np.float32) if x.dtype.name == "bfloat16" else planes  # argmax is not sure of bfloat16
    names = index_names(x.shape, layout, index)
    values = np.full((len(planes), *geometry.output), empty, x.dtype)
    indices = np.full(values.shape, NO_TAP, np.int64).astype(index_dtype(index, geometry.kernel))
    everyone = np.arange(len(planes))
    for i, j, taps, rows, columns in geometry.windows():
        if len(taps):
            t = choose(keys[:, rows, columns], axis=1)  # NumPy's rule: the first NaN, else the first of the best
            values[:, i, j] = planes[everyone, rows[t], columns[t]]
            indices[:, i, j] = taps[t] if index == "window" else names[everyone, rows[t], columns[t]]
    values, indices = (from_planes(a, x.shape, layout) for a in (values, indices))
    return (values, indices) if return_indices else values


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False, *,
               layout="NCHW", index="plane"):
    geometry = Geometry(plane_size(np.shape(x), layout), kernel_size, stride, padding, dilation, ceil_mode)
    return _extreme(np.argmax, limits(np.asarray(x).dtype)[0], x, geometry, return_indices, layout, index)


def min_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False, *,
               layout="NCHW", index="plane"):
    geometry = Geometry(plane_size(np.shape(x), layout), kernel_size, stride, padding, dilation, ceil_mode)
    return _extreme(np.argmin, limits(np.asarray(x).dtype)[1], x, geometry, return_indices, layout, index)


def max_pool2d_backward(grad_output, indices, input_shape, kernel_size, stride=None, padding=0, dilation=1,
                        ceil_mode=False, *, layout="NCHW", index="plane"):
    geometry = Geometry(plane_size(input_shape, layout), kernel_size, stride, padding, dilation, ceil_mode)
    grad, chosen = to_planes(grad_output, layout).astype(np.float64), to_planes(indices, layout)
    names = index_names(input_shape, layout, index)
    result = np.zeros((len(grad), *geometry.size))
    for i, j, taps, rows, columns in geometry.windows():
        here = (taps if index == "window" else names[:, rows, columns]) == chosen[:, i, j, None]
        result[:, rows, columns] += np.where(here, grad[:, i, j, None], 0)
    return from_planes(result, input_shape, layout).astype(grad_output.dtype)


min_pool2d_backward = max_pool2d_backward


def exact_mean(taps, divisor):
    """The sum of Python numbers over the divisor: of integers as a Fraction, of floats both rounded once."""
    if divisor == 0:
        return math.nan
    if not all(map(math.isfinite, taps)):
        return sum(t for t in taps if not math.isfinite(t)) / divisor
    if not any(isinstance(t, float) for t in taps):
        return Fraction(sum(taps), divisor)
    try:
        return math.fsum(taps) / divisor
    except OverflowError:  # fsum's own partial sums left the range
        return sum(map(Fraction, taps)) / divisor


def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None,
               *, layout="NCHW", dtype=None):
    x = np.asarray(x)
    integral = x.dtype.kind in "biu"
    dtype = np.dtype(dtype if dtype is not None else np.float64 if integral else x.dtype.newbyteorder("="))
    geometry = Geometry(plane_size(x.shape, layout), kernel_size, stride, padding, 1, ceil_mode)
    divisors = geometry.divisors(count_include_pad, divisor_override)
    planes = to_planes(x, layout).astype(object if integral else np.float64)
    result = np.empty((len(planes), *geometry.output), dtype)
    for i, j, _, rows, columns in geometry.windows():
        for p, taps in enumerate(planes[:, rows, columns].tolist()):
            mean = exact_mean(taps, divisors[i, j])
            if dtype.kind in "iu":
                low, high = limits(dtype)
                result[p, i, j] = min(max(round(mean), low), high) if divisors[i, j] else 0  # round: half to even
            else:
                result[p, i, j] = float(mean)
    return from_planes(result, x.shape, layout)


def avg_pool2d_backward(grad_output, input_shape, kernel_size, stride=None, padding=0, ceil_mode=False,
                        count_include_pad=True, divisor_override=None, *, layout="NCHW"):
    geometry = Geometry(plane_size(input_shape, layout), kernel_size, stride, padding, 1, ceil_mode)
    divisors = geometry.divisors(count_include_pad, divisor_override)
    grad = to_planes(grad_output, layout).astype(np.float64)
    result = np.zeros((len(grad), *geometry.size))
    for i, j, _, rows, columns in geometry.windows():
        if len(rows):
            result[:, rows, columns] += grad[:, i, j, None] / divisors[i, j]
    return from_planes(result, input_shape, layout).astype(grad_output.dtype)


def finite_differences(pool, x, weights):
    """d sum(weights * pool(x)) / dx by central differences; exact when x holds distinct integers: nothing overtakes."""
    step, result = 0.25, np.empty_like(x)
    for at in np.ndindex(x.shape):
        change = np.zeros_like(x)
        change[at] = step
        up, down = (np.nan_to_num(pool(v), posinf=0, neginf=0) for v in (x + change, x - change))  # empty windows
        result[at] = (weights * (up - down)).sum() / (2 * step)
    return result


def plane_differences(pool, plane, weights):
    """The same of a single plane, all changes of it as the planes of one call."""
    step = 0.25
    changes = step * np.eye(plane.size).reshape(plane.size, *plane.shape)
    up, down = (np.nan_to_num(pool(v), posinf=0, neginf=0) for v in (plane + changes, plane - changes))
    return ((weights * (up - down)).reshape(plane.size, -1).sum(1) / (2 * step)).reshape(plane.shape)
