"""Every wrong argument of the family is a TypeError or a ValueError that says why, and nothing is written before it.

As in `test_errors`, a row is (what to change in a right call, the exception, what its text must show), and is tried on
every operation that has the argument. "array" is the first argument, which is positional.
"""

import family_reference
import numpy as np
import pytest
from family_cases import BACKWARD, CALLS, gradient, parameters, run
from family_reference import RANKS

import numpool
from numpool import _kernels

WRONG = (TypeError, ValueError)
FORWARD_CALLS = {call.name: call for call in reversed(CALLS)}
BACKWARD_CALLS = {call.backward: call for call in reversed(BACKWARD)}
UNPOOLS = {f"max_unpool{n}d{suffix}": n for n in RANKS for suffix in ("", "_backward")}
NAMES = (*FORWARD_CALLS, *BACKWARD_CALLS, *UNPOOLS)


def right_call(name):
    """The first argument, the others by name, and an `out` for a call that succeeds."""
    if name in FORWARD_CALLS:
        call = FORWARD_CALLS[name]
        x = np.arange(np.prod(call.shape), dtype=np.float32).reshape(call.shape)
        want = run(family_reference, call, x, call.layouts[0], **{"return_indices": False} if call.chooses else {})[0]
        return x, dict(call.args), np.full_like(want, 7)
    if name in BACKWARD_CALLS:
        call = BACKWARD_CALLS[name]
        grad, args = gradient(call, "float32", call.layouts[0])
        args.pop("layout", None)
        shape = args["input_shape"] if "input_shape" in args else args["x"].shape
        return grad, args, np.full(shape, 7, np.float32)
    n = UNPOOLS[name]
    x = np.ones((2, 3, *[2] * n), np.float32)
    indices = np.broadcast_to(np.arange(2**n).reshape([2] * n), x.shape).copy()
    full = np.ones((2, 3, *[4] * n), np.float32)
    first, out = (full, np.full_like(x, 7)) if name.endswith("_backward") else (x, np.full_like(full, 7))
    return first, {"indices": indices, "kernel_size": 2}, out


def refuse(name, changes, exception, shown=None):
    """The changed call raises the exception with a text, and leaves `out` as it was."""
    first, args, out = right_call(name)
    first, args = changes.get("array", first), {**args, **changes}
    args.pop("array", None)
    given = args.pop("out", out)
    before = given.tobytes() if isinstance(given, np.ndarray) else None
    with pytest.raises(exception) as caught:
        getattr(numpool, name)(first, out=given, **args)
    if before is not None:
        assert given.tobytes() == before, "out was written"
    if "out" not in changes:  # without out, only the argument in question can be what is refused
        with pytest.raises(exception) as caught:
            getattr(numpool, name)(first, **args)
    text = str(caught.value)
    assert len(text.split()) >= 3, f"says nothing: {text!r}"
    assert shown is None or str(shown) in text, f"does not show {shown}: {text!r}"


def refuse_out(name, changes, *row):
    """The same of a wrong `out`: by a call that is new, and by one whose plan is known."""
    _kernels.forget()
    refuse(name, changes, *row)
    first, args, _ = right_call(name)
    args = {**args, **changes}
    del args["out"]
    getattr(numpool, name)(args.pop("array", first), **args)
    refuse(name, changes, *row)


def each(argument, exception, shown, *values):
    """A row per wrong value of one argument; "value" shows the value itself."""
    return [({argument: value}, exception, str(value) if shown == "value" else shown) for value in values]


def over_rows(rows, names=None):
    """Parametrise over the rows, each for all operations that take its arguments, or for those named."""
    table = []
    for number, (changes, exception, shown) in enumerate(rows):
        label = ", ".join(f"{key}={value!r}" for key, value in changes.items())
        label = label if len(label) < 60 and label.isprintable() else "-".join(changes)
        takers = names or [name for name in NAMES if {*changes} - {"array", "out"} <= parameters(name)]
        table.append(pytest.param(takers, changes, exception, shown, id=f"{number}: {label}"))
    return pytest.mark.parametrize("names, changes, exception, shown", table)


