"""Jobs that take messages by themselves stop where they wait for the next one."""

from __future__ import annotations

import pytest

from etamil_actors.testing import open_journal, open_service
from tests.actors.helpers import run_virtually
from tests.programs.running import run_program

WAITS = {
    "receive": "(மெய்) சுற்று { m = சேனல்_பெறு(சே); அச்சு m; }",
    "walk": "ஒவ்வொரு m இல் சே { அச்சு m; }",
    "choose": "(மெய்) சுற்று { தேர்வு { m இல் சே { அச்சு m; } } }",
    "choose with a limit": "(மெய்) சுற்று { தேர்வு { m இல் சே { அச்சு m; } காலம் 100 { அச்சு 0; } } }",
}


@pytest.mark.parametrize("loop", WAITS.values(), ids=WAITS)
def test_a_job_that_waits_for_a_message_stops_there(loop: str) -> None:
    done = run_program(f"""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "வாசகர்" {{
            முயல் {{ {loop} }} பிழை(e) {{ அச்சு "இல்லை"; }} இறுதியில் {{ அச்சு "முடிந்தது"; }}
        }}
        பணி_உருவாக்கு "அனுப்புநர்" {{ சேனல்_அனுப்பு(சே, 1); சேனல்_அனுப்பு(சே, 2); }}
        """, seconds=5)  # fmt: skip
    assert done.lines == ["1", "2", "முடிந்தது"]
    assert done.ended - done.time <= 1.1
    assert not done.crashes


def test_what_is_in_hand_is_finished() -> None:
    done = run_program("""
        சே = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "வாசகர்" { ஒவ்வொரு m இல் சே { உறங்கு(3); அச்சு m; } }
        சேனல்_அனுப்பு(சே, 1);
        """, seconds=1)  # fmt: skip
    assert done.lines == ["1"]


def test_an_answer_that_comes_soon_is_waited_for() -> None:
    done = run_program("""
        கேள்விகள் = சேனல்_உருவாக்கு();
        விடைகள் = சேனல்_உருவாக்கு();
        பணி_உருவாக்கு "விடையளி" { ஒவ்வொரு m இல் கேள்விகள் { உறங்கு(1.5); சேனல்_அனுப்பு(விடைகள், m * 2); } }
        பணி_உருவாக்கு "கேள்" { சேனல்_அனுப்பு(கேள்விகள், 21); அச்சு சேனல்_பெறு(விடைகள்); }
        """, seconds=1)  # fmt: skip
    assert done.lines == ["42"]


DURABLE = """
    சே = சேனல்_உருவாக்கு("சே");
    முதல் = சுற்றுச்சூழல்_பெறு("முதல்");
    செயல் தொடங்கு(அளவு) {
        h = பணி_உருவாக்கு("நிலை", {"durable": மெய்}) { அச்சு "தொடங்கியது " & அளவு; அச்சு சேனல்_பெறு(சே); };
        திரும்பு h;
    }
    பணி_உருவாக்கு "தொடக்கம்" { (முதல் == "ஆம்") எனில் { தொடங்கு(5); } }
    """


@pytest.mark.parametrize(
    ("second", "lines"),
    [
        (DURABLE, ["தொடங்கியது 5"]),
        ("x = 1; செயல் y() { திரும்பு செயல்(a) { திரும்பு a; }; }" + DURABLE, ["தொடங்கியது 5"]),
        (DURABLE.replace("அச்சு \"தொடங்கியது \"", "அச்சு \"மாறியது \""), ["மாறியது 5"]),
        (DURABLE.replace('"நிலை"', '"வேறு"'), []),
        (DURABLE.replace("அளவு", "எண்ணிக்கை"), []),
    ],
    ids=["the same", "with more before it", "with another body", "under another name", "with other captures"],
)
def test_a_durable_job_goes_on_in_the_next_process(second: str, lines: list[str]) -> None:
    """Also when it stopped at its wait, and when the program was edited meanwhile."""

    async def scenario() -> tuple[list[str], list[str], int]:
        async with open_journal(":memory:") as journal:
            async with open_service(DURABLE, journal=journal, environment={"முதல்": "ஆம்"}) as service:
                await service.advance(1)
            async with open_service(second, journal=journal) as again:
                await again.advance(1)
            return service.lines, again.lines, len(await journal.letters.jobs())

    assert run_virtually(scenario) == (["தொடங்கியது 5"], lines, int(not lines))


async def twice(first: str, second: str, seconds: float = 1) -> tuple[list[str], list[str]]:
    async with open_journal(":memory:") as journal:
        async with open_service(first, journal=journal) as service:
            await service.advance(seconds)
        async with open_service(second, journal=journal) as again:
            await again.advance(seconds)
        return service.lines, again.lines


def test_a_kept_job_has_the_names_that_its_starter_had() -> None:
    """In the body of a job all names are those of the top level, and functions read them."""
    text = """
        சே = சேனல்_உருவாக்கு("சே");
        அடிப்படை = 100;
        செயல் கூட்டு() { திரும்பு அடிப்படை + x; }
        பணி_உருவாக்கு "தொடக்கம்" {
            x = 5;
            t = பணி_தொடங்கு(கூட்டு);
            h = பணி_உருவாக்கு("நிலை", {"durable": மெய்}) { அச்சு x; அச்சு கூட்டு(); சேனல்_பெறு(சே); };
        }
        """
    second = text.replace('பணி_உருவாக்கு "தொடக்கம்" {', 'பணி_உருவாக்கு "தொடக்கம்" { உறங்கு(1000);')
    assert run_virtually(twice, text, second) == (["5", "105"], ["5", "105"])


def test_a_job_that_reads_what_cannot_be_kept_is_refused() -> None:
    done = run_program("""
        பணி f() { உறங்கு(1); }
        பணி_உருவாக்கு "தொடக்கம்" {
            t = பணி_தொடங்கு(f);
            முயல் {
                h = பணி_உருவாக்கு("நிலை", {"durable": மெய்}) { பணி_காத்திரு(t); };
            } பிழை(e) { அச்சு e.code; }
        }
        """, seconds=2, journal=":memory:")  # fmt: skip
    assert done.lines == ["value.local"]


@pytest.mark.parametrize("loop", WAITS.values(), ids=WAITS)
def test_a_job_stops_although_there_is_always_a_message(loop: str) -> None:
    loop = loop.replace("அச்சு m;", "உறங்கு(0.1);")
    done = run_program(f"""
        சே = சேனல்_உருவாக்கு({{"capacity": 10000}});
        ஒவ்வொரு i இல் எண்கள் {{ சேனல்_அனுப்பு(சே, i); }}
        பணி_உருவாக்கு "வாசகர்" {{ முயல் {{ {loop} }} இறுதியில் {{ அச்சு "முடிந்தது"; }} }}
        """.replace("எண்கள்", str(list(range(2000)))), seconds=5)  # fmt: skip
    assert done.lines == ["முடிந்தது"]
    assert done.ended - done.time <= 1.1
