"""Tables that fit: columns shrink, then the least wanted ones go, until the width is kept.

A line is a list of spans, (text, style).  Painting them is somebody else's: with colours
when there is `rich`, or as they are.
"""
from collections.abc import Sequence
from dataclasses import dataclass

from sneck.units import shorten, width

Span = tuple[str, str]
Line = list[Span]
GAP = "  "


@dataclass(frozen=True)
class Column:
    """What a column is for, and what it may lose."""

    title: str
    style: str = ""
    is_number: bool = False  # to the right, never cut
    least: int = 0  # columns of a terminal that a text needs to be of use
    keep_end: bool = False  # cut at the start, when cut
    rank: int = 0  # the highest goes first; 0 stays


@dataclass
class Layout:
    """Which columns stay, and how wide each is."""

    chosen: list[int]
    widths: list[int]


def natural_widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max([width(column.title), *(width(row[i]) for row in rows)]) for i, column in enumerate(columns)]


def total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * max(0, len(widths) - 1)


def least_widths(columns: Sequence[Column], naturals: Sequence[int]) -> list[int]:
    return [natural if column.is_number else min(natural, column.least)
            for column, natural in zip(columns, naturals)]


def fits_whole(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> bool:
    """Whether every column finds its least place."""
    return total(least_widths(columns, natural_widths(columns, rows))) <= room


def lay_out(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int) -> Layout:
    """Drop columns until the rest fits, then give what is left over to the texts."""
    naturals = natural_widths(columns, rows)
    leasts = least_widths(columns, naturals)
    chosen = list(range(len(columns)))
    while total([leasts[i] for i in chosen]) > room and any(columns[i].rank for i in chosen):
        chosen.remove(max(chosen, key=lambda i: columns[i].rank))
    widths = {i: leasts[i] for i in chosen}
    spare = room - total(list(widths.values()))
    for i in chosen:  # nothing more to drop: the texts give what they can
        if spare < 0 and not columns[i].is_number:
            widths[i], spare = max(1, widths[i] + spare), min(0, widths[i] - 1 + spare)
    while spare > 0 and (cut := [i for i in chosen if widths[i] < naturals[i]]):
        widths[min(cut, key=widths.__getitem__)] += 1
        spare -= 1
    return Layout(chosen, [widths[i] for i in chosen])


def row_line(columns: Sequence[Column], layout: Layout, cells: Sequence[str], style: str | None = None) -> Line:
    """One row; without style, each cell has its column's."""
    line: Line = []
    for i, room in zip(layout.chosen, layout.widths):
        column, text = columns[i], shorten(cells[i], room, columns[i].keep_end)
        pad = " " * (room - width(text))
        if line:
            line.append((GAP, ""))
        line.append((pad + text if column.is_number else text + pad, column.style if style is None else style))
    return line


def plain(line: Line) -> str:
    return "".join(text for text, _style in line).rstrip()
