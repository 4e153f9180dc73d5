"""From the program to what arrived, link by link: which one lost something.

    program      what it counted itself: the truth
    collector    sneck.lock_stats() of the process, at its end
    profile      its counters: samples dropped, rows that overflowed
    encoding     whether what arrived can be read, the same by two readers
    transport    whether all that was sent has arrived

A Chain is one process's; faults() gives each difference with the stage it happened in.  Where the collector
has a number wrong, so has everything behind it, and it is told once.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

from phases import EXPECTED, Expected
from support import Rows

# Pyroscope's names, where they are not ours with other separators.
PYROSCOPE_TYPES = {"delay": "lock-acquire-wait", "contentions": "lock-contended"}

# Waits may differ by so much: the program's clock is read outside of acquire(), ours inside; between them
# another thread may run.
WAIT_SHARE, WAIT_NS = 0.1, 20_000_000
PLAIN_NS = 3_000  # what the program measures of an acquire that waits for nothing: the interpreter, two clocks, cold caches


@dataclasses.dataclass(frozen=True)
class Fault:
    stage: str
    text: str

    def __str__(self) -> str:
        return f"lost in {self.stage}: {self.text}"


@dataclasses.dataclass
class Delivery:
    """What arrived, by process (0 where the wire does not say which), and what went wrong on the way."""

    rows: dict[int, Rows] = dataclasses.field(default_factory=dict)
    faults: list[Fault] = dataclasses.field(default_factory=list)
    pieces: int = 0

    def add(self, pid: int, rows: Rows) -> None:
        self.rows.setdefault(pid, Rows()).extend(as_usual(rows))
        self.pieces += 1


def as_usual(rows: Rows) -> Rows:
    """Pyroscope's sample types and labels by our own names."""
    def dashed(name: str) -> str:
        return PYROSCOPE_TYPES.get(name, name.replace("_", "-"))

    def label(name: str) -> str:
        return "re-entry" if name == "re_entry" else name.replace("_", " ")

    return Rows(row._replace(values={dashed(name): value for name, value in row.values.items()},
                             labels={label(name): value for name, value in row.labels.items()}) for row in rows)


def bare(name: str) -> str:
    """ "x" of "file.py:12:x"; "file.py:12" of an anonymous lock."""
    return name.split(":", 2)[-1] if name.count(":") > 1 else name


@dataclasses.dataclass
class Numbers:
    """Of all locks of a name, at one link."""

    acquires: float = 0
    reentries: float = 0
    wait_ns: float = 0
    contended: float = 0


