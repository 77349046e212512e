"""Defaults, trunks, carriers, blocked and ported numbers: one mistake at a time, each told in one line."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from controller.core.setup import Blocked, Defaults, Ported, Trunk
from tests.core.documents import DROP, changed, problems, right, warnings

pytestmark = pytest.mark.pure

HOST = "is no an address and port"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (
            "defaults.country",
            "84",
            "defaults.country: '84' is no country of two capital letters (ISO 3166), such as VN",
        ),
        (
            "defaults.country",
            "vn",
            "defaults.country: 'vn' is no country of two capital letters (ISO 3166), such as VN",
        ),
        ("defaults.timezone", "Hanoi", "defaults.timezone: 'Hanoi' is no time zone (IANA), such as Asia/Ho_Chi_Minh"),
        (
            "defaults.timezone",
            "../zone",
            "defaults.timezone: '../zone' is no time zone (IANA), such as Asia/Ho_Chi_Minh",
        ),
        ("defaults.timezone", "Asia", "defaults.timezone: 'Asia' is no time zone (IANA), such as Asia/Ho_Chi_Minh"),
        ("defaults.language", "fr", "defaults.language: 'fr' is none of vi, en"),
        ("defaults.wrap_up_max", 0, "defaults.wrap_up_max: 0 is out of range: 1 to 86400"),
        ("defaults.emergency", ["1 1 3"], "defaults.emergency[0]: '1 1 3' is not allowed here: 2 to 6 digits"),
        ("defaults.colour", "red", "defaults.colour: there is no such key here"),
        ("trunk.0.name", DROP, "trunk[0].name: is missing"),
        ("trunk.0.host", DROP, "trunk[0].host: either host or endpoint says where the trunk leads (none is there)"),
        ("trunk.1.host", "127.0.0.1", "trunk[1].host: either host or endpoint says where the trunk leads (not both)"),
        ("trunk.0.max_channels", -1, "trunk[0].max_channels: -1 is out of range: 0 to 100000"),
        ("trunk.0.max_cps", "10", "trunk[0].max_cps: must be a whole number, not text"),
        ("trunk.0.enabled", 1, "trunk[0].enabled: must be true or false, not a whole number"),
        ("trunk.0.carrier", "vietel", "trunk[0].carrier: no carrier is named 'vietel' (did you mean 'viettel'?)"),
        ("trunk.0.carrier", "a b c", "trunk[0].carrier: no carrier is named 'a b c'"),
        ("trunk.0.max_channel", 30, "trunk[0].max_channel: there is no such key here"),
        ("carrier", [{"prefixes": ["086"]}], "carrier[0].name: is missing"),
        (
            "carrier",
            [{"name": "x", "prefixes": ["+86"]}],
            "carrier[0].prefixes[0]: '+86' is not allowed here: digits only",
        ),
        ("blocked.0.number", DROP, "blocked[0].number: is missing"),
        ("blocked.0.number", "anonymous", "blocked[0].number: 'anonymous' is no phone number"),
        ("blocked.0", {"number": "00", "prefix": True}, "blocked[0].number: '00' is no prefix"),
        ("blocked.0", {"number": "x", "prefix": True}, "blocked[0].number: 'x' is no prefix"),
        ("blocked.0.scopes", [], "blocked[0].scopes: must name at least one of ivr, queue, outbound"),
        ("blocked.0.scopes", ["in"], "blocked[0].scopes: 'in' is none of ivr, queue, outbound"),
        (
            "blocked.0.until",
            "soon",
            "blocked[0].until: must be a date or time such as 2027-01-31 or 2027-01-31T18:00:00+07:00",
        ),
        (
            "blocked.0.until",
            5,
            "blocked[0].until: must be a date or time such as 2027-01-31 or 2027-01-31T18:00:00+07:00",
        ),
        ("ported.0.number", "19001234", "ported[0].number: '19001234' is no phone number of a subscriber"),
        ("ported.0.number", DROP, "ported[0].number: is missing"),
        ("ported.0.carrier", DROP, "ported[0].carrier: is missing"),
        ("ported.0.carrier", "viettell", "ported[0].carrier: no carrier is named 'viettell' (did you mean 'viettel'?)"),
    ],
)
def test_one_mistake_is_one_line(path: str, value: Any, problem: str) -> None:
    document = changed((path, value))
    expected = [problem]
    if path == "trunk.0.name":
        expected.append("hotline[0].trunk: no trunk is named 'viettel-1'")
    assert problems(document) == expected


@pytest.mark.parametrize(
    "host",
    [
        "sip.example.com:5060",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:x",
        "127.0.0.256:5060",
        "::1:",
        "[::1",
        "fe80::1%eth0",
    ],
)
def test_a_host_is_an_address(host: str) -> None:
    [problem] = problems(changed(("trunk.0.host", host)))
    assert problem.startswith(f"trunk[0].host: '{host}' is no")


@pytest.mark.parametrize(
    ("host", "kept"),
    [
        ("127.0.0.11", "127.0.0.11:5060"),
        ("10.0.0.1:5080", "10.0.0.1:5080"),
        ("[::1]:5060", "[::1]:5060"),
        ("[::1]", "[::1]:5060"),
    ],
)
def test_hosts(host: str, kept: str) -> None:
    setup = right(changed(("trunk.0.host", host))).setup
    assert setup
    assert setup.trunks[0] == Trunk("viettel-1", "viettel", kept, "viettel-1", 30, 10)


@pytest.mark.parametrize(
    ("country", "numbers"),
    [
        ("VN", ("112", "113", "114", "115")),
        ("US", ("112", "911")),
        ("AU", ("112", "000", "106")),
        ("FR", ("112", "15", "17", "18")),
        ("GB", ("112", "999")),
    ],
)
def test_emergency_numbers_are_those_of_the_country_unless_named(country: str, numbers: tuple[str, ...]) -> None:
    """Found: 911 was an ordinary short code in the United States, with every cap and permission before it."""
    assert right({"defaults": {"country": country}}).setup.defaults.emergency == numbers
    assert right({"defaults": {"country": country, "emergency": []}}).setup.defaults.emergency == ()


def test_defaults() -> None:
    defaults = {"country": "TH", "timezone": "Asia/Bangkok", "language": "en", "wrap_up_max": 60, "emergency": ["191"]}
    setup = right({"defaults": defaults}).setup
    assert setup
    assert setup.defaults == Defaults("TH", "Asia/Bangkok", "en", 60, ("191",))


def test_a_carrier_in_no_table_is_told_and_kept() -> None:
    document = changed(("trunk.0.carrier", "cmc"))
    assert warnings(document) == ["trunk[0].carrier: 'cmc' is in no table of carriers, so it holds no prefixes"]
    setup = right(document).setup
    assert setup
    assert (setup.trunks[0].carrier, setup.hotlines[0].carrier) == ("cmc", "cmc")


@pytest.mark.parametrize(
    ("row", "blocked"),
    [
        ({"number": "0900 000 001"}, Blocked("+84900000001")),
        ({"number": "1900", "prefix": True, "scopes": ["outbound"]}, Blocked("1900", ("outbound",), prefix=True)),
        ({"number": "0120", "prefix": True}, Blocked("+8470", prefix=True)),
        ({"number": "113"}, Blocked("113")),
        ({"number": "0461234"}, Blocked("+84461234")),
    ],
)
def test_blocked_numbers_in_the_spelling_they_are_compared_in(row: dict[str, Any], blocked: Blocked) -> None:
    setup = right(changed(("blocked.0", row))).setup
    assert setup
    assert setup.blocked[0] == blocked


@pytest.mark.parametrize(
    ("until", "instant"),
    [
        ("2027-01-31", datetime(2027, 1, 30, 17, tzinfo=UTC)),
        ("2027-01-31T18:00", datetime(2027, 1, 31, 11, tzinfo=UTC)),
        ("2027-01-31T18:00:00Z", datetime(2027, 1, 31, 18, tzinfo=UTC)),
        (date(2027, 1, 31), datetime(2027, 1, 30, 17, tzinfo=UTC)),
        (datetime(2027, 1, 31, 18, tzinfo=UTC), datetime(2027, 1, 31, 18, tzinfo=UTC)),
    ],
)
def test_until(until: Any, instant: datetime) -> None:
    setup = right(changed(("blocked.0.until", until))).setup
    assert setup
    assert setup.blocked[0].until_ms == int(instant.timestamp() * 1000)


def test_ported_numbers() -> None:
    rows = [
        {"number": "0120 1234567", "carrier": "G-Mobile"},
        {"number": "0912345670", "carrier": "viettel", "override": True},
    ]
    setup = right(changed(("ported", rows))).setup
    assert setup
    by_table = Ported("+84701234567", "gmobile", override=False)
    assert setup.ported == (by_table, Ported("+84912345670", "viettel", override=True))
