"""More cases for the benchmarks alone, beside NETWORKS of tests/cases.py. A name says where a case is met, or which
surprise it looks for. Every case is one line; whole families are made by a loop.

    LISTS    name -> cases; `python -m bench --list` takes the names
"""

from dataclasses import replace

from cases import NETWORKS, Network


def batch_8(case):
    return replace(case, name=f"{case.name}, batch 8", shape=(8, *case.shape[1:]))


# Pooling layers as deployed: the shapes, odd sizes, ceil mode and paddings that networks really have.
DEPLOYED = [
    Network("LeNet, 28x28 digits", "max", (1, 6, 28, 28), 2, 2, 0),
    Network("AlexNet pool1", "max", (1, 64, 55, 55), 3, 2, 0),
    Network("AlexNet pool5", "max", (1, 256, 13, 13), 3, 2, 0),
    Network("SqueezeNet pool1, ceil mode", "max", (1, 64, 111, 111), 3, 2, 0, ceil_mode=True),
    Network("SqueezeNet head, 1000 channels", "avg", (1, 1000, 13, 13), 13, 13, 0),
    Network("VGG-16 pool3", "max", (1, 256, 56, 56), 2, 2, 0),
    Network("U-Net, first level", "max", (1, 64, 256, 256), 2, 2, 0),
    Network("U-Net, last level", "max", (1, 512, 32, 32), 2, 2, 0),
    Network("YOLOv2, first layer", "max", (1, 32, 416, 416), 2, 2, 0),
    Network("YOLOv3-tiny, k2 s1, pad after only", "max", (1, 512, 13, 13), 2, 1, ((0, 1), (0, 1))),
    Network("YOLOv4 SPP, k5", "max", (1, 512, 19, 19), 5, 1, 2),
    Network("YOLOv4 SPP, k9", "max", (1, 512, 19, 19), 9, 1, 4),
    Network("CenterNet, peaks of a heat map", "max", (1, 80, 128, 128), 3, 1, 1),
    Network("SuperPoint, peaks in 9x9", "max", (1, 1, 480, 640), 9, 1, 4),
    Network("FPN P6, k1 s2", "max", (1, 256, 25, 34), 1, 2, 0),
    Network("ResNet stem, TensorFlow SAME", "max", (1, 64, 112, 112), 3, 2, "same"),
    Network("ResNet-D shortcut", "avg", (1, 256, 56, 56), 2, 2, 0),
    Network("GoogLeNet pool3, ceil mode", "max", (1, 192, 56, 56), 3, 2, 0, ceil_mode=True),
    Network("GoogLeNet auxiliary head, k5 s3", "avg", (1, 512, 14, 14), 5, 3, 0),
    Network("Inception v3, 17x17", "avg", (1, 768, 17, 17), 3, 1, 1),
    Network("Inception v3, 8x8", "avg", (1, 2048, 8, 8), 3, 1, 1),
    Network("Inception v3 reduction", "max", (1, 288, 35, 35), 3, 2, 0),
    Network("DenseNet transition 3", "avg", (1, 1024, 14, 14), 2, 2, 0),
    Network("EfficientNet-B0 head", "avg", (1, 1280, 7, 7), 7, 7, 0),
    Network("MobileNet v3, squeeze of 56x56", "avg", (1, 16, 56, 56), 56, 56, 0),
    Network("MobileNet v3, squeeze of 14x14", "avg", (1, 480, 14, 14), 14, 14, 0),
    Network("PSPNet, 2x2 bins of 60x60", "avg", (1, 512, 60, 60), 30, 30, 0),
    Network("PSPNet, 3x3 bins", "avg", (1, 512, 60, 60), 20, 20, 0),
    Network("PSPNet, 6x6 bins", "avg", (1, 512, 60, 60), 10, 10, 0),
    Network("ASPP, 33x33 to one", "avg", (1, 512, 33, 33), 33, 33, 0),
    Network("CRNN, halves the height only", "max", (1, 256, 8, 100), 2, (2, 1), (0, 1)),
    Network("sound events, pools 5 frequencies", "max", (1, 64, 256, 40), (1, 5), (1, 5), 0),
    Network("TextCNN, k x 1 over time", "max", (1, 128, 62, 1), (62, 1), 1, 0),
]

# Small maps, each of the sizes that networks end with, with the three windows met most; 400 KB or less of input.
MAPS = [
    Network(f"{n}x{n} map, {name}", op, (1, channels, n, n), k, s, p)
    for n, channels in [(7, 1024), (8, 1024), (13, 512), (14, 512), (17, 256), (28, 64), (35, 64)]
    for name, op, k, s, p in [("halved", "max", 2, 2, 0), ("k3 s2", "max", 3, 2, 1), ("k3 s1", "avg", 3, 1, 1)]
]

