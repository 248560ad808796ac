"""The ports of the system: the real form and the simulated one keep one contract."""

from __future__ import annotations

import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal, localcontext
from io import BytesIO
from pathlib import Path

import pytest

from etamil_actors.ports import Clock, Environment, Files, ProgramResult, Programs, Random
from etamil_actors.resources.system import (
    SimulatedClock,
    SimulatedConsole,
    SimulatedEnvironment,
    SimulatedFiles,
    SimulatedProgram,
    SimulatedPrograms,
    SimulatedRandom,
    SystemClock,
    SystemConsole,
    SystemEnvironment,
    SystemFiles,
    SystemPrograms,
    SystemRandom,
)

# ── files ───────────────────────────────────────────────────────────────────────────────────────────

BEGINNING: dict[str, bytes] = {
    "கடை.txt": "மலர்\n".encode(),
    "data/a.bin": bytes(range(256)),
    "data/inner/b.txt": b"",
    ".hidden": b"x",
}


@pytest.fixture(params=["simulated", "system", "confined"])
def files(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    if request.param == "simulated":
        return SimulatedFiles(BEGINNING, folders=["empty"], clock=SimulatedClock())
    for path, content in BEGINNING.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "empty").mkdir()
    if request.param == "system":
        monkeypatch.chdir(tmp_path)
        return SystemFiles()
    return SystemFiles([str(tmp_path)])


def test_a_file_is_read(files: Files) -> None:
    assert files.read("கடை.txt") == "மலர்\n".encode()
    assert files.read("./data/../data//a.bin") == bytes(range(256))
    assert files.read("data/a.bin", 256) == bytes(range(256))
    with pytest.raises(OSError) as caught:
        files.read("data/a.bin", 255)
    assert caught.value.errno == errno.EFBIG


def test_a_file_is_written_replaced_and_appended(files: Files) -> None:
    assert files.write("data/new.txt", b"one two") == 7
    assert files.write("data/new.txt", b"three") == 5
    assert files.read("data/new.txt") == b"three"
    assert files.write("data/new.txt", b"!", append=True) == 1
    assert files.read("data/new.txt") == b"three!"
    assert files.write("fresh.txt", b"x", append=True) == 1
    assert files.write("fresh.txt", b"") == 0
    assert files.read("fresh.txt") == b""


def test_what_is_known_of_a_path(files: Files) -> None:
    folder, size, changed = files.details("data/a.bin")
    assert (folder, size) == (False, 256)
    assert changed is not None
    assert changed > 1_700_000_000
    assert files.details("data").folder is True
    assert files.details(".").folder is True


def test_what_exists(files: Files) -> None:
    assert [files.exists(path) for path in ("கடை.txt", "data", "data/inner", "empty", ".")] == [True] * 5
    assert [files.exists(path) for path in ("x", "data/x", "கடை.txt/x", "", "a\0b", "data/a.bin/..x")] == [
        False
    ] * 6


def test_the_names_in_a_folder(files: Files) -> None:
    assert sorted(files.names(".")) == [".hidden", "data", "empty", "கடை.txt"]
    assert sorted(files.names("data/")) == ["a.bin", "inner"]
    assert files.names("empty") == []


@pytest.mark.parametrize(
    ("method", "arguments", "trouble"),
    [
        ("read", ("missing",), FileNotFoundError),
        ("read", ("",), FileNotFoundError),
        ("read", ("data",), IsADirectoryError),
        ("read", ("கடை.txt/x",), NotADirectoryError),
        ("write", ("missing/x", b""), FileNotFoundError),
        ("write", ("data", b""), IsADirectoryError),
        ("write", ("கடை.txt/x", b""), NotADirectoryError),
        ("write", ("", b""), FileNotFoundError),
        ("details", ("missing",), FileNotFoundError),
        ("names", ("missing",), FileNotFoundError),
        ("names", ("கடை.txt",), NotADirectoryError),
        ("read", ("a\0b",), OSError),
        ("write", ("a\0b", b""), OSError),
        ("details", ("a\0b",), OSError),
        ("names", ("a\0b",), OSError),
    ],
)
def test_trouble_with_files_is_an_os_error(
    files: Files, method: str, arguments: tuple[object, ...], trouble: type[OSError]
) -> None:
    with pytest.raises(trouble):
        getattr(files, method)(*arguments)


