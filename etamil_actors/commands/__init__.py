"""One file per command of ``etamil-actors``, each with ``main(given) -> exit status``.

A command reads files, asks the floors below, and prints. Words and options are in the table of
``cli.py``; here is only what every command says in the same way.
"""

from __future__ import annotations

import sys


class Usage(Exception):
    """The command line has to be written another way; exit status 2."""

    def __init__(self, tamil: str, english: str) -> None:
        super().__init__(english)
        self.tamil = tamil
        self.english = english


def complain(tamil: str, english: str) -> None:
    """Say on standard error what is wrong."""
    sys.stderr.write(f"✗ {tamil}  ({english})\n")


def remark(tamil: str, english: str) -> None:
    """Say on standard error what is worth knowing."""
    sys.stderr.write(f"{tamil}  ({english})\n")
