"""Reading profiles and merging them: one `Lock` per lock, whatever process it lived in.

What a sample says (counts, sums) is an estimate of the real thing.  The exact numbers of a
lock, its contended operations and their waits, ride in the file's comments, one line a lock:
docs/reading-a-report.md has their format.  Where a file lacks them, estimates stand in.
"""
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from sneck.histogram import BUCKETS, Histogram, quantile_ns

STATS_PREFIX = "sneck-lock-stats "
COUNTS_END = 2**63  # counts and nanoseconds are 64 bits wide, and never negative
FILE_NAME = re.compile(r"\.(?P<pid>\d+)\.\d+\.pprof$")

# What _sneck.read_profile gives: docs/reading-a-report.md names its keys.
Profile = Mapping[str, Any]
Reader = Callable[[str], Profile]
Number = TypeVar("Number", int, float)


class Key(NamedTuple):
    """What makes two locks of two files the same one."""

    name: str  # file.py:12:cache_lock; "" when the file does not tell
    kind: str
    owner: str


class Frame(NamedTuple):
    function: str
    file: str
    line: int


class Waiter(NamedTuple):
    thread: str
    place: Frame | None


@dataclass
class Stack:
    """The waits that one stack had for one lock."""

    wait_ns: int = 0
    contended: int = 0
    threads: Counter[str] = field(default_factory=Counter)


@dataclass
class Exact:
    """What the lock itself counted, without sampling."""

    contended: int = 0
    wait_ns: int = 0
    wait_max_ns: int = 0
    histogram: Histogram = field(default_factory=Counter)

    def add(self, other: "Exact") -> None:
        self.contended += other.contended
        self.wait_ns += other.wait_ns
        self.wait_max_ns = max(self.wait_max_ns, other.wait_max_ns)
        self.histogram.update(other.histogram)


def exact_of(stats: Any) -> Exact:
    """The counts of a line; an exception where they cannot be any."""
    contended, wait_ns, wait_max_ns = (below(COUNTS_END, int(stats[key]))
                                       for key in ("contended", "wait_ns", "wait_max_ns"))
    histogram = Counter({below(BUCKETS, int(index)): below(COUNTS_END, int(n))
                         for index, n in stats["wait_histogram"].items()})
    return Exact(contended, wait_ns, wait_max_ns, histogram)


def below(end: int, number: Number) -> Number:
    """The number, if it is from 0 on and below that; neither infinity nor what is no number at all (NaN) is."""
    if not 0 <= number < end:
        raise ValueError(f"{number} is not in 0 .. {end}")
    return number


@dataclass
class Lock:
    """One lock, or all that one line of code made."""

    key: Key
    values: Counter[str] = field(default_factory=Counter)  # by sample type
    acquired: float = 0  # by the lock's own account where a file has it, else by samples
    exact: Exact | None = None
    waiters: Counter[Waiter] = field(default_factory=Counter)  # their wait_ns
    stacks: dict[tuple[Frame, ...], Stack] = field(default_factory=dict)

    @property
    def made_at(self) -> str:
        """file.py:12 of the lock's name; nothing where that is no lock's but "<profile full>"."""
        return ":".join(self.key.name.split(":")[:2]) if ":" in self.key.name else ""

    @property
    def short_name(self) -> str:
        """CacheManager.lock, or file.py:12 for a lock without a name."""
        name = self.key.name.partition(":")[2].partition(":")[2]
        if not name:
            return self.made_at or self.key.name or "(no name)"
        return f"{self.key.owner}.{name}" if self.key.owner else name

    @property
    def acquires(self) -> int:
        """Those that did not wait are estimated."""
        return max(round(self.acquired), 0)

    @property
    def failed(self) -> int:
        return self.values["lock-acquire-failed"]

    @property
    def hold_ns(self) -> int:
        return self.values["lock-release-hold"]

    @property
    def releases(self) -> int:
        return self.values["lock-release"]

    @property
    def contended(self) -> int | None:
        """None: a file of another profiler, which does not count them."""
        if self.exact:
            return self.exact.contended
        return self.values.get("lock-contended")

    @property
    def wait_ns(self) -> int:
        """Where nothing was contended, what samples say is the cost of acquire itself: no wait."""
        if self.exact:
            return self.exact.wait_ns
        return 0 if self.contended == 0 else self.values["lock-acquire-wait"]

    @property
    def wait_max_ns(self) -> int | None:
        return self.exact.wait_max_ns if self.exact and self.exact.contended else None

    def wait_quantile_ns(self, q: float) -> float | None:
        return quantile_ns(self.exact.histogram, q, self.exact.wait_max_ns) if self.exact else None

    def wait_by_thread(self) -> Counter[str]:
        total: Counter[str] = Counter()
        for waiter, wait_ns in self.waiters.items():
            total[waiter.thread] += wait_ns
        return total

    def top_waiter(self) -> Waiter | None:
        """The thread that waits most, and where it does most of that."""
        threads = self.wait_by_thread()
        if not any(threads.values()):
            return None
        thread = max(sorted(threads), key=threads.__getitem__)
        return max((waiter for waiter in self.waiters if waiter.thread == thread), key=self.waiters.__getitem__)


