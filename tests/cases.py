"""What is pooled in tests and benchmarks: geometries, each with its reason; data whose right answer is exact; storages.

    CASES      geometries for correctness, small        NETWORKS   geometries for speed, as deployed
    LINES      the same over 1 spatial axis             VOLUMES    and over 3
    DTYPES     names, read from the library             STORAGES   ways in which the same array may lie in memory
    LAYOUTS    of the logical axes                      exact_data, special_data, ulps, assert_same

A test takes every case; a new case is one line here.
"""

import math
from dataclasses import dataclass

import ml_dtypes
import numpy as np

import numpool
from numpool import arguments, arrays

DTYPES = arrays.DTYPES
LAYOUTS = ("NCHW", "NHWC")
INDICES = arguments.INDEXES
LAYOUTS_OF = arguments.LAYOUTS  # by spatial rank
FLOATS = arrays.FLOATS
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True)
class Case:
    """One geometry; `reason` says why it is here and is the test's id."""

    reason: str
    shape: tuple[int, ...]  # N, C, H, W; of LINES and VOLUMES: N, C, L and N, C, D, H, W
    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...] | None = None
    padding: int | tuple | str = 0
    dilation: int | tuple[int, ...] = 1
    ceil_mode: bool = False

    @property
    def rank(self):
        """The number of spatial axes."""
        return len(self.shape) - 2

    @property
    def max_args(self):
        """Keyword arguments of max, min and their backward."""
        return self.avg_args | {"dilation": self.dilation}

    @property
    def avg_args(self):
        """Keyword arguments of avg and its backward, which know no dilation."""
        return {
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "ceil_mode": self.ceil_mode,
        }

    def __str__(self):
        return self.reason.replace(" ", "_")


# A dozen that between them take every path: these meet all dtypes, all indices, all divisors.
CORE = [
    Case("VGG: kernel equals stride", (2, 3, 12, 14), 2),
    Case("ResNet stem: overlap, padding, an even size", (2, 3, 18, 18), 3, 2, 1),
    Case("GoogLeNet: stride 1 with padding", (1, 5, 9, 11), 3, 1, 1),
    Case("YOLO SPPF: kernel 5", (1, 3, 10, 10), 5, 1, 2),
    Case("kernel, stride, padding and size differ by axis", (2, 3, 13, 17), (2, 3), (3, 2), (1, 0)),
    Case("ceil mode makes a clipped window", (1, 3, 8, 9), 3, 2, 0, 1, True),
    Case("ceil mode drops a window that starts in padding", (1, 2, 5, 5), 2, 2, 1, 1, True),
    Case("asymmetric padding", (1, 3, 7, 8), 3, 2, ((0, 2), (1, 0))),
    Case("padding beyond half the kernel, windows with no valid tap", (1, 3, 4, 5), 2, 1, 3),
    Case("same with an odd total", (2, 2, 7, 10), 2, 2, "same"),
    Case("same_lower with an odd total", (2, 2, 7, 10), 2, 2, "same_lower"),
    Case("global", (2, 17, 7, 7), 7),
]

DILATED = [
    Case("dilation", (1, 3, 11, 12), 3, 1, 1, 2),
    Case("dilation by axis, with stride", (1, 3, 13, 16), (3, 2), (2, 3), (2, 1), (3, 2)),
    Case("dilation: a window whose taps all jump over the data", (1, 2, 3, 3), 2, 1, 3, 5),
    Case("same counts dilation", (1, 2, 9, 10), 3, 2, "same", 2),
    Case("same_lower counts dilation", (1, 2, 9, 10), 3, 2, "same_lower", 2),
    Case("dilation in ceil mode", (1, 2, 10, 11), 2, 3, 1, 2, True),
]

