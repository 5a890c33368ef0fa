"""Planes as the lanes of pixels (kernels/planes.h): the results are those of planes left as they are, to the last bit.

Whether a call goes so is `turning.pays`; here it is yes or no for all that can.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from cases import AVG_CASES, CASES, CORE, DTYPES, INDICES, LAYOUTS_OF, LINES, STORAGES, VOLUMES, bits, special_data

import numpool
from numpool import _kernels, backward, forward, geometry, plan, spec, turning

# N and C: fewer planes than a group of any dtype, one more than a group, groups and some more
PLANES = ((1, 1), (1, 7), (5, 13), (2, 40))
each_case = pytest.mark.parametrize("case", CASES + LINES + VOLUMES, ids=str)


@contextmanager
def planes_turned(monkeypatch, wanted):
    """Every call that can turn its planes does, or none does; "strips": few rows at once. Yields the plans made."""
    made, make = [], spec.make_spec

    def spy(*args, **words):
        made.append(make(*args, **words))
        return made[-1]

    with monkeypatch.context() as patch:
        patch.setattr(turning, "pays", lambda *args: bool(wanted))
        if wanted == "strips":
            patch.setattr(spec, "STRIP_BYTES", 1)
            patch.setattr(spec, "ACROSS_BYTES", 1)
        for room in (forward, backward):
            patch.setattr(room, "make_spec", spy)
        _kernels.forget()
        yield made
    _kernels.forget()


def both(monkeypatch, call, turned=True):
    """The results of a call with planes turned; asserts that those in strips, and without, are the same. `turned`: that
    it can go so."""
    results = []
    for wanted in (False, True, "strips"):
        with planes_turned(monkeypatch, wanted) as made:
            result = call()
        assert turned is None or any(spec["turned"] is not None for spec in made) == (bool(wanted) and turned)
        results.append(result if isinstance(result, tuple) else (result,))
    for straight, *others in zip(*results, strict=True):
        for other in others:
            assert straight.strides == other.strides
            assert straight.dtype == other.dtype and bits(straight) == bits(other)
    return results[1]


def data(shape, dtype, seed=0):
    """Numbers whose sums round, so that their order shows, and specials."""
    rng = np.random.default_rng(seed)
    special = special_data(shape, dtype, rng)
    if np.dtype(dtype).kind != "f":
        return special
    return np.where(rng.random(shape) < 0.1, special, (100 * rng.standard_normal(shape)).astype(dtype))


def planes_of(case, planes):
    return planes + case.shape[2:]


# Storages of planes without gaps.
STRAIGHT = ("contiguous", "plane transposed", "every other sample", "every other of axis 1", "unaligned")
ADAPTIVE = (((2, 21, 7, 9), (3, 4)), ((3, 11, 5, 2), (7, 3)), ((4, 17, 20, 6), (7, 6)), ((2, 9, 6, 6), (1, 1)))
SPREAD = (
    ((2, 21, 20, 20), (7, 7)),
    ((3, 17, 13, 9), (4, 5)),
    ((2, 33, 6, 30), (25, 7)),
    ((2, 16, 7, 7), (9, 7)),
    ((1, 1500, 16, 16), (7, 7)),  # in NHWC by parts of the lanes
    ((1, 16, 12, 1000), (9, 700)),  # some rows at a time
    ((1, 16, 6, 3000), (5, 2000)),  # row by row
    ((2, 19, 3, 4), (64, 5)),  # more windows hold a position than one stage may sum in float32
)


@each_case
def test_extremes(monkeypatch, level, case):
    for i, planes in enumerate(PLANES):
        x, rank = data(planes_of(case, planes), "float32"), case.rank
        args = case.max_args | {"layout": LAYOUTS_OF[rank][0]}
        both(monkeypatch, lambda: getattr(numpool, f"max_pool{rank}d")(x, **args))
        both(
            monkeypatch,
            lambda: getattr(numpool, f"min_pool{rank}d")(x, **args, return_indices=True, index=INDICES[i]),
        )


@pytest.mark.parametrize("case", AVG_CASES + [c for c in LINES + VOLUMES if c.dilation == 1], ids=str)
def test_averages(monkeypatch, level, case):
    for i, planes in enumerate(PLANES):
        x, rank = data(planes_of(case, planes), "float32"), case.rank
        rule = ({}, {"count_include_pad": False}, {"divisor_override": 3}, {"divisor_override": -7})[i]
        args = case.avg_args | rule | {"layout": LAYOUTS_OF[rank][0]}
        both(monkeypatch, lambda: getattr(numpool, f"avg_pool{rank}d")(x, **args))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CORE, ids=str)
def test_every_dtype_and_index(monkeypatch, level, case, dtype):
    for index in INDICES:
        x = data(planes_of(case, (3, 23)), dtype)
        both(monkeypatch, lambda: numpool.max_pool2d(x, **case.max_args, return_indices=True, index=index))
    both(monkeypatch, lambda: numpool.min_pool2d(x, **case.max_args))
    for result in (None, "float64") if np.dtype(x.dtype).kind in "biu" else (None,):
        both(monkeypatch, lambda: numpool.avg_pool2d(x, **case.avg_args, dtype=result))


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64", "int64"))
def test_lines_shorter_than_their_results(monkeypatch, level, dtype):
    for length in (1, 2, 3):
        x = data((2, 40, length), dtype)
        for size in (1, 9, 17, 100):
            both(monkeypatch, lambda: numpool.adaptive_avg_pool1d(x, size), None)
            both(monkeypatch, lambda: numpool.adaptive_max_pool1d(x, size), None)
            both(monkeypatch, lambda: numpool.adaptive_max_pool1d(x, size, True), None)
        for args in ((2, 3, 16), (2, 1, 16), (9, 3, ((22, 21),))):
            both(monkeypatch, lambda: numpool.avg_pool1d(x, *args), None)
            both(monkeypatch, lambda: numpool.max_pool1d(x, *args), None)
            both(monkeypatch, lambda: numpool.max_pool1d(x, *args, 2, True), None)
            both(monkeypatch, lambda: numpool.max_pool1d(x, *args, return_indices=True), None)


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64", "int64"))
def test_sequences_of_different_lengths(monkeypatch, level, dtype):
    for shape in ((2, 5, 37), (3, 40, 9), (2, 67, 600)):
        x, lengths = data(shape, dtype), np.arange(shape[0]) * shape[2] // 2
        for call in (numpool.avg_over_time, numpool.max_over_time):
            both(monkeypatch, lambda: call(x, lengths), None)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
def test_adaptive_windows(monkeypatch, level, threads, layout, index):
    for shape, output in ADAPTIVE:
        x = data(shape, "float32")
        x = x if layout == "NCHW" else np.moveaxis(x, 1, -1)  # planes as before, under the other name
        both(monkeypatch, lambda: numpool.adaptive_max_pool2d(x, output, True, layout=layout, index=index))
        both(monkeypatch, lambda: numpool.adaptive_avg_pool2d(x, output, layout=layout))
    x = data((2, 21, 3, 5, 4), "float32")
    both(monkeypatch, lambda: numpool.adaptive_max_pool3d(x, (2, 3, 3), True, index=index))
    both(monkeypatch, lambda: numpool.adaptive_avg_pool3d(x, (2, 3, 3)))


@pytest.mark.parametrize("storage", STORAGES)
def test_every_storage(monkeypatch, level, threads, storage):
    x = STORAGES[storage](data((3, 19, 9, 7), "float32"))
    both(monkeypatch, lambda: numpool.max_pool2d(x, 3, 2, 1, return_indices=True, index="tensor"), None)
    both(monkeypatch, lambda: numpool.avg_pool2d(x, 3, 1, 1), None)
    for array in (x[::2], x[:, ::3], x[::-1], x[:, ::-2]):  # planes apart, and backwards
        inside = storage in STRAIGHT
        both(monkeypatch, lambda: numpool.max_pool2d(array, 3, 2, 1, return_indices=True), inside or None)
        both(monkeypatch, lambda: numpool.adaptive_avg_pool2d(array, (4, 3)), inside or None)


def test_broadcast_planes_and_given_outputs(monkeypatch, level, threads):
    x = np.broadcast_to(data((1, 35, 6, 5), "float32"), (3, 35, 6, 5))
    both(monkeypatch, lambda: numpool.max_pool2d(x, 3, 1, 1, return_indices=True))
    x = data((3, 35, 6, 5), "float32")
    want = both(monkeypatch, lambda: numpool.max_pool2d(x, 3, 1, 1, return_indices=True, index="nhwc"))
    for give in (np.empty_like, lambda a: np.empty((*a.shape[:3], 9), a.dtype)[..., :5]):
        outs = tuple(map(give, want))
        given = both(monkeypatch, lambda: numpool.max_pool2d(x, 3, 1, 1, return_indices=True, index="nhwc", out=outs))
        assert given[0] is outs[0] and given[1] is outs[1]
        assert all((a == b).all() or np.isnan(a).any() for a, b in zip(given, want, strict=True))


@pytest.mark.parametrize("dtype", ("float16", "float32", "float64"))
@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
def test_gradients_of_adaptive_averages_go_one_axis_after_the_other(monkeypatch, level, threads, layout, dtype):
    for shape, output in SPREAD:
        grad, known = data((*shape[:2], *output), dtype), shape
        if layout == "NHWC":
            grad, known = np.ascontiguousarray(np.moveaxis(grad, 1, -1)), (shape[0], *shape[2:], shape[1])
        axes = geometry.adaptive_windows(known, layout, output)
        want = plan.perform(backward.spread_of(grad, known, layout, axes), None, ())[0]
        for wanted in (False, True, "strips"):
            with planes_turned(monkeypatch, wanted):
                for out in (None, np.empty(known, dtype)):
                    got = numpool.adaptive_avg_pool2d_backward(grad, known, layout=layout, out=out)
                    assert bits(got) == bits(want)
                    assert out is None or got is out


def test_plans_choose_by_geometry():
    def turned(name, shape, *args, dtype=np.float32):
        call = plan.CALLS[name]((np.zeros(shape, dtype),), args)
        return call.plan.spec["turned"] is not None

    with numpool.use_level("baseline"):  # every machine's
        assert turned("adaptive_avg_pool2d", (8, 64, 20, 20), 7, "NCHW", None)
        assert not turned("adaptive_avg_pool2d", (8, 20, 20, 64), 7, "NHWC", None)  # lanes already
        assert not turned("adaptive_avg_pool2d", (1, 3, 20, 20), 7, "NCHW", None)  # most lanes would be idle
        assert turned("adaptive_avg_pool2d", (1, 64, 90, 90), 40, "NCHW", None)  # in strips
        assert not turned("adaptive_avg_pool2d", (1, 64, 41, 3000), 40, "NCHW", None)  # beyond the second-level cache
        windows = (3, 2, 1, 1, False, False, "NCHW", "plane")
        assert turned("max_pool2d", (8, 64, 3, 3), *windows) and not turned("max_pool2d", (8, 64, 40, 40), *windows)
        fours = (4, None, 0, 1, False, False, "NCL", "plane")
        assert not turned("max_pool1d", (8, 64, 800), *fours)
        sliding = (3, 1, 1, 1, False, False, "NCHW", "plane")
        assert not turned("max_pool2d", (8, 64, 2, 2), *sliding)  # as one long row


def test_a_plan_outlives_its_level(level):
    x = data((2, 40, 7, 7), "float32")
    want = numpool.max_pool2d(x, 3, 2, 1)
    for other in numpool.levels():
        with numpool.use_level(other):
            assert bits(numpool.max_pool2d(x, 3, 2, 1)) == bits(want)
