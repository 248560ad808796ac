"""Caches as programs use them, in memory and in Redis (EXTENSIONS §10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import trio

from etamil_actors.actors.caches.base import CacheFacts
from etamil_actors.actors.caches.memory import ENTRY_BYTES, MemoryCache, weigh
from etamil_actors.actors.caches.shared import CLAIM_SECONDS, PATIENCE
from etamil_actors.actors.programs.keeper import Told
from etamil_actors.actors.programs.system import System
from etamil_actors.actors.programs.world import Ports
from etamil_actors.language.builtins import BUILTIN_OF
from etamil_actors.resources.redis.simulated import SimulatedRedisServers, SimulatedServer
from etamil_actors.resources.system import SimulatedFiles
from etamil_actors.simulation import Plan, simulate
from etamil_actors.testing import FaultKinds, load
from tests.programs.running import Result, failure_of, output_of, run_program

MEMORY = 'க = கேச்_உருவாக்கு({"name": "க"%s});'
REDIS = 'க = கேச்_உருவாக்கு({"name": "க", "url": "redis://r.example/3"%s});'


@pytest.fixture(params=[MEMORY, REDIS], ids=["memory", "redis"])
def made(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Makes a cache in a program, in both places, with more options."""
    return lambda more="": request.param % more  # type: ignore[misc]


def with_servers(servers: SimulatedRedisServers) -> Callable[[Ports], Ports]:
    """A world in which these are the servers."""
    return lambda ports: replace(ports, redis=servers)


def facts_after(text: str) -> tuple[str, CacheFacts]:
    """The name of the one cache that a program has, and how it was used."""
    found: list[tuple[str, CacheFacts]] = []

    async def during(system: System) -> None:
        found.extend((cache.name, cache.facts()) for cache in system.caches)

    kept = 'பணி_உருவாக்கு "வைத்திரு" { x = க; }'
    assert run_program(text + kept, during=during).problem is None
    (only,) = found
    return only


# ---- keeping and finding -------------------------------------------------------------------


