"""What Headgate says of itself is true: metrics, Events, logs and health."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import aiohttp
import pytest

from headgate.api.status import Phase
from headgate.core.faults import Refused, Unreachable
from headgate.core.model import Json, Key, Notice
from headgate.telemetry import events, logs
from headgate.telemetry.health import Health, LoopLag
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.server import ListenError, Server
from tests.shell import virtual
from tests.shell.observations import KEY


class Sink:
    """Keeps the Events that are written to it."""

    def __init__(self) -> None:
        self.created: list[Json] = []
        self.patched: list[tuple[str, Sequence[Json]]] = []
        self.faults: list[Exception] = []
        self.expired = False
        self.slow: set[str] = set()
        """Namespaces whose Events the API server keeps waiting."""

    async def create_event(self, namespace: str, body: Json) -> None:
        """Keep it, unless something is to go wrong."""
        if namespace in self.slow:
            await virtual.elapse(1e6)
        if self.faults:
            raise self.faults.pop(0)
        self.created.append(body)

    async def patch_event(self, namespace: str, name: str, operations: Sequence[Json]) -> bool:
        """Keep it, unless the Event has expired."""
        assert namespace == KEY.namespace
        self.patched.append((name, operations))
        return not self.expired


class Posting:
    """A poster at work in virtual time."""

    def __init__(self) -> None:
        self.sink = Sink()
        self.outcomes: list[str] = []
        self.poster = events.EventPoster(self.sink, on_outcome=self.outcomes.append, clock=virtual.clock, instance="me")
        self.running = asyncio.create_task(self.poster.run())

    async def say(self, message: str, seconds: float = 0.001) -> None:
        """Post a notice and let some time pass."""
        self.poster.post(KEY, "uid-1", Notice("Held", message))
        await virtual.elapse(seconds)


def test_event_is_posted() -> None:
    """A notice becomes an Event about its Rollout."""

    async def main() -> None:
        posting = Posting()
        posting.poster.post(KEY, "uid-1", Notice("Breached", "error-rate is 0.2", warning=True))
        await virtual.elapse(1)
        (event,) = posting.sink.created
        assert (event["type"], event["reason"], event["note"]) == ("Warning", "Breached", "error-rate is 0.2")
        assert event["regarding"]["uid"] == "uid-1"
        assert event["reportingInstance"] == "me"
        assert posting.outcomes == ["posted"]

    virtual.run(main)


def test_repetition_is_counted_not_multiplied() -> None:
    """The same words again raise the count of one Event, at most every half minute."""

    async def main() -> None:
        posting = Posting()
        for _ in range(100):
            await posting.say("waiting", 1)
        assert len(posting.sink.created) == 1
        assert 2 <= len(posting.sink.patched) <= 4
        name, operations = posting.sink.patched[-1]
        assert name == posting.sink.created[0]["metadata"]["name"]
        await virtual.elapse(60)
        assert posting.sink.patched[-1][1][0]["value"]["count"] == 100
        assert operations[0]["path"] == "/series"

    virtual.run(main)


def test_other_words_are_another_event() -> None:
    """What differs in reason, message or Rollout is not a repetition."""

    async def main() -> None:
        posting = Posting()
        await posting.say("one")
        await posting.say("two")
        posting.poster.post(KEY, "uid-2", Notice("Held", "one"))
        posting.poster.post(KEY, "uid-1", Notice("Other", "one"))
        await virtual.elapse(1)
        assert len(posting.sink.created) == 4

    virtual.run(main)


def test_old_words_are_news_again() -> None:
    """After the window of silence the same words are a new Event."""

    async def main() -> None:
        posting = Posting()
        await posting.say("one", events.WINDOW_SECONDS + 1)
        await posting.say("one")
        assert len(posting.sink.created) == 2

    virtual.run(main)


def test_expired_event_is_created_anew() -> None:
    """A series whose Event the API server has dropped goes on in a new one, with its count."""

    async def main() -> None:
        posting = Posting()
        await posting.say("one", 60)
        posting.sink.expired = True
        await posting.say("one", 1)
        assert [event.get("series", {}).get("count") for event in posting.sink.created] == [None, 2]

    virtual.run(main)


def test_failure_is_counted_and_never_raised() -> None:
    """An Event is tried a few times and then let go; the next one has its own chance."""

    async def main() -> None:
        posting = Posting()
        posting.sink.faults = [Unreachable("down")] * events.ATTEMPTS_MAX + [Refused("forbidden")]
        await posting.say("one", 60)
        await posting.say("two", 60)
        await posting.say("three", 60)
        assert posting.outcomes == ["failed", "refused", "posted"]

    virtual.run(main)


def test_flood_is_bounded() -> None:
    """More Events than can be posted are dropped and counted, not hoarded."""

    async def main() -> None:
        posting = Posting()
        for number in range(events.BACKLOG_MAX + 50):
            posting.poster.post(KEY, "uid-1", Notice("Held", str(number)))
        assert posting.outcomes == ["dropped"] * 50

    virtual.run(main)


def posted_of(sink: Sink, key: Key) -> list[str]:
    """Return what was said about *key*."""
    return [event["note"] for event in sink.created if event["metadata"]["namespace"] == key.namespace]


@pytest.mark.parametrize("slow", [False, True])
def test_h33_flood_of_one_namespace_delays_no_other(*, slow: bool) -> None:
    """H33: a flood of Events of one namespace, slow or not, delays and drops none of another one."""

    async def main() -> None:
        posting, victim = Posting(), Key("victim", "web")
        posting.sink.slow = {KEY.namespace} if slow else set()
        for number in range(3 * events.BACKLOG_MAX):
            posting.poster.post(KEY, "uid-1", Notice("Held", str(number)))
        for number in range(30):
            posting.poster.post(victim, "uid-2", Notice("Held", str(number)))
            posting.poster.post(KEY, "uid-1", Notice("Held", f"more {number}"))
            await virtual.elapse(0.001)
            assert posted_of(posting.sink, victim) == [str(one) for one in range(number + 1)]
        assert posting.outcomes.count("dropped") >= 2 * events.BACKLOG_MAX

    virtual.run(main)


def test_flood_of_one_namespace_makes_nobody_forgotten() -> None:
    """However many series one namespace has, what another one repeats is still counted and not multiplied."""

    async def main() -> None:
        posting, victim = Posting(), Key("victim", "web")
        posting.poster.post(victim, "uid-2", Notice("Held", "waiting"))
        for number in range(2 * events.SERIES_MAX):
            posting.poster.post(KEY, "uid-1", Notice("Held", str(number)))
        posting.poster.post(victim, "uid-2", Notice("Held", "waiting"))
        assert len(posting.poster._series._all) <= events.NAMESPACE_SERIES_MAX + 1
        await virtual.elapse(60)
        assert posted_of(posting.sink, victim) == ["waiting"]

    virtual.run(main)


def test_few_series_are_remembered() -> None:
    """Of all namespaces together a bounded number is remembered; the silent ones are forgotten first."""

    async def main() -> None:
        posting = Posting()
        for number in range(events.SERIES_MAX + 100):
            posting.poster.post(Key(f"shop-{number}", "web"), f"uid-{number}", Notice("Held", "waiting"))
        assert len(posting.poster._series._all) == events.SERIES_MAX
        assert len(posting.poster._series._of) == events.SERIES_MAX

    virtual.run(main)


def test_words_that_cannot_be_written_end_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Half a surrogate, which JSON may hold and UTF-8 may not, is replaced; a bug costs one Event, and is logged."""

    async def main() -> None:
        posting = Posting()
        await posting.say("half \ud83d a word")
        assert posting.sink.created[0]["note"] == "half ? a word"
        posting.sink.faults = [ZeroDivisionError("a bug")]
        await posting.say("one")
        await posting.say("two")
        assert posting.outcomes == ["posted", "failed", "posted"]

    with caplog.at_level(logging.ERROR):
        virtual.run(main)
    assert len(caplog.records) == 1


