#!/usr/bin/env python3
"""One of ten ways to take locks, measured by itself; run.py runs them all, with and without a profiler.

    scenario.py --scenario_type high_contention --threads 50 --locks 2 --duration 2
    scenario.py --scenario_type lock_hierarchy --levels 5
    sneck run scenario.py --scenario_type async --tasks 200

It prints duration, operations, operations a second, average and longest acquire, contentions (an
acquire of more than a millisecond) and errors.  --json FILE writes the same, the account of each
lock, and, where a profiler runs, what that says of the same locks.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

clock = time.perf_counter_ns
CONTENTION_NS = 1_000_000
COLUMNS = ("acquires", "took_ns", "apart_ns", "contentions", "apart_contentions", "max_ns")


class Meter:
    """One thread's account; nobody else writes to it.

    Between two readings of the clock another thread may have the interpreter, with or without a lock between them.
    How much that is, two readings with nothing between them tell: `apart`.
    """

    def __init__(self) -> None:
        self.operations = self.errors = self.timeouts = 0
        self.locks: dict[str, list[int]] = {}   # by name, as in COLUMNS

    def note(self, name: str, took_ns: int, apart_ns: int, got: bool = True) -> None:
        entry = self.locks.get(name)
        if entry is None:
            entry = self.locks[name] = [0] * len(COLUMNS)
        entry[0] += got
        entry[1] += took_ns
        entry[2] += apart_ns
        if took_ns > CONTENTION_NS:
            entry[3] += 1
        if apart_ns > CONTENTION_NS:
            entry[4] += 1
        if took_ns > entry[5]:
            entry[5] = took_ns

    def take(self, name: str, lock: Any) -> None:
        before = clock()
        began = clock()
        lock.acquire()
        self.note(name, clock() - began, began - before)

    def try_for(self, name: str, lock: Any, timeout_s: float) -> bool:
        before = clock()
        began = clock()
        got: bool = lock.acquire(timeout=timeout_s)
        self.note(name, clock() - began, began - before, got)
        self.timeouts += not got
        return got


def compute(n: int = 20) -> int:
    return sum(range(n))


# A scenario takes the options, makes its locks, and returns (thread name, step) for each thread.
Step = Callable[[Meter], None]
Crew = Sequence[tuple[str, Step]]


def high_contention(o: argparse.Namespace) -> Crew:
    """Many threads, few locks, short holds."""
    hot_locks = [threading.Lock() for _ in range(o.locks)]

    def step(meter: Meter) -> None:
        for lock in hot_locks:
            meter.take("hot_locks[...]", lock)
            compute()
            lock.release()
        meter.operations += len(hot_locks)

    return [(f"Worker-{i}", step) for i in range(o.threads)]


def lock_hierarchy(o: argparse.Namespace) -> Crew:
    """Each operation takes a lock of every level, from the top down."""
    level_locks = [threading.RLock() for _ in range(o.levels)]

    def step(meter: Meter) -> None:
        for lock in level_locks:
            meter.take("level_locks[...]", lock)
        compute()
        for lock in reversed(level_locks):
            lock.release()
        meter.operations += 1

    return [(f"Worker-{i}", step) for i in range(o.threads)]


def high_frequency(o: argparse.Namespace) -> Crew:
    """A lock of each thread's own, as often as it can: --operations a thread."""
    def make() -> Step:
        own_lock = threading.Lock()

        def step(meter: Meter) -> None:
            for _ in range(100):
                meter.take("own_lock", own_lock)
                own_lock.release()
            meter.operations += 100

        return step

    return [(f"Worker-{i}", make()) for i in range(o.threads)]


def mixed_primitives(o: argparse.Namespace) -> Crew:
    """Lock, RLock (re-entered), Semaphore, Condition and Event, by turns."""
    plain_lock, nested_lock = threading.Lock(), threading.RLock()
    permits, signal, flag = threading.Semaphore(3), threading.Condition(threading.Lock()), threading.Event()

    def step(meter: Meter) -> None:
        meter.take("plain_lock", plain_lock)
        compute()
        plain_lock.release()
        meter.take("nested_lock", nested_lock)
        meter.take("nested_lock", nested_lock)
        compute()
        nested_lock.release()
        nested_lock.release()
        meter.take("permits", permits)
        time.sleep(0.0002)
        permits.release()
        with signal:
            signal.notify()
        flag.set() if random.random() < 0.5 else flag.is_set()
        meter.operations += 5

    return [(f"Worker-{i}", step) for i in range(o.threads)]


