"""What is left to try of the transport beside test_ways and test_failing: files, secrets, forks."""
# Interpreters: two

import base64
import os
import subprocess
import sys
import tempfile
import textwrap
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
    folder: list[str]


class Case(unittest.TestCase):
    def setUp(self) -> None:
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = held.name
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(ALONE)}
        self.env.update(SNECK_CAPTURE_PCT="100", SNECK_UPLOAD_INTERVAL="3600", PYTHONDONTWRITEBYTECODE="1")

    def run_program(self, code: str = "work(40)\n", **variables: str) -> Ended:
        ran = subprocess.run([sys.executable, "-c", LOCKS + textwrap.dedent(code)], cwd=self.folder, text=True,
                             env={**self.env, **variables}, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                             check=False)
        return Ended(ran.returncode, ran.stdout, ran.stderr, os.listdir(self.folder))


class Transport(Case):
    def test_files_replace_an_upload(self) -> None:
        with Intake() as intake:
            ended = self.run_program(DD_TRACE_AGENT_URL=intake.url, DD_PROFILING_OUTPUT_PPROF="p")
            self.assertEqual((ended.status, ended.err), (0, ""))
            self.assertEqual(intake.uploads, [])
            self.assertEqual(len([name for name in ended.folder if name.startswith("p.")]), 1)

    @unittest.skipUnless(certificates.available(), "no openssl command")
    def test_a_key_that_is_told_back_is_not_told_on(self) -> None:
        with Intake(tls="good") as intake:
            intake.behave(Behaviour(403, body=f"no such key: {KEY}"))
            ended = self.run_program("work(9)\nsneck.flush()\n" + TELL, DD_PROFILING_AGENTLESS="true", DD_API_KEY=KEY,
                                     SNECK_INTAKE_URL=intake.url + "/api/v2/profile", SSL_CERT_FILE=intake.ca)
            self.assertIn("answered 403", ended.err)
            self.assertNotIn(KEY[:8], ended.err + ended.out)

    def test_a_password_that_is_told_back_is_not_told_on(self) -> None:
        encoded = base64.b64encode(b"me:open sesame").decode()
        with Intake() as intake:
            intake.behave(Behaviour(403, body=f"not for you: Basic {encoded}, which is open sesame"))
            agent = {"DD_TRACE_AGENT_URL": intake.url.replace("http://", "http://me:open%20sesame@")}
            pyroscope = {"PYROSCOPE_SERVER_ADDRESS": intake.url, "PYROSCOPE_BASIC_AUTH_USER": "me",
                         "PYROSCOPE_BASIC_AUTH_PASSWORD": "open sesame", "SNECK_UPLOAD_INTERVAL": "3000"}
            for variables in agent, pyroscope:
                ended = self.run_program("work(9)\nsneck.flush()\n" + TELL, **variables)
                self.assertEqual(intake.uploads[-1].headers["authorization"], f"Basic {encoded}")
                self.assertIn("answered 403", ended.err)
                for secret in "sesame", encoded[:8]:
                    self.assertNotIn(secret, ended.err + ended.out)

    @unittest.skipUnless(certificates.available(), "no openssl command")
    def test_certificates_are_found_after_a_change_of_directory(self) -> None:
        with Intake(tls="good") as intake:
            ended = self.run_program("import os\nos.chdir('/')\nwork(9)\n", DD_TRACE_AGENT_URL=intake.url,
                                     SNECK_CA_FILE=os.path.relpath(intake.ca, self.folder))
            self.assertEqual((ended.status, ended.err), (0, ""))
            self.assertEqual(sum(upload.rows.of("user_lock").acquires for upload in intake.accepted()), 9)

    def test_forks_amid_a_hanging_upload_do_not_wait_for_it_and_leave_no_connection(self) -> None:
        code = """
        import os, time
        work(40)
        sneck.flush(timeout=0.5)
        worst, kept = 0, 0
        for _ in range(200):
            began = time.perf_counter()
            pid = os.fork()
            if not pid:
                os._exit(sum(os.readlink(f"/proc/self/fd/{fd}").startswith("socket:") for fd in range(3, 64)
                             if os.path.islink(f"/proc/self/fd/{fd}")))
            worst = max(worst, time.perf_counter() - began)
            kept = max(kept, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        print(json.dumps({"worst_ms": worst * 1000, "kept": kept}))
        """
        with Intake() as intake:
            intake.behave(Behaviour(how="hang"))
            ended = self.run_program(code, DD_TRACE_AGENT_URL=intake.url, DD_PROFILING_API_TIMEOUT_MS="60000")
            told = json_of(ended)
            self.assertLess(told["worst_ms"], 30000, told)       # of 60,000 that the server takes; test_fork_limits measures them
            self.assertEqual(told["kept"], 0, told)


def json_of(ended: Ended) -> Any:
    import json
    try:
        return json.loads(ended.out.splitlines()[-1])
    except (ValueError, IndexError):
        raise AssertionError(ended) from None


if __name__ == "__main__":
    unittest.main()
