"""What is wrong with a program, as data: one class per mistake.

The class holds the code and the words in both languages, its docstring is the page of the manual,
and ``example`` is a small program that makes the mistake. An instance adds the place and what
fills the words. Those who find a mistake define it: here stand those of the lexer, the parser and
the loader, ``check_problems.py`` has the checker's.

Codes never change their meaning. E01 is the lexer's, E02 the parser's, E03 imports and names, E04
the checker's; W instead of E is a warning, which keeps no program from running.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from etamil_actors.errors import EtamilError
from etamil_actors.language.source import Source, SourceMap, clusters, width

PROBLEMS: dict[str, type[Problem]] = {}
"""Every kind of problem by its code. ``known_problems()`` makes sure that it is complete."""


class Problem:
    """One mistake at one place. ``values`` fill the texts of the class."""

    code: ClassVar[str] = ""
    tamil: ClassVar[str] = ""
    english: ClassVar[str] = ""
    example: ClassVar[str] = ""

    def __init__(self, start: int, end: int, /, *, suggestion: str | None = None, **values: object) -> None:
        self.start = start
        self.end = end
        self.suggestion = suggestion
        self.values = values

    def __init_subclass__(cls) -> None:
        if cls.code:
            assert cls.code not in PROBLEMS, f"two problems share the code {cls.code}"
            PROBLEMS[cls.code] = cls

    @property
    def severity(self) -> str:
        """ "error", or "warning" for what keeps no program from running."""
        return "warning" if self.code.startswith("W") else "error"

    @property
    def tamil_text(self) -> str:
        return self.tamil.format_map(self.values)

    @property
    def english_text(self) -> str:
        return self.english.format_map(self.values)

    def __repr__(self) -> str:
        return f"<{self.code} {self.start}–{self.end}: {self.english_text}>"


class LoadFailed(EtamilError):
    """A program has mistakes and was not started; ``problems`` has them all."""

    def __init__(self, problems: Sequence[Problem], sources: SourceMap) -> None:
        super().__init__(f"{len(problems)} problem(s)")
        self.problems = list(problems)
        self.sources = sources

    def __str__(self) -> str:
        return "\n".join([render(problem, self.sources) for problem in self.problems])


def known_problems() -> dict[str, type[Problem]]:
    """Every kind of problem, the checker's included, in the order of the codes."""
    import etamil_actors.language.check_problems  # noqa: F401 — it fills the registry

    return dict(sorted(PROBLEMS.items()))


def did_you_mean(word: str) -> str:
    """The suggestion that a near word was meant."""
    return f"‘{word}’ என எழுத எண்ணினீர்களா?  (did you mean ‘{word}’?)"


# ---- showing --------------------------------------------------------------------------

_MOST_SHOWN = 100
"""Clusters of the source line that are shown around the place."""


def render(problem: Problem, sources: SourceMap) -> str:
    """A problem as people read it: the place, both languages, the line with carets, the hint."""
    source = sources.find(problem.start)
    place = source.place(problem.start)
    lines = [
        f"{source.name}: [{problem.code}] வரி {place.line}, நெடுவரிசை {place.column}: {problem.tamil_text}"
        f"  (line {place.line}, column {place.column}: {problem.english_text})"
    ]
    lines += _excerpt(source, place.line, place.column, problem)
    if problem.suggestion:
        lines.append(f"    {problem.suggestion}")
    return "\n".join(lines)


