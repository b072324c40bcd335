"""The first look wakes whatever may need something, and spares what plainly does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from headgate import kinds
from headgate.core.faults import Unreachable
from headgate.core.model import Json, Key, Kind
from headgate.core.model.overlaps import Overlaps
from headgate.observe.snapshot import NotListedError, Snapshot
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.initial_list import InitialList
from headgate.reconcile.overlap_index import OverlapIndex
from headgate.reconcile.predicates import observed
from headgate.reconcile.queue import Queue
from tests.shell import virtual


def thing(name: str, namespace: str = "shop", rollout: str = "", **more: Any) -> Json:
    """Return an object; with *rollout* it has our labels."""
    labels = {"headgate.dev/managed": "true", "headgate.dev/rollout": rollout} if rollout else {}
    metadata = {"namespace": namespace, "name": name, "uid": f"{namespace}-{name}", "labels": labels}
    return {"metadata": metadata, **more}


def resting(name: str, namespace: str = "shop") -> Json:
    """Return a Rollout at rest."""
    return thing(name, namespace, status={"phase": "Healthy", "stable": {"hash": "a"}})


class Setting:
    """A cluster that lists, page by page, and a judge who finds nothing to do in Rollouts called calm."""

    def __init__(self, page_objects: int = 2, **things: list[Json]) -> None:
        self.things = {Kind(kind): found for kind, found in things.items()}
        self.page_objects = page_objects
        self.asked: list[tuple[Kind, str]] = []
        self.judged: dict[Key, Snapshot] = {}
        self.most_read: dict[str, int] = {}
        self.read = 0
        self.down = False
        self.queue = Queue(clock=virtual.clock)
        self.triggers = EventMapper()
        self.look = InitialList(self, self.queue, self.triggers, self.settled)

    async def pages(self, kind: Kind, namespace: str, selector: str) -> AsyncIterator[list[Json]]:
        """Yield the objects in the order of the API server."""
        self.asked.append((kind, selector))
        if self.down and kind is Kind.DEPLOYMENT:
            raise Unreachable("down")
        found = sorted(
            self.things.get(kind, []), key=lambda one: f"{one['metadata']['namespace']}/{one['metadata']['name']}"
        )
        yield []
        for begin in range(0, len(found), self.page_objects):
            self.read += 1
            yield [one for one in found[begin : begin + self.page_objects] if namespace in ("", "shop")]

    async def settled(self, key: Key, snapshot: Snapshot) -> bool:
        """Judge by the name."""
        self.judged[key] = snapshot
        self.most_read.setdefault(key.namespace, self.read)
        return key.name == "calm"

    def woken(self) -> set[Key]:
        """Return the keys that wait."""
        return set(self.queue._turns.ready)


def looked(setting: Setting) -> list[str]:
    """Return what the first look returns."""
    return asyncio.run(setting.look.run())


def test_only_what_may_need_something_is_woken() -> None:
    """A Rollout of which the lists show that nothing is to be done gets no pass; every other one gets one."""
    setting = Setting(Rollout=[resting("calm"), resting("loud")])
    looked(setting)
    assert setting.woken() == {Key("shop", "loud")}


@pytest.mark.parametrize("status", [{"canary": {"hash": "b"}}, {"previous": {"hash": "b"}}, None, "nonsense"])
def test_in_flight_is_never_judged_by_lists(status: Any) -> None:
    """A Rollout in flight, warm, new or malformed gets a pass before anything else is read."""
    setting = Setting(Rollout=[thing("calm", status=status)])
    looked(setting)
    assert (setting.woken(), setting.judged) == ({Key("shop", "calm")}, {})


def test_watches_tell_nothing_new() -> None:
    """What the first look saw is no reason for a pass when a watch shows it again; a later state is."""
    deployment = thing("calm-a", rollout="calm", status={"readyReplicas": 1})
    setting = Setting(Rollout=[resting("calm")], Deployment=[deployment])
    assert sorted(looked(setting)) == ["shop-calm", "shop-calm-a"]
    assert not setting.woken()
    assert not setting.triggers.woken_by(observed(Kind.ROLLOUT, resting("calm")))
    assert not setting.triggers.woken_by(observed(Kind.DEPLOYMENT, deployment))
    changed = {**deployment, "status": {"readyReplicas": 0}}
    assert setting.triggers.woken_by(observed(Kind.DEPLOYMENT, changed)) == (Key("shop", "calm"),)


def test_all_of_a_namespace_are_known_before_one_is_judged() -> None:
    """What Rollouts have in common is known by then, also of those on a later page, so that it is no news later."""
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}}}
    neighbours, known = OverlapIndex(), dict[str, int]()
    setting = Setting(Rollout=[{**resting(name), "spec": spec} for name in ("calm", "loud", "quiet", "still")])
    setting.triggers = EventMapper(neighbours)

    async def settled(key: Key, _: Snapshot) -> bool:
        known[key.name] = len((neighbours.of(key) or Overlaps()).first)
        return True

    setting.look = InitialList(setting, setting.queue, setting.triggers, settled)
    looked(setting)
    assert known == {"calm": 3, "loud": 3, "quiet": 3, "still": 3}
    assert (setting.woken(), setting.triggers.stirred()) == (set(), frozenset())


def test_leftovers_wake_the_rollout_that_is_gone() -> None:
    """What bears the label of a Rollout that is not there gives it a pass, which clears up; wherever it stands."""
    services = [thing("web", rollout="gone"), thing("web", "a", rollout="gone"), thing("web", "zoo", rollout="gone")]
    setting = Setting(Rollout=[resting("calm")], Service=services)
    looked(setting)
    assert setting.woken() == {Key("shop", "gone"), Key("a", "gone"), Key("zoo", "gone")}


def test_each_rollout_is_judged_with_all_of_its_namespace() -> None:
    """Lists in pages are joined by namespace, in the API server's order, where a dash comes before a slash."""
    places = ["a", "a-b", "a0", "b"]
    setting = Setting(
        Rollout=[resting(f"calm{number}", place) for place in places for number in range(3)],
        Deployment=[thing(f"{place}{number}", place, rollout="x") for place in places for number in range(5)],
    )
    looked(setting)

    async def deployments(key: Key) -> list[str]:
        found = await setting.judged[key].select(Kind.DEPLOYMENT, key.namespace, {"headgate.dev/rollout": "x"})
        return [one["metadata"]["name"] for one in found]

    for place in places:
        names = asyncio.run(deployments(Key(place, "calm1")))
        assert names == [f"{place}{number}" for number in range(5)]


