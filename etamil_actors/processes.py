"""Several processes that serve the same addresses: the parent that keeps them, and a child's line to it.

Each child is a whole ``etamil-actors up`` with a socket of its own at the shared address; the system spreads
connections over them. The parent serves nothing. It knows of a child only what the two say to each other over
one pair of sockets, and when it ended:

```
parent ─▶ child   a text for all children, once; then nothing, and the end of the line: the parent is gone
child ─▶ parent   r  it serves         w  it waits for the one that it replaces to end
                  q  the program wants the whole to end
```

Starting. The first child goes ahead alone: what is wrong with a program or an address is then told once, and
ends the start. When it serves, the others follow.

A child that ends by itself is started again: the first time at once, then later and later the oftener it
falls, up to half a minute. There is no giving up: the others serve on, and what is broken outside has time to
heal.

SIGTERM or SIGINT goes on to all children as SIGTERM, a second one as well, so that they hurry; a third ends
everything at once. SIGHUP replaces the children one by one: the replacement starts, and only when it serves
is the old one asked to end, in order. When it does not come to serve, the old one stays, and so do the rest.

The parent is killed without a word? Its children see the end of the line and end in order, as on SIGTERM.

No trio here: a loop that sleeps in ``select``, small in memory and quick to start.
"""

from __future__ import annotations

import math
import os
import re
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Final, NamedTuple, NoReturn

from etamil_actors.actors.restart import Backoff

CHILD: Final = "ETAMIL_ACTORS_CHILD"
"""The variable that tells a process that it is a child: its number, the descriptor of its line, and whether
it is to replace another."""
_SAID = re.compile(r"([0-9]{1,6}):([0-9]{1,6})(:replaces)?")

SERVES, WAITS, LEAVES = b"r", b"w", b"q"

BACKOFF: Final = Backoff(initial=0.5, factor=2.0, cap=30.0, jitter=0.2, reset=60.0, free=1)

START_SECONDS: Final = 120.0
"""Who does not serve after so long is cut, and counts as fallen. A prelude alone may take 60 s."""

TELL_SECONDS: Final = 10.0
"""How often it is told who is still running while everything ends."""

LONGEST_TEXT: Final = 4096

LONGEST_WAIT: Final = 3600.0

NOTE, BAD, AGAIN = "·", "✗", "↻"

ENDING: Final = (signal.SIGINT, signal.SIGTERM)


# ---- a child's end of the line --------------------------------------------------------


class ChildEnd:
    """What a process has of its parent."""

    def __init__(self, number: int, line: socket.socket, *, replaces: bool = False) -> None:
        """Raises: OSError, the line is none; EOFError, the parent is gone already."""
        self.number = number
        """From 1 on. Who is started in place of another has its number."""
        self.replaces = replaces
        """The other is still there."""
        self._line = line
        line.settimeout(START_SECONDS)
        self.text = _read_line(line)
        """The same for all children of a parent, and for nobody else: a secret of theirs."""
        line.settimeout(None)

    def serves(self) -> None:
        """Requests are answered from now on."""
        self._say(SERVES)

    def waits(self) -> None:
        """It cannot go on before the one that it replaces has ended."""
        self._say(WAITS)

    def leaves(self) -> None:
        """The program wants all to end; the exit status of this process will be that of the whole."""
        self._say(LEAVES)

    def _say(self, word: bytes) -> None:
        with suppress(OSError):  # the parent is gone, and the watch knows
            self._line.sendall(word)

    def watch(self) -> None:
        """End in order when the parent is gone."""
        from threading import Thread

        Thread(target=self._wait_for_the_end, name="parent", daemon=True).start()

    def _wait_for_the_end(self) -> None:
        try:
            while self._line.recv(1):
                pass
        except OSError:
            pass
        os.kill(os.getpid(), signal.SIGTERM)


def _read_line(line: socket.socket) -> str:
    said = b""
    while not said.endswith(b"\n"):
        piece = line.recv(LONGEST_TEXT)
        if not piece:
            raise EOFError
        said += piece
    return said.decode().removesuffix("\n")


def my_parent() -> ChildEnd | None:
    """The line to the parent, when there is one. To be asked once; nobody whom we start inherits it."""
    said = os.environ.pop(CHILD, "")
    found = _SAID.fullmatch(said)
    if found is None:
        return None
    try:
        line = socket.socket(fileno=int(found[2]))
        line.set_inheritable(False)
        parent = ChildEnd(int(found[1]), line, replaces=found[3] is not None)
    except (OSError, EOFError):
        # It went away before it could greet.
        os.kill(os.getpid(), signal.SIGTERM)
        return None
    parent.watch()
    return parent


