"""Words of settings (EXTENSIONS §10).

A program says in அமை_புரோ which settings it has, each with its default. Whoever runs it may say something
else, and the nearest says last:

```
defaults of the program  ◀─ settings of the service in config.yaml  ◀─ environment
database.url                 settings: { database: { url: … } }         SETTING_DATABASE_URL
```

The default decides the kind: the environment has only texts, which become a number or a boolean where the
program has one, and a configuration that says a word where a number belongs is wrong. Nothing of a value is
ever told in an error, for it may be a password.

Everything here but the words is pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from unicodedata import normalize

from etamil_actors.actors.programs.serving import apply_settings
from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import KIND_IN_TAMIL, Fault
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import kind_of, text_of
from etamil_actors.vm.from_text import FALSE, TRUE
from etamil_actors.vm.number import parse_number
from etamil_actors.vm.values import UNSET, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

Variables = Callable[[str], str | None]

PREFIX: Final = "SETTING_"


@word("_config")
def declare(activity: Activity, defaults: Value) -> Value:
    """அமை_புரோ: these are the settings; the record as it is here."""
    if not isinstance(defaults, dict):
        raise wrong_kind(tamil_of("_config"), "இயல்பு மதிப்புகளின் பொருள்", "a record of defaults", defaults)
    service = activity.service
    service.defaults = merged(service.defaults, defaults)
    found = in_effect((), defaults, service.settings, service.world.environment)
    if isinstance(found, dict):
        apply_settings(activity, found, "_config")
    return found


@word("_setting")
def setting(activity: Activity, name: Value, *default: Value) -> Value:
    """அமைப்பு: one of them, or a part with several."""
    service = activity.service
    whole = normalize("NFC", text_of(name))
    way = tuple(whole.split("."))
    declared = part_of(service.defaults, way)
    if declared is UNSET and default:
        declared = default[0]
    found = in_effect(way, declared, part_of(service.settings, way), service.world.environment)
    if found is UNSET:
        raise Fault(
            "config",
            problem_ta=f"‘{whole}’ என்ற அமைப்புக்கு மதிப்பு இல்லை; {variable(way)} அல்லது settings-இல் தரவும்",
            problem_en=f"the setting ‘{whole}’ has no value; give it in {variable(way)} or under settings",
        )
    assert activity.machine is not None
    return activity.machine.adopt(found)


# ---- what holds in the end ----------------------------------------------------------------


def merged(first: Mapping[str, Value], second: Mapping[str, Value]) -> dict[str, Value]:
    """Both; where both say something the second."""
    both = dict(first)
    for key, value in second.items():
        before = both.get(key)
        both[key] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return both


def part_of(record: Value, way: tuple[str, ...]) -> Value:
    """What stands at the end of this way; UNSET where it leads nowhere."""
    for key in way:
        record = _field(record, key) if isinstance(record, dict) else UNSET
    return record


def _field(record: Mapping[str, Value], key: str) -> Value:
    if key in record:
        return record[key]
    key = normalize("NFC", key)  # a file may have been written by a machine that writes Tamil otherwise
    return next((value for name, value in record.items() if normalize("NFC", name) == key), UNSET)


def in_effect(way: tuple[str, ...], default: Value, said: Value, variables: Variables) -> Value:
    """The value of a setting, or of all below it; UNSET where nobody says anything.

    Raises:
        Fault: ``config``, what is said is of another kind than the default.
    """
    like = said if default is UNSET else default
    if isinstance(like, dict):
        if said is not UNSET and not isinstance(said, dict):
            raise _unfit(_place(way), default, said)
        keys = [*like, *(key for key in _names(said) if _field(like, key) is UNSET)]
        return {
            key: in_effect((*way, key), part_of(default, (key,)), part_of(said, (key,)), variables)
            for key in keys
        }
    text = variables(variable(way))
    if text is not None:
        return _converted(text, like, variable(way))
    if said is UNSET:
        return default
    if not _fits(said, default):
        raise _unfit(_place(way), default, said)
    return said


def _names(record: Value) -> list[str]:
    return list(record) if isinstance(record, dict) else []


def variable(way: tuple[str, ...]) -> str:
    """The environment variable of a setting: ``database.url`` is ``SETTING_DATABASE_URL``."""
    return PREFIX + re.sub(r"[\x00-/:-@\[-`{-\x7f]", "_", normalize("NFC", "_".join(way))).upper()


def _place(way: tuple[str, ...]) -> str:
    return f"settings: {'.'.join(way)}"


# ---- kinds --------------------------------------------------------------------------------


def _fits(value: Value, like: Value) -> bool:
    return like is UNSET or like is None or value is None or _family(value) is _family(like)


def _family(value: Value) -> type[Any]:
    kind = Decimal if type(value) is int else type(value)
    return dict if isinstance(value, dict) else kind


def _converted(text: str, like: Value, name: str) -> Value:
    """A text of the environment as the kind of the default.

    Raises:
        Fault: ``config``, it cannot be read so.
    """
    value: Value = text
    if type(like) is bool:
        word = text.strip().lower()
        value = True if word in TRUE else False if word in FALSE else text
    elif type(like) is int or type(like) is Decimal:
        number = parse_number(text)
        value = text if number is None else number
    elif type(like) is list:
        kind = like[0] if like else ""
        return [_converted(part.strip(), kind, name) for part in text.split(",")] if text.strip() else []
    if like is not UNSET and like is not None and _family(value) is not _family(like):
        raise _unfit(name, like, value)
    return value


def _unfit(place: str, like: Value, value: Value) -> Fault:
    wanted, came = kind_of(like), kind_of(value)
    wanted_ta, came_ta = KIND_IN_TAMIL.get(wanted, wanted), KIND_IN_TAMIL.get(came, came)
    return Fault(
        "config",
        problem_ta=f"{place}: {wanted_ta} தேவை; {came_ta} கிடைத்தது",
        problem_en=f"{place}: {wanted} is wanted, not {came}",
    )
