"""What is asked, when, and who hears of it: each tick once, identical queries shared, nobody behind a slow server."""

import asyncio
from pathlib import Path

import pytest

from headgate import observe
from headgate.adapters.metrics import series
from headgate.adapters.metrics.sampling import Sampler
from headgate.adapters.metrics.settings import ServerSettings
from headgate.core.model import Key, Reading
from tests.adapters.metrics.requests_for import DEADLINE_SECONDS, SHOP, WEB, metric, ticks
from tests.adapters.metrics.sampled import QUICKLY, T, world
from tests.prometheus import scripts
from tests.prometheus.server import ScriptedPrometheus

OTHER = Key("prod", "other")


def values(reading: Reading) -> list[float | None]:
    """Return the values of a *reading*, oldest first."""
    return [sample.value for sample in reading.samples]


def test_it_needs_no_loop_before_it_is_asked() -> None:
    """A sampler is made before the loop runs, and fits what observing needs."""
    measurements: observe.Measurements = Sampler(ServerSettings(), wake=lambda _: None)

    assert measurements.read(WEB, []) == {}


async def test_reading_never_waits() -> None:
    """What is not known yet comes later: the first read starts the query, and a wake tells that it is done."""
    async with world(scripts.constant(0.5)) as w:
        assert w.read(ticks(T, T + 20)) == Reading()
        assert await w.bell.rings() == [WEB]

        reading = w.read(ticks(T, T + 20))
        assert values(reading) == [0.5, 0.5, 0.5]
        assert [sample.at for sample in reading.samples] == [T, T + 10, T + 20]
        assert w.meter.results == ["answered"]


async def test_only_unread_ticks_are_asked_for() -> None:
    """Over a whole analysis no tick is skipped and none is asked for twice, however often it is read."""
    async with world(scripts.constant(0.5)) as w:
        for last in (T, T + 10, T + 40, T + 50):
            w.read(ticks(T, last))
            w.read(ticks(T, last))
            await w.bell.rings()
            assert len(w.read(ticks(T, last)).samples) == (last - T) // 10 + 1

        assert w.server.ticks() == list(range(T, T + 60, 10))
        assert w.bell.woken == []


async def test_an_empty_request_asks_nothing() -> None:
    """Where no tick is unread, nothing is asked and nothing is wrong."""
    async with world() as w:
        assert w.read(ticks(T, T - 10)) == Reading()
        assert w.server.asked == []


async def test_a_long_gap_is_read_in_parts() -> None:
    """After an hour without an operator the gap is read with bounded queries, and given in order meanwhile."""
    last = T + 10 * 749
    async with world(scripts.constant(1)) as w:
        first, known = T, 0
        while known < 750:
            reading = w.read(ticks(first, last))
            if reading.samples:
                known += len(reading.samples)
                first = reading.samples[-1].at + 10
            else:
                await w.bell.rings()

        assert w.server.ticks() == list(range(T, last + 10, 10))
        assert max(len(asked.ticks) for asked in w.server.asked) == series.TICKS_PER_QUERY


async def test_identical_queries_are_shared() -> None:
    """Two Rollouts that ask the same at the same time cost one query, and both are told."""
    async with world(scripts.Rule(hang=True)) as w:
        w.read(ticks(T, T), WEB)
        w.read(ticks(T, T), SHOP)
        await w.arrived(1)
        w.server.release()

        assert sorted(await w.bell.rings(2), key=str) == [SHOP, WEB]
        assert len(w.read(ticks(T, T), WEB).samples) == len(w.read(ticks(T, T), SHOP).samples) == 1
        assert w.server.ticks() == [T]


async def test_what_one_rollout_has_read_another_need_not_ask_for() -> None:
    """A settled tick never changes: whoever comes later is answered at once."""
    async with world(scripts.constant(1)) as w:
        w.read(ticks(T, T + 20), WEB)
        await w.bell.rings()

        assert len(w.read(ticks(T, T + 20), SHOP).samples) == 3
        assert len(w.server.asked) == 1


