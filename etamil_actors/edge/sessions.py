"""Sessions that travel in a signed cookie, and the token that a form sends back with one.

```
1.<payload>.<mac>   payload  base64url of {"i": issued, "e": ends, "u": until, "c": csrf, "v": {key: value}}
                    mac      HMAC-SHA256 over "1.<payload>"
```

The server keeps nothing, so what a session holds is *signed and not secret*: its user can read it and can
send an older one again until that ends. A cookie that does not verify is as none; it is told to
``on_refused`` and to nobody else. The keys are made from the secrets (HKDF, RFC 5869), bound to this format
and to the cookie's name, so a secret that signs something else too gives nobody a session. One secret
signs and the old ones still verify; an old one is taken away when its sessions have ended.

A session is issued anew when half of its life is over, or when an old secret has signed it. One that is
never used ends in time, one in use does not, unless somebody has said until when it may last at all.

**Forms.** A page of another site can make a browser post a form here with its cookies, yet cannot read
what we answer. So a form post that comes with a session has to show a token which is in the session: each
page shows it under another mask, so that its letters cannot be guessed from the length of compressed pages.
It is made anew when the session begins to tell a user; a session that someone else planted is then of no
use to him. ``SameSite=Lax`` is the second wall, not the only one.

Where no session has come there is nothing to show a token for, and a form of another site may well be meant:
the page on which somebody has paid sends its answer so. But it begins no session, or it could log the visitor
in as somebody else, and would take the place of the session that the browser has kept back.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeAlias

from etamil_actors.actors.auth.parts import from_base64url, to_base64url
from etamil_actors.edge.cookies import LONGEST_PAIR, REMOVED, set_cookie
from etamil_actors.edge.exact_json import NotExactError, decode, encode
from etamil_actors.edge.settings import SessionSettings
from etamil_actors.errors import KIND_IN_TAMIL, Fault
from etamil_actors.vm.values import Err, Handle, Ok, Value

Wall: TypeAlias = Callable[[], float | Decimal]
"""Seconds since 1970."""
RandomBytes: TypeAlias = Callable[[int], bytes]

USER_KEYS: Final = ("பயனர்", "user")
"""Where a session tells who the user is; the first that is there counts."""
CSRF_FIELD: Final = "_csrf"
CSRF_HEADER: Final = b"x-csrf-token"

LEAST_SECRET: Final = 16
"""Bytes. A shorter secret is guessed from one cookie, at leisure."""
VERSION: Final = "1"
CLOCKS_DIFFER: Final = 300
"""Seconds by which the clock of another machine of ours may be ahead."""
SEED: Final = 16
MOST_DEPTH: Final = 32
MOST_PARTS: Final = LONGEST_PAIR
"""Letters and values inside values; what has more of them is too large for a cookie anyway."""

_CHANGING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
_WORD: Final = "அமர்வு_அமை"


def is_form_post(method: str, content_type: str | None, *, has_body: bool = True) -> bool:
    """May a page of another site have sent this, without being asked about it first?

    A body without a type counts as a form: pages can send such a one, and forms are the only other way.
    """
    if method not in _CHANGING:
        return False
    kind = (content_type or "").partition(";")[0].strip().lower()
    return kind in _FORMS or (not kind and has_body)


def is_of_another_site(fetch_site: bytes | None, origin: bytes | None, host: bytes | None) -> bool:
    """Has a page of another site sent this? Browsers say so in ``Sec-Fetch-Site`` where the connection is
    safe, else they tell the page's origin, or ``null`` if that is to stay hidden. Others say neither.

    Of the origin the scheme does not count: a proxy may have taken TLS off.
    """
    if fetch_site is not None:
        return fetch_site == b"cross-site"
    if origin is None:
        return False
    return origin.rpartition(b"//")[2].lower() != (host or b"").lower()


class Sessions:
    """Opens the sessions of requests.

    Raises:
        Fault: ``config``, a secret is too short, or the cookie's name cannot be one.
    """

    def __init__(
        self,
        settings: SessionSettings,
        wall: Wall,
        random_bytes: RandomBytes,
        *,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        self.settings = settings
        signing = settings.secret.encode() if settings.secret else random_bytes(32)
        secrets = [signing, *(secret.encode() for secret in settings.old_secrets)]
        if any(len(secret) < LEAST_SECRET for secret in secrets):
            raise Fault(
                "config",
                problem_ta=f"http.session.secret குறைந்தது {LEAST_SECRET} பைட்டுகள் நீளமாக இருக்க வேண்டும்;"
                " ஒன்றை ஆக்க: openssl rand -base64 32",
                problem_en=f"http.session.secret must have at least {LEAST_SECRET} bytes;"
                " to make one: openssl rand -base64 32",
            )
        self._keys = [_key(secret, settings.cookie) for secret in secrets]
        self._wall = wall
        self.random_bytes = random_bytes
        self._on_refused = on_refused or _say_nothing
        self._always_secure = settings.secure or settings.cookie.lower().startswith(("__host-", "__secure-"))
        _expect_name(settings.cookie)

    def open(self, cookie: str | None, is_secure: bool) -> OpenSession:
        """The session of a request, an empty one when none came that verifies.

        ``is_secure``: the request came over TLS, so the cookie is for TLS only from now on.
        """
        is_secure = is_secure or self._always_secure
        payload = self._verified(cookie) if cookie else None
        if payload is None:
            return OpenSession(self, {}, b"", is_secure, has_come=False, sent=bool(cookie), is_old=False)
        values, seed, until, is_old = payload
        session = OpenSession(self, values, seed, is_secure, has_come=True, sent=True, is_old=is_old)
        session.until = until
        return session

    def seconds_left(self, until: int) -> int:
        """How long a cookie lives that is made now."""
        return min(self.settings.seconds, until - self.now()) if until else self.settings.seconds

    def sealed(self, values: Mapping[str, Value], seed: bytes, until: int = 0) -> str:
        """What the cookie holds for these values, from now on for its whole life."""
        now = self.now()
        payload: dict[str, Value] = {"i": now, "e": now + self.seconds_left(until), "v": values}
        if seed:
            payload["c"] = to_base64url(seed)
        if until:
            payload["u"] = until
        body = f"{VERSION}.{to_base64url(encode(payload))}"
        return f"{body}.{_mac(self._keys[0], body)}"

    def expect_room(self, values: Mapping[str, Value], until: int = 0) -> None:
        """Whatever the session gets later — its token, another time — has to fit too.

        Raises:
            Fault: ``value.invalid``.
        """
        if len(self.settings.cookie) + 1 + len(self.sealed(values, bytes(SEED), until)) > LONGEST_PAIR:
            raise too_large()

    def header(self, value: str, attributes: str, *, is_secure: bool) -> bytes:
        """A ``Set-Cookie`` for the session."""
        secure = "; Secure" if is_secure else ""
        cookie = f"{self.settings.cookie}={value}; Path=/; {attributes}{secure}; HttpOnly; SameSite=Lax"
        return cookie.encode("ascii")

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._wall())

    def _verified(self, cookie: str) -> tuple[dict[str, Value], bytes, int, bool] | None:
        """What is in it, until when it may last, and whether it should be issued anew."""
        body, _, mac = cookie.rpartition(".")
        version, _, payload = body.partition(".")
        if len(cookie) > LONGEST_PAIR or version != VERSION or not cookie.isascii():
            self._on_refused("malformed")
            return None
        # All of them are tried, so that the time tells nobody which one signed.
        fitting = [hmac.compare_digest(_mac(key, body), mac) for key in self._keys]
        if not sum(fitting):
            self._on_refused("signature")
            return None
        try:
            current = self._current(decode(from_base64url(payload)))
        except (NotExactError, ValueError, TypeError, KeyError):
            self._on_refused("malformed")  # signed with a key of ours, yet not written by this program
            return None
        if current is None:
            return None
        values, seed, until, issued = current
        return values, seed, until, not fitting[0] or self.now() - issued > self.settings.seconds / 2

    def _current(self, payload: dict[str, Value]) -> tuple[dict[str, Value], bytes, int, int] | None:
        issued, ends, until, values = payload["i"], payload["e"], payload.get("u", 0), payload["v"]
        seed = from_base64url(payload["c"]) if "c" in payload else b""
        if any(type(one) is not int for one in (issued, ends, until)) or type(values) is not dict:
            raise ValueError(payload)
        now = self.now()
        # The settings may have become stricter since.
        if now >= min(ends, issued + self.settings.seconds) or issued > now + CLOCKS_DIFFER:
            self._on_refused("expired")
            return None
        return values, seed if len(seed) == SEED else b"", until, issued


class OpenSession:
    """The session of one request. What is changed in it leaves with ``set_cookie_header``."""

    __slots__ = ("_csrf", "_has_come", "_home", "_is_changed", "_is_secure", "_seed", "_sent", "_values",
                 "is_foreign", "until")  # fmt: skip

    def __init__(
        self,
        home: Sessions,
        values: dict[str, Value],
        seed: bytes,
        is_secure: bool,
        *,
        has_come: bool,
        sent: bool,
        is_old: bool,
    ) -> None:
        self._home = home
        self._values = values
        self._seed = seed
        self._csrf = ""
        self._is_secure = is_secure
        self._has_come = has_come
        self._sent = sent
        self._is_changed = is_old
        self.is_foreign = False
        """Does another site ask, with a form, so that none may begin?"""
        self.until = 0
        """The moment at which it ends however much it is used; 0: there is none."""

    @property
    def has_come(self) -> bool:
        """Did the request bring a session that verifies?"""
        return self._has_come

    @property
    def values(self) -> Mapping[str, Value]:
        """What it holds; empty when there is none. Not to be changed."""
        return self._values

    @property
    def csrf(self) -> str:
        """What a form has to send back. Asking for it begins a session, if there is none."""
        if not self._seed:
            self._seed = self._home.random_bytes(SEED)
            self._is_changed = True
        if not self._csrf:
            mask = self._home.random_bytes(SEED)
            self._csrf = to_base64url(mask + _xor(mask, self._seed))
        return self._csrf

    def set(self, key: str, value: Value) -> None:
        """Change one key; இன்மை removes it.

        Raises:
            Fault: ``value.local`` for handles, ``value.invalid`` for functions, results and what is too large
                for a cookie; ``auth.forbidden`` when it would begin for a form of another site. Nothing has
                changed then.
        """
        if self.is_foreign and not self._has_come and value is not None:
            raise _forbidden(
                "இந்தப் படிவம் வேறொரு தளத்தின் பக்கத்திலிருந்து வந்ததால் அமர்வைத் தொடங்க முடியாது; இந்தத் தளத்தின்"
                " பக்கத்திலிருந்து அனுப்பவும் (நம்பும் தளங்கள்: http.cors.origins)",
                "this form came from a page of another site, so it begins no session; send it from a page of"
                " this site (sites that are trusted: http.cors.origins)",
            )
        values = dict(self._values)
        if value is None:
            if values.pop(key, None) is None:
                return
        else:
            values[key] = _Copy().of(value, 0)
            self._home.expect_room(values, self.until)
        if key in USER_KEYS:
            self._renew_csrf()
        self._values = values
        self._is_changed = True

    def end(self) -> None:
        """Forget it; the answer removes the cookie."""
        self._values = {}
        self._seed, self._csrf, self.until = b"", "", 0
        self._is_changed = True

    def check_csrf(self, form: Mapping[str, str], header: str | None) -> None:
        """A form post (``is_form_post``) that came with a session shows the session's token.

        Raises:
            Fault: ``auth.forbidden``.
        """
        if not self._has_come:
            return
        shown = header or form.get(CSRF_FIELD, "")
        if not shown:
            raise _forbidden(
                "படிவத்தில் அமர்வின் csrf அடையாளம் இல்லை; அதை ‘_csrf’ புலத்திலோ ‘X-CSRF-Token’ தலைப்பிலோ அனுப்பவும்",
                "the form lacks the csrf token of its session; send it in the field ‘_csrf’"
                " or in the header ‘X-CSRF-Token’",
            )
        if not self._seed or not hmac.compare_digest(_unmasked(shown), self._seed):
            raise _forbidden(
                "csrf அடையாளம் இந்த அமர்வுக்குப் பொருந்தவில்லை; பக்கத்தை மீண்டும் திறந்து முயலவும்",
                "the csrf token does not belong to this session; open the page again and retry",
            )

    def set_cookie_header(self) -> bytes | None:
        """The value of ``Set-Cookie``; None when the browser has it all already."""
        if not self._is_changed:
            return None
        if self._values or self._seed:
            value = self._home.sealed(self._values, self._seed, self.until)
            age = f"Max-Age={self._home.seconds_left(self.until)}"
            return self._home.header(value, age, is_secure=self._is_secure)
        return self._home.header("", REMOVED, is_secure=self._is_secure) if self._sent else None

    def _renew_csrf(self) -> None:
        if self._seed:
            self._seed, self._csrf = self._home.random_bytes(SEED), ""


class _Copy:
    """Copies a value for the cookie, so that later changes of the program's do not reach it."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_PARTS

    def of(self, value: Value, depth: int) -> Value:
        """The plain copy. Raises: Fault."""
        kind = type(value)
        self._take(1 + len(value) if kind is str else 1)
        if depth > MOST_DEPTH:
            raise too_large()
        if value is None or kind is str or kind is bool or kind is int or kind is Decimal:
            return value
        if isinstance(value, list):
            return [self.of(part, depth + 1) for part in value]
        if isinstance(value, dict):
            self._take(sum(map(len, value)))
            return {key: self.of(part, depth + 1) for key, part in value.items()}
        if isinstance(value, Handle):
            raise Fault("value.local", kind=value.kind)
        kind_en = "a result" if isinstance(value, (Ok, Err)) else "a function"
        raise Fault(
            "value.invalid",
            name=_WORD,
            problem_ta=f"{KIND_IN_TAMIL[kind_en]} அமர்வில் இருக்க முடியாது;"
            " எண், உரை, ஈர்ம மதிப்பு, அணி, பொருள் இருக்கலாம்",
            problem_en=f"{kind_en} cannot be in a session;"
            " numbers, texts, booleans, arrays and records can",
        )

    def _take(self, parts: int) -> None:
        self._left -= parts
        if self._left < 0:
            raise too_large()


