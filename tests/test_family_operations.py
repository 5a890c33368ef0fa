"""What is special to one operation of the family: a named test per rule of its contract, on arithmetic seen by eye."""

import warnings
from fractions import Fraction
from itertools import permutations
from math import ceil

import family_reference
import numpy as np
import pytest
from cases import (
    BFLOAT16,
    DTYPES,
    FLOATS,
    INDICES,
    LAYOUTS,
    LAYOUTS_OF,
    assert_same,
    bits,
    exact_data,
    from_layout,
    to_layout,
    ulps,
)
from family_cases import RESNET50_STEM, THREADS, VGG16, circumstances, equal, in_rank
from family_reference import RANKS, adaptive_axis, fractional_starts
from numpy.lib.stride_tricks import sliding_window_view
from reference import limits

import numpool

NAN, INF = np.nan, np.inf


# ---- Maximum, minimum and average over 1 and 3 axes ----


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "uint8"])
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize(
    "name, shape, args",
    [
        ("max_pool3d", (2, 17, 4, 6, 5), {"kernel_size": 2}),
        ("max_pool3d", (1, 40, 6, 7, 4), {"kernel_size": (2, 3, 1), "stride": (3, 3, 2)}),
        ("max_pool3d", (1, 16, 6, 5, 3), {"kernel_size": (2, 1, 1)}),
        ("adaptive_max_pool2d", (2, 17, 13, 20), {"output_size": (5, 7)}),
        ("adaptive_max_pool2d", (1, 64, 5, 9), {"output_size": (7, 9)}),
        ("adaptive_max_pool2d", (1, 33, 5, 5), {"output_size": 3}),  # threads share the lanes: not 32 and one
    ],
)
def test_indices_of_windows_that_hardly_overlap(name, shape, args, index, dtype):
    rng = np.random.default_rng(0)
    x = exact_data(shape, dtype, rng)
    if x.dtype.kind == "f":
        x[rng.random(shape) < 0.1] = NAN
    for layout in LAYOUTS_OF[len(shape) - 2]:
        own = to_layout(x, layout)
        more = {"return_indices": True, "layout": layout, "index": index}
        wants = getattr(family_reference, name)(own, **args, **more)
        for _ in circumstances((1, 3)):
            for got, want in zip(getattr(numpool, name)(own, **args, **more), wants, strict=True):
                assert_same(got, want)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("index", ["plane", "window"])
def test_a_gradient_over_depth_alone_goes_where_the_indices_say(index, dtype):
    rng, kernel = np.random.default_rng(0), (2, 1, 1)
    shape = (2, 17, 7, 9, 8)
    for layout in LAYOUTS_OF[3]:
        x = to_layout(exact_data(shape, dtype, rng), layout)
        y, indices = family_reference.max_pool3d(x, kernel, return_indices=True, layout=layout, index=index)
        grad = exact_data(y.shape, dtype, rng)
        named = [indices]
        if index == "plane":  # places of other windows too, and none
            elsewhere = rng.integers(-1, 7 * 9 * 8, indices.shape)
            named.append(np.where(rng.random(indices.shape) < 0.01, elsewhere, indices))
        for given in named:
            more = {"layout": layout, "index": index}
            want = family_reference.max_pool3d_backward(grad, given, x.shape, kernel, **more)
            for _ in circumstances((1, 3)):
                assert_same(numpool.max_pool3d_backward(grad, given, x.shape, kernel, **more), want)
                out = np.full_like(x, 7)
                assert_same(numpool.max_pool3d_backward(grad, given, x.shape, kernel, **more, out=out), want)
            wrong = given.copy()
            wrong.flat[5] = 7 * 9 * 8 if index == "plane" else 2
            with pytest.raises(ValueError, match="indices must"):
                numpool.max_pool3d_backward(grad, wrong, x.shape, kernel, **more)


