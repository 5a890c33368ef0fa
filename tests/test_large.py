"""Arrays beyond the caches, where the kernels fetch ahead and take other ways, are pooled as their samples are."""

import numpy as np
import pytest
from cases import bits

import numpool

RNG = np.random.default_rng(12)
X = RNG.standard_normal((16, 128, 28, 28), dtype=np.float32)  # 6 MiB, a sample 392 KiB
LENGTHS = RNG.integers(0, 785, 16)
HALF = X[..., :14, :14].copy()
WHERE = RNG.integers(-1, 28 * 28, HALF.shape)  # overlapping places, and none


def lines(x):
    return x.reshape(*x.shape[:2], -1)


# name -> (result of the samples of some arrays, these arrays)
CALLS = {
    "max 2 x 2": (lambda x: numpool.max_pool2d(x, 2), X),
    "average 2 x 2": (lambda x: numpool.avg_pool2d(x, 2), X),
    "max 3 x 3": (lambda x: numpool.max_pool2d(x, 3, 2, 1), X),
    "max 4 x 4": (lambda x: numpool.max_pool2d(x, 4), X),
    "max of 4": (lambda x: numpool.max_pool1d(lines(x), 4), X),
    "average of 4": (lambda x: numpool.avg_pool1d(lines(x), 4), X),
    "max of 4, integers": (lambda x: numpool.max_pool1d(lines(x).view(np.int32), 4), X),
    "max of whole lines": (lambda x: numpool.max_pool1d(lines(x), 784), X),
    "whole planes, max": (numpool.global_max_pool, X),
    "whole planes, average": (numpool.global_avg_pool, X),
    "narrow planes, max": (lambda x: numpool.max_pool2d(x.reshape(-1, 56, 14), (56, 14)), X),
    "narrow planes, average": (lambda x: numpool.avg_pool2d(x.reshape(-1, 56, 14), (56, 14)), X),
    "adaptive max": (lambda x: numpool.adaptive_max_pool2d(x, 9, True)[1], X),
    "adaptive average": (lambda x: numpool.adaptive_avg_pool2d(x, 9), X),
    "max over time": (lambda x, n: numpool.max_over_time(lines(x), n), X, LENGTHS),
    "average over time": (lambda x, n: numpool.avg_over_time(lines(x), n), X, LENGTHS),
    "max backward, any places": (
        lambda g, i: numpool.max_pool2d_backward(g, i, (len(g), 128, 28, 28), 2),
        HALF,
        WHERE,
    ),
    "max backward, 3 x 3": (
        lambda x: numpool.max_pool2d_backward(
            x[..., :14, :14], numpool.max_pool2d(x, 3, 2, 1, return_indices=True)[1], x.shape, 3, 2, 1
        ),
        X,
    ),
    "unpool": (lambda y, i: numpool.max_unpool2d(y, i, 2), HALF, WHERE),
    "unpool backward": (lambda g, i: numpool.max_unpool2d_backward(g, i, 2), X, WHERE),
}


@pytest.mark.parametrize("count", (1, 2))
@pytest.mark.parametrize("name", CALLS)
def test_large_arrays_are_as_their_samples(level, name, count):
    call, *arrays = CALLS[name]
    want = np.concatenate([call(*(a[i : i + 1] for a in arrays)) for i in range(len(X))])
    with numpool.num_threads(count):
        assert bits(call(*arrays)) == bits(want)
