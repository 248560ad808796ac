"""Tasks: start, await, cancel, side by side; structured children; what is copied (EXTENSIONS §4)."""

from __future__ import annotations

import gc

import pytest
import trio

from etamil_actors.actors.programs.system import System
from etamil_actors.actors.programs.tasks import Task
from etamil_actors.errors import ExitRequested
from tests.programs.running import failure_of, output_of, run_program

# ---- பணி is a function ----------------------------------------------------------------


def test_a_task_is_a_function_of_the_language() -> None:
    """Hoisted, a value, called as get_user(7) inside the caller."""
    text = """
    அச்சு இரட்டி(4);
    f = இரட்டி;
    அச்சு f(5);
    அச்சு வகை(f);
    பணி இரட்டி(n: எண்) எண் { திரும்பு n * 2; }
    """
    assert output_of(text) == ["8", "10", "a function"]


def test_functions_lambdas_and_builtins_can_be_started() -> None:
    text = """
    செயல் f(a, b) { திரும்பு a & b; }
    செயல் ஆக்கு(n) { திரும்பு செயல்(x) { திரும்பு n + x; }; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(f, 1, "அ"));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(செயல்() { திரும்பு "லா"; }));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(ஆக்கு(10), 5));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(நீளம், [1, 2, 3]));
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(வட்டமிடு, 2.456, 1));
    """
    assert output_of(text) == ["1அ", "லா", "15", "3", "2.5"]


def test_a_builtin_that_waits_can_be_started() -> None:
    text = "t = பணி_தொடங்கு(உறங்கு, 3); அச்சு பணி_நிலை(t); பணி_காத்திரு(t); அச்சு பணி_நிலை(t);"
    done = run_program(text, seconds=0)
    assert done.lines == ["ஓடுகிறது", "முடிந்தது"]
    assert done.time == pytest.approx(3, abs=0.001)


@pytest.mark.parametrize(
    ("started", "code"),
    [
        ("பணி_தொடங்கு(f)", "call.arguments"),
        ("பணி_தொடங்கு(f, 1, 2)", "call.arguments"),
        ("பணி_தொடங்கு(நீளம்)", "call.arguments"),
        ("பணி_தொடங்கு(எண்_ஒன்று)", "value.kind"),
        ("பணி_தொடங்கு(வெற்று)", "value.kind"),
        ("பணி_காத்திரு(எண்_ஒன்று)", "value.kind"),
        ("பணி_நிறுத்து(எண்_ஒன்று)", "value.kind"),
        ("பணி_நிலை(எண்_ஒன்று)", "value.kind"),
        ("பணி_காத்திரு(பணி_தொடங்கு(f, 1), -1)", "value.invalid"),
        ("இணையாக(எண்_ஒன்று)", "value.kind"),
        ("இணையாக([f])", "call.arguments"),
        ("இணையாக([எண்_ஒன்று])", "value.kind"),
        ("இணையாக_மாற்று(எண்_ஒன்று, f)", "value.kind"),
        ("இணையாக_மாற்று([1], எண்_ஒன்று)", "value.kind"),
        ("இணையாக_மாற்று([1], f, விருப்பம்)", "option.unknown"),
    ],
)
def test_what_cannot_be_started_is_refused(started: str, code: str) -> None:
    text = f"""
    பெட்டி = [1, nil, {{"வேறு": 1}}];
    எண்_ஒன்று = பெட்டி[0]; வெற்று = பெட்டி[1]; விருப்பம் = பெட்டி[2];
    செயல் f(x) {{ திரும்பு x; }}
    முயல் {{ {started}; அச்சு "இல்லை"; }} பிழை(e) {{ அச்சு e.code; }}
    """
    assert output_of(text.replace("nil", "இன்மை")) == [code]


def test_refused_functions_start_nothing_side_by_side() -> None:
    text = """
    பெட்டி = [1];
    செயல் f() { அச்சு "இல்லை"; }
    முயல் { இணையாக([f, f, பெட்டி[0]]); } பிழை(e) { அச்சு e.code; }
    உறங்கு(1);
    """
    assert output_of(text) == ["value.kind"]


# ---- awaiting -------------------------------------------------------------------------


def test_a_value_can_be_had_as_often_as_asked() -> None:
    text = """
    பணி f() { உறங்கு(2); திரும்பு [1, {"அ": 2}]; }
    t = பணி_தொடங்கு(f);
    a = பணி_காத்திரு(t); a[0] = 99;
    அச்சு a; அச்சு பணி_காத்திரு(t); அச்சு பணி_காத்திரு(t, 0);
    """
    assert output_of(text) == ["[99, {அ: 2}]", "[1, {அ: 2}]", "[1, {அ: 2}]"]


def test_awaiting_raises_what_the_task_raised_every_time() -> None:
    text = """
    பணி f() { பிழை_எழுப்பு("என்.பிழை", "செய்தி", {"அ": 1}); }
    t = பணி_தொடங்கு(f);
    i = 0;
    (i < 3) சுற்று { i = i + 1; முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code & " " & e.message & " " & e.details & " " & e.line; } }
    """
    done = run_program(text, seconds=0)
    assert done.problem is None
    assert done.lines == ["என்.பிழை செய்தி {அ: 1} 2"] * 3


def test_the_error_of_a_task_is_the_same_whoever_awaits_it_and_wherever() -> None:
    """What one who awaits it was doing leaves no trace in what another one gets."""
    text = """
    பணி f() { பிழை_எழுப்பு("என்.பிழை", "செய்தி"); }
    t = பணி_தொடங்கு(f);
    முயல் { பணி_காத்திரு(t); } பிழை(e) { முதல் = e.trace; }
    முயல் { x = 1 / 0; } பிழை(e) { முயல் { பணி_காத்திரு(t); } பிழை(e) { நடு = e.trace; } }
    முயல் { பணி_காத்திரு(t); } பிழை(e) { கடை = e.trace; }
    அச்சு முதல்[0]; அச்சு முதல் == கடை; அச்சு நீளம்(முதல்) <= நீளம்(நடு);
    """
    assert output_of(text, crashes=True)[1:] == ["true", "true"]


