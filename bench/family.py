"""`python -m bench.family`: every operation beyond the 2-D windows, beside PyTorch where it has one, and beside the
NumPy idiom where it has none. Contestants of a row take turns; medians; the roof is a copy of as many bytes."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import numpool

from .harness import contest
from .peers import take_threads
from .report import number, show
from .timing import loop_timer

RNG = np.random.default_rng(0)


@dataclass
class Row:
    name: str
    run: Callable
    peers: dict = field(default_factory=dict)
    nbytes: int = 0


def array(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def size(*arrays):
    return sum(a.nbytes for a in arrays)


def torch_peer(function, *args, **kwargs):
    """A call of torch.nn.functional, made ready; nothing without torch."""
    if find_spec("torch") is None:
        return {}
    import torch

    tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    call = partial(getattr(torch.nn.functional, function), *tensors, **kwargs)

    def run():
        with torch.inference_mode():
            return call()

    return {"torch": run}


def torch_gradient(function, x, *args, **kwargs):
    """The backward pass of such a call alone."""
    if find_spec("torch") is None:
        return {}
    import torch

    source = torch.from_numpy(x).requires_grad_()
    args = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    y = getattr(torch.nn.functional, function)(source, *args, **kwargs)
    grad = torch.ones_like(y)
    return {"torch": lambda: torch.autograd.grad(y, source, grad, retain_graph=True)}


VOLUMES = [
    ((8, 64, 16, 56, 56), (1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ((1, 64, 64, 64, 64), 2, 2, 0),
    ((1, 256, 8, 56, 56), (2, 1, 1), (2, 1, 1), 0),
    ((8, 512, 4, 7, 7), (4, 7, 7), (4, 7, 7), 0),
    ((1, 64, 16, 28, 28), 3, 1, 1),
]


def volumes():
    for shape, *window in VOLUMES:
        x = array(*shape)
        for layout in ("NCDHW", "NDHWC"):
            own = x if layout == "NCDHW" else channels_last(x)
            seen = x if layout == "NCDHW" else np.moveaxis(own, -1, 1)
            title = "{} " + f"{'x'.join(map(str, shape))} k{window[0]} {layout}"
            for op in ("max", "avg"):
                name = f"{op}_pool3d"
                out = getattr(numpool, name)(own, *window, layout=layout)
                run = partial(getattr(numpool, name), own, *window, layout=layout, out=out)
                yield Row(title.format(name), run, torch_peer(name, seen, *window), size(own, out))
            pair = numpool.max_pool3d(own, *window, layout=layout, return_indices=True)
            run = partial(numpool.max_pool3d, own, *window, layout=layout, return_indices=True, out=pair)
            peer = torch_peer("max_pool3d", seen, *window, return_indices=True)
            yield Row(title.format("argmax"), run, peer, size(own, *pair))
            grad, result = np.ones_like(pair[0]), np.empty_like(own)
            # into a new array, as PyTorch: before a given one is written, all indices are looked at
            run = partial(numpool.max_pool3d_backward, grad, pair[1], own.shape, *window, layout=layout)
            yield Row(
                title.format("max backward"), run, torch_gradient("max_pool3d", seen, *window), size(*pair, result)
            )
            run = partial(numpool.avg_pool3d_backward, grad, own.shape, *window, layout=layout, out=result)
            yield Row(
                title.format("avg backward"), run, torch_gradient("avg_pool3d", seen, *window), size(grad, result)
            )


def lines():
    x = array(16, 128, 4096)
    for window in ((2, 2, 0), (3, 2, 1), (5, 1, 2)):
        for op in ("max", "avg"):
            name = f"{op}_pool1d"
            out = getattr(numpool, name)(x, *window)
            run = partial(getattr(numpool, name), x, *window, out=out)
            yield Row(f"{name} 16x128x4096 k{window[0]} s{window[1]}", run, torch_peer(name, x, *window), size(x, out))


def siblings():
    """Windows of four taps over one, two and three axes of as many bytes: those over two are the others' peer."""
    x = array(8, 64, 8, 32, 32)
    kernels = {1: 4, 2: 2, 3: (1, 2, 2)}
    shapes = {1: (8, 64, 8 * 32 * 32), 2: (8, 64, 8 * 32, 32), 3: x.shape}
    for last in (False, True):
        for op in ("max", "avg"):
            runs, sizes = {}, {}
            for rank, shape in shapes.items():
                layout = (("NLC", "NHWC", "NDHWC") if last else ("NCL", "NCHW", "NCDHW"))[rank - 1]
                own = channels_last(x.reshape(shape)) if last else x.reshape(shape)
                pool = partial(getattr(numpool, f"{op}_pool{rank}d"), own, kernels[rank], layout=layout)
                runs[rank], sizes[rank] = partial(pool, out=pool()), size(own, pool())
            for rank in (1, 3):
                title = f"{op}_pool{rank}d k{kernels[rank]} beside 2x2, channels {'last' if last else 'first'}"
                yield Row(title, runs[rank], {f"{op}_pool2d": runs[2]}, sizes[rank])


