"""However a pass ends, its Rollout is looked at again when it should be, and no other Rollout suffers."""

import asyncio
import dataclasses
import logging
from typing import Any

import pytest

from headgate.act import Result
from headgate.adapters.cluster.errors import RetryLater
from headgate.api.spec import Policy
from headgate.api.status import Phase
from headgate.core import requeue
from headgate.core.faults import Conflict, Refused, Unreachable
from headgate.core.model import Decision, Kind, Notice, Observation, TemplateRecord, Unreadable, Unwritten
from headgate.core.model.actions import AddFinalizer, ScaleDeployment
from headgate.core.model.traffic import TrafficFacts
from headgate.core.traffic.cleanup import OrphanedServices
from headgate.observe.snapshot import NotListedError
from tests.shell import virtual
from tests.shell.observations import KEY, SECRET, decision, observation
from tests.shell.surroundings import Hanging, World


def test_good_pass_comes_back_when_decided() -> None:
    """A pass that ended well is followed by one at the time that the decision names."""

    async def main() -> None:
        world = World([observation(), observation()])
        world.decided = lambda _: decision(recheck_at=virtual.EPOCH + 42)
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(42)
        assert world.ended == [("settled", "ok")] * 2
        assert world.phases == [Phase.HEALTHY] * 2

    virtual.run(main)


def test_only_a_pass_that_went_well_wants_quiet() -> None:
    """Measurements are told which ticks nobody needs to look at, but not where the next pass has to try again."""

    async def main() -> None:
        results = [Result(), Result(refusals=("no",)), Result(conflict=True), Result(unreachable="gone"), Result()]
        quiet = iter((100, 200, 300, 400, 0))
        world = World([observation()] * 5, results)
        world.decided = lambda _: decision(quiet_until=next(quiet))
        for _ in range(5):
            await world.first_pass()
        assert world.quieted == [100]

    virtual.run(main)


def test_passes_tell_which_routes_they_looked_at() -> None:
    """Changes of these are worth a pass; where no policy could be read, nothing is known of them and all stays."""
    traffic = {"stableService": "web", "canaryService": "web-canary"}
    policy = Policy.model_validate({"strategy": {"blueGreen": {}}, "traffic": traffic})
    facts = TrafficFacts(None, None, {("HTTPRoute", "web"): None, ("GRPCRoute", "api"): Unreadable("503")})
    routed = dataclasses.replace(observation(), policy=policy, traffic=facts)
    seen = [routed, dataclasses.replace(routed, policy=None, traffic=None), dataclasses.replace(routed, traffic=None)]

    async def main() -> None:
        world = World([*seen, None])
        for _ in (*seen, None):
            await world.first_pass()
        looked_at = ((Kind.HTTP_ROUTE, "shop", "web"), (Kind.GRPC_ROUTE, "shop", "api"))
        assert world.followed == [looked_at, (), ()]

    virtual.run(main)


def test_dormant_rollout_has_no_timer() -> None:
    """Where the decision sees no need, nothing wakes the Rollout."""

    async def main() -> None:
        world = World([observation()])
        await world.first_pass()
        await virtual.elapse(10_000)
        assert len(world.queue) == 0

    virtual.run(main)


def test_memory_reaches_the_next_observation() -> None:
    """What was refused and when the status was written is told to the next pass, until it no longer holds."""

    async def main() -> None:
        results = [Result(status_written=True, refusals=("Deployment web: quota",)), Result()]
        world = World([observation()] * 3, results)
        await world.first_pass()
        await world.next_pass()
        await world.first_pass()
        written = virtual.EPOCH
        assert world.asked == [((), 0.0), (("Deployment web: quota",), written), ((), written)]

    virtual.run(main)


def test_what_was_not_written_reaches_the_next_observation() -> None:
    """A pass knows what the one before found and did not write, and nothing of what came before that."""

    async def main() -> None:
        left = Unwritten(decision().status, 7.0)
        decided = iter((dataclasses.replace(decision(), unwritten=left), decision(), decision()))
        known: list[Unwritten | None] = []

        def decide(seen: Observation) -> Decision:
            known.append(seen.unwritten)
            return next(decided)

        world = World([observation()] * 3)
        world.decided = decide
        for _ in range(3):
            await world.first_pass()
        assert [None, left, None] == known

    virtual.run(main)


