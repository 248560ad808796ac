"""The protocol of MySQL by itself: cut in any way, answers are the same; nonsense is refused, never followed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.ports.databases import PoolSettings
from etamil_actors.resources.databases import mysql_login as logins
from etamil_actors.resources.databases import mysql_packets as packets
from etamil_actors.resources.databases.mysql import MysqlDriver
from etamil_actors.resources.databases.mysql_packets import (
    Answer,
    Inbox,
    Prepared,
    ProtocolError,
    counted,
    framed,
)
from etamil_actors.resources.databases.mysql_values import binary_row, bound, taker, text_reader, text_row


def received(data: bytes, cuts: list[int]) -> list[bytes]:
    """The packets of these bytes when they come in pieces."""
    inbox, found, start = Inbox(), [], 0
    for end in [*sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]:
        inbox.feed(data[start:end])
        start = end
        while (packet := inbox.next()) is not None:
            found.append(packet)
    return found


@given(st.lists(st.binary(min_size=1, max_size=200), max_size=8), st.lists(st.integers(0, 2000), max_size=20))
def test_packets_are_the_same_however_they_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    assert received(b"".join(framed(payload) for payload in payloads), cuts) == payloads


@pytest.mark.parametrize(
    "size", (packets.LARGEST - 1, packets.LARGEST, packets.LARGEST + 1, 2 * packets.LARGEST)
)
def test_a_payload_larger_than_a_packet_goes_in_several(size: int) -> None:
    payload = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    frames = framed(payload)
    assert len(frames) == size + 4 * (size // packets.LARGEST + 1)
    assert received(frames, [5, 70_000, packets.LARGEST + 2]) == [payload]


@given(st.integers(0, 2**64 - 1))
def test_lengths_are_read_as_they_were_written(size: int) -> None:
    assert packets.Reader(packets.sized(size)).length() == size


def read_row(row: bytes, columns: list[packets.Column]) -> None:
    """Read it in both ways; a refusal is an answer."""
    try:
        binary_row(row, [taker(column) for column in columns])
    except (ProtocolError, Fault):
        pass
    try:
        text_row(row, [text_reader(column) for column in columns])
    except (ProtocolError, Fault):
        pass


COLUMN = (
    b"".join(counted(part) for part in (b"def", b"", b"", b"", b"n", b""))
    + b"\x0c\x2d\0\x14\0\0\0\xfd\0\0\0\0\0"
)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=12), st.booleans(), st.booleans())
def test_whatever_a_server_says_ends_in_an_answer_or_a_refusal(
    said: list[bytes], has_eof: bool, is_prepared: bool
) -> None:
    answer = Prepared(has_eof) if is_prepared else Answer(has_eof)
    try:
        for packet in said:
            if answer.take(packet):
                break
        if isinstance(answer, Answer):
            columns = [packets.column_of(column) for column in answer.columns]
            for row in answer.rows:
                read_row(row, columns)
    except ProtocolError:
        pass


def test_any_bytes_in_a_row_of_any_type_end_in_values_or_a_refusal() -> None:
    chance = random.Random(4)
    for _ in range(20_000):
        columns = [
            packets.Column("n", chance.choice((*range(17), *range(245, 256))), chance.choice((0, 32)), 45)
            for _ in range(chance.randint(1, 3))
        ]
        row = bytes(
            chance.choice((0, 1, 4, 7, 11, 12, 251, 252, 254, 255, chance.randrange(256)))
            for _ in range(chance.randint(1, 40))
        )
        read_row(row, columns)


def test_an_answer_may_end_in_both_ways() -> None:
    for has_eof in (False, True):
        eof = [b"\xfe\0\0\x02\0"] if has_eof else []
        end = b"\xfe\0\0\x02\0" if has_eof else b"\xfe\0\0\x02\0\0\0"
        answer = Answer(has_eof)
        said = [b"\x01", COLUMN, *eof, b"\0\0\x01a", b"\0\0\x01b", end]
        assert [answer.take(packet) for packet in said] == [False] * (len(said) - 1) + [True]
        column = packets.column_of(answer.columns[0])
        assert [binary_row(row, [taker(column)]) for row in answer.rows] == [["a"], ["b"]]
        assert answer.status == packets.AUTOCOMMIT


def test_an_error_in_the_middle_of_rows_ends_the_answer() -> None:
    answer = Answer(has_eof=False)
    for packet in (b"\x01", COLUMN, b"\0\0\x01a"):
        assert not answer.take(packet)
    assert answer.take(b"\xff\x25\x05#70100interrupted")
    assert answer.error == (1317, "70100", "interrupted") and answer.status is None


def test_a_server_that_wants_a_file_gets_none() -> None:
    with pytest.raises(ProtocolError):
        Answer(has_eof=False).take(b"\xfb/etc/passwd")


def test_a_value_is_bound_by_its_type_never_by_its_text() -> None:
    command = packets.execution(b"\x01\0\0\0", [bound(value) for value in ("' OR 1", None, True, 7)])
    head = b"\x17\x01\0\0\0\0\x01\0\0\0"
    assert (
        command == head + b"\x02" + b"\x01" + b"\xfd\0\x06\0\x01\0\xfd\0" + b"\x06' OR 1" + b"\x01" + b"\x017"
    )


# ---- logging in ------------------------------------------------------------------------------------------

NONCE = bytes(range(1, 21))


def unmixed(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def test_proofs_are_those_of_the_documentation() -> None:
    # SHA1(word) XOR SHA1(nonce + SHA1(SHA1(word))); SHA256(word) XOR SHA256(SHA256(SHA256(word)) + nonce)
    once = hashlib.sha1(b"word").digest()
    proof = logins.first_proof(logins.NATIVE, "word", NONCE, False)
    assert unmixed(proof, hashlib.sha1(NONCE + hashlib.sha1(once).digest()).digest()) == once
    once = hashlib.sha256(b"word").digest()
    proof = logins.first_proof(logins.CACHING, "word", NONCE, False)
    assert unmixed(proof, hashlib.sha256(hashlib.sha256(once).digest() + NONCE).digest()) == once
    assert logins.first_proof(logins.NATIVE, "", NONCE, False) == b""


GREETING = (
    b"\x0a8.4.0\0" + b"\x07\0\0\0" + NONCE[:8] + b"\0" + (packets.OURS & 0xFFFF | 0x8).to_bytes(2, "little") + b"\x2d\x02\0"
    + (packets.OURS >> 16).to_bytes(2, "little") + b"\x15" + bytes(10) + NONCE[8:] + b"\0" + b"caching_sha2_password\0"
)  # fmt: skip
OK = b"\0\0\0\x02\0\0\0"


class Peer:
    """A few packets of a server, over a real socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._inbox = Inbox()

    async def say(self, payload: bytes) -> None:
        await self._stream.send_all(framed(payload, self._inbox.sequence))
        self._inbox.sequence += 1

    async def hear(self) -> bytes:
        while (packet := self._inbox.next()) is None:
            data = await self._stream.receive_some()
            if not data:
                raise EOFError
            self._inbox.feed(data)
        return packet