def adaptive():
    for shape, output in (((8, 512, 14, 14), 1), ((8, 512, 14, 14), 7), ((8, 512, 20, 20), 7), ((8, 64, 60, 60), 6)):
        x = array(*shape)
        for layout in ("NCHW", "NHWC"):
            own = x if layout == "NCHW" else channels_last(x)
            seen = x if layout == "NCHW" else np.moveaxis(own, -1, 1)
            for op in ("max", "avg"):
                name = f"adaptive_{op}_pool2d"
                out = getattr(numpool, name)(own, output, layout=layout)
                run = partial(getattr(numpool, name), own, output, layout=layout, out=out)
                title = f"{name} {'x'.join(map(str, shape))} to {output} {layout}"
                yield Row(title, run, torch_peer(name, seen, output), size(own, out))
            pair = numpool.adaptive_max_pool2d(own, output, True, layout=layout)
            run = partial(numpool.adaptive_max_pool2d, own, output, True, layout=layout, out=pair)
            title = f"adaptive argmax {'x'.join(map(str, shape))} to {output} {layout}"
            peer = torch_peer("adaptive_max_pool2d", seen, output, return_indices=True)
            yield Row(title, run, peer, size(own, *pair))
            grad, result = np.ones_like(out), np.empty_like(own)
            run = partial(numpool.adaptive_avg_pool2d_backward, grad, own.shape, layout=layout, out=result)
            title = f"adaptive avg backward {'x'.join(map(str, shape))} to {output} {layout}"
            yield Row(title, run, torch_gradient("adaptive_avg_pool2d", seen, output), size(grad, result))


def norms():
    x = np.abs(array(1, 64, 112, 112))
    for p in (1, 2, 3):
        out = numpool.lp_pool2d(x, p, 3, 2)
        run = partial(numpool.lp_pool2d, x, p, 3, 2, out=out)
        yield Row(f"lp_pool2d p{p} 1x64x112x112 k3 s2", run, torch_peer("lp_pool2d", x, p, 3, 2), size(x, out))
        run = partial(numpool.lp_pool2d_backward, np.ones_like(out), x, out, p, 3, 2)
        yield Row(f"lp backward p{p}", run, torch_gradient("lp_pool2d", x, p, 3, 2), size(out, out, x))


def sampled():
    x, u = array(8, 64, 56, 56), RNG.random((8, 64, 2), np.float32)
    out = numpool.fractional_max_pool2d(x, 2, 40, random_samples=u)
    run = partial(numpool.fractional_max_pool2d, x, 2, 40, random_samples=u, out=out)
    peer = {}
    if find_spec("torch"):
        import torch

        peer = torch_peer("fractional_max_pool2d", x, 2, 40, _random_samples=torch.from_numpy(u))
    yield Row("fractional_max_pool2d 8x64x56x56 to 40", run, peer, size(x, out))
    x = np.abs(array(1, 16, 112, 112))
    yield Row("stochastic_pool2d 1x16x112x112 k3 s2", partial(numpool.stochastic_pool2d, x, 3, 2, rng=0), {}, size(x))

    def idiom():
        weights = sliding_window_view(x, (3, 3), axis=(2, 3))[:, :, ::2, ::2].reshape(1, 16, 55, 55, 9)
        steps = weights.cumsum(-1)
        tap = (steps > RNG.random(steps.shape[:-1])[..., None] * steps[..., -1:]).argmax(-1)
        return np.take_along_axis(weights, tap[..., None], -1)

    yield Row(
        "the same by cumsum of sliding windows", partial(numpool.stochastic_pool2d, x, 3, 2, rng=0), {"NumPy": idiom}
    )