def test_awaiting_with_a_limit_leaves_the_task_alone() -> None:
    """timeout (t goes on)."""
    text = """
    பணி f() { உறங்கு(5); அச்சு "முடித்தது"; திரும்பு 7; }
    t = பணி_தொடங்கு(f);
    முயல் { பணி_காத்திரு(t, 2); } பிழை(e) { அச்சு e.code & e.details.seconds; }
    அச்சு பணி_நிலை(t);
    முயல் { பணி_காத்திரு(t, 0); } பிழை(e) { அச்சு e.code & e.details.seconds; }
    அச்சு பணி_காத்திரு(t, 20);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout2", "ஓடுகிறது", "timeout0", "முடித்தது", "7"]
    assert done.time == pytest.approx(5, abs=0.001)


def test_two_may_await_one_task() -> None:
    text = """
    பணி மெது() { உறங்கு(3); திரும்பு "வி"; }
    பணி கேள்(t, பெயர்) { v = பணி_காத்திரு(t); அச்சு பெயர் & v; }
    t = பணி_தொடங்கு(மெது);
    அ = பணி_தொடங்கு(கேள், t, "அ"); ஆ = பணி_தொடங்கு(கேள், t, "ஆ");
    அச்சு பணி_காத்திரு(t);
    பணி_காத்திரு(அ); பணி_காத்திரு(ஆ);
    """
    assert sorted(output_of(text)) == ["அவி", "ஆவி", "வி"]


def test_one_of_two_who_await_may_give_up() -> None:
    text = """
    பணி மெது() { உறங்கு(9); திரும்பு "வி"; }
    பணி கேள்(t, நொடி) { முயல் { திரும்பு பணி_காத்திரு(t, நொடி); } பிழை(e) { திரும்பு e.code; } }
    t = பணி_தொடங்கு(மெது);
    அச்சு இணையாக_மாற்று([1, 20, 2, 30], செயல்(n) { திரும்பு கேள்(t, n); });
    """
    assert output_of(text) == ["[timeout, வி, timeout, வி]"]


def test_awaiting_oneself_is_a_deadlock() -> None:
    text = """
    அறை = அணு_உருவாக்கு(0);
    பணி நான்() { உறங்கு(1); முயல் { பணி_காத்திரு(அணு_படி(அறை)); } பிழை(e) { திரும்பு e.code & " " & e.details.who; } }
    t = பணி_தொடங்கு(நான்); அணு_இடு(அறை, t);
    அச்சு பணி_காத்திரு(t);
    """
    assert output_of(text) == ["lock.deadlock நான் → நான்"]


def test_two_who_await_each_other_are_a_deadlock() -> None:
    text = """
    அறை = அணு_உருவாக்கு(0);
    பணி குழந்தை() { உறங்கு(1); முயல் { பணி_காத்திரு(அணு_படி(அறை)); } பிழை(e) { திரும்பு e.code; } }
    பணி பெற்றோர்() { t = பணி_தொடங்கு(குழந்தை); திரும்பு பணி_காத்திரு(t); }
    t = பணி_தொடங்கு(பெற்றோர்); அணு_இடு(அறை, t);
    அச்சு பணி_காத்திரு(t);
    """
    assert output_of(text) == ["lock.deadlock"]


# ---- cancelling and asking ------------------------------------------------------------


def test_the_four_states_of_a_task() -> None:
    text = """
    பணி நன்று() { உறங்கு(1); } பணி மோசம்() { உறங்கு(1); x = 1 / 0; }
    அ = பணி_தொடங்கு(நன்று); ஆ = பணி_தொடங்கு(மோசம்); இ = பணி_தொடங்கு(நன்று);
    அச்சு பணி_நிலை(அ) & " " & பணி_நிலை(ஆ) & " " & பணி_நிலை(இ);
    பணி_நிறுத்து(இ);
    உறங்கு(2);
    அச்சு பணி_நிலை(அ) & " " & பணி_நிலை(ஆ) & " " & பணி_நிலை(இ);
    முயல் { பணி_காத்திரு(ஆ); } பிழை(e) { அச்சு e.code; }
    முயல் { பணி_காத்திரு(இ); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.problem is None
    assert done.lines == [
        "ஓடுகிறது ஓடுகிறது ஓடுகிறது",
        "முடிந்தது பிழை நிறுத்தப்பட்டது",
        "number.division_by_zero",
        "cancelled",
    ]


def test_cancel_waits_until_the_task_has_ended() -> None:
    text = """
    பணி f() { முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(3); அச்சு "இறுதி"; } அச்சு "இல்லை"; }
    t = பணி_தொடங்கு(f); உறங்கு(1);
    பணி_நிறுத்து(t);
    அச்சு "பின்"; அச்சு பணி_நிலை(t);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["இறுதி", "பின்", "நிறுத்தப்பட்டது"]
    assert done.time == pytest.approx(4, abs=0.001)


def test_cancelling_twice_or_too_late_is_no_harm() -> None:
    text = """
    பணி f() { உறங்கு(50); } பணி g() { திரும்பு 5; } பணி h() { x = 1 / 0; }
    t = பணி_தொடங்கு(f); பணி_நிறுத்து(t); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t);
    t = பணி_தொடங்கு(g); பணி_காத்திரு(t); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t); அச்சு பணி_காத்திரு(t);
    t = பணி_தொடங்கு(h); உறங்கு(1); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["நிறுத்தப்பட்டது", "முடிந்தது", "5", "பிழை"]


