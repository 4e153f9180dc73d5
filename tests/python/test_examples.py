"""The demos of examples/: what they claim is what the profile says, and a wrong profile is told."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
EXAMPLES = os.path.join(SOURCE, "examples")
sys.path.insert(0, EXAMPLES)
sys.dont_write_bytecode = True

import account  # noqa: E402


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SNECK_C", "SNECK_O", "DD_"))}
    return subprocess.run(command, env={**env, "PYTHON": sys.executable}, capture_output=True, text=True, timeout=120)


class Demos(unittest.TestCase):
    def check(self, *command: str) -> None:
        """Estimates may miss by chance, once in many runs: a second try."""
        ran = run(*command)
        if ran.returncode:
            ran = run(*command)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertIn("the profile is right", ran.stdout)

    def test_simple(self) -> None:
        self.check(sys.executable, os.path.join(EXAMPLES, "rlock_simple_demo.py"), "--verify", "--seconds=1.5")

    def test_heavy_contention(self) -> None:
        self.check(sys.executable, os.path.join(EXAMPLES, "rlock_heavy_contention.py"), "--verify", "--seconds=1.5")

    def test_stress_through_the_menu(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.check(os.path.join(EXAMPLES, "run_rlock_demos.sh"), "--demo", "stress", "--yes", "--verify",
                       "--seconds", "1.5", "--profiles", folder)

    def test_the_menu_runs_and_reports(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            ran = run(os.path.join(EXAMPLES, "run_rlock_demos.sh"), "--demo", "1", "--yes", "--seconds", "0.5",
                      "--profiles", folder)
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        self.assertIn("bank_lock", ran.stdout.partition("acquires")[2])

    def test_the_menu_refuses_what_it_does_not_know(self) -> None:
        ran = run(os.path.join(EXAMPLES, "run_rlock_demos.sh"), "--demo", "none", "--yes")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("there is no demo 'none'; there are simple heavy stress", ran.stderr)


class Comparison(unittest.TestCase):
    claim = account.Claim("a_lock", "", reentrant=True)

    def faults(self, **changed: object) -> "list[str]":
        truth = {"acquires": 1000, "reentries": 500, "wait_ns": 10**9, "threads": ["Worker-1"], **changed}
        values = account.Counter({"lock-acquire": 1000, "lock-contended": 500, "lock-acquire-wait": 10**9})
        seen = account.Seen(values, 500, 98 * 10**7, 500, {"threading.RLock"}, {"Worker-1"})
        return list(account.faults(self.claim, truth, seen))

    def test_what_agrees_has_no_fault(self) -> None:
        self.assertEqual(self.faults(), [])

    def test_each_difference_is_a_fault(self) -> None:
        for changed in ({"acquires": 3000}, {"reentries": 1500}, {"wait_ns": 11 * 10**8}, {"wait_ns": 97 * 10**7},
                        {"threads": ["Reader-1"]}):
            self.assertEqual(len(self.faults(**changed)), 1, changed)

    def test_a_lock_that_is_missing_is_a_fault(self) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as out:
            self.assertEqual(account.compare([self.claim], {"a_lock": {}}, folder), 1)
        self.assertIn("MISSING", out.getvalue())


if __name__ == "__main__":
    unittest.main()
