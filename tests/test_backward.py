"""Fast equals slow, backward: gradients against reference and finite differences, at every level, in every float."""

from functools import cache, partial
from itertools import permutations, product

import numpy as np
import pytest
import reference
from cases import (
    AVG_CASES,
    CASES,
    CORE,
    DILATED,
    FLOATS,
    INDICES,
    LAYOUTS,
    LAYOUTS_OF,
    STORAGES,
    assert_same,
    bits,
    exact_data,
    from_layout,
    levels_and_layouts,
    special_data,
    to_layout,
)

import numpool
from numpool import _kernels, blocks, threads
from numpool import backward as calls

LEVELS = numpool.levels()
EXTREMES = ("max_pool2d", "min_pool2d")
# divisors of the average chosen so that each gradient is exact: integers over powers of two
EXACT = {"divisor_override": 4}


def backward(name, module=numpool):
    return getattr(module, f"{name}_backward")


@cache
def extreme(case, name, dtype, index="plane", layout="NCHW"):
    """An exact gradient for a case with its indices and what the reference makes of them; arrays in the layout."""
    rng = np.random.default_rng(0)
    x = to_layout(special_data(case.shape, "float32", rng), layout)
    args = dict(layout=layout, index=index, **case.max_args)
    y, i = getattr(reference, name)(x, return_indices=True, **args)
    g = exact_data(y.shape, dtype, rng)
    return g, i, x.shape, args, backward(name, reference)(g, i, x.shape, **args)


@cache
def average(case, dtype):
    x = np.zeros(case.shape, np.float32)
    y = reference.avg_pool2d(x, **case.avg_args)
    g = exact_data(y.shape, dtype, np.random.default_rng(0))
    return g, reference.avg_pool2d_backward(g, x.shape, **case.avg_args, **EXACT)


def shape_in(layout, shape):
    n, c, h, w = shape
    return (n, h, w, c) if layout == "NHWC" else shape


@pytest.mark.parametrize("case", CASES, ids=str)
def test_max_backward_equals_reference(case):
    g, i, shape, _, want = extreme(case, "max_pool2d", "float32")
    for layout in levels_and_layouts():
        got = numpool.max_pool2d_backward(
            to_layout(g, layout), to_layout(i, layout), shape_in(layout, shape), layout=layout, **case.max_args)
        assert_same(from_layout(got, layout), want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CORE + DILATED, ids=str)
def test_extreme_backward_equals_reference_in_every_float_and_convention(case, layout, index, dtype):
    for name in EXTREMES:
        g, i, shape, args, want = extreme(case, name, dtype, index, layout)
        for level in LEVELS:
            with numpool.use_level(level):
                assert_same(backward(name)(g, i, shape, **args), want)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.uint16, np.uint32, np.uint64])
def test_any_integer_dtype_of_indices_is_accepted(dtype):
    g, i, shape, args, want = extreme(CORE[2], "max_pool2d", "float32")
    assert_same(numpool.max_pool2d_backward(g, i.astype(dtype), shape, **args), want)


@pytest.mark.parametrize("case", AVG_CASES, ids=str)
def test_avg_backward_equals_reference(case):
    g, want = average(case, "float32")
    for layout in levels_and_layouts():
        got = numpool.avg_pool2d_backward(
            to_layout(g, layout), shape_in(layout, case.shape), layout=layout, **case.avg_args, **EXACT)
        assert_same(from_layout(got, layout), want)


@pytest.mark.parametrize("include_pad", [True, False])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CORE, ids=str)
def test_avg_backward_divides_as_forward_does(case, dtype, include_pad):
    # 36 and 49 are multiples of every divisor of the core cases but SPPF's: each quotient is then an integer
    geometry = reference.Geometry(case.shape[2:], case.kernel_size, case.stride, case.padding, 1, case.ceil_mode)
    unit = int(np.lcm.reduce([int(n) for n in geometry.divisors(include_pad, None).flat if n]))
    if unit > 63:
        unit, dtype = 3600, "float64" if dtype == "float64" else "float32"
    g = exact_data((*case.shape[:2], *geometry.output), dtype, np.random.default_rng(0), unit)
    args = case.avg_args | {"count_include_pad": include_pad}
    want = reference.avg_pool2d_backward(g, case.shape, **args)
    assert np.isfinite(want.astype(float)).all()
    for level in LEVELS:
        with numpool.use_level(level):
            for layout in LAYOUTS:
                shape = shape_in(layout, case.shape)
                got = numpool.avg_pool2d_backward(to_layout(g, layout), shape, layout=layout, **args)
                assert_same(from_layout(got, layout), want)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("case", CORE[:11] + DILATED, ids=str)
