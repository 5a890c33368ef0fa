"""hypothesis draws the geometry of the family over 1 and 3 axes, adaptive windows and unpooling; references decide."""

from math import lcm

import family_reference
import numpy as np
from cases import DTYPES, FLOATS, INDICES, LAYOUTS_OF, STORAGES, assert_same, exact_data, special_data, to_layout
from family_cases import LEVELS
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numpool
from numpool import threads

bounded = settings(max_examples=60)
RANKS = st.sampled_from([1, 3])
MOST = {1: 40, 2: 10, 3: 6}  # the longest axis of a rank

# A level, a thread count and a storage: none may be seen in the result.
CIRCUMSTANCES = st.tuples(st.sampled_from(LEVELS), st.integers(1, 3), st.sampled_from(list(STORAGES)))


def under(circumstance, name, *arrays, **args):
    level, count, storage = circumstance
    arrays = [STORAGES[storage](a) for a in arrays]
    with numpool.use_level(level), numpool.num_threads(count), threads.min_bytes_per_thread(1):
        return getattr(numpool, name)(*arrays, **args)


@st.composite
def arrays(draw, n, dtypes, values=special_data):
    """An array of n spatial axes with its layout."""
    layout = draw(st.sampled_from(LAYOUTS_OF[n]))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 4)), *[draw(st.integers(1, MOST[n])) for _ in range(n)])
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return to_layout(values(shape, draw(st.sampled_from(dtypes)), rng), layout), layout


@st.composite
def geometries(draw, n, dilated):
    """Keyword arguments of a pooling over n axes."""

    def each(values):
        return draw(values | st.tuples(*[values] * n))

    args = {"kernel_size": each(st.integers(1, 4)), "ceil_mode": draw(st.booleans())}
    names = st.sampled_from(["same", "same_lower", "valid"])
    pairs = st.tuples(*[st.tuples(*[st.integers(0, 4)] * 2)] * n)
    args["padding"] = draw(names | st.integers(0, 4) | st.tuples(*[st.integers(0, 4)] * n) | pairs)
    args["stride"] = draw(st.sampled_from([None, ()])) if draw(st.booleans()) else each(st.integers(1, 5))
    return args | ({"dilation": each(st.integers(1, 3))} if dilated else {})


def windows_of(x, layout, args):
    """The windows, of arguments that give some."""
    windows = family_reference.Regular(x.shape, layout, **args)
    assume(all(windows.axes))
    return windows


@bounded
@given(st.data(), RANKS, st.sampled_from(["max", "min"]), st.sampled_from(INDICES), CIRCUMSTANCES)
def test_extreme_and_its_gradient(data, n, op, index, circumstance):
    x, layout = data.draw(arrays(n, DTYPES))
    args = data.draw(geometries(n, True))
    windows_of(x, layout, args)
    args |= {"layout": layout, "index": index}
    name = f"{op}_pool{n}d"
    want, where = getattr(family_reference, name)(x, return_indices=True, **args)
    y, i = under(circumstance, name, x, return_indices=True, **args)
    assert_same(y, want)
    assert_same(i, where)
    assert_same(under(circumstance, name, x, **{key: args[key] for key in args if key != "index"}), want)
    g = exact_data(want.shape, data.draw(st.sampled_from(FLOATS)), np.random.default_rng(0))
    back = getattr(family_reference, f"{name}_backward")(g, where, x.shape, **args)
    assert_same(under(circumstance, f"{name}_backward", g, where, input_shape=x.shape, **args), back)


@bounded
@given(st.data(), RANKS, st.booleans(), st.sampled_from([None, 1, 3, -8]), CIRCUMSTANCES)
def test_average_and_its_gradient(data, n, include_pad, divisor, circumstance):
    x, layout = data.draw(arrays(n, DTYPES, exact_data))
    args = data.draw(geometries(n, False))
    divisors = windows_of(x, layout, args).divisors(include_pad, divisor)
    args |= {"layout": layout, "count_include_pad": include_pad, "divisor_override": divisor}
    name = f"avg_pool{n}d"
    want = getattr(family_reference, name)(x, **args)
    assert_same(under(circumstance, name, x, **args), want, 4)  # sums are exact, quotients are rounded
    unit = lcm(*(abs(d) for d in divisors.ravel().tolist() if d))
    assume(unit < 2**15)  # so that every share of the gradient is an integer and every sum exact
    g = exact_data(want.shape, "float64", np.random.default_rng(0), unit)
    back = getattr(family_reference, f"{name}_backward")(g, x.shape, **args)
    assert_same(under(circumstance, f"{name}_backward", g, input_shape=x.shape, **args), back)


@bounded
@given(st.data(), st.sampled_from([1, 2, 3]), CIRCUMSTANCES)
def test_adaptive_and_its_gradients(data, n, circumstance):
    x, layout = data.draw(arrays(n, FLOATS, exact_data))
    one = st.none() | st.integers(1, 9)
    size = data.draw(one | st.tuples(*[one] * n))
    name = f"adaptive_max_pool{n}d"
    for index in INDICES:
        args = {"output_size": size, "layout": layout, "index": index}
        want, where = getattr(family_reference, name)(x, return_indices=True, **args)
        y, i = under(circumstance, name, x, return_indices=True, **args)
        assert_same(y, want)
        assert_same(i, where)
        g = exact_data(want.shape, x.dtype, np.random.default_rng(0))
        back = getattr(family_reference, f"{name}_backward")(g, where, x.shape, **args)
        assert_same(under(circumstance, f"{name}_backward", g, where, input_shape=x.shape, **args), back)
    name = f"adaptive_avg_pool{n}d"
    args = {"output_size": size, "layout": layout}
    assert_same(under(circumstance, name, x, **args), getattr(family_reference, name)(x, **args), 4)
    axes = family_reference.adaptive_axes(family_reference.plane_size(x.shape, layout), size)
    unit = lcm(*family_reference.window_lengths(axes).ravel().tolist())
    g = exact_data(want.shape, "float64", np.random.default_rng(0), unit)
    back = getattr(family_reference, f"{name}_backward")(g, x.shape, layout=layout)
    assert_same(under(circumstance, f"{name}_backward", g, input_shape=x.shape, layout=layout), back)


@bounded
@given(st.data(), st.sampled_from([1, 2, 3]), st.sampled_from(["plane", "tensor", "nhwc"]), CIRCUMSTANCES)
def test_unpool_by_any_indices(data, n, index, circumstance):
    x, layout = data.draw(arrays(n, DTYPES, exact_data))
    size = tuple(data.draw(st.integers(1, MOST[n])) for _ in range(n))
    name, args = f"max_unpool{n}d", {"kernel_size": 2, "layout": layout, "index": index}
    full = np.zeros((*x.shape[: -n - 1], *size, x.shape[-1]) if layout[-1] == "C" else (*x.shape[:-n], *size))
    names = family_reference.index_names(full.shape, layout, index).reshape(-1, np.prod(size))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    planes = family_reference.to_planes(x, layout)
    chosen = np.array([rng.choice(row, planes.shape[1:]) for row in names])  # any place, twice and more
    chosen[rng.random(chosen.shape) < 0.1] = -1
    i = np.ascontiguousarray(family_reference.from_planes(chosen, x.shape, layout))
    want = getattr(family_reference, name)(x, i, output_size=size, **args)
    assert_same(under(circumstance, name, x, i, output_size=size, **args), want)
    g = exact_data(full.shape, data.draw(st.sampled_from(FLOATS)), rng)
    back = getattr(family_reference, f"{name}_backward")(g, i, **args)
    assert_same(under(circumstance, f"{name}_backward", g, i, **args), back)
