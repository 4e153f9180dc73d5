"""gunicorn's worker classes: how each is started, what its workers serve at once, and what of that can be seen."""

from typing import NamedTuple

from serving import LOCKS

START = "sneck run gunicorn --workers 2 --no-control-socket --bind 127.0.0.1:8000"


class WorkerClass(NamedTuple):
    options: str
    application: str = "app:app"
    needs: str = "gunicorn"
    slow_requests: int = 2
    by_thread: bool = True

    def command(self, preload: bool = False) -> str:
        return f"{START} --worker-class {self.options}{' --preload' if preload else ''} {self.application}"

    def locks(self, preload: bool) -> tuple[str, ...]:
        """Those seen.  gevent's worker puts locks of gevent's own in the place of threading's: they are not CPython's."""
        return ("native_lock",) if self is GEVENT and not preload else LOCKS


SYNC = WorkerClass("sync")
GTHREAD = WorkerClass("gthread --threads 3")
# A preloaded lock stops all greenlets where one waits for it: so one slow request.
GEVENT = WorkerClass("gevent --graceful-timeout 20", needs="gevent", slow_requests=1, by_thread=False)
UVICORN = WorkerClass("uvicorn_worker.UvicornWorker", "app:asgi", "uvicorn_worker")
