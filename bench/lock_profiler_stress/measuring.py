"""What benchmarks of scenario.py share: its configurations, one run of a process, and ratios with their confidence."""

import json
import math
import os
import statistics
import subprocess
import sys
from typing import Any

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(HERE)), "tools"))

from pythons import stage  # noqa: E402

Run = dict[str, Any]
PROGRAM = os.path.join(HERE, "scenario.py")


def configurations() -> dict[str, dict[str, Any]]:
    with open(os.path.join(HERE, "config.yaml"), encoding="utf-8") as file:
        config = yaml.safe_load(file)
    known = {name: {**config["defaults"], **options} for name, options in config["configurations"].items()}
    wanted = [name for name in os.environ.get("BENCHMARK_CONFIGS", "").split(",") if name] or list(known)
    if strangers := set(wanted) - set(known):
        sys.exit(f"BENCHMARK_CONFIGS: there is no {', '.join(sorted(strangers))}; there are {', '.join(known)}")
    return {name: known[name] for name in wanted}


def plain_environment(**more: str) -> dict[str, str]:
    """The caller's, without what speaks to a profiler."""
    foreign = ("SNECK_", "DD_", "PYTHON", "PYROSCOPE")
    return {**{name: value for name, value in os.environ.items() if not name.startswith(foreign)}, **more}


def with_sneck(folder: str, pct: str) -> dict[str, str]:
    return plain_environment(PYTHONPATH=stage(), SNECK_CAPTURE_PCT=pct, SNECK_OUTPUT=os.path.join(folder, "profiles", ""))


def run_once(launcher: list[str], env: dict[str, str], options: dict[str, Any], mode: str, folder: str) -> Run:
    """One process of a scenario: launcher is Python with what comes before the program."""
    result = os.path.join(folder, "result.json")
    command = [*launcher, PROGRAM, "--json", result, *(f"--{key}={value}" for key, value in options.items())]
    ran = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=300)
    if not os.path.exists(result):
        sys.exit(f"{' '.join(command)}\nended with status {ran.returncode}: {ran.stderr}")
    with open(result, encoding="utf-8") as file:
        found: Run = json.load(file)
    os.unlink(result)
    return {"mode": mode, **found}


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


def machine(python: str) -> str:
    version = subprocess.run([python, "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True)
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), os.uname().machine)
    return f"{os.cpu_count()} processors ({model}), Linux {os.uname().release}, CPython {version.stdout.strip()}"