def refuse_each(names, *row):
    assert names
    for name in names:
        refuse(name, *row)


@pytest.mark.parametrize("name", NAMES)
def test_the_right_call_is_right(name):
    first, args, out = right_call(name)
    want = getattr(family_reference, name)(first, **args)
    got = getattr(numpool, name)(first, out=out, **args)
    assert got is out
    np.testing.assert_array_almost_equal(got, want)


# ---- What many operations share ----

NOT_INTEGERS = (True, 2.0, np.float32(2), "2", 2j, ...)

ROWS = [
    *each("kernel_size", TypeError, None, None, *NOT_INTEGERS),
    *each("kernel_size", ValueError, "value", 0, -1),
    *each("kernel_size", WRONG, None, (), (2,) * 4, ((2, 2),)),
    *each("stride", TypeError, None, *NOT_INTEGERS),
    *each("stride", ValueError, "value", 0, -3),
    *each("stride", WRONG, None, (2,) * 4),
    *each("dilation", TypeError, None, None, *NOT_INTEGERS),
    *each("dilation", ValueError, "value", 0, -1, 1000),
    *each("padding", TypeError, None, None, True, 1.0, 2j),
    *each("padding", ValueError, "value", -1, "full", "same "),
    *each("padding", WRONG, None, (1,) * 4, ((1, 1),) * 4, ((1, 1, 1),) * 3),
    *each("layout", WRONG, "value", "nchw", "NWHC", "NCDHWT", "channels_last"),
    *each("layout", WRONG, None, "", 1, b"NCHW"),
    *each("output_size", WRONG, "0", 0, (0,), (0, 0), (0, 0, 0)),
    *each("output_size", WRONG, None, -1, 2.0, True, "2", (), (2,) * 7, (2.0, 2.0)),
    *each("norm_type", ValueError, "value", 0, -1, 0.0, -2.5, -np.inf, np.nan),
    *each("norm_type", WRONG, None, "2", b"2", None, True, np.True_, 2j, (2, 2), 10**400),
]


@over_rows(ROWS)
def test_wrong_argument_is_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(("1d", "2d", "3d"))])
def test_the_layouts_of_another_rank_are_refused(name):
    for n, layout in family_reference.FIRST.items():
        if n != int(name[-2]):
            refuse(name, {"layout": layout}, WRONG, layout)


@over_rows(
    [
        *each("index", WRONG, "value", "Plane", "windows", "torch"),
        *each("index", WRONG, None, "", None, 0, b"plane"),
    ]
)
def test_wrong_index_is_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


