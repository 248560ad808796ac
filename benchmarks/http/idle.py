"""Many connections that have nothing to say: what each costs the server, and whether others notice.

``python -m benchmarks.http.idle PORT PATH PID COUNT`` opens them, has one request answered on each, leaves
them open, and measures. It is a process of its own because it holds as many sockets as the server.
"""

from __future__ import annotations

import json
import select
import socket
import sys
from pathlib import Path
from time import perf_counter

FRESH = 300
"""So many new connections are timed beside the idle ones."""

_WARM = 500
_TIMEOUT = 10.0
_END = b"\r\n\r\n"


def measure(port: int, path: str, pid: int, count: int) -> dict[str, object]:
    """Bytes of the server for each connection, and seconds that fresh requests took."""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    with _connected(port) as first:
        for _ in range(_WARM):
            _ask(first, request)
        before = resident_of(pid)
        waiting = [_connected(port) for _ in range(count)]
        for one in waiting:
            _ask(one, request)
        grown = resident_of(pid) - before
        fresh = [_fresh(port, request) for _ in range(FRESH)]
        left = _left(waiting)
    assert not left, f"{left} of {count} idle connections were closed by the server"
    return {"bytes": grown / count, "fresh": fresh}


def resident_of(pid: int) -> int:
    """Bytes of memory that a process has now; Linux says so."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise ProcessLookupError(pid)


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), _TIMEOUT)


def _ask(connection: socket.socket, request: bytes) -> None:
    connection.sendall(request)
    read = b""
    while _END not in read:
        read += _some(connection)
    head, _, body = read.partition(_END)
    assert head.startswith(b"HTTP/1.1 200"), head
    lines = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
    while len(body) < length:
        body += _some(connection)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    assert data, "the server closed a connection"
    return data


def _fresh(port: int, request: bytes) -> float:
    begin = perf_counter()
    with _connected(port) as connection:
        _ask(connection, request)
    return perf_counter() - begin


def _left(waiting: list[socket.socket]) -> int:
    # Nothing is under way, so what can be read now is the end.
    poll = select.poll()
    for one in waiting:
        poll.register(one, select.POLLIN)
    return len(poll.poll(0))


if __name__ == "__main__":
    port, path, pid, count = sys.argv[1:]
    print(json.dumps(measure(int(port), path, int(pid), int(count))))
