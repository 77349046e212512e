"""FastAGI as Asterisk would never send it, broken by dice; and commands as Asterisk takes them apart."""

from __future__ import annotations

import random

USAGE = (
    b"520-Invalid command syntax.  Proper usage follows:\nUsage: NOOP\n\n\tDoes nothing.\n520 End of proper usage.\n"
)
PIECES = (
    b"200 result=1\n", b"200 result=1 (x)\n", b"510 no\n", b"520-u\n", b"520 End.\n", b"HANGUP\n", b"100 x\n",
    b"\n", b"\r\n", b"\0", b"\xff\n", b"5", b"agi_a: 1\n", b"200 result=1 (" + b"x" * 9000,
)  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Break some bytes: change, drop, double, swap pieces, or cut the end off."""
    for _ in range(dice.randint(1, 6)):
        at, to = sorted(dice.randrange(len(data) + 1) for _ in range(2))
        piece = data[at:to]
        change = dice.choice((
            b"", piece + piece, dice.randbytes(dice.randint(0, 9)), dice.choice(PIECES), piece[::-1], b"\r\n", b"\n\n",
        ))  # fmt: skip
        data = data[:at] + change + data[to:] if dice.random() < 0.9 else data[:to]
    return data


def taken_apart(line: bytes) -> list[str]:
    """Take a command apart the way res_agi.c does (parse_args), strictly: one line, then words."""
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    words: list[str] = []
    quoted = escaped = False
    between = True
    for char in line[:-1].decode("ascii"):
        if char == '"' and not escaped:
            quoted = not quoted
            if quoted and between:
                words.append("")
                between = False
        elif char in " \t" and not quoted and not escaped:
            between = True
        elif char == "\\" and not escaped:
            escaped = True
            continue
        else:
            if between:
                words.append("")
                between = False
            words[-1] += char
        escaped = False
    assert not quoted
    return words
