"""What the demos share: an account that a program keeps of its own locks, and its comparison with a profile.

A demo takes a lock like this, which costs it a clock reading and an addition:

    began = clock()
    with cache_lock:
        mine.took("cache_lock", began)

`python demo.py --verify` runs the demo under `sneck run`, reads the files it wrote, and compares:
estimates with what was counted, within their standard error; exact waits with what was measured.
"""

import argparse
import dataclasses
import glob
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

clock = time.perf_counter_ns

# One in ten uncontended operations: in a demo's few seconds one in a hundred are few.
CAPTURE_PCT = 10


@dataclasses.dataclass
class Tally:
    """One thread's own account, by lock.  No lock guards it: nobody else writes to it."""

    thread: str
    acquires: Counter[str] = dataclasses.field(default_factory=Counter)
    reentries: Counter[str] = dataclasses.field(default_factory=Counter)
    wait_ns: Counter[str] = dataclasses.field(default_factory=Counter)

    def took(self, lock: str, began_ns: int) -> None:
        self.acquires[lock] += 1
        self.wait_ns[lock] += clock() - began_ns

    def took_again(self, lock: str) -> None:
        """A re-entry: the thread had this RLock already."""
        self.acquires[lock] += 1
        self.reentries[lock] += 1


class Account:
    """The tallies of all threads."""

    def __init__(self) -> None:
        self._tallies: list[Tally] = []

    def mine(self) -> Tally:
        """A new tally, for the calling thread."""
        tally = Tally(threading.current_thread().name)
        self._tallies.append(tally)
        return tally

    def as_json(self) -> dict[str, dict[str, Any]]:
        locks: dict[str, dict[str, Any]] = {}
        for tally in self._tallies:
            for lock, acquires in tally.acquires.items():
                entry = locks.setdefault(lock, {"acquires": 0, "reentries": 0, "wait_ns": 0, "threads": []})
                entry["acquires"] += acquires
                entry["reentries"] += tally.reentries[lock]
                entry["wait_ns"] += tally.wait_ns[lock]
                entry["threads"].append(tally.thread)
        return locks


@dataclasses.dataclass(frozen=True)
class Claim:
    """What a reader should see of a lock in the profile."""

    lock: str  # its name, as in the source
    says: str  # the same for people
    kind: str = "threading.RLock"
    contended: bool = True
    reentrant: bool = False


@dataclasses.dataclass
class Seen:
    """What a profile says of all locks of one name."""

    values: Counter[str] = dataclasses.field(default_factory=Counter)
    contended: int = 0  # these two exact, from the report
    wait_ns: int = 0
    reentries: int = 0
    kinds: set[str] = dataclasses.field(default_factory=set)
    threads: set[str] = dataclasses.field(default_factory=set)


def bare(name: str) -> str:
    """ "cache_lock" of "app.py:12:cache_lock"."""
    return name.split(":", 2)[-1] if name.count(":") > 1 else name


def report(folder: str) -> list[dict[str, Any]]:
    """The locks of `sneck report`: it exits with 1 where there is nothing to show."""
    command = [sys.executable, "-m", "sneck", "report", "--json", "--limit=0", folder]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return [] if ran.returncode else json.loads(ran.stdout)["locks"]


def read(folder: str) -> dict[str, Seen]:
    """The locks in the files of a folder, by bare name: samples added up, and the report's exact waits."""
    import sneck

    locks: dict[str, Seen] = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.pprof"))):
        profile = sneck.read_profile(path)
        types = [name for name, _unit in profile["sample_types"]]
        for _frames, labels, values in profile["samples"]:
            name = str(labels.get("lock name", ""))
            seen = locks.setdefault(bare(name), Seen())
            seen.values.update(dict(zip(types, values)))
            seen.kinds.add(str(labels.get("lock kind", "")))
            seen.threads.add(str(labels.get("thread name", "")))
            if labels.get("re-entry"):
                seen.reentries += dict(zip(types, values)).get("lock-acquire", 0)
    for lock in report(folder):
        if lock["is_exact"] and (exact := locks.get(bare(lock["name"]))):
            exact.contended += lock["contended"]
            exact.wait_ns += lock["wait_ns"]
    return locks


def is_near(estimate: float, truth: int, exact: int) -> bool:
    """Within six standard errors of a sample of one in ten; `exact` of them were all seen."""
    error = math.sqrt(max(0, truth - exact) * (100 / CAPTURE_PCT))
    return abs(estimate - truth) <= 6 * error + 0.02 * truth + 1


def wait_faults(claim: Claim, truth: dict[str, Any], seen: Seen) -> Iterator[str]:
    """The program's own clock has more: where it lost the processor or the GIL just before or after, and short ways."""
    own_ns = truth["wait_ns"]
    if not seen.wait_ns <= own_ns:
        yield f"{seen.wait_ns / 1e6:.1f} ms waited, but its own clock says no more than {own_ns / 1e6:.1f} ms"
    if claim.contended and not seen.wait_ns >= 0.95 * own_ns:
        yield f"{seen.wait_ns / 1e6:.1f} ms waited, but its own clock says {own_ns / 1e6:.1f} ms"
    estimate_ns = seen.values["lock-acquire-wait"]
    if claim.contended and abs(estimate_ns - seen.wait_ns) > 0.05 * seen.wait_ns + 50e6:
        yield f"{estimate_ns / 1e6:.1f} ms waited by its samples, but by its count it was {seen.wait_ns / 1e6:.1f} ms"


