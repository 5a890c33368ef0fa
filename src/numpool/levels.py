"""Instruction-set levels: which there are, and which one runs.

The kernels are compiled once for each level (`kernels/level_*.c`); the best that the processor runs is taken, unless
``NUMPOOL_LEVEL`` in the environment or `use_level` names another. Results are the same bits on every level.
"""

from __future__ import annotations

import os
from types import TracebackType

from numpool import _kernels


def levels() -> tuple[str, ...]:
    """Levels that this machine can run, the best last.

    Returns
    -------
    tuple of str
        Some of ``"baseline"``, ``"v3"`` (x86-64-v3: AVX2) and ``"v4"`` (x86-64-v4: AVX-512).

    Examples
    --------
    >>> import numpool
    >>> numpool.levels()[0]
    'baseline'
    """
    names: tuple[str, ...] = _kernels.LEVELS
    return names


class _Restore:
    """What `use_level` returns: leaving its block puts the earlier level back."""

    def __init__(self, before: str) -> None:
        self.before = before

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _kernels.set_level(self.before)


def use_level(name: str | None) -> _Restore:
    """Make the kernels of one level run, for the whole process.

    Parameters
    ----------
    name : str or None
        One of `levels`; None takes the best.

    Returns
    -------
    context manager
        The level is set at once; used in a ``with`` statement, it is put back at the end of the block.

    Raises
    ------
    TypeError
        `name` is neither a string nor None.
    ValueError
        There is no such level, or this processor cannot run it.

    Examples
    --------
    >>> import numpool
    >>> with numpool.use_level("baseline"):
    ...     numpool.show_config("dicts")["level"]
    'baseline'
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(f"a level must be a string or None; got {name!r} of type {type(name).__name__}")
    wanted = levels()[-1] if name is None else name
    if wanted not in levels():
        raise ValueError(f"a level must be one that this machine runs, {', '.join(levels())}; got {wanted!r}")
    before: str = _kernels.get_level()
    _kernels.set_level(wanted)
    return _Restore(before)


if os.environ.get("NUMPOOL_LEVEL"):
    use_level(os.environ["NUMPOOL_LEVEL"])
