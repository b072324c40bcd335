"""kind itself, built from its Go module, told by our command line; of Docker there is only a stand-in.

How far it gets is how far it can be proven without an engine: to the containers that it asks Docker for.
"""

import os
from pathlib import Path

import pytest
import yaml

from hack.cluster import __main__ as command_line
from hack.cluster import add_ons, binaries, kind
from hack.cluster.components import ModuleGroup
from tests.cluster.stand_ins import StandIns

KIND = ModuleGroup(
    name="kind",
    module="kind",
    packages={"kind": "sigs.k8s.io/kind"},
    versioned_by="sigs.k8s.io/kind",
)
# Docker on a modern Linux, with the image of a node. Nodes boot, and nothing can be done in them.
ENGINE = (
    "-v) echo Docker version 29.1.0, build 0",
    "*'{{.ServerVersion}}') echo 29.1.0",
    """*'{{json .}}') echo '{"CgroupDriver": "systemd", "CgroupVersion": "2"}'""",
    "'logs -f'*) echo Reached target Multi-User System.",
)
# The same with both containers of the cluster shop.
SHOP = (
    "ps*Label*) echo shop; echo shop",
    "ps*Names*) echo shop-control-plane; echo shop-worker",
    "*kind.role*control-plane) echo control-plane",
    "*kind.role*worker) echo worker",
    r"inspect*.NetworkSettings.Ports*control-plane) printf '127.0.0.1\t41443'",
    "exec*admin.conf) echo '{clusters: [{name: shop, cluster: {}}], users: [{name: me}], contexts: [{name: here}]}'",
)
WRONG = {
    "an unknown field": ("extraPortMappings", "extraPorts", "field extraPorts not found in type v1alpha4.Node"),
    "an unknown role": ("role: worker", "role: servant", '"servant" is not a valid node role'),
    "no control plane": ("role: control-plane", "role: worker", "must have at least one control-plane node"),
    "a port that is none": ("30080", "300800", "invalid containerPort"),
    "another version of the format": ("v1alpha4", "v1alpha9", "unknown apiVersion: kind.x-k8s.io/v1alpha9"),
}


@pytest.fixture(scope="module")
def program() -> Path:
    """Return kind's own program: half a minute of compiling the first time, and then from the cache."""
    return binaries.install((KIND,), print).binary(KIND.name, "kind")


@pytest.fixture
def docker(program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIns:
    """Put kind and a stand-in for Docker on the PATH, and have nothing of our environment change what they do."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy") or name.startswith("KIND_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = StandIns(tmp_path / "programs")
    made.add("docker", *ENGINE)
    made.before_others(monkeypatch, program.parent)
    return made


def _run(command: str) -> int:
    return command_line.main([command, "--on", "kind", "--name", "shop"])


def _containers(docker: StandIns) -> dict[str, str]:
    """Return what Docker was asked to run, by the name of the container."""
    return {call.split()[3]: call for call in docker.calls("docker run --name ")}


def test_kind_takes_our_configuration(docker: StandIns, capfd: pytest.CaptureFixture[str]) -> None:
    """From our file kind makes a control plane and a worker that publishes both ports on this machine alone."""
    code = _run("up")
    said = capfd.readouterr().err
    containers = _containers(docker)

    assert {f"shop-{role}" for role in (kind.CONTROL_PLANE, kind.WORKER)} == set(containers), said
    worker = [word for word in containers["shop-worker"].split() if word.startswith("--publish=127.0.0.1:")]
    ports = (add_ons.GATEWAY_NODE_PORT, add_ons.PROMETHEUS_NODE_PORT)
    assert [f":{port}/TCP" for port in ports] == [word[word.rindex(":") :] for word in worker]
    assert (1, True) == (code, said.splitlines()[-1].startswith("error: 'kind create cluster --name=shop "))


@pytest.mark.parametrize(("ours", "wrong", "words"), WRONG.values(), ids=WRONG)
def test_kind_refuses_what_is_wrong(
    docker: StandIns,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    ours: str,
    wrong: str,
    words: str,
) -> None:
    """A mistake in the file is found by kind before it asks Docker for any container."""
    text = kind.CONFIGURATION.read_text(encoding="utf-8")
    monkeypatch.setattr(kind, "CONFIGURATION", tmp_path / "kind-config.yaml")
    kind.CONFIGURATION.write_text(text.replace(ours, wrong), encoding="utf-8")

    assert ours in text
    assert 1 == _run("up")
    assert words in capfd.readouterr().err
    assert {} == _containers(docker)


def test_kind_knows_our_commands(docker: StandIns, capfd: pytest.CaptureFixture[str]) -> None:
    """Of a cluster that is there, kind writes the kubeconfig that we print, and deletes its containers and no other."""
    docker.add("docker", *ENGINE, *SHOP)
    assert 0 == _run("up")
    kubeconfig = Path(capfd.readouterr().out.strip().removeprefix("export KUBECONFIG="))
    clusters = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["clusters"]
    assert ["https://127.0.0.1:41443"] == [one["cluster"]["server"] for one in clusters]

    assert 0 == _run("down")
    assert ["docker rm -f -v shop-control-plane shop-worker"] == docker.calls("docker rm")
    assert not kubeconfig.exists()
