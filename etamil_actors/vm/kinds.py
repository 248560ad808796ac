"""The kinds of text that ``xtype_சரிபார்`` knows: what an e-mail address, a GSTIN, a date looks like.

Each kind is a function that answers nothing for a text that is right, and otherwise what is wrong with it, in
both languages. A message never holds the text itself: it may be somebody's number, and messages go into logs.

*Looks like* is all that can be said: whether anybody reads mail at an address, only a mail tells. Kinds are
strict about what machines wrote (a GSTIN has capitals and no blanks) and lenient about what people write (a
telephone number may have blanks and hyphens).

The check digit of a GSTIN is Luhn's in base 36: the signs count 0 … 9, A … Z; from the left, every second one
counts twice; of each product the digits in base 36 are added; the last sign fills the sum up to a multiple of
36. Doubling and adding the digits maps 0 … 35 onto itself, so one sign that is changed always changes the
sum, and is found.
"""

from __future__ import annotations

import re
from unicodedata import category

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    from collections.abc import Callable
    from typing import Final, NamedTuple
else:
    from etamil_actors.rows import NamedTuple


class Wrong(NamedTuple):
    """What is wrong with a text."""

    tamil: str
    english: str


# ---- addresses --------------------------------------------------------------------------

_LOCAL_SIGNS: Final = frozenset("!#$%&'*+/=?^_`{|}~-.")


def email(text: str) -> Wrong | None:
    """RFC 5321 without quoted names, which nobody has; letters of every script (RFC 6531)."""
    local, at, domain = text.rpartition("@")
    if not at:
        return Wrong("‘@’ இல்லை", "there is no ‘@’")
    if len(text.encode("utf-8", "surrogatepass")) > 254 or len(local.encode("utf-8", "surrogatepass")) > 64:
        return Wrong("மிக நீளம்", "it is too long")
    if not local:
        return Wrong("‘@’-க்கு முன் பெயர் இல்லை", "there is no name in front of ‘@’")
    if not all(sign in _LOCAL_SIGNS or _is_letter(sign) for sign in local):
        return Wrong("‘@’-க்கு முன் அனுமதியில்லாத குறி", "a sign in front of ‘@’ cannot stand there")
    if local[0] == "." or local[-1] == "." or ".." in local:
        return Wrong("‘@’-க்கு முன் புள்ளி தவறான இடத்தில்", "a dot in front of ‘@’ is misplaced")
    if not _is_domain(domain):
        return Wrong("‘@’-க்குப் பின் களப்பெயர் சரியில்லை", "what follows ‘@’ is no domain name")
    return None


def _is_letter(sign: str) -> bool:
    """A letter or digit of any script, or a sign that belongs to one, as Tamil vowel signs do."""
    return sign.isalnum() or category(sign)[0] == "M"


def _is_domain(text: str, least: int = 2) -> bool:
    labels = text.split(".")
    return (
        len(labels) >= least
        and len(text) <= 253
        and all(map(_is_label, labels))
        and not labels[-1].isdecimal()
    )


def _is_label(text: str) -> bool:
    return (
        0 < len(text) <= 63
        and text[0] != "-"
        and text[-1] != "-"
        and all(sign == "-" or _is_letter(sign) for sign in text)
        and category(text[0])[0] != "M"
    )


_URL: Final = re.compile(
    r"(?i:https?)://(?:[^\s/?#@\[\]]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)"
    r"(?::(?P<port>[0-9]{0,5}))?(?:[/?#][^\x00-\x20\x7f<>\"\\^`{|}]*)?"
)


def url(text: str) -> Wrong | None:
    """An address of the web, ``http`` or ``https``."""
    if re.match(r"(?i:https?)://", text) is None:
        return Wrong("http:// அல்லது https:// என்று தொடங்க வேண்டும்", "it has to begin with http:// or https://")
    found = _URL.fullmatch(text)
    if found is None or any(category(sign)[0] in "CZ" for sign in text):  # hidden ones, and blanks
        return Wrong("இணைய முகவரியில் இருக்கக் கூடாத குறி", "it holds a sign that no URL may hold")
    if found["port"] and not 0 < int(found["port"]) < 65536:
        return Wrong("துறை எண் 1 முதல் 65535 வரை", "its port is not between 1 and 65535")
    host = found["host"]
    if host[0] == "[":
        is_host = host.count(":") >= 2
    else:
        is_host = _is_ipv4(host) or _is_domain(host.removesuffix("."), 1)
    return None if is_host else Wrong("களப்பெயர் சரியில்லை", "its host is no domain name and no address")


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(re.fullmatch("[0-9]{1,3}", part) and int(part) < 256 for part in parts)


_PHONE: Final = re.compile(r"\+?(?:\([0-9]+\)|[0-9])(?:[ .-]?(?:\([0-9]+\)|[0-9]))*")


def phone(text: str) -> Wrong | None:
    """With ``+`` a number of any country (E.164), of India looked at closer; without, one of India."""
    if _PHONE.fullmatch(text) is None:
        return Wrong(
            "எண்களும், இடையே வெற்றிடம், ‘-’, ‘.’, அடைப்புக்குறிகளும் மட்டும்",
            "only digits, with blanks, ‘-’, ‘.’ and brackets between them",
        )
    digits = re.sub("[^0-9]", "", text)
    if text[0] != "+":
        if re.fullmatch("[6-9][0-9]{9}|0[1-9][0-9]{9}", digits) is None:
            return Wrong(
                "‘+’ இல்லாத எண் இந்தியாவின் பத்து இலக்க எண்ணாக இருக்க வேண்டும்",
                "without ‘+’ it has to be a number of India, with ten digits",
            )
    elif digits.startswith("91"):
        if re.fullmatch("91[1-9][0-9]{9}", digits) is None:
            return Wrong("+91-க்குப் பின் பத்து இலக்கங்கள் வேண்டும்", "ten digits have to follow +91")
    elif not 8 <= len(digits) <= 15 or digits[0] == "0":
        return Wrong("‘+’ உடன் 8 முதல் 15 இலக்கங்கள் வேண்டும்", "with ‘+’ it has 8 to 15 digits, the first not 0")
    return None


