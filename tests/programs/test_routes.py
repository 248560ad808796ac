"""What a route promises its program and its client: guards, types, answers, limits, and what nothing may outlive.

Every request goes through the real router, limits and actors, in virtual time. After each scenario nothing
may be left of it: no task, no lock, no message in somebody's hands, no request in flight, no byte of a body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from unicodedata import normalize

import msgspec
import pytest
import trio

from etamil_actors.actors.errors import StartError
from etamil_actors.language.problems import LoadFailed
from etamil_actors.testing import Service, run_service
from etamil_actors.testing.requests import Received

FORM = {"content-type": "application/x-www-form-urlencoded"}
ENGLISH = {"accept-language": "en"}


def during(text: str, scenario: Callable[[Service], Awaitable[Any]], **options: Any) -> Service:
    """Run a service and a scenario with it; nothing may be left when both have ended."""
    seen: list[Service] = []

    async def watched(service: Service) -> None:
        seen.append(service)
        with trio.fail_after(100_000):
            await scenario(service)
        await service.settle()
        shared = service.system.site.shared
        assert shared.metrics.in_flight == 0
        assert shared.budget.used == 0

    run_service(text, watched, **options)
    assert seen[0].findings == []
    return seen[0]


def ask(text: str, *asked: tuple[Any, ...], **options: Any) -> list[Received]:
    """The answers to requests that come one after the other: ``(method, path, headers, body)``."""
    answers = []

    async def scenario(service: Service) -> None:
        for one in asked:
            answers.append(await send(service, *one))

    during(text, scenario, **options)
    return answers


async def send(
    service: Service, method: str, path: str, headers: dict[str, str] | None = None, body: str | bytes = b""
) -> Received:
    """One request."""
    sent = body.encode() if isinstance(body, str) else body
    return await service.request(method, path, headers=headers, body=sent)


def get(text: str, *paths: str, **options: Any) -> list[Received]:
    """The answers to some GET requests."""
    return ask(text, *(("GET", path) for path in paths), **options)


def told(received: Received) -> str:
    """The body as text."""
    return received.body.decode()


def read(received: Received) -> Any:
    """The body as JSON."""
    return msgspec.json.decode(received.body)


def pairs(received: Received, name: str) -> list[str]:
    """All fields of this name."""
    return [value.decode() for key, value in received.headers if key == name.encode()]


# ---- answering ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "answer"),
    [
        ('பதில் 200, "a"; பதில் 201, "b";', 201, "b"),
        ('பதில் 201, "b"; திரும்பு "c";', 200, "c"),
        ('பதில் 201, "b"; திரும்பு இன்மை;', 201, "b"),
        ('பதில் 201, "b"; திரும்பு;', 201, "b"),
        ("திரும்பு பதில்_ஆக்கு(418, {a: 1}); பதில் 500, 1;", 418, '{"a":1}'),
        ("பதில்_ஆக்கு(418, 1);", 200, "Handler executed successfully"),
        ("", 200, "Handler executed successfully"),
        ("திரும்பு 5;", 200, "5"),
        ("திரும்பு பொய்;", 200, "false"),
        ('திரும்பு "";', 200, ""),
        ("பதில் 200, மெய்;", 200, "true"),
        ("பதில் 200, இன்மை;", 200, "null"),
        ("பதில் 200, 1.50;", 200, "1.50"),
        ("பதில் 200, [1, {த: இன்மை}];", 200, '[1,{"த":null}]'),
        ("பதில் 204, 1;", 204, ""),
        ('பதில் 304, "x";', 304, ""),
        ('பதில் 200.9, "x";', 200, "x"),
        ('பதில் "404", "x";', 200, "x"),
        ('பதில் 99999, "x";', 200, "x"),
        ('பதில் -1, "x";', 200, "x"),
        ('பதில் 1000000000000000000000000000, "x";', 200, "x"),
        ('பதில் இன்மை, "x";', 200, "x"),
        ("ஜேசான்_உரை {a: 1};", 200, '{"a":1}'),
        ('ஜேசான்_உரை "{}", 202;', 202, "{}"),
        ("பதில் 200, சேனல்_உருவாக்கு();", 200, "null"),
        ('response_status = 202; response_body = "rv";', 202, "rv"),
        ('பதில் 201, "x"; response_body = "rv";', 201, "rv"),
        ('response_body = "rv"; பதில் 201, "x";', 201, "x"),
        ('பதில் 201, "x"; response_status = response_status + 1;', 202, "x"),
        ('response_body = "rv"; திரும்பு "v";', 200, "v"),
        ('r = பதில்_ஆக்கு(418, 1); r.நிலை = 202; திரும்பு r;', 202, "1"),
        ('திரும்பு {"status": 418, "body": 1};', 200, '{"body":1,"status":418}'),
        ('பதில் 500, "own";', 500, "own"),
    ],
)
def test_the_last_answer_counts_and_what_is_no_text_is_json(body: str, status: int, answer: str) -> None:
    (received,) = get(f'வழி பெறு, "/a" {{ {body} }}', "/a")
    assert (received.status, told(received)) == (status, answer)


def test_an_answer_may_be_given_by_a_function_and_a_task_that_is_called() -> None:
    text = """
    செயல் f() { பதில் 201, "f"; }
    பணி t() { பதில் 202, "t"; }
    வழி பெறு, "/f" { f(); }
    வழி பெறு, "/t" { t(); }
    """
    assert [(one.status, told(one)) for one in get(text, "/f", "/t")] == [(201, "f"), (202, "t")]


def test_headers_of_the_program_are_sent_but_not_those_of_framing() -> None:
    text = """வழி பெறு, "/a" { பதில் 200, "x", {"Content-Type": "text/plain", "X-N": 5, "X-L": ["a", "b"],
        "X-None": இன்மை, "X-T": "தமிழ்", "Content-Length": 99, "Transfer-Encoding": "chunked",
        "Connection": "close"}; }"""
    (received,) = get(text, "/a")
    assert pairs(received, "content-type") == ["text/plain"]
    assert pairs(received, "x-l") == ["a", "b"]
    assert (received.field("x-n"), received.field("x-t")) == ("5", "தமிழ்")
    for name in ("x-none", "content-length", "transfer-encoding", "connection"):
        assert pairs(received, name) == []


@pytest.mark.parametrize("headers", ['"x"', "இன்மை", "[1]", "5"])
def test_headers_that_are_no_record_are_ignored(headers: str) -> None:
    (received,) = get(f'வழி பெறு, "/a" {{ பதில் 200, "x", {headers}; }}', "/a")
    assert (received.status, pairs(received, "content-type")) == (200, ["application/json"])


@pytest.mark.parametrize(
    "headers",
    [
        '{"X-A": "b\\r\\nSet-Cookie: q=1"}',
        '{"X-A": "b\\nc"}',
        '{"X-A": ["good", "b\\rc"]}',
        '{"X A": "b"}',
        '{"X-A:": "b"}',
        '{"": "b"}',
        '{"தலை": "b"}',
        '{"X-A\\r\\nX-B": "b"}',
    ],
)
def test_a_header_that_could_break_the_message_is_an_error(headers: str) -> None:
    (received,) = get(f'வழி பெறு, "/a" {{ பதில் 200, "x", {headers}; }}', "/a")
    assert received.status == 500
    assert pairs(received, "x-a") == pairs(received, "set-cookie") == []


@pytest.mark.parametrize(
    ("call", "status", "location"),
    [
        ('வழிமாற்று("/x")', 302, "/x"),
        ('வழிமாற்று("/x", 303)', 303, "/x"),
        ('வழிமாற்று("/x", 308)', 308, "/x"),
        ('வழிமாற்று("/அ?க=ச#ட")', 302, "/%E0%AE%85?%E0%AE%95=%E0%AE%9A#%E0%AE%9F"),
        ('வழிமாற்று("https://தமிழ்.example/x")', 302, "https://xn--rlcus7b3d.example/x"),
        ('வழிமாற்று("/a%20b")', 302, "/a%20b"),
        pytest.param('வழிமாற்று("/a b")', 302, "/a%20b"),
        ('வழிமாற்று("/x", 200)', 500, None),
        ('வழிமாற்று("/x", 404)', 500, None),
        ('வழிமாற்று("/x", "மேல்")', 500, None),
        ('வழிமாற்று("http://[::1/x")', 500, None),
        pytest.param('வழிமாற்று("/x\\r\\nSet-Cookie: a=b")', 500, None),
        pytest.param('வழிமாற்று("/x\\ty")', 500, None),
    ],
)
def test_a_redirect_leads_to_a_sound_address_or_is_an_error(
    call: str, status: int, location: str | None
) -> None:
    (received,) = get(f'வழி பெறு, "/a" {{ திரும்பு {call}; }}', "/a")
    assert (received.status, received.field("location")) == (status, location)


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        ("validation", 422),
        ("auth.missing", 401),
        ("auth.forbidden", 403),
        ("not_found", 404),
        ("conflict", 409),
        ("rate_limited", 429),
        ("overloaded", 503),
        ("breaker.open", 503),
        ("db.unavailable", 503),
        ("timeout", 504),
        ("anything.else", 500),
    ],
)
def test_the_code_of_an_uncaught_error_decides_the_status(raised: str, status: int) -> None:
    text = f"""
    வழி பெறு, "/a" {{ பதில் 200, "x"; பிழை_எழுப்பு("{raised}", "m"); }}
    வழி பெறு, "/w" {{ பதில் 200, "x"; உறங்கு(1); பிழை_எழுப்பு("{raised}", "m"); }}
    வழி பெறு, "/c" {{ முயல் {{ பிழை_எழுப்பு("{raised}", "m"); }} பிழை(e) {{ பதில் 299, e.code; }} }}
    """
    at_once, later, caught = get(text, "/a", "/w", "/c")
    assert at_once.status == later.status == status
    assert at_once.field("content-type") == "application/problem+json; charset=utf-8"
    assert (caught.status, told(caught)) == (299, raised)


def test_a_problem_is_told_in_the_clients_language_under_an_id_and_without_what_is_inside() -> None:
    text = """
    வழி பெறு, "/v" { பிழை_எழுப்பு("validation", "பொருந்தாது", {"இரகசியம்": "k9"}); }
    வழி பெறு, "/i" { இரகசியம் = "k9"; x = 1 / 0; }
    """
    both, english, tamil, hidden = ask(
        text,
        ("GET", "/i"),
        ("GET", "/i", ENGLISH),
        ("GET", "/i", {"accept-language": "ta"}),
        ("GET", "/v"),
    )
    for received in (both, english, tamil):
        document = read(received)
        assert document["status"] == received.status == 500
        assert document["request_id"] == received.field("x-request-id")
        assert isinstance(document["error"], str)
        assert "division" not in told(received) and "சுழிய" not in told(received)
        assert "t.qmz" not in told(received)
    assert english.field("content-language") == "en" and "உட்பிழை" not in told(english)
    assert tamil.field("content-language") == "ta" and "Internal" not in told(tamil)
    assert read(hidden)["detail"] == "பொருந்தாது" and "k9" not in told(hidden)


# ---- guards ---------------------------------------------------------------------------

GUARDS = """
செயல் ஆம்(r) { திரும்பு மெய்; }
செயல் மறு_(r) { திரும்பு பொய்; }
செயல் ஆள்(r) { திரும்பு {"name": "mani", "role": "admin", "roles": ["x"]}; }
செயல் எண்_(r) { திரும்பு 1; }
செயல் உரை_(r) { திரும்பு "yes"; }
செயல் வெறுமை(r) { }
செயல் மோதல்(r) { பிழை_எழுப்பு("conflict", "m"); }
செயல் உடைந்த(r) { திரும்பு 1 / 0; }
செயல் மெதுவாக(r) { உறங்கு(2); திரும்பு மெய்; }
செயல் முடிவிலி(r) { உறங்கு(200); திரும்பு மெய்; }
செயல் தவறுதல்(r) { திரும்பு தவறு("இல்லை"); }
செயல் பார்(r) { திரும்பு r.method == "GET" மற்றும் r.வினவல்.get("k") == "v"; }
செயல் சொல்லி(r) { பதில் 299, "guard"; திரும்பு மெய்; }
செயல் அனுப்பி(r) { திரும்பு வழிமாற்று("/login"); }
g = 1;
செயல் மாற்றி(r) { g = 5; திரும்பு மெய்; }
"""


@pytest.mark.parametrize(
    ("guards", "status"),
    [
        ("[]", 200),
        ("[ஆம்]", 200),
        ("[மறு_]", 403),
        ("[எண்_]", 403),
        ("[உரை_]", 403),
        ("[வெறுமை]", 403),
        ("[தவறுதல்]", 403),
        ("[மோதல்]", 409),
        ("[உடைந்த]", 500),
        ("[மெதுவாக]", 200),
        ("[ஆம், மறு_, உடைந்த]", 403),
        ("[ஆம், உடைந்த, மறு_]", 500),
        ('["auth"]', 401),
        ('["admin"]', 401),
        ('["admin", ஆள்]', 401),
        ('[ஆள், "auth"]', 401),
        ('[ஆள், "admin"]', 200),
        ('[ஆள், "x"]', 200),
        ('[ஆள், "boss"]', 403),
        ('{"guards": [ஆள், "admin"]}', 200),
        ('{"காவல்": [மறு_]}', 403),
        ('{"guards": [முடிவிலி], "timeout": 1}', 504),
        pytest.param("[அனுப்பி]", 302),
    ],
)
def test_guards_are_tried_in_order_until_one_refuses(guards: str, status: int) -> None:
    text = f'{GUARDS} வழி பெறு, "/a", {guards} {{ அச்சு "in"; பதில் 200, 1; }}'
    seen: list[int] = []

    async def scenario(service: Service) -> None:
        seen.append((await send(service, "GET", "/a")).status)
        assert service.lines == (["in"] if status == 200 else [])

    during(text, scenario)
    assert seen == [status]


def test_the_record_that_a_guard_answers_is_the_user() -> None:
    text = f'{GUARDS} வழி பெறு, "/a", [ஆம், ஆள், ஆம்] {{ பதில் 200, [கோரிக்கை.user.name, கோரிக்கை.பயனர்.role]; }}'
    assert read(get(text, "/a")[0]) == ["mani", "admin"]


def test_a_guard_sees_the_request_and_what_it_does_stays_with_this_request() -> None:
    text = f"""{GUARDS}
    வழி பெறு, "/p", [பார்] {{ பதில் 200, 1; }}
    வழி பெறு, "/s", [சொல்லி] {{ }}
    வழி பெறு, "/g", [மாற்றி] {{ பதில் 200, g; }}
    """
    answers = get(text, "/p?k=v", "/p", "/s", "/g", "/g")
    assert [one.status for one in answers] == [200, 403, 299, 200, 200]
    assert [told(one) for one in answers[3:]] == ["1", "1"]


def test_a_response_that_a_guard_answers_is_the_answer_whatever_the_route_is() -> None:
    text = """
    செயல் கா(r) { குக்கீ_அமை("from", r.path); திரும்பு வழிமாற்று("/login", 303); }
    வழி பெறு, "/a", [கா] { அச்சு "in"; பதில் 200, "secret"; }
    வழி பெறு, "/typed", {"guards": [கா], "answer": எண்} { அச்சு "in"; பதில் 200, 5; }
    வழி SSE, "/sse", [கா] { அச்சு "in"; ஓடை_அனுப்பு("secret"); }
    வழி பதி, "/body", {"guards": [கா], "body": எண்} { அச்சு "in"; }
    """

    async def scenario(service: Service) -> None:
        for method, path in (("GET", "/a"), ("HEAD", "/a"), ("GET", "/typed"), ("GET", "/sse"), ("POST", "/body")):
            received = await send(service, method, path)
            assert (received.status, received.field("location")) == (303, "/login")
            assert told(received) == "" and pairs(received, "set-cookie") != []
        assert service.lines == []

    during(text, scenario)


def test_a_refused_client_gets_the_challenge() -> None:
    missing, bad = ask(
        'வழி பெறு, "/a", ["auth"] { }', ("GET", "/a"), ("GET", "/a", {"authorization": "Bearer not.a.token"})
    )
    assert (missing.status, missing.field("www-authenticate")) == (401, "Bearer")
    assert bad.status in (401, 500) and told(bad) != "Handler executed successfully"


@pytest.mark.parametrize(
    "text",
    [
        'வழி பெறு, "/a", [ஒன்றுமில்லை] { }',
        'செயல் f(a, b) { } வழி பெறு, "/a", [f] { }',
        'வழி பெறு, "/a", ["auth", 5] { }',
        'வழி பெறு, "/a", "auth" { }',
        'வழி பெறு, "/a", {"gaurds": []} { }',
        'வழி பெறு, "/a", {"timeout": -1} { }',
        'வழி பெறு, "/a", {"timeout": "3"} { }',
        'வழி பெறு, "/a", {"disconnect": "maybe"} { }',
        'வழி பெறு, "/a", {"cache": -3} { }',
        'வழி பெறு, "/a", {"concurrency": 0} { }',
        'வழி பெறு, "/a", {"queue": -1} { }',
        'வழி பெறு, "/a", {"body": "x"} { }',
        'வழி பெறு, "/a", {"body": இல்லாதது} { }',
        'server.on("GET", "/a", 5);',
        'செயல் f(a, b) { } server.on("GET", "/a", f);',
        'செயல் f(a) { } server.on("GET", "/a", {"gaurds": []}, f);',
    ],
)
def test_options_without_sense_end_the_start(text: str) -> None:
    with pytest.raises((LoadFailed, StartError)):
        get(text, "/a")


# ---- types of what comes and goes -----------------------------------------------------

SHAPES = """
வடிவம் இடம்_ { ஊர்: சொல், அஞ்சல்: எண்? };
வடிவம் நபர் { பெயர்: சொல், வயது: எண்?, குறிகள்: அணி<சொல்>, வீடு: இடம்_ };
வடிவம் கேட்பு { பக்கம்: எண், சரியா: ஈர்ம?, பட்டியல்: அணி<எண்>? };
வடிவம் பதிவு_ { பெயர்: சொல், வயது: எண்? };
வடிவம் பாதை_ { id: எண் };
"""

GOOD = '{"பெயர்":"a","குறிகள்":["x"],"வீடு":{"ஊர்":"m"}}'


def test_a_body_becomes_a_record_of_its_shape_nested_ones_too() -> None:
    text = f"""{SHAPES}
    வழி பதி, "/u", {{"body": நபர்}} {{
        j = கோரிக்கை.json;
        பதில் 200, [வகை(j), வகை(j.வீடு), j.வயது, j.வீடு.அஞ்சல், j.குறிகள்[0]];
    }}"""
    (received,) = ask(text, ("POST", "/u", None, GOOD))
    assert read(received) == ["நபர்", "இடம்_", None, None, "x"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ('{"பெயர்":null,"குறிகள்":["x"],"வீடு":{"ஊர்":"m"}}', ["பெயர்"]),
        ('{"குறிகள்":["x",null],"வீடு":{}}', ["பெயர்", "குறிகள்[1]", "வீடு.ஊர்"]),
        (GOOD[:-1] + ',"extra":1}', ["extra"]),
        (GOOD[:-1] + ',"வயது":"7"}', ["வயது"]),
        (GOOD[:-1] + ',"வயது":true}', ["வயது"]),
        ('{"பெயர்":"a","குறிகள்":"x","வீடு":[]}', ["குறிகள்", "வீடு"]),
        ("[]", [""]),
        ("5", [""]),
        ("", ["body"]),
        ('{"பெயர்":', ["body"]),
        (b"\xff\xfe", ["body"]),
        ("[" * 5000, ["body"]),
        ('{"a":' * 3000 + "1" + "}" * 3000, ["body"]),
        (GOOD + " x", ["body"]),
    ],
)
def test_a_wrong_body_is_422_with_one_entry_for_each_field(body: str | bytes, fields: list[str]) -> None:
    text = f'{SHAPES} வழி பதி, "/u", {{"body": நபர்}} {{ அச்சு "in"; }}'
    (received,) = ask(text, ("POST", "/u", ENGLISH, body))
    assert received.status == 422
    document = read(received)
    assert [entry["field"] for entry in document["errors"]] == fields
    assert all("தேவை" not in entry["detail"] for entry in document["errors"])


@pytest.mark.parametrize(
    ("type_", "good", "bad"),
    [
        ("எண்", ["5", "5.0", "-0"], ['"5"', "true", "null", "[]", "NaN", "1e400", ""]),
        ("சொல்", ['"x"', '""'], ["true", "null", "[]", "x"]),
        ("ஈர்ம", ["true"], ["1", '"true"', "null"]),
        ("அணி", ["[]", '[1,"x"]'], ["{}", "null"]),
        ("பொருள்", ["{}", '{"a":1}'], ["[]", "null"]),
        ("அணி<எண்>", ["[]", "[1,2]"], ['[1,"2"]', "[null]", "{}"]),
        ("பொருள்<எண்>", ['{"a":1}'], ['{"a":"1"}', "[]"]),
        ("அணி<இடம்_>", ['[{"ஊர்":"m"}]'], ["[{}]", "[1]"]),
        ("அணி<அணி<எண்>>", ["[[1]]"], ['[["x"]]']),
        pytest.param("சரம்", ['"x"'], ["[]"]),
        pytest.param("எண்?", ["5", "null", ""], ['"x"']),
        pytest.param("அணி<எண்>?", ["[5]", "null"], ['"x"']),
    ],
)
def test_a_body_of_a_plain_type_is_checked(type_: str, good: list[str], bad: list[str]) -> None:
    text = f'{SHAPES} வழி பதி, "/u", {{"உடலுரை": {type_}}} {{ பதில் 200, கோரிக்கை.json; }}'
    answers = ask(text, *(("POST", "/u", None, body) for body in good + bad))
    assert [one.status for one in answers] == [200] * len(good) + [422] * len(bad)


def test_texts_of_forms_are_converted_and_those_of_json_are_not() -> None:
    text = f"""{SHAPES} வழி பதி, "/u", {{"body": பதிவு_}} {{ பதில் 200, [கோரிக்கை.json, கோரிக்கை.படிவம்]; }}"""
    form, repeated, wrong, json = ask(
        text,
        ("POST", "/u", FORM, "பெயர்=a&வயது=5"),
        ("POST", "/u", FORM, "பெயர்=a&பெயர்=b&வயது="),
        ("POST", "/u", FORM, "பெயர்=a&வயது=x"),
        ("POST", "/u", {"content-type": "application/json"}, '{"பெயர்":"a","வயது":"5"}'),
    )
    assert read(form) == [{"பெயர்": "a", "வயது": 5}] * 2
    assert read(repeated)[0] == {"பெயர்": "b", "வயது": None}
    assert wrong.status == json.status == 422


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("பக்கம்=2&சரியா=true&பட்டியல்=1&பட்டியல்=2", {"பக்கம்": 2, "சரியா": True, "பட்டியல்": [1, 2]}),
        ("பக்கம்=2", {"பக்கம்": 2, "சரியா": None, "பட்டியல்": None}),
        ("பக்கம்=2&பட்டியல்=7", {"பக்கம்": 2, "சரியா": None, "பட்டியல்": [7]}),
        ("பக்கம்=1&பக்கம்=2&சரியா=பொய்", {"பக்கம்": 2, "சரியா": False, "பட்டியல்": None}),
        ("", None),
        ("பக்கம்=", None),
        ("பக்கம்=x", None),
        ("பக்கம்=1e3", {"பக்கம்": 1000, "சரியா": None, "பட்டியல்": None}),
        ("பக்கம்=1e-300", None),
        ("பக்கம்=0x1", None),
        ("பக்கம்=99999999999999999999999999999999999999", None),
        ("பக்கம்=5&சரியா=maybe", None),
        ("பக்கம்=5&பட்டியல்=x", None),
    ],
)
def test_a_typed_query_is_of_its_type_or_422(query: str, wanted: object) -> None:
    text = f'{SHAPES} வழி பெறு, "/q", {{"query": கேட்பு}} {{ பதில் 200, கோரிக்கை.வினவல்; }}'
    (received,) = get(text, f"/q?{query}")
    assert received.status == (200 if wanted is not None else 422)
    if wanted is not None:
        assert read(received) == wanted


def test_typed_parameters_are_of_their_type_and_the_variables_of_2_0_stay_text() -> None:
    text = f"""{SHAPES} வழி பெறு, "/p/:id", {{"parameters": பாதை_}} {{
        பதில் 200, [கோரிக்கை.parameters, வகை(கோரிக்கை.அளவுருக்கள்.id), param_id, வகை(param_id), path_params]; }}"""
    good, bad = get(text, "/p/5", "/p/x")
    assert read(good) == [{"id": 5}, "a number", "5", "a string", {"id": "5"}]
    assert bad.status == 422


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('பதில் 200, {ஊர்: "x"};', 200),
        ('திரும்பு இடம்_{ஊர்: "x"};', 200),
        ("பதில் 200, {};", 500),
        ('பதில் 200, {ஊர்: "x", y: 1};', 500),
        ("பதில் 200, [1];", 500),
        ("", 500),
        ("பதில் 404, {error: 5};", 404),
        ('திரும்பு வழிமாற்று("/x");', 302),
        pytest.param('ஜேசான்_உரை ஜேசான்_ஆக்கு({ஊர்: "x"});', 200),
        pytest.param("பதில் 204, இன்மை;", 204),
    ],
)
def test_an_answer_that_is_not_of_the_promised_type_is_500(body: str, status: int) -> None:
    (received,) = get(f'{SHAPES} வழி பெறு, "/a", {{"answer": இடம்_}} {{ {body} }}', "/a")
    assert received.status == status


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"a":1}', {"a": 1}),
        ('{"a":1,"a":2}', {"a": 2}),
        ('{"a":1} x', None),
        ("  ", None),
        ("", None),
        ("null", None),
        ('"\\ud800"', None),
        (b"\xff", None),
        ("[" * 100_000, None),
    ],
)
def test_json_of_an_untyped_route_is_nothing_when_it_is_none(body: str | bytes, value: object) -> None:
    text = 'வழி பதி, "/j" { பதில் 200, [கோரிக்கை.json, கோரிக்கை.body == request_body]; }'
    (received,) = ask(text, ("POST", "/j", None, body))
    assert read(received) == [value, True]


# ---- reading the request --------------------------------------------------------------


def test_the_request_is_readable_in_functions_by_all_its_names() -> None:
    text = """
    செயல் f() { திரும்பு [கோரிக்கை.path, வேண்டிய.பாதை, request["path"], கோரிக்கை["பாதை"], கோரிக்கை.get("zz", 5)]; }
    செயல் g() { திரும்பு [request_method, request_path, request_body, query_params, path_params, param_id]; }
    வழி பதி, "/v/:id" { பதில் 200, [f(), g(), கோரிக்கை.முறை_ == இன்மை]; }
    வழி பதி, "/w/:id" { பதில் 200, [f(), g(), headers["x-y"], கோரிக்கை.முகவரி, கோரிக்கை.அடையாளம்]; }
    """.replace(", கோரிக்கை.முறை_ == இன்மை", "")
    first, second = ask(
        text,
        ("POST", "/v/7?a=1&b&a=2&c=%20+x", None, "body"),
        ("POST", "/w/தமிழ்", {"X-Y": "z"}, b"\xffx"),
    )
    assert read(first) == [["/v/7"] * 4 + [5], ["POST", "/v/7", "body", {"a": "2", "c": "  x"}, {"id": "7"}, "7"]]
    assert read(second) == [
        ["/w/தமிழ்"] * 4 + [5],
        ["POST", "/w/தமிழ்", "\ufffdx", {}, {"id": "தமிழ்"}, "தமிழ்"],
        "z",
        "127.0.0.1",
        second.field("x-request-id"),
    ]


def test_a_path_without_names_has_an_empty_record_of_parameters() -> None:
    text = """
    வழி பெறு, "/a" { பதில் 200, [கோரிக்கை.parameters, கோரிக்கை.parameters.get("id", "none"), வகை(கோரிக்கை.parameters)]; }
    server.on("GET", "/s", செயல்(r) { திரும்பு r.parameters; });
    """
    first, second = get(text, "/a", "/s")
    assert read(first) == [{}, "none", "a record"]
    assert read(second) == {}


def test_what_a_handler_changes_in_the_request_is_its_own_copy() -> None:
    text = """
    வழி பெறு, "/a/:id" {
        r = கோரிக்கை; r.path = "/zz"; p = கோரிக்கை.parameters; p.id = "x"; h = headers; h.host = "y";
        request_body = "mine"; param_id = 3;
        பதில் 200, [r.path, r.பாதை, கோரிக்கை.path, கோரிக்கை.parameters, path_params, headers.host, கோரிக்கை.body];
    }"""
    first, second = get(text, "/a/1", "/a/2")
    assert read(first) == ["/zz", "/zz", "/a/1", {"id": "1"}, {"id": "1"}, "localhost", ""]
    assert read(second) == ["/zz", "/zz", "/a/2", {"id": "2"}, {"id": "2"}, "localhost", ""]


def test_words_of_requests_raise_no_request_everywhere_else() -> None:
    text = """
    பணி t() { முயல் { பதில் 200, "child"; } பிழை(e) { திரும்பு e.code; } }
    பணி u() { முயல் { x = கோரிக்கை.path; } பிழை(e) { திரும்பு e.code; } }
    பணி s() { முயல் { அமர்வு_அமை("a", 1); } பிழை(e) { திரும்பு e.code; } }
    செயல் v() { முயல் { x = கோரிக்கை; } பிழை(e) { அச்சு e.code; } }
    v();
    பணி_உருவாக்கு "j" { v(); }
    வழி பெறு, "/t" { பதில் 200, [பணி_காத்திரு(பணி_தொடங்கு(t)), பணி_காத்திரு(பணி_தொடங்கு(u)), பணி_காத்திரு(பணி_தொடங்கு(s)), இணையாக([u])]; }
    வழி பெறு, "/j" { பணி_உருவாக்கு "k" { v(); } உறங்கு(1); பதில் 200, "ok"; }
    """

    async def scenario(service: Service) -> None:
        received = await send(service, "GET", "/t")
        assert read(received) == ["no_request", "no_request", "no_request", ["no_request"]]
        await send(service, "GET", "/j")
        assert service.lines == ["no_request"] * 3

    during(text, scenario)


# ---- paths and methods ----------------------------------------------------------------

PATHS = """
வழி பெறு, "/files/*rest" { பதில் 200, "rest:" & param_rest; }
வழி பெறு, "/files/fixed" { பதில் 200, "fixed"; }
வழி பெறு, "/files/:one" { பதில் 200, "one:" & param_one; }
வழி பெறு, "/m/:a/x" { பதில் 200, "ax"; }
வழி பெறு, "/m/y/:b" { பதில் 200, "yb"; }
வழி பெறு, "/d" { பதில் 200, "first"; }
வழி பெறு, "/d" { பதில் 200, "second"; }
வழி பெறு, "/கோ/:பெயர்" { பதில் 200, கோரிக்கை.path & "|" & param_பெயர்; }
வழி தலை, "/head" { பதில் 200, "own", {"X-H": "1"}; }
வழி பெறு, "/head" { பதில் 200, "get"; }
வழி தெரிவு, "/options" { பதில் 200, "own"; }
வழி purge, "/purge" { பதில் 200, "purged"; }
வழி பெறு, "/" { பதில் 200, "root"; }
"""


@pytest.mark.parametrize(
    ("path", "status", "answer"),
    [
        ("/files/a/b/c", 200, "rest:a/b/c"),
        ("/files/fixed", 200, "fixed"),
        ("/files/x", 200, "one:x"),
        ("/files/a%2Fb", 200, "one:a/b"),
        ("/files/%E0%AE%85", 200, "one:அ"),
        ("/files/a%20b+c", 200, "one:a b+c"),
        ("/files", 200, "rest:"),
        ("/files/", 200, "rest:"),
        ("/m/y/x", 200, "ax"),
        ("/m/y/z", 200, "yb"),
        ("/d", 200, "second"),
        ("/d/", 200, "second"),
        ("//d", 200, "second"),
        ("/d?x=/files/y", 200, "second"),
        ("/கோ/பெ", 200, "/கோ/பெ|பெ"),
        (normalize("NFD", "/கோ/பெ"), 200, "/கோ/பெ|பெ"),
        ("/", 200, "root"),
        ("/files/../x", 400, None),
        ("/files/%2e%2E/x", 400, None),
        ("/files/%00", 400, None),
        ("/files/%zz", 400, None),
        ("/files/%FF", 400, None),
        ("/nowhere", 404, None),
        ("/D", 404, None),
        ("/purge", 405, None),
    ],
)
def test_a_path_leads_to_the_route_that_says_most_of_it(path: str, status: int, answer: str | None) -> None:
    (received,) = get(PATHS, path)
    assert received.status == status
    if answer is not None:
        assert told(received) == answer
    else:
        assert read(received)["status"] == status and read(received)["error"]


def test_head_comes_from_get_options_are_told_and_other_methods_are_405() -> None:
    head, own, options, own_options, post, purge = ask(
        PATHS,
        ("HEAD", "/d"),
        ("HEAD", "/head"),
        ("OPTIONS", "/d"),
        ("OPTIONS", "/options"),
        ("POST", "/d", None, "x"),
        ("PURGE", "/purge"),
    )
    assert (head.status, told(head), head.field("content-type")) == (200, "", "application/json")
    assert (own.status, told(own), own.field("x-h")) == (200, "", "1")
    assert (options.status, told(options)) == (204, "")
    assert set((options.field("allow") or "").split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert told(own_options) == "own"
    assert post.status == 405 and "GET" in (post.field("allow") or "")
    assert told(purge) == "purged"


def test_a_handler_function_is_a_route_with_and_without_options() -> None:
    text = """
    செயல் மறு_(r) { திரும்பு பொய்; }
    செயல் h(r) { பதில் 299, "said"; (r.query.get("v") == "1") எனில் { திரும்பு r.path; } }
    பணி t(r) { return response(201, r.method); }
    server.on("GET", "/h", h);
    server.on("get", "/l", செயல்(r) { திரும்பு {"p": r.பாதை}; });
    server.on("POST", "/t", {"timeout": 3}, t);
    server.on("GET", "/g", {"guards": [மறு_]}, h);
    """
    answers = ask(text, ("GET", "/h"), ("GET", "/h?v=1"), ("GET", "/l"), ("POST", "/t"), ("GET", "/g"))
    assert [(one.status, told(one)) for one in answers[:4]] == [
        (299, "said"),
        (200, "/h"),
        (200, '{"p":"/l"}'),
        (201, "POST"),
    ]
    assert answers[4].status == 403


# ---- machines -------------------------------------------------------------------------


def test_every_request_starts_from_the_template_and_leaves_nothing() -> None:
    text = """
    எண் n = 0;
    g = {"n": 0, "l": [1]};
    செயல் f() { திரும்பு g; }
    வழி பெறு, "/g" { n = n + 1; g.n = g.n + 1; g.l = [7]; x = f(); x.n = 99; பதில் 200, [n, g, f()]; }
    வழி பெறு, "/w" { n = n + 1; உறங்கு(2); n = n + 1; பதில் 200, n; }
    வழி பெறு, "/set" { புதிது = 5; பதில் 200, 1; }
    வழி பெறு, "/get" { பதில் 200, புதிது; }
    வழி பெறு, "/fail" { n = 50; g.n = 50; x = 1 / 0; }
    """

    async def scenario(service: Service) -> None:
        for _ in range(3):
            received = await send(service, "GET", "/g")
            assert read(received)[0] == 1
            assert read(received)[1]["n"] == 1
            await send(service, "GET", "/fail")
        await send(service, "GET", "/set")
        assert (await send(service, "GET", "/get")).status == 500
        answers = []

        async def wait() -> None:
            answers.append(told(await send(service, "GET", "/w")))

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(wait)
        assert answers == ["2"] * 5

    during(text, scenario)


def test_handles_of_the_top_level_are_one_for_all_requests() -> None:
    text = """
    N = அணு_உருவாக்கு(0);
    C = சேனல்_உருவாக்கு("C");
    வழி பெறு, "/n" { பதில் 200, அணு_கூட்டு(N, 1); }
    வழி பதி, "/c" { சேனல்_அனுப்பு(C, request_body); பதில் 202, 1; }
    """

    async def scenario(service: Service) -> None:
        assert [told(await send(service, "GET", "/n")) for _ in range(3)] == ["1", "2", "3"]
        await send(service, "POST", "/c", None, "m")
        assert await service.channel("C").receive() == "m"

    during(text, scenario)


# ---- what a request holds is given back -----------------------------------------------

HOLDING = """
C = சேனல்_உருவாக்கு("C", {"transport": "journal"});
L = பூட்டு_உருவாக்கு("L");
பணி t() { முயல் { உறங்கு(50); அச்சு "alive"; } இறுதியில் { அச்சு "ended"; } }
பணி u() { x = 1 / 0; }
வழி பெறு, "/child" { பணி_தொடங்கு(t); பதில் 200, 1; }
வழி பெறு, "/child-waits" { பணி_தொடங்கு(t); உறங்கு(1); x = 1 / 0; }
வழி பெறு, "/child-fails" { பணி_தொடங்கு(t); x = 1 / 0; }
வழி பெறு, "/child-timeout", {"timeout": 2} { பணி_தொடங்கு(t); உறங்கு(100); }
வழி பெறு, "/child-error" { பணி_தொடங்கு(u); உறங்கு(1); பதில் 200, 1; }
வழி பெறு, "/child-caught" { h = பணி_தொடங்கு(u); முயல் { பணி_காத்திரு(h); } பிழை(e) { பதில் 200, e.code; } }
வழி பெறு, "/take" { x = சேனல்_பெறு(C); பதில் 200, x; }
வழி பெறு, "/take-waits" { x = சேனல்_பெறு(C); உறங்கு(1); y = 1 / 0; }
வழி பெறு, "/take-fails" { x = சேனல்_பெறு(C); y = 1 / 0; }
வழி பெறு, "/take-timeout", {"timeout": 2} { x = சேனல்_பெறு(C); உறங்கு(100); }
வழி பெறு, "/take-header" { x = சேனல்_பெறு(C); உறங்கு(1); பதில் 200, 1, {"a b": "c"}; }
வழி பெறு, "/lock", {"timeout": 2} { பூட்டு_பிடி(L) { உறங்கு(100); } }
வழி பெறு, "/lock-fails" { பூட்டு_பிடி(L) { x = 1 / 0; } }
வழி பெறு, "/free" { பூட்டு_பிடி(L, {"timeout": 1}) { பதில் 200, "free"; } }
"""


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/child", 200),
        ("/child-waits", 500),
        pytest.param("/child-fails", 500),
        ("/child-timeout", 504),
    ],
)
def test_children_of_a_request_end_with_it(path: str, status: int) -> None:
    async def scenario(service: Service) -> None:
        assert (await send(service, "GET", path)).status == status
        ended = list(service.lines)
        await service.advance(100)
        assert "alive" not in service.lines
        assert service.lines == ended

    during(HOLDING, scenario)


def test_the_error_of_a_child_that_nobody_awaited_is_the_requests() -> None:
    answers = get(HOLDING, "/child-error", "/child-caught")
    assert [one.status for one in answers] == [500, 200]
    assert told(answers[1]) == "number.division_by_zero"


@pytest.mark.parametrize(
    "path",
    ["/take-waits", pytest.param("/take-fails"), "/take-timeout", "/take-header"],
)
def test_a_message_that_a_failing_request_took_is_given_back(path: str) -> None:
    async def scenario(service: Service) -> None:
        await service.channel("C").send("m")
        assert (await send(service, "GET", path)).status >= 500
        await service.advance(120)
        assert (await send(service, "GET", "/take")).status == 200

    during(HOLDING, scenario)


@pytest.mark.parametrize("path", ["/lock", "/lock-fails"])
def test_a_lock_is_free_after_the_request_that_held_it(path: str) -> None:
    held, free = get(HOLDING, path, "/free")
    assert held.status >= 500
    assert told(free) == "free"


def test_leaving_in_a_handler_takes_the_service_down_with_that_status() -> None:
    text = 'வழி பெறு, "/a" { பதில் 200, "bye"; வெளியேறு(3); } வழி பெறு, "/b" { முயல் { வெளியேறு(4); } பிழை(e) { } }'

    async def scenario(service: Service) -> None:
        assert not service.is_leaving
        assert told(await send(service, "GET", "/a")) == "bye"
        assert service.is_leaving
        await send(service, "GET", "/b")
        assert service.system.status == 3

    during(text, scenario)


# ---- cookies and sessions -------------------------------------------------------------


class Browser:
    """Keeps cookies, as a browser does."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.jar: dict[str, str] = {}

    async def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: str | bytes = b""
    ) -> Received:
        sent = dict(headers or {})
        if self.jar:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        received = await send(self.service, method, path, sent, body)
        for field in pairs(received, "set-cookie"):
            name, _, rest = field.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.jar.pop(name, None)
            else:
                self.jar[name] = value
        return received


