"""The Vietnamese numbering plan as far as dialling needs it: forms and lengths, not who owns which prefix.

Country code 84, trunk prefix 0. A mobile number is 0 and nine digits beginning with 3, 5, 7, 8 or 9; a landline is 02
and nine more digits (area code and subscriber). 1800 (the callee pays) and 1900 (premium) have no trunk prefix and
cannot be dialled as +84…. Whether a prefix is assigned to anybody is no question of form: that is data
(`controller/data/carriers_vn.toml`), and an unassigned prefix must still be diallable.

Sources: Circular 22/2014/TT-BTTTT (numbering plan), the change of mobile numbers from 11 to 10 digits of 15 September
2018, the change of area codes of 2017 (announced in the ITU's communication of 25 November 2016), and the metadata of
libphonenumber 9.0.43 for 069 and 0672.
"""

from __future__ import annotations

import re

COUNTRY_CODE = "84"
MOBILE_FIRST = "35789"
"""First digits of a mobile number, behind the 0."""

OLD_MOBILE = {
    "120": "70",
    "121": "79",
    "122": "77",
    "123": "83",
    "124": "84",
    "125": "85",
    "126": "76",
    "127": "81",
    "128": "78",
    "129": "82",
    "162": "32",
    "163": "33",
    "164": "34",
    "165": "35",
    "166": "36",
    "167": "37",
    "168": "38",
    "169": "39",
    "186": "56",
    "188": "58",
    "199": "59",
}
"""First digits of a mobile number (without the 0) before the change of 2018, and what they became."""

AREAS = {
    "24": "Hà Nội",
    "28": "TP. Hồ Chí Minh",
    "203": "Quảng Ninh",
    "204": "Bắc Giang",
    "205": "Lạng Sơn",
    "206": "Cao Bằng",
    "207": "Tuyên Quang",
    "208": "Thái Nguyên",
    "209": "Bắc Kạn",
    "210": "Phú Thọ",
    "211": "Vĩnh Phúc",
    "212": "Sơn La",
    "213": "Lai Châu",
    "214": "Lào Cai",
    "215": "Điện Biên",
    "216": "Yên Bái",
    "218": "Hòa Bình",
    "219": "Hà Giang",
    "220": "Hải Dương",
    "221": "Hưng Yên",
    "222": "Bắc Ninh",
    "225": "Hải Phòng",
    "226": "Hà Nam",
    "227": "Thái Bình",
    "228": "Nam Định",
    "229": "Ninh Bình",
    "232": "Quảng Bình",
    "233": "Quảng Trị",
    "234": "Thừa Thiên Huế",
    "235": "Quảng Nam",
    "236": "Đà Nẵng",
    "237": "Thanh Hóa",
    "238": "Nghệ An",
    "239": "Hà Tĩnh",
    "251": "Đồng Nai",
    "252": "Bình Thuận",
    "254": "Bà Rịa - Vũng Tàu",
    "255": "Quảng Ngãi",
    "256": "Bình Định",
    "257": "Phú Yên",
    "258": "Khánh Hòa",
    "259": "Ninh Thuận",
    "260": "Kon Tum",
    "261": "Đắk Nông",
    "262": "Đắk Lắk",
    "263": "Lâm Đồng",
    "269": "Gia Lai",
    "270": "Vĩnh Long",
    "271": "Bình Phước",
    "272": "Long An",
    "273": "Tiền Giang",
    "274": "Bình Dương",
    "275": "Bến Tre",
    "276": "Tây Ninh",
    "277": "Đồng Tháp",
    "290": "Cà Mau",
    "291": "Bạc Liêu",
    "292": "Cần Thơ",
    "293": "Hậu Giang",
    "294": "Trà Vinh",
    "296": "An Giang",
    "297": "Kiên Giang",
    "299": "Sóc Trăng",
}
"""Area codes (without the 0) and the 63 provinces and cities they were given to in 2017.

The provinces were merged into 34 in July 2025; telephone areas kept their codes and the names people know them by.
"""

_FORMS = (
    ("mobile", re.compile(rf"[{MOBILE_FIRST}][0-9]{{8}}")),
    ("landline", re.compile(r"2[0-9]{9}")),
    ("voip", re.compile(r"672[0-9]{6}")),
    ("service", re.compile(r"69[0-9]{5,6}")),
)
_SERVICE = (
    ("toll_free", re.compile(r"1800[0-9]{4,6}")),
    ("premium", re.compile(r"1900[0-9]{4,6}")),
)
_LANDLINE = re.compile(r"02[0-9]{9}")
_SHORT = re.compile(r"[1-9][0-9]{2,5}")
_OLD_MOBILE_DIGITS = 10
_DIALLED_ABROAD = frozenset({"mobile", "landline", "voip"})


def split(digits: str) -> tuple[str, str, str] | None:
    """Read a number of digits with an optional leading `+`: its kind, its E.164 form and how it is dialled at home.

    E.164 is empty for what cannot be dialled from abroad. None when the digits have no Vietnamese form: then the
    number is foreign, or not understood, and nobody may guess.
    """
    for mark in ("+84", "0084", "84"):
        if digits.startswith(mark):
            rest = digits[len(mark) :]
            found = _behind_zero(rest.removeprefix("0")) or _service(rest)
            if found:
                return found
    if digits.startswith("0"):
        return _behind_zero(digits[1:])
    return _service(digits) or _short(digits)


def area_of(national: str) -> str:
    """The province or city of a landline as dialled at home; empty when it is none, or its area is not in the table."""
    if not _LANDLINE.fullmatch(national):
        return ""
    return AREAS.get(national[1:3]) or AREAS.get(national[1:4], "")


def home_prefix(prefix: str) -> str:
    """The beginning of a number as dialled at home today, whichever way (and year) it was written."""
    prefix = at_home(prefix)
    new = OLD_MOBILE.get(prefix[1:4]) if prefix.startswith("0") else None
    return f"0{new}{prefix[4:]}" if new else prefix


def at_home(digits: str) -> str:
    """Digits with 0 in place of the country code, and nothing before 1800 and 1900."""
    for mark in ("+84", "0084", "84"):
        if digits.startswith(mark):
            rest = digits[len(mark) :]
            return rest if rest.startswith(("1800", "1900")) else f"0{rest.removeprefix('0')}"
    return digits


def _behind_zero(national: str) -> tuple[str, str, str] | None:
    """Read what follows the trunk prefix 0."""
    if len(national) == _OLD_MOBILE_DIGITS and national[:3] in OLD_MOBILE:
        national = OLD_MOBILE[national[:3]] + national[3:]
    for kind, form in _FORMS:
        if form.fullmatch(national):
            return kind, f"+{COUNTRY_CODE}{national}" if kind in _DIALLED_ABROAD else "", f"0{national}"
    return None


def _service(digits: str) -> tuple[str, str, str] | None:
    """Read 1800 and 1900 numbers, which stand without the trunk prefix."""
    return next(((kind, "", digits) for kind, form in _SERVICE if form.fullmatch(digits)), None)


def _short(digits: str) -> tuple[str, str, str] | None:
    """Read a short code, which is dialled as it is."""
    return ("short", "", digits) if _SHORT.fullmatch(digits) else None
