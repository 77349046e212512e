"""The setup's indexes: the same rows by every name somebody looks them up with."""

from __future__ import annotations

import pytest

from controller.core.setup import (
    AgentSetup,
    Blocked,
    Carrier,
    Group,
    Hotline,
    Menu,
    Ported,
    Queue,
    QueueGroup,
    Schedule,
    Setup,
    Trunk,
    Way,
    WayKind,
)

pytestmark = pytest.mark.pure

SETUP = Setup(
    trunks=(Trunk("t1", "a"), Trunk("t2", "b"), Trunk("t3", "a"), Trunk("t4")),
    carriers=(
        Carrier("a", ("A-Tel",), ("09", "091"), on_net="net"),
        Carrier("b", ("B",), ("092",), on_net="net"),
        Carrier("c"),
    ),
    hotlines=(
        Hotline("+841", carrier="a"),
        Hotline("+842", carrier="b"),
        Hotline("+843", carrier="c"),
        Hotline("+844"),
    ),
    queues=(
        Queue("sales", (QueueGroup("g1"), QueueGroup("g2", primary=False))),
        Queue("support", (QueueGroup("g2"), QueueGroup("g1", primary=False))),
        Queue("empty", (QueueGroup("nobody"),)),
    ),
    groups=(Group("g1"), Group("g2")),
    agents=(
        AgentSetup("an", ("g2",), endpoint="ep-an"),
        AgentSetup("binh", ("g1", "g2"), endpoint="ep-binh"),
        AgentSetup("chi", ("g1",)),
        AgentSetup("dung"),
    ),
    blocked=(Blocked("+841"), Blocked("+841", ("ivr",)), Blocked("+84", prefix=True)),
    ported=(Ported("+841", "a"),),
    schedules=(Schedule("office", "UTC", ((),) * 7),),
    menus=(Menu("main", keys=(("1", Way(WayKind.QUEUE, "sales")),)),),
)


def test_rows_by_name() -> None:
    for table, rows in (
        (SETUP.trunk, SETUP.trunks),
        (SETUP.carrier, SETUP.carriers),
        (SETUP.queue, SETUP.queues),
        (SETUP.group, SETUP.groups),
        (SETUP.agent, SETUP.agents),
        (SETUP.menu, SETUP.menus),
        (SETUP.schedule, SETUP.schedules),
    ):
        assert table == {row.name: row for row in rows}
        assert list(table.values()) == list(rows), "in the order of the file"
    assert list(SETUP.hotline) == ["+841", "+842", "+843", "+844"]


def test_carriers_by_every_spelling_and_prefix() -> None:
    assert SETUP.carrier_spelling == {"a": "a", "b": "b", "c": "c", "a-tel": "a"}
    assert SETUP.prefix_owner == {"09": "a", "091": "a", "092": "b"}


def test_a_name_wins_over_somebody_elses_alias_and_the_first_row_over_later_ones() -> None:
    setup = Setup(carriers=(Carrier("a", ("x",), ("09",)), Carrier("b", ("x", "a"), ("09",))))
    assert setup.carrier_spelling == {"x": "a", "a": "a", "b": "b"}
    assert setup.prefix_owner == {"09": "a"}


def test_networks() -> None:
    assert [SETUP.network(name) for name in ("a", "b", "c", "unheard of")] == ["net", "net", "c", "unheard of"]
    numbers = {network: [row.number for row in rows] for network, rows in SETUP.hotlines_of_network.items()}
    assert numbers == {"net": ["+841", "+842"], "c": ["+843"]}
    trunks = {carrier: [row.name for row in rows] for carrier, rows in SETUP.trunks_of_carrier.items()}
    assert trunks == {"a": ["t1", "t3"], "b": ["t2"]}


def test_blocked_and_ported_rows_by_number() -> None:
    assert SETUP.blocked_exact == {"+841": SETUP.blocked[:2]}
    assert SETUP.blocked_prefix == {"+84": SETUP.blocked[2:]}
    assert SETUP.ported_row == {"+841": SETUP.ported[0]}


def test_who_serves_what_and_in_which_tier() -> None:
    assert SETUP.tiers_of_agent == {
        "an": (("sales", 1), ("support", 0)),
        "binh": (("sales", 0), ("support", 0)),
        "chi": (("sales", 0), ("support", 1)),
        "dung": (),
    }
    assert SETUP.agents_of_queue == {"sales": ("binh", "chi", "an"), "support": ("an", "binh", "chi"), "empty": ()}


def test_who_serves_the_same_shares_one_table() -> None:
    """2,000 queues of one group with 8,000 agents took 38 s and 2.5 GB to check: 16 million pairs."""
    group = (QueueGroup("g"),)
    queues = tuple(Queue(f"q{n}", group) for n in range(3))
    setup = Setup(queues=queues, agents=tuple(AgentSetup(f"a{n}", ("g",)) for n in range(3)))
    assert setup.tiers_of_agent["a0"] == (("q0", 0), ("q1", 0), ("q2", 0))
    assert setup.tiers_of_agent["a0"] is setup.tiers_of_agent["a2"]
    assert setup.agents_of_queue["q0"] == ("a0", "a1", "a2")
    assert setup.agents_of_queue["q0"] is setup.agents_of_queue["q2"]


def test_agents_by_place_and_endpoint() -> None:
    assert SETUP.agent_order == {"an": 0, "binh": 1, "chi": 2, "dung": 3}
    assert SETUP.agent_of_endpoint == {"ep-an": "an", "ep-binh": "binh"}


def test_a_key_on_the_menu_and_one_that_is_not() -> None:
    assert SETUP.menus[0].way("1") == Way(WayKind.QUEUE, "sales")
    assert SETUP.menus[0].way("2") is None
