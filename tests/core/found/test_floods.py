"""Found: what a caller can do without end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.core.events import DigitPressed
from controller.core.facts import MenuEntered
from controller.core.menu import HOPS_MAX
from controller.core.model import Phase
from controller.core.setup import Hotline, Menu, Way, WayKind
from tests.core.setups import SALES, small
from tests.core.words import arrives
from tests.playbook import given

pytestmark = pytest.mark.pure


def test_a_key_that_repeats_the_menu_could_be_held_down_for_ever() -> None:
    """Six thousand prompts, facts and requests a minute from one caller."""
    menu = Menu("main", "welcome", keys=(("9", Way(WayKind.REPEAT)),), on_timeout=Way())
    setup = replace(small("an"), hotlines=(Hotline(SALES, menu="main"),), menus=(menu,))
    book = given(setup).when(arrives())
    (call,) = book.world.calls
    heard = 1
    for _ in range(100):
        book.when(DigitPressed(call, "9"))
        heard += len([fact for fact in book.facts if isinstance(fact, MenuEntered)])
    assert book.world.calls[call].phase is Phase.ENDING
    assert heard == HOPS_MAX
