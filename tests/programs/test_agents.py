"""Agents: state, asking and telling, answers and crashes, restarts, names, ends (EXTENSIONS §8).

Each test is a program with what it must print. Most of them run at the top level, where ``அச்சு`` shows what an
asker sees; where it matters who asks, a task or job does.
"""

from __future__ import annotations

import pytest

from etamil_actors.actors.events import ActorRestarted, ActorStarted
from tests.programs.running import Result, failure_of, output_of, run_program


def ran(text: str, *more: str, **options: object) -> Result:
    """A run that may hold crashes of agents, but none of the service, and leaves nothing over."""
    done = run_program(text, *more, **options)  # type: ignore[arg-type]
    assert done.problem is None, f"{done.problem!r} after {done.lines}"
    assert not done.left_over
    return done


COUNTER = """
முகவர் எண்ணி(தொடக்கம்) {
    n = தொடக்கம்;
    செய்தி கூட்டு(k) { n = n + k; திரும்பு n; }
    செய்தி பார்() { திரும்பு n; }
    செய்தி மெதுவாக(k) { உறங்கு(k); n = n + 1; திரும்பு n; }
    செய்தி முறி() { n = 1000; திரும்பு 1 / 0; }
}
"""


# ---- state ----------------------------------------------------------------------------


def test_the_example_of_the_page() -> None:
    assert output_of("""
        முகவர் கணக்குப்_புத்தகம்(தொடக்கம்) {
            மீதம் = தொடக்கம்;
            செய்தி போடு(அளவு: எண்) {
                (அளவு <= 0) எனில் { பிழை_எழுப்பு("validation", "நேர்ம எண் தேவை"); }
                மீதம் = மீதம் + அளவு;
                திரும்பு மீதம்;
            }
            செய்தி பார்() { திரும்பு மீதம்; }
            நிறுத்தும்போது { அச்சு "மூடப்பட்டது " & மீதம்; }
        }
        புத்தகம் = கணக்குப்_புத்தகம்(100);
        அச்சு புத்தகம்.போடு(50);
        முகவர்_சொல்(புத்தகம், "போடு", [25]);
        அச்சு புத்தகம்.பார்();
        """) == ["150", "175", "மூடப்பட்டது 175"]  # fmt: skip


def test_parameters_and_assigned_names_are_state() -> None:
    assert output_of("""
        முகவர் அ(தொ) {
            மீ = தொ;
            செய்தி கூட்டு(n) { மீ = மீ + n; திரும்பு மீ; }
            செய்தி முதல்1() { தொ = தொ + 1; திரும்பு தொ; }
        }
        x = அ(10);
        அச்சு x.கூட்டு(5);
        அச்சு x.கூட்டு(5);
        அச்சு x.முதல்1();
        அச்சு x.முதல்1();
        """) == ["15", "20", "11", "12"]  # fmt: skip


def test_a_name_that_a_branch_or_loop_of_the_body_assigns_is_state_too() -> None:
    assert output_of("""
        முகவர் அ() {
            (மெய்) எனில் { கிளை = 1; }
            ஒவ்வொரு i இல் [1, 2, 3] { கடைசி = i; }
            செய்தி மாற்று() { கிளை = கிளை + 1; கடைசி = கடைசி * 10; i = i + 100; }
            செய்தி பார்() { திரும்பு [கிளை, கடைசி, i]; }
        }
        x = அ();
        x.மாற்று();
        அச்சு x.பார்();
        """) == ["[2, 30, 103]"]  # fmt: skip


def test_a_parameter_of_a_message_hides_the_state() -> None:
    assert output_of("""
        முகவர் அ() {
            மீ = 5;
            செய்தி நிழல்(மீ) { மீ = மீ + 1; திரும்பு மீ; }
            செய்தி பார்() { திரும்பு மீ; }
        }
        x = அ();
        அச்சு x.நிழல்(100);
        அச்சு x.பார்();
        """) == ["101", "5"]  # fmt: skip


def test_other_names_are_local_to_the_message() -> None:
    assert output_of("""
        முகவர் அ() {
            செய்தி வை() { இட = 7; திரும்பு இட; }
            செய்தி எடு() { (பொய்) எனில் { இட = 1; } முயல் { திரும்பு இட; } பிழை(e) { திரும்பு e.code; } }
        }
        x = அ();
        அச்சு x.வை();
        அச்சு x.எடு();
        """) == ["7", "name.undefined"]  # fmt: skip


def test_a_global_that_a_message_assigns_is_local_to_it() -> None:
    assert output_of("""
        g = 5;
        முகவர் அ() {
            செய்தி மாற்று() { g = 6; திரும்பு g; }
            செய்தி பார்() { திரும்பு g; }
        }
        x = அ();
        அச்சு x.மாற்று();
        அச்சு x.பார்();
        அச்சு g;
        """) == ["6", "5", "5"]  # fmt: skip


def test_functions_read_the_state_and_do_not_change_it() -> None:
    assert output_of("""
        செயல் வாசி() { திரும்பு மீ; }
        செயல் மாற்று() { மீ = 99; திரும்பு மீ; }
        முகவர் அ(மீ) {
            செய்தி செயலால்() { திரும்பு வாசி(); }
            செய்தி மாற்றி() { k = மாற்று(); திரும்பு [k, மீ, வாசி()]; }
        }
        x = அ(4);
        அச்சு x.செயலால்();
        அச்சு x.மாற்றி();
        """) == ["4", "[99, 4, 4]"]  # fmt: skip


def test_each_agent_has_a_state_of_its_own() -> None:
    assert output_of(COUNTER + """
        a = எண்ணி(0);
        b = எண்ணி(10);
        a.கூட்டு(1);
        b.கூட்டு(1);
        அச்சு [a.பார்(), b.பார்()];
        """) == ["[1, 11]"]  # fmt: skip


def test_what_is_sent_and_answered_are_copies() -> None:
    assert output_of("""
        முகவர் அ() {
            வ = [];
            செய்தி வை(v) { வ = v; }
            செய்தி பார்() { திரும்பு வ; }
            செய்தி கெடு() { வ[0] = "அ"; }
        }
        x = அ();
        t = [1, 2];
        x.வை(t);
        t[0] = 9;
        அச்சு x.பார்();
        v = x.பார்();
        v[1] = 8;
        அச்சு x.பார்();
        x.கெடு();
        அச்சு [t, v, x.பார்()];
        """) == ["[1, 2]", "[1, 2]", "[[9, 2], [1, 8], [அ, 2]]"]  # fmt: skip


def test_a_function_in_the_state_sees_the_state() -> None:
    assert output_of("""
        முகவர் அ() {
            n = 1;
            f = செயல்(k) { திரும்பு k + n; };
            செய்தி கூட்டு() { n = n + 1; }
            செய்தி அழை(k) { திரும்பு f(k); }
            செய்தி கொடு() { திரும்பு f; }
        }
        x = அ();
        x.கூட்டு();
        அச்சு வகை(x.கொடு());
        அச்சு x.அழை(10);
        """) == ["a function", "12"]  # fmt: skip


def test_a_local_of_a_message_hides_nothing_from_functions() -> None:
    assert output_of("""
        g = 5;
        செயல் வாசி1() { திரும்பு g; }
        செயல் நிலைவாசி() { திரும்பு n; }
        முகவர் அ(n) {
            செய்தி உலகம்() { g = 6; திரும்பு [g, வாசி1()]; }
            செய்தி நிழல்(n) { n = n + 1; திரும்பு [n, நிலைவாசி()]; }
        }
        x = அ(1);
        அச்சு [x.உலகம்(), x.நிழல்(50)];
        """) == ["[[6, 5], [51, 1]]"]  # fmt: skip


def test_names_that_loops_and_catches_assign_reach_the_state() -> None:
    assert output_of("""
        முகவர் அ(n) {
            செய்தி வளை() { ஒவ்வொரு n இல் [7, 8] { k = n; } }
            செய்தி பிடி() { முயல் { பிழை_எழுப்பு("குறி", "ஆ"); } பிழை(n) { k = 1; } }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ(1);
        x.வளை();
        அச்சு x.பார்();
        x.பிடி();
        அச்சு x.பார்().code;
        """) == ["8", "குறி"]  # fmt: skip


