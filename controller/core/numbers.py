"""Phone numbers: what a person or a contact list holds, turned into one spelling; whose it is; who is kept out.

A number that is not understood is *unknown*. It is never guessed, and it stays diallable as it was typed: nobody is
refused a call because a library has not heard of a prefix yet.
"""

# ruff: noqa: A005 -- always imported as controller.core.numbers; the standard module of this name is not used here
from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field, replace
from enum import StrEnum

import phonenumbers

from controller.core import vietnam
from controller.core.setup import Blocked, Setup

TYPED_MAX = 64
"""Characters of input looked at; longer ones are no phone number."""

_DIALLABLE = re.compile(r"\+?[0-9]{3,20}")
_PREFIX = re.compile(r"\+?[0-9]{1,20}")
_EXTENSION = re.compile(
    r"(?P<number>.*?[0-9)])[\s.(\-–]*(?:;\s*ext\s*=|ext(?:ension)?|máy\s*lẻ|may\s*le|nội\s*bộ|noi\s*bo|số\s*lẻ|[x,#])"
    r"[\s.:=]*(?P<extension>[0-9]{1,7})[\s)]*",
    re.IGNORECASE,
)
"""A number with an extension behind it, in the ways of RFC 3966 and of Vietnamese and English address books.

Nothing behind a short code is an extension: whoever keys 113#1 must not reach the police by it.
"""
_SEPARATORS = frozenset(" .-()/·‐‑‒–—−")
_PLUS = frozenset("+﹢")
_WIDE_FIRST, _WIDE_LAST, _WIDER_BY = "！", "～", 0xFEE0
"""ASCII as keyboards for East Asian scripts write it (Unicode, Halfwidth and Fullwidth Forms): brackets, dots, plus."""
_SHORT_MAX = 6


