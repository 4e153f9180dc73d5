"""sneck report: the table of locks that a person wants, or the same as JSON."""
import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import Any

from sneck.messages import say
from sneck.painter import paint
from sneck.profiles import Frame, Lock, Merged, Reader, Stack, expand, merge
from sneck.table import Column, Line, fits_whole, lay_out, row_line
from sneck.units import count, duration, printable, shorten, width, wrap

WHO = "sneck report"
SORT_KEYS = {
    "wait": lambda lock: lock.wait_ns,
    "contended": lambda lock: lock.contended or 0,
    "acquires": lambda lock: lock.acquires,
    "hold": lambda lock: lock.hold_ns,
}
QUANTILES = (("p50", 0.50), ("p99", 0.99))
LIMIT = 20

NAME = Column("lock", "name", least=14, keep_end=True)
NUMBERS = (
    Column("acquires", is_number=True, rank=4),
    Column("contended", "number", is_number=True, rank=1),
    Column("wait", "strong", is_number=True),
    Column("p50", "number", is_number=True, rank=6),
    Column("p99", "number", is_number=True, rank=2),
    Column("max", "number", is_number=True, rank=3),
    Column("hold", is_number=True, rank=5),
)
MADE_AT = Column("made at", "dim", least=14, keep_end=True)
KIND = Column("kind", "dim", least=5)
THREAD = Column("waits most", least=12)
PLACE = Column("from", least=18, keep_end=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `sneck report`."""
    parser.add_argument("paths", nargs="+", metavar="FILE_OR_DIR", help="profiles, or directories with profiles")
    parser.add_argument("--sort", choices=[*SORT_KEYS, "name"], default="wait",
                        help="what comes first (default: %(default)s)")
    parser.add_argument("--limit", type=natural_number, metavar="N",
                        help=f"how many locks, or stacks, are shown; 0: all (default: {LIMIT})")
    parser.add_argument("--lock", metavar="NAME", help="show the stacks that waited most for this lock")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, times in nanoseconds")


def natural_number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return int(text)


def main(arguments: argparse.Namespace, read: Reader) -> int:
    """Print the report; the exit status."""
    try:
        files = expand(arguments.paths)
    except OSError as error:
        return fail(f"{error.filename}: {error.strerror}")
    merged = merge(files, read)
    complain(merged)
    if why := nothing_to_show(merged, arguments):
        return fail(why)
    locks = sort(merged.locks.values(), arguments.sort)
    if arguments.lock is not None:
        locks = matching(locks, arguments.lock)
        if not locks:
            return fail(f"no lock is called {printable(arguments.lock)}; `sneck report` without --lock lists them")
    # JSON is for programs: all of it, unless they ask for less.
    limit = arguments.limit if arguments.limit is not None else 0 if arguments.json else LIMIT
    if arguments.json:
        json.dump(as_json(merged, locks, limit, arguments.lock is not None), sys.stdout, indent=2)
        print()
    elif arguments.lock is not None:
        paint(details(locks, limit, terminal_width()))
    else:
        paint(table(merged, locks, limit, terminal_width()))
    return 0


def fail(what: str) -> int:
    say(WHO, what)
    return 1


def complain(merged: Merged) -> None:
    """Name what could not be read; the rest goes on."""
    for path, why in merged.unreadable:
        say(WHO, f"{printable(path)}: {printable(why)}; left out")
    if merged.unreadable and merged.files:
        n = len(merged.unreadable) + len(merged.files)
        say(WHO, f"{len(merged.unreadable)} of {n} files could not be read")
    if merged.bad_comments:
        say(WHO, f"{merged.bad_comments} comments with exact counts make no sense; left out")


def nothing_to_show(merged: Merged, arguments: argparse.Namespace) -> str:
    where = printable(", ".join(arguments.paths))
    if not merged.files:
        return "no file could be read" if merged.unreadable else f"no .pprof files in {where}"
    if merged.locks:
        return ""
    if not any(name.startswith("lock-") for name in merged.sample_types):
        return f"no locks in {where}: these profiles hold {', '.join(sorted(merged.sample_types)) or 'nothing'}"
    return f"no locks in {where}: the program took none while it was profiled, or none was sampled"


def sort(locks: Any, by: str) -> list[Lock]:
    """By name, or the largest first and equals by name."""
    ordered: list[Lock] = sorted(locks, key=lambda lock: (lock.short_name, lock.key))
    if by != "name":
        ordered.sort(key=SORT_KEYS[by], reverse=True)
    return ordered


def matching(locks: Sequence[Lock], name: str) -> list[Lock]:
    """Those of that name, as the table or the file calls them; else those that contain it."""
    def names(lock: Lock) -> tuple[str, ...]:
        return lock.key.name, lock.short_name, lock.made_at, lock.key.name.rpartition(":")[2]
    exactly = [lock for lock in locks if name in names(lock)]
    return exactly or [lock for lock in locks
                       if any(name.lower() in candidate.lower() for candidate in names(lock)[:2])]


def terminal_width() -> int:
    return max(20, shutil.get_terminal_size((80, 24)).columns)


def first(items: Sequence[Any], limit: int) -> Sequence[Any]:
    return items[:limit] if limit else items


# ---- the table ---------------------------------------------------------------------------


def numbers(lock: Lock) -> list[str]:
    """The cells of NUMBERS."""
    contended = lock.contended
    return [count(lock.acquires), "-" if contended is None else count(contended), duration(lock.wait_ns),
            *(duration(lock.wait_quantile_ns(q)) for _name, q in QUANTILES),
            duration(lock.wait_max_ns), duration(lock.hold_ns)]


def place_parts(frame: Frame | None) -> tuple[str, str]:
    """Function, and file.py:12 with the file's bare name."""
    if frame is None:
        return "-", ""
    return printable(frame.function), printable(f"{os.path.basename(frame.file)}:{frame.line}")


def place(frame: Frame | None) -> str:
    return " ".join(place_parts(frame)).rstrip()


def kind(lock: Lock) -> str:
    return printable(lock.key.kind.removeprefix("threading.")) or "-"


def whole_row(lock: Lock) -> list[str]:
    top = lock.top_waiter()
    return [printable(lock.short_name), printable(lock.made_at) or "-", kind(lock), *numbers(lock),
            printable(top.thread) if top else "-", place(top.place) if top else "-"]


NARROW_HEADER = "  who waits most, in which function; what it is, and where made"


def detail_line(lock: Lock, room: int) -> Line:
    """What has no column in a narrow table.  Long names give way to where they are."""
    made = f"{kind(lock)} made at {printable(lock.made_at)}" if lock.made_at else kind(lock)
    top = lock.top_waiter()
    if not top:
        return [("  " + shorten(made, room - 2), "dim")]
    thread, function, where = printable(top.thread), *place_parts(top.place)
    excess = width(f"  {thread} in {function} {where}; {made}") - room
    function, excess = give_way(function, excess)
    thread, excess = give_way(thread, excess)
    return [("  " + shorten(f"{thread} in {function} {where}; {made}", room - 2), "dim")]


def give_way(name: str, excess: int, least: int = 14) -> tuple[str, int]:
    """The name, shortened by what is too much, within reason; and what is still too much."""
    before = width(name)
    name = shorten(name, max(min(before, least), before - max(0, excess)), keep_end=True)
    return name, excess - (before - width(name))


def table(merged: Merged, locks: Sequence[Lock], limit: int, room: int) -> list[Line]:
    """Header, a row per lock (two where the terminal is narrow), what was left out, and how to read it."""
    shown = first(locks, limit)
    columns: tuple[Column, ...] = (NAME, MADE_AT, KIND, *NUMBERS, THREAD, PLACE)
    rows = [whole_row(lock) for lock in shown]
    is_narrow = not fits_whole(columns, rows, room)
    if is_narrow:
        columns = (NAME, *NUMBERS)
        rows = [[printable(lock.short_name), *numbers(lock)] for lock in shown]
    layout = lay_out(columns, rows, room)
    lines = [*wrapped(summary(merged, locks), room, "title"), [],
             row_line(columns, layout, [column.title for column in columns], "header")]
    if is_narrow:
        lines.append([(shorten(NARROW_HEADER, room), "dim")])
    for lock, row in zip(shown, rows):
        lines.append(row_line(columns, layout, row))
        if is_narrow:
            lines.append(detail_line(lock, room))
    lines.append([])
    if len(shown) < len(locks):
        lines += wrapped(f"{len(locks) - len(shown)} more: --limit 0 shows all.", room)
    return lines + wrapped(legend(locks), room, "dim")


def summary(merged: Merged, locks: Sequence[Lock]) -> str:
    waited = duration(sum(lock.wait_ns for lock in locks))
    text = f"{plural(len(locks), 'lock')}, waited for {waited} in total; " \
           f"{plural(len(merged.files), 'file')} of {plural(len(merged.processes), 'process', 'es')}"
    if not merged.start_ns:
        return text
    start = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(merged.start_ns / 1e9))
    return f"{text}, {duration(merged.end_ns - merged.start_ns)} from {start}"


