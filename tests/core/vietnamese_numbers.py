"""The Vietnamese plan once more, written down from the published lists and not from the program: a second opinion.

Mobile prefixes: the lists of operators at lawnet.vn ("current list of prefixes of Vietnamese phone numbers of mobile
network operators") and in Wikipedia's "Telephone numbers in Vietnam". The change of 2018: the notice of network code
conversion as printed by the newspaper Nghe An (baonghean.vn, 2018), which also moved VSAT from 0992 to 0672. Area
codes: the communication of the Ministry of Information and Communications to the ITU of 25 November 2016. Lengths: the
same, and Circular 22/2014/TT-BTTTT.

`expected` reads a number by these tables alone, with tables and comparisons where the program has patterns.
"""

from __future__ import annotations

from dataclasses import dataclass

MOBILE = {
    "viettel": "086 096 097 098 031 032 033 034 035 036 037 038 039",
    "vinaphone": "088 091 094 081 082 083 084 085",
    "mobifone": "089 090 093 070 076 077 078 079 030 051",
    "vietnamobile": "092 052 056 058",
    "gmobile": "059 0993 0994 0995 0996 0997",
    "itel": "087 0998 0999",
    "wintel": "055",
}
"""Ten digits in all, the prefix included."""

NOBODYS = "050 053 054 057 071 072 073 074 075 080 095 0990 0991 0992"
"""Mobile in form, and given to nobody."""

RENUMBERED = """
0120 070, 0121 079, 0122 077, 0126 076, 0128 078,
0123 083, 0124 084, 0125 085, 0127 081, 0129 082,
0162 032, 0163 033, 0164 034, 0165 035, 0166 036, 0167 037, 0168 038, 0169 039,
0186 056, 0188 058,
0199 059
"""
"""Eleven digits before September 2018, ten since; the last seven stayed."""

AREAS = """
024 028
0203 0204 0205 0206 0207 0208 0209 0210 0211 0212 0213 0214 0215 0216 0218 0219 0220 0221 0222 0225 0226 0227 0228 0229
0232 0233 0234 0235 0236 0237 0238 0239 0251 0252 0254 0255 0256 0257 0258 0259 0260 0261 0262 0263 0269
0270 0271 0272 0273 0274 0275 0276 0277 0290 0291 0292 0293 0294 0296 0297 0299
"""
"""Eleven digits in all, the area code included."""


def carrier_by_prefix() -> dict[str, str]:
    """Every mobile prefix with its operator."""
    return {prefix: carrier for carrier, prefixes in MOBILE.items() for prefix in prefixes.split()}


def renumbered() -> dict[str, str]:
    """Old prefix to new."""
    return dict(pair.split() for pair in RENUMBERED.replace("\n", "").split(",") if pair.strip())


@dataclass(frozen=True)
class Expected:
    """What a number is: its kind, how it is dialled at home today, E.164 where it has one, and its operator."""

    kind: str
    dial: str
    e164: str = ""
    carrier: str = ""


_OPERATORS = carrier_by_prefix()
_NEW = renumbered()
_MOBILE_DECADES = ("03", "05", "07", "08", "09")


def expected(digits: str) -> Expected:
    """What the published plan says of a number as it is keyed: digits, with a plus in front or without."""
    national = _at_home(digits)
    if national is not None:
        known = _national(national)
        if known is not None:
            return known
    if digits.startswith("0"):
        # Whatever begins with 00 and is not Vietnam's own is abroad, and none of this table's business.
        return Expected("abroad" if digits.startswith("00") else "unknown", digits)
    if digits.startswith("+"):
        return Expected("abroad" if not digits.startswith("+84") else "unknown", digits)
    known = _service(digits)
    if known is not None:
        return known
    return Expected("short" if 3 <= len(digits) <= 6 else "unknown", digits)


def _at_home(digits: str) -> str | None:
    """A number as dialled at home, whether written so or from abroad; None when it does not say that it is one."""
    for mark in ("+84", "0084", "84"):
        if digits[: len(mark)] == mark:
            rest = digits[len(mark) :]
            return rest if rest[:4] in {"1800", "1900"} else "0" + (rest[1:] if rest[:1] == "0" else rest)
    return digits if digits[:1] == "0" else None


def _national(number: str) -> Expected | None:
    if number[:4] in {"1800", "1900"}:
        return _service(number)
    if len(number) == 11 and number[:4] in _NEW:
        number = _NEW[number[:4]] + number[4:]
    abroad = "+84" + number[1:]
    if len(number) == 11 and number[:2] == "02":
        return Expected("landline", number, abroad)
    if len(number) == 10 and number[:4] == "0672":
        return Expected("voip", number, abroad)
    if len(number) == 10 and number[:2] in _MOBILE_DECADES:
        return Expected("mobile", number, abroad, _OPERATORS.get(number[:4]) or _OPERATORS.get(number[:3], ""))
    return Expected("service", number) if len(number) in {8, 9} and number[:3] == "069" else None


def _service(number: str) -> Expected | None:
    if len(number) in {8, 9, 10} and number[:4] in {"1800", "1900"}:
        return Expected("toll_free" if number[:4] == "1800" else "premium", number)
    return None
