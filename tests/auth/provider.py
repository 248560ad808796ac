"""A small identity provider on loopback: OpenID Connect as far as a login needs it, and a dishonest one's deeds.

It checks what it is told as a real one would — the client, its secret, where it sends browsers back, the
verifier, that a code is used once — and with other code than ours. Whoever comes to its door is logged in
at once as ``provider.user``.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc.jwk import JWKRegistry
from joserfc.jws import JWSRegistry, serialize_compact

CLIENT, SECRET = "kadai", "a secret & more%"


class Key:
    """A key that signs, under its name."""

    def __init__(self, kid: str, kind: str = "EC", size: str | int = "P-256", algorithm: str = "ES256") -> None:
        self.key: Any = JWKRegistry.generate_key(kind, size)  # type: ignore[call-overload]
        self.kid = kid
        self.algorithm = algorithm

    @property
    def public(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        head = {"alg": self.algorithm, "kid": self.kid, **header}
        head = {name: value for name, value in head.items() if value is not None}
        registry = JWSRegistry(algorithms=[self.algorithm])
        return serialize_compact(head, json.dumps(claims).encode(), self.key, registry=registry)


class Provider:
    """See the top of the file."""

    def __init__(self) -> None:
        self.user: dict[str, Any] = {"sub": "u1", "name": "மலர்", "email": "malar@kadai.example", "roles": ["editor"]}
        self.keys = [Key("first")]
        self.asked: list[str] = []
        """``GET /keys`` and so on, in order."""
        self.codes: dict[str, dict[str, str]] = {}
        self.given: dict[str, str] = {}
        """What came to its door last."""
        self.discovery: dict[str, Any] = {}
        """Members of the discovery document that are other than they should be; None: left out."""
        self.changed: dict[str, Any] = {}
        """Claims of the id token that are other than they should be; None: left out."""
        self.sign: Callable[[dict[str, Any]], str] | None = None
        self.is_down = False
        self.max_age = 300
        self.secret = SECRET
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Provider:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def count(self, path: str) -> int:
        """How often it was asked for this."""
        return sum(one.endswith(path) for one in self.asked)

    def rotate(self, kid: str) -> Key:
        """Sign with another key from now on; the one before is gone."""
        self.keys = [Key(kid)]
        return self.keys[0]

    def token(self, **claims: Any) -> str:
        """An access token for a service of its own."""
        return self.keys[-1].sign({"sub": "u1", "iss": self.issuer, "exp": int(time.time()) + 60, **claims})

    # What is asked of it.

    def answer(self, method: str, path: str, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if self.is_down:
            return 503, {"error": "temporarily_unavailable"}
        match method, path:
            case "GET", "/.well-known/openid-configuration":
                return 200, self._discovery()
            case "GET", "/keys":
                return 200, {"keys": [key.public for key in self.keys]}
            case "GET", "/authorize":
                return self._authorize(form)
            case "POST", "/token":
                return self._token(form, authorization)
            case "GET", "/bye":
                return 303, form["post_logout_redirect_uri"]
        return 404, {}

    def _discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize?tenant=1",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/bye",
            **self.discovery,
        }
        return {name: value for name, value in document.items() if value is not None}

    def _authorize(self, asked: dict[str, str]) -> tuple[int, Any]:
        self.given = asked
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT and asked["tenant"] == "1"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"].split(" ")
        assert len(asked["state"]) >= 32 and len(asked["nonce"]) >= 32
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        back = {"code": code, "state": asked["state"]}
        if self.discovery.get("authorization_response_iss_parameter_supported"):
            back["iss"] = self.issuer
        return 303, f"{asked['redirect_uri']}?{urlencode(back)}"

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        if not self._is_client(form, authorization):
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form["code"], None)
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or create_s256_code_challenge(form["code_verifier"]) != asked["code_challenge"]
        ):
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]}
        claims |= {**self.user, **self.changed}
        claims = {name: value for name, value in claims.items() if value is not None}
        sign = self.sign or self.keys[-1].sign
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": sign(claims)}

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        if "client_secret" in form:
            return form["client_id"] == CLIENT and form["client_secret"] == self.secret
        if authorization:
            name, _, secret = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
            return unquote_plus(name) == CLIENT and unquote_plus(secret) == self.secret
        return not self.secret and form["client_id"] == CLIENT

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self._answer(parts.path, dict(parse_qsl(parts.query)))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                self._answer(self.path, dict(parse_qsl(body)))

            def _answer(self, path: str, form: dict[str, str]) -> None:
                status, said = provider.answer(self.command, path, form, self.headers.get("authorization", ""))
                self.send_response(status)
                body = b""
                if isinstance(said, str):
                    self.send_header("location", said)
                else:
                    body = json.dumps(said).encode()
                    self.send_header("content-type", "application/json")
                    self.send_header("cache-control", f"max-age={provider.max_age}")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        return Handler
