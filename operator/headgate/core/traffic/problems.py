"""What is wrong with a Rollout's routes and Services, each with what would be right. None of it changes traffic."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headgate.api.spec import Policy
from headgate.api.traffic import Traffic
from headgate.core.model import Observation, Unreadable
from headgate.core.model import percent as model_percent
from headgate.core.model.traffic import RequestRules, RouteFacts, RuleFacts, ServiceFacts, TrafficFacts
from headgate.core.replicas import pod_budget, weighted
from headgate.core.revisions import identity
from headgate.core.strategies import planning, steps, traits
from headgate.core.traffic.routers.gateway_api import header_routes, mirrors, route_weights


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that keeps weight from being moved."""

    reason: str
    """One CamelCase word."""
    message: str


@dataclasses.dataclass(frozen=True, slots=True)
class Ahead:
    """Which steps are still to come."""

    plan: tuple[steps.Step, ...] = ()
    """The present one included; none of a way back, which copies nothing and tells no requests apart."""
    before: int = 0
    """The weight before the first of them."""


def problems(seen: Observation, ahead: Ahead) -> tuple[Problem, ...]:
    """Return all that keeps a new version from getting weight; empty where nothing does, or without spec.traffic.

    Args:
        seen: the observation.
        ahead: the steps whose needs count; what was passed holds nothing up any more.
    """
    policy, facts = seen.policy, seen.traffic
    if facts is None or policy is None or policy.traffic is None:
        return ()
    if traits.switches(policy):
        return tuple(_of_services(seen, policy.traffic, facts))  # no route of it is given any weight
    weights = _weights_to_hold(seen, policy)
    found = (*_of_services(seen, policy.traffic, facts), *_of_routes(seen, weights, policy.traffic, facts))
    return (*found, *_of_extras(seen, policy, policy.traffic, facts, ahead))


@dataclasses.dataclass(frozen=True, slots=True)
class _Weights:
    """What a rule must be able to hold."""

    steps: tuple[int, ...]
    """The weights of the steps."""
    between: bool
    """Whether others as well, because a bounded surge lets weight rise as pods can be exchanged."""

    def too_fine(self, rule: RuleFacts) -> int | None:
        """Return the first weight that *rule* cannot hold, if any."""
        coarse = [percent for percent in self.steps if not route_weights.exact(rule, percent)]
        # Of a hundred and more each percent makes a difference, though it may not be exact.
        coarse += [1] if self.between and route_weights.base(rule) < model_percent.WHOLE else []
        return coarse[0] if coarse else None


def _of_extras(
    seen: Observation, policy: Policy, ways: Traffic, facts: TrafficFacts, ahead: Ahead
) -> Iterator[Problem]:
    """Yield why routes cannot hold what steps would add to them, though none of these has come yet."""
    put = seen.status.traffic.planned_rules if seen.status.traffic else ()
    headers_of_steps = dict.fromkeys(step.headers for step in ahead.plan if step.headers)
    mirrored = any(step.mirror_percent for step in ahead.plan)
    if mirrored or headers_of_steps:
        yield from _of_memory(facts, put, ways, ahead)
    if mirrored:
        yield from _of_mirrors(seen, policy, facts, ahead)
    for headers in headers_of_steps:
        wanted = RequestRules(headers)
        for route in facts.known_routes:
            if words := header_routes.crowded(route, wanted, ways.canary_service):
                yield Problem("RouteRulesUnfit", words)
        if words := header_routes.taken(facts, wanted, put, ways.canary_service):
            yield Problem("RouteRuleTaken", words)


def _of_memory(facts: TrafficFacts, put: tuple[str, ...], ways: Traffic, ahead: Ahead) -> Iterator[Problem]:
    """Yield why what steps add could not be remembered, and so would never be taken away."""
    for wanted in dict.fromkeys(step.extras for step in ahead.plan if step.extras):
        if words := header_routes.too_many(facts.known_routes, wanted, put, ways.canary_service):
            yield Problem("RouteRulesUnfit", words)
            return


def _of_mirrors(seen: Observation, policy: Policy, facts: TrafficFacts, ahead: Ahead) -> Iterator[Problem]:
    """Yield why requests cannot be copied as planned."""
    put = seen.status.traffic.planned_rules if seen.status.traffic else ()
    for words in mirrors.unable(facts):
        yield Problem("MirrorUnsupported", words)
    for route in facts.known_routes:
        if words := mirrors.crowded(route, put):
            yield Problem("RouteRulesUnfit", words)
        if words := mirrors.taken(route, put):
            yield Problem("RouteRuleTaken", words)
    before, budget = ahead.before, _budget(seen, policy)
    for step in ahead.plan:
        if step.mirror_percent and (words := _too_much(budget, before, step)):
            yield Problem("MirrorTooLarge", words)
            return
        before = step.weight_percent


