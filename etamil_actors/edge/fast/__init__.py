"""The fast lane: plain HTTP/1.1 on trio, with ``httptools`` reading heads (DESIGN §4).

```
listener ── accepts, counts, sweeps ──▶ connection ── one task, one request after the other
                                            ├ head      bytes → Head, or why not          pure
                                            ├ body      the exchange: what is read of a request
                                            │   └ chunked   bytes of chunks → bytes        pure
                                            └ answer    heads of answers, streams, gone clients
```

Its rule for framing is: one reading or none. What two servers could understand in two ways is refused and the
connection ends, so nothing can be smuggled past a proxy in front of us. Its rule for speed is: nothing for a
request that a connection can have once, and nothing for a connection that the listener can have once.
"""
