"""`python -m bench`: numpool beside its peers and the copy roof; `python -m bench --help` lists what can be chosen."""

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from statistics import geometric_mean

from cases import LAYOUTS

from .harness import OURS, measure
from .jobs import OPS, Job
from .networks import LISTS
from .peers import PEERS
from .report import headline, label, number, remarks, show

QUICK = {"rounds": 5, "budget": 0.05}
QUICK_BYTES = 16 * 2**20  # --quick leaves out the cases that move more
ALL_OPS = [op for ops in OPS.values() for op in ops]


def arguments():
    parser = argparse.ArgumentParser(prog="python -m bench", description="numpool against its peers and the copy roof")
    parser.add_argument("--list", nargs="+", choices=LISTS, default=["networks"], help="which cases", metavar="LIST")
    parser.add_argument("--cases", metavar="TEXT", default="", help="only cases with TEXT in their name")
    parser.add_argument("--ops", nargs="+", choices=ALL_OPS, default=ALL_OPS)
    parser.add_argument("--layout", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2], metavar="N")
    parser.add_argument("--index", nargs="+", choices=["plane", "window"], default=["plane"], help="numpool's indices")
    parser.add_argument("--dtype", help="instead of the case's own")
    parser.add_argument("--exclude-pad", action="store_true", help="averages with count_include_pad=False")
    parser.add_argument("--no-out", action="store_true", help="every call allocates its result")
    parser.add_argument("--fresh", action="store_true", help="cycle through more memory than the last-level cache")
    parser.add_argument("--idle-ms", type=float, default=0, metavar="MS", help="sleep before every call")
    parser.add_argument("--without", nargs="+", choices=PEERS, default=[], metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--quick", action="store_true", help="few rounds, small cases")
    parser.add_argument("--markdown", action="store_true", help="print the table of the README")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write all medians as JSON, for bench.picture")
    return parser.parse_args()


def jobs(args):
    for case in [case for name in args.list for case in LISTS[name] if args.cases.lower() in case.name.lower()]:
        ops = [op for op in OPS[case.op] if op in args.ops]
        for op, layout, index, threads in product(ops, args.layout, args.index, args.threads):
            job = Job(case, op, layout, threads, index, args.dtype or case.dtype, not args.exclude_pad, not args.no_out)
            same_again = not job.indexed and index != args.index[0]
            if layout in case.layouts and not same_again and not (args.quick and job.nbytes > QUICK_BYTES):
                yield job


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


def conditions(args):
    data = "data beyond the last-level cache" if args.fresh else "the same data again and again"
    calls = f"{args.idle_ms:g} ms idle before each call" if args.idle_ms else "calls back to back"
    out = "not given" if args.no_out else "given"
    return f"microseconds; {args.dtype or 'float32 unless named'}; {data}; {calls}; out= {out}"


def main():
    args = arguments()
    names = [name for name in PEERS if name not in args.without]
    limits = QUICK if args.quick else {}
    print(*headline("bench", names, conditions(args)), sep="\n", flush=True)
    rows = []
    for job in jobs(args):
        print(*label(job), file=sys.stderr)
        rows.append(measure(job, names, fresh=args.fresh, idle=args.idle_ms / 1000, **limits))
    for lines in (table(rows), means(rows)):
        print()
        show(lines, args.markdown, ("case", "geometry", "operation", "layout", "best peer"))
    print("", *remarks(rows), sep="\n")
    if args.save:
        columns = ("case", "geometry", "operation", "layout", "threads")
        medians = [{"roof": row.roof, "seconds": row.times, "wrong": row.wrong} for row in rows]
        saved = [dict(zip(columns, label(row.job))) | figures for row, figures in zip(rows, medians)]
        args.save.write_text(json.dumps(saved, indent=1))


if __name__ == "__main__":
    main()
