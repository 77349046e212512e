"""Rows of Asterisk's database about calls the dialplan served by itself, and the dialogue that takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.agi.kept import read
from controller.core.events import DialplanCalled
from tests.wire.agi_peer import CALL, header
from tests.wire.test_agi_scripts import Side, side

__all__ = ["side"]
pytestmark = pytest.mark.wire

HOTLINE = "+842473001001"
ROW = f"fallback|{HOTLINE}|0967000001|{HOTLINE}|first|PJSIP/an-0000000a|1795368447|1795368490|ANSWER|12"
EVENT = DialplanCalled(
    CALL,
    "fallback",
    HOTLINE,
    "0967000001",
    HOTLINE,
    "first",
    "an",
    1_795_368_447_000,
    1_795_368_490_000,
    "ANSWER",
    12,
)
OF_AN_APOLOGY = f"fallback|{HOTLINE}||{HOTLINE}|||1795368447|1795368455||"


def test_a_row_is_read() -> None:
    assert read(CALL, ROW) == EVENT
    assert read(CALL, OF_AN_APOLOGY) == DialplanCalled(
        CALL, "fallback", HOTLINE, "", HOTLINE, "", "", 1_795_368_447_000, 1_795_368_455_000
    )


def test_a_refused_call_is_read() -> None:
    row = "refused|||0967123456||PJSIP/an-0000000a|1795368447|1795368450||"
    assert read(CALL, row) == DialplanCalled(
        CALL, "refused", "", "", "0967123456", "", "an", 1_795_368_447_000, 1_795_368_450_000
    )


@pytest.mark.parametrize("row", ["", "x", ROW + "|", ROW.replace("fallback", "other"), ROW.replace("1795368447", "")])
def test_what_is_no_row_says_nothing(row: str) -> None:
    assert read(CALL, row) is None


@pytest.mark.parametrize(
    ("was", "now", "field"),
    [
        ("0967000001", "096&PJSIP/x", "caller"),
        ("first", "first@x", "trunk"),
        ("PJSIP/an-0000000a", "Local/x", "endpoint"),
        ("ANSWER", "answer", "status"),
    ],
)
def test_a_value_of_another_alphabet_is_dropped(was: str, now: str, field: str) -> None:
    event = read(CALL, ROW.replace(was, now))
    assert event is not None
    assert getattr(event, field) == ""


@given(st.text(), st.lists(st.text(alphabet="0123456789|+"), min_size=9, max_size=9))
def test_no_row_raises(text: str, parts: list[str]) -> None:
    assert read(CALL, text) is None or text.startswith(("fallback|", "emergency|", "refused|"))
    event = read(CALL, "|".join(("emergency", *parts)))
    assert event is None or event.ended_at_ms >= event.began_at_ms


async def test_a_row_may_go_when_it_is_on_the_books(side: Side) -> None:
    peer = await side.ask(header("kept", CALL, ROW, channel="Local/s@tongdai-report-00000001;2", call="1795368500.9"))
    assert side.door.told == [EVENT]
    assert peer.variables == {"TD_OK": "1"}


async def test_a_row_stays_while_it_is_not_on_the_books(side: Side) -> None:
    side.hurry()
    side.door.slow_s = 20.0
    assert (await side.ask(header("kept", CALL, ROW))).variables == {}
    assert side.outcomes == ["late"]


@pytest.mark.parametrize(("call", "row"), [(CALL, "x"), ("a/../b", ROW)])
async def test_what_is_no_row_goes_without_a_word(side: Side, call: str, row: str) -> None:
    assert (await side.ask(header("kept", call, row))).variables == {"TD_OK": "1"}
    assert side.door.told == []
