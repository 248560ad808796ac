"""Endless computations beside others: nobody starves, and everything that computes can be ended (EXTENSIONS §10).

Here time is real, because slices are: what is asked for is *that* something happens, never how fast. Each test
ends as soon as it has seen what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import pytest
import trio

from etamil_actors.actors.events import ActorCrashed, EventStream
from etamil_actors.actors.programs import agents
from etamil_actors.actors.programs.system import ServicePlan, System, open_system
from etamil_actors.resources.system import SimulatedConsole
from tests.programs.chance import Author
from tests.programs.running import code_of, image_of, left_over, output_of, ports_of, run_program

PATIENCE = 60.0
"""Seconds after which a test gives up; a sound runtime needs far less even on a busy machine."""


class WatchedConsole(SimulatedConsole):
    """Tells when everything that is wanted has been written."""

    def __init__(self, until: Callable[[list[str]], bool]) -> None:
        super().__init__()
        self.until = until
        self.is_enough = trio.Event()

    def write(self, text: str) -> None:
        """Put a text on standard output."""
        super().write(text)
        if self.until(self.output.splitlines()):
            self.is_enough.set()


def run_really(text: str, until: Callable[[list[str]], bool]) -> tuple[list[str], System, list[str]]:
    """Run a program in real time until it has printed what is wanted: its lines, and the codes of crashes."""
    console = WatchedConsole(until)
    ports = replace(ports_of(console), is_simulated=False)
    events = EventStream()
    crashes: list[str] = []
    events.listen(
        lambda event: crashes.append(code_of(event.problem)) if isinstance(event, ActorCrashed) else None,
        messages=False,
    )
    plan = ServicePlan(name="சேவை", image=image_of(text))
    kept: list[System] = []

    async def scenario() -> None:
        with trio.fail_after(PATIENCE):
            async with open_system(ports, [plan], events=events) as system:
                kept.append(system)
                await console.is_enough.wait()

    trio.run(scenario)
    assert not left_over(kept[0])
    return console.output.splitlines(), kept[0], crashes


ENDLESS = "பணி முடிவிலா() { n = 0; (மெய்) சுற்று { n = n + 1; } }"
"""Never waits."""


@pytest.mark.parametrize("loops", [1, 4, 16])
def test_timers_of_others_fire_beside_endless_loops(loops: int) -> None:
    """One endless loop delays others by milliseconds, not for ever."""
    text = f"""
    {ENDLESS}
    பணி_உருவாக்கு "சுழல்", {{"நிறுத்து_நேரம்": 0}} {{
        i = 0; (i < {loops}) சுற்று {{ i = i + 1; பணி_தொடங்கு(முடிவிலா); }}
        உறங்கு(1000);
    }}
    பணி_உருவாக்கு "மணி", {{"every": 0.01}} {{ அச்சு "மணி"; }}
    """
    lines, _, crashes = run_really(text, lambda lines: len(lines) >= 5)
    assert set(lines) == {"மணி"}
    assert not crashes


@pytest.mark.parametrize("loops", [1, 4, 16])
def test_endless_loops_in_jobs_share_the_time(loops: int) -> None:
    """Each of them gets on, none is forgotten in the line."""
    jobs = "\n".join(
        f'பணி_உருவாக்கு "சுழல்{number}", {{"நிறுத்து_நேரம்": 0}} {{ n = 0; (மெய்) சுற்று {{ n = n + 1; (n == 20000) எனில் {{ அச்சு {number}; n = 0; }} }} }}'
        for number in range(loops)
    )
    wanted = {str(number) for number in range(loops)}
    lines, _, _ = run_really(jobs, lambda lines: set(lines) >= wanted)
    assert set(lines) == wanted


LOOPS = {
    "counting": "n = 0; (மெய்) சுற்று { n = n + 1; }",
    "empty": "(மெய்) சுற்று { }",
    "calls": "(மெய்) சுற்று { f(1); }",
    "recursion": "(மெய்) சுற்று { முயல் { ஆழம்(0); } பிழை(e) { } }",
    "errors": "(மெய்) சுற்று { முயல் { x = 1 / 0; } பிழை(e) { } }",
    "each": "அ = [1, 2, 3]; (மெய்) சுற்று { ஒவ்வொரு x இல் அ { அ[0] = x; } }",
    "builtins": "(மெய்) சுற்று { அ = மாற்றியமை([1, 2, 3], f); }",
    "continue": "(மெய்) சுற்று { தொடர்; }",
    "locks": "(மெய்) சுற்று { பூட்டு_பிடி(பூ) { x = 1; } }",
    "cells": "(மெய்) சுற்று { அணு_கூட்டு(க, 1); }",
    "finally": "(மெய்) சுற்று { முயல் { x = 1; } இறுதியில் { y = 2; } }",
    "retry": '(மெய்) சுற்று { மீள்முயற்சி({"தடவை": 2}) { x = 1; } }',
    "channels": "(மெய்) சுற்று { சேனல்_அனுப்பு(சே, 1); m = சேனல்_பெறு(சே); }",
    "done tasks": "(மெய்) சுற்று { m = பணி_காத்திரு(முடிந்த); }",
}

HELP = """
செயல் f(x) { திரும்பு x; }
செயல் ஆழம்(n) { திரும்பு ஆழம்(n + 1); }
பூ = பூட்டு_உருவாக்கு("பூ"); க = அணு_உருவாக்கு(0); சே = சேனல்_உருவாக்கு();
முடிந்த = பணி_தொடங்கு(f, 1); பணி_காத்திரு(முடிந்த);
"""


@pytest.mark.parametrize("loop", LOOPS)
def test_every_kind_of_endless_loop_can_be_cancelled(loop: str) -> None:
    text = f"""
    {HELP}
    பணி சுழல்() {{ {LOOPS[loop]} }}
    பணி_உருவாக்கு "வ" {{
        t = பணி_தொடங்கு(சுழல்); உறங்கு(0.05); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t);
        பூட்டு_பிடி(பூ, {{"timeout": 0}}) {{ அச்சு "விடுபட்டது"; }}
    }}
    """
    lines, _, crashes = run_really(text, lambda lines: len(lines) >= 2)
    assert lines == ["நிறுத்தப்பட்டது", "விடுபட்டது"]
    assert not crashes


@pytest.mark.parametrize("loop", LOOPS)
def test_every_kind_of_endless_loop_can_be_limited(loop: str) -> None:
    text = f"""
    {HELP}
    பணி_உருவாக்கு "வ" {{
        முயல் {{ காலவரம்பு(0.05) {{ {LOOPS[loop]} }} }} பிழை(e) {{ அச்சு e.code; }}
        பூட்டு_பிடி(பூ, {{"timeout": 0}}) {{ அச்சு "விடுபட்டது"; }}
    }}
    """
    lines, _, crashes = run_really(text, lambda lines: len(lines) >= 2)
    assert lines == ["timeout", "விடுபட்டது"]
    assert not crashes


def test_a_computation_that_ends_too_late_is_too_late() -> None:
    text = """
    பணி_உருவாக்கு "வ" {
        முயல் { காலவரம்பு(0.02) { i = 0; (i < 3000000) சுற்று { i = i + 1; } அச்சு "இல்லை"; } } பிழை(e) { அச்சு e.code; }
        அச்சு "பின்";
    }
    """
    lines, _, _ = run_really(text, lambda lines: "பின்" in lines)
    assert lines == ["timeout", "பின்"]


def test_nested_limits_of_an_endless_loop() -> None:
    text = """
    பணி_உருவாக்கு "வ" {
        முயல் {
            காலவரம்பு(0.2) {
                முயல் { காலவரம்பு(0.05) { (மெய்) சுற்று { x = 1; } } } பிழை(e) { அச்சு "உள்ளே " & e.code; }
                (மெய்) சுற்று { x = 1; }
            }
        } பிழை(e) { அச்சு "வெளியே " & e.code; }
    }
    """
    lines, _, _ = run_really(text, lambda lines: len(lines) >= 2)
    assert lines == ["உள்ளே timeout", "வெளியே timeout"]


@pytest.mark.slow
def test_an_endless_loop_in_finally_has_five_seconds() -> None:
    text = """
    பணி f() { முயல் { உறங்கு(100); } இறுதியில் { அச்சு "இறுதி"; (மெய்) சுற்று { x = 1; } } }
    பணி_உருவாக்கு "வ" { t = பணி_தொடங்கு(f); உறங்கு(0.01); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t); }
    பணி_உருவாக்கு "மணி", {"every": 0.5} { அச்சு "மணி"; }
    """
    began = monotonic()
    lines, _, crashes = run_really(text, lambda lines: "நிறுத்தப்பட்டது" in lines)
    assert monotonic() - began > 4.9
    assert "இறுதி" in lines and lines.count("மணி") >= 2
    assert not crashes


def test_cancelling_many_endless_loops_at_once() -> None:
    text = f"""
    {ENDLESS}
    பணி பெற்றோர்() {{ i = 0; (i < 20) சுற்று {{ i = i + 1; பணி_தொடங்கு(முடிவிலா); }} உறங்கு(0.1); திரும்பு "பெற்றோர்"; }}
    பணி_உருவாக்கு "வ" {{ அச்சு பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்)); உறங்கு(0.01); அச்சு "பின்"; }}
    """
    lines, _, _ = run_really(text, lambda lines: "பின்" in lines)
    assert lines == ["பெற்றோர்", "பின்"]


def test_endless_loops_side_by_side_end_with_the_first_error() -> None:
    text = f"""
    {ENDLESS}
    பணி_உருவாக்கு "வ" {{
        முயல் {{ இணையாக([முடிவிலா, முடிவிலா, செயல்() {{ உறங்கு(0.05); x = 1 / 0; }}]); }} பிழை(e) {{ அச்சு e.code; }}
    }}
    """
    lines, _, _ = run_really(text, lambda lines: bool(lines))
    assert lines == ["number.division_by_zero"]


def test_an_endless_loop_that_holds_a_lock_delays_only_those_who_want_it() -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு();
    பிடித்தது = சேனல்_உருவாக்கு();
    பணி சுழல்() {{ பூட்டு_பிடி(பூ) {{ சேனல்_அனுப்பு(பிடித்தது, 1); (மெய்) சுற்று {{ x = 1; }} }} }}
    பணி_உருவாக்கு "வ" {{
        t = பணி_தொடங்கு(சுழல்); சேனல்_பெறு(பிடித்தது);
        முயல் {{ பூட்டு_பிடி(பூ, {{"timeout": 0.05}}) {{ அச்சு "இல்லை"; }} }} பிழை(e) {{ அச்சு e.code; }}
        பணி_நிறுத்து(t);
        பூட்டு_பிடி(பூ) {{ அச்சு "விடுபட்டது"; }}
    }}
    {ENDLESS}
    """
    lines, _, _ = run_really(text, lambda lines: len(lines) >= 2)
    assert lines == ["timeout", "விடுபட்டது"]


