"""A small setup document that is right, and ways to make it wrong in one place."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from controller.core.shape import Problem
from controller.core.validate import Checked
from controller.setup_file import check_document

BASE: dict[str, Any] = {
    "defaults": {"country": "VN", "timezone": "Asia/Ho_Chi_Minh", "language": "vi"},
    "trunk": [
        {"name": "viettel-1", "carrier": "viettel", "host": "127.0.0.11:5070", "max_channels": 30, "max_cps": 10},
        {"name": "mobifone-1", "carrier": "MobiFone", "endpoint": "pbx-mobifone"},
    ],
    "hotline": [
        {"number": "+842473001001", "trunk": "viettel-1", "outbound": True, "queue": "sales"},
        {"number": "0901 001 001", "trunk": "mobifone-1", "outbound": True, "menu": "main", "hours": "office"},
        {"number": "19001001", "kind": "virtual", "queue": "support"},
    ],
    "adaptive": [{"name": "auto", "fallback": "02473001001"}],
    "menu": [
        {
            "name": "main",
            "play": "welcome",
            "keys": {"1": {"queue": "sales"}, "2": {"menu": "more"}, "0": "hangup", "*": "repeat"},
            "on_timeout": {"queue": "support"},
        },
        {"name": "more", "play": "more", "keys": {"1": {"menu": "main"}}},
    ],
    "queue": [
        {"name": "sales", "groups": [{"name": "sales", "primary": True}, {"name": "support"}], "overflow": "hangup"},
        {"name": "support", "groups": [{"name": "support"}], "overflow": {"queue": "sales"}},
    ],
    "group": [{"name": "sales"}, {"name": "support"}],
    "agent": [
        {
            "name": "an",
            "groups": ["sales"],
            "extension": "101",
            "outbound_with": "auto",
            "phone": {"user": "an", "password": "a-Secret.1"},
        },
        {"name": "binh", "groups": ["sales", "support"], "phone": {"contact": "sip:binh@127.0.0.21:5071"}},
        {"name": "chi", "groups": ["support"], "phone": {"endpoint": "desk-chi"}},
    ],
    "blocked": [{"number": "0900000001"}],
    "ported": [{"number": "0912345679", "carrier": "Viettel"}],
    "schedule": [{"name": "office", "open": {"mon": ["08:00-12:00", "13:30-17:30"]}}],
    "webhook": [{"name": "wall", "url": "http://127.0.0.1:9000/alerts"}],
}


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The base document with values replaced, given as `("hotline.0.trunk", value)`; DROP removes a key."""
    document = deepcopy(BASE)
    for path, value in changes:
        *above, last = path.split(".")
        table: Any = document
        for part in above:
            table = table[_key(table, part)]
        key = _key(table, last)
        if value is DROP:
            del table[key]
        elif isinstance(table, list) and key == len(table):
            table.append(value)
        else:
            table[key] = value
    return document


def _key(table: Any, part: str) -> str | int:
    return int(part) if isinstance(table, list) else part


DROP = object()


def problems(document: dict[str, Any]) -> list[str]:
    """What is wrong with a document, as a person reads it."""
    return told(check_document(document).problems)


def warnings(document: dict[str, Any]) -> list[str]:
    """What is allowed in a document and hardly meant."""
    checked = check_document(document)
    assert checked.setup is not None, checked.problems
    return told(checked.warnings)


def told(found: tuple[Problem, ...]) -> list[str]:
    """Problems in one line each."""
    return [str(problem) for problem in found]


def right(document: dict[str, Any]) -> Checked:
    """The result of a document that must be right."""
    checked = check_document(document)
    assert checked.setup is not None, told(checked.problems)
    return checked
