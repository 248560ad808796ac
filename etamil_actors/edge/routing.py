"""Which route answers a request: a decision over method and path, made from tables built once.

A pattern is text, in NFC, and not percent-encoded. Its segments are literal, ``:name`` (any one segment)
or, as the last, ``*name`` (the rest of the path, which may be empty). Empty segments count for nothing.
Parameters are text; what ``*name`` took is also given in segments, because there an encoded slash is told
from a border.

Of the routes of one method that match

1. one without ``*name`` wins over one with it,
2. then the one with more literal segments (``/a/:x/c`` over ``/:x/b/:y``),
3. then the program's over one that every service has (``/health`` …),
4. then the earlier in the source —

except that of literal patterns which differ in empty segments only (``/items`` and ``/items/``) the one
spelled like the request wins, and that of two routes with the same method and the same text the later
counts (REFERENCE §19.2, EXTENSIONS §1.3). That last case, and a route that can never win because an earlier
one has the same shape, are warnings; what is no pattern at all is an error.

Three tables for each method, the fastest first, none of which grows with what clients send:

    direct    raw bytes of the path  → a ready answer     literal patterns, as UTF-8 and percent-encoded
    literal   tuple of the segments  → a ready answer     other spellings of them: %69tems, //items, NFD
    tree      segment by segment     → the best candidate patterns with :name or *name

A literal pattern has more literal segments than any other of its length, so the first two tables need not
ask the third. In the tree rule 2 is not decided segment by segment, so literal child and ``:name`` child
are both followed, level by level; each node is visited at most once, whatever the path.

``HEAD`` is answered by a ``GET`` route unless a ``HEAD`` route matches, ``OPTIONS`` by the list of methods.
SSE, STREAM and STATIC are ``GET`` on the wire. A WebSocket begins as ``GET`` too, yet beside a ``GET``
route of the same path; it is looked for with ``match_upgrade``, so no method that a client makes up can
reach it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Generic, NamedTuple, TypeAlias, TypeVar
from unicodedata import normalize

from etamil_actors.edge.paths import Flaw, PathError, encoded, has_dots, segments
from etamil_actors.errors import EtamilError

T = TypeVar("T")

# ---------------------------------------------------------------- routes and what is wrong with them


@dataclass(frozen=True, slots=True)
class Route(Generic[T]):
    """``method`` and ``pattern`` as in the source; ``target`` is the caller's own, what is to be run.

    ``is_built_in`` marks what every service has; a route of the program at such a path wins without a word.
    """

    method: str
    pattern: str
    target: T
    is_built_in: bool = False


@dataclass(frozen=True, slots=True)
class RouteProblem(Generic[T]):
    """A mistake in the routes of a program. ``is_warning`` leaves the service able to start."""

    route: Route[T]
    code: str
    tamil: str
    english: str
    is_warning: bool

    def __str__(self) -> str:
        return f"வழி {self.route.method}, {self.route.pattern!r}: {self.tamil} ({self.english})"


class RoutesError(EtamilError):
    """The routes of a program contradict the rules of patterns; ``problems`` has all of them."""

    def __init__(self, problems: Sequence[RouteProblem[T]]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class _Row(NamedTuple):
    is_warning: bool
    tamil: str
    english: str


PROBLEMS: Final = {
    "method": _Row(
        False, "‘{name}’ ஒரு HTTP முறை அல்ல", "‘{name}’ is not an HTTP method"),
    "name.empty": _Row(
        False, "‘{name}’ குறிக்குப் பின் ஒரு பெயர் வேண்டும்", "‘{name}’ needs a name after it"),
    "name.twice": _Row(
        False, "‘{name}’ என்ற பெயர் இருமுறை வருகிறது", "the name ‘{name}’ stands there twice"),
    "rest.last": _Row(
        False, "‘{name}’ கடைசிப் பகுதியாக மட்டுமே வரலாம்", "‘{name}’ may only be the last segment"),
    "never": _Row(
        False,
        "‘.’, ‘..’ அல்லது NUL உள்ள பாதைக்கு எந்தக் கோரிக்கையும் வராது",
        "no request reaches a path with ‘.’, ‘..’ or NUL"),
    "encoded": _Row(
        True,
        "‘{name}’ எழுத்துகளாகவே படிக்கப்படும்; பாதையை % குறியீடின்றி எழுதுங்கள்",
        "‘{name}’ is read as these characters; write the path without % codes"),
    "query": _Row(
        True,
        "‘?’ பாதையின் ஓர் எழுத்தாகவே படிக்கப்படும்; வினவலை query_params-இல் படியுங்கள்",
        "‘?’ is read as a character of the path; the query is read from query_params"),
    "replaced": _Row(
        True,
        "இதே முறையும் பாதையும் உள்ள வழி பின்னர் வருவதால் இது பயன்படாது",
        "a later route has the same method and path, so this one is never used"),
    "shadowed": _Row(
        True,
        "முன்னர் வரும் ‘{name}’ இதே பாதைகளை எடுத்துக்கொள்வதால் இது பயன்படாது",
        "the earlier ‘{name}’ takes the same paths, so this one is never used"),
}


def _problem(route: Route[T], code: str, name: str = "") -> RouteProblem[T]:
    row = PROBLEMS[code]
    return RouteProblem(
        route, code, row.tamil.format(name=name), row.english.format(name=name), row.is_warning
    )


# ---------------------------------------------------------------- what a request gets


class Found(NamedTuple, Generic[T]):
    """This route answers. ``rest`` are the segments that ``*name`` took, without empty ones."""

    route: Route[T]
    parameters: Mapping[str, str]
    rest: tuple[str, ...]


class NotFound(NamedTuple):
    """No route of any method matches: 404."""


class NotAllowed(NamedTuple):
    """Other methods match: 405, with the value of ``Allow`` ready to be joined."""

    allowed: tuple[str, ...]


class Options(NamedTuple):
    """``OPTIONS`` without a route of its own: 204, with these methods in ``Allow``."""

    allowed: tuple[str, ...]


class NeedsUpgrade(NamedTuple):
    """A plain ``GET`` where only a WebSocket route is: 426."""

    allowed: tuple[str, ...]


class BadPath(NamedTuple):
    """The path has no single reading: 400."""

    flaw: Flaw


Outcome: TypeAlias = Found[T] | NotFound | NotAllowed | Options | NeedsUpgrade | BadPath

NOT_FOUND: Final = NotFound()

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_WEBSOCKET: Final = "WS"
_ON_THE_WIRE: Final = {"SSE": "GET", "STREAM": "GET", "STATIC": "GET"}

# The order of `Allow`; other methods follow by the alphabet.
_ORDER: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _in_order(methods: Iterable[str]) -> tuple[str, ...]:
    known = {name: place for place, name in enumerate(_ORDER)}
    return tuple(sorted(set(methods), key=lambda name: (known.get(name, len(_ORDER)), name)))


# ---------------------------------------------------------------- patterns

Rank: TypeAlias = tuple[bool, int, bool, int]

_ANY: Final = ":"
_REST: Final = "*"


@dataclass(frozen=True, slots=True)
class _Pattern(Generic[T]):
    """A route whose pattern is taken apart. The smaller ``rank`` wins."""

    route: Route[T]
    text: str                               # in NFC
    parts: tuple[str, ...]                  # not the empty ones
    names: tuple[tuple[str, int], ...]      # name and place of each :name
    rest: str | None                        # the name of *name
    rank: Rank

    @property
    def is_literal(self) -> bool:
        return not self.names and self.rest is None

    @property
    def spelling(self) -> tuple[str, ...]:
        """A literal pattern's segments, with the empty ones, as ``paths.segments`` gives them."""
        return tuple(self.text.removeprefix("/").split("/"))

    def found(self, parts: list[str]) -> Found[T]:
        parameters = {name: parts[place] for name, place in self.names}
        if self.rest is None:
            return Found(self.route, parameters, ())
        rest = tuple(parts[len(self.parts) - 1 :])
        parameters[self.rest] = "/".join(rest)
        return Found(self.route, parameters, rest)


