"""The table of operations: what numpool has, asked of numpool, and beside it what six other libraries have.

    python docs/make_operations.py > docs/operations.md

Run it from the repository's root. numpool's columns are made by calling every public function: in every layout, dtype
and convention that its lists name, with the arguments of `tests/family_cases.py`. Only `PEERS` is typed here.
"""

import inspect
import re
import sys
import textwrap
from pathlib import Path

import numpy as np

import numpool
from numpool.arguments import INDEXES, LAYOUTS
from numpool.arrays import DTYPES, FLOATS

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import cases  # noqa: E402
import family_cases  # noqa: E402

# --- the others, as seen by calling them ------------------------------------------------------------------------------

DATE = "2026-11-20"
VERSIONS = (
    "PyTorch 2.13",
    "TensorFlow 2.21, Keras 3.15",
    "JAX 0.10, Flax 0.12",
    "ONNX Runtime 1.31",
    "OpenVINO 2026.4",
    "scikit-image 0.26",
)

# Ranks, "i" where it gives indices, and notes by name. An operation that is missing here stands as unknown.
PEERS = {
    "max_pool": ("1 2 3 i", "1 2 3 [argmax]", "any [flax] [pairs]", "1 2 3 i", "1 2 3 i", "any [blocks]"),
    "min_pool": ("no [minus]", "no [minus] [erosion]", "any [flax]", "no [minus]", "no [minus]", "any [blocks]"),
    "avg_pool": ("1 2 3", "1 2 3", "any [flax]", "1 2 3", "1 2 3", "any [blocks]"),
    "lp_pool": ("1 2 3 [signs]", "no [powers]", "no [powers]", "1 2 3", "no [import]", "no [powers]"),
    "adaptive_max_pool": ("1 2 3 i", "1 2 3", "no", "no", "1 2 3 i [int32]", "no"),
    "adaptive_avg_pool": ("1 2 3", "1 2 3", "no", "no", "1 2 3", "no"),
    "global_max_pool": ("1 2 3 i [one]", "1 2 3", "any [axes]", "1 2 3", "any [axes]", "any [whole]"),
    "global_avg_pool": ("1 2 3 [one]", "1 2 3", "any [axes]", "1 2 3", "any [axes]", "any [whole]"),
    "global_lp_pool": ("any [norm]", "no [tfnorm]", "any [norm]", "1 2 3 [opset]", "any [l1l2]", "no [powers]"),
    "fractional_max_pool": ("2 3 i", "2 [regions]", "no", "no", "no", "no"),
    "stochastic_pool": ("no", "no", "no", "no", "no", "no"),
    "k_max_pool": ("no [topk]", "no [topk]", "no [topk]", "no [topk]", "no [topk]", "no"),
    "max_over_time": ("1 i [one] [full]", "1 [full]", "1 [where]", "1 [full]", "1 [full]", "1 [whole] [full]"),
    "avg_over_time": ("1 [one] [full]", "1 [mask]", "1 [where]", "1 [full]", "1 [full]", "1 [whole] [full]"),
    "spatial_pyramid_pool": ("no", "no [addons]", "no", "no", "no", "no"),
    "maxout": ("no [reshape]", "no [reshape] [addons]", "no [reshape]", "no [reshape]", "no [reshape]", "no [reshape]"),
    "max_unpool": ("1 2 3", "no [addons]", "no", "1 2 3", "no", "no"),
    "receptive_field": ("no", "no", "no", "no", "no", "no"),
    "dynamic_k": ("no", "no", "no", "no", "no", "no"),
}

NOTES = {
    "argmax": "Indices in 2-D only, by `tf.nn.max_pool_with_argmax`.",
    "flax": "`jax.lax.reduce_window`; `flax.nnx` has `max_pool`, `min_pool` and `avg_pool` by name.",
    "pairs": "Indices by `reduce_window` over pairs of value and index, which `jax.grad` refuses.",
    "blocks": "`skimage.measure.block_reduce`: windows that do not overlap (stride = kernel). Where they do not fit, "
    "the image is extended by a constant, which counts.",
    "minus": "As the maximum of the negated input.",
    "erosion": "In 2-D also `tf.nn.erosion2d` with a kernel of zeros.",
    "signs": "`x**p` is summed without an absolute value, so an odd norm of negative values differs, or is NaN; no "
    "padding, no dilation.",
    "powers": "By hand: powers, their sums over windows, roots.",
    "import": "No operation of its own; `LpPool` of an ONNX model is converted when it is read.",
    "int32": "The CPU gives int32 indices only; int64 is refused.",
    "one": "As adaptive pooling to size 1.",
    "axes": "A reduction over the spatial axes: `jax.numpy.max`, `mean`; `ReduceMax`, `ReduceMean`.",
    "whole": "A block as large as the image.",
    "norm": "`torch.linalg.vector_norm`, `jax.numpy.linalg.vector_norm` over the spatial axes.",
    "tfnorm": "`tf.norm` takes one axis; over two it is a matrix norm. Flatten the spatial axes first.",
    "opset": "`GlobalLpPool` in models up to opset 21; that of opset 22 is not implemented on the CPU.",
    "l1l2": "`ReduceL1` and `ReduceL2`: norms 1 and 2.",
    "regions": "`tf.nn.fractional_max_pool` draws its regions by a rule of its own and returns their borders.",
    "topk": "The k largest in order of value (`topk`, `top_k`, `TopK`), not in the order in which they stand.",
    "full": "All steps count: no lengths.",
    "where": "`jax.numpy.max` and `mean` with `where=` for the lengths.",
    "mask": "`GlobalAveragePooling1D` takes a mask for the lengths.",
    "addons": "TensorFlow Addons had it (`Maxout`, `SpatialPyramidPooling2D`, `MaxUnpooling2D`), by its documentation; "
    "it ended in 2024.",
    "reshape": "As a maximum over an axis, after a reshape.",
}