async def log_in(
    serve: Callable[[Peer], Awaitable[None]], *, host: str = "127.0.0.1", password: str = "word"
) -> None:
    """Log in at a server that does this. Its host is what the address says; the socket is always here."""

    async def accept(stream: trio.SocketStream) -> None:
        try:
            peer = Peer(stream)
            await peer.say(GREETING)
            await serve(peer)
            while True:  # whatever comes now succeeds
                command = await peer.hear()
                peer._inbox.sequence = 1
                if b"SELECT" in command:
                    for packet in (b"\x01", COLUMN, b"\x0816777216", b"\xfe\0\0\x02\0\0\0"):
                        await peer.say(packet)
                else:
                    await peer.say(OK)
        except (EOFError, trio.BrokenResourceError):
            pass
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, accept, 0)
        port = listeners[0].socket.getsockname()[1]
        driver = MysqlDriver(
            PoolSettings(kind="mysql", url=f"mysql://asha:{password}@{host}:{port}/?ssl-mode=disabled")
        )
        try:
            with trio.fail_after(5):
                connection = await driver.connect()
                await connection.close()
        except Fault as fault:
            raised: Fault | None = fault
        else:
            raised = None
        nursery.cancel_scope.cancel()
    if raised is not None:
        raise raised


async def test_a_server_that_remembers_the_password_lets_us_in_at_once() -> None:
    async def serve(peer: Peer) -> None:
        said = await peer.hear()
        assert logins.first_proof(logins.CACHING, "word", NONCE, False) in said
        await peer.say(b"\x01\x03")
        await peer.say(OK)

    await log_in(serve)


