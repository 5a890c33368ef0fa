"""Stochastic pooling: the draws follow the weights, by a chi-square that a wrong weight fails; a seed decides them.

Seeds are fixed, so a test that passes always passes. A bound that a right implementation would break by chance once in
a million seeds stands beside each number of degrees of freedom.
"""

import numpy as np
import pytest
from cases import FLOATS, INDICES, LAYOUTS, assert_same, exact_data, from_layout, to_layout
from family_cases import circumstances

import numpool

BOUNDS = {1: 24, 3: 31, 5: 36, 15: 58}  # degrees of freedom: chi-square exceeded with probability 1e-6
TAPS = np.array([1, 0, 3, -5, 2, 4])  # of which 1, 3, 2 and 4 have weight
KERNEL = (2, 3)


def chi_square(counts, probability):
    """Pearson's statistic, over what can happen; what cannot happen must not."""
    counts, probability = np.ravel(counts), np.ravel(probability)
    assert (counts[probability == 0] == 0).all(), f"drawn without weight: {counts}"
    possible = probability > 0
    expected = counts.sum() * probability[possible]
    return ((counts[possible] - expected) ** 2 / expected).sum()


def weights(taps):
    w = np.maximum(taps, 0.0)
    return w / w.sum()


def windows(taps, rows=100, columns=100, channels=2, dtype="float32"):
    """Many copies of one window, side by side."""
    return np.tile(np.reshape(taps, KERNEL), (1, channels, rows, columns)).astype(dtype)


def drawn(x, **args):
    """The tap numbers drawn."""
    return numpool.stochastic_pool2d(x, KERNEL, return_indices=True, index="window", **args)[1]


def counts_of(taps):
    return np.bincount(np.ravel(taps), minlength=6)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("dtype", FLOATS)
def test_taps_are_drawn_in_proportion_to_their_weight(dtype, seed):
    for layout in LAYOUTS:
        taps = drawn(to_layout(windows(TAPS, dtype=dtype), layout), rng=seed, layout=layout)
        assert chi_square(counts_of(taps), weights(TAPS)) < BOUNDS[3]


def test_the_statistic_tells_wrong_weights_from_right_ones():
    counts = counts_of(drawn(windows(TAPS), rng=0))
    for wrong in (TAPS + np.array([0.25, 0, 0, 0, 0, 0]), TAPS * np.array([1, 0, 1.15, 1, 1, 1]), np.abs(TAPS) ** 1.25):
        probability = np.where(weights(TAPS) > 0, weights(wrong), 0)
        assert chi_square(counts, probability / probability.sum()) > BOUNDS[3]


@pytest.mark.parametrize("taps", [np.zeros(6), np.full(6, -1.0), np.array([-0.0, 0, -1, -2, -np.inf, 0])], ids=str)
def test_a_window_without_weight_draws_uniformly(taps):
    x = windows(taps)
    y, i = numpool.stochastic_pool2d(x, KERNEL, return_indices=True, index="window", rng=3)
    assert chi_square(counts_of(i), np.full(6, 1 / 6)) < BOUNDS[5]
    assert (y == taps.astype(x.dtype)[i]).all()  # the value of the drawn tap, whatever its sign


def test_padding_is_never_drawn():
    x = np.zeros((1, 20000, 2, 1), np.float32)
    y, i = numpool.stochastic_pool2d(x, (4, 3), 2, (1, 1), return_indices=True, rng=0)
    assert i.shape == (1, 20000, 1, 1) and (y == 0).all()
    assert chi_square(np.bincount(i.ravel(), minlength=2), np.full(2, 0.5)) < BOUNDS[1]
    y, i = numpool.stochastic_pool2d(x, 2, 1, 1, return_indices=True, rng=0)
    assert (i[:, :, 0] == 0).all() and (i[:, :, 2] == 1).all()


@pytest.mark.parametrize(
    "dtype, value", [("float32", 3e38), ("float16", 60000), ("float32", 1e-40), ("float64", 1e300)]
)
def test_weights_at_the_ends_of_the_range(dtype, value):
    x = windows(np.array([1, 1, -1, 0, 1, 1]) * value, dtype=dtype)
    assert chi_square(counts_of(drawn(x, rng=0)), weights(np.array([1, 1, -1, 0, 1, 1]))) < BOUNDS[3]


