"""Rollouts of a namespace that means no good: each of a sort that has felled or delayed an operator before.

Owns their manifests, and how they are kept moving. Says nothing of what becomes of others.
"""

import copy
import itertools
import threading
from collections.abc import Sequence
from typing import Any, Final, Self

from bench import crowd
from bench.client import MERGE, Client, Json, Request
from bench.crowd import Member
from hack.cluster import ClusterError
from tests.prometheus.scripts import Rule, constant

METRICS: Final = 20
"""As many as a Rollout may have."""
SLOW_SECONDS: Final = 25.0
LARGE_BYTES: Final = 900_000
LEVELS: Final = 400
"""Deeper than anything is read, and not too deep for Python to write."""
ROUTE: Final = "../../../../../api/v1/namespaces?watch=true"
CHURN_SECONDS: Final = 2.0
_BAD, _GOOD = 0.9, 0.01


def script() -> tuple[Rule, ...]:
    """Return how Prometheus answers: late to the slow ones, badly to those that fail, well to all others."""
    return (
        constant(_GOOD, match='rollout="slow', delay_seconds=SLOW_SECONDS),
        constant(_BAD, match='rollout="failing'),
        constant(_GOOD),
    )


def members(count: int) -> list[Member]:
    """Return *count* Rollouts of one namespace, of each sort as many."""
    sorts = itertools.cycle(_SORTS)
    return [Member("hostile", f"{next(sorts)}-{number:04}") for number in range(count)]


def create(client: Client, wanted: Sequence[Member]) -> list[Member]:
    """Make the Rollouts, and return those that the API server has taken."""
    crowd.namespaces(client, wanted)
    return [member for member in wanted if _taken(client, _creation(member))]


def _creation(member: Member) -> Request:
    sort = member.name.partition("-")[0]
    made = crowd.manifest(member, **copy.deepcopy(_SORTS[sort](member)))
    _spoil(made["spec"]["template"], sort, "v1")
    return Request("POST", f"{crowd.ROLLOUTS}/namespaces/{member.namespace}/rollouts", made)


def _taken(client: Client, request: Request) -> bool:
    try:
        client.ask(request)
    except ClusterError:
        return False
    return True


def _measured(member: Member) -> Json:
    every = {"interval": "1s", "window": "1s", "when": ["First"]}
    metrics = [crowd.metric(member, f"metric-{number}", **every) for number in range(METRICS)]
    return {"strategy": crowd.steps(50, pause={}), "analysis": {"metrics": metrics}}


def _plain(_member: Member) -> Json:
    return {"strategy": crowd.steps(50, pause={})}


def _misnamed(member: Member) -> Json:
    traffic = crowd.road(member, "30s")
    traffic["gatewayAPI"]["routes"] = [{"kind": "HTTPRoute", "name": ROUTE}]
    return {"strategy": crowd.steps(50, pause={}), "traffic": traffic}


_SORTS: Final[dict[str, Any]] = {
    "slow": _measured,
    "failing": _measured,
    "large": _plain,
    "deep": _plain,
    "misnamed": _misnamed,
}


def _spoil(template: Json, sort: str, version: str) -> None:
    """Make a template as large or as deep as its sort has it."""
    if sort == "large":
        text = f"{version} " * (LARGE_BYTES // (len(version) + 1))
        template["spec"]["containers"][0]["env"] = [{"name": "TEXT", "value": text}]
    if sort == "deep":
        deep: Json = {}
        for _ in range(LEVELS):
            deep = {"more": deep}
        template["spec"]["deep"] = deep


class Churn:
    """Ships version after version to one of them after the other, for as long as the block lasts."""

    def __init__(self, client: Client, wanted: Sequence[Member]) -> None:
        self._client = client
        self._wanted = wanted
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ship, name="churn", daemon=True)
        self.shipped = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _ship(self) -> None:
        for number, member in enumerate(itertools.cycle(self._wanted)):
            if self._ended.wait(CHURN_SECONDS):
                return
            version = f"v{2 + number // len(self._wanted)}"
            template = crowd.template(member, version)
            _spoil(template, member.name.partition("-")[0], version)
            self.shipped += _taken(self._client, Request("PATCH", member.path, {"spec": {"template": template}}, MERGE))
