"""A program that knows what it did with its locks: the truth that profilers are compared with.

    truth.py PROFILER       its variables say how much it captures, and where its files go

Prints what it did, as JSON: {lock: {"acquires", "wait_ns", "threads", "says"}}.
"""

import asyncio
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from profilers import Profiler  # noqa: E402

before_lock = threading.Lock()              # made before any profiler starts
clock = time.perf_counter_ns
MANY, FEW, WAITS = 100_000, 50, 5
told: dict[str, dict[str, object]] = {}


def tell(lock: str, says: str, acquires: int, wait_ns: int = 0) -> None:
    told[lock] = {"says": says, "acquires": acquires, "wait_ns": wait_ns}


class Service:
    def __init__(self) -> None:
        self.member_lock = threading.RLock()
        self.__private_lock = threading.Lock()

    def use(self) -> None:
        for _ in range(FEW):
            with self.member_lock:
                with self.member_lock:
                    pass
            with self.__private_lock:
                pass
        tell("member_lock", "an attribute; an RLock, each time taken twice", 2 * FEW)
        tell("_Service__private_lock", "a private attribute, by its mangled name", FEW)


def use_many() -> None:
    often_lock = threading.Lock()
    for _ in range(MANY):
        with often_lock:
            pass
    tell("often_lock", "a local, never waited for", MANY)


def use_before() -> None:
    for _ in range(FEW):
        with before_lock:
            pass
    tell("before_lock", "made before the profiler started", FEW)


def wait() -> None:
    """Another thread holds it while we come: some 20 ms each time."""
    waited_lock, waited = threading.Lock(), 0
    for _ in range(WAITS):
        holds = threading.Event()

        def hold() -> None:
            with waited_lock:
                holds.set()
                time.sleep(0.02)

        holder = threading.Thread(target=hold, name="holder")
        holder.start()
        holds.wait()
        began = clock()
        with waited_lock:
            waited += clock() - began
        holder.join()
    tell("waited_lock", "waited for, 20 ms each time", 2 * WAITS, waited)


def time_out() -> None:
    refused_lock, waited = threading.Lock(), 0
    with refused_lock:
        for _ in range(WAITS):
            began = clock()
            refused_lock.acquire(timeout=0.02)
            waited += clock() - began
    tell("refused_lock", "attempts that timed out after 20 ms: a wait, but no acquisition", 1, waited)


async def wait_in_tasks() -> None:
    async_lock, waited = asyncio.Lock(), 0

    async def task() -> None:
        nonlocal waited
        began = clock()
        async with async_lock:
            waited += clock() - began
            await asyncio.sleep(0.02)

    await asyncio.gather(*(task() for _ in range(4)))
    tell("async_lock", "asyncio: four tasks wait 0, 20, 40, 60 ms", 4, waited)


def main() -> None:
    profiler = Profiler(sys.argv[1])
    profiler.on()
    use_many()
    use_before()
    Service().use()
    wait()
    time_out()
    asyncio.run(wait_in_tasks())
    profiler.off()
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    main()
