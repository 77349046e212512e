"""The dialplan against its lint: ours has no finding, each seeded mistake is found, and nothing else is found in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.core.setup import AgentSetup, Fallback, Group, Hotline, Phone, Queue, QueueGroup, Setup, Trunk
from controller.lab.dialplan_text import balanced, parse, reachable, variables
from controller.lab.lint import lint, unknown_targets
from controller.lab.render import RenderOptions, render_asterisk
from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure

OURS = sorted((ROOT / "dialplan").glob("*.conf"))
BAD = sorted((Path(__file__).parent / "dialplan_bad").glob("*.conf"))
LEAST_BAD = 25

WHOLE = Setup(
    trunks=(Trunk("first", host="192.0.2.1:5060", endpoint="first"), Trunk("second", endpoint="itsp")),
    hotlines=(
        Hotline("+842473001001", country="VN", trunk="first", queue="sales"),
        Hotline("+842473001002", country="VN", trunk="first", queue="sales", fallback=Fallback("ring")),
        Hotline("19001234", trunk="second", queue="sales", fallback=Fallback("phone", "0912345678")),
    ),
    queues=(Queue("sales", (QueueGroup("sales"),)),),
    groups=(Group("sales"),),
    agents=(AgentSetup("an", ("sales",), "101", phone=Phone(user="an", password="x" * 20), endpoint="an"),),
)


def rendered() -> str:
    return render_asterisk(WHOLE, RenderOptions())["tongdai-extensions.conf"]


def named(file: Path) -> str:
    return file.stem


@pytest.mark.parametrize("file", OURS, ids=named)
def test_ours_has_no_finding(file: Path) -> None:
    assert lint(file.read_text()) == []


def test_all_of_it_is_looked_at() -> None:
    names = ["emergency.conf", "fallback.conf", "inbound.conf", "outbound.conf", "report.conf"]
    assert [file.name for file in OURS] == names
    steps = [step.app for file in OURS for step in parse(file.read_text()).steps()]
    assert {"Dial", "AGI", "Stasis", "Playback", "GotoIf"} <= set(steps)
    assert len(steps) > 120


def test_what_is_rendered_has_no_finding_and_leads_nowhere_unknown() -> None:
    text = rendered()
    assert lint(text) == []
    assert unknown_targets(text) == []


def test_callers_and_agents_are_apart() -> None:
    plan = parse(rendered())
    callers, agents = reachable(plan, "tongdai-inbound"), reachable(plan, "tongdai-outbound")
    assert {"tongdai-hotlines", "tongdai-fallback-ring"} <= set(callers)
    assert {"tongdai-emergency-try", "tongdai-refused"} <= set(agents)
    assert set(callers) & set(agents) == set()


@pytest.mark.parametrize("file", BAD, ids=named)
def test_a_seeded_mistake_is_found(file: Path) -> None:
    text = file.read_text()
    expected = text.splitlines()[0].removeprefix("; rule: ")
    assert {finding.rule for finding in lint(text)} == {expected}


def test_there_are_enough_mistakes_of_every_kind() -> None:
    assert len(BAD) >= LEAST_BAD
    rules = {file.read_text().splitlines()[0] for file in BAD}
    source = (ROOT / "controller/lab/lint.py").read_text()
    words = {part.split('"')[1] for part in source.split("Finding(")[1:] if part.count('"') >= 2}
    words = {word for word in words if word.replace("-", "").isalpha() and " " not in word} - {"unknown"}
    assert {f"; rule: {word}" for word in words} == rules


def test_a_context_that_is_nowhere_is_found() -> None:
    found = unknown_targets("[a]\ninclude => b\nexten => 1,1,GotoIf($[1]?c,1,1:2)\n")
    assert [finding.text.split()[3] for finding in found] == ["b,", "c,"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${EXTEN}", [("EXTEN", ())]),
        ("${EXTEN:1}", [("EXTEN", ())]),
        ("${FILTER(0-9,${EXTEN})}", [("FILTER", ()), ("EXTEN", ("FILTER",))]),
        ("${LEN(${FILTER(a,${B})})}", [("LEN", ()), ("FILTER", ("LEN",)), ("B", ("LEN", "FILTER"))]),
        ("$[${LEN(${A})} = 1]${B}", [("LEN", ()), ("A", ("LEN",)), ("B", ())]),
        ("${FILTER(0-9,${A})}${B}", [("FILTER", ()), ("A", ("FILTER",)), ("B", ())]),
        ("plain", []),
    ],
)
def test_variables_are_seen_with_what_they_stand_in(text: str, found: list[tuple[str, tuple[str, ...]]]) -> None:
    assert list(variables(text)) == found


@pytest.mark.parametrize(("text", "whole"), [("a(b{c}[d])", True), ("a(b", False), ("a)b(", False), ("(]", False)])
def test_brackets(text: str, whole: bool) -> None:
    assert balanced(text) is whole
