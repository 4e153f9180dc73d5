"""Importing this module starts the profiler, with the options of the environment.

It says nothing unless something is wrong, and whatever is wrong costs one line on
stderr, never the program.  Importing it again, or after sneck.start(), changes nothing.
"""
import os

from sneck.extension import function, is_of_subinterpreter
from sneck.messages import say

WHO = "sneck: not profiling"
OFF_WORDS = frozenset(("0", "false", "no", "off"))
ON_WORDS = frozenset(("1", "true", "yes", "on", "auto"))


def is_switched_off() -> bool:
    """Whether SNECK_ENABLED, or else DD_PROFILING_ENABLED, says no."""
    for variable in ("SNECK_ENABLED", "DD_PROFILING_ENABLED"):
        if word := os.environ.get(variable, "").strip().lower():
            return word in OFF_WORDS
    return False


def begin() -> None:
    """Start, unless switched off or running."""
    if is_switched_off():
        return
    try:
        if not function("status")()["running"]:
            function("start")()
    except ImportError as error:
        if not is_of_subinterpreter(error):
            complain(str(error))
    except Exception as error:
        complain(str(error) or type(error).__name__)


def complain(what: str) -> None:
    if os.environ.get("SNECK_QUIET", "").strip().lower() not in ON_WORDS:
        say(WHO, what)


begin()
