"""Positions, lines and columns."""

import pytest

from etamil_actors.language.source import Place, Source, SourceMap, clusters


def test_a_byte_order_mark_and_carriage_returns_are_gone_before_anything() -> None:
    assert Source("a", "\ufeffx = 1;\r\ny = 2;\r\n").text == "x = 1;\ny = 2;\n"
    assert Source("a", "x\ufeff\ry").text == "x\ufeff\ry"


@pytest.mark.parametrize(
    ("text", "sought", "place", "code_column"),
    [
        ("x = 1;", "x", (1, 1), 1),
        ("x = 1;\ny = 2;", "2", (2, 5), 5),
        ("அச்சு x;", "x", (1, 5), 7),
        ("கொடுக்காத = 1;", "=", (1, 7), 11),
        ('"👩‍👩‍👧" & x', "x", (1, 7), 11),
        ("\tx", "x", (1, 2), 2),
        ("e\u0301x", "x", (1, 2), 3),
        ("e\u0301x", "\u0301", (1, 1), 2),
        ("a\n\nb", "b", (3, 1), 1),
    ],
)
def test_a_column_counts_what_a_reader_sees(
    text: str, sought: str, place: tuple[int, int], code_column: int
) -> None:
    source = Source("a", text, base=100)
    position = 100 + text.index(sought)
    assert source.place(position) == Place(*place)
    assert source.code_column(position) == code_column
    assert source.line_of(position) == place[0]


def test_the_end_of_a_file_has_a_place() -> None:
    assert Source("a", "").place(0) == (1, 1)
    assert Source("a", "x\n").place(2) == (2, 1)
    assert Source("a", "x").place(1) == (1, 2)
    assert Source("a", "x").place(99) == (1, 2)


def test_lines_are_counted_from_one() -> None:
    source = Source("a", "ஒன்று\n\nமூன்று")
    assert [source.line_text(line) for line in (1, 2, 3)] == ["ஒன்று", "", "மூன்று"]
    assert source.line_count == 3


def test_every_position_of_a_map_belongs_to_one_file() -> None:
    sources = SourceMap()
    first, second, third = sources.add("a", "123"), sources.add("b", ""), sources.add("c", "12")
    assert [sources.find(position).name for position in range(8)] == list("aaaabccc")
    assert (first.end, second.base, third.base) == (3, 4, 5)
    assert sources.find(99) is third


def test_clusters_of_ascii_and_of_tamil() -> None:
    assert list(clusters("ab")) == ["a", "b"]
    assert list(clusters("கிளி")) == ["கி", "ளி"]
    assert list(clusters("a\r\nb")) == ["a", "\r\n", "b"]
    assert list(clusters("")) == []
