"""Which observed objects are worth a pass over which Rollouts. Remembers one number of each object, and compares.

Routes do not say whose they are: Rollouts name them. A Service's label says it, but not in full where a Rollout's name
is too long for a label. Both are found through what the Rollouts themselves said when they were seen. So is what two
Rollouts have in common (`overlap_index`).
"""

import dataclasses
from collections.abc import Iterable

from headgate import kinds
from headgate.core.model import Key, Kind
from headgate.core.revisions import identity
from headgate.reconcile.overlap_index import OverlapIndex
from headgate.reconcile.predicates import Named, ObservedObject


@dataclasses.dataclass(frozen=True, slots=True)
class _Routes:
    """The routes of a Rollout, at most three times as many as a spec can name."""

    by_spec: frozenset[Named] = frozenset()
    before: frozenset[Named] = frozenset()
    """What the spec named before its last edit, until a pass has seen that."""
    by_pass: frozenset[Named] = frozenset()
    """What the last pass looked at: in flight it goes on with those that it began with."""

    @property
    def all(self) -> frozenset[Named]:
        """Each of them."""
        return self.by_spec | self.before | self.by_pass

    def edited(self, routes: frozenset[Named]) -> "_Routes":
        """Return them after an edit of the spec, which names *routes* now."""
        return self if routes == self.by_spec else _Routes(routes, self.by_spec, self.by_pass)


@dataclasses.dataclass(slots=True)
class _Seen:
    keys: tuple[Key, ...]
    resource_version: str
    fingerprint: int
    wish: int


class EventMapper:
    """What was last seen of every object."""

    def __init__(self, neighbours: OverlapIndex | None = None) -> None:
        """Tell *neighbours* what Rollouts reach for."""
        self._neighbours = neighbours or OverlapIndex()
        self._seen: dict[Kind, dict[str, _Seen]] = {kind: {} for kind in kinds.WATCHES}
        self._sharing: dict[Key, set[Key]] = {}
        """The Rollouts by label, where more than one can have it: what it makes of a long name may be one, too."""
        self._naming: dict[Named, set[Key]] = {}
        self._routes: dict[Key, _Routes] = {}

    def is_wish(self, sighting: ObservedObject) -> bool:
        """Return whether *sighting*, not remembered yet, is of a Rollout of whose users something new is wanted.

        A command, a new template, a deletion: these passes are urgent. What objects do by themselves is not.
        """
        if sighting.kind is not Kind.ROLLOUT:
            return False
        before = self._seen[Kind.ROLLOUT].get(sighting.uid)
        return sighting.gone or before is None or before.wish != sighting.wish

    def woken_by(self, sighting: ObservedObject) -> tuple[Key, ...]:
        """Remember *sighting*, and return the Rollouts over which it is worth a pass."""
        if sighting.kind is Kind.ROLLOUT and sighting.key is not None:
            self._introduced(sighting.key, sighting)
        seen, keys = self._seen[sighting.kind], self._keys_of(sighting)
        if sighting.gone:
            # One that lost the label by which it is watched is gone too, as far as a watch can tell.
            before = seen.pop(sighting.uid, None)
            return keys or (before.keys if before else ())
        before = seen.get(sighting.uid)
        seen[sighting.uid] = _Seen(keys, sighting.resource_version, sighting.fingerprint, sighting.wish)
        if before is not None and before.fingerprint == sighting.fingerprint:
            return ()
        # A Service that changed hands matters to both sides.
        given_up = before.keys if before is not None and sighting.route is None else ()
        return tuple(dict.fromkeys((*keys, *given_up)))

    def _introduced(self, key: Key, sighting: ObservedObject) -> None:
        label = identity.label_value(key.name)
        if identity.may_be_shared(label):
            self._sharing.setdefault(Key(key.namespace, label), set()).add(key)
        if sighting.gone:
            self._forgotten(key)
        else:
            self._neighbours.seen(key, sighting.footprint)
            self._name(key, self._routes.get(key, _Routes()).edited(frozenset(sighting.names)))

    def follow(self, key: Key, routes: Iterable[Named]) -> None:
        """Take in which routes a pass over *key* looked at, and forget those that are named no more."""
        self._name(key, _Routes(self._routes.get(key, _Routes()).by_spec, by_pass=frozenset(routes)))

    def _name(self, key: Key, routes: _Routes) -> None:
        before, now = self._routes.pop(key, _Routes()).all, routes.all
        if now:
            self._routes[key] = routes
        for route in now - before:
            self._naming.setdefault(route, set()).add(key)
        for route in before - now:
            self._naming[route].discard(key)
            if not self._naming[route]:
                del self._naming[route]

    def _forgotten(self, key: Key) -> None:
        self._neighbours.gone(key)
        label = Key(key.namespace, identity.label_value(key.name))
        self._sharing.get(label, set()).discard(key)
        if not self._sharing.get(label, True):
            del self._sharing[label]
        self._name(key, _Routes())

    def stirred(self) -> frozenset[Key]:
        """Return the Rollouts over which a pass is worth while since this was called last, for what others became."""
        return self._neighbours.stirred()

    def _keys_of(self, sighting: ObservedObject) -> tuple[Key, ...]:
        if sighting.route is not None:
            return tuple(self._naming.get(sighting.route, ()))
        if sighting.key is None:
            return ()
        alike = self._sharing.get(sighting.key) if sighting.labelled else None
        return tuple(sorted(alike, key=str)) if alike else (sighting.key,)

    def keys(self) -> set[Key]:
        """Return all Rollouts that were seen and not seen to go."""
        return {key for seen in self._seen[Kind.ROLLOUT].values() for key in seen.keys}

    def named(self) -> frozenset[Kind]:
        """Return the kinds of route that some Rollout names."""
        return frozenset(kind for kind, _, _ in self._naming)

    def resource_version(self, kind: Kind, uid: str) -> str:
        """Return at which resourceVersion the object was last seen; empty if it never was."""
        seen = self._seen[kind].get(uid)
        return seen.resource_version if seen else ""

    def keep(self, kind: Kind, uids: Iterable[str]) -> list[Key]:
        """Forget the objects that are not among *uids*, and return their keys: no event told of their deletion."""
        seen = self._seen[kind]
        lost = [key for uid in seen.keys() - set(uids) for key in seen.pop(uid).keys]
        if kind is Kind.ROLLOUT:
            for key in set(lost) - self.keys():  # one of that name may have been created since
                self._forgotten(key)
        return lost