def _taken_apart(route: Route[T], place: int) -> _Pattern[T]:
    text = normalize("NFC", route.pattern)
    parts = tuple(part for part in text.split("/") if part)
    names = tuple((part[1:], where) for where, part in enumerate(parts) if part[0] == _ANY)
    rest = parts[-1][1:] if parts and parts[-1][0] == _REST else None
    literals = len(parts) - len(names) - (rest is not None)
    return _Pattern(route, text, parts, names, rest, (rest is not None, -literals, route.is_built_in, place))


_TOKEN: Final = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]+")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")


def _check_pattern(pattern: _Pattern[T]) -> Iterable[RouteProblem[T]]:
    route, parts = pattern.route, pattern.parts
    if _TOKEN.fullmatch(route.method) is None:
        yield _problem(route, "method", route.method)
    names: set[str] = set()
    for part in parts:
        if part[0] not in ":*":
            continue
        if len(part) == 1:
            yield _problem(route, "name.empty", part)
        elif part[1:] in names:
            yield _problem(route, "name.twice", part[1:])
        names.add(part[1:])
    for part in parts[:-1]:
        if part[0] == _REST:
            yield _problem(route, "rest.last", part)
    if "\0" in pattern.text or has_dots(list(parts)):
        yield _problem(route, "never")
    if (escape := _ESCAPE.search(pattern.text)) is not None:
        yield _problem(route, "encoded", escape[0])
    if "?" in pattern.text:
        yield _problem(route, "query")