def test_refusal_is_retried_within_a_minute() -> None:
    """What was refused is tried again after about a minute, however late the decision would."""

    async def main() -> None:
        world = World([observation()] * 2, [Result(refusals=("no",))])
        world.decided = lambda _: decision(recheck_at=virtual.EPOCH + 9000)
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(57)  # 54 to 60 s, by the jitter

    virtual.run(main)


def test_refusal_does_not_delay_the_decision() -> None:
    """What was refused does not make the decision's own time later."""

    async def main() -> None:
        world = World([observation()] * 2, [Result(refusals=("no",))])
        world.decided = lambda _: decision(recheck_at=virtual.EPOCH + 3)
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(3)

    virtual.run(main)


def test_refused_read_is_retried_slowly() -> None:
    """A Rollout that may not be read is tried again after about a minute."""

    async def main() -> None:
        world = World([Refused("forbidden"), observation()])
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(57)  # 54 to 60 s, by the jitter
        assert world.asked[1][0] == ("forbidden",)

    virtual.run(main)


def test_conflict_looks_again_at_once_but_does_not_spin() -> None:
    """Lost races are repeated at once five times, then after 50 ms, 100 ms and so on; a win starts anew."""

    async def main() -> None:
        world = World([observation()] * 12, [Result(conflict=True)] * 9 + [Result(), Result(conflict=True)])
        await world.first_pass()
        came = [await world.next_pass() for _ in range(9)]
        assert came == pytest.approx([0, 0, 0, 0, 0, 0.05, 0.1, 0.2, 0.4])
        await world.first_pass()
        assert await world.next_pass() == 0

    virtual.run(main)


def test_conflict_in_reading_looks_again_at_once() -> None:
    """A lost race in the dry run is a lost race."""

    async def main() -> None:
        world = World([Conflict("exists"), observation()])
        await world.first_pass()
        assert await world.next_pass() == 0
        assert [result for _, result in world.ended] == ["conflict", "ok"]

    virtual.run(main)


@pytest.mark.parametrize("acting", [False, True], ids=["reading", "writing"])
def test_unreachable_backs_off(*, acting: bool) -> None:
    """While the API server cannot be reached, passes come ever more rarely; afterwards they start anew."""

    async def main() -> None:
        if acting:
            world = World([observation()] * 9, [Result(unreachable="down")] * 4)
        else:
            world = World([*[Unreachable("down")] * 4, *[observation()] * 9])
        await world.first_pass()
        came = [await world.next_pass() for _ in range(4)]
        assert came == pytest.approx([0.75, 1.5, 3, 6])
        assert world.ended[-1][1] == "ok"

    virtual.run(main)


def test_server_says_when_to_come_back() -> None:
    """A server that is asked to be left alone for a while is."""

    async def main() -> None:
        world = World([RetryLater("busy", 15.0), observation()])
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(15)

    virtual.run(main)


@pytest.mark.parametrize(
    ("size", "kept", "heavy"),
    [(100, [], False), (900_000, [], True), (9000, [9000] * 11, False), (9000, [90_000] * 5, True)],
)
def test_large_templates_make_passes_heavy(size: int, kept: list[int], *, heavy: bool) -> None:
    """Passes over a Rollout whose template is large, or whose records are, have the turns of those that are."""

    async def main() -> None:
        seen = observation()
        records = {
            f"old-{number}": TemplateRecord(f"web-old-{number}", f"old-{number}", number, {}, 0, template_bytes=size)
            for number, size in enumerate(kept)
        }
        rollout = dataclasses.replace(seen.rollout, template_bytes=size)
        large = dataclasses.replace(seen, rollout=rollout, templates=records)
        world = World([large] * 3)
        await world.first_pass()
        assert (KEY in world.queue._heavy) == heavy
        await world.first_pass()
        assert world.ended == [("settled", "ok")] * 2

    virtual.run(main)


def test_pass_that_hangs_is_ended() -> None:
    """A pass that never ends is ended, and tried again like one that could not reach the server."""

    async def main() -> None:
        world = World([observation()])
        world.passes._observer = Hanging()
        await world.first_pass()
        assert world.ended == [("", "unreachable")]

    virtual.run(main)


