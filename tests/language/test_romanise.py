"""Tamil words in Latin letters."""

import pytest

from etamil_actors.language.keywords import KEYWORDS, WORDS
from etamil_actors.language.options import OPTIONS, VALUES
from etamil_actors.language.romanise import romanise


@pytest.mark.parametrize("keyword", KEYWORDS, ids=[keyword.token for keyword in KEYWORDS])
def test_the_keyword_list_is_written_with_these_letters(keyword) -> None:
    assert romanise(keyword.tamil) == keyword.roman[0]


@pytest.mark.parametrize(
    ("tamil", "roman"),
    [
        ("எழுத்து", "ezuqqu"),
        ("ஓடை", "OtY"),
        ("ஒவ்வொரு", "ovvoru"),
        ("அஞ்சல்", "aFcal"),
        ("கௌரி", "kVri"),
        ("ஔவை", "VvY"),
        ("அஃது", "aHqu"),
        ("பதிவு_பிழை", "paqivu_pizY"),
        ("xtype_சரிபார்", "xtype_caripAr"),
        ("க", "ka"),
        ("க்", "k"),
        ("தமிழ் நாடு", "qamiz nAtu"),
        ("", ""),
    ],
)
def test_a_letter_for_a_letter(tamil: str, roman: str) -> None:
    assert romanise(tamil) == roman


def test_no_two_words_of_ours_meet_when_romanised() -> None:
    words = {word.tamil for word in (*WORDS, *KEYWORDS, *OPTIONS, *VALUES) if word.tamil}
    assert len({romanise(word) for word in words}) == len(words)
