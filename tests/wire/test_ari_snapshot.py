"""What Asterisk has, read from its five lists."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.ari.snapshot import Lists, read
from controller.core.events import BridgeSeen, ChannelSeen, EndpointSeen, SnapshotTaken
from tests.wire.ari_models import instance, spoil

pytestmark = pytest.mark.wire

CALL = "1795369149.0"
CALLER = {
    "id": CALL,
    "name": "PJSIP/viettel-1-0000001c",
    "state": "Up",
    "caller": {"number": "0912345678", "name": "An\r\nagi_extension: 900"},
    "dialplan": {"app_name": "Stasis", "app_data": "tongdai,inbound,+842473001001"},
}
LEG = {"id": f"{CALL}.a1", "name": "PJSIP/an-0000001d", "state": "Ringing", "dialplan": {"app_name": "Stasis"}}
OTHER = {"id": "1795369150.4", "name": "PJSIP/binh-0000001e", "state": "Up", "dialplan": {"app_name": "Dial"}}
APPLICATION = {"name": "tongdai", "channel_ids": [CALL, f"{CALL}.a1"], "bridge_ids": []}
INFO = {"system": {"entity_id": "02:fc"}, "status": {"startup_time": "2026-11-22T17:12:28.011+0000"}}


def seen(**lists: object) -> SnapshotTaken:
    whole = {"channels": [CALLER, LEG, OTHER], "bridges": [], "application": APPLICATION, "endpoints": [], "info": INFO}
    return read(Lists(**{**whole, **lists}), "tongdai", ("an", "binh"))


def test_callers_legs_and_strangers_are_told_apart():
    caller, leg, other = seen().channels
    assert caller == ChannelSeen(
        *(CALL, "viettel-1", "up", True, "+842473001001", "0912345678", "An agi_extension: 900", "inbound")
    )
    assert leg == ChannelSeen(f"{CALL}.a1", "an", "ring", True, role="leg")
    assert other == ChannelSeen("1795369150.4", "binh", "up", False, role="other")


def test_a_caller_that_left_our_application_is_not_ours():
    (caller, *_) = seen(application={**APPLICATION, "channel_ids": []}).channels
    assert (caller.ours, caller.role, caller.dialled) == (False, "other", "")


@pytest.mark.parametrize("data", ["other,inbound,1", "tongdai,leg", "tongdai", "", None, 5, ["tongdai"]])
def test_only_the_words_of_the_dialplan_make_a_caller(data):
    (caller,) = seen(channels=[{**CALLER, "dialplan": {"app_name": "Stasis", "app_data": data}}]).channels
    assert caller.role == "other"


def test_bridges_and_phones():
    phones = [
        {"technology": "PJSIP", "resource": "an", "state": "unknown", "channel_ids": [f"{CALL}.a1"]},
        {"technology": "PJSIP", "resource": "binh", "state": "offline", "channel_ids": []},
        {"technology": "PJSIP", "resource": "viettel-1", "state": "online", "channel_ids": [CALL]},
        {"technology": "SIP", "resource": "an", "state": "online", "channel_ids": []},
    ]
    taken = seen(bridges=[{"id": f"{CALL}.br", "channels": [CALL, f"{CALL}.a1"]}], endpoints=phones)
    assert taken.bridges == (BridgeSeen(f"{CALL}.br", (CALL, f"{CALL}.a1")),)
    assert taken.endpoints == (EndpointSeen("an", True, (f"{CALL}.a1",)), EndpointSeen("binh", False))


def test_another_start_of_asterisk_has_another_name():
    again = {**INFO, "status": {"startup_time": "2026-11-22T17:13:00.000+0000"}}
    assert seen().boot != seen(info=again).boot
    assert seen().boot == seen().boot != ""


@given(seed=st.integers(0, 2**48))
@settings(max_examples=300, deadline=None)
def test_no_reply_whatever_makes_it_raise(seed):
    rng = random.Random(seed)
    lists = Lists(
        channels=spoil([spoil(instance("Channel", rng, 0), rng) for _ in range(3)], rng),
        bridges=[spoil(instance("Bridge", rng, 0), rng), spoil({"id": CALL, "channels": [CALL, 5]}, rng)],
        application=spoil(APPLICATION, rng),
        endpoints=[spoil(instance("Endpoint", rng, 0), rng) for _ in range(3)],
        info=spoil(INFO, rng),
    )
    taken = read(lists, "tongdai", ("an",))
    assert all(channel.id for channel in taken.channels)
    assert all(phone.endpoint == "an" for phone in taken.endpoints)
