"""The truth of semaphores: permits waited for and held known times, by several threads at once, at 1, 10 and 100 %.

What blocks is counted and timed whatever the percentage; what does not is estimated. A hold is its holder's:
who gives another permit back meanwhile has no say in it.
"""

import math
import threading
import time
import unittest

import sneck
from support import MS, Case, profiled

KINDS = (threading.Semaphore, threading.BoundedSemaphore)


def stats_of(name: str) -> dict:
    [entry] = [entry for entry in sneck.lock_stats() if str(entry["name"]).endswith(f":{name}")]
    return entry


class Crowd:
    """Threads that each take a permit so many times, and what they saw themselves."""

    def __init__(self, semaphore, threads: int, rounds: int, hold_s: float, rest_s: float = 0) -> None:
        self.waits_ns: list[int] = []
        self.holds_ns: list[int] = []
        together = threading.Barrier(threads)

        def work() -> None:
            waits, holds = [], []
            together.wait()
            for _ in range(rounds):
                asked = time.perf_counter_ns()
                semaphore.acquire()
                got = time.perf_counter_ns()
                time.sleep(hold_s)
                back = time.perf_counter_ns()
                semaphore.release()
                waits.append(got - asked)
                holds.append(back - got)
                time.sleep(rest_s)
            self.waits_ns += waits
            self.holds_ns += holds

        members = [threading.Thread(target=work, name="of the crowd") for _ in range(threads)]
        for member in members:
            member.start()
        for member in members:
            member.join()


