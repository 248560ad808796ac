"""காலவரம்பு, உறங்கு, and the ways out of a block (EXTENSIONS §2, §3, §4)."""

from __future__ import annotations

import pytest

from tests.programs.running import failure_of, output_of, run_program

# ---- உறங்கு ---------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", ["0", "0.5", "3", "59"])
def test_sleep_waits_that_long(seconds: str) -> None:
    done = run_program(f'உறங்கு({seconds}); அச்சு "எழுந்தேன்";', seconds=0)
    assert done.lines == ["எழுந்தேன்"]
    assert done.time == pytest.approx(float(seconds), abs=0.001)


def test_sleep_refuses_to_go_back_in_time() -> None:
    assert output_of("முயல் { உறங்கு(-1); } பிழை(e) { அச்சு e.code; }") == ["value.invalid"]


def test_those_who_sleep_let_others_run_meanwhile() -> None:
    text = """
    செயல் நடை(பெயர், நொடி) { உறங்கு(நொடி); அச்சு பெயர்; உறங்கு(நொடி); அச்சு பெயர்; }
    அ = பணி_தொடங்கு(நடை, "அ", 2); ஆ = பணி_தொடங்கு(நடை, "ஆ", 3);
    பணி_காத்திரு(அ); பணி_காத்திரு(ஆ);
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["அ", "ஆ", "அ", "ஆ"]
    assert done.time == pytest.approx(6, abs=0.001)


# ---- a limit --------------------------------------------------------------------------


def test_a_block_that_is_done_in_time_is_like_without_a_limit() -> None:
    assert output_of('காலவரம்பு(5) { அச்சு "உள்"; உறங்கு(4); x = 3; } அச்சு x;') == ["உள்", "3"]


def test_a_block_that_is_not_done_in_time_raises_timeout_when_the_time_is_over() -> None:
    text = 'முயல் { காலவரம்பு(2) { உறங்கு(50); அச்சு "இல்லை"; } } பிழை(e) { அச்சு e.code; அச்சு e.details.seconds; }'
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout", "2"]
    assert done.time == pytest.approx(2, abs=0.001)


def test_an_uncaught_timeout_is_an_error_like_any_other() -> None:
    assert failure_of("காலவரம்பு(2) { உறங்கு(5); }").code == "timeout"


def test_a_limit_is_caught_around_the_block_and_not_in_it() -> None:
    text = """
    முயல் {
        காலவரம்பு(1) {
            முயல் { உறங்கு(5); } பிழை(e) { அச்சு "உள்ளே " & e.code; }
            அச்சு "இதுவும் இல்லை";
        }
        அச்சு "இங்கும் இல்லை";
    } பிழை(e) { அச்சு "வெளியே " & e.code; }
    """
    assert output_of(text) == ["வெளியே timeout"]


def test_a_limit_in_a_called_function_is_caught_by_the_caller() -> None:
    text = """
    செயல் ஆழம்(n) { (n == 0) எனில் { காலவரம்பு(1) { உறங்கு(9); } } இன்றேல் { ஆழம்(n - 1); } திரும்பு n; }
    முயல் { ஆழம்(5); } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["timeout"]


def test_finally_runs_when_the_time_is_over_and_may_wait() -> None:
    text = """
    முயல் {
        காலவரம்பு(2) {
            முயல் { உறங்கு(9); } இறுதியில் { அச்சு "இறுதி"; உறங்கு(3); அச்சு "இறுதி முடிந்தது"; }
            அச்சு "இல்லை";
        }
    } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["இறுதி", "இறுதி முடிந்தது", "timeout"]
    assert done.time == pytest.approx(5, abs=0.001)


def test_finally_gets_five_seconds() -> None:
    """Only இறுதியில் runs, for 5 s at most (§3)."""
    text = """
    முயல் {
        காலவரம்பு(2) { முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(100); அச்சு "இல்லை"; } }
    } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout"]
    assert done.time == pytest.approx(7, abs=0.001)


