"""The example with roles, started by ``up`` as a person would and asked over a real socket."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import yaml

from tests.auth.browser import Browser
from tests.auth.provider import CLIENT, SECRET, Provider
from tests.plain_lines import plain

REPOSITORY = Path(__file__).resolve().parent.parent
CONFIGURATION = "examples/26_roles/config.yaml"
PROGRAM = "examples/26_roles.qmz"
PATIENCE = 30.0
ADDRESS = re.compile(r"\(addresses\): http://127\.0\.0\.1:(\d+)")

PASSWORDS = {"மலர்": "பூந்தோட்டம்", "வேலன்": "மலைமேல்", "நிலா": "வானத்தில்"}


class Answer(NamedTuple):
    status: int
    body: Any
    cookie: str


class Running:
    """``up`` with a configuration."""

    def __init__(self, configuration: str, **environment: str) -> None:
        kept = {key: os.environ[key] for key in ("PATH", "SYSTEMROOT") if key in os.environ}
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "etamil_actors", "up", configuration, "--bind", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=REPOSITORY,
            env={**kept, "LC_ALL": "C", "PYTHONDONTWRITEBYTECODE": "1", **environment},
        )  # fmt: skip
        self._is_there = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._is_there.wait(PATIENCE), "".join(self.said)
        found = ADDRESS.search("".join(self.said))
        assert found is not None, "".join(self.said)
        self.port = int(found[1])

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.said += [f"{part}\n" for part in plain(line.decode().rstrip("\n"))]
                if ADDRESS.search("".join(self.said[-2:])):
                    self._is_there.set()
        self._is_there.set()

    def ask(self, method: str, path: str, value: object = None, **headers: str) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        try:
            body = None if value is None else json.dumps(value)
            if body is not None:
                named["Content-Type"] = "application/json"
            connection.request(method, path, body, named)
            response = connection.getresponse()
            sent = response.read()
            cookie = (response.getheader("set-cookie") or "").partition(";")[0]
            return Answer(response.status, json.loads(sent) if sent else None, cookie)
        finally:
            connection.close()

    def log_in(self, name: str) -> Answer:
        return self.ask("POST", "/login", {"name": name, "password": PASSWORDS[name]})

    def token_of(self, name: str) -> dict[str, str]:
        """The header with which somebody comes."""
        return {"Authorization": f"Bearer {self.log_in(name).body['token']}"}

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()


Start = Callable[..., Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def begin(configuration: str = CONFIGURATION, **environment: str) -> Running:
        running.append(Running(configuration, **environment))
        return running[-1]

    yield begin
    for one in running:
        one.stop()


def test_everybody_may_do_what_his_role_says_and_no_more(start: Start) -> None:
    service = start()
    reader, editor, chief = (service.token_of(name) for name in ("நிலா", "மலர்", "வேலன்"))
    assert service.ask("GET", "/news").status == 401
    assert service.ask("POST", "/news", {"title": "மழை"}, **reader).status == 403
    written = service.ask("POST", "/news", {"title": "மழை வரும்", "draft": True}, **editor)
    assert (written.status, written.body) == (201, {"id": 1, "title": "மழை வரும்", "draft": True, "by": "மலர்"})
    assert service.ask("POST", "/news", {"title": "வெயில்"}, **chief).status == 201  # a chief is an editor
    for who in (reader, editor, chief):
        assert [one["title"] for one in service.ask("GET", "/news", **who).body] == ["வெயில்"]
    assert service.ask("GET", "/news/1", **reader).status == 403  # a draft
    assert service.ask("GET", "/news/1", **editor).body["title"] == "மழை வரும்"
    assert service.ask("DELETE", "/news/2", **editor).status == 403
    assert service.ask("DELETE", "/news/2", **chief).status == 204
    assert service.ask("GET", "/news/2", **chief).status == 404
    assert service.stop() == 0


def test_a_browser_has_a_session_and_a_program_its_key(start: Start) -> None:
    service = start()
    session = {"Cookie": service.log_in("மலர்").cookie}
    assert service.ask("GET", "/me", **session).body == {"name": "மலர்", "roles": ["editor"]}
    assert service.ask("POST", "/news", {"title": "வெயில்"}, **session).status == 201
    ended = service.ask("POST", "/logout", **session)
    assert (ended.status, ended.cookie) == (204, "session=")
    for key in ({"X_API_Key": "kadai_demo_key"}, {"Authorization": "ApiKey kadai_demo_key"}):
        assert service.ask("GET", "/me", **key).body == {"name": "printer", "roles": ["reader"]}
        assert service.ask("GET", "/news", **key).status == 200
        assert service.ask("POST", "/news", {"title": "வெயில்"}, **key).status == 403
    assert service.ask("GET", "/me", X_API_Key="kadai_demo_kez").status == 401


def test_who_guesses_is_refused_and_slowed_down(start: Start) -> None:
    service = start()
    answers = [service.ask("POST", "/login", {"name": "மலர்", "password": str(n)}) for n in range(11)]
    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert not any(answer.cookie for answer in answers)


def test_a_token_of_another_secret_is_not_believed(start: Start) -> None:
    service, other = start(), start(JWT_SECRET="another secret of the operator's")
    shown = other.token_of("வேலன்")
    assert other.ask("GET", "/me", **shown).status == 200
    assert service.ask("GET", "/me", **shown).status == 401
    for one in (service, other):
        one.stop()
        said = "".join(one.said)
        for secret in ("another secret", "only for trying", *PASSWORDS.values(), shown["Authorization"][7:]):
            assert secret not in said


def test_the_same_program_lets_in_whom_an_identity_provider_knows(start: Start, tmp_path: Path) -> None:
    setup = yaml.safe_load((REPOSITORY / CONFIGURATION).read_text(encoding="utf-8"))
    with Provider() as provider:
        provider.user = {"sub": "kayal", "name": "கயல்", "roles": ["editor"]}
        setup["services"] = [str(REPOSITORY / PROGRAM)]
        setup["http"]["session"]["secret"] = "a secret for this test"
        setup["auth"]["jwt"]["secret"] = "another secret for this test"
        setup["auth"]["oidc"] = {
            "issuer": provider.issuer, "client_id": CLIENT, "client_secret": "${OIDC_SECRET}", "login": "/enter",
            "after": "/me",
        }  # fmt: skip
        (tmp_path / "config.yaml").write_text(json.dumps(setup), encoding="utf-8")
        service = start(str(tmp_path / "config.yaml"), OIDC_SECRET=SECRET)
        browser = Browser(f"http://127.0.0.1:{service.port}")
        assert browser.get("/me").status == 401
        page = browser.follow("/enter")
        assert (page.status, json.loads(page.body)) == (200, {"name": "kayal", "roles": ["editor"]})
        assert browser.follow("/enter?next=" + quote("/news")).body == "[]"
        session = {"Cookie": f"session={browser.cookies['session']}"}
        assert service.ask("POST", "/news", {"title": "வெயில்"}, **session).body["by"] == "kayal"
        assert service.ask("DELETE", "/news/1", **session).status == 403
        browser.get("/logout")
        assert browser.get("/me").status == 401
        assert service.stop() == 0