def test_rows_beyond_two_to_the_24():
    last = 2**24
    x = np.zeros(last + 1, np.uint8)
    x[-1] = 1
    for kernel, stride in ((last + 1, None), (1, last), (2, last - 1)):
        y, i = numpool.max_pool1d(x, kernel, stride, return_indices=True)
        assert (y[-1], i[-1]) == (1, last)
    assert numpool.global_max_pool(x[None, None], True)[1].item() == last
    assert numpool.adaptive_max_pool1d(x, 3, True)[1].tolist() == [0, last // 3, last]
    assert numpool.avg_pool1d(x, last + 1).item() == 1 / (last + 1)
    assert numpool.max_pool3d(x[None, None], (1, 1, last + 1), return_indices=True)[1].item() == last


@pytest.mark.parametrize("dtype", ["float32", "int32", "uint32", "float16"])
@pytest.mark.parametrize("kernel", range(3, 18))
def test_windows_far_apart_in_rows_of_any_length(kernel, dtype):
    rng = np.random.default_rng(kernel)
    for stride in {kernel, 4, 5}:
        for windows in (1, 7, 8, 17, 35):
            x = exact_data((2, 3, (windows - 1) * stride + kernel), dtype, rng, unit=kernel)
            for name in ("max_pool1d", "min_pool1d", "avg_pool1d"):
                want = getattr(family_reference, name)(x, kernel, stride)
                for _ in circumstances((1,)):
                    assert_same(getattr(numpool, name)(x, kernel, stride), want)


def test_long_averages_are_accurate():
    x = np.full(2**20 + 1, 0.1, np.float32)
    want = np.full(1, 0.1, np.float32)
    for y in (
        numpool.avg_pool1d(x, len(x)),
        numpool.adaptive_avg_pool1d(x, 1),
        numpool.global_avg_pool(x[None, None]),
        numpool.avg_over_time(x[None, None], [2**20]),
        numpool.avg_pool3d(x[None, None], (1, 1, len(x))),
    ):
        assert (ulps(y.ravel(), want) <= 4).all()


@pytest.mark.parametrize("n", RANKS)
def test_half_gradients_are_summed_in_float32(n):
    x = np.zeros((1, 1, *[1] * (n - 1), 1025), np.float32)
    x[..., 512] = 1
    kernel = (1,) * (n - 1) + (513,)
    i = getattr(numpool, f"max_pool{n}d")(x, kernel, 1, return_indices=True)[1]
    for dtype, want in [("bfloat16", 512), ("float16", 513)]:
        g = np.ones(i.shape, dtype)
        back = getattr(numpool, f"max_pool{n}d_backward")(g, i, x.shape, kernel, 1)
        assert float(back[..., 512].item()) == want
        back = getattr(numpool, f"avg_pool{n}d_backward")(g, x.shape, kernel, 1, divisor_override=1)
        assert float(back[..., 512].item()) == want
        ones = np.ones(x.shape, dtype)
        back = getattr(numpool, f"lp_pool{n}d_backward")(g, ones, np.full(g.shape, 513, dtype), 1, kernel, 1)
        assert float(back[..., 512].item()) == want


def test_a_padding_pair_of_a_line_is_nested():
    x = np.array([[1.0, 2, 3]])
    equal(numpool.max_pool1d(x, 2, 2, ((1, 0),)), [[1, 3]])
    with pytest.raises((TypeError, ValueError)):
        numpool.max_pool1d(x, 2, 2, (1, 0))  # two numbers are one for each of two axes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_averages_over_one_axis_have_the_same_bits_however_their_memory_lies(dtype):
    """Down columns a clipped window has a shorter tree than across rows, where padding is part of it."""
    x = np.random.default_rng(0).standard_normal((2, 16, 21)).astype(dtype)
    turned = np.ascontiguousarray(x.transpose(2, 0, 1)).transpose(1, 2, 0)
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    for window in ((9, 1, 4), (2, 1, ((0, 2),)), (21,), (5, 3), (4, 2, 1, True)):
        want = numpool.avg_pool1d(x, *window)
        np.testing.assert_array_equal(numpool.avg_pool1d(turned, *window), want)
        np.testing.assert_array_equal(np.moveaxis(numpool.avg_pool1d(last, *window, layout="NLC"), -1, 1), want)


@pytest.mark.parametrize("source", ["float16", "float32"])
def test_averages_in_a_wider_dtype_are_as_accurate_as_that(source):
    x = (np.abs(np.random.default_rng(0).standard_normal((2, 3, 8, 8))) + 0.01).astype(source)
    wide = x.astype(np.float64)
    for got, want in (
        (numpool.avg_pool2d(x, 2, dtype=np.float64), numpool.avg_pool2d(wide, 2)),
        (numpool.adaptive_avg_pool2d(x, 3, dtype=np.float64), numpool.adaptive_avg_pool2d(wide, 3)),
        (numpool.global_avg_pool(x, dtype=np.float64), numpool.global_avg_pool(wide)),
    ):
        np.testing.assert_array_equal(got, want)


def test_a_gradient_refuses_the_windows_that_its_average_refuses():
    k = 2**21
    with pytest.raises(ValueError, match="2\\*\\*63"):
        numpool.avg_pool3d_backward(np.ones((1, 1, 1, 1)), (1, 1, 1, 1), 2 * k + 1, None, k)


@pytest.mark.parametrize("window", [(2, 2**80, 0, 2**70, True), (2**70, 2**80, 0, 1, True)], ids=["dilation", "kernel"])
def test_windows_beyond_all_sizes_are_refused(window):
    with pytest.raises(ValueError, match="2\\*\\*62"):
        numpool.max_pool1d(np.ones((2, 4)), *window)


# ---- Lp ----


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, 7.25, INF], ids=str)
@pytest.mark.parametrize("dtype", [*FLOATS, "int8", "uint16"])
def test_norms_equal_reference(dtype, p):
    x = exact_data((1, 2, 9, 10), dtype, np.random.default_rng(0), 3)
    want = family_reference.lp_pool2d(x, p, 3, 2, padding=1, dilation=2)
    allowed = 0 if p == INF else 4 if p in (1, 2) else 8  # a root of a rounded sum of rounded powers
    for _ in circumstances((1,)):
        for layout in LAYOUTS:
            got = numpool.lp_pool2d(to_layout(x, layout), p, 3, 2, padding=1, dilation=2, layout=layout)
            assert_same(from_layout(got, layout), want, allowed)


@pytest.mark.parametrize(
    "dtype, value, taps, p, want",
    [
        ("float32", 3e19, 4, 2, 6e19),
        ("float32", 3e-30, 4, 2, 6e-30),
        ("float32", 1e-45, 4, 2, 2.8e-45),
        ("float32", 1e38, 2, 1, 2e38),
        ("float32", 1e20, 8, 3, 2e20),
        ("float32", 1e37, 4, 0.5, 1.6e38),
        ("float64", 1e200, 4, 2, 2e200),
        ("float64", 1e-200, 4, 2, 2e-200),
        ("float64", 5e-324, 4, 2, 1e-323),
        ("float64", 1e300, 8, 3, 2e300),
        ("float64", 1e-300, 4, 0.5, 1.6e-299),
        ("float64", 1.7e308, 4, INF, 1.7e308),
        ("float64", 2.0, 1024, 1000, 2 * 1024**0.001),
        ("float16", 30000, 4, 2, 60000),
        ("bfloat16", 2.0**80, 16, 2, 2.0**82),
    ],
)
def test_a_norm_that_fits_neither_overflows_nor_underflows(dtype, value, taps, p, want):
    for _ in circumstances((1,)):
        for n in RANKS:
            for sign in (1, -1):
                x = in_rank(n, np.full(taps, sign * value, dtype))
                kernel = (1,) * (n - 1) + (taps,)
                y = getattr(numpool, f"lp_pool{n}d")(x, p, kernel)
                assert_same(y.ravel(), np.array([want]).astype(dtype), 8)
                assert (y > 0).all()  # the least of numbers are fewer units than that from 0
        assert_same(numpool.global_lp_pool(x, p).ravel(), y.ravel())
    x = np.array([value, 0, 0, -value]).astype(dtype)  # the scale must not come from a tap of another window
    y = numpool.lp_pool1d(x, p, 2)
    assert_same(y, np.array([value] * 2).astype(dtype), 8)


