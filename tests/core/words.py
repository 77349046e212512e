"""Events of tests, shortly said: call n is `1.n`, its k-th leg to an agent `1.n.ak`."""

from __future__ import annotations

from controller.core.events import (
    AgentStatusAsked,
    BridgeSeen,
    CallArrived,
    CallGone,
    ChannelSeen,
    EndpointSeen,
    LegAnswered,
    LegGone,
    LegRinging,
    PlaybackEnded,
    SnapshotTaken,
)
from tests.core.setups import SALES, STRANGER, small
from tests.playbook import Playbook, given

AN_HOUR_S = 3_600
RING_S = 15


def arrives(n: int = 1, hotline: str = SALES, caller: str = STRANGER, name: str = "") -> CallArrived:
    return CallArrived(f"1.{n}", hotline, caller, name)


def leaves(n: int = 1) -> CallGone:
    return CallGone(f"1.{n}")


def rings(n: int = 1, leg: int = 1) -> LegRinging:
    return LegRinging(f"1.{n}", f"1.{n}.a{leg}")


def answers(n: int = 1, leg: int = 1, kind: str = "a") -> LegAnswered:
    return LegAnswered(f"1.{n}", f"1.{n}.{kind}{leg}")


def leg_gone(n: int = 1, leg: int = 1, cause: int = 16, tech: int | None = None, kind: str = "a") -> LegGone:
    return LegGone(f"1.{n}", f"1.{n}.{kind}{leg}", cause, tech)


def busy(n: int = 1, leg: int = 1) -> LegGone:
    return leg_gone(n, leg, 17, 486)


def declines(n: int = 1, leg: int = 1) -> LegGone:
    return leg_gone(n, leg, 21, 603)


def played(n: int = 1, playback: int = 1, ok: bool = True) -> PlaybackEnded:
    return PlaybackEnded(f"1.{n}", f"1.{n}.pb{playback}", ok)


def status(agent: str, word: str, reason: str = "") -> AgentStatusAsked:
    return AgentStatusAsked(agent, word, reason)


def caller_seen(n: int = 1, hotline: str = SALES, state: str = "up", ours: bool = True) -> ChannelSeen:
    return ChannelSeen(f"1.{n}", "viettel", state, ours, hotline, STRANGER, "", "inbound")


def leg_seen(leg: str, endpoint: str, state: str = "up") -> ChannelSeen:
    return ChannelSeen(leg, endpoint, state, ours=True, role="leg")


def own_seen(channel: str, endpoint: str, state: str = "up") -> ChannelSeen:
    return ChannelSeen(channel, endpoint, state, ours=False, role="other")


def snapshot(
    *channels: ChannelSeen,
    bridges: dict[str, tuple[str, ...]] | None = None,
    phones: tuple[str, ...] = (),
    dead: tuple[str, ...] = (),
    boot: str = "boot 1",
    asked_at_ms: int | None = None,
) -> SnapshotTaken:
    """What Asterisk has; an audit when it was asked for at a time. `phones` are reachable, `dead` ones are not."""
    endpoints = [EndpointSeen(p, True, tuple(c.id for c in channels if c.endpoint == p)) for p in phones]
    endpoints += [EndpointSeen(p, False) for p in dead]
    seen = tuple(BridgeSeen(name, members) for name, members in (bridges or {}).items())
    return SnapshotTaken(boot, channels, seen, tuple(endpoints), asked_at_ms)


def ringing(*names: str, **queue: object) -> Playbook:
    """Call 1 rings at the first of these agents (`an` and `binh`), at one second."""
    found = names or ("an", "binh")
    book = given(small(*found, ring_time=RING_S, **queue)).available(*found)
    return book.when(arrives(), at=0).when(rings(), at=1)
