"""gunicorn's signals in every worker class, preloaded or not: requests in flight are answered, and nothing is lost."""

import itertools
import os
import signal
import unittest
from typing import Callable

from serving import Server, ServerCase, combinations, needs, wait_for
from worker_classes import GEVENT, GTHREAD, SYNC, UVICORN, WorkerClass

SHORT = [(SYNC, False), (GTHREAD, True), (GEVENT, False), (UVICORN, True)]
ALL = list(itertools.product((SYNC, GTHREAD, GEVENT, UVICORN), (False, True)))


@needs("gunicorn")
class Signals(ServerCase):
    def in_each_class(self, check: Callable[[Server, WorkerClass], None]) -> None:
        for worker, preload in combinations(SHORT, ALL):
            with self.subTest(worker=worker.options, preload=preload):
                self.skip_without(worker.needs)
                server = self.server(worker.command(preload)).start().ready()
                check(server, worker)
                self.assertEqual(server.end(), 0)
                self.assert_truth(server, worker.locks(preload), worker.by_thread)
                self.assert_quiet(server)

    def send_amid_requests(self, server: Server, worker: WorkerClass, number: int) -> None:
        self.in_flight(server, worker.slow_requests, lambda: server.send(number))

    def test_term_ends_it_when_requests_are_answered(self) -> None:
        def check(server: Server, worker: WorkerClass) -> None:
            server.get_from(2)
            self.send_amid_requests(server, worker, signal.SIGTERM)

        self.in_each_class(check)

    def test_hup_replaces_the_workers(self) -> None:
        def check(server: Server, worker: WorkerClass) -> None:
            old = server.get_from(2)
            self.send_amid_requests(server, worker, signal.SIGHUP)
            wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old), "the end of the old workers")
            wait_for(server.answers, "an answer")
            self.assertFalse(server.get_from(2) & old)

        self.in_each_class(check)

    def test_ttin_and_ttou_make_it_one_worker_more_and_less(self) -> None:
        def check(server: Server, worker: WorkerClass) -> None:
            self.send_amid_requests(server, worker, signal.SIGTTIN)
            server.get_from(3)
            self.send_amid_requests(server, worker, signal.SIGTTOU)
            wait_for(lambda: len(server.members()) == 1 + 2, "one worker less")

        self.in_each_class(check)


if __name__ == "__main__":
    unittest.main()
