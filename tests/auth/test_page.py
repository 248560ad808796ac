"""The page ``docs/auth.md``: every configuration on it is read, and what it says of itself is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etamil_actors.configuration import read_setup
from etamil_actors.edge.auth.login import SECONDS
from etamil_actors.ports.auth import OidcSettings
from etamil_actors.vm.builtins import passwords

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "auth.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
ENVIRONMENT = {
    name: f"{name}: a secret of some length" for name in ("JWT_SECRET", "SESSION_SECRET", "OLD_SESSION_SECRET", "OIDC_SECRET")
}


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_configuration_on_the_page_is_read(tmp_path: Path, block: str) -> None:
    (tmp_path / "config.yaml").write_text(block, encoding="utf-8")
    setup = read_setup(str(tmp_path / "config.yaml"), ENVIRONMENT)
    assert setup.services and (setup.auth.jwt or setup.auth.keys or setup.auth.oidc or setup.auth.passwords != "bcrypt")


def test_the_page_has_one_for_each_way_to_come_in() -> None:
    assert len(BLOCKS) >= 5
    for name in ("jwt:", "keys:", "oidc:", "roles:", "passwords:", "jwks_url:", "old_secrets:"):
        assert any(name in block for block in BLOCKS), name


def test_numbers_on_the_page_are_those_of_the_code() -> None:
    settings = OidcSettings(issuer="https://id.example", client_id="a")
    assert f"within {SECONDS // 60} minutes" in PAGE
    assert f"({passwords.MEMORY // 1024} MiB, at most {passwords.ARGON2_BYTES} bytes)" in PAGE
    assert f"(at most {passwords.PASSWORD_BYTES} bytes)" in PAGE
    for path in (settings.login, settings.callback, settings.logout):
        assert f"{path}" in PAGE
    for claim in ("sub", "iss", *settings.claims, settings.roles_claim):
        assert f"`{claim}`" in PAGE
