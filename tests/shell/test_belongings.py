"""What bears a Rollout's labels is not yet its own: names and hashes decide, and strangers are named."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from headgate.act import writes
from headgate.api import names, spec
from headgate.core import faults
from headgate.core.model import Json, Key, Kind, Observation
from headgate.core.model.actions import MarkRecord
from headgate.core.model.overlaps import Overlap, Overlaps
from headgate.core.revisions import identity
from headgate.core.rollout.decide import decide
from headgate.observe import Observer, ownership, parse_workloads
from tests.shell.observations import template

NAME, UID = "shop", "uid-of-shop"
POLICY: Json = {"strategy": {"rollingUpdate": {}}}
STABLE = identity.template_hash(NAME, template())
OTHER: Json = {**template(), "metadata": {"labels": {"app": "web", "v": "2"}}}
EVIL: Json = {**template(), "spec": {"containers": [{"name": "web", "image": "miner"}]}}
TIME = "2026-01-31T12:00:00Z"


def deployment(revision_hash: str = STABLE, name: str = "", **metadata: Any) -> Json:
    """Return a Deployment of ours with three pods, all of them ready."""
    labels = {
        "app.kubernetes.io/managed-by": "headgate",
        names.MANAGED: "true",
        names.ROLLOUT: NAME,
        names.POD_HASH: revision_hash,
    }
    owners = [{"kind": "Rollout", "name": NAME, "uid": UID, "controller": True}]
    given = {
        "name": name or f"{NAME}-{revision_hash}",
        "namespace": "prod",
        "uid": f"uid-of-{name or revision_hash}",
        "resourceVersion": "1",
        "generation": 1,
        "labels": labels,
        "ownerReferences": owners,
        "annotations": {names.REVISION: "1"},
        **metadata,
    }
    return {
        "metadata": given,
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web", names.POD_HASH: revision_hash}},
            "template": template(),
        },
        "status": {"observedGeneration": 1, "replicas": 3, "readyReplicas": 3, "availableReplicas": 3},
    }


def record(content: Json, kind: str = names.RECORD_TEMPLATE, says: str = "", **changes: Any) -> Json:
    """Return a ControllerRevision of *content*; it *says* the hash of something else where that is given."""
    template_ = kind == names.RECORD_TEMPLATE
    hash_ = says or (identity.template_hash(NAME, content) if template_ else identity.policy_hash(NAME, content))
    name = identity.deployment_name(NAME, hash_) if template_ else identity.policy_name(NAME, hash_)
    metadata = {
        "name": name,
        "uid": f"uid-of-{name}",
        "resourceVersion": "4",
        "creationTimestamp": TIME,
        "labels": {names.RECORD: kind, names.ROLLOUT: NAME},
        "ownerReferences": [{"uid": UID, "controller": True}],
        **changes,
    }
    return {"metadata": metadata, "revision": 1, "data": {"hash": hash_, kind: content}}


def rollout() -> Json:
    """Return a Rollout at rest on its first revision."""
    side = {"revision": 1, "hash": STABLE, "replicas": 3, "ready": 3, "since": TIME}
    metadata = {
        "name": NAME, "namespace": "prod", "uid": UID, "resourceVersion": "7", "generation": 1,
        "creationTimestamp": TIME,
    }  # fmt: skip
    wanted = {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template(), **POLICY}
    policy = identity.policy_hash(NAME, POLICY)
    return {"metadata": metadata, "spec": wanted, "status": {"stable": side, "policy": policy, "observedGeneration": 1}}


class Namespace:
    """A Reader of what a namespace holds."""

    def __init__(self, *things: Json, records: tuple[Json, ...] = (), pods: tuple[Json, ...] = ()) -> None:
        self.rollout = rollout()
        self.things = {Kind.DEPLOYMENT: things, Kind.CONTROLLER_REVISION: records, Kind.POD: pods}

    async def get(self, kind: Kind, _namespace: str, name: str) -> Json | None:
        """Return the one of that name."""
        found = [self.rollout] if kind is Kind.ROLLOUT else self.things.get(kind, ())
        return next((copy.deepcopy(one) for one in found if one["metadata"]["name"] == name), None)

    async def select(self, kind: Kind, _namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return those that carry *labels*."""
        found = self.things.get(kind, ())
        return [copy.deepcopy(one) for one in found if labels.items() <= one["metadata"].get("labels", {}).items()]

    async def try_create(self, _kind: Kind, _namespace: str, body: Json) -> Json:
        """Return it as it is."""
        return body


