"""Every form of a way, and everything that is none."""

from __future__ import annotations

from typing import Any

import pytest

from controller.core.setup import Way, WayKind
from controller.core.shape import Report, Table
from controller.core.shape_way import Use, WayReader, read_phone
from tests.core.documents import told

pytestmark = pytest.mark.pure

FORMS = '"hangup", { queue = … }, { menu = … }, { phone = … }, { voicemail = true } or { play = …, then = … }'


def read(value: Any, owner: str = "queue", **keys: Any) -> tuple[Way | None, list[str], list[Use]]:
    report = Report()
    ways = WayReader("VN", report)
    way = ways.read(Table({"way": value}, (owner, 0), report), "way", (owner, "x"), **keys)
    return way, told(tuple(report.problems)), ways.uses


@pytest.mark.parametrize(
    ("value", "way"),
    [
        ("hangup", Way()),
        ({"queue": "sales"}, Way(WayKind.QUEUE, "sales")),
        ({"menu": "main"}, Way(WayKind.MENU, "main")),
        ({"phone": "+84 912 345 678"}, Way(WayKind.PHONE, "0912345678")),
        ({"phone": "19001234", "hotline": "02473001001"}, Way(WayKind.PHONE, "19001234", "+842473001001")),
        ({"phone": "046 1234", "hotline": "nobody"}, Way(WayKind.PHONE, "0461234", "nobody")),
        ({"voicemail": True}, Way(WayKind.VOICEMAIL)),
        ({"play": "closed"}, Way(play="closed")),
        ({"play": "closed", "then": "hangup"}, Way(play="closed")),
        ({"play": "closed", "then": {"voicemail": True}}, Way(WayKind.VOICEMAIL, play="closed")),
    ],
)
def test_ways(value: Any, way: Way) -> None:
    assert read(value) == (way, [], [Use(("queue", 0, "way"), "queue", "x", way, automatic=True)])


def test_a_way_that_is_left_out() -> None:
    report = Report()
    ways = WayReader("VN", report)
    assert ways.read(Table({}, ("queue", 0), report), "way", ("queue", "x")) is None
    assert ways.uses == []


def test_only_menus_repeat() -> None:
    assert read("repeat", "menu")[0] == Way(WayKind.REPEAT)
    assert read({"play": "wrong", "then": "repeat"}, "menu")[0] == Way(WayKind.REPEAT, play="wrong")
    assert read("repeat", "hotline")[1] == [f"hotline[0].way: 'repeat' is no way to go: {FORMS}"]


def test_pressing_a_key_is_noted_as_somebodys_doing() -> None:
    assert not read("hangup", "menu", automatic=False)[2][0].automatic


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("hang-up", f": 'hang-up' is no way to go: {FORMS} (did you mean 'hangup'?)"),
        (5, f": must be {FORMS}, not a whole number"),
        (None, f": must be {FORMS}, not nothing"),
        ({}, f": must name one place to go: {FORMS}"),
        ({"queue": "a", "menu": "b"}, f": must name one place to go: {FORMS}"),
        ({"hangup": True}, f": must name one place to go: {FORMS}"),
        ({"queue": "a b"}, ".queue: 'a b' is not allowed here: letters a-z, digits and . _ - (at most 64)"),
        ({"queue": "a", "hotline": "b"}, ".hotline: there is no such key here"),
        ({"phone": "anonymous"}, ".phone: 'anonymous' is no phone number"),
        ({"phone": 112}, ".phone: must be text, not a whole number"),
        ({"voicemail": False}, ".voicemail: can only be true"),
        ({"voicemail": "yes"}, ".voicemail: must be true or false, not text"),
        (
            {"play": "../x"},
            ".play: '../x' is not allowed here: a sound file without its ending: letters a-z, digits and . _ - /",
        ),
        ({"play": "x", "then": "no"}, f".then: 'no' is no way to go: {FORMS}"),
        ({"play": "x", "then": {"play": "y"}}, ".then: may not play a second announcement"),
        ({"play": "x", "queue": "y"}, f": must name one place to go: {FORMS}"),
    ],
)
def test_what_is_no_way(value: Any, problem: str) -> None:
    assert read(value)[1] == [f"queue[0].way{problem}"]


def test_a_phone_number_that_is_needed() -> None:
    report = Report()
    assert read_phone(Table({}, ("x",), report), "phone", "VN") == ""
    assert told(tuple(report.problems)) == ["x.phone: is missing"]
