"""A bare loop on trio with httptools: it reads requests, looks at nothing, and answers a constant.

No router, no limit, no time-out, no log: this is what the sockets, trio and the parser cost by themselves.
``python bare.py PORT`` serves on 127.0.0.1 until it is ended.
"""

from __future__ import annotations

import sys
from functools import partial

import httptools
import trio

BODY = '{"message":"வணக்கம்"}'.encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
ANSWER = HEAD + BODY
READ = 64 * 1024


class Requests:
    """Counts the requests whose end the parser has seen."""

    def __init__(self) -> None:
        self.complete = 0

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.complete += 1


async def answer(stream: trio.SocketStream) -> None:
    """Answer what comes over one connection, until the client leaves."""
    requests = Requests()
    parser = httptools.HttpRequestParser(requests)
    try:
        async with stream:
            while data := await stream.receive_some(READ):
                parser.feed_data(data)
                await stream.send_all(ANSWER * requests.complete)
                requests.complete = 0
                if not parser.should_keep_alive():
                    return
    except (trio.BrokenResourceError, httptools.HttpParserError):
        return  # the client is gone, or speaks something else


if __name__ == "__main__":
    trio.run(partial(trio.serve_tcp, answer, int(sys.argv[1]), host="127.0.0.1"))
