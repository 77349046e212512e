"""Found: a trunk that answered 403, 408 or 488 lost every caller sent on by it; an agent's own call took the next.

What a carrier's answer means stands in docs/dialplan.md, for calls the dialplan dials; our legs mean the same by it.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from controller.core.commands import HangUp, Join, RingPhone
from controller.core.events import ConsultAsked, TransferAsked
from controller.core.facts import AttemptEnded, TrunkFailed
from tests.core.test_outbound import forwarding, trunks
from tests.core.words import answers, arrives, leg_gone
from tests.playbook import Playbook, a, given, never

pytestmark = pytest.mark.pure

PHONE = "0967123456"
TRUNKS_OWN = [(21, 401), (21, 403), (18, 408), (58, 488), (127, 606), (127, 402), (38, 500), (29, 501), (34, 503)]
CALLEES = [
    (17, 486, "BUSY"),
    (17, 600, "BUSY"),
    (21, 603, "DECLINED"),
    (19, 480, "NOANSWER"),
    (1, 404, "INVALID"),
    (1, 604, "INVALID"),
    (22, 410, "INVALID"),
    (28, 484, "INVALID"),
]


def sent_on() -> Playbook:
    return given(trunks()).available("an").when(arrives()).when(answers()).when(TransferAsked("1.1", PHONE))


def asked() -> Playbook:
    return (
        given(trunks())
        .available("an")
        .when(arrives())
        .when(answers())
        .when(ConsultAsked("1.1", "begin", dialled=PHONE))
    )


WAYS = [(forwarding, 1), (sent_on, 2), (asked, 2)]


@pytest.mark.parametrize(("cause", "tech"), TRUNKS_OWN)
@pytest.mark.parametrize(("begin", "leg"), WAYS)
def test_the_next_trunk_is_tried_when_it_is_the_trunk_s_own_fault(
    begin: Callable[[], Playbook], leg: int, cause: int, tech: int
) -> None:
    book = begin().then(a(RingPhone))
    book.when(leg_gone(leg=leg, cause=cause, tech=tech, kind="p"))
    book.then(a(AttemptEnded, trunk="v1", sip=tech), a(TrunkFailed, trunk="v1"), a(RingPhone, endpoint="v2"))


@pytest.mark.parametrize(("cause", "tech", "status"), CALLEES)
@pytest.mark.parametrize(("begin", "leg"), WAYS)
def test_the_callee_s_word_is_the_last(
    begin: Callable[[], Playbook], leg: int, cause: int, tech: int, status: str
) -> None:
    book = begin().when(leg_gone(leg=leg, cause=cause, tech=tech, kind="p"))
    book.then(never(RingPhone), never(TrunkFailed))
    book.then(a(Join) if begin is asked else a(HangUp, channel="1.1"))
    assert (book.one(AttemptEnded).status, book.one(AttemptEnded).sip) == (status, tech)