def test_a_function_that_a_message_puts_into_the_state() -> None:
    done = ran("""
        முகவர் அ() {
            n = 1;
            f = இன்மை;
            செய்தி வை(k) { இட = k * 2; f = செயல்(y) { திரும்பு y + இட + n; }; }
            செய்தி அழை(y) { n = n + 1; திரும்பு f(y); }
            செய்தி முறி() { திரும்பு 1 / 0; }
        }
        x = முகவர்_தொடங்கு(அ, [], {"keep": மெய்});
        x.வை(10);
        அச்சு [x.அழை(100), x.அழை(100)];
        முயல் { x.முறி(); } பிழை(e) { }
        அச்சு x.அழை(100);
        """)  # fmt: skip
    assert done.lines == ["[122, 123]", "124"]


def test_functions_as_arguments_and_answers() -> None:
    assert output_of("""
        முகவர் அ() {
            செய்தி கொடு() { k = 10; திரும்பு செயல்(y) { திரும்பு y + k; }; }
            செய்தி இயக்கு(f) { திரும்பு f(1); }
        }
        x = அ();
        f = x.கொடு();
        அச்சு [f(5), x.இயக்கு(செயல்(y) { திரும்பு y + 1; })];
        """) == ["[15, 2]"]  # fmt: skip


# ---- messages -------------------------------------------------------------------------


def test_a_message_without_an_answer_answers_nothing() -> None:
    assert output_of("""
        முகவர் அ() {
            செய்தி ஒ() { k = 1; }
            செய்தி தவ() { திரும்பு தவறு("x"); }
            செய்தி கே() { v = தவறு("y")?; திரும்பு 1; }
        }
        x = அ();
        அச்சு x.ஒ();
        அச்சு x.தவ();
        அச்சு x.கே();
        """) == ["nil", "தவறு(x)", "தவறு(y)"]  # fmt: skip


def test_messages_are_handled_one_at_a_time() -> None:
    assert output_of("""
        முகவர் அ() {
            உள்ளே = 0;
            செய்தி வேலை(n) {
                அச்சு "தொடக்கம் " & n;
                உறங்கு(1);
                அச்சு "முடிவு " & n;
            }
        }
        x = அ();
        ஒவ்வொரு n இல் [1, 2, 3] { முகவர்_சொல்(x, "வேலை", [n]); }
        """) == [f"{what} {n}" for n in (1, 2, 3) for what in ("தொடக்கம்", "முடிவு")]  # fmt: skip


def test_tells_and_asks_of_one_sender_are_handled_in_order() -> None:
    assert output_of("""
        முகவர் அ() {
            வ = [];
            செய்தி வை(n) {
                (n == 1) எனில் { உறங்கு(1); }
                (n == 3) எனில் { உறங்கு(1); }
                வ = இணை(வ, n);
            }
            செய்தி பார்() { திரும்பு வ; }
        }
        x = அ();
        முகவர்_சொல்(x, "வை", [1]);
        முகவர்_சொல்(x, "வை", [2]);
        x.வை(3);
        முகவர்_சொல்(x, "வை", [4]);
        x.வை(5);
        முகவர்_சொல்(x, "வை", [6]);
        அச்சு x.பார்();
        """) == ["[1, 2, 3, 4, 5, 6]"]  # fmt: skip


def test_telling_does_not_wait() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(0);
        முகவர்_சொல்(x, "மெதுவாக", [3]);
        அச்சு "சொன்னேன்";
        அச்சு x.பார்();
        """) == ["சொன்னேன்", "1"]  # fmt: skip


def test_an_ask_waits_five_seconds_unless_it_says_otherwise() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(0);
        அச்சு x.மெதுவாக(4.9);
        முயல் { x.மெதுவாக(5.1); } பிழை(e) { அச்சு e.code & " " & e.விவரம்.seconds; }
        உறங்கு(1);
        முயல் { முகவர்_கேள்(x, "மெதுவாக", [2], {"timeout": 1}); } பிழை(e) { அச்சு e.code; }
        உறங்கு(2);
        அச்சு முகவர்_கேள்(x, "மெதுவாக", [8], {"காலவரம்பு": 10});
        """)  # fmt: skip
    assert [line.split()[0] for line in done.lines] == ["1", "timeout", "timeout", "4"]
    assert not done.crashes  # what nobody waits for any more is finished all the same


def test_an_ask_that_is_too_late_is_not_begun() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(0);
        முகவர்_சொல்(x, "மெதுவாக", [3]);
        முயல் { முகவர்_கேள்(x, "கூட்டு", [100], {"timeout": 1}); } பிழை(e) { அச்சு e.code; }
        உறங்கு(5);
        அச்சு x.பார்();
        """) == ["timeout", "1"]  # fmt: skip


def test_a_message_that_it_does_not_know() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(0);
        முயல் { x.காணோம்(); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_கேள்(x, "காணோம்"); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_சொல்(x, "காணோம்", []); } பிழை(e) { அச்சு e.code; }
        முயல் { x.கூட்டு(); } பிழை(e) { அச்சு e.code; }
        முயல் { x.கூட்டு(1, 2); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_சொல்(x, "கூட்டு", []); } பிழை(e) { அச்சு e.code; }
        அச்சு x.கூட்டு(3);
        """)  # fmt: skip
    assert done.lines == ["agent.message"] * 3 + ["call.arguments"] * 3 + ["3"]
    assert not done.crashes


def test_a_thousand_asks_in_a_row() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(0);
        i = 0;
        (i < 1000) சுற்று { x.கூட்டு(1); i = i + 1; }
        அச்சு x.பார்();
        """) == ["1000"]  # fmt: skip


def test_many_ask_one_agent_side_by_side() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(0);
        பணி கேள்(k) { ஒவ்வொரு i இல் [1, 2, 3, 4, 5] { x.கூட்டு(k); } திரும்பு k; }
        அச்சு இணையாக_மாற்று([1, 2, 3, 4], கேள்);
        அச்சு x.பார்();
        """) == ["[1, 2, 3, 4]", "50"]  # fmt: skip


def test_an_asker_that_gives_up_does_not_end_the_handler() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(0);
        முயல் { காலவரம்பு(1) { x.மெதுவாக(3); } } பிழை(e) { அச்சு e.code; }
        அச்சு x.பார்();
        """) == ["timeout", "1"]  # fmt: skip


def test_a_time_limit_in_a_handler() -> None:
    assert output_of("""
        முகவர் அ(n) {
            செய்தி ம() { n = 1; முயல் { காலவரம்பு(1) { உறங்கு(3); } } பிழை(e) { n = 2; திரும்பு e.code; } }
            செய்தி உடன்() { காலவரம்பு(1) { n = 5; } திரும்பு n; }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ(0);
        அச்சு [x.ம(), x.பார்(), x.உடன்()];
        """) == ["[timeout, 2, 5]"]  # fmt: skip


def test_others_wait_while_a_handler_waits() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        முகவர் அ() {
            n = 0;
            செய்தி வாங்கு() { n = n + 1; n = n + சேனல்_பெறு(சே); திரும்பு n; }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ();
        பணி ஒன்று() { திரும்பு x.வாங்கு(); }
        பணி இரண்டு() { உறங்கு(0.5); திரும்பு x.பார்(); }
        a = பணி_தொடங்கு(ஒன்று);
        b = பணி_தொடங்கு(இரண்டு);
        உறங்கு(1);
        அச்சு [பணி_நிலை(a), பணி_நிலை(b)];
        சேனல்_அனுப்பு(சே, 10);
        அச்சு பணி_காத்திரு(b);
        அச்சு பணி_காத்திரு(a);
        """) == ["[ஓடுகிறது, ஓடுகிறது]", "11", "11"]  # fmt: skip


def test_a_handler_that_waits_for_a_lock() -> None:
    assert output_of("""
        பூ = பூட்டு_உருவாக்கு();
        முகவர் அ() {
            n = 0;
            செய்தி பூட்டில்() { பூட்டு_பிடி(பூ) { n = n + 1; } திரும்பு n; }
        }
        x = அ();
        பணி கேள்() { திரும்பு x.பூட்டில்(); }
        பூட்டு_பிடி(பூ) {
            a = பணி_தொடங்கு(கேள்);
            உறங்கு(1);
            அச்சு பணி_நிலை(a);
        }
        அச்சு பணி_காத்திரு(a);
        """) == ["ஓடுகிறது", "1"]  # fmt: skip


