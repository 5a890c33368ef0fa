"""Every wrong argument is a TypeError or a ValueError that says why, and nothing is written before it is raised.

A row is (what to change in a right call, the exception, what its text must show). Rows about an argument run for every
operation that has this argument. `SHOWN` asks for the wrong value itself.
"""

import inspect
import re
import subprocess
import sys

import numpy as np
import pytest

import numpool
from numpool import _kernels

X = np.arange(2 * 3 * 6 * 6, dtype=np.float32).reshape(2, 3, 6, 6)
WRONG, SHOWN = (TypeError, ValueError), object()
FORWARD = ("max_pool2d", "min_pool2d", "avg_pool2d")
EXTREME_BACKWARD = ("max_pool2d_backward", "min_pool2d_backward")
BACKWARD = (*EXTREME_BACKWARD, "avg_pool2d_backward")
OUTPUT = (2, 3, 3, 3)


def right_call(name, **changes):
    """Arguments of a call that succeeds, and an `out` for it, both after the changes."""
    arguments = {"kernel_size": 2}
    if name in FORWARD:
        arguments |= {"x": X, "out": np.full(OUTPUT, 7, np.float32)}
        if changes.get("return_indices"):
            arguments["out"] = (arguments["out"], np.full(OUTPUT, 7, np.int64))
    else:
        arguments |= {"grad_output": np.ones(OUTPUT, np.float32), "input_shape": X.shape}
        arguments["out"] = np.full(X.shape, 7, np.float32)
        if name in EXTREME_BACKWARD:
            arguments["indices"] = numpool.max_pool2d(X, 2, return_indices=True)[1]
    return arguments | changes


def call(name, arguments):
    """Call with the array by position, the rest by name."""
    arguments = dict(arguments)
    first = arguments.pop("x" if name in FORWARD else "grad_output")
    return getattr(numpool, name)(first, **arguments)


def flat(out):
    return [array for array in (out if isinstance(out, (tuple, list)) else (out,)) if isinstance(array, np.ndarray)]


def refuse(name, changes, exception, shown=None):
    """The changed call raises the exception with a text, and leaves `out` as it was."""
    arguments = right_call(name, **changes)
    if shown is SHOWN:
        (shown,) = (str(value) for key, value in changes.items() if key != "return_indices")
    before = [array.tobytes() for array in flat(arguments["out"])]
    with pytest.raises(WRONG):
        call(name, arguments)
    assert [array.tobytes() for array in flat(arguments["out"])] == before, "out was written"
    if "out" not in changes:  # without out, only the argument in question can be what is refused
        del arguments["out"]
    with pytest.raises(exception) as caught:
        call(name, arguments)
    text = str(caught.value)
    assert len(text.split()) >= 3, f"says nothing: {text!r}"
    assert shown is None or str(shown) in text, f"does not show {shown}: {text!r}"


def refuse_out(name, changes, *row):
    """The same of a wrong `out`: by a call that is new, and by one whose plan is known."""
    _kernels.forget()
    refuse(name, changes, *row)
    arguments = right_call(name, **changes)
    del arguments["out"]
    call(name, arguments)
    refuse(name, changes, *row)


def names_having(arguments):
    """The operations that take all these arguments."""
    names = (*FORWARD, *BACKWARD)
    return [name for name in names if arguments <= {*inspect.signature(getattr(numpool, name)).parameters}]


def over_rows(rows, names=None):
    """Parametrise over the rows, each for every operation that takes its arguments."""
    table = []
    for changes, exception, *shown in rows:
        for name in names or names_having(set(changes)):
            label = re.sub(r" at 0x[0-9a-f]+", "", ", ".join(f"{key}={value!r}" for key, value in changes.items()))
            label = label if len(label) < 60 and label.isprintable() else "-".join(changes)
            table.append(pytest.param(name, changes, exception, *shown or [None], id=f"{name}: {label}"))
    return pytest.mark.parametrize("name, changes, exception, shown", table)


def each(argument, exception, shown, *values):
    """A row per wrong value of one argument."""
    return [({argument: value}, exception, shown) for value in values]


NOT_INTEGERS = (True, 2.0, np.float32(2), np.True_, "2", 2j, ..., (2, 2.0), (2, True), (2, "2"), (2, None))
NOT_PAIRS = ((2, 2, 2), ((2, 2), (2, 2)), ([2], [2]))

