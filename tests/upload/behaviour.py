"""How the intake treats a request: as it should, or in one of the ways in which servers fail.

    Behaviour(503), Behaviour(429, headers={"Retry-After": "2"}), Behaviour(how="hang")
"""

import dataclasses
import socket
import struct
import threading
from typing import Any

REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 413: "Content Too Large",
           422: "Unprocessable Content", 429: "Too Many Requests", 500: "Internal Server Error",
           503: "Service Unavailable"}

#  before anything is read     after the headers         after the body
HOWS = ("mute", "reset-at-once", "early", "reset-midway", "answer", "hang", "reset", "close", "trickle", "too-long",
        "too-short", "huge", "garbage", "drop-halfway")


@dataclasses.dataclass(frozen=True)
class Behaviour:
    """status, headers and body of the answer; how it is given, one of HOWS:

    mute           accept, read nothing, answer nothing
    reset-at-once  a reset before anything is read
    early          answer before the body is read, and read none of it
    reset-midway   a reset once half of the body is read
    answer         read it all, answer
    hang           read it all, answer nothing
    reset, close   read it all, and then that
    trickle        an answer of one byte every delay_s
    too-long       Content-Length promises more than comes
    too-short      Content-Length promises less than comes
    huge           an answer of `size` bytes
    garbage        no HTTP
    drop-halfway   the beginning of an answer
    delay_s is waited before any answer.
    """

    status: int = 200
    how: str = "answer"
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: str = ""
    delay_s: float = 0
    size: int = 1 << 28

    def __post_init__(self) -> None:
        if self.how not in HOWS:
            raise ValueError(f"how={self.how!r} is none of {HOWS}")

    @property
    def answers(self) -> bool:
        """Does the client get an answer that counts?"""
        return self.how in ("answer", "early", "trickle", "too-short", "huge")


GOOD = Behaviour()


def reset(connection: socket.socket) -> None:
    """Close with a RST instead of a FIN; a Unix socket has none and just closes."""
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def _head(behaviour: Behaviour, length: int) -> bytes:
    lines = [f"HTTP/1.1 {behaviour.status} {REASONS.get(behaviour.status, 'Whatever')}", f"Content-Length: {length}",
             "Connection: close", *(f"{name}: {value}" for name, value in behaviour.headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer(connection: Any, behaviour: Behaviour, over: threading.Event) -> bool:
    """Answer in the given way; false if there was none that counts.  Ends early once `over` is set."""
    body = behaviour.body.encode()
    whole = _head(behaviour, len(body)) + body
    how = behaviour.how
    if over.wait(behaviour.delay_s if how != "trickle" else 0):
        return False
    if how == "hang":
        over.wait()
    elif how == "reset":
        reset(connection)
    elif how == "trickle":
        for at in range(len(whole)):
            connection.sendall(whole[at:at + 1])
            if over.wait(behaviour.delay_s):
                return False
    elif how == "too-long":
        connection.sendall(_head(behaviour, len(body) + 1000) + body)
    elif how == "too-short":
        connection.sendall(_head(behaviour, 0) + body + b"and more than was promised")
    elif how == "huge":
        connection.sendall(_head(behaviour, behaviour.size))
        for _ in range(behaviour.size >> 16):
            connection.sendall(b"x" * (1 << 16))
    elif how == "garbage":
        connection.sendall(b"\x00\x01 this is no HTTP\r\n\r\n")
    elif how == "drop-halfway":
        connection.sendall(whole[:6])
    elif how != "close":
        connection.sendall(whole)
    return behaviour.answers
