"""What config.yaml may say of ``http``: one table, from which it is read and described.

Every setting is one row: its key, the field of the dataclass that it fills, how it is written, and what it
means in both languages. Its default stands only in its dataclass (``edge/settings.py``). A key tells no unit,
for a value may: ``64KiB``, ``30s``.

A secret is never repeated in an error.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import MISSING, Field, fields
from decimal import Decimal
from typing import Any, Final, NamedTuple

from etamil_actors.edge.addresses import AddressError, parse_address
from etamil_actors.edge.sessions import LEAST_SECRET
from etamil_actors.edge.settings import Cors, HttpSettings, SessionSettings, Tls
from etamil_actors.errors import Fault

LONGEST_NUMBER: Final = 100
"""So many digits a number of the configuration may have."""

LARGEST: Final = 1 << 20
"""Bytes of a configuration, and of a file with a secret."""


class ConfigError(Exception):
    """The configuration cannot be used as it stands."""

    def __init__(self, place: str, tamil: str, english: str) -> None:
        # A text in quotes may hold half a character, which nobody could print.
        self.tamil, self.english = (_printable(words) for words in (tamil, english))
        self.place = place
        super().__init__(self.english)

    def add(self, tamil: str, english: str) -> ConfigError:
        """The same with more words at its end."""
        return ConfigError(self.place, self.tamil + tamil, self.english + english)


def words_of_fault(fault: Fault) -> tuple[str, str]:
    """An error of a setting in both languages, without the word ‘configuration’ before it."""
    told = fault.details
    if fault.code == "config":
        return str(told["problem_ta"]), str(told["problem_en"])
    return fault.tamil, fault.english


def _printable(words: str) -> str:
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


_NAME = re.compile(r"([a-z_]+(?:\.[^\s:]+)+): ")


def _without_name(words: str) -> str:
    return _NAME.sub("", words, count=1)


def refused_at(place: str, fault: Fault) -> ConfigError:
    """The same for several settings together, with their name as all others have it."""
    tamil, english = (_NAME.sub(r"‘\1’: ", words, count=1) for words in words_of_fault(fault))
    return ConfigError(place, tamil, english)


# ---- one value ------------------------------------------------------------------------


class Said(NamedTuple):
    """A value as it is written, and where."""

    name: str
    """With the names around it: ``http.cors.origins``."""
    place: str
    text: str
    folder: str

    def wrong(self, tamil: str, english: str) -> ConfigError:
        return ConfigError(self.place, f"‘{self.name}’: {tamil}", f"‘{self.name}’: {english}")

    def other(self, tamil: str, english: str) -> ConfigError:
        """Something else is wanted than what is written, which is quoted."""
        if not self.text:
            return self.wrong(f"{tamil}; இங்கே எதுவும் எழுதப்படவில்லை", f"{english}; nothing is written here")
        return self.wrong(f"{tamil}, ‘{short(self.text)}’ அல்ல", f"{english}, not ‘{short(self.text)}’")

    def refused(self, fault: Fault) -> ConfigError:
        """What somebody else found wrong with it."""
        tamil, english = words_of_fault(fault)
        return self.wrong(_without_name(tamil), _without_name(english))


class Kind(NamedTuple):
    """How the values of a setting are written."""

    tamil: str
    english: str
    read: Callable[[Said], Any]
    """Makes the value of a text. Raises: ConfigError."""
    type: str
    """The annotation of the fields that it may fill, or several with a space between."""
    show: Callable[[Any], str] = str
    """The reverse, for the reference page."""
    is_list: bool = False


def count(least: int = 1, most: int = 10**9) -> Kind:
    """A whole number."""

    def read(said: Said) -> int:
        digits = said.text.replace("_", "")
        if not (digits.isascii() and digits.isdigit()) or len(digits) > LONGEST_NUMBER:
            raise said.other(f"{least} முதல் ஒரு முழு எண் தேவை", f"a whole number from {least}")
        return int(_within(said, Decimal(digits), least, most))

    return Kind("முழு எண்", "whole number", read, "int")


_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([A-Za-z]*)", re.ASCII)
_BYTES: Final = {
    "": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30,
}  # fmt: skip
_SHOWN_SIZES: Final = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


def size(least: int = 0, most: int = 1 << 40) -> Kind:
    """So many bytes."""

    def read(said: Said) -> int:
        found = _SIZE.fullmatch(said.text)
        factor = _BYTES.get(found[2].lower()) if found is not None else None
        if found is None or factor is None:
            raise said.other(
                "பைட்டுகளின் எண்ணிக்கை, அல்லது 64KiB, 1MiB, 500kB போன்ற அளவு தேவை",
                "a number of bytes, or a size such as 64KiB, 1MiB or 500kB",
            )
        number = Decimal(found[1]) * factor
        if number != int(number):
            raise said.other("முழு பைட்டுகள் மட்டும்", "whole bytes only")
        return int(_within(said, number, least, most, _shown_size))

    return Kind("அளவு", "size", read, "int", _shown_size)


def _shown_size(value: int) -> str:
    for name, unit in _SHOWN_SIZES:
        if value and value % unit == 0:
            return f"{value // unit}{name}"
    return str(value)


_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)\s*([a-z]*)", re.ASCII)
_SECONDS: Final = {
    "": Decimal(1), "ms": Decimal("0.001"), "s": Decimal(1),
    "m": Decimal(60), "h": Decimal(3600), "d": Decimal(86_400),
}  # fmt: skip
_LONGEST_DURATION: Final = 3_660 * 86_400


def _duration(said: Said) -> Decimal:
    found = _DURATION.fullmatch(said.text)
    factor = _SECONDS.get(found[2]) if found is not None else None
    if found is None or factor is None:
        raise said.other(
            "நொடிகளின் எண்ணிக்கை, அல்லது 250ms, 30s, 5m, 2h, 14d போன்ற காலம் தேவை",
            "a number of seconds, or a time such as 250ms, 30s, 5m, 2h or 14d",
        )
    return Decimal(found[1]) * factor


def seconds(*, may_be_zero: bool = False) -> Kind:
    """A duration."""

    def read(said: Said) -> float:
        number = _duration(said)
        if not number and not may_be_zero:
            raise said.wrong(
                "0 ஆக இருக்க முடியாது; மிகக் குறுகிய காலத்தை 1ms என எழுதலாம்",
                "it cannot be 0; a very short time is 1ms",
            )
        return float(_within(said, number, 0, _LONGEST_DURATION, _shown_seconds))

    return Kind("காலம்", "time", read, "float", _shown_seconds)


def _read_whole_seconds(said: Said) -> int:
    number = _duration(said)
    if number != int(number):
        raise said.other("முழு நொடிகள் மட்டும்", "whole seconds only")
    return int(_within(said, number, 0, _LONGEST_DURATION, _shown_seconds))


def _shown_seconds(value: float) -> str:
    for name in ("d", "h", "m"):
        unit = int(_SECONDS[name])
        if value >= 2 * unit and value % unit == 0:
            return f"{value // unit:g}{name}"
    return f"{value:g}s"


def _within(
    said: Said, number: Decimal, least: int, most: int, show: Callable[[int], str] = str
) -> Decimal:
    if number < least:
        raise said.other(f"குறைந்தது {show(least)} தேவை", f"it is at least {show(least)}")
    if number > most:
        raise said.other(f"அதிகபட்சம் {show(most)}", f"it is at most {show(most)}")
    return number


_YES: Final = frozenset({"true", "yes", "on", "மெய்", "ஆம்"})
_NO: Final = frozenset({"false", "no", "off", "பொய்", "இல்லை"})


def _read_flag(said: Said) -> bool:
    word = said.text.lower()
    if word not in _YES | _NO:
        raise said.other("true அல்லது false தேவை", "true or false")
    return word in _YES


def one_of(*words: str) -> Kind:
    """One of a few words."""

    def read(said: Said) -> str:
        if said.text not in words:
            wanted = ", ".join(words)
            raise said.other(f"{wanted} இவற்றுள் ஒன்று தேவை", f"one of {wanted}").add(*near(said.text, words))
        return said.text

    shown = " · ".join(words)
    return Kind(shown, shown, read, "str")


def several(one: Kind, tamil: str, english: str) -> Kind:
    """A list of such values. One alone need not be a list, and a text may have commas between them."""
    return Kind(tamil, english, one.read, f"tuple[{one.type}, ...]", _shown_list, is_list=True)


def _shown_list(values: Iterable[str]) -> str:
    return f"[{', '.join(values)}]"


def _read_text(said: Said) -> str:
    if not said.text:
        raise said.other("ஓர் உரை தேவை", "a text is needed")
    return said.text


def _read_path(said: Said) -> str:
    if not said.text or said.text.lower() in _NO:
        return ""
    return read_one_path(said, "பாதை, அல்லது off", ", or off")


def read_path(said: Said, tamil: str = "பாதை", english: str = "") -> str:
    """The path of a request. Raises: ConfigError."""
    from etamil_actors.edge.paths import PathError, decoded

    if not said.text.startswith("/"):
        raise said.other(f"‘/’ உடன் தொடங்கும் {tamil} தேவை", f"a path that starts with ‘/’{english}")
    if re.search(r"[\s?#%]", said.text):
        raise said.wrong(
            f"பாதையில் வெற்றிடமோ ? # % குறிகளோ வரக்கூடாது: ‘{short(said.text)}’",
            f"there are no spaces and no ? # % in a path: ‘{short(said.text)}’",
        )
    try:
        return decoded(said.text.encode("utf-8", "surrogateescape"))
    except PathError as wrong:
        shown = f": ‘{short(said.text)}’"
        raise said.wrong(wrong.flaw.tamil + shown, wrong.flaw.english + shown) from None


def read_one_path(said: Said, tamil: str = "பாதை", english: str = "") -> str:
    """A path that is one path, and no pattern of many. Raises: ConfigError."""
    path = read_path(said, tamil, english)
    if path.startswith("//") or any(part.startswith((":", "*")) for part in path.split("/")):
        raise said.other(
            "‘//’, ‘:பெயர்’, ‘*’ இல்லாத ஒரே பாதை தேவை", "one path is needed, without ‘//’, ‘:name’ and ‘*’"
        )
    return path


def built_in_paths(http: HttpSettings) -> list[str]:
    """What is at a path without any program."""
    from etamil_actors.edge.health import QUESTIONS, path_of

    health = [path_of(http.health, question) for question in QUESTIONS] if http.health else []
    return [*health, *(path for path in (http.metrics, http.openapi, http.docs) if path)]


_NO_PREFIX: Final = ":*?#%"
"""What in a prefix would be no plain part of a path."""


def _read_prefix(said: Said) -> str:
    """Without a slash at its end, so ``/`` is none at all."""
    text = read_path(said._replace(text=said.text.rstrip("/"))) if said.text.strip("/") else ""
    if not said.text.startswith("/") or any(mark in text for mark in _NO_PREFIX) or "//" in text:
        raise said.wrong(
            f"‘/api’ போன்ற பாதை தேவை, ‘{short(said.text)}’ அல்ல; அதில் {' '.join(_NO_PREFIX)} வராது",
            f"a path such as ‘/api’, without {' '.join(_NO_PREFIX)}, not ‘{short(said.text)}’",
        )
    return text


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _read_token(said: Said) -> str:
    if _TOKEN.fullmatch(said.text) is None:
        raise said.other(
            "ஆங்கில எழுத்து, எண், ‘-’, ‘_’ மட்டும் உள்ள பெயர் தேவை",
            "a name of English letters, digits, ‘-’ and ‘_’ only",
        )
    return said.text


def path_of(said: Said) -> str:
    """Where a file is. Raises: ConfigError."""
    if "\0" in said.text:
        raise said.wrong("கோப்பின் பெயரில் U+0000 வரக்கூடாது", "the name of a file cannot have U+0000 in it")
    return os.path.join(said.folder, _read_text(said))


def _read_file(said: Said) -> str:
    path = path_of(said)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise said.wrong(f"‘{path}’ ஒரு கோப்பு அல்ல", f"‘{path}’ is no file")
        with open(path, "rb"):
            return path
    except OSError as error:
        raise _unreadable(said, path, error) from None


def _unreadable(said: Said, path: str, error: OSError) -> ConfigError:
    from etamil_actors.vm.builtins.files import words_of

    tamil, english = words_of(error)
    return said.wrong(f"‘{path}’ கோப்பைப் படிக்க முடியவில்லை: {tamil}", f"cannot read ‘{path}’: {english}")


def _read_secret(said: Said) -> str:
    if len(said.text.encode("utf-8", "surrogateescape")) < LEAST_SECRET:
        raise said.wrong(
            f"இரகசியம் மிகக் குறுகியது; {LEAST_SECRET} பைட்டுகளாவது தேவை. புதியது: openssl rand -base64 32",
            f"the secret is shorter than {LEAST_SECRET} bytes. For a new one: openssl rand -base64 32",
        )
    return said.text


def _read_secret_file(said: Said) -> str:
    text = _content(said, path_of(said))
    return _read_secret(said._replace(text=text.rstrip("\r\n")))


def _content(said: Said, path: str) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise _unreadable(said, path, error) from None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > LARGEST:
        raise said.wrong(
            f"‘{path}’ UTF-8 உரை அல்ல, அல்லது வெற்று", f"‘{path}’ is empty, or not a text in UTF-8"
        )
    return text


def read_text_file(said: Said) -> str:
    """What a file holds, without the end of its last line. Raises: ConfigError."""
    return _content(said, path_of(said)).rstrip("\r\n")


def read_key_set(said: Said) -> Any:
    """The JWKS that a file holds. Raises: ConfigError."""
    from etamil_actors.edge.exact_json import NotExactError, decode

    path = path_of(said)
    try:
        found = decode(_content(said, path).encode())
    except NotExactError:
        found = None
    if not isinstance(found, dict):
        raise said.wrong(f"‘{path}’ ஒரு JWKS ஆவணம் அல்ல", f"‘{path}’ is no JWKS document")
    return found


def _read_address(said: Said) -> str:
    try:
        address = parse_address(said.text)
    except AddressError as wrong:
        raise said.wrong(wrong.tamil, wrong.english) from None
    if address.path:
        address = address._replace(path=os.path.join(said.folder, address.path))
    return str(address)


def _read_network(said: Said) -> str:
    from etamil_actors.edge.client_address import TrustedProxies

    try:
        TrustedProxies([said.text])
    except Fault as wrong:
        raise said.refused(wrong) from None
    return said.text


def _read_origin(said: Said) -> str:
    from etamil_actors.edge.cors import CrossOrigin

    try:
        CrossOrigin(Cors(origins=(said.text,)))
    except Fault as wrong:
        raise said.refused(wrong) from None
    return said.text


def short(text: str) -> str:
    """What somebody wrote, as far as it helps to recognise it; what cannot be seen is told by its number."""
    seen = text[:60] + "…" if len(text) > 60 else text
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in seen)


FLAG: Final = Kind("மெய்/பொய்", "true or false", _read_flag, "bool", lambda value: "true" if value else "false")
TEXT: Final = Kind("உரை", "text", _read_text, "str")
TOKEN: Final = Kind("பெயர்", "name", _read_token, "str")
PATH: Final = Kind("பாதை, அல்லது off", "path, or off", _read_path, "str")
PREFIX: Final = Kind("பாதை", "path", _read_prefix, "str")
FILE: Final = Kind("கோப்பு", "file", _read_file, "str")
SECRET: Final = Kind("இரகசியம்", "secret", _read_secret, "str", lambda value: "")
SECRET_FILE: Final = Kind("கோப்பு", "file", _read_secret_file, "str", lambda value: "")
WHOLE_SECONDS: Final = Kind("காலம்", "time", _read_whole_seconds, "int", _shown_seconds)
ADDRESSES: Final = several(Kind("", "", _read_address, "str"), "முகவரிகள்", "addresses")
NETWORKS: Final = several(Kind("", "", _read_network, "str"), "வலையமைப்புகள்", "networks")
ORIGINS: Final = several(Kind("", "", _read_origin, "str"), "தளங்கள், அல்லது *", "origins, or *")
TOKENS: Final = several(TOKEN, "பெயர்கள்", "names")
SECRETS: Final = several(SECRET, "இரகசியங்கள்", "secrets")._replace(show=lambda value: "")


def near(word: str, known: Sequence[str]) -> tuple[str, str]:
    """What to add to the refusal of a word: the one that was perhaps meant."""
    from etamil_actors.language.nearby import nearest

    word_meant = nearest(word, known)
    return meaning(word_meant) if word_meant is not None else ("", "")


def meaning(word: str) -> tuple[str, str]:
    """The question whether this word is meant."""
    return f"; ‘{word}’ என்று எழுத எண்ணினீர்களா?", f"; did you mean ‘{word}’?"


# ---- the table ------------------------------------------------------------------------


class Row(NamedTuple):
    """One setting. In ``key`` and ``field`` a dot leads into a section."""

    key: str
    field: str
    kind: Kind
    tamil: str
    english: str


HTTP: Final = (
    Row("bind", "bind", ADDRESSES,
        "கேட்கும் முகவரிகள்; சொல்லாவிட்டால் நிரல்கள் சொல்வது, அதுவும் இல்லையேல் 127.0.0.1:8080",
        "where to listen; unsaid: what the programs say, else 127.0.0.1:8080"),
    Row("target", "target_bytes", size(64), "பாதையும் வினவலும் இவ்வளவே; மேல் போனால் 414",
        "the path with the query; beyond it 414"),
    Row("headers", "header_bytes", size(256), "தலைப்புகள் எல்லாம் சேர்ந்து; மேல் போனால் 431",
        "all headers together; beyond it 431"),
    Row("header_count", "header_count", count(), "தலைப்புகளின் எண்ணிக்கை; மேல் போனால் 431",
        "how many headers; beyond it 431"),
    Row("body", "body_bytes", size(), "கோரிக்கையின் உடலுரை; மேல் போனால் 413",
        "the body of a request; beyond it 413"),
    Row("header_time", "header_seconds", seconds(), "தலைப்புகள் வந்து முடிய", "until the headers have come"),
    Row("body_time", "body_seconds", seconds(), "உடலுரை வந்து முடிய; பெரியதெனில் body_rate படி; மீறினால் 408",
        "until the body has come; a large one gets more, by body_rate; beyond it 408"),
    Row("body_rate", "body_rate", size(1), "நொடிக்கு இவ்வளவாவது வரும் உடலுரைக்குக் கூடுதல் நேரம் கிடைக்கும்",
        "a body that comes at so much a second gets more time"),
    Row("handler_time", "handler_seconds", seconds(), "பதில் ஆயத்தமாக; வழியின் timeout இதை மாற்றும்; மீறினால் 504",
        "until the answer is there; the timeout of a route wins; beyond it 504"),
    Row("write_time", "write_seconds", seconds(), "வாடிக்கையாளர் எதையும் வாங்காமல் இருக்கக்கூடிய நேரம்",
        "how long a client may take nothing of what is sent to it"),
    Row("keep_alive", "keep_alive_seconds", seconds(), "அடுத்த கோரிக்கைக்காக இணைப்பு காத்திருக்கும் நேரம்",
        "how long a connection waits for its next request"),
    Row("tls_time", "tls_seconds", seconds(), "TLS கைகுலுக்கல் முடிய", "until the TLS handshake is done"),
    Row("connections", "connections", count(), "ஒரே நேரத்தில் இணைப்புகள், ஒவ்வொரு செயல்முறையிலும்",
        "connections at once, in each process"),
    Row("per_address", "connections_per_address", count(0),
        "ஒரு முகவரியிலிருந்து இணைப்புகள்; 0 என்றால் 256, இந்தக் கணினியிலிருந்து வரம்பில்லை",
        "connections from one address; 0: 256, and no limit for this machine itself"),
    Row("in_flight", "in_flight", count(), "ஒரே நேரத்தில் வேலை செய்யும் கோரிக்கைகள்; மேல் போனால் 503",
        "requests whose handlers are at work at once; beyond it 503. Streams and WebSockets do not count"),
    Row("buffered", "buffered_bytes", size(1), "நினைவகத்தில் உள்ள உடலுரைகள் எல்லாம் சேர்ந்து",
        "bodies in memory, all together"),
    Row("forms.fields", "form_fields", count(), "ஒரு படிவத்தின் புலங்கள்", "fields of a form"),
    Row("forms.files", "form_files", count(0), "ஒரு படிவத்தின் கோப்புகள்", "files of a form"),
    Row("forms.memory", "upload_memory_bytes", size(), "இதைவிடப் பெரிய கோப்பு வட்டில் வைக்கப்படும்",
        "a larger file goes to the disk"),
    Row("websocket.message", "websocket_message_bytes", size(1), "ஒரு WebSocket செய்தி",
        "one WebSocket message"),
    Row("websocket.ping", "websocket_ping_seconds", seconds(), "இணைப்பு உள்ளதா எனக் கேட்கும் இடைவெளி",
        "how often a WebSocket is asked whether it is still there"),
    Row("drain_delay", "drain_delay", seconds(may_be_zero=True),
        "நிறுத்தும்போது, ‘ஆயத்தம் இல்லை’ எனச் சொன்ன பின்னும் கோரிக்கைகளை ஏற்கும் நேரம்",
        "at the end: how long requests are still taken after readiness has become false"),
    Row("trusted_proxies", "trusted_proxies", NETWORKS,
        "இவை சொல்லும் X-Forwarded-For, X-Forwarded-Proto நம்பப்படும்",
        "whose X-Forwarded-For and X-Forwarded-Proto are believed"),
    Row("debug", "debug", FLAG, "உள்ளே என்ன பிழை என்பதை வாடிக்கையாளருக்குச் சொல்லும்; உண்மைப் பயன்பாட்டில் வேண்டாம்",
        "tells clients what went wrong inside; never in production"),
    Row("envelope", "envelope", FLAG,
        "பிழைப் பதில்களில் `error` உடன் `success: false`, `data: null`-உம் இருக்கும்",
        "error answers have `success: false` and `data: null` beside `error`"),
    Row("access_log", "access_log", FLAG, "ஒவ்வொரு கோரிக்கைக்கும் ஒரு வரி", "a line for each request"),
    Row("compress", "compress", FLAG, "பதில்களைச் சுருக்கி அனுப்பும்", "answers are sent compressed"),
    Row("http2", "http2", one_of("tls-only", "cleartext", "off"), "HTTP/2 எங்கே", "where HTTP/2 is spoken"),
    Row("paths.health", "health", PATH, "நலம்: அதன் கீழ் /live, /ready, /startup",
        "health, and below it /live, /ready, /startup"),
    Row("paths.metrics", "metrics", PATH, "அளவீடுகள் (Prometheus)", "metrics (Prometheus)"),
    Row("paths.openapi", "openapi", PATH, "OpenAPI ஆவணம்", "the OpenAPI document"),
    Row("paths.docs", "docs", PATH, "அதன் பக்கம்", "its page"),
    Row("cors.origins", "cors.origins", ORIGINS, "எந்தத் தளங்களின் பக்கங்கள் பதில்களைப் படிக்கலாம்",
        "the pages of which origins may read answers"),
    Row("cors.methods", "cors.methods", TOKENS, "அவை பயன்படுத்தக்கூடிய முறைகள்", "the methods that they may use"),
    Row("cors.headers", "cors.headers", TOKENS, "அவை அனுப்பக்கூடிய தலைப்புகள்", "the headers that they may send"),
    Row("cors.exposed", "cors.exposed", TOKENS, "அவை படிக்கக்கூடிய தலைப்புகள்", "the headers that they may read"),
    Row("cors.credentials", "cors.credentials", FLAG, "குக்கீகளுடன் கேட்கலாமா", "may they ask with cookies"),
    Row("cors.max_age", "cors.max_age", WHOLE_SECONDS, "உலாவி இதை நினைவில் வைக்கும் நேரம்",
        "how long browsers remember this"),
    Row("tls.certificate", "tls.certificate", FILE, "சான்றிதழ், PEM", "the certificate with its chain, PEM"),
    Row("tls.key", "tls.key", FILE, "அதன் திறவுகோல், PEM", "its key, PEM"),
    Row("session.secret", "session.secret", SECRET,
        "அமர்வுக் குக்கீயில் கையொப்பமிடும்; சொல்லாவிட்டால் ஒவ்வொரு தொடக்கத்திலும் புதியது",
        "signs the cookie of sessions; unsaid: a new one at each start, so sessions end with it"),
    Row("session.secret_file", "session.secret", SECRET_FILE, "அதே, ஒரு கோப்பிலிருந்து",
        "the same, from a file"),
    Row("session.old_secrets", "session.old_secrets", SECRETS,
        "முன்பு பயன்பட்டவை; இவை கையொப்பமிட்ட அமர்வுகள் அவை முடியும் வரை ஏற்கப்படும்",
        "those of before; sessions that they have signed are accepted until they end"),
    Row("session.cookie", "session.cookie", TOKEN, "குக்கீயின் பெயர்", "the name of the cookie"),
    Row("session.lifetime", "session.seconds", WHOLE_SECONDS, "ஓர் அமர்வு எவ்வளவு நேரம்",
        "how long a session lasts"),
    Row("session.secure", "session.secure", FLAG, "TLS வழியாக மட்டும் அனுப்பு; கோரிக்கை TLS-இல் வந்தால் தானாகவே",
        "send it over TLS only; by itself when the request came over TLS"),
)  # fmt: skip

PARTS: Final[Mapping[str, type[Any]]] = {"cors": Cors, "tls": Tls, "session": SessionSettings}
"""Fields of HttpSettings that are settings of their own."""


def fields_of(kind: type[Any]) -> dict[str, Field[Any]]:
    found: dict[str, Field[Any]] = {}
    for one in fields(kind):
        if one.name in PARTS and kind is HttpSettings:
            found |= {f"{one.name}.{name}": inner for name, inner in fields_of(PARTS[one.name]).items()}
        else:
            found[one.name] = one
    return found


def check_table(rows: Sequence[Row], kind: type[Any], beside: Set[str] = frozenset()) -> None:
    """Does every field have a row, but for those that are filled in another way?"""
    known = {name: one for name, one in fields_of(kind).items() if name not in beside}
    assert {row.field for row in rows} == known.keys(), "a setting has no row, or a row no setting"
    for row in rows:
        assert row.kind.type == known[row.field].type, f"{row.key} is not written as {known[row.field].type}"


check_table(HTTP, HttpSettings)


# ---- the reference --------------------------------------------------------------------


class Entry(NamedTuple):
    """One setting as people look it up."""

    key: str
    written_tamil: str
    written_english: str
    default: str
    """As it would be written; empty where there is none."""
    tamil: str
    english: str


TOP: Final = (
    Entry("name", TEXT.tamil, TEXT.english, "", "எல்லாவற்றுக்கும் ஒரு பெயர்; சொல்லாவிட்டால் கோப்புறையின் பெயர்",
          "a name for all of it; unsaid: that of the folder"),
    Entry("services", "பட்டியல்", "list", "", "நிரல்கள்: ஒவ்வொன்றும் ஒரு கோப்பின் பாதை, அல்லது `{ path: …, prefix: … }`",
          "programs: each the path of a file, or `{ path: …, prefix: … }`"),
    Entry("channels", "பெயர்: விருப்பங்கள்", "name: options", "",
          "சேனல்_உருவாக்கு ஏற்கும் விருப்பங்கள்; நிரலில் உள்ளவற்றை இவை வெல்லும்",
          "options as சேனல்_உருவாக்கு takes them; they win over those in the program"),
    Entry("processes", count().tamil, count().english, "1",
          "ஒரே முகவரிகளில் கேட்கும் செயல்முறைகள்; SIGHUP அவற்றை ஒவ்வொன்றாக மாற்றும்",
          "processes that listen at the same addresses; SIGHUP replaces them one by one"),
)  # fmt: skip
"""What is neither ``http`` nor ``auth``."""

PER_REQUEST: Final = "per_request"
WHEN: Final = one_of("once", PER_REQUEST)

SERVICE: Final = (
    Entry("services.path", TEXT.tamil, TEXT.english, "", "நிரலின் கோப்பு, `.qmz`",
          "the file of the program, `.qmz`"),
    Entry("services.prefix", PREFIX.tamil, PREFIX.english, "",
          "நிரலின் எல்லா வழிகளின் பாதைக்கும் முன் வருவது: `/api` எனில் `/books`, `/api/books`-இல் இருக்கும்",
          "what stands before the path of each of its routes: with `/api`, `/books` is at `/api/books`"),
    Entry("services.prelude", WHEN.tamil, WHEN.english, "once",
          "per_request என்றால் மேல்நிலை ஒவ்வொரு கோரிக்கைக்கும் புதிதாக ஓடும்",
          "per_request: the top level runs anew for each request"),
    Entry("services.settings", "பெயர்: மதிப்பு", "name: value", "", "அமைப்பு(…) தரும் மதிப்புகள்",
          "what அமைப்பு(…) answers"),
)  # fmt: skip
"""What may be said of each service."""


def http_reference() -> list[Entry]:
    """Every setting of ``http``."""
    return [entry_of(row, HttpSettings, "http.") for row in HTTP]


def entry_of(row: Row, kind: type[Any], prefix: str) -> Entry:
    """A setting as people look it up."""
    default = fields_of(kind)[row.field].default
    shown = "" if default is MISSING else row.kind.show(default)
    return Entry(prefix + row.key, row.kind.tamil, row.kind.english, shown, row.tamil, row.english)


_PAGE_HEAD = """\
# அமைப்புகள் (Configuration)

