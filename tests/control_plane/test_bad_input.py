"""What people write and the API server answers: refusals that say what would be right, and nothing lost of the rest.

Most is asked over HTTP, as a dry run where nothing has to be stored. What kubectl makes of it, and prints, is kubectl's
own in a few tests, which give it whole folders at once: each of its processes costs as much as twenty requests.
"""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import pydantic
import pytest

from headgate.api import spec
from tests.api import samples
from tests.control_plane import manifests
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.writing import DRY_RUN, HttpWriter, Options, created_namespace

pytestmark = pytest.mark.control_plane

Json = dict[str, Any]
REFUSED = manifests.refused()
ACCEPTED = manifests.accepted()
COLUMNS = ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "CANARY", "READY", "AGE"]
GITOPS = Options(manager="gitops")
INJECTOR = Options(manager="injector")
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def server(unattended: ControlPlane) -> HttpWriter:
    """The administrator's way to write in a namespace that these tests share: what they store is `fresh`."""
    return created_namespace(unattended.cluster, "input")


def fresh(name: str) -> Json:
    """Return the accepted Rollout *name* under a name that no other test uses."""
    rollout = ACCEPTED[name].rollout
    return {**rollout, "metadata": {**rollout["metadata"], "name": f"{name}-{next(_NUMBERS)}"}}


def name_of(rollout: Json) -> str:
    """Return the name of *rollout*."""
    return str(rollout["metadata"]["name"])


def stored(server: HttpWriter, rollout: Json) -> Json:
    """Return *rollout* as it is stored."""
    return server.get("rollouts", name_of(rollout)).done()


