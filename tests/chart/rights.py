"""Writes the rights of the chart, and of the tests' operator, from the table of kinds: `python -m` runs it.

Owns the files and their form. Must not know any kind.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headgate import kinds
from headgate.kinds import rights
from headgate.kinds.resource_kind import Who
from tests.chart.values_table import CHART

ROWS: Final = (*kinds.KINDS.values(), kinds.EVENTS)
IN_CHART: Final = CHART / "templates" / "_rights.tpl"
IN_TESTS: Final = CHART.parent.parent / "tests" / "control_plane" / "life" / "rbac.yaml"
_ORIGIN: Final = "Generated from operator/headgate/kinds. Do not edit: change the table, run `make crds`."
_DOCUMENTS: Final[Mapping[Who, str]] = {
    Who.OPERATOR: (
        "What Headgate may do: the least that it needs, all of it inside namespaces but to look at GatewayClasses."
        " No Secrets, no ConfigMaps, no nodes."
    ),
    Who.VIEW: "What all people with the role view may do with Rollouts.",
    Who.EDIT: "What all people with the role edit may do with Rollouts, besides what view may do.",
}
_BEFORE: Final = """\
# The rights that the operator runs under in the tests: the least that it needs. It may not read Secrets or ConfigMaps.
apiVersion: v1
kind: ServiceAccount
metadata: {name: headgate, namespace: default}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: headgate}
rules:
"""
_BEHIND: Final = """\
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: headgate}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: headgate}
subjects:
- {kind: ServiceAccount, name: headgate, namespace: default}
"""


def rules_text(who: Who) -> str:
    """Return the rules of the role of *who* as YAML."""
    return "".join(map(_rule_text, rights.rules(ROWS, who)))


def _rule_text(rule: rights.Rule) -> str:
    why = f" # {rule.why}" if rule.why else ""
    group = rule.group or '""'
    resources, verbs = ", ".join(rule.resources), ", ".join(rule.verbs)
    return f"- apiGroups: [{group}]{why}\n  resources: [{resources}]\n  verbs: [{verbs}]\n"


def texts() -> Mapping[Path, str]:
    """Return the text of each file that holds rights."""
    templates = [
        f'{{{{/* {words} */}}}}\n{{{{- define "headgate.rights.{who}" -}}}}\n{rules_text(who)}{{{{- end -}}}}\n'
        for who, words in _DOCUMENTS.items()
    ]
    return {
        IN_CHART: "\n".join([f"{{{{/* {_ORIGIN} */}}}}", *templates]),
        IN_TESTS: f"# {_ORIGIN}\n{_BEFORE}{rules_text(Who.OPERATOR)}{_BEHIND}",
    }


def main() -> int:
    """Write the files anew and return the exit code."""
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
        sys.stdout.write(f"{path} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
