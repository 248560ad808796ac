"""The shell as a conversation: lines in, replies out; then the same as a process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from etamil_actors.commands.repl import completer, history_path
from etamil_actors.errors import ExitRequested
from etamil_actors.repl import GOING_ON, READY, Reply, Shell, completions, marked, open_braces

Command = Callable[..., subprocess.CompletedProcess[str]]


class Outcome(NamedTuple):
    output: str = ""
    errors: str = ""
    has_value: bool = False
    value: Any = None


class Recorder:
    """An evaluator that remembers what it was asked and answers what it was told to."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.asked: list[str] = []
        self.known: dict[str, Any] = {}
        self._outcomes = list(outcomes)

    def evaluate(self, text: str) -> Outcome:
        self.asked.append(text)
        return self._outcomes.pop(0) if self._outcomes else Outcome()

    def names(self) -> Mapping[str, Any]:
        return self.known


def shell_of(*outcomes: Outcome) -> tuple[Shell, Recorder]:
    recorder = Recorder(*outcomes)
    return Shell(recorder, str), recorder


# ---- the conversation -----------------------------------------------------------------


def test_a_line_is_evaluated_and_its_output_shown() -> None:
    shell, recorder = shell_of(Outcome(output="வணக்கம்\n"))
    assert shell.feed('அச்சு "வணக்கம்";') == Reply("வணக்கம்\n", "")
    assert recorder.asked == ['அச்சு "வணக்கம்";']


def test_the_value_of_an_expression_follows_its_output() -> None:
    shell, _ = shell_of(Outcome(output="ஒன்று\n", has_value=True, value=2))
    assert shell.feed("f(1)") == Reply("ஒன்று\n2\n")


def test_a_value_of_nothing_is_shown_too() -> None:
    shell, _ = shell_of(Outcome(has_value=True, value=None))
    assert shell.feed("இன்மை").output == "None\n"


def test_an_error_is_marked_and_the_session_goes_on() -> None:
    shell, _ = shell_of(Outcome(errors="சுழியத்தால் வகுக்க முடியாது  (division by zero)"), Outcome(output="ok\n"))
    assert shell.feed("1 / 0") == Reply("", "✗ சுழியத்தால் வகுக்க முடியாது  (division by zero)\n")
    assert not shell.ended
    assert shell.feed("அச்சு 1;").output == "ok\n"


def test_an_input_goes_on_while_a_brace_is_open() -> None:
    shell, recorder = shell_of(Outcome(output="3\n"))
    assert shell.prompt == READY
    assert shell.feed("செயல் f() {") == Reply()
    assert shell.prompt == GOING_ON
    assert shell.feed("  திரும்பு {a: 1};") == Reply()
    assert shell.feed("}").output == "3\n"
    assert shell.prompt == READY
    assert recorder.asked == ["செயல் f() {\n  திரும்பு {a: 1};\n}"]


def test_a_colon_inside_an_open_input_is_no_command() -> None:
    shell, recorder = shell_of()
    shell.feed("x = {")
    shell.feed(":quit")
    shell.feed("};")
    assert not shell.ended
    assert recorder.asked == ["x = {\n:quit\n};"]


def test_an_empty_line_asks_nothing() -> None:
    shell, recorder = shell_of()
    assert shell.feed("") == shell.feed("   ") == Reply()
    assert recorder.asked == []


def test_giving_an_input_up_forgets_it() -> None:
    shell, recorder = shell_of()
    shell.feed("x = {")
    shell.abandon()
    assert shell.prompt == READY
    shell.feed("அச்சு 1;")
    assert recorder.asked == ["அச்சு 1;"]


def test_the_end_of_the_input_takes_what_was_begun_as_it_stands() -> None:
    shell, recorder = shell_of(Outcome(errors="முடிந்துவிட்டது  (the input ended)"))
    shell.feed("x = {")
    assert shell.finish().errors.startswith("✗ ")
    assert shell.ended
    assert recorder.asked == ["x = {"]


@pytest.mark.parametrize("word", [":quit", ":q", "  :q  "])
def test_quit_ends_the_session(word: str) -> None:
    shell, _ = shell_of()
    assert shell.feed(word) == Reply()
    assert shell.ended


@pytest.mark.parametrize("word", [":help", ":h"])
def test_help_names_every_command(word: str) -> None:
    shell, _ = shell_of()
    reply = shell.feed(word)
    assert all(command in reply.output for command in (":help", ":h", ":vars", ":quit", ":q"))


