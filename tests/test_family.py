"""The whole family: every operation equals its reference in every dtype, layout and storage, and keeps the invariants.

Windows of 1 and 3 axes meet a list of geometries of their own; then each operation's calls of `family_cases` are tried
on one invariant after the other. What is special to one operation stands in `test_family_operations`.
"""

from functools import cache, partial
from math import lcm, prod

import family_reference
import numpy as np
import pytest
from cases import (
    DTYPES,
    FLOATS,
    IMAGES,
    INDICES,
    LAYOUTS_OF,
    LINES,
    STORAGES,
    VOLUMES,
    assert_same,
    bits,
    exact_data,
    from_layout,
    special_data,
    to_layout,
)
from family_cases import (
    BACKWARD,
    CALLS,
    circumstances,
    data,
    gradient,
    normal,
    parameters,
    placed,
    run,
    unplaced,
)
from reference import finite_differences

import numpool
from numpool import _kernels

EXTREMES = ("max", "min")
DIVISORS = ({}, {"count_include_pad": False}, {"divisor_override": 3}, {"divisor_override": -7})
each_case = pytest.mark.parametrize("case", LINES + VOLUMES, ids=str)
each_call = pytest.mark.parametrize("call", CALLS, ids=str)
each_backward = pytest.mark.parametrize("call", BACKWARD, ids=str)


def levels():
    """Put every level in force, one after the other."""
    return circumstances((1,))


# ---- Lines and volumes ----


@cache
def extreme(case, name, index="plane", layout=None):
    layout = layout or LAYOUTS_OF[case.rank][0]
    x = to_layout(special_data(case.shape, "float32", np.random.default_rng(0)), layout)
    args = case.max_args | {"layout": layout, "index": index, "return_indices": True}
    return x, args, getattr(family_reference, name)(x, **args)


@pytest.mark.parametrize("op", EXTREMES)
@pytest.mark.parametrize("case", LINES + VOLUMES + IMAGES, ids=str)
def test_extreme_of_lines_and_volumes_equals_reference(case, op):
    name = f"{op}_pool{case.rank}d"
    x, _, (want, where) = extreme(case, name)
    pool = getattr(numpool, name)
    for _ in levels():
        for layout in LAYOUTS_OF[case.rank]:
            args = case.max_args | {"layout": layout}
            assert_same(from_layout(pool(to_layout(x, layout), **args), layout), want)
            y, i = pool(to_layout(x, layout), return_indices=True, **args)
            assert_same(from_layout(y, layout), want)
            assert_same(from_layout(i, layout), where)


@pytest.mark.parametrize("index", INDICES)
@pytest.mark.parametrize("op", EXTREMES)
@each_case
def test_indices_of_lines_and_volumes_and_their_gradients_in_every_convention(case, op, index):
    name = f"{op}_pool{case.rank}d"
    for layout in LAYOUTS_OF[case.rank]:
        x, args, want = extreme(case, name, index, layout)
        for got, right in zip(getattr(numpool, name)(x, **args), want):
            assert_same(got, right)
        g = exact_data(want[0].shape, "float32", np.random.default_rng(1))
        args = case.max_args | {"layout": layout, "index": index}
        right = getattr(family_reference, f"{name}_backward")(g, want[1], x.shape, **args)
        for _ in levels():
            assert_same(getattr(numpool, f"{name}_backward")(g, want[1], x.shape, **args), right)


@pytest.mark.parametrize("rule", DIVISORS, ids=str)
@pytest.mark.parametrize("case", [case for case in LINES + VOLUMES if case.dilation == 1], ids=str)
def test_average_of_lines_and_volumes_and_its_gradient_equal_reference(case, rule):
    windows = family_reference.Regular(case.shape, LAYOUTS_OF[case.rank][0], **case.avg_args)
    divisors = windows.divisors(rule.get("count_include_pad", True), rule.get("divisor_override"))
    unit = lcm(*(abs(n) for n in divisors.ravel().tolist() if n))  # quotients are then integers, below 2**24
    rng, name = np.random.default_rng(0), f"avg_pool{case.rank}d"
    x = exact_data(case.shape, "float32", rng, unit)
    g = exact_data((*case.shape[:2], *divisors.shape), "float32", rng, unit)
    for layout in LAYOUTS_OF[case.rank]:
        args = case.avg_args | rule | {"layout": layout}
        a, b = to_layout(x, layout), to_layout(g, layout)
        want = getattr(family_reference, name)(a, **args)
        back = getattr(family_reference, f"{name}_backward")(b, a.shape, **args)
        for _ in levels():
            assert_same(getattr(numpool, name)(a, **args), want)
            assert_same(getattr(numpool, f"{name}_backward")(b, a.shape, **args), back)