def test_windows_are_drawn_independently():
    seen = drawn(np.concatenate([windows(TAPS), windows(TAPS)]), rng=0)
    joint = np.outer(weights(TAPS), weights(TAPS))
    neighbours = {
        "right": (seen[..., :-1:2], seen[..., 1::2]),
        "below": (seen[..., :-1:2, :], seen[..., 1::2, :]),
        "channel": (seen[:, 0], seen[:, 1]),
        "sample": (seen[0], seen[1]),
        "next call": (seen[0], drawn(windows(TAPS), rng=1)[0]),
    }
    for name, (a, b) in neighbours.items():
        pairs = np.bincount(a.astype(int).ravel() * 6 + b.astype(int).ravel(), minlength=36)
        assert chi_square(pairs, joint) < BOUNDS[15], name


def test_a_seed_decides_the_draws_whatever_the_level_threads_and_layout():
    x = np.random.default_rng(0).standard_normal((2, 17, 20, 33)).astype(np.float32)
    args = {"kernel_size": 3, "stride": 2, "padding": 1, "return_indices": True}
    want, where = numpool.stochastic_pool2d(x, rng=11, **args)
    for _ in circumstances():
        for layout in LAYOUTS:
            for rng in (11, np.random.default_rng(11)):
                y, i = numpool.stochastic_pool2d(to_layout(x, layout), rng=rng, layout=layout, **args)
                assert_same(from_layout(y, layout), want)
                assert_same(from_layout(i, layout), where)
    assert not np.array_equal(numpool.stochastic_pool2d(x, rng=12, **args)[1], where)
    rng = np.random.default_rng(11)
    first, second = (numpool.stochastic_pool2d(x, rng=rng, **args)[1] for _ in range(2))
    assert np.array_equal(first, where) and not np.array_equal(second, where)  # a generator goes on
    fresh = [numpool.stochastic_pool2d(x, **args)[1] for _ in range(2)]
    assert not np.array_equal(*fresh)  # without a seed, from the system


@pytest.mark.parametrize("dtype", FLOATS)
def test_the_value_is_that_of_the_tap_in_every_convention(dtype):
    rng = np.random.default_rng(0)
    x = exact_data((2, 3, 9, 10), dtype, rng)
    x[rng.random(x.shape) < 0.05] = np.nan  # an infinite weight has no probability
    for layout in LAYOUTS:
        a = to_layout(x, layout)
        args = {"kernel_size": 3, "stride": 2, "padding": 1, "layout": layout, "rng": 4, "return_indices": True}
        y, i = numpool.stochastic_pool2d(a, index="tensor", **args)
        assert_same(a.ravel()[i], y)
        grads = []
        for index in INDICES:
            y2, i = numpool.stochastic_pool2d(a, index=index, **args)
            assert_same(y2, y)
            g = np.ones(y.shape, dtype)
            grads.append(numpool.stochastic_pool2d_backward(g, i, a.shape, 3, 2, 1, layout=layout, index=index))
            assert_same(grads[-1], grads[0])


@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_propagates(dtype):
    for training in (True, False):
        for at in range(6):
            x = windows(TAPS, 1, 40, dtype=dtype)
            x[0, 1, at // 3, 3 * 7 + at % 3] = np.nan
            y = numpool.stochastic_pool2d(x, KERNEL, training=training, rng=0)
            assert np.argwhere(np.isnan(y)).tolist() == [[0, 1, 0, 7]]


def test_inference_is_the_expected_value():
    def pool(x, *args, **more):
        return numpool.stochastic_pool2d(np.array(x), *args, training=False, **more)

    assert pool([[1.0, 3, -5, 0]], (1, 2)).tolist() == [[2.5, 0]]
    assert pool([[-1.0, -2, 0, 0]], (1, 2)).tolist() == [[0, 0]]
    assert pool([[2.0]], 1, 1, 1).tolist() == [[0, 0, 0], [0, 2, 0], [0, 0, 0]]  # windows with no valid tap
    for dtype, value in (("float32", 3e19), ("float32", 1e-30), ("float16", 30000), ("bfloat16", 2.0**100)):
        x = np.full((1, 4), value, dtype)
        assert_same(pool(x, (1, 4)), x[:, :1], 4)


def test_a_window_with_no_valid_tap_gives_zero_and_no_index():
    for index in INDICES:
        y, i = numpool.stochastic_pool2d(np.ones((1, 1)), 1, 1, 1, return_indices=True, index=index, rng=0)
        assert y.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
        none = 255 if index == "window" else -1
        assert i.tolist() == [[none] * 3, [none, 0, none], [none] * 3]
        back = numpool.stochastic_pool2d_backward(np.ones((3, 3)), i, (1, 1), 1, 1, 1, index=index)
        assert back.tolist() == [[1]]


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_integers_are_refused(dtype):
    for training in (True, False):
        with pytest.raises(TypeError, match="float32"):
            numpool.stochastic_pool2d(np.ones((4, 4), dtype), 2, training=training)
