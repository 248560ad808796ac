"""Which names of hosts mean this machine, by their letters alone: there nobody stands between."""

from __future__ import annotations


def is_loopback(host: str) -> bool:
    """Is it this machine? Of ``127.0.0.1.example`` nobody knows where it is."""
    return host in ("localhost", "::1") or (host.startswith("127.") and host.replace(".", "").isdigit())