def test_a_task_that_is_cancelled_before_its_first_turn_has_done_nothing_or_ended_well() -> None:
    text = """
    பணி f() { முயல் { அச்சு "தொடக்கம்"; உறங்கு(50); அச்சு "இல்லை"; } இறுதியில் { அச்சு "இறுதி"; } }
    t = பணி_தொடங்கு(f); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t);
    """
    lines = output_of(text)
    assert lines in (["நிறுத்தப்பட்டது"], ["தொடக்கம்", "இறுதி", "நிறுத்தப்பட்டது"])


def test_two_may_cancel_one_task_at_once() -> None:
    text = """
    பணி f() { முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(2); } }
    t = பணி_தொடங்கு(f); உறங்கு(1);
    அச்சு இணையாக_மாற்று([1, 2, 3], செயல்(n) { பணி_நிறுத்து(t); திரும்பு பணி_நிலை(t); });
    """
    assert output_of(text) == ["[நிறுத்தப்பட்டது, நிறுத்தப்பட்டது, நிறுத்தப்பட்டது]"]


def test_whoever_awaits_a_task_that_another_cancels_gets_cancelled() -> None:
    text = """
    பணி நீள() { உறங்கு(50); }
    t = பணி_தொடங்கு(நீள);
    பணி கொல்() { உறங்கு(2); பணி_நிறுத்து(t); }
    k = பணி_தொடங்கு(கொல்);
    முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; }
    பணி_காத்திரு(k);
    """
    assert output_of(text) == ["cancelled"]


def test_cancelling_oneself_ends_it_at_once() -> None:
    text = """
    அறை = அணு_உருவாக்கு(0);
    பணி நான்() { உறங்கு(1); முயல் { பணி_நிறுத்து(அணு_படி(அறை)); அச்சு "இல்லை"; } பிழை(e) { அச்சு "இல்லை"; } இறுதியில் { அச்சு "இறுதி"; } }
    t = பணி_தொடங்கு(நான்); அணு_இடு(அறை, t);
    முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["இறுதி", "cancelled"]
    assert done.time == pytest.approx(1, abs=0.001)


def test_cancelling_ones_parent_ends_both() -> None:
    text = """
    அறை = அணு_உருவாக்கு(0);
    பணி குழந்தை() { முயல் { உறங்கு(1); பணி_நிறுத்து(அணு_படி(அறை)); அச்சு "இல்லை"; } இறுதியில் { அச்சு "குழந்தை"; } }
    பணி பெற்றோர்() { முயல் { t = பணி_தொடங்கு(குழந்தை); உறங்கு(50); } இறுதியில் { அச்சு "பெற்றோர்"; } }
    t = பணி_தொடங்கு(பெற்றோர்); அணு_இடு(அறை, t);
    முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["பெற்றோர்", "குழந்தை", "cancelled"]
    assert done.time == pytest.approx(1, abs=0.001)


def test_being_cancelled_is_not_caught() -> None:
    text = """
    பணி f() {
        (மெய்) சுற்று { முயல் { உறங்கு(1); அச்சு "சுற்று"; } பிழை(e) { அச்சு "இல்லை"; } }
    }
    t = பணி_தொடங்கு(f); உறங்கு(2.5); பணி_நிறுத்து(t); உறங்கு(5); அச்சு பணி_நிலை(t);
    """
    assert output_of(text) == ["சுற்று", "சுற்று", "நிறுத்தப்பட்டது"]


def test_retry_is_not_another_try_for_the_cancelled() -> None:
    text = """
    பணி f() { மீள்முயற்சி({"தடவை": 5, "பின்வாங்கு": 1}) { அச்சு "முயற்சி"; உறங்கு(50); } }
    t = பணி_தொடங்கு(f); உறங்கு(2); பணி_நிறுத்து(t); உறங்கு(20); அச்சு பணி_நிலை(t);
    """
    assert output_of(text) == ["முயற்சி", "நிறுத்தப்பட்டது"]


@pytest.mark.parametrize("way", ["திரும்பு 1;", "நிறுத்து;", "தொடர்;", "x = 1 / 0;", 'தவறு("அ")?;'])
def test_no_way_out_of_finally_calls_a_cancellation_off(way: str) -> None:
    text = f"""
    பணி f() {{
        i = 0;
        (i < 3) சுற்று {{ i = i + 1; முயல் {{ உறங்கு(50); }} இறுதியில் {{ அச்சு "இறுதி"; {way} }} அச்சு "இல்லை"; }}
        அச்சு "இல்லை";
    }}
    t = பணி_தொடங்கு(f); உறங்கு(1); பணி_நிறுத்து(t); உறங்கு(9); அச்சு பணி_நிலை(t);
    """
    assert output_of(text) == ["இறுதி", "நிறுத்தப்பட்டது"]


# ---- side by side ---------------------------------------------------------------------


