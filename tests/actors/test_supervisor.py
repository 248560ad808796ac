"""Supervisors with real tasks: against the simple model, against the clock, against cancellation."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.errors import (
    ActorCrashedError,
    ActorError,
    ActorStoppedError,
    NameTakenError,
    StartError,
    TooManyRestartsError,
)
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorRestarted,
    ActorStarted,
    ActorStopped,
    DeadReason,
    Event,
    EventStream,
    MessageDead,
    MessageSent,
    MessageTaken,
)
from etamil_actors.actors.reference import Answered
from etamil_actors.actors.restart import Backoff, Cut, Exit, Restart, Stopped, Strategy
from etamil_actors.actors.supervisor import DynamicSpec, SupervisorSpec
from etamil_actors.actors.tree import open_tree
from etamil_actors.errors import Fault, Frame
from tests.actors.helpers import Crash, Model, Prompt, Trace, actor_at, run_virtually, settle, worker


def listening(trace: Trace) -> EventStream:
    events = EventStream()
    events.listen(trace)
    return events


# ── order ───────────────────────────────────────────────────────────────────────────────────────────


async def test_a_tree_starts_in_order_and_stops_in_reverse() -> None:
    notes: list[str] = []
    inner = SupervisorSpec(name="inner", children=(worker("b", notes), worker("c", notes)))
    spec = SupervisorSpec(name="root", children=(worker("a", notes), inner, worker("d", notes)))
    trace = Trace()
    async with open_tree(spec, listening(trace)) as tree:
        assert [child.path for child in actor_at(tree, "/root").children] == [
            "/root/a", "/root/inner", "/root/d",
        ]  # fmt: skip
        assert len(tree.registry) == 6
    assert notes == ["start a", "start b", "start c", "start d"] + [f"stop {x} Stopped" for x in "dcba"]
    assert [event.actor for event in trace.of(ActorStopped)] == [
        "/root/d", "/root/inner/c", "/root/inner/b", "/root/inner", "/root/a", "/root",
    ]  # fmt: skip
    assert len(tree.registry) == 0


async def test_each_child_has_its_own_time_to_stop() -> None:
    spec = SupervisorSpec(
        name="root", children=(worker("a", shutdown=1.0), worker("b", shutdown=2.0), worker("c"))
    )
    trace = Trace()
    async with open_tree(spec, listening(trace)) as tree:
        for name in "abc":
            await tree.at(f"/root/{name}").tell(("sleep", 99.0))
        await settle()
    ended = [
        (event.actor, event.time, type(event.exit))
        for event in trace.events
        if isinstance(event, ActorStopped)
    ]
    assert [(actor, kind) for actor, _, kind in ended] == [
        ("/root/c", Cut), ("/root/b", Cut), ("/root/a", Cut), ("/root", Stopped),
    ]  # fmt: skip
    assert [time for _, time, _ in ended] == pytest.approx([10.0, 12.0, 13.0, 13.0], abs=1e-3)


# ── strategies with real tasks ──────────────────────────────────────────────────────────────────────


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(Restart), min_size=1, max_size=4),
    strategy=st.sampled_from(Strategy),
    intensity=st.integers(0, 4),
    orders=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["crash", "end", "stop"])), max_size=10),
    cleanup=st.sampled_from([None, 0.0, 0.01]),
    seed=st.integers(0, 100),
)
def test_random_ends_agree_with_the_model(
    kinds: list[Restart],
    strategy: Strategy,
    intensity: int,
    orders: list[tuple[int, str]],
    cleanup: float | None,
    seed: int,
) -> None:
    model = Model(kinds, strategy, intensity)
    try:
        run_virtually(_random_ends, model, orders, cleanup, seed=seed)
    except TooManyRestartsError:
        assert model.failed
    else:
        assert not model.failed


async def _random_ends(model: Model, orders: list[tuple[int, str]], cleanup: float | None) -> None:
    def spec_of(name: str, kind: Restart) -> ActorSpec:
        # Nothing to clean up: then nothing to start either, and all happens in plain calls.
        if cleanup is None:
            return ActorSpec(name=name, make=Prompt, restart=kind)
        return worker(name, cleanup=cleanup, restart=kind)

    children = tuple(spec_of(f"c{n}", kind) for n, kind in enumerate(model.kinds))
    spec = SupervisorSpec(
        name="root", children=children, strategy=model.strategy, intensity=model.left, period=1000.0
    )
    async with open_tree(spec) as tree:
        actors = [actor_at(tree, f"/root/c{n}") for n in range(len(children))]
        for child, order in orders:
            child %= len(children)
            if not model.over[child]:
                if order == "stop":
                    model.stop(child)
                    await actors[child].reference.stop()
                else:
                    model.end(child, order == "crash")
                    if cleanup is None:
                        with suppress(ActorCrashedError):
                            actors[child].reference.try_ask(order)
                    else:
                        await actors[child].reference.tell(order)
            await trio.sleep(1.0)
            assert [actor.life for actor in actors] == model.lives
            assert [actor.is_gone for actor in actors] == model.over
            for actor in actors:
                if not actor.is_gone:
                    assert await actor.reference.ask("life") == actor.life


async def test_the_rest_is_stopped_in_reverse_and_started_in_order() -> None:
    notes: list[str] = []
    spec = SupervisorSpec(
        name="root",
        strategy=Strategy.REST_FOR_ONE,
        children=tuple(worker(name, notes, cleanup=0.1) for name in "abcd"),
    )
    trace = Trace()
    async with open_tree(spec, listening(trace)) as tree:
        notes.clear()
        await tree.at("/root/b").tell("crash")
        await trio.sleep(5)
        assert notes == [
            "stop b Crashed", "stop d Stopped", "stop c Stopped", "start b", "start c", "start d",
        ]  # fmt: skip
    restarts = [(e.actor, e.life, e.cause) for e in trace.events if isinstance(e, ActorRestarted)]
    assert restarts == [("/root/b", 2, "/root/b"), ("/root/c", 2, "/root/b"), ("/root/d", 2, "/root/b")]


async def test_waiting_messages_of_a_sibling_stay_waiting() -> None:
    spec = SupervisorSpec(name="root", strategy=Strategy.ONE_FOR_ALL, children=(worker("a"), worker("b")))
    async with open_tree(spec) as tree:
        b = tree.at("/root/b")
        b.tell_nowait(("sleep", 1.0))
        b.tell_nowait("one")
        await settle()
        await tree.at("/root/a").tell("crash")
        assert await b.ask("life") == 2
        assert tree.dead_letters.count() == 0


# ── back-off and giving up ──────────────────────────────────────────────────────────────────────────


async def test_restarts_wait_as_the_back_off_says() -> None:
    backoff = Backoff(1.0, factor=2.0, cap=5.0, jitter=0.5)
    spec = SupervisorSpec(name="root", intensity=9, children=(worker("a", backoff=backoff),))
    trace = Trace()
    async with open_tree(spec, listening(trace), lambda: 0.5) as tree:
        for _ in range(5):
            await tree.at("/root/a").tell("crash")
        await tree.at("/root/a").ask("life", 100.0)
    delays = [event.delay for event in trace.events if isinstance(event, ActorRestarted)]
    assert delays == pytest.approx([0.75, 1.5, 3.0, 3.75, 3.75])
    starts = [event.time for event in trace.of(ActorStarted) if event.actor == "/root/a"]
    assert starts == pytest.approx([0, 0.75, 2.25, 5.25, 9.0, 12.75], abs=1e-3)


async def test_a_child_that_waits_for_its_restart_can_be_stopped() -> None:
    spec = SupervisorSpec(name="root", children=(worker("a", backoff=Backoff(10.0, jitter=0)),))
    async with open_tree(spec) as tree:
        a = tree.at("/root/a")
        await a.tell("crash")
        await settle()
        a.tell_nowait("waits for ever")
        await a.stop()
        assert not a.is_alive
        assert tree.dead_letters.count(DeadReason.LEFT) == 1
    assert trio.current_time() == 0


async def test_too_many_restarts_end_the_tree_with_a_report() -> None:
    backoff = Backoff(0.5, factor=2, jitter=0)
    spec = SupervisorSpec(name="root", intensity=2, period=60, children=(worker("பதிவாளர்", backoff=backoff),))
    with pytest.raises(TooManyRestartsError) as caught:
        async with open_tree(spec) as tree:
            for _ in range(3):
                await tree.at("/root/பதிவாளர்").tell("crash")
            await trio.sleep_forever()
    assert str(caught.value) == (
        "‘/root/பதிவாளர்’ மீண்டும் மீண்டும் நின்றுபோனது; ‘/root’ கைவிட்டது"
        "  (‘/root/பதிவாளர்’ ended again and again; ‘/root’ gave up)\n"
        "  60 நொடிக்குள் 3 முறை; 2 மறுதொடக்கங்களே அனுமதி"
        "  (3 times within 60 s; 2 restarts are allowed)\n"
        "  +0.000 s  /root/பதிவாளர்: Crash: life 1 → 0.5 நொடிக்குப் பின் மறுதொடக்கம்  (restarted after 0.5 s)\n"
        "  +0.500 s  /root/பதிவாளர்: Crash: life 2 → 1 நொடிக்குப் பின் மறுதொடக்கம்  (restarted after 1 s)\n"
        "  +1.500 s  /root/பதிவாளர்: Crash: life 3 → கைவிடப்பட்டது  (given up)"
    )


async def test_the_report_names_the_line_of_the_program() -> None:
    class Program(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            fault = Fault("number.division_by_zero")
            fault.trace = (Frame("kadai.qmz", 12, 5, "கணக்கிடு"),)
            raise fault

    spec = SupervisorSpec(name="root", intensity=0, children=(ActorSpec(name="a", make=Program),))
    with pytest.raises(TooManyRestartsError) as caught:
        async with open_tree(spec) as tree:
            await tree.at("/root/a").tell(1)
            await trio.sleep_forever()
    assert "/root/a: kadai.qmz:12:5: சுழியத்தால் வகுக்க முடியாது  (division by zero) →" in str(caught.value)


async def test_what_a_supervisor_cannot_cure_goes_up_and_handles_stay_good() -> None:
    notes: list[str] = []
    inner = SupervisorSpec(
        name="inner",
        intensity=1,
        children=(worker("a", notes), worker("b", notes)),
        restart=Restart.PERMANENT,
    )
    trace = Trace()
    async with open_tree(SupervisorSpec(name="root", children=(inner,)), listening(trace)) as tree:
        a, b = tree.at("/root/inner/a"), tree.at("/root/inner/b")
        b.tell_nowait(("sleep", 1.0))
        b.tell_nowait("kept")
        await settle()
        for _ in range(2):
            await a.tell("crash")
        await trio.sleep(5)
        assert notes[-3:] == ["start a", "start b", "b: kept"]
        assert (await a.ask("life"), await b.ask("life")) == (3, 2)
    crashes = [event.actor for event in trace.of(ActorCrashed)]
    assert crashes == ["/root/inner/a", "/root/inner/a", "/root/inner"]


async def test_the_root_reports_the_whole_way_up() -> None:
    inner = SupervisorSpec(name="inner", intensity=0, children=(worker("a"),))
    with pytest.raises(TooManyRestartsError) as caught:
        async with open_tree(SupervisorSpec(name="root", intensity=0, children=(inner,))) as tree:
            await tree.at("/root/inner/a").tell("crash")
            await trio.sleep_forever()
    assert isinstance(caught.value.problem, TooManyRestartsError)
    assert "/root/inner/a: Crash: life 1" in str(caught.value)


async def test_a_supervisor_handles_no_messages_and_says_so() -> None:
    async with open_tree(SupervisorSpec(name="root")) as tree:
        with pytest.raises(ActorStoppedError):
            await tree.at("/root").ask("hello")
        assert tree.dead_letters.count(DeadReason.UNWANTED) == 1


async def test_an_error_in_the_block_stops_the_tree_and_is_raised_as_it_is() -> None:
    notes: list[str] = []
    with pytest.raises(ValueError, match="mine"):
        async with open_tree(SupervisorSpec(name="root", children=(worker("a", notes),))):
            raise ValueError("mine")
    assert notes == ["start a", "stop a Stopped"]


async def test_a_finished_child_frees_its_place_and_a_new_life_of_the_supervisor_has_a_new_one() -> None:
    inner = SupervisorSpec(
        name="inner",
        intensity=0,
        children=(worker("job", restart=Restart.TRANSIENT, register="job"), worker("a")),
    )
    async with open_tree(SupervisorSpec(name="root", children=(inner,))) as tree:
        old = tree.at("/root/inner/job")
        await old.tell("end")
        await settle()
        assert tree.registry.find("job") is None
        await tree.at("/root/inner/a").tell("crash")
        await trio.sleep(1)
        new = tree.registry.find("job")
        assert new is not None
        assert new is not old
        assert await new.ask("life") == 1


# ── children that come and go ───────────────────────────────────────────────────────────────────────

DYNAMIC = SupervisorSpec(name="root", children=(DynamicSpec(name="tasks", intensity=3, period=5.0),))


async def test_children_come_and_go() -> None:
    async with open_tree(DYNAMIC) as tree:
        tasks = actor_at(tree, "/root/tasks")
        a = await tasks.start_child(worker(tasks.fresh_name("task"), restart=Restart.TEMPORARY))
        b = await tasks.start_child(worker(tasks.fresh_name("task"), restart=Restart.TRANSIENT))
        assert [child.path for child in tasks.children] == ["/root/tasks/task#1", "/root/tasks/task#2"]
        await a.tell("crash")
        await b.tell("crash")
        assert await b.ask("life") == 2
        assert not a.is_alive
        assert tasks.children == (b,)
        await b.tell("end")
        await settle()
        assert tasks.children == ()
        assert len(tree.registry) == 2


async def test_a_child_that_cannot_start_is_the_callers_problem_and_leaves_nothing() -> None:
    class Broken(Behaviour):
        async def on_start(self, actor: Actor) -> None:
            await trio.sleep(1)
            raise ValueError("broken")

    async with open_tree(DYNAMIC) as tree:
        tasks = actor_at(tree, "/root/tasks")
        for _ in range(10):
            with pytest.raises(StartError, match="ValueError: broken"):
                await tasks.start_child(ActorSpec(name="a", make=Broken, register="a"))
        await tasks.start_child(worker("a", register="a"))
        with pytest.raises(NameTakenError):
            await tasks.start_child(worker("a"))
        with pytest.raises(NameTakenError):
            await tasks.start_child(worker("b", register="a"))
        assert len(tasks.children) == 1


async def test_who_starts_a_child_and_goes_away_leaves_none() -> None:
    class Slow(Behaviour):
        async def on_start(self, actor: Actor) -> None:
            await trio.sleep(3)

    async with open_tree(DYNAMIC) as tree:
        tasks = actor_at(tree, "/root/tasks")
        with trio.move_on_after(1):
            await tasks.start_child(ActorSpec(name="a", make=Slow))
        assert len(tasks.children) == 1
        await trio.sleep(5)
        assert tasks.children == ()


async def test_children_wait_for_their_restarts_side_by_side() -> None:
    async with open_tree(DYNAMIC) as tree:
        tasks = actor_at(tree, "/root/tasks")
        backoffs = {"slow": 4.0, "fast": 1.0, "never": 60.0}
        for name, seconds in backoffs.items():
            child = await tasks.start_child(worker(name, backoff=Backoff(seconds, jitter=0)))
            await child.tell("crash")
        assert await tree.at("/root/tasks/fast").ask("life", 60.0) == 2
        assert trio.current_time() == pytest.approx(1.0, abs=1e-3)
        assert await tree.at("/root/tasks/slow").ask("life", 60.0) == 2
        assert trio.current_time() == pytest.approx(4.0, abs=1e-3)
        await tree.at("/root/tasks/never").stop()
        assert len(tasks.children) == 2
        assert trio.current_time() == pytest.approx(4.0, abs=1e-3)


async def test_too_many_crashes_of_different_children_end_them_all() -> None:
    trace = Trace()
    async with open_tree(DYNAMIC, listening(trace)) as tree:
        tasks = actor_at(tree, "/root/tasks")
        children = [await tasks.start_child(worker(f"t{n}")) for n in range(5)]
        for child in children[:4]:
            await child.tell("crash")
        await trio.sleep(1)
        assert [child.is_alive for child in children] == [False] * 5
        again = await tasks.start_child(worker("again"))
        assert await again.ask(1) == 1
    restarted = [event for event in trace.events if isinstance(event, ActorRestarted)]
    assert [event.actor for event in restarted].count("/root/tasks") == 1


async def test_children_are_stopped_side_by_side() -> None:
    async with open_tree(DYNAMIC) as tree:
        tasks = actor_at(tree, "/root/tasks")
        for n in range(20):
            child = await tasks.start_child(worker(f"t{n}", shutdown=3.0))
            await child.tell(("sleep", 100.0))
        await settle()
    assert trio.current_time() == pytest.approx(3.0, abs=1e-3)
    with pytest.raises(ActorStoppedError):
        await tasks.start_child(worker("late"))


async def test_who_starts_a_child_while_the_supervisor_is_restarted_waits_for_it() -> None:
    flaky = worker("a", backoff=Backoff(5.0, jitter=0))
    spec = SupervisorSpec(
        name="root", strategy=Strategy.ONE_FOR_ALL, children=(flaky, DynamicSpec(name="tasks"))
    )
    async with open_tree(spec) as tree:
        tasks = actor_at(tree, "/root/tasks")
        await tree.at("/root/a").tell("crash")
        await trio.sleep(2.0)
        child = await tasks.start_child(worker("t"))
        assert await child.ask(1) == 1
        assert tasks.life == 2
        assert trio.current_time() == pytest.approx(5.0, abs=1e-3)


async def test_a_supervisor_that_was_never_started_starts_no_children() -> None:
    class Early(Behaviour):
        async def on_start(self, actor: Actor) -> None:
            with pytest.raises(ActorStoppedError):
                await actor_at(actor.tree, "/root/tasks").start_child(worker("t"))

    spec = SupervisorSpec(name="root", children=(ActorSpec(name="a", make=Early), DynamicSpec(name="tasks")))
    async with open_tree(spec) as tree:
        assert len(tree.registry) == 3


async def test_whole_branches_can_come_and_go() -> None:
    async with open_tree(DYNAMIC) as tree:
        tasks = actor_at(tree, "/root/tasks")
        branch = await tasks.start_child(SupervisorSpec(name="s", children=(worker("a"), worker("b"))))
        with pytest.raises(NameTakenError):
            await tasks.start_child(SupervisorSpec(name="t", children=(worker("a"), worker("a"))))
        assert await tree.at("/root/tasks/s/b").ask(1) == 1
        await branch.stop()
        assert len(tree.registry) == 2


def test_ten_thousand_children_are_started_and_stopped() -> None:
    async def scenario() -> None:
        trace = Trace()
        events = EventStream()
        before = trio.lowlevel.current_statistics().tasks_living
        async with open_tree(DYNAMIC, events) as tree:
            tasks = actor_at(tree, "/root/tasks")
            children = [await tasks.start_child(worker(f"t{n}")) for n in range(10_000)]
            assert len(tree.registry) == 10_002
            assert await children[5000].ask(1) == 1
            await children[7000].stop()
            assert len(tasks.children) == 9_999
            events.listen(trace)
        assert len(trace.of(ActorStopped)) == 10_001
        assert len(tree.registry) == 0
        assert trio.lowlevel.current_statistics().tasks_living == before

    run_virtually(scenario)


# ── cancellation at every point ─────────────────────────────────────────────────────────────────────


class CancelAt(trio.abc.Instrument):
    """Cancels a scope before the n-th step of any task."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.scope = trio.CancelScope()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if self.left == 0:
            self.scope.cancel("the test cancels here")