SESSIONS = """
வடிவம் படிவ { a: சொல் };
செயல் f() { அமர்வு_அமை("fn", 1); }
வழி பெறு, "/read" { பதில் 200, அமர்வு; }
வழி பெறு, "/set" { அமர்வு_அமை("user", {"name": "m", "role": "admin"}); பதில் 200, session.user.name; }
வழி பெறு, "/nest" { அமர்வு_அமை("n", {"a": [1, 2.50, மெய், இன்மை, {"த": "அ"}]}); பதில் 200, அமர்வு; }
வழி பெறு, "/remove" { அமர்வு_அமை("n", இன்மை); பதில் 200, அமர்வு; }
வழி பெறு, "/fn" { f(); பதில் 200, 1; }
வழி பெறு, "/big" { t = "x"; எண் i = 0; (i < 13) சுற்று { t = t & t; i = i + 1; } அமர்வு_அமை("big", t); பதில் 200, 1; }
வழி பெறு, "/handle" { அமர்வு_அமை("h", சேனல்_உருவாக்கு()); பதில் 200, 1; }
வழி பெறு, "/mutate" { s = அமர்வு; s.zzz = 1; பதில் 200, s; }
வழி பெறு, "/end" { அமர்வு_முடி(); பதில் 200, அமர்வு; }
வழி பெறு, "/endset" { அமர்வு_முடி(); அமர்வு_அமை("new", 1); பதில் 200, அமர்வு; }
வழி பெறு, "/csrf" { பதில் 200, கோரிக்கை.csrf; }
வழி பதி, "/form" { பதில் 200, கோரிக்கை.form; }
வழி பதி, "/typed", {"body": படிவ} { பதில் 200, கோரிக்கை.json; }
வழி பெறு, "/auth", ["auth"] { பதில் 200, கோரிக்கை.user.name; }
வழி பெறு, "/admin", ["admin"] { பதில் 200, 1; }
வழி பெறு, "/boss", ["boss"] { பதில் 200, 1; }
"""


