"""The lock sampler where stacks are walked through frame objects.

That is what becomes of an interpreter whose layout does not prove. No interpreter at hand is one, so a
child refuses the offsets itself. A program without chance must then give the same samples
as by offsets: stacks, labels, counts; and a wait as long as the program's own clock says.
"""

import os
import sys
import unittest
from collections import Counter
from typing import Any

from support import Case, Ran, run_child

PROGRAM = """
import dataclasses, queue, sys, threading, time
import sneck
if sys.argv[1:] == ["slowly"]:
    sneck._sneck._stack_refuse()
sneck.start(output=output, capture_pct=100, lock_budget_pct=0)

module_lock = threading.Lock()

def helper():
    return threading.Lock()

@dataclasses.dataclass
class Page:
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

class Shop:
    shared = threading.RLock()

    def __init__(self):
        self._lock = self.alias = threading.Lock()
        self.__book = threading.RLock()

    def sell(self, n):
        for _ in range(n):
            with self._lock, self.__book, self.shared, self.__book:
                pass

def use(n):
    local = threading.Lock()
    made = helper()
    table = {"a": threading.Lock()}
    for _ in range(n):
        with local, made, table["a"], module_lock:
            pass
    if (walrus := threading.Lock()).acquire(False):
        walrus.acquire(False)
        walrus.acquire(True, 0.001)
        walrus.release()

def numbers():
    with module_lock:
        yield 1
        yield 2

async def wait_for_nothing():
    with module_lock:
        pass

def deep(n):
    return deep(n - 1) if n else use(1)

def wait():
    global waited_ns
    began_ns = time.perf_counter_ns()
    with module_lock:
        waited_ns = time.perf_counter_ns() - began_ns

page = Page()
with page.lock:
    pass
Shop().sell(7)
use(5)
deep(200)
list(numbers())
[module_lock.acquire() and module_lock.release() for _ in range(3)]
(lambda: Shop().sell(2))()
exec("with module_lock: pass")
try:
    wait_for_nothing().send(None)
except StopIteration:
    pass

jobs = queue.Queue()
for i in range(4):
    jobs.put(i)
    jobs.get()
room = threading.Semaphore(2)
for _ in range(3):
    with room:
        pass

module_lock.acquire()
waiter = threading.Thread(target=wait, name="waiter")
waiter.start()
time.sleep(0.2)
module_lock.release()
waiter.join()
print(sneck.status()["collector"]["slow_frames"], waited_ns, sep=", ")
"""

# Before 3.11 code does not know its class: self tells the owner, and a frame's variables are not seen the slow way.
LEFT_OUT = {"thread id", "thread native id"} | ({"lock owner"} if sys.version_info < (3, 11) else set())
COUNTS = ("lock-acquire", "lock-release", "lock-acquire-failed", "lock-contended")


def counted(ran: Ran) -> Counter[Any]:
    """Counts by stack and labels, without what differs between two runs: folders, thread ids, threading's own locks."""
    out: Counter[Any] = Counter()
    for row in ran.rows:
        frames = tuple((name, os.path.basename(file), line) for name, file, line in row.frames)
        if frames[0][1] == "threading.py":
            continue
        labels = tuple(sorted(label for label in row.labels.items() if label[0] not in LEFT_OUT))
        for name in COUNTS:
            out[frames, labels, name] += row.values[name]
    return +out


class SlowFrames(Case):
    def test_samples_are_those_of_the_fast_way(self) -> None:
        self.attempts(self.compare)

    def compare(self) -> None:
        fast, slow = run_child(PROGRAM, start=None), run_child(PROGRAM, start=None, args=("slowly",))
        self.assert_clean(fast)
        self.assert_clean(slow)
        self.assertGreater(len(counted(fast)), 30)
        self.assertEqual(counted(slow), counted(fast))
        for ran, reason in (fast, "None"), (slow, "a test refused the offsets"):
            told, waited_ns = ran.out.split(", ")
            self.assertEqual(told, reason)
            waits = ran.rows.of("module_lock", lambda row: row.values["lock-contended"] > 0)
            self.assertEqual(waits.contended, 1)
            self.assertEqual(waits[0].frames[0][0], "wait")
            self.assert_close(waits.wait_ns, int(waited_ns), 0.02, "the wait")


if __name__ == "__main__":
    unittest.main()
