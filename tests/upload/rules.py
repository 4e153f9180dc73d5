"""What Datadog's and Pyroscope's intakes ask of a request, rule by rule.

check(upload) writes down what it finds in the upload: its event, tags, profiles; and each
rule that is broken as one sentence in upload.violations.  It shares no code with what sends.
"""

import base64
import calendar
import gzip
import json
import re
import time
import urllib.parse
import zlib
from typing import Any

import multipart
import pprof_oracle
from multipart import Malformed

AGENT, AGENTLESS, PYROSCOPE = "agent", "agentless", "pyroscope"
PATHS = {"/profiling/v1/input": AGENT, "/api/v2/profile": AGENTLESS, "/ingest": PYROSCOPE}
ANYONES = {"host", "user-agent", "accept", "accept-encoding", "connection", "content-type", "content-length", "expect"}
DATADOG = {"dd-evp-origin", "dd-evp-origin-version", "dd-api-key", "datadog-container-id", "datadog-entity-id",
           "datadog-external-env", "x-datadog-test-session-token"}
EVENT = {"attachments": list, "tags_profiler": str, "start": str, "end": str, "family": str, "version": str,
         "endpoint_counts": (dict, type(None)), "process_tags": (str, type(None)), "internal": dict, "info": dict}
UNITS = {"lock-acquire-wait": "nanoseconds", "lock-acquire": "count", "lock-release-hold": "nanoseconds",
         "lock-release": "count"}
NUMBERS = {"thread id", "thread native id", "task id", "span id", "local root span id", "end_timestamp_ns"}
TEXTS = {"lock name", "thread name", "task name", "trace type", "class name"}
CONTAINER = r"[0-9a-f]{64}|[0-9a-f]{32}-\d+|[0-9a-f]{8}([-_][0-9a-f]{4}){4}[0-9a-f]{8}|[0-9a-f]{8}([-_][0-9a-f]{4}){3,4}"
MIB = 1 << 20


