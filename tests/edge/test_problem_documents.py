"""What a client hears when something goes wrong, and what it does not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from etamil_actors.actors.programs.exchange import STATUS_OF
from etamil_actors.edge.languages import Language
from etamil_actors.edge.problem_documents import (
    TITLES,
    both_words,
    plain_problem,
    problem_body,
    problem_headers,
    title_of,
)
from etamil_actors.errors import FAULTS, Fault, Frame
from etamil_actors.vm.entering import entered
from etamil_actors.vm.values import FieldInfo, ShapeInfo


def told(fault: Fault, status: int, language: Language = "en", **more: Any) -> dict[str, Any]:
    body = problem_body(fault, status, language, request_id="r-1", **more)
    document: dict[str, Any] = json.loads(body)
    return document


def test_an_error_is_told_in_the_clients_language() -> None:
    fault = Fault("auth.forbidden")
    assert told(fault, 403, "ta") == {
        "type": "urn:etamil:auth.forbidden", "title": "அனுமதி இல்லை", "status": 403, "detail": "அனுமதி இல்லை",
        "code": "auth.forbidden", "error": "அனுமதி இல்லை", "request_id": "r-1",
    }
    assert told(fault, 403, "en")["title"] == "Forbidden"
    assert told(fault, 403, "en")["detail"] == "not permitted"
    assert told(fault, 403, "")["detail"] == "அனுமதி இல்லை  (not permitted)"


@pytest.mark.parametrize(("language", "expected"), [("ta", b"ta"), ("en", b"en"), ("", b"ta, en")])
def test_the_headers_say_what_it_is_and_in_which_language(language: Language, expected: bytes) -> None:
    assert problem_headers(language) == [
        (b"content-type", b"application/problem+json; charset=utf-8"), (b"content-language", expected),
    ]


def test_each_wrong_field_has_an_entry_in_the_clients_language() -> None:
    shape = ShapeInfo("பயனர்", {"வயது": FieldInfo("வயது", "Number", "", False)})
    body = FieldInfo("", "Shape", "பயனர்", False)
    with pytest.raises(Fault) as raised:
        entered(body, {"வயது": "பத்து", "எது": 1}, {"பயனர்": shape})
    tamil, english = told(raised.value, 422, "ta"), told(raised.value, 422, "en")
    assert [entry["field"] for entry in tamil["errors"]] == ["வயது", "எது"]
    assert english["errors"][0]["detail"].endswith("is wanted, not a string")
    for entry in tamil["errors"]:
        assert "(" not in entry["detail"] and not any("a" <= letter <= "z" for letter in entry["detail"])
    for entry in english["errors"]:
        assert entry["detail"][-1] != ")"
    both = told(raised.value, 422, "")["errors"][0]["detail"]
    assert both == f"{tamil['errors'][0]['detail']}  ({english['errors'][0]['detail']})"


@pytest.mark.parametrize(("text", "expected"), [
    ("எண் தேவை  (a number is wanted)", ("எண் தேவை", "a number is wanted")),
    ("one text", ("one text", "one text")),
    ("half  (of it", ("half  (of it", "half  (of it")),
    ("அ  (f(x) is none)", ("அ", "f(x) is none")),
])  # fmt: skip
def test_a_message_is_cut_into_its_languages(text: str, expected: tuple[str, str]) -> None:
    assert both_words(text) == expected


@pytest.mark.parametrize(("fault", "status"), [
    (Fault("number.division_by_zero"), 500),
    (Fault("config", problem_ta="ரகசியம்", problem_en="ரகசியம்"), 500),
    (Fault("orders.closed", tamil="ரகசியம்", english="ரகசியம்"), 500),
    (Fault("validation", problem_ta="ரகசியம்", problem_en="ரகசியம்", details={"fields": {"ரகசியம்": "x"}}), 500),
    (Fault("db.unavailable", problem="ரகசியம்"), 503),
    (Fault("channel.unavailable", problem="ரகசியம்"), 503),
])  # fmt: skip
@pytest.mark.parametrize("language", ["ta", "en", ""])
def test_what_went_wrong_inside_stays_inside(fault: Fault, status: int, language: Language) -> None:
    document = told(fault, status, language)
    text = json.dumps(document, ensure_ascii=False)
    assert "ரகசியம்" not in text and "division" not in text and "orders" not in text
    assert document["request_id"] == "r-1"
    assert "errors" not in document


def test_every_error_of_a_client_keeps_its_code() -> None:
    values = {"problem": "x", "problem_ta": "x", "problem_en": "x", "name": "x", "seconds": 3}
    for code, status in STATUS_OF.items():
        assert told(Fault(code, **values), status)["code"] == code


def test_debug_tells_it_all() -> None:
    fault = Fault("number.division_by_zero")
    fault.trace = [Frame("கடை.qmz", 3, 5, "வகு"), Frame("கடை.qmz", 9, 1, "")]
    fault.earlier = Fault("not_found")
    document = told(fault, 500, debug=True)
    assert document["debug"] == {
        "code": "number.division_by_zero",
        "message": fault.message,
        "place": "கடை.qmz:3:5 வகு",
        "trace": ["கடை.qmz:3:5 வகு", "கடை.qmz:9:1"],
        "earlier": "கிடைக்கவில்லை  (not found)",
    }


@pytest.mark.parametrize("fault", [
    Fault("auth.missing"), Fault("validation", problem_ta="x", problem_en="x", details={"fields": {"role": "x"}}),
    Fault("orders.closed", tamil="அ" * 400, english="b"), Fault("number.division_by_zero"),
])  # fmt: skip
def test_an_envelope_has_success_and_data_beside_the_error(fault: Fault) -> None:
    status = STATUS_OF.get(fault.code, 500)
    document, plain = told(fault, status, envelope=True), told(fault, status)
    assert document.pop("success") is False
    assert document.pop("data", "missing") is None
    assert document["error"] == document["detail"]
    assert document == plain


def test_refusals_of_the_edge_come_in_the_envelope_too() -> None:
    plain = json.loads(plain_problem(404, "இல்லை", "none", "en", envelope=True))
    assert (plain["success"], plain["data"], plain["error"]) == (False, None, "Not Found")
    more = json.loads(plain_problem(400, "இல்லை", "none", "en", envelope=True, place="x"))
    assert (more["success"], more["data"], more["place"]) == (False, None, "x")


def test_further_members_do_not_replace_ours() -> None:
    document = told(Fault("conflict"), 409, extra={"status": 1, "balance": Decimal("2.50")}, instance="/a")
    assert document["status"] == 409 and document["balance"] == 2.5 and document["instance"] == "/a"


def test_a_refusal_of_the_edge_keeps_the_short_word_of_before() -> None:
    body = plain_problem(404, "இந்தப் பாதையில் எதுவும் இல்லை", "nothing is at this path", "ta", request_id="r-2")
    assert json.loads(body) == {
        "type": "about:blank", "title": "கிடைக்கவில்லை", "status": 404, "detail": "இந்தப் பாதையில் எதுவும் இல்லை",
        "error": "Not Found", "request_id": "r-2",
    }


def test_a_refusal_may_say_more() -> None:
    document = json.loads(plain_problem(414, "நீளம்", "long", "en", limit="8192"))
    assert (document["limit"], document["detail"], document["request_id"]) == ("8192", "long", "")


def test_every_status_of_ours_has_a_name_in_both_languages() -> None:
    ours = {
        400, 401, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431,
        499, 500, 501, 502, 503, 504, 505,
    }  # fmt: skip
    assert ours | set(STATUS_OF.values()) <= TITLES.keys()
    assert len({title.tamil for title in TITLES.values()}) == len(TITLES)
    assert (title_of(418), title_of(599)) == (TITLES[400], TITLES[500])


@pytest.mark.parametrize("language", ["ta", "en", ""])
def test_every_error_code_makes_a_document(language: Language) -> None:
    for kind in FAULTS:
        fault = Fault(kind.code, tamil=kind.tamil, english=kind.english)
        status = STATUS_OF.get(kind.code, 500)
        assert told(fault, status, language)["status"] == status


@given(st.text(), st.text(), st.text(), st.sampled_from([409, 500]))
@example("\ud800", "\ud800", "\udfff", 409)
def test_any_text_makes_a_document(code: str, tamil: str, english: str, status: int) -> None:
    fault = Fault(code, tamil=tamil, english=english)
    document = told(fault, status, "", debug=True, extra={"x": tamil})
    assert document["type"].isascii()
    assert told(fault, status, "ta")["status"] == status


def test_an_answer_is_not_much_longer_than_what_was_sent() -> None:
    fault = Fault("conflict", tamil="அ" * 10**6, english="a" * 10**6)
    assert len(problem_body(fault, 409, "", request_id="")) < 50_000
    fields = Fault("validation", tamil="", english="", details={"fields": {f"f{n}": "x" for n in range(10_000)}})
    assert len(told(fields, 422)["errors"]) == 100


def test_the_same_refusal_for_another_request_has_its_id() -> None:
    one = problem_body(Fault("conflict"), 409, "en", request_id="r-1")
    other = problem_body(Fault("conflict"), 409, "en", request_id="r-2")
    assert one != other and one.replace(b"r-1", b"r-2") == other
