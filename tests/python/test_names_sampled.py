"""Names of locks as they come to files: the programs of names_table run, and their locks are taken, under the profiler."""

import _thread
import collections
import contextlib
import itertools
import operator
import threading
import unittest
from typing import Any, Iterator

import sneck
from names_table import CREATED, FOUND, PREAMBLE, expectations, run
from support import profiled

exec(PREAMBLE, {})  # an import makes locks of its own, once

MAKERS = {"Lock": threading.Lock, "_CRLock": _thread.RLock, "_allocate_lock": _thread.allocate_lock}
take = operator.methodcaller("acquire", False)


def exhaust(iterator: Iterator[Any]) -> None:
    """The frame that takes the locks has no other name for them."""
    collections.deque(iterator, 0)


@contextlib.contextmanager
def made_by(**makers: Any) -> Iterator[None]:
    natives = {name: getattr(threading, name) for name in makers}
    try:
        vars(threading).update(makers)
        yield
    finally:
        vars(threading).update(natives)


class Names(unittest.TestCase):
    """Whatever stands between a program and CPython here is C, and has no frame."""

    maxDiff = None

    def test_of_locks_made_after_the_start(self) -> None:
        for title, source in CREATED.items():
            made: list[Any] = []  # append() says None, so that nothing is filtered out
            makers = {name: itertools.filterfalse(made.append, iter(maker, None)).__next__ for name, maker in MAKERS.items()}
            with self.subTest(title):
                with profiled() as seen:
                    with made_by(**makers):
                        run(source)
                    exhaust(map(take, made))
                owners = {lock["name"]: lock["owner"] for lock in sneck.lock_stats()}
                expected = expectations(source)
                self.assertEqual(len(made), len(expected))
                self.assertEqual({row.labels["lock name"] for row in seen.rows}, {label for label, _ in expected})
                for label, owner in expected:
                    self.assertIn(owner, (None, owners[label]), label)

    def test_of_locks_made_before_the_start(self) -> None:
        for title, source in FOUND.items():
            early = [threading.Lock() for _ in range(20)]
            with self.subTest(title), made_by(Lock=iter(early).__next__):
                with profiled() as seen:
                    run(source, use=take)
                labels = {row.labels["lock name"] for row in seen.rows}
                self.assertLessEqual(labels, {label for label, _ in expectations(source)})
                self.assertEqual(len(labels), sum(lock.locked() for lock in early))  # each has the name of its first use


if __name__ == "__main__":
    unittest.main()
