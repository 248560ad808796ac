"""Clients that others have written: curl, httpx2, websockets' wire by wsproto, wrk."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import trio

from tests.http_life.serving import Certificate, Server, WebSocket

SIZE = 3 * 1024 * 1024 + 17

PROGRAM = """
வழி பெறு, "/hello" { பதில் 200, {"message": "வணக்கம்"}; }
வழி பெறு, "/கொள்முதல்" { பதில் 200, {"path": கோரிக்கை.path}; }
வழி பெறு, "/long" {
    t = "அகர முதல எழுத்தெல்லாம் ";
    (நீளம்(t) < 20000) சுற்று { t = t & t; }
    பதில் 200, t;
}
வழி இடு, "/size", {"body_limit": 10000000} { பதில் 200, {"size": நீளம்(கோரிக்கை.body)}; }
வழி பதி, "/form", {"body_limit": 10000000} {
    பதில் 200, {"files": கோரிக்கை.files, "form": கோரிக்கை.form};
}
வழி WS, "/live" { ஒவ்வொரு சொன்னது இல் நேரலை { நேரலை_அனுப்பு(சொன்னது); } }
வழி SSE, "/events" {
    ஒவ்வொரு n இல் [1, 2, 3] { ஓடை_அனுப்பு("event " & n); }
}
வழி நிலைக்கோப்பு, "/files", "files";
"""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[dict[str, Server]]:
    """One for each lane, with a file to download."""
    started = {}
    for lane in ("fast", "full"):
        secured = certificate if lane == "full" else None
        started[lane] = Server(tmp_path_factory.mktemp(lane), PROGRAM, certificate=secured)
        (started[lane].folder / "files" / "data.bin").write_bytes(os.urandom(SIZE))
        (started[lane].folder / "files" / "page.html").write_text("<p>வணக்கம்</p>" * 1000, "utf-8")
    yield started
    statuses = {lane: server.stop() for lane, server in started.items()}
    for server in started.values():
        server.end()
    assert statuses == {"fast": 0, "full": 0}
    for server in started.values():
        assert "a mistake of the runtime" not in server.said, server.said


@pytest.fixture
def server(lane: str, servers: dict[str, Server]) -> Server:
    return servers[lane]


def url(server: Server, path: str, scheme: str = "http") -> str:
    return f"{scheme}{'s' if server.certificate is not None else ''}://127.0.0.1:{server.port}{path}"


# ---- curl -----------------------------------------------------------------------------


def curl(server: Server, path: str, *words: str) -> bytes:
    """What it writes. It fails for statuses from 400 on, and for anything that it does not like."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    secured = ("--cacert", server.certificate.authority) if server.certificate is not None else ()
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "20", *secured, *words,
         url(server, path)],
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, (done.stderr.decode(), done.stdout[:1000])
    return done.stdout


def versions(server: Server) -> list[str]:
    """The versions of HTTP that curl is to speak."""
    if server.certificate is None:
        return ["--http1.0", "--http1.1"]
    return ["--http1.1", "--http2"]


def test_curl_gets_an_answer_in_every_version(server: Server) -> None:
    spoken = set()
    for version in versions(server):
        written = curl(server, "/hello", version, "--write-out", "%{http_version} %{http_code}")
        body, _, rest = written.partition(b"}")
        assert json.loads(body + b"}") == {"message": "வணக்கம்"}
        spoken.add(rest.decode().split()[0])
    # Who asks in 1.0 is answered in 1.1, as RFC 9110 §6.2 wants it.
    assert spoken == ({"1.1"} if server.certificate is None else {"1.1", "2"})


def test_curl_uploads_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "up.txt").write_bytes(b"a" * SIZE)
    for version in versions(server)[1:] if server.certificate is None else versions(server):
        told = json.loads(curl(server, "/size", version, "--upload-file", str(tmp_path / "up.txt")))
        assert told == {"size": SIZE}


def test_curl_uploads_in_chunks_and_waits_for_the_continue(server: Server, tmp_path: Path) -> None:
    (tmp_path / "up.txt").write_bytes(b"a" * 100_000)
    for header in ("Transfer-Encoding: chunked", "Expect: 100-continue"):
        written = curl(
            server, "/size", "--http1.1", "--header", header, "--verbose", "--upload-file", str(tmp_path / "up.txt")
        )
        assert json.loads(written) == {"size": 100_000}


def test_curl_does_not_send_a_body_that_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "up.txt").write_bytes(b"a" * 20_000_000)
    written = subprocess.run(
        ["curl", "--silent", "--insecure", "--max-time", "20", "--http1.1", "--header", "Expect: 100-continue",
         "--expect100-timeout", "10", "--output", "/dev/null", "--write-out", "%{http_code} %{size_upload}",
         "--upload-file", str(tmp_path / "up.txt"), url(server, "/size")],
        capture_output=True, timeout=30,
    )  # fmt: skip
    assert written.stdout.decode() == "413 0", written


def test_curl_posts_a_form_with_a_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "படம்.bin").write_bytes(os.urandom(200_000))
    for version in versions(server):
        told = json.loads(curl(server, "/form", version, "-F", f"file=@{tmp_path}/படம்.bin", "-F", "name=மலர்"))
        assert told["form"] == {"name": "மலர்"}
        assert [one["அளவு"] for one in told["files"]] == [200_000]
        assert told["files"][0]["கோப்புப்_பெயர்"] == "படம்.bin"


