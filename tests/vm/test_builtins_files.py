"""Files, packages, environment, other programs (REFERENCE §16, §17, §27)."""

from __future__ import annotations

import io
import random
import warnings
import zipfile
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.errors import BudgetSpent, ExitRequested, Fault
from etamil_actors.ports import ProgramResult
from etamil_actors.resources.system import SimulatedProgram
from etamil_actors.vm import packages
from etamil_actors.vm.builtins import files as statements
from etamil_actors.vm.builtins.files import may_run
from etamil_actors.vm.effects import RunProgram
from etamil_actors.vm.limits import VALUE_BYTES
from etamil_actors.vm.values import Err, Ok

Call = Callable[..., Any]


def fails(code: str) -> Any:
    """An error with this code is raised inside."""
    return pytest.raises(Fault, check=lambda fault: fault.code == code)


def value(answer: object) -> Any:
    assert isinstance(answer, Ok), answer
    return answer.value


def failure(answer: object) -> str:
    assert isinstance(answer, Err), answer
    assert "  (" in answer.value, "in both languages"
    return str(answer.value)


# ── statements ──────────────────────────────────────────────────────────────────────────────────────


def test_lines_are_appended_and_read(machine: Any) -> None:
    statements.append_line(machine, "a.txt", "ஒன்று")
    statements.append_line(machine, "a.txt", [1, Decimal("2.50"), None])
    assert machine.files.contents["/a.txt"].decode() == "ஒன்று\n[1, 2.5, nil]\n"
    assert statements.read_file(machine, "a.txt") == "ஒன்று\n[1, 2.5, nil]"


def test_only_the_mode_write_does_something(machine: Any) -> None:
    statements.open_file(machine, "a.txt", "append")
    statements.open_file(machine, "a.txt", "read")
    assert not machine.files.contents
    statements.open_file(machine, "a.txt", "write")
    assert machine.files.contents == {"/a.txt": b""}
    statements.append_line(machine, "a.txt", "x")
    statements.open_file(machine, "a.txt", "எழுது")
    statements.close_file(machine, "a.txt")
    statements.close_file(machine, "never opened")
    assert machine.files.contents == {"/a.txt": b"x\n"}


@pytest.mark.parametrize(
    ("content", "text"), [("a\n\n\n", "a"), ("\na\nb", "\na\nb"), ("a\r\n", "a\r"), ("", ""), ("\n", "")]
)
def test_line_feeds_at_the_end_are_not_read(make_machine: Any, content: str, text: str) -> None:
    assert statements.read_file(make_machine({"a": content}), "a") == text


@pytest.mark.parametrize(
    ("content", "rows"),
    [("", 0), ("h\n", 0), ("h\n1\n2\n", 2), ("h\n\n 1\n \t\r\n2", 2), ("\n\nh\n1", 1), ("h\r\n1\r\n\r\n", 1)],
)
def test_data_rows_are_counted(make_machine: Any, content: str, rows: int) -> None:
    assert statements.count_rows(make_machine({"a.csv": content}), "a.csv") == rows


def test_a_file_statement_that_fails_is_an_error(make_machine: Any) -> None:
    machine = make_machine({"bad": b"\xff", "folder/x": b""})
    with pytest.raises(Fault) as caught:
        statements.read_file(machine, "இல்லை.txt")
    assert caught.value.code == "file"
    assert caught.value.message == (
        "கோப்பு ‘இல்லை.txt’: அப்படி ஒன்று இல்லை  (file ‘இல்லை.txt’: there is no such file or folder)"
    )
    for attempt in (
        lambda: statements.read_file(machine, "bad"),
        lambda: statements.count_rows(machine, "bad"),
        lambda: statements.count_rows(machine, "missing"),
        lambda: statements.append_line(machine, "no/folder/x", "y"),
        lambda: statements.open_file(machine, "folder", "write"),
        lambda: statements.read_file(machine, "a\0b"),
    ):
        with fails("file"):
            attempt()


def test_a_file_that_is_too_large_ends_the_activity(make_machine: Any) -> None:
    machine = make_machine({"large": b"x" * (VALUE_BYTES + 1)})
    with pytest.raises(BudgetSpent):
        statements.read_file(machine, "large")


