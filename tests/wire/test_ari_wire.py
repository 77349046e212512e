"""The reader of the event stream: what real messages mean, and that no message whatever makes it raise."""

from __future__ import annotations

import json
import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.ari.notices import Entered, Finished, Left, Odd, Replaced
from controller.ari.wire import CALLERS_MAX, ECHOES_MAX, READERS, WANTED, Ears
from controller.core.events import (
    CallArrived,
    CalleeAnswered,
    CallGone,
    DigitPressed,
    HoldChanged,
    LegAnswered,
    LegGone,
    LegRinging,
    MessageRecorded,
    PhoneChanged,
    PhoneChannel,
    PlaybackEnded,
)
from tests.wire import ari_models
from tests.wire.ari_checks import check

pytestmark = pytest.mark.wire

CALL = "1795369149.0"
LEG = f"{CALL}.a1"
FOREIGN = "1795369149.7"


def channel(name: str, at: str = "PJSIP/cl-00000000", **more: object) -> dict[str, object]:
    return {"id": name, "name": at, "state": "Up", "caller": {"number": "0912345678", "name": "An"}, **more}


def said(kind: str, **body: object) -> str:
    return json.dumps({"type": kind, "application": "tongdai", "timestamp": str(next(TICK)), **body})


TICK = iter(range(10**9))


@pytest.fixture
def ears() -> Ears:
    return Ears("tongdai", frozenset({"an"}))


def arrive(ears: Ears, name: str = CALL, at: str = "PJSIP/cl-00000000") -> tuple[object, ...]:
    return ears.hear(said("StasisStart", args=["inbound", "+842473001001"], channel=channel(name, at)))


# -- what messages mean ------------------------------------------------------------------------------------------------


def test_a_caller_arrives(ears):
    assert arrive(ears) == (CallArrived(CALL, "+842473001001", "0912345678", "An"),)


def test_what_a_caller_says_of_itself_is_cut_to_its_alphabet(ears):
    caller = {"number": "500&PJSIP/x/1900", "name": "\u202eA\r\nn\x00<b>" + "x" * 100}
    body = channel(CALL, caller=caller)
    (arrived,) = ears.hear(said("StasisStart", args=["inbound", "+842473001001"], channel=body))
    assert arrived.caller == ""
    assert arrived.caller_name == "A n<b>" + "x" * 58


def test_our_own_channel_in_the_application_is_a_notice_not_a_call(ears):
    assert ears.hear(said("StasisStart", args=["leg"], channel=channel(LEG))) == (Entered(LEG),)
    assert ears.hear(said("StasisStart", args=["inbound", "1"], channel=channel(LEG))) == (Entered(LEG),)


def test_a_channel_that_does_not_say_what_it_wants_is_odd(ears):
    assert ears.hear(said("StasisStart", args=[], channel=channel(CALL))) == (Odd("stasis_args"),)
    assert ears.hear(said("StasisStart", args=["inbound", "1"], channel=channel("no dots"))) == (Odd("channel_id"),)


def test_a_caller_leaves_once_whatever_tells_it_first(ears):
    arrive(ears)
    assert ears.hear(said("StasisEnd", channel=channel(CALL))) == (CallGone(CALL),)
    assert ears.hear(said("ChannelDestroyed", cause=16, channel=channel(CALL))) == ()
    arrive(ears)
    assert ears.hear(said("ChannelDestroyed", cause=16, channel=channel(CALL))) == (CallGone(CALL, 16),)
    assert CALL not in ears.callers


def test_the_cause_of_a_caller_may_come_only_with_the_request_to_hang_up(ears):
    arrive(ears)
    assert ears.hear(said("ChannelHangupRequest", cause=127, tech_cause=487, channel=channel(CALL))) == ()
    assert ears.hear(said("StasisEnd", channel=channel(CALL))) == (CallGone(CALL, 127, 487),)


def test_our_own_hanging_up_is_a_flag_and_no_cause(ears):
    arrive(ears)
    ears.hear(said("ChannelHangupRequest", cause=32, soft=True, channel=channel(CALL)))
    assert ears.hear(said("StasisEnd", channel=channel(CALL))) == (CallGone(CALL, 0, None),)