class Blocking(Case):
    """Nine threads and three permits: nearly every acquire has to wait, some of them more than once."""

    threads, permits, rounds, hold_s, rest_s = 9, 3, 15, 0.004, 0.002

    def crowd(self, kind, pct: float) -> None:
        with profiled(pct) as seen:
            permits = kind(self.permits)
            crowd = Crowd(permits, self.threads, self.rounds, self.hold_s, self.rest_s)
            stats = stats_of("permits")
        n, waited = self.threads * self.rounds, [ns for ns in crowd.waits_ns if ns > MS]
        rows = seen.rows.of("permits")
        self.assertGreater(len(waited), n // 2, "nobody had to wait")
        self.assertEqual(stats["kind"], f"threading.{kind.__name__}")
        self.assertLessEqual(abs(stats["contended"] - len(waited)), 2 + n // 50, "contended")
        self.assertEqual(rows.contended, stats["contended"], "all that waited is kept")
        self.assert_close(stats["wait_ns"], sum(waited), 0.03, "exact wait")
        free, mean = n - stats["contended"], 100 / pct
        three_sigma = 3 * math.sqrt(free * (mean - 1)) + 0.5
        self.assertLessEqual(abs(rows.acquires - n), three_sigma, "acquires")
        self.assertLessEqual(abs(stats["acquires"] - n), three_sigma, "acquires in lock_stats()")
        self.assert_close(rows.wait_ns, sum(waited), 0.03 + three_sigma / n, "estimated wait")
        self.assertEqual(rows.releases, rows.acquires, "each its own hold")
        self.assert_close(rows.hold_ns, sum(crowd.holds_ns), 0.05 + three_sigma / n, "hold")

    def test_every_wait_is_counted_once_and_timed(self) -> None:
        for kind in KINDS:
            for pct in (1, 10, 100):
                with self.subTest(kind=kind.__name__, pct=pct):
                    self.attempts(lambda: self.crowd(kind, pct))


class Free(Case):
    """As many permits as threads: nobody waits, everybody holds at the same time."""

    threads, rounds, hold_s = 6, 300, 0.0003

    def estimate(self, kind, pct: float) -> None:
        with profiled(pct) as seen:
            permits = kind(self.threads)
            crowd = Crowd(permits, self.threads, self.rounds, self.hold_s)
        rows, n, mean = seen.rows.of("permits"), self.threads * self.rounds, 100 / pct
        three_sigma = 3 * math.sqrt(n * (mean - 1)) + 0.02 * n
        self.assertLessEqual(abs(rows.acquires - n), three_sigma, "acquires")
        self.assertEqual(rows.releases, rows.acquires, "releases")
        truth = sum(crowd.holds_ns)
        spread = math.sqrt(sum(ns * ns for ns in crowd.holds_ns) * (mean - 1))
        self.assertLessEqual(abs(rows.hold_ns - truth), 3 * spread + 0.05 * truth,
                             f"{rows.hold_ns / truth:.3f} of the hold")

    def test_a_hold_lasts_until_its_own_holder_ends_it(self) -> None:
        for kind in KINDS:
            for pct in (5, 20, 100):
                with self.subTest(kind=kind.__name__, pct=pct):
                    self.attempts(lambda: self.estimate(kind, pct))


class Exact(Case):
    """At 100 % and without a budget nothing is left to chance."""

    def test_two_holders_have_each_their_own_hold(self) -> None:
        def hold(seconds: float, truth: list[int]) -> None:
            with pair:
                began = time.perf_counter_ns()
                time.sleep(seconds)
                truth.append(time.perf_counter_ns() - began)

        def attempt() -> None:
            nonlocal pair
            truths: list[list[int]] = [[], []]
            with profiled() as seen:
                pair = threading.Semaphore(2)
                threads = [threading.Thread(target=hold, args=(seconds, truth), name=str(seconds))
                           for seconds, truth in zip((0.3, 0.1), truths)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            for thread, [truth] in zip(threads, truths):
                self.assert_close(seen.rows.of("pair", thread_name=thread.name).hold_ns, truth, 0.02, thread.name)

        pair = None
        self.attempts(attempt)

    def test_one_thread_may_hold_several(self) -> None:
        def attempt() -> None:
            with profiled() as seen:
                several = threading.Semaphore(3)
                for _ in range(3):
                    several.acquire()
                    time.sleep(0.03)
                for _ in range(3):
                    several.release()
            rows = seen.rows.of("several")
            self.assertEqual((rows.acquires, rows.releases, rows.contended), (3, 3, 0))
            self.assert_close(rows.hold_ns, (90 + 60 + 30) * MS, 0.05, "three holds")

        self.attempts(attempt)

    def test_several_permits_given_back_at_once_end_as_many_holds(self) -> None:
        rounds = 10

        def attempt(kind, pct: float) -> None:
            truth_ns = 0
            with profiled(pct) as seen:
                block = kind(2)
                for _ in range(rounds):
                    block.acquire()
                    block.acquire()
                    began = time.perf_counter_ns()
                    time.sleep(0.01)
                    truth_ns += 2 * (time.perf_counter_ns() - began)
                    block.release(2)
                self.assertEqual(sneck.status()["collector"]["holds"], 0)
            rows = seen.rows.of("block")
            self.assertEqual(rows.releases, rows.acquires)
            if pct == 100:
                self.assertEqual(rows.releases, 2 * rounds)
                self.assert_close(rows.hold_ns, truth_ns, 0.05, "holds")

        for kind in KINDS:
            for pct in (50, 100):
                with self.subTest(kind=kind.__name__, pct=pct):
                    self.attempts(lambda: attempt(kind, pct))

    def test_a_release_of_too_many_ends_no_hold(self) -> None:
        with profiled() as seen:
            bounded = threading.BoundedSemaphore(2)
            for _ in range(2):
                bounded.acquire()
            for n in (3, 2**70):
                self.assertRaises(ValueError, bounded.release, n)
            self.assertEqual(sneck.status()["collector"]["holds"], 2)
            bounded.release(n=2)
        self.assertEqual((seen.rows.of("bounded").acquires, seen.rows.of("bounded").releases), (2, 2))

    def test_a_permit_given_back_by_another_thread(self) -> None:
        def attempt() -> None:
            with profiled() as seen:
                handed = threading.Semaphore(1)
                handed.acquire()
                time.sleep(0.05)
                helper = threading.Thread(target=handed.release)
                helper.start()
                helper.join()
            rows = seen.rows.of("handed")
            self.assertEqual((rows.acquires, rows.releases), (1, 1))
            self.assert_close(rows.hold_ns, 50 * MS, 0.1, "its hold")

        self.attempts(attempt)

    def test_failures_wait_and_are_no_acquires(self) -> None:
        def attempt() -> None:
            with profiled() as seen:
                none_left = threading.Semaphore(0)
                self.assertFalse(none_left.acquire(timeout=0.05))
                self.assertFalse(none_left.acquire(blocking=False))
                stats = stats_of("none_left")
            rows = seen.rows.of("none_left")
            self.assertEqual((rows.acquires, rows.failed, rows.contended), (0, 2, 1))
            self.assertEqual(rows.of(outcome="timeout").failed, 1)
            self.assertEqual(rows.of(outcome="would-block").failed, 1)
            self.assert_close(rows.of(outcome="timeout").wait_ns, 50 * MS, 0.05, "the wait")
            self.assertEqual((stats["acquires"], stats["contended"]), (0, 1))
            self.assert_close(stats["wait_ns"], 50 * MS, 0.05, "the exact wait")

        self.attempts(attempt)

    def test_at_0_percent_those_that_wait_are_all_there_is(self) -> None:
        def attempt() -> None:
            with profiled(0) as seen:
                gate = threading.Semaphore(1)
                gate.acquire()
                threading.Timer(0.05, gate.release).start()
                gate.acquire()
                gate.release()
                stats = stats_of("gate")
            rows = seen.rows.of("gate")
            self.assertEqual((rows.acquires, rows.contended, rows.releases), (1, 1, 1))
            self.assertEqual((stats["acquires"], stats["contended"]), (1, 1))
            self.assert_close(rows.wait_ns, 50 * MS, 0.1, "the wait")

        self.attempts(attempt)


class Kinds(Case):
    def test_a_semaphore_is_of_its_own_class(self) -> None:
        class Pool(threading.BoundedSemaphore):
            pass

        with profiled() as seen:
            plain, bounded, pool = threading.Semaphore(), threading.BoundedSemaphore(), Pool()
            for each in plain, bounded, pool:
                with each:
                    pass
        for name, kind in (("plain", "Semaphore"), ("bounded", "BoundedSemaphore"), ("pool", "BoundedSemaphore")):
            rows = seen.rows.of(name, lock_kind=f"threading.{kind}")
            self.assertEqual((rows.acquires, rows.releases), (1, 1), (name, seen.rows.of(name)))

    def test_one_line_may_make_both(self) -> None:
        def make(kind):
            both = kind()
            return both

        for kinds in KINDS, KINDS[::-1]:
            with profiled() as seen:
                for each in [make(kind) for kind in kinds * 2]:
                    with each:
                        pass
            for kind in kinds:
                rows = seen.rows.of("both", lock_kind=f"threading.{kind.__name__}")
                self.assertEqual((rows.acquires, rows.releases), (2, 2), (kind, seen.rows.of("both")))


class Strangers(Case):
    """Below 100 % nobody knows whose permit a thread gives back that was not seen to take one."""

    def test_a_signal_leaves_no_false_holds(self) -> None:
        """One thread only takes, another only gives: there are acquires, but no holds to be made up."""
        n = 20_000
        with profiled(10) as seen:
            signal = threading.Semaphore(n)

            def take() -> None:
                for _ in range(n):
                    signal.acquire()

            taker = threading.Thread(target=take)
            taker.start()
            taker.join()
            for _ in range(n):
                signal.release()
            holds = sneck.status()["collector"]["holds"]
            lost = sneck.status()["stats"]["holds_lost"]
        rows = seen.rows.of("signal")
        self.assertLessEqual(abs(rows.acquires - n), 3 * math.sqrt(n * 9))
        self.assertEqual((rows.releases, rows.hold_ns), (0, 0))
        self.assertLessEqual(holds, 8, "they are bounded")
        self.assertGreater(lost, n // 20, "and what was given up is counted")


if __name__ == "__main__":
    unittest.main()
