"""`python -m bench.picture medians.json`: draws what `python -m bench --save medians.json` measured, for the README.

One row a case, one panel a layout: time over that of copying the same bytes, ours and the peers'.
"""

import argparse
import json
from pathlib import Path

from cases import LAYOUTS

from .harness import OURS
from .jobs import FORWARD
from .peers import LIBRARIES

COLOURS = dict(zip(LIBRARIES, ("tab:orange", "tab:blue", "tab:cyan", "tab:green", "tab:purple", "tab:brown")))
MARKERS = dict(zip(LIBRARIES, "sD^vPX"))


def panel(axes, rows, cases):
    """One layout: a line from our time to the best peer's, and a mark for each contestant."""
    for row in rows:
        y = cases.index(row["case"])
        peers = set(row["seconds"]) & set(LIBRARIES) - set(row["wrong"])
        times = {name: row["seconds"][name] / row["roof"] for name in (*sorted(peers), OURS)}
        best = min((times[name] for name in peers), default=times[OURS])
        axes.plot([times[OURS], best], [y, y], color="0.75", linewidth=3, solid_capstyle="butt", zorder=1)
        for name, time in times.items():
            style = {"color": "crimson", "marker": "o", "markersize": 9, "zorder": 2}
            if name != OURS:  # smaller, on top: none hides the other
                style = {"color": COLOURS[name], "marker": MARKERS[name], "markersize": 5, "zorder": 3}
            axes.plot(time, y, linestyle="none", label=name, **style)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)


def draw(rows, path, threads):
    import matplotlib

    matplotlib.use("agg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "numpool", "font.size": 9}
    import matplotlib.pyplot as plt

    cases = list(dict.fromkeys(row["case"] for row in rows))
    height = 1.6 + 0.28 * len(cases)
    figure, panels = plt.subplots(1, len(LAYOUTS), figsize=(9, height), sharey=True, sharex=True, layout="constrained")
    for axes, layout in zip(panels, LAYOUTS):
        panel(axes, [row for row in rows if row["layout"] == layout], cases)
        axes.set_title(layout)
    geometries = {row["case"]: row["geometry"].split(" ", 1)[1] for row in rows}
    panels[0].set_yticks(range(len(cases)), [f"{case}, {geometries[case]}" for case in cases])
    panels[0].invert_yaxis()
    figure.suptitle(
        f"Forward pooling, {threads} thread{'s' * (threads != '1')}: time over that of copying the same bytes.\n"
        "Further left is better; the line at 1 is the copy."
    )
    handles = {label: mark for axes in panels for mark, label in zip(*axes.get_legend_handles_labels())}
    order = [name for name in (OURS, *LIBRARIES) if name in handles]
    figure.legend([handles[name] for name in order], order, loc="outside lower center", ncols=len(order), frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)


def main():
    parser = argparse.ArgumentParser(
        prog="python -m bench.picture", description="draw forward passes beside their peers"
    )
    parser.add_argument("medians", type=Path, help="what python -m bench --save wrote")
    parser.add_argument(
        "picture", type=Path, nargs="?", default="docs/speed.svg", help="SVG or PNG; default %(default)s"
    )
    parser.add_argument("--threads", default="1", metavar="N", help="rows with so many threads; default %(default)s")
    args = parser.parse_args()
    rows = json.loads(args.medians.read_text())
    rows = [row for row in rows if row["operation"] in FORWARD and row["threads"] == args.threads]
    if not rows:
        parser.error(f"{args.medians} has no forward pass on {args.threads} thread(s)")
    draw(rows, args.picture, args.threads)
    print(f"{args.picture}: {args.picture.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