def _excerpt(source: Source, line: int, column: int, problem: Problem) -> list[str]:
    text = list(clusters(source.line_text(line)))
    last = source.place(problem.end)
    until = last.column - 1 if last.line == line else len(text)
    first = max(0, column - _MOST_SHOWN // 2) if len(text) > _MOST_SHOWN else 0
    shown = text[first : first + _MOST_SHOWN]
    before = shown[: column - 1 - first]
    marked = shown[column - 1 - first : max(until, column) - first]
    gutter = f"  {line} | "
    more = "…" if first else ""
    padding = "".join(["\t" if cluster == "\t" else " " * width(cluster) for cluster in before])
    carets = "^" * max(1, sum(map(width, marked)))
    tail = "…" if first + _MOST_SHOWN < len(text) else ""
    return [
        gutter + more + "".join(map(_visible, shown)) + tail,
        " " * (len(gutter) - 2) + "| " + " " * len(more) + padding + carets,
    ]


def _visible(cluster: str) -> str:
    """Control characters of a program must not reach a terminal; a bidi control is one too."""
    return cluster if cluster == "\t" or cluster.isprintable() or len(cluster) > 1 else "\ufffd"


# ---- the lexer ------------------------------------------------------------------------


class UnknownCharacter(Problem):
    """A character stands where no word, number, text or symbol can begin with it.

    Quotation marks other than ``"``, a no-break space, a full-width comma look right and are not.
    A ``%`` belongs directly behind its number.
    """

    code = "E0101"
    tamil = "‘{shown}’ ({point}) என்ற எழுத்து இங்கே வர முடியாது"
    english = "the character ‘{shown}’ ({point}) cannot stand here"
    example = "அச்சு 'வணக்கம்';"


class UnterminatedText(Problem):
    """A text begins with ``"`` and the file ends before it does.

    Every text needs a closing quote. A quote inside a text is written ``\\"``.
    """

    code = "E0102"
    tamil = "இங்கே தொடங்கும் உரை முடியவில்லை; முடிவில் ‘\"’ தேவை"
    english = "the text that begins here has no end; it needs a closing ‘\"’"
    example = 'அச்சு "வணக்கம்;'


class BackslashAtLineEnd(Problem):
    """Inside a text a backslash is the last character of its line.

    A text may span lines without any mark. For a backslash at the end of a line write ``\\\\``.
    """

    code = "E0103"
    tamil = "உரைக்குள் வரியின் கடைசி எழுத்தாக ‘\\’ வர முடியாது"
    english = "a backslash cannot be the last character of a line inside a text"
    example = 'அச்சு "ஒன்று \\\nஇரண்டு";'


class NumberTooLarge(Problem):
    """A number has more integer digits than a number can hold.

    The greatest number is 79228162514264337593543950335.
    """

    code = "E0104"
    tamil = "இந்த எண் மிகப் பெரியது; மிகப் பெரிய எண் 79228162514264337593543950335"
    english = "this number is too large; the largest is 79228162514264337593543950335"
    example = "அச்சு 99999999999999999999999999999;"


class BidirectionalControl(Problem):
    """An invisible character that changes the direction of writing stands outside a text.

    It can make a program look different from what it does, so it is allowed in texts only.
    """

    code = "E0105"
    tamil = "எழுதும் திசையை மாற்றும் மறைந்த எழுத்து ({point}) உரைகளுக்குள் மட்டுமே வரலாம்"
    english = "an invisible character that changes the writing direction ({point}) may stand only in texts"
    example = "அச்சு 1; // \u202e முடிவு"


class NotUtf8(Problem):
    """The file is not UTF-8 text.

    Save it as UTF-8 in your editor. The place is that of the first byte that does not fit.
    """

    code = "E0106"
    tamil = "இந்தக் கோப்பு UTF-8 உரை அல்ல"
    english = "this file is not UTF-8 text"
    example = ""  # no text can show it


class LookAlikeSign(Problem):
    """Inside a Tamil word stands a sign of another Indian script that looks like a Tamil one.

    The word is read with the Tamil sign in its place. ``etamil-actors fmt`` repairs the file.
    """

    code = "W0101"
    tamil = "‘{word}’ என்ற சொல்லில் வேற்றுமொழிக் குறி {given} உள்ளது; {read} எனப் படிக்கப்பட்டது"
    english = "the word ‘{word}’ holds the sign {given} of another script; it is read as {read}"
    example = "மொத\u094dதம் = 5;\nஅச்சு மொத்தம்;"


# ---- the parser -----------------------------------------------------------------------


class UnexpectedToken(Problem):
    """Something else was expected at this place.

    Often the mistake is a little earlier: a missing ``;``, a bracket that was not closed.
    """

    code = "E0201"
    tamil = "{expected_ta} எதிர்பார்க்கப்பட்டது; ‘{found}’ வந்துள்ளது"
    english = "expected {expected_en}, found ‘{found}’"
    example = "அச்சு 1 2;"


class InputEnded(Problem):
    """The file ends in the middle of a statement, a block or a bracket.

    What was opened and not closed is named, when there is one.
    """

    code = "E0202"
    tamil = "{expected_ta} எதிர்பார்க்கப்பட்டது; நிரல் முடிந்துவிட்டது{opened_ta}"
    english = "expected {expected_en}, but the program ends{opened_en}"
    example = "செயல் f() { அச்சு 1;"


class ReservedWord(Problem):
    """A word of the language stands where a name is wanted.

    Many reserved words are everyday nouns: வரிசை, இடம், கோப்பு, படி. As a variable, function or
    field they need another name; as a key of a record or after a dot they may stand in quotes:
    ``{"வரிசை": 1}``, ``r."வரிசை"``.
    """

    code = "E0203"
    tamil = (
        "{expected_ta} எதிர்பார்க்கப்பட்டது; ‘{found}’ வந்துள்ளது. "
        "‘{found}’ மொழிக்கு ஒதுக்கப்பட்ட சொல்; அது பெயராக வர முடியாது"
    )
    english = (
        "expected {expected_en}, found ‘{found}’. "
        "‘{found}’ is reserved for the language and cannot be a name"
    )
    example = "வரிசை = 5;"


class ConditionAlone(Problem):
    """A statement begins with a condition in parentheses, but neither எனில் nor சுற்று follows.

    ``(condition) எனில் { … }`` decides, ``(condition) சுற்று { … }`` repeats. A statement cannot
    begin with ``(`` for any other reason.
    """

    code = "E0204"
    tamil = "நிபந்தனைக்குப் பிறகு ‘எனில்’ அல்லது ‘சுற்று’ எதிர்பார்க்கப்பட்டது; ‘{found}’ வந்துள்ளது"
    english = "expected ‘எனில்’ (if) or ‘சுற்று’ (while) after the condition, found ‘{found}’"
    example = "x = 1;\n(x > 0) { அச்சு x; }"


class FixedWithoutValue(Problem):
    """A name is fixed with நிலை and gets no value.

    A fixed name can never get one later, so it needs it here.
    """

    code = "E0205"
    tamil = "‘{name}’ நிலையானது; அதற்கு இங்கேயே மதிப்பு தேவை: ‘{name} = …;’"
    english = "‘{name}’ is fixed and needs its value here: ‘{name} = …;’"
    example = "நிலை எண் அதிகபட்சம்;"


class MissingComma(Problem):
    """Two fields of a shape are not parted by a comma.

    After a method no comma is needed; after a field it is, unless a method or the end follows.
    """

    code = "E0206"
    tamil = "வடிவத்தின் புலங்களுக்கு இடையே ‘,’ தேவை; ‘{found}’ வந்துள்ளது"
    english = "the fields of a shape are parted by ‘,’; found ‘{found}’"
    example = "வடிவம் புள்ளி { எண் x எண் y }"


class NotRepeatable(Problem):
    """The middle of a chain of comparisons is more than a name, a number, a text or a part of one.

    ``1 <= f(x) <= 12`` would call f twice. Store the value first: ``v = f(x);``.
    """

    code = "E0207"
    tamil = "ஒப்பீட்டுத் தொடரின் நடுவில் உள்ளது இரு முறை கணிக்கப்படும்; அதை முதலில் ஒரு பெயரில் வையுங்கள்"
    english = "the middle of a chain of comparisons is computed twice; store it under a name first"
    example = "f = தரை;\nஅச்சு 1 <= f(2) <= 3;"


class ImportPath(Problem):
    """இறக்கு is followed by something that is not a text written out.

    What a program consists of is known before it runs, so the path cannot be computed.
    """

    code = "E0208"
    tamil = "‘{word}’ சொல்லுக்குப் பிறகு கோப்பின் பாதை மேற்கோள் குறிகளுக்குள் தேவை; ‘{found}’ வந்துள்ளது"
    english = "after ‘{word}’ the path of a file is wanted in quotes; found ‘{found}’"
    example = "இறக்கு நூலகம்;"


class WrongBraces(Problem):
    """A word that takes a record got a block of statements, or the reverse.

    Functions of the program take records only. Which words take a block is told on their page.
    """

    code = "E0209"
    tamil = "‘{name}’ {wanted_ta}; {given_ta} வந்துள்ளது"
    english = "‘{name}’ {wanted_en}, and here stands {given_en}"
    example = 'செயல் f(x) { திரும்பு x; }\nf(1) { அச்சு "உள்ளே"; }'


class NotAStatement(Problem):
    """A value stands alone where something should be done.

    Only a call may stand alone. Store the value (``x = …;``) or print it (``அச்சு …;``).
    """

    code = "E0210"
    tamil = "ஒரு மதிப்பு மட்டும் கட்டளையாகாது; அதை ஒரு பெயரில் வையுங்கள் அல்லது அச்சிடுங்கள்"
    english = "a value alone is not a statement; store it under a name, or print it"
    example = "1 + 2;"


class TooDeepAssignment(Problem):
    """An assignment reaches deeper than one level into a value.

    ``a[0] = …;`` and ``r.x = …;`` change one part of a variable. For ``r.x.y = …;`` take the part
    out, change it and put it back: ``p = r.x; p.y = …; r.x = p;``.
    """

    code = "E0211"
    tamil = "ஒரு பெயரின் நேரடிப் பகுதியை மட்டுமே மாற்றலாம்; இது அதைவிட ஆழமானது"
    english = "only a direct part of a name can be assigned; this reaches deeper"
    example = "a = [[1]];\na[0][0] = 2;"


class MisplacedType(Problem):
    """A type stands before something that declares no name.

    A type belongs before a new name and its value: ``எண் x = 5;``.
    """

    code = "E0212"
    tamil = "‘{type}’ என்ற வகைக்குப் பிறகு ஒரு பெயரின் அறிவிப்பு மட்டுமே வரலாம்"
    english = "after the type ‘{type}’ only the declaration of a name may follow"
    example = "எண் f(1);"


class TooDeep(Problem):
    """Brackets, blocks or imports nest deeper than the language allows.

    Move inner parts into functions.
    """

    code = "E0213"
    tamil = "இது மிக ஆழமாகப் பொதிந்துள்ளது; {limit} நிலைகள் வரை மட்டுமே அனுமதி"
    english = "this is nested too deeply; {limit} levels are allowed"
    example = "அச்சு " + "(" * 150 + "1" + ")" * 150 + ";"


class NotAllowedHere(Problem):
    """A word of the language stands at a place where it cannot be used.

    முகவர் stands at the top level only, நிறுத்தும்போது there or directly in an agent, and
    இல்லையேல் cannot stand beside காலம்.
    """

    code = "E0214"
    tamil = "‘{found}’ இங்கே வர முடியாது: {reason_ta}"
    english = "‘{found}’ cannot stand here: {reason_en}"
    example = "செயல் f() { நிறுத்தும்போது { அச்சு 1; } }"


# ---- the loader -----------------------------------------------------------------------


class ImportNotFound(Problem):
    """An imported file does not exist.

    A relative path is looked for beside the importing file, then in the folders of
    ``ETAMIL_PATH``, then in the library. The message names every place.
    """

    code = "E0301"
    tamil = "‘{path}’ என்ற கோப்பு கிடைக்கவில்லை; தேடிய இடங்கள்: {places}"
    english = "the file ‘{path}’ was not found; looked for it at: {places}"
    example = 'இறக்கு "இல்லாத_கோப்பு.qmz";'


class ImportUnreadable(Problem):
    """An imported file exists and cannot be used: no permission, a folder, or not UTF-8 text."""

    code = "E0302"
    tamil = "‘{path}’ என்ற கோப்பைப் படிக்க முடியவில்லை: {reason_ta}"
    english = "the file ‘{path}’ cannot be read: {reason_en}"
    example = 'இறக்கு "படம்.qmz";'


class FunctionInTwoFiles(Problem):
    """Two imported files define a function of the same name.

    Imports have no namespaces. Rename one of the functions; the main program may redefine an
    imported function, an imported file may not.
    """

    code = "E0303"
    tamil = "‘{name}’ என்ற செயல் ‘{first}’, ‘{second}’ ஆகிய இரு கோப்புகளிலும் உள்ளது"
    english = "the function ‘{name}’ is in two imported files, ‘{first}’ and ‘{second}’"
    example = 'இறக்கு "அ.qmz";\nஇறக்கு "ஆ.qmz";'
