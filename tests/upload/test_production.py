"""The production stress test, short: all that seven phases of RLocks did arrives; and what is lost is lost by its stage.

SNECK_LONG=1 runs it to each sink, with the defaults.
"""
# Interpreters: two

import gzip
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Callable

HERE = os.path.dirname(os.path.abspath(__file__))
STRESS = os.path.join(os.path.dirname(HERE), "stress", "production")
sys.path[:0] = [STRESS, HERE, os.path.join(os.path.dirname(HERE), "python")]

import certificates  # noqa: E402
import verify  # noqa: E402
from behaviour import Behaviour  # noqa: E402
from chain import Chain, Fault  # noqa: E402

LONG = bool(os.environ.get("SNECK_LONG"))
SCRIPT = os.path.join(STRESS, "run_rlock_production_stress_test.sh")
RIGHT = "and is right"


class Production(unittest.TestCase):
    def stress(self, *options: str, seconds: float = 4, **variables: str) -> str:
        """By the script, as a user would; a busy machine has a second try, and a loss fails both."""
        command = [SCRIPT, str(seconds), "6", "--yes", "--verify", *options]
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SNECK_C", "SNECK_O", "DD_"))}
        for _ in range(2):
            ran = subprocess.run(command, env={**env, **variables, "PYTHON": sys.executable}, capture_output=True, text=True)
            if not ran.returncode:
                break
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertIn(RIGHT, ran.stdout)
        return ran.stdout

    def test_every_operation_arrives_at_an_agent(self) -> None:
        told = self.stress("--sink", "agent", "--capture-pct", "100", "--interval", "1")
        for name in ("request_lock", "global_cache_lock", "login_attempts_lock", "connection_pool_lock",
                     "_CacheManager__internal_lock", "hot_queue_lock"):
            self.assertRegex(told, rf"(?m)^{name} ")

    def test_a_sample_arrives_at_pyroscope_started_by_an_import(self) -> None:
        self.stress("--sink", "pyroscope", "--capture-pct", "10", "--interval", "1", "--auto", SNECK_LOCK_BUDGET_PCT="0")

    @unittest.skipUnless(LONG, "long: SNECK_LONG=1")
    def test_each_sink_with_the_defaults(self) -> None:
        for kind in verify.SINKS:
            if kind != "agentless" or certificates.available():
                with self.subTest(kind=kind):
                    self.stress("--sink", kind, seconds=25)


class WhoLostIt(unittest.TestCase):
    """A real loss at each link, and what is said of it."""

    def faults(self, kind: str = "file", harm: "Callable[[str], None] | None" = None,
               behaviours: "tuple[Behaviour, ...]" = (), **variables: str) -> "list[Fault]":
        with tempfile.TemporaryDirectory() as folder, verify.Sink(kind, folder) as sink:
            if sink.intake:
                sink.intake.once(*behaviours)
            env = verify.environment(sink, **{"SNECK_CAPTURE_PCT": "100", "SNECK_UPLOAD_INTERVAL": "3600", **variables})
            command = [sys.executable, "-m", "sneck", "run", verify.PROGRAM, "--seconds=0.7", "--workers=3",
                       f"--evidence={folder}/evidence"]
            subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True)
            if harm:
                harm(sink.folder)
            with open(f"{folder}/evidence", encoding="utf-8") as file:
                return list(Chain(json.load(file), sink.delivery(), owners=False).faults())

    def assert_lost_in(self, stage: str, faults: "list[Fault]") -> None:
        self.assertTrue(faults, "nothing was found")
        self.assertEqual({fault.stage for fault in faults}, {stage}, "\n".join(map(str, faults)))

    def test_the_collector(self) -> None:
        faults = self.faults(SNECK_LOCK_EXCLUDE_MODULES="phases")
        self.assert_lost_in("collector", faults)
        self.assertIn("never saw this lock", str(faults[0]))

    def test_the_profile(self) -> None:
        self.assert_lost_in("profile", self.faults(SNECK_PROFILE_MAX_ROWS="16"))

    def test_the_encoding(self) -> None:
        def cut_short(folder: str) -> None:
            path, = glob.glob(folder + "/*.pprof")
            with gzip.open(path) as file:
                data = file.read()
            with gzip.open(path, "wb") as file:
                file.write(data[:len(data) // 2])

        self.assert_lost_in("encoding", self.faults(harm=cut_short))

    def test_the_transport(self) -> None:
        self.assert_lost_in("transport", self.faults("agent", behaviours=(Behaviour(400),)))

    def test_a_file_that_is_gone(self) -> None:
        def remove_one(folder: str) -> None:
            os.unlink(sorted(glob.glob(folder + "/*.pprof"))[0])

        self.assert_lost_in("transport", self.faults(harm=remove_one, SNECK_UPLOAD_INTERVAL="0.1"))


if __name__ == "__main__":
    unittest.main()
