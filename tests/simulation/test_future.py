"""H31: a value of a future version stands in any field of a status or policy, at any moment of a rollout.

Every case is one field, one difference, one moment: the operator starts with it there, runs on, and is then replaced by
a version that understands it. All judges watch, and they know what the future version meant. One case in a status
and one in a policy are played of each moment, and a hundred with the profile `deep`; the product is some 35,000.
"""

import dataclasses
import functools
import os
import random
from typing import Any

import pytest

from headgate.api import names
from headgate.api.spec import POLICY_FIELDS, Policy
from headgate.api.status import RolloutStatus
from headgate.core.model import Json, Kind
from headgate.core.revisions import identity
from headgate.simulation.world import KEY
from tests.simulation import futures, moments, samples, shops, worlds
from tests.simulation.branches import branched
from tests.simulation.futures import MISSING, Future, Way

PER_MOMENT = int(os.environ.get("FUTURES", "100" if samples.WHOLE else "1"))
SEED = int(os.environ.get("FUTURES_SEED", "31"))
PATIENCE_SECONDS = 150.0
ABORTED_SECONDS = 120.0
"""How long the earlier version runs: longer than each pause that ends by itself."""
MATTERS = (Kind.ROLLOUT, Kind.POD, Kind.HTTP_ROUTE, Kind.SERVICE)
WHO_SERVES = {"stable", "canary"}
CONTINUES = ("stable", "canary", "previous", "traffic", "template")


@dataclasses.dataclass
class Told:
    """What users met over a time."""

    stable: set[str]
    most: int
    """The largest share of the users that any other revision had, in percent."""
    least: int
    """The fewest pods that served."""


def share(play: worlds.Play, stable: str) -> int:
    """Return what is led to other revisions than *stable*, in percent: by routes as written, or by pods that serve."""
    if "traffic" in play.usual and "gatewayAPI" in play.usual["traffic"]:
        return shops.share(play)
    if "traffic" in play.usual:
        service = play.world.store.get(Kind.SERVICE, KEY.namespace, "web")
        selected = service["spec"]["selector"].get(names.POD_HASH, stable) if service else stable
        return 0 if selected == stable else 100
    counts = {hash_: serving for hash_, (_, serving, _) in living(play).items()}
    return 100 * (sum(counts.values()) - counts.get(stable, 0)) // max(1, sum(counts.values()))


def living(play: worlds.Play) -> dict[str, tuple[int, int, int]]:
    """Return how many pods there are of each revision."""
    return play.judges.scene.living()


def watched(play: worlds.Play, seconds: float) -> Told:
    """Let *seconds* pass and return what users met."""
    world = play.world
    begun = play.world.status.stable
    told, changed = Told(set(), 0, 10**6), [True]
    world.store.listeners.append(lambda change: changed.append(change.kind in MATTERS))

    def look() -> bool:
        if not any(changed):
            return False
        changed.clear()
        stable = world.status.stable
        told.stable |= {stable.hash} if stable else set()
        told.most = max(told.most, share(play, begun.hash)) if begun else 0
        told.least = min(told.least, sum(serving for _, serving, _ in living(play).values()))
        return False

    world.run_until(look, seconds)
    return told


Usual = tuple[Told, str, str]
"""What users met, and how it ended: the phase, and the stable revision."""


def undisturbed(play: worlds.Play) -> Usual:
    """Return what is usual where nothing strange is written.

    The operator starts anew in that moment, too.
    """
    play.world.restart()
    told = watched(play, PATIENCE_SECONDS)
    moments.ended(play)
    return told, str(play.world.phase), play.stable


def stored(play: worlds.Play) -> Json:
    """Return the status as it is stored."""
    found: Json = (play.world.rollout or {})["status"]
    return found


def write(play: worlds.Play, status: Json) -> None:
    """Write a status as an operator does."""
    play.world.store.apply_status(Kind.ROLLOUT, KEY.namespace, KEY.name, status, names.STATUS_MANAGER)


@dataclasses.dataclass
class InStatus:
    """A status that a future version has written."""

    future: Future
    before: Json = dataclasses.field(default_factory=dict)

    def put(self, play: worlds.Play) -> None:
        """Write it."""
        self.before = stored(play)
        play.world.meant = self.meant
        write(play, self.future.put(self.before))

    def meant(self, status: Any) -> Any:
        """Return what it means."""
        return self.future.undone(status, self.before)

    def understood(self, play: worlds.Play) -> None:
        """Let it be as a version would have it that understands it."""
        meant = self.meant(stored(play))
        play.world.meant = lambda status: status
        write(play, meant)


