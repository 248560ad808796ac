"""Whether this process lives, has started, and should be sent requests: answers derived from the tree.

============  =================================  =====================================================
path          asked by                           200 when
============  =================================  =====================================================
``/live``     whoever would kill the process     it answers at all: the event loop turns
``/startup``  whoever waits before asking more   every service has been up once, declared actors too
``/ready``    whoever sends requests             started, not draining, nothing that is to run for
                                                 ever is between two lives, every check says yes
(nothing)     people                             as ``/ready``; tells all of it
============  =================================  =====================================================

A service may have many thousands of actors, and most come and go. Those that matter here are the
*permanent* ones, which are few. They are learnt from the event stream, each when a life of it begins;
nobody walks the tree for a request. How each of them *is*, is read from itself at that moment, because not
every change is an event: an actor that ends in peace between two lives says nothing.

```
        ActorStarted ─▶ kept, if permanent         state  WAITING, STARTING again ─▶ down
        ActorStopped ─▶ forgotten, if gone                RUNNING, STOPPING ─▶ fine
```

One that stops is fine: it does for good, or because a sibling is down, and then that one tells it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias
from unicodedata import normalize

from etamil_actors.actors.actor import Actor, State
from etamil_actors.actors.events import ActorStarted, ActorStopped, Event
from etamil_actors.actors.programs.exchange import Response
from etamil_actors.actors.restart import Restart
from etamil_actors.actors.tree import Tree

OK, STARTING, DRAINING, DEGRADED = "ok", "starting", "draining", "degraded"

NAMED: Final = 20
"""So many actors that are down are named for each service; their number is always told."""

HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))

LIVE: Final = b'{"status":"ok"}'


class Verdict(NamedTuple):
    """What a check says: is it well, and why, for people. Never a secret: everybody may read it."""

    ok: bool
    tamil: str
    english: str


Check: TypeAlias = Callable[[], Verdict]
"""Says how something is, from what is known already: it is asked for each request and may not wait."""


class _Service:
    """What is known of one service."""

    __slots__ = ("actors", "has_started", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self.has_started = False
        self.actors: dict[str, Actor] = {}
        """The permanent ones that have been ready once and are not gone, by path."""

    def down(self) -> list[str]:
        """Those that are between two lives, by their place in the service."""
        return [
            path[len(self.path) + 1 :] or path.rpartition("/")[2]
            for path, actor in self.actors.items()
            if actor.state is not State.RUNNING and is_down(actor)
        ]


def is_down(actor: Actor) -> bool:
    """Is it between two lives? Not before its first, nor when it ends."""
    return (actor.state is State.WAITING and actor.life > 0) or (
        actor.state is State.STARTING and actor.life > 1
    )


class Health:
    """See the top of the file."""

    def __init__(
        self,
        tree: Tree,
        services: Iterable[str],
        *,
        places: Mapping[str, str] | None = None,
        is_leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        """``services`` are the names of branches below the root, and ``places`` where they are instead;
        ``is_leaving`` says that the process is about to end. It listens to the tree's
        events until it is closed.
        """
        self.is_draining = False
        """Set by the first step of the end: no more requests shall be sent here."""
        self._tree = tree
        self._is_leaving = is_leaving
        at = {name: f"/root/{name}" for name in services} | dict(places or {})
        self._services = {name: _Service(normalize("NFC", path)) for name, path in at.items()}
        self._by_path = {service.path[len("/root/") :]: service for service in self._services.values()}
        self._checks: dict[str, Check] = {}
        self._encode: Callable[[Any], bytes] | None = None
        self._subscription = tree.events.listen(self._hear, messages=False)
        for actor in tree.registry:  # those that began before anybody listened
            if actor.state is State.RUNNING or is_down(actor):
                self._started(actor)

    def close(self) -> None:
        """Hear no more. May be said twice."""
        self._subscription.end()

    def add_check(self, name: str, check: Check) -> None:
        """Let readiness depend on something else, too: a database, a broker."""
        self._checks[name] = check

    @property
    def known(self) -> int:
        """How many permanent actors are known, those of all services together."""
        return sum(len(service.actors) for service in self._services.values())

    # ── what is known ────────────────────────────────────────────────────────────────────────────

    def _hear(self, event: Event) -> None:
        kind = type(event)
        if kind is ActorStarted:
            reference = self._tree.registry.at(event.actor)
            if reference is not None:
                self._started(reference._actor)
        elif kind is ActorStopped:
            service = self._service_of(event.actor)
            if service is not None:
                actor = service.actors.get(event.actor)
                if actor is not None and actor.is_gone:  # else it is of another that has this place by now
                    del service.actors[event.actor]

    def _started(self, actor: Actor) -> None:
        if actor.spec.restart is not Restart.PERMANENT:
            return
        service = self._service_of(actor.path)
        if service is None:
            return
        service.actors[actor.path] = actor
        if actor.path == service.path:  # its supervisor is up when everything in it is
            service.has_started = True

    def _service_of(self, path: str) -> _Service | None:
        parts = path.split("/", 4)
        if len(parts) < 3:
            return None
        return self._by_path.get(parts[2]) or self._by_path.get("/".join(parts[2:4]))

    # ── what is answered ─────────────────────────────────────────────────────────────────────────

    @property
    def has_started(self) -> bool:
        """Has every service been up once?"""
        return all(service.has_started for service in self._services.values())

    @property
    def status(self) -> str:
        """In a word: ``draining``, ``starting``, ``degraded`` or ``ok``. The checks are asked."""
        return self._status(
            any(service.down() for service in self._services.values()),
            all(verdict.ok for verdict in self._asked().values()),
        )

    def _status(self, is_any_down: bool, are_checks_ok: bool) -> str:
        if self.is_draining or self._is_leaving():
            return DRAINING
        if not self.has_started:
            return STARTING
        return DEGRADED if is_any_down or not are_checks_ok else OK

    def _asked(self) -> dict[str, Verdict]:
        return {name: _ask(check) for name, check in self._checks.items()}

    def answer(self, question: str = "") -> Response:
        """The answer at ``live``, ``ready``, ``startup``, or without any of them.

        Raises:
            KeyError: there is no such question.
        """
        return _ANSWERS[question](self)

    def _live(self) -> Response:
        return Response(200, list(HEADERS), LIVE)

    def _startup(self) -> Response:
        services = {
            name: {"status": OK if service.has_started else STARTING}
            for name, service in self._services.items()
        }
        return self._told({"status": self._startup_status, "services": services})

    def _ready(self) -> Response:
        return self._told(self._facts())

    def _summary(self) -> Response:
        facts = self._facts()
        return self._told({"status": facts["status"], "live": OK, "startup": self._startup_status} | facts)

    @property
    def _startup_status(self) -> str:
        return OK if self.has_started else STARTING

    def _facts(self) -> dict[str, Any]:
        verdicts = self._asked()
        services = {name: self._service(service) for name, service in self._services.items()}
        status = self._status(
            any("down" in service for service in services.values()),
            all(verdict.ok for verdict in verdicts.values()),
        )
        checks = {name: verdict._asdict() for name, verdict in verdicts.items()}
        return {"status": status, "services": services, "checks": checks}

    def _service(self, service: _Service) -> dict[str, Any]:
        down = service.down()
        if not service.has_started:
            return {"status": STARTING}
        if not down:
            return {"status": OK}
        return {"status": DEGRADED, "down": len(down), "actors": down[:NAMED]}

    def _told(self, facts: dict[str, Any]) -> Response:
        return Response(200 if facts["status"] == OK else 503, list(HEADERS), self._encoder()(facts))

    def _encoder(self) -> Callable[[Any], bytes]:
        if self._encode is None:
            from msgspec.json import Encoder

            self._encode = Encoder().encode
        return self._encode


_ANSWERS: Final[dict[str, Callable[[Health], Response]]] = {
    "live": Health._live,
    "startup": Health._startup,
    "ready": Health._ready,
    "": Health._summary,
}

QUESTIONS: Final = tuple(_ANSWERS)
"""What stands behind the path of health: ``/health/live`` … and nothing for the summary."""


def path_of(health: str, question: str) -> str:
    """Where a question is answered, below the path of health."""
    return f"{health.rstrip('/')}/{question}" if question else health


def _ask(check: Check) -> Verdict:
    try:
        return check()
    except Exception as problem:  # noqa: BLE001  a check that fails says no; the answer must come all the same
        kind = type(problem).__name__
        return Verdict(False, f"சோதனையே தோல்வியுற்றது: {kind}", f"the check itself failed: {kind}")