def test_a_session_is_kept_changed_and_ended() -> None:
    async def scenario(service: Service) -> None:
        browser = Browser(service)
        assert read(await browser.ask("GET", "/read")) == {}
        assert browser.jar == {}
        received = await browser.ask("GET", "/nest")
        assert "HttpOnly" in (received.field("set-cookie") or "")
        assert received.field("cache-control") == "no-store"
        kept = await browser.ask("GET", "/read")
        assert told(kept) == '{"n":{"a":[1,2.50,true,null,{"த":"அ"}]}}'
        assert pairs(kept, "set-cookie") == []
        assert read(await browser.ask("GET", "/fn")) == 1
        assert set(read(await browser.ask("GET", "/remove"))) == {"fn"}
        assert set(read(await browser.ask("GET", "/mutate"))) == {"fn", "zzz"}
        for path in ("/big", "/handle"):
            assert (await browser.ask("GET", path)).status == 500
        assert read(await browser.ask("GET", "/read")) == {"fn": 1}
        assert read(await browser.ask("GET", "/endset")) == {"new": 1}
        assert read(await browser.ask("GET", "/read")) == {"new": 1}
        assert read(await browser.ask("GET", "/end")) == {}
        assert browser.jar == {}

    during(SESSIONS, scenario)


def test_a_session_that_was_tampered_with_is_none() -> None:
    async def scenario(service: Service) -> None:
        browser = Browser(service)
        await browser.ask("GET", "/set")
        good = browser.jar["session"]
        for forged in (good + "x", good[:-1], good.replace(".", "", 1), "", "1.e30.x"):
            browser.jar["session"] = forged
            assert read(await browser.ask("GET", "/read")) == {}

    during(SESSIONS, scenario)


