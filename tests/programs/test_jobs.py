"""Jobs: declared and one-time, schedules, channels, tries, time limits, ends, dead letters (EXTENSIONS §5).

Times are virtual and exact. ``random`` is 0.5 in these runs, so a pause that is told as 1 s is 0.9 s long.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
import trio

from etamil_actors.actors.events import ActorCrashed, ActorRestarted, ActorStarted
from etamil_actors.actors.programs.jobs import RunFailed
from etamil_actors.actors.programs.system import System
from tests.programs.running import Result, output_of, run_program


def ran(text: str, *more: str, **options: object) -> Result:
    """A run in which jobs may fail, but the service starts and leaves nothing over."""
    done = run_program(text, *more, **options)  # type: ignore[arg-type]
    assert done.problem is None, f"{done.problem!r} after {done.lines}"
    assert not done.left_over
    return done


def failures(done: Result) -> list[tuple[float, int, float | None]]:
    """When runs failed, which try it was, and after which pause the next one comes."""
    return [
        (round(event.time, 2), event.attempt, event.delay if event.delay is None else round(event.delay, 2))
        for event in done.events
        if isinstance(event, RunFailed)
    ]


# ---- jobs that run once ---------------------------------------------------------------


def test_a_job_runs_once_after_the_prelude() -> None:
    assert output_of("""
        பணி_உருவாக்கு "ஒன்று" { அச்சு "பணி " & x; }
        x = 5;
        அச்சு "முன்னுரை";
        """) == ["முன்னுரை", "பணி 5"]  # fmt: skip


def test_a_job_has_variables_of_its_own() -> None:
    assert output_of("""
        x = [1];
        பணி_உருவாக்கு "ஒன்று" { x[0] = 9; y = 1; அச்சு x; }
        பணி_உருவாக்கு "இரண்டு" { உறங்கு(1); அச்சு x; }
        """) == ["[9]", "[1]"]  # fmt: skip


def test_a_return_ends_the_run() -> None:
    assert output_of("""
        பணி_உருவாக்கு "ஒன்று" { அச்சு 1; (மெய்) எனில் { திரும்பு; } அச்சு 2; }
        """) == ["1"]  # fmt: skip


def test_the_name_may_be_computed() -> None:
    done = ran("""
        பெ = "அறிக்கை";
        பணி_உருவாக்கு(பெ & "_1") { அச்சு 1; };
        """)  # fmt: skip
    assert any(event.actor.endswith("/அறிக்கை_1") for event in done.events)


def test_a_job_that_fails_is_transient_by_default_and_is_tried_until_it_succeeds() -> None:
    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "ஒன்று" {
            n = அணு_கூட்டு(எண்1, 1);
            அச்சு n;
            (n < 4) எனில் { பிழை_எழுப்பு("x", "y"); }
        }
        """)  # fmt: skip
    assert done.lines == ["1", "2", "3", "4"]
    delays = [event.delay for event in done.events if isinstance(event, ActorRestarted)]
    assert len(delays) == 3
    assert 0 < delays[0] < delays[1] < delays[2]
    assert done.system.letters.count() == 0  # "has no tries, only restart"


def test_a_temporary_job_is_not_started_again() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று", {"மறுதொடக்கம்": "வேண்டாம்"} { அச்சு 1; பிழை_எழுப்பு("x", "y"); }
        """)  # fmt: skip
    assert done.lines == ["1"]
    assert [code for _, code in done.crashes] == ["x"]


def test_a_permanent_job_is_started_again_whenever_it_has_ended() -> None:
    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "ஒன்று", {"restart": "permanent"} { அச்சு அணு_கூட்டு(எண்1, 1); உறங்கு(1); }
        """, seconds=200)  # fmt: skip
    assert len(done.lines) > 3
    assert not done.crashes


def test_a_permanent_job_that_fails_for_ever_is_slowed_down_and_the_rest_goes_on() -> None:
    done = ran("""
        பணி_உருவாக்கு "கெட்டது", {"restart": "permanent"} { பிழை_எழுப்பு("x", "y"); }
        பணி_உருவாக்கு "நல்லது", {"every": 100} { அச்சு "நலம்"; }
        """, seconds=1050)  # fmt: skip
    assert done.lines == ["நலம்"] * 10
    crashes = [event.time for event in done.events if isinstance(event, ActorCrashed)]
    assert 15 < len(crashes) < 40
    assert max(b - a for a, b in pairwise(crashes)) == pytest.approx(54, abs=7)


