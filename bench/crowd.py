"""What many threads on two hot locks get done with profiling on, as a ratio to off.

From CPython 3.13.18 on such a crowd, profiled or not, jumps between two ways to go on: a convoy, in which
each turn hands a lock over and puts the thread to sleep, and bursts of one thread alone, ten times
as fast. A ratio of plain throughputs then says how often the convoy broke, not what a lock costs: the same
code against itself spreads by a factor of two. So time is cut into short windows, and each counts as convoy or
burst by its voluntary context switches. The ratio is of the convoy's windows, where every operation waits and the
profiler has most to do; the share of convoy windows, on and off, stands beside it. Where there is but one way
(3.10 to 3.13.0), every window counts.
"""

import math
import resource
import statistics
import threading
import time
from typing import Callable

WINDOW_S = 0.025
WINDOWS = 14  # of one phase
SETTLE_S = 0.2  # until every thread has been seen, and the budgets have found their distances
BURST = 0.9  # of a pure convoy's switches an iteration: a window with fewer has a burst in it
TWO_WAYS = 0.05  # share of windows under half a convoy's switches that makes two ways of it

Window = tuple[float, float]  # iterations a second, voluntary switches an iteration


class Crowd:
    """Threads that take two locks in turn, do some work under each, and count."""

    def __init__(self, threads: int) -> None:
        self.counts, self.done = [0] * threads, False
        first, second = threading.Lock(), threading.Lock()

        def work(i: int) -> None:
            counts = self.counts
            while not self.done:
                with first:
                    sum(range(20))
                with second:
                    sum(range(20))
                counts[i] += 1

        self.members = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
        for member in self.members:
            member.start()

    def disperse(self) -> None:
        self.done = True
        for member in self.members:
            member.join()

    def window(self) -> Window:
        switches, before, began = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw, sum(self.counts), time.monotonic()
        time.sleep(WINDOW_S)
        n, passed = sum(self.counts) - before, time.monotonic() - began
        return n / passed, (resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - switches) / max(1, n)

    def phase(self) -> list[Window]:
        time.sleep(SETTLE_S)
        return [self.window() for _ in range(WINDOWS)]


def convoy_test(off: list[Window]) -> Callable[[Window], bool]:
    """Whether a window is all convoy, judged by what the crowd does unprofiled."""
    switches = sorted(window[1] for window in off)
    pure = switches[len(switches) * 9 // 10]
    if sum(each < pure / 2 for each in switches) < TWO_WAYS * len(switches):
        return lambda window: True
    return lambda window: window[1] >= BURST * pure


def ratio(on: Callable[[], None], off: Callable[[], None], rounds: int, threads: int = 50) -> dict[str, float]:
    """on / off: each phase with profiling against the phases without it before and after; the median over rounds."""
    crowd = Crowd(threads)
    offs, ons = [crowd.phase()], []
    for _ in range(rounds):
        on()
        ons.append(crowd.phase())
        off()
        offs.append(crowd.phase())
    crowd.disperse()

    in_convoy = convoy_test([window for phase in offs for window in phase])

    def rate(phase: list[Window]) -> float | None:
        rates = [window[0] for window in phase if in_convoy(window)]
        return statistics.median(rates) if len(rates) >= WINDOWS // 5 else None

    def share(phases: list[list[Window]]) -> float:
        return statistics.fmean(in_convoy(window) for phase in phases for window in phase)

    logs = []
    for i, phase in enumerate(ons):
        with_it = rate(phase)
        without = [each for each in map(rate, offs[i:i + 2]) if each]
        if with_it and without:
            logs.append(math.log(with_it / statistics.fmean(without)))
    # No convoy to compare, no ratio: that keeps no limit.
    out = {"convoy share off": share(offs), "convoy share on": share(ons), "ratio": math.nan}
    if len(logs) >= 2:
        median = statistics.median(logs)
        deviation = 1.48 * statistics.median(abs(each - median) for each in logs)
        out["ratio"] = math.exp(median)
        out["standard error"] = 1.25 * deviation / math.sqrt(len(logs))  # of a median
    return out