def test_bodies_and_handlers_have_no_request() -> None:
    done = ran("""
        முகவர் அ() { செய்தி பதிலிடு() { முயல் { பதில் 200, "x"; } பிழை(e) { திரும்பு e.code; } } }
        x = அ();
        அச்சு x.பதிலிடு();
        """)  # fmt: skip
    assert done.lines == ["no_request"]


# ---- typed parameters -----------------------------------------------------------------


TYPED = """
வடிவம் பொருட்கள் { பெயர்: சரம், விலை: எண்? };
முகவர் அ(தொ: எண்) {
    n = 0;
    செய்தி எண்கள்(a: அணி<எண்>) { n = n + 1; திரும்பு a; }
    செய்தி ஒன்று(p: பொருட்கள்) { திரும்பு [வகை(p), p.விலை]; }
    செய்தி பல(p: அணி<பொருட்கள்>) { திரும்பு p[0].பெயர்; }
    செய்தி எத்தனை() { திரும்பு n; }
}
செயல் அப்படியே(v) { திரும்பு v; }
"""


def test_typed_parameters_are_checked_to_the_last_element() -> None:
    assert output_of(TYPED + """
        x = அ(1);
        முயல் { x.எண்கள்(அப்படியே([1, "2"])); } பிழை(e) { அச்சு [e.code, புலங்கள்(e.details.fields)]; }
        அச்சு x.எண்கள்([1, 2]);
        அச்சு x.எத்தனை();
        முயல் { x.பல(அப்படியே([{"பெயர்": "a"}, {"பெயர்": [5]}])); } பிழை(e) { அச்சு [e.code, புலங்கள்(e.details.fields)]; }
        முயல் { x.ஒன்று(அப்படியே({"வேறு": 1})); } பிழை(e) { அச்சு [e.code, புலங்கள்(e.details.fields)]; }
        """) == [
        "[validation, [a[1]]]",
        "[1, 2]",
        "1",
        "[validation, [p[1].பெயர்]]",
        "[validation, [p.பெயர், p.வேறு]]",
    ]  # fmt: skip


def test_a_record_becomes_one_of_the_shape() -> None:
    lines = output_of(TYPED + """
        x = அ(1);
        அச்சு x.ஒன்று({"பெயர்": "a"});
        அச்சு x.பல([{"பெயர்": "b", "விலை": 3}]);
        """)  # fmt: skip
    assert lines[0].endswith(", nil]")
    assert lines[1] == "b"


def test_a_misfit_that_is_told_is_no_crash() -> None:
    assert output_of(TYPED + """
        x = அ(1);
        முகவர்_சொல்(x, "எண்கள்", [அப்படியே("x")]);
        முகவர்_சொல்(x, "எண்கள்", [[7]]);
        அச்சு x.எத்தனை();
        """) == ["1"]  # fmt: skip


def test_a_misfit_at_the_start_is_the_callers_error() -> None:
    done = ran(TYPED + """
        முயல் { அ(அப்படியே("x")); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_தொடங்கு(அ, அப்படியே(["x"])); } பிழை(e) { அச்சு e.code; }
        """)  # fmt: skip
    assert done.lines == ["validation", "validation"]


# ---- the agent itself -----------------------------------------------------------------


def test_asking_oneself() -> None:
    assert output_of("""
        செயல் செயலால்(a) { திரும்பு a.இரண்டு(); }
        முகவர் அ() {
            செய்தி நேராக() { முயல் { திரும்பு இது.இரண்டு(); } பிழை(e) { திரும்பு e.code; } }
            செய்தி சுற்றி() { முயல் { திரும்பு செயலால்(இது); } பிழை(e) { திரும்பு e.code; } }
            செய்தி சொல்லால்() { முயல் { திரும்பு முகவர்_கேள்(இது, "இரண்டு"); } பிழை(e) { திரும்பு e.code; } }
            செய்தி பிறகு() { உறங்கு(1); முயல் { திரும்பு இது.இரண்டு(); } பிழை(e) { திரும்பு e.code; } }
            செய்தி இரண்டு() { திரும்பு 2; }
        }
        x = அ();
        அச்சு [x.நேராக(), x.சுற்றி(), x.சொல்லால்(), x.பிறகு()];
        """) == ["[agent.self, agent.self, agent.self, agent.self]"]  # fmt: skip


def test_asking_oneself_through_the_own_handle_in_a_global() -> None:
    assert output_of("""
        முகவர் அ() {
            செய்தி நேராக() { முயல் { திரும்பு முகவர்_தேடு("நான்").இரண்டு(); } பிழை(e) { திரும்பு e.code; } }
            செய்தி இரண்டு() { திரும்பு 2; }
        }
        x = முகவர்_தொடங்கு(அ, [], {"name": "நான்"});
        அச்சு x.நேராக();
        """) == ["agent.self"]  # fmt: skip


def test_a_child_that_asks_the_agent_that_waits_for_it_runs_into_its_limit() -> None:
    done = ran("""
        பணி கேள்(a) { திரும்பு முகவர்_கேள்(a, "இரண்டு", [], {"timeout": 2}); }
        முகவர் அ() {
            செய்தி ஒன்று() {
                t = பணி_தொடங்கு(கேள், இது);
                முயல் { திரும்பு பணி_காத்திரு(t); } பிழை(e) { திரும்பு e.code; }
            }
            செய்தி இரண்டு() { திரும்பு 2; }
        }
        x = அ();
        அச்சு x.ஒன்று();
        அச்சு x.இரண்டு();
        """)  # fmt: skip
    assert done.lines == ["timeout", "2"]


def test_an_agent_tells_itself() -> None:
    assert output_of("""
        முகவர் அ() {
            n = 0;
            முகவர்_சொல்(இது, "டிக்", [1]);
            செய்தி டிக்(k) { n = n + k; (n < 3) எனில் { முகவர்_சொல்(இது, "டிக்", [1]); } }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ();
        உறங்கு(1);
        அச்சு x.பார்();
        """) == ["3"]  # fmt: skip


def test_the_body_may_give_the_agent_away() -> None:
    assert output_of("""
        முகவர் பதிவேடு() {
            யார் = [];
            செய்தி வை(அவர்) { யார் = இணை(யார், அவர்); முகவர்_சொல்(அவர், "வா", [9]); }
            செய்தி எத்தனை() { திரும்பு நீளம்(யார்); }
        }
        ப = பதிவேடு();
        முகவர் அ() {
            n = 0;
            ப.வை(இது);
            செய்தி வா(k) { n = k; }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ();
        அச்சு x.பார்();
        அச்சு ப.எத்தனை();
        """) == ["9", "1"]  # fmt: skip


def test_asking_oneself_in_the_body() -> None:
    assert output_of("""
        முகவர் அ() {
            முயல் { இது.பார்(); } பிழை(e) { c = e.code; }
            செய்தி பார்() { திரும்பு c; }
        }
        அச்சு அ().பார்();
        """) == ["agent.self"]  # fmt: skip


def test_agents_that_ask_each_other_in_a_ring_run_into_the_limit() -> None:
    assert output_of("""
        முகவர் அ() {
            மற்றவர் = இன்மை;
            செய்தி சேர்த்து(m) { மற்றவர் = m; }
            செய்தி கேள்() { திரும்பு மற்றவர்.திருப்பு(இது); }
            செய்தி ஒன்று() { திரும்பு 1; }
        }
        முகவர் ஆ() {
            செய்தி திருப்பு(m) { முயல் { முகவர்_கேள்(m, "ஒன்று", [], {"timeout": 2}); } பிழை(e) { திரும்பு e.code; } }
        }
        x = அ();
        y = ஆ();
        x.சேர்த்து(y);
        அச்சு x.கேள்();
        அச்சு x.ஒன்று();
        """) == ["timeout", "1"]  # fmt: skip


def test_a_chain_of_agents_that_ask() -> None:
    assert output_of("""
        முகவர் கண்ணி(அடுத்து) {
            செய்தி கூட்டு(n) {
                (அடுத்து == இன்மை) எனில் { திரும்பு n; }
                திரும்பு அடுத்து.கூட்டு(n + 1);
            }
        }
        x = இன்மை;
        i = 0;
        (i < 20) சுற்று { x = கண்ணி(x); i = i + 1; }
        அச்சு x.கூட்டு(0);
        """) == ["19"]  # fmt: skip


