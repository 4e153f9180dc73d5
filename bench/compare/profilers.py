"""The profilers that are compared, each by its own public face: how to switch it on and off, start a program, read its files.

    with chosen("sneck", folder) as profiler:
        profiler.on(); ...; profiler.off()
        rows(folder)
"""

import glob
import importlib.util
import os
import sys
from typing import Any, NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.append(os.path.join(SOURCE, "tests", "python"))

NAMES = ("bare", "sneck", "ddtrace")

# ddtrace with its lock profiler alone: no other of its parts is compared, so none may cost anything.
DDTRACE = {"DD_TRACE_ENABLED": "false", "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_CRASHTRACKING_ENABLED": "false",
           "DD_REMOTE_CONFIGURATION_ENABLED": "false", "DD_PROFILING_STACK_ENABLED": "0", "DD_PROFILING_MEMORY_ENABLED": "0",
           "DD_PROFILING_EXCEPTION_ENABLED": "0", "DD_PROFILING_LOCK_ENABLED": "1", "DD_PROFILING_ENABLED": "1"}


def variables(name: str, folder: str, pct: str) -> dict[str, str]:
    """What makes it capture so much, and write files there."""
    if name == "sneck":
        return {"SNECK_CAPTURE_PCT": pct, "SNECK_OUTPUT": os.path.join(folder, "profile")}
    if name == "ddtrace":
        return {**DDTRACE, "DD_PROFILING_CAPTURE_PCT": pct, "DD_PROFILING_OUTPUT_PPROF": os.path.join(folder, "profile")}
    return {}


def launcher(name: str, python: str) -> list[str]:
    """What comes before a program's own command line."""
    if name == "sneck":
        return [python, "-m", "sneck", "run"]
    if name == "ddtrace":
        return [python, "-c", "import sys, runpy, ddtrace.profiling.auto; sys.argv = sys.argv[1:]; "
                              "runpy.run_path(sys.argv[0], run_name='__main__')"]
    return [python]


class Profiler:
    """On and off inside a process, as often as one likes; bare: nothing at all."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.running: Any = None
        if name == "sneck":
            import sneck
            self.sneck = sneck
        elif name == "ddtrace":
            from ddtrace.profiling import Profiler as Theirs
            self.theirs = Theirs

    def on(self) -> None:
        if self.name == "sneck":
            self.sneck.start()
        elif self.name == "ddtrace":
            self.running = self.theirs()
            self.running.start()

    def off(self) -> None:
        if self.name == "sneck":
            self.sneck.stop()
        elif self.name == "ddtrace":
            self.running.stop()


def version(name: str) -> str:
    if name == "bare":
        return ""
    module = __import__(name)
    return str(getattr(module, "__version__", None) or module.status()["version"])


def missing(name: str) -> str:
    """Why it cannot be compared, or nothing."""
    if name == "bare" or importlib.util.find_spec(name):
        return ""
    return f"{name} is not installed for CPython {'.'.join(map(str, sys.version_info[:3]))} (make bench-venv)"


class Row(NamedTuple):
    lock: str                   # "x" of "file.py:12:x"; "file.py:12" without a name
    thread: str
    values: dict[str, int]


def rows(folder: str) -> list[Row]:
    """All samples of locks in the files of a folder, whoever wrote them, whatever compressed them."""
    import gzip

    import pprof_oracle
    found: list[Row] = []
    for path in sorted(glob.glob(os.path.join(folder, "*.pprof"))):
        with open(path, "rb") as file:
            data = file.read()
        if data[:4] == b"\x28\xb5\x2f\xfd":
            import zstandard
            data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        profile = pprof_oracle.parse(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
        types = [name for name, _unit in profile.sample_types]
        for _frames, labels, values in profile.samples:
            name = str(labels.get("lock name", ""))
            if name:
                bare = name.split(":", 2)[-1] if name.count(":") > 1 else name
                found.append(Row(bare, str(labels.get("thread name", "")), dict(zip(types, values))))
    return found
