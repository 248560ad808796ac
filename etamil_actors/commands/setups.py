"""What ``routes``, ``openapi`` and ``config`` look at: the configuration, or one program with defaults.

The same as ``up`` would read, and nothing is started.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from etamil_actors.commands.files import SUFFIX, complain_of_file
from etamil_actors.configuration import ServiceEntry, Setup, read_setup
from etamil_actors.configuration_table import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT: Final = "config.yaml"


def path_in(words: Sequence[str]) -> str:
    """The file that is meant."""
    return words[0] if words else DEFAULT


def made_up(name: str) -> str:
    """A value for a variable that the environment does not have: who serves nothing needs no real secret.

    It is as long as a secret has to be, and does for the SHA-256 of a key as well.
    """
    from hashlib import sha256

    return sha256(f"test-{name}".encode()).hexdigest()


def setup_at(path: str, missing: Callable[[str], str] | None = None) -> Setup | None:
    """What it says; nothing when it cannot be used, and why has been said."""
    if path.endswith(SUFFIX):
        return Setup(os.path.basename(path).removesuffix(SUFFIX), [ServiceEntry(path)], {})
    try:
        return read_setup(path, missing=missing)
    except OSError as error:
        complain_of_file(error, path, "கோப்பைப் படிக்க முடியவில்லை", "read")
    except ConfigError as wrong:
        complain_of_setup(wrong)
    return None


def complain_of_setup(wrong: ConfigError) -> None:
    """Say what is wrong with a configuration, and where."""
    sys.stderr.write(f"✗ {wrong.place}: {wrong.tamil}  ({wrong.place}: {wrong.english})\n")
