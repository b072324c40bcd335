"""Which policy was accepted last, whatever can be known of it, and which one is in force.

A record that cannot be read, or that a newer Headgate has written, does not mean that there is no policy. What counts
in its place is for going back alone, so it needs less: the kind of the strategy, the Services and the routes.

| from where | how much it says |
|---|---|
| what this process has read before | all |
| the status, of what is in flight | its strategy's kind, Services, routes |
| the record's own text, without what is not understood | its strategy's kind, Services, routes, metrics |
| the spec's own text, without what is not understood | the same, though the spec may name others by now |
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import pydantic

from headgate.api.begun import Begun
from headgate.api.spec import Analysis, Metric, Policy
from headgate.api.status import RolloutStatus
from headgate.api.strategy import Strategy
from headgate.api.traffic import Traffic
from headgate.core.model import Key, Part, RolloutFacts, Unreadable
from headgate.core.revisions import identity
from headgate.core.rollout import record_conflicts
from headgate.core.strategies import policy_in_force
from headgate.observe.last_known import Memory
from headgate.observe.ownership import Records

_KINDS: Final = ("canary", "blueGreen", "rollingUpdate", "recreate")
_PLAIN: Final = ("minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit")
_MOST_DROPPED: Final = 20
_UNNAMED: Final = Unreadable("status.policy does not name it, though a rollout is in flight, or an old version warm")
"""Each version that starts a rollout names it first; where no name is found, it stands elsewhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class Accepted:
    """What is known of policies."""

    policy: Policy | None
    """The one in force; None where none was ever accepted, and the spec has none that could be."""
    last: Policy | None
    """The last one that was accepted, if it is known."""
    waits: bool
    unread: Mapping[Part, Unreadable]


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _without(raw: Any, path: tuple[int | str, ...]) -> Any:
    """Return *raw* without the field at *path*, which may lead through lists."""
    head, rest = path[0], path[1:]
    if isinstance(raw, list):
        return [_without(one, rest) if at == head else one for at, one in enumerate(raw)]
    if not rest:
        return {key: value for key, value in raw.items() if key != head}
    return {**raw, head: _without(raw[head], rest)}


def salvaged_traffic(raw: Any) -> Traffic | None:
    """Return the Services and routes that *raw* names, without fields that are not known; None if it names none."""
    found = _mapping(raw)
    for _ in range(_MOST_DROPPED):
        try:
            return Traffic.model_validate(found)
        except pydantic.ValidationError as error:
            strange = [one["loc"] for one in error.errors() if one["type"] == "extra_forbidden"]
            if not strange:
                return _bare_traffic(found)
            found = _without(found, strange[0])
    return None


def _bare_traffic(raw: dict[str, Any]) -> Traffic | None:
    """Return no more of *raw* than the names: what else it says may be of another kind than is known."""
    routes = _mapping(raw.get("gatewayAPI")).get("routes")
    named = [
        {field: one[field] for field in ("kind", "name") if field in one}
        for one in (routes if isinstance(routes, list) else ())
        if isinstance(one, dict)
    ]
    known = [one for one in named if _routed(one)]
    bare = {field: raw.get(field) for field in ("stableService", "canaryService")}
    try:
        return Traffic.model_validate({**bare, **({"gatewayAPI": {"routes": known}} if known else {})})
    except pydantic.ValidationError:
        return None


def _routed(route: dict[str, Any]) -> bool:
    return route.get("kind") in ("HTTPRoute", "GRPCRoute") and isinstance(route.get("name"), str)


def _tells_all_routes(raw: Any, found: Traffic, *, switches: bool) -> bool:
    """Return whether *found* has every route that *raw* leads users by; without any it takes a strategy that switches.

    Where a route is missing, an abort would leave its users where they are.
    """
    gateway = _mapping(raw).get("gatewayAPI")
    named = _mapping(gateway).get("routes")
    if gateway is None:
        return switches
    return found.gateway_api is not None and isinstance(named, list) and len(named) == len(found.gateway_api.routes)


def _joined(one: Traffic | None, other: Traffic | None) -> Traffic | None:
    """Return *one* with the routes of *other* as well."""
    if one is None or other is None or other.gateway_api is None:
        return one or other
    routes = one.gateway_api.routes if one.gateway_api else ()
    more = tuple(route for route in other.gateway_api.routes if route not in routes)
    return one.model_copy(update={"gateway_api": other.gateway_api.model_copy(update={"routes": (*routes, *more)})})


def _kind(strategy: dict[str, Any]) -> str:
    """Return which kind *strategy* is of: one that is understood whole comes first, for only one of them is meant."""
    named = [kind for kind in _KINDS if kind in strategy]
    whole = [kind for kind in named if _validated(Strategy, {kind: strategy[kind]}) is not None]
    return next(iter((*whole, *named)), "")


def salvaged(raw: Any, otherwise: Any = None) -> Policy:
    """Return what is understood of a policy as written: enough to go back by, and never to go forward by.

    Args:
        raw: the policy.
        otherwise: another one, whose strategy's kind counts where *raw* has none that is known.
    """
    found = _mapping(raw)
    kind = _kind(_mapping(found.get("strategy"))) or _kind(_mapping(_mapping(otherwise).get("strategy"))) or "canary"
    policy = Policy(strategy=Strategy.model_validate({kind: {}}), traffic=salvaged_traffic(found.get("traffic")))
    whole = _validated(Strategy, found.get("strategy"))
    changes: dict[str, Any] = {"analysis": Analysis(metrics=_metrics(found.get("analysis")))}
    if isinstance(whole, Strategy):
        changes["strategy"] = whole
    for field in _PLAIN:
        if isinstance(found.get(field), int) and not isinstance(found[field], bool) and found[field] >= 0:
            changes |= {name: found[field] for name, known in Policy.model_fields.items() if known.alias == field}
    return policy.model_copy(update=changes)


