"""The admin socket: what a running process tells of itself to whoever may speak to it on this machine.

Every ``up`` has one, in a folder that only its user can enter. One line of JSON asks, one line answers, and
the connection ends:

```
{"ask": "tree"}  ─▶  {"actors": [{"path": "/root/kadai/jobs/அஞ்சல்", "state": "running", …}], "more": 0}
{"ask": "dead", "do": "requeue", "id": "journal:7"}  ─▶  {"done": true}
```

``ps``, ``top``, ``jobs``, ``channels`` and ``dead`` of the command line are its clients.
"""

from __future__ import annotations

import os
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

from etamil_actors.actors.actor import Actor, ActorSpec
from etamil_actors.actors.behaviour import Behaviour
from etamil_actors.actors.channels.letters import Letter
from etamil_actors.actors.programs.agents import AgentBehaviour
from etamil_actors.actors.programs.jobs import JobBehaviour
from etamil_actors.actors.programs.replacing import generations
from etamil_actors.actors.programs.routes import RouteBehaviour
from etamil_actors.actors.restart import Backoff
from etamil_actors.actors.supervisor import DynamicSupervisor, Supervisor
from etamil_actors.errors import Fault
from etamil_actors.observe.recent import Recent
from etamil_actors.observe.sockets import folder, stem_of

if TYPE_CHECKING:
    from etamil_actors.actors.programs.system import System

SHOWN: Final = 2_000
"""So many actors, or dead letters, are told at once; of the others only how many they are."""
ASK_BYTES: Final = 64 * 1024
ASK_SECONDS: Final = 5.0
TEXT: Final = 500
"""Of a value so many letters are shown."""

_NUMBER: Final = re.compile("[0-9]{1,18}")

BACKOFF: Final = Backoff(initial=0.1, cap=10.0, reset=60.0)


# ── what is told ─────────────────────────────────────────────────────────────────────────────────


class About(NamedTuple):
    """What the process is, in the words of whoever started it."""

    title: str
    config: str
    urls: Callable[[], list[str]]
    numbers: Callable[[], dict[str, float]]
    """What it counts: requests, connections …"""


