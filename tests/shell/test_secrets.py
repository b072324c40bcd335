"""What people write into objects reaches no log, whatever field they put it in, unless it is known to be no secret."""

import asyncio
import copy
import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from headgate.api import names
from headgate.core.model import Decision, Json, Key, Kind, Observation
from headgate.core.revisions import identity
from headgate.core.rollout.decide import decide
from headgate.observe import Observer
from headgate.reconcile import observation_dump
from headgate.telemetry import logs
from tests.shell import virtual
from tests.shell.observations import SECRET, observation, template
from tests.shell.surroundings import World
from tests.shell.test_belongings import NAME, TIME, Namespace, Nothing, deployment, rollout
from tests.shell.test_belongings import record as kept

Path = tuple[str | int, ...]
HEADER = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "Authorization", "value": "x"}]}}
POLICY: Json = {
    "strategy": {
        "canary": {
            "steps": [
                {"setHeaderRoute": {"name": "testers", "match": [{"headerName": "x", "headerValue": {"exact": "v"}}]}},
                {"setWeight": 50},
                {"pause": {}},
            ]
        }
    },
    "traffic": {
        "stableService": "web",
        "canaryService": "web-canary",
        "gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": "web"}]},
    },
    "analysis": {
        "metrics": [{"name": "errors", "prometheus": {"query": 'up{token="x"}'}, "threshold": {"max": 1}}],
    },
}
NOTES = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "note": "x"}


def route() -> Json:
    """Return a route with every place in which people keep what only they know."""
    matches = [
        {
            "path": {"type": "PathPrefix", "value": "/x"},
            "headers": [{"type": "Exact", "name": "x-key", "value": "v"}],
            "queryParams": [{"type": "Exact", "name": "key", "value": "v"}],
        }
    ]
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "web-canary", "port": 80}}}
    rewrite = {"type": "URLRewrite", "urlRewrite": {"hostname": "h", "path": {"replacePrefixMatch": "/p"}}}
    web: Json = {"name": "web", "port": 80, "weight": 1, "filters": [HEADER]}
    canary: Json = {"name": "web-canary", "port": 80, "weight": 0, "filters": [HEADER]}
    rules: list[Json] = [
        {"matches": matches, "filters": [HEADER, mirror, rewrite], "backendRefs": [web, canary], "future": {"a": "b"}},
        {"matches": matches, "filters": [HEADER], "backendRefs": [{**canary, "weight": 1}]},
    ]
    accepted = {"type": "Accepted", "status": "True", "observedGeneration": 2}
    return {
        "metadata": {
            "name": "web", "namespace": "prod", "uid": "r", "resourceVersion": "9", "generation": 2,
            "annotations": {**NOTES},
        },
        "spec": {"parentRefs": [{"name": "gw"}], "rules": rules},
        "status": {"parents": [{"parentRef": {"name": "gw"}, "conditions": [accepted]}]},
    }  # fmt: skip


def service(name: str) -> Json:
    """Return a Service of the user's, with notes on it."""
    metadata = {"name": name, "namespace": "prod", "uid": name, "resourceVersion": "5", "annotations": {**NOTES}}
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "appProtocol": "http"}]
    return {"metadata": metadata, "spec": {"selector": {"app": "web"}, "ports": ports, "externalName": "x"}}


def shop() -> dict[Kind, list[Json]]:
    """Return all that is read of a Rollout in flight, by kind."""
    wanted = template()
    wanted["spec"]["containers"][0]["image"] = "shop/web:2"
    new = identity.template_hash(NAME, wanted)
    one = rollout()
    one["metadata"]["annotations"] = {**NOTES}
    one["spec"] = {**one["spec"], **copy.deepcopy(POLICY), "template": wanted}
    canary = {"revision": 2, "hash": new, "replicas": 3, "ready": 3, "started": TIME}
    policy = identity.policy_hash(NAME, POLICY)
    one["status"] = {**one["status"], "canary": canary, "policy": policy}
    records = [kept(template()), kept(wanted), kept(copy.deepcopy(POLICY), names.RECORD_POLICY)]
    pods = [deployment(), deployment(new)]
    for body in pods:
        body["metadata"]["annotations"] = {**body["metadata"]["annotations"], **NOTES}
    return {
        Kind.ROLLOUT: [one],
        Kind.DEPLOYMENT: pods,
        Kind.CONTROLLER_REVISION: records,
        Kind.SERVICE: [service("web"), service("web-canary")],
        Kind.HTTP_ROUTE: [route()],
    }