def test_the_service_stops_beside_endless_loops() -> None:
    text = f"""
    {ENDLESS}
    பணி_உருவாக்கு "அ", {{"நிறுத்து_நேரம்": 0}} {{ அச்சு "தொடக்கம்"; n = 0; (மெய்) சுற்று {{ n = n + 1; }} }}
    பணி_உருவாக்கு "ஆ", {{"நிறுத்து_நேரம்": 0.1}} {{ முயல் {{ பணி_காத்திரு(பணி_தொடங்கு(முடிவிலா)); }} இறுதியில் {{ அச்சு "இறுதி"; }} }}
    நிறுத்தும்போது {{ அச்சு "நிறுத்தம்"; }}
    """
    lines, _, _ = run_really(text, lambda lines: "தொடக்கம்" in lines)
    assert lines[-2:] == ["இறுதி", "நிறுத்தம்"]


def test_results_are_right_however_often_the_computation_was_set_aside() -> None:
    text = """
    செயல் கணி(n) { s = 0; i = 0; (i < n) சுற்று { s = s + i * 2 - i; i = i + 1; } திரும்பு s; }
    செயல் பிபோ(n) { (n < 2) எனில் { திரும்பு n; } திரும்பு பிபோ(n - 1) + பிபோ(n - 2); }
    பணி_உருவாக்கு "வ" {
        அச்சு இணையாக_மாற்று([100000, 150000, 120000, 1000], கணி);
        அச்சு இணையாக_மாற்று([18, 19, 17, 16], பிபோ);
    }
    """
    lines, _, _ = run_really(text, lambda lines: len(lines) >= 2)
    assert lines == [
        str([n * (n - 1) // 2 for n in (100000, 150000, 120000, 1000)]),
        "[2584, 4181, 1597, 987]",
    ]


@pytest.mark.parametrize("group", range(6))
def test_programs_by_chance_leave_nothing_behind_in_real_time(group: int) -> None:
    """They compute, so they are set aside anywhere: in locks, limits, finally, while they are being ended."""
    for seed in range(group * 5, group * 5 + 5):
        text = Author(1000 + seed, faster=40, loops=True).program()
        lines, _, crashes = run_really(text, lambda lines: len(lines) >= 2)
        assert lines == ["விடுபட்டன", "0"], (seed, lines, crashes)
        assert not {"internal", "InternalError", "AssertionError"} & set(crashes), (seed, crashes)


# ---- depth ----------------------------------------------------------------------------


def test_deep_recursion_in_many_activities_by_turns() -> None:
    text = """
    செயல் ஆழம்(n) { (n == 0) எனில் { உறங்கு(1); திரும்பு 0; } m = ஆழம்(n - 1); (n - 200 * முழு(n / 200) == 0) எனில் { உறங்கு(1); } திரும்பு m + 1; }
    செயல் முழு(x) { திரும்பு வட்டமிடு(x - 0.4999, 0); }
    அச்சு இணையாக_மாற்று([900, 850, 800, 990, 10, 500, 300, 700, 900, 900, 900, 900], ஆழம்);
    """
    assert output_of(text) == ["[900, 850, 800, 990, 10, 500, 300, 700, 900, 900, 900, 900]"]


def test_deep_recursion_through_builtins_in_many_activities_by_turns() -> None:
    text = """
    செயல் ஆழம்(n) { (n == 0) எனில் { உறங்கு(1); திரும்பு 0; } திரும்பு மாற்றியமை([n - 1], ஆழம்)[0] + 1; }
    அச்சு இணையாக_மாற்று([150, 140, 160, 10, 150, 150, 120, 130], ஆழம்);
    """
    assert output_of(text) == ["[150, 140, 160, 10, 150, 150, 120, 130]"]


def test_calls_that_nest_too_deep_are_an_error_of_that_activity_alone() -> None:
    """Calls may nest 1 000 deep before the runtime error (§1.12)."""
    text = """
    செயல் ஆழம்(n) { (n == 0) எனில் { உறங்கு(1); திரும்பு 0; } திரும்பு 1 + ஆழம்(n - 1); }
    செயல் முயன்று(n) { முயல் { திரும்பு ஆழம்(n); } பிழை(e) { திரும்பு e.code; } }
    அச்சு இணையாக_மாற்று([900, 5000, 900, 1100, 900], முயன்று);
    """
    assert output_of(text) == ["[900, call.depth, 900, call.depth, 900]"]


def test_a_task_has_all_the_depth_for_itself() -> None:
    text = """
    செயல் ஆழம்(n) { (n == 0) எனில் { திரும்பு பணி_காத்திரு(பணி_தொடங்கு(ஆழம்2, 900)); } திரும்பு ஆழம்(n - 1); }
    செயல் ஆழம்2(n) { (n == 0) எனில் { திரும்பு "அடி"; } திரும்பு ஆழம்2(n - 1); }
    அச்சு ஆழம்(900);
    """
    assert output_of(text) == ["அடி"]


# ---- in a simulation ------------------------------------------------------------------


def test_computing_again_and_again_between_waits_is_not_computing_for_ever() -> None:
    """In a simulation only whoever computes ``limit`` seconds *without waiting* is ended."""
    text = """
    செயல் கணி(n) { i = 0; (i < n) சுற்று { i = i + 1; } திரும்பு i; }
    பணி_உருவாக்கு "வ" { உறங்கு(1); k = 0; (k < 80) சுற்று { k = k + 1; கணி(400000); உறங்கு(0); } அச்சு "முடிந்தது"; }
    """
    done = run_program(text, limit=0.5)
    assert done.lines == ["முடிந்தது"]
    assert not done.crashes


def test_in_a_simulation_nobody_is_interrupted() -> None:
    """What depends on the speed of a machine cannot be repeated."""
    text = """
    பணி f(n) { i = 0; (i < 300000) சுற்று { i = i + 1; } அச்சு n; }
    இணையாக_மாற்று([1, 2, 3, 4], f);
    """
    lines = output_of(text, seed=3)
    assert sorted(lines) == ["1", "2", "3", "4"]
    assert output_of(text, seed=3) == lines


def test_a_handler_that_computes_for_ever_is_ended_and_its_agent_restarted(monkeypatch: pytest.MonkeyPatch) -> None:
    """In real time: the budget of one message is small here."""
    monkeypatch.setattr(agents, "MESSAGE_SECONDS", 0.1)
    text = """
    முகவர் அ() {
        n = 0;
        செய்தி சுழல்() { முயல் { (மெய்) சுற்று { n = n + 1; } } பிழை(e) { அச்சு "இல்லை"; } இறுதியில் { அச்சு "இறுதி"; } }
        செய்தி பார்() { திரும்பு n; }
    }
    x = அ();
    முயல் { x.சுழல்(); } பிழை(e) { அச்சு e.code; }
    அச்சு x.பார்();
    """
    lines, _, crashes = run_really(text, until=lambda lines: lines[-1:] == ["0"])
    assert lines == ["இறுதி", "budget.time", "0"]
    assert len(crashes) == 1