def test_a_long_row_of_agents_is_no_deep_row_of_calls() -> None:
    assert output_of("""
        செயல் ஆழம்(n, x, k) { (n == 0) எனில் { திரும்பு x.கூட்டு(k); } திரும்பு ஆழம்(n - 1, x, k); }
        முகவர் கண்ணி(அடுத்து) {
            செய்தி கூட்டு(n) { (அடுத்து == இன்மை) எனில் { திரும்பு n; } திரும்பு அடுத்து.கூட்டு(n + 1); }
            செய்தி ஆழ்கூட்டு(n) {
                (அடுத்து == இன்மை) எனில் { திரும்பு n; }
                திரும்பு கீழே(900, n);
            }
        }
        செயல் கீழே(n, k) { (n == 0) எனில் { திரும்பு அடுத்து.ஆழ்கூட்டு(k + 1); } திரும்பு கீழே(n - 1, k); }
        x = இன்மை;
        i = 0;
        (i < 1200) சுற்று { x = கண்ணி(x); i = i + 1; (i == 50) எனில் { y = x; } }
        அச்சு x.கூட்டு(0);
        அச்சு y.ஆழ்கூட்டு(0);
        """) == ["1199", "49"]  # fmt: skip


def test_agents_that_start_each_other_in_a_long_row() -> None:
    assert output_of("""
        முகவர் மரம்(n) {
            பிள்ளை = இன்மை;
            (n > 0) எனில் { பிள்ளை = மரம்(n - 1); }
            செய்தி எண்ணு() { (பிள்ளை == இன்மை) எனில் { திரும்பு 1; } திரும்பு 1 + பிள்ளை.எண்ணு(); }
        }
        x = மரம்(500);
        அச்சு x.எண்ணு();
        """) == ["501"]  # fmt: skip


