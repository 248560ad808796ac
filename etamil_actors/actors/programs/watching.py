"""Words that count, time and trace (EXTENSIONS §10)."""

from __future__ import annotations