def _too_much(budget: pod_budget.Budget, before: int, step: steps.Step) -> str:
    """Return why there are not the pods for *step*, which comes after the weight *before*; empty if there are."""
    weight, copied = step.weight_percent, step.mirror_percent
    if weight + copied > model_percent.WHOLE:
        return (
            f"with setMirrorRoute of {copied} % at weight {weight} % the new version gets more than its pods carry: "
            f"mirror {model_percent.WHOLE - weight} % or less, or 0 before that weight"
        )
    pods = header_routes.burdened(budget.total, weight, step.extras)
    # Copies come as a whole: stable still has what it had before.
    kept = max(1, weighted.carriers(budget.total, model_percent.WHOLE - before) - budget.unavailable)
    if budget.total == 0 or kept + pods <= budget.most_pods:
        return ""
    return (
        f"setMirrorRoute of {copied} % at weight {weight} % takes {pods} pods beside {kept} stable ones, and maxSurge "
        f"allows {budget.most_pods} in all: let maxSurge be {kept + pods - budget.total} or more, or mirror less"
    )


def _budget(seen: Observation, policy: Policy) -> pod_budget.Budget:
    wanted = [facts.replicas for facts in seen.deployments.values()]
    total = max(wanted, default=0) if seen.rollout.replicas is None else seen.rollout.replicas
    return traits.budget(policy, total, routed=True)


def _weights_to_hold(seen: Observation, policy: Policy) -> _Weights:
    budget = _budget(seen, policy)
    planned = tuple(step.weight_percent for step in planning.planned(policy))
    return _Weights(planned, between=budget.surge < budget.total)


def _of_services(seen: Observation, traffic: Traffic, facts: TrafficFacts) -> Iterator[Problem]:
    for name, service in ((traffic.stable_service, facts.stable), (traffic.canary_service, facts.canary)):
        if isinstance(service, Unreadable):
            yield Problem("ServiceUnreadable", f"Service {name} could not be read: {service.why}")
        elif isinstance(service, ServiceFacts):
            yield from _of_service(seen, service)
    if facts.stable is None and not isinstance(facts.canary, ServiceFacts) and not ports_to_create(seen):
        declare = ", or declare the port in a route and the containerPort in the template" if facts.routes else ""
        yield Problem(
            "ServiceMissing",
            f"Service {traffic.stable_service} does not exist, and Headgate cannot tell which ports it should have: "
            f"create it{declare}",
        )
    yield from _of_ports(facts)


def _of_ports(facts: TrafficFacts) -> Iterator[Problem]:
    """Yield what differs between what routes ask for, the stable Service's ports, and the canary Service's."""
    asked = {port: str(route) for route in facts.known_routes for rule in route.rules for port in rule.ports}
    services = [service for service in (facts.stable, facts.canary) if isinstance(service, ServiceFacts)]
    targets = {service.name: _targets(service) for service in services}
    for port, route in sorted(asked.items()):
        lacking = [name for name, found in targets.items() if port not in found]
        if lacking:
            yield Problem(
                "ServicePortMissing", f"Service {lacking[0]} has no port {port}, which {route} asks for: add it there"
            )
            continue
        found = {name: one[port] for name, one in targets.items()}
        # Names may stand for the same number; that is for the pods to know.
        if len(set(found.values())) > 1 and all(isinstance(target, int) for target in found.values()):
            words = " but ".join(f"{target} in Service {name}" for name, target in found.items())
            yield Problem(
                "ServicePortsDiffer",
                f"port {port} has the targetPort {words}: make them the same, for each version is behind both in turn",
            )


def _targets(service: ServiceFacts) -> dict[int, object]:
    return {int(port["port"]): port.get("targetPort", port["port"]) for port in service.ports}


def _of_service(seen: Observation, service: ServiceFacts) -> Iterator[Problem]:
    ours = identity.label_value(seen.rollout.name)
    if service.holder and service.holder != ours:
        yield Problem(
            "ServiceClaimed",
            f"Service {service.name} belongs to Rollout {service.holder}: name another one in spec.traffic, or take it "
            "out of that Rollout",
        )
    if not service.own_selector:
        yield Problem(
            "ServiceSelectsNothing",
            f"Service {service.name} has no selector, so that its pods are not Headgate's to choose: give it the "
            f"selector {_words(seen.rollout.match_labels)}",
        )
    elif not selects_ours(seen, service):
        yield Problem(
            "ServiceSelectsOthers",
            f"Service {service.name} selects {_words(service.own_selector)}, which this Rollout's pods do not carry: "
            f"let it select {_words(seen.rollout.match_labels)}",
        )


def selects_ours(seen: Observation, service: ServiceFacts) -> bool:
    """Return whether *service*, but for our key, selects the pods of the Rollout, and not all there are."""
    labels = (seen.rollout.template.get("metadata") or {}).get("labels") or {}
    return bool(service.own_selector) and service.own_selector.items() <= labels.items()


