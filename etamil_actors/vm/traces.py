"""From a Python exception to an error of the program, with program places.

Compiled code keeps the program's places in its code objects, so a Python traceback *is* the
program's call trace: frames of our own helpers are left out, names are mapped back.
"""

from __future__ import annotations

import sys
from types import CodeType, FrameType, TracebackType

from etamil_actors.errors import BudgetSpent, Fault, Frame
from etamil_actors.language.program import FILE_MARK, NO_PLACE, unpack
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.operations import Propagate
from etamil_actors.vm.values import Value

LONGEST_TRACE = 40
"""Frames kept of a trace: the innermost and the outermost halves."""


def fault_of(problem: Exception, files: tuple[str, ...], depth: int, *, callers: bool = False) -> Fault:
    """The program's error that this exception stands for, its trace filled in.

    With ``callers`` the frames outside the place of catching are added, for a trace that goes
    all the way out.
    """
    fault = _translated(problem, depth)
    if not fault.trace:
        frames = _frames(problem.__traceback__, files)
        if fault.code == "call.depth":  # the place is the call that could not be made
            frames = frames[1:] or frames
        if callers:
            frames += _callers(sys._getframe(1), files)
        fault.trace = _shortened(frames)
    if fault.earlier is None:
        earlier = _replaced(problem)
        if earlier is not None and earlier is not fault:
            fault.earlier = fault_of(earlier, files, depth)
    return fault


def _replaced(problem: BaseException) -> Fault | Propagate | None:
    """The program's error that was being handled when this one came up."""
    earlier = problem.__context__
    while earlier is not None and not isinstance(earlier, (Fault, Propagate)):
        earlier = earlier.__context__  # a speculation that failed stands in between
    return earlier


def _translated(problem: Exception, depth: int) -> Fault:
    if isinstance(problem, Fault):
        return problem
    if isinstance(problem, Propagate):
        value = problem.result.value
        return Fault("result", text=_shown(value), details={"value": value})
    if isinstance(problem, NameError) and _is_the_programs(problem.__traceback__):
        return Fault("name.undefined", name=_quoted(str(problem)))
    if isinstance(problem, RecursionError):
        return Fault("call.depth", limit=depth)
    if isinstance(problem, MemoryError):
        return Fault("internal", problem="MemoryError")
    return Fault("internal", problem=f"{type(problem).__name__}: {problem}")


def _is_the_programs(traceback: TracebackType | None) -> bool:
    """Was it raised by program code itself, and not by ours?"""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_code.co_filename == FILE_MARK


def _shown(value: Value) -> str:
    """A value in a message; one that is too large to print is named by its kind."""
    try:
        return text_of(value)
    except BudgetSpent:
        return kind_of(value)


def _quoted(message: str) -> str:
    """The name in CPython's message about a variable without a value."""
    parts = message.split("'")
    return parts[1][2:] if len(parts) > 2 else "?"


def _frames(traceback: TracebackType | None, files: tuple[str, ...]) -> list[Frame]:
    frames: list[Frame] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename == FILE_MARK and traceback.tb_lineno != NO_PLACE:
            frames.append(_frame(code, traceback.tb_lasti, traceback.tb_lineno, files))
        traceback = traceback.tb_next
    frames.reverse()
    return frames


def _callers(frame: FrameType | None, files: tuple[str, ...]) -> list[Frame]:
    frames: list[Frame] = []
    inside = True
    while frame is not None:
        code = frame.f_code
        if code.co_filename == FILE_MARK:
            # The innermost one caught the error: the traceback has it already.
            if not inside and frame.f_lineno != NO_PLACE:
                frames.append(_frame(code, frame.f_lasti, frame.f_lineno, files))
            inside = False
        frame = frame.f_back
    return frames


def stands_at(frame: FrameType | None, files: tuple[str, ...]) -> str | None:
    """Where code of a program stands that waits: the file and line of the innermost call."""
    while frame is not None:
        if frame.f_code.co_filename == FILE_MARK and frame.f_lineno != NO_PLACE:
            file, line = unpack(frame.f_lineno)
            return f"{files[file]}:{line}" if file < len(files) else None
        frame = frame.f_back
    return None


def _frame(code: CodeType, instruction: int, packed: int, files: tuple[str, ...]) -> Frame:
    column = 1
    for place, (_line, _end, start, _stop) in enumerate(code.co_positions()):
        if place == instruction // 2:
            column = (start or 0) + 1
            break
    file, line = unpack(packed)
    name = files[file] if file < len(files) else "?"
    return Frame(name, line, column, _function(code.co_name))


def _function(name: str) -> str:
    """The name in the program of a compiled function."""
    if name.startswith(("f_", "i_", "s_")):
        return name[2:]
    return "செயல்" if name.startswith("m_") else ""


def _shortened(frames: list[Frame]) -> list[Frame]:
    if len(frames) <= LONGEST_TRACE:
        return frames
    half = LONGEST_TRACE // 2
    return frames[:half] + frames[-half:]