# ---- the parent -----------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Child:
    """One process that was started."""

    pid: int
    line: socket.socket
    started: float
    deadline: float
    """Until then it must serve."""
    serves: bool = False
    waits: bool = False
    leaves: bool = False
    is_stopping: bool = False
    """It was asked to end."""


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one process, whoever fills it."""

    number: int
    child: Child | None = None
    replacement: Child | None = None
    """Started while the other is still there."""
    failures: int = 0
    """In a row."""
    due: float | None = None
    """When it is started again."""

    @property
    def children(self) -> Iterator[Child]:
        return (one for one in (self.child, self.replacement) if one is not None)


class Ways(NamedTuple):
    """How a parent goes about it; tests are in more of a hurry."""

    backoff: Backoff = BACKOFF
    start_seconds: float = START_SECONDS
    may_roll: Callable[[], bool] = lambda: True
    """Asked before children are replaced."""
    hangup_ends: bool = False
    """There is a terminal, and SIGHUP says that it has gone."""


@dataclass(slots=True)
class _Roll:
    """The children that are to be replaced yet, and the one that is being replaced."""

    waiting: list[Slot] = field(default_factory=list)
    current: Slot | None = None


class Parent:
    """See the top of the file. ``command`` is what every child runs."""

    def __init__(self, command: Sequence[str], count: int, ways: Ways = Ways()) -> None:  # noqa: B008  it is a tuple
        self._command = tuple(command)
        self._ways = ways
        self._slots = [Slot(number) for number in range(1, count + 1)]
        self._text = os.urandom(32).hex()
        self._roll = _Roll()
        self._is_up = False
        """Somebody has served."""
        self._is_ending = False
        self._asked = 0
        """Signals that want it to end."""
        self._statuses: list[int] = []
        """Of those who were asked to end with everything."""
        self._status = 0
        self._tell_at = 0.0
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._wake, False)

    def run(self) -> int:
        """Keep the children until all is to end; the worst of their exit statuses."""
        with self._signals():
            self._start(self._slots[0])
            while not self._is_ending or any(self._children()):
                self._wait()
                for number in self._signals_that_came():
                    self._obey(number)
                for slot in self._slots:
                    for child in slot.children:
                        self._hear(slot, child)
                self._bury()
                self._keep_time()
                self._go_on_rolling()
        if not self._is_up:
            return self._status
        return max([self._status, *self._statuses])

    def _children(self) -> Iterator[Child]:
        return (child for slot in self._slots for child in slot.children)

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Every signal writes its number into a pipe that the loop waits for; none is lost."""
        before = {
            number: signal.signal(number, _only_wake)
            for number in (*ENDING, signal.SIGHUP, signal.SIGCHLD)
            # Who starts us with ``nohup`` does not want us to end by SIGHUP, and it only rolls the children.
            if number in (signal.SIGCHLD, signal.SIGHUP) or signal.getsignal(number) is not signal.SIG_IGN
        }
        woken = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wake)
            os.close(self._woken)

    def _wait(self) -> None:
        moments = [slot.due for slot in self._slots if slot.due is not None]
        moments += [child.deadline for child in self._children() if not child.serves]
        if self._is_ending:
            moments.append(self._tell_at)
        limit = min([*moments, time.monotonic() + LONGEST_WAIT]) - time.monotonic()
        lines = [child.line.fileno() for child in self._children() if child.line.fileno() >= 0]
        select.select([self._woken, *lines], [], [], max(0.0, limit))

    def _signals_that_came(self) -> bytes:
        try:
            return os.read(self._woken, 4096)
        except BlockingIOError:
            return b""

    # ── signals ──────────────────────────────────────────────────────────────────────────────────

    def _obey(self, number: int) -> None:
        if number in ENDING or (number == signal.SIGHUP and self._ways.hangup_ends):
            self._asked += 1
            self._end_for(signal.Signals(number))
        elif number == signal.SIGHUP and not self._is_ending:
            self._begin_roll()

    def _end_for(self, number: signal.Signals) -> None:
        if self._asked == 1:
            say(
                f"{number.name}: எல்லாச் செயல்முறைகளும் ஒழுங்காக நிறுத்தப்படுகின்றன; அவசரமெனில் மீண்டும் அனுப்புங்கள்",
                f"{number.name}: all processes are stopped in order; send it again to be quick",
            )
            self._end(0 if self._is_up else 128 + number)
        elif self._asked == 2:
            say(
                f"{number.name}: ஓடுவதெல்லாம் துண்டிக்கப்படும்; மூன்றாவது முறை உடனே முடிக்கும்",
                f"{number.name}: what still runs is cut; a third one ends everything at once",
            )
            for child in self._children():
                _signal(child, signal.SIGTERM)
        else:
            for child in self._children():
                _signal(child, signal.SIGKILL)
            _end_at_once(128 + number)

    def _end(self, status: int) -> None:
        """Ask everybody to end."""
        if not self._is_ending:
            self._is_ending = True
            self._status = status
            self._tell_at = time.monotonic() + TELL_SECONDS
        self._roll = _Roll()
        for slot in self._slots:
            slot.due = None
            for child in slot.children:
                self._ask_to_end(child)

    def _ask_to_end(self, child: Child) -> None:
        if not child.is_stopping:
            child.is_stopping = True
            _signal(child, signal.SIGTERM)

    # ── a child's life ───────────────────────────────────────────────────────────────────────────

    def _start(self, slot: Slot) -> None:
        """Start a child in an empty place, or a replacement in one that is not."""
        now = time.monotonic()
        replaces = ":replaces" if slot.child is not None else ""
        ours, theirs = socket.socketpair()
        try:
            ours.sendall(f"{self._text}\n".encode())
            ours.setblocking(False)
            theirs.set_inheritable(True)
            pid = os.posix_spawn(
                self._command[0],
                self._command,
                {**os.environ, CHILD: f"{slot.number}:{theirs.fileno()}{replaces}"},
                # A process that shares a terminal with others does not read from it.
                file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
                setpgroup=0,  # Ctrl-C of the terminal comes to the parent only, who passes it on
                setsigmask=[],
            )
        except OSError as error:
            ours.close()
            say(
                f"செயல்முறை {slot.number}: தொடங்க முடியவில்லை: {error.strerror}",
                f"process {slot.number} cannot be started: {error.strerror}",
                BAD,
            )
            self._did_not_start(slot)
            return
        finally:
            theirs.close()
        child = Child(pid, ours, now, now + self._ways.start_seconds)
        if slot.child is None:
            slot.child = child
        else:
            slot.replacement = child
        slot.due = None

    def _did_not_start(self, slot: Slot) -> None:
        """The system has refused a new process."""
        if not self._is_up:
            self._status, self._is_ending = 1, True
            return
        slot.failures += 1
        if slot.child is None:
            slot.due = time.monotonic() + self._ways.backoff.delay(slot.failures + 1, 0.0)
        if slot is self._roll.current:
            self._stop_rolling(slot, 1)

    def _hear(self, slot: Slot, child: Child) -> None:
        """What a child has said."""
        if child.line.fileno() < 0:
            return
        try:
            said = child.line.recv(64)
        except BlockingIOError:
            return
        except ConnectionError:
            said = b""
        if not said:  # it ends, or soon will
            child.line.close()
        if LEAVES in said and not child.leaves:
            child.leaves = True
            say(
                f"செயல்முறை {slot.number}: நிரல் வெளியேறுகிறது; எல்லாம் நிறுத்தப்படும்",
                f"process {slot.number}: the program leaves, so everything is stopped",
            )
        if WAITS in said and child is slot.replacement and slot.child is not None:
            child.waits = True
            child.deadline = math.inf
            self._ask_to_end(slot.child)
        if SERVES in said and not child.serves:
            self._serves(slot, child)

    def _serves(self, slot: Slot, child: Child) -> None:
        child.serves = True
        if self._is_ending:
            return
        say(
            f"செயல்முறை {slot.number} (pid {child.pid}) சேவை செய்கிறது",
            f"process {slot.number} (pid {child.pid}) serves",
        )
        if child is slot.replacement and slot.child is not None:
            self._ask_to_end(slot.child)
        if not self._is_up:
            self._is_up = True
            for other in self._slots[1:]:
                self._start(other)

    def _bury(self) -> None:
        """See who has ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for slot in self._slots:
                for child in slot.children:
                    if child.pid == pid:
                        self._ended(slot, child, _exit_status(status))

    def _ended(self, slot: Slot, child: Child, status: int) -> None:
        self._hear(slot, child)
        child.line.close()
        was_replacement = child is slot.replacement
        if was_replacement:
            slot.replacement = None
        else:
            slot.child, slot.replacement = slot.replacement, None
        if self._is_ending:
            if child.serves:  # who had no time to begin is not to blame
                self._statuses.append(status)
        elif child.leaves:
            self._end(status)
        elif not self._is_up:
            self._status = status
            self._is_ending = True
        elif was_replacement:
            self._stop_rolling(slot, status)
        elif slot.child is None:
            if slot is self._roll.current:
                self._stop_rolling(slot, status)
            self._fell(slot, child, status)
        elif slot.child.waits:
            # The place is free for its replacement, which begins only now.
            slot.child.deadline = time.monotonic() + self._ways.start_seconds

    def _fell(self, slot: Slot, child: Child, status: int) -> None:
        """Nobody is in this place any more: start somebody, the later the oftener it has been so."""
        backoff, now = self._ways.backoff, time.monotonic()
        slot.failures = backoff.failures_after(slot.failures, now - child.started)
        delay = backoff.delay(slot.failures, int.from_bytes(os.urandom(2)) / 0x10000)
        slot.due = now + delay
        how = _told(status)
        when_tamil, when_english = "உடனே", "at once"
        if delay:
            when_tamil, when_english = f"{delay:.3g} நொடிக்குப் பின்", f"after {delay:.3g} s"
        say(
            f"செயல்முறை {slot.number} (pid {child.pid}) நின்றுபோனது, {how}; {when_tamil} மறுதொடக்கம்",
            f"process {slot.number} (pid {child.pid}) has ended, {how}; it is started again {when_english}",
            AGAIN,
        )

    def _keep_time(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if slot.due is not None and now >= slot.due:
                self._start(slot)
            for child in slot.children:
                if not child.serves and now >= child.deadline:
                    child.deadline = math.inf
                    say(
                        f"செயல்முறை {slot.number} (pid {child.pid}) உரிய நேரத்தில் தொடங்கவில்லை; துண்டிக்கப்படுகிறது",
                        f"process {slot.number} (pid {child.pid}) does not come to serve, and is cut",
                        BAD,
                    )
                    _signal(child, signal.SIGKILL)
        if self._is_ending and now >= self._tell_at:
            self._tell_at = now + TELL_SECONDS
            running = ", ".join(
                f"{slot.number} (pid {child.pid})" for slot in self._slots for child in slot.children
            )
            say(f"இன்னும் ஓடும் செயல்முறைகள்: {running}", f"still running: {running}")

    # ── replacing them ───────────────────────────────────────────────────────────────────────────

    def _begin_roll(self) -> None:
        if not self._is_up:
            say("SIGHUP: இன்னும் தொடங்கவில்லை; பிறகு அனுப்புங்கள்", "SIGHUP: nobody serves yet; send it later")
        elif self._ways.may_roll():
            say(
                "SIGHUP: செயல்முறைகள் ஒவ்வொன்றாக மாற்றப்படுகின்றன",
                "SIGHUP: the processes are replaced one by one",
            )
            self._roll.waiting = list(self._slots)  # also those that this roll had replaced already

    def _go_on_rolling(self) -> None:
        """Replace the next one, when the last is all that is in its place, and serves."""
        roll, current = self._roll, self._roll.current
        if current is not None:
            if current.replacement is not None or current.child is None or not current.child.serves:
                return
            roll.current = None
            if not roll.waiting:
                say("எல்லாச் செயல்முறைகளும் மாற்றப்பட்டன", "all processes have been replaced")
        if roll.waiting:
            roll.current = roll.waiting.pop(0)
            roll.current.failures = 0  # what was wrong with the old one may be right now
            self._start(roll.current)

    def _stop_rolling(self, slot: Slot, status: int) -> None:
        self._roll = _Roll()
        how = _told(status)
        say(
            f"செயல்முறை {slot.number}: மாற்று தொடங்கவில்லை, {how}; மாற்றுதல் நிறுத்தப்பட்டது, மற்றவை அப்படியே ஓடும்",
            f"process {slot.number}: its replacement does not come to serve, {how}; no more are replaced,"
            " and the others stay as they are",
            BAD,
        )


def _only_wake(number: int, frame: FrameType | None) -> None:
    """The number is in the pipe already."""


def _signal(child: Child, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(child.pid, number)


def _exit_status(status: int) -> int:
    """As a shell tells it: 128 and more when a signal did it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _told(status: int) -> str:
    if status > 128:
        with suppress(ValueError):
            return signal.Signals(status - 128).name
    return f"status {status}"


def _end_at_once(status: int) -> NoReturn:
    os._exit(status)


def say(tamil: str, english: str, mark: str = NOTE) -> None:
    """A line on standard error. When nobody takes it, it is dropped: the children come first."""
    try:
        if select.select([], [2], [], 0)[1]:
            os.write(2, f"{mark} {tamil}  ({english})\n".encode("utf-8", "backslashreplace"))
    except OSError:
        pass  # nobody reads it any more; all runs on


# ---- what a child runs ----------------------------------------------------------------


def command_of(*words: str) -> list[str]:
    """``etamil-actors`` with these words, as a process that finds the same modules as this one."""
    # ``python -m`` searches the current folder first. Who was started otherwise does not, and its children
    # must not take a program's yaml.py for ours.
    searches_here = sys.path[:1] in ([""], [os.getcwd()])
    return [sys.executable, *([] if searches_here else ["-P"]), "-m", "etamil_actors", *words]
