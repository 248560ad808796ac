"""``ps``, ``top``, ``jobs``, ``channels`` and ``dead`` against a real process, as people use them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etamil_actors.observe import admin
from etamil_actors.observe.sockets import folder, stem_of

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE = 60.0

PROGRAM = """
சே = சேனல்_உருவாக்கு("வேலை", {"கொள்ளளவு": 10});
பணி_உருவாக்கு "செய்", {"channel": சே, "attempts": 1} { பிழை_எழுப்பு("எதுவோ", "சரியில்லை"); }
பணி_உருவாக்கு "இரவு", {"cron": "0 2 * * *"} { அச்சு 1; }
முகவர் கணக்கு() { செய்தி பார்() { திரும்பு 1; } }
எ = கணக்கு();
வழி பெறு, "/x" { சேனல்_அனுப்பு(சே, {"பொருள்": "பேனா", "கடவுச்சொல்": "ஒளி123"}); பதில் 200, "ok"; }
"""


class World:
    """A folder with a program that runs, and a runtime folder of its own."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        """``runtime`` has a short name: a socket's place in the file system may have a hundred letters."""
        self.folder = folder
        self.runtime = runtime
        (folder / "கடை.qmz").write_text(PROGRAM, "utf-8")
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self.environment = {
            **kept, "HOME": str(folder), "LC_ALL": "C.UTF-8", "PYTHONPATH": str(REPOSITORY), "TERM": "xterm",
            "XDG_RUNTIME_DIR": str(runtime),
        }  # fmt: skip
        self.running: list[subprocess.Popen[bytes]] = []

    def up(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "etamil_actors", "up", "--bind", "127.0.0.1:0", "கடை.qmz"],
            stderr=subprocess.PIPE, cwd=self.folder, env=self.environment,
        )  # fmt: skip
        self.running.append(process)
        assert process.stderr is not None
        while b"(addresses)" not in (line := process.stderr.readline()):
            assert line, "it has ended"
        return process

    def says(self, *words: str, status: int = 0) -> tuple[str, str]:
        """What a command prints, on both streams."""
        done = subprocess.run(
            [sys.executable, "-m", "etamil_actors", *words],
            capture_output=True, cwd=self.folder, env=self.environment, timeout=PATIENCE,
        )  # fmt: skip
        assert done.returncode == status, done
        return done.stdout.decode(), done.stderr.decode()

    def json(self, *words: str) -> Any:
        return json.loads(self.says(*words, "--json")[0])

    def ask(self, path: str = "/x") -> None:
        (facts,) = [self.json("ps")]
        host, port = facts["urls"][0].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), PATIENCE) as line:
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            while line.recv(4096):
                pass

    def until(self, *words: str, holds: Any) -> Any:
        """What a command answers as JSON, once that holds."""
        deadline = time.monotonic() + PATIENCE
        while not holds(found := self.json(*words)):
            assert time.monotonic() < deadline, found
        return found


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        made = World(tmp_path, Path(runtime))
        yield made
        _end(made)


def _end(made: World) -> None:
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        if process.stderr is not None:
            process.stderr.close()


def test_the_tree_is_shown_to_people_and_to_programs(world: World) -> None:
    process = world.up()
    world.ask()
    text, _ = world.says("ps")
    for part in (f"கடை  pid {process.pid}", "GET ∕x  route  handled 1", "கணக்கு#1  agent", "செய்  job", "└─ root"):
        assert part in text
    told = world.json("ps", "கடை.qmz")
    assert told["pid"] == process.pid
    assert told["services"] == ["கடை"]
    assert told["numbers"]["requests"] == 1
    assert {"path": "/root/கடை/agents/கணக்கு#1", "kind": "agent", "state": "running", "restarts": 0, "handled": 0} in told["actors"]


def test_jobs_and_channels_are_listed(world: World) -> None:
    world.up()
    jobs = {job["name"]: job for job in world.json("jobs")}
    assert jobs["செய்"]["when"] == "← வேலை"
    assert jobs["இரவு"]["when"] == "cron 0 2 * * * (Asia/Kolkata)"
    assert "இரவு" in world.says("jobs")[0]
    (channel,) = world.json("channels")
    assert channel == {
        "name": "வேலை", "kind": "queue", "transport": "memory", "capacity": 10, "waiting": 0, "dead": 0,
        "closed": False,
    }  # fmt: skip
    assert "வேலை" in world.says("channels")[0]


