"""What ``up`` tells when it starts: to people at a terminal, and to programs that read its lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.child import on_a_terminal
from tests.http_life.serving import Server

PROGRAM = """
சே = சேனல்_உருவாக்கு("வேலை");
பணி_உருவாக்கு "செய்", {"channel": சே, "instances": 2} { அச்சு செய்தி; }
முகவர் கணக்கு() { செய்தி பார்() { திரும்பு 1; } }
கணக்கு(); கணக்கு();
வழி பெறு, "/பொருள்/:id" { பதில் 200, param_id; }
வழி WS, "/live" { நேரலை_அனுப்பு(1); }
"""
CONFIG = 'name: கடை\nhttp: { bind: "127.0.0.1:0" }\nservices: [{ path: a.qmz, prefix: /கடை }]\n'
PATH = "/%E0%AE%95%E0%AE%9F%E0%AF%88"
THING = f"{PATH}/%E0%AE%AA%E0%AF%8A%E0%AE%B0%E0%AF%81%E0%AE%B3%E0%AF%8D/:id"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.qmz").write_text(PROGRAM, "utf-8")
    (tmp_path / "config.yaml").write_text(CONFIG, "utf-8")
    return tmp_path


def objects(server: Server) -> Iterator[dict[str, Any]]:
    for line in server.raw:
        told = json.loads(line)
        if told["event"].startswith("process."):
            del told["time"], told["level"], told["message"]
            yield told


def test_elsewhere_each_thing_is_one_object(folder: Path) -> None:
    server = Server.at(folder)
    try:
        assert server.stop() == 0
        url = f"http://127.0.0.1:{server.port}"
        assert list(objects(server)) == [
            {"event": "process.started", "title": "கடை", "services": ["a"]},
            {"event": "process.service", "of": "a"},
            {"event": "process.job", "of": "a", "job": "செய்", "when": "← வேலை", "instances": 2},
            {"event": "process.agents", "of": "a", "agents": ["கணக்கு", "கணக்கு"], "count": 2},
            {"event": "process.route", "of": "a", "method": "GET", "path": "/கடை/பொருள்/:id", "urls": [f"{url}{THING}"]},
            {"event": "process.route", "of": "a", "method": "WS", "path": "/கடை/live", "urls": [f"ws{url[4:]}{PATH}/live"]},
            {"event": "process.channels", "channels": ["வேலை"], "count": 1},
            {"event": "process.addresses", "urls": [url], "open": False},
        ]
    finally:
        server.end()


def test_a_start_that_takes_long_says_what_it_waits_for(tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text('வழி பெறு, "/" { பதில் 200, "a"; }\n', "utf-8")
    (tmp_path / "slow.qmz").write_text('உறங்கு(3.5);\nவழி பெறு, "/slow" { பதில் 200, "b"; }\n', "utf-8")
    (tmp_path / "config.yaml").write_text('http: { bind: "127.0.0.1:0" }\nservices: [a.qmz, slow.qmz]\n', "utf-8")
    server = Server.at(tmp_path)
    try:
        assert server.place_of("(still starting, 3 s: slow)") < server.place_of("2 services started")
        assert server.stop() == 0
    finally:
        server.end()


def test_schedules_are_counted_while_they_run(tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text('சோதனை "அ" { எதிர்பார்_மெய்(மெய்); }\n', "utf-8")
    text = on_a_terminal(tmp_path, "sim", "a.qmz", "--seeds", "4")
    for told in ("· 0/8 ░░░░", "· 4/8 ████████████░░░░░░░░░░░░", "8 run(s): no failure"):
        assert told in text
    assert text.rstrip().rpartition("\x1b[K")[2].startswith("✓")
