"""What sort of number a callee's is and in which country, and whether somebody may call there at all.

The rule is written for the worst day, a stolen phone: what is not plainly inside the country is abroad, and what is
abroad is closed unless the setup opens it (docs/decisions.md 23). Satellites and networks of no country have country
codes of their own (ITU-T E.164, list of assigned codes); premium numbers abroad are told by libphonenumber.
"""

from __future__ import annotations

import re
from functools import cache

import phonenumbers

from controller.core.numbers import Kind, Number
from controller.core.setup import NUMBER_KINDS, Reach

NOWHERE = "001"
"""What libphonenumber calls the country of a number that belongs to none, such as an international freephone."""
HOME_DIGITS_MAX = 9
"""The longest Vietnamese number without its 0; what is longer leads out by a carrier code, or nowhere."""
_SATELLITE = re.compile(r"(?:87[08]|88[123])")
_HOME_MARKS = re.compile(r"((?:\+84|0084|84)*)(0*)")
_EXIT_ZEROS = 2
_PREMIUM = re.compile(r"1900")
_SELECTION = re.compile(r"17[0-9](?:00)?(?=[0-9]{4})")
"""A Vietnamese carrier-selection code such as 171 or 178, with the exit code where one follows."""
_TYPES = {
    phonenumbers.PhoneNumberType.FIXED_LINE: "landline",
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: "landline",
    phonenumbers.PhoneNumberType.TOLL_FREE: "toll_free",
    phonenumbers.PhoneNumberType.PREMIUM_RATE: "premium",
    # Both are billed to the caller at rates nobody sees beforehand, and both are old friends of fraudsters.
    phonenumbers.PhoneNumberType.SHARED_COST: "premium",
    phonenumbers.PhoneNumberType.PERSONAL_NUMBER: "premium",
    phonenumbers.PhoneNumberType.VOIP: "voip",
    phonenumbers.PhoneNumberType.UNKNOWN: "unknown",
}


def kind_and_country(number: Number, home: str) -> tuple[str, str]:
    """A word of `NUMBER_KINDS` and the country: `home`, another one, `001` for none, empty when nobody can tell."""
    if number.kind is Kind.FOREIGN:
        return _abroad(number.e164)
    word = number.kind.value
    kind = word if word in NUMBER_KINDS else "unknown"
    if number.kind is not Kind.UNKNOWN:
        return kind, _within(number.e164, home)
    if home == "VN" and (disguised := _disguised(number.dial)):
        return disguised
    outside = _after_exit_code(number.dial, home)
    if outside is None:
        return kind, home
    code = str(phonenumbers.country_code_for_region(home))
    if code != "0" and outside.startswith(code):
        return kind, home
    return ("satellite" if _SATELLITE.match(outside) else kind), ""


def _within(e164: str, home: str) -> str:
    """The country of a number read as one of home: countries that share a country code dial each other as at home."""
    code = phonenumbers.country_code_for_region(home)
    if not e164 or len(phonenumbers.region_codes_for_country_code(code)) == 1:
        return home
    parsed = phonenumbers.parse(e164)
    if phonenumbers.is_valid_number_for_region(parsed, home):
        return home
    return phonenumbers.region_code_for_number(parsed) or ""


def refusal(reach: Reach, number: Number, home: str) -> tuple[str, str]:
    """Reason and words why this number may not be called; two empty texts when it may."""
    kind, country = kind_and_country(number, home)
    if kind not in reach.kinds:
        return "number_kind", f"{kind} numbers are not open for this call"
    if country == home or reach.countries is None or kind == "satellite" or country in reach.countries:
        return "", ""
    where = {"": "a country nobody can tell", NOWHERE: "a network of no country"}.get(country, country)
    return "country", f"it leads to {where}, and only calls inside {_list(home, reach.countries)} are open"


def _disguised(dial: str) -> tuple[str, str] | None:
    """A premium number, or a way out of the country, with marks before it or digits behind it that do not belong there.

    Nobody understands such a number, but a carrier that drops the surplus would put it through.
    """
    marks = _HOME_MARKS.match(dial)
    home, zeros, begins = (marks[1], marks[2], marks.end()) if marks else ("", "", 0)
    if _PREMIUM.match(dial, begins):
        return "premium", "VN"
    selection = _SELECTION.match(dial, begins)
    if selection is None and not (home and len(zeros) >= _EXIT_ZEROS):
        return None
    outside = selection.end() if selection else begins
    return ("satellite" if _SATELLITE.match(dial, outside) else "unknown"), ""


def _list(home: str, countries: tuple[str, ...]) -> str:
    return ", ".join(dict.fromkeys((home, *countries)))


def _abroad(e164: str) -> tuple[str, str]:
    try:
        parsed = phonenumbers.parse(e164)
    except phonenumbers.NumberParseException:
        return "unknown", ""
    code = parsed.country_code or 0
    country = phonenumbers.region_code_for_country_code(code)
    if country == NOWHERE:
        return _of_no_country(e164[1:], parsed)
    kind = _TYPES.get(phonenumbers.number_type(parsed), "service")
    return kind, phonenumbers.region_code_for_number(parsed) or _sole_country(code)


def _of_no_country(digits: str, parsed: phonenumbers.PhoneNumber) -> tuple[str, str]:
    if _SATELLITE.match(digits):
        return "satellite", NOWHERE
    return _TYPES.get(phonenumbers.number_type(parsed), "service"), NOWHERE


def _sole_country(code: int) -> str:
    """The country of a code when there is one alone: of +1 a number that is in no range could be anywhere."""
    regions = phonenumbers.region_codes_for_country_code(code)
    return regions[0] if len(regions) == 1 else ""


def _after_exit_code(dial: str, home: str) -> str | None:
    """The digits behind what leads out of the country; None for a number inside it."""
    if dial.startswith("+"):
        return dial[1:]
    found = _exit_code(home).match(dial)
    if found and found.end() < len(dial):
        return dial[found.end() :]
    if home == "VN" and not dial.startswith("0") and len(dial) > HOME_DIGITS_MAX:
        return dial
    return None


@cache
def _exit_code(home: str) -> re.Pattern[str]:
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(home)
    prefix = metadata.international_prefix if metadata is not None else None
    return re.compile(prefix or "00")
