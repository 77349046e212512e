"""Waiting: into the queue, offers and what comes of them, and out again.

A caller waits in the order of (queue entry, id) and keeps that place whatever the agents do: an offer that is
declined, busy, unreachable or not answered costs only time. The entry time is that of the first queue, so a caller who
overflows into another queue keeps the time already waited; the longest wait counts anew in each queue.
"""

from __future__ import annotations

from controller.core import agent as agents
from controller.core import alerts, commands, ending, facts, figures, hours, numbers, ways
from controller.core.model import Call, Offer, Phase
from controller.core.setup import Queue, Way
from controller.core.turn import Turn

HOPS_MAX = 8
RETRY_PAUSE_MS = 2_000

_BUSY = (486, 600)
_DECLINED = (603, 607, 608, *range(300, 400))
"""A redirect is a refusal: where our caller goes is not for a phone to say."""
_USER_BUSY, _REJECTED = 17, 21
_SILENT_CAUSES = (18, 19)
_CLEARED_CAUSES = (16, 26, 127)


def enter(turn: Turn, call: Call, name: str) -> None:
    """Put a caller into a queue, or on its way out when it cannot take them."""
    queue = turn.setup.queue.get(name)
    if queue is None or call.hops_queue >= HOPS_MAX:
        ending.hang_up(turn, call, "overflow")
        return
    call = turn.change_call(call.id, hops_queue=call.hops_queue + 1)
    if numbers.is_blocked(turn.setup, call.caller, "queue", turn.now_ms):
        ending.hang_up(turn, call, "blocked", q850=21, result="blocked", reason="blocked")
    elif (refused := _refusal(turn, queue)) is not None:
        way, why = refused
        if call.queued_at_ms is None and why != "closed":
            _count_entry(turn, call, queue)
        ways.take(turn, call.id, way, why)
    else:
        _wait(turn, call, queue)


def _refusal(turn: Turn, queue: Queue) -> tuple[Way, str] | None:
    schedule = turn.setup.schedule.get(queue.hours)
    if schedule is not None and not hours.is_open(schedule, turn.now_ms):
        return queue.closed, "closed"
    if turn.world.signed_in(queue.name) == 0:
        return queue.on_no_agent, "no_agent"
    if turn.world.queue_size(queue.name) >= queue.max_size:
        return queue.on_full, "full"
    return None


def _count_entry(turn: Turn, call: Call, queue: Queue) -> None:
    figures.count(turn, queue.name, queued=1)
    turn.change_call(call.id, queue=queue.name, queued_at_ms=turn.now_ms)


def _wait(turn: Turn, call: Call, queue: Queue) -> None:
    call = ways.pick_up(turn, call)
    hotline = turn.setup.hotline.get(call.hotline)
    queued_at_ms = call.queued_at_ms if call.queued_at_ms is not None else turn.now_ms
    raised = f"{call.id}.answer_time" in turn.world.alerts
    alert_at_ms = None if call.answer_limit_s is None or raised else queued_at_ms + 1000 * call.answer_limit_s
    if alert_at_ms is not None and alert_at_ms <= turn.now_ms:
        alert_at_ms = turn.now_ms + 1
    turn.change_call(
        call.id,
        phase=Phase.WAITING,
        queue=queue.name,
        queued_at_ms=queued_at_ms,
        max_wait_at_ms=turn.now_ms + 1000 * queue.max_wait,
        answer_alert_at_ms=alert_at_ms,
        wrap_up_s=max(queue.wrap_up, hotline.wrap_up if hotline else 0),
        tried=(),
        offers=(),
        result="",
    )
    figures.count(turn, queue.name, queued=1)
    turn.do(commands.StartMusic(call.id, turn.cause, queue.music))
    turn.say(facts.CallQueued(call.id, queue.name, turn.world.position(turn.world.calls[call.id]) or 0))
    turn.touch(queue.name)


def offer(turn: Turn, call: Call, queue: Queue, agent: str, leg: str, why: str) -> None:
    """Reserve one agent for a caller and ring the phone."""
    until_ms = turn.now_ms + 1000 * queue.ring_time
    turn.change_call(
        call.id,
        offers=(*call.offers, Offer(agent, leg, turn.now_ms, until_ms)),
        offer_count=call.offer_count + 1,
        legs=call.legs + 1,
        retry_at_ms=None,
    )
    agents.offer(turn, agent, call.id, leg)
    figures.count(turn, queue.name, offered=1)
    endpoint = turn.setup.agent[agent].endpoint
    turn.do(commands.RingAgent(call.id, turn.cause, leg, endpoint, call.caller, call.caller_name, queue.ring_time + 5))
    turn.say(facts.CallOffered(call.id, queue.name, agent, leg, why))


def offer_gone(turn: Turn, call: Call, leg: str, outcome: str) -> bool:
    """A leg that was offered is gone: the agent is free again, the caller is offered to the next."""
    found = next((offer for offer in call.offers if offer.leg == leg), None)
    if found is None:
        return False
    ending.drop_offer(turn, call.id, found, outcome)
    _mark_tried(turn, call.id, found.agent)
    if outcome == "no_answer":
        _rang_out(turn, call, found.agent)
    elif outcome == "declined" and found.agent in turn.world.agents:
        agents.is_there(turn, found.agent)
    if agents.holds(turn, found.agent, leg):
        agents.free(turn, found.agent)
        if outcome == "unreachable":
            agents.set_aside(turn, found.agent)
    return True


