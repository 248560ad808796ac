"""The parent of several processes, with children that serve with plain sockets, and once with real ones.

Everything is a real process that gets real signals. A test waits until something has been said or answered,
and then does the next thing.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from etamil_actors import processes
from etamil_actors.actors.channels.base import ChannelSettings
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.journal.store import open_journal
from etamil_actors.commands.up import journal_of, wait_for_journal, warn_of_journals
from etamil_actors.edge.addresses import parse_address, reserve_sockets
from etamil_actors.leases import LocalLease
from etamil_actors.processes import CHILD, command_of, my_parent
from tests.child import PATIENCE, REPOSITORY, ChildProcess

# What a child does is told by files in its folder: ``broken`` it does not come to serve, and so on; with a
# number behind only that child does.
CHILD_TEXT = """
import os, signal, sys, time
from etamil_actors.edge.addresses import open_sockets, parse_address
from etamil_actors.processes import CHILD, my_parent

me = my_parent()
has = lambda what: os.path.exists(what) or os.path.exists(f"{what}{me.number}")
with open("starts", "a") as file:
    file.write(f"{me.number} {os.getpid()} {me.replaces} {me.text}\\n")
asked = 0
def ask(number, frame):
    global asked
    asked += 1
    os.write(1, b"asked\\n")
    if asked >= (3 if has("stubborn") else 2 if has("slow") else 1):
        os._exit(5 if has("sorry") else 0)
signal.signal(signal.SIGTERM, ask)
if has("broken"):
    sys.exit(3)
while has("asleep"):
    time.sleep(0.01)
if me.replaces and has("owner"):
    me.waits()
    while not os.path.exists("free"):
        time.sleep(0.01)
listener, = open_sockets([parse_address(sys.argv[1])], reuse_port=True)
listener.setblocking(True)
me.serves()
while True:
    if has("fragile"):
        os._exit(7)
    if has("leaver"):
        me.leaves()
        os._exit(4)
    peer, _ = listener.accept()
    with peer:
        peer.sendall(f"{me.number} {os.getpid()} {CHILD in os.environ}".encode())
"""

PARENT_TEXT = """
import sys
from etamil_actors.actors.restart import Backoff
from etamil_actors.processes import Parent, Ways
ways = Ways(Backoff(initial=float(sys.argv[3]), cap=60, jitter=0, free=int(sys.argv[4])), float(sys.argv[5]))
sys.exit(Parent([sys.executable, "child.py", sys.argv[1]], int(sys.argv[2]), ways).run())
"""


class Family(ChildProcess):
    """A parent that runs, with what it says, and the port of its children."""

    def __init__(self, folder: Path, words: list[str], port: int) -> None:
        super().__init__(words, folder, {**os.environ, "PYTHONPATH": str(REPOSITORY)})
        self.port = port

    def pids(self) -> list[int]:
        """Of all who have come to serve, in that order."""
        return [int(pid) for pid in re.findall(r"\(process \d+ \(pid (\d+)\) serves\)", self.said)]

    def starts(self) -> list[str]:
        path = self.folder / "starts"
        return path.read_text().splitlines() if path.exists() else []

    def ask(self) -> str:
        """What one of the children answers."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as line:
            return line.recv(100).decode()

    def who_answer(self, wanted: set[str]) -> None:
        """Ask until all of these numbers have answered."""
        found = set()
        end = time.monotonic() + PATIENCE
        while not wanted <= found:
            assert time.monotonic() < end, found
            found.add(self.ask().split()[0])


