"""What the Python tests share: profile a stretch of code, read back what was said of it."""

import contextlib
import glob
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import unittest
from typing import Any, Callable, Iterator, NamedTuple

import pprof_oracle

SANITIZED = bool(os.environ.get("SNECK_SANITIZED"))
MS = 1_000_000
TYPES = ("lock-acquire-wait", "lock-acquire", "lock-release-hold", "lock-release", "lock-acquire-failed",
         "lock-contended")


class Row(NamedTuple):
    """One sample of a file: frames leaf first as (function, file, line), values by sample type."""

    frames: list[tuple[str, str, int]]
    labels: dict[str, Any]
    values: dict[str, int]

    @property
    def lock(self) -> str:
        """The lock's bare name: "x" of "file.py:12:x"; "" for an anonymous one."""
        return str(self.labels.get("lock name", "")).partition(":")[2].partition(":")[2]


class Rows(list[Row]):
    """The samples of one or more files."""

    def of(self, lock: str | None = None, where: Callable[[Row], bool] | None = None, **labels: Any) -> "Rows":
        """The rows of one lock, and with these labels (lock_kind="threading.RLock")."""
        wanted = {name.replace("_", " ").replace("re entry", "re-entry"): value for name, value in labels.items()}
        return Rows(row for row in self
                    if (lock is None or row.lock == lock)
                    and all(row.labels.get(name) == value for name, value in wanted.items())
                    and (where is None or where(row)))

    def sum(self, sample_type: str) -> int:
        return sum(row.values[sample_type] for row in self)

    @property
    def acquires(self) -> int:
        return self.sum("lock-acquire")

    @property
    def releases(self) -> int:
        return self.sum("lock-release")

    @property
    def failed(self) -> int:
        return self.sum("lock-acquire-failed")

    @property
    def contended(self) -> int:
        return self.sum("lock-contended")

    @property
    def wait_ns(self) -> int:
        return self.sum("lock-acquire-wait")

    @property
    def hold_ns(self) -> int:
        return self.sum("lock-release-hold")


def files(folder: str) -> list[str]:
    return sorted(glob.glob(os.path.join(folder, "**", "*.pprof"), recursive=True))


def read_file(path: str) -> Rows:
    profile = pprof_oracle.read(path)
    names = [name for name, _ in profile.sample_types]
    return Rows(Row(list(frames), dict(labels), dict(zip(names, values)))
                for frames, labels, values in profile.samples)


def read_rows(folder: str) -> Rows:
    """Every sample of every file in the folder."""
    return Rows(row for path in files(folder) for row in read_file(path))


class Recording:
    """What profiled() saw: filled in when its block ends."""

    rows: Rows
    files: list[str]
    status: dict[str, Any]


@contextlib.contextmanager
def profiled(capture_pct: float = 100, lock_budget_pct: float = 0, **options: Any) -> Iterator[Recording]:
    """Profile the block, without a time budget; then .rows has its samples, .status what status() said last."""
    import sneck
    recording = Recording()
    with tempfile.TemporaryDirectory() as folder:
        sneck.start(capture_pct=capture_pct, lock_budget_pct=lock_budget_pct, output=os.path.join(folder, "p"), **options)
        try:
            yield recording
            recording.status = dict(sneck.status())
        finally:
            sneck.stop()
        recording.files = [os.path.basename(path) for path in files(folder)]
        recording.rows = read_rows(folder)


class Ran(NamedTuple):
    """A child's end: its status (negative: by that signal), output, files and samples."""

    status: int
    out: str
    err: str
    files: list[str]
    rows: Rows
    pid: int


def run_child(code: str, *, start: str | None = "capture_pct=100", args: tuple[str, ...] = (),
              kill: int | None = None, env: dict[str, str] | None = None, timeout_s: float = 120) -> Ran:
    """Run code in a fresh interpreter, profiled from its first line unless start is None.

    kill: a signal to send once the child has printed a line "ready".
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = ["import sys", f"output = {os.path.join(folder, 'p')!r}"]
        if start is not None:
            lines += ["import sneck", f"sneck.start(output=output, {start})"]
        script = os.path.join(folder, "program.py")
        with open(script, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n" + textwrap.dedent(code))
        child = subprocess.Popen([sys.executable, script, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})})
        try:
            first = ""
            if kill is not None:
                assert child.stdout is not None
                first = child.stdout.readline()
                if first.strip() == "ready":
                    child.send_signal(kill)
            out, err = child.communicate(timeout=timeout_s)
        except BaseException:
            child.kill()
            child.communicate()
            raise
        names = [os.path.relpath(path, folder) for path in files(folder)]
        return Ran(child.returncode, first + out, err, names, read_rows(folder), child.pid)


# For a child: the signals that have a handler, one in C too; the C library's own two, which come with a thread, aside.
CAUGHT = """
import signal
def caught():
    with open("/proc/self/status") as file:
        mask = int(file.read().split("SigCgt:")[1].split()[0], 16)
    return {int(number) for number in signal.valid_signals() if mask >> (number - 1) & 1}
"""


class Case(unittest.TestCase):
    """With the assertions that these tests make again and again."""

    def assert_close(self, measured: float, truth: float, relative: float, what: str = "") -> None:
        error = abs(measured - truth) / truth
        self.assertLessEqual(error, relative, f"{what}: reported {measured:.0f}, in truth {truth:.0f}")

    def assert_clean(self, ran: Ran, status: int = 0) -> None:
        """The child ended as it should and said nothing on stderr."""
        self.assertEqual((ran.status, ran.err), (status, ""), ran.out)

    def attempts(self, attempt: Callable[[], None], times: int = 3) -> None:
        """For what a busy machine may disturb: one undisturbed run of some proves it, a bias fails them all."""
        for left in reversed(range(times)):
            try:
                return attempt()
            except AssertionError:
                if not left:
                    raise


def skip_without(name: str) -> Any:
    """A module that some interpreters lack; its absence is a named skip."""
    try:
        return __import__(name)
    except ImportError:
        raise unittest.SkipTest(f"no module {name} here") from None


SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}
