"""Handles are values that refer to one shared thing; templates are copied; the prelude runs once (EXTENSIONS §1)."""

from __future__ import annotations

import pytest

from tests.programs.running import failure_of, output_of, run_program

MAKERS = {
    "a channel": ("சேனல்_உருவாக்கு()", "<சேனல்"),
    "a channel with a name": ('சேனல்_உருவாக்கு("பெயர்")', "<சேனல் பெயர்>"),
    "a lock": ("பூட்டு_உருவாக்கு()", "<பூட்டு"),
    "a lock with a name": ('பூட்டு_உருவாக்கு("பெயர்")', "<பூட்டு பெயர்>"),
    "a cell": ("அணு_உருவாக்கு(5)", "<அணு"),
    "a task": ("பணி_தொடங்கு(காத்திரு_பணி)", "<பணி காத்திரு_பணி>"),
    "a job": ('பணி_உருவாக்கு("வேலை") { x = 1; }', "<பணி வேலை>"),
    "an agent": ("எண்ணி(0)", "<முகவர்"),
}

SETUP = """
பணி காத்திரு_பணி() { உறங்கு(1); }
முகவர் எண்ணி(n) { செய்தி பார்() { திரும்பு n; } }
செயல் ஆக்கு() { h = %s; திரும்பு h; }
"""


def run_with(handle: str, code: str) -> list[str]:
    """What the code prints, with two handles of this kind as h and k."""
    setup = SETUP % MAKERS[handle][0]
    return output_of(f'{setup} பணி_உருவாக்கு "சோதி" {{ h = ஆக்கு(); k = ஆக்கு(); {code} }}')


@pytest.mark.parametrize("handle", MAKERS)
def test_a_handle_has_its_kind(handle: str) -> None:
    assert run_with(handle, "அச்சு வகை(h);") == [handle.partition(" with")[0]]


@pytest.mark.parametrize("handle", MAKERS)
def test_a_handle_as_text(handle: str) -> None:
    lines = run_with(handle, 'அச்சு h; அச்சு "" & h; அச்சு [h]; அச்சு {"அ": h};')
    text = lines[0]
    assert text.startswith(MAKERS[handle][1]) and text.endswith(">")
    assert lines == [text, text, f"[{text}]", f"{{அ: {text}}}"]


@pytest.mark.parametrize("handle", MAKERS)
def test_a_handle_is_true_and_equal_only_to_itself(handle: str) -> None:
    same = "true" if "name" in handle else "false"
    code = """
    (h) எனில் { அச்சு "மெய்"; }
    அச்சு h == h; அச்சு h == k; அச்சு h != k; அச்சு [h] == [h]; அச்சு {"அ": h} == {"அ": h}; அச்சு h == 5; அச்சு h == "" & h; அச்சு h == இன்மை;
    """
    assert run_with(handle, code) == [
        "மெய்", "true", same, "false" if same == "true" else "true", "true", "true", "false", "false", "false",
    ]  # fmt: skip


@pytest.mark.parametrize("handle", MAKERS)
def test_a_handle_in_json_is_null(handle: str) -> None:
    assert run_with(handle, 'அச்சு ஜேசான்_ஆக்கு({"அ": h, "ஆ": [h]});') == ['{"அ":null,"ஆ":[null]}']


@pytest.mark.parametrize("handle", MAKERS)
def test_a_handle_can_be_sent_anywhere_in_the_process(handle: str) -> None:
    code = """
    செயல் அதே(x) { திரும்பு x; }
    வ = சேனல்_உருவாக்கு(); சேனல்_அனுப்பு(வ, [h]); m = சேனல்_பெறு(வ); அச்சு m[0] == h;
    அச்சு பணி_காத்திரு(பணி_தொடங்கு(செயல்(x) { திரும்பு x; }, h)) == h;
    அச்சு இணையாக_மாற்று([h, k], செயல்(x) { திரும்பு x; })[0] == h;
    ப = அணு_உருவாக்கு(0); அணு_இடு(ப, {"அ": h}); r = அணு_படி(ப); அச்சு r.அ == h;
    சேவை_பதிவு("பெயர்", h); அச்சு சேவை_பெறு("பெயர்") == h;
    மு = எண்ணி(h); அச்சு மு.பார்() == h;
    """
    code = code.replace("செயல் அதே(x) { திரும்பு x; }", "")
    assert run_with(handle, code) == ["true"] * 6


@pytest.mark.parametrize("handle", MAKERS)
def test_a_handle_has_no_fields_and_is_no_number(handle: str) -> None:
    code = """
    முயல் { அச்சு h.புலம்; } பிழை(e) { அச்சு e.code; }
    முயல் { அச்சு h[0]; } பிழை(e) { அச்சு e.code; }
    """
    lines = run_with(handle, code)
    assert len(lines) == 2 and not any(line in ("internal", "nil") for line in lines)


# ---- what activities share, and what they do not --------------------------------------


