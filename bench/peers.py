"""The contestants. Each is a function that takes a job, sets its library up at its best for it, and returns `bind`:
`bind(x, grad)` gives (run, result): run() does the work once, into memory made beforehand; result() returns the values,
or (values, indices in the H*W plane), as arrays in the job's layout. What a library cannot do raises Refused."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from math import prod

import numpy as np
from cases import LAYOUTS
from numpy.lib.stride_tricks import sliding_window_view
from threadpoolctl import threadpool_limits

from .engines import onnx_bound, onnx_session, openvino_bound, openvino_model
from .jobs import FORWARD

MAX_AVG = ("max", "avg")
INDEXED = (*MAX_AVG, "argmax")
TRAINING = (*INDEXED, "max_backward", "avg_backward")
LIBRARIES = ("torch", "ONNX Runtime", "OpenVINO", "XNNPACK", "OpenCV", "scipy")  # compiled for speed, as numpool is
FOREVER = ExitStack()  # settings of a library that hold until the process ends
PEERS = {}


class Refused(Exception):
    """Why a peer takes no part in a job."""


@dataclass(frozen=True)
class Peer:
    name: str
    package: str  # as imported
    build: Callable
    ops: tuple
    layouts: tuple
    threaded: bool
    counts_padding: bool  # False: an average divides by the valid taps, whatever the job says

    def prepare(self, job):
        """The job's `bind`, or Refused."""
        if find_spec(self.package) is None:
            raise Refused("not installed")
        if job.op not in self.ops:
            raise Refused("has no such operation")
        if job.layout not in self.layouts:
            raise Refused(f"{self.layouts[0]} only")
        if job.threads > 1 and not self.threaded:
            raise Refused("one thread only")
        return self.build(job)

    @property
    def version(self):
        """None when not installed, an empty string for plain Python."""
        if find_spec(self.package) is None:
            return None
        return version(distributions()[self.package][0]) if self.package in distributions() else ""


distributions = cache(packages_distributions)


def peer(name, package, ops, layouts=LAYOUTS, threaded=True, counts_padding=True):
    def register(build):
        PEERS[name] = Peer(name, package, build, ops, layouts, threaded, counts_padding)
        return build

    return register


def take_threads(count):
    """numpool's number of threads, and OpenMP's, which numpool obeys and torch.set_num_threads() sets for good."""
    import numpool

    numpool.set_num_threads(count)
    threadpool_limits(count, user_api="openmp")


# --- numpool ----------------------------------------------------------------------------------------------------------


@peer("numpool", "numpool", (*TRAINING, "min"))
def ours(job):
    import numpool

    if "backward" in job.op and np.dtype(job.dtype).kind in "iu":
        raise Refused("gradients of floats only")
    take_threads(job.threads)
    case = job.case
    window = (case.kernel_size, case.stride, case.padding)  # by position, as torch's: each keyword costs a little
    extreme, average = (*window, 1, case.ceil_mode), (*window, case.ceil_mode, job.count_include_pad)
    lie, indexed = {"layout": job.layout}, {"layout": job.layout, "index": job.index}
    result = {"dtype": job.dtype} if np.dtype(job.dtype).kind in "iu" else {}  # as peers do: integers stay integers

    def bind(x, grad):
        pick = partial(numpool.max_pool2d, x, *extreme, True, **indexed)
        if job.op in ("max", "min"):
            call = partial(getattr(numpool, f"{job.op}_pool2d"), x, *extreme, **lie)
        elif job.op == "argmax":
            call = pick
        elif job.op == "max_backward":
            call = partial(numpool.max_pool2d_backward, grad, pick()[1], x.shape, *extreme, **indexed)
        elif job.op == "avg":
            call = partial(numpool.avg_pool2d, x, *average, **lie, **result)
        else:
            call = partial(numpool.avg_pool2d_backward, grad, x.shape, *average, **lie)
        out = call()
        run = partial(call, out=out) if job.out else call
        if job.op != "argmax":
            return run, lambda: out
        return run, lambda: (out[0], job.plane_index(out[1]) if job.index == "window" else out[1])

    return bind


