"""Which language a client is answered in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.languages import preferred


@pytest.mark.parametrize(("header", "expected"), [
    (None, ""),
    ("", ""),
    ("ta", "ta"),
    ("ta-IN, ta;q=0.9, en;q=0.8", "ta"),
    ("en-GB,en;q=0.9,ta;q=0.95", "en"),
    ("en;q=0.5, ta;q=0.6", "ta"),
    ("en, ta", "en"),
    ("ta, en", "ta"),
    ("fr, en;q=0.3", "en"),
    ("fr-CH, de", ""),
    ("*", ""),
    ("TA-LK", "ta"),
    ("tam", "ta"),
    ("ta;q=0", ""),
    ("ta;q=0, en;q=0.1", "en"),
    ("ta;q=abc, en;q=0.1", "en"),
    ("ta;q=-1, en;q=0.1", "en"),
    ("ta;q=nan, en;q=0.1", "en"),
    ("ta;q=², en;q=0.1", "en"),
    ("en;q=9, ta", "en"),
    ("tamarind, english", ""),
    (",,;;=,", ""),
])  # fmt: skip
def test_the_language_that_weighs_more_is_preferred(header: str | None, expected: str) -> None:
    assert preferred(header) == expected


@given(st.text())
def test_any_header_has_an_answer(header: str) -> None:
    assert preferred(header) in ("ta", "en", "")


def test_only_the_beginning_of_a_very_long_header_is_read() -> None:
    assert preferred("fr," * 1_000_000 + "ta") == ""