def leaves(node: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where a text stands in *node*."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in below:
        yield from leaves(child, (*path, key))
    if isinstance(node, str):
        yield path


PUBLIC = ("name", "namespace", "kind", "group", "type", "image", "headerName", "stableService", "canaryService")
"""Fields that name things; what stands there is no secret, and messages need it."""
OURS = ("uid", "resourceVersion", "creationTimestamp", "started", "since", "appProtocol")
"""Fields that the API server or Headgate fills in, and a word of the Service's port that stands in Events as well."""


def planted() -> Iterator[tuple[Kind, int, Path]]:
    """Yield every place in which a person can write what is nobody else's business."""
    for kind, bodies in shop().items():
        for at, body in enumerate(bodies):
            for path in leaves(body):
                named = path[-1] in (*PUBLIC, *OURS) or {"labels", "matchLabels", "selector", "status"} & set(path)
                if not named and path[:2] != ("data", "hash") and path[-1] != names.REVISION:
                    yield kind, at, path


def put(body: Json, path: Path, text: str) -> None:
    """Put *text* into *body*."""
    for part in path[:-1]:
        body = body[part]  # type: ignore[index]  # a path leads through lists as well
    body[path[-1]] = text  # type: ignore[index]  # and may end in one


class Shop(Namespace):
    """A Reader of a shop."""

    def __init__(self, bodies: Mapping[Kind, list[Json]]) -> None:
        super().__init__()
        self.rollout = bodies[Kind.ROLLOUT][0]
        self.things = {kind: tuple(found) for kind, found in bodies.items()}


async def _seen(bodies: Mapping[Kind, list[Json]]) -> Observation:
    observer = Observer(Shop(bodies), Nothing(), lambda: 1_800_000_000.0, settle_seconds=20)
    seen = await observer.observe(Key("prod", NAME))
    assert seen is not None
    return seen


def told(decision: Decision) -> str:
    """Return all that people are told of a decision."""
    said = [condition.message for condition in decision.status.conditions]
    said += [f"{notice.reason} {notice.message}" for notice in decision.notices]
    said += [metric.message for metric in decision.status.analysis]
    return " ".join((*said, str(decision.status.step and decision.status.step.waiting_for), decision.rule))


def test_the_shop_is_whole() -> None:
    """All of it is understood, so that what is planted has every way out."""
    seen = asyncio.run(_seen(shop()))

    assert seen.rollout.invalid == ""
    assert seen.traffic is not None
    assert [len(found.rules) for found in seen.traffic.known_routes] == [1]
    assert [len(found.extras) for found in seen.traffic.known_routes] == [1]
    assert [len(found.mirrors) for found in seen.traffic.known_routes] == [1]
    assert len(seen.templates) == 2
    assert seen.accepted is not None
    assert len(list(planted())) > 50


@pytest.mark.parametrize(("kind", "at", "path"), list(planted()), ids=lambda part: str(part)[-70:])
def test_no_text_of_an_object_reaches_a_log_or_an_event(kind: Kind, at: int, path: Path) -> None:
    """Wherever a secret stands in any object, neither the record of a bug nor a message has it."""
    bodies = shop()
    put(bodies[kind][at], path, SECRET)
    seen = asyncio.run(_seen(bodies))

    assert SECRET not in observation_dump.record(seen)
    assert SECRET not in told(decide(seen))


def test_the_record_keeps_what_a_decision_rests_on() -> None:
    """Hidden are words only: the numbers, names and places are there."""
    found = json.loads(observation_dump.record(asyncio.run(_seen(shop()))))
    (way,) = found["traffic"]["routes"].values()

    assert way["rules"][0]["reference"]["name"] == "web"
    assert way["rules"][0]["body"]["filters"][0]["requestHeaderModifier"]["set"] == [
        {"name": "Authorization", "value": observation_dump.WITHHELD}
    ]
    assert way["rules"][0]["body"]["backendRefs"][0]["weight"] == 1
    assert found["policy"]["strategy"]["canary"]["steps"][1] == {"setWeight": 50}
    assert found["policy"]["traffic"]["drain"] == 30
    assert found["rollout"]["match_labels"] == {"app": "web"}
    assert found["traffic"]["stable"]["ports"][0] == {
        "appProtocol": "http",
        "name": "http",
        "port": 80,
        "targetPort": 8080,
    }
    assert SECRET not in json.dumps(found)


# --- exceptions -------------------------------------------------------------------------------------------------------


class _Own(Exception):
    """An exception of a library."""


def _raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as caught:  # the traceback is what counts
        return caught


ERRORS: dict[str, Callable[[], BaseException]] = {
    "a value": lambda: ValueError(f"invalid literal for int() with base 10: '{SECRET}'"),
    "two lines in quotes": lambda: ValueError(f'it\'s\n"{SECRET}"'),
    "a key": lambda: KeyError(SECRET),
    "a library's": lambda: _Own(SECRET, {"token": SECRET}),
    "one in a group": lambda: ExceptionGroup("several", [ValueError(SECRET)]),
    "a cause": lambda: _raised(RuntimeError("it failed"), ValueError(SECRET)),
    "text that is no UTF-8": lambda: UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, SECRET),
    "a line": lambda: SyntaxError(SECRET, ("file", 1, 1, SECRET)),
}


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is logged, in the format that the test asks for, down to the least important line."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    logs.configure(request.param, "debug", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.parametrize("log", ["human", "json"], indirect=True)
@pytest.mark.parametrize("make", ERRORS.values(), ids=ERRORS)
def test_exceptions_do_not_quote_what_was_read(make: Callable[[], BaseException], log: io.StringIO) -> None:
    """Of a bug the log has the kind and the place, however the exception came to hold a secret."""
    error = make()

    def broken(_: Observation) -> Decision:
        raise error

    async def main() -> None:
        world = World([observation()])
        world.decided = broken
        await world.first_pass()

    virtual.run(main)

    assert SECRET not in log.getvalue()
    assert type(error).__name__ in log.getvalue()
    assert "in broken" in log.getvalue()


@pytest.mark.parametrize("log", ["human", "json"], indirect=True)
@pytest.mark.parametrize("words", ["Throttling: {0!r}", "Task has failed: {0}", "<exception={0!r}>"])
def test_libraries_do_not_quote_it_either(words: str, log: io.StringIO) -> None:
    """Libraries such as kopf and asyncio put an exception's words into their messages: they are taken out."""
    for make in ERRORS.values():
        caught = _raised(make())
        logging.getLogger("asyncio").error(words.format(caught), exc_info=caught)

    assert SECRET not in log.getvalue()
    assert len(log.getvalue()) > 100


@pytest.mark.parametrize("log", ["human"], indirect=True)
def test_words_about_code_are_kept(log: io.StringIO) -> None:
    """What tells a developer what is wrong, and can quote no value, stays."""
    for error in (AttributeError("'NoneType' object has no attribute 'get'"), OSError(98, "Address already in use")):
        logging.getLogger("headgate").error("it failed", exc_info=_raised(error))

    assert "AttributeError: 'NoneType' object has no attribute 'get'" in log.getvalue()
    assert "OSError: [Errno 98] Address already in use" in log.getvalue()
