"""What carries the messages of a channel, and what it promises (EXTENSIONS §6).

``check`` prints these lines for the channels of a program. Each promise is kept under test with its
transport.
"""

from __future__ import annotations

from typing import NamedTuple


class Transport(NamedTuple):
    """One row: the word of the option, and the promise in both languages."""

    word: str
    tamil: str
    english: str


MEMORY = "memory"

TRANSPORTS = (
    Transport(
        MEMORY,
        "அதிகபட்சம் ஒருமுறை; செயல்முறை முடிந்தால் இழக்கப்படும்; சொல்லாமல் எதுவும் கைவிடப்படாது",
        "at most once; lost when the process ends; never dropped without being told",
    ),
    Transport(
        "journal",
        "அனுப்பி முடிந்தபின் குறைந்தது ஒருமுறை; kill -9-ஐத் தாங்கும்; ஒரே கணினியில்",
        "at least once after the send has returned; survives kill -9; on one machine",
    ),
    Transport(
        "redis",
        "இந்தப் பதிப்பில் இன்னும் இல்லை",
        "not there yet in this version",
    ),
    Transport(
        "nats",
        "இந்தப் பதிப்பில் இன்னும் இல்லை",
        "not there yet in this version",
    ),
)
TRANSPORT_OF = {row.word: row for row in TRANSPORTS}
