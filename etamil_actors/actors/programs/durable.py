"""One-time jobs that outlive the process: what the journal keeps of one, and how it begins again.

Kept are its name, its options, which piece of the program it is, the values that it captured, and those of
the globals that its starter had changed: the body of a job has its names at the top level. A global that
cannot leave the process is an error if the job reads it, and left out if not. The
number of that piece means something in this version of the program only; in another one the job is found
by what it is called and which names it captures, so a program may be edited while jobs wait:

```
same version?   ─yes─▶ the piece with this number
                ─no──▶ the one job of this name that captures these names
                ─none, or several──▶ a dead letter that says so
```
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import trio

from etamil_actors.actors.programs.jobs import Job, RunFailed, Start, read_plan
from etamil_actors.errors import Fault
from etamil_actors.vm.machine import Machine
from etamil_actors.vm.packing import MachineMeanings, fingerprint_of_image, packed, unpacked
from etamil_actors.vm.template import Template
from etamil_actors.vm.values import UNSET, Function, Value

if TYPE_CHECKING:
    from etamil_actors.actors.journal.jobs import StoredJob, StoredJobs
    from etamil_actors.actors.programs.service import RunningService


async def keep(start: Start, options: Mapping[str, Value]) -> Job:
    """Put a job into the journal, and begin it.

    Raises:
        Fault: ``value.local``, it has captured what cannot leave the process; ``channel.unavailable``,
            ``config``: it could not be kept.
    """
    service, body = start.service, start.body
    row = next(row for row in service.image.program.declared if row.unit == body.unit)
    payload = packed(
        {
            "name": start.plan.name,
            "options": dict(options),
            "unit": body.unit,
            "version": fingerprint_of_image(service.image).hex(),
            "names": list(row.captures),
            "values": list(body.captured),
            "globals": _changed_globals(start, row.reads),
            "trace": start.trace,
        }
    )
    jobs = (await service.system.need_journal()).jobs
    start.stored = await jobs.add(f"{service.name}/{start.plan.name}", payload)
    start.kept = jobs
    return start.begin()


async def interrupted_jobs(service: RunningService) -> list[StoredJob]:
    """What the journal holds of this service's jobs: the process has ended before they were done.

    To be asked before the top level runs, because it may start others, which are not to be started again.
    """
    journal = service.system.journal
    if journal is None:
        return []
    return [stored for stored in await journal.jobs.unfinished() if service_of(stored) == service.name]


def resume_all(service: RunningService) -> None:
    """Go on with the jobs that were interrupted, once."""
    journal = service.system.journal
    interrupted, service.interrupted = service.interrupted, []
    if journal is not None:
        for stored in interrupted:
            resume(service, stored, journal.jobs)


def _changed_globals(start: Start, reads: Sequence[str]) -> dict[str, Value]:
    """The globals that differ from the template's, with which the job will begin in the next process."""
    service = start.service
    before = service.template.state if service.template is not None else None
    changed: dict[str, Value] = {}
    for place, name in enumerate(service.image.program.shared):
        value = start.globals.state[place]
        if value is UNSET or (before is not None and value is before[place]):
            continue
        try:
            packed(value)
        except Fault:
            if name in reads:
                raise
            continue
        changed[name] = value
    return changed


def service_of(stored: StoredJob) -> str:
    """The name of the service whose job it is."""
    return stored.name.partition("/")[0]


def resume(service: RunningService, stored: StoredJob, jobs: StoredJobs) -> None:
    """Go on with a job that the journal has kept, if there are tries left."""
    machine = service.take_machine()
    try:
        kept = unpacked(stored.payload, MachineMeanings(machine, service.system.handle))
        plan = read_plan(kept["name"], kept["options"])
        body = _body(kept, machine)
        start = Start(service, plan, _globals(kept["globals"], machine), body, kept.get("trace") or "")
    except Fault as problem:
        _bury(service, stored, jobs, problem)
        return
    finally:
        service.give_back_machine(machine)
    if stored.attempt >= plan.attempts.most:
        _bury(service, stored, jobs, _ended_with_the_process())
        return
    start.stored, start.kept = stored, jobs
    start.begin()


def _globals(changed: dict[str, Value], machine: Machine) -> Template:
    state = list(machine.save())
    for place, name in enumerate(machine.image.program.shared):
        if name in changed:
            state[place] = changed[name]
    machine.restore(tuple(state))
    return Template(machine)


def _bury(service: RunningService, stored: StoredJob, jobs: StoredJobs, problem: Fault) -> None:
    jobs.dead(stored, problem)
    path = f"{service.path}/jobs/{stored.name.partition('/')[2]}"
    service.system.tell(RunFailed(trio.current_time(), path, stored.attempt, problem, None, True))


def _body(kept: dict[str, Value], machine: Machine) -> Function:
    values = dict(zip(kept["names"], kept["values"], strict=False))
    if kept["version"] == fingerprint_of_image(machine.image).hex():
        return machine.function_of(kept["unit"], tuple(kept["values"]))
    jobs = [row for row in machine.image.program.declared if row.kind == "job" and row.is_inner]
    rows = [row for row in jobs if row.name == kept["name"] and set(row.captures) == set(values)]
    if len(rows) != 1:
        raise _unknown(kept["name"])
    beside = kept["values"][len(values) :]  # இது, where the job was started by an agent
    return machine.function_of(rows[0].unit, (*[values[name] for name in rows[0].captures], *beside))


def _unknown(name: str) -> Fault:
    return Fault(
        "not_found",
        tamil=f"நிரல் மாறிவிட்டது; ‘{name}’ என்ற இந்தப் பணி அதில் இல்லை, அல்லது ஒன்றுக்கு மேல் உள்ளது",
        english=f"the program has changed; this job ‘{name}’ is not in it, or more than once",
    )


def _ended_with_the_process() -> Fault:
    return Fault(
        "cancelled",
        tamil="கடைசி முயற்சியின்போது செயல்முறை நின்றுபோனது",
        english="the process ended during the last try",
    )
