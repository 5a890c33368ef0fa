"""How a sample is taken."""

import time
from itertools import cycle, islice
from statistics import median

SAMPLE = 0.2e-3  # seconds that a sample takes at least: the clock and the loop then weigh nothing
SLOW = 20e-3  # seconds of a call that gains nothing by a repetition
WARM = 10e-3  # seconds of calls that bring a team of threads, their processors and the clock of the cores back up


def loop_timer(runs):
    """repeat -> seconds per call; the runs (one for each copy of the data) are taken in turn."""
    calls = cycle(runs)

    def timed(repeat):
        start = time.perf_counter()
        for run in islice(calls, repeat):
            run()
        return (time.perf_counter() - start) / repeat

    return timed


def settle():
    """Wait until no thread of this process burns time: ONNX Runtime's workers spin on for 40 ms after a call."""
    for _ in range(40):
        burnt = time.process_time()
        time.sleep(0.005)
        if time.process_time() - burnt < 0.0005:
            return


class Contestant:
    """`timers`: one for each place of the data; samples take them in turn."""

    def __init__(self, timers):
        self.timers, self.repeat, self.samples, self.spent, self.slow = timers, 1, [], 0.0, False

    @property
    def timed(self):
        return self.timers[len(self.samples) % len(self.timers)]

    def calibrate(self):
        self.slow = self.timed(1) > SLOW
        while not self.slow and (took := self.timed(self.repeat) * self.repeat) < SAMPLE:
            self.repeat = max(2 * self.repeat, int(1.2 * SAMPLE * self.repeat / max(took, 1e-7)))
            self.repeat = min(self.repeat, 100_000)

    def sample(self, threads, idle):
        if idle:
            time.sleep(idle)
            took, repeat = self.timed(1), 1
        else:
            if threads > 1:
                settle()
            if not self.slow:
                self.timed(1)
            end = time.perf_counter() + (WARM if threads > 1 else 0)
            while time.perf_counter() < end:
                self.timed(1)
            took, repeat = self.timed(self.repeat), self.repeat
        self.samples.append(took)
        self.spent += took * repeat

    @property
    def median(self):
        return median(self.samples)