@pytest.fixture
def walled(tmp_path: Path) -> Iterator[tuple[SystemFiles, Path]]:
    """Files confined to a folder that is full of ways out."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (inside / "plain").write_text("plain")
    (inside / "link-file").symlink_to(outside / "secret")
    (inside / "link-folder").symlink_to(outside)
    (inside / "sub" / "up").symlink_to("../../outside")
    (inside / "dangling").symlink_to(outside / "new")
    (inside / "round").symlink_to("round")
    (inside / "within").symlink_to("plain")
    (tmp_path / "inside-too").mkdir()
    (tmp_path / "inside-too" / "x").write_text("x")
    yield SystemFiles([str(inside)]), tmp_path


@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret", "sub/../../outside/secret", "link-file", "link-folder/secret", "sub/up/secret",
        "dangling", "/etc/passwd", "{tmp}/outside/secret", "../inside-too/x", "{tmp}/inside-too/x",
        "./././../outside/secret", "..", "/", "link-folder", "link-folder/../secret", "round",
    ],
)  # fmt: skip
def test_nothing_outside_is_reached(walled: tuple[SystemFiles, Path], path: str) -> None:
    files, tmp = walled
    path = path.replace("{tmp}", str(tmp))
    for attempt in (
        lambda: files.read(path),
        lambda: files.write(path, b"broken"),
        lambda: files.write(path, b"broken", append=True),
        lambda: files.details(path),
        lambda: files.names(path),
    ):
        with pytest.raises(OSError):
            attempt()
    assert not files.exists(path)
    assert (tmp / "outside" / "secret").read_text() == "secret"
    assert not (tmp / "outside" / "new").exists()


def test_links_and_whole_paths_that_stay_inside_are_fine(walled: tuple[SystemFiles, Path]) -> None:
    files, tmp = walled
    assert files.read("within") == b"plain"
    assert files.read(str(tmp / "inside" / "plain")) == b"plain"
    assert files.read("sub/../plain") == b"plain"
    assert files.read("../inside/plain") == b"plain"
    assert "plain" in files.names(str(tmp / "inside"))


def test_several_roots(walled: tuple[SystemFiles, Path]) -> None:
    _, tmp = walled
    files = SystemFiles([str(tmp / "inside"), str(tmp / "outside")])
    assert files.read("plain") == b"plain"
    assert files.read("link-file") == b"secret", "it leads from one allowed folder into another"
    assert files.read(str(tmp / "outside" / "secret")) == b"secret"
    assert not files.exists(str(tmp / "inside-too" / "x"))


def test_a_link_put_there_in_between_is_not_followed(
    walled: tuple[SystemFiles, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, tmp = walled
    resolve = os.path.realpath

    def resolve_then_swap(path: str) -> str:
        answer = resolve(path)
        (tmp / "inside" / "sub").rename(tmp / "inside" / "gone")
        (tmp / "inside" / "sub").symlink_to(tmp / "outside")
        monkeypatch.setattr(os.path, "realpath", resolve)
        return answer

    (tmp / "inside" / "sub" / "secret").write_text("harmless")
    monkeypatch.setattr(os.path, "realpath", resolve_then_swap)
    with pytest.raises(OSError):
        files.read("sub/secret")


def test_only_regular_files_are_opened_inside_walls(walled: tuple[SystemFiles, Path]) -> None:
    files, tmp = walled
    os.mkfifo(tmp / "inside" / "pipe")
    with pytest.raises(OSError):
        files.read("pipe")
    with pytest.raises(OSError):
        files.write("pipe", b"x")


def test_names_that_are_no_utf8_are_shown_with_a_replacement(tmp_path: Path) -> None:
    try:
        (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt"))).write_text("")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert SystemFiles().names(str(tmp_path)) == ["\ufffd.txt"]


# ── clock and randomness ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("clock", [SystemClock(), SimulatedClock()])
def test_clocks(clock: Clock) -> None:
    with localcontext(prec=5):
        first, second = clock.wall(), clock.wall()
        assert isinstance(first, Decimal)
        assert Decimal(1_700_000_000) < first <= second
        assert int(first.as_tuple()[2]) == -9
        assert clock.monotonic() <= clock.monotonic()


def test_the_real_clock_tells_the_time() -> None:
    assert abs(float(SystemClock().wall()) - time.time()) < 5


def test_the_simulated_clock_moves_only_when_told() -> None:
    clock = SimulatedClock(1000)
    assert (str(clock.wall()), clock.monotonic()) == ("1000.000000000", 0.0)
    clock.advance(0.25)
    clock.advance(1)
    assert (str(clock.wall()), clock.monotonic()) == ("1001.250000000", 1.25)
    with pytest.raises(ValueError, match="back"):
        clock.advance(-1)
    assert str(SimulatedClock(-1).wall()) == "-1.000000000"


@pytest.mark.parametrize("random", [SystemRandom(), SimulatedRandom(7)])
def test_random_bytes(random: Random) -> None:
    assert [len(random.bytes(count)) for count in (0, 1, 1024)] == [0, 1, 1024]
    assert random.bytes(16) != random.bytes(16)


def test_a_seed_decides() -> None:
    assert SimulatedRandom(7).bytes(32) == SimulatedRandom(7).bytes(32) != SimulatedRandom(8).bytes(32)


# ── environment ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["simulated", "system"])
def environment(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Environment:
    values = {"KADAI_PERUYAR": "மலர் கடை", "KADAI_EMPTY": ""}
    if request.param == "simulated":
        return SimulatedEnvironment(values)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return SystemEnvironment()


def test_environment_variables(environment: Environment) -> None:
    assert environment.get("KADAI_PERUYAR") == "மலர் கடை"
    assert environment.get("KADAI_EMPTY") == ""
    for name in ("KADAI_MISSING", "", "a=b", "a\0b", "தமிழ்"):
        assert environment.get(name) is None


# ── console ─────────────────────────────────────────────────────────────────────────────────────────

INPUT = "ஒன்று\n\n  இரண்டு\r\nமூன்று"


class Wires:
    """A console and what stands at its far ends."""

    def __init__(self, kind: str) -> None:
        if kind == "simulated":
            self.console: SystemConsole | SimulatedConsole = SimulatedConsole(INPUT)
            return
        self.out, self.err = BytesIO(), BytesIO()
        self.console = SystemConsole(self.out, self.err, BytesIO(INPUT.encode()))

    def seen(self) -> tuple[str, str]:
        if isinstance(self.console, SimulatedConsole):
            return self.console.output, self.console.errors
        return self.out.getvalue().decode(), self.err.getvalue().decode()


@pytest.mark.parametrize("kind", ["simulated", "system"])
def test_a_console(kind: str) -> None:
    wires = Wires(kind)
    wires.console.write("வணக்கம்\n")
    wires.console.write("x")
    assert wires.console.read_line() == "ஒன்று\n"
    assert wires.seen()[0] == "வணக்கம்\nx", "reading shows what was written before"
    assert [wires.console.read_line() for _ in range(5)] == ["\n", "  இரண்டு\r\n", "மூன்று", "", ""]
    wires.console.write("y")
    wires.console.write_error("ஐயோ\n")
    assert wires.seen() == ("வணக்கம்\nxy", "ஐயோ\n")
    wires.console.write("z" * 200_000)
    wires.console.flush()
    assert wires.seen()[0].endswith("z" * 200_000)


def test_output_waits_until_there_is_enough() -> None:
    wires = Wires("system")
    wires.console.write("a\n")
    assert wires.seen() == ("", "")
    wires.console.write("b" * 70_000)
    assert len(wires.seen()[0]) == 70_002


def test_a_terminal_sees_every_line() -> None:
    class Terminal(BytesIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    console = SystemConsole(out, BytesIO(), BytesIO())
    console.write("a")
    assert out.getvalue() == b""
    console.write("b\n")
    assert out.getvalue() == b"ab\n"


def test_input_that_is_no_utf8_is_read_with_replacements() -> None:
    assert SystemConsole(BytesIO(), BytesIO(), BytesIO(b"\xff\n")).read_line() == "\ufffd\n"


def test_a_reader_that_has_gone_is_told_once() -> None:
    class Gone(BytesIO):
        def write(self, data: object) -> int:
            raise BrokenPipeError

    console = SystemConsole(Gone(), BytesIO(), BytesIO())
    console.write("a")
    with pytest.raises(BrokenPipeError):
        console.flush()
    console.flush()


# ── other programs ──────────────────────────────────────────────────────────────────────────────────

PYTHON = sys.executable
ECHO = "import sys; sys.stdout.write(' '.join(sys.argv[1:])); sys.stderr.write('err'); sys.exit(3)"
SLOW = "import time; time.sleep(60)"
LOUD = "print('x' * 100000)"


def _python(arguments: object) -> ProgramResult:
    assert isinstance(arguments, list)
    _, code, *rest = arguments
    if code == LOUD:
        return ProgramResult(0, b"x" * 100_001, b"")
    return ProgramResult(3, " ".join(rest).encode(), b"err")


@pytest.fixture(params=["simulated", "system"])
def programs(request: pytest.FixtureRequest) -> Programs:
    if request.param == "system":
        return SystemPrograms()

    class Python(SimulatedPrograms):
        """Takes as long as its program says."""

        __slots__ = ()

        def run(self, program, arguments, seconds, limit):  # type: ignore[no-untyped-def]
            slow = SLOW in arguments
            self._programs = {PYTHON: SimulatedProgram(_python, 60.0 if slow else 0.01)}
            return super().run(program, arguments, seconds, limit)

    return Python(clock=SimulatedClock())


def test_a_program_runs_without_a_shell(programs: Programs) -> None:
    result = programs.run(PYTHON, ["-c", ECHO, "$HOME;", "*", "வணக்கம்", ""], 20, 1000)
    assert result == (3, "$HOME; * வணக்கம் ".encode(), b"err")


def test_a_program_that_takes_too_long_is_killed(programs: Programs) -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        programs.run(PYTHON, ["-c", SLOW], 0.3, 1000)
    assert time.monotonic() - start < 10


def test_a_program_that_says_too_much_is_stopped(programs: Programs) -> None:
    with pytest.raises(OSError) as caught:
        programs.run(PYTHON, ["-c", LOUD], 20, 1000)
    assert caught.value.errno == errno.EFBIG


@pytest.mark.parametrize("program", ["no-such-program-here", "a\0b", ""])
def test_a_program_that_cannot_start_is_trouble(programs: Programs, program: str) -> None:
    with pytest.raises(OSError):
        programs.run(program, [], 5, 1000)


def test_an_argument_with_a_null_character_is_trouble(programs: Programs) -> None:
    with pytest.raises(OSError):
        programs.run(PYTHON, ["a\0b"], 5, 1000)


def test_standard_input_is_empty_and_a_signal_is_minus_one() -> None:
    programs = SystemPrograms()
    assert programs.run(PYTHON, ["-c", "import sys; print(len(sys.stdin.read()))"], 20, 100).output == b"0\n"
    killed = programs.run(PYTHON, ["-c", "import os; os.kill(os.getpid(), 15)"], 20, 100)
    assert killed.status == -1


def test_both_pipes_are_read_side_by_side() -> None:
    code = "import sys\nfor i in range(200): sys.stdout.write('o' * 1000); sys.stderr.write('e' * 1000)"
    result = SystemPrograms().run(PYTHON, ["-c", code], 30, 1_000_000)
    assert (len(result.output), len(result.errors)) == (200_000, 200_000)


def test_a_program_that_closes_its_pipes_is_still_timed() -> None:
    code = "import os, time; os.close(1); os.close(2); time.sleep(60)"
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        SystemPrograms().run(PYTHON, ["-c", code], 1, 1000)
    assert time.monotonic() - start < 10


def test_children_of_a_program_do_not_outlive_its_time(tmp_path: Path) -> None:
    note = tmp_path / "note"
    child = f"import time; time.sleep(2); open({str(note)!r}, 'w').close()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(TimeoutError):
        SystemPrograms().run(PYTHON, ["-c", code], 0.7, 1000)
    time.sleep(2.5)
    assert not note.exists()


def test_a_child_that_holds_the_pipes_is_not_waited_for() -> None:
    code = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(8)']);"
        "print('done')"
    )
    start = time.monotonic()
    result = SystemPrograms().run(PYTHON, ["-c", code], 30, 1000)
    assert (result.status, result.output) == (0, b"done\n")
    assert time.monotonic() - start < 6


def test_programs_run_from_threads() -> None:
    results: list[ProgramResult] = []
    threads = [
        threading.Thread(
            target=lambda: results.append(SystemPrograms().run(PYTHON, ["-c", "print(1)"], 30, 100))
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.output for result in results] == [b"1\n"] * 3
