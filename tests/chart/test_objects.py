"""What the chart renders: the objects, without a cluster."""

import re

import pytest
import yaml

from headgate import __main__ as operator
from headgate import assembly, settings
from headgate.api import crd
from headgate.cli import crds
from tests.chart import variants
from tests.chart.helm import Helm, Json, of_kind, only
from tests.chart.values_table import CHART

RIGHTS = CHART.parent.parent / "tests" / "control_plane" / "life" / "rbac.yaml"
LABELS = {
    *(f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "component", "part-of", "managed-by")),
    "helm.sh/chart",
}
SELECTOR = {"app.kubernetes.io/name": "headgate", "app.kubernetes.io/instance": "headgate"}


def rights_in_tests() -> Json:
    """Return the role that the tests run the operator under."""
    return only(list(yaml.safe_load_all(RIGHTS.read_text(encoding="utf-8"))), "ClusterRole")


def pod(objects: list[Json]) -> Json:
    """Return the specification of the operator's pod."""
    found: Json = only(objects, "Deployment")["spec"]["template"]["spec"]
    return found


def environment(objects: list[Json]) -> dict[str, str]:
    """Return the environment of the operator's container; there is nothing in it but plain text."""
    entries = pod(objects)["containers"][0]["env"]
    assert all(set(entry) == {"name", "value"} for entry in entries)
    return {entry["name"]: entry["value"] for entry in entries}


@pytest.mark.parametrize("values", variants.ALL.values(), ids=variants.ALL)
def test_labels(helm: Helm, values: Json) -> None:
    """Every object has the recommended labels, and selectors use those alone that never change."""
    objects = helm.objects({**values, "metricsService": {"enabled": True}})
    deployment, service = only(objects, "Deployment"), only(objects, "Service")

    assert [] == [body for body in objects if not set(body["metadata"]["labels"]) >= LABELS]
    assert deployment["spec"]["selector"] == {"matchLabels": SELECTOR}
    assert service["spec"]["selector"] == SELECTOR
    assert deployment["spec"]["template"]["metadata"]["labels"].items() >= SELECTOR.items()


