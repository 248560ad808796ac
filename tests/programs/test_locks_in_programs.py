"""பூட்டு_பிடி, semaphores, deadlocks and atomic cells as programs see them (EXTENSIONS §7)."""

from __future__ import annotations

import pytest

from tests.programs.running import failure_of, output_of, run_program

# ---- holding --------------------------------------------------------------------------


def test_one_at_a_time() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு(); எண்ணி = அணு_உருவாக்கு(0); மிக = அணு_உருவாக்கு(0);
    பணி f(n) {
        பூட்டு_பிடி(பூ) {
            k = அணு_கூட்டு(எண்ணி, 1); (k > அணு_படி(மிக)) எனில் { அணு_இடு(மிக, k); }
            உறங்கு(1); அணு_கூட்டு(எண்ணி, -1);
        }
    }
    இணையாக_மாற்று([1, 2, 3, 4, 5], f);
    அச்சு அணு_படி(மிக);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["1"]
    assert done.time == pytest.approx(5, abs=0.001)


def test_first_come_first_served() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு();
    பணி f(n) { உறங்கு(n / 10); பூட்டு_பிடி(பூ) { அச்சு n; உறங்கு(3); } }
    இணையாக_மாற்று([4, 2, 9, 1, 7, 3], f);
    """
    assert output_of(text) == ["1", "2", "3", "4", "7", "9"]


def test_a_newcomer_does_not_overtake() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு();
    பணி முதல்() { பூட்டு_பிடி(பூ) { உறங்கு(5); } பூட்டு_பிடி(பூ) { அச்சு "முதல் மீண்டும்"; } }
    பணி இரண்டு() { உறங்கு(1); பூட்டு_பிடி(பூ) { அச்சு "இரண்டு"; } }
    இணையாக([முதல், இரண்டு]);
    """
    assert output_of(text) == ["இரண்டு", "முதல் மீண்டும்"]