def test_pages_are_read_as_they_are_needed() -> None:
    """When the first namespace is judged, the last pages have not been read."""
    places = ["a", "b", "c", "d"]
    setting = Setting(Rollout=[resting(f"calm{number}", place) for place in places for number in range(4)])
    looked(setting)
    assert setting.most_read["a"] < setting.most_read["b"] < setting.most_read["d"] == 8


def test_unreadable_list_is_a_fault() -> None:
    """Where one kind cannot be listed nothing is judged, and the one who asked hears it; what flies was woken."""
    setting = Setting(Rollout=[resting("calm"), thing("flying", status={"canary": {}})])
    setting.things[Kind.ROLLOUT][1]["status"]["canary"]["hash"] = "b"
    setting.down = True
    with pytest.raises(Unreachable):
        looked(setting)
    assert (setting.woken(), setting.judged) == ({Key("shop", "flying")}, {})


def test_every_kind_is_listed_by_what_is_ours() -> None:
    """Nothing is listed but Rollouts and what bears our labels."""
    setting = Setting(Rollout=[resting("calm")])
    looked(setting)
    assert dict(setting.asked) == {kind: first.selector for kind, first in kinds.FIRST_LISTS.items()}


def snapshot() -> Snapshot:
    """Return what was listed in the namespace shop."""
    return Snapshot(
        "shop", {Kind.ROLLOUT: [resting("calm")], Kind.DEPLOYMENT: [], Kind.SERVICE: [thing("web", rollout="calm")]}
    )


def test_snapshot_knows_what_was_listed() -> None:
    """Listed objects are found by name and by labels; a Rollout that was not listed is not there."""
    seen = snapshot()

    async def main() -> None:
        assert await seen.get(Kind.ROLLOUT, "shop", "calm") == resting("calm")
        assert await seen.get(Kind.ROLLOUT, "shop", "gone") is None
        assert await seen.select(Kind.DEPLOYMENT, "shop", {"headgate.dev/rollout": "calm"}) == []
        assert await seen.select(Kind.SERVICE, "shop", {"headgate.dev/managed": "true", "x": "y"}) == []
        (web,) = await seen.select(Kind.SERVICE, "shop", {"headgate.dev/rollout": "calm"})
        assert web["metadata"]["name"] == "web"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("get", (Kind.SERVICE, "shop", "other")),
        ("get", (Kind.DEPLOYMENT, "shop", "calm-a")),
        ("get", (Kind.ROLLOUT, "elsewhere", "calm")),
        ("select", (Kind.POD, "shop", {})),
        ("select", (Kind.SERVICE, "shop", {"headgate.dev/rollout": "other"})),
        ("try_create", (Kind.DEPLOYMENT, "shop", {})),
    ],
)
def test_snapshot_does_not_guess(verb: str, arguments: tuple[Any, ...]) -> None:
    """What may be there without having been listed only the cluster can tell."""
    with pytest.raises(NotListedError):
        asyncio.run(getattr(snapshot(), verb)(*arguments))


def test_h33_what_is_large_is_not_kept() -> None:
    """H33: beside an object that is too large to be kept nothing is judged, and each Rollout there gets a pass."""
    huge = resting("huge") | {"spec": {"template": "x" * 100_000}}
    for large in ({"Rollout": [huge, resting("calm")]}, {"Rollout": [resting("calm")], "Service": [huge]}):
        setting = Setting(2, **large)
        setting.things[Kind.ROLLOUT].append(resting("calm", "zoo"))
        looked(setting)
        assert Key("shop", "calm") in setting.woken()
        assert set(setting.judged) == {Key("zoo", "calm")}


@pytest.mark.parametrize("kind", [kind.value for kind in kinds.FIRST_LISTS])
def test_h33_a_hostile_object_hides_no_other(kind: str) -> None:
    """H33: whatever stands in an object of any kind that is listed, those beside it are seen."""
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    parts = ("annotations", "ownerReferences", "managedFields", "finalizers", "generation")
    hostile = [
        *(
            thing(f"h{number}", spec=value, status=value)
            for number, value in enumerate(("text", 5, [1], {"traffic": 5}))
        ),
        *(changed(thing(f"m{number}"), metadata={part: [deep]}) for number, part in enumerate(parts)),
        thing("d", spec=[deep], status={"canary": [deep]}),
        changed(thing("x"), metadata={"labels": {"headgate.dev/rollout": "A_b"}}),
    ]
    setting = Setting(2, **{"Rollout": [resting("loud")], kind: [*hostile, resting("loud")]})
    looked(setting)
    assert Key("shop", "loud") in setting.woken()
    assert not [key for key in setting.woken() if key.name == "A_b"]


def changed(body: Json, metadata: Json) -> Json:
    """Return *body* with this in its metadata too."""
    return {**body, "metadata": {**body["metadata"], **metadata}}
