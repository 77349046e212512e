"""Menus: prompt, keys, barge-in, time, wrong keys, circles, and every place a key can lead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.commands import Answer, HangUp, Play, RingAgent, RingPhone, StartMusic, StopMusic, StopPlay
from controller.core.events import CommandFailed, DigitPressed, SetupChanged
from controller.core.facts import CallEnded, CallQueued, CallRouted, MenuChosen, MenuEntered
from controller.core.menu import HOPS_MAX, WRONG_MAX
from controller.core.model import Phase
from controller.core.setup import Hotline, Menu, Setup, Way, WayKind
from controller.core.ways import PROMPT_MAX_MS
from tests.core.setups import SALES, small
from tests.core.words import arrives, leaves, played, status
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

KEYS = (
    ("1", Way(WayKind.QUEUE, "sales")),
    ("2", Way(WayKind.MENU, "second")),
    ("3", Way(WayKind.PHONE, "0912345678")),
    ("4", Way(WayKind.VOICEMAIL)),
    ("9", Way(WayKind.REPEAT)),
    ("0", Way()),
    ("#", Way(play="goodbye")),
)


def menus(*more: Menu, **main: object) -> Setup:
    setup = small("an")
    first = replace(Menu("main", "welcome", keys=KEYS, on_timeout=Way(WayKind.QUEUE, "sales")), **main)
    hotline = Hotline(SALES, menu="main", trunk="v1", carrier="viettel", outbound=True)
    return replace(setup, hotlines=(hotline,), menus=(first, Menu("second", "second"), *more))


def at_menu(setup: Setup | None = None) -> Playbook:
    return given(setup or menus()).available("an").when(arrives())


def press(book: Playbook, *keys: str) -> Playbook:
    for key in keys:
        book.when(DigitPressed("1.1", key))
    return book


def test_a_caller_is_answered_and_hears_the_prompt() -> None:
    book = at_menu().only(a(Answer), a(Play, media=("welcome",), playback="1.1.pb1", language="vi"))
    book.then(a(MenuEntered, menu="main", loop=1))


def test_the_time_for_a_key_begins_when_the_prompt_ends() -> None:
    book = at_menu(menus(timeout=5)).passes(20).then(never(MenuChosen))
    book.when(played()).passes(4.9).then(never(MenuChosen))
    book.passes(0.1).then(a(MenuChosen, key="", way="queue sales"), a(CallQueued))


def test_a_prompt_whose_end_is_never_told_ends_all_the_same() -> None:
    book = at_menu().passes(PROMPT_MAX_MS / 1000).only(a(StopPlay, playback="1.1.pb1"))
    book.passes(5).then(a(MenuChosen, key=""))


def test_a_key_during_the_prompt_stops_it_first() -> None:
    book = press(at_menu(), "1")
    book.only(a(StopPlay, playback="1.1.pb1"), a(StartMusic), a(RingAgent)).then(a(MenuChosen, key="1"))


def test_without_barge_in_keys_count_after_the_prompt() -> None:
    book = press(at_menu(menus(barge_in=False)), "1").only()
    press(book.when(played()), "1").then(a(MenuChosen, key="1"), a(CallQueued))


@pytest.mark.parametrize(
    ("key", "phase", "way"),
    [
        ("1", Phase.WAITING, "queue sales"),
        ("2", Phase.MENU, "menu second"),
        ("3", Phase.FORWARDING, "phone 0912345678"),
        ("4", Phase.VOICEMAIL, "voicemail"),
        ("0", Phase.ENDING, "hangup"),
        ("#", Phase.ANNOUNCING, "hangup"),
    ],
)
def test_a_key_leads_to_its_place(key: str, phase: Phase, way: str) -> None:
    book = press(at_menu(), key).then(a(MenuChosen, menu="main", key=key, way=way), a(CallRouted, way=way, why="menu"))
    assert book.call("1.1").phase is phase


def test_a_caller_who_hangs_up_in_a_menu_stopped_there() -> None:
    at_menu().when(leaves()).then(a(CallEnded, result="stopped_at_menu", end_cause="caller", queued_at_ms=None))


def test_a_key_that_hangs_up_stopped_at_the_menu() -> None:
    press(at_menu(), "0").when(leaves()).then(a(CallEnded, result="stopped_at_menu", end_cause="menu"))


def test_a_key_with_an_announcement_plays_it_first() -> None:
    book = press(at_menu(), "#").only(a(StopPlay), a(Play, media=("goodbye",), playback="1.1.pb2"))
    book.when(played(1, 2)).only(a(HangUp, channel="1.1"))


def test_the_phone_behind_a_key_is_rung_by_the_hotline() -> None:
    press(at_menu(), "3").then(a(RingPhone, number="0912345678", caller_id=SALES, endpoint="v1"))


def test_the_prompt_is_heard_so_many_times() -> None:
    book = at_menu(menus(loops=3))
    for loop in (2, 3):
        book.when(played(1, loop - 1)).passes(5).then(a(MenuEntered, loop=loop), a(Play, playback=f"1.1.pb{loop}"))
    book.when(played(1, 3)).passes(5).then(a(MenuChosen, key=""), a(CallQueued))


def test_no_key_and_nothing_configured_for_it_ends_the_call() -> None:
    book = at_menu(menus(on_timeout=Way(WayKind.REPEAT))).when(played()).passes(5)
    book.then(a(MenuChosen, key="", way="hangup"), a(HangUp))


def test_a_wrong_key_plays_the_prompt_again_without_using_up_a_loop() -> None:
    book = press(at_menu(), "7").only(a(StopPlay), a(Play, playback="1.1.pb2"))
    book.then(a(MenuChosen, key="7", way="repeat"), a(MenuEntered, loop=1))


def test_after_so_many_wrong_keys_one_counts_as_none() -> None:
    book = press(at_menu(), *"7" * WRONG_MAX).then(a(MenuChosen, way="repeat"))
    press(book, "7").then(a(MenuChosen, key="", way="queue sales"), a(CallQueued))


def test_a_wrong_key_may_have_a_way_of_its_own() -> None:
    press(at_menu(menus(on_invalid=Way(WayKind.VOICEMAIL))), "7").then(a(MenuChosen, key="7", way="voicemail"))


def test_the_key_that_repeats_is_no_wrong_key() -> None:
    book = press(at_menu(), *"9" * 10).then(a(MenuChosen, key="9", way="repeat"))
    press(book, "7").then(a(MenuChosen, key="7", way="repeat"))


def test_a_menu_without_a_prompt_waits_for_a_key_at_once() -> None:
    book = at_menu(menus(play="")).only(a(Answer))
    book.passes(5).then(a(MenuChosen, key=""))


def test_menus_in_a_circle_let_the_caller_go_in_the_end() -> None:
    circle = Menu("second", "second", keys=(("1", Way(WayKind.MENU, "main")),))
    setup = menus(keys=(("1", Way(WayKind.MENU, "second")),))
    book = at_menu(replace(setup, menus=(setup.menus[0], circle)))
    press(book, *"1" * (HOPS_MAX - 1)).then(a(MenuEntered))
    press(book, "1").then(a(HangUp), never(MenuEntered)).when(leaves()).then(a(CallEnded, end_cause="menu"))


def test_a_prompt_that_cannot_be_played_is_over() -> None:
    book = at_menu().when(CommandFailed("1.1", "Play", "1.1.pb1", "no such sound"))
    book.passes(5).then(a(MenuChosen, key=""))


@pytest.mark.parametrize("playback", ["1.1.pb7", "", "other"])
def test_the_end_of_another_prompt_says_nothing(playback: str) -> None:
    book = at_menu().when(replace(played(), playback=playback)).passes(60).then(never(MenuChosen))
    press(book, "9").when(played(1, 1)).passes(60).then(never(MenuChosen))


def test_keys_in_floods_end_somewhere() -> None:
    book = at_menu()
    press(book, *("5*7#A" * 200))
    assert book.call("1.1").phase is not Phase.MENU
    assert book.call("1.1").plays < 10


def test_a_menu_that_was_removed_lets_go_whoever_listens() -> None:
    def removed() -> Playbook:
        setup = menus()
        return at_menu(setup).when(SetupChanged(replace(setup, menus=())))

    press(removed(), "1").only(a(HangUp))
    removed().when(played()).only(a(HangUp))
    book = at_menu().when(played())
    book.when(SetupChanged(replace(menus(), menus=()))).passes(5).only(a(HangUp))
    given(replace(menus(), menus=())).when(arrives()).only(a(HangUp))


def test_a_queue_may_lead_to_a_menu_and_its_music_falls_silent() -> None:
    setup = menus()
    queue = replace(setup.queues[0], on_max_wait=Way(WayKind.MENU, "second"), max_wait=10)
    book = at_menu(replace(setup, queues=(queue,))).when(status("an", "not_ready"))
    press(book, "1").passes(10).only(a(StopMusic), a(Play, media=("second",)))
    book.then(a(CallRouted, why="max_wait"), a(MenuEntered, menu="second"))
    book.when(leaves()).then(a(CallEnded, result="missed", queue="sales"))


def test_another_prompt_that_cannot_be_played_says_nothing_about_this_one() -> None:
    book = press(at_menu(), "9").when(CommandFailed("1.1", "Play", "1.1.pb1", "it was stopped")).passes(60)
    book.then(never(MenuChosen))
    assert book.call("1.1").prompt == "1.1.pb2"