def plural(n: int, noun: str, ending: str = "s") -> str:
    return f"{n} {noun}{'' if n == 1 else ending}"


def legend(locks: Sequence[Lock]) -> str:
    if all(lock.exact or lock.contended == 0 for lock in locks):
        return "acquires and hold are estimates; contended and the waits are exact."
    if any(lock.exact for lock in locks):
        return "acquires and hold are estimates; contended and the waits are exact where p50 is shown."
    return "All numbers are estimates: these profiles hold no exact counts."


def wrapped(text: str, room: int, style: str = "") -> list[Line]:
    return [[(line, style)] for line in wrap(text, room)]


# ---- one lock ----------------------------------------------------------------------------


def details(locks: Sequence[Lock], limit: int, room: int) -> list[Line]:
    """The stacks that waited most, for each of the locks."""
    lines: list[Line] = []
    for lock in locks:
        owner = f", made by {lock.key.owner}" if lock.key.owner else ""
        lines += wrapped(printable(f"{lock.key.name or lock.short_name}: {kind(lock)}{owner}"), room, "title")
        lines += wrapped(", ".join(f"{column.title} {cell}" for column, cell in zip(NUMBERS, numbers(lock))), room)
        lines += stacks(lock, limit, room)
        lines.append([])
    return lines[:-1]


