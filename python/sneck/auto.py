"""Importing this module starts the profiler, with the options of the environment.

It says nothing unless something is wrong, and whatever is wrong costs one line on
stderr, never the program.  Importing it again, or after sneck.start(), changes nothing.
"""
import os

from sneck.extension import function, is_of_subinterpreter
from sneck.messages import say
from sneck.switches import is_quiet, is_switched_off

WHO = "sneck: not profiling"


def begin() -> None:
    """Start, unless switched off or running."""
    if is_switched_off(os.environ):
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
    if not is_quiet(os.environ):
        say(WHO, what)


begin()
