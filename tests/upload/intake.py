#!/usr/bin/env python3
"""An intake to test against: a real HTTP server that checks what it is sent and fails as it is told to.

As a module, with threads of the caller's process:

    with Intake() as intake:                    # TCP on a free port; Intake(unix=path), Intake(tls="expired")
        intake.behave(Behaviour(503))           # from now on;  intake.once(...) for the next requests
        run_program(env={"DD_TRACE_AGENT_URL": intake.url})
        upload, = intake.wait(1)
        upload.violations, upload.event, upload.tags, upload.profiles, upload.rows

As a program, which prints its address and keeps what arrives in a folder:

    intake.py [--unix PATH | --tls KIND] [--port N] [--folder DIR] [--behaviour '{"status": 503}']
    GET  /_intake/uploads      what arrived so far, as JSON lines
    POST /_intake/behaviour    {"status": 429, "headers": {"Retry-After": "2"}, "times": 1}

See behaviour.py for the ways to fail, rules.py for what is checked.
"""

import argparse
import contextlib
import json
import os
import select
import shutil
import socket
import ssl
import sys
import tempfile
import threading
import time
from typing import Any, Callable

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python"))

import certificates  # noqa: E402
import rules  # noqa: E402
from arrival import Upload  # noqa: E402
from behaviour import GOOD, Behaviour, answer, reset  # noqa: E402
from multipart import Malformed, header_lines  # noqa: E402

HEAD_MAX, BODY_MAX = 1 << 16, 1 << 26
CONTROL = "/_intake/"


