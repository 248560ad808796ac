"""Several services at one address, each below a prefix of its own: how they are told and how they answer."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from etamil_actors.configuration import read_setup
from etamil_actors.configuration_table import ConfigError
from tests.http_life.serving import Server, WebSocket

Command = Callable[..., subprocess.CompletedProcess[str]]

BOOKS = """
வழி பெறு, "/" { பதில் 200, {"சேவை": அமைப்பு("பெயர்"), "path": request_path}; }
வழி பெறு, "/books/:id" { பதில் 200, {"id": param_id, "path": கோரிக்கை.path}; }
வழி WS, "/live" { நேரலை_அனுப்பு("வணக்கம்"); }
வழி நிலைக்கோப்பு, "/files", "public";
"""
WHOLE = 'பதில் 200, {"முழுவதும்": request_path};\n'
CONFIG = """
name: நூலகம்
http: {{ bind: "127.0.0.1:0" }}
services:
  - {{ path: books.qmz, prefix: {prefix}, settings: {{ பெயர்: முதல் }} }}
  - {{ path: books.qmz, prefix: /நூல்கள்/, settings: {{ பெயர்: இரண்டாவது }} }}
  - {{ path: whole.qmz, prefix: /whole }}
  - {{ path: root.qmz, prefix: / }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.txt").write_text("ஓலை", "utf-8")
    (tmp_path / "books.qmz").write_text(BOOKS, "utf-8")
    (tmp_path / "whole.qmz").write_text(WHOLE, "utf-8")
    (tmp_path / "root.qmz").write_text('வழி பெறு, "/" { பதில் 200, "வேர்"; }\n', "utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG.format(prefix="/api/v1"), "utf-8")
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    made = Server.at(folder, "--watch")
    yield made
    made.end()


def test_every_service_answers_below_its_prefix(server: Server) -> None:
    tamil = quote("/நூல்கள்")
    assert server.json("/api/v1") == {"சேவை": "முதல்", "path": "/api/v1"}
    assert server.json("/api/v1/") == {"சேவை": "முதல்", "path": "/api/v1/"}
    assert server.json(tamil) == {"சேவை": "இரண்டாவது", "path": "/நூல்கள்"}
    assert server.json(f"{tamil}/books/7") == {"id": "7", "path": "/நூல்கள்/books/7"}
    assert server.json("/whole") == {"முழுவதும்": "/whole"}
    assert server.ask("GET", "/").body.decode() == "வேர்"
    assert server.ask("GET", "/api/v1/files/a.txt").body.decode() == "ஓலை"
    assert server.ask("GET", "/books/7").status == 404
    with server.connect() as line:
        assert WebSocket(line, "/api/v1/live").hears() == "வணக்கம்"
    assert server.ask("GET", "/health/ready").status == 200


def test_what_starts_tells_the_whole_paths(server: Server) -> None:
    for line in (
        "GET /api/v1/books/:id",
        f"http://127.0.0.1:{server.port}/api/v1/books/:id",
        "GET /நூல்கள்/books/:id",
        f"http://127.0.0.1:{server.port}{quote('/நூல்கள்')}/books/:id",
        f"ws://127.0.0.1:{server.port}/api/v1/live",
    ):
        server.place_of(line)
    paths = server.json("/openapi.json")["paths"]
    assert {"/", "/api/v1", "/api/v1/books/{id}", f"{quote('/நூல்கள்')}/books/{{id}}", "/whole"} <= set(paths)


def test_a_prefix_changes_without_a_new_start(server: Server) -> None:
    assert server.json("/api/v1/books/1")["id"] == "1"
    (server.folder / "config.yaml").write_text(CONFIG.format(prefix="/api/v2"), "utf-8")
    server.says(r"books: the new code runs")
    assert server.json("/api/v2/books/1")["id"] == "1"
    assert server.ask("GET", "/api/v1/books/1").status == 404


def test_commands_tell_the_same_paths(command: Command, folder: Path) -> None:
    rows = json.loads(command("routes", "--json", cwd=folder).stdout)
    assert [row["path"] for row in rows] == [
        "/api/v1", "/api/v1/books/:id", "/api/v1/live", "/api/v1/files",
        "/நூல்கள்", "/நூல்கள்/books/:id", "/நூல்கள்/live", "/நூல்கள்/files", "/",
    ]  # fmt: skip
    document = json.loads(command("openapi", cwd=folder).stdout)
    assert {"/api/v1/books/{id}", quote("/நூல்கள்"), "/whole"} <= set(document["paths"])
    shown = command("config", "show", cwd=folder).stdout
    assert "services.0.prefix: /api/v1\n" in shown
    assert "services.3.prefix" not in shown


@pytest.mark.parametrize("prefix", ["api", '""', "off", "/a/:id", "/a/*", "/a//b", "/a?b", "/a%20", "'/a b'", "/..", "[/a]"])
def test_what_is_no_prefix_is_told_with_its_line(tmp_path: Path, prefix: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"name: a\nservices:\n  - path: a.qmz\n    prefix: {prefix}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        read_setup(str(path), {})
    assert caught.value.place == f"{path}:4"
    assert "prefix" in caught.value.english
