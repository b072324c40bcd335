"""One use of `headgate status`, against an API server by script: its exit code, and the line where it cannot read."""

import argparse
import json
from pathlib import Path

import pytest
from aiohttp import web

from headgate import cli
from headgate.api import names
from headgate.cli.command import CommandError
from headgate.cli.status import ending, session
from headgate.core.model import Json
from tests.shell.status_views import CASES
from tests.shell.stubs import Stub
from tests.shell.test_access import kubeconfig


@pytest.fixture
def config(stub: Stub, tmp_path: Path) -> Path:
    """A kubeconfig for the stub."""
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig({"server": stub.address})))
    return path


def arguments(config: Path, *more: str) -> argparse.Namespace:
    """Return the arguments of a command line."""
    parser = argparse.ArgumentParser()
    status = next(command for command in cli.COMMANDS if command.name == "status")
    status.add_arguments(parser)
    return parser.parse_args(["web", "-n", "shop", f"--kubeconfig={config}", *more])


def rollout(case: str) -> Json:
    """Return the Rollout of a case as the API server gives it."""
    return {"apiVersion": names.API_VERSION, **CASES[case].rollout}


def listed(kind: str, version: str, *items: Json) -> Json:
    """Return a list of objects."""
    return {"kind": f"{kind}List", "apiVersion": version, "items": list(items)}


@pytest.mark.parametrize(
    ("case", "code"),
    [("Paused", ending.SERVES), ("Healthy", ending.SERVES), ("RolledBack", ending.FAILED), ("Degraded", ending.FAILED)],
)
async def test_a_look_has_an_exit_code(
    stub: Stub, config: Path, capsys: pytest.CaptureFixture[str], case: str, code: int
) -> None:
    """What is under way has not failed; what was taken back has."""
    nothing = listed("Deployment", "apps/v1")
    stub.objects(rollout(case), nothing, listed("Event", "events.k8s.io/v1"))

    assert await session.show(arguments(config)) == code
    assert capsys.readouterr().out.startswith(f"Rollout shop/web  {case}\n")


NOT_SERVED = (
    "does not know rollouts.headgate.dev; install its definition: kubectl apply --server-side -f crds/, or the chart"
)
NO_RIGHT = "ask for the right to get, list and watch rollouts.headgate.dev in the namespace shop"
LOG_IN = "does not accept the credentials of the kubeconfig PATH: log in again"
NO_JSON = "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"


@pytest.mark.parametrize("more", [(), ("--watch",)], ids=["once", "watch"])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            (404, "404 page not found\n"),
            f"the cluster of the kubeconfig PATH {NOT_SERVED}",
        ),
        ((403, '{"kind": "Status", "message": "ann cannot"}'), f"ann cannot; {NO_RIGHT}"),
        ((401, "Unauthorized"), f"the API server SERVER {LOG_IN}"),
        ((200, "<html>log in</html>"), f"the API server SERVER of the kubeconfig PATH cannot be asked: {NO_JSON}"),
    ],
    ids=["no definition", "no right", "no credentials", "a page"],
)
async def test_what_is_in_the_way_is_said(
    stub: Stub, config: Path, more: tuple[str, ...], answer: tuple[int, str], expected: str
) -> None:
    """Each has its own line: what is wrong, and what to do."""
    status, body = answer
    stub.answers.extend(web.Response(status=status, text=body) for _ in range(4))
    with pytest.raises(CommandError) as error:
        await session.show(arguments(config, *more))

    assert str(error.value) == expected.replace("SERVER", stub.address).replace("PATH", str(config))


async def test_a_server_that_is_away_is_said(tmp_path: Path) -> None:
    """The line has the address, and where it was found."""
    path = tmp_path / "config"
    path.write_text(json.dumps(kubeconfig({"server": "http://127.0.0.1:1"})))
    with pytest.raises(CommandError, match=f"the API server http://127.0.0.1:1 of the kubeconfig {path} cannot be"):
        await session.show(arguments(path))


async def test_a_missing_rollout_is_said_with_the_others(stub: Stub, config: Path) -> None:
    """A name with a slip in it is found by the names that there are."""
    stub.status(404, name="web", kind="rollouts")
    others = [{"metadata": {"name": f"web{number}", "namespace": "shop"}} for number in range(12)]
    stub.objects({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": others})
    with pytest.raises(CommandError) as error:
        await session.show(arguments(config))

    named = ", ".join(f"web{number}" for number in range(10))
    assert (
        str(error.value)
        == f"no Rollout web in the namespace shop: there are {named}, … (another namespace: -n NAMESPACE)"
    )


async def test_a_context_that_is_missing_is_said(config: Path) -> None:
    """A context that the kubeconfig does not have is one line with its name."""
    with pytest.raises(CommandError, match=r"cannot be used: .*elsewhere"):
        await session.show(arguments(config, "--context=elsewhere"))
