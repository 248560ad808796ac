"""The servers that tests talk to, and servers of one's own for tests that stop them.

The standard servers are found by environment variables; where one does not answer a test is skipped with
the reason, but it fails where ``CI`` is set. They are never stopped. Whoever wants to stop a server starts
an ``OwnServer``: a process on a free port, with its data in a temporary folder, gone when the block ends.
"""

from __future__ import annotations

import fcntl
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trio

from etamil_actors.ports.databases import Connection, Datum, Pool, PoolSettings
from etamil_actors.resources.databases import RealDatabases

URLS = {
    "postgres": ("ETAMIL_TEST_POSTGRES", "postgres://root@127.0.0.1:5432/test"),
    "mysql": ("ETAMIL_TEST_MYSQL", "mysql://root@127.0.0.1:3306/test"),
    "redis": ("ETAMIL_TEST_REDIS", "redis://127.0.0.1:6379/9"),
}
START_SECONDS = 60


def url_of(kind: str) -> str:
    """Where the standard server of this kind is; the test is skipped (in CI: fails) when it is not there."""
    url, trouble = _found(kind)
    if trouble:
        refuse(f"{kind}: {trouble} ({URLS[kind][0]} tells where it is)")
    return url


def refuse(reason: str) -> None:
    """This test cannot run here: that is said aloud, and in CI it is a failure."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@functools.cache
def _found(kind: str) -> tuple[str, str]:
    name, default = URLS[kind]
    url = os.environ.get(name) or default
    return url, trouble_with(kind, url)


def trouble_with(kind: str, url: str) -> str:
    """Why nobody can log in there; "" when one can."""
    problems: list[str] = []

    def attempt() -> None:
        try:
            PROBES[kind](url)
        except Exception as problem:  # noqa: BLE001  whatever it is, nobody can log in
            problems.append(f"{type(problem).__name__}: {str(problem).strip()}")

    # In a thread: the probes block, and one of them runs a loop of trio.
    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return problems[0] if problems else ""


def _probe_postgres(url: str) -> None:
    from psycopg import pq

    connection = pq.PGconn.connect(f"{url}{'&' if '?' in url else '?'}connect_timeout=5".encode())
    try:
        if connection.status != pq.ConnStatus.OK:
            raise OSError(connection.get_error_message())
    finally:
        connection.finish()


def _probe_mysql(url: str) -> None:
    from etamil_actors.resources.databases.mysql import MysqlDriver

    async def attempt() -> None:
        connection = await MysqlDriver(PoolSettings(kind="mysql", url=url)).connect()
        await connection.close()

    trio.run(attempt)


def _probe_redis(url: str) -> None:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 6379), timeout=5) as plug:
        if parts.password:
            plug.sendall(f"AUTH {parts.password}\r\n".encode())
            plug.recv(1000)
        plug.sendall(b"PING\r\n")
        answer = plug.recv(1000)
    if not answer.startswith(b"+PONG"):
        raise OSError(answer.decode(errors="replace").strip())


PROBES: dict[str, Callable[[str], None]] = {
    "postgres": _probe_postgres,
    "mysql": _probe_mysql,
    "redis": _probe_redis,
}


Options = Callable[[Path], list[str]]


# ---- servers of one's own -------------------------------------------------------------------


class OwnServer:
    """A server that a test may stop, kill and start again; its data stay. All calls block: call them by
    ``trio.to_thread.run_sync`` where others shall go on."""

    def __init__(self, kind: str, url: str, command: list[str], folder: Path, gentle: int) -> None:
        self.kind = kind
        self.url = url
        self._command = command
        self._log = folder / "log"
        self._gentle = gentle
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        """The processes it has started."""
        return _children(self.pid)

    def start(self) -> None:
        """Start it, and wait until one can log in."""
        assert self._process is None
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + START_SECONDS
        while trouble := trouble_with(self.kind, self.url):
            if self._process.poll() is not None or time.monotonic() > until:
                told = self._log.read_text(errors="replace")[-2000:]
                self.kill()
                raise RuntimeError(f"{self.kind} does not start: {trouble}\n{told}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in order, without waiting for its clients."""
        self._end(lambda pid: os.kill(pid, self._gentle))

    def kill(self) -> None:
        """As if the power had failed."""
        self._end(_kill_with_children)

    def _end(self, end: Callable[[int], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            end(process.pid)
        try:
            process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(one) for one in found.stdout.split()]


def _kill_with_children(pid: int) -> None:
    """Those of PostgreSQL would live on without it, each in a session of its own."""
    for one in (pid, *_children(pid)):
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            pass


def tls_files(folder: Path) -> tuple[Path, Path, Path]:
    """An authority, a certificate of it for 127.0.0.1 and localhost, and its key."""
    import trustme

    authority = trustme.CA()
    mine = authority.issue_cert("127.0.0.1", "localhost")
    files = folder / "authority.pem", folder / "server.pem", folder / "server.key"
    authority.cert_pem.write_to_path(str(files[0]))
    mine.cert_chain_pems[0].write_to_path(str(files[1]))
    mine.private_key_pem.write_to_path(str(files[2]))
    files[2].chmod(0o600)
    folder.chmod(0o755)
    return files


class NurseryKeeper:
    """A keeper of resources (``ports.background.Keeper``) for one test."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self.started: list[str] = []
        self.told: list[str] = []

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self.started.append(name)
        self._nursery.start_soon(run, name=name)

    def at_close(self, close: Callable[[], Awaitable[None]]) -> None:
        self._closing.append(close)

    def tell(self, tamil: str, english: str) -> None:
        self.told.append(english)

    async def close(self) -> None:
        while self._closing:
            await self._closing.pop()()


@asynccontextmanager
async def open_pool(settings: PoolSettings) -> AsyncIterator[Pool]:
    """A pool of real connections, closed when the block ends."""
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        keeper = NurseryKeeper(nursery)
        try:
            yield RealDatabases().pool(settings, keeper)
        except Exception as raised:  # noqa: BLE001  raised again, but not as a group
            problem = raised
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 10):
                await keeper.close()
            nursery.cancel_scope.cancel("the test is over")
    if problem is not None:
        raise problem


@asynccontextmanager
async def open_connection(settings: PoolSettings) -> AsyncIterator[Connection]:
    """A real connection of a pool of its own."""
    async with open_pool(settings) as pool:
        connection = await pool.lease()
        try:
            yield connection
        finally:
            await pool.give_back(connection)


async def value_of(connection: Connection, expression: str, *parameters: Datum) -> Datum:
    """What this expression of SQL is."""
    (row,) = await connection.query(f"SELECT {expression} AS it", list(parameters))
    return row["it"]


@contextmanager
def own_server(kind: str, options: Options = lambda folder: []) -> Iterator[OwnServer]:
    """A server of this kind that has been started; the test is skipped where its programs are not installed.
    ``options`` may put files into its folder, and answers what is added to the command."""
    folder = Path(tempfile.mkdtemp(prefix=f"etamil-{kind}-"))
    server: OwnServer | None = None
    try:
        server = MAKERS[kind](folder, options)
        server.start()
        yield server
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


def _owned(options: Options, folder: Path) -> list[str]:
    """The options; the files that were made for them belong to whoever runs the server."""
    found = options(folder)
    owner = folder.stat()
    for path in folder.iterdir():
        if path.is_file():
            os.chown(path, owner.st_uid, owner.st_gid)
    return found


def _make_postgres(folder: Path, options: Options) -> OwnServer:
    initdb, postgres = _program("initdb", "postgres"), _program("postgres", "postgres")
    # It refuses to run as root.
    other = _as_user("postgres", folder)
    data, port = folder / "data", free_port()
    _run([*other, initdb, "-D", str(data), "-U", "root", "--auth=trust", "-N", "-E", "UTF8", "--locale=C"])
    command = [*other, postgres, "-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder), "-F"]
    command += _owned(options, folder)
    url = f"postgres://root@127.0.0.1:{port}/postgres"
    return OwnServer("postgres", url, command, folder, signal.SIGINT)


def _make_mysql(folder: Path, options: Options) -> OwnServer:
    install, server = _program("mariadb-install-db", "mysql"), _program("mariadbd", "mysql")
    other = _as_user("mysql", folder)
    data, port = folder / "data", free_port()
    made = ["--no-defaults", f"--datadir={data}", f"--tmpdir={folder}", "--auth-root-authentication-method=normal"]
    with _one_at_a_time("mysql"):  # of two at once one may find the other's temporary tables
        _run([*other, install, *made])
    command = [
        *other, server, "--no-defaults", f"--datadir={data}", "--bind-address=127.0.0.1", f"--port={port}",
        f"--socket={folder / 'sock'}", "--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=16M", *_owned(options, folder),
    ]  # fmt: skip
    return OwnServer("mysql", f"mysql://root@127.0.0.1:{port}/test", command, folder, signal.SIGTERM)


@contextmanager
def _one_at_a_time(kind: str) -> Iterator[None]:
    """Among all processes that run tests."""
    with open(Path(tempfile.gettempdir()) / f"etamil-{kind}-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make_redis(folder: Path, options: Options) -> OwnServer:
    port = free_port()
    command = [
        _program("redis-server", "redis"), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder),
        "--save", "", "--appendonly", "yes", "--appendfsync", "always", *_owned(options, folder),
    ]  # fmt: skip
    url = f"redis://127.0.0.1:{port}/0"
    return OwnServer("redis", url, command, folder, signal.SIGTERM)


MAKERS = {"postgres": _make_postgres, "mysql": _make_mysql, "redis": _make_redis}


def _program(name: str, kind: str) -> str:
    places = [os.environ.get("PATH", ""), "/usr/sbin", *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        # In CI too: a machine may have a server without its programs.
        pytest.skip(
            f"{kind}: the program ‘{name}’ is not installed, so no server of one's own can be started"
        )
    return found


def _as_user(name: str, folder: Path) -> list[str]:
    """What stands before a command so that root runs it as somebody else, who then owns the folder."""
    if os.geteuid() != 0:
        return []
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        pytest.skip(f"{name}: there is no user ‘{name}’ to run a server of one's own as")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return [
        _program("setpriv", name), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--",
    ]  # fmt: skip


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, timeout=120, stdin=subprocess.DEVNULL, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.decode(errors='replace')[-2000:]}")