def test_a_caller_from_before_the_connect_is_heard_leaving(ears):
    assert ears.hear(said("StasisEnd", channel=channel(CALL))) == (CallGone(CALL),)
    assert ears.hear(said("ChannelDestroyed", cause=16, channel=channel("9.9"))) == (CallGone("9.9", 16),)


@pytest.mark.parametrize("kind", ["a1", "p1"])
def test_a_leg_rings_is_answered_and_goes(ears, kind):
    leg = f"{CALL}.{kind}"
    assert ears.hear(said("ChannelStateChange", channel=channel(leg, state="Ringing"))) == (LegRinging(CALL, leg),)
    assert ears.hear(said("ChannelStateChange", channel=channel(leg))) == (LegAnswered(CALL, leg),)
    gone = ears.hear(said("ChannelDestroyed", cause=17, tech_cause=486, channel=channel(leg)))
    assert gone == (Left(leg), LegGone(CALL, leg, 17, 486))


def test_a_leg_that_leaves_the_application_is_not_yet_gone(ears):
    assert ears.hear(said("StasisEnd", channel=channel(LEG))) == ()


def test_the_listening_channel_of_a_recording_is_no_leg(ears):
    snoop = f"{CALL}.sn"
    assert ears.hear(said("ChannelStateChange", channel=channel(snoop))) == ()
    assert ears.hear(said("ChannelDestroyed", cause=16, channel=channel(snoop))) == (Left(snoop),)


def test_keys_are_the_callers_only(ears):
    arrive(ears)
    assert ears.hear(said("ChannelDtmfReceived", digit="5", channel=channel(CALL))) == (DigitPressed(CALL, "5"),)
    assert ears.hear(said("ChannelDtmfReceived", digit="5", channel=channel(LEG))) == ()
    assert ears.hear(said("ChannelDtmfReceived", digit="5", channel=channel(FOREIGN, "PJSIP/an-00000001"))) == ()
    assert ears.hear(said("ChannelDtmfReceived", digit="55", channel=channel(CALL))) == (Odd("digit"),)


def test_what_an_agent_dials_was_answered(ears):
    dials = {"caller": channel("click-9f.1", "PJSIP/an-00000001"), "peer": channel("9.9", "PJSIP/viettel-1-00000002")}
    assert ears.hear(said("Dial", **dials, dialstatus="ANSWER")) == (CalleeAnswered("click-9f.1"),)
    assert ears.hear(said("Dial", **dials, dialstatus="RINGING")) == ()
    strange = {"caller": channel(CALL), "peer": channel(f"{CALL}.a1", "PJSIP/an-00000001")}
    assert ears.hear(said("Dial", **strange, dialstatus="ANSWER")) == ()
    assert ears.hear(said("Dial", peer=channel(f"{CALL}.a1"), dialstatus="ANSWER")) == ()


def test_whose_phone_holds_is_told_by_its_channel(ears):
    arrive(ears)
    assert ears.hear(said("ChannelHold", channel=channel(LEG))) == (HoldChanged(CALL, LEG, True),)
    assert ears.hear(said("ChannelUnhold", channel=channel(LEG))) == (HoldChanged(CALL, LEG, False),)
    assert ears.hear(said("ChannelHold", channel=channel(CALL))) == (HoldChanged(CALL, CALL, True),)
    assert ears.hear(said("ChannelHold", channel=channel(f"{CALL}.sn"))) == ()
    assert ears.hear(said("ChannelHold", channel={})) == (Odd("channel_id"),)


def test_a_message_told_twice_is_heard_once(ears):
    """A caller on a watched phone is told about by the application and by the endpoint, byte for byte the same."""
    arrive(ears, at="PJSIP/an-00000000")
    once = said("ChannelDtmfReceived", digit="5", channel=channel(CALL, "PJSIP/an-00000000"))
    between = said("ChannelDtmfReceived", digit="6", channel=channel(CALL, "PJSIP/an-00000000"))
    assert ears.hear(once) == (DigitPressed(CALL, "5"),)
    assert ears.hear(between) == (DigitPressed(CALL, "6"),)
    assert ears.hear(once) == ()


