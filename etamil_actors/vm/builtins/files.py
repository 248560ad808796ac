"""Files, packages and other programs (REFERENCE §16, §17, §27).

First the file and console statements, which compiled code calls by name and which raise
``file`` when something is wrong; then the builtins, which answer a தவறு instead. Both say what
happened in the same words, by one table of the system's errors.

A *package* is a ZIP file such as an ODF document; how one is made stands in ``vm/packages.py``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from etamil_actors.errors import ExitRequested, Fault
from etamil_actors.vm.builtins.errors import failed
from etamil_actors.vm.builtins.registry import implements
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.effects import (
    FileExists,
    FileInfo,
    ListFolder,
    ReadFile,
    ReadLine,
    RunProgram,
    WriteFile,
)
from etamil_actors.vm.limits import VALUE_BYTES, admit_array, admit_text, too_large
from etamil_actors.vm.number import WHITE_SPACE, truncate
from etamil_actors.vm.packages import BadPackage, Package
from etamil_actors.vm.values import Err, Number, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.vm.machine import Machine

EFBIG = 27
"""``errno.EFBIG``, which is the same everywhere and spares an import."""

LONGEST_RUN = 366 * 86_400
"""Seconds after which another program is killed whatever the program says."""


# ── statements ──────────────────────────────────────────────────────────────────────────────────────


def open_file(machine: Machine, path: str, mode: str) -> None:
    """``கோப்பு_திற``: the mode ``write`` creates or empties the file; any other says nothing more."""
    if mode == "write":
        _write(machine, path, b"", append=False)


def close_file(machine: Machine, path: str) -> None:
    """``கோப்பு_மூடு``: every statement closes its file by itself, so there is nothing to do."""


def read_file(machine: Machine, path: str) -> str:
    """``கோப்பு_படி``: the whole file as text, without the line feeds at its end."""
    return _text_of_file(machine, path).rstrip("\n")


def count_rows(machine: Machine, path: str) -> int:
    """``தரவுரை_படி``: how many data rows: lines that are not blank, without the heading."""
    lines = _text_of_file(machine, path).split("\n")
    return max(0, sum(bool(line.strip(WHITE_SPACE)) for line in lines) - 1)


def append_line(machine: Machine, path: str, value: Value) -> None:
    """``கோப்பு_எழுது`` and ``தரவுரை_எழுது``: append the text of a value and a line feed."""
    _write(machine, path, (text_of(value) + "\n").encode(), append=True)


def read_input(machine: Machine) -> str:
    """``உள்ளிடு``: one line of standard input, trimmed; "" at its end."""
    line: str = machine.perform(ReadLine())
    return line.strip(WHITE_SPACE)


def _text_of_file(machine: Machine, path: str) -> str:
    try:
        return _decoded(_bytes_of_file(machine, path))
    except OSError as trouble:
        raise _file_fault(path, *words_of(trouble)) from None
    except _NotText as problem:
        raise _file_fault(path, problem.tamil, problem.english) from None


def _write(machine: Machine, path: str, data: bytes, append: bool) -> None:
    try:
        machine.perform(WriteFile(path, data, append))
    except OSError as trouble:
        raise _file_fault(path, *words_of(trouble)) from None


def _file_fault(path: str, tamil: str, english: str) -> Fault:
    return Fault("file", path=path, problem_ta=tamil, problem_en=english)


# ── words for trouble ───────────────────────────────────────────────────────────────────────────────

WORDS: tuple[tuple[type[OSError], str, str], ...] = (
    (FileNotFoundError, "அப்படி ஒன்று இல்லை", "there is no such file or folder"),
    (PermissionError, "அனுமதி இல்லை", "permission denied"),
    (IsADirectoryError, "இது ஒரு கோப்புறை", "this is a folder"),
    (NotADirectoryError, "பாதையில் கோப்புறை அல்லாத ஒன்று உள்ளது", "something on the path is no folder"),
    (FileExistsError, "ஏற்கெனவே உள்ளது", "it exists already"),
    (TimeoutError, "நேரம் முடிந்தது", "the time is over"),
    (BrokenPipeError, "மறுமுனை மூடப்பட்டது", "the other end has closed"),
)
OTHER_WORDS = {
    "EFBIG": ("மிகப் பெரியது", "it is too large"),
    "ENOSPC": ("இடம் போதவில்லை", "no space is left"),
    "EROFS": ("எழுத முடியாத இடம்", "the place is read-only"),
    "EINVAL": ("பாதை செல்லாது", "the path is not valid"),
    "ENAMETOOLONG": ("பெயர் மிக நீளமானது", "the name is too long"),
    "ELOOP": ("இணைப்புகள் சுழல்கின்றன", "the links go round in circles"),
    "ENOEXEC": ("இது ஓடக்கூடிய நிரல் அல்ல", "this is no program that can run"),
}


def words_of(trouble: OSError) -> tuple[str, str]:
    """What the system refused, in both languages."""
    from errno import errorcode

    for kind, tamil, english in WORDS:
        if isinstance(trouble, kind):
            return tamil, english
    name = errorcode.get(trouble.errno or 0, "")
    reason = (trouble.strerror or name or "?").lower()
    return OTHER_WORDS.get(name, (f"இயக்க முறைமை மறுத்தது: {reason}", f"the system refused: {reason}"))


class _NotText(Exception):
    """Bytes that are no UTF-8."""

    tamil = "இது UTF-8 உரை அல்ல"
    english = "this is no UTF-8 text"


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _NotText from None


def _bytes_of_file(machine: Machine, path: str) -> bytes:
    try:
        data: bytes = machine.perform(ReadFile(path, VALUE_BYTES))
    except OSError as trouble:
        if trouble.errno == EFBIG:
            raise too_large() from None
        raise
    return data


# ── files as results ────────────────────────────────────────────────────────────────────────────────


@implements("_fileSave", machine=True)
def file_save(machine: Machine, path: str, content: str) -> Ok | Err:
    """``கோப்பு_சேமி``: write exactly this content; answers the number of bytes."""
    try:
        return Ok(machine.perform(WriteFile(path, content.encode())))
    except OSError as trouble:
        return failed(*words_of(trouble))


@implements("_readDir", machine=True)
def read_folder(machine: Machine, path: str) -> Ok | Err:
    """``கோப்பகம்_படி``: the names in a folder, sorted."""
    try:
        names = machine.perform(ListFolder(path))
    except OSError as trouble:
        return failed(*words_of(trouble))
    admit_array(len(names))
    return Ok(sorted(names))


@implements("_fileExists", machine=True)
def file_exists(machine: Machine, path: str) -> bool:
    """``கோப்பு_உள்ளதா``: does the path exist?"""
    try:
        return bool(machine.perform(FileExists(path)))
    except OSError:
        return False


@implements("_fileInfo", machine=True)
def file_info(machine: Machine, path: str) -> Ok | Err:
    """``கோப்பு_விவரம்``: folder or file, bytes, seconds since 1970."""
    try:
        folder, size, changed = machine.perform(FileInfo(path))
    except OSError as trouble:
        return failed(*words_of(trouble))
    return Ok({"வகை": "கோப்பகம்" if folder else "கோப்பு", "அளவு": size, "மாற்றம்": changed})


# ── packages ────────────────────────────────────────────────────────────────────────────────────────


@implements("_packageRead", machine=True)
def package_read(machine: Machine, path: str, entry: str) -> Ok | Err:
    """``பொதி_படி``: one entry of a package as text."""
    try:
        return Ok(_decoded(Package(_bytes_of_file(machine, path)).read(entry)))
    except OSError as trouble:
        return failed(*words_of(trouble))
    except (BadPackage, _NotText) as problem:
        return failed(problem.tamil, problem.english)


@implements("_packageWrite", machine=True)
def package_write(machine: Machine, source: str, target: str, changes: dict[str, Value]) -> Ok | Err:
    """``பொதி_மாற்று``: copy a package with some entries replaced; answers how many it has."""
    try:
        package = Package(_bytes_of_file(machine, source))
        copy = package.changed({name: text_of(content).encode() for name, content in changes.items()})
        machine.perform(WriteFile(target, copy))
    except OSError as trouble:
        return failed(*words_of(trouble))
    except BadPackage as problem:
        return failed(problem.tamil, problem.english)
    return Ok(len(package.entries))


# ── environment, programs, the end ──────────────────────────────────────────────────────────────────


@implements("_env", machine=True)
def environment(machine: Machine, name: str, default: Value) -> Value:
    """``சூழல்``: an environment variable, or the default."""
    value = machine.world.environment(name)
    return default if value is None else value


@implements("_getEnv", machine=True)
def get_environment(machine: Machine, name: str, default: Value = None) -> Value:
    """``சுற்றுச்சூழல்_பெறு``: an environment variable, the default, or nothing."""
    return environment(machine, name, default)


@implements("_run", machine=True)
def run_program(machine: Machine, program: str, arguments: list[Value], seconds: Number) -> Ok | Err:
    """``கட்டளை_ஓட்டு``: run another program and answer how it ended."""
    if not may_run(program, machine.world.environment("ETAMIL_EXEC_ALLOW") or ""):
        return failed(
            f"‘{_shown(program)}’-ஐ ஓட்ட அனுமதி இல்லை; ETAMIL_EXEC_ALLOW அதைக் குறிப்பிடவில்லை",
            f"‘{_shown(program)}’ may not be run; ETAMIL_EXEC_ALLOW does not name it",
        )
    time = float(max(0, min(seconds, LONGEST_RUN)))
    texts = [text_of(argument) for argument in arguments]
    try:
        status, output, errors = machine.perform(RunProgram(program, texts, time, VALUE_BYTES))
    except TimeoutError:
        return failed("நேரம் முடிந்ததால் நிறுத்தப்பட்டது", "it was stopped because its time was over")
    except OSError as trouble:
        if trouble.errno == EFBIG:
            return failed("வெளியீடு மிகப் பெரியது", "its output is too large")
        return failed(*words_of(trouble))
    return Ok({"நிலை": status, "வெளியீடு": _output_text(output), "பிழை": _output_text(errors)})


def may_run(program: str, allowed: str) -> bool:
    """Does the list name this program?

    An entry matches the whole text of the program, or its file name. An entry and a program that
    both name a folder must name the same one: ``/usr/bin/git`` in the list does not allow
    ``/tmp/git``.
    """
    name = _file_name(program)
    if not name:
        return False
    for entry in allowed.split(";" if sys.platform == "win32" else ":"):
        if entry == program:
            return True
        if _file_name(entry) == name and name in (entry, program):
            return True
    return False


def _file_name(path: str) -> str:
    if sys.platform == "win32":
        path = path.replace("\\", "/")
    return path.rpartition("/")[2]


def _output_text(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    admit_text(len(text))
    return text


def _shown(text: str) -> str:
    return text if len(text) <= 80 else text[:80] + "…"


@implements("_exit")
def leave(status: Number) -> NoReturn:
    """``வெளியேறு``: end the process with this status, truncated; 1 if it does not fit."""
    whole = truncate(status)
    raise ExitRequested(whole if 0 <= whole <= 255 else 1)
