"""மீள்முயற்சி and சுற்று_முறிப்பான் (EXTENSIONS §10): what they do in programs, and the breaker against a model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.actors.programs.breakers import Breaker, BreakerBook, State, Verdict
from etamil_actors.actors.programs.keeper import Told
from tests.programs.running import failure_of, output_of, run_program

# ---- trying again ---------------------------------------------------------------------


def test_a_block_is_tried_again_until_it_succeeds() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    x = மீள்முயற்சி({"தடவை": 5, "பின்வாங்கு": 1}) {
        n = அணு_கூட்டு(எ, 1);
        (n < 3) எனில் { பிழை_எழுப்பு("db.unavailable", "இல்லை"); }
        y = n * 10;
    };
    அச்சு x;
    """
    assert output_of(program) == ["30"]


def test_the_error_of_the_last_attempt_is_raised() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    முயல் { மீள்முயற்சி({"தடவை": 3, "பின்வாங்கு": 0}) { பிழை_எழுப்பு("mine", "பிழை " & அணு_கூட்டு(எ, 1)); } }
    பிழை(e) { அச்சு e.code & ": " & e.message; }
    """
    assert output_of(program) == ["mine: பிழை 3"]


def test_three_attempts_are_made_when_nothing_is_said() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    முயல் { மீள்முயற்சி() { அணு_கூட்டு(எ, 1); பிழை_எழுப்பு("mine", ""); } } பிழை(e) { அச்சு அணு_படி(எ); }
    """
    assert output_of(program) == ["3"]


@pytest.mark.parametrize(
    ("codes", "tried"), (('"mine"', 3), ('["other", "mine"]', 3), ('["other"]', 1), ('"result"', 1), ("[]", 1))
)
def test_only_errors_of_the_codes_are_worth_another_try(codes: str, tried: int) -> None:
    program = f"""
    எ = அணு_உருவாக்கு(0);
    முயல் {{ மீள்முயற்சி({{"தடவை": 3, "பின்வாங்கு": 0, "எவை": {codes}}}) {{ அணு_கூட்டு(எ, 1); பிழை_எழுப்பு("mine", ""); }} }}
    பிழை(e) {{ அச்சு அணு_படி(எ); }}
    """
    assert output_of(program) == [str(tried)]


def test_a_block_whose_value_is_a_failure_is_tried_again() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    செயல் ஒருமுறை() { n = அணு_கூட்டு(எ, 1); (n < 3) எனில் { திரும்பு தவறு("முயற்சி " & n); } திரும்பு சரி(n); }
    அச்சு மீள்முயற்சி({"தடவை": 5, "பின்வாங்கு": 0}) { ஒருமுறை(); };
    அணு_இடு(எ, 0);
    அச்சு மீள்முயற்சி({"தடவை": 2, "பின்வாங்கு": 0}) { ஒருமுறை(); };
    அணு_இடு(எ, 0);
    அச்சு மீள்முயற்சி({"தடவை": 2, "பின்வாங்கு": 0, "எவை": ["mine"]}) { ஒருமுறை(); };
    """
    with_names = program.replace("அச்சு மீள்முயற்சி", "x = மீள்முயற்சி").replace("(); };", "(); };\n அச்சு x;")
    assert output_of(with_names) == ["சரி(3)", "தவறு(முயற்சி 2)", "தவறு(முயற்சி 1)"]


def test_a_failure_that_leaves_the_block_with_a_question_mark_is_tried_again() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    செயல் ஒருமுறை() { n = அணு_கூட்டு(எ, 1); (n < 3) எனில் { திரும்பு தவறு("முயற்சி " & n); } திரும்பு சரி(n); }
    செயல் பல(தடவை) { மீள்முயற்சி({"தடவை": தடவை, "பின்வாங்கு": 0}) { x = ஒருமுறை()?; } திரும்பு சரி("கிடைத்தது " & x); }
    அச்சு பல(5);
    அணு_இடு(எ, 0);
    அச்சு பல(2);
    """
    assert output_of(program) == ["சரி(கிடைத்தது 3)", "தவறு(முயற்சி 2)"]


