"""The oracle against arithmetic done by hand, one rule a test; its three backward passes against finite differences."""

import numpy as np
import pytest
import reference
from cases import AVG_CASES, BFLOAT16, CORE, DILATED
from reference import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    min_pool2d,
    output_size,
    plane_differences,
)

NAN, INF = np.nan, np.inf
GRID = np.arange(16.0).reshape(4, 4)  # rows 0-3, 4-7, 8-11, 12-15


def same(got, want):
    np.testing.assert_array_equal(np.asarray(got), np.array(want))


@pytest.mark.parametrize("size, want", [
    ((7, 3, 2, 0, 0, 1, False), 3),
    ((8, 3, 2, 0, 0, 1, False), 3),
    ((8, 3, 2, 0, 0, 1, True), 4),
    ((5, 2, 2, 1, 1, 1, False), 3),
    ((5, 2, 2, 1, 1, 1, True), 3),  # 4 by the formula; the fourth would start at 5, in the padding
    ((1, 1, 2, 0, 1, 1, True), 1),  # 2 by the formula; the second would start at 2
    ((4, 2, 3, 0, 1, 1, True), 2),  # starts 0 and 3: 3 is still a pixel
    ((10, 3, 1, 0, 0, 4, False), 2),  # extent 9
    ((4, 3, 1, 0, 0, 2, False), 0),  # extent 5 > 4
    ((4, 2, 9, 0, 0, 1, False), 1),
    ((2**40, 2**20, 2**20, 0, 0, 1, False), 2**20),
])
def test_output_size(size, want):
    assert output_size(*size) == want


@pytest.mark.parametrize("padding, L, k, s, d, want", [
    ("valid", 5, 3, 1, 1, (0, 0)),
    ("same", 5, 2, 2, 1, (0, 1)),  # o = 3, 3 * 2 - 5 = 1
    ("same_lower", 5, 2, 2, 1, (1, 0)),
    ("same", 5, 3, 1, 2, (2, 2)),  # extent 5, o = 5
    ("same", 6, 2, 1, 3, (1, 2)),  # extent 4, total 3
    ("same_lower", 6, 2, 1, 3, (2, 1)),
    ("same", 10, 2, 5, 1, (0, 0)),  # stride beyond the kernel: nothing to add
    (2, 5, 3, 1, 1, (2, 2)),
    ((2, 2), 5, 3, 1, 1, (2, 2)),
    (((3, 1), (3, 1)), 5, 3, 1, 1, (3, 1)),
])
def test_padding(padding, L, k, s, d, want):
    assert reference.resolve_padding(padding, (L, L), (k, k), (s, s), (d, d)) == (want, want)


def test_padding_per_axis():
    assert reference.resolve_padding((1, 2), (5, 5), (3, 3), (1, 1), (1, 1)) == ((1, 1), (2, 2))


def test_stride_defaults_to_the_kernel():
    for stride in (None, ()):
        same(max_pool2d(GRID, 2, stride), [[5, 7], [13, 15]])


def test_max_min_and_average_of_a_grid():
    same(max_pool2d(GRID, 3, 1), [[10, 11], [14, 15]])
    same(min_pool2d(GRID, 3, 1), [[0, 1], [4, 5]])
    same(avg_pool2d(GRID, 2), [[2.5, 4.5], [10.5, 12.5]])
    same(max_pool2d(GRID, (1, 4)), [[3], [7], [11], [15]])
    same(max_pool2d(GRID, (4, 1), (1, 2)), [[12, 14]])


def test_ceil_mode_clips_and_drops():
    x = np.arange(25.0).reshape(5, 5)
    same(max_pool2d(x, 2, ceil_mode=True), [[6, 8, 9], [16, 18, 19], [21, 23, 24]])
    same(max_pool2d(x, 2, padding=1, ceil_mode=True), [[0, 2, 4], [10, 12, 14], [20, 22, 24]])
    same(max_pool2d([[1, 2, 3, 4]], (1, 2), (1, 3), ceil_mode=True), [[2, 4]])


