"""An OpenAPI document as people read it: operations in groups, their parameters, a line for curl. Pure.

Nothing here trusts the document. What is not of the expected form is left out, references that lead nowhere
or in a circle end, and whatever is shown goes through the template's escaping.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

DEEP: Final = 5
"""Examples go so deep; shapes may contain themselves."""

METHODS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "trace")


class Parameter(NamedTuple):
    """A parameter or a field."""

    name: str
    place: str
    kind: str
    is_required: bool
    description: str
    shape: str = ""
    """The name of the shape that it refers to."""


class Body(NamedTuple):
    """What may be sent."""

    kind: str
    shape: str
    fields: list[Parameter]
    example: str


class Answer(NamedTuple):
    """What may be answered."""

    status: str
    description: str
    kind: str
    shape: str


class Operation(NamedTuple):
    """One thing that can be asked."""

    id: str
    method: str
    path: str
    """As the program says it."""
    summary: str
    description: str
    needs_user: bool
    parameters: list[Parameter]
    bodies: list[Body]
    answers: list[Answer]
    curl: str


class Shape(NamedTuple):
    """A named form of data."""

    name: str
    title: str
    fields: list[Parameter]


class Page(NamedTuple):
    """All of it."""

    title: str
    version: str
    description: str
    groups: list[tuple[str, list[Operation]]]
    shapes: list[Shape]


def page_of(document: Any, base: str) -> Page:
    """What the page shows. ``base`` is where the service is reached, without a slash at its end."""
    return _Reader(_record(document), base).page()


def _record(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


class _Reader:
    def __init__(self, document: dict[str, Any], base: str) -> None:
        self._document = document
        self._base = base
        self._number = 0

    def page(self) -> Page:
        information = _record(self._document.get("info"))
        groups: dict[str, list[Operation]] = {}
        for tag, operation in self._operations():
            groups.setdefault(tag, []).append(operation)
        shapes = _record(_record(self._document.get("components")).get("schemas"))
        return Page(
            _text(information.get("title")) or "eTamil",
            _text(information.get("version")),
            _text(information.get("description")),
            list(groups.items()),
            [
                Shape(name, _text(_record(schema).get("title")) or name, list(self._fields(schema)))
                for name, schema in shapes.items()
            ],
        )

    def _operations(self) -> Iterator[tuple[str, Operation]]:
        for section in ("paths", "x-more-paths"):
            for path, item in _record(self._document.get(section)).items():
                methods: dict[str, Any] = {name: item[name] for name in METHODS if name in _record(item)}
                methods |= _record(_record(item).get("x-methods"))
                for method, found in methods.items():
                    yield self._operation(method.upper(), path, _record(found), _record(item))
        for found in _list(self._document.get("x-websockets")):
            yield self._operation("WS", _text(_record(found).get("path")), _record(found), {})

    def _operation(
        self, method: str, path: str, found: dict[str, Any], item: dict[str, Any]
    ) -> tuple[str, Operation]:
        self._number += 1
        said = [*_list(item.get("parameters")), *_list(found.get("parameters"))]
        parameters = [self._resolve(one) for one in said]
        bodies = list(self._bodies(self._resolve(found.get("requestBody"))))
        tags = [_text(tag) for tag in _list(found.get("tags"))]
        operation = Operation(
            f"op-{self._number}",
            method,
            _text(found.get("x-pattern")) or unquote(path),
            _text(found.get("summary")),
            _text(found.get("description")),
            bool(found.get("security", self._document.get("security"))),
            [self._parameter(one) for one in parameters],
            bodies,
            list(self._answers(_record(found.get("responses")))),
            self._curl(method, path, parameters, bodies, needs_user=bool(found.get("security"))),
        )
        return (tags[0] if tags else ""), operation

    # Parts.

    def _resolve(self, value: Any) -> dict[str, Any]:
        found = _record(value)
        for _ in range(DEEP):
            reference = found.get("$ref")
            if not isinstance(reference, str):
                break
            place: Any = self._document if reference.startswith("#/") else None
            for name in reference[2:].split("/"):
                place = _record(place).get(unquote(name).replace("~1", "/").replace("~0", "~"))
            found = _record(place)
        return found

    def _parameter(self, one: dict[str, Any]) -> Parameter:
        kind, shape = self._kind(one.get("schema"))
        return Parameter(
            _text(one.get("x-name")) or _text(one.get("name")),
            _text(one.get("in")),
            kind,
            bool(one.get("required")),
            _text(one.get("description")),
            shape,
        )

    def _kind(self, schema: Any) -> tuple[str, str]:
        """The kind in a word, and the shape it refers to."""
        found = _record(schema)
        reference = _text(found.get("$ref"))
        if reference:
            name = unquote(reference.rpartition("/")[2])
            return _text(self._resolve(found).get("title")) or name, name
        for key in ("anyOf", "oneOf", "allOf"):
            if _list(found.get(key)):
                kinds = [self._kind(one) for one in found[key]]
                return " | ".join(kind for kind, _ in kinds), next((s for _, s in kinds if s), "")
        if "items" in found:
            kind, shape = self._kind(found["items"])
            return f"{kind}[]", shape
        if "enum" in found:
            return " | ".join(str(one) for one in _list(found["enum"])), ""
        kind = found.get("type", "")
        return " | ".join(map(str, kind)) if isinstance(kind, list) else _text(kind) or "—", ""

    def _fields(self, schema: Any) -> Iterator[Parameter]:
        found = self._resolve(schema)
        required = _list(found.get("required"))
        for name, one in _record(found.get("properties")).items():
            kind, shape = self._kind(one)
            yield Parameter(name, "", kind, name in required, _text(_record(one).get("description")), shape)

    def _bodies(self, body: dict[str, Any]) -> Iterator[Body]:
        for kind, media in _record(body.get("content")).items():
            schema = _record(media).get("schema")
            example = _record(media).get("example", self._example(schema, DEEP))
            yield Body(kind, self._kind(schema)[1], list(self._fields(schema)), _json(example))

    def _answers(self, responses: dict[str, Any]) -> Iterator[Answer]:
        for status, one in responses.items():
            found = self._resolve(one)
            content = _record(found.get("content"))
            kind, media = next(iter(content.items()), ("", {}))
            yield Answer(
                str(status),
                _text(found.get("description")),
                kind,
                self._kind(_record(media).get("schema"))[1],
            )

    # Examples.

    def _example(self, schema: Any, deep: int) -> Any:
        found = self._resolve(schema)
        for key in ("example", "const", "default"):
            if key in found:
                return found[key]
        for key in ("examples", "enum"):
            if _list(found.get(key)):
                return found[key][0]
        if deep == 0:
            return None
        for key in ("anyOf", "oneOf", "allOf"):
            if _list(found.get(key)):
                return self._example(found[key][0], deep - 1)
        kind = found.get("type")
        kind = kind[0] if isinstance(kind, list) and kind else kind
        if "properties" in found or kind == "object":
            fields = _record(found.get("properties"))
            return {name: self._example(one, deep - 1) for name, one in fields.items()}
        if kind == "array":
            return [self._example(found.get("items"), deep - 1)]
        return _OF_KIND.get(_text(kind))

    def _curl(
        self,
        method: str,
        path: str,
        parameters: list[dict[str, Any]],
        bodies: list[Body],
        *,
        needs_user: bool,
    ) -> str:
        query = []
        for one in parameters:
            name = _text(one.get("name"))
            example = self._example(one.get("schema"), DEEP)
            value = quote(str(example) if example not in (None, "") else name, safe="")
            if one.get("in") == "path":
                path = path.replace("{" + name + "}", value)
            elif one.get("in") == "query" and one.get("required"):
                query.append(f"{quote(name, safe='')}={value}")
        target = (
            self._base + quote(path, safe="/%{}*:@!$&'()+,;=~") + ("?" + "&".join(query) if query else "")
        )
        if method == "WS":
            return f"websocat {shlex.quote('ws' + target.removeprefix('http'))}"
        words = ["curl", "-i"]
        if method not in ("GET", "POST") or (method == "POST" and not bodies):
            words += ["-X", method]
        if needs_user:
            words += ["-H", "Authorization: Bearer …"]
        for body in bodies[:1]:
            words += ["-H", f"Content-Type: {body.kind}", "--data-raw", body.example]
        return " ".join(shlex.quote(word) for word in [*words, target])


_OF_KIND: Final[dict[str, Any]] = {"string": "", "number": 1, "integer": 1, "boolean": True}


def _json(value: Any) -> str:
    from msgspec.json import encode

    return encode(value).decode()