def test_norms_below_the_first_power_lose_no_small_element():
    x = np.array([1e300, 1e300, 4e-24, 0, 1e300, 1e-30])
    assert_same(numpool.lp_pool1d(x, 0.5, 2), np.array([4e300, 4e-24, 1e300 * (1 + 1e-165) ** 2]), 4)
    p = 0.01  # (1 + 10**-3.3)**100, where each step of the sum counts a hundred times
    np.testing.assert_allclose(numpool.lp_pool1d(x[4:], p, 2), [1e300 * (1 + 10**-3.3) ** (1 / p)], 1e-12)
    for p, slope in ((0.5, 1e165), (1.5, 1e-165)):  # (|x| / y) ** (p - 1), whose quotient no float64 holds
        y = numpool.lp_pool1d(x[4:], p, 2)
        got = numpool.lp_pool1d_backward(np.ones(1), x[4:], y, p, 2)
        np.testing.assert_allclose(got, [1, slope], 1e-12)


@pytest.mark.parametrize("dtype", FLOATS)
def test_an_infinite_element_has_an_infinite_norm(dtype):
    x = np.array([[-INF, 1], [0, INF], [NAN, INF], [0, 0]]).astype(dtype)
    for p in (0.5, 1, 1.5, 2, 3, 7.25, INF):
        equal(numpool.lp_pool1d(x, p, 2).astype(float), [[INF], [INF], [NAN], [0]])
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        big = np.array([[np.finfo(np.float64).max, 1.0]])
        assert (numpool.lp_pool1d(big, 2.5, 2) > 0.99 * big.max()).all()


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_norms_of_dilated_windows_that_fill_a_line(dtype):
    x = np.arange(1.0, 77).reshape(2, 38).astype(dtype)
    for p in (1, 1.5, 2, 2.5, 3):
        for kernel, ceil_mode in ((20, True), (19, False), (17, False)):
            got = numpool.lp_pool1d(x, p, kernel, 2, ceil_mode, dilation=2)
            assert_same(got, family_reference.lp_pool1d(x, p, kernel, 2, ceil_mode, dilation=2), 8)
    x = np.ones((2, 17, 17), dtype) * np.tile([1.0, 0], 9)[:17].astype(dtype)
    assert numpool.lp_pool2d(x, 1, 9, dilation=2).ravel().tolist() == [81, 81]


def test_partial_windows_of_norms_sum_their_own_taps():
    x = np.array([3.0, 4, 5])
    assert_same(numpool.lp_pool1d(x, 2, 2, ceil_mode=True), np.array([5.0, 5]), 1)  # PyTorch: 5 * sqrt(2) in the end
    assert_same(numpool.lp_pool1d(x, 1, 2, padding=1), np.array([3.0, 9]))


def test_norms_of_special_values():
    x = np.array([NAN, INF, -INF, 1, 0, 0, -0.0, 0, INF, -INF])
    for p in (0.5, 1, 2, 3, INF):
        equal(numpool.lp_pool1d(x, p, 2), [NAN, INF, 0, 0, INF])
        equal(numpool.lp_pool1d(np.ones(1), p, 1, 1, padding=2), [0, 0, 1, 0, 0])  # a window with no valid tap
    assert numpool.lp_pool1d(np.full(2, -128, np.int8), 1, 2).tolist() == [256]
    assert numpool.lp_pool1d(np.full(2, -(2**63)), INF, 2).tolist() == [2.0**63]
    assert numpool.lp_pool1d(np.array([True, True, True, True]), 2, 4).tolist() == [2]
    assert numpool.lp_pool2d(np.full((1, 3), -2.0), 2, (1, 2), ceil_mode=True).tolist() == [[8**0.5, 2]]


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, 7.25, INF], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_of_norms_equals_reference(dtype, p):
    rng = np.random.default_rng(0)
    x = exact_data((2, 3, 7, 8), dtype, rng)
    for args in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1}):
        y = family_reference.lp_pool2d(x, p, **args)
        g = rng.integers(1, 9, y.shape).astype(dtype)
        for layout in LAYOUTS:
            a, b, c = (to_layout(v, layout) for v in (g, x, y))
            want = family_reference.lp_pool2d_backward(a, b, c, p, layout=layout, **args)
            for _ in circumstances((1,)):
                got = numpool.lp_pool2d_backward(a, b, c, p, layout=layout, **args)
                assert got.dtype == want.dtype  # up to nine quotients raised to a power and summed, all of one sign
                np.testing.assert_allclose(got, want, rtol=32 * np.finfo(dtype).eps)


def test_gradient_of_norms_at_zero_at_ties_and_at_the_ends_of_the_range():
    back = numpool.lp_pool1d_backward
    for p in (0.5, 1, 2, 3, INF):
        equal(back(np.ones(1), np.zeros(3), np.zeros(1), p, 3), [0, 0, 0])
        equal(back(np.ones(1), np.array([0.0, -4]), np.array([4.0]), p, 2), [0, -1])
    equal(back(np.ones(1), np.array([-2.0, 2, 1]), np.array([2.0]), INF, 3), [-1, 1, 0])
    for value in (3e19, 3e-30):
        x = np.full(4, value, np.float32)
        equal(back(np.ones(1, np.float32), x, 2 * x[:1], 2, 4), np.full(4, 0.5))
    for g, scale in ((1e200, 1e-70), (1e-300, 1e70)):  # what fits, though the gradient over the norm does not
        x, y, g = np.array([3, 4]) * scale, np.array([5 * scale]), np.array([g])
        np.testing.assert_allclose(back(g, x, y, 2, 2), g * [0.6, 0.8], rtol=1e-15)
        np.testing.assert_allclose(back(g, x, y, 3, 2), g * [0.36, 0.64], rtol=1e-15)
    for dtype in ("float32", "float64"):  # an infinite norm: what is finite has no share of it
        large = np.full(8, np.finfo(dtype).max, dtype)
        equal(back(np.ones(1, dtype), large, np.array([INF], dtype), 10, 8), np.zeros(8))
        equal(back(np.ones(1, dtype), np.array([INF, 1], dtype), np.array([INF], dtype), INF, 2), [1, 0])


