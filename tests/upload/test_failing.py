"""Whatever the server does: the program goes on as without us, memory stays bounded, and what can arrive later does."""
# Interpreters: two

import concurrent.futures
import os
import signal
import sys
import tempfile
import time
import unittest
from typing import Any, Callable

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

import certificates  # noqa: E402
import support  # noqa: E402
from behaviour import Behaviour  # noqa: E402
from intake import Intake  # noqa: E402
from program import Ended, Program  # noqa: E402

LONG = bool(os.environ.get("SNECK_LONG"))
MIB = 1 << 20
ROUNDS = 2000
SUM = 4 * sum(range(ROUNDS))


def agent(intake: Intake, **more: str) -> dict[str, str]:
    return {"DD_TRACE_AGENT_URL": intake.url, "DD_PROFILING_API_TIMEOUT_MS": "1000", **more}


class Case(support.Case):
    def each(self, cases: list[Any], test: Callable[[Any], None]) -> None:
        """All at once, as they wait most of the time; every failure is shown."""
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            futures = [(case, pool.submit(test, case)) for case in cases]
            for case, future in futures:
                with self.subTest(case=case):
                    future.result()

    def quiet_enough(self, ended: Ended, *wanted: str) -> None:
        """One line a minute at most, with these words in it."""
        lines = ended.err.splitlines()
        self.assertTrue(1 <= len(lines) <= 1 + ended.lived // 60, ended.err)
        for word in wanted:
            self.assertIn(word, lines[0])


class Refused(Case):
    """What another try would not mend is lost, said once with what to do, and counted."""

    def test_is_said_once_and_counted_and_the_next_one_arrives(self) -> None:
        self.each([(400, "sneck"), (403, "DD_API_KEY"), (404, "7.20"), (413, "ften")], self.refused)

    def refused(self, case: tuple[int, str]) -> None:
        status, remedy = case
        with Intake() as intake, Program(agent(intake)) as program:
            intake.behave(Behaviour(status, body="the server's own words"))
            for lost in range(1, 4):
                program("use", 5)
                program("flush")
                self.assertEqual((program.upload["profiles_lost"], program.upload["waiting"]), (lost, 0))
            self.assertIn(str(status), program.upload["last_error"])
            self.assertEqual(len(intake.uploads), 3)        # none of them tried again
            intake.behave()
            program("use", 7)
            program("flush")
            arrived, = intake.accepted()
            self.assertEqual(arrived.rows.of("counted").acquires, 7)
            self.assertEqual(arrived.event["internal"]["profiles_lost"], 3)
            ended = program.end(3)
        self.assertEqual((ended.status, intake.violations()), (3, []))
        self.quiet_enough(ended, str(status), remedy)


class Retried(Case):
    """What may mend itself is tried again, and arrives as it was."""

    def test_arrives_when_the_server_is_well_again(self) -> None:
        ways = [Behaviour(429), Behaviour(500), Behaviour(503), Behaviour(408)]
        ways += [Behaviour(how=how) for how in ("reset-at-once", "reset-midway", "reset", "close", "hang", "mute",
                                                "garbage", "drop-halfway")]
        self.each(ways, self.again)

    def again(self, behaviour: Behaviour) -> None:
        with Intake() as intake, Program(agent(intake)) as program:
            intake.behave(behaviour)
            program("use", 50)
            program("flush")
            upload = program.upload
            self.assertEqual((upload["waiting"], upload["profiles_lost"], upload["uploads"]), (1, 0, 0))
            self.assertEqual(program("sums", ROUNDS), SUM)
            program("use", 1)
            intake.behave()
            program.until(lambda upload: upload["uploads"] >= 1, "sent again")
            arrived = intake.wait(1, where=lambda upload: upload.accepted)[0]
            self.assertEqual(arrived.rows.of("counted").acquires, 50)
            ended = program.end(3)
            self.assertEqual(sum(upload.rows.of("counted").acquires for upload in intake.accepted()), 51)
        self.assertEqual((ended.status, intake.violations()), (3, []))
        self.quiet_enough(ended, "tried again")

    def test_a_server_that_was_gone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for intake in Intake(), Intake(unix=os.path.join(folder, "apm.socket")):
                with self.subTest(intake=intake.url), intake, Program(agent(intake)) as program:
                    intake.close()
                    program("use", 50)
                    program("flush")
                    self.assertEqual(program.upload["waiting"], 1)
                    intake.open()
                    self.assertEqual(intake.wait(1)[0].rows.of("counted").acquires, 50)
                    self.quiet_enough(program.end(), "tried again")

    def test_waits_as_long_as_the_server_wishes(self) -> None:
        with Intake() as intake, Program(agent(intake)) as program:
            intake.once(Behaviour(429, headers={"Retry-After": "4"}))
            program("use", 50)
            program("flush")
            first, second = intake.wait(2)
            self.assertGreaterEqual(second.arrived - first.arrived, 4)
            self.assertEqual((second.accepted, second.body == first.body or second.rows == first.rows), (True, True))
            program.end()

    def test_keeps_two_at_most_and_counts_the_others(self) -> None:
        with Intake() as intake, Program(agent(intake)) as program:
            intake.behave(Behaviour(503))
            for at in range(6):
                program("use", 1 << at)
                program("flush")
            upload = program.upload
            self.assertEqual((upload["waiting"], upload["profiles_lost"]), (2, 4))
            intake.behave()
            program("use", 64)
            program("flush")
            program.until(lambda upload: not upload["waiting"], "empty")
            program("use", 128)
            self.quiet_enough(program.end(), "503")
            arrived = intake.accepted()
        counts = [upload.rows.of("counted").acquires for upload in arrived]
        # the seventh displaces the fifth, unless a try of its own came first
        self.assertIn(counts, ([32, 64, 128], [16, 32, 64, 128]))
        self.assertEqual(arrived[-1].event["internal"]["profiles_lost"], 8 - len(counts))
        self.assertEqual(intake.violations(), [])


class Answers(Case):
    """An answer that came is believed by its status, whatever else is wrong with it."""

    def test_strange_answers_count(self) -> None:
        self.each([Behaviour(202), Behaviour(200, how="too-long", body="{}"), Behaviour(200, how="too-short", body="{}"),
                   Behaviour(200, how="huge"), Behaviour(200, how="trickle", delay_s=0.005)], self.sent)

    def sent(self, behaviour: Behaviour) -> None:
        with Intake() as intake, Program(agent(intake)) as program:
            intake.behave(behaviour)
            program("use", 50)
            before = program("peak")
            program("flush")
            self.assertEqual((program.upload["uploads"], program.upload["waiting"]), (1, 0))
            self.assertLess(program("peak") - before, 32 * MIB)
            ended = program.end()
        self.assertEqual((ended.status, ended.err, len(intake.uploads)), (0, "", 1))

    def test_an_answer_before_the_body_was_read(self) -> None:
        with Intake() as intake, Program(agent(intake)) as program:
            intake.behave(Behaviour(413, how="early"))
            program("variety", 5000)
            program("flush")
            upload = program.until(lambda upload: upload["profiles_lost"] or upload["waiting"], "noted")
            self.assertIn("413" if upload["profiles_lost"] else "127.0.0.1", upload["last_error"])
            intake.behave()
            program("use", 3)
            program("flush")
            self.assertEqual(intake.accepted()[-1].rows.of("counted").acquires % 5000, 3)
            self.assertEqual(program.end().status, 0)


class Certificates(Case):
    def test_bad_ones_are_refused(self) -> None:
        if not certificates.available():
            self.skipTest("no openssl command here")
        self.each(["wrong-host", "self-signed", "expired", "not trusted"], self.bad)

    def bad(self, kind: str) -> None:
        with Intake(tls="good" if kind == "not trusted" else kind) as intake:
            trust = {} if kind == "not trusted" else {"SNECK_CA_FILE": intake.ca}
            with Program(agent(intake, DD_API_KEY="f00d" * 8, DD_PROFILING_API_TIMEOUT_MS="60000", **trust)) as program:
                program("use", 50)
                program("flush")
                upload = program.upload
                self.assertEqual((upload["uploads"], intake.uploads), (0, []))
                self.assertRegex(upload["last_error"].lower(), "certificate|ssl")
                ended = program.end(3)
        self.assertEqual((ended.status, intake.uploads), (3, []))
        self.quiet_enough(ended, "certificate")


class Ending(Case):
    """A program ends in time, by the same status, whatever its upload hangs on."""

    WAYS: dict[str, tuple[dict[str, Any], int]] = {
        "exit": ({}, 3),
        "return": ({"word": "return"}, 0),
        "C's exit": ({"word": "exit_of_c"}, 3),
        "os._exit": ({"word": "exit_of_os"}, 3),
        "SIGTERM": ({"by": signal.SIGTERM}, -signal.SIGTERM),
        "SIGINT": ({"by": signal.SIGINT}, -signal.SIGINT),
    }

    def test_each_way_to_end_during_an_upload_that_hangs(self) -> None:
        cases = [("hang", way) for way in self.WAYS]
        cases += [(how, way) for how in ("mute", "not accepting", "trickle") for way in ("exit", "SIGTERM")]
        self.each(cases, self.hanging)

    def hanging(self, case: tuple[str, str]) -> None:
        how, way = case
        words, status = self.WAYS[way]
        with Intake() as intake:
            if how == "not accepting":
                intake.stop_accepting()
            else:
                intake.behave(Behaviour(how=how, delay_s=3600 if how == "trickle" else 0))
            env = agent(intake, DD_PROFILING_API_TIMEOUT_MS="600000", DD_PROFILING_UPLOAD_INTERVAL="0.2")
            with Program(env) as program:
                program("use", 50)
                time.sleep(1)                       # an upload is under way
                self.assertEqual(program("sums", ROUNDS), SUM)
                ended = program.end(3, **words)
            self.assertEqual(ended.status, status)
            self.assertLess(ended.seconds, 3 + 10)  # the bound, and a machine that has more to do
            ours = [line for line in ended.err.splitlines() if line.startswith("sneck:")]
            self.assertLessEqual(len(ours), 1, ended.err)
            if way in ("exit", "return", "C's exit", "SIGINT"):      # none of them goes on before our thread has given up
                self.assertIn("given up at the program's end", ended.err)
            if way != "SIGINT":                                     # Python's own traceback
                self.assertEqual(ended.err.splitlines(), ours)


class Memory(Case):
    @unittest.skipIf(os.environ.get("SNECK_SANITIZED"), "the sanitizer keeps what is freed, to see who uses it")
    def test_is_bounded_with_a_dead_agent(self) -> None:
        """The peak no longer grows once the profiles that are kept have been there."""
        stacks, periods = (100_000, 12) if LONG else (10_000, 10)
        with Intake() as intake:
            intake.close()
            with Program(agent(intake, SNECK_PROFILE_MAX_ROWS=str(2 * stacks), SNECK_PROFILE_MAX_BYTES=str(256 * MIB))) as program:
                peaks = []
                for _ in range(periods):
                    program("variety", stacks)
                    program("flush")
                    peaks.append(program("peak"))
                upload = program.upload
                self.assertEqual((upload["waiting"], upload["profiles_lost"]), (2, periods - 2))
                self.assertEqual(upload["samples_overflowed"], 0)
                settled = peaks[periods // 2 - 1]
                self.assertLess(peaks[-1] - settled, 4 * MIB, peaks)
                ended = program.end()
        self.assertEqual(ended.status, 0)
        self.assertLessEqual(len(ended.err.splitlines()), 1 + ended.lived // 60)


if __name__ == "__main__":
    unittest.main()
