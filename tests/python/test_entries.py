"""Every way into a lock and out of it counts once, by its old names too, and a reset ends what it held."""

import itertools
import threading
import time
import unittest
from typing import Any, Callable

import sneck
from support import MS, Case, profiled

KINDS = (threading.Lock, threading.RLock)
WAYS_IN = ("acquire", "acquire_lock", "__enter__")
WAYS_OUT: "dict[str, Callable[[Any], Any]]" = {
    "release": lambda lock: lock.release(),
    "release_lock": lambda lock: lock.release_lock(),
    "__exit__": lambda lock: lock.__exit__(None, None, None),
}
TIMES = 25


class Entries(Case):
    def test_each_way_in_and_out_counts_once(self) -> None:
        """An RLock has none of the old names, so far."""
        for kind, way_in, way_out in itertools.product(KINDS, WAYS_IN, WAYS_OUT):
            entered = kind()
            if not hasattr(entered, way_in) or not hasattr(entered, way_out):
                self.assertIs(kind, threading.RLock)
                continue
            with self.subTest(kind=kind.__name__, way_in=way_in, way_out=way_out):
                with profiled() as seen:
                    for _ in range(TIMES):
                        getattr(entered, way_in)()
                        WAYS_OUT[way_out](entered)
                rows = seen.rows.of("entered")
                self.assertEqual((rows.acquires, rows.releases, rows.failed), (TIMES, TIMES, 0))

    def test_a_reset_ends_a_hold_without_a_release(self) -> None:
        for kind in KINDS:
            with self.subTest(kind=kind.__name__):
                self.attempts(lambda: self.check_reset(kind))

    def check_reset(self, kind: Callable[[], Any]) -> None:
        """As threading does it in a child: the hold before is nobody's, and not part of the next one."""
        reset = kind()
        with profiled() as seen:
            lost = sneck.status()["stats"]["holds_lost"]
            reset.acquire()
            time.sleep(0.2)
            reset._at_fork_reinit()
            reset.acquire()
            reset.release()
        rows = seen.rows.of("reset")
        self.assertEqual((rows.acquires, rows.releases), (2, 1))
        self.assertEqual(rows.of(re_entry="true"), [])
        self.assertLess(rows.hold_ns, 200 * MS)
        self.assertEqual(seen.status["stats"]["holds_lost"], lost)


if __name__ == "__main__":
    unittest.main()
