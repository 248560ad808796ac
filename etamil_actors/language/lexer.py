"""Text into tokens (REFERENCE §2, EXTENSIONS §1.8).

One regular expression cuts the whole text into pieces — words, numbers, texts, symbols, spaces,
comments and, for whatever is none of these, single characters. Every character lands in exactly
one piece, so a running sum of their lengths is the position, and a dictionary that remembers
each spelling makes most pieces cost one look-up.

Words are read in three steps before they are compared with the keywords: joiners are dropped,
signs of other Indic blocks become the Tamil ones in the same place of their block (a warning
tells), and what is left is brought into NFC. ``Token.text`` keeps what was typed.

All lexical errors of a file are found together; who finds one must not parse.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from decimal import Decimal
from sys import intern
from typing import Any, NamedTuple

import regex

from etamil_actors.language.keywords import KEYWORD_OF
from etamil_actors.language.problems import (
    BackslashAtLineEnd,
    BidirectionalControl,
    LookAlikeSign,
    NotUtf8,
    NumberTooLarge,
    Problem,
    UnknownCharacter,
    UnterminatedText,
)
from etamil_actors.language.source import Source

NAME = "Name"
NUMBER = "Number"
PERCENTAGE = "Percentage"
TEXT = "String"
COMMENT = "Comment"
END = "End"


class Token(NamedTuple):
    """One word, literal or symbol.

    ``kind`` is a symbol itself, the token name of a keyword that can be no name, or one of the
    constants above. ``value`` is what a literal means, and for a word its canonical form.
    """

    kind: str
    text: str
    value: Any
    start: int
    end: int


SYMBOLS = ("==", "!=", ">=", "<=", *"><=+-*/&?[].:(){},;")

_SPACE = r"[ \t\n\f]+"
_WORD = r"[\p{L}_\u0B80-\u0BFF][\p{L}\p{M}\p{Nd}_\u0B80-\u0BFF\u200C\u200D]*+"
_NUMBER = r"[0-9]++(?:\.[0-9]++)?+%?"
_TEXT = r'"(?:[^"\\\r]++|\\[^\n\r])*+"'
# What cannot be a text is still taken as one piece up to its end, so that its inside is not read as program.
_BROKEN_TEXT = r'"(?:[^"\\]++|\\.?)*+"?'
_COMMENT = r"//[^\n]*+"

_pieces = regex.compile(
    "|".join([_SPACE, _WORD, r"[=!<>]=", _NUMBER, _TEXT, _BROKEN_TEXT, _COMMENT, "."]), regex.DOTALL
).findall
_is_closed = regex.compile(r'"(?:[^"\\]++|\\.)*+"', regex.DOTALL).fullmatch
_bad_in_text = regex.compile(r"\\\n|\r|\\.", regex.DOTALL).finditer
_escapes = regex.compile(r'\\([ntr"\\])')
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_is_word = regex.compile(_WORD).fullmatch
_bidi = regex.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_MOST_PROBLEMS = 100
"""A file that is no program at all need not be told so a million times."""


def _known_pieces() -> dict[str, tuple[str, Any] | None]:
    """What the commonest pieces are; ``None`` for spaces."""
    known: dict[str, tuple[str, Any] | None] = {" ": None, "\n": None}
    for symbol in SYMBOLS:
        known[symbol] = (intern(symbol), symbol)
    for spelling, keyword in KEYWORD_OF.items():
        kind = NAME if keyword.name_ok else intern(keyword.token)
        known[spelling] = (kind, intern(spelling))
    return known


_KNOWN = _known_pieces()
assert not {NAME, NUMBER, PERCENTAGE, TEXT, COMMENT, END} & {word.token for word in KEYWORD_OF.values()}


def lex(source: Source, comments: bool = False) -> tuple[list[Token], list[Problem]]:
    """The tokens of a file, ended by one of kind ``End``, and everything wrong with its spelling."""
    problems: list[Problem] = []
    tokens: list[Token] = []
    surrogate = _first_surrogate(source.text)
    if surrogate is not None:
        problems.append(NotUtf8(source.base + surrogate, source.base + surrogate + 1))
        return [Token(END, "", "", source.end, source.end)], problems
    known = _KNOWN.copy()
    find = known.get
    add = tokens.append
    new = tuple.__new__
    start = source.base
    for piece in _pieces(source.text):
        end = start + len(piece)
        found = find(piece, piece)
        if found is piece:
            first = piece[0]
            if first in " \t\n\f":
                known[piece] = found = None
            elif first == '"':
                found = (TEXT, _read_text(piece, start, problems))
            elif first in "0123456789":
                number = _read_number(piece)
                if number is None:
                    problems.append(NumberTooLarge(start, end))
                    number = 0
                known[piece] = found = (PERCENTAGE if piece[-1] == "%" else NUMBER, number)
            elif _is_word(piece):
                found = _read_word(piece, start, problems)
                if piece == found[1]:
                    known[piece] = found
            elif piece[:2] == "//":
                _check_comment(piece, start, problems)
                found = (COMMENT, piece) if comments else None
            else:
                problems.append(_unknown_character(piece, start))
                found = None
                if len(problems) > _MOST_PROBLEMS:
                    break
        if found is not None:
            add(new(Token, (found[0], piece, found[1], start, end)))
        start = end
    add(Token(END, "", "", start, start))
    return tokens, problems[:_MOST_PROBLEMS]


def _first_surrogate(text: str) -> int | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


# ---- words ----------------------------------------------------------------------------


def _look_alikes() -> dict[int, int]:
    """Signs and digits of the other Indic blocks, and the Tamil one in the same place."""
    pairs = {}
    for block in (0x900, 0x980, 0xA00, 0xA80, 0xB00, 0xC00, 0xC80, 0xD00):
        for place in range(0x80):
            tamil = unicodedata.name(chr(0xB80 + place), "")
            is_sign = unicodedata.category(chr(block + place)) in ("Mn", "Mc", "Nd")
            if is_sign and tamil and (" SIGN " in tamil or " DIGIT " in tamil):
                pairs[block + place] = 0xB80 + place
    return pairs


_LOOK_ALIKES = _look_alikes()
_look_alike = regex.compile("[" + "".join(map(chr, _LOOK_ALIKES)) + "]")
_tamil_letter = regex.compile("[\u0b85-\u0bb9]")
_joiners = regex.compile("[\u200c\u200d]")


def _read_word(word: str, start: int, problems: list[Problem]) -> tuple[str, str]:
    if word.isascii():
        return NAME, intern(word)
    name = canonical_name(word)
    if _tamil_letter.search(word):
        problems += _look_alike_problems(word, name, start)
    keyword = KEYWORD_OF.get(name)
    return (NAME if keyword is None or keyword.name_ok else intern(keyword.token)), intern(name)


def canonical_name(word: str) -> str:
    """A word as it is compared: without joiners, with Tamil signs, in NFC."""
    if word.isascii():
        return word
    word = _joiners.sub("", word)
    if _tamil_letter.search(word):
        word = word.translate(_LOOK_ALIKES)
    return unicodedata.normalize("NFC", word)


def is_name(text: str) -> bool:
    """Whether a text is spelled like one word, reserved or not."""
    return _is_word(text) is not None


def _look_alike_problems(word: str, name: str, start: int) -> Iterator[Problem]:
    """One warning for a word, at the first sign, that tells of all of them."""
    signs = list(dict.fromkeys(_look_alike.findall(word)))
    if signs:
        at = start + word.index(signs[0])
        yield LookAlikeSign(
            at,
            at + 1,
            word=word,
            given=", ".join([_named(sign) for sign in signs]),
            read=", ".join([_named(chr(_LOOK_ALIKES[ord(sign)])) for sign in signs]),
            suggestion=f"‘{name}’ என எழுதுங்கள்; ‘etamil-actors fmt’ கோப்பைச் சரிசெய்யும்"
            f"  (write ‘{name}’; ‘etamil-actors fmt’ repairs the file)",
        )


def _named(character: str) -> str:
    return f"{_point(character)} {unicodedata.name(character, '')}".rstrip()


def _point(character: str) -> str:
    return f"U+{ord(character):04X}"


# ---- numbers --------------------------------------------------------------------------

_MANTISSA = 2**96
_MOST_DECIMALS = 28


def _read_number(text: str) -> int | Decimal | None:
    """What a number or percentage literal means; ``None`` when it is too large."""
    whole, _point, decimals = text.rstrip("%").partition(".")
    whole = whole.lstrip("0")
    if len(whole) > 29:
        return None
    number = _fitting(whole or "0", decimals)
    if number is None or text[-1] != "%":
        return None if number is None else _number(*number)
    return _number(*_hundredth(*number))


def _fitting(whole: str, decimals: str) -> tuple[int, int] | None:
    """Mantissa and scale, with as many of the decimals as fit, rounded half up."""
    # Only one digit behind the last kept one decides, so the rest of a long literal is never looked at.
    for scale in range(min(len(decimals), _MOST_DECIMALS), -1, -1):
        mantissa = int(whole + decimals[:scale])
        if decimals[scale : scale + 1] >= "5":
            mantissa += 1
        if mantissa < _MANTISSA:
            return mantissa, scale
    return None


def _hundredth(mantissa: int, scale: int) -> tuple[int, int]:
    """``n / 100`` by REFERENCE §5: exact as far as 28 decimals go, then half to even."""
    if mantissa == 0:
        return 0, 0
    if mantissa % 100 == 0:
        return mantissa // 100, scale
    scale += 2
    if scale > _MOST_DECIMALS:
        cut = 10 ** (scale - _MOST_DECIMALS)
        mantissa, rest = divmod(mantissa, cut)
        mantissa += rest * 2 > cut or (rest * 2 == cut and mantissa % 2)
        scale = _MOST_DECIMALS
    while scale and mantissa % 10 == 0:
        mantissa, scale = mantissa // 10, scale - 1
    return mantissa, scale


def _number(mantissa: int, scale: int) -> int | Decimal:
    # Made from digits: arithmetic would depend on the decimal context of whoever calls.
    return Decimal(f"{mantissa}E-{scale}") if scale else mantissa


# ---- texts and the rest ---------------------------------------------------------------


def _read_text(piece: str, start: int, problems: list[Problem]) -> str:
    if "\\" not in piece and "\r" not in piece and piece[-1] == '"' and piece != '"':
        return piece[1:-1]
    for match in _bad_in_text(piece):
        found = match.group()
        at = start + match.start()
        if found == "\\\n":
            problems.append(BackslashAtLineEnd(at, at + 1))
        elif found[-1] == "\r":
            problems.append(_unknown_character("\r", at + len(found) - 1))
    if not _is_closed(piece):
        problems.append(UnterminatedText(start, start + 1))
        return ""
    inside = piece[1:-1]
    return _escapes.sub(lambda match: _ESCAPED[match.group(1)], inside) if "\\" in inside else inside


def _check_comment(comment: str, start: int, problems: list[Problem]) -> None:
    if not comment.isascii():
        for match in _bidi.finditer(comment):
            problems.append(_unknown_character(match.group(), start + match.start()))


_MEANT = {
    "'": '"', "‘": '"', "’": '"', "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "`": '"',
    "–": "-", "—": "-", "−": "-", "×": "*", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!=", "।": ";",
    "#": "//", "|": "அல்லது", "!": "இல்லை",
}  # fmt: skip
"""What a character that looks right was probably meant to be."""


def _unknown_character(character: str, start: int) -> Problem:
    point = _point(character)
    if _bidi.match(character):
        return BidirectionalControl(start, start + 1, point=point)
    return UnknownCharacter(
        start, start + 1, shown=_shown(character), point=point, suggestion=_write_instead(character)
    )


def _shown(character: str) -> str:
    if character == "\r":
        return "CR"
    if unicodedata.category(character)[0] == "M":
        return "◌" + character
    return character if character.isprintable() else "\ufffd"


def _write_instead(character: str) -> str | None:
    if character == "%":
        return "‘%’ எண்ணை ஒட்டியே வர வேண்டும்: 18%  (‘%’ belongs directly behind its number: 18%)"
    if unicodedata.category(character) == "Zs":
        return "சாதாரண இடைவெளியைப் பயன்படுத்துங்கள்  (use an ordinary space)"
    meant = _MEANT.get(character) or unicodedata.normalize("NFKC", character)
    if meant != character and (meant in _KNOWN or meant in ('"', "//")):
        return f"‘{meant}’ எனப் பயன்படுத்துங்கள்  (use ‘{meant}’)"
    return None
