"""Conditions of requests: tags, dates, and the order in which they count."""

from __future__ import annotations

import time
from email.utils import formatdate, parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.conditions import (
    Asked,
    Tag,
    Verdict,
    asked_of,
    evaluate,
    http_date,
    may_use_range,
    seconds_of,
    tag_of,
    tags_of,
)

NOW = 1_800_000_000.0
SOME_DAY = 784_111_777
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"
HERE = Tag(b"a")

# ---------------------------------------------------------------- dates


@pytest.mark.parametrize("text", [
    DATE,
    b"Sunday, 06-Nov-94 08:49:37 GMT",
    b"Sun Nov  6 08:49:37 1994",
])  # fmt: skip
def test_all_three_forms_of_a_date_are_read(text: bytes) -> None:
    assert seconds_of(text, NOW) == SOME_DAY


@pytest.mark.parametrize("text", [
    b"", b"0", b"yesterday", b"Sun, 31 Feb 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 24:00:00 GMT",
    b"Sun, 06 Nov 1994 08:60:37 GMT", b"Sun, 06 Nov 1994 08:49:61 GMT", b"Sun, 06 Nov 1994 08:49:37 CET",
    b"Sun, 06 Now 1994 08:49:37 GMT", b"Son, 06 Nov 1994 08:49:37 GMT", b"Sun, 6 Nov 1994 08:49:37 GMT",
    b"Sun, 06 Nov 0000 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT ", b"Sun Nov 06 08:49:37 199",
    DATE + b"\n", DATE * 2, b"Sun, \xd9\xa0\xd9\xa6 Nov 1994 08:49:37 GMT",
])  # fmt: skip
def test_what_is_no_date_is_none(text: bytes) -> None:
    assert seconds_of(text, NOW) is None


def test_a_year_with_two_digits_is_at_most_fifty_years_ahead() -> None:
    assert http_date(seconds_of(b"Sunday, 06-Nov-76 08:49:37 GMT", NOW) or 0)[12:16] == b"2076"
    assert http_date(seconds_of(b"Sunday, 06-Nov-78 08:49:37 GMT", NOW) or 0)[12:16] == b"1978"


