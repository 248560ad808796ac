"""What we and an identity provider say to each other (OpenID Connect Core, Discovery; RFC 7636, 9207).

```
discovery      GET  <issuer>/.well-known/openid-configuration    where its doors are; kept for a while
login          the browser goes to its door, with a challenge   only a hash of the verifier is seen there
token          POST code + verifier                              an id token comes back
keys           GET  <jwks_uri>                                   kept, as for all tokens (actors/auth)
```

What is believed is its signature only: the id token is verified like every other token, its issuer and its
audience have to be those of the configuration, and it has to repeat the nonce of this very login.

These are three requests, and they have to go through our own web client, with its limits and its list of
places where nobody may go. So they are written out here: a library for them brings a client of its own.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import trio

from etamil_actors.actors.auth.authority import Authority, expect_safe_url
from etamil_actors.actors.auth.parts import misconfigured, to_base64url
from etamil_actors.actors.auth.published import LARGEST, Published
from etamil_actors.actors.auth.tokens import Claims, Tokens, awaited
from etamil_actors.edge.exact_json import NotExactError, decode
from etamil_actors.errors import Fault
from etamil_actors.ports.auth import JwtSettings, OidcSettings
from etamil_actors.ports.web import WebAnswer, WebError
from etamil_actors.vm.values import Value

WELL_KNOWN: Final = "/.well-known/openid-configuration"
SECONDS: Final = 10.0
"""How long a login waits for the provider."""
LONGEST_CODE: Final = 4_096
LONGEST_SUBJECT: Final = 255
"""Letters, as OpenID Connect says."""
MOST_ROLES: Final = 100


class Doors(NamedTuple):
    """Where a provider is asked for what."""

    authorization: str
    token: str
    keys: str
    end_session: str
    """Empty: it has none."""
    takes_basic: bool
    """Is the secret sent as ``Authorization: Basic``, or in the form?"""
    tells_issuer: bool
    """Does it say who it is when it sends a browser back?"""


class ProviderDoors(Published):
    """The discovery document of a provider."""

    doors: Doors | None = None

    def __init__(self, issuer: str, authority: Authority) -> None:
        super().__init__(issuer.rstrip("/") + WELL_KNOWN, authority.web, authority.tell, authority.start)
        self._issuer = issuer

    def _take(self, document: dict[str, Value]) -> None:
        if document.get("issuer") != self._issuer:
            raise misconfigured(
                f"வழங்குநர் தன்னை ‘{self._issuer}’ என்று சொல்லவில்லை; auth.oidc.issuer எழுத்துக்கு எழுத்து"
                " அதுவாக இருக்க வேண்டும்",
                f"the provider does not call itself ‘{self._issuer}’; auth.oidc.issuer has to be that, letter"
                " for letter",
            )
        methods = document.get("token_endpoint_auth_methods_supported")
        ends = "end_session_endpoint"
        self.doors = Doors(
            authorization=self._url(document, "authorization_endpoint"),
            token=self._url(document, "token_endpoint"),
            keys=self._url(document, "jwks_uri"),
            end_session=self._url(document, ends) if document.get(ends) else "",
            takes_basic=not isinstance(methods, list) or "client_secret_basic" in methods,
            tells_issuer=document.get("authorization_response_iss_parameter_supported") is True,
        )

    def _forget(self) -> None:
        self.doors = None

    def _url(self, document: Mapping[str, Value], name: str) -> str:
        """Where this door is. Raises: Fault ``config``."""
        value = document.get(name)
        if not isinstance(value, str) or "#" in value:
            raise misconfigured(f"வழங்குநர் ‘{name}’ சொல்லவில்லை", f"the provider does not tell its ‘{name}’")
        expect_safe_url(value, name)
        if self._issuer.startswith("https:") and not value.startswith("https:"):
            # One that is elsewhere does not send us, with our secret, to a server of this machine.
            raise misconfigured(
                f"{name}: ‘https://…’ முகவரி தேவை", f"{name}: an address ‘https://…’ is needed"
            )
        return value


class Provider:
    """An identity provider, as a login uses it."""

    def __init__(self, settings: OidcSettings, authority: Authority, wall: Callable[[], float]) -> None:
        self.settings = settings
        self._authority = authority
        self._wall = wall
        self._published = ProviderDoors(settings.issuer, authority)

    async def doors(self) -> Doors:
        """Where its doors are. Raises: Fault ``auth.unavailable``."""
        published = self._published
        published.forget_old()
        if published.is_old and not published.fetch_beside():
            await published.fetch()
        if published.doors is None:
            raise Fault("auth.unavailable")
        return published.doors

    async def login_url(self, *, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser goes to log in. Raises: Fault ``auth.unavailable``."""
        doors = await self.doors()
        scopes = self.settings.scopes
        return with_query(doors.authorization, {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": redirect,
            "scope": " ".join(scopes if "openid" in scopes else ("openid", *scopes)),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        })  # fmt: skip

    async def logout_url(self, redirect: str) -> str:
        """Where a browser goes to be logged out there too; empty when there is no such place."""
        try:
            doors = await self.doors()
        except Fault:
            return ""
        if not doors.end_session:
            return ""
        client_id = self.settings.client_id
        return with_query(
            doors.end_session, {"client_id": client_id, "post_logout_redirect_uri": redirect}
        )

    async def expect_itself(self, told: str | None) -> None:
        """Who has sent the browser back (RFC 9207)? A provider that is not honest must not make us bring it
        a code that belongs to this one.

        Raises:
            Fault: ``auth.invalid``, ``auth.unavailable``.
        """
        if told is None and not (await self.doors()).tells_issuer:
            return
        if told != self.settings.issuer:
            raise no_login("பதில் வேறொரு வழங்குநரிடமிருந்து வந்தது", "the answer is from another provider")

    async def user_of(self, *, code: str, verifier: str, redirect: str, nonce: str) -> dict[str, Value]:
        """Who has logged in. Raises: Fault ``auth.invalid``, ``auth.unavailable``."""
        claims = await self._claims(code, verifier, redirect)
        self._expect_this_login(claims, nonce)
        user: dict[str, Value] = {"sub": claims["sub"], "iss": claims["iss"]}
        for name in self.settings.claims:
            if claims.get(name) is not None:
                user.setdefault(name, claims[name])
        user["roles"] = [*roles_in(claims, self.settings.roles_claim)]
        return user

    async def _claims(self, code: str, verifier: str, redirect: str) -> Claims:
        doors = await self.doors()
        token = await self._exchange(doors, code, verifier, redirect)
        return await awaited(self._tokens(doors).claims_of(token, self._wall))

    def _tokens(self, doors: Doors) -> Tokens:
        settings = self.settings
        return self._authority.verifier(
            JwtSettings(issuer=settings.issuer, audience=settings.client_id, jwks_url=doors.keys)
        )

    async def _exchange(self, doors: Doors, code: str, verifier: str, redirect: str) -> str:
        """The id token that a code is good for. Raises: Fault."""
        settings = self.settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect,
            "client_id": settings.client_id,
            "code_verifier": verifier,
        }
        headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
        if settings.client_secret and doors.takes_basic:
            # RFC 6749 §2.3.1: both are written as in a form first.
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            headers.append(("authorization", f"Basic {b64encode(pair.encode()).decode()}"))
        elif settings.client_secret:
            form["client_secret"] = settings.client_secret
        answer = await self._asked(doors.token, urlencode(form).encode(), headers)
        said = _record(answer)
        token = said.get("id_token")
        if answer.status == 200 and isinstance(token, str):
            return token
        self._tell_refusal(answer.status, said.get("error"))
        if answer.status >= 500:
            raise Fault("auth.unavailable")
        raise no_login("வழங்குநர் இந்த உள்நுழைவை ஏற்கவில்லை", "the provider does not accept this login")

    async def _asked(self, url: str, body: bytes, headers: list[tuple[str, str]]) -> WebAnswer:
        web = self._authority.web()
        if web is None:
            raise Fault("auth.unavailable")
        with trio.move_on_after(SECONDS):
            try:
                # Nowhere else: what is sent is a secret, a code, or both.
                return await web.request("POST", url, body, headers, follows=False)
            except WebError as trouble:
                self._tell(trouble.tamil, trouble.english)
                raise Fault("auth.unavailable") from None
        self._tell(f"{SECONDS:g} நொடிகளில் பதில் இல்லை", f"no answer in {SECONDS:g} s")
        raise Fault("auth.unavailable")

    def _tell_refusal(self, status: int, error: Value) -> None:
        """Tell the operator: a wrong secret is his to mend, and nobody at a browser can know of it. But codes
        that are not good are those of others, who could fill the log with them."""
        if error == "invalid_grant":
            return
        name = error if isinstance(error, str) and error.isascii() and error.isprintable() else ""
        self._tell(f"நிலை {status} {name[:60]}", f"status {status} {name[:60]}")

    def _tell(self, tamil: str, english: str) -> None:
        if self._authority.tell is not None:
            issuer = self.settings.issuer
            self._authority.tell(f"உள்நுழைவு, ‘{issuer}’: {tamil}", f"login at ‘{issuer}’: {english}")

    def _expect_this_login(self, claims: Claims, nonce: str) -> None:
        told, subject = claims.get("nonce"), claims.get("sub")
        if not isinstance(told, str) or not hmac.compare_digest(told.encode(), nonce.encode()):
            raise no_login("இது இந்த உள்நுழைவின் சீட்டு அல்ல (nonce)", "the token is not of this login (nonce)")
        if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
            raise no_login("யார் என்று சீட்டு சொல்லவில்லை (sub)", "the token does not say who it is (sub)")
        meant, party = claims.get("aud"), claims.get("azp")
        is_shared = isinstance(meant, list) and len(meant) > 1
        if (is_shared or party is not None) and party != self.settings.client_id:
            raise no_login("சீட்டு வேறொருவருக்குத் தரப்பட்டது (azp)", "the token was given to another (azp)")


def no_login(tamil: str, english: str) -> Fault:
    """The error for a login that is not believed."""
    return Fault("auth.invalid", tamil=f"உள்நுழைய முடியவில்லை: {tamil}", english=f"the login failed: {english}")


def challenge_of(verifier: str) -> str:
    """What is shown of a verifier before it is (RFC 7636, S256)."""
    return to_base64url(sha256(verifier.encode()).digest())


def roles_in(claims: Claims, place: str) -> list[str]:
    """The roles that stand there: under this name, or inside, where dots lead."""
    found: Value = claims.get(place)
    if found is None:
        found = claims
        for part in place.split("."):
            found = found.get(part) if isinstance(found, dict) else None
    roles = found if isinstance(found, list) else [found]
    return [role for role in roles if isinstance(role, str) and role][:MOST_ROLES]


def with_query(url: str, values: Mapping[str, str]) -> str:
    """The address with these in its query; it may have one already."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(values)}"


def _record(answer: WebAnswer) -> dict[str, Value]:
    try:
        said = decode(answer.body) if len(answer.body) <= LARGEST else None
    except NotExactError:
        said = None
    return said if isinstance(said, dict) else {}
