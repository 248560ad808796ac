"""Actors without tasks: parked ones, their workers, messages in the asker's turn, lives without messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour, State
from etamil_actors.actors.errors import (
    ActorCrashedError,
    ActorError,
    ActorStoppedError,
    AskSelfError,
    AskTimeoutError,
    StartError,
)
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorStarted,
    ActorStopped,
    DeadReason,
    EventStream,
    MessageSent,
    MessageTaken,
)
from etamil_actors.actors.mailbox import TURN_MESSAGES
from etamil_actors.actors.reference import Answered, Down, Reference, Reply
from etamil_actors.actors.restart import Backoff, Crashed, Cut, Ended, Exit, Restart, Stopped
from etamil_actors.actors.supervisor import DynamicSpec, DynamicSupervisor, SupervisorSpec
from etamil_actors.actors.tree import Tree, open_tree
from etamil_actors.actors.workers import KEPT
from tests.actors.helpers import Counter, Crash, Prompt, Trace, actor_at, run_virtually, settle


def tasks_living() -> int:
    return trio.lowlevel.current_statistics().tasks_living


def longest_wait(turns: list[int]) -> int:
    """How much was done between two turns of a neighbour, at most.

    Trio may run one of two ready tasks last in this batch and first in the next.
    """
    return max(after - before for before, after in pairwise([0, *turns]))


class Tidy(Prompt):
    """With something to give back."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self.notes = notes

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        await trio.sleep(0.5)
        self.notes.append(f"{actor.spec.name} {type(exit).__name__}")


def a_tree(*children: ActorSpec, trace: Trace | None = None) -> AbstractAsyncContextManager[Tree]:
    events = EventStream()
    if trace is not None:
        events.listen(trace)
    tasks = DynamicSpec(name="tasks", intensity=1000)
    return open_tree(SupervisorSpec(name="root", children=(*children, tasks), intensity=1000), events)


def branch(tree: Tree) -> DynamicSupervisor:
    found = actor_at(tree, "/root/tasks")
    assert isinstance(found, DynamicSupervisor)
    return found


def child(name: str, make: Callable[[], Behaviour] = Prompt, **options: Any) -> ActorSpec:
    return ActorSpec(name=name, make=make, **options)


# ── without a task ──────────────────────────────────────────────────────────────────────────────────


async def test_an_actor_that_has_nothing_to_do_has_no_task() -> None:
    async with a_tree() as tree:
        before = tasks_living()
        children = [branch(tree).start_child_nowait(child(f"c{n}", Counter)) for n in range(1000)]
        assert tasks_living() == before
        assert [await reference.ask(1) for reference in children] == [1] * 1000
        assert tasks_living() == before + 1  # one worker for one after the other
        assert all(actor_at(tree, reference.path).state is State.RUNNING for reference in children)


async def test_only_a_few_workers_are_kept() -> None:
    async with a_tree() as tree:
        before = tasks_living()
        for number in range(200):
            branch(tree).start_child_nowait(child(f"c{number}", Counter)).tell_nowait(("sleep", 1.0))
        await settle()
        assert tasks_living() == before + 200
        await trio.sleep(2)
        assert tasks_living() == before + KEPT


async def test_a_busy_actor_keeps_its_worker_and_gives_it_up_when_another_needs_it() -> None:
    async with a_tree() as tree:
        a, b = (branch(tree).start_child_nowait(child(name, Counter)) for name in "ab")
        await a.ask(1)
        worker = actor_at(tree, a.path).worker
        await a.ask(1)
        assert worker is not None
        assert actor_at(tree, a.path).worker is worker
        await b.ask(1)
        assert actor_at(tree, a.path).worker is None
        assert actor_at(tree, b.path).worker is worker
        assert (await a.ask(1), await b.ask(1)) == (3, 2)


async def test_a_message_that_comes_while_the_worker_is_on_its_way_to_another_is_handled() -> None:
    async with a_tree() as tree:
        a, b = (branch(tree).start_child_nowait(child(name, Counter)) for name in "ab")
        await a.ask(1)
        b.tell_nowait(1)
        a.tell_nowait(1)
        await settle()
        assert (await a.ask(0), await b.ask(0)) == (2, 1)