@pytest.mark.parametrize("case", IMAGES, ids=str)
def test_average_of_volumes_by_images_equals_reference(case):
    x = exact_data(case.shape, "float32", np.random.default_rng(0), case.kernel_size**3)
    for layout in LAYOUTS_OF[case.rank]:
        a = to_layout(x, layout)
        want = family_reference.avg_pool3d(a, layout=layout, **case.avg_args)
        for _ in levels():
            assert_same(numpool.avg_pool3d(a, layout=layout, **case.avg_args), want)


@pytest.mark.parametrize("result", [name for name in DTYPES if name != "bool"])
@pytest.mark.parametrize(
    "name, shape, args",
    [
        ("avg_pool1d", (2, 3, 10), {"kernel_size": 4, "stride": 3}),
        ("avg_pool3d", (2, 3, 2, 4, 4), {"kernel_size": (1, 2, 2)}),
        ("adaptive_avg_pool2d", (2, 3, 4, 8), {"output_size": (2, 5)}),
        ("global_avg_pool", (2, 3, 4, 8), {}),
        ("avg_over_time", (2, 3, 7), {"lengths": (3, 0)}),
    ],
)
def test_average_result_dtype_is_honoured(name, shape, args, result):
    for dtype in ("uint8", "int64", "float32"):
        x = exact_data(shape, dtype, np.random.default_rng(0))
        pool = partial(getattr(numpool, name), dtype=result, **args)
        if dtype == "float32" and result not in FLOATS:
            with pytest.raises(TypeError):
                pool(x)
        else:
            want = getattr(family_reference, name)(x, dtype=result, **args)
            assert_same(pool(x), want, 0 if dtype != "float32" else 4)  # sums are exact, quotients of floats rounded


# ---- Every operation ----


@pytest.mark.parametrize("dtype", DTYPES)
@each_call
def test_every_operation_equals_reference_in_every_dtype(call, dtype):
    if dtype not in call.dtypes or not call.oracle:
        return
    x = data(call, dtype)
    want = run(family_reference, call, x, call.layouts[0])
    for _ in levels():
        for layout in call.layouts:
            got = run(numpool, call, placed(x, layout), layout)
            assert len(got) == len(want)
            assert_same(unplaced(got[0], call, layout), want[0], call.max_ulps)
            for a, b in zip(got[1:], want[1:]):
                assert_same(unplaced(a, call, layout), b)


@pytest.mark.parametrize("index", INDICES)
@each_call
def test_indices_of_every_operation_in_every_convention(call, index):
    if not call.chooses or not call.oracle or "index" not in parameters(call.name) or "k_max" in call.name:
        return
    for layout in call.layouts:
        x = placed(data(call, "float32"), layout)
        more = {"index": index}
        for got, want in zip(run(numpool, call, x, layout, **more), run(family_reference, call, x, layout, **more)):
            assert_same(got, want)


@each_call
def test_values_do_not_depend_on_whether_indices_are_asked_for(call):
    if call.chooses:
        for layout in call.layouts:
            x = placed(data(call, "float32"), layout)
            with_indices = run(numpool, call, x, layout)
            assert_same(run(numpool, call, x, layout, return_indices=False)[0], with_indices[0])


@pytest.mark.parametrize("dtype", FLOATS)
@each_backward
def test_gradient_of_every_operation_equals_reference(call, dtype):
    for layout in call.layouts:
        for index in call.conventions:
            g, args = gradient(call, dtype, layout, index)
            want = getattr(family_reference, call.backward)(g, **args)
            for _ in levels():
                assert_same(getattr(numpool, call.backward)(g, **args), want)


