"""What the build has, and what a call will do: for people, on the terminal."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal, overload

import numpool
from numpool import _kernels, plan, spec
from numpool._version import __version__
from numpool.levels import levels
from numpool.threads import get_num_threads, plan_threads


@overload
def show_config(mode: Literal["stdout"] = "stdout") -> None: ...
@overload
def show_config(mode: Literal["dicts"]) -> dict[str, Any]: ...
def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print or return what this build of numpool has.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Print it, or return it.

    Returns
    -------
    dict or None
        With "dicts": ``version``, ``levels`` (that this machine runs), ``level`` (in force), ``openmp`` (False: calls
        run serial), ``threads`` (the most that a call takes) and ``compiler``.

    Raises
    ------
    ValueError
        `mode` is something else.

    Examples
    --------
    >>> import numpool
    >>> sorted(numpool.show_config("dicts"))
    ['compiler', 'level', 'levels', 'openmp', 'threads', 'version']
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f'mode must be "stdout" or "dicts"; got {mode!r}')
    config: dict[str, Any] = {
        "version": __version__,
        "levels": levels(),
        "level": _kernels.get_level(),
        "openmp": _kernels.has_openmp,
        "threads": get_num_threads(),
        "compiler": _kernels.COMPILER,
    }
    if mode == "dicts":
        return config
    for key, value in config.items():
        print(f"{key}: {' '.join(value) if isinstance(value, tuple) else value}")
    if not config["openmp"]:
        print("built without OpenMP: every call runs on one thread")
    return None


def explain(function: Callable[..., Any] | str, x: Any, *args: Any, **kwargs: Any) -> None:
    """Print what a pooling call will do: its windows, divisors, blocks, level and threads.

    Parameters
    ----------
    function : callable or str
        `max_pool`, `min_pool`, `avg_pool`, `adaptive_max_pool` or `adaptive_avg_pool` of 1 to 3 axes, or the gradient
        of one; `global_max_pool`, `global_avg_pool`, `max_over_time` or `avg_over_time`; or its name.
    x : array_like
        Its first argument.
    *args, **kwargs
        Its other arguments.

    Raises
    ------
    TypeError, ValueError
        What the call itself would raise; a ValueError for any other function.

    Examples
    --------
    >>> import numpool, numpy as np
    >>> numpool.explain("max_pool2d", np.zeros((1, 1, 4, 6), np.float32), 2)  # doctest: +ELLIPSIS
    max_pool2d: float32 (1, 1, 4, 6) -> (1, 1, 2, 3)
      height: 2 windows of 2 taps over 4, stride 2, dilation 1, padding (0, 0)
      width: 3 windows of 2 taps over 6, stride 2, dilation 1, padding (0, 0)
      ...
    """
    name = function if isinstance(function, str) else getattr(function, "__name__", "")
    public = getattr(numpool, name, None) if name in plan.CALLS else None
    if public is None or not (isinstance(function, str) or function is public):
        known = ", ".join(sorted(n for n in plan.CALLS if hasattr(numpool, n)))
        raise ValueError(f"explain needs a pooling function or its name, one of {known}; got {function!r}")
    given = inspect.signature(public).bind(x, *args, **kwargs)
    given.apply_defaults()
    sources = [given.arguments.pop(key, None) for key in ("x", "grad_output", "indices", "lengths")]
    arrays = tuple(source for source in sources if source is not None)
    given.arguments.pop("out")
    call = plan.CALLS[name](arrays, tuple(given.arguments.values()))
    source = call.arrays[0]
    print(f"{name}: {source.dtype} {source.shape} -> {' and '.join(str(result.shape) for result in call.results)}")
    if call.plan is None:
        print("  " + ("several calls, one after the other" if call.compute else "nothing to compute: no elements"))
        return
    for line in spec.describe(call.plan):
        print(f"  {line}")
    threads = plan_threads(call.plan.cost)
    print(
        f"  level {_kernels.get_level()}, {threads} thread{'s' * (threads > 1)} for {call.plan.cost} bytes read and "
        f"written, {call.plan.scratch_bytes()} bytes of scratch a thread"
    )
