"""One process's measurements of one profiler: what a lock costs, in nanoseconds and in ratios to bare.

    worker.py PROFILER PERCENT [--rounds N]

Rounds are interleaved: bare, on, after the stop, again and again.  A lock made before the first start is
measured where the profiler sees it, and one made while it is on where it does not: both what a program meets.
Prints one JSON object {measure: value}.
"""

import argparse
import gc
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from profilers import NAMES, Profiler  # noqa: E402

UNROLL, CHUNKS = 10, 5


def compile_loop(form: str) -> Callable[[Any, Any, int], float]:
    """(make, lock, n) -> nanoseconds an operation, on the thread's processor clock: the median of some short loops."""
    text = ("def loop(make, lock, n, clock=clock):\n    start = clock()\n    for _ in range(n):\n"
            + f"        {form}\n" * UNROLL + "    return clock() - start\n")
    scope: dict[str, Any] = {"clock": time.thread_time_ns}
    exec(compile(text, f"<{form}>", "exec"), scope)
    loop = scope["loop"]

    def measured(make: Any, lock: Any, n: int) -> float:
        loop(make, lock, n // 5)
        chunks = [float(loop(make, lock, n // CHUNKS)) for _ in range(CHUNKS)]
        return statistics.median(chunks) / (n // CHUNKS) / UNROLL

    return measured


def pair_costs(profiler: Profiler, kind: str, n: int, rounds: int) -> dict[str, float]:
    pair, create = compile_loop("with lock: pass"), compile_loop("make()")
    found: dict[str, list[float]] = {}

    def note(name: str, value: float, bare: float) -> None:
        found.setdefault(name + " ns", []).append(value)
        found.setdefault(name, []).append(value / bare)

    old = getattr(threading, kind)()
    for _ in range(rounds):
        make = getattr(threading, kind)
        bare, bare_create = pair(make, old, n), create(make, None, n)
        found.setdefault("bare ns", []).append(bare)
        found.setdefault("bare create ns", []).append(bare_create)
        profiler.on()
        make = getattr(threading, kind)     # as a program finds it now
        young = make()
        note("pair", pair(make, young, n), bare)
        note("pair, lock made before", pair(make, old, n), bare)
        note("create", create(make, None, n // 2), bare_create)
        profiler.off()
        note("stopped, lock made while on", pair(make, young, n), bare)
        note("stopped, lock made before", pair(make, old, n), bare)
    return {f"{kind} {name}": statistics.median(values) for name, values in found.items()}


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def bytes_a_lock(profiler: Profiler, kind: str, n: int) -> float:
    """How the process grows for n locks, each used once."""
    profiler.on()
    make = getattr(threading, kind)
    slots: list[Any] = [None] * n
    for i in range(1000):       # what comes with the first ones
        with make():
            pass
    before = resident_bytes()
    for i in range(n):
        slots[i] = make()
        with slots[i]:
            pass
    grown = resident_bytes() - before
    profiler.off()
    return grown / n


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("profiler", choices=NAMES)
    parser.add_argument("pct", type=float)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--memory", choices=("Lock", "RLock"), help="bytes a lock instead")
    parser.add_argument("--locks", type=int, default=200_000)
    options = parser.parse_args()
    profiler = Profiler(options.profiler)
    if options.memory:
        print(json.dumps({"bytes": bytes_a_lock(profiler, options.memory, options.locks)}))
        return
    gc.disable()
    n = options.n if options.pct < 100 else options.n // 4
    print(json.dumps({**pair_costs(profiler, "Lock", n, options.rounds), **pair_costs(profiler, "RLock", n, options.rounds)}))


if __name__ == "__main__":
    main()
