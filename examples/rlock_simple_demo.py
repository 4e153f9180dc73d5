#!/usr/bin/env python3
"""Ten workers share a bank: one RLock each for the bank and its log.

    sneck run examples/rlock_simple_demo.py
    python examples/rlock_simple_demo.py --verify
"""

import random
import sys
import threading
import time

from account import Account, Claim, Tally, clock, main, run_threads

CLAIMS = (
    Claim("bank_lock", "a module's RLock; transfer() takes it, and again in balance()", reentrant=True),
    Claim("_log_lock", "an attribute of Log; waited for, as writing is slow"),
)

bank_lock = threading.RLock()


class Log:
    def __init__(self) -> None:
        self._log_lock = threading.RLock()
        self._lines = 0

    def write(self, mine: Tally) -> None:
        began = clock()
        with self._log_lock:
            mine.took("_log_lock", began)
            time.sleep(0.001)
            self._lines += 1


class Bank:
    def __init__(self) -> None:
        self._accounts = {name: 1000 for name in ("Ada", "Grace", "Edsger", "Barbara")}
        self._log = Log()

    def balance(self, name: str, mine: Tally) -> int:
        with bank_lock:
            mine.took_again("bank_lock")
            return self._accounts[name]

    def transfer(self, mine: Tally) -> None:
        payer, payee = random.sample(list(self._accounts), 2)
        began = clock()
        with bank_lock:
            mine.took("bank_lock", began)
            amount = self.balance(payer, mine) // 10
            time.sleep(0.0005)
            self._accounts[payer] -= amount
            self._accounts[payee] += amount
        if random.random() < 0.3:
            self._log.write(mine)


def run(account: Account, seconds: float, workers: int) -> None:
    bank, end = Bank(), time.monotonic() + seconds

    def work() -> None:
        mine = account.mine()
        while time.monotonic() < end:
            bank.transfer(mine)
            time.sleep(0.001)

    run_threads([(f"Worker-{i + 1}", work) for i in range(workers)])


if __name__ == "__main__":
    sys.exit(main(__doc__, CLAIMS, run, seconds=30, workers=(10, 1, 50)))
