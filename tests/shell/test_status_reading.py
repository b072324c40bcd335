"""A Rollout is followed by watches: through their ends, an API server that is away, and rights that are missing."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping

import pytest
from aiohttp import web

from headgate.adapters import cluster
from headgate.adapters.cluster import Change
from headgate.api import names
from headgate.cli.status.reading import Client, Follower, MissingError, once
from headgate.core.faults import Fault, Refused, Unreachable
from headgate.core.model import Json, Key, Kind
from tests.shell.stubs import Stub

KEY = Key("shop", "web")
DEADLINE_SECONDS = 10.0


def thing(name: str = "web", **more: object) -> Json:
    """Return an object."""
    return {"metadata": {"name": name, "namespace": "shop"}, **more}


def line(kind: str, told: Json) -> str:
    """Return one line of a watch."""
    return json.dumps({"type": kind, "object": told}) + "\n"


async def listen(watch: AsyncGenerator[Change, None]) -> list[Change]:
    """Return all that *watch* tells."""
    return [change async for change in watch]


async def test_a_watch_tells_what_there_is_and_each_change(stub: Stub, client: cluster.Cluster) -> None:
    """It begins with the objects as they are; bookmarks, other objects and what is no object are passed over."""
    told = [
        line("ADDED", thing(at=1)),
        line("BOOKMARK", thing()),
        line("MODIFIED", {"metadata": {"name": "web", "namespace": "other"}}),
        line("MODIFIED", thing(at=2)),
        line("ADDED", {}),
        line("DELETED", thing(at=3)),
    ]
    stub.answers.append(web.Response(body="".join(told).encode()))
    found = await listen(client.watch(Kind.ROLLOUT, "shop", "web"))

    assert found == [Change(thing(at=1)), Change(thing(at=2)), Change(thing(at=3), deleted=True)]
    _, path, query, _, _ = stub.asked[0]
    assert path == "/apis/headgate.dev/v1alpha1/namespaces/shop/rollouts"
    assert query == {"watch": "1", "timeoutSeconds": "300", "fieldSelector": "metadata.name=web"}


@pytest.mark.parametrize(
    "answer",
    [
        web.Response(body=line("ADDED", thing()).encode() + b'{"type": "ADD'),
        web.Response(body=line("ERROR", {"code": 500, "message": "etcd is away"}).encode()),
        web.Response(body=b"<html>\n"),
        web.Response(status=429, text="slow down"),
        web.Response(status=401, text="who are you"),
        RuntimeError("the connection breaks off"),
    ],
    ids=["half a line", "an error", "a page", "too many", "no credentials", "a broken connection"],
)
async def test_a_watch_that_breaks_is_unreachable(
    stub: Stub, client: cluster.Cluster, answer: web.Response | Exception
) -> None:
    """Whatever ends a watch but the server's own end is a fault that passes."""
    stub.answers.append(answer)
    with pytest.raises(Unreachable):
        await listen(client.watch_labelled(Kind.DEPLOYMENT, "shop", {"a": "b"}))


async def test_a_watch_that_is_forbidden_is_refused(stub: Stub, client: cluster.Cluster) -> None:
    """Without the right there is no watch, in the server's own words."""
    stub.status(403, "no")
    with pytest.raises(cluster.Forbidden, match="no"):
        await listen(client.watch_events("shop", "web"))
    assert stub.asked[0][2]["fieldSelector"] == "regarding.kind=Rollout,regarding.name=web"


@pytest.mark.parametrize("name", ["web,metadata.name!=web", "a=b", "", "../web"])
async def test_a_name_chooses_no_other_object(client: cluster.Cluster, name: str) -> None:
    """What cannot be a name is refused before anything is asked: in a selector it could choose others."""
    with pytest.raises(Refused):
        await listen(client.watch(Kind.ROLLOUT, "shop", name))
    with pytest.raises(Refused):
        await client.events("shop", name)


Told = Json | None | Fault


