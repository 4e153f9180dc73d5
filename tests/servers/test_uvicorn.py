"""uvicorn: its workers are spawned, and end by the signal that it puts the default action back for."""

import signal
import unittest

from serving import ServerCase, combinations, needs, wait_for

ONE = "sneck run uvicorn --port 8000 app:asgi"
WORKERS = ONE + " --workers 2"


@needs("uvicorn")
class Uvicorn(ServerCase):
    def test_each_worker_arrives(self) -> None:
        for options in combinations([""], ["", " --loop asyncio --http h11", " --timeout-graceful-shutdown 5"]):
            with self.subTest(options=options):
                server = self.server(WORKERS + options).start().ready()
                server.get_from(2)
                self.assertEqual(server.end(), 0)
                self.assert_truth(server)
                self.assert_quiet(server)
                self.assert_merges(server)

    def test_a_lone_one_ends_by_its_signal_with_its_profile(self) -> None:
        for number in combinations([signal.SIGTERM], [signal.SIGTERM, signal.SIGINT]):
            bare, server = (self.server(command).start().ready() for command in (ONE.replace("sneck run ", ""), ONE))
            server.get_many(20)
            self.assertEqual(server.end(number), bare.end(number))
            self.assert_truth(server)

    def test_requests_in_flight_at_the_end_are_answered(self) -> None:
        server = self.server(WORKERS).start().ready()
        self.in_flight(server, 2, lambda: server.send(signal.SIGTERM))
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_replaced_workers_are_complete(self) -> None:
        server = self.server(WORKERS).start().ready()
        old = server.get_from(2)
        server.send(signal.SIGHUP)
        wait_for(lambda: not old & set(server.members()), "the end of the old workers")
        wait_for(server.answers, "an answer")
        self.assertFalse(server.get_from(2) & old)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)

    def test_an_intake_gets_each_process_under_its_own_name(self) -> None:
        server = self.server(WORKERS, intake=self.intake()).start().ready()
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server)
        self.assert_identities(server)


if __name__ == "__main__":
    unittest.main()