def test_dead_letters_are_listed_sent_again_and_thrown_away(world: World) -> None:
    world.up()
    assert "there are no dead letters" in world.says("dead")[1]
    world.ask()
    world.ask()
    letters = world.until("dead", holds=lambda found: len(found) == 2)
    assert [letter["code"] for letter in letters] == ["எதுவோ", "எதுவோ"]
    text, _ = world.says("dead")
    assert "பேனா" in text
    assert "ஒளி123" not in text, "secrets are not shown"
    assert "sent again" in world.says("dead", "requeue", letters[0]["id"])[1]
    world.until("dead", holds=lambda found: [one["id"] for one in found] == ["memory:2", "memory:3"])
    assert "there is no ‘memory:1’" in world.says("dead", "drop", "memory:1", status=1)[1]
    assert "there is no ‘எதுவோ’" in world.says("dead", "drop", "எதுவோ", status=1)[1]
    assert [channel["dead"] for channel in world.json("channels")] == [2], "those that are in the list"
    assert "thrown away" in world.says("dead", "drop", "all")[1]
    assert world.json("dead") == []
    assert [channel["dead"] for channel in world.json("channels")] == [0]


def test_top_shows_one_picture_where_nobody_looks_and_many_on_a_terminal(world: World) -> None:
    world.up()
    world.ask()
    text, _ = world.says("top")
    assert "/root/கடை/routes/GET ∕x" in text
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    looking = subprocess.Popen(
        [sys.executable, "-m", "etamil_actors", "top"], stdin=slave, stdout=slave, stderr=slave,
        cwd=world.folder, env=world.environment,
    )  # fmt: skip
    os.close(slave)
    try:
        seen = b""
        deadline = time.monotonic() + PATIENCE
        while seen.count("கடை  pid".encode()) < 2 or b"requests/s" not in seen:
            assert time.monotonic() < deadline, seen
            if select.select([master], [], [], 1)[0]:
                seen += os.read(master, 65536)
        looking.send_signal(signal.SIGINT)
        assert looking.wait(PATIENCE) == 0
    finally:
        looking.kill()
        looking.wait(PATIENCE)
        os.close(master)


def test_several_processes_are_told_apart(world: World) -> None:
    first, second = world.up(), world.up()
    text, _ = world.says("ps")
    assert str(first.pid) in text
    assert str(second.pid) in text
    assert "say which one" in world.says("jobs", status=2)[1]
    assert {job["name"] for job in world.json("jobs", str(first.pid))} == {"செய்", "இரவு"}
    assert "‘1’ is not running" in world.says("ps", "1", status=1)[1]


def test_what_a_killed_process_leaves_is_removed_and_an_orderly_end_leaves_nothing(world: World) -> None:
    assert "nothing is running" in world.says("ps", status=1)[1]
    process = world.up()
    (folder,) = world.runtime.iterdir()
    (place,) = folder.iterdir()
    assert place.name == f"{stem_of(str(world.folder / 'கடை.qmz'))}-{process.pid}.sock"
    assert folder.stat().st_mode & 0o077 == 0
    process.kill()
    process.wait(PATIENCE)
    assert "nothing is running" in world.says("ps", status=1)[1]
    assert not place.exists()
    process = world.up()
    process.send_signal(signal.SIGTERM)
    assert process.stderr is not None
    process.stderr.read()
    assert process.wait(PATIENCE) == 0
    assert not list(folder.iterdir())


def test_nobody_else_may_enter_the_folder_of_sockets(world: World) -> None:
    folder = world.runtime / f"etamil-actors-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    process = world.up()
    assert "somebody else can enter it" in world.says("ps", status=1)[1]
    assert not list(folder.iterdir())
    assert process.poll() is None


@pytest.mark.parametrize("asked", [b"\n", b"{}\n", b'{"ask": "x"}\n', b"\xff\xfe\n", b"[" * 70_000, b'{"ask": "dead", "do": "x"}\n'])
def test_what_nobody_understands_is_refused_and_the_next_is_answered(world: World, asked: bytes) -> None:
    world.up()
    (folder,) = world.runtime.iterdir()
    (place,) = folder.iterdir()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(place))
        line.sendall(asked)
        line.shutdown(socket.SHUT_WR)
        answer = json.loads(line.makefile("rb").read())
    assert "error" in answer or answer == {"done": False}
    assert world.json("ps")["services"] == ["கடை"]


async def test_a_socket_has_its_name_only_once_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who finds one and is refused takes its process for dead, and clears the socket away."""
    named: list[list[str]] = []

    class Watched(socket.socket):
        def listen(self, backlog: int = 16, /) -> None:
            named.append([place.name for place in folder().glob("*.sock")])
            super().listen(backlog)

    with tempfile.TemporaryDirectory(dir="/tmp") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        monkeypatch.setattr(socket, "socket", Watched)
        place, listener = admin._listen("0123456789abcdef")
        listener.close()
        assert named == [[]]
        assert [one.name for one in folder().iterdir()] == [place.name]