def test_norms_of_windows_far_apart_in_size_keep_what_fits():
    x = np.array([3e307, 3e307, 1e-300, 1e-300])
    np.testing.assert_allclose(numpool.lp_pool1d(x, 2, 2), [np.sqrt(2) * 3e307, np.sqrt(2) * 1e-300], rtol=1e-14)
    np.testing.assert_allclose(
        numpool.lp_pool1d(np.full(4, 1e-300), 0.001, 4), [4.0**500 * 1e-300 * 4.0**500], rtol=1e-9
    )


@np.errstate(all="raise")
def test_gradients_that_do_not_fit_raise_no_floating_point_error():
    x = np.array([[[0.0, 3.0]]])
    equal(numpool.lp_pool1d_backward(np.array([[[INF]]]), x, np.array([[[3.0]]]), 2, 2), [[[0, INF]]])
    grad = np.zeros((1, 5), np.float32)  # of one value, then of four
    grad[0, :2] = INF, -INF
    back = numpool.spatial_pyramid_pool2d_backward(grad, np.array([[[[1, 0], [0, 0]]]], np.float32), [1, 2])
    equal(back, [[[[NAN, 0], [0, 0]]]])
    half = np.full((1, 1, 3, 3), 60000, np.float16)
    equal(numpool.adaptive_avg_pool2d_backward(half, (1, 1, 2, 2)), np.full((1, 1, 2, 2), INF))


# ---- Adaptive and global ----


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(2, 3, 2, 1), (1, 1, 3, 1, 2), (1, 2, 1, 1)])
def test_a_place_in_many_adaptive_windows_gets_the_share_of_each(shape, dtype):
    n = len(shape) - 2
    for many in (16, 17, 33):
        grad = np.ones((*shape[:2], *(many if size == 1 else size for size in shape[2:])), dtype)
        for layout in LAYOUTS_OF[n]:
            own, size = to_layout(grad, layout), to_layout(np.empty(shape, dtype), layout).shape
            spatial = family_reference.spatial_axes(len(shape), layout)
            share = many ** sum(size[a] == 1 for a in spatial)
            for _ in circumstances((1, 3)):
                for held in (own, np.asfortranarray(own)):
                    back = getattr(numpool, f"adaptive_avg_pool{n}d_backward")(held, size, layout=layout)
                    equal(back, np.full(size, share))


def test_adaptive_windows_are_exact_for_every_small_pair_of_sizes():
    for L in range(1, 25):
        x = np.arange(float(L))
        for o in range(1, 30):
            spans = [taps for _, taps in adaptive_axis(L, o)]
            equal(numpool.adaptive_max_pool1d(x, o), [taps[-1][1] for taps in spans])
            equal(numpool.adaptive_max_pool1d(-x, o, True)[1], [taps[0][1] for taps in spans])
            equal(numpool.adaptive_avg_pool1d(x, o), [(taps[0][1] + taps[-1][1]) / 2 for taps in spans])


def test_adaptive_windows_are_exact_on_long_axes():
    L = 2**24 + 3
    up = np.arange(L, dtype=np.int32)
    down = up[::-1]
    for o in (2, 3, 7, 4099):
        starts, stops = [i * L // o for i in range(o)], [-(-(i + 1) * L // o) for i in range(o)]
        assert numpool.adaptive_max_pool1d(up, o).tolist() == [stop - 1 for stop in stops]
        assert numpool.adaptive_max_pool1d(down, o, True)[1].tolist() == starts


@pytest.mark.parametrize("n", RANKS)
def test_none_keeps_an_axis_and_more_outputs_than_inputs_are_fine(n):
    shape = (2, 3, 5, 4, 6)[: 2 + n]
    x = exact_data(shape, "float32", np.random.default_rng(0), 180)
    for op in ("max", "avg"):
        pool = getattr(numpool, f"adaptive_{op}_pool{n}d")
        equal(pool(x, None), x)
        equal(pool(x, (None,) * n), x)
        equal(pool(x, shape[2:]), x)
        for size in (1, 13, (None,) * (n - 1) + (9,), (11,) + (None,) * (n - 1), np.int64(3), [2] * n):
            wanted = size.item() if isinstance(size, np.integer) else size
            assert_same(pool(x, size), getattr(family_reference, f"adaptive_{op}_pool{n}d")(x, wanted))


def test_adaptive_tap_numbers_grow_with_the_largest_window():
    for L, o, dtype in [(255, 1, np.uint8), (256, 1, np.uint16), (511, 2, np.uint16), (510, 2, np.uint8)]:
        i = numpool.adaptive_max_pool1d(np.arange(L), o, True, index="window")[1]
        assert i.dtype == dtype and i[-1] == -(-L // o) - 1


@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 4, 5), (2, 3, 2, 3, 4)], ids=str)
def test_global_pools_without_a_layout_have_one_batch_and_one_channel_axis(shape):
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(np.float64)
    spatial = tuple(range(2, len(shape)))
    equal(numpool.global_max_pool(x), x.max(spatial, keepdims=True))
    equal(numpool.global_max_pool(x, keepdims=False), x.max(spatial))
    equal(numpool.global_max_pool(x, True, keepdims=False)[1], x.reshape(2, 3, -1).argmax(-1))
    assert_same(numpool.global_avg_pool(x, keepdims=False), x.mean(spatial), 4)
    assert_same(numpool.global_lp_pool(x, 2), np.sqrt((x * x).sum(spatial, keepdims=True)), 4)


