"""gunicorn: every worker's operations arrive under its own pid, each once, and it ends as without."""

import concurrent.futures
import contextlib
import http.client
import statistics
import threading
import time
import unittest
from typing import Iterator

from serving import SOON_S, Server, ServerCase, combinations, needs, wait_for

from behaviour import Behaviour
from worker_classes import GEVENT, GTHREAD, START, SYNC, UVICORN, WorkerClass

PRELOAD = [False, True]


@needs("gunicorn")
class Gunicorn(ServerCase):
    def each_arrives(self, worker: WorkerClass, preload: bool) -> None:
        server = self.server(worker.command(preload)).start().ready()
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server, worker.locks(preload), worker.by_thread)
        self.assert_quiet(server)
        self.assert_merges(server, worker.locks(preload))

    def test_each_worker_arrives(self) -> None:
        for worker in (SYNC, GTHREAD):
            for preload in combinations([True], PRELOAD):
                with self.subTest(worker=worker.options, preload=preload):
                    self.each_arrives(worker, preload)

    def test_each_worker_of_a_package_arrives(self) -> None:
        for worker in (UVICORN, GEVENT):
            for preload in combinations([False], PRELOAD):
                with self.subTest(worker=worker.options, preload=preload):
                    self.skip_without(worker.needs)
                    self.each_arrives(worker, preload)

    @needs("gevent")
    def test_status_says_that_gevent_has_replaced_the_locks(self) -> None:
        start, patch = "sneck.start(output='p/', quiet=True)", "gevent.monkey.patch_all()"
        for code, key, said in ((f"{start}; {patch}", "lock_replaced", "gevent"), (f"{patch}; {start}", "lock_refused", "start before it")):
            with self.subTest(code):
                run = self.server(f"""python -c "import gevent.monkey, sneck; {code}; print(sneck.status()['collector']['{key}'])" """)
                self.assertEqual(run.start().process.wait(), 0, run.log())
                self.assertIn(said, run.log())

    def test_an_intake_gets_each_process_under_its_own_name(self) -> None:
        for preload in combinations([True], PRELOAD):
            server = self.server(GTHREAD.command(preload), intake=self.intake()).start().ready()
            server.get_from(2)
            self.assertEqual(server.end(), 0)
            self.assert_truth(server)
            self.assert_identities(server)

    def test_import_in_the_configuration_is_enough(self) -> None:
        server = self.server(START.replace("sneck run ", "") + " --config conf.py app:app")
        server.write("conf.py", "import sneck.auto\n")
        server.start().ready().get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)
        self.assert_quiet(server)

    def test_a_workers_file_comes_at_the_interval_while_it_runs(self) -> None:
        server = self.server(GTHREAD.command(preload=True), SNECK_UPLOAD_INTERVAL="0.5").start().ready()
        workers = server.get_from(2)
        wait_for(lambda: workers <= server.arrived().keys(), "a file of each worker")
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_recycled_workers_are_complete(self) -> None:
        server = self.server(START + " --max-requests 5 app:app").start().ready()
        server.get_from(4)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_term_ends_it_soon_with_one_file_of_each_process(self) -> None:
        def attempt() -> None:
            server = self.server(START + " app:app", SNECK_UPLOAD_INTERVAL="3600").start().ready()
            workers = server.get_from(2)
            self.assert_ends_soon(server)
            self.assert_one_file_each(server, {server.process.pid, *workers})
        self.attempts(attempt)

    def test_a_worker_killed_tears_no_file(self) -> None:
        server = self.server(GTHREAD.command(), SNECK_UPLOAD_INTERVAL="0.1").start().ready()
        with asking(server):
            for _ in range(5):
                newest = max(server.get_from(2))
                wait_for(lambda: newest in server.arrived(), "a file of the worker")
                server.kill(newest)
        server.ready()
        self.assertEqual(server.end(), 0)
        self.assert_truth(server, without=server.killed)  # which reads every file whole

    def test_an_agent_that_hangs_delays_no_request_and_the_end_for_a_while_alone(self) -> None:
        """Workers wait for it at once, the master after them, each as long as one try may take, or 3 s."""
        try_s, agent = 1, self.intake()
        agent.behave(Behaviour(how="hang"))
        hanging = self.server(START + " app:app", intake=agent, SNECK_UPLOAD_INTERVAL="0.2",
                              DD_PROFILING_API_TIMEOUT_MS=str(1000 * try_s)).start().ready()
        bare = self.server(START.replace("sneck run ", "") + " app:app").start().ready()
        wait_for(lambda: len(agent.uploads) >= 2 and hanging.get(), "uploads under way")

        def attempt() -> None:
            usual_s, took_s = map(statistics.median, zip(*[(seconds_of(bare), seconds_of(hanging)) for _ in range(50)]))
            self.assertLess(took_s - usual_s, 0.01)
        self.attempts(attempt)
        self.assertEqual(bare.end(), 0)
        began = time.monotonic()
        self.assertEqual(hanging.end(), 0, hanging.log())
        self.assertLess(time.monotonic() - began, 2 * try_s + SOON_S, hanging.log())
        self.assertNotIn("SIGKILL", hanging.log())


def seconds_of(server: Server) -> float:
    began = time.monotonic()
    server.get()
    return time.monotonic() - began


@contextlib.contextmanager
def asking(server: Server) -> Iterator[None]:
    """Requests all the time; those of a worker that is killed have no answer."""
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                server.get()

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for _ in range(2):
            pool.submit(ask)
        try:
            yield
        finally:
            over.set()


if __name__ == "__main__":
    unittest.main()
