"""One connection: requests are read from it one after the other, and answered in that order.

```
        ┌──────────────── kept alive ───────────────┐
        ▼                                           │
IDLE ─ bytes ─▶ HEAD ─ whole ─▶ BUSY ─ answered ────┤
                                 │                  └─▶ LINGER ─▶ closed
                                 └─ upgrade ─▶ AWAY (handed over)
```

All of it is one task, and the plain path — a head that comes in one piece, an answer that is there at
once and fits into the socket — waits in two places only: for the next bytes, and one turn of the scheduler
between making an answer and sending it. So all who are ready first make their answers and then send them, one
right behind the other; whoever waits for them is woken once and not for each (measured: 38 µs for a request
of the whole stack instead of 54, with 32 connections). Sockets are used through trio's ``wait_readable`` and
``wait_writable``, since each call of a trio socket costs a turn of the scheduler.

Time is watched from outside: a connection says until when it may be idle, or its head incomplete, and the
listener's sweep ends what is overdue (``expire``). What a site does has its own limits. Waits that are rare
and may happen in other tasks (bodies, slow readers) have a scope of their own.

A connection that ends while its client may still be sending is not just closed: the kernel would answer the
next byte with a reset, and the client would lose the answer that says why. The answer is sent, our side
closed, and what still comes is read and forgotten for a while.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import TYPE_CHECKING, Final

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint, wait_readable, wait_writable

from etamil_actors.actors.programs.exchange import PeerGoneError
from etamil_actors.edge.access_log import GONE
from etamil_actors.edge.exchange import BodyError, FileBody, Outgoing
from etamil_actors.edge.fast.answer import CLOSE, KEEP_ALIVE, head_of
from etamil_actors.edge.fast.body import PIECE, FastExchange
from etamil_actors.edge.fast.head import (
    END,
    PREFACE,
    Head,
    HeadError,
    blank_bytes,
    check_start,
    read_head,
    too_slow,
)
from etamil_actors.edge.request import HttpRequest
from etamil_actors.errors import InternalError

if TYPE_CHECKING:
    from etamil_actors.edge.fast.listener import Listener
    from etamil_actors.edge.site import Made

IDLE: Final = 0
HEAD: Final = 1
BUSY: Final = 2
LINGER: Final = 3
AWAY: Final = 4

KEEPS: Final = 0
CLOSES: Final = 1
LINGERS: Final = 2
"""What comes after an answer: the next request; an end; an end while the client may still be sending."""

NEVER: Final = float("inf")
FRESH: Final = -1.0
"""A deadline that the next sweep sets, so that the plain path need not ask for the time."""

READ_BYTES: Final = 16 * 1024
SMALL_BYTES: Final = 64 * 1024
"""A body up to this size is sent together with its head."""
KEPT_HEAD: Final = 1024
"""A head of at most so many bytes is kept, because it may come again."""
FILE_PIECE: Final = 64 * 1024
UNLUCKY: Final = 3
"""When many are busy, the next request has mostly come by the time all others have had their turn. Looking
costs less than asking the kernel to tell (measured: 20 instead of 26 µs for a request, 32 connections).
Where it was in vain, it is not tried again for so many requests."""
TURNS: Final = 8
"""So many requests that came together are answered before others have a turn."""
GOODBYE_SECONDS: Final = 1.0
LINGER_SILENCE: Final = 1.0
LINGER_SECONDS: Final = 5.0
LINGER_BYTES: Final = 16 * 1024 * 1024
SHUTTING_DOWN: Final = 503
_RESET: Final = struct.pack("ii", 1, 0)
_HUNG_UP: Final = getattr(select, "POLLRDHUP", 0)


class Connection:
    """See the top of the file."""

    __slots__ = ("_cut", "_lane", "_scope", "begun_to_send", "buffer", "deadline", "is_broken",
                 "patience", "peer", "sent", "settings", "socket", "state", "status")  # fmt: skip

    def __init__(self, lane: Listener, sock: socket.socket, peer: str) -> None:
        self._lane = lane
        self._scope = trio.CancelScope()
        self._cut = False
        """By ``cut``: there is nothing more to say."""
        self.socket = sock
        self.settings = lane.settings
        self.peer = peer
        self.buffer = b""
        """Read and not used yet."""
        self.state = IDLE
        self.deadline = FRESH
        self.begun_to_send: tuple[bytes, int] | None = None
        """An answer of which only so much went out at once."""
        self.is_broken = False
        """Half of something has been read or sent; nothing can follow."""
        self.patience = lane.settings.write_seconds
        """How long we still wait for a client that takes its answers slowly."""
        self.sent = 0
        """Bytes of the answer at hand."""
        self.status = 0
        """Its status; 0 until its head is made."""

    async def run(self) -> None:
        """Serve until it ends, and let nothing but cancellation out."""
        try:
            while True:
                with self._scope:
                    if self._lane.hands_over_all:
                        await self._hand_over(b"")
                        break
                    await self._serve()
                if not (self._scope.cancelled_caught and self._has_come_back()):
                    break
            if self._scope.cancelled_caught and self.state == HEAD and not self._cut:
                self._scope = trio.CancelScope(deadline=trio.current_time() + GOODBYE_SECONDS)
                with self._scope:
                    await self._refuse(too_slow(self.settings))
        except Exception as problem:  # noqa: BLE001  one connection's trouble is not that of the others
            self._lane.site.failed(problem, None)
        except BaseExceptionGroup as group:
            ours, cancelled = group.split(Exception)
            if ours is not None:
                self._lane.site.failed(ours, None)
            if cancelled is not None:
                raise cancelled from None
        finally:
            self.close()
            self._lane.forget(self)

    # What the listener does with it.

    def expire(self) -> None:
        """Its deadline has passed, or an idle one is not wanted any more."""
        if self.state == AWAY:
            self.deadline = NEVER
        elif self.state == IDLE and self._has_more():
            self.deadline = FRESH  # a request has just come; its task only has not had its turn
        else:
            self._scope.cancel()

    def cut(self) -> None:
        """End it, whatever it is doing."""
        self._cut = True
        self._scope.cancel()

    def close(self) -> None:
        """Close the socket; whoever waits for it is told. May be said twice."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()
        self.is_broken = True

    def look(self) -> bool | None:
        """Is its client quiet (True), or has it sent something (False), or has it left (None)?"""
        try:
            if not self.socket.recv(1, socket.MSG_PEEK):
                return None
        except BlockingIOError:
            return True
        except OSError:
            return None
        poll = select.poll()  # behind what it sent there may be its goodbye
        poll.register(self.socket, _HUNG_UP)
        return None if poll.poll(0) else False

    def _has_more(self) -> bool:
        """Has it sent something that was not read, whether or not it has said goodbye behind that?"""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except OSError:
            return False

    def _has_come_back(self) -> bool:
        """Did a request come in the moment in which we gave up waiting for one?"""
        if self.state != IDLE or self._cut or not self._has_more():
            return False
        self._scope = trio.CancelScope()
        self.deadline = FRESH
        return True

    # Reading requests.

    async def _serve(self) -> None:
        recv = self.socket.recv
        fd = self.socket.fileno()
        is_first = True
        turns = 0
        unlucky = 1
        # A client often sends the very same head again. It is small, so an idle connection may keep it.
        last, head = b"", None
        while True:
            data = self.buffer
            if not data:
                self.state = IDLE
                self.deadline = FRESH
                turns = 0
                if unlucky:
                    unlucky -= 1
                    await wait_readable(fd)
                else:
                    await checkpoint()
                try:
                    data = recv(READ_BYTES)
                except BlockingIOError:
                    unlucky = UNLUCKY
                    continue
                except OSError:
                    return
                if not data:
                    return
            else:
                turns += 1
                if turns % TURNS == 0:
                    await checkpoint()
            end = data.find(END)
            try:
                if end <= 0 or data[0] < 0x21:
                    self.buffer = b""
                    data = await self._rest_of_head(data)
                    if not data:
                        return
                    end = data.find(END)
                self.state = BUSY
                self.deadline = NEVER
                end += 4
                raw = data if end == len(data) else data[:end]
                self.buffer = data[end:]
                if raw != last or head is None:
                    if is_first and raw == PREFACE and self._may_speak_http2():
                        await self._hand_over(raw)
                        return
                    head = read_head(raw, self.settings)
                    keeps = head.keeps and not head.expects and len(raw) <= KEPT_HEAD
                    last = raw if keeps else b""
            except HeadError as error:
                await self._refuse(error)
                return
            is_first = False
            exchange = FastExchange(self, head)
            request = HttpRequest(
                head.method, head.target, head.fields, exchange,
                arrived=trio.current_time(), client=self.peer, version=head.version,
            )  # fmt: skip
            begun: Made | Exception | None = None
            if head.is_plain or self._has_come_with(head):
                begun = self._begin(request)
                if type(begun) is Outgoing:
                    await cancel_shielded_checkpoint()  # see the top; the answer is made, so it is sent
                    if self._answer_at_once(begun, request, exchange):
                        del begun, raw, request, exchange
                        continue
            if not await self._answer(head, raw, request, exchange, begun):
                return
            del begun
            if not last:
                head = None
            del raw, request, exchange  # an idle connection holds nothing of its last request

    async def _rest_of_head(self, data: bytes) -> bytes:
        """A head, at least, that did not come at once. Empty: the client left. Raises: HeadError."""
        self.state = IDLE
        self.deadline = trio.current_time() + self.settings.header_seconds
        head = bytearray()
        while True:
            since = len(head)
            head += data
            if data and head[0] in b"\r\n" and (blank := blank_bytes(head)) < len(head):
                del head[:blank]
                since = 0
            if data and head[0] not in b"\r\n":
                self.state = HEAD
                if head.find(END, max(0, since - 3)) >= 0:
                    break
                check_start(head, since, self.settings)
            await wait_readable(self.socket)
            try:
                data = self.socket.recv(READ_BYTES)
            except BlockingIOError:
                data = b""
                continue
            except OSError:
                return b""
            if not data:
                return b""
        if self._scope.cancel_called:
            await checkpoint()  # it came whole, but too late
        return bytes(head)

    # Handing over.

    def _may_speak_http2(self) -> bool:
        return self.settings.http2 == "cleartext" and self._lane.hand_over is not None

    def _goes_away(self, head: Head, request: HttpRequest) -> bool:
        return head.upgrades and self._lane.site.wants_upgrade(request)

    async def _hand_over(self, raw: bytes) -> None:
        """Someone else serves this connection to its end, beginning with what was read."""
        self.state = AWAY
        self.deadline = NEVER  # from here on its time is the other lane's business
        self._lane.tell()
        already_read, self.buffer = raw + self.buffer, b""
        assert self._lane.hand_over is not None
        await self._lane.hand_over(self.socket, already_read, self.peer)

    # Answering.

    def _has_come_with(self, head: Head) -> bool:
        """Is it all that, but for a body that is here already?"""
        return 0 < head.length <= len(self.buffer) and head.keeps and not head.expects

    def _begin(self, request: HttpRequest) -> Made | Exception:
        self.sent = self.status = 0
        try:
            return self._lane.site.begin(request)
        except Exception as problem:  # noqa: BLE001  a request that fails is that request's 500
            return problem

    def _answer_at_once(self, answer: Outgoing, request: HttpRequest, exchange: FastExchange) -> bool:
        """Most requests end here: the answer is small, and the system takes all of it at once. Did it?"""
        body, site = answer.body, self._lane.site
        if type(body) is not bytes or len(body) > SMALL_BYTES:
            return False
        if answer.closes or not exchange.is_read or site.is_draining:
            return False
        try:
            data = self._head_of(answer, "1.1", False) + body
            count = self.socket.send(data)
        except (OSError, InternalError):  # it is full, or broken, or a header is: the other way finds out
            self.status = 0
            return False
        if count < len(data):
            self.begun_to_send = data, count
            return False
        self.sent = count
        exchange.end()
        site.done(request, self.status, count)
        return True

    async def _answer(
        self,
        head: Head,
        raw: bytes,
        request: HttpRequest,
        exchange: FastExchange,
        begun: Made | Exception | None,
    ) -> bool:
        """Serve one request, which the site may have begun. May the next one follow?"""
        lane = self._lane
        if begun is None and lane.hand_over is not None and self._goes_away(head, request):
            exchange.end()
            await self._hand_over(raw)
            return False
        if begun is None:
            begun = self._begin(request)
        what_then = CLOSES
        is_cut = True
        try:
            what_then = await self._respond(request, head, exchange, begun)
            is_cut = False
        except PeerGoneError:
            self.status = self.status or GONE
        except Exception as problem:  # noqa: BLE001  a request that fails is that request's 500
            what_then, is_cut = await self._apologise(problem, request)
        finally:
            if is_cut and exchange.stream is not None and exchange.stream.has_no_end:
                self._reset()
            exchange.end()
            lane.site.done(request, self.status or SHUTTING_DOWN, self.sent, is_cut=is_cut)
        if what_then == LINGERS:
            await self._linger()
        return what_then == KEEPS

    async def _respond(
        self, request: HttpRequest, head: Head, exchange: FastExchange, begun: Made | Exception
    ) -> int:
        if isinstance(begun, Exception):
            raise begun
        answer = begun if isinstance(begun, Outgoing) else await begun
        if answer is None:
            return await self._end_stream(exchange)
        body = answer.body
        if self.begun_to_send is not None:
            (data, count), self.begun_to_send = self.begun_to_send, None
            self.sent = count
            await self._send_rest(memoryview(data), count)
            return KEEPS
        if isinstance(body, bytes) and exchange.stream is None:
            closes = answer.closes or self.ends_with(head) or not (exchange.is_read or exchange.skip())
            await cancel_shielded_checkpoint()  # as above
            await self._send_plain(answer, body, head.version, closes)
        else:
            closes = await self._send_file(answer, head, exchange)
        return KEEPS if not closes else self._how_to_close(exchange)

    def ends_with(self, head: Head) -> bool:
        """Is this request the last, by what its client or we have said before?"""
        # While draining, requests that came together are all answered.
        return head.closes or (self._lane.site.is_draining and END not in self.buffer)

    def _how_to_close(self, exchange: FastExchange) -> int:
        return CLOSES if exchange.is_read and not self.buffer and not self._has_more() else LINGERS

    async def _end_stream(self, exchange: FastExchange) -> int:
        stream = exchange.stream
        if stream is None or not stream.is_open:
            raise InternalError("a request was given no answer")
        await stream.finish()
        return KEEPS if not stream.closes else self._how_to_close(exchange)

    async def _send_plain(self, answer: Outgoing, body: bytes, version: str, closes: bool) -> None:
        head = self._head_of(answer, version, closes)
        if len(body) <= SMALL_BYTES:
            await self.send(head + body)
        else:
            await self.send(head + body[:SMALL_BYTES])
            await self.send(memoryview(body)[SMALL_BYTES:])

    async def _send_file(self, answer: Outgoing, head: Head, exchange: FastExchange) -> bool:
        """Send what a plain answer is not. Does the connection end with it?"""
        body = answer.body
        try:
            if exchange.stream is not None and exchange.stream.is_open:
                raise InternalError("a request was answered after its stream had begun")
            closes = answer.closes or self.ends_with(head) or not (exchange.is_read or exchange.skip())
            if isinstance(body, bytes):
                await self._send_plain(answer, body, head.version, closes)
                return closes
            at, end = body.start, body.start + body.length
            data = self._piece(await body.read(at, min(end - at, FILE_PIECE)), at, end)
            at += len(data)
            await self.send(self._head_of(answer, head.version, closes) + data)
            while at < end:
                data = self._piece(await body.read(at, min(end - at, FILE_PIECE)), at, end)
                at += len(data)
                await self.send(data)
            return closes
        finally:
            if isinstance(body, FileBody):
                body.close()

    def _piece(self, data: bytes, at: int, end: int) -> bytes:
        if not data and at < end:
            raise InternalError("a file became shorter while it was sent")
        return data

    def _head_of(self, answer: Outgoing, version: str, closes: bool) -> bytes:
        framing = b"" if answer.length is None else b"content-length: %d\r\n" % answer.length
        if closes:
            framing += CLOSE
        elif version == "1.0":
            framing += KEEP_ALIVE
        head = head_of(answer.status, answer.headers, framing)
        self.status = answer.status
        return head

    async def _apologise(self, problem: Exception, request: HttpRequest) -> tuple[int, bool]:
        """Something failed. Say so if nothing has been said yet; how to go on, and was the answer cut?"""
        site = self._lane.site
        if not isinstance(problem, BodyError):
            site.failed(problem, request)
        if self.status:
            return CLOSES, True
        if isinstance(problem, BodyError):
            outgoing = site.refuse(problem.status, problem.tamil, problem.english, request)
        else:
            outgoing = site.refuse(
                500,
                "கோரிக்கையை நிறைவேற்றும்போது எங்கள் பக்கத்தில் ஒரு பிழை ஏற்பட்டது",
                "something on our side failed while the request was served",
                request,
            )
        return LINGERS, not await self._send_last(outgoing)

    async def _refuse(self, error: HeadError) -> None:
        """Answer what is no request, and end."""
        self.state = BUSY
        self.deadline = NEVER
        self.sent = self.status = 0
        site = self._lane.site
        outgoing = site.refuse(error.status, error.tamil, error.english, None, **error.extra)
        is_cut = True
        try:
            is_cut = not await self._send_last(outgoing)
        finally:
            site.done(None, outgoing.status, self.sent, is_cut=is_cut, peer=self.peer)
        await self._linger()

    async def _send_last(self, outgoing: Outgoing) -> bool:
        """Send an answer of the edge itself. Could it be sent?"""
        assert isinstance(outgoing.body, bytes)
        try:
            await self._send_plain(outgoing, outgoing.body, "1.1", True)
        except PeerGoneError:
            return False
        return True

    async def send(self, data: bytes | memoryview) -> None:
        """Send all of it, waiting while the client is slow. Raises: PeerGoneError."""
        try:
            count = self.socket.send(data)
        except BlockingIOError:
            count = 0
        except OSError as problem:
            self.is_broken = True
            raise PeerGoneError("the client left before its answer was sent") from problem
        self.sent += count
        if count < len(data):
            await self._send_rest(memoryview(data), count)

    async def _send_rest(self, data: memoryview, at: int) -> None:
        was_broken, self.is_broken = self.is_broken, True
        most, rate = self.settings.write_seconds, self.settings.body_rate
        while at < len(data):
            began = trio.current_time()
            with trio.move_on_after(self.patience) as scope:
                try:
                    await wait_writable(self.socket)
                    count = self.socket.send(data[at:])
                except BlockingIOError:
                    continue
                except (trio.ClosedResourceError, ValueError, OSError) as problem:
                    raise PeerGoneError("the client left before its answer was sent") from problem
            if scope.cancelled_caught:
                raise PeerGoneError("the client takes nothing of its answer")
            at += count
            self.sent += count
            # Whoever takes one byte now and then is as slow as one who takes none.
            self.patience = min(self.patience - (trio.current_time() - began) + count / rate, most)
        self.is_broken = was_broken

    # Ending.

    async def _linger(self) -> None:
        """Let the client read our last answer before it finds the connection closed; see the top."""
        self.state = LINGER
        self.buffer = b""
        await linger(self.socket)

    def _reset(self) -> None:
        """Make the end look like a failure where the protocol has no other word for it."""
        if self.socket.fileno() >= 0:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


async def linger(sock: socket.socket) -> None:
    """Close our side, and for a while read and forget what still comes."""
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        return
    left = LINGER_BYTES
    end = trio.current_time() + LINGER_SECONDS
    while left > 0:
        with trio.move_on_at(min(end, trio.current_time() + LINGER_SILENCE)) as scope:
            await wait_readable(sock)
        if scope.cancelled_caught:
            return
        try:
            count = len(sock.recv(PIECE))
        except BlockingIOError:
            continue
        except OSError:
            return
        if not count:
            return
        left -= count
