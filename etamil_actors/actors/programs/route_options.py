"""The options of a route, as the program wrote them, read once when its service starts (EXTENSIONS §9).

The third part of ``வழி`` is a list of guards, or a record of options. Types among them are shapes or field
types of the program; they are checked where data enters (``vm/entering.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import count_of, flag_of, option_named, read_options, seconds_of, text_option
from etamil_actors.vm.values import BuiltinFunction, FieldInfo, Function, ShapeInfo, Value

AUTH: Final = "auth"

HANDLER_SECONDS: Final = 30.0
MACHINES: Final = 100
LIVE_MACHINES: Final = 10_000
"""Streams and WebSockets stay, so many of them may."""
WAITING: Final = 1000

Guard = str | Function | BuiltinFunction
"""``auth``, a role, or a function that gets the request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """What a route's author has said of it."""

    guards: tuple[Guard, ...] = ()
    body: FieldInfo | None = None
    query: FieldInfo | None = None
    parameters: FieldInfo | None = None
    answer: FieldInfo | None = None
    timeout: float | None = None
    """Seconds; nothing said: what the operator gives handlers, and no limit for streams."""
    concurrency: int | None = None
    queue: int | None = None
    rate: str | None = None
    body_limit: int | None = None
    disconnect: str = "finish"
    idempotent: bool = False
    cache: float | None = None
    """Seconds that an answer may be given again."""
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()

    @property
    def needs_user(self) -> bool:
        """Does a guard want to know who asks? A role implies that."""
        return any(type(guard) is str for guard in self.guards)


NO_OPTIONS: Final = RouteOptions()


def read_route_options(written: Value) -> RouteOptions:
    """The options of one route.

    Raises:
        Fault: ``option.unknown``, ``value.kind``, ``value.invalid``.
    """
    if written is None:
        return NO_OPTIONS
    if isinstance(written, list):
        return RouteOptions(guards=_guards(written))
    given = read_options(written, "route")
    return RouteOptions(
        guards=_guards(given.get("guards")),
        body=_type(given, "body"),
        query=_type(given, "query"),
        parameters=_type(given, "parameters"),
        answer=_type(given, "answer"),
        timeout=seconds_of(given, "timeout", "route"),
        concurrency=count_of(given, "concurrency", "route", 0, least=1) or None,
        queue=None if given.get("queue") is None else count_of(given, "queue", "route", 0, least=0),
        rate=text_option(given, "rate", "route"),
        body_limit=count_of(given, "body_limit", "route", 0, least=1) or None,
        disconnect=text_option(given, "disconnect", "route") or "finish",
        idempotent=flag_of(given, "idempotent", "route"),
        cache=seconds_of(given, "cache", "route"),
        summary=text_option(given, "summary", "route") or "",
        description=text_option(given, "description", "route") or "",
        tags=_tags(given.get("tags")),
    )


def _guards(written: Value) -> tuple[Guard, ...]:
    if written is None:
        return ()
    if not isinstance(written, list):
        raise wrong_kind(_named("guards"), "காவல்களின் அணி", "an array of guards", written)
    for guard in written:
        if not isinstance(guard, str | Function | BuiltinFunction):
            raise wrong_kind(
                _named("guards"), "ஓர் உரை அல்லது ஒரு செயல்", "a text or a function", guard
            )
        if isinstance(guard, Function) and guard.arity != 1:
            raise Fault(
                "value.invalid",
                name=_named("guards"),
                problem_ta=f"காவல் செயல் ‘{guard.name}’ ஒரே ஓர் அளவுருவை (கோரிக்கையை) எடுக்க வேண்டும்",
                problem_en=f"the guard ‘{guard.name}’ has to take one parameter, the request",
            )
    return tuple(written)


def _type(given: dict[str, Value], name: str) -> FieldInfo | None:
    written = given.get(name)
    if written is None:
        return None
    if isinstance(written, ShapeInfo):
        return FieldInfo("", "Shape", written.name, False)
    if isinstance(written, FieldInfo):
        return written
    raise wrong_kind(_named(name), "ஒரு வகை அல்லது வடிவத்தின் பெயர்", "a type or the name of a shape", written)


def _tags(written: Value) -> tuple[str, ...]:
    if written is None:
        return ()
    tags = written if isinstance(written, list) else [written]
    return tuple(text_of(tag) for tag in tags)


def _named(name: str) -> str:
    return option_named("route", name)


def whole_number(value: Value) -> int | None:
    """A number without its decimals, as the status of an answer is read; nothing for anything else."""
    if type(value) is int:
        return value
    return int(value) if type(value) is Decimal else None
