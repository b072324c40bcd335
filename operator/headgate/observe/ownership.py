"""Tells what belongs to a Rollout from what only bears its labels.

Labels can be copied, names cannot: the name of each object of ours ends with a hash, and a record's hash is that of its
content. An object that does not keep to this is a stranger's: it is named in the status and left alone.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from headgate.api import names, nesting, values
from headgate.core.model import Json, PolicyRecord, RolloutFacts, TemplateRecord, Unreadable
from headgate.core.revisions import identity
from headgate.observe import last_known, parse_rollout, parse_workloads


@dataclasses.dataclass(frozen=True, slots=True)
class Deployments:
    """The Deployments that bear a Rollout's label."""

    ours: dict[str, Json]
    """By hash."""
    in_the_way: dict[str, str]
    """What is said of those that stand where one of ours would, by hash."""
    strangers: tuple[str, ...]
    """What is said of all others."""
    namesakes: frozenset[str] = frozenset()
    """Those in the way that another Rollout with the same label controls: it has its own name, and its own hashes."""


@dataclasses.dataclass(frozen=True, slots=True)
class Records:
    """What is kept in a Rollout's ControllerRevisions, by hash."""

    templates: dict[str, TemplateRecord]
    policies: dict[str, PolicyRecord]
    strangers: tuple[str, ...] = ()
    """What is said of those that are not what their names say."""
    unread: Mapping[str, Unreadable] = dataclasses.field(default_factory=dict)
    """Policies that are ours and not understood, by hash."""
    texts: Mapping[str, Json] = dataclasses.field(default_factory=dict)
    """These as they are written."""


def label(rollout_name: str) -> dict[str, str]:
    """Return the label that all objects of a Rollout bear."""
    return {names.ROLLOUT: identity.label_value(rollout_name)}


