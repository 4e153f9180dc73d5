#!/usr/bin/env python3
"""A small shop that sells from several threads: something to profile.

    sneck run examples/contended.py [SECONDS]

What a profile of it should show:
  Ledger.__book    hot: every sale waits for it, and `audit` holds it for long
  stock[...]       a lock per item; nearly all sales are of one item
  Cache._lock      an RLock taken again inside itself; short, so seldom waited for
  log_lock         a module's own lock, held while something slow is written
"""

import random
import sys
import threading
import time

log_lock = threading.Lock()
lines: list[str] = []


def log(text: str) -> None:
    with log_lock:
        time.sleep(0.002)
        lines.append(text)


def work(seconds: float) -> None:
    """Use the processor, as a program does that computes something."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


class Cache:
    """Prices, computed once in a while; get() calls refresh() with the lock held."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._prices: dict[str, int] = {}

    def get(self, item: str) -> int:
        with self._lock:
            if item not in self._prices or random.random() < 0.05:
                self.refresh(item)
            return self._prices[item]

    def refresh(self, item: str) -> None:
        with self._lock:
            work(0.0002)
            self._prices[item] = len(item)


class Ledger:
    """What was sold.  Its lock is private to it."""

    def __init__(self) -> None:
        self.__book = threading.Lock()
        self._sales: list[int] = []

    def record(self, price: int) -> None:
        with self.__book:
            time.sleep(0.001)
            self._sales.append(price)

    def audit(self) -> int:
        with self.__book:
            time.sleep(0.02)
            return sum(self._sales)


class Shop:
    items = ("tea", "coffee", "salt")

    def __init__(self) -> None:
        self.cache, self.ledger = Cache(), Ledger()
        self.stock = {item: threading.Lock() for item in self.items}
        self.closing = threading.Event()

    def sell(self) -> None:
        while not self.closing.is_set():
            item = random.choices(self.items, (20, 1, 1))[0]
            price = self.cache.get(item)
            with self.stock[item]:
                time.sleep(0.0005)
            self.ledger.record(price)
            if random.random() < 0.1:
                log(f"{item} sold")

    def audit(self) -> None:
        while not self.closing.wait(0.2):
            log(f"{self.ledger.audit()} taken so far")

    def report(self) -> None:
        while not self.closing.wait(0.05):
            if log_lock.acquire(timeout=0.0005):
                log_lock.release()


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4
    shop = Shop()
    jobs = [("till-%d" % i, shop.sell) for i in range(6)] + [("auditor", shop.audit), ("reporter", shop.report)]
    threads = [threading.Thread(target=job, name=name) for name, job in jobs]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    shop.closing.set()
    for thread in threads:
        thread.join()
    print(f"{shop.ledger.audit()} taken in {seconds:g} s by {len(threads)} threads")


if __name__ == "__main__":
    main()
