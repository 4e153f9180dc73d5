"""What the tests of forks share: a program in a process of its own, and its profiles by process.

A program begins with PRELUDE.  It prints what it knows to be true as one line of JSON, last.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
from typing import Any, NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))

import support  # noqa: E402
from support import Case, Rows, read_rows  # noqa: E402, F401

LONG = bool(os.environ.get("SNECK_LONG"))
SANITIZED = bool(os.environ.get("SNECK_SANITIZED"))


def often(interval_s: float) -> str:
    """Uploads all the time; but before gcc 14 the address sanitizer's allocator is left locked in a child
    that is forked while another thread allocates: there, our thread does nothing between flushes."""
    return f"upload_interval={3600 if SANITIZED else interval_s}"


# A child has this long to end, on a machine that does much else: one that hangs never ends.
PRELUDE = """
import ctypes, json, os, signal, sys, threading, time, warnings
import sneck
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: a test that is killed leaves nothing behind
warnings.simplefilter("ignore")  # from 3.12 on Python warns of a fork among threads
LIMIT_S = 60

def settled_fork():
    # Where a sample has just been taken, our thread begins and allocates: see often().
    if os.environ.get("SNECK_SANITIZED"):
        time.sleep(0.3)
    return os.fork()

def end_of(child):
    # Its exit status as waitpid() has it, or an exception where it hangs.  Looks count beside the clock,
    # which runs on where the whole machine stands still.
    until, looks = time.monotonic() + LIMIT_S, 0
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        looks += 1
        if time.monotonic() > until and looks > 5000:
            os.kill(child, signal.SIGABRT)
            os.waitpid(child, 0)
            raise AssertionError(f"child {child} hangs")
        time.sleep(0.001)

def expect(child, status):
    found = end_of(child)
    assert found == status, f"child {child}: {found:#x}, not {status:#x}"

def use(lock, times):
    for _ in range(times):
        with lock:
            pass

def flushed_exit(code=0):
    os._exit(code if sneck.flush(LIMIT_S) else 99)

def tell(**truth):
    print(json.dumps(truth), flush=True)

"""


class Told(NamedTuple):
    """How a program ended, what it said is true, and its samples by process id."""

    truth: dict[str, Any]
    rows: dict[int, Rows]
    files: dict[int, int]
    pid: int
    err: str


class Silence:
    """An agent that accepts and never answers."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.accepted: list[socket.socket] = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                self.accepted.append(self.listener.accept()[0])
            except OSError:
                return

    def __enter__(self) -> "Silence":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.accepted:
            connection.close()


def rows_by_process(folder: str) -> tuple[dict[int, Rows], dict[int, int]]:
    rows: dict[int, Rows] = {}
    files: dict[int, int] = {}
    for path in support.files(folder):
        pid = int(re.findall(r"\.(\d+)\.\d+\.pprof$", path)[0])
        rows.setdefault(pid, Rows()).extend(support.read_file(path))
        files[pid] = files.get(pid, 0) + 1
    return rows, files


def to_files(env: dict[str, str] | None) -> str:
    """Where nothing else is told."""
    return "" if any(name.startswith("DD_TRACE") for name in env or ()) else "output=output, "


def run_program(code: str, *, start: str | None = "capture_pct=100", env: dict[str, str] | None = None,
                prelude: str = "", timeout_s: float = 250) -> Told:
    """Run it, profiled from the line after the prelude unless start is None; it must end well and say nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        script = os.path.join(folder, "program.py")
        lines = [prelude, PRELUDE, f"output = {os.path.join(folder, 'p')!r}", f"sneck.start({to_files(env)}{start})" if start else "", textwrap.dedent(code)]
        with open(script, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        process = subprocess.Popen([sys.executable, "-X", "faulthandler", script], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 6)
            out, err = process.communicate()
            raise AssertionError(f"the program hangs:\n{out}\n{err}") from None
        if process.returncode:
            raise AssertionError(f"the program ended with {process.returncode}:\n{out}\n{err}")
        rows, files = rows_by_process(folder)
        return Told(json.loads(out.splitlines()[-1]), rows, files, process.pid, err)


def of_lock(rows: dict[int, Rows], pid: int, lock: str) -> tuple[int, int]:
    """(acquires, releases) of one lock in one process's files."""
    found = rows.get(pid, Rows()).of(lock)
    return found.acquires, found.releases