def test_pauses_double_and_are_somewhat_shortened_by_chance() -> None:
    program = """
    முயல் { மீள்முயற்சி({"தடவை": 4, "பின்வாங்கு": 2}) { அச்சு இப்போது(); பிழை_எழுப்பு("mine", ""); } } பிழை(e) { }
    """
    seen = set()
    for seed in range(20):
        moments = [datetime.fromisoformat(line).timestamp() for line in output_of(program, seed=seed)]
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        for pause, whole in zip(pauses, (2, 4, 8), strict=True):
            assert whole / 2 - 0.01 <= pause <= whole + 0.01
        seen.add(round(pauses[0], 3))
    assert len(seen) > 5


def test_a_pause_that_is_long_from_the_beginning_stays_so() -> None:
    program = """
    பணி_உருவாக்கு "நீண்ட" { முயல் { மீள்முயற்சி({"தடவை": 3, "பின்வாங்கு": 600}) { அச்சு இப்போது(); பிழை_எழுப்பு("mine", ""); } } பிழை(e) { } }
    """
    moments = [datetime.fromisoformat(line).timestamp() for line in output_of(program, seconds=3000)]
    assert all(300 <= later - earlier <= 601 for earlier, later in pairwise(moments))
    assert len(moments) == 3


def test_a_mistake_in_the_program_is_tried_again_like_any_other_error() -> None:
    program = """
    எ = அணு_உருவாக்கு(0);
    முயல் { மீள்முயற்சி({"தடவை": 2, "பின்வாங்கு": 0}) { அணு_கூட்டு(எ, 1); அச்சு இல்லாதது; } }
    பிழை(e) { அச்சு e.code & " " & அணு_படி(எ) & " " & e.line; }
    """
    assert output_of(program) == ["name.undefined 2 3"]


@pytest.mark.parametrize(
    ("options", "code"),
    (
        ('{"தடவை": 0}', "value.invalid"), ('{"தடவை": "x"}', "value.kind"), ('{"பின்வாங்கு": 0 - 1}', "value.invalid"),
        ('{"வேறு": 1}', "option.unknown"),
    ),
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: str, code: str) -> None:
    assert failure_of(f"o = {options};\n மீள்முயற்சி(o) {{ x = 1; }}").code == code


# ---- the breaker in programs ----------------------------------------------------------

BREAK = 'முயல் { சுற்று_முறிப்பான்("ப", {"தோல்விகள்": 2, "மீட்பு_நேரம்": 10}) { %s } } பிழை(e) { அச்சு e.code; }'
BAD = BREAK % 'பிழை_எழுப்பு("mine", "");'
GOOD = BREAK % 'அச்சு "சரி";'


def test_a_breaker_opens_after_so_many_failures_in_a_row_and_closes_after_a_trial() -> None:
    program = f"{BAD}{GOOD}{BAD}{BAD}{GOOD}{BAD} உறங்கு(9); {GOOD} உறங்கு(1.1); {BAD}{GOOD} உறங்கு(10.1); {GOOD}{BAD}{GOOD}"
    wanted = (
        "mine சரி mine mine breaker.open breaker.open breaker.open mine breaker.open சரி mine சரி"
    )
    assert output_of(program) == wanted.split()


def test_the_value_of_the_block_is_that_of_the_word() -> None:
    assert output_of('x = சுற்று_முறிப்பான்("ப") { y = 5; };\n அச்சு x;') == ["5"]


def test_what_is_open_says_its_name_and_how_long() -> None:
    program = f'{BAD}{BAD} உறங்கு(4); முயல் {{ சுற்று_முறிப்பான்("ப", {{"மீட்பு_நேரம்": 10}}) {{ }} }} பிழை(e) {{ அச்சு e.message; அச்சு e.details; }}'
    lines = output_of(program)
    assert lines[2] == "‘ப’ தற்காலிகமாக நிறுத்தப்பட்டுள்ளது  (‘ப’ is switched off for a while)"
    assert lines[3] == "{name: ப, seconds: 6}"


