"""The web client: destinations, redirects and limits, above real connections or simulated answers.

```
__init__.py      SystemWeb: what a process has; loads the rest with the first request
client.py        WebClient: one request with its redirects, within its limits
asking.py        what is asked, and what is asked next                                 pure
destinations.py  where programs may go                                                 pure
unpacking.py     gzip and deflate, in bounded pieces                                   pure
network.py       the carrier over real connections (httpcore2)    gates.py, tls.py
simulated.py     the carrier of simulations
```
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from etamil_actors.ports.background import Keeper
from etamil_actors.ports.web import WebAnswer, WebSettings

if TYPE_CHECKING:
    from etamil_actors.resources.web.client import WebClient


class SystemWeb:
    """See ``ports.web.Web``: the client as it is made for a process.

    The libraries behind it are loaded by the first request, so this costs a process that asks nobody nothing.
    """

    def __init__(
        self,
        settings: WebSettings,
        environment: Callable[[str], str | None],
        resolve: Callable[[str, int], Awaitable[Sequence[str]]] | None = None,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._resolve = resolve
        self._client: WebClient | None = None
        self._keeper: Keeper | None = None

    def keep(self, keeper: Keeper) -> None:
        """Close with this keeper, and tell it of trouble."""
        self._keeper = keeper
        if self._client is not None:
            self._client.keep(keeper)

    def take(self, settings: WebSettings) -> None:
        """Let these hold from now on; what has been asked already is answered under the old ones."""
        old, self._client, before = self._client, None, self._settings
        self._settings = settings
        if old is None or self._keeper is None:
            return

        async def part() -> None:
            import trio

            await trio.sleep(before.seconds)
            await old.close()

        self._keeper.start("web", part)

    @property
    def client(self) -> WebClient:
        """The client, made now if it has not been."""
        if self._client is None:
            from etamil_actors.resources.web.client import WebClient
            from etamil_actors.resources.web.network import PooledCarrier

            carrier = PooledCarrier(self._settings, self._environment, self._resolve)
            self._client = WebClient(self._settings, carrier)
            if self._keeper is not None:
                self._client.keep(self._keeper)
        return self._client

    async def request(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Sequence[tuple[str, str]],
        *,
        follows: bool = True,
    ) -> WebAnswer:
        """Ask another server. Raises: WebError."""
        if self._client is None:
            import trio

            # A quarter of a second of imports, in which others go on.
            await trio.to_thread.run_sync(_load, limiter=trio.CapacityLimiter(1))
        return await self.client.request(method, url, body, headers, follows=follows)

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.close()


def _load() -> None:
    import httpx2  # noqa: F401  taken by asking.py, which is also there for simulations

    import etamil_actors.resources.web.network  # noqa: F401
