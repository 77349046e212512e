"""A whole document: what comes of a right one, and that no document at all makes the check fall over."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.carrier_file import shipped
from controller.core.setup import (
    AGENT_LIMITS,
    Adaptive,
    AgentSetup,
    Blocked,
    Defaults,
    Fallback,
    Hotline,
    Menu,
    Phone,
    Ported,
    Queue,
    QueueGroup,
    Reach,
    Schedule,
    Setup,
    Strategy,
    Trunk,
    Way,
    WayKind,
    Webhook,
)
from controller.setup_file import check_document
from tests.core.documents import BASE, DROP, changed, problems, right, warnings

pytestmark = pytest.mark.pure

VN = shipped("VN")
CONTACT = "sip:binh@127.0.0.21:5071"
PLAIN: dict[str, Any] = {"limits": AGENT_LIMITS, "reach": Reach()}
"""What an agent may call and use who is not told otherwise."""


def setup_of(document: dict[str, Any]) -> Setup:
    setup = right(document).setup
    assert setup is not None
    return setup


def test_a_right_document_becomes_the_setup_it_says() -> None:
    setup = setup_of(BASE)
    assert setup.defaults == Defaults()
    assert setup.trunks == (
        Trunk("viettel-1", "viettel", "127.0.0.11:5070", "viettel-1", 30, 10),
        Trunk("mobifone-1", "mobifone", "", "pbx-mobifone"),
    )
    assert setup.hotlines[0] == Hotline(
        "+842473001001", country="VN", trunk="viettel-1", carrier="viettel", outbound=True, queue="sales"
    )
    assert setup.hotlines[1].number == "+84901001001"
    assert (setup.hotlines[1].type, setup.hotlines[1].carrier) == ("mobile", "mobifone")
    assert setup.hotlines[2] == Hotline("19001001", kind="virtual", country="VN", queue="support")
    assert setup.adaptives == (Adaptive("auto", "+842473001001"),)
    assert setup.menus[1] == Menu("more", "more", keys=(("1", Way(WayKind.MENU, "main")),))
    assert setup.menus[0].on_timeout == Way(WayKind.QUEUE, "support")
    sales = (QueueGroup("sales", primary=True), QueueGroup("support", primary=False))
    assert setup.queues[0] == Queue("sales", sales)
    to_sales = Way(WayKind.QUEUE, "sales")
    assert setup.queues[1] == Queue(
        "support",
        (QueueGroup("support", primary=True),),
        on_full=to_sales,
        on_max_wait=to_sales,
        on_no_agent=to_sales,
    )
    assert setup.agents == (
        AgentSetup("an", ("sales",), "101", "auto", None, Phone("an", "a-Secret.1"), "an", **PLAIN),
        AgentSetup(
            "binh", ("sales", "support"), phone=Phone(contact="sip:binh@127.0.0.21:5071"), endpoint="binh", **PLAIN
        ),
        AgentSetup("chi", ("support",), phone=Phone(endpoint="desk-chi"), endpoint="desk-chi", **PLAIN),
    )
    assert setup.blocked == (Blocked("+84900000001"),)
    assert setup.ported == (Ported("+84912345679", "viettel"),)
    office = ((480, 720), (810, 1050))
    assert setup.schedules == (Schedule("office", "Asia/Ho_Chi_Minh", (office, *((),) * 6)),)
    assert setup.webhooks == (Webhook("wall", "http://127.0.0.1:9000/alerts"),)
    assert warnings(BASE) == []


def test_an_empty_document_is_right_and_empty() -> None:
    assert setup_of({}) == Setup(carriers=VN.carriers, carriers_from=VN.source)


def test_the_shipped_carriers_stand_until_rows_replace_them() -> None:
    assert setup_of(BASE).carriers == VN.carriers
    own = [{"name": "viettel", "aliases": ["Viettel"], "prefixes": ["086"], "on_net": "all"}, {"name": "mobifone"}]
    setup = setup_of(changed(("carrier", own)))
    assert [row.name for row in setup.carriers] == ["viettel", "mobifone"]
    assert setup.network("viettel") == "all"
    assert setup_of({"defaults": {"country": "GB"}}).carriers == ()
    assert setup_of({"carrier": []}).carriers == ()


def test_a_hotline_may_name_another_carrier_than_its_trunks() -> None:
    assert setup_of(changed(("hotline.0.carrier", "VinaPhone"))).hotlines[0].carrier == "vinaphone"


def test_everything_that_can_be_said_about_a_hotline() -> None:
    full = {
        "number": "1800 6670",
        "name": "Miễn phí",
        "kind": "carrier",
        "type": "toll-free",
        "country": "VN",
        "trunk": "viettel-1",
        "carrier": "viettel",
        "outbound": True,
        "outbound_groups": ["support"],
        "record_outbound": True,
        "queue": "sales",
        "wrap_up": 600,
        "notify_answer_time": 20,
        "notify_talk_time": 0,
        "widget": True,
        "hours": "office",
        "closed": {"play": "closed/tet", "then": {"phone": "0912345678", "hotline": "0247 300 1001"}},
        "fallback": {"phone": "+84 912 345 678"},
    }
    setup = setup_of(changed(("hotline.3", full)))
    assert setup.hotlines[3] == Hotline(
        number="18006670",
        name="Miễn phí",
        type="toll-free",
        country="VN",
        trunk="viettel-1",
        carrier="viettel",
        outbound=True,
        outbound_groups=("support",),
        record_outbound=True,
        queue="sales",
        wrap_up=600,
        notify_answer_time=20,
        notify_talk_time=None,
        widget=True,
        hours="office",
        closed=Way(WayKind.PHONE, "0912345678", "+842473001001", "closed/tet"),
        fallback=Fallback("phone", "0912345678"),
    )


def test_everything_that_can_be_said_about_a_queue() -> None:
    full = {
        "name": "full",
        "groups": [{"name": "support"}],
        "strategy": "ring-all",
        "ring_time": 3,
        "max_wait": 600,
        "max_size": 50,
        "wrap_up": 0,
        "record": False,
        "music": "tet",
        "sla": {"percent": 90, "seconds": 10},
        "hours": "office",
        "closed": "hangup",
        "on_full": "hangup",
        "on_max_wait": {"voicemail": True},
        "on_no_agent": {"menu": "main"},
    }
    queue = setup_of(changed(("queue.2", full))).queue["full"]
    assert (queue.strategy, queue.ring_time, queue.record, queue.music) == (Strategy.RING_ALL, 3, False, "tet")
    assert queue.on_max_wait == Way(WayKind.VOICEMAIL)
    assert queue.on_no_agent == Way(WayKind.MENU, "main")


def test_what_is_over_is_told_and_kept() -> None:
    document = changed(("blocked.0.until", "2026-11-22"))
    checked = check_document(document, now_ms=1_800_000_000_000)
    assert [str(found) for found in checked.warnings] == ["blocked[0].until: is over: this number is no longer blocked"]
    assert checked.setup is not None
    assert check_document(document, now_ms=0).warnings == ()


def test_every_mistake_is_in_the_one_report() -> None:
    document = changed(
        ("hotline.0.trunk", "vietel-1"),
        ("hotline.1.wrap_up", "long"),
        ("queue.0.ring_time", 2),
        ("queue.1.overflow", {"queue": "nobody"}),
        ("agent.0.groups", ["sale"]),
        ("colour", "red"),
    )
    assert problems(document) == [
        "hotline[1].wrap_up: must be a whole number, not text",
        "queue[0].ring_time: 2 is out of range: 3 to 300",
        "colour: there is no such key here",
        "hotline[0].trunk: no trunk is named 'vietel-1' (did you mean 'viettel-1'?)",
        "agent[0].groups: no group is named 'sale' (did you mean 'sales'?)",
        "queue[1].overflow.queue: no queue is named 'nobody'",
    ]


@pytest.mark.parametrize("value", [None, 5, "text", [], [5], [[]], {"name": "x"}, math.nan])
@pytest.mark.parametrize("table", [*BASE])
def test_a_table_of_the_wrong_kind_is_reported_and_the_rest_still_read(table: str, value: Any) -> None:
    document = changed((table, value), ("queue.0.ring_time" if table != "queue" else "menu.0.timeout", 0))
    found = problems(document)
    assert any("is out of range" in line for line in found)
    wrong = [line for line in found if line.startswith((f"{table}:", f"{table}[0]"))]
    assert wrong or value == [] or (table == "defaults" and isinstance(value, dict))


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(
        ["viettel-1", "sales", "main", "auto", "hangup", "repeat", "+842473001001", "0967123456", "\ud800"]
    )
)
KEYS = st.sampled_from(
    [*BASE, "name", "number", "queue", "menu", "phone", "play", "then", "overflow", "keys", "1", "open", "mon"]
) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_no_document_makes_it_fall_over(document: dict[str, Any]) -> None:
    checked = check_document(document)
    assert (checked.setup is None) == bool(checked.problems)
    for line in problems(document):
        assert "\n" not in line
        line.encode()


def test_a_number_too_long_to_print_is_refused_without_printing_it() -> None:
    assert problems(changed(("queue.0.max_wait", 10**5000))) == ["queue[0].max_wait: this is out of range: 1 to 86400"]


def test_deep_nesting_is_looked_into_no_further_than_needed() -> None:
    way: Any = "hangup"
    for _ in range(5000):
        way = {"play": "again", "then": way}
    found = problems(changed(("queue.0.overflow", way), ("hotline.0.closed", [[[way]]])))
    assert found[0].startswith("hotline[0].closed: must be")
    assert found[1:] == ["queue[0].overflow.then: may not play a second announcement"]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a document."""
    found = [path] if path else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        found += places(each, (*path, key))
    return found


