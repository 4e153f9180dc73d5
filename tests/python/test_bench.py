"""The benchmark's scenarios: each runs, and at 100 % the profile counts what it counts itself.  And its comparison finds a lie."""
# Interpreters: two

import json
import os
import subprocess
import sys
import tempfile
import unittest
from typing import Any

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STRESS = os.path.join(SOURCE, "bench", "lock_profiler_stress")
sys.path.insert(0, STRESS)
sys.dont_write_bytecode = True

import agreement  # noqa: E402
import plot  # noqa: E402

SHORT = {"high_frequency": ["--operations=500"], "long_held": ["--hold_ms=5"], "high_contention": ["--threads=50"]}


def run(scenario: str, *options: str) -> "dict[str, Any]":
    with tempfile.TemporaryDirectory() as folder:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("SNECK_C", "SNECK_O", "DD_"))}
        env.update(SNECK_CAPTURE_PCT="100", SNECK_OUTPUT=folder + "/profiles/")
        command = [sys.executable, "-m", "sneck", "run", os.path.join(STRESS, "scenario.py"), "--scenario_type", scenario,
                   "--duration=0.2", "--threads=6", f"--json={folder}/result", *options]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
        with open(f"{folder}/result", encoding="utf-8") as file:
            return {"mode": "100", **json.load(file)}


class Scenarios(unittest.TestCase):
    def test_each_is_counted_to_the_last_acquire(self) -> None:
        for scenario in ("high_contention", "lock_hierarchy", "high_frequency", "mixed_primitives", "long_held",
                         "producer_consumer", "reader_writer", "memory_pressure", "deadlock_prone"):
            with self.subTest(scenario):
                found = run(scenario, *SHORT.get(scenario, []))
                self.assertTrue(found["operations"])
                self.assertEqual({lock: entry["acquires"] for lock, entry in found["profile"]["locks"].items()
                                  if lock in found["locks"]},
                                 {lock: entry["acquires"] for lock, entry in found["locks"].items()})

    def test_asyncio_runs(self) -> None:
        self.assertGreater(run("async")["operations"], 0)


class Tables(unittest.TestCase):
    def of(self, **changed: float) -> "list[str]":
        own = {"acquires": 1000, "took_ns": 10e9, "apart_ns": 0, "contentions": 500, "apart_contentions": 0, "max_ns": 1e7}
        told = {"acquires": 1000, "contended": 900, "wait_ns": 9.9e9, "contentions": 490, **changed}
        runs = [{"mode": "100", "locks": {"a": own}, "profile": {"locks": {"a": told}, "stats": {}}}]
        return list(agreement.disagreements(runs, "100"))

    def test_what_agrees_is_not_told(self) -> None:
        self.assertEqual(self.of(), [])

    def test_each_difference_is(self) -> None:
        for changed in ({"acquires": 999}, {"wait_ns": 5e9}, {"wait_ns": 14e9}, {"contentions": 200}):
            self.assertEqual(len(self.of(**changed)), 1, changed)

    def test_a_plot_has_each_configuration(self) -> None:
        text = plot.bars({"one": {"1": (1, 0.9, 1.1), "100": (0.5, 0.4, 0.6)}, "two": {"1": (1, 0, 9), "100": (1, 1, 1)}})
        self.assertEqual((text.count("<circle"), text.count(">two</text>")), (6, 1))


if __name__ == "__main__":
    unittest.main()
