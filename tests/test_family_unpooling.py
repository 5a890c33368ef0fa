"""Unpooling, rule by rule: every dtype and index convention, values moved as they are, and indices that are wrong."""

from itertools import product

import family_reference
import numpy as np
import pytest
from cases import DTYPES, FLOATS, INDICES, LAYOUTS, LAYOUTS_OF, assert_same, bits, exact_data, from_layout, to_layout
from family_cases import circumstances, equal, in_rank
from family_reference import RANKS

import numpool


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", RANKS)
def test_unpool_and_its_gradient_equal_reference(n, dtype):
    shape, rng = (2, 3, 7, 6, 5)[: 2 + n], np.random.default_rng(n)
    unpool, backward = (f"max_unpool{n}d{suffix}" for suffix in ("", "_backward"))
    for kernel, stride, padding in ((2, None, 0), (3, 2, 1), (2, 3, 0)):
        for layout in LAYOUTS_OF[n]:
            x = to_layout(exact_data(shape, dtype, rng), layout)
            for index in INDICES:
                args = {"kernel_size": kernel, "stride": stride, "padding": padding, "layout": layout, "index": index}
                pool = getattr(family_reference, f"max_pool{n}d")
                y, i = pool(x.astype(np.float32), return_indices=True, **args)
                y, size = y.astype(dtype), family_reference.plane_size(x.shape, layout)
                for output_size in (size, list(x.shape)):
                    want = getattr(family_reference, unpool)(y, i, output_size=output_size, **args)
                    for _ in circumstances((1, 3)):
                        assert_same(getattr(numpool, unpool)(y, i, output_size=output_size, **args), want)
                out = np.full_like(want, 1)
                assert getattr(numpool, unpool)(y, i, output_size=size, out=out, **args) is out
                assert_same(out, want)
                if dtype in FLOATS:
                    g = exact_data(x.shape, dtype, rng)
                    want = getattr(family_reference, backward)(g, i, **args)
                    for _ in circumstances((1, 3)):
                        assert_same(getattr(numpool, backward)(g, i, **args), want)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_two_entries_for_one_position_the_last_wins(layout):
    x = to_layout(np.arange(1, 1 + 3 * 40 * 50, dtype=np.float32).reshape(1, 3, 40, 50), layout)
    i = np.full(x.shape, 77)
    for _ in circumstances():
        y = from_layout(numpool.max_unpool2d(x, i, 2, layout=layout), layout)
        equal(y.reshape(3, -1)[:, 77], [2000, 4000, 6000])
        assert np.count_nonzero(y) == 3
        g = numpool.max_unpool2d_backward(to_layout(np.ascontiguousarray(y), layout), i, 2, layout=layout)
        equal(from_layout(g, layout)[0, :, 5, 5], [2000, 4000, 6000])  # each entry gets what stands there


@pytest.mark.parametrize("n", RANKS)
def test_no_tap_is_skipped(n):
    x = in_rank(n, [5.0, 6, 7])
    i = in_rank(n, [-1, 2, -1])
    kernel = (1,) * (n - 1) + (2,)
    y = getattr(numpool, f"max_unpool{n}d")(x, i, kernel)
    equal(y.ravel(), [0, 0, 6, 0, 0, 0])
    g = getattr(numpool, f"max_unpool{n}d_backward")(np.arange(1.0, 7).reshape(y.shape), i, kernel)
    equal(g.ravel(), [0, 3, 0])
    for index in INDICES:
        args = {"kernel_size": 1, "stride": 1, "padding": 1, "index": index}
        y, i = getattr(family_reference, f"max_pool{n}d")(in_rank(n, [9.0]), return_indices=True, **args)
        assert y.size == 3**n and np.isfinite(y).sum() == 1
        equal(getattr(numpool, f"max_unpool{n}d")(y, i, **args).ravel(), [9])
        g = getattr(numpool, f"max_unpool{n}d_backward")(in_rank(n, [4.0]), i, **args)
        equal(g, np.where(np.isfinite(y), 4, 0))


