"""The writes that move traffic: weights in routes, selectors of Services.

Of an object of the user's nothing is touched but what is ours: two weights in each rule that names the stable Service,
rules and filters that steps have added, one key of a Service's selector, our labels and our annotation. Every write
tests the version that was decided on.
"""

import functools
from collections.abc import Mapping

from headgate.act.interfaces import Writer
from headgate.act.patches import operation, pointer, removal, unchanged
from headgate.api import names
from headgate.api.traffic import Traffic
from headgate.core import faults
from headgate.core.model import Json, Kind, Observation
from headgate.core.model.actions import (
    CreateService,
    FilterEdit,
    ReleaseService,
    RuleEdits,
    SelectRevision,
    SetWeights,
    WatchRoute,
)
from headgate.core.model.traffic import RouteFacts, RuleFacts, ServiceFacts
from headgate.core.revisions import identity, manifests
from headgate.core.traffic.routers.gateway_api import route_weights


def _service(observation: Observation, name: str) -> ServiceFacts:
    facts = observation.traffic
    known = (facts.stable, facts.canary, *facts.former) if facts else ()
    return next(one for one in known if isinstance(one, ServiceFacts) and one.name == name)


def _route(observation: Observation, kind: str, name: str) -> RouteFacts:
    known = observation.traffic.known_routes if observation.traffic else ()
    return next(one for one in known if (one.kind, one.name) == (kind, name))


def _put(field: str, values: Mapping[str, str], *, present: bool) -> list[Json]:
    """Return the operations that set labels or annotations, in the map that is *present* or in a new one."""
    if not present:
        return [operation("add", pointer("metadata", field), dict(values))]
    return [operation("add", pointer("metadata", field, key), value) for key, value in values.items()]


# --- routes ----------------------------------------------------------------------------------------------------------


def _weighed(rule: RuleFacts, traffic: Traffic, percent: int) -> tuple[list[Json], list[Json]]:
    """Return the tests and the changes by which *rule* gives *percent* to the canary Service."""
    stable_weight, canary_weight = route_weights.weights(rule, percent)
    references = ("spec", "rules", str(rule.index), "backendRefs")
    stable = (*references, str(rule.stable_at))
    tests = [operation("test", pointer(*stable, "name"), traffic.stable_service)]
    puts = [operation("add", pointer(*stable, "weight"), stable_weight)]
    if rule.canary_at is None:
        # At the end, so that no other reference gets another place.
        copy = {**rule.reference, "name": traffic.canary_service, "weight": canary_weight}
        puts.append(operation("add", pointer(*references, "-"), copy))
    else:
        canary = (*references, str(rule.canary_at))
        tests.append(operation("test", pointer(*canary, "name"), traffic.canary_service))
        puts.append(operation("add", pointer(*canary, "weight"), canary_weight))
    return tests, puts


def _held(rule: RuleFacts) -> list[Json]:
    """Return the tests that *rule* has the weights that it had."""
    references = ("spec", "rules", str(rule.index), "backendRefs")
    weights = {rule.stable_at: rule.stable_weight, rule.canary_at: rule.canary_weight}
    return [
        operation("test", pointer(*references, str(at), "weight"), weight)
        for at, weight in weights.items()
        if at is not None
    ]


def _as_seen(edits: RuleEdits) -> list[Json]:
    """Return the tests that what is ours is as it was seen."""
    rules = [operation("test", pointer("spec", "rules", str(one.index)), one.body) for one in edits.drops]
    filters = [
        operation("test", pointer("spec", "rules", str(one.index), "filters"), [dict(body) for body in one.was])
        for one in edits.filters
    ]
    return [*rules, *filters]


def _edited(edits: RuleEdits) -> list[Json]:
    """Return the changes to what is ours: the last rule goes first, so that none gets another place before."""
    indices = sorted((one.index for one in edits.drops), reverse=True)
    drops = [removal(pointer("spec", "rules", str(index))) for index in indices]
    adds = [operation("add", pointer("spec", "rules", "-"), dict(body)) for body in edits.adds]
    return [*(_filtered(edit) for edit in edits.filters), *drops, *adds]


def _filtered(edit: FilterEdit) -> Json:
    """Return the change to a rule's filters."""
    path = pointer("spec", "rules", str(edit.index), "filters")
    return operation("add", path, [dict(one) for one in edit.filters]) if edit.filters else removal(path)


