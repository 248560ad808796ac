"""``etamil-actors up`` as a process of its own, and clients that know exactly what they have sent and got.

Nothing here knows the runtime: a server is a command, a configuration, signals and what it says; a client is
a socket, in the clear (the fast lane) or in TLS (the full lane). A test waits until something has been said or
answered, and then does the next thing.
"""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, Event, Ping, Request, TextMessage

from tests.child import ETAMIL_ACTORS, PATIENCE, REPOSITORY, ChildProcess, plain_environment

PROGRAMS = REPOSITORY / "tests" / "http_life" / "programs"
ADDRESS = re.compile(r"\(addresses\): https?://127\.0\.0\.1:(\d+)")


class Certificate(NamedTuple):
    """What TLS needs: paths for the server, a context for clients."""

    certificate: str
    key: str
    authority: str
    """For clients that want a file."""
    context: ssl.SSLContext


class Server(ChildProcess):
    """A running ``up``: what it says, line by line, and where it is."""

    def __init__(
        self,
        folder: Path,
        program: str = "life.qmz",
        *,
        certificate: Certificate | None = None,
        processes: int = 1,
        is_awaited: bool = True,
        others: dict[str, Any] | None = None,
        options: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        **http: Any,
    ) -> None:
        """``program`` is the name of one of ours, or a text; ``http`` is that section of the configuration,
        ``others`` has other sections, ``options`` are those of the command, and ``environment`` has more
        variables."""
        text = program if "\n" in program else (PROGRAMS / program).read_text("utf-8")
        (folder / "life.qmz").write_text(text, "utf-8")
        (folder / "files").mkdir(exist_ok=True)
        section: dict[str, Any] = {"bind": ["127.0.0.1:0"], **http}
        if certificate is not None:
            section["tls"] = {"certificate": certificate.certificate, "key": certificate.key}
        setup: dict[str, Any] = {"name": "life", "processes": processes, "services": ["life.qmz"]}
        setup |= {"http": section, **(others or {})}
        (folder / "config.yaml").write_text(json.dumps(setup), "utf-8")  # YAML is JSON and more
        self._start(folder, options, certificate, environment or {})
        if is_awaited:
            self.wait_until_it_serves()

    @classmethod
    def at(cls, folder: Path, *options: str, **environment: str) -> Server:
        """Start what lies in a folder already, and wait until it serves."""
        made = cls.__new__(cls)
        made._start(folder, options, None, environment)
        try:
            made.wait_until_it_serves()
        except BaseException:
            made.end()
            raise
        return made

    def _start(
        self,
        folder: Path,
        options: tuple[str, ...],
        certificate: Certificate | None,
        environment: dict[str, str],
    ) -> None:
        self.certificate = certificate
        self._port = 0
        super().__init__(
            (*ETAMIL_ACTORS, "up", *options, "config.yaml"), folder,
            plain_environment(folder, PYTHONDONTWRITEBYTECODE="1", **environment),
        )  # fmt: skip

    def wait_until_it_serves(self) -> None:
        self.says(ADDRESS.pattern)

    @property
    def port(self) -> int:
        if not self._port:
            found = ADDRESS.search(self.said)
            assert found is not None, self.said
            self._port = int(found[1])
        return self._port

    def log(self) -> list[dict[str, Any]]:
        """The access log so far."""
        with self._said:
            return [json.loads(line) for line in self.lines if line.startswith("{") and '"http"' in line]

    # Clients.

    def connect(self, *, buffer: int = 0, alpn: list[str] | None = None) -> Line:
        """A new connection. ``buffer``: so many bytes the kernel keeps for a client that does not read."""
        sock = socket.socket()
        try:
            if buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            sock.settimeout(PATIENCE)
            sock.connect(("127.0.0.1", self.port))
            if self.certificate is not None:
                sock = self.certificate.context.wrap_socket(sock, server_hostname="127.0.0.1")
        except BaseException:
            sock.close()
            raise
        return Line(sock)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request on a connection of its own."""
        with self.connect() as line:
            line.send(request(method, path, body, Connection="close", **headers))
            return line.answer(method)

    def json(self, path: str) -> Any:
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return json.loads(answer.body)

    def metric(self, name: str) -> float:
        """A number that ``/metrics`` tells; of several lines with this name the sum."""
        text = self.ask("GET", "/metrics").body.decode()
        found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
        assert found, f"no {name} in\n{text}"
        return sum(map(float, found))

    # What /proc knows of it.

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self, what: str = "VmRSS") -> int:
        """Bytes of memory; ``VmHWM`` is the most there ever was."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{what}:\s+(\d+) kB", status, re.MULTILINE)
        assert found is not None, status
        return int(found[1]) * 1024


