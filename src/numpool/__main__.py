"""The command line: ``python -m numpool demo`` and ``python -m numpool info``.

Exit status: 0 done; 1 the work failed, with one line that says why; 2 the command line is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpool
from numpool import demo


def thread_count(text: str) -> int:
    """argparse type: an integer of at least 1."""
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"the number of threads must be an integer of at least 1; got {text!r}")
    return count


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m numpool", description="Pooling layers for NumPy arrays.")
    commands = top.add_subparsers(dest="command", required=True, metavar="{demo,info}")
    show = commands.add_parser(
        "demo",
        help="pool a photograph, check and time the results, draw them",
        description="Pool a photograph with max, min and average at several windows in both layouts; check the "
        "results, print the times, draw the results side by side.",
    )
    show.add_argument(
        "photo", nargs="?", type=Path, metavar="PHOTO", help="an image file (default: a photograph from matplotlib)"
    )
    show.add_argument(
        "--output",
        type=Path,
        default=Path("numpool-demo.png"),
        metavar="PATH",
        help="where the picture goes (default: %(default)s)",
    )
    show.add_argument(
        "--threads", type=thread_count, metavar="N", help="at most N threads (default: what numpool would take)"
    )
    commands.add_parser("info", help="print version, levels, OpenMP and threads")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.command == "info":
        numpool.show_config()
        return 0
    try:
        with numpool.num_threads(arguments.threads or numpool.get_num_threads()):
            demo.run(arguments.photo, arguments.output)
    except demo.DemoError as error:
        print(f"numpool demo: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
