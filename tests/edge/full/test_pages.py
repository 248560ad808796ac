"""The page of the OpenAPI document."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest

from etamil_actors.edge.full.documents import page_of
from etamil_actors.edge.openapi import Operation, openapi_bytes, openapi_document

Serve = Any

EVIL = "<script>alert(1)</script>\"'&{{ 7 * 7 }}"

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": f"கடை {EVIL}", "version": "2.1", "description": EVIL},
    "paths": {
        "/%E0%AE%AA%E0%AF%8A%E0%AE%B0%E0%AF%81%E0%AE%B3%E0%AF%8D/{id}": {
            "parameters": [
                {
                    "name": "id",
                    "in": "path",
                    "required": True,
                    "schema": {"type": "integer"},
                    "description": EVIL,
                }
            ],
            "get": {
                "x-pattern": "/பொருள்/:id",
                "summary": "ஒரு பொருள்",
                "tags": [EVIL],
                "parameters": [
                    {"name": "அளவு", "in": "query", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {
                    "200": {
                        "description": "சரி",
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}},
                    }
                },
            },
            "put": {
                "security": [{"bearer": []}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}
                },
                "responses": {},
            },
        }
    },
    "x-websockets": [{"path": "/chat", "summary": "உரையாடல்", "responses": {}}],
    "components": {
        "schemas": {
            "Item": {
                "title": "பொருள்",
                "type": "object",
                "required": ["பெயர்"],
                "properties": {
                    "பெயர்": {"type": "string", "description": EVIL},
                    "விலை": {"type": ["number", "null"]},
                    "பகுதிகள்": {"type": "array", "items": {"$ref": "#/components/schemas/Item"}},
                },
            }
        }
    },
}


class Outline(HTMLParser):
    """What a browser would make of a page: elements, attributes, and whether all is closed."""

    VOID = {"meta", "input", "br", "link", "img"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


async def get(server: Any, method: str = "GET") -> tuple[int, dict[str, str], str]:
    answer = await server.ask(
        f"{method} /docs HTTP/1.1\r\nHost: kadai.example:8443\r\nConnection: close\r\n\r\n".encode()
    )
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines)
    return int(first.split()[1]), fields, body.decode()


async def test_the_page_shows_all_and_fetches_nothing(serve: Serve) -> None:
    async with serve() as server:
        server.site.document = json.dumps(DOCUMENT).encode()
        status, headers, text = await get(server)
        assert status == 200 and headers["content-type"] == "text/html; charset=utf-8"
        assert int(headers["content-length"]) == len(text.encode())
        outline = Outline(text)
        assert not outline.open
        assert not any("src" in attributes for _, attributes in outline.elements)
        links = [attributes["href"] for tag, attributes in outline.elements if tag == "a"]
        assert set(links) <= {"/openapi.json", "#shape-Item"} and "#shape-Item" in links
        assert [a["lang"] for tag, a in outline.elements if tag == "html"] == ["ta"]
        shown = unescape(text)
        for wanted in (
            "/பொருள்/:id",
            "ஒரு பொருள்",
            "/chat",
            "பகுதிகள்",
            "prefers-color-scheme:dark",
            "width=device-width",
        ):
            assert wanted in shown
        assert (await get(server, "HEAD"))[2] == ""
        await server.still_answers()
        assert not server.site.failures


async def test_what_a_document_says_stays_text(serve: Serve) -> None:
    async with serve() as server:
        server.site.document = json.dumps(DOCUMENT).encode()
        _, headers, text = await get(server)
        outline = Outline(text)
        assert [tag for tag, _ in outline.elements].count("script") == 1
        assert "<script>alert" not in text and "49" not in re.sub(
            r"sha256-\S+", "", unescape(text).split("<main>")[0]
        )
        policy = headers["content-security-policy"]
        assert (
            "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        )
        assert headers["x-content-type-options"] == "nosniff"


async def test_the_policy_allows_the_style_and_script_of_the_page_and_no_others(serve: Serve) -> None:
    async with serve() as server:
        answer = await server.ask(b"GET /docs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        head, _, body = answer.partition(b"\r\n\r\n")
        for name in (b"style", b"script"):
            content = body.partition(b"<%b>" % name)[2].partition(b"</%b>" % name)[0]
            hashed = base64.b64encode(hashlib.sha256(content).digest())
            assert b"%b-src 'sha256-%b'" % (name, hashed) in head


async def test_a_page_that_cannot_be_made_is_a_problem_document(serve: Serve) -> None:
    async with serve() as server:
        server.site.document = b"this is no JSON"
        status, headers, text = await get(server)
        assert status == 500 and headers["content-type"] == "application/problem+json"
        assert "பதிவில்" in json.loads(text)["tamil"]
        assert len(server.site.failures) == 1
        await server.still_answers()


def test_lines_for_curl_can_be_pasted() -> None:
    page = page_of(DOCUMENT, "https://kadai.example")
    lines = {one.method: shlex.split(one.curl) for _, ones in page.groups for one in ones}
    path = "https://kadai.example/%E0%AE%AA%E0%AF%8A%E0%AE%B0%E0%AF%81%E0%AE%B3%E0%AF%8D/1"
    assert lines["GET"] == [
        "curl",
        "-i",
        f"{path}?%E0%AE%85%E0%AE%B3%E0%AE%B5%E0%AF%81=%E0%AE%85%E0%AE%B3%E0%AE%B5%E0%AF%81",
    ]
    assert lines["PUT"][:6] == ["curl", "-i", "-X", "PUT", "-H", "Authorization: Bearer …"]
    example = json.loads(lines["PUT"][lines["PUT"].index("--data-raw") + 1])
    assert example["பெயர்"] == "" and example["விலை"] == 1 and example["பகுதிகள்"]
    assert lines["WS"] == ["websocat", "wss://kadai.example/chat"]


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"paths": []},
        {"paths": {"/a": None, "/b": {"get": 7, "post": {"parameters": [None, 7], "requestBody": []}}}},
        {
            "paths": {"/a": {"get": {"parameters": [{"$ref": "#/x"}], "responses": {"200": None}}}},
            "x": {"$ref": "#/x"},
        },
        {"components": {"schemas": {"A": {"anyOf": [{"$ref": "#/components/schemas/A"}]}, "B": 7}}},
        {"x-websockets": [None, 7], "x-more-paths": 3},
        {
            "paths": {
                "/a": {"post": {"requestBody": {"content": {"a/b": {"schema": {"$ref": "elsewhere#/x"}}}}}}
            }
        },
    ],
)
def test_a_document_of_another_form_is_read_as_far_as_it_goes(document: Any) -> None:
    assert page_of(document, "http://x").title


def test_a_document_of_ours_is_read() -> None:
    document = openapi_document(
        "கடை",
        "1",
        [Operation("GET", "/பொருள்/:id", "get_item", summary="ஒன்று"), Operation("WS", "/chat", "chat")],
    )
    page = page_of(json.loads(openapi_bytes(document)), "http://localhost")
    found = {(one.method, one.path) for _, ones in page.groups for one in ones}
    assert ("GET", "/பொருள்/:id") in found and any(method == "WS" for method, _ in found)
