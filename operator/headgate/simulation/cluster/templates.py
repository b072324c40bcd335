"""What the API server makes of a Deployment's pod template: checks, defaults, and one form for equal quantities."""

import re
from collections.abc import Iterator
from typing import Any, Final

from headgate.core import faults
from headgate.core.model import Json
from headgate.simulation.cluster import json_values

_CONTAINER_FIELDS: Final = {
    "name",
    "image",
    "args",
    "command",
    "env",
    "ports",
    "resources",
    "imagePullPolicy",
    "livenessProbe",
    "readinessProbe",
    "volumeMounts",
    "terminationMessagePath",
    "terminationMessagePolicy",
}
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_BINARY: Final = ("Ki", "Mi", "Gi", "Ti")
_POD_DEFAULTS: Final[Json] = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}


def _quantity(text: Any) -> str:
    """Return the one form of a quantity: ``1000m`` is ``1``, ``1024Mi`` is ``1Gi``, ``0.5`` is ``500m``."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([a-zA-Z]*)", str(text))
    if not found:
        raise faults.Refused(f"quantities must match the regular expression: {text!r}")
    number, unit = float(found[1]), found[2]
    if unit in _BINARY:
        while number >= 1024 and number % 1024 == 0 and unit != _BINARY[-1]:  # noqa: PLR2004  # a binary thousand
            number, unit = number / 1024, _BINARY[_BINARY.index(unit) + 1]
        return f"{number:g}{unit}"
    thousandths = number * (1 if unit == "m" else 1000)
    return f"{thousandths / 1000:g}" if thousandths % 1000 == 0 else f"{thousandths:g}m"


def _container_problems(at: str, container: Json, *, strict: bool) -> Iterator[str]:
    if not container.get("image"):
        yield f"{at}.image: Required value"
    if not _NAME.fullmatch(str(container.get("name", ""))):
        yield f"{at}.name: Invalid value: {container.get('name')!r}"
    if strict:
        yield from (f'unknown field "{at}.{field}"' for field in sorted(container.keys() - _CONTAINER_FIELDS))


def _container(container: Json) -> Json:
    known = {name: value for name, value in container.items() if name in _CONTAINER_FIELDS and value is not None}
    policy = "Always" if ":" not in known["image"] or known["image"].endswith(":latest") else "IfNotPresent"
    resources = {
        kind: {name: _quantity(amount) for name, amount in (amounts or {}).items()}
        for kind, amounts in (known.get("resources") or {}).items()
    }
    return {
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": policy,
        **known,
        "resources": resources,
        **({"ports": [{"protocol": "TCP", **port} for port in known["ports"]]} if "ports" in known else {}),
    }


def stored(template: Json, *, strict: bool) -> Json:
    """Return *template* as a Deployment keeps it.

    Raises:
        Refused: if the server does not take it; *strict* refuses fields that do not exist, which are dropped otherwise.
    """
    spec = template.get("spec") or {}
    containers = spec.get("containers") or []
    problems = [
        problem
        for index, container in enumerate(containers)
        for problem in _container_problems(f"spec.template.spec.containers[{index}]", container, strict=strict)
    ]
    if not containers:
        problems.append("spec.template.spec.containers: Required value")
    if problems:
        raise faults.Refused(f"Deployment is invalid: {', '.join(problems)}")
    metadata = {name: value for name, value in (template.get("metadata") or {}).items() if value is not None}
    kept = {name: value for name, value in spec.items() if value is not None}
    whole = {**_POD_DEFAULTS, **kept, "containers": [_container(container) for container in containers]}
    return json_values.copied({"metadata": {"creationTimestamp": None, **metadata}, "spec": whole})