def test_prompts_end(ears):
    playback = {"id": f"{CALL}.pb3", "state": "done"}
    ended = (Finished(f"{CALL}.pb3"), PlaybackEnded(CALL, f"{CALL}.pb3", ok=True))
    assert ears.hear(said("PlaybackFinished", playback=playback)) == ended
    failed = ears.hear(said("PlaybackFinished", playback={**playback, "state": "failed"}))
    assert failed[1] == PlaybackEnded(CALL, f"{CALL}.pb3", ok=False)
    assert ears.hear(said("PlaybackFinished", playback={"id": "somebody-elses", "state": "done"})) == ()


def test_a_message_was_left(ears):
    recording = {"name": f"voicemail/{CALL}", "target_uri": f"channel:{CALL}", "duration": 12}
    heard = ears.hear(said("RecordingFinished", recording=recording))
    assert heard == (MessageRecorded(CALL, f"voicemail/{CALL}", 12, ok=True),)
    assert ears.hear(said("RecordingFailed", recording=recording))[0].ok is False
    talk = {**recording, "name": f"calls/{CALL}", "target_uri": f"bridge:{CALL}.br"}
    assert ears.hear(said("RecordingFinished", recording=talk)) == ()


def endpoint(state: str, resource: str = "an") -> dict[str, object]:
    return {"technology": "PJSIP", "resource": resource, "state": state}


def test_a_phone_is_told_about_when_it_changes_and_not_each_time_a_channel_does(ears):
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("online"))) == (PhoneChanged("an", True),)
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("online"))) == ()
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("unknown"))) == ()
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("offline"))) == (PhoneChanged("an", False),)
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("online", "stranger"))) == ()


def test_a_contact_that_answers_again_is_a_sign_of_life(ears):
    ears.hear(said("EndpointStateChange", endpoint=endpoint("online")))
    alive = said("ContactStatusChange", endpoint=endpoint("online"), contact_info={"contact_status": "Reachable"})
    assert ears.hear(alive) == (PhoneChanged("an", True),)
    one_of_two_lost = {"contact_status": "Removed"}
    assert ears.hear(said("ContactStatusChange", endpoint=endpoint("online"), contact_info=one_of_two_lost)) == ()


def test_after_a_snapshot_the_next_word_about_a_phone_is_passed_on_where_it_may_be_news(ears):
    ears.hear(said("EndpointStateChange", endpoint=endpoint("online")))
    ears.agree("an", True)
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("online"))) == ()
    ears.agree("an", False)
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("online"))) == (PhoneChanged("an", True),)
    ears.forget()
    assert ears.hear(said("EndpointStateChange", endpoint=endpoint("online"))) == (PhoneChanged("an", True),)


def test_a_channel_of_somebody_else_on_a_watched_phone(ears):
    at = "PJSIP/an-00000004"
    made = ears.hear(said("ChannelCreated", channel=channel(FOREIGN, at, state="Ring")))
    assert made == (PhoneChannel("an", FOREIGN, "ring"),)
    up = ears.hear(said("ChannelStateChange", channel=channel(FOREIGN, at)))
    assert up == (PhoneChannel("an", FOREIGN, "up"),)
    gone = ears.hear(said("ChannelDestroyed", cause=16, channel=channel(FOREIGN, at)))
    assert gone == (PhoneChannel("an", FOREIGN, "gone", 16),)
    assert ears.hear(said("ChannelCreated", channel=channel("1.5", "PJSIP/trunk-00000001"))) == ()


def test_an_agent_who_calls_a_hotline_is_both_a_caller_and_a_busy_phone(ears):
    at = "PJSIP/an-00000004"
    ears.hear(said("ChannelCreated", channel=channel(CALL, at, state="Ring")))
    arrive(ears, at=at)
    assert ears.hear(said("ChannelStateChange", channel=channel(CALL, at))) == ()
    gone = ears.hear(said("ChannelDestroyed", cause=16, channel=channel(CALL, at)))
    assert gone == (CallGone(CALL, 16), PhoneChannel("an", CALL, "gone", 16))


def test_another_controller_took_over(ears):
    assert ears.hear(said("ApplicationReplaced")) == (Replaced(),)
    assert ears.hear(json.dumps({"type": "ApplicationReplaced", "application": "other"})) == ()