PLACES = places(BASE)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES | st.just(DROP)), min_size=1, max_size=4))
def test_a_document_gone_wrong_anywhere_is_refused_or_still_makes_sense(changes: list[tuple[Any, Any]]) -> None:
    document = deepcopy(BASE)
    for path, value in changes:
        table: Any = document
        try:
            for part in path[:-1]:
                table = table[part]
            if value is DROP:
                del table[path[-1]]
            else:
                table[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    checked = check_document(document)
    if checked.setup is not None:
        makes_sense(checked.setup)


def makes_sense(setup: Setup) -> None:
    """What the rest of the program relies on without looking."""
    for rows in (setup.trunks, setup.hotlines, setup.menus, setup.queues, setup.agents, setup.groups, setup.adaptives):
        names = [getattr(row, "number", None) or getattr(row, "name", "") for row in rows]
        assert len(names) == len(set(names))
        assert all(names)
    for hotline in setup.hotlines:
        assert bool(hotline.queue) != bool(hotline.menu)
        assert hotline.queue in {"", *setup.queue}
        assert hotline.menu in {"", *setup.menu}
        assert (hotline.trunk in setup.trunk) != (hotline.kind == "virtual")
        assert not (hotline.kind == "virtual" and hotline.outbound)
        assert hotline.hours in {"", *setup.schedule}
    ways = [hotline.closed for hotline in setup.hotlines]
    for menu in setup.menus:
        ways += [menu.on_timeout, menu.on_invalid, *(way for _, way in menu.keys)]
    for queue in setup.queues:
        out = [queue.closed, queue.on_full, queue.on_max_wait, queue.on_no_agent]
        assert all(way.kind is not WayKind.REPEAT for way in out)
        ways += out
        assert queue.ring_time >= 3
        assert all(group.name in {row.name for row in setup.groups} for group in queue.groups)
        assert not queue.groups or any(group.primary for group in queue.groups)
    for way in ways:
        assert way.kind is not WayKind.QUEUE or way.target in setup.queue
        assert way.kind is not WayKind.MENU or way.target in setup.menu
        assert way.kind is not WayKind.PHONE or way.target
        assert way.hotline in {"", *setup.hotline}
    endpoints = [row.endpoint for row in (*setup.trunks, *setup.agents)]
    assert len(endpoints) == len(set(endpoints))
    assert all(endpoints)
    for agent in setup.agents:
        assert agent.outbound_with in {"", *setup.hotline, *setup.adaptive}
        assert bool(agent.phone.user) + bool(agent.phone.contact) + bool(agent.phone.endpoint) == 1
        assert bool(agent.phone.password) == bool(agent.phone.user)
