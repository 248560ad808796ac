"""The page of the observer: what it shows, who may look, and that a browser shows it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from etamil_actors.configuration import read_setup
from etamil_actors.configuration_table import ConfigError
from tests.http_life.serving import PATIENCE, Server

PROGRAM = """
சே = சேனல்_உருவாக்கு("வேலை", {"கொள்ளளவு": 10});
பணி_உருவாக்கு "செய்", {"channel": சே, "attempts": 1} { பிழை_எழுப்பு("எதுவோ", "சரியில்லை"); }
முகவர் கணக்கு() { செய்தி பார்() { திரும்பு 1; } }
எ = கணக்கு();
வழி பெறு, "/x" { சேனல்_அனுப்பு(சே, {"பொருள்": "பேனா", "கடவுச்சொல்": "ஒளி123"}); பதில் 200, "ok"; }
வழி பெறு, "/விழு" { x = 1 / 0; }
"""
SECRET = "a-password-of-more-than-thirty-two-letters"
ADDRESS = re.compile(r"\(observer\): http://127\.0\.0\.1:(\d+)")


class Told(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        assert self.status == 200, self
        return json.loads(self.body)


class Page:
    """Asks the observer of a server."""

    def __init__(self, server: Server) -> None:
        found = ADDRESS.search(server.said)
        assert found is not None, server.said
        self.server = server
        self.port = int(found[1])

    def ask(self, path: str, method: str = "GET", **headers: str) -> Told:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            line.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = line.getresponse()
            told = {name.lower(): value for name, value in answer.getheaders()}
            return Told(answer.status, told, answer.read().decode())
        finally:
            line.close()

    def until(self, holds: Any, path: str = "/facts") -> Any:
        """What it tells, once that holds."""
        while not holds(found := self.ask(path).json):
            assert found["process"]["seconds"] < PATIENCE, found
        return found


@pytest.fixture
def runtime() -> Iterator[str]:
    """A folder for the sockets, with a short name."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield folder


def started(folder: Path, runtime: str, observer: dict[str, Any], processes: int = 1) -> Server:
    (folder / "a.qmz").write_text(PROGRAM, "utf-8")
    setup = {"name": "கடை", "services": ["a.qmz"], "http": {"bind": "127.0.0.1:0"}, "processes": processes}
    (folder / "config.yaml").write_text(json.dumps(setup | {"observer": {"bind": "127.0.0.1:0", **observer}}), "utf-8")
    server = Server.at(folder, XDG_RUNTIME_DIR=runtime)
    server.says(ADDRESS.pattern)
    return server


@pytest.fixture
def page(tmp_path: Path, runtime: str) -> Iterator[Page]:
    server = started(tmp_path, runtime, {})
    yield Page(server)
    server.end()


def test_it_shows_what_the_process_does(page: Page) -> None:
    for _ in range(3):
        assert page.server.ask("GET", "/x").status == 200
    assert page.server.ask("GET", "/%E0%AE%B5%E0%AE%BF%E0%AE%B4%E0%AF%81").status == 500
    told = page.until(lambda told: len(told["dead"]["letters"]) == 3)
    assert told["process"]["title"] == "கடை"
    assert told["process"]["pid"] == page.server.pid
    assert told["process"]["numbers"]["requests"] == 4
    assert [(one["name"], one["dead"]) for one in told["channels"]] == [("வேலை", 3)]
    assert [one["name"] for one in told["jobs"]] == ["செய்"]
    kinds = {one["path"]: one["kind"] for one in told["tree"]["actors"]}
    assert kinds["/root/a/routes/GET ∕x"] == "route"
    assert kinds["/root/observer"] == "actor"
    failures = [(one["english"], one["actor"], one["problem"]) for one in told["events"]]
    assert failures.count(("a run failed", "/root/a/jobs/செய்", "சரியில்லை")) == 3
    assert ("a request failed", "/root/a/routes/GET ∕விழு", "சுழியத்தால் வகுக்க முடியாது  (division by zero)") in failures
    assert "ஒளி123" not in json.dumps(told, ensure_ascii=False), "secrets in messages are hidden"


def test_looking_is_not_counted_with_the_requests_of_clients(page: Page) -> None:
    for _ in range(3):
        assert page.ask("/facts").json["process"]["numbers"]["requests"] == 0
    assert 'route="facts"' not in page.server.ask("GET", "/metrics").body.decode()
    assert not any("/facts" in line for line in page.server.raw)


