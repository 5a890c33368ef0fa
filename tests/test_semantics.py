"""The contract, one named test per rule: what NaN, ties, emptiness, size, memory layout and `out=` mean.

A test here fails when its rule is broken even if every geometry of the other files still agrees with the reference.
"""

import math
import tracemalloc
from fractions import Fraction
from functools import cache, partial
from itertools import product

import numpy as np
import pytest
import reference
from cases import (
    BFLOAT16,
    CORE,
    DTYPES,
    FLOATS,
    LAYOUTS,
    STORAGES,
    assert_same,
    from_layout,
    special_data,
    to_layout,
    ulps,
)
from numpy.lib.stride_tricks import sliding_window_view

import numpool
from numpool import avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward, min_pool2d

LEVELS = numpool.levels()
EXTREMES = ("max_pool2d", "min_pool2d")
WIDTHS = range(1, 71)
ROW_WINDOWS = [{"kernel_size": (1, 3), "stride": 1, "padding": (0, 1)}, {"kernel_size": (1, 2), "stride": (1, 2)},
               {"kernel_size": (1, 3), "stride": 2, "padding": (0, 1)}, {"kernel_size": 2, "stride": 1, "padding": 1}]
SIZES = [(1, 1), (11, 11), (1, 127), (8, 16), (15, 17), (16, 16), (200, 330), (257, 256)]


def row_windows(width):
    """Arguments of windows along a row, and of the window that is the whole row."""
    narrow = [args for args in ROW_WINDOWS if width > 1 or "padding" in args]
    return [*narrow, {"kernel_size": (1, width)}]


@cache
def named_columns(name, memory, shape, args):
    """The reference's indices for float64 rows of these bytes: those of any dtype whose values compare alike."""
    rows = np.frombuffer(memory).reshape(shape)
    return getattr(reference, name)(rows[:, None], return_indices=True, **dict(args))[1]


def assert_rows(rows, names=EXTREMES, alike=None):
    """Values and indices of (planes, 1, width) rows equal the reference's, at every level, in both layouts.

    `alike`: float64 rows that compare as `rows` do, where a cast of them would not.
    """
    memory = np.asarray(rows if alike is None else alike, np.float64).tobytes()
    for args in row_windows(rows.shape[-1]):
        for name in names:
            where = named_columns(name, memory, rows.shape, tuple(args.items()))
            want = np.take_along_axis(rows, where.reshape(len(rows), 1, -1), -1).reshape(where.shape)
            pool = getattr(numpool, name)
            for level in LEVELS:
                with numpool.use_level(level):
                    for layout in LAYOUTS:
                        x = to_layout(rows[:, None], layout)
                        y, i = pool(x, return_indices=True, layout=layout, **args)
                        assert_same(from_layout(pool(x, layout=layout, **args), layout), want)
                        assert_same(from_layout(y, layout), want)
                        assert_same(from_layout(i, layout), where)