Start = Callable[..., Family]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a parent with children of the kind above: ``start(2, "fragile2")``."""
    families: list[Family] = []
    kept = reserve_sockets([parse_address("127.0.0.1:0")])
    port = kept[0].getsockname()[1]
    (tmp_path / "child.py").write_text(CHILD_TEXT)
    (tmp_path / "parent.py").write_text(PARENT_TEXT)

    def begin(count: int, *ways: str, backoff: float = 0.05, free: int = 0, within: float = 60) -> Family:
        for way in ways:
            (tmp_path / way).touch()
        words = [sys.executable, "parent.py", f"127.0.0.1:{port}", str(count), str(backoff), str(free), str(within)]
        families.append(Family(tmp_path, words, port))
        return families[-1]

    yield begin
    for family in families:
        family.end()
    for one in kept:
        one.close()


def wait_until_gone(pid: int) -> None:
    """Wait until a process that is not our child has ended."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":  # nobody has asked for its status
            return
        time.sleep(0.01)
    raise AssertionError(f"{pid} still runs")


# ---- starting -------------------------------------------------------------------------


def test_every_process_serves_at_the_same_address(start: Start) -> None:
    family = start(3)
    family.says(r"process \d \(pid \d+\) serves", 3)
    family.who_answer({"1", "2", "3"})
    assert "process 1" in family.lines[0], "the first goes ahead"
    assert family.ask().endswith("False"), "whom a child starts does not take itself for one"
    texts = {line.split()[3] for line in family.starts()}
    assert len(texts) == 1, "they share a secret"
    assert len(texts.pop()) == 64
    family.gets(signal.SIGTERM)
    assert family.ends() == 0


def test_what_is_wrong_at_the_start_is_told_once_and_ends_it(start: Start) -> None:
    family = start(2, "broken")
    assert family.ends() == 3
    assert len(family.starts()) == 1


def test_a_first_process_that_never_serves_is_cut(start: Start) -> None:
    family = start(2, "asleep", within=0.5)
    family.says("does not come to serve, and is cut")
    assert family.ends() == 128 + signal.SIGKILL
    assert len(family.starts()) == 1