def test_input_is_trimmed_and_ends_in_nothing(make_machine: Any) -> None:
    machine = make_machine(stdin="  ஒன்று \r\n\nஇரண்டு")
    assert [statements.read_input(machine) for _ in range(4)] == ["ஒன்று", "", "இரண்டு", ""]


# ── files as results ────────────────────────────────────────────────────────────────────────────────


def test_saving_a_file(machine: Any) -> None:
    assert value(machine.call("கோப்பு_சேமி", "a.txt", "மலர்")) == 12
    assert value(machine.call("கோப்பு_சேமி", "a.txt", 5)) == 1
    assert machine.files.contents == {"/a.txt": b"5"}
    assert "no such file" in failure(machine.call("கோப்பு_சேமி", "no/a.txt", "x"))
    assert "path is not valid" in failure(machine.call("கோப்பு_சேமி", "a\0b", "x"))


def test_listing_a_folder(make_machine: Any) -> None:
    machine = make_machine({"d/b": "", "d/அ": "", "d/a": "", "d/e/f": ""})
    assert value(machine.call("கோப்பகம்_படி", "d")) == ["a", "b", "e", "அ"]
    assert "no such file" in failure(machine.call("கோப்பகம்_படி", "x"))
    assert "no folder" in failure(machine.call("கோப்பகம்_படி", "d/a"))


def test_asking_about_a_path(make_machine: Any) -> None:
    machine = make_machine({"d/b": "அ"})
    assert machine.call("கோப்பு_உள்ளதா", "d/b") is True
    assert machine.call("கோப்பு_உள்ளதா", "d") is True
    assert machine.call("கோப்பு_உள்ளதா", "x") is False
    assert value(machine.call("கோப்பு_விவரம்", "d/b")) == {"வகை": "கோப்பு", "அளவு": 3, "மாற்றம்": 1_767_225_600}
    assert value(machine.call("கோப்பு_விவரம்", "d"))["வகை"] == "கோப்பகம்"
    assert "no such file" in failure(machine.call("கோப்பு_விவரம்", "x"))


def test_every_trouble_has_words(machine: Any) -> None:
    for number in range(1, 140):
        tamil, english = statements.words_of(OSError(number, "Reason"))
        assert tamil
        assert english
    assert statements.words_of(OSError("odd")) == ("இயக்க முறைமை மறுத்தது: ?", "the system refused: ?")


# ── packages ────────────────────────────────────────────────────────────────────────────────────────


def package(*, first: bytes = b"") -> bytes:
    out = io.BytesIO()
    out.write(first)
    with zipfile.ZipFile(out, "a") as made:
        made.writestr("mimetype", "application/vnd.oasis.opendocument.text", zipfile.ZIP_STORED)
        made.writestr("content.xml", "<a>" + "பழையது " * 100 + "</a>", zipfile.ZIP_DEFLATED)
        made.writestr("படம்.png", random.Random(1).randbytes(500), zipfile.ZIP_STORED)
        made.writestr("bzip", "x" * 100, zipfile.ZIP_BZIP2)
        made.writestr("folder/", "")
        info = zipfile.ZipInfo("noted", (2020, 2, 29, 13, 14, 58))
        info.external_attr, info.comment, info.extra = 0o755 << 16, "குறிப்பு".encode(), b"\x99\x99\x02\x00ab"
        made.writestr(info, "y" * 50, zipfile.ZIP_DEFLATED)
        made.comment = b"whole"
    return out.getvalue()


def test_reading_an_entry(make_machine: Any) -> None:
    machine = make_machine({"a.odt": package(), "no.zip": b"PK hello", "bad.zip": package()[:-30]})
    assert value(machine.call("பொதி_படி", "a.odt", "mimetype")) == "application/vnd.oasis.opendocument.text"
    assert value(machine.call("பொதி_படி", "a.odt", "content.xml")).count("பழையது") == 100
    assert "no entry" in failure(machine.call("பொதி_படி", "a.odt", "other"))
    assert "no UTF-8" in failure(machine.call("பொதி_படி", "a.odt", "படம்.png"))
    assert "unknown way" in failure(machine.call("பொதி_படி", "a.odt", "bzip"))
    assert "no ZIP package" in failure(machine.call("பொதி_படி", "no.zip", "x"))
    assert "no ZIP package" in failure(machine.call("பொதி_படி", "bad.zip", "mimetype"))
    assert "no such file" in failure(machine.call("பொதி_படி", "x", "x"))