@dataclasses.dataclass
class InPolicy:
    """A policy that a future version has accepted: it stands in its record, and maybe in the spec."""

    future: Future
    in_spec: bool
    record: Json = dataclasses.field(default_factory=dict)
    spec: Json = dataclasses.field(default_factory=dict)
    hash: str = ""

    def put(self, play: worlds.Play) -> None:
        """Write it."""
        self.record, self.spec, status = accepted(play), (play.world.rollout or {})["spec"], stored(play)
        policy = self.future.put(self.record["data"]["policy"])
        self.hash = identity.policy_hash(KEY.name, policy)
        name = identity.policy_name(KEY.name, self.hash)
        play.world.meant = self.meant
        replace(play, self.record, {"data": {"hash": self.hash, "policy": policy}}, name)
        write(play, {**status, "policy": self.hash})
        if self.in_spec:
            play.world.apply({**{k: v for k, v in self.spec.items() if k not in POLICY_FIELDS}, **policy})

    def meant(self, status: Any) -> Any:
        """Return what a status means that names it."""
        named = isinstance(status, dict) and status.get("policy") == self.hash
        return {**status, "policy": self.record["data"]["hash"]} if named else status

    def understood(self, play: worlds.Play) -> None:
        """Let it be as a version would have it that understands it."""
        meant = self.meant(stored(play))
        record = play.world.store.get(Kind.CONTROLLER_REVISION, KEY.namespace, self._name)
        assert record is not None, play.world.account()
        name = self.record["metadata"]["name"]
        if play.world.store.free(Kind.CONTROLLER_REVISION, KEY.namespace, name):  # else it was accepted meanwhile
            replace(play, record, {"data": self.record["data"]}, name)
        play.world.meant = lambda status: status
        write(play, meant)
        if self.in_spec:
            play.world.apply(self.spec)

    @property
    def _name(self) -> str:
        return identity.policy_name(KEY.name, self.hash)


def accepted(play: worlds.Play) -> Json:
    """Return the record of the policy in force."""
    records = play.world.store.select(Kind.CONTROLLER_REVISION)
    return next(one for one in records if one["data"].get("hash") == stored(play)["policy"])


def replace(play: worlds.Play, record: Json, content: Json, name: str) -> None:
    """Put *content* under *name* in place of *record*."""
    play.world.drop(Kind.CONTROLLER_REVISION, record["metadata"]["name"], names.OBJECT_MANAGER)
    metadata = {field: record["metadata"][field] for field in ("labels", "ownerReferences")}
    body = {**record, **content, "metadata": {**metadata, "name": name}}
    play.world.server.create(Kind.CONTROLLER_REVISION, KEY.namespace, body, names.OBJECT_MANAGER)


Case = InStatus | InPolicy


def rolled_back(play: worlds.Play, case: Case) -> None:
    """Let an operator start where a future version has written."""
    play.world.operator.die()
    play.world.restarts = False
    case.put(play)
    play.world.restart()


def rolled_forward(play: worlds.Play, case: Case) -> None:
    """Let an operator go on that understands it."""
    play.world.operator.die()
    play.world.restarts = False
    case.understood(play)
    play.world.restart()


def kept(future: Future, before: Json, after: Json) -> None:
    """Hold that what is not understood is still there, beside whatever was decided meanwhile."""
    head = str(future.path[0]) if future.path else ""
    if future.way is Way.FIELD and (not future.path or head in CONTINUES):
        same = ("hash", "started", "promoted")
        old, new = (futures.found(whole, future.path[:1]) for whole in (before, after))
        goes_on = isinstance(new, dict) and all(old.get(field) == new.get(field) for field in same)
        inner = futures.found(after, future.path)
        assert not goes_on or head == "template" or inner is MISSING or future.stands(after), after
    if future.way is Way.ENTRY and head in ("history", "rejected", "conditions", "analysis"):
        assert future.stands(after), after


def must_hold(future: Future) -> bool:
    """Return whether it is not known who serves; what has another name as a whole is not there for this version."""
    if not future.path or future.path[0] not in WHO_SERVES or future.way in (Way.FIELD, Way.ENTRY):
        return False
    whole = len(future.path) == 1 and future.way is not Way.RENAMED
    return whole or future.path[1:] in (("hash",), ("revision",))