class Facts:
    """What a process knows of itself, as it is at this moment."""

    def __init__(self, system: System, about: About, recent: Recent) -> None:
        self._system = system
        self._about = about
        self._recent = recent
        self._began = trio.current_time()

    async def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question. Raises: KeyError, there is no such question; Fault, it cannot be done."""
        match asked.get("ask"):
            case "process":
                return self.process()
            case "tree":
                return self.process() | self.tree()
            case "all":
                return await self._everything()
            case "jobs":
                return {"jobs": [*self.jobs()]}
            case "channels":
                return {"channels": await self.channels()}
            case "dead" if "do" in asked:
                return {"done": await self._deal(str(asked["do"]), str(asked.get("id", "")))}
            case "dead":
                return await self.dead()
        raise KeyError(asked.get("ask"))

    async def _everything(self) -> dict[str, Any]:
        """What the observer shows."""
        return {
            "process": self.process(),
            "tree": self.tree(),
            "jobs": [*self.jobs()],
            "channels": await self.channels(),
            "dead": await self.dead(),
            "events": [*self._recent.told()],
        }

    def process(self) -> dict[str, Any]:
        """Which process this is."""
        return {
            "title": self._about.title,
            "config": self._about.config,
            "pid": os.getpid(),
            "seconds": round(trio.current_time() - self._began, 3),
            "memory": _resident(),
            "services": list(self._system.services),
            "urls": self._about.urls(),
            "numbers": self._about.numbers(),
            "leaving": self._system.leaving.is_set(),
        }

    def tree(self) -> dict[str, Any]:
        """Every actor, parents before children."""
        told: list[dict[str, Any]] = []
        more = 0
        for actor in self._system.tree.registry:
            if len(told) < SHOWN:
                told.append(_actor(actor))
            else:
                more += 1
        return {"actors": told, "more": more}

    def jobs(self) -> Iterator[dict[str, Any]]:
        """Jobs that are declared, and those that were started once and are not over."""
        for service in generations(self._system):
            once = {id(one) for job in service.one_time for one in job.references}
            for reference in service.jobs.children:
                actor = reference._actor
                behaviour = actor.behaviour
                if isinstance(behaviour, JobBehaviour):
                    yield {
                        "service": service.name,
                        "name": behaviour.plan.name,
                        "when": "once" if id(reference) in once else behaviour.plan.when,
                        "state": actor.state.value,
                        "restarts": max(actor.life - 1, 0),
                        "at": behaviour.activity.place if behaviour.activity is not None else None,
                        "path": actor.path,
                    }

    async def channels(self) -> list[dict[str, Any]]:
        """Channels, with what waits in them, and how many dead letters of each are in the list."""
        dead = await self._dead()
        return [
            {
                "name": channel.name,
                "kind": channel.settings.kind,
                "transport": channel.settings.transport,
                "capacity": channel.settings.capacity,
                "waiting": channel.pending,
                "dead": dead[channel.name],
                "closed": channel.is_closed,
            }
            for channel in self._system.channels.channels
        ]

    async def _dead(self) -> Counter[str]:
        dead = Counter(await self._system.letters.kept())
        if self._system.journal is not None:
            dead.update(await self._system.journal.letters.kept())
        return dead

    async def dead(self) -> dict[str, Any]:
        """Dead letters: of channels in memory, of the journal, and one-time jobs that have failed."""
        now = trio.current_time()
        letters = [_letter("memory", one, now) for one in await self._system.letters.listed()]
        journal = self._system.journal
        count = len(letters)
        if journal is not None:
            letters += [_letter("journal", one, now) for one in await journal.letters.listed(limit=SHOWN)]
            count += journal.letters.total()
            for job in await journal.letters.jobs(limit=SHOWN):
                letters.append(
                    {
                        "id": f"journal:{job.number}",
                        "job": job.name,
                        "ago": round(now - job.time, 3),
                        **_why(job.code, job.tamil, job.english, job.trace, job.tries),
                    }
                )
        return {"letters": letters[:SHOWN], "more": max(count - SHOWN, 0)}

    async def _deal(self, what: str, id: str) -> bool:
        kept, _, number = id.partition(":")
        journal = self._system.journal
        letters = {"memory": self._system.letters, "journal": journal.letters if journal else None}.get(kept)
        if letters is None or not _NUMBER.fullmatch(number):
            return False
        if what == "requeue":
            return await letters.requeue(int(number))
        if what == "drop":
            return await letters.drop(int(number))
        raise KeyError(what)


def _actor(actor: Actor) -> dict[str, Any]:
    age = actor.mailbox.oldest_age
    told: dict[str, Any] = {
        "path": actor.path,
        "kind": _kind(actor),
        "state": actor.state.value,
        "restarts": max(actor.life - 1, 0),
        "handled": actor.handled,
    }
    if actor.mailbox.depth:
        told |= {"waiting": actor.mailbox.depth, "oldest": round(age, 3)}
    behaviour = actor.behaviour
    if isinstance(behaviour, RouteBehaviour):
        route = behaviour.route
        told |= {"handled": route.answered, "failed": route.failed, "running": len(route.running)}
        if route.line:
            told |= {"waiting": len(route.line), "oldest": round(route.queue_age, 3)}
    return told


def _kind(actor: Actor) -> str:
    if isinstance(actor, Supervisor | DynamicSupervisor):
        return "supervisor"
    match actor.behaviour:
        case AgentBehaviour():
            return "agent"
        case JobBehaviour():
            return "job"
        case RouteBehaviour():
            return "route"
    return "actor"


def _letter(kept: str, letter: Letter, now: float) -> dict[str, Any]:
    text = letter.shown
    return {
        "id": f"{kept}:{letter.number}",
        "channel": letter.channel,
        "ago": round(now - letter.time, 3),
        "value": text if len(text) <= TEXT else text[:TEXT] + "…",
        **_why(letter.code, letter.tamil, letter.english, letter.trace, letter.tries),
    }


def _why(code: str, tamil: str, english: str, trace: Iterable[str], tries: int) -> dict[str, Any]:
    return {"code": code, "tamil": tamil, "english": english, "trace": list(trace), "tries": tries}


def _resident() -> int:
    """Bytes of memory, where the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


