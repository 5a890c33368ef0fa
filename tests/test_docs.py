"""What the documentation promises: names, signatures, sections, examples that run, types that a checker accepts."""

import doctest
import importlib.resources
import inspect
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import numpool

ROOT = Path(__file__).parent.parent
FUNCTIONS = [name for name in numpool.__all__ if callable(getattr(numpool, name, None))]

# The promise: PyTorch's names, order and defaults, then keywords. What is public beyond these lines breaks no promise.
EXTREME = "kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False"
AVERAGE = "kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None, *"
BACKWARD = "grad_output, indices, input_shape"
SIGNATURES = {
    "max_pool2d": f"(x, {EXTREME}, return_indices=False, *, layout='NCHW', index='plane', out=None)",
    "min_pool2d": f"(x, {EXTREME}, return_indices=False, *, layout='NCHW', index='plane', out=None)",
    "max_pool2d_backward": f"({BACKWARD}, {EXTREME}, *, layout='NCHW', index='plane', out=None)",
    "min_pool2d_backward": f"({BACKWARD}, {EXTREME}, *, layout='NCHW', index='plane', out=None)",
    "avg_pool2d": f"(x, {AVERAGE}, layout='NCHW', dtype=None, out=None)",
    "avg_pool2d_backward": f"(grad_output, input_shape, {AVERAGE}, layout='NCHW', out=None)",
    "set_num_threads": "(n)",
    "get_num_threads": "()",
    "num_threads": "(n)",
    "use_level": "(name)",
    "levels": "()",
    "show_config": "(mode='stdout')",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_signatures_are_the_promised_ones(name):
    signature = inspect.signature(getattr(numpool, name))
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    promised = str(signature.replace(parameters=bare, return_annotation=signature.empty)).replace("/, ", "")
    assert promised == SIGNATURES[name]


def test_all_names_exactly_what_is_public():
    modules = {name for name, value in vars(numpool).items() if isinstance(value, types.ModuleType)}
    public = {name for name in vars(numpool) if not name.startswith("_")} - modules
    assert set(numpool.__all__) - {"__version__"} == public
    assert public >= {*SIGNATURES, "explain"}
    assert len(set(numpool.__all__)) == len(numpool.__all__)


def section(name, title):
    """The lines of a numpydoc section, None if it is missing."""
    doc = inspect.getdoc(getattr(numpool, name)) or ""
    found = re.search(rf"^{title}\n-{{{len(title)}}}\n(.*?)(?=^\w[\w ]*\n---|\Z)", doc, re.MULTILINE | re.DOTALL)
    return found and found[1].strip()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_follow_numpydoc(name):
    """A function without parameters has nothing to raise; one that returns None, or a class, has nothing to return."""
    function = getattr(numpool, name)
    signature = inspect.signature(function)
    summary = inspect.getdoc(function).partition("\n\n")[0]
    assert summary.endswith(".") and len(summary.splitlines()) <= 2
    assert section(name, "Examples")
    if not inspect.isclass(function) and signature.return_annotation not in (None, "None"):
        assert section(name, "Returns")
    if signature.parameters:
        assert section(name, "Raises")
        entries = re.findall(r"^(\*{0,2}\w[\w, *]*?)(?: : |$)", section(name, "Parameters"), re.MULTILINE)
        assert re.split(r",\s*", ", ".join(entries).replace("*", "")) == list(signature.parameters)


def run_examples(text, namespace, name):
    """Run the examples of a text; what they define stays in the namespace."""
    test = doctest.DocTestParser().get_doctest(text, namespace, name, None, 0)
    test.globs = namespace
    assert test.examples
    report = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_run_and_leave_no_setting_behind(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = numpool.show_config("dicts")
    run_examples(inspect.getdoc(getattr(numpool, name)), {"np": np, "numpool": numpool}, name)
    assert numpool.show_config("dicts") == before


def test_readme_python_blocks_run(tmp_path, monkeypatch):
    """In order and in one namespace, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```(?:python|pycon)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert blocks
    namespace = {"__name__": "readme"}
    for number, block in enumerate(blocks, 1):
        name = f"README.md, python block {number}"
        if ">>>" in block:
            run_examples(block, namespace, name)
        else:
            exec(compile(block, name, "exec"), namespace)


def test_readme_names_only_files_that_exist():
    text = (ROOT / "README.md").read_text("utf-8")
    for target in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", text):
        assert (ROOT / target).exists(), f"README links to {target}, which is not there"


def test_the_table_of_operations_is_what_its_command_prints():
    done = subprocess.run(
        [sys.executable, "docs/make_operations.py"], capture_output=True, text=True, cwd=ROOT, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == (ROOT / "docs/operations.md").read_text("utf-8"), "make it anew"


# Every public function as a user's checked code calls it. A line with "wrong" must be refused, every other accepted.
TYPED = """\
from typing import Any
import numpy as np
import numpy.typing as npt
import numpool

x: npt.NDArray[np.float32] = np.zeros((1, 2, 6, 6), np.float32)
y = numpool.max_pool2d(x, 2)
rows: tuple[int, ...] = y.shape
y, where = numpool.max_pool2d(x, (3, 3), 2, 1, 1, True, True, index="window")
y, where = numpool.min_pool2d(x, [3, 3], stride=(2, 1), padding=((0, 1), (1, 0)), return_indices=True)
gx: npt.NDArray[Any] = numpool.max_pool2d_backward(y, where, x.shape, 3, 2, 1, index="window")
gx = numpool.min_pool2d_backward(y, where, (1, 2, 6, 6), 3, padding="same", layout="NHWC")
mean = numpool.avg_pool2d(x, 2, count_include_pad=False, divisor_override=3, dtype=np.float64).mean()
mean = numpool.avg_pool2d([[1, 2], [3, 4]], 2, out=np.empty((1, 1)), layout="NCHW", padding="valid")[0, 0]
gx = numpool.avg_pool2d_backward(y, x.shape, 2, None, 0, True, out=np.empty_like(x))
numpool.set_num_threads(2)
n: int = numpool.get_num_threads()
with numpool.num_threads(n), numpool.use_level("baseline"):
    numpool.use_level(None)
names: tuple[str, ...] = numpool.levels()
numpool.show_config()
print(numpool.show_config("dicts")["level"], numpool.show_config(mode="dicts").keys())
numpool.explain(numpool.max_pool2d, x, 2)
numpool.explain("avg_pool2d", x, 2, padding=1)
version: str = numpool.__version__
numpool.max_pool2d(x, "2")  # wrong
numpool.max_pool2d(x, 2.5)  # wrong
numpool.max_pool2d(x, 2, kernel=2)  # wrong
numpool.max_pool2d(x, 2, layout="nchw")  # wrong
numpool.max_pool2d(x, 2, index="torch")  # wrong
numpool.avg_pool2d(x)  # wrong
numpool.avg_pool2d_backward(x, None, 2)  # wrong
numpool.set_num_threads("2")  # wrong
numpool.levels().append("v5")  # wrong
"""


def test_types_accept_right_calls_and_refuse_wrong_ones(tmp_path, request):
    pytest.importorskip("mypy", reason="mypy comes with the test extra")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(TYPED)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-pretty", str(snippet)]
    command += ["--cache-dir", str(request.config.cache.mkdir("mypy"))]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    refused = {int(line) for line in re.findall(r"snippet\.py:(\d+): error", checked.stdout)}
    expected = {number for number, line in enumerate(TYPED.splitlines(), 1) if line.endswith("# wrong")}
    assert refused == expected, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_and_result_has_a_type(name):
    function = getattr(numpool, name)
    signature = inspect.signature(function)
    assert all(p.annotation is not p.empty for p in signature.parameters.values())
    assert inspect.isclass(function) or signature.return_annotation is not signature.empty


def test_py_typed_is_installed():
    assert (importlib.resources.files("numpool") / "py.typed").is_file()