GEOMETRY = [
    *each("kernel_size", TypeError, None, None, *NOT_INTEGERS),
    *each("kernel_size", ValueError, SHOWN, 0, -1, 7, 2**31, 2**32 + 2, 2**62, 2**63, 2**64 + 2, -(2**63)),
    *each("kernel_size", ValueError, "0", (2, 0), (0, 2)),
    *each("kernel_size", WRONG, None, (), *NOT_PAIRS),
    *each("stride", TypeError, None, *NOT_INTEGERS),
    *each("stride", ValueError, SHOWN, 0, -1, -(2**63)),
    *each("stride", ValueError, "-3", (2, -3), (-3, 2)),
    *each("stride", WRONG, None, *NOT_PAIRS),
    *each("dilation", TypeError, None, None, *NOT_INTEGERS),
    *each("dilation", ValueError, SHOWN, 0, -1, 6, 2**32, 2**62, 2**63, 2**64),
    *each("dilation", WRONG, None, (), *NOT_PAIRS),
    *each("padding", TypeError, None, None, *NOT_INTEGERS[:3], np.True_, 2j, (0, 1.0), (0, True), ((0, 1.0), (0, 0))),
    *each("padding", ValueError, SHOWN, -1, -(2**63)),
    *each("padding", ValueError, "-2", (0, -2), (-2, 0), ((0, -2), (0, 0)), ((0, 0), (-2, 0))),
    *each("padding", ValueError, SHOWN, "same ", " valid", "sameupper", "full", "SAME_UPPER?", "samelower"),
    *each("padding", WRONG, None, "", b"same", (), (1, 1, 1), ((1, 1),), ("same",), ((1, 1), (1, 1), (1, 1))),
    *each("padding", WRONG, None, ((1,), (1,)), ((1, 1, 1), (1, 1, 1)), (((1, 1), (1, 1)),), ("same", "same")),
    *each("layout", WRONG, SHOWN, "nchw", "NCL", "NCDHW", "NWHC", "NHWC "),
    *each("layout", WRONG, None, "", None, 1, b"NCHW", ("NCHW",)),
    *each("index", WRONG, SHOWN, "Plane", "windows", "torch"),
    *each("index", WRONG, None, "", None, 0, b"plane"),
]


@over_rows(GEOMETRY)
def test_wrong_geometry_is_refused(name, changes, exception, shown):
    refuse(name, changes, exception, shown)


INPUTS = [
    *each("x", TypeError, "complex64", X.astype(np.complex64)),
    *each("x", TypeError, "object", X.astype(object), None, ..., [[None, 1.0], [2.0, 3.0]]),
    *each("x", TypeError, None, *(np.zeros(X.shape, dtype) for dtype in ("S8", "U8", "M8[s]", "m8[s]", "f4,f4", "V4"))),
    *each("x", TypeError, None, "photo.png", b"photo"),
    *each("x", WRONG, None, 3.0, np.float32(3), X[0, 0, 0], [1.0, 2.0], [[1.0, 2.0], [3.0]], {1: 2}),
    *each("x", ValueError, "0", X[:, :, :0], X[..., :0], X[:, :, :0, :0]),
]
if np.dtype(np.longdouble) != np.dtype(np.float64):
    INPUTS += each("x", TypeError, None, X.astype(np.longdouble))


@over_rows(INPUTS)
def test_wrong_input_is_refused(name, changes, exception, shown):
    refuse(name, changes, exception, shown)


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize(
    "shape, layout",
    [((6, 6), "NHWC"), ((6,), "NHWC"), ((6,), "NCHW"), ((), "NCHW"), ((2, 0, 6, 3), "NHWC"), ((2, 6, 0, 3), "NHWC")],
)
def test_wrong_shape_for_the_layout_is_refused(name, shape, layout):
    refuse(name, {"x": np.zeros(shape, np.float32), "layout": layout}, ValueError)


@pytest.mark.parametrize("name", FORWARD)
def test_kernel_larger_than_the_padded_input_shows_the_numbers(name):
    refuse(name, {"kernel_size": (9, 2), "padding": 1}, ValueError, "9")
    refuse(name, {"x": X[..., :5], "kernel_size": (2, 11)}, ValueError, "11")
    refuse(name, {"x": X[..., :5], "kernel_size": (2, 11)}, ValueError, "5")


