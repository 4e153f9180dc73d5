"""One process's measurements of what profiling costs a lock; bench/lock starts several.

Every ratio is the median over interleaved rounds: bare, on, after the stop, again and
again, so that what drifts on the machine drifts alike for all of them.  Times are the
thread's processor time: a free lock waits for nobody, and what else the machine does stays
out of it.  What shares the processor's core does not: on a virtual machine the same loop may
take nearly twice as long from one moment to the next.  So each short loop stands beside a
loop over something that no profiler touches, a yardstick, and is measured in it.  Loops are
unrolled ten times: a ratio is of lock operations, not of loops.

After each switch both run unmeasured for a while: an interpreter specialises or
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

import crowd

FORMS = {
    "with": "with lock: pass",
    "call": "lock.acquire(); lock.release()",
    "bound": "acquire(); release()",
    "create": "make()",
}
KINDS = {"Lock": threading.Lock, "RLock": threading.RLock}
YARDSTICK = "len(word); len(word)"
CLOCK, NO_CLOCK = "clock()", "no_clock()"
UNROLL = 10
SETTLE_S = 0.02
CHUNKS = 20  # short loops of one reading

Loop = Callable[[Any, Any, int], float]


def compile_loop(statement: str) -> Loop:
    """A function (make, lock, n) -> processor seconds for n * UNROLL times the statement, free of this module's globals."""
    body = "\n".join(["        " + statement] * UNROLL)
    text = ("def loop(make, lock, n, now=now, clock=clock, no_clock=no_clock, word='word'):\n"
            "    acquire, release = lock.acquire, lock.release\n    start = now()\n"
            f"    for _ in range(n):\n{body}\n    return now() - start\n")
    # Both give an int that is made anew; what one costs more is the reading of a clock.
    scope: dict[str, Any] = {"now": time.thread_time, "clock": time.perf_counter_ns, "no_clock": sys.getrecursionlimit}
    exec(compile(text, f"<{statement}>", "exec"), scope)
    loop: Loop = scope["loop"]
    return loop


def reading(loop: Loop, yardstick: Loop, make: Any, lock: Any, n: int) -> float:
    """What an operation takes, in yardsticks: the median of CHUNKS loops, each beside one of the yardstick's."""
    end = time.thread_time() + SETTLE_S
    while time.thread_time() < end:
        loop(make, lock, n)
        yardstick(make, lock, n)
    pairs = [(loop(make, lock, n), yardstick(make, lock, n)) for _ in range(CHUNKS)]
    return statistics.median(it / stick for it, stick in pairs if stick > 0)  # a virtual machine's clock may stand still


def yardstick_ns(yardstick: Loop, n: int = 2_000) -> float:
    return statistics.median(yardstick(None, threading.Lock(), n) for _ in range(9)) / n / UNROLL * 1e9


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
    loop, yardstick, make = compile_loop(FORMS[form]), compile_loop(YARDSTICK), KINDS[kind]
    old = make()
    found: dict[str, list[float]] = {"on": [], "after": [], "made_on": [], "bare": []}

    def read(lock: Any) -> float:
        return reading(loop, yardstick, make, lock, n)

    for _ in range(rounds):
        bare = read(old)
        switch.on(pct)
        young = make()
        found["on"].append(read(old) / bare)
        switch.off()
        found["after"].append(read(old) / bare)
        found["made_on"].append(read(young) / bare)
        found["bare"].append(bare)
    out = {name: statistics.median(values) for name, values in found.items()}
    out["bare_ns"] = out.pop("bare") * yardstick_ns(yardstick)
    return out


def deeper(depth: int, action: Callable[[], float]) -> float:
    return action() if depth <= 1 else deeper(depth - 1, action)


def sampled_pair(switch: Switch, kind: str, n: int, rounds: int) -> float:
    """What a pair costs more, in readings of the monotonic clock, if every one is sampled, 10 frames deep and the benchmark's own."""
    loop, clock, no_clock, make = compile_loop(FORMS["with"]), compile_loop(CLOCK), compile_loop(NO_CLOCK), KINDS[kind]
    lock = make()

    def one_clock(make: Any, lock: Any, n: int) -> float:
        return max(1e-9, clock(make, lock, n) - no_clock(make, lock, n))

    def read() -> float:
        return reading(loop, one_clock, make, lock, n)

    added: list[float] = []
    for _ in range(rounds):
        bare = deeper(9, read)
        switch.on(100, **({} if switch.dry else {"lock_budget_pct": 0}))
        on = deeper(9, read)
        switch.off()
        added.append(on - bare)
    return statistics.median(added)


def clock_reading_ns(n: int = 1_000) -> float:
    """One reading of the monotonic clock: perf_counter_ns() less a builtin call that returns an int too."""
    clock, no_clock, lock = compile_loop(CLOCK), compile_loop(NO_CLOCK), threading.Lock()
    return statistics.median(clock(None, lock, n) - no_clock(None, lock, n) for _ in range(99)) / n / UNROLL * 1e9


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

    def wanted(name: str) -> bool:
        return options.only in name

    for kind in KINDS:
        for form in ("with", "call", "bound"):
            for pct in (1, 0):
                if not wanted(f"{kind} {form} {pct}%"):
                    continue
                found = ratios(switch, kind, form, pct, n, rounds)
                out[f"{kind} {form} {pct}%"] = found["on"]
                if pct == 1:
                    out[f"{kind} {form} bare ns"] = found["bare_ns"]
                    out[f"{kind} {form} stopped"] = found["after"]
                    out[f"{kind} {form} stopped, made while on"] = found["made_on"]
            if wanted(f"{kind} {form} 100%"):
                out[f"{kind} {form} 100%"] = ratios(switch, kind, form, 100, n // 4, max(2, rounds // 4))["on"]
        if wanted(f"{kind} create 1%"):
            created = ratios(switch, kind, "create", 1, n, rounds)
            out[f"{kind} create bare ns"], out[f"{kind} create 1%"] = created["bare_ns"], created["on"]
            out[f"{kind} create stopped"] = created["after"]
        if wanted(f"{kind} sampled pair"):
            out[f"{kind} sampled pair, clock readings"] = sampled_pair(switch, kind, n // 4, rounds)
            out[f"{kind} sampled pair ns"] = out[f"{kind} sampled pair, clock readings"] * out["clock_ns"]
    if options.heavy and wanted("50 threads"):
        found = crowd.ratio(lambda: switch.on(1), switch.off, 4 * rounds)  # chance has most say here
        out.update({"50 threads" + {"ratio": ""}.get(name, ", " + name): value for name, value in found.items()})
    for kind in KINDS if options.heavy else ():
        if wanted(f"{kind} bytes"):
            grown = bytes_a_lock(options.dry, kind, folder, options.locks)
            out[f"{kind} bytes"], out[f"{kind} bare bytes"] = grown["bytes"], grown["bare_bytes"]
            if grown["own"]:
                out[f"{kind} own account"] = grown["own"]
    out["refused"] = switch.refusal()
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry", action="store_true")
    parser.add_argument("--heavy", action="store_true")
    parser.add_argument("--only", default="", help="measures with this in their names")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--n", type=int, default=200)
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
