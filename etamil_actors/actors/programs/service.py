"""One service: a program made ready, its template, its machines, and its branch of the tree.

The *prelude* — everything outside routes, jobs, agents and tests — runs once. What it leaves is the
*template*: every activity gets a machine whose globals start as the template's. Machines are made when they
are needed, and kept for the next activity when one has ended; ``Template.pour`` makes a used one as new.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final

import trio

from etamil_actors.actors.actor import Actor, ActorSpec, Behaviour
from etamil_actors.actors.programs import (
    agents,
    caches,
    channels,
    containers,
    databases,
    databases_statements,
    live,
    log,
    redis_words,
    requests,
    resilience,
    serving,
    settings,
    sharing,
    tasks,
    times,
    tokens,
    watching,
    web,
    world,
)
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.jobs import Job, Start, declared_specs, run_with_top
from etamil_actors.actors.programs.routes import Route, declared_routes
from etamil_actors.actors.programs.serving import know_written_address
from etamil_actors.actors.programs.spans import Within, begin
from etamil_actors.actors.programs.tasks import Status
from etamil_actors.actors.programs.world import ServiceWorld
from etamil_actors.actors.restart import Exit, Restart, Strategy
from etamil_actors.actors.supervisor import DynamicSpec, DynamicSupervisor, SupervisorSpec
from etamil_actors.errors import BudgetSpent, ExitRequested, Fault, Frame, InternalError
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.log_line import SECRETS
from etamil_actors.vm.machine import Image, Machine
from etamil_actors.vm.template import Template
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.journal.jobs import StoredJob
    from etamil_actors.actors.programs.databases_statements import Opened
    from etamil_actors.actors.programs.serving import Handler
    from etamil_actors.actors.programs.system import ServicePlan, System
    from etamil_actors.ports.redis import Redis

VOCABULARY: Final = (
    agents, caches, channels, containers, databases, databases_statements, live, log, redis_words,
    requests, resilience, serving, settings, sharing, tasks, times, tokens, watching, web, world,
)  # fmt: skip
"""Every module enters its words when it is imported; a service knows all of them."""

PRELUDE_SECONDS: Final = 60.0
"""How long the top level of a program may take."""

MANY: Final = 1000
"""Restarts within a second that a supervisor of agents or jobs allows. Each child has a back-off of its own
that slows it down long before; all of them together are many."""

POOLED: Final = 256
"""So many machines are kept for the next activities."""


class RunningService:
    """See the top of the file."""

    def __init__(
        self,
        system: System,
        name: str,
        image: Image,
        *,
        as_script: bool = False,
        as_whole: bool = False,
        prefix: str = "",
        prelude_per_request: bool = False,
        settings: Mapping[str, Value] | None = None,
        path: str = "",
    ) -> None:
        self.system = system
        self.name = name
        self.image = image
        self.as_script = as_script
        self.as_whole = as_whole
        """Answer requests at ``/`` by running all of the program, as 2.0 does without routes."""
        self.prefix = prefix
        """What stands before the path of each of its routes."""
        self.prelude_per_request = prelude_per_request
        """Run the top level before each request, as 2.0 does."""
        self.settings = settings or {}
        """What the configuration says for அமைப்பு."""
        self.defaults: dict[str, Value] = {}
        """What அமை_புரோ has declared."""
        self.path = path or f"/root/{name}"
        """Its place in the tree."""
        self.is_waiting = False
        """Does another generation of the service still serve? (``replacing.py``)"""
        self.declarer: Jobs = Jobs(self)
        self.least_logged = 0
        """The rank of the least level that is logged."""
        self.secrets = SECRETS
        """Which names of fields are not shown in the log."""
        self.world = ServiceWorld(system.ports, self.warn, system.auth)
        self.template: Template | None = None
        self.declared: dict[int, tuple[Value, ...]] = {}
        """What the top level declared, by the number of the declaration, with its options."""
        self.handles: dict[int, Job] = {}
        """Handles of declared jobs, by the number of the declaration."""
        self.one_time: dict[Job, None] = {}
        """One-time jobs that are not over."""
        self.dead_jobs: list[Start] = []
        """One-time jobs that have failed too often, for as long as the process lives."""
        self.interrupted: list[StoredJob] = []
        """Durable jobs in the journal that are to go on when the top level has run."""
        self.handlers: list[Handler] = []
        """Routes that the top level gave a function, in its order."""
        self.routes: list[Route] = []
        """What answers requests, once the top level has run."""
        self.address: tuple[str, int] | None = None
        """Where the program wants to be served."""
        self.computes_address: Frame | None = None
        """Where it computes that, although it runs only when somebody asks for something."""
        shared = image.program.shared
        self.answer_places = {
            name: place for place, name in enumerate(shared) if name.startswith("response_")
        }
        """The variables of 2.0 that hold an answer, where the program uses them, and their places."""
        self.default_pool: Value = None
        """What உறவு_தொடர்பு has made."""
        self.opened: dict[str, Opened] = {}
        """Connections of 2.0 that the top level has opened, by handle: every activity begins with them."""
        self.redis: Redis | None = None
        """The server that ரெடிஸ்_இணை at the top level has connected."""
        self._empty: Template | None = None
        self._places = 0
        self._pool: list[Machine] = []
        self._clean: list[Machine] = []
        """Those that begin with the template's state already."""
        self._branches: dict[str, DynamicSupervisor] = {}

    @classmethod
    def of(cls, system: System, plan: ServicePlan, path: str = "") -> RunningService:
        """As the plan has it."""
        return cls(
            system,
            plan.name,
            plan.image,
            as_script=plan.as_script,
            as_whole=plan.as_whole,
            prefix=plan.prefix,
            prelude_per_request=plan.prelude_per_request,
            settings=plan.settings,
            path=path,
        )

    def warn(self, text: str) -> None:
        """Tell the operator something."""
        self.system.ports.console.write_error(text + "\n")

    def next_place(self, what: str) -> str:
        """What people call something that has no name."""
        self._places += 1
        return f"{what}#{self._places}"

    # ── machines ─────────────────────────────────────────────────────────────────────────────────

    def new_machine(self) -> Machine:
        """A machine on which nothing has run yet."""
        return Machine(self.image, self.world, _nobody)

    def _used_or_new(self) -> Machine:
        pool = self._pool or self._clean
        return pool.pop() if pool else self.new_machine()

    def take_machine(self) -> Machine:
        """A machine whose globals are the template's."""
        template = self.template
        if template is None:
            raise InternalError("an activity before the prelude has ended")
        if self._clean:
            return self._clean.pop()
        return self.pour(template)

    def take_machine_with(self, given: Sequence[tuple[int, Value]]) -> Machine:
        """A machine whose globals are the template's, but for some that are given."""
        template = self.template
        if template is None:
            raise InternalError("an activity before the prelude has ended")
        machine = self._used_or_new()
        template.pour_with(machine, given)
        return machine

    def take_machine_before_prelude(self, given: Sequence[tuple[int, Value]]) -> Machine:
        """A machine as it is before the top level runs, but for some variables that are given."""
        machine = self._used_or_new()
        if self._empty is None:
            self._empty = Template(self.new_machine())
        self._empty.pour_with(machine, given)
        return machine

    def continue_from(self, other: Machine) -> Machine:
        """A machine whose globals are copies of those that another has now."""
        machine = self._used_or_new()
        if self.template is None:  # the prelude starts something
            Template(other).pour(machine)
        else:
            self.template.continue_from(other, machine)
        return machine

    def pour(self, state: Template) -> Machine:
        """A machine that begins with this state."""
        machine = self._used_or_new()
        state.pour(machine)
        return machine

    def give_back_clean(self, machine: Machine) -> None:
        """The same, and what the activity has left in its variables is forgotten now and not with the next:
        that may be much, and the next may never come."""
        self.give_back_machine(machine)
        if self.template is not None and self._pool and self._pool[-1] is machine:
            self._pool.pop()
            self.template.pour(machine)
            self._clean.append(machine)

    def give_back_machine(self, machine: Machine) -> None:
        """An activity has ended; its machine may serve the next."""
        machine.performer = _nobody
        if self.world.is_dirty:
            self.world.show()
        if len(self._pool) + len(self._clean) < POOLED:
            self._pool.append(machine)

    # ── jobs ─────────────────────────────────────────────────────────────────────────────────────

    def handle_of(self, number: int, options: tuple[Value, ...]) -> Value:
        """The handle of a job that the program declares, should a value be wanted."""
        if self.image.program.declared[number].kind != "job":
            return None
        job = self.handles.get(number)
        if job is None:
            job = self.handles[number] = Job(self, text_of(options[0]))
            if self.as_script:  # it will not be started
                job.outcome.ended(Status.CANCELLED)
        return job

    # ── the tree ─────────────────────────────────────────────────────────────────────────────────

    def branch(self, name: str) -> DynamicSupervisor:
        """One of the supervisors whose children come and go."""
        found = self._branches.get(name)
        if found is None:
            actor = self.system.tree.at(f"{self.path}/{name}")._actor
            assert isinstance(actor, DynamicSupervisor)
            found = self._branches[name] = actor
        return found

    @property
    def tasks(self) -> DynamicSupervisor:
        """The supervisor of started tasks."""
        return self.branch("tasks")

    @property
    def agents(self) -> DynamicSupervisor:
        """The supervisor of agents."""
        return self.branch("agents")

    @property
    def routes_branch(self) -> DynamicSupervisor:
        """The supervisor of routes."""
        return self.branch("routes")

    @property
    def jobs(self) -> DynamicSupervisor:
        """The supervisor of jobs."""
        return self.branch("jobs")

    def spec(self, place: str = "") -> SupervisorSpec:
        """Its branch of the tree, at its name or at another place."""
        limit = inf if self.as_script else PRELUDE_SECONDS
        return SupervisorSpec(
            name=place or self.name,
            restart=Restart.PERMANENT,
            strategy=Strategy.REST_FOR_ONE,
            children=(
                DynamicSpec(name="tasks"),
                ActorSpec(name="closing", make=lambda: Closing(self)),
                DynamicSpec(name="agents", intensity=MANY, period=1.0),
                DynamicSpec(name="jobs", intensity=MANY, period=1.0),
                DynamicSpec(name="routes", intensity=MANY, period=1.0),
                ActorSpec(name="prelude", make=lambda: Prelude(self), start_within=limit),
                ActorSpec(name="declared", make=self._declarer),
            ),
        )


    def _declarer(self) -> Behaviour:
        if self.as_script:
            return JobsOfScript(self)
        self.declarer = Jobs(self)
        return self.declarer


