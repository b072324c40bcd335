"""The rules of roles, from the rights in the table of kinds. Pure.

Owns how rights become rules. Must not know any kind, nor the files that hold the rules.
"""

import dataclasses
from collections.abc import Iterable

from headgate.kinds.resource_kind import Grant, ResourceKind, Who


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a role: some verbs for some resources of one group."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str


def rules(rows: Iterable[ResourceKind], who: Who) -> list[Rule]:
    """Return the rules of the role of *who*, in the order of *rows*.

    Neighbours that differ by their resource alone are one rule.
    """
    found: list[Rule] = []
    for rule in (_rule(row, grant) for row in rows for grant in row.grants if grant.who is who):
        last = found[-1] if found else None
        if last is not None and dataclasses.replace(rule, resources=last.resources) == last:
            found[-1] = dataclasses.replace(last, resources=(*last.resources, *rule.resources))
        else:
            found.append(rule)
    return found


def _rule(row: ResourceKind, grant: Grant) -> Rule:
    resource = f"{row.plural}/{grant.subresource}" if grant.subresource else row.plural
    return Rule(row.group, (resource,), grant.verbs, grant.why)