@pytest.mark.parametrize("first", [b"", b"#!/bin/sh something in front\n"])
def test_changing_a_package(make_machine: Any, first: bytes) -> None:
    before = package(first=first)
    machine = make_machine({"a.odt": before})
    changes = {"content.xml": "<b>புதியது</b>", "mimetype": "text/x"}
    assert value(machine.call("பொதி_மாற்று", "a.odt", "b.odt", changes)) == 6
    after = machine.files.contents["/b.odt"]
    assert after[:4] == b"PK\x03\x04"
    assert after[26:46] == b"\x08\x00\x00\x00mimetypetext/x" + b"PK", "stored first, without extra fields"
    with zipfile.ZipFile(io.BytesIO(before)) as old, zipfile.ZipFile(io.BytesIO(after)) as new:
        assert new.testzip() is None
        assert new.namelist() == old.namelist()
        assert new.comment == b"whole"
        assert new.read("content.xml").decode() == "<b>புதியது</b>"
        assert new.read("mimetype") == b"text/x"
        assert new.getinfo("mimetype").compress_type == zipfile.ZIP_STORED
        assert new.getinfo("content.xml").compress_type == zipfile.ZIP_DEFLATED
        for name in ("படம்.png", "bzip", "folder/", "noted"):
            one, two = old.getinfo(name), new.getinfo(name)
            for fact in (
                "compress_type",
                "CRC",
                "date_time",
                "external_attr",
                "comment",
                "extra",
                "create_system",
            ):
                assert getattr(one, fact) == getattr(two, fact), (name, fact)
            assert old.read(name) == new.read(name)


MOMENT = (2026, 11, 21, 21, 30, 59)


def test_a_new_package_is_read_by_others() -> None:
    contents = {"a.txt": b"short", "folder/ஆ.md": "வணக்கம் ".encode() * 500, "empty": b""}
    with zipfile.ZipFile(io.BytesIO(packages.packed(contents, MOMENT))) as found:
        assert found.testzip() is None
        assert {name: found.read(name) for name in found.namelist()} == contents
        assert list(contents) == found.namelist()
        assert {one.date_time for one in found.infolist()} == {(2026, 11, 21, 21, 30, 58)}
        methods = {one.filename: one.compress_type for one in found.infolist()}
    assert methods["a.txt"] == zipfile.ZIP_STORED and methods["folder/ஆ.md"] == zipfile.ZIP_DEFLATED


def test_a_new_package_is_read_by_ourselves_and_may_be_empty() -> None:
    package = packages.Package(packages.packed({"அ": b"x"}, (1970, 1, 1, 0, 0, 0)))
    assert package.read("அ") == b"x"
    assert not zipfile.ZipFile(io.BytesIO(packages.packed({}, MOMENT))).namelist()


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a\\b", "c:a", "a\nb", "a\x00", "x" * 70_000]
)
def test_an_entry_never_leads_out_of_its_folder(name: str) -> None:
    with pytest.raises(packages.BadPackage):
        packages.packed({name: b""}, MOMENT)


def test_a_new_package_has_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "VALUE_BYTES", 1000)
    with pytest.raises(BudgetSpent):
        packages.packed({"a": b"x" * 600, "b": b"x" * 600}, MOMENT)
    with pytest.raises(packages.BadPackage):
        packages.packed({str(number): b"" for number in range(70_000)}, MOMENT)


def test_a_package_may_be_changed_in_place_and_without_changes(make_machine: Any) -> None:
    machine = make_machine({"a.odt": package()})
    assert value(machine.call("பொதி_மாற்று", "a.odt", "a.odt", {})) == 6
    assert value(machine.call("பொதி_மாற்று", "a.odt", "a.odt", {"content.xml": 5})) == 6
    assert value(machine.call("பொதி_படி", "a.odt", "content.xml")) == "5"