def test_many_jobs_that_fail_for_ever_take_nobody_along() -> None:
    bad = "\n".join(f'பணி_உருவாக்கு "கெட்டது{n}" {{ பிழை_எழுப்பு("x", "y"); }}' for n in range(50))
    done = ran(bad + """
        பணி_உருவாக்கு "நல்லது", {"every": 10} { அச்சு "நலம்"; }
        """, seconds=65)  # fmt: skip
    assert done.lines == ["நலம்"] * 6


def test_instances() -> None:
    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "பல", {"எண்ணிக்கை": 3} { அணு_கூட்டு(எண்1, 1); உறங்கு(1); அச்சு அணு_படி(எண்1); }
        """)  # fmt: skip
    assert done.lines == ["3", "3", "3"]
    started = [e.actor for e in done.events if isinstance(e, ActorStarted) and "பல" in e.actor]
    assert len(set(started)) == 3


def test_the_end_that_a_job_asks_for() -> None:
    done = ran("""
        பணி_உருவாக்கு "போ" { உறங்கு(2); வெளியேறு(4); }
        """)  # fmt: skip
    assert done.status == 4
    assert done.time == pytest.approx(2)


# ---- schedules ------------------------------------------------------------------------


def test_every_counts_from_the_end_of_a_run() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று", {"இடைநேரம்": 10} { அச்சு "ஓட்டம்"; உறங்கு(5); }
        """, seconds=56)  # fmt: skip
    assert len(done.lines) == 4  # at 10, 25, 40, 55


def test_every_takes_fractions() -> None:
    assert len(output_of('பணி_உருவாக்கு "ஒன்று", {"every": 0.5} { அச்சு 1; }', seconds=5.1)) == 10


def test_a_scheduled_run_that_fails_is_told_and_the_schedule_goes_on() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று", {"every": 10} { அச்சு "ஓட்டம்"; பிழை_எழுப்பு("x", "y"); }
        """, seconds=35)  # fmt: skip
    assert len(done.lines) == 3
    assert failures(done) == [(10, 1, None), (20, 1, None), (30, 1, None)]
    assert not [event for event in done.events if isinstance(event, ActorRestarted)]
    assert done.system.letters.count() == 0


def test_tries_of_a_scheduled_run() -> None:
    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "ஒன்று", {"every": 100, "தடவை": 3, "பின்வாங்கு": 2} {
            n = அணு_கூட்டு(எண்1, 1);
            அச்சு n;
            (n != 5) எனில் { பிழை_எழுப்பு("x", "y"); }
        }
        """, seconds=300)  # fmt: skip
    # 100 ✗, pause 1.8, ✗, pause 3.6, ✗ dead; 100 later ✗, pause 1.8, good
    assert done.lines == ["1", "2", "3", "4", "5"]
    assert failures(done) == [(100, 1, 1.8), (101.8, 2, 3.6), (105.4, 3, None), (205.4, 1, 1.8)]


def test_cron_in_the_default_zone() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று", {"cron": "31 5 * * *"} { அச்சு "ஓட்டம்"; }
        """, seconds=3 * 86400)  # fmt: skip
    assert len(done.lines) == 3  # the clock begins at 05:30 in Kolkata


def test_cron_in_another_zone() -> None:
    assert len(output_of("""
        பணி_உருவாக்கு "ஒன்று", {"cron": "*/10 * * * *", "tz": "UTC"} { அச்சு "ஓட்டம்"; }
        """, seconds=3605)) == 6  # fmt: skip


def test_a_cron_run_that_takes_longer_than_its_period_is_not_made_up() -> None:
    assert len(output_of("""
        பணி_உருவாக்கு "ஒன்று", {"cron": "* * * * *"} { அச்சு "ஓட்டம்"; உறங்கு(150); }
        """, seconds=430, )) == 3  # fmt: skip
    # 60 … 210, 240 … 390, 420


def test_an_old_interval_is_a_job() -> None:
    done = ran("""
        இடைவெளி 10 { அச்சு "ஓட்டம்"; உறங்கு(5); (பொய்) எனில் { அச்சு 1; } }
        இடைவெளி 20 { பிழை_எழுப்பு("x", "y"); }
        """, seconds=56)  # fmt: skip
    assert len(done.lines) == 4
    assert [time for time, _, _ in failures(done)] == [20, 40]


def test_old_intervals_in_one_line() -> None:
    assert sorted(output_of('இடைவெளி 10 { அச்சு "அ"; } இடைவெளி 10 { அச்சு "ஆ"; }', seconds=15)) == ["அ", "ஆ"]


# ---- consuming a channel --------------------------------------------------------------


def test_one_run_for_each_message() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"சேனல்": சே} { அச்சு செய்தி.k; n = n + 1; அச்சு n; }
        n = 0;
        ஒவ்வொரு k இல் ["a", "b"] { சேனல்_அனுப்பு(சே, {"k": k}); }
        """) == ["a", "1", "b", "1"]  # fmt: skip


