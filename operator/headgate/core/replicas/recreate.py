"""One revision at a time: all pods of one are gone before the first of the other starts. Nobody is served meanwhile.

    forth    stable 10   canary 0     stable is asked to go
             stable  0   canary 0     its pods terminate, and count until no object of theirs is left
             stable  0   canary 10    only now; its pods serve as they become ready
    back     the same, the other way round

What must not stand beside another version is more than what serves: a pod that terminates still holds its volume, lock
or licence. So objects are counted, and what nobody can count is not taken for gone. Nor are pods asked to go forth of
which nobody could tell when they are gone: they would leave nobody behind for as long as that lasts.
"""

import dataclasses
from collections.abc import Mapping
from typing import Final

from headgate.core.model import DeploymentFacts, Unreadable
from headgate.core.replicas.pod_budget import Pods, Sizes

SURE_AFTER_SECONDS: Final = 3
"""How long after a revision was asked to go nothing new starts, whatever is counted: its controllers may be about to
create a pod that was wanted a moment ago, and each takes less than a second to come round."""
_SOON_SECONDS: Final = 2.0
_LATER_SECONDS: Final = 10.0


@dataclasses.dataclass(frozen=True, slots=True)
class Turnover:
    """One revision is to come once all others are gone."""

    deployments: Mapping[str, DeploymentFacts]
    """Of all revisions, by hash."""
    present: Mapping[str, int] | Unreadable | None
    """The objects of their pods by hash, terminating ones included; None: they were not counted."""
    comes: str
    """The hash of the one that may have pods."""
    since: int
    """When the others were asked to go."""
    now: float

    @property
    def known(self) -> bool:
        """Whether the pods were counted."""
        return isinstance(self.present, Mapping)

    @property
    def left(self) -> int | None:
        """How many pods there are, or may come, of all others; None while nobody can tell."""
        others = {hash_: facts for hash_, facts in self.deployments.items() if hash_ != self.comes}
        if not isinstance(self.present, Mapping) or not all(facts.settled for facts in others.values()):
            return None
        asked = {hash_: max(facts.replicas, facts.pods) for hash_, facts in others.items()}
        hashes = {*asked, *self.present} - {self.comes}
        return sum(max(asked.get(hash_, 0), self.present.get(hash_, 0)) for hash_ in hashes)

    @property
    def done(self) -> bool:
        """Whether none is left of any other, and none can come any more."""
        surely = self.now >= self.since + SURE_AFTER_SECONDS or not self.deployments.keys() - {self.comes}
        return self.left == 0 and surely

    def counted(self, whose: str) -> str:
        """Return what is said of the pods that are waited for."""
        if isinstance(self.present, Unreadable):
            return f"{whose} pods cannot be counted: {self.present.why}"
        left = self.left
        return f"{left} {whose} pods left, terminating ones included" if left else f"{whose} pods are being counted"


def sizes(total: int, stable: Pods, canary: Pods, turnover: Turnover, *, back: bool, kept: bool) -> Sizes:
    """Return the sizes to ask for now; *kept*: stable has not been asked to go."""
    if kept and not turnover.known and not canary.counted:
        return Sizes(total, 0)
    if back:
        return Sizes(total if turnover.done else stable.wanted, 0)
    return Sizes(0, total if turnover.done else canary.wanted)


def looks_at(since: int, now: float) -> float:
    """Return when to count again: nothing tells of the last object's end. The longer it takes, the seldomer."""
    return now + min(_LATER_SECONDS, max(_SOON_SECONDS, (now - since) / 10))
