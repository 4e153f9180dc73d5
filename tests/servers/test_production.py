"""The production stress test inside gunicorn: each worker runs all seven phases, and what it did arrives at an agent as its own."""

import json
import os
import signal
import sys
import threading
import time
import unittest
import urllib.request
from typing import Any

from serving import LONG, ServerCase, SOURCE, needs, wait_for

STRESS = os.path.join(SOURCE, "tests", "stress", "production")
sys.path[:0] = [STRESS, os.path.join(SOURCE, "tests", "upload")]

import verify  # noqa: E402
from chain import Chain  # noqa: E402
from intake import Intake  # noqa: E402
from phases import EXPECTED, PHASES  # noqa: E402

START = "sneck run gunicorn --workers 2 --no-control-socket --bind 127.0.0.1:8000"
SECONDS = 4 if LONG else 0.3        # a phase


@needs("gunicorn")
class Production(ServerCase):
    def ask(self, path: str) -> "dict[str, Any]":
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
            return told

    def is_up(self) -> bool:
        try:
            return bool(self.ask("/evidence"))
        except OSError:
            return False

    def run_phases(self) -> "dict[int, dict[str, Any]]":
        """Ask both workers at once until each has run every phase; the last evidence of each process."""
        last: dict[int, dict[str, Any]] = {}
        path = f"?seconds={SECONDS}&workers=4"

        def phase(number: int) -> None:
            told = self.ask(f"/{number}{path}")
            last[told["pid"]] = told

        end = time.monotonic() + 120
        while time.monotonic() < end:
            missing = [number for number, expected in enumerate(PHASES, 1)
                       if any(e.phase == number and lock not in told["truth"] for told in last.values() or [{"truth": {}}]
                              for lock, e in EXPECTED.items())]
            if not missing and len(last) == 2:
                return last
            crowd = [threading.Thread(target=phase, args=(missing[0] if missing else 1,)) for _ in range(2)]
            for thread in crowd:
                thread.start()
            for thread in crowd:
                thread.join()
        raise AssertionError(f"never ran all phases in two workers: {[sorted(told['truth']) for told in last.values()]}")

    def each_worker_arrives(self, kind: str) -> None:
        with Intake() as intake:
            server = self.server(f"{START} {kind} wsgi:app", DD_TRACE_AGENT_URL=intake.url, SNECK_UPLOAD_INTERVAL="1",
                                 **verify.SERVICE)
            del server.env["SNECK_OUTPUT"]
            server.env["PYTHONPATH"] += ":" + STRESS
            self.port = server.port
            server.start()
            wait_for(self.is_up, "an answer")
            evidence = self.run_phases()
            self.assertEqual(server.end(signal.SIGTERM), 0)
            self.assert_quiet(server)
            delivery = verify.from_intake(intake)
            faults = list(verify.identity_faults(intake, verify.SERVICE))
        for told in evidence.values():
            chain = Chain(told, delivery, owners=sys.version_info >= (3, 11))
            faults += chain.faults()
            self.assertEqual(list(map(str, faults)), [], "\n".join(chain.table()))

    def test_each_worker_of_a_preloaded_application(self) -> None:
        self.attempts(lambda: self.each_worker_arrives("--preload"))

    def test_each_worker_with_threads(self) -> None:
        self.attempts(lambda: self.each_worker_arrives("--worker-class gthread --threads 2"))

    def attempts(self, attempt: Any) -> None:
        """Waits on a busy machine: a second try; a loss fails both."""
        try:
            attempt()
        except AssertionError:
            attempt()


if __name__ == "__main__":
    unittest.main()
