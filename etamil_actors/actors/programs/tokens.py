"""Words of tokens (EXTENSIONS §10, *auth*).

What a program leaves out comes from ``auth.jwt`` of the configuration. The key is one part of it, whatever
its kind: a program that names a secret, or public keys, believes in nothing else, and in the algorithms that
go with it unless it names those too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from etamil_actors.actors.auth.keys import PUBLIC_ALGORITHMS, SECRET_ALGORITHMS
from etamil_actors.actors.auth.parts import misconfigured
from etamil_actors.actors.programs.words import tamil_of, word
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import JwtSettings
from etamil_actors.vm.builtins.registry import wrong_kind
from etamil_actors.vm.convert import text_of
from etamil_actors.vm.options import read_options, seconds_of
from etamil_actors.vm.values import Value

if TYPE_CHECKING:
    from etamil_actors.actors.auth.tokens import Tokens
    from etamil_actors.actors.programs.activity import Activity

VERIFY, ISSUE = "_verifyJwt", "_issueJwt"


@word(VERIFY)
def verify(activity: Activity, request: Value, options: Value = None) -> Any:
    """ஜீடபள்_சரிபார்த்து: the claims of the token in a request, or of one that is given as text."""
    tokens = _tokens(activity, options, VERIFY)
    token = _token_in(request)
    if not token:
        raise Fault("auth.missing")
    return tokens.claims_of(token, lambda: float(activity.service.world.wall_time()))


@word(ISSUE)
def issue(activity: Activity, claims: Value, options: Value = None) -> Value:
    """ஜீடபள்_உருவாக்கு: a token with these claims."""
    if not isinstance(claims, dict):
        raise wrong_kind(tamil_of(ISSUE), "உரிமைகளின் பொருள்", "a record of claims", claims)
    seconds = seconds_of(read_options(options, ISSUE), "ttl", ISSUE)
    now = int(activity.service.world.wall_time())
    return _tokens(activity, options, ISSUE).issue(claims, now, None if seconds is None else int(seconds))


def _tokens(activity: Activity, options: Value, key: str) -> Tokens:
    """What verifies as the program and the configuration say. Raises: Fault ``config``."""
    authority = activity.service.system.auth
    given = read_options(options, key)
    settings = _settings(given, authority.settings.jwt or JwtSettings(), key)
    if not settings.has_keys:
        raise misconfigured(
            f"{tamil_of(key)}: சாவி இல்லை; secret அல்லது jwks தரவும், அல்லது config.yaml-இல் auth.jwt அமைக்கவும்",
            f"{tamil_of(key)}: there is no key; give secret or jwks, or set auth.jwt in config.yaml",
        )
    return authority.verifier(settings)


def _settings(given: Mapping[str, Value], configured: JwtSettings, key: str) -> JwtSettings:
    settings = configured
    if "secret" in given or "jwks" in given:
        jwks = given.get("jwks")
        if jwks is not None and not isinstance(jwks, dict | str):
            raise wrong_kind(f"{tamil_of(key)}: jwks", "முகவரியோ பொருளோ", "an address or a record", jwks)
        settings = JwtSettings(
            secret=_text(given, "secret", key, ""),
            jwks=jwks if isinstance(jwks, dict) else None,
            jwks_url=jwks if isinstance(jwks, str) else "",
            algorithms=_fitting(configured.algorithms, given),
        )
    return replace(
        settings,
        issuer=_text(given, "issuer", key, configured.issuer),
        audience=_text(given, "audience", key, configured.audience),
        algorithms=_names(given["algorithms"], key) if "algorithms" in given else settings.algorithms,
    )


def _fitting(algorithms: tuple[str, ...], given: Mapping[str, Value]) -> tuple[str, ...]:
    """Those of the configuration that go with the keys that are given."""
    return tuple(
        name
        for name in algorithms
        if ("secret" in given and name in SECRET_ALGORITHMS)
        or ("jwks" in given and name in PUBLIC_ALGORITHMS)
    )


def _names(value: Value, key: str) -> tuple[str, ...]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(one, str) for one in names):
        raise wrong_kind(f"{tamil_of(key)}: algorithms", "வழிமுறைகளின் அணி", "an array of algorithms", value)
    return tuple(map(text_of, names))


def _text(given: Mapping[str, Value], name: str, key: str, otherwise: str) -> str:
    value = given.get(name, otherwise)
    if not isinstance(value, str):
        raise wrong_kind(f"{tamil_of(key)}: {name}", "ஓர் உரை", "a text", value)
    if name in given and not value:
        raise misconfigured(f"{tamil_of(key)}: {name} வெற்று", f"{tamil_of(key)}: {name} is empty")
    return value


def _token_in(request: Value) -> str:
    """The token that a request shows, or the text itself; empty when there is none."""
    if isinstance(request, str):
        return request.strip()
    headers = request.get("headers") if isinstance(request, dict) else None
    if not isinstance(headers, dict):
        raise wrong_kind(tamil_of(VERIFY), "கோரிக்கை அல்லது சீட்டு", "a request, or a token", request)
    scheme, _, token = text_of(headers.get("authorization") or "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
