"""Asterisk configuration as text, built so that no value can say more than a value.

In these files a line break, `;`, `[` or `#include` in the wrong place means something. The setup was checked when it
was loaded; here every value is checked again against the alphabet of its kind, because whatever slips through would be
an instruction to the PBX.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final

from controller.core.alphabets import CONTACT, DIGITS, NAME, SECRET, Alphabet
from controller.core.saying import say
from controller.errors import TongdaiError

NUMBER: Final = Alphabet(re.compile(r"\+?[0-9*#]{1,31}"), say("wants_phone_number"))
WORDS: Final = Alphabet(re.compile(r"[A-Za-z0-9_.,:/!+*=@ -]{0,200}"), say("wants_words"))
PATH: Final = Alphabet(re.compile(r"/[^\x00-\x1f;\[\]<>\"'\\#]{0,400}"), say("wants_plain_path"))
LANGUAGE: Final = Alphabet(re.compile(r"[a-z]{2}"), say("wants_language"))
__all__ = (
    "CONTACT",
    "DIGITS",
    "LANGUAGE",
    "NAME",
    "NUMBER",
    "PATH",
    "SECRET",
    "WORDS",
    "ConfError",
    "Section",
    "checked",
    "host_of",
)


class ConfError(TongdaiError):
    """A value that may not stand in an Asterisk configuration file."""


def checked(value: str, alphabet: Alphabet, what: str) -> str:
    """Give the value back when it is made of its alphabet as a whole; ConfError names the place, never a secret."""
    if alphabet.pattern.fullmatch(value) is None:
        raise ConfError(f"{what}: not fit for an Asterisk configuration file, it wants {alphabet.words}")
    return value


def host_of(address: str, what: str) -> str:
    """The IP address in `ip:port`, `[ip]:port` or a SIP URI; ConfError when it is none."""
    text = address.rpartition("@")[2].removeprefix("sips:").removeprefix("sip:")
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfError(f"{what}: wants an IP address") from None


@dataclass
class Section:
    """One `[name]` of a configuration file. `base` is the template it inherits from, `(!)` makes it one itself."""

    name: str
    base: str = ""
    keys: list[tuple[str, str]] = field(default_factory=list)

    def set(self, key: str, value: str, alphabet: Alphabet = WORDS) -> Section:
        """Add one line; ConfError when the value is not made of the alphabet."""
        self.keys.append((key, checked(value, alphabet, f"[{self.name}] {key}")))
        return self

    def __str__(self) -> str:
        head = f"[{self.name}]" + (f"({self.base})" if self.base else "")
        return "\n".join((head, *(f"{key}={value}" for key, value in self.keys))) + "\n"
