"""One call of every operation of the family, with data whose right answer is exact: what all invariants are tried on.

    CALLS      one line each: name, shape, arguments      run        a call on a module, the library or the reference
    data       what its reference can do exactly          gradient   the arguments of its backward pass

A call runs in every layout of its rank and in every dtype that makes sense; a new operation is one line here.
"""

import inspect
from dataclasses import dataclass, field

import family_reference
import numpy as np
from cases import DTYPES, FLOATS, INDICES, LAYOUTS_OF, exact_data, from_layout, special_data, to_layout

import numpool
from numpool import threads

LEVELS = numpool.levels()
THREADS = (1, 2, 3, 7)
UNIT = 180  # a multiple of every divisor of the averages below: quotients are integers


@dataclass(frozen=True, eq=False)
class Call:
    """An operation with its arguments; `shape` is channels-first."""

    name: str
    shape: tuple[int, ...]
    args: dict = field(default_factory=dict)
    max_ulps: int = 0  # what the result may differ from the reference by
    oracle: bool = True  # whether the reference must give the same result

    @property
    def layouts(self):
        return LAYOUTS_OF[len(self.shape) - 2] if "layout" in parameters(self.name) else (None,)

    @property
    def dtypes(self):
        return FLOATS if "stochastic" in self.name else DTYPES

    @property
    def chooses(self):
        """Whether it can return indices."""
        return "return_indices" in parameters(self.name) and self.args.get("training", True)

    @property
    def conventions(self):
        """The `index` conventions that its forward and backward passes both take."""
        return INDICES if self.chooses and {"index", "kernel_size"} <= parameters(self.backward) else ("plane",)

    @property
    def backward(self):
        return f"{self.name}_backward"

    @property
    def free(self):
        """Whether axes before the spatial ones may be left out or added."""
        return self.name.startswith(("max_pool", "min_pool", "avg_pool", "lp_pool", "adaptive"))

    def __str__(self):
        words = (f"{key}={value}" for key, value in self.args.items() if isinstance(value, (bool, str)))
        return "-".join([self.name, *words])


def parameters(name):
    return {*inspect.signature(getattr(family_reference, name)).parameters}


SHAPES = {1: (2, 3, 19), 2: (2, 3, 9, 10), 3: (2, 3, 3, 5, 6)}  # no window of 27 elements
WINDOWS = {"kernel_size": 3, "stride": 2, "padding": 1}
SAMPLES = {n: np.random.default_rng(n).random((2, 3, n), np.float32) for n in (2, 3)}

CALLS = [
    *(Call(f"{op}_pool{n}d", shape, WINDOWS) for op in ("max", "min") for n, shape in SHAPES.items()),
    *(Call(f"avg_pool{n}d", SHAPES[n], WINDOWS | {"count_include_pad": False}) for n in SHAPES),
    *(Call(f"lp_pool{n}d", shape, {"norm_type": 1, **WINDOWS}) for n, shape in SHAPES.items()),
    *(Call(f"adaptive_{op}_pool1d", (2, 3, 7), {"output_size": 3}) for op in ("max", "avg")),
    *(Call(f"adaptive_{op}_pool2d", (2, 3, 7, 4), {"output_size": (3, 6)}) for op in ("max", "avg")),
    *(Call(f"adaptive_{op}_pool2d", (1, 3, 11, 40), {"output_size": (5, 14)}) for op in ("max", "avg")),
    *(Call(f"adaptive_{op}_pool3d", (2, 3, 5, 4, 6), {"output_size": (2, None, 5)}) for op in ("max", "avg")),
    *(Call(f"adaptive_{op}_pool3d", (1, 1, 2, 3, 5), {"output_size": (1, 2, 2)}) for op in ("max", "avg")),
    *(Call(f"global_{op}_pool", (2, 3, 3, 4)) for op in ("max", "avg")),
    Call("global_lp_pool", (2, 3, 3, 4), {"norm_type": 1}),
    *(Call(f"global_{op}_pool", (2, 3, 3, 2, 2), {"keepdims": False}) for op in ("max", "avg")),
    *(
        Call(
            f"fractional_max_pool{n}d",
            SHAPES[n][:2] + (4, 9, 6)[-n:],
            {"kernel_size": 2, "output_size": 3, "random_samples": SAMPLES[n]},
        )
        for n in (2, 3)
    ),
    Call("stochastic_pool2d", SHAPES[2], WINDOWS | {"training": False}, max_ulps=4),  # one quotient of rounded sums
    Call("stochastic_pool2d", SHAPES[2], WINDOWS | {"rng": 5}, oracle=False),
    Call("k_max_pool1d", SHAPES[1], {"k": 4}),
    Call("k_max_pool1d", SHAPES[1], {"k": 4, "lengths": (19, 2)}),
    Call("max_over_time", SHAPES[1]),
    Call("max_over_time", SHAPES[1], {"lengths": (5, 0)}),
    Call("avg_over_time", (2, 3, 12)),
    Call("avg_over_time", (2, 3, 12), {"lengths": (5, 0)}),
    *(Call("spatial_pyramid_pool2d", (2, 3, 6, 6), {"levels": (1, 2, (2, 3)), "op": op}) for op in ("max", "avg")),
    Call("maxout", (2, 6, 5, 7), {"groups": 3}),
]
BACKWARD = [call for call in CALLS if call.args.get("training", True)]