def test_a_session_with_a_user_passes_guards_by_its_role() -> None:
    async def scenario(service: Service) -> None:
        browser = Browser(service)
        assert (await browser.ask("GET", "/auth")).status == 401
        await browser.ask("GET", "/set")
        assert told(await browser.ask("GET", "/auth")) == "m"
        assert (await browser.ask("GET", "/admin")).status == 200
        assert (await browser.ask("GET", "/boss")).status == 403
        await browser.ask("GET", "/end")
        assert (await browser.ask("GET", "/auth")).status == 401

    during(SESSIONS, scenario)


def test_a_form_with_a_session_needs_its_token() -> None:
    async def scenario(service: Service) -> None:
        browser = Browser(service)
        assert (await browser.ask("POST", "/form", FORM, "a=1")).status == 200
        await browser.ask("GET", "/set")
        assert (await browser.ask("POST", "/form", FORM, "a=1")).status == 403
        token = told(await browser.ask("GET", "/csrf"))
        assert token
        assert (await browser.ask("POST", "/form", FORM, f"a=1&_csrf={token}")).status == 200
        assert (await browser.ask("POST", "/form", {**FORM, "X-CSRF-Token": token}, "a=1")).status == 200
        assert (await browser.ask("POST", "/form", {**FORM, "X-CSRF-Token": token[:-1]}, "a=1")).status == 403
        assert (await browser.ask("POST", "/form", FORM, "a=1&_csrf=")).status == 403
        assert (await browser.ask("POST", "/form", FORM, "")).status == 403
        plain = {"content-type": "text/plain"}
        assert (await browser.ask("POST", "/form", plain, "a=1")).status == 403
        json = {"content-type": "application/json"}
        assert (await browser.ask("POST", "/form", json, "{}")).status == 200
        other = Browser(service)
        await other.ask("GET", "/set")
        assert (await other.ask("POST", "/form", FORM, f"a=1&_csrf={token}")).status == 403

    during(SESSIONS, scenario)


