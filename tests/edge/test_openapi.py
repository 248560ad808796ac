"""The OpenAPI document: valid, and true — its schemas accept what the program's border accepts."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from etamil_actors.edge.openapi import (
    NUMBER_LIMIT,
    Operation,
    Schemas,
    component_name,
    openapi_bytes,
    openapi_document,
)
from etamil_actors.errors import Fault
from etamil_actors.language.romanise import romanise
from etamil_actors.vm.builtins.json import json_text, parse_json
from etamil_actors.vm.entering import entered
from etamil_actors.vm.from_text import converted
from etamil_actors.vm.values import FieldInfo, ShapeInfo

Shapes = dict[str, ShapeInfo]


def field(name: str, kind: str = "", shape: str = "", *, optional: bool = False, of: FieldInfo | None = None) -> FieldInfo:
    return FieldInfo(name, kind, shape, optional, of)


def shape(name: str, *fields: FieldInfo) -> ShapeInfo:
    return ShapeInfo(name, {one.name: one for one in fields})


def book(*shapes: ShapeInfo) -> Shapes:
    return {one.name: one for one in shapes}


USER = shape(
    "பயனர்",
    field("பெயர்", "Text"),
    field("வயது", "Number", optional=True),
    field("நண்பர்கள்", "Array", of=field("", "Shape", "பயனர்")),
    field("குறிப்பு"),
)
SHAPES = book(USER)
A_USER = field("", "Shape", "பயனர்")


def made(*operations: Operation, **options: Any) -> dict[str, Any]:
    """The document as a client reads it; it is valid."""
    document: dict[str, Any] = json.loads(
        openapi_bytes(openapi_document("கடை", "1.2", operations, ascii_name=romanise, **options))
    )
    validate(document)
    return document


def only(document: dict[str, Any]) -> dict[str, Any]:
    """The one operation of a document."""
    (item,) = document["paths"].values()
    (operation,) = item.values()
    found: dict[str, Any] = operation
    return found


# ---------------------------------------------------------------- the document


def test_a_document_tells_what_it_is_of() -> None:
    document = made(description="ஒரு கடை", servers=["http://127.0.0.1:8080"])
    assert document["openapi"] == "3.1.0"
    assert document["info"] == {"title": "கடை", "version": "1.2", "description": "ஒரு கடை"}
    assert document["servers"] == [{"url": "http://127.0.0.1:8080"}]
    assert document["paths"] == {}


def test_a_route_with_everything() -> None:
    search = shape("தேடல்", field("பக்கம்", "Number"), field("சொல்", "Text", optional=True))
    document = made(
        Operation(
            "POST",
            "/பயனர்கள்/:குழு",
            "post_payaZarkaL",
            service="kadai",
            shapes=book(USER, search),
            summary="பயனரைச் சேர்",
            description="A new user.",
            tags=("பயனர்",),
            needs_user=True,
            roles=("admin",),
            guards=("வேலை_நேரமா",),
            query=field("", "Shape", "தேடல்"),
            body=A_USER,
            answer=A_USER,
            body_limit=4096,
            rate="10/s",
            timeout=3,
            idempotent=True,
            cache=60,
        ),
        cookie="kadai_session",
    )
    ((path, item),) = document["paths"].items()
    assert path == "/%E0%AE%AA%E0%AE%AF%E0%AE%A9%E0%AE%B0%E0%AF%8D%E0%AE%95%E0%AE%B3%E0%AF%8D/{குழு}"
    operation = item["post"]
    assert operation["operationId"] == "post_payaZarkaL"
    assert operation["x-pattern"] == "/பயனர்கள்/:குழு"
    assert operation["x-guards"] == ["வேலை_நேரமா"]
    assert operation["security"] == [{"bearerAuth": ["admin"]}, {"session": ["admin"]}]
    assert document["components"]["securitySchemes"]["session"]["name"] == "kadai_session"
    assert [(one["in"], one["name"], one["required"]) for one in operation["parameters"]] == [
        ("path", "குழு", True), ("query", "பக்கம்", True), ("query", "சொல்", False), ("header", "Idempotency-Key", False),
    ]
    assert operation["requestBody"]["required"]
    reference = {"$ref": "#/components/schemas/payaZar"}
    assert operation["requestBody"]["content"] == {"application/json": {"schema": reference}}
    assert operation["responses"]["200"]["content"] == {"application/json": {"schema": reference}}
    assert operation["responses"]["200"]["headers"]["ETag"]
    assert operation["responses"].keys() == {
        "200", "2XX", "304", "400", "401", "403", "404", "409", "413", "415", "422", "429", "500", "503", "504", "default",
    }
    assert "rate: 10/s for each address" in operation["description"]
    assert "காலவரம்பு: 3 நொடி" in operation["description"]
    assert document["tags"] == [{"name": "பயனர்"}]
    assert "Retry-After" in document["components"]["responses"]["Problem429"]["headers"]
    assert document["components"]["schemas"]["payaZar"] == {
        "type": "object",
        "title": "பயனர்",
        "properties": {
            "பெயர்": {"type": ["string", "number"], "minimum": -int(NUMBER_LIMIT), "maximum": int(NUMBER_LIMIT)},
            "வயது": {"type": ["number", "null"], "minimum": -int(NUMBER_LIMIT), "maximum": int(NUMBER_LIMIT)},
            "நண்பர்கள்": {"type": "array", "items": reference},
            "குறிப்பு": {},
        },
        "required": ["பெயர்", "நண்பர்கள்"],
        "additionalProperties": False,
    }


def test_a_plain_route_tells_no_more_than_there_is() -> None:
    document = made(Operation("GET", "/hello", "get_hello"))
    operation = only(document)
    assert operation.keys() == {"operationId", "tags", "responses"}
    assert operation["responses"].keys() == {"200", "400", "500", "503", "default"}
    assert "securitySchemes" not in document["components"]
    assert document["components"]["schemas"].keys() == {"Problem"}


@pytest.mark.parametrize(
    ("method", "pattern", "path", "status", "kind"),
    [
        ("SSE", "/feed", "/feed", "200", "text/event-stream"),
        ("STREAM", "/raw", "/raw", "200", "*/*"),
        ("STATIC", "/static", "/static/{path}", "206", "*/*"),
        ("STATIC", "/static/", "/static/{path}", "206", "*/*"),
        ("STATIC", "/", "/{path}", "206", "*/*"),
        ("STATIC", "/static/*கோப்பு", "/static/{கோப்பு}", "206", "*/*"),
    ],
)
def test_what_is_sent_as_it_goes_is_a_get(method: str, pattern: str, path: str, status: str, kind: str) -> None:
    document = made(Operation(method, pattern, "r"))
    operation = document["paths"][path]["get"]
    assert list(operation["responses"][status]["content"]) == [kind]


def test_websockets_and_methods_of_ones_own_have_a_place_of_their_own() -> None:
    document = made(
        Operation("WS", "/chat/:room", "ws_chat", summary="அரட்டை", needs_user=True),
        Operation("PURGE", "/cache", "purge_cache"),
    )
    (socket,) = document["x-websockets"]
    assert (socket["path"], socket["operationId"], socket["summary"]) == ("/chat/{room}", "ws_chat", "அரட்டை")
    assert socket["parameters"][0]["name"] == "room"
    assert "responses" not in socket
    assert document["paths"]["/cache"]["x-methods"]["PURGE"]["operationId"] == "purge_cache"
    assert document["components"]["securitySchemes"]


@pytest.mark.parametrize(
    ("pattern", "path", "names"),
    [
        ("/", "/", []),
        ("/a/", "/a/", []),
        ("/a b/{x}", "/a%20b/%7Bx%7D", []),
        ("/:a/:b", "/{a}/{b}", ["a", "b"]),
        ("/:எண்/x", "/{எண்}/x", ["எண்"]),
        ("/:a}b", "/{a_b}", ["a_b"]),
        ("/files/*rest", "/files/{rest}", ["rest"]),
    ],
)
def test_a_pattern_becomes_a_path(pattern: str, path: str, names: list[str]) -> None:
    document = made(Operation("GET", pattern, "r"))
    assert list(document["paths"]) == [path]
    parameters = only(document).get("parameters", [])
    assert [one["name"] for one in parameters] == names
    assert [one.get("x-rest", False) for one in parameters] == [name == "rest" for name in names]


def test_two_routes_that_differ_in_names_only_share_a_path() -> None:
    document = made(Operation("GET", "/items/:id", "read"), Operation("PUT", "/items/:எண்", "write"))
    assert list(document["paths"]) == ["/items/{id}"]
    (parameter,) = document["paths"]["/items/{id}"]["put"]["parameters"]
    assert (parameter["name"], parameter["x-name"]) == ("id", "எண்")


def test_a_route_that_openapi_takes_for_another_is_not_lost() -> None:
    document = made(Operation("GET", "/items/:id", "one"), Operation("GET", "/items/*rest", "many"))
    assert document["paths"]["/items/{id}"]["get"]["operationId"] == "one"
    assert document["x-more-paths"]["/items/{rest}"]["get"]["operationId"] == "many"


def test_ids_and_names_of_shapes_are_unique() -> None:
    first, other = shape("பயனர்", field("அ", "Text")), shape("பயனர்", field("ஆ", "Number"))
    problem = shape("Problem", field("x", "Text"))
    document = made(
        Operation("POST", "/a", "same", service="kadai", shapes=book(first), body=A_USER),
        Operation("POST", "/b", "same", service="வங்கி", shapes=book(other), body=A_USER),
        Operation("POST", "/c", "same", service="வங்கி", shapes=book(other), body=A_USER),
        Operation("POST", "/d", "same", shapes=book(problem), body=field("", "Shape", "Problem")),
    )
    ids = [item["post"]["operationId"] for item in document["paths"].values()]
    assert ids == ["same", "vawki.same", "same.2", "same.3"]
    assert document["components"]["schemas"].keys() == {"Problem", "payaZar", "vawki.payaZar", "Problem.2"}
    assert list(document["components"]["schemas"]["vawki.payaZar"]["properties"]) == ["ஆ"]


def test_the_same_shape_of_two_services_of_one_program_is_told_once() -> None:
    document = made(
        Operation("POST", "/a", "a", service="one", shapes=SHAPES, body=A_USER),
        Operation("POST", "/b", "b", service="two", shapes=SHAPES, body=A_USER),
    )
    assert document["components"]["schemas"].keys() == {"Problem", "payaZar"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("payaZar", "payaZar"), ("a b", "a_b"), ("வ", "u0BB5"), ("", "_"), ("a-b.c", "a-b.c"), ("𑌅", "u11305")],
)
def test_names_in_references_are_ascii(text: str, name: str) -> None:
    assert component_name(text) == name


def test_an_answer_that_is_text_is_told_as_it_is_sent() -> None:
    answer = only(made(Operation("GET", "/", "r", answer=field("", "Text"))))["responses"]["200"]
    assert answer["content"] == {"*/*": {"schema": {"type": "string"}}}


# ---------------------------------------------------------------- where all is text


def test_a_query_is_told_field_by_field() -> None:
    search = shape(
        "தேடல்",
        field("பக்கம்", "Number"),
        field("புதியதா", "Boolean", optional=True),
        field("எண்கள்", "Array", of=field("", "Number")),
        field("சொற்கள்", "Array", optional=True),
        field("எதுவும்"),
        field("இயலாதது", "Record", optional=True),
    )
    operation = only(made(Operation("GET", "/", "r", shapes=book(search), query=field("", "Shape", "தேடல்"))))
    told = {one["name"]: (one["required"], one["schema"].get("type")) for one in operation["parameters"]}
    assert told == {
        "பக்கம்": (True, "number"),
        "புதியதா": (False, "boolean"),
        "எண்கள்": (True, "array"),
        "சொற்கள்": (False, "array"),
        "எதுவும்": (False, "string"),
    }
    assert "422" in operation["responses"]


def test_a_query_that_is_a_record_may_hold_any_name() -> None:
    query = field("", "Record", of=field("", "Number"))
    (parameter,) = only(made(Operation("GET", "/", "r", query=query)))["parameters"]
    assert (parameter["style"], parameter["explode"]) == ("form", True)
    assert parameter["schema"]["additionalProperties"]["type"] == "number"


def test_the_types_of_path_parameters_are_told() -> None:
    numbered = shape("வழி", field("id", "Number"), field("பெயர்", "Text"))
    operation = only(
        made(Operation("GET", "/:id/:பெயர்", "r", shapes=book(numbered), parameters=field("", "Shape", "வழி")))
    )
    assert [one["schema"]["type"] for one in operation["parameters"]] == ["number", "string"]
    assert operation["parameters"][1]["schema"]["minLength"] == 1


def test_a_body_may_come_as_a_form_if_a_form_can_say_it() -> None:
    plain = shape("பொருள்", field("பெயர்", "Text"), field("விலை", "Number"))
    content = only(made(Operation("POST", "/", "r", shapes=book(plain), body=field("", "Shape", "பொருள்"))))["requestBody"]["content"]
    assert content.keys() == {"application/json", "application/x-www-form-urlencoded", "multipart/form-data"}
    form = content["multipart/form-data"]["schema"]
    assert form["properties"]["பெயர்"] == {"type": "string"}
    assert form["required"] == ["பெயர்", "விலை"]
    nested = only(made(Operation("POST", "/", "r", shapes=SHAPES, body=A_USER)))["requestBody"]["content"]
    assert nested.keys() == {"application/json"}


# ---------------------------------------------------------------- schemas against the border

KINDS = ["", "Number", "Text", "Date", "Boolean", "Array", "Record", "Function", "Shape"]
SHAPE_NAMES = ["அ", "B", "பயனர்"]
FIELD_NAMES = ["x", "பெயர்", "a b", "$ref", "null"]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([2**96 - 1, -(2**96 - 1), Decimal("1.5"), Decimal("0.1000"), Decimal("1E-28")]),
    st.text(max_size=3),
    st.sampled_from(["true", "1", "2020-01-01"]),
)


@st.composite
def types(draw: st.DrawFn, name: str = "", depth: int = 2) -> FieldInfo:
    """Only what stands at the top may be marked with ‘?’, as in programs."""
    kind = draw(st.sampled_from(KINDS))
    element = None
    if kind in ("Array", "Record") and depth and draw(st.booleans()):
        element = draw(types(depth=depth - 1))
        element.optional = False
    # Now and then the name of a shape that is not there.
    named = draw(st.sampled_from([*SHAPE_NAMES, *SHAPE_NAMES, "இல்லை"])) if kind == "Shape" else ""
    return field(name, kind, named, optional=draw(st.booleans()), of=element)


@st.composite
def books(draw: st.DrawFn) -> Shapes:
    return book(
        *(
            shape(name, *(draw(types(one)) for one in draw(st.lists(st.sampled_from(FIELD_NAMES), unique=True, max_size=4))))
            for name in SHAPE_NAMES
        )
    )


@st.composite
def values(draw: st.DrawFn, info: FieldInfo, shapes: Mapping[str, ShapeInfo], depth: int = 4) -> Any:
    """A value that mostly fits, wrong somewhere now and then."""
    if draw(st.integers(0, 11)) == 0 or depth == 0:
        return draw(st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.sampled_from(FIELD_NAMES), SCALARS, max_size=2)))
    if info.optional and draw(st.integers(0, 3)) == 0:
        return None
    inside = info.element or field("")
    match info.kind:
        case "Number":
            return draw(st.integers(-3, 3) | st.just(Decimal("2.5")))
        case "Text" | "Date":
            return draw(st.text(max_size=2) | st.integers(0, 9))
        case "Boolean":
            return draw(st.booleans())
        case "Array":
            return [draw(values(inside, shapes, depth - 1)) for _ in range(draw(st.integers(0, 2)))]
        case "Record":
            names = draw(st.lists(st.sampled_from(FIELD_NAMES), unique=True, max_size=2))
            return {name: draw(values(inside, shapes, depth - 1)) for name in names}
        case "Shape" if info.shape in shapes:
            record = {}
            for name, one in shapes[info.shape].fields.items():
                if not (one.optional or not one.kind) or draw(st.integers(0, 3)):
                    record[name] = draw(values(one, shapes, depth - 1))
            if draw(st.integers(0, 9)) == 0:
                record[draw(st.sampled_from([*FIELD_NAMES, "புதியது"]))] = draw(SCALARS)
            return record
        case _:
            return draw(SCALARS)


def validator(info: FieldInfo, shapes: Shapes) -> Draft202012Validator:
    schemas = Schemas(romanise)
    root = schemas.of(info, shapes)
    document = openapi_bytes({"components": {"schemas": schemas.components}, "allOf": [root]})
    schema = json.loads(document)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def is_entered(info: FieldInfo, value: Any, shapes: Shapes) -> bool:
    try:
        entered(info, value, shapes)
    except Fault as fault:
        assert fault.code == "validation"
        return False
    return True


CASES = st.tuples(types(), books()).flatmap(
    lambda case: st.tuples(st.just(case[0]), st.just(case[1]), values(case[0], case[1]))
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(CASES)
def test_a_schema_accepts_from_json_what_the_border_accepts(case: tuple[FieldInfo, Shapes, Any]) -> None:
    info, shapes, value = case
    value = parse_json(json_text(value))
    assert validator(info, shapes).is_valid(value) == is_entered(info, value, shapes)


VERDICTS: list[tuple[FieldInfo, Any, bool]] = [
    (field("", "Number"), 1, True),
    (field("", "Number"), True, False),
    (field("", "Number"), "1", False),
    (field("", "Number"), None, False),
    (field("", "Number", optional=True), None, True),
    (field("", "Text"), "அ", True),
    (field("", "Text"), 1, True),
    (field("", "Text"), False, False),
    (field("", "Boolean"), False, True),
    (field("", "Boolean"), 0, False),
    (field("", "Function"), None, False),
    (field("", "Function", optional=True), None, True),
    (field("", "Function"), {}, False),
    (field("", "Array"), [1, "a", None], True),
    (field("", "Array", of=field("", "Number")), [1, "a"], False),
    (field("", "Array", of=field("", "Number")), {}, False),
    (field("", "Record"), {"x": [None]}, True),
    (field("", "Record", of=field("", "Text")), {"x": None}, False),
    (field("", "Shape", "இல்லை"), {}, False),
    (field(""), {"x": 1}, True),
    (A_USER, {"பெயர்": "a", "நண்பர்கள்": [{"பெயர்": "b", "நண்பர்கள்": []}]}, True),
    (A_USER, {"பெயர்": "a", "நண்பர்கள்": [{"பெயர்": "b", "நண்பர்கள்": [1]}]}, False),
    (A_USER, {"பெயர்": "a", "நண்பர்கள்": [], "வயது": None, "குறிப்பு": None}, True),
    (A_USER, {"பெயர்": "a", "நண்பர்கள்": [], "வேறு": 1}, False),
    (A_USER, {"நண்பர்கள்": []}, False),
    (A_USER, None, False),
    (A_USER, [], False),
]


@pytest.mark.parametrize(("info", "value", "is_right"), VERDICTS)
def test_both_say_the_same_of_plain_cases(info: FieldInfo, value: Any, is_right: bool) -> None:
    assert validator(info, SHAPES).is_valid(value) is is_right
    assert is_entered(info, value, SHAPES) is is_right


TEXTS = {
    "Number": ["1", "-2.50", "0"],
    "Boolean": ["true", "false"],
}


def pairs_of(value: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A value as a form sends it."""
    sent: list[tuple[str, str]] = []
    for name, one in value.items():
        for part in one if isinstance(one, list) else [one]:
            sent.append((name, part if isinstance(part, str) else json_text(part)))
    return sent


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(books(), st.randoms(use_true_random=False))
def test_what_a_form_schema_accepts_arrives(shapes: Shapes, chance: random.Random) -> None:
    info = field("", "Shape", "அ")
    form = Schemas().form(info, shapes)
    fields = shapes["அ"].fields
    if form is None:
        # Something is wanted that no text can say, so whatever is sent is refused.
        sent = [(name, chance.choice(["", "1", "true", "அ"])) for name in fields]
        assert not is_entered(info, converted(info, sent, shapes), shapes)
        return
    check = Draft202012Validator(json.loads(openapi_bytes(form)))
    value: dict[str, Any] = {}
    for name, one in fields.items():
        if chance.random() < 0.2 or Schemas().in_text(one) == {"not": {}}:
            continue
        kind = (one.element.kind if one.element is not None else "") if one.kind == "Array" else one.kind
        some = [1, Decimal("-2.5")] if kind == "Number" else [True, False] if kind == "Boolean" else ["அ", "b c"]
        if one.kind == "Array":
            value[name] = [chance.choice(some) for _ in range(chance.randint(0, 2))]
        else:
            value[name] = chance.choice(some)
    is_right = is_entered(info, converted(info, pairs_of(value), shapes), shapes)
    assert check.is_valid(value) == is_right


