"""Why the head of a request is refused, in words: one place, so that a flaw has the same status and the same
words in both lanes and in all versions of HTTP.

The flaws are found by two readers: ``fast/head.py`` reads the bytes of HTTP/1, for both lanes;
``full/heads.py`` looks at the parts that HTTP/2 brings.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote_from_bytes

from etamil_actors.edge.settings import HttpSettings
from etamil_actors.errors import EtamilError


class Refusal(NamedTuple):
    """Why something is not answered by a route: the words of a problem document, and members of it."""

    status: int
    tamil: str
    english: str
    extra: dict[str, str] = {}


class HeadError(EtamilError):
    """What came is no request that we serve; the connection ends with an answer that says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.english)
        self.refusal = refusal

    @property
    def status(self) -> int:
        """Of the answer."""
        return self.refusal.status

    @property
    def tamil(self) -> str:
        """Why, in Tamil."""
        return self.refusal.tamil

    @property
    def english(self) -> str:
        """Why, in English."""
        return self.refusal.english

    @property
    def extra(self) -> dict[str, str]:
        """More members of the problem document."""
        return self.refusal.extra


HOST: Final = re.compile(rb"(?:\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9\-._~!$&'()*+,;=%]*+)(?::[0-9]{0,5}+)?+")
"""What a host looks like."""

NOT_UNDERSTOOD: Final = Refusal(400, "கோரிக்கையைப் புரிந்துகொள்ள முடியவில்லை", "the request cannot be understood")
NO_HTTP: Final = Refusal(400, "இது HTTP அல்ல", "this is no HTTP")
NO_TLS: Final = Refusal(
    400,
    "இது HTTP அல்ல. இந்த முகவரியில் TLS இல்லை; http:// என்று தொடங்குங்கள்",
    "this is no HTTP. There is no TLS at this port; begin with http://",
)
EMPTY_LINES: Final = Refusal(
    400,
    "கோரிக்கைக்கு முன் வெற்று வரிகள் உள்ளன",
    "there are empty lines in front of the request",
)
BARE_LINE: Final = Refusal(
    400,
    "ஒவ்வொரு வரியும் CR LF இரண்டாலும் முடிய வேண்டும்",
    "each line has to end with both CR and LF",
)
FIRST_LINE: Final = Refusal(
    400,
    "கோரிக்கையின் முதல் வரி ‘GET /பாதை HTTP/1.1’ போன்ற வடிவில் இல்லை",
    "the first line of the request does not look like ‘GET /path HTTP/1.1’",
)
VERSION: Final = Refusal(
    505, "இங்கே HTTP/1.1, HTTP/1.0 மட்டுமே பேசப்படும்", "only HTTP/1.1 and HTTP/1.0 are spoken here"
)
NO_HOST: Final = Refusal(400, "Host தலைப்பில் உள்ளது ஒரு முகவரி அல்ல", "the Host header is no host")
HOSTS: Final = Refusal(400, "ஒரே ஒரு Host தலைப்பு வேண்டும்", "there has to be exactly one Host header")
OTHER_HOST: Final = Refusal(
    400,
    "முகவரியில் உள்ள பெயரும் Host தலைப்பில் உள்ளதும் ஒன்றாக இல்லை",
    "the address names another host than the Host header",
)
NO_LENGTH: Final = Refusal(400, "Content-Length ஒரு முழு எண் அல்ல", "the Content-Length is no plain number")
TWO_LENGTHS: Final = Refusal(
    400,
    "உடலுரையின் நீளம் ஒருமுறை மட்டுமே சொல்லப்பட வேண்டும்",
    "the length of the body has to be said once, and in one way",
)
OLD_CODING: Final = Refusal(
    400, "HTTP/1.0-இல் Transfer-Encoding இல்லை", "there is no Transfer-Encoding in HTTP/1.0"
)
CODING: Final = Refusal(
    501,
    "Transfer-Encoding ‘chunked’ ஆக மட்டுமே இருக்கலாம்",
    "of transfer codings only a single ‘chunked’ is understood",
)
EXPECTATION: Final = Refusal(
    417, "Expect-இல் ‘100-continue’ மட்டுமே ஏற்கப்படும்", "only ‘100-continue’ can be expected"
)


def unknown_method(method: str) -> Refusal:
    """Nobody here could know it."""
    return Refusal(501, f"‘{method}’ என்ற முறை இங்கே இல்லை", f"the method ‘{method}’ does not exist here")


def too_long(settings: HttpSettings) -> Refusal:
    """An address beyond the limit."""
    return Refusal(
        414,
        f"முகவரி மிக நீளமானது; அதிகபட்சம் {settings.target_bytes} பைட்டுகள்",
        f"the address is too long; at most {settings.target_bytes} bytes",
    )


def too_large(settings: HttpSettings) -> Refusal:
    """A head beyond the limit."""
    return Refusal(
        431,
        f"தலைப்புகள் மிகப் பெரியவை; அதிகபட்சம் {settings.header_bytes} பைட்டுகள்",
        f"the headers are too large; at most {settings.header_bytes} bytes",
    )


def too_many(settings: HttpSettings) -> Refusal:
    """More fields than allowed."""
    return Refusal(
        431,
        f"தலைப்புகளின் எண்ணிக்கை மிக அதிகம்; அதிகபட்சம் {settings.header_count}",
        f"there are too many headers; at most {settings.header_count}",
    )


def too_slow(settings: HttpSettings) -> Refusal:
    """A head that does not end."""
    return Refusal(
        408,
        f"கோரிக்கையின் தலைப்புகள் {settings.header_seconds:g} நொடிகளுக்குள் வரவில்லை",
        f"the headers of the request did not come within {settings.header_seconds:g} seconds",
    )


def continued(number: int) -> Refusal:
    """A field of more than one line."""
    return Refusal(
        400,
        f"{number}ஆம் தலைப்பு வரி முந்தையதன் தொடர்ச்சி போல் தொடங்குகிறது; தலைப்பு ஒரே வரியில் இருக்க வேண்டும்",
        f"header line {number} looks like a continuation; a header stays on one line",
    )


def no_field(number: int) -> Refusal:
    """A line that is no field."""
    return Refusal(
        400,
        f"{number}ஆம் தலைப்பு வரி ‘பெயர்: மதிப்பு’ என்ற வடிவில் இல்லை",
        f"header line {number} is not of the form ‘name: value’",
    )


_ALL_ASCII: Final = bytes(range(0x21, 0x7F)).decode()


def raw_letters(target: bytes) -> Refusal:
    """The address was sent as it is read, not as it travels. Tell how it travels."""
    return Refusal(
        400,
        "முகவரியில் உள்ள எழுத்துகள் சதவீதக் குறியீட்டில் (%E0%AE…) வர வேண்டும்; ‘url’-இல் உள்ளதைப் பயன்படுத்துங்கள்",
        "letters of an address have to come percent-encoded (%E0%AE…); use what ‘url’ says",
        {"url": quote_from_bytes(target, safe=_ALL_ASCII)},
    )
