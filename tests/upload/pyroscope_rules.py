"""What a Pyroscope server asks of POST /ingest, and what it makes of a profile.

    judge(query, headers, body) -> Verdict(violations, application, labels, profile_types, profile)

A violation is something that the server refuses, or drops without a word.  The rules are from
answers of a server of August 2026 and from its sources; it shares no code with what sends.
"""

import base64
import dataclasses
import gzip
import re
import time
import urllib.parse
import zlib
from typing import Mapping

import pprof_oracle

MIB = 1 << 20
ROWS, PLAIN_BYTES, LABELS, KEY_BYTES, VALUE_BYTES, SYMBOL_BYTES, TENANT = 16000, 4 * MIB, 30, 1024, 2048, 65535, 150
# Labels that the server adds to each series.
ADDED = 4
PARAMETERS = {"name", "from", "until", "format", "spyName"}
# Sample types that it knows by another name.
DISPLAYED = {"contentions": "mutex_count", "delay": "mutex_duration", "samples": "cpu"}
METRICS = (("cpu", "process_cpu"), ("alloc_", "memory"), ("inuse_", "memory"), ("mutex_", "mutex"), ("block_", "block"),
           ("goroutines", "goroutines"))


@dataclasses.dataclass
class Verdict:
    violations: list[str] = dataclasses.field(default_factory=list)
    application: str = ""
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    profile_types: list[str] = dataclasses.field(default_factory=list)   # as its pages list them
    profile: "pprof_oracle.Profile | None" = None

    def must(self, holds: object, sentence: str) -> bool:
        if not holds:
            self.violations.append(sentence)
        return bool(holds)


def judge(query: str, headers: Mapping[str, str], body: bytes) -> Verdict:
    """headers: by lower-case name."""
    verdict = Verdict()
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    parameters = dict(pairs)
    verdict.must(sorted(name for name, _ in pairs) == sorted(PARAMETERS), f"parameters {pairs}")
    verdict.must(parameters.get("format") == "pprof", "a raw body without format=pprof")
    _name(verdict, parameters.get("name", ""))
    _headers(verdict, headers)
    begin, end = _period(verdict, parameters.get("from", ""), parameters.get("until", ""))
    verdict.profile = _decode(verdict, body)
    if verdict.profile:
        _profile(verdict, verdict.profile, begin, end)
    return verdict


def _name(verdict: Verdict, text: str) -> None:
    """Its parser knows no quotes: a value ends at the first comma or brace."""
    verdict.application, brace, rest = text.partition("{")
    verdict.must(re.fullmatch(r"[a-zA-Z0-9_./-]+", verdict.application), f"the application {verdict.application!r}")
    if not brace:
        return
    verdict.must(rest.endswith("}") and "}" not in rest[:-1], f"the labels {rest!r}")
    for pair in rest[:-1].split(",") if rest[:-1] else []:
        key, equals, value = pair.partition("=")
        verdict.must(equals, f"a label {pair!r}")
        verdict.must(key not in verdict.labels, f"the label {key} twice")
        verdict.must(key == "__session_id__" or not key.startswith("__"), f"the label {key} would vanish")
        verdict.must(key != "service_name", "service_name twice")
        _label(verdict, key, value)
        verdict.labels[key] = value


def _label(verdict: Verdict, key: str, value: str) -> None:
    verdict.must(re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", key), f"the label {key!r} would vanish")
    verdict.must(len(key.encode()) <= KEY_BYTES, f"a label's key of {len(key)} bytes")
    verdict.must(len(value.encode()) <= VALUE_BYTES, f"a label's value of {len(value.encode())} bytes")
    verdict.must(value and not re.search(r"[\x00-\x1f\x7f]", value), f"the label {key} has the value {value!r}")


def _headers(verdict: Verdict, headers: Mapping[str, str]) -> None:
    verdict.must(not headers.get("content-type", "").startswith("multipart/"), "a form with format=pprof")
    tenant = headers.get("x-scope-orgid")
    if tenant is not None:
        verdict.must(re.fullmatch(r"[a-zA-Z0-9!_.*'()|-]{1,%d}" % TENANT, tenant), f"the tenant {tenant!r}")
    scheme, _, secret = headers.get("authorization", "Bearer x").partition(" ")
    verdict.must(scheme in ("Basic", "Bearer") and secret, f"authorization of the kind {scheme!r}")
    if scheme == "Basic":
        verdict.must(b":" in base64.b64decode(secret, validate=True), "basic authorization without a colon")


def _period(verdict: Verdict, begin: str, end: str) -> tuple[int, int]:
    if not verdict.must(begin.isdecimal() and end.isdecimal(), f"the period {begin!r} to {end!r}"):
        return 0, 0
    verdict.must(int(begin) <= int(end), f"the period {begin} to {end}")
    verdict.must(time.time() - 3600 < int(begin) and int(end) < time.time() + 600, "too old, or in the future")
    return int(begin), int(end)


def _decode(verdict: Verdict, body: bytes) -> "pprof_oracle.Profile | None":
    verdict.must(body[:4] != b"\x28\xb5\x2f\xfd", "zstd is not understood")
    try:
        plain = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        verdict.must(len(plain) <= PLAIN_BYTES, f"{len(plain)} bytes")
        return pprof_oracle.parse(plain)
    except (ValueError, KeyError, IndexError, EOFError, zlib.error, OSError) as error:
        verdict.must(False, f"the pprof cannot be read: {error!r}")
        return None


def metric_name(sample_types: list[str]) -> str:
    """What /ingest calls a profile: by the first of its types that it knows, else as the last."""
    if "wall" in sample_types:
        return "wall"
    for name in sample_types:
        shown = DISPLAYED.get(name, name)
        for part, metric in METRICS:
            if part in shown:
                return metric
        if shown in ("space", "objects"):
            return "memory"
    return sample_types[-1]


def _profile(verdict: Verdict, profile: "pprof_oracle.Profile", begin: int, end: int) -> None:
    names = [name for name, _ in profile.sample_types]
    verdict.must(names and len(set(names)) == len(names), f"sample types {names}")
    for name in names:
        verdict.must("-" not in name, f"sample type contains -: {name}")
    metric = metric_name(names) if names else ""
    verdict.profile_types = [f"{metric}:{name}:{unit}" for name, unit in profile.sample_types]
    verdict.must(len(profile.samples) <= ROWS, f"{len(profile.samples)} samples")
    verdict.must(profile.samples, "no samples")
    # a part may begin a little later than the whole
    verdict.must(begin <= profile.time_ns / 1e9 < end + 1, f"it begins at {profile.time_ns}, outside {begin} to {end}")
    for sample in profile.samples:
        _sample(verdict, sample)
        if len(verdict.violations) > 20:
            return


def _sample(verdict: Verdict, sample: "pprof_oracle.Sample") -> None:
    verdict.must(sample.frames, "a sample without frames")
    verdict.must(any(sample.values), "a sample that is 0 in all columns")
    verdict.must(len(sample.labels) + len(verdict.labels) + ADDED <= LABELS, f"{len(sample.labels)} labels of a sample")
    for function, filename, _ in sample.frames:
        verdict.must(len(function) <= SYMBOL_BYTES and len(filename) <= SYMBOL_BYTES, "a symbol that would be cut")
    for key, value in sample.labels.items():
        verdict.must(key not in verdict.labels, f"the label {key} of a sample and of the profile")
        if verdict.must(isinstance(value, str), f"the numeric label {key} would vanish"):
            _label(verdict, key, str(value))
