"""Numbers as people read them, and text as terminals stand it."""
import unicodedata

STEPS_NS = ((1, "ns"), (1_000, "us"), (1_000_000, "ms"), (1_000_000_000, "s"))
STEPS_COUNT = ((1, ""), (1_000, "k"), (1_000_000, "M"), (1_000_000_000, "G"), (1_000_000_000_000, "T"))


def three_digits(value: float) -> str:
    """1.23, 12.3, 123: as many digits as one compares by."""
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"


def scaled(value: float, steps: tuple[tuple[int, str], ...]) -> tuple[str, str]:
    """The number and unit, in the first unit that keeps it below 1000."""
    for step, unit in steps:
        if value / step < 999.5:
            break
    return three_digits(value / step), unit


def duration(value_ns: float | None) -> str:
    """850 ns, 12.3 us, 4.56 ms, 1.23 s."""
    if value_ns is None:
        return "-"
    number, unit = scaled(value_ns, STEPS_NS)
    if unit == "ns":
        number = f"{value_ns:.0f}"
    return f"{number} {unit}"


def count(value: float) -> str:
    """850, 12.3k, 4.56M."""
    if value < 999.5:
        return f"{value:.0f}"
    return "".join(scaled(value, STEPS_COUNT))


def printable(text: str) -> str:
    """One line, with nothing that a terminal would obey."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def width(text: str) -> int:
    """Columns that the text takes on a terminal."""
    return sum(map(character_width, text))


def character_width(c: str) -> int:
    if unicodedata.combining(c) or unicodedata.category(c) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def wrap(text: str, columns: int) -> list[str]:
    """The text in lines of so many columns, broken between words, and within those that have no room in a line."""
    lines = [""]
    for word in text.split():
        if lines[-1] and width(f"{lines[-1]} {word}") > columns:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else word
        while width(lines[-1]) > columns:
            start = start_of(lines[-1], columns) or lines[-1][0]
            lines[-1:] = [start, lines[-1][len(start):]]
    return [line for line in lines if line]


def start_of(text: str, columns: int) -> str:
    """As much of the text as has room in so many columns."""
    for i, c in enumerate(text):
        columns -= character_width(c)
        if columns < 0:
            return text[:i]
    return text


def shorten(text: str, columns: int, keep_end: bool = False) -> str:
    """The text in so many columns, cut at its end, or at its start to keep the end."""
    if width(text) <= columns:
        return text
    if columns <= 0:
        return ""
    if keep_end:
        return "…" + start_of(text[::-1], columns - 1)[::-1]
    return start_of(text, columns - 1) + "…"