def test_parallel_answers_values_in_order_whoever_is_first() -> None:
    text = """
    செயல் அ() { உறங்கு(3); அச்சு "அ"; திரும்பு 1; } செயல் ஆ() { உறங்கு(1); அச்சு "ஆ"; திரும்பு 2; }
    அச்சு இணையாக([அ, ஆ, செயல்() { உறங்கு(2); அச்சு "இ"; திரும்பு 3; }]);
    அச்சு இணையாக([]);
    அச்சு இணையாக_மாற்று([], நீளம்);
    அச்சு இணையாக_மாற்று(["அஆ", [1], "இ"], நீளம்);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["ஆ", "இ", "அ", "[1, 2, 3]", "[]", "[]", "[2, 1, 1]"]
    assert done.time == pytest.approx(3, abs=0.001)


def test_the_first_error_in_time_cancels_the_rest_and_is_raised() -> None:
    text = """
    செயல் f(n) { முயல் { உறங்கு(n); பிழை_எழுப்பு("பிழை" & n, "அ"); } இறுதியில் { அச்சு n; } }
    முயல் { இணையாக_மாற்று([5, 2, 9], f); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines[0] == "2" and sorted(done.lines[1:3]) == ["5", "9"] and done.lines[3] == "பிழை2"
    assert done.time == pytest.approx(2, abs=0.001)
    assert done.problem is None


def test_the_rest_has_ended_when_the_error_is_raised() -> None:
    text = """
    செயல் மெது() { முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(3); அச்சு "இறுதி"; } }
    முயல் { இணையாக([மெது, செயல்() { உறங்கு(1); x = 1 / 0; }, மெது]); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["இறுதி", "இறுதி", "number.division_by_zero"]
    assert done.time == pytest.approx(4, abs=0.001)


def test_the_limit_says_how_many_run_at_once() -> None:
    text = """
    இப்போது_ஓடுவது = அணு_உருவாக்கு(0); மிக = அணு_உருவாக்கு(0);
    செயல் f(n) {
        k = அணு_கூட்டு(இப்போது_ஓடுவது, 1);
        (k > அணு_படி(மிக)) எனில் { அணு_இடு(மிக, k); }
        உறங்கு(1); அணு_கூட்டு(இப்போது_ஓடுவது, -1); திரும்பு n;
    }
    அச்சு இணையாக_மாற்று([1, 2, 3, 4, 5, 6, 7], f, {"உச்சவரம்பு": 3});
    அச்சு அணு_படி(மிக);
    அச்சு இணையாக([செயல்() { திரும்பு f(1); }, செயல்() { திரும்பு f(2); }], {"limit": 1});
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["[1, 2, 3, 4, 5, 6, 7]", "3", "[1, 2]"]
    assert done.time == pytest.approx(5, abs=0.001)


@pytest.mark.parametrize(
    ("limit", "code"), [("0", "value.invalid"), ("-1", "value.invalid"), ("1.5", "value.kind")]
)
def test_the_limit_is_a_whole_number_from_one(limit: str, code: str) -> None:
    text = f'முயல் {{ n = {limit}; இணையாக_மாற்று([1], நீளம், {{"உச்சவரம்பு": n}}); }} பிழை(e) {{ அச்சு e.code; }}'
    assert output_of(text) == [code]


def test_an_error_starts_no_more_of_the_waiting() -> None:
    text = """
    செயல் f(n) { அச்சு n; உறங்கு(1); (n == 2) எனில் { x = 1 / 0; } }
    முயல் { இணையாக_மாற்று([1, 2, 3, 4, 5, 6], f, {"உச்சவரம்பு": 2}); } பிழை(e) { அச்சு e.code; }
    """
    lines = output_of(text, crashes=True)
    assert (
        sorted(lines[:2]) == ["1", "2"]
        and lines[-1] == "number.division_by_zero"
        and not {"4", "5", "6"} & set(lines)
    )


def test_parallel_in_parallel() -> None:
    text = """
    செயல் சிறிது(n) { உறங்கு(1); திரும்பு n * n; }
    செயல் பெரிது(n) { திரும்பு இணையாக_மாற்று([n, n + 1], சிறிது, {"உச்சவரம்பு": 1}); }
    அச்சு இணையாக_மாற்று([1, 10, 100], பெரிது, {"உச்சவரம்பு": 2});
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["[[1, 4], [100, 121], [10000, 10201]]"]
    assert done.time == pytest.approx(4, abs=0.001)


def test_a_failed_child_of_parallel_is_told_once() -> None:
    """It was raised; so it is not once more the error of the activity at its end."""
    text = """
    பணி f() { முயல் { இணையாக([செயல்() { x = 1 / 0; }]); } பிழை(e) { அச்சு e.code; } திரும்பு "நன்று"; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(f));
    """
    done = run_program(text, seconds=0)
    assert done.problem is None
    assert done.lines == ["number.division_by_zero", "நன்று"]


# ---- structured children --------------------------------------------------------------


def test_children_that_still_run_are_cancelled_when_their_parent_ends() -> None:
    text = """
    பணி குழந்தை() { முயல் { உறங்கு(50); அச்சு "இல்லை"; } இறுதியில் { அச்சு "குழந்தை"; } }
    பணி பெற்றோர்() { பணி_தொடங்கு(குழந்தை); உறங்கு(1); திரும்பு "பெற்றோர்"; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்));
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["குழந்தை", "பெற்றோர்"]
    assert done.time == pytest.approx(1, abs=0.001)


