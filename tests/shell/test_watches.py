"""The watches go on whatever happens to kopf, and kopf writes, scans and prints nothing of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import kopf
import pytest

from hack import cluster as clusters
from headgate.adapters import cluster
from headgate.core.model import Json, Key, Kind
from headgate.reconcile import watches
from headgate.reconcile.event_mapping import EventMapper
from headgate.reconcile.predicates import ObservedObject, observed
from headgate.reconcile.queue import Queue
from tests.control_plane.conftest import ControlPlane
from tests.shell.test_api_server import DEPLOYMENT, ROLLOUT, with_
from tests.shell.test_triggers import ROLLOUT as SEEN

Tell = Callable[[ObservedObject], None]


async def _no_login() -> kopf.ConnectionInfo:
    raise AssertionError("nobody logs in here")


async def _serves_all(_kind: Kind) -> bool:
    return True


async def _serves_none(_kind: Kind) -> bool:
    return False


class Scripted(watches.Watches):
    """Watches whose kopf does what a script says, once per start."""

    def __init__(self, *script: Callable[[Tell, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self.queue = Queue()
        self.restarts = 0
        super().__init__(self.queue, EventMapper(), _no_login, _serves_all, on_restart=self._restarted)
        self._script = list(script)

    def _restarted(self) -> None:
        self.restarts += 1

    def _operator(self, tell: Tell, stop: asyncio.Event, _loop: asyncio.AbstractEventLoop) -> Coroutine[Any, Any, None]:
        return self._script.pop(0)(tell, stop)


async def fails(_tell: Tell, _stop: asyncio.Event) -> None:
    """End as kopf does when a watch answers with an error."""
    raise RuntimeError("Error in the watch-stream: etcdserver: leader changed")


async def sees(tell: Tell, stop: asyncio.Event) -> None:
    """See a Rollout, then watch until told to stop."""
    tell(observed(Kind.ROLLOUT, SEEN))
    await stop.wait()


async def test_commands_go_before_what_objects_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen after fifty Deployments that changed, a command is looked at before them."""
    command = with_(SEEN, "metadata/annotations", {"headgate.dev/abort": "now"})

    async def sees_both(tell: Tell, stop: asyncio.Event) -> None:
        for number in range(50):
            owner = {"apiVersion": "headgate.dev/v1alpha1", "kind": "Rollout", "name": f"r{number}", "controller": True}
            metadata = {"namespace": "shop", "name": f"d{number}", "uid": f"d{number}", "ownerReferences": [owner]}
            tell(observed(Kind.DEPLOYMENT, {"metadata": metadata}))
        tell(observed(Kind.ROLLOUT, command))
        await stop.wait()

    monkeypatch.setattr(watches, "RESTART_FIRST_SECONDS", 0.0)
    watching = Scripted(sees_both)
    running = asyncio.create_task(watching.run())
    async with asyncio.timeout(10):
        while len(watching.queue) < 51:
            await asyncio.wait([running], timeout=0.01)
        assert await watching.queue.get() == Key("shop", "web")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_new_rollout_hurries_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Rollout of the same labels gives the one that was there a pass, which is not urgent: nothing is asked of it."""
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}}}
    web: Json = {**SEEN, "spec": spec}
    api = with_(with_(web, "metadata/name", "api"), "metadata/uid", "uid-of-api")

    async def sees_both(tell: Tell, stop: asyncio.Event) -> None:
        tell(observed(Kind.ROLLOUT, web))
        tell(observed(Kind.ROLLOUT, api))
        await stop.wait()

    watching = Scripted(sees_both)
    hurried, woken = list[Key](), list[Key]()
    monkeypatch.setattr(watching.queue, "add_urgent", hurried.append)
    monkeypatch.setattr(watching.queue, "add", woken.append)
    running = asyncio.create_task(watching.run())
    async with asyncio.timeout(10):
        while not woken:
            await asyncio.wait([running], timeout=0.01)
    assert hurried == [Key("shop", "web"), Key("shop", "api")]
    assert woken == [Key("shop", "web")]
    running.cancel()
    await asyncio.wait([running])


async def test_end_of_kopf_is_not_final(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kopf that fails is started anew in this process, and a resync is called for."""
    monkeypatch.setattr(watches, "RESTART_FIRST_SECONDS", 0.0)
    watching = Scripted(fails, fails, sees)
    running = asyncio.create_task(watching.run())
    async with asyncio.timeout(10):
        assert await watching.queue.get() == Key("shop", "web")
    assert watching.restarts == 2
    assert watching.problem() == ""
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_restart_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watches that are told to start anew end kopf and start it again."""
    monkeypatch.setattr(watches, "RESTART_FIRST_SECONDS", 0.0)
    again = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def second(_tell: Tell, stop: asyncio.Event) -> None:
        loop.call_soon_threadsafe(again.set)
        await stop.wait()

    watching = Scripted(sees, second)
    running = asyncio.create_task(watching.run())
    async with asyncio.timeout(10):
        await watching.queue.get()
        watching.restart()
        await again.wait()
    running.cancel()
    await asyncio.wait([running])


async def test_first_listing_is_waited_for() -> None:
    """The watches are a problem until they have shown what the first list named."""
    watching = Scripted(sees)
    watching.expect(["r1"])
    assert watching.problem() == "not started"
    running = asyncio.create_task(watching.run())
    async with asyncio.timeout(10):
        await watching.queue.get()
    assert watching.problem() == ""
    running.cancel()
    await asyncio.wait([running])


def test_kopf_keeps_nothing_on_objects() -> None:
    """Neither storage writes, and nothing kills the process after kopf has ended."""
    settings = watches.kopf_settings()

    assert settings.process.ultimate_exiting_timeout is None
    assert settings.scanning.disabled
    assert not settings.posting.enabled
    diffbase, progress = settings.persistence.diffbase_storage, settings.persistence.progress_storage
    assert diffbase.build(body=kopf.Body({})) == {}
    assert diffbase.fetch(body=kopf.Body({})) is None
    assert progress.fetch(key=kopf.HandlerId("x"), body=kopf.Body({})) is None


@pytest.fixture
async def api(control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[cluster.Cluster]:
    """A client of the API server."""
    monkeypatch.setenv("KUBECONFIG", str(control_plane.kubeconfig))
    api = cluster.Cluster(await cluster.find())
    yield api
    await api.close()


async def _login() -> kopf.ConnectionInfo:
    login = await (await cluster.find()).login()
    return kopf.ConnectionInfo(
        server=login.server,
        ca_path=login.ca_path,
        certificate_path=login.certificate_path,
        private_key_path=login.private_key_path,
    )


def owned(owner: Json) -> Json:
    """Return a Deployment that *owner* controls."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": "Rollout",
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return with_(DEPLOYMENT, "metadata/ownerReferences", [reference])


