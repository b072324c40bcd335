"""Identity: the hash of a template, and the names and labels made from it.

The hash is our own fixed algorithm (golden tests hold it), so that no upgrade of a library makes a new revision.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from headgate.core.model import RolloutFacts, TemplateRecord

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels, so that no hash spells a word, and nothing that reads like another character."""
HASH_LENGTH: Final = 10
_NAME_LENGTH: Final = 30
"""With hash, ReplicaSet hash and pod suffix this makes 58 of the 63 characters that a pod's host name may have."""
_LABEL_LENGTH: Final = 63
MOST_REVISIONS: Final = 1_000_000_000
"""One every second for 31 years. The fields of the CRD are of 64 bits."""
_LEAP: Final = 1000
"""How far two numbers that follow each other may lie apart: far more than the revisions that are kept in between."""
_MOST_IMAGES: Final = 100
_IMAGE_LENGTH: Final = 2048
"""As many as the status has room for."""


def canonical(value: Any) -> str:
    """Return *value* as JSON in its one canonical form: keys sorted, no white space, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(*parts: str) -> str:
    """Return a hash of *parts* that fits into names and labels: 10 characters of an alphabet of 27, about 47 bits."""
    number = int.from_bytes(hashlib.sha256("\n".join(parts).encode()).digest(), "big")
    characters = []
    for _ in range(HASH_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)


def template_hash(rollout_name: str, template: Any) -> str:
    """Return the hash of a revision: of the template as stored and the Rollout's full name."""
    return text_hash(rollout_name, canonical(template))


def text_hash(rollout_name: str, template: str) -> str:
    """Return the same of a template in its canonical form."""
    return digest("headgate/template/1", rollout_name, template)


def drill_hash(revision_hash: str) -> str:
    """Return the hash by which the pods of a revision's drill are told from its own."""
    return digest("headgate/drill/1", revision_hash)


def policy_hash(rollout_name: str, policy: Any) -> str:
    """Return the hash of an accepted policy as written."""
    return policy_text_hash(rollout_name, canonical(policy))


def policy_text_hash(rollout_name: str, policy: str) -> str:
    """Return the same of a policy in its canonical form."""
    return digest("headgate/policy/1", rollout_name, policy)


def _cut(rollout_name: str) -> str:
    return rollout_name[:_NAME_LENGTH].rstrip("-.")


def deployment_name(rollout_name: str, revision_hash: str) -> str:
    """Return the name of a revision's Deployment and of the ControllerRevision that keeps its template."""
    return f"{_cut(rollout_name)}-{revision_hash}"


def hash_in_name(rollout_name: str, name: str) -> str:
    """Return the hash of the revision whose Deployment or record has *name*; an empty text if none of ours has it."""
    hash_ = name[-HASH_LENGTH:]
    return hash_ if is_hash(hash_) and name == deployment_name(rollout_name, hash_) else ""


def policy_name(rollout_name: str, hash_of_policy: str) -> str:
    """Return the name of the ControllerRevision that keeps an accepted policy."""
    return f"{_cut(rollout_name)}-policy-{hash_of_policy}"


def label_value(rollout_name: str) -> str:
    """Return the value of the Rollout label: the name itself, or its beginning and a hash where it is too long."""
    if len(rollout_name) <= _LABEL_LENGTH:
        return rollout_name
    kept = rollout_name[: _LABEL_LENGTH - HASH_LENGTH - 1].rstrip("-.")
    return f"{kept}-{digest('headgate/label/1', rollout_name)}"


def may_be_shared(label: str) -> bool:
    """Return whether Rollouts of more than one name can have *label*: it has the form that long names are cut to."""
    return label[-HASH_LENGTH - 1 : -HASH_LENGTH] == "-" and is_hash(label[-HASH_LENGTH:])


def next_number(records: Iterable[TemplateRecord], *known: int) -> int:
    """Return the number that a new revision gets: one more than any that is recorded or *known*, and credible."""
    return max([0, *credible([*known, *(record.revision for record in records)])]) + 1


def credible(numbers: Iterable[int]) -> list[int]:
    """Return those of *numbers* that revisions of one Rollout can have.

    Annotations and records can be edited, and a number that nothing leads to must not lead all later ones beyond what
    the status can hold.
    """
    found: list[int] = []
    for number in sorted(number for number in numbers if 0 < number <= MOST_REVISIONS):
        if found and number > found[-1] + _LEAP:
            break
        found.append(number)
    return found


def images(template: Any) -> tuple[str, ...]:
    """Return the images of a template's containers in order, or nothing where the template is malformed."""
    try:
        containers = template["spec"]["containers"][:_MOST_IMAGES]
        return tuple(str(container["image"])[:_IMAGE_LENGTH] for container in containers if container.get("image"))
    except (TypeError, KeyError, AttributeError):
        return ()


def selector_text(labels: Mapping[str, str]) -> str:
    """Return *labels* as a label selector in text form."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def attempt(revision_hash: str, started: int) -> str:
    """Return the value of the rejected annotation for one attempt at a revision."""
    return f"{revision_hash}/{started}"


def is_hash(text: str) -> bool:
    """Return whether *text* has the form of a revision's hash."""
    return re.fullmatch(f"[{_ALPHABET}]{{{HASH_LENGTH}}}", text) is not None


def record_of_target(rollout: RolloutFacts, revision_hash: str) -> bool:
    """Return whether the spec holds the raw template of *revision_hash* itself, not only an equal one."""
    return rollout.template_hash == revision_hash