def test_changing_fails(make_machine: Any) -> None:
    machine = make_machine({"a.odt": package()})
    assert "no entry" in failure(machine.call("பொதி_மாற்று", "a.odt", "b.odt", {"new.xml": "x"}))
    assert "no such file" in failure(machine.call("பொதி_மாற்று", "x.odt", "b.odt", {}))
    assert "no such file" in failure(machine.call("பொதி_மாற்று", "a.odt", "no/b.odt", {}))
    assert list(machine.files.contents) == ["/a.odt"]
    with fails("value.kind"):
        machine.call("பொதி_மாற்று", "a.odt", "b.odt", [])


def test_sizes_written_behind_and_sizes_of_64_bits_are_understood(make_machine: Any) -> None:
    class Stream(io.RawIOBase):
        """Cannot go back, so that sizes have to be written behind."""

        def __init__(self) -> None:
            super().__init__()
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            self.data += bytes(data)
            return len(data)

    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        with made.open("wide", "w", force_zip64=True) as entry:
            entry.write(b"w" * 1000)
        made.writestr("behind", "b" * 1000)
    machine = make_machine({"a.zip": stream.data})
    assert value(machine.call("பொதி_படி", "a.zip", "wide")) == "w" * 1000
    assert value(machine.call("பொதி_மாற்று", "a.zip", "b.zip", {"behind": "new"})) == 2
    with zipfile.ZipFile(io.BytesIO(machine.files.contents["/b.zip"])) as copy:
        assert copy.testzip() is None
        assert (copy.read("wide"), copy.read("behind")) == (b"w" * 1000, b"new")


@pytest.mark.parametrize(
    ("raw", "name"), [(b"caf\x82", "café"), ("கடை".encode(), "கடை"), (b"plain", "plain")]
)
def test_names_without_the_flag_of_utf8(make_machine: Any, raw: bytes, name: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("N" * len(raw), "அ")
    machine = make_machine({"a.zip": out.getvalue().replace(b"N" * len(raw), raw)})
    assert value(machine.call("பொதி_படி", "a.zip", name)) == "அ"
    assert value(machine.call("பொதி_மாற்று", "a.zip", "b.zip", {name: "ஆ"})) == 1
    assert value(machine.call("பொதி_படி", "b.zip", name)) == "ஆ"


def test_a_bomb_ends_the_activity(make_machine: Any) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("bomb", bytes(VALUE_BYTES + 1))
        made.writestr("small", "x")
    lying = bytearray(out.getvalue())
    place = lying.find(b"PK\x01\x02")
    lying[place + 24 : place + 28] = (5).to_bytes(4, "little")
    machine = make_machine({"a.zip": out.getvalue(), "lying.zip": bytes(lying)})
    for path in ("a.zip", "lying.zip"):
        with pytest.raises(BudgetSpent):
            machine.call("பொதி_படி", path, "bomb")
    assert value(machine.call("பொதி_மாற்று", "a.zip", "b.zip", {"small": "y"})) == 2, "it is never unpacked"


def test_entries_that_share_their_bytes_end_the_activity(
    make_machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "VALUE_BYTES", 10_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.writestr("x", b"x" * 5000)
        for _ in range(5):
            made.filelist.append(made.filelist[0])
    machine = make_machine({"a.zip": out.getvalue()})
    with pytest.raises(BudgetSpent):
        machine.call("பொதி_மாற்று", "a.zip", "b.zip", {})


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.binary(max_size=80),
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=6),
    st.integers(0, 3000),
)
def test_any_bytes_as_a_package_end_in_a_result(
    make_machine: Any, tail: bytes, changes: Any, cut: int
) -> None:
    data = bytearray(package())
    for place, byte in changes:
        data[place % len(data)] = byte
    machine = make_machine({"a": bytes(data[:cut]), "b": bytes(data), "c": tail, "d": bytes(data[-cut:])})
    for path in "abcd":
        for name in ("content.xml", "noted", "mimetype"):
            assert isinstance(machine.call("பொதி_படி", path, name), (Ok, Err))
        assert isinstance(machine.call("பொதி_மாற்று", path, "out", {"content.xml": "x"}), (Ok, Err))


# ── environment, programs, the end ──────────────────────────────────────────────────────────────────


def test_environment_variables(make_machine: Any) -> None:
    machine = make_machine(environment={"A": "மலர்", "EMPTY": ""})
    assert machine.call("சூழல்", "A", 5) == "மலர்"
    assert machine.call("சூழல்", "EMPTY", 5) == ""
    assert machine.call("சூழல்", "B", 5) == 5
    assert machine.call("சுற்றுச்சூழல்_பெறு", "A") == "மலர்"
    assert machine.call("சுற்றுச்சூழல்_பெறு", "B") is None
    assert machine.call("env", "B", [1]) == [1]