@pytest.mark.parametrize("permits", [1, 2, 3, 7])
def test_a_semaphore_lets_so_many_in(permits: int) -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு("பல", {{"அனுமதிகள்": {permits}}}); எண்ணி = அணு_உருவாக்கு(0); மிக = அணு_உருவாக்கு(0);
    பணி f(n) {{
        பூட்டு_பிடி(பூ) {{
            k = அணு_கூட்டு(எண்ணி, 1); (k > அணு_படி(மிக)) எனில் {{ அணு_இடு(மிக, k); }}
            உறங்கு(1); அணு_கூட்டு(எண்ணி, -1);
        }}
    }}
    இணையாக_மாற்று([1, 2, 3, 4, 5, 6, 7, 8], f);
    அச்சு அணு_படி(மிக);
    """
    done = run_program(text, seconds=0)
    assert done.lines == [str(permits)]
    assert done.time == pytest.approx(-(-8 // permits), abs=0.001)


def test_a_lock_without_a_name_is_its_own() -> None:
    text = """
    அ = பூட்டு_உருவாக்கு(); ஆ = பூட்டு_உருவாக்கு();
    பூட்டு_பிடி(அ) { பூட்டு_பிடி(ஆ) { அச்சு "இரண்டும்"; } }
    அச்சு அ == ஆ; அச்சு அ == அ;
    """
    assert output_of(text) == ["இரண்டும்", "false", "true"]


def test_a_name_is_one_lock_for_the_whole_process() -> None:
    holder = (
        'பூ = பூட்டு_உருவாக்கு("பொது"); பணி_உருவாக்கு "பிடி" { பூட்டு_பிடி(பூ) { அச்சு "முதல் சேவை"; உறங்கு(9); } }'
    )
    other = """
    பூ = பூட்டு_உருவாக்கு("பொது");
    அச்சு பூ == பூட்டு_உருவாக்கு("பொது");
    பணி_உருவாக்கு "பிடி" {
        உறங்கு(1);
        முயல் { பூட்டு_பிடி(பூ, {"timeout": 2}) { அச்சு "இல்லை"; } } பிழை(e) { அச்சு e.code; }
        பூட்டு_பிடி(பூ) { அச்சு "இரண்டாம் சேவை"; }
    }
    """
    done = run_program(holder, other)
    assert done.lines == ["முதல் சேவை", "true", "timeout", "இரண்டாம் சேவை"]


def test_programs_that_name_one_lock_agree_on_its_permits() -> None:
    text = (
        'அ = பூட்டு_உருவாக்கு("பொது"); முயல் { பூட்டு_உருவாக்கு("பொது", {"permits": 2}); } பிழை(e) { அச்சு e.code; }'
    )
    assert output_of(text) == ["config"]


@pytest.mark.parametrize(
    ("permits", "code"), [("0", "value.invalid"), ("-1", "value.invalid"), ("1.5", "value.invalid")]
)
def test_permits_are_a_whole_number_from_one(permits: str, code: str) -> None:
    text = f'முயல் {{ n = {permits}; பூட்டு_உருவாக்கு({{"அனுமதிகள்": n}}); }} பிழை(e) {{ அச்சு e.code; }}'
    assert output_of(text) == [code]


def test_only_a_lock_can_be_held() -> None:
    text = 'ப = [1]; முயல் { பூட்டு_பிடி(ப[0]) { அச்சு "இல்லை"; } } பிழை(e) { அச்சு e.code; }'
    assert output_of(text) == ["value.kind"]


# ---- however the block ends -----------------------------------------------------------

ENDS = {
    "normal": "x = 1;",
    "return": "திரும்பு 1;",
    "break": "நிறுத்து;",
    "continue": "தொடர்;",
    "failure": 'தவறு("அ")?;',
    "error": "x = 1 / 0;",
    "limit": "காலவரம்பு(1) { உறங்கு(9); }",
    "cancelled": "உறங்கு(50);",
    "cancelled in finally": "முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(50); }",
    "child": "பணி_காத்திரு(பணி_தொடங்கு(செயல்() { உறங்கு(50); }));",
    "deadlock": "பூட்டு_பிடி(பூ) { பூட்டு_பிடி(பூ) { x = 1; } }",
    "call": "ஆழம்(0);",
}


@pytest.mark.parametrize("permits", [1, 2])
@pytest.mark.parametrize("end", ENDS)
def test_a_lock_is_given_back_however_the_block_ends(end: str, permits: int) -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு("பூ", {{"அனுமதிகள்": {permits}}});
    செயல் ஆழம்(n) {{ திரும்பு ஆழம்(n + 1); }}
    பணி f() {{ i = 0; (i < 2) சுற்று {{ i = i + 1; பூட்டு_பிடி(பூ) {{ {ENDS[end]} }} }} }}
    t = பணி_தொடங்கு(f); உறங்கு(3); பணி_நிறுத்து(t);
    பணி பிடி() {{ பூட்டு_பிடி(பூ, {{"timeout": 0}}) {{ உறங்கு(1); திரும்பு "பிடித்தது"; }} }}
    i = 0; பிடிப்பவர் = [];
    (i < {permits}) சுற்று {{ பிடிப்பவர் = இணை(பிடிப்பவர், பிடி); i = i + 1; }}
    அச்சு இணையாக(பிடிப்பவர்);
    """
    assert output_of(text, crashes=True) == ["[" + ", ".join(["பிடித்தது"] * permits) + "]"]


def test_leaving_the_process_gives_locks_back() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ");
    பணி_உருவாக்கு "அ" { பூட்டு_பிடி(பூ) { உறங்கு(1); வெளியேறு(4); } }
    பணி_உருவாக்கு "ஆ" { உறங்கு(0.5); பூட்டு_பிடி(பூ) { அச்சு "பிடித்தது"; } }
    """
    done = run_program(text)
    assert done.status == 4
    assert done.lines == ["பிடித்தது"]
    assert not done.left_over


def test_the_service_stops_while_many_hold_and_wait() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ"); அரை = பூட்டு_உருவாக்கு("அரை", {"அனுமதிகள்": 2});
    பணி f(n) { பூட்டு_பிடி(அரை) { பூட்டு_பிடி(பூ) { உறங்கு(1000); } } }
    பணி_உருவாக்கு "அ", {"நிறுத்து_நேரம்": 0} { இணையாக_மாற்று([1, 2, 3, 4, 5], f); }
    பணி_உருவாக்கு "ஆ", {"நிறுத்து_நேரம்": 1} { இணையாக_மாற்று([1, 2, 3, 4, 5], f); }
    """
    done = run_program(text, seconds=10)
    assert done.problem is None
    assert not done.left_over


