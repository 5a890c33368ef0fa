"""The command line as a user runs it: a process, its output, its exit status, the picture it writes."""

import re
import subprocess
import sys

import numpy as np
import pytest
import reference
from PIL import Image

import numpool
from numpool import __main__ as cli
from numpool import demo

INSTALL = "pip install 'numpool[demo]'"


def run(*arguments, cwd, code=None):
    """`python -m numpool ARGUMENTS` in `cwd`; with `code`, `python -c CODE ARGUMENTS`."""
    start = ["-m", "numpool"] if code is None else ["-c", code]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        cwd=cwd,
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )


def is_one_line_error(done):
    """Status 1, nothing on standard output, one line on standard error."""
    lines = done.stderr.splitlines()
    return done.returncode == 1 and not done.stdout and len(lines) == 1 and lines[0].startswith("numpool demo: ")


def tile(sheet, photo, row, column):
    """The pixels of one tile of the picture: `row` counts windows, `column` the original and the operations."""
    longest = max(photo.shape[:2])
    height, width = (max(1, round(side * demo.TILE / longest)) for side in photo.shape[:2])
    left = demo.GAP + column * (max(width, demo.CAPTION_WIDTH) + demo.GAP)
    top = demo.GAP + demo.CAPTION + row * (demo.CAPTION + height + demo.GAP) + demo.CAPTION
    return np.asarray(sheet)[top : top + height, left : left + width]


def table(stdout):
    """The table's lines as (operation, window, the numbers)."""
    found = re.findall(r"^(max|min|average) +(\d+x\d+, stride \d+(?:, padding \d+)?) +(.*)$", stdout, re.MULTILINE)
    return [
        (operation, window, [float(cell.rstrip("x")) for cell in rest.split()]) for operation, window, rest in found
    ]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A PNG of 40x30 pixels, and its pixels: smaller than the checked corners, larger than every window."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.png"
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path, pixels


@pytest.fixture(scope="module")
def tiny_demo(tiny, tmp_path_factory):
    """One run over the tiny picture."""
    folder = tmp_path_factory.mktemp("tiny-demo")
    return run("demo", tiny[0], "--output", "sheet.png", "--threads", 1, cwd=folder), folder / "sheet.png"


def has_every_row(stdout):
    """Whether the table has every operation and window, and no time of nothing."""
    rows = table(stdout)
    expected = [(operation, str(window)) for window in demo.WINDOWS for operation in demo.OPERATIONS]
    return [row[:2] for row in rows] == expected and all(min(times[:3] + times[4:5]) > 0 for *_, times in rows)


def test_demo_on_the_real_photograph(tmp_path):
    """One run as the README prints it: matplotlib's photograph, the default output."""
    done = run("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("grace_hopper.jpg: 512x600 pixels")
    assert "checked, all equal: HWC and CHW; naive loops" in done.stdout
    assert "scaled to the whole picture" in done.stdout
    assert has_every_row(done.stdout)
    _, photo = demo.open_photo(None)
    with Image.open(tmp_path / "numpool-demo.png") as sheet:
        assert sheet.size == (1084, 1704)
        assert f"picture: numpool-demo.png ({sheet.width}x{sheet.height})" in done.stdout
        tiles_are_ordered(sheet, photo)


def tiles_are_ordered(sheet, photo):
    """Whatever the shrinking does, min <= average <= max holds in every pixel of the picture, and not as equality."""
    for row in range(len(demo.WINDOWS)):
        original, high, low, mean = (tile(sheet, photo, row, column).astype(int) for column in range(4))
        assert (low <= mean).all()
        assert (mean <= high).all()
        assert high.mean() > mean.mean() > low.mean()
        # The mean colour survives averaging; only the border's extra weight and roundings move it.
        assert abs(original.mean() - mean.mean()) < 1


def test_table_has_every_operation_and_window(tiny_demo):
    assert has_every_row(tiny_demo[0].stdout)


def test_table_prints_milliseconds_and_ratios_to_channels_last(capsys):
    demo.print_table([demo.Row("max", demo.Window(2, 2, 0), 0.002, 0.0005, 0.008, 0.5)])
    assert table(capsys.readouterr().out) == [("max", "2x2, stride 2", [2.0, 0.5, 8.0, 4.0, 500.0, 250.0])]


def test_tiles_show_the_reference_results(tiny, tiny_demo):
    done, picture = tiny_demo
    assert done.returncode == 0, done.stderr
    assert "tiny.png: 40x30 pixels, RGB, uint8; threads: 1\n" in done.stdout
    _, photo = tiny
    with Image.open(picture) as sheet:
        assert sheet.format == "PNG"
        size = tile(sheet, photo, 0, 0).shape[1::-1]
        assert size == (300, 225)
        for row, (kernel, stride, padding) in enumerate(demo.WINDOWS):
            results = (
                photo,
                reference.max_pool2d(photo, kernel, stride, padding, layout="NHWC"),
                reference.min_pool2d(photo, kernel, stride, padding, layout="NHWC"),
                reference.avg_pool2d(
                    photo, kernel, stride, padding, count_include_pad=False, layout="NHWC", dtype=np.uint8
                ),
            )
            for column, pixels in enumerate(results):
                shown = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
                assert np.array_equal(tile(sheet, photo, row, column), shown), (kernel, column)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "CMYK"])
