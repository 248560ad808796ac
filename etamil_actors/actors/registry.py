"""Who is there: every actor of the tree by its path, and some by a name.

A *path* is a place in the tree (``/root/kadai/books``) and always known. A *name* is taken by an
actor that wants to be found, held over its restarts, and free again when it has ended for good.
Names and paths are compared in NFC: two spellings that look alike are one name.

Both are dictionaries in the order of arrival; whoever prints the tree sees it as it was started.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from unicodedata import normalize

from etamil_actors.actors.errors import NameTakenError

if TYPE_CHECKING:
    from etamil_actors.actors.actor import Actor
    from etamil_actors.actors.reference import Reference


class Registry:
    """The actors of one tree."""

    __slots__ = ("_names", "_paths")

    def __init__(self) -> None:
        self._paths: dict[str, Actor] = {}
        self._names: dict[str, Actor] = {}

    def enter(self, actor: Actor, name: str | None = None) -> None:
        """Make an actor known, under a name too if it has one.

        Raises:
            NameTakenError: the path or the name belongs to another; nothing was entered.
        """
        path = actor.path
        if path in self._paths:
            raise NameTakenError(path)
        if name is not None:
            name = normalize("NFC", name)
            if name in self._names:
                raise NameTakenError(name)
            self._names[name] = actor
        self._paths[path] = actor

    def leave(self, actor: Actor, name: str | None = None) -> None:
        """Forget an actor; one that is not known is no error."""
        if self._paths.get(actor.path) is actor:
            del self._paths[actor.path]
        if name is not None:
            name = normalize("NFC", name)
            if self._names.get(name) is actor:
                del self._names[name]

    def find(self, name: str) -> Reference | None:
        """The actor that took this name."""
        actor = self._names.get(normalize("NFC", name))
        return actor.reference if actor is not None else None

    def at(self, path: str) -> Reference | None:
        """The actor at this place in the tree."""
        actor = self._paths.get(normalize("NFC", path))
        return actor.reference if actor is not None else None

    def __iter__(self) -> Iterator[Actor]:
        return iter(list(self._paths.values()))

    def __len__(self) -> int:
        return len(self._paths)
