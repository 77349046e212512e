"""Whoever asks which way a call leaves gives the decision all that the world knows."""

from __future__ import annotations

from dataclasses import fields

import pytest

from controller.core.asking import question
from controller.core.events import OutboundAsked
from controller.core.trunks import Question
from tests.core.test_outbound import trunks
from tests.playbook import given

pytestmark = pytest.mark.pure


def test_nothing_the_world_knows_is_left_out() -> None:
    world = given(trunks()).when(OutboundAsked("1.9", "an", "0967123456")).world
    asked = OutboundAsked("1.10", "an", "0901000111", "auto", "mobifone", "ported")
    found = question(world, 7, "2026-11-22", asked, "an")
    assert (found.agent, found.dialled, found.via, found.salt) == ("an", "0901000111", "auto", "1.10")
    assert (found.ported, found.ported_source, found.now_ms, found.day) == ("mobifone", "ported", 7, "2026-11-22")
    for name in {field.name for field in fields(Question)} & set(dir(world)) - {"now_ms", "day"}:
        assert getattr(found, name) is getattr(world, name), name
    assert found.agent_uses, "what an agent used counts"