@pytest.mark.parametrize("layout", ["NCL", "NLC", "NCHW", "NHWC"])
def test_global_pools_without_their_axes_have_the_same_values_however_arrays_lie(layout):
    first = exact_data((2, 19, 5, 4)[: len(layout)], "float32", np.random.default_rng(0))
    x = to_layout(first, layout)
    spatial = tuple(layout.index(a) for a in layout if a not in "NC")
    kept, taps = numpool.global_max_pool(x, True, layout=layout)
    means = numpool.global_avg_pool(x, layout=layout)
    for order in permutations(range(x.ndim)):  # of the axes in memory
        own = np.ascontiguousarray(x.transpose(order)).transpose(np.argsort(order))
        for into in (np.empty((2, 19), "f4"), np.empty((19, 2), "f4").T, np.empty((2, 38), "f4")[:, ::2]):
            where = np.empty_like(into, np.int64)
            pair = numpool.global_max_pool(own, True, keepdims=False, layout=layout, out=(into, where))
            assert pair[0] is into and pair[1] is where
            equal(into, kept.squeeze(spatial))
            equal(where, taps.squeeze(spatial))
            assert numpool.global_avg_pool(own, keepdims=False, layout=layout, out=into) is into
            assert bits(into) == bits(means.squeeze(spatial))
        equal(numpool.global_max_pool(own, keepdims=False, layout=layout), kept.squeeze(spatial))


@pytest.mark.parametrize("layout", [layout for pair in LAYOUTS_OF.values() for layout in pair])
def test_global_backward_takes_dropped_axes(layout):
    n = len(layout) - 2
    first = exact_data((2, 3, 4, 3, 2)[: 2 + n], "float32", np.random.default_rng(0))
    x = to_layout(first, layout)
    g = np.array([[24.0, 48, -72], [96, 0, 24]], np.float32)
    kept = to_layout(g.reshape(2, 3, *[1] * n), layout)
    y, i = numpool.global_max_pool(x, True, layout=layout)
    z = numpool.global_lp_pool(x, 1, layout=layout)
    for index in INDICES:
        i = numpool.global_max_pool(x, True, layout=layout, index=index)[1]
        want = family_reference.global_max_pool_backward(kept, i, x.shape, layout=layout, index=index)
        for grad, chosen in ((kept, i), (g, i.reshape(2, 3))):
            assert_same(numpool.global_max_pool_backward(grad, chosen, x.shape, layout=layout, index=index), want)
    for grad, norm in ((kept, z), (g, z.reshape(2, 3))):
        size = first[0, 0].size
        back = from_layout(numpool.global_avg_pool_backward(grad, x.shape, layout=layout), layout)
        equal(back, np.broadcast_to((g / size).reshape(2, 3, *[1] * n), first.shape))
        back = from_layout(numpool.global_lp_pool_backward(grad, x, norm, 1, layout=layout), layout)
        equal(back, np.sign(first) * g.reshape(2, 3, *[1] * n))


# ---- Fractional ----


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_fractional_windows_are_pytorch_s_in_the_precision_of_the_input(dtype):
    L, k, o = (9999, 10, 100) if dtype != "float16" else (2000, 10, 100)  # float16 counts to 2048
    precision = family_reference.sample_dtype(np.dtype(dtype))
    samples = family_reference.drawn_samples(np.random.default_rng(0), (1, 64, 2), precision)
    x = np.broadcast_to(-np.arange(L).astype(dtype), (1, 64, 1, L))
    i = numpool.fractional_max_pool2d(x, (1, k), (1, o), None, True, samples)[1]
    equal(i[0, :, 0], [fractional_starts(L, k, o, u) for u in samples[0, :, 0]])
    x = np.moveaxis(x, -1, -2)
    i = numpool.fractional_max_pool2d(x, (k, 1), (o, 1), None, True, samples)[1]
    equal(i[0, :, :, 0], [fractional_starts(L, k, o, u) for u in samples[0, :, 1]])


def test_fractional_windows_of_halves_are_pytorch_s():
    samples = np.full((1, 1, 2), 0.66552734375, np.float16)  # in float32 the second window starts at 3
    i = numpool.fractional_max_pool2d(np.zeros((1, 1, 7, 7), np.float16), 1, 3, None, True, samples)[1]
    equal(i[0, 0], np.add.outer([0, 28, 42], [0, 4, 6]))
    x = np.zeros((1, 1, 1, 70000), np.float16)  # more positions than float16 can count
    i = numpool.fractional_max_pool2d(x, (1, 2), (1, 3), None, True, np.zeros((1, 1, 2), np.float16))[1]
    equal(i.ravel(), [0, 34999, 69998])


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
@pytest.mark.parametrize(
    "shape, kernel_size, output_size",
    [
        ((1, 2, 9, 12), (2, 3), (3, 1)),
        ((1, 2, 9, 700), (2, 600), (3, 1)),
        ((1, 2, 9, 700), (1, 600), (3, 1)),
        ((1, 2, 4, 5, 6), (2, 2, 6), (2, 3, 1)),
    ],
)
def test_fractional_windows_in_a_single_column(shape, kernel_size, output_size, dtype):
    rng, n = np.random.default_rng(0), len(shape) - 2
    x, name = exact_data(shape, dtype, rng), f"fractional_max_pool{n}d"
    args = (kernel_size, output_size, None, True, family_reference.drawn_samples(rng, (1, 2, n), np.dtype("float32")))
    for index in INDICES:
        wants = getattr(family_reference, name)(x, *args, index=index)
        for _ in circumstances((1, 3)):
            equal(getattr(numpool, name)(x, *args[:3], random_samples=args[4]), wants[0])
            for got, want in zip(getattr(numpool, name)(x, *args, index=index), wants, strict=True):
                assert_same(got, want)


