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

# Every module of public functions lists their names itself, in `__all__`; the stars read those lists.
from numpool import adaptive, norms, pooling, pyramid, receptive, sampled, sequences, unpooling
from numpool._version import __version__
from numpool.adaptive import *  # noqa: F403
from numpool.config import explain, show_config
from numpool.levels import levels, use_level
from numpool.norms import *  # noqa: F403
from numpool.pooling import *  # noqa: F403
from numpool.pyramid import *  # noqa: F403
from numpool.receptive import *  # noqa: F403
from numpool.sampled import *  # noqa: F403
from numpool.sequences import *  # noqa: F403
from numpool.threads import get_num_threads, num_threads, set_num_threads
from numpool.unpooling import *  # noqa: F403

__all__ = [
    "__version__",
    "explain",
    "get_num_threads",
    "levels",
    "num_threads",
    "set_num_threads",
    "show_config",
    "use_level",
]
__all__ += adaptive.__all__
__all__ += norms.__all__
__all__ += pooling.__all__
__all__ += pyramid.__all__
__all__ += receptive.__all__
__all__ += sampled.__all__
__all__ += sequences.__all__
__all__ += unpooling.__all__
