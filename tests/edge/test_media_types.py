"""Content types by name."""

from __future__ import annotations

import pytest

from etamil_actors.edge.media_types import TYPES, UNKNOWN, is_compressible, media_type


@pytest.mark.parametrize(("name", "kind"), [
    ("index.html", "text/html; charset=utf-8"),
    ("APP.JS", "text/javascript; charset=utf-8"),
    ("m.mjs", "text/javascript; charset=utf-8"),
    ("a.css", "text/css; charset=utf-8"),
    ("கடை.json", "application/json"),
    ("app.webmanifest", "application/manifest+json"),
    ("p.wasm", "application/wasm"),
    ("x.avif", "image/avif"),
    ("நூலகம்.svg", "image/svg+xml"),
    ("f.woff2", "font/woff2"),
    ("app.js.gz", "application/gzip"),
    ("a.tar.bz2", "application/x-bzip2"),
    ("unknown.zzzzz", UNKNOWN),
    ("README", UNKNOWN),
    ("a.", UNKNOWN),
    ("a." + "x" * 1000, UNKNOWN),
])  # fmt: skip
def test_the_type_is_told_by_the_ending(name: str, kind: str) -> None:
    assert media_type(name) == kind


def test_what_the_table_does_not_know_is_looked_up() -> None:
    assert "ps" not in TYPES
    assert media_type("a.ps") == "application/postscript"


@pytest.mark.parametrize(("kind", "answer"), [
    ("text/html; charset=utf-8", True),
    ("Application/JSON", True),
    ("application/problem+json", True),
    ("image/svg+xml", True),
    ("application/wasm", True),
    ("font/ttf", True),
    ("font/woff2", False),
    ("image/png", False),
    ("application/zip", False),
    ("text/event-stream", False),
    ("", False),
])  # fmt: skip
def test_texts_are_worth_compressing_and_what_is_dense_already_is_not(kind: str, answer: bool) -> None:
    assert is_compressible(kind) is answer
