"""Words that count, time and trace, and the spans of what the runtime does by itself, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from etamil_actors.actors.events import EventStream
from etamil_actors.actors.programs.log import Logged
from etamil_actors.errors import Fault
from etamil_actors.resources.telemetry.simulated import Told
from etamil_actors.resources.telemetry.tracer import KeptSpan
from etamil_actors.testing import Service, run_service
from etamil_actors.testing.requests import send
from tests.programs.running import failure_of, output_of, run_program

Scenario = Callable[[Service], Awaitable[Any]]


def run(text: str, scenario: Scenario | None = None, **options: Any) -> Service:
    """Run a service and a scenario with it; nothing may be left when both have ended."""
    seen: list[Service] = []

    async def watched(service: Service) -> None:
        seen.append(service)
        if scenario is not None:
            await scenario(service)
        await service.settle()

    run_service(text, watched, **options)
    assert seen[0].findings == []
    return seen[0]


def span_of(service: Service, name: str) -> KeptSpan:
    """The only span of this name."""
    (found,) = [span for span in service.system.tracer.spans if span.name == name]
    return found


async def ask(service: Service, path: str, headers: dict[str, str] | None = None) -> Any:
    return await send(service.system.site, "GET", path, headers, b"")


# ---- numbers --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ('மெட்ரிக்_எண்("ஆர்டர்கள்", 2);', Told("count", "ஆர்டர்கள்", 2, {}, "t")),
        ('மெட்ரிக்_எண் "http_requests_total", 1;', Told("count", "http_requests_total", 1, {}, "t")),
        ('_count("orders");', Told("count", "orders", 1, {}, "t")),
        ('_count("orders", 2.5, {"kind": "big", "number": 7});', Told("count", "orders", 2.5, {"kind": "big", "number": "7"}, "t")),
        ('மெட்ரிக்_நேரம் "request_duration", 125;', Told("timing", "request_duration", 0.125, {}, "t")),
        ('_timing("packing", 1.5, {"நகர்": "மதுரை"});', Told("timing", "packing", 0.0015, {"நகர்": "மதுரை"}, "t")),
        ('மெட்ரிக்_அளவு "இருப்பு", -3.5;', Told("gauge", "இருப்பு", -3.5, {}, "t")),
        ('_gauge("stock", 12, {"ok": மெய்});', Told("gauge", "stock", 12, {"ok": "true"}, "t")),
    ],
)  # fmt: skip
def test_a_number_is_told_under_its_name(statement: str, told: Told) -> None:
    assert list(run(statement).system.numbers.told) == [told]


WRONG = [
    ('மெட்ரிக்_எண்("x", 0 - 1);', "value.invalid"),
    ('மெட்ரிக்_எண்("x", 1, ["அ"]);', "value.kind"),
    ('மெட்ரிக்_நேரம்("x", 0 - 0.5);', "value.invalid"),
    ('மெட்ரிக்_நேரம்("x", 1, 5);', "value.kind"),
    ('மெட்ரிக்_அளவு("x", 1, "அ");', "value.kind"),
]


@pytest.mark.parametrize(("statement", "code"), WRONG)
def test_what_makes_no_sense_is_an_error_whether_anybody_reads_numbers_or_not(statement: str, code: str) -> None:
    assert failure_of(statement).code == code  # nobody does


def test_names_and_amounts_are_taken_as_all_words_take_texts_and_numbers() -> None:
    told = run('_count(5, "2"); _gauge("x", இன்மை);').system.numbers.told
    assert [(one.name, one.value) for one in told] == [("5", 2), ("x", 0)]


def test_where_nobody_reads_numbers_they_are_counted_nowhere() -> None:
    done = run_program('_count("a"); _timing("b", 5); _gauge("c", 7); அச்சு "முடிந்தது";')
    assert done.lines == ["முடிந்தது"]
    assert done.system.numbers is None


# ---- blocks ---------------------------------------------------------------------------


def test_blocks_nest_and_know_how_long_they_took() -> None:
    service = run('தடம்("வெளி", {"எண்": 5, "விலை": 1.50}) { உறங்கு(2); தடம்("உள்") { உறங்கு(1); } }')
    assert service.system.tracer.tree() == ["மேல்நிலை t", "  வெளி", "    உள்"]
    outer, inner = span_of(service, "வெளி"), span_of(service, "உள்")
    assert outer.attributes == {"எண்": 5, "விலை": "1.5"}
    assert (outer.ended - outer.began, inner.ended - inner.began) == pytest.approx((3e9, 1e9))


def test_a_block_that_fails_is_a_span_that_says_so_by_its_code() -> None:
    service = run('முயல் { _span("x") { பிழை_எழுப்பு("shop.closed", "மூடியாயிற்று"); } } பிழை(e) { }')
    assert span_of(service, "x").error == "shop.closed"
    assert span_of(service, "மேல்நிலை t").error == ""


def test_a_block_is_the_value_of_its_last_statement() -> None:
    assert output_of('செயல் இரு(x) { திரும்பு x * 2; } x = தடம்("அ") { இரு(1); இரு(4); }; அச்சு x;') == ["8"]


def test_a_block_that_is_left_in_the_middle_is_over() -> None:
    service = run('செயல் கா() { தடம்("அ") { திரும்பு 1; } } கா(); தடம்("ஆ") { }')
    assert service.system.tracer.tree() == ["மேல்நிலை t", "  அ", "  ஆ"]


def test_attributes_that_speak_of_secrets_are_not_told() -> None:
    service = run('தடம்("அ", {"password": "x", "user_pin": 5, "நகர்": "மதுரை"}) { }')
    assert span_of(service, "அ").attributes == {"password": "***", "user_pin": "***", "நகர்": "மதுரை"}


def test_of_attributes_so_many_are_told_and_so_much_of_each() -> None:
    service = run("""
    ப = {"long": "அ"}; ஒவ்வொரு i இல் [1,2,3,4,5,6,7,8,9,10,11,12] { ப.long = ப.long & ப.long; }
    ஒவ்வொரு i இல் வரிசை(100) { ப["a" & i] = i; }
    தடம்("x", ப) { }
    """.replace("வரிசை(100)", str(list(range(100)))))
    told = span_of(service, "x").attributes
    assert len(told) == 64 and told["long"] == "அ" * 1000


def test_secrets_inside_of_an_attribute_are_not_told_either() -> None:
    service = run('தடம்("அ", {"பயனர்": {"பெயர்": "ரவி", "password": "x"}}) { }')
    assert span_of(service, "அ").attributes == {"பயனர்": "{password: ***, பெயர்: ரவி}"}


def test_what_looks_like_a_secret_is_not_told_in_an_attribute() -> None:
    service = run('தடம்("x", {"url": "postgres://ravi:hunter2@db/kadai", "note": "Bearer abcdefghijk"}) { }')
    assert span_of(service, "x").attributes == {"url": "postgres://***@db/kadai", "note": "***"}


def test_where_nobody_follows_traces_a_block_is_only_a_block() -> None:
    assert output_of('தடம்("அ", {"x": 1}) { அச்சு "உள்"; } அச்சு "வெளி";') == ["உள்", "வெளி"]


def test_attributes_are_a_record() -> None:
    assert failure_of('தடம்("x", [1]) { }').code == "value.kind"


# ---- what the runtime tells by itself -------------------------------------------------

SHOP = """
வேலை = சேனல்_உருவாக்கு("வேலை");
நிலைத்த = சேனல்_உருவாக்கு("நிலைத்த", {"ஊடகம்": "பதிவேடு"});
பரப்பு = சேனல்_உருவாக்கு("பரப்பு", {"வகை": "பரப்பு"});
முகவர் கணக்கர்() {
    மொத்தம் = 0;
    செய்தி கூட்டு(எத்தனை) { மொத்தம் = மொத்தம் + எத்தனை; திரும்பு மொத்தம்; }
    செய்தி மெதுவாக() { உறங்கு(1); பதிவு_தகவல் "மெதுவாக"; }
}
க = கணக்கர்();
பணி_உருவாக்கு "எண்ணி", {"சேனல்": வேலை} { சேனல்_அனுப்பு(நிலைத்த, செய்தி); }
பணி_உருவாக்கு "நிலைத்தவை" { ஒவ்வொரு m இல் நிலைத்த { பதிவு_தகவல் "நிலைத்தது"; } }
பணி_உருவாக்கு "கேட்பவர்" {
    என் = சேனல்_சந்தா(பரப்பு);
    (மெய்) சுற்று { m = சேனல்_பெறு(என்); பதிவு_தகவல் "கேட்டது"; }
}
வழி பெறு, "/வாங்கு/:எது" {
    தடம்("கட்டுதல்") { க.கூட்டு(3); சேனல்_அனுப்பு(வேலை, "ஒன்று"); }
    சேனல்_அனுப்பு(பரப்பு, 1);
    பணி_உருவாக்கு "பின்னர்" { உறங்கு(5); பதிவு_தகவல் "பின்னர்"; }
    ப = பணி_தொடங்கு(செயல்() { க.மெதுவாக(); });
    பணி_காத்திரு(ப);
    பதில் 200, 1;
}
"""

SENT = "4bf92f3577b34da6a3ce929d0e0e4736"


def logged(service: Service) -> dict[str, str]:
    """The trace context of every line that was logged, by its event."""
    return {event.event: event.trace for event in service.trace.of(Logged)}


def test_one_request_is_one_trace_through_agents_channels_the_journal_jobs_and_tasks() -> None:
    async def scenario(service: Service) -> None:
        await ask(service, "/வாங்கு/பேனா")
        await service.settle()
        await service.advance(10)

    service = run(SHOP, scenario)
    (spans,) = [spans for spans in service.system.tracer.traces.values() if spans[0].kind == "server"]
    assert [span.name for span in spans if span.parent == ""] == ["GET /வாங்கு/:எது"]
    above = {span.span_id: span.name for span in spans}
    assert {(above.get(span.parent, ""), span.name, span.kind) for span in spans} == {
        ("", "GET /வாங்கு/:எது", "server"),
        ("GET /வாங்கு/:எது", "கட்டுதல்", "internal"),
        ("கட்டுதல்", "கணக்கர்.கூட்டு", "internal"),
        ("கட்டுதல்", "பணி எண்ணி", "consumer"),
        ("பணி எண்ணி", "process நிலைத்த", "consumer"),
        ("GET /வாங்கு/:எது", "process பரப்பு", "consumer"),
        ("GET /வாங்கு/:எது", "பணி பின்னர்", "internal"),
        ("GET /வாங்கு/:எது", "கணக்கர்.மெதுவாக", "internal"),
    }
    lines = logged(service)
    assert {context[3:35] for context in lines.values()} == {spans[0].trace_id}
    assert above[lines["நிலைத்தது"][36:52]] == "process நிலைத்த"
    assert above[lines["கேட்டது"][36:52]] == "process பரப்பு"
    assert above[lines["பின்னர்"][36:52]] == "பணி பின்னர்"
    assert above[lines["மெதுவாக"][36:52]] == "கணக்கர்.மெதுவாக"


def test_a_request_tells_what_the_conventions_want_and_no_query() -> None:
    async def scenario(service: Service) -> None:
        await ask(service, "/a/7?secret=1", {"host": "kadai.example:8080", "user-agent": "x/1"})

    service = run('வழி பெறு, "/a/:n" { பதில் 200, 1; }', scenario)
    span = span_of(service, "GET /a/:n")
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": "/a/:n",
        "url.scheme": "http",
        "url.path": "/a/7",
        "network.protocol.version": "1.1",
        "client.address": span.attributes["client.address"],
        "server.address": "kadai.example",
        "server.port": 8080,
        "user_agent.original": "x/1",
        "etamil.service": "t",
    }
    assert span.error == ""


def test_a_signed_token_in_a_path_is_told_to_nobody() -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r"

    async def scenario(service: Service) -> None:
        await ask(service, f"/a/{token}?token={token}")

    service = run('வழி பெறு, "/a/:n" { பதில் 200, 1; }', scenario)
    span = span_of(service, "GET /a/:n")
    assert span.attributes["url.path"] == "/a/***" and token not in str(span.attributes)


@pytest.mark.parametrize(
    ("path", "status", "name", "error"),
    [
        ("/none", 404, "GET", ""),
        ("/bad", 500, "GET /bad", "500"),
        ("/no", 403, "GET /no", ""),
        ("/late", 504, "GET /late", "504"),
    ],
)
def test_only_what_is_our_fault_is_an_error_of_a_request(path: str, status: int, name: str, error: str) -> None:
    async def scenario(service: Service) -> None:
        assert (await ask(service, path)).status == status

    service = run(
        """
        வழி பெறு, "/bad" { பிழை_எழுப்பு("x", "y"); }
        வழி பெறு, "/no" { பதில் 403, 1; }
        வழி பெறு, "/late", {"timeout": 1} { உறங்கு(5); }
        """,
        scenario,
    )
    assert span_of(service, name).error == error


def test_health_and_numbers_are_asked_without_a_span() -> None:
    async def scenario(service: Service) -> None:
        for path in ("/health", "/health/live", "/metrics", "/openapi.json"):
            assert (await ask(service, path)).status == 200

    service = run('வழி பெறு, "/a" { பதில் 200, 1; }', scenario)
    assert [span for span in service.system.tracer.spans if span.kind == "server"] == []


@pytest.mark.parametrize(("flags", "count"), [("01", 2), ("00", 0)])
def test_whoever_sent_a_request_decides_whether_its_trace_is_kept(flags: str, count: int) -> None:
    async def scenario(service: Service) -> None:
        answer = await ask(service, "/a", {"traceparent": f"00-{SENT}-00f067aa0ba902b7-{flags}"})
        context = answer.field("traceparent")
        assert context[3:35] == SENT and context[53:] == flags and context[36:52] != "00f067aa0ba902b7"

    service = run('வழி பெறு, "/a" { தடம்("அ") { பதிவு_தகவல் "வந்தது"; } பதில் 200, 1; }', scenario)
    spans = [span for span in service.system.tracer.spans if span.trace_id == SENT]
    assert len(spans) == count
    assert logged(service)["வந்தது"][3:35] == SENT
    if spans:
        assert spans[1].parent == "00f067aa0ba902b7" and spans[0].parent == spans[1].span_id


def test_the_context_travels_also_where_nobody_follows_it() -> None:
    heard: list[Logged] = []
    events = EventStream()
    events.listen(lambda event: heard.append(event) if isinstance(event, Logged) else None, messages=False)
    run_program(
        """
        வேலை = சேனல்_உருவாக்கு("வேலை");
        முகவர் கணக்கர்() { செய்தி கூட்டு() { பதிவு_தகவல் "முகவர்"; } }
        க = கணக்கர்();
        பணி_உருவாக்கு "எண்ணி", {"சேனல்": வேலை} { பதிவு_தகவல் "பணி"; }
        செயல் ஓட்டு() { க.கூட்டு(); சேனல்_அனுப்பு(வேலை, 1); பதிவு_தகவல் "செயல்"; }
        பணி_உருவாக்கு "தொடக்கம்" { ஓட்டு(); }
        """,
        events=events,
    )
    assert {(line.event, line.trace) for line in heard} == {("முகவர்", ""), ("பணி", ""), ("செயல்", "")}


def test_a_message_that_fails_is_a_span_with_an_error_for_each_try() -> None:
    text = """
    வேலை = சேனல்_உருவாக்கு("வேலை");
    பணி_உருவாக்கு "எண்ணி", {"சேனல்": வேலை, "தடவை": 2, "பின்வாங்கு": 1} { பிழை_எழுப்பு("bad", "x"); }
    தடம்("அனுப்பு") { சேனல்_அனுப்பு(வேலை, 1); }
    """

    async def scenario(service: Service) -> None:
        await service.advance(20)

    service = run(text, scenario)
    tries = [span for span in service.system.tracer.spans if span.name == "பணி எண்ணி"]
    assert [(span.error, span.attributes["etamil.attempt"]) for span in tries] == [("bad", 1), ("bad", 2)]
    assert {span.parent for span in tries} == {span_of(service, "அனுப்பு").span_id}
    assert (service.system.runs.jobs["t", "எண்ணி"].runs, service.system.runs.jobs["t", "எண்ணி"].failed) == (2, 2)


def test_every_run_of_a_schedule_is_a_trace_of_its_own() -> None:
    async def scenario(service: Service) -> None:
        await service.advance(35)

    service = run('பணி_உருவாக்கு "மணி", {"every": 10} { தடம்("அடி") { } }', scenario)
    runs = [spans for spans in service.system.tracer.traces.values() if spans[0].name == "பணி மணி"]
    assert [[span.name for span in spans] for spans in runs] == [["பணி மணி", "அடி"]] * 3


def test_an_answer_that_an_agent_refuses_is_told_by_its_code() -> None:
    service = run("""
    முகவர் அ() { செய்தி கேள்() { பிழை_எழுப்பு("not_found", "இல்லை"); } }
    க = அ();
    முயல் { க.கேள்(); } பிழை(e) { }
    """)
    assert span_of(service, "அ.கேள்").error == "not_found"


def test_the_branch_of_a_choice_goes_on_with_its_message() -> None:
    service = run("""
    வ = சேனல்_உருவாக்கு("வ");
    தடம்("அனுப்பு") { சேனல்_அனுப்பு(வ, 1); }
    தேர்வு { m இல் வ { தடம்("கை") { } } }
    தடம்("பிறகு") { }
    """)
    assert service.system.tracer.tree() == [
        "மேல்நிலை t", "  அனுப்பு", "    process வ", "      கை", "  பிறகு",
    ]  # fmt: skip


def test_a_durable_job_goes_on_with_the_trace_of_who_started_it() -> None:
    async def scenario(service: Service) -> None:
        await ask(service, "/a")
        await service.advance(5)

    service = run('வழி பெறு, "/a" { பணி_உருவாக்கு "பின்", {"durable": மெய்} { உறங்கு(1); } பதில் 200, 1; }', scenario)
    assert span_of(service, "பணி பின்").parent == span_of(service, "GET /a").span_id


def test_two_runs_of_a_simulation_have_the_same_ids() -> None:
    async def scenario(service: Service) -> None:
        await ask(service, "/வாங்கு/பேனா")
        await service.advance(10)

    one, other = ([span.context for span in run(SHOP, scenario, seed=3).system.tracer.spans] for _ in range(2))
    assert one == other and len(one) > 8


def test_an_exception_of_ours_is_told_by_its_kind() -> None:
    from etamil_actors.actors.programs.spans import error_of
    from etamil_actors.errors import ActivityCancelled, BudgetSpent, ExitRequested

    assert error_of(Fault("timeout", seconds=Decimal(1))) == "timeout"
    assert error_of(BudgetSpent(Fault("budget.time", seconds=1))) == "budget.time"
    assert error_of(ExitRequested(3)) == ""
    assert error_of(ActivityCancelled()) == "cancelled"
    assert error_of(ValueError("a secret")) == "ValueError"