def test_what_is_kept_is_found(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    அச்சு கேச்_பெறு(க, "அ"); அச்சு கேச்_பெறு(க, "அ", "இல்லை");
    கேச்_அமை(க, "அ", {{"விலை": 1.50, "பட்டியல்": [1, "இரு", மெய், இன்மை]}});
    அச்சு கேச்_பெறு(க, "அ"); அச்சு கேச்_பெறு(க, "அ", "இல்லை");
    கேச்_அமை(க, "அ", "வேறு"); அச்சு கேச்_பெறு(க, "அ");
    அச்சு கேச்_நீக்கு(க, "அ"); அச்சு கேச்_நீக்கு(க, "அ"); அச்சு கேச்_பெறு(க, "அ");
    """
    whole = "{பட்டியல்: [1, இரு, true, nil], விலை: 1.5}"
    assert output_of(text) == ["nil", "இல்லை", whole, whole, "வேறு", "true", "false", "nil"]


def test_nothing_is_a_value_too(made: Callable[..., str]) -> None:
    text = f"""
    {made()} எண்ணி = அணு_உருவாக்கு(0);
    கேச்_அமை(க, "அ", இன்மை); அச்சு கேச்_பெறு(க, "அ", "இல்லை");
    x = கேச்_கணக்கிடு(க, "அ") {{ y = 5; }}; அச்சு x;
    """
    assert output_of(text) == ["nil", "nil"]


def test_a_key_is_a_text(made: Callable[..., str]) -> None:
    text = f"""
    {made()} கேச்_அமை(க, 12, "பன்னிரண்டு"); அச்சு கேச்_பெறு(க, "12"); அச்சு கேச்_பெறு(க, 12.0);
    x = கேச்_கணக்கிடு(க, 12) {{ y = "வேறு"; }}; அச்சு x; x = கேச்_கணக்கிடு(க, 13) {{ y = "பதின்மூன்று"; }};
    அச்சு கேச்_பெறு(க, "13"); அச்சு கேச்_நீக்கு(க, 13);
    """
    assert output_of(text) == ["பன்னிரண்டு", "பன்னிரண்டு", "பன்னிரண்டு", "பதின்மூன்று", "true"]


def test_everything_can_be_forgotten(made: Callable[..., str]) -> None:
    text = f"""
    {made()} ஒவ்வொரு i இல் [1, 2, 3] {{ கேச்_அமை(க, i, i); }}
    கேச்_காலி(க); அச்சு கேச்_பெறு(க, 1); கேச்_அமை(க, 1, "புதிது"); அச்சு கேச்_பெறு(க, 1);
    """
    assert output_of(text) == ["nil", "புதிது"]


def test_values_live_as_long_as_is_said(made: Callable[..., str]) -> None:
    text = f"""
    {made(', "ttl": 10')}
    கேச்_அமை(க, "பத்து", 1); கேச்_அமை(க, "மூன்று", 1, 3); கேச்_அமை(க, "இருபது", 1, 20); கேச்_அமை(க, "சுழி", 1, 0);
    செயல் இருப்பவை() {{
        அச்சு [கேச்_பெறு(க, "பத்து"), கேச்_பெறு(க, "மூன்று"), கேச்_பெறு(க, "இருபது"), கேச்_பெறு(க, "சுழி")];
    }}
    இருப்பவை(); உறங்கு(2.9); இருப்பவை(); உறங்கு(0.2); இருப்பவை(); உறங்கு(7); இருப்பவை(); உறங்கு(20); இருப்பவை();
    """
    assert output_of(text, seconds=200) == [
        "[1, 1, 1, nil]",
        "[1, 1, 1, nil]",
        "[1, nil, 1, nil]",
        "[nil, nil, 1, nil]",
        "[nil, nil, nil, nil]",
    ]


def test_a_time_of_zero_forgets_what_was_there(made: Callable[..., str]) -> None:
    text = f"""{made()} கேச்_அமை(க, "அ", 1); கேச்_அமை(க, "அ", 2, 0); அச்சு கேச்_பெறு(க, "அ");"""
    assert output_of(text) == ["nil"]


def test_writing_again_begins_the_time_anew(made: Callable[..., str]) -> None:
    text = f"""
    {made(', "ttl": 10')} கேச்_அமை(க, "அ", 1); உறங்கு(8); கேச்_அமை(க, "அ", 2); உறங்கு(8); அச்சு கேச்_பெறு(க, "அ");
    """
    assert output_of(text) == ["2"]


def test_every_spelling_means_the_same() -> None:
    def all_of(key: str) -> list[str]:
        return [name for name, row in BUILTIN_OF.items() if row.english == key]

    makers, setters = all_of("_cache"), all_of("_cacheSet")
    assert {"கேச்_உருவாக்கு", "_cache"} <= set(makers) and {"கேச்_அமை", "கேச்_நிர்ணய"} <= set(setters)
    for maker in makers:
        for setter in setters:
            assert output_of(f'க = {maker}(); {setter}(க, "அ", 7); அச்சு _cacheGet(க, "அ");') == ["7"]
    for getter in all_of("_cacheGet"):
        assert output_of(f'க = _cache(); அச்சு {getter}(க, "அ", 4);') == ["4"]
    for word in all_of("_cacheDelete"):
        assert output_of(f'க = _cache(); அச்சு {word}(க, "அ");') == ["false"]
    for word in all_of("_cacheClear"):
        assert output_of(f'க = _cache(); _cacheSet(க, "அ", 1); {word}(க); அச்சு _cacheGet(க, "அ");') == ["nil"]
    for word in all_of("_cacheCompute"):
        assert output_of(f'க = _cache(); x = {word}(க, "அ") {{ y = 3; }}; அச்சு x;') == ["3"]


def test_what_a_cache_is() -> None:
    assert output_of('க = கேச்_உருவாக்கு({"name": "விலைகள்"}); அச்சு க; அச்சு வகை(க);') == ["<கேச் விலைகள்>", "a cache"]
    assert output_of("அச்சு கேச்_உருவாக்கு();") == ["<கேச் கேச்#1>"]


@pytest.mark.parametrize(
    ("text", "code", "english"),
    [
        ("கேச்_பெறு(5, 1);", "value.kind", "wants a cache"),
        ("கேச்_அமை(5, 1, 1);", "value.kind", "a handle"),
        ("கேச்_கணக்கிடு(5, 1) { y = 1; };", "value.kind", "wants a cache"),
        ('கேச்_பெறு(பூட்டு_உருவாக்கு(), 1);', "value.kind", "wants a cache"),
        ('கேச்_அமை(பூட்டு_உருவாக்கு(), 1, 1);', "value.kind", "wants a cache"),
        ('கேச்_கணக்கிடு(பூட்டு_உருவாக்கு(), 1) { y = 1; };', "value.kind", "wants a cache"),
        ('o = {"max_size": 0}; கேச்_உருவாக்கு(o);', "value.invalid", "at least 1"),
        ('o = {"ttl": -1}; கேச்_உருவாக்கு(o);', "value.invalid", "below zero"),
        ('o = {"ttl": "x"}; கேச்_உருவாக்கு(o);', "value.kind", "seconds"),
        ('o = {"size": 1}; கேச்_உருவாக்கு(o);', "option.unknown", "size"),
        ('o = {"url": "http://x"}; கேச்_உருவாக்கு(o);', "config", "redis://"),
        ('கேச்_அமை(கேச்_உருவாக்கு(), 1, 1, -1);', "value.invalid", "negative"),
    ],
)
def test_what_cannot_be(text: str, code: str, english: str) -> None:
    fault = failure_of(text)
    assert fault.code == code
    assert english in fault.english


def test_a_cache_in_redis_that_is_made_in_an_activity_has_a_name() -> None:
    text = """
    செயல் கேள்(விருப்பங்கள்) {
        முயல் { க = கேச்_உருவாக்கு(விருப்பங்கள்); } பிழை(e) { திரும்பு e.message; }
        ம = கேச்_பெறு(க, "அ", "இல்லை");
        கேச்_அமை(க, "அ", "உண்டு");
        திரும்பு ம;
    }
    அச்சு கேள்({"url": "redis://r.example/3"});
    இடைவெளி 5 {
        அச்சு கேள்({"url": "redis://r.example/3"});
        அச்சு கேள்({"url": "redis://r.example/3", "name": "ப"});
        அச்சு கேள்({"url": "redis://r.example/3", "name": "ப"});
        அச்சு கேள்({"url": இன்மை});
    }
    """
    first, refused, *others = run_program(text, seconds=6).lines
    assert "needs a name" in refused and 'write {"name": "prices", "url": …}' in refused
    assert [first, *others] == ["இல்லை", "இல்லை", "உண்டு", "இல்லை"]


# ---- nobody changes another's value -----------------------------------------------------------


def test_a_kept_value_stays_what_it_was(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பட்டியல் = [1, 2]; x = {{"அ": பட்டியல்}}; கேச்_அமை(க, "x", x); கேச்_அமை(க, "ப", பட்டியல்);
    பட்டியல்[0] = 99; x.புதிது = 1;
    y = கேச்_பெறு(க, "x"); ஏ = y.அ; ஏ[1] = 77; y.அ = இணை(ஏ, 5); y.வேறு = 1;
    ப = கேச்_பெறு(க, "ப"); ப = இணை(ப, 3); ப[0] = 88;
    அச்சு கேச்_பெறு(க, "x"); அச்சு கேச்_பெறு(க, "ப"); அச்சு x; அச்சு y; அச்சு ப;
    """
    assert output_of(text) == [
        "{அ: [1, 2]}",
        "[1, 2]",
        "{அ: [1, 2], புதிது: 1}",
        "{அ: [1, 77, 5], வேறு: 1}",
        "[88, 2, 3]",
    ]


def test_those_who_waited_for_one_value_do_not_share_it(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பணி f(n) {{
        x = கேச்_கணக்கிடு(க, "x") {{ உறங்கு(1); y = [0, 0, 0, 0]; }};
        x[n] = n; உறங்கு(1); அச்சு x;
    }}
    இணையாக_மாற்று([1, 2, 3], f); அச்சு கேச்_பெறு(க, "x");
    """
    assert sorted(output_of(text)) == [
        "[0, 0, 0, 0]",
        "[0, 0, 0, 3]",
        "[0, 0, 2, 0]",
        "[0, 1, 0, 0]",
    ]


def test_a_value_outlives_the_cache_that_gave_it() -> None:
    text = """
    க = கேச்_உருவாக்கு({"max_size": 1});
    கேச்_அமை(க, "x", [1, 2, 3]); அ = கேச்_பெறு(க, "x"); ஆ = கேச்_பெறு(க, "x");
    கேச்_அமை(க, "y", 1); அ[0] = 9; அச்சு அ; அச்சு ஆ; அச்சு கேச்_பெறு(க, "x");
    """
    assert output_of(text) == ["[9, 2, 3]", "[1, 2, 3]", "nil"]


def test_a_function_in_memory_sees_the_variables_of_whoever_has_it() -> None:
    text = """
    க = கேச்_உருவாக்கு(); இலக்கம் = 1;
    செயல் என்ன() { திரும்பு இலக்கம்; }
    கேச்_அமை(க, "f", {"f": என்ன});
    பணி_உருவாக்கு "ஒன்று" { இலக்கம் = 5; x = கேச்_பெறு(க, "f"); அச்சு x.f(); }
    பணி_உருவாக்கு "இரண்டு" { இலக்கம் = 6; x = கேச்_பெறு(க, "f"); அச்சு x.f(); }
    x = கேச்_பெறு(க, "f"); அச்சு x.f();
    """
    assert sorted(output_of(text)) == ["1", "5", "6"]


def test_records_of_a_shape_cross_programs_as_plain_ones() -> None:
    first = """
    தரம் பொருள்_வகை { விலை: எண் };
    க = கேச்_உருவாக்கு(); சேவை_பதிவு("க", க); கேச்_அமை(க, "x", பொருள்_வகை { விலை: 5 }); அச்சு வகை(கேச்_பெறு(க, "x"));
    """
    second = 'உறங்கு(1); x = கேச்_பெறு(சேவை_பெறு("க"), "x"); அச்சு வகை(x); அச்சு x.விலை;'
    assert run_program(first, second, seconds=5).lines == ["பொருள்_வகை", "a record", "5"]


# ---- computing once ---------------------------------------------------------------------------


def test_many_ask_and_one_computes(made: Callable[..., str]) -> None:
    text = f"""
    {made()} எண்ணி = அணு_உருவாக்கு(0);
    பணி f(n) {{ x = கேச்_கணக்கிடு(க, "அ") {{ அணு_கூட்டு(எண்ணி, 1); உறங்கு(2); y = n; }}; அச்சு x; }}
    இணையாக_மாற்று([1, 2, 3, 4, 5], f); அச்சு அணு_படி(எண்ணி);
    x = கேச்_கணக்கிடு(க, "அ") {{ y = "மீண்டும்"; }}; அச்சு x; அச்சு கேச்_பெறு(க, "அ");
    """
    lines = output_of(text)
    assert len(set(lines[:5])) == 1
    assert lines[5:] == ["1", lines[0], lines[0]]


def test_keys_are_computed_side_by_side(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பணி f(n) {{ x = கேச்_கணக்கிடு(க, n) {{ உறங்கு(5); y = n; }}; }}
    இணையாக_மாற்று([1, 2, 3, 4, 5], f);
    """
    assert run_program(text, seconds=0).time == pytest.approx(5, abs=0.01)


def test_what_was_computed_lives_as_long_as_the_cache_says(made: Callable[..., str]) -> None:
    text = f"""
    {made(', "ttl": 10')}
    செயல் கேள்(n) {{ x = கேச்_கணக்கிடு(க, "அ") {{ y = n; }}; அச்சு x; }}
    கேள்(1); உறங்கு(9); கேள்(2); உறங்கு(2); கேள்(3);
    """
    assert output_of(text) == ["1", "1", "3"]


def test_an_error_reaches_everybody_and_is_not_kept(made: Callable[..., str]) -> None:
    text = f"""
    {made()} எண்ணி = அணு_உருவாக்கு(0);
    பணி f(n) {{
        முயல் {{ x = கேச்_கணக்கிடு(க, "அ") {{ அணு_கூட்டு(எண்ணி, 1); உறங்கு(1); y = 1 / 0; }}; }}
        பிழை(e) {{ அச்சு e.குறி & " " & e.வரி; }}
    }}
    இணையாக_மாற்று([1, 2, 3], f); அச்சு அணு_படி(எண்ணி);
    x = கேச்_கணக்கிடு(க, "அ") {{ y = "சரியானது"; }}; அச்சு x;
    """
    lines = output_of(text)
    assert [line.split()[0] for line in lines[:3]] == ["number.division_by_zero"] * 3
    assert lines[3:] == ["1", "சரியானது"]


def test_the_error_of_who_computes_keeps_its_whole_trace() -> None:
    text = """
    க = கேச்_உருவாக்கு();
    செயல் உள்ளே() { x = கேச்_கணக்கிடு(க, "அ") { y = 1 / 0; }; }
    செயல் வெளியே() { உள்ளே(); }
    வெளியே();
    """
    assert [frame.function for frame in failure_of(text).trace] == ["உள்ளே", "வெளியே", ""]


def test_a_failure_as_a_value_is_not_kept_either(made: Callable[..., str]) -> None:
    text = f"""
    {made()} எண்ணி = அணு_உருவாக்கு(0);
    பணி f(n) {{
        x = கேச்_கணக்கிடு(க, "அ") {{ அணு_கூட்டு(எண்ணி, 1); உறங்கு(1); y = தவறு("கிடைக்கவில்லை"); }}; அச்சு x;
    }}
    இணையாக_மாற்று([1, 2], f); அச்சு அணு_படி(எண்ணி); அச்சு கேச்_பெறு(க, "அ");
    """
    lines = output_of(text)
    assert lines[0] == lines[1] and "கிடைக்கவில்லை" in lines[0]
    assert lines[2:] == ["1", "nil"]


def test_when_who_computes_is_cancelled_the_next_one_does(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பணி f(n, நேரம்) {{
        முயல் {{
            காலவரம்பு(நேரம்) {{
                x = கேச்_கணக்கிடு(க, "அ") {{ அச்சு "கணக்கிடுவது " & n; உறங்கு(2); y = n; }}; அச்சு n & " பெற்றது " & x;
            }}
        }} பிழை(e) {{ அச்சு n & " " & e.குறி; }}
    }}
    அ = பணி_தொடங்கு(f, 1, 1); உறங்கு(0.1); ஆ = பணி_தொடங்கு(f, 2, 60); உறங்கு(0.1); இ = பணி_தொடங்கு(f, 3, 60);
    பணி_காத்திரு(அ); பணி_காத்திரு(ஆ); பணி_காத்திரு(இ);
    """
    assert output_of(text) == [
        "கணக்கிடுவது 1",
        "1 timeout",
        "கணக்கிடுவது 2",
        "2 பெற்றது 2",
        "3 பெற்றது 2",
    ]


def test_who_waits_and_is_cancelled_leaves_no_trace(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பணி f(n, நேரம்) {{
        முயல் {{ காலவரம்பு(நேரம்) {{ x = கேச்_கணக்கிடு(க, "அ") {{ உறங்கு(3); y = n; }}; அச்சு n & " " & x; }} }}
        பிழை(e) {{ அச்சு n & " " & e.குறி; }}
    }}
    அ = பணி_தொடங்கு(f, 1, 60); உறங்கு(0.1); ஆ = பணி_தொடங்கு(f, 2, 1); உறங்கு(0.1); இ = பணி_தொடங்கு(f, 3, 60);
    பணி_காத்திரு(அ); பணி_காத்திரு(ஆ); பணி_காத்திரு(இ);
    """
    assert output_of(text) == ["2 timeout", "1 1", "3 1"]


def test_who_cannot_use_what_was_written_meanwhile_holds_up_nobody() -> None:
    first = """
    க = கேச்_உருவாக்கு(); சேவை_பதிவு("க", க); செயல் என்ன() { திரும்பு 1; }
    செயல் விடு() { கேச்_கணக்கிடு(க, "x") { உறங்கு(2); கேச்_அமை(க, "x", என்ன); திரும்பு 1; } }
    பணி_உருவாக்கு "ஒன்று" { விடு(); }
    """
    asking = """
    பணி_உருவாக்கு "%s" {
        உறங்கு(1); முயல் { கேச்_கணக்கிடு(சேவை_பெறு("க"), "x") { y = 1; }; } பிழை(e) { அச்சு e.code; } உறங்கு(50);
    }
    """
    assert run_program(first, asking % "அ" + asking % "ஆ", seconds=5).lines == ["value.local"] * 2


def test_asking_for_what_one_computes_oneself_is_a_deadlock_and_is_said_so(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    முயல் {{ x = கேச்_கணக்கிடு(க, "அ") {{ y = கேச்_கணக்கிடு(க, "அ") {{ z = 1; }}; }}; }}
    பிழை(e) {{ அச்சு e.குறி; }}
    x = கேச்_கணக்கிடு(க, "அ") {{ y = "பிறகு"; }}; அச்சு x;
    """
    assert output_of(text) == ["lock.deadlock", "பிறகு"]


def test_two_who_wait_for_each_other_are_found(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பணி f(முதல், பிறகு) {{
        முயல் {{
            x = கேச்_கணக்கிடு(க, முதல்) {{ உறங்கு(1); y = கேச்_கணக்கிடு(க, பிறகு) {{ z = பிறகு; }}; }}; அச்சு x;
        }} பிழை(e) {{ அச்சு e.குறி; }}
    }}
    இணையாக([செயல்() {{ f("அ", "ஆ"); }}, செயல்() {{ f("ஆ", "அ"); }}]);
    """
    assert "lock.deadlock" in output_of(text)


def test_a_block_that_is_left_early_computes_nothing(made: Callable[..., str]) -> None:
    text = f"""
    {made()} எண்ணி = அணு_உருவாக்கு(0);
    செயல் f(n) {{ x = கேச்_கணக்கிடு(க, "அ") {{ அணு_கூட்டு(எண்ணி, 1); திரும்பு n; }}; அச்சு "இங்கே வராது"; }}
    அச்சு f(1); அச்சு f(2);
    ஒவ்வொரு i இல் [1, 2] {{ x = கேச்_கணக்கிடு(க, "அ") {{ அணு_கூட்டு(எண்ணி, 1); நிறுத்து; }}; }}
    அச்சு அணு_படி(எண்ணி); அச்சு கேச்_பெறு(க, "அ", "இல்லை");
    """
    assert output_of(text) == ["1", "2", "3", "இல்லை"]


def test_what_is_forgotten_while_it_is_computed_is_not_kept(made: Callable[..., str]) -> None:
    text = f"""
    {made()}
    பணி f() {{ x = கேச்_கணக்கிடு(க, "அ") {{ உறங்கு(2); y = "பழையது"; }}; அச்சு x; }}
    அ = பணி_தொடங்கு(f); உறங்கு(1); கேச்_நீக்கு(க, "அ");
    x = கேச்_கணக்கிடு(க, "அ") {{ y = "புதியது"; }}; அச்சு x;
    பணி_காத்திரு(அ); அச்சு கேச்_பெறு(க, "அ");
    """
    assert output_of(text) == ["புதியது", "பழையது", "புதியது"]


@pytest.mark.parametrize("word", ['கேச்_அமை(க, "அ", "எழுதியது")', "கேச்_காலி(க)"])
def test_what_is_written_or_cleared_while_it_is_computed_stays_so(made: Callable[..., str], word: str) -> None:
    text = f"""
    {made()}
    பணி f() {{ x = கேச்_கணக்கிடு(க, "அ") {{ உறங்கு(2); y = "பழையது"; }}; அச்சு x; }}
    அ = பணி_தொடங்கு(f); உறங்கு(1); {word}; பணி_காத்திரு(அ); அச்சு கேச்_பெறு(க, "அ", "இல்லை");
    """
    assert output_of(text) == ["பழையது", "எழுதியது" if "அமை" in word else "இல்லை"]


def test_many_schedules_compute_once_each_time() -> None:
    text = """
    க = கேச்_உருவாக்கு({"ttl": 1}); எண்ணி = அணு_உருவாக்கு(0);
    பணி f(n) {
        ஒவ்வொரு i இல் [1, 2, 3] {
            x = கேச்_கணக்கிடு(க, "அ") {
                (அணு_கூட்டு(எண்ணி, 1) > 1) எனில் { அச்சு "இருவர்!"; }
                உறங்கு(0.5); அணு_கூட்டு(எண்ணி, -1); y = n;
            };
            உறங்கு(n / 7);
        }
    }
    இணையாக_மாற்று([1, 2, 3, 4, 5, 6, 7, 8], f); அச்சு "முடிந்தது";
    """
    for seed in range(20):
        assert output_of(text, seed=seed) == ["முடிந்தது"]


# ---- how much there is room for ----------------------------------------------------------------


def test_what_was_not_used_for_longest_goes_first() -> None:
    text = """
    க = கேச்_உருவாக்கு({"max_size": 3});
    ஒவ்வொரு k இல் ["அ", "ஆ", "இ"] { கேச்_அமை(க, k, k); }
    கேச்_பெறு(க, "அ"); கேச்_அமை(க, "ஈ", "ஈ");
    ஒவ்வொரு k இல் ["அ", "ஆ", "இ", "ஈ"] { அச்சு கேச்_பெறு(க, k, "-"); }
    """
    done = run_program(text)
    assert done.lines == ["அ", "-", "இ", "ஈ"]


def test_facts_tell_how_it_was_used() -> None:
    text = """
    க = கேச்_உருவாக்கு({"max_size": 2, "name": "விலை"});
    கேச்_பெறு(க, "அ"); கேச்_அமை(க, "அ", 1); கேச்_பெறு(க, "அ"); கேச்_பெறு(க, "அ");
    கேச்_அமை(க, "ஆ", 1); கேச்_அமை(க, "இ", 1);
    x = கேச்_கணக்கிடு(க, "ஈ") { y = 4; }; x = கேச்_கணக்கிடு(க, "ஈ") { y = 5; };
    """
    name, facts = facts_after(text)
    assert name == "விலை"
    assert facts._replace(bytes=0) == CacheFacts(2, 0, hits=3, misses=2, evicted=2, computed=1)
    assert facts.bytes is not None and 2 * ENTRY_BYTES < facts.bytes < 2 * ENTRY_BYTES + 400


def test_facts_of_a_cache_in_redis() -> None:
    text = REDIS % "" + 'கேச்_பெறு(க, "அ"); கேச்_அமை(க, "அ", 1); கேச்_பெறு(க, "அ"); x = கேச்_கணக்கிடு(க, "ஆ") { y = 1; };'
    assert facts_after(text) == ("க", CacheFacts(None, None, hits=1, misses=2, evicted=0, computed=1))


class OneProgram:
    """As much of a machine as a cache of plain values looks at."""

    image: Any = None


def test_values_are_bounded_by_the_memory_they_take() -> None:
    cache = MemoryCache("x", lambda: 0.0, most_bytes=10_000)
    machine: Any = OneProgram()
    for number in range(20):
        cache.keep(str(number), "x" * 1000, None, None)
    assert cache.bytes <= 10_000
    assert cache.keys() == [str(number) for number in range(13, 20)]
    cache.keep("19", "y" * 100_000, None, None)
    assert cache.get("19", machine) is None, "what has no room at all is not kept, nor is what it replaces"
    assert cache.evicted == 14
    cache.clear()
    assert cache.bytes == 0 and cache.keys() == []


def test_the_memory_that_a_value_takes_counts_shared_parts_once() -> None:
    part: list[Any] = ["x" * 1000]
    assert weigh([part] * 100)[0] < 3000
    deep: Any = None
    for _ in range(100_000):
        deep = [deep]
    assert weigh(deep)[0] > 1_000_000


# ---- in Redis: what is there, and what cannot be -------------------------------------------------


def test_values_in_redis_are_exact_json_with_a_time_to_live() -> None:
    servers = SimulatedRedisServers()
    text = """
    க = கேச்_உருவாக்கு({"name": "வி:லை", "url": "redis://r.example/3", "ttl": 100});
    கேச்_அமை(க, "அ:1", {"ஆ": 1.50, "அ": 79228162514264337593543950335, "இ": 0.0000000000000000000000000001});
    x = கேச்_பெறு(க, "அ:1"); அச்சு x; அச்சு ஜேசான்_ஆக்கு(x);
    """

    async def during(system: System) -> None:
        database = servers.server("r.example").databases[3]
        (key,) = database.names()
        item = database.find(key)
        assert key.decode() == "etamil:cache:வி%3Aலை:value:அ:1"
        assert item is not None and item.until - trio.current_time() == pytest.approx(100, abs=1)
        assert item.value.decode() == '{"ஆ":1.50,"அ":79228162514264337593543950335,"இ":1E-28}'

    done = run_program(text, ports=with_servers(servers), during=during)
    assert done.problem is None
    assert done.lines == [
        "{அ: 79228162514264337593543950335, ஆ: 1.5, இ: 0.0000000000000000000000000001}",
        '{"அ":79228162514264337593543950335,"ஆ":1.50,"இ":0.0000000000000000000000000001}',
    ]


@pytest.mark.parametrize(
    ("value", "english"),
    [
        ("செயல்() { திரும்பு 1; }", "cannot keep a function"),
        ('{"அ": [பூட்டு_உருவாக்கு()]}', "cannot keep a lock"),
        ("[சரி(1)]", "cannot keep a result"),
    ],
)
def test_what_json_cannot_say_is_refused(value: str, english: str) -> None:
    fault = failure_of(f'{REDIS % ""} கேச்_அமை(க, "அ", {value});')
    assert fault.code == "value.local" and english in fault.english
    fault = failure_of(f'{REDIS % ""} x = கேச்_கணக்கிடு(க, "அ") {{ y = {value}; }};')
    assert fault.code == "value.local" and english in fault.english


def test_a_value_that_is_too_large_for_redis_is_refused() -> None:
    deep = f'{REDIS % ""} x = []; i = 0; (i < 300) சுற்று {{ x = [x]; i = i + 1; }} கேச்_அமை(க, "அ", x);'
    assert "nests deeper" in failure_of(deep).english
    shared = f'{REDIS % ""} x = [1]; i = 0; (i < 40) சுற்று {{ x = [x, x]; i = i + 1; }} கேச்_அமை(க, "அ", x);'
    assert "parts" in failure_of(shared).english


def test_what_another_has_put_there_is_said() -> None:
    text = f"""
    {REDIS % ""} r = சிவப்பாய்_தொடர்பு("redis://r.example/3");
    சிவப்பாய்_அமை(r, "etamil:cache:க:value:அ", "ஜேசான் அல்ல");
    முயல் {{ கேச்_பெறு(க, "அ"); }} பிழை(e) {{ அச்சு e.குறி; }}
    கேச்_அமை(க, "அ", "சரி"); அச்சு கேச்_பெறு(க, "அ");
    """
    assert output_of(text) == ["redis.refused", "சரி"]


def test_clearing_leaves_what_has_another_name() -> None:
    text = """
    அ = கேச்_உருவாக்கு({"name": "அ*", "url": "redis://r.example/3"});
    ஆ = கேச்_உருவாக்கு({"name": "அஆ", "url": "redis://r.example/3"});
    கேச்_அமை(அ, "x", 1); கேச்_அமை(ஆ, "x", 2); கேச்_காலி(அ);
    அச்சு கேச்_பெறு(அ, "x"); அச்சு கேச்_பெறு(ஆ, "x");
    """
    assert output_of(text) == ["nil", "2"]


def test_a_number_of_values_means_nothing_in_redis_and_is_told() -> None:
    done = run_program(REDIS % ', "max_size": 10')
    assert [event.english for event in done.events if isinstance(event, Told)] == [
        "cache க: max_size means nothing in Redis; set maxmemory there"
    ]


# ---- in Redis: several processes ------------------------------------------------------------------

ANOTHER = """
க = கேச்_உருவாக்கு({"name": "க", "url": "redis://r.example/3"});
"""
"""Two caches of one name know nothing of each other but through the server, as those of two processes."""


def test_processes_compute_once_together() -> None:
    one = """
    செயல் கேள்(யார், எப்போது) {
        உறங்கு(எப்போது); x = கேச்_கணக்கிடு(க, "அ") { அச்சு யார் & " கணக்கிடுகிறது"; உறங்கு(5); y = யார்; };
        அச்சு யார் & " பெற்றது " & x;
    }
    """
    first = ANOTHER + one + 'பணி_உருவாக்கு "வேலை" { கேள்("முதல்", 0.5); }'
    second = ANOTHER + one + 'பணி_உருவாக்கு "வேலை" { கேள்("இரண்டாவது", 1); }'
    done = run_program(first, second, seconds=20)
    assert done.problem is None
    assert sorted(done.lines) == ["இரண்டாவது பெற்றது முதல்", "முதல் கணக்கிடுகிறது", "முதல் பெற்றது முதல்"]


def test_a_long_computation_keeps_its_claim() -> None:
    seconds = 2.5 * CLAIM_SECONDS
    assert seconds < PATIENCE
    first = f'{ANOTHER} பணி_உருவாக்கு "வே" {{ x = கேச்_கணக்கிடு(க, "அ") {{ உறங்கு({seconds}); y = 1; }}; அச்சு x; }}'
    second = f"""{ANOTHER}
    பணி_உருவாக்கு "வே" {{ உறங்கு(1); x = கேச்_கணக்கிடு(க, "அ") {{ அச்சு "இரண்டு!"; y = 2; }}; அச்சு x; }}
    """
    done = run_program(first, second, seconds=60)
    assert done.lines == ["1", "1"]
    assert done.system.caches.claims is not None and not done.system.caches.claims.held


def test_a_process_that_has_died_keeps_nobody_waiting_for_long() -> None:
    text = f"""
    {REDIS % ""} r = சிவப்பாய்_தொடர்பு("redis://r.example/3");
    சிவப்பாய்_அமை(r, "etamil:cache:க:claim:அ", "இறந்தவர்", {CLAIM_SECONDS});
    x = கேச்_கணக்கிடு(க, "அ") {{ y = 1; }}; அச்சு x; அச்சு கேச்_பெறு(க, "அ");
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["1", "1"]
    assert CLAIM_SECONDS <= done.time < CLAIM_SECONDS + 1


def test_patience_ends_and_then_nothing_is_kept() -> None:
    text = f"""
    {REDIS % ""} r = சிவப்பாய்_தொடர்பு("redis://r.example/3");
    சிவப்பாய்_அமை(r, "etamil:cache:க:claim:அ", "வேறொருவர்");
    x = கேச்_கணக்கிடு(க, "அ") {{ y = 1; }}; அச்சு x; அச்சு கேச்_பெறு(க, "அ");
    """
    done = run_program(text, seconds=0)
    assert done.lines == ["1", "nil"]
    assert done.time == pytest.approx(PATIENCE, abs=0.5)


def test_what_another_process_forgets_meanwhile_is_not_kept() -> None:
    first = f"""{ANOTHER}
    பணி_உருவாக்கு "வே" {{
        x = கேச்_கணக்கிடு(க, "அ") {{ உறங்கு(5); y = "பழையது"; }}; அச்சு x; அச்சு கேச்_பெறு(க, "அ");
    }}
    """
    second = f'{ANOTHER} பணி_உருவாக்கு "வே" {{ உறங்கு(1); கேச்_நீக்கு(க, "அ"); }}'
    assert run_program(first, second, seconds=20).lines == ["பழையது", "nil"]


def test_two_processes_that_wait_for_each_other_go_on() -> None:
    one = """
    செயல் கேள்(முதல், பிறகு) {
        x = கேச்_கணக்கிடு(க, முதல்) { உறங்கு(1); y = கேச்_கணக்கிடு(க, பிறகு) { z = பிறகு; }; }; அச்சு x;
    }
    """
    first = f'{ANOTHER}{one} பணி_உருவாக்கு "வே" {{ கேள்("அ", "ஆ"); }}'
    second = f'{ANOTHER}{one} பணி_உருவாக்கு "வே" {{ கேள்("ஆ", "அ"); }}'
    done = run_program(first, second, seconds=100)
    assert done.problem is None and sorted(done.lines) in (["அ", "ஆ"], ["அ", "அ"], ["ஆ", "ஆ"])


# ---- in Redis: the server is away -------------------------------------------------------------------


def away_and_back(text: str, before: float = 5.0, after: float = 5.0) -> Result:
    """Run a program whose server is away from 1 s to 3 s."""
    servers = SimulatedRedisServers()
    server: SimulatedServer = servers.server("r.example")

    async def during(system: System) -> None:
        await trio.sleep_until(1.0)
        server.is_down = True
        await trio.sleep_until(3.0)
        server.is_down = False
        await trio.sleep_until(20.0)

    first = f"""{REDIS % ""}
    செயல் முயன்று(f) {{ முயல் {{ அச்சு f(); }} பிழை(e) {{ அச்சு e.குறி; }} }}
    பணி_உருவாக்கு "சோதி" {{ {text} }}
    """
    return run_program(first, ports=with_servers(servers), during=during)


def test_every_word_says_that_the_server_is_away_and_works_again_afterwards() -> None:
    done = away_and_back(
        """
        f = செயல்() {
            முயன்று(செயல்() { கேச்_அமை(க, "அ", 1); திரும்பு "அமைத்தது"; });
            முயன்று(செயல்() { திரும்பு கேச்_பெறு(க, "அ"); });
            முயன்று(செயல்() { x = கேச்_கணக்கிடு(க, "ஆ") { y = 2; }; திரும்பு x; });
            முயன்று(செயல்() { திரும்பு கேச்_நீக்கு(க, "அ"); });
            முயன்று(செயல்() { கேச்_காலி(க); திரும்பு "காலி"; });
        };
        f(); உறங்கு(2); f(); உறங்கு(2); f();
        """
    )
    well = ["அமைத்தது", "1", "2", "true", "காலி"]
    assert done.lines == [*well, *["redis.unavailable"] * 5, *well]
    assert not done.crashes


def test_what_was_computed_is_answered_though_it_cannot_be_kept() -> None:
    done = away_and_back(
        """
        f = செயல்() { x = கேச்_கணக்கிடு(க, "அ") { உறங்கு(2); y = "விடை"; }; திரும்பு x; };
        முயன்று(f); உறங்கு(3); முயன்று(செயல்() { திரும்பு கேச்_பெறு(க, "அ", "இல்லை"); });
        """
    )
    assert done.lines == ["விடை", "இல்லை"]
    assert any("cannot be kept" in event.english for event in done.events if isinstance(event, Told))


# ---- under many schedules, with crashes ------------------------------------------------------------

SHAKEN = """
முகவர் கேட்பவர்() {
    செய்தி கேள்(k) {
        x = கேச்_கணக்கிடு(க, k) { உறங்கு(0.5); y = k; };
        திரும்பு x;
    }
}
அ = கேட்பவர்(); ஆ = கேட்பவர்(); இ = கேட்பவர்();
பணி_உருவாக்கு "ஒன்று", {"every": 1} { அ.கேள்("x"); }
பணி_உருவாக்கு "இரண்டு", {"every": 1.3} { முயல் { காலவரம்பு(0.3) { ஆ.கேள்("x"); } } பிழை(e) { கேச்_நீக்கு(க, "x"); } }
பணி_உருவாக்கு "மூன்று", {"every": 0.7} { இ.கேள்("x"); இ.கேள்("y"); கேச்_காலி(க); }
சோதனை "எவரும் காத்துக்கிடக்கவில்லை" { நேரம்_நகர்த்து(20); எதிர்பார்_சமம்(அ.கேள்("x"), "x"); }
"""


@pytest.mark.parametrize("faults", [FaultKinds(), FaultKinds(crashes=True, delays=True)], ids=["calm", "crashes"])
def test_nobody_waits_for_ever_whatever_falls(made: Callable[..., str], faults: FaultKinds) -> None:
    program = load("கேச்.qmz", made(', "ttl": 3') + SHAKEN, SimulatedFiles(), keep=False)
    runs = list(simulate(Plan(program, SimulatedFiles, "கேச்", faults, idle=30.0), range(6)))
    assert [(run.seed, run.test, run.failures) for run in runs if run.failures] == []
    assert {run.test for run in runs} > {""}, "no test was run"


def test_a_server_that_answers_nonsense_is_an_error_of_the_program() -> None:
    servers = SimulatedRedisServers()
    nonsense: dict[str, Any] = {"GET": 7, "SCAN": b"x", "EVAL": 0}

    class Nonsense:
        name, host, port = "r", "r", 1

        async def command(self, *parts: Any) -> Any:
            await trio.lowlevel.checkpoint()
            return nonsense[parts[0]]

    servers.client = lambda settings, keeper: Nonsense()  # type: ignore[method-assign, assignment, return-value]
    text = REDIS % "" + """
    முயல் { கேச்_பெறு(க, "அ"); } பிழை(e) { அச்சு e.குறி; }
    முயல் { கேச்_காலி(க); } பிழை(e) { அச்சு e.குறி; }
    முயல் { x = கேச்_கணக்கிடு(க, "அ") { y = 1; }; } பிழை(e) { அச்சு e.குறி; }
    """
    assert run_program(text, ports=with_servers(servers)).lines == ["redis.refused"] * 3