@pytest.mark.parametrize("n", RANKS)
@pytest.mark.parametrize("wrong", [6, -2, 2**31, 2**32 + 1, 2**62, -(2**63)])
def test_an_index_outside_the_plane_is_refused_and_nothing_is_written(n, wrong):
    x = np.concatenate([in_rank(n, [5.0, 6, 7])] * 2)
    kernel = (1,) * (n - 1) + (2,)
    for at in range(6):
        i = np.zeros(x.shape, np.int64)
        i.flat[at] = wrong
        memory = np.full(1000, 7.0)
        out = memory[400:412].reshape(*x.shape[:-1], 6)
        with pytest.raises(ValueError, match=str(wrong)):
            getattr(numpool, f"max_unpool{n}d")(x, i, kernel, out=out)
        assert (memory == 7).all()
        out = memory[400:406].reshape(x.shape)
        with pytest.raises(ValueError, match=str(wrong)):
            getattr(numpool, f"max_unpool{n}d_backward")(np.ones((*x.shape[:-1], 6)), i, kernel, out=out)
        assert (memory == 7).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_unpooled_floats_are_moved_bit_by_bit(layout, index, dtype):
    # as integers of their size are, which go one by one: zeros keep their sign, NaN its payload
    for width, kernel in product((2, 8, 15, 16, 20, 33, 66), ((2, 2), (1, 2), (3, 2), (2, 3))):
        if kernel[1] > width:
            continue
        far = {"output_size": (12, width + 7)}  # than windows reach, columns and rows of zeros
        rng = np.random.default_rng(width)
        x = to_layout(rng.permutation(2 * 17 * 7 * width).reshape(2, 17, 7, width).astype(dtype), layout)
        args = dict(kernel_size=kernel, layout=layout, index=index)
        y, i = numpool.max_pool2d(x, return_indices=True, **args)
        whole = np.dtype(f"uint{8 * y.itemsize}")
        y.flat[::3], y.flat[::7] = -0.0, np.nan
        y.view(whole).flat[::7] += np.arange(y.flat[::7].size, dtype=whole)
        other = i.copy()
        if index == "plane":  # the place of another window
            other.flat[-1] = 0
        for indices in (i, other) if index == "plane" else (i,):
            want = numpool.max_unpool2d(y.view(whole), indices, output_size=x.shape, **args)
            for _ in circumstances((1, 3)):
                out = np.full_like(x, 7)
                assert bits(numpool.max_unpool2d(y, indices, output_size=x.shape, **args).view(whole)) == bits(want)
                assert numpool.max_unpool2d(y, indices, output_size=x.shape, out=out, **args) is out
                assert bits(out.view(whole)) == bits(want)
        if index == "window":
            want = numpool.max_unpool2d(y.view(whole), i, **far, **args)
            for _ in circumstances((1, 3)):
                out = np.full_like(want, 7).view(dtype)
                assert bits(numpool.max_unpool2d(y, i, **far, out=out, **args).view(whole)) == bits(want)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_unpooling_takes_the_same_arguments_whichever_way_it_goes(layout):
    y, i = numpool.max_pool2d(np.ones((1, 16, 4, 16), np.float32), 2, layout=layout, return_indices=True)
    want = numpool.max_unpool2d(y, i, 2, layout=layout)
    forms = (([2, 2], None, 0), ((2, 2), [2, 2], (0, 0)), (2, (2, 2), [[0, 0], [0, 0]]), (2, 2, 0))
    for kernel, stride, padding in forms:
        equal(numpool.max_unpool2d(y, i, kernel, stride, padding, layout=layout), want)
    for args in ((2, np.array([2, 2])), (2, None, np.array([0, 0])), ((np.array([2, 2]), 2),), ([],), (2, None, 0, 5)):
        with pytest.raises((TypeError, ValueError), match="must"):
            numpool.max_unpool2d(y, i, *args, layout=layout)
    for unknown in (None, 5, "NC"):
        with pytest.raises((TypeError, ValueError), match="layout must be one of"):
            numpool.max_unpool2d(y, i, 2, layout=unknown)


def test_pooling_undoes_unpooling():
    x = np.random.default_rng(0).permutation(2 * 3 * 24 * 30).reshape(2, 3, 24, 30).astype(np.float32)
    y, i = numpool.max_pool2d(x, 2, return_indices=True)
    full = numpool.max_unpool2d(y, i, 2)
    assert_same(numpool.max_pool2d(full, 2), y)
    assert_same(full, numpool.max_pool2d_backward(y, i, x.shape, 2))


@pytest.mark.parametrize("wrong", [70, -2, 2**62, -(2**63)])
def test_a_wrong_index_is_found_wherever_it_stands_and_nothing_is_written(wrong):
    right, x = np.arange(70).reshape(1, 1, 70), np.ones((1, 1, 70), np.float32)
    out = np.full_like(x, 7)
    for level, place in product(numpool.levels(), range(70)):
        indices = right.copy()
        indices[..., place] = wrong
        with numpool.use_level(level):
            for call in (
                lambda given=indices: numpool.max_unpool1d(x, given, 1, out=out),
                lambda given=indices: numpool.max_unpool1d_backward(x, given, 1, out=out),
                lambda given=indices: numpool.max_pool1d_backward(x, given, x.shape, 1, out=out),
            ):
                with pytest.raises(ValueError, match="ind"):
                    call()
    assert (out == 7).all()
