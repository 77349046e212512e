"""The shape of hotlines and adaptive numbers."""

from __future__ import annotations

from collections.abc import Mapping

from controller.core.alphabets import DIAL_CODE, NAME, TEXT
from controller.core.numbers import Kind, normalise
from controller.core.saying import say
from controller.core.setup import Adaptive, Defaults, Fallback, Hotline, Limits, Way
from controller.core.shape import Table, kind_of, shown
from controller.core.shape_limits import read_limits
from controller.core.shape_numbers import DAY_S, Spelling, read_carrier_name, read_country
from controller.core.shape_way import WayReader, read_phone

_TYPE_OF_KIND = {Kind.MOBILE: "mobile", Kind.TOLL_FREE: "toll-free"}


def read_hotline(table: Table, defaults: Defaults, carriers: Spelling, ways: WayReader) -> Hotline:
    """A number customers know."""
    country = read_country(table, defaults.country)
    number, usual = _own_number(table, country)
    virtual = table.word("kind", ("carrier", "virtual"), "carrier") == "virtual"
    owner = ("hotline", number)
    return Hotline(
        number=number,
        name=table.text("name"),
        kind="virtual" if virtual else "carrier",
        type=table.word("type", ("local", "mobile", "toll-free"), usual),
        country=country,
        trunk=table.text("trunk", NAME),
        carrier=read_carrier_name(table, carriers),
        outbound=table.flag("outbound", default=False),
        outbound_groups=_outbound_groups(table),
        record_outbound=table.flag("record_outbound", default=False),
        queue=table.text("queue", NAME),
        menu=table.text("menu", NAME),
        wrap_up=table.integer("wrap_up", 0, 0, defaults.wrap_up_max),
        notify_answer_time=table.maybe("notify_answer_time", 0, DAY_S) or None,
        notify_talk_time=table.maybe("notify_talk_time", 0, DAY_S) or None,
        widget=table.flag("widget", default=False),
        hours=table.text("hours", NAME),
        closed=ways.read(table, "closed", owner) or Way(),
        fallback=_fallback(table, country),
        limits=_limits(table, defaults),
        dial_code=table.text("dial_code", DIAL_CODE),
    )


def _limits(table: Table, defaults: Defaults) -> Limits:
    inner = table.table("limits")
    limits = read_limits(inner, defaults.hotline_limits, hotline=True)
    if inner:
        inner.done()
    return limits


def _own_number(table: Table, country: str) -> tuple[str, str]:
    """A number of ours, E.164 or a short code, and the type such a number usually has."""
    written = table.text("number", TEXT, needed=True)
    number = normalise(written, country)
    if number.kind is Kind.UNKNOWN and not (number.e164 or number.dial.startswith("+")):
        if not table.report.wrong(table.at("number")):
            table.wrong("number", say("no_own_number", value=shown(written), country=country))
        return "", "local"
    return number.shown, _TYPE_OF_KIND.get(number.kind, "local")


def _outbound_groups(table: Table) -> tuple[str, ...] | None:
    value = table.raw("outbound_groups")
    if value == "all" or not table.has("outbound_groups"):
        return None
    if isinstance(value, list):
        return table.texts("outbound_groups", NAME)
    table.wrong("outbound_groups", say("must_be", wanted=say("all_or_groups"), kind=kind_of(value)))
    return ()


def _fallback(table: Table, country: str) -> Fallback:
    value = table.raw("fallback")
    if isinstance(value, str) and value in {"announce", "ring"}:
        return Fallback(value)
    if isinstance(value, Mapping):
        inner = Table(value, table.at("fallback"), table.report)
        phone = read_phone(inner, "phone", country)
        inner.done()
        return Fallback("phone", phone)
    if table.has("fallback"):
        table.wrong("fallback", say("fallback_forms"))
    return Fallback()


def read_adaptive(table: Table, country: str) -> Adaptive:
    """A pseudo hotline."""
    fallback = table.text("fallback")
    return Adaptive(
        name=table.text("name", NAME, needed=True),
        fallback=normalise(fallback, country).shown or fallback,
        outbound=table.flag("outbound", default=True),
        record_outbound=table.flag("record_outbound", default=False),
        dial_code=table.text("dial_code", DIAL_CODE),
    )