async def test_different_questions_are_told_apart() -> None:
    """Query, interval, phase and metric name each keep their own."""
    requests = [
        ticks(T, T, metric("a", name="a")),
        ticks(T, T, metric("b", name="b")),
        ticks(T, T, metric("a", name="c", interval="5s")),
        ticks(T + 3, T + 3, metric("a", name="d")),
    ]
    async with world(scripts.constant(1, "a"), scripts.constant(2, "b")) as w:
        w.wall.at += 3
        w.sampler.read(WEB, requests)
        await w.bell.rings(4)
        readings = w.sampler.read(WEB, requests)

        assert {name: values(reading) for name, reading in readings.items()} == {
            "a": [1.0],
            "b": [2.0],
            "c": [1.0],
            "d": [1.0],
        }
        assert len(w.server.asked) == 4


async def test_a_slow_server_delays_nobody_elsewhere() -> None:
    """While more queries hang than a server has threads, another server's are answered, for the same Rollout too."""
    with ScriptedPrometheus(scripts.Rule(hang=True)) as slow:
        async with world(scripts.constant(1), allowed_addresses=(slow.address,), workers_per_server=2) as w:
            hanging = [
                ticks(T, T, metric(f"q{number}", name=f"q{number}", address=slow.address)) for number in range(5)
            ]
            w.sampler.read(WEB, [*hanging, ticks(T, T)])
            w.sampler.read(SHOP, [ticks(T, T, metric("other"))])
            await asyncio.to_thread(slow.wait_for, 2)

            assert sorted(await w.bell.rings(2), key=str) == [SHOP, WEB]
            assert values(w.read(ticks(T, T))) == [1.0]
            assert values(w.read(ticks(T, T, metric("other")), SHOP)) == [1.0]
            assert all(reading == Reading() for reading in w.sampler.read(WEB, hanging).values())
            assert len(slow.asked) == 2
            slow.release()
            await w.bell.rings(5)


async def test_ticks_that_settle_at_once_wait_their_turn() -> None:
    """However many queries are due in one moment, a server is asked no more of them at a time than it should be."""
    keys = [Key("prod", f"web-{number}") for number in range(7)]
    async with world(scripts.Rule(hang=True), workers_per_server=3) as w:
        w.wall.at -= QUICKLY
        for key in keys:
            w.sampler.read(key, [ticks(T, T - 10, metric(key.name))])
        await one_turn()
        assert w.server.asked == []
        w.wall.at += QUICKLY
        await w.arrived(3)
        await one_turn()

        assert len(w.server.asked) == 3
        w.server.release()
        assert sorted(await w.bell.rings(7), key=str) == keys
        assert len(w.server.asked) == 7


async def test_a_server_that_hangs_becomes_a_problem() -> None:
    """Also for the queries that have to wait for a place."""
    settings = {"timeout_seconds": 0.05, "connect_timeout_seconds": 0.05, "workers_per_server": 1}
    requests = [ticks(T, T, metric(f"q{number}", name=f"q{number}")) for number in range(12)]
    async with world(scripts.Rule(hang=True), **settings) as w:
        w.sampler.read(WEB, requests)
        await w.bell.rings(12)
        problems = [reading.problem for reading in w.sampler.read(WEB, requests).values()]

        assert all("no answer within" in problem for problem in problems)
        assert problems[-1].endswith("no answer within 0.1 s: its turn has not come among other queries")


async def test_a_problem_is_told_and_tried_again() -> None:
    """A problem is told until it is gone; whoever waits is woken when it appears, to try again, and when it goes."""
    async with world(scripts.error(times=2), scripts.constant(1)) as w:
        problems = []
        while not (reading := w.read(ticks(T, T))).samples:
            problems.append(reading.problem)
            await w.bell.rings()

        assert (values(reading), reading.problem) == ([1.0], "")
        assert w.meter.results == ["problem", "problem", "answered"]
        # Nothing is known at first; afterwards the problem is, also while it is tried again.
        assert problems[0] == ""
        assert len(set(problems[1:])) == 1
        assert "too many samples" in problems[1]


