"""Which pages of other origins may read our answers, said in headers (the Fetch standard, *CORS protocol*).

It is the browser that keeps pages from answers; a server only says whom to let. Nobody is let in unless
the settings name an origin. ``*`` lets all in, but never with their cookies: a page that anyone may write
would then act as the user, so these two together are a mistake of the configuration.

Where the answer depends on the origin it says so (``Vary``), to every client, so that no cache gives the
answer for one page to another.
"""

from __future__ import annotations

import re
from typing import Final

from etamil_actors.actors.programs.exchange import Headers
from etamil_actors.edge.settings import Cors
from etamil_actors.errors import Fault

ALL: Final = "*"
LONGEST: Final = 2_048
"""Bytes of asked-for header names that are repeated in an answer."""

_token: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_token_list: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z, \t-]+").fullmatch
_origin: Final = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?").fullmatch

_VARY: Final = (b"vary", b"Origin")
_VARY_PREFLIGHT: Final = (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers")


class CrossOrigin:
    """The settings, made into headers once.

    Raises:
        Fault: ``config``, the settings contradict each other or name what is no origin, method or header.
    """

    __slots__ = ("_all", "_granted", "_lets_in", "_origins", "_preflight", "_repeats_headers")

    def __init__(self, settings: Cors) -> None:
        origins = {_checked_origin(origin) for origin in settings.origins}
        self._all = ALL in origins
        if self._all and settings.credentials:
            raise _config(
                "‘origins: *’ உடன் ‘credentials: true’ சேராது; அனுமதிக்கும் தளங்களை ஒவ்வொன்றாக எழுதுங்கள்",
                "‘origins: *’ does not go with ‘credentials: true’; write down each origin that is let in",
            )
        for name in (*settings.methods, *settings.headers, *settings.exposed):
            if not _token(name):
                raise _config(f"‘{name}’ ஒரு முறையோ தலைப்போ அல்ல", f"‘{name}’ is no method and no header")
        self._origins = frozenset(origin.encode() for origin in origins)
        self._lets_in = bool(origins)
        credentials: Headers = []
        if settings.credentials:
            credentials = [(b"access-control-allow-credentials", b"true")]
        exposed = ", ".join(settings.exposed).encode()
        self._granted: Headers = [
            *credentials,
            *([(b"access-control-expose-headers", exposed)] if exposed else []),
        ]
        # With cookies ``*`` is a name like any other to browsers, so what they ask for is repeated to them.
        self._repeats_headers = ALL in settings.headers
        self._preflight: Headers = [
            (b"access-control-allow-methods", ", ".join(settings.methods).encode()),
            *([] if self._repeats_headers else [_allowed_headers(", ".join(settings.headers).encode())]),
            (b"access-control-max-age", str(max(settings.max_age, 0)).encode()),
        ]

    def trusts(self, origin: bytes | None) -> bool:
        """Is this one of the origins that the settings name? ``*`` names none."""
        return origin in self._origins and origin != ALL.encode()

    def answer_headers(self, origin: bytes | None) -> Headers:
        """What an answer says, whatever it is; ``origin`` is the header of the request. Not to be changed."""
        if not self._lets_in:
            return _NONE
        if self._all:
            return [] if origin is None else [_allowed_origin(b"*"), *self._granted]
        if origin is None or origin not in self._origins:
            return [_VARY]
        return [_allowed_origin(origin), *self._granted, _VARY]

    def preflight(
        self, origin: bytes | None, method: bytes | None, headers: bytes | None = None
    ) -> Headers | None:
        """What the answer (204) to a preflight says beside ``answer_headers``; None when the request is none.
        Browsers refuse an answer that names the origin twice, so it is named there only.

        ``method`` and ``headers`` are ``Access-Control-Request-Method`` and ``-Headers``. A page that is not
        let in hears nothing that would help it.
        """
        if not self._lets_in or origin is None or method is None:
            return None
        if not self._all and origin not in self._origins:
            return [_VARY_PREFLIGHT]
        told = list(self._preflight)
        if self._repeats_headers and headers and len(headers) <= LONGEST and _token_list(headers):
            told.append(_allowed_headers(headers))
        told.append(_VARY_PREFLIGHT)
        return told


_NONE: Final[Headers] = []


def _allowed_origin(value: bytes) -> tuple[bytes, bytes]:
    return b"access-control-allow-origin", value


def _allowed_headers(value: bytes) -> tuple[bytes, bytes]:
    return b"access-control-allow-headers", value


def _checked_origin(written: str) -> str:
    """An origin as browsers send it: scheme, host and port, in small letters and without a path."""
    origin = written.strip().lower().rstrip("/")
    if not origin.isascii():
        origin = _in_ascii(origin)
    if origin != ALL and not _origin(origin):
        raise _config(
            f"‘{written}’ ஒரு தளத்தின் முகவரி அல்ல; எடுத்துக்காட்டு: https://kadai.example",
            f"‘{written}’ is no origin; an example: https://kadai.example",
        )
    return origin


def _in_ascii(origin: str) -> str:
    """``https://கடை.example`` as browsers send it; as it was when it is no name of a host."""
    scheme, mark, rest = origin.partition("://")
    host, colon, port = rest.partition(":")
    try:
        return f"{scheme}{mark}{host.encode('idna').decode('ascii')}{colon}{port}"
    except UnicodeError:
        return origin


def _config(tamil: str, english: str) -> Fault:
    return Fault("config", problem_ta=f"http.cors: {tamil}", problem_en=f"http.cors: {english}")
