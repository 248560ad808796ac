"""What config.yaml may say of ``auth``: who may come in. Tables as in ``configuration_table.py``.

What is wrong with it is found before anything starts: what the settings become (``actors/auth/``) is made
once, to see whether it can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from etamil_actors.actors.auth.authority import Authority, expect_safe_url
from etamil_actors.actors.auth.keys import PUBLIC_ALGORITHMS, SECRET_ALGORITHMS
from etamil_actors.configuration_table import (
    PATH,
    SECRET,
    SECRET_FILE,
    TEXT,
    WHOLE_SECONDS,
    ConfigError,
    Entry,
    Kind,
    Row,
    Said,
    built_in_paths,
    check_table,
    entry_of,
    one_of,
    read_key_set,
    read_one_path,
    read_text_file,
    refused_at,
    several,
)
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import ARGON2ID, BCRYPT, ApiKey, AuthSettings, JwtSettings, OidcSettings

if TYPE_CHECKING:
    import yaml

    from etamil_actors.configuration import Reader
    from etamil_actors.edge.settings import HttpSettings


def _read_url(said: Said) -> str:
    try:
        expect_safe_url(said.text, said.name)
    except Fault as wrong:
        raise said.refused(wrong) from None
    return said.text


MAKE_HASH: Final = 'printf %s "$KEY" | sha256sum'


def _read_digest(said: Said) -> str:
    # What is written here by mistake may be a key itself, so it is not repeated.
    if len(said.text) != 64 or not set(said.text.lower()) <= set("0123456789abcdef"):
        raise said.wrong(
            f"சாவியின் SHA-256, 64 பதினறும இலக்கங்கள் தேவை; ஆக்க: {MAKE_HASH}",
            f"the SHA-256 of a key is needed, 64 hexadecimal digits; to make it: {MAKE_HASH}",
        )
    return said.text.lower()


def _read_base(said: Said) -> str:
    """An address to which paths are added. Raises: ConfigError."""
    url = _read_url(said)
    if "?" in url or "#" in url:
        raise said.wrong("‘?’, ‘#’ இல்லாத முகவரி தேவை", "an address without ‘?’ and ‘#’ is needed")
    return url


def _read_lifetime(said: Said) -> int:
    seconds: int = WHOLE_SECONDS.read(said)
    if not seconds:
        raise said.other("குறைந்தது ஒரு நொடி தேவை", "at least a second is needed")
    return seconds


def _read_rate(said: Said) -> str:
    from etamil_actors.edge.rates import RateError, parse_rate

    try:
        return str(parse_rate(said.text))
    except RateError as wrong:
        raise said.wrong(wrong.tamil, wrong.english) from None


def _hidden(value: object) -> str:
    return ""


ALGORITHMS: Final = several(
    one_of(*SECRET_ALGORITHMS, *PUBLIC_ALGORITHMS), "வழிமுறைகள்", "algorithms"
)
KEY_SET: Final = Kind("கோப்பு", "file", read_key_set, "Mapping[str, Any] | None", _hidden)
URL: Final = Kind("முகவரி", "URL", _read_url, "str")
BASE: Final = URL._replace(read=_read_base)
HERE: Final = PATH._replace(tamil="பாதை", english="path", read=read_one_path)
LIFETIME: Final = WHOLE_SECONDS._replace(read=_read_lifetime)
RATE: Final = Kind("எண்ணிக்கை/காலம்", "count/time", _read_rate, "str")
NAMES: Final = several(TEXT, "பெயர்கள்", "names")
DIGESTS: Final = several(Kind("", "", _read_digest, "str"), "SHA-256", "SHA-256")._replace(show=_hidden)
PRIVATE: Final = TEXT._replace(tamil="இரகசியம்", english="secret", show=_hidden)
PRIVATE_FILE: Final = Kind("கோப்பு", "file", read_text_file, "str", _hidden)

JWT: Final = (
    Row("secret", "secret", SECRET, "HS256, HS384, HS512 சீட்டுகளின் இரகசியம்",
        "the secret of HS256, HS384 and HS512"),
    Row("secret_file", "secret", SECRET_FILE, "அதே, ஒரு கோப்பிலிருந்து", "the same, from a file"),
    Row("algorithms", "algorithms", ALGORITHMS,
        "ஏற்கும் வழிமுறைகள்; சொல்லாவிட்டால் secret இருந்தால் HS256, பொதுச் சாவிகள் இருந்தால் "
        "அவற்றின் எல்லா வழிமுறைகளும்",
        "the algorithms that are accepted; unsaid: HS256 with a secret, all those of public keys where "
        "there are any"),
    Row("issuer", "issuer", TEXT, "சீட்டு யார் தந்ததாக இருக்க வேண்டும்", "who must have issued a token"),
    Row("audience", "audience", TEXT, "சீட்டு யாருக்கானதாக இருக்க வேண்டும்", "for whom a token must be"),
    Row("jwks_file", "jwks", KEY_SET, "பொதுச் சாவிகள், அடையாள வழங்குநர் தரும் JSON (JWKS)",
        "public keys, as identity providers publish them (JWKS)"),
    Row("jwks_url", "jwks_url", URL,
        "அவை இருக்கும் முகவரி; முதல் சீட்டு வரும்போதும், அறியாத சாவி வரும்போதும் பெறப்படும்",
        "where they are published; fetched when the first token comes, and when one names a key that is "
        "not known"),
)  # fmt: skip

KEY: Final = (
    Row("hash", "hashes", DIGESTS, "சாவியின் SHA-256; மாற்றும்போது புதியதும் பழையதுமாக இரண்டு",
        "the SHA-256 of the key; two while it is being changed"),
    Row("roles", "roles", NAMES, "அந்தச் சாவியுடன் வருபவரின் பங்குகள்", "the roles of whoever has the key"),
)  # fmt: skip

OIDC: Final = (
    Row("issuer", "issuer", BASE, "வழங்குநர்; `/.well-known/openid-configuration` அதன் கீழ் இருக்கும்",
        "the provider; below it is `/.well-known/openid-configuration`"),
    Row("client_id", "client_id", TEXT, "வழங்குநரிடம் இந்தச் சேவையின் பெயர்",
        "the name of this service at the provider"),
    Row("client_secret", "client_secret", PRIVATE, "அதன் இரகசியம்; இல்லாவிட்டால் PKCE மட்டும் காக்கும்",
        "its secret; without one only PKCE protects"),
    Row("client_secret_file", "client_secret", PRIVATE_FILE, "அதே, ஒரு கோப்பிலிருந்து",
        "the same, from a file"),
    Row("scopes", "scopes", NAMES, "எவற்றைக் கேட்க வேண்டும்", "what is asked for"),
    Row("claims", "claims", NAMES, "`sub`, பங்குகள் தவிர அமர்வு நினைவில் வைக்கும் உரிமைகள்",
        "the claims that the session keeps, beside `sub` and the roles"),
    Row("roles_claim", "roles_claim", TEXT, "பங்குகள் எங்கே: `roles`, `realm_access.roles`",
        "where the roles are: `roles`, `realm_access.roles`"),
    Row("lifetime", "seconds", LIFETIME,
        "உள்நுழைந்த அமர்வு எவ்வளவு பயன்பட்டாலும் இவ்வளவு நேரமே; பின் வழங்குநர் மீண்டும் கேட்கப்படுவார்",
        "how long a session lasts after a login, however much it is used; then the provider is asked again"),
    Row("url", "url", BASE, "உலாவிகள் இந்தச் சேவையைக் காணும் முகவரி; சொல்லாவிட்டால் கோரிக்கை சொல்வது",
        "how browsers see this service; unsaid: as the request says"),
    Row("login", "login", HERE, "இங்கே வருபவர் வழங்குநரிடம் அனுப்பப்படுவார்; `?next=/பாதை`",
        "who comes here is sent to the provider; `?next=/path`"),
    Row("callback", "callback", HERE, "வழங்குநர் திருப்பி அனுப்பும் இடம்; அங்கே பதிய வேண்டியது",
        "where the provider sends him back; to be registered there"),
    Row("logout", "logout", HERE, "அமர்வை முடிக்கும்", "ends the session"),
    Row("after", "after", HERE, "வேறு இடம் சொல்லப்படாதபோது சேருமிடம்",
        "where one arrives when nothing else is wanted"),
    Row("rate", "rate", RATE, "ஓர் IP முகவரியிலிருந்து எத்தனை உள்நுழைவுகள்; மீறினால் 429",
        "how many logins from one IP address; beyond it 429"),
)  # fmt: skip

check_table(JWT, JwtSettings)
check_table(KEY, ApiKey)
check_table(OIDC, OidcSettings)

PASSWORDS: Final = one_of(BCRYPT, ARGON2ID)

TOP: Final = (
    Entry("auth.roles", "பெயர்: பட்டியல்", "name: list", "",
          "எந்தப் பங்கு வேறு எவற்றை உள்ளடக்கும்: `admin: [editor, reader]`",
          "which other roles a role includes: `admin: [editor, reader]`"),
    Entry("auth.passwords", PASSWORDS.tamil, PASSWORDS.english, BCRYPT,
          "கடவுச்சொல்_மறை எப்படி மறைக்கும்; பழைய மறைவுகள் எப்போதும் அறியப்படும்",
          "how கடவுச்சொல்_மறை hashes; old hashes are recognised whatever it says"),
)  # fmt: skip
SECTIONS: Final = ("jwt", "keys", "oidc", "roles", "passwords")


def reference() -> dict[str, list[Entry]]:
    """Every setting of ``auth``, by section."""
    return {
        "auth": list(TOP),
        "auth.jwt": [entry_of(row, JwtSettings, "auth.jwt.") for row in JWT],
        "auth.keys": [entry_of(row, ApiKey, "auth.keys.<name>.") for row in KEY],
        "auth.oidc": [entry_of(row, OidcSettings, "auth.oidc.") for row in OIDC],
    }


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────


def read_auth(reader: Reader, node: yaml.Node) -> AuthSettings:
    """The whole section. Raises: ConfigError."""
    said = dict(reader.members(node, SECTIONS, "auth"))
    found: dict[str, Any] = {}
    if "jwt" in said:
        found["jwt"] = _jwt(reader, said["jwt"])
    if "keys" in said:
        found["keys"] = _keys(reader, said["keys"])
    if "oidc" in said:
        inner = reader.section(said["oidc"], OIDC, "auth.oidc")
        oidc = found["oidc"] = reader.made(OidcSettings, inner, said["oidc"], "auth.oidc")
        _expect_paths_apart(reader, said["oidc"], (oidc.login, oidc.callback, oidc.logout))
    if "roles" in said:
        found["roles"] = dict(_roles(reader, said["roles"]))
        _expect_sound(reader, said["roles"], AuthSettings(roles=found["roles"]))
    if "passwords" in said:
        found["passwords"] = PASSWORDS.read(reader.said(said["passwords"], "auth.passwords"))
    return AuthSettings(**found)


def _jwt(reader: Reader, node: yaml.Node) -> JwtSettings:
    settings = JwtSettings(**reader.section(node, JWT, "auth.jwt"))
    if not settings.has_keys:
        raise ConfigError(
            reader.place(node),
            "‘auth.jwt’: secret, secret_file, jwks_file, jwks_url இவற்றில் ஒன்று தேவை",
            "‘auth.jwt’: secret, secret_file, jwks_file or jwks_url is needed",
        )
    if settings.jwks is not None and settings.jwks_url:
        raise ConfigError(
            reader.place(node),
            "‘auth.jwt’: jwks_file, jwks_url இரண்டில் ஒன்று மட்டும்",
            "‘auth.jwt’: either jwks_file or jwks_url, not both",
        )
    _expect_sound(reader, node, AuthSettings(jwt=settings))
    return settings


def _keys(reader: Reader, node: yaml.Node) -> Mapping[str, ApiKey]:
    keys: dict[str, ApiKey] = {}
    for name, inner in reader.pairs(node, "auth.keys"):
        found = reader.section(inner, KEY, f"auth.keys.{name.value}")
        if not found.get("hashes"):
            raise ConfigError(
                reader.place(inner),
                f"‘auth.keys.{name.value}’: ‘hash’ இல்லை; ஆக்க: {MAKE_HASH}",
                f"‘auth.keys.{name.value}’: ‘hash’ is missing; to make it: {MAKE_HASH}",
            )
        keys[name.value] = ApiKey(**found)
        _expect_sound(reader, inner, AuthSettings(keys=keys))
    return keys


def _roles(reader: Reader, node: yaml.Node) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, inner in reader.pairs(node, "auth.roles"):
        row = Row(name.value, "", NAMES, "", "")
        yield str(name.value), reader.value(row, inner, f"auth.roles.{name.value}")


def _expect_sound(reader: Reader, node: yaml.Node, settings: AuthSettings) -> None:
    try:
        Authority(settings)
    except Fault as wrong:
        raise refused_at(reader.place(node), wrong) from None


def _expect_paths_apart(reader: Reader, node: yaml.Node, paths: tuple[str, ...]) -> None:
    for path in paths:
        if paths.count(path) > 1:
            raise ConfigError(
                reader.place(node),
                f"‘auth.oidc’: ‘{path}’ இருமுறை உள்ளது; login, callback, logout மூன்றும் வெவ்வேறு பாதைகள்",
                f"‘auth.oidc’: ‘{path}’ is given twice; login, callback and logout are three paths",
            )


def expect_apart(reader: Reader, node: yaml.Node, auth: AuthSettings, http: HttpSettings) -> None:
    """The doors of a login are at other paths than what every service has. Raises: ConfigError."""
    if auth.oidc is not None:
        doors = (auth.oidc.login, auth.oidc.callback, auth.oidc.logout)
        others = [path for path in built_in_paths(http) if path in doors]
        if others:
            raise ConfigError(
                reader.place(node),
                f"‘auth.oidc’: ‘{others[0]}’ ‘http.paths’-இலும் உள்ளது; ஒன்றுக்கு வேறு பாதை தேவை",
                f"‘auth.oidc’: ‘{others[0]}’ is among ‘http.paths’ too; one of them needs another path",
            )
