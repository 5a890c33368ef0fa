"""Fast equals slow, forward: values, indices, divisors and result dtypes against the reference, at every level.

Every case runs in float32 in both layouts; every dtype runs on the core cases; then the same bits are asked of all
levels, layouts and thread counts.
"""

from functools import cache
from math import lcm

import numpy as np
import pytest
import reference
from cases import (
    ALONG,
    AVG_CASES,
    CASES,
    CORE,
    DILATED,
    DTYPES,
    FIVES,
    FLAT,
    FLOATS,
    INDICES,
    JOINED,
    LAYOUTS,
    LONG_ROW,
    PICKED,
    ROWS,
    RUNNING,
    STRIPS,
    TAPS,
    assert_same,
    bits,
    exact_data,
    from_layout,
    levels_and_layouts,
    special_data,
    to_layout,
)

import numpool
from numpool import threads

LEVELS = numpool.levels()
EXTREMES = ("max_pool2d", "min_pool2d")
DIVISORS = (
    {},
    {"count_include_pad": False},
    {"divisor_override": 3},
    {"divisor_override": -7, "count_include_pad": False},
)


@cache
def extreme(case, name, dtype):
    """Special data for a case with what the reference makes of it."""
    x = special_data(case.shape, dtype, np.random.default_rng(0))
    return x, *getattr(reference, name)(x, return_indices=True, **case.max_args)


@cache
def means(case, rule, memory):
    """The reference's averages of float64 data of these bytes; those of any dtype are these, rounded once."""
    return reference.avg_pool2d(np.frombuffer(memory).reshape(case.shape), **case.avg_args, **DIVISORS[rule])


def average(case, dtype, rule):
    """Data for a case, its averages, and how many ulps are allowed: 4, on data of one sign, where no unit is small."""
    geometry = reference.Geometry(case.shape[2:], case.kernel_size, case.stride, case.padding, 1, case.ceil_mode)
    numbers = [rule.get("divisor_override")] if "divisor_override" in rule else (
        geometry.divisors(rule.get("count_include_pad", True), None).ravel().tolist())
    unit = lcm(*(abs(n) for n in numbers if n))
    rng = np.random.default_rng(0)
    if dtype in FLOATS and unit <= (32768 if dtype in ("float32", "float64") else 63):
        x, max_ulps = exact_data(case.shape, dtype, rng, unit), 0
    elif dtype in FLOATS:
        x, max_ulps = abs(exact_data(case.shape, dtype, rng)), 4
    else:
        x, max_ulps = exact_data(case.shape, dtype, rng), 0  # a float64 quotient of exact sums is rounded once
    want = means(case, DIVISORS.index(rule), x.astype(np.float64).tobytes())
    return x, want.astype(x.dtype if dtype in FLOATS else np.float64), max_ulps


def extreme_equals_reference(case, name, dtype):
    x, want, where = extreme(case, name, dtype)
    pool = getattr(numpool, name)
    for layout in levels_and_layouts():
        data = to_layout(x, layout)
        assert_same(from_layout(pool(data, layout=layout, **case.max_args), layout), want)
        z, i = pool(data, return_indices=True, layout=layout, **case.max_args)
        assert_same(from_layout(z, layout), want)
        assert_same(from_layout(i, layout), where)


@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_extreme_equals_reference(case, name):
    extreme_equals_reference(case, name, "float32")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("case", CORE + DILATED + ALONG + FIVES + PICKED + ROWS + STRIPS + TAPS, ids=str)
def test_extreme_equals_reference_in_every_dtype(case, name, dtype):
    extreme_equals_reference(case, name, dtype)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", EXTREMES)
@pytest.mark.parametrize("case", CORE + DILATED + TAPS, ids=str)
def test_indices_equal_reference_in_every_convention(case, name, layout, index):
    x = to_layout(extreme(case, name, "float32")[0], layout)
    args = dict(return_indices=True, layout=layout, index=index, **case.max_args)
    for got, want in zip(getattr(numpool, name)(x, **args), getattr(reference, name)(x, **args)):
        assert_same(got, want)


