"""Setups for tests of the core: one of each thing, small enough to hold in one's head."""

from __future__ import annotations

from dataclasses import replace

from controller.core.setup import (
    Adaptive,
    AgentSetup,
    Blocked,
    Carrier,
    Group,
    Hotline,
    Menu,
    Queue,
    QueueGroup,
    Schedule,
    Setup,
    Strategy,
    Trunk,
    Way,
    WayKind,
)

SALES, SUPPORT, MENU, CLOSED, TOLL = "+842473001001", "+842473001002", "+842473001003", "+842473001004", "18001001"
STRANGER, BANNED, QUEUE_BANNED = "0967000001", "0900000001", "0900000002"
NEVER = Schedule("never", "Asia/Ho_Chi_Minh", ((),) * 7)


def agents(*names: str, groups: tuple[str, ...] = ("sales",), wrap_up: int | None = None) -> tuple[AgentSetup, ...]:
    return tuple(
        AgentSetup(name, groups, extension=f"{101 + n}", outbound_with="auto", wrap_up=wrap_up, endpoint=name)
        for n, name in enumerate(names)
    )


def small(*names: str, own_wrap_up: int | None = None, hotline: Hotline | None = None, **queue: object) -> Setup:
    """One hotline, one queue `sales` with these fields, one group `sales`, and these agents."""
    row = replace(Queue("sales", (QueueGroup("sales"),), wrap_up=0), **queue)
    return Setup(
        trunks=(Trunk("v1", "viettel", endpoint="v1"),),
        carriers=(Carrier("viettel", prefixes=("096",)),),
        hotlines=(hotline or Hotline(SALES, queue="sales", trunk="v1", carrier="viettel", outbound=True),),
        adaptives=(Adaptive("auto", fallback=SALES),),
        queues=(row,),
        groups=(Group("sales"),),
        agents=agents(*names, wrap_up=own_wrap_up),
    )


def menu_of(**hotline: object) -> Setup:
    """The hotline of `small` leads to a menu: 1 the queue, 3 a phone outside, 4 voicemail."""
    setup = small("an", max_wait=20)
    keys = (("1", Way(WayKind.QUEUE, "sales")), ("3", Way(WayKind.PHONE, "0912345678")), ("4", Way(WayKind.VOICEMAIL)))
    row = replace(setup.hotlines[0], queue="", menu="main", **hotline)
    return replace(setup, hotlines=(row,), menus=(Menu("main", "welcome", keys=keys),), schedules=(NEVER,))


def whole(
    one: Strategy = Strategy.LONGEST_IDLE, two: Strategy = Strategy.RING_ALL, three: Strategy = Strategy.RANDOM
) -> Setup:
    """Three queues that share agents, two menus that go in circles, two trunks, opening hours, blocked numbers."""
    hang_up, voicemail = Way(), Way(WayKind.VOICEMAIL)
    phone = Way(WayKind.PHONE, "0912345678", play="transferring")
    return Setup(
        trunks=(
            Trunk("v1", "viettel", endpoint="v1", max_channels=2, max_cps=5),
            Trunk("v2", "viettel", endpoint="v2", max_channels=2),
        ),
        carriers=(Carrier("viettel", prefixes=("096", "097")), Carrier("mobi", prefixes=("090", "091"))),
        hotlines=(
            Hotline(SALES, queue="sales", wrap_up=5, notify_answer_time=4, notify_talk_time=30, **_out("v1")),
            Hotline(SUPPORT, queue="support", notify_answer_time=1, **_out("v2")),
            Hotline(MENU, menu="main", wrap_up=2, **_out("v1")),
            Hotline(CLOSED, queue="sales", hours="never", closed=Way(WayKind.QUEUE, "night", play="closed")),
            Hotline(TOLL, menu="silent", kind="virtual"),
        ),
        adaptives=(Adaptive("auto", fallback=SALES, record_outbound=True),),
        menus=(
            Menu(
                "main",
                "welcome",
                timeout=5,
                loops=2,
                keys=(
                    ("1", Way(WayKind.QUEUE, "sales")),
                    ("2", Way(WayKind.MENU, "silent")),
                    ("3", phone),
                    ("4", voicemail),
                    ("9", Way(WayKind.REPEAT)),
                    ("0", Way(play="goodbye")),
                ),
                on_timeout=Way(WayKind.QUEUE, "support"),
            ),
            Menu(
                "silent",
                timeout=3,
                barge_in=False,
                keys=(("1", Way(WayKind.QUEUE, "night")), ("2", Way(WayKind.MENU, "main"))),
                on_invalid=hang_up,
            ),
        ),
        queues=(
            Queue(
                "sales",
                (QueueGroup("sales"), QueueGroup("backup", primary=False)),
                one,
                ring_time=4,
                max_wait=20,
                max_size=4,
                wrap_up=3,
                on_full=Way(WayKind.QUEUE, "support", play="busy"),
                on_max_wait=Way(WayKind.QUEUE, "support"),
                on_no_agent=voicemail,
            ),
            Queue(
                "support",
                (QueueGroup("support"),),
                two,
                ring_time=3,
                pause_after=2,
                max_wait=10,
                max_size=3,
                wrap_up=0,
                on_full=hang_up,
                on_max_wait=phone,
                on_no_agent=Way(WayKind.QUEUE, "night"),
            ),
            Queue(
                "night",
                (QueueGroup("backup"), QueueGroup("support", primary=False)),
                three,
                ring_time=5,
                max_wait=15,
                record=False,
                on_full=Way(WayKind.MENU, "main"),
                on_max_wait=Way(WayKind.MENU, "silent"),
                on_no_agent=Way(play="nobody"),
            ),
        ),
        groups=(Group("sales"), Group("support"), Group("backup")),
        agents=(
            *agents("an", "binh", wrap_up=None),
            replace(agents("chi", groups=("sales", "support"))[0], extension="103"),
            replace(agents("dung", groups=("support",), wrap_up=7)[0], extension="104"),
            replace(agents("em", groups=("backup",))[0], extension="105", outbound_with=SUPPORT),
        ),
        blocked=(Blocked("+84900000001", ("ivr", "outbound")), Blocked("+84900000002", ("queue",))),
        schedules=(NEVER,),
    )


def _out(trunk: str) -> dict[str, object]:
    return {"trunk": trunk, "carrier": "viettel", "outbound": True}
