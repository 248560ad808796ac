"""The channels of one process: found by name, made as program and configuration say.

A name means one channel for all services; names are compared in NFC. What the configuration says of it
holds, whatever the programs say; on the rest all programs that name it must agree, the defaults of what
they leave open included. So it does not matter which of them comes first.

A channel without a name belongs to whoever made it, and is known here only as long as somebody has it. What
waited in it then is counted, for nothing is lost in silence.

How a channel is made is a table of openers, by transport: memory is always there, the others are entered
by whoever opens what they ride on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from decimal import Decimal
from math import isfinite
from typing import Final, NamedTuple, TypeAlias
from unicodedata import normalize
from weakref import ref

from etamil_actors.actors.channels.base import BROADCAST, MEMORY, QUEUE, Channel, ChannelSettings
from etamil_actors.actors.channels.broadcast import BroadcastChannel
from etamil_actors.actors.channels.letters import MemoryLetters
from etamil_actors.actors.channels.memory import QueueChannel
from etamil_actors.actors.events import EventStream
from etamil_actors.actors.mailbox import Overflow
from etamil_actors.errors import Fault
from etamil_actors.vm.convert import kind_of
from etamil_actors.vm.values import Value

CREATE: Final = "சேனல்_உருவாக்கு"
"""The word that makes channels, as errors name it."""

CONFIGURATION: Final = "config.yaml"

Opener: TypeAlias = Callable[[str, ChannelSettings, str], Channel]
"""Makes a channel of a transport: its name, settings, and path."""

DEFAULTS: Final = ChannelSettings()


class Named(NamedTuple):
    """A channel with a name, and who said first how it should be."""

    channel: Channel
    settings: ChannelSettings
    by: str


class ChannelBook:
    """See the top of the file."""

    def __init__(
        self,
        events: EventStream | None = None,
        letters: MemoryLetters | None = None,
        configured: Mapping[str, Mapping[str, Value]] | None = None,
    ) -> None:
        """``configured`` has the options of channels by name, under their English names.

        Raises:
            Fault: they hold something that no channel can be.
        """
        self.events = events if events is not None else EventStream()
        self.letters = letters if letters is not None else MemoryLetters()
        self._configured = _checked(configured or {})
        self._openers: dict[str, Opener] = {MEMORY: self._open_in_memory}
        self._named: dict[str, Named] = {}
        self._retired: list[Channel] = []
        """Closed ones that had a name, as long as there is something in them."""
        self._others: dict[int, ref[Channel]] = {}
        self._made = 0
        self.forgotten = 0
        """How many messages waited in channels that nobody had any more."""

    @property
    def configured(self) -> Mapping[str, Mapping[str, Value]]:
        """What the configuration says of channels, by name."""
        return self._configured

    def configure(self, configured: Mapping[str, Mapping[str, Value]]) -> list[str]:
        """Let these options hold for channels that are made from now on; answers those that are there with
        others, and stay so.

        Raises:
            Fault: they hold something that no channel can be.
        """
        new = _checked(configured)
        kept = {name: self._configured[name] for name in self._named if name in self._configured}
        others = [name for name in self._named if new.get(name) != kept.get(name)]
        self._configured = {name: new[name] for name in new if name not in self._named} | kept
        return others

    def add_transport(self, transport: str, opener: Opener) -> None:
        """Channels can be made of this transport from now on."""
        self._openers[transport] = opener

    # ── making ───────────────────────────────────────────────────────────────────────────────────

    def named(self, name: str, options: Mapping[str, Value], by: str, folder: str = "/channels") -> Channel:
        """The channel of this name, made now if it is not there.

        ``by`` is who asks, as people call it. A channel that was closed is not found again: whoever names
        it gets a new one, and those who have the old one keep it.

        Raises:
            Fault: ``config``, an earlier program wanted it otherwise, or the transport is not there;
                ``option.unknown``, ``value.kind``, ``value.invalid``: what no channel can be.
        """
        name = normalize("NFC", name)
        said = settings_of(options)
        settings = settings_of(
            self._configured.get(name, {}), said, word=f"{CONFIGURATION}: channels.{name}"
        )
        there = self._named.get(name)
        if there is not None and not there.channel.is_closed:
            if there.settings != settings:
                raise _disagreement(name, there, settings, by)
            return there.channel
        channel = self._open(name, settings, f"{folder}/{name}")
        if there is not None and there.channel is not channel:  # the journal has one for each name
            self._retired = [one for one in (*self._retired, there.channel) if not one.is_over]
        channel.global_name = ("channel", name)
        self._named[name] = Named(channel, settings, by)
        return channel

    def unnamed(self, place: str, options: Mapping[str, Value], folder: str) -> Channel:
        """A new channel that nobody finds by name; people call it by the place where it was made.

        Raises:
            Fault: as ``named``; ``value.invalid`` also when the transport keeps channels by name.
        """
        settings = settings_of(options)
        if settings.transport != MEMORY:
            raise Fault(
                "value.invalid",
                name=CREATE,
                problem_ta=f"‘{settings.transport}’ ஊடகத்தில் உள்ள சேனலுக்குப் பெயர் தேவை",
                problem_en=f"a channel of the transport ‘{settings.transport}’ needs a name",
            )
        channel = self._open(place, settings, f"{folder}/{place}")
        self._remember(channel)
        return channel

    def transport_of(self, name: str | None, options: Mapping[str, Value]) -> str:
        """What would carry the messages of such a channel.

        Raises:
            Fault: as ``named``.
        """
        configured = self._configured.get(normalize("NFC", name), {}) if name is not None else {}
        return settings_of(configured, settings_of(options)).transport

    def find(self, name: str) -> Channel | None:
        """The channel of this name, if some program has made it."""
        there = self._named.get(normalize("NFC", name))
        return there.channel if there is not None else None

    @property
    def channels(self) -> list[Channel]:
        """All that are there: those with names first, then closed ones, each kind in order of making."""
        # A list first: memory that is freed in the middle takes its entry out of the dictionary.
        others = [weak() for weak in list(self._others.values())]
        return [
            *(named.channel for named in self._named.values()),
            *self._retired,
            *(one for one in others if one is not None),
        ]

    @property
    def never_made(self) -> list[str]:
        """Names that the configuration speaks of and no program has made; perhaps a mistake in writing."""
        return [name for name in self._configured if name not in self._named]

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _open(self, name: str, settings: ChannelSettings, path: str) -> Channel:
        opener = self._openers.get(settings.transport)
        if opener is None:
            there = ", ".join(self._openers)
            raise Fault(
                "config",
                problem_ta=f"சேனல் ‘{name}’: ‘{settings.transport}’ ஊடகம் இங்கே இல்லை; உள்ளவை: {there}",
                problem_en=f"channel ‘{name}’: no transport ‘{settings.transport}’ here; there is {there}",
            )
        return opener(name, settings, path)

    def _open_in_memory(self, name: str, settings: ChannelSettings, path: str) -> Channel:
        kind = BroadcastChannel if settings.kind == BROADCAST else QueueChannel
        return kind(name, settings, path, self.events, self.letters)

    def _remember(self, channel: Channel) -> None:
        self._made += 1
        number = self._made
        waited = channel.counter() if isinstance(channel, QueueChannel) else None

        def is_freed(_: object) -> None:
            self._others.pop(number, None)
            if waited is not None:
                self.forgotten += waited()

        self._others[number] = ref(channel, is_freed)


def _checked(configured: Mapping[str, Mapping[str, Value]]) -> dict[str, Mapping[str, Value]]:
    """By names in NFC. Raises: Fault, they hold something that no channel can be."""
    found = {normalize("NFC", name): options for name, options in configured.items()}
    for name, options in found.items():
        settings_of(options, word=f"{CONFIGURATION}: channels.{name}")
    return found


def _disagreement(name: str, there: Named, settings: ChannelSettings, by: str) -> Fault:
    differ = [
        (field.name, _shown(getattr(there.settings, field.name)), _shown(getattr(settings, field.name)))
        for field in fields(ChannelSettings)
        if getattr(there.settings, field.name) != getattr(settings, field.name)
    ]
    tamil = "; ".join(
        f"‘{option}’: ‘{there.by}’ சொல்வது {one}, ‘{by}’ சொல்வது {other}" for option, one, other in differ
    )
    english = "; ".join(
        f"‘{option}’ is {one} in ‘{there.by}’ and {other} in ‘{by}’" for option, one, other in differ
    )
    hint = f"{CONFIGURATION}: channels.{name}"
    return Fault(
        "config",
        problem_ta=f"சேனல் ‘{name}’ குறித்து நிரல்கள் முரண்படுகின்றன: {tamil}; {hint} என்பதில் ஒன்றை முடிவு செய்யலாம்",
        problem_en=f"programs disagree about the channel ‘{name}’: {english}; {hint} can settle it",
    )


def _shown(value: object) -> str:
    if isinstance(value, Overflow):
        return value.value
    return "—" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# ── options ──────────────────────────────────────────────────────────────────────────────────────


def settings_of(
    options: Mapping[str, Value], base: ChannelSettings = DEFAULTS, word: str = CREATE
) -> ChannelSettings:
    """The settings that these options make of others. Names and words are the English ones.

    ``word`` is who is at fault when they are wrong.

    Raises:
        Fault: ``option.unknown``, ``value.kind``, ``value.invalid``.
    """
    read: dict[str, object] = {}
    for name, value in options.items():
        reader = _READERS.get(name)
        if reader is None:
            raise Fault("option.unknown", name=name)
        read[name] = reader(value, f"{word}: {name}")
    return replace(base, **read)  # type: ignore[arg-type]


def _whole(value: Value, what: str) -> int:
    number = _number(value, what)
    if number < 1 or number != int(number):
        raise _impossible(what, value, "1 அல்லது அதற்கு மேற்பட்ட முழு எண்", "a whole number from 1")
    return int(number)


def _seconds(value: Value, what: str) -> float:
    number = _number(value, what)
    if number <= 0:
        raise _impossible(what, value, "சுழியத்தை விடப் பெரிய நொடிகள்", "a number of seconds above zero")
    return float(number)


def _overflow(value: Value, what: str) -> Overflow:
    return Overflow(_one_of(value, what, tuple(rule.value for rule in Overflow)))


def _kind(value: Value, what: str) -> str:
    return _one_of(value, what, (QUEUE, BROADCAST))


def _transport(value: Value, what: str) -> str:
    text = _text(value, what)
    if not text:
        raise _impossible(what, value, "ஓர் ஊடகத்தின் பெயர்", "the name of a transport")
    return text


def _number(value: Value, what: str) -> int | Decimal | float:
    if type(value) is int or isinstance(value, Decimal | float):
        if not isfinite(value):
            raise _impossible(what, value, "முடிவுள்ள எண்", "a number that ends")
        return value
    raise Fault("value.kind", name=what, wanted_ta="ஓர் எண்", wanted_en="a number", kind=kind_of(value))


def _text(value: Value, what: str) -> str:
    if isinstance(value, str):
        return value
    raise Fault("value.kind", name=what, wanted_ta="ஓர் உரை", wanted_en="a text", kind=kind_of(value))


def _one_of(value: Value, what: str, words: tuple[str, ...]) -> str:
    text = _text(value, what)
    if text not in words:
        listed = ", ".join(words)
        raise _impossible(what, text, f"இவற்றில் ஒன்று: {listed}", f"one of {listed}")
    return text


def _impossible(what: str, value: Value, tamil: str, english: str) -> Fault:
    return Fault(
        "value.invalid",
        name=what,
        problem_ta=f"{tamil} தேவை; கிடைத்தது: {value}",
        problem_en=f"it must be {english}, not {value}",
    )


_READERS: Final[Mapping[str, Callable[[Value, str], object]]] = {
    "capacity": _whole,
    "overflow": _overflow,
    "kind": _kind,
    "transport": _transport,
    "attempts": _whole,
    "ttl": _seconds,
}
assert _READERS.keys() == {field.name for field in fields(ChannelSettings)}