def test_long_words_are_cut() -> None:
    """A note fits into an Event, whatever it says and in whichever script."""

    async def main() -> None:
        posting = Posting()
        await posting.say("ü" * 5000)
        assert len(posting.sink.created[0]["note"].encode()) <= 1024

    virtual.run(main)


def test_end_waits_for_what_was_given() -> None:
    """At the end the last Events still go out, but the end is not held up."""

    async def main() -> None:
        posting = Posting()
        posting.poster.post(KEY, "uid-1", Notice("Held", "one"))
        await posting.poster.drain(0.5)
        assert len(posting.sink.created) == 1
        posting.sink.faults = [Unreachable("down")] * 4
        posting.poster.post(KEY, "uid-1", Notice("Held", "two"))
        before = virtual.clock()
        await posting.poster.drain(0.5)
        assert virtual.clock() - before <= 0.6

    virtual.run(main)


def test_rollouts_are_counted_by_phase() -> None:
    """A Rollout stands in one phase at a time, and in none once it is gone."""
    metrics = Metrics()
    metrics.stands(KEY, Phase.PAUSED)
    metrics.stands(KEY, Phase.HEALTHY)
    metrics.stands(Key("shop", "api"), Phase.HEALTHY)
    metrics.stands(Key("shop", "gone"), Phase.PAUSED)
    metrics.stands(Key("shop", "gone"), None)
    text = metrics.expose().decode()

    assert 'headgate_rollouts{phase="Healthy"} 2.0' in text
    assert 'headgate_rollouts{phase="Paused"} 0.0' in text


