"""``ps``, ``jobs``, ``channels``, ``dead`` and ``top``, with a process that answers as it is told here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from etamil_actors import cli
from etamil_actors.commands import asking
from etamil_actors.commands.asking import Process, RefusedError, one_line, table

FACTS = {
    "title": "கடை", "config": "/x/config.yaml", "pid": 7, "seconds": 5.0, "memory": 1, "services": [], "urls": [],
    "numbers": {}, "leaving": False,
}  # fmt: skip

Answer = Callable[[dict[str, Any]], dict[str, Any]]


class Told(Process):
    """A process whose answers are made by a function."""

    __slots__ = ()

    def ask(self, **question: Any) -> dict[str, Any]:
        return ANSWERS[-1](question)


ANSWERS: list[Answer] = []


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], None]:
    """The one process that runs answers so."""
    monkeypatch.setattr(asking, "processes", lambda: [Told("", FACTS)])
    return ANSWERS.append


def actor(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "kind": "agent", "state": "running", "restarts": 0, "handled": 0, **more}


def test_nothing_that_a_program_says_moves_the_cursor() -> None:
    assert one_line("கா\u200dபி") == "கா\u200dபி", "ZWJ is part of a word"
    assert one_line("a\x1b[31mb\x07\u202ec") == "a\\x1b[31mb\\x07\\u202ec"
    lines = list(table(["a", "b"], [["x\ny", "z"]]))
    assert lines == ["a      b", "x ⏎ y  z"]


def test_a_dead_letter_is_one_row(answering: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]) -> None:
    letter = {"id": "memory:1", "channel": "வ\x1b[2J", "ago": 1.0, "tries": 1, "code": "x", "tamil": "ஒன்று\nஇரண்டு",
              "english": "ஒன்று\nஇரண்டு", "value": "v\r"}  # fmt: skip
    answering(lambda question: {"letters": [letter], "more": 0})
    assert cli.main(["dead"]) == 0
    said = capsys.readouterr().out
    assert len(said.splitlines()) == 2 and "\x1b" not in said and "\r" not in said


def test_all_means_every_letter_that_was_there(
    answering: Callable[[Answer], None], capsys: pytest.CaptureFixture[str]
) -> None:
    there = list(range(5))
    dealt: list[str] = []

    def answer(question: dict[str, Any]) -> dict[str, Any]:
        if "do" not in question:
            return {"letters": [{"id": f"journal:{one}"} for one in there[:2]], "more": max(len(there) - 2, 0)}
        dealt.append(question["id"])
        there.pop(0)
        if question["do"] == "requeue":
            there.append(99)  # it dies again
        return {"done": True}

    answering(answer)
    assert cli.main(["dead", "requeue", "all"]) == 0
    assert dealt == [f"journal:{one}" for one in range(5)]
    dealt.clear()
    assert cli.main(["dead", "drop", "all"]) == 0
    assert (len(dealt), there) == (5, [])
    assert cli.main(["dead", "drop", "all"]) == 0, "and of none there is nothing to say"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("word", ["ps", "jobs", "channels", "dead", "top"])
@pytest.mark.parametrize("trouble", [OSError("gone"), RefusedError({"tamil": "இல்லை", "english": "no such question"})])
def test_a_process_that_gives_no_answer_is_told(
    answering: Callable[[Answer], None], capsys: pytest.CaptureFixture[str], word: str, trouble: Exception
) -> None:
    def refuse(question: dict[str, Any]) -> dict[str, Any]:
        raise trouble

    answering(refuse)
    assert cli.main([word]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "கடை (7)" in said.err


@pytest.mark.parametrize("words", [["ps"], ["ps", "--json"], ["top"]])
def test_a_reader_that_has_gone_is_no_fault_of_the_process(
    answering: Callable[[Answer], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:  # fmt: skip
    class Closed:
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None: ...

        def isatty(self) -> bool:
            return False

        def fileno(self) -> int:
            raise OSError

    answering(lambda question: FACTS | {"actors": [actor("/root/a\nb")], "more": 0})
    monkeypatch.setattr(sys, "stdout", Closed())
    assert cli.main(words) == cli.BROKEN_PIPE
    assert capsys.readouterr().err == ""
