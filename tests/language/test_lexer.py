"""Text into tokens: what each piece means, and everything that can be wrong with one."""

from decimal import Decimal, localcontext

import pytest

from etamil_actors.language.keywords import KEYWORDS
from etamil_actors.language.lexer import COMMENT, END, NAME, SYMBOLS, canonical_name, is_name, lex
from etamil_actors.language.problems import render
from etamil_actors.language.source import Source, SourceMap


def kinds(text: str) -> list[str]:
    tokens, problems = lex(Source("a", text))
    assert not problems
    assert tokens[-1].kind == END
    return [token.kind for token in tokens[:-1]]


def values(text: str) -> list[object]:
    tokens, problems = lex(Source("a", text))
    assert not problems
    return [token.value for token in tokens[:-1]]


def codes(text: str) -> list[str]:
    return [problem.code for problem in lex(Source("a", text))[1]]


def messages(text: str) -> list[str]:
    sources = SourceMap()
    return [render(problem, sources) for problem in lex(sources.add("a.qmz", text))[1]]


# ---- what means what ------------------------------------------------------------------


def test_spaces_and_comments_mean_nothing() -> None:
    assert kinds("") == kinds(" \t\n\f") == kinds("// எதுவும் இல்லை") == kinds("// a\n  // b\n") == []
    assert kinds("a/ b//c") == [NAME, "/", NAME]


def test_comments_are_given_to_who_asks() -> None:
    tokens, _ = lex(Source("a", "x // ஒன்று\n//"), comments=True)
    assert [(token.kind, token.value) for token in tokens] == [
        (NAME, "x"), (COMMENT, "// ஒன்று"), (COMMENT, "//"), (END, ""),
    ]  # fmt: skip


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_symbol(symbol: str) -> None:
    assert kinds(symbol) == [symbol]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">=", [">="]), ("> =", [">", "="]), ("===", ["==", "="]), ("<==", ["<=", "="]),
        ("..", [".", "."]), ("!==", ["!=", "="]), (">>", [">", ">"]), ("};", ["}", ";"]),
    ],
)  # fmt: skip
def test_the_longest_symbol_is_taken(text: str, expected: list[str]) -> None:
    assert kinds(text) == expected


@pytest.mark.parametrize("keyword", KEYWORDS, ids=[keyword.token for keyword in KEYWORDS])
def test_every_spelling_of_a_keyword_is_its_token(keyword) -> None:
    for spelling in keyword.spellings:
        assert kinds(spelling) == [NAME if keyword.name_ok else keyword.token]
        assert values(spelling) == [spelling]


@pytest.mark.parametrize(
    "name",
    [
        "x", "_", "_1", "aB9", "எண்கள்", "கணக்கு", "நிலை", "பணி", "௧", "ா", "்க", "௳x", "பெயர்_2", "ÉCOLE",
        "переменная", "変数", "कार्य", "e\u0301", "தரம்x", "அணு०",
    ],
)  # fmt: skip
def test_a_name(name: str) -> None:
    assert [token.kind for token in lex(Source("a", name))[0]] == [NAME, END]
    assert is_name(name)


@pytest.mark.parametrize("text", ["", "1a", "a b", "a-b", "\u0301", "१", "\u094dx", "a.b", '"a"'])
def test_what_is_no_name(text: str) -> None:
    assert not is_name(text)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("007", 7), ("12", 12), ("3.75", Decimal("3.75")), ("1.50", Decimal("1.50")),
        ("3.00", Decimal("3.00")), ("0.0", Decimal("0.0")), ("18%", Decimal("0.18")), ("50%", Decimal("0.5")),
        ("100%", 1), ("0%", 0), ("0.00%", 0), ("12.50%", Decimal("0.125")), ("1.00%", Decimal("0.01")),
        ("100.00%", Decimal("1.00")),
        ("79228162514264337593543950335", 79228162514264337593543950335),
        ("79228162514264337593543950334.5", 79228162514264337593543950335),
        ("0.00000000000000000000000000005", Decimal("1E-28")),
        ("0.00000000000000000000000000004", Decimal("0E-28")),
        ("1." + "1" * 40, Decimal("1." + "1" * 28)),
        ("1234567890." + "1" * 28, Decimal("1234567890." + "1" * 19)),
        ("0." + "9" * 40, Decimal("1.0000000000000000000000000000")),
        ("0.0000000000000000000000000050%", 0),
        ("0.0000000000000000000000000151%", Decimal("2E-28")),
        ("0" * 10_000 + "1", 1),
    ],
)  # fmt: skip
def test_numbers_are_exact(text: str, number: int | Decimal) -> None:
    with localcontext(prec=3):  # whoever calls may be in the middle of a program
        (value,) = values(text)
    assert value == number
    assert type(value) is type(number)
    if isinstance(value, Decimal) and number:
        assert value.as_tuple() == number.as_tuple()  # type: ignore[union-attr]


