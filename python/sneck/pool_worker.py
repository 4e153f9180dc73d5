"""The last profile of Celery's prefork workers.

The pool they belong to (billiard) has them leave by os._exit() from within their main function, past
every finalizer; before that it calls on_exit, where Celery sends its worker_process_shutdown.
"""
import sys
from typing import Any

BOUND_S = 2.0  # a worker may live for one task: an agent that hangs shall not keep the next one waiting


def watch() -> None:
    """In a child, once it knows which process it is."""
    process = sys.modules.get("billiard.process")
    current = process.current_process() if process is not None else None
    worker: Any = getattr(current, "_target", None)
    if hasattr(worker, "on_exit"):
        _behind(worker)


def _behind(worker: Any) -> None:
    before = worker.on_exit

    def on_exit(pid: int, status: int) -> None:
        try:
            if before is not None:
                before(pid, status)
        finally:
            _flush()

    worker.on_exit = on_exit


def _flush() -> None:
    extension = sys.modules.get("sneck._sneck")
    if extension is not None:
        extension.flush(BOUND_S)
