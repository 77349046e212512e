"""What is sent to Asterisk: every command, and that no text whatever can say more than it should."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.ari.operation import Operation, as_text
from controller.ari.requests import OPERATIONS, Ask, Wait, plan, undo
from controller.core import commands as do
from controller.core.alphabets import FILE, NAME
from controller.core.setup import Setup
from tests.wire.ari_commands import BRIDGE, CALL, CLICK, COMMANDS, FORWARD, LEG, RING
from tests.wire.ari_models import HOSTILE

pytestmark = pytest.mark.wire


def asked(command: do.Command) -> list[tuple[str, dict[str, object]]]:
    return [(ask.operation, ask.parameters) for ask in plan(command, "tongdai")]


def test_a_call_is_taken_over_before_it_is_answered():
    """The dialplan lets it wait for us ten seconds; asked later, a playback could hold the request back."""
    (first, limit), (second, _) = asked(do.Answer(CALL, "x"))
    assert (first, second) == ("channels.setChannelVar", "channels.answer")
    assert limit == {"channelId": CALL, "variable": "TIMEOUT(absolute)", "value": "14400"}


def test_every_command_for_the_telephone_has_a_plan():
    for command in COMMANDS:
        assert plan(command, "tongdai")
    others = {do.ReplyTrunks, do.RingBell}
    assert {type(command) for command in COMMANDS} | others == set(do.Command.__args__)


def test_what_plans_use_is_what_is_looked_for_at_start():
    for command in COMMANDS:
        for ask in (*plan(command, "tongdai"), *undo(command)):
            assert set(ask.parameters) <= set(OPERATIONS[ask.operation])


def test_a_command_that_is_not_for_the_telephone_is_refused():
    with pytest.raises(ValueError, match="ReplyTrunks"):
        plan(do.ReplyTrunks(CALL, "x", None, "closed", 0), "tongdai")


def test_a_phone_that_will_dial_is_rung_by_a_channel_that_enters_the_dial_path():
    (ask,) = plan(CLICK, "tongdai")
    assert (ask.operation, ask.done) == ("channels.originateWithId", {409})
    assert ask.parameters == {
        "channelId": "click-9f.1",
        "endpoint": "PJSIP/an",
        "context": "tongdai-clicked",
        "extension": "s",
        "priority": 1,
        "callerId": "<0987654321>",
        "timeout": 30,
        "variables": {"TD_DIALLED": "0987654321", "TD_VIA": "auto.north"},
    }


@pytest.mark.parametrize("wrong", [{"dialled": "1&PJSIP/x"}, {"dialled": ""}, {"via": "a,b"}, {"via": "${X}"}])
def test_a_phone_is_never_rung_for_what_is_no_number_or_hotline(wrong):
    with pytest.raises(ValueError, match="characters that may not be sent"):
        plan(replace(CLICK, **wrong), "tongdai")


def test_an_agent_is_rung_in_two_steps_and_the_name_is_known_before_the_request():
    create, dial = plan(RING, "tongdai")
    assert create.wait == Wait("entered", LEG, 1.0)
    assert create.done == {409}
    assert create.parameters == {
        "endpoint": "PJSIP/an",
        "app": "tongdai",
        "appArgs": "leg",
        "channelId": LEG,
        "originator": CALL,
        "variables": {"CONNECTEDLINE(num,i)": "0912345678", "CONNECTEDLINE(name,i)": "Nguyễn An"},
    }
    assert dial == Ask("channels.dial", {"channelId": LEG, "timeout": 15}, frozenset({409}))
    assert undo(RING)[0].operation == "channels.hangup"


def test_an_anonymous_caller_is_shown_as_nobody():
    create, _ = plan(replace(RING, caller="", caller_name="An"), "tongdai")
    assert create.parameters["variables"] == {}


def test_a_phone_is_rung_by_a_trunk():
    create, _ = plan(FORWARD, "tongdai")
    assert create.parameters["endpoint"] == "PJSIP/0987654321@viettel-1"
    assert create.parameters["variables"] == {"CONNECTEDLINE(num,i)": "+842473001001"}


def test_music_ends_before_two_are_joined():
    assert asked(do.Join(CALL, "x", LEG, BRIDGE)) == [
        ("channels.stopMoh", {"channelId": CALL}),
        ("bridges.createWithId", {"bridgeId": BRIDGE, "type": "mixing"}),
        ("bridges.addChannel", {"bridgeId": BRIDGE, "channel": [CALL, LEG]}),
    ]


def test_a_prompt_is_stopped_and_waited_for():
    (ask,) = plan(do.StopPlay(CALL, "x", f"{CALL}.pb1"), "tongdai")
    assert (ask.done, ask.wait) == ({404}, Wait("finished", f"{CALL}.pb1", 1.0))


def test_what_is_gone_already_is_done():
    for command in (do.HangUp(CALL, "x", LEG), do.CloseBridge(CALL, "x", BRIDGE), do.StopMusic(CALL, "x")):
        assert 404 in plan(command, "tongdai")[0].done


def test_an_outbound_call_is_recorded_by_a_listener():
    snoop, record = plan(do.RecordOutbound(CALL, "x", f"{CALL}.sn", "calls/a"), "tongdai")
    assert snoop.parameters["spy"] == "both"
    assert snoop.wait == Wait("entered", f"{CALL}.sn", 1.0)
    assert record.parameters == {"channelId": f"{CALL}.sn", "name": "calls/a", "format": "wav", "ifExists": "fail"}


# -- nothing hostile in a dial string, a path or a file name ---------------------------------------------------------

ANY = st.text(max_size=60) | st.sampled_from(HOSTILE)
DIAL_STRING = re.compile(r"PJSIP/(?:\+?[0-9*#]{1,31}@)?[A-Za-z0-9_.-]{1,80}")


@settings(deadline=None)
@given(endpoint=ANY, number=ANY, caller=ANY, name=ANY)
@example(endpoint="x&PJSIP/viettel-1/1900", number="1", caller="1", name="")
@example(endpoint="viettel-1", number="500&PJSIP/x/1900", caller="1", name="")
@example(endpoint="an\r\n", number="1\n", caller="1\r\n", name="a\r\nb")
@example(endpoint="an", number="0987654321", caller="1234", name="${SHELL(id)}")
def test_a_dial_string_says_one_thing_or_nothing(endpoint, number, caller, name):
    for command in (
        replace(RING, endpoint=endpoint, caller=caller, caller_name=name),
        replace(FORWARD, endpoint=endpoint, number=number, caller_id=caller),
    ):
        try:
            create, _ = plan(command, "tongdai")
        except ValueError:
            continue
        assert DIAL_STRING.fullmatch(str(create.parameters["endpoint"]))
        variables = create.parameters["variables"]
        assert isinstance(variables, dict)
        assert re.fullmatch(r"[0-9+*#]{0,32}", variables.get("CONNECTEDLINE(num,i)", ""))
        assert variables.get("CONNECTEDLINE(name,i)", "x").isprintable()


@pytest.mark.parametrize("name", ["a,b", "a\nb", "../x", "a/../b", "", "a//b", "x" * 300, "a\x00", ".hidden", "a&b"])
def test_a_file_name_stays_in_its_place(name):
    with pytest.raises(ValueError, match="may not be sent"):
        plan(do.Play(CALL, "x", f"{CALL}.pb1", (name,), "vi"), "tongdai")
    with pytest.raises(ValueError, match="may not be sent"):
        plan(do.Record(CALL, "x", BRIDGE, name), "tongdai")


@settings(deadline=None)
@given(name=st.from_regex(NAME.pattern, fullmatch=True), file=st.from_regex(FILE.pattern, fullmatch=True))
def test_what_a_setup_may_say_can_be_sent(name, file):
    for command in (
        replace(RING, endpoint=name),
        replace(FORWARD, endpoint=name),
        do.StartMusic(CALL, "x", name),
        do.Play(CALL, "x", f"{CALL}.pb1", (file,), "vi"),
    ):
        assert plan(command, "tongdai")


@pytest.mark.parametrize(
    "command",
    [
        do.Answer("1/../../bridges", "x"),
        do.HangUp(CALL, "x", "a\r\nDELETE /ari"),
        do.HangUp(CALL, "x", LEG, 999),
        do.Play(CALL, "x", f"{CALL}.pb1", (), "vi"),
        do.Play(CALL, "x", f"{CALL}.pb1", ("a",), "vi&x=1"),
        do.StartMusic(CALL, "x", "a b"),
        do.RecordMessage(CALL, "x", "voicemail/a", -1),
        replace(RING, timeout_s=10**6),
        replace(RING, leg="x y"),
    ],
)
def test_what_may_not_be_sent_is_not(command):
    with pytest.raises(ValueError, match=r"may not be sent|expected|nothing"):
        plan(command, "tongdai")


# -- the encoder -------------------------------------------------------------------------------------------------------

ROWS = [
    {"name": "channelId", "paramType": "path", "dataType": "string", "required": True},
    {"name": "media", "paramType": "query", "dataType": "string"},
    {"name": "beep", "paramType": "query", "dataType": "boolean"},
    {"name": "timeout", "paramType": "query", "dataType": "int"},
    {"name": "variables", "paramType": "body", "dataType": "containers"},
]
OPERATION = Operation("channels.odd", "POST", "/ari/channels/{channelId}/odd", ROWS)
FILTER = Operation(
    "applications.filter", "PUT", "/ari/x", [{"name": "filter", "paramType": "body", "dataType": "object"}]
)


@settings(deadline=None)
@given(channel=st.text(min_size=1), media=st.lists(st.text()), value=st.text())
@example(channel="a/b?c#d%2e", media=["a,b", "\r\n"], value="\r\n\0")
@example(channel="\ud800", media=[], value="")
def test_one_request_is_read_back_as_it_was_meant(channel, media, value):
    given_ = {"channelId": channel, "media": media, "beep": True, "timeout": 5, "variables": {"X": value}}
    try:
        method, target, body = OPERATION.encode(given_)
    except ValueError:
        assert any("\ud800" <= c <= "\udfff" for c in channel + "".join(media))
        return
    assert method == "POST"
    assert re.fullmatch(r"[A-Za-z0-9_.~%/?&=-]+", target)
    parts = urlsplit(target)
    assert [unquote(piece) for piece in parts.path.split("/")] == ["", "ari", "channels", channel, "odd"]
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    assert query == {"media": ",".join(media), "beep": "true", "timeout": "5"}
    assert json.loads(body) == {"variables": {"X": value}}
    assert not set(b"\r\n\0") & set(body)


def test_an_event_filter_is_the_body_itself():
    assert FILTER.encode({"filter": {"allowed": []}}) == ("PUT", "/ari/x", b'{"allowed": []}')


def test_an_unknown_or_missing_parameter_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="no parameter 'chanelId'"):
        OPERATION.encode({"chanelId": "1"})
    with pytest.raises(TypeError, match="needs the parameter 'channelId'"):
        OPERATION.encode({"media": ["a"]})
    with pytest.raises(TypeError, match="cannot stand in a URL"):
        as_text({"a": 1})


def test_left_out_is_left_out():
    assert OPERATION.encode({"channelId": "1", "beep": None}) == ("POST", "/ari/channels/1/odd", b"")


def test_a_setup_is_not_a_command():
    with pytest.raises(ValueError, match="Setup"):
        plan(Setup(), "tongdai")
