"""What a fork may not cost: descriptors, threads, the parent's period, and waiting for an agent that hangs."""
import contextlib
import os
import statistics
import subprocess
import sys
import time
import unittest
from typing import Iterator

from forking import SANITIZED, Case, Silence, of_lock, often, run_program

COUNT = """
def descriptors():
    return sorted(int(fd) for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}"))

def tasks():
    return len(os.listdir("/proc/self/task"))

def settled(wanted):
    "A thread that ended is counted for a moment longer, one that is asked for comes a moment later."
    until = time.monotonic() + LIMIT_S
    while tasks() != wanted and time.monotonic() < until:
        time.sleep(0.001)
    return tasks()
"""


class Leaks(Case):
    def run_forks(self, forks: int, others: int) -> None:
        told = run_program(COUNT + f"""
stop = threading.Event()
threads = [threading.Thread(target=stop.wait) for _ in range({others})]
for thread in threads:
    thread.start()
lock = threading.Lock()
before = descriptors(), settled({others} + 2)
in_children = set()
hear, say = os.pipe()
before = descriptors(), before[1]
for i in range({forks}):
    child = os.fork()
    if child == 0:
        use(lock, 1)
        os.write(say, b"%d" % (descriptors() == before[0] and settled(2) == 2))
        os._exit(0)
    expect(child, 0)
    in_children.add(os.read(hear, 1))
after = descriptors(), settled({others} + 2)
stop.set()
tell(before=before, after=after, in_children=[flag.decode() for flag in in_children],
     state=sneck.status()["upload"]["state"])
""")
        self.assertEqual(told.truth["after"], told.truth["before"])
        self.assertEqual(told.truth["before"][1], others + 2)
        self.assertEqual(told.truth["in_children"], ["1"])
        self.assertEqual(told.truth["state"], "running")

    def test_none_after_a_thousand_forks_of_a_program_without_threads(self) -> None:
        self.run_forks(1000, 0)

    def test_none_after_forks_among_threads(self) -> None:
        self.run_forks(200, 3)


class Period(Case):
    def check_period(self, others: int) -> None:
        """#14163: a timer that begins anew at each fork never ends in a process that forks often."""
        told = run_program(f"""
            stop, lock, period = threading.Event(), threading.Lock(), 0.5
            for _ in range({others}):
                threading.Thread(target=stop.wait, daemon=True).start()
            began = time.monotonic()
            while time.monotonic() - began < 5 * period:
                use(lock, 1)
                child = os.fork()
                if child == 0:
                    os._exit(0)
                expect(child, 0)
                time.sleep(period / 10)
            status = sneck.status()["upload"]
            tell(periods=(time.monotonic() - began) / period, uploads=status["uploads"])
            """, start="capture_pct=100, upload_interval=0.5")
        periods, uploads = told.truth["periods"], told.truth["uploads"]
        self.assertLessEqual(uploads, periods + 1)
        self.assertGreaterEqual(uploads, 2, f"{periods} periods")
        self.assertAlmostEqual(uploads, periods, delta=2)

    def test_kept_by_a_parent_that_forks_all_the_time(self) -> None:
        self.attempts(lambda: self.check_period(0))
        self.attempts(lambda: self.check_period(2))

# Does what it is told to, and says how long that took.
TIMED = """
import os, subprocess, sys, threading, time
import sneck
lock = threading.Lock()
if "DD_TRACE_AGENT_URL" in os.environ:
    sneck.start(capture_pct=100, upload_interval=0.02)

def fork():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)

def run():
    subprocess.run(["/bin/true"], check=True)

for line in sys.stdin:
    with lock:
        began = time.perf_counter()
    {"fork": fork, "run": run}[line.strip()]()
    print(time.perf_counter() - began, flush=True)
"""


