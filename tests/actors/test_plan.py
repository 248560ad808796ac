"""The pure half of supervision, with the test playing the world."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from etamil_actors.actors.errors import StartError, TooManyRestartsError
from etamil_actors.actors.ledger import Ledger
from etamil_actors.actors.plan import Begin, Condition, Halt, Plan, Post
from etamil_actors.actors.restart import (
    NO_BACKOFF,
    Backoff,
    Crashed,
    Cut,
    Ended,
    Exit,
    Restart,
    Stopped,
    Strategy,
)
from tests.actors.helpers import Model

CRASHED = Crashed(ValueError("broken"))


class World:
    """Does at once what the plan asks for, and complains about what makes no sense."""

    def __init__(
        self,
        kinds: list[Restart],
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: int = 3,
        backoff: Backoff = NO_BACKOFF,
    ) -> None:
        self.posts = [Post(f"c{n}", kind, backoff) for n, kind in enumerate(kinds)]
        self.plan = Plan(self.posts, strategy, Ledger("root", intensity, 5.0))
        self.now = 0.0
        self.alive: list[str] = []
        self.asked: list[str] = []
        self.ready: list[str] = []
        self.notes: list[str] = []

    def look(self) -> None:
        """Carry out the steps of this moment."""
        for step in self.plan.steps(self.now):
            path = step.post.path
            if isinstance(step, Begin):
                assert path not in self.alive, f"{path} begins while it lives"
                self.alive.append(path)
                self.notes.append(f"+{path}")
            else:
                assert isinstance(step, Halt)
                assert path in self.alive, f"{path} is asked to stop and does not live"
                assert path not in self.asked, f"{path} is asked twice"
                self.asked.append(path)
                self.notes.append(f"-{path}")

    def start(self, post: Post) -> None:
        self.ready.append(post.path)
        self.plan.started(post, self.now)
        self.look()

    def end(self, post: Post, exit: Exit) -> None:
        for names in (self.alive, self.asked, self.ready):
            if post.path in names:
                names.remove(post.path)
        self.plan.ended(post, exit, self.now, 0.0)
        self.look()

    def settle(self) -> None:
        """Let everything happen that nobody hinders, and as much time pass as that takes."""
        self.look()
        for _ in range(1000):
            waiting = [p for p in self.posts if p.path in self.alive]
            for post in waiting:
                if post.path in self.asked:
                    self.end(post, Stopped("asked"))
                    break
                if post.path not in self.ready:
                    self.start(post)
                    break
            else:
                due = self.plan.wakes_at(self.now)
                if due == math.inf:
                    return
                self.now = due
                self.look()
        raise AssertionError("it never settles")

    def taken_notes(self) -> str:
        notes, self.notes = " ".join(self.notes), []
        return notes


P, T, X = Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY


def test_children_start_in_order_each_when_the_one_before_is_ready() -> None:
    world = World([P, P, P])
    world.look()
    assert world.taken_notes() == "+c0"
    world.start(world.posts[0])
    assert world.taken_notes() == "+c1"
    world.settle()
    assert world.taken_notes() == "+c2"
    assert world.plan.is_ready


def test_children_stop_in_reverse_order_each_when_the_one_after_is_down() -> None:
    world = World([P, P, P])
    world.settle()
    world.taken_notes()
    world.plan.close()
    world.look()
    assert world.taken_notes() == "-c2"
    world.end(world.posts[2], Stopped("asked"))
    assert world.taken_notes() == "-c1"
    world.settle()
    assert world.taken_notes() == "-c0"
    assert world.plan.is_over
    assert world.plan.failure is None


# Every strategy with every kind of child in the middle, and what happens when it crashes or ends.
@pytest.mark.parametrize(
    ("strategy", "kind", "exit", "expected"),
    [
        (Strategy.ONE_FOR_ONE, P, CRASHED, "+c1"),
        (Strategy.ONE_FOR_ONE, P, Ended(), "+c1"),
        (Strategy.ONE_FOR_ONE, T, CRASHED, "+c1"),
        (Strategy.ONE_FOR_ONE, T, Ended(), ""),
        (Strategy.ONE_FOR_ONE, X, CRASHED, ""),
        (Strategy.ONE_FOR_ONE, X, Ended(), ""),
        (Strategy.ONE_FOR_ALL, P, CRASHED, "-c2 -c0 +c0 +c1 +c2"),
        (Strategy.ONE_FOR_ALL, P, Ended(), "-c2 -c0 +c0 +c1 +c2"),
        (Strategy.ONE_FOR_ALL, T, CRASHED, "-c2 -c0 +c0 +c1 +c2"),
        (Strategy.ONE_FOR_ALL, T, Ended(), ""),
        (Strategy.ONE_FOR_ALL, X, CRASHED, ""),
        (Strategy.ONE_FOR_ALL, X, Ended(), ""),
        (Strategy.REST_FOR_ONE, P, CRASHED, "-c2 +c1 +c2"),
        (Strategy.REST_FOR_ONE, P, Ended(), "-c2 +c1 +c2"),
        (Strategy.REST_FOR_ONE, T, CRASHED, "-c2 +c1 +c2"),
        (Strategy.REST_FOR_ONE, T, Ended(), ""),
        (Strategy.REST_FOR_ONE, X, CRASHED, ""),
        (Strategy.REST_FOR_ONE, X, Ended(), ""),
    ],
)
def test_each_strategy_with_each_kind(strategy: Strategy, kind: Restart, exit: Exit, expected: str) -> None:
    world = World([P, kind, P], strategy)
    world.settle()
    world.taken_notes()
    world.end(world.posts[1], exit)
    world.settle()
    assert world.taken_notes() == expected


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_a_temporary_sibling_that_is_taken_along_does_not_come_back(strategy: Strategy) -> None:
    world = World([P, X, P], strategy)
    world.settle()
    world.taken_notes()
    world.end(world.posts[0], CRASHED)
    world.settle()
    assert world.taken_notes() == "-c2 -c1 +c0 +c2"
    assert world.posts[1].finished


@pytest.mark.parametrize("strategy", [Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE])
def test_a_finished_sibling_does_not_run_again(strategy: Strategy) -> None:
    world = World([P, T, P], strategy)
    world.settle()
    world.end(world.posts[1], Ended())
    world.taken_notes()
    world.end(world.posts[0], CRASHED)
    world.settle()
    assert world.taken_notes() == "-c2 +c0 +c2"


@pytest.mark.parametrize("exit", [CRASHED, Ended(), Stopped("asked"), Cut("late")])
def test_a_sibling_on_its_way_out_may_end_as_it_likes(exit: Exit) -> None:
    world = World([P, P, P], Strategy.ONE_FOR_ALL, intensity=1)
    world.settle()
    world.taken_notes()
    world.end(world.posts[0], CRASHED)
    world.end(world.posts[2], exit)
    world.settle()
    assert world.taken_notes() == "-c2 -c1 +c0 +c1 +c2"
    assert world.plan.failure is None


def test_the_group_waits_until_everybody_is_down_and_the_back_off_is_over() -> None:
    world = World([P, P], Strategy.ONE_FOR_ALL, backoff=Backoff(2.0, jitter=0))
    world.settle()
    world.taken_notes()
    world.end(world.posts[1], CRASHED)
    assert (world.taken_notes(), world.plan.wakes_at(world.now)) == ("-c0", 2.0)
    world.now = 3.0
    world.look()
    assert world.taken_notes() == ""
    world.end(world.posts[0], Stopped("asked"))
    assert world.taken_notes() == "+c0"


def test_a_sibling_that_waits_for_its_back_off_holds_nobody_up() -> None:
    world = World([P, P], Strategy.ONE_FOR_ONE, backoff=Backoff(2.0, jitter=0))
    world.settle()
    world.taken_notes()
    world.end(world.posts[0], CRASHED)
    world.now = 1.0
    world.end(world.posts[1], CRASHED)
    world.now = 2.0
    world.look()
    assert world.taken_notes() == "+c0"
    world.now = 3.0
    world.look()
    assert world.taken_notes() == "+c1"


def test_a_child_that_does_not_start_at_first_ends_the_start() -> None:
    world = World([P, P, P])
    world.look()
    world.start(world.posts[0])
    world.end(world.posts[1], CRASHED)
    world.settle()
    assert world.taken_notes() == "+c0 +c1 -c0"
    assert world.plan.is_over
    assert isinstance(world.plan.failure, StartError)
    assert str(world.plan.failure).endswith("(‘c1’ did not start: ValueError: broken)")


def test_a_child_that_does_not_start_later_uses_up_its_allowance() -> None:
    world = World([P], intensity=2)
    world.settle()
    for _ in range(3):
        world.end(world.posts[0], CRASHED)
    world.settle()
    assert world.taken_notes() == "+c0 +c0 +c0"
    assert isinstance(world.plan.failure, TooManyRestartsError)


def test_after_a_long_life_the_back_off_begins_anew() -> None:
    world = World([P], intensity=9, backoff=Backoff(1.0, jitter=0, reset=60.0))
    delays = []
    for lived in (0.0, 0.0, 59.0, 60.0, 0.0):
        world.settle()
        world.now += lived
        world.end(world.posts[0], CRASHED)
        delays.append(world.posts[0].delay)
    assert delays == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_a_stopped_child_stays_down_and_takes_nobody_along() -> None:
    world = World([P, P, P], Strategy.ONE_FOR_ALL)
    world.settle()
    world.taken_notes()
    world.plan.stop(world.posts[1])
    world.settle()
    assert world.taken_notes() == "-c1"
    assert world.posts[1].finished


def test_a_child_stopped_while_it_waits_is_not_started() -> None:
    world = World([P], backoff=Backoff(2.0))
    world.settle()
    world.end(world.posts[0], CRASHED)
    world.taken_notes()
    world.plan.stop(world.posts[0])
    world.settle()
    assert world.taken_notes() == ""


def test_closing_during_the_first_start_stops_what_has_started() -> None:
    world = World([P, P, P])
    world.look()
    world.start(world.posts[0])
    world.plan.close()
    world.settle()
    assert world.taken_notes() == "+c0 +c1 -c1 -c0"
    assert world.plan.is_over


def test_a_supervisor_without_children_is_ready_at_once() -> None:
    world = World([])
    world.look()
    assert world.plan.is_ready
    world.plan.close()
    assert world.plan.is_over


class PlanMachine(RuleBasedStateMachine):
    """Random ends at random moments, with nothing settled in between; the order rules always hold."""

    world: World
    stopped_alone = False

    @initialize(
        kinds=st.lists(st.sampled_from(Restart), max_size=5),
        strategy=st.sampled_from(Strategy),
        intensity=st.integers(0, 5),
        wait=st.sampled_from([0.0, 0.5]),
    )
    def make(self, kinds: list[Restart], strategy: Strategy, intensity: int, wait: float) -> None:
        backoff = Backoff(wait, jitter=0) if wait else NO_BACKOFF
        self.world = World(kinds, strategy, intensity, backoff)
        self.strategy = strategy
        self.world.look()

    def child(self, data: st.DataObject, among: list[str]) -> Post | None:
        posts = [post for post in self.world.posts if post.path in among]
        return data.draw(st.sampled_from(posts)) if posts else None

    @rule(data=st.data(), exit=st.sampled_from([CRASHED, Ended()]))
    def end(self, data: st.DataObject, exit: Exit) -> None:
        if post := self.child(data, self.world.alive):
            self.world.end(post, exit)

    @rule(data=st.data(), exit=st.sampled_from([CRASHED, Stopped("asked"), Cut("late")]))
    def obey(self, data: st.DataObject, exit: Exit) -> None:
        if post := self.child(data, self.world.asked):
            self.world.end(post, exit)

    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        if post := self.child(data, [p for p in self.world.alive if p not in self.world.ready]):
            self.world.start(post)

    @rule(seconds=st.sampled_from([0.1, 0.5, 3.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.look()

    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        if post := self.child(data, [p.path for p in self.world.posts]):
            self.stopped_alone = True
            self.world.plan.stop(post)
            self.world.look()

    @precondition(lambda self: self.world.plan.failure is None)
    @rule()
    def settle(self) -> None:
        self.world.settle()
        for post in self.world.posts:
            assert (post.condition is Condition.UP) is post.wanted

    @rule()
    def close(self) -> None:
        self.world.plan.close()
        self.world.look()

    @invariant()
    def who_stops_is_the_last(self) -> None:
        if self.strategy is Strategy.ONE_FOR_ONE or self.stopped_alone:
            return  # who is stopped alone does not wait for anybody
        doomed = [post.path for post in self.world.posts if post.doomed]
        assert self.world.asked == doomed[-1:]

    @invariant()
    def who_runs_may_rely_on_those_before(self) -> None:
        if self.strategy is Strategy.ONE_FOR_ONE:
            return
        if any(post.doomed for post in self.world.posts):
            return
        starting = [n for n, post in enumerate(self.world.posts) if post.condition is Condition.STARTING]
        assert len(starting) <= 1
        for post in self.world.posts[: starting[0]] if starting else []:
            assert post.condition is Condition.UP or not post.wanted

    @invariant()
    def the_world_and_the_plan_agree(self) -> None:
        down = {post.path for post in self.world.posts if post.condition is Condition.DOWN}
        assert down.isdisjoint(self.world.alive)
        assert len(down) + len(self.world.alive) == len(self.world.posts)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.plan.close()
            self.world.settle()
            assert self.world.plan.is_over
            assert self.world.alive == []


TestPlanMachine = PlanMachine.TestCase


class SettledMachine(RuleBasedStateMachine):
    """Random ends, each settled before the next: the counts of the simple model, to the last life."""

    @initialize(
        kinds=st.lists(st.sampled_from(Restart), min_size=1, max_size=5),
        strategy=st.sampled_from(Strategy),
        intensity=st.integers(0, 5),
    )
    def make(self, kinds: list[Restart], strategy: Strategy, intensity: int) -> None:
        self.world = World(kinds, strategy, intensity)
        self.model = Model(kinds, strategy, intensity)
        self.world.settle()

    @rule(child=st.integers(0, 4), crashed=st.booleans())
    def end(self, child: int, crashed: bool) -> None:
        child %= len(self.world.posts)
        if not self.model.over[child]:
            self.model.end(child, crashed)
            self.world.end(self.world.posts[child], CRASHED if crashed else Ended())
            self.world.settle()

    @rule(child=st.integers(0, 4))
    def stop(self, child: int) -> None:
        child %= len(self.world.posts)
        self.model.stop(child)
        self.world.plan.stop(self.world.posts[child])
        self.world.settle()

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "world"):
            assert [post.lives for post in self.world.posts] == self.model.lives
            up = [post.condition is Condition.UP for post in self.world.posts]
            assert up == [not over for over in self.model.over]
            assert (self.world.plan.failure is not None) is self.model.failed


TestSettledMachine = SettledMachine.TestCase