def test_a_command_that_does_not_exist_ends_the_start(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from etamil_actors.processes import Parent; sys.exit(Parent(['/none'], 2).run())"],
        cwd=REPOSITORY, capture_output=True, timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert b"process 1 cannot be started" in done.stderr


def test_a_start_is_given_up(start: Start) -> None:
    family = start(2, "asleep")
    while not family.starts():
        time.sleep(0.01)
    family.gets(signal.SIGTERM)
    assert family.ends() == 128 + signal.SIGTERM
    assert len(family.starts()) == 1


# ---- falling --------------------------------------------------------------------------


def test_one_of_two_is_killed_under_load_and_the_other_answers_on(start: Start) -> None:
    family = start(2, backoff=60)
    family.says("serves", 2)
    family.who_answer({"1", "2"})
    answers: list[tuple[bool, str]] = []
    is_known = threading.Event()
    enough = threading.Event()

    def load() -> None:
        after = 0
        while after < 200:
            was_known = is_known.is_set()
            try:
                answer = family.ask()
            except OSError as error:  # it was waiting at the one that was killed
                answer = repr(error)
            answers.append((was_known, answer))
            after += was_known
        enough.set()

    threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    os.kill(family.pids()[1], signal.SIGKILL)
    family.says("process 2 .* has ended, SIGKILL")
    is_known.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert enough.is_set()
    first = str(family.pids()[0])
    assert {answer for was_known, answer in answers if was_known} == {f"1 {first} False"}


def test_the_one_that_was_killed_comes_back_at_once(start: Start) -> None:
    family = start(2, backoff=60, free=1)
    family.says("serves", 2)
    os.kill(family.pids()[0], signal.SIGKILL)
    family.says("process 1 .* it is started again at once")
    family.says("serves", 3)
    family.who_answer({"1", "2"})


def test_one_that_always_falls_is_started_later_and_later_and_the_other_serves(start: Start) -> None:
    family = start(2, "fragile2")
    family.says("has ended, status 7; it is started again after 0.2 s")
    starts = [line for line in family.starts() if line.startswith("2 ")]
    delays = re.findall(r"started again after ([0-9.]+) s", family.said)
    assert delays[:3] == ["0.05", "0.1", "0.2"]
    assert len(starts) <= len(delays) + 1, "it is not started more often than it is told"
    assert family.ask().startswith("1 ")
    family.gets(signal.SIGTERM)
    assert family.ends() == 0, "who fell before is not counted"


def test_a_program_that_leaves_ends_all(start: Start) -> None:
    family = start(2)
    family.says("serves", 2)
    (family.folder / "leaver2").touch()
    while family.process.poll() is None:
        try:
            family.ask()  # so that it looks
        except OSError:
            break
    assert family.ends() == 4
    assert "process 2: the program leaves, so everything is stopped" in family.said


# ---- ending ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_status_is_the_worst_of_all(start: Start, number: signal.Signals) -> None:
    family = start(2, "sorry2")
    family.says("serves", 2)
    family.gets(number)
    assert family.ends() == 5
    assert f"{number.name}: all processes are stopped in order" in family.said


def test_a_second_signal_is_passed_on(start: Start) -> None:
    family = start(2, "slow")
    family.says("serves", 2)
    family.gets(signal.SIGTERM)
    family.says("asked", 2)
    family.gets(signal.SIGTERM)
    assert family.ends() == 0
    assert "what still runs is cut" in family.said


def test_a_third_signal_ends_everything_at_once(start: Start) -> None:
    family = start(2, "stubborn")
    family.says("serves", 2)
    for answer in ("stopped in order", "what still runs is cut", ""):
        family.gets(signal.SIGTERM)
        family.says(answer)
    assert family.ends() == 128 + signal.SIGTERM
    for pid in family.pids():
        wait_until_gone(pid)


def test_children_end_when_their_parent_is_killed(start: Start) -> None:
    family = start(2)
    family.says("serves", 2)
    family.gets(signal.SIGKILL)
    for pid in family.pids():
        wait_until_gone(pid)


def test_a_terminal_that_goes_away_ends_all(start: Start, tmp_path: Path) -> None:
    text = PARENT_TEXT.replace("float(sys.argv[5])", "float(sys.argv[5]), hangup_ends=True")
    family = start(1)
    family.end()
    (tmp_path / "parent.py").write_text(text)
    family = start(2)
    family.says("serves", 2)
    family.gets(signal.SIGHUP)
    assert family.ends() == 0


# ---- replacing ------------------------------------------------------------------------


def test_sighup_replaces_them_one_by_one(start: Start) -> None:
    family = start(2)
    family.says("serves", 2)
    old = set(family.pids())
    family.gets(signal.SIGHUP)
    family.says("all processes have been replaced")
    numbers = re.findall(r"process (\d) \(pid \d+\) serves", family.said)
    assert numbers == ["1", "2", "1", "2"]
    for pid in old:
        wait_until_gone(pid)
    assert [line.split()[2] for line in family.starts()] == ["False", "False", "True", "True"]
    family.who_answer({"1", "2"})
    assert not old & {int(family.ask().split()[1]) for _ in range(20)}
    family.gets(signal.SIGTERM)
    assert family.ends() == 0


def test_the_old_one_stays_when_its_replacement_does_not_serve(start: Start) -> None:
    family = start(2)
    family.says("serves", 2)
    (family.folder / "broken1").touch()
    family.gets(signal.SIGHUP)
    family.says("process 1: its replacement does not come to serve, status 3; no more are replaced")
    old = family.pids()
    assert len(family.starts()) == 3, "the second was left alone"
    family.who_answer({"1", "2"})
    assert {int(family.ask().split()[1]) for _ in range(20)} <= set(old)
    (family.folder / "broken1").unlink()
    family.gets(signal.SIGHUP)
    family.says("all processes have been replaced")


def test_one_that_falls_while_others_are_replaced_is_in_its_place_again(start: Start) -> None:
    family = start(2)
    family.says("serves", 2)
    (family.folder / "asleep1").touch()
    family.gets(signal.SIGHUP)
    while len(family.starts()) < 3:
        time.sleep(0.01)
    os.kill(family.pids()[0], signal.SIGKILL)
    os.kill(family.pids()[1], signal.SIGKILL)
    family.says("process 2 .* has ended, SIGKILL")
    (family.folder / "asleep1").unlink()
    family.says("all processes have been replaced")
    family.who_answer({"1", "2"})
    family.gets(signal.SIGTERM)
    assert family.ends() == 0


def test_a_replacement_may_need_what_the_old_one_holds(start: Start) -> None:
    family = start(2, "owner1")
    family.says("serves", 2)
    family.gets(signal.SIGHUP)
    wait_until_gone(family.pids()[0])
    (family.folder / "free").touch()
    family.says("all processes have been replaced")
    numbers = re.findall(r"process (\d) \(pid \d+\) serves", family.said)
    assert numbers == ["1", "2", "1", "2"]


# ---- a child --------------------------------------------------------------------------


def test_who_has_no_parent_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CHILD, raising=False)
    assert my_parent() is None
    monkeypatch.setenv(CHILD, "rubbish")
    assert my_parent() is None
    assert CHILD not in os.environ


