"""`python -m bench`: numpool beside its peers and the copy roof; `python -m bench --help` lists what can be chosen."""

import argparse
import json
import os
import platform
import sys
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from cases import LAYOUTS, NETWORKS

from .harness import OURS, last_level_cache, measure
from .jobs import OPS, Job
from .peers import PEERS

QUICK = {"rounds": 5, "budget": 0.05}
QUICK_BYTES = 16 * 2**20  # --quick leaves out the cases that move more
ALL_OPS = [op for ops in OPS.values() for op in ops]


def arguments():
    parser = argparse.ArgumentParser(prog="python -m bench", description="numpool against its peers and the copy roof")
    parser.add_argument("--cases", metavar="TEXT", default="", help="only cases with TEXT in their name")
    parser.add_argument("--ops", nargs="+", choices=ALL_OPS, default=ALL_OPS)
    parser.add_argument("--layout", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--index", nargs="+", choices=["plane", "window"], default=["plane"], help="numpool's indices")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--exclude-pad", action="store_true", help="averages with count_include_pad=False")
    parser.add_argument("--no-out", action="store_true", help="every call allocates its result")
    parser.add_argument("--fresh", action="store_true", help="cycle through more memory than the last-level cache")
    parser.add_argument("--idle-ms", type=float, default=0, metavar="MS", help="sleep before every call")
    parser.add_argument("--without", nargs="+", choices=PEERS, default=[], metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--quick", action="store_true", help="few rounds, small cases")
    parser.add_argument("--markdown", action="store_true", help="print the table of the README")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all medians as JSON")
    return parser.parse_args()


def jobs(args):
    for case in NETWORKS:
        ops = [op for op in OPS[case.op] if op in args.ops and args.cases.lower() in case.name.lower()]
        for op, layout, index, threads in product(ops, args.layout, args.index, args.threads):
            job = Job(case, op, layout, threads, index, args.dtype, not args.exclude_pad, not args.no_out)
            same_again = not job.indexed and index != args.index[0]
            if not same_again and not (args.quick and job.nbytes > QUICK_BYTES):
                yield job


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


def table(rows):
    """Lines of cells, the header first."""
    peers = [name for name in PEERS if name != OURS and any(name in row.times for row in rows)]
    header = ["case", "geometry", "operation", "layout", "threads", "roof", OURS, *peers]
    lines = [[*header, "best peer", "best/ours", "of roof"]]
    for row in rows:
        times = [number(row.times.get(name), 1e6) for name in (OURS, *peers)]
        best = row.best[1] if row.best else "-"
        lines.append([*label(row.job), number(row.roof, 1e6), *times, best, number(row.ratio), number(row.share)])
    return lines


def show(lines, markdown):
    if markdown:
        rule = ["---" if i < 4 else "---:" for i in range(len(lines[0]))]
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
            cells = [cell.ljust(w) if i < 4 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths))]
            print("  ".join(cells).rstrip())


def means(rows):
    """Geometric means and the least, by operation, layout and threads."""
    groups = {}
    for row in rows:
        if row.ratio:
            groups.setdefault(tuple(label(row.job)[2:]), []).append((row.ratio, row.share))
    lines = [["operation", "layout", "threads", "rows", "best/ours", "least", "of roof", "least"]]
    for group, pairs in groups.items():
        figures = [number(of(values)) for values in zip(*pairs) for of in (geometric_mean, min)]
        lines.append([*group, str(len(pairs)), *figures])
    return lines


def cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def headline(args):
    """What was run, where, against which versions."""
    found = {name: PEERS[name].version for name in PEERS if name not in args.without}
    present = [f"{name} {version}" for name, version in found.items() if version and PEERS[name].package != "numpy"]
    missing = [name for name, version in found.items() if version is None]
    data = "data beyond the last-level cache" if args.fresh else "the same data again and again"
    calls = f"{args.idle_ms:g} ms idle before each call" if args.idle_ms else "calls back to back"
    yield f"$ python -m bench {' '.join(sys.argv[1:])}".rstrip()
    yield f"Microseconds, medians of interleaved runs; {args.dtype}; {data}; {calls}; out= {'not ' * args.no_out}given."
    cache, load = f"{last_level_cache() >> 20} MiB last-level cache", f"load {os.getloadavg()[0]:.1f}"
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
            yield f"DIFFERENT RESULT: {name} on {', '.join(label(row.job))}: {what}."


def main():
    args = arguments()
    names = [name for name in PEERS if name not in args.without]
    limits = QUICK if args.quick else {}
    print(*headline(args), sep="\n", flush=True)
    rows = []
    for job in jobs(args):
        print(*label(job), file=sys.stderr)
        rows.append(measure(job, names, fresh=args.fresh, idle=args.idle_ms / 1000, **limits))
    for lines in (table(rows), means(rows)):
        print()
        show(lines, args.markdown)
    print("", *remarks(rows), sep="\n")
    if args.save:
        columns = ("case", "geometry", "operation", "layout", "threads")
        saved = [dict(zip(columns, label(r.job))) | {"roof": r.roof, "seconds": r.times} for r in rows]
        args.save.write_text(json.dumps(saved, indent=1))


if __name__ == "__main__":
    main()
