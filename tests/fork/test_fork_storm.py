"""Forks at the worst moments: eight threads at 100 %, an upload always under way, every way to end.

Each operation on a lock before a fork is the parent's, once; each child's own is the child's, once.
"""
import unittest

from forking import LONG, Case, of_lock, run_program

FORKS = 1100 if LONG else 200

# Registered before ours, so it runs before ours in the child: the window in which a child has
# no thread of ours yet, made wide.
SLOW_HOOK = """
import os, random, time
os.register_at_fork(after_in_child=lambda: time.sleep(random.choice((0, 0, 0.01))))
"""

STORM = """
    sys.setswitchinterval(0.0005)
    shared, stop, counts = threading.Lock(), threading.Event(), [0] * 8
    own = [threading.Lock() for _ in counts]

    def churn(i):
        while not stop.is_set():
            for _ in range(20):
                with own[i]:
                    pass
                with shared:
                    pass
            counts[i] += 20
            time.sleep(0.002)

    def exits(deeper):
        os._exit(7)

    def execs(deeper):
        os.execv("/bin/sh", ["sh", "-c", "exit 3"])

    def raises(deeper):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        child_lock = threading.Lock()
        use(child_lock, 2)
        raise RuntimeError("as a child may")

    def lives_on(deeper):
        child_lock = threading.Lock()
        use(child_lock, 3)
        if not sneck.flush(LIMIT_S):
            os._exit(99)
        use(child_lock, 2)
        flushed_exit(5)

    def nests(deeper):
        if not deeper:
            os._exit(11)
        child = os.fork()
        if child == 0:
            nests(deeper - 1)
        expect(child, 11 << 8)
        os._exit(11)

    ways = {exits: 7, execs: 3, raises: 1, lives_on: 5, nests: 11}
    threads = [threading.Thread(target=churn, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    children, forks = {}, 0
    while forks < FORKS:
        for way, status in ways.items():
            child = os.fork()
            if child == 0:
                way(5)
            forks += 1 + (5 if way is nests else 0)
            expect(child, status << 8)
            children[child] = way.__name__
    stop.set()
    for thread in threads:
        thread.join()
    uploads = sneck.status()["upload"]["uploads"]
    sneck.stop()
    tell(counts=counts, forks=forks, uploads=uploads, children=children)
"""


class Storm(Case):
    def assert_children(self, told) -> None:
        """Their own samples once, none of the parent's; process ids do not come again in so few forks."""
        expected = {"lives_on": 5, "raises": 2}
        for pid, way in told.truth["children"].items():
            acquires = expected.get(way, 0)
            self.assertEqual(of_lock(told.rows, int(pid), "child_lock"), (acquires, acquires), way)
        for pid, rows in told.rows.items():
            if pid != told.pid:
                self.assertEqual([row.labels["lock name"] for row in rows if row.lock in ("shared", "own[...]")], [])

    def test_every_sample_once_and_every_child_ends(self) -> None:
        told = run_program(STORM.replace("FORKS", str(FORKS)), prelude=SLOW_HOOK,
                           start="capture_pct=100, upload_interval=0.01")
        counts = told.truth["counts"]
        self.assertEqual(told.err, "")
        self.assertGreaterEqual(told.truth["forks"], FORKS)
        self.assertGreater(told.truth["uploads"], 10)
        self.assertEqual(of_lock(told.rows, told.pid, "shared"), (sum(counts), sum(counts)))
        self.assertEqual(of_lock(told.rows, told.pid, "own[...]"), (sum(counts), sum(counts)))
        self.assert_children(told)


if __name__ == "__main__":
    unittest.main()
