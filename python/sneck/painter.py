"""Lines onto the terminal: in colour with `rich`, and readable without it."""
import sys
from collections.abc import Iterable

from sneck.messages import say
from sneck.table import Line, plain

STYLES = {
    "title": "bold",
    "header": "bold underline",
    "name": "cyan",
    "number": "",
    "strong": "bold yellow",
    "dim": "dim",
    "": "",
}


def paint(lines: Iterable[Line]) -> None:
    """Print; colours only where the terminal takes them, and never a line that is longer."""
    if sys.stdout.isatty():
        try:
            paint_rich(lines)
            return
        except ImportError:
            say("sneck report", "for colours, install the package python3-rich (in a venv: rich)")
    for line in lines:
        print(encodable(plain(line)))


def paint_rich(lines: Iterable[Line]) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, emoji=False, markup=False, soft_wrap=True)
    for line in lines:
        text = Text()
        for part, style in line:
            text.append(encodable(part), STYLES[style])
        text.rstrip()
        console.print(text, soft_wrap=True)


def encodable(text: str) -> str:
    """What the output's encoding can say of it; one column stays one column."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
        return text
    except UnicodeEncodeError:
        return text.replace("…", "~").encode(encoding, "replace").decode(encoding)
