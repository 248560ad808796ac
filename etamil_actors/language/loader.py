"""A program and all the files it imports, as one tree (REFERENCE §15).

Loading is pure: the world comes in as three parameters. ``read`` answers what a file holds, or
``None`` when there is none; ``canonical`` tells which paths name the same file; ``search`` and
``library`` are the folders behind the importing file's own. The files are parsed first, then what
hangs on all of them together is settled, then each import gets its statements, the first one in
program order winning.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Sequence

from etamil_actors.language import nodes
from etamil_actors.language.lexer import Token, lex
from etamil_actors.language.parse_cursor import Parsed
from etamil_actors.language.parser import clashes, parse_file, settle_braces
from etamil_actors.language.problems import (
    FunctionInTwoFiles,
    ImportNotFound,
    ImportUnreadable,
    NotUtf8,
    Problem,
    TooDeep,
)
from etamil_actors.language.source import Source, SourceMap

Read = Callable[[str], str | bytes | None]
"""What a file holds; ``None`` when it does not exist. ``OSError`` means that it cannot be read."""

MAX_DEPTH = 100
"""Files that may import each other in a row."""


class Unreadable(Exception):
    """A file is there and cannot be read; whoever reads says why, in both languages."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


class Loaded:
    """What came of loading: a tree, or everything that is wrong with the program."""

    def __init__(
        self,
        module: nodes.Module,
        sources: SourceMap,
        files: list[tuple[str, str]],
        problems: list[Problem],
    ) -> None:
        self.module = module
        self.sources = sources
        self.files = files
        """Canonical path and SHA-256 of every file, the main program first."""
        self.problems = problems

    @property
    def is_sound(self) -> bool:
        """Whether nothing but warnings was found."""
        return not any(problem.severity == "error" for problem in self.problems)


def load(
    name: str,
    text: str | bytes,
    *,
    read: Read,
    canonical: Callable[[str], str] = posixpath.normpath,
    folder: str | None = None,
    search: Sequence[str] = (),
    library: str | None = None,
) -> Loaded:
    """Load the program ``name`` with the given text, and what it imports.

    Its imports are looked for beside it, or in ``folder`` (a program from standard input has no
    place of its own), then in the folders of ``search``, then in ``library``.
    """
    loader = _Loader(read, canonical, search, library)
    main = loader.add(name, canonical(name), text, posixpath.dirname(name) if folder is None else folder)
    loader.settle()
    problems = loader.problems + [problem for file in loader.files.values() for problem in file.problems]
    problems.sort(key=lambda problem: problem.start)
    digests = [(identity, file.digest) for identity, file in loader.files.items()]
    return Loaded(loader.spliced(main), loader.sources, digests, problems)


class _File:
    """One file of the program."""

    def __init__(self, source: Source, folder: str, digest: str) -> None:
        self.source = source
        self.folder = folder
        self.digest = digest
        self.tokens: list[Token] = []
        self.lexical: list[Problem] = []
        self.parsed = Parsed(source)
        self.brought_in: nodes.Text | None = None
        """The path of the import that brought it into the program."""
        self.targets: dict[int, str] = {}
        """The identity of the file behind each import, by the position of the import."""

    @property
    def problems(self) -> list[Problem]:
        return self.lexical + self.parsed.problems


