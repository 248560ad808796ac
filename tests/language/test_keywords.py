"""The tables of words: nothing is lost, and nothing means two things."""

import pytest

from etamil_actors.language import keywords
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.language.keywords import (
    KEYWORD_NAMED,
    KEYWORD_OF,
    KEYWORDS,
    WORD_OF,
    WORDS,
    is_reserved,
    keyword_of,
)
from etamil_actors.language.options import (
    OPTIONS,
    canonical_option,
    canonical_value,
    options_named,
    spellings_of,
)
from etamil_actors.language.romanise import romanise

# Counted in the language's own list, when the table was made from it.
TOKENS, SPELLINGS = 203, 545

FAMILIES = {
    "type", "literal", "operator", "statement", "sql_clause", "backend", "http_method", "reserved_word",
    "contextual", "plain_word", "financial",
}  # fmt: skip


def test_the_table_has_every_token_and_every_spelling() -> None:
    assert (len(KEYWORDS), len(KEYWORD_OF)) == (TOKENS, SPELLINGS)
    assert {keyword.family for keyword in KEYWORDS} == FAMILIES


def test_the_family_tells_what_may_be_a_name() -> None:
    free = {keyword.family for keyword in KEYWORDS if keyword.name_ok}
    assert free == {"contextual", "plain_word", "financial"}
    assert all(keyword.name_ok for keyword in KEYWORDS if keyword.family in free)


@pytest.mark.parametrize(
    ("spelling", "token"),
    [
        ("எண்", "IntegerType"), ("eN", "IntegerType"), ("_int", "IntegerType"), ("வழி", "Route"),
        ("vazhi", "Route"), ("vazi", "Route"), ("_GST", "GST"), ("நிலை", "Const"),
    ],
)  # fmt: skip
def test_a_word_is_found_by_any_spelling(spelling: str, token: str) -> None:
    keyword = keyword_of(spelling)
    assert keyword is not None and keyword is KEYWORD_NAMED[token]
    assert spelling in keyword.spellings


def test_what_is_no_keyword_is_not_found() -> None:
    assert keyword_of("எண்கள்") is None
    assert keyword_of("EN") is None


def test_reserved_words() -> None:
    assert is_reserved("வரிசை") and is_reserved("_print")
    assert not is_reserved("கணக்கு") and not is_reserved("நிலை") and not is_reserved("பணி")


def test_our_own_words_take_nothing_from_the_language() -> None:
    assert not WORD_OF.keys() & KEYWORD_OF.keys()
    assert all(word.where and word.meaning and word.meaning_tamil for word in WORDS)


def test_a_word_is_found_by_its_derived_spelling() -> None:
    assert WORD_OF["muyal"].word == WORD_OF["முயல்"].word == WORD_OF["_try"].word == "Try"
    assert WORD_OF["पिछा"].word == "Catch"


def test_a_word_that_is_also_a_builtin_is_a_word_of_routes() -> None:
    shared = {WORD_OF[spelling].word for spelling in WORD_OF.keys() & BUILTIN_OF.keys()}
    assert shared <= {"WebSocket"}


def test_a_table_is_read_without_its_heading() -> None:
    assert [row[0] for row in keywords.read_table("options.tsv")].count("where") == 0


@pytest.mark.parametrize(
    ("written", "english"),
    [
        ("காலவரம்பு", "timeout"), ("kAlavarampu", "timeout"), ("timeout", "timeout"), ("cron", "cron"),
        ("எண்ணிக்கை", "instances"), ("காத்திருப்பு", "queue"), ("ஆயுள்", "ttl"),
    ],
)  # fmt: skip
def test_an_option_has_one_english_name(written: str, english: str) -> None:
    assert canonical_option(written) == english


def test_who_knows_what_fits_tells_two_options_apart() -> None:
    assert options_named("எண்ணிக்கை") == ("instances", "concurrency")
    assert canonical_option("எண்ணிக்கை", {"concurrency", "queue"}) == "concurrency"
    assert canonical_option("எண்ணிக்கை", {"queue"}) is None
    assert canonical_option("இல்லாதது") is None
    assert options_named("இல்லாதது") == ()


def test_words_that_are_values_of_options() -> None:
    assert canonical_value("எப்போதும்") == "permanent"
    assert canonical_value("eppOqum") == "permanent"
    assert canonical_value("நிறுத்து") == "cancel"
    assert canonical_value("timeout") is None
    assert canonical_option("எப்போதும்") is None


def test_every_spelling_of_an_option() -> None:
    assert spellings_of("timeout") == ("காலவரம்பு", romanise("காலவரம்பு"), "timeout")
    assert spellings_of("cron") == ("cron",)
    assert spellings_of("unheard_of") == ("unheard_of",)


def test_no_option_is_a_reserved_word() -> None:
    assert not [row for row in OPTIONS if any(is_reserved(spelling) for spelling in row.spellings)]