@pytest.mark.control_plane
async def test_changes_in_a_real_cluster_wake(control_plane: ControlPlane, api: cluster.Cluster) -> None:
    """A Rollout and its Deployment wake it, our own status does not, and neither is ever written to by kopf."""
    namespace = "watches"
    control_plane.kubectl("create", "namespace", namespace)
    queue, key = Queue(), Key(namespace, "web")
    watching = watches.Watches(queue, EventMapper(), _login, _serves_none, namespaces=(namespace,))
    running = asyncio.create_task(watching.run())

    async def woken() -> None:
        async with asyncio.timeout(20):
            assert await queue.get() == key
        queue.done(key)

    rollout = await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    await woken()
    version = rollout["metadata"]["resourceVersion"]
    written = await api.apply_status(key, rollout["metadata"]["uid"], version, {"phase": "Paused"})
    deployment = await api.create(Kind.DEPLOYMENT, namespace, owned(rollout))
    await woken()  # had the status woken, the second wake would have come before the Deployment's own status
    async with asyncio.timeout(20):
        while (await api.get(Kind.DEPLOYMENT, namespace, "web") or {}).get("status", {}).get("observedGeneration") != 1:
            await asyncio.wait([running], timeout=0.05)
    now = await api.get(Kind.ROLLOUT, namespace, "web")
    assert written is not None
    assert now is not None
    assert now["metadata"]["resourceVersion"] == written["metadata"]["resourceVersion"]
    assert "finalizers" not in now["metadata"]
    await api.delete(Kind.DEPLOYMENT, namespace, "web", deployment["metadata"]["uid"])
    await woken()
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.control_plane
@pytest.mark.slow
async def test_api_server_that_comes_back_is_watched_again(control_plane: ControlPlane, api: cluster.Cluster) -> None:
    """After the API server was away, changes wake again, without a new process."""
    namespace = "outage"
    control_plane.kubectl("create", "namespace", namespace)
    queue, key = Queue(), Key(namespace, "web")
    watching = watches.Watches(queue, EventMapper(), _login, _serves_none, namespaces=(namespace,))
    running = asyncio.create_task(watching.run())
    await api.create(Kind.ROLLOUT, namespace, ROLLOUT)
    async with asyncio.timeout(20):
        await queue.get()
    queue.done(key)
    await asyncio.to_thread(clusters.restart_component, control_plane.cluster, "kube-apiserver")
    patch = {"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}}
    await api.patch(Kind.ROLLOUT, namespace, "web", [patch], "test")
    async with asyncio.timeout(60):
        await queue.get()
    running.cancel()
    await asyncio.wait([running])
