"""What config.yaml may say of ``database``, ``web``, ``log``, ``tracing`` and ``observer``: tables as in
``configuration_table.py``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from etamil_actors.configuration_table import (
    ADDRESSES,
    SECRET,
    SECRET_FILE,
    TEXT,
    Entry,
    Row,
    Said,
    check_table,
    count,
    entry_of,
    one_of,
    seconds,
    several,
    size,
)
from etamil_actors.errors import Fault
from etamil_actors.observe.settings import LogSettings, ObserverSettings
from etamil_actors.ports.databases import PoolSettings
from etamil_actors.ports.telemetry import TracingSettings
from etamil_actors.ports.web import WebSettings


class Section(NamedTuple):
    """A section of the file: its rows fill this kind of settings."""

    rows: Sequence[Row]
    kind: type[Any]
    is_named: bool = False
    """Does it stand below names of its own: ``database: { default: { … } }``?"""


# ── database ─────────────────────────────────────────────────────────────────────────────────────

DATABASE: Final = (
    Row("url", "url", TEXT,
        "எங்கே: `sqlite:data/kadai.db`, `postgres://பயனர்@முகவரி/பெயர்`, `mysql://பயனர்@முகவரி/பெயர்`",
        "where: `sqlite:data/kadai.db`, `postgres://user@host/name`, `mysql://user@host/name`"),
    Row("max_connections", "most", count(most=1000), "ஒரே நேரத்தில் திறந்த இணைப்புகள்", "connections at once"),
    Row("min_connections", "least", count(0, 1000), "எப்போதும் திறந்திருப்பவை", "so many are kept open"),
    Row("wait_time", "wait_seconds", seconds(), "ஓர் இணைப்பு கிடைக்கக் காத்திருக்கும் நேரம்; மீறினால் `db.unavailable`",
        "how long to wait for a free connection; beyond it `db.unavailable`"),
    Row("query_time", "query_seconds", seconds(), "ஒரு வினவல்; மீறினால் தரவுத்தளத்திலேயே நிறுத்தப்படும்",
        "one query; beyond it the query is stopped in the database"),
    Row("max_rows", "max_rows", count(0), "ஒரு வினவலின் விடையில் வரிசைகள்; மீறினால் `db.rows`; 0: வரம்பில்லை",
        "rows of one answer; beyond them `db.rows`; 0: as many as there are"),
    Row("connect_time", "connect_seconds", seconds(), "இணைக்க", "until a connection is made"),
    Row("idle_time", "idle_seconds", seconds(), "இவ்வளவு நேரம் பயன்படாத இணைப்பு மூடப்படும்",
        "a connection that is not used for so long is closed"),
    Row("age", "age_seconds", seconds(), "இவ்வளவு பழைய இணைப்பு மீண்டும் தரப்படாது",
        "a connection so old is not used again"),
)  # fmt: skip

# ── web ──────────────────────────────────────────────────────────────────────────────────────────

NAMES: Final = several(TEXT, "பெயர்கள்", "names")


def _place(said: Said) -> str:
    from etamil_actors.resources.web.destinations import place_of

    try:
        place_of(said.text)
    except ValueError:
        raise said.other(
            "இடத்தின் பெயர் அல்லது முகவரிகள் தேவை (api.example, *.example, 10.0.0.0/8)",
            "a host or a network (api.example, *.example, 10.0.0.0/8)",
        ) from None
    return said.text


PLACES: Final = several(TEXT._replace(read=_place), "இடங்கள்", "hosts and networks")

WEB: Final = (
    Row("allow", "allow", PLACES,
        "இவை மட்டும் அனுமதி: `api.example`, `*.example`, `10.0.0.0/8`; சொல்லாவிட்டால் எல்லாம், "
        "தடுக்கப்பட்டவை தவிர",
        "only these: `api.example`, `*.example`, `10.0.0.0/8`; unsaid: all but what is denied"),
    Row("deny", "deny", PLACES, "இவை இல்லை; `allow` சொன்னாலும்", "not these, whatever `allow` says"),
    Row("connect_time", "connect_seconds", seconds(), "இணைக்க", "until connected"),
    Row("time", "seconds", seconds(), "முழுக் கோரிக்கை", "the whole request"),
    Row("redirects", "redirects", count(0, 20), "எத்தனை வழிமாற்றங்கள்", "how many redirects are followed"),
    Row("body", "body_bytes", size(), "பதிலின் உடலுரை", "the body of an answer"),
    Row("connections", "connections", count(), "ஒரே நேரத்தில் இணைப்புகள்", "connections at once"),
    Row("per_host", "per_host", count(), "ஓர் இடத்துக்கு இணைப்புகள்", "connections to one host"),
    Row("keep_alive", "keep_alive_seconds", seconds(), "பயன்படாத இணைப்பு திறந்திருக்கும் நேரம்",
        "how long an idle connection is kept"),
)  # fmt: skip

# ── log and tracing ──────────────────────────────────────────────────────────────────────────────

LEVEL: Final = one_of("debug", "info", "warn", "error")

LOG: Final = (
    Row("level", "level", LEVEL, "எந்த நிலை முதல் எழுத வேண்டும்", "the least that is written"),
    Row("format", "format", one_of("auto", "text", "json"), "auto: முனையத்தில் உரை, இல்லையேல் JSON வரிகள்",
        "auto: text on a terminal, JSON lines otherwise"),
    Row("mask", "mask", NAMES, "மதிப்பு மறைக்கப்பட வேண்டிய மேலும் சில புலப் பெயர்கள்",
        "more names of fields whose values are hidden"),
)  # fmt: skip
"""``levels`` of single services is a map of its own, read beside these."""

LEVELS: Final = Entry(
    "log.levels.<service>", LEVEL.tamil, LEVEL.english, "",
    "அந்தச் சேவையின் நிரல் எழுதுவதற்கு மட்டும்", "for what the program of this service logs",
)  # fmt: skip


def _share(said: Said) -> float:
    try:
        share = float(said.text)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise said.other("0 முதல் 1 வரை ஓர் எண் தேவை, பாதிக்கு 0.5", "a number from 0 to 1, 0.5 for half of them")
    return share


def _endpoint(said: Said) -> str:
    from etamil_actors.resources.telemetry.otlp import endpoint_of

    try:
        endpoint_of(said.text)
    except Fault as wrong:
        raise said.refused(wrong) from None
    return said.text


def _header(said: Said) -> str:
    from etamil_actors.resources.telemetry.otlp import headers_of

    try:
        headers_of([said.text])
    except Fault as wrong:
        raise said.refused(wrong) from None
    return said.text


ENDPOINT: Final = TEXT._replace(tamil="முகவரி", english="URL", read=_endpoint)
HEADERS: Final = several(TEXT._replace(read=_header), "தலைப்புகள்", "headers")._replace(show=lambda value: "")

TRACING: Final = (
    Row("endpoint", "endpoint", ENDPOINT, "OTLP சேகரிப்பான் (HTTP): `http://127.0.0.1:4318`",
        "the OTLP collector (HTTP): `http://127.0.0.1:4318`"),
    Row("sample", "sample", TEXT._replace(tamil="0 … 1", english="0 … 1", read=_share, type="float"),
        "புதிய தடங்களில் எத்தனை பங்கு", "the share of new traces that is kept"),
    Row("headers", "headers", HEADERS, "உடன் அனுப்ப: `பெயர்=மதிப்பு`",
        "sent along: `name=value`"),
)  # fmt: skip

# ── the observer ─────────────────────────────────────────────────────────────────────────────────

OBSERVER: Final = (
    Row("bind", "bind", ADDRESSES,
        "ஓடுவதை உலாவியில் பார்க்கும் பக்கத்தின் முகவரி; இந்தப் பகுதி இல்லாவிட்டால் பக்கம் இல்லை",
        "where the page is that shows what runs; without this section there is none"),
    Row("secret", "secret", SECRET,
        "அந்தப் பக்கத்தின் கடவுச்சொல்; மற்ற கணினிகளிலிருந்தும் பார்க்க முடிந்தால் கட்டாயம்",
        "the password of that page; needed where other machines can reach it"),
    Row("secret_file", "secret", SECRET_FILE, "அதே, ஒரு கோப்பிலிருந்து", "the same, from a file"),
)  # fmt: skip

SECTIONS: Final[Mapping[str, Section]] = {
    "database": Section(DATABASE, PoolSettings, is_named=True),
    "web": Section(WEB, WebSettings),
    "log": Section(LOG, LogSettings),
    "tracing": Section(TRACING, TracingSettings),
    "observer": Section(OBSERVER, ObserverSettings),
}

_BESIDE: Final = {PoolSettings: {"kind", "most_idle", "name"}, LogSettings: {"levels", "said"}}
"""Fields that no single value fills."""

for _section in SECTIONS.values():
    check_table(_section.rows, _section.kind, _BESIDE.get(_section.kind, set()))


def reference() -> dict[str, list[Entry]]:
    """Every setting of these sections."""
    found = {
        name: [entry_of(row, one.kind, f"{name}.<name>." if one.is_named else f"{name}.") for row in one.rows]
        for name, one in SECTIONS.items()
    }
    found["log"].insert(1, LEVELS)
    return found
