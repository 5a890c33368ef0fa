"""Microbenchmarks: `pytest bench --benchmark-only`. They compare results, never times.

Tiny arrays against naive Python loops and the NumPy idioms, and the cost of a call that has next to nothing to pool."""

from itertools import product

import numpy as np
import pytest
from cases import LAYOUTS, Network

import numpool

from .harness import difference
from .jobs import OPS, Job
from .peers import PEERS, Refused

SMALL = (
    Network("halved", "max", (1, 3, 32, 32), 2, 2, 0),
    Network("sliding", "max", (1, 3, 32, 32), 3, 1, 1),
    Network("halved", "avg", (1, 3, 32, 32), 2, 2, 0),
    Network("sliding", "avg", (1, 3, 32, 32), 3, 1, 1),
)
CALL = (Network("call", "max", (1, 1, 8, 8), 2, 2, 0), Network("call", "avg", (1, 1, 8, 8), 2, 2, 0))


def contests(cases, layouts, names, **options):
    """Every contestant in every job whose operation it has."""
    return [
        pytest.param(Job(case, op, layout, **options), name, id=f"{case.name}-{op}-{layout}-{name}")
        for case in cases
        for op, layout, name in product(OPS[case.op], layouts, names)
        if op in PEERS[name].ops
    ]


def run(benchmark, job, name):
    """Time one contestant and compare its result with numpool's."""
    benchmark.group = f"{job.case.name}, {job.op}, {job.layout}, {'x'.join(map(str, job.case.shape))}"
    data = job.data()
    results = []
    for contestant in ("numpool", name):
        try:
            call, result = PEERS[contestant].prepare(job)(*data)
        except Refused as reason:
            pytest.skip(f"{contestant}: {reason}")
        call()
        results.append(result())
    benchmark(call)
    assert difference(job.op, *results[::-1]) is None


@pytest.mark.parametrize("job, name", contests(SMALL, LAYOUTS, ["numpool", "loops", "reshape", "window view"]))
def test_small(benchmark, job, name):
    run(benchmark, job, name)


@pytest.mark.parametrize("job, name", contests(CALL, ["NCHW"], ["numpool", "torch"], out=False))
def test_call(benchmark, job, name):
    """The result is allocated by the call; torch is given a ready tensor."""
    run(benchmark, job, name)


@pytest.mark.parametrize("contestant", ["numpool", "copy"])
@pytest.mark.parametrize("channels", [8, 24])
def test_out_among_other_channels(benchmark, channels, contestant):
    """A call into 8 of so many channels, beside copying a result there."""
    benchmark.group = f"out: 8 of {channels} channels"
    x = np.random.default_rng(0).standard_normal((2, 8, 16, 16)).astype(np.float32)
    want, out = numpool.max_pool2d(x, 2), np.empty((2, channels, 8, 8), np.float32)[:, :8]
    calls = {"numpool": lambda: numpool.max_pool2d(x, 2, out=out), "copy": lambda: np.copyto(out, want)}
    calls[contestant]()
    benchmark(calls[contestant])
    assert (out == want).all()
