"""What the page of watching shows holds: its configuration is read, its Python is run, its names are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from etamil_actors.configuration import read_setup
from etamil_actors.language.romanise import romanise
from tests.http_life.serving import REPOSITORY, Server

PAGE = (REPOSITORY / "docs" / "watching.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_the_configurations_can_be_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    setup = read_setup(str(path), {})
    if setup.resources.tracing is not None:
        assert (setup.resources.tracing.endpoint, setup.resources.tracing.sample) == ("http://127.0.0.1:4318", 0.1)
    else:
        assert dict(setup.resources.log.levels) == {"engine": "debug"}
        assert setup.resources.log.mask == ("aadhaar", "பான்_எண்")


def test_the_python_is_run() -> None:
    (text,) = blocks("python")
    space: dict[str, Any] = {"__name__": "page"}
    exec(compile(text, "docs/watching.md", "exec", dont_inherit=True), space)


def test_the_numbers_that_the_page_names_are_told(tmp_path: Path) -> None:
    assert f"{romanise('ஆணைகள்')}_total" in PAGE
    server = Server(tmp_path, blocks("etamil")[0])
    try:
        assert server.ask("POST", "/%E0%AE%86%E0%AE%A3%E0%AF%88%E0%AE%95%E0%AE%B3%E0%AF%8D/pen").status == 202
        server.says("கட்டியாயிற்று")
        text = server.ask("GET", "/metrics").body.decode()
        assert server.metric("ANYkaL_total") == 1
    finally:
        server.end()
    for name in re.findall(r"`((?:etamil|http_server|db_client|process|python)_[a-z_]+\*?)`", PAGE):
        if name != "etamil_process_up":  # only where there are several
            assert re.search(rf"^# TYPE {name.removesuffix('*')}", text, re.MULTILINE), name


def test_a_level_of_a_service_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    server = Server(tmp_path, 'வழி பெறு, "/a" { பதில் 200, 1; }\n', others={"log": {"levels": {"lief": "debug"}}}, is_awaited=False)
    try:
        assert server.ends() == 1
    finally:
        server.end()
    assert "log.levels: there is no service ‘lief’; there is life" in server.said


LOGGING = """
பதிவு_தடம் "தடம்";
பதிவு_தகவல் "தகவல்", {"aadhaar": "1234", "எண்": 5};
பதிவு_எச்சரிக்கை "கவனம்";
வழி பெறு, "/a" { பதில் 200, 1; }
"""


@pytest.mark.parametrize(
    ("log", "events"),
    [
        ({}, ["தகவல்", "கவனம்"]),
        ({"level": "warn"}, ["கவனம்"]),
        ({"level": "warn", "levels": {"life": "debug"}}, ["தடம்", "தகவல்", "கவனம்"]),
        ({"levels": {"life": "error"}}, []),
    ],
)
def test_the_level_of_a_service_is_what_the_configuration_says(
    tmp_path: Path, log: dict[str, Any], events: list[str]
) -> None:
    server = Server(tmp_path, LOGGING, others={"log": {**log, "mask": ["aadhaar"], "format": "text"}}, is_awaited=False)
    try:
        server.says(r"\(addresses\)" if log.get("level") != "warn" else "life: 1")
        server.gets()
        assert server.ends() == 0
    finally:
        server.end()
    said = [line for line in server.lines if " life · " in line]
    assert [re.split(r"[ :]+", line)[4] for line in said] == events, server.said
    if "தகவல்" in events:
        assert any('{"aadhaar":"***","எண்":5}' in line for line in said)