# ---- Maximum and minimum ----


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_propagates_from_every_place_of_every_row_length(dtype):
    for width in WIDTHS:
        x = np.tile(np.arange(width) % 5 - 2.0, (width, 1, 1)).astype(dtype)
        x[np.arange(width), 0, np.arange(width)] = np.nan
        assert_rows(x)


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_propagates_in_every_lane_and_stays_there(dtype, level):
    for channels in WIDTHS:
        for tap, (h, w) in enumerate(np.ndindex(2, 2)):
            x = np.ones((channels, 2, 2, channels), dtype)
            x[np.arange(channels), h, w, np.arange(channels)] = np.nan
            y, i = max_pool2d(x, 2, layout="NHWC", return_indices=True)
            poisoned = np.eye(channels, dtype=bool)[:, None, None]
            np.testing.assert_array_equal(np.isnan(y), poisoned)
            np.testing.assert_array_equal(i, np.where(poisoned, tap, 0))
            for pool in (max_pool2d, min_pool2d, avg_pool2d):
                np.testing.assert_array_equal(np.isnan(pool(x, 2, layout="NHWC")), poisoned)


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_first_of_several_nans_is_named(dtype):
    for width in WIDTHS:
        x = np.full((2, 1, width), np.inf)
        x[0, 0, width // 2:] = x[1, 0, ::2] = np.nan
        assert_rows(x.astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_of_either_sign_and_any_payload_propagates(dtype, level):
    size = np.dtype(dtype).itemsize
    inf = int(np.array(np.inf, dtype).view(f"u{size}"))
    for nan in (inf + 1, 2 * inf - 1 & ~(1 << 8 * size - 1) | inf, inf | 1 << 8 * size - 1 | 1, (1 << 8 * size) - 1):
        x = np.ones((1, 1, 4, 40), dtype)
        x.view(f"u{size}")[0, 0, 1, 17] = nan
        for pool in (max_pool2d, min_pool2d, avg_pool2d):
            with np.errstate(invalid="ignore"):  # NumPy's own casts warn of a signalling NaN
                assert np.argwhere(np.isnan(pool(x, 2))).tolist() == [[0, 0, 0, 8]]
        assert max_pool2d(x, 4, return_indices=True)[1][0, 0, 0, 4] == 57


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_window_full_of_the_worst_value_names_its_first_valid_tap(dtype, name):
    worst = reference.limits(np.dtype(dtype) if dtype != "bfloat16" else BFLOAT16)[EXTREMES.index(name)]
    for width in WIDTHS:
        assert_rows(np.full((2, 1, width), worst, dtype), [name], alike=np.zeros((2, 1, width)))


@pytest.mark.parametrize("index, none", [("plane", -1), ("tensor", -1), ("nhwc", -1), ("window", 255)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_window_with_no_valid_tap_has_the_worst_value_and_no_index(dtype, layout, index, none, level):
    x = to_layout(np.ones((1, 3, 2, 2), dtype), layout)
    for name, worst in zip(EXTREMES, reference.limits(x.dtype)):
        y, i = getattr(numpool, name)(x, 2, 1, 3, layout=layout, index=index, return_indices=True)
        empty = np.ones((7, 7), bool)
        empty[2:5, 2:5] = False
        assert (from_layout(y, layout)[..., empty] == np.array(worst, dtype)).all()
        assert (from_layout(i, layout)[..., empty] == none).all()
        assert (from_layout(i, layout)[..., ~empty] != none).all()
        assert (from_layout(y, layout)[..., ~empty] == np.array(1, dtype)).all()


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_ties_go_to_the_first_tap_in_row_major_order(dtype, name):
    x = np.random.default_rng(0).integers(0, 2, (2, 3, 15, 37)).astype(dtype)
    for k, s, p in [(2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2), (13, 1, 6), (4, 3, 2)]:
        want = getattr(reference, name)(x, k, s, p, return_indices=True)[1]
        for level in LEVELS:
            with numpool.use_level(level):
                for layout in LAYOUTS:
                    got = getattr(numpool, name)(to_layout(x, layout), k, s, p, return_indices=True, layout=layout)[1]
                    assert_same(from_layout(got, layout), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_zeros_of_both_signs_are_equal(dtype):
    for width in WIDTHS:
        zeros = np.zeros((2, 1, width))
        zeros[0, 0, ::2] = zeros[1, 0, 1::2] = -0.0
        assert_rows(zeros.astype(dtype))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_zero_is_positive(dtype, layout, level):
    for shape in ((2, 3, 9, 35), (1, 40, 6, 6), (1, 2, 70, 3)):
        zeros = np.copysign(0.0, np.random.default_rng(0).standard_normal(shape)).astype(dtype)
        for window in (1, 2, (2, 1, 1), (3, 2, 1), (5, 1, 2), (6, 1, 3), shape[2:], (1, shape[3]), (shape[2], 1)):
            args = window if isinstance(window, tuple) and len(window) == 3 else (window,)
            for x in (to_layout(zeros, layout), np.asfortranarray(to_layout(zeros, layout))):
                for pool in (max_pool2d, min_pool2d):
                    y = pool(x, *args, layout=layout)
                    for result in (y, pool(x, *args, return_indices=True, layout=layout)[0]):
                        assert not np.signbit(result.astype(np.float64)).any()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "float32"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_planes_of_any_size_in_any_dtype(size, dtype, level):
    x = np.zeros((2, 3, *size), dtype)
    x[..., -1, -1] = 1
    last = size[0] * size[1] - 1
    for layout in LAYOUTS:
        for k in (size, (size[0], 1)):
            y, i = max_pool2d(to_layout(x, layout), k, layout=layout, return_indices=True)
            assert (from_layout(y, layout)[..., -1] == 1).all()
            assert (from_layout(i, layout)[..., -1] == last).all()
            back = max_pool2d_backward(np.ones(i.shape, np.float32), i, to_layout(x, layout).shape, k, layout=layout)
            assert (from_layout(back, layout)[..., -1, -1] == 1).all()


# ---- Average ----


@pytest.mark.parametrize("dtype, include_pad, want", [
    ("float32", False, np.nan), ("float64", False, np.nan), ("int8", False, np.nan), ("float32", True, 0),
])
def test_average_of_a_window_with_no_valid_tap(dtype, include_pad, want, level):
    x = np.ones((1, 3, 2, 2), dtype)
    for layout in LAYOUTS:
        y = avg_pool2d(to_layout(x, layout), 1, 1, 1, False, include_pad, layout=layout)
        np.testing.assert_array_equal(from_layout(y, layout)[0, :, 0], np.full((3, 4), want))
        assert (from_layout(y, layout)[0, :, 1, 1:3] == 1).all()


def test_integer_average_of_a_window_with_no_valid_tap_is_zero():
    y = avg_pool2d(np.ones((1, 1, 2, 2), np.int8), 1, 1, 1, False, False, dtype="int8")
    assert y.tolist() == [[[[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]]]


def test_divisor_counts_padding_but_not_what_ceil_mode_adds():
    x = np.full((1, 1, 1, 4), 12.0)
    pad = ((0, 0), (1, 1))
    assert avg_pool2d(x, (1, 4), (1, 3), pad, True).ravel().tolist() == [9, 8]  # 36/4, 24/3: one of the two is padding
    assert avg_pool2d(x, (1, 4), (1, 3), pad, True, False).ravel().tolist() == [12, 12]
    assert avg_pool2d(x, (1, 4), (1, 3), pad, True, False, 2).ravel().tolist() == [18, 12]
    assert avg_pool2d(x, (1, 4), (1, 3), pad, True, True, -2).ravel().tolist() == [-18, -12]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 2), (2, 2), (3, 5), (64, 64)], ids=str)
@pytest.mark.parametrize("dtype, value", [
    ("int64", 2**62), ("int64", 2**62 + 1), ("int64", 2**63 - 1), ("int64", -(2**63)), ("uint64", 2**64 - 1),
    ("uint64", 2**63 + 1), ("int32", 2**31 - 1), ("int32", -(2**31)), ("uint32", 2**32 - 1), ("int8", -128),
    ("uint8", 255),
])
def test_averages_of_large_integers_never_wrap(dtype, value, size, layout, level):
    x = to_layout(np.full((1, 3, *size), value, dtype), layout)
    assert (avg_pool2d(x, size, layout=layout) == float(value)).all()
    assert_same(avg_pool2d(x, size, layout=layout, dtype=dtype).ravel(), np.full(3, value, dtype))


@pytest.mark.parametrize("base", [0, 4, -4, 2**62, -(2**62)])
def test_integer_results_round_half_to_even_of_the_exact_quotient(base, level):
    taps = np.array([[0, 1], [1, 2], [-1, 0], [-2, -1], [2, 3], [-3, -2]]) + base
    want = np.array([0, 2, 0, -2, 2, -2]) + base
    for layout in LAYOUTS:
        x = to_layout(taps[None, :, None, :], layout)
        assert_same(avg_pool2d(x, (1, 2), layout=layout, dtype="int64").ravel(), want)


@pytest.mark.parametrize("by", [2, 3, 6, 7])
def test_averages_of_integers_are_exact_where_sums_outgrow_doubles(by, level):
    sums = [sign * 2**bits + d for bits in (49, 50, 51, 53, 61) for sign in (-1, 1) for d in range(-by, by + 1)]
    x = np.array([[s // by + (i < s % by) for i in range(by)] for s in sums])
    for some in (slice(None), *(slice(i, i + 2 * by + 1) for i in range(0, len(sums), 2 * by + 1))):
        for layout in LAYOUTS:
            planes = to_layout(x[some][None, :, None, :], layout)
            assert_same(avg_pool2d(planes, (1, by), layout=layout).ravel(), np.array([s / by for s in sums[some]]))
            whole = np.array([round(Fraction(s, by)) for s in sums[some]])
            assert_same(avg_pool2d(planes, (1, by), layout=layout, dtype="int64").ravel(), whole)


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name not in (*FLOATS, "bool", "int64", "uint64")])
def test_integer_means_are_exact_in_every_stage(dtype):
    rng, ends = np.random.default_rng(0), np.iinfo(dtype)
    few = rng.integers(0, 3, (2, 17, 50, 61)).astype(dtype)  # many quotients are halves
    for x in (few, rng.integers(ends.min, ends.max, few.shape, dtype, True), np.full_like(few, ends.max)):
        for k, s, p in [(2, 2, 0), (2, 1, 1), (3, 1, 1), (3, 2, 1), (6, 1, 0), (4, 2, 1),
                        ((1, 6), 3, 0), (14, 1, 2), ((40, 42), 1, 0)]:  # fmt: skip
            for padded in (True, False):
                rows, cols = reference.pair(k)
                h, w = (range(0, n + 2 * p - m + 1, reference.pair(s)[0]) for n, m in zip(x.shape[2:], (rows, cols)))
                area = [np.pad(a.astype(np.int64), ((0, 0), (0, 0), (p, p), (p, p))) for a in (x, np.ones_like(x))]
                sums, count = (sliding_window_view(a, (rows, cols), (2, 3)).sum((4, 5)) for a in area)
                by = rows * cols if padded else np.maximum(count, 1)
                whole, rest = np.divmod(sums, by)
                want = whole + ((2 * rest > by) | ((2 * rest == by) & (whole % 2 == 1)))
                want = want[..., h.start::h.step, w.start::w.step].astype(dtype)
                for level, layout in product(LEVELS, LAYOUTS):
                    with numpool.use_level(level):
                        y = avg_pool2d(to_layout(x, layout), k, s, p, False, padded, layout=layout, dtype=dtype)
                    assert_same(from_layout(y, layout), want)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_means_of_bytes_are_exact_beside_every_half_for_every_divisor(dtype, level):
    ends = np.iinfo(dtype)
    sides = [(d, h, w) for d, h, w in product(range(1, 9), repeat=3) if d * h * w <= 128]
    for by in range(1, 129):
        window = max((side for side in sides if math.prod(side) <= by), key=math.prod)
        taps = math.prod(window)
        sums = np.add.outer(np.arange(ends.min, ends.max + 1) * by + by // 2, [-1, 0, 1]).ravel()
        sums = sums[(ends.min * taps <= sums) & (sums <= ends.max * taps)]
        x = (sums[:, None] // taps + (np.arange(taps) < sums[:, None] % taps)).astype(dtype).reshape(-1, *window)
        for layout, planes in (("NCDHW", x[:, None]), ("NDHWC", np.moveaxis(x, 0, -1).copy()[None])):
            y = numpool.avg_pool3d(planes, window, divisor_override=by, dtype=dtype, layout=layout)
            assert_same(y.ravel(), np.rint(sums / by).astype(dtype))


@pytest.mark.parametrize(
    "dtype, window",
    [("uint8", (150, 120)), ("int8", (220, 150)), ("uint8", (201, 201)), ("uint16", (9, 12)), ("int16", (101, 102)),
     ("uint16", (128, 256)), ("int16", (129, 255))],
)  # fmt: skip
def test_means_of_many_integers_are_exact_beside_every_half(dtype, window, level):
    ends, taps = np.iinfo(dtype), math.prod(window)
    whole = np.unique(np.linspace(ends.min, ends.max - 3, 8, dtype=int) // 2 * 2 + [[0], [1]])  # even and odd ones
    sums = np.add.outer(whole * taps + taps // 2, [-1, 0, 1]).ravel()
    sums = np.concatenate([sums, [ends.min * taps, ends.max * taps]])
    x = (sums[:, None] // taps + (np.arange(taps) < sums[:, None] % taps)).astype(dtype).reshape(1, -1, *window)
    quotient, rest = np.divmod(sums, taps)
    want = quotient + ((2 * rest > taps) | ((2 * rest == taps) & (quotient % 2 == 1)))
    for layout in LAYOUTS:
        y = avg_pool2d(to_layout(x, layout), window, layout=layout, dtype=dtype)
        assert_same(y.ravel(), want.astype(dtype))


def test_sums_of_millions_of_bytes_do_not_wrap(level):
    x = np.full((1, 1, 2048, 4113), 255, np.uint8)
    for width in (4096, 4097, 4113):  # the most that are summed in 32 bits; one column more; 2**31 and more
        assert (avg_pool2d(x, (2048, width), 1, dtype="uint8") == 255).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16"])
def test_sums_roll_across_pixels_of_any_length(dtype, level):
    rng, ends = np.random.default_rng(0), np.iinfo(dtype)
    for channels in range(1, 34):
        x = rng.integers(ends.min, ends.max, (1, channels, 4, 45), dtype, True)
        for cols, stride in [(9, 1), (12, 1), (31, 1), (14, 2)]:
            sums = sliding_window_view(x.astype(np.int64), (2, cols), (2, 3)).sum((4, 5))[..., ::stride]
            for layout in LAYOUTS:
                y = avg_pool2d(to_layout(x, layout), (2, cols), (1, stride), layout=layout)
                assert_same(from_layout(y, layout), sums / (2 * cols))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_results_are_rounded_from_float32_whatever_their_bits(dtype, level):
    x = np.random.default_rng(0).integers(0, 2**16, (1, 17, 64, 70), np.uint16).view(dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        wide = x.astype(np.float32)
        pairs = wide[..., ::2, :] + wide[..., 1::2, :]
        want = ((pairs[..., ::2] + pairs[..., 1::2]) / 4).astype(dtype)
    for layout in LAYOUTS:
        assert_same(from_layout(avg_pool2d(to_layout(x, layout), 2, layout=layout), layout), want)
        for rest in (1, 5):  # rows shorter than a vector, and a tail
            y = avg_pool2d(to_layout(x[..., :2 * rest], layout), 2, layout=layout)
            assert_same(from_layout(y, layout), want[..., :rest])


def test_integer_results_saturate(level):
    x = np.full((1, 1, 2, 2), 200)
    assert avg_pool2d(x, 2, dtype="int8").item() == 127
    assert avg_pool2d(-x, 2, dtype="uint8").item() == 0
    assert avg_pool2d(x, 2, divisor_override=-1, dtype="int8").item() == -128
    assert avg_pool2d(np.full((1, 1, 2, 2), 2**62), 2, divisor_override=1, dtype="int64").item() == 2**63 - 1
    assert avg_pool2d(np.full((1, 1, 2, 2), -(2**62)), 2, divisor_override=1, dtype="int64").item() == -(2**63)
    assert avg_pool2d(np.full((1, 1, 1, 1), -(2**63)), 1, divisor_override=-1, dtype="int64").item() == 2**63 - 1
    x = np.full((1, 5, 6, 7, 8), 255, np.uint8)
    for layout, divisor in product(("NCDHW", "NDHWC"), (1, 4, 7)):
        assert (numpool.avg_pool3d(x, 2, 1, divisor_override=divisor, dtype="uint8", layout=layout) == 255).all()


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name not in FLOATS])
def test_integers_and_bool_average_to_float64_as_mean_does(dtype, level):
    x = np.random.default_rng(0).integers(0, 2 if dtype == "bool" else 100, (2, 3, 4, 5)).astype(dtype)
    assert_same(avg_pool2d(x, (4, 5)), x.mean((2, 3), keepdims=True))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layout, channels", [("NCHW", 1), ("NHWC", 1), ("NHWC", 3)])
def test_average_of_four_million_tenths(layout, channels, dtype, level):
    x = np.full((1, 2048, 2048, channels), 0.1, dtype)
    x = x if layout == "NHWC" else x.reshape(1, channels, 2048, 2048)
    y = avg_pool2d(x, 2048, layout=layout)
    assert y.dtype == x.dtype and y.size == channels
    assert (ulps(y, np.full_like(y, 0.1)) <= 4).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_windows_are_accurate_on_any_data_of_one_sign(dtype, level):
    x = np.random.default_rng(0).random((1000, 1000)).astype(dtype) ** 8
    want = np.array([[math.fsum(x.ravel().tolist()) / x.size]]).astype(dtype)
    assert (ulps(avg_pool2d(x, 1000), want) <= 4).all()
    assert (ulps(avg_pool2d(x[..., None], 1000, layout="NHWC")[..., 0], want) <= 4).all()
    tenths = np.full((1, 2, 400, 500), -0.1, dtype)
    for layout in LAYOUTS:
        y = avg_pool2d(to_layout(tenths, layout), 301, 70, 150, count_include_pad=False, layout=layout)
        assert (ulps(y, np.full_like(y, -0.1)) <= 4).all()


@pytest.mark.parametrize("k", [9, 16, 17, 33, 101, 201])
@pytest.mark.parametrize("dtype", FLOATS)
def test_wide_windows_are_accurate_wherever_they_stand(dtype, k, level):
    most = 2.0 ** (15 if dtype == "float16" else 46)  # whole numbers, so that int64 holds the true sums
    x = (np.random.default_rng(0).random((2, 210, 230)) ** 8 * most + 1).astype(np.int64).astype(dtype)
    sums = np.pad(x.astype(np.int64), ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    for kernel, stride in ((k, 1), ((1, k), 1), ((k, 1), 1), (k, 2)):
        rows, cols = reference.pair(kernel)
        tall = sums[:, rows:] - sums[:, :-rows]
        want = ((tall[..., cols:] - tall[..., :-cols]) / (rows * cols))[:, ::stride, ::stride].astype(dtype)
        for layout in LAYOUTS:
            y = avg_pool2d(to_layout(x[None], layout), kernel, stride, layout=layout)
            assert (ulps(from_layout(y, layout)[0], want) <= 4).all()


def test_half_types_are_summed_wider_and_rounded_once(level):
    assert avg_pool2d(np.full((1, 1, 64, 64), 65504, np.float16), 64).item() == 65504
    assert float(avg_pool2d(np.ones((1, 1, 1, 513), BFLOAT16), (1, 513)).item()) == 1
    x = np.ones((1, 1, 1, 9), BFLOAT16)
    x[0, 0, 0, 0] = 256  # 264 needs the eight ones added before rounding
    assert float(avg_pool2d(x, (1, 9), divisor_override=1).item()) == 264


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("guest", [np.nan, np.inf, -np.inf, 1e20], ids=str)
def test_what_a_window_does_not_hold_leaves_no_trace(guest, dtype, layout, level):
    if dtype == "float16" and guest == 1e20:
        guest = 2.0**15
    for k, s, p in [(2, 2, 0), (3, 1, 1), (3, 2, 1), (5, 1, 2), (9, 1, 4), (13, 1, 6), (24, 2, 11), (31, 1, 0)]:
        x = np.ones((1, 2, 40, 70), dtype)
        x[0, 1, 13, 20] = guest
        held = max_pool2d((x != 1).astype(np.uint8), k, s, p).astype(bool)
        y = from_layout(avg_pool2d(to_layout(x, layout), k, s, p, count_include_pad=False, layout=layout), layout)
        assert (y[~held] == 1).all() and held.any()
        if not math.isfinite(guest):
            np.testing.assert_array_equal(y[held].astype(float), guest)


# ---- Sizes ----


@pytest.mark.parametrize("args", [
    {"kernel_size": 3}, {"kernel_size": (1, 5)}, {"kernel_size": 2, "dilation": 3}, {"kernel_size": 7, "padding": 1},
])
def test_an_output_below_one_is_an_error_that_shows_the_numbers(args):
    with pytest.raises(ValueError) as error:
        max_pool2d(np.zeros((1, 1, 2, 4)), **args)
    k = args["kernel_size"]
    assert str(k if isinstance(k, int) else max(k)) in str(error.value)
    assert "2" in str(error.value) or "4" in str(error.value)


@pytest.mark.parametrize("shape, layout", [
    ((1, 1, 0, 4), "NCHW"), ((1, 1, 4, 0), "NCHW"), ((0, 1, 0, 4), "NCHW"), ((1, 0, 4, 1), "NHWC"),
    ((1, 4, 0, 1), "NHWC"),
])
def test_a_spatial_size_of_zero_is_an_error(shape, layout):
    for pool in (max_pool2d, min_pool2d, avg_pool2d):
        with pytest.raises(ValueError):
            pool(np.zeros(shape), 1, padding=1, layout=layout)


@pytest.mark.parametrize("shape, layout", [((0, 3, 4, 6), "NCHW"), ((2, 0, 4, 6), "NCHW"), ((0, 4, 6, 3), "NHWC"),
                                           ((2, 4, 6, 0), "NHWC"), ((0, 0, 2, 4, 6), "NCHW"), ((4, 6, 0), "NHWC")])
def test_no_samples_or_no_channels_give_an_empty_result(shape, layout):
    x = np.zeros(shape, np.float32)
    want, where = reference.max_pool2d(x, 2, return_indices=True, layout=layout)
    for pool in (max_pool2d, min_pool2d):
        assert_same(pool(x, 2, layout=layout), want)
        assert_same(pool(x, 2, return_indices=True, layout=layout)[1], where)
    assert_same(avg_pool2d(x, 2, layout=layout), want)
    assert_same(max_pool2d_backward(want, where, shape, 2, layout=layout), x)
    assert_same(avg_pool2d_backward(want, shape, 2, layout=layout), x)


def peak_memory(function):
    """Bytes that NumPy and Python held at most, beyond what they held before."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_plane_of_2_to_the_32_pixels_has_64_bit_indices():
    row = np.zeros(2**16, np.uint8)
    row[-1] = 9
    x = np.broadcast_to(row, (2**16, 2**16))  # one row of memory

    def pool():
        y, i = max_pool2d(x, 1, 2**16 - 1, return_indices=True)
        assert y.tolist() == [[0, 9], [0, 9]]
        assert i.tolist() == [[0, 2**16 - 1], [2**32 - 2**16, 2**32 - 1]]
        assert avg_pool2d(x, 1, 2**16 - 1).tolist() == [[0, 9], [0, 9]]

    assert peak_memory(pool) < 2**24


def test_a_tensor_of_more_than_2_to_the_32_elements_has_64_bit_indices():
    huge = np.broadcast_to(np.arange(4, dtype=np.uint8), (3, 2**29, 4))  # one row of memory

    def pool():
        y, i = max_pool2d(huge, (1, 4), (2**29 - 1, 4), return_indices=True, index="tensor")
        assert y.ravel().tolist() == [3] * 6
        assert i.ravel().tolist() == [n * 2**31 + h * 4 + 3 for n in range(3) for h in (0, 2**29 - 1)]

    assert peak_memory(pool) < 2**24


@pytest.mark.parametrize("layout", LAYOUTS)
def test_stride_padding_and_kernel_of_2_to_the_31(layout):
    x = to_layout(np.arange(1, 17, dtype=np.float32).reshape(1, 1, 4, 4), layout)
    big = 2**31
    assert max_pool2d(x, 1, 2**62, layout=layout).ravel().tolist() == [1]
    y, i = max_pool2d(x, 2, big, big, return_indices=True, layout=layout)
    inf = -np.inf
    assert y.ravel().tolist() == [inf, inf, inf, inf, 6, inf, inf, inf, inf]
    assert i.ravel().tolist() == [-1, -1, -1, -1, 5, -1, -1, -1, -1]
    assert max_pool2d(x, big, big, big, layout=layout).ravel().tolist() == [inf, inf, inf, 16]
    y, i = max_pool2d(x, (1, 2**31 - 1), big, (0, 2**30), return_indices=True, layout=layout)
    assert (y.ravel().tolist(), i.ravel().tolist()) == ([4], [3])
    with pytest.raises(ValueError, match=r"fewer than 2\*\*31 taps"):  # their numbers would not fit
        max_pool2d(x, big, big, big, return_indices=True, layout=layout)
    y = avg_pool2d(x, big, big, big, layout=layout)
    assert y.ravel().tolist() == [0, 0, 0, 136 / 2**62]
    assert avg_pool2d(x, big, big, big, False, False, layout=layout).ravel()[3] == 8.5
    assert max_pool2d(x, 2, big, big, big, layout=layout).ravel().tolist() == [1, 1, 1, 1]


# ---- Arrays ----


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("lead", [(), (2,), (2, 3), (2, 3, 2), (1, 2, 1, 2)], ids=str)
def test_leading_axes_are_free(lead, layout):
    rng = np.random.default_rng(0)
    shape = (*lead, 6, 7) if layout == "NCHW" else (*lead, 6, 7, 3)
    x = rng.integers(-9, 9, shape).astype(np.float32)
    g = None
    for index in ("plane", "window", "tensor", "nhwc"):
        args = {"kernel_size": 3, "stride": 2, "padding": 1, "layout": layout, "index": index}
        want = reference.max_pool2d(x, return_indices=True, **args)
        for got, right in zip(max_pool2d(x, return_indices=True, **args), want):
            assert_same(got, right)
        g = np.ones_like(want[0])
        back = max_pool2d_backward(g, want[1], shape, **args)
        assert_same(back, reference.max_pool2d_backward(g, want[1], shape, **args))
    y = avg_pool2d(x, 2, layout=layout)
    assert_same(y, reference.avg_pool2d(x, 2, layout=layout))
    back = avg_pool2d_backward(y, shape, 2, layout=layout)
    assert_same(back, reference.avg_pool2d_backward(y, shape, 2, layout=layout))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "uint8", "float64", "float16"])
@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage_of_an_array_pools_alike(storage, dtype, layout):
    rng = np.random.default_rng(0)
    for shape in ((2, 3, 9, 10), (3, 8, 17, 5), (2, 33, 34, 3)):
        for data in (special_data(shape, dtype, rng), np.zeros(shape, dtype)):
            x = STORAGES[storage](data)
            before = x.copy()
            for k, s, p in [(2, 2, 0), (3, 2, 1), (3, 1, 1)]:
                want = reference.max_pool2d(data, k, s, p, return_indices=True, layout=layout)
                for got, right in zip(max_pool2d(x, k, s, p, return_indices=True, layout=layout), want):
                    assert_same(got, right)
                assert_same(max_pool2d(x, k, s, p, layout=layout), want[0])
            assert_same(avg_pool2d(x, 2, 2, layout=layout), avg_pool2d(data, 2, 2, layout=layout))
            assert_same(x, before)  # the input is only read


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (3,), (0, 1), (2, 3), (0, 1, 2, 3)], ids=str)
def test_zero_strides_are_read_where_they_lie(axes, layout):
    shape = (3, 6, 7, 8)
    small = special_data([1 if a in axes else n for a, n in enumerate(shape)], "float32", np.random.default_rng(0))
    x = np.broadcast_to(small, shape)
    for got, want in zip(max_pool2d(x, 3, 2, 1, return_indices=True, layout=layout),
                         reference.max_pool2d(x, 3, 2, 1, return_indices=True, layout=layout)):
        assert_same(got, want)
    assert_same(avg_pool2d(x, 2, layout=layout), reference.avg_pool2d(x, 2, layout=layout))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["crop", "every other sample", "every other row", "rows reversed", "other layout",
                                  "one row for all"])
def test_a_view_whose_rows_are_contiguous_is_not_copied(name, layout):
    height = 1 if layout == "NHWC" else 2
    x = np.zeros((4, 256, 256, 8) if layout == "NHWC" else (4, 8, 256, 256), np.float32)  # 8 MiB
    rows = (slice(None),) * height
    view = {
        "crop": lambda: x[(*rows, slice(3, -3), slice(5, -5))],
        "every other sample": lambda: x[::2],
        "every other row": lambda: x[(*rows, slice(None, None, 2))],
        "rows reversed": lambda: x[(*rows, slice(None, None, -1))],
        "other layout": lambda: np.moveaxis(x.reshape(4, 8, 256, 256), 1, -1) if layout == "NHWC" else (
            np.moveaxis(x.reshape(4, 256, 256, 8), -1, 1)),
        "one row for all": lambda: np.broadcast_to(x[(*rows, slice(1))], x.shape),
    }[name]()
    for pool in (max_pool2d, avg_pool2d):
        assert peak_memory(partial(pool, view, 16, layout=layout)) < view.size  # bytes: a quarter of a copy


@pytest.mark.parametrize("layout, axes", [("NCHW", (0, 3, 1, 2)), ("NHWC", (0, 2, 3, 1))])
def test_a_view_in_the_other_layout_keeps_its_memory_order(layout, axes):
    x = np.random.default_rng(0).integers(0, 99, (2, 8, 9, 10)).astype(np.float32).transpose(axes)
    y, i = max_pool2d(x, 2, layout=layout, return_indices=True)
    for a in (y, i, avg_pool2d(x, 2, layout=layout), max_pool2d(x, 2, layout=layout)):
        assert a.transpose(np.argsort(axes)).flags.c_contiguous
    for got, want in zip((y, i), reference.max_pool2d(x, 2, layout=layout, return_indices=True)):
        assert_same(got, want)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("pool", (max_pool2d, min_pool2d, avg_pool2d))
def test_planes_with_height_and_width_swapped_in_memory_are_read_where_they_lie(pool, layout):
    h, w = (2, 3) if layout == "NCHW" else (1, 2)
    rng = np.random.default_rng(0)
    for shape in ((2, 5, 9, 31), (1, 3, 20, 1), (3, 4, 1, 17)):
        x = rng.integers(-99, 99, shape if layout == "NCHW" else np.take(shape, (0, 2, 3, 1))).astype(np.float32)
        swapped = np.ascontiguousarray(x.swapaxes(h, w)).swapaxes(h, w)
        for args in (((3, 2), (2, 1), ((1, 2), (1, 1))), (2, 2, 1), ((1, 5), 1, "same")):
            want = pool(x, *args, layout=layout)
            assert_same(pool(swapped, *args, layout=layout), want)
            assert_same(pool(swapped[..., ::-1, :], *args, layout=layout), pool(x[..., ::-1, :], *args, layout=layout))
            out = np.empty_like(want)
            assert pool(swapped, *args, layout=layout, out=out) is out
            assert_same(out, want)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("storage", STORAGES)
def test_out_of_any_strides_is_filled_and_returned(storage, layout):
    case = CORE[1]
    x = to_layout(special_data(case.shape, "float32", np.random.default_rng(0)), layout)
    args = case.max_args | {"layout": layout}
    want, where = reference.max_pool2d(x, return_indices=True, **args)
    out, out_index = STORAGES[storage](np.full_like(want, 7)), STORAGES[storage](np.full_like(where, 7))
    assert max_pool2d(x, out=out, **args) is out
    assert_same(out, want)
    out[...] = 7
    got = max_pool2d(x, return_indices=True, out=(out, out_index), **args)
    assert got[0] is out and got[1] is out_index
    assert_same(out, want)
    assert_same(out_index, where)
    args = case.avg_args | {"layout": layout, "divisor_override": 4}
    assert avg_pool2d(x, out=out, **args) is out
    assert_same(out, reference.avg_pool2d(x, **args))


def test_out_in_a_file_is_filled_and_returned(tmp_path):
    x = special_data((2, 3, 8, 8), "float32", np.random.default_rng(0))
    want = reference.max_pool2d(x, 2)
    whole = np.memmap(tmp_path / "out", np.float32, "w+", shape=(2, 3, 4, 8))
    for out in (whole[..., :4], whole[..., ::2], whole[0].reshape(want.shape)) * 2:
        out[...] = 7
        assert max_pool2d(x, 2, out=out) is out
        assert_same(out, want)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_out_writes_nothing_around_it(layout):
    frame = np.full((4, 6, 7, 8), 7, np.float32)
    inside = frame[1:-1, 1:-2, 2:-1, 3:-1]
    x = np.zeros((2, 3, 8, 8) if layout == "NCHW" else (2, 6, 8, 4), np.float32)
    assert max_pool2d(x, 2, layout=layout).shape == (inside.shape)
    max_pool2d(x, 2, layout=layout, out=inside)
    assert (inside == 0).all() and (frame == 7).sum() == frame.size - inside.size


def test_out_must_have_the_result_s_shape_and_dtype():
    x = np.zeros((1, 1, 4, 4), np.float32)
    for out in (np.zeros((1, 1, 2, 3), np.float32), np.zeros((2, 2), np.float32), np.zeros((1, 1, 2, 2)),
                np.zeros((1, 1, 2, 2), np.int32)):
        for pool in (max_pool2d, avg_pool2d):
            with pytest.raises((TypeError, ValueError)):
                pool(x, 2, out=out)
            assert not out.any()


def test_a_tuple_of_one_is_for_all_axes():
    x = np.arange(24.0).reshape(4, 6)
    assert (max_pool2d(x, (2,), [1], (1,), (2,)) == max_pool2d(x, 2, 1, 1, 2)).all()
    assert (avg_pool2d(x, [3], padding=[1]) == avg_pool2d(x, 3, padding=1)).all()
    assert (numpool.max_pool3d(x[None], (1,), (2,)) == x[None, ::2, ::2]).all()


def test_out_whose_elements_overlap_is_an_error():
    x, memory = np.arange(24.0).reshape(4, 6), np.zeros(40)
    for strides in ((8, 8), (16, 16), (8, 0), (-8, 8), (4, 16)):
        out = np.lib.stride_tricks.as_strided(memory[20:], (2, 3), strides)
        with pytest.raises(ValueError, match="memory of its own"):
            max_pool2d(x, 2, out=out)
        assert not memory.any()
    out = np.lib.stride_tricks.as_strided(memory, (2, 3), (24, 16))  # rows that interleave, each element by itself
    assert max_pool2d(x, 2, out=out) is out and out.tolist() == [[7, 9, 11], [19, 21, 23]]


def test_out_that_overlaps_the_input_is_an_error():
    memory = np.arange(32, dtype=np.float32)
    x, kept = memory[:16].reshape(1, 1, 4, 4), memory.copy()
    for out in (memory[12:16], memory[13:17], memory[0:8:2]):
        for pool in (max_pool2d, min_pool2d, avg_pool2d):
            with pytest.raises(ValueError):
                pool(x, 2, out=out.reshape(1, 1, 2, 2))
    np.testing.assert_array_equal(memory, kept)
    assert max_pool2d(x, 2, out=memory[16:20].reshape(1, 1, 2, 2)).ravel().tolist() == [5, 7, 13, 15]


@pytest.mark.parametrize("dtype", [name for name in DTYPES if name != "bfloat16"])  # which has no swapped form
def test_byte_swapped_arrays_are_converted(dtype):
    x = special_data((2, 3, 6, 6), dtype, np.random.default_rng(0))
    swapped = x.astype(x.dtype.newbyteorder("S"))
    assert_same(max_pool2d(swapped, 2), reference.max_pool2d(x, 2))
    assert_same(avg_pool2d(swapped, 2), avg_pool2d(x, 2))
    assert max_pool2d(swapped, 2).dtype.isnative


class Arraylike:
    def __array__(self, dtype=None, copy=None):
        return np.array([[1, 2], [3, 4]], dtype)


@pytest.mark.parametrize("x", [[[1, 2], [3, 4]], ((1, 2), (3, 4)), Arraylike(), memoryview(np.array([[1, 2], [3, 4]]))],
                         ids=lambda x: type(x).__name__)
def test_anything_asarray_takes_is_taken(x):
    assert_same(max_pool2d(x, 2), np.array([[4]]))
    assert_same(avg_pool2d(x, 2), np.array([[2.5]]))


def test_read_only_input_is_fine():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    x.flags.writeable = False
    y, i = max_pool2d(x, 2, return_indices=True)
    assert y.ravel().tolist() == [5, 7, 13, 15] and y.flags.writeable
    y.flags.writeable = i.flags.writeable = False
    assert max_pool2d_backward(y, i, x.shape, 2).sum() == 40
    assert avg_pool2d_backward(y, x.shape, 2).sum() == 40


@pytest.mark.parametrize("x", [
    np.zeros((4, 4), complex), np.zeros((4, 4), object), np.zeros((4, 4), "U3"), np.zeros((4, 4), "S3"),
    np.zeros((4, 4), "M8[s]"), np.zeros((4, 4), "m8[s]"), np.zeros((4, 4), np.longdouble), np.zeros((4, 4), "V2"),
    np.zeros((4, 4), [("a", "f4")]),
], ids=lambda x: str(x.dtype))
def test_other_dtypes_are_refused_naming_what_is_accepted(x):
    for pool in (max_pool2d, min_pool2d, avg_pool2d):
        with pytest.raises(TypeError, match="float32"):
            pool(x, 2)
