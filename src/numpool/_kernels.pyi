"""Types of the compiled module, `kernels/_kernels.pyx`."""

from collections.abc import Callable
from typing import Any

import numpy as np

BUSY: dict[int, int]
FLAT_MASKS: int
FLAT_TAPS: int
APART: int
BEYOND: int
FIVE_BUSIER: int
FIVE_LANES: int
LEAST_PICKED: int
NARROW: int
PART: int
ROLLED: int
SMALL_ROWS: int
TALL: int
TURNED: int
LEVELS: tuple[str, ...]
BUILT_LEVELS: tuple[str, ...]
DTYPES: tuple[str, ...]
OPERATIONS: tuple[str, ...]
COMPILER: str
has_openmp: bool

def set_level(name: str) -> None: ...
def get_level() -> str: ...
def vector_bytes() -> int: ...
def omp_max_threads() -> int: ...
def forget() -> None: ...

class Plan:
    @property
    def cost(self) -> int: ...
    @property
    def outputs(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...] | None, np.dtype[Any]], ...]: ...
    @property
    def spec(self) -> dict[str, Any]: ...
    made: Any
    def __init__(self, spec: dict[str, Any]) -> None: ...
    def scratch_bytes(self, threads: int = 1) -> int: ...
    def scratch_needed(self, threads: int = 1) -> int: ...
    def __call__(
        self, arrays: tuple[Any, ...], outs: tuple[np.ndarray, ...] | None, threads: int
    ) -> tuple[np.ndarray, ...] | None: ...

def set_callbacks(
    looks_in_full: Callable[
        [str, tuple[Any, ...], tuple[Any, ...], Any, Plan | None, bool], tuple[np.ndarray, ...]
    ],
    says_threads: Callable[[int], int],
) -> None: ...
def set_alone_below(nbytes: int) -> None: ...
def pool(
    operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...], out: Any
) -> tuple[np.ndarray, ...]: ...
def remember(operation: str, arrays: tuple[Any, ...], args: tuple[Any, ...], plan: Plan) -> None: ...
def move(
    index: np.ndarray,
    source: np.ndarray,
    target: np.ndarray | None,
    positions: int,
    plane: int,
    lanes: int,
    gather: bool,
    threads: int,
) -> bool: ...