def test_the_parent_ends_after_its_children() -> None:
    text = """
    பணி குழந்தை() { முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(4); அச்சு "குழந்தை"; } }
    பணி பெற்றோர்() { பணி_தொடங்கு(குழந்தை); உறங்கு(1); திரும்பு "பெற்றோர்"; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்));
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["குழந்தை", "பெற்றோர்"]
    assert done.time == pytest.approx(5, abs=0.001)


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_nobody_outlives_the_parent_however_deep(depth: int) -> None:
    """Every level takes almost all of its grace; the one at the top ends last of all."""
    text = f"""
    ஓடுபவர் = அணு_உருவாக்கு(0);
    பணி வம்சம்(n) {{
        அணு_கூட்டு(ஓடுபவர், 1);
        முயல் {{ (n > 1) எனில் {{ பணி_தொடங்கு(வம்சம், n - 1); }} உறங்கு(500); }}
        இறுதியில் {{ உறங்கு(4.5); அணு_கூட்டு(ஓடுபவர், -1); }}
    }}
    t = பணி_தொடங்கு(வம்சம், {depth}); உறங்கு(1);
    அச்சு அணு_படி(ஓடுபவர்);
    பணி_நிறுத்து(t);
    அச்சு அணு_படி(ஓடுபவர்);
    """
    assert output_of(text) == [str(depth), "0"]


def test_the_prelude_ends_its_children_too() -> None:
    text = """
    பணி f() { முயல் { உறங்கு(50); } இறுதியில் { அச்சு "இறுதி"; } }
    t = பணி_தொடங்கு(f); உறங்கு(1);
    பணி_உருவாக்கு "பார்" { அச்சு பணி_நிலை(t); }
    """
    assert output_of(text) == ["இறுதி", "நிறுத்தப்பட்டது"]


def test_a_job_ends_its_children_after_every_turn() -> None:
    text = """
    பணி f(n) { முயல் { உறங்கு(50); } இறுதியில் { அச்சு "இறுதி" & n; } }
    n = அணு_உருவாக்கு(0);
    பணி_உருவாக்கு "முறை", {"every": 10} { பணி_தொடங்கு(f, அணு_கூட்டு(n, 1)); உறங்கு(1); }
    """
    assert output_of(text, seconds=25) == ["இறுதி1", "இறுதி2"]


def test_the_error_of_a_child_that_nobody_awaited_becomes_the_parents() -> None:
    text = """
    பணி குழந்தை() { பிழை_எழுப்பு("குழந்தை.பிழை", "அ"); }
    பணி பெற்றோர்() { பணி_தொடங்கு(குழந்தை); உறங்கு(1); அச்சு "பெற்றோர் முடிந்தது"; திரும்பு 1; }
    t = பணி_தொடங்கு(பெற்றோர்);
    முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; }
    அச்சு பணி_நிலை(t);
    """
    done = run_program(text, seconds=0)
    assert done.problem is None
    assert done.lines == ["பெற்றோர் முடிந்தது", "குழந்தை.பிழை", "பிழை"]


def test_it_climbs_until_somebody_awaits() -> None:
    text = """
    பணி வம்சம்(n) { (n == 0) எனில் { பிழை_எழுப்பு("ஆழம்", "அ"); } பணி_தொடங்கு(வம்சம், n - 1); உறங்கு(n); }
    முயல் { பணி_காத்திரு(பணி_தொடங்கு(வம்சம், 5)); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.problem is None
    assert done.lines == ["ஆழம்"]


def test_in_the_prelude_it_ends_the_start() -> None:
    assert failure_of('பணி f() { பிழை_எழுப்பு("அ.ஆ", "இ"); } பணி_தொடங்கு(f); உறங்கு(1); அச்சு 1;').code == "அ.ஆ"


def test_an_awaited_error_is_settled_also_if_another_activity_awaited_it() -> None:
    text = """
    பணி மோசம்() { உறங்கு(1); x = 1 / 0; }
    பணி கேள்(t) { முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; } }
    பணி பெற்றோர்() { t = பணி_தொடங்கு(மோசம்); k = பணி_தொடங்கு(கேள், t); உறங்கு(3); திரும்பு "நன்று"; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்));
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["number.division_by_zero", "நன்று"]


def test_awaiting_too_short_is_not_awaiting() -> None:
    text = """
    பணி மோசம்() { உறங்கு(2); x = 1 / 0; }
    பணி பெற்றோர்() { t = பணி_தொடங்கு(மோசம்); முயல் { பணி_காத்திரு(t, 1); } பிழை(e) { அச்சு e.code; } உறங்கு(3); அச்சு பணி_நிலை(t); }
    முயல் { பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்)); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout", "பிழை", "number.division_by_zero"]


def test_asking_for_the_status_is_not_awaiting() -> None:
    text = """
    பணி மோசம்() { x = 1 / 0; }
    பணி பெற்றோர்() { t = பணி_தொடங்கு(மோசம்); உறங்கு(1); அச்சு பணி_நிலை(t); }
    முயல் { பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்)); } பிழை(e) { அச்சு e.code; }
    """
    assert run_program(text, seconds=0).lines == ["பிழை", "number.division_by_zero"]


def test_the_error_of_the_activity_itself_comes_before_that_of_a_child() -> None:
    text = """
    பணி மோசம்() { பிழை_எழுப்பு("குழந்தை", "அ"); }
    பணி பெற்றோர்() { t = பணி_தொடங்கு(மோசம்); உறங்கு(1); பிழை_எழுப்பு("பெற்றோர்", "அ"); }
    முயல் { பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்)); } பிழை(e) { அச்சு e.code; }
    """
    assert run_program(text, seconds=0).lines == ["பெற்றோர்"]


def test_a_child_that_fails_while_it_is_cancelled_at_the_end_does_not_fail_the_parent_unless_it_failed_before() -> (
    None
):
    text = """
    பணி f() { முயல் { உறங்கு(50); } இறுதியில் { அச்சு "இறுதி"; x = 1 / 0; } }
    பணி பெற்றோர்() { பணி_தொடங்கு(f); உறங்கு(1); திரும்பு "நன்று"; }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்));
    """
    assert output_of(text) == ["இறுதி", "நன்று"]


def test_many_failing_tasks_do_no_harm_to_the_service() -> None:
    text = """
    பணி f(n) { x = 1 / 0; }
    i = 0; பிழைகள் = 0;
    (i < 50) சுற்று { i = i + 1; முயல் { பணி_காத்திரு(பணி_தொடங்கு(f, i)); } பிழை(e) { பிழைகள் = பிழைகள் + 1; } }
    அச்சு பிழைகள்;
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(நீளம், "அஆஇ"));
    """
    done = run_program(text, seconds=0)
    assert done.problem is None
    assert done.lines == ["50", "3"]


