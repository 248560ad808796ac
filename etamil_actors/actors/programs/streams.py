"""Routes that send as they go: events (``வழி SSE``) and raw chunks (``வழி STREAM``), EXTENSIONS §9.

The program never writes to the client itself. What it sends goes into an *outbox*, which has little room, and
one *writer* takes it from there to the edge; so a piece is written whole or not at all, whatever happens to
the program meanwhile, and a program whose client is slow waits where it can be cancelled.

```
ஓடை_அனுப்பு ──▶ outbox ──▶ writer ──▶ Sink
                  ▲          └ a comment after silence, so that it is noticed when the client has gone
    goodbye ──────┘
```

- The head is what the program has said with பதில் when it first sends. Until then nothing is open, and a
  handler may still answer as that of any other route: 404, say, or the error that it raised.
- A stream of events opens by itself when its handler is still silent ``OPEN_SECONDS`` after the guards have
  let it in: the client knows then that it is connected.
- A client that has gone cancels the handler.
- When the server says goodbye, a client of events is told when to come back, and the handler is asked to
  stop: it may finish what it has in hand, and send one event more. Raw streams are finished like any answer.

Here is also what live connections (``live.py``) have in common with streams: the outbox, the way a line is
opened, and the handler that runs beside those who serve its client.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from decimal import Decimal
from math import inf
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import outcome
import trio
from trio.lowlevel import (
    Abort,
    ParkingLot,
    Task,
    checkpoint_if_cancelled,
    current_task,
    reschedule,
    wait_task_rescheduled,
)

from etamil_actors.actors.moments import after
from etamil_actors.actors.programs.exchange import Headers, PeerGoneError, Sink
from etamil_actors.actors.programs.responses import JSON
from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import ActivityCancelled, Fault, ProgramEnd
from etamil_actors.vm.builtins.json import json_text
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import read_options
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

T = TypeVar("T")
P = TypeVar("P", str, bytes)

MOST_PIECES: Final = 16
"""So many pieces wait for a slow client; who sends more waits."""

MOST_SIZE: Final = 64 * 1024
"""No further piece is taken in while so many letters or bytes wait."""

OPEN_SECONDS: Final = 1.0
"""A line whose program has been silent for so long is opened nevertheless."""

BEAT_SECONDS: Final = 15.0
"""Silence after which a comment is sent. Proxies close what is silent for a minute, some for half of one."""

LINGER_SECONDS: Final = 20.0
"""How long a handler may go on when its connection is over, or the server says goodbye."""

RETRY_SECONDS: Final = (1.0, 5.0)
"""Between these a client is told to wait before it comes back, so that not all come in one moment."""

BEAT: Final = b":\n\n"

EVENTS_HEAD: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

CHUNKS_HEAD: Final[Headers] = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"x-accel-buffering", b"no"),
]

Head = tuple[int, Headers]

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_ENDS_FIELD: Final = re.compile(r"[\r\n\0]")


# ---- what waits to be written ---------------------------------------------------------


class Outbox(Generic[P]):
    """Pieces on their way to one client, in the order in which they were put.

    Who finds no room waits, first come, first served; one that is cancelled there has put nothing.
    """

    def __init__(self) -> None:
        self.is_closed = False
        """Is nothing more taken in?"""
        self._pieces: deque[P] = deque()
        self._size = 0
        self._senders: OrderedDict[Task, P] = OrderedDict()
        self._writer = ParkingLot()

    @property
    def waiting_senders(self) -> int:
        """How many wait for room."""
        return len(self._senders)

    @property
    def _has_room(self) -> bool:
        return len(self._pieces) < MOST_PIECES and self._size < MOST_SIZE

    def put_nowait(self, piece: P) -> bool:
        """Put a piece, if there is room and it is not closed."""
        if self.is_closed or not self._has_room:
            return False
        self._enter(piece)
        return True

    async def put(self, piece: P) -> bool:
        """Put a piece, waiting for room; False when it is closed, or is closed meanwhile."""
        await checkpoint_if_cancelled()
        if self.is_closed or self.put_nowait(piece):
            return not self.is_closed
        senders, task = self._senders, current_task()
        senders[task] = piece

        def give_up(_: object) -> Abort:
            del senders[task]
            return Abort.SUCCEEDED

        is_in: bool = await wait_task_rescheduled(give_up)
        return is_in

    def push(self, piece: P) -> None:
        """Put a small piece of our own, room or no room."""
        if not self.is_closed:
            self._enter(piece)

    async def next(self) -> P | None:
        """The next piece; nothing when it is closed and empty. Only one may ask."""
        while not self._pieces:
            if self.is_closed:
                return None
            await self._writer.park()
        piece = self._pieces.popleft()
        self._size -= len(piece)
        while self._senders and self._has_room:
            sender, waiting = self._senders.popitem(last=False)
            self._enter(waiting)
            reschedule(sender, outcome.Value(True))
        return piece

    def close(self) -> None:
        """Take nothing more in; what is in it is still written. Those who wait for room are refused."""
        self.is_closed = True
        while self._senders:
            reschedule(self._senders.popitem(last=False)[0], outcome.Value(False))
        self._writer.unpark_all()

    def break_off(self) -> None:
        """Nobody will read it any more."""
        self._pieces.clear()
        self._size = 0
        self.close()

    def _enter(self, piece: P) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        self._writer.unpark()


# ---- the handler beside its connection ------------------------------------------------


class Handler(Generic[T]):
    """A run of a handler while others serve its connection; what comes of it is told when all have ended."""

    def __init__(self, activity: Activity, run: Callable[[], Awaitable[T]]) -> None:
        self.problem: BaseException | None = None
        self.value: T | None = None
        """What it returned; nothing when it was stopped."""
        self._activity = activity
        self._run = run
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Run it. An error is kept, because it has nothing to do with those beside it."""
        try:
            with self._scope:
                self.value = await self._run()
        except ActivityCancelled:
            pass  # it was asked to stop and has nothing in hand, or has nobody to send to
        except (Exception, ProgramEnd) as problem:  # noqa: BLE001  it is raised by who serves it
            self.problem = problem

    def cancel(self, reason: str) -> None:
        """Let it end now; its இறுதியில் blocks run."""
        self._activity.ask_to_stop()
        self._scope.cancel(reason)