def test_fractional_windows_of_a_volume_take_the_samples_in_order():
    x = np.zeros((1, 1, 9, 9, 9))
    x -= np.arange(9).reshape(9, 1, 1) * 10000 + np.arange(9).reshape(9, 1) * 100 + np.arange(9)
    samples = np.array([[[0.1, 0.5, 0.9]]])
    y = -numpool.fractional_max_pool3d(x, 2, 4, random_samples=samples)[0, 0]
    depth, height, width = (fractional_starts(9, 2, 4, u) for u in samples[0, 0])
    equal(y, np.reshape(depth, (4, 1, 1)) * 10000 + np.reshape(height, (4, 1)) * 100 + width)


@pytest.mark.parametrize("n", (2, 3))
@pytest.mark.parametrize("dtype", [*FLOATS, "uint8"])
def test_fractional_samples_come_from_rng(dtype, n):
    shape = (2, 3, 9, 10, 7)[: 2 + n]
    x = exact_data(shape, dtype, np.random.default_rng(0))
    pool = getattr(numpool, f"fractional_max_pool{n}d")
    precision = family_reference.sample_dtype(x.dtype)
    samples = family_reference.drawn_samples(np.random.default_rng(7), (2, 3, n), precision)
    want = pool(x, 2, 3, None, True, samples)
    for layout in LAYOUTS_OF[n]:
        for rng in (7, np.random.default_rng(7)):
            got = pool(to_layout(x, layout), 2, 3, return_indices=True, rng=rng, layout=layout)
            for a, b in zip(got, want):
                assert_same(from_layout(a, layout), b)
    assert pool(x, 2, 3).shape == want[0].shape  # rng None: from the system
    for a, b in zip(pool(x[0], 2, 3, None, True, rng=7), pool(x[:1], 2, 3, None, True, rng=7)):
        assert_same(a, b[0])  # without the batch


def test_fractional_output_ratio_and_single_outputs():
    x = exact_data((1, 2, 10, 11), "float64", np.random.default_rng(0))
    samples = np.full((1, 2, 2), 0.5)
    for ratio, size in ((0.5, (5, 5)), ((0.31, 0.99 - 0.2), (3, 8)), (0.1, (1, 1))):
        got = numpool.fractional_max_pool2d(x, 2, output_ratio=ratio, random_samples=samples)
        assert_same(got, family_reference.fractional_max_pool2d(x, 2, size, random_samples=samples))
        assert_same(got, numpool.fractional_max_pool2d(x, 2, size, random_samples=samples))
    equal(numpool.fractional_max_pool2d(x, (3, 4), 1, random_samples=samples)[..., 0, 0], x[..., 7:, 7:].max((2, 3)))


# ---- Along time ----


def test_k_max_of_ties_nan_and_short_samples():
    x = np.array([[[3.0, 1, 3, 5, 3], [NAN, INF, NAN, 7, NAN]], [[0, -0.0, 0, -0.0, 1], [-INF] * 5]])
    y, i = numpool.k_max_pool1d(x, 3, True)
    equal(y, [[[3, 3, 5], [NAN, NAN, NAN]], [[0, 0, 1], [-INF] * 3]])
    equal(i, [[[0, 2, 3], [0, 2, 4]], [[0, 1, 4], [0, 1, 2]]])
    y, i = numpool.k_max_pool1d(x, 3, True, lengths=[2, 0])
    equal(y, [[[3, 1, -INF], [NAN, INF, -INF]], [[-INF] * 3] * 2])
    equal(i, [[[0, 1, -1]] * 2, [[-1] * 3] * 2])
    equal(numpool.k_max_pool1d(x, 5), x)
    for dtype in DTYPES:
        low = limits(BFLOAT16 if dtype == "bfloat16" else np.dtype(dtype))[0]
        y, i = numpool.k_max_pool1d(np.ones((1, 1, 3), dtype), 2, True, lengths=[1])
        assert (y.ravel() == np.array([1, low]).astype(dtype)).all() and i.ravel().tolist() == [0, -1]
    assert_same(numpool.k_max_pool1d(x[0], 2), numpool.k_max_pool1d(x, 2)[0])


