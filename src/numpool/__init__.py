"""numpool: exact, fast pooling for NumPy arrays.

Rooms, one direction::

    pooling (public functions)  -->  plan (a call, checked and frozen)  -->  blocks   (how much at a time)
                                       |        threads, levels              indices  (what an index means)
                                       |        (how many, which)            arrays   (which axis is what)
                                       v                                     geometry (windows)
                                    _kernels (compiled: blocks,              arguments (every form as one type)
                                    threads, row loops)

Each of the rooms on the right imports only from those below it.
"""

from numpool._version import __version__
from numpool.config import explain, show_config
from numpool.levels import levels, use_level
from numpool.pooling import (
    avg_pool2d,
    avg_pool2d_backward,
    max_pool2d,
    max_pool2d_backward,
    min_pool2d,
    min_pool2d_backward,
)
from numpool.threads import get_num_threads, num_threads, set_num_threads

__all__ = [
    "__version__",
    "avg_pool2d",
    "avg_pool2d_backward",
    "explain",
    "get_num_threads",
    "levels",
    "max_pool2d",
    "max_pool2d_backward",
    "min_pool2d",
    "min_pool2d_backward",
    "num_threads",
    "set_num_threads",
    "show_config",
    "use_level",
]
