"""What one step may say and ask for: the part of the invariants that looks at conduct instead of the world."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace

from controller.core import facts
from controller.core.alerts import STANDING
from controller.core.commands import (
    CloseBridge,
    Command,
    Consult,
    HangUp,
    Join,
    Play,
    ReplyTrunks,
    RingAgent,
    RingBell,
    RingPhone,
)
from controller.core.matching import PASSED_MAX
from controller.core.model import AgentPhase
from controller.core.setup import Strategy
from controller.core.step import Step
from controller.core.world import World, is_free

_ID = re.compile(r"[A-Za-z0-9_.:@+-]{1,128}")
_NUMBER = re.compile(r"\+?[0-9*#]{0,32}")
_NAME = re.compile(r"[A-Za-z0-9_.+@-]{1,128}")
_FILE = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_./+:-]{0,200}")
_ALPHABETS = {
    "call": _ID,
    "leg": _ID,
    "agent_leg": _ID,
    "bridge": _ID,
    "channel": _ID,
    "playback": _ID,
    "snoop": _ID,
    "endpoint": _NAME,
    "music": _NAME,
    "caller": _NUMBER,
    "number": _NUMBER,
    "caller_id": _NUMBER,
    "dialled": _NUMBER,
    "via": re.compile(r"[A-Za-z0-9_.+-]{0,64}"),
    "caller_name": re.compile(r".{0,64}"),
    "name": _FILE,
    "language": re.compile(r"[a-z]{2}"),
    "refusal": re.compile(r"[a-z_]{0,32}"),
    "change": re.compile(r"raised|cleared"),
    "cause": re.compile(r"[A-Za-z]+#[0-9]+"),
}
_Q850_MAX = 127


def check(world: World, step: Step) -> list[str]:
    """Every breach of one step, in no particular order."""
    found = [breach for command in step.commands for breach in _command(world, step, command)]
    offered = [fact for fact in step.facts if isinstance(fact, facts.CallOffered)]
    found += [breach for fact in offered for breach in _offer(world, fact)]
    for fact in step.facts:
        if isinstance(fact, facts.CallEnded):
            found += _ended(world, fact)
    return found


# -- commands ------------------------------------------------------------------------------------------------------


def _command(world: World, step: Step, command: Command) -> Iterator[str]:
    name = f"{type(command).__name__} of {command.call}"
    if command.cause != step.cause:
        yield f"S16 {name}: is caused by {command.cause!r}, not {step.cause!r}"
    if not _may_name(world, step, command):
        yield f"S9 {name}: its call is over"
    for field, text in _texts(command):
        if not _ALPHABETS[field].fullmatch(text) or not text.isprintable():
            yield f"S13 {name}: {field} is {text!r}"
    if isinstance(command, HangUp) and not 0 <= command.q850 <= _Q850_MAX:
        yield f"S13 {name}: cause {command.q850}"
    yield from _means(world, command, name)


def _texts(command: Command) -> Iterator[tuple[str, str]]:
    for field in fields(command):
        value = getattr(command, field.name)
        if isinstance(value, str):
            yield field.name, value
    match command:
        case Play():
            yield from (("name", media) for media in command.media)
        case ReplyTrunks() if command.attempt is not None:
            attempt = command.attempt
            yield from (("endpoint", attempt.endpoint), ("number", attempt.number), ("caller_id", attempt.caller_id))


def _may_name(world: World, step: Step, command: Command) -> bool:
    if command.call in world.calls or isinstance(command, (HangUp, CloseBridge)):
        return True
    if isinstance(command, ReplyTrunks):
        return command.attempt is None
    if isinstance(command, RingBell) and command.alert.kind in STANDING:
        return True
    return any(isinstance(fact, facts.CallEnded) and fact.call == command.call for fact in step.facts)


def _means(world: World, command: Command, name: str) -> Iterator[str]:
    """S8, S12: what a command names exists, and who dials has room."""
    match command:
        case RingAgent() if command.endpoint not in world.setup.agent_of_endpoint:
            yield f"S12 {name}: rings {command.endpoint}, which is nobody's phone"
        case Join() if command.call in world.calls and world.calls[command.call].leg != command.leg:
            yield f"S3 {name}: joins {command.leg}, which does not talk"
        case Consult() if command.call in world.calls:
            now = world.calls[command.call]
            if (command.leg, command.agent_leg) != (now.consult, now.leg):
                yield f"S3 {name}: joins {command.leg} and {command.agent_leg}, who do not talk"
        case RingPhone():
            yield from _room(world, command.call, name, command.number)
        case ReplyTrunks() if command.attempt is not None:
            yield from _room(world, command.call, name, command.attempt.number)
        case RingBell() if command.alert.call != command.call:
            yield f"S16 {name}: tells of {command.alert.id}"


def _room(world: World, call: str, name: str, number: str) -> Iterator[str]:
    trunk = world.setup.trunk.get(world.calls[call].trunk) if call in world.calls else None
    if trunk is None or call not in world.trunks[trunk.name].live:
        yield f"S8 {name}: leaves by a trunk that does not count it"
    elif 0 < trunk.max_channels < len(world.trunks[trunk.name].live) and number not in world.setup.defaults.emergency:
        yield f"S8 {name}: {trunk.name} is past its {trunk.max_channels} channels"


# -- facts ---------------------------------------------------------------------------------------------------------


def _offer(world: World, fact: facts.CallOffered) -> Iterator[str]:
    """S2, S4, S5: who was offered may be, and was nobody else's turn."""
    name = f"offer of {fact.call} to {fact.agent}"
    agent, call = world.agents.get(fact.agent), world.calls.get(fact.call)
    if agent is None or call is None or fact.agent not in world.setup.agent or fact.queue not in world.setup.queue:
        yield f"S12 {name}: one of them does not exist"
        return
    if not is_free(replace(agent, phase=AgentPhase.IDLE)):
        yield f"S4 {name}: {agent}"
    if len(call.offers) > 1 and world.setup.queue[fact.queue].strategy is not Strategy.RING_ALL:
        yield f"S2 {name}: {[offer.agent for offer in call.offers]} are rung at once"
    for queue, _ in world.setup.tiers_of_agent[fact.agent]:
        for queued_at_ms, earlier in world.hungry(queue)[:PASSED_MAX]:
            before = (queued_at_ms, earlier) < (call.queued_at_ms or 0, call.id)
            if before and fact.agent not in world.calls[earlier].tried:
                yield f"S5 {name}: {earlier} has waited longer in {queue}"


def _ended(world: World, fact: facts.CallEnded) -> Iterator[str]:
    times = (fact.arrived_at_ms, fact.queued_at_ms, fact.answered_at_ms, fact.ended_at_ms)
    order = [at_ms for at_ms in times if at_ms is not None]
    if order != sorted(order):
        yield f"S11 end of {fact.call}: arrived, queued, answered, ended are {times}"
    if fact.call in world.calls:
        yield f"S9 end of {fact.call}: it is still there"
    if not fact.result or not fact.end_cause:
        yield f"S10 end of {fact.call}: result {fact.result!r}, cause {fact.end_cause!r}"