def test_a_long_life_does_not_remember_children_that_ended_well() -> None:
    text = """
    பணி f(n) { திரும்பு n; }
    பணி_உருவாக்கு "ஓயாது" { (மெய்) சுற்று { t = பணி_தொடங்கு(f, 1); பணி_காத்திரு(t); u = பணி_தொடங்கு(f, 1); உறங்கு(1); } }
    """
    counted: list[int] = []

    async def count(system: System) -> None:
        for _ in range(2):
            await trio.sleep(200)
            gc.collect()
            counted.append(sum(isinstance(one, Task) for one in gc.get_objects()))

    run_program(text, during=count)
    assert counted[0] < 20 and counted[1] < 20


def test_the_error_of_an_unawaited_child_fails_the_try_of_a_job() -> None:
    text = """
    பணி குழந்தை() { பிழை_எழுப்பு("குழந்தை", "அ"); }
    பணி_உருவாக்கு "வெளி" {
        h = பணி_உருவாக்கு("ஒருமுறை", {"தடவை": 2, "பின்வாங்கு": 1}) { அச்சு "முயற்சி"; பணி_தொடங்கு(குழந்தை); உறங்கு(1); திரும்பு 5; };
        முயல் { அச்சு பணி_காத்திரு(h); } பிழை(e) { அச்சு e.code; }
    }
    """
    assert output_of(text, crashes=True) == ["முயற்சி", "முயற்சி", "குழந்தை"]


def test_what_shall_outlive_the_activity_is_a_job() -> None:
    text = """
    பணி f() { t = பணி_உருவாக்கு("நீளும்") { உறங்கு(5); அச்சு "வேலை முடிந்தது"; }; திரும்பு t; }
    பணி_உருவாக்கு "வெளி" { t = பணி_தொடங்கு(f); h = பணி_காத்திரு(t); அச்சு "பணி முடிந்தது"; அச்சு பணி_நிலை(h); }
    """
    assert output_of(text) == ["பணி முடிந்தது", "ஓடுகிறது", "வேலை முடிந்தது"]


