"""`python -m bench.goals`: what numpool is to reach, what it reaches here, and the worst case of each goal.

GOALS, at the end, is the list. A goal takes samples (a figure and the case that it is of) and says what their geometric
mean and each of them must reach.
"""

import argparse
import io
import json
import os
import re
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path
from statistics import geometric_mean

import numpy as np
from cases import LAYOUTS, NETWORKS

from .harness import OURS, contest, measure, residency, versus
from .jobs import FORWARD, OPS, VIEWS, Job
from .networks import BATCHED, CHANNELS, DEPLOYED, GLOBALS, IMAGES, MAPS, ODD, SIZES, WIDTHS, WINDOWS
from .peers import LIBRARIES, PEERS
from .report import headline, label, number, remarks, show
from .roof import copying, reading
from .timing import loop_timer

FULL = {"rounds": 15, "budget": 0.1}
QUICK = {"rounds": 7, "budget": 0.04}
QUICK_STEP, QUICK_LEAST = 5, 5  # --quick takes NETWORKS, and each fifth of the other cases (of few: five of them)
QUICK_BYTES, QUICK_TAPS = 17 * 2**20, 50_000_000  # and leaves out what takes peers long

FILTERS = ("OpenCV", "scipy")
NEAR_ROOF = 0.85  # of the roof: a case that reaches it need not be ahead of a peer by more than the roof allows

ALL = [*NETWORKS, *DEPLOYED, *MAPS, *ODD, *CHANNELS, *WIDTHS, *BATCHED]
TRAINED = [*NETWORKS, *DEPLOYED, *MAPS, *ODD]


# --- goals -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sample:
    value: float
    name: str
    share: float = 0.0  # of the roof


@dataclass(frozen=True)
class Goal:
    what: str
    samples: Callable  # (lab, threads) -> samples
    mean: float | None = None  # their geometric mean is to be at least this
    least: float | None = None  # each is to be at least this ...
    most: float | None = None  # ... or at most this
    excused: bool = False  # samples near the roof need not reach `least`
    once: bool = False  # not for each number of threads

    @property
    def limit(self):
        limits = {"mean >=": self.mean, "each >=": self.least, "each <=": self.most}
        texts = [f"{sign} {limit:g}" for sign, limit in limits.items() if limit and limit < inf]
        return "; ".join(texts) + f", or {NEAR_ROOF} of the roof" * self.excused or "-"

    def judge(self, samples):
        """(geometric mean, the worst that is not excused, verdict), as far as there are any."""
        if not samples:
            return None, None, "not measured"
        mean = geometric_mean(sample.value for sample in samples)
        counted = [sample for sample in samples if not (self.excused and sample.share >= NEAR_ROOF)]
        worst = (max if self.most else min)(counted, key=lambda sample: sample.value, default=None)
        short = [
            self.mean and mean < self.mean,
            self.least and worst and worst.value < self.least,
            self.most and worst and worst.value > self.most,
        ]
        return mean, worst, "" if self.limit == "-" else "falls short" if any(short) else "pass"


def name(job):
    case, geometry, op, layout, threads = label(job)
    others = [job.dtype] * (job.dtype != "float32") + [job.view] * (job.view != "contiguous")
    return ", ".join([case, geometry, op, layout, *others, f"{threads} thread{'s' * (job.threads > 1)}"])