async def test_a_server_that_wants_the_password_itself_gets_it_encrypted_on_loopback() -> None:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    heard: list[bytes] = []

    async def serve(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"\x01\x04")
        assert await peer.hear() == b"\x02"
        await peer.say(b"\x01" + pem)
        oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)
        mixed = key.decrypt(await peer.hear(), oaep)
        heard.append(bytes(a ^ NONCE[index % 20] for index, a in enumerate(mixed)))
        await peer.say(OK)

    await log_in(serve, password="a-rather-long-word-of-many-letters")
    assert heard == [b"a-rather-long-word-of-many-letters\0"]


@pytest.mark.parametrize(
    "asked", (b"\xfemysql_clear_password\0", b"\xfedialog\0", b"\xfemysql_old_password\0", b"\x05", b"\xfe")
)
async def test_a_server_that_asks_for_the_open_password_is_left(asked: bytes) -> None:
    answers: list[bytes] = []

    async def serve(peer: Peer) -> None:
        await peer.hear()
        await peer.say(asked)
        answers.append(await peer.hear())

    with pytest.raises(Fault) as caught:
        await log_in(serve, password="s3cr3t")
    assert caught.value.code == "db.unavailable"
    assert "s3cr3t" not in caught.value.message
    assert answers == []


async def test_a_key_from_afar_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from etamil_actors.resources.databases.mysql_address import MysqlAddress

    monkeypatch.setattr(MysqlAddress, "is_here", property(lambda self: False))
    answers: list[bytes] = []

    async def serve(peer: Peer) -> None:
        await peer.hear()
        await peer.say(b"\x01\x04")
        answers.append(await peer.hear())
        await peer.say(b"\x01-----BEGIN PUBLIC KEY-----")
        answers.append(await peer.hear())

    with pytest.raises(Fault) as caught:
        await log_in(serve, password="s3cr3t")
    assert "ssl-mode" in caught.value.english
    assert answers == [b"\x02"]


@pytest.mark.parametrize(
    "greeting", (b"SSH-2.0-OpenSSH", b"\x0a8.4", b"\xff\x10\x04Too many connections", b"")
)
async def test_what_is_no_server_of_mysql_is_told_apart(greeting: bytes) -> None:
    async def accept(stream: trio.SocketStream) -> None:
        await stream.send_all(framed(greeting) if greeting else b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, accept, 0)
        port = listeners[0].socket.getsockname()[1]
        driver = MysqlDriver(PoolSettings(kind="mysql", url=f"mysql://asha:s3cr3t@127.0.0.1:{port}/"))
        faults = []
        with trio.fail_after(5):
            try:
                await driver.connect()
            except Fault as fault:
                faults.append(fault)
        nursery.cancel_scope.cancel()
    assert [fault.code for fault in faults] == ["db.unavailable"]


async def test_what_was_said_before_tls_is_not_taken_for_secret() -> None:
    async def accept(stream: trio.SocketStream) -> None:
        # Whoever stands between adds an answer to the greeting, in the hope that it counts afterwards.
        abilities = int.from_bytes(GREETING[20:22], "little") | packets.TLS
        greeting = GREETING[:20] + abilities.to_bytes(2, "little") + GREETING[22:]
        await stream.send_all(framed(greeting) + framed(OK, 2))
        while await stream.receive_some():
            pass

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, accept, 0)
        port = listeners[0].socket.getsockname()[1]
        url = f"mysql://asha:s3cr3t@127.0.0.1:{port}/?ssl-mode=required"
        told = ""
        with trio.fail_after(5):
            try:
                await MysqlDriver(PoolSettings(kind="mysql", url=url)).connect()
            except Fault as fault:
                told = fault.english
        nursery.cancel_scope.cancel()
    assert "before TLS" in told