# ---------------------------------------------------------------- the tables of one method


class _Node(Generic[T]):
    __slots__ = ("any", "end", "literal", "rest")

    def __init__(self) -> None:
        self.literal: dict[str, _Node[T]] = {}
        self.any: _Node[T] | None = None
        self.end: _Pattern[T] | None = None
        self.rest: _Pattern[T] | None = None


class _Table(Generic[T]):
    """The routes of one method; no two of them have the same text."""

    def __init__(self) -> None:
        self.direct: dict[bytes, Found[T]] = {}
        self._spelled: dict[tuple[str, ...], Found[T]] = {}
        self._literal: dict[tuple[str, ...], Found[T]] = {}
        self._tree: _Node[T] = _Node()

    def add(self, pattern: _Pattern[T]) -> _Pattern[T] | None:
        """Take a pattern, in the order of ranks; answers the one that stands in its place already."""
        if not pattern.is_literal:
            return self._add_to_tree(pattern)
        self._add_literal(pattern)
        return None

    def _add_literal(self, pattern: _Pattern[T]) -> None:
        if pattern.route.is_built_in and pattern.parts in self._literal:
            return      # the program's `/health/` is at the path of `/health`
        found = Found(pattern.route, _NOTHING, ())
        spelled = "/" + pattern.text.removeprefix("/")
        self.direct.setdefault(spelled.encode("utf-8"), found)
        self.direct.setdefault(encoded(spelled).encode("ascii"), found)
        self._spelled.setdefault(pattern.spelling, found)
        self._literal.setdefault(pattern.parts, found)

    def _add_to_tree(self, pattern: _Pattern[T]) -> _Pattern[T] | None:
        node = self._tree
        for part in pattern.parts if pattern.rest is None else pattern.parts[:-1]:
            if part[0] != _ANY:
                node = node.literal.setdefault(part, _Node())
            else:
                node.any = node.any or _Node()
                node = node.any
        if pattern.rest is None:
            earlier, node.end = node.end, node.end or pattern
        else:
            earlier, node.rest = node.rest, node.rest or pattern
        return earlier

    def find(self, spelled: list[str]) -> Found[T] | None:
        """The winner for the segments of a path, empty ones included."""
        found = self._spelled.get(tuple(spelled))
        if found is not None:
            return found
        parts = [part for part in spelled if part] if "" in spelled else spelled
        found = self._literal.get(tuple(parts))
        if found is not None:
            return found
        best = self._best(parts)
        return None if best is None else best.found(parts)

    def _best(self, parts: list[str]) -> _Pattern[T] | None:
        level = [self._tree]
        candidates = []
        for part in parts:
            following = []
            for node in level:
                if node.rest is not None:
                    candidates.append(node.rest)
                child = node.literal.get(part)
                if child is not None:
                    following.append(child)
                if node.any is not None:
                    following.append(node.any)
            level = following
            if not level:
                break
        for node in level:
            if node.rest is not None:
                candidates.append(node.rest)
            if node.end is not None:
                candidates.append(node.end)
        if len(candidates) > 1:
            return min(candidates, key=_rank_of)
        return candidates[0] if candidates else None


