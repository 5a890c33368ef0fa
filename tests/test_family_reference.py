"""The oracle of the family against arithmetic done by hand, against `reference` on planes, against differences."""

from functools import partial

import family_reference as family
import numpy as np
import pytest
import reference
from cases import BFLOAT16, CORE, DILATED, INDICES, LINES, VOLUMES, assert_same, special_data, to_layout, ulps
from family_cases import RESNET50_STEM, VGG16
from family_reference import fractional_starts
from reference import finite_differences, plane_differences

NAN, INF = np.nan, np.inf
LINE = np.array([1.0, 5, 2, 4, 3, 0])


def same(got, want):
    np.testing.assert_array_equal(np.asarray(got), np.array(want))


# ---- Planes: the two oracles agree ----


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("case", CORE + DILATED, ids=str)
def test_on_planes_both_references_agree(case, layout, index):
    x = to_layout(special_data(case.shape, "float32", np.random.default_rng(0)), layout)
    args = case.max_args | {"layout": layout, "index": index}
    for name in ("max_pool2d", "min_pool2d"):
        got, want = (getattr(module, name)(x, return_indices=True, **args) for module in (family, reference))
        for a, b in zip(got, want):
            assert_same(a, b)
        g = np.random.default_rng(1).integers(-9, 9, want[0].shape).astype(np.float32)
        assert_same(*(m.max_pool2d_backward(g, want[1], x.shape, **args) for m in (family, reference)))
    if case.dilation == 1:
        for rule in ({}, {"count_include_pad": False}, {"divisor_override": -7}):
            args = case.avg_args | rule | {"layout": layout}
            assert_same(*(module.avg_pool2d(x, **args) for module in (family, reference)))
            g = np.ones(reference.avg_pool2d(x, **args).shape, np.float32)
            assert_same(*(module.avg_pool2d_backward(g, x.shape, **args) for module in (family, reference)))


# ---- Lines and volumes ----


def test_lines():
    same(family.max_pool1d(LINE, 3, 1), [5, 5, 4, 4])
    same(family.max_pool1d(LINE, 3, 1, return_indices=True)[1], [1, 1, 3, 3])
    same(family.max_pool1d(LINE, 3, 1, return_indices=True, index="window")[1], np.array([1, 0, 1, 0], np.uint8))
    same(family.min_pool1d(LINE, 2, padding=((1, 0),), ceil_mode=True), [1, 2, 3, 0])
    same(family.avg_pool1d(LINE, 2), [3, 3, 1.5])
    same(family.avg_pool1d(LINE, 3, 3, 1), [2, 3])
    same(family.avg_pool1d(LINE, 3, 3, 1, False, False), [3, 3])
    same(family.max_pool1d(LINE[:, None], 3, 1, layout="NLC"), [[5], [5], [4], [4]])
    same(family.max_pool1d_backward(np.array([1.0, 2, 3]), np.array([1, 1, -1]), (4,), 2, 1), [0, 3, 0, 0])
    same(family.avg_pool1d_backward(np.array([2.0, 4]), (4,), 2, 2), [1, 1, 2, 2])


def test_volumes():
    x = np.arange(24.0).reshape(2, 3, 4)
    same(family.max_pool3d(x, 2), [[[17, 19]]])
    same(family.min_pool3d(x, (1, 2, 2)), [[[0, 2]], [[12, 14]]])
    same(family.avg_pool3d(x, (2, 1, 4)), [[[7.5], [11.5], [15.5]]])
    same(family.max_pool3d(x, 2, return_indices=True, index="window")[1], np.array([[[7, 7]]], np.uint8))
    y, i = family.max_pool3d(x[..., None] * [1, -1], 2, layout="NDHWC", return_indices=True, index="nhwc")
    same(y, [[[[17, 0], [19, -2]]]])
    same(i, [[[[34, 1], [38, 5]]]])
    same(family.max_pool3d_backward(np.array([[[3.0, 5]]]), np.array([[[17, 17]]]), x.shape, 2)[1, 1], [0, 8, 0, 0])
    same(family.avg_pool3d_backward(np.array([[[8.0, 16]]]), x.shape, 2)[1, :2], [[1, 1, 2, 2]] * 2)


