"""The chart and consent: the policy is there where it can be, says so where it cannot, and holds on a real server."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from hack.cluster import wait_until
from headgate.cli import policies
from tests.chart import variants
from tests.chart.helm import Helm, Json, of_kind, only
from tests.chart.releases import NAMESPACE, Release
from tests.chart.values_table import CHART
from tests.control_plane.life.reading import HttpReader
from tests.control_plane.life.rollouts import manifest
from tests.control_plane.life.shops import SERVICES, Shop, service
from tests.control_plane.people import ROLLOUTS, Person
from tests.control_plane.writing import DRY_RUN

POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
SERVED = f"--api-versions=admissionregistration.k8s.io/v1/{POLICY}"
KINDS_ARE_KNOWN = "--api-versions=apps/v1/Deployment"
OFF: Json = {**variants.SMALLEST, "consent": {"enabled": False}}


@pytest.mark.parametrize("values", variants.ALL.values(), ids=variants.ALL)
def test_policy_is_the_tested_one(helm: Helm, values: Json) -> None:
    """Whatever else is set, the chart has the policy that the tests try, for all namespaces."""
    objects = helm.objects(values)
    written = {body["kind"]: body["spec"] for body in yaml.safe_load_all(policies.text())}
    policy, binding = only(objects, POLICY), only(objects, BINDING)

    assert policy["spec"] == written[POLICY]
    assert binding["spec"] == {**written[BINDING], "policyName": policy["metadata"]["name"]}


@pytest.mark.parametrize(
    ("options", "there"),
    [
        ((), True),
        (("--kube-version=1.30.0",), True),
        (("--kube-version=v1.31.4-eks-1",), True),
        (("--kube-version=1.29.9",), False),
        (("--kube-version=1.29.9", SERVED, KINDS_ARE_KNOWN), True),
        ((SERVED, KINDS_ARE_KNOWN), True),
        ((KINDS_ARE_KNOWN,), False),
    ],
    ids=["no cluster", "1.30", "suffix", "1.29", "1.29 that serves it", "serves it", "does not serve it"],
)
def test_policy_is_where_it_is_served(helm: Helm, options: tuple[str, ...], there: bool) -> None:  # noqa: FBT001 - the value under test
    """The cluster's kinds decide, as Helm and Argo CD know them; where none are known, its version does."""
    objects = helm.objects(variants.SMALLEST, *options)

    assert [there, there] == [bool(of_kind(objects, kind)) for kind in (POLICY, BINDING)]


def test_policy_can_be_left_out(helm: Helm) -> None:
    """With consent.enabled off there is none, whatever the cluster serves."""
    objects = helm.objects(OFF, SERVED, KINDS_ARE_KNOWN)

    assert [] == of_kind(objects, POLICY) + of_kind(objects, BINDING)


@pytest.mark.parametrize(
    ("values", "version", "words"),
    [
        (variants.SMALLEST, "1.36.0", ""),
        (variants.SMALLEST, "1.29.9", "This cluster serves no ValidatingAdmissionPolicy"),
        (OFF, "1.36.0", "consent.enabled is false"),
    ],
    ids=["there", "not served", "left out"],
)
def test_notes_tell_what_is_missing(helm: Helm, tmp_path: Path, values: Json, version: str, words: str) -> None:
    """A person who installs without the policy reads what that means."""
    chart = tmp_path / "headgate"
    shutil.copytree(CHART, chart)
    (chart / "templates" / "said.yaml").write_text('said: {{ include "headgate.consent.missing" . | quote }}')

    shown = ("--show-only=templates/said.yaml", f"--kube-version={version}")
    ended = helm.run("template", "headgate", str(chart), *shown, values=values)

    said = yaml.safe_load(ended.stdout)["said"]
    assert said.startswith(words)
    assert said.endswith("is enough to have Headgate change any Service and route of that namespace.") or not words
    assert bool(said) == bool(words)


def test_releases_do_not_collide(helm: Helm) -> None:
    """Two releases have two policies, also where they have one name in two namespaces."""
    names = set()
    for name, namespace in (("headgate", "one"), ("headgate", "two"), ("other", "one")):
        ended = helm.run("template", name, str(CHART), f"--namespace={namespace}", values=variants.SMALLEST)
        assert ended.returncode == 0, ended.stderr
        names |= {(body["kind"], body["metadata"]["name"]) for body in yaml.safe_load_all(ended.stdout) if body}

    assert len([name for name in names if name[0] == POLICY]) == 3
    assert len([name for name in names if name[0] == BINDING]) == 3


@pytest.mark.control_plane
@pytest.mark.parametrize("enabled", [True, False], ids=["with", "without"])
def test_a_service_is_taken_over_only_without_it(release: Release, tmp_path: Path, enabled: bool) -> None:  # noqa: FBT001 - the value under test
    """Who may write Rollouts and no Services cannot have one switched; without the policy that was possible."""
    notes = release.install({**variants.SMALLEST, "consent": {"enabled": enabled}})
    assert ("consent.enabled is false: the right to write Rollouts" in notes) is not enabled
    namespace = release.namespace("shop")
    shop = Shop(release.kubectl, HttpReader(release.control_plane.cluster), namespace)
    bob = Person(release.control_plane, "bob", namespace)
    bob.grant(ROLLOUTS)
    shop.add(service())
    given = manifest(namespace, "v1", strategy={"blueGreen": {}}, traffic=SERVICES)

    def denied() -> bool:
        return "denied request" in bob.http.create("rollouts", given, DRY_RUN).body.get("message", "")

    assert wait_until(lambda: denied() is enabled, deadline_seconds=60)
    with release.operator(tmp_path):
        assert bob.http.create("rollouts", given).accepted is not enabled
        if not enabled:
            shop.wait_stable("v1")
            template = {"spec": {"containers": [{"name": "app", "image": "registry.example/web:v2"}]}}
            bob.http.merge("rollouts", "web", {"spec": {"template": template}}).done()
            shop.wait(lambda: bool(shop.selects("web")), "the Service leads where the Rollout wants")
        assert bool(shop.selects("web")) is not enabled
    assert {f"{POLICY}/headgate-consent.{NAMESPACE}"} == release.present(POLICY) or not enabled
    stored = json.loads(release.kubectl("get", BINDING, "-o", "json"))["items"]
    assert [f"headgate-consent.{NAMESPACE}"] * enabled == [body["spec"]["policyName"] for body in stored]
