"""The shape of the tables about people and waiting: menus, queues, groups, agents, schedules and webhooks."""

from __future__ import annotations

import re
from datetime import date, datetime
from urllib.parse import urlsplit

from controller.core.addresses import may_be_posted_to
from controller.core.alphabets import CONTACT, EXTENSION, FILE, NAME, SECRET, WORD
from controller.core.numbers import normalise
from controller.core.saying import say
from controller.core.setup import (
    RING_TIME_MIN_S,
    AgentSetup,
    Defaults,
    Group,
    Menu,
    Phone,
    Queue,
    QueueGroup,
    Schedule,
    Sla,
    Strategy,
    Way,
    WayKind,
    Webhook,
)
from controller.core.shape import Table, shown
from controller.core.shape_limits import read_limits, read_reach
from controller.core.shape_numbers import DAY_S, read_timezone
from controller.core.shape_way import WayReader

RING_TIME_MAX_S = 300
PAUSE_AFTER_MAX = 100
QUEUE_SIZE_MAX = 10_000
KEY_TIMEOUT_MAX_S = 300
LOOPS_MAX = 20
SLA_MAX_S = 3_600
KEYS = tuple("0123456789*#")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WAYS_OUT = ("on_full", "on_max_wait", "on_no_agent")

_FRAME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])-(?:([01]?[0-9]|2[0-3]):([0-5][0-9])|(24:00))")
_UDP = re.compile(r";transport=udp\Z", re.IGNORECASE)
"""What a contact may say and need not: there is no other transport (docs/setup.md)."""
_REPEAT = Way(WayKind.REPEAT)


def read_menu(table: Table, ways: WayReader) -> Menu:
    """One node of an IVR tree."""
    name = table.text("name", NAME, needed=True)
    owner = ("menu", name)
    return Menu(
        name=name,
        play=table.text("play", FILE, needed=True),
        timeout=table.integer("timeout", 5, 1, KEY_TIMEOUT_MAX_S),
        loops=table.integer("loops", 1, 1, LOOPS_MAX),
        barge_in=table.flag("barge_in", default=True),
        keys=_keys(table, owner, ways),
        on_timeout=ways.read(table, "on_timeout", owner) or _REPEAT,
        on_invalid=ways.read(table, "on_invalid", owner) or _REPEAT,
    )


def _keys(table: Table, owner: tuple[str, str], ways: WayReader) -> tuple[tuple[str, Way], ...]:
    inner = table.table("keys")
    if inner is None:
        return ()
    found: list[tuple[str, Way]] = []
    for key in inner.all_keys():
        if key not in KEYS:
            inner.wrong(key, say("no_telephone_key", value=shown(key)))
        found.append((key, ways.read(inner, key, owner, automatic=False) or Way()))
    return tuple(found)


def read_queue(table: Table, defaults: Defaults, ways: WayReader) -> Queue:
    """Callers waiting, and who serves them."""
    name = table.text("name", NAME, needed=True)
    owner = ("queue", name)
    lacking = [key for key in WAYS_OUT if not table.has(key)]
    overflow = ways.read(table, "overflow", owner, automatic=bool(lacking))
    if lacking and overflow is None:
        table.wrong("overflow", say("no_way_out", keys=", ".join(lacking)))
    if table.has("hours") and not table.has("closed"):
        table.wrong("closed", say("no_way_out_closed"))
    on_full, on_max_wait, on_no_agent = (ways.read(table, key, owner) or overflow or Way() for key in WAYS_OUT)
    return Queue(
        name=name,
        groups=_queue_groups(table),
        strategy=Strategy(table.word("strategy", tuple(Strategy), Strategy.LONGEST_IDLE)),
        ring_time=table.integer("ring_time", 15, RING_TIME_MIN_S, RING_TIME_MAX_S),
        pause_after=table.integer("pause_after", 0, 0, PAUSE_AFTER_MAX),
        max_wait=table.integer("max_wait", 60, 1, DAY_S),
        max_size=table.integer("max_size", 5, 1, QUEUE_SIZE_MAX),
        wrap_up=table.integer("wrap_up", min(10, defaults.wrap_up_max), 0, defaults.wrap_up_max),
        record=table.flag("record", default=True),
        music=table.text("music", NAME, default="default"),
        sla=_sla(table),
        hours=table.text("hours", NAME),
        closed=ways.read(table, "closed", owner) or Way(),
        on_full=on_full,
        on_max_wait=on_max_wait,
        on_no_agent=on_no_agent,
    )


def _queue_groups(table: Table) -> tuple[QueueGroup, ...]:
    """Groups of a queue; where none is marked as primary, all are. A list of plain names marks none."""
    value = table.raw("groups")
    if isinstance(value, list) and value and all(isinstance(row, str) for row in value):
        return tuple(QueueGroup(name, primary=True) for name in table.texts("groups", NAME))
    rows: list[QueueGroup] = []
    for inner in table.tables("groups"):
        row = QueueGroup(inner.text("name", NAME, needed=True), inner.flag("primary", default=False))
        if row.name and row.name in {other.name for other in rows}:
            inner.wrong("name", say("twice", value=row.name))
        inner.done()
        rows.append(row)
    if any(row.primary for row in rows):
        return tuple(rows)
    return tuple(QueueGroup(row.name, primary=True) for row in rows)