def test_bug_is_logged_with_the_observation_but_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """A bug backs off its Rollout and is logged with what was observed, but with nothing from inside the template."""

    def broken(_: Observation) -> Decision:
        raise ZeroDivisionError("in the core")

    async def main() -> None:
        world = World([observation()] * 2)
        world.decided = broken
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(0.75)
        assert world.ended == [("", "bug")] * 2

    with caplog.at_level(logging.ERROR):
        virtual.run(main)
    first = caplog.records[0]
    told = first.__dict__["observation"]
    assert first.__dict__["rollout"] == "shop/web"
    assert first.exc_info is not None
    assert "shop/web:1" in told
    assert SECRET not in told


def test_foreign_cancellation_is_a_bug_of_one_rollout() -> None:
    """A pass whose inside was cancelled by somebody else does not take its worker along."""

    async def main() -> None:
        world = World([asyncio.CancelledError(), observation()])
        await world.first_pass()
        await world.next_pass()
        assert [result for _, result in world.ended] == ["bug", "ok"]

    virtual.run(main)


def test_own_cancellation_ends_the_pass() -> None:
    """A worker that is cancelled ends at once."""

    async def main() -> None:
        world = World([])
        world.passes._observer = Hanging()
        running = asyncio.create_task(world.passes.run(KEY))
        await virtual.elapse(1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    virtual.run(main)


def test_gone_rollout_is_forgotten() -> None:
    """Of a Rollout that is gone nothing is kept: no timer, no memory, no measurements, no phase."""

    async def main() -> None:
        world = World([observation(), None])
        world.decided = lambda _: decision(recheck_at=virtual.EPOCH + 1)
        await world.first_pass()
        assert world.passes.keys() == {KEY}
        await world.next_pass()
        assert world.passes.keys() == set()
        assert world.forgotten == [KEY]
        assert world.phases[-1] is None
        await virtual.elapse(1000)
        assert len(world.queue) == 0

    virtual.run(main)


def test_gone_rollout_leaves_nothing_of_ours() -> None:
    """What a Rollout that is gone left on Services is taken off, and tried again until that is done."""

    async def main() -> None:
        world = World([None, None, None])
        world.grudges = [Unreachable("away"), Conflict("late")]
        await world.first_pass()
        assert await world.next_pass() == pytest.approx(0, abs=1.5)
        assert await world.next_pass() == pytest.approx(1, abs=0.5)
        assert world.given_back == [OrphanedServices(KEY.namespace)] * 3
        assert [result for _, result in world.ended] == ["conflict", "unreachable", "gone"]
        assert world.passes.keys() == set()

    virtual.run(main)


def test_result_of_act_fits() -> None:
    """What act returns has what the policy of retries reads of it."""
    fields = {field.name for field in dataclasses.fields(Result)}

    assert fields == {name for name, part in vars(requeue.Result).items() if isinstance(part, property)}


@pytest.mark.parametrize(
    ("decided", "spared"),
    [
        ({}, True),
        ({"write_status": True}, False),
        ({"actions": (ScaleDeployment("a", 1, 0),)}, False),
        ({"notices": (Notice("Said", "something"),)}, False),
        ({"records": (AddFinalizer(),)}, False),
    ],
)
def test_first_look_spares_only_what_needs_nothing(decided: dict[str, Any], *, spared: bool) -> None:
    """A decision on what was listed spares a pass if it does and says nothing; it is never carried out."""

    async def main() -> None:
        world = World([observation()])
        world.decided = lambda _: dataclasses.replace(decision(recheck_at=virtual.EPOCH + 42), **decided)
        assert await world.passes.settled(KEY, world) is spared
        assert world.passes.keys() == ({KEY} if spared else set())
        assert world.phases == ([Phase.HEALTHY] if spared else [])
        assert world.ended == []
        if spared:
            await virtual.elapse(43)
            assert await world.queue.get() == KEY

    virtual.run(main)


@pytest.mark.parametrize("seen", [None, Unreachable("down"), NotListedError("pods"), ZeroDivisionError()])
def test_first_look_that_sees_nothing_spares_nothing(seen: BaseException | None) -> None:
    """Where the lists do not tell, or something breaks over them, the pass that follows must."""

    async def main() -> None:
        world = World([seen])
        assert not await world.passes.settled(KEY, world)
        assert world.passes.keys() == set()

    virtual.run(main)
