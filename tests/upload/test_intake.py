"""The intake itself: it takes what is right, names what is wrong, and fails as it is told to."""
# Interpreters: two

import gzip
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "python")]

import certificates  # noqa: E402
from behaviour import Behaviour  # noqa: E402
from intake import Intake  # noqa: E402
from pprof_maker import OURS, Maker  # noqa: E402

TAGS = {"service": "shop", "language": "python", "runtime": "CPython", "runtime-id": "0123456789abcdef" * 2,
        "runtime_version": "3.11.7", "profiler_version": "0.1", "process_id": "4711"}
HEADERS = {"DD-EVP-ORIGIN": "sneck", "DD-EVP-ORIGIN-VERSION": "0.1", "User-Agent": "sneck/0.1"}


def profile(begin: int, types: Any = OURS, labels: Any = None) -> bytes:
    maker = Maker(types, begin * 10**9, 10**9)
    name = types[1][0]
    maker.sample([("work", "app.py", 12)], {"lock name": "app.py:3:x"} if labels is None else labels, {name: 7})
    return gzip.compress(maker.encode())


def text_of(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000000000Z"


def form(parts: list[tuple[str, str, str, bytes]], boundary: str = "xYz") -> bytes:
    body = b""
    for name, filename, kind, data in parts:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'.encode()
        body += (f"Content-Type: {kind}\r\n" if kind else "").encode() + b"\r\n" + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode()


def datadog(tags: dict[str, str] = TAGS, pprof: bytes | None = None, **event: Any) -> bytes:
    """A body that is right, but for what the caller changes."""
    begin = int(time.time()) - 2
    fields: dict[str, Any] = {
        "attachments": ["profile.pprof"], "tags_profiler": ",".join(f"{k}:{v}" for k, v in tags.items()),
        "start": text_of(begin), "end": text_of(begin + 1), "family": "python", "version": "4", "endpoint_counts": None,
        "process_tags": "entrypoint.name:app,entrypoint.type:script", "internal": {}, "info": {}, **event}
    return form([("event", "event.json", "application/json", json.dumps(fields).encode()),
                 ("profile.pprof", "profile.pprof", "", profile(begin) if pprof is None else pprof)])


def post(intake: Intake, body: bytes, path: str = "/profiling/v1/input", headers: dict[str, str] = {}, timeout: float = 20,
         context: "ssl.SSLContext | None" = None) -> tuple[int, str]:
    kind = http.client.HTTPSConnection if context else http.client.HTTPConnection
    ours = {"User-Agent": "sneck/0.1"} if "ingest" in path else HEADERS
    connection = kind("127.0.0.1", intake.port, timeout=timeout, **({"context": context} if context else {}))
    if intake.unix:
        connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock.connect(intake.unix)
    try:
        connection.request("POST", path, body,
                           {**ours, "Content-Type": "multipart/form-data; boundary=xYz", **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Rules(unittest.TestCase):
    def setUp(self) -> None:
        self.intake = Intake()
        self.addCleanup(self.intake.__exit__)

    def broken(self, body: bytes, path: str = "/profiling/v1/input", **headers: str) -> str:
        """What the intake holds against a request, and nothing else about it."""
        post(self.intake, body, path, {name.replace("_", "-"): value for name, value in headers.items()})
        return "; ".join(self.intake.wait(1)[-1].violations)

    def test_takes_what_is_right_and_understands_it(self) -> None:
        self.assertEqual(self.broken(datadog()), "")
        upload, = self.intake.wait(1)
        self.assertEqual((upload.kind, upload.pid, upload.runtime_id, upload.tags["service"]),
                         ("agent", 4711, TAGS["runtime-id"], "shop"))
        self.assertEqual(upload.rows.of("x").acquires, 7)
        self.assertTrue(upload.accepted)

    def test_agentless_needs_its_key_and_its_host(self) -> None:
        body = datadog({**TAGS, "host": "here"})
        self.assertEqual(self.broken(body, "/api/v2/profile", dd_api_key="0123"), "")
        self.assertIn("no API key", self.broken(body, "/api/v2/profile"))
        self.assertIn("no tag host", self.broken(datadog(), "/api/v2/profile", dd_api_key="0123"))
        self.assertIn("which is the agent's", self.broken(body, dd_api_key="0123"))

    def test_names_what_is_wrong_with_headers(self) -> None:
        self.assertIn("unknown header x-mine", self.broken(datadog(), X_Mine="1"))
        self.assertIn("compression is a part's own", self.broken(datadog(), Content_Encoding="gzip"))
        self.assertIn("entity id", self.broken(datadog(), datadog_entity_id="en-1"))
        self.assertIn("nobody listens", self.broken(datadog(), "/profiling/v1/input/"))
        self.assertIn("a query", self.broken(datadog(), "/profiling/v1/input?a=b"))

    def test_names_what_is_wrong_with_the_form(self) -> None:
        good = datadog()
        self.assertIn("begins with", self.broken(b"\r\n" + good))
        self.assertIn("ends with", self.broken(good[:-4]))
        self.assertIn("has the header line", self.broken(good.replace(b"Content-Type: app", b"Content-Type : app")))
        self.assertIn("parts of one name", self.broken(form([("a", "a", "", b""), ("a", "a", "", b"")])))
        self.assertIn("the event's file", self.broken(good.replace(b'"event.json"', b'"e.json"')))

    def test_names_what_is_wrong_with_the_event(self) -> None:
        cases: list[tuple[dict[str, Any], str]] = [
            ({"version": 4}, "version is 4"), ({"family": "go"}, "family"), ({"more": 1}, "has more"),
            ({"attachments": ["profile.pprof", "other"]}, "attachments are"), ({"endpoint_counts": {}}, "endpoint_counts"),
            ({"start": "2026-01-01T00:00:00Z"}, "a time"), ({"end": text_of(int(time.time()) + 99)}, "in the future"),
            ({"process_tags": "svc.user:true,entrypoint.name:a"}, "not sorted"), ({"internal": None}, "internal is None")]
        for change, sentence in cases:
            with self.subTest(change=change):
                self.assertIn(sentence, self.broken(datadog(**change)))

    def test_names_what_is_wrong_with_tags(self) -> None:
        for change, sentence in ({"a": ""}, "a tag 'a:'"), ({"": "b"}, "a tag ':b'"), ({"a": "b\r\nX: y"}, "control character"), \
                ({"a": "x" * 200}, "a tag of 202"), ({"a": "b,,c:d"}, "a tag ''"), ({"process_id": "x"}, "process_id"), \
                ({"runtime-id": "me"}, "runtime-id"), ({"language": "c"}, "language"):
            with self.subTest(change=change):
                self.assertIn(sentence, self.broken(datadog({**TAGS, **change})))

    def test_names_what_is_wrong_with_the_profile(self) -> None:
        begin = int(time.time()) - 2
        whole = profile(begin)
        seconds = [(name, "seconds") for name, _ in OURS]
        for pprof, sentence in (whole[:-20], "cannot be read"), (b"nothing", "cannot be read"), \
                (profile(begin - 60), "another time"), (profile(begin, seconds), "has the unit"), \
                (profile(begin, labels={}), "labels {}"), (profile(begin, labels={"lock name": 3}), "labels {"):
            with self.subTest(sentence=sentence):
                self.assertIn(sentence, self.broken(datadog(pprof=pprof)))

    def pyroscope(self, name: str = "shop{env=prod}", types: Any = [("wait", "nanoseconds"), ("locks", "count")],
                  begin: int = 0, labels: Any = {"lock_name": "x"}, **query: Any) -> str:
        begin = begin or int(time.time()) - 2
        fields = {"name": name, "from": begin, "until": begin + 1, "format": "pprof", "spyName": "sneck", **query}
        return self.broken(profile(begin, types, labels), "/ingest?" + urllib.parse.urlencode(fields),
                           Content_Type="application/octet-stream")

    def test_pyroscope(self) -> None:
        self.assertEqual(self.pyroscope(), "")
        upload = self.intake.uploads[-1]
        self.assertEqual((upload.application, upload.tags), ("shop", {"env": "prod"}))
        for change, sentence in ({"types": OURS}, "contains -"), ({"labels": {"lock name": "x"}}, "vanish"), \
                ({"labels": {"n": 1}}, "numeric"), ({"name": ""}, "the name is"), ({"name": "a{b c=d}"}, "a label"), \
                ({"begin": int(time.time()) - 7200}, "too old"), ({"format": "jfr"}, "without format=pprof"):
            with self.subTest(change=change):
                self.assertIn(sentence, self.pyroscope(**change))


class Failing(unittest.TestCase):
    def setUp(self) -> None:
        self.intake = Intake()
        self.addCleanup(self.intake.__exit__)

    def test_statuses_in_turn_then_as_usual(self) -> None:
        self.intake.once(Behaviour(503), Behaviour(429, headers={"Retry-After": "7"}, body="slow down"))
        self.assertEqual([post(self.intake, datadog())[0] for _ in range(3)], [503, 429, 200])
        self.assertEqual([upload.accepted for upload in self.intake.uploads], [False, False, True])
        self.assertEqual(self.intake.violations(), [])

    def test_each_way_to_fail(self) -> None:
        ways: dict[str, Any] = {
            "reset-at-once": (ConnectionError, BrokenPipeError), "reset-midway": (ConnectionError, BrokenPipeError),
            "reset": ConnectionError, "close": http.client.RemoteDisconnected, "hang": TimeoutError, "mute": TimeoutError,
            "too-long": http.client.IncompleteRead, "garbage": http.client.BadStatusLine,
            "drop-halfway": http.client.HTTPException}
        for how, error in ways.items():
            with self.subTest(how=how):
                self.intake.once(Behaviour(how=how))
                with self.assertRaises(error):
                    post(self.intake, datadog(pprof=os.urandom(1 << 22)), timeout=1)
        self.assertEqual(post(self.intake, datadog())[0], 200)

    def test_early_trickling_and_lying_answers(self) -> None:
        for behaviour in (Behaviour(413, how="early"), Behaviour(200, how="trickle", delay_s=0.001),
                          Behaviour(200, how="too-short", body="short"), Behaviour(how="huge", size=1 << 20)):
            self.intake.once(behaviour)
            self.assertEqual(post(self.intake, datadog())[0], behaviour.status)

    def test_gone_and_back_at_the_same_address(self) -> None:
        port = self.intake.port
        self.intake.close()
        with self.assertRaises(ConnectionRefusedError):
            post(self.intake, datadog())
        self.intake.open()
        self.assertEqual((self.intake.port, post(self.intake, datadog())[0]), (port, 200))

    def test_does_not_accept_and_goes_on(self) -> None:
        self.intake.stop_accepting()
        with self.assertRaises(TimeoutError):
            post(self.intake, datadog(), timeout=1)
        self.intake.go_on_accepting()
        self.assertEqual(post(self.intake, datadog())[0], 200)

    def test_unix_socket_tells_the_client(self) -> None:
        with tempfile.TemporaryDirectory() as folder, Intake(unix=os.path.join(folder, "apm.socket")) as intake:
            self.assertEqual(post(intake, datadog())[0], 200)
            self.assertEqual((intake.uploads[0].peer, intake.violations()), (os.getpid(), []))

    def test_certificates(self) -> None:
        if not certificates.available():
            self.skipTest("no openssl command here")
        for kind in certificates.KINDS:
            with self.subTest(kind=kind), Intake(tls=kind) as intake:
                context = ssl.create_default_context(cafile=intake.ca)
                if kind == "good":
                    self.assertEqual(post(intake, datadog(), context=context)[0], 200)
                    continue
                with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                    post(intake, datadog(), context=context)
                wanted = {"wrong-host": "mismatch|not valid for", "self-signed": "self.signed", "expired": "expired"}[kind]
                self.assertRegex(str(caught.exception), wanted)
                self.assertEqual(intake.uploads, [])

    def test_as_a_program(self) -> None:
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "intake.py")
        with tempfile.TemporaryDirectory() as folder:
            server = subprocess.Popen([sys.executable, script, "--folder", folder], stdout=subprocess.PIPE, text=True)
            try:
                assert server.stdout
                port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)\n", server.stdout.readline())[1])  # type: ignore[index]
                there: Any = type("There", (), {"port": port, "unix": ""})
                post(there, b'{"status": 503, "times": 1}', "/_intake/behaviour")
                self.assertEqual([post(there, datadog())[0] for _ in range(2)], [503, 200])
                lines = [json.loads(line) for line in post(there, b"", "/_intake/uploads")[1].splitlines()]
                self.assertEqual([(line["status"], line["pid"], line["violations"]) for line in lines],
                                 [(503, 4711, []), (200, 4711, [])])
                self.assertEqual(sorted(os.listdir(folder)), ["1.4711.pprof", "2.4711.pprof", "uploads.jsonl"])
            finally:
                server.kill()
                server.communicate()

    def test_what_curl_sends(self) -> None:
        if not shutil.which("curl"):
            self.skipTest("no curl command here")
        begin = int(time.time()) - 2
        body = profile(begin)
        with tempfile.NamedTemporaryFile() as file:
            file.write(body)
            file.flush()
            event = re.search(rb"\r\n\r\n(\{.*?\})\r\n--xYz", datadog(pprof=body), re.DOTALL)
            assert event
            with tempfile.NamedTemporaryFile() as said:
                said.write(event[1])
                said.flush()
                command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *[word for name, value in HEADERS.items()
                           for word in ("-H", f"{name}: {value}")], "-F",
                           f"event=@{said.name};type=application/json;filename=event.json", "-F",
                           f"profile.pprof=@{file.name};filename=profile.pprof", self.intake.url + "/profiling/v1/input"]
                plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}  # a sanitizer's
                ran = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=200)
        self.assertEqual((ran.stdout, self.intake.violations()), ("200", []))


if __name__ == "__main__":
    unittest.main()