def at_most(taps, job):
    """Refuse what would take minutes, or gigabytes."""
    if job.taps > taps:
        raise Refused(f"only up to {taps:.0e} taps")


# --- Python and NumPy -------------------------------------------------------------------------------------------------


def planes(job, array):
    """Every H x W plane of an array, as a view."""
    return [plane for image in (array if job.layout == "NCHW" else np.moveaxis(array, -1, 1)) for plane in image]


@peer("loops", "builtins", INDEXED, threaded=False)
def naive_loops(job):
    at_most(300_000, job)
    (height, kh, sh, top, rows, _), (width, kw, sw, left, columns, _) = job.axes

    def pool(plane, y, positions):
        for i in range(rows):
            for j in range(columns):
                best, where, total, count = -np.inf, -1, 0.0, 0
                for h in range(max(i * sh - top, 0), min(i * sh - top + kh, height)):
                    for w in range(max(j * sw - left, 0), min(j * sw - left + kw, width)):
                        value = plane[h, w]
                        if job.op == "avg":
                            total += value
                            count += 1
                        elif value > best:
                            best, where = value, h * width + w
                if job.op == "avg":
                    y[i, j] = total / (kh * kw if job.count_include_pad else count)
                else:
                    y[i, j], positions[i, j] = best, where

    def bind(x, grad):
        y, positions = np.empty(job.output_shape, x.dtype), np.empty(job.output_shape, np.int64)

        def run():
            for task in zip(*(planes(job, array) for array in (x, y, positions))):
                pool(*task)

        return run, lambda: (y, positions) if job.op == "argmax" else y

    return bind


def plain_divisor(job):
    """Refuse averages whose divisor is not the same everywhere."""
    if job.op == "avg" and job.pads and (job.case.ceil_mode or not job.count_include_pad):
        raise Refused("divides by the whole window only")


def tiled(job):
    """x -> x cropped to whole windows."""
    g = job.geometry
    if g.kernel != g.stride or job.pads:
        raise Refused("stride = kernel and no padding only")
    whole = job.spread([slice(o * k) for o, k in zip(g.output, g.kernel)], slice(None))
    return lambda x: x[whole]


def outside(job):
    """The value of padding."""
    if job.op == "avg":
        return 0
    dtype = np.dtype(job.dtype)
    least, most = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "iu" else (-np.inf, np.inf)
    return most if job.op == "min" else least


def padded(job):
    """x -> x with the padding that its windows touch."""
    plain_divisor(job)
    if not job.pads:
        return lambda x: x
    return partial(np.pad, pad_width=job.spread(job.reach, (0, 0)), constant_values=outside(job))


def reduce_windows(job, view, axes):
    """Reduce the window axes of view(x)."""

    def bind(x, grad):
        y, taps = np.empty(job.output_shape, x.dtype), np.empty(job.output_shape, np.intp)
        reduce, out = np.mean if job.op == "avg" else np.max, y if job.out else None

        def run_argmax():
            windows = np.moveaxis(view(x), axes, (-2, -1))
            windows = windows.reshape(*job.output_shape, -1)
            windows.argmax(axis=-1, out=taps)
            windows.max(axis=-1, out=y)

        if job.op == "argmax":
            return run_argmax, lambda: (y, job.plane_index(taps))
        return lambda: reduce(view(x), axis=axes, out=out), lambda: reduce(view(x), axis=axes)

    return bind


@peer("reshape", "numpy", INDEXED, threaded=False)
def reshape_idiom(job):
    crop, (h, w), g = tiled(job), job.spatial, job.geometry
    split = [(o, k) for o, k in zip(g.output, g.kernel)]
    shape = [n for axis in job.shape(split) for n in (axis if isinstance(axis, tuple) else (axis,))]
    return reduce_windows(job, lambda x: crop(x).reshape(shape), (h + 1, w + 2))


