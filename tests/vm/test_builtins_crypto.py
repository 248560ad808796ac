"""Encryption and signatures against published vectors, and against tampering (REFERENCE §24)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etamil_actors.errors import Fault
from etamil_actors.vm.builtins import crypto
from etamil_actors.vm.effects import InThread
from etamil_actors.vm.values import Err, Ok

Call = Callable[..., Any]


def fails(code: str) -> Any:
    """An error with this code is raised inside."""
    return pytest.raises(Fault, check=lambda fault: fault.code == code)


# RFC 6979, A.2.5
PRIVATE = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
PUBLIC = (
    "0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SAMPLE_R = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
SAMPLE_S = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
TEST_R = "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
TEST_S = "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"


# ── sealing ─────────────────────────────────────────────────────────────────────────────────────────


def test_hchacha20_has_its_published_vector() -> None:
    """draft-irtf-cfrg-xchacha-03, 2.2.1."""
    made = crypto.hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927"))
    assert made.hex() == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


def test_xchacha20_poly1305_has_its_published_vector() -> None:
    """draft-irtf-cfrg-xchacha-03, A.3.1."""
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    key, nonce = crypto.extended_nonce(bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)))
    sealed = ChaCha20Poly1305(key).encrypt(nonce, text, bytes.fromhex("50515253c0c1c2c3c4c5c6c7"))
    assert sealed.hex() == (
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
        "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
    )


def test_the_key_comes_from_argon2id_with_the_settings_of_published_programs() -> None:
    from argon2.low_level import Type, hash_secret_raw

    other = hash_secret_raw(b"secret", b"s" * 16, 2, 19_456, 1, 32, Type.ID)
    assert crypto._derived_key(b"secret", b"s" * 16) == other


@pytest.mark.parametrize("text", ["", "வணக்கம்", "😀" * 1000, "\x00"])
def test_what_was_sealed_opens(machine: Any, text: str) -> None:
    sealed = machine.call("மறை", text, "கடவுச்சொல்")
    raw = base64.b64decode(sealed, validate=True)
    assert raw[0] == 1
    assert len(raw) == 1 + 16 + 24 + len(text.encode()) + 16
    opened = machine.call("வெளிப்படு", sealed, "கடவுச்சொல்")
    assert isinstance(opened, Ok)
    assert opened.value == text
    assert all(isinstance(effect, InThread) for effect in machine.performed)


def test_sealing_twice_gives_two_texts(machine: Any) -> None:
    assert machine.call("மறை", "x", "y") != machine.call("மறை", "x", "y")


def test_an_empty_passphrase_is_refused(call: Call) -> None:
    with fails("value.invalid"):
        call("மறை", "x", "")


def test_nothing_else_opens(machine: Any) -> None:
    sealed = machine.call("மறை", "வணக்கம்", "ஒன்று")
    raw = bytearray(base64.b64decode(sealed))
    assert isinstance(machine.call("வெளிப்படு", sealed, "இரண்டு"), Err)
    for place in (0, 1, 17, 41, len(raw) - 1):
        changed = bytearray(raw)
        changed[place] ^= 1
        answer = machine.call("வெளிப்படு", base64.b64encode(changed).decode(), "ஒன்று")
        assert isinstance(answer, Err)
        assert "  (" in answer.value
    assert isinstance(machine.call("வெளிப்படு", sealed + "\n", "ஒன்று"), Ok)


@pytest.mark.parametrize(
    "sealed", ["", "?", "AQ==", "தமிழ்", "A" * 56, "AQ" + "A" * 50, "AQAA\nAAAA", "====", "\ud800"]
)
def test_what_is_no_sealed_text_is_a_failure(call: Call, sealed: str) -> None:
    assert isinstance(call("வெளிப்படு", sealed, "x"), Err)


def test_a_sealed_text_must_be_utf8(machine: Any) -> None:
    sealed = crypto._seal(b"\xff", b"x", bytes(40))
    assert isinstance(machine.call("வெளிப்படு", sealed, "x"), Err)


def test_a_fresh_passphrase(machine: Any) -> None:
    first, second = machine.call("மறை_விசை"), machine.call("மறை_விசை")
    assert first != second
    assert len(base64.b64decode(first, validate=True)) == 32


# ── message codes, digests, chance ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("key", "message", "code"),
    [  # RFC 4231, test cases 1 and 2
        ("\x0b" * 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            "Jefe",
            "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
    ],
)
def test_hmac_has_its_published_vectors(call: Call, key: str, message: str, code: str) -> None:
    assert call("கையொப்பம்", key, message) == code
    assert call("கையொப்பம்_சரியா", key, message, f" {code.upper()}\n") is True
    for wrong in ("", code[:-1], code[:-1] + "0", "தமிழ்", code + code):
        assert call("கையொப்பம்_சரியா", key, message, wrong) is False


def test_sha256(call: Call) -> None:
    assert call("சுருக்கம்_256", "abc") == list(
        bytes.fromhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    )
    assert call("சுருக்கம்_256", 5) == list(hashlib.sha256(b"5").digest())


def test_random_bytes(machine: Any) -> None:
    for count in (1, 1024, "3", 2.0):
        made = machine.call("எழுமாற்று", count if not isinstance(count, float) else 2)
        assert len(made) == int(count)
        assert all(type(byte) is int and 0 <= byte <= 255 for byte in made)
    for count in (0, -1, 1025, "x", None, 10**28):
        with fails("value.invalid"):
            machine.call("எழுமாற்று", count)


# ── the curve ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("message", "r", "s"), [("sample", SAMPLE_R, SAMPLE_S), ("test", TEST_R, TEST_S)])
def test_curve_signatures_have_their_published_vectors(call: Call, message: str, r: str, s: str) -> None:
    assert call("வளைவு_பொதுச்சாவி", PRIVATE).value == PUBLIC
    fixed = call("வளைவு_நேர்_கையொப்பம்", message, PRIVATE)
    assert bytes(fixed.value).hex() == r + s
    der = call("வளைவு_கையொப்பம்", message, PRIVATE).value
    assert r in der
    assert der == der.lower()
    assert call("வளைவு_சரிபார்", message, der, PUBLIC).value is True
    assert call("வளைவு_நேர்_சரிபார்", message, fixed.value, PUBLIC) is True


def test_a_new_pair_signs_and_verifies(machine: Any) -> None:
    keys = machine.call("வளைவு_சாவிகள்")
    assert (len(keys["தனி"]), len(keys["பொது"]), keys["பொது"][:2]) == (64, 130, "04")
    assert machine.call("வளைவு_பொதுச்சாவி", keys["தனி"]).value == keys["பொது"]
    signature = machine.call("வளைவு_கையொப்பம்", "செய்தி", keys["தனி"]).value
    spaced = " ".join(signature).upper()
    assert machine.call("வளைவு_சரிபார்", "செய்தி", spaced, keys["பொது"]).value is True
    assert machine.call("வளைவு_சரிபார்", "செய்தி!", signature, keys["பொது"]).value is False
    assert machine.call("வளைவு_சாவிகள்") != keys


def test_a_key_is_drawn_again_when_it_lies_beyond_the_order(machine: Any) -> None:
    drawn = [b"\xff" * 32, bytes(32), bytes.fromhex(PRIVATE)]
    machine.world.random_bytes = lambda count: drawn.pop(0)
    assert machine.call("வளைவு_சாவிகள்") == {"தனி": PRIVATE, "பொது": PUBLIC}


@pytest.mark.parametrize("signature", ["", "00", "30", "3006020100020100", SAMPLE_R + SAMPLE_S, "ff" * 1000])
def test_a_malformed_signature_does_not_hold(call: Call, signature: str) -> None:
    assert call("வளைவு_சரிபார்", "sample", signature, PUBLIC).value is False


@pytest.mark.parametrize(
    "signature",
    [[], [0] * 64, [255] * 64, [1] * 63, ["1"] * 64, [None] * 64, [True] * 64, [256] * 64, [-1] * 64],
)
def test_a_malformed_fixed_signature_does_not_hold(call: Call, signature: list[object]) -> None:
    assert call("வளைவு_நேர்_சரிபார்", "sample", signature, PUBLIC) is False


@pytest.mark.parametrize(
    "key", ["", "0", "xy", "00" * 32, "ff" * 32, PRIVATE + "00", PRIVATE[2:], "௧௨", "04" + "00" * 64]
)
def test_malformed_keys_are_failures(call: Call, key: str) -> None:
    for answer in (
        call("வளைவு_பொதுச்சாவி", key),
        call("வளைவு_கையொப்பம்", "m", key),
        call("வளைவு_நேர்_கையொப்பம்", "m", key),
        call("வளைவு_சரிபார்", "m", "00", key),
        call("வளைவு_நேர்_சரிபார்", "m", [0] * 64, key),
    ):
        assert isinstance(answer, Err)
        assert "  (" in answer.value


def test_malformed_hex_of_a_signature_is_a_failure(call: Call) -> None:
    assert isinstance(call("வளைவு_சரிபார்", "m", "0g", PUBLIC), Err)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), st.text(), st.text())
def test_any_texts_end_in_a_result(call: Call, one: str, two: str, three: str) -> None:
    assert isinstance(call("வெளிப்படு", one, two), (Ok, Err))
    assert isinstance(call("கையொப்பம்_சரியா", one, two, three), bool)
    assert isinstance(call("வளைவு_சரிபார்", one, two, three), (Ok, Err))
    assert isinstance(call("வளைவு_பொதுச்சாவி", one), (Ok, Err))