def programs() -> dict[str, SimulatedProgram]:
    return {
        "git": SimulatedProgram(lambda words: ProgramResult(0, " ".join(words).encode(), b"\xff")),
        "/usr/bin/slow": SimulatedProgram(lambda words: ProgramResult(0, b"", b""), 10),
        "loud": SimulatedProgram(lambda words: ProgramResult(0, b"x" * (VALUE_BYTES + 1), b"")),
        "killed": SimulatedProgram(lambda words: ProgramResult(-1, b"", b"")),
    }


def test_running_a_program(make_machine: Any) -> None:
    machine = make_machine(
        environment={"ETAMIL_EXEC_ALLOW": "git:/usr/bin/slow:loud:killed:absent"}, programs=programs()
    )
    assert value(machine.call("கட்டளை_ஓட்டு", "git", ["log", 5, None], 20)) == {
        "நிலை": 0, "வெளியீடு": "log 5 nil", "பிழை": "\ufffd",
    }  # fmt: skip
    assert value(machine.call("கட்டளை_ஓட்டு", "killed", [], 20))["நிலை"] == -1
    assert "time was over" in failure(machine.call("கட்டளை_ஓட்டு", "/usr/bin/slow", [], 9))
    assert "too large" in failure(machine.call("கட்டளை_ஓட்டு", "loud", [], 9))
    assert "no such file" in failure(machine.call("கட்டளை_ஓட்டு", "absent", [], 9))
    assert "path is not valid" in failure(machine.call("கட்டளை_ஓட்டு", "git", ["a\0"], 9))
    with fails("value.kind"):
        machine.call("கட்டளை_ஓட்டு", "git", "log", 9)


@pytest.mark.parametrize(
    ("seconds", "given"), [(-5, 0.0), ("x", 0.0), (Decimal("0.5"), 0.5), (10**28, 366 * 86_400.0)]
)
def test_the_time_of_a_program_is_sensible(make_machine: Any, seconds: object, given: float) -> None:
    machine = make_machine(environment={"ETAMIL_EXEC_ALLOW": "git"}, programs=programs())
    machine.call("கட்டளை_ஓட்டு", "git", [], seconds)
    (effect,) = machine.performed
    assert isinstance(effect, RunProgram)
    assert effect.seconds == given


@pytest.mark.parametrize("allowed", [None, "", "ls", ":", "/usr/bin/git/"])
def test_a_program_that_is_not_allowed_is_not_started(make_machine: Any, allowed: str | None) -> None:
    machine = make_machine(
        environment={} if allowed is None else {"ETAMIL_EXEC_ALLOW": allowed}, programs=programs()
    )
    assert "ETAMIL_EXEC_ALLOW" in failure(machine.call("கட்டளை_ஓட்டு", "git", [], 5))
    assert machine.performed == []


@pytest.mark.parametrize(
    ("program", "allowed", "may"),
    [
        ("git", "git", True),
        ("git", "ls:git", True),
        ("/usr/bin/git", "git", True),
        ("git", "/usr/bin/git", True),
        ("/usr/bin/git", "/usr/bin/git", True),
        ("/tmp/git", "/usr/bin/git", False),
        ("./git", "/usr/bin/git", False),
        ("gitk", "git", False),
        ("", "", False),
        ("", ":", False),
        ("/", "/", False),
        ("/usr/bin/", "", False),
        ("git:ls", "git:ls", False),
        ("GIT", "git", False),
    ],
)
def test_what_may_be_run(program: str, allowed: str, may: bool) -> None:
    assert may_run(program, allowed) is may


@pytest.mark.parametrize(
    ("status", "exit_status"),
    [(0, 0), (3, 3), (255, 255), ("7", 7), (Decimal("2.9"), 2), (256, 1), (-1, 1), (10**28, 1)],
)
def test_leaving(call: Call, status: object, exit_status: int) -> None:
    with pytest.raises(ExitRequested) as caught:
        call("வெளியேறு", status)
    assert caught.value.status == exit_status
