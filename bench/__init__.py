"""Benchmarks of numpool against its peers and against a copy of the same bytes: `python -m bench --help`, README.md."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))  # the cases are shared with the tests