@over_rows(
    [
        *each("divisor_override", TypeError, None, True, 2.0, "2", np.float32(2), np.True_, (2, 2), [2], 2j),
        *each("divisor_override", ValueError, SHOWN, 0, np.int64(0)),
        *each("dtype", TypeError, None, bool, np.complex64, object, "U4", "M8[s]", "nonsense", 3.5, "f4,f4", "V4"),
        *each("dtype", TypeError, None, np.int8, np.uint8, np.int64, int),  # a float's average as an integer
    ],
    names=["avg_pool2d"],
)
def test_wrong_average_is_refused(name, changes, exception, shown):
    refuse(name, changes, exception, shown)


def test_wrong_divisor_is_refused_backward():
    for divisor, exception in ((0, ValueError), (True, TypeError), (2.0, TypeError), ("2", TypeError)):
        refuse("avg_pool2d_backward", {"divisor_override": divisor}, exception)


def read_only(shape, dtype=np.float32):
    array = np.full(shape, 7, dtype)
    array.flags.writeable = False
    return array


class Arrayish:
    """Something that np.asarray takes, which is not an array to write into."""

    def __array__(self, dtype=None, copy=None):
        return np.zeros(OUTPUT, np.float32)


SHAPES = ((2, 3, 3, 4), (2, 3, 9), (1, 2, 3, 3, 3), (3, 3), (), (0,), (2, 3, 3, 0))


@over_rows(
    [
        *each("out", TypeError, None, [[1.0]], 3.0, "out", Arrayish(), memoryview(b"12"), np.float32(1)),
        *each("out", WRONG, None, *(np.full(OUTPUT, 7, dtype) for dtype in ("f8", "f2", ">f4", "i4", "c8", "O"))),
        *each("out", WRONG, None, (np.full(OUTPUT, 7, "f4"),), (np.full(OUTPUT, 7, "f4"), np.full(OUTPUT, 7, "i8"))),
        *each("out", ValueError, None, read_only(OUTPUT)),
        *each("out", ValueError, "(2, 3, 3, 3)", *(np.full(shape, 7, "f4") for shape in SHAPES)),
    ],
    names=FORWARD,
)
def test_wrong_out_is_refused(name, changes, exception, shown):
    refuse_out(name, changes, exception, shown)


@over_rows(
    [
        *each("out", TypeError, None, [[1.0]], 3.0, "out"),
        *each("out", WRONG, None, np.full(X.shape, 7, "f8"), np.full(X.shape, 7, ">f4"), np.full(X.shape, 7, "i4")),
        *each("out", ValueError, None, read_only(X.shape), np.full(OUTPUT, 7, "f4"), np.full((36, 6), 7, "f4")),
    ],
    names=BACKWARD,
)
def test_wrong_out_is_refused_backward(name, changes, exception, shown):
    refuse_out(name, changes, exception, shown)


def outs(values=OUTPUT, indices=OUTPUT, dtypes=(np.float32, np.int64)):
    return np.full(values, 7, dtypes[0]), np.full(indices, 7, dtypes[1])


SHARED = np.zeros(2 * 54, np.int64)


@pytest.mark.parametrize("name", FORWARD[:2])
@pytest.mark.parametrize(
    "out, index",
    [
        (outs()[0], "plane"),
        (outs()[:1], "plane"),
        ((*outs(), outs()[0]), "plane"),
        (outs()[::-1], "plane"),
        (outs(indices=(2, 3, 3, 4)), "plane"),
        (outs(values=(2, 3, 3, 4)), "plane"),
        (outs(dtypes=(np.float32, np.int32)), "plane"),
        (outs(dtypes=(np.float32, np.uint64)), "tensor"),
        (outs(dtypes=(np.float32, ">i8")), "nhwc"),
        (outs(), "window"),
        ((read_only(OUTPUT), outs()[1]), "plane"),
        ((outs()[0], read_only(OUTPUT, np.int64)), "plane"),
        ((outs()[0], None), "plane"),
        ((SHARED.view(np.float32)[:54].reshape(OUTPUT), SHARED[:54].reshape(OUTPUT)), "plane"),
    ],
)
def test_wrong_pair_of_outs_is_refused(name, out, index):
    refuse_out(name, {"return_indices": True, "out": out, "index": index}, WRONG)


