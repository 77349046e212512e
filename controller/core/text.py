"""Every word from outside passes here once, at the door, before anything else of ours sees it.

A caller chooses the number and the name that callers' equipment sends, and both travel on: to phones, logs, web pages,
spreadsheets, dial strings. So they are cut to an alphabet in which nothing can be said but a number or a name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

NAME_CHARS_MAX: Final = 64
NUMBER: Final = re.compile(r"\+?[0-9*#]{1,31}")
"""What is left of a number: digits, keys, and a plus in front."""

_READ_CHARS_MAX: Final = 256
_SEPARATORS: Final = re.compile(r"[ ().\-/]+")
_SPACES: Final = re.compile(r"\s+")


def clean_number(raw: object) -> str:
    """A phone number in `[0-9+*#]{0,32}`, or nothing when it is not one.

    Separators people write are dropped, full-width digits read as digits and URI parameters cut off. A text with
    anything else in it is no number: it becomes the empty string (an anonymous caller), never a part of itself, for
    the digits inside `500&PJSIP/x/1900` are nobody's number.
    """
    if not isinstance(raw, str):
        return ""
    text = raw[:_READ_CHARS_MAX]
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _SEPARATORS.sub("", text.partition(";")[0])
    return text if NUMBER.fullmatch(text) else ""


def clean_name(raw: object) -> str:
    """A name of at most 64 printable characters on one line: no controls, no direction marks, nothing invisible."""
    if not isinstance(raw, str):
        return ""
    text = "".join(c for c in _SPACES.sub(" ", raw[:_READ_CHARS_MAX]) if c.isprintable())
    text = unicodedata.normalize("NFC", _SPACES.sub(" ", text).strip())
    return text[:NAME_CHARS_MAX].rstrip()