class Lender(Behaviour):
    """Counts what is held while it lives."""

    held = 0

    async def on_start(self, actor: Actor) -> None:
        await trio.sleep(0.01)
        type(self).held += 1

    async def on_message(self, message: Any, actor: Actor) -> Any:
        await trio.sleep(0.01)
        if message == "crash":
            raise Crash
        return message

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        await trio.sleep(0.01)
        type(self).held -= 1


class PromptLender(Lender):
    """The same, begun in the asker's turn."""

    def serve_now(self, message: Any, actor: Actor) -> Answered:
        if message == "crash":
            raise Crash
        return False, self.on_message(message, actor)


async def _scripted(tree: Any) -> None:
    """A bit of everything: asks, tells, crashes, a full mailbox, children that come and go, stops."""
    a, b, p = (tree.at(f"/root/{name}") for name in "abp")
    tasks = actor_at(tree, "/root/tasks")
    for _ in range(3):
        assert await a.ask("x") == "x"
        child = await tasks.start_child(ActorSpec(name="t", make=Lender, backoff=Backoff(0.05)))
        async with trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(b.tell, number)
            nursery.start_soon(child.tell, "crash")
        for crashing in (a, p):
            with pytest.raises(ActorCrashedError):
                await crashing.ask("crash")
        assert await b.ask("y") == "y"
        assert await p.ask("z") == "z"
        await child.stop()
    await a.stop()


