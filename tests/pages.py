"""The pages of the repository as a reader goes through them: their blocks of code, and a person who types them.

A page marks what nobody sees: an HTML comment right before a block says what becomes of it. ``file: NAME`` writes
the block to a file, ``append: NAME`` adds it at the end, ``replace: NAME`` puts it in the place of the definition
that begins with the same line, ``replace: NAME: LINE`` of that which begins with this one. What is typed stands in ``console`` blocks: ``$`` begins a command, ``^C`` stops
what ``up`` has started, and every other line is what is seen. A block without ``$`` is what the first terminal
says meanwhile; ``…`` stands for lines that are left out. ``anew`` stops what runs before the block is typed.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 60.0
"""Seconds until something that should come has not come."""

FENCE = re.compile(
    r"^(?:<!-- (?P<mark>[^\n]*?) -->\n)?```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    """A block of code on a page."""

    language: str
    text: str
    mark: str
    """What the comment before it says; empty without one."""
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Every block of code of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found["language"], found["text"], found["mark"] or "", text.count("\n", 0, found.start("language")) + 1)
        for found in FENCE.finditer(text)
    ]


# ---- what differs from run to run -----------------------------------------------------

CHANGES = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"\b\d\d:\d\d:\d\d\b"), "<clock>"),
    (re.compile(r"\b\w{3}, \d\d \w{3} \d{4} <clock>"), "<date>"),
    (re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b"), "<id>"),
    (re.compile(r"(?:127\.0\.0\.1|localhost):\d+"), "<address>"),
    (re.compile(r"\bpid +\d+"), "pid <number>"),
    (re.compile(r"[\d.]+ (?:MiB|kB|B)\b"), "<size>"),
    (re.compile(r"[\d.]+ (?:ms|s|நொடிக்கு|min)\b"), "<time>"),
    (re.compile(r"  +"), "  "),
)
"""Times, sizes, ids and addresses; and how wide a table therefore is."""


def alike(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, word in CHANGES:
        line = pattern.sub(word, line)
    return line.strip()


# ---- somebody who types ---------------------------------------------------------------


class Terminal:
    """The first terminal: ``up`` in it, and what it says, line by line, as people see it."""

    def __init__(self, command: str, folder: Path, environment: dict[str, str]) -> None:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 500, 0, 0))
        self.lines: list[str] = []
        self.seen = 0
        """So many lines have been read by the one who looks."""
        self._said = threading.Condition()
        self._is_over = False
        self.process = subprocess.Popen(
            ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=folder, env=environment
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def _read(self, ours: int) -> None:
        with open(ours, "rb", buffering=0, closefd=True) as stream:
            rest = b""
            while chunk := _some(stream.fileno()):
                *whole, rest = (rest + chunk).split(b"\n")
                with self._said:
                    self.lines += [line.decode().rstrip("\r") for line in whole]
                    self._said.notify_all()
        with self._said:
            self._is_over = True
            self._said.notify_all()

    def shows(self, wanted: str) -> None:
        """Wait until a line that is new to the reader says this."""

        def is_shown() -> bool:
            return any(alike(line) == alike(wanted) for line in self.lines[self.seen :])

        with self._said:
            self._said.wait_for(lambda: is_shown() or self._is_over, PATIENCE)
            assert is_shown(), f"never said\n{wanted}\nbut\n" + "\n".join(self.lines[self.seen :])
            places = (place for place, line in enumerate(self.lines) if place >= self.seen)
            self.seen = next(place for place in places if alike(self.lines[place]) == alike(wanted)) + 1

    def port(self) -> str:
        """Where it serves."""
        with self._said:
            self._said.wait_for(lambda: self._found() is not None or self._is_over, PATIENCE)
            found = self._found()
            assert found is not None, "\n".join(self.lines)
            return found[1]

    def _found(self) -> re.Match[str] | None:
        return re.search(r"\(addresses\): https?://127\.0\.0\.1:(\d+)", "\n".join(self.lines))

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def end(self) -> None:
        """Whatever happened, leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)


def _some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when the last one that had the terminal has gone
        return b""


