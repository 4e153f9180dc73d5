"""A fork beside our thread alone is no fork among threads.

From 3.12 on CPython warns of a fork in a process of several threads, by the kernel's count of
them.  Our thread is safe to fork beside, and the program did not ask for it: where there is no
other, the warning is not for the program.  Ending the thread for each fork would do as well, but
on a busy processor the fork waited 40 ms in the median for it.
"""
import os
import sys
import warnings


class OnlyOurs:
    """What stands in a filter for a compiled pattern: Python calls its match() with the text."""

    def match(self, text: str) -> bool:
        return "multi-threaded, use of fork" in text and _others() == 1


def _others() -> int:
    """Threads that are not ours; those that a library starts for ours have its name."""
    return sum(_name_of(task) not in ("sneck-upload", "") for task in os.listdir("/proc/self/task"))


def _name_of(task: str) -> str:
    try:
        with open(f"/proc/self/task/{task}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""  # it has just ended


def install() -> None:
    """Once in an interpreter.  The public functions take patterns in text alone, hence the list itself."""
    if sys.version_info >= (3, 12):
        getattr(warnings, "filters").insert(0, ("ignore", OnlyOurs(), DeprecationWarning, None, 0))
