"""Numbers as people write them, against an independent table of every Vietnamese prefix and length."""

from __future__ import annotations

import re
import unicodedata
from difflib import SequenceMatcher

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import geocoder

from controller.carrier_file import shipped
from controller.core.numbers import (
    NO_NUMBER,
    Kind,
    blocked_by,
    carrier_of,
    clean,
    comparable,
    comparable_prefix,
    is_blocked,
    normalise,
)
from controller.core.setup import Blocked, Defaults, Ported, Setup
from tests.core.vietnamese_numbers import AREAS, NOBODYS, carrier_by_prefix, expected, renumbered

pytestmark = pytest.mark.pure

CARRIERS = shipped("VN").carriers
VN = Setup(carriers=CARRIERS)
MINUTE_MS = 60_000

WRITTEN = {
    "national": lambda rest: f"0{rest}",
    "bare country code": lambda rest: f"84{rest}",
    "plus": lambda rest: f"+84{rest}",
    "international prefix": lambda rest: f"0084{rest}",
    "plus and zero": lambda rest: f"+84 (0) {rest}",
    "spaces and dots": lambda rest: f" 0{rest[:3]}.{rest[3:6]} {rest[6:]} ",
    "full width": lambda rest: "".join(chr(ord(char) + 0xFEE0) for char in f"0{rest}"),
    "full width plus": lambda rest: "＋84" + rest,
    "marks of direction": lambda rest: f"\u202a0{rest}\u202c",
    "hyphens": lambda rest: f"0{rest[:2]}‑{rest[2:5]}–{rest[5:]}",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_every_mobile_prefix_in_every_way_it_is_written(form: str) -> None:
    for prefix, carrier in carrier_by_prefix().items():
        national = prefix + "1234567"[: 10 - len(prefix)]
        number = normalise(WRITTEN[form](national[1:]))
        assert (number.e164, number.national, number.kind) == (f"+84{national[1:]}", national, Kind.MOBILE)
        assert number.dial == national
        assert carrier_of(number, VN) == (carrier, "prefix")


@pytest.mark.parametrize("prefix", NOBODYS.split())
def test_a_prefix_in_no_table_is_unknown_and_still_diallable(prefix: str) -> None:
    national = prefix + "1234567"[: 10 - len(prefix)]
    number = normalise(national)
    assert carrier_of(number, VN) == ("", "unknown")
    assert number.dial == national


@pytest.mark.parametrize("form", WRITTEN)
def test_mobile_numbers_of_before_2018(form: str) -> None:
    for old, new in renumbered().items():
        number = normalise(WRITTEN[form](f"{old[1:]}1234567"))
        assert number.national == f"{new}1234567"
        assert number == normalise(f"{new}1234567")


@pytest.mark.parametrize("area", AREAS.split())
def test_landlines_of_every_area(area: str) -> None:
    national = area + "39361234"[: 11 - len(area)]
    number = normalise(national)
    assert (number.e164, number.kind) == (f"+84{national[1:]}", Kind.LANDLINE)
    assert carrier_of(number, VN) == ("", "unknown")


@pytest.mark.parametrize("prefix", [*carrier_by_prefix(), *AREAS.split(), *renumbered(), *NOBODYS.split()])
def test_a_number_of_the_wrong_length_is_never_guessed(prefix: str) -> None:
    whole = {**dict.fromkeys(AREAS.split(), 11), **dict.fromkeys(renumbered(), 11)}.get(prefix, 10)
    for length in range(3, 20):
        digits = (prefix + "123456789012345678")[:length]
        number = normalise(digits)
        if length == whole:
            assert number.kind in {Kind.MOBILE, Kind.LANDLINE}
        else:
            assert (number.kind, number.e164, number.dial) == (Kind.UNKNOWN, "", digits)
            assert carrier_of(number, VN) == ("", "unknown")


def agrees(digits: str, written: str) -> None:
    """The program reads a number as the published plan does, and reads its own answer back as the same number."""
    wanted, number = expected(digits), normalise(written)
    if wanted.kind == "abroad":
        assert number.kind in {Kind.FOREIGN, Kind.UNKNOWN}
    elif len(digits.removeprefix("+")) > LONGEST:
        assert number == NO_NUMBER or number.kind is Kind.UNKNOWN
    elif len(digits.removeprefix("+")) < SHORTEST:
        assert number == NO_NUMBER
    else:
        assert (number.kind, number.dial, number.e164) == (wanted.kind, wanted.dial, wanted.e164), written
        assert carrier_of(number, VN)[0] == wanted.carrier, written
    assert not number.dial or normalise(number.dial) == number
    assert not number.e164 or normalise(number.e164) == number


SHORTEST, LONGEST = 3, 20
ALL_DIGITS = "1234567890" * 4


def test_every_beginning_of_four_digits_at_the_lengths_there_are() -> None:
    for begin in range(10_000):
        for length in range(9, 12):
            digits = f"{begin:04}{ALL_DIGITS}"[:length]
            agrees(digits, digits)


@pytest.mark.parametrize("mark", ["", "84", "+84", "0084"])
def test_every_beginning_at_every_length_from_1_to_40(mark: str) -> None:
    for begin in range(1_000):
        for length in range(1, 41) if begin % 25 == 0 else (8, 9, 10, 11):
            digits = f"{begin:03}{ALL_DIGITS}"[:length]
            agrees(mark + digits, mark + digits)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["", "84", "+84", "0084"]),
    st.sampled_from(
        [*carrier_by_prefix(), *AREAS.split(), *renumbered(), *NOBODYS.split(), "1800", "1900", "069", "0672"]
    ),
    st.text("0123456789", max_size=12),
    st.randoms(use_true_random=False),
)
def test_separators_and_scripts_change_nothing(mark: str, prefix: str, rest: str, dice) -> None:
    digits = mark + (prefix[1:] if mark and prefix.startswith("0") and dice.random() < 0.5 else prefix) + rest
    spread = "".join(char + dice.choice(["", "", " ", ".", "-", "/", "\u00a0", "\u2011"]) for char in digits)
    wide = spread.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)} | {ord("+"): "＋"})
    for written in (spread, wide, f"({spread})"):
        if len(written) <= 64:
            agrees(digits, written)


