"""Fixtures that run a test once per level of this machine and once per number of threads, and the hypothesis profile.

A test that takes `level` runs with that level in force; one that takes `threads` runs with that number of threads, and
even a tiny array is split among them.
"""

import os

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