def test_same_puts_the_odd_element_at_the_end_and_same_lower_at_the_start():
    x = np.array([[1.0, 2.0, 3.0]])
    same(max_pool2d(x, (1, 2), padding="same"), [[2, 3]])
    same(max_pool2d(x, (1, 2), padding="same_lower"), [[1, 3]])
    same(avg_pool2d(x, (1, 2), padding="same"), [[1.5, 1.5]])
    same(avg_pool2d(x, (1, 2), padding="same_lower", count_include_pad=False), [[1, 2.5]])
    same(max_pool2d(x, (1, 2), 1, "same", 2), [[2, 3, 2]])  # taps -1 and 1, 0 and 2, 1 and 3


def test_asymmetric_padding():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    same(max_pool2d(x, 2, 1, ((1, 0), (0, 1))), [[2, 2], [4, 4]])
    same(avg_pool2d(x, 2, 1, ((1, 0), (0, 1))), [[0.75, 0.5], [2.5, 1.5]])


def test_dilation_skips_pixels():
    same(max_pool2d(-GRID, 2, 1, 0, 2), [[0, -1], [-4, -5]])
    same(max_pool2d(-GRID, 2, 1, 1, 3), [[-10, -8, -9], [-2, 0, -1], [-6, -4, -5]])


def test_no_valid_tap():
    x = np.array([[5, 6]])
    y, i = max_pool2d(x.astype(float), (1, 1), 1, ((0, 0), (1, 1)), 1, False, True)
    same(y, [[-INF, 5, 6, -INF]])
    same(i, [[-1, 0, 1, -1]])
    same(min_pool2d(x.astype(float), 1, 1, ((0, 0), (1, 0))), [[INF, 5, 6]])
    for dtype, low, high in [("int8", -128, 127), ("uint8", 0, 255), ("int64", -(2**63), 2**63 - 1), ("bool", 0, 1)]:
        same(max_pool2d(x.astype(dtype), 1, 1, ((0, 0), (1, 0)))[0, 0], low)
        same(min_pool2d(x.astype(dtype), 1, 1, ((0, 0), (1, 0)))[0, 0], high)
    same(max_pool2d([[1.0]], (1, 2), 1, ((0, 0), (1, 1)), 2), [[-INF]])  # taps -1 and 1 of one pixel
    y, i = max_pool2d(x, 1, 1, ((0, 0), (1, 0)), return_indices=True, index="window")
    same(i, np.array([[255, 0, 0]], np.uint8))
    same(max_pool2d_backward(np.array([[7.0, 1, 2]]), i, (1, 2), 1, 1, ((0, 0), (1, 0)), index="window"), [[1, 2]])


def test_nan_wins_and_the_first_is_named():
    x = np.array([[1.0, NAN, INF, NAN, 2, 3]])
    y, i = max_pool2d(x, (1, 2), (1, 1), return_indices=True)
    same(y, [[NAN, NAN, NAN, NAN, 3]])
    same(i, [[1, 1, 3, 3, 5]])
    y, i = min_pool2d(x, (1, 4), (1, 2), return_indices=True)
    same(y, [[NAN, NAN]])
    same(i, [[1, 3]])
    same(avg_pool2d(x, (1, 2)), [[NAN, NAN, 2.5]])


def test_infinities():
    same(max_pool2d(np.full((2, 2), -INF), 2, return_indices=True), ([[-INF]], [[0]]))
    same(min_pool2d(np.full((2, 2), INF), 2, return_indices=True), ([[INF]], [[0]]))
    same(avg_pool2d([[INF, 1.0, -INF, INF, -INF, 0]], (1, 2)), [[INF, NAN, -INF]])


def test_first_of_equals():
    x = np.array([[0.0, -0.0, 3], [-0.0, 3, 3], [3, 0, 0]])
    same(max_pool2d(x, 2, 1, return_indices=True)[1], [[4, 2], [4, 4]])
    same(min_pool2d(x, 2, 1, return_indices=True)[1], [[0, 1], [3, 7]])
    assert np.signbit(min_pool2d([[-0.0, 0.0]], (1, 2)))[0, 0]