def test_rights_are_the_tested_ones(helm: Helm) -> None:
    """The chart grants what the tests run the operator with: no right more, none less."""
    objects = helm.objects({**variants.SMALLEST, "rbac": {"aggregate": False}})
    role, binding, account = (only(objects, kind) for kind in ("ClusterRole", "ClusterRoleBinding", "ServiceAccount"))

    assert role["rules"] == rights_in_tests()["rules"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert [{"kind": "ServiceAccount", "name": "headgate", "namespace": "ops"}] == binding["subjects"]
    assert (account["metadata"]["name"], account["metadata"]["namespace"]) == ("headgate", "ops")
    assert pod(objects)["serviceAccountName"] == "headgate"


def test_namespaces_bound_the_rights(helm: Helm) -> None:
    """With namespaces the same rights hold in each, none for the cluster, and the operator looks nowhere else."""
    objects = helm.objects({**variants.NAMESPACED, "rbac": {"aggregate": False}})
    roles, bindings = of_kind(objects, "Role"), of_kind(objects, "RoleBinding")

    assert [] == of_kind(objects, "ClusterRole") + of_kind(objects, "ClusterRoleBinding")
    assert ["shop", "blog"] == [role["metadata"]["namespace"] for role in roles]
    assert ["shop", "blog"] == [binding["metadata"]["namespace"] for binding in bindings]
    assert all(role["rules"] == rights_in_tests()["rules"] for role in roles)
    assert {"ops"} == {subject["namespace"] for binding in bindings for subject in binding["subjects"]}
    assert "shop,blog" == environment(objects)["HEADGATE_NAMESPACES"]


def test_switched_off(helm: Helm) -> None:
    """What is switched off is not there, and the account of somebody else's making is used."""
    off = {"enabled": False}
    nothing = {"crds": off, "consent": off, "rbac": {"create": False, "aggregate": False}}
    objects = helm.objects({**variants.SMALLEST, **nothing, "serviceAccount": {"create": False, "name": "theirs"}})

    assert ["Deployment"] == [body["kind"] for body in objects]
    assert "theirs" == pod(objects)["serviceAccountName"]


def test_crd_is_the_generated_one(helm: Helm) -> None:
    """The chart's copy is `headgate crds`, to the byte, and rendering changes nothing about what it defines."""
    rendered = only(helm.objects(variants.SMALLEST), "CustomResourceDefinition")

    assert {crds.FILE: crds.text()} == {path.name: path.read_text() for path in (CHART / "files").iterdir()}
    assert rendered["metadata"]["name"] == crd.NAME
    assert rendered["spec"] == yaml.safe_load(crds.text())["spec"]


@pytest.mark.parametrize("keep", [True, False])
def test_crd_is_kept_by_annotation(helm: Helm, keep: bool) -> None:  # noqa: FBT001 - the value under test
    """Helm is told to leave the CRD, and told nothing where the user wants it gone."""
    rendered = only(helm.objects({**variants.SMALLEST, "crds": {"keep": keep}}), "CustomResourceDefinition")

    assert ({"helm.sh/resource-policy": "keep"} if keep else None) == rendered["metadata"].get("annotations")


@pytest.mark.parametrize("values", variants.ALL.values(), ids=variants.ALL)
def test_environment_is_understood(helm: Helm, monkeypatch: pytest.MonkeyPatch, values: Json) -> None:
    """The operator accepts all settings that the chart makes, and knows each of them."""
    for name in [settings.variable(field) for field in settings.Settings.model_fields]:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment(helm.objects(values)).items():
        monkeypatch.setenv(name, value)

    loaded = settings.load()

    assert {} == settings.unknown()
    assert tuple(values.get("namespaces", ())) == loaded.namespaces
    assert tuple(values.get("prometheus", {}).get("allowedAddresses", ())) == loaded.prometheus_allowed_addresses
    assert assembly.metrics_servers(loaded).address == values.get("prometheus", {}).get("address", "")


@pytest.mark.parametrize("values", variants.ALL.values(), ids=variants.ALL)
def test_ports_and_deadlines_fit(helm: Helm, values: Json) -> None:
    """Probes and Service reach the port that the operator listens on, and it may end before it is killed."""
    objects = helm.objects({**values, "metricsService": {"enabled": True}})
    spec, variables = pod(objects), environment(objects)
    (container,) = spec["containers"]
    ends_after_seconds = float(variables["HEADGATE_SHUTDOWN_SECONDS"]) + operator.BACKSTOP_SECONDS

    assert [{"name": "http", "containerPort": int(variables["HEADGATE_LISTEN_PORT"])}] == container["ports"]
    assert {"path": "/healthz", "port": "http"} == container["livenessProbe"]["httpGet"]
    assert {"path": "/readyz", "port": "http"} == container["readinessProbe"]["httpGet"]
    assert {"http"} == {port["targetPort"] for port in only(objects, "Service")["spec"]["ports"]}
    assert spec["terminationGracePeriodSeconds"] > ends_after_seconds


def test_one_operator_at_a_time(helm: Helm) -> None:
    """Without a leader election there is one pod, and its successor waits for its end."""
    spec = only(helm.objects(variants.SMALLEST), "Deployment")["spec"]

    assert (1, {"type": "Recreate"}) == (spec["replicas"], spec["strategy"])


def test_nothing_can_be_written(helm: Helm) -> None:
    """The container's root is read-only and no volume can be written: the image must be content with that."""
    spec = pod(helm.objects(variants.EVERYTHING))
    (container,) = spec["containers"]

    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert all(mount["readOnly"] for mount in container["volumeMounts"])


@pytest.mark.parametrize(
    ("values", "secrets"),
    [
        (variants.TOKEN, ["metrics", "authorities"]),
        (variants.PASSWORD, ["metrics", "authorities"]),
        (variants.TENANTS, ["metrics", "tenant", "authorities"]),
    ],
    ids=["token", "password", "tenants"],
)
def test_credentials_are_files(helm: Helm, values: Json, secrets: list[str]) -> None:
    """Each file that the operator is told of lies in the volume, from the Secret and key that the user named."""
    objects = helm.objects(values)
    spec = pod(objects)
    (mount,) = spec["containers"][0]["volumeMounts"]
    (volume,) = spec["volumes"]
    sources = [next(iter(source.values())) for source in volume["projected"]["sources"]]
    given = {f"{mount['mountPath']}/{item['path']}" for source in sources for item in source["items"]}

    assert given == {value for name, value in environment(objects).items() if name.endswith("_FILE")}
    assert secrets == [source["name"] for source in sources]
    assert mount["name"] == volume["name"]


def test_settings_of_tenants_reach_the_operator(helm: Helm) -> None:
    """What ties queries to a namespace, and what one may take, stands in the environment as the user wrote it."""
    told = environment(helm.objects(variants.TENANTS))

    assert "X-Scope-OrgID" == told["HEADGATE_PROMETHEUS_NAMESPACE_HEADER"]
    assert "namespace" == told["HEADGATE_PROMETHEUS_NAMESPACE_PARAMETER"]
    assert "5" == told["HEADGATE_METRIC_INTERVAL_SECONDS_MIN"]
    assert "100000" == told["HEADGATE_METRICS_PER_NAMESPACE_MAX"]


def test_keys_of_secrets(helm: Helm) -> None:
    """The keys inside Secrets and ConfigMaps are the user's, and have the usual names otherwise."""
    assert ['"who"', '"key"', '"root.pem"'] == re.findall(r"\{key: (\S+),", helm.text(variants.PASSWORD))
    assert ['"who"', '"key"', '"header-lines"', '"root.pem"'] == re.findall(
        r"\{key: (\S+),", helm.text(variants.TENANTS)
    )
    assert ['"token"', '"ca.crt"'] == re.findall(r"\{key: (\S+),", helm.text(variants.TOKEN))


@pytest.mark.parametrize(
    ("image", "reference"),
    [
        ({}, "registry.example/headgate:0.1.0-dev"),
        ({"tag": "2"}, "registry.example/headgate:2"),
        ({"tag": "2", "digest": f"sha256:{'a' * 64}"}, f"registry.example/headgate@sha256:{'a' * 64}"),
    ],
    ids=["version", "tag", "digest"],
)
def test_image(helm: Helm, image: Json, reference: str) -> None:
    """The image is that of the chart's version, unless a tag or, above it, a digest says otherwise."""
    spec = pod(helm.objects({"image": {"repository": "registry.example/headgate", **image}}))

    assert reference == spec["containers"][0]["image"]


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("headgate", {}, "headgate"),
        ("my-headgate", {}, "my-headgate"),
        ("ship", {}, "ship-headgate"),
        ("ship", {"nameOverride": "gate"}, "ship-gate"),
        ("ship", {"fullnameOverride": "gate"}, "gate"),
        ("r" * 53, {}, "r" * 40),
    ],
)
def test_names(helm: Helm, release: str, values: Json, name: str) -> None:
    """Objects are named for the release, once, and never longer than their endings allow."""
    ended = helm.run("template", release, str(CHART), values={**variants.SMALLEST, **values})
    objects = list(yaml.safe_load_all(ended.stdout))

    assert name == only(objects, "Deployment")["metadata"]["name"]
