"""``etamil-actors up``: the services of a configuration, or one program, until they are to end.

The configuration is read and every program checked before anything starts: one error keeps all of them
from starting. What a process does from then on is in ``app.py``; here is what people are told of it. With
several processes this one becomes their parent (``processes.py``), and each of them comes here again.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from etamil_actors.commands import Usage, complain, remark
from etamil_actors.commands.announcing import Started, announcement
from etamil_actors.commands.check import show
from etamil_actors.commands.files import SUFFIX, complain_of_file, told_of_file
from etamil_actors.configuration import MOST_PROCESSES, ServiceEntry, Setup, complain_of_sockets, read_setup
from etamil_actors.configuration_table import ConfigError
from etamil_actors.edge.addresses import (
    Address,
    AddressError,
    address_of,
    close_sockets,
    parse_addresses,
    reserve_sockets,
)
from etamil_actors.processes import ChildEnd, Parent, Ways, command_of, my_parent
from etamil_actors.script import JOURNAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from etamil_actors.actors.programs.system import System
    from etamil_actors.app import Process
    from etamil_actors.cli import Given
    from etamil_actors.language.program import Program
    from etamil_actors.plan import Plan

DEFAULT = "config.yaml"

NO_CONFIGURATION = (
    "புதிய திட்டம்: etamil-actors new கடை; ஒரு நிரல்: etamil-actors up FILE.qmz"
    "  (a new project: etamil-actors new shop; one program: etamil-actors up FILE.qmz)"
)
"""What whoever has no configuration may do."""

UNREADABLE = "கோப்பைப் படிக்க முடியவில்லை", "read"

LOOK_AGAIN = 500
"""After so many milliseconds it is looked whether there are other folders to watch."""

LOOK_SECONDS = 0.05
"""How often a process looks whether the one that it replaces has let go of the journal."""


def main(given: Given) -> int:
    """Start what is named, and stay until it ends."""
    parent = my_parent()
    path = given.words[0] if given.words else DEFAULT
    try:
        setup = given_setup(path, given)
    except OSError as error:
        complain_of_file(error, path, *UNREADABLE)
        if isinstance(error, FileNotFoundError) and not given.words:
            sys.stderr.write(f"  {NO_CONFIGURATION}\n")
        return 1
    except ConfigError as wrong:
        _complain_of(wrong)
        return 1
    journal = os.path.join(os.path.dirname(path), JOURNAL)
    is_watching = bool(given.options["watch"])
    if is_watching and setup.processes > 1:
        remark("--watch உடன் ஒரு செயல்முறை மட்டும்", "with --watch there is one process")
        setup = setup._replace(processes=1)
    if parent is None:
        warn_of_journals(journal, setup.processes)
        if setup.processes > 1:
            return keep_processes(setup, path, given)
    return serve_here(
        setup,
        journal,
        parent,
        path,
        partial(given_setup, path, given),
        is_verbose=bool(given.options["verbose"]),
        is_watching=is_watching,
    )


def given_setup(path: str, given: Given) -> Setup:
    """What the configuration says, or the defaults for a program; the command line wins.

    Raises: OSError, ConfigError, Usage.
    """
    setup = Setup(_stem(path), [ServiceEntry(path)], {}) if path.endswith(SUFFIX) else read_setup(path)
    bind = tuple(
        text for word in given.texts.get("bind", ()) for text in word.split(",") if text.strip()
    )
    try:
        addresses = parse_addresses(bind)
    except AddressError as wrong:
        raise Usage(f"--bind: {wrong.tamil}", f"--bind: {wrong.english}") from None
    if addresses:
        setup = setup._replace(http=replace(setup.http, bind=tuple(map(str, addresses))))
    count = given.options["processes"]
    if count >= 0:
        if not 1 <= count <= MOST_PROCESSES:
            raise Usage(
                f"--processes: 1 முதல் {MOST_PROCESSES} வரை", f"--processes is from 1 to {MOST_PROCESSES}"
            )
        setup = setup._replace(processes=count)
    if setup.processes > 1:
        complain_of_sockets(setup, path)
    return setup


def serve_here(
    setup: Setup,
    journal: str,
    parent: ChildEnd | None,
    config: str,
    read: Callable[[], Setup],
    *,
    is_verbose: bool,
    is_watching: bool,
) -> int:
    """Serve in this process. ``read`` reads the configuration again."""
    programs = sound_programs(setup.paths)
    if programs is None:
        return 1
    from etamil_actors.app import serve

    lease = f"{journal}-lease" if parent is not None else ""
    if parent is not None:
        journal = journal_of(journal, parent.number)
        if parent.replaces:
            wait_for_journal(journal, parent)
        if not setup.http.session.secret:  # a session begun in one process goes on in another
            session = replace(setup.http.session, secret=parent.text)
            setup = setup._replace(http=replace(setup.http, session=session))
    sys.stderr.flush()
    child = parent.number if parent is not None else None

    def plan_of(setup: Setup, programs: Sequence[Program]) -> Plan:
        return make_plan(
            setup, programs, journal, config, is_verbose=is_verbose, child=child, lease=lease
        )

    plan = plan_of(setup, programs)
    files = {"": watched(config, programs)}

    def read_again() -> Plan | str:
        try:
            now = read()
        except OSError as error:
            tamil, english = told_of_file(error, config, *UNREADABLE)
            return f"{tamil}  ({english})"
        except ConfigError as wrong:
            return _told_of(wrong)
        if is_watching:
            now = now._replace(processes=1)
        told: list[str] = []
        sound = sound_programs(now.paths, told.append)
        if sound is None:
            return "".join(told)
        files[""] = watched(config, sound)
        return plan_of(now, sound)

    def told(system: System, process: Process) -> Iterable[Started]:
        if parent is not None and parent.number > 1:
            return ()  # the first serves the same
        is_open = _is_open(setup, system)
        return announcement(
            setup.name, system, process.urls, process.pages, is_open=is_open, is_watching=is_watching
        )

    if parent is None:
        watch = partial(_watch, lambda: files[""]) if is_watching else None
        return serve(plan, told, read=read_again, watch=watch)
    return serve(plan, told, parent.serves, parent.leaves)


def make_plan(
    setup: Setup,
    programs: Sequence[Program],
    journal: str,
    config: str,
    *,
    is_verbose: bool,
    child: int | None,
    lease: str,
) -> Plan:
    """What a process is to serve, from its configuration and the compiled programs."""
    from etamil_actors.plan import Plan, Service

    names = names_of(setup.paths)
    services = [
        Service(name, program, one.settings, one.prefix, one.is_per_request)
        for name, program, one in zip(names, programs, setup.services, strict=True)
    ]
    return Plan(
        setup.name,
        services,
        journal,
        is_verbose,
        setup.channels,
        http=setup.http,
        auth=setup.auth,
        resources=setup.resources,
        child=child,
        config=os.path.realpath(config),
        processes=setup.processes,
        lease=lease,
    )


def _complain_of(wrong: ConfigError) -> None:
    sys.stderr.write(f"✗ {_told_of(wrong)}\n")


def _told_of(wrong: ConfigError) -> str:
    return f"{wrong.place}: {wrong.tamil}  ({wrong.place}: {wrong.english})"


# ---- files that change ----------------------------------------------------------------


def watched(config: str, programs: Iterable[Program]) -> frozenset[str]:
    """Every file whose change changes what is served."""
    return _real([config, *(file for program in programs for file in program.files)])


def _real(files: Iterable[str]) -> frozenset[str]:
    return frozenset(os.path.realpath(file) for file in files)


def _folders_of(files: Iterable[str]) -> set[str]:
    return {folder for file in files if os.path.isdir(folder := os.path.dirname(file))}


async def _watch(files: Callable[[], frozenset[str]], changed: Callable[[], None]) -> None:
    """Tell whenever one of these files has changed. Their folders are looked at, as editors replace files."""
    from watchfiles import awatch

    while True:
        folders = _folders_of(files())
        looking = awatch(
            *folders, step=20, debounce=100, recursive=False, rust_timeout=LOOK_AGAIN, yield_on_timeout=True
        )
        with suppress(FileNotFoundError):  # a folder has gone just now
            async for changes in looking:
                names = {file for _, file in changes}
                if any(name.endswith(SUFFIX) for name in names) or not files().isdisjoint(_real(names)):
                    changed()
                # A module of another folder has come, or a folder has gone; one that is made anew is another.
                if _folders_of(files()) != folders or names & folders:
                    changed()
                    break


# ---- several processes ----------------------------------------------------------------


def keep_processes(setup: Setup, path: str, given: Given) -> int:
    """Be the parent of several processes, each of which serves all."""
    try:
        # Nobody else takes the ports when all children are down, and a port that the system chooses is one.
        kept = reserve_sockets(parse_addresses(setup.http.bind))
    except AddressError as wrong:
        complain(wrong.tamil, wrong.english)
        return 1
    words = ["up", path]
    if given.options["verbose"]:
        words.append("--verbose")
    if kept:
        words += ["--bind", ",".join(str(address_of(one)) for one in kept)]
    has_terminal = sys.stdin is not None and sys.stdin.isatty()
    ways = Ways(may_roll=lambda: _may_roll(setup, path, given), hangup_ends=has_terminal)
    sys.stderr.flush()
    try:
        return Parent(command_of(*words), setup.processes, ways).run()
    finally:
        close_sockets(kept)


def _may_roll(setup: Setup, path: str, given: Given) -> bool:
    """Look at the configuration before anybody is replaced."""
    try:
        now = given_setup(path, given)
    except OSError as error:
        complain_of_file(error, path, *UNREADABLE)
        return False
    except ConfigError as wrong:
        _complain_of(wrong)
        return False
    if (now.processes, now.http.bind) != (setup.processes, setup.http.bind):
        remark(
            "செயல்முறைகளின் எண்ணிக்கையும் முகவரிகளும் மறுதொடக்கத்திலேயே மாறும்",
            "the number of processes and the addresses change only when all is started anew",
        )
    return True


def journal_of(journal: str, number: int) -> str:
    """The journal of one of several processes: each owns one, the first that of a process alone."""
    return journal if number == 1 else f"{journal}.{number}"


def wait_for_journal(journal: str, parent: ChildEnd) -> None:
    """Two processes cannot own a journal: whoever is replaced has to let go of it first."""
    import fcntl
    from contextlib import closing

    from etamil_actors.actors.journal.file import Place

    try:
        lock = open(Place(journal).lock, "rb")  # noqa: SIM115  closed by the block below
    except FileNotFoundError:
        return
    with closing(lock):
        is_told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if not is_told:
                    parent.waits()
                    is_told = True
                time.sleep(LOOK_SECONDS)


def warn_of_journals(journal: str, count: int) -> None:
    """Say which journals of an earlier, larger number of processes still hold something."""
    for number in range(max(count, 1) + 1, MOST_PROCESSES + 1):
        path = journal_of(journal, number)
        if os.path.exists(path) and (held := _held_by(path)):
            complain(
                f"‘{path}’-இல் {held} செய்திகளோ பணிகளோ உள்ளன, அதற்குச் செயல்முறை இல்லை; முடிக்க:"
                f" --processes {number}",
                f"‘{path}’ holds {held} message(s) or job(s), and no process has it; to finish them:"
                f" --processes {number}",
            )


def _held_by(path: str) -> int:
    """How much waits in a journal that nobody uses. One that cannot be read is told by whoever opens it."""
    from urllib.parse import quote

    import apsw

    # Reading leaves files beside a journal, unless SQLite may take it for one that never changes.
    options = "" if os.path.exists(f"{path}-wal") else "?immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        connection = apsw.Connection(f"file:{quote(os.path.abspath(path))}{options}", flags)
        try:
            count = "SELECT (SELECT count(*) FROM messages) + (SELECT count(*) FROM jobs)"
            return int(next(connection.execute(count))[0])
        finally:
            connection.close()
    except apsw.Error:
        return 0


# ---- the programs ---------------------------------------------------------------------


def sound_programs(
    paths: Iterable[str], write: Callable[[str], object] | None = None
) -> list[Program] | None:
    """The compiled programs; None when one of them has errors. Whatever is wrong is written, if nothing
    else is said on standard error."""
    from etamil_actors.script import load_program

    programs: list[Program] = []
    is_sound = True
    for path in paths:
        try:
            problems, sources, program = load_program(path)
        except OSError as error:
            tamil, english = told_of_file(error, path, *UNREADABLE)
            (write or sys.stderr.write)(f"✗ {tamil}  ({english})\n")
            is_sound = False
            continue
        show(problems, sources, write)
        if program is None:
            is_sound = False
        else:
            programs.append(program)
    return programs if is_sound else None


def names_of(paths: Sequence[str]) -> list[str]:
    """What people call the services: the files' names, and as much of the folders as tells them apart."""
    parts = [os.path.normpath(path).removesuffix(SUFFIX).split(os.sep) for path in paths]
    names: list[str] = []
    for own in parts:
        length = 1
        while length < len(own) and sum(other[-length:] == own[-length:] for other in parts) > 1:
            length += 1
        name, again = "∕".join(own[-length:]), 2
        while name in names:  # one program, served twice
            name, again = f"{'∕'.join(own[-length:])}#{again}", again + 1
        names.append(name)
    return names


def _stem(path: str) -> str:
    return os.path.basename(path).removesuffix(SUFFIX)


def _is_open(setup: Setup, system: System) -> bool:
    addresses = parse_addresses(setup.http.bind)
    if not addresses:
        addresses = [Address(*one.address) for one in system.services.values() if one.address is not None]
    return any(address.is_open for address in addresses)
