"""Placeholders, comments, literals and semicolons of three kinds of SQL."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import Kind
from etamil_actors.resources.databases.placeholders import (
    arranged,
    first_word,
    is_blank,
    pieces,
    statements,
    translate,
)

KINDS: tuple[Kind, ...] = ("sqlite", "postgres", "mysql")


@pytest.mark.parametrize(
    ("sql", "sqlite", "postgres", "mysql", "count", "order"),
    [
        ("a = ? AND b = ?", "a = ?1 AND b = ?2", "a = $1 AND b = $2", "a = ? AND b = ?", 2, (0, 1)),
        ("$2, $1, $2", "?2, ?1, ?2", "$2, $1, $2", "?, ?, ?", 2, (1, 0, 1)),
        ("?2, ?, ?1", "?2, ?3, ?1", "$2, $3, $1", "?, ?, ?", 3, (1, 2, 0)),
        ("a ?? 'b' ??", "a ? 'b' ?", "a ? 'b' ?", "a ? 'b' ?", 0, ()),
        ("x LIKE '50%?' AND y % ?", "x LIKE '50%?' AND y % ?1", "x LIKE '50%?' AND y % $1", "x LIKE '50%?' AND y % ?", 1, (0,)),
        ("'it''s ?' -- ?\n, ?", "'it''s ?' -- ?\n, ?1", "'it''s ?' -- ?\n, $1", "'it''s ?' -- ?\n, ?", 1, (0,)),
        ("/* ? */ ?", "/* ? */ ?1", "/* ? */ $1", "/* ? */ ?", 1, (0,)),
        ('"அ?" ?', '"அ?" ?1', '"அ?" $1', '"அ?" ?', 1, (0,)),
        ("a1$2 ?", "a1$2 ?1", "a1$2 $1", "a1$2 ?", 1, (0,)),
        ("'not closed ?", "'not closed ?", "'not closed ?", "'not closed ?", 0, ()),
    ],
)  # fmt: skip
def test_placeholders_become_those_of_the_database(
    sql: str, sqlite: str, postgres: str, mysql: str, count: int, order: tuple[int, ...]
) -> None:
    for kind, wanted in zip(KINDS, (sqlite, postgres, mysql), strict=True):
        found = translate(sql, kind)
        assert (found.text, found.count) == (wanted, count)
        assert found.order == (order if kind == "mysql" else None)


@pytest.mark.parametrize(
    ("kind", "sql", "text"),
    [
        ("sqlite", "[a?] `b?` ?", "[a?] `b?` ?1"),
        ("postgres", "$$ ? $$ $t$ ? $$ $t$ ?", "$$ ? $$ $t$ ? $$ $t$ $1"),
        ("postgres", r"E'\' ?' ? 'a\' ?", r"E'\' ?' $1 'a\' $2"),
        ("postgres", "/* a /* ? */ ? */ ?", "/* a /* ? */ ? */ $1"),
        ("mysql", r"'\' ?' ?", r"'\' ?' ?"),
        ("mysql", "`a?` # ?\n ?", "`a?` # ?\n ?"),
        ("mysql", "1--?", "1--?"),
        ("sqlite", "1--?", "1--?"),
    ],
)
def test_each_kind_has_literals_of_its_own(kind: Kind, sql: str, text: str) -> None:
    assert translate(sql, kind).text == text


def test_parameters_are_put_in_order() -> None:
    assert list(arranged(translate("$2, $1, $2", "mysql"), ["a", "b"])) == ["b", "a", "b"]
    assert list(arranged(translate("$2, $1, $2", "postgres"), ["a", "b"])) == ["a", "b"]
    for values in (["a"], ["a", "b", "c"]):
        with pytest.raises(Fault, match=rf"2 parameter\(s\) wanted, {len(values)} given"):
            arranged(translate("$2, $1", "mysql"), values)


@pytest.mark.parametrize("sql", ["?0", "$0", "?32767", "$99999999999999999999"])
def test_a_parameter_with_an_impossible_number_is_refused(sql: str) -> None:
    for kind in KINDS:
        with pytest.raises(Fault) as caught:
            translate(sql, kind)
        assert caught.value.code == "db.query"


@given(st.text(st.sampled_from("ab$?'\"`[]-/*#;\\ \n%e1E தமி()"), max_size=60))
def test_the_pieces_put_together_are_the_text_again(sql: str) -> None:
    for kind in KINDS:
        assert "".join(text for _, text in pieces(sql, kind)) == sql
        translate("".join(text for what, text in pieces(sql, kind) if what != "parameter"), kind)
        statements(sql, kind)
        is_blank(sql, kind)
        first_word(sql, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["'", '"', "/*", "$a$", "-", "?", "''", "\\'", "CREATE TRIGGER begin "])
def test_a_long_text_takes_a_time_that_grows_with_its_length(kind: Kind, part: str) -> None:
    began = time.perf_counter()
    list(pieces(part * 40_000, kind))
    assert time.perf_counter() - began < 3


@pytest.mark.parametrize(
    ("kind", "sql", "wanted"),
    [
        ("sqlite", "a; b;;  ; -- c\n", ["a", "b"]),
        ("sqlite", "a ';' b; \";\" /* ; */", ["a ';' b", '";" /* ; */']),
        ("sqlite", "CREATE TABLE event (begin TEXT, function TEXT); b", ["CREATE TABLE event (begin TEXT, function TEXT)", "b"]),
        (
            "sqlite",
            "CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN UPDATE y SET a = CASE WHEN 1 THEN 2 ELSE 3 END; DELETE FROM z; END; b",
            ["CREATE TEMP TRIGGER t AFTER INSERT ON x BEGIN UPDATE y SET a = CASE WHEN 1 THEN 2 ELSE 3 END; DELETE FROM z; END", "b"],
        ),
        (
            "sqlite",
            "CREATE TRIGGER t AFTER INSERT ON x BEGIN UPDATE y SET a = NEW.end, begin = new.begin; DELETE FROM z; END; b",
            ["CREATE TRIGGER t AFTER INSERT ON x BEGIN UPDATE y SET a = NEW.end, begin = new.begin; DELETE FROM z; END", "b"],
        ),
        (
            "sqlite",
            "CREATE TRIGGER IF NOT EXISTS t AFTER UPDATE OF begin ON x WHEN CASE WHEN 1 THEN 1 END BEGIN SELECT 1; end /**/ ; b",
            [
                "CREATE TRIGGER IF NOT EXISTS t AFTER UPDATE OF begin ON x WHEN CASE WHEN 1 THEN 1 END BEGIN SELECT 1; end /**/",
                "b",
            ],
        ),
        (
            "mysql",
            "CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW BEGIN SET @a = NEW.end; SET @b = 1; END; b",
            ["CREATE TRIGGER t AFTER INSERT ON x FOR EACH ROW BEGIN SET @a = NEW.end; SET @b = 1; END", "b"],
        ),
        (
            "postgres",
            "CREATE FUNCTION f() RETURNS int AS $body$ BEGIN; RETURN 1; END $body$ LANGUAGE plpgsql; b",
            ["CREATE FUNCTION f() RETURNS int AS $body$ BEGIN; RETURN 1; END $body$ LANGUAGE plpgsql", "b"],
        ),
        (
            "mysql",
            "CREATE DEFINER=`a`@`b` PROCEDURE p() BEGIN IF 1 THEN SELECT 2; END IF; WHILE 0 DO SELECT 3; END WHILE; END; b",
            ["CREATE DEFINER=`a`@`b` PROCEDURE p() BEGIN IF 1 THEN SELECT 2; END IF; WHILE 0 DO SELECT 3; END WHILE; END", "b"],
        ),
        ("mysql", r"a '\';' ; b", [r"a '\';'", "b"]),
        ("postgres", "BEGIN; a; END; b", ["BEGIN", "a", "END", "b"]),
    ],
)  # fmt: skip
def test_a_text_is_cut_into_its_statements(kind: Kind, sql: str, wanted: list[str]) -> None:
    assert statements(sql, kind) == wanted


def test_what_a_statement_begins_with() -> None:
    assert first_word("  -- x\n /* y */ SeLect 1", "postgres") == "select"
    assert first_word("((SELECT 1))", "mysql") == "select"
    assert first_word("'a'", "sqlite") == first_word("", "sqlite") == ""
    assert is_blank(" ; -- nothing\n ;", "sqlite")
    assert not is_blank("1", "sqlite")