LOGIN = """
வழி பதி, "/login" { அமர்வு_அமை("user", {"name": கோரிக்கை.form.name}); பதில் 200, அமர்வு.user.name; }
வழி பதி, "/paid" { பதில் 200, [கோரிக்கை.form.a, அமர்வு]; }
வழி பதி, "/api" { அமர்வு_அமை("n", கோரிக்கை.json.n); பதில் 200, அமர்வு; }
"""
ABROAD = {"host": "kadai.example", "origin": "https://evil.example", "sec-fetch-site": "cross-site"}


@pytest.mark.parametrize("kind", ("application/x-www-form-urlencoded", "text/plain", ""))
@pytest.mark.parametrize("names", (("host", "origin", "sec-fetch-site"), ("host", "origin"), ("sec-fetch-site",)))
def test_a_form_of_another_site_logs_nobody_in(kind: str, names: tuple[str, ...]) -> None:
    async def scenario(service: Service) -> None:
        browser = Browser(service)
        said = {name: ABROAD[name] for name in names} | ({"content-type": kind} if kind else {})
        received = await browser.ask("POST", "/login", said, "name=thief")
        assert received.status in (403, 500)  # what is no form has no name
        if kind == FORM["content-type"]:
            assert received.status == 403 and "http.cors.origins" in received.body.decode()
        assert browser.jar == {}
        assert (await browser.ask("POST", "/paid", {**said, **FORM}, "a=1")).status == 200
        assert browser.jar == {}

    during(LOGIN, scenario)