def stacks(lock: Lock, limit: int, room: int) -> list[Line]:
    ordered = sort_stacks(lock)
    whole_ns = sum(stack.wait_ns for _frames, stack in ordered) or 1
    lines: list[Line] = []
    for frames, stack in first(ordered, limit):
        threads = ", ".join(printable(name) for name, _wait in stack.threads.most_common(3))
        more = f" and {len(stack.threads) - 3} more" if len(stack.threads) > 3 else ""
        head = f"{duration(stack.wait_ns)}  {100 * stack.wait_ns / whole_ns:.0f} %  {threads}{more}"
        lines += [[], [(shorten(head, room), "strong")]]
        lines += [frame_line(frame, room) for frame in frames]
    if limit and len(ordered) > limit:
        lines += [[], *wrapped(f"{plural(len(ordered) - limit, 'more stack')}: --limit 0 shows all.", room)]
    return lines or [[("No wait for it was recorded.", "dim")]]


def sort_stacks(lock: Lock) -> list[tuple[tuple[Frame, ...], Stack]]:
    return sorted(lock.stacks.items(), key=lambda item: (-item[1].wait_ns, item[0]))


def frame_line(frame: Frame, room: int) -> Line:
    name = shorten(printable(frame.function), max(10, room // 2))
    where = printable(f"{frame.file}:{frame.line}") if frame.file else ""
    return [("    ", ""), (name, "name"), ("  ", ""),
            (shorten(where, max(0, room - 6 - width(name)), keep_end=True), "dim")]


# ---- JSON --------------------------------------------------------------------------------


def as_json(merged: Merged, locks: Sequence[Lock], limit: int, with_stacks: bool) -> dict[str, Any]:
    """Everything, times in nanoseconds; docs/reading-a-report.md describes it."""
    return {
        "files": merged.files,
        "unreadable": [{"file": path, "reason": why} for path, why in merged.unreadable],
        "processes": len(merged.processes),
        "start_ns": merged.start_ns,
        "duration_ns": merged.end_ns - merged.start_ns,
        "locks": [lock_as_json(lock, with_stacks and limit, with_stacks)
                  for lock in (locks if with_stacks else first(locks, limit))],
    }


def lock_as_json(lock: Lock, limit: int, with_stacks: bool) -> dict[str, Any]:
    top = lock.top_waiter()
    out: dict[str, Any] = {
        "name": lock.key.name, "short_name": lock.short_name, "made_at": lock.made_at,
        "kind": lock.key.kind, "owner": lock.key.owner,
        "acquires": lock.acquires, "failed": lock.failed, "releases": lock.releases,
        "contended": lock.contended, "is_exact": lock.exact is not None,
        "wait_ns": lock.wait_ns, "wait_max_ns": lock.wait_max_ns,
        **{f"wait_{name}_ns": lock.wait_quantile_ns(q) for name, q in QUANTILES},
        "hold_ns": lock.hold_ns,
        "top_waiter": top and {"thread": top.thread, "place": top.place and top.place._asdict()},
        "wait_ns_by_thread": dict(lock.wait_by_thread().most_common()),
    }
    if with_stacks:
        out["stacks"] = [{"frames": [frame._asdict() for frame in frames], "wait_ns": stack.wait_ns,
                          "contended": stack.contended, "wait_ns_by_thread": dict(stack.threads.most_common())}
                         for frames, stack in first(sort_stacks(lock), limit)]
    return out
