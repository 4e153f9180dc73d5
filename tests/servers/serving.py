"""What the tests of servers share: start one as a user would, ask it, end it, compare with the truth."""

import collections
import concurrent.futures
import http.client
import importlib.util
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Any, Callable, Iterator

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(SOURCE, "tests", "python"), os.path.join(SOURCE, "tests", "upload")]

from intake import Intake  # noqa: E402
from support import SANITIZED, Case, Rows, read_rows  # noqa: E402

STAGE = os.environ.get("SNECK_STAGE", os.path.join(SOURCE, "build", "stage"))
BIN = os.path.dirname(sys.executable)  # the servers' virtual environment
LONG = bool(os.environ.get("SNECK_LONG"))
PATIENCE_S = 60  # for what takes well under a second: the machine may be busy
SOON_S = 30 if SANITIZED else 5  # and the end of a server whose profiles arrive; it takes a quarter of a second
LOCKS = ("native_lock", "session_lock", "lock_of_cache", "slow_lock", "keeper_lock")

Tally = collections.Counter  # of (lock, thread)


def needs(*commands: str) -> Any:
    """A test without its server is a skip that names it."""
    missing = list(filter(is_missing, commands))
    return unittest.skipIf(missing, not_installed(missing))


def is_missing(name: str) -> bool:
    """Neither a command nor a module."""
    return not os.path.exists(os.path.join(BIN, name)) and importlib.util.find_spec(name) is None


def not_installed(missing: list[str]) -> str:
    return f"not installed: {', '.join(missing)} (./quickstart check installs it)"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str) -> Any:
    limit = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        if time.monotonic() > limit:
            raise AssertionError(f"{what}: not within {PATIENCE_S} s")
        time.sleep(0.05)
    return found