SHAPES = [
    Case("Inception: average over 3 with padding, odd size", (1, 3, 35, 35), 3, 1, 1),
    Case("AlexNet: kernel 3, stride 2, 13x13", (2, 3, 13, 13), 3, 2),
    Case("SPP: kernel 13, most windows clipped", (1, 2, 13, 13), 13, 1, 6),
    Case("kernel 31, larger than the image", (1, 1, 20, 22), 31, 1, 15),
    Case("kernel 31 inside the image", (1, 1, 36, 34), 31),
    Case("kernel 1 is a copy", (2, 3, 5, 6), 1),
    Case("kernel 1 with stride picks pixels", (2, 3, 9, 8), 1, 3),
    Case("kernel 4, an even overlap", (1, 3, 16, 19), 4, 1),
    Case("kernel 5, stride 2", (1, 3, 17, 20), 5, 2, 2),
    Case("kernel 6, two doublings", (1, 3, 17, 40), 6, 1, 3),
    Case("kernel 17, one past a power", (1, 1, 19, 40), 17, 1, 8),
    Case("1 x k", (1, 3, 6, 40), (1, 9), 1, (0, 4)),
    Case("k x 1", (1, 3, 40, 6), (9, 1), 1, (4, 0)),
    Case("1 x 2 halves the width only", (1, 3, 5, 34), (1, 2)),
    Case("2 x 1 halves the height only", (1, 3, 34, 5), (2, 1)),
    Case("global, not square", (3, 5, 6, 11), (6, 11)),
    Case("global, 65 channels", (2, 65, 7, 7), 7),
    Case("global width, sliding height", (1, 3, 9, 33), (2, 33), 1),
    Case("7x7 many planes", (4, 17, 7, 7), 3, 1, 1),
    Case("7x7 halved", (2, 65, 7, 7), 2, 2),
    Case("14x14 halved, SENet ceil mode", (2, 17, 14, 14), 3, 2, 0, 1, True),
    Case("stride beyond the kernel", (1, 3, 11, 13), 2, 5),
    Case("stride beyond the image", (1, 3, 4, 4), 2, 9),
    Case("same when stride is beyond the kernel", (1, 2, 11, 12), 2, 5, "same"),
    Case("same by axis", (1, 2, 8, 9), (3, 4), (2, 3), "same"),
    Case("same with stride 1 and an even kernel", (1, 2, 6, 7), (2, 4), 1, "same"),
    Case("same_lower with stride 1 and an even kernel", (1, 2, 6, 7), (2, 4), 1, "same_lower"),
    Case("valid by name", (1, 2, 8, 9), 3, 2, "valid"),
    Case("same ignores ceil mode", (1, 2, 8, 9), 3, 2, "same", 1, True),
    Case("ceil mode with asymmetric padding", (1, 2, 9, 10), 3, 2, ((0, 1), (2, 0)), 1, True),
    Case("ceil mode with stride beyond the kernel", (1, 2, 10, 11), 2, 4, 0, 1, True),
    Case("padding on one side only, wider than the kernel", (1, 2, 5, 6), 2, 2, ((4, 0), (0, 5))),
    Case("one pixel", (2, 3, 1, 1), 1),
    Case("one pixel in padding", (2, 3, 1, 1), 3, 1, 1),
    Case("one row", (1, 3, 1, 37), (1, 3), (1, 2)),
    Case("one column", (1, 3, 37, 1), (3, 1), (2, 1)),
    Case("1 channel", (3, 1, 6, 6), 3, 2, 1),
    Case("17 channels, one past a vector", (1, 17, 6, 6), 3, 2, 1),
    Case("65 channels, one past several vectors", (1, 65, 5, 5), 2, 1),
    Case("wide row, many vectors and a tail", (1, 1, 4, 259), 2),
    Case("wide row, stride 3", (1, 1, 4, 259), 3, 3, 1),
]