def long_held(o: argparse.Namespace) -> Crew:
    """Held for --hold_ms, more or less by --variance."""
    long_lock = threading.Lock()

    def step(meter: Meter) -> None:
        meter.take("long_lock", long_lock)
        time.sleep(o.hold_ms / 1e3 * random.uniform(1 - o.variance, 1 + o.variance))
        long_lock.release()
        meter.operations += 1
        time.sleep(0.001)

    return [(f"Worker-{i}", step) for i in range(o.threads)]


def producer_consumer(o: argparse.Namespace) -> Crew:
    """A bounded buffer: a semaphore for what is free, one for what is there, a lock for the buffer."""
    free_slots, full_slots, buffer_lock = threading.Semaphore(o.buffer), threading.Semaphore(0), threading.Lock()
    buffer: list[int] = []

    def produce(meter: Meter) -> None:
        if not meter.try_for("free_slots", free_slots, 0.2):
            return
        meter.take("buffer_lock", buffer_lock)
        buffer.append(compute())
        buffer_lock.release()
        full_slots.release()
        meter.operations += 1

    def consume(meter: Meter) -> None:
        if not meter.try_for("full_slots", full_slots, 0.2):
            return
        meter.take("buffer_lock", buffer_lock)
        buffer.pop()
        buffer_lock.release()
        free_slots.release()
        meter.operations += 1
        compute(100)

    half = o.threads // 2
    return [(f"Producer-{i}", produce) for i in range(half)] + [(f"Consumer-{i}", consume) for i in range(half)]


def reader_writer(o: argparse.Namespace) -> Crew:
    """The first reader keeps writers out, the last one lets them in."""
    readers_lock, write_lock = threading.Lock(), threading.Lock()
    readers = [0]

    def read(meter: Meter) -> None:
        meter.take("readers_lock", readers_lock)
        readers[0] += 1
        if readers[0] == 1:
            meter.take("write_lock", write_lock)
        readers_lock.release()
        time.sleep(0.0005)
        meter.take("readers_lock", readers_lock)
        readers[0] -= 1
        if not readers[0]:
            write_lock.release()
        readers_lock.release()
        meter.operations += 1
        time.sleep(0.002)

    def write(meter: Meter) -> None:
        meter.take("write_lock", write_lock)
        time.sleep(0.001)
        write_lock.release()
        meter.operations += 1
        time.sleep(0.005)

    return [(f"Reader-{i}", read) for i in range(o.readers)] + [(f"Writer-{i}", write) for i in range(o.writers)]


def memory_pressure(o: argparse.Namespace) -> Crew:
    """Each operation makes --megabytes under the lock, and drops them."""
    memory_lock = threading.Lock()

    def step(meter: Meter) -> None:
        meter.take("memory_lock", memory_lock)
        data = bytearray(o.megabytes << 20)
        data[::4096] = bytes(len(range(0, len(data), 4096)))
        memory_lock.release()
        meter.operations += 1

    return [(f"Worker-{i}", step) for i in range(o.threads)]


def deadlock_prone(o: argparse.Namespace) -> Crew:
    """Two of --locks at a time, in random or in one order; who waits too long gives up and lets go."""
    table_locks = [threading.Lock() for _ in range(o.locks)]

    def step(meter: Meter) -> None:
        pair = random.sample(range(len(table_locks)), 2)
        first, second = (table_locks[i] for i in (sorted(pair) if o.order == "ordered" else pair))
        if meter.try_for("table_locks[...]", first, 0.01):
            time.sleep(0.0001)
            if meter.try_for("table_locks[...]", second, 0.01):
                second.release()
                meter.operations += 1
            first.release()
        time.sleep(0.001)

    return [(f"Worker-{i}", step) for i in range(o.threads)]


THREADED = (high_contention, lock_hierarchy, high_frequency, mixed_primitives, long_held, producer_consumer,
            reader_writer, memory_pressure, deadlock_prone)
SCENARIOS = {function.__name__: function for function in THREADED}


def run_threads(o: argparse.Namespace) -> tuple[float, list[Meter]]:
    """(seconds, meters): all threads begin at once."""
    crew = SCENARIOS[o.scenario_type](o)
    gate, meters, ends = threading.Event(), [Meter() for _ in crew], [0.0]

    def work(step: Step, meter: Meter) -> None:
        gate.wait()
        try:
            while meter.operations < o.operations if o.operations else time.perf_counter() < ends[0]:
                step(meter)
        except Exception as error:
            meter.errors += 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr)

    threads = [threading.Thread(target=work, args=(step, meter), name=name) for (name, step), meter in zip(crew, meters)]
    for thread in threads:
        thread.start()
    began = time.perf_counter()
    ends[0] = began + o.duration
    gate.set()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, meters