def _selected(thing: Json) -> str:
    """Return the hash of the pods that a Deployment selects; it can never be changed."""
    labels = ((thing.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return str(labels.get(names.POD_HASH, ""))


def stands_for(thing: Json, rollout_name: str) -> str:
    """Return the hash of the revision that a Deployment's name and selector both name; an empty text: of none."""
    hash_ = identity.hash_in_name(rollout_name, str(thing["metadata"]["name"]))
    return hash_ if hash_ == _selected(thing) else ""


def deployments(rollout: RolloutFacts, things: Iterable[Json]) -> Deployments:
    """Return *things*, which bear the label of *rollout*, sorted by whose they are."""
    ours: dict[str, Json] = {}
    in_the_way: dict[str, str] = {}
    strangers: list[str] = []
    namesakes: set[str] = set()
    for thing in things:
        name, holder = str(thing["metadata"]["name"]), parse_workloads.owner(thing)
        named = identity.hash_in_name(rollout.name, name)
        if named and holder not in ("", rollout.uid):
            in_the_way[named] = f"Deployment {name} is controlled by another owner (uid {holder}); rename or delete it"
            namesakes |= {named} if _namesake(thing, rollout.name) else set()
        elif named and named != _selected(thing):
            in_the_way[named] = f"Deployment {name} has a name of ours and selects other pods; rename or delete it"
        elif named:
            ours[named] = thing
        else:
            strangers.append(_stranger(f"Deployment {name}", f"{rollout.name}-HASH"))
    return Deployments(ours, in_the_way, tuple(sorted(strangers)), frozenset(namesakes))


def _namesake(thing: Json, rollout_name: str) -> bool:
    """Return whether another Rollout, whose label is the same as that of *rollout_name*, controls *thing*."""
    holder = parse_workloads.controller(thing)
    name = str(holder.get("name", "")) if holder.get("kind") == names.KIND else ""
    return name not in ("", rollout_name) and label(name) == label(rollout_name)


def _stranger(which: str, named: str) -> str:
    remedy = f"take the label {names.ROLLOUT} off it, or delete it"
    return f"{which} bears this Rollout's label, but ours are named {named}; it is left alone: {remedy}"


@dataclasses.dataclass(slots=True)
class _Kept:
    """What is found in records, one after the other."""

    templates: dict[str, TemplateRecord] = dataclasses.field(default_factory=dict)
    policies: dict[str, PolicyRecord] = dataclasses.field(default_factory=dict)
    strangers: list[str] = dataclasses.field(default_factory=list)
    unread: dict[str, Unreadable] = dataclasses.field(default_factory=dict)
    texts: dict[str, Json] = dataclasses.field(default_factory=dict)


def records(things: Iterable[Json], rollout_name: str) -> Records:
    """Return what ControllerRevisions of ours keep: only what has the hash that its name says.

    Raises:
        one of MISSHAPEN: if one of *things* has not the label by which they were asked for, or not even a name.
    """
    kept = _Kept()
    for thing in things:
        _add(kept, last_known.asked_for(thing, label(rollout_name)), rollout_name)
    return Records(kept.templates, kept.policies, tuple(sorted(kept.strangers)), kept.unread, kept.texts)


def _add(kept: _Kept, thing: Json, rollout_name: str) -> None:
    metadata, data = thing["metadata"], _mapping(nesting.shallow(thing.get("data")))
    kind = (metadata.get("labels") or {}).get(names.RECORD)
    content = data.get(kind) if kind in (names.RECORD_TEMPLATE, names.RECORD_POLICY) else None
    text = identity.canonical(content) if isinstance(content, dict) else ""
    hash_, name = _content_hash(rollout_name, kind, text)
    if not hash_ or (hash_, name) != (str(data.get("hash", "")), metadata["name"]):
        kept.strangers.append(_forged(metadata["name"]))
    elif kind == names.RECORD_TEMPLATE:
        annotations = _mapping(metadata.get("annotations"))
        kept.templates[hash_] = TemplateRecord(
            revision=parse_workloads.revision(thing.get("revision")),
            template=_mapping(content),
            template_bytes=len(text),
            annotated=bool(annotations),
            rejected=str(annotations.get(names.REJECTED, "")),
            rejected_for=str(annotations.get(names.REJECTED_FOR, "")),
            **_place(metadata, hash_),
        )
    else:
        policy, strange = parse_rollout.recorded_policy(content)
        if policy is not None:
            kept.policies[hash_] = PolicyRecord(policy=policy, **_place(metadata, hash_))
            return
        # It is ours, and not what this version makes of a policy: a newer one has written it.
        kept.unread[hash_] = Unreadable(f"ControllerRevision {name} is not understood: {strange}")
        kept.texts[hash_] = _mapping(content)


def said_of_record(thing: Json, rollout: RolloutFacts) -> str:
    """Return what is said of a record that was asked for by its name; empty if it says what it has to.

    One of an older Rollout of this name says the same, and goes with that.
    """
    metadata = thing["metadata"]
    labelled = label(rollout.name).items() <= (metadata.get("labels") or {}).items()
    kept = _Kept()
    _add(kept, thing, rollout.name)
    older = any(_is_older(one, rollout) for one in metadata.get("ownerReferences") or ())
    if kept.strangers or (labelled and (older or parse_workloads.owner(thing) in ("", rollout.uid))):
        return next(iter(kept.strangers), "")
    return (
        f"ControllerRevision {metadata['name']} stands where a record of ours is to be, without our label or under "
        "another owner; delete it"
    )


def _is_older(reference: Mapping[str, Any], rollout: RolloutFacts) -> bool:
    named = (reference.get("kind"), reference.get("name")) == (names.KIND, rollout.name)
    return named and reference.get("uid") != rollout.uid


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _place(metadata: Mapping[str, Any], hash_: str) -> dict[str, Any]:
    return {
        "name": metadata["name"],
        "hash": hash_,
        "created": values.parse_time(metadata["creationTimestamp"]),
        "references": len(metadata.get("ownerReferences") or ()),
        "uid": str(metadata.get("uid", "")),
        "resource_version": str(metadata.get("resourceVersion", "")),
    }


def _content_hash(rollout_name: str, kind: Any, text: str) -> tuple[str, str]:
    """Return the hash of what a record keeps, in its canonical form, and the name that follows from it.

    Both are empty texts where it keeps nothing.
    """
    if not text:
        return "", ""
    if kind == names.RECORD_TEMPLATE:
        hash_ = identity.text_hash(rollout_name, text)
        return hash_, identity.deployment_name(rollout_name, hash_)
    hash_ = identity.policy_text_hash(rollout_name, text)
    return hash_, identity.policy_name(rollout_name, hash_)


def _forged(name: str) -> str:
    return f"ControllerRevision {name} is not believed: its content has another hash than its name says; delete it"
