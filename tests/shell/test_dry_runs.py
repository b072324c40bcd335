"""Dry runs run beside the passes: nobody waits for them, few run at a time, and their answers are not lost."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from headgate.core.faults import Refused, Unreachable
from headgate.core.model import Identity, Json, Key, Kind, Target, TemplateRecord, Unwritten
from headgate.observe.dry_runs import AGAIN_SECONDS, KEPT_MAX, NAMESPACE_MAX, RUNNING_MAX, BeingAsked, BesidePasses
from headgate.observe.observer import Observer
from headgate.observe.template_identity import Identifier
from headgate.reconcile.reconciler import ANSWER_SECONDS, UNTOLD_SECONDS
from tests.api import samples
from tests.shell import virtual
from tests.shell.observations import KEY, decision, observation
from tests.shell.surroundings import World


class Admission:
    """An API server whose admission takes its time, or refuses."""

    def __init__(self, seconds: float = 8.0) -> None:
        self.seconds = seconds
        self.fault: Exception | None = None
        self.asked: list[tuple[str, float]] = []
        self.running: list[str] = []
        self.most: dict[str, int] = {}
        self.woken: list[Key] = []
        self.runs = BesidePasses(self.woken.append)

    def inquiry(self, key: Key, text: str = "same") -> Callable[[], Coroutine[Any, Any, str]]:
        """Return what asks for *key*, and is answered by *text*."""

        async def ask() -> str:
            self.asked.append((key.name, virtual.clock()))
            self.running.append(key.namespace)
            for namespace in ("", key.namespace):
                count = len([one for one in self.running if namespace in ("", one)])
                self.most[namespace] = max(self.most.get(namespace, 0), count)
            try:
                await virtual.elapse(self.seconds)
            finally:
                self.running.remove(key.namespace)
            if self.fault is not None:
                raise self.fault
            return text

        return ask

    async def answer(self, key: Key = KEY, subject: str = "r2") -> str:
        """Return what a pass over *key* hears, in no time."""
        began = virtual.clock()
        try:
            return await self.runs.ask(key, subject, self.inquiry(key))
        except BeingAsked as asked:
            return f"asked for {asked.seconds:.0f} s"
        except (Refused, Unreachable) as fault:
            return str(fault)
        finally:
            assert virtual.clock() == began

    async def get(self, _kind: Kind, _namespace: str, _name: str) -> Json | None:
        """There is nothing."""

    async def select(self, _kind: Kind, _namespace: str, _labels: Any) -> list[Json]:
        """There is nothing."""
        return []

    async def try_create(self, _kind: Kind, _namespace: str, body: Json) -> Json:
        """Take the time that admission takes."""
        await self.inquiry(KEY)()
        return body


def test_nobody_waits_and_the_answer_comes() -> None:
    """A pass hears at once that there is no answer, is woken when there is one, and has it; it was asked for once."""

    async def main() -> None:
        admission = Admission()
        assert await admission.answer() == "asked for 0 s"
        await virtual.elapse(5)
        assert await admission.answer() == "asked for 5 s"
        assert admission.woken == []
        await virtual.elapse(4)
        assert admission.woken == [KEY]
        assert await admission.answer() == "same"
        assert len(admission.asked) == 1

    virtual.run(main)


def test_answer_that_no_pass_missed_wakes_nobody() -> None:
    """A pass that waits a moment for the answer has it, and none follows; one that is not in time is owed it."""

    async def main() -> None:
        admission = Admission(0.05)
        await admission.answer()
        await admission.runs.settle(KEY, 0.1)
        assert admission.runs.owes(KEY)  # it was missed by then, and a running pass may still take it
        assert await admission.answer() == "same"
        assert not admission.runs.owes(KEY)

        await admission.answer(subject="r3")
        await admission.runs.settle(KEY, 0.01)
        assert not admission.runs.owes(KEY)

    virtual.run(main)


@pytest.mark.parametrize("fault", [Refused("spec.containers[0].image: required"), Unreachable("no answer within 10 s")])
def test_refusal_stands_while_it_is_asked_for_again(fault: Exception) -> None:
    """What was refused is asked for again after a while, beside the passes; only another answer wakes."""

    async def main() -> None:
        admission = Admission()
        admission.fault = fault
        await admission.answer()
        await virtual.elapse(9)
        assert await admission.answer() == str(fault)
        await virtual.elapse(AGAIN_SECONDS)
        told = await admission.answer()
        assert (told == str(fault)) == isinstance(fault, Refused)
        await virtual.elapse(9)
        assert (len(admission.asked), admission.woken, admission.runs.owes(KEY)) == (2, [KEY], False)
        admission.fault = None
        await virtual.elapse(AGAIN_SECONDS)
        await admission.answer()
        await virtual.elapse(9)
        assert admission.woken == [KEY, KEY]
        assert await admission.answer() == "same"

    virtual.run(main)


def test_h33_dry_runs_of_one_namespace_delay_no_other() -> None:
    """H33: a hundred Rollouts whose dry runs hang use four places; that of another namespace is made at once."""

    async def main() -> None:
        admission = Admission(1000.0)
        for number in range(100):
            await admission.answer(Key("hostile", f"web-{number}"))
        await virtual.elapse(1)
        assert admission.most["hostile"] == NAMESPACE_MAX
        admission.seconds = 0.005
        await admission.answer()
        await virtual.elapse(0.01)
        assert admission.woken == [KEY]
        assert await admission.answer() == "same"

    virtual.run(main)


def test_who_had_no_place_is_woken_for_it() -> None:
    """However many want a dry run, each has its own in the end; not more run at a time than may, of all and of one."""

    async def main() -> None:
        admission = Admission(1.0)
        keys = [Key(f"shop-{number % 9}", f"web-{number}") for number in range(90)]
        missing = set(keys)
        for key in keys:
            await admission.answer(key)
        while missing:
            await virtual.elapse(0.1)
            woken, admission.woken[:] = list(admission.woken), []
            for key in woken:
                if await admission.answer(key) == "same":
                    missing.discard(key)
        assert len(admission.asked) == 90
        assert admission.most[""] <= RUNNING_MAX
        assert max(admission.most.values()) <= RUNNING_MAX
        assert max(count for namespace, count in admission.most.items() if namespace) <= NAMESPACE_MAX

    virtual.run(main)


def test_little_is_kept_of_one_rollout() -> None:
    """One whose template changes with every pass has a few dry runs under way; with it they all go."""

    async def main() -> None:
        admission = Admission(1000.0)
        for number in range(50):
            await admission.answer(subject=str(number))
            await virtual.elapse(0.1)
        assert len(admission.runs._inquiries[KEY]) == KEPT_MAX
        assert len(admission.running) <= KEPT_MAX
        admission.runs.forget(KEY)
        await virtual.elapse(0.1)
        assert (admission.running, admission.runs._inquiries, len(admission.runs._waiting)) == ([], {}, 0)
        await admission.answer()
        await virtual.elapse(0.1)
        assert admission.running == [KEY.namespace]
        admission.runs.close()
        await virtual.elapse(0.1)
        assert (admission.running, admission.runs._inquiries) == ([], {})

    virtual.run(main)


def test_h35_identity_is_unknown_while_admission_takes_its_time() -> None:
    """H35: which revision a template is stays unknown for as long as the dry run takes, in words that say how long."""

    async def main() -> None:
        admission = Admission()
        identifier = Identifier(admission, admission.runs)
        rollout = observation().rollout
        record = TemplateRecord("web-old", "old", 1, {"spec": {"containers": []}}, 0, 1)

        async def target() -> Target:
            return await identifier.target(rollout, None, [record])

        assert await target() == Target(Identity.UNKNOWN, message=str(BeingAsked(0.0)), asked_seconds=0.0)
        await virtual.elapse(12)
        assert (await target()).message == "the API server has not answered a dry run of its Deployment for 12 s"
        await virtual.elapse(12)
        assert await target() == Target(Identity.KNOWN, rollout.template_hash)
        assert len(admission.asked) == 2
        identifier.forget(KEY)
        assert (await target()).identity is Identity.UNKNOWN

    virtual.run(main)


def test_h35_decision_to_go_back_waits_for_no_dry_run() -> None:
    """H35: a pass that goes back acts at once; one that does not waits a moment for the answer, and says nothing."""

    async def main() -> None:
        asked = dataclasses.replace(observation(), target=Target(Identity.UNKNOWN, asked_seconds=0.0))
        world = World([asked] * 3)
        acted: list[Identity] = []

        async def act(seen: Any, _decision: Any) -> Any:
            acted.append(seen.target.identity)
            return await World.act(world, seen, _decision)

        vars(world)["act"] = act
        world.decided = lambda _: dataclasses.replace(decision(), urgent=True)
        began = virtual.clock()
        await world.first_pass()
        assert (virtual.clock(), acted) == (began, [Identity.UNKNOWN])

        world.decided = lambda _: decision()
        world.answer = observation()
        await world.first_pass()
        assert virtual.clock() == pytest.approx(began + ANSWER_SECONDS)
        assert acted == [Identity.UNKNOWN, Identity.KNOWN]

    virtual.run(main)


class Namespace:
    """A namespace with a Rollout and an autoscaler, whose admission takes 50 ms, as a Reader; no metrics."""

    def __init__(self) -> None:
        stable = {"hash": "old", "revision": 1, "started": "2026-01-01T00:00:00Z"}
        metadata = {"name": KEY.name, "namespace": KEY.namespace, "uid": "u", "resourceVersion": "1"}
        self.rollout: Json | None = {**samples.SMALLEST, "metadata": metadata, "status": {"stable": stable}}

    async def get(self, kind: Kind, _namespace: str, _name: str) -> Json | None:
        """Return the Rollout, and nothing else."""
        return self.rollout if kind is Kind.ROLLOUT else None

    async def select(self, kind: Kind, _namespace: str, _labels: Mapping[str, str]) -> list[Json]:
        """Return the autoscaler, and nothing else."""
        target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web-old"}
        return [{"metadata": {"name": "a"}, "spec": {"scaleTargetRef": target}}] if kind is Kind.AUTOSCALER else []

    async def try_create(self, _kind: Kind, _namespace: str, body: Json) -> Json:
        """Return *body* after a while."""
        await virtual.elapse(0.05)
        return body

    def read(self, *_: Any) -> Mapping[str, Any]:
        """Return no reading."""
        return {}

    def quiet(self, key: Key, until: int) -> None:
        """Nothing is measured."""

    def forget(self, key: Key) -> None:
        """Nothing is measured."""


def test_answer_changes_what_else_is_looked_at() -> None:
    """What matters of a version that is about to start, such as autoscalers, is known in the pass that starts it."""

    async def main() -> None:
        namespace = Namespace()
        observer = Observer(namespace, namespace, virtual.clock, settle_seconds=20)
        first = await observer.observe(KEY)
        assert first is not None
        assert (first.target.identity, first.autoscalers) == (Identity.UNKNOWN, ())
        soon = await observer.answered(KEY, first, 0.01)
        assert (soon.target.identity, soon.autoscalers) == (Identity.UNKNOWN, ())

        left = Unwritten(first.status, since=1.0)
        known = await observer.answered(KEY, dataclasses.replace(soon, unwritten=left), ANSWER_SECONDS)
        assert (known.target.identity, [one.name for one in known.autoscalers]) == (Identity.KNOWN, ["a"])
        assert known.unwritten == left
        namespace.rollout = None
        assert await observer.answered(KEY, soon, ANSWER_SECONDS) == soon

    virtual.run(main)


def test_dry_run_that_hangs_is_told_after_a_while() -> None:
    """For two seconds nothing is said of a dry run without an answer; then it is, and what else there is is done."""

    async def main() -> None:
        began = virtual.clock()
        world = World([])

        async def observe(*_: Any) -> Any:
            target = Target(Identity.UNKNOWN, asked_seconds=virtual.clock() - began)
            return dataclasses.replace(observation(), target=target)

        vars(world)["observe"] = observe
        await world.first_pass()
        assert world.ended == [("settled", "asked")]
        await world.next_pass()
        assert world.ended[-1] == ("settled", "ok")
        assert virtual.clock() - began == pytest.approx(UNTOLD_SECONDS + ANSWER_SECONDS, abs=0.2)

    virtual.run(main)


def test_answer_during_a_pass_costs_no_other() -> None:
    """An answer that a running pass may still take wakes nobody; one that it has missed is followed by a pass."""

    async def main() -> None:
        owed: set[Key] = set()
        world = World([observation()] * 3)

        class Owing:
            def owes(self, key: Key) -> bool:
                return key in owed

        world.passes._answers = Owing()

        async def act(seen: Any, decided: Any) -> Any:
            world.passes.answered(KEY)
            return await World.act(world, seen, decided)

        vars(world)["act"] = act
        await world.first_pass()
        assert len(world.queue) == 0
        owed.add(KEY)
        await world.first_pass()
        owed.clear()
        assert await asyncio.wait_for(world.next_pass(), 1) == 0
        world.passes.answered(KEY)
        assert len(world.queue) == 1

    virtual.run(main)