def test_every_kind_of_image_is_read_as_rgb(tiny, tmp_path, mode):
    path = tmp_path / ("image.tiff" if mode == "CMYK" else "image.png")
    with Image.open(tiny[0]) as image:
        converted = image.convert(mode)
    converted.save(path)
    _, pixels = demo.open_photo(path)
    assert np.array_equal(pixels, np.asarray(converted.convert("RGB")))


def test_a_turned_photograph_is_upright(tiny, tmp_path):
    path = tmp_path / "turned.png"
    with Image.open(tiny[0]) as image:
        exif = image.getexif()
        exif[0x0112] = 6  # Orientation: turn by 90 degrees clockwise to show
        image.save(path, exif=exif)
    _, pixels = demo.open_photo(path)
    assert np.array_equal(pixels, np.rot90(tiny[1], -1))


def test_large_photographs_time_the_idiom_on_a_band(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "IDIOM_PIXELS", 40 * 20)
    demo.run(tiny[0], tmp_path / "sheet.png")
    assert "The NumPy idiom was measured on the top 20 rows and scaled to all 30." in capsys.readouterr().out


@pytest.mark.parametrize("name", ["max_pool2d", "min_pool2d", "avg_pool2d"])
@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_wrong_result_is_reported(tiny, tmp_path, monkeypatch, capsys, name, layout):
    """The check can fail: one wrong pixel in one layout ends the demo with status 1 and writes no picture."""
    right = getattr(numpool, name)

    def wrong(*arguments, **keywords):
        result = right(*arguments, **keywords)
        if keywords["layout"] == layout:
            result[..., -1, 0] ^= 1
        return result

    monkeypatch.setattr(numpool, name, wrong)
    picture = tmp_path / "sheet.png"
    assert cli.main(["demo", str(tiny[0]), "--output", str(picture)]) == 1
    assert "WRONG RESULT: " in capsys.readouterr().err
    assert not picture.exists()


def broken_files(folder):
    """Name and content of files that are no photograph, and what the error must name."""
    good = folder / "good.png"
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(good)
    Image.fromarray(np.zeros((64, 7, 3), np.uint8)).save(folder / "narrow.png")
    (folder / "text.png").write_text("not an image\n")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "cut.png").write_bytes(good.read_bytes()[:60])
    (folder / "folder").mkdir()
    return {
        "absent.jpg": "no such file",
        "text.png": "cannot read",
        "empty.jpg": "cannot read",
        "cut.png": "cannot read",
        "folder": "cannot read",
        "narrow.png": "at least 8x8 pixels; got 7x64",
    }


def test_a_bad_photograph_is_one_line(tmp_path):
    for name, text in broken_files(tmp_path).items():
        done = run("demo", name, cwd=tmp_path)
        assert is_one_line_error(done), done
        assert text in done.stderr
        assert not (tmp_path / "numpool-demo.png").exists()


@pytest.mark.parametrize("output", ["absent/sheet.png", "sheet.unknown", "."])
def test_an_output_that_cannot_be_written_is_one_line(tiny, tmp_path, output):
    done = run("demo", tiny[0], "--output", output, cwd=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"numpool demo: cannot write the picture to .*\n", done.stderr), done.stderr


@pytest.mark.parametrize(("module", "need"), [("PIL", "Pillow"), ("matplotlib", "matplotlib")])
def test_a_missing_package_names_the_install_command(tmp_path, module, need):
    code = (
        f"import runpy, sys; sys.modules[{module!r}] = None; sys.argv[0] = 'numpool'; "
        "runpy.run_module('numpool', run_name='__main__')"
    )
    done = run("demo", cwd=tmp_path, code=code)
    assert is_one_line_error(done), done
    assert need in done.stderr
    assert INSTALL in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [(), ("draw",), ("demo", "--threads", "0"), ("demo", "--threads", "two"), ("demo", "a", "b"), ("info", "more")],
    ids=" ".join,
)
def test_a_wrong_command_line_is_status_2(tmp_path, arguments):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("usage: python -m numpool")


def test_help_names_both_commands(tmp_path):
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert "demo" in done.stdout
    assert "info" in done.stdout


def test_info_prints_the_configuration(tmp_path):
    done = run("info", cwd=tmp_path)
    shown = run(cwd=tmp_path, code="import numpool; numpool.show_config()")
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown.stdout
    config = numpool.show_config(mode="dicts")
    assert numpool.__version__ in done.stdout
    for level in config["levels"]:
        assert level in done.stdout
    for word in ("openmp", "threads"):
        assert word in done.stdout.lower()


def test_info_shows_the_forced_level_and_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for level in numpool.levels():
        monkeypatch.setenv("NUMPOOL_LEVEL", level)
        done = run("info", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert re.search(rf"^level\W+{level}\b", done.stdout, re.MULTILINE), done.stdout
        assert re.search(r"^threads\W+1\b", done.stdout, re.MULTILINE), done.stdout
