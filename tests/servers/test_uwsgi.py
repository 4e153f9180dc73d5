"""uWSGI, which forks in C: every process's operations arrive, each once, with its Python fork hooks and without."""

import itertools
import signal
import unittest

from serving import Server, ServerCase, combinations, needs, wait_for

START = "sneck run uwsgi --http-socket 127.0.0.1:8000 --processes 2 --need-app --disable-logging --die-on-term" \
        " --wsgi-file app.py --callable app"
MASTER = START + " --master"
ENDED = 30  # uWSGI's own status of a process that has no master and was told to end
HOOKS = ["", " --py-call-osafterfork", " --enable-threads --py-call-uwsgi-fork-hooks"]
SWITCHES = [list(one) for one in itertools.product(["", " --lazy-apps"], ["", " --enable-threads"], HOOKS)]


@needs("uwsgi")
class Uwsgi(ServerCase):
    def assert_arrives(self, server: Server, by_thread: bool = True) -> None:
        self.assert_truth(server, by_thread=by_thread)
        self.assert_quiet(server)

    def test_each_process_arrives_under_a_master(self) -> None:
        short = [["", "", ""], ["", " --enable-threads", HOOKS[1]], [" --lazy-apps", "", HOOKS[2]]]
        for switches in combinations(short, SWITCHES):
            with self.subTest(switches=switches):
                server = self.server(MASTER + "".join(switches)).start().ready()
                server.get_from(2)
                self.assertEqual(server.end(), 0)
                self.assert_arrives(server)
                self.assert_merges(server)

    # The first process imports the application, then serves under another thread's name: as its
    # operations are of one period, they are of one name.
    def test_each_process_arrives_without_a_master(self) -> None:
        for switches in combinations([["", "", HOOKS[1]], [" --lazy-apps", " --enable-threads", ""]], SWITCHES):
            with self.subTest(switches=switches):
                server = self.server(START + "".join(switches)).start().ready()
                server.get_from(2)
                server.send_all(signal.SIGTERM)
                self.assertEqual(server.end(), ENDED)
                self.assert_arrives(server, by_thread=False)

    def test_recycled_workers_are_complete(self) -> None:
        for lazy in combinations([""], ["", " --lazy-apps"]):
            server = self.server(MASTER + " --enable-threads --max-requests 5" + lazy).start().ready()
            server.get_from(4)
            self.assertEqual(server.end(), 0)
            self.assert_arrives(server)

    def test_threads_of_a_worker_keep_their_names(self) -> None:
        server = self.server(MASTER + " --enable-threads --threads 3").start().ready()
        server.get_from(2)
        server.get_many(40, at_once=8)
        self.assertEqual(server.end(), 0)
        self.assert_arrives(server)
        self.assertLess(4, len({row.labels["thread name"] for rows in server.arrived().values() for row in rows}))

    def test_what_skips_the_end_of_python_does_not_skip_the_last_profile(self) -> None:
        server = self.server(MASTER + " --skip-atexit-teardown").start().ready()
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_arrives(server)

    def test_without_any_end_the_profiles_of_the_interval_are_there(self) -> None:
        server = self.server(MASTER + " --skip-atexit", SNECK_UPLOAD_INTERVAL="0.3").start().ready()
        workers = server.get_from(2)
        self.in_time(server, workers)
        self.assertEqual(server.end(), 0)
        self.assert_quiet(server)

    def in_time(self, server: Server, workers: "set[int]") -> None:
        """All that was counted until now arrives while it runs."""
        truth = {pid: sum(server.counted()[pid].values()) for pid in workers}
        wait_for(lambda: truth == {pid: rows.acquires for pid, rows in server.arrived().items() if pid in workers},
                 "the workers' profiles")

    # The master becomes a new program under its old pid, without an end of Python's or C's.
    def test_a_reload_keeps_what_its_workers_did(self) -> None:
        server = self.server(MASTER + " --enable-threads").start().ready()
        old = server.get_from(2)
        server.send(signal.SIGHUP)
        wait_for(lambda: not old & set(server.members()), "the end of the old workers")
        wait_for(server.answers, "an answer")
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_truth(server, without={server.process.pid})

    def test_an_intake_gets_each_process_under_its_own_name(self) -> None:
        server = self.server(MASTER + " --enable-threads", intake=self.intake()).start().ready()
        server.get_from(2)
        self.assertEqual(server.end(), 0)
        self.assert_arrives(server)
        self.assert_identities(server)


if __name__ == "__main__":
    unittest.main()
