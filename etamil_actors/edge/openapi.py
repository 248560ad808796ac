"""The OpenAPI 3.1 document of a site, made from a plain description of its routes and shapes.

A schema says exactly what the border of the program accepts (``vm/entering.py``), so there are two readings
of one type:

=========  =====================================  ====================================================
type       in JSON                                where all is text: query, path, forms
=========  =====================================  ====================================================
எண்        number that the language can hold      number
உரை, தேதி  string, number                         string
ஈர்ம       boolean                                boolean
அணி<t>     array of t                             the same name several times, if t is one of the above
பொருள்<t>  object with values of t                the names themselves, at the top
a shape    object of its fields, no others        its fields, at the top
செயல்      nothing at all                         nothing at all
with ?     also null, and may be missing          may be missing
no type    anything, and may be missing           string
=========  =====================================  ====================================================

What OpenAPI has no words for stands under names that begin with ``x-``: WebSockets, methods of one's own,
guards that are functions, and routes that OpenAPI takes for the same path as another (``/:a`` and ``/*b``).
Names in references are ASCII, as OpenAPI wants them; the names that people know are titles. Paths are
percent-encoded, as they travel, and ``x-pattern`` has what the program says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, TypeAlias
from unicodedata import normalize

from etamil_actors.edge.paths import encoded
from etamil_actors.edge.problem_documents import title_of
from etamil_actors.vm.values import FieldInfo, ShapeInfo

Json: TypeAlias = dict[str, Any]

OPENAPI: Final = "3.1.0"

NUMBER_LIMIT: Final = Decimal(2**96 - 1)
"""No number of the language is beyond it. A decimal, because the writer of JSON has no such integers."""


class Operation(NamedTuple):
    """One route, as the document needs to know it."""

    method: str
    """As in the program: ``GET``, ``POST`` … ``SSE``, ``STREAM``, ``STATIC``, ``WS``, or one of its own."""
    pattern: str
    id: str
    """ASCII; made unique here if it is not."""
    service: str = ""
    shapes: Mapping[str, ShapeInfo] = {}
    """What the names of shapes mean in this service."""
    summary: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    needs_user: bool = False
    """Does a guard want to know who asks?"""
    roles: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    """Names of functions that have to let a request in."""
    parameters: FieldInfo | None = None
    query: FieldInfo | None = None
    body: FieldInfo | None = None
    answer: FieldInfo | None = None
    body_limit: int | None = None
    """Bytes."""
    rate: str | None = None
    timeout: float | None = None
    """Seconds; none for streams that may go on."""
    idempotent: bool = False
    cache: float | None = None
    """Seconds."""


def openapi_document(
    title: str,
    version: str,
    operations: Iterable[Operation],
    *,
    description: str = "",
    servers: Sequence[str] = (),
    cookie: str = "session",
    has_api_keys: bool = False,
    envelope: bool = False,
    ascii_name: Callable[[str], str] = str,
) -> Json:
    """The document. ``cookie`` carries sessions; ``ascii_name`` spells a Tamil name, as far as it can;
    with ``envelope`` errors have ``success`` and ``data``.

    Numbers in it may be decimals; ``openapi_bytes`` writes them.
    """
    document = _Document(cookie, ascii_name, has_api_keys=has_api_keys, envelope=envelope)
    return document.made(title, version, list(operations), description, servers)


def openapi_bytes(document: Json) -> bytes:
    """The document as JSON."""
    from msgspec.json import Encoder, format  # only who asks for the document needs it

    return format(Encoder(decimal_format="number").encode(document), indent=1)


# ── schemas ──────────────────────────────────────────────────────────────────────────────────────

# Not by arithmetic, which would round it to whatever precision is set.
_NUMBER: Final[Json] = {"type": "number", "minimum": NUMBER_LIMIT.copy_negate(), "maximum": NUMBER_LIMIT}

_IN_JSON: Final[dict[str, Json]] = {
    "Number": _NUMBER,
    "Text": _NUMBER | {"type": ["string", "number"]},
    "Date": _NUMBER | {"type": ["string", "number"], "description": "தேதி  (a date)"},
    "Boolean": {"type": "boolean"},
    "Array": {"type": "array"},
    "Record": {"type": "object"},
}

_IN_TEXT: Final[dict[str, Json]] = {
    "": {"type": "string"},
    "Number": _NUMBER,
    "Text": {"type": "string"},
    "Date": {"type": "string", "description": "தேதி  (a date)"},
    "Boolean": {"type": "boolean"},
}

_NOTHING: Final[Json] = {"not": {}}

_COMPONENT: Final = re.compile(r"[^A-Za-z0-9._-]")


class Schemas:
    """Types as JSON Schema, and the shapes that they refer to."""

    def __init__(self, ascii_name: Callable[[str], str] = str, taken: Iterable[str] = ()) -> None:
        """``taken`` are names that no shape may get."""
        self.components: dict[str, Json] = {}
        """Schemas of shapes, by their names in references."""
        self._ascii_name = ascii_name
        self._taken = set(taken)
        self._names: dict[tuple[str, str], str] = {}
        self._shapes: dict[str, ShapeInfo] = {}

    def of(self, info: FieldInfo, shapes: Mapping[str, ShapeInfo], service: str = "") -> Json:
        """What is accepted from JSON where this type is said."""
        schema = self._of(info, shapes, service)
        return _or_null(schema) if info.optional else schema

    def _of(self, info: FieldInfo, shapes: Mapping[str, ShapeInfo], service: str) -> Json:
        if not info.kind:
            return {}
        if info.kind == "Shape":
            shape = shapes.get(info.shape)
            return {"$ref": self._reference(shape, shapes, service)} if shape is not None else dict(_NOTHING)
        schema = dict(_IN_JSON.get(info.kind, _NOTHING))
        if info.element is not None:
            word = "items" if info.kind == "Array" else "additionalProperties"
            schema[word] = self.of(info.element, shapes, service)
        return schema

    def _reference(self, shape: ShapeInfo, shapes: Mapping[str, ShapeInfo], service: str) -> str:
        key = service, shape.name
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._name_for(shape, service)
            if name not in self.components:
                # Entered before its fields are looked at: they may speak of it.
                self._shapes[name] = shape
                schema = self.components[name] = {"type": "object", "title": shape.name}
                schema |= self._fields(shape, shapes, service)
        return f"#/components/schemas/{name}"

    def _fields(self, shape: ShapeInfo, shapes: Mapping[str, ShapeInfo], service: str) -> Json:
        return {
            "properties": {name: self.of(field, shapes, service) for name, field in shape.fields.items()},
            "required": [name for name, field in shape.fields.items() if _is_required(field)],
            "additionalProperties": False,
        }

    def _name_for(self, shape: ShapeInfo, service: str) -> str:
        short = component_name(self._ascii_name(shape.name))
        for name in _tries(short, component_name(self._ascii_name(service))):
            if self._shapes.get(name) is shape or (name not in self.components and name not in self._taken):
                return name
        raise AssertionError("there is always another name")

    def in_text(self, info: FieldInfo) -> Json:
        """What is accepted where a value travels as text, if it is there at all."""
        if info.kind != "Array":
            return dict(_IN_TEXT.get(info.kind, _NOTHING))
        element = info.element
        items = _IN_TEXT.get("" if element is None else element.kind, _NOTHING)
        if items == _NOTHING:
            return dict(_NOTHING)
        made: Json = {"type": "array", "items": items}
        # An array of nothing is the same as its name not being there.
        return made if info.optional else made | {"minItems": 1}

    def form(self, info: FieldInfo, shapes: Mapping[str, ShapeInfo]) -> Json | None:
        """What is accepted as a form; nothing, if no form can say it."""
        if info.kind == "Record":
            element = self.in_text(info.element) if info.element is not None else {"type": "string"}
            return {"type": "object", "additionalProperties": element} if element != _NOTHING else None
        shape = shapes.get(info.shape) if info.kind == "Shape" else None
        if shape is None:
            return None
        properties = {name: self.in_text(field) for name, field in shape.fields.items()}
        required = [name for name, field in shape.fields.items() if _is_required(field)]
        if any(properties[name] == _NOTHING for name in required):
            return None
        return {
            "type": "object",
            "properties": {name: schema for name, schema in properties.items() if schema != _NOTHING},
            "required": required,
            "additionalProperties": False,
        }


def _is_required(field: FieldInfo) -> bool:
    return bool(field.kind) and not field.optional


def _or_null(schema: Json) -> Json:
    if not schema:
        return schema
    kind = schema.get("type")
    if kind is None:
        return {"type": "null"} if schema == _NOTHING else {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [*(kind if isinstance(kind, list) else [kind]), "null"]}


def component_name(text: str) -> str:
    """A name as OpenAPI allows it in references; letters that it does not know become their numbers."""
    plain = _COMPONENT.sub(lambda sign: "_" if sign[0] in " /" else f"u{ord(sign[0]):04X}", text)
    return plain or "_"


def _tries(short: str, service: str) -> Iterator[str]:
    """Names for something, the best first."""
    yield short
    if service != "_":
        yield f"{service}.{short}"
    number = 2
    while True:
        yield f"{short}.{number}"
        number += 1


# ── paths ────────────────────────────────────────────────────────────────────────────────────────


class _Path(NamedTuple):
    """A pattern in OpenAPI's way."""

    key: str
    """``/items/{id}``"""
    shape: str
    """The same with all names alike: OpenAPI takes two paths with one shape for the same."""
    names: tuple[str, ...]
    """Of its parameters, as the program says them."""
    rest: bool
    """Does the last one take the rest of the path?"""