class Server:
    """A server with the application, in a folder of its own; its profiles become files, or go to an intake."""

    def __init__(self, command: str, intake: "Intake | None" = None, **env: str) -> None:
        self.intake = intake
        self.killed: set[int] = set()
        self.folder = tempfile.mkdtemp(prefix="sneck-servers-")
        self.profiles = os.path.join(self.folder, "profiles")
        self.truth = os.path.join(self.folder, "truth")
        os.mkdir(self.truth)
        for name in ("app.py", "tasks.py"):
            shutil.copy(os.path.join(HERE, name), self.folder)
        self.port = free_port()
        self.command = shlex.split(command.replace("8000", str(self.port)))
        self.make_sneck()
        self.env = {name: value for name, value in os.environ.items()
                    if not name.startswith(("PYTHON", "SNECK_", "DD_", "GUNICORN", "UWSGI")) and name != "VIRTUAL_ENV"}
        whereto = {"DD_TRACE_AGENT_URL": intake.url} if intake else {"SNECK_OUTPUT": self.profiles + "/"}
        self.env.update(PATH=f"{self.folder}/bin:{BIN}:{self.env['PATH']}", PYTHONPATH=STAGE, PYTHONDONTWRITEBYTECODE="1",
                        TRUTH=self.truth, SNECK_CAPTURE_PCT="100", **{**whereto, **env})

    def make_sneck(self) -> None:
        """The command as a user has it, of the package under test."""
        self.write("bin/sneck", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m sneck "$@"\n')
        os.chmod(os.path.join(self.folder, "bin/sneck"), 0o755)

    def write(self, name: str, text: str) -> None:
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    # ---- its life

    def start(self) -> "Server":
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        return self

    def log(self) -> str:
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with status {self.process.returncode}:\n{self.log()}")
        try:
            return bool(self.get("/work"))
        except (OSError, http.client.HTTPException):
            return False

    def ready(self) -> "Server":
        wait_for(self.answers, "an answer")
        return self

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def send_all(self, number: int) -> None:
        """To every process of it, as a terminal does: for servers without one that manages the others."""
        os.killpg(self.process.pid, number)
        self.process.wait(PATIENCE_S)
        wait_for(lambda: not self.members(), "the end of all processes")

    def members(self) -> list[int]:
        """Processes of its session that have not ended."""
        def is_one(pid: str) -> bool:
            try:
                with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                    state, _, _, session = file.read().rpartition(") ")[2].split()[:4]
            except OSError:
                return False
            return int(session) == self.process.pid and state not in "ZX"
        return [int(pid) for pid in os.listdir("/proc") if pid.isdecimal() and is_one(pid)]

    def end(self, number: int = signal.SIGTERM) -> int:
        """Its status: the server gets the signal, its workers what it gives them."""
        if self.process.poll() is None:
            self.send(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the server does not end:\n{self.log()}") from None

    def kill(self, pid: int) -> None:
        """One of its processes, which has no end of its own then."""
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        """Nothing of it stays, whatever became of it."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, AttributeError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- requests

    def get(self, path: str = "/work", timeout_s: float = PATIENCE_S) -> int:
        """The pid that answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise AssertionError(f"{path}: {answer.status} {text!r}")
            return int(text)
        finally:
            connection.close()

    def get_many(self, n: int, path: str = "/work", at_once: int = 4) -> set[int]:
        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            return set(pool.map(lambda _: self.get(path), range(n)))

    def get_from(self, workers: int) -> set[int]:
        """Ask until that many processes have answered."""
        seen: set[int] = set()
        wait_for(lambda: seen.update(self.get_many(8)) or len(seen) >= workers, f"answers of {workers} workers")
        return seen

    def begun(self) -> int:
        """How many slow requests it has begun to serve."""
        try:
            with open(self.truth + ".begun", encoding="utf-8") as file:
                return len(file.readlines())
        except FileNotFoundError:
            return 0

    # ---- what it left

    def counted(self) -> dict[int, "Tally[tuple[str, str]]"]:
        """The truth: by process, operations by (lock, thread)."""
        out: dict[int, Tally[tuple[str, str]]] = {}
        for name in os.listdir(self.truth):
            with open(os.path.join(self.truth, name), encoding="utf-8") as file:
                for lock, thread, n in map(json.loads, file):
                    out.setdefault(int(name), Tally())[lock, thread] += n
        return out

    def arrived(self) -> dict[int, Rows]:
        """By process, the samples of the application's locks."""
        out: dict[int, Rows] = {}
        for pid, rows in self.from_intake() if self.intake else self.from_files():
            out.setdefault(pid, Rows()).extend(row for row in rows if row.lock in LOCKS)
        return out

    def from_intake(self) -> Iterator[tuple[int, Rows]]:
        assert self.intake
        for upload in self.intake.accepted():
            yield upload.pid, upload.rows

    def from_files(self) -> Iterator[tuple[int, Rows]]:
        """As they are named.  One is being written only while the server runs, or was by a process that was killed."""
        for name in sorted(os.listdir(self.profiles)) if os.path.isdir(self.profiles) else []:
            match = re.fullmatch(r".+\.(\d+)\.(\d+)\.pprof", name)
            part = re.fullmatch(r".+\.(\d+)\.\d+\.pprof\.[0-9a-f]+\.part", name)
            if part and (self.process.poll() is None or int(part[1]) in self.killed):
                continue
            if not match:
                raise AssertionError(f"a torn or foreign file: {name}")
            one = tempfile.mkdtemp(dir=self.folder)
            os.link(os.path.join(self.profiles, name), os.path.join(one, name))
            yield int(match[1]), read_rows(one)


class ServerCase(Case):
    def server(self, command: str, kind: "type[Server]" = Server, intake: "Intake | None" = None, **env: str) -> Server:
        server = kind(command, intake, **env)
        self.addCleanup(server.remove)
        return server

    def skip_without(self, name: str) -> None:
        """needs() for a part of a test."""
        if is_missing(name):
            self.skipTest(not_installed([name]))

    def intake(self) -> Intake:
        intake = Intake()
        self.addCleanup(intake.__exit__)
        return intake

    def assert_identities(self, server: Server) -> None:
        """What came says truly which process it comes from, and each process goes by an id of its own."""
        assert server.intake
        self.assertEqual((server.intake.violations(), server.intake.failures), ([], []))
        ids = {(upload.pid, upload.runtime_id) for upload in server.intake.accepted()}
        pids, runtime_ids = map(set, zip(*ids))
        self.assertLessEqual(set(server.counted()), pids)
        self.assertEqual((len(ids), len(runtime_ids)), (len(pids), len(pids)))

    def assert_truth(self, server: Server, locks: tuple[str, ...] = LOCKS, by_thread: bool = True,
                     without: "set[int]" = frozenset()) -> None:  # type: ignore[assignment]
        """Each process's own operations are in its profiles, each once, and nobody else's."""
        counted, arrived = server.counted(), server.arrived()
        self.assertTrue(counted)
        for pid in sorted(counted.keys() | arrived.keys()):
            if pid in without:
                continue
            told: Tally[tuple[str, str]] = Tally()
            released: Tally[tuple[str, str]] = Tally()
            for row in arrived.get(pid, Rows()):
                key = row.lock, str(row.labels["thread name"])
                told[key] += row.values["lock-acquire"]
                released[key] += row.values["lock-release"]
            truth = counted.get(pid, Tally())
            self.assertEqual(self.keyed(told, locks, by_thread), self.keyed(truth, locks, by_thread),
                             f"process {pid} of {sorted(counted)}\n{server.log()}")
            self.assertEqual(self.keyed(released, locks, by_thread), self.keyed(truth, locks, by_thread), f"process {pid}")

    @staticmethod
    def keyed(tally: "Tally[tuple[str, str]]", locks: tuple[str, ...], by_thread: bool) -> dict[Any, int]:
        out: Tally[Any] = Tally()
        for (lock, thread), n in tally.items():
            if lock in locks and n:
                out[(lock, thread) if by_thread else lock] += n
        return dict(out)

    def assert_ends_soon(self, server: Server) -> None:
        began = time.monotonic()
        self.assertEqual(server.end(), 0, server.log())
        self.assertLess(time.monotonic() - began, SOON_S, server.log())

    def assert_one_file_each(self, server: Server, pids: "set[int]") -> None:
        self.assertEqual(Tally(pid for pid, _ in server.from_files()), Tally(pids))

    def assert_quiet(self, server: Server) -> None:
        """Nothing said of us, nothing gone wrong."""
        for bad in ("sneck:", "Traceback", "Segmentation", "DAMN", "WORKER TIMEOUT", "SIGKILL", "Error"):
            self.assertNotIn(bad, server.log())

    def assert_merges(self, server: Server, locks: tuple[str, ...] = LOCKS) -> None:
        """sneck report shows all the processes' files as one table, with their sums."""
        run = subprocess.run([sys.executable, "-m", "sneck", "report", "--limit", "0", server.profiles], env=server.env, text=True,
                             capture_output=True, timeout=PATIENCE_S)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        for lock in {lock for tally in server.counted().values() for lock, _ in tally} & set(locks):
            self.assertIn(lock, run.stdout)

    def in_flight(self, server: Server, requests: int, act: Callable[[], Any]) -> None:
        """Requests that are being served while act() happens are answered all the same."""
        with concurrent.futures.ThreadPoolExecutor(requests) as pool:
            before = server.begun()
            asked = [pool.submit(server.get, "/slow") for _ in range(requests)]
            wait_for(lambda: server.begun() == before + requests, "all requests under way")
            act()
            self.assertTrue(all(one.result() for one in asked))


def combinations(short: list[Any], long: list[Any]) -> Iterator[Any]:
    """What make check runs, and what make check-long runs."""
    yield from long if LONG else short
