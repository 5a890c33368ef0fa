"""numpool: exact, fast pooling for NumPy arrays.

Rooms, one direction::

    pooling (public functions)  -->  plan (checks, plans)  -->  geometry (windows)
                                       |        threads, levels (how many, which)
                                       v
                                    _kernels (compiled: blocks, threads, row loops)
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
