"""A browser, as far as a login needs one: it keeps cookies, and goes where it is sent."""

from __future__ import annotations

import http.client
import ssl
from typing import NamedTuple
from urllib.parse import urlsplit

PATIENCE = 30.0


class Page(NamedTuple):
    """What came back."""

    status: int
    headers: list[tuple[str, str]]
    body: str
    url: str

    def field(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name), "")

    def fields(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]


class Browser:
    """See the top of the file. Cookies are kept by host, whatever its port, as browsers do."""

    def __init__(self, home: str, context: ssl.SSLContext | None = None) -> None:
        self.home = home
        self.cookies: dict[str, str] = {}
        self._context = context

    def get(self, url: str, **headers: str) -> Page:
        """One request; a path is one of the home."""
        url = self.home + url if url.startswith("/") else url
        parts = urlsplit(url)
        assert parts.hostname is not None
        connection: http.client.HTTPConnection
        if parts.scheme == "https":
            connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=PATIENCE, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies and url.startswith(self.home):
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request("GET", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", headers=named)
            response = connection.getresponse()
            page = Page(response.status, response.getheaders(), response.read().decode(), url)
        finally:
            connection.close()
        if url.startswith(self.home):
            self._keep(page)
        return page

    def follow(self, url: str, until: str = "", **headers: str) -> Page:
        """Go there, and on to where one is sent; ``until`` is the beginning of an address not to be asked."""
        page = self.get(url, **headers)
        for _ in range(10):
            place = page.field("location")
            if not 300 <= page.status < 400:
                return page
            if until and place.startswith(until):
                return page
            page = self.get(place)
        raise AssertionError(f"sent in a circle: {page}")

    def _keep(self, page: Page) -> None:
        for one in page.fields("set-cookie"):
            pair, *attributes = one.split("; ")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
