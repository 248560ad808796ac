"""A running process: its services in one supervision tree, and what they share.

```
/root
├─ resources      keeps what is opened for all: pools, bridges (keeper.py)
└─ <service>      tasks → closing → agents → jobs → prelude → declared      rest_for_one
```

The order is that of start; everything is stopped in reverse. ``prelude`` runs the top level of the
program, so what it may start stands before it. ``declared`` starts the jobs that the program declares, and
``closing`` runs its நிறுத்தும்போது blocks when all the others have ended.

What is shared by all services of the process hangs here: named channels and locks, registered values, the
journal, the slices of computing time.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import trio

from etamil_actors.actors.actor import ActorSpec
from etamil_actors.actors.auth.authority import Authority
from etamil_actors.actors.behaviour import Spec
from etamil_actors.actors.caches.base import CacheBook
from etamil_actors.actors.channels.base import JOURNAL, ChannelSettings
from etamil_actors.actors.channels.book import ChannelBook
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.events import Event, EventStream
from etamil_actors.actors.locks import LockBook
from etamil_actors.actors.programs.agents import AgentHandle
from etamil_actors.actors.programs.breakers import BreakerBook
from etamil_actors.actors.programs.keeper import NAME, Keeping, ResourceKeeper
from etamil_actors.actors.programs.route_options import HANDLER_SECONDS
from etamil_actors.actors.programs.run_counts import RunCounts
from etamil_actors.actors.programs.service import RunningService
from etamil_actors.actors.programs.slices import Slicer
from etamil_actors.actors.programs.world import Ports, Threads
from etamil_actors.actors.supervisor import SupervisorSpec
from etamil_actors.actors.tree import Tree, open_tree
from etamil_actors.errors import Fault, InternalError
from etamil_actors.vm.machine import Image
from etamil_actors.vm.values import Value

KEEPING_SECONDS = 20.0
"""How long everything that is opened may take to close."""

if TYPE_CHECKING:
    from etamil_actors.actors.journal.jobs import StoredJob
    from etamil_actors.actors.journal.store import Journal
    from etamil_actors.ports.auth import AuthSettings
    from etamil_actors.ports.databases import PoolSettings
    from etamil_actors.ports.telemetry import Numbers, Tracer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePlan:
    """A service that is to run."""

    name: str
    image: Image
    as_whole: bool = False
    """Answer requests at ``/`` by running all of the program; nothing of it runs at the start."""
    prefix: str = ""
    """What stands before the path of each of its routes."""
    prelude_per_request: bool = False
    """Run the top level before each request, as 2.0 does."""
    settings: Mapping[str, Value] = field(default_factory=dict)
    """What the configuration says for அமைப்பு."""
    as_script: bool = False
    """Run as ``run`` runs it: declared jobs are not started, and it is over when its jobs are done."""


class System:
    """See the top of the file."""

    def __init__(
        self,
        ports: Ports,
        slicer: Slicer,
        *,
        events: EventStream | None = None,
        configured: Mapping[str, Mapping[str, Value]] | None = None,
        journal: str | None = None,
        has_console: bool = False,
        databases: Mapping[str, PoolSettings] | None = None,
        auth: AuthSettings | None = None,
    ) -> None:
        self.ports = ports
        self.slicer = slicer
        self.has_console = has_console
        self.threads = Threads(ports.is_simulated)
        self.events = events if events is not None else EventStream()
        self.keeper = ResourceKeeper(self.events)
        """Who keeps what is opened for all services."""
        if ports.web is not None:
            ports.web.keep(self.keeper)
        self.databases = databases or {}
        """What the configuration says of databases, by name."""
        self.auth = Authority(auth, web=lambda: ports.web, tell=self.keeper.tell, start=self.keeper.start)
        """Who may come in: tokens, keys, roles."""
        self.numbers: Numbers | None = None
        """What programs count, where somebody reads it."""
        self.tracer: Tracer | None = None
        """Where spans go, if anywhere."""
        self.runs = RunCounts()
        """How often jobs have run."""
        self.letters = MemoryLetters()
        """Messages of channels in memory that nobody will handle."""
        self.channels = ChannelBook(self.events, self.letters, configured)
        self.channels.add_transport(JOURNAL, _no_journal)
        self.locks = LockBook()
        self.caches = CacheBook()
        """The caches that programs have made; each has a ``name`` and ``facts()``."""
        self.breakers = BreakerBook()
        """The circuit breakers of programs; each has a ``name``, ``state``, ``opened`` and ``refused``."""
        self.values: dict[str, Value] = {}
        """What was registered by name for all services."""
        self.agents: dict[str, AgentHandle] = {}
        """Agents that were started under a name."""
        self.services: dict[str, RunningService] = {}
        """By name, in the order of the configuration."""
        self.parting: list[RunningService] = []
        """Earlier generations of services that finish what they have begun (``replacing.py``)."""
        self.journal: Journal | None = None
        """Where durable things are kept; opened when the first program asks for it."""
        self.handler_seconds = HANDLER_SECONDS
        """How long a request may take, where its route says nothing."""
        self.is_first = trio.Event()
        """Set when it is this process, of those that serve the same, that runs what may run once only."""
        self.is_first.set()
        self.goodbye = trio.Event()
        """Set when streams and WebSockets are to say goodbye."""
        self.choose_log: Callable[[RunningService, str | None, str | None], None] | None = None
        """Is told the level and the format that a program wants for its log."""
        self.on_routes: Callable[[], None] | None = None
        """Is told when the routes of a service have changed."""
        self._journal_path = journal
        self._opened = AsyncExitStack()
        self.status = 0
        """The exit status that a program asked for."""
        self.leaving = trio.Event()
        """Set when a program wants the process to end."""
        self._tree: Tree | None = None

    @property
    def tree(self) -> Tree:
        """The supervision tree, once it is open."""
        assert self._tree is not None
        return self._tree

    def opened(self, tree: Tree) -> None:
        """This is its tree, which may still be starting."""
        self._tree = tree

    async def need_journal(self) -> Journal:
        """The journal, opened now if it is not.

        Raises:
            Fault: ``config``, there is no place for it, or what is there cannot be used.
        """
        if self.journal is None:
            # Databases are loaded by those who need one.
            from etamil_actors.actors.journal.errors import JournalError
            from etamil_actors.actors.journal.store import open_journal
            from etamil_actors.vm.packing import LATER

            if self._journal_path is None:
                raise Fault(
                    "config",
                    problem_ta="பதிவேடு (journal) வைக்க இடம் குறிப்பிடப்படவில்லை",
                    problem_en="there is no place for a journal",
                )
            wall = self.ports.clock.wall
            try:
                self.journal = await self._opened.enter_async_context(
                    open_journal(self._journal_path, wall=lambda: float(wall()), meanings=LATER)
                )
            except JournalError as trouble:
                raise Fault(
                    "config",
                    problem_ta=f"{trouble.path}: {trouble.tamil}",
                    problem_en=f"{trouble.path}: {trouble.english}",
                ) from trouble
            journal, events = self.journal, self.events
            journal.jobs.on_requeued = self._requeued
            self.channels.add_transport(
                JOURNAL, lambda name, settings, path: journal.channel(name, settings, path, events)
            )
        return self.journal

    async def open_kept_journal(self) -> None:
        """Open the journal if there is one from earlier: it may hold jobs that are not done."""
        path = self._journal_path
        if path is not None and os.path.exists(path):  # noqa: ASYNC240  once, before anything runs
            await self.need_journal()

    def _requeued(self, stored: StoredJob) -> None:
        from etamil_actors.actors.programs.durable import resume, service_of

        service = self.services.get(service_of(stored))
        if service is not None and self.journal is not None:
            resume(service, stored, self.journal.jobs)

    def handle(self, kind: str, name: str) -> Value:
        """What has this name everywhere: a channel or an agent."""
        if kind == "channel":
            return self.channels.find(name)
        return self.agents.get(name)

    async def close(self) -> None:
        """Everything has ended: what waits in memory is a dead letter, and what was opened is closed."""
        for channel in self.channels.channels:
            drain = getattr(channel, "drain", None)
            if drain is not None:
                drain()
        await self._opened.aclose()

    def tell(self, event: Event) -> None:
        """Publish what has happened, for whoever watches."""
        if self.events.on_life:
            self.events.life(event)

    def routes_changed(self) -> None:
        """A service has other routes now."""
        if self.on_routes is not None:
            self.on_routes()

    def leave(self, status: int) -> None:
        """வெளியேறு: take everything down in order, and end with this status."""
        if not self.leaving.is_set():
            self.status = status
            self.leaving.set()


@asynccontextmanager
async def open_system(
    ports: Ports,
    plans: Sequence[ServicePlan],
    *,
    events: EventStream | None = None,
    random: Callable[[], float] | None = None,
    channels: Mapping[str, Mapping[str, Value]] | None = None,
    journal: str | None = None,
    has_console: bool = False,
    budget: float = 0.0,
    databases: Mapping[str, PoolSettings] | None = None,
    auth: AuthSettings | None = None,
    opening: Callable[[System], Sequence[Spec] | None] | None = None,
) -> AsyncIterator[System]:
    """Run services for the length of a block. ``budget`` is the computing time of all together, if not 0;
    ``opening`` is given the system before anything starts, and answers who else stands in the tree: the
    last to be started, and the first to be stopped.

    Raises:
        StartError: something did not start, so nothing runs.
        TooManyRestartsError: something failed that restarts do not cure.
    """
    with Slicer(virtual=ports.is_simulated, limit=budget or 10.0, budget=budget) as slicer:
        system = System(
            ports,
            slicer,
            events=events,
            configured=channels,
            journal=journal,
            has_console=has_console,
            databases=databases,
            auth=auth,
        )
        for plan in plans:
            system.services[plan.name] = RunningService.of(system, plan)
        others = opening(system) if opening is not None else None
        async with run_system(system, random, others or ()):
            yield system


@asynccontextmanager
async def run_system(
    system: System, random: Callable[[], float] | None = None, others: Sequence[Spec] = ()
) -> AsyncIterator[None]:
    """Run the services of a system, and others, for the length of a block. Raises: as ``open_system``."""
    services = (service.spec() for service in system.services.values())
    resources = ActorSpec(name=NAME, make=lambda: Keeping(system.keeper), shutdown=KEEPING_SECONDS)
    root = SupervisorSpec(name="root", children=(resources, *services, *others))
    try:
        async with open_tree(root, system.events, random) as tree:
            system.opened(tree)
            yield
    finally:
        await system.close()


def _no_journal(name: str, settings: ChannelSettings, path: str) -> NoReturn:
    """Stands for the journal until it is open; whoever makes a channel opens it first."""
    raise InternalError(f"the journal of channel ‘{name}’ is not open")