def test_a_form_of_ones_own_site_and_a_program_log_in() -> None:
    async def scenario(service: Service) -> None:
        for said in (
            {},
            {"sec-fetch-site": "same-origin", "origin": "https://kadai.example"},
            {"origin": "http://kadai.example:8080"},
        ):
            browser = Browser(service)
            headers = {**FORM, "host": "kadai.example:8080", **said}
            assert told(await browser.ask("POST", "/login", headers, "name=malar")) == "malar"
            assert "session" in browser.jar
        json = {"content-type": "application/json", **ABROAD}  # such a one is asked for first (CORS)
        assert (await Browser(service).ask("POST", "/api", json, '{"n": 1}')).status == 200

    during(LOGIN, scenario)


def test_the_token_is_no_field_of_a_typed_form() -> None:
    async def scenario(service: Service) -> None:
        browser = Browser(service)
        token = told(await browser.ask("GET", "/csrf"))
        received = await browser.ask("POST", "/typed", FORM, f"a=1&_csrf={token}")
        assert (received.status, read(received)) == (200, {"a": "1"})

    during(SESSIONS, scenario)


def test_only_who_reads_the_token_gets_a_session_for_it() -> None:
    text = 'வழி பெறு, "/csrf" { பதில் 200, கோரிக்கை.csrf; } வழி பெறு, "/k" { பதில் 200, கோரிக்கை.path; }'
    token, plain = get(text, "/csrf", "/k")
    assert pairs(token, "set-cookie") != []
    assert pairs(plain, "set-cookie") == []