def test_index_conventions():
    x = np.zeros((2, 3, 4, 4))
    x[1, 2, 2, 3] = 1  # seen by windows (0, 1) and (1, 1) of a 3 x 3 at stride 1
    nhwc = np.moveaxis(x, 1, -1)
    for index, want in [("plane", 11), ("window", 8), ("tensor", 16 * 5 + 11), ("nhwc", 11 * 3 + 2)]:
        i = max_pool2d(x, 3, 1, return_indices=True, index=index)[1]
        assert i[1, 2, 0, 1] == want
        j = max_pool2d(nhwc, 3, 1, return_indices=True, index=index, layout="NHWC")[1]
        assert j[1, 0, 1, 2] == (48 + 11 * 3 + 2 if index == "tensor" else want)
        assert i.dtype == j.dtype == (np.uint8 if index == "window" else np.int64)
    assert max_pool2d(x, 3, 1, return_indices=True, index="window")[1][1, 2, 1, 1] == 5
    assert max_pool2d(x[1, 2], 3, 1, return_indices=True, index="nhwc")[1][0, 1] == 11  # no channel axis: one channel


def test_window_index_grows_with_the_window():
    for width, dtype, empty in [(255, np.uint8, 255), (256, np.uint16, 65535), (65536, np.int32, -1)]:
        i = max_pool2d(np.zeros((1, 1)), (1, width), width, ((0, 0), (width, width - 1)), return_indices=True,
                       index="window")[1]
        assert i.dtype == dtype
        same(i, np.array([[empty, 0]], dtype))


def test_divisors():
    x = np.array([[4.0, 8.0], [12.0, 16.0]])
    same(avg_pool2d(x, 2, 1, 1), [[1, 3, 2], [4, 10, 6], [3, 7, 4]])
    same(avg_pool2d(x, 2, 1, 1, False, False), [[4, 6, 8], [8, 10, 12], [12, 14, 16]])
    same(avg_pool2d(x, 2, divisor_override=8), [[5]])
    same(avg_pool2d(x, 2, divisor_override=-1), [[-40]])


def test_divisor_in_ceil_mode_stops_at_the_end_of_the_padding():
    x = np.array([[6.0, 12, 18, 24]])
    same(avg_pool2d(x, (1, 3), (1, 2), ((0, 0), (0, 0)), True), [[12, 21]])  # 42 / 2
    same(avg_pool2d(x, (1, 3), (1, 3), ((0, 0), (1, 1)), True), [[6, 14]])  # 18 / 3 and 42 / 3: inside the padding
    same(avg_pool2d(x, (1, 4), (1, 3), ((0, 0), (1, 1)), True), [[9, 14]])  # 36 / 4 and 42 / 3: one of padding counts


def test_average_of_nothing():
    pad = ((0, 0), (1, 0))
    same(avg_pool2d([[5.0]], 1, 1, pad, False, False), [[NAN, 5]])
    same(avg_pool2d([[5.0]], 1, 1, pad), [[0, 5]])
    same(avg_pool2d([[5]], 1, 1, pad, False, False), [[NAN, 5]])
    same(avg_pool2d([[5]], 1, 1, pad, False, False, dtype="int8"), [[0, 5]])
    same(avg_pool2d([[5.0]], 1, 1, pad, False, False, 2), [[0, 2.5]])


@pytest.mark.parametrize("taps, want", [
    ((1, 2), 2), ((2, 3), 2), ((-1, -2), -2), ((-2, -3), -2), ((0, 1), 0), ((0, -1), 0), ((3, 4), 4),
])
def test_integer_results_round_half_to_even(taps, want):
    same(avg_pool2d([taps], (1, 2), dtype="int8"), np.array([[want]], np.int8))


def test_integer_results_saturate_and_never_wrap():
    big = np.full((2, 2), 2**62)
    same(avg_pool2d(big, 2, dtype="int64"), [[2**62]])
    same(avg_pool2d(big, 2), [[2.0**62]])
    same(avg_pool2d(big, 2, divisor_override=1, dtype="int64"), [[2**63 - 1]])
    same(avg_pool2d(-big, 2, divisor_override=1, dtype="int64"), [[-(2**63)]])
    same(avg_pool2d(np.full((2, 2), 2**64 - 1, np.uint64), 2, dtype="uint64"), np.array([[2**64 - 1]], np.uint64))
    same(avg_pool2d([[300, 300]], (1, 2), dtype="uint8"), np.array([[255]], np.uint8))
    same(avg_pool2d([[-3, -3]], (1, 2), dtype="uint8"), np.array([[0]], np.uint8))


