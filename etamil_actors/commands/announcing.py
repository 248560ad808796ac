"""What has started, and where it is found: lines for people at a terminal, one object of JSON for each thing
elsewhere.

```
✓ kadai: 1 சேவை தொடங்கியது  (kadai: 1 service started)     {"event": "process.started", "title": "kadai", …}
  api                                                         {"event": "process.service", "of": "api", …}
    பணி  (job)  வரவு  every 1 s                                 {"event": "process.job", "job": "வரவு", …}
    GET /books                                                {"event": "process.route", "path": "/books", …}
        http://127.0.0.1:8080/books
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from etamil_actors.edge.addresses import UNIX, Address
from etamil_actors.edge.paths import encoded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.actors.programs.jobs import JobPlan
    from etamil_actors.actors.programs.service import RunningService
    from etamil_actors.actors.programs.system import System

SHOWN: Final = 20
"""So many agents or channels are listed by name."""

WATCHING: Final = (
    "  சேமிக்கப்படும் மாற்றங்கள் உடனே ஓடும்; நிறுத்த Ctrl-C  (what is saved runs at once; Ctrl-C stops)"
)


class Started(NamedTuple):
    """One thing that has started."""

    event: str
    lines: list[str]
    """For people."""
    told: dict[str, Any]
    """For other programs."""

    @property
    def message(self) -> str:
        """The lines as one."""
        return "  ".join(line.strip() for line in self.lines)


def announcement(
    title: str,
    system: System,
    urls: Sequence[str] = (),
    pages: Sequence[str] = (),
    *,
    is_open: bool = False,
    is_watching: bool = False,
) -> Iterator[Started]:
    """Services with their jobs, agents and routes; channels; addresses.

    ``pages`` are those of the observer. ``is_open``: other machines reach what is served, at whatever
    address this one has. ``is_watching``: what is saved takes the place of what runs.
    """
    count = len(system.services)
    tamil, english = "1 சேவை தொடங்கியது", "1 service started"
    if count != 1:
        tamil, english = f"{count} சேவைகள் தொடங்கின", f"{count} services started"
    yield Started(
        "process.started",
        [f"✓ {title}: {tamil}  ({title}: {english})"],
        {"title": title, "services": list(system.services)},
    )
    for service in system.services.values():
        yield from _service(service, _urls_of(service, urls))
    channels = [channel.name for channel in system.channels.channels]
    if channels:
        told = {"channels": channels[:SHOWN], "count": len(channels)}
        yield Started("process.channels", [f"  சேனல்கள்  (channels): {_listed(channels)}"], told)
    if urls:
        lines = [f"  முகவரிகள்  (addresses): {', '.join(urls)}"]
        if is_open:
            lines.append(
                "  எல்லா வலைகளிலிருந்தும், இந்தக் கணினியின் எல்லா முகவரிகளிலும்"
                "  (from every network, at all addresses of this machine)"
            )
        yield Started("process.addresses", lines, {"urls": list(urls), "open": is_open})
    if pages:
        lines = [f"  கண்காணிப்பு  (observer): {', '.join(pages)}"]
        yield Started("process.observer", lines, {"urls": list(pages)})
    if is_watching:
        yield Started("process.watching", [WATCHING], {})


def _service(service: RunningService, urls: Sequence[str]) -> Iterator[Started]:
    found = [*_jobs(service), *_agents(service), *_routes(service, urls)]
    lines = [f"  {service.name}"]
    if not found:
        lines.append("    தொடர்ந்து ஓடுவது எதுவும் இல்லை; நிறுத்த Ctrl-C  (nothing that lasts; Ctrl-C stops it)")
    told = {"of": service.name}
    yield Started("process.service", lines, told)
    for one in found:
        yield one._replace(lines=[f"    {line}" for line in one.lines], told=told | one.told)


def _jobs(service: RunningService) -> Iterator[Started]:
    from etamil_actors.actors.programs.jobs import JobBehaviour

    seen = set()
    for reference in service.jobs.children:
        behaviour = reference._actor.behaviour
        if isinstance(behaviour, JobBehaviour) and behaviour.plan.name not in seen:
            plan = behaviour.plan
            seen.add(plan.name)
            told = {"job": plan.name, "when": plan.when, "instances": plan.instances}
            yield Started("process.job", [f"பணி  (job)  {plan.name}{_when(plan)}"], told)


def _when(plan: JobPlan) -> str:
    when = f"  {plan.when}" if plan.when else ""
    return when + (f"  ×{plan.instances}" if plan.instances > 1 else "")


def _agents(service: RunningService) -> Iterator[Started]:
    from etamil_actors.actors.programs.agents import AgentBehaviour

    behaviours = (reference._actor.behaviour for reference in service.agents.children)
    names = [one.handle.name for one in behaviours if isinstance(one, AgentBehaviour)]
    if names:
        told = {"agents": names[:SHOWN], "count": len(names)}
        yield Started("process.agents", [f"முகவர்கள்  (agents): {_listed(names)}"], told)


def _urls_of(service: RunningService, urls: Sequence[str]) -> Sequence[str]:
    """Where this one is served: at the address of its own, if it is there."""
    if service.address is not None:
        host, port = service.address
        own = [url for url in urls if url.partition("://")[2] == Address(host, port).url().partition("://")[2]]
        return own or urls
    return urls


def _routes(service: RunningService, urls: Sequence[str]) -> Iterator[Started]:
    """Each route, and below it where it is found, as its path travels."""
    for route in service.routes:
        found = [_found_at(url, encoded(route.pattern), is_live=route.is_live) for url in urls]
        lines = [f"{route.method} {route.pattern}", *[f"    {url}" for url in found]]
        told = {"method": route.method, "path": route.pattern, "urls": found}
        yield Started("process.route", lines, told)


def _found_at(url: str, path: str, *, is_live: bool) -> str:
    if url.startswith(UNIX):
        return f"{url} {path}"
    return f"{f'ws{url[4:]}' if is_live else url}{path}"


def _listed(names: Sequence[str]) -> str:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    shown = [name if count == 1 else f"{name} ×{count}" for name, count in counts.items()]
    return ", ".join(shown[:SHOWN]) + (f" … +{len(shown) - SHOWN}" if len(shown) > SHOWN else "")
