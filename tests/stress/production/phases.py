"""What a service does with RLocks, in seven phases, and the account it keeps of it.

Each phase makes its locks in another way, and its threads take them until the time is up:

    account = Account()
    for phase in PHASES:
        run(phase, account, seconds=5, workers=10)
    account.as_json()           {lock: {thread: [acquisitions, re-entries, nanoseconds waited]}}

EXPECTED has what a profile must say of each lock.  A lock without a name is called by the line that made it.
"""

import dataclasses
import functools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

clock = time.perf_counter_ns


class Tally:
    """One thread's own account, by lock.  No lock guards it: nobody else writes to it."""

    def __init__(self) -> None:
        self.thread = threading.current_thread().name
        self.locks: dict[str, list[int]] = {}

    def took(self, lock: str, began_ns: int) -> None:
        entry = self.locks.setdefault(lock, [0, 0, 0])
        entry[2] += clock() - began_ns
        entry[0] += 1

    def took_again(self, lock: str) -> None:
        """A re-entry: the thread had this RLock already."""
        entry = self.locks.setdefault(lock, [0, 0, 0])
        entry[0] += 1
        entry[1] += 1


class Account:
    """The tallies of all threads of a process."""

    def __init__(self) -> None:
        self._tallies: list[Tally] = []

    def mine(self) -> Tally:
        tally = Tally()
        self._tallies.append(tally)
        return tally

    def as_json(self) -> dict[str, dict[str, list[int]]]:
        out: dict[str, dict[str, list[int]]] = {}
        for tally in self._tallies:
            for lock, numbers in tally.locks.items():
                entry = out.setdefault(lock, {}).setdefault(tally.thread, [0, 0, 0])
                entry[:] = [a + b for a, b in zip(entry, numbers)]
        return out


Step = Callable[[Tally], None]


# ---- 1: locks that are locals of the function that made them -----------------------------

def local_locks() -> Step:
    shared_request_lock = threading.RLock()     # a cell: the requests of all threads share it

    def handle(mine: Tally) -> None:
        request_lock = threading.RLock()
        response_lock = threading.RLock()
        began = clock()
        with request_lock:
            mine.took("request_lock", began)
            began = clock()
            with shared_request_lock:
                mine.took("shared_request_lock", began)
                time.sleep(0.0003)
        began = clock()
        with response_lock:
            mine.took("response_lock", began)
        time.sleep(0.001)

    return handle


# ---- 2: globals of a module ----------------------------------------------------------------

global_user_session_lock = threading.RLock()
global_cache_lock = threading.RLock()
global_database_lock = threading.RLock()


def global_locks() -> Step:
    def serve(mine: Tally) -> None:
        began = clock()
        with global_user_session_lock:
            mine.took("global_user_session_lock", began)
            began = clock()
            with global_cache_lock:
                mine.took("global_cache_lock", began)
        began = clock()
        with global_database_lock:
            mine.took("global_database_lock", began)
            time.sleep(0.0005)
        time.sleep(0.0005)

    return serve


# ---- 3: attributes of an object ------------------------------------------------------------

class UserService:
    def __init__(self) -> None:
        self.user_session_lock = threading.RLock()
        self.user_cache_lock = threading.RLock()
        self.login_attempts_lock = threading.RLock()
        self.attempts = 0

    def log_in(self, mine: Tally) -> None:
        began = clock()
        with self.login_attempts_lock:
            mine.took("login_attempts_lock", began)
            self.attempts += 1
            time.sleep(0.0003)
        began = clock()
        with self.user_session_lock:
            mine.took("user_session_lock", began)
            self.look_up(mine)
        time.sleep(0.0005)

    def look_up(self, mine: Tally) -> None:
        began = clock()
        with self.user_cache_lock:
            mine.took("user_cache_lock", began)


def member_locks() -> Step:
    return UserService().log_in


# ---- 4: attributes of objects whose classes stand in a class -------------------------------

class Platform:
    class Cache:
        def __init__(self) -> None:
            self.cache_read_lock = threading.RLock()
            self.cache_write_lock = threading.RLock()

        def read(self, mine: Tally) -> None:
            began = clock()
            with self.cache_read_lock:
                mine.took("cache_read_lock", began)

        def write(self, mine: Tally) -> None:
            began = clock()
            with self.cache_write_lock:
                mine.took("cache_write_lock", began)
                time.sleep(0.0003)

    class Database:
        class Pool:
            def __init__(self) -> None:
                self.connection_pool_lock = threading.RLock()

        def __init__(self) -> None:
            self.pool = self.Pool()
            self.query_lock = threading.RLock()

        def query(self, mine: Tally) -> None:
            began = clock()
            with self.pool.connection_pool_lock:
                mine.took("connection_pool_lock", began)
            began = clock()
            with self.query_lock:
                mine.took("query_lock", began)
                time.sleep(0.0003)

    def __init__(self) -> None:
        self.cache = self.Cache()
        self.database = self.Database()

    def work(self, mine: Tally) -> None:
        self.cache.read(mine)
        if random.random() < 0.3:
            self.cache.write(mine)
        self.database.query(mine)
        time.sleep(0.0005)


def nested_class_locks() -> Step:
    return Platform().work


# ---- 5: locks taken again by who has them --------------------------------------------------