_ANY: Final = "{}"


def _path_of(pattern: str, method: str) -> _Path:
    key: list[str] = []
    shape: list[str] = []
    names: list[str] = []
    rest = False
    segments = normalize("NFC", pattern).split("/")[1:]
    if method == "STATIC" and not segments[-1].startswith("*"):
        segments = [*(segments if segments[-1] else segments[:-1]), "*path"]
    for segment in segments:
        if segment[:1] in (":", "*") and segment[1:]:
            names.append(segment[1:])
            key.append("{" + _in_braces(segment[1:]) + "}")
            shape.append(_ANY)
            rest = segment[0] == "*"
        else:
            key.append(encoded(segment))
            shape.append(encoded(segment))
    return _Path("/" + "/".join(key), "/" + "/".join(shape), tuple(names), rest)


def _in_braces(name: str) -> str:
    return re.sub(r"[{}/?#]", "_", name)


def _names_in(key: str) -> list[str]:
    return re.findall(r"\{([^{}]+)\}", key)


# ── the document ─────────────────────────────────────────────────────────────────────────────────

METHODS: Final = frozenset({"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"})
"""Those for which OpenAPI has a place."""

_AS_GET: Final = frozenset({"SSE", "STREAM", "STATIC"})

_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

JSON_TYPE: Final = "application/json"
PROBLEM_TYPE: Final = "application/problem+json"
FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data")