def test_cancellation_at_every_point_leaves_nothing_behind() -> None:
    step = 1
    while True:
        Lender.held = 0
        cancel, trace = CancelAt(step), Trace()
        ended = run_virtually(_cancelled, cancel, trace, seed=step)
        assert Lender.held == 0, f"something is held after a cancellation at step {step}"
        # The child of /root/tasks is another one each time, and may end before it is ready.
        born = Counter(e.actor for e in trace.events if isinstance(e, ActorStarted) and e.life == 1)
        ended_for_good = Counter(event.actor for event in trace.of(ActorStopped))
        assert born <= ended_for_good, f"an end is not told at step {step}"
        assert all(count == 1 for path, count in ended_for_good.items() if path != "/root/tasks/t"), (
            f"an end is told twice at step {step}"
        )
        sent = len(trace.of(MessageSent))
        assert sent <= len(trace.of(MessageTaken)) + len(trace.of(MessageDead)), f"lost at step {step}"
        if ended:
            break
        step += 1
    assert step > 100, step


async def _cancelled(cancel: CancelAt, trace: Trace) -> bool:
    spec = SupervisorSpec(
        name="root",
        strategy=Strategy.REST_FOR_ONE,
        intensity=100,
        children=(
            ActorSpec(name="a", make=Lender),
            ActorSpec(name="b", make=Lender, capacity=1),
            ActorSpec(name="p", make=PromptLender),
            DynamicSpec(name="tasks"),
        ),
    )
    before = trio.lowlevel.current_statistics().tasks_living
    trio.lowlevel.add_instrument(cancel)
    tree = None
    with cancel.scope:
        async with open_tree(spec, listening(trace)) as tree:
            await _scripted(tree)
            assert not tree.at("/root/b")._actor.is_gone
    trio.lowlevel.remove_instrument(cancel)
    assert trio.lowlevel.current_statistics().tasks_living == before
    if tree is not None:
        assert len(tree.registry) == 0
    return not cancel.scope.cancel_called