def test_result_dtypes():
    for dtype in ("float16", "float32", "float64", BFLOAT16):
        assert avg_pool2d(np.ones((2, 2), dtype), 2).dtype == dtype
        assert max_pool2d(np.ones((2, 2), dtype), 2).dtype == dtype
    assert avg_pool2d(np.ones((2, 2), bool), 2).dtype == avg_pool2d(np.ones((2, 2), np.int8), 2).dtype == np.float64
    same(avg_pool2d([[True, False]], (1, 2)), [[0.5]])


def test_averages_are_rounded_once():
    assert avg_pool2d([[2.0**53, 1.0, 1.0, 0]], (1, 4), divisor_override=1)[0, 0] == 2.0**53 + 2
    assert avg_pool2d([[1.5e308] * 4], (1, 4))[0, 0] == 1.5e308
    bf16 = np.array([[256] + [1] * 8], np.float32).astype(BFLOAT16)
    assert float(avg_pool2d(bf16, (1, 9), divisor_override=1)[0, 0]) == 264


def test_max_backward_by_hand():
    x = np.array([[1.0, 5, 2], [3, 4, 9], [8, 7, 6]])
    i = max_pool2d(x, 2, 1, return_indices=True)[1]
    same(i, [[1, 5], [6, 5]])
    same(max_pool2d_backward(np.array([[1.0, 2], [3, 4]]), i, (3, 3), 2, 1), [[0, 1, 0], [0, 0, 6], [3, 0, 0]])


def test_avg_backward_by_hand():
    g = np.array([[4.0, 8, 12]])
    same(avg_pool2d_backward(g, (1, 4), (1, 2), 1), [[2, 6, 10, 6]])
    same(avg_pool2d_backward(g, (1, 2), (1, 2), 1, ((0, 0), (1, 1))), [[6, 10]])
    same(avg_pool2d_backward(g, (1, 2), (1, 2), 1, ((0, 0), (1, 1)), False, False), [[8, 16]])
    same(avg_pool2d_backward(g, (1, 1), 1, 1, ((0, 0), (1, 1)), False, False), [[8]])  # two windows own no pixel
    same(avg_pool2d_backward(g, (1, 4), (1, 2), 1, divisor_override=4), [[1, 3, 5, 3]])


def distinct(shape, rng):
    return rng.permutation(np.prod(shape)).reshape(shape).astype(np.float64)


@pytest.mark.parametrize("name", ["max", "min"])
@pytest.mark.parametrize("case", CORE[:11] + DILATED, ids=str)
def test_extreme_backward_is_the_derivative(case, name):
    rng = np.random.default_rng(1)
    forward, backward = (getattr(reference, f"{name}_pool2d{suffix}") for suffix in ("", "_backward"))
    x = distinct(case.shape[2:], rng)
    y, i = forward(x, return_indices=True, **case.max_args)
    g = rng.integers(-5, 6, y.shape).astype(float)
    same(backward(g, i, x.shape, **case.max_args), plane_differences(lambda x: forward(x, **case.max_args), x, g))


@pytest.mark.parametrize("rule", [{}, {"count_include_pad": False}, {"divisor_override": 3}], ids=str)
@pytest.mark.parametrize("case", [case for case in AVG_CASES if case in CORE[:11]], ids=str)
def test_avg_backward_is_the_derivative(case, rule):
    rng = np.random.default_rng(1)
    x = distinct(case.shape[2:], rng)
    args = case.avg_args | rule
    g = rng.integers(-5, 6, avg_pool2d(x, **args).shape).astype(float)
    want = plane_differences(lambda x: avg_pool2d(x, **args), x, g)
    np.testing.assert_allclose(avg_pool2d_backward(g, x.shape, **args), want, atol=1e-11)  # quotients of size 100 round