# ---- waiting with a limit -------------------------------------------------------------


def test_a_lock_past_its_limit_raises_timeout_and_leaves_the_queue() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு();
    பணி நீள() { பூட்டு_பிடி(பூ) { உறங்கு(5); } }
    பணி பொறு(n) { உறங்கு(1); முயல் { பூட்டு_பிடி(பூ, {"காலவரம்பு": n}) { அச்சு "பிடித்தேன்" & n; } } பிழை(e) { அச்சு e.code & n & e.details.seconds; } }
    t = பணி_தொடங்கு(நீள);
    இணையாக_மாற்று([2, 1, 9, 3, 0], பொறு);
    """
    assert output_of(text) == ["timeout00", "timeout11", "timeout22", "timeout33", "பிடித்தேன்9"]


def test_a_free_lock_needs_no_patience() -> None:
    text = 'பூ = பூட்டு_உருவாக்கு(); பூட்டு_பிடி(பூ, {"timeout": 0}) { அச்சு 1; }'
    assert output_of(text) == ["1"]


# ---- deadlocks ------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["", ', {"timeout": 1}'])
def test_taking_a_lock_that_one_holds_is_a_deadlock(options: str) -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு();
    பணி நான்() {{ பூட்டு_பிடி(பூ) {{ முயல் {{ பூட்டு_பிடி(பூ{options}) {{ அச்சு "இல்லை"; }} }} பிழை(e) {{ அச்சு e.code & " " & e.details.who; }} அச்சு "இன்னும்"; }} }}
    பணி_காத்திரு(பணி_தொடங்கு(நான்));
    பூட்டு_பிடி(பூ) {{ அச்சு "பின்"; }}
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["lock.deadlock நான் → நான்", "இன்னும்", "பின்"]
    assert done.time == 0


def test_an_uncaught_deadlock_ends_the_start() -> None:
    assert (
        failure_of("பூ = பூட்டு_உருவாக்கு(); பூட்டு_பிடி(பூ) { பூட்டு_பிடி(பூ) { அச்சு 1; } }").code
        == "lock.deadlock"
    )


def test_a_further_permit_of_a_semaphore_is_no_deadlock_until_none_is_left() -> None:
    """A holder asking for a further permit deadlocks only when none is left (§14)."""
    text = """
    பூ = பூட்டு_உருவாக்கு({"அனுமதிகள்": 2});
    பூட்டு_பிடி(பூ) { அச்சு 1; பூட்டு_பிடி(பூ) { அச்சு 2; முயல் { பூட்டு_பிடி(பூ) { அச்சு 3; } } பிழை(e) { அச்சு e.code; } } }
    பூட்டு_பிடி(பூ) { பூட்டு_பிடி(பூ) { அச்சு "மீண்டும்"; } }
    """
    assert output_of(text) == ["1", "2", "lock.deadlock", "மீண்டும்"]


@pytest.mark.parametrize("length", range(2, 11))
def test_a_ring_of_locks_is_raised_in_the_one_that_closes_it_naming_all(length: int) -> None:
    names = "அ ஆ இ ஈ உ ஊ எ ஏ ஐ ஒ".split()[:length]
    tasks = "\n".join(
        f"""பணி {name}() {{
            பூட்டு_பிடி(பூ{number}) {{
                உறங்கு({1 + number});
                முயல் {{ பூட்டு_பிடி(பூ{(number + 1) % length}) {{ அச்சு "{name} இரண்டும்"; }} }}
                பிழை(e) {{ அச்சு "{name} " & e.code & " " & e.details.who; }}
            }}
        }}"""
        for number, name in enumerate(names)
    )
    locks = " ".join(f"பூ{number} = பூட்டு_உருவாக்கு();" for number in range(length))
    done = run_program(f"{locks}\n{tasks}\nஇணையாக([{', '.join(names)}]);", seconds=0)
    assert done.problem is None
    closing = names[-1]
    ring = " → ".join([closing, *names[:-1], closing])
    assert done.lines[0] == f"{closing} lock.deadlock {ring}"
    # It gave its own lock back, so all the others got both.
    assert sorted(done.lines[1:]) == sorted(f"{name} இரண்டும்" for name in names[:-1])


@pytest.mark.parametrize("length", range(2, 8))
def test_a_ring_through_children_is_found(length: int) -> None:
    """… or for a child that waits for one."""
    text = f"""
    பூ = பூட்டு_உருவாக்கு();
    பணி வம்சம்(n) {{
        (n == 0) எனில் {{ பூட்டு_பிடி(பூ) {{ அச்சு "இல்லை"; }} }}
        பணி_காத்திரு(பணி_தொடங்கு(வம்சம், n - 1));
    }}
    பணி முதல்வர்() {{ பூட்டு_பிடி(பூ) {{ முயல் {{ பணி_காத்திரு(பணி_தொடங்கு(வம்சம், {length - 2})); }} பிழை(e) {{ அச்சு e.code; }} }} }}
    பணி_காத்திரு(பணி_தொடங்கு(முதல்வர்));
    பூட்டு_பிடி(பூ) {{ அச்சு "விடுபட்டது"; }}
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["lock.deadlock", "விடுபட்டது"]