# --- numpool, asked ---------------------------------------------------------------------------------------------------


def is_operation(name):
    """Whether a public name is a forward function; settings stand in modules that have no `__all__`."""
    value = getattr(numpool, name)
    return inspect.isfunction(value) and hasattr(inspect.getmodule(value), "__all__") and not name.endswith("_backward")


def operations():
    """The functions of each operation, by its name without a rank; in the order of the list of calls."""
    order = [call.name for call in family_cases.CALLS]
    names = [name for name in numpool.__all__ if is_operation(name)]
    rows = {}
    for name in sorted(names, key=lambda name: ("x" not in parameters(name), [*order, name].index(name))):
        rows.setdefault(re.sub(r"\dd$", "", name), []).append(name)
    return rows


def parameters(name):
    return inspect.signature(getattr(numpool, name)).parameters


def arguments(name):
    """One call's arguments, in any layout that the function takes."""
    if "unpool" in name:
        return {"kernel_size": 2}
    args = next(call.args for call in family_cases.CALLS if call.name == name and call.args.get("training", True))
    return args | ({"return_indices": True} if "return_indices" in parameters(name) else {})


def forward(name, dtype, layout, **more):
    """What goes in, and what comes out, as tuples."""
    rank = next((n for n in LAYOUTS if layout in LAYOUTS[n]), 2)
    x = np.ones((2, 3) + (4,) * rank, dtype)
    x = cases.to_layout(x, layout) if layout else x
    args = arguments(name) | ({"layout": layout} if layout else {}) | more
    sources = (x,)
    if "indices" in parameters(name):  # an unpooling: what its pooling gives
        sources = getattr(numpool, name.replace("unpool", "pool"))(x, return_indices=True, **args)
    results = getattr(numpool, name)(*sources, **args)
    return sources, results if isinstance(results, tuple) else (results,)


def backward(name, dtype, layout):
    """The gradient of that call."""
    (x, *given), (y, *indices) = forward(name, "float32", layout)
    known = arguments(name) | {"layout": layout, "input_shape": x.shape, "x": x.astype(dtype), "y": y.astype(dtype)}
    known["indices"] = (*given, *indices, None)[0]
    function = f"{name}_backward"
    wanted = {key: value for key, value in known.items() if key in parameters(function)}
    return getattr(numpool, function)(y.astype(dtype), **wanted)


def taken(answers, refusal, ask):
    """Those of the answers that the library does not refuse."""
    good = []
    for answer in answers:
        try:
            ask(answer)
        except refusal:
            continue
        good.append(answer)
    return tuple(good)


def agreed(answers):
    """The one answer that the functions of all ranks give."""
    (answer,) = set(answers)
    return answer


def short(answers, *named):
    """The answers, or the name of the list that they are."""
    return next((name for name, whole in named if answers == tuple(whole)), " ".join(answers))


def facts(name):
    """A function's layouts, and the cells on dtypes and indices, which all ranks share."""
    has_layout = "layout" in parameters(name)
    layouts = (None,)
    if has_layout:
        every = [layout for pair in LAYOUTS.values() for layout in pair]
        layouts = taken(every, ValueError, lambda layout: forward(name, "float32", layout))
    dtypes = taken(DTYPES, TypeError, lambda dtype: forward(name, dtype, layouts[0]))
    gradients = ()
    if hasattr(numpool, f"{name}_backward"):
        for layout in layouts:
            backward(name, "float32", layout)
        gradients = taken(DTYPES, TypeError, lambda dtype: backward(name, dtype, layouts[0]))
    verb = "gives" if "return_indices" in parameters(name) else "takes" if "indices" in parameters(name) else ""
    conventions = ("positions",)
    if "index" in parameters(name):
        conventions = taken(INDEXES, ValueError, lambda index: forward(name, "float32", layouts[0], index=index))
    lists = (("all", DTYPES), ("floats", FLOATS), ("no", ()))
    indices = f"{verb} {short(conventions, ('all', INDEXES))}" if verb else "no"
    return layouts if has_layout else (), (short(dtypes, *lists), short(gradients, *lists), indices)