def test_k_max_of_long_rows_equals_reference():
    rng = np.random.default_rng(0)
    for L in (1, 2, 17, 130, 1000):
        for dtype in ("float32", "int8", "uint64"):
            x = exact_data((2, 3, L), dtype, rng)
            for k in {1, min(5, L), L // 2 + 1, L}:
                for got, want in zip(numpool.k_max_pool1d(x, k, True), family_reference.k_max_pool1d(x, k, True)):
                    assert_same(got, want)


def test_dynamic_k_is_computed_in_integers():
    for layers in range(1, 12):
        for layer in range(1, layers + 1):
            for length in (*range(0, 130), 10**15 + 1, 2**62 + 1):
                for k_top in (1, 4):
                    want = max(k_top, ceil(Fraction((layers - layer) * length, layers)))
                    got = numpool.dynamic_k(layer, layers, length, k_top)
                    assert got == want and type(got) is int


@pytest.mark.parametrize("layout", LAYOUTS_OF[1])
def test_only_the_first_steps_count_over_time(layout):
    x = np.array([[[1.0, 5, 9], [NAN, 2, 3]], [[4, 2, NAN], [7, 8, INF]], [[1, 2, 3]] * 2])
    x, lengths = to_layout(x, layout), np.array([2, 2, 0])
    for given in (lengths, lengths.tolist(), tuple(lengths), lengths.astype(np.uint8)):
        y, i = numpool.max_over_time(x, given, True, layout=layout)
        equal(y, [[5, NAN], [4, 8], [-INF, -INF]])
        equal(i, [[1, 0], [0, 1], [-1, -1]])
        equal(numpool.avg_over_time(x, given, layout=layout), [[3, NAN], [3, 7.5], [NAN, NAN]])
    whole = numpool.max_over_time(np.nan_to_num(x), layout=layout)
    equal(whole, np.nan_to_num(x).max(2 if layout == "NCL" else 1))
    g = np.full((3, 2), 6.0)
    back = from_layout(numpool.max_over_time_backward(g, i, x.shape, layout=layout), layout)
    equal(back, [[[0, 6, 0], [6, 0, 0]], [[6, 0, 0], [0, 6, 0]], [[0, 0, 0]] * 2])
    back = from_layout(numpool.avg_over_time_backward(g, x.shape, lengths, layout=layout), layout)
    equal(back, [[[3, 3, 0]] * 2, [[3, 3, 0]] * 2, [[0, 0, 0]] * 2])
    assert numpool.avg_over_time(np.ones((1, 1, 2), int), [0], dtype="int8").tolist() == [[0]]
    assert numpool.max_over_time(np.ones((1, 1, 2), np.int8), [0]).tolist() == [[-128]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 32, 5), (2, 48, 9), (3, 17, 40), (2, 257, 19), (2, 16, 100), (2, 11, 600)]
)
def test_each_sample_has_its_own_length_over_time(shape, dtype):
    rng = np.random.default_rng(0)
    x = exact_data(shape, dtype, rng)
    for lengths in (rng.integers(0, shape[2] + 1, shape[0]), np.full(shape[0], shape[2])):  # by the same plan
        maxima = family_reference.max_over_time(x, lengths, True)
        means = family_reference.avg_over_time(x, lengths)
        seen = set()
        for _ in circumstances((1, 3)):
            for layout in LAYOUTS_OF[1]:
                for order in permutations(range(3)):  # of the axes in memory
                    own = np.ascontiguousarray(to_layout(x, layout).transpose(order)).transpose(np.argsort(order))
                    for got, want in zip(numpool.max_over_time(own, lengths, True, layout=layout), maxima, strict=True):
                        assert_same(got, want)
                    into = np.empty((*shape[:2], 2), maxima[0].dtype)[..., 0]  # results apart
                    assert numpool.max_over_time(own, lengths, layout=layout, out=into) is into
                    assert_same(into, maxima[0])
                    mean = numpool.avg_over_time(own, lengths, layout=layout)
                    assert_same(mean, means, max_ulps=1)
                    seen.add(bits(mean))
        assert len(seen) == 1


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("channels", [1, 3, 8, 19, 67])
def test_averages_over_time_have_the_same_bits_however_sequences_lie(channels, dtype):
    """Lines along memory go some at a time (lone.h), others down columns."""
    steps = 45
    lengths = np.arange(steps, -1, -1)
    x = np.random.default_rng(channels).standard_normal((len(lengths), channels, steps)).astype(dtype)
    last, apart = np.ascontiguousarray(np.moveaxis(x, 1, -1)), np.repeat(x, 2, axis=-1)[..., ::2]
    want = numpool.avg_over_time(last, lengths, layout="NLC")
    for _ in circumstances(THREADS):
        into = np.empty((2, *want.shape), x.dtype).transpose(1, 2, 0)[..., 0]  # results apart
        for got in (
            numpool.avg_over_time(x, lengths),
            numpool.avg_over_time(apart, lengths),
            numpool.avg_over_time(last, lengths, layout="NLC"),
            numpool.avg_over_time(x, lengths, out=into),
        ):
            assert bits(got) == bits(want)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
@pytest.mark.parametrize("steps", [1, 20])
def test_samples_next_to_each_other_keep_their_lengths(steps, dtype):
    """In memory samples may be neighbours, as channels are in NLC, also in a copy alone, or share elements with the
    next channel and step."""
    lengths = np.array([0, 1, 0, 1, 1, 0, steps, 1])
    row = exact_data((7 + 4 + steps,), dtype, np.random.default_rng(0))
    shared = sliding_window_view(sliding_window_view(row, 4), steps, axis=0)[:8]
    first = np.asfortranarray(exact_data((8, 3, steps), dtype, np.random.default_rng(1)))
    every_other = np.asfortranarray(exact_data((16, 3, steps), dtype, np.random.default_rng(3)))[::2]
    for x in (shared, first, every_other, exact_data((8, 1, steps), dtype, np.random.default_rng(2))):
        for _ in circumstances((1, 3)):
            equal(numpool.max_over_time(x, lengths), family_reference.max_over_time(x, lengths))
            for result in ("float32", "float64") if dtype != "int8" else (None,):
                means = family_reference.avg_over_time(x, lengths, dtype=result)
                assert_same(numpool.avg_over_time(x, lengths, dtype=result), means, max_ulps=1)


@pytest.mark.parametrize("name", ["max_over_time", "avg_over_time"])
@pytest.mark.parametrize("lengths", [None, [2, 5]])
def test_a_wrong_out_over_time_is_told_by_its_own_shape(name, lengths):
    pool, x = getattr(numpool, name), np.ones((2, 3, 5), np.float32)
    for out in (np.empty((2, 5), np.float32), np.empty((2, 3)), np.empty((2, 3, 1), np.float32)):
        with pytest.raises(ValueError, match=r"shape \(2, 3\) and the dtype float32") as caught:
            pool(x, lengths, out=out)
        assert f"got shape {out.shape} and dtype {out.dtype}" in str(caught.value)
    with pytest.raises(ValueError, match=r"overlap an input; got an array of shape \(2, 3\)"):
        pool(x, lengths, out=x[..., 0])
    for out in ([np.empty((2, 3), np.float32)], "out", 1):
        with pytest.raises(TypeError, match="out must be a NumPy array"):
            pool(x, lengths, out=out)