@pytest.mark.parametrize("name", FORWARD)
@pytest.mark.parametrize(
    "part", [np.s_[..., :3, :3], np.s_[..., 3:, 3:], np.s_[..., ::2, ::2], np.s_[..., 2::-1, 5:2:-1]], ids=str
)
def test_out_that_overlaps_the_input_is_refused(name, part):
    x = X.copy()
    refuse_out(name, {"x": x, "out": x[part]}, ValueError)
    refuse_out(name, {"x": x[::-1], "out": x[part]}, ValueError)


@pytest.mark.parametrize("name", BACKWARD)
def test_out_that_overlaps_an_input_is_refused_backward(name):
    memory = np.ones(X.size * 2, np.float32)
    out = memory[: X.size].reshape(X.shape)
    refuse_out(name, {"grad_output": memory[X.size - 1 :][:54].reshape(OUTPUT), "out": out}, ValueError)
    if name in EXTREME_BACKWARD:
        memory = np.zeros(X.size, np.int64)
        indices = memory[20:74].reshape(OUTPUT)
        indices[...] = right_call(name)["indices"]
        refuse_out(name, {"indices": indices, "out": memory.view(np.float32)[: X.size].reshape(X.shape)}, ValueError)


def test_the_other_memory_beside_the_input_is_a_fine_out():
    memory = np.zeros(X.size + 54, np.float32)
    x, out = memory[: X.size].reshape(X.shape), memory[X.size :].reshape(OUTPUT)
    x[...] = X
    assert numpool.max_pool2d(x, 2, out=out) is out
    assert (out == numpool.max_pool2d(X, 2)).all() and (x == X).all()


INDICES = numpool.max_pool2d(X, 2, return_indices=True)[1]


def with_index(value, dtype=np.int64, at=(1, 2, 1, 2)):
    indices = INDICES.astype(dtype)
    indices[at] = value
    return indices


@over_rows(
    [
        *each("grad_output", TypeError, None, *(np.ones(OUTPUT, dtype) for dtype in ("i8", "?", "c8", "O", "U1"))),
        *each("grad_output", TypeError, None, None, "grad"),
        *each("grad_output", ValueError, "3", *(np.ones(shape, np.float32) for shape in SHAPES)),
        *each("grad_output", ValueError, "3", np.ones((2, 3, 3, 3, 1), np.float32), np.ones((2, 1, 3, 3), np.float32)),
        *each("input_shape", TypeError, None, None, "2366", 4.0, (2, 3, 6.0, 6), (2, 3, "6", 6), (2, 3, None, 6)),
        *each("input_shape", WRONG, None, 6, (), (6,), (2, 3, 6, True)),
        *each("input_shape", ValueError, None, (2, 3, 6), (2, 3, 6, 6, 1), (1, 3, 6, 6), (3, 2, 6, 6), (2, 3, 4, 9)),
        *each("input_shape", ValueError, "0", (2, 3, 0, 6), (2, 3, 6, 0)),
        *each("input_shape", ValueError, "-6", (2, 3, -6, 6), (2, 3, 6, -6), (-6, 3, 6, 6)),
        *each("input_shape", ValueError, None, (2, 3, 2**62, 6), (2**62, 3, 6, 6), (2, 3, 6, 2**63)),
        *each("input_shape", ValueError, None, (2**64 + 2, 3, 6, 6), (2, 3, 6 + 2**32, 6), (2, 3 + 2**32, 6, 6)),
    ],
    names=BACKWARD,
)
def test_wrong_gradient_is_refused(name, changes, exception, shown):
    refuse(name, changes, exception, shown)


@over_rows(
    [
        *each("indices", TypeError, None, None, INDICES.astype(float), INDICES.astype(np.float16), INDICES > 3),
        *each("indices", TypeError, None, INDICES.astype(object), INDICES.astype("U8"), INDICES.astype(complex)),
        *each("indices", ValueError, "3", INDICES[:1], INDICES[..., :2], INDICES[0], INDICES.ravel()),
        *each("indices", ValueError, "36", with_index(36)),
        *each("indices", ValueError, "-2", with_index(-2), with_index(-2, np.int8), with_index(-2, at=(0, 0, 0, 0))),
        *each("indices", ValueError, str(2**32 + 3), with_index(2**32 + 3)),
        *each("indices", ValueError, str(2**62), with_index(2**62)),
        *each("indices", ValueError, None, with_index(np.iinfo(np.int64).min), with_index(2**63, np.uint64)),
        *each("indices", ValueError, None, with_index(2**64 - 1, np.uint64)),
        *each("indices", ValueError, "200", with_index(200, np.uint8)),
    ],
    names=EXTREME_BACKWARD,
)
def test_wrong_indices_are_refused(name, changes, exception, shown):
    refuse(name, changes, exception, shown)


