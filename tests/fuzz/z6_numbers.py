"""Z6: phone numbers of every Vietnamese prefix and length, in every spelling, against a table written independently.

The table says what a number is; the program has to agree, to refuse every other length instead of guessing, and to
read its own answer back as the same number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable

from controller.carrier_file import shipped
from controller.core.numbers import Kind, carrier_of, clean, normalise
from controller.core.setup import Setup
from tests.core.vietnamese_numbers import AREAS, NOBODYS, carrier_by_prefix, renumbered

NUMBERS = 100
SHORT = re.compile(r"[1-9][0-9]{2,5}")
CARRIER = carrier_by_prefix()
RENUMBERED = renumbered()
PREFIXES = (*CARRIER, *NOBODYS.split(), *RENUMBERED, *AREAS.split())
SETUP = Setup(carriers=shipped("VN").carriers)
MARKS = " .-()/·\u2011\u2013\u00a0\u200e\u202a\u202c\t"
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


class Z6:
    ID = "Z6"
    ASKED = "operator right 100 % on the table, every other length refused, reading back gives the same"

    def __init__(self) -> None:
        self.right = self.refused = self.kept = 0

    def batch(self, dice: random.Random) -> int:
        for _ in range(NUMBERS):
            national = self._national(dice)
            self._judge(national, _written(national, dice))
            self._any(dice)
        return 2 * NUMBERS

    def _national(self, dice: random.Random) -> str:
        length = dice.choice((10, 10, 11, 11, dice.randint(3, 20)))
        return (dice.choice(PREFIXES) + "".join(dice.choices("0123456789", k=20)))[:length]

    def _judge(self, national: str, written: str) -> None:
        number = normalise(written)
        wanted = expected(national)
        if wanted is None:
            # 84 and few digits, without a mark of abroad, is the short code it looks like: dialled as it is.
            unknown = Kind.SHORT if SHORT.fullmatch(number.dial) else Kind.UNKNOWN
            assert (number.kind, number.e164) == (unknown, ""), (written, number)
            assert carrier_of(number, SETUP) == ("", "unknown"), written
            self.refused += 1
        else:
            kind, carrier, today = wanted
            assert (number.kind, number.national) == (kind, today), (written, number)
            assert number.e164 == f"+84{today[1:]}", (written, number)
            assert carrier_of(number, SETUP)[0] == carrier, (written, number)
            self.right += 1
        self._reads_back(written)

    def _any(self, dice: random.Random) -> None:
        """1 to 40 digits with anything between them: no exception, and what may be dialled is digits."""
        digits = "".join(dice.choices("0123456789", k=dice.randint(1, 40)))
        text = dice.choice(("", "+", "00", "84", "1900", "1800")) + digits
        for _ in range(dice.randint(0, 4)):
            at = dice.randint(0, len(text))
            text = text[:at] + dice.choice((*MARKS, "+", "&", "${", "x", "\0", "９", "٣")) + text[at:]
        self._reads_back(text)

    def _reads_back(self, text: str) -> None:
        number = normalise(text)
        assert number.dial == "" or clean(number.dial) == number.dial, text
        for spelling in filter(None, (number.dial, number.e164)):
            assert normalise(spelling) == number, (text, spelling)
        self.kept += 1

    def seen(self) -> dict[str, object]:
        return {"right": self.right, "refused": self.refused, "read_back": self.kept, "pass": True}

    def close(self) -> None:
        pass


def expected(national: str) -> tuple[Kind, str, str] | None:
    """Kind, operator and spelling of today by the table alone; None where the plan has no such number."""
    mobile, area = _begins(national, (*CARRIER, *NOBODYS.split())), _begins(national, AREAS.split())
    old = _begins(national, RENUMBERED)
    if old and len(national) == 11:
        return expected(RENUMBERED[old] + national[4:])
    if mobile and len(national) == 10:
        return Kind.MOBILE, CARRIER.get(mobile, ""), national
    if area and len(national) == 11:
        return Kind.LANDLINE, "", national
    return None


def _begins(national: str, prefixes: Iterable[str]) -> str:
    """The longest of these prefixes the number begins with."""
    found = [prefix for prefix in prefixes if national.startswith(prefix)]
    return max(found, key=len, default="")


SPELLINGS: tuple[Callable[[str], str], ...] = (
    lambda national: national,
    lambda national: f"+84{national[1:]}",
    lambda national: f"0084{national[1:]}",
    lambda national: f"84{national[1:]}",
    lambda national: f"+84 (0) {national[1:]}",
)


def _written(national: str, dice: random.Random) -> str:
    """The same number as somebody may have typed it."""
    text = dice.choice(SPELLINGS)(national)
    for _ in range(dice.randint(0, 4)):
        at = dice.randint(1, len(text))
        text = text[:at] + dice.choice(MARKS) + text[at:]
    return text.translate(dice.choice(({}, {}, FULL_WIDTH, ARABIC)))
