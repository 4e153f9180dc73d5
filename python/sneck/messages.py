"""Saying something to whoever ran us, on stderr, if there is one."""
import sys


def say(who: str, what: str) -> None:
    """One line, whatever the text.  A program may run without a stderr, or with a closed one."""
    try:
        sys.stderr.write(f"{who}: {' '.join(what.split())}\n")
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass
