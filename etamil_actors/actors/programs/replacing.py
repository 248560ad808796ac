"""New code for a service that runs: what is said and held goes on, and nobody is sent away.

```
new branch of the tree ─▶ top level ─▶ routes and jobs read, none begun      any error: the old one never knew
                                          │
requests ─▶ stand in line before the new routes; those at work finish with the old code
jobs     ─▶ take no more; what they have in hand they finish; the new ones take the next message
agents   ─▶ when nothing is left in a mailbox, a kept state moves over, and old handles lead to the new agent
                                          │
the old branch ─▶ ends when its last request, stream, task and one-time job has
```

Two generations of a service have places of their own in the tree (``/root/api``, then ``/root/next/api#2``)
and share what has a name in the process: channels, locks, registered values, databases. For an agent the
change is a restart: it begins anew from its first arguments, and with ``keep`` from the state of its last
message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.actor import Actor, ActorSpec
from etamil_actors.actors.behaviour import Behaviour, Spec
from etamil_actors.actors.errors import StartError
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.agents import AgentBehaviour, AgentHandle, start
from etamil_actors.actors.programs.jobs import JobBehaviour
from etamil_actors.actors.programs.service import RunningService
from etamil_actors.actors.reference import Reference
from etamil_actors.actors.supervisor import DynamicSpec, DynamicSupervisor
from etamil_actors.errors import BudgetSpent, EtamilError, Fault
from etamil_actors.vm.entering import entered
from etamil_actors.vm.template import Template
from etamil_actors.vm.values import FieldInfo, Shaped, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.routes import Route
    from etamil_actors.actors.programs.system import ServicePlan, System

NEXT: Final = "next"
"""The supervisor of all generations but the first."""

MESSAGES_SECONDS: Final = 2.0
"""How long the agents of a service may take, together, to handle what waits in their mailboxes."""
JOBS_SECONDS: Final = 0.5
"""So long jobs are waited for that finish what they have in hand; then the new ones begin beside them."""

REASON: Final = "the service has new code"

Swap = Callable[[RunningService | None, RunningService | None], None]
"""Leads requests to the routes of the second in place of those of the first. Raises: Fault."""


class Refusal(EtamilError):
    """The new code does not start; the old goes on. ``problem`` is why."""

    def __init__(self, service: str, problem: BaseException) -> None:
        super().__init__(f"{service}: {problem}")
        self.service = service
        self.problem = problem


class Replacer:
    """Replaces services of a system, one at a time."""

    def __init__(
        self,
        system: System,
        swap: Swap | None = None,
        prepare: Callable[[RunningService], None] | None = None,
    ) -> None:
        """``prepare`` is given a service before its top level runs."""
        self.system = system
        self._swap = swap or _no_routes
        self._prepare = prepare or _nothing
        self._generation = 1
        self._turn = trio.Lock()
        self._nursery: trio.Nursery | None = None
        self._has_parted = trio.Event()

    def specs(self) -> tuple[Spec, ...]:
        """What stands in the tree for it."""
        return (
            DynamicSpec(name=NEXT, intensity=1000, period=1.0),
            ActorSpec(name="replacing", make=lambda: Replacing(self)),
        )

    async def live(self, stopping: Callable[[], Any]) -> None:
        """See old generations to their end, until the process ends."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await stopping()
            finally:
                self._nursery = None
                nursery.cancel_scope.cancel("the process ends")

    async def replace(self, plan: ServicePlan) -> RunningService:
        """Let this run in place of the service of its name, or as a new one.

        Raises:
            Refusal: it does not start. The old one has not noticed.
        """
        async with self._turn:
            old = self.system.services.get(plan.name)
            new = await self._started(plan)
            try:
                new.declarer.read()
                self._swap(old, new)
            except Fault as problem:
                self._swap(new, old)
                await self._end(new)
                raise Refusal(plan.name, problem) from problem
            if old is not None:
                await self._hand_over(old, new)
            self.system.services[plan.name] = new
            new.is_waiting = False
            new.declarer.begin()
            if old is not None:
                _move_lines(old, new)
                self._let_go(old)
            return new

    async def remove(self, name: str) -> None:
        """Let a service end that is named no more."""
        async with self._turn:
            old = self.system.services.pop(name)
            self._swap(old, None)
            await _stop_jobs(old)
            self._let_go(old)

    # ── the new one ──────────────────────────────────────────────────────────────────────────────

    async def _started(self, plan: ServicePlan) -> RunningService:
        self._generation += 1
        place = f"{plan.name}#{self._generation}"
        new = RunningService.of(self.system, plan, path=f"/root/{NEXT}/{place}")
        new.is_waiting = True
        self._prepare(new)
        branch = self.system.tree.at(f"/root/{NEXT}")._actor
        assert isinstance(branch, DynamicSupervisor)
        try:
            await branch.start_child(new.spec(place))
        except StartError as failed:
            problem = failed.innermost.problem
            raise Refusal(
                plan.name, problem.fault if isinstance(problem, BudgetSpent) else problem
            ) from failed
        return new

    async def _end(self, service: RunningService) -> None:
        reference = self.system.tree.registry.at(service.path)
        if reference is not None:
            reference.request_stop(REASON)
            await reference.wait_gone()

    # ── from one to the other ────────────────────────────────────────────────────────────────────

    async def _hand_over(self, old: RunningService, new: RunningService) -> None:
        await _stop_jobs(old)
        begun = _by_name(_agents(new))
        until = after(MESSAGES_SECONDS)
        for handle in _agents(old):
            successor = _pop(begun, handle) or await _started_again(handle, new)
            if successor is None:
                continue  # there is no such agent any more: it ends with those who still use it
            await _parked(handle, until)
            # No wait from here on: nobody asks the old one between its state and its handle.
            if handle.kept is not None and successor.options.keep:
                _take_state(handle, old, successor, new)
            handle.successor = successor
            if handle.reference is not None:
                handle.reference.request_stop(REASON)
        agents = self.system.agents
        for name in [name for name, one in agents.items() if one.service is old]:
            del agents[name]
        for handle in _agents(new):
            handle.enter_name()

    # ── the old one ──────────────────────────────────────────────────────────────────────────────

    def _let_go(self, old: RunningService) -> None:
        self.system.parting.append(old)
        if self._nursery is not None:
            self._nursery.start_soon(self._part, old)

    async def _part(self, old: RunningService) -> None:
        for route in old.routes:
            await route.wait_idle()
        while old.one_time:
            await next(iter(old.one_time)).outcome.wait()
        for reference in old.jobs.children:
            await reference.wait_gone()
        for reference in old.tasks.children:
            await reference.wait_gone()
        await self._end(old)
        self.system.parting.remove(old)
        self._has_parted.set()
        self._has_parted = trio.Event()

    async def wait_parted(self) -> None:
        """Wait until no earlier generation is left."""
        while self.system.parting:
            await self._has_parted.wait()


class Replacing(Behaviour):
    """Sees old generations of services to their end."""

    def __init__(self, replacer: Replacer) -> None:
        self._replacer = replacer

    async def work(self, actor: Actor) -> None:
        """Be there while the process serves."""
        await self._replacer.live(actor.stopping.wait)


def _nothing(service: RunningService) -> None:
    """It is ready as it is."""


def _no_routes(old: RunningService | None, new: RunningService | None) -> None:
    """Nobody comes from outside."""


# ---- jobs and requests ----------------------------------------------------------------


async def _stop_jobs(old: RunningService) -> None:
    """Declared jobs take no more. Those that were started once go on to their end."""
    once = {id(reference) for job in old.one_time for reference in job.references}
    stopping = []
    for reference in old.jobs.children:
        behaviour = reference._actor.behaviour
        if isinstance(behaviour, JobBehaviour) and id(reference) not in once:
            reference.request_stop(REASON)
            stopping.append(reference)
    with trio.CancelScope(deadline=after(JOBS_SECONDS)):
        for reference in stopping:
            await reference.wait_gone()


def _move_lines(old: RunningService, new: RunningService) -> None:
    """Who stands in line before an old route goes on with the new one of the same path."""
    routes: Mapping[tuple[str, str], Route] = {(one.method, one.pattern): one for one in new.routes}
    for route in old.routes:
        route.move_line_to(routes.get((route.method, route.pattern)))