def faults(claim: Claim, truth: dict[str, Any], seen: Seen) -> Iterator[str]:
    """What the profile says differently, sentence by sentence."""
    acquires = seen.values["lock-acquire"]
    if seen.kinds != {claim.kind}:
        yield f"kind {', '.join(sorted(seen.kinds))}, not {claim.kind}"
    if not is_near(acquires, truth["acquires"], seen.contended):
        yield f"{acquires} acquisitions, but it was {truth['acquires']}"
    if not is_near(seen.reentries, truth["reentries"], 0):
        yield f"{seen.reentries} re-entries, but it was {truth['reentries']}"
    if claim.reentrant and not seen.reentries:
        yield "no re-entry seen"
    if claim.contended and not seen.contended:
        yield "not contended"
    yield from wait_faults(claim, truth, seen)
    if strangers := seen.threads - set(truth["threads"]):
        yield f"threads that never took it: {', '.join(sorted(strangers))}"
    if claim.contended and not seen.threads:
        yield "no thread name"


def compare(claims: Sequence[Claim], truth: dict[str, dict[str, Any]], folder: str) -> int:
    """Print the comparison; the number of locks that are told wrongly."""
    profile = read(folder)
    wrong = 0
    print(f"\n{'lock':24} {'acquisitions':>13} {'profile':>9} {'waited ms':>10} {'profile':>9} {'re-entries':>10} {'profile':>9}")
    for claim in claims:
        own, seen = truth.get(claim.lock), profile.get(claim.lock)
        if not own or not seen:
            wrong += 1
            print(f"{claim.lock:24} MISSING in {'the profile' if own else 'what the program did'}")
            continue
        print(f"{claim.lock:24} {own['acquires']:13} {seen.values['lock-acquire']:9} {own['wait_ns'] / 1e6:10.1f}"
              f" {seen.wait_ns / 1e6:9.1f} {own['reentries']:10} {seen.reentries:9}")
        for fault in faults(claim, own, seen):
            wrong += 1
            print(f"{'':24} WRONG: {fault}")
    print("\nthe profile is right" if not wrong else f"\n{wrong} faults", f"({folder})")
    return wrong


def verify(arguments: argparse.Namespace, claims: Sequence[Claim]) -> int:
    """Run the program again, profiled, and compare what the files say with what it counted."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = os.path.join(arguments.profiles or temporary, "")
        own = os.path.join(temporary, "account.json")
        # without a budget every estimate is of one in ten, however busy the machine
        command = [sys.executable, "-m", "sneck", "run", f"--output={folder}", f"--capture-pct={CAPTURE_PCT}",
                   "--lock-budget-pct=0", sys.argv[0], f"--seconds={arguments.seconds}", f"--workers={arguments.workers}", f"--account={own}"]
        status = subprocess.run(command).returncode
        if status:
            print(f"the program ended with status {status}; is sneck installed for {sys.executable}?")
            return 1
        with open(own, encoding="utf-8") as file:
            return 1 if compare(claims, json.load(file), folder) else 0


def main(doc: str, claims: Sequence[Claim], run: Callable[[Account, float, int], None],
         seconds: float, workers: tuple[int, int, int]) -> int:
    """A demo's arguments, its run, and what to look for; workers: how many, at least, at most."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=seconds, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=workers[0],
                        help=f"threads, {workers[1]} to {workers[2]} (default: %(default)s)")
    parser.add_argument("--verify", action="store_true", help="run it profiled, and check what the files say")
    parser.add_argument("--profiles", metavar="DIR", help="with --verify: where the files go (default: nowhere for long)")
    parser.add_argument("--account", metavar="FILE", help="write what it counted to this file, as JSON")
    arguments = parser.parse_args()
    if not workers[1] <= arguments.workers <= workers[2]:
        parser.error(f"--workers takes {workers[1]} to {workers[2]}")
    if arguments.verify:
        return verify(arguments, claims)
    account = Account()
    print(f"{arguments.workers} workers for {arguments.seconds:g} s ...", flush=True)
    run(account, arguments.seconds, arguments.workers)
    if arguments.account:
        with open(arguments.account, "w", encoding="utf-8") as file:
            json.dump(account.as_json(), file)
    tell(account, claims)
    return 0


def tell(account: Account, claims: Sequence[Claim]) -> None:
    own = account.as_json()
    print("\nWhat the profile should show (sneck report sneck-profiles/):")
    for claim in claims:
        entry = own[claim.lock]
        print(f"  {claim.lock:20} {claim.says}")
        print(f"  {'':20} {entry['acquires']} acquisitions, {entry['reentries']} of them re-entries;"
              f" {entry['wait_ns'] / 1e9:.2f} s waited by {len(entry['threads'])} threads")
    if "sneck" not in sys.modules:
        print(f"\nIt was not profiled. Try: sneck run {sys.argv[0]}   or: python {sys.argv[0]} --verify")


def run_threads(jobs: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Start a thread of that name for each job, and wait for all."""
    threads = [threading.Thread(target=job, name=name) for name, job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