# ---- what machines write ------------------------------------------------------------------


def uuid(text: str) -> Wrong | None:
    """RFC 9562, of whatever version."""
    if re.fullmatch("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is None:
        return Wrong(
            "8-4-4-4-12 என்ற அமைப்பில் 32 பதினறும இலக்கங்கள் வேண்டும்",
            "it has to be 32 hexadecimal digits, written 8-4-4-4-12",
        )
    return None


def date(text: str) -> Wrong | None:
    """ISO 8601: a day that exists."""
    found = re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", text)
    if found is None:
        return Wrong("ஆண்டு-மாதம்-நாள் (2026-01-31) என்று எழுத வேண்டும்", "it is written year-month-day: 2026-01-31")
    year, month, day = map(int, found.groups())
    if not 1 <= month <= 12:
        return Wrong("மாதம் 01 முதல் 12 வரை", "its month is not between 01 and 12")
    if year == 0 or not 1 <= day <= _days(year, month):
        return Wrong("அப்படி ஒரு நாள் இல்லை", "there is no such day")
    return None


def _days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


# ---- of India ------------------------------------------------------------------------------

HOLDERS: Final = "ABCFGHJLPT"
"""Who holds a PAN, by its fourth letter: a body of persons, a company, a firm, a person …"""

STATES: Final = frozenset((*range(1, 39), 96, 97, 99))
"""Codes of states and territories; 96 is abroad, 97 other territories, 99 the centre."""


def pan(text: str) -> Wrong | None:
    """A Permanent Account Number of the income tax: ``ABCPD1234E``."""
    if re.fullmatch("[A-Z]{5}[0-9]{4}[A-Z]", text) is None:
        return Wrong(
            "ஐந்து பேரெழுத்துகள், நான்கு எண்கள், ஒரு பேரெழுத்து வேண்டும்",
            "it has to be five capital letters, four digits and a capital letter",
        )
    if text[3] not in HOLDERS:
        return Wrong(
            f"நான்காம் எழுத்து {HOLDERS} ஆகியவற்றில் ஒன்றாக இருக்க வேண்டும்",
            f"its fourth letter has to be one of {HOLDERS}",
        )
    return None


_LETTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def gstin(text: str) -> Wrong | None:
    """A number of the Goods and Services Tax: state, PAN (of who deducts, a TAN), which, what for, check."""
    if re.fullmatch("[0-9]{2}[A-Z]{4}[A-Z0-9][0-9]{4}[A-Z][1-9A-Z][A-Z][0-9A-Z]", text) is None:
        return Wrong(
            "15 குறிகள்: இரண்டு எண்கள், PAN, ஓர் எண் அல்லது எழுத்து, ‘Z’, சரிபார்ப்புக் குறி",
            "it has 15 signs: two digits, a PAN, a digit or letter, ‘Z’, and a check digit",
        )
    if int(text[:2]) not in STATES:
        return Wrong("முதல் இரண்டு எண்கள் எந்த மாநிலமும் அல்ல", "its first two digits are no state")
    if text[13] not in "ZCD":
        return Wrong("பதினான்காம் குறி ‘Z’ ஆக இருக்க வேண்டும்", "its fourteenth sign has to be ‘Z’")
    is_tan = text[13] == "D" and text[6].isdecimal()
    if not is_tan and pan(text[2:12]) is not None:
        return Wrong("நடுவில் உள்ள PAN சரியில்லை", "the PAN in its middle is wrong")
    if text[14] != gstin_check(text[:14]):
        return Wrong("சரிபார்ப்புக் குறி பொருந்தவில்லை", "its check digit does not fit")
    return None


def gstin_check(text: str) -> str:
    """The check digit for the first fourteen signs. The theory stands at the top of the file."""
    total = 0
    for place, sign in enumerate(text):
        product = _LETTERS.index(sign) * (1 + place % 2)
        total += product // 36 + product % 36
    return _LETTERS[-total % 36]


def ifsc(text: str) -> Wrong | None:
    """The code of a bank's branch: ``SBIN0000300``."""
    if re.fullmatch("[A-Z]{4}0[A-Z0-9]{6}", text) is None:
        return Wrong(
            "நான்கு பேரெழுத்துகள், ஒரு சுழியம், ஆறு எண்கள் அல்லது பேரெழுத்துகள் வேண்டும்",
            "it has to be four capital letters, a zero, and six digits or capital letters",
        )
    return None


def pincode(text: str) -> Wrong | None:
    """A postal code: ``600001``, or ``600 001``."""
    if re.fullmatch("[1-9][0-9]{2} ?[0-9]{3}", text) is None:
        return Wrong("சுழியத்தில் தொடங்காத ஆறு எண்கள் வேண்டும்", "it has to be six digits, the first not 0")
    return None


KINDS: Final[dict[str, Callable[[str], Wrong | None]]] = {
    "email": email,
    "url": url,
    "phone": phone,
    "uuid": uuid,
    "date": date,
    "pan": pan,
    "gstin": gstin,
    "ifsc": ifsc,
    "pincode": pincode,
}
"""Every kind, by the name that programs use."""
