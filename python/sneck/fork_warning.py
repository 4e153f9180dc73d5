"""A fork beside our thread alone is no fork among threads.

From 3.12 on CPython warns of a fork in a process of several threads, by the kernel's count of
them.  Our thread is safe to fork beside, and the program did not ask for it: where there is no
other, the warning is not for the program.  Ending the thread for each fork would do as well, but
on a busy processor the fork waited 40 ms in the median for it.

The filter is put in front on the eve of a fork: no program that does not fork finds its filters
changed, and none that puts filters of its own before ours (-W error, pytest, catch_warnings) has
its fork fail for a thread of ours.
"""

import os
import sys
import warnings
from importlib import import_module
from typing import Any, Callable


class OnlyOurs:
    """What stands in a filter for a compiled pattern: Python calls its match() with the text."""

    pattern = "(?!)"  # for who prints filters

    def __init__(self, match: Callable[[str], bool]) -> None:
        self.match = match

    def __reduce__(self) -> Any:
        """A copy for another process (joblib sends its filters along) is a pattern that fits nothing."""
        from re import compile

        return compile, (self.pattern,)


_filter: tuple[Any, ...] = ()


def _filters() -> list[Any]:
    """Those asked first: of the context, where Python keeps them there (3.14 on, if it is told to)."""
    of_context = getattr(warnings, "_get_filters", None)
    found = of_context() if of_context is not None else getattr(warnings, "filters")
    return found if isinstance(found, list) else []


def _put_in_front() -> None:
    filters = _filters()
    if not filters or filters[0] is not _filter:
        filters[:] = [_filter, *(known for known in filters if known is not _filter)]


def install() -> None:
    """Once in an interpreter."""
    global _filter
    if sys.version_info >= (3, 12):
        ours = OnlyOurs(import_module("sneck._sneck")._is_of_our_thread)
        _filter = ("ignore", ours, DeprecationWarning, None, 0)
        os.register_at_fork(before=_put_in_front)
