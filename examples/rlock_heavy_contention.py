#!/usr/bin/env python3
"""Fifteen workers crowd about one RLock, and take it three deep.

    sneck run examples/rlock_heavy_contention.py
    python examples/rlock_heavy_contention.py --verify
"""

import sys
import threading
import time

from account import Account, Claim, Tally, clock, main, run_threads

CLAIMS = (
    # A private attribute has its mangled name at run time, and in the profile.
    Claim("_Counter__gate", "__gate of Counter; every worker waits for it, and takes it three deep", reentrant=True),
    Claim("progress_lock", "the module's own; short, so seldom waited for", contended=False),
)

progress_lock = threading.RLock()


class Counter:
    """add() calls check() calls record(), each under the lock."""

    def __init__(self) -> None:
        self.__gate = threading.RLock()
        self.value = self.checked = self.recorded = 0

    def add(self, mine: Tally) -> None:
        began = clock()
        with self.__gate:
            mine.took("_Counter__gate", began)
            self.value += 1
            self._check(mine)

    def _check(self, mine: Tally) -> None:
        with self.__gate:
            mine.took_again("_Counter__gate")
            self.checked += 1
            self._record(mine)

    def _record(self, mine: Tally) -> None:
        with self.__gate:
            mine.took_again("_Counter__gate")
            self.recorded += 1
            time.sleep(0.001)


def run(account: Account, seconds: float, workers: int) -> None:
    counter, end, rounds = Counter(), time.monotonic() + seconds, [0]

    def work() -> None:
        mine = account.mine()
        while time.monotonic() < end:
            counter.add(mine)
            began = clock()
            with progress_lock:
                mine.took("progress_lock", began)
                rounds[0] += 1

    run_threads([(f"Worker-{i + 1}", work) for i in range(workers)])
    assert counter.value == counter.checked == counter.recorded == rounds[0]


if __name__ == "__main__":
    sys.exit(main(__doc__, CLAIMS, run, seconds=60, workers=(15, 2, 50)))