def test_all_finally_blocks_together_get_five_seconds() -> None:
    text = """
    முயல் {
        காலவரம்பு(1) {
            முயல் {
                முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(4); அச்சு "முதல்"; }
            } இறுதியில் { அச்சு "இரண்டாவது"; உறங்கு(4); அச்சு "இல்லை"; }
        }
    } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["முதல்", "இரண்டாவது", "timeout"]
    assert done.time == pytest.approx(6, abs=0.001)


def test_a_finally_block_whose_time_is_over_still_runs_what_needs_no_waiting() -> None:
    text = """
    முயல் {
        காலவரம்பு(1) {
            முயல் {
                முயல் { உறங்கு(9); } இறுதியில் { உறங்கு(90); அச்சு "இல்லை"; }
            } இறுதியில் { அச்சு "வெளி"; }
        }
    } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["வெளி", "timeout"]


def test_an_error_in_finally_does_not_hide_the_timeout_nor_become_catchable_inside() -> None:
    text = """
    முயல் {
        காலவரம்பு(1) {
            முயல் {
                முயல் { உறங்கு(9); } இறுதியில் { x = 1 / 0; }
            } பிழை(e) { அச்சு "உள்ளே " & e.code; }
            அச்சு "இல்லை";
        }
    } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["timeout"]


def test_errors_inside_finally_can_be_caught_there_while_the_time_is_over() -> None:
    text = """
    முயல் {
        காலவரம்பு(1) {
            முயல் { உறங்கு(9); } இறுதியில் { முயல் { x = 1 / 0; } பிழை(e) { அச்சு e.code; } உறங்கு(1); அச்சு "பின்"; }
        }
    } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["number.division_by_zero", "பின்", "timeout"]


def test_a_computation_that_is_late_is_late() -> None:
    """Not done in time: also when nothing waits any more after the moment has passed."""
    text = """
    முயல் {
        காலவரம்பு(2) { முயல் { உறங்கு(2.5); } இறுதியில் { அச்சு "அ"; } அச்சு "இல்லை"; }
    } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["அ", "timeout"]


# ---- after a limit --------------------------------------------------------------------


def test_after_a_timeout_the_program_goes_on_as_if_nothing_had_been() -> None:
    text = """
    i = 0;
    (i < 4) சுற்று {
        முயல் { காலவரம்பு(1) { முயல் { உறங்கு(3); } இறுதியில் { உறங்கு(4); } } } பிழை(e) { அச்சு e.code; }
        உறங்கு(7);
        i = i + 1;
    }
    அச்சு "முடிவு";
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout"] * 4 + ["முடிவு"]
    assert done.time == pytest.approx(48, abs=0.001)


def test_every_limit_has_grace_of_its_own() -> None:
    text = """
    செயல் ஒன்று() {
        முயல் { காலவரம்பு(1) { முயல் { உறங்கு(3); } இறுதியில் { உறங்கு(4.5); அச்சு "இறுதி"; } } } பிழை(e) { அச்சு e.code; }
    }
    ஒன்று(); ஒன்று(); ஒன்று();
    """
    assert output_of(text) == ["இறுதி", "timeout"] * 3


# ---- limits in limits -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("outer", "inner", "said", "when"),
    [
        (10, 2, ["உள் timeout", "பின்"], 2),
        (2, 10, ["வெளி timeout"], 2),
        (2, 2, ["வெளி timeout"], 2),
    ],
)
def test_the_shorter_of_two_limits_counts(outer: int, inner: int, said: list[str], when: float) -> None:
    text = f"""
    முயல் {{
        காலவரம்பு({outer}) {{
            முயல் {{ காலவரம்பு({inner}) {{ உறங்கு(50); }} }} பிழை(e) {{ அச்சு "உள் " & e.code; }}
            அச்சு "பின்";
        }}
    }} பிழை(e) {{ அச்சு "வெளி " & e.code; }}
    """
    done = run_program(text, seconds=0)
    assert done.lines == said
    assert done.time == pytest.approx(when, abs=0.001)


