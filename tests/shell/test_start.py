"""What an operator brings into memory before it has done anything: a guard by names, not by time."""

import subprocess
import sys

import pytest

MODULES = "import headgate.__main__, sys; print(*sorted(sys.modules))"
OTHERS_MAX = 890
"""Modules of the standard library and of all packages; there are 883."""
OURS_MAX = 210
"""Modules of Headgate itself, packages included, of 400 lines at most; there are 195."""
PACKAGES = {
    "aiohappyeyeballs",
    "aiohttp",
    "aiohttp_retry",
    "aiosignal",
    "annotated_types",
    "attr",
    "certifi",
    "cronsim",
    "charset_normalizer",
    "click",
    "cython_runtime",
    "dateutil",
    "dotenv",
    "durationpy",
    "frozenlist",
    "headgate",
    "idna",
    "iso8601",
    "jsonpatch",
    "jsonpointer",
    "kopf",
    "kubernetes",
    "multidict",
    "oauthlib",
    "prometheus_api_client",
    "prometheus_client",
    "propcache",
    "pydantic",
    "pydantic_core",
    "pydantic_settings",
    "pythonjsonlogger",
    "requests",
    "requests_oauthlib",
    "six",
    "typing_extensions",
    "typing_inspection",
    "urllib3",
    "uvloop",
    "websocket",
    "yaml",
    "yarl",
}
HEAVY = {"dateparser", "matplotlib", "numpy", "pandas", "regex", "scipy"}
"""What prometheus-api-client would bring if it were asked for more than queries: 10 to 60 MiB."""
MODELS = {"v1_managed_fields_entry", "v1_object_meta", "v1_owner_reference"}
"""The typed models that kopf looks up at its import. All of them are 700 modules."""


@pytest.fixture(scope="module")
def modules() -> set[str]:
    """Return the modules that a fresh process has once the operator is imported."""
    ended = subprocess.run([sys.executable, "-c", MODULES], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_imports_no_package_that_is_new(modules: set[str]) -> None:
    """A package that comes into every operator's memory is added here by somebody who meant it."""
    inside = {name.partition(".")[0] for name in modules}
    known = PACKAGES | sys.stdlib_module_names

    assert {name for name in inside - known if not name.startswith("_")} == set()
    assert inside & HEAVY == set()


def test_imports_no_typed_client(modules: set[str]) -> None:
    """The Kubernetes client is used for its connection: its typed classes would cost 22 MiB and more."""
    parts = [name.split(".") for name in modules if name.startswith(("kubernetes.client.", "kubernetes.aio.client."))]
    typed = {part[-1] for part in parts if part[-2] in ("api", "models")}

    assert typed - MODELS == set()


def test_imports_about_as_many_modules_as_before(modules: set[str]) -> None:
    """No package grows unseen, and none of our own parts comes in unnoticed."""
    ours = {name for name in modules if name.partition(".")[0] == "headgate"}

    assert len(modules - ours) <= OTHERS_MAX
    assert len(ours) <= OURS_MAX


def test_the_operator_does_not_load_what_only_other_commands_need() -> None:
    """The image starts by `headgate run`, so that what a command needs for itself is loaded by that command alone."""
    listed = "import headgate.cli, sys; print(*sorted(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    loaded = set(ended.stdout.split())

    assert {name for name in loaded if name.startswith("headgate.cli.status.")} == set()
    assert {name for name in loaded if name.startswith(("headgate.adapters", "kubernetes", "rich"))} == set()