def test_a_leap_second_is_read_as_the_one_before() -> None:
    assert seconds_of(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1483228799


@given(st.integers(0, 253_402_300_799))
def test_dates_are_written_as_the_library_writes_them_and_read_again(seconds: int) -> None:
    text = http_date(seconds)
    assert text == formatdate(seconds, usegmt=True).encode()
    assert seconds_of(text, NOW) == seconds == parsedate_to_datetime(text.decode()).timestamp()


@given(st.integers(1980, 2070).map(lambda year: time.gmtime((year - 1970) * 31_556_952)))
def test_the_old_forms_agree_with_the_new_one(moment: time.struct_time) -> None:
    new = seconds_of(time.strftime("%a, %d %b %Y %H:%M:%S GMT", moment).encode(), 1_700_000_000)
    assert seconds_of(time.strftime("%A, %d-%b-%y %H:%M:%S GMT", moment).encode(), 1_700_000_000) == new
    day = f"{moment.tm_mday:2}"
    assert seconds_of(time.strftime(f"%a %b {day} %H:%M:%S %Y", moment).encode(), NOW) == new


@given(st.integers(-(10**15), 10**15))
def test_a_time_outside_the_calendar_is_moved_inside(seconds: int) -> None:
    assert len(http_date(seconds)) == len(DATE)


@given(st.binary(max_size=60))
def test_no_bytes_make_the_reader_of_dates_fail(value: bytes) -> None:
    seconds_of(value, NOW)


# ---------------------------------------------------------------- tags


@pytest.mark.parametrize(("value", "tags"), [
    (b'"a"', [Tag(b"a")]),
    (b'W/"a"', [Tag(b"a", True)]),
    (b'"a", W/"b" ,, "c,d"', [Tag(b"a"), Tag(b"b", True), Tag(b"c,d")]),
    (b',"" ,', [Tag(b"")]),
    ('"கடை"'.encode(), [Tag("கடை".encode())]),
    (b"", None), (b"a", None), (b'"a', None), (b'"a" "b"', None), (b'w/"a"', None), (b'"a"x', None),
    (b'"a", *', None), (b'"a b"', None), (b'"a"\n', None),
])  # fmt: skip
def test_tags_are_read_strictly(value: bytes, tags: list[Tag] | None) -> None:
    assert tags_of(value) == tags


def test_a_tag_is_written_as_it_was_read() -> None:
    for text in (b'"a"', b'W/"a"'):
        tag = tag_of(text)
        assert tag is not None and bytes(tag) == text


@pytest.mark.parametrize(("one", "other", "strong", "weak"), [
    # the table of RFC 9110 §8.8.3.2
    (b'W/"1"', b'W/"1"', False, True),
    (b'W/"1"', b'W/"2"', False, False),
    (b'W/"1"', b'"1"', False, True),
    (b'"1"', b'"1"', True, True),
])  # fmt: skip
def test_tags_are_compared_in_two_ways(one: bytes, other: bytes, strong: bool, weak: bool) -> None:
    first, second = tag_of(one), tag_of(other)
    assert first is not None and second is not None
    assert first.is_same(second) is second.is_same(first) is strong
    assert first.is_alike(second) is second.is_alike(first) is weak


# ---------------------------------------------------------------- the order

EARLIER, LATER = http_date(SOME_DAY - 1), http_date(SOME_DAY + 1)


@pytest.mark.parametrize(("method", "asked", "verdict"), [
    ("GET", Asked(), 200),
    ("PUT", Asked(if_match=b'"a"'), 200),
    ("PUT", Asked(if_match=b'"b", "a"'), 200),
    ("PUT", Asked(if_match=b'W/"a"'), 412),
    ("PUT", Asked(if_match=b'"b"'), 412),
    ("PUT", Asked(if_match=b"*"), 200),
    ("PUT", Asked(if_match=b"garbage"), 412),
    # If-Match settles it; the date is not asked
    ("PUT", Asked(if_match=b'"a"', if_unmodified_since=EARLIER), 200),
    ("PUT", Asked(if_unmodified_since=EARLIER), 412),
    ("PUT", Asked(if_unmodified_since=DATE), 200),
    ("PUT", Asked(if_unmodified_since=b"garbage"), 200),
    ("GET", Asked(if_none_match=b'"a"'), 304),
    ("HEAD", Asked(if_none_match=b'W/"a"'), 304),
    ("GET", Asked(if_none_match=b"*"), 304),
    ("PUT", Asked(if_none_match=b"*"), 412),
    ("GET", Asked(if_none_match=b'"b"'), 200),
    ("GET", Asked(if_none_match=b"garbage"), 200),
    # If-None-Match settles it; the date is not asked
    ("GET", Asked(if_none_match=b'"b"', if_modified_since=LATER), 200),
    ("GET", Asked(if_modified_since=DATE), 304),
    ("GET", Asked(if_modified_since=LATER), 304),
    ("GET", Asked(if_modified_since=EARLIER), 200),
    ("POST", Asked(if_modified_since=LATER), 200),
    ("GET", Asked(if_modified_since=b"garbage"), 200),
    # both halves count
    ("GET", Asked(if_match=b'"a"', if_none_match=b'"a"'), 304),
    ("GET", Asked(if_match=b'"b"', if_none_match=b'"a"'), 412),
])  # fmt: skip
def test_conditions_count_in_their_order(method: str, asked: Asked, verdict: int) -> None:
    assert evaluate(method, asked, HERE, SOME_DAY, NOW) is Verdict(verdict)


def test_what_does_not_exist_matches_no_star() -> None:
    assert evaluate("PUT", Asked(if_match=b"*"), None, None, NOW, exists=False) is Verdict.FAILED
    assert evaluate("PUT", Asked(if_none_match=b"*"), None, None, NOW, exists=False) is Verdict.PROCEED


@pytest.mark.parametrize(("value", "answer"), [
    (None, True), (b'"a"', True), (b'W/"a"', False), (b'"b"', False), (DATE, True), (EARLIER, False),
    (LATER, False), (b"garbage", False), (b'"a", "b"', False),
])  # fmt: skip
def test_a_part_is_sent_only_of_what_the_client_has(value: bytes | None, answer: bool) -> None:
    assert may_use_range(value, HERE, SOME_DAY, NOW) is answer


def test_a_date_of_this_very_second_does_not_vouch_for_the_bytes() -> None:
    assert not may_use_range(DATE, HERE, SOME_DAY, SOME_DAY + 0.5)
    assert may_use_range(DATE, HERE, SOME_DAY, SOME_DAY + 1)


def test_repeated_lists_are_one_and_anything_else_repeated_is_unreadable() -> None:
    asked = asked_of([
        (b"if-none-match", b'"b"'), (b"host", b"x"), (b"if-none-match", b'"a"'),
        (b"range", b"bytes=0-1"), (b"range", b"bytes=2-3"),
    ])  # fmt: skip
    assert asked == Asked(if_none_match=b'"b", "a"', range=b"")
