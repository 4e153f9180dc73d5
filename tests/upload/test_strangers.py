"""Agents that nobody here wrote take what we send: Datadog's test agent, and a real one that forwards.

`make agents-venv` installs them; what is missing is a skip.
"""
# Interpreters: two

import base64
import glob
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

import rules  # noqa: E402
from arrival import Upload  # noqa: E402
from behaviour import GOOD, Behaviour  # noqa: E402
from intake import Intake  # noqa: E402
from program import Program  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = (os.path.join(os.path.dirname(os.environ.get("SNECK_STAGE", "") or "/none/"), "venv-agents"),
           os.path.join(SOURCE, "build", "venv-agents"))
KEY = "0123456789abcdef0123456789abcdef"

# The forwarding agent wants to live in an Azure Function: a folder that it looks at, in a mount namespace of its own.
FUNCTION = """
mount -t tmpfs none /home && mkdir -p /home/site/wwwroot/shop &&
echo '{}' >/home/site/wwwroot/host.json && echo '{}' >/home/site/wwwroot/shop/function.json && exec "$@"
"""


def installed(pattern: str) -> str:
    found = [path for folder in FOLDERS for path in glob.glob(os.path.join(folder, pattern))]
    if not found:
        raise unittest.SkipTest(f"no {os.path.basename(pattern)} here: make agents-venv")
    return found[0]


def free_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


class Agents(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder, self.port = folder.name, free_port()

    def begin(self, command: list[str], env: dict[str, str], port: int) -> None:
        """Start an agent, and wait until it listens."""
        with open(os.path.join(self.folder, "log"), "w", encoding="utf-8") as log:
            try:
                process = subprocess.Popen(command, env={"PATH": os.environ["PATH"], **env}, cwd=self.folder,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            except FileNotFoundError:
                self.skipTest("the agents' interpreter is not in this root")
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for _ in range(600):
            with socket.socket() as probe:
                if not probe.connect_ex(("127.0.0.1", port)):
                    return
            if process.poll() is not None:
                break
            time.sleep(0.1)
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as log_read:
            self.skipTest(f"the agent does not start here: {log_read.read().strip()[-300:]!r}")

    def use(self, url: str) -> Program:
        """A program that takes its lock fifty times, and has ended."""
        with Program({"DD_TRACE_AGENT_URL": url, "DD_SERVICE": "shop", "DD_ENV": "test"}) as program:
            program("use", 50)
            ended = program.end()
        self.assertEqual((ended.status, ended.err), (0, ""))
        return program

    def is_of(self, upload: Upload, program: Program) -> None:
        self.assertEqual((upload.pid, upload.tags["service"], upload.tags["env"]), (program.pid, "shop", "test"))
        self.assertEqual(upload.rows.of("counted").acquires, 50)

    def requests(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/test/session/requests", timeout=30) as answer:
            return [request for request in json.load(answer) if request["url"].endswith("/profiling/v1/input")]

    def as_upload(self, request: dict[str, Any]) -> Upload:
        """What the test agent kept, held against our own rules."""
        upload = Upload(1, 0, "test agent", GOOD, method=request["method"], path="/profiling/v1/input", version="HTTP/1.1",
                        header_lines=list(request["headers"].items()), body=base64.b64decode(request["body"]), kind="agent")
        rules.check(upload)
        return upload

    def test_the_test_agent_by_tcp_and_by_its_socket(self) -> None:
        path = os.path.join(self.folder, "apm.socket")
        self.begin([installed("bin/ddapm-test-agent"), "--port", str(self.port), "--trace-uds-socket", path,
                    "--otlp-http-port", str(free_port()), "--otlp-grpc-port", str(free_port()), "--web-ui-port", "0"],
                   {"HOME": self.folder}, self.port)
        for at, url in enumerate((f"http://127.0.0.1:{self.port}", f"unix://{path}")):
            with self.subTest(url=url):
                program = self.use(url)
                requests = self.requests()
                self.assertEqual(len(requests), at + 1)
                ours = [upload for upload in map(self.as_upload, requests) if upload.pid == program.pid]
                self.assertEqual([upload.violations for upload in ours], [[]])
                self.is_of(ours[0], program)

    def forward_to(self, intake: Intake) -> str:
        if not shutil.which("unshare"):
            self.skipTest("no unshare command here")
        agent = os.path.join(self.folder, "agent")
        shutil.copy(installed("lib/python3*/site-packages/datadog_serverless_compat/bin/linux-amd64/datadog-serverless-compat"),
                    agent)
        os.chmod(agent, 0o755)
        env = {"DD_API_KEY": KEY, "DD_APM_RECEIVER_PORT": str(self.port), "DD_APM_PROFILING_DD_URL": intake.url,
               "DD_USE_DOGSTATSD": "false", "FUNCTIONS_EXTENSION_VERSION": "~4", "FUNCTIONS_WORKER_RUNTIME": "python",
               "WEBSITE_SITE_NAME": "shop", "DD_AZURE_RESOURCE_GROUP": "test"}
        self.begin(["unshare", "--map-root-user", "--mount", "sh", "-c", FUNCTION, "sh", agent], env, self.port)
        return f"http://127.0.0.1:{self.port}"

    def test_a_forwarding_agent_brings_it_to_the_intake(self) -> None:
        with Intake(via_agent=True) as intake:
            program = self.use(self.forward_to(intake))
            upload = intake.wait(1)[0]
            self.assertEqual((upload.path, upload.headers["dd-api-key"], upload.violations), ("/api/v2/profile", KEY, []))
            self.is_of(upload, program)

    def test_a_forwarding_agent_whose_intake_fails(self) -> None:
        """It answers 200 before it forwards, so the program sees nothing of it."""
        with Intake(via_agent=True) as intake:
            url = self.forward_to(intake)
            intake.behave(Behaviour(how="reset"))
            program = self.use(url)
            self.assertEqual({upload.pid for upload in intake.wait(1)}, {program.pid})
            intake.behave()
            again = self.use(url)
            self.is_of(intake.wait(1, where=lambda upload: upload.accepted and upload.pid == again.pid)[0], again)


if __name__ == "__main__":
    unittest.main()