def test_instances_take_side_by_side() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "instances": 3} { உறங்கு(10); அச்சு செய்தி; }
        ஒவ்வொரு k இல் [1, 2, 3, 4, 5, 6, 7] { சேனல்_அனுப்பு(சே, k); }
        """, seconds=21)  # fmt: skip
    assert sorted(done.lines[:6]) == ["1", "2", "3", "4", "5", "6"]
    assert len(done.lines) == 7  # the seventh had its time to finish


def test_a_message_is_tried_three_times_and_then_it_is_a_dead_letter() -> None:
    letters = []

    async def during(system: System) -> None:
        await trio.sleep(30)
        letters.extend(await system.letters.listed())

    done = ran("""
        சே = சேனல்_உருவாக்கு("அஞ்சல்");
        பணி_உருவாக்கு "ஒன்று", {"channel": சே} {
            அச்சு செய்தி;
            (செய்தி == "மோசம்") எனில் { பிழை_எழுப்பு("சொந்தம்", "ஆகாது"); }
        }
        சேனல்_அனுப்பு(சே, "மோசம்");
        சேனல்_அனுப்பு(சே, "நன்று");
        """, during=during)  # fmt: skip
    assert done.lines == ["மோசம்", "நன்று", "மோசம்", "மோசம்"]
    assert failures(done) == [(0, 1, 0.9), (0.9, 2, 1.8), (2.7, 3, None)]
    (letter,) = letters
    assert (letter.channel, letter.value, letter.code, letter.tries) == ("அஞ்சல்", "மோசம்", "சொந்தம்", 3)
    assert "ஆகாது" in letter.tamil
    assert letter.trace
    assert letter.trace[0].startswith("சோதனை.qmz:5:")
    assert not done.crashes


def test_tries_and_pauses_of_a_message() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "attempts": 5, "backoff": 40} { பிழை_எழுப்பு("x", "y"); }
        சேனல்_அனுப்பு(சே, 1);
        """, seconds=400)  # fmt: skip
    assert [delay for _, _, delay in failures(done)] == [36, 54, 54, 54, None]


def test_the_channel_says_how_many_tries_where_the_job_does_not() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு({"attempts": 2});
        பணி_உருவாக்கு "ஒன்று", {"channel": சே} { பிழை_எழுப்பு("x", "y"); }
        சேனல்_அனுப்பு(சே, 1);
        """)  # fmt: skip
    assert [attempt for _, attempt, _ in failures(done)] == [1, 2]


def test_answers_of_validation_are_failures_of_a_job_too() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "attempts": 1} { பிழை_எழுப்பு("validation", "y"); }
        சேனல்_அனுப்பு(சே, 1);
        """)  # fmt: skip
    assert failures(done) == [(0, 1, None)]
    assert done.system.letters.count() == 1


def test_messages_that_wait_are_handled_while_one_is_tried_again() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "backoff": 10} {
            (செய்தி == 1) எனில் { (அணு_கூட்டு(எண்1, 1) == 1) எனில் { பிழை_எழுப்பு("x", "y"); } }
            அச்சு செய்தி;
        }
        ஒவ்வொரு k இல் [1, 2, 3] { சேனல்_அனுப்பு(சே, k); }
        """) == ["2", "3", "1"]  # fmt: skip


def test_a_consuming_job_is_there_after_its_channel_was_closed() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே} { அச்சு செய்தி; }
        சேனல்_அனுப்பு(சே, 1);
        சேனல்_மூடு(சே);
        """, seconds=100)  # fmt: skip
    assert done.lines == ["1"]
    assert not [event for event in done.events if isinstance(event, ActorRestarted)]


