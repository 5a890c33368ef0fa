"""Plans: a call, checked once, and found again.

::

    pool  --->  CALLS: how each operation is checked  --->  spec: the kernels' words  --->  _kernels.Plan, remembered
                forward.py: maxima, minima, averages          |
                backward.py: their gradients                  blocks, flatten: how much at a time, which axes
                  |
                  arguments: every form as one type
                  geometry:  the windows of an axis
                  arrays:    which axes are leads, rows, pixels and lanes
                  indices:   what an index means

The first call with new arguments or shapes goes that way; the next ones find their plan in the compiled cache.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from numpool import _kernels
from numpool.arrays import Arrays, Place, Result, checked_outs
from numpool.threads import plan_threads


@dataclass
class Call:
    """A checked call: what to run, on which arrays, into what."""

    plan: _kernels.Plan | None  # None: there is nothing to compute, or `compute` does it
    arrays: Arrays
    results: tuple[Result, ...]
    place: Place | None = None
    blame: Callable[[], str] | None = None  # says which index names no tap, once one does
    otherwise: Callable[[Arrays | None], Arrays] | None = None  # instead of blame: another way to the same results
    # Instead of a plan: makes the results, in the arrays that it is given or in new ones.
    compute: Callable[[Arrays | None], Arrays] | None = None


# Takes the sources, and the arguments in the order of the function's signature.
Check: TypeAlias = Callable[[tuple[Any, ...], tuple[Any, ...]], Call]

# By public function, or by the name of a part of some: `pooling.py` fills it with those of forward.py and backward.py.
CALLS: dict[str, Check] = {}


def deliver(
    results: tuple[Result, ...], compute: Callable[[], Arrays], out: Any, sources: tuple[Any, ...]
) -> Arrays:
    """What `compute` makes, into `out` where that is given; it is looked at first."""
    return perform(Call(None, (), results, compute=lambda _: compute()), out, sources)


def perform(call: Call, out: Any, sources: tuple[Any, ...], failed: bool = False) -> Arrays:
    """Run a call: into `out`, directly where its memory allows, else through new arrays. `failed`: its plan has been
    run, and an index was wrong."""
    outs = checked_outs(out, call.results, sources)
    if call.compute:
        computed = call.compute(outs)
        return computed if outs is None or computed[0] is outs[0] else written(outs, computed)
    assert call.place is not None
    if call.plan is None:
        return outs or tuple(call.place.empty(r.shape, r.dtype) for r in call.results)
    results = None if failed else run(call.plan, call.arrays, call.place, outs)
    if results is None and call.otherwise:
        return call.otherwise(outs)
    if results is None:
        assert call.blame is not None
        raise ValueError(call.blame())
    return results


def run(plan: _kernels.Plan, arrays: Arrays, place: Place, outs: Arrays | None) -> Arrays | None:
    """The results of a plan, in `outs` if given; None where an index is wrong."""
    direct = outs is not None and all(place.is_of(array) for array in outs)
    results = plan(arrays, outs if direct else None, plan_threads(plan.cost))
    return results if outs is None or direct or results is None else written(outs, results)


def written(outs: Arrays, results: Arrays) -> Arrays:
    for array, result in zip(outs, results, strict=True):
        np.copyto(array, result)
    return outs


def in_full(
    operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...], out: Any, plan: _kernels.Plan | None, failed: bool
) -> Arrays:
    """A call that has no `plan` yet, or whose plan `failed`, or whose `out` does not lie as new results would."""
    if plan is not None and not failed:
        described, place = plan.made
        results = run(plan, arrays, place, checked_outs(out, described, arrays))
        if results is not None:
            return results
    call = CALLS[operation](arrays, args)
    if call.plan is not None and all(a is b for a, b in zip(arrays, call.arrays, strict=False)):
        call.plan.made = call.results, call.place
        _kernels.remember(operation, arrays, args, call.plan)
    return perform(call, out, (*arrays, *call.arrays), failed)


# Every pooling call: (operation, arrays, its other arguments, `out`) to the tuple of results, `out` where it was given.
pool = _kernels.pool
_kernels.set_callbacks(in_full, plan_threads)