def led_home(play: worlds.Play, writes: int) -> bool:
    """Return whether nothing was written since then but what leads users to stable, where people want that."""
    kinds = {write.kind for write in play.world.journal.writes[writes:]}
    wanted = names.ABORT in ((play.world.rollout or {})["metadata"].get("annotations") or {})
    return kinds <= ({Kind.SERVICE, Kind.HTTP_ROUTE} if wanted else set())


def in_status(play: worlds.Play) -> list[Case]:
    """Return all that a future version may write into the status."""
    return [InStatus(future) for future in futures.everywhere(RolloutStatus, stored(play))]


def in_policy(play: worlds.Play) -> list[Case]:
    """Return all that a future version may have accepted; where another spec waits, that is one of today."""
    record = accepted(play)
    spec = (play.world.rollout or {})["spec"]
    same = all(spec.get(field) == record["data"]["policy"].get(field) for field in POLICY_FIELDS)
    # That two versions may not be there together has to be told by one of the two.
    alone = "recreate" in record["data"]["policy"]["strategy"]
    cases: list[Case] = []
    for future in futures.everywhere(Policy, record["data"]["policy"]):
        told = not (alone and future.path[:1] == ("strategy",) and len(future.path) < len(("strategy", "recreate", "")))
        cases += [InPolicy(future, in_spec) for in_spec in (False, True) if not in_spec or (same and told)]
    return cases


def sampled(play: worlds.Play, *of: str) -> list[Case]:
    """Return the cases that are played of a moment: others in each, and the same in each run."""
    chosen: list[Case] = []
    for every in (in_status(play), in_policy(play)):
        chosen += random.Random(f"{SEED} {of}").sample(every, min(PER_MOMENT, len(every)))
    return chosen


def stays(play: worlds.Play, usual: Usual, case: Case) -> None:
    """Hold that nothing is promoted, shrunk or forgotten, and that all ends as ever once it is understood."""
    world = play.world
    told, phase, stable = usual
    writes, notices = len(world.journal.writes), len(world.journal.notices)
    rolled_back(play, case)
    met = watched(play, PATIENCE_SECONDS)
    held = "StatusUnreadable" in [notice.reason for _, notice in world.journal.notices[notices:]]

    assert met.stable <= told.stable, world.account()
    assert met.most <= told.most, world.account()
    assert met.least >= told.least, world.account()
    assert not held or led_home(play, writes), world.account()
    if isinstance(case, InStatus):
        assert held or not must_hold(case.future), world.account()
        kept(case.future, case.before, stored(play))
    rolled_forward(play, case)
    moments.ended(play)
    assert (phase, stable) == (str(world.phase), play.stable), world.account()


def known_way(play: worlds.Play, case: Case) -> bool:
    """Return whether it is known by what users are led away from a canary, and where to."""
    seen = play.world.journal.passes[-1].observation
    if seen.status.stable is None:
        return False
    if isinstance(case, InPolicy):
        return not case.in_spec or case.future.path[:1] not in (("traffic",), ("strategy",))
    return "traffic" in play.usual or not play.judges.scene.blind


def is_rollback(play: worlds.Play, case: Case) -> None:
    """Hold that an abort leads users home by whatever moves them without pods, and that it ends with that."""
    world = play.world
    stable, canary = play.stable, world.status.canary
    assert canary is not None
    rolled_back(play, case)
    world.run(5)
    shops.abort(play)
    world.run(ABORTED_SECONDS)
    assert share(play, stable) == 0 or not known_way(play, case), world.account()
    rolled_forward(play, case)
    moments.ended(play)
    assert ("RolledBack", stable) == (str(world.phase), play.stable), world.account()


@pytest.mark.parametrize(("way", "moment"), moments.EVERY)
def test_h31_a_future_value(way: str, moment: str) -> None:
    """H31: nothing is promoted, shrunk or forgotten for it, and all ends as it would have once it is understood."""
    play = moments.reached(way, moment)
    usual = branched(functools.partial(undisturbed, play))
    for case in sampled(play, way, moment):
        print(f"{way}, {moment}: {case.future}")  # noqa: T201 - pytest shows it where a test fails
        branched(functools.partial(stays, play, usual, case))


@pytest.mark.parametrize(("way", "moment"), moments.IN_FLIGHT)
def test_h31_an_abort_beside_a_future_value(way: str, moment: str) -> None:
    """H31: an abort leads users home all the same, where it is known where that is."""
    play = moments.reached(way, moment)
    for case in sampled(play, way, moment, "abort"):
        print(f"{way}, {moment}: {case.future}")  # noqa: T201 - pytest shows it where a test fails
        branched(functools.partial(is_rollback, play, case))
