"""Contestants of one job take turns in one process, and their medians make a row."""

import gc
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil
from pathlib import Path
from random import Random

import numpy as np

from .jobs import EXTREMA, Job
from .peers import PEERS, Refused, take_threads
from .roof import copying
from .timing import Contestant, loop_timer

AT_LEAST = 3  # rounds, however slow a contestant is
PLACES = 5  # of a small job's data: which pages of it the second-level cache holds at once is a matter of chance
OURS = "numpool"


@dataclass
class Row:
    job: Job
    times: dict = field(default_factory=dict)  # contestant -> seconds
    absent: dict = field(default_factory=dict)  # contestant -> why
    wrong: dict = field(default_factory=dict)  # contestant -> how its result differs from the first one's
    roof: float = 0.0

    def best_of(self, names):
        """(seconds, name) of the best of these peers, or None; who has another result does not count."""
        peers = set(self.times) & set(names) - {OURS} - set(self.wrong)
        return min(((self.times[name], name) for name in peers), default=None)

    @property
    def best(self):
        return self.best_of(self.times)

    @property
    def ratio(self):
        """How many times faster than the best peer."""
        return self.best[0] / self.times[OURS] if self.best and OURS in self.times else None

    @property
    def share(self):
        """Part of the roof that is reached."""
        return self.roof / self.times[OURS] if OURS in self.times else None


@cache
def caches():
    """Bytes of each level of cache, the first level first; 1 MiB and 32 MiB where the system does not tell."""
    places = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    places = [place for place in places if (place / "type").read_text().strip() != "Instruction"]
    sizes = [(place / "size").read_text().strip() for place in places]
    units = {"K": 2**10, "M": 2**20}
    return [int(size[:-1]) * units[size[-1]] for size in sizes] or [2**15, 2**20, 2**25]


def last_level_cache():
    return caches()[-1]


def residency(job):
    """Where the bytes of a job stay from call to call: "L2" (or nearer), "L3" or "DRAM"."""
    return "L2" if job.nbytes <= caches()[1] else "L3" if job.nbytes <= last_level_cache() else "DRAM"


def places_of(job):
    return PLACES if residency(job) == "L2" else 1


def difference(op, got, want):
    """What is wrong with a result, or None. Maxima and positions are exact; sums may differ in their order, and
    averages as integers by the rounding."""
    pairs = zip(got, want) if isinstance(got, tuple) else [(got, want)]
    for a, b in pairs:
        if a.shape != b.shape:
            return f"shape {a.shape}, not {b.shape}"
        same = a == b if op in EXTREMA else np.isclose(a, b, rtol=1e-5, atol=1 if a.dtype.kind in "iu" else 1e-5)
        if not same.all():
            return f"{np.count_nonzero(~same)} of {same.size} values differ"
    return None


def measure(job, names, *, fresh=False, roof=copying, **effort):
    """A row; `effort` as in `contest`."""
    row, bound = Row(job), {}
    places = 1 if fresh else places_of(job)
    copies = max(1, ceil(2 * last_level_cache() / job.nbytes)) if fresh else 1
    data = [job.data() for _ in range(places * copies)]
    arrays = data[0]
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

    timers = {
        name: [loop_timer([run for run, _ in pairs[place::places]]) for place in range(places)]
        for name, pairs in bound.items()
    }
    roofs = by_name([roof(job, copies) for _ in range(places)])
    medians = contest(timers | roofs, job.threads, **effort)
    row.roof = min(medians[name] for name in roofs)
    row.times = {name: medians[name] for name in timers}
    return row


def versus(jobs, name=OURS, **effort):
    """Seconds of one contestant in several jobs, which take turns; `effort` as in `contest`."""
    timers = {}
    for i, job in enumerate(jobs):
        bind = PEERS[name].prepare(job)
        timers[i] = [loop_timer([bind(*job.data())[0]]) for _ in range(max(map(places_of, jobs)))]
        if name == OURS:
            timers[i] = [on_threads(job.threads, timer) for timer in timers[i]]
    return list(contest(timers, max(job.threads for job in jobs), **effort).values())


def by_name(dicts):
    """A list of dicts as a dict of lists."""
    return {name: [each[name] for each in dicts] for name in dicts[0]}


def on_threads(count, timer):
    """The timer, with numpool's number of threads set before it starts."""

    def timed(repeat):
        take_threads(count)
        return timer(repeat)

    return timed


def contest(timers, threads, *, rounds=15, budget=0.5, idle=0.0):
    """name -> median seconds of contestants that take turns, each given by its timers, one for each place of its data.
    `budget` is the seconds that one of them may spend, beyond
    AT_LEAST rounds; `threads` the most that one takes; `idle` the seconds of sleep before each call."""
    contestants = {name: Contestant(own) for name, own in timers.items()}
    order, chance = list(contestants.values()), Random(0)
    gc.disable()
    for contestant in order:
        contestant.calibrate()
    for _ in range(rounds):
        chance.shuffle(order)  # each finds the caches as another one leaves them, and not always the same one
        for contestant in order:
            if len(contestant.samples) < AT_LEAST or contestant.spent < budget:
                contestant.sample(threads, idle)
    gc.enable()
    return {name: contestant.median for name, contestant in contestants.items()}


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
