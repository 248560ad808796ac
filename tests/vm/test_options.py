"""Options as a word gets them while a program runs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from etamil_actors.errors import Fault
from etamil_actors.language.options import OPTIONS_OF, ROUTE, VALUES_OF, spellings_of, value_spellings
from etamil_actors.vm.options import (
    LONGEST_WAIT,
    count_of,
    flag_of,
    name_and_options,
    read_options,
    seconds_of,
    text_option,
)
from etamil_actors.vm.values import Handle


def fault_of(call: Any, *arguments: Any, **named: Any) -> Fault:
    with pytest.raises(Fault) as caught:
        call(*arguments, **named)
    return caught.value


@pytest.mark.parametrize("word", [*OPTIONS_OF, "route"])
def test_every_option_is_read_in_all_its_spellings(word: str) -> None:
    for name in (ROUTE if word == "route" else OPTIONS_OF[word]).names:
        for spelling in spellings_of(name):
            value = VALUES_OF[name][0] if name in VALUES_OF else 5
            assert read_options({spelling: value}, word) == {name: value}


def test_one_spelling_means_what_the_word_knows() -> None:
    assert read_options({"எண்ணிக்கை": 2}, "_job") == {"instances": 2}
    assert read_options({"எண்ணிக்கை": 2}, "route") == {"concurrency": 2}


def test_an_option_that_is_given_twice_counts_once_and_nothing_counts_as_left_out() -> None:
    assert read_options({"timeout": 1, "காலவரம்பு": 2}, "_receive") == {"timeout": 1}
    assert read_options({"timeout": None, "காலவரம்பு": 2}, "_receive") == {"timeout": 2}
    assert read_options({"timeout": None}, "_receive") == read_options(None, "_receive") == {}


def test_an_unknown_option_is_named_as_it_was_typed() -> None:
    fault = fault_of(read_options, {"கொள்ளலவு": 5}, "_channel")
    assert (fault.code, fault.details) == ("option.unknown", {"name": "கொள்ளலவு"})
    assert fault_of(read_options, {"every": 5}, "_channel").code == "option.unknown"


def test_options_are_a_record() -> None:
    fault = fault_of(read_options, [1], "_channel")
    assert fault.message == (
        "‘சேனல்_உருவாக்கு’: விருப்பங்களின் பொருள் தேவை; அணி கிடைத்தது"
        "  (‘சேனல்_உருவாக்கு’ wants a record of options, not an array)"
    )
    assert fault_of(read_options, 5, "route").details["name"] == "வழி"


@pytest.mark.parametrize("name", VALUES_OF)
def test_words_that_stand_for_values_become_english(name: str) -> None:
    word = next((word for word, takes in OPTIONS_OF.items() if name in takes.names), "route")
    read = {read_options({name: spelling}, word)[name] for spelling in value_spellings(name)}
    assert read == set(VALUES_OF[name])


def test_one_word_may_be_the_value_of_two_options() -> None:
    assert read_options({"வகை": "வரிசை", "ஊடகம்": "redis"}, "_channel") == {
        "kind": "queue",
        "transport": "redis",
    }
    assert read_options({"துண்டித்தால்": "நிறுத்து"}, "route") == {"disconnect": "cancel"}


@pytest.mark.parametrize("value", ["எப்போதாவது", "queue", 5, True, ["wait"]])
def test_a_value_that_is_none_of_the_words_is_refused(value: Any) -> None:
    fault = fault_of(read_options, {"நிரம்பினால்": value}, "_channel")
    assert fault.code == "value.invalid"
    assert fault.details["name"] == "சேனல்_உருவாக்கு: நிரம்பினால்"
    assert "பழையதை_விடு" in fault.tamil
    assert "drop_oldest" in fault.english


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(0, 0.0), (5, 5.0), (Decimal("0.25"), 0.25), (None, 7.5), (10**28, LONGEST_WAIT)],
)
def test_seconds(value: Any, seconds: float) -> None:
    got = seconds_of({"timeout": value}, "timeout", "_receive", 7.5)
    assert (type(got), got) == (float, seconds)


def test_seconds_that_are_not_given_have_no_default_of_their_own() -> None:
    assert seconds_of({}, "timeout", "_receive") is None


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (-1, "value.invalid"),
        (Decimal("-0.1"), "value.invalid"),
        ("5", "value.kind"),
        (True, "value.kind"),
        ([], "value.kind"),
    ],
)
def test_what_is_no_duration(value: Any, code: str) -> None:
    fault = fault_of(seconds_of, {"timeout": value}, "timeout", "_receive")
    assert (fault.code, fault.details["name"]) == (code, "சேனல்_பெறு: காலவரம்பு")


@pytest.mark.parametrize(("value", "count"), [(1, 1), (7, 7), (Decimal("3.00"), 3), (None, 4)])
def test_counts(value: Any, count: int) -> None:
    got = count_of({"permits": value}, "permits", "_lock", 4)
    assert (type(got), got) == (int, count)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "value.invalid"),
        (-3, "value.invalid"),
        (Decimal("1.5"), "value.kind"),
        ("2", "value.kind"),
        (True, "value.kind"),
    ],
)
def test_what_is_no_count(value: Any, code: str) -> None:
    fault = fault_of(count_of, {"permits": value}, "permits", "_lock", 1)
    assert (fault.code, fault.details["name"]) == (code, "பூட்டு_உருவாக்கு: அனுமதிகள்")


def test_a_count_may_begin_elsewhere() -> None:
    assert count_of({"limit": 0}, "limit", "_parallel", 1, least=0) == 0


def test_flags_and_texts() -> None:
    assert flag_of({"singleton": True}, "singleton", "_job") is True
    assert flag_of({}, "singleton", "_job") is False
    assert fault_of(flag_of, {"singleton": 1}, "singleton", "_job").code == "value.kind"
    assert text_option({"tz": "Asia/Kolkata"}, "tz", "_job") == "Asia/Kolkata"
    assert text_option({}, "tz", "_job") is None
    assert fault_of(text_option, {"tz": 5}, "tz", "_job").code == "value.kind"


def test_a_name_and_options_may_both_be_missing() -> None:
    assert name_and_options("_channel", ()) == (None, {})
    assert name_and_options("_channel", ("அ",)) == ("அ", {})
    assert name_and_options("_channel", (7,)) == ("7", {})
    assert name_and_options("_channel", ({"கொள்ளளவு": 5},)) == (None, {"capacity": 5})
    assert name_and_options("_channel", ("அ", {"கொள்ளளவு": 5})) == ("அ", {"capacity": 5})
    assert name_and_options("_channel", (None, None)) == (None, {})
    assert fault_of(name_and_options, "_channel", ({}, {})).code == "value.kind"
    assert fault_of(name_and_options, "_channel", ("அ", 5)).code == "value.kind"


def test_a_handle_is_no_record_of_options() -> None:
    assert fault_of(read_options, Handle(), "_lock").code == "value.kind"
