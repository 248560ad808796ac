"""Writes the reference pages of ``docs/`` from the tables that the runtime itself uses.

    python tools/reference_pages.py            writes them
    python tools/reference_pages.py --check    compares only; status 1 when a page is out of date

Nothing on these pages is typed twice: keywords, builtins, options, settings, problems and error codes come
from their tables and classes, and what a problem's example prints is printed by running it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from etamil_actors.configuration_table import configuration_page  # noqa: E402
from etamil_actors.errors import FAULTS  # noqa: E402
from etamil_actors.language.builtins import BUILTINS, Builtin  # noqa: E402
from etamil_actors.language.keywords import KEYWORDS, WORDS, Keyword, Word  # noqa: E402
from etamil_actors.language.options import OPTIONS, VALUES, Option  # noqa: E402
from etamil_actors.language.problems import Problem, known_problems, render  # noqa: E402
from etamil_actors.language.romanise import romanise  # noqa: E402

DOCS = REPOSITORY / "docs"

MADE = "<!-- This page is made by tools/reference_pages.py from the tables; change those instead. -->\n"

EXAMPLE_NAME = "உதாரணம்.qmz"

# What lies beside an example, for those that import.
BESIDE: dict[str, str | bytes] = {
    "அ.qmz": "செயல் வணங்கு() {\n    அச்சு \"அ\";\n}\n",
    "ஆ.qmz": "செயல் வணங்கு() {\n    அச்சு \"ஆ\";\n}\n",
    "படம்.qmz": b"\x89PNG\r\n\x1a\n",
}


def pages() -> dict[str, str]:
    """Every page by its path below ``docs/``."""
    made = {
        "keywords.md": keywords_page(),
        "builtins.md": builtins_page(),
        "options.md": options_page(),
        "errors.md": errors_page(),
        "configuration.md": configuration_page(),
        "problems/README.md": problems_index(),
    }
    for code, problem in known_problems().items():
        made[f"problems/{code}.md"] = problem_page(problem)
    return {path: MADE + "\n" + text for path, text in made.items()}


# ---- small parts ----------------------------------------------------------------------


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    heads = list(heads)
    lines = [_row(heads), _row("---" for _ in heads)]
    lines += [_row(row) for row in rows]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def code(*words: str) -> str:
    """Words as code, with a comma between."""
    return ", ".join(f"`{word}`" for word in words if word)


def fenced(text: str, language: str = "") -> str:
    """A block of code, with a fence that nothing inside can end."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}\n"


def grouped(rows: Iterable, group_of: Callable[[object], str]) -> Iterator[tuple[str, list]]:  # type: ignore[type-arg]
    """Rows that stand together under one heading, in the order of the table."""
    for group, members in groupby(rows, group_of):
        yield group, list(members)


def paragraphs(docstring: str) -> str:
    """A docstring as running text: double quotes of code become single ones."""
    lines = [line.strip() for line in docstring.strip().splitlines()]
    return "\n".join(lines).replace("``", "`")


# ---- keywords -------------------------------------------------------------------------

KEYWORD_GROUPS = {
    "types": "வகைகள் (types)",
    "literals": "மாறா மதிப்புகள் (literal words)",
    "operators": "செயற்குறிச் சொற்கள் (word operators)",
    "bindings": "பெயரிடலும் வடிவங்களும் (bindings and shapes)",
    "control": "ஓட்டம், செயல்கள், கோப்புகளை இறக்குதல், முனையம் (control flow, functions, modules, console)",
    "files": "கோப்புகள் (files and CSV)",
    "database_statements": "தரவுத்தளக் கூற்றுகள் (database statements)",
    "database_backends": "தரவுத்தள வகைகள் (database back ends)",
    "sql_clauses": "SQL சொற்கள் (SQL clause words)",
    "sql_structure": "SQL கட்டமைப்புச் சொற்கள் (SQL structure words)",
    "http_statements": "வழிகளும் காலமுறைப் பணிகளும் (routes and schedules)",
    "http_methods": "HTTP முறைகள் (HTTP methods)",
    "http_words": "பிற HTTP சொற்கள் (other HTTP words)",
    "security": "பாதுகாப்புச் சொற்கள் (security words)",
    "financial_core": "நிதியும் கணக்கும் (finance and accounting)",
    "financial_documents": "வணிகமும் ஆவணங்களும் (trade and documents)",
    "financial_movement": "பணப் பரிமாற்றம் (money movement)",
    "financial_income_costs": "வருமானமும் செலவும் (income and costs)",
    "financial_reporting": "கணக்குகளும் அறிக்கைகளும் (accounts and reporting)",
    "financial_taxation": "இந்திய வரிகள் (Indian taxation)",
}