def run_async(o: argparse.Namespace) -> tuple[float, list[Meter]]:
    """Many tasks at an asyncio.Lock and a Semaphore."""
    meter = Meter()

    async def task(async_lock: asyncio.Lock, async_permits: asyncio.Semaphore, end: float) -> None:
        while time.perf_counter() < end:
            began = clock()
            async with async_lock:
                meter.note("async_lock", clock() - began, 0)
                compute()
            began = clock()
            async with async_permits:
                meter.note("async_permits", clock() - began, 0)
                await asyncio.sleep(0)
            meter.operations += 2

    async def all_tasks() -> float:
        async_lock, async_permits = asyncio.Lock(), asyncio.Semaphore(10)
        began = time.perf_counter()
        await asyncio.gather(*(task(async_lock, async_permits, began + o.duration) for _ in range(o.tasks)))
        return time.perf_counter() - began

    return asyncio.run(all_tasks()), [meter]


def account(meters: list[Meter]) -> dict[str, dict[str, float]]:
    """By lock, over all threads."""
    out: dict[str, dict[str, float]] = {}
    for meter in meters:
        for name, numbers in meter.locks.items():
            entry = out.setdefault(name, dict.fromkeys(COLUMNS, 0))
            longest = max(entry["max_ns"], numbers[-1])
            for column, number in zip(COLUMNS, numbers):
                entry[column] += number
            entry["max_ns"] = longest
    return out


def profile_account() -> "dict[str, Any] | None":
    """What sneck knows of this file's locks, if it runs: by bare name, all locks of one name together."""
    if "sneck" not in sys.modules:
        return None
    import sneck
    locks: dict[str, dict[str, float]] = {}
    here = os.path.basename(__file__) + ":"
    for entry in sneck.lock_stats():
        if entry["name"].startswith(here):
            own = locks.setdefault(entry["name"].split(":", 2)[-1],
                                   dict.fromkeys(("acquires", "contended", "wait_ns", "max_ns", "contentions"), 0))
            own["acquires"] += entry["acquires"]
            own["contended"] += entry["contended"]
            own["wait_ns"] += entry["wait_ns"]
            own["max_ns"] = max(own["max_ns"], entry["wait_max_ns"])
            own["contentions"] += sum(n for shortest, n in entry["wait_histogram"] if shortest * 1.05 >= CONTENTION_NS)
    status = sneck.status()
    return {"locks": locks, "stats": status["stats"], "refused": status["refused"]}


def result(o: argparse.Namespace, seconds: float, meters: list[Meter]) -> dict[str, Any]:
    locks = account(meters)
    acquires = sum(entry["acquires"] for entry in locks.values())
    operations = sum(meter.operations for meter in meters)
    return {"scenario": o.scenario_type, "seconds": seconds, "operations": operations,
            "operations_per_s": operations / seconds,
            "acquire_average_ns": sum(entry["took_ns"] for entry in locks.values()) / max(1, acquires),
            "acquire_max_ns": max([entry["max_ns"] for entry in locks.values()] or [0]),
            "acquires": acquires, "contentions": sum(entry["contentions"] for entry in locks.values()),
            "timeouts": sum(meter.timeouts for meter in meters), "errors": sum(meter.errors for meter in meters),
            "locks": locks, "profile": profile_account()}


def tell(found: dict[str, Any]) -> None:
    print(f"""{found['scenario']}
  duration            {found['seconds']:.3f} s
  total operations    {found['operations']}
  operations/s        {found['operations_per_s']:.0f}
  average acquire     {found['acquire_average_ns'] / 1e3:.2f} us
  max acquire         {found['acquire_max_ns'] / 1e6:.2f} ms
  contentions > 1 ms  {found['contentions']}
  timeouts            {found['timeouts']}
  errors              {found['errors']}""")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenario_type", required=True, choices=[*SCENARIOS, "async"])
    parser.add_argument("--duration", type=float, default=2, help="seconds (default: %(default)s)")
    parser.add_argument("--operations", type=int, default=0, help="so many a thread instead")
    parser.add_argument("--threads", type=int, default=10)
    parser.add_argument("--locks", type=int, default=2)
    parser.add_argument("--levels", type=int, default=3, help="of the hierarchy")
    parser.add_argument("--hold_ms", type=float, default=100, help="of what is held long")
    parser.add_argument("--variance", type=float, default=0.3, help="of that, as a share")
    parser.add_argument("--buffer", type=int, default=16, help="slots between producers and consumers")
    parser.add_argument("--readers", type=int, default=30)
    parser.add_argument("--writers", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=1)
    parser.add_argument("--order", choices=("random", "ordered"), default="random")
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--json", metavar="FILE", help="write the result there as well")
    return parser.parse_args()


def main() -> int:
    options = parse()
    seconds, meters = run_async(options) if options.scenario_type == "async" else run_threads(options)
    found = result(options, seconds, meters)
    tell(found)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file)
    return 1 if found["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
