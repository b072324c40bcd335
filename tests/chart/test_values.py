"""What may be set, what is refused and with which words, and what is said about it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.version import Version

from headgate import __version__, settings
from tests.chart import values_table, variants
from tests.chart.helm import Helm, Json, of_kind
from tests.chart.values_table import CHART

TEXT = (CHART / "values.yaml").read_text(encoding="utf-8")
DEFAULTS: Json = yaml.safe_load(TEXT)
SCHEMA: Json = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
SECRET = {"secretName": "one"}

# Values, and what the refusal must name.
REFUSED: dict[str, tuple[Json, str]] = {
    "unknown": ({"replicas": 2}, "(root): Additional property replicas is not allowed"),
    "unknown below": ({"log": {"colour": "red"}}, "log: Additional property colour is not allowed"),
    "a word for a number": ({"workers": "many"}, "workers: Invalid type. Expected: integer, given: string"),
    "too small": ({"workers": 0}, "workers: Must be greater than or equal to 1"),
    "too large": ({"shutdownSeconds": 31}, "shutdownSeconds: Must be less than or equal to 30"),
    "a word for a switch": ({"crds": {"keep": "yes"}}, "crds.keep: Invalid type. Expected: boolean, given: string"),
    "not one of them": ({"log": {"format": "xml"}}, "log.format: log.format must be one of the following"),
    "no URL": ({"prometheus": {"address": "prometheus:9090"}}, "prometheus.address: Does not match pattern"),
    "a password in a URL": ({"prometheus": {"address": "http://me:pw@one"}}, "prometheus.address: Does not match"),
    "two in one": (
        {"prometheus": {"allowedAddresses": ["http://a,http://b"]}},
        "prometheus.allowedAddresses.0: Does not match",
    ),
    "no namespace": ({"namespaces": ["Shop"]}, "namespaces.0: Does not match pattern"),
    "a namespace twice": ({"namespaces": ["shop", "shop"]}, "namespaces: array items[0,1] must be unique"),
    "no digest": ({"image": {"digest": "sha256:12"}}, "image.digest: Does not match pattern"),
    "a digest in the repository": ({"image": {"repository": "a@sha256:1"}}, "image.repository: Does not match pattern"),
    "a secret as text": ({"imagePullSecrets": ["one"]}, "imagePullSecrets.0: Invalid type. Expected: object"),
    "a header with a line end": (
        {"prometheus": {"namespaceHeader": "X-Scope-OrgID\r\nX-Other"}},
        "prometheus.namespaceHeader: Does not match pattern",
    ),
    "a parameter with another": (
        {"prometheus": {"namespaceParameter": "namespace=a&query"}},
        "prometheus.namespaceParameter: Does not match pattern",
    ),
    "an interval below a second": (
        {"prometheus": {"metricIntervalSecondsMin": 0.5}},
        "prometheus.metricIntervalSecondsMin: Must be greater than or equal to 1",
    ),
    "a name too long": ({"fullnameOverride": "a" * 41}, "fullnameOverride: String length must be less than"),
}
# Values that are right each by itself.
CONTRADICTIONS: dict[str, tuple[Json, str]] = {
    "no image": ({"image": {"repository": ""}}, "image.repository is empty: no image is published yet"),
    "two credentials": (
        {"prometheus": {"bearerToken": SECRET, "basicAuth": SECRET}},
        "prometheus.bearerToken.secretName and prometheus.basicAuth.secretName are both set",
    ),
    "two authorities": (
        {"prometheus": {"ca": {"secretName": "one", "configMapName": "two"}}},
        "prometheus.ca.secretName and prometheus.ca.configMapName are both set",
    ),
    "nobody's account": ({"serviceAccount": {"create": False}}, "serviceAccount.name is empty: name the account"),
}
# Which setting a value is the default of. The rest of the settings the chart gives itself, or not at all.
SETTINGS = {
    "prometheus_address": ("prometheus", "address"),
    "prometheus_allowed_addresses": ("prometheus", "allowedAddresses"),
    "prometheus_timeout_seconds": ("prometheus", "timeoutSeconds"),
    "prometheus_namespace_header": ("prometheus", "namespaceHeader"),
    "prometheus_namespace_parameter": ("prometheus", "namespaceParameter"),
    "metric_interval_seconds_min": ("prometheus", "metricIntervalSecondsMin"),
    "metrics_per_namespace_max": ("prometheus", "metricsPerNamespaceMax"),
    "scrape_interval_seconds": ("prometheus", "scrapeIntervalSeconds"),
    "namespaces": ("namespaces",),
    "workers": ("workers",),
    "resync_seconds": ("resyncSeconds",),
    "request_timeout_seconds": ("requestTimeoutSeconds",),
    "log_level": ("log", "level"),
    "shutdown_seconds": ("shutdownSeconds",),
}


def at(tree: Any, path: tuple[str, ...]) -> Any:
    """Return what *tree* holds at *path*."""
    for key in path:
        tree = tree[key]
    return tree


@pytest.mark.parametrize(("values", "words"), REFUSED.values(), ids=REFUSED)
def test_wrong_value_is_refused(helm: Helm, values: Json, words: str) -> None:
    """A value that cannot be right is refused with its path."""
    assert words in helm.refusal({**variants.SMALLEST, **values})


@pytest.mark.parametrize(("values", "words"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradiction_is_refused(helm: Helm, values: Json, words: str) -> None:
    """Values that do not fit together are refused with both names and what would be right."""
    assert words in helm.refusal({**variants.SMALLEST, **values})


def test_older_cluster_is_refused(helm: Helm) -> None:
    """A cluster in which the CRD's rules would not count is refused before anything is installed."""
    assert "requires kubeVersion: >=1.29.0-0" in helm.refusal(variants.SMALLEST, "--kube-version=1.28.15")
    assert helm.objects(variants.SMALLEST, "--kube-version=v1.29.1-eks-1")


