"""Schemathesis reads the OpenAPI document of a service and holds the service to it.

It is a program of its own here, as people use it: it makes requests that the document allows and requests that
it does not, and judges every answer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.http_life.serving import REPOSITORY, Start

COMMAND = Path(sys.executable).with_name("schemathesis")

pytestmark = pytest.mark.slow

STATEFUL = ("--phases", "examples,coverage,fuzzing,stateful")
WITHOUT_STATE = ("--phases", "examples,coverage,fuzzing")

SERVICES = {
    # Ours: a shape at every place. That valid data is accepted is not asked here: Schemathesis likes numbers such as
    # 2.2e-308, and a number of ours is a decimal that is kept exactly or not taken at all.
    "shapes.qmz": (None, (*STATEFUL, "--exclude-checks", "positive_data_acceptance")),
    "greetings.qmz": (None, STATEFUL),
    # One Idempotency-Key with two bodies is refused (422), and an answer that is given again tells of a book that
    # may be gone by now. Both are as they should be, and Schemathesis does not know of them.
    "19_library.qmz": (
        REPOSITORY / "examples" / "19_library.qmz",
        (*WITHOUT_STATE, "--exclude-checks", "positive_data_acceptance"),
    ),
}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_keeps_what_its_document_promises(name: str, start: Start, tmp_path: Path) -> None:
    if not COMMAND.exists() and shutil.which("schemathesis") is None:
        pytest.skip("schemathesis is not installed")
    path, words = SERVICES[name]
    server = start("fast", path.read_text("utf-8") if path is not None else name)
    done = subprocess.run(
        [str(COMMAND), "run", f"http://127.0.0.1:{server.port}/openapi.json", "--checks", "all",
         "--max-examples", "30", "--seed", "1", "--no-color", *words],
        cwd=tmp_path, capture_output=True, text=True, timeout=90,
        env={**os.environ, "PYTHONWARNINGS": "ignore", "COLUMNS": "100"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "a mistake of the runtime" not in server.said, server.said[-3000:]
    assert server.metric("http_server_active_requests") == 1
    assert server.stop() == 0