@pytest.mark.parametrize("name", EXTREME_BACKWARD)
def test_a_wrong_index_is_refused_before_a_strided_out_is_written(name):
    arguments = right_call(name)
    whole = np.full((*X.shape[:-1], 2 * X.shape[-1]), 7, np.float32)
    assert call(name, arguments | {"out": whole[..., ::2]}).base is whole  # its plan is known from now on
    whole[:] = 7
    with pytest.raises(ValueError, match="got 36 at"):
        call(name, arguments | {"out": whole[..., ::2], "indices": with_index(36)})
    assert (whole == 7).all()


@pytest.mark.parametrize("name", EXTREME_BACKWARD)
@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
@pytest.mark.parametrize(
    "index, value",
    [("plane", value) for value in (36, 37, 108)]
    + [("window", value) for value in (0, 3, 9, 254, -2, 256 + 4, 2**32 + 4)]  # tap 4 is the first that exists
    + [("tensor", value) for value in (37, 109, 217)]  # another channel in either layout
    + [("nhwc", value) for value in (1, 108)],
)
def test_an_index_outside_its_plane_or_a_tap_outside_the_input_is_refused(name, layout, index, value):
    """k3 s2 p1 on 6 x 6: window (0, 0) has its first row and column in the padding, and real taps 0, 1, 6, 7."""
    x = X if layout == "NCHW" else np.moveaxis(X, 1, -1)
    geometry = {"kernel_size": 3, "stride": 2, "padding": 1, "layout": layout, "index": index}
    _, indices = numpool.max_pool2d(x, **geometry, return_indices=True)
    grad = np.ones(indices.shape, np.float32)
    refused = {"grad_output": grad, "input_shape": x.shape, "out": np.full(x.shape, 7, np.float32), **geometry}
    wrong = indices.astype(np.int64)
    wrong[0, 0, 0, 0] = value
    refuse(name, {**refused, "indices": wrong}, ValueError, value)


@pytest.mark.parametrize("name", EXTREME_BACKWARD)
@pytest.mark.parametrize("layout", ("NCHW", "NHWC"))
def test_an_index_may_name_any_place_of_its_plane(name, layout):
    """As in PyTorch: the gradient goes where the index says, in the plane of its own channel."""
    places = np.full(OUTPUT, 35)
    places[0, 1] = 7
    grad = np.ones(OUTPUT, np.float32)
    want = np.zeros((*OUTPUT[:2], 36), np.float32)
    np.add.at(want, (*np.indices(OUTPUT)[:2], places), grad)
    if layout == "NHWC":
        places, grad = np.moveaxis(places, 1, -1), np.moveaxis(grad, 1, -1)
    shape = X.shape if layout == "NCHW" else np.moveaxis(X, 1, -1).shape
    got = getattr(numpool, name)(grad, places, shape, 3, 2, 1, layout=layout)
    got = got if layout == "NCHW" else np.moveaxis(got, -1, 1)
    assert (got.reshape(want.shape) == want).all()


@pytest.mark.parametrize("name", (*FORWARD, *BACKWARD))
def test_python_refuses_unknown_missing_and_positional_arguments(name):
    arguments, function = right_call(name), getattr(numpool, name)
    parameters = inspect.signature(function).parameters.values()
    everything = [arguments.get(p.name, p.default) for p in parameters if p.kind is not p.KEYWORD_ONLY]
    with pytest.raises(TypeError, match="unexpected keyword"):
        call(name, arguments | {"kernel": 2})
    with pytest.raises(TypeError, match="missing"):
        call(name, {key: value for key, value in arguments.items() if key != "kernel_size"})
    with pytest.raises(TypeError, match="positional"):
        function(*everything, "NHWC")
    assert (arguments["out"] == 7).all()


