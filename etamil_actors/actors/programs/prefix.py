"""What stands before the paths of a service that shares its address with others."""

from __future__ import annotations


def below(prefix: str, pattern: str) -> str:
    """The pattern of a path below a prefix, which has no slash at its end."""
    if not prefix:
        return pattern
    rest = pattern.removeprefix("/")
    return f"{prefix}/{rest}" if rest else prefix