@peer("window view", "numpy", INDEXED, threaded=False)
def window_view_idiom(job):
    at_most(100_000_000, job)
    pad, every = padded(job), job.spread([slice(None, None, s) for s in job.geometry.stride], slice(None))
    return reduce_windows(job, lambda x: sliding_window_view(pad(x), job.geometry.kernel, job.spatial)[every], (-2, -1))


@peer("tap slices", "numpy", MAX_AVG, threaded=False)
def tap_slices_idiom(job):
    """One strided slice per tap, folded into the output."""
    pad, (down, across) = padded(job), job.axes
    starts = [(i, j) for i in range(down[1]) for j in range(across[1])]

    def tap(start):
        cuts = [slice(at, at + (o - 1) * s + 1, s) for at, (_, _, s, _, o, _) in zip(start, job.axes)]
        return job.spread(cuts, slice(None))

    first, *rest = map(tap, starts)
    fold = np.add if job.op == "avg" else np.maximum

    def bind(x, grad):
        y = np.empty(job.output_shape, x.dtype)

        def run():
            source = pad(x)
            np.copyto(y, source[first])
            for cut in rest:
                fold(y, source[cut], out=y)
            if job.op == "avg":
                np.divide(y, len(starts), out=y)

        return run, lambda: y

    return bind


# --- image libraries: one window per pixel, or one per block ----------------------------------------------------------


@peer("scikit-image", "skimage", MAX_AVG, threaded=False)
def scikit_image(job):
    from skimage.measure import block_reduce

    crop, block = tiled(job), job.spread(job.geometry.kernel, 1)
    call = partial(block_reduce, block_size=block, func=np.mean if job.op == "avg" else np.max)
    return lambda x, grad: (lambda: call(crop(x)),) * 2


def pixelwise(job):
    """The part of a filtered image that is the output; such libraries compute a window for every pixel."""
    plain_divisor(job)
    if job.geometry.stride != (1, 1):
        raise Refused("stride 1 only")
    if any(o > n or before >= k for n, k, _, before, o, _ in job.axes):
        raise Refused("output no larger than the input only")
    return job.spread([slice(o) for o in job.geometry.output], slice(None))


