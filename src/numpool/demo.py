"""``python -m numpool demo``: a photograph, pooled, checked, timed and drawn.

::

    open_photo --> for every window and operation: numpool in both layouts  --> check --> the table
                                                   naive loops, NumPy idiom                   |
                                                                                              v
                                                                                        the picture

The naive loops and the NumPy idioms below are what one writes without numpool. They are the check and the rival.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import numpool
from numpool.pooling import Layout

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.uint8]

INSTALL = "pip install 'numpool[demo]'"
OPERATIONS = ("max", "min", "average")
SIDE = 32  # the naive loops compute SIDE x SIDE pixels in each of two corners of the output
IDIOM_PIXELS = 100_000  # the idiom takes seconds a megapixel at the larger windows


class DemoError(Exception):
    """The demo cannot go on; the text is one line for the user."""


class Window(NamedTuple):
    kernel: int
    stride: int
    padding: int

    def __str__(self) -> str:
        padded = f", padding {self.padding}" if self.padding else ""
        return f"{self.kernel}x{self.kernel}, stride {self.stride}{padded}"


WINDOWS = (Window(2, 2, 0), Window(4, 4, 0), Window(8, 8, 0), Window(3, 1, 1), Window(9, 1, 4))


class Row(NamedTuple):
    """One line of the table; times in seconds."""

    operation: str
    window: Window
    channels_last: float
    channels_first: float
    idiom: float
    naive: float


def open_photo(path: Path | None) -> tuple[str, Pixels]:
    """The photograph's name and its pixels, (height, width, 3) uint8."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise DemoError(f"the demo needs Pillow, which is not installed: {INSTALL}") from None
    if path is None:
        try:
            import matplotlib
        except ImportError:
            raise DemoError(f"the default photograph needs matplotlib, which is not installed: {INSTALL}") from None
        path = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
    try:
        with Image.open(path) as image:
            # Phones store a photograph as the sensor lay and note how to turn it.
            photo = np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except FileNotFoundError:
        raise DemoError(f"no such file: {path}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DemoError(f"cannot read {path} as an image: {one_line(error)}") from None
    need = max(window.kernel for window in WINDOWS if not window.padding)
    if min(photo.shape[:2]) < need:
        raise DemoError(f"the photograph must be at least {need}x{need} pixels; got {size_text(photo)}")
    return path.name, photo


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def size_text(photo: Pixels) -> str:
    return f"{photo.shape[1]}x{photo.shape[0]}"


def pool(operation: str, x: Pixels, window: Window, layout: Layout) -> Pixels:
    """What the demo shows: uint8 in, uint8 out; the average counts real pixels only, so borders stay bright."""
    pooled: Pixels
    if operation == "max":
        pooled = numpool.max_pool2d(x, *window, layout=layout)
    elif operation == "min":
        pooled = numpool.min_pool2d(x, *window, layout=layout)
    else:
        pooled = numpool.avg_pool2d(x, *window, count_include_pad=False, layout=layout, dtype=np.uint8)
    return pooled


def naive_average(values: list[int]) -> int:
    return round(sum(values) / len(values))  # half to even, as numpool and np.rint round


NAIVE: dict[str, Callable[[list[int]], int]] = {"max": max, "min": min, "average": naive_average}


def python_rows(x: Pixels, window: Window, rows: range) -> dict[int, list[list[int]]]:
    """The image rows that these output rows touch, as Python integers: the loops run five times faster on them."""
    first = rows.start * window.stride - window.padding
    last = (rows.stop - 1) * window.stride - window.padding + window.kernel - 1
    return {y: x[y].tolist() for y in range(max(first, 0), min(last + 1, len(x)))}


def naive_pool(
    operation: str,
    pixels: dict[int, list[list[int]]],
    shape: tuple[int, ...],
    window: Window,
    rows: range,
    columns: range,
) -> list[list[list[int]]]:
    """Rows and columns of the output by plain loops over an H x W x C image."""
    height, width, channels = shape
    reduce = NAIVE[operation]
    kernel, stride, padding = window
    result = []
    for i in rows:
        line = []
        for j in columns:
            pixel = []
            for c in range(channels):
                values = []
                for y in range(i * stride - padding, i * stride - padding + kernel):
                    for z in range(j * stride - padding, j * stride - padding + kernel):
                        if 0 <= y < height and 0 <= z < width:
                            values.append(pixels[y][z][c])
                pixel.append(reduce(values))
            line.append(pixel)
        result.append(line)
    return result


def idiom_pool(operation: str, x: Pixels, window: Window) -> Pixels:
    """The NumPy idiom: reshape where windows tile the image, sliding_window_view over a padded copy elsewhere."""
    kernel, stride, padding = window
    height, width, channels = x.shape
    if kernel == stride:
        h, w = height // kernel, width // kernel
        tiles = x[: h * kernel, : w * kernel].reshape(h, kernel, w, kernel, channels)
        axes = (1, 3)
        counts: int | NDArray[np.int64] = kernel * kernel
    else:
        fill = 255 if operation == "min" else 0
        border = ((padding, padding), (padding, padding), (0, 0))
        padded = np.pad(x, border, constant_values=fill)
        tiles = sliding_window_view(padded, (kernel, kernel), axis=(0, 1))
        axes = (-2, -1)
        real_rows = np.convolve(np.ones(height, np.int64), np.ones(kernel, np.int64), "same")
        real_columns = np.convolve(np.ones(width, np.int64), np.ones(kernel, np.int64), "same")
        counts = np.outer(real_rows, real_columns)[:, :, None]
    pooled: Pixels
    if operation == "max":
        pooled = tiles.max(axis=axes)
    elif operation == "min":
        pooled = tiles.min(axis=axes)
    else:
        pooled = np.rint(tiles.sum(axis=axes) / counts).astype(np.uint8)
    return pooled


def median_time(work: Callable[[], object], most: int = 25, least: int = 3, budget: float = 0.25) -> float:
    """Median seconds of a call; after `least` calls it stops when `budget` seconds are spent."""
    times: list[float] = []
    while len(times) < most and (len(times) < least or sum(times) < budget):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(operation: str, window: Window, photo: Pixels, planes: Pixels) -> tuple[Pixels, Row]:
    """Pool once in each layout, check against loops and idiom, and time all four."""

    def check(other: str, ours: Pixels, theirs: object) -> None:
        if not np.array_equal(ours, np.asarray(theirs)):
            raise DemoError(f"WRONG RESULT: {operation} {window} differs from {other}")

    result = pool(operation, photo, window, "NHWC")
    check("the other layout", result, pool(operation, planes, window, "NCHW").transpose(1, 2, 0))

    height, width = result.shape[:2]
    h, w = min(SIDE, height), min(SIDE, width)
    corners = (range(h), range(w)), (range(height - h, height), range(width - w, width))
    jobs = [(python_rows(photo, window, rows), photo.shape, window, rows, columns) for rows, columns in corners]
    start = time.perf_counter()
    parts = [naive_pool(operation, *job) for job in jobs]
    naive = (time.perf_counter() - start) * (height * width) / (len(corners) * h * w)
    check("the naive loops at the top left", result[:h, :w], parts[0])
    check("the naive loops at the bottom right", result[-h:, -w:], parts[1])

    band = idiom_band(photo)
    check("the NumPy idiom", pool(operation, band, window, "NHWC"), idiom_pool(operation, band, window))
    return result, Row(
        operation,
        window,
        channels_last=median_time(lambda: pool(operation, photo, window, "NHWC")),
        channels_first=median_time(lambda: pool(operation, planes, window, "NCHW")),
        idiom=median_time(lambda: idiom_pool(operation, band, window)) * len(photo) / len(band),
        naive=naive,
    )


def idiom_band(photo: Pixels) -> Pixels:
    """The top rows of a large photograph, about IDIOM_PIXELS of them; the whole of a small one."""
    tallest = max(window.kernel for window in WINDOWS)
    return photo[: max(tallest, IDIOM_PIXELS // photo.shape[1])]


def milliseconds(seconds: float) -> str:
    value = seconds * 1e3
    return f"{value:.3f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(slow: float, fast: float) -> str:
    value = slow / fast
    return f"{value:.2f}x" if value < 1 else f"{value:.1f}x" if value < 100 else f"{value:.0f}x"


HEADINGS = ("operation", "window", "numpool HWC", "numpool CHW", "NumPy idiom", "ratio", "naive loops", "ratio")


def print_table(rows: list[Row]) -> None:
    lines = [HEADINGS] + [
        (
            row.operation,
            str(row.window),
            milliseconds(row.channels_last),
            milliseconds(row.channels_first),
            milliseconds(row.idiom),
            ratio(row.idiom, row.channels_last),
            milliseconds(row.naive),
            ratio(row.naive, row.channels_last),
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        texts = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        print("  ".join(texts + numbers))


TILE = 300  # the longer side of a tile, in pixels
GAP, TEXT, CAPTION, CAPTION_WIDTH = 12, 15, 22, 190
COLUMNS = ("original", *OPERATIONS)


def draw(photo: Pixels, results: dict[Window, dict[str, Pixels]], title: str) -> "Image.Image":
    """One row of tiles a window: the original, then every operation. A small result is magnified to the same tile."""
    from PIL import Image, ImageDraw, ImageFont

    scale = TILE / max(photo.shape[:2])
    tile = max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale))
    # The caption must fit above a narrow tile.
    column, line = max(tile[0], CAPTION_WIDTH) + GAP, CAPTION + tile[1] + GAP
    font = ImageFont.load_default(TEXT)
    sheet = Image.new("RGB", (GAP + column * len(COLUMNS), GAP + CAPTION + line * len(results)), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, GAP), title, fill="black", font=font)
    top = GAP + CAPTION
    for window, pooled in results.items():
        for k, name in enumerate(COLUMNS):
            pixels = photo if name == "original" else pooled[name]
            left = GAP + column * k
            caption = f"{name}, {size_text(pixels)}" if name == "original" else f"{name} {window}"
            # Magnified by whole pixels, so that what pooling kept is what one sees; shrunk smoothly.
            magnified = pixels.shape[1] < tile[0]
            how = Image.Resampling.NEAREST if magnified else Image.Resampling.BOX
            pen.text((left, top), caption, fill="black", font=font)
            sheet.paste(Image.fromarray(pixels).resize(tile, how), (left, top + CAPTION))
        top += line
    return sheet


def run(photo_path: Path | None, output: Path) -> None:
    """The whole demo; prints to standard output and writes the picture to `output`."""
    name, photo = open_photo(photo_path)
    planes = np.ascontiguousarray(photo.transpose(2, 0, 1))
    print(f"{name}: {size_text(photo)} pixels, RGB, uint8; threads: {numpool.get_num_threads()}")

    rows = []
    results: dict[Window, dict[str, Pixels]] = {window: {} for window in WINDOWS}
    for window in WINDOWS:
        for operation in OPERATIONS:
            results[window][operation], row = measure(operation, window, photo, planes)
            rows.append(row)
    print(f"checked, all equal: HWC and CHW; naive loops on two corners of up to {SIDE}x{SIDE}; the NumPy idiom")
    print()
    print_table(rows)
    print()
    band = idiom_band(photo)
    print("Milliseconds, medians. Ratios are to numpool HWC.")
    print("The naive loops were measured on the two corners and scaled to the whole picture.")
    if len(band) < len(photo):
        print(f"The NumPy idiom was measured on the top {len(band)} rows and scaled to all {len(photo)}.")

    sheet = draw(photo, results, f"numpool {numpool.__version__}: {name}")
    try:
        sheet.save(output)
    except (OSError, ValueError) as error:
        raise DemoError(f"cannot write the picture to {output}: {one_line(error)}") from None
    print(f"picture: {output} ({sheet.width}x{sheet.height})")
