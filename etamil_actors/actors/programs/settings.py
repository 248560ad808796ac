"""Words of settings and of containers of parts (EXTENSIONS §10)."""

from __future__ import annotations
