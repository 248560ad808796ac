"""Taking a process down in order (DESIGN §3).

One step after the other, each for all services side by side and each with a deadline:

```
edge ─▶ jobs ─▶ tasks ─▶ agents ─▶ channels ─▶ நிறுத்தும்போது ─▶ resources ─▶ the tree is left
  │       └ those that still run are given up at the deadline: cut, waited for, named
  └ steps of the edge and of resources are hooks, entered by whoever opens them
```

Every step goes the same way: what it waits for is asked to stop; at the deadline the rest is *cut*, that is
cancelled; program code then has its இறுதியில் blocks, for a few seconds. What does not even end then is
*stuck* and named too; the next step begins without it. ``hurry`` brings the deadline of every step down to
nothing.

A job keeps the shutdown time that its program gave it, so a step is never shorter than the times of those
it waits for. Tasks belong to whoever started them and end with it; the step for tasks is for those whose
owners are over. Tasks of agents end with their agents, because an agent may need them to finish.

Agents may ask each other until the end. So first all of them are let finish what waits in their mailboxes,
then those that have something to do at the end are stopped, the last started first, then the rest.

Messages that are left in channels of memory become dead letters, counted by channel. What a journal holds
stays there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import trio

from etamil_actors.actors.actor import Actor
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.memory import QueueChannel
from etamil_actors.actors.errors import describe
from etamil_actors.actors.events import ActorCrashed, ActorStopped, Event
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.activity import CUT_SECONDS, Activity
from etamil_actors.actors.programs.agents import AgentBehaviour
from etamil_actors.actors.programs.jobs import JobBehaviour
from etamil_actors.actors.programs.routes import RouteBehaviour
from etamil_actors.actors.programs.service import Closing
from etamil_actors.actors.programs.tasks import TaskBehaviour
from etamil_actors.actors.restart import Cut

if TYPE_CHECKING:
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.system import System

T = TypeVar("T")

Say = Callable[[str, str], None]
"""Tells people something, in Tamil and in English."""

Hook = Callable[[], Awaitable[None]]

REASON: Final = "the process is taken down"

REPORT_SECONDS: Final = 5.0
"""How often it is told what still runs."""

QUIET_SECONDS: Final = 2.0
"""How long agents that keep each other busy are waited for, when all that waited before is handled."""

IDLE_SECONDS: Final = 1.0
"""How long a route without requests may take to end."""

GIVEN_UP_SECONDS: Final = CUT_SECONDS + 6.0
"""What was cut has இறுதியில் blocks and children, which take a little; after so long it is stuck."""

NAMED: Final = 8
"""So many names stand in one line."""


class Step(NamedTuple):
    """One step of a shutdown."""

    key: str
    tamil: str
    english: str
    does: str
    seconds: float
    """How long it may take, if nothing else is said."""


STEPS: Final = (
    Step("ready", "ஆயத்த நிலை", "readiness", "say that no more requests shall be sent here", 1.0),
    Step("notice", "அறிவிப்பு", "notice", "let those who send requests notice that", 30.0),
    Step("refuse", "மறுப்பு", "refusal", "take no more connections", 1.0),
    Step("goodbye", "விடைபெறல்", "goodbye", "say goodbye on WebSockets and event streams", 5.0),
    Step("requests", "கோரிக்கைகள்", "requests", "finish the requests in flight", 20.0),
    Step("jobs", "பணிகள்", "jobs", "take nothing more; finish what runs, or give it back", 10.0),
    Step("tasks", "துணைப்பணிகள்", "tasks", "end what was left by those that have ended", 5.0),
    Step("agents", "முகவர்கள்", "agents", "handle what waits in the mailboxes, then stop", 15.0),
    Step("channels", "சேனல்கள்", "channels", "count what is left in memory as dead letters", 5.0),
    Step("closing", "நிறுத்தும்போது", "closing blocks", "run the நிறுத்தும்போது blocks of the programs", 10.0),
    Step("resources", "வளங்கள்", "resources", "write what is not written yet; close what is open", 15.0),
)
"""In their order. The first five are the edge's, and nothing until there is one."""


