"""What is said in one place and contradicted in another."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.documents import BASE, DROP, changed, problems, right, warnings

pytestmark = pytest.mark.pure


def again(table: str, **keys: Any) -> tuple[str, Any]:
    """One more row like the first of a table."""
    return f"{table}.{len(BASE[table])}", BASE[table][0] | keys


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([again("trunk", host="127.0.0.12")], ["trunk[2].name: 'viettel-1' stands in trunk[0].name already"]),
        ([again("adaptive")], ["adaptive[1].name: 'auto' stands in adaptive[0].name already"]),
        ([again("menu")], ["menu[2].name: 'main' stands in menu[0].name already"]),
        ([again("queue")], ["queue[2].name: 'sales' stands in queue[0].name already"]),
        ([again("group")], ["group[2].name: 'sales' stands in group[0].name already"]),
        ([again("schedule")], ["schedule[1].name: 'office' stands in schedule[0].name already"]),
        ([again("webhook")], ["webhook[1].name: 'wall' stands in webhook[0].name already"]),
        (
            [again("hotline", number="0247.300.1001")],
            ["hotline[3].number: '+842473001001' stands in hotline[0].number already"],
        ),
        (
            [again("agent", extension="102")],
            [
                "agent[3].name: 'an' stands in agent[0].name already",
                "agent[3].phone.user: 'an' stands in agent[0].phone.user already",
            ],
        ),
        (
            [again("agent", name="dung", phone={"contact": "sip:d@127.0.0.1"})],
            ["agent[3].extension: '101' stands in agent[0].extension already"],
        ),
        (
            [again("blocked", number="84900000001")],
            ["blocked[1].number: '+84900000001' stands in blocked[0].number already"],
        ),
        (
            [("hotline.0.dial_code", "72"), ("adaptive.0.dial_code", "72")],
            ["adaptive[0].dial_code: '72' stands in hotline[0].dial_code already"],
        ),
        (
            [("hotline.0.dial_code", "7"), ("adaptive.0.dial_code", "72")],
            ["hotline[0].dial_code: '7' begins the dial code '72' of adaptive[0].dial_code"],
        ),
        (
            [("hotline.0.dial_code", "*4")],
            [f"hotline[0].dial_code: '*4' begins *4{n}, which has a meaning of its own" for n in range(4)],
        ),
        ([("hotline.0.dial_code", "84")], ["hotline[0].dial_code: '84' begins numbers that are written 84…"]),
        ([("hotline.0.dial_code", "#1"), ("adaptive.0.dial_code", "#2")], []),
        ([again("blocked", prefix=True)], []),
        (
            [again("ported", number="+84912345679")],
            ["ported[1].number: '+84912345679' stands in ported[0].number already"],
        ),
        (
            [("trunk.1", {"name": "x", "endpoint": "viettel-1"}), ("hotline.1.trunk", "x")],
            ["trunk[1].endpoint: 'viettel-1' stands in trunk[0].name already"],
        ),
        ([("agent.2.phone.endpoint", "binh")], ["agent[2].phone.endpoint: 'binh' stands in agent[1].name already"]),
        ([("agent.0.phone.user", "viettel-1")], ["agent[0].phone.user: 'viettel-1' stands in trunk[0].name already"]),
        (
            [("agent.0.phone.user", "101")],
            ["agent[0].phone.user: '101' is an extension, and no SIP account may be named like one"],
        ),
        (
            [("agent.1.name", "101")],
            ["agent[1].name: '101' is an extension, and no SIP account may be named like one"],
        ),
        ([("agent.0.extension", "113")], ["agent[0].extension: 113 is an emergency number"]),
        ([("hotline.2.number", "1022"), ("agent.0.extension", "1022")], ["agent[0].extension: 1022 is a hotline"]),
        (
            [("adaptive.0.name", "19001"), ("agent.0.outbound_with", "19001")],
            ["adaptive[0].name: a name of digits only would be taken for a phone number"],
        ),
        ([("adaptive.0.fallback", "auto")], ["adaptive[0].fallback: no hotline is named 'auto'"]),
        (
            [("hotline.0.trunk", "viettel-2")],
            ["hotline[0].trunk: no trunk is named 'viettel-2' (did you mean 'viettel-1'?)"],
        ),
        ([("hotline.0.queue", "sale")], ["hotline[0].queue: no queue is named 'sale' (did you mean 'sales'?)"]),
        ([("hotline.1.menu", "mein")], ["hotline[1].menu: no menu is named 'mein' (did you mean 'main'?)"]),
        ([("hotline.1.hours", "offise")], ["hotline[1].hours: no schedule is named 'offise' (did you mean 'office'?)"]),
        ([("hotline.0.outbound_groups", ["nobody"])], ["hotline[0].outbound_groups: no group is named 'nobody'"]),
        ([("hotline.0.queue", DROP)], ["hotline[0].queue: is missing: a hotline leads to a queue or a menu"]),
        ([("hotline.0.queue", 5)], ["hotline[0].queue: must be text, not a whole number"]),
        ([("hotline.0.menu", "main")], ["hotline[0].menu: either queue or menu says where callers go, not both"]),
        ([("hotline.0.trunk", DROP)], ['hotline[0].trunk: is missing: only a hotline of kind = "virtual" has none']),
        (
            [("hotline.0.trunk", "a b")],
            ["hotline[0].trunk: 'a b' is not allowed here: letters a-z, digits and . _ - (at most 64)"],
        ),
        ([("hotline.1.fallback", "ring")], []),
        ([("hotline.2.trunk", "viettel-1")], ["hotline[2].trunk: a virtual hotline has no trunk"]),
        (
            [("hotline.2.fallback", {"phone": "0912345678"})],
            ["hotline[2].fallback: a virtual hotline never calls out, so it cannot call a phone"],
        ),
        (
            [("queue.0.groups.1.name", "suport")],
            ["queue[0].groups[1].name: no group is named 'suport' (did you mean 'support'?)"],
        ),
        ([("queue.0.hours", "none"), ("queue.0.closed", "hangup")], ["queue[0].hours: no schedule is named 'none'"]),
        ([("agent.0.groups", ["sales", "backup"])], ["agent[0].groups: no group is named 'backup'"]),
        (
            [("agent.0.outbound_with", "atuo")],
            ["agent[0].outbound_with: no hotline or adaptive number is named 'atuo' (did you mean 'auto'?)"],
        ),
        (
            [("carrier", [{"name": "viettel", "prefixes": ["086", "098"]}, {"name": "mobifone", "prefixes": ["098"]}])],
            ["carrier[1].prefixes: '098' stands in carrier[0].prefixes already"],
        ),
        (
            [
                (
                    "carrier",
                    [
                        {"name": "viettel"},
                        {"name": "mobifone", "aliases": ["VIETTEL", "Mobi"]},
                        {"name": "x", "aliases": ["mobi"]},
                    ],
                )
            ],
            [
                "carrier[1].aliases: 'VIETTEL' already means carrier[0]",
                "carrier[2].aliases: 'mobi' already means carrier[1]",
            ],
        ),
        (
            [("carrier", [{"name": "viettel"}, {"name": "viettel"}, {"name": "mobifone"}])],
            ["carrier[1].name: 'viettel' stands in carrier[0].name already"],
        ),
    ],
)
def test_one_contradiction_is_one_line(changes: list[tuple[str, Any]], expected: list[str]) -> None:
    assert problems(changed(*changes)) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [("hotline.0.outbound", False)],
            [
                "adaptive[0].fallback: hotline +842473001001 has outbound = false, so no call will leave by it",
            ],
        ),
        (
            [("adaptive.0.fallback", "19001001")],
            ["adaptive[0].fallback: hotline 19001001 is virtual, so no call will leave by it"],
        ),
        (
            [("hotline.2.outbound", True)],
            ["hotline[2].outbound: has no effect: a virtual hotline never calls out"],
        ),
        (
            [("agent.0.outbound_with", "19001001")],
            ["agent[0].outbound_with: hotline 19001001 is virtual, so no call will leave by it"],
        ),
        (
            [("agent.0.groups", []), ("agent.1.groups", []), ("agent.2.groups", [])],
            ["queue[0].groups: no agent serves this queue", "queue[1].groups: no agent serves this queue"],
        ),
        ([("queue.0.groups", [])], ["queue[0].groups: no agent serves this queue"]),
        (
            [("carrier", [{"name": "viettel", "prefixes": ["098", "96", "1800"]}, {"name": "mobifone"}])],
            ["carrier[0].prefixes[1]: '96' must be written as it is dialled at home, with the 0 in front"],
        ),
    ],
)
def test_what_is_allowed_and_hardly_meant(changes: list[tuple[str, Any]], expected: list[str]) -> None:
    assert warnings(changed(*changes)) == expected


def test_a_carrier_may_list_its_own_name_as_an_alias() -> None:
    assert right(changed(("carrier", [{"name": "viettel", "aliases": ["Viettel"]}, {"name": "mobifone"}])))