@pytest.mark.parametrize("name", ["max_over_time", "avg_over_time"])
def test_lengths_are_looked_at_in_every_call(name):
    """A plan is found again whatever the lengths are, which kernels use as addresses."""
    pool, x = getattr(numpool, name), exact_data((3, 2, 5), "float32", np.random.default_rng(0))
    more = (True,) if name == "max_over_time" else ()
    for memory in (np.zeros(3, np.int64), np.zeros(6, np.int64)[::2], np.zeros(6, np.int64)[::-2]):
        for last in (5, 0, 3):
            memory[:] = 1, 4, last
            for got, want in (
                (pool(x, memory), getattr(family_reference, name)(x, memory)),
                (pool(x, memory.astype(np.uint8)), getattr(family_reference, name)(x, memory)),
            ):
                assert_same(got, want, max_ulps=1)
        out = np.full((3, 2), 7, np.float32)
        for wrong in (-1, 6, 2**63 - 1, -(2**63)):
            memory[2] = wrong
            for args in ((), more):
                with pytest.raises(ValueError, match=f"between 0 and the 5 steps; got {wrong}$"):
                    pool(x, memory, *args, out=(out, np.zeros((3, 2), np.int64)) if args else out)
        assert (out == 7).all()
    memory = np.array([[2, 0], [3, 1], [5, 2]])
    apart = np.empty((3, 2), np.float32)
    for lengths in (memory[:, 0], memory[:, 0].copy(), memory[:, 0]):
        assert pool(x, lengths, out=apart) is apart
        assert_same(apart, getattr(family_reference, name)(x, lengths), max_ulps=1)
    if more:
        with pytest.raises(ValueError, match="must not overlap an input"):
            pool(x, memory[:, 0], True, out=(apart, memory))
        assert memory.tolist() == [[2, 0], [3, 1], [5, 2]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("steps", [17, 32, 40, 96, 509, 513, 1000])
def test_averages_of_whole_lines_have_the_same_bits_in_both_layouts_and_any_memory(steps, dtype):
    x = np.random.default_rng(steps).standard_normal((2, 19, steps)).astype(dtype)
    want = numpool.avg_over_time(x)
    exact = x.astype(np.longdouble).mean(-1)
    near = np.abs(x.astype(np.longdouble)).mean(-1) * 4 * np.finfo(dtype).eps
    assert (np.abs(want - exact) <= near).all()
    last, apart = np.ascontiguousarray(np.moveaxis(x, 1, -1)), np.repeat(x, 2, axis=-1)[..., ::2]
    for level in numpool.levels():
        with numpool.use_level(level):
            for got in (
                numpool.avg_over_time(x),
                numpool.avg_over_time(apart),
                numpool.avg_over_time(last, layout="NLC"),
                numpool.avg_over_time(np.asfortranarray(last), layout="NLC"),
                numpool.avg_pool1d(x, steps)[..., 0],
                numpool.adaptive_avg_pool1d(last, 1, layout="NLC")[:, 0],
            ):
                np.testing.assert_array_equal(got, want)


# ---- Pyramid and maxout ----


def test_pyramid_features_are_in_the_order_level_channel_row_column():
    x = np.random.default_rng(0).integers(0, 99, (2, 3, 7, 9)).astype(np.float32)
    for op in ("max", "avg"):
        parts = [getattr(numpool, f"adaptive_{op}_pool2d")(x, level).reshape(2, -1) for level in (1, 3, (2, 4))]
        for layout in LAYOUTS:
            for levels in ((1, 3, (2, 4)), [1, 3, [2, 4]]):
                got = numpool.spatial_pyramid_pool2d(to_layout(x, layout), levels, op, layout=layout)
                assert_same(got, np.concatenate(parts, 1))
            one = to_layout(x, layout)[0]
            assert_same(numpool.spatial_pyramid_pool2d(one, (1, 3, (2, 4)), op, layout=layout), got[0])
            clip = to_layout(x, layout)[None]
            assert_same(numpool.spatial_pyramid_pool2d(clip, (1, 3, (2, 4)), op, layout=layout), got[None])


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -2, -4])
def test_maxout_of_any_axis(axis):
    x = np.moveaxis(exact_data((2, 5, 12, 3), "float32", np.random.default_rng(0)), 2, axis)
    for groups in (1, 2, 4, 12):
        y, i = numpool.maxout(x, groups, True, axis)
        for got, want in zip((y, i), family_reference.maxout(x, groups, True, axis)):
            assert_same(got, want)
        assert (np.take_along_axis(x, i, axis) == y).all()
        back = numpool.maxout_backward(np.ones_like(y), i, x.shape, groups, axis)
        assert_same(back, family_reference.maxout_backward(np.ones_like(y), i, x.shape, groups, axis))
    equal(numpool.maxout(np.array([[1.0, NAN, NAN, 2]]), 4, True), ([[NAN]], [[1]]))


# ---- Receptive fields ----


@pytest.mark.parametrize(
    "layers, want",
    [
        ([(3, 1, 0)], (3, 1, 0, 1)),
        ([(3, 2, 0)] * 2, (7, 4, 0, 3)),
        (RESNET50_STEM, (11, 4, 5, 0)),
        (VGG16, (212, 32, 90, 15.5)),
        ([(3, 1, 2, 2), (2, 2, 0)], (6, 2, 2, 0.5)),
        ([{"kernel_size": 3, "stride": 1, "padding": 2, "dilation": 2}, (2, 2, 0, 1)], (6, 2, 2, 0.5)),
        ([((3, 5), (1, 2), (0, 2)), (2, 2, 0)], ((4, 7), (2, 4), (0, 2), (1.5, 1))),
        ([(2, 2, 0), ((1, 1, 3), 1, 0)], ((2, 2, 6), (2, 2, 2), (0, 0, 0), (0.5, 0.5, 2.5))),
    ],
)
def test_receptive_fields(layers, want):
    got = numpool.receptive_field(layers)
    assert (got.size, got.stride, got.padding, got.start) == want
    assert want == tuple(family_reference.receptive_field(layers))


@pytest.mark.parametrize("layers", [[(3, 2, 1), (3, 2, 1), (2, 2, 0)], [(5, 1, 0), (3, 3, 0)], [(2, 2, 0)] * 3])
def test_receptive_field_is_what_moves_an_output(layers):
    field, L = numpool.receptive_field(layers), 64

    def network(x):
        for layer in layers:
            x = numpool.max_pool1d(x, *layer)
        return x

    quiet = network(np.zeros(L))
    for output in (2, 3):
        moved = [a for a in range(L) if network(np.eye(L)[a])[output] != quiet[output]]
        assert len(moved) == field.size and np.mean(moved) == field.start + output * field.stride