class Timed:
    def __init__(self, **env: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", TIMED], env={**os.environ, **env}, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def seconds(self, what: str) -> float:
        assert self.process.stdin and self.process.stdout
        print(what, file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


@contextlib.contextmanager
def timed(**env: str) -> Iterator[Timed]:
    """Killed at the end, where it would wait for the agent."""
    one = Timed(**env)
    with one.process:
        try:
            yield one
        finally:
            one.process.kill()


class HangingAgent(Case):
    def check_extra(self, what: str, extra_s: float) -> None:
        """With an upload under way, against the same without sneck, in turns."""
        with Silence() as agent, timed() as bare, \
                timed(DD_TRACE_AGENT_URL=agent.url, DD_PROFILING_API_TIMEOUT_MS="60000") as profiled:
            while not agent.accepted:
                profiled.seconds(what)
                time.sleep(0.01)
            pairs = [(bare.seconds(what), profiled.seconds(what)) for _ in range(40)]
        usual_s, took_s = map(statistics.median, zip(*pairs))
        self.assertLess(took_s - usual_s, extra_s, f"{took_s} s, not {usual_s}")

    @unittest.skipIf(SANITIZED, "timed")
    def test_it_adds_less_than_10_ms_to_a_fork_and_to_a_subprocess(self) -> None:
        for what in "fork", "run":
            with self.subTest(what):
                self.attempts(lambda: self.check_extra(what, 0.01))

    def test_neither_forks_nor_children_wait_for_it(self) -> None:
        """#18773, #1414: an upload under way all the time, and to the end of parent and children."""
        agent = Silence()
        self.addCleanup(agent.close)
        told = run_program("""
            import subprocess
            lock, stop = threading.Lock(), threading.Event()

            def churn():
                while not stop.is_set():
                    use(lock, 10)
                    time.sleep(0.001)

            threads = [threading.Thread(target=churn) for _ in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(0.1)
            slow = 0
            for i in range(60):
                began = time.monotonic()
                child = os.fork()
                if child == 0:
                    use(lock, 1) if lock.acquire(timeout=0) and not lock.release() else None
                    if i % 3 == 0:
                        os.execv("/bin/sh", ["sh", "-c", "exit 3"])
                    time.sleep(0.01)
                    os._exit(3)
                expect(child, 3 << 8)
                subprocess.run(["/bin/sh", "-c", "exit 0"], check=True)
                slow += time.monotonic() - began > 5
            stop.set()
            for thread in threads:
                thread.join()
            tell(slow=slow, uploads=sneck.status()["upload"]["uploads"])
            os._exit(0)
            """, start=f"capture_pct=100, {often(0.02)}",
            env={"DD_TRACE_AGENT_URL": agent.url, "DD_PROFILING_API_TIMEOUT_MS": "30000"})
        self.assertEqual((told.truth["slow"], told.truth["uploads"], told.err), (0, 0, ""))
        if not SANITIZED:                           # there uploads are an hour apart: see often()
            self.assertTrue(agent.accepted, "none was ever under way")

    def test_a_child_forked_amid_a_stop_that_waits(self) -> None:
        """Nothing runs there, and it can start anew."""
        agent = Silence()
        self.addCleanup(agent.close)
        told = run_program("""
            lock = threading.Lock()
            use(lock, 2)
            stopper = threading.Thread(target=sneck.stop)
            stopper.start()
            time.sleep(0.01)
            child = os.fork()
            if child == 0:
                for name in [name for name in os.environ if name.startswith("DD_")]:
                    del os.environ[name]
                assert not sneck.status()["running"]
                use(lock, 5)
                sneck.start(output=output, capture_pct=100)
                child_lock = threading.Lock()
                use(child_lock, 3)
                sneck.stop()
                os._exit(0)
            expect(child, 0)
            stopper.join()
            tell(child=child)
            """, env={"DD_TRACE_AGENT_URL": agent.url, "DD_PROFILING_API_TIMEOUT_MS": "1000"})
        self.assertEqual(of_lock(told.rows, told.truth["child"], "child_lock"), (3, 3))


if __name__ == "__main__":
    unittest.main()