def keywords_page() -> str:
    parts = [
        "# சிறப்புச் சொற்கள் (Keywords)\n",
        "பெரும்பாலான சொற்களை மூன்று வகையில் எழுதலாம்: தமிழ், உரோமன் எழுத்து, ‘_’ உடன் தொடங்கும் ஆங்கிலம்; "
        "மூன்றும் ஒன்றே. ‘பெயராகலாம்’ என்ற பத்தியில் ✓ உள்ள சொற்களை மாறி, செயல், புலம் ஆகியவற்றின் "
        "பெயராகவும் பயன்படுத்தலாம்.\n",
        "Most words have three spellings that mean the same: Tamil, romanised, and English with `_` in "
        "front. A word with ✓ may also be the name of a variable, function or field.\n",
    ]
    for group, members in grouped(KEYWORDS, lambda row: row.group):  # type: ignore[attr-defined]
        parts.append(f"## {KEYWORD_GROUPS[group]}\n")
        parts.append(table(
            ("தமிழ்", "உரோமன் (romanised)", "ஆங்கிலம் (English)", "பெயராகலாம் (name)", "பொருள் (meaning)"),
            [_keyword_cells(row) for row in members],
        ))
    parts.append("## இந்த இயக்கி சேர்க்கும் சொற்கள் (Words that this runtime adds)\n")
    parts.append(
        "இவை குறிப்பிட்ட இடத்தில் மட்டுமே சிறப்புச் சொற்கள்; மற்ற எங்கும் சாதாரணப் பெயர்கள்.\n\n"
        "They are keywords only at the place told here and ordinary names everywhere else.\n"
    )
    parts.append(table(
        ("தமிழ்", "உரோமன் (romanised)", "பிற (other)", "எங்கே (where)", "பொருள் (meaning)"),
        [_word_cells(row) for row in WORDS],
    ))
    return "\n".join(parts)


def _keyword_cells(row: Keyword) -> tuple[str, ...]:
    meaning = row.meaning + (f" (since {row.since})" if row.since else "")
    return (row.tamil, code(*row.roman), code(*row.english), "✓" if row.name_ok else "", meaning)


def _word_cells(row: Word) -> tuple[str, ...]:
    roman = romanise(row.tamil) if row.tamil else ""
    meaning = f"{row.meaning_tamil} ({row.meaning})"
    return (row.tamil, code(roman), code(row.english, *row.also), row.where, meaning)


# ---- builtins -------------------------------------------------------------------------