def test_metrics_count_what_they_hear() -> None:
    """Every hook has its series, and no series names a Rollout."""
    metrics = Metrics()
    metrics.measure_depth(lambda: 3)
    metrics.passed(KEY, "waiting", "ok", 0.01)
    metrics.passed(KEY, "", "bug", 0.01)
    metrics.requested("read", "pods", "unreachable", 10.0)
    metrics.queried("problem", 0.1)
    metrics.posted("dropped")
    metrics.resynced(1000.0)
    metrics.watches_restarted()
    text = metrics.expose().decode()

    assert 'headgate_reconcile_total{result="ok",rule="waiting"} 1.0' in text
    assert 'headgate_api_requests_total{kind="pods",outcome="unreachable",verb="read"} 1.0' in text
    for line in (
        "headgate_bugs_total 1.0",
        "headgate_queue_depth 3.0",
        "headgate_watch_restarts_total 1.0",
        "headgate_last_resync_timestamp_seconds 1000.0",
        'headgate_metric_queries_total{result="problem"} 1.0',
        'headgate_events_total{outcome="dropped"} 1.0',
    ):
        assert line in text
    assert "shop" not in text


def test_late_loop_is_not_live() -> None:
    """A loop that comes round late is reported, and forgiven when it is in time again."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, virtual.Loop)
        lag = LoopLag()
        running = asyncio.create_task(lag.run())
        await virtual.elapse(3)
        assert lag.check() == ""
        loop._virtual.elapsed += 30
        assert "late" in lag.check()
        await virtual.elapse(3)
        assert lag.check() == ""
        running.cancel()

    virtual.run(main)


async def test_endpoints_mean_what_they_say() -> None:
    """Live and ready are two questions; a problem is 503 and is named."""
    problems = {"loop": "", "api": ""}
    health = Health({"loop": lambda: problems["loop"]}, {"api": lambda: problems["api"]})
    server = Server(health, lambda: b"headgate_up 1\n")
    port = await server.start("127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:

            async def ask(path: str) -> tuple[int, str]:
                async with session.get(path) as answer:
                    return answer.status, await answer.text()

            assert await ask("/metrics") == (200, "headgate_up 1\n")
            assert (await ask("/healthz"))[0] == (await ask("/readyz"))[0] == 200
            problems["api"] = "away"
            assert (await ask("/healthz"))[0] == 200
            assert await ask("/readyz") == (503, "loop: ok\napi: away\n")
            problems["loop"] = "late"
            assert (await ask("/healthz"))[0] == 503
    finally:
        await server.close()


async def test_taken_port_is_one_line() -> None:
    """A port that somebody else has is told in one line."""
    first, second = (Server(Health({}, {}), lambda: b"") for _ in range(2))
    port = await first.start("127.0.0.1", 0)
    try:
        with pytest.raises(ListenError, match=f"cannot listen on 127.0.0.1:{port}"):
            await second.start("127.0.0.1", port)
    finally:
        await first.close()


@pytest.fixture
def root_logger() -> Iterator[None]:
    """Give the root logger back as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in logs._QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


@pytest.mark.usefixtures("root_logger")
def test_lines_for_people_stay_lines() -> None:
    """A line names its Rollout, and words from outside cannot start a line of their own."""
    stream = io.StringIO()
    logs.configure("human", "info", stream)
    logging.getLogger("headgate.test").warning("it said: %s", "no\nFAKE line", extra=logs.about(KEY))

    assert stream.getvalue().endswith("WARNING shop/web: it said: no\\nFAKE line\n")


@pytest.mark.usefixtures("root_logger")
def test_json_lines_are_json() -> None:
    """As JSON every line is one object with the Rollout in it."""
    stream = io.StringIO()
    logs.configure("json", "info", stream)
    logging.getLogger("headgate.test").info("it said: %s", "no\nmore", extra=logs.about(KEY))
    line: dict[str, Any] = json.loads(stream.getvalue())

    assert (line["rollout"], line["level"], line["message"]) == ("shop/web", "INFO", "it said: no\nmore")


@pytest.mark.usefixtures("root_logger")
def test_kopf_is_quiet() -> None:
    """Kopf's successes are not worth a line."""
    stream = io.StringIO()
    logs.configure("human", "info", stream)
    logging.getLogger("kopf.objects").info("Handler 'x' succeeded.")

    assert stream.getvalue() == ""