def test_dead_letters_are_sent_again_and_thrown_away_by_its_page_only(page: Page) -> None:
    page.server.ask("GET", "/x")
    (letter,) = page.until(lambda told: told["dead"]["letters"])["dead"]["letters"]
    for number in ("%C2%B2", "9" * 5000, "-1", ""):
        assert page.ask(f"/dead?do=drop&id=memory:{number}", "POST", X_Observer="1").json == {"done": False}
    drop = f"/dead?do=drop&id={letter['id']}"
    assert page.ask(drop, "POST").status == 403, "a form of another page"
    assert page.ask(drop, "POST", X_Observer="1", Sec_Fetch_Site="cross-site").status == 403
    assert page.ask(drop, "GET", X_Observer="1").status == 405
    assert page.ask("/dead?do=burn&id=memory:1", "POST", X_Observer="1").status == 400
    assert page.ask(f"/dead?do=requeue&id={letter['id']}", "POST", X_Observer="1").json == {"done": True}
    (again,) = page.until(lambda told: [one for one in told["dead"]["letters"] if one["id"] != letter["id"]])["dead"]["letters"]
    assert page.ask(f"/dead?do=drop&id={again['id']}", "POST", X_Observer="1", Sec_Fetch_Site="same-origin").json == {"done": True}
    assert page.ask("/facts").json["dead"]["letters"] == []


@pytest.mark.parametrize(("host", "status"), [
    ("localhost:81", 200), ("127.0.0.1", 200), ("[::1]:8081", 200), ("LOCALHOST", 200),
    ("evil.example", 403), ("localhost.evil.example:8081", 403), ("", 403),
])  # fmt: skip
def test_a_name_that_somebody_has_made_to_lead_here_sees_nothing(page: Page, host: str, status: int) -> None:
    for path in ("/", "/facts"):
        told = page.ask(path, Host=host)
        assert told.status == status
        assert (status == 200) or "கடை" not in told.body


def test_the_page_is_complete_in_itself(page: Page) -> None:
    told = page.ask("/")
    assert told.headers["content-type"] == "text/html; charset=utf-8"
    assert "connect-src 'self'" in told.headers["content-security-policy"]
    assert "default-src 'none'" in told.headers["content-security-policy"]
    assert re.findall(r"(?:src|href)=", told.body) == []
    assert page.ask("/elsewhere").status == 404


def test_where_there_is_a_password_nothing_is_told_without_it(tmp_path: Path, runtime: str) -> None:
    server = started(tmp_path, runtime, {"secret": SECRET})
    try:
        page = Page(server)
        wrong = base64.b64encode(b"anybody:wrong").decode()
        for sent in ({}, {"Authorization": f"Basic {wrong}"}, {"Authorization": "Basic !"}, {"Authorization": f"Bearer {SECRET}"}):
            for path in ("/", "/facts"):
                told = page.ask(path, **sent)
                assert (told.status, told.headers["www-authenticate"]) == (401, 'Basic realm="etamil-actors", charset="UTF-8"')
                assert "கடை" not in told.body
        right = base64.b64encode(f"anybody:{SECRET}".encode()).decode()
        assert page.ask("/facts", Authorization=f"Basic {right}", Host="kadai.example").json["process"]["title"] == "கடை"
        assert SECRET not in server.said
        assert server.stop() == 0
    finally:
        server.end()


def test_one_page_shows_every_process(tmp_path: Path, runtime: str) -> None:
    server = started(tmp_path, runtime, {}, processes=2)
    try:
        page = Page(server)
        told = page.until(lambda told: len(told["processes"]) == 2)
        pids = {one["pid"] for one in told["processes"]}
        assert {page.ask(f"/facts?pid={pid}").json["process"]["pid"] for pid in pids} == pids
        assert page.ask("/facts?pid=1").status == 404
        assert server.stop() == 0
    finally:
        server.end()


def test_an_address_that_is_taken_ends_the_start(tmp_path: Path, runtime: str, page: Page) -> None:
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "config.yaml").write_text(
        f'name: b\nservices: ["../a.qmz"]\nhttp: {{ bind: "127.0.0.1:0" }}\nobserver: {{ bind: "127.0.0.1:{page.port}" }}\n', "utf-8"
    )
    with pytest.raises(AssertionError, match=rf"127\.0\.0\.1:{page.port}: "):
        Server.at(folder, XDG_RUNTIME_DIR=runtime)


@pytest.mark.parametrize("bind", ["0.0.0.0:8081", ":8081", "192.0.2.7:8081", "kadai.example:8081", "[::]:8081"])
def test_an_address_that_others_reach_needs_a_password(tmp_path: Path, bind: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f'services: [a.qmz]\nobserver:\n  bind: "{bind}"\n', "utf-8")
    with pytest.raises(ConfigError, match="give it a password by secret_file") as caught:
        read_setup(str(path), {})
    assert caught.value.place == f"{path}:3"
    path.write_text(f'services: [a.qmz]\nobserver:\n  bind: "{bind}"\n  secret: {SECRET}\n', "utf-8")
    setup = read_setup(str(path), {})
    assert setup.resources.observer is not None
    assert setup.resources.observer.secret == SECRET


def test_a_browser_shows_it(page: Page, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium here; what it asks for is tested above")
    page.server.ask("GET", "/x")
    page.until(lambda told: told["dead"]["letters"])
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom", f"http://127.0.0.1:{page.port}/"],
        capture_output=True, timeout=PATIENCE, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    dom = done.stdout.decode()
    for text in ('<h1 id="title">கடை</h1>', "memory:1", "சரியில்லை", "கணக்கு#1", "GET ∕x", "செய்"):
        assert text in dom, done.stderr.decode()[-2000:]
    assert page.server.stop() == 0