# Tails of a row of pixels (NCHW: of the row itself), and of the channels of a pixel (NHWC).
WIDTHS = [
    Network(f"width {w}, {name}", op, (1, 64, 32, w), k, s, p)
    for w in [*range(2, 34), 47, 48, 49, 63, 64, 65, 95, 96, 97, 127, 128, 129, 255, 256, 257]
    for name, op, k, s, p in [("halved", "avg", 2, 2, 0), ("stem", "max", 3, 2, 1)][w % 2 :][:1]
] + [Network("width 1, k x 1", "max", (1, 64, 32, 1), (3, 1), (2, 1), (1, 0))]
CHANNELS = [
    Network(f"{c} channel{'s' * (c > 1)}, {name}", op, (1, c, 56, 56), k, s, p)
    for c in [1, 3, 17, 65, 259]
    for name, op, k, s, p in [("halved", "max", 2, 2, 0), ("stem", "max", 3, 2, 1), ("sliding", "avg", 3, 1, 1)]
]

# Geometries off the usual: kernel and stride unlike, not square, padding on one side.
ODD = [
    Network("k2 s3, gaps between windows", "max", (1, 64, 56, 56), 2, 3, 0),
    Network("k5 s2", "max", (1, 64, 56, 56), 5, 2, 2),
    Network("k4 s2", "avg", (1, 64, 56, 56), 4, 2, 1),
    Network("k3 s3", "avg", (1, 64, 57, 57), 3, 3, 0),
    Network("k4 s4", "max", (1, 64, 56, 56), 4, 4, 0),
    Network("k8 s8, patches", "avg", (1, 32, 224, 224), 8, 8, 0),
    Network("1x7 s1", "avg", (1, 64, 35, 35), (1, 7), 1, (0, 3)),
    Network("7x1 s1", "avg", (1, 64, 35, 35), (7, 1), 1, (3, 0)),
    Network("2x3, stride 3x2", "max", (1, 64, 57, 56), (2, 3), (3, 2), (0, 1)),
    Network("pad above and left only", "max", (1, 64, 56, 56), 3, 2, ((1, 0), (1, 0))),
]

# Photographs and video as they come from a decoder.
IMAGES = [
    Network(f"{size} image, {c} channel{'s' * (c > 1)}, {name}", op, (1, c, *hw), k, s, p, False, "uint8", ("NHWC",))
    for size, hw in [("1080p", (1080, 1920)), ("4K", (2160, 3840))]
    for c in (1, 3, 4)
    for name, op, k, s, p in [("dilated", "max", 3, 1, 1), ("blurred", "avg", 3, 1, 1), ("halved", "avg", 2, 2, 0)]
]

# What grows with the window, with the window's share of the image, with the image.
WINDOWS = [
    Network(f"k{k} at stride 1", op, (1, 3, 512, 512), k, 1, k // 2)
    for k in (3, 5, 9, 13, 31, 63, 101, 201)
    for op in ("max", "min", "avg")
]
GLOBALS = [
    Network(f"global {n}x{n}", op, (1, channels, n, n), n, n, 0)
    for n, channels in [(7, 2048), (14, 512), (28, 256), (56, 64), (112, 64), (224, 16), (512, 4), (1024, 3), (2048, 1)]
    for op in ("avg", "max")
]
SIZES = [
    Network(f"{n}x{n}, {name}", op, (1, 16, n, n), k, s, p)
    for n in (8, 16, 32, 64, 96, 128, 192, 256, 512, 1024)
    for name, op, k, s, p in [("halved", "max", 2, 2, 0), ("sliding", "avg", 3, 1, 1)]
]

# Batch 8 of those with anything to a pixel row; NETWORKS has its own.
BATCHED = [batch_8(case) for case in DEPLOYED if case.shape[1] > 1] + [
    batch_8(case) for case in NETWORKS if case.shape[0] == 1 and max(case.shape[2:]) < 100
]

LISTS = {
    "networks": NETWORKS,
    "deployed": DEPLOYED,
    "maps": MAPS,
    "odd": ODD,
    "channels": CHANNELS,
    "widths": WIDTHS,
    "batched": BATCHED,
    "images": IMAGES,
    "windows": WINDOWS,
    "globals": GLOBALS,
    "sizes": SIZES,
}