class Kind(StrEnum):
    """What sort of number it is, as far as its form tells."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    TOLL_FREE = "toll_free"
    PREMIUM = "premium"
    SERVICE = "service"
    VOIP = "voip"
    SHORT = "short"
    FOREIGN = "foreign"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Number:
    """One phone number in its spellings.

    `e164` is empty when the number cannot be dialled from abroad or is not understood; `national` is the form used
    inside the country (empty for foreign and unknown ones); `dial` is what a carrier of the home country is sent,
    empty when there is nothing to dial. `extension` is what was written behind it for somebody inside: it is kept
    apart, no carrier is sent it, and two numbers that differ in nothing else are the same line.
    """

    e164: str
    national: str
    kind: Kind
    dial: str
    extension: str = field(default="", compare=False)

    @property
    def shown(self) -> str:
        """The spelling for records and people: E.164 where there is one."""
        return self.e164 or self.dial

    @property
    def area(self) -> str:
        """The province or city of a Vietnamese landline, empty for everything else."""
        return vietnam.area_of(self.national) if self.e164.startswith("+842") else ""


NO_NUMBER = Number("", "", Kind.UNKNOWN, "")
_KIND_OF_TYPE = {
    phonenumbers.PhoneNumberType.MOBILE: Kind.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE: Kind.LANDLINE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: Kind.LANDLINE,
    phonenumbers.PhoneNumberType.TOLL_FREE: Kind.TOLL_FREE,
    phonenumbers.PhoneNumberType.PREMIUM_RATE: Kind.PREMIUM,
    phonenumbers.PhoneNumberType.VOIP: Kind.VOIP,
}


def normalise(dialled: str, country: str = "VN") -> Number:
    """Read a number as typed in `country` (ISO 3166). Reading its own `dial` or `e164` again gives the same number."""
    number, extension = _apart(dialled)
    found = _read(clean(number), country)
    return replace(found, extension=extension) if extension and found.dial else found


def _apart(dialled: str) -> tuple[str, str]:
    """Part a written number from its extension, which is empty when there is none."""
    if len(dialled) > TYPED_MAX or dialled.isdigit():
        return dialled, ""
    text = "".join(map(_digit, unicodedata.normalize("NFC", dialled)))
    found = _EXTENSION.fullmatch(text)
    long_enough = found is not None and sum(map(str.isdigit, found["number"])) > _SHORT_MAX
    return (found["number"], found["extension"]) if found and long_enough else (dialled, "")


def _digit(char: str) -> str:
    """A digit of any script and a wide character as ASCII, every other character as it is."""
    digit = unicodedata.decimal(char, None)
    return _narrow(char) if digit is None else str(digit)


def _narrow(char: str) -> str:
    return chr(ord(char) - _WIDER_BY) if _WIDE_FIRST <= char <= _WIDE_LAST else char


def _read(digits: str, country: str) -> Number:
    if not digits:
        return NO_NUMBER
    if country == "VN" and (found := vietnam.split(digits)):
        kind, e164, national = found
        return Number(e164, national, Kind(kind), national)
    if not digits.startswith("+") and len(digits) <= _SHORT_MAX and not digits.startswith("0"):
        return Number("", digits, Kind.SHORT, digits)
    return _by_library(digits, country) or Number("", "", Kind.UNKNOWN, digits)


def clean(dialled: str) -> str:
    """Keep the digits (of any script) and a leading plus of a written number; empty when it is no number at all."""
    if len(dialled) > TYPED_MAX:
        return ""
    text = _plain_text(dialled)
    return text if _DIALLABLE.fullmatch(text) else ""


def _plain_text(text: str) -> str:
    return text if text.isascii() and text.isdigit() else "".join(map(_plain, text))


def _plain(char: str) -> str:
    """One character of a written number as ASCII; what may not stand in a number becomes `?`."""
    digit = unicodedata.decimal(char, None)
    if digit is not None:
        return str(digit)
    char = _narrow(char)
    if char in _PLUS:
        return "+"
    # Numbers copied from web pages and contact lists carry invisible marks of writing direction.
    skipped = char in _SEPARATORS or char.isspace() or unicodedata.category(char) == "Cf"
    return "" if skipped else "?"


def _by_library(digits: str, country: str) -> Number | None:
    """Read a number of any country; in Vietnam only what says itself that it is foreign."""
    vietnamese = country == "VN"
    if vietnamese and not digits.startswith(("+", "00")):
        return None
    parsed = _parsed(digits, country)
    if parsed is None:
        return None
    e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    home = parsed.country_code == phonenumbers.country_code_for_region(country)
    if home:
        return None if vietnamese else _at_home(parsed, e164, country)
    dial = f"00{e164[1:]}" if vietnamese else e164
    # The library holds more digits for possible than E.164 has; with 00 in front they are no number we read any more.
    if _DIALLABLE.fullmatch(dial) and phonenumbers.is_possible_number(parsed) and _parsed(e164, country) == parsed:
        return Number(e164, "", Kind.FOREIGN, dial)
    return None


def _at_home(parsed: phonenumbers.PhoneNumber, e164: str, country: str) -> Number | None:
    """A number of a home country other than Vietnam, as far as the library knows its plan."""
    if not phonenumbers.is_valid_number(parsed):
        return None
    kind = _KIND_OF_TYPE.get(phonenumbers.number_type(parsed), Kind.SERVICE)
    national = clean(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))
    # Some countries print more than they dial: then E.164 is what can be relied on.
    return Number(e164, national, kind, national if _parsed(national, country) == parsed else e164)


def _parsed(digits: str, country: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(digits, country)
    except phonenumbers.NumberParseException:
        return None


def comparable(number: Number, country: str) -> str:
    """The one spelling two numbers are compared in: E.164, or as much like it as the digits allow."""
    unknown = country == "VN" and number.kind is Kind.UNKNOWN
    return number.e164 or _international(vietnam.at_home(number.dial) if unknown else number.dial, country)


def comparable_prefix(prefix: str, country: str) -> str:
    """The beginning of `comparable` for every number that begins with `prefix` as people write it; empty: no digits."""
    digits = _plain_text(prefix)
    if not _PREFIX.fullmatch(digits):
        return ""
    return _international(vietnam.home_prefix(digits) if country == "VN" else digits, country)


def _international(digits: str, country: str) -> str:
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif digits.startswith("0"):
        digits = f"+{phonenumbers.country_code_for_region(country)}{digits[1:]}"
    # 1800 and 1900 stand alone: whatever is written before them, a row about them is about these digits too.
    return digits[3:] if country == "VN" and digits.startswith(("+841800", "+841900")) else digits


def carrier_of(number: Number, setup: Setup, ported: str = "", ported_source: str = "") -> tuple[str, str]:
    """Whose subscriber this is, and how we know: override, ported, lookup, prefix or unknown (carrier empty).

    `ported` is what the look-ups outside the core found, `ported_source` which of them. Overrides win over the tables
    of ported numbers, these over a look-up service, and all over prefixes: a ported number keeps its prefix, so a
    prefix is never proof.
    """
    row = setup.ported_row.get(number.e164)
    if row and row.override:
        return row.carrier, "override"
    if row and (not ported or ported_source == "lookup"):
        return row.carrier, "ported"
    if ported:
        return setup.carrier_spelling.get(ported.casefold(), ported), ported_source or "ported"
    for length in range(len(number.national), 0, -1):
        owner = setup.prefix_owner.get(number.national[:length])
        if owner:
            return owner, "prefix"
    return "", "unknown"


def blocked_by(setup: Setup, number: str, scope: str, now_ms: int) -> Blocked | None:
    """The row that keeps a number out of a scope (`ivr`, `queue`, `outbound`) now; the cost does not grow with rows."""
    country = setup.defaults.country
    spelling = comparable(normalise(number, country), country)
    rows = list(setup.blocked_exact.get(spelling, ()))
    for length in range(len(spelling), 0, -1):
        rows += setup.blocked_prefix.get(spelling[:length], ())
    for row in rows:
        if scope in row.scopes and (row.until_ms is None or now_ms < row.until_ms):
            return row
    return None


def is_blocked(setup: Setup, number: str, scope: str, now_ms: int) -> bool:
    """Whether a number is kept out of a scope now."""
    return blocked_by(setup, number, scope, now_ms) is not None
