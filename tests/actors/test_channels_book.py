"""The channels of a process: one name is one channel, and what programs and configuration say of it must fit."""

from __future__ import annotations

import gc
from decimal import Decimal
from typing import Any
from unicodedata import normalize

import pytest

from etamil_actors.actors.channels.base import BROADCAST, Channel, ChannelSettings
from etamil_actors.actors.channels.book import ChannelBook, settings_of
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.memory import QueueChannel
from etamil_actors.actors.journal.store import open_journal
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.errors import Fault

# ── options ──────────────────────────────────────────────────────────────────────────────────────


def test_options_make_settings() -> None:
    assert settings_of({}) == ChannelSettings()
    assert settings_of(
        {
            "capacity": 5, "overflow": "drop_oldest", "kind": "broadcast", "transport": "journal",
            "attempts": Decimal("3.0"), "ttl": Decimal("0.5"),
        }
    ) == ChannelSettings(
        capacity=5, overflow=Overflow.DROP_OLDEST, kind=BROADCAST, transport="journal", attempts=3, ttl=0.5
    )
    assert settings_of({"ttl": 2.5}, ChannelSettings(capacity=7)) == ChannelSettings(capacity=7, ttl=2.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"capacity": 0},
            "‘சேனல்_உருவாக்கு: capacity’: 1 அல்லது அதற்கு மேற்பட்ட முழு எண் தேவை; கிடைத்தது: 0"
            "  (‘சேனல்_உருவாக்கு: capacity’: it must be a whole number from 1, not 0)",
        ),
        (
            {"capacity": Decimal("1.5")},
            "‘சேனல்_உருவாக்கு: capacity’: 1 அல்லது அதற்கு மேற்பட்ட முழு எண் தேவை; கிடைத்தது: 1.5"
            "  (‘சேனல்_உருவாக்கு: capacity’: it must be a whole number from 1, not 1.5)",
        ),
        (
            {"capacity": "பத்து"},
            "‘சேனல்_உருவாக்கு: capacity’: ஓர் எண் தேவை; உரை கிடைத்தது"
            "  (‘சேனல்_உருவாக்கு: capacity’ wants a number, not a string)",
        ),
        (
            {"attempts": True},
            "‘சேனல்_உருவாக்கு: attempts’: ஓர் எண் தேவை; ஈர்ம மதிப்பு கிடைத்தது"
            "  (‘சேனல்_உருவாக்கு: attempts’ wants a number, not a boolean)",
        ),
        (
            {"ttl": 0},
            "‘சேனல்_உருவாக்கு: ttl’: சுழியத்தை விடப் பெரிய நொடிகள் தேவை; கிடைத்தது: 0"
            "  (‘சேனல்_உருவாக்கு: ttl’: it must be a number of seconds above zero, not 0)",
        ),
        (
            {"ttl": float("inf")},
            "‘சேனல்_உருவாக்கு: ttl’: முடிவுள்ள எண் தேவை; கிடைத்தது: inf"
            "  (‘சேனல்_உருவாக்கு: ttl’: it must be a number that ends, not inf)",
        ),
        (
            {"overflow": "explode"},
            "‘சேனல்_உருவாக்கு: overflow’: இவற்றில் ஒன்று: wait, reject, drop_oldest, drop_newest தேவை; கிடைத்தது: explode"
            "  (‘சேனல்_உருவாக்கு: overflow’: it must be one of wait, reject, drop_oldest, drop_newest, not explode)",
        ),
        (
            {"kind": 1},
            "‘சேனல்_உருவாக்கு: kind’: ஓர் உரை தேவை; எண் கிடைத்தது"
            "  (‘சேனல்_உருவாக்கு: kind’ wants a text, not a number)",
        ),
        (
            {"transport": ""},
            "‘சேனல்_உருவாக்கு: transport’: ஓர் ஊடகத்தின் பெயர் தேவை; கிடைத்தது: "
            "  (‘சேனல்_உருவாக்கு: transport’: it must be the name of a transport, not )",
        ),
        ({"speed": 3}, "‘speed’ என்ற விருப்பம் இல்லை  (there is no option ‘speed’)"),
    ],
)
def test_impossible_options_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(Fault) as caught:
        settings_of(options)
    assert caught.value.message == message


# ── names ────────────────────────────────────────────────────────────────────────────────────────


