"""Bad versions go back by themselves, for whatever is bad about them, and only they have harmed anybody."""

import pytest

from tests.e2e import podinfo
from tests.e2e.conftest import OpenShop
from tests.e2e.nodes import Json
from tests.e2e.shops import PATIENCE_SECONDS, SURE, Shop, serving
from tests.e2e.timeline import POD, SLICE

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ERRORS = podinfo.error_rate("[45]..", **SURE)
LATENCY = podinfo.latency_p99(0.25, **SURE)
DELAY = ["--random-delay", "--random-delay-unit=ms", "--random-delay-min=300", "--random-delay-max=600"]


def with_container(shop: Shop, **container: object) -> Json:
    """Return the manifest of the better version with further fields of its container."""
    wanted = shop.manifest(podinfo.BETTER)
    wanted["spec"]["template"]["spec"]["containers"][0].update(container)
    return wanted


@pytest.fixture(scope="module")
def shops(open_shop: OpenShop) -> dict[str, Shop]:
    """Return shops to which their new versions were shipped, all at once, to be quick; only broken waits."""
    found = {
        "broken": open_shop("broken", metrics=[ERRORS]),
        "erring": open_shop("erring", per_second=20, metrics=[ERRORS]),
        "slow": open_shop("slow", metrics=[LATENCY]),
        # Without analysis nobody looks at it but for the pods' own sake.
        "crashing": open_shop("crashing", per_second=5, metrics=[]),
        "quiet": open_shop("quiet"),
    }
    for name in ("broken", "erring", "slow", "crashing"):
        serving(found[name])
    found["quiet"].wait_stable()
    found["erring"].ship(podinfo.BAD)
    found["quiet"].ship(podinfo.BETTER)
    found["slow"].apply(with_container(found["slow"], args=DELAY))
    found["crashing"].apply(with_container(found["crashing"], command=["/bin/podinfo", "--nonsense"]))
    return found


@pytest.fixture
def broken(shops: dict[str, Shop]) -> Shop:
    """Return the shop whose next version fails requests, and of which a pod will crash."""
    return shops["broken"]


@pytest.fixture
def erring(shops: dict[str, Shop]) -> Shop:
    """Return the shop whose next version fails a third of all requests."""
    return shops["erring"]


@pytest.fixture
def slow(shops: dict[str, Shop]) -> Shop:
    """Return the shop whose next version takes half a second for each request."""
    return shops["slow"]


@pytest.fixture
def crashing(shops: dict[str, Shop]) -> Shop:
    """Return the shop whose next version cannot start."""
    return shops["crashing"]


@pytest.fixture
def quiet(shops: dict[str, Shop]) -> Shop:
    """Return the shop that nobody visits."""
    return shops["quiet"]


def panicked(shop: Shop, name: str) -> bool:
    """Crash the pod *name* if it runs, and return whether the rollout has ended."""
    found = {body["metadata"]["name"]: body for body in shop.node.listed("pods", shop.namespace)}
    if address := found.get(name, {}).get("status", {}).get("podIP"):
        shop.node.answer(f"http://{address}:{podinfo.PORT}/panic")
    return str(shop.status["phase"]) == "RolledBack"


def test_h10_one_pod_crash_loops_while_errors_rise(broken: Shop) -> None:
    """H10: that one of the new pods crashes again and again keeps nobody from judging the others."""
    broken.ship(podinfo.BAD)
    broken.wait(lambda: broken.status.get("canary", {}).get("ready") == 2, "two new pods are ready", PATIENCE_SECONDS)
    name = broken.pods_by_version(podinfo.BAD)[podinfo.BAD][0]["metadata"]["name"]
    broken.wait(lambda: panicked(broken, name), "taken back", PATIENCE_SECONDS)
    message = broken.wait_rolled_back("MetricFailed")
    restarts = [one.facts.get("restarts") or 0 for one in broken.timeline.of(broken.namespace, POD) if one.name == name]

    assert "error-rate failed 2 times in a row" in message
    assert max(restarts) > 0


def test_rollback_by_error_rate(erring: Shop) -> None:
    """A version that fails requests is taken back with value and bound; from then on nobody has an error."""
    message = erring.wait_rolled_back("MetricFailed")
    then = erring.visitors.snapshot()
    erring.wait_visits(100)
    counts = erring.visitors.stop()

    assert "error-rate failed 2 times in a row" in message
    assert "allowed is <= 0.05" in message
    assert counts.errors == then.errors == counts.of(podinfo.BAD).errors > 0
    assert {podinfo.GOOD: 4} == erring.sizes()


def test_rollback_by_latency(slow: Shop) -> None:
    """A version that is slow is taken back though it fails nothing."""
    message = slow.wait_rolled_back("MetricFailed")
    counts = slow.visitors.stop()

    assert "latency-p99 failed 2 times in a row" in message
    assert 0 == counts.errors
    assert counts.of(podinfo.BETTER).latency_seconds(50) > 0.25 > counts.of(podinfo.GOOD).latency_seconds(50)


def test_h11_canary_that_crash_loops(crashing: Shop) -> None:
    """H11: pods that crash get no visitor, and go back long before the deadline, with the pod's own words."""
    message = crashing.wait_rolled_back("PodsCannotStart")
    counts = crashing.visitors.stop()
    stable = crashing.status["stable"]["hash"]
    moments = crashing.timeline.of(crashing.namespace, SLICE)

    assert "CrashLoopBackOff" in message
    assert (0, {podinfo.GOOD}) == (counts.errors, set(counts.versions))
    assert all(f"-{stable}-" in name for moment in moments for name in moment.facts.get("serving", ()))
    assert {podinfo.GOOD: 4} == crashing.sizes()


def test_h9_no_traffic(quiet: Shop) -> None:
    """H9: while nobody visits, the weight is held and says so; nothing has passed or failed. Visitors end it."""
    quiet.wait_phase("Holding", deadline_seconds=PATIENCE_SECONDS)
    held = quiet.status
    (state,) = held["analysis"]

    assert (1, 50) == (held["step"]["index"], held["weight"]["desired"])
    assert (0, 0) == (state["passes"], state["failures"])
    assert "error-rate is NoData" in held["step"]["waitingFor"]

    quiet.visitors.start()
    quiet.wait_step(2, deadline_seconds=PATIENCE_SECONDS)
    outcomes = quiet.timeline.values(quiet.namespace, "phase")

    assert not {"RollingBack", "RolledBack"} & set(outcomes)
