"""sneck run: start a program with the profiler in it, and get out of its way.

The program replaces this process, so there is nobody between it and its parent: its exit
status, its signals and its terminal are its own.  What it inherits is an environment: the
SNECK_* variables, and a directory in front of PYTHONPATH whose sitecustomize starts the
profiler in every Python below.
"""
import argparse
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sneck.extension import function
from sneck.messages import say
from sneck.switches import is_quiet, is_switched_off

BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bootstrap")
WHO = "sneck run"
USAGE = "sneck run [OPTIONS] PROGRAM [ARGS]"
DESCRIPTION = """Run PROGRAM with the lock profiler in it.  PROGRAM is a Python script, -m MODULE, -c CODE,
a command on PATH (gunicorn, pytest, python3 -X dev app.py), or anything whose children are Python."""
NOT_FOUND, NOT_EXECUTABLE, USAGE_ERROR = 127, 126, 2

Row = Mapping[str, Any]  # of _sneck.options()


def main(argv: Sequence[str]) -> int:
    """Run the program in place of this process; come back only with the status of a failure."""
    rows, why_none = option_rows()
    parser = build_parser(rows)
    mine, program = split(argv, rows)
    if mine and why_none and not {"-h", "--help"} & set(mine):
        parser.error(f"no options are known: {why_none}")
    chosen = vars(parser.parse_args(mine))
    if not program:
        parser.error("which program?")
    environment = initial_environment()
    environment.update(variables(rows, chosen, environment))
    environment["PYTHONPATH"] = python_path(environment.get("PYTHONPATH", ""))
    return execute(*command(program), environment)


# ---- options -----------------------------------------------------------------------------


def option_rows() -> tuple[list[Row], str]:
    """The extension's table of options; or none, and why.  The program runs in any case."""
    try:
        return [row for row in function("options")() if not row["secret"]], ""  # command lines are no secret
    except ImportError as error:
        return [], str(error)


def flag(row: Row) -> str:
    return "--" + str(row["name"]).replace("_", "-")


def is_boolean(row: Row) -> bool:
    return bool(row["type"] == "bool")


def number(text: str) -> str:
    """The text of a number, as it came; the extension knows what to do beyond the limits."""
    float(text)
    return text


def help_text(row: Row) -> str:
    default = str(row["default"]).lower() if is_boolean(row) else str(row["default"])
    return f"{row['help']} Default: {default or 'none'}. [{row['variables'][0]}]".replace("%", "%%")


def build_parser(rows: Sequence[Row]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sneck run", usage=USAGE, description=DESCRIPTION, allow_abbrev=False,
                                     epilog="Each option sets the variable named with it.")
    for row in rows:
        if is_boolean(row):
            parser.add_argument(flag(row), dest=row["name"], action=argparse.BooleanOptionalAction,
                                default=argparse.SUPPRESS, help=help_text(row))
            continue
        is_number = row["type"] in ("int", "float")
        parser.add_argument(flag(row), dest=row["name"], default=argparse.SUPPRESS, help=help_text(row),
                            type=number if is_number else str, metavar="NUMBER" if is_number else "TEXT")
    return parser


