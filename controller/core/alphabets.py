"""What texts of the setup may consist of.

Names, addresses and passwords end in Asterisk's configuration files, where `;` begins a comment, `[` a section and a
line break anything at all: what is allowed here has no meaning there.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Alphabet(NamedTuple):
    """A pattern for a whole text, how to tell a person what it allows, and whether the text itself may be told."""

    pattern: re.Pattern[str]
    words: str
    secret: bool = False


NAME = Alphabet(re.compile(r"[A-Za-z0-9_.-]{1,64}"), "letters a-z, digits and . _ - (at most 64)")
FILE = Alphabet(
    re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}"),
    "a sound file without its ending: letters a-z, digits and . _ - /",
)
PATH = Alphabet(
    re.compile(r"/[^\x00-\x1f\x7f]{1,500}"), "the path of a file, from the root: /etc/tongdai/carriers.toml"
)
EXTENSION = Alphabet(re.compile(r"[0-9]{2,6}"), "2 to 6 digits")
DIAL_CODE = Alphabet(
    re.compile(r"[*#][0-9]{1,4}|[2-9][0-9]{0,3}"),
    "a dial code: * or # and up to 4 digits, or up to 4 digits not beginning with 0 or 1",
)
HOST = Alphabet(re.compile(r"[0-9A-Fa-f.:\[\]]{3,64}"), "an address and port such as 192.0.2.7:5060")
DIGITS = Alphabet(re.compile(r"[0-9]{1,12}"), "digits only")
WORD = Alphabet(re.compile(r"[a-z][a-z_]{0,31}"), "small letters and _")
SECRET = Alphabet(
    re.compile(r"[A-Za-z0-9!#$%&()*+,./:=?@^_{|}~-]{1,128}"),
    "printable ASCII without spaces, quotes, ; \\ < > [ ] and ` (at most 128)",
    secret=True,
)
CONTACT = Alphabet(
    re.compile(
        r"sips?:(?:[A-Za-z0-9_.+-]{1,64}@)?(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
        r"(?:;(?i:transport=udp))?"
    ),
    "a SIP address such as sip:an@192.0.2.7:5060",
)
TEXT_MAX = 128
TEXT = Alphabet(re.compile(rf".{{0,{TEXT_MAX}}}", re.DOTALL), f"at most {TEXT_MAX} printable characters")
