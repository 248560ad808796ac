"""Numbers of several processes that serve the same: whoever is asked for ``/metrics`` tells those of all.

The system spreads connections over the processes, so a reader of numbers reaches now one of them, now
another. Every process therefore hands out its own numbers at a socket of the file system, beside the journal,
and the one that was asked collects them all, each labelled with the number of its process:

```
Prometheus ─▶ process 2 ─┬─ its own                                 {process="2"}
                         ├─ …-numbers.1 ─▶ process 1                {process="1"}
                         └─ …-numbers.3 ─✗ does not answer in time  etamil_process_up{process="3"} 0
```

Only this user may open the sockets. A process that replaces another takes its socket away, so nobody is
counted twice; what the other still does until it ends is not told.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from glob import escape, glob
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import trio

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ANSWER_SECONDS: Final = 1.0
"""Whoever does not answer within this is told as being down."""

MOST_BYTES: Final = 32 * 1024 * 1024
LISTENING: Final = 8
AT_ONCE: Final = 32 * 1024

LABEL: Final = "process"


class Family(NamedTuple):
    """All numbers of one name, as they travel."""

    name: str
    words: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


class Siblings:
    """See the top of the file."""

    def __init__(
        self, path: str, number: int, tell: Callable[[], Awaitable[Iterable[Metric]]]
    ) -> None:
        """``path`` is that of the sockets, without the number; ``tell`` gives this process's own numbers."""
        self.number = number
        self._path = path
        self._tell = tell
        self._place: tuple[int, int] | None = None
        self.is_served = trio.Event()
        """Set when others may ask."""

    # ── for the others ───────────────────────────────────────────────────────────────────────────

    async def serve(self) -> None:
        """Hand out numbers until this is cancelled. Raises: OSError, there can be no socket."""
        path = f"{self._path}.{self.number}"
        listener = trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with listener:
            await self._bind(listener, path)
            try:
                async with trio.open_nursery() as nursery:
                    while True:
                        peer, _ = await listener.accept()
                        nursery.start_soon(self._hand_out, peer)
            finally:
                self._leave(path)

    async def _bind(self, listener: trio.socket.SocketType, path: str) -> None:
        folder = os.path.dirname(path)
        os.makedirs(folder or ".", exist_ok=True)
        if _is_something_else(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)
        # It gets its name when it listens: earlier it would be taken for that of one who is dead.
        early = f".{os.getpid()}.{self.number}"
        early_path = os.path.join(folder, early)
        with suppress(FileNotFoundError):
            os.unlink(early_path)
        # The address of a socket is short, and folders may be deep: it is named from within its folder.
        with _within(folder) as place:
            await listener.bind(f"{place}/{early}")
        os.chmod(early_path, 0o600)  # and nobody can come before it listens
        found = os.lstat(early_path)
        self._place = found.st_dev, found.st_ino
        listener.listen(LISTENING)
        os.rename(early_path, path)
        self.is_served.set()

    def _leave(self, path: str) -> None:
        with suppress(OSError):
            found = os.lstat(path)
            if (found.st_dev, found.st_ino) == self._place:  # else it is that of a replacement
                os.unlink(path)

    async def _hand_out(self, peer: trio.socket.SocketType) -> None:
        with peer, suppress(OSError), trio.move_on_after(ANSWER_SECONDS * 2):
            data = memoryview(_packed(await _flat(await self._tell())))
            while data:
                data = data[await peer.send(data) :]

    # ── asking the others ────────────────────────────────────────────────────────────────────────

    async def all(self) -> list[Metric]:
        """The numbers of all processes, each with its label."""
        from prometheus_client.core import Metric

        found: dict[int, list[Family] | None] = {}

        async def ask(number: int, path: str) -> None:
            found[number] = await self._ask(path)

        async with trio.open_nursery() as nursery:
            for number, path in self._others():
                nursery.start_soon(ask, number, path)
        found[self.number] = await _flat(await self._tell())
        merged: dict[str, Metric] = {}
        up = Metric("etamil_process_up", "Does this process tell its numbers (1), or not (0)?", "gauge")
        for number, families in sorted(found.items()):
            label = {LABEL: str(number)}
            if families is None and number != self.number and not self._is_there(number):
                continue  # it has ended meanwhile
            up.add_sample(up.name, label, 0 if families is None else 1)
            for family in families or ():
                metric = merged.get(family.name)
                if metric is None:
                    metric = merged[family.name] = Metric(family.name, family.words, family.kind)
                if metric.type == family.kind:
                    for name, labels, value in family.samples:
                        metric.add_sample(name, {**labels, **label}, value)
                await trio.lowlevel.checkpoint()
        return [*merged.values(), up]

    def _others(self) -> list[tuple[int, str]]:
        found = []
        for path in glob(f"{escape(self._path)}.*"):
            number = path.rpartition(".")[2]
            if number.isdecimal() and int(number) != self.number and _is_socket(path):
                found.append((int(number), path))
        return sorted(found)

    def _is_there(self, number: int) -> bool:
        return os.path.exists(f"{self._path}.{number}")

    async def _ask(self, path: str) -> list[Family] | None:
        folder, name = os.path.split(path)
        with trio.move_on_after(ANSWER_SECONDS):
            try:
                asked = os.lstat(path)
                if asked.st_uid != os.getuid():
                    return None
                with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, _within(folder) as place:
                    await peer.connect(f"{place}/{name}")
                    return _unpacked(await _all_of(peer))
            except ConnectionRefusedError:
                with suppress(OSError):
                    if os.path.samestat(asked, os.lstat(path)):
                        os.unlink(path)  # it was killed and could not do so itself
                return None
            except (OSError, ValueError):
                return None
        return None


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


def _is_something_else(path: str) -> bool:
    try:
        return not stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return False


async def _all_of(peer: trio.socket.SocketType) -> bytes:
    data = bytearray()
    while piece := await peer.recv(AT_ONCE):
        data += piece
        if len(data) > MOST_BYTES:
            raise ValueError("too much")
    return bytes(data)


class _within:
    """A short name for a folder, as long as the block lasts."""

    def __init__(self, folder: str) -> None:
        self._folder = folder or "."
        self._file = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._folder)) < 80 or not os.path.isdir("/proc/self/fd"):
            return self._folder
        self._file = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._file}"

    def __exit__(self, *_: object) -> None:
        if self._file >= 0:
            os.close(self._file)


# ── as they travel ───────────────────────────────────────────────────────────────────────────────


async def _flat(metrics: Iterable[Metric]) -> list[Family]:
    families = []
    for metric in metrics:
        samples = [(sample.name, dict(sample.labels), float(sample.value)) for sample in metric.samples]
        families.append(Family(metric.name, metric.documentation, metric.type, samples))
        await trio.lowlevel.checkpoint()
    return families


def _packed(families: list[Family]) -> bytes:
    from msgspec.msgpack import encode

    return encode(families)


def _unpacked(data: bytes) -> list[Family]:
    from msgspec import MsgspecError
    from msgspec.msgpack import decode

    try:
        found: Any = decode(data, type=list[Family])
    except MsgspecError as wrong:
        raise ValueError(str(wrong)) from None
    return found  # type: ignore[no-any-return]