def distinct(shape, rng):
    return rng.permutation(np.prod(shape)).reshape(shape).astype(np.float64)


@pytest.mark.parametrize("case", LINES + VOLUMES[2:8], ids=str)
def test_backward_is_the_derivative_on_lines_and_volumes(case):
    rng, n = np.random.default_rng(1), case.rank
    x = distinct(case.shape[2:], rng)
    for name in (f"max_pool{n}d", f"min_pool{n}d"):
        forward, backward = (getattr(family, name + suffix) for suffix in ("", "_backward"))
        y, i = forward(x, return_indices=True, **case.max_args)
        g = rng.integers(-5, 6, y.shape).astype(float)
        want = plane_differences(partial(forward, **case.max_args), x, g)
        same(backward(g, i, x.shape, **case.max_args), want)
    if case.dilation == 1:
        forward, backward = (getattr(family, f"avg_pool{n}d{suffix}") for suffix in ("", "_backward"))
        g = rng.integers(-5, 6, forward(x, **case.avg_args).shape).astype(float)
        want = plane_differences(partial(forward, **case.avg_args), x, g)
        np.testing.assert_allclose(backward(g, x.shape, **case.avg_args), want, atol=1e-11)  # quotients round


# ---- Lp ----


def test_norms():
    same(family.lp_pool1d([3.0, -4, 0, 0, -7], 2, 2), [5, 0])
    same(family.lp_pool1d([3.0, -4, 0, 0, -7], 1, 2, ceil_mode=True), [7, 0, 7])
    same(family.lp_pool1d([3.0, -4, 2], INF, 3), [4])
    same(family.lp_pool1d([3.0, -4, 5], 3, 3), [6])  # 27 + 64 + 125 = 216
    same(family.lp_pool1d([1.0, -4, 9], 0.5, 3), [36])
    same(family.lp_pool1d([3, -4], 2, 2, padding=2, stride=2), [0, 5, 0])
    same(family.lp_pool1d([1.0, NAN, INF, -INF, 0, 1], 2, 2), [NAN, INF, 1])
    same(family.lp_pool2d(np.full((2, 2), 3e19, np.float32), 2, 2), np.array([[6e19]], np.float32))
    same(family.lp_pool2d(np.full((2, 2), 1e200), 2, 2), [[2e200]])
    same(family.lp_pool3d(np.full((2, 2, 2), 1e-300), 3, 2), [[[2e-300]]])
    assert family.lp_pool1d(np.array([3, 4], np.int8), 2, 2).dtype == np.float64
    assert family.lp_pool1d(np.array([3, 4], BFLOAT16), 2, 2).dtype == BFLOAT16


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 7, INF])
def test_norm_backward_is_the_derivative(p):
    rng = np.random.default_rng(0)
    x = (1 + distinct((5, 6), rng)) * rng.choice([-1, 1], (5, 6))
    pool = partial(family.lp_pool2d, norm_type=p, kernel_size=(2, 3), stride=(2, 1), padding=(1, 0))
    y = pool(x)
    g = rng.integers(-5, 6, y.shape).astype(float)
    step = 2.0**-17  # norms are curved: the error is of the order of its square
    want = finite_differences(lambda small: pool(small * step), x / step, g)
    got = family.lp_pool2d_backward(g, x, y, p, (2, 3), (2, 1), padding=(1, 0))
    np.testing.assert_allclose(got, want / step, rtol=1e-7, atol=1e-7)


def test_norm_backward_at_zero_and_at_ties():
    back = family.lp_pool1d_backward
    same(back(np.ones(1), np.zeros(3), np.zeros(1), 2, 3), [0, 0, 0])
    same(back(np.ones(1), np.array([0.0, 4]), np.array([4.0]), 0.5, 2), [0, 1])
    same(back(np.ones(1), np.array([-2.0, 2, 1]), np.array([2.0]), INF, 3), [-1, 1, 0])
    same(back(np.array([5.0]), np.array([3.0, -4]), np.array([5.0]), 2, 2), [3, -4])


