"""Models of one operator for ONNX Runtime and OpenVINO, run on memory made beforehand."""

from functools import partial

import numpy as np


def onnx_session(operator, inputs, results, threads, opset=19, **attributes):
    """A session of a model of one node; `inputs` are arrays, `results` the dtypes of what it gives."""
    import onnxruntime
    from onnx import helper

    def value(name, dtype, shape):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    values = [value(f"x{i}", a.dtype, a.shape) for i, a in enumerate(inputs)]
    named = [value(f"y{i}", dtype, None) for i, dtype in enumerate(results)]
    node = helper.make_node(operator, [v.name for v in values], [v.name for v in named], **attributes)
    graph = helper.make_graph([node], "pool", values, named)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def onnx_bound(session, inputs, out):
    """The call that runs the session from `inputs` to `out`, lists of arrays; it has run once."""
    import onnxruntime

    binding = session.io_binding()
    for i, array in enumerate(inputs):
        binding.bind_ortvalue_input(f"x{i}", onnxruntime.OrtValue.ortvalue_from_numpy(array))
    for i, array in enumerate(out):
        binding.bind_ortvalue_output(f"y{i}", onnxruntime.OrtValue.ortvalue_from_numpy(array))
    run = partial(session.run_with_iobinding, binding)
    run()
    return run


def openvino_model(build, x, threads, results=1):
    """A compiled model; `build(openvino.opset8, parameter)` gives its node, of which the first outputs count."""
    import openvino
    from openvino import opset8

    parameter = opset8.parameter(x.shape, x.dtype.type)
    outputs = build(opset8, parameter).outputs()[:results]
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    return openvino.Core().compile_model(openvino.Model(outputs, [parameter]), "CPU", settings)


def openvino_bound(model, x, out):
    """The call that runs the model from x to `out`, a list of arrays."""
    import openvino

    request = model.create_infer_request()
    request.set_input_tensor(openvino.Tensor(x, shared_memory=True))
    for i, array in enumerate(out):
        request.set_output_tensor(i, openvino.Tensor(array, shared_memory=True))
    run = partial(request.infer, share_outputs=True)
    run.memory = x, out  # the tensors only borrow it
    return run