class Lab:
    """Measures, and remembers what it has measured."""

    def __init__(self, absent, quick):
        self.absent, self.quick, self.effort = absent, quick, QUICK if quick else FULL
        self.rows = {}

    def jobs(self, cases, threads, ops=FORWARD, layouts=LAYOUTS, keep=None, large=False, **options):
        """Jobs of the cases; each case has the operations of its op alone. `large`: large ones with --quick as well."""
        if self.quick:
            others = [case for case in cases if case not in NETWORKS]
            step = min(QUICK_STEP, len(others) // QUICK_LEAST | 1)  # odd: families of two alternate
            cases = [case for case in cases if case in NETWORKS] + others[::step]
        for case in cases:
            for op in [op for op in OPS[case.op] if op in ops]:
                for layout in [layout for layout in layouts if layout in case.layouts]:
                    job = Job(case, op, layout, threads, **({"dtype": case.dtype} | options))
                    small = large or not self.quick or job.nbytes <= QUICK_BYTES
                    if small and (keep is None or keep(job)):
                        yield job

    def row(self, job, peers=(), roof=copying):
        peers = tuple(peer for peer in peers if peer not in self.absent)
        known = [row for (of, by, to), row in self.rows.items() if (of, to) == (job, roof) and set(by) >= set(peers)]
        if not known:
            print(name(job), *peers, sep=", ", file=sys.stderr)
            known = [measure(job, (OURS, *peers), roof=roof, **self.effort)]
            self.rows[job, peers, roof] = known[0]
        return known[0]

    def versus(self, *jobs, **options):
        print(" : ".join(map(name, jobs)), file=sys.stderr)
        return versus(jobs, **(self.effort | options))


# --- samples ---------------------------------------------------------------------------------------------------------


def ahead(lab, threads, cases, peers=LIBRARIES, only=None, **options):
    """The time of the best peer (the best of `only`) over ours."""
    for job in lab.jobs(cases, threads, **options):
        if lab.quick and peers == LIBRARIES and job.taps > QUICK_TAPS:
            continue
        row = lab.row(job, peers)
        best = row.best_of(only or peers)
        if best:
            yield Sample(best[0] / row.times[OURS], f"{name(job)}: {best[1]}", row.share)


def of_roof(lab, threads, cases, roof=copying, **options):
    """The time of the roof over ours."""
    for job in lab.jobs(cases, threads, large=True, **options):
        share = lab.row(job, roof=roof).share
        yield Sample(share, name(job), share)


def instead(lab, threads, cases, changes, idle=0.0, **options):
    """The time of a job with each of the changes over its time without; `idle` seconds of sleep before each call."""
    for job in lab.jobs(cases, threads, **options):
        for change in changes:
            other = replace(job, **change)
            ours, base = lab.versus(other, job, idle=idle)
            yield Sample(ours / base, name(other))


def scattered(lab, threads, of=OURS):
    """The time for an array that lies otherwise, over that for a contiguous one (which may be of the other layout)."""
    for job in lab.jobs(VIEWED, threads):
        for view in [view for view in VIEWS if view != "contiguous"]:
            [memory] = [layout for layout in LAYOUTS if (layout == job.layout) == (view != "other layout")]
            other = replace(job, view=view)
            ours, base = lab.versus(other, replace(job, layout=memory), name=of)
            yield Sample(ours / base, name(other))


def with_argmax(lab, threads):
    for job in lab.jobs(TRAINED, threads, ["max"], index="window"):
        if max(job.geometry.kernel) <= 3:
            other = replace(job, op="argmax")
            argmax, forward = lab.versus(other, job)
            yield Sample(argmax / forward, name(other))


def wider(lab, threads):
    """Windows of 101 x 101 over windows of 3 x 3."""
    few, many = ([case for case in WINDOWS if case.kernel_size == k] for k in (3, 101))
    for narrow, wide in zip(few, many):
        for layout in LAYOUTS:
            jobs = [Job(case, case.op, layout, threads) for case in (wide, narrow)]
            ours, base = lab.versus(*jobs)
            yield Sample(ours / base, name(jobs[0]))


def global_errors(lab, threads):
    """Units in the last place between a global average of positive values and the true one."""
    import numpool

    for job in lab.jobs(GLOBALS, threads, ["avg"]):
        x = np.abs(job.data()[0])
        want = x.mean(axis=job.spatial, keepdims=True, dtype=np.float64)
        got = numpool.avg_pool2d(x, job.case.kernel_size, layout=job.layout)
        yield Sample(float(np.max(np.abs(got - want) / np.spacing(want.astype(np.float32)))), name(job))


def integer_averages(lab, threads):
    for job in lab.jobs(NETWORKS, threads):
        for dtype in ("uint8", "int8", "int16", "int32"):
            jobs = [replace(job, op=op, dtype=dtype) for op in ("avg", "max")]
            average, maximum = lab.versus(*jobs)
            yield Sample(average / maximum, name(jobs[0]))


def calls(lab, threads):
    """A call that has next to nothing to pool, over torch's on a ready tensor."""
    if "torch" in lab.absent:
        return
    import torch

    import numpool

    torch.set_num_threads(1)
    x = np.ones((1, 1, 8, 8), np.float32)
    t = torch.from_numpy(x)
    pairs = {
        "max_pool2d(x, 2)": (lambda: numpool.max_pool2d(x, 2), lambda: torch.max_pool2d(t, 2)),
        "max_pool2d(x, kernel_size=2, stride=2, padding=0, ceil_mode=False)": (
            lambda: numpool.max_pool2d(x, kernel_size=2, stride=2, padding=0, ceil_mode=False),
            lambda: torch.max_pool2d(t, kernel_size=2, stride=2, padding=0, ceil_mode=False),
        ),
    }
    for call, runs in pairs.items():
        with torch.inference_mode():
            ours, theirs = contest({i: [loop_timer([run])] for i, run in enumerate(runs)}, 1, **lab.effort).values()
        yield Sample(ours / theirs, call)


def two_threads(lab, threads, cases, **options):
    """The time of one thread over that of two."""
    if os.cpu_count() > 1:
        for sample in instead(lab, 1, cases, TWO_THREADS, **options):
            yield replace(sample, value=1 / sample.value)


def two_threads_woken(lab, threads):
    """The time of two threads over that of one, both after 20 ms of idleness."""
    if os.cpu_count() > 1:
        yield from instead(lab, 1, WOKEN, TWO_THREADS, idle=0.02)


def memory(lab, threads):
    """KiB that a call takes beside its arrays: scratch, and what NumPy and Python allocate meanwhile."""
    import numpool

    numpool.set_num_threads(threads)
    cases, views = [*TRAINED, *IMAGES, *WINDOWS, *GLOBALS], [view for view in VIEWS if view != "contiguous"]
    jobs = [*lab.jobs(cases, threads, [*FORWARD, *ARGMAX]), *lab.jobs(TRAINED, threads, BACKWARD)]
    jobs += [*lab.jobs(TRAINED, threads, [*ARGMAX, *BACKWARD[:1]], index="window")]
    jobs += [replace(job, view=view) for job in lab.jobs(NETWORKS, threads) for view in views]
    for job in jobs:
        run, _ = PEERS[OURS].prepare(job)(*job.data())
        run()
        tracemalloc.start()
        run()
        allocated = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        with redirect_stdout(io.StringIO()) as text:
            numpool.explain(run.func, *run.args, **run.keywords)
        scratch = int(re.search(r"(\d+) bytes of scratch", text.getvalue())[1])
        yield Sample((allocated + scratch) / 1024, name(job))


# --- which jobs ------------------------------------------------------------------------------------------------------


def beyond_l2(job):
    return residency(job) != "L2"


def in_l3(job):
    return residency(job) == "L3"


def tiles(job):
    """Windows side by side, beyond L2."""
    g = job.geometry
    return g.kernel == g.stride and max(g.kernel) > 1 and max(g.output) > 1 and not job.pads and beyond_l2(job)


def tiles_in_dram(job):
    return tiles(job) and not in_l3(job)


def k3_s2(job):
    return (job.geometry.kernel, job.geometry.stride) == ((3, 3), (2, 2)) and beyond_l2(job)


def small_map(job):
    return all(7 <= n <= 35 for n in job.geometry.size) and max(job.geometry.output) > 1 and not beyond_l2(job)


def small_map_k3_s1(job):
    return small_map(job) and (job.geometry.kernel, job.geometry.stride) == ((3, 3), (1, 1))


def busy(job):
    """Windows at stride 1 on 1 MB and more, in the caches."""
    return min(job.geometry.kernel) >= 3 and job.geometry.stride == (1, 1) and job.nbytes >= 2**20 and in_l3(job)


def not_coloured(job):
    return job.case not in COLOURED


# --- the list --------------------------------------------------------------------------------------------------------

COLOURED = [case for case in IMAGES if case.name.startswith("1080p image, 3 channels")]
VIEWED = [case for case in NETWORKS if case.name in ("ResNet-50 stem", "VGG-16 pool5", "GoogLeNet 3b", "Inception v3")]
WOKEN = [case for case in NETWORKS if case.name in ("ResNet-50 stem", "GoogLeNet 3b", "PoolFormer", "YOLO SPP")]
ARGMAX, BACKWARD = ["argmax"], ["max_backward", "avg_backward"]
BYTES, HALVES = ([{"dtype": dtype} for dtype in pair] for pair in (("uint8", "int8"), ("float16", "bfloat16")))
TWO_THREADS = [{"threads": 2}]


def goal(what, samples, mean=None, least=None, most=None, excused=False, once=False, **options):
    return Goal(what, partial(samples, **options), mean, least, most, excused, once)


GOALS = [
    goal("NCHW forward: best peer over ours", ahead, cases=ALL, layouts=["NCHW"], mean=4, least=1.5, excused=True),
    goal("NHWC forward: best peer over ours", ahead, cases=ALL, layouts=["NHWC"], mean=2, least=1.2, excused=True),
    goal("NHWC forward: torch over ours", ahead, cases=ALL, layouts=["NHWC"], only=["torch"], mean=4),
    goal("k = s, L3 and DRAM: of the roof", of_roof, cases=ALL, keep=tiles, least=0.9),
    goal("k3 s2, L3 and DRAM: of the roof", of_roof, cases=ALL, keep=k3_s2, least=0.7),
    goal("7x7 to 35x35 in L2: of the roof", of_roof, cases=ALL, keep=small_map, mean=0.5),
    goal("7x7 to 35x35 in L2, k3 s1: of the roof", of_roof, cases=ALL, keep=small_map_k3_s1, least=0.4),
    goal("argmax, window index, k <= 3: over forward", with_argmax, most=1.4),
    goal("argmax, window index: best peer over ours", ahead, cases=TRAINED, ops=ARGMAX, index="window", least=1),
    goal("argmax, plane index: best peer over ours", ahead, cases=TRAINED, ops=ARGMAX, least=1),
    goal("backward: best peer over ours", ahead, cases=TRAINED, ops=BACKWARD, least=2, excused=True),
    goal("backward, k = s, DRAM: of the roof", of_roof, cases=TRAINED, ops=BACKWARD, keep=tiles_in_dram, least=0.9),
    goal("stride 1, k101: over k3", wider, most=2.5),
    goal("stride 1, k3 to k201: OpenCV, scipy over ours", ahead, cases=WINDOWS, peers=FILTERS, least=1),
    goal("uint8, k3 to k201: OpenCV, scipy over ours", ahead, cases=WINDOWS, peers=FILTERS, dtype="uint8", least=1),
    goal("global, 7x7 to 2048x2048: of reading once", of_roof, cases=GLOBALS, roof=reading, least=0.8),
    goal("global average: ulps from the truth", global_errors, most=4),
    goal("uint8, int8 max, L3: over float32", instead, cases=ALL, changes=BYTES, keep=in_l3, ops=["max"], most=0.4),
    goal("1080p x 3 uint8, HWC: OpenCV over ours", ahead, cases=COLOURED, peers=["OpenCV"], least=1),
    goal("other images: OpenCV over ours", ahead, cases=IMAGES, peers=["OpenCV"], keep=not_coloured),
    goal("float16, bfloat16 max: over float32", instead, cases=NETWORKS, changes=HALVES, ops=["max"], most=0.6),
    goal("float16, bfloat16 avg: over float32", instead, cases=NETWORKS, changes=HALVES, ops=["avg"], most=0.9),
    goal("integer average: over integer max", integer_averages, most=2),
    goal("call on 1x1x8x8: over torch's", calls, once=True, most=0.8),
    goal("2 threads, forward at stride 1, 1 MB: gain", two_threads, cases=ALL, keep=busy, once=True, least=1.8),
    goal("2 threads, argmax at stride 1: gain", two_threads, cases=ALL, ops=ARGMAX, keep=busy, once=True, least=1.8),
    goal("2 threads, any size: gain (noise: 3 %)", two_threads, cases=SIZES, once=True, least=0.97),
    goal("2 threads after 20 ms: over 1 thread", two_threads_woken, once=True, most=1.3),
    goal("views: over contiguous", scattered, most=1.3),
    goal("torch's views: over contiguous", scattered, of="torch", most=inf),
    goal("extra memory: KiB a thread", memory, once=True, most=128),
]


# --- the command -----------------------------------------------------------------------------------------------------


def arguments():
    parser = argparse.ArgumentParser(
        prog="python -m bench.goals", description="numpool's goals, and what is reached here"
    )
    parser.add_argument("--goals", metavar="TEXT", default="", help="only goals with TEXT in their name")
    parser.add_argument("--threads", nargs="+", type=int, metavar="N", help="1 2; with --quick 1")
    parser.add_argument(
        "--without", nargs="+", choices=LIBRARIES, default=[], metavar="PEER", help=", ".join(LIBRARIES)
    )
    parser.add_argument("--quick", action="store_true", help="few rounds, few cases: three minutes")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a goal is not reached")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write every figure as JSON")
    return parser.parse_args()