def sequences():
    x, lengths = array(32, 256, 512), RNG.integers(1, 513, 32)
    there = np.arange(512) < lengths[:, None, None]
    for layout in ("NCL", "NLC"):
        own = x if layout == "NCL" else channels_last(x)
        inside = there if layout == "NCL" else channels_last(there)
        axis = 2 if layout == "NCL" else 1
        for name, idiom in (
            ("max_over_time", lambda: np.where(inside, own, -np.inf).max(axis)),
            ("avg_over_time", lambda: np.where(inside, own, 0).sum(axis) / lengths[:, None]),
        ):
            run = partial(getattr(numpool, name), own, lengths, layout=layout)
            yield Row(f"{name} 32x256x512 lengths {layout}", run, {"NumPy": idiom}, size(own) // 2)
            run = partial(getattr(numpool, name), own, layout=layout)
            whole = partial(np.max if name[0] == "m" else np.mean, own, axis=axis)
            yield Row(f"{name} 32x256x512 {layout}", run, {"NumPy": whole}, size(own))

    def ordered():
        where = np.sort(np.argpartition(-x, 5, axis=-1)[..., :5], axis=-1)
        return np.take_along_axis(x, where, -1)

    yield Row("k_max_pool1d 32x256x512 k5", partial(numpool.k_max_pool1d, x, 5), {"NumPy": ordered}, size(x))


def others():
    x = array(8, 256, 28, 28)
    y, indices = numpool.max_pool2d(x, 2, return_indices=True)
    out, grad = numpool.max_unpool2d(y, indices, 2), array(8, 256, 28, 28)
    run = partial(numpool.max_unpool2d, y, indices, 2, out=out)
    yield Row("max_unpool2d 8x256x14x14 k2", run, torch_peer("max_unpool2d", y, indices, 2), size(y, indices, out))
    run = partial(numpool.max_unpool2d_backward, grad, indices, 2)
    yield Row("unpool backward", run, torch_gradient("max_unpool2d", y, indices, 2), size(y, indices, out))
    run = partial(numpool.maxout, x, 4)
    yield Row("maxout 8x256x28x28 by 4", run, {"NumPy": lambda: x.reshape(8, 64, 4, 28, 28).max(2)}, size(x))
    run = partial(numpool.spatial_pyramid_pool2d, x, [1, 2, 4])
    yield Row("spatial_pyramid_pool2d 8x256x28x28 1, 2, 4", run, {}, size(x))


GROUPS = {f.__name__: f for f in (lines, siblings, volumes, adaptive, norms, sampled, sequences, others)}


def copying(nbytes):
    a, b = np.ones(max(64, nbytes // 2), np.uint8), np.ones(max(64, nbytes // 2), np.uint8)
    return loop_timer([partial(np.copyto, b, a)])


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.family", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; all of them by default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    effort = {"rounds": 5, "budget": 0.05} if args.quick else {"rounds": 9, "budget": 0.3}
    if find_spec("torch"):
        import torch

        torch.set_num_threads(args.threads)
    else:
        print("torch is not installed: its columns stay empty")
    take_threads(args.threads)
    lines_ = [["case", "roof", "numpool", "peer", "best peer", "best/ours", "of roof"]]
    for group in args.groups or GROUPS:
        for row in GROUPS[group]():
            timers = {"numpool": loop_timer([row.run])} | {n: loop_timer([p]) for n, p in row.peers.items()}
            if row.nbytes:
                timers["copy"] = copying(row.nbytes)
            times = contest({name: [timer] for name, timer in timers.items()}, args.threads, **effort)
            ours, roof = times.pop("numpool"), times.pop("copy", None)
            peer = min(times, key=times.get, default=None)
            ratio, share = (times[peer] / ours if peer else None), (roof / ours if roof else None)
            cells = [number(roof, 1e6), number(ours, 1e6), peer or "-", number(times.get(peer), 1e6)]
            lines_.append([row.name, *cells, number(ratio), number(share)])
    print(f"microseconds, {args.threads} thread(s), float32, medians of contestants that take turns")
    show(lines_, args.markdown, ("case", "peer"))


if __name__ == "__main__":
    main()
