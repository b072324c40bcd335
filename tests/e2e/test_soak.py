"""What `make soak` tries for long, in short: nobody loses a request, whatever the versions do."""

import concurrent.futures
from collections.abc import Iterator

import pytest

from tests.e2e import routed, shops, soak
from tests.e2e.conftest import OpenShop
from tests.e2e.soak import Phase, Soak

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PER_SECOND = 20
ROUNDS = range(1, soak.ROUNDS + 1)


@pytest.fixture(scope="module")
def running(open_shop: OpenShop) -> Iterator[list[Soak]]:
    """Return a soak for each round: side by side they take a third of the time."""
    opened = [open_shop(f"soak-{number}", metrics=[], **routed.spec(*soak.WEIGHTS)) for number in ROUNDS]
    found = [soak.begun(shop, shops.AT_MOST_SECONDS, PER_SECOND) for shop in opened]
    yield found
    for one in found:
        one.crowd.stop()


def test_no_request_is_lost(running: list[Soak]) -> None:
    """Three promotions, two aborts and a breach, of pods that go at once: whoever asks is answered, and by a pod."""

    def played(one: Soak, number: int) -> list[Phase]:
        return list(one.phases([number]))

    with concurrent.futures.ThreadPoolExecutor(len(running)) as threads:
        kinds = [phase.kind for phases in threads.map(played, running, ROUNDS) for phase in phases]
    totals = [one.crowd.stop() for one in running]

    assert [3, 2, 1] == [kinds.count(kind) for kind in (soak.PROMOTION, soak.ABORT, soak.BREACH)]
    assert ([], 0) == ([entry for one in running for entry in one.crowd.lost()], sum(one.lost for one in totals))
    assert all(one.requests > PER_SECOND * soak.REST_SECONDS for one in totals)
