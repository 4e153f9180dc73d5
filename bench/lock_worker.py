"""One process's measurements of what profiling costs a lock; bench/lock starts several.

Every ratio is the median over interleaved rounds: bare, on, after the stop, again and
again, so that what drifts on the machine drifts alike for all of them.  One reading is the
median of five short loops, on the thread's processor clock: a free lock waits for nobody,
and what else the machine does stays out of it.  Loops are unrolled ten times: a ratio is of
lock operations, not of loops.

After each switch the loop runs unmeasured for a while: an interpreter specialises or
compiles it again, and the profiler finds out how many samples its time budget allows.

Prints one JSON object {measure: value}.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any, Callable

FORMS = {
    "with": "with lock: pass",
    "call": "lock.acquire(); lock.release()",
    "bound": "acquire(); release()",
    "create": "make()",
}
KINDS = {"Lock": threading.Lock, "RLock": threading.RLock}
UNROLL = 10
CHUNKS = 5
SETTLE_S = 0.015


def compile_loop(form: str) -> Callable[[Any, Any, int], float]:
    """A function (make, lock, n) -> processor seconds for n * UNROLL operations, free of this module's globals."""
    body = "\n".join(["        " + FORMS[form]] * UNROLL)
    names = "    acquire, release = lock.acquire, lock.release\n" if form == "bound" else ""
    text = (f"def loop(make, lock, n, clock=clock):\n{names}    start = clock()\n"
            f"    for _ in range(n):\n{body}\n    return clock() - start\n")
    scope: dict[str, Any] = {"clock": time.thread_time}
    exec(compile(text, f"<{form}>", "exec"), scope)
    loop = scope["loop"]

    def settled(make: Any, lock: Any, n: int) -> float:
        end = time.thread_time() + SETTLE_S
        while time.thread_time() < end:
            loop(make, lock, n // CHUNKS)
        return CHUNKS * statistics.median(loop(make, lock, n // CHUNKS) for _ in range(CHUNKS))

    return settled


class Switch:
    """Turns the profiler on and off; dry, it does nothing, and every ratio must come out as 1."""

    def __init__(self, dry: bool, folder: str) -> None:
        self.dry, self.output = dry, os.path.join(folder, "bench")
        if not dry:
            import sneck
            self.sneck = sneck

    def on(self, pct: float, **options: Any) -> None:
        if not self.dry:
            self.sneck.start(capture_pct=pct, output=self.output, **options)

    def off(self) -> None:
        if not self.dry:
            self.sneck.stop()
            for name in os.listdir(os.path.dirname(self.output)):
                os.unlink(os.path.join(os.path.dirname(self.output), name))

    def refusal(self) -> str:
        """Why locks are not instrumented, if they are not."""
        return "" if self.dry else self.sneck.status()["refused"] or ""


def ratios(switch: Switch, kind: str, form: str, pct: float, n: int, rounds: int) -> dict[str, float]:
    """on / bare and after / bare, for a lock made before, and after / bare for one made while on."""
    loop, make = compile_loop(form), KINDS[kind]
    old = make()
    loop(make, old, n)
    on: list[float] = []
    after: list[float] = []
    made_on: list[float] = []
    bare_ns: list[float] = []
    for _ in range(rounds):
        bare = loop(make, old, n)
        switch.on(pct)
        young = make()
        on.append(loop(make, old, n) / bare)
        switch.off()
        after.append(loop(make, old, n) / bare)
        made_on.append(loop(make, young, n) / bare)
        bare_ns.append(bare / n / UNROLL * 1e9)
    median = statistics.median
    return {"bare_ns": median(bare_ns), "on": median(on), "after": median(after), "made_on": median(made_on)}


def deeper(depth: int, action: Callable[[], float]) -> float:
    return action() if depth <= 1 else deeper(depth - 1, action)


def sampled_pair(switch: Switch, kind: str, rounds: int) -> float:
    """What a pair costs more, in nanoseconds, if every one is sampled 10 frames deep."""
    loop, make, n = compile_loop("with"), KINDS[kind], 250
    lock = make()
    added: list[float] = []

    def action() -> float:
        return loop(make, lock, n)

    for _ in range(rounds):
        bare = deeper(9, action)
        switch.on(100, **({} if switch.dry else {"lock_budget_pct": 0}))
        on = deeper(9, action)
        switch.off()
        added.append((on - bare) / n / UNROLL * 1e9)
    return statistics.median(added)


def clock_reading_ns() -> float:
    """One reading of the monotonic clock: perf_counter_ns() less a builtin call that returns an int too."""
    def per_call(function: Callable[[], int], n: int = 20_000) -> float:
        start = time.thread_time()
        for _ in range(n):
            function()
        return (time.thread_time() - start) / n * 1e9

    rounds = [per_call(time.perf_counter_ns) - per_call(sys.getrecursionlimit) for _ in range(9)]
    return max(1.0, statistics.median(rounds))


def throughput(switch: Switch, rounds: int, threads: int = 50, seconds: float = 0.3) -> float:
    """on (1 %) / off of what 50 threads get done under two hot locks, in a second of the process's processor time.

    They keep the GIL busy, so on a quiet machine that is a second on the clock as well.  What is measured is how it goes
    on: it takes a few tenths of a second until every thread has been seen, and the budgets have found their distances.
    """
    first, second = threading.Lock(), threading.Lock()
    counts, done = [0] * threads, False

    def work(i: int) -> None:
        while not done:
            with first:
                sum(range(20))
            with second:
                sum(range(20))
            counts[i] += 1

    def spend(cpu_s: float) -> float:
        """Work done for each second of processor time, over at least cpu_s of it."""
        began, before = time.process_time(), sum(counts)
        while time.process_time() - began < cpu_s:
            time.sleep(seconds / 10)
        return (sum(counts) - before) / (time.process_time() - began)

    def rate() -> float:
        spend(seconds)
        return spend(seconds)

    crowd = [threading.Thread(target=work, args=(i,)) for i in range(threads)]
    for thread in crowd:
        thread.start()
    found: list[float] = []
    for _ in range(rounds):
        off = rate()
        switch.on(1)
        on = rate()
        switch.off()
        found.append(on / ((off + rate()) / 2))
    done = True
    for thread in crowd:
        thread.join()
    return statistics.median(found)


MEMORY = """
import json, sys, threading
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
kind, on, n, output = sys.argv[1], sys.argv[2] == "on", int(sys.argv[3]), sys.argv[4]
make = getattr(threading, kind)
if on:
    import sneck
    sneck.start(output=output)
slots = [None] * n
before = rss()
for i in range(n):
    slots[i] = make()
    with slots[i]:
        pass
grown = (rss() - before) / n
own = {k: v for k, v in sneck.status()["collector"].items() if "bytes" in k} if on else {}
print(json.dumps({"bytes": grown, "own": own}))
"""


def bytes_a_lock(dry: bool, kind: str, folder: str, n: int) -> dict[str, Any]:
    """Growth of the process for n locks, each used once: on less off; and the profiler's own account."""
    def run(on: bool) -> dict[str, Any]:
        command = [sys.executable, "-c", MEMORY, kind, "on" if on else "off", str(n), os.path.join(folder, "m")]
        return json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    off, on = run(False), run(not dry)
    return {"bytes": on["bytes"] - off["bytes"], "bare_bytes": off["bytes"], "own": on["own"]}


def measure(options: argparse.Namespace, folder: str) -> dict[str, Any]:
    switch, rounds, n = Switch(options.dry, folder), options.rounds, options.n
    out: dict[str, Any] = {"clock_ns": clock_reading_ns()}
    for kind in KINDS:
        for form in ("with", "call", "bound"):
            for pct in (1, 0):
                found = ratios(switch, kind, form, pct, n, rounds)
                out[f"{kind} {form} {pct}%"] = found["on"]
                if pct == 1:
                    out[f"{kind} {form} bare ns"] = found["bare_ns"]
                    out[f"{kind} {form} stopped"] = found["after"]
                    out[f"{kind} {form} stopped, made while on"] = found["made_on"]
            out[f"{kind} {form} 100%"] = ratios(switch, kind, form, 100, n // 4, 7)["on"]
        created = ratios(switch, kind, "create", 1, n // 2, rounds)
        out[f"{kind} create bare ns"], out[f"{kind} create 1%"] = created["bare_ns"], created["on"]
        out[f"{kind} create stopped"] = created["after"]
        out[f"{kind} sampled pair ns"] = sampled_pair(switch, kind, rounds)
    if options.heavy:
        out["50 threads"] = throughput(switch, 2 * rounds)  # chance has most say here
        for kind in KINDS:
            found = bytes_a_lock(options.dry, kind, folder, options.locks)
            out[f"{kind} bytes"], out[f"{kind} bare bytes"] = found["bytes"], found["bare_bytes"]
            if found["own"]:
                out[f"{kind} own account"] = found["own"]
    out["refused"] = switch.refusal()
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--heavy", action="store_true")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--n", type=int, default=2_500)
    parser.add_argument("--locks", type=int, default=1_000_000)
    options = parser.parse_args()
    gc.disable()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(options, folder)
    found["version"] = "%d.%d.%d" % sys.version_info[:3]
    jit = getattr(sys, "_jit", None)
    found["jit"] = bool(jit and jit.is_enabled())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
