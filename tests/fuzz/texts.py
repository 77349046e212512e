"""Texts nobody would send in good faith: the list of Z4, pieces of it put together, and any characters at all."""

from __future__ import annotations

import random

from tests.web.hostile import NAMES

GLUE = ("", " ", "\r\n", "\0", "&", ",", "|", ";", "${", "}", '"', "\\", "%0a", "@", "\u202e", "0912345678", "an")
RANGES = ((0x20, 0x7E), (0x20, 0x7E), (0, 0xFF), (0, 0x2FF), (0x1E00, 0x2FFF), (0, 0x10FFFF))


def any_text(dice: random.Random) -> str:
    """One of all these, mostly short."""
    way = dice.random()
    if way < 0.3:
        return dice.choice(NAMES)
    if way < 0.6:
        return dice.choice(NAMES)[:80] + dice.choice(GLUE) + dice.choice(NAMES)[:80]
    low, high = dice.choice(RANGES)
    return "".join(chr(dice.randint(low, high)) for _ in range(dice.randint(0, 12) ** 2))