class Closing(Behaviour):
    """Stands before everything else, so it ends last: runs the நிறுத்தும்போது blocks of the top level."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.activity: Activity | None = None
        """The block that runs, or has run last."""
        self._scope = trio.CancelScope()

    @property
    def has_blocks(self) -> bool:
        """Is there anything for it to run?"""
        return any(row.kind == "on_stop" for row in self.service.image.program.declared)

    def cut(self) -> None:
        """Cancel the block that runs, and those to come."""
        self._scope.cancel("there is no more time")

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        """Run the blocks, each as an activity with the template's globals.

        Raises:
            Fault: that of the first one that failed; the others have run nevertheless.
        """
        service = self.service
        failure: Fault | BudgetSpent | None = None
        with self._scope:
            for row in service.image.program.declared:
                if row.kind == "on_stop" and service.template is not None:
                    activity = self.activity = Activity(service, "நிறுத்தும்போது")
                    activity.enter(service.take_machine())
                    assert activity.machine is not None
                    try:
                        if service.prelude_per_request:  # and for this block
                            await activity.live(run_with_top, activity.machine, row.unit)
                        else:
                            await activity.live(activity.machine.run_body, row.unit)
                    except ExitRequested as leaving:
                        service.system.leave(leaving.status)
                    except (Fault, BudgetSpent) as problem:
                        failure = failure or problem
        service.world.show()
        if failure is not None:
            raise failure


class Jobs(Behaviour):
    """Starts the jobs that the program declares, and its routes."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self._specs: list[tuple[ActorSpec, bool]] = []
        self._later: list[ActorSpec] = []

    async def on_start(self, actor: Actor) -> None:
        """Start them, unless another generation of the service has to end first."""
        if not self.service.is_waiting:
            self.read()
            self.begin()

    def read(self) -> None:
        """Know what the program declares. Raises: Fault, an option has no sense."""
        self._specs = declared_specs(self.service)
        self.service.routes = declared_routes(self.service)

    def begin(self) -> None:
        """Start what was read, in the order of the program, and jobs that a crash has interrupted."""
        if self.service.system.leaving.is_set():
            return
        specs, self._specs = self._specs, []
        for spec, runs_once in specs:
            if runs_once and not self.service.system.is_first.is_set():
                self._later.append(spec)
            else:
                self.service.jobs.start_child_nowait(spec)
        self._start_routes()
        if self.service.interrupted:
            from etamil_actors.actors.programs.durable import resume_all

            resume_all(self.service)

    async def work(self, actor: Actor) -> None:
        """Start what runs in one process only, when it is this one."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._start_the_rest)
            await actor.stopping.wait()
            nursery.cancel_scope.cancel("the service ends")

    async def _start_the_rest(self) -> None:
        await self.service.system.is_first.wait()
        while self._later:
            self.service.jobs.start_child_nowait(self._later.pop(0))

    def _start_routes(self) -> None:
        service = self.service
        branch = service.routes_branch
        names: set[str] = set()
        for route in service.routes:
            if route.folder is None:
                while route.place in names:  # of two routes with one path the later is the one that counts
                    route.place += "#2"
                names.add(route.place)
                branch.start_child_nowait(route.spec())
        service.system.routes_changed()


class JobsOfScript(Behaviour):
    """``run`` starts no declared jobs, and ends when the one-time jobs are done."""

    def __init__(self, service: RunningService) -> None:
        self.service = service

    async def work(self, actor: Actor) -> None:
        """Wait until nothing is left to do."""
        while self.service.one_time:
            await next(iter(self.service.one_time)).outcome.wait()
        self.service.system.leave(0)
        await actor.stopping.wait()  # were this its end, its supervisor would let it begin again


class Prelude(Behaviour):
    """The actor that runs the top level of a program, and keeps what it leaves."""

    def __init__(self, service: RunningService) -> None:
        self.service = service

    async def on_start(self, actor: Actor) -> None:
        """Run the top level. What an earlier run of it has left is of no use any more."""
        service = self.service
        service.system.opened(actor.tree)
        await self._end_what_is_left()
        if not service.as_script:
            await service.system.open_kept_journal()
            if not service.is_waiting:  # the jobs of the generation before are at work, and not interrupted
                service.interrupted = await self._interrupted()
        earlier, service.template = service.template, None
        try:
            await self._run()
        except BaseException:
            service.template = earlier  # for the blocks of நிறுத்தும்போது, should this have been the last try
            raise

    async def _end_what_is_left(self) -> None:
        """Jobs and agents stand before the prelude in the tree, so those of an earlier one may outlive it."""
        for route in self.service.routes:  # even those that have no life now
            route.end()
        for branch in (self.service.routes_branch, self.service.jobs, self.service.agents):
            left = branch.children
            for reference in reversed(left):
                reference.request_stop("the prelude begins again")
            for reference in left:
                await reference.wait_gone()

    async def _interrupted(self) -> list[StoredJob]:
        if self.service.system.journal is None:
            return []
        from etamil_actors.actors.programs.durable import (
            interrupted_jobs,  # the packing of values comes along
        )

        return await interrupted_jobs(self.service)

    async def _run(self) -> None:
        service = self.service
        service.handlers = []
        if service.as_whole or service.prelude_per_request:  # it runs for each request, and not before
            know_written_address(service)
            service.template = Template(service.new_machine())
            return
        activity = Activity(service, service.name)
        machine = service.new_machine()
        activity.enter(machine)
        machine.declaring = service.handle_of
        try:
            with Within(activity, begin(activity, f"மேல்நிலை {service.name}", "internal")):
                await activity.live(machine.run_top)
        except ExitRequested as leaving:
            service.system.leave(leaving.status)
        service.declared = dict(machine.declared)
        machine.declaring = None
        service.template = Template(machine)
        service.world.show()

    async def on_stop(self, actor: Actor, exit: Exit) -> None:
        """The machines of this template are of no use to the next."""
        self.service._pool.clear()
        self.service._clean.clear()


def _nobody(effect: Any) -> Any:
    raise InternalError(f"{effect!r}: a machine that no activity has")