PROBLEM: Final = "Problem"

_PROBLEM_SCHEMA: Final[Json] = {
    "type": "object",
    "title": "பிழை ஆவணம்  (problem document)",
    "description": "கோரிக்கை ஏன் நிறைவேறவில்லை என்று சொல்லும் (RFC 9457)  (tells why a request has failed)",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "பிழையின் குறியீடு  (the code of the error)"},
        "errors": {
            "type": "array",
            "description": "பொருந்தாத புலங்கள்  (the fields that did not fit)",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["field", "detail"],
            },
        },
        "error": {"type": "string"},
        "request_id": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}

_ENVELOPE_SCHEMA: Final[Json] = _PROBLEM_SCHEMA | {
    "properties": {"success": {"const": False}, "data": {"type": "null"}} | _PROBLEM_SCHEMA["properties"],
    "required": ["success", "data", "error", *_PROBLEM_SCHEMA["required"]],
}

_RETRY_AFTER: Final[Json] = {
    "Retry-After": {
        "description": "எத்தனை நொடிகளுக்குப் பின் மீண்டும் முயலலாம்  (seconds after which to try again)",
        "schema": {"type": "integer", "minimum": 1},
    }
}

_WHEN: Final = {
    400: ("கோரிக்கையைப் படிக்க முடியவில்லை", "the request cannot be read"),
    401: ("யார் கேட்கிறார் என்று தெரியவில்லை", "it is not known who asks"),
    403: ("கேட்பவருக்கு அனுமதி இல்லை", "whoever asks is not permitted to"),
    404: ("இங்கே எதுவும் இல்லை", "there is nothing here"),
    409: ("இதே திறவுகோலுடன் ஒரு கோரிக்கை நடந்துகொண்டிருக்கிறது", "a request with the same key is under way"),
    413: ("உடலுரை அனுமதித்த அளவை விடப் பெரியது", "the body is larger than is allowed"),
    415: ("உடலுரையின் வகையைப் படிக்க இயலாது", "the type of the body cannot be read"),
    422: ("அனுப்பியது சொன்ன வகையில் இல்லை; errors காண்க", "what was sent is not of its type; see errors"),
    429: ("வேக வரம்பை மீறியது; Retry-After காண்க", "beyond the rate; see Retry-After"),
    500: ("சேவையின் உள்ளே ஒரு பிழை", "an error inside the service"),
    503: ("சேவைக்கு இப்போது நேரம் இல்லை; Retry-After காண்க", "the service is too busy now; see Retry-After"),
    504: ("நேரத்துக்குள் விடை கிடைக்கவில்லை", "there was no answer in time"),
}
"""When a status is answered by the runtime itself."""

