"""A program under the profiler that a test talks to: it takes its locks when told to, and counts for itself.

    with Program({"DD_TRACE_AGENT_URL": intake.url}) as program:
        program("use", 50)              # takes the lock `counted` fifty times
        program("flush")                # what sneck.flush() says
        program("status")["upload"]
        ended = program.end(3)          # exits with that status: status, out, err, seconds, lived
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, NamedTuple

CODE = '''
import json, os, signal, sys, threading, time
counted = threading.Lock()
taken = 0

def use(times):
    global taken
    for _ in range(times):
        with counted:
            taken += 1
    return taken

def variety(stacks):
    """That many different stacks, each taking its lock once."""
    names = {"lock": counted}
    lines = "\\n".join("    with lock: pass" for _ in range(500))
    for i in range(0, stacks, 500):
        exec(compile("def f%d():\\n%s" % (i, lines), "/made/file_%d.py" % i, "exec"), names)
        names["f%d" % i]()
    names.clear()                       # they are in a circle with their globals
    return stacks

def flush():
    import sneck
    try:
        return sneck.flush()
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)

def status():
    import sneck
    return sneck.status()

def start(**options):
    import sneck
    sneck.start(**options)

def start_refused(**options):
    """What it was refused with."""
    try:
        start(**options)
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)

def stop():
    import sneck
    sneck.stop()

def maps(library):
    """How many mappings of a library of that name this process has, and a child of it has."""
    def count():
        return sum("/" + library in line for line in open("/proc/self/maps"))
    hear, say = os.pipe()
    pid = os.fork()
    if not pid:
        use(1)
        os.write(say, b"%d" % count())
        os._exit(0)
    os.waitpid(pid, 0)
    return [count(), int(os.read(hear, 99))]

def exit_of_c(status):
    """The end of a process that does not end its Python, as uWSGI's."""
    import ctypes
    ctypes.CDLL(None).exit(status)

def exit_of_os(status):
    os._exit(status)

def fork(times):
    pid = os.fork()
    if not pid:
        use(times)
        sys.exit(0)
    return [pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]

def peak():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:"))) * 1024

def sums(rounds):
    """A result of the program's own, threads and locks and all."""
    total, lock = [0], threading.Lock()
    def add():
        for i in range(rounds):
            with lock:
                total[0] += i
    threads = [threading.Thread(target=add) for _ in range(4)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    return total[0]

print(json.dumps({"pid": os.getpid(), "version": "%d.%d.%d" % sys.version_info[:3]}), flush=True)
for line in sys.stdin:
    word, arguments, named = json.loads(line)
    if word == "exit":
        sys.exit(*arguments)
    if word == "return":
        break
    print(json.dumps(globals()[word](*arguments, **named)), flush=True)
'''


class Ended(NamedTuple):
    status: int
    out: str
    err: str
    seconds: float                      # from the word to the end
    lived: float                        # and from its beginning

    @property
    def plain(self) -> tuple[int, str]:
        return self.status, self.err


class Program:
    """how: "auto" (import sneck.auto), "run" (sneck run), "bare" (nothing; it may say start)."""

    def __init__(self, env: "dict[str, str] | None" = None, how: str = "auto", name: str = "shop/app.py") -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.script = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(self.script), exist_ok=True)
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(("import sneck.auto\n" if how == "auto" else "") + CODE)
        variables = {"SNECK_CAPTURE_PCT": "100", "DD_PROFILING_UPLOAD_INTERVAL": "3000", **(env or {})}
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("DD_", "SNECK_", "PYROSCOPE", "SSL_"))}
        inherited["PYTHONPATH"] = os.path.abspath(inherited.get("PYTHONPATH", ""))
        command = [sys.executable, *(["-m", "sneck", "run"] if how == "run" else []), self.script]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, env={**inherited, **variables}, cwd=self.folder.name)
        self.seen_out, self.seen_err = "", ""
        self.began = time.monotonic()
        self.hello: dict[str, Any] = self._answer()
        self.pid: int = self.hello["pid"]

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.folder.cleanup()

    def _answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        self.seen_out += line
        if not line:
            raise AssertionError(f"the program ended: {self.process.communicate()[1]}")
        return json.loads(line)

    def __call__(self, word: str, *arguments: Any, **named: Any) -> Any:
        assert self.process.stdin
        self.process.stdin.write(json.dumps([word, arguments, named]) + "\n")
        self.process.stdin.flush()
        return self._answer()

    @property
    def upload(self) -> dict[str, Any]:
        """What status() says of uploads."""
        return self("status")["upload"]

    def until(self, holds: Any, what: str, timeout_s: float = 60) -> dict[str, Any]:
        """Wait until that holds of `upload`."""
        end = time.monotonic() + timeout_s
        while True:
            upload = self.upload
            if holds(upload):
                return upload
            if time.monotonic() > end:
                raise AssertionError(f"never {what}: {upload}")
            time.sleep(0.05)

    def end(self, status: int = 0, by: "signal.Signals | None" = None, timeout_s: float = 120, word: str = "exit") -> Ended:
        began = time.monotonic()
        if by is not None:
            self.process.send_signal(by)
        out, err = self.process.communicate(None if by is not None else json.dumps([word, [status], {}]) + "\n", timeout_s)
        self.seen_out += out
        ended = time.monotonic()
        return Ended(self.process.returncode, self.seen_out, err, ended - began, ended - self.began)