class _Loader:
    def __init__(
        self, read: Read, canonical: Callable[[str], str], search: Sequence[str], library: str | None
    ) -> None:
        self.read = read
        self.canonical = canonical
        self.search = search
        self.library = library
        self.sources = SourceMap()
        self.files: dict[str, _File] = {}
        self.problems: list[Problem] = []

    # ---- reading the files ----

    def add(
        self,
        name: str,
        identity: str,
        content: str | bytes,
        folder: str,
        depth: int = 0,
        brought_in: nodes.Text | None = None,
    ) -> _File:
        """Take a file into the program, with everything that it imports."""
        data = content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
        text = content if isinstance(content, str) else content.decode("utf-8", "replace")
        file = _File(self.sources.add(name, text), folder, hashlib.sha256(data).hexdigest())
        file.brought_in = brought_in
        self.files[identity] = file
        bad = not_utf8(content, file.source)
        if bad is not None:
            file.lexical.append(bad)
            return file
        file.tokens, file.lexical = lex(file.source)
        if any(problem.severity == "error" for problem in file.lexical):
            return file
        file.parsed = parse_file(file.tokens, file.source)
        for statement in file.parsed.module.statements:
            if isinstance(statement, nodes.Import):
                self.follow(statement, file, depth + 1)
        return file

    def follow(self, statement: nodes.Import, file: _File, depth: int) -> None:
        """Find the file that an import means, and take it in unless it is there already."""
        path = statement.path
        places = self.places(path.value, file.folder)
        for place in places:
            identity = self.canonical(place)
            if identity in self.files:
                break
            try:
                content = self.read(place)
            except (Unreadable, OSError, ValueError) as error:
                self.unreadable(path, place, error)
                return
            if content is None:
                continue
            if depth > MAX_DEPTH:
                self.problems.append(TooDeep(path.start, path.end, limit=MAX_DEPTH))
                return
            bad = not_utf8(content, Source(place, ""))
            if bad is not None:
                self.unreadable(path, place, None)
                return
            self.add(place, identity, content, posixpath.dirname(place), depth, path)
            break
        else:
            shown = ", ".join([f"‘{place}’" for place in places]) or "—"
            self.problems.append(ImportNotFound(path.start, path.end, path=path.value, places=shown))
            return
        file.targets[statement.start] = identity

    def unreadable(self, path: nodes.Text, place: str, error: Exception | None) -> None:
        reason_ta, reason_en = "இது UTF-8 உரை அல்ல", "it is not UTF-8 text"
        if isinstance(error, Unreadable):
            reason_ta, reason_en = error.tamil, error.english
        elif error is not None and not isinstance(error, UnicodeError):
            reason_ta = reason_en = getattr(error, "strerror", None) or str(error)
        self.problems.append(
            ImportUnreadable(path.start, path.end, path=place, reason_ta=reason_ta, reason_en=reason_en)
        )

    def places(self, path: str, folder: str) -> list[str]:
        """Where a file may be, in the order of REFERENCE §15."""
        if not path or "\0" in path:
            return []
        library = self.library
        if library is not None and self.is_inside(folder, library):
            inside = dict.fromkeys([posixpath.join(folder, path), posixpath.join(library, path)])
            return [place for place in inside if self.is_inside(place, library)]
        if posixpath.isabs(path):
            return [path]
        folders = [folder, *self.search, *([] if library is None else [library])]
        # The library is a folder of this name, and its programs name it: "nUlakam/…".
        return list(dict.fromkeys([posixpath.join(folder, path) for folder in folders]))

    def is_inside(self, place: str, folder: str) -> bool:
        place, folder = self.canonical(place), self.canonical(folder)
        return place == folder or place.startswith(folder.rstrip("/") + "/")

    # ---- settling what hangs on all files ----

    def settle(self) -> None:
        parsed = [file.parsed for file in self.files.values()]
        bound: set[str] = set().union(*[one.bound for one in parsed])
        shapes: set[str] = set().union(*[one.shapes for one in parsed])
        for file in self.files.values():
            if clash := clashes(file.parsed, bound, shapes):
                file.parsed = parse_file(file.tokens, file.source, clash)
        functions = {name.text for file in self.files.values() for name in file.parsed.functions}
        for file in self.files.values():
            settle_braces(file.parsed, functions, shapes)
        self.check_functions()

    def check_functions(self) -> None:
        """Two imported files may not define one function; the main file may redefine."""
        owner: dict[str, str] = {}
        for file in self.files.values():
            path = file.brought_in
            if path is None:
                continue
            for name in dict.fromkeys([function.text for function in file.parsed.functions]):
                first = owner.setdefault(name, file.source.name)
                if first != file.source.name:
                    self.problems.append(
                        FunctionInTwoFiles(
                            path.start, path.end, name=name, first=first, second=file.source.name
                        )
                    )

    # ---- splicing ----

    def spliced(self, file: _File) -> nodes.Module:
        """The file's tree with its imports filled in."""
        placed = {id(file)}
        self.splice(file, placed)
        return file.parsed.module

    def splice(self, file: _File, placed: set[int]) -> None:
        for statement in file.parsed.module.statements:
            if isinstance(statement, nodes.Import):
                target = self.files.get(file.targets.get(statement.start, ""))
                if target is None or id(target) in placed:
                    statement.module = nodes.Module(statement.start, statement.end, [])
                else:
                    placed.add(id(target))
                    self.splice(target, placed)
                    statement.module = target.parsed.module


def not_utf8(content: str | bytes, source: Source) -> Problem | None:
    """The problem of a file that is no text at all, at the first byte that does not fit."""
    if isinstance(content, str):
        return None
    try:
        content.decode()
    except UnicodeDecodeError as error:
        before = len(Source("", content[: error.start].decode()).text)
        return NotUtf8(source.base + before, source.base + before + 1)
    return None
