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
    assert (found.agent, found.dialled, found.via) == ("an", "0901000111", "auto")
    assert (found.ported, found.ported_source, found.now_ms, found.day) == ("mobifone", "ported", 7, "2026-11-22")
    for name in {field.name for field in fields(Question)} & set(dir(world)) - {"now_ms", "day"}:
        assert getattr(found, name) is getattr(world, name), name
    assert found.agent_uses, "what an agent used counts"


def test_chance_is_the_same_for_a_question_and_for_the_call_it_is_about() -> None:
    before = given(trunks()).world
    asked = OutboundAsked("explain/0901000111", "", "0901000111", "auto")
    called = OutboundAsked("1.10", "PJSIP/an-00000001", "0901000111", "auto")
    assert question(before, 7, "2025-11-13", asked, "an").salt == question(before, 8, "2025-11-13", called, "an").salt
    after = given(trunks()).when(OutboundAsked("1.9", "an", "0901000111")).world
    day = after.agent_uses["an"].use.day
    assert question(after, 7, day, asked, "an").salt != question(before, 7, day, asked, "an").salt, (
        "the next call draws anew"
    )
    assert question(before, 7, day, asked).salt == "explain/0901000111"
