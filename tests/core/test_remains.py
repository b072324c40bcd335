"""When the Services of a Rollout that is no more lose our key."""

from headgate.core.traffic.cleanup import OrphanedServices, given_back
from tests.core import ways
from tests.core.worlds import UID, A, B, World

SERVICES = (ways.service(), ways.service(ways.CANARY))


def remains(world: World) -> OrphanedServices:
    """Return what is left of *world*."""
    return OrphanedServices("shop", SERVICES, tuple(world.deployments.values()))


def test_given_back_when_nothing_is_left() -> None:
    """Once the garbage collector has done its work, the Services are the user's again."""
    assert given_back(remains(World())) == SERVICES


def test_not_before_the_garbage_collector_came() -> None:
    """While its Deployments are there the Services still have the pods that they select."""
    assert given_back(remains(World().deployment(A, 4, owner=UID))) == ()


def test_orphans_of_one_revision_are_no_hindrance() -> None:
    """Orphans go on serving, and whatever the user puts in their place can be reached too."""
    orphans = World().deployment(A, 4, owner="").deployment(B, 0, owner="")

    assert given_back(remains(orphans)) == SERVICES


def test_orphans_of_two_revisions_are_not_mixed() -> None:
    """Without the key users would meet the old version again that was kept warm."""
    assert given_back(remains(World().deployment(A, 4, owner="").deployment(B, 4, owner=""))) == ()
