"""Words of the top level about serving: where, and routes whose handler is a function.

``வழங்கி_தொடங்கு`` and its like say an address; it counts where the configuration is silent. ``server.on`` makes
a route. Under ``run`` they do nothing, as nothing is served.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from etamil_actors.actors.programs.route_options import RouteOptions, read_route_options
from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.values import BuiltinFunction, Function, Value

if TYPE_CHECKING:
    from etamil_actors.actors.programs.activity import Activity

LONGEST_PATH = 8192


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
        inner = address.get("server")
        record = inner if isinstance(inner, dict) else address
        address, port = record.get("host"), record.get("port")
        if address is None and port is None:
            return
    elif port is None and type(address) is str and ":" in address:
        address, _, port = address.rpartition(":")
        address = address.strip("[]") or None
    _wants(activity, address, port, tamil_of("_listen"))


@word("_application")
def make_application(activity: Activity, settings: Value = None) -> Value:
    """முதல்_உருவாக்கு: the application from settings, which may say an address."""
    if isinstance(settings, dict):
        listen(activity, settings)
        return settings
    return {}


@word("_startApplication")
def start_application(activity: Activity, application: Value = None) -> None:
    """முதல்_தொடங்கு: the service starts anyway."""


def _wants(activity: Activity, host: Value, port: Value, name: str) -> None:
    number = _port(port, name)
    service = activity.service
    if not service.as_script and (host is not None or number is not None):
        service.address = ("127.0.0.1" if host is None else text_of(host), 8080 if number is None else number)


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
