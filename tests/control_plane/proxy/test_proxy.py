"""The proxy passes on what it is told to, and goes wrong in exactly the way that it is told."""

import collections
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import yaml

from hack.cluster import wait_until
from tests.control_plane.conftest import ControlPlane
from tests.control_plane.life.operators import kubeconfig_of_operator
from tests.control_plane.proxy import Answer, Call, Cut, Expire, Fault, Hang, Hold, Proxy, Storm, When

pytestmark = pytest.mark.control_plane

DEPLOYMENT = {
    "metadata": {"name": "proxied"},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "a", "image": "a"}]},
        },
    },
}
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[Proxy]:
    """A proxy that nothing is wrong with yet."""
    with Proxy(control_plane.cluster) as made:
        yield made


@pytest.fixture
def client(control_plane: ControlPlane, proxy: Proxy, tmp_path: Path) -> Iterator[requests.Session]:
    """A client with the operator's rights, whose kubeconfig names the proxy."""
    original = kubeconfig_of_operator(control_plane.cluster, tmp_path)
    loaded = yaml.safe_load(proxy.kubeconfig(original, tmp_path / "proxied").read_text())
    assert loaded["clusters"][0]["cluster"] == {"server": proxy.address}
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {loaded['users'][0]['user']['token']}"
        yield session
        proxy.faults = lambda _: None
        session.delete(f"{proxy.address}{DEPLOYMENTS}/proxied", timeout=5)


def always(fault: Fault) -> collections.abc.Callable[[Call], Fault]:
    """Return a judge by which every call has *fault*."""
    return lambda _: fault


def test_writes_are_counted_dry_runs_are_not(proxy: Proxy, client: requests.Session) -> None:
    """A write counts once the server has carried it out; reads, dry runs and refused writes do not."""
    heard: list[tuple[int, str]] = []
    proxy.on_write = lambda write: heard.append((write.number, str(write.call)))
    url = f"{proxy.address}{DEPLOYMENTS}"
    assert client.get(url, timeout=5).ok
    assert client.post(f"{url}?dryRun=All", json=DEPLOYMENT, timeout=5).ok
    assert client.post(url, json=DEPLOYMENT, timeout=5).ok
    assert client.post(url, json=DEPLOYMENT, timeout=5).status_code == 409
    assert client.delete(f"{url}/proxied", timeout=5).ok

    assert heard == [(1, "POST default/deployments"), (2, "DELETE default/deployments/proxied")]


def test_watch_streams_through(proxy: Proxy, client: requests.Session) -> None:
    """Events of a watch come as they happen, and a cut breaks the connection in the middle."""
    url = f"{proxy.address}{DEPLOYMENTS}"
    with client.get(f"{url}?watch=true&fieldSelector=metadata.name=proxied", stream=True, timeout=5) as stream:
        assert client.post(url, json=DEPLOYMENT, timeout=5).ok
        first = json.loads(next(stream.iter_lines(chunk_size=None)))
    assert (first["type"], first["object"]["metadata"]["name"]) == ("ADDED", "proxied")

    proxy.faults = always(Cut(0.2))
    with client.get(f"{url}?watch=true", stream=True, timeout=5) as stream, pytest.raises(requests.RequestException):
        list(stream.iter_lines())
    proxy.faults = always(Expire())
    with client.get(f"{url}?watch=true", stream=True, timeout=5) as stream:
        assert [json.loads(line)["object"]["code"] for line in stream.iter_lines()] == [410]


def test_errors_before_and_after_the_fact(proxy: Proxy, client: requests.Session) -> None:
    """An error is told with or without the call having been carried out."""
    url = f"{proxy.address}{DEPLOYMENTS}"
    proxy.faults = always(Answer(429, retry_after_seconds=1))
    said = client.post(url, json=DEPLOYMENT, timeout=5)
    assert (said.status_code, said.headers["Retry-After"], said.json()["reason"]) == (429, "1", "TooManyRequests")
    assert proxy.writes == []

    proxy.faults = always(Answer(500, carried_out=When.BEFORE))
    assert client.post(url, json=DEPLOYMENT, timeout=5).status_code == 500
    assert len(proxy.writes) == 1


def test_hangs_holds_and_outages(proxy: Proxy, client: requests.Session) -> None:
    """A hung call is never carried out, a held one late and though nobody waits, and an outage refuses everybody."""
    url = f"{proxy.address}{DEPLOYMENTS}"
    proxy.faults = always(Hang())
    with pytest.raises(requests.Timeout):
        client.post(url, json=DEPLOYMENT, timeout=0.3)
    released = threading.Event()
    proxy.faults = always(Hold(released))
    with pytest.raises(requests.Timeout):
        client.post(url, json=DEPLOYMENT, timeout=0.3)
    assert proxy.writes == []
    asked = time.time()
    released.set()
    assert wait_until(lambda: len(proxy.writes) == 1, deadline_seconds=5)
    assert proxy.writes[0].at > asked

    proxy.faults = lambda _: None
    proxy.go_away()
    with pytest.raises(requests.ConnectionError):
        client.get(url, timeout=2)
    proxy.come_back()
    assert client.get(url, timeout=2).ok


def test_storm_is_seeded() -> None:
    """The same seed makes the same storm, of its share to the call, with every kind of fault."""

    def made(seed: int) -> list[Fault | None]:
        storm, write = Storm(seed, 0.1), Call("PATCH", "/a", {})
        return [storm(write) for _ in range(60)]

    answers = [fault for fault in made(1) if isinstance(fault, Answer)]
    assert made(1) == made(1) != made(2)
    assert [answer.status for answer in answers] == [409, 429, 500] * 2
    assert [answer.carried_out for answer in answers if answer.status == 500] == [When.BEFORE, When.NEVER]
    watch = Call("GET", "/a", {"watch": "true"})
    storm = Storm(1, 0.1)
    for _ in range(20):
        storm(watch)
    assert storm.made == {"Expire": 2, "Cut": 18}
