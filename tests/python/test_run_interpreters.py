"""Which scripts tests/run_interpreters chooses, by SNECK_ONLY or --only."""
# Interpreters: two

import os
import runpy
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
scripts = runpy.run_path(os.path.join(TESTS, "run_interpreters"))["scripts"]


def chosen(only: str) -> list[str]:
    return [os.path.relpath(path, TESTS) for path in scripts(only)]


class Only(unittest.TestCase):
    def test_a_part_of_the_name(self) -> None:
        self.assertEqual(chosen("truth"), ["python/test_truth.py"])

    def test_a_folder(self) -> None:
        inside = sorted(name for name in os.listdir(os.path.join(TESTS, "fork")) if name.startswith("test_"))
        self.assertEqual(chosen("fork/"), [f"fork/{name}" for name in inside])

    def test_folder_and_name(self) -> None:
        self.assertEqual(chosen("fork/test_fork_storm"), ["fork/test_fork_storm.py"])

    def test_nothing_is_everything(self) -> None:
        self.assertEqual({name.split("/")[0] for name in chosen("")}, {"python", "fork", "upload"})
        self.assertEqual(chosen(TESTS), [], "where the tests lie is no matter")


if __name__ == "__main__":
    unittest.main()
