"""The kinds of xtype_சரிபார்: known right and wrong texts, and what a check digit catches."""

from __future__ import annotations

from datetime import date as day

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from etamil_actors.vm.kinds import KINDS, gstin_check

RIGHT = {
    "email": (
        "a@b.in", "first.last+tag@sub.example.com", "o'brien@example.ie", "எழில்@எடுத்துக்காட்டு.இந்தியா", "x_y-z@a-b.co",
        "1@2.com", "user@xn--xkc2dl3a5ee0h.in", "a" * 64 + "@example.com",
    ),
    "url": (
        "http://example.com", "https://example.com/a/b?c=d#e", "HTTP://EXAMPLE.COM:8080/", "http://127.0.0.1/", "http://[::1]:80/x",
        "https://user:pass@example.com/", "http://localhost", "https://எடுத்துக்காட்டு.இந்தியா/பக்கம்?அ=1", "http://a.example.",
        "http://example.com?x=1", "http://example.com:",
    ),
    "phone": (
        "9876543210", "+919876543210", "+91 98765 43210", "+91-44-2345-6789", "09876543210", "044-23456789", "+1 (650) 253-0000",
        "+44 20 7946 0958", "+6591234567", "98765-43210", "+49.30.123456",
    ),
    "uuid": (
        "00000000-0000-0000-0000-000000000000", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "F81D4FAE-7DEC-41D0-A765-00A0C91E6BF6",
        "018f4d6e-7b3a-7c3e-9a1b-2c3d4e5f6071",
    ),
    "date": ("2026-01-31", "2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31"),
    "pan": ("ABCPD1234E", "AAPFU0939F", "AAACR5055K", "AAGCB7383J"),
    "gstin": ("27AAPFU0939F1ZV", "29AAGCB7383J1Z4", "24AAACC1206D1ZM", "09AAACH7409R1ZZ"),
    "ifsc": ("SBIN0000300", "HDFC0CAGSBK", "ICIC0000007", "TNSC0010000"),
    "pincode": ("600001", "110001", "600 001", "900056"),
}  # fmt: skip

WRONG = {
    "email": (
        "", "a", "@b.in", "a@", "a@b", "a b@c.in", "a@b c.in", "a@@b.in", ".a@b.in", "a.@b.in", "a..b@c.in", "a@-b.in", "a@b-.in",
        "a@b..in", "a@.in", "a@b.123", "a@b.in\n", "a\n@b.in", "<a@b.in>", "a,b@c.in", "a" * 65 + "@b.in", "a@" + "b" * 64 + ".in",
        "a@" + "b." * 130 + "in", "மின்@ா.இந்தியா", '"a b"@c.in',
    ),
    "url": (
        "", "example.com", "//example.com", "ftp://example.com", "javascript:alert(1)", "http://", "http:///x", "http://a b.com",
        "http://example.com/a b", "http://example.com:99999", "http://example.com:0/", "http://exa_mple.com", "http://-a.com",
        "http://256.1.1.1/", "http://[1]/", "http://a..b/", "http://example.com/\n", "http://example.com/<x>", "http://example.com:x/",
        "http://@/", "http:example.com", " http://example.com",
    ),
    "phone": (
        "", "abc", "12345", "1234567890", "987654321", "98765432101", "+", "+0123456789", "+91 12", "+919876543210123", "98765--43210",
        "-9876543210", "9876543210-", "+1 (650 253-0000", "(+91)9876543210", "9876543210\n", "௯௮௭௬௫௪௩௨௧௦", "+12345", "+1234567890123456",
    ),
    "uuid": (
        "", "f81d4fae7dec11d0a76500a0c91e6bf6", "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}", "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
        "g81d4fae-7dec-11d0-a765-00a0c91e6bf6", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6\n",
    ),
    "date": (
        "", "2026-1-31", "31-01-2026", "2026/01/31", "2026-02-29", "1900-02-29", "2026-02-30", "2026-13-01", "2026-00-10",
        "2026-04-31", "2026-01-00", "0000-01-01", "2026-01-31T00:00:00", "20260131", "2026-05-06\n", "௨௦௨௬-௦௧-௦௧",
    ),
    "pan": ("", "abcpd1234e", "ABCPD1234", "ABCPD12345", "ABCDD1234E", "ABCXD1234E", "ABCPD1234EE", "A1CPD1234E", "ABCPD1234E\n"),
    "gstin": (
        "", "27AAPFU0939F1Z", "27AAPFU0939F1ZX", "27aapfu0939f1zv", "00AAPFU0939F1ZV", "39AAPFU0939F1ZV", "27AAPXU0939F1ZV",
        "27AAPFU0939F0ZV", "27AAPFU0939F1YV", "27AAPFU0939F1ZV\n", "27 AAPFU0939F1ZV",
    ),
    "ifsc": ("", "sbin0000300", "SBIN1000300", "SBI00000300", "SBIN000030", "SBIN00003000", "SB1N0000300", "SBIN0000300\n"),
    "pincode": ("", "000001", "060001", "60001", "6000011", "600  001", "60 0001", "600001\n", "௬௦௦௦௦௧"),
}  # fmt: skip


