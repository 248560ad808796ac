"""xtype_சரிபார் (EXTENSIONS §10)."""

from __future__ import annotations
