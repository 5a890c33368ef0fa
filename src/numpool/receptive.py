"""Receptive fields: which part of the input one output of a stack of convolutions and poolings sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpool.arguments import integer

__all__ = ["ReceptiveField", "receptive_field"]

WORDS = ("kernel_size", "stride", "padding", "dilation")


@dataclass(frozen=True)
class ReceptiveField:
    """What one output of a stack of layers sees of its input, in input pixels.

    Every field is a number, or a tuple with one for each axis where a layer gave one for each.

    Parameters
    ----------
    size : int or tuple of int
        Pixels from the first to the last that one output sees.
    stride : int or tuple of int
        From what one output sees to what the next one sees.
    padding : int or tuple of int
        Padding in front of the input that the first output sees.
    start : float or tuple of float
        Centre of what the first output sees; 0.0 is the centre of the first pixel.

    Raises
    ------
    TypeError
        A field is missing.

    Examples
    --------
    >>> import numpool
    >>> numpool.ReceptiveField(size=3, stride=1, padding=0, start=1.0).size
    3
    """

    size: int | tuple[int, ...]
    stride: int | tuple[int, ...]
    padding: int | tuple[int, ...]
    start: float | tuple[float, ...]


def words(layer: Any) -> tuple[Any, Any, Any, Any]:
    """kernel_size, stride, padding and dilation of one layer."""
    rule = "a layer must be (kernel_size, stride, padding[, dilation]) or a mapping with these keys"
    if isinstance(layer, Mapping):
        unknown = set(layer) - set(WORDS)
        if unknown or "kernel_size" not in layer:
            raise ValueError(f"{rule}; got {dict(layer)!r}")
        kernel = layer["kernel_size"]
        stride = layer.get("stride")
        return kernel, kernel if stride is None else stride, layer.get("padding", 0), layer.get("dilation", 1)
    if not isinstance(layer, tuple | list):
        raise TypeError(f"{rule}; got {layer!r}")
    if len(layer) not in (3, 4):
        raise ValueError(f"{rule}; got {layer!r}")
    kernel, stride, padding, *rest = layer
    return kernel, kernel if stride is None else stride, padding, rest[0] if rest else 1


def along(layers: list[tuple[Any, Any, Any, Any]], axis: int) -> tuple[int, int, int, float]:
    """size, stride, padding and start along one axis."""
    size, jump, padding = 1, 1, 0
    for layer in layers:
        own = [value[axis] if isinstance(value, tuple | list) else value for value in layer]
        kernel, stride, pad, dilation = (
            integer(name, value, least) for name, value, least in zip(WORDS, own, (1, 1, 0, 1), strict=True)
        )
        size += (kernel - 1) * dilation * jump
        padding += pad * jump
        jump *= stride
    return size, jump, padding, (size - 1) / 2 - padding


def receptive_field(layers: Sequence[Any]) -> ReceptiveField:
    """What one output of a stack of convolutions and poolings sees of the input.

    Parameters
    ----------
    layers : sequence
        From the input on, each (kernel_size, stride, padding) or (kernel_size, stride, padding, dilation), or a mapping
        with these keys; numbers, or tuples with one for each axis. A stride of None is the kernel size.

    Returns
    -------
    ReceptiveField
        Its `size`, `stride`, `padding` and `start`.

    Raises
    ------
    TypeError
        A layer, or a number in it, has the wrong type.
    ValueError
        A number is out of its range, or layers differ in their number of axes.

    References
    ----------
    A. Araujo, W. Norris, J. Sim: Computing receptive fields of convolutional neural networks, 2019.

    Examples
    --------
    >>> import numpool
    >>> numpool.receptive_field([(3, 2, 1), (3, 2, 1)])
    ReceptiveField(size=7, stride=4, padding=3, start=0.0)
    """
    if isinstance(layers, str | Mapping) or not isinstance(layers, Sequence):
        raise TypeError(f"layers must be a sequence of layers; got {layers!r}")
    given = [words(layer) for layer in layers]
    ranks = {len(value) for layer in given for value in layer if isinstance(value, tuple | list)}
    if len(ranks) > 1 or 0 in ranks:
        raise ValueError(f"all layers must have the same number of axes, at least 1; got {list(layers)!r}")
    if not ranks:
        return ReceptiveField(*along(given, 0))
    each = [along(given, axis) for axis in range(ranks.pop())]
    size, stride, padding, start = zip(*each, strict=True)
    return ReceptiveField(size, stride, padding, start)