`etamil-actors up` படிக்கும் கோப்பு, `config.yaml`. இல்லாத அமைப்பு, தவறான வகை, நடவாத மதிப்பு எல்லாம் கோப்பின்
வரியுடன் சொல்லப்படும் பிழைகள்; எதுவும் தொடங்காது. பாதைகள் இந்தக் கோப்பு உள்ள கோப்புறையிலிருந்து எண்ணப்படும்.

The file that `etamil-actors up` reads, `config.yaml`. A setting that does not exist, a value of another kind
or one that cannot be is an error with its line, and nothing is started. Paths count from the folder of this
file.

```yaml
name: kadai
processes: 2
http:
  bind: ["127.0.0.1:8080"]
  body: 1MiB
  handler_time: 30s
  session: { secret_file: secrets/session }
services:
  - services/api.qmz
channels:
  orders: { capacity: 200, transport: journal }
auth: { jwt: { secret: "${JWT_SECRET}", algorithms: [HS256] } }
```

| எழுதும் விதம் (written) | பொருள் (meaning) |
| --- | --- |
| அளவு (size) | பைட்டுகள், அல்லது `500kB`, `64KiB`, `1MiB` (bytes, or with a unit) |
| காலம் (time) | நொடிகள், அல்லது `250ms`, `30s`, `5m`, `2h`, `14d` (seconds, or with a unit) |
| பட்டியல் (list) | `[a, b]`, அல்லது காற்புள்ளிகளுடன் ஓர் உரை `"a, b"` (a list, or one text with commas) |
| `${NAME}` | சூழல் மாறி; இல்லாவிட்டால் பிழை (a variable of the environment; an error without it) |
| `${NAME:-x}` | அது இல்லாமலோ வெற்றாகவோ இருந்தால் x (x when it is missing or empty) |
| `$${` | `${` எழுத்துகளே (the characters `${` themselves) |