# Tails: every width through two AVX-512 float32 vectors, then the neighbours of larger multiples of a vector, and of
# what vectors hold of the columns of some windows (narrow rows, slide.h).
WIDTHS = [
    Case(f"width {w}: {name}", (1, 2, 4, w), k, s, p)
    for w in [*range(1, 34), 42, 43, 47, 48, 49, 56, 57, 58, 60, 61, 63, 64, 65, 127, 128, 129]
    for pair in [(2, min(w, 2))]
    for name, k, s, p in [("halved", pair, None, 0), ("sliding", 3, 1, 1), ("stem", 3, 2, 1), ("pairs", pair, 1, 0)]
]

# Averages of more than 8 taps at a small stride are running sums (running.h); and a tall window (down_tall).
RUNNING = [
    Case("running sums: clipped windows, several cuts", (1, 2, 30, 33), 11, 1, 5),
    Case("running sums: rows shorter than a vector", (1, 3, 40, 2), (17, 1), 1, (8, 0)),
    Case("running sums across a single row", (2, 3, 1, 70), (1, 17), 1),
    Case("running sums: one row past two vectors of them", (1, 1, 32, 33), 16, 1),
    Case("running sums at stride 2", (1, 1, 70, 74), 23, 2, 7),
    Case("running sums of 17 lanes", (1, 17, 4, 34), (2, 17), 1),
    Case("running sums: windows without a tap", (1, 2, 21, 22), 17, 1, 19),
    Case("sums that roll on from row to row of a block, clipped", (1, 2, 60, 12), (37, 7), 1, (18, 3)),
    Case("sums that roll on at stride 2, five lanes", (1, 5, 90, 9), (35, 8), (2, 1), (34, 3)),
    Case("sums that roll down alone", (1, 1, 40, 19), (35, 3), 1, (20, 1)),
    Case("sums that roll across alone", (1, 2, 9, 50), (3, 33), 1, 1),
    Case("global, many rows: planes turned, sums so far", (3, 7, 20, 19), (20, 19)),
]

# The last block has fewer lanes, or columns, than the others, and goes another way.
LAST_BLOCKS = [
    Case("one lane behind 128", (1, 129, 5, 5), 5),
    Case("one lane behind 16, windows as wide as a scratch row", (1, 17, 2, 260), (2, 260)),
    Case("one lane behind 16, one row", (1, 17, 1, 300), (1, 300)),
    Case("one column behind the others", (1, 1, 40, 1100), (40, 100)),
    Case("few columns behind the others, windows beside the image", (1, 1, 3, 8230), 3, 1, ((1, 1), (1, 60))),
    Case("the same at stride 2", (1, 1, 3, 16400), 3, 2, ((1, 1), (1, 150))),
    Case("the same side by side", (1, 1, 2, 8200), 2, 2, ((0, 0), (0, 80))),
    Case("a gradient whose rows of sums are long, of a single row of windows", (1, 64, 1, 28), 7, 1, 3),
    Case("the same at a stride beyond the window", (1, 64, 7, 28), (3, 7), (7, 1), (1, 3)),
    Case("the same with padding in front", (1, 1, 1, 1500), (2, 401), 1, ((1, 0), (200, 200))),
    Case("the same in several rows", (1, 64, 2, 28), (5, 7), (3, 1), ((4, 4), (3, 3))),
]

# The last columns of rows longer than a block of bytes.
LONG_ROW = Case("few columns behind the others, of bytes", (1, 1, 3, 32800), 3, 1, ((1, 1), (1, 60)))

# In every dtype: windows of one row, and of one column.
ROWS = [
    Case("one row of taps, padding behind: whole rows", (2, 2, 2, 40), (1, 40), 1, ((0, 3), (0, 0))),
    Case("one row of taps, padding behind: a vector", (2, 3, 2, 8), (1, 8), 1, ((0, 1), (0, 0))),
    Case("one row of taps, padding behind: four side by side", (2, 3, 4, 64), (1, 4), (1, 4), ((0, 3), (0, 0))),
    Case("one row of taps, padding around: four side by side", (2, 3, 4, 64), (1, 4), (1, 4), ((2, 3), (0, 0))),
    Case("one column of taps, rows shorter than a vector", (2, 3, 13, 13), (2, 1)),
    Case("one column of taps, rows of a few elements", (2, 3, 15, 5), (3, 1), (2, 1)),
    Case("long row: seven columns, rows of a vector or less", (2, 5, 12, 20), 7, 1, 3),
    Case("seven rows that run, each shorter than a vector", (2, 3, 20, 11), (7, 7), (1, 2), 3),
]

