"""The last profile of children that multiprocessing forks.

They end by os._exit(), so neither atexit nor anything else of the interpreter's end comes
to pass in them.  What they do run is multiprocessing's own list of finalizers, which each
child begins empty; so the entry is made there, by its list of what to do after a fork.  A
child may also be the first to load us: before it has got as far as that list (a fork server's
child, which runs the program's file anew), or behind it.
"""
import os
import sys
from types import ModuleType

from sneck import pool_worker

LAST = -1000  # of finalizers: behind those of queues and pools, which take locks

_told: list[ModuleType] = []


def watch() -> None:
    """From now on; once in a process is enough."""
    os.register_at_fork(before=_tell)
    _tell()
    process = sys.modules.get("multiprocessing.process")
    if _told and process is not None and process.parent_process() is not None:
        _in_child(None)


def _tell() -> None:
    """multiprocessing may come at any time after us: the eve of a fork is soon enough to look for it."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and not _told and hasattr(util, "register_after_fork"):
        util.register_after_fork(_in_child, _in_child)
        _told.append(util)


def _in_child(_self: object) -> None:
    for util in _told:
        util.Finalize(None, _stop, exitpriority=LAST)
    pool_worker.watch()


def _stop() -> None:
    extension = sys.modules.get("sneck._sneck")
    if extension is not None:
        extension.stop()