BUILTIN_GROUPS = {
    "collections": "அணிகளும் பொருள்களும் (collections and records)",
    "results": "விளைவுகள் (results)",
    "numbers": "எண்கள் (numbers)",
    "text": "உரை (text)",
    "everyday": "அன்றாடம் (everyday)",
    "json": "ஜேசான் (JSON)",
    "dates": "தேதிகள் (dates)",
    "clock": "நேரம் (time)",
    "files": "கோப்புகள், பொதிகள், பிற நிரல்கள் (files, packages, programs)",
    "settings": "சூழலும் அமைப்புகளும் (environment and settings)",
    "errors": "பிழைகள் (errors)",
    "passwords": "கடவுச்சொற்களும் சீட்டுகளும் (passwords and tokens)",
    "crypto": "மறைப்பும் கையொப்பமும் (encryption and signatures)",
    "tasks": "பணிகள் (tasks)",
    "jobs": "பின்னணிப் பணிகள் (jobs)",
    "channels": "சேனல்கள் (channels)",
    "locks": "பூட்டுகளும் அணு மதிப்புகளும் (locks and atomic cells)",
    "agents": "முகவர்கள் (agents)",
    "routes": "வழிகளும் கோரிக்கைகளும் (routes and requests)",
    "http": "பதில்களும் பதிவேற்றங்களும் (answers and uploads)",
    "web": "வெளி வலை (outbound HTTP)",
    "databases": "தரவுத்தளங்கள் (databases)",
    "redis": "ரெடிஸ் (Redis)",
    "cache": "தற்காலிகச் சேமிப்பு (cache)",
    "auth": "அடையாளமும் அனுமதியும் (authentication and permission)",
    "validation": "சரிபார்ப்பு (validation)",
    "resilience": "மீள்திறன் (resilience)",
    "registry": "முன்பதிகம் (registry)",
    "log": "பதிவு (log)",
    "metrics": "அளவீடுகள் (metrics)",
    "tracing": "தடமறிதல் (tracing)",
    "testing": "சோதனைகள் (tests)",
    "boards": "வன்பலகைகள் (boards)",
    "xml": "கையொப்பமிட்ட XML (signed XML)",
    "mongo": "மொங்கோ (MongoDB)",
    "broker": "செய்தித் தரகர் (message broker)",
    "devices": "சாதனத்திலுள்ள சாவிகள் (keys in a device)",
}

BUILTIN_LEGEND = """\
| எழுத்து (letter) | கொடுக்கப்படுவதற்கு என்ன ஆகும் (what happens to what is passed) |
| --- | --- |
| v | எந்த மதிப்பும் (any value) |
| t | உரையாக்கப்படும் (converted to text) |
| n | எண்ணாக்கப்படும்; எண் அல்லாதது 0 (converted to a number; what is none counts as 0) |
| b | மெய்யா பொய்யா எனப் பார்க்கப்படும் (judged true or false) |
| a | அணியாக இருக்க வேண்டும் (must be an array) |
| r | பொருளாக இருக்க வேண்டும் (must be a record) |
| w | முழு எண்ணாக இருக்க வேண்டும் (must be a whole number) |
| f | செயலாக இருக்க வேண்டும் (must be a function) |
| c | கைப்பிடியாக இருக்க வேண்டும்: சேனல், பூட்டு … (must be a handle: a channel, a lock …) |
"""

FOLLOWS = {
    "record": "பின்னால் ஒரு பொருள் வரலாம் (a record may be written behind it)",
    "block": "பின்னால் ஒரு தொகுதி வரலாம் (a block may be written behind it)",
    "body": "பின்னால் ஓர் உடல் வரும் (a body is written behind it)",
    "name": "அடைப்புக்குறி இல்லாமல் படிக்கப்படும் (read without parentheses)",
}


def builtins_page() -> str:
    parts = [
        "# உள்ளமைந்த செயல்கள் (Builtin functions)\n",
        f"மொத்தம் {len(BUILTINS)}. நிரலில் அதே பெயரில் உள்ள செயலோ மாறியோ உள்ளமைந்ததை மறைக்கும்.\n",
        f"There are {len(BUILTINS)}. A function or variable of the program hides a builtin of its name.\n",
        BUILTIN_LEGEND,
    ]
    for group, members in grouped(BUILTINS, lambda row: row.group):  # type: ignore[attr-defined]
        parts.append(f"## {BUILTIN_GROUPS[group]}\n")
        parts += [_builtin_entry(row) for row in members]
    return "\n".join(parts)


