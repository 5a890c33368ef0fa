"""Fixtures that run a test once per level of this machine and once per number of threads, and the hypothesis profile.

A test that takes `level` runs with that level in force; one that takes `threads` runs with that number of threads, and
even a tiny array is split among them.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import guard
import hypothesis
import pytest

import numpool
import numpool.threads

hypothesis.settings.register_profile("numpool", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("numpool")


@pytest.fixture(params=numpool.levels())
def level(request):
    with numpool.use_level(request.param):
        yield request.param


@pytest.fixture(params=(1, 2, 3, 7))
def threads(request):
    with numpool.threads.min_bytes_per_thread(1), numpool.num_threads(request.param):
        yield request.param


@pytest.fixture(scope="session", autouse=True)
def fuzzed(request):
    """The fuzz at guard pages, which takes minutes, behind all tests before it: (level, threads) -> a process to be."""
    tests = [item for item in request.session.items if getattr(item, "originalname", "") == "test_guard_pages_hold"]
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) - 1)) as pool:
        yield {
            (level, threads): pool.submit(
                guard.run, "nice", sys.executable, "-X", "faulthandler", guard.__file__, level, str(threads)
            )
            for level, threads in ((item.callspec.params["level"], item.callspec.params["threads"]) for item in tests)
        }
        pool.shutdown(cancel_futures=True)