# Small planes at stride 1 that go as one long row (flat.h).
FLAT = [
    Case("long row: several pieces, of float64 in several blocks", (1, 17, 31, 33), 3, 1, 1),
    Case("long row: rows of one column", (2, 9, 5, 1), (3, 1), 1, (1, 0)),
    Case("long row: windows of one row", (2, 3, 4, 11), (1, 7), 1, (0, 3)),
    Case("long row: windows larger than the image", (2, 5, 2, 3), 7, 1, 3),
    Case("long row: all padding on one side", (1, 5, 6, 7), (3, 5), 1, ((2, 0), (0, 4))),
    Case("long row: an even kernel, padding behind", (1, 7, 13, 13), 2, 1, "same"),
    Case("long row: an even kernel, padding in front", (1, 7, 13, 13), 2, 1, "same_lower"),
    Case("long row: five rows of columns, several vectors", (2, 3, 8, 40), 5, 1, 2),
]

# Rows of windows that are folded where they lie (along.h): all of them, or those that padding leaves.
ALONG = [
    Case("along: two side by side, a column left over", (2, 3, 3, 67), (1, 2)),
    Case("along: two side by side, all rows as one", (3, 5, 7, 14), (1, 2)),
    Case("along: four side by side, all rows as one", (3, 5, 7, 28), (1, 4)),
    Case("along: three, two apart, padding on both sides", (2, 3, 2, 277), (1, 3), (1, 2), (0, 1)),
    Case("along: three, two apart, the last ends with the row", (2, 3, 2, 143), (1, 3), (1, 2)),
    Case("along: five, two apart, more padding behind", (1, 3, 2, 290), (1, 5), (1, 2), ((0, 0), (0, 4))),
    Case("along: one, two apart", (1, 3, 2, 141), (1, 1), (1, 2)),
    Case("along: every other row", (2, 3, 5, 90), (1, 3), (2, 1)),
    Case("along: seven, padding in front", (1, 3, 2, 150), (1, 7), 1, ((0, 0), (6, 0))),
    Case("along: more padding than a vector has windows", (1, 2, 2, 150), (1, 70), 1, ((0, 0), (69, 0))),
    Case("along: a row longer than a block", (1, 1, 1, 40000), (1, 3), 1, (0, 1)),
    Case("along: ceil mode", (1, 2, 2, 280), (1, 4), (1, 2), (0, 1), 1, True),
]

# Maxima of 5 x 5, whose rows stay in registers where few vectors make a row (slide.h).
FIVES = [
    Case("five: one vector", (2, 3, 9, 12), 5, 1, 2),
    Case("five: two vectors", (2, 3, 9, 20), 5, 1, 2),
    Case("five: four vectors, all full", (1, 2, 7, 48), 5, 1, 2),
    Case("five: one column too many", (1, 2, 7, 49), 5, 1, 2),
    Case("five: vectors of 16-bit elements, and of bytes", (1, 2, 6, 59), 5, 1, 2),
    Case("five: several vectors of bytes", (1, 1, 6, 180), 5, 1, 2),
    Case("five: all padding behind", (1, 3, 6, 22), 5, 1, ((0, 4), (0, 4))),
    Case("five: all padding in front", (1, 3, 6, 22), 5, 1, ((4, 0), (4, 0))),
    Case("five: fewer rows than a window has", (2, 2, 3, 23), 5, 1, 2),
    Case("five: no padding", (1, 3, 11, 24), 5, 1),
    Case("five: two apart", (1, 3, 12, 56), 5, 2, 2),
    Case("five: two apart, no padding, the last columns left out", (2, 3, 11, 28), 5, 2),
]