def cases(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(kind, text) for kind, texts in table.items() for text in texts]


def test_every_kind_has_examples() -> None:
    assert RIGHT.keys() == WRONG.keys() == KINDS.keys()


@pytest.mark.parametrize(("kind", "text"), cases(RIGHT))
def test_what_is_right_is_right(kind: str, text: str) -> None:
    assert KINDS[kind](text) is None


@pytest.mark.parametrize(("kind", "text"), cases(WRONG))
def test_what_is_wrong_is_named_in_both_languages_without_the_text(kind: str, text: str) -> None:
    wrong = KINDS[kind](text)
    assert wrong is not None
    assert any("\u0b80" <= letter <= "\u0bff" for letter in wrong.tamil)
    assert wrong.english
    if len(text) > 4:
        assert text.strip() not in wrong.tamil + wrong.english


@given(st.sampled_from(sorted(KINDS)), st.text(max_size=40))
def test_any_text_is_right_or_wrong_and_nothing_else(kind: str, text: str) -> None:
    wrong = KINDS[kind](text)
    assert wrong is None or (wrong.tamil and wrong.english)


@given(st.sampled_from(cases(RIGHT)), st.integers(0, 60), st.sampled_from("\0\n\r\t \u200b\u202e\ufeff"))
def test_no_hidden_sign_slips_in(case: tuple[str, str], place: int, sign: str) -> None:
    kind, text = case
    assume(kind != "phone" or sign != " ")
    assume(kind != "pincode" or sign != " ")
    assert KINDS[kind](text[: place % (len(text) + 1)] + sign + text[place % (len(text) + 1) :]) is not None


@given(st.dates())
def test_dates_are_those_of_the_calendar(moment: day) -> None:
    assert KINDS["date"](moment.isoformat()) is None


@given(st.integers(1, 9999), st.integers(0, 99), st.integers(0, 99))
def test_what_is_no_day_of_the_calendar_is_wrong(year: int, month: int, number: int) -> None:
    try:
        day(year, month, number)
    except ValueError:
        exists = False
    else:
        exists = True
    assert (KINDS["date"](f"{year:04}-{month:02}-{number:02}") is None) is exists


# ---- the check digit of a GSTIN -------------------------------------------------------

DIGITS, CAPITALS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A right GSTIN."""
    state = draw(st.sampled_from([*range(1, 39), 96, 97, 99]))
    letters = draw(st.text(CAPITALS, min_size=3, max_size=3)) + draw(st.sampled_from("ABCFGHJLPT"))
    rest = draw(st.text(CAPITALS, min_size=1, max_size=1)) + draw(st.text(DIGITS, min_size=4, max_size=4))
    last = draw(st.sampled_from(CAPITALS)) + draw(st.sampled_from("123456789" + CAPITALS))
    body = f"{state:02}{letters}{rest}{last}Z"
    return body + gstin_check(body)


@given(numbers())
def test_a_number_with_its_check_digit_is_right(number: str) -> None:
    assert KINDS["gstin"](number) is None


@given(numbers(), st.integers(0, 14), st.sampled_from(DIGITS + CAPITALS))
def test_any_single_sign_that_is_changed_is_caught(number: str, place: int, sign: str) -> None:
    assume(number[place] != sign)
    changed = number[:place] + sign + number[place + 1 :]
    assert changed[14] != gstin_check(changed[:14])
    assert KINDS["gstin"](changed) is not None


@given(numbers(), st.integers(0, 12))
def test_most_neighbours_that_change_places_are_caught(number: str, place: int) -> None:
    """All of them but pairs whose values differ in a way that doubling does not see: 0 and Z."""
    first, second = number[place], number[place + 1]
    assume(first != second and {first, second} != {"0", "Z"})
    changed = number[:place] + second + first + number[place + 2 :]
    assert changed[14] != gstin_check(changed[:14])