class Server(Client):
    """An API server by script: each watch of the Rollout tells the next of *watches*, and then ends."""

    def __init__(self, *watches: tuple[Told, ...], beside: Fault | None = None) -> None:
        self.watches = [list(watch) for watch in watches]
        self.beside = beside
        self.asked: list[str] = []

    async def get(self, kind: Kind, namespace: str, name: str) -> Json | None:
        """Return the first of what the next watch tells."""
        self._ask("get", kind, namespace, name)
        if not self.watches:
            await asyncio.Event().wait()
        told = self.watches[0].pop(0)
        if isinstance(told, Fault):
            self.watches.pop(0)
            raise told
        return told

    async def select(self, kind: Kind, namespace: str, labels: Mapping[str, str]) -> list[Json]:
        """Return one Deployment, or fail."""
        self._ask("list", kind, namespace, labels)
        return await self._beside("web-1")

    async def events(self, namespace: str, name: str) -> list[Json]:
        """Return one Event, or fail."""
        self._ask("list", "Event", namespace, name)
        return await self._beside("web.1")

    def _ask(self, verb: str, kind: str, namespace: str, chosen: object) -> None:
        assert namespace == KEY.namespace
        assert chosen in (KEY.name, {names.ROLLOUT: KEY.name})
        self.asked.append(f"{verb} {kind}")

    async def _beside(self, name: str) -> list[Json]:
        if self.beside:
            raise self.beside
        return [thing(name)]

    async def watch(self, kind: Kind, namespace: str, name: str) -> AsyncGenerator[Change, None]:
        """Yield the rest of what the watch tells."""
        self._ask("watch", kind, namespace, name)
        for told in self.watches.pop(0):
            if isinstance(told, Fault):
                raise told
            yield Change(told or {}, deleted=told is None)

    async def watch_labelled(
        self, kind: Kind, namespace: str, labels: Mapping[str, str]
    ) -> AsyncGenerator[Change, None]:
        """Tell of a second Deployment, of the end of the first, and then nothing."""
        self._ask("watch", kind, namespace, labels)
        yield Change(thing("web-2"))
        yield Change(thing("web-1"), deleted=True)
        await asyncio.Event().wait()

    async def watch_events(self, namespace: str, name: str) -> AsyncGenerator[Change, None]:
        """Tell nothing."""
        self._ask("watch", "Event", namespace, name)
        await asyncio.Event().wait()
        yield Change({})


def follower(server: Server, patience_seconds: float = DEADLINE_SECONDS) -> Follower:
    """Return one that does not wait between watches."""
    return Follower(server, KEY, pace_seconds=0.0, patience_seconds=patience_seconds)


async def until(following: Follower, holds: Callable[[Follower], bool]) -> None:
    """Follow until *holds*."""
    task = asyncio.create_task(following.run())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not holds(following):
                await following.changed.wait()
                following.changed.clear()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def version(following: Follower) -> object:
    """Return which version of the Rollout is held."""
    return following.objects.rollout.get("at") if following.objects else None


async def test_a_watch_that_ends_is_followed_by_another() -> None:
    """The next one begins where the Rollout is by then."""
    server = Server((thing(at=1), thing(at=2)), (thing(at=3), thing(at=4)))
    following = follower(server)
    await until(following, lambda one: version(one) == 4)

    assert server.asked.count("get Rollout") >= 2
    assert server.asked.count("list Deployment") == 1


async def test_what_is_shown_beside_follows_too() -> None:
    """Deployments that come and go are held as they are."""
    following = follower(Server((thing(),)))
    await until(following, lambda one: one.objects is not None and one.objects.deployments == [thing("web-2")])

    assert following.objects is not None
    assert following.objects.events == [thing("web.1")]


async def test_an_api_server_that_is_away_for_a_moment_is_asked_again() -> None:
    """What was read stays in view, with a word about it, until there is an answer again."""
    server = Server((thing(at=1), Unreachable("refused")), (Unreachable("refused"),), (thing(at=2),))
    following = follower(server)
    noted: list[str] = []

    def back(one: Follower) -> bool:
        noted.extend(one.objects.unread if one.objects else ())
        return version(one) == 2

    await until(following, back)

    assert following.objects is not None
    assert following.objects.unread == ()
    assert "the Rollout cannot be read now, and will be asked for again: refused" in noted


@pytest.mark.parametrize(
    ("server", "fault"),
    [
        (Server((None,)), MissingError),
        (Server((thing(), None)), MissingError),
        (Server((thing(),), (None,)), MissingError),
        (Server((Unreachable("refused"),)), Unreachable),
        (Server((Refused("no right"),)), Refused),
        (Server((thing(), Refused("no right"))), Refused),
        (Server((thing(),), (Unreachable("away"),), (Unreachable("away"),)), Unreachable),
    ],
    ids=["missing", "deleted", "deleted between", "never there", "forbidden", "unwatchable", "away for long"],
)
async def test_what_ends_following(server: Server, fault: type[Exception]) -> None:
    """A Rollout that is gone, a right that is missing, or a server that was never there or is away for too long."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(fault):
            await follower(server, patience_seconds=-1).run()


@pytest.mark.parametrize("fault", [Refused("no right"), Unreachable("away")], ids=["refused", "away"])
async def test_what_cannot_be_read_beside_is_noted(fault: Fault) -> None:
    """The Rollout is shown all the same, once or followed, with a line about what is missing."""
    read = await once(Server((thing(at=1),), beside=fault), KEY)
    following = follower(Server((thing(at=1),), beside=fault))
    await until(following, lambda one: one.objects is not None and len(one.objects.unread) == 2)

    assert [words.partition(":")[0] for words in read.unread] == [
        "the Events are not shown",
        "the pods as they are now are not shown",
    ]
    assert version(following) == 1


async def test_a_rollout_that_is_missing_is_no_view() -> None:
    """There is nothing to show of what does not exist."""
    with pytest.raises(MissingError):
        await once(Server((None,)), KEY)