def test_vars_lists_names_and_shortens_long_values() -> None:
    shell, recorder = shell_of()
    recorder.known = {"ஆ": "x" * 1000, "அ": 1}
    first, second = shell.feed(":vars").output.splitlines()
    assert first == "அ = 1"
    assert second.endswith(" …")
    assert len(second) < 250


def test_an_unknown_command_names_the_known_ones() -> None:
    shell, recorder = shell_of()
    reply = shell.feed(":exit")
    assert reply.output == ""
    assert "‘:exit’" in reply.errors
    assert ":quit" in reply.errors
    assert recorder.asked == []


def test_a_program_that_asks_to_leave_ends_the_session_with_its_status() -> None:
    class Leaver(Recorder):
        def evaluate(self, text: str) -> Outcome:
            raise ExitRequested(3)

    shell = Shell(Leaver(), str)
    assert shell.feed("வெளியேறு(3);") == Reply()
    assert (shell.ended, shell.status) == (True, 3)


# ---- braces ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "open_count"),
    [
        ("", 0),
        ("{", 1),
        ("{ { }", 1),
        ("}", -1),
        ('x = "{";', 0),
        ('x = "\\"{";', 0),
        ('x = "\\\\"; {', 1),
        ("// {", 0),
        ("// {\n{", 1),
        ('"// {" {', 1),
        ('"{ unterminated', 0),
        ("a / b {", 1),
    ],
)
def test_braces_count_only_outside_strings_and_comments(text: str, open_count: int) -> None:
    assert open_braces(text) == open_count


def test_errors_are_marked_once() -> None:
    assert marked("") == marked(" \n") == ""
    assert marked("வரி 1") == "✗ வரி 1\n"
    assert marked("✗ வரி 1\n") == "✗ வரி 1\n"


# ---- completion -----------------------------------------------------------------------


def test_keywords_complete_in_every_spelling() -> None:
    assert "அச்சு" in completions("அச்", [])
    assert "accu" in completions("acc", [])
    assert "_print" in completions("_pri", [])


def test_builtins_complete_in_every_spelling() -> None:
    assert "நீளம்" in completions("நீள", [])
    assert "nILam" in completions("nIL", [])
    assert "_length" in completions("_len", [])


def test_names_of_the_program_complete_also_from_latin_letters() -> None:
    assert "மொத்தம்" in completions("மொத்", ["மொத்தம்"])
    assert "மொத்தம்" in completions("moqqa", ["மொத்தம்"])
    assert completions("xyz", ["xyzzy"]) == ["xyzzy"]


def test_commands_complete_and_nothing_completes_nothing() -> None:
    assert completions(":q", []) == [":quit", ":q"]
    assert completions("", ["x"]) == []


def test_the_completer_hands_out_one_word_at_a_time() -> None:
    shell, recorder = shell_of()
    recorder.known = {"zzz_one": 1, "zzz_two": 2}
    complete = completer(shell)
    assert [complete("zzz", position) for position in range(3)] == ["zzz_one", "zzz_two", None]


# ---- the process ----------------------------------------------------------------------


def test_history_is_kept_where_the_desktop_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/srv/state")
    assert history_path() == "/srv/state/etamil-actors/history"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/malar")
    assert history_path() == "/home/malar/.local/state/etamil-actors/history"


def test_variables_and_functions_live_from_line_to_line(command: Command) -> None:
    done = command(
        "repl",
        stdin='x = 5;\nசெயல் இரட்டி(n) {\n  திரும்பு n * 2;\n}\nஇரட்டி(x)\n"வண" & "க்கம்";\nx\n:vars\n',
    )
    assert done.stdout.splitlines()[:3] == ["10", "வணக்கம்", "5"]
    assert "x = 5" in done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")


def test_an_error_does_not_end_the_process(command: Command) -> None:
    done = command("repl", stdin="x = 1 / 0;\nஅச்சு இல்லாதது;\nx = ;\nஅச்சு 7;\n:q\nஅச்சு 8;\n")
    assert done.stdout == "7\n"
    assert done.stderr.count("✗ ") >= 3
    assert done.returncode == 0


def test_leaving_from_a_program_gives_the_status(command: Command) -> None:
    assert command("repl", stdin="வெளியேறு(3);\nஅச்சு 1;\n").returncode == 3


def test_a_declaration_is_no_expression(command: Command) -> None:
    assert command("repl", stdin="x = 5;\nx;\nx\n").stdout == "0\n"
