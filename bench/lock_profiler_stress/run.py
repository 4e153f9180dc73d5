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
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(SOURCE, "tools")]
sys.dont_write_bytecode = True

try:
    import pyperf
    import yaml
except ImportError as error:
    sys.exit(f"{error}: `make bench-venv` installs what this needs; run it with build/venv-bench/bin/python")

import agreement  # noqa: E402
import plot  # noqa: E402
from pythons import stage  # noqa: E402

GATE = 0.8
Run = dict[str, Any]


def configurations() -> dict[str, dict[str, Any]]:
    with open(os.path.join(HERE, "config.yaml"), encoding="utf-8") as file:
        config = yaml.safe_load(file)
    known = {name: {**config["defaults"], **options} for name, options in config["configurations"].items()}
    wanted = [name for name in os.environ.get("BENCHMARK_CONFIGS", "").split(",") if name] or list(known)
    if strangers := set(wanted) - set(known):
        sys.exit(f"BENCHMARK_CONFIGS: there is no {', '.join(sorted(strangers))}; there are {', '.join(known)}")
    return {name: known[name] for name in wanted}


def run_once(python: str, options: dict[str, Any], mode: str, folder: str) -> Run:
    """One process of a scenario: mode "off", or the percentage to capture."""
    result = os.path.join(folder, "result.json")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("SNECK_", "DD_", "PYTHON", "PYROSCOPE"))}
    command = [python]
    if mode != "off":
        env.update(PYTHONPATH=stage(), SNECK_CAPTURE_PCT=mode, SNECK_OUTPUT=os.path.join(folder, "profiles", ""))
        command += ["-m", "sneck", "run"]
    command += [os.path.join(HERE, "scenario.py"), "--json", result, *(f"--{key}={value}" for key, value in options.items())]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    if not os.path.exists(result):
        sys.exit(f"{' '.join(command)}\nended with status {ran.returncode}: {ran.stderr}")
    with open(result, encoding="utf-8") as file:
        found: Run = json.load(file)
    os.unlink(result)
    if mode != "off" and (not found["profile"] or found["profile"]["refused"]):
        sys.exit(f"the profiler does not run: {found['profile'] and found['profile']['refused']}")
    return {"mode": mode, **found}


# ---- statistics ------------------------------------------------------------------------------

# Student's t, two-sided 95 %, by degrees of freedom 1 ... 30.
T95 = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
       2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042)


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """(geometric mean, and its 95 % confidence interval)."""
    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    if len(logs) < 2:
        return math.exp(mean), 0, math.inf
    t = T95[len(logs) - 2] if len(logs) - 2 < len(T95) else 1.96
    half = t * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def ratios(runs: list[Run], mode: str) -> list[float]:
    by_mode = {name: [run["operations_per_s"] for run in runs if run["mode"] == name] for name in ("off", mode)}
    return [on / off for on, off in zip(by_mode[mode], by_mode["off"]) if on and off]


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


def machine(python: str) -> str:
    version = subprocess.run([python, "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True)
    model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo", encoding="utf-8")
                  if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} processors ({model}), Linux {platform.release()}, CPython {version.stdout.strip()}"


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


def measure(arguments: argparse.Namespace, modes: list[str], kept: str) -> dict[str, list[Run]]:
    results: dict[str, list[Run]] = {}
    with open(kept, "w", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        for name, options in configurations().items():
            if arguments.dry:
                options.update(duration=0.05, **({"operations": 200} if "operations" in options else {}))
            runs = results.setdefault(name, [])
            for _ in range(arguments.repeats):
                for mode in random.sample(["off", *modes], len(modes) + 1):
                    runs.append(run_once(arguments.python, options, mode, folder))
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
