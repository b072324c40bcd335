"""Reads a Rollout object: what it says is believed only as far as it makes sense, and nothing in it can raise."""

from collections.abc import Container
from typing import Any

import pydantic

from headgate.api import names, nesting, spec, values
from headgate.api.drill import Drill
from headgate.core.model import Json, RolloutFacts
from headgate.core.revisions import identity
from headgate.observe import cron, parse_workloads

_MOST_PROBLEMS = 5


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> dict[str, str]:
    return {key: text for key, text in _mapping(value).items() if isinstance(text, str)}


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _path(location: tuple[int | str, ...]) -> str:
    path = "spec"
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path


def validation_errors(raw: Any) -> str:
    """Return what is wrong with a spec as written, each with its path; an empty text for a valid one."""
    try:
        spec.RolloutSpec.model_validate(raw)
    except pydantic.ValidationError as error:
        found = [f"{_path(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        more = len(found) - _MOST_PROBLEMS
        return "; ".join(found[:_MOST_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
    return ""


def disallowed_addresses(raw: Any, allowed: Container[str]) -> str:
    """Return which metrics name a Prometheus server that the operator does not allow; an empty text if none does."""
    found = []
    metrics = _mapping(_mapping(raw).get("analysis")).get("metrics")
    for index, metric in enumerate(metrics if isinstance(metrics, list) else []):
        address = _mapping(_mapping(metric).get("prometheus")).get("address")
        if address is not None and address not in allowed:
            # An address with user info may hold a password, which has no place in a condition.
            shown = "this one" if "@" in str(address) else repr(str(address)[:200])
            found.append(
                f"spec.analysis.metrics[{index}].prometheus.address: {shown} is not allowed: "
                "leave it out, or have it added to the operator's HEADGATE_PROMETHEUS_ALLOWED_ADDRESSES"
            )
    return "; ".join(found)


def invalid_schedule(raw: Any) -> str:
    """Return what is wrong with the schedule of the drills; an empty text if nothing is that the model lets pass."""
    drill = _mapping(_mapping(raw).get("drill"))
    try:
        wanted = Drill.model_validate(drill)
    except pydantic.ValidationError:
        return ""
    return cron.problem(wanted.schedule, wanted.time_zone) if wanted.schedule is not None else ""


def parsed_policy(raw: Any) -> spec.Policy | None:
    """Return the policy as written, or None where it is not a valid one."""
    try:
        return spec.Policy.model_validate(raw)
    except pydantic.ValidationError:
        return None


def recorded_policy(raw: Any) -> tuple[spec.Policy | None, str]:
    """Return a policy as it was recorded, or None and what is not understood of it.

    A field that is not known may change what all others mean, so that half of a policy is none.
    """
    strange = ", ".join(sorted(str(field) for field in _mapping(raw).keys() - set(spec.POLICY_FIELDS)))
    if strange:
        return None, f"it has fields that this version of Headgate does not know: {strange}"
    try:
        return spec.Policy.model_validate(raw), ""
    except pydantic.ValidationError as error:
        found = [f"{_path(one['loc'])}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors()]
        return None, "; ".join(found[:_MOST_PROBLEMS])


def _scaled(metadata: Json) -> int:
    """Return when spec.replicas was last set through the scale subresource; 0 for never."""
    entries = [_mapping(entry) for entry in metadata.get("managedFields") or ()]
    return max(
        (parse_workloads.moment(one.get("time", 0)) for one in entries if one.get("subresource") == "scale"), default=0
    )


def _labels_alone(template: Json) -> Json:
    """Return of a template by what Services select its pods: no more of it is believed."""
    return {"metadata": {"labels": _strings(_mapping(template.get("metadata")).get("labels"))}}


def _size_bytes(raw: Json, template_text: str) -> int:
    """Return the size as JSON of a spec of whose template the text is known: of a large one it is nearly all."""
    if not isinstance(raw.get("template"), dict):
        return len(identity.canonical(raw))
    return len(identity.canonical({**raw, "template": 0})) - 1 + len(template_text)


def facts(rollout: Json, allowed: Container[str]) -> RolloutFacts:
    """Return what *rollout* says; *allowed* are the Prometheus servers that a Rollout may name.

    A spec that is too deep is cut before anything walks over it, and of its template the labels alone are left:
    a part of one is not what was meant.
    """
    metadata, raw = _mapping(rollout.get("metadata")), _mapping(nesting.shallow(rollout.get("spec")))
    name, template = str(metadata.get("name", "")), _mapping(raw.get("template"))
    deep, text = nesting.too_deep(raw, "spec"), identity.canonical(template)
    boundless = deep or nesting.too_large(_size_bytes(raw, text), "spec")
    invalid = boundless or "; ".join(
        found for found in (validation_errors(raw), disallowed_addresses(raw, allowed), invalid_schedule(raw)) if found
    )
    annotations = _strings(metadata.get("annotations"))
    policy = {field: raw[field] for field in spec.POLICY_FIELDS if field in raw}
    return RolloutFacts(
        namespace=str(metadata.get("namespace", "")),
        name=name,
        uid=str(metadata.get("uid", "")),
        resource_version=str(metadata.get("resourceVersion", "")),
        generation=_count(metadata.get("generation")) or 0,
        annotations={key: annotations[key] for key in names.COMMANDS if key in annotations},
        finalizers=tuple(str(entry) for entry in metadata.get("finalizers") or ()),
        deleting=metadata.get("deletionTimestamp") is not None,
        replicas=_count(raw.get("replicas")),
        paused=raw.get("paused") is True,
        match_labels=_strings(_mapping(raw.get("selector")).get("matchLabels")),
        template=_labels_alone(template) if deep else template,
        template_hash=identity.text_hash(name, text),
        template_bytes=len(text),
        policy=policy,
        policy_hash=identity.policy_hash(name, policy),
        invalid=invalid,
        created=values.parse_time(metadata.get("creationTimestamp", 0)),
        deleted=values.parse_time(metadata.get("deletionTimestamp") or 0),
        scaled=_scaled(metadata),
    )
