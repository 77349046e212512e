"""Z4: who calls, and what is dialled, as hostile text: along the whole way from Asterisk's JSON to what we send back.

A caller arrives with a hostile number and name and is offered to an agent; an agent dials a hostile number. Whatever
they say, every dial string is one of those the setup allows, and what people and programs read stays one line, one
event, one value.
"""

from __future__ import annotations

import io
import json
import logging
import random
import re

import structlog

from controller import log
from controller.ari.requests import plan
from controller.ari.wire import Ears
from controller.core import commands as do
from controller.core.commands import Command
from controller.core.events import AgentStatusAsked, Event, OutboundAsked, PhoneChanged, SetupChanged, SnapshotTaken
from controller.core.facts import Fact
from controller.core.setup import Setup
from controller.core.step import step
from controller.core.text import clean_name, clean_number
from controller.core.world import World
from controller.ports import Said
from controller.web.auth import Principal, Role
from controller.web.broadcast import Frame
from tests.core import setups
from tests.fuzz.texts import any_text
from tests.web.hostile import NAMES

TEXTS = 10
CALL, PHONE_CALL = "1795369149.0", "1795369149.7"
NOW_MS = 1_795_369_149_000
NUMBER = re.compile(r"(?:\+?[0-9*#]{1,31})?")
DIALLED = re.compile(r"\+?[0-9]{3,20}")
VIEWERS = (Principal(Role.ADMIN), Principal(Role.READ))
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Z4:
    ID = "Z4"
    ASKED = "numbers cut to [0-9+*#], names to 64 printable, one line and one event each, 0 in dial strings"

    def __init__(self) -> None:
        self.setup = setups.small("an")
        self.rung = self.dialled = self.refused = self.listed = 0

    def batch(self, dice: random.Random) -> int:
        """The whole list once, each text in each place; then what the dice say."""
        while self.listed < len(NAMES):
            text = NAMES[self.listed]
            self._all(text, text, text)
            self.listed += 1
        for _ in range(TEXTS):
            self._all(any_text(dice), any_text(dice), any_text(dice))
        return 3 * TEXTS

    def _all(self, name: str, number: str, wanted: str) -> None:
        self._cleaned(name, number)
        self._called(name, number, wanted)
        self._dialled(wanted)
        self._logged(name, number)

    def _cleaned(self, name: str, number: str) -> None:
        assert NUMBER.fullmatch(clean_number(number)), number
        shown = clean_name(name)
        assert len(shown) <= 64, name
        assert shown.isprintable(), name
        assert not _UNSAFE.search(shown), name
        assert clean_name(shown) == shown, name
        assert clean_number(clean_number(number)) == clean_number(number), number

    def _called(self, name: str, number: str, dialled: str) -> None:
        """A caller of this name is answered, and the one agent is rung; the hotline dialled may be hostile too."""
        for hotline in (setups.SALES, dialled):
            body = {
                "id": CALL,
                "name": "PJSIP/cl-00000000",
                "state": "Ring",
                "caller": {"name": name, "number": number},
            }
            raw = json.dumps(
                {"type": "StasisStart", "application": "tongdai", "args": ["inbound", hotline], "channel": body}
            )
            (arrived,) = Ears("tongdai", frozenset({"an"})).hear(raw)
            commands, facts = play(self.setup, arrived)
            for command in commands:
                self._sent(command)
            for fact in facts:
                told(fact)
            if hotline == setups.SALES:
                assert any(isinstance(command, do.RingAgent) for command in commands), (name, number)
                self.rung += 1

    def _dialled(self, wanted: str) -> None:
        """An agent dials it: it leaves as digits, by a trunk of the setup, under a number of ours; or not at all."""
        commands, facts = play(self.setup, OutboundAsked(PHONE_CALL, "an", clean_number(wanted)))
        for fact in facts:
            told(fact)
        (answer,) = [command for command in commands if isinstance(command, do.ReplyTrunks)]
        if answer.attempt is None:
            self.refused += 1
            return
        assert answer.attempt.endpoint in {row.endpoint for row in self.setup.trunks}
        assert answer.attempt.caller_id in {setups.SALES, setups.SALES[1:], f"0{setups.SALES[3:]}"}, answer.attempt
        assert DIALLED.fullmatch(answer.attempt.number), wanted
        self.dialled += 1

    def _sent(self, command: Command) -> None:
        if isinstance(command, do.RingBell | do.ReplyTrunks):
            return
        for ask in plan(command, "tongdai"):
            endpoint = ask.parameters.get("endpoint", "PJSIP/an")
            assert endpoint == "PJSIP/an", endpoint

    def _logged(self, name: str, number: str) -> None:
        """One line, no control character, and of a real number the last three digits."""
        for form in ("console", "json"):
            line = logged(form, caller=number, caller_name=name, why=name)
            assert not _UNSAFE.search(line), (form, name)
            cleaned = clean_number(number)
            assert len(cleaned) < 7 or name == number or cleaned in name or cleaned not in line, (form, number)

    def seen(self) -> dict[str, object]:
        counted = {"rung": self.rung, "dialled": self.dialled, "refused": self.refused}
        return {"in_dial_strings": 0, "list": self.listed, **counted, "pass": True}

    def close(self) -> None:
        pass


def play(setup: Setup, *asked: Event) -> tuple[list[Command], list[Fact]]:
    """What a fresh call centre with one free agent does about these events."""
    world = World()
    for event in (
        SetupChanged(setup),
        SnapshotTaken("boot"),
        PhoneChanged("an", True),
        AgentStatusAsked("an", "available"),
    ):
        step(world, event, NOW_MS)
    commands: list[Command] = []
    facts: list[Fact] = []
    for n, event in enumerate(asked):
        done = step(world, event, NOW_MS + n)
        assert not done.broken, done.broken
        commands += done.commands
        facts += done.facts
    return commands, facts


def told(fact: Fact) -> None:
    """One event of the stream: four lines, ASCII, and JSON that says what the fact says."""
    for who in VIEWERS:
        frame = Frame(Said(1, NOW_MS, fact)).shown_to(who)
        assert frame.isascii()
        lines = frame.split(b"\n")
        assert len(lines) == 5, frame
        assert not lines[3], frame
        assert isinstance(json.loads(lines[2].removeprefix(b"data: ")), dict)


def logged(form: str, **values: str) -> str:
    """The line a log gets of these values."""
    out, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        log.configure("info", form, out)
        structlog.get_logger("fuzz").warning("said", **values)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
        log._lines.stream = None
    line, end = out.getvalue()[:-1], out.getvalue()[-1:]
    assert end == "\n"
    return line
