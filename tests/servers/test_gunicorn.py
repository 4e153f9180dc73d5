"""gunicorn: every worker's operations arrive under its own pid, each once, and it ends as without."""

import os
import signal
import unittest

from serving import LOCKS, ServerCase, combinations, needs, wait_for

START = "sneck run gunicorn --workers 2 --no-control-socket --bind 127.0.0.1:8000"
GTHREAD = START + " --worker-class gthread --threads 3"
GEVENT = START + " --worker-class gevent --graceful-timeout 20"
UVICORN = START + " --worker-class uvicorn_worker.UvicornWorker"


@needs("gunicorn")
class Gunicorn(ServerCase):
    def each_arrives(self, command: str) -> None:
        server = self.server(command).start().ready()
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)
        self.assert_quiet(server)
        self.assert_merges(server)

    def test_each_worker_arrives(self) -> None:
        for kind in (START, GTHREAD):
            for preload in combinations([" --preload"], ["", " --preload"]):
                with self.subTest(kind=kind, preload=preload):
                    self.each_arrives(kind + preload + " app:app")

    @needs("uvicorn_worker")
    def test_each_uvicorn_worker_arrives(self) -> None:
        for preload in combinations([""], ["", " --preload"]):
            with self.subTest(preload=preload):
                self.each_arrives(UVICORN + preload + " app:asgi")

    # gevent's worker puts locks of gevent's own in the place of threading's: those are not CPython's.
    @needs("gevent")
    def test_each_gevent_worker_arrives(self) -> None:
        for preload in combinations([""], ["", " --preload"]):
            with self.subTest(preload=preload):
                server = self.server(GEVENT + preload + " app:app").start().ready()
                server.get_from(2)
                self.in_flight(server, 1, lambda: server.send(signal.SIGTERM))
                self.assertEqual(server.end(), 0)
                self.assert_truth(server, locks=LOCKS if preload else ("native_lock",), by_thread=False)
                self.assert_quiet(server)

    @needs("gevent")
    def test_status_says_that_gevent_has_replaced_the_locks(self) -> None:
        start, patch = "sneck.start(output='p/', quiet=True)", "gevent.monkey.patch_all()"
        for code, key, said in ((f"{start}; {patch}", "lock_replaced", "gevent"), (f"{patch}; {start}", "lock_refused", "start before it")):
            with self.subTest(code):
                run = self.server(f"""python -c "import gevent.monkey, sneck; {code}; print(sneck.status()['collector']['{key}'])" """)
                self.assertEqual(run.start().process.wait(), 0, run.log())
                self.assertIn(said, run.log())

    def test_an_intake_gets_each_process_under_its_own_name(self) -> None:
        for preload in combinations([" --preload"], ["", " --preload"]):
            server = self.server(GTHREAD + preload + " app:app", intake=self.intake()).start().ready()
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
        server = self.server(GTHREAD + " --preload app:app", SNECK_UPLOAD_INTERVAL="0.5").start().ready()
        workers = server.get_from(2)
        wait_for(lambda: workers <= server.arrived().keys(), "a file of each worker")
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_recycled_workers_are_complete(self) -> None:
        server = self.server(START + " --max-requests 5 app:app").start().ready()
        server.get_from(4)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_requests_in_flight_at_the_end_are_answered(self) -> None:
        server = self.server(GTHREAD + " app:app").start().ready()
        self.in_flight(server, 2, lambda: server.send(signal.SIGTERM))
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_reload_replaces_the_workers(self) -> None:
        server = self.server(GTHREAD + " app:app").start().ready()
        old = server.get_from(2)
        self.in_flight(server, 2, lambda: server.send(signal.SIGHUP))
        wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old), "the end of the old workers")
        wait_for(server.answers, "an answer")
        self.assertFalse(server.get_from(2) & old)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_one_worker_more_and_less(self) -> None:
        server = self.server(START + " app:app").start().ready()
        server.send(signal.SIGTTIN)
        server.get_from(3)
        server.send(signal.SIGTTOU)
        wait_for(lambda: "Worker exiting" in server.log(), "one worker less")
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)


if __name__ == "__main__":
    unittest.main()