def _rank_of(pattern: _Pattern[T]) -> Rank:
    return pattern.rank


# ---------------------------------------------------------------- the router


class Router(Generic[T]):
    """All routes of a service, in the order of the source. ``warnings`` is what their author should know.

    Raises ``RoutesError``, with every mistake, when a route is none.
    """

    def __init__(self, routes: Iterable[Route[T]]) -> None:
        patterns = [_taken_apart(route, place) for place, route in enumerate(routes)]
        problems = [problem for pattern in patterns for problem in _check_pattern(pattern)]
        if not all(problem.is_warning for problem in problems):
            raise RoutesError([problem for problem in problems if not problem.is_warning])
        self._tables: dict[str, _Table[T]] = {}
        self._websockets: _Table[T] = _Table()
        patterns = _without_replaced(patterns, problems)
        for pattern in sorted(patterns, key=_rank_of):
            earlier = self._table_of(pattern.route.method).add(pattern)
            if earlier is not None and not pattern.route.is_built_in:
                problems.append(_problem(pattern.route, "shadowed", earlier.route.pattern))
        self.warnings: tuple[RouteProblem[T], ...] = tuple(problems)
        self._everything = self._allow(
            {pattern.route.method for pattern in patterns} - {_WEBSOCKET},
            has_websocket=any(pattern.route.method == _WEBSOCKET for pattern in patterns),
        )

    def _table_of(self, method: str) -> _Table[T]:
        if method == _WEBSOCKET:
            return self._websockets
        return self._tables.setdefault(_ON_THE_WIRE.get(method, method), _Table())

    def match(self, method: str, path: bytes) -> Outcome[T]:
        """What a request gets, from its method and its path as it was sent, without the query."""
        table = self._tables.get(method)
        if table is not None:
            found = table.direct.get(path)
            if found is not None:
                return found
        if path == b"*" and method == "OPTIONS":
            return Options(self._everything)
        try:
            parts = segments(path)
        except PathError as error:
            return BadPath(error.flaw)
        if table is not None:
            found = table.find(parts)
            if found is not None:
                return found
        if method == "HEAD" and (gets := self._tables.get("GET")) is not None:
            found = gets.find(parts)
            if found is not None:
                return found
        return self._without_route(method, parts)

    def match_upgrade(self, path: bytes) -> Found[T] | BadPath | None:
        """The WebSocket route of a path; None where there is none, and ``match`` answers the request."""
        found = self._websockets.direct.get(path)
        if found is not None:
            return found
        try:
            return self._websockets.find(segments(path))
        except PathError as error:
            return BadPath(error.flaw)

    def _without_route(self, method: str, parts: list[str]) -> Outcome[T]:
        has_websocket = self._websockets.find(parts) is not None
        methods = {name for name, table in self._tables.items() if table.find(parts) is not None}
        if not methods and not has_websocket:
            return NOT_FOUND
        allowed = self._allow(methods, has_websocket=has_websocket)
        if method == "OPTIONS":
            return Options(allowed)
        if method == "GET" and has_websocket:
            return NeedsUpgrade(allowed)
        return NotAllowed(allowed)

    @staticmethod
    def _allow(methods: set[str], *, has_websocket: bool) -> tuple[str, ...]:
        wire = {_ON_THE_WIRE.get(name, name) for name in methods} | {"OPTIONS"}
        if "GET" in wire:
            wire.add("HEAD")
        if has_websocket:
            wire.add("GET")
        return _in_order(wire)


def _without_replaced(
    patterns: list[_Pattern[T]], problems: list[RouteProblem[T]]
) -> list[_Pattern[T]]:
    """Of routes with the same method and text the last, one of the program before a built-in one."""
    kept: dict[tuple[str, str], _Pattern[T]] = {}
    for pattern in patterns:
        key = _ON_THE_WIRE.get(pattern.route.method, pattern.route.method), pattern.text
        earlier = kept.get(key)
        if earlier is None:
            kept[key] = pattern
            continue
        loser = earlier
        if pattern.route.is_built_in and not earlier.route.is_built_in:
            loser = pattern
        else:
            kept[key] = pattern
        if not loser.route.is_built_in:
            problems.append(_problem(loser.route, "replaced"))
    return list(kept.values())
