"""Lives in which anything may happen to Rollouts that have an earlier revision to go back to."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from headgate.api import names
from tests.simulation import lives, routed_lives, worlds


class AnythingHappensAfterTwo(lives.AnythingHappens):
    """By pod ratio."""

    def images(self) -> None:
        """Let images be as their names say, and the second one be stable."""
        super().images()
        world = self.world
        self.image = "web:2"
        self.apply()
        assert world.run_until(lambda: world.status.canary is not None, 120), world.account()
        world.annotate(names.PROMOTE_FULL, world.status.canary.hash)
        assert world.run_until(lambda: world.status.canary is None, worlds.LONG_SECONDS), world.account()
        assert world.run_until(world.settled, worlds.LONG_SECONDS), world.account()

    @rule(command=st.booleans(), seconds=st.sampled_from((0.0, 3.0, 30.0)))
    def go_back(self, seconds: float, *, command: bool) -> None:
        """Go back to the first one."""
        if command:
            self.world.annotate(names.ROLLBACK_TO, "1")
        else:
            self.image = "web:1"
            self.apply()
        self.world.run(seconds)


class AnythingHappensAfterTwoBehindARouter(AnythingHappensAfterTwo, routed_lives.AnythingHappensBehindARouter):
    """Behind a Gateway."""
