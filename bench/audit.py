"""Who asked the API server for what, and when: its own audit log, not anybody's counters.

Owns how the log is read. Its times are the API server's, on this machine's clock.
"""

import collections
import dataclasses
import datetime
import json
import urllib.parse
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

OPERATOR: Final = "system:serviceaccount:default:headgate"
ADMINISTRATOR: Final = "kubernetes-admin"
DEPLOYMENTS: Final = "system:serviceaccount:kube-system:deployment-controller"
ENDPOINTS: Final = "system:serviceaccount:kube-system:endpointslice-controller"
READS: Final = ("get", "list")
REFUSED: Final = 400

Counted = collections.Counter[tuple[str, str]]


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One answered request."""

    user: str
    verb: str
    resource: str
    """With its subresource, such as rollouts/status; the path where it is about none."""
    namespace: str
    name: str
    uri: str
    code: int
    began: float
    ended: float

    @property
    def is_write(self) -> bool:
        """Whether it may have changed something."""
        return self.verb not in (*READS, "watch") and "dryRun=All" not in self.uri

    @property
    def is_read(self) -> bool:
        """Whether it left all as it was: a dry run too, and no watch."""
        return self.verb in READS or "dryRun=All" in self.uri

    def about(self, *words: str) -> bool:
        """Return whether it names one of *words*: in its path, or in a selector."""
        said = urllib.parse.unquote(self.uri)
        return any(word in said for word in words)


class Audit:
    """The log of one API server."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def mark(self) -> int:
        """Return where the log ends now."""
        return self._file.stat().st_size

    def calls(self, since: int, *users: str, until: int | None = None) -> list[Call]:
        """Return what *users* asked for between two marks, in the order of the answers. A watch counts as it begins."""
        with self._file.open("rb") as log:
            log.seek(since)
            content = log.read(-1 if until is None else until - since)
        wanted = [json.dumps(user).encode() for user in users]
        lines = (line for line in content.splitlines() if any(user in line for user in wanted))
        entries = (json.loads(line) for line in lines if line.endswith(b"}"))
        return [call(entry) for entry in entries if _counts(entry, users)]


def _counts(entry: dict[str, Any], users: tuple[str, ...]) -> bool:
    stage = "ResponseStarted" if entry["verb"] == "watch" else "ResponseComplete"
    return entry["user"]["username"] in users and entry["stage"] == stage


def call(entry: dict[str, Any]) -> Call:
    """Return what an entry of the log says."""
    target = entry.get("objectRef") or {}
    path = entry["requestURI"].partition("?")[0]
    return Call(
        user=entry["user"]["username"],
        verb=entry["verb"],
        resource="/".join(filter(None, (target.get("resource", path), target.get("subresource")))),
        namespace=target.get("namespace", ""),
        name=target.get("name", ""),
        uri=entry["requestURI"],
        code=(entry.get("responseStatus") or {}).get("code", 0),
        began=moment(entry["requestReceivedTimestamp"]),
        ended=moment(entry["stageTimestamp"]),
    )


def moment(text: str) -> float:
    """Return a time of the log in seconds since the epoch."""
    return datetime.datetime.fromisoformat(text).timestamp()


def counted(calls: Iterable[Call]) -> Counted:
    """Return how many of *calls* there are of each verb and resource."""
    return collections.Counter((_verb(one), one.resource) for one in calls)


def _verb(call: Call) -> str:
    """Return the verb of *call*, and what became of it where that is not what was wanted."""
    dry = " (dry run)" if "dryRun=All" in call.uri else ""
    return f"{call.verb}{dry}{f' ({call.code})' if call.code >= REFUSED else ''}"


def detail(counts: Counted) -> dict[str, float]:
    """Return *counts* for people, the largest first."""
    return {" ".join(what): float(many) for what, many in counts.most_common()}