def test_a_message_that_another_activity_took_and_lost_comes_to_the_job() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "மற்றது", {"restart": "temporary"} { x = சேனல்_பெறு(சே); உறங்கு(1); சேனல்_மறு(சே); }
        பணி_உருவாக்கு "அனுப்பு" { சேனல்_அனுப்பு(சே, 5); உறங்கு(0.5); அணு_இடு(ஓட்டம், மெய்); }
        ஓட்டம் = அணு_உருவாக்கு(பொய்);
        பணி_உருவாக்கு "வாங்கு" { உறங்கு(0.5); அச்சு சேனல்_பெறு(சே, {"timeout": 5}); }
        """) == ["5"]  # fmt: skip


# ---- time limits, one at a time -------------------------------------------------------


def test_a_try_that_takes_too_long_has_failed() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "காலவரம்பு": 2, "attempts": 2} {
            முயல் { உறங்கு(100); } பிழை(e) { அச்சு "பிடிபட்டது"; } இறுதியில் { அச்சு "இறுதி"; }
        }
        சேனல்_அனுப்பு(சே, 1);
        """)  # fmt: skip
    assert done.lines == ["இறுதி", "இறுதி"]
    assert failures(done) == [(2, 1, 0.9), (4.9, 2, None)]
    letters = [event.problem.code for event in done.events if isinstance(event, RunFailed)]
    assert letters == ["timeout", "timeout"]


def test_a_job_that_runs_once_and_takes_too_long_is_started_again() -> None:
    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "ஒன்று", {"timeout": 2} {
            (அணு_கூட்டு(எண்1, 1) == 1) எனில் { உறங்கு(100); }
            அச்சு "முடிந்தது";
        }
        """)  # fmt: skip
    assert done.lines == ["முடிந்தது"]
    assert [code for _, code in done.crashes] == ["timeout"]


def test_a_computation_without_an_end_is_ended_too() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று", {"restart": "temporary"} {
            உறங்கு(1);
            முயல் { (மெய்) சுற்று { x = 1; } } பிழை(e) { அச்சு "வரக்கூடாது"; }
        }
        பணி_உருவாக்கு "இரண்டு" { உறங்கு(5); அச்சு "ஓடுகிறேன்"; }
        """, limit=0.3, seconds=10)  # fmt: skip
    assert done.lines == ["ஓடுகிறேன்"]
    assert [code for _, code in done.crashes] == ["budget.time"]


def test_what_a_try_had_when_its_time_was_over_is_given_back() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பூ = பூட்டு_உருவாக்கு("ப");
        சேனல்_அனுப்பு(சே, 1);
        பணி துணை() { முயல் { உறங்கு(100); } இறுதியில் { அச்சு "துணை இறுதி"; } }
        பணி_உருவாக்கு "வே", {"timeout": 2, "restart": "temporary"} {
            பணி_தொடங்கு(துணை);
            m = சேனல்_பெறு(சே);
            பூட்டு_பிடி(பூ) { உறங்கு(100); }
        }
        பணி_உருவாக்கு "பின்", {"every": 5} {
            அச்சு சேனல்_நீளம்(சே);
            பூட்டு_பிடி(பூ, {"timeout": 1}) { அச்சு "பூட்டு"; }
            வெளியேறு(0);
        }
        """)  # fmt: skip
    assert done.lines == ["துணை இறுதி", "1", "பூட்டு"]


def test_a_singleton_runs_one_at_a_time() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "instances": 3, "தனி": மெய்} { அச்சு "+"; உறங்கு(1); அச்சு "-"; }
        ஒவ்வொரு k இல் [1, 2, 3, 4] { சேனல்_அனுப்பு(சே, k); }
        """) == ["+", "-"] * 4  # fmt: skip


def test_the_wait_for_the_turn_of_a_singleton_is_no_part_of_the_try() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "instances": 3, "singleton": மெய், "timeout": 3} {
            உறங்கு(2);
            அச்சு செய்தி;
        }
        ஒவ்வொரு k இல் [1, 2, 3] { சேனல்_அனுப்பு(சே, k); }
        """)  # fmt: skip
    assert sorted(done.lines) == ["1", "2", "3"]
    assert not failures(done)


def test_a_singleton_and_a_lock_of_that_name_are_two_things() -> None:
    assert output_of("""
        பூ = பூட்டு_உருவாக்கு("பணி ஒன்று");
        பணி_உருவாக்கு "ஒன்று", {"singleton": மெய்} { பூட்டு_பிடி(பூ, {"timeout": 5}) { அச்சு "பிடித்தது"; } }
        """) == ["பிடித்தது"]  # fmt: skip


def test_singletons_of_two_services_that_have_one_name_are_two_jobs() -> None:
    program = 'பணி_உருவாக்கு "ஒன்று", {"singleton": மெய்} { அச்சு "+"; உறங்கு(1); அச்சு "-"; }'
    done = ran(program, program)
    assert done.lines == ["+", "+", "-", "-"]


# ---- ends -----------------------------------------------------------------------------


def test_a_run_has_ten_seconds_to_finish_at_shutdown() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று" { உறங்கு(14); அச்சு "முடிந்தது"; }
        நிறுத்தும்போது { அச்சு "நிறுத்தம்"; }
        """, seconds=5)  # fmt: skip
    assert done.lines == ["முடிந்தது", "நிறுத்தம்"]
    assert done.ended == pytest.approx(14)


