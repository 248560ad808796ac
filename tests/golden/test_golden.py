"""Runs the golden programs (``cases.py`` tells how they are written) and compares.

The recorded messages beside them (``*.messages.txt``) hold what a person would see. They are
written anew with ``ETAMIL_RECORD=1`` and meant to be read when they change.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

import pytest

from etamil_actors.language.problems import render
from etamil_actors.script import Outcome, check_text, run_text
from tests.golden.cases import HERE, MAIN, Case, Expected, all_cases

CASES = all_cases()
FOUNDING = sorted((HERE / "founding").glob("*.qmz"))


def outcome_of(case: Case) -> Outcome:
    """Run or check the program of a case."""
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
    outcome = outcome_of(case)
    if case.service and outcome.fault and outcome.fault.code == "not_here":
        pytest.skip("the words of this case need a running service")
    problems = [(*place_of(outcome, problem), problem.code) for problem in outcome.problems]
    reported = "\n".join(render(problem, outcome.sources) for problem in outcome.problems)
    assert unmatched(case.problems, problems) == [], f"{case.text}\n\n{reported}"
    assert fault_of(outcome) == fault_wanted(case, outcome), f"{case.text}\n\n{outcome.errors}"
    assert outcome.output == "".join(line + "\n" for line in case.output), (
        difference(case.output, outcome.output.splitlines()) + f"\n\n{outcome.errors}"
    )
    assert outcome.status == case.expected_status, outcome.errors


@pytest.mark.parametrize("path", FOUNDING, ids=[path.stem for path in FOUNDING])
def test_a_founding_program_loads_and_checks(path) -> None:
    outcome = check_text(path.read_text(encoding="utf-8"), name=path.name)
    errors = [problem for problem in outcome.problems if problem.code.startswith("E")]
    assert not errors, "\n".join(render(problem, outcome.sources) for problem in errors)
    assert {problem.code for problem in outcome.problems} <= {"W0101"}
    assert outcome.status == 0


def place_of(outcome: Outcome, problem) -> tuple[str, int]:
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
