"""Z4, Z6 and Z7 in short; `make fuzz` looks longer."""

from __future__ import annotations

import pytest

from tests.fuzz.program import play
from tests.fuzz.z4_names import Z4
from tests.fuzz.z6_numbers import Z6
from tests.fuzz.z7_setups import Z7
from tests.web.hostile import NAMES

pytestmark = pytest.mark.pure


def test_hostile_names_and_numbers_all_the_way_through() -> None:
    program = Z4()
    play(program, range(20))
    assert program.listed == len(NAMES) >= 200
    assert program.rung > program.listed
    assert program.dialled


def test_numbers_against_the_table() -> None:
    program = Z6()
    play(program, range(20))
    assert program.right > 500
    assert program.refused > 500


def test_setups_that_are_accepted_can_be_lived_with() -> None:
    program = Z7(calls=60)
    play(program, range(4))
    assert program.accepted >= program.lived == 4
    assert program.refused > 50
    assert program.simulated >= 240