@pytest.mark.parametrize(
    "way", ["இணையாக([கேள்])", "இணையாக_மாற்று([1], செயல்(n) { கேள்(); })", "பணி_காத்திரு(பணி_தொடங்கு(கேள்), 3)"]
)
def test_waiting_for_children_of_every_kind_can_close_a_ring(way: str) -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு();
    செயல் கேள்() {{ உறங்கு(1); பூட்டு_பிடி(பூ) {{ அச்சு "இல்லை"; }} }}
    பூட்டு_பிடி(பூ) {{ முயல் {{ {way}; }} பிழை(e) {{ அச்சு e.code; }} }}
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["lock.deadlock"]
    assert done.time == pytest.approx(1, abs=0.001)


def test_a_ring_through_the_handle_of_a_job_is_found() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ");
    பணி_உருவாக்கு "வெளிவேலை" {
        பூட்டு_பிடி(பூ) {
            h = பணி_உருவாக்கு("உள்வேலை") { உறங்கு(1); முயல் { பூட்டு_பிடி(பூ) { அச்சு "இல்லை"; } } பிழை(e) { அச்சு e.code; } };
            பணி_காத்திரு(h);
            அச்சு "வெளிவேலை";
        }
    }
    """
    assert output_of(text) == ["lock.deadlock", "வெளிவேலை"]


def test_a_ring_of_locks_and_children() -> None:
    text = """
    அ = பூட்டு_உருவாக்கு(); ஆ = பூட்டு_உருவாக்கு();
    பணி குழந்தை() { உறங்கு(1); பூட்டு_பிடி(ஆ) { அச்சு "இல்லை"; } }
    பணி பெற்றோர்() { பூட்டு_பிடி(அ) { முயல் { பணி_காத்திரு(பணி_தொடங்கு(குழந்தை)); } பிழை(e) { அச்சு "பெற்றோர் " & e.code; } } }
    பணி வேறு() { பூட்டு_பிடி(ஆ) { உறங்கு(2); முயல் { பூட்டு_பிடி(அ) { அச்சு "இல்லை"; } } பிழை(e) { அச்சு "வேறு " & e.code; } உறங்கு(1); } }
    முயல் { இணையாக([பெற்றோர், வேறு]); } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    # பெற்றோர் waits for குழந்தை, which waits for வேறு; வேறு closes the ring and lets go.
    assert done.lines[0] == "வேறு lock.deadlock"
    assert "பெற்றோர் lock.deadlock" not in done.lines


def test_a_semaphore_is_no_deadlock_while_one_of_its_holders_can_go_on() -> None:
    text = """
    அரை = பூட்டு_உருவாக்கு({"அனுமதிகள்": 2}); பூ = பூட்டு_உருவாக்கு();
    பணி சுதந்திர() { பூட்டு_பிடி(அரை) { உறங்கு(9); } அச்சு "சுதந்திரம்"; }
    பணி அ() { பூட்டு_பிடி(அரை) { உறங்கு(1); பூட்டு_பிடி(பூ) { அச்சு "அ"; } } }
    பணி ஆ() { பூட்டு_பிடி(பூ) { உறங்கு(2); பூட்டு_பிடி(அரை) { அச்சு "ஆ"; } } }
    இணையாக([சுதந்திர, அ, ஆ]);
    """
    assert output_of(text) == ["சுதந்திரம்", "ஆ", "அ"]