def test_callers_of_a_snapshot_are_known_and_newcomers_are_not_forgotten(ears):
    arrive(ears, "1.1")
    known_before = tuple(ears.callers)
    arrive(ears, "1.2")  # while the snapshot was under way
    ears.adopt({"1.3"}, known_before)
    assert set(ears.callers) == {"1.2", "1.3"}


def test_what_is_remembered_is_bounded(ears):
    for n in range(CALLERS_MAX + 10):
        ears.note_caller(f"1.{n}")
    for n in range(1000):
        ears.hear(said("ChannelVarset", n=n))
    assert len(ears.callers) == CALLERS_MAX
    assert len(ears._echoes) == ECHOES_MAX


def test_the_filter_lets_through_what_is_read_and_the_word_that_ends_our_lead():
    assert set(WANTED) <= set(READERS)
    assert "ApplicationReplaced" in WANTED
    assert "ChannelVarset" not in WANTED


# -- that nothing makes it raise -----------------------------------------------------------------------------------


@given(seed=st.integers(0, 2**48), kind=st.sampled_from(ari_models.EVENTS))
@settings(max_examples=1_000, deadline=None)
def test_every_model_and_its_mutations(seed, kind):
    """1,000 examples of 20 messages each, to one listener, so that what it remembers is mutated too."""
    rng = random.Random(seed)
    ears = Ears("tongdai", frozenset({"an", "binh"}))
    for n in range(20):
        raw = ari_models.mutated(kind if n % 2 else rng.choice(ari_models.EVENTS), rng)
        for item in ears.hear(raw):
            check(item)


KEYS = st.sampled_from(["id", "name", "caller", "number", "state", "args", "type", "cause", "resource", "technology"])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    LEAVES | st.sampled_from(ari_models.HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)
BODIES = st.sampled_from(["channel", "peer", "playback", "recording", "endpoint", "args", "digit", "cause"])


@given(kind=st.sampled_from(sorted(READERS)), body=st.dictionaries(BODIES, JSON, max_size=4))
@settings(max_examples=500, deadline=None)
def test_anything_that_is_json(kind, body):
    for item in Ears("tongdai", frozenset({"an"})).hear(json.dumps({"type": kind, **body})):
        check(item)


@given(raw=st.binary(max_size=300) | st.text(max_size=300))
@settings(max_examples=500, deadline=None)
def test_anything_that_is_not(raw):
    for item in Ears("tongdai").hear(raw):
        check(item)


@pytest.mark.parametrize(
    "raw",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": "StasisStart", "channel": ' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"type": "StasisStart", "cause": ' + "9" * 1_000_000 + "}",
        '{"type": NaN}',
        '{"type": ["StasisStart"]}',
        '{"type": {"a": 1}}',
        b"\xff\xfe\x00",
        "\ufeff{}",
        "null",
        "",
    ],
    ids=["lists", "objects", "nested-body", "huge-int", "nan", "list", "object", "bytes", "bom", "null", "empty"],
)
def test_monsters(raw):
    assert all(isinstance(item, Odd) for item in Ears("tongdai").hear(raw))


def test_an_unknown_kind_is_counted(ears):
    assert ears.hear(said("ChannelAscended")) == (Odd("unknown_type"),)


def ordinary_and_spoilt() -> list[str | bytes]:
    rng = random.Random(1)
    kinds = [kind for kind in ari_models.EVENTS if kind in READERS]
    raws: list[str | bytes] = [json.dumps(ari_models.message(rng.choice(kinds), rng)) for _ in range(2_000)]
    return raws + [ari_models.mutated(rng.choice(kinds), rng) for _ in range(500)]


def test_reading_takes_some_milliseconds_at_most(ears):
    took = []  # processor time: the machine may be busy with others
    for raw in ordinary_and_spoilt():
        began = time.thread_time()
        ears.hear(raw)
        took.append(time.thread_time() - began)
    assert sorted(took)[int(len(took) * 0.99)] < 0.03, "a clock of threads may tick but a hundred times a second"


def test_reading_leaves_little_behind(ears):
    raws = ordinary_and_spoilt()
    tracemalloc.start()
    try:
        for raw in raws:
            ears.hear(raw)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5_000_000