@each_backward
def test_gradient_of_every_operation_is_its_derivative(call):
    if "stochastic" in call.name:  # the derivative of one draw: its test is beside the draws
        return
    rng = np.random.default_rng(1)
    more = {"random_samples": call.args["random_samples"][:1, :1]} if "random_samples" in call.args else {}
    more |= {"lengths": call.args["lengths"][:1]} if "lengths" in call.args else {}
    shape = call.shape if call.name == "maxout" else (1, 1, *call.shape[2:])
    shape = shape if prod(shape) < 300 else (1, 6, 3, 3)
    x = rng.permutation(prod(shape)).reshape(shape) - 7.0
    layout = call.layouts[0]
    y, *_ = run(numpool, call, x, layout, **more)
    g = rng.integers(-5, 6, y.shape).astype(float)
    want = finite_differences(lambda x: run(numpool, call, x, layout, **more)[0], x, g)
    _, args = gradient(call, "float64", layout)
    _, *indices = run(numpool, call, x, layout, **more)
    mine = {"input_shape": shape, "x": x, "y": y, "indices": (*indices, None)[0], **more}
    got = getattr(numpool, call.backward)(g, **args | {key: value for key, value in mine.items() if key in args})
    np.testing.assert_allclose(got, want, atol=1e-9)  # what is differenced is of size 500 and may be a quotient


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "uint8"])
@each_call
def test_levels_layouts_and_threads_give_the_same_bits(call, dtype):
    if dtype not in call.dtypes:
        return
    x = abs(normal(call.shape, "float64", np.random.default_rng(2))).astype(dtype)
    x[:1] = data(call, dtype)[:1]
    seen = set()
    for _ in circumstances():
        for layout in call.layouts:
            results = run(numpool, call, placed(x, layout), layout)
            seen.add(b"".join(bits(unplaced(y, call, layout)) for y in results))
    assert len(seen) == 1


@pytest.mark.parametrize("dtype", FLOATS)
@each_backward
def test_gradients_have_the_same_bits_at_every_level_layout_and_thread_count(call, dtype):
    calls = [(layout, *gradient(call, dtype, layout, values=normal)) for layout in call.layouts]
    seen = set()
    for _ in circumstances():
        for layout, g, args in calls:
            seen.add(bits(placed_back(getattr(numpool, call.backward)(g, **args), layout)))
    assert len(seen) == 1


def placed_back(x, layout):
    return np.ascontiguousarray(from_layout(x, layout) if layout else x)


# ---- Arrays ----


@pytest.mark.parametrize("storage", STORAGES)
@each_call
def test_every_storage_of_an_array_pools_alike(call, storage):
    for dtype in ("float32", "uint8") if "uint8" in call.dtypes else ("float32",):
        for layout in call.layouts:
            plain = placed(data(call, dtype), layout)
            x = STORAGES[storage](plain)
            for got, want in zip(run(numpool, call, x, layout), run(numpool, call, plain, layout), strict=True):
                assert_same(got, want)
            assert_same(x, plain)  # the input is only read


@pytest.mark.parametrize("storage", STORAGES)
@each_backward
def test_gradient_and_out_of_any_storage(call, storage):
    for layout in call.layouts:
        g, args = gradient(call, "float32", layout)
        backward = getattr(numpool, call.backward)
        want = backward(g, **args)
        lie = STORAGES[storage]
        args = {k: lie(v) if isinstance(v, np.ndarray) and v.ndim > 2 else v for k, v in args.items()}
        out = lie(np.full_like(want, 7))
        assert backward(lie(g) if g.ndim > 2 else g, out=out, **args) is out
        assert_same(out, want)


@pytest.mark.parametrize("storage", STORAGES)
@each_call
def test_out_of_any_strides_is_filled_and_returned(call, storage):
    for layout in call.layouts:
        x = placed(data(call, "float32"), layout)
        want = run(numpool, call, x, layout)
        outs = tuple(np.full_like(y, 7) for y in want)
        outs = tuple(STORAGES[storage](y) if y.ndim > 2 else np.repeat(y, 2, 0)[::2] for y in outs)
        _kernels.forget()
        for _ in ("new", "known"):
            for out in outs:
                out[...] = 7
            got = run(numpool, call, x, layout, out=outs if len(outs) > 1 else outs[0])
            for out, returned, right in zip(outs, got, want, strict=True):
                assert returned is out
                assert_same(out, right)


