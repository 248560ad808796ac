"""What changes while a process runs: new code and new settings, after a file was saved or SIGHUP came.

```
read everything ─▶ settings that can hold at once ─▶ services whose code or settings changed, one by one
       └ not sound: told, and nothing changes               └ one that does not start: told, the old goes on
```

Clients keep their connections. New limits, paths, roles, keys and certificates hold for what comes from now
on; a service begins anew when its program, its settings or a database changed. What only another start can
change is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.errors import ActorStoppedError, describe
from etamil_actors.actors.programs.replacing import Refusal, Replacer
from etamil_actors.errors import Fault
from etamil_actors.observe.lines import BAD
from etamil_actors.plan import Plan, expect_services_of_log, make_folders, service_plan
from etamil_actors.script import fault_text

if TYPE_CHECKING:
    from etamil_actors.actors.behaviour import Spec
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.system import System
    from etamil_actors.app import Process
    from etamil_actors.ports.databases import PoolSettings

    Databases = Mapping[str, PoolSettings]

Read = Callable[[], Plan | str]
"""Reads everything again: what is to be served now, or what is wrong with it, for people."""


class Renewal:
    """See the top of the file."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._stale = trio.Event()
        """Set when everything is to be read again."""
        self.may_begin = trio.Event()
        """Set when everything has started. What is wanted before comes then."""
        self._databases: dict[str, Databases] = {}
        """With which databases each service has begun."""

    def begin(self, system: System, plan: Plan) -> Sequence[Spec]:
        """This is what the process begins with; what stands in the tree to replace it."""
        process = self._process
        self._system, self._plan, self._coming, self._read = system, plan, plan, plan
        self._databases = {one.name: plan.resources.databases for one in plan.services}
        swap = process.edge.replace if process.edge is not None else None
        self._replacer = Replacer(system, swap, lambda service: process.set_log(service, self._coming))
        return self._replacer.specs()

    def wanted(self) -> None:
        """Read everything again, soon."""
        self._stale.set()

    async def keep_new(self, read: Read) -> None:
        """Whenever it is wanted, read everything again, and let what has changed take the place of what runs.

        What does not start changes nothing: it is told, and the old goes on.
        """
        lines = self._process.lines
        await self.may_begin.wait()
        while True:
            await self._stale.wait()
            self._stale = trio.Event()
            began = trio.current_time()
            found = await trio.to_thread.run_sync(read)
            if self._system.leaving.is_set():
                return
            if isinstance(found, Plan):
                await self._take(found, began)
            else:
                lines.put(found.removeprefix(f"{BAD} ").rstrip("\n"), BAD, "reload.failed")
                self._say_old_goes_on()

    def _say_old_goes_on(self) -> None:
        self._process.lines.say("பழைய நிரலே தொடர்ந்து ஓடுகிறது", "what runs goes on with the old code")

    async def _take(self, plan: Plan, began: float) -> None:
        before = self._plan
        try:
            plan = await self._take_settings(plan)
        except Fault as problem:
            self._process.lines.put(f"{fault_text(problem).removeprefix(f'{BAD} ')}", BAD, "reload.failed")
            self._say_old_goes_on()
            return
        self._coming = plan
        used = [*self._used_pools()]
        try:
            services = await self._take_services(plan, before, began)
        except ActorStoppedError:
            return  # the tree ends while new code starts in it
        self._plan = plan._replace(services=services)
        self._let_pools_go(used)

    # ── services ─────────────────────────────────────────────────────────────────────────────────

    async def _take_services(self, plan: Plan, before: Plan, began: float) -> list[Any]:
        """Those that serve afterwards, as their plans are."""
        say = self._process.lines.say
        kept = {one.name: one for one in before.services}
        names = [one.name for one in plan.services]
        databases = plan.resources.databases
        if self._process.edge is not None:
            self._process.edge.put_in_order(names)
        for one in plan.services:
            if one == kept.get(one.name) and databases == self._databases[one.name]:
                continue
            old = self._system.services.get(one.name)
            try:
                new = await self._replacer.replace(service_plan(one))
            except Refusal as refused:
                self._tell_refusal(refused)
                continue
            kept[one.name], self._databases[one.name] = one, databases
            took = round((trio.current_time() - began) * 1000)
            say(f"{one.name}: புதிய நிரல் ஓடுகிறது ({took} ms)", f"{one.name}: the new code runs ({took} ms)")
            self._tell_address(old, new)
        for name in sorted(kept.keys() - set(names)):
            await self._replacer.remove(name)
            del kept[name], self._databases[name]
            say(f"{name}: நீக்கப்பட்டது", f"{name}: removed")
        return [kept[name] for name in names if name in kept]

    def _tell_address(self, old: RunningService | None, new: RunningService) -> None:
        """Addresses are taken by a start only, and whoever has just written one waits for somebody there."""
        edge = self._process.edge
        is_nowhere = edge is None and bool(new.routes)
        is_other = edge is not None and not edge.settings.bind and (
            new.address != (old.address if old is not None else None)
        )
        if is_nowhere or is_other:
            self._process.lines.say(
                f"{new.name}: இதன் முகவரி மறுதொடக்கத்திலேயே திறக்கப்படும்",
                f"{new.name}: its address is opened when the process is started anew",
                BAD,
            )

    def _tell_refusal(self, refused: Refusal) -> None:
        problem = refused.problem
        text = fault_text(problem) if isinstance(problem, Fault) else describe(problem)
        self._process.lines.put(
            f"{refused.service}: புதிய நிரல் தொடங்கவில்லை  (the new code did not start)\n{text}", BAD
        )
        self._say_old_goes_on()

    # ── settings ─────────────────────────────────────────────────────────────────────────────────

    async def _take_settings(self, plan: Plan) -> Plan:
        """The plan, with the settings of before where they only change with another start.

        Raises:
            Fault: ``config``, they make no sense, and the old ones hold.
        """
        process, system, before, said = self._process, self._system, self._plan, plan
        waiting: list[str] = []
        expect_services_of_log(plan)
        make_folders(plan)
        if plan.auth != before.auth:
            system.auth.take(plan.auth)
        if process.edge is not None and (
            plan.http != before.http or plan.auth != before.auth or plan.http.tls is not None
        ):
            try:
                waiting += await process.edge.take(plan.http)
            except Fault:
                system.auth.take(before.auth)
                raise
            plan = plan._replace(http=process.edge.settings)
        elif plan.http != before.http:
            waiting.append("http")
            plan = plan._replace(http=before.http)
        if plan.channels != before.channels:
            waiting += [f"channels.{name}" for name in system.channels.configure(plan.channels)]
            plan = plan._replace(channels=system.channels.configured)
        system.databases = plan.resources.databases
        web = system.ports.web
        if web is not None and plan.resources.web != before.resources.web:
            web.take(plan.resources.web)
        if plan.resources.log != before.resources.log:
            process.take_log(system, plan, before.resources.log)
        for name, field in (("name", "title"), ("processes", "processes")):
            old = getattr(before, field)
            if getattr(plan, field) != old:
                waiting.append(name)
                plan = plan._replace(**{field: old})
        for name in ("tracing", "observer"):
            old = getattr(before.resources, name)
            if getattr(plan.resources, name) != old:
                waiting.append(name)
                plan = plan._replace(resources=replace(plan.resources, **{name: old}))
        # What waits is told once, and not again whenever a program is saved.
        new = {*_changed(self._read, said)}
        self._read = said
        self._tell(_changed(before, plan), [name for name in waiting if name.partition(".")[0] in new])
        return plan

    def _tell(self, changed: Iterable[str], waiting: Sequence[str]) -> None:
        say = self._process.lines.say
        taken = ", ".join(changed)
        if taken:
            say(f"{taken}: புதிய அமைப்புகள் நடப்புக்கு வந்தன", f"{taken}: the new settings hold")
        if waiting:
            names = ", ".join(waiting)
            say(
                f"{names}: இவற்றின் மாற்றங்கள் மறுதொடக்கத்திலேயே நடப்புக்கு வரும்",
                f"{names}: changes of these take effect when the process is started anew",
                BAD,
            )

    def _used_pools(self) -> Iterator[PoolSettings]:
        """Of the databases that the configuration names, or has named for a service that still runs."""
        for databases in (self._system.databases, *self._databases.values()):
            yield from databases.values()

    def _let_pools_go(self, before: Iterable[PoolSettings]) -> None:
        """Close the pools of databases that are named no more, when nobody of before is at work."""
        databases = self._system.ports.databases
        gone = set(before) - set(self._used_pools())
        if not gone or databases is None:
            return

        async def part() -> None:
            await self._replacer.wait_parted()
            for one in gone:
                if one not in self._used_pools():
                    await databases.retire(one)

        self._system.keeper.start("databases", part)


def _changed(before: Plan, plan: Plan) -> Iterator[str]:
    """The sections of the configuration that say something else than before."""
    for name, old, new in (
        ("name", before.title, plan.title),
        ("processes", before.processes, plan.processes),
        ("http", before.http, plan.http),
        ("auth", before.auth, plan.auth),
        ("channels", before.channels, plan.channels),
        ("database", before.resources.databases, plan.resources.databases),
        ("web", before.resources.web, plan.resources.web),
        ("log", before.resources.log, plan.resources.log),
        ("tracing", before.resources.tracing, plan.resources.tracing),
        ("observer", before.resources.observer, plan.resources.observer),
    ):
        if old != new:
            yield name