class Intake:
    """The server.  Everything public may be called from any thread."""

    def __init__(self, unix: str = "", tls: str = "", port: int = 0, folder: str = "", via_agent: bool = False) -> None:
        self.unix, self.tls, self.folder, self.via_agent = unix, tls, folder, via_agent
        self.uploads: list[Upload] = []
        self.failures: list[str] = []           # connections without a request: TLS refused, cut short
        self.connections = 0
        self._default, self._next = GOOD, list[Behaviour]()
        self._changed = threading.Condition()
        self._over, self._accepting = threading.Event(), threading.Event()
        self._open: set[socket.socket] = set()
        self._fillers: list[socket.socket] = []
        self._listener: "socket.socket | None" = None
        self._thread: "threading.Thread | None" = None
        self._own_folder = tempfile.mkdtemp(prefix="intake.")
        self._context: "ssl.SSLContext | None" = None
        self.port = port
        self.ca = ""
        if tls:
            self.ca = certificates.authority(self._own_folder)
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificates.make(tls, self._own_folder))
        if folder:
            os.makedirs(folder, exist_ok=True)
        self.open()

    def __enter__(self) -> "Intake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        shutil.rmtree(self._own_folder, ignore_errors=True)

    @property
    def url(self) -> str:
        if self.unix:
            return "unix://" + self.unix
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    # ---- what a test tells it ----------------------------------------------------------

    def behave(self, behaviour: Behaviour = GOOD) -> None:
        """From the next request on."""
        with self._changed:
            self._default, self._next = behaviour, []

    def once(self, *behaviours: Behaviour) -> None:
        """For the next requests, one each, before going on as usual."""
        with self._changed:
            self._next += behaviours

    def open(self) -> None:
        """Listen, at the same address as before."""
        family = socket.AF_UNIX if self.unix else socket.AF_INET
        self._listener = socket.socket(family, socket.SOCK_STREAM)
        if self.unix:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.unix)
            self._listener.bind(self.unix)
        else:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind(("127.0.0.1", self.port))
            self.port = self._listener.getsockname()[1]
        self._listener.listen(128)
        self._over, self._accepting = threading.Event(), threading.Event()
        self._accepting.set()
        self._thread = threading.Thread(target=self._accept, args=(self._listener, self._over), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Gone: connections are refused, those under way end."""
        self._over.set()
        self._accepting.set()
        if self._thread:
            self._thread.join()
        for connection in [*self._open, *self._fillers, *([self._listener] if self._listener else [])]:
            connection.close()
        self._listener, self._fillers = None, []
        if self.unix:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.unix)

    def stop_accepting(self) -> None:
        """A host that answers no connection: the backlog is full, further SYNs get nothing."""
        assert self._listener
        self._accepting.clear()
        time.sleep(0.2)                         # the thread may be about to accept
        self._listener.listen(0)
        for _ in range(3):
            filler = socket.socket(self._listener.family, socket.SOCK_STREAM)
            filler.setblocking(False)
            filler.connect_ex(self._listener.getsockname())
            self._fillers.append(filler)

    def go_on_accepting(self) -> None:
        assert self._listener
        for filler in self._fillers:
            filler.close()
        self._fillers = []
        self._listener.listen(128)
        self._accepting.set()

    # ---- what it tells a test ----------------------------------------------------------

    def wait(self, count: int, timeout_s: float = 60,
             where: Callable[[Upload], bool] = lambda upload: upload.complete) -> list[Upload]:
        """Uploads that fit (all of it came), as soon as there are that many; AssertionError with what came instead."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.found(where)) >= count, timeout_s)
            found = self.found(where)
        if len(found) < count:
            came = [(u.number, u.path, u.behaviour.status, u.behaviour.how, u.complete) for u in self.uploads]
            raise AssertionError(f"{len(found)} uploads instead of {count}; came: {came}; failed: {self.failures}")
        return found

    def found(self, where: Callable[[Upload], bool] = lambda upload: True) -> list[Upload]:
        return [upload for upload in list(self.uploads) if where(upload)]

    def accepted(self) -> list[Upload]:
        return self.found(lambda upload: upload.accepted)

    def violations(self) -> list[str]:
        return [f"{upload.number}: {text}" for upload in list(self.uploads) for text in upload.violations]

    # ---- the server --------------------------------------------------------------------

    def _accept(self, listener: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            self._accepting.wait()
            if not select.select([listener], [], [], 0.1)[0] or not self._accepting.is_set() or over.is_set():
                continue
            connection, _ = listener.accept()
            threading.Thread(target=self._serve, args=(connection, over), daemon=True).start()

    def _serve(self, connection: socket.socket, over: threading.Event) -> None:
        self.connections += 1
        self._open.add(connection)
        try:
            first = self._first_byte(connection, over)
            if first:
                self._exchange(connection, over)
        except (OSError, Malformed) as error:
            with self._changed:
                self.failures.append(f"{type(error).__name__}: {error}")
                self._changed.notify_all()
        finally:
            self._open.discard(connection)
            connection.close()

    @staticmethod
    def _first_byte(connection: socket.socket, over: threading.Event) -> bytes:
        while not over.is_set():
            if select.select([connection], [], [], 0.1)[0]:
                return connection.recv(1, socket.MSG_PEEK)
        return b""

    def _exchange(self, raw: socket.socket, over: threading.Event) -> None:
        connection: Any = raw
        if self._context:
            raw.settimeout(30)
            connection = self._context.wrap_socket(raw, server_side=True)
            self._open.add(connection)
        try:
            if not self._context and raw.recv(32, socket.MSG_PEEK).partition(b" ")[2].startswith(CONTROL.encode()):
                return self._control(connection)
            # a client that does not like the certificate may go after the handshake
            begun = connection.recv(65536) if self._context else b""
            if self._context and not begun:
                raise Malformed("no request came through TLS")
            self._upload(connection, self._new_upload(raw), over, begun)
        finally:
            if connection is not raw:
                self._open.discard(connection)
                connection.close()

    def _new_upload(self, raw: socket.socket) -> Upload:
        transport = "unix" if self.unix else "tls" if self.tls else "tcp"
        with self._changed:
            behaviour = self._next.pop(0) if self._next else self._default
            upload = Upload(len(self.uploads) + 1, time.monotonic(), transport, behaviour, via_agent=self.via_agent)
            if self.unix and raw.family == socket.AF_UNIX:
                upload.peer = int.from_bytes(raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
            self.uploads.append(upload)
            return upload

    def _upload(self, connection: Any, upload: Upload, over: threading.Event, begun: bytes) -> None:
        how = upload.behaviour.how
        try:
            if how == "mute":
                over.wait()
            elif how == "reset-at-once":
                reset(connection)
            else:
                rest = self._head(connection, upload, begun)
                if how == "early":
                    self._keep(upload)
                    self._answer(connection, upload, over)
                    over.wait(0.2)
                    return
                if upload.headers.get("expect", "").lower() == "100-continue":
                    connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                self._body(connection, upload, rest, half=how == "reset-midway")
                if how == "reset-midway":
                    return reset(connection)
                self._judge(upload)
                self._answer(connection, upload, over)
        finally:
            if not upload.complete and how != "early":
                self._keep(upload)

    @staticmethod
    def _head(connection: Any, upload: Upload, data: bytes = b"") -> bytes:
        while b"\r\n\r\n" not in data:
            more = connection.recv(65536)
            if not more or len(data) > HEAD_MAX:
                raise Malformed(f"a request without an end of its headers: {data[:200]!r}")
            data += more
        block, _, rest = data.partition(b"\r\n\r\n")
        line, _, headers = block.partition(b"\r\n")
        words = line.decode("latin-1").split(" ")
        if len(words) != 3:
            raise Malformed(f"a request that begins with {line!r}")
        upload.method, target, upload.version = words
        upload.path, _, upload.query = target.partition("?")
        upload.header_lines = header_lines(headers, "the request")
        upload.kind = rules.kind_of(upload.path)
        return rest

    @staticmethod
    def _body(connection: Any, upload: Upload, data: bytes, half: bool) -> None:
        if "transfer-encoding" in upload.headers:
            upload.violations.append("a chunked body, without its length")
            return
        size = int(upload.headers.get("content-length", "0"))
        if size > BODY_MAX:
            raise Malformed(f"a body of {size} bytes")
        pieces, have = [data], len(data)
        while have < (size // 2 if half else size):
            more = connection.recv(1 << 20)
            if not more:
                raise Malformed(f"a body of {have} bytes instead of {size}")
            pieces.append(more)
            have += len(more)
        upload.body = b"".join(pieces)
        if have > size:
            upload.violations.append(f"{have - size} bytes behind the body")

    def _judge(self, upload: Upload) -> None:
        try:
            rules.check(upload)
        except Exception as error:              # a rule that stumbles is a finding too
            upload.violations.append(f"the rules stumble: {type(error).__name__}: {error}")
        upload.complete = True
        self._keep(upload)

    def _answer(self, connection: Any, upload: Upload, over: threading.Event) -> None:
        if not answer(connection, upload.behaviour, over):
            upload.answered = False

    def _keep(self, upload: Upload) -> None:
        """Before it is answered, so that who saw the answer finds it noted."""
        with self._changed:
            upload.answered = upload.behaviour.answers and (upload.complete or upload.behaviour.how == "early")
            if self.folder:
                with open(os.path.join(self.folder, "uploads.jsonl"), "a", encoding="utf-8") as file:
                    file.write(json.dumps(upload.summary()) + "\n")
                part = upload.parts.get("profile.pprof") or upload.parts.get("profile")
                if upload.profiles:
                    with open(os.path.join(self.folder, f"{upload.number}.{upload.pid}.pprof"), "wb") as kept:
                        kept.write(part.body if part else upload.body)
            self._changed.notify_all()

    def _control(self, connection: Any) -> None:
        request = Upload(0, 0, "control", GOOD)
        rest = self._head(connection, request)
        self._body(connection, request, rest, half=False)
        text, status = "", 200
        if request.path == CONTROL + "behaviour":
            fields = json.loads(request.body or b"{}")
            times = fields.pop("times", 0)
            self.once(*[Behaviour(**fields)] * times) if times else self.behave(Behaviour(**fields))
        elif request.path == CONTROL + "uploads":
            text = "".join(json.dumps(upload.summary()) + "\n" for upload in list(self.uploads))
        else:
            status = 404
        answer(connection, Behaviour(status, body=text), threading.Event())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--unix", default="", help="listen on this Unix socket")
    parser.add_argument("--tls", default="", choices=("", *certificates.KINDS), help="speak TLS with such a certificate")
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    parser.add_argument("--folder", default="", help="keep uploads.jsonl and the profiles here")
    parser.add_argument("--behaviour", default="{}", help="as for /_intake/behaviour")
    parser.add_argument("--via-agent", action="store_true", help="requests are forwarded by an agent")
    options = parser.parse_args()
    with Intake(options.unix, options.tls, options.port, options.folder, options.via_agent) as intake:
        intake.behave(Behaviour(**json.loads(options.behaviour)))
        print(intake.url, flush=True)
        if intake.ca:
            print(intake.ca, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