async def test_one_name_is_one_channel_for_all_services() -> None:
    book = ChannelBook()
    channel = book.named("கொள்முதல்", {"capacity": 5}, "கடை")
    assert isinstance(channel, QueueChannel)
    assert (channel.name, channel.path, channel.capacity) == ("கொள்முதல்", "/channels/கொள்முதல்", 5)
    assert book.named("கொள்முதல்", {"capacity": 5}, "கிடங்கு") is channel
    assert book.find("கொள்முதல்") is channel
    assert book.find("வேறு") is None


async def test_two_spellings_that_look_alike_are_one_name() -> None:
    book = ChannelBook(configured={normalize("NFD", "கொள்முதல்"): {"capacity": 7}})
    composed, decomposed = normalize("NFC", "கொள்முதல்"), normalize("NFD", "கொள்முதல்")
    assert composed != decomposed
    channel = book.named(decomposed, {}, "கடை")
    assert book.named(composed, {}, "கிடங்கு") is channel
    assert book.find(decomposed) is channel
    assert channel.name == composed
    assert channel.settings.capacity == 7


async def test_the_configuration_wins_over_programs() -> None:
    book = ChannelBook(configured={"briefs": {"capacity": 200, "overflow": "reject"}})
    channel = book.named("briefs", {"capacity": 5, "ttl": 9}, "a")
    assert channel.settings == ChannelSettings(capacity=200, overflow=Overflow.REJECT, ttl=9.0)
    assert book.named("briefs", {"capacity": 6, "ttl": 9}, "b") is channel


@pytest.mark.parametrize(
    ("first", "second", "tamil", "english"),
    [
        (
            {"capacity": 5}, {"capacity": 6},
            "‘capacity’: ‘கடை’ சொல்வது 5, ‘கிடங்கு’ சொல்வது 6", "‘capacity’ is 5 in ‘கடை’ and 6 in ‘கிடங்கு’",
        ),
        (
            {}, {"capacity": 6},
            "‘capacity’: ‘கடை’ சொல்வது 1000, ‘கிடங்கு’ சொல்வது 6", "‘capacity’ is 1000 in ‘கடை’ and 6 in ‘கிடங்கு’",
        ),
        (
            {"kind": "queue", "ttl": 5}, {"kind": "broadcast", "overflow": "drop_oldest"},
            "‘overflow’: ‘கடை’ சொல்வது wait, ‘கிடங்கு’ சொல்வது drop_oldest;"
            " ‘kind’: ‘கடை’ சொல்வது queue, ‘கிடங்கு’ சொல்வது broadcast; ‘ttl’: ‘கடை’ சொல்வது 5, ‘கிடங்கு’ சொல்வது —",
            "‘overflow’ is wait in ‘கடை’ and drop_oldest in ‘கிடங்கு’;"
            " ‘kind’ is queue in ‘கடை’ and broadcast in ‘கிடங்கு’; ‘ttl’ is 5 in ‘கடை’ and — in ‘கிடங்கு’",
        ),
    ],
)
async def test_programs_that_name_one_channel_must_agree(
    first: dict[str, Any], second: dict[str, Any], tamil: str, english: str
) -> None:
    book = ChannelBook()
    channel = book.named("c", first, "கடை")
    with pytest.raises(Fault) as caught:
        book.named("c", second, "கிடங்கு")
    assert caught.value.code == "config"
    assert caught.value.tamil == (
        f"அமைப்பு: சேனல் ‘c’ குறித்து நிரல்கள் முரண்படுகின்றன: {tamil};"
        " config.yaml: channels.c என்பதில் ஒன்றை முடிவு செய்யலாம்"
    )
    assert caught.value.english == (
        f"configuration: programs disagree about the channel ‘c’: {english}; config.yaml: channels.c can settle it"
    )
    assert book.named("c", first, "கிடங்கு") is channel


async def test_a_closed_channel_is_not_found_by_who_makes_one() -> None:
    book = ChannelBook()
    old = book.named("c", {}, "கடை")
    assert old.send_nowait(1)
    old.close()
    new = book.named("c", {"capacity": 3}, "கடை")
    assert new is not old
    assert book.find("c") is new
    assert book.channels == [new, old]
    old.try_take().ack()  # type: ignore[union-attr]
    new.close()
    assert book.named("c", {}, "கடை") is book.channels[0]
    assert book.channels == [book.find("c")]


async def test_a_channel_that_is_opened_again_is_there_once() -> None:
    book = ChannelBook()
    async with open_journal(":memory:") as journal:
        book.add_transport(
            "journal", lambda name, settings, path: journal.channel(name, settings, path, book.events)
        )
        channel = book.named("அஞ்சல்", {"transport": "journal"}, by="கடை")
        await channel.send(1)
        channel.close()
        assert book.named("அஞ்சல்", {"transport": "journal"}, by="கடை") is channel
        assert book.channels == [channel]