def split(argv: Sequence[str], rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Our options, and the program with its own.  The program starts at -m, -c, or the first word."""
    with_value = {flag(row) for row in rows if not is_boolean(row)}
    at = 0
    while at < len(argv) and argv[at].startswith("-") and argv[at][:2] not in ("-", "-m", "-c"):
        if argv[at] == "--":
            return list(argv[:at]), list(argv[at + 1:])
        at += 2 if argv[at] in with_value else 1
    return list(argv[:at]), list(argv[at:])


def variables(rows: Sequence[Row], chosen: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """The SNECK_* variables for what was chosen.  The place of the files is made absolute:
    a child that changes its directory writes where the others do."""
    out: dict[str, str] = {}
    for row in rows:
        value = chosen.get(row["name"])
        if value is not None:
            out[row["variables"][0]] = str(int(value)) if is_boolean(row) else value
        if row["name"] == "output":
            out.update(place_of_files(row, value, environment))
    return out


def place_of_files(row: Row, value: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """In the variable that says so already; the default in one that sends nothing to files
    which would go elsewhere."""
    if value:
        return {row["variables"][0]: absolute(value)}
    for variable in row["variables"]:
        if environment.get(variable):
            return {variable: absolute(environment[variable])}
    return {"SNECK_OUTPUT_DEFAULT": absolute(row["default"])}


def absolute(path: str) -> str:
    """os.path.abspath() that keeps the slash at the end: it says that this is a directory."""
    return os.path.join(os.path.abspath(path), "") if path.endswith("/") else os.path.abspath(path)


# ---- environment -------------------------------------------------------------------------


def python_path(before: str) -> str:
    """The bootstrap directory in front of what was there.  An empty PYTHONPATH means none at all,
    while an empty entry is the current directory: neither may turn into the other."""
    entries = before.split(os.pathsep) if before else []
    return os.pathsep.join([BOOTSTRAP, *(entry for entry in entries if entry != BOOTSTRAP)])


def initial_environment() -> dict[str, str]:
    """The environment this process was given.  In the C locale Python sets an LC_CTYPE of its own
    at its start; the program must not find that one, as its own flags would come out otherwise."""
    environment = dict(os.environ)
    try:
        with open("/proc/self/environ", "rb") as file:
            pairs = (entry.partition(b"=") for entry in file.read().split(b"\0"))
            given = {name: value for name, _, value in pairs}
    except OSError:
        return environment
    environment.pop("LC_CTYPE", None)
    if b"LC_CTYPE" in given:
        environment["LC_CTYPE"] = os.fsdecode(given[b"LC_CTYPE"])
    return environment


# ---- program -----------------------------------------------------------------------------


def command(program: Sequence[str]) -> tuple[str, list[str]]:
    """The file to execute and its argv: a command as it is, anything else by Python."""
    word = program[0]
    by_python = python(), [python(), *program]
    is_script = word.endswith((".py", ".pyc", ".pyz"))
    if word[:2] in ("-", "-m", "-c") or (is_script and os.path.exists(word)):
        return by_python
    if found := shutil.which(word):
        return found, list(program)
    if found := beside_python(word):
        return found, [found, *program[1:]]
    if is_script or os.path.exists(word):  # or without the executable bit; or a directory with __main__.py
        return by_python
    return word, list(program)


def beside_python(word: str) -> str | None:
    """A command that is installed where our own interpreter is, though not on PATH."""
    return None if os.sep in word else shutil.which(word, path=os.path.dirname(sys.executable))


def python() -> str:
    """The interpreter for scripts: our own, or that of the virtual environment one is in."""
    venv = os.environ.get("VIRTUAL_ENV", "")
    theirs = os.path.join(venv, "bin", "python")
    if venv and sys.prefix == sys.base_prefix and os.access(theirs, os.X_OK):
        return theirs
    return sys.executable


def execute(path: str, argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Become the program; the status to exit with when that fails, as shells have it."""
    word = deaf_flag(path, argv[1:])
    if word and not is_quiet(environment) and not is_switched_off(environment):
        say(WHO, f"{argv[0]} runs Python with {word}, which keeps sneck out: it is not profiled")
    for name in ("SIGPIPE", "SIGXFSZ"):  # Python ignores these two, and ignoring is inherited
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execve(path, list(argv), environment)
    except OSError as error:
        say(WHO, f"{path}: {error.strerror}")
        return NOT_FOUND if isinstance(error, (FileNotFoundError, NotADirectoryError)) else NOT_EXECUTABLE


def deaf_flag(path: str, arguments: Sequence[str]) -> str:
    """The flag, of the command or of its script's first line, that makes Python deaf to us; or ""."""
    words = list(arguments)
    if not is_python(path):
        words = first_line(path)
        while words and not is_python(words[0]):  # env -S python3
            del words[0]
        del words[:1]
    for word in words:
        if word[:1] != "-" or word[1:2] in ("", "-", "m", "c", "W", "X"):
            break
        if set(word[1:]) & set("IES"):
            return word
    return ""


def is_python(path: str) -> bool:
    return os.path.basename(path).startswith("python")


def first_line(path: str) -> list[str]:
    """The words behind #! of a script; none for anything else."""
    try:
        with open(path, "rb") as file:
            line = file.readline(256)
    except OSError:
        return []
    return line[2:].decode("utf-8", "replace").split() if line.startswith(b"#!") else []