# ---- Adaptive and global ----


def test_adaptive_windows():
    def spans(L, o):
        return [(taps[0][1], taps[-1][1] + 1) for _, taps in family.adaptive_axis(L, o)]

    assert spans(5, 3) == [(0, 2), (1, 4), (3, 5)]
    assert spans(3, 5) == [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3)]
    assert spans(4, 4) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert spans(4, 1) == [(0, 4)]


def test_adaptive():
    same(family.adaptive_max_pool1d(LINE, 4), [5, 5, 4, 3])  # 0-1, 1-2, 3-4, 4-5
    same(family.adaptive_max_pool1d(LINE, 4, True)[1], [1, 1, 3, 4])
    same(family.adaptive_max_pool1d(LINE, 4, True, index="window")[1], np.array([1, 0, 0, 0], np.uint8))
    same(family.adaptive_avg_pool1d(LINE, 4), [3, 3.5, 3.5, 1.5])
    same(family.adaptive_avg_pool1d(LINE, None), LINE)
    same(family.adaptive_avg_pool2d(LINE.reshape(2, 3), (1, None)), [[2.5, 4, 1]])
    same(family.adaptive_max_pool2d(LINE.reshape(2, 3), 1), [[5]])
    same(
        family.adaptive_max_pool1d_backward(np.array([1.0, 2, 3, 4]), np.array([1, 1, 3, 4]), (6,), 4),
        [0, 3, 0, 3, 4, 0],
    )
    same(family.adaptive_avg_pool1d_backward(np.array([2.0, 4, 6, 8]), (6,)), [1, 3, 2, 3, 7, 4])


def test_adaptive_tap_numbers_count_in_the_window_s_own_shape():
    x = np.zeros((5, 5))  # windows of 2, 3 and 2
    x[2, 1] = x[2, 2] = 1
    i = family.adaptive_max_pool2d(x, 3, True, index="window")[1]
    same(i, np.array([[0, 0, 0], [3, 3, 0], [0, 0, 0]], np.uint8))  # second row of 2 wide: 2 + 1; of 3 wide: 3 + 0


@pytest.mark.parametrize("size", [(3, 4), (7, 2), (None, 9)], ids=str)
def test_adaptive_backward_is_the_derivative(size):
    rng = np.random.default_rng(0)
    x = distinct((5, 6), rng)
    y, i = family.adaptive_max_pool2d(x, size, True)
    g = rng.integers(-5, 6, y.shape).astype(float)
    want = finite_differences(lambda x: family.adaptive_max_pool2d(x, size), x, g)
    same(family.adaptive_max_pool2d_backward(g, i, x.shape, size), want)
    want = finite_differences(lambda x: family.adaptive_avg_pool2d(x, size), x, g)
    np.testing.assert_allclose(family.adaptive_avg_pool2d_backward(g, x.shape), want, atol=1e-11)


def test_global():
    x = np.array([[[1.0, 5, 3], [2, 2, -2]]])  # (1, 2, 3)
    y, i = family.global_max_pool(x, True)
    same(y, [[[5], [2]]])
    same(i, [[[1], [0]]])
    same(family.global_max_pool(x, True, keepdims=False)[1], [[1, 0]])
    same(family.global_avg_pool(x, keepdims=False), [[3, 2 / 3]])
    same(family.global_avg_pool(x, keepdims=False, layout="NLC"), [[1.5, 3.5, 0.5]])
    same(family.global_lp_pool(x, 1), [[[9], [6]]])
    same(family.global_max_pool_backward(np.array([[7.0, 8]]), i, x.shape), [[[0, 7, 0], [8, 0, 0]]])
    same(family.global_avg_pool_backward(np.array([[[3.0], [6]]]), x.shape), [[[1, 1, 1], [2, 2, 2]]])
    same(family.global_lp_pool_backward(np.array([[1.0, 2]]), x, np.array([[9.0, 6]]), 1), [[[1, 1, 1], [2, 2, -2]]])
    cube = np.arange(16.0).reshape(1, 2, 2, 2, 2)
    same(family.global_max_pool(cube).ravel(), [7, 15])
    same(family.global_avg_pool(cube, layout="NDHWC").ravel(), [7, 8])
    same(family.global_max_pool(cube, layout="NHWC").ravel(), [6, 7, 14, 15])  # the second axis is one more batch