@dataclass
class Merged:
    """Everything read so far."""

    locks: dict[Key, Lock] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)  # file, why
    processes: set[str] = field(default_factory=set)
    sample_types: set[str] = field(default_factory=set)
    bad_comments: int = 0
    start_ns: int = 0
    end_ns: int = 0

    def lock(self, key: Key) -> Lock:
        if key not in self.locks:
            self.locks[key] = Lock(key)
        return self.locks[key]

    def add(self, path: str, profile: Profile) -> None:
        """Add one file."""
        names = [name for name, _unit in profile["sample_types"]]
        by_samples: Counter[Key] = Counter()
        by_locks: dict[Key, float] = {}
        for frames, labels, values in profile["samples"]:
            self.add_sample(frames, labels, dict(zip(names, values)), by_samples)
        for comment in profile["comments"]:
            if comment.startswith(STATS_PREFIX):
                self.add_stats(comment[len(STATS_PREFIX):], by_locks)
        for key, acquired in {**by_samples, **by_locks}.items():
            self.lock(key).acquired += acquired
        match = FILE_NAME.search(path)
        self.files.append(path)
        self.processes.add(match["pid"] if match else path)
        self.sample_types.update(names)
        self.add_period(profile["time_ns"], profile["duration_ns"])

    def add_sample(self, frames: Iterable[tuple[str, str, int]], labels: Mapping[str, str | int],
                   values: Mapping[str, int], acquired: Counter[Key]) -> None:
        of_locks = {name: value for name, value in values.items() if name.startswith("lock-")}
        if not any(of_locks.values()):
            return
        lock = self.lock(Key(*(str(labels.get(label, "")) for label in ("lock name", "lock kind", "lock owner"))))
        lock.values.update(of_locks)
        acquired[lock.key] += of_locks.get("lock-acquire", 0)
        wait_ns = values.get("lock-acquire-wait", 0)
        contended = values.get("lock-contended")
        if contended or (contended is None and wait_ns):
            thread = str(labels.get("thread name") or labels.get("thread id") or "(no name)")
            places = tuple(Frame(*frame) for frame in frames)
            lock.waiters[Waiter(thread, places[0] if places else None)] += wait_ns
            stack = lock.stacks.setdefault(places, Stack())
            stack.wait_ns += wait_ns
            stack.contended += contended or 0
            stack.threads[thread] += wait_ns

    def add_stats(self, text: str, acquired: dict[Key, float]) -> None:
        """Add a lock's own counts; a line that is none is counted, not believed."""
        try:
            stats = json.loads(text)
            key = Key(str(stats["name"]), str(stats.get("kind") or ""), str(stats.get("owner") or ""))
            exact = exact_of(stats)
            if "acquires" in stats:
                acquired[key] = acquired.get(key, 0) + below(COUNTS_END, float(stats["acquires"]))
        except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
            self.bad_comments += 1
            return
        lock = self.lock(key)
        lock.exact = lock.exact or Exact()
        lock.exact.add(exact)

    def add_period(self, start_ns: int, duration_ns: int) -> None:
        if start_ns:
            self.start_ns = min(self.start_ns or start_ns, start_ns)
            self.end_ns = max(self.end_ns, start_ns + duration_ns)


def expand(paths: Iterable[str]) -> list[str]:
    """The files, and those in the directories, each once; OSError for a path that is not there."""
    found: dict[str, str] = {}
    for path in paths:
        files = [path]
        if os.path.isdir(path):
            files = sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".pprof"))
        else:
            os.stat(path)
        for file in files:
            found.setdefault(os.path.realpath(file), file)
    return list(found.values())


def merge(files: Iterable[str], read: Reader) -> Merged:
    """All files together; the unreadable ones are named in the result."""
    merged = Merged()
    for path in files:
        try:
            profile = read(path)
        except (OSError, ValueError, EOFError, MemoryError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            merged.unreadable.append((path, " ".join(reason.split())))
        else:
            merged.add(path, profile)
    return merged