# ── the server ───────────────────────────────────────────────────────────────────────────────────


class Admin(Behaviour):
    """Answers at the socket of this process."""

    def __init__(self, facts: Facts, stem: str, tell: Callable[[str, str], None]) -> None:
        self._facts = facts
        self._stem = stem
        self._tell = tell

    async def work(self, actor: Actor) -> None:
        """Answer until the process ends. Where there can be no socket this is told, and all else goes on."""
        try:
            place, listener = _listen(self._stem)
        except OSError as trouble:
            why = f"{trouble.filename or ''} {trouble.strerror}".strip()
            self._tell(f"ps, top இங்கே இயங்காது: {why}", f"ps and top will not find this process: {why}")
            await actor.stopping.wait()
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._accept, listener, nursery)
                await actor.stopping.wait()
                nursery.cancel_scope.cancel("the process ends")
        finally:
            listener.close()
            place.unlink(missing_ok=True)

    async def _accept(self, listener: trio.socket.SocketType, nursery: trio.Nursery) -> None:
        while True:
            connection, _ = await listener.accept()
            nursery.start_soon(self._serve, connection)

    async def _serve(self, connection: trio.socket.SocketType) -> None:
        with connection, trio.move_on_after(ASK_SECONDS):
            try:
                stream = trio.SocketStream(connection)
                line = await _line(stream)
                if line:
                    await stream.send_all(await self._answer(line))
                    await stream.send_eof()
                    while await stream.receive_some(ASK_BYTES):
                        """What still comes is of no use; closing before it came would cut the answer."""
            except (trio.BrokenResourceError, OSError):
                pass  # whoever asked has gone

    async def _answer(self, line: bytes) -> bytes:
        from msgspec import DecodeError
        from msgspec.json import decode, encode

        try:
            answer = await self._facts.answer(decode(line, type=dict[str, Any]))
        except (KeyError, DecodeError) as problem:
            answer = {"error": {"tamil": "இப்படி ஒரு கேள்வி இல்லை", "english": f"no such question: {problem}"}}
        except Fault as fault:
            answer = {"error": {"code": fault.code, "tamil": fault.tamil, "english": fault.english}}
        return encode(answer, enc_hook=str) + b"\n"


def _listen(stem: str) -> tuple[Path, trio.socket.SocketType]:
    place = folder() / f"{stem}-{os.getpid()}.sock"
    # Under its name it listens already: whoever finds it and is refused takes its process for dead.
    first = place.with_suffix(".new")
    first.unlink(missing_ok=True)  # of a process that had our number and was killed
    plain = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        plain.bind(str(first))
        plain.listen(16)
        first.replace(place)
    except BaseException:
        plain.close()
        raise
    return place, trio.socket.from_stdlib_socket(plain)


async def _line(stream: trio.SocketStream) -> bytes:
    data = bytearray()
    while b"\n" not in data and len(data) < ASK_BYTES:
        more = await stream.receive_some(ASK_BYTES)
        if not more:
            break
        data += more
    return bytes(data)


def admin_spec(facts: Facts, config: str, tell: Callable[[str, str], None]) -> ActorSpec:
    """The actor that answers."""
    return ActorSpec(name="admin", make=lambda: Admin(facts, stem_of(config), tell), backoff=BACKOFF)
