"""Found: a message that came late, twice, or about something else was taken at its word."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import HangUp, RecordMessage, StopMusic
from controller.core.events import (
    CommandFailed,
    DigitPressed,
    HangupAsked,
    MessageRecorded,
    OutboundAsked,
    OutboundNextAsked,
    PhoneChannel,
)
from controller.core.facts import CallAnswered, CallEnded, CallStarted, MenuChosen
from controller.core.model import AgentPhase
from controller.core.setup import Hotline, Menu, Setup, Way, WayKind
from tests.core.setups import NEVER, SALES, small
from tests.core.words import arrives, leaves, played, rings, status
from tests.playbook import a, given, never

pytestmark = pytest.mark.pure


def voicemail() -> Setup:
    setup = small("an")
    row = replace(setup.hotlines[0], hours="never", closed=Way(WayKind.VOICEMAIL))
    return replace(setup, hotlines=(row,), schedules=(NEVER,))


def test_an_arrival_repeated_after_the_end_began_a_ghost() -> None:
    """A second record with the same id, and a caller in the queue whom nobody could hear."""
    book = given(small("an")).available("an").when(arrives()).when(leaves()).when(arrives()).then(never(CallStarted))
    assert not book.world.calls


def test_a_slow_ring_command_left_a_phone_ringing_for_nobody() -> None:
    """It was taken for one that had never been carried out."""
    book = given(small("an")).available("an").when(arrives())
    book.when(CommandFailed("1.1", "RingAgent", "1.1.a1", "too slow")).then(a(HangUp, channel="1.1.a1"))


def test_a_ring_command_that_failed_late_set_a_good_phone_aside_for_a_minute() -> None:
    book = given(small("an")).available("an").when(arrives()).when(leaves())
    book.when(CommandFailed("1.1", "RingAgent", "1.1.a1", "no")).passes(6)
    assert book.states() == {"an": "ready"}


@pytest.mark.parametrize("command", ["HangUp", "Join"])
def test_a_hang_up_that_failed_freed_an_agent_whose_phone_still_rang(command: str) -> None:
    book = given(small("an")).available("an").when(arrives()).when(rings()).when(HangupAsked("1.1"))
    book.when(CommandFailed("1.1", command, "1.1.a1", "too slow"))
    assert book.agent("an").phase is AgentPhase.RELEASING


def test_the_end_of_no_prompt_began_a_second_recording() -> None:
    book = given(voicemail()).when(arrives()).when(played())
    book.when(replace(played(), playback="")).then(never(RecordMessage))


def test_the_end_of_an_older_message_ended_the_call() -> None:
    book = given(voicemail()).when(arrives())
    book.when(MessageRecorded("1.1", "voicemail/1.1")).then(never(HangUp))


def test_a_message_that_failed_was_in_the_history_all_the_same() -> None:
    book = given(voicemail()).when(arrives()).when(played()).when(MessageRecorded("1.1", "voicemail/1.1", ok=False))
    book.when(leaves()).then(a(CallEnded, recording=""))


def test_the_announcement_that_no_trunk_is_left_was_taken_for_an_answer() -> None:
    book = given(small("an")).when(OutboundAsked("1.9", "an", "0967123456"))
    for _ in range(2):
        book.when(OutboundNextAsked("1.9", "CONGESTION", 34))
    book.when(PhoneChannel("an", "1.9", "up")).then(never(CallAnswered))


def test_the_music_of_the_queue_played_on_beneath_the_menu() -> None:
    setup = small("an", max_wait=10, on_max_wait=Way(WayKind.MENU, "main"))
    book = given(replace(setup, menus=(Menu("main", "welcome"),))).when(status("an", "not_ready")).when(arrives())
    book.passes(10).then(a(StopMusic))


def test_the_key_that_repeats_used_up_the_patience_for_wrong_keys() -> None:
    setup = small("an")
    menu = Menu("main", "welcome", keys=(("9", Way(WayKind.REPEAT)),), on_timeout=Way())
    setup = replace(setup, menus=(menu,), hotlines=(Hotline(SALES, menu="main"),))
    book = given(setup).when(arrives())
    for _ in range(5):
        book.when(DigitPressed("1.1", "9"))
    book.when(DigitPressed("1.1", "5")).then(a(MenuChosen, key="5", way="repeat"))