class CutOff(NamedTuple):
    """Something that does not end by itself, or not yet."""

    path: str
    place: str | None
    """``file:line`` where its program stood, if that is known."""
    is_stuck: bool = False
    """Has it not even ended when it was cut?"""

    def __str__(self) -> str:
        return self.path if self.place is None else f"{self.path} ({self.place})"


class Shutdown:
    """See the top of the file. It is run once, inside the block of the system."""

    def __init__(
        self,
        system: System,
        say: Say,
        *,
        hooks: Mapping[str, Sequence[Hook]] | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        """``hooks`` are what steps do besides, and ``seconds`` other times than the table's, by key."""
        self.system = system
        self.cut: list[CutOff] = []
        self.failed: list[str] = []
        """Blocks of the end that raised an error, which is in the log."""
        self.left: dict[str, int] = {}
        """Messages that nobody will handle, by channel."""
        self._say = say
        self._hooks = hooks or {}
        self._seconds = {step.key: step.seconds for step in STEPS} | dict(seconds or {})
        self._step = STEPS[0]
        self._scope = trio.CancelScope()
        self._is_hurried = False
        self._running: dict[str, Actor] = {}
        """Those that the present step waits for, by path."""
        self._activities: dict[str, Activity] = {}

    @property
    def is_clean(self) -> bool:
        """Did everything end in order?"""
        return not self.cut and not self.failed

    @property
    def is_stuck(self) -> bool:
        """Is there something that goes on although it was cut?"""
        return any(one.is_stuck for one in self.cut)

    def status(self) -> int:
        """The exit status: what a program asked for; else 1 when something did not end in order."""
        return self.system.status or int(not self.is_clean)

    def allow(self, step: str, seconds: float) -> None:
        """Let a step that is still to come take as long as this."""
        self._seconds[step] = seconds

    def hurry(self) -> None:
        """Somebody is impatient: what runs is cut now, and in every step to come."""
        if not self._is_hurried:
            self._is_hurried = True
            self._scope.cancel("hurried")

    async def run(self) -> None:
        """Take every step."""
        deeds: dict[str, Callable[[], Awaitable[None]]] = {
            "requests": self._end_routes,
            "jobs": self._end_jobs,
            "tasks": self._end_tasks,
            "agents": self._end_agents,
            "channels": self._empty_channels,
            "closing": self._close,
            "resources": self._let_go,
        }
        self.system.leave(0)
        with self.system.events.listen(self._hear, messages=False):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._report)
                for step in STEPS:
                    self._step = step
                    await self._take(step, deeds.get(step.key))
                nursery.cancel_scope.cancel("every step is done")

    async def _take(self, step: Step, deed: Callable[[], Awaitable[None]] | None) -> None:
        self._running, self._activities = {}, {}
        until = after(self._seconds[step.key])
        if step.key == "requests":
            self._wait_for(actor for actor in self._children("routes") if _is_answering(actor))
        for one in (*self._hooks.get(step.key, ()), deed):
            if one is not None and not await self._is_done(one, until):
                if not self._running and not self._is_hurried:
                    self.cut.append(CutOff(step.english, None))
                    self._say(f"கைவிடப்பட்ட படி: {step.tamil}", f"given up: the step ‘{step.english}’")
                await self._cut_the_rest()

    async def _is_done(self, deed: Callable[[], Awaitable[None]], until: float) -> bool:
        """Do it, in as much time as there is. Even when there is none it is begun."""
        with trio.CancelScope(deadline=until) as self._scope:
            if self._is_hurried:
                self._scope.cancel("hurried")
            await deed()
        return not self._scope.cancelled_caught

    # ── the steps ────────────────────────────────────────────────────────────────────────────────

    async def _end_routes(self) -> None:
        """No request comes any more, and those at work finish in the time of the step."""
        routes = self._children("routes")
        idle = [actor for actor in routes if not _is_answering(actor)]
        self._wait_for(actor for actor in routes if _is_answering(actor))
        for actor in routes:
            actor.reference.request_stop(REASON)
        # Those that have nothing to do need a moment to end, and no more, even when the time is over.
        with trio.CancelScope(shield=True, deadline=after(IDLE_SECONDS)):
            for actor in idle:
                await actor.wait_gone()
        await self._all_gone()

    async def _end_jobs(self) -> None:
        await self._end_branch("jobs")

    async def _end_tasks(self) -> None:
        owned = set(self._paths_of_agents_tasks())
        orphans = [actor for actor in self._children("tasks") if actor.path not in owned]
        self._wait_for(orphans)
        for actor in orphans:
            actor.reference.request_stop(REASON)
        await self._all_gone()

    async def _end_agents(self) -> None:
        agents = self._children("agents")
        self._wait_for(agents)
        # Half of the time at most: each of them still has its own time to stop.
        with trio.CancelScope(deadline=after(self._seconds["agents"] / 2)):
            await _handled(agents)
            with trio.CancelScope(deadline=after(QUIET_SECONDS)):
                await _quiet(agents)
        # Those of one kind do not need each other more than they need those that came before.
        last_first = [actor for actor in reversed(agents) if _has_last_words(actor)]
        for _, alike in groupby(last_first, _kind_of):
            stopping = list(alike)
            for actor in stopping:
                actor.reference.request_stop(REASON)
            for actor in stopping:
                await actor.wait_gone()
        await self._end_branch("agents")

    async def _empty_channels(self) -> None:
        for channel in self.system.channels.channels:
            if isinstance(channel, QueueChannel | BroadcastChannel):
                count = len(channel.drain())
                if count:
                    self.left[channel.name] = self.left.get(channel.name, 0) + count
                    self._say(
                        f"சேனல் ‘{channel.name}’: கையாளப்படாத செய்திகள் {count}; இறந்த மடல்களாக எண்ணப்பட்டன",
                        f"channel ‘{channel.name}’: {count} message(s) were left; counted as dead letters",
                    )

    async def _close(self) -> None:
        closing = [actor for service in self._services() if (actor := _actor_at(service, "closing"))]
        self._wait_for(closing)
        for actor in reversed(closing):
            actor.reference.request_stop(REASON)
        await self._all_gone()

    async def _let_go(self) -> None:
        await self._empty_channels()  # a நிறுத்தும்போது block may have made one
        if self.system.journal is not None:
            await self.system.journal.flush()
        await self.system.keeper.close()

    # ── all of one kind ──────────────────────────────────────────────────────────────────────────

    async def _end_branch(self, name: str) -> None:
        children = self._children(name)
        self._wait_for(children)
        longest = max([actor.spec.shutdown for actor in children], default=0.0)
        if not self._is_hurried:
            self._scope.deadline = max(self._scope.deadline, after(longest + GIVEN_UP_SECONDS))
        branches = [service.branch(name) for service in self._services() if _actor_at(service, name)]
        for branch in reversed(branches):
            branch.reference.request_stop(REASON)
        for branch in branches:
            await branch.wait_gone()

    def _services(self) -> Iterable[RunningService]:
        return [*self.system.services.values(), *self.system.parting]

    def _children(self, name: str) -> list[Actor]:
        """The children of this branch of all services, in the order of start."""
        return [
            reference._actor
            for service in self._services()
            if _actor_at(service, name) is not None
            for reference in service.branch(name).children
        ]

    def _wait_for(self, actors: Iterable[Actor]) -> None:
        for actor in actors:
            self._running[actor.path] = actor
            activity = _activity_of(actor)
            if activity is not None:
                self._activities[actor.path] = activity

    async def _all_gone(self) -> None:
        for actor in list(self._running.values()):
            await actor.wait_gone()

    def _paths_of_agents_tasks(self) -> Iterator[str]:
        waiting = [activity for actor in self._children("agents") if (activity := _activity_of(actor))]
        while waiting:
            for task in waiting.pop().children or ():
                waiting.append(task.activity)
                if task.reference is not None:
                    yield task.reference.path

    # ── what does not end ────────────────────────────────────────────────────────────────────────

    async def _cut_the_rest(self) -> None:
        left = [actor for actor in self._running.values() if not actor.is_gone]
        for actor in reversed(left):
            actor.reference.cancel(REASON)
            behaviour = actor.behaviour
            if isinstance(behaviour, Closing):
                behaviour.cut()
                if behaviour.has_blocks:
                    self._name(actor.path)
        with trio.CancelScope(deadline=after(GIVEN_UP_SECONDS)) as patience:
            for actor in left:
                await actor.wait_gone()
        journal = self.system.journal
        if patience.cancelled_caught and journal is not None:
            # Who waits for a disk that hangs cannot be cancelled; the journal gives all of them an error.
            await journal.close(GIVEN_UP_SECONDS)
        for actor in left:
            if not actor.is_gone:
                self._name(actor.path, is_stuck=True)

    def _hear(self, event: Event) -> None:
        if event.actor not in self._running:
            return
        if isinstance(event, ActorStopped) and isinstance(event.exit, Cut) and _was_not_asked_for(event.exit):
            self._name(event.actor)
        elif isinstance(event, ActorCrashed) and self._step.key == "closing":
            self.failed.append(event.actor)
            self._say(f"தோல்வி: {event.actor}", f"failed: {event.actor}: {describe(event.problem)}")

    def _name(self, path: str, *, is_stuck: bool = False) -> None:
        activity = self._activities.get(path) or _activity_of(self._running[path])
        one = CutOff(path, activity.place if activity is not None else None, is_stuck)
        self.cut.append(one)
        if is_stuck:
            self._say(f"நிறுத்தியும் நிற்கவில்லை: {one}", f"was cut and still runs: {one}")
        else:
            self._say(f"துண்டிக்கப்பட்டது: {one}", f"cut: {one}")

    def _still_running(self) -> Iterator[CutOff]:
        for path, actor in self._running.items():
            if not actor.is_gone and not actor.parked:
                activity = _activity_of(actor) or self._activities.get(path)
                yield CutOff(path, activity.place if activity is not None else None)

    async def _report(self) -> None:
        while True:
            await trio.sleep_until(after(REPORT_SECONDS))
            names = [str(one) for one in self._still_running()]
            more = f" … +{len(names) - NAMED}" if len(names) > NAMED else ""
            shown = ", ".join(names[:NAMED]) + more or "—"
            step = self._step
            self._say(f"இன்னும் ஓடுவது ({step.tamil}): {shown}", f"still running ({step.english}): {shown}")


