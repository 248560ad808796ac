"""What config.yaml says of the web, from the file to the client."""

from __future__ import annotations

from pathlib import Path

import pytest

from etamil_actors.configuration import ConfigError, read_setup
from etamil_actors.ports.web import WebSettings


def read(folder: Path, text: str) -> WebSettings:
    path = folder / "config.yaml"
    path.write_text(f"services: [a.qmz]\n{text}", encoding="utf-8")
    return read_setup(str(path), {}).resources.web


def test_without_a_word_the_limits_are_those_of_the_language(tmp_path: Path) -> None:
    found = read(tmp_path, "")
    assert (found.connect_seconds, found.seconds, found.redirects, found.body_bytes) == (10, 30, 5, 10 * 1024 * 1024)
    assert (found.allow, found.deny) == ((), ())


def test_every_setting_is_read(tmp_path: Path) -> None:
    found = read(tmp_path, """
web:
  allow: [api.example, "*.example:8443", 10.0.0.0/8, "[::1]:80", எடுத்துக்காட்டு.இந்தியா]
  deny: 127.0.0.0/8
  connect_time: 2s
  time: 1m
  redirects: 0
  body: 1MiB
  connections: 7
  per_host: 3
  keep_alive: 5s
""")  # fmt: skip
    assert found == WebSettings(
        allow=("api.example", "*.example:8443", "10.0.0.0/8", "[::1]:80", "எடுத்துக்காட்டு.இந்தியா"),
        deny=("127.0.0.0/8",), connect_seconds=2, seconds=60, redirects=0, body_bytes=1 << 20,
        connections=7, per_host=3, keep_alive_seconds=5,
    )  # fmt: skip


@pytest.mark.parametrize("place", ("http://api.example", "a b", "10.0.0.0/33", "a.example/x", "a.example:0", "*"))
@pytest.mark.parametrize("name", ("allow", "deny"))
def test_what_is_no_place_is_told_with_its_line(tmp_path: Path, name: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f'web:\n  {name}: [api.example, "{place}"]\n')
    assert caught.value.place.endswith(":3")
    assert caught.value.english.endswith(f"not ‘{place}’")
