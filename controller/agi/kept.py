"""A row the dialplan kept in Asterisk's database about a call it served by itself, read as an event. Pure.

The dialplan has cut every value before it was kept (`fallback.conf`, `emergency.conf` and `outbound.conf` in
`dialplan/`). Asterisk's database outlives both of us and others write there too, so nothing of it is believed here.

    kind|hotline|caller|callee|trunk|channel|began|ended|DIALSTATUS|ANSWEREDTIME
"""

from __future__ import annotations

import re
from typing import Final

from controller.agi.words import ANSWERED_S_MAX, endpoint_of, number_of, status_of
from controller.core.events import DialplanCalled
from controller.core.text import clean_number

KINDS: Final = frozenset({"fallback", "emergency", "refused"})
FIELDS: Final = 10
_ENDPOINT: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_EPOCH_S: Final = re.compile(r"[0-9]{9,11}")


def read(call: str, row: str) -> DialplanCalled | None:
    """What a row says of `call`; None when it is no row of ours."""
    parts = row.split("|")
    if len(parts) != FIELDS or parts[0] not in KINDS:
        return None
    kind, hotline, caller, callee, trunk, channel, began, ended, status, talked = parts
    began_s, ended_s = _epoch_s(began), _epoch_s(ended)
    if began_s is None or ended_s is None:
        return None
    return DialplanCalled(
        call=call,
        kind=kind,
        hotline=clean_number(hotline),
        caller=clean_number(caller),
        callee=clean_number(callee),
        trunk=trunk if _ENDPOINT.fullmatch(trunk) else "",
        endpoint=endpoint_of(channel),
        began_at_ms=began_s * 1000,
        ended_at_ms=max(began_s, ended_s) * 1000,
        status=status_of(status),
        talked_s=number_of(talked, ANSWERED_S_MAX),
    )


def _epoch_s(text: str) -> int | None:
    return int(text) if _EPOCH_S.fullmatch(text) else None
