"""What texts of the setup may consist of.

Names, addresses and passwords end in Asterisk's configuration files, where `;` begins a comment, `[` a section and a
line break anything at all: what is allowed here has no meaning there.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from controller.core.saying import Saying, say


class Alphabet(NamedTuple):
    """A pattern for a whole text, how to tell a person what it allows, and whether the text itself may be told."""

    pattern: re.Pattern[str]
    words: Saying
    secret: bool = False


NAME = Alphabet(re.compile(r"[A-Za-z0-9_.-]{1,64}"), say("wants_name"))
FILE = Alphabet(
    re.compile(r"(?!.*(?:\.\.|//))[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}"),
    say("wants_file"),
)
PATH = Alphabet(re.compile(r"/[^\x00-\x1f\x7f]{1,500}"), say("wants_path"))
EXTENSION = Alphabet(re.compile(r"[0-9]{2,6}"), say("wants_extension"))
DIAL_CODE = Alphabet(
    re.compile(r"[*#][0-9]{1,4}|[2-9][0-9]{0,3}"),
    say("wants_dial_code"),
)
HOST = Alphabet(re.compile(r"[0-9A-Fa-f.:\[\]]{3,64}"), say("wants_host"))
DIGITS = Alphabet(re.compile(r"[0-9]{1,12}"), say("wants_digits"))
WORD = Alphabet(re.compile(r"[a-z][a-z_]{0,31}"), say("wants_word"))
SECRET = Alphabet(
    re.compile(r"[A-Za-z0-9!#$%&()*+,./:=?@^_{|}~-]{1,128}"),
    say("wants_secret"),
    secret=True,
)
CONTACT = Alphabet(
    re.compile(
        r"sips?:(?:[A-Za-z0-9_.+-]{1,64}@)?(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
        r"(?:;(?i:transport=udp))?"
    ),
    say("wants_contact"),
)
TEXT_MAX = 128
TEXT = Alphabet(re.compile(rf".{{0,{TEXT_MAX}}}", re.DOTALL), say("wants_text", most=TEXT_MAX))