def test_the_outer_limit_goes_on_counting_after_the_inner_one() -> None:
    text = """
    முயல் {
        காலவரம்பு(5) {
            முயல் { காலவரம்பு(2) { உறங்கு(50); } } பிழை(e) { அச்சு "உள் " & e.code; }
            உறங்கு(50);
        }
    } பிழை(e) { அச்சு "வெளி " & e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["உள் timeout", "வெளி timeout"]
    assert done.time == pytest.approx(5, abs=0.001)


def test_an_outer_limit_that_ends_during_the_finally_of_the_inner_one_wins() -> None:
    text = """
    முயல் {
        காலவரம்பு(3) {
            முயல் { காலவரம்பு(2) { முயல் { உறங்கு(50); } இறுதியில் { உறங்கு(4); அச்சு "இறுதி"; } } }
            பிழை(e) { அச்சு "உள் " & e.code; }
            அச்சு "இல்லை";
        }
    } பிழை(e) { அச்சு "வெளி " & e.code; }
    """
    assert output_of(text) == ["இறுதி", "வெளி timeout"]


def test_a_limit_inside_finally_ends_what_it_limits() -> None:
    """The grace of 5 s does not switch off a shorter limit inside இறுதியில்."""
    text = """
    முயல் {
        காலவரம்பு(2) {
            முயல் { உறங்கு(9); }
            இறுதியில் {
                முயல் { காலவரம்பு(1) { உறங்கு(3); அச்சு "இல்லை"; } } பிழை(e) { அச்சு "இறுதியில் " & e.code; }
                உறங்கு(1);
                அச்சு "இறுதி முடிந்தது";
            }
        }
    } பிழை(e) { அச்சு "வெளி " & e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["இறுதியில் timeout", "இறுதி முடிந்தது", "வெளி timeout"]
    assert done.time == pytest.approx(4, abs=0.001)


def test_a_limit_inside_finally_that_is_kept_takes_nothing_of_the_grace() -> None:
    text = """
    முயல் {
        காலவரம்பு(2) {
            முயல் { உறங்கு(9); }
            இறுதியில் { காலவரம்பு(3) { உறங்கு(1); அச்சு "அ"; } உறங்கு(2); அச்சு "ஆ"; }
        }
    } பிழை(e) { அச்சு e.code; }
    """
    assert output_of(text) == ["அ", "ஆ", "timeout"]


def test_a_limit_inside_finally_longer_than_the_grace_is_cut_by_the_grace() -> None:
    text = """
    முயல் {
        காலவரம்பு(2) {
            முயல் { உறங்கு(9); }
            இறுதியில் { முயல் { காலவரம்பு(50) { உறங்கு(60); } } பிழை(e) { அச்சு "இல்லை " & e.code; } அச்சு "இல்லை"; }
        }
    } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout"]
    assert done.time == pytest.approx(7, abs=0.001)


def test_a_limit_inside_an_ordinary_finally_is_an_ordinary_limit() -> None:
    text = """
    முயல் { அச்சு "உடல்"; }
    இறுதியில் { முயல் { காலவரம்பு(1) { உறங்கு(30); } } பிழை(e) { அச்சு e.code; } உறங்கு(20); அச்சு "முடிந்தது"; }
    """
    assert output_of(text) == ["உடல்", "timeout", "முடிந்தது"]


@pytest.mark.parametrize("depth", [1, 2, 4, 6])
def test_limits_around_limits_are_late_one_after_the_other(depth: int) -> None:
    text = "உறங்கு(50);"
    for level in range(depth):
        text = f"முயல் {{ காலவரம்பு({2 + level}) {{ {text} }} உறங்கு(50); }} பிழை(e) {{ அச்சு {level}; உறங்கு({30 if level < depth - 1 else 0}); }}"
    # The innermost is late first; its பிழை waits, and so the next one around it is late, …
    assert output_of(text, seconds=0) == [str(level) for level in range(depth)]


# ---- every way out of a block ---------------------------------------------------------

BLOCKS = {
    "limit": "காலவரம்பு(30)",
    "lock": "பூட்டு_பிடி(பூ)",
    "retry": 'மீள்முயற்சி({"தடவை": 1})',
    "span": 'தடம்("அ")',
}

WAYS = [
    pytest.param("x = 1;", ["உள்", "இறுதி", "பின்", "சுற்றின்_பின்", "வ:nil"], id="normal"),
    pytest.param('திரும்பு "ம";', ["உள்", "இறுதி", "வ:ம"], id="return"),
    pytest.param("நிறுத்து;", ["உள்", "இறுதி", "சுற்றின்_பின்", "வ:nil"], id="break"),
    pytest.param("தொடர்;", ["உள்", "இறுதி", "உள்", "இறுதி", "சுற்றின்_பின்", "வ:nil"], id="continue"),
    pytest.param('தவறு("த")?;', ["உள்", "இறுதி", "வ:தவறு(த)"], id="failure"),
    pytest.param("y = 1 / 0;", ["உள்", "இறுதி", "பிழை number.division_by_zero"], id="error"),
    pytest.param("காலவரம்பு(1) { உறங்கு(5); }", ["உள்", "இறுதி", "பிழை timeout"], id="limit inside"),
]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("way", "said"), WAYS)
def test_a_block_is_left_like_a_block_without_a_word(block: str, way: str, said: list[str]) -> None:
    """திரும்பு, ?, நிறுத்து; and தொடர்; leave what they would leave without it, and the word cleans up (§2)."""
    turns = 2 if way == "தொடர்;" else 1
    text = f"""
    பூ = பூட்டு_உருவாக்கு("பூ");
    செயல் வழி_ஒன்று() {{
        i = 0;
        (i < {turns}) சுற்று {{
            i = i + 1;
            {BLOCKS[block]} {{ முயல் {{ அச்சு "உள்"; {way} }} இறுதியில் {{ அச்சு "இறுதி"; }} }}
            அச்சு "பின்";
        }}
        அச்சு "சுற்றின்_பின்";
    }}
    முயல் {{ வ = வழி_ஒன்று(); அச்சு "வ:" & வ; }} பிழை(e) {{ அச்சு "பிழை " & e.code; }}
    பூட்டு_பிடி(பூ) {{ அச்சு "கிடைத்தது"; }}
    உறங்கு(40);
    அச்சு "வரம்பு இல்லை";
    """
    assert output_of(text) == [*said, "கிடைத்தது", "வரம்பு இல்லை"]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(("way", "said"), WAYS)
def test_a_block_inside_two_others_is_left_like_that_too(block: str, way: str, said: list[str]) -> None:
    turns = 2 if way == "தொடர்;" else 1
    text = f"""
    வெ = பூட்டு_உருவாக்கு("வெ"); பூ = பூட்டு_உருவாக்கு("பூ"); அரை = பூட்டு_உருவாக்கு("அரை", {{"அனுமதிகள்": 3}});
    செயல் வழி_ஒன்று() {{
        i = 0;
        (i < {turns}) சுற்று {{
            i = i + 1;
            காலவரம்பு(20) {{ பூட்டு_பிடி(வெ) {{ பூட்டு_பிடி(அரை) {{
                {BLOCKS[block]} {{ முயல் {{ அச்சு "உள்"; {way} }} இறுதியில் {{ அச்சு "இறுதி"; }} }}
            }} }} }}
            அச்சு "பின்";
        }}
        அச்சு "சுற்றின்_பின்";
    }}
    முயல் {{ வ = வழி_ஒன்று(); அச்சு "வ:" & வ; }} பிழை(e) {{ அச்சு "பிழை " & e.code; }}
    பூட்டு_பிடி(வெ) {{ பூட்டு_பிடி(பூ) {{ அச்சு "கிடைத்தது"; }} }}
    உறங்கு(40);
    அச்சு "வரம்பு இல்லை";
    """
    assert output_of(text) == [*said, "கிடைத்தது", "வரம்பு இல்லை"]


def test_return_in_finally_wins_over_return_in_try() -> None:
    text = """
    செயல் f() { முயல் { திரும்பு "முயல்"; } இறுதியில் { திரும்பு "இறுதி"; } }
    செயல் g() { முயல் { x = 1 / 0; } இறுதியில் { திரும்பு "இறுதி"; } }
    அச்சு f(); அச்சு g();
    """
    assert output_of(text) == ["இறுதி", "இறுதி"]


@pytest.mark.parametrize("way", ['திரும்பு "இ";', "நிறுத்து;", "தொடர்;", 'தவறு("அ")?;', "x = 1 / 0;"])
def test_no_way_out_of_finally_stops_a_timeout(way: str) -> None:
    """Being cancelled is not caught: leaving இறுதியில் in another way does not call it off."""
    text = f"""
    செயல் f() {{
        காலவரம்பு(1) {{
            i = 0;
            (i < 3) சுற்று {{ i = i + 1; முயல் {{ உறங்கு(9); }} இறுதியில் {{ அச்சு "இறுதி"; {way} }} அச்சு "இல்லை"; }}
            அச்சு "இல்லை";
        }}
        திரும்பு "இல்லை";
    }}
    முயல் {{ அச்சு f(); }} பிழை(e) {{ அச்சு e.code; }}
    """
    assert output_of(text) == ["இறுதி", "timeout"]


def test_a_stored_block_answers_its_last_value() -> None:
    """x = f(…) { … } stores the value of the last statement when that is a call or an assignment (§2)."""
    text = """
    செயல் f() { திரும்பு 7; }
    அ = காலவரம்பு(5) { உறங்கு(1); f(); };
    ஆ = காலவரம்பு(5) { z = 4; };
    இ = காலவரம்பு(5) { அச்சு "அச்சு"; };
    பூ = பூட்டு_உருவாக்கு();
    ஈ = பூட்டு_பிடி(பூ) { f(); };
    அச்சு அ; அச்சு ஆ; அச்சு இ; அச்சு ஈ;
    """
    assert output_of(text) == ["அச்சு", "7", "4", "nil", "7"]


def test_a_block_assigns_names_of_the_scope_around_it() -> None:
    text = """
    n = 1;
    காலவரம்பு(5) { n = n + 1; m = 9; }
    முயல் { காலவரம்பு(1) { n = 10; உறங்கு(5); n = 20; } } பிழை(e) { }
    அச்சு n; அச்சு m;
    """
    assert output_of(text) == ["10", "9"]


# ---- retry and limits -----------------------------------------------------------------


def test_retry_inside_a_limit_is_ended_by_the_limit() -> None:
    text = """
    n = 0;
    முயல் {
        காலவரம்பு(10) { மீள்முயற்சி({"தடவை": 1000, "பின்வாங்கு": 2}) { n = n + 1; உறங்கு(1); x = 1 / 0; } }
    } பிழை(e) { அச்சு e.code; }
    அச்சு n > 1; அச்சு n < 10;
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["timeout", "true", "true"]
    assert done.time == pytest.approx(10, abs=0.001)


def test_a_limit_inside_retry_is_an_error_worth_another_try() -> None:
    text = """
    n = 0;
    மீள்முயற்சி({"தடவை": 3, "பின்வாங்கு": 1}) { n = n + 1; காலவரம்பு(2) { (n < 3) எனில் { உறங்கு(9); } } }
    அச்சு n;
    """
    assert output_of(text) == ["3"]


def test_a_limit_ends_the_pause_between_two_tries() -> None:
    text = """
    முயல் { காலவரம்பு(3) { மீள்முயற்சி({"தடவை": 9, "பின்வாங்கு": 60}) { அச்சு "முயற்சி"; x = 1 / 0; } } } பிழை(e) { அச்சு e.code; }
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["முயற்சி", "timeout"]
    assert done.time == pytest.approx(3, abs=0.001)


# ---- limits around waits --------------------------------------------------------------

WAITS = {
    "sleep": "உறங்கு(50);",
    "lock": "பூட்டு_பிடி(பூ) { அச்சு 1; }",
    "lock with a longer limit": 'பூட்டு_பிடி(பூ, {"timeout": 40}) { அச்சு 1; }',
    "await": "பணி_காத்திரு(நீண்ட);",
    "await with a longer limit": "பணி_காத்திரு(நீண்ட, 40);",
    "parallel": "இணையாக([செயல்() { உறங்கு(40); அச்சு 2; }, செயல்() { உறங்கு(40); அச்சு 2; }]);",
    "parallel map": 'இணையாக_மாற்று([1, 2, 3], செயல்(x) { உறங்கு(20); அச்சு 3; }, {"உச்சவரம்பு": 1});',
    "receive": "m = சேனல்_பெறு(சே);",
    "walk": "ஒவ்வொரு m இல் சே { அச்சு m; }",
    "choose": "தேர்வு { m இல் சே { அச்சு m; } }",
    "choose with a longer limit": "தேர்வு { m இல் சே { அச்சு m; } காலம் 40 { அச்சு 4; } }",
    "send": "சேனல்_அனுப்பு(முழு, 1);",
    "retry": 'மீள்முயற்சி({"தடவை": 9, "பின்வாங்கு": 50}) { y = 1 / 0; }',
}


@pytest.mark.parametrize("wait", WAITS)
def test_a_limit_ends_every_kind_of_wait(wait: str) -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு("பூ"); சே = சேனல்_உருவாக்கு(); முழு = சேனல்_உருவாக்கு({{"கொள்ளளவு": 1}});
    சேனல்_அனுப்பு(முழு, 0);
    செயல் பிடி() {{ பூட்டு_பிடி(பூ) {{ உறங்கு(45); }} }}
    செயல் நீள() {{ உறங்கு(45); திரும்பு 5; }}
    பிடிப்பவர் = பணி_தொடங்கு(பிடி); நீண்ட = பணி_தொடங்கு(நீள);
    உறங்கு(1);
    முயல் {{ காலவரம்பு(2) {{ {WAITS[wait]} அச்சு "இல்லை"; }} }} பிழை(e) {{ அச்சு e.code; }}
    அச்சு பணி_காத்திரு(நீண்ட);
    பணி_காத்திரு(பிடிப்பவர்);
    பூட்டு_பிடி(பூ) {{ அச்சு "பூட்டு"; }}
    அச்சு சேனல்_நீளம்(முழு); அச்சு சேனல்_நீளம்(சே);
    சேனல்_அனுப்பு(சே, "வந்தது"); அச்சு சேனல்_பெறு(சே);
    """
    assert output_of(text) == ["timeout", "5", "பூட்டு", "1", "0", "வந்தது"]


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_inside_a_lock_block_that_is_too_late_gives_the_lock_back(wait: str) -> None:
    text = f"""
    பூ = பூட்டு_உருவாக்கு("பூ"); என் = பூட்டு_உருவாக்கு("என்"); சே = சேனல்_உருவாக்கு(); முழு = சேனல்_உருவாக்கு({{"கொள்ளளவு": 1}});
    சேனல்_அனுப்பு(முழு, 0);
    செயல் பிடி() {{ பூட்டு_பிடி(பூ) {{ உறங்கு(45); }} }}
    செயல் நீள() {{ உறங்கு(45); திரும்பு 5; }}
    பிடிப்பவர் = பணி_தொடங்கு(பிடி); நீண்ட = பணி_தொடங்கு(நீள);
    செயல் கேள்() {{ பூட்டு_பிடி(என்) {{ அச்சு "எனக்கு"; }} }}
    உறங்கு(1);
    முயல் {{ காலவரம்பு(2) {{ பூட்டு_பிடி(என்) {{ {WAITS[wait]} அச்சு "இல்லை"; }} }} }} பிழை(e) {{ அச்சு e.code; }}
    பணி_காத்திரு(பணி_தொடங்கு(கேள்));
    """
    assert output_of(text) == ["timeout", "எனக்கு"]


# ---- refused limits -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "code"), [("-1", "value.invalid"), ('"x"', "value.kind"), ("nil", "value.kind")]
)
def test_a_limit_wants_seconds(seconds: str, code: str) -> None:
    text = f'முயல் {{ s = {seconds}; காலவரம்பு(s) {{ அச்சு "இல்லை"; }} }} பிழை(e) {{ அச்சு e.code; }}'
    assert output_of(text) == [code]


def test_a_limit_of_nothing_ends_what_waits() -> None:
    assert output_of("முயல் { காலவரம்பு(0) { உறங்கு(1); } } பிழை(e) { அச்சு e.code; }") == ["timeout"]


def test_a_limit_beyond_all_measure_is_none() -> None:
    assert output_of("காலவரம்பு(99999999999999999999) { உறங்கு(20); } அச்சு 1;") == ["1"]


def test_the_prelude_has_sixty_seconds() -> None:
    """The prelude runs once, when the service starts, within 60 s; an error in it ends the start (§1.1)."""
    done = run_program('முயல் { உறங்கு(61); } இறுதியில் { அச்சு "இறுதி"; } அச்சு "இல்லை";', seconds=0)
    assert done.problem is not None
    assert done.lines == ["இறுதி"]
    assert done.ended == pytest.approx(60, abs=0.01)