@pytest.mark.parametrize(
    "failure",
    ('தவறு("x");', 'y = தவறு("x");', "x = 1 / 0;", "காலவரம்பு(1) { உறங்கு(5); }", 'மதிப்பு(தவறு("x"));'),
)
def test_what_counts_as_a_failure(failure: str) -> None:
    program = f"{BREAK % failure}{BREAK % failure}{GOOD}"
    assert output_of(program)[-1] == "breaker.open"


@pytest.mark.parametrize("failure", ('திரும்பு தவறு("x");', 'x = தவறு("x")?;'))
def test_a_failure_that_leaves_the_function_counts_too(failure: str) -> None:
    program = f'செயல் f() {{ சுற்று_முறிப்பான்("ப", {{"தோல்விகள்": 1}}) {{ {failure} }} திரும்பு 1; }}\n அச்சு f(); {GOOD}'
    assert output_of(program) == ["தவறு(x)", "breaker.open"]


@pytest.mark.parametrize(
    "answer",
    ('பிழை_எழுப்பு("not_found", "");', 'xtype_சரிபார்("x", "pan");', 'பிழை_எழுப்பு("conflict", "");', 'சரி("x");'),
)
def test_an_answer_is_no_failure(answer: str) -> None:
    program = (BREAK % answer) * 5 + GOOD
    assert output_of(program)[-1] == "சரி"


def test_a_cancellation_is_no_failure_and_does_not_keep_the_trial() -> None:
    slow = 'முயல் { காலவரம்பு(1) { சுற்று_முறிப்பான்("ப", {"தோல்விகள்": 2, "மீட்பு_நேரம்": 10}) { உறங்கு(5); } } } பிழை(e) { அச்சு e.code; }'
    program = f"{slow}{slow}{slow}{GOOD}{BAD}{BAD}{GOOD} உறங்கு(11); {slow}{GOOD}"
    assert output_of(program) == ["timeout"] * 3 + ["சரி", "mine", "mine", "breaker.open", "timeout", "சரி"]


def test_one_trial_at_a_time() -> None:
    program = f"""
    செயல் மெதுவாக(n) {{
        முயல் {{ சுற்று_முறிப்பான்("ப", {{"தோல்விகள்": 2, "மீட்பு_நேரம்": 10}}) {{ உறங்கு(1); }} திரும்பு "சரி"; }}
        பிழை(e) {{ திரும்பு e.code; }}
    }}
    {BAD}{BAD} உறங்கு(11);
    அச்சு இணையாக_மாற்று([1, 2, 3], மெதுவாக);
    அச்சு இணையாக_மாற்று([1, 2, 3], மெதுவாக);
    """
    first, second = output_of(program)[2:]
    assert sorted(first.strip("[]").split(", ")) == ["breaker.open", "breaker.open", "சரி"]
    assert second == "[சரி, சரி, சரி]"


def test_breakers_of_one_name_are_one_for_all_and_others_are_others() -> None:
    other = GOOD.replace('"ப"', '"வேறு"')
    program = f"செயல் மோசம்() {{ {BAD} }}\n இணையாக([மோசம், மோசம்]); {GOOD}{other}"
    assert output_of(program) == ["mine", "mine", "breaker.open", "சரி"]


def test_opening_and_closing_is_told_to_the_operator_and_seen_by_metrics() -> None:
    done = run_program(f"{BAD}{BAD}{GOOD} உறங்கு(11); {GOOD}{BAD}")
    told = [event.english for event in done.events if isinstance(event, Told)]
    [breaker] = done.system.breakers
    assert (breaker.name, breaker.state.value, breaker.opened, breaker.refused) == ("ப", "closed", 1, 1)
    assert told == ["breaker ‘ப’ has opened; no calls for 10 s", "breaker ‘ப’ is closed again"]