def _builtin_entry(row: Builtin) -> str:
    parameters = "" if row.parameters == "—" else row.parameters
    named = row.takes == "name"
    lines = [
        f"### {row.tamil}" + ("" if named else f"({parameters})").replace("[", "\\["),
        "",
        f"{row.does_tamil}",
        f"({row.does})",
        "",
        f"- எழுதும் வடிவங்கள் (spellings): {code(*row.spellings)}",
    ]
    if row.answers:
        lines.append(f"- விடை (answers): {row.answers}")
    if row.fails:
        lines.append(f"- தோல்வி (fails): {row.fails}")
    if row.takes:
        lines.append(f"- {'; '.join(FOLLOWS[word] for word in row.takes.split())}")
    if row.brings:
        lines.append(f"- தொகுதியில் கிடைக்கும் பெயர் (name in the block): {code(*row.brings.split())}")
    lines.append(f"- முதலில் வந்தது (since): {row.since}")
    return "\n".join(lines) + "\n"


# ---- options --------------------------------------------------------------------------


def options_page() -> str:
    return "\n".join([
        "# விருப்பச் சொற்கள் (Words of options)\n",
        "பொருளில் எழுதும் விருப்பங்களைத் தமிழிலோ உரோமன் எழுத்திலோ ஆங்கிலத்திலோ எழுதலாம். "
        "`cron`, `url` போன்று வெளியிலிருந்து வந்த பெயர்களுக்கு ஒரே வடிவம்.\n",
        "An option may be written in Tamil, romanised or in English. Names that come from elsewhere, such "
        "as `cron` and `url`, have that one form.\n",
        "## விருப்பங்கள் (options)\n",
        _options_table(OPTIONS),
        "## அவற்றின் மதிப்புகள் (their values)\n",
        _options_table(VALUES),
    ])


def _options_table(rows: Iterable[Option]) -> str:
    return table(
        ("தமிழ்", "உரோமன் (romanised)", "ஆங்கிலம் (English)", "எங்கே (where)"),
        [(row.tamil, code(romanise(row.tamil)), code(row.english), row.where) for row in rows if row.tamil],
    )


# ---- errors and problems --------------------------------------------------------------


def errors_page() -> str:
    return "\n".join([
        "# இயங்கும்போது வரும் பிழைகள் (Errors of a running program)\n",
        "`முயல் {…} பிழை(e) {…}` பகுதியில் `e.குறி` இந்தக் குறிகளில் ஒன்றைத் தரும். "
        "`{…}` உள்ள இடங்கள் நிகழ்வுக்கேற்ப நிரப்பப்படும். "
        "நிரல் தன் சொந்தக் குறியுடனும் பிழையை எழுப்பலாம்: `பிழை_எழுப்பு(குறி, செய்தி)`.\n",
        "In `முயல் {…} பிழை(e) {…}`, `e.குறி` (`e.code`) is one of these. What stands in `{…}` is filled in. "
        "A program may raise codes of its own with `பிழை_எழுப்பு(code, message)`. Mistakes that are found "
        "before a program runs are [problems](problems/README.md).\n",
        table(
            ("குறி (code)", "செய்தி (message)", "எப்போது (when)"),
            [(code(kind.code), f"{kind.tamil} ({kind.english})", kind.meaning) for kind in FAULTS],
        ),
    ])


PROBLEM_GROUPS = {
    "E01": "எழுத்துகள் (characters)",
    "W01": "எழுத்துகள்: எச்சரிக்கைகள் (characters: warnings)",
    "E02": "இலக்கணம் (grammar)",
    "W02": "இலக்கணம்: எச்சரிக்கைகள் (grammar: warnings)",
    "E03": "இறக்குமதியும் பெயர்களும் (imports and names)",
    "W03": "பெயர்கள்: எச்சரிக்கைகள் (names: warnings)",
    "E04": "வகைகளும் வடிவங்களும் (types and shapes)",
    "W04": "வகைகள்: எச்சரிக்கைகள் (types: warnings)",
}