def test_a_number_ends_where_it_can() -> None:
    assert kinds("1.") == ["Number", "."]
    assert kinds(".5") == [".", "Number"]
    assert kinds("1..2") == ["Number", ".", ".", "Number"]
    assert kinds("12abc") == ["Number", NAME]
    assert kinds("5%5") == ["Percentage", "Number"]
    assert kinds("1e5") == ["Number", NAME]


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ('""', ""), ('"வணக்கம்"', "வணக்கம்"), (r'"a\nb\tc\rd"', "a\nb\tc\rd"), (r'"\"\\"', '"\\'),
        (r'"C:\பணம்"', "C:\\பணம்"), (r'"\q\u0041"', r"\q\u0041"), ('"a\nb"', "a\nb"), (r'"\\n"', r"\n"),
        ('"// a"', "// a"), ("\"'\"", "'"), ('"\u202e"', "\u202e"), (r'"\\\\"', "\\\\"), ('"e\u0301"', "e\u0301"),
    ],
)  # fmt: skip
def test_texts(written: str, means: str) -> None:
    assert kinds(written) == ["String"]
    assert values(written) == [means]


def test_line_ends_in_texts_become_one_character() -> None:
    assert values('"a\r\nb"') == ["a\nb"]


def test_a_token_knows_its_place_and_how_it_was_typed() -> None:
    source = SourceMap()
    source.add("a", "எதோ")
    tokens, _ = lex(source.add("b", ' கொ "x" 1.50'))
    base = source.sources[1].base
    assert [(token.text, token.start - base, token.end - base) for token in tokens] == [
        ("கொ", 1, 3), ('"x"', 4, 7), ("1.50", 8, 12), ("", 12, 12),
    ]  # fmt: skip


# ---- words ----------------------------------------------------------------------------


def test_names_are_compared_in_nfc() -> None:
    decomposed = "பெ\u0bbeருள்".replace("பெ\u0bbe", "ப\u0bc6\u0bbe")
    assert canonical_name(decomposed) == "பொருள்"
    assert kinds(decomposed) == ["ObjectType"]
    assert values("e\u0301") == ["é"]


def test_joiners_inside_a_word_are_ignored() -> None:
    tokens, problems = lex(Source("a", "அச்\u200cசு க்\u200dஷ"))
    assert not problems
    assert [(token.kind, token.value, token.text) for token in tokens[:-1]] == [
        ("Print", "அச்சு", "அச்\u200cசு"), (NAME, "க்ஷ", "க்\u200dஷ"),
    ]  # fmt: skip
    assert codes("\u200cஅ") == ["E0101"]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("உருவாக்கु", "உருவாக்கு"),
        ("அச\u094dசு", "அச்சு"),
        ("பணர०", "பணர௦"),
        ("க\u0cc6\u0cbe", "கொ"),
        ("க\u0d4d", "க்"),
    ],
)
def test_a_look_alike_sign_in_a_tamil_word_is_read_as_the_tamil_one(typed: str, read: str) -> None:
    tokens, problems = lex(Source("a", typed))
    assert [problem.code for problem in problems] == ["W0101"]
    assert tokens[0].value == canonical_name(typed) == read
    assert tokens[0].text == typed


def test_look_alikes_are_mapped_before_keywords_are_matched() -> None:
    assert lex(Source("a", "அச\u094dசு"))[0][0].kind == "Print"


def test_signs_of_other_scripts_in_their_own_words_stay() -> None:
    assert values("कार्य x\u094d") == ["कार्य", "x\u094d"]


def test_a_sign_without_a_tamil_partner_stays() -> None:
    assert values("க\u093c") == ["க\u093c"]


def test_every_place_of_a_look_alike_gets_its_warning() -> None:
    assert codes("அச\u094d; அச\u094d;") == ["W0101", "W0101"]


def test_the_warning_names_both_signs() -> None:
    assert messages("சேனல்_உருவாக்கु();") == [
        "a.qmz: [W0101] வரி 1, நெடுவரிசை 9: ‘சேனல்_உருவாக்கु’ என்ற சொல்லில் வேற்றுமொழிக் குறி U+0941 DEVANAGARI "
        "VOWEL SIGN U உள்ளது; U+0BC1 TAMIL VOWEL SIGN U எனப் படிக்கப்பட்டது  (line 1, column 9: the word "
        "‘சேனல்_உருவாக்கु’ holds the sign U+0941 DEVANAGARI VOWEL SIGN U of another script; it is read as U+0BC1 "
        "TAMIL VOWEL SIGN U)\n"
        "  1 | சேனல்_உருவாக்கु();\n"
        "    |         ^\n"
        "    ‘சேனல்_உருவாக்கு’ என எழுதுங்கள்; ‘etamil-actors fmt’ கோப்பைச் சரிசெய்யும்  (write ‘சேனல்_உருவாக்கு’; "
        "‘etamil-actors fmt’ repairs the file)"
    ]


