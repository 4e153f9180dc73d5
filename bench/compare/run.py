#!/usr/bin/env python3
"""bare, sneck and ddtrace, beside each other: what a lock costs, what a program gets done, and what each tells of a known truth.

    build$ make bench-venv && make bench-compare
    run.py --results DIR [--processes 5] [--repeats 6] [--quick]

Everything takes turns: processes of all profilers are started in random order, over and over.  ddtrace runs with its lock
profiler alone; what does not install is a SKIP.  The results folder has compare.md and compare.json.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter as Tally
from collections.abc import Iterator
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "lock_profiler_stress")]
sys.dont_write_bytecode = True

import profilers  # noqa: E402

try:
    from measuring import configurations, interval, machine, plain_environment, ratios, run_once, stage
except ImportError as error:
    sys.exit(f"{error}: `make bench-venv` installs what this needs; run it with build/venv-bench/bin/python")

SCENARIOS = "high_contention_10,high_contention_50,lock_hierarchy_5,high_frequency_20k,mixed_primitives,producer_consumer,async_100"
PERCENTAGES = ("0", "1", "100")
MEASURES = ("pair", "stopped, lock made while on", "stopped, lock made before", "create")
# Of an estimate: how far from the truth is still right.
NEAR = 0.2


def environment(name: str, folder: str, pct: str) -> dict[str, str]:
    return plain_environment(PYTHONPATH=stage(), **profilers.variables(name, folder, pct))


def run_json(program: str, name: str, pct: str, folder: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, os.path.join(HERE, program), name, *arguments]
    ran = subprocess.run(command, env=environment(name, folder, pct), cwd=folder, capture_output=True, text=True, timeout=600)
    if ran.returncode:
        sys.exit(f"{' '.join(command)}\nended with status {ran.returncode}: {ran.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def shuffled(names: list[str], times: int) -> Iterator[str]:
    for _ in range(times):
        yield from random.sample(names, len(names))


# ---- what a lock costs -----------------------------------------------------------------------

def costs(names: list[str], processes: int, rounds: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    """{percentage: {profiler: {measure: a value a process}}}"""
    out: dict[str, dict[str, dict[str, list[float]]]] = {}
    for pct in PERCENTAGES:
        for name in shuffled(names, processes):
            with tempfile.TemporaryDirectory() as folder:
                found = run_json("worker.py", name, pct, folder, pct, f"--rounds={rounds}")
            for measure, value in found.items():
                out.setdefault(pct, {}).setdefault(name, {}).setdefault(measure, []).append(value)
        print(f"costs at {pct} %: done", flush=True)
    return out


def memory(names: list[str], processes: int) -> dict[str, dict[str, list[float]]]:
    out: dict[str, dict[str, list[float]]] = {}
    for name in shuffled(names, processes):
        for kind in ("Lock", "RLock"):
            with tempfile.TemporaryDirectory() as folder:
                found = run_json("worker.py", name, "1", folder, "1", f"--memory={kind}")
            out.setdefault(kind, {}).setdefault(name, []).append(found["bytes"])
    return out


def cell(values: "list[float] | None", form: str) -> str:
    return form % statistics.median(values) if values else "-"


def cost_tables(found: dict[str, dict[str, dict[str, list[float]]]], names: list[str]) -> Iterator[str]:
    columns = [(name, pct) for name in names if name != "bare" for pct in PERCENTAGES]
    yield "| | bare, ns | " + " | ".join(f"{name} {pct} %" for name, pct in columns) + " |"
    yield "| --- |" + " ---: |" * (len(columns) + 1)
    for kind in ("Lock", "RLock"):
        for measure in MEASURES:
            key = f"{kind} {measure}"
            bare = found["1"]["bare"][f"{kind} bare create ns" if measure == "create" else f"{kind} bare ns"]
            cells = [cell(found[pct][name].get(key), "%.2f") + " (" + cell(found[pct][name].get(key + " ns"), "%.0f ns") + ")"
                     for name, pct in columns]
            yield f"| {key} | {cell(bare, '%.0f')} | " + " | ".join(cells) + " |"


def memory_table(found: dict[str, dict[str, list[float]]], names: list[str]) -> Iterator[str]:
    yield "| | bare | " + " | ".join(f"{name}, more" for name in names if name != "bare") + " |"
    yield "| --- |" + " ---: |" * len(names)
    for kind, by_name in found.items():
        bare = statistics.median(by_name["bare"])
        yield f"| bytes a {kind} | {bare:.0f} | " + " | ".join(
            f"{statistics.median(by_name[name]) - bare:.0f}" for name in names if name != "bare") + " |"


# ---- what a program gets done ----------------------------------------------------------------

def throughput(names: list[str], repeats: int, pct: str) -> dict[str, list[dict[str, Any]]]:
    os.environ.setdefault("BENCHMARK_CONFIGS", SCENARIOS)
    out: dict[str, list[dict[str, Any]]] = {}
    for configuration, options in configurations().items():
        runs = out.setdefault(configuration, [])
        for name in shuffled(names, repeats):
            with tempfile.TemporaryDirectory() as folder:
                mode = "off" if name == "bare" else name
                runs.append(run_once(profilers.launcher(name, sys.executable), environment(name, folder, pct), options,
                                     mode, folder))
        print(f"{configuration}: done", flush=True)
    return out


def throughput_table(found: dict[str, list[dict[str, Any]]], names: list[str]) -> Iterator[str]:
    others = [name for name in names if name != "bare"]
    yield "| configuration | bare, operations/s | " + " | ".join(others) + " |"
    yield "| --- |" + " ---: |" * (len(others) + 1)
    for configuration, runs in found.items():
        bare = statistics.fmean(run["operations_per_s"] for run in runs if run["mode"] == "off")
        cells = ["%.2f (%.2f .. %.2f)" % interval(ratios(runs, name)) for name in others]
        yield f"| {configuration} | {bare:,.0f} | " + " | ".join(cells) + " |"


# ---- what each tells of a known truth ----------------------------------------------------------

def truths(names: list[str], times: int) -> dict[str, dict[str, Any]]:
    """{profiler: {percentage: {lock: [truth, what the files say]}}}, each the mean of some runs."""
    out: dict[str, dict[str, Any]] = {}
    for name in shuffled(names, times):
        for pct in ("100", "1"):
            with tempfile.TemporaryDirectory() as folder:
                told = run_json("truth.py", name, pct, folder)
                rows = profilers.rows(folder)
            for lock, truth in told.items():
                mine = [row for row in rows if row.lock == lock]
                seen = {"acquires": sum(row.values.get("lock-acquire", 0) for row in mine) / times,
                        "wait_ns": sum(row.values.get("lock-acquire-wait", 0) for row in mine) / times}
                done, sums = out.setdefault(name, {}).setdefault(pct, {}).setdefault(lock, [truth | {"wait_ns": 0}, Tally()])
                done["wait_ns"] += truth["wait_ns"] / times
                sums.update(seen)
    return out


def right(seen: float, truth: float) -> bool:
    return abs(seen - truth) <= NEAR * truth


def judged(truth: dict[str, Any], seen: dict[str, Any]) -> str:
    """The number that matters of this lock, and whether it is right."""
    if not seen["acquires"] and not seen["wait_ns"]:
        return "**nothing**"
    if truth["wait_ns"]:
        text, fits = f"{seen['wait_ns'] / 1e6:.0f} ms, {seen['acquires']:.3g} times", right(seen["wait_ns"], truth["wait_ns"])
    else:
        text, fits = f"{seen['acquires']:,.0f} times", right(seen["acquires"], truth["acquires"])
    return text if fits else f"**{text}**"


def truth_table(found: dict[str, dict[str, Any]], names: list[str]) -> Iterator[str]:
    columns = [(name, pct) for pct in ("100", "1") for name in names if name != "bare"]
    yield "| lock | what was done with it | truth | " + " | ".join(f"{name} {pct} %" for name, pct in columns) + " |"
    yield "| --- | --- |" + " ---: |" * (len(columns) + 1)
    first = found[columns[0][0]]["100"]
    for lock, (truth, _) in first.items():
        real = (f"{truth['wait_ns'] / 1e6:.0f} ms, " if truth["wait_ns"] else "") + f"{truth['acquires']:,} times"
        yield f"| `{lock}` | {truth['says']} | {real} | " + " | ".join(
            judged(*found[name][pct][lock]) for name, pct in columns) + " |"


# ---- all of it -----------------------------------------------------------------------------------

def page(found: dict[str, Any], names: list[str], arguments: argparse.Namespace) -> str:
    versions = ", ".join(f"{name} {profilers.version(name)}" for name in names if name != "bare")
    return "\n".join([
        f"{time.strftime('%Y-%m-%d')}; {versions}; {machine(sys.executable)}.", "",
        f"What an uncontended pair of `with lock: pass` and `Lock()` cost, of bare: medians of {arguments.processes} processes"
        f" of {arguments.rounds} interleaved rounds each, on the thread's processor clock.", "",
        *cost_tables(found["costs"], names), "", "Memory, at 1 %:", "", *memory_table(found["memory"], names), "",
        f"Throughput at 1 %, of bare: geometric mean of {arguments.repeats} repetitions, and its 95 % confidence interval.", "",
        *throughput_table(found["throughput"], names), "",
        f"What the files say of a program that counts for itself; the mean of"
        f" {arguments.processes} runs; bold: more than {NEAR:.0%} off.", "",
        *truth_table(found["truth"], names), ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="results/compare", metavar="DIR")
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=6)
    parser.add_argument("--quick", action="store_true", help="one of each, to see that all runs")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.processes, arguments.rounds, arguments.repeats = 1, 2, 1
        os.environ.setdefault("BENCHMARK_CONFIGS", "high_contention_10,async_100")
    os.environ["PYTHONPATH"] = stage()
    sys.path.append(stage())
    absent = {name: why for name in profilers.NAMES if (why := profilers.missing(name))}
    for why in absent.values():
        print("SKIP", why)
    if "sneck" in absent:
        return 1
    names = [name for name in profilers.NAMES if name not in absent]
    found: dict[str, Any] = {"costs": costs(names, arguments.processes, arguments.rounds),
                             "memory": memory(names, min(3, arguments.processes)),
                             "throughput": throughput(names, arguments.repeats, "1"), "truth": truths(names, arguments.processes)}
    os.makedirs(arguments.results, exist_ok=True)
    text = page(found, names, arguments) + "".join(f"\nSKIP {why}\n" for why in absent.values())
    with open(os.path.join(arguments.results, "compare.md"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(os.path.join(arguments.results, "compare.json"), "w", encoding="utf-8") as file:
        json.dump(found, file)
    print("\n" + text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
