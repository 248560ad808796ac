"""Cancellation at every wait: nothing is kept, nobody lives on, and இறுதியில் runs (EXTENSIONS §3, §4).

A program is cancelled when it asks the world for something for the k-th time, for k = 1, 2, 3 …, until it ends
by itself; once just before the wish is answered, and once just after. Whatever k was: every lock is free, every
delivery is settled, no task is left, and the machines in the pool are whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from etamil_actors.actors.channels.lane import Lane
from etamil_actors.actors.programs.activity import Activity
from etamil_actors.actors.programs.system import System
from etamil_actors.actors.programs.tasks import Task
from tests.programs.chance import Author
from tests.programs.running import Result, output_of, run_program

VICTIM = "வேலை"
"""The task that is cancelled is the function of this name."""


class Cancelling:
    """Counts what the victim asks for, and cancels it at the wish of this number."""

    def __init__(self, at: int, *, before: bool) -> None:
        self.at = at
        self.before = before
        self.count = 0
        self.victim: Task | None = None

    def wish(self, activity: Activity, answer: Any) -> Any:
        """The activity asks for something."""
        if activity.name != VICTIM:
            return answer()
        self.count += 1
        is_it = self.count == self.at
        if is_it and self.before:
            self.strike(activity)
        try:
            return answer()
        finally:
            if is_it and not self.before:
                self.strike(activity)

    def strike(self, activity: Activity) -> None:
        """Cancel the task of this activity."""
        supervisor = activity.service.tasks
        for child in supervisor._accounts:
            task = getattr(child._behaviour, "task", None)
            if task is not None and task.activity is activity:
                self.victim = task
                task.cancel()


@contextmanager
def cancelling(at: int, *, before: bool) -> Iterator[Cancelling]:
    """Cancel the victim at the wish of this number, while the block runs."""
    striker = Cancelling(at, before=before)
    plain = Activity.perform

    def perform(activity: Activity, effect: Any) -> Any:
        return striker.wish(activity, lambda: plain(activity, effect))

    Activity.perform = perform  # type: ignore[method-assign]
    try:
        yield striker
    finally:
        Activity.perform = plain  # type: ignore[method-assign]


TOOLS = """
பூ = பூட்டு_உருவாக்கு("பூ"); ஆ = பூட்டு_உருவாக்கு("ஆ"); அரை = பூட்டு_உருவாக்கு("அரை", {"அனுமதிகள்": 2});
வரவு = சேனல்_உருவாக்கு("வரவு"); முழு = சேனல்_உருவாக்கு("முழு", {"கொள்ளளவு": 1}); கணக்கு = அணு_உருவாக்கு(0);
i = 0; (i < 40) சுற்று { சேனல்_அனுப்பு(வரவு, i); i = i + 1; }
சேனல்_அனுப்பு(முழு, 0);
செயல் சிறிது(n) { அணு_கூட்டு(கணக்கு, 1); முயல் { உறங்கு(n); } இறுதியில் { அணு_கூட்டு(கணக்கு, -1); } திரும்பு n; }
செயல் பூட்டோடு(n) { பூட்டு_பிடி(அரை) { சிறிது(n); } }
செயல் மோசம்(n) { உறங்கு(n); திரும்பு n / 0; }
பணி பிடிப்பவர்() { பூட்டு_பிடி(ஆ) { உறங்கு(3); } }
"""

PARTS = {
    "locks": "பூட்டு_பிடி(பூ) { உறங்கு(1); பூட்டு_பிடி(அரை) { பூட்டு_பிடி(அரை) { உறங்கு(1); } } }",
    "waiting for a lock": "பூட்டு_பிடி(பூ) { பூட்டு_பிடி(ஆ) { உறங்கு(1); } }",
    "waiting with a limit": 'பூட்டு_பிடி(பூ) { முயல் { பூட்டு_பிடி(ஆ, {"timeout": 1}) { உறங்கு(1); } } பிழை(e) { உறங்கு(1); } }',
    "children": "a = பணி_தொடங்கு(பூட்டோடு, 2); b = பணி_தொடங்கு(சிறிது, 9); பணி_காத்திரு(a); முயல் { பணி_காத்திரு(b, 1); } பிழை(e) { } பணி_நிறுத்து(b);",
    "a failing child": "a = பணி_தொடங்கு(மோசம், 1); முயல் { பணி_காத்திரு(a); } பிழை(e) { உறங்கு(1); }",
    "side by side": 'இணையாக_மாற்று([1, 2, 3], பூட்டோடு, {"உச்சவரம்பு": 2}); முயல் { இணையாக_மாற்று([1, 2], மோசம்); } பிழை(e) { உறங்கு(1); }',
    "limits": "முயல் { காலவரம்பு(2) { காலவரம்பு(5) { பூட்டு_பிடி(பூ) { உறங்கு(1); உறங்கு(4); } } } } பிழை(e) { உறங்கு(1); }",
    "finally": "முயல் { பூட்டு_பிடி(பூ) { உறங்கு(1); } } இறுதியில் { பூட்டு_பிடி(அரை) { உறங்கு(1); } காலவரம்பு(9) { உறங்கு(1); } }",
    "limit in finally": "முயல் { உறங்கு(1); } இறுதியில் { முயல் { காலவரம்பு(1) { பூட்டு_பிடி(பூ) { உறங்கு(3); } } } பிழை(e) { உறங்கு(1); } }",
    "retry": 'முயல் { மீள்முயற்சி({"தடவை": 3, "பின்வாங்கு": 1}) { பூட்டு_பிடி(பூ) { உறங்கு(1); x = 1 / 0; } } } பிழை(e) { உறங்கு(1); }',
    "receive": "m = சேனல்_பெறு(வரவு); உறங்கு(1); m = சேனல்_பெறு(வரவு); சேனல்_ஏற்பு(வரவு); m = சேனல்_பெறு(வரவு); சேனல்_மறு(வரவு); உறங்கு(1);",
    "walk": "n = 0; ஒவ்வொரு m இல் வரவு { பூட்டு_பிடி(பூ) { உறங்கு(1); } n = n + 1; (n == 3) எனில் { நிறுத்து; } }",
    "choose": "i = 0; (i < 3) சுற்று { i = i + 1; தேர்வு { m இல் வரவு { உறங்கு(1); } காலம் 5 { உறங்கு(1); } } }",
    "send": 'முயல் { சேனல்_அனுப்பு(முழு, 1, {"timeout": 1}); } பிழை(e) { உறங்கு(1); } சேனல்_அனுப்பு(வரவு, "புது");',
    "cells": "அணு_கூட்டு(கணக்கு, 1); உறங்கு(0); அணு_கூட்டு(கணக்கு, -1);",
    "grandchildren": "முயல் { இணையாக([செயல்() { இணையாக_மாற்று([1, 2], பூட்டோடு); }, செயல்() { பூட்டு_பிடி(பூ) { உறங்கு(2); } }]); } இறுதியில் { உறங்கு(1); }",
}
"""What the victim does. சிறிது counts those at work, so whoever is ended without இறுதியில் is missed."""

PARTS["everything"] = " ".join(part for name, part in PARTS.items())

CELL_OPEN = {"cells", "everything"}
"""Here the count of the victim itself may be left standing, because no இறுதியில் guards it."""


def run_struck(part: str, at: int, *, before: bool) -> tuple[Result, Cancelling]:
    """Run a victim that is cancelled at its k-th wish, and then somebody who needs all that it had."""
    text = f"""{TOOLS}
    பணி {VICTIM}() {{ {PARTS[part]} திரும்பு "முடிந்தது"; }}
    பணி_உருவாக்கு "பெற்றோர்" {{
        p = பணி_தொடங்கு(பிடிப்பவர்);
        t = பணி_தொடங்கு({VICTIM});
        முயல் {{ அச்சு பணி_காத்திரு(t); }} பிழை(e) {{ அச்சு e.code; }}
        பணி_காத்திரு(p);
        பூட்டு_பிடி(பூ, {{"timeout": 0}}) {{ பூட்டு_பிடி(ஆ, {{"timeout": 0}}) {{
            பூட்டு_பிடி(அரை, {{"timeout": 0}}) {{ பூட்டு_பிடி(அரை, {{"timeout": 0}}) {{ அச்சு "எல்லாம் விடுபட்டன"; }} }}
        }} }}
        அச்சு "வேலையில் " & அணு_படி(கணக்கு);
    }}
    """
    seen: list[str] = []

    async def look(system: System) -> None:
        await trio.sleep(120)
        service = next(iter(system.services.values()))
        seen.extend(f"still at work: {child.path}" for child in service.tasks.children)
        pool = service._pool
        seen.extend("not whole" for machine in pool if machine._graced or machine.me is not None)
        seen.extend("twice" for machine in pool if pool.count(machine) != 1)
        for channel in system.channels.channels:
            assert isinstance(channel, Lane)
            if channel._unsettled:
                seen.append(f"{channel.text}: {channel._unsettled} unsettled")

    with cancelling(at, before=before) as striker:
        done = run_program(text, during=look)
    assert done.problem is None
    assert not seen, (at, before, seen)
    assert not done.left_over, (at, before, done.left_over)
    return done, striker


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("part", PARTS)
def test_cancelled_at_every_wish(part: str, before: bool) -> None:
    at = 0
    while True:
        at += 1
        done, striker = run_struck(part, at, before=before)
        assert done.lines[1] == "எல்லாம் விடுபட்டன", (at, done.lines)
        if part not in CELL_OPEN:
            assert done.lines[2] == "வேலையில் 0", (at, done.lines)
        if striker.count < at:
            assert striker.victim is None and done.lines[0] == "முடிந்தது"
            break
        assert striker.victim is not None
        # One that was struck at its last wish may still have ended by itself.
        assert done.lines[0] in ("cancelled", "முடிந்தது"), (at, done.lines)
        assert at < 400
    assert at > 1


def test_a_task_is_cancelled_at_its_last_wish_but_still_ends_by_itself_if_nothing_waits_any_more() -> None:
    text = f"""
    பணி {VICTIM}() {{ உறங்கு(1); அணு_கூட்டு(க, 1); திரும்பு 5; }}
    க = அணு_உருவாக்கு(0);
    t = பணி_தொடங்கு({VICTIM}); முயல் {{ அச்சு பணி_காத்திரு(t); }} பிழை(e) {{ அச்சு e.code; }}
    """
    with cancelling(2, before=False) as striker:
        lines = output_of(text)
    assert striker.victim is not None
    assert lines == ["5"]


# ---- the grace ------------------------------------------------------------------------


def cancelled(body: str, *, at: float = 1) -> Result:
    """Run a task with this body, and cancel it after so many seconds."""
    return run_program(
        f"""
        பூ = பூட்டு_உருவாக்கு("பூ"); சே = சேனல்_உருவாக்கு();
        செயல் சுழி(n) {{ திரும்பு 1 / n; }}
        பணி f() {{ {body} }}
        t = பணி_தொடங்கு(f); உறங்கு({at}); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t);
        """,
        seconds=0,
    )


@pytest.mark.parametrize(
    ("body", "lines", "time"),
    [
        ("முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(4.9); அச்சு 1; }", ["1"], 5.9),
        ("முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(5.1); அச்சு 1; }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { (மெய்) சுற்று { உறங்கு(1); } }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { (மெய்) சுற்று { முயல் { உறங்கு(1); } இறுதியில் { x = 1; } } }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { (மெய்) சுற்று { முயல் { உறங்கு(1); } பிழை(e) { அச்சு 9; } } }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { m = சேனல்_பெறு(சே); }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { இணையாக([செயல்() { உறங்கு(2); அச்சு 3; }]); அச்சு 4; }", ["3", "4"], 3),
        ("முயல் { உறங்கு(9); } இறுதியில் { இணையாக([செயல்() { உறங்கு(20); அச்சு 3; }]); அச்சு 4; }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { முயல் { உறங்கு(2); சுழி(0); } பிழை(e) { அச்சு e.code; } உறங்கு(2); அச்சு 2; }", ["number.division_by_zero", "2"], 5),
        ("முயல் { முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(3); அச்சு 1; } } இறுதியில் { உறங்கு(1); அச்சு 2; உறங்கு(2); அச்சு 3; }", ["1", "2"], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { மீள்முயற்சி({\"தடவை\": 99, \"பின்வாங்கு\": 1}) { சுழி(0); } }", [], 6),
        ("முயல் { உறங்கு(9); } இறுதியில் { முயல் { காலவரம்பு(1) { உறங்கு(3); } } பிழை(e) { அச்சு e.code; } உறங்கு(2); அச்சு 2; }", ["timeout", "2"], 4),
        ("முயல் { உறங்கு(9); } இறுதியில் { முயல் { காலவரம்பு(1) { முயல் { உறங்கு(3); } இறுதியில் { உறங்கு(1); அச்சு 0; } } } பிழை(e) { அச்சு e.code; } உறங்கு(2); அச்சு 2; உறங்கு(9); அச்சு 3; }", ["0", "timeout", "2"], 6),
    ],
)  # fmt: skip
def test_finally_has_five_seconds_when_the_activity_is_cancelled(
    body: str, lines: list[str], time: float
) -> None:
    done = cancelled(body)
    assert done.problem is None
    assert done.lines == [*lines, "நிறுத்தப்பட்டது"]
    assert done.time == pytest.approx(time, abs=0.01)


def test_finally_may_start_tasks_while_the_activity_is_cancelled() -> None:
    body = (
        "முயல் { உறங்கு(9); } இறுதியில் { t = பணி_தொடங்கு(செயல்() { உறங்கு(1); திரும்பு 7; }); அச்சு பணி_காத்திரு(t); }"
    )
    done = cancelled(body)
    assert done.lines == ["7", "நிறுத்தப்பட்டது"]


def test_children_of_finally_have_a_grace_of_their_own() -> None:
    """Whoever cancels waits for the whole family."""
    body = "முயல் { உறங்கு(9); } இறுதியில் { இணையாக([செயல்() { முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(4); அச்சு 1; } }]); }"
    done = cancelled(body)
    assert done.lines == ["1", "நிறுத்தப்பட்டது"]
    assert done.time == pytest.approx(10, abs=0.01)


def test_an_agent_that_is_late_in_a_message_goes_on_with_the_next() -> None:
    text = """
    முகவர் எண்ணி() {
        செய்தி மெது(n) { முயல் { காலவரம்பு(1) { முயல் { உறங்கு(n); திரும்பு "செய்தது"; } இறுதியில் { அச்சு "இறுதி"; } } } பிழை(e) { திரும்பு e.code; } }
    }
    m = எண்ணி(); அச்சு m.மெது(3); அச்சு m.மெது(0.5); அச்சு m.மெது(3);
    """
    assert output_of(text) == ["இறுதி", "timeout", "இறுதி", "செய்தது", "இறுதி", "timeout"]


def test_a_limit_that_was_over_before_does_not_use_up_the_grace_of_the_end() -> None:
    body = """
    முயல் { காலவரம்பு(1) { முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(4); } } } பிழை(e) { அச்சு e.code; }
    முயல் { உறங்கு(90); } இறுதியில் { உறங்கு(4); அச்சு "இறுதி"; }
    """
    done = cancelled(body, at=20)
    assert done.lines == ["timeout", "இறுதி", "நிறுத்தப்பட்டது"]


def test_being_cancelled_while_finally_runs_by_itself_gives_it_the_grace() -> None:
    """The body ended well, and its இறுதியில் waits; then the end comes."""
    body = "முயல் { x = 1; } இறுதியில் { முயல் { உறங்கு(3); அச்சு 1; } இறுதியில் { உறங்கு(2); அச்சு 2; } }"
    done = cancelled(body)
    assert done.lines == ["2", "நிறுத்தப்பட்டது"]
    assert done.time == pytest.approx(3, abs=0.01)


def test_being_cancelled_while_a_limit_s_finally_runs() -> None:
    body = "முயல் { காலவரம்பு(1) { முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(3); அச்சு 1; } } } பிழை(e) { அச்சு e.code; உறங்கு(5); அச்சு 9; }"
    done = cancelled(body, at=2)
    assert "9" not in done.lines
    assert done.lines[0] == "1" and done.lines[-1] == "நிறுத்தப்பட்டது"
    assert "timeout" not in done.lines


def test_a_second_cancellation_changes_nothing() -> None:
    text = """
    பணி f() { முயல் { உறங்கு(90); } இறுதியில் { உறங்கு(3); அச்சு "இறுதி"; } }
    t = பணி_தொடங்கு(f); உறங்கு(1);
    பணி கொல்(n) { உறங்கு(n); பணி_நிறுத்து(t); }
    இணையாக_மாற்று([0, 1, 2, 2.5], கொல்);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["இறுதி"]
    assert done.time == pytest.approx(4, abs=0.01)


