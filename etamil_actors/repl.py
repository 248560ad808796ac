"""The shell: what it makes of each line, and what could complete a word.

``Shell`` is the conversation without a terminal: a line goes in, what is to be shown comes out.
It knows when an input goes on (a brace is open), the commands that begin with ``:``, and
nothing of how a program runs; that is the evaluator's business (``session.py``). The
terminal, its history and its keys are in ``commands/repl.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from etamil_actors.errors import ExitRequested

READY = "» "
GOING_ON = "…  "

_WIDEST = 200


class Evaluated(Protocol):
    """What came of one input."""

    @property
    def output(self) -> str: ...
    @property
    def errors(self) -> str: ...
    @property
    def has_value(self) -> bool: ...
    @property
    def value(self) -> Any: ...


class Evaluator(Protocol):
    """Runs inputs one after the other and keeps names and functions in between."""

    def evaluate(self, text: str) -> Evaluated:
        """Run one complete input."""

    def names(self) -> Mapping[str, Any]:
        """The names that hold a value now, functions of the program included."""


class Reply(NamedTuple):
    """What is to be shown after a line; both are whole lines or empty."""

    output: str = ""
    errors: str = ""


class Shell:
    """One conversation with a program that grows."""

    def __init__(self, evaluator: Evaluator, text_of: Callable[[Any], str]) -> None:
        self._evaluator = evaluator
        self._text_of = text_of
        self._lines: list[str] = []
        self.ended = False
        self.status = 0
        """The exit status, once it has ended."""

    @property
    def prompt(self) -> str:
        """What stands before the next line."""
        return GOING_ON if self._lines else READY

    def feed(self, line: str) -> Reply:
        """Take one line and answer what is to be shown."""
        if not self._lines and line.lstrip().startswith(":"):
            return self._command(line.strip())
        self._lines.append(line)
        text = "\n".join(self._lines)
        if open_braces(text) > 0:
            return Reply()
        self._lines.clear()
        return self._evaluate(text)

    def finish(self) -> Reply:
        """The input has ended: what was begun is taken as it stands."""
        text = "\n".join(self._lines)
        self._lines.clear()
        self.ended = True
        return self._evaluate(text)

    def abandon(self) -> None:
        """Forget the lines of an input that is not complete yet."""
        self._lines.clear()

    def completions(self, prefix: str) -> list[str]:
        """The words that ``prefix`` could become, as they would be typed."""
        return completions(prefix, self._evaluator.names())

    def _evaluate(self, text: str) -> Reply:
        if not text.strip():
            return Reply()
        try:
            outcome = self._evaluator.evaluate(text)
        except ExitRequested as leaving:
            self.ended, self.status = True, leaving.status
            return Reply()
        output = outcome.output
        if outcome.has_value:
            output += self._text_of(outcome.value) + "\n"
        return Reply(output, marked(outcome.errors))

    def _command(self, line: str) -> Reply:
        word = line.split()[0]
        action = COMMANDS.get(word)
        if action is None:
            known = ", ".join(COMMANDS)
            return Reply(
                errors=f"✗ ‘{word}’ என்ற கட்டளை இல்லை: {known}  (there is no command ‘{word}’: {known})\n"
            )
        return action(self)

    def _help(self) -> Reply:
        return Reply(HELP)

    def _vars(self) -> Reply:
        rows = sorted(self._evaluator.names().items())
        return Reply("".join(f"{name} = {_short(self._text_of(value))}\n" for name, value in rows))

    def _quit(self) -> Reply:
        self.ended = True
        return Reply()


COMMANDS: Mapping[str, Callable[[Shell], Reply]] = {
    ":help": Shell._help,
    ":h": Shell._help,
    ":vars": Shell._vars,
    ":quit": Shell._quit,
    ":q": Shell._quit,
}

HELP = """\
ஒரு கூற்றையோ கோவையையோ எழுதி Enter அழுத்துங்கள்; கோவையின் மதிப்பு அச்சிடப்படும்.
(Type a statement or an expression and press Enter; the value of an expression is printed.)
{ திறந்திருக்கும் வரை உள்ளீடு அடுத்த வரியிலும் தொடரும்; Ctrl-C அதைக் கைவிடும்.
(While a { is open the input goes on with the next line; Ctrl-C gives it up.)
கவனம்: ‘x;’ என்பது x-ஐ 0 ஆக்கும்; மதிப்பைப் பார்க்க ‘x’ என்று மட்டும் எழுதுங்கள்.
(Careful: ‘x;’ sets x to 0; to see its value type ‘x’ alone.)

  :help :h    இந்த உதவி  (this help)
  :vars       இப்போதுள்ள பெயர்களும் மதிப்புகளும்  (the names there are, and their values)
  :quit :q    முடிக்கும்  (ends the shell)
  Tab         சொல்லை நிறைவு செய்யும்  (completes a word)
"""


def marked(errors: str) -> str:
    """Errors as they are shown: with the mark in front, and a line end behind."""
    if not errors.strip():
        return ""
    errors = errors.rstrip("\n") + "\n"
    return errors if errors.startswith(("✗", "⚠")) else f"✗ {errors}"


def open_braces(text: str) -> int:
    """How many ``{`` of a text are still open; strings and comments do not count."""
    depth = 0
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter == "{":
            depth += 1
        elif letter == "}":
            depth -= 1
        elif letter == '"':
            position = _after_string(text, position)
        elif letter == "/" and text.startswith("/", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
    return depth


def _after_string(text: str, position: int) -> int:
    while position < len(text):
        letter = text[position]
        position += 2 if letter == "\\" else 1
        if letter == '"':
            break
    return position


def completions(prefix: str, names: Iterable[str]) -> list[str]:
    """Keywords, builtins, names of the program and commands that begin with ``prefix``.

    A name may be begun in Latin letters as well: ``moqq`` becomes ``மொத்தம்``.
    """
    if prefix.startswith(":"):
        return [word for word in COMMANDS if word.startswith(prefix)]
    if not prefix:
        return []
    from etamil_actors.language.romanise import romanise

    found = {word for word in words_of_the_language() if word.startswith(prefix)}
    for name in names:
        if name.startswith(prefix) or (prefix.isascii() and romanise(name).startswith(prefix)):
            found.add(name)
    return sorted(found)


def words_of_the_language() -> Iterable[str]:
    """Every spelling of every keyword, added word and builtin."""
    from etamil_actors.language.builtins import BUILTIN_OF
    from etamil_actors.language.keywords import KEYWORD_OF, WORD_OF

    yield from KEYWORD_OF
    yield from WORD_OF
    yield from BUILTIN_OF


def _short(text: str) -> str:
    text = text.replace("\n", "\\n")
    return text if len(text) <= _WIDEST else text[:_WIDEST] + " …"
