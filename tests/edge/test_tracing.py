"""Names of requests: what came along is believed when it is well formed, and only then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etamil_actors.edge.tracing import Trace, Tracer, parse_traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01".encode()


def test_a_context_is_read_in_its_parts() -> None:
    assert parse_traceparent(HEADER) == Trace(TRACE, PARENT, "01")
    assert parse_traceparent(HEADER).is_sampled  # type: ignore[union-attr]
    assert not Trace(TRACE, PARENT, "02").is_sampled


@pytest.mark.parametrize("header", [
    None,
    b"",
    b"nonsense",
    HEADER.upper(),
    HEADER[:-1],
    HEADER + b"1",
    HEADER + b"-more",
    HEADER + b"\n",
    b" " + HEADER,
    HEADER.replace(b"-", b"_"),
    f"00-{'0' * 32}-{PARENT}-01".encode(),
    f"00-{TRACE}-{'0' * 16}-01".encode(),
    b"ff" + HEADER[2:],
    b"0x" + HEADER[2:],
    b"01" + HEADER[2:] + b".later",
    b"01" + HEADER[2:] + b"-" + b"x" * 1000,
])  # fmt: skip
def test_what_is_not_well_formed_counts_as_not_sent(header: bytes | None) -> None:
    assert parse_traceparent(header) is None


@pytest.mark.parametrize("header", [b"01" + HEADER[2:], b"cc" + HEADER[2:] + b"-later-parts"])
def test_of_a_version_to_come_the_known_parts_are_believed(header: bytes) -> None:
    assert parse_traceparent(header) == Trace(TRACE, PARENT, "01")


def test_a_request_goes_on_with_the_trace_under_a_parent_of_its_own() -> None:
    identity = Tracer().begin(HEADER)
    trace = parse_traceparent(identity.traceparent.encode())
    assert trace is not None
    assert (trace.trace_id, trace.flags) == (TRACE, "01")
    assert trace.parent_id != PARENT
    assert identity.request_id == TRACE


def test_a_caller_that_keeps_no_record_stays_so() -> None:
    assert Tracer().begin(HEADER[:-2] + b"00").traceparent.endswith("-00")


@pytest.mark.parametrize(("is_sampled", "flags"), [(True, "01"), (False, "00")])
def test_a_new_trace_is_well_formed(is_sampled: bool, flags: str) -> None:
    identity = Tracer(is_sampled=is_sampled).begin()
    trace = parse_traceparent(identity.traceparent.encode())
    assert trace is not None
    assert (trace.trace_id, trace.flags) == (identity.request_id, flags)


def test_two_requests_and_two_processes_have_different_names() -> None:
    one, other = Tracer(), Tracer()
    assert len({one.begin().request_id, one.begin().request_id, other.begin().request_id}) == 3


def test_a_step_of_a_request_is_a_child_in_the_same_trace() -> None:
    tracer = Tracer()
    parent = tracer.begin(HEADER).traceparent
    child = tracer.child_of(parent)
    assert child != parent
    assert parse_traceparent(child.encode()) == parse_traceparent(parent.encode())._replace(  # type: ignore[union-attr]
        parent_id=child[36:52]
    )


@pytest.mark.parametrize("name", [b"a", b"01HZX-7.e_f~g+h/i=j:k", b"x" * 128])
def test_an_id_of_the_client_is_kept(name: bytes) -> None:
    assert Tracer().begin(HEADER, name).request_id == name.decode()


@pytest.mark.parametrize("name", [b"", b"x" * 129, b"a b", b"a\n", b"a\r\nx: y", "அ".encode(), b'"a"', b"a,b", b"\x00"])
def test_an_id_that_is_not_fit_to_print_is_replaced(name: bytes) -> None:
    assert Tracer().begin(HEADER, name).request_id == TRACE


@given(st.binary(), st.binary())
def test_whatever_came_along_the_names_are_well_formed(header: bytes, name: bytes) -> None:
    identity = Tracer().begin(header, name)
    assert parse_traceparent(identity.traceparent.encode()) is not None
    assert identity.request_id.isascii() and identity.request_id.isprintable() and identity.request_id
