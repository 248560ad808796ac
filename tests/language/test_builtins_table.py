"""The table of builtins: complete, consistent, and with the faces of eTamil 2.0.

``builtins_reference.tsv`` beside this file is the list of the 118 builtins of release 2.0, as its
reference gives them. What the table says of these may not change.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from etamil_actors.language.builtins import BUILTIN_OF, BUILTINS, Builtin
from etamil_actors.language.keywords import KEYWORDS
from etamil_actors.language.romanise import romanise

REFERENCE = [
    line.split("\t")
    for line in (Path(__file__).parent / "builtins_reference.tsv").read_text("utf-8").splitlines()[1:]
]


def counts(parameters: str) -> tuple[str, int, int]:
    """Letters, least and most of a parameter list as the reference writes it."""
    required, _, optional = ("" if parameters == "—" else parameters).partition("[")
    parts = [part.strip(" ]") for part in (*required.split(","), *optional.split(","))]
    letters = "".join(part[0] for part in parts if part)
    return letters, sum(bool(part.strip()) for part in required.split(",")), len(letters)


def test_the_reference_has_118_builtins() -> None:
    assert len(REFERENCE) == 118


@pytest.mark.parametrize(("tamil", "roman", "english", "parameters", "since"), REFERENCE)
def test_a_builtin_of_the_reference_is_in_the_table(
    tamil: str, roman: str, english: str, parameters: str, since: str
) -> None:
    builtin = BUILTIN_OF[tamil]
    assert BUILTIN_OF[roman] is BUILTIN_OF[english] is builtin
    assert (builtin.tamil, builtin.english, builtin.since) == (tamil, english, since)
    assert (builtin.letters, builtin.least, builtin.most) == counts(parameters)


def test_the_reference_describes_all_builtins_that_are_not_ours() -> None:
    assert {builtin.tamil for builtin in BUILTINS if builtin.since != "actors"} == {
        row[0] for row in REFERENCE
    }


@pytest.mark.parametrize("builtin", BUILTINS, ids=lambda builtin: builtin.english)
def test_a_row_is_complete(builtin: Builtin) -> None:
    assert builtin.english.startswith("_")
    assert builtin.english.isascii()
    assert builtin.does
    assert builtin.does_tamil.endswith((".", ")"))
    assert builtin.answers
    assert builtin.takes in ("", "record", "block", "body", "name")
    assert set(builtin.letters) <= set("vtnbarwfc")
    assert builtin.roman != romanise(builtin.tamil), "the derived spelling is not written down"
    assert romanise(builtin.tamil) in builtin.spellings
    for spelling in builtin.spellings:
        assert spelling == unicodedata.normalize("NFC", spelling)
        assert BUILTIN_OF[spelling] is builtin


@pytest.mark.parametrize("builtin", BUILTINS, ids=lambda builtin: builtin.english)
def test_what_is_said_in_tamil_is_written_in_tamil(builtin: Builtin) -> None:
    foreign = {
        sign
        for sign in builtin.tamil + builtin.does_tamil
        if not sign.isascii() and not "\u0b80" <= sign <= "\u0bff" and sign not in "‘’"
    }
    assert not foreign


@pytest.mark.parametrize(
    ("english", "least", "most", "letters", "takes", "brings"),
    [
        ("_raise", 1, 3, "vtv", "", ""),
        ("_spawn", 1, -1, "fv", "", ""),
        ("_await", 1, 2, "cn", "", ""),
        ("_timeout", 1, 1, "n", "block", ""),
        ("_job", 1, 2, "tr", "body", "செய்தி"),
        ("_channel", 0, 2, "vr", "record", ""),
        ("_query", 0, 3, "vvv", "block", "குறி"),
        ("_transaction", 0, 1, "c", "block", ""),
        ("_cacheCompute", 2, 2, "ct", "block", ""),
        ("_retry", 0, 1, "r", "block", ""),
        ("_config", 1, 1, "r", "record", ""),
        ("_session", 0, 0, "", "name", ""),
        ("_reduce", 3, 3, "avf", "", ""),
        ("_slice", 2, 3, "vnn", "", ""),
    ],
)
def test_parameters_are_counted(
    english: str, least: int, most: int, letters: str, takes: str, brings: str
) -> None:
    builtin = BUILTIN_OF[english]
    assert (builtin.least, builtin.most, builtin.letters) == (least, most, letters)
    assert (builtin.takes, builtin.brings) == (takes, brings)


@pytest.mark.parametrize(
    ("founding", "tamil"),
    [
        ("query_async", "விகல்_குறி"), ("query_one", "விகல்_ஒன்று"), ("pool_create", "விகல்_உருவாக்கு"),
        ("log_error", "பதிவு_பிழை"), ("log_info", "பதிவு_தகவல்"), ("env", "சுற்றுச்சூழல்_பெறு"),
        ("पर्यावरण_पान", "சுற்றுச்சூழல்_பெறு"), ("वर्तमान_समय", "இப்போது"), ("நிலை_நேரம்", "இப்போது"),
        ("கேச்_நிர்ணய", "கேச்_அமை"), ("response", "பதில்_ஆக்கு"), ("request", "கோரிக்கை"), ("வேண்டிய", "கோரிக்கை"),
        ("session", "அமர்வு"), ("server.on", "சேவையகம்_வழி"), ("server.start", "சேவையகம்_தொடங்கு"),
        ("सर्वर_शुरुआत", "சேவையகம்_தொடங்கு"), ("परीक्षा_सामन्स", "எதிர்பார்_சமம்"), ("परीक्षा_चलाओ", "பரீட்சை_ஓட்டு"),
        ("क्याप्ति_प्रेषण", "கோரிக்கை_அனுப்பு"), ("பணர०_வெளிப்பாடு", "பணர௦_வெளிப்பாடு"),
    ],
)  # fmt: skip
def test_spellings_of_the_founding_documents(founding: str, tamil: str) -> None:
    assert BUILTIN_OF[founding].tamil == tamil


def test_only_these_spellings_are_hidden_behind_a_keyword() -> None:
    """A keyword that is no name cannot be called; மறை and its like are names."""
    reserved = {s for word in KEYWORDS if not word.name_ok for s in word.spellings}
    hidden = {s for builtin in BUILTINS for s in builtin.spellings if s in reserved}
    assert hidden == {"_join", *(s for s in BUILTIN_OF["_request"].spellings if s in reserved)}