def cells(names):
    """numpool's half of a row: ranks, layouts, forward, backward, indices."""
    if "x" not in parameters(names[0]):
        return ("no array",) + ("",) * 4
    answers = [facts(name) for name in names]
    layouts = {layout for found, _ in answers for layout in found}
    ranks = [n for n in LAYOUTS if layouts & {*LAYOUTS[n]}]
    orders = [word for i, word in enumerate(("first", "last")) if layouts and layouts >= {LAYOUTS[n][i] for n in ranks}]
    if len(layouts) != len(ranks) * len(orders):
        raise ValueError(f"{names} must take the same orders in every rank; got {sorted(layouts)}")
    axis = "any axis" if "axis" in parameters(names[0]) else ""
    return (" ".join(map(str, ranks)) or "any", ", ".join(orders) or axis, *agreed(rest for _, rest in answers))


# --- the page ---------------------------------------------------------------------------------------------------------


def table():
    """The rows, and the notes in the order in which they are met."""
    rows, met = [], []
    for operation, names in operations().items():
        row = [f"`{operation}`", *cells(names)]
        for cell in PEERS.get(operation, ("?",) * len(VERSIONS)):
            for note in re.findall(r"\[(\w+)\]", cell):
                met += [] if note in met else [note]
            row.append(re.sub(r"\[(\w+)\]", lambda found: f"[{met.index(found[1]) + 1}]", cell))
        rows.append(row)
    if {*met} != {*NOTES}:
        raise ValueError(f"every note must be met; got {sorted({*met} ^ {*NOTES})}")
    if not PEERS.keys() <= operations().keys():
        raise ValueError(f"every row of PEERS must be an operation; got {sorted(PEERS.keys() - operations().keys())}")
    return rows, met


INTRODUCTION = """\
A name stands for its functions of all ranks: `max_pool` for `max_pool1d`, `max_pool2d` and `max_pool3d`. The gradient
of each has its name and `_backward`. Ranks count spatial axes; some names carry none.
Layouts: channels first ({first}), channels last ({last}).
Forward, backward: the dtypes. Floats: {floats}. All: these and {others}.
Indices: the `index` conventions that it gives, or takes. All: {indexes}. Positions: along the one axis, where there is
no `index`.
Other libraries: the ranks that one function, layer or operator of theirs does, or no; i: it gives indices; ?: not
known; numbers in brackets: the notes below. Seen on {date} in {versions}. The first three derive the gradients of what
they have; the last three, as packaged, have forward passes only.
"""

PAGE = """\
# Operations

Made by `python docs/make_operations.py > docs/operations.md`, which asks the library; do not edit.

{introduction}

{table}

{notes}

## Nearest upsampling

It has no function of its own: it is what the gradient of an average with divisor 1 gives where windows do not overlap.
Every element of the small array goes to all places of its window:

```pycon
>>> {example}
{result}
```

The factor is any whole number, for each axis its own; ranks and layouts are those of the average, dtypes those of its
gradient. The upsampling's own gradient is `numpool.avg_pool2d(grad, 2, divisor_override=1)`: the sum over each window.
"""

EXAMPLE = "numpool.avg_pool2d_backward([[1.0, 2], [3, 4]], (4, 4), 2, divisor_override=1)"


def item(mark, text):
    return textwrap.fill(text, 120, initial_indent=mark, subsequent_indent=" " * len(mark), break_on_hyphens=False)


def page():
    rows, notes = table()
    head = ["operation", "ranks", "layouts", "forward", "backward", "indices"]
    head += [re.sub(r" [\d.]+", "", words) for words in VERSIONS]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    introduction = INTRODUCTION.format(
        first=", ".join(first for first, _ in LAYOUTS.values()),
        last=", ".join(last for _, last in LAYOUTS.values()),
        floats=", ".join(FLOATS),
        others=", ".join(name for name in DTYPES if name not in FLOATS),
        indexes=", ".join(f'"{name}"' for name in INDEXES),
        date=DATE,
        versions="; ".join(VERSIONS),
    )
    return PAGE.format(
        introduction="\n".join(item("- ", text) for text in re.split(r"(?<=\.)\n", introduction.strip())),
        table="\n".join(lines),
        notes="\n".join(item(f"{number}. ", NOTES[note]) for number, note in enumerate(notes, 1)),
        example=EXAMPLE,
        result=repr(eval(EXAMPLE)),
    )


if __name__ == "__main__":
    print(page(), end="")