async def test_the_transport_is_known_before_a_channel_is_made() -> None:
    book = ChannelBook(configured={"c": {"transport": "journal"}})
    assert book.transport_of("c", {"transport": "memory"}) == "journal"
    assert book.transport_of("d", {"transport": "redis"}) == "redis"
    assert book.transport_of(None, {}) == "memory"


@pytest.mark.parametrize(
    ("options", "english"),
    [
        ({"capacity": -1}, "‘config.yaml: channels.briefs: capacity’: it must be a whole number from 1, not -1"),
        ({"fast": True}, "there is no option ‘fast’"),
    ],
)
def test_an_impossible_configuration_is_told_at_once(options: dict[str, Any], english: str) -> None:
    with pytest.raises(Fault) as caught:
        ChannelBook(configured={"briefs": options})
    assert caught.value.english == english


async def test_configured_names_that_nobody_made_are_known() -> None:
    book = ChannelBook(configured={"briefs": {}, "breifs": {}})
    book.named("briefs", {}, "a")
    assert book.never_made == ["breifs"]


# ── without a name, and other transports ─────────────────────────────────────────────────────────


async def test_channels_without_a_name_are_known_as_long_as_somebody_has_them() -> None:
    book = ChannelBook()
    named = book.named("c", {}, "கடை")
    first: Channel | None = book.unnamed("கடை.qmz:3", {"kind": "broadcast"}, "/root/கடை")
    second = book.unnamed("கடை.qmz:3", {}, "/root/கடை")
    assert isinstance(first, BroadcastChannel)
    assert first is not second
    assert (second.name, second.path) == ("கடை.qmz:3", "/root/கடை/கடை.qmz:3")
    assert book.channels == [named, first, second]
    first = None
    gc.collect()
    assert book.channels == [named, second]


async def test_what_waits_in_a_channel_that_nobody_has_is_counted() -> None:
    book = ChannelBook()
    channel: Channel | None = book.unnamed("கடை.qmz:3", {}, "/root/கடை")
    assert channel is not None
    for key in ("அ", "அ", "அ", None):
        assert channel.send_nowait(1, key=key)
    assert [channel.try_take() is not None for _ in range(3)] == [True, True, False]
    channel = None
    gc.collect()
    assert book.forgotten == 2
    assert book.channels == []


async def test_dead_letters_and_events_are_the_books() -> None:
    book = ChannelBook()
    channel = book.named("c", {"capacity": 1, "overflow": "drop_newest"}, "a")
    events: list[object] = []
    book.events.listen(events.append)
    assert [channel.send_nowait(number) for number in (1, 2)] == [True, False]
    assert book.letters.count("c") == 1
    assert len(events) == 2


async def test_a_transport_is_whatever_was_entered() -> None:
    book = ChannelBook()
    opened: list[object] = []

    def open_kept(name: str, settings: ChannelSettings, path: str) -> Channel:
        opened.append((name, settings.attempts, path))
        return QueueChannel(name, settings, path)

    with pytest.raises(Fault) as caught:
        book.named("c", {"transport": "journal"}, "கடை")
    assert caught.value.code == "config"
    assert caught.value.message == (
        "அமைப்பு: சேனல் ‘c’: ‘journal’ ஊடகம் இங்கே இல்லை; உள்ளவை: memory"
        "  (configuration: channel ‘c’: no transport ‘journal’ here; there is memory)"
    )
    assert book.find("c") is None
    book.add_transport("journal", open_kept)
    channel = book.named("c", {"transport": "journal", "attempts": 2}, "கடை")
    assert book.named("c", {"transport": "journal", "attempts": 2}, "கிடங்கு") is channel
    assert opened == [("c", 2, "/channels/c")]


async def test_a_channel_that_is_kept_needs_a_name() -> None:
    with pytest.raises(Fault) as caught:
        ChannelBook().unnamed("கடை.qmz:3", {"transport": "journal"}, "/root/கடை")
    assert caught.value.message == (
        "‘சேனல்_உருவாக்கு’: ‘journal’ ஊடகத்தில் உள்ள சேனலுக்குப் பெயர் தேவை"
        "  (‘சேனல்_உருவாக்கு’: a channel of the transport ‘journal’ needs a name)"
    )