def test_a_run_that_takes_longer_is_cut_and_cleans_up() -> None:
    done = ran("""
        பணி_உருவாக்கு "ஒன்று", {"நிறுத்து_நேரம்": 2} {
            முயல் { உறங்கு(100); அச்சு "வரக்கூடாது"; } பிழை(e) { அச்சு e; } இறுதியில் { உறங்கு(1); அச்சு "இறுதி"; }
        }
        """, seconds=5)  # fmt: skip
    assert done.lines == ["இறுதி"]
    assert done.ended == pytest.approx(8)


def test_a_job_that_waits_for_its_time_ends_at_once() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "அ1", {"every": 100} { அச்சு 1; }
        பணி_உருவாக்கு "அ2", {"cron": "0 0 * * *"} { அச்சு 1; }
        பணி_உருவாக்கு "அ3", {"channel": சே} { அச்சு 1; }
        பணி_உருவாக்கு "அ4" { பிழை_எழுப்பு("x", "y"); }
        """, seconds=5)  # fmt: skip
    assert done.lines == []
    assert done.ended == pytest.approx(5)


def test_a_consuming_job_takes_no_more_at_shutdown() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு("அஞ்சல்");
        பணி_உருவாக்கு "ஒன்று", {"channel": சே} { உறங்கு(3); அச்சு செய்தி; }
        ஒவ்வொரு k இல் [1, 2, 3] { சேனல்_அனுப்பு(சே, k); }
        """, seconds=1)  # fmt: skip
    assert done.lines == ["1"]
    assert done.ended == pytest.approx(3)


def test_a_message_whose_run_was_cut_is_not_lost_in_silence() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு("அஞ்சல்");
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "shutdown": 0} { உறங்கு(30); }
        சேனல்_அனுப்பு(சே, 1);
        """, seconds=1)  # fmt: skip
    assert done.ended == pytest.approx(1)
    channel = done.system.channels.find("அஞ்சல்")
    assert channel is not None
    assert channel.pending + done.system.letters.count() == 1


# ---- structure ------------------------------------------------------------------------


def test_the_error_of_a_child_is_the_runs() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        பணி விழு() { பிழை_எழுப்பு("குழந்தை", "y"); }
        பணி_உருவாக்கு "ஒன்று", {"channel": சே, "attempts": 2} { பணி_தொடங்கு(விழு); உறங்கு(1); அச்சு "முடிவு"; }
        சேனல்_அனுப்பு(சே, 1);
        """)  # fmt: skip
    assert [event.problem.code for event in done.events if isinstance(event, RunFailed)] == ["குழந்தை"] * 2


def test_children_end_with_the_run() -> None:
    assert output_of("""
        பணி துணை() { உறங்கு(5); அச்சு "வரக்கூடாது"; }
        பணி_உருவாக்கு "ஒன்று" { பணி_தொடங்கு(துணை); உறங்கு(1); அச்சு "முடிந்தது"; }
        """) == ["முடிந்தது"]  # fmt: skip


def test_a_message_taken_by_a_run_that_fails_is_given_back() -> None:
    done = ran("""
        சே = சேனல்_உருவாக்கு();
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "ஒன்று" {
            ஒவ்வொரு m இல் சே {
                அச்சு m;
                (அணு_கூட்டு(எண்1, 1) == 2) எனில் { பிழை_எழுப்பு("x", "y"); }
            }
        }
        ஒவ்வொரு k இல் [1, 2, 3] { சேனல்_அனுப்பு(சே, k); }
        """)  # fmt: skip
    assert done.lines == ["1", "2", "2", "3"]


# ---- one-time jobs --------------------------------------------------------------------


def test_a_job_in_a_job_outlives_it_and_has_copies() -> None:
    assert output_of("""
        g = 1;
        பணி_உருவாக்கு "வெளிப்பணி" {
            g = 2;
            n = [1];
            பணி_உருவாக்கு "உட்பணி" { உறங்கு(5); அச்சு [g, n, h]; n[0] = 9; g = 8; }
            n[0] = 5;
            g = 3;
            h = 7;
            உறங்கு(1);
            அச்சு "வெளி " & g;
        }
        """)[0] == "வெளி 3"  # fmt: skip


