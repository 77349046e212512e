"""What changes between two setups, as the person about to apply one reads it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.difference import SHOWN_MAX, TABLES, difference
from controller.core.setup import (
    Adaptive,
    AgentSetup,
    Blocked,
    Carrier,
    Defaults,
    Group,
    Hotline,
    Menu,
    Phone,
    Ported,
    Queue,
    QueueGroup,
    Schedule,
    Setup,
    Sla,
    Trunk,
    Way,
    WayKind,
    Webhook,
)

pytestmark = pytest.mark.pure

SALES = Queue("sales", (QueueGroup("sales"),))
AN = AgentSetup("an", ("sales",), phone=Phone("an", "first-password"))
SETUP = Setup(
    trunks=(Trunk("v1", max_channels=30),),
    carriers=(Carrier("viettel", prefixes=("096",)),),
    hotlines=(Hotline("+842473001001", queue="sales"),),
    adaptives=(Adaptive("auto"),),
    menus=(Menu("main", play="welcome"),),
    queues=(SALES,),
    groups=(Group("sales"),),
    agents=(AN, AgentSetup("binh", ("sales",))),
    blocked=(Blocked("0900000001"),),
    ported=(Ported("+84912345679", "viettel"),),
    schedules=(Schedule("office", "Asia/Ho_Chi_Minh", ((),) * 7),),
    webhooks=(Webhook("ops", "https://ops.example", secret="first-secret"),),
    version=3,
)


def test_nothing_changes_when_nothing_did():
    assert difference(SETUP, replace(SETUP, version=4)) == ()
    assert difference(Setup(), Setup()) == ()


@pytest.mark.parametrize(("table", "field", "naming"), TABLES)
def test_rows_of_every_table_come_and_go(table, field, naming):
    name = getattr(getattr(SETUP, field)[0], naming)
    without = replace(SETUP, **{field: getattr(SETUP, field)[1:]})
    assert f"- {table} {name}" in difference(SETUP, without)
    assert f"+ {table} {name}" in difference(without, SETUP)


def test_every_table_of_a_setup_is_compared():
    assert {field for _, field, _ in TABLES} == {
        name for name, value in vars(SETUP).items() if isinstance(value, tuple)
    }


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"defaults": Defaults(language="en")}, "~ defaults: language vi -> en"),
        ({"queues": (replace(SALES, max_wait=90),)}, "~ queue sales: max_wait 60 -> 90"),
        ({"queues": (replace(SALES, record=False),)}, "~ queue sales: record true -> false"),
        ({"queues": (replace(SALES, sla=Sla(80, 20)),)}, "~ queue sales: sla (none) -> percent=80 seconds=20"),
        (
            {"queues": (replace(SALES, on_full=Way(WayKind.PHONE, "0912345678")),)},
            "~ queue sales: on_full.kind hangup -> phone",
        ),
        ({"trunks": (Trunk("v1", max_channels=31),)}, "~ trunk v1: max_channels 30 -> 31"),
        ({"agents": (replace(AN, groups=()), SETUP.agents[1])}, "~ agent an: groups sales -> (none)"),
        ({"blocked": (Blocked("0900000001"), Blocked("0900000001", prefix=True))}, "+ blocked 0900000001*"),
    ],
)
def test_a_change_is_told_with_before_and_after(changed, line):
    assert line in difference(SETUP, replace(SETUP, **changed))


def test_the_order_of_a_table_is_the_tie_break_of_choices_and_so_it_is_told():
    assert difference(SETUP, replace(SETUP, agents=SETUP.agents[::-1])) == ("~ agent: another order",)


def test_a_secret_is_told_to_have_changed_and_never_shown():
    after = replace(
        SETUP,
        agents=(replace(AN, phone=Phone("an", "other-password")), SETUP.agents[1]),
        webhooks=(replace(SETUP.webhooks[0], secret="other-secret"),),
    )
    lines = difference(SETUP, after)
    assert "~ agent an: phone.password (secret) -> (secret)" in lines
    assert "~ webhook ops: secret (secret) -> (secret)" in lines
    assert not any("first" in line or "other" in line for line in lines)


def test_long_values_are_cut():
    after = replace(SETUP, carriers=(Carrier("viettel", prefixes=tuple(str(n) for n in range(1000, 1100))),))
    (line,) = difference(SETUP, after)
    assert len(line) < 2 * SHOWN_MAX + 40
    assert line.endswith("…")
