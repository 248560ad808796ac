"""The table of builtin functions: ``builtins.tsv``, read into rows and found by any spelling.

One row per builtin is everything the house knows about its *face*: names, parameters, what it
answers, and what it does in both languages. What it *does* lives in ``vm/builtins/``, tied to the
row by its English alias. The reference page is made from the same rows.

A parameter list such as ``c channel, v message, [r options]`` gives each parameter a letter,
which tells what happens to what is passed, and perhaps a name:

===  ==================================  ===  ===========================================
v    any value, as it is                 a    must be an array
t    converted to text                   r    must be a record
n    converted to a number               w    must be a number and whole
b    judged true or false                f    must be a function
                                         c    must be a handle (a channel, a lock, a pool)
===  ==================================  ===  ===========================================

What stands in brackets may be left out, from the right; ``…`` stands for as many as wanted.
``takes`` says what may be written behind the call: a record (the last argument), a block, or a
body; ``name`` marks the few words that are read without parentheses. A program is compiled with
this table and run with it, so reading it must cost next to nothing: no regular expressions, no
``csv``.
"""

from __future__ import annotations

import os

from etamil_actors.language.romanise import romanise


class Builtin:
    """One row of the table, with what follows from it.

    A plain class: a ``NamedTuple`` of this size takes longer to define than the table to read.
    """

    __slots__ = (
        "also", "answers", "brings", "does", "does_tamil", "english", "fails", "group", "least",
        "letters", "most", "parameters", "roman", "since", "spellings", "takes", "tamil",
    )  # fmt: skip

    def __init__(self, line: str) -> None:
        (self.group, self.tamil, self.roman, self.english, also, self.parameters, self.answers,
         self.fails, self.does, self.does_tamil, self.since, self.takes, self.brings,
        ) = line.split("\t")  # fmt: skip
        self.also = tuple(also.split())
        """Spellings of the founding documents."""
        self.letters, self.least, self.most = _counts(self.parameters)
        """One letter for each parameter, those that may be missing too; the fewest arguments; and
        the most, −1 when there is no bound."""
        own = dict.fromkeys((self.tamil, self.roman, romanise(self.tamil), self.english))
        self.spellings = (*filter(None, own), *self.also)
        """Every spelling a program may use, the Tamil one first."""

    def __repr__(self) -> str:
        return f"<Builtin {self.tamil} {self.english}>"


def _counts(parameters: str) -> tuple[str, int, int]:
    """The letters of a parameter list, and how many arguments it takes at least and at most."""
    if parameters == "—":
        return "", 0, 0
    required = parameters.partition("[")[0].strip(" ,")
    written = parameters.replace("[", "").replace("]", "").split(", ")
    letters = "".join([parameter[0] for parameter in written])
    least = required.count(",") + 1 if required else 0
    if parameters[-1] == "…":
        return letters, least - 1, -1
    return letters, least, len(letters)


def _read() -> tuple[Builtin, ...]:
    path = os.path.join(os.path.dirname(__file__), "builtins.tsv")
    with open(path, encoding="utf-8", newline="\n") as file:
        _header, *lines = file.read().splitlines()
    return tuple([Builtin(line) for line in lines])


BUILTINS = _read()
BUILTIN_OF = {spelling: builtin for builtin in BUILTINS for spelling in builtin.spellings}
assert len(BUILTIN_OF) == sum(len(builtin.spellings) for builtin in BUILTINS), "two builtins share a spelling"
