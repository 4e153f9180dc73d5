"""Names of locks as they come to files: the programs of names_table run, and their locks are taken, under the profiler."""

import _thread
import collections
import contextlib
import itertools
import operator
import threading
import time
import unittest
from typing import Any, Callable, Iterator

import sneck
from names_table import CREATED, FOUND, PREAMBLE, expectations, run
from support import MS, Case, profiled

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


class Pages:
    """Its locks are all of one line, which does not name them."""

    def __init__(self) -> None:
        for name in "read_lock", "write_lock":
            setattr(self, name, threading.Lock())

    def read(self) -> None:
        with self.read_lock:
            pass

    def write(self) -> None:
        with self.write_lock:
            pass


def searches() -> int:
    return int(sneck.status()["stats"]["name_searches"])


def make_one(_: int) -> Any:
    return threading.Lock()


def wait_for(lock: Any, use: Callable[[], None]) -> None:
    """A thread that takes the lock waits 30 ms."""
    thread = threading.Thread(target=use)
    with lock:
        thread.start()
        time.sleep(0.03)
    thread.join()


class Searched(Case):
    def test_locks_of_one_line_have_each_their_own_name(self) -> None:
        with profiled() as seen:
            before, many = searches(), [Pages() for _ in range(30)]
            for _ in range(3):
                for pages in many:
                    pages.read()
                    pages.write()
            searched = searches() - before
            owners = {lock["name"].rpartition(":")[2]: lock["owner"] for lock in sneck.lock_stats()}
        self.assertEqual([seen.rows.of(name).acquires for name in ("read_lock", "write_lock")], [90, 90])
        self.assertEqual(owners, {"read_lock": "Pages", "write_lock": "Pages"})
        self.assertEqual(searched, 60, "once for each lock")

    def test_waits_are_counted_by_name(self) -> None:
        def attempt() -> None:
            with profiled(0):
                for pages in Pages(), Pages():
                    wait_for(pages.write_lock, pages.write)
                    wait_for(pages.read_lock, pages.read)
                    wait_for(pages.read_lock, pages.read)
                stats = {lock["name"].rpartition(":")[2]: lock for lock in sneck.lock_stats()}
            contended = {name: lock["contended"] for name, lock in stats.items()}
            self.assertEqual(contended, {"write_lock": 2, "read_lock": 4})
            self.assert_close(stats["write_lock"]["wait_ns"], 60 * MS, 0.2)
            self.assert_close(stats["read_lock"]["wait_ns"], 120 * MS, 0.2)

        self.attempts(attempt)

    def test_those_never_found_are_soon_no_longer_looked_for(self) -> None:
        kept: list[Any] = []
        with profiled() as seen:
            before = searches()
            exhaust(map(kept.append, map(make_one, range(100))))
            exhaust(map(take, kept))
            self.assertEqual(searches() - before, 16)
            exhaust(map(take, map(make_one, range(100))))  # these live for a moment; made by the same line, exhaust()'s
            self.assertEqual(searches() - before, 16)
        self.assertEqual(seen.rows.of("").acquires, 200)


if __name__ == "__main__":
    unittest.main()