@pytest.mark.parametrize(
    "kernel, dtype", [(15, np.uint8), ((5, 51), np.uint8), (16, np.uint16), ((1, 65536), np.int32)]
)
def test_window_index_dtype_follows_the_number_of_taps(kernel, dtype):
    height, width = reference.pair(kernel)
    x = np.zeros((1, 1, height, width), np.float32)
    x[..., -1, -1] = 1
    pad = ((0, 0), (width, 0))
    i = numpool.max_pool2d(x, kernel, kernel, pad, return_indices=True, index="window")[1]
    none = np.iinfo(dtype).max if dtype != np.int32 else -1
    assert_same(i, np.array([[[[none, height * width - 1]]]], dtype))


def average_equals_reference(case, dtype, rule):
    x, want, max_ulps = average(case, dtype, rule)
    for layout in levels_and_layouts():
        y = numpool.avg_pool2d(to_layout(x, layout), layout=layout, **case.avg_args, **rule)
        assert_same(from_layout(y, layout), want, max_ulps)


@pytest.mark.parametrize("case", AVG_CASES, ids=str)
def test_average_equals_reference(case):
    for rule in DIVISORS:
        average_equals_reference(case, "float32", rule)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CORE + ALONG + FLAT + PICKED + ROWS + RUNNING + STRIPS + JOINED, ids=str)
def test_average_equals_reference_in_every_dtype(case, dtype):
    for rule in DIVISORS[:3]:
        average_equals_reference(case, dtype, rule)


@pytest.mark.parametrize("result", [name for name in DTYPES if name != "bool"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_average_result_dtype_is_honoured(dtype, result):
    case = CORE[4]
    if dtype in FLOATS and result not in FLOATS:
        with pytest.raises(TypeError):
            numpool.avg_pool2d(np.zeros(case.shape, dtype), 2, dtype=result)
        return
    x = exact_data(case.shape, dtype, np.random.default_rng(0), 4 if dtype in FLOATS else 1)
    want = reference.avg_pool2d(x, divisor_override=4, dtype=result, **case.avg_args)
    for layout in LAYOUTS:
        y = numpool.avg_pool2d(to_layout(x, layout), divisor_override=4, dtype=result, layout=layout, **case.avg_args)
        assert_same(from_layout(y, layout), want)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_last_columns_of_long_rows_of_bytes(dtype):
    extreme_equals_reference(LONG_ROW, "max_pool2d", dtype)
    average_equals_reference(LONG_ROW, dtype, {"count_include_pad": False})


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("layout, shape", [("NHWC", (4, 24, 4, 20000)), ("NCHW", (4, 1, 24, 20000))])
def test_blocks_that_end_in_the_next_image_need_no_scratch(name, layout, shape):
    """Windows side by side have none: what is written there belongs to others."""
    x = exact_data(shape, "float32", np.random.default_rng(0), 4)[::2]
    want = getattr(reference, name)(x, 2, layout=layout)
    for level in LEVELS:
        with numpool.use_level(level):
            assert_same(getattr(numpool, name)(x, 2, layout=layout), want)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "uint8", "int64"])
@pytest.mark.parametrize("name", [*EXTREMES, "avg_pool2d"])
@pytest.mark.parametrize("case", CORE + FLAT + PICKED + RUNNING + STRIPS + JOINED + CASES[-12:], ids=str)
def test_levels_layouts_and_threads_give_the_same_bits(case, name, dtype):
    rng = np.random.default_rng(0)
    pool, args = getattr(numpool, name), case.avg_args
    zeros = np.copysign(0, rng.standard_normal(case.shape))
    numbers = (100 * rng.standard_normal(case.shape)).astype(dtype)
    for x in (special_data(case.shape, dtype, rng), numbers, zeros.astype(dtype)):
        seen = set()
        for level in LEVELS:
            for count in (1, 2, 3):
                with numpool.use_level(level), numpool.num_threads(count), threads.min_bytes_per_thread(1):
                    for layout in LAYOUTS:
                        seen.add(bits(from_layout(pool(to_layout(x, layout), layout=layout, **args), layout)))
        assert len(seen) == 1