# ---- Fractional ----


def test_fractional_sequence():
    half = np.float64(0.5)
    assert fractional_starts(10, 2, 4, half) == [0, 3, 5, 8]  # alpha 8/3: floor of 1.33, 4, 6.67, less 1
    assert fractional_starts(10, 2, 1, half) == [8]
    assert fractional_starts(6, 2, 5, np.float64(0)) == [0, 1, 2, 3, 4]
    assert fractional_starts(3, 2, 3, half) == [0, 0, 1]  # alpha 0.5: floor of 0.25, 0.75: windows may repeat


def test_fractional_sequence_is_computed_in_the_precision_of_the_input():
    differ = 0
    for u in np.random.default_rng(0).random(400, np.float32):
        differ += fractional_starts(9999, 10, 100, u) != fractional_starts(9999, 10, 100, np.float64(u))
    assert differ  # a product near an integer falls on its other side
    assert family.sample_dtype(np.dtype("float16")) == np.float16 and family.sample_dtype(BFLOAT16) == BFLOAT16
    assert family.sample_dtype(np.dtype("float64")) == family.sample_dtype(np.dtype("uint8")) == np.float64


def test_fractional():
    x = np.arange(50.0).reshape(1, 1, 5, 10)
    samples = np.array([[[0.5, 0]]])  # width, height
    y, i = family.fractional_max_pool2d(x, 2, (2, 4), None, True, samples)
    same(y[0, 0], [[11, 14, 16, 19], [41, 44, 46, 49]])
    same(i, y)
    same(family.fractional_max_pool2d(x, 2, output_ratio=(0.4, 0.49), random_samples=samples), y)
    same(family.fractional_max_pool2d_backward(np.ones_like(y), i, x.shape), np.isin(x, y))
    volume = family.fractional_max_pool3d(
        np.arange(10.0).reshape(1, 1, 10, 1, 1), (2, 1, 1), (4, 1, 1), random_samples=np.array([[[0.5, 0, 0]]])
    )
    same(volume.ravel(), [1, 4, 6, 9])


# ---- Stochastic ----


def test_stochastic():
    x = np.array([[1.0, 3, -5, 0, -1, -1, NAN, 2]])
    same(family.stochastic_pool2d(x, (1, 2), training=False), [[2.5, 0, 0, NAN]])
    y, i = family.stochastic_pool2d(x, (1, 2), return_indices=True, rng=0)
    same(np.isnan(y), [[False, False, False, True]])
    same(y[0, :3], x[0, i[0, :3]])
    y, i = family.stochastic_pool2d(x, (1, 2), 8, ((0, 0), (2, 0)), return_indices=True)
    same(y, [[0, NAN]])
    same(i, [[-1, 6]])
    assert [family.draw([1.0, -2, 3], u) for u in (0, 0.2499, 0.25, 0.999)] == [0, 0, 2, 2]
    assert [family.draw([-1.0, -2, 0], u) for u in (0, 0.4, 0.7)] == [0, 1, 2]
    same(family.stochastic_pool2d_backward(np.array([[1.0, 2]]), np.array([[1, -1]]), (1, 4), (1, 2)), [[0, 1, 0, 0]])


# ---- Along one axis ----


def test_k_max_keeps_the_order_the_earliest_of_equals_and_nan():
    x = np.array([[3.0, 1, 3, 5, 3]])
    same(family.k_max_pool1d(x, 2, True), ([[3, 5]], [[0, 3]]))
    same(family.k_max_pool1d(x, 3, True)[1], [[0, 2, 3]])
    same(family.k_max_pool1d([[1.0, NAN, INF, NAN, 7]], 3, True), ([[NAN, INF, NAN]], [[1, 2, 3]]))
    y, i = family.k_max_pool1d(np.array([[[4, 9, 8]], [[7, 5, 6]]], np.int8), 2, True, lengths=[3, 1])
    same(y, [[[9, 8]], [[7, -128]]])
    same(i, [[[1, 2]], [[0, -1]]])
    same(family.k_max_pool1d_backward(np.array([[1.0, 2]]), np.array([[0, -1]]), (1, 3)), [[1, 0, 0]])
    same(family.k_max_pool1d(x.T, 2, layout="NLC"), [[3], [5]])