# ---- a line to a client ---------------------------------------------------------------


class Line(ABC):
    """What streams and live connections share: they are opened late, with the head that the program wants."""

    def __init__(self, head: Callable[[], Head]) -> None:
        self.head: Head | None = None
        """Its status and headers, once it is to be opened."""
        self._ask_head = head
        self._let_in = trio.Event()

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Does the client know that it is served here?"""

    def let_in(self) -> None:
        """The guards have let the client in, so the line may open by itself."""
        self._let_in.set()

    def begin(self) -> None:
        """The program uses the line: open it with what it has said so far.

        Raises:
            Fault: it has said headers that cannot be sent.
        """
        if self.head is None:
            status, headers = self._ask_head()
            self.head = status, [pair for pair in headers if pair is not JSON]  # that stands for none

    async def open_in_silence(self) -> None:
        """Open it when the program takes its time."""
        await self._let_in.wait()
        await trio.sleep_until(after(OPEN_SECONDS))
        try:
            self.begin()
        except Fault:
            pass  # the program hears of its headers itself, when it uses the line or has ended


class Stream(Line):
    """See the top of the file."""

    def __init__(self, sink: Sink, head: Callable[[], Head], *, is_events: bool) -> None:
        super().__init__(head)
        self.is_events = is_events
        self.outbox: Outbox[bytes] = Outbox()
        self.left = trio.Event()
        """The client has gone."""
        self.written = trio.Event()
        """Everything that was sent has been written, or never will be."""
        self._sink = sink
        self._sends_left = inf
        """So many pieces the program may still send."""

    @property
    def is_open(self) -> bool:
        """Has the head been sent?"""
        return self._sink.is_open

    async def open_in_silence(self) -> None:
        """Open it when the program takes its time."""
        await super().open_in_silence()
        if self.head is not None and not self.is_open:
            self.outbox.push(BEAT)

    def piece(self, value: Value, options: dict[str, Value]) -> bytes:
        """What is written for a value.

        Raises:
            Fault: ``value.kind``, ``value.invalid``: the options have no sense here.
        """
        text = value if type(value) is str else json_text(value)
        if self.is_events:
            text = event_text(text, _field(options, "event"), _field(options, "id"))
        elif options:
            raise Fault(
                "value.invalid",
                name=tamil_of("_stream"),
                problem_ta="‘நிகழ்வு’, ‘அடையாளம்’ ஆகிய விருப்பங்கள் ‘வழி SSE’-இல் மட்டுமே பொருள்படும்",
                problem_en="the options ‘event’ and ‘id’ mean something only in ‘வழி SSE’",
            )
        return text.encode("utf-8", "replace")

    def may_send(self) -> None:
        """Count a piece that the program wants to send.

        Raises:
            ActivityCancelled: the client has gone, or was told to come back elsewhere.
        """
        if self.left.is_set() or self._sends_left == 0:
            raise ActivityCancelled
        self._sends_left -= 1

    async def send(self, piece: bytes) -> None:
        """Send, waiting while the client is slow.

        Raises:
            ActivityCancelled: it has gone.
        """
        if not await self.outbox.put(piece):
            raise ActivityCancelled

    def say_goodbye(self, chance: float) -> None:
        """Tell the client when to come back; ``chance``, from 0 to 1, spreads the clients."""
        least, most = RETRY_SECONDS
        retry = int(1000 * (least + (most - least) * chance))
        if self.head is not None:
            self.outbox.push(f"retry: {retry}\n: பிறகு மீண்டும் இணையவும் (please come back)\n\n".encode())
        self._sends_left = 1

    async def write(self) -> None:
        """Write what is sent, until it is over."""
        try:
            while (piece := await self._next()) is not None:
                if not self._sink.is_open:
                    await self._sink.open(*self._whole_head())
                if piece:
                    await self._sink.send(piece)
        except PeerGoneError:
            self.outbox.break_off()
            self.left.set()
        finally:
            self.written.set()

    async def _next(self) -> bytes | None:
        if not self.is_events or not self._sink.is_open:
            return await self.outbox.next()
        with trio.CancelScope(deadline=after(BEAT_SECONDS)):
            return await self.outbox.next()
        return BEAT

    def _whole_head(self) -> Head:
        assert self.head is not None
        status, headers = self.head
        names = {name for name, _ in headers}
        usual = EVENTS_HEAD if self.is_events else CHUNKS_HEAD
        return status, headers + [pair for pair in usual if pair[0] not in names]


def event_text(data: str, event: str | None = None, id: str | None = None) -> str:
    """An event as it is written; ``data`` may have many lines."""
    fields = [f"event: {event}\n"] if event is not None else []
    if id is not None:
        fields.append(f"id: {id}\n")
    # Not ``splitlines``: other characters that end lines elsewhere are part of the text here.
    fields += [f"data: {line}\n" for line in _LINE_END.split(data)]
    return "".join(fields) + "\n"


def _field(options: dict[str, Value], name: str) -> str | None:
    value = options.get(name)
    if value is None:
        return None
    called = f"{tamil_of('_stream')}: {'நிகழ்வு' if name == 'event' else 'அடையாளம்'}"
    if type(value) not in (str, int, Decimal):
        raise wrong_kind(called, "ஓர் உரை அல்லது எண்", "a text or a number", value)
    text = text_of(value)
    if _ENDS_FIELD.search(text) is not None:
        raise Fault(
            "value.invalid",
            name=called,
            problem_ta="வரிமுடிவோ NUL எழுத்தோ இருக்கக் கூடாது",
            problem_en="it may have no line end and no NUL",
        )
    return text


@word("_stream")
def send(activity: Activity, value: Value, options: Value = None) -> Any:
    """ஓடை_அனுப்பு."""
    stream = activity.request.line if activity.request is not None else None
    if not isinstance(stream, Stream):
        raise Fault("no_request", name=tamil_of("_stream"))
    piece = stream.piece(value, read_options(options, "_stream"))
    stream.may_send()
    stream.begin()
    return None if stream.outbox.put_nowait(piece) else stream.send(piece)


def nothing_said() -> Head:
    """The head of a stream whose program says nothing about it."""
    return 200, []


async def serve_stream(
    activity: Activity,
    run_handler: Callable[[], Awaitable[T]],
    goodbye: trio.Event,
    *,
    is_events: bool,
    head: Callable[[], Head] = nothing_said,
    linger: float = LINGER_SECONDS,
) -> T | None:
    """Run the handler of a route of kind SSE or STREAM; what it returned, or nothing when it was stopped.

    When ``request.line.is_open`` then, everything has been sent. When it is not, the program has sent
    nothing, and is answered for as in any other route.

    Args:
        run_handler: runs the guards, says ``request.line.let_in()``, and runs the program.
        goodbye: is set when the server is taken down.
        head: the status and headers that the program has said so far. Asked once, perhaps in the middle of
            the program; may raise a ``Fault``.

    Raises: what the handler raises. If the line is open, the client has to learn of it by a cut.
    """
    request = activity.request
    stream = request.line = Stream(request.sink, head, is_events=is_events)
    handler = Handler(activity, run_handler)

    async def see_off() -> None:
        await stream.left.wait()
        handler.cancel("the client has gone")

    async def part() -> None:
        await goodbye.wait()
        stream.say_goodbye(activity.service.system.tree.random())
        activity.ask_to_stop()
        await trio.sleep_until(after(linger))
        handler.cancel("the server says goodbye")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.write)
            nursery.start_soon(see_off)
            if is_events:
                nursery.start_soon(stream.open_in_silence)
                nursery.start_soon(part)
            await handler.run()
            stream.outbox.close()
            await stream.written.wait()
            nursery.cancel_scope.cancel("everything has been written")
    finally:
        stream.outbox.break_off()
    if handler.problem is not None:
        raise handler.problem
    return handler.value
