"""Windows: from kernel, stride, padding and dilation to one axis of windows.

Output i of an axis reads the taps ``i * stride - before + j * dilation``, j < kernel, that lie inside the input. All
sizes are Python integers, so nothing overflows before it has been checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpool.arguments import Pair, paddings, pair

# What the kernels' 64-bit sums of positions can hold.
MOST = 2**62


@dataclass(frozen=True)
class Axis:
    """Regular windows over one spatial axis, `size` long."""

    size: int
    out: int
    kernel: int
    stride: int
    dilation: int
    before: int
    after: int

    @property
    def extent(self) -> int:
        """Positions from a window's first tap to its last, both counted."""
        return (self.kernel - 1) * self.dilation + 1

    @property
    def inside(self) -> bool:
        """Whether no window reaches beyond the input."""
        return self.before == 0 and (self.out - 1) * self.stride + self.extent <= self.size

    @property
    def tiles(self) -> bool:
        """Whether a second input behind this one would take the same windows again, one after the last of these."""
        return self.inside and self.size == self.out * self.stride and self.extent <= self.stride

    def counts_alike(self, padding: bool) -> bool:
        """Whether every window has the same number of positions in an average's divisor."""
        end = (self.out - 1) * self.stride - self.before + self.kernel
        return end <= self.size + self.after if padding else self.inside


def axis(name: str, size: int, kernel: int, stride: int, padding: Pair | str, dilation: int, ceil: bool) -> Axis:
    """The windows over an axis of `size`; `name` is for the error texts."""
    if size < 1:
        raise ValueError(f"every spatial size must be at least 1; got {name} = {size}")
    extent = (kernel - 1) * dilation + 1
    if isinstance(padding, str):  # TensorFlow's and ONNX's words, which say the number of outputs: no ceil_mode
        ceil = False
        total = 0 if padding == "valid" else max((-(-size // stride) - 1) * stride + extent - size, 0)
        small, large = total // 2, total - total // 2
        before, after = (large, small) if padding == "same_lower" else (small, large)
    else:
        before, after = padding
    padded = size + before + after
    if padded >= MOST:
        raise ValueError(f"the padded {name} must be below 2**62; got {size} + {before} + {after}")
    out = (padded - extent + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (out - 1) * stride >= size + before:
        out -= 1  # a window may not start in the padding behind the input
    if padding in ("same", "same_lower"):
        out = -(-size // stride)  # a stride beyond the kernel may leave the last of these out above
    if out < 1:
        raise ValueError(
            f"the window must fit into the padded {name}; got {size} + {before} + {after} = {padded} positions for a "
            f"kernel of {kernel} with dilation {dilation}, which takes {extent}"
        )
    if out == 1:
        stride = max(padded, extent)  # there is no second window: any stride that reaches beyond does
    if dilation > 1 and kernel == 1:
        dilation = 1
    return Axis(size, out, kernel, stride, dilation, before, after)


def spatial_axes(ndim: int, layout: str) -> Pair:
    """Which axes of an array are its height and its width."""
    return (ndim - 2, ndim - 1) if layout == "NCHW" else (ndim - 3, ndim - 2)


def windows(
    shape: tuple[int, ...], layout: str, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> tuple[Axis, Axis]:
    """The windows over the height and the width of an input of this shape, from the caller's own arguments."""
    least = 2 if layout == "NCHW" else 3
    if len(shape) < least:
        raise ValueError(f'layout "{layout}" needs at least {least} dimensions; got shape {shape}')
    sizes = [shape[a] for a in spatial_axes(len(shape), layout)]
    kernels = pair("kernel_size", kernel_size, 1)
    empty = stride is None or (isinstance(stride, tuple | list) and not stride)
    strides = kernels if empty else pair("stride", stride, 1)
    pads, dilations, ceil = paddings(padding), pair("dilation", dilation, 1), bool(ceil_mode)
    h = axis("height", sizes[0], kernels[0], strides[0], pads[0], dilations[0], ceil)
    w = axis("width", sizes[1], kernels[1], strides[1], pads[1], dilations[1], ceil)
    return h, w


def output_shape(shape: tuple[int, ...], layout: str, h: Axis, w: Axis) -> tuple[int, ...]:
    height, width = spatial_axes(len(shape), layout)
    return (*shape[:height], h.out, w.out, *shape[width + 1 :])
