"""Where the admin sockets of a user's processes are. Commands that ask need nothing else of here."""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256
from pathlib import Path


def folder() -> Path:
    """The folder of the sockets of this user.

    Raises:
        OSError: it cannot be made, or somebody else could enter it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR") or "/tmp"
    place = Path(base) / f"etamil-actors-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    details = place.lstat()
    if details.st_uid != os.getuid() or details.st_mode & 0o077 or not stat.S_ISDIR(details.st_mode):
        raise OSError(errno.EPERM, "somebody else can enter it", str(place))
    return place


def stem_of(config: str) -> str:
    """How the sockets of a configuration begin."""
    return sha256(os.path.realpath(config).encode("utf-8", "surrogateescape")).hexdigest()[:16]