def test_captured_locals_are_those_of_the_moment() -> None:
    assert output_of("""
        செயல் தொடங்கு(n) {
            க = [n];
            h = பணி_உருவாக்கு("உட்பணி") { உறங்கு(1); திரும்பு [n, க]; };
            க[0] = 99;
            n = 98;
            திரும்பு h;
        }
        பணி_உருவாக்கு "வே" { அச்சு பணி_காத்திரு(தொடங்கு(5)); }
        """) == ["[5, [5]]"]  # fmt: skip


def test_a_one_time_job_outlives_everything_that_can_start_one() -> None:
    done = ran("""
        முகவர் அ() { செய்தி தொடங்கு(n) { பணி_உருவாக்கு "முகவரில்" { உறங்கு(5); அச்சு "முகவர் " & n; } } }
        x = அ();
        செயல் செயலில்(n) { பணி_உருவாக்கு "செயலில்" { உறங்கு(5); அச்சு "செயல் " & n; } }
        பணி பணியில்(n) { பணி_உருவாக்கு "பணியில்" { உறங்கு(5); அச்சு "பணி " & n; } }
        பணி_உருவாக்கு "வே" {
            x.தொடங்கு(1);
            முகவர்_நிறுத்து(x);
            செயலில்(2);
            t = பணி_தொடங்கு(பணியில், 3);
            பணி_காத்திரு(t);
            f = செயல்(n) { பணி_உருவாக்கு "அநாமதேய" { உறங்கு(5); அச்சு "லாம்டா " & n; } };
            f(4);
        }
        """)  # fmt: skip
    assert sorted(done.lines) == ["செயல் 2", "பணி 3", "முகவர் 1", "லாம்டா 4"]


def test_a_one_time_job_in_the_prelude_through_a_function() -> None:
    assert output_of("""
        செயல் தொடங்கு() { திரும்பு பணி_உருவாக்கு("உட்பணி") { உறங்கு(2); அச்சு g; திரும்பு 7; }; }
        g = 4;
        h = தொடங்கு();
        g = 5;
        அச்சு பணி_காத்திரு(h);
        பணி_உருவாக்கு "வே" { அச்சு பணி_காத்திரு(h); }
        """) == ["4", "7", "7"]  # fmt: skip


def test_the_words_of_tasks_take_its_handle() -> None:
    assert output_of("""
        பணி_உருவாக்கு "வே" {
            h = பணி_உருவாக்கு("உட்பணி") { உறங்கு(5); திரும்பு 7; };
            அச்சு [வகை(h), h, பணி_நிலை(h), h == h];
            முயல் { பணி_காத்திரு(h, 2); } பிழை(e) { அச்சு e.code; }
            அச்சு [பணி_காத்திரு(h), பணி_காத்திரு(h), பணி_நிலை(h)];
            k = பணி_உருவாக்கு("இன்னொன்று") { முயல் { உறங்கு(50); } இறுதியில் { அச்சு "இறுதி"; } };
            உறங்கு(1);
            பணி_நிறுத்து(k);
            அச்சு பணி_நிலை(k);
            முயல் { பணி_காத்திரு(k); } பிழை(e) { அச்சு e.code; }
        }
        """) == [
        "[a job, <பணி உட்பணி>, ஓடுகிறது, true]",
        "timeout",
        "[7, 7, முடிந்தது]",
        "இறுதி",
        "நிறுத்தப்பட்டது",
        "cancelled",
    ]  # fmt: skip


def test_a_one_time_job_is_tried_three_times_and_then_awaiting_it_raises() -> None:
    letters = []

    async def during(system: System) -> None:
        await trio.sleep(30)
        letters.extend(await system.letters.listed())

    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "வே" {
            h = பணி_உருவாக்கு("உட்பணி") { அணு_கூட்டு(எண்1, 1); பிழை_எழுப்பு("சொந்தம்", "y"); };
            முயல் { பணி_காத்திரு(h); } பிழை(e) { அச்சு e.code; }
            அச்சு [பணி_நிலை(h), அணு_படி(எண்1)];
        }
        """, during=during)  # fmt: skip
    assert done.lines == ["சொந்தம்", "[பிழை, 3]"]
    assert failures(done) == [(0, 1, 0.9), (0.9, 2, 1.8), (2.7, 3, None)]
    (letter,) = letters
    assert (letter.channel, letter.code, letter.tries) == ("பணி உட்பணி", "சொந்தம்", 3)
    assert letter.trace


def test_a_try_begins_with_what_the_job_had_captured() -> None:
    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        g = 1;
        பணி_உருவாக்கு "வே" {
            v = [1];
            g = 2;
            h = பணி_உருவாக்கு("உட்பணி", {"attempts": 2, "backoff": 0}) {
                அச்சு [v, g];
                v[0] = 99;
                g = 99;
                (அணு_கூட்டு(எண்1, 1) == 1) எனில் { பிழை_எழுப்பு("x", "y"); }
            };
            பணி_காத்திரு(h);
        }
        """)  # fmt: skip
    assert done.lines == ["[[1], 2]", "[[1], 2]"]