def _as_begun(policy: Policy, begun: Begun) -> Policy | None:
    """Return *policy* with the strategy, Services and routes that a rollout was begun by; None if unknown kinds."""
    routes = [route.model_dump() for route in begun.routes]
    ways = {
        "stableService": begun.stable_service,
        "canaryService": begun.canary_service,
        "drain": f"{begun.drain_seconds}s",
        **({"gatewayAPI": {"routes": routes}} if routes else {}),
    }
    text = policy.strategy.model_dump(by_alias=True, exclude_none=True, mode="json").get(begun.strategy, {})
    bounds = {"maxSurge": begun.max_surge, "maxUnavailable": begun.max_unavailable}
    stated = {name: int(bound) if bound.isdecimal() else bound for name, bound in bounds.items() if bound}
    kept = {name: value for name, value in text.items() if name not in bounds}
    strategy = _validated(Strategy, {begun.strategy: kept | stated})
    traffic = _validated(Traffic, ways) if begun.stable_service else None
    if not isinstance(strategy, Strategy) or (begun.stable_service and traffic is None):
        return None
    return policy.model_copy(update={"strategy": strategy, "traffic": traffic})


def _metrics(raw: Any) -> tuple[Metric, ...]:
    """Return the metrics that are understood whole: half of one might judge otherwise than was meant."""
    found = _mapping(raw).get("metrics")
    known = [_validated(Metric, one) for one in (found if isinstance(found, list) else ())]
    return tuple(one for one in known if isinstance(one, Metric))


def _validated(model: type[pydantic.BaseModel], raw: Any) -> pydantic.BaseModel | None:
    try:
        return model.model_validate(raw)
    except pydantic.ValidationError:
        return None


def found(
    key: Key,
    rollout: RolloutFacts,
    status: RolloutStatus,
    wanted: Policy | None,
    records: Records,
    gaps: Mapping[Part, Unreadable],
    memory: Memory,
) -> Accepted:
    """Return which policy is in force.

    Args:
        key: the Rollout.
        rollout: what it says.
        status: its status.
        wanted: the spec's policy, if it is valid.
        records: what could be read of its ControllerRevisions.
        gaps: what could not be read.
        memory: what was read before.
    """
    same, listed = rollout.policy_hash == status.policy, Part.RECORDS not in gaps
    last = _last(key, status, wanted if same else None, records, gaps, memory)
    taken = record_conflicts.in_place_of(records.strangers, identity.policy_name(rollout.name, rollout.policy_hash))
    if taken and not same and isinstance(last, Policy):
        return Accepted(last, last, waits=False, unread={})
    chosen = policy_in_force.in_force(status, wanted, last, same=same, listed=listed)
    if chosen.unread is None:
        return Accepted(chosen.policy, last if isinstance(last, Policy) else None, chosen.waits, {})
    return _in_its_place(rollout, status, chosen, records)


def _last(
    key: Key,
    status: RolloutStatus,
    same: Policy | None,
    records: Records,
    gaps: Mapping[Part, Unreadable],
    memory: Memory,
) -> Policy | Unreadable | None:
    """Return the policy that was accepted last, by its hash: as recorded, as read before, or the *same* in the spec."""
    if not status.policy and (Part.STATUS_PART in gaps or policy_in_force.must_wait(status)):
        return gaps.get(Part.STATUS_PART, _UNNAMED)
    known = records.policies.get(status.policy)
    last = known.policy if known is not None else memory.policy(key, status.policy) or same
    return last or gaps.get(Part.RECORDS) or records.unread.get(status.policy)


def _tells_ways(text: Mapping[str, Any] | None, policy: Policy) -> bool:
    """Return whether *policy*, what is understood of *text*, has all ways by which users were led away."""
    if text is None or policy.traffic is None:
        return False
    switches = policy.strategy.blue_green is not None or policy.strategy.recreate is not None
    return _tells_all_routes(text.get("traffic"), policy.traffic, switches=switches)


def _in_its_place(
    rollout: RolloutFacts,
    status: RolloutStatus,
    chosen: policy_in_force.PolicyInForce,
    records: Records,
) -> Accepted:
    why = chosen.unread or Unreadable("")
    unread = {Part.POLICY: why}
    text = records.texts.get(status.policy)
    policy = salvaged(text if text is not None else rollout.policy, rollout.policy)
    begun = _as_begun(policy, status.begun) if status.begun is not None else None
    if begun is not None:
        return Accepted(begun, None, chosen.waits, unread)
    if status.traffic is None and text is None:
        policy = policy.model_copy(update={"traffic": None})
    elif status.traffic is not None and not _tells_ways(text, policy):
        unread[Part.TRAFFIC] = why
        ways = _joined(policy.traffic, salvaged_traffic(rollout.policy.get("traffic")))
        policy = policy.model_copy(update={"traffic": ways})
    return Accepted(policy, None, chosen.waits, unread)
