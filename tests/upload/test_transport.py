"""Variables alone make a program upload, to each kind of server; and whatever that does, the program is well."""
# Interpreters: two

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from typing import Any, NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import certificates  # noqa: E402
from behaviour import Behaviour  # noqa: E402
from intake import Intake  # noqa: E402

LOCKS = """
import json, sys, threading
import sneck.auto, sneck
user_lock = threading.Lock()
def work(times):
    for _ in range(times):
        with user_lock:
            pass
"""
TELL = """
status = sneck.status()
print(json.dumps({"upload": status["upload"], "options": status["options"]}))
"""
KEY = "0123456789abcdef0123456789abcdef"
ALONE = ("SNECK_", "DD_", "PYROSCOPE_", "SSL_")     # what the machine says is not for these tests


class Ended(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float
    folder: list[str]


class Case(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = held.name
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ALONE)}
        self.env.update(SNECK_CAPTURE_PCT="100", SNECK_UPLOAD_INTERVAL="3600", PYTHONDONTWRITEBYTECODE="1")

    def begin(self, code: str, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen([sys.executable, "-c", LOCKS + textwrap.dedent(code)], cwd=self.folder, text=True,
                                env={**self.env, **variables}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def end(self, child: "subprocess.Popen[str]", began: float) -> Ended:
        out, err = child.communicate(timeout=120)
        return Ended(child.returncode, out, err, time.monotonic() - began, os.listdir(self.folder))

    def run_program(self, code: str = "work(40)\n", **variables: str) -> Ended:
        began = time.monotonic()
        return self.end(self.begin(code, **variables), began)

    def assert_quiet(self, ended: Ended) -> None:
        self.assertEqual((ended.status, ended.err), (0, ""))

    def assert_arrived(self, intake: Intake, kind: str, acquires: int = 40) -> Any:
        upload, = intake.wait(1)
        self.assertEqual(upload.violations, [])
        self.assertEqual(upload.kind, kind)
        if kind != "pyroscope":
            self.assertEqual(upload.rows.of("user_lock").acquires, acquires)
        return upload


class Servers(Case):
    """Each by its variables."""

    def test_agent_by_url(self) -> None:
        with Intake() as intake:
            ended = self.run_program("work(40)" + TELL, DD_TRACE_AGENT_URL=intake.url, DD_SERVICE="shop", DD_ENV="test")
            self.assert_quiet(ended)
            upload = self.assert_arrived(intake, "agent")
            self.assertEqual((upload.tags["service"], upload.tags["env"]), ("shop", "test"))
            self.assertNotIn("dd-api-key", upload.headers)
            self.assertEqual(ended.folder, [])
            status = json_of(ended)["upload"]
            self.assertEqual((status["sink"], status["why"]), ("Datadog agent", "DD_TRACE_AGENT_URL is set"))
            self.assertIn(f"127.0.0.1:{intake.port}", status["target"])

    def test_agent_by_host_and_port(self) -> None:
        with Intake() as intake:
            self.assert_quiet(self.run_program(DD_AGENT_HOST="127.0.0.1", DD_TRACE_AGENT_PORT=str(intake.port)))
            self.assert_arrived(intake, "agent")

    def test_agent_by_unix_socket(self) -> None:
        with Intake(unix=os.path.join(self.folder, "apm.socket")) as intake:
            self.assert_quiet(self.run_program(DD_TRACE_AGENT_URL=intake.url))
            self.assertEqual(self.assert_arrived(intake, "agent").transport, "unix")

    @unittest.skipUnless(certificates.available(), "no openssl command")
    def test_intake_without_an_agent(self) -> None:
        with Intake(tls="good") as intake:
            ended = self.run_program("work(40)" + TELL, DD_PROFILING_AGENTLESS="true", DD_API_KEY=KEY,
                                     SNECK_INTAKE_URL=intake.url + "/api/v2/profile", SSL_CERT_FILE=intake.ca)
            self.assert_quiet(ended)
            upload = self.assert_arrived(intake, "agentless")
            self.assertEqual(upload.headers["dd-api-key"], KEY)
            self.assertIn("host", upload.tags)
            self.assertNotIn(KEY, ended.out)
            told = json_of(ended)
            self.assertEqual(told["upload"]["sink"], "Datadog intake")
            self.assertEqual(told["options"]["api_key"]["value"], "***")

    @unittest.skipUnless(certificates.available(), "no openssl command")
    def test_certificates_that_no_client_may_take(self) -> None:
        for kind in certificates.KINDS[1:]:
            with self.subTest(kind), Intake(tls=kind) as intake:
                ended = self.run_program(DD_TRACE_AGENT_URL=intake.url, SSL_CERT_FILE=intake.ca)
                self.assertEqual(ended.status, 0)
                self.assertEqual(len(ended.err.splitlines()), 1, ended.err)
                self.assertIn("certificate", ended.err)
                self.assertEqual(intake.found(lambda upload: bool(upload.path)), [])

    def test_pyroscope(self) -> None:
        with Intake() as intake:
            ended = self.run_program("work(40)" + TELL, PYROSCOPE_SERVER_ADDRESS=intake.url, PYROSCOPE_AUTH_TOKEN=KEY,
                                     PYROSCOPE_TENANT_ID="us", PYROSCOPE_LABELS="team=a,zone=b", DD_ENV="test",
                                     PYROSCOPE_APPLICATION_NAME="shop")
            self.assert_quiet(ended)
            self.assertNotIn(KEY, ended.out)
            uploads = intake.wait(1)
            self.assertEqual(intake.violations(), [])
            self.assertEqual({upload.kind for upload in uploads}, {"pyroscope"})
            upload = uploads[0]
            self.assertEqual(upload.application, "shop")
            self.assertEqual(upload.headers["authorization"], "Bearer " + KEY)
            self.assertEqual(upload.headers["x-scope-orgid"], "us")
            self.assertEqual({name: upload.tags.get(name) for name in ("team", "zone", "env")},
                             {"team": "a", "zone": "b", "env": "test"})
            self.assertEqual(json_of(ended)["upload"]["sink"], "Pyroscope")

    def test_files_replace_an_upload(self) -> None:
        with Intake() as intake:
            ended = self.run_program(DD_TRACE_AGENT_URL=intake.url, DD_PROFILING_OUTPUT_PPROF="p")
            self.assert_quiet(ended)
            self.assertEqual(intake.uploads, [])
            self.assertEqual(len([name for name in ended.folder if name.startswith("p.")]), 1)

    def test_agentless_without_a_key_says_so_and_writes_files(self) -> None:
        ended = self.run_program(DD_PROFILING_AGENTLESS="1")
        self.assertEqual(ended.status, 0)
        self.assertEqual(ended.err, "sneck: an upload without an agent takes an API key: set DD_API_KEY\n")
        self.assertEqual(ended.folder, ["sneck-profiles"])

    def test_sneck_run_uploads_as_the_variables_say(self) -> None:
        with Intake() as intake:
            path = os.path.join(self.folder, "program.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(LOCKS + "work(40)\n")
            ran = subprocess.run([sys.executable, "-m", "sneck", "run", "--capture-pct", "100", path], cwd=self.folder,
                                 env={**self.env, "DD_TRACE_AGENT_URL": intake.url}, capture_output=True, text=True,
                                 timeout=120, check=False)
            self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))
            self.assert_arrived(intake, "agent")
            self.assertEqual(os.listdir(self.folder), ["program.py"])


class Failures(Case):
    """Whatever the server does: one line, nothing lost that another try brings home, a bounded end."""

    def run_with(self, intake: Intake, code: str = "work(40)\n", **variables: str) -> Ended:
        return self.run_program(code, **{"DD_TRACE_AGENT_URL": intake.url, **variables})

    def test_refusals_are_one_line_with_a_remedy(self) -> None:
        for status, remedy in ((400, "up to date"), (403, "DD_API_KEY"), (404, "7.20"), (413, "more often")):
            with self.subTest(status), Intake() as intake:
                intake.behave(Behaviour(status, body="because"))
                ended = self.run_with(intake, "for _ in range(3):\n    work(10)\n    sneck.flush()\n" + TELL)
                self.assertEqual(ended.status, 0)
                self.assertEqual(len(ended.err.splitlines()), 1, ended.err)
                self.assertIn(f"answered {status}", ended.err)
                self.assertIn(remedy, ended.err)
                self.assertIn("because", ended.err)
                self.assertEqual(len(intake.uploads), 3)            # each once: nobody tries again
                told = json_of(ended)["upload"]
                self.assertEqual((told["profiles_lost"], told["uploads"], told["waiting"]), (3, 0, 0))

    @unittest.skipUnless(certificates.available(), "no openssl command")
    def test_a_key_that_is_told_back_is_not_told_on(self) -> None:
        with Intake(tls="good") as intake:
            intake.behave(Behaviour(403, body=f"no such key: {KEY}"))
            ended = self.run_program("work(9)\nsneck.flush()\n" + TELL, DD_PROFILING_AGENTLESS="true", DD_API_KEY=KEY,
                                     SNECK_INTAKE_URL=intake.url + "/api/v2/profile", SSL_CERT_FILE=intake.ca)
            self.assertIn("answered 403", ended.err)
            self.assertNotIn(KEY[:8], ended.err + ended.out)

    def test_what_passes_is_tried_again_and_arrives_once(self) -> None:
        for behaviour in (Behaviour(429), Behaviour(503), Behaviour(how="reset"), Behaviour(how="close"),
                          Behaviour(how="garbage")):
            with self.subTest(behaviour), Intake() as intake:
                intake.once(behaviour, behaviour)
                ended = self.run_with(intake, f"work(40)\nsneck.flush()\n{WAIT_FOR_UPLOAD}{TELL}")
                self.assertEqual(ended.status, 0)
                self.assertEqual(len(ended.err.splitlines()), 1, ended.err)
                self.assertEqual(len(intake.accepted()), 1)
                self.assertEqual(intake.accepted()[0].rows.of("user_lock").acquires, 40)
                told = json_of(ended)["upload"]
                self.assertEqual((told["uploads"], told["profiles_lost"], told["waiting"]), (1, 0, 0))

    def test_a_wish_to_be_left_alone_is_heard(self) -> None:
        with Intake() as intake:
            intake.once(Behaviour(429, headers={"Retry-After": "4"}))
            self.run_with(intake, f"work(40)\nsneck.flush()\n{WAIT_FOR_UPLOAD}")
            first, second = intake.wait(2)
            self.assertGreaterEqual(second.arrived - first.arrived, 3.9)

    def test_an_answer_that_drags_on_has_been_given(self) -> None:
        for behaviour in (Behaviour(how="trickle", delay_s=1, body="x" * 50), Behaviour(how="huge"),
                          Behaviour(how="too-long"), Behaviour(how="drop-halfway")):
            with self.subTest(behaviour), Intake() as intake:
                intake.once(behaviour)
                ended = self.run_with(intake)
                self.assertEqual(ended.status, 0)

    def test_a_server_that_hangs_holds_the_end_up_for_a_bounded_time(self) -> None:
        for how in ("mute", "hang"):
            with self.subTest(how), Intake() as intake:
                intake.behave(Behaviour(how=how))
                ended = self.run_with(intake, DD_PROFILING_API_TIMEOUT_MS="600000")
                self.assertEqual(ended.status, 0)
                self.assertGreater(ended.seconds, 4)
                self.assertLess(ended.seconds, 100)         # of the 600 that one try may take
                ended = self.run_with(intake, DD_PROFILING_API_TIMEOUT_MS="300")
                self.assertEqual(ended.status, 0)
                self.assertLess(ended.seconds, 100)

    def test_sigterm_amid_a_hanging_upload(self) -> None:
        with Intake() as intake:
            intake.behave(Behaviour(how="hang"))
            began = time.monotonic()
            child = self.begin("work(9)\nsneck.flush(timeout=0.01)\nprint('ready', flush=True)\nthreading.Event().wait()\n",
                               DD_TRACE_AGENT_URL=intake.url, DD_PROFILING_API_TIMEOUT_MS="600000")
            assert child.stdout
            child.stdout.readline()
            intake.wait(1)
            child.send_signal(signal.SIGTERM)
            ended = self.end(child, began)
            self.assertEqual(ended.status, -signal.SIGTERM)
            self.assertLess(ended.seconds, 100)

    def test_a_child_of_fork_uploads_its_own_and_ends_in_time(self) -> None:
        code = """
        import os
        work(40)
        pid = os.fork()
        if not pid:
            work(7)
            sneck.stop()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        """
        with Intake() as intake:
            self.assert_quiet(self.run_with(intake, code))
            uploads = intake.wait(2)
            self.assertEqual(intake.violations(), [])
            self.assertEqual(sorted(upload.rows.of("user_lock").acquires for upload in uploads), [7, 40])
            self.assertEqual(len({upload.pid for upload in uploads}), 2)
            self.assertEqual(len({upload.runtime_id for upload in uploads}), 2)
            intake.behave(Behaviour(how="hang"))
            self.assertLess(self.run_with(intake, code, DD_PROFILING_API_TIMEOUT_MS="600000").seconds, 100)

    def test_forks_amid_a_hanging_upload_are_quick_and_leave_no_connection(self) -> None:
        code = """
        import os, time
        work(40)
        sneck.flush(timeout=0.5)
        took, kept = [], 0
        for _ in range(200):
            began = time.perf_counter()
            pid = os.fork()
            if not pid:
                os._exit(sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in range(3, 64)
                             if os.path.islink(f"/proc/self/fd/{fd}")))
            took.append(time.perf_counter() - began)
            kept = max(kept, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        took.sort()
        print(json.dumps({"median_ms": took[100] * 1000, "worst_ms": took[-1] * 1000, "kept": kept}))
        """
        with Intake() as intake:
            intake.behave(Behaviour(how="hang"))
            ended = self.run_with(intake, code, DD_PROFILING_API_TIMEOUT_MS="60000")
            told = json_of(ended)
            self.assertLess(told["worst_ms"], 30000, told)       # of 60,000 that the server takes
            self.assertEqual(told["kept"], 0, told)

    def test_three_profiles_that_cannot_be_sent_leave_two_and_a_count(self) -> None:
        code = "for _ in range(4):\n    work(10)\n    sneck.flush()\n" + TELL
        with Intake() as intake:
            intake.behave(Behaviour(503))
            ended = self.run_with(intake, code)
            self.assertEqual(len(ended.err.splitlines()), 1, ended.err)
            told = json_of(ended)["upload"]
            self.assertEqual((told["waiting"], told["profiles_lost"], told["uploads"]), (2, 2, 0))

    def test_the_profile_after_the_server_has_healed_arrives(self) -> None:
        with Intake() as intake:
            intake.behave(Behaviour(503))
            child = self.begin("for n in (1, 2, 4, 8):\n    work(n)\n    sneck.flush()\nprint('ready', flush=True)\n"
                               "sys.stdin.readline()\nwork(16)\nsneck.flush()" + TELL, DD_TRACE_AGENT_URL=intake.url)
            assert child.stdout
            child.stdout.readline()
            intake.behave()
            ended = self.end(child, 0)
            told, arrived = json_of(ended)["upload"], [upload.rows.of("user_lock").acquires for upload in intake.accepted()]
            self.assertEqual(sorted(arrived)[-2:], [8, 16])     # and 4, where a retry of its own was just due
            self.assertEqual((told["uploads"], told["profiles_lost"], told["waiting"]), (len(arrived), 5 - len(arrived), 0))


WAIT_FOR_UPLOAD = """
import time
limit = time.monotonic() + 60
while not sneck.status()["upload"]["uploads"] and time.monotonic() < limit:
    time.sleep(0.05)
"""


def json_of(ended: Ended) -> Any:
    import json
    try:
        return json.loads(ended.out.splitlines()[-1])
    except (ValueError, IndexError):
        raise AssertionError(ended) from None


if __name__ == "__main__":
    unittest.main()
