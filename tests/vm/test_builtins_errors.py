"""Raising errors and the record that a program catches (EXTENSIONS §3)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.errors import Fault, Frame
from etamil_actors.language.builtins import BUILTINS
from etamil_actors.vm.builtins.errors import caught_record
from etamil_actors.vm.builtins.registry import MODULE_OF
from etamil_actors.vm.values import TwoNamed

Call = Callable[..., Any]


def fails(code: str) -> Any:
    """An error with this code is raised inside."""
    return pytest.raises(Fault, check=lambda fault: fault.code == code)


def raised(call: Call, *arguments: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        call("பிழை_எழுப்பு", *arguments)
    return caught.value


def test_a_program_raises_an_error_of_its_own(call: Call) -> None:
    fault = raised(call, "கடை.மூடப்பட்டது", "நாளை வாருங்கள்", {"நாள்": 5})
    assert (fault.code, fault.message, fault.details) == ("கடை.மூடப்பட்டது", "நாளை வாருங்கள்", {"நாள்": 5})


def test_a_message_in_two_languages_is_taken_apart(call: Call) -> None:
    fault = raised(call, "x", "மூடப்பட்டது  (closed)")
    assert (fault.tamil, fault.english) == ("மூடப்பட்டது", "closed")
    assert fault.message == "மூடப்பட்டது  (closed)"


def test_code_and_message_become_text(call: Call) -> None:
    fault = raised(call, 404, [1, 2])
    assert (fault.code, fault.message) == ("404", "[1, 2]")
    assert raised(call, "validation").message == ""
    assert raised(call, "", "m").code == "raised"
    assert raised(call, "c", "{braces} {0} %s").message == "{braces} {0} %s"


def test_details_must_be_a_record(call: Call) -> None:
    fault = raised(call, "x", "y", [1])
    assert fault.code == "value.kind"
    assert "விவரங்களாக ஒரு பொருள்" in fault.message


def test_a_caught_error_has_six_keys_and_both_names() -> None:
    fault = Fault("number.division_by_zero")
    fault.trace = (Frame("கடை.qmz", 3, 9, "கூட்டு"), Frame("கடை.qmz", 12, 1, ""))
    record = caught_record(fault)
    assert record == {
        "code": "number.division_by_zero",
        "message": "சுழியத்தால் வகுக்க முடியாது  (division by zero)",
        "line": 3,
        "place": "கடை.qmz:3:9",
        "details": {},
        "trace": ["கடை.qmz:3:9 கூட்டு", "கடை.qmz:12:1"],
    }
    names = ("குறி", "செய்தி", "வரி", "நிகழ்விடம்", "விவரம்", "தடம்")
    assert [record[name] for name in names] == list(record.values())


def test_a_caught_error_without_a_place() -> None:
    record = caught_record(Fault("timeout", seconds=5))
    assert (record["line"], record["place"], record["trace"]) == (None, "", [])
    assert record["details"] == {"seconds": 5}


def test_details_are_values_of_the_language() -> None:
    fault = Fault(
        "x", details={"a": Decimal("1.5"), "b": (1, "2"), "c": 1.5, "d": ValueError("e"), "f": None}
    )
    assert caught_record(fault)["details"] == {
        "a": Decimal("1.5"),
        "b": [1, "2"],
        "c": "1.5",
        "d": "e",
        "f": None,
    }


def same(first: Fault, second: Fault) -> bool:
    return (first.code, first.tamil, first.english, first.details, tuple(first.trace)) == (
        second.code,
        second.tamil,
        second.english,
        second.details,
        tuple(second.trace),
    )


def test_raising_a_caught_error_again_keeps_everything(call: Call) -> None:
    first = Fault("index.range", index=5, length=2)
    first.trace = (Frame("ஒரு கோப்பு: புதிய.qmz", 1, 1, ""), Frame("b.qmz", 2, 30, "f"))
    second = Fault("db.query", problem="no such table: x")
    second.trace = (Frame("a.qmz", 7, 2, "மீட்பு"),)
    second.earlier = first
    for record in (caught_record(second), dict(caught_record(second))):
        again = raised(call, record)
        assert same(again, second)
        assert again.earlier is not None
        assert (again.earlier.code, again.earlier.message) == (first.code, first.message)
        assert tuple(again.earlier.trace) == first.trace
        assert caught_record(again) == caught_record(second)


def test_an_error_raised_again_where_it_is_handled_has_not_replaced_itself(call: Call) -> None:
    first = Fault("not_found")
    first.trace = (Frame("a.qmz", 1, 1, ""),)
    other = Fault("conflict")
    other.trace = (Frame("a.qmz", 9, 9, ""),)
    try:
        raise first
    except Fault:
        assert raised(call, caught_record(first)).__context__ is None
        assert raised(call, caught_record(other)).__context__ is first
        assert raised(call, "new", "error").__context__ is first


def test_a_caught_error_may_be_changed_before(call: Call) -> None:
    record = caught_record(Fault("not_found"))
    record["code"] = "conflict"
    assert raised(call, record).code == "conflict"
    assert raised(call, {"குறி": "x", "செய்தி": "y", "விவரம்": {"z": 1}}).details == {"z": 1}
    assert raised(call, {}).code == "raised"
    assert raised(call, {"trace": "?", "details": 5, "code": None}).code == "nil"


@given(st.lists(st.text()))
def test_any_trace_can_be_raised_again(trace: list[str]) -> None:
    from etamil_actors.vm.builtins.errors import raise_error

    with pytest.raises(Fault):
        raise_error(TwoNamed({"code": "x", "trace": trace}, {}))


def test_a_trace_has_an_end() -> None:
    fault = Fault("call.depth", limit=1000)
    fault.trace = tuple(Frame("a.qmz", line, 1, "f") for line in range(5000))
    trace = caught_record(fault)["trace"]
    assert len(trace) == 1001
    assert trace[-1] == "…"
    chain = fault
    for number in range(5000):
        chain.earlier = Fault("x", tamil=str(number), english="")
        chain = chain.earlier
    assert len(caught_record(fault)["trace"]) == 1001


# ── words that are not here ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("row", [row for row in BUILTINS if MODULE_OF.get(row.group) == "absent"])
def test_absent_words_say_so(call: Call, row: Any) -> None:
    with pytest.raises(Fault) as caught:
        call(row.english, *[None] * row.least)
    assert caught.value.code == "not_provided"
    assert row.tamil in caught.value.message


def test_service_words_ask_the_world(machine: Any) -> None:
    asked: list[Any] = []
    machine.service = lambda key, arguments: asked.append((key, list(arguments)))
    machine.call("சேவை_பெறு", 5)
    machine.call("log_error", "x", {"a": 1})
    machine.call("வலை_பெறு", "http://x", None)
    assert asked == [
        ("_service", ["5"]), ("_logError", ["x", {"a": 1}]), ("_httpGet", ["http://x", None]),
    ]  # fmt: skip
    with fails("value.kind"):
        machine.call("தளம்_செயல்_பதிவு", "f", "no function", 1)


def test_attempts_on_databases_take_whatever_comes_because_they_raise_nothing(machine: Any) -> None:
    asked: list[Any] = []
    machine.service = lambda key, arguments: asked.append((key, list(arguments)))
    machine.call("தளம்_வினா_முயற்சி", "SELECT 1", "no array")
    machine.call("தளம்_செய்_முயற்சி", "SELECT 1", 5)
    assert asked == [("_tryQuery", ["SELECT 1", "no array"]), ("_tryExecute", ["SELECT 1", 5])]


def test_service_words_say_that_there_is_no_service(call: Call) -> None:
    with fails("not_here"):
        call("உறங்கு", 5)
