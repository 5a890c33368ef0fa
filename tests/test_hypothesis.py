"""hypothesis draws geometry, dtype, layout, storage, level, threads and values; the reference says what is right."""

import numpy as np
import reference
from cases import DTYPES, FLOATS, INDICES, LAYOUTS, STORAGES, assert_same, exact_data, special_data
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import numpool
from numpool import threads

bounded = settings(max_examples=150)


def one_or_pair(values):
    return values | st.tuples(values, values)


@st.composite
def geometries(draw, dilated):
    """Keyword arguments of a pooling, some of them left to their defaults."""
    args = {"kernel_size": draw(one_or_pair(st.integers(1, 6))), "ceil_mode": draw(st.booleans())}
    amount = st.integers(0, 7)
    args["padding"] = draw(st.sampled_from(["same", "same_lower", "valid"]) | one_or_pair(amount)
                           | st.tuples(*[st.tuples(amount, amount)] * 2))
    args["stride"] = draw(st.none() | st.just(()) | one_or_pair(st.integers(1, 7)))
    if dilated:
        args["dilation"] = draw(one_or_pair(st.integers(1, 4)))
    return args


@st.composite
def arrays(draw, dtypes, values=special_data):
    """An array of 2 to 4 axes in any storage, with its layout."""
    layout = draw(st.sampled_from(LAYOUTS))
    n, c, h = draw(st.integers(1, 3)), draw(st.integers(1, 20)), draw(st.integers(1, 12))
    w = draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = values((n, c, h, w) if layout == "NCHW" else (n, h, w, c), draw(st.sampled_from(dtypes)), rng)
    x = STORAGES[draw(st.sampled_from(list(STORAGES)))](x)
    return x[(0,) * draw(st.integers(0, 2 if layout == "NCHW" else 1))], layout


# A level, a thread count and bytes of work per thread: none may be seen in the result. Names, not contexts: use_level
# acts when it is called.
CIRCUMSTANCES = st.tuples(st.sampled_from(numpool.levels()), st.integers(1, 3), st.sampled_from([1, 2**18]))


def output_shape(x, layout, args):
    """The result's shape, of arguments that give one."""
    size = reference.plane_size(x.shape, layout)
    rest = (args[k] for k in ("kernel_size", "stride", "padding"))
    output = reference.Geometry(size, *rest, args.get("dilation", 1), args["ceil_mode"]).output
    assume(min(output) >= 1)
    return (*x.shape[:-2], *output) if layout == "NCHW" else (*x.shape[:-3], *output, x.shape[-1])


def under(circumstance, function, *args, **kwargs):
    level, count, share = circumstance
    with numpool.use_level(level), numpool.num_threads(count), threads.min_bytes_per_thread(share):
        return function(*args, **kwargs)


@bounded
@given(arrays(DTYPES), geometries(True), st.sampled_from(["max_pool2d", "min_pool2d"]), st.sampled_from(INDICES),
       CIRCUMSTANCES)
def test_extreme(array, args, name, index, circumstance):
    x, layout = array
    shape = output_shape(x, layout, args)
    args = args | {"layout": layout}
    want, where = getattr(reference, name)(x, return_indices=True, index=index, **args)
    pool = getattr(numpool, name)
    assert want.shape == shape
    assert_same(pool(x, **args), want)
    y, i = under(circumstance, pool, x, return_indices=True, index=index, **args)
    assert_same(y, want)
    assert_same(i, where)


@bounded
@given(arrays(FLOATS), geometries(True), st.sampled_from(["max_pool2d", "min_pool2d"]), st.sampled_from(INDICES),
       st.sampled_from(list(STORAGES)), CIRCUMSTANCES)
def test_extreme_backward(array, args, name, index, storage, circumstance):
    x, layout = array
    shape = output_shape(x, layout, args)
    args = args | {"layout": layout, "index": index}
    i = getattr(reference, name)(x, return_indices=True, **args)[1]
    g = exact_data(shape, x.dtype, np.random.default_rng(0))
    want = getattr(reference, f"{name}_backward")(g, i, x.shape, **args)
    if g.ndim == 4:
        g, i = STORAGES[storage](g), STORAGES[storage](i)
    assert_same(under(circumstance, getattr(numpool, f"{name}_backward"), g, i, x.shape, **args), want)


RULES = st.fixed_dictionaries({}, optional={
    "count_include_pad": st.booleans(),
    "divisor_override": st.none() | st.integers(1, 50) | st.integers(-50, -1),
})


@bounded
@given(arrays(DTYPES), geometries(False), RULES, CIRCUMSTANCES)
def test_average(array, args, rule, circumstance):
    x, layout = array
    output_shape(x, layout, args)
    if x.dtype.kind in "iu":
        x = np.clip(x, np.iinfo(x.dtype).min // 2**10, np.iinfo(x.dtype).max // 2**10 if x.dtype.itemsize > 1 else 9)
        x = np.abs(x.astype(np.float64)).astype(np.int64) if x.dtype.itemsize == 8 else x
    args = args | rule | {"layout": layout}
    got = under(circumstance, numpool.avg_pool2d, x, **args)
    assert_same(got, reference.avg_pool2d(x, **args), 4)  # sums are exact or of one sign, quotients are rounded


@bounded
@given(arrays([name for name in DTYPES if name not in FLOATS]), geometries(False), RULES,
       st.sampled_from([name for name in DTYPES if name not in (*FLOATS, "bool")]), CIRCUMSTANCES)
def test_integer_average_is_the_exact_quotient_rounded_half_to_even(array, args, rule, result, circumstance):
    x, layout = array
    output_shape(x, layout, args)
    args = args | rule | {"layout": layout, "dtype": result}
    assert_same(under(circumstance, numpool.avg_pool2d, x, **args), reference.avg_pool2d(x, **args))


@bounded
@given(arrays(FLOATS, exact_data), geometries(False), st.booleans(), st.sampled_from([1, 2, 4, -8]), CIRCUMSTANCES)
def test_avg_backward(array, args, include_pad, divisor, circumstance):
    x, layout = array
    shape = output_shape(x, layout, args)
    args = args | {"layout": layout, "count_include_pad": include_pad, "divisor_override": divisor}
    g = exact_data(shape, x.dtype, np.random.default_rng(0))
    want = reference.avg_pool2d_backward(g, x.shape, **args)
    assert_same(under(circumstance, numpool.avg_pool2d_backward, g, x.shape, **args), want)
