"""The dispatcher obeys: every level can be forced by name, and says which one is in force."""

import contextlib
import importlib.metadata
import os
import subprocess
import sys

import numpy as np
import pytest

import numpool

NAMES = ("baseline", "v3", "v4")
X = np.zeros((1, 2, 7, 9), np.float32)


def current():
    return numpool.show_config("dicts")["level"]


def imported(level):
    """A new process that imports numpool under NUMPOOL_LEVEL and prints the level."""
    code = "import numpool; print(numpool.show_config('dicts')['level'])"
    environment = {key: value for key, value in os.environ.items() if key != "NUMPOOL_LEVEL"}
    environment |= {} if level is None else {"NUMPOOL_LEVEL": level}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)


def test_levels_ascend_from_the_baseline():
    assert numpool.levels() == NAMES[: len(numpool.levels())]
    assert isinstance(numpool.levels(), tuple) and numpool.levels()[0] == "baseline"


def test_use_level_sets_at_once_and_none_is_the_best():
    before = current()
    try:
        for name in numpool.levels():
            numpool.use_level(name)
            assert current() == name
        numpool.use_level(None)
        assert current() == numpool.levels()[-1]
    finally:
        numpool.use_level(before)


def test_use_level_is_a_context_manager_that_restores(level):
    for inside in (*numpool.levels(), None):
        with numpool.use_level(inside):
            assert current() == (inside or numpool.levels()[-1])
            with contextlib.suppress(KeyError), numpool.use_level("baseline"):
                assert current() == "baseline"
                raise KeyError
            assert current() == (inside or numpool.levels()[-1])
        assert current() == level


@pytest.mark.parametrize("wrong", ("v5", "V3", "avx2", "", "baseline ", *(set(NAMES) - set(numpool.levels()))))
def test_an_unknown_or_unsupported_level_is_refused_and_changes_nothing(level, wrong):
    with pytest.raises(ValueError) as caught:
        numpool.use_level(wrong)
    assert repr(wrong) in str(caught.value) and "baseline" in str(caught.value)
    for wrong_type in (3, True, b"v3", ("v3",)):
        with pytest.raises((TypeError, ValueError)):
            numpool.use_level(wrong_type)
    assert current() == level


@pytest.mark.parametrize("level", (*numpool.levels(), None))
def test_the_environment_chooses_a_level(level):
    child = imported(level)
    assert (child.stdout.strip(), child.returncode) == (level or numpool.levels()[-1], 0), child.stderr


@pytest.mark.parametrize("wrong", ("v5", "best", *(set(NAMES) - set(numpool.levels()))))
def test_the_import_fails_on_an_environment_that_names_no_level(wrong):
    child = imported(wrong)
    assert child.returncode == 1
    *_, last = child.stderr.splitlines()
    assert last.startswith("ValueError: ") and wrong in last


def test_show_config_as_dicts_says_what_the_build_and_the_machine_have(level):
    with numpool.num_threads(3):
        config = numpool.show_config("dicts")
    assert config.keys() >= {"version", "levels", "level", "openmp", "threads", "compiler"}
    assert config["version"] == numpool.__version__ == importlib.metadata.version("numpool")
    assert tuple(config["levels"]) == numpool.levels() and config["level"] == level
    assert isinstance(config["openmp"], bool) and config["threads"] == 3
    assert isinstance(config["compiler"], str) and config["compiler"]


def test_show_config_prints_the_same(level, capsys):
    assert numpool.show_config() is None
    printed = capsys.readouterr().out
    for key, value in numpool.show_config("dicts").items():
        assert key.lower() in printed.lower()
        for word in value if isinstance(value, (list, tuple)) else (value,):
            assert isinstance(word, bool) or str(word) in printed
    assert numpool.show_config(mode="stdout") is None
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("mode", ("dict", "", None, 1))
def test_show_config_refuses_another_mode(mode):
    with pytest.raises((TypeError, ValueError)):
        numpool.show_config(mode)


@pytest.mark.parametrize("function", ("max_pool2d", "min_pool2d", "avg_pool2d"))
def test_explain_prints_the_plan_that_the_call_takes(level, capsys, function):
    with numpool.num_threads(3):
        assert numpool.explain(function, X, 3, stride=2, padding=1) is None
        by_name = capsys.readouterr().out
        numpool.explain(getattr(numpool, function), X, 3, stride=2, padding=1)
    assert capsys.readouterr().out == by_name
    assert function in by_name and level in by_name
    assert "window" in by_name.lower() and "thread" in by_name.lower()
    assert "4" in by_name and "5" in by_name  # the output is 4 x 5


def test_explain_knows_calls_without_a_plan_of_their_own(capsys):
    numpool.explain("adaptive_avg_pool2d_backward", np.zeros((1, 3, 3, 64), np.float32), (1, 8, 8, 64), layout="NHWC")
    assert "several calls" in capsys.readouterr().out
    numpool.explain("max_pool2d", np.zeros((0, 3, 4, 4)), 2)
    assert "no elements" in capsys.readouterr().out


def test_explain_knows_results_without_their_axes(capsys):
    numpool.explain(numpool.global_avg_pool, np.zeros((2, 3, 5)), keepdims=False)
    numpool.explain("max_over_time", np.zeros((2, 3, 5)), [4, 1])
    printed = capsys.readouterr().out
    assert "global_avg_pool: float64 (2, 3, 5) -> (2, 3)\n" in printed
    assert "max_over_time: float64 (2, 3, 5) -> (2, 3)\n" in printed
    assert "1 windows of 5 taps over 5" in printed and "1 windows of up to 5 taps over 5" in printed


def test_explain_refuses_what_the_call_refuses(capsys):
    for wrong in ({"kernel_size": 0}, {"kernel_size": 8}, {"kernel_size": 2, "padding": -1}):
        with pytest.raises(ValueError) as called:
            numpool.max_pool2d(X, **wrong)
        with pytest.raises(ValueError) as explained:
            numpool.explain(numpool.max_pool2d, X, **wrong)
        assert str(explained.value) == str(called.value)
    for function in ("max_pool9d", "levels", np.max, None):
        with pytest.raises((TypeError, ValueError)):
            numpool.explain(function, X, 2)
    assert capsys.readouterr().out == ""