def test_curl_downloads_in_parts(server: Server) -> None:
    whole = (server.folder / "files" / "data.bin").read_bytes()
    for version in versions(server):
        assert curl(server, "/files/data.bin", version) == whole
        assert curl(server, "/files/data.bin", version, "--range", "1000-1999") == whole[1000:2000]
        assert curl(server, "/files/data.bin", version, "--range", "-500") == whole[-500:]
        assert curl(server, "/files/data.bin", version, "--continue-at", str(SIZE - 10)) == whole[-10:]


def test_curl_unpacks_what_came_compressed(server: Server) -> None:
    for path in ("/long", "/files/page.html"):
        plain = curl(server, path)
        packed = curl(server, path, "--compressed", "--write-out", "\n%{size_download}")
        body, _, size = packed.rpartition(b"\n")
        assert body == plain
        assert int(size) < len(plain) / 4


def test_curl_asks_for_the_head_and_for_a_tamil_path(server: Server) -> None:
    head = curl(server, "/hello", "--head").decode().lower()
    assert head.split()[1] == "200"
    assert re.search(r"^content-length: [1-9]", head, re.MULTILINE)
    assert json.loads(curl(server, quote("/கொள்முதல்"))) == {"path": "/கொள்முதல்"}


def test_curl_keeps_one_connection_for_several_requests(server: Server) -> None:
    again = url(server, "/hello")
    written = curl(server, "/hello", "--write-out", "%{num_connects}\n", "--next", "--silent", "--insecure",
                   "--write-out", "%{num_connects}\n", again)  # fmt: skip
    assert b"}1\n" in written
    assert b"}0\n" in written


# ---- httpx2 ---------------------------------------------------------------------------


def test_httpx2_is_answered(server: Server) -> None:
    verify = server.certificate.context if server.certificate is not None else True
    with httpx2.Client(base_url=url(server, ""), verify=verify, timeout=20) as client:
        for _ in range(20):
            assert client.get("/hello").json() == {"message": "வணக்கம்"}
        assert client.put("/size", content=(b"x" * 1000 for _ in range(50))).json() == {"size": 50_000}
        answer = client.post("/form", data={"a": "1"}, files={"f": ("a.txt", b"hello")})
        assert (answer.json()["form"], len(answer.json()["files"])) == ({"a": "1"}, 1)
        assert client.get("/long").headers["content-encoding"] in ("gzip", "br", "zstd", "deflate")
        assert client.get("/none").status_code == 404
        with client.stream("GET", "/files/data.bin") as answer:
            assert sum(map(len, answer.iter_bytes())) == SIZE
        with client.stream("GET", "/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert [line for line in answer.iter_lines() if line.startswith("data:")] == [
                "data: event 1", "data: event 2", "data: event 3",
            ]  # fmt: skip


async def test_httpx2_speaks_http2_with_many_requests_on_one_connection(
    servers: dict[str, Server], certificate: Certificate
) -> None:
    import ssl

    server = servers["full"]
    context = ssl.create_default_context(cafile=certificate.authority)
    results = []
    async with httpx2.AsyncClient(http2=True, verify=context, base_url=url(server, ""), timeout=20) as client:

        async def get(path: str) -> None:
            results.append(await client.get(path))

        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(get, "/hello")
                    nursery.start_soon(get, "/files/page.html")
        sent = await client.put("/size", content=b"x" * 2_000_000)
    assert sent.json() == {"size": 2_000_000}
    assert {(one.status_code, one.http_version) for one in results} == {(200, "HTTP/2")}


# ---- WebSocket ------------------------------------------------------------------------


def test_a_websocket_of_wsproto_carries_text_both_ways(server: Server) -> None:
    with server.connect() as line:
        websocket = WebSocket(line)
        for text in ("வணக்கம்", "x" * 200_000, "", "👋"):
            websocket.say(text)
            assert websocket.hears() == text


async def test_a_websocket_of_httpx2_is_answered(server: Server) -> None:
    verify = server.certificate.context if server.certificate is not None else True
    async with httpx2.AsyncClient(verify=verify) as client:
        connect = getattr(client, "websocket", None)
        if connect is None:
            pytest.skip("this httpx2 has no WebSocket client")
        with trio.fail_after(20):
            async with connect(url(server, "/live", "ws")) as websocket:
                await websocket.send_text("வணக்கம்")
                assert await websocket.receive_text() == "வணக்கம்"


# ---- wrk ------------------------------------------------------------------------------


@pytest.mark.slow
def test_wrk_gets_an_answer_to_everything_it_asks(server: Server) -> None:
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    done = subprocess.run(
        ["wrk", "-t1", "-c100", "-d2s", url(server, "/hello")], capture_output=True, timeout=60, text=True
    )
    assert done.returncode == 0, done.stderr
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert rate is not None
    assert float(rate[1]) > 0
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    end = time.monotonic() + 10
    while server.metric("http_server_active_requests") != 1 or server.metric("etamil_http_connections") != 1:
        assert time.monotonic() < end, "something of it is still there"