async def one_turn() -> None:
    """Let everything run once that the loop has to run."""
    loop = asyncio.get_running_loop()
    turned = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned


async def test_a_problem_is_no_hot_loop() -> None:
    """Until it is time, reading as often as one likes asks nothing and wakes nobody."""
    async with world(scripts.error(), retry_seconds_max=DEADLINE_SECONDS) as w:
        w.read(ticks(T, T))
        await w.bell.rings()
        for _ in range(100):
            assert w.read(ticks(T, T)).problem
            await one_turn()

        assert len(w.server.asked) == 1
        assert w.bell.woken == []


async def test_what_is_known_is_given_beside_a_problem() -> None:
    """Ticks that were read before a server failed are not held back by its failure."""
    async with world(scripts.constant(1, times=1), scripts.error(), retry_seconds_max=DEADLINE_SECONDS) as w:
        w.read(ticks(T, T))
        await w.bell.rings()
        w.read(ticks(T, T + 10))
        await w.bell.rings()

        reading = w.read(ticks(T, T + 10))
        assert values(reading) == [1.0]
        assert reading.problem


async def test_no_query_is_tried_again_before_its_interval() -> None:
    """The pause after a problem is the interval, where that is shorter than the setting."""
    async with world(scripts.error(), retry_seconds_max=60.0) as w:
        fast = metric(interval="1s")
        w.read(ticks(T, T, fast))
        await w.bell.rings()
        (series,) = w.sampler._series.values()

        assert series.retry is not None
        assert 0.5 < series.retry.when() - asyncio.get_running_loop().time() <= 1.0


async def test_an_address_that_is_not_allowed_is_never_asked() -> None:
    """The problem is told at once, and the metrics beside it are read."""
    with ScriptedPrometheus() as forbidden:
        async with world(scripts.constant(1)) as w:
            requests = [ticks(T, T), ticks(T, T, metric(name="other", address=forbidden.address))]
            readings = w.sampler.read(WEB, requests)
            await w.bell.rings()

            assert "is not one that the operator allows" in readings["other"].problem
            assert values(w.read(ticks(T, T))) == [1.0]
        assert forbidden.asked == []


async def test_an_allowed_address_is_asked_without_the_token(tmp_path: Path) -> None:
    """The default server gets the operator's token, the other does not."""
    token = tmp_path / "token"
    token.write_text("s3cr3t-t0ken")
    with ScriptedPrometheus(scripts.constant(2)) as allowed:
        async with world(scripts.constant(1), allowed_addresses=(allowed.address,), bearer_token_file=token) as w:
            requests = [ticks(T, T), ticks(T, T, metric(name="other", address=allowed.address))]
            w.sampler.read(WEB, requests)
            await w.bell.rings(2)

            assert [asked.headers.get("Authorization") for asked in w.server.asked] == ["Bearer s3cr3t-t0ken"]
            assert [asked.headers.get("Authorization") for asked in allowed.asked] == [None]
            assert values(w.sampler.read(WEB, requests)["other"]) == [2.0]


async def test_what_is_forgotten_is_dropped() -> None:
    """After forget nothing is kept, nothing is tried again and nobody is woken."""
    async with world(scripts.error(times=1), scripts.Rule(hang=True)) as w:
        w.read(ticks(T, T))
        await w.bell.rings()
        w.sampler.read(WEB, [ticks(T, T), ticks(T, T, metric("other", name="other"))])
        await w.arrived(2)
        w.sampler.forget(WEB)
        w.server.release()

        assert not w.sampler._series
        assert not w.sampler._read_by
        w.read(ticks(T, T, metric("third")), SHOP)
        assert await w.bell.rings() == [SHOP]