def test_a_one_time_job_is_cancelled_between_two_tries() -> None:
    assert output_of("""
        பணி_உருவாக்கு "வே" {
            h = பணி_உருவாக்கு("உட்பணி", {"backoff": 50}) { பிழை_எழுப்பு("x", "y"); };
            உறங்கு(1);
            அச்சு பணி_நிலை(h);
            பணி_நிறுத்து(h);
            அச்சு பணி_நிலை(h);
        }
        """, seconds=3) == ["ஓடுகிறது", "நிறுத்தப்பட்டது"]  # fmt: skip


def test_a_handle_is_sent_to_another_job() -> None:
    assert output_of("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "வே" {
            h = பணி_உருவாக்கு("உட்பணி") { உறங்கு(2); திரும்பு 5; };
            சேனல்_அனுப்பு(சே, [h]);
        }
        பணி_உருவாக்கு "பெறு" { r = சேனல்_பெறு(சே); அச்சு பணி_காத்திரு(r[0]); அச்சு ஜேசான்_ஆக்கு(r); }
        """) == ["5", "[null]"]  # fmt: skip


def test_dead_jobs_are_requeued_and_dropped() -> None:
    async def during(system: System) -> None:
        await trio.sleep(10)
        first, second = await system.letters.listed()
        assert await system.letters.drop(first.number)
        assert await system.letters.requeue(second.number)
        assert await system.letters.listed() == []
        assert not await system.letters.requeue(second.number)
        assert not await system.letters.drop(99)
        await trio.sleep(10)
        assert len(await system.letters.listed()) == 0

    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        செயல் தொடங்கு(n) {
            பணி_உருவாக்கு "உட்பணி", {"attempts": 1} {
                (அணு_கூட்டு(எண்1, 1) <= 2) எனில் { பிழை_எழுப்பு("x", "y"); }
                அச்சு "மீண்டும் " & n;
            }
        }
        பணி_உருவாக்கு "வே" { தொடங்கு(1); உறங்கு(1); தொடங்கு(2); }
        """, during=during)  # fmt: skip
    assert done.lines == ["மீண்டும் 2"]


def test_dead_messages_are_requeued() -> None:
    async def during(system: System) -> None:
        await trio.sleep(10)
        (letter,) = await system.letters.listed("அஞ்சல்")
        assert await system.letters.requeue(letter.number)
        await trio.sleep(10)

    done = ran("""
        எண்1 = அணு_உருவாக்கு(0);
        சே = சேனல்_உருவாக்கு("அஞ்சல்");
        பணி_உருவாக்கு "வே", {"channel": சே, "attempts": 1} {
            (அணு_கூட்டு(எண்1, 1) == 1) எனில் { பிழை_எழுப்பு("x", "y"); }
            அச்சு "மீண்டும் " & செய்தி;
        }
        சேனல்_அனுப்பு(சே, 5);
        """, during=during)  # fmt: skip
    assert done.lines == ["மீண்டும் 5"]


@pytest.mark.parametrize(
    "options",
    ['{"every": வ(5)}', '{"cron": வ("* * * * *")}', '{"channel": வ(சே)}', '{"instances": வ(2)}', 'வ({"இடைநேரம்": 5})'],
)
def test_what_is_for_declared_jobs_only_is_refused_inside(options: str) -> None:
    program = f"""
        செயல் வ(x) {{ திரும்பு x; }}
        சே = சேனல்_உருவாக்கு();
        விருப்பங்கள் = {options};
        பணி_உருவாக்கு "வே" {{
            முயல் {{ h = பணி_உருவாக்கு("உட்பணி", விருப்பங்கள்) {{ அச்சு "வரக்கூடாது"; }}; }} பிழை(e) {{ அச்சு e.code; }}
        }}
        """
    assert output_of(program) == ["value.invalid"]


def test_a_running_one_time_job_has_its_time_at_shutdown() -> None:
    done = ran("""
        செயல் தொடங்கு() { பணி_உருவாக்கு "உட்பணி" { உறங்கு(8); அச்சு "முடிந்தது"; } }
        பணி_உருவாக்கு "வே" { தொடங்கு(); }
        """, seconds=1)  # fmt: skip
    assert done.lines == ["முடிந்தது"]


