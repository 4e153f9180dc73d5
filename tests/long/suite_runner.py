"""Run one of CPython's own test modules and write a line of JSON per test: [id, outcome].

    python suite_runner.py OUT MODULE [TEST-ID...]

Outcomes are ok, fail, error, skip, expected failure, unexpected success.  A test is written
when it starts ("started") and when it ends, so that a crash shows where it happened.
"""

import json
import os
import sys
import tempfile
import threading
import unittest
from typing import Any


class Record(unittest.TestResult):
    def __init__(self, out: Any) -> None:
        super().__init__()
        self.out = out
        self.ended: set[str] = set()

    def write(self, test: Any, outcome: str) -> None:
        self.out.write(json.dumps([test.id(), outcome]) + "\n")
        self.out.flush()

    def end(self, test: Any, outcome: str) -> None:
        self.ended.add(test.id())
        self.write(test, outcome)

    def startTest(self, test: Any) -> None:
        super().startTest(test)
        self.write(test, "started")

    def stopTest(self, test: Any) -> None:
        super().stopTest(test)
        if test.id() not in self.ended:
            self.write(test, "ok")

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self.end(test, "error")
        print(self.errors[-1][1], file=sys.stderr)

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self.end(test, "fail")
        print(self.failures[-1][1], file=sys.stderr)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.end(test, "fail")
            print(f"{subtest}: {err[1]!r}", file=sys.stderr)

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        self.end(test, "skip")

    def addExpectedFailure(self, test: Any, err: Any) -> None:
        super().addExpectedFailure(test, err)
        self.end(test, "expected failure")

    def addUnexpectedSuccess(self, test: Any) -> None:
        super().addUnexpectedSuccess(test)
        self.end(test, "unexpected success")


def main() -> None:
    path, module, *names = sys.argv[1:]
    from test import support
    support.use_resources = []
    with threading.Lock():  # whatever the tests do: a profile that is missing was lost
        pass
    with open(path, "w", encoding="utf-8") as out, tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        record = Record(out)
        try:
            tests = unittest.defaultTestLoader.loadTestsFromNames(names or ["test." + module])
        except unittest.SkipTest as reason:
            tests = unittest.TestSuite()
            print(f"{module} is skipped: {reason}", file=sys.stderr)
        tests.run(record)
        out.write(json.dumps(["", "complete"]) + "\n")
        os.chdir("/")


if __name__ == "__main__":
    main()
