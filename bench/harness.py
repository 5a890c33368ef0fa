"""Contestants of one job take turns in one process, and their medians make a row."""

import gc
from collections import deque
from dataclasses import dataclass, field, replace
from math import ceil
from pathlib import Path

import numpy as np

from .jobs import Job
from .peers import PEERS, Refused
from .roof import roof
from .timing import Contestant, loop_timer

AT_LEAST = 3  # rounds, however slow a contestant is
OURS = "numpool"


@dataclass
class Row:
    job: Job
    times: dict = field(default_factory=dict)  # contestant -> seconds
    absent: dict = field(default_factory=dict)  # contestant -> why
    wrong: dict = field(default_factory=dict)  # contestant -> how its result differs from the first one's
    roof: float = 0.0

    @property
    def best(self):
        """(seconds, name) of the best peer, or None."""
        return min(((t, name) for name, t in self.times.items() if name != OURS), default=None)

    @property
    def ratio(self):
        """How many times faster than the best peer."""
        return self.best[0] / self.times[OURS] if self.best and OURS in self.times else None

    @property
    def share(self):
        """Part of the roof that is reached."""
        return self.roof / self.times[OURS] if OURS in self.times else None


def last_level_cache():
    """Bytes; 32 MiB where the system does not tell."""
    sizes = [path.read_text().strip() for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size")]
    units = {"K": 2**10, "M": 2**20}
    return max((int(size[:-1]) * units[size[-1]] for size in sizes), default=32 * 2**20)


def difference(op, got, want):
    """What is wrong with a result, or None. Maxima and positions are exact; sums may differ in their order."""
    pairs = zip(got, want) if isinstance(got, tuple) else [(got, want)]
    for a, b in pairs:
        if a.shape != b.shape:
            return f"shape {a.shape}, not {b.shape}"
        same = a == b if op in ("max", "argmax") else np.isclose(a, b, rtol=1e-5, atol=1e-5)
        if not same.all():
            return f"{np.count_nonzero(~same)} of {same.size} values differ"
    return None


def measure(job, names, *, rounds=15, budget=0.5, fresh=False, idle=0.0):
    """A row. `budget` is the seconds that one contestant may spend in it, beyond AT_LEAST rounds."""
    row, bound = Row(job), {}
    copies = max(1, ceil(2 * last_level_cache() / job.nbytes)) if fresh else 1
    arrays = job.data()
    data = [arrays, *([array.copy() for array in arrays] for _ in range(copies - 1))]
    for name in names:
        try:
            bind = PEERS[name].prepare(job)
            pairs = [bind(*arrays) for arrays in data]
            pairs[0][0]()
        except Refused as reason:
            row.absent[name] = str(reason)
        except Exception as error:  # whatever a peer raises, the others go on
            row.absent[name] = f"failed: {type(error).__name__}: {error}"
        else:
            bound[name] = pairs
    row.wrong = compare(job, {name: pairs[0][1]() for name, pairs in bound.items()}, arrays)

    timers = {name: loop_timer([run for run, _ in pairs]) for name, pairs in bound.items()}
    timers |= {n: roof(job.nbytes, copies, n) for n in {1, job.threads}}
    contestants = {name: Contestant(timer) for name, timer in timers.items()}
    take_turns(contestants.values(), job.threads, rounds, budget, idle)
    medians = {name: contestant.median for name, contestant in contestants.items()}
    row.roof = min(medians.pop(n) for n in {1, job.threads})
    row.times = medians
    return row


def take_turns(contestants, threads, rounds, budget, idle):
    order = deque(contestants)
    gc.disable()
    for contestant in order:
        contestant.calibrate()
    for _ in range(rounds):
        for contestant in order:
            if len(contestant.samples) < AT_LEAST or contestant.spent < budget:
                contestant.sample(threads, idle)
        order.rotate(1)
    gc.enable()


def compare(job, answers, arrays):
    """name -> what is wrong beside numpool's answer, or else the first; who cannot count padding need not."""
    wants = {True: next(iter(answers.values()), None)}
    if job.counts_padding and not all(PEERS[name].counts_padding for name in answers):
        wants[False] = uncounted(job, answers, arrays)
    found = {n: difference(job.op, got, wants.get(PEERS[n].counts_padding, wants[True])) for n, got in answers.items()}
    return {name: what for name, what in found.items() if what}


def uncounted(job, names, arrays):
    """The average that leaves padding out, from the first who can."""
    for name in names:
        try:
            run, result = PEERS[name].prepare(replace(job, count_include_pad=False))(*arrays)
        except Refused:
            continue
        run()
        return result()