class Nothing:
    """Measures nothing."""

    def read(self, *_: Any) -> Mapping[str, Any]:
        """Return no reading."""
        return {}

    def forget(self, *_: Any) -> None:
        """Forget nothing."""

    def quiet(self, *_: Any) -> None:
        """Be quiet about nothing."""


async def observed(namespace: Namespace) -> Observation:
    """Return what is known of the Rollout."""
    seen = await Observer(namespace, Nothing(), lambda: 1_800_000_000.0, settle_seconds=20).observe(Key("prod", NAME))
    assert seen is not None
    return seen


async def test_h32_a_record_tells_that_its_version_was_taken_back() -> None:
    """H32: the marks on a ControllerRevision are read, whatever else it is annotated with, or however wrongly."""
    given = {names.REJECTED: f"{STABLE}/5", names.REJECTED_FOR: 7, "team": "shop"}
    things = (record(template(), annotations=given), record(OTHER), record(EVIL, annotations="none"))
    found = (await observed(Namespace(deployment(), records=things))).templates

    told = {hash_: (known.rejected, known.rejected_for, known.annotated) for hash_, known in found.items()}
    nothing = ("", "", False)
    others = {identity.template_hash(NAME, content): nothing for content in (OTHER, EVIL)}
    assert told == {STABLE: (f"{STABLE}/5", "7", True), **others}


@pytest.mark.parametrize("annotated", [True, False])
async def test_h32_a_mark_is_put_on_the_record_that_was_seen(*, annotated: bool) -> None:
    """H32: it is added beside other annotations, and to no record that was changed or made anew since."""
    notes: dict[str, Any] = {"annotations": {"team": "shop"}} if annotated else {}
    seen = await observed(Namespace(deployment(), records=(record(template(), **notes),)))
    patches: list[list[Json]] = []

    class Server:
        async def patch(self, kind: Kind, _namespace: str, name: str, patch: list[Json], _manager: str) -> None:
            assert (kind, name) == (Kind.CONTROLLER_REVISION, f"{NAME}-{STABLE}")
            patches.append(patch)

    await writes.write(Server(), seen, MarkRecord(STABLE, ((names.REJECTED, "x/1"),)))  # type: ignore[arg-type]  # it only patches

    assert {"op": "test", "path": "/metadata/resourceVersion", "value": "4"} in patches[0]
    put = {"op": "add", "path": "/metadata/annotations", "value": {names.REJECTED: "x/1"}}
    beside = {"op": "add", "path": "/metadata/annotations/headgate.dev~1rejected", "value": "x/1"}
    assert (beside if annotated else put) == patches[0][-1]


@pytest.mark.parametrize("value", ["9" * 30, str(2**63 - 1), "-5", "9" * 5000, None, {}])
def test_h34_a_number_of_no_revision_is_none(value: Any) -> None:
    """H34: what an annotation says counts only as far as revisions can be counted."""
    assert parse_workloads.revision(value) == 0


class Others:
    """Knows who overlaps with whom."""

    def __init__(self, found: Overlaps | None) -> None:
        self.found = found

    def of(self, _key: Key) -> Overlaps | None:
        """Return the same for all."""
        return self.found


