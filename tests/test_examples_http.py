"""The examples that speak HTTP, each started by ``up`` as a person would and asked over a real socket.

What they do without a network — their own ``சோதனை`` blocks, their layout — is tested with all examples.
"""

from __future__ import annotations

import json
import os
import queue
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, Request, TextMessage

from tests.plain_lines import plain

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 30.0
"""Seconds until something that should come has not come."""

EXAMPLES = ("19_library.qmz", "20_uploads.qmz", "21_chat.qmz", "22_live_feed.qmz", "23_login.qmz")

ADDRESS = re.compile(r"\(addresses\): http://127\.0\.0\.1:(\d+)")

Start = Callable[..., "Running"]


class Answer(NamedTuple):
    """What came back, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Running:
    """An example while ``up`` runs it."""

    def __init__(self, name: str, **environment: str) -> None:
        kept = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}
        self.said: list[str] = []
        self._is_asked = False
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etamil_actors", "up", f"examples/{name}", "--bind", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=REPOSITORY,
            env={**kept, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        )
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self._find(ADDRESS)[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as errors:
            for line in errors:
                for part in plain(line.decode().rstrip("\n")):
                    self._lines.put(f"{part}\n")
        self._lines.put(None)

    def _find(self, wanted: re.Pattern[str]) -> re.Match[str]:
        while (line := self._lines.get(timeout=PATIENCE)) is not None:
            self.said.append(line)
            if found := wanted.search(line):
                return found
        raise AssertionError(f"it ended and had said: {''.join(self.said)}")

    def begin_to_stop(self) -> None:
        """Ask it, once: a second time would cut what still runs."""
        if not self._is_asked:
            self._is_asked = True
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Let it end in order; answers its exit status."""
        self.begin_to_stop()
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()

    def connection(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def ask(
        self, method: str, path: str, body: bytes | str | None = None, **headers: str
    ) -> Answer:
        """One request on a connection of its own. ``Content_Type`` is the header ``Content-Type``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self.connection()) as connection:
            connection.request(method, path, body, named)
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())

    def send_json(self, method: str, path: str, value: object, **headers: str) -> Answer:
        return self.ask(method, path, json.dumps(value), Content_Type="application/json", **headers)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts examples, and sees to it that each of them has ended in order."""
    started: list[Running] = []

    def begin(name: str, **environment: str) -> Running:
        started.append(Running(name, **environment))
        return started[-1]

    yield begin
    assert [one.stop() for one in started] == [0] * len(started)


# ---- 19: a library --------------------------------------------------------------------

KURAL = {"title": "திருக்குறள்", "author": "திருவள்ளுவர்"}
EPIC: dict[str, Any] = {"title": "சிலப்பதிகாரம்", "author": "இளங்கோவடிகள்", "year": 450}


def test_a_book_is_added_found_changed_and_removed(start: Start) -> None:
    library = start("19_library.qmz")
    assert library.ask("GET", "/books").json == []
    added = library.send_json("POST", "/books", KURAL)
    assert (added.status, added.headers["location"]) == (201, "/books/1")
    assert added.json == {"id": 1, "year": None, **KURAL}
    assert library.send_json("POST", "/books", EPIC).json["id"] == 2
    assert library.ask("GET", "/books/1").json == added.json
    changed = library.send_json("PUT", "/books/1", {**KURAL, "year": 300})
    assert (changed.status, changed.json["year"]) == (200, 300)
    assert [book["id"] for book in library.ask("GET", "/books").json] == [1, 2]
    assert [book["id"] for book in library.ask("GET", "/books?limit=1").json] == [1]
    by_author = library.ask("GET", "/books?author=" + quote(EPIC["author"]))
    assert [book["title"] for book in by_author.json] == [EPIC["title"]]
    removed = library.ask("DELETE", "/books/1")
    assert (removed.status, removed.body) == (204, b"")
    assert library.ask("GET", "/books/1").status == 404


def test_what_a_client_gets_wrong_is_told_to_it(start: Start) -> None:
    library = start("19_library.qmz")
    assert library.send_json("POST", "/books", KURAL).status == 201
    again = library.send_json("POST", "/books", KURAL)
    assert (again.status, again.json["code"]) == (409, "conflict")
    unfit = library.send_json("POST", "/books", {"title": ["a"], "isbn": 1}, Accept_Language="en")
    assert unfit.status == 422
    assert unfit.headers["content-type"].startswith("application/problem+json")
    assert [one["field"] for one in unfit.json["errors"]] == ["title", "author", "isbn"]
    assert library.send_json("PUT", "/books/9", KURAL).status == 404
    assert library.ask("DELETE", "/books/9").status == 404
    assert library.ask("GET", "/books/abc").status == 422
    assert library.ask("POST", "/books", "{", Content_Type="application/json").status == 422
    patched = library.ask("PATCH", "/books/1")
    assert (patched.status, patched.headers["allow"]) == (405, "GET, HEAD, PUT, DELETE, OPTIONS")


def test_a_request_that_is_repeated_adds_one_book(start: Start) -> None:
    library = start("19_library.qmz")
    first, second = (
        library.send_json("POST", "/books", KURAL, Idempotency_Key="key-1") for _ in range(2)
    )
    assert (first.status, first.json) == (second.status, second.json) == (201, {"id": 1, "year": None, **KURAL})
    assert library.send_json("POST", "/books", EPIC, Idempotency_Key="key-1").status == 422
    assert len(library.ask("GET", "/books").json) == 1


def test_its_routes_are_described(start: Start) -> None:
    library = start("19_library.qmz")
    paths = library.ask("GET", "/openapi.json").json["paths"]
    assert sorted(paths) == ["/books", "/books/{id}"]
    assert sorted(paths["/books/{id}"]) == ["delete", "get", "put"]
    added = paths["/books"]["post"]
    assert added["tags"] == ["books"]
    assert "add a book" in added["summary"]
    assert library.ask("GET", "/health").json["status"] == "ok"


# ---- 20: uploads ----------------------------------------------------------------------

BOUNDARY = "எல்லை".encode().hex()


def form_of(*files: tuple[str, str, bytes]) -> bytes:
    """A multipart body with files of the field ‘file’: name, type, content."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n"
        for name, kind, content in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def upload(uploads: Running, *files: tuple[str, str, bytes]) -> Answer:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return uploads.ask("POST", "/files", form_of(*files), Content_Type=kind)


def test_what_is_uploaded_can_be_downloaded(start: Start, tmp_path: Path) -> None:
    uploads = start("20_uploads.qmz", UPLOADS=str(tmp_path))
    photo = bytes(range(256)) * 1_000  # larger than what is kept in memory
    stored = upload(uploads, ("படம் ஒன்று.png", "image/png", photo), ("../b.txt", "text/plain", b""))
    assert stored.status == 201
    first, second = stored.json
    assert (first["name"], first["kind"], first["size"]) == ("படம் ஒன்று.png", "image/png", len(photo))
    assert second["size"] == 0
    assert {path.name for path in tmp_path.iterdir()} == {first["id"], second["id"]}
    assert sorted(uploads.ask("GET", "/files").json, key=lambda one: one["size"]) == [second, first]
    where = f"/files/{first['id']}/{quote(first['name'])}"
    back = uploads.ask("GET", where)
    assert (back.status, back.body, back.headers["content-type"]) == (200, photo, "image/png")
    assert back.headers["content-disposition"] == "attachment"
    part = uploads.ask("GET", where, Range="bytes=250-259")
    assert (part.status, part.body) == (206, photo[250:260])
    assert uploads.ask("GET", where, If_None_Match=back.headers["etag"]).status == 304


def test_what_cannot_be_uploaded_is_refused(start: Start, tmp_path: Path) -> None:
    uploads = start("20_uploads.qmz", UPLOADS=str(tmp_path))
    assert upload(uploads).status == 422
    with closing(uploads.connection()) as connection:
        connection.putrequest("POST", "/files")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
        connection.putheader("Content-Length", str(11 * 1024 * 1024))
        connection.endheaders()
        assert connection.getresponse().status == 413
    assert uploads.ask("GET", "/files/none/a.txt").status == 404
    assert list(tmp_path.iterdir()) == []


def test_the_page_comes_from_its_folder_and_nothing_beside_it(start: Start, tmp_path: Path) -> None:
    uploads = start("20_uploads.qmz", UPLOADS=str(tmp_path))
    page = uploads.ask("GET", "/")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "கோப்புகள்" in page.text
    for outside in ("/../20_uploads.qmz", "/%2e%2e/20_uploads.qmz", "/..%2f20_uploads.qmz", "/store"):
        assert uploads.ask("GET", outside).status in (400, 404)


# ---- 21: chat -------------------------------------------------------------------------


class Guest:
    """A WebSocket client: somebody in the chat room."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._messages: list[str] = []
        self.opened: AcceptConnection | RejectConnection | None = None
        self.closed: CloseConnection | None = None
        self._send(Request(host=f"127.0.0.1:{port}", target=path))
        while self.opened is None:
            self._read()

    def _send(self, event: Any) -> None:
        self._socket.sendall(self._connection.send(event))

    def _read(self) -> None:
        data = self._socket.recv(65_536)
        assert data, "the connection ended"
        self._connection.receive_data(data)
        for event in self._connection.events():
            if isinstance(event, AcceptConnection | RejectConnection):
                self.opened = event
            elif isinstance(event, TextMessage):
                assert event.message_finished
                self._messages.append(event.data)
            elif isinstance(event, CloseConnection):
                self.closed = event

    def say(self, text: str) -> None:
        self._send(TextMessage(data=text))

    def hears(self) -> tuple[str, str]:
        """The next line of the room: who, and what."""
        while not self._messages:
            assert self.closed is None
            self._read()
        line = json.loads(self._messages.pop(0))
        return line["from"], line["text"]

    def reads_to_the_end(self) -> int:
        """The code of the goodbye, which is answered."""
        while self.closed is None:
            self._read()
        self._send(self.closed.response())
        self._socket.close()
        return int(self.closed.code)

    def leave(self) -> None:
        """Say goodbye, and hear that of the room."""
        self._send(CloseConnection(code=1000))
        while self.closed is None:
            self._read()
        self._socket.close()

    def vanish(self) -> None:
        self._socket.close()


def enter(chat: Running, name: str) -> Guest:
    guest = Guest(chat.port, "/room?" + urlencode({"name": name}))
    assert isinstance(guest.opened, AcceptConnection)
    assert guest.hears() == ("", f"{name} வந்தார்")
    return guest


def test_who_is_in_the_room_hears_the_others(start: Start) -> None:
    chat = start("21_chat.qmz")
    malar = enter(chat, "மலர்")
    kathir = enter(chat, "கதிர்")
    assert malar.hears() == ("", "கதிர் வந்தார்")
    malar.say("வணக்கம்!")
    assert malar.hears() == kathir.hears() == ("மலர்", "வணக்கம்!")
    kathir.say("வ" * 501)
    assert kathir.hears() == ("", "செய்தி மிக நீளமானது")
    kathir.leave()
    assert malar.hears() == ("", "கதிர் சென்றார்")
    enter(chat, "தேன்").vanish()
    assert [malar.hears() for _ in range(2)] == [("", "தேன் வந்தார்"), ("", "தேன் சென்றார்")]
    malar.vanish()


def test_who_has_no_name_is_not_let_in(start: Start) -> None:
    chat = start("21_chat.qmz")
    for path in ("/room", "/room?name=+"):
        guest = Guest(chat.port, path)
        assert isinstance(guest.opened, RejectConnection)
        assert guest.opened.status_code == 422
        guest.vanish()
    assert "WebSocket" in chat.ask("GET", "/").text


def test_the_room_says_goodbye_when_the_service_stops(start: Start) -> None:
    chat = start("21_chat.qmz")
    malar = enter(chat, "மலர்")
    chat.begin_to_stop()
    assert malar.reads_to_the_end() == 1012


# ---- 22: a live feed ------------------------------------------------------------------


def events_of(response: HTTPResponse) -> Iterator[dict[str, str]]:
    """The events of a stream as they come."""
    event: dict[str, str] = {}
    for line in response:
        name, colon, value = line.decode().rstrip("\n").partition(":")
        if name and colon:
            event[name] = value.removeprefix(" ")
        elif event and not name and not colon:
            yield event
            event = {}


@pytest.mark.slow
def test_prices_come_as_the_job_makes_them(start: Start) -> None:
    feed = start("22_live_feed.qmz")
    with closing(feed.connection()) as one, closing(feed.connection()) as other:
        responses = []
        for connection in (one, other):
            connection.request("GET", "/prices")
            responses.append(connection.getresponse())
            assert responses[-1].getheader("content-type") == "text/event-stream; charset=utf-8"
        first, second = (events_of(response) for response in responses)
        prices = [next(first) for _ in range(3)]
        assert {event["event"] for event in prices} == {"price"}
        numbers = [int(event["id"]) for event in prices]
        assert numbers == list(range(numbers[0], numbers[0] + 3))
        assert all(json.loads(event["data"])["id"] == int(event["id"]) for event in prices)
        # Both hear the same, though the second came a little later.
        heard = {event["id"]: event["data"] for event in (next(second), next(second))}
        assert heard.items() <= {event["id"]: event["data"] for event in prices}.items()
        # A stream ends in order when the service does.
        feed.begin_to_stop()
        assert all(event.get("event", "price") == "price" for event in first)
        assert responses[0].isclosed()


def test_the_page_listens_to_the_feed(start: Start) -> None:
    assert 'EventSource("/prices")' in start("22_live_feed.qmz").ask("GET", "/").text


# ---- 23: logging in -------------------------------------------------------------------


class Browser:
    """Somebody with a browser: keeps the cookie, and sends the hidden field of the last form."""

    def __init__(self, login: Running) -> None:
        self._login = login
        self.cookie = ""
        self.token = ""

    def _told(self, answer: Answer) -> Answer:
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        if found := re.search(r"name='_csrf' value='([^']*)'", answer.text):
            self.token = found[1]
        return answer

    def _cookies(self) -> dict[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}

    def get(self, path: str) -> Answer:
        return self._told(self._login.ask("GET", path, **self._cookies()))

    def post(self, path: str, **fields: str) -> Answer:
        body = urlencode(fields)
        kind = "application/x-www-form-urlencoded"
        return self._told(self._login.ask("POST", path, body, Content_Type=kind, **self._cookies()))

    def post_form(self, path: str, **fields: str) -> Answer:
        return self.post(path, _csrf=self.token, **fields)


def test_who_has_logged_in_may_write_notes(start: Start) -> None:
    login = start("23_login.qmz")
    browser = Browser(login)
    assert browser.get("/notes").status == 401
    assert "உள்நுழை" in browser.get("/").text
    assert browser.post_form("/login", name="மலர்", password="தெரியாது").status == 401
    entered = browser.post_form("/login", name="மலர்", password="பூந்தோட்டம்")
    assert (entered.status, entered.headers["location"]) == (303, "/")
    assert {"HttpOnly", "SameSite=Lax"} <= set(entered.headers["set-cookie"].split("; "))
    assert "வணக்கம், மலர்!" in browser.get("/").text
    assert "<ul></ul>" in browser.get("/notes").text
    assert browser.post_form("/notes", text="<script>1</script>").status == 303
    assert "<li>&lt;script&gt;1&lt;/script&gt;</li>" in browser.get("/notes").text
    assert browser.post_form("/logout").status == 303
    assert browser.get("/notes").status == 401


def test_a_form_of_another_site_is_refused(start: Start) -> None:
    browser = Browser(start("23_login.qmz"))
    browser.get("/")
    assert browser.post_form("/login", name="மலர்", password="பூந்தோட்டம்").status == 303
    for _ in range(2):
        forged = browser.post("/notes", text="போலி")
        assert (forged.status, forged.json["code"]) == (403, "auth.forbidden")
    assert "<ul></ul>" in browser.get("/notes").text


def test_who_guesses_passwords_is_slowed_down(start: Start) -> None:
    browser = Browser(start("23_login.qmz"))
    browser.get("/")
    statuses: list[int] = []
    while 429 not in statuses:  # on a busy machine a minute's tries take so long that more are allowed
        answer = browser.post_form("/login", name="யாரோ", password=str(len(statuses)))
        statuses.append(answer.status)
        assert len(statuses) < 100
    assert statuses[:-1] == [401] * (len(statuses) - 1)
    assert len(statuses) > 10
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_names_the_address_where_it_is_found(name: str) -> None:
    assert "localhost:8080" in (REPOSITORY / "examples" / name).read_text(encoding="utf-8")


# ---- what the README shows ------------------------------------------------------------


def shown_in_readme(first: str) -> list[str]:
    """The lines of the block of the README that begins with this."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"```text\n({re.escape(first)}[^`]*)```", text)
    assert found is not None
    return found[1].splitlines()


def test_the_service_of_the_readme_says_and_answers_what_is_shown(start: Start) -> None:
    library = start("19_library.qmz")
    shown = shown_in_readme("✓ 19_library")
    announced = [line.rstrip("\n").replace(str(library.port), "8080") for line in library.said]
    assert announced == shown[: len(announced)]
    lines = shown_in_readme("$ curl")
    for asked, wanted in zip(lines[::2], lines[1::2], strict=True):
        words = shlex.split(asked)
        path = words[2].removeprefix("localhost:8080")
        if words[3:4] == ["--json"]:
            answer = library.ask("POST", path, words[4].encode(), Content_Type="application/json")
        else:
            headers = [word.split(": ") for word in words[4:]]
            answer = library.ask("GET", path, **{name.replace("-", "_"): value for name, value in headers})
        assert without_id(answer.text) == without_id(wanted)
    asked_lines = [line.split()[2:5] for line in shown if line.startswith(("· 1", "⚠"))]
    assert asked_lines == [["POST", "/books", "201"], ["GET", "/books/1", "200"], ["GET", "/books/7", "404"]]


def without_id(text: str) -> str:
    return re.sub(r'"request_id":"[0-9a-f]{32}"', "", text)