def main():
    args = arguments()
    names = [OURS, *(peer for peer in LIBRARIES if peer not in args.without)]
    lab = Lab([peer for peer in LIBRARIES if peer not in names or PEERS[peer].version is None], args.quick)
    conditions = "float32 unless named; the same data again and again; out= given, but in the call on 1x1x8x8"
    print(*headline("bench.goals", names, conditions), sep="\n", flush=True)
    lines = [["what", "to reach", "threads", "cases", "mean", "worst", "", "worst case"]]
    saved, verdicts = [], []
    for goal in GOALS:
        if args.goals.lower() not in goal.what.lower():
            continue
        for threads in [1] if goal.once else args.threads or ([1] if args.quick else [1, 2]):
            samples = list(goal.samples(lab, threads))
            mean, worst, verdict = goal.judge(samples)
            cells = [goal.what, goal.limit, "-" if goal.once else str(threads), str(len(samples)), number(mean)]
            lines.append([*cells, number(worst and worst.value), verdict, worst.name if worst else "-"])
            saved.append(dict(zip(("what", "limit", "threads"), cells)) | {"verdict": verdict})
            saved[-1]["samples"] = [[sample.name, sample.value, sample.share] for sample in samples]
            verdicts.append(verdict)
            print(*lines[-1], sep=" | ", file=sys.stderr)
    print()
    show(lines, args.markdown, ("what", "to reach", "", "worst case"))
    print("", *remarks(lab.rows.values()), sep="\n")
    print(
        f"{verdicts.count('pass')} pass, {verdicts.count('falls short')} fall short, {verdicts.count('not measured')} "
        "were not measured. `mean` is geometric; `of the roof` is the time of the roof over ours."
    )
    if args.save:
        args.save.write_text(json.dumps(saved, indent=1))
    sys.exit(args.strict and "falls short" in verdicts)


if __name__ == "__main__":
    main()
