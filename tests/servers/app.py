"""The application under test.  It counts its own lock operations: the truth to compare profiles with.

Each stretch of operations ends with a line in $TRUTH/<pid>: lock, thread, how many.  A line is
written behind its operations, in one write: nothing has to be kept, reset at a fork, or saved
at the end.

    WSGI: app:app, ASGI: app:asgi
    /work    some operations in this thread;  /slow    one hold of a second;  anything else: /work
"""

import asyncio
import json
import os
import threading
import time
from typing import Any, Callable, Iterable

try:  # behind gevent's patches threading.Lock is gevent's own; this one is CPython's in any case
    from gevent.monkey import get_original
except ImportError:
    native = threading.Lock
else:
    native = get_original("threading", "Lock")

native_lock = native()
session_lock = threading.Lock()
slow_lock = threading.Lock()
keeper_lock = threading.Lock()


class Cache:
    def __init__(self) -> None:
        self.lock_of_cache = threading.RLock()


cache = Cache()
keepers: dict[int, threading.Thread] = {}


def append(path: str, line: str) -> None:
    place = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(place, line.encode())
    os.close(place)


def note(lock: str, n: int) -> None:
    """Add to the truth of this process."""
    line = json.dumps([lock, threading.current_thread().name, n]) + "\n"
    append(os.path.join(os.environ["TRUTH"], str(os.getpid())), line)


def use(lock: Any, name: str, n: int) -> None:
    for _ in range(n):
        with lock:
            pass
    note(name, n)


def work() -> None:
    use(native_lock, "native_lock", 4)
    use(session_lock, "session_lock", 5)
    use(cache.lock_of_cache, "lock_of_cache", 3)


def slow() -> None:
    append(os.environ["TRUTH"] + ".begun", f"{os.getpid()}\n")  # it is being served now
    with slow_lock:
        time.sleep(1)
    note("slow_lock", 1)


def keep() -> None:
    use(keeper_lock, "keeper_lock", 11)
    while True:
        time.sleep(3600)


def begin() -> None:
    """A thread of one's own in each process that serves, from its first request."""
    if os.getpid() not in keepers:
        keeper = threading.Thread(target=keep, name="keeper", daemon=True)
        if keepers.setdefault(os.getpid(), keeper) is keeper:
            keeper.start()


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    begin()
    slow() if environ["PATH_INFO"] == "/slow" else work()
    body = str(os.getpid()).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


async def asgi(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    begin()
    work()
    await asyncio.to_thread(slow if scope["path"] == "/slow" else work)
    body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


use(session_lock, "session_lock", 7)
use(native_lock, "native_lock", 2)