def test_children_do_not_search_a_folder_that_their_parent_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [os.getcwd(), "/elsewhere"])
    assert command_of("up")[1:] == ["-m", "etamil_actors", "up"]
    monkeypatch.setattr(sys, "path", ["/venv/bin", "/elsewhere"])
    assert command_of("up")[1:] == ["-P", "-m", "etamil_actors", "up"]


def test_the_parent_needs_no_trio() -> None:
    text = "import etamil_actors.processes, sys; print(sorted({'trio', 'subprocess', 'asyncio'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", text], cwd=REPOSITORY, capture_output=True, timeout=PATIENCE)
    assert done.stdout == b"[]\n", done.stderr


def test_what_nobody_takes_does_not_hold_up_the_parent() -> None:
    ours, theirs = os.pipe()
    kept = os.dup(2)
    try:
        os.set_blocking(theirs, False)
        while True:
            try:
                os.write(theirs, b"x" * 4096)
            except BlockingIOError:
                break
        os.set_blocking(theirs, True)
        os.dup2(theirs, 2)
        processes.say("அ", "a")
        os.close(ours)
        ours = -1
        processes.say("அ", "a")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(theirs)
        if ours >= 0:
            os.close(ours)


# ---- the lease ------------------------------------------------------------------------

HOLDER = """
import sys, trio
from etamil_actors.leases import LocalLease
async def main():
    async with LocalLease(sys.argv[1]):
        print("has it", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the lease ``folder/lease``."""
    path = str(tmp_path / "folder" / "lease")
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"has it\n"
        yield process
        process.kill()


async def test_a_lease_is_taken_over_from_a_process_that_was_killed(
    holder: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "folder" / "lease"
    lease = LocalLease(str(path), look_seconds=0.01)
    assert not lease.try_take()
    with trio.move_on_after(0.05) as scope:
        async with lease:
            pass
    assert scope.cancelled_caught
    assert not lease.is_held
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, holder.kill)
            async with lease:
                assert lease.is_held
                assert path.read_text() == f"{os.getpid()}\n"
    assert not lease.is_held


async def test_a_lease_is_for_one_at_a_time_and_may_be_used_again(tmp_path: Path) -> None:
    one, other = (LocalLease(str(tmp_path / "lease"), look_seconds=0.01) for _ in range(2))
    with trio.fail_after(PATIENCE):
        for _ in range(2):
            async with one:
                assert not other.try_take()
                with pytest.raises(RuntimeError):
                    one.try_take()
            async with other:
                assert not one.try_take()
    one.give_back()


def test_a_lease_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("text")
    (tmp_path / "lease").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError):
        LocalLease(str(tmp_path / "lease")).try_take()
    assert (tmp_path / "precious").read_text() == "text"


# ---- journals -------------------------------------------------------------------------


class Told:
    """A line to a parent that only remembers."""

    def __init__(self) -> None:
        self.has_waited = threading.Event()

    def waits(self) -> None:
        self.has_waited.set()


def test_each_process_has_a_journal_of_its_own() -> None:
    assert [journal_of("data/j", number) for number in (1, 2, 3)] == ["data/j", "data/j.2", "data/j.3"]


