"""What bench/server serves: a Flask application that takes a hundred locks a request, as busy ones do."""

import threading

from flask import Flask

app = Flask(__name__)


class Account:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.journal_lock = threading.RLock()
        self.requests = 0

    def use(self) -> None:
        for _ in range(5):
            with self.lock:
                self.requests += 1
            with self.journal_lock:
                pass


accounts = [Account() for _ in range(10)]


@app.get("/")
def serve() -> str:
    for account in accounts:
        account.use()
    return "done"
