"""The profile's account of a scenario's locks beside the benchmark's own, summed over the repetitions.

    acquisitions    at 100 % the very number; below, an estimate
    over 1 ms       how many acquires took longer
    waited          how long all acquires took

The benchmark's clock is read outside of acquire(): between its readings the interpreter may go to another thread,
lock or no lock.  It does so at the end of a call, of which an acquire has two (the clock's and its own) and two readings in a
row one; so twice what was measured there is taken off what an acquire took.
"""

from collections.abc import Iterator
from typing import Any

Run = dict[str, Any]
ALONE = ("own_lock",)       # each thread has its own: what its acquires waited for is the interpreter
KEYS = ("acquires", "took_ns", "apart_ns", "contentions", "apart_contentions", "max_ns")

# What waits may differ by (buckets of 10 %), and how many of the longest may be by chance on one side alone.
SHARE, LONGEST = 0.2, 5
# An acquire that does not wait takes as long as this, the benchmark's clock and a sample of it included.
PLAIN_NS = 1000


def accounts(runs: list[Run], mode: str) -> dict[str, tuple[dict[str, float], "dict[str, float] | None"]]:
    """By lock: (the benchmark's, the profile's or None where it does not know that lock)."""
    out: dict[str, tuple[dict[str, float], "dict[str, float] | None"]] = {}
    chosen = [run for run in runs if run["mode"] == mode]
    for lock in dict.fromkeys(lock for run in chosen for lock in run["locks"]):
        own = {key: sum(run["locks"].get(lock, {}).get(key, 0) for run in chosen) for key in KEYS}
        own["max_ns"] = max(run["locks"].get(lock, {}).get("max_ns", 0) for run in chosen)
        told = [run["profile"]["locks"][lock] for run in chosen if lock in run["profile"]["locks"]]
        seen = {key: sum(entry[key] for entry in told) for key in ("acquires", "contended", "wait_ns", "contentions")}
        out[lock] = own, seen if told else None
    return out


def is_rough(runs: list[Run], mode: str) -> bool:
    """The time budget made samples rarer, so that few of them stand for many operations."""
    return any(run["profile"]["stats"]["budget_exceeded"] for run in runs if run["mode"] == mode)


def disagreements(runs: list[Run], mode: str) -> Iterator[str]:
    for lock, (own, seen) in accounts(runs, mode).items():
        if seen is None:
            if not lock.startswith("async_"):
                yield f"{lock}: not in the profile"
            continue
        if mode == "100" and seen["acquires"] != own["acquires"]:
            yield f"{lock}: {seen['acquires']:.0f} acquisitions, in truth {own['acquires']:.0f}"
        if mode != "100" and own["acquires"] > 50_000 and not 0.5 < seen["acquires"] / own["acquires"] < 2:
            yield f"{lock}: {seen['acquires']:.0f} acquisitions estimated, in truth {own['acquires']:.0f}"
        if lock in ALONE and (seen["contended"] or seen["wait_ns"]):
            yield f"{lock}: waits, and nobody else ever had it"
        if lock in ALONE:
            continue
        for what, told, took, apart, plain, slack in (
                ("waits over 1 ms", seen["contentions"], own["contentions"], own["apart_contentions"], 0, 20),
                ("ms waited", seen["wait_ns"] / 1e6, own["took_ns"] / 1e6, own["apart_ns"] / 1e6,
                 own["acquires"] * PLAIN_NS / 1e6, 100 + LONGEST * own["max_ns"] / 1e6)):
            # No more than was measured with all that came between; no less than without twice as much as is likely.
            if not (1 - SHARE) * (took - 4 * apart - plain) - slack <= told <= (1 + SHARE) * took + slack:
                yield f"{lock}: {told:.0f} {what}, in truth {took:.0f}, less some {2 * apart:.0f} without a lock"


def waits(lock: str, own: dict[str, float]) -> tuple[str, str]:
    """Over a millisecond, and seconds, as the benchmark has them for the lock alone."""
    return ("0", "0.00") if lock in ALONE else (f"{max(0, own['contentions'] - 2 * own['apart_contentions']):,.0f}",
            f"{max(0, own['took_ns'] - 2 * own['apart_ns']) / 1e9:,.2f}")


def table(results: dict[str, list[Run]], mode: str) -> Iterator[str]:
    yield "| configuration | lock | acquisitions | profile | over 1 ms | profile | waited s | profile |"
    yield "| --- | --- |" + " ---: |" * 6
    for name, runs in results.items():
        for lock, (own, seen) in accounts(runs, mode).items():
            told = ["not seen"] * 3 if seen is None else [
                f"{seen['acquires']:,.0f}", f"{seen['contentions']:,.0f}", f"{seen['wait_ns'] / 1e9:,.2f}"]
            own_cells = [f"{own['acquires']:,.0f}", *waits(lock, own)]
            cells = [cell for pair in zip(own_cells, told) for cell in pair]
            yield f"| {name} | {lock} | " + " | ".join(cells) + " |"