def _marks(facts: RouteFacts, action: SetWeights) -> list[Json]:
    """Return the operations that leave our label, and the mark of a rejection, on a route."""
    marks = [] if facts.labelled else _put("labels", {names.MANAGED: "true"}, present=facts.labels)
    if action.rejected:
        marks += _put("annotations", {names.REJECTED: action.rejected}, present=facts.annotations)
    return marks


async def set_weights(writer: Writer, observation: Observation, action: SetWeights) -> None:
    """Give the canary Service its share in all rules of a route, and leave our marks, in one write."""
    policy = observation.policy
    if policy is None or policy.traffic is None:
        return
    facts = _route(observation, action.kind, action.name)
    percent = action.percent
    off = [rule for rule in facts.rules if percent is not None and not route_weights.at(rule, percent)]
    weighed = [_weighed(rule, policy.traffic, percent or 0) for rule in off]
    tests = [test for rule_tests, _ in weighed for test in rule_tests]
    puts = [*(put for _, rule_puts in weighed for put in rule_puts), *_edited(action.edits)]
    marks, whole = _marks(facts, action), unchanged(facts.resource_version)
    kind, namespace = Kind(action.kind), observation.rollout.namespace
    # A filter that loses its percentage, which older definitions of routes do not have, would copy every request.
    strict = action.edits.gives
    write = functools.partial(writer.patch, kind, namespace, action.name, field_manager=names.OBJECT_MANAGER)
    try:
        await write([whole, *tests, *puts, *marks], strict=strict)
    except faults.Refused:
        if not marks:
            raise
        # A policy may refuse unknown labels and annotations. They are a second memory; traffic must not wait for them.
        await write([whole, *tests, *puts], strict=strict)
    except faults.Conflict:
        if percent or strict:
            raise
        # Another client may write to it all the time, such as a Gateway's controller to its status. A rollback does not
        # wait for a quiet moment: it is enough that our fields are unchanged. The marks may differ and are left out.
        held = [test for rule in off for test in _held(rule)]
        held += _as_seen(action.edits)
        await write([*tests, *held, *puts])


async def watch_route(writer: Writer, observation: Observation, action: WatchRoute) -> None:
    """Put the label on a route by which we watch it."""
    facts = _route(observation, action.kind, action.name)
    put = _put("labels", {names.MANAGED: "true"}, present=facts.labels)
    operations = [unchanged(facts.resource_version), *put]
    namespace = observation.rollout.namespace
    await writer.patch(Kind(action.kind), namespace, action.name, operations, names.OBJECT_MANAGER)


# --- Services --------------------------------------------------------------------------------------------------------


def _claim(observation: Observation) -> dict[str, str]:
    """Return the labels by which a Service is found, watched, and known to be taken."""
    return {names.MANAGED: "true", names.ROLLOUT: identity.label_value(observation.rollout.name)}


async def create_service(writer: Writer, observation: Observation, action: CreateService) -> None:
    """Create a Service of ours."""
    body = manifests.service(observation.rollout, action.name, action.hash, action.ports)
    await writer.create(Kind.SERVICE, observation.rollout.namespace, body)


async def select_revision(writer: Writer, observation: Observation, action: SelectRevision) -> None:
    """Have a Service select one revision's pods, and bear our labels."""
    facts = _service(observation, action.service)
    operations = [unchanged(facts.resource_version)]
    if action.hash and action.hash != facts.selects:
        operations.append(operation("add", pointer("spec", "selector", names.POD_HASH), action.hash))
    if not facts.labelled:
        operations += _put("labels", _claim(observation), present=facts.labels)
    await writer.patch(Kind.SERVICE, observation.rollout.namespace, facts.name, operations, names.OBJECT_MANAGER)


async def release_service(writer: Writer, observation: Observation, action: ReleaseService) -> None:
    """Take our key and labels off a Service; one that we created stays too, for clients may rely on it by now.

    Its owner reference stays, so that it goes with the Rollout.
    """
    await give_back(writer, observation.rollout.namespace, _service(observation, action.service))


async def give_back(writer: Writer, namespace: str, facts: ServiceFacts) -> None:
    """Take our key and labels off a Service."""
    operations = [unchanged(facts.resource_version)]
    if facts.selects:
        operations.append(removal(pointer("spec", "selector", names.POD_HASH)))
    operations += [removal(pointer("metadata", "labels", key)) for key in (names.MANAGED, names.ROLLOUT)]
    await writer.patch(Kind.SERVICE, namespace, facts.name, operations, names.OBJECT_MANAGER)