@pytest.mark.parametrize("found", [None, Overlaps(), Overlaps((Overlap("api", selects=True, selected=False),))])
async def test_what_rollouts_have_in_common_is_known_without_a_read(found: Overlaps | None) -> None:
    """What is known of other Rollouts is passed on, also where a first look judges by lists."""
    seeing = Observer(Namespace(), Nothing(), lambda: 1_800_000_000.0, settle_seconds=20, neighbours=Others(found))
    for one in (seeing, seeing.over(Namespace())):
        seen = await one.observe(Key("prod", NAME))
        assert seen is not None
        assert seen.overlaps == found
    assert (await observed(Namespace())).overlaps == Overlaps()


THEIRS = [{"uid": "another", "controller": True}]
KEPT = (record(template()), record(POLICY, names.RECORD_POLICY))


@pytest.mark.parametrize(
    ("stranger", "said"),
    [
        (deployment(name=f"{NAME}-{STABLE}-debug"), "bears this Rollout's label"),
        (deployment(name="unrelated", ownerReferences=THEIRS), "bears this Rollout's label"),
        (deployment("bbbbbbbbbb", ownerReferences=THEIRS), "is controlled by another owner (uid another)"),
        ({**deployment("bbbbbbbbbb"), "spec": {"selector": {"matchLabels": {}}, "replicas": 7}}, "selects other pods"),
    ],
)
async def test_h34_strangers_with_our_labels(stranger: Json, said: str) -> None:
    """H34: a Deployment under another name is not counted, scaled or waited for, and the status names it."""
    seen = await observed(Namespace(deployment(), stranger, records=KEPT))
    decision = decide(seen)

    assert [facts.name for facts in seen.deployments.values()] == [f"{NAME}-{STABLE}"]
    assert seen.foreign == ()
    assert [type(action).__name__ for action in decision.actions if "Mark" not in type(action).__name__] == []
    assert decision.status.phase == "Healthy"
    assert [one.message for one in decision.status.conditions if one.type == "Disputed"] == list(seen.strangers)
    assert stranger["metadata"]["name"] in seen.strangers[0]
    assert said in seen.strangers[0]
    assert [one.reason for one in decision.notices] == ["Disputed"]


async def test_h34_what_stands_in_the_way_is_waited_for() -> None:
    """H34: one that has the name which is needed now is named as such; the labels alone hold nothing."""
    namespace = Namespace(deployment(ownerReferences=THEIRS), records=KEPT)
    seen = await observed(namespace)

    assert seen.strangers == ()
    assert len(seen.foreign) == 1
    assert "is controlled by another owner" in seen.foreign[0]


async def test_h34_a_lost_label_is_put_back() -> None:
    """H34: where the label with the hash is gone, the name tells which revision it is."""
    labels = {names.MANAGED: "true", names.ROLLOUT: NAME}
    seen = await observed(Namespace(deployment(labels=labels), records=KEPT))

    assert (seen.foreign, seen.strangers) == ((), ())
    assert not seen.deployments[STABLE].labelled
    assert "RestoreLabels" in [type(action).__name__ for action in decide(seen).actions]


async def test_h34_another_ones_template_under_our_name_is_put_right() -> None:
    """H34: an orphan that runs another template than its name says is mended before it is taken over."""
    changed = deployment(ownerReferences=[])
    changed["spec"]["template"] = EVIL
    decision = decide(await observed(Namespace(changed, records=KEPT)))

    assert [type(one).__name__ for one in decision.actions if "Mark" not in type(one).__name__] == ["RepairTemplate"]


async def test_h34_an_orphan_that_is_ours_is_taken_over() -> None:
    """H34: one whose template is what its name says is, though nobody owns it."""
    decision = decide(await observed(Namespace(deployment(ownerReferences=[]), records=KEPT)))

    assert "AdoptDeployment" in [type(one).__name__ for one in decision.actions]


FORGED = (
    record(EVIL, says=STABLE),
    record(EVIL, name="shop-bbbbbbbbbb"),
    record({"analysis": {}}, names.RECORD_POLICY, says=identity.policy_hash(NAME, POLICY)),
    {**record(template()), "data": {"hash": STABLE}},
    {**record(template()), "data": {"hash": STABLE, "template": ["no", "mapping"]}},
    {**record(template()), "data": "text"},
    record(template(), "another"),
)