def test_one_time_jobs_may_have_the_same_name() -> None:
    assert output_of("""
        செயல் தொடங்கு(n) { திரும்பு பணி_உருவாக்கு("ஒரே/பெயர்") { உறங்கு(1); திரும்பு n; }; }
        பணி_உருவாக்கு "வே" { அச்சு மாற்றியமை([தொடங்கு(1), தொடங்கு(2)], பணி_காத்திரு1); }
        செயல் பணி_காத்திரு1(h) { திரும்பு பணி_காத்திரு(h); }
        """) == ["[1, 2]"]  # fmt: skip


def test_what_the_body_returns_and_இது_in_it() -> None:
    assert output_of("""
        முகவர் அ() {
            n = 3;
            செய்தி தொடங்கு() { திரும்பு பணி_உருவாக்கு("உட்பணி") { உறங்கு(1); திரும்பு [n, இது.பார்()]; }; }
            செய்தி பார்() { n = n + 1; திரும்பு n; }
        }
        x = அ();
        h = x.தொடங்கு();
        x.பார்();
        அச்சு பணி_காத்திரு(h);
        """) == ["[3, 5]"]  # fmt: skip


def test_a_one_time_job_that_asks_for_the_end() -> None:
    done = ran("""
        செயல் தொடங்கு() { பணி_உருவாக்கு "உட்பணி" { உறங்கு(1); வெளியேறு(6); } }
        பணி_உருவாக்கு "வே" { தொடங்கு(); }
        """)  # fmt: skip
    assert done.status == 6


def test_a_thousand_one_time_jobs() -> None:
    assert output_of("""
        எண்1 = அணு_உருவாக்கு(0);
        பணி_உருவாக்கு "வே" {
            i = 0;
            (i < 1000) சுற்று { h = பணி_உருவாக்கு("உட்பணி") { உறங்கு(1); அணு_கூட்டு(எண்1, 1); }; i = i + 1; }
            பணி_காத்திரு(h);
            உறங்கு(1);
            அச்சு அணு_படி(எண்1);
        }
        """) == ["1000"]  # fmt: skip


# ---- declared jobs as values ----------------------------------------------------------


def test_a_declared_job_as_an_expression() -> None:
    assert output_of("""
        h = பணி_உருவாக்கு("ஒன்று") { உறங்கு(3); திரும்பு 7; };
        அச்சு [வகை(h), h];
        பணி_உருவாக்கு "வே" {
            அச்சு பணி_நிலை(h);
            அச்சு பணி_காத்திரு(h, 10);
            அச்சு பணி_நிலை(h);
        }
        """) == ["[a job, <பணி ஒன்று>]", "ஓடுகிறது", "7", "முடிந்தது"]  # fmt: skip


def test_a_declared_job_is_stopped_by_its_handle() -> None:
    done = ran("""
        h = பணி_உருவாக்கு("ஒன்று", {"every": 1}) { அச்சு "ஓட்டம்"; };
        பணி_உருவாக்கு "வே" { உறங்கு(2.5); பணி_நிறுத்து(h); அச்சு பணி_நிலை(h); }
        """, seconds=10)  # fmt: skip
    assert done.lines == ["ஓட்டம்", "ஓட்டம்", "நிறுத்தப்பட்டது"]


def test_waiting_for_a_job_that_was_declared_and_failed() -> None:
    done = ran("""
        h = பணி_உருவாக்கு("ஒன்று", {"restart": "temporary"}) { பிழை_எழுப்பு("சொந்தம்", "y"); };
        பணி_உருவாக்கு "வே" { முயல் { பணி_காத்திரு(h, 10); } பிழை(e) { அச்சு e.code; } அச்சு பணி_நிலை(h); }
        """)  # fmt: skip
    assert done.lines == ["சொந்தம்", "பிழை"]


# ---- as a script ----------------------------------------------------------------------


def test_a_script_ends_when_its_one_time_jobs_are_done() -> None:
    done = run_program("""
        செயல் தொடங்கு(n) { பணி_உருவாக்கு "உட்பணி" { உறங்கு(n); அச்சு n; } }
        தொடங்கு(5);
        தொடங்கு(20);
        பணி_உருவாக்கு "அறிவித்தது" { அச்சு "வரக்கூடாது"; }
        முகவர் அ() { செய்தி பார்() { திரும்பு 1; } }
        x = அ();
        அச்சு "மேல்";
        """, as_script=True, seconds=1000)  # fmt: skip
    assert done.problem is None
    assert done.lines == ["மேல்", "5", "20"]
    assert done.time == pytest.approx(20)
    assert done.status == 0