def test_handles_of_the_prelude_are_one_shared_thing_and_values_are_copies() -> None:
    text = """
    அறை = அணு_உருவாக்கு(0); எண்1 = 0; பட்டியல் = [];
    பணி_உருவாக்கு "அ" { எண்1 = எண்1 + 1; பட்டியல் = இணை(பட்டியல், 1); அணு_கூட்டு(அறை, 1); }
    பணி_உருவாக்கு "ஆ" { உறங்கு(1); அச்சு எண்1; அச்சு பட்டியல்; அச்சு அணு_படி(அறை); }
    """
    assert output_of(text) == ["0", "[]", "1"]


def test_nothing_that_a_run_stores_outlives_it() -> None:
    text = """
    n = 0; பட்டியல் = [0]; பொருள்1 = {"அ": 0};
    பணி_உருவாக்கு "முறை", {"every": 1} { n = n + 1; பட்டியல்[0] = பட்டியல்[0] + 1; பொருள்1.அ = பொருள்1.அ + 1; பொருள்1.புது = n; அச்சு "" & n & பட்டியல் & பொருள்1; }
    """
    lines = output_of(text, seconds=3.5)
    assert len(lines) >= 3
    assert set(lines) == {"1[1]{அ: 1, புது: 1}"}


def test_the_prelude_runs_once() -> None:
    text = """
    அச்சு "முன்னுரை";
    பணி_உருவாக்கு "முறை", {"every": 1} { அச்சு "முறை"; }
    """
    lines = output_of(text, seconds=2.5)
    assert lines.count("முன்னுரை") == 1 and lines.count("முறை") >= 2


@pytest.mark.parametrize("error", ["x = 1 / 0;", 'பிழை_எழுப்பு("அ", "ஆ");', 'தவறு("அ")?;'])
def test_an_error_in_the_prelude_ends_the_start(error: str) -> None:
    done = run_program(f'பணி_உருவாக்கு "அ" {{ அச்சு "இல்லை"; }} அச்சு 1; {error} அச்சு 2;')
    assert done.problem is not None
    assert done.lines == ["1"]


def test_the_error_of_a_failed_start_has_its_place() -> None:
    fault = failure_of("செயல் f() {\n  திரும்பு 1 / 0;\n}\n\nf();")
    assert fault.code == "number.division_by_zero"
    assert [(frame.line, frame.function) for frame in fault.trace] == [(2, "f"), (5, "")]


def test_the_trace_of_a_task_is_its_own() -> None:
    text = """பணி f() { உறங்கு(1); g(); }
    செயல் g() { திரும்பு 1 / 0; }
    முயல் { பணி_காத்திரு(பணி_தொடங்கு(f)); } பிழை(e) { அச்சு e.line; அச்சு நீளம்(e.trace) >= 2; அச்சு e.place; }
    """
    lines = output_of(text, crashes=True)
    assert lines[:2] == ["2", "true"]
    assert lines[2].startswith("சோதனை.qmz:2:")


def test_leaving_in_the_prelude_takes_the_service_down_in_order() -> None:
    text = 'நிறுத்தும்போது { அச்சு "நிறுத்தம்"; } அச்சு 1; வெளியேறு(5); அச்சு 2;'
    done = run_program(text)
    assert done.problem is None
    assert done.status == 5
    assert done.lines[0] == "1" and "2" not in done.lines


def test_leaving_in_a_job_runs_what_is_to_be_run_at_the_end() -> None:
    text = """
    நிறுத்தும்போது { அச்சு "நிறுத்தம்"; }
    பணி_உருவாக்கு "அ" { உறங்கு(1); வெளியேறு(0); }
    பணி_உருவாக்கு "ஆ", {"நிறுத்து_நேரம்": 2} { முயல் { உறங்கு(100); } இறுதியில் { அச்சு "ஆ"; } }
    """
    done = run_program(text)
    assert done.status == 0
    assert done.lines == ["ஆ", "நிறுத்தம்"]
    assert done.time == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("names", [("உறங்கு", "பூட்டு_பிடி"), ("பணி", "சேனல்"), ("பூட்டு", "பணி_தொடங்கு")])
def test_new_words_are_ordinary_names_where_the_program_makes_them_so(names: tuple[str, str]) -> None:
    """A variable or a function of the program wins over a new function (hideable)."""
    first, second = names
    text = f'செயல் {first}(x) {{ திரும்பு x & 1; }} செயல் {second}(x) {{ திரும்பு x & 2; }} அச்சு {first}("அ"); அச்சு {second}("ஆ");'
    assert output_of(text) == ["அ1", "ஆ2"]


def test_every_spelling_of_a_word_means_the_same() -> None:
    text = """
    பணி f(n) { _sleep(1); திரும்பு n; }
    t = _spawn(f, 3); அச்சு _taskStatus(t); அச்சு _await(t); அச்சு _parallel([செயல்() { திரும்பு 1; }]);
    அச்சு _parallelMap([1, 2], f, {"limit": 1}); _timeout(3) { _sleep(1); அச்சு "உள்"; }
    l = _lock(); _withLock(l) { அச்சு "பூட்டு"; }
    a = _atomic(1); _atomicSet(a, 4); _atomicAdd(a, 1); அச்சு _atomicGet(a); அச்சு _atomicSwap(a, 5, 6); _cancel(t);
    """
    assert output_of(text) == ["ஓடுகிறது", "3", "[1]", "[1, 2]", "உள்", "பூட்டு", "5", "true"]