class Ledger:
    """transfer() calls withdraw() and deposit(), which call record(): three deep."""

    def __init__(self) -> None:
        self.ledger_lock = threading.RLock()
        self.tree_lock = threading.RLock()
        self.records = 0

    def transfer(self, mine: Tally) -> None:
        began = clock()
        with self.ledger_lock:
            mine.took("ledger_lock", began)
            self.withdraw(mine)
            self.deposit(mine)
            time.sleep(0.0003)

    def withdraw(self, mine: Tally) -> None:
        with self.ledger_lock:
            mine.took_again("ledger_lock")
            self.record(mine)

    def deposit(self, mine: Tally) -> None:
        with self.ledger_lock:
            mine.took_again("ledger_lock")
            self.record(mine)

    def record(self, mine: Tally) -> None:
        with self.ledger_lock:
            mine.took_again("ledger_lock")
            self.records += 1

    def walk(self, mine: Tally, depth: int = 6) -> None:
        began = clock()
        with self.tree_lock:
            mine.took("tree_lock", began) if depth == 6 else mine.took_again("tree_lock")
            if depth > 1:
                self.walk(mine, depth - 1)

    def work(self, mine: Tally) -> None:
        self.transfer(mine)
        self.walk(mine)
        time.sleep(0.001)


def reentrant_locks() -> Step:
    return Ledger().work


# ---- 6: private attributes, whose names Python mangles --------------------------------------

class CacheManager:
    def __init__(self) -> None:
        self.__internal_lock = threading.RLock()
        self._protected_lock = threading.RLock()
        self.entries: dict[int, int] = {}

    def get(self, mine: Tally) -> None:
        key = random.randrange(32)
        began = clock()
        with self.__internal_lock:
            mine.took("_CacheManager__internal_lock", began)
            if key not in self.entries:
                self.__fill(key, mine)
        began = clock()
        with self._protected_lock:
            mine.took("_protected_lock", began)
        time.sleep(0.0005)

    def __fill(self, key: int, mine: Tally) -> None:
        with self.__internal_lock:
            mine.took_again("_CacheManager__internal_lock")
            time.sleep(0.0005)
            if len(self.entries) > 20:
                self.entries.clear()
            self.entries[key] = key * key


def private_locks() -> Step:
    return CacheManager().get


# ---- 7: everybody wants the same -------------------------------------------------------------

@functools.cache
def stripe(_: int) -> Any:
    return threading.RLock()                    # kept by the cache alone: nothing calls it by a name


STRIPE = "phases.py:%d" % (stripe.__wrapped__.__code__.co_firstlineno + 2)


class Exchange:
    def __init__(self) -> None:
        self.hot_counter_lock = threading.RLock()
        self.hot_queue_lock = threading.RLock()
        self.queue: list[int] = []
        self.counter = 0

    def count(self, mine: Tally) -> None:
        began = clock()
        with self.hot_counter_lock:
            mine.took("hot_counter_lock", began)
            self.counter += 1
            self.check(mine)
            time.sleep(0.001)

    def check(self, mine: Tally) -> None:
        with self.hot_counter_lock:
            mine.took_again("hot_counter_lock")

    def put(self, mine: Tally) -> None:
        began = clock()
        with self.hot_queue_lock:
            mine.took("hot_queue_lock", began)
            time.sleep(0.001)
            self.queue = [*self.queue[-50:], self.counter]

    def trade(self, mine: Tally) -> None:
        # Not one behind the other: who waits for the first would find the second free.
        self.count(mine) if random.random() < 0.5 else self.put(mine)
        which = random.randrange(2)
        began = clock()
        with stripe(which):
            mine.took(STRIPE, began)
            time.sleep(0.0005)


def hot_locks() -> Step:
    return Exchange().trade


# ---- all of them -------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Phase:
    name: str                       # of its threads: Local-1, Local-2, ...
    says: str
    prepare: Callable[[], Step]


PHASES = (
    Phase("Local", "local named locks", local_locks),
    Phase("Global", "global named locks", global_locks),
    Phase("Member", "class member locks", member_locks),
    Phase("Nested", "nested class locks", nested_class_locks),
    Phase("Reentrant", "re-entrant patterns", reentrant_locks),
    Phase("Private", "private member locks", private_locks),
    Phase("Contention", "high contention with names", hot_locks),
)


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a profile must say of a lock; the owner as from Python 3.11 on."""

    phase: int
    owner: str = ""
    reentrant: bool = False
    contended: bool = False


EXPECTED = {
    "request_lock": Expected(1, "local_locks.<locals>.handle"),
    "response_lock": Expected(1, "local_locks.<locals>.handle"),
    "shared_request_lock": Expected(1, "local_locks", contended=True),
    "global_user_session_lock": Expected(2),
    "global_cache_lock": Expected(2),
    "global_database_lock": Expected(2, contended=True),
    "user_session_lock": Expected(3, "UserService"),
    "user_cache_lock": Expected(3, "UserService"),
    "login_attempts_lock": Expected(3, "UserService", contended=True),
    "cache_read_lock": Expected(4, "Platform.Cache"),
    "cache_write_lock": Expected(4, "Platform.Cache"),
    "connection_pool_lock": Expected(4, "Platform.Database.Pool"),
    "query_lock": Expected(4, "Platform.Database", contended=True),
    "ledger_lock": Expected(5, "Ledger", reentrant=True, contended=True),
    "tree_lock": Expected(5, "Ledger", reentrant=True),
    "_CacheManager__internal_lock": Expected(6, "CacheManager", reentrant=True),
    "_protected_lock": Expected(6, "CacheManager"),
    "hot_counter_lock": Expected(7, "Exchange", reentrant=True, contended=True),
    "hot_queue_lock": Expected(7, "Exchange", contended=True),
    STRIPE: Expected(7, contended=True),
}


def run(phase: Phase, account: Account, seconds: float, workers: int) -> None:
    """The phase, by so many threads of its own, until the time is up."""
    step, end = phase.prepare(), time.monotonic() + seconds

    def work() -> None:
        mine = account.mine()
        while True:
            step(mine)              # once at least, however busy the machine is
            if time.monotonic() >= end:
                return

    threads = [threading.Thread(target=work, name=f"{phase.name}-{i + 1}") for i in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
