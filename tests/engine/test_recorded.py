"""What the journal keeps of events: no secret, no audit without news, of a snapshot what the core looks at."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from controller import recorded
from controller.core.events import BridgeSeen, ChannelSeen, EndpointSeen, LinkLost, SetupChanged, SnapshotTaken, Ticked
from controller.core.setup import AgentSetup, Phone, Setup, Webhook
from controller.core.step import step
from controller.core.world import World
from controller.ports import Line
from tests.core.setups import small

pytestmark = pytest.mark.pure

CALL, LEG = "1700000000.1", "1700000000.1.a1"
CALLER = ChannelSeen(CALL, "viettel", "up", True, "+842473001001", "0912345678", "Ân", "inbound")
OURS = ChannelSeen(LEG, "an", "up", True, role="leg")
THEIRS = ChannelSeen("1700000000.7", "an", "up", False, role="other")
SEEN = SnapshotTaken(
    "boot 1",
    (CALLER, OURS, THEIRS),
    (BridgeSeen(f"{CALL}.br", (CALL, LEG)), BridgeSeen("somebody's", ("1700000000.7",))),
    (EndpointSeen("an", True, (LEG, "1700000000.7")),),
    None,
    (EndpointSeen("viettel", False),),
)


def kept(event, world, *, in_effect=True, began=False):
    """An event on its way through a file."""
    found = recorded.written(event, world, in_effect=in_effect, began=began)
    if found is None:
        return None
    name, body = found
    return Line(*json.loads(json.dumps([1, "", "event", name, "", body])))


def test_a_snapshot_is_read_back_without_what_is_no_concern_of_ours():
    world = World(small("an"))
    again = recorded.read(kept(SEEN, world), world.setup)
    assert again == replace(SEEN, channels=(CALLER, OURS), bridges=SEEN.bridges[:1])


def test_the_core_decides_the_same_by_what_is_read_back():
    worlds = [World(small("an")), World(small("an"))]
    for world in worlds:
        step(world, SetupChanged(world.setup), 1_000)
    again = recorded.read(kept(SEEN, worlds[0]), worlds[0].setup)
    done = [step(world, event, 2_000) for world, event in zip(worlds, (SEEN, again), strict=True)]
    assert done[0] == done[1]
    assert done[0].commands
    assert worlds[0].calls[CALL].agent == "an"


def test_a_channel_of_a_call_of_ours_is_kept_whatever_its_name():
    """An agent's own channel carries Asterisk's name, and the call it makes."""
    world = World(small("an"))
    step(world, SetupChanged(world.setup), 1_000)
    step(world, SEEN, 2_000)
    adopted = world.calls[CALL]
    world.put(replace(adopted, id=THEIRS.id, direction="outbound", leg=""))
    assert THEIRS in recorded.read(kept(SEEN, world), world.setup).channels


def test_an_audit_or_a_deadline_from_which_nothing_followed_is_not_kept():
    world = World()
    for event in (SEEN, Ticked()):
        assert kept(event, world, in_effect=False) is None
        assert kept(event, world) is not None
    assert kept(LinkLost("cut"), world, in_effect=False) is not None


def test_of_a_setup_only_its_version_is_kept():
    secret = "Sup3r-s3cret"
    agent = AgentSetup("an", phone=Phone(user="an", password=secret), endpoint="an")
    setup = Setup(agents=(agent,), webhooks=(Webhook("w", "http://127.0.0.1/", secret=secret),), version=7)
    line = kept(SetupChanged(setup), World(setup), began=True)
    assert (line.body, recorded.version_of(line), recorded.begins(line)) == ({"version": 7, "began": True}, 7, True)
    assert recorded.read(line, setup) == SetupChanged(setup)
    assert not recorded.begins(kept(SetupChanged(setup), World(setup)))


def test_of_a_snapshot_beyond_measure_only_its_time_is_kept(monkeypatch):
    monkeypatch.setattr(recorded, "ROWS_MAX", 4)
    world = World(small("an"))
    line = kept(SEEN, world)
    assert line.body == {"boot": "boot 1", "asked_at_ms": None, "left_out": 5}
    assert recorded.read(line, world.setup) is None


@pytest.mark.parametrize(
    "body",
    [
        {"boot": 1},
        {"boot": "x", "channels": [["too short"]]},
        {"boot": "x", "endpoints": [7]},
        {"boot": "x", "a": 1},
        {},
    ],
)
def test_a_foreign_snapshot_is_no_event(body):
    assert recorded.read(Line(1, "", "event", "SnapshotTaken", "", body), Setup()) is None


def test_a_snapshot_of_two_hundred_talks_is_a_line_of_half_a_hundred_kilobytes():
    """And an audit that finds them as they should be is none."""
    world = World()
    channels, bridges, phones = [], [], []
    for n in range(200):
        call = f"1700000000.{n}"
        channels += [replace(CALLER, id=call, caller=f"02810{n:05d}"), replace(OURS, id=f"{call}.a1")]
        bridges.append(BridgeSeen(f"{call}.br", (call, f"{call}.a1")))
        phones.append(EndpointSeen(f"agent{n:03d}", True, (f"{call}.a1",)))
    line = kept(SnapshotTaken("boot", tuple(channels), tuple(bridges), tuple(phones)), world)
    assert len(json.dumps(line.body, separators=(",", ":"))) < 60_000