_PROGRAM_MAY: Final = frozenset({400, 401, 403, 404, 409, 422})
"""Statuses that programs answer in their own way, too."""

_RETRIED: Final = frozenset({429, 503})


class _Document:
    """One document while it is made."""

    def __init__(
        self, cookie: str, ascii_name: Callable[[str], str], *, has_api_keys: bool, envelope: bool
    ) -> None:
        self._problem = _ENVELOPE_SCHEMA if envelope else _PROBLEM_SCHEMA
        self._schemes: dict[str, Json] = {
            "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            "session": {"type": "apiKey", "in": "cookie", "name": cookie},
        }
        if has_api_keys:
            self._schemes["apiKey"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        self._ascii_name = ascii_name
        self._schemas = Schemas(ascii_name, taken=(PROBLEM,))
        self._statuses: set[int] = set()
        self._keys: dict[str, str] = {}
        """The path that stands for each shape of a path."""
        self._ids: set[str] = set()
        self._needs_user = False
        self._paths: dict[str, Json] = {}
        self._more_paths: dict[str, Json] = {}
        self._websockets: list[Json] = []

    def made(
        self,
        title: str,
        version: str,
        operations: Sequence[Operation],
        description: str,
        servers: Sequence[str],
    ) -> Json:
        for one in operations:
            self._add(one)
        about = {"title": title, "version": version or "0"}
        document: Json = {
            "openapi": OPENAPI,
            "info": about | ({"description": description} if description else {}),
            "servers": [{"url": url} for url in servers or ("/",)],
            "paths": self._paths,
            "components": self._components(),
        }
        if tags := dict.fromkeys(tag for one in operations for tag in _tags_of(one)):
            document["tags"] = [{"name": tag} for tag in tags]
        if self._websockets:
            document["x-websockets"] = self._websockets
        if self._more_paths:
            document["x-more-paths"] = self._more_paths
        return document

    def _add(self, one: Operation) -> None:
        path = _path_of(one.pattern, one.method)
        method = "GET" if one.method in _AS_GET else one.method
        if method == "WS":
            self._websockets.append({"path": path.key} | self._operation(one, path, path.key))
            return
        key = self._keys.setdefault(path.shape, path.key)
        item = self._paths.setdefault(key, {})
        if method not in METHODS:
            own = item.setdefault("x-methods", {})
            own[method] = self._operation(one, path, key)
        elif method.lower() in item:
            other = self._more_paths.setdefault(path.key, {})
            other[method.lower()] = self._operation(one, path, path.key)
        else:
            item[method.lower()] = self._operation(one, path, key)

    def _operation(self, one: Operation, path: _Path, key: str) -> Json:
        made: Json = {"operationId": self._id(one), "tags": list(_tags_of(one))}
        if one.summary:
            made["summary"] = one.summary
        if text := "\n\n".join([part for part in (one.description, *_limits_told(one)) if part]):
            made["description"] = text
        if path.key != one.pattern:
            made["x-pattern"] = one.pattern
        if one.guards:
            made["x-guards"] = list(one.guards)
        if parameters := [*self._path_parameters(one, path, key), *self._other_parameters(one)]:
            made["parameters"] = parameters
        if one.method != "WS":
            if body := self._body(one):
                made["requestBody"] = body
            made["responses"] = self._responses(one, path, bool(body))
        if one.needs_user or one.roles:
            self._needs_user = True
            made["security"] = [{name: list(one.roles)} for name in self._schemes]
        return made

    def _id(self, one: Operation) -> str:
        names = _tries(component_name(one.id), component_name(self._ascii_name(one.service)))
        id = next(name for name in names if name not in self._ids)
        self._ids.add(id)
        return id

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _path_parameters(self, one: Operation, path: _Path, key: str) -> Iterator[Json]:
        fields = _fields_of(one.parameters, one.shapes)
        for place, (name, said) in enumerate(zip(path.names, _names_in(key), strict=True)):
            is_rest = path.rest and place == len(path.names) - 1
            field = fields(name)
            schema: Json = self._schemas.in_text(field) if field is not None else {"type": "string"}
            if schema.get("type") == "string" and not is_rest:
                schema["minLength"] = 1
            parameter: Json = {"name": said, "in": "path", "required": True, "schema": schema}
            if said != name:
                parameter["x-name"] = name
            if is_rest:
                parameter["x-rest"] = True
                parameter["description"] = (
                    "பாதையின் மீதி; அதில் சாய்கோடுகள் இருக்கலாம், வெறுமையாகவும் இருக்கலாம்"
                    "  (the rest of the path; it may hold slashes, and may be empty)"
                )
            yield parameter

    def _other_parameters(self, one: Operation) -> Iterator[Json]:
        query = one.query
        shape = one.shapes.get(query.shape) if query is not None and query.kind == "Shape" else None
        if shape is not None:
            for name, field in shape.fields.items():
                schema = self._schemas.in_text(field)
                if schema != _NOTHING or _is_required(field):
                    yield {"name": name, "in": "query", "required": _is_required(field), "schema": schema}
        elif query is not None and query.kind == "Record":
            schema = self._schemas.form(query, one.shapes) or dict(_NOTHING)
            yield {"name": "query", "in": "query", "style": "form", "explode": True, "schema": schema}
        if one.idempotent:
            yield {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "description": "இதே திறவுகோலுடன் மீண்டும் அனுப்பினால் ஒருமுறை மட்டுமே நடக்கும்"
                "  (sent again with the same key, it is done once only)",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }

    def _body(self, one: Operation) -> Json | None:
        if one.body is None:
            return {"required": False, "content": {"*/*": {}}} if one.method in _WITH_BODY else None
        content: Json = {JSON_TYPE: {"schema": self._schemas.of(one.body, one.shapes, one.service)}}
        form = self._schemas.form(one.body, one.shapes)
        if form is not None:
            content |= {kind: {"schema": form} for kind in FORM_TYPES}
        return {"required": not one.body.optional, "content": content}

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def _responses(self, one: Operation, path: _Path, has_body: bool) -> Json:
        responses = self._good(one)
        for status in _refusals(one, path, has_body):
            self._statuses.add(status)
            responses[str(status)] = {"$ref": f"#/components/responses/{_response_name(status)}"}
        responses["default"] = {
            "description": "நிரல் தரும் வேறு விடை  (another answer of the program)",
        }
        return responses

    def _good(self, one: Operation) -> Json:
        if one.method == "SSE":
            content: Json = {"text/event-stream": {"schema": {"type": "string"}}}
            return {"200": {"description": "நிகழ்வுகளின் ஓடை  (a stream of events)", "content": content}}
        if one.method == "STREAM":
            return {"200": {"description": "பாயும் தரவு  (a stream of bytes)", "content": {"*/*": {}}}}
        if one.method == "STATIC":
            return {
                "200": {"description": "கோப்பு  (the file)", "content": {"*/*": {}}},
                "206": {"description": "கோப்பின் ஒரு பகுதி  (a part of the file)", "content": {"*/*": {}}},
                "304": {"description": "மாறவில்லை  (not changed)"},
                "416": {"description": "அப்படி ஒரு பகுதி இல்லை  (there is no such part)"},
            }
        return self._answers(one)

    def _answers(self, one: Operation) -> Json:
        answer: Json = {"description": "விடை  (the answer)"}
        if one.answer is not None:
            schema = self._schemas.of(one.answer, one.shapes, one.service)
            # Text is sent as it is, and not as JSON.
            kind = "*/*" if one.answer.kind in ("Text", "Date") else JSON_TYPE
            answer["content"] = {kind: {"schema": {"type": "string"} if kind == "*/*" else schema}}
        good: Json = {"200": answer}
        if one.answer is not None:
            good["2XX"] = answer
        if one.cache is not None:
            answer["headers"] = {"ETag": {"schema": {"type": "string"}}}
            good["304"] = {"description": "மாறவில்லை  (not changed)"}
        return good

    def _components(self) -> Json:
        components: Json = {
            "schemas": {PROBLEM: self._problem} | self._schemas.components,
            "responses": {_response_name(status): _refusal(status) for status in sorted(self._statuses)},
        }
        if self._needs_user:
            components["securitySchemes"] = self._schemes
        return components


def _tags_of(one: Operation) -> tuple[str, ...]:
    return one.tags or ((one.service,) if one.service else ())


def _fields_of(
    info: FieldInfo | None, shapes: Mapping[str, ShapeInfo]
) -> Callable[[str], FieldInfo | None]:
    """What type each name has, where this type is said of all of them together."""
    if info is not None and info.kind == "Shape" and info.shape in shapes:
        return shapes[info.shape].fields.get
    element = info.element if info is not None else None
    return lambda name: element


def _limits_told(one: Operation) -> Iterator[str]:
    if one.rate is not None:
        yield f"வேக வரம்பு: {one.rate}, ஒவ்வொரு முகவரிக்கும்  (rate: {one.rate} for each address)"
    if one.timeout is not None:
        yield f"காலவரம்பு: {one.timeout:g} நொடி  (time limit: {one.timeout:g} s)"
    if one.body_limit is not None:
        yield f"உடலுரை: அதிகபட்சம் {one.body_limit} பைட்டுகள்  (body: at most {one.body_limit} bytes)"
    if one.cache is not None:
        yield f"விடை {one.cache:g} நொடி வைக்கப்படும்  (an answer is kept for {one.cache:g} s)"


def _refusals(one: Operation, path: _Path, has_body: bool) -> Iterator[int]:
    """The statuses with which the runtime itself may answer this route."""
    yield 400
    if one.needs_user or one.roles:
        yield 401
    # A form that comes with a session has to bring its token.
    if one.needs_user or one.roles or one.guards or has_body:
        yield 403
    if path.names:
        yield 404
    if one.idempotent:
        yield 409
    if has_body:
        yield from (413, 415)
    if any(info is not None for info in (one.parameters, one.query, one.body)) or one.idempotent:
        yield 422
    if one.rate is not None:
        yield 429
    yield from (500, 503)
    if one.timeout is not None:
        yield 504


def _response_name(status: int) -> str:
    return f"{PROBLEM}{status}"


def _refusal(status: int) -> Json:
    tamil, english = _WHEN[status]
    title = title_of(status)
    content: Json = {PROBLEM_TYPE: _problem_content()}
    if status in _PROGRAM_MAY:
        content["*/*"] = {}
    made: Json = {
        "description": f"{title.tamil}: {tamil}  ({title.english}: {english})",
        "content": content,
    }
    return made | ({"headers": _RETRY_AFTER} if status in _RETRIED else {})


def _problem_content() -> Json:
    return {"schema": {"$ref": f"#/components/schemas/{PROBLEM}"}}