def quietly(control_plane: ControlPlane, *arguments: str) -> str:
    """Run kubectl, expect that it succeeds without a warning, and return what it prints."""
    ended = control_plane.kubectl(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@dataclasses.dataclass(frozen=True, slots=True)
class Folder:
    """The folder of accepted manifests, as kubectl applied it three times; Rollouts are by name."""

    stored: Mapping[str, Json]
    """After the first time."""
    again: Mapping[str, str]
    """What kubectl prints the second time."""
    moved: Mapping[str, Json]
    """After the third time, which is on the server's side."""


@pytest.fixture(scope="module")
def applied(unattended: ControlPlane) -> Folder:
    """The accepted manifests in a namespace of their own; kubectl neither fails nor warns."""
    inside = created_namespace(unattended.cluster, "applied")
    command = ("apply", "--namespace=applied", f"--filename={manifests.FOLDER / 'accepted'}")

    def listed() -> dict[str, Json]:
        return {name_of(rollout): rollout for rollout in inside.get("rollouts", "").done()["items"]}

    quietly(unattended, *command)
    before = listed()
    lines = quietly(unattended, *command).splitlines()
    quietly(unattended, *command, "--server-side")
    return Folder(before, {line.split()[0].partition("/")[2]: line for line in lines}, listed())


def _with(rollout: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return *rollout* with these fields of its spec."""
    return {**rollout, "spec": {**rollout["spec"], **fields}}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


# --- what is refused


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_path_and_remedy(name: str, server: HttpWriter) -> None:
    """Whoever writes something wrong is told where, and what would be right."""
    bad = REFUSED[name]

    words = server.create("rollouts", bad.rollout, DRY_RUN).refusal()

    assert bad.path in words
    assert bad.says in words


def test_kubectl_prints_each_refusal(unattended: ControlPlane) -> None:
    """Nothing of a refusal is lost on the way to the terminal, and nothing of a bad file is stored."""
    inside = created_namespace(unattended.cluster, "refused")

    ended = unattended.kubectl("apply", "--namespace=refused", f"--filename={manifests.FOLDER / 'refused'}")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert [] == [name for name, bad in REFUSED.items() if bad.path not in ended.stderr or bad.says not in ended.stderr]
    assert [] == inside.get("rollouts", "").done()["items"]


def test_selector_cannot_be_changed(server: HttpWriter) -> None:
    """A selector decides which running pods are ours, so it stays."""
    smallest = fresh("smallest")
    server.create("rollouts", smallest).done()
    labels = {"app": "web", "tier": "front"}
    template = {**smallest["spec"]["template"], "metadata": {"labels": labels}}

    changed = {"spec": {"selector": {"matchLabels": labels}, "template": template}}
    words = server.merge("rollouts", name_of(smallest), changed).refusal()

    assert "spec.selector: Forbidden" in words
    assert "put it back, or create another Rollout" in words


def test_password_is_not_repeated_by_the_model() -> None:
    """What the model says of an address may stand in a status, so it does not repeat the address."""
    with pytest.raises(pydantic.ValidationError) as refusal:
        spec.RolloutSpec.model_validate(REFUSED["address-with-password"].rollout["spec"])

    assert not [error for error in refusal.value.errors() if "secret" in error["msg"]]


@pytest.mark.parametrize(("field", "text"), samples.NOTATIONS, ids=str)
def test_server_and_model_agree(field: str, text: object, server: HttpWriter) -> None:
    """What the API server takes, the operator can read, and what one refuses the other does too."""
    rollout = samples.rollout_with(field, text)
    try:
        spec.RolloutSpec.model_validate(rollout["spec"])
        readable = True
    except pydantic.ValidationError:
        readable = False

    assert server.create("rollouts", rollout, DRY_RUN).accepted is readable


# --- what is kept


@pytest.mark.parametrize("name", ACCEPTED)
def test_applying_again_changes_nothing(name: str, applied: Folder) -> None:
    """GitOps sees no drift: the same file is unchanged the second time."""
    assert applied.again[name] == f"rollout.headgate.dev/{name} unchanged"


@pytest.mark.parametrize("name", ACCEPTED)
def test_server_side_applying_again_changes_nothing(name: str, server: HttpWriter) -> None:
    """Nor does server-side apply: the spec stays, and once the default of the status is stored nothing is written."""
    rollout = fresh(name)
    server.apply("rollouts", rollout, GITOPS).done()
    server.apply("rollouts", rollout, GITOPS).done()
    before = stored(server, rollout)

    server.apply("rollouts", rollout, GITOPS).done()

    assert before == stored(server, rollout)
    assert before["metadata"]["generation"] == 1


@pytest.mark.parametrize("name", ACCEPTED)
def test_moving_to_server_side_apply_is_quiet(name: str, applied: Folder) -> None:
    """Who applied on the client's side may go over to the server's: no conflict, no refusal, no change."""
    assert _without_nulls(applied.stored[name]["spec"]) == _without_nulls(applied.moved[name]["spec"])


@pytest.mark.parametrize("name", ACCEPTED)
def test_template_is_stored_as_written(name: str, applied: Folder) -> None:
    """The template is a revision's identity: the API server adds nothing to it and drops nothing but nulls."""
    written = ACCEPTED[name].rollout["spec"]["template"]

    assert _without_nulls(written) == applied.stored[name]["spec"]["template"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_stored_objects_are_read_as_they_were_written(name: str, applied: Folder) -> None:
    """The defaults of the schema are those of the model."""
    written = spec.RolloutSpec.model_validate(_without_nulls(ACCEPTED[name].rollout["spec"]))

    assert written == spec.RolloutSpec.model_validate(_without_nulls(applied.stored[name]["spec"]))


def test_defaults_are_shown(applied: Folder) -> None:
    """Stored objects tell the truth, and leave the number of pods to whoever scales."""
    smallest = applied.stored["smallest"]

    assert smallest["spec"]["progressDeadlineSeconds"] == 600
    assert smallest["spec"]["paused"] is False
    assert "replicas" not in smallest["spec"]
    assert smallest["status"] == {"observedGeneration": -1}


def test_unset_fields_of_a_canary_can_be_taken_out_again(server: HttpWriter) -> None:
    """A canary that is emptied by server-side apply is one without settings, not a null that nobody wrote."""
    smallest = fresh("smallest")
    both = _with(smallest, strategy={"canary": {"maxSurge": 2, "maxUnavailable": 1}})
    server.apply("rollouts", both, GITOPS).done()

    server.apply("rollouts", smallest, GITOPS).done()

    assert stored(server, smallest)["spec"]["strategy"] == {"canary": {}}


@pytest.mark.parametrize("analysis", [{}, {"metrics": []}, None], ids=str)
def test_analysis_can_be_taken_out_again(analysis: Json | None, server: HttpWriter) -> None:
    """However somebody writes that nothing is watched, the API server takes it."""
    rollout = fresh("design")
    server.apply("rollouts", rollout, GITOPS).done()

    server.apply("rollouts", _with(rollout, analysis=analysis), GITOPS).done()

    assert not stored(server, rollout)["spec"]["analysis"].get("metrics")


def test_containers_are_merged_by_name(server: HttpWriter) -> None:
    """Two managers can each own a container, and a field of one, without taking the other's away."""
    rollout = fresh("smallest")
    metadata = rollout["spec"]["template"]["metadata"]
    server.apply("rollouts", rollout, GITOPS).done()

    added = [{"name": "sidecar", "image": "proxy"}, {"name": "web", "env": [{"name": "A", "value": "x"}]}]
    partial = {**rollout, "spec": {"template": {"metadata": metadata, "spec": {"containers": added}}}}
    server.apply("rollouts", partial, INJECTOR).done()
    server.apply("rollouts", rollout, GITOPS).done()

    containers = stored(server, rollout)["spec"]["template"]["spec"]["containers"]
    assert {each["name"]: each for each in containers} == {
        "web": {"name": "web", "image": "podinfo", "env": [{"name": "A", "value": "x"}]},
        "sidecar": {"name": "sidecar", "image": "proxy"},
    }


# --- what people see, and the subresources


def test_explain_describes_fields(unattended: ControlPlane) -> None:
    """`kubectl explain` says what a field is for."""
    strategy = quietly(unattended, "explain", "rollout.spec.strategy")
    explained = quietly(unattended, "explain", "rollout.spec.strategy.canary")

    assert "How a new version takes over." in strategy
    assert "Ship a new version step by step." in explained
    assert all(field in explained for field in ("maxSurge", "maxUnavailable", "steps"))


def test_columns(unattended: ControlPlane) -> None:
    """`kubectl get hg` shows where every Rollout stands; wide says why."""
    inside = created_namespace(unattended.cluster, "columns")
    inside.create("rollouts", ACCEPTED["smallest"].rollout).done()
    inside.merge("rollouts", "smallest/status", {"status": samples.STATUS.written()}).done()

    header, row = quietly(unattended, "get", "hg", "--namespace=columns").splitlines()
    wide = quietly(unattended, "get", "headgate", "--namespace=columns", "--output=wide")

    assert COLUMNS == header.split()
    assert ["smallest", "Progressing", "2/5", "20", "5d8f6c9b7", "7c9d8e5f4", "11/12"] == row.split()[:-1]
    assert "smallest" in wide
    assert samples.MESSAGE in wide


def test_status_comes_back_as_it_was_written(server: HttpWriter) -> None:
    """The status is the controller's whole memory, so the API server keeps every field of it."""
    smallest = fresh("smallest")
    server.create("rollouts", smallest).done()
    server.merge("rollouts", f"{name_of(smallest)}/status", {"status": samples.STATUS.written()}).done()

    found = stored(server, smallest)

    assert samples.STATUS.written() == found["status"]
    assert found["metadata"]["generation"] == 1


def test_status_is_not_written_with_the_spec(server: HttpWriter) -> None:
    """Whoever applies a Rollout cannot claim anything in its status."""
    smallest = fresh("smallest")

    server.create("rollouts", {**smallest, "status": {"phase": "Healthy"}}).done()

    assert stored(server, smallest)["status"] == {"observedGeneration": -1}


def test_scaling(unattended: ControlPlane, server: HttpWriter) -> None:
    """People and autoscalers scale a Rollout as they scale a Deployment."""
    design = fresh("design")
    server.create("rollouts", design).done()

    quietly(unattended, "scale", f"hg/{name_of(design)}", "--namespace=input", "--replicas=7")

    scale = server.get("rollouts", f"{name_of(design)}/scale").done()
    assert scale["spec"]["replicas"] == 7
    assert stored(server, design)["spec"]["replicas"] == 7


def test_an_autoscaler_needs_replicas_once(server: HttpWriter) -> None:
    """The scale of a Rollout whose replicas nobody ever set cannot be read; setting them once is enough."""
    smallest = fresh("smallest")
    scale = f"{name_of(smallest)}/scale"
    server.apply("rollouts", smallest, GITOPS).done()

    assert "does not exist" in server.get("rollouts", scale).refusal()
    server.merge("rollouts", scale, {"spec": {"replicas": 3}}).done()
    server.apply("rollouts", smallest, GITOPS).done()
    assert stored(server, smallest)["spec"]["replicas"] == 3
