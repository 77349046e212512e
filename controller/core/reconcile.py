"""Bringing books and telephone together: Asterisk is right about channels, the ledger about wishes.

After a start, a cut event stream or a restart of Asterisk (a *resync*), and every so often besides (an *audit*), we
are shown everything Asterisk has. What is gone there is over here; what we made and nobody wants any more is hung up;
who arrived while we were not listening is let in; offers that were interrupted are made again; a talk whose legs are
not joined is joined.

An audit runs beside the calls: what was made, answered or told while it was under way is not in it, so it is believed
only about what is older than itself (`asked_at_ms`). A resync comes before anything else is heard and is believed
about everything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from controller.core import adopting, commands, consulting, ending, facts, ids, leaving, mishap, outbound, queueing
from controller.core import agent as agents
from controller.core import call as calls
from controller.core.events import ChannelSeen, EndpointSeen, LegGone, LegRinging, SnapshotTaken
from controller.core.model import Agent, AgentPhase, Call, Pbx, Phase
from controller.core.turn import Turn

PBX = "asterisk"
PROMPT_GRACE_MS = 10_000
"""A prompt may have ended while we did not listen: so much longer is it waited for after a resync."""
_NO_GUARD_MS = 2**62


@dataclass(slots=True)
class _Sight:
    """A snapshot, indexed, with what we count while mending. Only what is older than `before_ms` is judged by it."""

    seen: dict[str, ChannelSeen]
    bridged: dict[str, tuple[str, ...]]
    restarted: bool
    before_ms: int
    resync: bool
    ended: int = 0
    adopted: int = 0
    orphans: int = 0


def taken(turn: Turn, event: SnapshotTaken) -> None:
    """Mend every difference between the world and what Asterisk has; an audit from before a cut is of no use."""
    resync = event.asked_at_ms is None
    if not resync and not turn.world.linked:
        return
    known = turn.world.pbx.get(PBX, Pbx())
    sight = _Sight(
        seen={channel.id: channel for channel in event.channels},
        bridged={bridge.id: bridge.channels for bridge in event.bridges},
        restarted=bool(known.boot) and known.boot != event.boot,
        before_ms=_NO_GUARD_MS if event.asked_at_ms is None else event.asked_at_ms,
        resync=resync,
    )
    if known.boot != event.boot:
        turn.put(Pbx(PBX, event.boot))
    if resync:
        _listen_again(turn)
    for trunk in event.trunks:
        leaving.seen(turn, trunk.endpoint, trunk.reachable)
    for call in [row for row in turn.world.calls.values() if row.arrived_at_ms < sight.before_ms]:
        mishap.contained(turn, call, partial(_mend_call, turn, call, sight))
    _mend_agents(turn, event, sight)
    sight.adopted = adopting.let_in(turn, event)
    _hang_up_orphans(turn, sight)
    if resync or sight.ended or sight.adopted or sight.orphans or sight.restarted:
        turn.say(facts.Reconciled(sight.ended, sight.adopted, sight.orphans, sight.restarted))


def _listen_again(turn: Turn) -> None:
    turn.world.resuming = False
    turn.world.linked = True
    for queue in turn.setup.queues:
        turn.touch(queue.name)


# -- calls ---------------------------------------------------------------------------------------------------------


def _mend_call(turn: Turn, call: Call, sight: _Sight) -> None:
    channel = sight.seen.get(call.id)
    if channel is None or (call.direction == "inbound" and not channel.ours):
        sight.ended += 1
        _over(turn, call, sight)
        return
    if sight.resync and _unanswered(call, channel):
        # The word to answer was lost with the last life, or in the cut; unanswered, the dialplan soon takes the call
        # for abandoned.
        turn.do(commands.Answer(call.id, turn.cause))
    match call.phase:
        case Phase.WAITING:
            _mend_waiting(turn, call, sight)
            adopting.move_on(turn, call.id)
        case Phase.TALKING if (call.parties_at_ms or call.answered_at_ms or 0) < sight.before_ms:
            _mend_talk(turn, call, sight)
        case Phase.FORWARDING:
            _mend_forward(turn, call, sight)
        case Phase.ENDING:
            turn.do(commands.HangUp(call.id, turn.cause, call.id))
        case Phase.DIALING if channel.state.lower() == "up":
            outbound.channel_up(turn, call)
        case Phase.CONNECTED:
            outbound.talks(turn, call)
        case _ if call.prompt_until_ms is not None and sight.resync:
            until_ms = min(call.prompt_until_ms, turn.now_ms + PROMPT_GRACE_MS)
            turn.change_call(call.id, prompt_until_ms=until_ms)


def _unanswered(call: Call, channel: ChannelSeen) -> bool:
    """Whether a caller whom we meant to pick up was not."""
    meant = call.direction == "inbound" and call.channel_up and call.phase is not Phase.ENDING
    return meant and channel.state.lower() != "up"


def _over(turn: Turn, call: Call, sight: _Sight) -> None:
    if call.direction == "inbound":
        ending.gone(turn, call, "pbx_lost" if sight.restarted else "caller")
    elif sight.restarted:
        outbound.lost(turn, call)
    else:
        outbound.gone(turn, call)


def _mend_waiting(turn: Turn, call: Call, sight: _Sight) -> None:
    if sight.resync:
        queue = turn.setup.queue.get(call.queue)
        turn.do(commands.StartMusic(call.id, turn.cause, queue.music if queue else "default"))
    for offer in call.offers:
        now = turn.world.calls[call.id]
        if now.phase is not Phase.WAITING:
            return
        leg = sight.seen.get(offer.leg)
        held = agents.holds(turn, offer.agent, offer.leg)
        if leg is not None and leg.state.lower() == "up" and held:
            queueing.answered(turn, now, offer.leg)
        elif (leg is None and offer.offered_at_ms < sight.before_ms) or not held:
            ending.drop_offer(turn, call.id, offer, "lost")
            if held:
                agents.free(turn, offer.agent)
            turn.touch(call.queue)
        elif leg is not None and leg.state.lower() == "ring":
            calls.offer_rings(turn, now, LegRinging(call.id, offer.leg))


def _mend_talk(turn: Turn, call: Call, sight: _Sight) -> None:
    if call.leg not in sight.seen:
        if call.consult not in sight.seen:
            ending.end_consult(turn, call.id, "lost")
            call = turn.world.calls[call.id]
        calls.far_gone(turn, call, LegGone(call.id, call.leg))
        _mend_rest(turn, turn.world.calls[call.id], sight)
        return
    if call.agent and not agents.holds(turn, call.agent, call.leg):
        ending.end_consult(turn, call.id, "lost")
        adopting.take_hand(turn, call.agent, turn.world.calls[call.id])
    call = turn.world.calls[call.id]
    inside = sight.bridged.get(ending.bridge_of(call), ())
    if call.consult:
        phone = sight.seen.get(call.consult)
        state = None if phone is None else phone.state.lower()
        consulting.mend(turn, call, state, inside, resync=sight.resync)
    elif not {call.id, call.leg} <= set(inside):
        turn.do(commands.Join(call.id, turn.cause, call.leg, ending.bridge_of(call)))


def _mend_rest(turn: Turn, call: Call, sight: _Sight) -> None:
    """Where an agent who is gone left the caller to a phone, that phone is looked at too."""
    if call.phase is Phase.TALKING and call.leg:
        _mend_talk(turn, call, sight)
    elif call.phase is Phase.FORWARDING:
        _mend_forward(turn, call, sight)


def _mend_forward(turn: Turn, call: Call, sight: _Sight) -> None:
    leg = sight.seen.get(call.leg)
    if leg is None and sight.resync:
        outbound.forward_lost(turn, call)
    elif leg is not None and leg.state.lower() == "up":
        outbound.carried(turn, call)
        queueing.talk(turn, turn.world.calls[call.id], call.leg)


# -- agents --------------------------------------------------------------------------------------------------------


def _mend_agents(turn: Turn, event: SnapshotTaken, sight: _Sight) -> None:
    phones = {endpoint.endpoint: endpoint for endpoint in event.endpoints}
    for agent in list(turn.world.agents.values()):
        row = turn.setup.agent.get(agent.name)
        phone = phones.get(row.endpoint) if row else None
        mishap.contained(turn, agent, partial(_mend_agent, turn, agent.name, phone, sight))


def _mend_agent(turn: Turn, name: str, phone: EndpointSeen | None, sight: _Sight) -> None:
    agent = turn.world.agents[name]
    if agent.phase is not AgentPhase.IDLE and _lost(turn, agent, sight):
        agent = agents.free(turn, name)
    elif agent.phase is AgentPhase.RELEASING and sight.resync:
        agent = agents.release_again(turn, name)
    if phone is None:
        if agent.reachable and sight.resync:
            turn.change_agent(name, reachable=False, foreign=())
    elif agent.phone_at_ms < sight.before_ms:
        foreign = tuple(sorted(channel for channel in phone.channels if _is_foreign(turn, channel)))
        alive = phone.reachable and sight.resync
        after = replace(
            agent,
            reachable=phone.reachable,
            foreign=foreign[: agents.FOREIGN_MAX],
            phone_at_ms=turn.now_ms if sight.resync else agent.phone_at_ms,
            unreachable_until_ms=None if alive else agent.unreachable_until_ms,
        )
        if after != agent:
            turn.put(after)


def _is_foreign(turn: Turn, channel: str) -> bool:
    call = turn.world.calls.get(channel)
    return ids.parse(channel) is None and (call is None or call.direction != "outbound")


def _lost(turn: Turn, agent: Agent, sight: _Sight) -> bool:
    """Whether what an agent is busy with is gone."""
    call = turn.world.calls.get(agent.call)
    if agent.phase is AgentPhase.RELEASING:
        return agent.leg not in sight.seen and agent.last_offered_ms < sight.before_ms
    if agent.phase is AgentPhase.OFFERED:
        return call is None or all(offer.leg != agent.leg for offer in call.offers)
    return call is None or call.agent != agent.name


# -- what nobody wants -----------------------------------------------------------------------------------------------


def _hang_up_orphans(turn: Turn, sight: _Sight) -> None:
    for channel in sight.seen.values():
        name = ids.parse(channel.id)
        if name is not None and name.kind in ("a", "p") and not _wanted(turn, name.call, channel.id):
            sight.orphans += 1
            turn.do(commands.HangUp(name.call, turn.cause, channel.id))
    for bridge in sight.bridged:
        name = ids.parse(bridge)
        call = turn.world.calls.get(name.call) if name else None
        if name is not None and name.kind == "br" and (call is None or call.phase is not Phase.TALKING):
            sight.orphans += 1
            turn.do(commands.CloseBridge(name.call, turn.cause, bridge))


def _wanted(turn: Turn, call_id: str, leg: str) -> bool:
    if leg in turn.world.agent_of_leg:
        return True
    call = turn.world.calls.get(call_id)
    return call is not None and (leg in (call.leg, call.consult) or any(offer.leg == leg for offer in call.offers))