def test_a_semaphore_is_a_deadlock_when_none_of_its_holders_can_go_on() -> None:
    text = """
    அரை = பூட்டு_உருவாக்கு({"அனுமதிகள்": 2}); பூ = பூட்டு_உருவாக்கு();
    பணி அ(n) { பூட்டு_பிடி(அரை) { உறங்கு(n); பூட்டு_பிடி(பூ) { அச்சு "அ" & n; } } }
    பணி ஆ() { பூட்டு_பிடி(பூ) { உறங்கு(3); முயல் { பூட்டு_பிடி(அரை) { அச்சு "இல்லை"; } } பிழை(e) { அச்சு e.code; } } }
    இணையாக([செயல்() { அ(1); }, செயல்() { அ(2); }, ஆ]);
    """
    assert output_of(text) == ["lock.deadlock", "அ1", "அ2"]


def test_waiting_in_a_line_is_no_deadlock() -> None:
    text = """
    அ = பூட்டு_உருவாக்கு(); ஆ = பூட்டு_உருவாக்கு();
    பணி f(n) { பூட்டு_பிடி(அ) { பூட்டு_பிடி(ஆ) { உறங்கு(1); } } }
    இணையாக_மாற்று([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], f);
    அச்சு "முடிந்தது";
    """
    assert output_of(text) == ["முடிந்தது"]


def test_a_child_that_does_not_wait_may_be_awaited_inside_a_lock() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு();
    பணி f() { உறங்கு(1); திரும்பு 5; }
    பூட்டு_பிடி(பூ) { அச்சு பணி_காத்திரு(பணி_தொடங்கு(f)); அச்சு இணையாக([f, f]); }
    """
    assert output_of(text) == ["5", "[5, 5]"]


# ---- a limit around, a limit inside ---------------------------------------------------


def test_a_limit_around_the_wait_for_a_lock() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு();
    பணி நீள() { பூட்டு_பிடி(பூ) { உறங்கு(5); } }
    t = பணி_தொடங்கு(நீள); உறங்கு(1);
    முயல் { காலவரம்பு(2) { பூட்டு_பிடி(பூ) { அச்சு "இல்லை"; } } } பிழை(e) { அச்சு e.code; }
    முயல் { காலவரம்பு(9) { பூட்டு_பிடி(பூ) { அச்சு "பிடித்தேன்"; உறங்கு(20); } } } பிழை(e) { அச்சு e.code; }
    பூட்டு_பிடி(பூ) { அச்சு "மீண்டும்"; }
    """
    assert output_of(text) == ["timeout", "பிடித்தேன்", "timeout", "மீண்டும்"]


def test_a_limit_inside_a_lock_does_not_give_the_lock_away() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு();
    பணி கேள்() { உறங்கு(0.5); பூட்டு_பிடி(பூ) { அச்சு "கேட்டவர்"; } }
    t = பணி_தொடங்கு(கேள்);
    பூட்டு_பிடி(பூ) { முயல் { காலவரம்பு(1) { உறங்கு(9); } } பிழை(e) { அச்சு e.code; } உறங்கு(2); அச்சு "இன்னும் பிடி"; }
    பணி_காத்திரு(t);
    """
    assert output_of(text) == ["timeout", "இன்னும் பிடி", "கேட்டவர்"]


def test_a_lock_taken_in_finally_while_being_cancelled() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ");
    பணி நீள() { பூட்டு_பிடி(பூ) { உறங்கு(3); } }
    பணி f() { முயல் { உறங்கு(50); } இறுதியில் { பூட்டு_பிடி(பூ) { அச்சு "இறுதியில் பிடித்தேன்"; உறங்கு(1); } அச்சு "விட்டேன்"; } }
    n = பணி_தொடங்கு(நீள); t = பணி_தொடங்கு(f); உறங்கு(1); பணி_நிறுத்து(t);
    பூட்டு_பிடி(பூ) { அச்சு "பின்"; }
    """
    assert output_of(text) == ["இறுதியில் பிடித்தேன்", "விட்டேன்", "பின்"]