@pytest.mark.parametrize("lead", [(), (2,), (3, 2), (2, 1, 2, 1)], ids=str)
@pytest.mark.parametrize("call", [call for call in CALLS if call.free], ids=str)
def test_leading_axes_are_free(call, lead):
    for layout in call.layouts:
        channels_last = layout[-1] == "C"
        shape = (*lead, *call.shape[2:], 3) if channels_last else (*lead, *call.shape[2:])
        x = exact_data(shape, "float32", np.random.default_rng(0), 180)
        want = run(family_reference, call, x, layout)
        for got, right in zip(run(numpool, call, x, layout), want, strict=True):
            assert_same(got, right)
        args = call.args | {"layout": layout, "input_shape": shape, "x": x, "y": want[0], "indices": want[-1]}
        args = {k: v for k, v in args.items() if k in parameters(call.backward)}
        g = exact_data(want[0].shape, "float32", np.random.default_rng(1), 180)
        right = getattr(family_reference, call.backward)(g, **args)
        assert_same(getattr(numpool, call.backward)(g, **args), right)


@pytest.mark.parametrize("empty", [0, 1], ids=["no samples", "no channels"])
@pytest.mark.parametrize("call", [call for call in CALLS if call.free], ids=str)
def test_no_samples_or_no_channels_give_an_empty_result(call, empty):
    shape = [*call.shape]
    shape[empty] = 0
    for layout in call.layouts:
        x = placed(np.zeros(shape, np.float32), layout)
        for got, want in zip(run(numpool, call, x, layout), run(family_reference, call, x, layout), strict=True):
            assert_same(got, want)


@each_backward
def test_no_samples_give_an_empty_gradient(call):
    args = {k: v[:0] if k in ("lengths", "random_samples") else v for k, v in call.args.items()}
    for layout in call.layouts:
        x = placed(np.zeros((0, *call.shape[1:]), np.float32), layout)
        given = args | ({"layout": layout} if layout else {})
        pair = getattr(numpool, call.name)(x, **given, **({"return_indices": True} if call.chooses else {}))
        y, indices = pair if call.chooses else (pair, None)
        given |= {"input_shape": x.shape, "x": x, "y": y, "indices": indices}
        given = {k: v for k, v in given.items() if k in parameters(call.backward)}
        assert_same(getattr(numpool, call.backward)(y, **given), x)
        assert y.size == 0


@each_call
def test_byte_swapped_read_only_and_nested_input_is_fine(call):
    for dtype in ("float32", "int32"):
        if dtype in call.dtypes:
            x = data(call, dtype)
            want = run(numpool, call, x, call.layouts[0])
            x.flags.writeable = False
            for other in (x, x.astype(x.dtype.newbyteorder("S"))):
                for got, right in zip(run(numpool, call, other, call.layouts[0]), want, strict=True):
                    assert_same(got, right)
                    assert got.dtype.isnative and got.flags.writeable
    x = data(call, "float64")
    for got, right in zip(run(numpool, call, x.tolist(), call.layouts[0]), run(numpool, call, x, call.layouts[0])):
        assert_same(got, right)


@each_call
def test_zero_strides_are_read_where_they_lie(call):
    small = data(call, "float32")[:1, :, :1]
    x = np.broadcast_to(small, (call.shape[0], call.shape[1], call.shape[2], *small.shape[3:]))
    for layout in call.layouts:
        view = np.moveaxis(x, 1, -1) if layout and layout[-1] == "C" else x
        for got, want in zip(run(numpool, call, view, layout), run(numpool, call, view.copy(), layout), strict=True):
            assert_same(got, want)


@pytest.mark.parametrize("call", [call for call in BACKWARD if call.chooses], ids=str)
def test_any_integer_dtype_of_indices_is_accepted(call):
    g, args = gradient(call, "float32", call.layouts[0])
    want = getattr(numpool, call.backward)(g, **args)
    for dtype in ("int16", "int32", "uint16", "uint64"):
        if (args["indices"] >= 0).all() or dtype[0] == "i":
            other = args | {"indices": args["indices"].astype(dtype)}
            assert_same(getattr(numpool, call.backward)(g, **other), want)