# Rows of a vector or less, many of them; and windows of a row that are joined with those of the next.
COLUMNS = [
    Case("columns: 14, of 8 rows and of the rest", (3, 5, 20, 14), (20, 14)),
    Case("columns: half a vector of 64 bytes", (2, 3, 40, 8), (40, 8)),
    Case("columns: fewer", (2, 3, 17, 5), (17, 5)),
    Case("columns: one", (2, 3, 33, 1), (33, 1)),
    Case("columns: windows of many rows, that overlap", (1, 2, 40, 16), (20, 16), (5, 1)),
    Case("columns: two windows of 7 in each row", (2, 9, 14, 14), 7),
    Case("columns: three windows of 6 in each row", (1, 9, 12, 18), (4, 6)),
    Case("columns: four side by side, fewer than a vector", (2, 3, 8, 56), 4),
    Case("columns: four side by side, half a vector", (1, 3, 8, 35), 4),
]

# Windows that lie apart along rows, or anywhere, picked from vectors of columns (pick.h).
PICKED = [
    Case("picked: several vectors, padding around", (2, 3, 11, 70), 3, 3, 1),
    Case("picked: gaps between windows", (1, 3, 9, 41), 2, 3),
    Case("picked: dilated, two apart", (1, 2, 17, 40), 3, 2, 2, 2),
    Case("picked: five columns, three apart, clipped", (2, 3, 14, 33), 5, 3, 2),
    Case("picked: four columns, three apart, in ceil mode", (2, 2, 9, 18), 4, 3, 1, 1, True),
    Case("picked: windows beside the image", (1, 2, 5, 20), 3, 3, ((4, 3), (5, 7))),
    Case("picked: windows far behind the image", (1, 2, 4, 10), 3, 3, ((0, 0), (0, 40))),
    Case("picked: windows far before it", (1, 2, 4, 10), 3, 3, ((0, 0), (40, 2))),
    Case("picked: eight rows, single elements of them", (2, 3, 20, 37), (8, 1), (3, 4)),
    Case("picked: one row in three vectors", (3, 5, 14, 20), 4, 3),
    Case("picked: the third vector ends with the array", (1, 2, 7, 22), 3, 3, ((0, 2), (1, 0))),
    Case("picked: three vectors and padding behind", (2, 2, 9, 16), 3, 3, ((1, 1), (0, 6))),
    Case("picked: rows of three vectors, some in each row", (1, 3, 8, 45), (2, 3), (2, 3)),
]

# Larger windows with indices that share few taps, over pixels of many lanes, tap after tap (apart, argsmall.h).
TAPS = [
    Case("taps: side by side, lanes that leave two vectors and some over", (2, 87, 9, 13), 4),
    Case("taps: overlapping a little", (1, 37, 17, 16), 5, 3),
    Case("taps: gaps, more columns than a byte tells", (1, 70, 19, 37), (17, 16), (18, 19)),
    Case("taps: rows as they lie, whole vectors", (2, 64, 12, 11), (7, 4), (5, 4)),
]

# Small windows, one a row: averages are made in registers, some planes or rows of windows at a time.
JOINED = [
    Case("joined: planes of 7 x 7, vectors of them and a rest", (3, 7, 7, 7), 7),
    Case("joined: one vector of planes", (1, 16, 8, 8), 8),
    Case("joined: fewer rows than columns", (2, 17, 2, 6), (2, 6)),
    Case("joined: rows of windows that overlap", (2, 2, 40, 5), (4, 5), (2, 1)),
    Case("joined: every row", (1, 2, 45, 3), (3, 3), (1, 1)),
    Case("joined: rows and columns left over", (1, 2, 59, 4), (5, 3), (3, 2)),
]

