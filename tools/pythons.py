"""The CPythons that tests and benchmarks run on: finding them, and starting a program in each.

A Python is {"version", "python", "root", "jit"}: `root` is "" on the host; inside a root,
the tree that a program needs is bound at its own path (enter-root).
"""

import dataclasses
import glob
import json
import os
import re
import subprocess

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENTER = os.path.join(SOURCE, "tools", "enter-root")
WANTED = ["3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]

PROBE = """
import json, os, struct, sys, sysconfig
jit = getattr(sys, "_jit", None)
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3],
    "python": os.path.realpath(sys.executable),
    "jit": bool(jit and jit.is_available()),
    "fits": sys.implementation.name == "cpython" and sys.version_info >= (3, 10)
            and struct.calcsize("P") == 8 and not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""


def roots() -> list[str]:
    """Where a root of newer interpreters may be; SNECK_ROOTS adds some (a:b:c)."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    named = [path for path in os.environ.get("SNECK_ROOTS", "").split(":") if path]
    return named + ["/var/cache/sneck/sid", os.path.join(cache, "sneck", "sid")]


def host_candidates() -> list[str]:
    """Paths on the host that look like a Python, best first."""
    found: list[str] = []
    for folder in [*os.environ.get("PATH", "").split(":"), "/usr/local/bin", "/usr/bin"]:
        found += sorted(glob.glob(os.path.join(folder, "python3.[0-9]*")))
        found.append(os.path.join(folder, "python3"))
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    found += sorted(glob.glob(os.path.join(pyenv, "versions", "3.*", "bin", "python3")))
    found += sorted(glob.glob(os.path.join(data, "uv", "python", "cpython-*", "bin", "python3")))
    looks = re.compile(r"/python3(\.\d+)?$")
    return [path for path in found if looks.search(path) and "/shims/" not in path and os.access(path, os.X_OK)]


def probe(command: list[str], root: str) -> dict | None:
    """What the interpreter says of itself, or None if it does not start or does not fit."""
    try:
        run = subprocess.run([*command, "-I", "-c", PROBE], capture_output=True, text=True, timeout=60, cwd="/")
        facts = json.loads(run.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if not facts.pop("fits"):
        return None
    return {**facts, "root": root}


def candidates() -> list[tuple[list[str], str]]:
    """(command, root) of everything worth a probe, each file once."""
    found = {os.path.realpath(path): ([path], "") for path in reversed(host_candidates())}
    out = list(found.values())
    for root in roots():
        for path in sorted(glob.glob(root + "/usr/bin/python3.[0-9]*")):
            if re.search(r"/python3\.\d+$", path):
                out.append(([ENTER, root, "--", path[len(root):]], root))
    return out


def find() -> list[dict]:
    """Each version once, in order; the host's goes before a root's."""
    versions: dict[str, dict] = {}
    for command, root in candidates():
        facts = probe(command, root)
        if facts:
            versions.setdefault(facts["version"], facts)
    return sorted(versions.values(), key=lambda facts: [int(n) for n in facts["version"].split(".")])


def missing(found: list[dict]) -> list[str]:
    have = {facts["version"].rpartition(".")[0] for facts in found}
    return [minor for minor in WANTED if minor not in have]


@dataclasses.dataclass(frozen=True)
class Column:
    """One interpreter, in one way of running it."""

    name: str
    command: tuple[str, ...]
    variables: tuple[tuple[str, str], ...] = ()


def stage() -> str:
    """The built package's folder: what PYTHONPATH names."""
    return os.path.abspath(os.environ.get("SNECK_STAGE") or os.path.join(SOURCE, "build", "stage"))


def matches(version: str, wanted: str) -> bool:
    return any(version == want or version.startswith(want + ".") for want in wanted.split(","))


def columns(wanted: str = "", sanitizer: str = "", jit: bool = True) -> tuple[list[Column], list[str]]:
    """What to run on (wanted: "3.11,3.13.18"), and what is skipped and why."""
    found = find()
    skipped = [f"CPython {minor}: not on this machine" for minor in missing(found)]
    out: list[Column] = []
    for facts in found:
        version, command = facts["version"], [facts["python"]]
        if wanted and not matches(version, wanted):
            continue
        if facts["root"]:
            if sanitizer:
                skipped.append(f"CPython {version}: in a root of its own, where the sanitizer's runtime is not")
                continue
            command = [ENTER, facts["root"], "--bind", SOURCE, "--bind", os.path.dirname(stage()), "--", *command]
        out.append(Column(version, tuple(command)))
        if jit and facts["jit"] and not sanitizer:
            out.append(Column(version + " jit", tuple(command), (("PYTHON_JIT", "1"),)))
    return out, skipped


def environment(column: Column, sanitizer: str = "") -> dict[str, str]:
    """The caller's, without what would change a Python or the profiler; the built package on its path."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("PYTHON", "DD_", "SNECK_", "MAKE", "PYENV")) and name != "TMPDIR"}
    if "SNECK_LONG" in os.environ:
        env.update(SNECK_LONG=os.environ["SNECK_LONG"])
    env.update(PYTHONPATH=stage(), PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1", **dict(column.variables))
    if sanitizer:
        env.update(LD_PRELOAD=sanitizer, ASAN_OPTIONS="detect_leaks=0", SNECK_SANITIZED="1")
    return env
