"""Write pprof files whose contents are known, without our own code: the other half of pprof_oracle.

    Maker().sample([("work", "app.py", 12)], {"lock name": "app.py:3:x"}, {"lock-acquire": 1}).write(path)
"""

import gzip
import json
import math
from collections import Counter
from typing import Any, Iterable

OURS = [("lock-acquire-wait", "nanoseconds"), ("lock-acquire", "count"), ("lock-release-hold", "nanoseconds"),
        ("lock-release", "count"), ("lock-acquire-failed", "count"), ("lock-contended", "count")]
Frame = tuple[str, str, int]


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value) if value else b""


def message(field: int, body: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(body)) + body


def packed(field: int, values: Iterable[int]) -> bytes:
    return message(field, b"".join(map(varint, values)))


def bucket(wait_ns: int) -> int:
    """The bucket of a wait, by the definition in docs/reading-a-report.md."""
    return math.floor(4 * math.log2(wait_ns)) if wait_ns > 1 else 0


class Maker:
    """A profile being made."""

    def __init__(self, sample_types: list[tuple[str, str]] = OURS, time_ns: int = 1_700_000_000_000_000_000,
                 duration_ns: int = 60_000_000_000) -> None:
        self.types = sample_types
        self.strings: dict[str, int] = {"": 0}
        self.functions: dict[tuple[str, str], int] = {}
        self.locations: dict[Frame, int] = {}
        self.samples: list[bytes] = []
        self.comments: list[int] = []
        self.time_ns, self.duration_ns = time_ns, duration_ns

    def string(self, text: str) -> int:
        return self.strings.setdefault(text, len(self.strings))

    def location(self, frame: Frame) -> int:
        self.functions.setdefault(frame[:2], len(self.functions) + 1)
        return self.locations.setdefault(frame, len(self.locations) + 1)

    def label(self, key: str, value: "str | int") -> bytes:
        if isinstance(value, str):
            return message(3, number(1, self.string(key)) + number(2, self.string(value)))
        return message(3, number(1, self.string(key)) + number(3, value))

    def sample(self, frames: list[Frame], labels: "dict[str, str | int]", values: dict[str, int]) -> "Maker":
        body = packed(1, map(self.location, frames))
        body += packed(2, (values.get(name, 0) for name, _unit in self.types))
        body += b"".join(self.label(*item) for item in labels.items())
        self.samples.append(message(2, body))
        return self

    def comment(self, text: str) -> "Maker":
        self.comments.append(self.string(text))
        return self

    def stats(self, name: str, waits_ns: list[int], kind: str = "threading.Lock", owner: str = "",
              acquires: float | None = None) -> "Maker":
        """The exact counts of a lock that was waited for so long, so often."""
        what: dict[str, Any] = {"name": name, "kind": kind, "owner": owner, "contended": len(waits_ns),
                                "wait_ns": sum(waits_ns), "wait_max_ns": max(waits_ns, default=0),
                                "wait_histogram": dict(Counter(str(bucket(ns)) for ns in waits_ns)),
                                **({} if acquires is None else {"acquires": acquires})}
        return self.comment("sneck-lock-stats " + json.dumps(what))

    def encode(self) -> bytes:
        body = b"".join(message(1, number(1, self.string(name)) + number(2, self.string(unit)))
                        for name, unit in self.types)
        body += b"".join(self.samples)
        for (name, file, line), at in self.locations.items():
            body += message(4, number(1, at) + message(4, number(1, self.functions[name, file]) + number(2, line)))
        for (name, file), at in self.functions.items():
            body += message(5, number(1, at) + number(2, self.string(name)) + number(4, self.string(file)))
        body += b"".join(message(6, text.encode()) for text in self.strings)
        body += number(9, self.time_ns) + number(10, self.duration_ns)
        return body + (packed(13, self.comments) if self.comments else b"")

    def write(self, path: str) -> str:
        with gzip.open(path, "wb") as file:
            file.write(self.encode())
        return path