def test_backward_is_the_derivative_of_forward(case, layout):
    rng = np.random.default_rng(1)
    shape = shape_in(layout, (1, 1, *case.shape[2:]))
    x = rng.permutation(np.prod(shape)).reshape(shape).astype(np.float64)
    for name in EXTREMES:
        args = case.max_args | {"layout": layout}
        y, i = getattr(numpool, name)(x, return_indices=True, **args)
        g = rng.integers(-5, 6, y.shape).astype(float)
        want = reference.finite_differences(partial(getattr(numpool, name), **args), x, g)
        np.testing.assert_array_equal(backward(name)(g, i, shape, **args), want)
    if case.dilation == 1:
        for rule in ({}, {"count_include_pad": False}, {"divisor_override": 3}):
            args = case.avg_args | rule | {"layout": layout}
            g = rng.integers(-5, 6, numpool.avg_pool2d(x, **args).shape).astype(float)
            want = reference.finite_differences(partial(numpool.avg_pool2d, **args), x, g)
            got = numpool.avg_pool2d_backward(g, shape, **args)
            np.testing.assert_allclose(got, want, atol=1e-10)  # the differenced averages are of size 500 and rounded


def test_half_types_accumulate_in_float32():
    # one pixel in 513 windows: a bfloat16 sum of ones stops at 256; 513 is a float16, and 512 its bfloat16
    x = np.zeros((1, 1, 1, 1025), np.float32)
    x[..., 512] = 1
    i = numpool.max_pool2d(x, (1, 513), 1, return_indices=True)[1]
    for dtype, want in [("bfloat16", 512), ("float16", 513), ("float32", 513)]:
        g = np.ones(i.shape, dtype)
        assert float(numpool.max_pool2d_backward(g, i, x.shape, (1, 513), 1)[0, 0, 0, 512]) == want
        got = numpool.avg_pool2d_backward(g, x.shape, (1, 513), 1, divisor_override=1)
        assert float(got[0, 0, 0, 512]) == want
        for layout in LAYOUTS:
            wide = np.ones(shape_in(layout, (1, 17, 1, 513)), dtype)
            got = numpool.avg_pool2d_backward(
                wide, shape_in(layout, (1, 17, 1, 1025)), (1, 513), 1, divisor_override=1, layout=layout)
            assert (from_layout(got, layout)[0, :, 0, 512].astype(float) == want).all()


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("case", CORE + CASES[-12:], ids=str)
def test_gradient_has_the_same_bits_at_every_level_layout_and_thread_count(case, dtype, name):
    rng = np.random.default_rng(2)
    _, i, shape, *_ = extreme(case, "max_pool2d", "float32")
    g = rng.standard_normal(i.shape).astype(dtype)
    seen = set()
    for level in LEVELS:
        for count in (1, 2, 3):
            with numpool.use_level(level), numpool.num_threads(count), threads.min_bytes_per_thread(1):
                for layout in LAYOUTS:
                    grad, full = to_layout(g, layout), shape_in(layout, shape)
                    if name == "max_pool2d":
                        got = numpool.max_pool2d_backward(
                            grad, to_layout(i, layout), full, layout=layout, **case.max_args)
                    else:
                        got = numpool.avg_pool2d_backward(grad, full, layout=layout, **case.avg_args)
                    seen.add(bits(from_layout(got, layout)))
    assert len(seen) == 1


