"""The operating system behind its ports, and the simulated twin of each.

Files, console, clock, randomness, environment and other programs: what a program without a
service can reach. All of it is plain blocking Python without trio, so that a script starts
quickly; the actors' floor calls it from threads. What is only sometimes needed (programs,
simulated randomness) is imported when it is.

``SystemFiles`` may be confined to some folders. Then a path is resolved first, with its
symbolic links, and afterwards walked from the folder downwards, one directory descriptor at a
time and following no link at all. So neither ``..`` nor a link leads outside, not even a link
that is put there between the two steps.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO

from etamil_actors.ports import FileDetails, ProgramResult

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing takes longer to import than all of this
    import subprocess
    from typing import IO

    from etamil_actors.ports import Clock

CHUNK = 65536
LINE_BYTES = 16 * 1024 * 1024
"""A longer line of standard input is read in pieces of this size."""

CAN_WALK = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
NO_LINK = getattr(os, "O_NOFOLLOW", 0)
FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | NO_LINK | getattr(os, "O_CLOEXEC", 0)
BYTES = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


# ── clock ───────────────────────────────────────────────────────────────────────────────────────────


def seconds_of(nanoseconds: int) -> Decimal:
    """Nanoseconds as exact seconds, whatever the decimal context of the caller."""
    return Decimal((int(nanoseconds < 0), tuple(map(int, str(abs(nanoseconds)))), -9))


class SystemClock:
    """The clock of the machine."""

    __slots__ = ()

    def wall(self) -> Decimal:
        """Seconds since 1970-01-01 UTC."""
        return seconds_of(time.time_ns())

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(max(0.0, seconds))


class SimulatedClock:
    """A clock that stands still until somebody moves it."""

    __slots__ = ("_nanoseconds", "_start")

    def __init__(self, start: int = 1_767_225_600) -> None:
        self._start = start * 1_000_000_000
        self._nanoseconds = 0

    def wall(self) -> Decimal:
        """Seconds since 1970-01-01 UTC; it begins at 2026-01-01."""
        return seconds_of(self._start + self._nanoseconds)

    def monotonic(self) -> float:
        """Seconds since it was made."""
        return self._nanoseconds / 1e9

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._nanoseconds += round(seconds * 1e9)

    def sleep(self, seconds: float) -> None:
        """Move on at once: nobody waits in a simulation."""
        self.advance(max(0.0, seconds))


# ── randomness ──────────────────────────────────────────────────────────────────────────────────────


class SystemRandom:
    """The operating system's unpredictable bytes."""

    __slots__ = ()

    def bytes(self, count: int) -> bytes:
        """So many bytes, good enough for keys."""
        return os.urandom(count)


class SimulatedRandom:
    """The same bytes for the same seed."""

    __slots__ = ("_generator",)

    def __init__(self, seed: int = 0) -> None:
        import random

        self._generator = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        """The next bytes of this seed."""
        return self._generator.randbytes(count)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _only_os_errors() -> Iterator[None]:
    """A path that no system call takes (a null character in it) is trouble like any other."""
    try:
        yield
    except ValueError as problem:
        raise OSError(errno.EINVAL, str(problem)) from None


def _too_large(path: str) -> OSError:
    return OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)


