"""Compiled programs on disk: used when they are right, and never when anything is off."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from etamil_actors import script, store
from etamil_actors.script import RunOptions, run_file

Run = Callable[[Path], str]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run(path: Path) -> str:
        status = run_file(str(path), [], RunOptions())
        out, err = capfd.readouterr()
        assert status == 0, err
        return out

    return run


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of programs that had to be compiled."""
    names: list[str] = []
    original = script.read_and_check

    def read_and_check(name: str, *rest: object, **options: object) -> object:
        names.append(os.path.basename(name))
        return original(name, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(script, "read_and_check", read_and_check)
    return names


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "நிரல்.qmz"
    path.write_text('இறக்கு "நூல்.qmz"; அச்சு "முதல் " & பெயர்();', encoding="utf-8")
    (tmp_path / "நூல்.qmz").write_text('செயல் பெயர்() { திரும்பு "அ"; }', encoding="utf-8")
    return path


def kept(path: Path) -> Path:
    return Path(store.place_of(str(path)))


def test_a_program_is_compiled_once(program: Path, run: Run, compiled: list[str]) -> None:
    assert [run(program) for _ in range(3)] == ["முதல் அ\n"] * 3
    assert compiled == ["நிரல்.qmz"]


def cut(path: Path) -> None:
    kept(path).write_bytes(kept(path).read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(kept(path).read_bytes())
    data[len(data) // 2] ^= 0x40
    kept(path).write_bytes(bytes(data))


def empty(path: Path) -> None:
    kept(path).write_bytes(b"")


def of_another_python(path: Path) -> None:
    data = kept(path).read_bytes()
    kept(path).write_bytes(data.replace(sys.implementation.cache_tag.encode(), b"cpython-299", 1))


def pickle_instead(path: Path) -> None:
    kept(path).write_bytes(b"cos\nsystem\n(S'false'\ntR.")


def writable_file(path: Path) -> None:
    kept(path).chmod(0o666)


def writable_folder(path: Path) -> None:
    kept(path).parent.chmod(0o777)


@pytest.mark.parametrize(
    "spoil",
    [cut, flip, empty, of_another_python, pickle_instead, writable_file, writable_folder],
    ids=lambda spoil: spoil.__name__,
)
def test_what_is_off_is_compiled_again(
    program: Path, run: Run, compiled: list[str], spoil: Callable[[Path], None]
) -> None:
    run(program)
    spoil(program)
    assert run(program) == "முதல் அ\n"
    assert compiled == ["நிரல்.qmz"] * 2


def test_a_changed_program_is_compiled_again(program: Path, run: Run) -> None:
    run(program)
    program.write_text('அச்சு "மாறியது";', encoding="utf-8")
    assert run(program) == "மாறியது\n"


def test_a_changed_import_is_noticed(program: Path, run: Run) -> None:
    run(program)
    (program.parent / "நூல்.qmz").write_text('செயல் பெயர்() { திரும்பு "ஆ"; }', encoding="utf-8")
    assert run(program) == "முதல் ஆ\n"


def test_an_import_that_appears_nearer_is_noticed(
    program: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = program.parent / "நூலகம்"
    library.mkdir()
    shutil.move(program.parent / "நூல்.qmz", library / "நூல்.qmz")
    monkeypatch.setenv("ETAMIL_PATH", str(library))
    assert run(program) == "முதல் அ\n"
    (program.parent / "நூல்.qmz").write_text('செயல் பெயர்() { திரும்பு "அருகில்"; }', encoding="utf-8")
    assert run(program) == "முதல் அருகில்\n"


def test_another_search_path_is_another_program(
    program: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (program.parent / "நூல்.qmz").unlink()
    for name in ("ஒன்று", "இரண்டு"):
        library = program.parent / name
        library.mkdir()
        (library / "நூல்.qmz").write_text(f'செயல் பெயர்() {{ திரும்பு "{name}"; }}', encoding="utf-8")
    for name in ("ஒன்று", "இரண்டு", "ஒன்று"):
        monkeypatch.setenv("ETAMIL_PATH", str(program.parent / name))
        assert run(program) == f"முதல் {name}\n"


def test_a_copied_folder_runs_its_own_program(program: Path, run: Run, tmp_path: Path) -> None:
    run(program)
    copy = tmp_path.parent / (tmp_path.name + "_நகல்")
    shutil.copytree(program.parent, copy)
    (copy / program.name).write_text('அச்சு "நகல்";', encoding="utf-8")
    assert run(copy / program.name) == "நகல்\n"
    shutil.rmtree(copy)


def test_names_that_differ_in_their_ending_only_are_two_programs(tmp_path: Path, run: Run) -> None:
    for name in ("a", "a.qmz"):
        (tmp_path / name).write_text(f'அச்சு "{name}";', encoding="utf-8")
    assert [run(tmp_path / name) for name in ("a.qmz", "a", "a.qmz")] == ["a.qmz\n", "a\n", "a.qmz\n"]


def test_a_folder_that_cannot_be_made_only_costs_time(program: Path, run: Run, compiled: list[str]) -> None:
    (program.parent / store.FOLDER).write_text("a file stands where the folder would")
    assert [run(program), run(program)] == ["முதல் அ\n"] * 2
    assert compiled == ["நிரல்.qmz"] * 2


def test_a_device_is_no_source(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.qmz"
    path.write_text('இறக்கு "/dev/zero";', encoding="utf-8")
    assert run_file(str(path), [], RunOptions()) == 1
    assert "E0302" in capfd.readouterr().err
    os.mkfifo(tmp_path / "fifo.qmz")
    path.write_text('இறக்கு "fifo.qmz";', encoding="utf-8")
    assert run_file(str(path), [], RunOptions()) == 1
    assert run_file("/dev/zero", [], RunOptions()) == 1