class Chain:
    def __init__(self, evidence: dict[str, Any], delivery: Delivery, owners: bool = True) -> None:
        self.pid: int = evidence["pid"]
        self.truth: dict[str, dict[str, list[int]]] = evidence["truth"]
        self.collector: dict[str, Any] = evidence["collector"] or {}
        self.delivery = delivery
        self.owners = owners
        self.rows = delivery.rows.get(self.pid, delivery.rows.get(0, Rows()))
        self.pct = float(self.collector.get("capture_pct", 100))
        # Where the time budget made samples rarer, one may stand for any number of operations: unbiased, but rough.
        self.rough = bool(self.collector.get("stats", {}).get("budget_exceeded"))

    # ---- the links' numbers

    def told(self, lock: str) -> Numbers:
        totals = [sum(numbers[i] for numbers in self.truth.get(lock, {}).values()) for i in range(3)]
        return Numbers(*totals)

    def collected(self, lock: str) -> "Numbers | None":
        found = [entry for entry in self.collector.get("lock_stats", []) if bare(entry["name"]) == lock]
        if not found:
            return None
        return Numbers(sum(entry["acquires"] for entry in found), 0, sum(entry["wait_ns"] for entry in found),
                       sum(entry["contended"] for entry in found))

    def of(self, lock: str) -> Rows:
        return Rows(row for row in self.rows if bare(str(row.labels.get("lock name", ""))) == lock)

    def arrived(self, lock: str) -> "Numbers | None":
        rows = self.of(lock)
        if not rows:
            return None

        def total(kind: str, reentry: bool = False) -> int:
            return sum(row.values.get(kind, 0) for row in rows if not reentry or row.labels.get("re-entry"))

        return Numbers(total("lock-acquire"), total("lock-acquire", True), total("lock-acquire-wait"), total("lock-contended"))

    # ---- what is near enough

    def is_estimate_of(self, estimate: float, truth: float, contended: float) -> bool:
        """Six standard errors of a sample of the uncontended operations; at 100 % the very number.

        A contended one is kept with probability wait / 100 us: a thousand waits of a microsecond are as rare as
        one in a hundred, so each may stand for a hundred."""
        if self.pct >= 100:
            return estimate == truth
        variance = (truth - contended) * 100 / max(self.pct, 0.01) + contended * 10
        return self.rough or abs(estimate - truth) <= 6 * math.sqrt(max(0, variance)) + 1

    def is_wait_of(self, wait_ns: float, truth: Numbers, drawn: bool) -> bool:
        """drawn: an operation that began free, and waited after all, is there if it was drawn, for all that were not."""
        weight = 100 / max(self.pct, 0.01) if drawn else 1
        near = WAIT_SHARE * truth.wait_ns + WAIT_NS * math.sqrt(weight)
        at_least = truth.wait_ns - near - PLAIN_NS * truth.acquires
        return at_least <= wait_ns and (drawn and self.rough or wait_ns <= truth.wait_ns + near)

    # ---- stage by stage

    def faults(self) -> Iterator[Fault]:
        yield from self.delivery.faults
        if not self.collector:
            yield Fault("collector", "the program was not profiled")
            return
        if self.collector["refused"] or not self.collector["running"]:
            yield Fault("collector", f"it does not run: {self.collector['refused']}")
        yield from self.counter_faults()
        if not self.rows and self.names():
            stage = "encoding" if any(fault.stage == "encoding" for fault in self.delivery.faults) else "transport"
            yield Fault(stage, f"nothing of process {self.pid} arrived")
            return
        for lock in self.truth:
            yield from self.lock_faults(lock, EXPECTED[lock])
        yield from self.name_faults()

    def counter_faults(self) -> Iterator[Fault]:
        """What the profiler itself says it lost."""
        stats, upload = self.collector["stats"], self.collector["upload"]
        for stage, where, names in (("collector", stats, ("holds_dropped", "locks_unlisted")),
                                    ("profile", stats, ("samples_dropped", "overflow_rows")),
                                    ("profile", upload, ("samples_overflowed",)), ("transport", upload, ("profiles_lost",))):
            for name in names:
                if where.get(name):
                    yield Fault(stage, f"its own counter {name} is {where[name]} in process {self.pid}")

    def lock_faults(self, lock: str, expected: Expected) -> Iterator[Fault]:
        truth, collected, arrived = self.told(lock), self.collected(lock), self.arrived(lock)
        # Of few operations a small sample may have none: the chance of that is e^-20 at the most where it is a fault.
        must_be_seen = self.pct >= 100 or expected.contended or (truth.acquires * self.pct > 2000 and not self.rough)
        if not collected:
            if must_be_seen:
                yield Fault("collector", f"{lock}: it never saw this lock; it has {self.names()}")
            return
        wrong = list(self.number_faults("collector", lock, collected, truth))
        yield from wrong
        if not arrived:
            if must_be_seen:
                yield Fault(self.behind_the_collector(), f"{lock}: {truth.acquires:.0f} acquisitions, and no sample arrived")
            return
        if not wrong:
            yield from self.number_faults(self.behind_the_collector(), lock, arrived, truth)
        yield from self.row_faults(lock, expected, truth, arrived)

    def behind_the_collector(self) -> str:
        """The stage to blame for what the collector had and did not arrive."""
        known = [fault.stage for fault in (*self.counter_faults(), *self.delivery.faults)]
        return next((stage for stage in ("profile", "encoding", "transport") if stage in known), "profile")

    def number_faults(self, stage: str, lock: str, numbers: Numbers, truth: Numbers) -> Iterator[Fault]:
        if not self.is_estimate_of(numbers.acquires, truth.acquires, numbers.contended):
            yield Fault(stage, f"{lock}: {numbers.acquires:.0f} acquisitions, in truth {truth.acquires:.0f}")
        if not self.is_wait_of(numbers.wait_ns, truth, drawn=stage != "collector"):
            yield Fault(stage, f"{lock}: waited {numbers.wait_ns / 1e6:.1f} ms, in truth {truth.wait_ns / 1e6:.1f} ms")

    def row_faults(self, lock: str, expected: Expected, truth: Numbers, arrived: Numbers) -> Iterator[Fault]:
        rows, stage = self.of(lock), self.behind_the_collector()
        if not self.is_estimate_of(arrived.reentries, truth.reentries, 0):
            yield Fault(stage, f"{lock}: {arrived.reentries:.0f} re-entries, in truth {truth.reentries:.0f}")
        if expected.contended and not arrived.contended:
            yield Fault(stage, f"{lock}: no wait arrived")
        for label, right in (("lock kind", {"threading.RLock"}), ("lock owner", {expected.owner} if self.owners else None),
                             ("thread name", set(self.truth[lock]))):
            seen = {str(row.labels.get(label, "")) for row in rows}
            if right is not None and not seen <= right:
                yield Fault("collector", f"{lock}: {label} {sorted(seen - right)}, and it should be of {sorted(right)}")
        if self.pct >= 100:
            yield from self.thread_faults(lock, rows)

    def thread_faults(self, lock: str, rows: Rows) -> Iterator[Fault]:
        """Each thread's own count."""
        for thread, (acquires, _, _) in self.truth[lock].items():
            seen = sum(row.values.get("lock-acquire", 0) for row in rows if row.labels.get("thread name") == thread)
            if seen != acquires:
                yield Fault(self.behind_the_collector(), f"{lock}: {thread} took it {acquires} times, {seen} arrived")

    def names(self) -> list[str]:
        return sorted({bare(entry["name"]) for entry in self.collector.get("lock_stats", [])} & set(EXPECTED))

    def name_faults(self) -> Iterator[Fault]:
        """Nothing of the interpreter's own, and no address where a name should be."""
        for name in {str(row.labels.get("lock name", "")) for row in self.rows}:
            if "threading.py" in name or "0x" in name or "object at" in name:
                yield Fault("collector", f"the name {name!r}")

    def table(self) -> Iterator[str]:
        def cells(numbers: "Numbers | None") -> str:
            if not numbers:
                return f"{'-':>9} {'-':>10}"
            return f"{numbers.acquires:9.0f} {numbers.wait_ns / 1e6:10.1f}"

        rough = "; the time budget made samples rarer, so counts of what is not contended are rough" if self.rough else ""
        yield f"process {self.pid}, {self.pct:g} % captured{rough}"
        yield f"{'':30} {'program':>20} {'collector':>20} {'arrived':>20}"
        yield f"{'lock':30} " + " ".join([f"{'acquires':>9} {'waited ms':>10}"] * 3) + "  re-entries"
        for lock in EXPECTED:
            if lock in self.truth:
                truth, arrived = self.told(lock), self.arrived(lock)
                again = f"{truth.reentries:6.0f} {arrived.reentries if arrived else 0:6.0f}" if truth.reentries else ""
                yield f"{lock:30} {cells(truth)} {cells(self.collected(lock))} {cells(arrived)}  {again}".rstrip()
