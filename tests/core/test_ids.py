"""Names chosen before the act: they carry the call, and are told from everybody else's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import ids

pytestmark = pytest.mark.pure

CALLS = st.from_regex(r"[A-Za-z0-9_-]{1,64}\.[0-9]{1,12}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(CALLS, st.integers(0, 999_999))
def test_every_name_is_read_back(call: str, n: int) -> None:
    assert ids.parse(ids.agent_leg(call, n)) == (call, "a", n)
    assert ids.parse(ids.phone_leg(call, n)) == (call, "p", n)
    assert ids.parse(ids.playback(call, n)) == (call, "pb", n)
    assert ids.parse(ids.bridge(call)) == (call, "br", 0)
    assert ids.parse(ids.snoop(call)) == (call, "sn", 0)


@settings(max_examples=300, deadline=None)
@given(CALLS)
def test_a_call_s_own_channel_is_no_name_of_ours(call: str) -> None:
    assert ids.parse(call) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1.1",
        "1.1.x3",
        "1.1.a",
        "a1",
        "1.1.a1 ",
        "1.1.a1\n",
        " 1.1.a1",
        "1.1.a1.a2",
        "x/1.1.a1",
        "1.1.a1234567",
        "é.1.a1",
        "1.١.a1",
        "1.1.a١",
        "1.1.br7",
        "1.1.sn1",
        "1.1.pb",
    ],
)
def test_what_is_not_ours_is_nobody_s_business(name: str) -> None:
    assert ids.parse(name) is None
