"""Forks at the worst moments: eight threads at 100 %, an upload always under way, every way to end.

Into files, all can be counted: each operation before a fork is the parent's, once; each child's own
is the child's, once.  To a server that never answers, nobody may wait for it, and nothing may pile up.

SNECK_LONG=1 (make check-long): 10,000 forks each.  SNECK_FORKS says another number.
"""
import os
import statistics
import unittest

from forking import LONG, SANITIZED, Case, Silence, Told, of_lock, often, run_program

FORKS = int(os.environ.get("SNECK_FORKS", 10000 if LONG else 50 if SANITIZED else 120))
LIMIT_S = 3000 if FORKS > 1000 else 250
LIFE_S = 20  # of a child that exits at once: some milliseconds, or the half second that a hook sleeps
LATE = max(50, FORKS // 40)  # one fork in so many has that; it takes 20 s in all at most

# Registered before ours, so that our locks are held for longer in a fork, and a child
# is without what is ours for longer, a late one for half a second.
WIDENER = os.path.join(os.path.dirname(os.environ["PYTHONPATH"].split(os.pathsep)[0]), "tests", "fork", "widen.so")
WIDER = f"""
import ctypes, itertools, os, random, time
ctypes.CDLL({WIDENER!r}).widen_forks(2000)
windows = itertools.count(1)
os.register_at_fork(before=lambda: next(windows),
                    after_in_child=lambda: time.sleep(random.choice((0, 0, 0.01)) if next(windows) % {LATE} else 0.5))
"""

STORM = """
    sys.setswitchinterval(0.0005)
    shared, stop, counts = threading.Lock(), threading.Event(), [0] * 8
    own = [threading.Lock() for _ in counts]

    def churn(i):
        while not stop.is_set():
            for _ in range(10):
                with own[i]:
                    pass
                with shared:
                    pass
            counts[i] += 10
            time.sleep(0.005)

    def exits(deeper):
        os.write(say, b"%.6f\\n" % (time.monotonic() - began))
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
        flushed = sneck.flush(LIMIT_S if ANSWERED else 0.02)
        if flushed != ANSWERED:
            os._exit(99)
        use(child_lock, 2)
        if ANSWERED:
            flushed_exit(5)
        os._exit(5)

    def nests(deeper):
        use(threading.Lock(), 1)
        if not deeper:
            os._exit(11)
        child = os.fork()
        if child == 0:
            nests(deeper - 1)
        expect(child, 11 << 8)
        os._exit(11)

    def own_descriptors():
        "All but those of connections, which come and go."
        links = []
        for fd in os.listdir("/proc/self/fd"):
            try:
                links.append(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
            except OSError:
                pass  # the one that listed them
        return len([link for link in links if link != "socket"]), len(links)

    ways = {exits: 7, execs: 3, raises: 1, lives_on: 5, nests: 11}
    often = 2 * ([exits] * 8 + [nests, execs, nests])
    seldom = {lives_on: 4, raises: 4 if ANSWERED else 20}  # the end of that one waits for the server, as long as it may
    hear, say = os.pipe()
    threads = [threading.Thread(target=churn, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    before, tasks = own_descriptors(), len(os.listdir("/proc/self/task"))
    children, lives, forks, rounds, slowest = {}, [], 0, 0, 0
    try:
        while forks < FORKS:
            born = {}
            for way in often + [way for way, period in seldom.items() if rounds % period == 0]:
                began = time.monotonic()
                child = os.fork()
                if child == 0:
                    way(5)
                slowest = max(slowest, time.monotonic() - began)
                forks += 1 + (5 if way is nests else 0)
                born[child] = ways[way]
                if way in (lives_on, raises):
                    children[child] = way.__name__
            for child, status in born.items():
                expect(child, status << 8)
            lives += map(float, os.read(hear, 1 << 16).split())
            rounds += 1
        after = own_descriptors()
    finally:
        stop.set()  # or a failure would wait for the threads for ever
    for thread in threads:
        thread.join()
    upload = sneck.status()["upload"]
    sneck.stop()
    tell(counts=counts, forks=forks, upload={key: upload[key] for key in ("uploads", "retries", "profiles_lost", "waiting")},
         children=children, descriptors=[before, after], tasks=[tasks, 9 + 1], slowest=slowest, lives=lives)
"""


def storm(answered: bool, start: str, **env: str) -> Told:
    code = STORM.replace("FORKS", str(FORKS)).replace("ANSWERED", str(answered))
    return run_program(code, prelude=WIDER, start=start, env=env, timeout_s=LIMIT_S)


def pace(told: Told) -> str:
    lives = told.truth["lives"]
    return f"slowest os.fork() {told.truth['slowest']:.3f} s; " \
           f"a child that exits lived {statistics.median(lives):.3f} s, the longest {max(lives):.3f} s"


@unittest.skipUnless(os.path.exists(WIDENER), "no tests/fork/widen.so, which make check builds")
class Storm(Case):
    def assert_children(self, told: Told) -> None:
        """Their own samples once, none of the parent's."""
        expected = {"lives_on": 5, "raises": 2}
        for pid, way in told.truth["children"].items():
            acquires = expected[way]
            self.assertEqual(of_lock(told.rows, int(pid), "child_lock"), (acquires, acquires), way)
        for pid, rows in told.rows.items():
            if pid != told.pid:
                self.assertEqual([row.labels["lock name"] for row in rows if row.lock in ("shared", "own[...]")], [])

    def assert_nothing_leaked(self, told: Told) -> None:
        (files_before, _), (files_after, all_after) = told.truth["descriptors"]
        self.assertLessEqual(files_after, files_before + 4, "an upload under way has a few; a leak has one a fork")
        self.assertLess(all_after, files_before + 10)
        self.assertEqual(*told.truth["tasks"])

    def assert_short_lives(self, told: Told) -> None:
        """#11762: a child stands still nowhere between the fork and its exit."""
        lives = told.truth["lives"]
        self.assertGreaterEqual(len(lives), told.truth["forks"] / 4)
        self.assertLess(statistics.median(lives), 1)
        self.assertLess(max(lives), LIFE_S)

    def test_every_sample_once_and_every_child_ends(self) -> None:
        told = storm(True, f"capture_pct=100, {often(0.01)}")
        counts = told.truth["counts"]
        self.assertEqual(told.err, "")
        self.assertGreaterEqual(told.truth["forks"], FORKS)
        self.assertGreaterEqual(told.truth["upload"]["uploads"], 0 if SANITIZED else 10)
        self.assertEqual(of_lock(told.rows, told.pid, "shared"), (sum(counts), sum(counts)))
        self.assertEqual(of_lock(told.rows, told.pid, "own[...]"), (sum(counts), sum(counts)))
        self.assert_children(told)
        self.assert_nothing_leaked(told)
        self.assert_short_lives(told)
        print(f"{told.truth['forks']} forks into files: {sum(counts)} operations exact, {told.truth['upload']}, "
              f"{pace(told)}", flush=True)

    def test_a_server_that_never_answers_holds_nobody_up(self) -> None:
        with Silence() as agent:
            told = storm(False, often(0.02), DD_TRACE_AGENT_URL=agent.url, SNECK_CAPTURE_PCT="100",
                         DD_PROFILING_API_TIMEOUT_MS="300")
            self.assertGreater(len(agent.accepted), 0 if SANITIZED else 3)
        self.assertGreaterEqual(told.truth["forks"], FORKS)
        upload = told.truth["upload"]
        self.assertEqual(upload["uploads"], 0)
        self.assertGreaterEqual(upload["retries"], 0 if SANITIZED else 1)
        self.assertLessEqual(upload["waiting"], 2)
        self.assertLess(told.truth["slowest"], 5)
        self.assertEqual(told.files, {})
        self.assert_nothing_leaked(told)
        self.assert_short_lives(told)
        print(f"{told.truth['forks']} forks, no answer: {upload}, {pace(told)}", flush=True)


if __name__ == "__main__":
    unittest.main()