def _sla(table: Table) -> Sla | None:
    inner = table.table("sla")
    if inner is None:
        return None
    sla = Sla(inner.integer("percent", 80, 1, 100), inner.integer("seconds", 20, 1, SLA_MAX_S))
    for key in ("percent", "seconds"):
        if not inner.has(key):
            inner.wrong(key, say("missing"))
    inner.done()
    return sla


def read_group(table: Table) -> Group:
    """Agents together."""
    return Group(table.text("name", NAME, needed=True))


def read_agent(table: Table, defaults: Defaults) -> AgentSetup:
    """A person with a phone."""
    name = table.text("name", NAME, needed=True)
    phone, via = _phone(table), table.text("outbound_with")
    inner = table.table("limits")
    limits, reach = read_limits(inner, defaults.agent_limits), read_reach(inner, defaults.reach)
    if inner:
        inner.done()
    return AgentSetup(
        name=name,
        groups=table.texts("groups", NAME),
        extension=table.text("extension", EXTENSION),
        outbound_with=normalise(via, defaults.country).shown or via,
        wrap_up=table.maybe("wrap_up", 0, defaults.wrap_up_max),
        phone=phone,
        endpoint=phone.user or phone.endpoint or name,
        limits=limits,
        reach=reach,
    )


def _phone(table: Table) -> Phone:
    inner = table.table("phone")
    if inner is None:
        if not table.has("phone"):
            table.wrong("phone", say("phone_missing"))
        return Phone()
    given = [key for key in ("user", "contact", "endpoint") if inner.has(key)]
    if len(given) != 1:
        table.wrong("phone", say("phone_one_of"))
    phone = Phone(
        user=inner.text("user", NAME),
        password=inner.text("password", SECRET, needed=given == ["user"]),
        contact=_UDP.sub("", inner.text("contact", CONTACT)),
        endpoint=inner.text("endpoint", NAME),
    )
    if phone.password and given in (["contact"], ["endpoint"]):
        inner.wrong("password", say("password_without_user"))
    inner.done()
    return phone


def read_schedule(table: Table, defaults: Defaults) -> Schedule:
    """Opening hours."""
    name = table.text("name", NAME, needed=True)
    inner = table.table("open")
    if inner is None and not table.has("open"):
        table.wrong("open", say("open_missing"))
    frames = tuple(_frames(inner, day) for day in WEEKDAYS) if inner else ((),) * len(WEEKDAYS)
    if inner:
        inner.done()
    return Schedule(name, read_timezone(table, defaults.timezone), frames, _holidays(table))


def _frames(table: Table, day: str) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for place, value in table.items(day):
        frame = _frame(value)
        if frame is None:
            table.report.add(place, say("no_frame", value=shown(value)))
        elif found and frame[0] < (found[-1][1] if found[-1][1] > found[-1][0] else 24 * 60):
            table.report.add(place, say("frames_overlap"))
        else:
            found.append(frame)
    return tuple(found)


def _frame(value: object) -> tuple[int, int] | None:
    """Minutes of the day a frame begins and ends; one of no length is none."""
    found = _FRAME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    begin = int(found[1]) * 60 + int(found[2])
    end = 24 * 60 if found[5] else int(found[3]) * 60 + int(found[4])
    return (begin, end) if begin != end else None


def _holidays(table: Table) -> tuple[str, ...]:
    """Dates as ISO writes them; TOML's own dates are as good."""
    found: list[str] = []
    for place, value in table.items("holidays"):
        day = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
        try:
            found.append(date.fromisoformat(day if isinstance(day, str) else "").isoformat())
        except ValueError:
            table.report.add(place, say("no_date", value=shown(value)))
    return tuple(found)


def read_webhook(table: Table) -> Webhook:
    """Where alerts are posted."""
    url = table.text("url", needed=True)
    good = _is_http(url)
    if url and not good:
        table.wrong("url", say("no_url", value=shown(url)))
    host = urlsplit(url).hostname or "" if good else ""
    if good and "@" in urlsplit(url).netloc:
        # Not repeated: what stands before the @ is mostly a password.
        table.wrong("url", say("url_with_user"))
    elif not may_be_posted_to(host):
        table.wrong("url", say("no_receiver", host=host))
    named = NAME.pattern.fullmatch(host) is not None
    return Webhook(
        name=table.text("name", NAME, default=host if named else "", needed=good and not named),
        url=url,
        kinds=table.texts("kinds", WORD),
        secret=table.text("secret", SECRET),
    )


def _is_http(url: str) -> bool:
    if not url.isascii() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