# Layers as (kernel_size, stride, padding)
RESNET50_STEM = [(7, 2, 3), (3, 2, 1)]
VGG16 = [layer for convolutions in (2, 2, 3, 3, 3) for layer in [(3, 1, 1)] * convolutions + [(2, 2, 0)]]


def data(call, dtype, seed=0):
    """Channels-first data: ties, both zeros, NaN and infinities, on which sums and quotients are exact."""
    rng, dtype = np.random.default_rng(seed), np.dtype(dtype)
    averages = "avg" in (*call.name.split("_"), call.args.get("op"))
    if not averages and not call.name.startswith(("lp", "global_lp", "stochastic")):
        return special_data(call.shape, dtype, rng)
    x = exact_data(call.shape, dtype, rng, UNIT if averages and dtype.name in FLOATS else 1)
    if dtype.name in FLOATS:
        guests = (np.nan,) if "stochastic" in call.name else (np.nan, np.inf, -np.inf)
        for guest in guests:
            x[rng.random(call.shape) < 0.02] = guest
    return x


def run(module, call, x, layout, **more):
    """The results of a call, always as a tuple; x lies in the layout."""
    args = call.args | ({"return_indices": True} if call.chooses else {}) | ({"layout": layout} if layout else {})
    results = getattr(module, call.name)(x, **args | more)
    return results if isinstance(results, tuple) else (results,)


def placed(x, layout):
    return to_layout(x, layout) if layout else x


def unplaced(y, call, layout):
    """A result as the channels-first layout would give it."""
    return from_layout(y, layout) if layout and y.ndim == len(call.shape) else y


def gradient(call, dtype, layout, index="plane", values=exact_data):
    """(grad_output, its other arguments by name) of the backward pass, on data of which the reference is exact."""
    x = np.random.default_rng(0).permutation(np.prod(call.shape)).reshape(call.shape) - 60.0
    x = placed(x.astype(dtype), layout)
    more = {"index": index} if index != "plane" else {}
    y, *indices = run(family_reference, call, x, layout, **more)
    spatial = layout and y.ndim == len(call.shape)
    first = from_layout(y, layout).shape if spatial else y.shape
    averages = "avg" in (*call.name.split("_"), call.args.get("op"))
    unit = (UNIT,) if averages and values is exact_data else ()
    grad = values(first, dtype, np.random.default_rng(1), *unit)
    grad = to_layout(grad, layout) if spatial else grad
    known = call.args | more | {"input_shape": x.shape, "x": x, "y": y, "indices": (*indices, None)[0]}
    known |= {"layout": layout} if layout else {}
    return grad, {key: value for key, value in known.items() if key in parameters(call.backward)}


def normal(shape, dtype, rng):
    """Values whose sums depend on the order in which they are added."""
    return (100 * rng.standard_normal(shape)).astype(dtype)


def equal(got, want):
    np.testing.assert_array_equal(got, np.asarray(want))


def in_rank(n, values):
    """A row of values as an array of one sample, one channel and n spatial axes."""
    return np.reshape(values, (1,) * (n + 1) + (-1,))


def circumstances(counts=THREADS):
    """Put every level with every number of threads in force, one after the other; tiny arrays are split too."""
    for level in LEVELS:
        for count in counts:
            with numpool.use_level(level), numpool.num_threads(count), threads.min_bytes_per_thread(1):
                yield level, count