# ── determinism ─────────────────────────────────────────────────────────────────────────────────────


async def _noisy(trace: Trace) -> None:
    """Many actors, common deadlines, crashes, jitter: whatever order there is, comes from the seed."""
    chances = random.Random(7)
    spec = SupervisorSpec(
        name="root",
        intensity=1000,
        children=(
            *(worker(f"w{n}", backoff=Backoff(0.1), capacity=2, cleanup=0.01) for n in range(6)),
            *(ActorSpec(name=f"p{n}", make=Prompt, backoff=Backoff(0.1), capacity=2) for n in range(3)),
            DynamicSpec(name="tasks", intensity=1000),
        ),
    )
    async with open_tree(spec, listening(trace), chances.random) as tree:
        tasks = actor_at(tree, "/root/tasks")

        async def customer(number: int) -> None:
            for turn in range(5):
                target = tree.at(f"/root/w{(number + turn) % 6}")
                await trio.sleep(0.01)
                await target.tell("crash" if (number * turn) % 4 == 3 else turn)
                prompt = tree.at(f"/root/p{(number * turn) % 3}")
                try:
                    await prompt.ask("crash" if (number * turn) % 7 == 6 else ("sleep", 0.01) if turn % 2 else 1)
                    await target.ask(("sleep", 0.02), 0.05)
                except ActorError as problem:
                    trace.events.append(Event(trio.current_time(), str(problem)))
            await tasks.start_child(worker(f"t{number}"))

        async with trio.open_nursery() as nursery:
            for number in range(12):
                nursery.start_soon(customer, number)


