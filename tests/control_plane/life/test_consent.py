"""Consent while the operator is at work: it asks those who name things, and stands in no way afterwards."""

import json

import pytest

from hack.cluster import wait_until
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.rollouts import manifest
from tests.control_plane.life.shops import SERVICES, Shop, service
from tests.control_plane.people import ROLLOUTS, Person

pytestmark = pytest.mark.control_plane


@pytest.fixture
def bob(control_plane: ControlPlane, shop: Shop) -> Person:
    """A person who may write Rollouts in the shop's namespace, and nothing else."""
    made = Person(control_plane, "bob", shop.namespace)
    made.grant(ROLLOUTS)
    asked = ("auth", "can-i", "create", "rollouts.headgate.dev")
    assert wait_until(lambda: made.tries(*asked).returncode == 0, deadline_seconds=30)
    return made


def test_a_service_of_other_people_is_not_taken_over(shop: Shop, bob: Person) -> None:
    """To carry the labels that a Service selects is not enough to have it switched."""
    shop.add(service())
    before = shop.get("service", "web")
    given = manifest(shop.namespace, "v1", strategy={"blueGreen": {}}, traffic=SERVICES)

    words = bob.is_refused("apply", "-f", "-", given=given)

    assert "spec.traffic.stableService: bob may not patch services/web" in words
    assert [] == shop.reader.listed("rollouts", shop.namespace)
    assert before == shop.get("service", "web")


def test_in_flight_nothing_waits_for_consent(shop: Shop, bob: Person) -> None:
    """Who may not patch what a Rollout names still ships, aborts and deletes it, and the operator carries it out."""
    shop.at_a_quarter()
    bob.does("annotate", "rollout", "web", "headgate.dev/abort=now")
    shop.wait_phase("RolledBack")
    image = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example/web:v3"}]
    bob.does("patch", "rollout", "web", "--type=json", "--patch", json.dumps(image))
    shop.wait_weight(25)
    assert shop.rollout()["metadata"]["finalizers"]
    bob.does("delete", "rollout", "web", "--wait=false")

    shop.wait_gone("rollouts")
    assert shop.weights().get("web-canary", 0) == 0