def test_an_error_far_down_a_row_is_told_to_the_first() -> None:
    done = ran("""
        முகவர் கண்ணி(அடுத்து) {
            செய்தி விழு() { (அடுத்து == இன்மை) எனில் { பிழை_எழுப்பு("ஆழத்தில்", "x"); } அடுத்து.விழு(); }
            செய்தி பார்() { திரும்பு 1; }
        }
        x = இன்மை;
        i = 0;
        (i < 30) சுற்று { x = கண்ணி(x); i = i + 1; }
        முயல் { x.விழு(); } பிழை(e) { அச்சு e.code; }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["ஆழத்தில்", "1"]
    assert len(done.crashes) == 30


# ---- starting -------------------------------------------------------------------------


def test_an_error_in_the_body_is_the_callers_and_no_agent_is_left() -> None:
    done = ran("""
        முகவர் அ(n) { k = 10 / n; செய்தி பார்() { திரும்பு k; } }
        முயல் { அ(0); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_தொடங்கு(அ, [0], {"name": "ம"}); } பிழை(e) { அச்சு e.code; }
        அச்சு முகவர்_தேடு("ம");
        x = முகவர்_தொடங்கு(அ, [5], {"name": "ம"});
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["number.division_by_zero", "number.division_by_zero", "nil", "2"]


def test_a_body_that_fails_after_waiting() -> None:
    done = ran("""
        முகவர் அ() { உறங்கு(1); பிழை_எழுப்பு("சொந்தம்.பிழை", "x"); செய்தி பார்() { திரும்பு 1; } }
        முயல் { அ(); } பிழை(e) { அச்சு e.code; }
        உறங்கு(10);
        """)  # fmt: skip
    assert done.lines == ["சொந்தம்.பிழை"]
    assert not [event for event in done.events if isinstance(event, ActorRestarted)]


def test_starting_answers_when_the_body_has_run() -> None:
    assert output_of("""
        முகவர் அ() { உறங்கு(3); அச்சு "உடல்"; செய்தி பார்() { திரும்பு 1; } }
        x = அ();
        அச்சு "பிறகு";
        """) == ["உடல்", "பிறகு"]  # fmt: skip


def test_agents_start_anywhere() -> None:
    assert sorted(output_of(COUNTER + """
        முகவர் பெற்றோர்() {
            பி = எண்ணி(1);
            செய்தி புது(n) { பி = எண்ணி(n); திரும்பு பி; }
            செய்தி பார்() { திரும்பு பி.பார்(); }
        }
        பணி பணியில்() { திரும்பு எண்ணி(3); }
        p = பெற்றோர்();
        q = p.புது(5);
        அச்சு "1 " & p.பார்() & q.பார்();
        முகவர்_நிறுத்து(p);
        அச்சு "2 " & q.பார்();
        t = பணி_காத்திரு(பணி_தொடங்கு(பணியில்));
        அச்சு "3 " & t.பார்();
        பணி_உருவாக்கு "வே" { z = எண்ணி(8); அச்சு "4 " & z.கூட்டு(1) & t.கூட்டு(1); }
        """)) == ["1 55", "2 5", "3 3", "4 94"]  # fmt: skip


def test_an_agent_outlives_who_started_it() -> None:
    assert output_of(COUNTER + """
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "தொடங்கு" { சேனல்_அனுப்பு(சே, எண்ணி(4)); }
        பணி_உருவாக்கு "கேள்" { x = சேனல்_பெறு(சே); உறங்கு(5); அச்சு x.கூட்டு(1); }
        """) == ["5"]  # fmt: skip


def test_the_name_of_an_agent_is_a_functions_name() -> None:
    assert output_of(COUNTER + """
        f = எண்ணி;
        அச்சு வகை(f);
        அச்சு f(3).பார்();
        அச்சு மாற்றியமை([1, 2], எண்ணி)[1].பார்();
        அச்சு முகவர்_தொடங்கு(f, [7]).பார்();
        செயல் g(k) { திரும்பு k(8).பார்(); }
        அச்சு g(எண்ணி);
        """) == ["a function", "3", "2", "7", "8"]  # fmt: skip


def test_agents_see_the_globals_of_the_template() -> None:
    assert output_of("""
        g = 1;
        முகவர் அ() { n = g; செய்தி பார்() { திரும்பு [n, g]; } }
        a = அ();
        g = 2;
        பணி_உருவாக்கு "வே" { g = 3; b = அ(); அச்சு b.பார்(); }
        """) == ["[2, 2]"]  # fmt: skip


def test_a_started_agent_is_a_handle() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(1);
        y = முகவர்_தொடங்கு(எண்ணி, [1], {"name": "பெயரன்"});
        அச்சு [வகை(x), x, y, x == x, x == y, ஜேசான்_ஆக்கு(x)];
        (x) எனில் { அச்சு "மெய்யே"; }
        """, )[0].startswith("[an agent, <முகவர் எண்ணி>, <முகவர் பெயரன்>, true, false")  # fmt: skip


def test_a_start_that_is_given_up_leaves_no_agent() -> None:
    assert output_of("""
        முகவர் அ() {
            முயல் { உறங்கு(10); } இறுதியில் { அச்சு "இறுதி"; }
            அச்சு "உடல்";
            செய்தி பார்() { திரும்பு 1; }
        }
        முயல் { காலவரம்பு(1) { x = முகவர்_தொடங்கு(அ, [], {"name": "ம"}); } } பிழை(e) { அச்சு e.code; }
        உறங்கு(1);
        அச்சு முகவர்_தேடு("ம");
        x = முகவர்_தொடங்கு(அ, [], {"name": "ம"});
        அச்சு x.பார்();
        """) == ["timeout", "இறுதி", "nil", "இறுதி", "உடல்", "1"]  # fmt: skip


def test_two_that_start_one_name_at_once() -> None:
    done = ran("""
        முகவர் அ() { உறங்கு(2); செய்தி ம() { திரும்பு 1; } }
        பணி தொடங்கு() {
            முயல் { x = முகவர்_தொடங்கு(அ, [], {"name": "ம"}); திரும்பு x.ம(); } பிழை(e) { திரும்பு e.code; }
        }
        அச்சு இணையாக([தொடங்கு, தொடங்கு]);
        """)  # fmt: skip
    assert sorted(done.lines[0].strip("[]").split(", ")) == ["1", "conflict"]


def test_three_thousand_agents() -> None:
    assert output_of("""
        முகவர் அ(n) { செய்தி ம() { திரும்பு n; } }
        பணி_உருவாக்கு "வே" {
            v = [];
            i = 0;
            (i < 3000) சுற்று { v = இணை(v, அ(i)); i = i + 1; }
            t = 0;
            ஒவ்வொரு a இல் v { t = t + a.ம(); }
            அச்சு t;
            ஒவ்வொரு a இல் v { முகவர்_நிறுத்து(a); }
            முயல் { k = v[7].ம(); } பிழை(e) { அச்சு e.code; }
        }
        """) == ["4498500", "agent.stopped"]  # fmt: skip


# ---- options --------------------------------------------------------------------------


def test_names() -> None:
    assert output_of(COUNTER + """
        அச்சு முகவர்_தேடு("யாரும்");
        x = முகவர்_தொடங்கு(எண்ணி, [5], {"பெயர்": "ம"});
        அச்சு முகவர்_தேடு("ம") == x;
        அச்சு முகவர்_தேடு("ம").கூட்டு(1);
        முகவர்_நிறுத்து(x);
        அச்சு முகவர்_தேடு("ம");
        y = முகவர்_தொடங்கு(எண்ணி, [2], {"name": "ம"});
        அச்சு முகவர்_தேடு("ம").பார்();
        அச்சு [x == y, முகவர்_தேடு("ம") == y];
        """) == ["nil", "true", "6", "nil", "2", "[false, true]"]  # fmt: skip


def test_a_name_is_taken_once() -> None:
    assert output_of(COUNTER + """
        x = முகவர்_தொடங்கு(எண்ணி, [5], {"name": "ம"});
        முயல் { முகவர்_தொடங்கு(எண்ணி, [6], {"name": "ம"}); } பிழை(e) { அச்சு e.code; }
        அச்சு முகவர்_தேடு("ம").பார்();
        """) == ["conflict", "5"]  # fmt: skip


def test_a_name_is_good_over_a_restart() -> None:
    done = ran(COUNTER + """
        x = முகவர்_தொடங்கு(எண்ணி, [5], {"name": "ம"});
        முயல் { x.முறி(); } பிழை(e) { அச்சு e.code; }
        அச்சு முகவர்_தேடு("ம").பார்();
        அச்சு முகவர்_தேடு("ம") == x;
        """)  # fmt: skip
    assert done.lines == ["number.division_by_zero", "5", "true"]


def test_names_are_found_from_every_service_of_the_process() -> None:
    done = ran(
        COUNTER + """x = முகவர்_தொடங்கு(எண்ணி, [5], {"name": "பொது"});""",
        """பணி_உருவாக்கு "கேள்" { a = முகவர்_தேடு("பொது"); அச்சு a.கூட்டு(1); அச்சு முகவர்_கேள்(a, "பார்"); }""",
    )
    assert done.lines == ["6", "6"]


def test_overflow_of_the_mailbox() -> None:
    program = """
        முகவர் அ() {
            வ = [];
            செய்தி வை(n) { உறங்கு(1); வ = இணை(வ, n); }
            செய்தி பார்() { திரும்பு வ; }
        }
        x = முகவர்_தொடங்கு(அ, [], {"பெட்டி": 1, "நிரம்பினால்": "%s"});
        முகவர்_சொல்(x, "வை", [1]);
        உறங்கு(0.1);
        ஒவ்வொரு n இல் [2, 3] {
            முயல் { முகவர்_சொல்(x, "வை", [n]); } பிழை(e) { அச்சு e.code; }
        }
        உறங்கு(9);
        அச்சு x.பார்();
        """
    assert output_of(program % "காத்திரு") == ["[1, 2, 3]"]
    assert output_of(program % "மறு") == ["overloaded", "[1, 2]"]
    assert output_of(program % "drop_oldest") == ["[1, 3]"]
    assert output_of(program % "புதியதை_விடு") == ["[1, 2]"]


def test_an_ask_whose_message_is_dropped_is_told_so() -> None:
    assert output_of("""
        முகவர் அ() { செய்தி வை(n) { உறங்கு(1); திரும்பு n; } }
        x = முகவர்_தொடங்கு(அ, [], {"mailbox": 1, "overflow": "drop_oldest"});
        முகவர்_சொல்(x, "வை", [1]);
        உறங்கு(0.1);
        பணி கேள்(n) { முயல் { திரும்பு x.வை(n); } பிழை(e) { திரும்பு e.code; } }
        a = பணி_தொடங்கு(கேள், 2);
        உறங்கு(0.1);
        b = பணி_தொடங்கு(கேள், 3);
        அச்சு [பணி_காத்திரு(a), பணி_காத்திரு(b)];
        """) == ["[overloaded, 3]"]  # fmt: skip


def test_an_ask_of_a_full_mailbox_that_rejects() -> None:
    assert output_of("""
        முகவர் அ() { செய்தி வை(n) { உறங்கு(1); திரும்பு n; } }
        x = முகவர்_தொடங்கு(அ, [], {"mailbox": 1, "overflow": "reject"});
        முகவர்_சொல்(x, "வை", [1]);
        உறங்கு(0.1);
        முகவர்_சொல்(x, "வை", [2]);
        முயல் { x.வை(3); } பிழை(e) { அச்சு e.code; }
        """) == ["overloaded"]  # fmt: skip


def test_an_ask_of_a_full_mailbox_waits_no_longer_than_its_limit() -> None:
    assert output_of("""
        முகவர் அ() { வ = []; செய்தி வை(n) { உறங்கு(2); வ = இணை(வ, n); திரும்பு வ; } }
        x = முகவர்_தொடங்கு(அ, [], {"mailbox": 1});
        முகவர்_சொல்(x, "வை", [1]);
        உறங்கு(0.1);
        முகவர்_சொல்(x, "வை", [2]);
        முயல் { முகவர்_கேள்(x, "வை", [3], {"timeout": 1}); } பிழை(e) { அச்சு e.code; }
        அச்சு முகவர்_கேள்(x, "வை", [4], {"timeout": 20});
        """) == ["timeout", "[1, 2, 4]"]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ('{"mailbox": வ(0)}', "value.invalid"),
        ('{"mailbox": வ("x")}', "value.kind"),
        ('{"overflow": வ("x")}', "value.invalid"),
        ('{"restart": வ("x")}', "value.invalid"),
        ('{"keep": வ(1)}', "value.kind"),
        ('{"name": வ(1)}', "value.kind"),
        ('வ({"கீ": 1})', "option.unknown"),
        ("வ(5)", "value.kind"),
    ],
)
def test_options_that_make_no_sense(options: str, code: str) -> None:
    assert output_of(COUNTER + f"""
        செயல் வ(x) {{ திரும்பு x; }}
        முயல் {{ முகவர்_தொடங்கு(எண்ணி, [1], {options}); அச்சு "தொடங்கியது"; }} பிழை(e) {{ அச்சு e.code; }}
        """) == [code]  # fmt: skip


def test_what_cannot_be_started_as_an_agent() -> None:
    assert output_of("""
        செயல் f() { திரும்பு 1; }
        முயல் { முகவர்_தொடங்கு(f, []); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_தொடங்கு("f", []); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_தொடங்கு(நீளம், []); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_கேள்(5, "x"); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_சொல்(f, "x", []); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_நிறுத்து("x"); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_கண்காணி(இன்மை); } பிழை(e) { அச்சு e.code; }
        """) == ["value.kind"] * 7  # fmt: skip


def test_the_number_of_first_arguments() -> None:
    assert output_of(COUNTER + """
        செயல் வ(x) { திரும்பு x; }
        முயல் { முகவர்_தொடங்கு(எண்ணி, வ([])); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_தொடங்கு(எண்ணி); } பிழை(e) { அச்சு e.code; }
        f = எண்ணி;
        முயல் { f(1, 2); } பிழை(e) { அச்சு e.code; }
        """) == ["call.arguments"] * 3  # fmt: skip


# ---- answers and crashes --------------------------------------------------------------


def test_an_error_answers_the_asker_and_restarts_the_agent_with_its_first_arguments() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(7);
        x.கூட்டு(1);
        முயல் { x.முறி(); } பிழை(e) { அச்சு [e.code, e.line > 0]; }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["[number.division_by_zero, true]", "7"]
    assert [code for _, code in done.crashes] == ["number.division_by_zero"]


def test_an_error_after_waiting_does_the_same() -> None:
    done = ran("""
        முகவர் அ(n) {
            செய்தி முறி() { n = 99; உறங்கு(1); n = 100; பிழை_எழுப்பு("சொந்தம்", "x", {"k": 1}); }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ(7);
        முயல் { x.முறி(); } பிழை(e) { அச்சு [e.code, e.message, e.details]; }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["[சொந்தம், x, {k: 1}]", "7"]


@pytest.mark.parametrize("code", ["validation", "not_found", "conflict"])
@pytest.mark.parametrize("wait", ["", "உறங்கு(1);"])
def test_answers_are_no_crashes_and_undo_everything(code: str, wait: str) -> None:
    assert output_of(f"""
        முகவர் அ() {{
            n = 1;
            வ = [1, 2];
            பொ = {{"k": {{"v": [1]}}}};
            அச்சு "உடல்";
            செய்தி கெடு(code) {{
                n = 99; வ[0] = 99; வ = இணை(வ, 3);
                உட்பொ = பொ.k; உட்பொ["v"] = 99; பொ["k"] = உட்பொ; பொ["புது"] = 1;
                {wait}
                வ[1] = 98;
                பிழை_எழுப்பு(code, "x");
            }}
            செய்தி நல்() {{ வ[0] = வ[0] + 1; }}
            செய்தி பார்() {{ திரும்பு [n, வ, பொ]; }}
        }}
        x = அ();
        x.நல்();
        முயல் {{ x.கெடு("{code}"); }} பிழை(e) {{ அச்சு e.code; }}
        அச்சு x.பார்();
        முகவர்_சொல்(x, "கெடு", ["{code}"]);
        அச்சு x.பார்();
        """) == ["உடல்", code, "[1, [2, 2], {k: {v: [1]}}]", "[1, [2, 2], {k: {v: [1]}}]"]  # fmt: skip


def test_an_answer_of_the_body_is_the_callers_error() -> None:
    done = ran("""
        முகவர் அ() { பிழை_எழுப்பு("validation", "x"); செய்தி பார்() { திரும்பு 1; } }
        முயல் { அ(); } பிழை(e) { அச்சு e.code; }
        """)  # fmt: skip
    assert done.lines == ["validation"]


def test_waiting_messages_stay_waiting_over_a_restart() -> None:
    done = ran("""
        முகவர் அ() {
            n = 0;
            செய்தி முறி() { உறங்கு(1); திரும்பு 1 / 0; }
            செய்தி கூட்டு() { n = n + 1; திரும்பு n; }
        }
        x = அ();
        முகவர்_சொல்(x, "கூட்டு", []);
        முகவர்_சொல்(x, "முறி", []);
        முகவர்_சொல்(x, "கூட்டு", []);
        முகவர்_சொல்(x, "கூட்டு", []);
        அச்சு x.கூட்டு();
        """)  # fmt: skip
    assert done.lines == ["3"]


def test_a_crash_while_told_is_nobodys_error() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(1);
        முகவர்_சொல்(x, "முறி", []);
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["1"]
    assert len(done.crashes) == 1


def test_an_agent_that_goes_on_crashing_is_slowed_down_and_takes_nobody_along() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(1);
        y = எண்ணி(2);
        y.கூட்டு(1);
        பணி_உருவாக்கு "வே" {
            i = 0;
            (i < 30) சுற்று {
                முயல் { முகவர்_கேள்(x, "முறி", [], {"timeout": 100}); } பிழை(e) { c = e.code; }
                i = i + 1;
            }
            அச்சு c;
            அச்சு [முகவர்_கேள்(x, "பார்", [], {"timeout": 100}), y.பார்()];
        }
        """, seconds=3000)  # fmt: skip
    assert done.lines == ["number.division_by_zero", "[1, 3]"]
    assert len(done.crashes) == 30
    delays = [event.delay for event in done.events if isinstance(event, ActorRestarted)]
    assert delays[0] == 0
    assert delays == sorted(delays)
    assert delays[-1] > 1


def test_the_first_arguments_are_those_of_the_start() -> None:
    done = ran("""
        முகவர் அ(வ) {
            செய்தி கெடு() { வ[0] = 99; திரும்பு வ; }
            செய்தி முறி() { திரும்பு 1 / 0; }
            செய்தி பார்() { திரும்பு வ; }
        }
        t = [1, 2];
        x = அ(t);
        t[0] = 50;
        அச்சு x.கெடு();
        முயல் { x.முறி(); } பிழை(e) { }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["[99, 2]", "[1, 2]"]


def test_a_body_that_fails_when_it_is_run_again() -> None:
    done = ran("""
        அ_எண் = அணு_உருவாக்கு(0);
        முகவர் அ() {
            k = அணு_கூட்டு(அ_எண், 1);
            (k == 2) எனில் { பிழை_எழுப்பு("சொந்தம்", "இரண்டாவது"); }
            செய்தி முறி() { திரும்பு 1 / 0; }
            செய்தி பார்() { திரும்பு k; }
        }
        x = அ();
        முயல் { x.முறி(); } பிழை(e) { அச்சு e.code; }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["number.division_by_zero", "3"]


def test_keep_restarts_from_the_last_message_that_succeeded() -> None:
    done = ran("""
        முகவர் அ(தொ) {
            n = தொ;
            அச்சு "உடல்";
            செய்தி கூ() { n = n + 1; திரும்பு n; }
            செய்தி முறி() { n = 1000; திரும்பு 1 / 0; }
            செய்தி மெதுமுறி() { n = 1000; உறங்கு(1); திரும்பு 1 / 0; }
        }
        x = முகவர்_தொடங்கு(அ, [5], {"keep": மெய்});
        x.கூ();
        அச்சு x.கூ();
        முயல் { x.முறி(); } பிழை(e) { அச்சு e.code; }
        அச்சு x.கூ();
        முயல் { x.மெதுமுறி(); } பிழை(e) { அச்சு e.code; }
        அச்சு x.கூ();
        y = முகவர்_தொடங்கு(அ, [5], {"காத்துவை": பொய்});
        y.கூ();
        முயல் { y.முறி(); } பிழை(e) { அச்சு e.code; }
        அச்சு y.கூ();
        """)  # fmt: skip
    crash = "number.division_by_zero"
    assert done.lines == ["உடல்", "7", crash, "8", crash, "9", "உடல்", "உடல்", crash, "6"]


def test_keep_restarts_from_the_body_when_no_message_has_succeeded() -> None:
    done = ran("""
        முகவர் அ(n) { n = n + 1; செய்தி முறி() { திரும்பு 1 / 0; } செய்தி பார்() { திரும்பு n; } }
        x = முகவர்_தொடங்கு(அ, [5], {"keep": மெய்});
        முயல் { x.முறி(); } பிழை(e) { }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["6"]


def test_what_an_answer_undid_is_not_kept() -> None:
    done = ran("""
        முகவர் அ() {
            n = 0;
            செய்தி கெடு() { n = 50; பிழை_எழுப்பு("conflict", "x"); }
            செய்தி முறி() { திரும்பு 1 / 0; }
            செய்தி பார்() { திரும்பு n; }
        }
        x = முகவர்_தொடங்கு(அ, [], {"keep": மெய்});
        முயல் { x.கெடு(); } பிழை(e) { }
        முயல் { x.முறி(); } பிழை(e) { }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["0"]


def test_a_temporary_agent_is_not_restarted() -> None:
    done = ran(COUNTER + """
        x = முகவர்_தொடங்கு(எண்ணி, [1], {"மறுதொடக்கம்": "வேண்டாம்"});
        முகவர்_சொல்(x, "மெதுவாக", [1]);
        முகவர்_சொல்(x, "முறி", []);
        முயல் { x.பார்(); } பிழை(e) { அச்சு e.code; }
        முயல் { x.பார்(); } பிழை(e) { அச்சு e.code; }
        """)  # fmt: skip
    assert done.lines == ["agent.stopped", "agent.stopped"]


def test_a_crash_in_one_agent_is_no_crash_of_an_agent_that_catches_it() -> None:
    done = ran(COUNTER + """
        முகவர் அ(b) {
            செய்தி கேள்() { முயல் { b.முறி(); } பிழை(e) { திரும்பு e.code; } }
            செய்தி விடு() { b.முறி(); }
        }
        y = எண்ணி(1);
        x = அ(y);
        அச்சு x.கேள்();
        முயல் { x.விடு(); } பிழை(e) { அச்சு e.code; }
        """)  # fmt: skip
    assert done.lines == ["number.division_by_zero"] * 2
    assert [name.partition("#")[0] for name, _ in done.crashes] == ["எண்ணி", "எண்ணி", "அ"]


def test_an_answer_passes_through_agents_as_an_answer() -> None:
    done = ran("""
        முகவர் உட்புறம்() { செய்தி கே() { பிழை_எழுப்பு("not_found", "x"); } }
        முகவர் வெளிப்புறம்(b) { n = 0; செய்தி கே() { n = 5; b.கே(); } செய்தி பார்() { திரும்பு n; } }
        x = வெளிப்புறம்(உட்புறம்());
        முயல் { x.கே(); } பிழை(e) { அச்சு e.code; }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["not_found", "0"]
    assert not done.crashes


@pytest.mark.parametrize("wait", ["", "உறங்கு(1);"])
@pytest.mark.parametrize("who", ["x.போ();", 'பணி_உருவாக்கு "வே" { x.போ(); அச்சு "வரக்கூடாது"; }', 'முகவர்_சொல்(x, "போ", []);'])
def test_the_end_of_the_process_reaches_whoever_asks(wait: str, who: str) -> None:
    done = ran(f"""
        முகவர் அ() {{ செய்தி போ() {{ {wait} வெளியேறு(3); }} }}
        x = அ();
        {who}
        """)  # fmt: skip
    assert done.lines == []
    assert done.status == 3


@pytest.mark.parametrize("wait", ["", "உறங்கு(1);"])
@pytest.mark.parametrize("who", ["x = அ();", 'பணி_உருவாக்கு "வே" { x = அ(); அச்சு "வரக்கூடாது"; }'])
def test_the_end_of_the_process_in_the_body(wait: str, who: str) -> None:
    done = ran(f"""
        முகவர் அ() {{ {wait} வெளியேறு(3); செய்தி பார்() {{ திரும்பு 1; }} }}
        {who}
        """)  # fmt: skip
    assert done.lines == []
    assert done.status == 3


def test_the_end_that_an_agent_asks_for() -> None:
    done = ran("""
        முகவர் அ() { செய்தி போ() { வெளியேறு(3); } }
        x = அ();
        பணி_உருவாக்கு "வே" { முயல் { x.போ(); } பிழை(e) { அச்சு e.code; } }
        """)  # fmt: skip
    assert done.status == 3


# ---- children -------------------------------------------------------------------------


def test_children_live_on_between_messages_and_end_with_the_agent() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        பணி துணை(n) { உறங்கு(3); சேனல்_அனுப்பு(சே, n); }
        முகவர் அ() {
            செய்தி தொடங்கு(n) { பணி_தொடங்கு(துணை, n); }
            செய்தி பார்() { திரும்பு 1; }
        }
        x = அ();
        x.தொடங்கு(1);
        x.பார்();
        அச்சு சேனல்_பெறு(சே);
        x.தொடங்கு(2);
        முகவர்_நிறுத்து(x);
        முயல் { அச்சு சேனல்_பெறு(சே, {"timeout": 10}); } பிழை(e) { அச்சு e.code; }
        """) == ["1", "timeout"]  # fmt: skip


def test_a_child_that_fails_and_is_not_awaited_is_the_agents_error_at_the_next_message() -> None:
    done = ran("""
        பணி விழு() { உறங்கு(1); திரும்பு 1 / 0; }
        முகவர் அ() {
            n = 0;
            செய்தி தொடங்கு() { n = 5; பணி_தொடங்கு(விழு); }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ();
        x.தொடங்கு();
        அச்சு x.பார்();
        உறங்கு(2);
        முயல் { அச்சு x.பார்(); } பிழை(e) { அச்சு e.code; }
        அச்சு x.பார்();
        """)  # fmt: skip
    assert done.lines == ["5", "number.division_by_zero", "0"]


def test_children_of_a_life_that_crashed_end_with_it() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி துணை() { உறங்கு(3); சேனல்_அனுப்பு(சே, "துணை"); }
        முகவர் அ() {
            செய்தி தொடங்கு() { பணி_தொடங்கு(துணை); }
            செய்தி முறி() { திரும்பு 1 / 0; }
        }
        x = அ();
        x.தொடங்கு();
        முயல் { x.முறி(); } பிழை(e) { }
        முயல் { அச்சு சேனல்_பெறு(சே, {"timeout": 10}); } பிழை(e) { அச்சு e.code; }
        """)  # fmt: skip
    assert done.lines == ["timeout"]


def test_a_child_reads_the_state_as_it_was_and_changes_nothing() -> None:
    assert output_of("""
        பணி கணி() { n = n + 100; உறங்கு(1); திரும்பு n; }
        முகவர் அ(n) {
            செய்தி தொடங்கு() { n = n + 1; t = பணி_தொடங்கு(கணி); n = n + 1; திரும்பு பணி_காத்திரு(t); }
            செய்தி பார்() { திரும்பு n; }
        }
        x = அ(0);
        அச்சு x.தொடங்கு();
        அச்சு x.பார்();
        """) == ["101", "2"]  # fmt: skip


def test_a_task_handle_in_the_state_is_awaited_by_a_later_message() -> None:
    assert output_of("""
        பணி கணி() { உறங்கு(3); திரும்பு 42; }
        முகவர் அ() {
            t = பணி_தொடங்கு(கணி);
            செய்தி பார்() { திரும்பு பணி_காத்திரு(t); }
        }
        x = அ();
        அச்சு x.பார்();
        அச்சு x.பார்();
        """) == ["42", "42"]  # fmt: skip


# ---- ends -----------------------------------------------------------------------------


def test_stopping_waits_and_finishes_what_waits() -> None:
    assert output_of("""
        முகவர் அ() {
            செய்தி வேலை(n) { உறங்கு(1); அச்சு n; }
            நிறுத்தும்போது { அச்சு "மூடல்"; }
        }
        x = அ();
        முகவர்_சொல்(x, "வேலை", [1]);
        முகவர்_சொல்(x, "வேலை", [2]);
        உறங்கு(0.5);
        முகவர்_நிறுத்து(x);
        அச்சு "நின்றது";
        முகவர்_நிறுத்து(x);
        முயல் { x.வேலை(3); } பிழை(e) { அச்சு e.code; }
        முயல் { முகவர்_சொல்(x, "வேலை", [3]); } பிழை(e) { அச்சு e.code; }
        """) == ["1", "2", "மூடல்", "நின்றது", "agent.stopped", "agent.stopped"]  # fmt: skip


def test_messages_of_others_after_the_stop_are_refused_while_it_finishes() -> None:
    assert output_of("""
        முகவர் அ() { செய்தி வேலை() { உறங்கு(3); அச்சு "வேலை"; } }
        x = அ();
        முகவர்_சொல்(x, "வேலை", []);
        உறங்கு(1);
        பணி நிறுத்து1() { முகவர்_நிறுத்து(x); அச்சு "நின்றது"; }
        t = பணி_தொடங்கு(நிறுத்து1);
        உறங்கு(1);
        முயல் { x.வேலை(); } பிழை(e) { அச்சு e.code; }
        பணி_காத்திரு(t);
        """) == ["agent.stopped", "வேலை", "நின்றது"]  # fmt: skip


def test_an_agent_stops_itself_after_the_message_at_hand() -> None:
    assert output_of("""
        முகவர் அ() {
            n = 0;
            செய்தி நில்() { முகவர்_நிறுத்து(இது); n = 7; திரும்பு "சரி"; }
            நிறுத்தும்போது { அச்சு "மூடல் " & n; }
        }
        x = அ();
        அச்சு x.நில்();
        உறங்கு(1);
        முயல் { x.நில்(); } பிழை(e) { அச்சு e.code; }
        """) == ["சரி", "மூடல் 7", "agent.stopped"]  # fmt: skip


def test_an_agent_stops_itself_after_waiting() -> None:
    assert sorted(output_of("""
        முகவர் அ() {
            n = 0;
            செய்தி நில்() { உறங்கு(1); முகவர்_நிறுத்து(இது); n = 7; உறங்கு(1); n = 8; திரும்பு "சரி"; }
            நிறுத்தும்போது { அச்சு "மூடல் " & n; }
        }
        x = அ();
        அச்சு x.நில்();
        """)) == ["சரி", "மூடல் 8"]  # fmt: skip


def test_an_agent_stops_itself_in_its_body() -> None:
    assert output_of("""
        முகவர் அ() {
            முகவர்_நிறுத்து(இது);
            செய்தி பார்() { திரும்பு 1; }
        }
        x = அ();
        உறங்கு(1);
        முயல் { அச்சு x.பார்(); } பிழை(e) { அச்சு e.code; }
        """) == ["agent.stopped"]  # fmt: skip


def test_the_block_at_the_end_reaches_the_state_and_may_wait() -> None:
    assert output_of("""
        முகவர் அ() {
            n = 1;
            செய்தி கூட்டு() { n = n + 1; }
            நிறுத்தும்போது { n = n + 10; உறங்கு(2); அச்சு n; }
        }
        x = அ();
        x.கூட்டு();
        முகவர்_நிறுத்து(x);
        அச்சு "தொடர்";
        """) == ["12", "தொடர்"]  # fmt: skip


def test_the_block_at_the_end_that_fails() -> None:
    done = ran("""
        முகவர் அ() { செய்தி பார்() { திரும்பு 1; } நிறுத்தும்போது { அச்சு 1 / 0; } }
        x = அ();
        முகவர்_நிறுத்து(x);
        அச்சு "தொடர்";
        """)  # fmt: skip
    assert done.lines == ["தொடர்"]
    assert [code for _, code in done.crashes] == ["number.division_by_zero"]


def test_the_block_at_the_end_is_not_run_after_a_crash() -> None:
    done = ran("""
        முகவர் அ() {
            செய்தி முறி() { திரும்பு 1 / 0; }
            நிறுத்தும்போது { அச்சு "மூடல்"; }
        }
        x = அ();
        முயல் { x.முறி(); } பிழை(e) { அச்சு e.code; }
        அச்சு "தொடர்";
        """)  # fmt: skip
    assert done.lines == ["number.division_by_zero", "தொடர்", "மூடல்"]  # once, at the very end


def test_everything_is_stopped_with_the_service() -> None:
    done = ran("""
        முகவர் அ(n) { செய்தி பார்() { திரும்பு n; } நிறுத்தும்போது { அச்சு "மூடல் " & n; } }
        a = அ(1);
        b = அ(2);
        நிறுத்தும்போது { அச்சு "சேவை"; }
        """)  # fmt: skip
    assert sorted(done.lines[:2]) == ["மூடல் 1", "மூடல் 2"]
    assert done.lines[2:] == ["சேவை"]


def test_stopping_an_agent_that_asks_the_one_who_stops_it() -> None:
    done = ran("""
        முகவர் அ(b) { செய்தி கேள்() { முயல் { முகவர்_கேள்(b, "பார்", [], {"timeout": 2}); } பிழை(e) { அச்சு e.code; } } }
        முகவர் ஆ() {
            செய்தி நிறுத்து1(a) { முகவர்_சொல்(a, "கேள்", []); முகவர்_நிறுத்து(a); திரும்பு "முடிந்தது"; }
            செய்தி பார்() { திரும்பு 1; }
        }
        y = ஆ();
        x = அ(y);
        அச்சு y.நிறுத்து1(x);
        """)  # fmt: skip
    assert done.lines == ["timeout", "முடிந்தது"]


# ---- watching -------------------------------------------------------------------------


def test_a_monitor_gets_one_message_when_the_agent_has_ended() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(1);
        m = முகவர்_கண்காணி(x);
        m2 = முகவர்_கண்காணி(x);
        அச்சு சேனல்_முயற்சி(m);
        முகவர்_நிறுத்து(x);
        அ1 = சேனல்_பெறு(m);
        அச்சு [வகை(அ1.காரணம்), அ1.முகவர் == x, அ1["agent"] == x, அ1.reason == அ1["காரணம்"]];
        அச்சு சேனல்_பெறு(m);
        அச்சு சேனல்_பெறு(m2).agent == x;
        """) == ["தவறு(காலி)", "[a string, true, true, true]", "nil", "true"]  # fmt: skip


def test_a_monitor_on_one_that_has_ended_gets_its_message_at_once() -> None:
    assert output_of(COUNTER + """
        x = எண்ணி(1);
        முகவர்_நிறுத்து(x);
        அச்சு சேனல்_பெறு(முகவர்_கண்காணி(x)).முகவர் == x;
        """) == ["true"]  # fmt: skip


def test_a_restart_is_no_end() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(1);
        m = முகவர்_கண்காணி(x);
        முயல் { x.முறி(); } பிழை(e) { }
        x.பார்();
        அச்சு சேனல்_முயற்சி(m);
        """)  # fmt: skip
    assert done.lines == ["தவறு(காலி)"]


def test_a_monitor_tells_why() -> None:
    done = ran(COUNTER + """
        x = முகவர்_தொடங்கு(எண்ணி, [1], {"restart": "temporary"});
        m = முகவர்_கண்காணி(x);
        முயல் { x.முறி(); } பிழை(e) { }
        அச்சு சேனல்_பெறு(m).காரணம்;
        """)  # fmt: skip
    assert "division by zero" in done.lines[0]


def test_a_monitor_in_a_choice_and_by_an_agent() -> None:
    assert output_of(COUNTER + """
        முகவர் காவலர்(a) {
            m = முகவர்_கண்காணி(a);
            செய்தி காத்திரு1() { திரும்பு சேனல்_பெறு(m).முகவர் == a; }
        }
        x = எண்ணி(1);
        க = காவலர்(x);
        m = முகவர்_கண்காணி(x);
        முகவர்_நிறுத்து(x);
        தேர்வு { d இல் m { அச்சு "நின்றது"; } காலம் 5 { அச்சு "காலம்"; } }
        அச்சு க.காத்திரு1();
        """) == ["நின்றது", "true"]  # fmt: skip


# ---- lives ----------------------------------------------------------------------------


def test_an_agent_that_waits_in_a_handler_at_shutdown_finishes_within_its_time() -> None:
    done = ran("""
        முகவர் அ() { செய்தி வேலை() { உறங்கு(3); அச்சு "முடிந்தது"; } நிறுத்தும்போது { அச்சு "மூடல்"; } }
        x = அ();
        முகவர்_சொல்(x, "வேலை", []);
        """, seconds=1)  # fmt: skip
    assert done.lines == ["முடிந்தது", "மூடல்"]


def test_one_that_hangs_at_shutdown_is_cut() -> None:
    done = ran("""
        முகவர் அ() { செய்தி வேலை() { முயல் { உறங்கு(1000); } இறுதியில் { அச்சு "இறுதி"; } } }
        x = அ();
        முகவர்_சொல்(x, "வேலை", []);
        """, seconds=1)  # fmt: skip
    assert done.lines == ["இறுதி"]
    assert done.ended < 60


def test_a_failing_agent_in_the_prelude_ends_the_start() -> None:
    fault = failure_of("""
        முகவர் அ() { செய்தி முறி() { திரும்பு 1 / 0; } }
        x = அ();
        x.முறி();
        """)  # fmt: skip
    assert fault.code == "number.division_by_zero"


def test_lives_are_told() -> None:
    done = ran(COUNTER + """
        x = எண்ணி(1);
        முயல் { x.முறி(); } பிழை(e) { }
        x.பார்();
        """)  # fmt: skip
    lives = [event.life for event in done.events if isinstance(event, ActorStarted) and "எண்ணி" in event.actor]
    assert lives == [1, 2]


def test_an_agent_does_not_keep_a_script_alive() -> None:
    done = run_program("""
        முகவர் அ() { செய்தி மெது() { உறங்கு(100); } செய்தி விரை() { அச்சு "விரைவு"; } }
        x = அ();
        y = அ();
        முகவர்_சொல்(y, "விரை", []);
        முகவர்_சொல்(x, "மெது", []);
        """, as_script=True)  # fmt: skip
    assert done.lines == ["விரைவு"]
    assert done.ended < 3
