"""The API server answers with errors, drops watches, is away for a while, and does not answer at all."""

import concurrent.futures
import dataclasses
import functools
import time

import pytest

from tests.control_plane.hazards import plays
from tests.control_plane.hazards.plays import Company, Outcome, Plot
from tests.control_plane.hazards.stages import Actor, House, Stage, staged
from tests.control_plane.proxy import Call, Hang, Storm

pytestmark = [pytest.mark.control_plane, pytest.mark.slow]

SHARE = 0.1
OUTAGE_SECONDS = 30.0 if plays.THOROUGH else 8.0
HANGING_SECONDS = 6.0
REQUEST_TIMEOUT_SECONDS = "2"
GROWTH_MEBIBYTES = 30.0
STORMY = tuple(plot for plot in plays.PLOTS if plot.routed)


@dataclasses.dataclass
class Weather:
    """A storm all the time, an outage at the first step, and a server that never answers at the second."""

    stage: Stage
    actor: Actor
    storm: Storm
    gone_at: float = 0.0
    back_at: float = 0.0
    silent_at: float = 0.0
    noticed: bool = False
    """Whether the operator said that it was not ready while the server was away."""
    hung: int = 0
    """How many calls were never answered."""

    def silence(self, _: Call) -> Hang:
        """Answer nobody."""
        self.hung += 1
        return Hang()

    def __call__(self) -> None:
        """Let the weather change."""
        now, step = time.monotonic(), self.stage.status.get("step", {}).get("index", 0)
        proxy = self.actor.proxy
        if not self.gone_at and step == 1:
            self.gone_at = now
            proxy.go_away()
        elif self.gone_at and not self.back_at and now < self.gone_at + OUTAGE_SECONDS:
            self.noticed = self.noticed or not self.actor.operator.ready()
        elif self.gone_at and not self.back_at and now >= self.gone_at + OUTAGE_SECONDS:
            self.back_at = now
            proxy.come_back()
        elif self.back_at and not self.silent_at and step > 1:
            self.silent_at = now
            proxy.faults = self.silence
        elif self.silent_at and now >= self.silent_at + HANGING_SECONDS:
            proxy.faults = self.storm


@dataclasses.dataclass(frozen=True, slots=True)
class Weathered:
    """What became of an operator and its rollout in bad weather."""

    outcome: Outcome
    weather: Weather
    restarted: bool
    grown_mebibytes: float


def weathered(house: House, plot: Plot, seed: int) -> Weathered:
    """Play *plot* in bad weather."""
    with staged(house, HEADGATE_REQUEST_TIMEOUT_SECONDS=REQUEST_TIMEOUT_SECONDS) as stage:
        stage.open(routed=plot.routed)
        actor, started = stage.actors[0], time.monotonic()
        pid, before = actor.pid, actor.resident_mebibytes
        actor.proxy.faults = storm = Storm(seed, SHARE)
        weather = Weather(stage, actor, storm)
        plays.played(stage, plot, weather)
        outcome = plays.finished(stage, started)
        same = actor.alive and actor.pid == pid
        return Weathered(outcome, weather, not same, actor.resident_mebibytes - before)


@functools.cache
def begun(company: Company) -> dict[Plot, concurrent.futures.Future[Weathered]]:
    """Start to play."""
    return {
        plot: company.start(functools.partial(weathered, company.house, plot, plays.SEED + number))
        for number, plot in enumerate(STORMY)
    }


def test_h24_storms_outage_and_silence(company: Company) -> None:
    """H24: through 409, 429, 500, 410, cut watches, an outage and silence it ends as if nothing were, unrestarted."""
    for plot, playing in begun(company).items():
        undisturbed, found = company.undisturbed(plot).result(), playing.result()
        weather = found.weather
        faults = f"{dict(weather.storm.made)} of {weather.storm.calls} calls, {weather.hung} hung"
        told = f"{plot.name}: {found.outcome.seconds:.0f} s, {faults}, {found.grown_mebibytes:+.1f} MiB"
        plays.tell(told)

        assert [] == list(plays.wrongs(plot, undisturbed, found.outcome))
        assert not found.restarted
        assert found.grown_mebibytes < GROWTH_MEBIBYTES
        # That there was a storm is counted, not believed.
        assert set(weather.storm.made) == {"409", "429", "500", "Cut", "Expire"}
        assert sum(weather.storm.made[one] for one in ("409", "429", "500")) >= weather.storm.calls * SHARE - 2
        assert weather.noticed
        assert weather.hung > 0
