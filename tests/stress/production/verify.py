#!/usr/bin/env python3
"""Run the production stress test against a sink, read what arrived, and say which stage lost something.

    verify.py --sink agent                      an intake of our own, over TCP; unix, agentless, pyroscope, file likewise
    verify.py --sink file --capture-pct 100     every operation: the very numbers are compared
    verify.py --evidence FILE --arrived DIR     the files of a run that was, and what the program wrote at its end

Exit status 0: all of it arrived and is right; 1: not, each fault with its stage; 77: the sink needs what is missing here.
"""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TESTS, "upload"), os.path.join(TESTS, "python")]
sys.dont_write_bytecode = True

import certificates  # noqa: E402
import support  # noqa: E402
from arrival import Upload  # noqa: E402
from chain import Chain, Delivery, Fault  # noqa: E402
from intake import Intake  # noqa: E402
from phases import EXPECTED, PHASES  # noqa: E402

PROGRAM = os.path.join(HERE, "rlock_production_stress_test.py")
SINKS = ("file", "agent", "unix", "agentless", "pyroscope")
KEY = "f00d" * 8
SERVICE = {"DD_SERVICE": "rlock-production-stress-test", "DD_ENV": "stress-test"}


# ---- what arrived --------------------------------------------------------------------------

def from_files(folder: str) -> Delivery:
    delivery, numbers = Delivery(), dict[int, list[int]]()
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        match = re.fullmatch(r".+\.(\d+)\.(\d+)\.pprof", path)
        if not match:
            delivery.faults.append(Fault("transport", f"a torn or foreign file: {path}"))
            continue
        numbers.setdefault(int(match[1]), []).append(int(match[2]))
        try:
            rows = support.read_file(path)
        except Exception as error:
            delivery.faults.append(Fault("encoding", f"{path} cannot be read: {error}"))
            continue
        delivery.faults += second_reading(path, rows)
        delivery.add(int(match[1]), rows)
    for pid, found in numbers.items():
        missing = sorted(set(range(1, max(found) + 1)) - set(found))
        if missing:
            delivery.faults.append(Fault("transport", f"files {missing} of process {pid} are not there"))
    return delivery


def second_reading(path: str, rows: support.Rows) -> Iterator[Fault]:
    """sneck's own reader must see the same as the tests'."""
    import sneck
    profile = sneck.read_profile(path)
    names = [name for name, _unit in profile["sample_types"]]
    for i, name in enumerate(names):
        if sum(values[i] for _, _, values in profile["samples"]) != rows.sum(name):
            yield Fault("encoding", f"{path}: two readers see different sums of {name}")


def from_intake(intake: Intake) -> Delivery:
    delivery = Delivery()
    for text in intake.failures:
        delivery.faults.append(Fault("transport", f"a connection without a request: {text}"))
    for upload in intake.uploads:
        for text in upload.violations:
            delivery.faults.append(Fault("encoding", f"upload {upload.number}: {text}"))
        if upload.accepted:
            delivery.add(upload.pid, upload.rows)
    delivery.faults += gaps(intake.accepted())
    refused = intake.found(lambda upload: not upload.accepted)
    if refused and delivery.faults:
        delivery.faults.append(Fault("transport", f"{len(refused)} uploads were not accepted: "
                                     + ", ".join(f"{u.number} {u.behaviour.how or u.behaviour.status}" for u in refused)))
    return delivery


def gaps(uploads: list[Upload]) -> Iterator[Fault]:
    """Datadog's event counts a process's uploads: each number once."""
    numbers: dict[str, list[int]] = {}
    for upload in uploads:
        if "uploads" in upload.event.get("internal", {}):
            numbers.setdefault(upload.runtime_id, []).append(upload.event["internal"]["uploads"])
    for runtime, found in numbers.items():
        if sorted(found) != list(range(len(found))):
            yield Fault("transport", f"the uploads of {runtime} are numbered {sorted(found)}")


# ---- sinks, by variables alone ---------------------------------------------------------------

class Sink:
    """A place for profiles, the variables that name it, and what arrived there."""

    def __init__(self, kind: str, folder: str) -> None:
        self.kind, self.folder = kind, os.path.join(folder, "arrived")
        os.makedirs(self.folder, exist_ok=True)
        self.intake = None if kind == "file" else Intake(
            unix=os.path.join(folder, "apm.socket") if kind == "unix" else "", tls="good" if kind == "agentless" else "")

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, *_: object) -> None:
        if self.intake:
            self.intake.__exit__()

    @property
    def variables(self) -> dict[str, str]:
        if not self.intake:
            return {"SNECK_OUTPUT": self.folder + "/"}
        if self.kind == "agentless":
            return {"DD_PROFILING_AGENTLESS": "1", "DD_API_KEY": KEY, "DD_SITE": f"localhost:{self.intake.port}",
                    "SNECK_CA_FILE": self.intake.ca}
        return {"PYROSCOPE_SERVER_ADDRESS" if self.kind == "pyroscope" else "DD_TRACE_AGENT_URL": self.intake.url}

    def delivery(self) -> Delivery:
        return from_intake(self.intake) if self.intake else from_files(self.folder)


