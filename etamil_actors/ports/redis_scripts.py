"""The small programs that caches run inside a Redis server, each as one indivisible step.

A value and the *claim* of whoever computes it are two keys. A claim holds a token and expires by itself, so
a process that has died does not keep others from computing for long. Whoever writes or forgets a value
takes the claim away, and what is computed under a claim that has gone is not kept: it may be older.

```
CLAIM ─▶ the value          it is there
      ├▶ 1                  this token computes, from now on or already
      └▶ 0                  somebody else computes
KEEP  ─▶ 1 kept, 0 the claim has gone          RELEASE, RENEW ─▶ 1, or 0 likewise
PUT, FORGET                                    write or forget a value, and take the claim away
```

Real servers run the texts. A simulated one knows these texts and does the same.
"""

from __future__ import annotations

from typing import Final

CLAIM: Final = """\
local v = redis.call('GET', KEYS[1])
if v then return v end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then return 1 end
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1"""
"""Keys: the value's, the claim's. Arguments: the token, milliseconds."""

KEEP: Final = """\
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
if ARGV[3] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1"""
"""Keys: the value's, the claim's. Arguments: the token, the text, milliseconds (0: for ever)."""

RELEASE: Final = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])"""
"""Key: the claim's. Argument: the token."""

RENEW: Final = """\
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])"""
"""Key: the claim's. Arguments: the token, milliseconds."""

PUT: Final = """\
redis.call('DEL', KEYS[2])
if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1])
else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1"""
"""Keys: the value's, the claim's. Arguments: the text, milliseconds (0: for ever)."""

FORGET: Final = """\
redis.call('DEL', KEYS[2])
return redis.call('DEL', KEYS[1])"""
"""Keys: the value's, the claim's."""
