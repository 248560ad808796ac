"""Runs the golden programs (``cases.py`` tells how they are written) and compares.

The recorded messages beside them (``*.messages.txt``) hold what a person would see. They are
written anew with ``ETAMIL_RECORD=1`` and meant to be read when they change.
"""

from __future__ import annotations

import difflib
import functools
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from etamil_actors.language.problems import Problem, render
from etamil_actors.script import LIBRARY, Outcome, check_text, run_text
from tests.golden.cases import HERE, MAIN, Case, Expected, all_cases

CASES = all_cases()
CASE_OF = {case.id: case for case in CASES}
FOUNDING = sorted((HERE / "founding").glob("*.qmz"))
RECORD = bool(os.environ.get("ETAMIL_RECORD"))


@functools.cache
def outcome_of(identity: str) -> Outcome:
    """Run or check the program of a case."""
    case = CASE_OF[identity]
    if not case.runs:
        return check_text(case.text, name=MAIN, files=case.files)
    return run_text(
        case.text,
        name=MAIN,
        stdin="".join(line + "\n" for line in case.stdin),
        environment=case.environment,
        files=dict(case.files),
        seconds=case.seconds,
    )


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_golden_program(case: Case) -> None:
    outcome = outcome_of(case.id)
    if case.service and outcome.fault and outcome.fault.code == "not_here":
        pytest.skip("the words of this case need a running service")
    problems = [(*place_of(outcome, problem), problem.code) for problem in outcome.problems]
    reported = messages_of(outcome)
    assert unmatched(case.problems, problems) == [], f"{case.text}\n\n{reported}"
    assert fault_of(outcome) == fault_wanted(case, outcome), f"{case.text}\n\n{outcome.errors}"
    assert outcome.output == "".join(line + "\n" for line in case.output), (
        difference(case.output, outcome.output.splitlines()) + f"\n\n{outcome.errors}"
    )
    assert outcome.status == case.expected_status, outcome.errors


@pytest.mark.parametrize("source", dict.fromkeys(case.source for case in CASES))
def test_the_messages_of_golden_programs_are_as_recorded(source: str) -> None:
    said = "".join(
        f"── {case.title}\n{messages_of(outcome_of(case.id))}\n\n"
        for case in CASES
        if case.source == source and (case.problems or case.fault)
    )
    recorded = HERE / f"{source}.messages.txt"
    if RECORD:
        write(recorded, said)
    elif said:
        assert recorded.read_text(encoding="utf-8") == said, "read the new messages, then ETAMIL_RECORD=1"


def write(path: Path, text: str) -> None:
    if text:
        path.write_text(text, encoding="utf-8", newline="\n")
    else:
        path.unlink(missing_ok=True)


def messages_of(outcome: Outcome) -> str:
    """What a person would see of problems and errors."""
    shown = [render(problem, outcome.sources).rstrip() for problem in outcome.problems]
    said = "\n".join([*shown, outcome.errors.rstrip()] if outcome.errors else shown)
    return said.replace(LIBRARY, "LIBRARY")


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_a_founding_program_loads_and_checks(path: Path) -> None:
    outcome = check_text(path.read_text(encoding="utf-8"), name=path.name)
    errors = [problem for problem in outcome.problems if problem.code.startswith("E")]
    assert not errors, messages_of(outcome)
    assert {problem.code for problem in outcome.problems} <= {"W0101"}
    assert outcome.status == 0


def place_of(outcome: Outcome, problem: Problem) -> tuple[str, int]:
    source = outcome.sources.find(problem.start)
    return source.name, source.line_of(problem.start)


def unmatched(expected: list[Expected], found: Iterable[tuple[str, int, str]]) -> list[str]:
    """What was expected and did not come, and what came unexpected."""
    left = sorted(set(found))
    missing = []
    for wanted in expected:
        hit = next(
            (one for one in left if one[:2] == wanted[:2] and one[2] in wanted.codes), None
        )
        if hit is None:
            missing.append(f"missing {wanted}")
        else:
            left.remove(hit)
    return missing + [f"unexpected {file}:{line} {code}" for file, line, code in left]


def fault_of(outcome: Outcome) -> tuple[str, int, str] | None:
    if outcome.fault is None:
        return None
    frame = outcome.fault.trace[0]
    return frame.file, frame.line, outcome.fault.code


def fault_wanted(case: Case, outcome: Outcome) -> tuple[str, int, str] | None:
    """The expected error; of alternatives the one that came, if it is among them."""
    if case.fault is None:
        return None
    came = outcome.fault.code if outcome.fault else ""
    codes = case.fault.codes
    return case.fault.file, case.fault.line, came if came in codes else "/".join(sorted(codes))


def difference(expected: list[str], found: list[str]) -> str:
    return "\n".join(difflib.unified_diff(expected, found, "expected", "printed", lineterm=""))