# ---- what cannot be caught ------------------------------------------------------------


@pytest.mark.parametrize(
    "caught", ['முயல் {{ {way} }} பிழை(e) {{ அச்சு "இல்லை"; }}', 'மீள்முயற்சி({{"தடவை": 3}}) {{ {way} }}']
)
@pytest.mark.parametrize("where", ["top", "task", "job", "function"])
def test_leaving_the_process_is_not_caught(where: str, caught: str) -> None:
    body = f'{caught.format(way="அச்சு 1; வெளியேறு(7);")} அச்சு "இல்லை";'
    text = {
        "top": body,
        "function": f"செயல் f() {{ {body} }} f();",
        "task": f'பணி f() {{ {body} }} பணி_உருவாக்கு "வ" {{ t = பணி_தொடங்கு(f); உறங்கு(30); }}',
        "job": f'பணி_உருவாக்கு "வ" {{ {body} }}',
    }[where]
    done = run_program(text)
    assert done.problem is None
    assert done.lines == ["1"]
    assert done.status == 7


def test_finally_runs_when_the_process_is_left_and_may_wait() -> None:
    text = """
    பணி_உருவாக்கு "வ" {
        முயல் { முயல் { வெளியேறு(2); } இறுதியில் { உறங்கு(2); அச்சு "முதல்"; } } இறுதியில் { உறங்கு(9); அச்சு "இல்லை"; }
    }
    """
    done = run_program(text)
    assert done.lines == ["முதல்"]
    assert done.status == 2


