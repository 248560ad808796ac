"""Words of the top level about serving: where, and routes whose handler is a function.

``வழங்கி_தொடங்கு`` and its like say an address; it counts where the configuration is silent, and so does what
their records say of the database and the log. ``server.on`` makes a route. Under ``run`` nothing is served,
so of all this only the database counts there.

A program that runs anew for every request says its address when it is too late; of such a one the address
counts that is written out in its text (``know_written_address``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from etamil_actors.actors.programs.databases import default_from_settings
from etamil_actors.actors.programs.route_options import RouteOptions, read_route_options
from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import Fault, Frame
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.log_line import RANKS
from etamil_actors.vm.values import BuiltinFunction, Function, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity
    from etamil_actors.actors.programs.service import RunningService

LONGEST_PATH = 8192

LOG_LEVELS = {name: name for name in RANKS} | {"warning": "warn", "critical": "error"}
LOG_FORMATS = {name: name for name in ("auto", "text", "json")}


class Handler(NamedTuple):
    """A route that the top level has given a function."""

    method: str
    path: str
    options: RouteOptions
    function: Function | BuiltinFunction


@word("_onRequest")
def on_request(activity: Activity, method: Value, path: Value, *given: Value) -> None:
    """``server.on(method, path [, options], function)``."""
    service = activity.service
    if service.as_script or service.prelude_per_request:
        return  # under the rules of 2.0 there is no such word
    if service.template is not None:
        raise Fault(
            "not_here",
            name="server.on",
            problem_ta="வழிகள் மேல்நிலையில், சேவை தொடங்கும்போது மட்டும் அமைக்கப்படும்",
            problem_en="routes are made at the top level, while the service starts",
        )
    options, function = (None, given[0]) if len(given) == 1 else given
    if not isinstance(function, Function | BuiltinFunction):
        raise wrong_kind("server.on", "ஒரு செயல்", "a function", function)
    if isinstance(function, Function) and function.arity > 1:
        raise Fault(
            "value.invalid",
            name="server.on",
            problem_ta=f"‘{function.name}’ ஒரே ஓர் அளவுருவை (கோரிக்கையை) எடுக்க வேண்டும்",
            problem_en=f"‘{function.name}’ has to take one parameter, the request",
        )
    made = Handler(text_of(method).upper(), text_of(path), read_route_options(options), function)
    service.handlers.append(made)


@word("start_server")
def start_server(activity: Activity, host: Value, port: Value = None) -> None:
    """``வழங்கி_தொடங்கு host, port``."""
    _wants(activity, host, port, "வழங்கி_தொடங்கு")


@word("_listen")
def listen(activity: Activity, address: Value, port: Value = None) -> None:
    """``சேவையகம்_தொடங்கு(config)``, ``server.start("0.0.0.0:8080")``."""
    if isinstance(address, dict):
        apply_settings(activity, address, "_listen")
        return
    if port is None and type(address) is str:
        address, port = _parted(address)
    _wants(activity, address, port, tamil_of("_listen"))


@word("_application")
def make_application(activity: Activity, settings: Value = None) -> Value:
    """முதல்_உருவாக்கு: the application from settings, which may say an address."""
    if isinstance(settings, dict):
        apply_settings(activity, settings, "_application")
        return settings
    return {}


@word("_startApplication")
def start_application(activity: Activity, application: Value = None) -> None:
    """முதல்_தொடங்கு: the service starts anyway."""


def apply_settings(activity: Activity, settings: dict[str, Value], key: str) -> None:
    """What the settings of an application say of its address, database and log (EXTENSIONS §12). It counts
    where the configuration is silent; an address in அமை_புரோ only where nothing else has said one.

    Raises:
        Fault: ``value.invalid``, one of these is none.
    """
    default_from_settings(activity, settings, key)
    service = activity.service
    if service.as_script or service.template is not None:
        return
    inner = settings.get("server")
    records = (inner, settings) if isinstance(inner, dict) else (settings,)
    if key != "_config" or service.address is None:
        _wants(activity, _first(records, "host"), _first(records, "port"), tamil_of(key))
    level = _one_of(LOG_LEVELS, settings, "log_level", key)
    form = _one_of(LOG_FORMATS, settings, "logging", key)
    choose = service.system.choose_log
    if choose is not None:
        choose(service, level, form)


def _first(records: tuple[dict[str, Value], ...], name: str) -> Value:
    return next((record[name] for record in records if record.get(name) is not None), None)


def _one_of(known: dict[str, str], settings: dict[str, Value], name: str, key: str) -> str | None:
    """What a text in the settings means. What is no text there is a setting of the program's own."""
    said = settings.get(name)
    if type(said) is not str:
        return None
    meant = known.get(said.strip().lower())
    if meant is None:
        raise Fault(
            "value.invalid",
            name=f"{tamil_of(key)}: {name}",
            problem_ta=f"‘{said}’ என்ற மதிப்பு இல்லை; இருப்பவை: {', '.join(known)}",
            problem_en=f"there is no value ‘{said}’; known are {', '.join(known)}",
        )
    return meant


def _wants(activity: Activity, host: Value, port: Value, name: str) -> None:
    number = _port(port, name)
    service = activity.service
    if service.as_script or service.template is not None:  # once a service has started, it stays where it is
        return
    if host is not None or number is not None:
        service.address = _address(host, number)


def know_written_address(service: RunningService) -> None:
    """Where a program that runs anew for every request wants to be served, as its text has it. Of several
    the last counts, as it would if the program ran.

    Raises:
        Fault: ``value.invalid``, the port is none.
    """
    program = service.image.program
    service.address = service.computes_address = None
    rows = [row for row in program.addresses if row.host or row.port or not row.is_written]
    said = rows[-1] if rows else None
    if said is None:
        return
    where = Frame(*program.place_of(said.place), 1, "வழங்கி_தொடங்கு")
    if not said.is_written:
        service.computes_address = where
        return
    host, port = (said.host, said.port) if said.port else _parted(said.host)
    try:
        service.address = _address(host or None, _port(port, "வழங்கி_தொடங்கு"))
    except Fault as fault:
        fault.trace = (where,)
        raise


def _parted(text: str) -> tuple[str | None, str | None]:
    """``host:port``, where either may be missing."""
    if ":" not in text:
        return text, None
    host, _, port = text.rpartition(":")
    return host.strip("[]") or None, port


def _address(host: Value, port: int | None) -> tuple[str, int]:
    return ("127.0.0.1" if host is None else text_of(host), 8080 if port is None else port)


def _port(port: Value, name: str) -> int | None:
    if port is None:
        return None
    text = text_of(port)
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65_536:
        raise Fault(
            "value.invalid",
            name=name,
            problem_ta=f"‘{text}’ ஒரு துறை எண் (port) அல்ல; 1 முதல் 65535 வரை இருக்கலாம்",
            problem_en=f"‘{text}’ is no port; it is a number from 1 to 65535",
        )
    return int(text)
