"""``python -m etamil_actors`` is the command ``etamil-actors``."""

from __future__ import annotations

import sys

from etamil_actors.cli import main

if __name__ == "__main__":
    sys.exit(main())