# Windows at stride 1 over pixels of many lanes, whose vectors go from pixel to pixel (strips, slide.h).
STRIPS = [
    Case("strips: lanes that leave some over", (2, 83, 5, 7), 3, 1, 1),
    Case("strips: several, the last one narrow", (1, 293, 4, 9), 2, 1, ((0, 1), (1, 0))),
    Case("strips: no column between the edges", (1, 70, 3, 2), 3, 1, 1),
    Case("strips: windows beside the image", (1, 100, 3, 5), 3, 1, ((1, 1), (2, 2))),
    Case("strips: one column inside", (1, 129, 4, 3), 3, 1, ((2, 1), (1, 1))),
    Case("strips: whole vectors, no padding", (2, 64, 3, 18), 3, 1),
    Case("strips: even windows, padding behind", (1, 97, 4, 6), 2, 1, "same"),
    Case("in order: long pixels, vectors on cache lines", (1, 256, 4, 5), 3, 1, 1),
    Case("in order: the same at stride 2", (1, 256, 5, 5), 3, 2, 1),
    Case("in order: even windows", (1, 208, 3, 4), 2, 1, "same_lower"),
]

LINES = [
    Case("line: halved", (2, 3, 14), 2),
    Case("line: overlap and padding", (2, 3, 19), 3, 2, 1),
    Case("line: tuples of one", (1, 3, 19), (4,), (3,), (1,)),
    Case("line: asymmetric padding", (1, 2, 11), 3, 2, ((0, 2),)),
    Case("line: ceil mode clips a window", (1, 3, 10), 3, 2, 0, 1, True),
    Case("line: ceil mode drops a window", (1, 2, 5), 2, 2, 1, 1, True),
    Case("line: same with an odd total", (2, 2, 7), 2, 2, "same"),
    Case("line: same_lower with an odd total", (2, 2, 7), 2, 2, "same_lower"),
    Case("line: windows with no valid tap", (1, 3, 4), 2, 1, 3),
    Case("line: dilation with stride", (1, 3, 40), 3, 2, 2, 3),
    Case("line: a vector and a tail", (1, 1, 131), 3, 1, 1),
    Case("line: global, 17 channels", (2, 17, 9), 9),
]

VOLUMES = [
    Case("volume: halved", (2, 3, 4, 6, 8), 2),
    Case("volume: overlap and padding", (1, 3, 5, 6, 7), 3, 2, 1),
    Case("volume: kernel, stride and padding differ by axis", (1, 2, 5, 7, 9), (1, 2, 3), (2, 1, 3), (0, 1, 1)),
    Case("volume: asymmetric padding", (1, 2, 4, 5, 6), 3, 2, ((0, 1), (2, 0), (1, 2))),
    Case("volume: ceil mode", (1, 2, 5, 6, 7), (2, 3, 2), 2, (1, 0, 1), 1, True),
    Case("volume: same", (1, 2, 3, 4, 5), 2, (2, 1, 2), "same"),
    Case("volume: windows with no valid tap", (1, 2, 2, 1, 3), (1, 2, 1), 1, (1, 2, 2)),
    Case("volume: dilation by axis", (1, 2, 5, 6, 9), 2, (1, 2, 1), (1, 0, 1), (1, 2, 3)),
    Case("volume: rows longer than a vector", (1, 1, 2, 3, 37), (2, 2, 3), 1, (0, 1, 1)),
    Case("volume: global, 17 channels", (2, 17, 2, 3, 3), (2, 3, 3)),
    Case("volume: an image of a few bytes", (1, 1, 2, 3, 5), (2, 2, 3), (2, 1, 3), ((0, 0), (0, 0), (0, 1))),
    Case("volume: images of several planes", (2, 3, 5, 9, 20), 3, 1, 1),
    Case("volume: images of some lanes", (1, 1400, 2, 4, 5), 3, 1, 1),
    Case("volume: images of windows over few slabs", (1, 2, 9, 6, 20), (3, 3, 5), (4, 2, 1), ((2, 4), (1, 1), (2, 2))),
]

