"""Requests of a test: through the real router, limits and actors, with nothing of the network between.

``கோரிக்கை_அனுப்பு`` and the Python kit send them. A program gets the answer as a record in two languages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

import trio

from etamil_actors.actors.events import Event, EventStream
from etamil_actors.actors.programs.exchange import Headers, PeerGoneError
from etamil_actors.actors.programs.system import System
from etamil_actors.edge.exchange import FileBody, Outgoing
from etamil_actors.edge.media_types import media_type
from etamil_actors.edge.request import HttpRequest
from etamil_actors.edge.server import Edge
from etamil_actors.edge.settings import HttpSettings
from etamil_actors.edge.site import Site
from etamil_actors.errors import Fault
from etamil_actors.ports import Files
from etamil_actors.vm.builtins.json import NotJson, json_text, parse_json
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import read_options
from etamil_actors.vm.values import TwoNamed, Value

ANSWER_NAMES: Final = {
    "நிலை": "status",
    "உடலுரை": "body",
    "ஜேசான்_மதிப்பு": "json",
    "தலைப்புகள்": "headers",
    "स्थिति": "status",
}

PIECE: Final = 64 * 1024

SHOWN: Final = 1_000
"""So many bytes of an answer are told of."""


class Received:
    """What a client has received."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = []
        self.body = bytearray()

    def field(self, name: str) -> str | None:
        """A header field; of several the last."""
        fields = [value for key, value in self.headers if key == name.lower().encode()]
        return fields[-1].decode("utf-8", "replace") if fields else None

    def record(self) -> TwoNamed:
        """As a program sees it."""
        text = self.body.decode("utf-8", "replace")
        try:
            value = parse_json(text) if text else None
        except NotJson:
            value = None
        headers: dict[str, Value] = {
            name.decode("ascii"): value.decode("utf-8", "replace") for name, value in self.headers
        }
        fields = {"status": self.status, "body": text, "json": value, "headers": headers}
        return TwoNamed(fields, ANSWER_NAMES)