def test_awaiting_neither_holds_nor_wakes_anybody_else() -> None:
    """One who waits for a task with no end can wait for something else afterwards."""
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ");
    பணி நீள() { உறங்கு(100); }
    பணி f() {
        t = பணி_தொடங்கு(நீள);
        முயல் { பணி_காத்திரு(t, 1); } பிழை(e) { }
        முயல் { காலவரம்பு(1) { இணையாக([நீள, நீள]); } } பிழை(e) { }
        பூட்டு_பிடி(பூ) { முயல் { பணி_காத்திரு(t, 1); } பிழை(e) { அச்சு e.code; } }
        முயல் { பூட்டு_பிடி(பூ) { பூட்டு_பிடி(பூ) { அச்சு 1; } } } பிழை(e) { அச்சு e.code; }
        பூட்டு_பிடி(பூ) { அச்சு "கடைசி"; }
    }
    பணி_காத்திரு(பணி_தொடங்கு(f));
    """
    assert output_of(text) == ["timeout", "lock.deadlock", "கடைசி"]


# ---- leaving the process --------------------------------------------------------------


@pytest.mark.parametrize("where", ["prelude", "job"])
def test_a_task_may_end_the_process(where: str) -> None:
    """வெளியேறு(n) in a service takes it down in order; the exit status is n. It is not caught."""
    awaited = "t = பணி_தொடங்கு(f); முயல் { பணி_காத்திரு(t); } பிழை(e) { அச்சு e.code; } உறங்கு(1);"
    if where == "job":
        awaited = f'பணி_உருவாக்கு "வேலை" {{ {awaited} }}'
    text = f"""
    பணி f() {{ முயல் {{ உறங்கு(1); வெளியேறு(3); அச்சு "இல்லை"; }} பிழை(e) {{ அச்சு "இல்லை"; }} இறுதியில் {{ அச்சு "இறுதி"; }} }}
    {awaited}
    """
    done = run_program(text)
    assert done.problem is None
    assert done.status == 3
    assert done.lines[0] == "இறுதி"
    assert "இல்லை" not in done.lines
    assert not any(code == ExitRequested.__name__ for _, code in done.crashes)


def test_a_task_whose_awaiter_catches_nothing_may_end_the_process_in_the_prelude() -> None:
    done = run_program("பணி f() { வெளியேறு(3); } பணி_காத்திரு(பணி_தொடங்கு(f));")
    assert done.problem is None
    assert done.status == 3


def test_a_task_may_be_started_while_the_service_stops() -> None:
    """நிறுத்தும்போது runs after requests and jobs have drained; it is program code like any other."""
    text = """
    பணி f() { உறங்கு(1); திரும்பு "முடிந்தது"; }
    நிறுத்தும்போது { அச்சு "நிறுத்தம்"; அச்சு பணி_காத்திரு(பணி_தொடங்கு(f)); அச்சு இணையாக([f]); }
    """
    assert output_of(text) == ["நிறுத்தம்", "முடிந்தது", "[முடிந்தது]"]


def test_a_task_has_no_request() -> None:
    """பதில் in it raises no_request."""
    text = """
    பணி f() { முயல் { பதில் 200, "அ"; அச்சு "இல்லை"; } பிழை(e) { திரும்பு e.code; } }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(f));
    """
    assert output_of(text) == ["no_request"]


# ---- what is copied -------------------------------------------------------------------


def test_a_child_starts_with_copies_of_the_globals_as_they_are_then() -> None:
    text = """
    n = 1; அணி1 = [1, 2];
    பணி f() { உறங்கு(1); திரும்பு "" & n & அணி1; }
    அ = பணி_தொடங்கு(f);
    n = 2; அணி1[0] = 99;
    ஆ = பணி_தொடங்கு(f);
    n = 3; அணி1 = "வேறு";
    அச்சு பணி_காத்திரு(அ); அச்சு பணி_காத்திரு(ஆ); அச்சு f();
    """
    assert output_of(text) == ["1[1, 2]", "2[99, 2]", "3வேறு"]


def test_a_child_changes_nothing_of_its_parents() -> None:
    text = """
    ப = {"அ": [1, {"ஆ": 2}]}; உ = "உரை";
    பணி f(x, y) { x[0] = 100; y.அ = 200; y.புது = 1; கீழ் = ப.அ; கீழ்[1] = 300; ப.அ = கீழ்; ப.புது = 1; உ = "மாறியது"; உறங்கு(1); திரும்பு [x, y, ப, உ]; }
    அணி1 = [1, 2]; பொருள்1 = {"அ": 1};
    t = பணி_தொடங்கு(f, அணி1, பொருள்1);
    உறங்கு(0.5);
    அச்சு அணி1; அச்சு பொருள்1; அச்சு ப; அச்சு உ;
    அச்சு பணி_காத்திரு(t);
    அச்சு அணி1; அச்சு பொருள்1; அச்சு ப; அச்சு உ;
    """
    unchanged = ["[1, 2]", "{அ: 1}", "{அ: [1, {ஆ: 2}]}", "உரை"]
    changed = "[[100, 2], {அ: 200, புது: 1}, {அ: [1, 300], புது: 1}, மாறியது]"
    assert output_of(text) == [*unchanged, changed, *unchanged]


def test_a_parent_changes_nothing_of_its_childs() -> None:
    text = """
    பணி f(x) { உறங்கு(2); திரும்பு x; }
    அ = [1, [2, 3]];
    t = பணி_தொடங்கு(f, அ);
    உறங்கு(1); கீழ் = அ[1]; கீழ்[0] = 99; அ[1] = கீழ்; அ[0] = 98; அ = இணை(அ, 5);
    அச்சு பணி_காத்திரு(t); அச்சு அ;
    """
    assert output_of(text) == ["[1, [2, 3]]", "[98, [99, 3], 5]"]


def test_appending_in_place_is_not_seen_by_a_child() -> None:
    text = """
    அ = []; உ = "";
    பணி f() { உறங்கு(1); திரும்பு "" & நீளம்(அ) & உ; }
    t = []; i = 0;
    (i < 4) சுற்று { t = இணை(t, பணி_தொடங்கு(f)); அ = இணை(அ, i); உ = உ & i; i = i + 1; }
    ஒவ்வொரு k இல் t { அச்சு பணி_காத்திரு(k); }
    """
    assert output_of(text) == ["0", "10", "201", "3012"]


def test_what_two_awaiters_get_is_a_copy_each() -> None:
    text = """
    பணி f() { திரும்பு [1, [2]]; }
    t = பணி_தொடங்கு(f);
    பணி மாற்று() { v = பணி_காத்திரு(t); கீழ் = v[1]; கீழ்[0] = 77; v[1] = கீழ்; திரும்பு v; }
    அச்சு இணையாக([மாற்று, மாற்று]); அச்சு பணி_காத்திரு(t);
    """
    assert output_of(text) == ["[[1, [77]], [1, [77]]]", "[1, [2]]"]


def test_functions_given_to_a_child_read_the_childs_globals() -> None:
    """Function values read the globals of the activity that calls them."""
    text = """
    g = "பெற்றோர்";
    செயல் பார்() { திரும்பு g; }
    ல = செயல்() { திரும்பு g; };
    செயல் பெருக்கி(n) { திரும்பு செயல்() { திரும்பு g & n; }; }
    பெ = பெருக்கி(7);
    பணி f(a, b, c) { உறங்கு(1); திரும்பு [a(), b(), c(), பார்(), ல(), பெ()]; }
    t = பணி_தொடங்கு(f, பார், ல, பெ);
    g = "மாறியது";
    அச்சு பணி_காத்திரு(t);
    அச்சு [பார்(), ல(), பெ()];
    """
    assert output_of(text) == [
        "[பெற்றோர், பெற்றோர், பெற்றோர்7, பெற்றோர், பெற்றோர், பெற்றோர்7]",
        "[மாறியது, மாறியது, மாறியது7]",
    ]


JOURNEYS = {
    "value of a task": ("பணி அனுப்பு(f) { திரும்பு f; }", "h = பணி_காத்திரு(பணி_தொடங்கு(அனுப்பு, {f}));"),
    "cell": (
        "",
        "அறை = அணு_உருவாக்கு(0); பணி_காத்திரு(பணி_தொடங்கு(செயல்(f) {{ அணு_இடு(அறை, f); }}, {f})); h = அணு_படி(அறை);",
    ),
    "channel": (
        "",
        "சே = சேனல்_உருவாக்கு(); பணி_காத்திரு(பணி_தொடங்கு(செயல்(f) {{ சேனல்_அனுப்பு(சே, f); }}, {f})); h = சேனல்_பெறு(சே);",
    ),
    "walk": ("", "சே = சேனல்_உருவாக்கு(); சேனல்_அனுப்பு(சே, {f}); சேனல்_மூடு(சே); ஒவ்வொரு x இல் சே {{ h = x; }}"),
    "choice": ("", "சே = சேனல்_உருவாக்கு(); சேனல்_அனுப்பு(சே, {f}); தேர்வு {{ x இல் சே {{ h = x; }} }}"),
    "registry": (
        "",
        'பணி_காத்திரு(பணி_தொடங்கு(செயல்(f) {{ சேவை_பதிவு("எஃப்", f); }}, {f})); h = சேவை_பெறு("எஃப்");',
    ),
    "inside values": (
        'பணி அனுப்பு(f) {{ திரும்பு [சரி({{"அ": [f]}})]; }}'.replace("{{", "{").replace("}}", "}"),
        "h = மதிப்பு(பணி_காத்திரு(பணி_தொடங்கு(அனுப்பு, {f}))[0]).அ[0];",
    ),
    "details of an error": (
        'பணி எறி(f) { பிழை_எழுப்பு("அ", "ஆ", {"f": f}); }',
        "முயல் {{ பணி_காத்திரு(பணி_தொடங்கு(எறி, {f})); }} பிழை(e) {{ h = e.details.f; }}",
    ),
    "parallel": ("", "h = இணையாக_மாற்று([{f}], செயல்(f) {{ திரும்பு f; }})[0];"),
}


@pytest.mark.parametrize("kind", ["named", "lambda", "captured"])
@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_function_from_elsewhere_reads_the_globals_of_whoever_calls_it(journey: str, kind: str) -> None:
    setup, way = JOURNEYS[journey]
    function = {"named": "பார்", "lambda": "ல", "captured": "பெருக்கி(7)"}[kind]
    text = f"""
    g = "முன்";
    செயல் பார்() {{ திரும்பு g; }}
    ல = செயல்() {{ திரும்பு g; }};
    செயல் பெருக்கி(n) {{ திரும்பு செயல்() {{ திரும்பு g & n; }}; }}
    {setup}
    பணி வேறு() {{ திரும்பு 1; }}
    {way.format(f=function)}
    g = "பின்";
    அச்சு h();
    பணி_காத்திரு(பணி_தொடங்கு(வேறு)); இணையாக([வேறு, வேறு]);
    g = "கடை";
    அச்சு h();
    """
    tail = "7" if kind == "captured" else ""
    assert output_of(text, crashes=True) == ["பின்" + tail, "கடை" + tail]


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_builtin_from_elsewhere_works_for_whoever_calls_it(journey: str) -> None:
    setup, way = JOURNEYS[journey]
    text = f"""
    {setup}
    பணி வேறு() {{ திரும்பு 1; }}
    செயல் இரட்டி(n) {{ திரும்பு n * 2; }}
    {way.format(f="மாற்றியமை")}
    இணையாக([வேறு, வேறு]);
    அச்சு h([1, 2], இரட்டி);
    """
    assert output_of(text, crashes=True) == ["[2, 4]"]


def test_globals_of_one_task_are_not_those_of_the_next_on_the_same_machine() -> None:
    text = """
    பணி அமை_நிலை(n) { நினைவு_மாற்று = n; உறங்கு(0.1); திரும்பு நினைவு_மாற்று; }
    பணி_உருவாக்கு "வேலை" {
        g = 5;
        i = 0;
        (i < 20) சுற்று { i = i + 1; இணையாக_மாற்று([1, 2, 3], அமை_நிலை); முயல் { அச்சு நினைவு_மாற்று; } பிழை(e) { இருந்தது = e.code; } }
        அச்சு இருந்தது;
    }
    பணி_உருவாக்கு "மற்றது" { உறங்கு(30); முயல் { அச்சு g; } பிழை(e) { அச்சு e.code; } }
    """
    assert output_of(text) == ["name.undefined", "name.undefined"]


# ---- many -----------------------------------------------------------------------------


def test_thousands_of_tasks_at_once() -> None:
    text = """
    பணி f(n) { உறங்கு(5); திரும்பு n; }
    t = []; i = 0;
    (i < 3000) சுற்று { t = இணை(t, பணி_தொடங்கு(f, i)); i = i + 1; }
    மொத்தம் = 0;
    ஒவ்வொரு k இல் t { மொத்தம் = மொத்தம் + பணி_காத்திரு(k); }
    அச்சு மொத்தம்;
    """
    done = run_program(text, seconds=0)
    assert done.lines == [str(sum(range(3000)))]
    assert done.time == pytest.approx(5, abs=0.01)


def test_thousands_side_by_side() -> None:
    text = """
    பணி f(n) { உறங்கு(1); திரும்பு n; }
    t = []; i = 0;
    (i < 3000) சுற்று { t = இணை(t, i); i = i + 1; }
    v = இணையாக_மாற்று(t, f, {"உச்சவரம்பு": 3000});
    அச்சு நீளம்(v); அச்சு v[2999];
    """
    assert output_of(text, seconds=0) == ["3000", "2999"]


def test_thousands_of_tasks_are_cancelled_together() -> None:
    text = """
    n = அணு_உருவாக்கு(0);
    பணி f() { முயல் { உறங்கு(500); } இறுதியில் { அணு_கூட்டு(n, 1); } }
    பணி பெற்றோர்() { i = 0; (i < 2000) சுற்று { பணி_தொடங்கு(f); i = i + 1; } உறங்கு(1); }
    பணி_காத்திரு(பணி_தொடங்கு(பெற்றோர்));
    அச்சு அணு_படி(n);
    """
    assert output_of(text, seconds=0) == ["2000"]


def test_a_deep_chain_of_tasks() -> None:
    text = """
    பணி வம்சம்(n) { (n == 0) எனில் { உறங்கு(1); திரும்பு 0; } திரும்பு 1 + பணி_காத்திரு(பணி_தொடங்கு(வம்சம், n - 1)); }
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(வம்சம், 400));
    """
    assert output_of(text, seconds=0) == ["400"]


def test_the_same_seed_runs_the_same() -> None:
    text = """
    பணி f(n) { i = 0; (i < 3) சுற்று { உறங்கு(1); அச்சு "" & n & i; i = i + 1; } }
    இணையாக_மாற்று([1, 2, 3, 4, 5], f);
    """
    first = run_program(text, seconds=0, seed=7)
    again = run_program(text, seconds=0, seed=7)
    assert first.lines == again.lines
    assert [repr(event) for event in first.events if type(event).__name__ == "ActorStarted"] == [
        repr(event) for event in again.events if type(event).__name__ == "ActorStarted"
    ]
