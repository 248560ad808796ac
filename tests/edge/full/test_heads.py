"""The same flawed heads through both lanes: the same status, and the same words."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
import trio

from etamil_actors.edge.fast.listener import Listener

Serve = Any

HOST = b"Host: a\r\n"


def head(fields: bytes, line: bytes = b"GET /plain HTTP/1.1\r\n") -> bytes:
    return line + fields + b"\r\n"


FLAWED = {
    "two lengths": head(HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n"),
    "a list of lengths": head(HOST + b"Content-Length: 1, 1\r\n"),
    "a length with a sign": head(HOST + b"Content-Length: +1\r\n"),
    "a length and chunks": head(HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
    "another coding": head(HOST + b"Transfer-Encoding: gzip, chunked\r\n"),
    "two codings": head(HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    "chunks of HTTP/1.0": head(b"Transfer-Encoding: chunked\r\n", b"GET /plain HTTP/1.0\r\n"),
    "a space before the colon": head(HOST + b"Content-Length : 1\r\n"),
    "no colon": head(HOST + b"X\r\n"),
    "a NUL": head(HOST + b"X: a\0b\r\n"),
    "a continued line": head(HOST + b"X: y\r\n z\r\n"),
    "a bare line feed": head(HOST + b"X: y\nZ: z\r\n"),
    "a bare return": head(HOST + b"X: y\rZ: z\r\n"),
    "no host": head(b""),
    "two hosts": head(HOST + HOST),
    "a host that is none": head(b"Host: a b/c@\r\n"),
    "another host": head(HOST, b"GET http://b/plain HTTP/1.1\r\n"),
    "another expectation": head(HOST + b"Expect: 200-ok\r\n"),
    "two spaces": head(HOST, b"GET  /plain HTTP/1.1\r\n"),
    "a space in the address": head(HOST, b"GET /pl ain HTTP/1.1\r\n"),
    "no version": head(HOST, b"GET /plain\r\n"),
    "another version": head(HOST, b"GET /plain HTTP/3.0\r\n"),
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "an unknown method": head(HOST, b"FETCH /plain HTTP/1.1\r\n"),
    "a small method": head(HOST, b"get /plain HTTP/1.1\r\n"),
    "a tunnel": head(HOST, b"CONNECT a:80 HTTP/1.1\r\n"),
    "a path that is none": head(HOST, b"GET plain HTTP/1.1\r\n"),
    "letters": head(HOST, "GET /கொள்?x=அ&y=%20 HTTP/1.1\r\n".encode()),
    "a long address": head(HOST, b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n"),
    "an address without end": b"GET /" + b"a" * 20000,
    "a large head": head(HOST + b"X: " + b"a" * 20000 + b"\r\n"),
    "a head without end": b"GET /plain HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000,
    "too many headers": head(HOST + b"X: y\r\n" * 101),
    "too many empty lines": b"\r\n" * 4 + head(HOST),
    "half of an empty line": b"\n" + head(HOST),
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "no HTTP, but with an end": b"hello\r\n\r\n",
    "a head that stops": b"GET /plain HTTP/1.1\r\nHost:",
}


async def answer_of(data: bytes, port: int) -> tuple[int, dict[str, Any]]:
    """The status and the document."""
    with trio.fail_after(10):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(data)
            answer = b""
            while piece := await stream.receive_some(65536):
                answer += piece
    first, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in first.lower()
    return int(first.split(b" ")[1]), json.loads(body)


@pytest.mark.parametrize("data", FLAWED.values(), ids=FLAWED)
async def test_a_flaw_has_one_status_and_one_reason(serve: Serve, data: bytes) -> None:
    async with serve(header_seconds=0.2) as server:
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Listener(server.site, [listening]).serve)
            fast = await answer_of(data, port)
            nursery.cancel_scope.cancel()
        full = await answer_of(data, server.port)
    assert fast == full
    assert 400 <= fast[0] <= 505
    assert any("\u0b80" <= letter <= "\u0bff" for letter in fast[1]["tamil"])


async def test_a_flaw_behind_a_right_request_is_found(serve: Serve) -> None:
    async with serve() as server:
        answers = await server.ask(b"GET /plain HTTP/1.1\r\nHost: a\r\n\r\n" + head(b""))
        assert answers.startswith(b"HTTP/1.1 200 ") and answers.count(b"HTTP/1.1 400 ") == 1


async def test_over_tls_nobody_is_told_to_do_without_it(serve: Serve) -> None:
    async with serve(tls=True) as server:
        answer = await server.ask(b"\x16\x03\x01\x02")
        assert b"this is no HTTP" in answer and b"http://" not in answer