async def test_what_another_rollout_needs_is_not_forgotten() -> None:
    """A query outlives one of its readers."""
    async with world(scripts.Rule(hang=True)) as w:
        w.read(ticks(T, T), WEB)
        w.read(ticks(T, T), SHOP)
        w.sampler.forget(WEB)
        w.server.release()

        assert await w.bell.rings() == [SHOP]
        assert len(w.read(ticks(T, T), SHOP).samples) == 1


async def test_what_is_not_asked_for_any_more_is_dropped() -> None:
    """A query that changed, with a new canary's hash in it, leaves nothing behind; nor does its answer wake anybody."""
    async with world(scripts.Rule(match="old", hang=True), scripts.constant(1)) as w:
        w.sampler.read(WEB, [ticks(T, T, metric("old")), ticks(T, T, metric("gone", name="gone"))])
        await w.arrived(2)
        await w.bell.rings()
        w.read(ticks(T, T, metric("new")))
        w.server.release()

        assert await w.bell.rings() == [WEB]
        assert [question.query for question in w.sampler._series] == ["new"]
        assert w.sampler._read_by == {WEB: w.sampler._series}
        assert w.bell.woken == []


async def test_what_nobody_looks_at_is_dropped_in_time() -> None:
    """What a Rollout read whose passes all fail is dropped, but not while it waits for a tick that is to come."""
    async with world(scripts.constant(1)) as w:
        w.read(ticks(T, T), WEB)
        await w.bell.rings()
        w.read(ticks(T, T, metric("slow", interval="1000s")), SHOP)
        await w.bell.rings()
        w.read(ticks(T, T, metric("slow", interval="1000s")), SHOP)
        w.clock.at = 660.0
        w.sampler.read(OTHER, [])

        assert [question.query for question in w.sampler._series] == ["slow"]
        assert {key: set(read) for key, read in w.sampler._read_by.items()} == {
            WEB: set(),
            SHOP: set(w.sampler._series),
        }


async def test_samples_that_were_taken_are_dropped() -> None:
    """Days of analysis take no more memory than an hour."""
    async with world(scripts.constant(1)) as w:
        first = T
        while first <= T + 10 * 3000:
            reading = w.read(ticks(first, T + 10 * 3000))
            if reading.samples:
                first = reading.samples[-1].at + 10
            else:
                await w.bell.rings()

        (series,) = w.sampler._series.values()
        assert len(series.samples) < 1000
        assert w.server.ticks() == list(range(T, T + 10 * 3001, 10))


async def test_nothing_is_read_ahead_without_end() -> None:
    """A reader that takes nothing, because its status cannot be written, stops the reading after two queries."""
    async with world(scripts.constant(1)) as w:
        request = ticks(T, T + 10 * 5000)
        for _ in range(2):
            w.read(request)
            await w.bell.rings()

        assert len(w.read(request).samples) == 600
        assert len(w.server.asked) == 2
        (series,) = w.sampler._series.values()
        assert series.fetching is None


async def test_closing_does_not_wait_for_a_server_that_hangs() -> None:
    """Close cancels what is on its way; afterwards nothing new is asked."""
    async with world(scripts.Rule(hang=True), timeout_seconds=DEADLINE_SECONDS) as w:
        w.read(ticks(T, T))
        await w.arrived(1)
        async with asyncio.timeout(DEADLINE_SECONDS / 2):
            await w.sampler.close()

        assert w.read(ticks(T, T)) == Reading()
        assert len(w.server.asked) == 1
        assert w.bell.woken == []


async def test_a_machine_without_threads_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even that is said and tried again, and the place in the queue is given back."""
    async with world(scripts.constant(1), workers_per_server=1) as w:
        with monkeypatch.context() as patched:
            patched.setattr("threading.Thread.start", _no_thread)
            w.read(ticks(T, T))
            await w.bell.rings()
            assert w.read(ticks(T, T)).problem.endswith("it was not asked: can't start new thread")

        await w.bell.rings()
        assert values(w.read(ticks(T, T))) == [1.0]


def _no_thread(*_: object) -> None:
    message = "can't start new thread"
    raise RuntimeError(message)