முகவரிகள் (addresses): `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`; `8080` இந்தக் கணினியிலிருந்து மட்டும்
(this machine only); `:8080` எல்லா வலைகளிலிருந்தும் (every network); `unix:/run/kadai.sock`.
"""


def configuration_page() -> str:
    """The reference page, in Markdown."""
    from etamil_actors import configuration_auth
    from etamil_actors.configuration_resources import reference

    sections = configuration_auth.reference() | reference()
    others = [part for name, rows in sections.items() for part in (f"## {name}\n", _table(rows))]
    return "\n".join([
        _PAGE_HEAD,
        "## மேல்நிலை (top level)\n",
        _table(TOP),
        "## services\n",
        _table(SERVICE),
        "## http\n",
        _table(http_reference()),
        *others,
    ])


def _table(entries: Iterable[Entry]) -> str:
    lines = [
        "| அமைப்பு (setting) | எழுதும் விதம் (written) | இயல்பு (default) | பொருள் (meaning) |",
        "| --- | --- | --- | --- |",
    ]
    for one in entries:
        written = (
            one.written_english
            if one.written_tamil == one.written_english
            else f"{one.written_tamil} ({one.written_english})"
        )
        default = f"`{one.default}`" if one.default else ""
        lines.append(f"| `{one.key}` | {written} | {default} | {one.tamil} ({one.english}) |")
    return "\n".join(lines) + "\n"
