#!/usr/bin/env python3
"""Many threads at once on counters, a cache, and a table that is read and written.

    sneck run examples/rlock_stress_test.py --seconds 60 --workers 20
    python examples/rlock_stress_test.py --verify

A third of the threads are called Worker-N, Reader-N and Writer-N each.
"""

import random
import sys
import threading
import time
from collections.abc import Callable

from account import Account, Claim, Tally, clock, main, run_threads

CLAIMS = (
    Claim("counter_lock", "attribute of Counters; workers add to two counters under it, re-entering", reentrant=True),
    Claim("_cache_lock", "attribute of Cache; a miss computes under it, and takes it again", reentrant=True),
    Claim("_table_lock", "attribute of Table; writers hold it for long, and readers wait"),
    Claim("_turnstile", "attribute of Table; each thread passes it once an access", kind="threading.Lock", contended=False),
)


class Counters:
    def __init__(self) -> None:
        self.counter_lock = threading.RLock()
        self.values = [0, 0]

    def add(self, which: int, mine: Tally) -> None:
        with self.counter_lock:
            mine.took_again("counter_lock")
            self.values[which] += 1

    def add_both(self, mine: Tally) -> None:
        began = clock()
        with self.counter_lock:
            mine.took("counter_lock", began)
            self.add(0, mine)
            self.add(1, mine)
            time.sleep(0.0002)


class Cache:
    def __init__(self) -> None:
        self._cache_lock = threading.RLock()
        self._entries: dict[int, int] = {}

    def get(self, key: int, mine: Tally) -> int:
        began = clock()
        with self._cache_lock:
            mine.took("_cache_lock", began)
            if key not in self._entries:
                self._compute(key, mine)
            return self._entries[key]

    def _compute(self, key: int, mine: Tally) -> None:
        with self._cache_lock:
            mine.took_again("_cache_lock")
            time.sleep(0.0005)
            if len(self._entries) > 64:
                self._entries.clear()
            self._entries[key] = key * key


class Table:
    def __init__(self) -> None:
        self._table_lock = threading.RLock()
        self._turnstile = threading.Lock()
        self._rows: list[int] = []

    def _pass(self, mine: Tally) -> None:
        began = clock()
        with self._turnstile:
            mine.took("_turnstile", began)

    def read(self, mine: Tally) -> int:
        self._pass(mine)
        began = clock()
        with self._table_lock:
            mine.took("_table_lock", began)
            return sum(self._rows)

    def write(self, mine: Tally) -> None:
        self._pass(mine)
        began = clock()
        with self._table_lock:
            mine.took("_table_lock", began)
            time.sleep(0.001)
            self._rows = [*self._rows[-99:], random.randrange(100)]


def run(account: Account, seconds: float, workers: int) -> None:
    counters, cache, table, end = Counters(), Cache(), Table(), time.monotonic() + seconds

    def until_end(step: Callable[[Tally], object], pause: float) -> Callable[[], None]:
        def work() -> None:
            mine = account.mine()
            while time.monotonic() < end:
                step(mine)
                time.sleep(pause)
        return work

    def count_and_look_up(mine: Tally) -> None:
        counters.add_both(mine)
        cache.get(random.randrange(80), mine)

    kinds = (("Worker", until_end(count_and_look_up, 0.001)), ("Reader", until_end(table.read, 0.0005)),
             ("Writer", until_end(table.write, 0.002)))
    run_threads([(f"{kinds[i % 3][0]}-{i // 3 + 1}", kinds[i % 3][1]) for i in range(workers)])


if __name__ == "__main__":
    sys.exit(main(__doc__, CLAIMS, run, seconds=60, workers=(20, 10, 50)))