def _words(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _of_routes(seen: Observation, weights: _Weights, traffic: Traffic, facts: TrafficFacts) -> Iterator[Problem]:
    for index, ((kind, name), route) in enumerate(facts.routes.items()):
        where = f"spec.traffic.gatewayAPI.routes[{index}]"
        if route is None:
            yield Problem(
                "RouteMissing",
                f"{where}: {kind} {name} does not exist in namespace {seen.rollout.namespace}: create it there or mend "
                "the name; routes of other namespaces are not managed",
            )
        elif isinstance(route, Unreadable):
            yield Problem("RouteUnreadable", f"{where}: {kind} {name} could not be read: {route.why}")
        else:
            yield from _of_rules(weights, traffic, route, where)
            yield from _of_parents(route)


def _of_rules(weights: _Weights, traffic: Traffic, route: RouteFacts, where: str) -> Iterator[Problem]:
    if route.missing_rules:
        named = ", ".join(route.missing_rules)
        yield Problem("RuleMissing", f"{where}.rules: {route} has no rule {named} that names {traffic.stable_service}")
    elif not route.rules and route.elsewhere:
        yield Problem(
            "RouteNamesOtherNamespace",
            f"{where}: {route} names Service {traffic.stable_service} of namespace {route.elsewhere[0]}; only Services "
            "of the Rollout's own namespace can be managed: name that one, or move the Rollout there",
        )
    elif not route.rules:
        yield Problem(
            "RouteNamesNoService",
            f"{where}: no rule of {route} names Service {traffic.stable_service}: add it to the backendRefs of a rule",
        )
    for rule in route.rules:
        if isinstance(rule.claimed_by, Unreadable):
            yield Problem(
                "RuleClaimUnreadable",
                f"whether rule {rule.index} of {route} belongs to another Rollout could not be read: "
                f"{rule.claimed_by.why}",
            )
        elif rule.claimed_by:
            yield Problem(
                "RuleClaimed",
                f"rule {rule.index} of {route} belongs to Rollout {rule.claimed_by}: give this Rollout a rule of its "
                "own, or a route",
            )
        yield from _of_weights(weights, traffic, route, rule)


def _of_weights(weights: _Weights, traffic: Traffic, route: RouteFacts, rule: RuleFacts) -> Iterator[Problem]:
    both = f"{traffic.stable_service} and {traffic.canary_service}"
    if rule.sum == 0:
        yield Problem(
            "RouteWithoutWeight",
            f"rule {rule.index} of {route} gives {both} weight 0: give {traffic.stable_service} a weight",
        )
        return
    percent = weights.too_fine(rule)
    if percent is not None:
        yield Problem(
            "RouteWeightsTooCoarse",
            f"rule {rule.index} of {route} shares with other backends, and the weights of {both} are {rule.sum} in "
            f"all, which cannot be split at {percent} %: multiply all weights of the rule, by 100 for example",
        )


def _of_parents(route: RouteFacts) -> Iterator[Problem]:
    if not route.parent_refs:
        yield Problem("RouteWithoutParent", f"{route} has no parentRefs, so that no Gateway serves it: name one there")
    elif not route.parents:
        asked = ", ".join(route.parent_refs)
        yield Problem(
            "RouteUnanswered",
            f"{route} names {asked} as its parent, and that has not answered: mend the parentRefs, or look whether it "
            "exists and its controller runs",
        )
    for parent in route.parents:
        if parent.current and not parent.accepted:
            yield Problem("RouteNotAccepted", f"{parent.name} does not accept {route}: {parent.words}")


def ports_to_create(seen: Observation) -> tuple[Mapping[str, Any], ...]:
    """Return the ports of a Service that is to be created: those of the other one, or what routes and pods agree on."""
    facts = seen.traffic
    if facts is None:
        return ()
    for service in (facts.stable, facts.canary):
        if isinstance(service, ServiceFacts):
            return tuple(dict(port) for port in service.ports)
    asked = sorted({port for rule in route_weights.rules(facts.known_routes) for port in rule.ports})
    found = [(port, _target(seen, port)) for port in asked]
    if not found or any(target is None for _, target in found):
        return ()
    return tuple({"name": f"port-{port}", "port": port, "targetPort": target} for port, target in found)


def _target(seen: Observation, port: int) -> int | None:
    containers = (seen.rollout.template.get("spec") or {}).get("containers") or ()
    have = list(_container_ports(containers))
    if port in have:
        return port
    return have[0] if len(have) == 1 else None


def _container_ports(containers: Iterable[object]) -> Iterator[int]:
    for container in containers:
        for port in (container.get("ports") or ()) if isinstance(container, dict) else ():
            number = port.get("containerPort") if isinstance(port, dict) else None
            if isinstance(number, int):
                yield number