class Reader:
    """Somebody who follows a page: writes its files, types its commands, and compares what is seen."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        """``runtime`` is a folder with a short name, for the sockets by which one looks inside."""
        self.folder = folder / "kadai"
        self.folder.mkdir()
        self.terminal: Terminal | None = None
        self._exports: list[str] = []
        self._port = "8080"
        commands = folder / "bin"
        commands.mkdir()
        tool = commands / "etamil-actors"
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m etamil_actors "$@"\n', encoding="utf-8")
        tool.chmod(0o755)
        (folder / ".curlrc").write_text("silent\nshow-error\n")  # as it is when curl writes to a terminal
        self.environment = {
            "PATH": f"{commands}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(folder), "LC_ALL": "C", "PYTHONPATH": str(REPOSITORY), "XDG_RUNTIME_DIR": str(runtime),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def follow(self, block: Block) -> None:
        """Do what a block wants of its reader."""
        if block.mark == "anew" and self.terminal is not None:
            assert self.terminal.stop() == 0
        if block.mark not in ("", "anew"):
            self._write(block)
        elif block.language == "console":
            if block.text.startswith(("$ ", "^C")):
                for command, shown in steps(block.text):
                    self._type(command, shown)
            else:
                self._see(block.text.splitlines())

    def _write(self, block: Block) -> None:
        word, name, *head = block.mark.split(": ", 2)
        path = self.folder / name
        if word == "file":
            path.parent.mkdir(exist_ok=True)
            text = block.text
        elif word == "append":
            text = path.read_text(encoding="utf-8") + "\n" + block.text
        else:
            assert word == "replace", block.mark
            text = replaced(path.read_text(encoding="utf-8"), block.text, *head)
        path.write_text(text, encoding="utf-8")

    def _type(self, command: str, shown: list[str]) -> None:
        if command == "^C":
            assert self.terminal is not None
            assert self.terminal.stop() == 0
            self._see(shown)
        elif command.startswith("etamil-actors up"):
            self._up(command, shown)
        elif command.startswith("export "):
            self._exports.append(command)
            assert shown == []
        else:
            printed = self.run(command)
            assert is_shown([*map(alike, printed)], [*map(alike, shown)]), f"$ {command}\n" + "\n".join(printed)

    def _up(self, command: str, shown: list[str]) -> None:
        if self.terminal is not None:
            assert self.terminal.process.poll() is not None, "the page has not stopped it"
        first = "; ".join([*self._exports, f"exec {command} --bind 127.0.0.1:0"])
        self.terminal = Terminal(first, self.folder, self.environment)
        self._port = self.terminal.port()
        self._see(shown)

    def _see(self, shown: list[str]) -> None:
        assert self.terminal is not None
        for line in shown:
            if line != "…":
                self.terminal.shows(line)

    def run(self, command: str) -> list[str]:
        """What a command of the second terminal prints, both streams together."""
        there = re.sub(r"\blocalhost:8\d\d\d\b", f"localhost:{self._port}", command)
        done = subprocess.run(
            ["bash", "-c", "; ".join([*self._exports, there])], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, cwd=self.folder, env=self.environment, timeout=PATIENCE,
        )  # fmt: skip
        return done.stdout.decode().splitlines()

    def end(self) -> None:
        """Leave nothing behind."""
        if self.terminal is not None:
            self.terminal.end()


def is_shown(printed: list[str], shown: list[str]) -> bool:
    """Is this what the page shows? ``…`` is any number of lines."""
    for place, line in enumerate(shown):
        if line == "…":
            rest = shown[place + 1 :]
            return printed[:place] == shown[:place] and (not rest or is_shown(printed[-len(rest) :], rest))
    return printed == shown


def steps(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every command of a console block, with the lines that it shows."""
    found = re.split(r"^(\$ .*|\^C)\n", text, flags=re.MULTILINE)
    assert found[0] == "", "a block begins with a command, or has none"
    for command, shown in zip(found[1::2], found[2::2], strict=True):
        yield command.removeprefix("$ "), shown.splitlines()


def replaced(text: str, definition: str, head: str = "") -> str:
    """A program in which this definition stands in the place of the one that begins with ``head``, or like this one."""
    head = head or definition.split("\n", 1)[0]
    pattern = re.compile(rf"^{re.escape(head)}\n(?:.*\n)*?\}}\n", re.MULTILINE)
    assert len(pattern.findall(text)) == 1, f"‘{head}’ stands there not once"
    return pattern.sub(lambda _: definition, text)
