"""The menu machine: a prompt, keys, a time limit, wrong keys, and how often each may happen.

    enter --play--> prompt runs --ended--> key awaited --time over--> again (while loops last) or `on_timeout`
    a key: on the menu -> its way; not on it -> `on_invalid`

The prompt is heard `loops` times in all when nobody presses a key. `repeat` after a wrong key plays the prompt again
without using up a loop, three times at most; after that a wrong key counts as no key. A caller who has been sent
through twenty menus is let go, and asking for the prompt again counts as one: setups may send menus in circles, calls
may not go round for ever.
"""

from __future__ import annotations

from controller.core import ending, facts, ways
from controller.core.events import DigitPressed
from controller.core.model import Call, Phase
from controller.core.setup import Menu, Way, WayKind
from controller.core.turn import Turn

HOPS_MAX = 20
WRONG_MAX = 3


def enter(turn: Turn, call: Call, name: str) -> None:
    """Put the caller before a menu."""
    menu = turn.setup.menu.get(name)
    if menu is None or call.hops >= HOPS_MAX:
        ending.hang_up(turn, call, "menu")
        return
    ways.stop_music(turn, call)
    call = ways.pick_up(turn, call)
    call = turn.change_call(
        call.id, phase=Phase.MENU, menu=name, loop=0, wrong=0, hops=call.hops + 1, answer_alert_at_ms=None
    )
    _speak(turn, call, menu, more=1)


def _speak(turn: Turn, call: Call, menu: Menu, more: int) -> None:
    call = turn.change_call(call.id, loop=call.loop + more)
    turn.say(facts.MenuEntered(call.id, menu.name, call.loop))
    if menu.play:
        ways.play(turn, call, (menu.play,))
    else:
        _await_key(turn, call, menu)


def _await_key(turn: Turn, call: Call, menu: Menu) -> None:
    turn.change_call(call.id, prompt="", prompt_until_ms=None, key_until_ms=turn.now_ms + 1000 * menu.timeout)


def prompt_over(turn: Turn, call: Call) -> None:
    """The prompt has ended: from now on the caller has `timeout` seconds."""
    menu = turn.setup.menu.get(call.menu)
    if menu is None:
        ending.hang_up(turn, call, "menu")
        return
    _await_key(turn, call, menu)


def key(turn: Turn, call: Call, event: DigitPressed) -> None:
    """A key was pressed; during the prompt it counts only with barge-in."""
    menu = turn.setup.menu.get(call.menu)
    if menu is None:
        ending.hang_up(turn, call, "menu")
        return
    if call.prompt and not menu.barge_in:
        return
    call = ways.stop_prompt(turn, call)
    way = menu.way(event.digit)
    if way is not None:
        _choose(turn, call, menu, event.digit, way)
    elif menu.on_invalid.kind is not WayKind.REPEAT:
        _choose(turn, call, menu, event.digit, menu.on_invalid)
    elif call.wrong < WRONG_MAX:
        turn.say(facts.MenuChosen(call.id, menu.name, event.digit, "repeat"))
        _speak(turn, turn.change_call(call.id, wrong=call.wrong + 1), menu, more=0)
    else:
        time_over(turn, call)


def time_over(turn: Turn, call: Call) -> None:
    """No key in time."""
    menu = turn.setup.menu.get(call.menu)
    if menu is None:
        ending.hang_up(turn, call, "menu")
    elif call.loop < menu.loops:
        _speak(turn, call, menu, more=1)
    elif menu.on_timeout.kind is WayKind.REPEAT:
        _choose(turn, call, menu, "", Way())
    else:
        _choose(turn, call, menu, "", menu.on_timeout)


def _again(turn: Turn, call: Call, menu: Menu) -> None:
    """The caller asks to hear it again: as often as one may go through menus, or a key held down would never end."""
    if call.hops >= HOPS_MAX:
        ending.hang_up(turn, call, "menu")
    else:
        _speak(turn, turn.change_call(call.id, hops=call.hops + 1), menu, more=0)


def _choose(turn: Turn, call: Call, menu: Menu, pressed: str, way: Way) -> None:
    turn.say(facts.MenuChosen(call.id, menu.name, pressed, ways.describe(way)))
    if way.kind is WayKind.REPEAT:
        _again(turn, call, menu)
    else:
        ways.take(turn, call.id, way, "menu")