@peer("scipy", "scipy", FORWARD, threaded=False)
def scipy_ndimage(job):
    from scipy import ndimage

    used = pixelwise(job)
    origin = job.spread([before - k // 2 for _, k, _, before, _, _ in job.axes], 0)
    options = {"size": job.spread(job.geometry.kernel, 1), "mode": "constant", "cval": outside(job), "origin": origin}
    filters = {"max": ndimage.maximum_filter, "min": ndimage.minimum_filter, "avg": ndimage.uniform_filter}
    call = filters[job.op]

    def bind(x, grad):
        y = np.empty_like(x)
        return partial(call, x, output=y, **options), lambda: y[used]

    return bind


@peer("OpenCV", "cv2", FORWARD)
def opencv(job):
    import cv2

    used = pixelwise(job)
    if job.layout == "NHWC" and job.case.shape[1] > 128:
        raise Refused("at most 128 channels")
    cv2.setNumThreads(job.threads)
    (_, kh, _, top, _, _), (_, kw, _, left, _, _) = job.axes
    options = {"anchor": (left, top), "borderType": cv2.BORDER_CONSTANT}
    if job.op == "avg":
        call = partial(cv2.boxFilter, ddepth=-1, ksize=(kw, kh), **options)
    else:
        kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (kw, kh))
        call = partial(cv2.dilate if job.op == "max" else cv2.erode, kernel=kernel, **options)

    def bind(x, grad):
        y = np.empty_like(x)
        images = [planes(job, array) if job.layout == "NCHW" else list(array) for array in (x, y)]

        def run():
            for source, target in zip(*images):
                call(source, dst=target)

        return run, lambda: y[used]

    return bind


# --- inference engines and frameworks ---------------------------------------------------------------------------------


@peer("torch", "torch", TRAINING)
def torch_eager(job):
    """NHWC is torch's channels-last memory format."""
    import torch

    if not torch.is_inference_mode_enabled():
        FOREVER.enter_context(torch.inference_mode())
    torch.set_num_threads(job.threads)
    g = job.geometry
    if any(before != after for before, after in g.padding):
        raise Refused("symmetric padding only")
    window = (g.kernel, g.stride, [before for before, _ in g.padding])
    maximum, average = (*window, 1, job.case.ceil_mode), (*window, job.case.ceil_mode, job.count_include_pad)
    aten, average_forward = torch.ops.aten, torch.nn.functional.avg_pool2d
    max_forward = torch._C._nn.max_pool2d_with_indices  # the binding that takes out= (3 us less than torch.ops.aten)
    max_backward, average_backward = aten.max_pool2d_with_indices_backward, aten.avg_pool2d_backward
    last = job.layout == "NHWC"

    def array(tensor):
        return (tensor.permute(0, 2, 3, 1) if last else tensor).numpy()

    def bind(x, grad):
        x, grad = (torch.from_numpy(a).permute(0, 3, 1, 2) if last else torch.from_numpy(a) for a in (x, grad))
        if job.op == "avg":
            fresh = filling = partial(average_forward, x, *average)
        elif job.op == "avg_backward":
            fresh = partial(average_backward.default, grad, x, *average, None)
            filling = partial(average_backward.grad_input, *fresh.args)
        elif job.op == "max_backward":
            fresh = partial(max_backward.default, grad, x, *maximum, max_forward(x, *maximum)[1])
            filling = partial(max_backward.grad_input, *fresh.args)
        elif job.op == "max" and not job.out:
            fresh = partial(torch.max_pool2d, x, *maximum)
        else:
            fresh = filling = partial(max_forward, x, *maximum)
        out = fresh()
        run = partial(filling, **{"grad_input" if "backward" in job.op else "out": out}) if job.out else fresh
        if job.op == "argmax":
            return run, lambda: tuple(map(array, out))
        return run, lambda: array(out[0] if isinstance(out, tuple) else out)

    return bind


@peer("ONNX Runtime", "onnxruntime", INDEXED, layouts=("NCHW",))
def onnx_runtime(job):
    """One-node model, bound inputs and outputs."""
    g = job.geometry
    pads = [before for before, _ in g.padding] + [after for _, after in g.padding]
    attributes = {"kernel_shape": g.kernel, "strides": g.stride, "pads": pads, "ceil_mode": int(job.case.ceil_mode)}
    if job.op == "avg":
        attributes["count_include_pad"] = int(job.count_include_pad)
    results = [job.dtype, "int64"][: 1 + (job.op == "argmax")]
    operator = "AveragePool" if job.op == "avg" else "MaxPool"
    session = onnx_session(operator, [np.empty(job.input_shape, job.dtype)], results, job.threads, **attributes)

    def bind(x, grad):
        out = [np.empty(job.output_shape, dtype) for dtype in results]
        bound = onnx_bound(session, [x], out)
        run = bound if job.out else partial(session.run, None, {"x0": x})
        return run, lambda: (out[0], out[1] % prod(g.size)) if job.op == "argmax" else out[0]

    return bind


@peer("OpenVINO", "openvino", INDEXED, layouts=("NCHW",))
def openvino(job):
    if job.op == "argmax":
        at_most(5_000_000, job)  # 60 ns a tap with indices
    g = job.geometry
    begin, end = zip(*g.padding)
    rounding = "ceil" if job.case.ceil_mode else "floor"
    results = [job.dtype, "int64"][: 1 + (job.op == "argmax")]

    def build(opset, x):
        if job.op == "avg":
            return opset.avg_pool(x, g.stride, begin, end, g.kernel, not job.count_include_pad, rounding)
        return opset.max_pool(x, g.stride, (1, 1), begin, end, g.kernel, rounding, axis=2)

    model = openvino_model(build, np.empty(job.input_shape, job.dtype), job.threads, len(results))

    def bind(x, grad):
        out = [np.empty(job.output_shape, dtype) for dtype in results]
        return openvino_bound(model, x, out), lambda: tuple(out) if job.op == "argmax" else out[0]

    return bind


@peer("XNNPACK", "ai_edge_litert", MAX_AVG, layouts=("NHWC",), counts_padding=False)
def xnnpack(job):
    """Through LiteRT, which knows SAME and VALID. SAME puts the odd element of padding last; where the case has it
    first, the image is mirrored beforehand: the same work."""
    if find_spec("tflite") is None:
        raise Refused("needs the tflite package")
    from ai_edge_litert.interpreter import Interpreter

    if job.dtype != "float32":
        raise Refused("float32 only")
    same = [sorted(reach) == [p // 2, p - p // 2] for reach, p in zip(job.reach, map(sum, job.reach))]
    full = [o == -(-n // s) for n, _, s, _, o, _ in job.axes]
    valid = [o == (n - k) // s + 1 for n, k, s, _, o, _ in job.axes]
    if not all(same + full) and (job.pads or not all(valid)):
        raise Refused("SAME or VALID padding only")
    content = pool_model(job, same=all(same + full))
    mirror = job.spread([slice(None, None, -1 if before > after else 1) for before, after in job.reach], slice(None))

    def bind(x, grad):
        interpreter = Interpreter(model_content=content, num_threads=job.threads)
        interpreter.allocate_tensors()
        source, target = (d[0]["index"] for d in (interpreter.get_input_details(), interpreter.get_output_details()))
        interpreter.set_tensor(source, x[mirror])
        return interpreter.invoke, lambda: interpreter.get_tensor(target)[mirror]

    return bind


def pool_model(job, same):
    """A flatbuffer of one pooling operator."""
    import flatbuffers
    import tflite

    builder = flatbuffers.Builder(1024)

    def table(kind, **fields):
        getattr(tflite, f"{kind}Start")(builder)
        for name, value in fields.items():
            getattr(tflite, f"{kind}Add{name}")(builder, value)
        return getattr(tflite, f"{kind}End")(builder)

    def offsets(*items):
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            builder.PrependUOffsetTRelative(item)
        return builder.EndVector()

    def numbers(*items):
        return builder.CreateNumpyVector(np.array(items, np.int32))

    (kh, kw), (sh, sw) = job.geometry.kernel, job.geometry.stride
    code = tflite.BuiltinOperator.MAX_POOL_2D if job.op == "max" else tflite.BuiltinOperator.AVERAGE_POOL_2D
    padding = tflite.Padding.SAME if same else tflite.Padding.VALID
    pool = table("Pool2DOptions", Padding=padding, StrideH=sh, StrideW=sw, FilterHeight=kh, FilterWidth=kw)
    inputs, outputs = numbers(0), numbers(1)
    operator = {"Inputs": inputs, "Outputs": outputs, "BuiltinOptions": pool}
    operator = table("Operator", BuiltinOptionsType=tflite.BuiltinOptions.Pool2DOptions, **operator)
    shapes = [numbers(*shape) for shape in (job.input_shape, job.output_shape)]
    names = [builder.CreateString(name) for name in "xy"]
    tensors = [table("Tensor", Shape=shape, Name=name) for shape, name in zip(shapes, names)]  # float32 is the default
    graph = {"Tensors": offsets(*tensors), "Inputs": inputs, "Outputs": outputs, "Operators": offsets(operator)}
    graphs, buffers = offsets(table("SubGraph", **graph)), offsets(table("Buffer"))
    codes = offsets(table("OperatorCode", BuiltinCode=code, DeprecatedBuiltinCode=code, Version=1))
    builder.Finish(table("Model", Version=3, OperatorCodes=codes, Subgraphs=graphs, Buffers=buffers), b"TFL3")
    return bytes(builder.Output())
