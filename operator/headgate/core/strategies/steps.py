"""One step of a strategy, and where a rollout goes on after an edit of the steps."""

import dataclasses

from headgate.core.model.traffic import Header, RequestRules


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One step: the weight that holds in it, and the wait that it adds."""

    weight_percent: int
    waits: bool = False
    """Whether it is a pause."""
    pause_seconds: float | None = None
    """How long a pause lasts; None: until promoted."""
    pods: int | str | None = None
    """How many pods the new version has at least, or which part of the replicas; None: as many as its weight needs."""
    anew: bool = False
    """Whether something else than the weight is another than before, so that evidence begins anew."""
    headers: tuple[Header, ...] = ()
    """Requests with any one of these reach the new version, whatever the weight."""
    mirror_percent: int = 0
    """The part of all requests that the new version gets a copy of."""
    metrics: tuple[str, ...] = ()
    """The metrics that are judged in it, beside those that are judged all the time, and have to pass."""

    @property
    def waits_for_people(self) -> bool:
        """Whether only a person (or a pipeline) can end it."""
        return self.waits and self.pause_seconds is None

    @property
    def extras(self) -> RequestRules:
        """What the new version gets beside its weight."""
        return RequestRules(self.headers, self.mirror_percent)


def resumed(old: tuple[Step, ...], new: tuple[Step, ...], index: int, weight_percent: int) -> int:
    """Return the number in *new* at which a rollout goes on that was at step *index* of *old*, with *weight_percent*.

    Steps are counted from 1; 0 means before the first one. Where everything up to that step is unchanged, it stays.
    Otherwise it goes on at the first step whose weight is not below the present one, and never jumps past that: at the
    step itself where the weight is the same, else before it, for a higher weight has to be earned. The same holds where
    *old* is not known and therefore empty.
    """
    if index <= len(old) and new[:index] == old[:index]:
        return index
    at = next(at for at, step in enumerate(new) if not step.waits and step.weight_percent >= weight_percent)
    return at + 1 if new[at].weight_percent == weight_percent else at