# ---- what is wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'", ["E0101"]),
        ("18 %", ["E0101"]),
        ("a # b", ["E0101"]),
        ("!", ["E0101"]),
        ("\r", ["E0101"]),
        ("a\rb", ["E0101"]),
        ('"a\rb"', ["E0101"]),
        ('"a\\\rb"', ["E0101"]),
        ("\u00a0", ["E0101"]),
        ("\x00", ["E0101"]),
        ("\u0301", ["E0101"]),
        ("१", ["E0101"]),
        ("😀", ["E0101"]),
        ("\u200d", ["E0101"]),
        ("x\ufeffy", ["E0101"]),
        ('"', ["E0102"]),
        ('"abc', ["E0102"]),
        ('"abc\\"', ["E0102"]),
        ('"abc\\', ["E0102"]),
        ('"a\\\nb"', ["E0103"]),
        ('"a\\\r\nb"', ["E0103"]),
        ('"a\\\nb\\\n', ["E0103", "E0103", "E0102"]),
        ("79228162514264337593543950336", ["E0104"]),
        ("79228162514264337593543950335.9", ["E0104"]),
        ("9" * 1_000_000, ["E0104"]),
        ("9" * 30 + "%", ["E0104"]),
        ("x\u202e", ["E0105"]),
        ("// \u2066 \u2069", ["E0105", "E0105"]),
        ("\u200e", ["E0105"]),
        ('"\ud800"', ["E0106"]),
        ("x' = 18 %; \"", ["E0101", "E0101", "E0102"]),
    ],
)
def test_lexical_problems(text: str, expected: list[str]) -> None:
    assert codes(text) == expected


def test_a_file_of_junk_is_not_told_a_million_times() -> None:
    assert len(codes("'" * 1_000_000)) == 100


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("“x", "‘\"’ எனப் பயன்படுத்துங்கள்  (use ‘\"’)"),
        ("a − b", "‘-’ எனப் பயன்படுத்துங்கள்  (use ‘-’)"),
        ("a；", "‘;’ எனப் பயன்படுத்துங்கள்  (use ‘;’)"),
        ("（", "‘(’ எனப் பயன்படுத்துங்கள்  (use ‘(’)"),
        ("a ≠ b", "‘!=’ எனப் பயன்படுத்துங்கள்  (use ‘!=’)"),
        ("18 %", "‘%’ எண்ணை ஒட்டியே வர வேண்டும்: 18%  (‘%’ belongs directly behind its number: 18%)"),
        ("a\u00a0b", "சாதாரண இடைவெளியைப் பயன்படுத்துங்கள்  (use an ordinary space)"),
        ("@", None),
        ("😀", None),
    ],
)
def test_what_was_perhaps_meant(text: str, hint: str | None) -> None:
    (problem,) = lex(Source("a", text))[1]
    assert problem.suggestion == hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "அச்சு 'x;",
            "a.qmz: [E0101] வரி 1, நெடுவரிசை 5: ‘'’ (U+0027) என்ற எழுத்து இங்கே வர முடியாது  "
            "(line 1, column 5: the character ‘'’ (U+0027) cannot stand here)\n"
            "  1 | அச்சு 'x;\n"
            "    |     ^\n"
            "    ‘\"’ எனப் பயன்படுத்துங்கள்  (use ‘\"’)",
        ),
        (
            'x = 1;\nஅச்சு "வணக்கம்;\n',
            "a.qmz: [E0102] வரி 2, நெடுவரிசை 5: இங்கே தொடங்கும் உரை முடியவில்லை; முடிவில் ‘\"’ தேவை  "
            "(line 2, column 5: the text that begins here has no end; it needs a closing ‘\"’)\n"
            '  2 | அச்சு "வணக்கம்;\n'
            "    |     ^",
        ),
        (
            "x = 1; \u202e",
            "a.qmz: [E0105] வரி 1, நெடுவரிசை 8: எழுதும் திசையை மாற்றும் மறைந்த எழுத்து (U+202E) உரைகளுக்குள் மட்டுமே "
            "வரலாம்  (line 1, column 8: an invisible character that changes the writing direction (U+202E) may stand "
            "only in texts)\n"
            "  1 | x = 1; \ufffd\n"
            "    |        ^",
        ),
    ],
)
def test_messages_of_the_lexer(text: str, message: str) -> None:
    assert messages(text) == [message]