def test_a_lock_wanted_in_finally_that_never_comes_costs_the_grace_and_no_more() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ");
    பணி நீள() { பூட்டு_பிடி(பூ) { உறங்கு(30); } }
    பணி f() { முயல் { உறங்கு(50); } இறுதியில் { பூட்டு_பிடி(பூ) { அச்சு "இல்லை"; } } }
    n = பணி_தொடங்கு(நீள); t = பணி_தொடங்கு(f); உறங்கு(1); பணி_நிறுத்து(t);
    அச்சு பணி_நிலை(t);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["நிறுத்தப்பட்டது"]
    assert done.time == pytest.approx(6, abs=0.01)


def test_cancelling_a_child_that_wants_the_canceller_s_lock() -> None:
    text = """
    பூ = பூட்டு_உருவாக்கு("பூ");
    பணி f() { பூட்டு_பிடி(பூ) { அச்சு "இல்லை"; } }
    பூட்டு_பிடி(பூ) { t = பணி_தொடங்கு(f); உறங்கு(1); பணி_நிறுத்து(t); அச்சு பணி_நிலை(t); }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["நிறுத்தப்பட்டது"]
    assert done.time == pytest.approx(1, abs=0.001)


# ---- cells ----------------------------------------------------------------------------


def test_cells_are_shared_and_their_words_answer() -> None:
    text = """
    அ = அணு_உருவாக்கு(5);
    பணி f() { அணு_கூட்டு(அ, 2); }
    பணி_காத்திரு(பணி_தொடங்கு(f));
    அச்சு அணு_படி(அ); அச்சு அணு_கூட்டு(அ, -1.5); அச்சு அணு_இடு(அ, [1]); அச்சு அணு_படி(அ);
    அச்சு அணு_ஒப்பிட்டு_இடு(அ, [1], "புது"); அச்சு அணு_ஒப்பிட்டு_இடு(அ, [1], "வேறு"); அச்சு அணு_படி(அ);
    """
    assert output_of(text) == ["7", "5.5", "nil", "[1]", "true", "false", "புது"]


def test_nothing_is_lost_between_thousands_of_additions() -> None:
    text = """
    அ = அணு_உருவாக்கு(0);
    பணி f(n) { i = 0; (i < 50) சுற்று { அணு_கூட்டு(அ, 1); உறங்கு(0); i = i + 1; } }
    i = 0; கள் = []; (i < 40) சுற்று { கள் = இணை(கள், i); i = i + 1; }
    இணையாக_மாற்று(கள், f);
    அச்சு அணு_படி(அ);
    """
    assert output_of(text) == ["2000"]


def test_what_is_in_a_cell_is_a_copy() -> None:
    text = """
    ப = [1, 2]; அ = அணு_உருவாக்கு(ப); ப[0] = 9; அச்சு அணு_படி(அ);
    ஆ = அணு_படி(அ); ஆ[0] = 8; அச்சு அணு_படி(அ);
    அணு_இடு(அ, ஆ); ஆ[0] = 7; அச்சு அணு_படி(அ);
    """
    assert output_of(text) == ["[1, 2]", "[1, 2]", "[8, 2]"]


def test_an_overflow_leaves_the_cell_as_it_was() -> None:
    text = """
    அ = அணு_உருவாக்கு(79228162514264337593543950335);
    முயல் { அணு_கூட்டு(அ, 1); } பிழை(e) { அச்சு e.code; }
    அச்சு அணு_படி(அ);
    """
    assert output_of(text) == ["number.overflow", "79228162514264337593543950335"]


@pytest.mark.parametrize(
    "call", ["அணு_படி(x)", "அணு_இடு(x, 1)", "அணு_கூட்டு(x, 1)", "அணு_ஒப்பிட்டு_இடு(x, 1, 2)"]
)
def test_only_a_cell_is_a_cell(call: str) -> None:
    text = f"ப = [1, பூட்டு_உருவாக்கு()]; ஒவ்வொரு x இல் ப {{ முயல் {{ {call}; }} பிழை(e) {{ அச்சு e.code; }} }}"
    assert output_of(text) == ["value.kind", "value.kind"]
