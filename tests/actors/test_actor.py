"""One actor: messages, answers, deadlines, ends; and what becomes of messages that nobody handles."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from etamil_actors.actors.actor import CLEANUP_SECONDS, Actor, ActorSpec, Behaviour, State
from etamil_actors.actors.errors import (
    ActorCrashedError,
    ActorStoppedError,
    AskSelfError,
    AskTimeoutError,
    MailboxFull,
    NameTakenError,
    StartError,
)
from etamil_actors.actors.events import (
    ActorCrashed,
    ActorStopped,
    DeadReason,
    Event,
    EventStream,
    MessageDead,
    MessageSent,
    MessageTaken,
)
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.actors.reference import Down, Reference, Reply
from etamil_actors.actors.restart import Crashed, Cut, Ended, Exit, Restart, Stopped
from etamil_actors.actors.supervisor import SupervisorSpec
from etamil_actors.actors.tree import Tree, open_tree
from etamil_actors.errors import BudgetSpent, ExitRequested, Fault
from tests.actors.helpers import Crash, Trace, Worker, actor_at, settle, worker


@asynccontextmanager
async def one(spec: ActorSpec, trace: Trace | None = None) -> AsyncIterator[tuple[Tree, Reference]]:
    """A tree with this one child."""
    events = EventStream()
    if trace is not None:
        events.listen(trace)
    async with open_tree(SupervisorSpec(name="root", children=(spec,)), events) as tree:
        yield tree, tree.at(f"/root/{spec.name}")


# ── telling and asking ──────────────────────────────────────────────────────────────────────────────


async def test_an_actor_answers_and_keeps_its_state() -> None:
    async with one(worker("a")) as (_, a):
        assert await a.ask(1) == 1
        assert await a.tell(2) is True
        assert await a.ask(3) == 6
        assert repr(a) == "<reference to /root/a>"


async def test_tells_and_asks_of_one_sender_are_handled_in_order() -> None:
    notes: list[str] = []
    async with one(worker("a", notes)) as (_, a):
        for number in range(50):
            await a.tell(f"tell {number}")
        await a.ask("ask")
    assert notes == ["start a", *(f"a: tell {n}" for n in range(50)), "a: ask", "stop a Stopped"]


@pytest.mark.parametrize(("work", "patience"), [(4.9, 5.0), (0.1, 1.0), (7.0, 8.0), (1000.0, math.inf)])
async def test_an_answer_in_time_is_given(work: float, patience: float) -> None:
    async with one(worker("a")) as (_, a):
        assert await a.ask(("sleep", work), patience) == "slept"


@pytest.mark.parametrize("patience", [0.0, 0.5, 5.0])
async def test_an_answer_that_is_late_is_a_timeout_at_the_deadline(patience: float) -> None:
    async with one(worker("a")) as (_, a):
        start = trio.current_time()
        with pytest.raises(AskTimeoutError, match=rf"did not answer within {patience:g} s"):
            await a.ask(("sleep", 9.0), patience)
        assert trio.current_time() - start == pytest.approx(patience, abs=1e-3)
        assert await a.ask(1, 60.0) == 1  # it goes on as if nothing had been


async def test_many_deadlines_fire_in_their_order() -> None:
    ended: list[float] = []
    async with one(worker("a")) as (_, a), trio.open_nursery() as nursery:

        async def ask(patience: float) -> None:
            with pytest.raises(AskTimeoutError):
                await a.ask(("sleep", 100.0), patience)
            ended.append(patience)

        for patience in (3.0, 1.0, 2.0, 1.0, 5.0, 0.5):
            nursery.start_soon(ask, patience)
    assert ended == [0.5, 1.0, 1.0, 2.0, 3.0, 5.0]


async def test_what_has_been_answered_does_not_pile_up() -> None:
    async with one(worker("a")) as (tree, a):
        for _ in range(5000):
            await a.ask(1)
        assert len(tree.timeouts) <= 1000


async def test_a_question_that_waited_past_its_deadline_is_not_handled() -> None:
    async with one(worker("a")) as (tree, a):
        await a.tell(("sleep", 3.0))
        with pytest.raises(AskTimeoutError):
            await a.ask(5, 1.0)
        assert await a.ask(1) == 1
        assert tree.dead_letters.count(DeadReason.EXPIRED) == 1


async def test_the_deadline_counts_while_the_asker_waits_for_room() -> None:
    async with one(worker("a", capacity=1)) as (_, a):
        await a.tell(("sleep", 9.0))
        await settle()
        await a.tell(1)
        with pytest.raises(AskTimeoutError):
            await a.ask(1, 2.0)
        assert trio.current_time() == pytest.approx(2.0, abs=1e-3)


async def test_an_asker_that_is_cancelled_does_not_disturb_the_actor() -> None:
    async with one(worker("a")) as (_, a):
        with trio.move_on_after(1):
            await a.ask(("sleep", 3.0))
        assert await a.ask(1) == 1


async def test_an_actor_cannot_ask_itself() -> None:
    class Narcissus(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            return await actor.reference.ask(message)

    async with one(ActorSpec(name="a", make=Narcissus)) as (_, a):
        with pytest.raises(ActorCrashedError) as caught:
            await a.ask(1)
        assert isinstance(caught.value.problem, AskSelfError)


async def test_an_answer_can_be_given_later_by_somebody_else() -> None:
    class Waiter(Behaviour):
        def __init__(self) -> None:
            self.waiting: list[Reply] = []

        async def on_message(self, message: Any, actor: Actor) -> Any:
            if message == "wait":
                self.waiting.append(actor.defer())
            else:
                for reply in self.waiting:
                    assert reply.give(message)
                assert actor.defer().give("nobody asked")

    answers: list[str] = []
    async with one(ActorSpec(name="a", make=Waiter)) as (_, a), trio.open_nursery() as nursery:

        async def ask() -> None:
            answers.append(await a.ask("wait"))

        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await settle()
        await a.tell("now")
    assert answers == ["now", "now"]


async def test_the_deadline_and_the_trace_travel_with_the_message() -> None:
    class Reader(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            assert actor.envelope is not None
            return actor.envelope.deadline - trio.current_time(), actor.envelope.trace

    async with one(ActorSpec(name="a", make=Reader)) as (_, a):
        left, trace = await a.ask("?", 3.0, trace="00-ab")
        assert left == pytest.approx(3.0, abs=1e-3)
        assert trace == "00-ab"


# ── full mailboxes ──────────────────────────────────────────────────────────────────────────────────


async def test_a_full_mailbox_that_rejects_says_so() -> None:
    async with one(worker("a", capacity=1, overflow=Overflow.REJECT)) as (tree, a):
        await a.tell(("sleep", 1.0))
        await settle()
        await a.tell(1)
        with pytest.raises(MailboxFull):
            await a.tell(2)
        with pytest.raises(MailboxFull):
            await a.ask(2)
        with pytest.raises(MailboxFull):
            a.tell_nowait(2)
        assert tree.dead_letters.count() == 0


@pytest.mark.parametrize("overflow", [Overflow.DROP_OLDEST, Overflow.DROP_NEWEST])
async def test_a_dropped_question_is_told_to_the_asker_and_counted(overflow: Overflow) -> None:
    async with one(worker("a", capacity=1, overflow=overflow)) as (tree, a), trio.open_nursery() as nursery:
        await a.tell(("sleep", 1.0))
        await settle()
        dropped: list[int] = []

        async def ask(number: int) -> None:
            try:
                await a.ask(number)
            except MailboxFull:
                dropped.append(number)

        for number in (1, 2):
            nursery.start_soon(ask, number)
            await settle()
        await trio.sleep(2)
        assert dropped == ([1] if overflow is Overflow.DROP_OLDEST else [2])
        assert [letter.message for letter in tree.dead_letters.last] == dropped
        assert tree.dead_letters.count(DeadReason.DROPPED) == 1


async def test_a_teller_waits_for_room() -> None:
    async with one(worker("a", capacity=1)) as (_, a):
        await a.tell(("sleep", 4.0))
        await settle()
        await a.tell(1)
        with pytest.raises(MailboxFull):
            a.tell_nowait(2)
        await a.tell(2)
        assert trio.current_time() == pytest.approx(4.0)
        assert await a.ask(0) == 3


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_crash_is_told_to_the_asker_and_the_actor_answers_again() -> None:
    async with one(worker("a")) as (_, a):
        await a.ask(5)
        with pytest.raises(ActorCrashedError, match=r"‘/root/a’ crashed: Crash: life 1") as caught:
            await a.ask("crash")
        assert isinstance(caught.value.problem, Crash)
        assert await a.ask("life") == 2
        assert await a.ask(0) == 0


async def test_waiting_messages_stay_waiting_over_a_restart() -> None:
    notes: list[str] = []
    async with one(worker("a", notes)) as (tree, a):
        for message in ("one", "crash", "two", "crash", "three"):
            a.tell_nowait(message)
        assert await a.ask("life") == 3
        assert tree.dead_letters.count() == 0
    assert notes == [
        "start a", "a: one", "stop a Crashed",
        "start a", "a: two", "stop a Crashed",
        "start a", "a: three", "stop a Stopped",
    ]  # fmt: skip


async def test_what_is_left_at_the_end_becomes_dead_letters() -> None:
    trace = Trace()
    async with one(worker("a", restart=Restart.TEMPORARY), trace) as (tree, a):
        a.tell_nowait("end")
        a.tell_nowait("lost")
        with pytest.raises(ActorStoppedError):
            await a.ask("unanswered")
        assert not a.is_alive
        assert isinstance(await a.wait_gone(), Ended)
        assert [(d.actor, d.message, d.reason) for d in tree.dead_letters.last] == [
            ("/root/a", "lost", DeadReason.LEFT),
            ("/root/a", "unanswered", DeadReason.LEFT),
        ]
        with pytest.raises(ActorStoppedError, match="has stopped"):
            await a.tell("too late")
        with pytest.raises(ActorStoppedError):
            a.tell_nowait("too late")
        with pytest.raises(ActorStoppedError):
            await a.ask("too late")
        with pytest.raises(ActorStoppedError):
            tree.at("/root/a")
    assert [event.message for event in trace.events if isinstance(event, MessageDead)] == [
        "lost",
        "unanswered",
    ]


async def test_stopping_finishes_the_message_at_hand_and_no_other() -> None:
    async with one(worker("a")) as (tree, a), trio.open_nursery() as nursery:
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await a.ask(("sleep", 2.0)))

        nursery.start_soon(ask)
        await settle()
        a.tell_nowait("lost")
        await a.stop()
        await settle()
        assert trio.current_time() == pytest.approx(2.0)
        assert answers == ["slept"]
        assert tree.dead_letters.count(DeadReason.LEFT) == 1


async def test_who_drains_handles_what_waits_before_it_stops() -> None:
    notes: list[str] = []
    async with one(worker("a", notes, drain=True)) as (tree, a):
        for message in (("sleep", 1.0), "one", "two"):
            a.tell_nowait(message)
        await a.stop()
        assert tree.dead_letters.count() == 0
    assert notes == ["start a", "a: one", "a: two", "stop a Stopped"]


async def test_draining_ends_with_the_shutdown_time() -> None:
    async with one(worker("a", drain=True, shutdown=2.5)) as (tree, a):
        for _ in range(5):
            a.tell_nowait(("sleep", 1.0))
        await a.stop()
        assert trio.current_time() == pytest.approx(2.5, abs=1e-3)
        assert isinstance(await a.wait_gone(), Cut)
        assert tree.dead_letters.count(DeadReason.LEFT) == 2


async def test_who_does_not_stop_in_time_is_cut_and_the_asker_is_told() -> None:
    async with one(worker("a", shutdown=3.0)) as (_, a), trio.open_nursery() as nursery:

        async def ask() -> None:
            with pytest.raises(ActorStoppedError):
                await a.ask(("sleep", 100.0), 1000)

        nursery.start_soon(ask)
        await settle()
        await a.stop("enough")
        assert trio.current_time() == pytest.approx(3.0, abs=1e-3)
        assert await a.wait_gone() == Cut("enough")


async def test_a_behaviour_that_waits_for_something_else_sees_that_it_shall_stop() -> None:
    class Server(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            await actor.stopping.wait()
            assert actor.is_stopping
            return "goodbye"

    async with one(ActorSpec(name="a", make=Server)) as (_, a), trio.open_nursery() as nursery:
        answers: list[Any] = []

        async def ask() -> None:
            answers.append(await a.ask("serve", math.inf))

        nursery.start_soon(ask)
        await settle()
        await a.stop()
        assert trio.current_time() == 0
        await settle()
        assert answers == ["goodbye"]


class Holder(Behaviour):
    """Holds something that must be given back."""

    def __init__(self, notes: list[str], seconds: float, problem: Exception | None = None) -> None:
        self.notes = notes
        self.seconds = seconds
        self.problem = problem

    async def on_message(self, message: Any, actor: Actor) -> Any:
        if message == "end":
            actor.end()
        if message == "crash":
            raise Crash

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        await trio.sleep(self.seconds)
        self.notes.append("given back")
        if self.problem is not None:
            raise self.problem


async def test_a_cleanup_is_shielded_but_bounded() -> None:
    notes: list[str] = []
    async with one(ActorSpec(name="a", make=lambda: Holder(notes, 4.0))) as (_, a):
        await a.stop()
    assert notes == ["given back"]
    async with one(ActorSpec(name="a", make=lambda: Holder(notes, 99.0))) as (_, a):
        await a.stop()
        assert await a.wait_gone() == Cut("its cleanup was not done after 5 s")
    assert notes == ["given back"]
    assert trio.current_time() == pytest.approx(4.0 + CLEANUP_SECONDS, abs=1e-3)


async def test_a_cleanup_runs_even_when_everything_is_cancelled() -> None:
    notes: list[str] = []
    with trio.move_on_after(1):
        async with one(ActorSpec(name="a", make=lambda: Holder(notes, 4.0))):
            await trio.sleep_forever()
    assert notes == ["given back"]
    assert trio.current_time() == pytest.approx(5.0)


@pytest.mark.parametrize(("message", "expected"), [("end", Crashed), ("stop", Stopped), ("crash", Crashed)])
async def test_a_cleanup_that_fails_is_told(message: str, expected: type[Exit]) -> None:
    trace, problem = Trace(), ValueError("cleanup")
    spec = ActorSpec(name="a", make=lambda: Holder([], 0.0, problem), restart=Restart.TEMPORARY)
    async with one(spec, trace) as (_, a):
        await (a.stop() if message == "stop" else a.tell(message))
        exit = await a.wait_gone()
        assert isinstance(exit, expected)
    crashes = [event.problem for event in trace.events if isinstance(event, ActorCrashed)]
    assert problem in crashes
    assert len(crashes) == (2 if message == "crash" else 1)


async def test_a_group_of_errors_is_one_crash_with_its_leaves() -> None:
    class Group(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            async with trio.open_nursery():
                raise ValueError("inside")

    async with one(ActorSpec(name="a", make=Group)) as (_, a):
        with pytest.raises(ActorCrashedError, match="ValueError: inside") as caught:
            await a.ask(1)
        assert isinstance(caught.value.problem, ValueError)


async def test_a_program_that_ends_in_the_middle_is_a_crash_of_its_actor_alone() -> None:
    class Exhausted(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            if message == "alone":
                raise BudgetSpent(Fault("budget.steps", steps=100))
            async with trio.open_nursery():
                raise ExitRequested(3)

    async with one(ActorSpec(name="a", make=Exhausted)) as (_, a):
        with pytest.raises(ActorCrashedError) as caught:
            await a.ask("alone")
        assert isinstance(caught.value.problem, BudgetSpent)
        with pytest.raises(ActorCrashedError) as caught:
            await a.ask("in a group")
        assert isinstance(caught.value.problem, ExitRequested)
        assert a.is_alive


async def test_a_crash_while_everything_is_cancelled_is_not_swallowed() -> None:
    class Stubborn(Behaviour):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("on the way out")

    trace = Trace()
    with trio.move_on_after(1):
        async with one(ActorSpec(name="a", make=Stubborn), trace) as (_, a):
            await a.tell(1)
            await trio.sleep_forever()
    problems = [event.problem for event in trace.events if isinstance(event, ActorCrashed)]
    assert [str(problem) for problem in problems] == ["on the way out"]
    assert {event.actor for event in trace.of(ActorStopped)} == {"/root", "/root/a"}


# ── starting ────────────────────────────────────────────────────────────────────────────────────────


class Starter(Behaviour):
    """Takes its time to start."""

    def __init__(self, seconds: float, problem: Exception | None = None) -> None:
        self.seconds = seconds
        self.problem = problem

    async def on_start(self, actor: Actor) -> None:
        await trio.sleep(self.seconds)
        if self.problem is not None:
            raise self.problem


async def test_messages_wait_until_the_actor_is_ready() -> None:
    seen: list[float] = []

    class Slow(Starter):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            seen.append(trio.current_time())

    async with one(ActorSpec(name="a", make=lambda: Slow(3.0))) as (_, a):
        await a.ask(1)
    assert seen == [3.0]


async def test_a_start_that_fails_raises_from_the_tree() -> None:
    with pytest.raises(StartError, match=r"‘/root/a’ did not start: ValueError: broken"):
        async with one(ActorSpec(name="a", make=lambda: Starter(1.0, ValueError("broken")))):
            raise AssertionError("nothing runs")


async def test_a_start_that_takes_too_long_fails() -> None:
    with pytest.raises(StartError, match="was not ready after 2 s"):
        async with one(ActorSpec(name="a", make=lambda: Starter(9.0), start_within=2.0)):
            raise AssertionError("nothing runs")
    assert trio.current_time() == pytest.approx(2.0, abs=1e-3)


# ── monitors, names, events ─────────────────────────────────────────────────────────────────────────


async def test_a_monitor_hears_of_the_end_once_and_not_of_restarts() -> None:
    async with one(worker("a", restart=Restart.TRANSIENT)) as (_, a):
        heard: list[Down] = []
        a.monitor(heard.append)
        a.monitor(heard.append).end()
        gone = a.monitor(lambda down: heard.clear())
        gone.end()
        gone.end()
        await a.tell("crash")
        assert await a.ask("life") == 2
        assert heard == []
        await a.stop("enough")
        assert heard == [] or heard == [Down(a, Stopped("enough"))]
        late: list[Down] = []
        a.monitor(late.append)
        assert late == [Down(a, Stopped("enough"))]


async def test_an_actor_gets_the_end_of_another_as_a_message_before_others() -> None:
    class Watcher(Worker):
        async def on_message(self, message: Any, actor: Actor) -> Any:
            if isinstance(message, Reference):
                actor.monitor(message)
                return None
            if isinstance(message, Down):
                message = f"{message.actor.path} {type(message.exit).__name__}"
            return await super().on_message(message, actor)

    notes: list[str] = []
    spec = SupervisorSpec(
        name="root",
        children=(worker("a", restart=Restart.TEMPORARY), ActorSpec(name="w", make=lambda: Watcher(notes))),
    )
    async with open_tree(spec) as tree:
        a, watcher = tree.at("/root/a"), tree.at("/root/w")
        await watcher.ask(a)
        watcher.tell_nowait(("sleep", 1.0))
        watcher.tell_nowait("other")
        await settle()
        await a.tell("end")
        await watcher.ask("last")
    assert notes == ["start w", "w: /root/a Ended", "w: other", "w: last", "stop w Stopped"]


async def test_a_name_finds_the_actor_over_restarts_and_is_free_after_its_end() -> None:
    async with one(worker("a", register="கொள்முதல்")) as (tree, a):
        decomposed = "க\u0bc6\u0bbeள்முதல்"
        assert tree.registry.find("கொள்முதல்") is a
        assert tree.registry.find(decomposed) is a
        await a.tell("crash")
        assert await a.ask("life") == 2
        assert tree.registry.find(decomposed) is a
        await a.stop()
        assert tree.registry.find("கொள்முதல்") is None
        assert [actor.path for actor in tree.registry] == ["/root"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (worker("a"), worker("a")),
        (worker("a", register="x"), worker("b", register="x")),
        (worker("க\u0bca"), worker("க\u0bc6\u0bbe")),
    ],
)
async def test_two_actors_cannot_have_one_name(first: ActorSpec, second: ActorSpec) -> None:
    with pytest.raises(NameTakenError):
        async with open_tree(SupervisorSpec(name="root", children=(first, second))):
            raise AssertionError("nothing runs")


@pytest.mark.parametrize("options", [{"name": ""}, {"name": "a/b"}, {"name": "a", "shutdown": -1.0}])
def test_an_impossible_child_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ActorSpec(make=Behaviour, **options)


async def test_sent_is_told_before_taken_and_with_the_time_it_waited() -> None:
    trace = Trace()
    async with one(worker("a"), trace) as (_, a):
        await a.tell(("sleep", 2.0))
        await settle()
        await a.ask("x")
    messages = [e for e in trace.events if isinstance(e, (MessageSent, MessageTaken)) and e.message == "x"]
    assert [type(event) for event in messages] == [MessageSent, MessageTaken]
    assert isinstance(messages[1], MessageTaken)
    assert messages[1].waited == pytest.approx(2.0)


async def test_a_sender_that_waits_for_room_tells_it_too() -> None:
    trace = Trace()
    async with one(worker("a", capacity=1), trace) as (_, a):
        for number in range(5):
            await a.tell(number)
        await a.ask(0)
    assert [e.message for e in trace.events if isinstance(e, MessageTaken)] == [0, 1, 2, 3, 4, 0]
    assert len(trace.of(MessageSent)) == 6


async def test_a_watcher_that_fails_is_sent_away_and_harms_nobody() -> None:
    def fail(event: Event) -> None:
        raise ValueError("watcher")

    events, trace = EventStream(), Trace()
    events.listen(fail)
    events.listen(trace)
    async with open_tree(SupervisorSpec(name="root", children=(worker("a"),)), events) as tree:
        assert await tree.at("/root/a").ask(1) == 1
    assert [str(problem) for _, problem in events.failures] == ["watcher"]
    assert len(trace.events) > 3


async def test_a_subscription_ends_with_its_block_and_may_leave_messages_out() -> None:
    events, all_of_it, lives = EventStream(), Trace(), Trace()
    with events.listen(all_of_it), events.listen(lives, messages=False):
        async with open_tree(SupervisorSpec(name="root", children=(worker("a"),)), events) as tree:
            await tree.at("/root/a").ask(1)
    assert (events.on_life, events.on_message) == ((), ())
    assert {kind for kind, _ in lives.kinds()} == {"ActorStarted", "ActorStopped"}
    assert {kind for kind, _ in all_of_it.kinds()} > {"MessageSent", "MessageTaken"}


async def test_only_the_last_dead_letters_are_kept_but_all_are_counted() -> None:
    async with one(worker("a", capacity=1, overflow=Overflow.DROP_NEWEST)) as (tree, a):
        await a.tell(("sleep", 1.0))
        await settle()
        for number in range(1500):
            a.tell_nowait(number)
        assert tree.dead_letters.count() == 1499
        assert len(tree.dead_letters.last) == 1000
        assert tree.dead_letters.last[-1].message == 1499


async def test_state_depth_and_work_done_can_be_looked_at() -> None:
    async with one(worker("a")) as (tree, a):
        actor = actor_at(tree, "/root/a")
        a.tell_nowait(("sleep", 2.0))
        a.tell_nowait(1)
        await settle()
        await trio.sleep(1)
        assert (actor.state, actor.mailbox.depth, actor.handled) == (State.RUNNING, 1, 0)
        assert actor.mailbox.oldest_age == pytest.approx(1.0)
        assert repr(actor) == "<Actor /root/a: running, life 1>"
        await a.ask(0)
        assert (actor.mailbox.depth, actor.handled) == (0, 3)


@pytest.mark.parametrize("make", [lambda: Worker(), Behaviour])
async def test_a_tree_that_is_told_to_stop_ends_its_block(make: Callable[[], Behaviour]) -> None:
    async with one(ActorSpec(name="a", make=make)) as (tree, _):
        await tree.at("/root").stop()
        await trio.sleep_forever()
    assert trio.current_time() == 0
