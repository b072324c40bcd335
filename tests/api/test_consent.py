"""The policy of consent, as far as it can be told without an API server: what it asks about, and what that costs."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from headgate import cli
from headgate.api import consent, crd, names
from headgate.api.traffic import Route, Traffic
from headgate.cli import policies

ROOT = Path(__file__).resolve().parents[2]
COPIES = (ROOT / "policies", ROOT / "charts" / "headgate" / "policies")
CHECK_COST, EXPRESSION_COST, POLICY_COST = 350_000, 1_000_000, 10_000_000
"""What the API server counts for a question to the authorizer, and allows to one expression and to all of a policy."""


def validations() -> list[dict[str, str]]:
    """Return the validations of the policy."""
    policy: Any = consent.definitions()[0]
    found: list[dict[str, str]] = policy["spec"]["validations"]
    return found


def schema_of_traffic() -> Any:
    """Return what the CRD says of spec.traffic."""
    definition: Any = crd.definition()
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema["properties"]["spec"]["properties"]["traffic"]["properties"]


@pytest.mark.parametrize("folder", COPIES, ids=["file", "chart"])
def test_the_files_are_up_to_date(folder: Path) -> None:
    """What users apply, and what the chart installs, is the policy that the tests try."""
    assert {policies.FILE: policies.text()} == {path.name: path.read_text("utf-8") for path in folder.iterdir()}


def test_the_file_is_the_policy_and_its_binding(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is both objects, and the binding binds this policy."""
    assert cli.main(["policies"]) == 0
    policy, binding = yaml.safe_load_all(capsys.readouterr().out)

    assert (policy, binding) == consent.definitions()
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]


def test_every_name_is_asked_about() -> None:
    """Each Service that spec.traffic can name, and each of as many routes as the CRD lets in, has a question."""
    services = [field.alias for name, field in Traffic.model_fields.items() if name.endswith("_service")]
    most = schema_of_traffic()["gatewayAPI"]["properties"]["routes"]["maxItems"]
    paths = [f"spec.traffic.{name}" for name in services]
    paths += [f"spec.traffic.gatewayAPI.routes[{index}]" for index in range(most)]

    asked = [one for one in validations() if "authorizer" in one["expression"]]

    assert [one["message"].partition(":")[0] for one in asked] == paths
    assert set(schema_of_traffic()) == {*services, "gatewayAPI", "drain"}, "does the new field name an object?"


def test_every_kind_of_route_is_asked_about() -> None:
    """A kind that the CRD lets in has a resource that is asked about."""
    (pattern,) = [part.pattern for part in Route.model_fields["kind"].metadata if hasattr(part, "pattern")]
    kinds = set(re.findall(r"\w+Route", pattern))
    policy: Any = consent.definitions()[0]
    (resources,) = [one["expression"] for one in policy["spec"]["variables"] if one["name"] == "resources"]

    assert dict(re.findall(r"'(\w+)': '(\w+)'", resources)) == {kind: f"{kind.lower()}s" for kind in kinds}


def test_questions_stay_within_the_cost() -> None:
    """No validation asks more than the API server allows in one, nor all of them together."""
    questions = [one["expression"].count(".check(") for one in validations()]

    assert max(questions) * CHECK_COST < EXPRESSION_COST
    assert sum(questions) * CHECK_COST < POLICY_COST
    assert not [one for one in validations() if "authorizer" in one.get("messageExpression", "")]


def test_status_scale_and_deletion_are_not_asked_about() -> None:
    """What the operator and autoscalers write, and whatever lets a Rollout go, never waits for an answer."""
    policy: Any = consent.definitions()[0]
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]

    assert (rule["resources"], rule["operations"]) == ([names.PLURAL], ["CREATE", "UPDATE"])
