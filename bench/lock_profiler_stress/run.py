#!/usr/bin/env python3
"""Every configuration of config.yaml, without a profiler and with it, by turns; and what both say of the same locks.

    build$ make bench-venv && make bench-stress
    run.py --repeats 10 --pct 1,100 --results results/      BENCHMARK_CONFIGS=high_contention_50,async_100 chooses some
    run.py --gate                                           exit status 1 where a configuration fails (below)
    run.py --dry                                            one short round of each, to see that all runs

Each repetition starts one process a mode, in random order, so that what drifts on the machine drifts alike for all.
A ratio is throughput with the profiler over throughput without, of one repetition; the table has their geometric mean
and its 95 % confidence interval (Student's t, on logarithms).  The times are kept as pyperf's files as well:

    python -m pyperf compare_to results/off.json results/1.json --table

The results folder has every run (runs.jsonl), off.json, 1.json, ..., summary.md and overhead.svg.

The gate: a configuration fails if the whole confidence interval of its throughput at 1 % is below 0.8 (GATE), if there
were errors, or if the profile disagrees with the benchmark.  At 1 % nothing has been seen below 0.95; 0.8 leaves room for
a shared machine, and still tells an operation that has become ten times as dear.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

try:
    import pyperf
    from measuring import Run, configurations, interval, machine, plain_environment, ratios, run_once, stage, with_sneck
except ImportError as error:
    sys.exit(f"{error}: `make bench-venv` installs what this needs; run it with build/venv-bench/bin/python")

import agreement  # noqa: E402
import plot  # noqa: E402

GATE = 0.8


def keep_for_pyperf(results: dict[str, list[Run]], mode: str, path: str) -> None:
    """Seconds an operation, one pyperf run a process."""
    benchmarks = []
    for name, runs in results.items():
        values = [1 / run["operations_per_s"] for run in runs if run["mode"] == mode and run["operations_per_s"]]
        kept = [pyperf.Run([value], metadata={"name": name, "unit": "second"}, collect_metadata=False) for value in values]
        if kept:
            benchmarks.append(pyperf.Benchmark(kept))
    if benchmarks:
        pyperf.BenchmarkSuite(benchmarks).dump(path, replace=True)


# ---- what is told ----------------------------------------------------------------------------

def mean(runs: list[Run], mode: str, key: str) -> float:
    return statistics.fmean(run[key] for run in runs if run["mode"] == mode)


def row(name: str, runs: list[Run], modes: list[str]) -> str:
    cells = [name, f"{mean(runs, 'off', 'seconds'):.2f}", f"{mean(runs, 'off', 'operations'):,.0f}",
             f"{mean(runs, 'off', 'operations_per_s'):,.0f}", f"{mean(runs, 'off', 'acquire_average_ns') / 1e3:,.1f}",
             f"{max(run['acquire_max_ns'] for run in runs if run['mode'] == 'off') / 1e6:,.0f}",
             f"{mean(runs, 'off', 'contentions'):,.0f}", f"{sum(run['errors'] for run in runs)}"]
    for mode in modes:
        middle, low, high = interval(ratios(runs, mode))
        cells.append(f"{middle:.3f} ({low:.2f} .. {high:.2f})")
    return "| " + " | ".join(cells) + " |"


def table(results: dict[str, list[Run]], modes: list[str]) -> Iterator[str]:
    heads = ["configuration", "s", "operations", "operations/s", "acquire us", "longest ms", "over 1 ms", "errors"]
    heads += [f"throughput at {mode} %" for mode in modes]
    yield "| " + " | ".join(heads) + " |"
    yield "| --- |" + " ---: |" * (len(heads) - 1)
    for name, runs in results.items():
        yield row(name, runs, modes)


def summary(results: dict[str, list[Run]], modes: list[str], python: str, repeats: int) -> str:
    lines = [f"{time.strftime('%Y-%m-%d')}; {machine(python)}; {repeats} repetitions.", "", *table(results, modes)]
    for mode in modes:
        lines += ["", f"What the profile says of the same locks, at {mode} %, and the benchmark's own account:", ""]
        lines += agreement.table(results, mode)
    return "\n".join(lines) + "\n"


def faults(results: dict[str, list[Run]], modes: list[str]) -> Iterator[str]:
    for name, runs in results.items():
        if errors := sum(run["errors"] for run in runs):
            yield f"{name}: {errors} errors"
        if "1" in modes and (found := ratios(runs, "1")) and interval(found)[2] < GATE:
            yield f"{name}: throughput at 1 % is {interval(found)[0]:.2f} of that without, the limit is {GATE}"
        for mode in modes:
            for text in agreement.disagreements(runs, mode):
                yield f"{name} at {mode} %: {text}"


def run_mode(python: str, options: dict[str, Any], mode: str, folder: str) -> Run:
    """mode: "off", or the percentage to capture."""
    if mode == "off":
        return run_once([python], plain_environment(), options, mode, folder)
    found = run_once([python, "-m", "sneck", "run"], with_sneck(folder, mode), options, mode, folder)
    if not found["profile"] or found["profile"]["refused"]:
        sys.exit(f"the profiler does not run: {found['profile'] and found['profile']['refused']}")
    return found


def measure(arguments: argparse.Namespace, modes: list[str], kept: str) -> dict[str, list[Run]]:
    results: dict[str, list[Run]] = {}
    with open(kept, "w", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        for name, options in configurations().items():
            if arguments.dry:
                options.update(duration=0.05, **({"operations": 200} if "operations" in options else {}))
            runs = results.setdefault(name, [])
            for _ in range(arguments.repeats):
                for mode in random.sample(["off", *modes], len(modes) + 1):
                    runs.append(run_mode(arguments.python, options, mode, folder))
                    file.write(json.dumps({"configuration": name, **runs[-1]}) + "\n")
            print(row(name, runs, modes), flush=True)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="whose locks (default: this one)")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--pct", default="1,100", help="what the profiler captures, in turn (default: %(default)s)")
    parser.add_argument("--results", default="", metavar="DIR", help="default: results/<date-time>/ where one is")
    parser.add_argument("--gate", action="store_true", help="exit status 1 if a configuration fails")
    parser.add_argument("--dry", action="store_true", help="one short round")
    arguments = parser.parse_args()
    if not os.path.isdir(os.path.join(stage(), "sneck")):
        sys.exit(f"{stage()} has no package sneck: run make first, or name it with SNECK_STAGE")
    if arguments.dry:
        arguments.repeats, arguments.pct = 1, "1"
    modes = arguments.pct.split(",")
    folder = arguments.results or os.path.join("results", time.strftime("%Y%m%d-%H%M%S"))
    os.makedirs(folder, exist_ok=True)
    print("\n".join(list(table({}, modes))))
    results = measure(arguments, modes, os.path.join(folder, "runs.jsonl"))
    for mode in ["off", *modes]:
        keep_for_pyperf(results, mode, os.path.join(folder, f"{mode}.json"))
    with open(os.path.join(folder, "summary.md"), "w", encoding="utf-8") as file:
        file.write(summary(results, modes, arguments.python, arguments.repeats))
    with open(os.path.join(folder, "overhead.svg"), "w", encoding="utf-8") as file:
        file.write(plot.bars({name: {mode: interval(ratios(runs, mode)) for mode in modes} for name, runs in results.items()}))
    for mode in modes:
        print(f"\nwhat the profile says, at {mode} %:", *agreement.table(results, mode), sep="\n")
    wrong = [] if arguments.dry else list(faults(results, modes))
    print(f"\n{folder}/ has the runs, summary.md and overhead.svg", *wrong, sep="\n")
    return 1 if wrong and arguments.gate else 0


if __name__ == "__main__":
    sys.exit(main())