@pytest.mark.parametrize("name", (*FORWARD, *BACKWARD))
def test_a_remembered_plan_does_not_let_an_equal_value_of_another_type_pass(name):
    """1 == 1.0 == True and hash alike: a cache keyed on the arguments alone would let them in."""
    values = {"kernel_size": 1, "stride": 1, "dilation": 1, "divisor_override": 1, "padding": 0}
    values = {key: values[key] for key in values if name in names_having({key})}
    right = values | {"out": np.full(X.shape, 7, np.float32)}
    if name in BACKWARD:
        right["grad_output"] = X
    if name in EXTREME_BACKWARD:
        right["indices"] = numpool.max_pool2d(X, 1, return_indices=True)[1]
    for key, value in values.items():
        pairs = key != "divisor_override"
        for same in (value, np.int16(value), *[(value, value), [value, value]] * pairs):
            call(name, right_call(name, **right | {key: same}))
        twins = [bool(value), float(value), np.bool_(value)]
        for twin in twins + [(value, float(value)), [value, bool(value)]] * pairs:
            refuse(name, right | {key: twin}, TypeError)
    if name in BACKWARD:
        refuse(name, right | {"input_shape": (2.0, 3, 6, 6)}, TypeError)


@pytest.mark.parametrize("name", FORWARD)
def test_a_failed_call_leaves_the_next_one_right(name):
    expected = getattr(numpool, name)(X, 2)
    for wrong in ({"kernel_size": 2.0}, {"stride": 0}, {"padding": -1}, {"layout": "nchw"}, {"x": X.astype(complex)}):
        refuse(name, wrong, WRONG)
        assert (getattr(numpool, name)(X, 2) == expected).all()


# Sizes near and beyond 64 bits, in a process with little memory. A row is a call and the first elements that it may
# give, None for a refusal. All end at once: no window table of 2**50 entries, no size that wraps around to a small one.
HUGE = """
import resource, sys, time
import numpy as np
import numpool
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
one = np.ones((1, 1, 1, 1), np.float32)
zero = np.zeros((1, 1, 1, 1), np.int64)
big = (2**40, 2**50, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 2**100)
rows = []
for name, value, nothing in (("max_pool2d", 10, -np.inf), ("min_pool2d", 0, np.inf), ("avg_pool2d", 5, 0)):
    f = getattr(numpool, name)
    for n in big:
        legal = (value,) if n < 2**63 else (value, None)  # beyond 64 bits: right, or refused
        rows += [(f, (x, 3, n), {}, legal), (f, (x, 3, n), {"ceil_mode": True}, legal), (f, (x, 3, (1, n)), {}, legal)]
        rows += [(f, (x, 3, n, n), {}, (nothing, None))]  # three windows an axis: padding, data, padding
        for args in ((3, 1, n), (3, 1, (n, 0)), (3, 1, ((0, n), (0, 0))), (n, 1, n), ((1, n),), (n, n)):
            rows += [(f, (x, *args), {}, (None,))]
for n in big:
    for name in ("max_pool2d_backward", "min_pool2d_backward", "avg_pool2d_backward"):
        f, arrays = getattr(numpool, name), (one,) if "avg" in name else (one, zero)
        for args in (((1, 1, n, n), 2, 2 * n), ((1, 1, n, 2), 2, 2 * n), ((1, 1, 4, 4), n), ((n, n, 4, 4), 4)):
            rows += [(f, (*arrays, *args), {}, (None,))]
for function, args, kwargs, allowed in rows:
    label = f"{function.__name__}{tuple(a.shape if isinstance(a, np.ndarray) else a for a in args)} {kwargs}"
    print(label, flush=True)
    started = time.perf_counter()
    try:
        result = float(function(*args, **kwargs).flat[0])
    except (ValueError, MemoryError) as error:
        assert str(error), "no text"
        result = None
    assert result in allowed, f"{label}: got {result}, expected one of {allowed}"
    assert time.perf_counter() - started < 2, f"{label}: slow"
print("survived")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the memory limit is POSIX")
def test_huge_numbers_are_refused_or_right_and_never_crash():
    command = [sys.executable, "-X", "faulthandler", "-c", HUGE]
    child = subprocess.run(command, capture_output=True, text=True, timeout=120)
    *_, last = child.stdout.splitlines() or ["nothing was printed"]
    assert (child.returncode, last) == (0, "survived"), f"exit {child.returncode} in: {last}\n{child.stderr[-3000:]}"