def test_a_computation_without_an_end_is_not_caught_either() -> None:
    """In a simulation whoever computes for too long is ended; no பிழை sees it."""
    text = """
    பணி f() { முயல் { (மெய்) சுற்று { x = 1; } } பிழை(e) { அச்சு "இல்லை"; } இறுதியில் { அச்சு "இறுதி"; } }
    பணி_உருவாக்கு "வ" { உறங்கு(1); t = பணி_தொடங்கு(f); முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; } அச்சு பணி_நிலை(t); }
    """
    done = run_program(text, limit=0.2)
    assert done.problem is None
    assert done.lines == ["இறுதி", "budget.time", "பிழை"]


def test_a_child_that_ran_out_of_its_budget_and_that_nobody_awaited() -> None:
    text = """
    பணி f() { (மெய்) சுற்று { x = 1; } }
    பணி பெற்றோர்() { t = பணி_தொடங்கு(f); உறங்கு(1); திரும்பு 1; }
    பணி_உருவாக்கு "வ" { உறங்கு(1); முயல் { பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்)); } பிழை(e) { அச்சு e.code; } }
    """
    assert run_program(text, limit=0.2).lines == ["budget.time"]


# ---- shutdown -------------------------------------------------------------------------


def test_whatever_runs_at_shutdown_runs_its_finally() -> None:
    text = """
    பணி f(n) { முயல் { உறங்கு(900); } இறுதியில் { உறங்கு(1); அச்சு "பணி" & n; } }
    பணி_உருவாக்கு "வ", {"நிறுத்து_நேரம்": 2} { முயல் { இணையாக_மாற்று([1, 2], f); } இறுதியில் { அச்சு "வேலை"; } }
    நிறுத்தும்போது { அச்சு "நிறுத்தம்"; }
    """
    done = run_program(text, seconds=10)
    assert sorted(done.lines[:2]) == ["பணி1", "பணி2"]
    assert done.lines[2:] == ["வேலை", "நிறுத்தம்"]
    assert done.ended == pytest.approx(13, abs=0.01)
    assert not done.left_over