# ---------------------------------------------------------------- any description

METHOD_NAMES = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "SSE", "STREAM", "STATIC", "WS", "PURGE"]
SEGMENTS = ["a", "பொருள்", ":id", ":எண்", "{", "%", ""]


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    shapes = draw(books())
    segments = draw(st.lists(st.sampled_from(SEGMENTS), max_size=3))
    # A name stands only once in a pattern.
    kept = [one for place, one in enumerate(segments) if one[:1] != ":" or one not in segments[:place]]
    pattern = "/" + "/".join([*kept, *draw(st.sampled_from([[], ["*rest"]]))])
    some_type = st.none() | types()
    return Operation(
        draw(st.sampled_from(METHOD_NAMES)),
        pattern,
        draw(st.sampled_from(["a", "b", "அ", ""])),
        service=draw(st.sampled_from(["", "kadai", "வங்கி"])),
        shapes=shapes,
        summary=draw(st.text(max_size=5)),
        needs_user=draw(st.booleans()),
        roles=draw(st.sampled_from([(), ("admin",)])),
        guards=draw(st.sampled_from([(), ("f",)])),
        parameters=draw(some_type),
        query=draw(some_type),
        body=draw(some_type),
        answer=draw(some_type),
        rate=draw(st.none() | st.just("10/s")),
        timeout=draw(st.none() | st.just(2.5)),
        idempotent=draw(st.booleans()),
        cache=draw(st.none() | st.just(1.0)),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(operations(), max_size=6))
def test_every_description_makes_a_valid_document(described: list[Operation]) -> None:
    document = made(*described)
    told = [
        operation
        for item in [*document["paths"].values(), *document.get("x-more-paths", {}).values()]
        for operation in [*(one for name, one in item.items() if name != "x-methods"), *item.get("x-methods", {}).values()]
    ]
    ids = [one["operationId"] for one in [*told, *document.get("x-websockets", [])]]
    assert len(ids) == len(set(ids))
    for reference in _references(document):
        assert reference.rpartition("/")[2] in document["components"][reference.split("/")[2]]


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [reference for one in part.values() for reference in _references(one)]
    return [reference for one in part for reference in _references(one)] if isinstance(part, list) else []