def _is_answering(actor: Actor) -> bool:
    """Is it a route that has requests at work or in line?"""
    behaviour = actor.behaviour
    return isinstance(behaviour, RouteBehaviour) and bool(behaviour.route.running or behaviour.route.line)


def _was_not_asked_for(exit: Cut) -> bool:
    return exit.reason != "பணி_நிறுத்து"


def _actor_at(service: RunningService, name: str) -> Actor | None:
    reference = service.system.tree.registry.at(f"{service.path}/{name}")
    return reference._actor if reference is not None else None


def _activity_of(actor: Actor) -> Activity | None:
    """The run of program code that this actor is busy with."""
    match actor.behaviour:
        case JobBehaviour() | AgentBehaviour() | Closing() as behaviour:
            return behaviour.activity
        case TaskBehaviour() as behaviour:
            return behaviour.task.activity
        case RouteBehaviour() as behaviour:
            return next(iter(behaviour.route.running), None)
    return None


# ---- agents ---------------------------------------------------------------------------


def _has_last_words(actor: Actor) -> bool:
    behaviour = actor.behaviour
    return isinstance(behaviour, AgentBehaviour) and behaviour.agent.on_stop >= 0


def _kind_of(actor: Actor) -> str:
    return actor.behaviour.agent.name if isinstance(actor.behaviour, AgentBehaviour) else ""


def _is_busy(actor: Actor) -> bool:
    return not actor.parked and not actor.is_gone


async def _handled(agents: Sequence[Actor]) -> None:
    """Wait until all messages are handled that wait now."""
    goals = [(actor, actor.handled + actor.mailbox.depth + 1) for actor in agents if _is_busy(actor)]
    await _until(goals, lambda goal: not _is_busy(goal[0]) or goal[0].handled >= goal[1])


async def _quiet(agents: Sequence[Actor]) -> None:
    """Wait until nobody has anything to do, whatever they still send each other."""
    while busy := [actor for actor in agents if _is_busy(actor)]:
        await _until(busy, lambda actor: not _is_busy(actor))


async def _until(things: Sequence[T], is_done: Callable[[T], bool]) -> None:
    pause = 0.005
    while things := [thing for thing in things if not is_done(thing)]:
        await trio.sleep_until(after(pause))
        pause = min(pause * 2, 0.05)