class Checker:
    """Sentences about one upload."""

    def __init__(self, upload: Any) -> None:
        self.upload = upload

    def must(self, holds: object, sentence: str) -> bool:
        if not holds:
            self.upload.violations.append(sentence)
        return bool(holds)

    # ---- what every intake asks --------------------------------------------------------

    def headers(self, known: set[str]) -> None:
        found = self.upload.headers
        names = [name.lower() for name, _ in self.upload.header_lines]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self.must(False, f"the header {name} stands {names.count(name)} times")
        for name in sorted(set(names) - ANYONES - known):
            self.must(False, f"an unknown header {name}")
        for name in ("host", "user-agent", "content-type", "content-length"):
            self.must(found.get(name), f"no header {name}")
        for name, value in found.items():
            self.must(re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?", value), f"{name} has the value {value!r}")
        self.must(self.upload.method == "POST", f"the method is {self.upload.method}")
        self.must(self.upload.version == "HTTP/1.1", f"the version is {self.upload.version}")

    def parts(self) -> dict[str, multipart.Part]:
        try:
            parts = multipart.parse(self.upload.headers.get("content-type", ""), self.upload.body)
        except Malformed as error:
            self.must(False, str(error))
            return {}
        self.upload.parts = {part.name: part for part in parts}
        return self.upload.parts

    def profile(self, data: bytes, limit: int, zstd: bool = True) -> "pprof_oracle.Profile | None":
        """The pprof, decoded by a reader of its own."""
        if data[:4] == b"\x28\xb5\x2f\xfd":
            self.must(zstd, "zstd is not understood here")
            return None
        try:
            plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            self.upload.plain_bytes = len(plain)
            profile = pprof_oracle.parse(plain)
            self.identities(pprof_oracle._Message(plain))
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
            self.must(False, f"the pprof cannot be read: {type(error).__name__}: {error}")
            return None
        self.must(limit >= (len(plain) if not zstd else len(data)), f"the pprof has {len(data)} bytes, {len(plain)} plain")
        self.must(profile.sample_types, "the pprof has no sample types")
        self.must(all(len(sample.frames) <= 600 for sample in profile.samples), "a stack of more than 600 frames")
        self.must(all(sample.frames for sample in profile.samples), "a sample without a frame")
        self.must(all(any(sample.values) for sample in profile.samples), "a sample whose values are all 0")
        return profile

    def identities(self, whole: "pprof_oracle._Message") -> None:
        """Ids count from 1; no label stands twice."""
        for field, what in ((4, "locations"), (5, "functions")):
            ids = [message.number(1) for message in whole.messages(field)]
            self.must(sorted(ids) == list(range(1, len(ids) + 1)), f"the ids of {what} do not count from 1")
        for sample in whole.messages(2):
            keys = [label.number(1) for label in sample.messages(3)]
            if len(set(keys)) != len(keys):
                return void(self.must(False, "a sample has a label twice"))

    # ---- Datadog -----------------------------------------------------------------------

    def datadog(self, agentless: bool) -> None:
        upload, found = self.upload, self.upload.headers
        self.headers(DATADOG | ({"x-datadog-additional-tags"} if upload.via_agent else set()))
        self.must(not upload.query, f"a query {upload.query!r}")
        self.must("content-encoding" not in found, "compression is a part's own, not the request's")
        for name in ("dd-evp-origin", "dd-evp-origin-version"):
            self.must(found.get(name), f"no header {name}")
        self.must(("dd-api-key" in found) == agentless, "no API key" if agentless else "an API key, which is the agent's")
        if "datadog-container-id" in found:
            self.must(re.fullmatch(CONTAINER, found["datadog-container-id"]), "a container id that is none")
        if "datadog-entity-id" in found:
            self.must(re.fullmatch(rf"ci-({CONTAINER})|in-[1-9]\d*", found["datadog-entity-id"]), "an entity id that is none")
        parts = self.parts()
        if "event" not in parts:
            return void(self.must(not parts, "no part event"))
        self.event_part(parts["event"], agentless)
        self.attachments(parts)

    def event_part(self, part: multipart.Part, agentless: bool) -> None:
        self.must(part.filename == "event.json", f"the event's file is {part.filename!r}")
        self.must(part.content_type == "application/json", f"the event is {part.content_type!r}")
        try:
            event = json.loads(part.body.decode("utf-8"), object_pairs_hook=self.pairs)
        except ValueError as error:
            return void(self.must(False, f"event.json cannot be read: {error}"))
        if not self.must(isinstance(event, dict), "event.json is no object"):
            return
        self.upload.event = event
        for key in sorted(set(event) ^ set(EVENT)):
            self.must(False, f"event.json {'has' if key in event else 'lacks'} {key}")
        if not all(self.must(isinstance(event[key], kind), f"{key} is {event[key]!r}")
                   for key, kind in EVENT.items() if key in event):
            return
        self.must(event.get("version") == "4", f"the version is {event.get('version')!r}")
        self.must(event.get("family") == "python", f"the family is {event.get('family')!r}")
        counts = event.get("endpoint_counts")
        self.must(counts is None or (counts and all(type(n) is int for n in counts.values())), f"endpoint_counts: {counts}")
        self.times(event.get("start", ""), event.get("end", ""))
        self.tags(event.get("tags_profiler", ""), agentless)
        self.process_tags(event.get("process_tags"))

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        self.must(len(dict(pairs)) == len(pairs), f"a key twice among {[key for key, _ in pairs]}")
        return dict(pairs)

    def times(self, start: str, end: str) -> None:
        form = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
        if all(self.must(re.fullmatch(form, text), f"a time {text!r}") for text in (start, end)):
            self.upload.start_ns, self.upload.end_ns = nanoseconds(start), nanoseconds(end)
            self.must(self.upload.start_ns < self.upload.end_ns, f"the period {start} to {end}")
            self.must(self.upload.end_ns <= (time.time() + 1) * 1e9, f"it ends in the future: {end}")

    def tags(self, text: str, agentless: bool) -> None:
        tags = self.upload.tags
        for tag in text.split(","):
            name, colon, value = tag.partition(":")
            self.must(name and colon and value and not tag.endswith(":"), f"a tag {tag!r}")
            self.must(len(tag) <= 200, f"a tag of {len(tag)} characters")
            self.must(not re.search(r"[\x00-\x1f\x7f]", tag), f"a control character in the tag {tag!r}")
            self.must(tag == tag.strip(), f"space around the tag {tag!r}")
            self.must(name not in tags, f"the tag {name} twice")
            tags[name] = value
        for name, form in (("language", "python"), ("runtime", "CPython"), ("service", r".+"), ("profiler_version", r".+"),
                           ("runtime-id", r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
                           ("runtime_version", r"3\.\d+\.\d+.*"), ("process_id", r"[1-9]\d*")):
            self.must(re.fullmatch(form, tags.get(name, "")), f"the tag {name} is {tags.get(name)!r}")
        self.must(not agentless or self.upload.via_agent or tags.get("host"), "no tag host, and no agent that adds it")

    def process_tags(self, text: "str | None") -> None:
        pairs = [pair.partition(":") for pair in text.split(",")] if text is not None else []
        self.must([name for name, _, _ in pairs] == sorted({name for name, _, _ in pairs}), f"process_tags not sorted: {text}")
        for name, _, value in pairs:
            self.must(re.fullmatch(r"entrypoint\.(basedir|name|type|workdir)|svc\.(auto|user)", name), f"a process tag {name}")
            self.must(re.fullmatch(r"[^\s,A-Z]{1,100}", value), f"the process tag {name} is {value!r}")

    def attachments(self, parts: dict[str, multipart.Part]) -> None:
        named = self.upload.event.get("attachments", [])
        self.must(sorted(named) == sorted(set(parts) - {"event"}), f"attachments are {named}, parts {sorted(parts)}")
        for name in sorted(set(parts) - {"event"}):
            self.must(parts[name].filename == name, f"the part {name} has the file name {parts[name].filename!r}")
        if not self.must("profile.pprof" in parts, "no part profile.pprof"):
            return
        profile = self.profile(parts["profile.pprof"].body, 10 * MIB)
        if profile:
            self.upload.profiles.append(profile)
            self.lock_samples(profile)
            self.must(abs(profile.time_ns - self.upload.start_ns) < 1e9, "the pprof begins at another time than the event")
            self.must(abs(profile.duration_ns - self.upload.end_ns + self.upload.start_ns) < 1e9, "and lasts for another")

    def lock_samples(self, profile: "pprof_oracle.Profile") -> None:
        types = dict(profile.sample_types)
        for name, unit in UNITS.items():
            self.must(types.get(name) == unit, f"the sample type {name} has the unit {types.get(name)}")
        self.must(len(types) == len(profile.sample_types), "a sample type twice")
        column = [name for name, _ in profile.sample_types].index("lock-acquire") if "lock-acquire" in types else None
        for _, labels, values in profile.samples:
            wrong = [key for key, value in labels.items() if key in NUMBERS and not isinstance(value, int)
                     or key in TEXTS and not isinstance(value, str) or value == ""]
            if wrong or (column is not None and values[column] > 0 and "lock name" not in labels):
                return void(self.must(False, f"labels {labels}"))

    # ---- Pyroscope ---------------------------------------------------------------------

    def pyroscope(self) -> None:
        upload, found = self.upload, self.upload.headers
        self.headers({"authorization", "x-scope-orgid"})
        query = urllib.parse.parse_qsl(upload.query, keep_blank_values=True, strict_parsing=bool(upload.query))
        upload.parameters = dict(query)
        self.must(len(upload.parameters) == len(query), f"a parameter twice: {upload.query}")
        self.name(upload.parameters.get("name", ""))
        self.period(upload.parameters.get("from", ""), upload.parameters.get("until", ""))
        self.must(len(found.get("x-scope-orgid", "")) <= 150, "a tenant of more than 150 characters")
        self.authorization(found.get("authorization"))
        if found.get("content-type", "").startswith("multipart/"):
            self.must("format" not in upload.parameters, "a form with format=")
            parts = self.parts()
            self.must("profile" in parts, "no part profile")
            self.must(set(parts) <= {"profile", "sample_type_config"}, f"parts {sorted(parts)}")
            bodies = [parts["profile"].body] if "profile" in parts else []
        else:
            self.must(upload.parameters.get("format") == "pprof", "a raw body without format=pprof")
            bodies = [upload.body]
        for body in bodies:
            profile = self.profile(body, 4 * MIB, zstd=False)
            if profile:
                upload.profiles.append(profile)
                self.pyroscope_profile(profile)

    def name(self, text: str) -> None:
        match = re.fullmatch(r"([^{}\x00-\x1f]+?)(?:\{(.*)\})?", text)
        if not self.must(match, f"the name is {text!r}"):
            return
        self.upload.application = match[1]
        for pair in match[2].split(",") if match[2] else []:
            name, equals, value = pair.partition("=")
            self.must(equals and re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_.]*", name), f"a label {pair!r}")
            self.must(not re.search(r'[{}"\x00-\x1f]', value), f"a label's value {value!r}")
            self.must(name not in self.upload.tags, f"the label {name} twice")
            self.upload.tags[name] = value

    def period(self, begin: str, end: str) -> None:
        if self.must(re.fullmatch(r"\d{10}", begin) and re.fullmatch(r"\d{10}", end), f"the period {begin!r} to {end!r}"):
            self.upload.start_ns, self.upload.end_ns = int(begin) * 10**9, int(end) * 10**9
            self.must(int(begin) <= int(end), f"the period {begin} to {end}")
            self.must(time.time() - 3600 < int(begin) and int(end) < time.time() + 600, "too old, or in the future")

    def authorization(self, text: "str | None") -> None:
        scheme, _, secret = (text or "").partition(" ")
        if scheme == "Basic":
            try:
                self.must(b":" in base64.b64decode(secret, validate=True), "basic authorization without a colon")
            except ValueError:
                self.must(False, "basic authorization that is not base64")
        else:
            self.must(text is None or (scheme == "Bearer" and secret), f"authorization of the kind {scheme!r}")

    def pyroscope_profile(self, profile: "pprof_oracle.Profile") -> None:
        self.must(not any("-" in name for name, _ in profile.sample_types), f"sample type contains -: {profile.sample_types}")
        self.must(len(profile.samples) <= 16000, f"{len(profile.samples)} samples")
        spaced = sorted({key for sample in profile.samples for key in sample.labels if " " in key})
        self.must(not spaced, f"labels that would vanish: {spaced}")
        numbers = sorted({k for sample in profile.samples for k, v in sample.labels.items() if isinstance(v, int)})
        self.must(not numbers, f"numeric labels that would vanish: {numbers}")
        self.must(abs(profile.time_ns - self.upload.start_ns) < 2e9, "the pprof begins at another time than the query says")


def void(_: object) -> None:
    return None


def nanoseconds(text: str) -> int:
    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 10**9 + int(fraction)


def kind_of(path: str) -> str:
    """Whose path this is, below whatever base; "" for nobody's."""
    return next((kind for end, kind in PATHS.items() if path.endswith(end)), "")


def check(upload: Any) -> None:
    checker = Checker(upload)
    if upload.kind == PYROSCOPE:
        checker.pyroscope()
    elif upload.kind:
        checker.datadog(upload.kind == AGENTLESS)
    else:
        checker.must(False, f"nobody listens at {upload.path}")
