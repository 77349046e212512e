"""The shape of the tables about other people's numbers: defaults, trunks, carriers, blocked and ported numbers."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo

import phonenumbers
from phonenumbers.shortnumberinfo import is_emergency_number

from controller.core.alphabets import EXTENSION, HOST, NAME, PATH, TEXT
from controller.core.numbers import comparable, comparable_prefix, normalise
from controller.core.saying import say
from controller.core.setup import NUMBER_KINDS, WRAP_UP_MAX_S, Blocked, Defaults, Ported, Trunk
from controller.core.shape import Table, meant, shown
from controller.core.shape_limits import read_limits, read_reach

DAY_S = 86_400
CAP_MAX = 100_000
SCOPES = ("ivr", "queue", "outbound")
PORT_MAX = 65_535
SIP_PORT = 5060
QUALIFY_MAX_S = 3_600

Spelling = Mapping[str, str]
"""Carrier names by every way they are written, case folded."""

_SLIP = 0.8


def read_defaults(table: Table | None) -> Defaults:
    """What holds where a row does not say."""
    plain = Defaults()
    if table is None:
        return plain
    agents, hotlines = table.table("agent_limits"), table.table("hotline_limits")
    agent_limits, reach = read_limits(agents, plain.agent_limits), read_reach(agents, plain.reach)
    hotline_limits = read_limits(hotlines, plain.hotline_limits, hotline=True)
    for inner in filter(None, (agents, hotlines)):
        inner.done()
    country = read_country(table, plain.country)
    return Defaults(
        country=country,
        timezone=read_timezone(table, plain.timezone),
        language=table.word("language", ("vi", "en"), plain.language),
        wrap_up_max=table.integer("wrap_up_max", WRAP_UP_MAX_S, 1, DAY_S),
        emergency=table.texts("emergency", EXTENSION) if table.has("emergency") else emergency_of(country),
        carriers=table.text("carriers", PATH),
        agent_limits=agent_limits,
        hotline_limits=hotline_limits,
        reach=reach,
    )


@cache
def emergency_of(country: str) -> tuple[str, ...]:
    """The emergency numbers of a country whose setup names none: Vietnam's, or 112 and what libphonenumber knows."""
    plain = Defaults()
    if country == plain.country:
        return plain.emergency
    written = (f"{n:0{width}}" for width in (2, 3) for n in range(10**width))
    return tuple(dict.fromkeys(("112", *(number for number in written if is_emergency_number(number, country)))))


def read_country(table: Table, default: str) -> str:
    """A country by its two letters."""
    country = table.text("country", default=default)
    if country in phonenumbers.SUPPORTED_REGIONS:
        return country
    table.wrong("country", say("no_country", value=shown(country)))
    return default


def read_timezone(table: Table, default: str) -> str:
    """A time zone of the tz database."""
    timezone = table.text("timezone", default=default)
    try:
        ZoneInfo(timezone)
    except (KeyError, OSError, ValueError):
        table.wrong("timezone", say("no_timezone", value=shown(timezone)))
        return default
    return timezone


CALLER_ID_FORMATS = ("e164", "national", "plain")
CALLER_ID_PLACES = ("both", "from", "pai")
COST_MAX = 1_000_000
DAY_MINUTES = 10_000_000


def read_trunk(table: Table, carriers: Spelling, country: str = "VN") -> Trunk:
    """A way out and in, by the address of its carrier or the name of an endpoint that exists."""
    name = table.text("name", NAME, needed=True)
    host, endpoint = _host(table), table.text("endpoint", NAME)
    if table.has("host") == table.has("endpoint"):
        more = say("not_both") if table.has("host") else say("none_is_there")
        table.wrong("host", say("host_or_endpoint", more=more))
    place, account = table.word("caller_id_in", CALLER_ID_PLACES, "both"), table.text("account", NAME)
    if place == "pai" and not table.has("account"):
        table.wrong("account", say("account_missing"))
    elif account and place != "pai":
        table.wrong("account", say("account_only_pai"))
    return Trunk(
        name=name,
        carrier=read_carrier_name(table, carriers),
        host=host,
        endpoint=endpoint or name,
        max_channels=table.integer("max_channels", 0, 0, CAP_MAX),
        max_cps=table.integer("max_cps", 0, 0, CAP_MAX),
        enabled=table.flag("enabled", default=True),
        minutes_per_day=table.integer("minutes_per_day", 0, 0, DAY_MINUTES),
        cost=table.integer("cost", 0, 0, COST_MAX),
        excluded_prefixes=_prefixes(table, country),
        excluded_kinds=table.words("excluded_kinds", NUMBER_KINDS),
        caller_id=table.word("caller_id", CALLER_ID_FORMATS, "e164"),
        caller_id_in=place,
        privacy=table.flag("privacy", default=False),
        account=account,
        qualify=table.maybe("qualify", 0, QUALIFY_MAX_S),
    )