def traced(seed: int) -> str:
    """The trace of the noisy scenario, as text without addresses."""
    trace = Trace()
    run_virtually(_noisy, trace, seed=seed)
    return "\n".join(map(repr, trace.events))


def test_one_seed_has_one_trace_in_every_process() -> None:
    here = traced(5)
    program = "from tests.actors.test_supervisor import traced; import sys; sys.stdout.buffer.write(traced(5).encode())"
    for hash_seed in ("0", "4711"):
        # Some garbage first, so that addresses differ.
        there = subprocess.run(
            [sys.executable, "-c", f"rubbish = [object() for _ in range({hash_seed})]; {program}"],
            capture_output=True,
            check=True,
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        )
        assert there.stdout.decode() == here
    assert len(here.splitlines()) > 200


def test_another_seed_has_another_trace() -> None:
    assert len({traced(seed) for seed in range(5)}) > 1


async def test_a_word_of_a_supervisor_to_itself_is_no_dead_letter() -> None:
    inner = SupervisorSpec(
        name="s",
        restart=Restart.TEMPORARY,
        children=(ActorSpec(name="a", make=Behaviour), ActorSpec(name="b", make=Behaviour)),
    )
    async with open_tree(SupervisorSpec(name="root", children=(inner,))) as tree:
        await settle()
        tree.at("/root/s/a").request_stop()  # the supervisor is to look at its plan again …
        tree.at("/root/s").cancel()  # … and never comes to it
        await settle()
        assert tree.registry.at("/root/s") is None
    assert tree.dead_letters.last == []