def plain_words(name: str) -> str:
    """A Vietnamese name in the letters of English."""
    bare = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    letters = "".join(char for char in bare if not unicodedata.combining(char))
    return re.sub(r"[^a-z]", "", letters.casefold().replace("tp.", "").replace("thua thien", ""))


@pytest.mark.parametrize("area", AREAS.split())
def test_a_landline_tells_its_area_and_the_library_says_the_same(area: str) -> None:
    national = area + "39361234"[: 11 - len(area)]
    told = geocoder.description_for_number(phonenumbers.parse(national, "VN"), "en")
    found = plain_words(normalise(national).area)
    assert found
    theirs = plain_words(told).replace("province", "").replace("city", "").replace("thuathien", "")
    # The library writes some names in a way of its own (Ving Long, Bac Can).
    assert SequenceMatcher(None, found, theirs).ratio() > 0.8, (found, theirs)
    assert normalise(f"+84{national[1:]}").area == normalise(national).area


@pytest.mark.parametrize(
    "written", ["0967123456", "02991234567"[:10], "0217 1234567", "19001234", "+442071838750", "0123"]
)
def test_what_is_no_landline_of_a_known_area_has_none(written: str) -> None:
    assert normalise(written).area == ""
    assert normalise("020 7183 8750", "GB").area == ""


@pytest.mark.parametrize(
    "written",
    [
        "02439361234 ext 101", "02439361234 ext. 101", "(024) 3936.1234 (ext: 101)", "024 3936 1234 x101",
        "+84 24 3936 1234 extension 101", "02439361234;ext=101", "02439361234#101",
        "024.3936.1234, 101", "024 3936 1234 máy lẻ 101", "024 3936 1234 - máy lẻ: 101",
        "024 3936 1234 Nội bộ 101", "024 3936 1234 may le 101", "０２４３９３６１２３４ ext １０１",
    ],
)  # fmt: skip
def test_an_extension_is_kept_apart(written: str) -> None:
    number = normalise(written)
    assert (number.dial, number.e164, number.extension) == ("02439361234", "+842439361234", "101")
    assert number == normalise("02439361234"), "it is the same line"
    assert normalise(number.dial).extension == ""


@pytest.mark.parametrize(
    "written",
    [
        "113#1",
        "1022,5",
        "ext 101",
        "0967123456 ext",
        "0967123456,0912345678",
        "0967123456x12345678",
        "0967123456 x1 x2",
    ],
)
def test_what_only_looks_like_an_extension_is_none(written: str) -> None:
    assert normalise(written).dial == ""


@pytest.mark.parametrize("digits", range(3, 9))
@pytest.mark.parametrize(("service", "kind"), [("1800", Kind.TOLL_FREE), ("1900", Kind.PREMIUM)])
@pytest.mark.parametrize("mark", ["", "84", "+84", "0084"])
def test_1800_and_1900_are_never_dialled_as_plus_84(mark: str, service: str, kind: Kind, digits: int) -> None:
    number = normalise(f"{mark}{service}{'12345678'[:digits]}")
    if digits in {4, 5, 6}:
        assert (number.kind, number.e164, number.dial) == (kind, "", f"{service}{'12345678'[:digits]}")
    else:
        assert number.kind is Kind.UNKNOWN


