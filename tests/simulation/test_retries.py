"""The simulated operator tries again as the real one does: soon where it goes back, and at once for a command."""

import itertools

import pytest

from headgate.api import names
from headgate.core.model import Kind
from headgate.simulation.process import fault_injection
from headgate.simulation.process.trace import Pass
from headgate.simulation.world import KEY, Pace
from tests.simulation import shops, worlds


def urgent_passes(play: worlds.Play, since: int) -> list[Pass]:
    """Return the passes that went back since so many were made."""
    return [done for done in play.world.journal.passes[since:] if done.decision.urgent]


@pytest.mark.parametrize("trouble", [fault_injection.Trouble.REFUSED, fault_injection.Trouble.UNREACHABLE])
def test_failed_step_back_is_tried_again_after_a_second_and_twice_as_long_each_time(
    trouble: fault_injection.Trouble,
) -> None:
    """Where no write lands for half a minute it is tried after 1 s, 2 s, 4 s and so on, and lands soon afterwards."""
    play = shops.shop(5)
    shops.at(play, 20)
    world, before, began = play.world, len(play.world.journal.passes), play.world.now
    ends = began + 30
    world.plan = fault_injection.between(began, ends, trouble, writes_only=True)
    world.annotate(names.ABORT, names.ABORT_NOW)
    assert world.run_until(lambda: shops.share(play) == 0, 120), world.account()

    tries = [done.started for done in urgent_passes(play, before)]
    assert len([at for at in tries if at < ends]) >= 4
    waits = [after - at for at, after in itertools.pairwise(tries) if at < ends]
    assert all(wait <= 2.0**number + 0.5 for number, wait in enumerate(waits)), waits
    assert world.now <= ends + 33
    assert play.settle() == "RolledBack"


def test_h35_command_ends_a_pass_that_hangs() -> None:
    """H35: a read that hangs for ten seconds holds up an abort by half a second, and what it had begun is repeated."""
    play = worlds.play(35)
    play.ship("web:2")
    play.reach(20)
    world, hung = play.world, list[float]()

    def once(call: fault_injection.Call) -> fault_injection.Trouble | None:
        if call.writes or hung:
            return None
        hung.append(call.at)
        return fault_injection.Trouble.HANGS

    world.plan = once
    before = len(world.journal.passes)
    world.operator.wake(KEY)
    world.agenda.after(0.2, lambda: world.annotate(names.ABORT, names.ABORT_NOW))
    assert world.run_until(lambda: bool(urgent_passes(play, before)), 30)

    assert 0.2 < urgent_passes(play, before)[0].started - hung[0] < 1.0
    assert play.settle() == "RolledBack"


def test_pass_that_goes_back_is_not_ended_by_a_command() -> None:
    """Commands without end, while each call takes a while, end no pass over a Rollout that goes back."""
    play = worlds.play(36, pace=Pace(call=1.0))
    play.ship("web:2")
    play.reach(20)
    world, before = play.world, len(play.world.journal.passes)
    world.annotate(names.ABORT, names.ABORT_NOW)
    patched: list[float] = []

    def nag(call: fault_injection.Call) -> None:
        if call.kind is Kind.DEPLOYMENT and call.writes:
            patched.append(call.at)
        world.annotate(names.RETRY, f"none-{call.ordinal}")

    world.plan = nag
    world.run(90)
    world.plan = lambda _: None

    done = urgent_passes(play, before)
    assert done
    assert all(one.result is not None for one in done)
    assert patched
    assert play.settle() == "RolledBack"