# Forward: slabs folded to images that are more than a block (deep.h).
IMAGES = [
    Case("volume: images of some rows", (1, 1, 3, 70, 300), 3, 1, ((1, 1), (0, 2), (2, 1))),
    Case("volume: images of some columns", (1, 1, 2, 12, 3000), 2, 1, ((0, 1), (1, 0), (1, 1))),
]

CASES = CORE + DILATED + SHAPES + RUNNING + LAST_BLOCKS + ROWS + ALONG + FLAT + FIVES + COLUMNS + PICKED
CASES += STRIPS + JOINED + TAPS + WIDTHS
AVG_CASES = [case for case in CASES if case.dilation == 1]


@dataclass(frozen=True)
class Network:
    """One benchmark: a pooling layer of a deployed network, or a shape that might be slow; the name says why."""

    name: str
    op: str
    shape: tuple[int, int, int, int]  # N, C, H, W
    kernel_size: int | tuple[int, int]
    stride: int | tuple[int, int]
    padding: int | tuple | str
    ceil_mode: bool = False
    dtype: str = "float32"
    layouts: tuple[str, ...] = LAYOUTS

    def __str__(self):
        return self.name


# The benchmarks' main table; bench/networks.py has many more, for the benchmarks alone.
NETWORKS = [
    Network("ResNet-50 stem", "max", (1, 64, 112, 112), 3, 2, 1),
    Network("ResNet-50 stem, batch 8", "max", (8, 64, 112, 112), 3, 2, 1),
    Network("VGG-16 pool1", "max", (1, 64, 224, 224), 2, 2, 0),
    Network("VGG-16 pool1, batch 8", "max", (8, 64, 224, 224), 2, 2, 0),
    Network("VGG-16 pool5", "max", (1, 512, 14, 14), 2, 2, 0),
    Network("GoogLeNet 3b", "max", (1, 256, 28, 28), 3, 1, 1),
    Network("YOLO SPPF", "max", (1, 256, 20, 20), 5, 1, 2),
    Network("YOLO SPP", "max", (1, 512, 20, 20), 13, 1, 6),
    Network("DenseNet transition", "avg", (1, 128, 56, 56), 2, 2, 0),
    Network("Inception v3", "avg", (1, 192, 35, 35), 3, 1, 1),
    Network("PoolFormer", "avg", (8, 64, 56, 56), 3, 1, 1),
    Network("global average", "avg", (1, 2048, 7, 7), 7, 7, 0),
    Network("big image", "max", (1, 16, 2048, 2048), 2, 2, 0),
    Network("big window", "max", (1, 3, 512, 512), 31, 1, 0),
]


def exact_data(shape, dtype, rng, unit=1):
    """Small multiples of `unit`, full of ties: sums are exact, and so are averages whose divisor divides the unit."""
    dtype = np.dtype(dtype)
    low = 0 if dtype.kind in "bu" else -4
    high = 2 if dtype.kind == "b" else 5
    return (rng.integers(low, high, shape) * unit).astype(dtype)


def special_data(shape, dtype, rng):
    """Ties, both zeros, infinities and NaN; for integers ties and the ends of the range."""
    dtype = np.dtype(dtype)
    if dtype.kind in "biu":
        ends = (False, True) if dtype.kind == "b" else (np.iinfo(dtype).min, 0, 1, np.iinfo(dtype).max)
        return rng.choice(np.array(ends, dtype), shape)
    values = np.array([-np.inf, np.inf, np.nan, -0.0, 0.0, -1.0, 1.0])
    return rng.choice(values, shape, p=[0.1, 0.04, 0.04, 0.3, 0.3, 0.11, 0.11]).astype(dtype)


