"""How figures are printed: tables, and what must be said above and below them."""

import os
import platform
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .harness import last_level_cache
from .peers import PEERS


def label(job):
    """The columns that name a row."""
    g = job.geometry
    kernel, stride = (sizes[0] if sizes[0] == sizes[1] else f"{sizes[0]}x{sizes[1]}" for sizes in (g.kernel, g.stride))
    shape = "x".join(map(str, job.case.shape))
    op = f"{job.op} ({job.index})" if job.indexed else job.op
    padding = "" if not job.pads else f" p{job.case.padding}"
    return [job.case.name, f"{shape} k{kernel} s{stride}{padding}", op, job.layout, str(job.threads)]


def number(value, scale=1.0):
    if value is None:
        return "-"
    value *= scale
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def show(lines, markdown, texts):
    """Lines of cells, the header first; columns with a header in `texts` are text, the others numbers."""
    if markdown:
        rule = ["---" if header in texts else "---:" for header in lines[0]]
        for line in [lines[0], rule, *lines[1:]]:
            print("|", " | ".join(line), "|")
    elif sys.stdout.isatty() and find_spec("rich"):
        from rich.console import Console
        from rich.table import Table

        grid = Table(*lines[0])
        for line in lines[1:]:
            grid.add_row(*line)
        Console().print(grid)
    else:
        widths = [max(map(len, column)) for column in zip(*lines)]
        for line in lines:
            columns = zip(line, widths, lines[0])
            cells = [cell.ljust(w) if header in texts else cell.rjust(w) for cell, w, header in columns]
            print("  ".join(cells).rstrip())


def cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def headline(program, names, conditions):
    """What was run, where, against which versions; `names` are the contestants asked for."""
    import numpool

    found = {name: PEERS[name].version for name in names}
    present = [f"{name} {version}" for name, version in found.items() if version and PEERS[name].package != "numpy"]
    missing = [name for name, version in found.items() if version is None]
    yield f"$ python -m {program} {' '.join(sys.argv[1:])}".rstrip()
    yield f"Medians of interleaved runs; {conditions}."
    cache, load = f"{last_level_cache() >> 20} MiB last-level cache", f"load {os.getloadavg()[0]:.1f}"
    yield f"numpool in {Path(numpool.__file__).parent}, level {numpool.show_config('dicts')['level']}."
    yield f"{cpu()}, {os.cpu_count()} cores, {cache}, {load}."
    yield f"Python {platform.python_version()}, NumPy {np.__version__}, {', '.join(present)}."
    yield f"Not installed: {', '.join(missing) or 'none'}."


def remarks(rows):
    """Who stayed out of rows and why, and whose results differ."""
    why = {}
    for row in rows:
        for name, reason in row.absent.items():
            why.setdefault(name, {})[reason] = None
    for name, reasons in why.items():
        yield f"{name} stays out of some rows: {'; '.join(reasons)}."
    for name, peer in PEERS.items():
        if not peer.counts_padding and any(name in row.times and row.job.counts_padding for row in rows):
            yield f"{name} divides an average by the valid taps alone, not by the whole window as the others do here."
    for row in rows:
        for name, what in row.wrong.items():
            yield f"DIFFERENT RESULT, not counted: {name} on {', '.join(label(row.job))}: {what}."