@pytest.mark.parametrize("code", ["113", "198", "1022", "9090", "18001", "197000"])
def test_short_codes_are_dialled_as_they_are(code: str) -> None:
    assert normalise(code) == normalise(code)
    assert (normalise(code).kind, normalise(code).dial, normalise(code).e164) == (Kind.SHORT, code, "")


def test_defence_and_internet_numbers() -> None:
    assert (normalise("069 123 456").kind, normalise("069123456").e164) == (Kind.SERVICE, "")
    assert (normalise("0672012345").kind, normalise("0672012345").e164) == (Kind.VOIP, "+84672012345")


def test_nine_digits_without_the_zero_are_not_guessed() -> None:
    # 84 and seven digits of a number cut short look the same as a mobile number that lost its zero.
    assert normalise("967123456").kind is Kind.UNKNOWN
    assert normalise("849671234").kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("written", "e164", "dial"),
    [
        ("+1 415 555 2671", "+14155552671", "0014155552671"),
        ("001 415 555 2671", "+14155552671", "0014155552671"),
        ("+44 20 7183 8750", "+442071838750", "00442071838750"),
        ("+856 20 5555 1234", "+8562055551234", "008562055551234"),
    ],
)
def test_foreign_numbers(written: str, e164: str, dial: str) -> None:
    number = normalise(written)
    assert (number.kind, number.e164, number.dial, number.national) == (Kind.FOREIGN, e164, dial, "")
    assert normalise(dial) == normalise(e164) == number


def test_a_foreign_number_that_does_not_say_so_is_unknown() -> None:
    assert normalise("14155552671").kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "+",
        "12",
        "1" * 21,
        "0967123456" * 10,
        "anonymous",
        "0967123456&PJSIP/x/1900",
        "${SHELL(id)}",
        "0967%26000111",
        "*40",
        "096712345#",
        "+84+967123456",
        "0967123456\x00",
        "0967123456;x",
        "¹²³⁴",
    ],
)
def test_what_is_no_number_is_not_dialled(hostile: str) -> None:
    assert normalise(hostile) == NO_NUMBER


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=70), st.sampled_from(["VN", "US", "GB", "DE", "FR", "TH", "BR", "AR", "MX", "IT"]))
def test_any_text_gives_a_safe_number_that_reads_back(text: str, country: str) -> None:
    number = normalise(text, country)
    assert number.dial == "" or clean(number.dial) == number.dial
    assert number.dial.isascii()
    for spelling in filter(None, (number.dial, number.e164)):
        assert normalise(spelling, country) == number


DIGITS = st.from_regex(r"(\+|00|0|84|\+84|0084|1800|1900)?[0-9]{1,14}", fullmatch=True)


@settings(max_examples=500, deadline=None)
@given(DIGITS, st.sampled_from(["VN", "US", "GB", "DE", "FR", "TH", "BR", "AR", "MX", "IT"]))
def test_any_digits_read_back(digits: str, country: str) -> None:
    number = normalise(digits, country)
    for spelling in filter(None, (number.dial, number.e164)):
        assert normalise(spelling, country) == number


@pytest.mark.parametrize("country", ["US", "GB", "DE", "FR", "TH", "SG", "IT", "BR"])
def test_other_countries_read_their_own_numbers(country: str) -> None:
    example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
    e164 = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
    number = normalise(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL), country)
    assert number.e164 == e164
    assert number.kind in {Kind.MOBILE, Kind.LANDLINE}
    assert normalise(e164, country).dial == number.dial
    assert normalise("+84967123456", country).dial == "+84967123456"
    assert normalise("911", country).kind is Kind.SHORT


def test_a_national_form_that_leads_elsewhere_is_not_dialled() -> None:
    # Mexico prints toll-free numbers of old in a way its own metadata does not read back; E.164 is always safe.
    for country in ("MX", "AR"):
        example = phonenumbers.example_number_for_type(country, phonenumbers.PhoneNumberType.MOBILE)
        number = normalise(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164), country)
        assert normalise(number.dial, country).e164 == number.e164


