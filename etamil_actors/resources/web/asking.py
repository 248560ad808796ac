"""What is asked of another server, and what is asked next when it sends us elsewhere (RFC 9110 §15.4).

Pure, but for the library that takes URLs apart.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from etamil_actors.ports.web import WebError
from etamil_actors.resources.web.destinations import host_name, literal_address

Header = tuple[bytes, bytes]

PORTS: Final = {"http": 80, "https": 443}

LONGEST_URL: Final = 16_384


class Target(NamedTuple):
    """Where a request goes: the parts of a URL without its fragment."""

    scheme: str
    host: str
    """In ASCII; an IPv6 address without brackets."""
    port: int
    path: str
    """With the query."""
    user: bytes = b""
    """Name and password, as they stood before the host."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """As the header ``Host`` has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole, without anything secret but what the path may hold."""
        return f"{self.scheme}://{self.authority}{self.path}"


class Ask(NamedTuple):
    """One request."""

    method: str
    target: Target
    headers: Sequence[Header]
    body: bytes | None


_HOST: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:.]+")


def target_of(url: str, base: Target | None = None) -> Target:
    """The parts of a URL; one without a host is read from where the ``base`` stands.

    Raises:
        WebError: it is no URL of the web.
    """
    import httpx2

    if len(url) > LONGEST_URL:
        raise WebError("இணைய முகவரி மிக நீளம்", "the URL is too long")
    try:
        found = httpx2.URL(url.strip()) if base is None else httpx2.URL(base.url).join(url.strip())
        scheme, port, host = found.scheme, found.port, found.raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError, TypeError):
        raise WebError("இது ஓர் இணைய முகவரி அல்ல", "this is no URL") from None
    if scheme not in PORTS:
        raise WebError(
            "முகவரி http:// அல்லது https:// என்று தொடங்க வேண்டும்", "a URL begins with http:// or https://"
        )
    if port is None:
        port = PORTS[scheme]
    try:
        host = host_name(host)
        address = literal_address(host)
    except ValueError:
        host, address = "", None
    if address is not None:  # in whatever spelling: from here on there is one
        host = str(address)
    if _HOST.fullmatch(host) is None or ".." in host or not 0 < port < 65536:
        raise WebError("இணைய முகவரியில் இடம் சரியில்லை", "the URL names no host that can be asked")
    user = unquote_to_bytes(found.userinfo) if base is None else b""  # an answer has no say in who asks
    return Target(scheme, host, port, found.raw_path.decode("ascii"), user)


# ---- headers -----------------------------------------------------------------------------

OURS: Final = frozenset(
    (b"connection", b"content-length", b"expect", b"keep-alive", b"proxy-connection", b"te", b"trailer",
     b"transfer-encoding", b"upgrade")
)  # fmt: skip
"""Headers of the connection and of the length of the body: whoever sends them knows better."""

SECRETS: Final = frozenset(
    (b"authorization", b"cookie", b"cookie2", b"proxy-authorization", b"x-api-key", b"api-key",
     b"x-auth-token", b"x-csrf-token")
)
"""Meant for the one origin that the program has named, and for no other."""

OF_BODY: Final = frozenset(
    (b"content-encoding", b"content-language", b"content-location", b"content-type", b"digest",
     b"content-digest")
)

_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Z-]{1,32}")


def ask_of(
    method: str, url: str, body: bytes | None, headers: Sequence[tuple[str, str]], agent: str
) -> Ask:
    """A request as a program wants it.

    Raises:
        WebError: it cannot be sent so.
    """
    method = method.upper()
    if _METHOD.fullmatch(method) is None or method in ("CONNECT", "TRACE"):
        raise WebError("இந்த முறையில் (method) கேட்க முடியாது", "this method cannot be used")
    target = target_of(url)
    lines: list[Header] = []
    for name, value in headers:
        line = name.strip().encode(), value.strip().encode()
        if _TOKEN.fullmatch(line[0]) is None or _VALUE.fullmatch(line[1]) is None:
            raise WebError("தலைப்பில் அனுமதியில்லாத குறி உள்ளது", "a header holds what may not stand there")
        if line[0].lower() not in OURS:
            lines.append(line)
    said = {key.lower() for key, _ in lines}
    if target.user and b"authorization" not in said:
        # A name alone has an empty password.
        user = target.user if b":" in target.user else target.user + b":"
        lines.append((b"Authorization", b"Basic " + b64encode(user)))
    usual: list[Header] = [
        (b"User-Agent", agent.encode()), (b"Accept", b"*/*"), (b"Accept-Encoding", b"gzip, deflate"),
    ]  # fmt: skip
    lines += [line for line in usual if line[0].lower() not in said]
    return Ask(method, target._replace(user=b""), lines, body)


def wire_headers(ask: Ask) -> list[Header]:
    """The headers as they are sent, with those that are ours."""
    lines = list(ask.headers)
    if not any(name.lower() == b"host" for name, _ in lines):
        lines.insert(0, (b"Host", ask.target.authority.encode()))
    if ask.body is not None:
        lines.append((b"Content-Length", str(len(ask.body)).encode()))
    elif ask.method in ("POST", "PUT", "PATCH"):
        lines.append((b"Content-Length", b"0"))
    return lines


# ---- being sent elsewhere --------------------------------------------------------------


REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))


def next_ask(ask: Ask, status: int, location: str) -> Ask:
    """What to ask where an answer with one of these statuses points.

    A 303 is asked for with GET, and so is a 301 or 302 after POST, as everybody does; 307 and 308 keep the
    method and the body. To another origin nothing goes along that was meant for this one.

    Raises:
        WebError: it points nowhere.
    """
    target = target_of(location, ask.target)
    method, body, headers = ask.method, ask.body, ask.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, body = "GET", None
        headers = [line for line in headers if line[0].lower() not in OF_BODY]
    if target.origin != ask.target.origin:
        headers = [line for line in headers if line[0].lower() not in SECRETS and line[0].lower() != b"host"]
    return Ask(method, target, headers, body)