class Answer(NamedTuple):
    """What came back, whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "").lower() == "close"


class NoAnswerError(Exception):
    """The connection ended; what had come of the answer by then is ``got``."""

    def __init__(self, got: bytes) -> None:
        super().__init__(f"the connection ended after {got[:200]!r}")
        self.got = got


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A request as bytes. ``Content_Type`` is the header ``Content-Type``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


class Reading:
    """Answers out of bytes: put them in, and take what is whole."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self._least = 0
        """Looking is in vain before so much is here."""

    def take(self, method: str = "GET", *, is_over: bool = False) -> Answer | None:
        """The next whole answer, if it is here. Answers 1xx are passed over."""
        if len(self.buffer) < self._least:
            return None
        end = self.buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
        first, *lines = self.buffer[: end - 4].decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        if 100 <= status < 200 and status != 101:
            del self.buffer[:end]
            return self.take(method, is_over=is_over)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        found = self._body(end, status, method, headers, is_over)
        if found is None:
            return None
        body, end = found
        del self.buffer[:end]
        self._least = 0
        return Answer(status, headers, body)

    def _body(
        self, at: int, status: int, method: str, headers: dict[str, str], is_over: bool
    ) -> tuple[bytes, int] | None:
        if method == "HEAD" or status in (101, 204, 304):
            return b"", at
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks(at)
        if "content-length" in headers:
            self._least = end = at + int(headers["content-length"])
            return (bytes(self.buffer[at:end]), end) if len(self.buffer) >= end else None
        return (bytes(self.buffer[at:]), len(self.buffer)) if is_over else None

    def _chunks(self, at: int) -> tuple[bytes, int] | None:
        pieces = []
        while (line := self.buffer.find(b"\r\n", at)) >= 0:
            size = int(self.buffer[at:line], 16)
            end = line + 2 + size + 2
            if len(self.buffer) < end:
                return None
            pieces.append(bytes(self.buffer[line + 2 : end - 2]))
            if not size:
                return b"".join(pieces), end
            at = end
        return None


class Line:
    """A connection of a client."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.reading = Reading()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """One request; the connection is kept."""
        self.send(request(method, path, body, **headers))
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        """Wait for the next answer. Raises: NoAnswerError, TimeoutError."""
        while (answer := self.reading.take(method)) is None:
            data = self.receive()
            if not data:
                answer = self.reading.take(method, is_over=True)
                if answer is None:
                    raise NoAnswerError(bytes(self.reading.buffer))
                return answer
            self.reading.buffer += data
        return answer

    def receive(self, size: int = 65536) -> bytes:
        """Some bytes; none when it has ended, or was reset."""
        try:
            return self.socket.recv(size)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    def until(self, pattern: bytes) -> bytes:
        """Receive until this has come; all that came."""
        while not re.search(pattern, self.reading.buffer):
            data = self.receive()
            if not data:
                raise NoAnswerError(bytes(self.reading.buffer))
            self.reading.buffer += data
        return bytes(self.reading.buffer)

    def rest(self) -> bytes:
        """All that comes until the end."""
        while data := self.receive():
            self.reading.buffer += data
        return bytes(self.reading.buffer)

    def reset(self) -> None:
        """Leave without a goodbye."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def stops_sending(self) -> None:
        """Say that nothing more will come, and go on listening."""
        if isinstance(self.socket, ssl.SSLSocket):
            raise NotImplementedError("TLS knows no half-closed connection that Python could make")
        self.socket.shutdown(socket.SHUT_WR)


class WebSocket:
    """A connection on which messages go both ways."""

    def __init__(self, line: Line, path: str = "/live") -> None:
        self._line = line
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        line.send(self._protocol.send(Request(host="127.0.0.1", target=path)))
        first = self.next()
        assert isinstance(first, AcceptConnection), first

    @property
    def line(self) -> Line:
        return self._line

    def say(self, text: str) -> None:
        self._line.send(self._protocol.send(TextMessage(text)))

    def next(self) -> Event:
        """The next event. Pings are answered. Raises: NoAnswerError, it ended without a goodbye."""
        while True:
            while self._events:
                event = self._events.popleft()
                if not isinstance(event, Ping):
                    return event
                self._line.send(self._protocol.send(event.response()))
            data = self._line.receive()
            if not data:
                raise NoAnswerError(b"")
            self._protocol.receive_data(data)
            self._events.extend(self._protocol.events())

    def is_quiet(self, seconds: float) -> bool:
        """Does nothing but pings come for so long?"""
        patience = self._line.socket.gettimeout()
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 0:
                self._line.socket.settimeout(left)
                data = self._line.receive()
                self._protocol.receive_data(data or None)
                for event in self._protocol.events():
                    if not isinstance(event, Ping):
                        return False
                    self._line.send(self._protocol.send(event.response()))
        except TimeoutError:
            pass
        finally:
            self._line.socket.settimeout(patience)
        return True

    def hears(self) -> str:
        """The next message."""
        text = ""
        while True:
            event = self.next()
            assert isinstance(event, TextMessage), event
            text += event.data
            if event.message_finished:
                return text

    def takes_leave(self) -> int:
        """Wait for the goodbye, and answer it; its code."""
        event = self.next()
        assert isinstance(event, CloseConnection), event
        self._line.send(self._protocol.send(event.response()))
        return int(event.code)


Start = Callable[..., Server]