class MemoryExchange:
    """A request and its answer without a network. It is its own sink."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self.received = Received()
        self.gone = trio.Event()

    @property
    def has_body(self) -> bool:
        """Does a body come along?"""
        return bool(self._body)

    @property
    def length(self) -> int | None:
        """How long it is."""
        return len(self._body)

    def whole(self) -> bytes | None:
        """All of it, if it is small."""
        if self._at or len(self._body) > PIECE:
            return None
        self._at = len(self._body)
        return self._body

    async def read(self) -> bytes:
        """The next piece of it."""
        await trio.lowlevel.checkpoint()
        piece = self._body[self._at : self._at + PIECE]
        self._at += len(piece)
        return piece

    async def wait_gone(self) -> None:
        """Wait until the test has let go."""
        await self.gone.wait()

    def sink(self) -> MemoryExchange:
        """Where a stream goes."""
        return self

    @property
    def is_open(self) -> bool:
        """Has the head been sent?"""
        return self.received.status != 0

    async def open(self, status: int, headers: Headers) -> None:
        """The head of a stream. Raises: PeerGoneError."""
        await self.send(b"")
        self.received.status, self.received.headers = status, headers

    async def send(self, data: bytes) -> None:
        """A piece of a stream. Raises: PeerGoneError."""
        await trio.lowlevel.checkpoint()
        if self.gone.is_set():
            raise PeerGoneError
        self.received.body += data


def site_of(system: System, *, envelope: bool = False) -> Site:
    """Where the services of a system would be served, all at one address."""
    # No threads where time is virtual: nothing is long enough for one.
    settings = HttpSettings(
        access_log=False, compress=False, upload_memory_bytes=64 * 1024 * 1024, envelope=envelope
    )
    edge = Edge(
        system,
        settings,
        respond_file=partial(_respond_file, system.ports.files),
        open_folder=partial(PortFolder, system.ports.files),
    )
    return edge.without_sockets()


async def _respond_file(
    files: Files, request: HttpRequest, path: str, headers: Headers, status: int
) -> Outgoing:
    await trio.lowlevel.checkpoint()
    try:
        return Outgoing(status, list(headers), files.read(path))
    except OSError as trouble:
        raise Fault("file", path=path, problem_ta=str(trouble), problem_en=str(trouble)) from trouble


class PortFolder:
    """The static files of a service whose files are simulated: whole, and as they are."""

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self._path = path.rstrip("/")

    def open_nowait(self, request: HttpRequest, rest: Sequence[str]) -> Outgoing | None:
        """The answer."""
        path = "/".join((self._path, *rest))
        try:
            if self._files.details(path).folder:
                path += "/index.html"
            headers = [(b"content-type", media_type(path).encode())]
            return Outgoing(200, headers, self._files.read(path))
        except OSError:
            return Outgoing(404, [], b"")

    async def open(self, request: HttpRequest, rest: Sequence[str]) -> Outgoing:
        """The same."""
        await trio.lowlevel.checkpoint()
        answer = self.open_nowait(request, rest)
        assert answer is not None
        return answer


async def send(
    site: Site, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Received:
    """Send a request and wait for the whole answer."""
    exchange = MemoryExchange(body)
    fields = [(b"host", b"localhost")]
    fields += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    target = quote(path, safe="/?:@!$&'()*+,;=%~").encode("ascii")
    request = HttpRequest(
        method, target, fields, exchange, arrived=trio.current_time(), client="127.0.0.1"
    )
    received = exchange.received
    is_cut = True
    try:
        made = site.begin(request)
        outgoing = made if isinstance(made, Outgoing) else await made
        if outgoing is not None:
            await _receive(outgoing, received)
        is_cut = False
    finally:
        exchange.gone.set()
        site.done(request, received.status, len(received.body), is_cut=is_cut)
    return received


async def _receive(outgoing: Outgoing, received: Received) -> None:
    received.status, received.headers = outgoing.status, list(outgoing.headers)
    body = outgoing.body
    if isinstance(body, FileBody):
        try:
            while len(received.body) < body.length:
                received.body += await body.read(body.start + len(received.body), PIECE)
        finally:
            body.close()
    else:
        received.body += body


@dataclass(slots=True)
class Answered(Event):
    """A program has sent a request, and this is what it got."""

    method: str
    target: str
    status: int
    """0: there was no answer."""
    body: str
    """As much of it as people read."""


async def send_as_program(
    site: Site, events: EventStream, method: Value, path: Value, options: Value = None
) -> Value:
    """``கோரிக்கை_அனுப்பு(method, path [, {"json", "body", "headers", "query"}])``."""
    given = read_options(options, "_sendRequest")
    headers = _texts(given, "headers")
    body = b""
    if "json" in given:
        body = json_text(given["json"]).encode()
        headers.setdefault("Content-Type", "application/json")
    elif "body" in given:
        body = text_of(given["body"]).encode()
    target = text_of(path)
    query = _texts(given, "query")
    if query:
        target += ("&" if "?" in target else "?") + urlencode(query)
    verb = text_of(method).upper()
    received = await send(site, verb, target, headers, body)
    answer = received.body[:SHOWN].decode("utf-8", "replace")
    events.life(Answered(trio.current_time(), "", verb, target, received.status, answer))
    return received.record()


def _texts(given: Mapping[str, Any], name: str) -> dict[str, str]:
    record = given.get(name)
    if record is None:
        return {}
    if not isinstance(record, dict):
        raise wrong_kind(f"கோரிக்கை_அனுப்பு: {name}", "ஒரு பொருள்", "a record", record)
    texts = {key: text_of(value) for key, value in record.items()}
    if name == "headers" and any("\r" in text or "\n" in text for text in (*texts, *texts.values())):
        raise Fault(
            "value.invalid",
            name="கோரிக்கை_அனுப்பு: headers",
            problem_ta="தலைப்பில் வரிமுடிவு இருக்கக் கூடாது",
            problem_en="a header may have no line end",
        )
    return texts
