"""What every event and notice that the reader of the event stream makes must keep, whatever it was made of."""

from __future__ import annotations

import re
from dataclasses import fields

from controller.ari.notices import Notice
from controller.core.events import Event

NUMBERS = re.compile(r"\+?[0-9*#]{0,32}")


def check(item: object) -> None:
    """What every event and notice must keep, whatever it was made of."""
    assert isinstance(item, Event | Notice)
    for field in fields(item):
        value = getattr(item, field.name)
        if isinstance(value, str):
            check_text(field.name, value)
        elif isinstance(value, bool) or value is None:
            continue
        else:
            assert 0 <= value <= 86_400, (item, field.name)


def check_text(name: str, value: str) -> None:
    if name in {"caller", "dialled"}:
        assert NUMBERS.fullmatch(value)
    elif name == "caller_name":
        assert len(value) <= 64
        assert value.isprintable() or not value
    elif name == "state":
        assert value in {"down", "ring", "up", "gone"}
    elif name not in {"digit", "why", "endpoint"}:
        assert re.fullmatch(r"[A-Za-z0-9_.:@+/-]{1,200}", value), (name, value)
