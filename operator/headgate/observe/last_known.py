"""What becomes of a read that failed, or of an object that is not what such an object looks like: Unreadable, and why.

Owns what a process remembers between passes for that: what was read last, and since when something cannot be read.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Final

from headgate.api.spec import Policy
from headgate.core import faults
from headgate.core.model import DeploymentFacts, Json, Key, Part, Unreadable
from headgate.observe.interfaces import Clock

MISSHAPEN: Final = (KeyError, TypeError, AttributeError, ValueError, IndexError)
"""What is raised where an object has other fields, or other kinds of values, than its kind has."""
FAILED: Final = (faults.Fault, *MISSHAPEN)
"""How reading an object can fail."""
_MOST_KNOWN: Final = 2000


def unreadable(error: Exception) -> Unreadable:
    """Return why a read failed, for people."""
    if isinstance(error, faults.Fault):
        return Unreadable(str(error), passing=isinstance(error, faults.Unreachable))
    return Unreadable(f"it does not look like an object of its kind ({type(error).__name__}: {str(error)[:200]})")


def asked_for(thing: Json, labels: Mapping[str, str]) -> Json:
    """Return *thing*, which was asked for by *labels*.

    Raises:
        ValueError: if it does not bear them: then it is no answer, and what was asked for may be there all the same.
    """
    borne = thing["metadata"].get("labels") or {}
    if not labels.items() <= borne.items():
        raise ValueError("it has not the labels by which it was asked for")
    return thing


def complete(thing: Json, field: str) -> Json:
    """Return *thing*, which always has that field.

    Raises:
        ValueError: if it has not.
    """
    if field not in thing:
        raise ValueError(f"it has no {field}")
    return thing


def shaped(thing: Json) -> Json:
    """Return the spec of *thing*; none is empty.

    Raises:
        ValueError: if it is no object.
    """
    spec = thing.get("spec", {})
    if not isinstance(spec, dict):
        raise ValueError("its spec is no object")
    return spec


@dataclasses.dataclass(slots=True)
class _Known:
    deployments: Mapping[str, DeploymentFacts] = dataclasses.field(default_factory=dict)
    policies: dict[str, Policy] = dataclasses.field(default_factory=dict)
    since: dict[Part, float] = dataclasses.field(default_factory=dict)


class Memory:
    """What this process has read of each Rollout's objects. All of it may be lost at any time."""

    def __init__(self, clock: Clock) -> None:
        """Tell the time by *clock*."""
        self._clock = clock
        self._known: dict[Key, _Known] = {}
        self._of_namespace = collections.defaultdict[str, collections.OrderedDict[Key, None]](collections.OrderedDict)
        """Those of each namespace, the one that was asked about last at the end."""

    def _of(self, key: Key) -> _Known:
        known = self._known.setdefault(key, _Known())
        self._of_namespace[key.namespace].setdefault(key)
        self._of_namespace[key.namespace].move_to_end(key)
        while len(self._known) > _MOST_KNOWN:
            # Of the namespace that has the most: many Rollouts in one namespace must not push out those of others.
            most = max(self._of_namespace.values(), key=len)
            self.forget(next(iter(most)))
        return known

    def forget(self, key: Key) -> None:
        """Drop what is kept of *key*."""
        self._known.pop(key, None)
        mine = self._of_namespace.get(key.namespace)
        if mine is not None:
            mine.pop(key, None)
            if not mine:
                del self._of_namespace[key.namespace]

    def deployments(self, key: Key) -> Mapping[str, DeploymentFacts]:
        """Return the Deployments of *key* as they were read last."""
        return self._of(key).deployments

    def policy(self, key: Key, policy_hash: str) -> Policy | None:
        """Return the accepted policy with that hash, if it was read before."""
        return self._of(key).policies.get(policy_hash)

    def keep(self, key: Key, deployments: Mapping[str, DeploymentFacts], policies: Mapping[str, Policy]) -> None:
        """Remember what was read of *key*; *policies* is the one in force, by its hash."""
        known = self._of(key)
        known.deployments = {hash_: facts for hash_, facts in deployments.items() if facts.uid}
        known.policies = {**policies} or known.policies

    def dated(self, key: Key, unread: Mapping[Part, Unreadable]) -> dict[Part, Unreadable]:
        """Return *unread*, each with since when it could not be read."""
        known, now = self._of(key), self._clock()
        known.since = {part: min(known.since.get(part, now), now) for part in unread}
        return {part: dataclasses.replace(why, since=known.since[part]) for part, why in unread.items()}