@pytest.mark.parametrize("moment", [0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15])
def test_the_service_can_be_stopped_at_any_moment(moment: float) -> None:
    text = f"""{TOOLS}
    பணி {VICTIM}() {{ {PARTS["everything"]} }}
    பணி_உருவாக்கு "பெற்றோர்", {{"நிறுத்து_நேரம்": 1}} {{ p = பணி_தொடங்கு(பிடிப்பவர்); பணி_காத்திரு(பணி_தொடங்கு({VICTIM})); }}
    நிறுத்தும்போது {{ அச்சு "வேலையில் " & அணு_படி(கணக்கு); பூட்டு_பிடி(பூ, {{"timeout": 0}}) {{ அச்சு "விடுபட்டது"; }} }}
    """
    done = run_program(text, seconds=moment)
    assert done.problem is None
    assert done.lines == ["வேலையில் 0", "விடுபட்டது"]
    assert done.ended < moment + 20
    assert not done.left_over


# ---- programs by chance ---------------------------------------------------------------


@pytest.mark.parametrize("channels", [False, True], ids=["without channels", "with channels"])
@pytest.mark.parametrize("group", range(6))
def test_programs_by_chance_leave_nothing_behind(group: int, channels: bool) -> None:
    for seed in range(group * 10, group * 10 + 10):
        text = Author(seed, channels=channels).program()
        busy: list[str] = []

        async def look(system: System, busy: list[str] = busy) -> None:
            await trio.sleep(600)
            service = next(iter(system.services.values()))
            busy.extend(child.path for child in service.tasks.children)
            for channel in system.channels.channels:
                assert isinstance(channel, Lane)
                busy.extend(["unsettled"] * channel._unsettled)

        done = run_program(text, during=look, seed=seed)
        assert done.problem is None, seed
        assert done.lines == ["விடுபட்டன", "0"], (seed, done.lines, done.crashes)
        assert not busy and not done.left_over, (seed, busy, done.left_over)
        assert not [
            code for _, code in done.crashes if code in ("internal", "InternalError", "AssertionError")
        ]


@pytest.mark.parametrize("seed", [0, 3, 10, 17, 58, 112])
def test_programs_by_chance_run_the_same_again(seed: int) -> None:
    text = Author(seed).program()
    first = run_program(text, seed=seed)
    for _ in range(4):
        again = run_program(text, seed=seed)
        assert again.lines == first.lines
        assert [repr(event) for event in again.events] == [repr(event) for event in first.events]


DIGEST = """
import hashlib
from tests.programs.chance import Author
from tests.programs.running import run_program
digest = hashlib.sha256()
for seed in range(8):
    for event in run_program(Author(seed).program(), seed=seed).events:
        digest.update(repr(event).encode())
print(digest.hexdigest())
"""


def test_two_processes_run_the_same(repository: Path) -> None:
    """Whatever the addresses of objects and the hashes of texts are."""
    told = {
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            cwd=repository,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            check=True,
            timeout=100,
        ).stdout
        for hashes in ("1", "2")
    }
    assert len(told) == 1