def test_cookies_are_sent_safely_and_read_back() -> None:
    text = """
    வழி பெறு, "/set" { குக்கீ_அமை("a", "தமிழ்; x\\r\\nY", {"Path": "/x", "Max-Age": 60, "SameSite": "Strict"}); பதில் 200, 1; }
    வழி பெறு, "/read" { பதில் 200, கோரிக்கை.குக்கீகள்.a; }
    வழி பெறு, "/name" { குக்கீ_அமை("a b", "x"); }
    வழி பெறு, "/path" { குக்கீ_அமை("a", "x", {"path": "/;\\r\\n"}); }
    வழி பெறு, "/option" { குக்கீ_அமை("a", "x", {"pth": "/"}); }
    வழி பெறு, "/twice" { குக்கீ_அமை("a", "x"); குக்கீ_அமை("b", "y"); பிழை_எழுப்பு("not_found", "m"); }
    """

    async def scenario(service: Service) -> None:
        browser = Browser(service)
        (field,) = pairs(await browser.ask("GET", "/set"), "set-cookie")
        assert "\r" not in field and "\n" not in field
        assert {"Path=/x", "Max-Age=60", "SameSite=Strict"} <= set(field.split("; "))
        assert told(await browser.ask("GET", "/read")) == "தமிழ்; x\r\nY"
        for path in ("/name", "/path", "/option"):
            assert (await browser.ask("GET", path)).status == 500
        received = await browser.ask("GET", "/twice")
        assert received.status == 404
        assert [field.partition("=")[0] for field in pairs(received, "set-cookie")] == ["a", "b"]

    during(text, scenario)