def problems_index() -> str:
    parts = [
        "# இயங்கும் முன் கண்டுபிடிக்கப்படும் சிக்கல்கள் (Problems found before a program runs)\n",
        "`etamil-actors check` இவற்றைக் கண்டு சொல்லும். E என்பது பிழை, W என்பது எச்சரிக்கை; "
        "எச்சரிக்கை உள்ள நிரல் இயங்கும்.\n",
        "`etamil-actors check` finds them. E is an error, W a warning; a program with warnings runs.\n",
    ]
    for group, members in grouped(known_problems().values(), lambda problem: problem.code[:3]):  # type: ignore[attr-defined]
        parts.append(f"## {PROBLEM_GROUPS[group]}\n")
        parts.append(table(
            ("குறி (code)", "சிக்கல் (problem)"),
            [(f"[{row.code}]({row.code}.md)", f"{row.tamil} ({row.english})") for row in members],
        ))
    return "\n".join(parts)


def problem_page(problem: type[Problem]) -> str:
    parts = [
        f"# {problem.code}\n",
        f"**{problem.tamil}**\\\n{problem.english}\n",
        paragraphs(problem.__doc__ or "") + "\n",
    ]
    if problem.example:
        parts += [
            "## எடுத்துக்காட்டு (example)\n",
            fenced(_printable(problem.example), "etamil"),
            *_files_beside(problem.example),
            "அச்சிடப்படுவது (what is printed):\n",
            fenced(what_is_printed(problem)),
        ]
    parts.append("[எல்லாச் சிக்கல்களும் (all problems)](README.md)")
    return "\n".join(parts) + "\n"


def _files_beside(example: str) -> Iterator[str]:
    for name, content in BESIDE.items():
        if f'"{name}"' in example:
            yield f"`{name}`:\n"
            yield fenced(content, "etamil") if isinstance(content, str) else fenced(repr(content)[2:-1])


def _printable(text: str) -> str:
    """Characters that cannot be seen, or cannot be written, as their numbers."""
    return "".join(
        letter if letter.isprintable() or letter == "\n" else f"‹U+{ord(letter):04X}›" for letter in text
    )


def what_is_printed(problem: type[Problem]) -> str:
    """What ``check`` says about a problem's example."""
    from etamil_actors.resources.system import SimulatedFiles
    from etamil_actors.script import LIBRARY, read_and_check

    checked = read_and_check(EXAMPLE_NAME, problem.example, SimulatedFiles(BESIDE))
    shown = "\n".join(render(found, checked.sources) for found in checked.problems)
    return shown.replace(LIBRARY, "…")  # where the package lies differs from machine to machine


# ---- writing and comparing ------------------------------------------------------------


def write(wanted: dict[str, str]) -> None:
    """Put every page in its place and remove problem pages of codes that are gone."""
    for path, text in wanted.items():
        page = DOCS / path
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    for page in left_over(wanted):
        page.unlink()


def stale(wanted: dict[str, str]) -> list[str]:
    """What ``write`` would change."""
    differing = [
        path for path, text in wanted.items()
        if not (DOCS / path).exists() or (DOCS / path).read_text(encoding="utf-8") != text
    ]
    return sorted(differing + [str(page.relative_to(DOCS)) for page in left_over(wanted)])


def left_over(wanted: dict[str, str]) -> list[Path]:
    """Problem pages of codes that are gone."""
    return [page for page in (DOCS / "problems").glob("*.md") if str(page.relative_to(DOCS)) not in wanted]


def main(arguments: list[str]) -> int:
    """Write, or with ``--check`` compare."""
    wanted = pages()
    if arguments == ["--check"]:
        differing = stale(wanted)
        for path in differing:
            sys.stderr.write(f"✗ docs/{path}: ‘make docs’ தேவை  (is out of date; run ‘make docs’)\n")
        return 1 if differing else 0
    if arguments:
        sys.stderr.write("✗ பயன்பாடு  (usage): python tools/reference_pages.py [--check]\n")
        return 2
    write(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