def _details(facts: os.stat_result) -> FileDetails:
    return FileDetails(stat.S_ISDIR(facts.st_mode), facts.st_size, int(facts.st_mtime_ns // 1_000_000_000))


def _readable(name: str) -> str:
    """A name of the system as a text: what is no UTF-8 in it becomes the replacement sign."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class SystemFiles:
    """The files of the machine: all of them, or only what lies in some folders.

    With ``roots`` relative paths start in the first of them, absolute ones must lie in one, and
    only regular files are opened.
    """

    __slots__ = ("_roots",)

    def __init__(self, roots: Sequence[str] | None = None) -> None:
        if roots is not None and not CAN_WALK:
            raise OSError(errno.ENOTSUP, "this system cannot confine files to folders")
        self._roots = None if roots is None else tuple(os.path.realpath(root) for root in roots)

    def read(self, path: str, limit: int | None = None) -> bytes:
        """All bytes of a file."""
        with _only_os_errors(), self._open(path, os.O_RDONLY, "rb") as file:
            if limit is None:
                return file.read()
            data = file.read(limit + 1)
            if len(data) > limit:
                raise _too_large(path)
            return data

    def write(self, path: str, data: bytes, append: bool = False) -> int:
        """Replace a file by these bytes, or append them."""
        how = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_TRUNC)
        with _only_os_errors(), self._open(path, how, "ab" if append else "wb") as file:
            file.write(data)
        return len(data)

    def exists(self, path: str) -> bool:
        """Is there anything at this path, and may it be seen?"""
        try:
            self.details(path)
        except OSError:
            return False
        return True

    def details(self, path: str) -> FileDetails:
        """What is known of the file or folder at this path."""
        with _only_os_errors():
            if self._roots is None:
                return _details(os.stat(path))
            with self._inside(path) as (folder, name):
                facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISLNK(facts.st_mode):
                    # A resolved path holds no link, unless it goes round in circles or was just put there.
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                return _details(facts)

    def names(self, path: str) -> list[str]:
        """The names in a folder."""
        with _only_os_errors():
            if self._roots is None:
                return [_readable(name) for name in os.listdir(path)]
            with self._inside(path) as (folder, name):
                opened = os.open(name, FOLDER, dir_fd=folder)
                try:
                    return [_readable(inner) for inner in os.listdir(opened)]
                finally:
                    os.close(opened)

    def _open(self, path: str, how: int, mode: str) -> IO[bytes]:
        if self._roots is None:
            return open(path, mode)
        with self._inside(path) as (folder, name):
            # A pipe must not make us wait before we can see that it is one.
            waiting = getattr(os, "O_NONBLOCK", 0)
            opened = os.open(name, how | BYTES | NO_LINK | waiting, 0o666, dir_fd=folder)
            try:
                facts = os.fstat(opened)
                if stat.S_ISDIR(facts.st_mode):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
                if not stat.S_ISREG(facts.st_mode):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
                return os.fdopen(opened, mode)
            except BaseException:
                os.close(opened)
                raise

    @contextmanager
    def _inside(self, path: str) -> Iterator[tuple[int, str]]:
        """The directory descriptor and the last name under which ``path`` is to be found."""
        root, parts = self._place(path)
        folder = os.open(root, FOLDER)
        try:
            for part in parts[:-1]:
                inner = os.open(part, FOLDER, dir_fd=folder)
                os.close(folder)
                folder = inner
            yield folder, parts[-1] if parts else "."
        finally:
            os.close(folder)

    def _place(self, path: str) -> tuple[str, list[str]]:
        assert self._roots is not None
        if not path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        for root in self._roots:
            whole = os.path.realpath(os.path.join(self._roots[0], path))
            if whole == root:
                return root, []
            if whole.startswith(os.path.join(root, "")):
                return root, whole[len(os.path.join(root, "")) :].split(os.sep)
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


class SimulatedFiles:
    """Files that exist only in memory. Folders are those that the given files lie in.

    The working directory is the root, so ``a/b.txt`` and ``/a/b.txt`` are one file.
    """

    __slots__ = ("_changed", "_clock", "_folders", "contents")

    def __init__(
        self,
        contents: Mapping[str, str | bytes] | None = None,
        folders: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock
        self._changed: dict[str, int | None] = {}
        self._folders = {"/"}
        self.contents: dict[str, bytes] = {}
        """Whole path → bytes."""
        for folder in folders:
            self._make_folders(self._whole(folder))
        for path, content in (contents or {}).items():
            whole = self._whole(path)
            self._make_folders(_parent(whole))
            self._store(whole, content.encode() if isinstance(content, str) else content)

    def read(self, path: str, limit: int | None = None) -> bytes:
        """All bytes of a file."""
        whole = self._existing(path)
        if whole in self._folders:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        data = self.contents[whole]
        if limit is not None and len(data) > limit:
            raise _too_large(path)
        return data

    def write(self, path: str, data: bytes, append: bool = False) -> int:
        """Replace a file by these bytes, or append them."""
        whole = self._whole(path)
        self._existing(_parent(whole), path)
        if whole in self._folders:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self._store(whole, (self.contents.get(whole, b"") if append else b"") + data)
        return len(data)

    def exists(self, path: str) -> bool:
        """Is there anything at this path?"""
        try:
            self._existing(path)
        except OSError:
            return False
        return True

    def details(self, path: str) -> FileDetails:
        """What is known of the file or folder at this path."""
        whole = self._existing(path)
        if whole in self._folders:
            return FileDetails(True, 0, None)
        return FileDetails(False, len(self.contents[whole]), self._changed[whole])

    def names(self, path: str) -> list[str]:
        """The names in a folder."""
        whole = self._existing(path)
        if whole not in self._folders:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        inner = [*self._folders, *self.contents]
        return [one.rpartition("/")[2] for one in inner if one != "/" and _parent(one) == whole]

    def _whole(self, path: str) -> str:
        """The path from the root, without ``.``, ``..`` and doubled slashes."""
        if not path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if "\0" in path:
            raise OSError(errno.EINVAL, "embedded null byte")
        parts: list[str] = []
        for part in path.split("/"):
            if part == "..":
                del parts[-1:]
            elif part and part != ".":
                parts.append(part)
        return "/" + "/".join(parts)

    def _existing(self, path: str, shown: str | None = None) -> str:
        whole = self._whole(path)
        if whole in self._folders or whole in self.contents:
            if shown is not None and whole in self.contents:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), shown)
            return whole
        above = _parent(whole)
        while above != "/":
            if above in self.contents:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), shown or path)
            above = _parent(above)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), shown or path)

    def _store(self, whole: str, data: bytes) -> None:
        self.contents[whole] = data
        self._changed[whole] = int(self._clock.wall()) if self._clock else None

    def _make_folders(self, whole: str) -> None:
        while whole not in self._folders:
            self._folders.add(whole)
            whole = _parent(whole)


def _parent(whole: str) -> str:
    return whole.rpartition("/")[0] or "/"


# ── console ─────────────────────────────────────────────────────────────────────────────────────────


class SystemConsole:
    """Standard input, output and error, always in UTF-8, whatever the locale says.

    Output waits in a buffer until it is full or somebody may be looking: on a terminal after
    every line, before reading, before an error is written, and at the end.
    """

    __slots__ = ("_buffer", "_errors", "_input", "_live", "_output", "_waiting")

    def __init__(
        self,
        output: IO[bytes] | None = None,
        errors: IO[bytes] | None = None,
        input: IO[bytes] | None = None,
    ) -> None:
        self._output = output if output is not None else sys.stdout.buffer
        self._errors = errors if errors is not None else sys.stderr.buffer
        self._input = input if input is not None else sys.stdin.buffer
        self._live = self._output.isatty()
        self._buffer: list[str] = []
        self._waiting = 0

    def write(self, text: str) -> None:
        """Put a text on standard output, perhaps only in its buffer."""
        self._buffer.append(text)
        self._waiting += len(text)
        if self._waiting > CHUNK or (self._live and text.endswith("\n")):
            self.flush()

    def write_error(self, text: str) -> None:
        """Put a text on standard error, now, after what was written before."""
        self.flush()
        self._errors.write(text.encode("utf-8", "replace"))
        self._errors.flush()

    def read_line(self) -> str:
        """The next line of standard input with its line feed; "" at the end."""
        self.flush()
        return self._input.readline(LINE_BYTES).decode("utf-8", "replace")

    def flush(self) -> None:
        """Let everything that was written be seen."""
        # Emptied first: if the reader has gone, the same text must not be tried again at the end.
        text = "".join(self._buffer)
        self._buffer.clear()
        self._waiting = 0
        if text:
            self._output.write(text.encode("utf-8", "replace"))
            self._output.flush()


class SimulatedConsole:
    """Remembers what was written and reads from a text."""

    __slots__ = ("_errors", "_input", "_output")

    def __init__(self, stdin: str = "") -> None:
        self._input = StringIO(stdin)
        self._output = StringIO()
        self._errors = StringIO()

    @property
    def output(self) -> str:
        """All of standard output."""
        return self._output.getvalue()

    @property
    def errors(self) -> str:
        """All of standard error."""
        return self._errors.getvalue()

    def write(self, text: str) -> None:
        """Put a text on standard output."""
        self._output.write(text)

    def write_error(self, text: str) -> None:
        """Put a text on standard error."""
        self._errors.write(text)

    def read_line(self) -> str:
        """The next line of the given text with its line feed; "" at the end."""
        return self._input.readline()

    def flush(self) -> None:
        """Nothing waits here."""


# ── environment ─────────────────────────────────────────────────────────────────────────────────────


class SystemEnvironment:
    """The environment variables of this process."""

    __slots__ = ()

    def get(self, name: str) -> str | None:
        """The value of a variable, or nothing."""
        value = os.environ.get(name)
        return None if value is None else _readable(value)


class SimulatedEnvironment:
    """Just these variables."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = dict(values or {})

    def get(self, name: str) -> str | None:
        """The value of a variable, or nothing."""
        return self._values.get(name)


# ── other programs ──────────────────────────────────────────────────────────────────────────────────


class SystemPrograms:
    """Programs of the machine, run without a shell and as a process group of their own."""

    __slots__ = ()

    def run(self, program: str, arguments: Sequence[str], seconds: float, limit: int) -> ProgramResult:
        """Run a program, its standard input empty, and wait for its end."""
        import subprocess

        with _only_os_errors():
            process = subprocess.Popen(
                [program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        with process:
            try:
                output, errors = _collect(process, time.monotonic() + seconds, limit)
            except BaseException:
                # The group, not only its first process: a child that holds the pipes would go on.
                # Nobody has waited for the process yet, so the number is still its own.
                if process.returncode is None:
                    _kill_group(process.pid)
                raise
        return ProgramResult(process.returncode if process.returncode >= 0 else -1, output, errors)


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, 9)
    except (ProcessLookupError, PermissionError):
        # It ended in this very moment.
        pass


def _collect(process: subprocess.Popen[bytes], deadline: float, limit: int) -> tuple[bytes, bytes]:
    """Read both pipes of a process until it has ended, within time and size."""
    import selectors

    assert process.stdout is not None
    assert process.stderr is not None
    pieces: dict[int, list[bytes]] = {process.stdout.fileno(): [], process.stderr.fileno(): []}
    size = 0
    with selectors.DefaultSelector() as selector:
        for pipe in pieces:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            ended = process.poll() is not None
            # What an ended process has written is there at once. A child of its own that keeps the
            # pipes open is not waited for.
            ready = selector.select(0 if ended else min(left, 0.05))
            if ended and not ready:
                break
            for key, _ in ready:
                data = os.read(key.fd, CHUNK)
                if not data:
                    selector.unregister(key.fd)
                pieces[key.fd].append(data)
                size += len(data)
                if size > limit:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    # A program may close its pipes and go on.
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        time.sleep(0.01)
    first, second = pieces.values()
    return b"".join(first), b"".join(second)


class SimulatedProgram:
    """A program that exists only here: a function of its arguments that takes some time."""

    __slots__ = ("answer", "seconds")

    def __init__(self, answer: Callable[[Sequence[str]], ProgramResult], seconds: float = 0.0) -> None:
        self.answer = answer
        self.seconds = seconds


class SimulatedPrograms:
    """Just these programs, by name. With a clock, time passes while they run."""

    __slots__ = ("_clock", "_programs")

    def __init__(
        self, programs: Mapping[str, SimulatedProgram] | None = None, clock: SimulatedClock | None = None
    ) -> None:
        self._programs = dict(programs or {})
        self._clock = clock

    def run(self, program: str, arguments: Sequence[str], seconds: float, limit: int) -> ProgramResult:
        """Call the function of this program."""
        if "\0" in program or any("\0" in argument for argument in arguments):
            raise OSError(errno.EINVAL, "embedded null byte")
        if program not in self._programs:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)
        known = self._programs[program]
        if self._clock is not None:
            self._clock.advance(min(known.seconds, max(seconds, 0.0)))
        if known.seconds >= seconds:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        result = known.answer(arguments)
        if len(result.output) + len(result.errors) > limit:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        return result