# ---- uploads --------------------------------------------------------------------------


def multipart(*parts: tuple[str, str | None, str | None, bytes], mark: str = "BB") -> tuple[dict[str, str], bytes]:
    """A form with files: name, file name, type, content."""
    body = b""
    for name, filename, kind, content in parts:
        body += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        body += f'; filename="{filename}"'.encode() if filename is not None else b""
        body += f"\r\nContent-Type: {kind}\r\n\r\n".encode() if kind is not None else b"\r\n\r\n"
        body += content + b"\r\n"
    return {"content-type": f"multipart/form-data; boundary={mark}"}, body + f"--{mark}--\r\n".encode()


def test_files_of_a_form_are_described_and_can_be_saved() -> None:
    text = """
    வழி பதி, "/up" { பதிவேற்றம்_சேமி(0, "out.bin"); பதில் 200, [request_fields, request_files, கோரிக்கை.form, request_body]; }
    வழி பதி, "/wrong" {
        ஒவ்வொரு n இல் [5, -1, 0.5, 1000000000000000000000000000] {
            விடை = பதிவேற்றம்_சேமி(n, "wrong.bin"); (தவறா(விடை)) எனில் { அச்சு "no"; }
        }
    }
    """
    headers, body = multipart(
        ("t", None, None, "உரை".encode()),
        ("f", "படம்.png", "image/png", b"\x00\x01\xff"),
        ("f", "../../etc/x", None, b""),
        ("t", None, None, b"two"),
    )

    async def scenario(service: Service) -> None:
        fields, files, form, text_body = read(await send(service, "POST", "/up", headers, body))
        assert fields == form == {"t": "two"}
        assert text_body == ""
        assert [(f["குறியீடு"], f["பெயர்"], f["வகை"], f["அளவு"]) for f in files] == [
            (0, "f", "image/png", 3),
            (1, "f", "application/octet-stream", 0),
        ]
        assert "/" not in files[1]["கோப்புப்_பெயர்"]
        assert service.files.read("out.bin") == b"\x00\x01\xff"
        await send(service, "POST", "/wrong", headers, body)
        assert service.lines == ["no"] * 4
        cut = await send(service, "POST", "/up", headers, body[:-10])
        assert cut.status == 400
        nameless = {"content-type": "multipart/form-data"}
        assert (await send(service, "POST", "/up", nameless, body)).status == 400

    during(text, scenario, files={})


# ---- streams --------------------------------------------------------------------------

STREAMS = """
வழி SSE, "/sse" { ஓடை_அனுப்பு("a\\nb"); ஓடை_அனுப்பு({"x": 1}, {"event": "e", "id": 5}); }
வழி ஓடை, "/guarded", ["auth"] { ஓடை_அனுப்பு("a"); }
வழி STREAM, "/csv" { பதில் 206, "", {"Content-Type": "text/csv"}; ஓடை_அனுப்பு("a,b\\n"); ஓடை_அனுப்பு("c\\n"); }
வழி பாய்வு, "/first-fails" { x = 1 / 0; }
வழி பாய்வு, "/slow", {"timeout": 2} { உறங்கு(10); ஓடை_அனுப்பு("b"); }
வழி பாய்வு, "/late" { ஓடை_அனுப்பு("a"); பதில் 500, "late"; திரும்பு "zz"; }
வழி பாய்வு, "/none" { ஒவ்வொரு r இல் [] { ஓடை_அனுப்பு(r); } }
வழி SSE, "/none-sse" { }
வழி SSE, "/for-ever" { முயல் { (மெய்) சுற்று { ஓடை_அனுப்பு("t"); உறங்கு(1); } } இறுதியில் { அச்சு "gone"; } }
வழி பெறு, "/plain" { முயல் { ஓடை_அனுப்பு("a"); } பிழை(e) { பதில் 200, e.code; } }
வழி WS, "/ws" { m = நேரலை_பெறு(); நேரலை_அனுப்பு(m); }
"""


def test_streams_send_as_they_go() -> None:
    sse, guarded, csv, fails, slow, late, plain, ws = get(
        STREAMS, "/sse", "/guarded", "/csv", "/first-fails", "/slow", "/late", "/plain", "/ws"
    )
    assert told(sse) == 'data: a\ndata: b\n\nevent: e\nid: 5\ndata: {"x":1}\n\n'
    assert (sse.field("content-type") or "").startswith("text/event-stream")
    assert guarded.status == 401
    assert (csv.status, csv.field("content-type"), told(csv)) == (206, "text/csv", "a,b\nc\n")
    assert fails.status == 500
    assert slow.status == 504
    assert (late.status, told(late)) == (200, "a")
    assert told(plain) == "no_request" or plain.status == 200
    assert ws.status == 426


@pytest.mark.parametrize(("path", "kind"), [("/none", "text/plain"), ("/none-sse", "text/event-stream")])
def test_a_stream_that_sends_nothing_is_empty(path: str, kind: str) -> None:
    (received,) = get(STREAMS, path)
    assert (received.status, told(received)) == (200, "")
    assert (received.field("content-type") or "").startswith(kind)


def test_head_of_a_stream_asks_its_guards() -> None:
    (received,) = ask(STREAMS, ("HEAD", "/guarded"))
    assert received.status == 401


def test_a_client_that_has_gone_cancels_a_stream() -> None:
    async def scenario(service: Service) -> None:
        with trio.move_on_after(3.5):
            await send(service, "GET", "/for-ever")
        await service.advance(2)
        assert service.lines == ["gone"]

    during(STREAMS, scenario)


# ---- the founding programs ------------------------------------------------------------


FOUNDING = Path(__file__).parents[1] / "golden" / "founding"


def founding(name: str) -> str:
    """A program of the founding documents, as it stands."""
    return (FOUNDING / name).read_text(encoding="utf-8")


def test_the_smallest_founding_program_answers() -> None:
    hello, health, missing = get(
        founding("00_minimal.qmz"), "/hello", "/health", "/api"
    )
    assert read(hello)["message"] == "Hello from eTamil!"
    assert (read(hello)["timestamp"] or "").startswith("2026-01-01T")
    assert read(health) == {"status": "healthy"}
    assert missing.status == 404


def test_the_founding_backend_wants_to_know_who_asks() -> None:
    (received,) = get(founding("05_backend.qmz"), "/api/users/7")
    assert (received.status, received.field("www-authenticate")) == (401, "Bearer")


def test_the_founding_handlers_answer() -> None:
    (received,) = get(founding("06_concurrent_handlers.qmz"), "/api/users/7")
    assert received.status == 500  # there is no table yet; the handler itself tells the error
    assert set(read(received)) == {"error"}