@pytest.mark.parametrize("dtype", [object, np.complex64, "S4", "U4", "M8[s]", "m8[s]", "f4,f4"], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_other_dtypes_are_refused_naming_what_is_accepted(name, dtype):
    shape = right_call(name)[0].shape
    refuse(name, {"array": np.zeros(shape, dtype)}, TypeError, "float32")


@pytest.mark.parametrize("name", [name for name in NAMES if "x" in parameters(name) and name in BACKWARD_CALLS])
def test_other_dtypes_of_the_input_are_refused_in_the_gradient(name):
    x = right_call(name)[1]["x"]
    for dtype in (object, np.complex64):
        refuse(name, {"x": x.astype(dtype)}, TypeError)
    refuse(name, {"x": x[:1]}, ValueError)


@pytest.mark.parametrize("name", NAMES)
def test_too_few_dimensions_are_refused(name):
    for array in (np.float32(1), np.zeros((), np.float32)):
        refuse(name, {"array": array}, ValueError)


@pytest.mark.parametrize("name", [*FORWARD_CALLS])
def test_a_spatial_size_of_zero_is_refused(name):
    x = right_call(name)[0]
    if name != "maxout":
        refuse(name, {"array": x[..., :0]}, ValueError, "0")


@pytest.mark.parametrize(
    "name, more",
    [*((name, {}) for name in NAMES), *((f"{op}_over_time", {"lengths": (3, 2)}) for op in ("max", "avg"))],
)
def test_wrong_out_is_refused(name, more):
    first, _, out = right_call(name)
    for wrong in (out.astype("f8"), out.astype(">f4"), out.astype("i4")):
        refuse_out(name, {"out": wrong, **more}, WRONG)
    for wrong in (out[..., :-1], out[None], out.ravel()[:1], np.zeros((), "f4")):
        refuse_out(name, {"out": wrong.copy(), **more}, ValueError, out.shape[-1])
    read_only = out.copy()
    read_only.flags.writeable = False
    refuse_out(name, {"out": read_only, **more}, ValueError)
    for wrong in ([[1.0]], 3.0, "out", memoryview(b"12"), {}, np.float32(1)):
        refuse_out(name, {"out": wrong, **more}, TypeError)


@pytest.mark.parametrize("name", NAMES)
def test_out_that_overlaps_the_input_is_refused(name):
    first, args, out = right_call(name)
    memory = np.zeros(first.size + out.size, np.float32)
    array = memory[: first.size].reshape(first.shape)
    array[...] = first
    inside = memory[first.size - 1 : first.size - 1 + out.size].reshape(out.shape)  # shares one element
    refuse_out(name, {"array": array, "out": inside}, ValueError)
    read_as_a_copy = array.view(">f4")
    refuse_out(name, {"array": read_as_a_copy, "out": inside}, ValueError, "overlap")


@pytest.mark.parametrize("name", [name for name, call in FORWARD_CALLS.items() if call.chooses])
def test_wrong_pair_of_outs_is_refused(name):
    _, _, out = right_call(name)
    where = np.full(out.shape, 7, np.int64)
    for wrong in (out, (out,), (where, out), (out, where.astype("i4")), (out, where[..., :-1]), (out, where, out)):
        refuse(name, {"return_indices": True, "out": wrong}, WRONG)
        assert (out == 7).all() and (where == 7).all()


@pytest.mark.parametrize("name", [name for name in FORWARD_CALLS if "kernel_size" in parameters(name)])
def test_a_kernel_larger_than_the_input_shows_the_numbers(name):
    for kernel in (99, 2**40, 2**64):
        refuse(name, {"kernel_size": kernel}, ValueError, kernel)


# ---- Gradients ----


@pytest.mark.parametrize("name", [*BACKWARD_CALLS])
def test_wrong_gradient_is_refused(name):
    grad, args, _ = right_call(name)
    refuse(name, {"array": grad.astype(np.int32)}, TypeError, "int32")
    if not name.startswith("adaptive_avg"):  # whose output size is read off the gradient
        refuse(name, {"array": np.concatenate([grad, grad], -1)}, ValueError)
    if "input_shape" in args:
        shape = args["input_shape"]
        for wrong in (None, "abc", 4.0, tuple(map(float, shape))):
            refuse(name, {"input_shape": wrong}, TypeError)
        refuse(name, {"input_shape": (*shape[:-1], -5)}, ValueError, "-5")
        refuse(name, {"input_shape": (shape[0] + 1, *shape[1:])}, ValueError)


@pytest.mark.parametrize("name", [name for name in NAMES if "indices" in parameters(name)])
def test_wrong_indices_are_refused(name):
    indices = right_call(name)[1]["indices"]
    for wrong in (indices.astype(float), indices.astype(object), indices > 3):
        refuse(name, {"indices": wrong}, TypeError)
    refuse(name, {"indices": indices[:1]}, ValueError)
    for value in (10**6, 2**32, 2**62, -2, -(2**63)):
        for at in (0, -1):
            wrong = indices.copy()
            wrong.flat[at] = value
            refuse(name, {"indices": wrong}, ValueError, value)


@pytest.mark.parametrize("n", (2, 3))
def test_the_gradient_of_fractional_pooling_needs_positions(n):
    refuse(f"fractional_max_pool{n}d_backward", {"index": "window"}, ValueError, "window")


# ---- Fractional ----


def samples(value=0.5, shape=(2, 3, 2)):
    return np.full(shape, value)


@over_rows(
    [
        *each("random_samples", ValueError, "nan", samples(np.nan)),
        *each("random_samples", ValueError, "1.5", samples(1.5)),
        *each("random_samples", ValueError, "-0.25", samples(-0.25)),
        *each("random_samples", ValueError, None, samples(1.0), samples(np.inf)),
        *each("random_samples", ValueError, "(2, 3, 2)", samples(shape=(2, 3)), samples(shape=(2, 3, 3))),
        *each("random_samples", ValueError, "(2, 3, 2)", samples(shape=(1, 3, 2)), samples(shape=(3, 2, 2))),
        *each("random_samples", TypeError, None, samples().astype(complex), samples().astype(object), "half"),
        *each("output_size", ValueError, "11", 11, (11, 3), (3, 11)),
        ({"output_ratio": 0.5}, ValueError, "output_ratio"),  # both
        ({"output_size": None}, ValueError, "output_ratio"),  # neither
        *[({"output_size": None, "output_ratio": r}, ValueError, None) for r in (0.0, -0.5, 0.01, 1.5, np.nan, np.inf)],
        *[({"output_size": None, "output_ratio": r}, WRONG, None) for r in ("0.5", 0.5j, (0.5,), (0.5,) * 3)],
        *[({"random_samples": None, "rng": rng}, WRONG, None) for rng in (-1, 1.5, "seed")],
    ],
    names=["fractional_max_pool2d"],
)
def test_wrong_fractional_arguments_are_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


def test_one_wrong_sample_among_many_is_refused():
    for at in range(12):
        wrong = samples()
        wrong.flat[at] = np.nan
        refuse("fractional_max_pool2d", {"random_samples": wrong}, ValueError, "nan")


@pytest.mark.parametrize("n, shape", [(2, (9, 10)), (2, (1, 2, 3, 9, 10)), (3, (4, 5, 6)), (3, (1, 2, 3, 4, 5, 6))])
def test_fractional_input_has_a_channel_axis_and_one_batch_axis_at_most(n, shape):
    refuse(f"fractional_max_pool{n}d", {"array": np.zeros(shape, np.float32), "random_samples": None}, ValueError)


# ---- Stochastic ----


def test_inference_has_no_indices():
    refuse("stochastic_pool2d", {"training": False, "return_indices": True}, ValueError, "training")


@pytest.mark.parametrize("rng", [-1, 1.5, "seed"])
def test_a_wrong_seed_is_refused(rng):
    refuse("stochastic_pool2d", {"training": True, "rng": rng}, WRONG)


# ---- Along time ----

LENGTHS = [
    *each("lengths", ValueError, "-1", (-1, 3), (3, -1)),
    *each("lengths", ValueError, "20", (20, 3), (3, 20)),
    *each("lengths", ValueError, str(2**32 + 1), (3, 2**32 + 1)),
    *each("lengths", ValueError, None, (3,), (3, 3, 3), np.zeros((2, 1), int), np.zeros((2, 3), int)),
    *each("lengths", TypeError, None, (3.0, 2.0), (3, None), ("3", "2"), np.ones(2), np.array([True, True]), "33"),
]


@over_rows(LENGTHS, names=["k_max_pool1d", "max_over_time", "avg_over_time"])
def test_wrong_lengths_are_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


@over_rows(
    [
        *each("k", ValueError, "value", 0, -1, 20, 2**40, 2**64),
        *each("k", TypeError, None, None, True, 2.0, "2", (2,)),
        *each("index", ValueError, "value", "window", "tensor", "nhwc"),
        *each("array", ValueError, None, np.zeros(19, np.float32), np.zeros((1, 2, 3, 19), np.float32)),
    ],
    names=["k_max_pool1d"],
)
def test_wrong_k_is_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


@pytest.mark.parametrize(
    "args",
    [(1, 0, 18, 3), (1, -3, 18, 3), (-1, 3, 18, 3), (4, 3, 18, 3), (1, 3, -18, 3), (1, 3, 18, 0), (1, 3, 18, -4)],
)
def test_wrong_dynamic_k_is_refused(args):
    wrong = next(n for n in args if n < 1 or args == (4, 3, 18, 3))
    with pytest.raises(ValueError, match=str(wrong)):
        numpool.dynamic_k(*args)


def test_dynamic_k_takes_integers_only():
    for at in range(4):
        for value in (2.0, True, "2", None):
            args = [1, 3, 18, 3]
            args[at] = value
            with pytest.raises(TypeError):
                numpool.dynamic_k(*args)


# ---- Pyramid and maxout ----


@over_rows(
    [
        *each("levels", ValueError, None, (), [], [0], [1, 0], [-1], [(2, 0)], [(1, 2, 3)]),
        *each("levels", TypeError, None, None, [2.0], ["2"], [True], [(1, 2.0)]),
        *each("op", WRONG, "value", "mean", "Max", "lp"),
        *each("op", WRONG, None, None, 1, ""),
    ],
    names=["spatial_pyramid_pool2d", "spatial_pyramid_pool2d_backward"],
)
def test_wrong_pyramid_is_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


@over_rows(
    [
        *each("groups", ValueError, "value", 0, -2, 4, 5, 7, 12),  # of 6 channels
        *each("groups", TypeError, None, None, 2.0, True, "2", (2,)),
        *each("axis", WRONG, "value", 4, -5, 2**40),
        *each("axis", TypeError, None, 1.0, "1", None, (1,)),
    ],
    names=["maxout", "maxout_backward"],
)
def test_wrong_maxout_is_refused(names, changes, exception, shown):
    refuse_each(names, changes, exception, shown)


# ---- Unpooling ----


@pytest.mark.parametrize("n", RANKS)
def test_wrong_output_size_of_unpooling_is_refused(n):
    name = f"max_unpool{n}d"
    for wrong in ((4,) * (n + 1), (4,) * 8):
        refuse(name, {"output_size": wrong}, ValueError)
    refuse(name, {"output_size": (2, 4, *[4] * n)}, ValueError, "4")  # another number of channels
    refuse(name, {"output_size": (1, 3, *[4] * n)}, ValueError)
    refuse(name, {"output_size": (*[4] * (n - 1), 0)}, ValueError, "0")
    refuse(name, {"output_size": (*[4] * (n - 1), 4.0)}, TypeError)


@pytest.mark.parametrize("index, wrong", [("tensor", 4**2), ("nhwc", 1), ("window", 4), ("window", 200)])
def test_an_index_of_another_plane_or_tap_is_refused(index, wrong):
    x = np.ones((2, 3, 2, 2), np.float32)
    y, i = family_reference.max_pool2d(np.zeros((2, 3, 4, 4)), 2, return_indices=True, index=index)
    i = i.astype(np.int64)
    i[0, 0, 0, 0] = wrong
    refuse("max_unpool2d", {"array": x, "indices": i, "index": index}, ValueError, wrong)


# ---- Receptive fields ----


@pytest.mark.parametrize(
    "layers",
    [
        [(0, 1, 0)],
        [(3, 0, 0)],
        [(3, 1, -1)],
        [(3, 1, 0, 0)],
        [(3,)],
        [(3, 1)],
        [(3, 1, 0, 1, 1)],
        [((3, 3), 1, 0), ((3, 3, 3), 1, 0)],
        [((3, 3), (1, 1, 1), 0)],
    ],
    ids=str,
)
def test_wrong_layers_are_refused(layers):
    with pytest.raises(ValueError) as caught:
        numpool.receptive_field(layers)
    assert any(str(number) in str(caught.value) for number in layers[-1])


@pytest.mark.parametrize(
    "layers",
    [
        [(3.0, 1, 0)],
        [(3, True, 0)],
        [(3, 1, "0")],
        [(3, 1, None)],
        3,
        [3],
        ["conv"],
        [{"kernel_size": 3.0, "stride": 1, "padding": 0}],
    ],
    ids=str,
)
def test_layers_are_integers(layers):
    with pytest.raises(TypeError):
        numpool.receptive_field(layers)


@pytest.mark.parametrize("layer", [{"kernel": 3}, {"kernel_size": 3, "stride": 1, "padding": 0, "groups": 2}], ids=str)
def test_unknown_or_missing_keys_of_a_layer_are_refused(layer):
    with pytest.raises(WRONG, match="kernel|groups"):
        numpool.receptive_field([layer])