def outcome_of(cause: int, tech_cause: int | None) -> str:
    """What the causes of a leg's end say about the phone (Q.850, RFC 3261)."""
    if tech_cause in _BUSY or (tech_cause is None and cause == _USER_BUSY):
        return "busy"
    if tech_cause in _DECLINED or (tech_cause is None and cause == _REJECTED):
        return "declined"
    if cause in _SILENT_CAUSES and tech_cause in (None, 480, 487):
        return "no_answer"
    if cause in _CLEARED_CAUSES:
        return "declined"
    return "unreachable"


def withdraw(turn: Turn, agent: str, outcome: str) -> None:
    """Take an offer away from an agent who can no longer take it; the caller goes on to the next."""
    call = turn.world.calls.get(turn.world.agents[agent].call)
    found = next((offer for offer in call.offers if offer.agent == agent), None) if call else None
    if call is None or found is None:
        return
    ending.withdraw(turn, call.id, found, outcome)
    _mark_tried(turn, call.id, agent)


def _mark_tried(turn: Turn, call_id: str, agent: str) -> None:
    call = turn.world.calls[call_id]
    if agent not in call.tried:
        turn.change_call(call_id, tried=(*call.tried, agent))
    turn.touch(call.queue)


def _rang_out(turn: Turn, call: Call, agent: str) -> None:
    queue = turn.setup.queue.get(call.queue)
    if agent in turn.world.agents:
        agents.rang_out(turn, agent, queue.pause_after if queue else 0)


def ring_time_over(turn: Turn, call: Call) -> None:
    """Ring time has ended for some offers: give those up. A phone that never even rang is set aside."""
    for found in call.offers:
        if found.until_ms <= turn.now_ms:
            ending.withdraw(turn, call.id, found, "no_answer" if found.ringing else "unreachable")
            _mark_tried(turn, call.id, found.agent)
            if found.ringing:
                _rang_out(turn, call, found.agent)
            elif found.agent in turn.world.agents:
                agents.set_aside(turn, found.agent)


def retry(turn: Turn, call: Call) -> None:
    """Everybody had been tried; the pause is over and a new round begins."""
    turn.change_call(call.id, retry_at_ms=None, tried=())
    turn.touch(call.queue)


def max_wait_over(turn: Turn, call: Call) -> None:
    """The longest wait has passed."""
    queue = turn.setup.queue.get(call.queue)
    leave(turn, call, queue.on_max_wait if queue else Way(), "max_wait")


def leave(turn: Turn, call: Call, way: Way, why: str) -> None:
    """Out of the queue by one of its ways out."""
    ending.withdraw_all(turn, call.id)
    ways.take(turn, call.id, way, why)


def nobody_left(turn: Turn, queue: Queue) -> None:
    """The last agent signed out: whoever waits takes the way out for that."""
    if turn.world.signed_in(queue.name) == 0:
        for call in turn.world.waiting(queue.name):
            leave(turn, call, queue.on_no_agent, "no_agent")


def answered(turn: Turn, call: Call, leg: str) -> None:
    """The first of the offered agents answered: join, let the others go."""
    found = next(offer for offer in call.offers if offer.leg == leg)
    queue = turn.setup.queue.get(call.queue)
    own = turn.setup.agent[found.agent].wrap_up if found.agent in turn.setup.agent else None
    ending.withdraw_all(turn, call.id, but=leg, outcome="answered_elsewhere")
    agents.move(turn, found.agent, "answered", unanswered=0)
    agent = turn.world.agents[found.agent]
    turn.change_agent(found.agent, answered_today=agent.answered_today + 1, day=figures.today(turn.world, turn.now_ms))
    call = turn.change_call(
        call.id, offers=(), tried=(), agent=found.agent, wrap_up_s=call.wrap_up_s if own is None else own
    )
    talk(turn, call, leg)
    _count_answer(turn, call, queue)
    if queue is not None and queue.record:
        record(turn, call)


def _count_answer(turn: Turn, call: Call, queue: Queue | None) -> None:
    waited_ms = max(0, turn.now_ms - (call.queued_at_ms if call.queued_at_ms is not None else turn.now_ms))
    in_sla = queue is not None and queue.sla is not None and waited_ms <= 1000 * queue.sla.seconds
    figures.count(turn, call.queue, answered=1, wait_sum_ms=waited_ms, answered_in_sla=int(in_sla))


def talk(turn: Turn, call: Call, leg: str) -> None:
    """Caller and far side hear each other from here on."""
    talk_alert_at_ms = None if call.talk_limit_s is None else turn.now_ms + 1000 * call.talk_limit_s
    # When a talk by a trunk must end was decided as the phone was picked up, perhaps before the caller got it.
    ends_at_ms = turn.world.calls[call.id].talk_ends_at_ms
    fields = {**ending.CALM, "talk_alert_at_ms": talk_alert_at_ms, "talk_ends_at_ms": ends_at_ms}
    waited_from = call.queued_at_ms if call.queued_at_ms is not None else call.arrived_at_ms
    answered_at_ms = turn.now_ms if call.answered_at_ms is None else call.answered_at_ms
    turn.change_call(
        call.id, **fields, phase=Phase.TALKING, leg=leg, answered_at_ms=answered_at_ms, answer_alert_at_ms=None
    )
    turn.change_call(call.id, parties_at_ms=turn.now_ms)
    alerts.clear(turn, call.id, "answer_time")
    turn.do(commands.Join(call.id, turn.cause, leg, ending.bridge_of(call)))
    if call.served_by:
        turn.say(facts.TransferAnswered(call.id, call.callee))
        return
    turn.say(facts.CallAnswered(call.id, call.hotline, call.queue, call.agent, max(0, turn.now_ms - waited_from)))


def record(turn: Turn, call: Call) -> None:
    """Record the talk from its beginning."""
    name = f"calls/{call.id}"
    turn.change_call(call.id, recording=name)
    turn.do(commands.Record(call.id, turn.cause, ending.bridge_of(call), name))