def too_large() -> Fault:
    """The error for what no cookie holds."""
    return Fault(
        "value.invalid",
        name=_WORD,
        problem_ta=f"அமர்வின் குக்கீயில் {LONGEST_PAIR} பைட்டுகளுக்கு மேல் அடங்காது; பெரியவற்றைத் தரவுத்தளத்தில் வைத்து,"
        " அமர்வில் அடையாளத்தை மட்டும் வைக்கவும்",
        problem_en=f"the cookie of a session holds at most {LONGEST_PAIR} bytes; keep what is large in a"
        " database and only its id in the session",
    )


def _expect_name(cookie: str) -> None:
    try:
        is_good = set_cookie(cookie, "", {"secure": True}).startswith(f"{cookie}=".encode())
    except Fault:
        is_good = False
    if not is_good:
        raise Fault(
            "config",
            problem_ta=f"http.session.cookie: ‘{cookie}’ குக்கீயின் பெயராக முடியாது; ஆங்கில எழுத்துகள்,"
            " எண்கள், ‘-’, ‘_’ பயன்படுத்தவும்",
            problem_en=f"http.session.cookie: ‘{cookie}’ cannot be the name of a cookie; use English letters,"
            " digits, ‘-’ and ‘_’",
        )


def _forbidden(tamil: str, english: str) -> Fault:
    return Fault("auth.forbidden", tamil=tamil, english=english)


def _say_nothing(_: str) -> None:
    """For those who do not ask."""


def _key(secret: bytes, cookie: str) -> bytes:
    """HKDF-SHA256 with one block of output."""
    extracted = hmac.digest(b"etamil-actors session", secret, "sha256")
    return hmac.digest(extracted, f"v{VERSION} {cookie}".encode() + b"\x01", "sha256")


def _mac(key: bytes, body: str) -> str:
    return to_base64url(hmac.digest(key, body.encode("ascii"), "sha256"))


def _unmasked(shown: str) -> bytes:
    try:
        both = from_base64url(shown)
    except ValueError:
        return b""
    return _xor(both[:SEED], both[SEED:]) if len(both) == 2 * SEED else b""


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
