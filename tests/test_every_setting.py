"""Every setting of config.yaml, each with a value that is not its default, and where it arrives.

``SAID`` has one row for each setting of the table, so a new one has to be added here. Two ways to say the same
(a secret, or a file with it) stand in files of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from etamil_actors import configuration_auth
from etamil_actors.commands.config import in_force
from etamil_actors.configuration import Setup, read_setup
from etamil_actors.configuration_auth import JWT, KEY, OIDC
from etamil_actors.configuration_resources import SECTIONS, reference
from etamil_actors.configuration_table import HTTP, SERVICE, TOP, http_reference
from etamil_actors.edge.settings import HttpSettings

DIGEST = f"{7:064}"
SECRET = "0123456789abcdef"
KEYS = {"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}
"""The key of RFC 8037."""
FROM_FILE = "ஒரு கோப்பில் உள்ள இரகசியம்"


class Said(NamedTuple):
    """How a setting is written, and what arrives."""

    text: str
    value: object


WITHIN = "…"
"""It stands within what is written of another."""

SAID: Mapping[str, Said] = {
    "name": Said("கடை", "கடை"),
    "services": Said(
        "[{ path: a.qmz, prefix: /api/, prelude: per_request, settings: { வாழ்த்து: வணக்கம் } }, b.qmz]", ["a.qmz", "b.qmz"]
    ),
    "services.path": Said(WITHIN, "FOLDER/a.qmz"),
    "services.prefix": Said(WITHIN, "/api"),
    "services.prelude": Said(WITHIN, True),
    "services.settings": Said(WITHIN, {"வாழ்த்து": "வணக்கம்"}),
    "channels": Said(
        "{ வேலை: { கொள்ளளவு: 5, நிரம்பினால்: மறு, ஆயுள்: 2.5 }, orders: { transport: journal, kind: queue, attempts: 4 } }",
        {
            "வேலை": {"capacity": 5, "overflow": "reject", "ttl": Decimal("2.5")},
            "orders": {"transport": "journal", "kind": "queue", "attempts": 4},
        },
    ),
    "processes": Said("2", 2),
    # ── http
    "http.bind": Said('["127.0.0.1:8080", "[::1]:8080", ":9090"]', ("127.0.0.1:8080", "[::1]:8080", ":9090")),
    "http.target": Said("4KiB", 4096),
    "http.headers": Said("8 KiB", 8192),
    "http.header_count": Said("50", 50),
    "http.body": Said("2MiB", 2 << 20),
    "http.header_time": Said("5s", 5.0),
    "http.body_time": Said("1m", 60.0),
    "http.body_rate": Said("1kB", 1000),
    "http.handler_time": Said("2.5", 2.5),
    "http.write_time": Said("250ms", 0.25),
    "http.keep_alive": Said("2m", 120.0),
    "http.tls_time": Said("3s", 3.0),
    "http.connections": Said("1_000", 1000),
    "http.per_address": Said("10", 10),
    "http.in_flight": Said("99", 99),
    "http.buffered": Said("1GiB", 1 << 30),
    "http.forms.fields": Said("5", 5),
    "http.forms.files": Said("0", 0),
    "http.forms.memory": Said("0", 0),
    "http.websocket.message": Said("64KiB", 65536),
    "http.websocket.ping": Said("1h", 3600.0),
    "http.drain_delay": Said("7", 7.0),
    "http.trusted_proxies": Said('"127.0.0.1, 10.0.0.0/8"', ("127.0.0.1", "10.0.0.0/8")),
    "http.debug": Said("yes", True),
    "http.envelope": Said("true", True),
    "http.access_log": Said("பொய்", False),
    "http.compress": Said("false", False),
    "http.http2": Said("off", "off"),
    "http.paths.health": Said("/நலம்", "/நலம்"),
    "http.paths.metrics": Said("off", ""),
    "http.paths.openapi": Said('"/api/openapi.json"', "/api/openapi.json"),
    "http.paths.docs": Said('""', ""),
    "http.cors.origins": Said(
        '[https://kadai.example, "http://localhost:3000"]', ("https://kadai.example", "http://localhost:3000")
    ),
    "http.cors.methods": Said("[GET]", ("GET",)),
    "http.cors.headers": Said("[X-One]", ("X-One",)),
    "http.cors.exposed": Said("X-Two, X-Three", ("X-Two", "X-Three")),
    "http.cors.credentials": Said("true", True),
    "http.cors.max_age": Said("1d", 86400),
    "http.tls.certificate": Said("cert.pem", "FOLDER/cert.pem"),
    "http.tls.key": Said("key.pem", "FOLDER/key.pem"),
    "http.session.secret": Said(SECRET, SECRET),
    "http.session.secret_file": Said("secret", FROM_FILE),
    "http.session.old_secrets": Said("[fedcba9876543210]", ("fedcba9876543210",)),
    "http.session.cookie": Said("kadai", "kadai"),
    "http.session.lifetime": Said("2h", 7200),
    "http.session.secure": Said("true", True),
    # ── auth
    "auth.roles": Said(
        "{ admin: [editor, reader], editor: reader }", {"admin": ("editor", "reader"), "editor": ("reader",)}
    ),
    "auth.passwords": Said("argon2id", "argon2id"),
    "auth.jwt.secret": Said("fedcba98765432100", "fedcba98765432100"),
    "auth.jwt.secret_file": Said("secret", FROM_FILE),
    "auth.jwt.algorithms": Said("[HS256, HS512]", ("HS256", "HS512")),
    "auth.jwt.issuer": Said("kadai", "kadai"),
    "auth.jwt.audience": Said('"மக்கள்"', "மக்கள்"),
    "auth.jwt.jwks_file": Said("keys.json", KEYS),
    "auth.jwt.jwks_url": Said("https://id.example/keys", "https://id.example/keys"),
    "auth.keys.<name>.hash": Said(f'"{DIGEST}"', (DIGEST,)),
    "auth.keys.<name>.roles": Said("[reader]", ("reader",)),
    "auth.oidc.issuer": Said("https://id.example", "https://id.example"),
    "auth.oidc.client_id": Said("kadai", "kadai"),
    "auth.oidc.client_secret": Said("hush", "hush"),
    "auth.oidc.client_secret_file": Said("secret", FROM_FILE),
    "auth.oidc.scopes": Said("[openid, email]", ("openid", "email")),
    "auth.oidc.claims": Said("[email]", ("email",)),
    "auth.oidc.roles_claim": Said("realm_access.roles", "realm_access.roles"),
    "auth.oidc.lifetime": Said("90m", 5400),
    "auth.oidc.url": Said("https://kadai.example", "https://kadai.example"),
    "auth.oidc.login": Said("/உள்ளே", "/உள்ளே"),
    "auth.oidc.callback": Said("/auth/callback", "/auth/callback"),
    "auth.oidc.logout": Said("/வெளியே", "/வெளியே"),
    "auth.oidc.after": Said("/home", "/home"),
    "auth.oidc.rate": Said("10/30s", "10/30s"),
    # ── database
    "database.<name>.url": Said("sqlite:data/kadai.db", "FOLDER/data/kadai.db"),
    "database.<name>.max_connections": Said("20", 20),
    "database.<name>.min_connections": Said("3", 3),
    "database.<name>.wait_time": Said("500ms", 0.5),
    "database.<name>.query_time": Said("11s", 11.0),
    "database.<name>.max_rows": Said("500", 500),
    "database.<name>.connect_time": Said("4s", 4.0),
    "database.<name>.idle_time": Said("7m", 420.0),
    "database.<name>.age": Said("2h", 7200.0),
    # ── web
    "web.allow": Said('[api.example, "*.example", 10.0.0.0/8]', ("api.example", "*.example", "10.0.0.0/8")),
    "web.deny": Said("10.1.0.0/16", ("10.1.0.0/16",)),
    "web.connect_time": Said("2s", 2.0),
    "web.time": Said("9s", 9.0),
    "web.redirects": Said("1", 1),
    "web.body": Said("3MiB", 3 << 20),
    "web.connections": Said("12", 12),
    "web.per_host": Said("3", 3),
    "web.keep_alive": Said("4s", 4.0),
    # ── log, tracing, observer
    "log.level": Said("warn", "warn"),
    "log.levels.<service>": Said("debug", "debug"),
    "log.format": Said("json", "json"),
    "log.mask": Said("[ஆதார்]", ("ஆதார்",)),
    "tracing.endpoint": Said("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
    "tracing.sample": Said("0.25", 0.25),
    "tracing.headers": Said("[x-key=hush]", ("x-key=hush",)),
    "observer.bind": Said(":9091", (":9091",)),
    "observer.secret": Said("0123456789abcdefghi", "0123456789abcdefghi"),
    "observer.secret_file": Said("secret", FROM_FILE),
}

INSTEAD: Mapping[str, tuple[str, ...]] = {
    "http.session.secret_file": ("http.session.secret",),
    "auth.jwt.secret_file": ("auth.jwt.secret",),
    "auth.jwt.jwks_file": ("auth.jwt.secret", "auth.jwt.algorithms"),
    "auth.jwt.jwks_url": ("auth.jwt.secret", "auth.jwt.algorithms"),
    "auth.oidc.client_secret_file": ("auth.oidc.client_secret",),
    "observer.secret_file": ("observer.secret",),
}
"""What is said in place of others."""

NAMES = {"auth.keys": "billing", "database": "default", "log.levels": "b"}
"""What stands for ``<name>`` and ``<service>``."""

VALUES = {
    **{f"http.{row.key}": (row, HttpSettings) for row in HTTP},
    **{f"auth.jwt.{row.key}": (row, configuration_auth.JwtSettings) for row in JWT},
    **{f"auth.keys.<name>.{row.key}": (row, configuration_auth.ApiKey) for row in KEY},
    **{f"auth.oidc.{row.key}": (row, configuration_auth.OidcSettings) for row in OIDC},
    **{
        f"{name}.{'<name>.' if section.is_named else ''}{row.key}": (row, section.kind)
        for name, section in SECTIONS.items()
        for row in section.rows
    },
}


def every_key() -> Iterator[str]:
    for entry in (*TOP, *SERVICE, *http_reference()):
        yield entry.key
    for entries in (configuration_auth.reference() | reference()).values():
        for entry in entries:
            yield entry.key


def concrete(key: str) -> str:
    """With a name for ``<name>``."""
    for section, name in NAMES.items():
        key = key.replace(f"{section}.<name>", f"{section}.{name}").replace(f"{section}.<service>", f"{section}.{name}")
    return key


def configuration(said: Mapping[str, Said]) -> str:
    """The file that says all this."""
    tree: dict[str, Any] = {}
    for key, one in said.items():
        *sections, last = concrete(key).split(".")
        if one.text == WITHIN:
            assert f"{last}: " in said[sections[0]].text
            continue
        inner = tree
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[last] = one.text
    return "".join(lines(tree))


def lines(tree: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    for name, inner in tree.items():
        if isinstance(inner, str):
            yield f"{'  ' * depth}{name}: {inner}\n"
        else:
            yield f"{'  ' * depth}{name}:\n"
            yield from lines(inner, depth + 1)


def files_beside(folder: Path) -> None:
    for name, content in (
        ("cert.pem", "…"), ("key.pem", "…"), ("secret", f"{FROM_FILE}\n"), ("keys.json", json.dumps(KEYS)),
    ):  # fmt: skip
        (folder / name).write_text(content, encoding="utf-8")


def read(folder: Path, said: Mapping[str, Said]) -> Setup:
    files_beside(folder)
    path = folder / "config.yaml"
    path.write_text(configuration(said), encoding="utf-8")
    return read_setup(str(path), {})


def all_but(instead: str = "") -> dict[str, Said]:
    """All that can be said at once."""
    without = {*INSTEAD, *INSTEAD.get(instead, ())} - {instead}
    return {key: one for key, one in SAID.items() if key not in without}


def arrived(setup: Setup, key: str) -> object:
    """What the settings say."""
    parts = concrete(key).split(".")
    section: Any = {
        "http": setup.http, "auth": setup.auth, "web": setup.resources.web, "log": setup.resources.log,
        "tracing": setup.resources.tracing, "observer": setup.resources.observer, "database": setup.resources.databases,
    }.get(parts[0])  # fmt: skip
    if parts[0] == "services":
        one = setup.services[0]
        told = {"path": one.path, "prefix": one.prefix, "prelude": one.is_per_request, "settings": one.settings}
        return told[parts[1]] if parts[1:] else [Path(path).name for path in setup.paths]
    if section is None:
        return getattr(setup, key)
    if key not in VALUES:
        for part in parts[1:]:
            section = section[part] if isinstance(section, Mapping) else getattr(section, part)
        return section
    row, _ = VALUES[key]
    for part in parts[1 : -len(row.key.split("."))]:
        section = section[part] if isinstance(section, Mapping) else getattr(section, part)
    for part in row.field.split("."):
        section = getattr(section, part)
    return section


def test_every_setting_that_there_is_is_said_here() -> None:
    assert list(SAID) == sorted(SAID, key=list(dict.fromkeys((*SAID, *every_key()))).index)
    assert set(SAID) == set(every_key())


@pytest.mark.parametrize("instead", ["", *INSTEAD], ids=lambda key: key or "all that can be said at once")
def test_every_setting_arrives(tmp_path: Path, instead: str) -> None:
    said = all_but(instead)
    setup = read(tmp_path, said)
    here = str(tmp_path)
    for key, one in said.items():
        found = arrived(setup, key)
        found = found.replace(here, "FOLDER") if isinstance(found, str) else found
        assert found == one.value, key
    for secret in (SECRET, FROM_FILE, "fedcba9876543210", "hush", DIGEST):
        assert secret not in repr(setup)


def test_nothing_here_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("services: [a.qmz]\n", encoding="utf-8")
    plain = read_setup(str(tmp_path / "config.yaml"), {})
    for key, one in SAID.items():
        if key in VALUES:
            row, kind = VALUES[key]
            default: object = configuration_auth.entry_of(row, kind, "").default
            assert not default or row.kind.show(one.value) != default, key
        else:
            top = key.partition(".")[0]
            assert top in ("auth", "log") or (arrived(plain, key) or None) != one.value, key


def test_every_setting_is_shown_as_it_is_in_force(tmp_path: Path) -> None:
    said = all_but()
    shown = {one.key: one for one in in_force(read(tmp_path, said))}
    for key, one in said.items():
        if one.value == "":  # what is off has no value to show
            continue
        meant = concrete(key).replace("services.", "services.0.").removesuffix(".path")
        below = [own for own in shown if own == meant or own.startswith(f"{meant}.")]
        assert below, f"‘config show’ does not tell {key}"
        assert not any(shown[own].is_default for own in below), key
