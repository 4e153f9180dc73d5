"""One side of bench/fork: a process that forks when told, profiled or not.

Reads lines "N" and answers each with one JSON object: lists of nanoseconds, one number a
fork: "child", from before os.fork() to the child's first line; "parent", until os.fork()
has returned to the parent; "child_cpu" and "parent_cpu", the processor time that each thread
took of it.  "slept" has 1 for a fork in which either of them gave the processor up of its own
accord, as who waits for a lock does.  Between its lines it sleeps, so two of them can take turns.

Profiled or not, it has imported what the master of any server has: what a fork copies is a
program's memory, not an empty interpreter's.
"""

import argparse
import concurrent.futures  # noqa: F401
import dataclasses  # noqa: F401
import http.server  # noqa: F401
import json
import logging.config  # noqa: F401
import multiprocessing  # noqa: F401
import os
import resource
import ssl  # noqa: F401
import sys
import threading
import time
import warnings

KEYS = ("child", "parent", "child_cpu", "parent_cpu", "slept")
LOCKS = 200  # lock operations before a fork: something to report, as a program would have


def sleeps() -> int:
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def one_fork(hear: int, say: int) -> tuple[int, int, int, int, int]:
    slept, cpu, began = sleeps(), time.thread_time_ns(), time.monotonic_ns()
    child = os.fork()
    if child == 0:
        now, cpu = time.monotonic_ns(), time.thread_time_ns()
        os.write(say, b"%d %d %d" % (now - began, cpu, sleeps()))
        os._exit(0)
    returned, parent_cpu, parent_slept = time.monotonic_ns() - began, time.thread_time_ns() - cpu, sleeps() - slept
    to_child, child_cpu, child_slept = map(int, os.read(hear, 64).split())
    os.waitpid(child, 0)
    return to_child, returned, child_cpu, parent_cpu, int(parent_slept + child_slept > 0)


def use(lock: threading.Lock, times: int) -> None:
    for _ in range(times):
        with lock:
            pass


def work_beside(lock: threading.Lock) -> None:
    while True:
        use(lock, 20)
        time.sleep(0.005)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--profile", metavar="FOLDER", help="profile, with files there where no agent is told")
    parser.add_argument("--interval", type=float, default=0.05)
    parser.add_argument("--capture-pct", type=float, default=1)
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    lock = threading.Lock()
    if options.profile:
        import sneck

        sneck.start(output=os.path.join(options.profile, "p"), upload_interval=options.interval,
                    capture_pct=options.capture_pct)
        sneck.flush()
    for _ in range(options.threads):
        threading.Thread(target=work_beside, args=(lock,), daemon=True).start()
    hear, say = os.pipe()
    for line in sys.stdin:
        rows = []
        for _ in range(int(line)):
            use(lock, LOCKS)
            rows.append(one_fork(hear, say))
        print(json.dumps(dict(zip(KEYS, zip(*rows)))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