async def test_a_worker_knows_nothing_of_the_sender() -> None:
    sender: ContextVar[str] = ContextVar("sender", default="nobody")
    seen: list[str] = []

    class Nosy(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            seen.append(sender.get())
            sender.set(actor.spec.name)

    async with a_tree() as tree:
        a, b = (branch(tree).start_child_nowait(child(name, Nosy)) for name in "ab")
        sender.set("the test")
        for reference in (a, b, a):
            await reference.ask(1)
    assert seen == ["nobody"] * 3


async def test_parked_actors_are_stopped_and_told_of_like_others() -> None:
    notes: list[str] = []
    trace = Trace()
    async with a_tree(child("a", lambda: Tidy(notes)), trace=trace) as tree:
        b = branch(tree).start_child_nowait(child("b", lambda: Tidy(notes)))
        c = branch(tree).start_child_nowait(child("c"))
        downs: list[Down] = []
        c.monitor(downs.append)
        c.request_stop("enough")
        assert downs == [Down(c, Stopped("enough"))]  # at once, and without a task
        await b.stop("enough")
        assert trio.current_time() == pytest.approx(0.5)
    assert notes == ["b Stopped", "a Stopped"]
    stopped = [event.actor for event in trace.of(ActorStopped)]
    assert stopped == ["/root/tasks/c", "/root/tasks/b", "/root/tasks", "/root/a", "/root"]


async def test_when_everything_is_cancelled_parked_actors_still_give_back() -> None:
    notes: list[str] = []
    with trio.move_on_after(1):
        async with a_tree(child("a", lambda: Tidy(notes))) as tree:
            for name in "bcd":
                branch(tree).start_child_nowait(child(name, lambda: Tidy(notes)))
            await trio.sleep_forever()
    assert sorted(notes) == ["a Stopped", "b Stopped", "c Stopped", "d Stopped"]
    assert trio.current_time() == pytest.approx(1.5)


async def test_a_behaviour_says_whether_there_is_anything_to_give_back() -> None:
    class Lender(Tidy):
        def has_cleanup(self, exit: Exit) -> bool:
            return self.total > 0

    notes: list[str] = []
    async with a_tree() as tree:
        a, b = (branch(tree).start_child_nowait(child(n, lambda: Lender(notes))) for n in "ab")
        assert b.is_alive
        await b.ask(1)
        a.request_stop()
        b.request_stop()
        assert not a.is_alive
        assert b.is_alive
        await b.wait_gone()
    assert notes == ["b Stopped"]


async def test_a_monitor_reaches_a_parked_actor() -> None:
    heard: list[Any] = []

    class Watcher(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            heard.append(message)
            if isinstance(message, Reference):
                actor.monitor(message)

    async with a_tree() as tree:
        a = branch(tree).start_child_nowait(child("a"))
        watcher = branch(tree).start_child_nowait(child("w", Watcher))
        await watcher.ask(a)
        a.request_stop("enough")
        await settle()
    assert heard == [a, Down(a, Stopped("enough"))]


def test_ten_thousand_parked_children_are_started_and_stopped() -> None:
    async def scenario() -> None:
        trace = Trace()
        events = EventStream()
        events.listen(trace)
        spec = SupervisorSpec(name="root", children=(DynamicSpec(name="tasks"),))
        async with open_tree(spec, events) as tree:
            before = tasks_living()
            children = [branch(tree).start_child_nowait(child(f"c{n}")) for n in range(10_000)]
            assert tasks_living() == before
            for reference in children[::2]:
                await reference.stop()
            assert len(tree.registry) == 5_002
            assert children[7].try_ask(1) == (True, 1)
            for reference in children[1::2]:
                reference.request_stop()
            assert branch(tree).children == ()
            assert tasks_living() == before
        assert len(trace.of(ActorStarted)) == len(trace.of(ActorStopped)) == 10_002

    run_virtually(scenario)


# ── starting without waiting ────────────────────────────────────────────────────────────────────────


class Slow(Prompt):
    """Takes its time to get ready, and may fail at it."""

    def __init__(self, problem: Exception | None = None) -> None:
        super().__init__()
        self.problem = problem

    async def on_start(self, actor: Actor) -> None:
        await trio.sleep(1)
        if self.problem is not None:
            raise self.problem


async def test_a_child_that_needs_time_gets_ready_later() -> None:
    async with a_tree() as tree:
        a = branch(tree).start_child_nowait(child("a", Slow))
        assert actor_at(tree, a.path).state is State.STARTING
        is_done, answer = a.try_ask(1)
        assert not is_done
        assert await answer == 1
        assert trio.current_time() == pytest.approx(1.0)


async def test_a_child_that_fails_while_nobody_waits_is_told_and_forgotten() -> None:
    trace = Trace()
    async with a_tree(trace=trace) as tree:
        a = branch(tree).start_child_nowait(child("a", lambda: Slow(ValueError("broken"))))
        assert await a.wait_gone() == Crashed(trace.of(ActorCrashed)[0].problem)
        assert branch(tree).children == ()


async def test_a_behaviour_that_cannot_be_made_is_a_crash() -> None:
    made: list[int] = []

    def make() -> Behaviour:
        made.append(1)
        if 1 < len(made) < 500:
            raise Crash("no behaviour")
        return Prompt()

    async with a_tree(child("a", make)) as tree:
        a = tree.at("/root/a")
        with pytest.raises(ActorCrashedError):
            await a.ask("crash")
        assert await a.ask("life") == 500


class Early(Tidy):
    """Gets ready at once, or after so many seconds."""

    def __init__(self, notes: list[str], seconds: float = 0.0, problem: Exception | None = None) -> None:
        super().__init__(notes)
        self.seconds = seconds
        self.problem = problem

    def start_now(self, actor: Actor) -> Answered:
        if self.seconds:
            return False, self.start_later()
        if self.problem is not None:
            raise self.problem
        return True, None

    async def start_later(self) -> None:
        await trio.sleep(self.seconds)
        if self.problem is not None:
            raise self.problem


async def test_a_child_may_get_ready_without_waiting() -> None:
    notes: list[str] = []
    async with a_tree(child("a", lambda: Early(notes))) as tree:
        is_ready, b = branch(tree).try_start_child(child("b", lambda: Early(notes)))
        assert is_ready
        assert b.try_ask(1) == tree.at("/root/a").try_ask(1) == (True, 1)
        is_ready, starting = branch(tree).try_start_child(child("c", lambda: Early(notes, 2.0)))
        assert not is_ready
        c = await starting
        assert trio.current_time() == pytest.approx(2.0)
        assert await c.ask("life") == 1
    assert sorted(notes) == ["a Stopped", "b Stopped", "c Stopped"]


@pytest.mark.parametrize("seconds", [0.0, 1.0])
async def test_a_child_that_does_not_get_ready_is_the_callers_problem(seconds: float) -> None:
    problem = ValueError("broken")
    async with a_tree() as tree:
        is_ready, starting = branch(tree).try_start_child(child("a", lambda: Early([], seconds, problem)))
        assert not is_ready
        with pytest.raises(StartError, match="broken"):
            await starting
        with pytest.raises(StartError, match="not ready after 1 s"):
            await branch(tree).start_child(child("b", lambda: Early([], 5.0), start_within=1.0))
        tasks = branch(tree)
        assert tasks.children == ()
    is_ready, starting = tasks.try_start_child(child("late"))
    assert not is_ready
    with pytest.raises(ActorStoppedError):
        await starting


async def test_no_child_is_started_where_none_is_taken() -> None:
    async with a_tree() as tree:
        tasks = branch(tree)
    with pytest.raises(ActorStoppedError):
        tasks.start_child_nowait(child("late"))


async def test_who_starts_many_children_lets_others_run() -> None:
    async with a_tree() as tree, trio.open_nursery() as nursery:
        turns: list[int] = []

        async def neighbour() -> None:
            while True:
                turns.append(len(branch(tree).children))
                await trio.lowlevel.checkpoint()

        nursery.start_soon(neighbour)
        for number in range(10 * TURN_MESSAGES):
            await branch(tree).start_child(child(f"c{number}"))
        turns.append(10 * TURN_MESSAGES)
        nursery.cancel_scope.cancel()
    assert longest_wait(turns) <= 2 * TURN_MESSAGES


# ── in the asker's turn ─────────────────────────────────────────────────────────────────────────────


async def test_a_parked_actor_answers_without_any_other_task() -> None:
    async with a_tree(child("a")) as tree:
        a = tree.at("/root/a")
        assert a.try_ask(1) == (True, 1)
        assert await a.ask(2) == 3
        assert actor_at(tree, "/root/a").handled == 2
        assert actor_at(tree, "/root/a").parked


async def test_without_the_offer_there_is_no_answer_at_once() -> None:
    async with a_tree(child("a", Counter)) as tree:
        is_done, answer = tree.at("/root/a").try_ask(1)
        assert not is_done
        assert await answer == 1


async def test_what_could_only_begin_is_finished_by_a_worker() -> None:
    async with a_tree(child("a")) as tree:
        a = tree.at("/root/a")
        a.try_ask(7)
        is_done, answer = a.try_ask(("sleep", 2.0))
        assert not is_done
        assert not actor_at(tree, "/root/a").parked
        later_done, later = a.try_ask(1)  # at work, so this one waits for its turn
        assert not later_done
        assert await answer == 7
        assert trio.current_time() == pytest.approx(2.0)
        assert await later == 8
        assert await a.ask(("sleep", 1.0)) == 8


async def test_what_could_only_begin_may_be_too_late_crash_or_be_cut() -> None:
    class Doomed(Prompt):
        def serve_now(self, message: Any, actor: Actor) -> Answered:
            return False, self.later()

        async def later(self) -> None:
            await trio.sleep(2.0)
            raise Crash("later")

    async with a_tree(child("a", Doomed)) as tree:
        a = tree.at("/root/a")
        with pytest.raises(AskTimeoutError):
            await a.ask(1, 1.0)
        await trio.sleep(1.5)
        with pytest.raises(ActorCrashedError, match="later"):
            await a.ask(1)
        await settle()
        _, answer = a.try_ask(1)
        a.cancel("no more")
        with pytest.raises(ActorStoppedError):
            await answer
        assert await a.wait_gone() == Cut("no more")


@pytest.mark.parametrize("tidy", [False, True])
async def test_a_crash_in_the_askers_turn_is_the_actors(tidy: bool) -> None:
    notes: list[str] = []
    trace = Trace()
    make = (lambda: Tidy(notes)) if tidy else Prompt
    async with a_tree(trace=trace) as tree:
        a = branch(tree).start_child_nowait(child("a", make))
        a.try_ask(5)
        with pytest.raises(ActorCrashedError, match="Crash: life 1") as caught:
            a.try_ask("crash")
        assert isinstance(caught.value.problem, Crash)
        assert caught.value.__context__ is None
        assert actor_at(tree, a.path).envelope is None
        with pytest.raises(ActorCrashedError) if not tidy else pytest.raises(ActorError):
            await a.ask("crash")
        assert await a.ask(0) == 0
        assert await a.ask("life") == 3
        await a.stop()
    assert len(trace.of(ActorCrashed)) == 2
    assert notes == (["a Crashed", "a Crashed", "a Stopped"] if tidy else [])


async def test_a_crash_in_the_askers_turn_waits_for_its_restart() -> None:
    async with a_tree(child("a", backoff=Backoff(3.0, jitter=0))) as tree:
        a = tree.at("/root/a")
        with pytest.raises(ActorCrashedError):
            a.try_ask("crash")
        is_done, answer = a.try_ask("life")
        assert not is_done
        assert await answer == 2
        assert trio.current_time() == pytest.approx(3.0, abs=1e-3)


async def test_an_interrupt_in_the_askers_turn_is_not_kept() -> None:
    class Interrupted(Prompt):
        def serve_now(self, message: Any, actor: Actor) -> Answered:
            raise KeyboardInterrupt

    async with a_tree() as tree:
        a = branch(tree).start_child_nowait(child("a", Interrupted))
        with pytest.raises(KeyboardInterrupt):
            a.try_ask(1)
        assert not a.is_alive
        assert tree.serving is None


async def test_events_are_those_of_every_message() -> None:
    trace = Trace()
    async with a_tree(child("a"), trace=trace) as tree:
        await tree.at("/root/a").ask("life")
    told = [event for event in trace.events if isinstance(event, (MessageSent, MessageTaken))]
    assert [type(event) for event in told] == [MessageSent, MessageTaken]
    assert [event.message for event in told] == ["life", "life"]


async def test_the_deadline_and_the_trace_are_there_in_the_askers_turn() -> None:
    class Reader(Prompt):
        def serve_now(self, message: Any, actor: Actor) -> Answered:
            assert actor.envelope is not None
            return True, (actor.envelope.deadline - trio.current_time(), actor.envelope.trace)

    async with a_tree(child("a", Reader)) as tree:
        left, trace = await tree.at("/root/a").ask("?", 3.0, trace="00-ab")
        assert (left, trace) == (pytest.approx(3.0, abs=1e-3), "00-ab")
        assert tree.at("/root/a").try_ask("?", math.inf) == (True, (math.inf, None))
        assert actor_at(tree, "/root/a").envelope is None


async def test_a_question_without_any_time_is_too_late_in_the_askers_turn_too() -> None:
    async with a_tree(child("a")) as tree:
        a = tree.at("/root/a")
        with pytest.raises(AskTimeoutError):
            await a.ask(1, -1.0)
        is_done, answer = a.try_ask(1, -1.0)
        assert not is_done
        with pytest.raises(AskTimeoutError):
            await answer
        assert await a.ask(0) == 0


class Scripted(Behaviour):
    """In the asker's turn it does what the message, a function, does."""

    def serve_now(self, message: Any, actor: Actor) -> Answered:
        return True, message(actor)

    async def on_message(self, message: Any, actor: Actor) -> Any:
        return message(actor)


async def test_an_actor_in_the_askers_turn_is_at_work_for_itself_and_others() -> None:
    async with a_tree(child("a", Scripted), child("b", Scripted)) as tree:
        a, b = tree.at("/root/a"), tree.at("/root/b")
        waiting: list[Any] = []

        def ask_itself(actor: Actor) -> None:
            a.try_ask(lambda _: None)

        def ask_back(actor: Actor) -> str:
            is_done, answer = a.try_ask(lambda _: "back")
            assert not is_done
            waiting.append(answer)
            return "b"

        with pytest.raises(ActorCrashedError) as caught:
            a.try_ask(ask_itself)
        assert isinstance(caught.value.problem, AskSelfError)
        assert await a.ask(lambda actor: actor.life) == 2
        assert a.try_ask(lambda _: b.try_ask(ask_back)) == (True, (True, "b"))
        assert await waiting[0] == "back"


async def test_an_actor_at_work_may_serve_another_in_its_turn() -> None:
    async with a_tree(child("a", Scripted), child("b")) as tree:
        a, b = tree.at("/root/a"), tree.at("/root/b")
        await a.tell(lambda _: b.try_ask(4))
        assert await a.ask(lambda _: b.try_ask(1)) == (True, 5)


async def test_what_an_actor_tells_itself_in_the_askers_turn_is_handled_afterwards() -> None:
    seen: list[str] = []
    async with a_tree(child("a", Scripted)) as tree:
        a = tree.at("/root/a")

        def tell_itself(actor: Actor) -> None:
            a.tell_nowait(lambda _: seen.append("told"))
            seen.append("asked")

        a.try_ask(tell_itself)
        assert seen == ["asked"]
        await settle()
        assert seen == ["asked", "told"]
        assert actor_at(tree, "/root/a").parked


async def test_an_answer_may_be_deferred_in_the_askers_turn() -> None:
    replies: list[Reply] = []
    async with a_tree(child("a", Scripted)) as tree, trio.open_nursery() as nursery:
        a = tree.at("/root/a")
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await a.ask(lambda actor: replies.append(actor.defer())))

        nursery.start_soon(ask)
        await settle()
        assert (answers, len(replies)) == ([], 1)
        assert actor_at(tree, "/root/a").parked
        replies[0].give("later")
        await settle()
        assert answers == ["later"]


async def test_an_actor_may_end_and_be_stopped_in_the_askers_turn() -> None:
    async with a_tree() as tree:
        a = branch(tree).start_child_nowait(child("a", Scripted, restart=Restart.TEMPORARY))
        b = branch(tree).start_child_nowait(child("b", Scripted))
        assert a.try_ask(lambda actor: actor.end() or "bye") == (True, "bye")
        assert not a.is_alive
        assert await a.wait_gone() == Ended()
        assert b.try_ask(lambda actor: actor.reference.request_stop("enough") or "bye") == (True, "bye")
        assert await b.wait_gone() == Stopped("enough")
        with pytest.raises(ActorStoppedError):
            await b.ask(lambda _: None)


async def test_who_asks_parked_actors_lets_others_run() -> None:
    async with a_tree(child("a")) as tree, trio.open_nursery() as nursery:
        turns: list[int] = []

        async def neighbour() -> None:
            while True:
                turns.append(actor_at(tree, "/root/a").handled)
                await trio.lowlevel.checkpoint()

        nursery.start_soon(neighbour)
        for _ in range(20 * TURN_MESSAGES):
            await tree.at("/root/a").ask(1)
        turns.append(20 * TURN_MESSAGES)
        nursery.cancel_scope.cancel()
    assert longest_wait(turns) <= 2 * TURN_MESSAGES


async def test_who_is_cancelled_asks_nobody() -> None:
    async with a_tree(child("a")) as tree:
        with trio.CancelScope() as scope:
            scope.cancel()
            await tree.at("/root/a").ask(1)
        assert scope.cancelled_caught
        assert tree.at("/root/a").try_ask(0) == (True, 0)


ORDERS = st.sampled_from([1, 2, "life", "crash", ("sleep", 0.5), "settle", ("tell", 3), ("tell", "crash")])


@settings(max_examples=100, deadline=None)
@given(orders=st.lists(ORDERS, max_size=15), seed=st.integers(0, 50))
def test_nobody_can_tell_the_difference(orders: list[Any], seed: int) -> None:
    plain, prompt = (run_virtually(_observed, make, orders, seed=seed) for make in (Counter, Prompt))
    assert plain == prompt


async def _observed(make: Callable[[], Behaviour], orders: list[Any]) -> tuple[list[Any], list[Any]]:
    """What somebody who asks and tells sees, and the events; moments but not addresses."""
    trace = Trace()
    seen: list[Any] = []
    async with a_tree(trace=trace) as tree:
        a = branch(tree).start_child_nowait(child("a", make, backoff=Backoff(0.25, jitter=0)))
        for order in orders:
            if order == "settle":
                await settle()
            elif isinstance(order, tuple) and order[0] == "tell":
                seen.append(a.tell_nowait(order[1]))
            else:
                try:
                    seen.append(await a.ask(order, 60.0))
                except ActorError as problem:
                    seen.append(str(problem))
            seen.append(round(trio.current_time(), 3))
    events = [(type(event).__name__, event.actor, round(event.time, 3)) for event in trace.events]
    return seen, events


# ── lives without messages ──────────────────────────────────────────────────────────────────────────


class Job(Behaviour):
    """Works until it is done, fails, or shall stop."""

    def __init__(self, notes: list[str], seconds: float = math.inf, problem: Exception | None = None) -> None:
        self.notes = notes
        self.seconds = seconds
        self.problem = problem

    async def work(self, actor: Actor) -> None:
        self.notes.append(f"works {actor.life}")
        with trio.move_on_after(self.seconds):
            await actor.stopping.wait()
        if self.problem is not None:
            raise self.problem

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        self.notes.append(type(exit).__name__)


@pytest.mark.parametrize(
    ("problem", "restart", "notes"),
    [
        (None, Restart.TRANSIENT, ["works 1", "Ended"]),
        (None, Restart.PERMANENT, ["works 1", "Ended", "works 2", "Stopped"]),
        (ValueError(), Restart.TRANSIENT, ["works 1", "Crashed", "works 2", "Crashed"]),
        (ValueError(), Restart.TEMPORARY, ["works 1", "Crashed"]),
    ],
)
async def test_a_life_of_work_ends_with_it(
    problem: Exception | None, restart: Restart, notes: list[str]
) -> None:
    seen: list[str] = []
    async with a_tree() as tree:
        branch(tree).start_child_nowait(child("a", lambda: Job(seen, 2.0, problem), restart=restart))
        await trio.sleep(3)
    assert seen == notes


async def test_work_that_is_to_stop_sees_it_and_is_cut_when_it_does_not_stop() -> None:
    class Deaf(Job):
        async def work(self, actor: Actor) -> None:
            await trio.sleep_forever()

    notes: list[str] = []
    async with a_tree() as tree:
        a = branch(tree).start_child_nowait(child("a", lambda: Job(notes)))
        await a.stop("enough")
        assert (trio.current_time(), await a.wait_gone()) == (0, Stopped("enough"))
        b = branch(tree).start_child_nowait(child("b", lambda: Deaf(notes), shutdown=4.0))
        await settle()
        await b.stop("enough")
        assert trio.current_time() == pytest.approx(4.0, abs=1e-3)
        assert await b.wait_gone() == Cut("enough")
        c = branch(tree).start_child_nowait(child("c", lambda: Deaf(notes), shutdown=1000.0))
        c.cancel("at once")
        assert await c.wait_gone() == Cut("at once")
        assert trio.current_time() == pytest.approx(4.0, abs=1e-3)
    assert notes == ["works 1", "Stopped", "Cut", "Cut"]


class Taker(Behaviour):
    """Takes its messages by itself."""

    async def work(self, actor: Actor) -> None:
        while (envelope := await actor.take()) is not None:
            if envelope.message == "crash":
                raise Crash
            if envelope.reply is not None:
                envelope.reply.give(envelope.message)


async def test_work_may_take_messages() -> None:
    trace = Trace()
    async with a_tree(child("a", Taker), trace=trace) as tree:
        a = tree.at("/root/a")
        assert [await a.ask(n) for n in range(3)] == [0, 1, 2]
        is_done, answer = a.try_ask(3)
        assert not is_done
        assert await answer == 3
        with pytest.raises(ActorCrashedError):
            await a.ask("crash")
        with pytest.raises(AskTimeoutError):
            await a.ask("late", -1.0)
        assert await a.ask("again") == "again"
        await a.stop()
        assert isinstance(await a.wait_gone(), Stopped)
    assert len(trace.of(MessageTaken)) == 6


async def test_work_that_drains_takes_what_waits_before_it_stops() -> None:
    async with a_tree(child("a", Taker, drain=True)) as tree:
        a = tree.at("/root/a")
        _, first = a.try_ask(1)
        a.tell_nowait(2)
        await a.stop()
        assert tree.dead_letters.count() == 0
        with pytest.raises(ActorStoppedError):
            await first


async def test_messages_to_work_that_takes_none_become_dead_letters() -> None:
    async with a_tree(child("a", lambda: Job([]))) as tree:
        a = tree.at("/root/a")
        a.tell_nowait(1)
        await a.stop()
        assert tree.dead_letters.count(DeadReason.LEFT) == 1
