"""`python -m bench.family`: every operation beyond the 2-D windows beside the libraries that have it, and beside the
NumPy idiom where none has. Contestants of a row take turns; medians; the roof is a copy of as many bytes.

What pools writes into memory made beforehand, in every library that can; gradients are new arrays, as autograd's are. A
peer whose result differs from numpool's is named and does not count."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

import numpool

from .engines import onnx_bound, onnx_session, openvino_bound, openvino_model
from .harness import contest
from .peers import take_threads
from .report import number, show
from .timing import loop_timer

RNG = np.random.default_rng(0)


@dataclass
class Row:
    name: str
    run: Callable
    peers: dict = field(default_factory=dict)  # contestant -> (run, result): the result as an array like numpool's
    nbytes: int = 0


# --- peers: each a dict of contestants, empty where the library is absent ---------------------------------------------

# The bindings of PyTorch that take out=, beside the functions of torch.nn.functional.
FILLING = {
    "max_pool3d": "max_pool3d_with_indices",
    "avg_pool3d": "avg_pool3d",
    "adaptive_max_pool2d": "adaptive_max_pool2d",
    "adaptive_avg_pool2d": "adaptive_avg_pool2d",
}


def torch_peer(function, *args, last=False, **kwargs):
    """A call of torch.nn.functional, and the binding behind it with out=. `last`: channels last in memory."""
    if find_spec("torch") is None:
        return {}
    import torch

    def values(result):
        first = result[0] if isinstance(result, tuple) else result
        return (first.movedim(1, -1) if last else first).numpy()

    def contestant(call):
        def run():
            with torch.inference_mode():
                return call()

        return run, lambda: values(run())

    tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    found = {"torch": contestant(partial(getattr(torch.nn.functional, function), *tensors, **kwargs))}
    if function in FILLING:
        call = partial(getattr(torch._C._nn, FILLING[function]), *tensors)
        found["torch, out="] = contestant(partial(call, out=call()))
    return found


def torch_gradient(function, x, *args, last=False, **kwargs):
    """The backward pass of such a call alone."""
    if find_spec("torch") is None:
        return {}
    import torch

    source = torch.from_numpy(x).requires_grad_()
    args = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in args]
    y = getattr(torch.nn.functional, function)(source, *args, **kwargs)
    grad = torch.ones_like(y)

    def run():
        return torch.autograd.grad(y, source, grad, retain_graph=True)[0]

    return {"torch": (run, lambda: (run().movedim(1, -1) if last else run()).numpy())}


def onnx_peer(threads, operator, inputs, outs, **attributes):
    """One operator of ONNX Runtime; `outs` are arrays like its results."""
    if find_spec("onnxruntime") is None or find_spec("onnx") is None:
        return {}
    outs = [np.empty_like(out) for out in outs]
    session = onnx_session(operator, inputs, [out.dtype for out in outs], threads, **attributes)
    return {"ONNX Runtime": (onnx_bound(session, inputs, outs), lambda: outs[0])}


def openvino_peer(threads, build, x, *outs):
    """One operator of OpenVINO; `build(opset, parameter)` makes it, `outs` are arrays like its results."""
    if find_spec("openvino") is None:
        return {}
    outs = [np.empty_like(out) for out in outs]
    run = openvino_bound(openvino_model(build, x, threads, len(outs)), x, outs)
    return {"OpenVINO": (run, lambda: outs[0])}


def numpy_peer(idiom):
    return {"NumPy": (idiom, idiom)}


def window_peers(threads, op, x, outs, kernel, stride, padding, **options):
    """Both engines on windows of channels first; with two `outs` the second is indices."""
    rank = x.ndim - 2
    kernel, stride, padding = ([n] * rank if isinstance(n, int) else list(n) for n in (kernel, stride, padding))
    counting = {"count_include_pad": 1} if op == "avg" else {}
    operator = "AveragePool" if op == "avg" else "MaxPool"
    window = {"kernel_shape": kernel, "strides": stride, "pads": padding * 2}
    found = onnx_peer(threads, operator, [x], outs, **window, **counting)

    def build(opset, parameter):
        if op == "avg":
            return opset.avg_pool(parameter, stride, padding, padding, kernel, False)
        return opset.max_pool(parameter, stride, [1] * rank, padding, padding, kernel, axis=2)

    return found | openvino_peer(threads, build, x, *outs)


# --- arrays -----------------------------------------------------------------------------------------------------------


def array(*shape, dtype=np.float32):
    return RNG.standard_normal(shape).astype(dtype)


def channels_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1))


def size(*arrays):
    return sum(a.nbytes for a in arrays)


def times(shape):
    return "x".join(map(str, shape))


# --- rows -------------------------------------------------------------------------------------------------------------

VOLUMES = [
    ((8, 64, 16, 56, 56), (1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ((1, 64, 64, 64, 64), 2, 2, 0),
    ((1, 256, 8, 56, 56), (2, 1, 1), (2, 1, 1), 0),
    ((8, 512, 4, 7, 7), (4, 7, 7), (4, 7, 7), 0),
    ((1, 64, 16, 28, 28), 3, 1, 1),
]


def volumes(threads):
    for shape, *window in VOLUMES:
        x = array(*shape)
        for layout in ("NCDHW", "NDHWC"):
            last = layout == "NDHWC"
            own = channels_last(x) if last else x
            seen = np.moveaxis(own, -1, 1) if last else x
            title = f"{{}} {times(shape)} k{window[0]} {layout}"
            for op in ("max", "avg"):
                name = f"{op}_pool3d"
                out = getattr(numpool, name)(own, *window, layout=layout)
                run = partial(getattr(numpool, name), own, *window, layout=layout, out=out)
                engines = {} if last else window_peers(threads, op, x, [out], *window)
                yield Row(title.format(name), run, torch_peer(name, seen, *window, last=last) | engines, size(own, out))
            pair = numpool.max_pool3d(own, *window, layout=layout, return_indices=True)
            run = partial(numpool.max_pool3d, own, *window, layout=layout, return_indices=True, out=pair)
            peer = torch_peer("max_pool3d", seen, *window, last=last, return_indices=True)
            engines = {} if last else window_peers(threads, "max", x, pair, *window)
            yield Row(title.format("argmax"), run, peer | engines, size(own, *pair))
            grad = np.ones_like(pair[0])
            run = partial(numpool.max_pool3d_backward, grad, pair[1], own.shape, *window, layout=layout)
            peer = torch_gradient("max_pool3d", seen, *window, last=last)
            yield Row(title.format("max backward"), run, peer, size(*pair, own))
            run = partial(numpool.avg_pool3d_backward, grad, own.shape, *window, layout=layout)
            peer = torch_gradient("avg_pool3d", seen, *window, last=last)
            yield Row(title.format("avg backward"), run, peer, size(grad, own))


def lines(threads):
    x = array(16, 128, 4096)
    for window in ((2, 2, 0), (3, 2, 1), (5, 1, 2)):
        for op in ("max", "avg"):
            name = f"{op}_pool1d"
            out = getattr(numpool, name)(x, *window)
            run = partial(getattr(numpool, name), x, *window, out=out)
            peers = torch_peer(name, x, *window) | window_peers(threads, op, x, [out], *window)
            yield Row(f"{name} 16x128x4096 k{window[0]} s{window[1]}", run, peers, size(x, out))


def siblings(threads):
    """Windows of four taps over one, two and three axes of the same bytes: those over two are the others' peer."""
    x = array(8, 64, 8, 32, 32)
    kernels = {1: 4, 2: 2, 3: (1, 2, 2)}
    shapes = {1: (8 * 32 * 32,), 2: (8 * 32, 32), 3: (8, 32, 32)}
    for last in (False, True):
        layouts = ("NLC", "NHWC", "NDHWC") if last else ("NCL", "NCHW", "NCDHW")
        own = channels_last(x) if last else x
        memory = np.empty(x.size // 4, np.float32)
        for op in ("max", "avg"):
            runs = {}
            for rank, shape in shapes.items():
                shaped = own.reshape(8, *shape, 64) if last else own.reshape(8, 64, *shape)
                pool = partial(getattr(numpool, f"{op}_pool{rank}d"), shaped, kernels[rank], layout=layouts[rank - 1])
                runs[rank] = partial(pool, out=memory.reshape(pool().shape))
            for rank in (1, 3):
                title = f"{op}_pool{rank}d k{kernels[rank]} beside 2x2, channels {'last' if last else 'first'}"
                yield Row(title, runs[rank], {f"{op}_pool2d": (runs[2], None)}, size(own, memory))


def adaptive(threads):
    for shape, output in (((8, 512, 14, 14), 1), ((8, 512, 14, 14), 7), ((8, 512, 20, 20), 7), ((8, 64, 60, 60), 6)):
        x = array(*shape)
        for layout in ("NCHW", "NHWC"):
            last = layout == "NHWC"
            own = channels_last(x) if last else x
            seen = np.moveaxis(own, -1, 1) if last else x
            case = f"{times(shape)} to {output} {layout}"
            for op in ("max", "avg"):
                name = f"adaptive_{op}_pool2d"
                out = getattr(numpool, name)(own, output, layout=layout)
                run = partial(getattr(numpool, name), own, output, layout=layout, out=out)
                peers = torch_peer(name, seen, output, last=last)
                if not last:
                    peers |= adaptive_engines(threads, op, x, out, output)
                yield Row(f"{name} {case}", run, peers, size(own, out))
            pair = numpool.adaptive_max_pool2d(own, output, True, layout=layout)
            run = partial(numpool.adaptive_max_pool2d, own, output, True, layout=layout, out=pair)
            peer = torch_peer("adaptive_max_pool2d", seen, output, last=last, return_indices=True)
            yield Row(f"adaptive argmax {case}", run, peer, size(own, *pair))
            run = partial(numpool.adaptive_avg_pool2d_backward, np.ones_like(out), own.shape, layout=layout)
            peer = torch_gradient("adaptive_avg_pool2d", seen, output, last=last)
            yield Row(f"adaptive avg backward {case}", run, peer, size(out, own))


def adaptive_engines(threads, op, x, out, output):
    """OpenVINO has adaptive pooling, ONNX Runtime that to one value."""

    def build(opset, parameter):
        if op == "avg":
            return opset.adaptive_avg_pool(parameter, [output, output])
        return opset.adaptive_max_pool(parameter, [output, output], index_element_type="i32")

    whole = "GlobalAveragePool" if op == "avg" else "GlobalMaxPool"
    return openvino_peer(threads, build, x, out) | (onnx_peer(threads, whole, [x], [out]) if output == 1 else {})


def norms(threads):
    x = np.abs(array(1, 64, 112, 112))
    for p in (1, 2, 3):
        out = numpool.lp_pool2d(x, p, 3, 2)
        run = partial(numpool.lp_pool2d, x, p, 3, 2, out=out)
        peers = torch_peer("lp_pool2d", x, p, 3, 2)
        peers |= onnx_peer(threads, "LpPool", [x], [out], p=p, kernel_shape=[3, 3], strides=[2, 2])
        yield Row(f"lp_pool2d p{p} 1x64x112x112 k3 s2", run, peers, size(x, out))
        run = partial(numpool.lp_pool2d_backward, np.ones_like(out), x, out, p, 3, 2)
        yield Row(f"lp backward p{p}", run, torch_gradient("lp_pool2d", x, p, 3, 2), size(out, out, x))


def sampled(threads):
    x, u = array(8, 64, 56, 56), RNG.random((8, 64, 2), np.float32)
    out = numpool.fractional_max_pool2d(x, 2, 40, random_samples=u)
    run = partial(numpool.fractional_max_pool2d, x, 2, 40, random_samples=u, out=out)
    peer = {}
    if find_spec("torch"):
        import torch

        peer = torch_peer("fractional_max_pool2d", x, 2, 40, _random_samples=torch.from_numpy(u))
    yield Row("fractional_max_pool2d 8x64x56x56 to 40", run, peer, size(x, out))
    x = np.abs(array(1, 16, 112, 112))

    def idiom():
        weights = sliding_window_view(x, (3, 3), axis=(2, 3))[:, :, ::2, ::2].reshape(1, 16, 55, 55, 9)
        steps = weights.cumsum(-1)
        tap = (steps > RNG.random(steps.shape[:-1])[..., None] * steps[..., -1:]).argmax(-1)
        return np.take_along_axis(weights, tap[..., None], -1)

    run = partial(numpool.stochastic_pool2d, x, 3, 2, rng=0)
    yield Row("stochastic_pool2d 1x16x112x112 k3 s2", run, {"NumPy": (idiom, None)}, size(x))


def sequences(threads):
    for samples in (8, 32):  # a share of a last-level cache that others use too, and most of it
        yield from over_time(threads, samples)
    x = array(32, 256, 512)

    def ordered():
        where = np.sort(np.argpartition(-x, 5, axis=-1)[..., :5], axis=-1)
        return np.take_along_axis(x, where, -1)

    yield Row("k_max_pool1d 32x256x512 k5", partial(numpool.k_max_pool1d, x, 5), numpy_peer(ordered), size(x))


def over_time(threads, samples):
    x, lengths = array(samples, 256, 512), RNG.integers(1, 513, samples)
    there, case = np.arange(512) < lengths[:, None, None], times(x.shape)
    for layout in ("NCL", "NLC"):
        own = x if layout == "NCL" else channels_last(x)
        inside = there if layout == "NCL" else channels_last(there)
        axis = 2 if layout == "NCL" else 1
        for name, idiom in (
            ("max_over_time", lambda: np.where(inside, own, -np.inf).max(axis)),
            ("avg_over_time", lambda: np.where(inside, own, 0).sum(axis) / lengths[:, None]),
        ):
            pool = partial(getattr(numpool, name), own, layout=layout)
            out = pool()
            run = partial(pool, lengths, out=out.copy())
            read = own.itemsize * 256 * int(lengths.sum())
            yield Row(f"{name} {case} lengths {layout}", run, numpy_peer(idiom), read + size(out))
            run = partial(pool, out=out)
            yield Row(f"{name} {case} {layout}", run, whole_lines(threads, name, own, axis, out), size(own, out))


def whole_lines(threads, name, x, axis, out):
    """Reductions over one axis."""
    greatest = name[0] == "m"
    peers = numpy_peer(partial(np.max if greatest else np.mean, x, axis=axis))
    if find_spec("torch"):
        import torch

        call = partial(torch.amax if greatest else torch.mean, torch.from_numpy(x), axis, out=torch.empty(out.shape))
        peers["torch"] = call, lambda: call().numpy()
    operator = "ReduceMax" if greatest else "ReduceMean"
    peers |= onnx_peer(threads, operator, [x], [out], opset=13, axes=[axis], keepdims=0)

    def build(opset, parameter):
        return (opset.reduce_max if greatest else opset.reduce_mean)(parameter, np.array([axis]), False)

    return peers | openvino_peer(threads, build, x, out)


def others(threads):
    x = array(8, 256, 28, 28)
    y, indices = numpool.max_pool2d(x, 2, return_indices=True)
    out, grad = numpool.max_unpool2d(y, indices, 2), np.ones((8, 256, 28, 28), np.float32)
    run = partial(numpool.max_unpool2d, y, indices, 2, out=out)
    peers = torch_peer("max_unpool2d", y, indices, 2)
    positions = numpool.max_pool2d(x, 2, return_indices=True, index="tensor")[1]
    peers |= onnx_peer(threads, "MaxUnpool", [y, positions], [out], kernel_shape=[2, 2], strides=[2, 2])
    yield Row("max_unpool2d 8x256x14x14 k2", run, peers, size(y, indices, out))
    run = partial(numpool.max_unpool2d_backward, grad, indices, 2)
    yield Row("unpool backward", run, torch_gradient("max_unpool2d", y, indices, 2), size(y, indices, out))
    split, out = x.reshape(8, 64, 4, 28, 28), numpool.maxout(x, 4)
    peers = numpy_peer(partial(np.max, split, axis=2))
    peers |= onnx_peer(threads, "ReduceMax", [split], [out], opset=13, axes=[2], keepdims=0)
    yield Row("maxout 8x256x28x28 by 4", partial(numpool.maxout, x, 4, out=out), peers, size(x, out))

    def pyramid():
        def level(n):
            edges = [(i * 28 // n, -(-(i + 1) * 28 // n)) for i in range(n)]
            parts = [x[:, :, a:b, c:d].max(axis=(2, 3)) for a, b in edges for c, d in edges]
            return np.stack(parts, -1).reshape(8, -1)

        return np.concatenate([level(n) for n in (1, 2, 4)], axis=1)

    run = partial(numpool.spatial_pyramid_pool2d, x, [1, 2, 4])
    yield Row("spatial_pyramid_pool2d 8x256x28x28 1, 2, 4", run, numpy_peer(pyramid), size(x))


GROUPS = {f.__name__: f for f in (lines, siblings, volumes, adaptive, norms, sampled, sequences, others)}


# --- the table --------------------------------------------------------------------------------------------------------


def copying(nbytes):
    a, b = np.ones(max(64, nbytes // 2), np.uint8), np.ones(max(64, nbytes // 2), np.uint8)
    return loop_timer([partial(np.copyto, b, a)])


def differing(row):
    """The peers whose results are not numpool's."""
    ours = row.run()
    want = ours[0] if isinstance(ours, tuple) else ours
    found = {name: result() for name, (_, result) in row.peers.items() if result}
    return [n for n, got in found.items() if got.shape != want.shape or not np.allclose(got, want, 1e-4, 1e-5)]


def line(row, threads, effort):
    timers = {"numpool": loop_timer([row.run])} | {name: loop_timer([run]) for name, (run, _) in row.peers.items()}
    timers |= {"copy": copying(row.nbytes)}
    medians = contest({name: [timer] for name, timer in timers.items()}, threads, **effort)
    ours, roof = medians.pop("numpool"), medians.pop("copy")
    wrong = differing(row)
    for name in wrong:
        del medians[name]
    peer = min(medians, key=medians.get, default=None)
    ratio = medians[peer] / ours if peer else None
    cells = [number(roof, 1e6), number(ours, 1e6), peer or "-", number(medians.get(peer), 1e6)]
    return [row.name, *cells, number(ratio), number(roof / ours)], wrong


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.family", description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}; all of them by default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    effort = {"rounds": 5, "budget": 0.05} if args.quick else {"rounds": 9, "budget": 0.3}
    absent = [name for name in ("torch", "onnxruntime", "onnx", "openvino") if find_spec(name) is None]
    if find_spec("torch"):
        import torch

        torch.set_num_threads(args.threads)
    take_threads(args.threads)
    table, wrong = [["case", "roof", "numpool", "peer", "best peer", "best/ours", "of roof"]], []
    for group in args.groups or GROUPS:
        for row in GROUPS[group](args.threads):
            cells, differ = line(row, args.threads, effort)
            table.append(cells)
            wrong += [f"{row.name}: {name}" for name in differ]
    print(f"microseconds, {args.threads} thread(s), float32, medians of contestants that take turns")
    print(f"Not installed: {', '.join(absent) or 'none'}. Different results: {'; '.join(wrong) or 'none'}.")
    show(table, args.markdown, ("case", "peer"))


if __name__ == "__main__":
    main()
