"""The same bytes read by this lane, on real connections, and by h11: one verdict, the same parts.

Requests are generated from a seed: valid ones, odd ones that are still HTTP, and broken ones. Each carries
the names of the oddities that went into it. Where we are stricter than h11 on purpose the oddity is listed in
``STRICTER``, and then the test wants the refusal; for all else it wants agreement.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, NamedTuple

import h11
import pytest

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge.exchange import BodyError

pytestmark = [pytest.mark.timeout(100), pytest.mark.slow]

COUNT = 8_000

STRICTER = {
    "bare LF": "h11 takes LF alone as the end of a line",
    "continued line": "h11 joins lines that begin with a space to the one before",
    "two equal lengths": "h11 takes a repeated length once",
    "list of lengths": "h11 takes `3, 3` as 3",
    "length and chunks": "h11 lets the chunks win",
    "unknown method": "h11 takes any token",
    "odd host": "h11 does not look into Host",
    "another host": "h11 does not compare an address with Host",
    "other version": "h11 takes any digit behind the dot",
    "unknown expectation": "h11 leaves Expect to others",
    "chunks in 1.0": "h11 reads chunks in HTTP/1.0",
    "space behind a chunk size": "h11 takes spaces there",
    "odd chunk extension": "h11 takes anything behind the semicolon",
    "long chunk size": "h11 takes 20 digits",
    "control character": "h11 takes all but NUL and those that count as space",
}


class Generated(NamedTuple):
    wire: bytes
    for_h11: bytes
    """The same without the one or two empty lines in front of a request, which h11 does not let pass."""
    oddities: frozenset[str]


class Read(NamedTuple):
    """One request, as either side has read it. The body is None when it did not come whole."""

    method: str
    target: bytes
    version: str
    fields: list[tuple[bytes, bytes]]
    body: bytes | None


Verdict = list[Any]
"""Requests, then ``refused``, or ``end`` where the bytes or the connection ended."""


# ---------------------------------------------------------------- requests of all kinds


class Generator:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.oddities: set[str] = set()

    def chance(self, percent: float) -> bool:
        return self.random.random() * 100 < percent

    def odd(self, percent: float, name: str) -> bool:
        if self.chance(percent):
            self.oddities.add(name)
            return True
        return False

    def wire(self) -> Generated:
        self.oddities = set()
        count = self.random.choice([1, 1, 1, 2, 3])
        requests = [self.request(is_last=number == count) for number in range(1, count + 1)]
        blank = [b"\r\n" * self.random.choice([0] * 20 + [1, 2]) for _ in requests]
        wire = b"".join(b"%b%b" % pair for pair in zip(blank, requests, strict=True))
        plain = b"".join(requests)
        if self.chance(6):
            self.oddities.add("cut")
            wire = plain = plain[: self.random.randrange(len(plain))]
        return Generated(wire, plain, frozenset(self.oddities))

    def request(self, *, is_last: bool) -> bytes:
        choose = self.random.choice
        method = choose([b"GET", b"POST", b"PUT", b"DELETE", b"HEAD", b"OPTIONS", b"PATCH", b"PROPFIND", b"M-SEARCH"])
        if self.odd(1, "unknown method"):
            method = choose([b"get", b"FOO", b"G", b"GETT", b"!#$"])
        target = choose([b"/", b"/a/b?c=d&e", b"*", b"http://a.example/c", b"/%41%e0", b"/a|\"<>{}\\^`[]", b"/#x", b"/" + b"z" * 300])
        if self.odd(1, "raw letters in the target"):
            target += "அ".encode()
        version = b"1.1" if self.chance(85) or not is_last else b"1.0"
        if self.odd(1, "other version"):
            version = choose([b"1.2", b"1.9", b"0.9", b"2.0", b"3.0"])
        is_old = version == b"1.0"
        line = b"%b %b HTTP/%b" % (method, target, version)
        if self.odd(1.5, "broken first line"):
            line = choose([b"%b  %b HTTP/%b", b"%b %b  HTTP/%b", b" %b %b HTTP/%b", b"%b\t%b HTTP/%b", b"%b %b HTTP/%b ",
                           b"%b %b http/%b", b"%b %b HTTPS/%b", b"%b %b%.0b", b"%b %b x HTTP/%b"]) % (method, target, version)  # fmt: skip
        fields, body = self.fields(is_old)
        host = fields[0] if fields else b""
        if target.startswith(b"http:") and host[:5].lower() == b"host:" and host != b"Host: a.example:80":
            self.oddities.add("another host")
        end = b"\n" if self.odd(1, "bare LF") else b"\r\n"
        self.random.shuffle(fields)
        lines = [line, *fields]
        head = b"\r\n".join(lines[:-1]) + (end if len(lines) > 1 else b"") + lines[-1] + b"\r\n\r\n"
        return head + body

    def fields(self, is_old: bool) -> tuple[list[bytes], bytes]:
        choose = self.random.choice
        fields = [b"Host: a.example:80"]
        if self.chance(3):
            fields = [choose([b"host:[::1]", b"HOST:\t a ", b"Host:"])]
        if self.odd(1, "odd host"):
            fields = [choose([b"Host: a b", b"Host: a/b", b"Host: \xe0\xae\x85", b"Host: a:b", b"Host: u@h"])]
        if self.odd(1.5, "two hosts"):
            fields.append(b"Host: b")
        if self.chance(1.5) and len(fields) == 1 and "odd host" not in self.oddities:
            fields = []
        for _ in range(self.random.randrange(5)):
            fields.append(self.field())
        if self.chance(1) if is_old else self.odd(1, "unknown expectation"):
            fields.append(b"Expect: tea")
        framing, body = self.body(is_old)
        return fields + framing, body

    def field(self) -> bytes:
        choose = self.random.choice
        name = choose([b"X", b"accept-encoding", b"Cookie", b"!#$%&'*+-.^_`|~09", b"Content-Type"])
        value = choose([b"", b"y", b"a b\tc", b"\"q\", (x)", b"\xe0\xae\x85\xff", b"k" * 200, b"a: b"])
        space = choose([b"", b" ", b"\t", b"  \t "])
        field = name + b":" + space + value + choose([b"", b"", b" ", b" \t"])
        if self.odd(0.6, "continued line"):
            field += b"\r\n " + choose([b"more", b"\tmore", b"Content-Length: 5"])
        if self.odd(0.6, "control character"):
            field += choose([b"\x00", b"\x01", b"\x0b", b"\x0c", b"\x1b", b"\x7f"]) + b"e"
        if self.odd(0.6, "letters in a header name"):
            field = "அ: x".encode()
        if self.odd(0.6, "broken field"):
            field = choose([b"X : y", b"X", b": y", b"X Y: z", b"X\t: y", b"(X): y", b"X\r: y"])
        return field

    def body(self, is_old: bool) -> tuple[list[bytes], bytes]:
        data = self.random.randbytes(self.random.choice([0, 1, 5, 40, 300]))
        size = b"%d" % len(data)
        kind = self.random.randrange(100)
        if kind < 45:
            return [], b""
        if kind < 70:
            length = b"Content-Length:%b" % self.random.choice([b" " + size, b" 0" + size, b"\t%b " % size])
            if self.odd(2, "two equal lengths"):
                return [length, length], data
            if self.odd(2, "list of lengths"):
                return [b"Content-Length: %b, %b" % (size, size)], data
            if self.odd(2, "two lengths"):
                return [length, b"Content-Length: %d" % (len(data) + 1)], data
            if self.odd(2, "broken length"):
                wrong = [b"+%b", b"-%b", b"0x%b", b"%b.0", b"%b_0", b" %b 1", b"%bx", b"%.0b", b"9" * 25 + b"%b"]
                return [b"Content-Length: " + self.random.choice(wrong) % size], data
            return [length], data
        if is_old:
            self.oddities.add("chunks in 1.0")
        coding = self.random.choice([b"Transfer-Encoding: chunked", b"transfer-encoding:CHUNKED "])
        if self.odd(2, "length and chunks"):
            return [coding, b"Content-Length: " + size], self.chunks(data)
        if self.odd(2, "other coding"):
            wrong = [b"gzip", b"gzip, chunked", b"chunked, chunked", b"chunked;a", b"identity", b"xchunked"]
            return [b"Transfer-Encoding: " + self.random.choice(wrong)], self.chunks(data)
        if self.odd(1, "two codings"):
            return [coding, coding], self.chunks(data)
        return [coding], self.chunks(data)

    def chunks(self, data: bytes) -> bytes:
        wire = b""
        while data:
            size = self.random.randrange(1, len(data) + 1)
            wire += self.size(size) + b"\r\n" + data[:size]
            data = data[size:]
            wire += self.random.choice([b"\n", b"", b"x\r\n", b"\r\r\n"]) if self.odd(1, "broken chunk end") else b"\r\n"
        wire += self.random.choice([b"0", b"000", b"0;last"]) + b"\r\n"
        for _ in range(self.random.choice([0, 0, 0, 1, 2])):
            wire += b"X-Trailer: y\r\n"
        if self.odd(0.7, "broken trailer"):
            wire += self.random.choice([b"x\r\n", b"x : y\r\n", b"x: \x00\r\n"])
        return wire + b"\r\n"

    def size(self, size: int) -> bytes:
        written = (b"%x" if self.chance(50) else b"%X") % size
        if self.chance(5):
            written = b"00" + written
        if self.odd(0.7, "space behind a chunk size"):
            return written + b" "
        if self.odd(0.7, "long chunk size"):
            return written.rjust(18, b"0")
        if self.odd(0.7, "odd chunk extension"):
            return written + self.random.choice([b";", b"; =x", b";a=\"", b";a b"])
        if self.odd(0.7, "broken chunk size"):
            return self.random.choice([b"-", b"0x", b" ", b"g", b"+"]) + written
        if self.chance(10):
            return written + self.random.choice([b";a", b"; a=b", b";a=\"b;c\""])
        return written


# ---------------------------------------------------------------- the two readers


def as_h11_reads(wire: bytes) -> Verdict:
    verdict: Verdict = []
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(wire)
    body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                body = b""
                verdict.append(Read(event.method.decode(), event.target, event.http_version.decode(), _as_sent(event), None))
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                verdict[-1] = verdict[-1]._replace(body=body)
                connection.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    return [*verdict, "end"]
                connection.start_next_cycle()
            elif event is h11.NEED_DATA:
                return [*verdict, "end"]
            else:
                return [*verdict, "end"]
    except h11.RemoteProtocolError:
        return [*verdict, "refused"]


def _as_sent(event: h11.Request) -> list[tuple[bytes, bytes]]:
    """h11 writes these two anew."""
    return [_framing_alike(name, value) for name, value in event.headers]


def _framing_alike(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name == b"transfer-encoding":
        return name, value.lower()
    return name, b"%d" % int(value) if name == b"content-length" else value


async def as_the_lane_reads(lane: Any, kit: Any, wire: bytes) -> Verdict:
    site = lane.site
    verdict: Verdict = []
    site.begun.clear()
    site.ended.clear()
    endings: list[str] = []

    async def read(request: Any) -> Any:
        verdict.append(Read(request.method, request.target, request.version,
                            [_framing_alike(*field) for field in request.fields], None))  # fmt: skip
        try:
            verdict[-1] = verdict[-1]._replace(body=await kit.read_body(request))
        except BodyError as error:
            endings.append("refused")
            return kit.text("", error.status)
        except PeerGoneError:
            endings.append("end")
            raise
        return kit.text("")

    site.handler = read
    client = await lane.connect()
    lane.clients.clear()
    await client.send(wire)
    await client.stream.send_eof()
    await client.rest()
    await client.close()
    await kit.until(lambda: lane.listener.connections == 0)
    assert site.failures == []
    assert len([request for request, *_ in site.ended if request]) == len(site.begun)
    if [request for request, *_ in site.ended if request is None]:
        endings.append("refused")
    assert len(endings) <= 1
    return [*verdict, *(endings or ["end"])]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_the_lane_and_h11_read_the_same(start: Any, kit: Any, seed: int) -> None:
    lane = await start()
    generator = Generator(seed)
    seen: Counter[str] = Counter()
    taken_by_h11: set[str] = set()
    for number in range(COUNT // 4):
        wire, for_h11, oddities = generator.wire()
        ours, theirs = await as_the_lane_reads(lane, kit, wire), as_h11_reads(for_h11)
        seen.update(oddities or {"none"})
        stricter = oddities & STRICTER.keys()
        if len(oddities) == 1 and theirs[-1] == "end":
            taken_by_h11.update(stricter)
        if stricter and not oddities & {"cut"}:
            # Everything before the oddity is read alike, and then it ends.
            assert ours[-1] == "refused", (number, oddities, wire, ours, theirs)
            whole = [one for one in ours[:-1] if one.body is not None]
            assert whole == theirs[:-1][: len(whole)], (number, oddities, wire, ours, theirs)
        elif ours != theirs and "cut" in oddities:
            assert ours[-1] == "refused", (number, oddities, wire, ours, theirs)
        else:
            assert ours == theirs, (number, oddities, wire, ours, theirs)
    assert taken_by_h11 == STRICTER.keys()  # else it is no strictness of ours
    assert seen["none"] > COUNT // 8
    site = lane.site
    site.begun.clear()
    site.ended.clear()
