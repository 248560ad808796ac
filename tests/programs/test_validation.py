"""xtype_சரிபார் in programs (EXTENSIONS §10); the kinds themselves are tested in tests/vm/test_kinds.py."""

from __future__ import annotations

import pytest

from etamil_actors.script import run_text
from tests.programs.running import output_of

CATCH = "முயல் {{ {call} }} பிழை(e) {{ அச்சு e.code; அச்சு e.message; அச்சு e.details; }}"


def refusal_of(call: str, before: str = "") -> list[str]:
    return output_of(before + CATCH.format(call=call))


def test_what_is_right_is_answered_as_it_came() -> None:
    assert output_of('அச்சு xtype_சரிபார்("a@b.in", "email") & " " & _validate("600 001", "pincode");') == ["a@b.in 600 001"]


def test_what_is_wrong_is_told_in_both_languages_and_not_repeated() -> None:
    assert refusal_of('xtype_சரிபார்("27AAPFU0939F1ZX", "gstin");') == [
        "validation",
        "gstin: சரிபார்ப்புக் குறி பொருந்தவில்லை  (gstin: its check digit does not fit)",
        "{kind: gstin}",
    ]


@pytest.mark.parametrize(
    ("value", "came"), (("5", "a number"), ("இன்மை", "nil"), ("[]", "an array"), ("{}", "a record"), ("மெய்", "a boolean"))
)
def test_only_a_text_can_be_of_a_kind(value: str, came: str) -> None:
    code, message, _ = refusal_of(f'xtype_சரிபார்({value}, "pan");')
    assert code == "validation"
    assert message.endswith(f"(pan: a text is wanted, not {came})")


def test_a_kind_that_does_not_exist_is_named_with_those_that_do() -> None:
    code, message, _ = refusal_of('xtype_சரிபார்("x", "aadhaar");')
    assert code == "value.invalid"
    assert "there is no kind and no shape ‘aadhaar’; known are email, url, phone" in message


SHAPES = """
வடிவம் முகவரி { ஊர்: உரை, குறிப்பு: உரை? }
வடிவம் பயனர் { பெயர்: உரை, வயது: எண், வீடு: முகவரி }
"""


def test_a_record_becomes_one_of_the_shape() -> None:
    program = SHAPES + """
    ப = xtype_சரிபார்({"பெயர்": "எழில்", "வயது": 30, "வீடு": {"ஊர்": "மதுரை"}}, "பயனர்");
    அச்சு வகை(ப) & " " & வகை(ப.வீடு) & " " & ப.வீடு.ஊர் & " " & ப.வீடு.குறிப்பு;
    """
    assert output_of(program) == ["பயனர் முகவரி மதுரை nil"]


def test_every_part_that_does_not_fit_is_told_by_its_way() -> None:
    code, message, details = refusal_of(
        'xtype_சரிபார்({"பெயர்": "எழில்", "வயது": "x", "வீடு": {"நாடு": "x"}}, "பயனர்");', SHAPES
    )
    assert code == "validation"
    for way in ("பயனர்.வயது", "பயனர்.வீடு.ஊர்", "பயனர்.வீடு.நாடு"):
        assert f"‘{way}’" in message
        assert way in details


@pytest.mark.parametrize("value", ("5", '"x"', "இன்மை", "[]"))
def test_what_is_no_record_is_none_of_a_shape(value: str) -> None:
    assert refusal_of(f'xtype_சரிபார்({value}, "பயனர்");', SHAPES)[0] == "validation"


def test_a_shape_of_the_program_goes_before_a_kind_of_that_name() -> None:
    assert output_of('வடிவம் date { ஆண்டு: எண் }\n அச்சு xtype_சரிபார்({"ஆண்டு": 2026}, "date");') == ["date{ஆண்டு: 2026}"]


def test_a_script_checks_without_a_service() -> None:
    done = run_text('அச்சு xtype_சரிபார்("ABCPD1234E", "pan"); xtype_சரிபார்("x", "pan");')
    assert done.output == "ABCPD1234E\n"
    assert done.fault is not None
    assert done.fault.code == "validation"


def test_the_word_is_a_value_like_any_other() -> None:
    assert output_of('f = xtype_சரிபார்;\n அச்சு f("2026-01-31", "date");') == ["2026-01-31"]


def test_the_name_of_a_shape_may_be_written_in_other_signs_for_the_same_letters() -> None:
    program = 'வடிவம் கொடி { நிறம்: உரை }\nஅச்சு வகை(xtype_சரிபார்({"நிறம்": "நீலம்"}, "க" & "\u0bc6\u0bbe" & "டி"));'
    assert output_of(program) == ["கொடி"]
