"""Words of channels, and தேர்வு (EXTENSIONS §6): what a program says, put to ``actors/channels``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any

import trio

from etamil_actors.actors.channels.base import JOURNAL, Channel, Delivery, Source
from etamil_actors.actors.channels.choosing import OTHERWISE, choose, choose_now
from etamil_actors.actors.moments import after, as_number
from etamil_actors.actors.programs.spans import Within, handling
from etamil_actors.actors.programs.words import deed, duration, expect, tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.machine import Choose, Walk
from etamil_actors.vm.options import name_and_options, read_options, seconds_of
from etamil_actors.vm.values import Err, Ok, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

FOREVER = float("inf")


@word("_channel")
def make_channel(activity: Activity, *arguments: Value) -> Any:
    """சேனல்_உருவாக்கு([name] [, options])."""
    name, options = name_and_options("_channel", arguments)
    system = activity.service.system
    if system.journal is None and system.channels.transport_of(name, options) == JOURNAL:
        return _make_in_journal(activity, name, options)
    return _make(activity, name, options)


async def _make_in_journal(activity: Activity, name: str | None, options: dict[str, Value]) -> Value:
    await activity.service.system.need_journal()
    return _make(activity, name, options)


def _make(activity: Activity, name: str | None, options: dict[str, Value]) -> Value:
    service = activity.service
    if name is None:
        return service.system.channels.unnamed(service.next_place("சேனல்"), options, service.path)
    return service.system.channels.named(name, options, service.name)


def a_channel(value: Value, key: str) -> Channel:
    """This value, which must be a channel that can be sent to."""
    if isinstance(value, Source) and not isinstance(value, Channel):
        raise Fault(
            "value.invalid",
            name=tamil_of(key),
            problem_ta="இது பெறுவதற்கான முனை மட்டுமே; சேனலையே கொடுங்கள்",
            problem_en="this is only an end to receive from; name the channel itself",
        )
    return expect(Channel, value, key, "ஒரு சேனல்", "a channel")  # type: ignore[type-abstract]


def a_source(value: Value, key: str) -> Source:
    """This value, which must be something to receive from."""
    return expect(Source, value, key, "ஒரு சேனல்", "a channel")  # type: ignore[type-abstract]


# ---- sending --------------------------------------------------------------------------


@word("_send")
def send(activity: Activity, target: Value, message: Value, options: Value = None) -> Any:
    """சேனல்_அனுப்பு."""
    channel = a_channel(target, "_send")
    if message is None:
        raise Fault(
            "validation",
            problem_ta="இன்மையைச் சேனலில் அனுப்ப முடியாது",
            problem_en="nothing (இன்மை) cannot be sent",
        )
    if options is None:
        accepted = channel.send_nowait(message, trace=activity.trace)
        return accepted if accepted is not None else channel.send(message, trace=activity.trace)
    given = read_options(options, "_send")
    delay = seconds_of(given, "delay", "_send", 0.0)
    key = text_of(given["key"]) if given.get("key") is not None else None
    id = text_of(given["id"]) if given.get("id") is not None else None
    limit = seconds_of(given, "timeout", "_send", FOREVER)
    trace = activity.trace
    accepted = channel.send_nowait(message, delay=delay, key=key, id=id, trace=trace)
    if accepted is not None:
        return accepted
    return _within(limit, channel.send(message, delay=delay, key=key, id=id, trace=trace))


async def _within(seconds: float, sending: Any) -> Value:
    with trio.CancelScope(deadline=after(seconds)) as limit:
        return await sending
    assert limit.cancelled_caught
    raise Fault("timeout", seconds=as_number(seconds))


# ---- receiving ------------------------------------------------------------------------


@word("_receive")
def receive(activity: Activity, target: Value, options: Value = None) -> Any:
    """சேனல்_பெறு."""
    source = a_source(target, "_receive")
    seconds = FOREVER
    if options is not None:
        seconds = seconds_of(read_options(options, "_receive"), "timeout", "_receive", FOREVER)
    activity.settle_source(source)
    activity.may_take(source)
    delivery = source.try_take()
    if delivery is not None:
        return received(activity, delivery)
    return _receive(activity, source, seconds)


async def _receive(activity: Activity, source: Source, seconds: float) -> Value:
    delivery = await activity.take(source.take(seconds))
    return None if delivery is None else received(activity, delivery)


def received(activity: Activity, delivery: Delivery) -> Value:
    """The value of a delivery that the activity has to settle, as its machine may use it."""
    activity.took(delivery)
    delivery.source.loosen(delivery)
    return activity.value_of(delivery)


@word("_tryReceive")
def try_receive(activity: Activity, target: Value) -> Value:
    """சேனல்_முயற்சி."""
    source = a_source(target, "_tryReceive")
    activity.settle_source(source)
    delivery = source.try_take()
    if delivery is not None:
        return Ok(received(activity, delivery))
    return Err("மூடப்பட்டது" if source.is_over else "காலி")


@word("_ack")
def acknowledge(activity: Activity, target: Value) -> None:
    """சேனல்_ஏற்பு."""
    source = a_source(target, "_ack")
    activity.settle_source(source)
    activity.settle_held(source, well=True)


@word("_nack")
def give_back(activity: Activity, target: Value) -> None:
    """சேனல்_மறு."""
    source = a_source(target, "_nack")
    activity.settle_source(source, well=False)
    activity.settle_held(source, well=False)


@word("_subscribe")
def subscribe(activity: Activity, target: Value) -> Value:
    """சேனல்_சந்தா."""
    subscription = a_channel(target, "_subscribe").subscribe()
    if activity.service.template is not None:  # that of the prelude is the service's
        activity.at_end(lambda well: subscription.end())
    return subscription


@word("_closeChannel")
def close(activity: Activity, target: Value) -> None:
    """சேனல்_மூடு."""
    a_channel(target, "_closeChannel").close()


@word("_pending")
def pending(activity: Activity, target: Value) -> Value:
    """சேனல்_நீளம்."""
    return a_source(target, "_pending").pending


# ---- walking through a channel --------------------------------------------------------


class Turns:
    """ஒவ்வொரு over a channel: each message is acknowledged when its turn ends."""

    def __init__(self, activity: Activity, source: Source) -> None:
        self._activity = activity
        self._source = source
        self._delivery: Delivery | None = None
        self._within: Within | None = None
        self._before = sys.exc_info()[1]

    def __iter__(self) -> Iterator[Value]:
        return self

    def __next__(self) -> Value:
        self._settle(well=True)
        self._activity.settle_source(self._source)
        self._activity.may_take(self._source)
        delivery = self._source.try_take()
        if delivery is None:
            delivery = self._activity.wait(self._activity.take(self._source.take()))
            if delivery is None:
                raise StopIteration
        self._delivery = delivery
        self._activity.hold(delivery)
        self._within = handling(self._activity, delivery)
        return self._activity.value_of(delivery)

    def _settle(self, *, well: bool, problem: BaseException | None = None) -> None:
        delivery, self._delivery = self._delivery, None
        if self._within is not None:
            self._within.leave(problem)
            self._within = None
        if delivery is not None:
            self._activity.let_go(delivery, well=well)

    def close(self) -> None:
        """The loop has been left. Called in a ``finally``, so what is being handled now and was not when
        the loop began is what left it."""
        problem = sys.exc_info()[1]
        is_well = problem is None or problem is self._before
        self._settle(well=is_well, problem=None if is_well else problem)


@deed(Walk)
def walk(activity: Activity, effect: Walk) -> Turns:
    """ஒவ்வொரு over a channel."""
    if not isinstance(effect.source, Source):
        raise Fault("loop.kind", kind=kind_of(effect.source))
    return Turns(activity, effect.source)


# ---- choosing -------------------------------------------------------------------------


class Choice:
    """What தேர்வு has chosen, for the length of its branch; its message is acknowledged at the end."""

    __slots__ = ("_activity", "_delivery", "_within", "branch", "value")

    def __init__(
        self,
        activity: Activity,
        branch: int | str | None,
        value: Value = None,
        delivery: Delivery | None = None,
    ) -> None:
        self._activity = activity
        self.branch = branch
        self.value = value
        self._delivery = delivery
        self._within: Within | None = None
        if delivery is not None:
            activity.hold(delivery)

    def __enter__(self) -> Choice:
        if self._delivery is not None:
            self._within = handling(self._activity, self._delivery)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._within is not None:
            self._within.leave(problem)
        if self._delivery is not None:
            self._activity.let_go(self._delivery, well=problem is None)


@deed(Choose)
def choose_one(activity: Activity, effect: Choose) -> Any:
    """தேர்வு."""
    sources = [a_source(source, "தேர்வு") for source in effect.sources]
    seconds = FOREVER if effect.after is None else duration(effect.after, "தேர்வு")
    for source in sources:
        activity.settle_source(source)
        activity.may_take(source)
    chosen = choose_now(sources)
    if chosen != OTHERWISE or effect.otherwise:
        return _choice(activity, chosen)
    return _choose(activity, sources, seconds if effect.after is not None else None)


async def _choose(activity: Activity, sources: list[Source], seconds: float | None) -> Choice:
    return _choice(activity, await activity.take(choose(sources, seconds)))


def _choice(activity: Activity, chosen: Any) -> Choice:
    if isinstance(chosen, tuple):
        place, delivery = chosen
        return Choice(activity, place, activity.value_of(delivery), delivery)
    return Choice(activity, chosen)
