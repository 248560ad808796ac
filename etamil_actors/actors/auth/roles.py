"""Roles that include roles: who is an ``admin`` may do what an ``editor`` may.

What is said is closed once, so a question costs one look at a set for each role that a user has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from etamil_actors.errors import Fault
from etamil_actors.vm.blocks import roles_of
from etamil_actors.vm.values import Value

MOST: Final = 200
"""Roles that include others."""


class Roles:
    """Which roles include which.

    Raises:
        Fault: ``config``, a role includes itself, perhaps by way of others, or there are too many.
    """

    def __init__(self, includes: Mapping[str, Iterable[str]] | None = None) -> None:
        self._within: dict[str, frozenset[str]] = {}
        said = {role: tuple(others) for role, others in (includes or {}).items()}
        if len(said) > MOST:
            raise Fault(
                "config",
                problem_ta=f"auth.roles: {MOST} பங்குகளுக்கு மேல் உள்ளன",
                problem_en=f"auth.roles: there are more than {MOST} roles",
            )
        for role in said:
            self._close(role, said, ())

    def _close(
        self, role: str, includes: Mapping[str, tuple[str, ...]], above: tuple[str, ...]
    ) -> frozenset[str]:
        if role in above:
            circle = " → ".join((*above[above.index(role) :], role))
            raise Fault(
                "config",
                problem_ta=f"auth.roles: ஒரு பங்கு தன்னையே உள்ளடக்குகிறது: {circle}",
                problem_en=f"auth.roles: a role includes itself: {circle}",
            )
        known = self._within.get(role)
        if known is None:
            inner = (self._close(one, includes, (*above, role)) for one in includes.get(role, ()))
            known = self._within[role] = frozenset({role}).union(*inner)
        return known

    def has(self, user: Value, role: str) -> bool:
        """Does the user have this role, or one that includes it?"""
        return any(role == one or role in self._within.get(one, ()) for one in roles_of(user))
