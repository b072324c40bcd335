"""What people write and the API server answers: refusals that say what would be right, and nothing lost of the rest."""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pydantic
import pytest
import yaml

from headgate.api import spec
from tests.api import samples
from tests.control_plane import manifests
from tests.control_plane.conftest import ControlPlane, running

pytestmark = pytest.mark.control_plane

REFUSED = manifests.refused()
ACCEPTED = manifests.accepted()
COLUMNS = ["NAME", "PHASE", "STEP", "WEIGHT", "STABLE", "CANARY", "READY", "AGE"]


class Namespace:
    """A namespace of its own, and kubectl in it."""

    def __init__(self, control_plane: ControlPlane, name: str) -> None:
        self._control_plane = control_plane
        self._name = name

    def refuses(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl, expect a refusal, and return its words."""
        result = self._control_plane.kubectl(f"--namespace={self._name}", *arguments, stdin=stdin)
        assert result.returncode != 0, result.stdout
        return result.stderr

    def does(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl, expect that it succeeds without a warning, and return what it prints."""
        result = self._control_plane.kubectl(f"--namespace={self._name}", *arguments, stdin=stdin)
        assert (result.returncode, result.stderr) == (0, "")
        return result.stdout

    def accepts(self, rollout: Mapping[str, Any]) -> bool:
        """Return whether the API server would take *rollout*."""
        result = self._control_plane.kubectl(
            f"--namespace={self._name}", "create", "--dry-run=server", "-f", "-", stdin=json.dumps(rollout)
        )
        return result.returncode == 0

    def apply(self, rollout: Mapping[str, Any], *, manager: str) -> None:
        """Apply *rollout* on the server's side as *manager*."""
        self.does("apply", "--server-side", f"--field-manager={manager}", "-f", "-", stdin=json.dumps(rollout))

    def get(self, name: str) -> dict[str, Any]:
        """Return the Rollout as it is stored."""
        rollout: dict[str, Any] = json.loads(self.does("get", "rollout", name, "--output=json"))
        return rollout


@pytest.fixture(scope="module")
def unattended() -> Iterator[ControlPlane]:
    """A control plane without an operator: what is stored there is what was written."""
    with running("input") as started:
        yield started


@pytest.fixture
def namespace(unattended: ControlPlane) -> Namespace:
    """A namespace that nobody else uses."""
    name = f"input-{uuid.uuid4().hex[:8]}"
    created = unattended.kubectl("create", "namespace", name)
    assert created.returncode == 0, created.stderr
    return Namespace(unattended, name)


def _with(rollout: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """Return *rollout* with these fields of its spec."""
    return {**rollout, "spec": {**rollout["spec"], **fields}}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


# --- what is refused


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_names_path_and_remedy(name: str, namespace: Namespace) -> None:
    """Whoever writes something wrong is told where, and what would be right."""
    bad = REFUSED[name]

    words = namespace.refuses("apply", "-f", str(bad.file))

    assert bad.path in words
    assert bad.says in words


def test_selector_cannot_be_changed(namespace: Namespace) -> None:
    """A selector decides which running pods are ours, so it stays."""
    smallest = ACCEPTED["smallest"].rollout
    namespace.does("apply", "-f", "-", stdin=json.dumps(smallest))
    labels = {"app": "web", "tier": "front"}
    template = {**smallest["spec"]["template"], "metadata": {"labels": labels}}

    changed = _with(smallest, selector={"matchLabels": labels}, template=template)
    words = namespace.refuses("apply", "-f", "-", stdin=json.dumps(changed))

    assert "spec.selector: Forbidden" in words
    assert "put it back, or create another Rollout" in words


def test_password_is_not_repeated_by_the_model() -> None:
    """What the model says of an address may stand in a status, so it does not repeat the address."""
    with pytest.raises(pydantic.ValidationError) as refusal:
        spec.RolloutSpec.model_validate(REFUSED["address-with-password"].rollout["spec"])

    assert not [error for error in refusal.value.errors() if "secret" in error["msg"]]


@pytest.mark.parametrize(("field", "text"), samples.NOTATIONS, ids=str)
def test_server_and_model_agree(field: str, text: object, namespace: Namespace) -> None:
    """What the API server takes, the operator can read, and what one refuses the other does too."""
    rollout = samples.rollout_with(field, text)
    try:
        spec.RolloutSpec.model_validate(rollout["spec"])
        readable = True
    except pydantic.ValidationError:
        readable = False

    assert namespace.accepts(rollout) is readable


# --- what is kept


@pytest.mark.parametrize("name", ACCEPTED)
def test_applying_again_changes_nothing(name: str, namespace: Namespace) -> None:
    """GitOps sees no drift: the same file is unchanged the second time."""
    file = str(ACCEPTED[name].file)
    namespace.does("apply", "-f", file)

    assert "unchanged" in namespace.does("apply", "-f", file)


@pytest.mark.parametrize("name", ACCEPTED)
def test_server_side_applying_again_changes_nothing(name: str, namespace: Namespace) -> None:
    """Nor does server-side apply: the spec stays, and once the default of the status is stored nothing is written."""
    rollout = ACCEPTED[name].rollout
    namespace.apply(rollout, manager="gitops")
    namespace.apply(rollout, manager="gitops")
    before = namespace.get(name)

    namespace.apply(rollout, manager="gitops")

    assert before == namespace.get(name)
    assert before["metadata"]["generation"] == 1


@pytest.mark.parametrize("name", ACCEPTED)
def test_moving_to_server_side_apply_is_quiet(name: str, namespace: Namespace) -> None:
    """Who applied on the client's side may go over to the server's: no conflict, no refusal, no change."""
    file = str(ACCEPTED[name].file)
    namespace.does("apply", "-f", file)
    before = namespace.get(name)

    namespace.does("apply", "--server-side", "-f", file)

    assert _without_nulls(before["spec"]) == _without_nulls(namespace.get(name)["spec"])


@pytest.mark.parametrize("name", ACCEPTED)
def test_template_is_stored_as_written(name: str, namespace: Namespace) -> None:
    """The template is a revision's identity: the API server adds nothing to it and drops nothing but nulls."""
    rollout = ACCEPTED[name].rollout

    namespace.does("apply", "-f", str(ACCEPTED[name].file))

    assert _without_nulls(rollout["spec"]["template"]) == namespace.get(name)["spec"]["template"]


@pytest.mark.parametrize("name", ACCEPTED)
def test_stored_objects_are_read_as_they_were_written(name: str, namespace: Namespace) -> None:
    """The defaults of the schema are those of the model."""
    written = spec.RolloutSpec.model_validate(_without_nulls(ACCEPTED[name].rollout["spec"]))

    namespace.does("apply", "-f", str(ACCEPTED[name].file))

    assert written == spec.RolloutSpec.model_validate(_without_nulls(namespace.get(name)["spec"]))


def test_defaults_are_shown(namespace: Namespace) -> None:
    """Stored objects tell the truth, and leave the number of pods to whoever scales."""
    namespace.does("apply", "-f", str(ACCEPTED["smallest"].file))
    stored = namespace.get("smallest")

    assert stored["spec"]["progressDeadlineSeconds"] == 600
    assert stored["spec"]["paused"] is False
    assert "replicas" not in stored["spec"]
    assert stored["status"] == {"observedGeneration": -1}


def test_unset_fields_of_a_canary_can_be_taken_out_again(namespace: Namespace) -> None:
    """A canary that is emptied by server-side apply is one without settings, not a null that nobody wrote."""
    smallest = ACCEPTED["smallest"].rollout
    both = _with(smallest, strategy={"canary": {"maxSurge": 2, "maxUnavailable": 1}})
    namespace.apply(both, manager="gitops")

    namespace.apply(smallest, manager="gitops")

    assert namespace.get("smallest")["spec"]["strategy"] == {"canary": {}}


@pytest.mark.parametrize("analysis", [{}, {"metrics": []}, None], ids=str)
def test_analysis_can_be_taken_out_again(analysis: dict[str, Any] | None, namespace: Namespace) -> None:
    """However somebody writes that nothing is watched, the API server takes it."""
    rollout = ACCEPTED["design"].rollout
    namespace.apply(rollout, manager="gitops")

    namespace.apply(_with(rollout, analysis=analysis), manager="gitops")

    assert not namespace.get("design")["spec"]["analysis"].get("metrics")


def test_containers_are_merged_by_name(namespace: Namespace) -> None:
    """Two managers can each own a container, and a field of one, without taking the other's away."""
    rollout = ACCEPTED["smallest"].rollout
    metadata = rollout["spec"]["template"]["metadata"]
    namespace.apply(rollout, manager="gitops")

    added = [{"name": "sidecar", "image": "proxy"}, {"name": "web", "env": [{"name": "A", "value": "x"}]}]
    partial = {**rollout, "spec": {"template": {"metadata": metadata, "spec": {"containers": added}}}}
    namespace.apply(partial, manager="injector")
    namespace.apply(rollout, manager="gitops")

    containers = {each["name"]: each for each in namespace.get("smallest")["spec"]["template"]["spec"]["containers"]}
    assert containers == {
        "web": {"name": "web", "image": "podinfo", "env": [{"name": "A", "value": "x"}]},
        "sidecar": {"name": "sidecar", "image": "proxy"},
    }


# --- what people see, and the subresources


def test_explain_describes_fields(unattended: ControlPlane) -> None:
    """`kubectl explain` says what a field is for."""
    strategy = unattended.kubectl("explain", "rollout.spec.strategy").stdout
    explained = unattended.kubectl("explain", "rollout.spec.strategy.canary").stdout

    assert "How a new version takes over." in strategy
    assert "Ship a new version step by step." in explained
    assert all(field in explained for field in ("maxSurge", "maxUnavailable", "steps"))


def test_columns(namespace: Namespace) -> None:
    """`kubectl get hg` shows where every Rollout stands; wide says why."""
    namespace.does("apply", "-f", str(ACCEPTED["smallest"].file))
    status = json.dumps({"status": samples.STATUS.written()})
    namespace.does("patch", "hg", "smallest", "--subresource=status", "--type=merge", f"--patch={status}")

    header, row = namespace.does("get", "hg").splitlines()
    wide = namespace.does("get", "hg", "--output=wide")

    assert COLUMNS == header.split()
    assert ["smallest", "Progressing", "2/5", "20", "5d8f6c9b7", "7c9d8e5f4", "11/12"] == row.split()[:-1]
    assert samples.MESSAGE in wide
    assert "smallest" in namespace.does("get", "headgate")


def test_status_comes_back_as_it_was_written(namespace: Namespace) -> None:
    """The status is the controller's whole memory, so the API server keeps every field of it."""
    namespace.does("apply", "-f", str(ACCEPTED["smallest"].file))
    status = json.dumps({"status": samples.STATUS.written()})
    namespace.does("patch", "hg", "smallest", "--subresource=status", "--type=merge", f"--patch={status}")

    stored = namespace.get("smallest")

    assert samples.STATUS.written() == stored["status"]
    assert stored["metadata"]["generation"] == 1


def test_status_is_not_written_with_the_spec(namespace: Namespace) -> None:
    """Whoever applies a Rollout cannot claim anything in its status."""
    rollout = {**ACCEPTED["smallest"].rollout, "status": {"phase": "Healthy"}}

    namespace.does("create", "-f", "-", stdin=yaml.safe_dump(rollout))

    assert namespace.get("smallest")["status"] == {"observedGeneration": -1}


def test_scaling(namespace: Namespace) -> None:
    """People and autoscalers scale a Rollout as they scale a Deployment."""
    namespace.does("apply", "-f", str(ACCEPTED["design"].file))
    namespace.does("scale", "hg/design", "--replicas=7")
    scale = json.loads(namespace.does("get", "hg", "design", "--subresource=scale", "--output=json"))

    assert scale["spec"]["replicas"] == 7
    assert namespace.get("design")["spec"]["replicas"] == 7


def test_an_autoscaler_needs_replicas_once(namespace: Namespace) -> None:
    """The scale of a Rollout whose replicas nobody ever set cannot be read; setting them once is enough."""
    namespace.does("apply", "-f", str(ACCEPTED["smallest"].file))

    assert "does not exist" in namespace.refuses("get", "hg", "smallest", "--subresource=scale")
    namespace.does("scale", "hg/smallest", "--replicas=3")
    namespace.does("apply", "-f", str(ACCEPTED["smallest"].file))
    assert namespace.get("smallest")["spec"]["replicas"] == 3
