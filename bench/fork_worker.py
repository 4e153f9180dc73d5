"""One side of bench/fork: a process that forks when told, profiled or not.

Reads lines "N" and answers each with one JSON object: lists of nanoseconds, one number a
fork: "child", from before os.fork() to the child's first line; "parent", until os.fork()
has returned to the parent; "child_cpu", the processor time that the child's thread took of
it.  Between its lines it sleeps, so two of them can take turns.
"""

import argparse
import json
import os
import sys
import threading
import time
import warnings

LOCKS = 200  # lock operations before a fork: something to report, as a program would have


def one_fork(hear: int, say: int) -> tuple[int, int, int]:
    began = time.monotonic_ns()
    child = os.fork()
    if child == 0:
        now, cpu = time.monotonic_ns(), time.thread_time_ns()
        os.write(say, b"%d %d" % (now - began, cpu))
        os._exit(0)
    returned = time.monotonic_ns() - began
    to_child, cpu = map(int, os.read(hear, 64).split())
    os.waitpid(child, 0)
    return to_child, returned, cpu


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
        print(json.dumps(dict(zip(("child", "parent", "child_cpu"), zip(*rows)))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