def to_layout(x, layout):
    """A channels-first array as a contiguous array of the layout."""
    return np.ascontiguousarray(np.moveaxis(x, 1 - len(layout), -1) if layout[-1] == "C" else x)


def from_layout(y, layout):
    """The channels-first view of an array in the layout."""
    return np.moveaxis(y, -1, 1 - len(layout)) if layout[-1] == "C" else y


def levels_and_layouts():
    """Put every level in force, one after the other, and yield each layout."""
    for level in numpool.levels():
        with numpool.use_level(level):
            yield from LAYOUTS


def _in_a_frame(x):
    frame = np.ones([n + 3 for n in x.shape], x.dtype)
    inside = frame[tuple(slice(1, 1 + n) for n in x.shape)]
    inside[...] = x
    return inside


def _every_other(x, axis):
    return np.repeat(x, 2, axis)[(slice(None),) * (axis % x.ndim) + (slice(None, None, 2),)]


def _in_order(x, axes):
    """The same logical array, its memory in the order of `axes`."""
    return np.ascontiguousarray(x.transpose(axes)).transpose(np.argsort(axes))


def _unaligned(x):
    memory = np.empty(x.nbytes + 1, np.uint8)
    result = memory[1:].view(x.dtype).reshape(x.shape)
    result[...] = x
    return result


# name -> function: a writable array equal to x (3-D or more) that lies in memory as the name says
STORAGES = {
    "contiguous": np.array,
    "crop": _in_a_frame,
    "Fortran": lambda x: _in_order(x, range(x.ndim)[::-1]),
    "last axis moved to the second": lambda x: _in_order(x, (0, *range(2, x.ndim), 1)),
    "second axis moved to the last": lambda x: _in_order(x, (0, x.ndim - 1, *range(1, x.ndim - 1))),
    "plane transposed": lambda x: _in_order(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2)),
    "batch moved inside": lambda x: _in_order(x, (*range(1, x.ndim - 1), 0, x.ndim - 1)),
    "every other sample": lambda x: _every_other(x, 0),
    "every other of axis 1": lambda x: _every_other(x, 1),
    "every other of axis 2": lambda x: _every_other(x, 2),
    "every other of the last axis": lambda x: _every_other(x, -1),
    "all axes reversed": lambda x: np.flip(np.flip(x).copy()),
    "rows reversed": lambda x: np.flip(np.flip(x, -2).copy(), -2),
    "last axis reversed": lambda x: np.flip(np.flip(x, -1).copy(), -1),
    "unaligned": _unaligned,
}


def ulps(a, b):
    """Distance in units of the last place, elementwise; NaN is at distance 0 of NaN and far from all else."""
    a, b = np.asarray(a), np.asarray(b)
    bits = np.dtype(f"i{a.dtype.itemsize}")
    order = [np.where(v < 0, np.iinfo(bits).min - v, v).astype(object) for v in (c.view(bits) for c in (a, b))]
    nan = np.isnan(a), np.isnan(b)
    return np.where(nan[0] | nan[1], np.where(nan[0] & nan[1], 0, math.inf), abs(order[0] - order[1]))


def assert_same(got, want, max_ulps=0):
    """Same shape, dtype and values (NaN equals NaN, +0.0 equals -0.0), or values within some ulps."""
    assert isinstance(got, np.ndarray)
    assert got.dtype == want.dtype
    assert got.shape == want.shape
    if max_ulps:
        assert (ulps(got, want) <= max_ulps).all()
    else:
        wrong = (got != want) & ~(np.isnan(got) & np.isnan(want))
        assert not wrong.any(), f"first at {np.argwhere(wrong)[0]}: got {got[wrong][0]}, want {want[wrong][0]}"


def bits(y):
    """The bytes of an array in C order, every NaN alike: a compiler may swap the operands that a payload comes from."""
    return np.where(np.isnan(y), y.dtype.type(0), y).tobytes() + np.isnan(y).tobytes()
