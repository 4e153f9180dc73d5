"""Celery's prefork pool, its broker a folder: what each worker did arrives, though it leaves by os._exit()."""

import os
import signal
import subprocess
import sys
import unittest

from serving import LONG, PATIENCE_S, Server, ServerCase, combinations, needs, wait_for

START = "sneck run celery --app tasks worker --loglevel info --pool prefork"


class Celery(Server):
    """Ready when it says so; asked by putting tasks into its queue."""

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the worker ended with status {self.process.returncode}:\n{self.log()}")
        return " ready." in self.log()

    def ask(self, n: int, task: str = "work") -> "list[int]":
        """The pids that did that many tasks."""
        apart = os.path.join(self.folder, "asking")  # the one who asks is none of the server's processes
        os.makedirs(apart, exist_ok=True)
        env = {**self.env, "TRUTH": apart}
        asked = subprocess.run([sys.executable, "tasks.py", task, str(n)], cwd=self.folder, env=env, text=True,
                               capture_output=True, timeout=10 * PATIENCE_S)
        if asked.returncode:
            raise AssertionError(asked.stderr)
        return [int(pid) for pid in asked.stdout.split()]

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


@needs("celery")
class Prefork(ServerCase):
    def celery(self, command: str, **env: object) -> Celery:
        server = self.server(command, Celery, **env)  # type: ignore[arg-type]
        assert isinstance(server, Celery)
        server.start().ready()
        return server

    def assert_arrives(self, server: Celery) -> None:
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)
        self.assert_quiet(server)

    def test_workers_of_one_task_each(self) -> None:
        n, at_once = (500, 8) if LONG else (5, 2)
        server = self.celery(f"{START} --max-tasks-per-child 1 --concurrency {at_once}")
        threads = server.threads()
        workers = set(server.ask(n))
        self.assertEqual(len(workers), n)
        wait_for(lambda: not workers & set(server.members()), "the end of the workers")
        self.assertLessEqual(server.threads(), threads + 1)
        self.assert_arrives(server)
        self.assert_merges(server)

    def test_workers_that_live_on(self) -> None:
        for options in combinations([], ["", " --without-gossip --without-mingle --without-heartbeat"]):
            with self.subTest(options=options):
                server = self.celery(START + " --concurrency 2" + options)
                server.ask(20)
                self.assert_arrives(server)

    @unittest.skipUnless(LONG, "long")
    def test_a_task_under_way_at_the_end_is_done(self) -> None:
        server = self.celery(START + " --concurrency 2")
        asked = subprocess.Popen([sys.executable, "tasks.py", "slow", "2"], cwd=server.folder,
                                 env={**server.env, "TRUTH": server.folder + "/truth"}, stdout=subprocess.PIPE)
        wait_for(lambda: server.log().count("] received") == 2, "two tasks")
        server.send(signal.SIGTERM)
        self.assertEqual(server.end(), 0)
        asked.communicate(timeout=PATIENCE_S)
        self.assertEqual(server.arrived() and sum(rows.of("slow_lock").acquires for rows in server.arrived().values()), 2)

    def test_term_ends_it_as_soon_as_without_with_one_file_of_each_process(self) -> None:
        """By itself it takes seven seconds, so both end at the same time."""
        def attempt() -> None:
            bare = self.celery(START.replace("sneck run ", "") + " --concurrency 2")
            server = self.celery(START + " --concurrency 2", SNECK_UPLOAD_INTERVAL="3600")
            workers = set(server.members()) - {server.process.pid}
            while not workers <= server.counted().keys():
                server.ask(4)
            bare.send(signal.SIGTERM)
            server.send(signal.SIGTERM)
            self.assertEqual(bare.end(), 0)
            self.assert_ends_soon(server)
            self.assert_one_file_each(server, {server.process.pid, *workers})
        self.attempts(attempt)

    def test_an_intake_gets_each_process_under_its_own_name(self) -> None:
        server = self.celery(START + " --max-tasks-per-child 1 --concurrency 2", intake=self.intake())
        workers = set(server.ask(4))
        wait_for(lambda: not workers & set(server.members()), "the end of the workers")
        self.assert_arrives(server)
        self.assert_identities(server)


if __name__ == "__main__":
    unittest.main()