async def test_a_replacement_waits_until_the_journal_is_free(tmp_path: Path) -> None:
    path, told = str(tmp_path / "journal"), Told()
    wait_for_journal(path, told)  # type: ignore[arg-type]
    async with open_journal(path):
        pass
    wait_for_journal(path, told)  # type: ignore[arg-type]
    assert not told.has_waited.is_set(), "nobody has it"
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery, open_journal(path):
            nursery.start_soon(trio.to_thread.run_sync, wait_for_journal, path, told)
            await trio.to_thread.run_sync(told.has_waited.wait, PATIENCE)


async def test_what_a_smaller_number_of_processes_would_leave_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "journal")
    for number, letters in ((1, 1), (2, 1), (3, 2), (4, 0)):
        async with open_journal(journal_of(path, number)) as journal:
            channel = journal.channel("வேலை", ChannelSettings(), "root/வேலை", EventStream())
            for _ in range(letters):
                await channel.send(1)
    (tmp_path / "journal.5").write_text("something else")
    before = sorted(os.listdir(tmp_path))
    warn_of_journals(path, 2)
    told = capsys.readouterr().err
    assert f"‘{path}.3’ holds 2 message(s) or job(s), and no process has it; to finish them: --processes 3" in told
    assert len(told.splitlines()) == 1
    assert sorted(os.listdir(tmp_path)) == before


# ---- the real ones --------------------------------------------------------------------

SERVICE = """
c = சேனல்_உருவாக்கு("வேலை", {"transport": "journal"});
வழி பெறு, "/வணக்கம்" { பதில் 200, "வணக்கம்"; }
"""


@pytest.mark.slow
def test_processes_with_a_journal_serve_are_replaced_and_end_in_order(tmp_path: Path) -> None:
    from urllib.request import urlopen

    (tmp_path / "a.qmz").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "config.yaml").write_text(
        "name: kadai\nprocesses: 2\nhttp: { bind: '127.0.0.1:0', access_log: false }\nservices: [a.qmz]\n"
    )
    family = Family(tmp_path, [sys.executable, "-m", "etamil_actors", "up"], 0)
    try:
        family.says("serves", 2)
        family.says("http://127.0.0.1:.*/%E0%AE%B5")
        address = re.search(r"http://127.0.0.1:\d+/\S+", family.said)
        assert address is not None
        assert sorted(path.name for path in (tmp_path / "data").glob("journal*-lock")) == [
            "journal.sqlite-lock", "journal.sqlite.2-lock",
        ]
        with urlopen(address[0], timeout=PATIENCE) as answer:
            assert answer.read().decode() == "வணக்கம்"
        os.kill(family.pids()[1], signal.SIGKILL)
        family.says("serves", 3)
        family.gets(signal.SIGHUP)
        family.says("all processes have been replaced")
        (tmp_path / "config.yaml").write_text("services: [a.qmz]\nprocesses: many\n")
        family.gets(signal.SIGHUP)
        family.says("config.yaml:2: ‘processes’: a whole number from 1, not ‘many’")
        with urlopen(address[0], timeout=PATIENCE) as answer:
            assert answer.read().decode() == "வணக்கம்"
        family.gets(signal.SIGTERM)
        assert family.ends() == 0
        assert family.said.count("kadai: 1 service started") == 2, "told by the first, and by its replacement"
    finally:
        family.end()


def test_an_address_in_use_is_told_once_and_by_the_parent(tmp_path: Path) -> None:
    (tmp_path / "a.qmz").write_text("வழி பெறு, \"/\" { பதில் 200, 1; }\n", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "etamil_actors", "up", "a.qmz", "--bind", bind, "--processes", "2"],
            cwd=tmp_path, capture_output=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            timeout=PATIENCE, text=True, encoding="utf-8",
        )
    assert done.returncode == 1
    assert done.stderr.count(f"{bind}: somebody listens here already") == 1
    assert "ss -ltnp" in done.stderr or "lsof" in done.stderr
