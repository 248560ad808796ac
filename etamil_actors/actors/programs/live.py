"""Live connections: the words of ``வழி WS``, and the connection as a channel (EXTENSIONS §9).

``நேரலை`` is a channel like others, for பெறு, அனுப்பு, ஒவ்வொரு and தேர்வு, and may be handed to tasks and agents
of the process. What the peer sends waits in a short lane; when that is full the connection is not read. What
is sent to the peer goes through an outbox, which one writer empties:

```
Live.receive ──▶ pump ──▶ lane (16) ──▶ நேரலை_பெறு, ஒவ்வொரு, தேர்வு
Live.send ◀── writer ◀── outbox ◀────── நேரலை_அனுப்பு, சேனல்_அனுப்பு
```

So messages go out whole and in order, whoever sends them, and a sender that is cancelled while it waits has
sent nothing. A send that has returned is on its way and no more: at most once, like memory.

Texts stay texts; any other value is sent as JSON. A binary message is read as UTF-8; one that is none ends
the connection (1003), for values have no bytes.

The handshake is answered when the program first uses the connection, or is still at it a second after the
guards; until then a handler may refuse it, with ``பதில் 404`` say (``Line`` in ``streams.py``).

How it ends:

| | receiving | sending | close code |
|---|---|---|---|
| the handler ends | over | ``channel.closed`` | 1000; 1011 after an error |
| சேனல்_மூடு | over | ``channel.closed``, what was sent is still written | 1000 |
| the peer has gone | இன்மை, after what it had sent | ``channel.closed`` | |
| the server says goodbye | இன்மை, after what has come | works until the handler ends | 1012 |

When all that came was taken and nothing more will come, the handler is asked to stop: where it waits for
messages of others — a chat room — it ends quietly. What it has in hand it may finish, in ``LINGER_SECONDS``
from the end on. A ``channel.closed`` because the peer has gone is no error of a handler: leaving is what
peers do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import trio
from trio.lowlevel import Abort, checkpoint_if_cancelled, current_task, reschedule, wait_task_rescheduled

from etamil_actors.actors.channels.base import Channel, ChannelSettings
from etamil_actors.actors.channels.lane import Lane, Message
from etamil_actors.actors.events import EventStream, MessageSent
from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.channels import received
from etamil_actors.actors.programs.exchange import Live, PeerGoneError
from etamil_actors.actors.programs.streams import LINGER_SECONDS, Handler, Head, Line, Outbox, nothing_said
from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import ExitRequested, Fault
from etamil_actors.vm.builtins.json import json_text
from etamil_actors.vm.options import read_options, seconds_of
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

T = TypeVar("T")

MOST_MESSAGES: Final = 16
"""So many messages wait for the program before the connection is not read any more."""

FLUSH_SECONDS: Final = 10.0
"""How long what was sent may take to be written when the handler has ended."""

CLOSE_SECONDS: Final = 5.0
"""How long the goodbye itself may take."""

NORMAL: Final = 1000
UNSUPPORTED: Final = 1003
FAILED: Final = 1011
RESTART: Final = 1012
"""Close codes (RFC 6455, and the registry of IANA). Clients take 1012 for what it is and come back; some take
1001 for their own user leaving."""

SETTINGS: Final = ChannelSettings(capacity=MOST_MESSAGES)


class PeerLeft(Fault):
    """``channel.closed``, because nobody is there any more."""


class LiveChannel(Line, Lane, Channel):
    """See the top of the file."""

    def __init__(
        self,
        live: Live,
        name: str,
        path: str,
        events: EventStream | None = None,
        head: Callable[[], Head] = nothing_said,
    ) -> None:
        Line.__init__(self, head)
        Channel.__init__(self, name, SETTINGS, path)
        self._open_lane(SETTINGS, events, None)
        self._wanted = trio.Event()
        self._accepted = trio.Event()
        self._live = live
        self._outbox: Outbox[str] = Outbox()
        self._code: int | None = None
        self._has_left = False
        self._is_parting = False
        self.ended = trio.Event()
        """Nothing more will come."""
        self.emptied = trio.Event()
        """And everything that came was taken."""
        self.written = trio.Event()
        """Everything that was sent has been written, or never will be."""

    @property
    def code(self) -> int | None:
        """What the peer is told at the end; nothing as long as that is open."""
        return self._code

    @property
    def is_open(self) -> bool:
        """Was the handshake answered?"""
        return self._accepted.is_set()

    def begin(self) -> None:
        """The program uses the connection: answer the handshake. Raises: as ``Line.begin``."""
        super().begin()
        self._wanted.set()

    # ── sending ──────────────────────────────────────────────────────────────────────────────────

    @property
    def is_closed(self) -> bool:
        """Are sends refused?"""
        return self._outbox.is_closed

    def send_nowait(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool | None:
        """Send without waiting; nothing when the peer is slow and it has to wait.

        Raises:
            Fault: ``channel.closed``; ``value.invalid``, an option that a connection does not have.
        """
        message = self._message(value, delay, key, id)
        return True if self._outbox.put_nowait(message) else None

    async def send(
        self,
        value: Value,
        *,
        delay: float = 0.0,
        key: str | None = None,
        id: str | None = None,
        trace: str = "",
    ) -> bool:
        """Send, waiting while the peer is slow.

        Raises:
            Fault: as ``send_nowait``; ``channel.closed`` also when it ends while this sender waits.
        """
        await checkpoint_if_cancelled()
        if not await self._outbox.put(self._message(value, delay, key, id)):
            raise self._over()
        return True

    def _message(self, value: Value, delay: float, key: str | None, id: str | None) -> str:
        if self._outbox.is_closed:
            raise self._over()
        if delay > 0 or key is not None or id is not None:
            raise Fault(
                "value.invalid",
                name=tamil_of("_send"),
                problem_ta="நேரலை இணைப்பில் ‘தாமதம்’, ‘திறவுகோல்’, ‘அடையாளம்’ ஆகிய விருப்பங்கள் இல்லை",
                problem_en="a live connection has no options ‘delay’, ‘key’ and ‘id’",
            )
        return value if type(value) is str else json_text(value)

    def refuse_nothing(self) -> Fault:
        """What sending இன்மை raises. When nothing comes any more, it is what came: the end."""
        if self._outbox.is_closed or self._closed:
            return self._over()
        return Fault(
            "validation",
            problem_ta="இன்மையை நேரலையில் அனுப்ப முடியாது",
            problem_en="nothing (இன்மை) cannot be sent",
        )

    def _over(self) -> Fault:
        is_theirs = self._has_left or self._is_parting or self._code == UNSUPPORTED
        return (PeerLeft if is_theirs else Fault)(
            "channel.closed",
            tamil="நேரலை இணைப்பு முடிந்துவிட்டது",
            english="the live connection is over",
        )

    # ── receiving ────────────────────────────────────────────────────────────────────────────────

    def try_take(self) -> Message | None:
        """The next message, if there is one now."""
        message = super().try_take()
        if self._closed and not self._lane:
            self.emptied.set()
        return message

    def _admit(self) -> None:
        while self._senders:  # the pump, and nobody else
            reschedule(self._senders.popitem(last=False)[0])

    async def _take_in(self, text: str) -> None:
        senders, task = self._senders, current_task()

        def give_up(_: object) -> Abort:
            del senders[task]
            return Abort.SUCCEEDED

        if len(self._lane) >= self.capacity and not self._closed:
            senders[task] = None
            await wait_task_rescheduled(give_up)
        if not self._closed:
            now = self._now()
            if self._events.on_message:
                self._events.message(MessageSent(now, self.path, text))
            self._enter(Message(text, now))

    # ── ends ─────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """No more messages, in neither direction; what was sent is written, what came can be taken."""
        self.finish(NORMAL)
        self._receive_no_more()

    def part(self) -> None:
        """The server says goodbye: nothing more comes in, but the program may still answer."""
        self._is_parting = True
        self._receive_no_more()

    def leave(self) -> None:
        """The peer has gone, perhaps because we have said goodbye."""
        self._has_left = self._code is None
        self._outbox.break_off()
        self._receive_no_more()
        self.written.set()

    def finish(self, code: int) -> None:
        """Write what was sent, then say goodbye; the first who says why is heard."""
        self._code = self._code or code
        self._outbox.close()

    def shut(self) -> None:
        """The route is over, and so is everything."""
        self.close()
        self._outbox.break_off()
        self.drain()

    def _receive_no_more(self) -> None:
        self._closed = True
        self.ended.set()
        if not self._lane:
            self.emptied.set()
        self._admit()
        self._wake_all_if_over()

    # ── what runs beside the handler ─────────────────────────────────────────────────────────────

    async def pump(self, goodbye: trio.Event) -> None:
        """Answer the handshake, then take in what the peer sends, as fast as it is taken out again."""
        await self._wanted.wait()
        assert self.head is not None
        try:
            await self._live.accept(self.head[1])
            self._accepted.set()
            while (message := await self._live.receive()) is not None:
                text = _text(message)
                if text is None:
                    self.finish(UNSUPPORTED)
                    self._receive_no_more()
                    return
                await self._take_in(text)
        except PeerGoneError:
            self.leave()
        else:
            # The other end says nothing, too, when it is the server that wants to go.
            (self.part if goodbye.is_set() else self.leave)()

    async def write(self) -> None:
        """Write what is sent, until it is over; then say goodbye."""
        try:
            await self._accepted.wait()
            while (message := await self._outbox.next()) is not None:
                await self._live.send(message)
            if not self._has_left:
                await self._live.close(self._code or NORMAL)
        except PeerGoneError:
            self.leave()
        finally:
            self.written.set()


def _text(message: str | bytes) -> str | None:
    if isinstance(message, str):
        return message
    try:
        return message.decode()
    except UnicodeDecodeError:
        return None


# ---- words ----------------------------------------------------------------------------


def connection_of(activity: Activity, key: str) -> LiveChannel:
    """The live connection of this activity.

    Raises:
        Fault: ``no_request``, it has none; ``value.invalid``, it cannot be opened with these headers.
    """
    line = activity.request.line if activity.request is not None else None
    if not isinstance(line, LiveChannel):
        raise Fault("no_request", name=tamil_of(key))
    line.begin()
    return line


@word("_live")
def live(activity: Activity) -> Value:
    """நேரலை."""
    return connection_of(activity, "_live")


@word("_wsReceive")
def receive(activity: Activity, options: Value = None) -> Any:
    """நேரலை_பெறு."""
    channel = connection_of(activity, "_wsReceive")
    given = read_options(options, "_wsReceive")
    seconds = seconds_of(given, "timeout", "_wsReceive", float("inf"))
    activity.settle_source(channel)
    activity.may_take(channel)
    delivery = channel.try_take()
    return _receive(activity, channel, seconds) if delivery is None else received(activity, delivery)


async def _receive(activity: Activity, channel: LiveChannel, seconds: float) -> Value:
    delivery = await activity.take(channel.take(seconds))
    return None if delivery is None else received(activity, delivery)


@word("_wsSend")
def send(activity: Activity, message: Value) -> Any:
    """நேரலை_அனுப்பு."""
    channel = connection_of(activity, "_wsSend")
    if message is None:
        raise channel.refuse_nothing()
    return None if channel.send_nowait(message) else _send(channel, message)


async def _send(channel: LiveChannel, message: Value) -> None:
    await channel.send(message)


# ---- serving --------------------------------------------------------------------------


async def serve_live(
    activity: Activity,
    run_handler: Callable[[], Awaitable[T]],
    goodbye: trio.Event,
    *,
    head: Callable[[], Head] = nothing_said,
    linger: float = LINGER_SECONDS,
) -> T | None:
    """Run the handler of a route of kind WS, and say goodbye to its peer.

    Answers what the handler returned, or nothing when it was stopped. When ``request.line.is_open`` then,
    that is all. When it is not, the handshake is still to be answered, and refused, as the program says.

    Args:
        run_handler: runs the guards, says ``request.line.let_in()``, and runs the program.
        goodbye: is set when the server is taken down.
        head: the status and headers that the program has said so far; the headers go with the answer to the
            handshake. Asked once, perhaps in the middle of the program; may raise a ``Fault``.

    Raises: what the handler raises, but a ``PeerLeft``. The peer, if it was let in, has been told 1011.
    """
    request, service = activity.request, activity.service
    connection: Live = request.live
    name = service.next_place("நேரலை")
    events = service.system.events
    channel = request.line = LiveChannel(connection, name, f"{service.path}/{name}", events, head)
    handler = Handler(activity, run_handler)

    async def part() -> None:
        await goodbye.wait()
        channel.part()

    async def hear() -> None:
        await channel.emptied.wait()
        activity.ask_to_stop()

    async def see_off() -> None:
        await channel.ended.wait()
        await trio.sleep_until(after(linger))
        handler.cancel("the connection is over")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(channel.open_in_silence)
            nursery.start_soon(channel.pump, goodbye)
            nursery.start_soon(channel.write)
            for watch in (part, hear, see_off):
                nursery.start_soon(watch)
            await handler.run()
            channel.finish(_code(handler.problem, goodbye))
            if channel.head is not None:
                with trio.CancelScope(deadline=after(FLUSH_SECONDS)):
                    await channel.written.wait()
            nursery.cancel_scope.cancel("the handler has ended")
    finally:
        code = channel.code or RESTART  # none was said: the route itself is cut
        channel.shut()
        if channel.is_open:
            await _close(connection, code)
    if handler.problem is not None and not isinstance(handler.problem, PeerLeft):
        raise handler.problem
    return handler.value


async def _close(connection: Live, code: int) -> None:
    with trio.CancelScope(shield=True, deadline=after(CLOSE_SECONDS)):
        try:
            await connection.close(code)
        except PeerGoneError:
            pass  # it has said goodbye in its own way


def _code(problem: BaseException | None, goodbye: trio.Event) -> int:
    """What the peer is told when the handler has ended like this."""
    if problem is None or isinstance(problem, PeerLeft | ExitRequested):
        is_going = goodbye.is_set() or isinstance(problem, ExitRequested)
        return RESTART if is_going else NORMAL
    return FAILED
