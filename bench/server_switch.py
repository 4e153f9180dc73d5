"""gunicorn's configuration for bench/server --switch: the worker turns its profiler on and off while it serves.

Each stretch begins a moment after a start or a stop, and lasts for $BENCH_STRETCH seconds; a round is off, on,
on, off or the reverse.  The rounds go to $BENCH_RESULT, as bench/server has them.
"""

import json
import os
import random
import threading
import time
from typing import Any

served = [0]


def count(application: Any) -> None:
    inner = application.wsgi_app

    def counted(environ: Any, start_response: Any) -> Any:
        served[0] += 1
        return inner(environ, start_response)

    application.wsgi_app = counted


def stretch(profiled: bool, seconds: float) -> "tuple[float, float]":
    import sneck
    sneck.stop()
    if profiled and not os.environ.get("BENCH_DRY"):
        sneck.start()
    time.sleep(0.02)
    n, cpu_s, clock_s = served[0], time.process_time(), time.monotonic()
    time.sleep(seconds)
    n, cpu_s, clock_s = served[0] - n, time.process_time() - cpu_s, time.monotonic() - clock_s
    return n / clock_s, cpu_s / max(n, 1)


def switch() -> None:
    rounds = []
    time.sleep(3)  # until the interpreter has specialised what it runs
    for _ in range(int(os.environ["BENCH_ROUNDS"])):
        one: "dict[str, list[tuple[float, float]]]" = {"off": [], "on": []}
        for side in random.choice((("off", "on", "on", "off"), ("on", "off", "off", "on"))):
            one[side].append(stretch(side == "on", float(os.environ["BENCH_STRETCH"])))
        rounds.append(one)
    with open(os.environ["BENCH_RESULT"] + ".part", "w", encoding="utf-8") as file:
        json.dump(rounds, file)
    os.rename(file.name, os.environ["BENCH_RESULT"])


def post_worker_init(_worker: Any) -> None:
    from server_app import app
    count(app)
    threading.Thread(target=switch, daemon=True).start()
