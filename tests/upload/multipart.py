"""A multipart/form-data body, read strictly: what RFC 7578 does not allow is an error with a sentence."""

import re
from typing import NamedTuple

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PARAMETER = re.compile(rf';[ \t]*({TOKEN})=(?:"((?:[^"\\\x00-\x1f]|\\.)*)"|({TOKEN}))')


class Malformed(ValueError):
    """What is wrong with a request."""


class Part(NamedTuple):
    name: str
    filename: str | None
    content_type: str | None
    headers: dict[str, str]
    body: bytes


def parameters(value: str) -> tuple[str, dict[str, str]]:
    """'form-data; name="x"' as ("form-data", {"name": "x"})."""
    head, found, at = value, {}, value.find(";")
    if at >= 0:
        head = value[:at]
    while 0 <= at < len(value):
        match = PARAMETER.match(value, at)
        if not match:
            raise Malformed(f"cannot read the parameters of {value!r}")
        if match[1].lower() in found:
            raise Malformed(f"{match[1]} stands twice in {value!r}")
        found[match[1].lower()] = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        at = match.end()
    return head.strip().lower(), found


def header_lines(block: bytes, what: str) -> list[tuple[str, str]]:
    """The lines of a header block, in order; no folding, no control characters."""
    lines = []
    for raw in block.split(b"\r\n") if block else []:
        match = re.fullmatch(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*", raw)
        if not match:
            raise Malformed(f"{what} has the header line {raw!r}")
        lines.append((match[1].decode(), match[2].decode("latin-1")))
    return lines


def _part(raw: bytes) -> Part:
    block, gap, body = raw.partition(b"\r\n\r\n")
    if not gap:
        raise Malformed("a part has no end of its headers")
    lines = header_lines(block, "a part")
    headers = {name.lower(): value for name, value in lines}
    if len(headers) != len(lines):
        raise Malformed(f"a part has a header twice: {lines}")
    kind, names = parameters(headers.get("content-disposition", ""))
    if kind != "form-data" or not names.get("name"):
        raise Malformed(f"a part is no named form-data: {headers}")
    if set(names) - {"name", "filename"}:
        raise Malformed(f"a part's disposition has {sorted(names)}")
    return Part(names["name"], names.get("filename"), headers.get("content-type"), headers, body)


def parse(content_type: str, body: bytes) -> list[Part]:
    """The parts in order.  Nothing may stand before the first boundary or behind the last."""
    kind, found = parameters(content_type)
    boundary = found.get("boundary", "")
    if kind != "multipart/form-data":
        raise Malformed(f"the body is {kind!r}, no form")
    if not re.fullmatch(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", boundary):
        raise Malformed(f"no boundary: {boundary!r}")
    mark = b"--" + boundary.encode()
    if not body.startswith(mark + b"\r\n"):
        raise Malformed(f"the body begins with {body[:40]!r}")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if pieces[-1] not in (b"--\r\n", b"--"):
        raise Malformed(f"the body ends with {body[-40:]!r}")
    if any(not piece.startswith(b"\r\n") for piece in pieces[1:-1]):
        raise Malformed("a boundary's line goes on")
    parts = [_part(piece[2:]) for piece in pieces[1:-1]]
    if len({part.name for part in parts}) != len(parts):
        raise Malformed(f"parts of one name: {[part.name for part in parts]}")
    return parts
