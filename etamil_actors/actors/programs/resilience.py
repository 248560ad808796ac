"""சுற்று_முறிப்பான் (EXTENSIONS §10); மீள்முயற்சி needs only the machine and stands in vm/blocks.py."""

from __future__ import annotations
