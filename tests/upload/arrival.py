"""One request that an intake got: as it came, and as it was understood."""

import dataclasses
from typing import Any

from behaviour import Behaviour


@dataclasses.dataclass
class Upload:
    number: int
    arrived: float                      # time.monotonic() of its first byte
    transport: str                      # tcp, unix, tls
    behaviour: Behaviour
    peer: int = 0                       # the client's pid, over a Unix socket
    method: str = ""
    path: str = ""
    query: str = ""
    version: str = ""
    header_lines: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    body: bytes = b""
    complete: bool = False              # the whole body came
    answered: bool = False              # and got its answer
    via_agent: bool = False             # forwarded: some headers are the agent's
    kind: str = ""                      # agent, agentless, pyroscope
    violations: list[str] = dataclasses.field(default_factory=list)
    parts: dict[str, Any] = dataclasses.field(default_factory=dict)
    event: dict[str, Any] = dataclasses.field(default_factory=dict)
    tags: dict[str, str] = dataclasses.field(default_factory=dict)
    parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    application: str = ""
    profiles: list[Any] = dataclasses.field(default_factory=list)
    plain_bytes: int = 0
    start_ns: int = 0
    end_ns: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.header_lines}

    @property
    def accepted(self) -> bool:
        return self.answered and 200 <= self.behaviour.status < 300

    @property
    def pid(self) -> int:
        return int(self.tags.get("process_id", 0))

    @property
    def runtime_id(self) -> str:
        return self.tags.get("runtime-id", self.tags.get("runtime_id", ""))

    @property
    def rows(self) -> Any:
        """The samples, as the Python tests know them (support.Rows)."""
        from support import Row, Rows
        return Rows(Row(list(frames), dict(labels), dict(zip([name for name, _ in profile.sample_types], values)))
                    for profile in self.profiles for frames, labels, values in profile.samples)

    def summary(self) -> dict[str, Any]:
        keep = ("number", "arrived", "transport", "peer", "method", "path", "query", "complete", "answered", "kind",
                "violations", "event", "tags", "application", "start_ns", "end_ns", "plain_bytes")
        return {**{name: getattr(self, name) for name in keep}, "headers": self.headers, "bytes": len(self.body),
                "status": self.behaviour.status, "how": self.behaviour.how, "pid": self.pid,
                "runtime_id": self.runtime_id, "samples": [len(profile.samples) for profile in self.profiles]}