@pytest.mark.parametrize("forged", FORGED)
def test_h34_forged_records(forged: Json) -> None:
    """H34: a record counts only under the name and with the hash that its content has; others are named."""
    found = ownership.records((forged, *KEPT), NAME)

    assert {hash_: one.template for hash_, one in found.templates.items()} == {STABLE: template()}
    assert [one.policy for one in found.policies.values()] == [spec.Policy.model_validate(POLICY)]
    assert len(found.strangers) == 1
    assert forged["metadata"]["name"] in found.strangers[0]


def test_records_remember_what_a_deletion_tests() -> None:
    """Which object it was, and in which version, so that no other one is deleted for it."""
    found = ownership.records(KEPT, NAME)

    assert [one.resource_version for one in found.templates.values()] == ["4"]
    assert [one.resource_version for one in found.policies.values()] == ["4"]
    assert found.templates[STABLE].uid == f"uid-of-{NAME}-{STABLE}"


async def test_h34_pods_of_strangers_say_nothing() -> None:
    """H34: a pod that only bears a revision's label does not say why that revision's pods are not ready."""
    broken = {"containerStatuses": [{"name": "c", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]}
    labels = {names.POD_HASH: STABLE, "pod-template-hash": "5d8f"}
    mine = [{"kind": "ReplicaSet", "name": f"{NAME}-{STABLE}-5d8f", "controller": True}]
    thing = deployment()
    thing["status"]["availableReplicas"] = 2
    for owners, said in ((mine, True), ([], False), ([{**mine[0], "kind": "Job"}], False)):
        pod: Json = {"metadata": {"name": "p", "labels": labels, "ownerReferences": owners}, "status": broken}
        seen = await observed(Namespace(thing, records=KEPT, pods=(pod,)))
        assert seen.trouble is not None
        assert said == seen.trouble.hopeless


SERVICE: Json = {
    "metadata": {
        "name": "web",
        "namespace": "prod",
        "uid": "uid-of-web",
        "resourceVersion": "1",
        "labels": {names.MANAGED: "true", names.ROLLOUT: NAME},
    },
    "spec": {"selector": {"app": "web", names.POD_HASH: STABLE}},
}
SHAPELESS: tuple[Json, ...] = (
    {},
    {"metadata": "text"},
    {"metadata": {"name": "x"}, "spec": None},
    {"metadata": {"name": "x", "labels": {}}, "spec": {}},
)


class Gone(Namespace):
    """A namespace whose Rollout is no more, and in which one list has something in it that is of no kind."""

    def __init__(self, spoilt: Kind | None = None, thing: Json | None = None) -> None:
        super().__init__(deployment(ownerReferences=[]))
        self.things[Kind.SERVICE] = (SERVICE,)
        self.rollout = {"metadata": {"name": "another"}}
        self.spoilt = {spoilt: [thing or {}]} if spoilt else {}

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return those that carry *labels*, and what is there in their place."""
        return [*await super().select(kind, namespace, labels), *self.spoilt.get(kind, [])]


def _over(namespace: Namespace) -> Observer:
    return Observer(namespace, Nothing(), lambda: 1_800_000_000.0, settle_seconds=20)


@pytest.mark.parametrize("kind", [Kind.SERVICE, Kind.DEPLOYMENT])
@pytest.mark.parametrize("thing", SHAPELESS)
async def test_h30_what_a_rollout_left_is_not_told_from_shapeless_answers(kind: Kind, thing: Json) -> None:
    """H30: nothing is given back on an answer that is none, and it is asked again."""
    found = await _over(Gone()).remains(Key("prod", NAME))
    assert (["web"], [STABLE]) == ([one.name for one in found.services], [one.hash for one in found.deployments])
    with pytest.raises(faults.Unreachable, match="does not look like an object of its kind"):
        await _over(Gone(kind, thing)).remains(Key("prod", NAME))