def test_an_override_wins_over_tables_and_these_over_a_look_up_and_that_over_prefixes() -> None:
    by_hand, by_table, plain = normalise("0912000001"), normalise("0912000002"), normalise("0912000003")
    setup = Setup(
        carriers=CARRIERS,
        ported=(Ported(by_hand.e164, "viettel", override=True), Ported(by_table.e164, "mobifone")),
    )
    assert carrier_of(by_hand, setup, "gmobile", "lookup") == ("viettel", "override")
    assert carrier_of(by_hand, setup, "gmobile", "ported") == ("viettel", "override")
    assert carrier_of(by_table, setup, "gmobile", "lookup") == ("mobifone", "ported")
    assert carrier_of(by_table, setup, "gmobile", "ported") == ("gmobile", "ported")
    assert carrier_of(by_table, setup) == ("mobifone", "ported")
    assert carrier_of(plain, setup, "G-Mobile") == ("gmobile", "ported")
    assert carrier_of(plain, setup, "somebody new", "lookup") == ("somebody new", "lookup")
    assert carrier_of(plain, setup) == ("vinaphone", "prefix")


def test_the_longest_prefix_counts() -> None:
    assert carrier_of(normalise("0993123456"), VN) == ("gmobile", "prefix")
    assert carrier_of(normalise("0998123456"), VN) == ("itel", "prefix")


@pytest.mark.parametrize(
    ("prefix", "spelled"),
    [
        ("0900", "+84900"),
        ("84900", "+84900"),
        ("+84900", "+84900"),
        ("0084 900", "+84900"),
        ("0120", "+8470"),
        ("+84120", "+8470"),
        ("1900", "1900"),
        ("+841900", "1900"),
        ("01900", "1900"),
        ("001", "+1"),
        ("+1", "+1"),
        ("0", "+84"),
        ("", ""),
        ("abc", ""),
    ],
)
def test_prefixes_are_spelled_like_the_numbers_they_begin(prefix: str, spelled: str) -> None:
    assert comparable_prefix(prefix, "VN") == spelled


@settings(max_examples=500, deadline=None)
@given(
    st.sampled_from([*carrier_by_prefix(), *AREAS.split(), "1900", "00141"]), st.integers(4, 9), st.text("0123456789")
)
def test_a_prefix_keeps_out_every_number_that_begins_so(prefix: str, length: int, rest: str) -> None:
    written = (prefix + rest)[:14]
    beginning = written[:length]
    number = normalise(written)
    if number.dial and number.dial.startswith(beginning):
        assert comparable(number, "VN").startswith(comparable_prefix(beginning, "VN"))


def blocking(*rows: Blocked) -> Setup:
    return Setup(blocked=rows)


def test_blocked_numbers_are_compared_in_one_spelling() -> None:
    setup = blocking(Blocked("+84900000001", ("ivr",)))
    for written in ("0900000001", "+84900000001", "84900000001", "0084 900.000.001"):
        assert is_blocked(setup, written, "ivr", 0)
        assert not is_blocked(setup, written, "outbound", 0), "scopes are independent"
    assert not is_blocked(setup, "0900000002", "ivr", 0)
    assert not is_blocked(setup, "anonymous", "ivr", 0)


def test_a_block_ends_at_its_instant() -> None:
    setup = blocking(Blocked("+84900000001", until_ms=MINUTE_MS))
    assert is_blocked(setup, "0900000001", "ivr", MINUTE_MS - 1)
    assert not is_blocked(setup, "0900000001", "ivr", MINUTE_MS)


def test_prefixes_reach_numbers_nobody_understands() -> None:
    setup = blocking(Blocked(comparable_prefix("046", "VN"), prefix=True), Blocked("+1", ("outbound",), prefix=True))
    assert is_blocked(setup, "0461234567", "outbound", 0)
    assert is_blocked(setup, "0014155552671", "outbound", 0)
    assert is_blocked(setup, "+1415555", "outbound", 0)
    assert not is_blocked(setup, "+4415555", "outbound", 0)
    row = blocked_by(setup, "001 415 555 2671", "outbound", 0)
    assert row
    assert row.number == "+1"


@pytest.mark.parametrize("written", ["19001234", "019001234", "+841900123", "0084 1900 123 4567", "1900123"])
def test_a_service_prefix_reaches_numbers_with_marks_that_do_not_belong_there(written: str) -> None:
    setup = blocking(Blocked(comparable_prefix("1900", "VN"), prefix=True))
    assert is_blocked(setup, written, "outbound", 0)


def test_other_countries_block_in_their_own_spelling() -> None:
    setup = Setup(defaults=Defaults(country="GB"), blocked=(Blocked(comparable_prefix("0207", "GB"), prefix=True),))
    assert is_blocked(setup, "020 7183 8750", "ivr", 0)
    assert is_blocked(setup, "+442071838750", "ivr", 0)
    assert not is_blocked(setup, "+841234", "ivr", 0)
