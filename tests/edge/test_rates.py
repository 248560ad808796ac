"""The rate of a route: a bucket for each client, in a table that no flood of addresses can break."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etamil_actors.edge.rates import Rate, RateError, RateLimiter, client_of, parse_rate, retry_after

# ---------------------------------------------------------------- what is written


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/s", Rate(10, 1)),
        ("100/m", Rate(100, 60)),
        ("1000/h", Rate(1000, 3600)),
        ("5/d", Rate(5, 86_400)),
        ("10/30s", Rate(10, 30)),
        ("3/5m", Rate(3, 300)),
        (" 10 / 30 s ", Rate(10, 30)),
        ("1000000/d", Rate(1_000_000, 86_400)),
    ],
)
def test_a_rate_is_a_count_and_a_period(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate
    assert parse_rate(str(rate)) == rate


@pytest.mark.parametrize(
    "text",
    ["", "10", "/s", "10/", "10/x", "s/10", "-1/s", "1.5/s", "10/s/s", "10 per s", "௧௦/s", "10/S", "1e3/s", "9" * 80 + "/s"],
)
def test_what_is_no_rate_is_told_in_both_languages(text: str) -> None:
    with pytest.raises(RateError, match="is no rate") as told:
        parse_rate(text)
    assert "வேகம் அல்ல" in told.value.tamil
    assert len(str(told.value)) < 300


@pytest.mark.parametrize("text", ["0/s", "1000001/s", "1/0s", "1/2d", "1/86401s"])
def test_a_rate_beyond_the_limits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="of a rate is from"):
        parse_rate(text)


# ---------------------------------------------------------------- one client


def test_a_bucket_is_full_at_first_and_fills_evenly() -> None:
    limiter = RateLimiter("10/s")
    assert [limiter.admit("10.0.0.1", 5.0) for _ in range(10)] == [0.0] * 10
    assert limiter.admit("10.0.0.1", 5.0) == pytest.approx(0.1)
    assert limiter.admit("10.0.0.1", 5.0999) == pytest.approx(0.0001, rel=1e-6)
    assert limiter.admit("10.0.0.1", 5.1) == 0.0
    assert limiter.admit("10.0.0.1", 5.1) == pytest.approx(0.1)
    assert limiter.refused == 3
    assert limiter.admit("10.0.0.2", 5.1) == 0.0


class Model:
    """The same bucket, told plainly and exactly: a number of requests that grows with time."""

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self.there = Fraction(rate.requests)
        self.at = Fraction(0)

    def admit(self, now: Fraction) -> Fraction:
        pace = Fraction(self.rate.requests, self.rate.seconds)
        self.there = min(Fraction(self.rate.requests), self.there + (now - self.at) * pace)
        self.at = now
        if self.there >= 1:
            self.there -= 1
            return Fraction(0)
        return (1 - self.there) / pace


STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 200)), max_size=60)


@settings(deadline=None)
@given(count=st.integers(1, 12), seconds=st.sampled_from([1, 2, 3, 7, 60]), steps=STEPS)
def test_it_does_what_a_plain_bucket_does(count: int, seconds: int, steps: list[tuple[str, int]]) -> None:
    rate = Rate(count, seconds)
    limiter = RateLimiter(rate)
    models = {client: Model(rate) for client in "abc"}
    now = Fraction(0)
    for client, step in steps:
        now += Fraction(step, 100)
        expected = models[client].admit(now)
        waited = limiter.admit(client, float(now))
        if 0 < expected < Fraction(1, 10**6):
            models[client].there -= waited == 0  # a rounding decides here, either way
        else:
            assert waited == pytest.approx(float(expected), abs=1e-6)
        assert limiter.left(client, float(now)) == int(models[client].there + Fraction(1, 10**6))


@settings(deadline=None)
@given(
    rate=st.builds(Rate, st.integers(1, 50), st.integers(1, 100)),
    start=st.floats(0, 1e7),
    gaps=st.lists(st.floats(0, 10), max_size=40),
)
def test_who_waits_as_long_as_told_is_admitted(rate: Rate, start: float, gaps: list[float]) -> None:
    limiter, now = RateLimiter(rate), start
    for gap in gaps:
        now += gap
        wait = limiter.admit("x", now)
        assert 0.0 <= wait <= rate.seconds + 1e-5
        if wait:
            now += wait
            assert limiter.admit("x", now + 1e-6) == 0.0


def test_the_headers_tell_the_limit_what_is_left_and_when_to_come_again() -> None:
    limiter = RateLimiter("2/10s")
    assert dict(limiter.headers("a", 0.0)) == {
        b"ratelimit-policy": b'"default";q=2;w=10',
        b"ratelimit": b'"default";r=2;t=0',
    }
    assert limiter.admit("a", 0.0) == 0.0
    assert dict(limiter.headers("a", 0.0))[b"ratelimit"] == b'"default";r=1;t=5'
    assert limiter.admit("a", 1.0) == 0.0
    wait = limiter.admit("a", 1.0)
    told = dict(limiter.headers("a", 1.0, wait))
    assert told[b"ratelimit"] == b'"default";r=0;t=9'
    assert told[b"retry-after"] == b"4"
    assert limiter.admit("a", 1.0 + 4) == 0.0


# ---------------------------------------------------------------- who is one client


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:0001:2:0:0:0:9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("", "", True),
        ("unix:", "not:an:address", False),
    ],
)
def test_a_client_is_an_address_or_a_network_of_64_bits(one: str, other: str, is_same: bool) -> None:
    assert (client_of(one) == client_of(other)) is is_same


# ---------------------------------------------------------------- many clients


def test_a_flood_of_addresses_neither_grows_the_table_nor_frees_anybody() -> None:
    limiter = RateLimiter("2/m", clients=100, shared=8)
    assert [limiter.admit("victim", 0.0) for _ in range(3)][2] > 0
    for number in range(10_000):
        limiter.admit(f"10.0.{number // 250}.{number % 250}", 1.0)
    assert limiter.clients == 100
    assert limiter.admit("victim", 1.0) > 0
    assert limiter.refused > 9_000  # those without a bucket of their own share eight
    assert limiter.admit("10.0.0.5", 1.0) == 0.0  # its second, of its own bucket
    assert limiter.admit("10.0.0.5", 1.0) > 0


def test_whoever_shared_a_bucket_gets_no_fresh_one() -> None:
    limiter = RateLimiter("2/m", clients=1, shared=1)
    limiter.admit("first", 0.0)
    assert limiter.admit("second", 31.0 - 30.5) == 0.0
    assert limiter.admit("second", 0.5) == 0.0
    assert limiter.admit("second", 0.5) > 0
    # The first is full again and forgotten, so there is room for a bucket: with what was taken so far.
    assert limiter.admit("second", 31.0) == 0.0
    assert limiter.admit("second", 31.0) > 0


def test_those_who_do_not_come_back_are_forgotten() -> None:
    limiter = RateLimiter("2/s")
    for number in range(1000):
        limiter.admit(f"a{number}", 0.0)
    assert limiter.clients == 1000
    for number in range(1000):
        limiter.admit("one", 10.0 + number)
        limiter.admit(f"b{number}", 10.0 + number)
    assert limiter.clients < 10


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30)), max_size=200),
    st.integers(1, 8),
)
def test_no_client_ever_gets_more_than_its_bucket_and_what_flows_in(
    steps: list[tuple[int, int]], room: int
) -> None:
    rate = Rate(3, 2)
    limiter, now = RateLimiter(rate, clients=room, shared=2), 0.0
    admitted: dict[int, list[float]] = {}
    for client, step in steps:
        now += step / 50
        if not limiter.admit(f"c{client}", now):
            admitted.setdefault(client, []).append(now)
        assert limiter.clients <= room
    for moments in admitted.values():
        for begin, first in enumerate(moments):
            for end, last in enumerate(moments[begin:]):
                assert end + 1 <= rate.requests + (last - first) * rate.requests / rate.seconds + 1e-6


# ---------------------------------------------------------------- when to come again


@pytest.mark.parametrize(
    ("age", "waiting", "pace", "seconds"),
    [
        (0.0, 0, 0.0, 1),
        (0.0, 10, 100.0, 1),
        (2.0, 10, 1.0, 10),
        (7.2, 10, 100.0, 8),
        (3.0, 10, 0.0, 6),
        (0.0, 10, 0.0, 1),
        (1e9, 10, 1.0, 60),
        (0.0, 10**9, 1e-9, 60),
        (inf, 1, 1.0, 60),
        (nan, 1, 0.0, 60),
        (-5.0, 0, 1.0, 1),
    ],
)
def test_a_full_queue_tells_when_to_try_again(age: float, waiting: int, pace: float, seconds: int) -> None:
    assert retry_after(age, waiting, pace) == seconds


@settings(deadline=None)
@given(st.floats(0, 1e6), st.integers(0, 10**6), st.floats(0, 1e6))
def test_the_wait_is_always_a_whole_number_of_seconds_within_a_minute(age: float, waiting: int, pace: float) -> None:
    wait = retry_after(age, waiting, pace)
    assert 1 <= wait <= 60
    assert wait >= min(ceil(age), 60)