@pytest.mark.parametrize("storage", STORAGES)
def test_gradient_of_any_storage(storage):
    case = CORE[4]
    g, i, shape, args, want = extreme(case, "max_pool2d", "float32")
    for place in STORAGES.values():
        assert_same(numpool.max_pool2d_backward(STORAGES[storage](g), place(i), shape, **args), want)
    out = STORAGES[storage](np.full(shape, 7, np.float32))
    assert numpool.max_pool2d_backward(g, i, shape, out=out, **args) is out
    assert_same(out, want)
    g, want = average(case, "float32")
    assert_same(numpool.avg_pool2d_backward(STORAGES[storage](g), shape, **case.avg_args, **EXACT), want)
    out[...] = 7
    assert numpool.avg_pool2d_backward(g, shape, out=out, **case.avg_args, **EXACT) is out
    assert_same(out, want)


def odd_steps(x):
    """`x` with steps of its own along axes of length 1, which never move."""
    steps = [1000 + 8 * a if n == 1 else step for a, (n, step) in enumerate(zip(x.shape, x.strides))]
    return np.lib.stride_tricks.as_strided(x, x.shape, steps)


@pytest.mark.parametrize("n", (1, 2, 3))
def test_steps_of_axes_of_length_1_mean_nothing(n):
    rng, lengths = np.random.default_rng(0), [8, 1, 6][:n]
    for layout in LAYOUTS_OF[n]:
        for spatial in permutations(lengths):
            shape = (2, 1, *spatial) if layout == LAYOUTS_OF[n][0] else (2, *spatial, 1)
            x = rng.standard_normal(shape)
            for kernel in product(*[(1, 2) if size > 1 else (1,) for size in spatial]):
                for pool, args in ((f"max_pool{n}d", (kernel,)), (f"avg_pool{n}d", (kernel,))):
                    some = {"return_indices": True} if pool[0] == "m" else {}
                    y = getattr(numpool, pool)(x, *args, layout=layout, **some)
                    odd = getattr(numpool, pool)(odd_steps(x), *args, layout=layout, **some)
                    values, *indices = y if some else (y,)
                    assert all((a == b).all() for a, b in zip((values, *indices), odd if some else (odd,)))
                    g = rng.standard_normal(values.shape)
                    backward = getattr(numpool, pool + "_backward")
                    want = backward(g, *indices, shape, *args, layout=layout)
                    assert (backward(odd_steps(g), *map(odd_steps, indices), shape, *args, layout=layout) == want).all()
                size = tuple(s // k for s, k in zip(spatial, kernel))
                adaptive = getattr(numpool, f"adaptive_avg_pool{n}d_backward")
                g = rng.standard_normal(getattr(numpool, f"adaptive_avg_pool{n}d")(x, size, layout=layout).shape)
                assert (adaptive(odd_steps(g), shape, layout=layout) == adaptive(g, shape, layout=layout)).all()


def test_an_index_of_another_slab_is_in_the_plane():
    for n in (1, 2, 3):
        indices = np.zeros((1, 2, *[1] * (n - 1)), np.int64)
        got = getattr(numpool, f"max_pool{n}d_backward")(np.ones(indices.shape), indices, indices.shape, 1)
        assert got.ravel().tolist() == [2, 0]


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_an_average_s_gradient_does_not_overflow_before_it_must(dtype):
    big = np.finfo(dtype).max
    got = numpool.avg_pool1d_backward(np.full((1, 3), big, dtype), (1, 4), 2, 1)
    assert got.tolist() == [[big / 2, big, big, big / 2]]


def test_no_tap_gives_its_gradient_to_nobody():
    for index in INDICES:
        x = np.zeros((2, 3, 2, 2), np.float32)
        args = {"kernel_size": 1, "stride": 1, "padding": 2, "index": index}
        y, i = numpool.max_pool2d(x, return_indices=True, **args)
        assert_same(numpool.max_pool2d_backward(np.ones_like(y), i, x.shape, **args), np.ones_like(x))
    got = numpool.avg_pool2d_backward(np.ones_like(y), x.shape, 1, 1, 2, False, False)
    assert_same(got, np.ones_like(x))


def test_gradient_nan_reaches_only_the_taps_it_belongs_to():
    g = np.zeros((1, 1, 2, 2), np.float32)
    g[0, 0, 0, 1] = np.nan
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    i = numpool.max_pool2d(x, 2, return_indices=True)[1]
    assert np.argwhere(np.isnan(numpool.max_pool2d_backward(g, i, x.shape, 2)))[:, 2:].tolist() == [[1, 3]]
    got = numpool.avg_pool2d_backward(g, x.shape, 2)
    assert np.argwhere(np.isnan(got))[:, 2:].tolist() == [[0, 2], [0, 3], [1, 2], [1, 3]]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("channels", (1, 3, 20))
def test_rows_longer_than_a_run_of_windows_add_in_the_same_order(level, channels):
    """A row of windows is taken in pieces; the sums must not show where it was cut."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((1, channels, 3, 2500)).astype(np.float32)
    args = {"kernel_size": (2, 5), "stride": 1, "padding": (1, 2)}
    with numpool.use_level(level):
        y, indices = numpool.max_pool2d(x, return_indices=True, **args)
        grad = rng.standard_normal(y.shape).astype(np.float32)
        got = numpool.max_pool2d_backward(grad, indices, x.shape, **args)
        last = to_layout(grad, "NHWC"), to_layout(indices, "NHWC"), to_layout(x, "NHWC").shape
        other = from_layout(numpool.max_pool2d_backward(*last, layout="NHWC", **args), "NHWC")
    want = np.zeros((channels, 7500), np.float32)
    for channel in range(channels):
        np.add.at(want[channel], indices[0, channel].ravel(), grad[0, channel].ravel())  # one by one, in order
    assert bits(got) == bits(want.reshape(x.shape)) == bits(np.ascontiguousarray(other))


@pytest.mark.parametrize("given", [False, True], ids=["new", "out"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_windows_side_by_side_may_name_places_of_each_other(layout, level, given):
    # these are spread over the input, one write for each of its elements, until an index names another window's place
    shape = shape_in(layout, (2, 17, 9, 141))
    x = exact_data(shape, "float32", np.random.default_rng(0))
    args = dict(kernel_size=2, layout=layout)
    y, i = numpool.max_pool2d(x, return_indices=True, **args)
    g = exact_data(y.shape, "float32", np.random.default_rng(1))
    out = np.full(shape, np.float32(7)) if given else None
    want = reference.max_pool2d_backward(g, i, shape, **args)
    last = (0, *(n - 1 for n in i.shape[1:]))
    with numpool.use_level(level):
        assert_same(numpool.max_pool2d_backward(g, i, shape, out=out, **args), want)
        own = to_layout(np.arange(9 * 141).reshape(1, 1, 9, 141) == i[last], layout)
        want[0] -= own[0] * g[last] * (np.arange(17) == 16).reshape((17, 1, 1) if layout == "NCHW" else 17)
        want[0, -1, 0, 0] += g[last] if layout == "NCHW" else 0
        want[0, 0, 0, -1] += g[last] if layout == "NHWC" else 0
        i[last] = 0
        assert_same(numpool.max_pool2d_backward(g, i, shape, out=out, **args), want)
        before = out.copy() if given else None
        i[last] = 9 * 141
        with pytest.raises(ValueError, match=r"own plane.*got 1269 at"):
            numpool.max_pool2d_backward(g, i, shape, out=out, **args)
    if given:
        assert bits(out) == bits(before)


@pytest.mark.parametrize("index", ["plane", "window"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_vectors_of_windows_side_by_side_see_every_wrong_index(dtype, level, index):
    # channels below, at and beyond a whole number of vectors; the last vector does some of its lanes again
    for channels in (3, 8, 16, 31, 32, 40):
        x = exact_data((1, 6, 9, channels), dtype, np.random.default_rng(channels))
        args = dict(kernel_size=(2, 3), layout="NHWC", index=index)
        y, i = numpool.max_pool2d(x, return_indices=True, **args)
        g = np.where(y > 0, exact_data(y.shape, dtype, np.random.default_rng(1)), y.dtype.type(-0.0))
        none = np.iinfo(i.dtype).max if index == "window" else -1
        i[0, 1, 2, ::3] = none
        want = reference.max_pool2d_backward(g, i, x.shape, **args)
        wrong = [6, 200] if index == "window" else [54, -2, 2**31, int(i[0, 0, 0, -1]) + 2**32, -(2**63), 2**63 - 1]
        with numpool.use_level(level):
            got = numpool.max_pool2d_backward(g, i, x.shape, **args)
            assert bits(got + 0.0) == bits(want + 0.0)
            assert not (np.signbit(got) & (got == 0)).any()  # a sum that began at 0
            for place in ((0, 0, 0, -1), (0, 2, 2, 0)):
                for value in wrong:
                    bad = i.copy()
                    bad[place] = value
                    with pytest.raises(ValueError, match="indices must be"):
                        numpool.max_pool2d_backward(g, bad, x.shape, **args)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_windows_two_wide_end_where_the_next_begins(dtype, level, index):
    # rows below, at and beyond whole vectors, a column and rows beside the windows; planes one behind the other or not
    widths = (2, 5, 10, 13, 16, 17, 31, 33, 40, 67)
    for width, kernel, apart in product(widths, ((2, 2), (1, 2), (3, 2)), (False, True)):
        x = exact_data((2, 5, 10, width), dtype, np.random.default_rng(width))
        args = dict(kernel_size=kernel, index=index)
        y, i = numpool.max_pool2d(x, return_indices=True, **args)
        g = np.where(y > 0, exact_data(y.shape, dtype, np.random.default_rng(1)), y.dtype.type(-0.0))
        if apart:
            g, i = np.repeat(g, 2, axis=1)[:, ::2], np.repeat(i, 2, axis=1)[:, ::2]
        want = reference.max_pool2d_backward(g, i, x.shape, **args) + 0.0
        out = np.full_like(x, 7)
        with numpool.use_level(level), threads.min_bytes_per_thread(1):
            for count in (1, 3):
                with numpool.num_threads(count):
                    assert bits(numpool.max_pool2d_backward(g, i, x.shape, **args)) == bits(want)
                    assert bits(numpool.max_pool2d_backward(g, i, x.shape, out=out, **args)) == bits(want)
            for place in ((0, 0, 0, 0), (1, 2, 1, -1), (1, 4, -1, 0), (1, 4, -1, -1)):
                other, wrong = i.copy(), i.copy()
                other[place] = i.dtype.type(-1) if i.dtype.kind == "i" else 255
                wrong[place] = 200 if index == "window" else int(i[place]) + 2**40
                want = reference.max_pool2d_backward(g, other, x.shape, **args) + 0.0
                assert bits(numpool.max_pool2d_backward(g, other, x.shape, **args)) == bits(want)
                for given in (None, out):
                    out[:] = 7
                    with pytest.raises(ValueError, match="indices must be"):
                        numpool.max_pool2d_backward(g, wrong, x.shape, out=given, **args)
                    assert (out == 7).all()


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("level", LEVELS)
def test_indices_of_few_rows_are_all_that_several_threads_look_at(level, index):
    # threads share the lanes of one or two rows of windows; what lies behind the indices is no index
    for channels, rows in product((33, 40, 100), (1, 2)):
        x = exact_data((1, 2 * rows, 5, channels), "float32", np.random.default_rng(0))
        args = dict(kernel_size=2, layout="NHWC", index=index)
        y, i = numpool.max_pool2d(x, return_indices=True, **args)
        memory = np.full(i.size + 1000, 100 if index == "window" else 2**40, i.dtype)
        memory[: i.size] = i.ravel()
        i, out = memory[: i.size].reshape(i.shape), np.empty_like(x)
        want = reference.max_pool2d_backward(y, i, x.shape, **args)
        with numpool.use_level(level), threads.min_bytes_per_thread(1):
            for count in (2, 3, 7):
                with numpool.num_threads(count):
                    assert_same(numpool.max_pool2d_backward(y, i, x.shape, out=out, **args), want)
                    for place in (0, 32, -1):
                        wrong = i.copy()
                        wrong[0, -1, -1, place] = memory[-1]
                        out[:] = 7
                        with pytest.raises(ValueError, match="indices must be"):
                            numpool.max_pool2d_backward(y, wrong, x.shape, out=out, **args)
                        assert (out == 7).all()


def ways(monkeypatch, call):
    """A gradient that plans gather, in blocks of few rows and of planes, or scatter; asserts that they do.

    With vectors below 64 bytes one thread scatters after all; several gather.
    """
    results, make = [], calls.make_spec
    for way, least, rows in (("gather", 0, 1), ("gather", 0, 1000), ("scatter", 1024, 1)):
        made = []
        with monkeypatch.context() as patch:
            for name, value in (("GATHER_BYTES", 1), ("GATHER_ROWS", rows), ("GATHER_VECTOR", least)):
                patch.setattr(blocks, name, value)
            keep = partial(lambda into, *args, **words: into.append(make(*args, **words)) or into[-1], made)
            patch.setattr(calls, "make_spec", keep)
            _kernels.forget()
            results.append(call().copy())
        _kernels.forget()
        assert [spec["gradient"] for spec in made] == [way]
    return results


@pytest.mark.parametrize("count", (1, 2))
@pytest.mark.parametrize("level", LEVELS)
def test_the_indices_of_windows_above_and_below_the_image_are_looked_at(level, count):
    shape, window = (2, 6, 6, 32), (2, 1, (2, 0), 1, False)  # the first and the last rows of windows have no tap
    y, indices = numpool.max_pool2d(np.zeros(shape, np.float32), *window, True, layout="NHWC")
    assert (indices[:, [0, -1]] == -1).all()
    grad = np.ones(y.shape, np.float32)
    for row in (0, -1):
        given, want = indices.copy(), reference.max_pool2d_backward(grad, indices, shape, *window, layout="NHWC")
        given[0, row, 0, 0] = 5  # a place of other windows
        want[0, 0, 5, 0] += 1
        with numpool.use_level(level), numpool.num_threads(count), threads.min_bytes_per_thread(1):
            assert_same(numpool.max_pool2d_backward(grad, given, shape, *window, layout="NHWC"), want)
            given[0, row, 0, 0] = 10**9
            with pytest.raises(ValueError, match=str(10**9)):
                numpool.max_pool2d_backward(grad, given, shape, *window, layout="NHWC")


@pytest.mark.parametrize("kernel, stride", [(2, 2), (3, 2), (4, 3), (3, 1), (2, 3)])
def test_zeros_of_averages_have_one_sign_whatever_the_divisor(kernel, stride):
    size = 7 * stride + kernel + (stride > 1)
    for value in (0.0, -0.0, 1.0):
        grad = np.full((1, 16, 8, 8), value, np.float32)
        for divisor in (-1, 3):
            args = (kernel, stride, 0, False, True, divisor)
            seen = set()
            for layout in LAYOUTS:
                shape = to_layout(np.empty((1, 16, size, size)), layout).shape
                back = numpool.avg_pool2d_backward(to_layout(grad, layout), shape, *args, layout=layout)
                seen.add(bits(np.ascontiguousarray(from_layout(back, layout))))
            assert len(seen) == 1


@pytest.mark.parametrize("index", ["plane", "window"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "window",
    [
        (3, 1, 1),
        (3, 2, 1),
        (2, 1, 0),
        (2, 1, 1),
        ((3, 2), (1, 2), (1, 0)),
        ((1, 3), (1, 2), 0),
        ((3, 1), 1, 0),
        (3, (4, 2), 0),
    ],
    ids=str,
)
def test_gathered_gradients_are_scattered_ones(monkeypatch, window, dtype, level, index):
    # rounding shows the order of a sum; windows reach into a block of rows from above and from below
    for channels in (16, 17, 31, 40, 100):  # threads share those of a plane
        x = np.random.default_rng(channels).standard_normal((1 + channels % 2, 9, 8, channels)).astype(dtype)
        args = dict(zip(("kernel_size", "stride", "padding"), window), layout="NHWC", index=index)
        y, i = numpool.max_pool2d(x, return_indices=True, **args)
        g = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
        g[0, 0, 0, :2] = np.nan, np.inf
        i[0, 1, 1, ::3] = np.iinfo(i.dtype).max if index == "window" else -1
        with numpool.use_level(level), threads.min_bytes_per_thread(1):
            for count in (1, 3):
                with numpool.num_threads(count):
                    results = ways(monkeypatch, partial(numpool.max_pool2d_backward, g, i, x.shape, **args))
                assert len(set(map(bits, results))) == 1


@pytest.mark.parametrize("given", [False, True], ids=["new", "out"])
@pytest.mark.parametrize("index", ["plane", "window"])
@pytest.mark.parametrize("level", LEVELS)
def test_gathered_gradients_see_every_foreign_index(monkeypatch, level, index, given):
    x = exact_data((1, 7, 6, 17), "float32", np.random.default_rng(0))
    args = dict(kernel_size=3, stride=2, padding=1, layout="NHWC", index=index)
    y, i = numpool.max_pool2d(x, return_indices=True, **args)
    g = exact_data(y.shape, "float32", np.random.default_rng(1))
    out = np.full(x.shape, np.float32(7)) if given else None
    g[0, 0, 0, 0] = 5
    for place in ((0, 0, 0, 0), (0, 1, 1, 16), (0, 2, 1, 5)):  # at an edge, inside; in the last vector as well
        other = i.copy()
        if index == "plane":
            other[place] = 41  # the last pixel, where the plane counts and not the window
            want = reference.max_pool2d_backward(g, i, x.shape, **args).reshape(42, 17)
            want[i[place], place[-1]] -= g[place]
            want[41, place[-1]] += g[place]
            want = want.reshape(x.shape)
            with numpool.use_level(level):
                call = partial(numpool.max_pool2d_backward, g, other, x.shape, out=out, **args)
                for got in ways(monkeypatch, call):
                    assert_same(got, want)
        # beyond the plane, or the window; in the padding, where there is some
        for wrong in (9, 254) if index == "window" else (42, -2, 2**31, int(i[place]) + 2**32, -(2**63), 2**63 - 1):
            other[place] = wrong
            before = bits(out) if given else None
            with numpool.use_level(level), pytest.raises(ValueError, match="indices must be"):
                numpool.max_pool2d_backward(g, other, x.shape, out=out, **args)
            assert not given or bits(out) == before
    if index == "window":  # the first window's tap 0 is padding
        i[0, 0, 0, 0] = 0
        with numpool.use_level(level), pytest.raises(ValueError, match="indices must be"):
            numpool.max_pool2d_backward(g, i, x.shape, out=out, **args)


@pytest.mark.parametrize("index", ["plane", "window"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("width", [128, 131, 4097])
def test_vectors_of_pairs_see_every_index(width, dtype, level, index):
    # rows of windows that are no whole number of vectors, or longer than a piece of a row
    x = exact_data((2, 5, width), dtype, np.random.default_rng(width))
    args = dict(kernel_size=2, index=index)
    y, i = numpool.max_pool2d(x, return_indices=True, **args)
    g = np.where(y > 0, exact_data(y.shape, dtype, np.random.default_rng(1)), y.dtype.type(-0.0))
    i[:, 1, ::3] = np.iinfo(i.dtype).max if index == "window" else -1
    want = reference.max_pool2d_backward(g, i, x.shape, **args)
    with numpool.use_level(level):
        got = numpool.max_pool2d_backward(g, i, x.shape, **args)
        assert bits(got + x.dtype.type(0)) == bits(want + x.dtype.type(0))
        assert not (np.signbit(got) & (got == 0)).any()
        for place in ((0, 0, 0), (1, 1, y.shape[-1] - 1)):
            far = (5 * width, -2, 2**31, int(i[0, 0, 1]) + 2**32, -(2**63), 2**63 - 1)
            for wrong in (4, 254) if index == "window" else far:
                bad = i.copy()
                bad[place] = wrong
                with pytest.raises(ValueError, match="indices must be"):
                    numpool.max_pool2d_backward(g, bad, x.shape, **args)
