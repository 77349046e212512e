"""Bringing books and telephone together: Asterisk is right about channels, the ledger about wishes.

After a start, a cut event stream or a restart of Asterisk, and every so often besides, we are shown everything
Asterisk has. What is gone there is over here; what we made and nobody wants any more is hung up; who arrived while we
were not listening is let in; offers that were interrupted are made again; a talk whose legs are not joined is joined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from controller.core import agent as agents
from controller.core import call as calls
from controller.core import commands, ending, facts, ids, outbound, queueing
from controller.core.events import CallArrived, ChannelSeen, LegGone, SnapshotTaken
from controller.core.model import Agent, AgentPhase, Call, Pbx, Phase
from controller.core.turn import Turn

PBX = "asterisk"
_NO_SNAPSHOT_GUARD = 2**62


@dataclass(slots=True)
class _Sight:
    """A snapshot, indexed, with what we count while mending."""

    seen: dict[str, ChannelSeen]
    bridged: dict[str, tuple[str, ...]]
    restarted: bool
    before_ms: int
    resuming: bool
    ended: int = 0
    adopted: int = 0
    orphans: int = 0


def taken(turn: Turn, event: SnapshotTaken) -> None:
    """Mend every difference between the world and what Asterisk has."""
    known = turn.world.pbx.get(PBX, Pbx())
    sight = _Sight(
        seen={channel.id: channel for channel in event.channels},
        bridged={bridge.id: bridge.channels for bridge in event.bridges},
        restarted=bool(known.boot) and known.boot != event.boot,
        before_ms=_NO_SNAPSHOT_GUARD if event.asked_at_ms is None else event.asked_at_ms,
        resuming=turn.world.resuming,
    )
    turn.world.resuming = False
    if not turn.world.linked:
        turn.world.linked = True
        for queue in turn.setup.queues:
            turn.touch(queue.name)
    if known.boot != event.boot:
        turn.put(Pbx(PBX, event.boot))
    for call in list(turn.world.calls.values()):
        if call.arrived_at_ms < sight.before_ms:
            _mend_call(turn, call, sight)
    _mend_agents(turn, event, sight)
    _hang_up_orphans(turn, sight)
    _let_in(turn, event, sight)
    if sight.ended or sight.adopted or sight.orphans or sight.restarted or event.asked_at_ms is None:
        turn.say(facts.Reconciled(sight.ended, sight.adopted, sight.orphans, sight.restarted))


def _mend_call(turn: Turn, call: Call, sight: _Sight) -> None:
    channel = sight.seen.get(call.id)
    if channel is None or (call.direction == "inbound" and not channel.ours):
        sight.ended += 1
        if call.direction == "outbound":
            _outbound_over(turn, call, sight)
        else:
            ending.gone(turn, call, "pbx_lost" if sight.restarted else "caller")
        return
    match call.phase:
        case Phase.WAITING:
            _mend_waiting(turn, call, channel, sight)
        case Phase.TALKING:
            _mend_talk(turn, call, sight)
        case Phase.FORWARDING:
            _mend_forward(turn, call, sight)
        case Phase.ENDING:
            turn.do(commands.HangUp(call.id, turn.cause, call.id))
        case Phase.DIALING if channel.state.lower() == "up":
            outbound.channel_up(turn, call)
        case Phase.MENU | Phase.ANNOUNCING | Phase.VOICEMAIL if sight.resuming and call.prompt:
            calls.prompt_over(turn, call)
        case _:
            pass


def _outbound_over(turn: Turn, call: Call, sight: _Sight) -> None:
    if sight.restarted:
        outbound.lost(turn, call)
    else:
        outbound.vanished(turn, call)


def _mend_waiting(turn: Turn, call: Call, channel: ChannelSeen, sight: _Sight) -> None:
    if sight.resuming:
        if channel.state.lower() != "up":
            turn.do(commands.Answer(call.id, turn.cause))
        queue = turn.setup.queue.get(call.queue)
        turn.do(commands.StartMusic(call.id, turn.cause, queue.music if queue else "default"))
    for offer in call.offers:
        now = turn.world.calls[call.id]
        if now.phase is not Phase.WAITING:
            return
        leg = sight.seen.get(offer.leg)
        if leg is None and offer.offered_at_ms < sight.before_ms:
            ending.drop_offer(turn, call.id, offer, "lost")
            if turn.world.agents[offer.agent].phase is AgentPhase.OFFERED:
                agents.free(turn, offer.agent)
            turn.touch(call.queue)
        elif leg is not None and leg.state.lower() == "up":
            queueing.answered(turn, now, offer.leg)


def _mend_talk(turn: Turn, call: Call, sight: _Sight) -> None:
    if call.leg not in sight.seen:
        calls.far_gone(turn, call, LegGone(call.id, call.leg))
        return
    inside = sight.bridged.get(ending.bridge_of(call), ())
    joined_long_ago = (call.answered_at_ms or 0) < sight.before_ms
    if joined_long_ago and not {call.id, call.leg} <= set(inside):
        turn.do(commands.Join(call.id, turn.cause, call.leg, ending.bridge_of(call)))


def _mend_forward(turn: Turn, call: Call, sight: _Sight) -> None:
    leg = sight.seen.get(call.leg)
    if leg is None and (sight.resuming or sight.before_ms == _NO_SNAPSHOT_GUARD):
        outbound.forward_failed(turn, call, LegGone(call.id, call.leg, 34, 503))
    elif leg is not None and leg.state.lower() == "up":
        outbound.carried(turn, call)
        queueing.talk(turn, turn.world.calls[call.id], call.leg)


def _mend_agents(turn: Turn, event: SnapshotTaken, sight: _Sight) -> None:
    phones = {endpoint.endpoint: endpoint for endpoint in event.endpoints}
    for agent in list(turn.world.agents.values()):
        if agent.phase is not AgentPhase.IDLE:
            _mend_hands(turn, agent, sight)
        row = turn.setup.agent.get(agent.name)
        phone = phones.get(row.endpoint) if row else None
        now = turn.world.agents[agent.name]
        if phone is None:
            if now.reachable and sight.before_ms == _NO_SNAPSHOT_GUARD:
                turn.change_agent(agent.name, reachable=False, foreign=())
            continue
        foreign = tuple(sorted(name for name in phone.channels if _is_foreign(turn, name)))[: agents.FOREIGN_MAX]
        if foreign != now.foreign and not (now.foreign and now.since_ms >= sight.before_ms):
            turn.change_agent(agent.name, foreign=foreign)
        if phone.reachable != now.reachable:
            turn.change_agent(agent.name, reachable=phone.reachable)
        if phone.reachable and event.asked_at_ms is None:
            turn.change_agent(agent.name, unreachable_until_ms=None)


def _is_foreign(turn: Turn, channel: str) -> bool:
    call = turn.world.calls.get(channel)
    return ids.parse(channel) is None and (call is None or call.direction != "outbound")


def _mend_hands(turn: Turn, agent: Agent, sight: _Sight) -> None:
    call = turn.world.calls.get(agent.call)
    if agent.phase is AgentPhase.RELEASING:
        lost = agent.leg not in sight.seen
    elif agent.phase is AgentPhase.OFFERED:
        lost = call is None or all(offer.leg != agent.leg for offer in call.offers)
    else:
        lost = call is None or call.agent != agent.name
    if lost:
        agents.free(turn, agent.name)


def _hang_up_orphans(turn: Turn, sight: _Sight) -> None:
    for channel in sight.seen.values():
        name = ids.parse(channel.id)
        if name is not None and name.kind in ("a", "p") and not _wanted(turn, name.call, channel.id):
            sight.orphans += 1
            turn.do(commands.HangUp(name.call, turn.cause, channel.id))
    for bridge in sight.bridged:
        name = ids.parse(bridge)
        call = turn.world.calls.get(name.call) if name and name.kind == "br" else None
        if name is not None and name.kind == "br" and (call is None or call.phase is not Phase.TALKING):
            sight.orphans += 1
            turn.do(commands.CloseBridge(name.call, turn.cause, bridge))


def _wanted(turn: Turn, call_id: str, leg: str) -> bool:
    if leg in turn.world.agent_of_leg:
        return True
    call = turn.world.calls.get(call_id)
    return call is not None and (call.leg == leg or any(offer.leg == leg for offer in call.offers))


def _let_in(turn: Turn, event: SnapshotTaken, sight: _Sight) -> None:
    for channel in event.channels:
        if channel.ours and channel.role == "inbound" and channel.id not in turn.world.calls:
            if event.asked_at_ms is not None:
                continue
            sight.adopted += 1
            calls.arrive(turn, CallArrived(channel.id, channel.dialled, channel.caller, channel.caller_name))


def shifted(turn: Turn, delta_ms: int) -> None:
    """The wall clock was stepped: move every stored instant with it, so that durations and rests stay true."""
    for entity in list(turn.world.entities()):
        moved: dict[str, Any] = {
            name: value + delta_ms
            for name in entity.__dataclass_fields__
            if name.endswith("_ms") and isinstance(value := getattr(entity, name), int) and value
        }
        if isinstance(entity, Call):
            moved["offers"] = tuple(
                replace(o, offered_at_ms=o.offered_at_ms + delta_ms, until_ms=o.until_ms + delta_ms)
                for o in entity.offers
            )
        if moved:
            row: Any = entity
            turn.put(replace(row, **moved))