def environment(sink: Sink, **more: str) -> dict[str, str]:
    """The caller's, but for what chooses another sink."""
    chooses = re.compile(r"(SNECK_(OUTPUT|AGENT_URL|PYROSCOPE|API_KEY|CA_FILE)|DD_(?!SERVICE|ENV|VERSION|PROFILING_[CM])|PYROSCOPE)")
    kept = {name: value for name, value in os.environ.items() if not chooses.match(name)}
    if "PYTHONPATH" in kept:        # the program runs in another directory
        kept["PYTHONPATH"] = ":".join(map(os.path.abspath, kept["PYTHONPATH"].split(":")))
    return {**SERVICE, **kept, **sink.variables, **more}


def run_program(env: dict[str, str], folder: str, seconds: float, workers: int, auto: bool) -> dict[str, Any]:
    own = os.path.join(folder, "evidence.json")
    command = [sys.executable, *([] if auto else ["-m", "sneck", "run"]), PROGRAM, f"--seconds={seconds}",
               f"--workers={workers}", f"--evidence={own}", *(["--auto"] if auto else [])]
    ran = subprocess.run(command, env=env, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if ran.returncode or ran.stderr:
        raise SystemExit(f"the program ended with status {ran.returncode}, and said:\n{ran.stderr}")
    with open(own, encoding="utf-8") as file:
        evidence: dict[str, Any] = json.load(file)
        return evidence


# ---- the verdict -----------------------------------------------------------------------------

def identity_faults(intake: "Intake | None", env: dict[str, str]) -> Iterator[Fault]:
    """Whose profile it says it is."""
    for upload in intake.accepted() if intake else []:
        service = upload.application if upload.kind == "pyroscope" else upload.tags.get("service")
        if service != env["DD_SERVICE"]:
            yield Fault("encoding", f"upload {upload.number} is of the service {service!r}")
        if upload.kind != "pyroscope" and upload.tags.get("env") != env["DD_ENV"]:
            yield Fault("encoding", f"upload {upload.number} is of env {upload.tags.get('env')!r}")


def verdict(chains: list[Chain], more: "list[Fault] | None" = None) -> int:
    """Print the comparison; how many faults there are."""
    faults = [*(more or []), *(fault for chain in chains for fault in chain.faults())]
    for chain in chains:
        print("\n" + "\n".join(chain.table()))
    missing = set(EXPECTED) - {lock for chain in chains for lock in chain.truth}
    faults += [Fault("program", f"it never took {lock}") for lock in sorted(missing)]
    print()
    for fault in dict.fromkeys(faults):
        print("WRONG,", fault)
    pieces = chains[0].delivery.pieces
    print(f"{len(set(faults))} faults" if faults else f"all of it arrived, in {pieces} profiles, and is right")
    return len(faults)


def run_and_verify(kind: str, seconds: float, workers: int, auto: bool = False, keep: str = "", **variables: str) -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or temporary
        os.makedirs(folder, exist_ok=True)
        with Sink(kind, folder) as sink:
            env = environment(sink, **variables)
            print(f"{len(PHASES)} phases in {seconds:g} s, {workers} workers each; to: {kind}", flush=True)
            evidence = run_program(env, folder, seconds, workers, auto)
            # Before 3.11 code does not know its qualified name.
            chain = Chain(evidence, sink.delivery(), owners=sys.version_info >= (3, 11))
            return verdict([chain], list(identity_faults(sink.intake, env)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sink", choices=SINKS, default="agent")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--capture-pct", default=os.environ.get("SNECK_CAPTURE_PCT", "1"), help="default: %(default)s")
    parser.add_argument("--interval", default="10", help="seconds between uploads (default: %(default)s)")
    parser.add_argument("--auto", action="store_true", help="by import sneck.auto, not by sneck run")
    parser.add_argument("--keep", default="", metavar="DIR", help="leave the evidence, and what a file sink got, here")
    parser.add_argument("--evidence", metavar="FILE", help="of a run that was")
    parser.add_argument("--arrived", metavar="DIR", help="its files")
    arguments = parser.parse_args()
    if arguments.evidence:
        with open(arguments.evidence, encoding="utf-8") as file:
            return 1 if verdict([Chain(json.load(file), from_files(arguments.arrived), sys.version_info >= (3, 11))]) else 0
    if arguments.sink == "agentless" and not certificates.available():
        print("SKIP agentless: no openssl command here, for the intake's certificate")
        return 77
    return 1 if run_and_verify(arguments.sink, arguments.seconds, arguments.workers, arguments.auto, arguments.keep,
                               SNECK_CAPTURE_PCT=arguments.capture_pct, SNECK_UPLOAD_INTERVAL=arguments.interval) else 0


if __name__ == "__main__":
    sys.exit(main())