@pytest.mark.parametrize(
    "args, want",
    [
        ((1, 3, 18, 3), 12),
        ((2, 3, 18, 3), 6),
        ((3, 3, 18, 3), 3),
        ((1, 2, 7, 3), 4),
        ((1, 3, 2**60 + 1, 1), 2 * (2**60 + 1) // 3 + 1),
    ],
)
def test_dynamic_k(args, want):
    assert family.dynamic_k(*args) == want


def test_over_time():
    x = np.array([[[1.0, 5, 9]], [[4, 2, 8]]])  # (2, 1, 3)
    y, i = family.max_over_time(x, [2, 0], True)
    same(y, [[5], [-INF]])
    same(i, [[1], [-1]])
    same(family.max_over_time(x.swapaxes(1, 2), layout="NLC"), [[9], [8]])
    same(family.avg_over_time(x, [2, 0]), [[3], [NAN]])
    same(family.avg_over_time(x.astype(int), [2, 0], dtype="int8"), np.array([[3], [0]], np.int8))
    g = np.array([[6.0], [6]])
    same(family.max_over_time_backward(g, i, x.shape), [[[0, 6, 0]], [[0, 0, 0]]])
    same(family.avg_over_time_backward(g, x.shape, [2, 0]), [[[3, 3, 0]], [[0, 0, 0]]])
    same(family.avg_over_time_backward(g, x.shape), np.full(x.shape, 2.0))


# ---- Pyramid, maxout, unpooling ----


def test_pyramid():
    x = np.arange(8.0).reshape(1, 2, 2, 2)
    want = [[3, 7, 0, 1, 2, 3, 4, 5, 6, 7]]
    same(family.spatial_pyramid_pool2d(x, [1, 2]), want)
    same(family.spatial_pyramid_pool2d(np.moveaxis(x, 1, -1), [1, 2], layout="NHWC"), want)
    same(family.spatial_pyramid_pool2d(x, [(1, 2)], "avg"), [[1, 2, 5, 6]])
    g = np.arange(1.0, 11)[None]
    same(family.spatial_pyramid_pool2d_backward(g, x, [1, 2]).ravel(), [3, 4, 5, 7, 7, 8, 9, 12])
    same(family.spatial_pyramid_pool2d_backward(g[:, :2] * 4, x, [1], "avg").ravel(), [1] * 4 + [2] * 4)


def test_maxout():
    x = np.array([[1.0, 4, 4, 2, NAN, 0]])
    same(family.maxout(x, 3, True), ([[4, NAN]], [[1, 4]]))
    same(family.maxout(x.T, 2, axis=0), [[4], [4], [NAN]])
    same(family.maxout_backward(np.array([[5.0, 6]]), np.array([[1, 4]]), (1, 6), 3), [[0, 5, 0, 0, 6, 0]])


def test_unpool():
    x, i = np.array([[5, 6, 7]]), np.array([[1, -1, 1]])
    same(family.max_unpool1d(x, i, 2), [[0, 7, 0, 0, 0, 0]])  # the last of two wins
    same(family.max_unpool1d(x, i, 2, output_size=(7,)), [[0, 7, 0, 0, 0, 0, 0]])
    same(family.max_unpool1d(x, i, 2, output_size=(1, 5)), [[0, 7, 0, 0, 0]])
    same(family.max_unpool1d(x, i, 3, 2, 1), [[0, 7, 0, 0, 0]])  # (3 - 1) * 2 - 2 + 3
    same(family.max_unpool1d_backward(np.arange(6.0)[None], i, 2), [[1, 0, 1]])
    grid = np.arange(16.0).reshape(4, 4)
    for index in INDICES:
        y, i = family.max_pool2d(grid, 2, return_indices=True, index=index)
        same(family.max_unpool2d(y, i, 2, index=index), np.where(np.isin(grid, y), grid, 0))
    same(family.max_unpool3d(np.ones((1, 1, 1)), np.full((1, 1, 1), 7), 2).ravel(), [0] * 7 + [1])


# ---- Receptive fields ----


@pytest.mark.parametrize(
    "layers, want",
    [
        ([], (1, 1, 0, 0)),
        ([(3, 1, 0)], (3, 1, 0, 1)),
        ([(3, 2, 0)] * 2, (7, 4, 0, 3)),
        (RESNET50_STEM, (11, 4, 5, 0)),
        ([(7, 2, 3), {"kernel_size": 3, "stride": 2, "padding": 1}], (11, 4, 5, 0)),
        (VGG16, (212, 32, 90, 15.5)),
        ([(3, 1, 2, 2), (2, 2, 0)], (6, 2, 2, 0.5)),
        ([((3, 5), (1, 2), (0, 2)), (2, 2, 0)], ((4, 7), (2, 4), (0, 2), (1.5, 1))),
    ],
)
def test_receptive_fields(layers, want):
    assert tuple(family.receptive_field(layers)) == want


# ---- A second opinion, where PyTorch is installed ----


def test_pytorch_agrees():
    torch = pytest.importorskip("torch")
    F, rng = torch.nn.functional, np.random.default_rng(0)
    x = {n: distinct((2, 3, 11, 12, 13)[: 2 + n], rng) for n in family.RANKS}
    for n, a in x.items():
        t = torch.from_numpy(a)
        for kernel, stride, padding in [(3, 2, 1), (2, None, 0)]:
            y, i = family.__dict__[f"max_pool{n}d"](a, kernel, stride, padding, return_indices=True)
            for got, want in zip((y, i), getattr(F, f"max_pool{n}d")(t, kernel, stride, padding, return_indices=True)):
                same(got, want.numpy())
            size = a.shape[2:]
            got = family.__dict__[f"max_unpool{n}d"](y, i, kernel, stride, padding, size)
            y, i = torch.from_numpy(y), torch.from_numpy(i)
            same(got, getattr(F, f"max_unpool{n}d")(y, i, kernel, stride, padding, size).numpy())
        for size in (5, 17):
            got = family.__dict__[f"adaptive_max_pool{n}d"](a, size, True)
            for mine, want in zip(got, getattr(F, f"adaptive_max_pool{n}d")(t, size, return_indices=True)):
                same(mine, want.numpy())
            want = getattr(F, f"adaptive_avg_pool{n}d")(t, size).numpy()
            np.testing.assert_allclose(family.__dict__[f"adaptive_avg_pool{n}d"](a, size), want, rtol=1e-13)
        want = getattr(F, f"lp_pool{n}d")(t, 3, 3, 2).numpy()
        np.testing.assert_allclose(family.__dict__[f"lp_pool{n}d"](a, 3, 3, 2), want, rtol=1e-13)
        if n > 1:
            for dtype, kernel, size in [("float32", 2, 6), ("float64", 3, 5), ("float16", 2, 1)]:
                b, samples = a.astype(dtype), rng.random((2, 3, n)).astype(dtype)
                args = torch.from_numpy(b), kernel, size, None
                want = getattr(F, f"fractional_max_pool{n}d")(
                    *args, return_indices=True, _random_samples=torch.from_numpy(samples)
                )
                got = family.__dict__[f"fractional_max_pool{n}d"](b, kernel, size, None, True, samples)
                for mine, theirs in zip(got, want):
                    same(mine, theirs.numpy())


def test_half_results_are_rounded_from_the_exact_norm():
    x = np.array([[3.0, 4, 1, 1]]).astype(BFLOAT16)
    got = family.lp_pool1d(x, 2, 2)
    assert (ulps(got, np.array([[5, 2**0.5]]).astype(BFLOAT16)) == 0).all()