@pytest.mark.parametrize(
    ("options", "code"),
    (('{"தோல்விகள்": 0}', "value.invalid"), ('{"மீட்பு_நேரம்": "x"}', "value.kind"), ('{"வேறு": 1}', "option.unknown")),
)
def test_options_of_a_breaker_that_make_no_sense_are_refused(options: str, code: str) -> None:
    assert failure_of(f'o = {options};\n சுற்று_முறிப்பான்("ப", o) {{ x = 1; }}').code == code


# ---- the breaker against a model ------------------------------------------------------


class Model:
    """What a breaker does, said by its whole history: calls that began and ended, in order."""

    def __init__(self, failures: int, reset: float) -> None:
        self.failures, self.reset = failures, reset
        self.epoch = 0
        """Raised whenever what earlier calls say stops to count."""
        self.row = 0
        self.opened_at: float | None = None
        self.trial: int | None = None

    def admit(self, call: int, now: float) -> bool:
        if self.opened_at is None:
            return True
        if self.trial is None and now >= self.opened_at + self.reset:
            self.trial = call
            return True
        return False

    def ended(self, call: int, epoch: int, verdict: Verdict, now: float) -> None:
        if self.opened_at is not None:
            if call != self.trial:
                return
            self.trial = None
            if verdict is Verdict.WELL:
                self.opened_at, self.row = None, 0
                self.epoch += 1
            elif verdict is Verdict.BADLY:
                self.opened_at = now
        elif epoch == self.epoch and verdict is not Verdict.NONE:
            self.row = self.row + 1 if verdict is Verdict.BADLY else 0
            if self.row == self.failures:
                self.opened_at = now
                self.epoch += 1

    @property
    def state(self) -> State:
        if self.opened_at is None:
            return State.CLOSED
        return State.HALF_OPEN if self.trial is not None else State.OPEN


STEPS = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(list(Verdict)), st.floats(0, 4)), max_size=60)


@settings(max_examples=400)
@given(STEPS, st.integers(1, 3))
def test_a_breaker_does_what_its_model_does(steps: list[tuple[int, Verdict, float]], failures: int) -> None:
    breaker, model, now = Breaker("ப", failures, 10.0), Model(failures, 10.0), 0.0
    running: list[tuple[int, int, int]] = []
    for number, (choice, verdict, pause) in enumerate(steps):
        now += pause
        if choice < 5 or not running:
            ticket = breaker.admit(now)
            assert (ticket is not None) == model.admit(number, now)
            if ticket is not None:
                running.append((number, ticket, model.epoch))
        else:
            call, ticket, epoch = running.pop(choice % len(running))
            before = breaker.state
            changed = breaker.ended(ticket, verdict, now)
            model.ended(call, epoch, verdict, now)
            assert changed == (breaker.state is not before and verdict is not Verdict.NONE)
        assert breaker.state is model.state
        assert sum(1 for call, _, _ in running if call == model.trial) == (breaker.state is State.HALF_OPEN)
        assert breaker.state is State.OPEN or breaker.seconds_left(now) == 0.0


def test_a_book_forgets_those_of_which_nothing_is_lost() -> None:
    book = BreakerBook(most=10)
    troubled = book.named("troubled")
    ticket = troubled.admit(0.0)
    assert ticket is not None
    troubled.ended(ticket, Verdict.BADLY, 0.0)
    for number in range(100):
        book.named(str(number))
        assert len(book) <= 10
    assert book.named("troubled") is troubled


def test_a_book_of_troubled_ones_only_is_bounded_too() -> None:
    book = BreakerBook(most=10)
    for breaker in _troubled(book, 100):
        assert not breaker.is_untroubled
        assert len(book) <= 10


def _troubled(book: BreakerBook, count: int) -> Iterator[Breaker]:
    for number in range(count):
        breaker = book.named(str(number))
        ticket = breaker.admit(0.0)
        assert ticket is not None
        breaker.ended(ticket, Verdict.BADLY, 0.0)
        yield breaker
