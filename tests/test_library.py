"""The library that comes with the runtime, as programs see it."""

from __future__ import annotations

from pathlib import Path

import pytest

PROGRAM = """இறக்கு "nUlakam/cOqaZY/cOqaZY.qmz";
ஓட்டம் = சோதனை_தொடக்கம்("சுற்றெண்கள்");
ஓட்டம் = சமம்(ஓட்டம், வட்டமிடு(2.5, 0), 3, "பாதி மேலே");
ஓட்டம் = சமம்(ஓட்டம், வட்டமிடு(-2.5, 0), WANTED, "பாதி கீழே");
ஓட்டம் = வேறுபடு(ஓட்டம், 1, "1", "எண்ணும் உரையும்");
மற்றொன்று = உறுதிசெய்(சோதனை_தொடக்கம்("வேறு"), [1], "உண்மை");
அச்சு சோதனை_முடிவு(சேர்_ஓட்டம்(ஓட்டம், மற்றொன்று));
"""


@pytest.mark.parametrize(
    ("wanted", "status", "output"),
    [
        ("-3", 0, "✓ பாதி மேலே\n✓ பாதி கீழே\n✓ எண்ணும் உரையும்\n✓ உண்மை\nசுற்றெண்கள்: வெற்றி 4, தோல்வி 0\n0\n"),
        (
            "-2",
            1,
            "✓ பாதி மேலே\n✗ பாதி கீழே — கிடைத்தது: -3, எதிர்பார்த்தது: -2\n✓ எண்ணும் உரையும்\n✓ உண்மை\n"
            "சுற்றெண்கள்: வெற்றி 3, தோல்வி 1\n",
        ),
    ],
)
def test_a_test_program_counts_its_checks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], wanted: str, status: int, output: str
) -> None:
    from etamil_actors.script import RunOptions, run_file

    path = tmp_path / "சோதனை.qmz"
    path.write_text(PROGRAM.replace("WANTED", wanted), encoding="utf-8")
    assert run_file(str(path), [], RunOptions(cache=False)) == status
    assert capfd.readouterr().out == output
