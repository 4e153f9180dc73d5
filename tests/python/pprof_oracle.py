"""Read a pprof file without our own code: a second opinion for tests.

    profile = read("p.123.1.pprof")
    profile.sample_types      [("lock-acquire-wait", "nanoseconds"), ...]
    profile.samples           [Sample(frames, labels, values)], frames leaf first as (function, file, line)
    profile.comments, profile.time_ns, profile.duration_ns
"""

import gzip
from typing import Iterator, NamedTuple

Frame = tuple[str, str, int]


class Sample(NamedTuple):
    frames: list[Frame]
    labels: dict[str, "str | int"]
    values: list[int]


class Profile(NamedTuple):
    sample_types: list[tuple[str, str]]
    samples: list[Sample]
    comments: list[str]
    time_ns: int
    duration_ns: int


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _fields(data: bytes) -> Iterator[tuple[int, "int | bytes"]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        if key & 7 == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
        elif key & 7 == 2:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("a message is cut short")
            yield key >> 3, data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {key & 7} has no place in a pprof file")


class _Message:
    """Fields by number: scalars, repeated numbers (packed or not), messages."""

    def __init__(self, data: bytes) -> None:
        self.fields: dict[int, list] = {}
        for number, value in _fields(data):
            self.fields.setdefault(number, []).append(value)

    def number(self, field: int) -> int:
        return _signed(self.fields.get(field, [0])[-1])

    def numbers(self, field: int) -> list[int]:
        out: list[int] = []
        for value in self.fields.get(field, []):
            if isinstance(value, int):
                out.append(_signed(value))
                continue
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                out.append(_signed(one))
        return out

    def messages(self, field: int) -> "list[_Message]":
        return [_Message(value) for value in self.fields.get(field, [])]


def read(path: str) -> Profile:
    with gzip.open(path) as file:
        return parse(file.read())


def parse(data: bytes) -> Profile:
    """A Profile message, uncompressed; every id must resolve."""
    whole = _Message(data)
    strings = [raw.decode("utf-8") for raw in whole.fields.get(6, [])]
    if strings[:1] != [""]:
        raise ValueError("the first string must be empty")
    functions = {f.number(1): (strings[f.number(2)], strings[f.number(4)]) for f in whole.messages(5)}
    locations = {l.number(1): [(*functions[line.number(1)], line.number(2)) for line in l.messages(4)]
                 for l in whole.messages(4)}
    samples = []
    for message in whole.messages(2):
        frames = [frame for number in message.numbers(1) for frame in locations[number]]
        labels = {strings[l.number(1)]: strings[l.number(2)] if l.number(2) else l.number(3)
                  for l in message.messages(3)}
        samples.append(Sample(frames, labels, message.numbers(2)))
    types = [(strings[t.number(1)], strings[t.number(2)]) for t in whole.messages(1)]
    if any(len(sample.values) != len(types) for sample in samples):
        raise ValueError("a sample has not one value per sample type")
    comments = [strings[number] for number in whole.numbers(13)]
    comments += [note.decode("utf-8") for note in whole.fields.get(1000, [])]
    return Profile(types, samples, comments, whole.number(9), whole.number(10))