def _prefixes(table: Table, country: str) -> tuple[str, ...]:
    """Beginnings of numbers as people write them, in the spelling numbers are compared in."""
    found: dict[str, None] = {}
    for place, value in table.items("excluded_prefixes"):
        prefix = comparable_prefix(value, country) if isinstance(value, str) else ""
        if prefix in {"", "+"}:
            table.report.add(place, say("no_phone_prefix", value=shown(value)))
        elif prefix in found:
            table.report.add(place, say("twice", value=value))
        else:
            found[prefix] = None
    return tuple(found)


def _host(table: Table) -> str:
    """`ip:port` of a carrier; 5060 where no port is written."""
    host = table.text("host", HOST)
    if not host:
        return ""
    address, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    if not colon:
        address, port = host, str(SIP_PORT)
    try:
        ipaddress.ip_address(address.removeprefix("[").removesuffix("]"))
        right = port.isdigit() and 0 < int(port) <= PORT_MAX
    except ValueError:
        right = False
    if right:
        return f"{address}:{port}"
    table.wrong("host", say("no_host", value=shown(host), wanted=HOST.words))
    return ""


def read_carrier_name(table: Table, carriers: Spelling, *, needed: bool = False) -> str:
    """A carrier by its name or an alias.

    One that is in no table is a carrier too (an operator of landlines holds no prefixes), unless it looks like a slip.
    """
    written = table.text("carrier", TEXT, needed=needed)
    name = carriers.get(written.casefold(), "")
    if not written or name:
        return name
    near = meant(written, carriers.values(), _SLIP)
    if near or NAME.pattern.fullmatch(written) is None:
        table.wrong("carrier", say("no_carrier", value=shown(written), near=near))
        return ""
    table.report.warn(table.at("carrier"), say("carrier_in_no_table", value=shown(written)))
    return written


def read_blocked(table: Table, defaults: Defaults) -> Blocked:
    """A number or prefix kept out."""
    prefix = table.flag("prefix", default=False)
    written, country = table.text("number", TEXT, needed=True), defaults.country
    number = comparable_prefix(written, country) if prefix else comparable(normalise(written, country), country)
    if number in {"", "+"} and not table.report.wrong(table.at("number")):
        table.wrong("number", say("no_prefix" if prefix else "no_phone_number", value=shown(written)))
    scopes = table.texts("scopes", TEXT) if table.has("scopes") else SCOPES
    for scope in scopes:
        if scope not in SCOPES:
            table.wrong("scopes", say("none_of", value=shown(scope), allowed=", ".join(SCOPES), near=""))
    if not scopes:
        table.wrong("scopes", say("must_name_one", allowed=", ".join(SCOPES)))
    return Blocked(number, scopes, prefix, _until_ms(table, defaults.timezone))


def _until_ms(table: Table, timezone: str) -> int | None:
    """An instant written as ISO 8601, in local time unless it says otherwise; a date is the beginning of its day."""
    value = table.raw("until")
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime.combine(value, time())
        if isinstance(value, datetime):
            zoned = value if value.tzinfo else value.replace(tzinfo=ZoneInfo(timezone))
            return int(zoned.timestamp()) * 1000
    except ValueError:
        pass
    if table.has("until"):
        table.wrong("until", say("no_moment"))
    return None


def read_ported(table: Table, country: str, carriers: Spelling) -> Ported:
    """One subscriber who changed operator."""
    written = table.text("number", TEXT, needed=True)
    number = normalise(written, country).e164
    if not number and not table.report.wrong(table.at("number")):
        table.wrong("number", say("no_subscriber", value=shown(written)))
    return Ported(number, read_carrier_name(table, carriers, needed=True), table.flag("override", default=False))