# ---- agents ---------------------------------------------------------------------------


def _agents(service: RunningService) -> list[AgentHandle]:
    behaviours = (reference._actor.behaviour for reference in service.agents.children)
    return [one.handle for one in behaviours if isinstance(one, AgentBehaviour)]


def _by_name(handles: Iterable[AgentHandle]) -> dict[str, list[AgentHandle]]:
    found: dict[str, list[AgentHandle]] = {}
    for handle in handles:
        found.setdefault(_key(handle), []).append(handle)
    return found


def _key(handle: AgentHandle) -> str:
    return f"={handle.options.name}" if handle.options.name else handle.agent.name


def _pop(begun: dict[str, list[AgentHandle]], handle: AgentHandle) -> AgentHandle | None:
    """The one that the new top level has started for it: of its name, or the next of its kind."""
    same = begun.get(_key(handle))
    return same.pop(0) if same else None


async def _parked(handle: AgentHandle, until: float) -> None:
    """Wait until it has nothing to do, for a while: an agent that never comes to rest goes on with the state
    of its last message."""
    reference = handle.reference
    with trio.CancelScope(deadline=until):
        # An actor tells nobody that it has parked.
        while reference is not None and reference.is_alive and not reference._actor.parked:  # noqa: ASYNC110
            await trio.sleep_until(after(0.002))


async def _started_again(handle: AgentHandle, new: RunningService) -> AgentHandle | None:
    """One that the program has started while it ran: it begins anew from its first arguments."""
    kind = new.image.agents.get(handle.agent.name)
    if kind is None or len(kind.parameters) != len(handle.arguments):
        return None
    activity = Activity(new, kind.name)
    activity.enter(new.take_machine())
    assert activity.machine is not None
    well = False
    try:
        arguments = tuple(activity.machine.adopt(argument) for argument in handle.arguments)
        made = start(activity, kind, arguments, handle.options)
        successor: AgentHandle = made if isinstance(made, AgentHandle) else await made
        well = True
        return successor
    except Fault:
        return None  # it has crashed where its place is, and that is told
    finally:
        await activity.close(well)


def _take_state(
    handle: AgentHandle, old: RunningService, successor: AgentHandle, new: RunningService
) -> None:
    """The new one goes on with the state of the old one, as far as its names are the same."""
    behaviour = _behaviour_of(successor.reference)
    if handle.kept is None or behaviour is None or behaviour.state is None:
        return
    old_places = _places(old)
    new_places = _places(new)
    machine = new.new_machine()
    behaviour.state.pour(machine)
    state = list(machine.save())
    names = set(handle.agent.state) & set(successor.agent.state)
    for name in names & old_places.keys() & new_places.keys():
        try:
            state[new_places[name]] = _moved(handle.kept.state[old_places[name]], machine)
        except Fault:
            continue  # a function of the old code; the new one begins with its own
    machine.restore(tuple(state))
    behaviour.state = Template(machine)
    successor.kept = behaviour.state


def _behaviour_of(reference: Reference | None) -> AgentBehaviour | None:
    behaviour = reference._actor.behaviour if reference is not None else None
    return behaviour if isinstance(behaviour, AgentBehaviour) else None


def _places(service: RunningService) -> dict[str, int]:
    return {name: place for place, name in enumerate(service.image.program.shared)}


def _moved(value: Value, machine: Any) -> Value:
    """A value of the old code for the new: records of a shape that both know stay such."""
    if isinstance(value, Shaped) and value.shape.name in machine.image.shapes:
        field = FieldInfo("", "Shape", value.shape.name, False)
        try:
            return entered(field, machine.adopt(value), machine.image.shapes)
        except Fault:  # the shape has other fields now
            return machine.adopt(value)
    if isinstance(value, list) and any(isinstance(one, Shaped | list | dict) for one in value):
        return [_moved(one, machine) for one in value]
    if type(value) is dict and any(isinstance(one, Shaped | list | dict) for one in value.values()):
        return {key: _moved(one, machine) for key, one in value.items()}
    return machine.adopt(value)


def generations(system: System) -> Iterator[RunningService]:
    """All services, those that are about to end as well."""
    yield from system.services.values()
    yield from system.parting