def test_schema_and_values_agree() -> None:
    """The schema knows each value and no other, and nothing free but what Kubernetes itself defines."""

    def properties(schema: Json, path: str = "") -> set[str]:
        below = schema.get("properties")
        if below is None:
            return {path}
        assert schema["additionalProperties"] is False, path
        return set().union(*(properties(child, f"{path}.{name}") for name, child in below.items()))

    def leaves(node: Any, path: str = "") -> set[str]:
        if not isinstance(node, dict) or not node or path.startswith(".resources."):
            return {path}
        return set().union(*(leaves(child, f"{path}.{name}") for name, child in node.items()))

    assert leaves(DEFAULTS) | {".global"} == properties(SCHEMA)


def test_chart_can_be_a_part(helm: Helm, tmp_path: Path) -> None:
    """Another chart may depend on this one: the `global` that Helm then passes down is no unknown value."""
    whole = tmp_path / "whole"
    (whole / "charts").mkdir(parents=True)
    (whole / "Chart.yaml").write_text("{apiVersion: v2, name: whole, version: 1.0.0}")
    (whole / "charts" / "headgate").symlink_to(CHART)

    ended = helm.run("template", "one", str(whole), values={"headgate": variants.SMALLEST, "global": {"region": "x"}})

    assert ended.returncode == 0, ended.stderr
    assert "name: one-headgate" in ended.stdout


def test_every_value_is_explained() -> None:
    """Each value has a comment, and no empty one."""
    assert [] == list(values_table.unexplained(TEXT))
    assert [] == [value.path for value in values_table.values(TEXT) if not value.comment]


def test_unexplained_value_is_found() -> None:
    """A value without a comment is found, beside explained ones and below them."""
    text = "# A.\na: 1\nb: 2\nc:\n  # D.\n  d: {}\n  e: 3\n# F.\nf:\n  g: 4\n"

    assert ["b", "c.e"] == list(values_table.unexplained(text))


def test_readme_has_the_values() -> None:
    """The README's table is what `python -m tests.chart.values_table` makes of values.yaml."""
    readme = (CHART / "README.md").read_text(encoding="utf-8")

    assert values_table.renewed(readme, TEXT) == readme


@pytest.mark.parametrize("field", SETTINGS)
def test_default_is_the_operators(field: str) -> None:
    """A value that is a setting has the setting's own default."""
    default = settings.Settings.model_fields[field].default

    assert at(DEFAULTS, SETTINGS[field]) == (list(default) if isinstance(default, tuple) else default)


def test_every_setting_can_be_reached(helm: Helm) -> None:
    """Each of the operator's settings is set by the chart, from a value or for good."""
    names: set[str] = set()
    for values in variants.ALL.values():
        for body in of_kind(helm.objects(values), "Deployment"):
            names |= {entry["name"] for entry in body["spec"]["template"]["spec"]["containers"][0]["env"]}

    assert names == {settings.variable(field) for field in settings.Settings.model_fields}


def test_version_is_the_operators() -> None:
    """Chart and image carry the version of the code, as semantic versioning writes it."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    version = Version(__version__)
    semantic = version.base_version + ("-dev" if version.is_devrelease else "")

    assert (semantic, semantic) == (chart["version"], chart["appVersion"])


def test_lint(helm: Helm) -> None:
    """Helm itself has nothing against the chart, with the least values and with all of them."""
    for values in (variants.SMALLEST, variants.EVERYTHING):
        ended = helm.run("lint", "--strict", str(CHART), values=values)

        assert ended.returncode == 0, ended.stdout
