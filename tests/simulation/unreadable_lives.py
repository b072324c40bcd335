"""Lives in which reads of one kind fail, for a while or for ever, and specs come that the operator does not take."""

from hypothesis import strategies as st
from hypothesis.stateful import rule

from headgate.core.model import Kind
from headgate.simulation.process import fault_injection
from headgate.simulation.process.fault_injection import Trouble
from tests.simulation import lives, routed_lives

READS = {
    "lists": ("select",),
    "gets": ("get",),
    "both": ("get", "select"),
    "dry runs": ("try_create",),
}
KINDS = (
    Kind.CONTROLLER_REVISION,
    Kind.DEPLOYMENT,
    Kind.SERVICE,
    Kind.ENDPOINT_SLICE,
    Kind.HTTP_ROUTE,
    Kind.POD,
    Kind.AUTOSCALER,
    Kind.ROLLOUT,
)
TROUBLES = (Trouble.UNREACHABLE, Trouble.REFUSED, Trouble.HANGS, Trouble.GARBAGE)
LASTS = (2.0, 30.0, 400.0, float("inf"))
STRANGER = {"metrics": [{"name": "e", "prometheus": {"query": "up", "address": "http://x:9"}, "threshold": {"max": 1}}]}


class _Unreadable(lives.AnythingHappens):
    @rule(
        kind=st.sampled_from(KINDS),
        reads=st.sampled_from(sorted(READS)),
        trouble=st.sampled_from(TROUBLES),
        lasts=st.sampled_from(LASTS),
    )
    def reads_fail(self, kind: Kind, reads: str, trouble: Trouble, lasts: float) -> None:
        """Let reads of one kind fail from now on."""
        of = Kind.DEPLOYMENT if reads == "dry runs" else kind
        self.world.plan = fault_injection.reads_of(of, READS[reads], trouble, self.world.now + lasts)

    @rule(
        kind=st.sampled_from((Kind.CONTROLLER_REVISION, Kind.DEPLOYMENT)),
        trouble=st.sampled_from(TROUBLES),
        seconds=st.sampled_from((1.0, 20.0)),
    )
    def records_fail_and_the_operator_starts_anew(self, kind: Kind, trouble: Trouble, seconds: float) -> None:
        """Let it know nothing of what it has read before."""
        self.world.plan = fault_injection.reads_of(kind, ("select",), trouble, self.world.now + 120)
        self.world.restart()
        self.world.run(seconds)

    @rule()
    def all_is_read_again(self) -> None:
        """Let reads succeed."""
        self.world.plan = _nothing

    @rule(invalid=st.booleans())
    def spec_is_not_taken(self, *, invalid: bool) -> None:
        """Apply a spec that the CRD lets pass and the operator does not take, or mend it."""
        self.fields.pop("analysis", None)
        self.fields |= {"analysis": STRANGER} if invalid else {}
        self.apply()

    def mended(self) -> None:
        """Let all be well again."""
        super().mended()
        self.fields.pop("analysis", None)
        self.apply()


_nothing: fault_injection.Plan = lambda _: None  # noqa: E731 - a plan, as others are


class AnythingHappensUnread(_Unreadable):
    """By pods."""


class AnythingHappensUnreadBehindARouter(_Unreadable, routed_lives.AnythingHappensBehindARouter):
    """By routes."""
