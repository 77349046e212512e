"""What calls out use up: counted when they leave, when they are answered and when they are over.

The counts are live rows (`Use` of an agent, a hotline, a trunk; `CalleeDay`), written with the step that changes them,
so a daemon that is killed finds every cap where it was. A talk that would go past a cap on minutes has an end that is
a deadline like any other.
"""

from __future__ import annotations

from zlib import crc32

from controller.core import candidates, figures, numbers, quota
from controller.core.evolve import evolve
from controller.core.model import AgentUse, Attempt, Call, CalleeDay, HotlineState, TrunkState
from controller.core.setup import Hotline, Limits
from controller.core.turn import Turn

FORGET_WITHIN_MS = 1_800_000


def may(turn: Turn, call: Call, attempt: Attempt) -> bool:
    """Whether an attempt may be made now: since it was picked, the setup and the use of its hotline may differ."""
    if attempt.number in turn.setup.defaults.emergency:
        return True
    if _tried_before(call) and numbers.is_blocked(turn.setup, call.callee, "outbound", turn.now_ms):
        return False
    hotline = turn.setup.hotline.get(attempt.hotline)
    if hotline is None or candidates.barred(turn.setup, _whose(call), hotline)[0]:
        return False
    state, day = _state(turn, hotline.number), figures.today(turn.world, turn.now_ms)
    counted = _counted(state, call)
    if quota.room(state.use, hotline.limits, turn.now_ms, day, call.id, counted=counted):
        return False
    row = _callee(turn, hotline, call)
    most = hotline.limits.calls_per_callee
    return not most or counted or row is None or row.day != day or row.calls < most


def _tried_before(call: Call) -> bool:
    """Whether this is a further attempt; the first is made in the step that looked at everything."""
    return call.attempt > 0 or call.attempt_at_ms is not None


def _counted(state: HotlineState, call: Call) -> bool:
    """Whether the call counts for this hotline already: it is up there, or left by it and then by another before."""
    return call.id in state.use.live or any(row.hotline == state.number for row in call.attempts[: call.attempt])


def begin(turn: Turn, call: Call, attempt: Attempt) -> None:
    """The call leaves by this hotline; another one it tried before no longer carries it. It is its agent's call too."""
    _begin_agent(turn, call)
    day, now_ms = figures.today(turn.world, turn.now_ms), turn.now_ms
    for number in dict.fromkeys(row.hotline for row in call.attempts):
        if number != attempt.hotline:
            _over_hotline(turn, call, number, None)
    hotline = turn.setup.hotline.get(attempt.hotline)
    state = _state(turn, attempt.hotline)
    counted = _counted(state, call)
    if hotline is not None and hotline.limits.calls_per_callee and not counted:
        row = _callee(turn, hotline, call)
        before = row.calls if row is not None and row.day == day else 0
        name = candidates.callee_id(hotline.number, call.callee)
        # Forgotten some time after midnight, not all in one step.
        until_ms = turn.world.day_ends_ms + crc32(name.encode()) % FORGET_WITHIN_MS
        turn.put(CalleeDay(name, day, before + 1, until_ms))
    limits = hotline.limits if hotline else Limits()
    use = quota.begin(state.use, limits, call.id, now_ms, day, counted=counted)
    turn.put(evolve(state, used_at_ms=now_ms, use=use))


def _whose(call: Call) -> str:
    """The agent a call out belongs to: who dialled, who sent a caller on, or who consults a phone; empty for a menu
    that leads to a phone.
    """
    return call.agent if call.direction == "outbound" else call.served_by or call.agent


def _begin_agent(turn: Turn, call: Call) -> None:
    agent = turn.setup.agent.get(_whose(call))
    if agent is not None:
        row = of_agent(turn, agent.name)
        day = figures.today(turn.world, turn.now_ms)
        turn.put(evolve(row, use=quota.begin(row.use, agent.limits, call.id, turn.now_ms, day)))


def answered(turn: Turn, call: Call) -> None:
    """The talk begins: whoever has minutes to count counts them, and it has an end where an agent's talks have one."""
    if _is_emergency(turn, call):
        return
    hotline = turn.world.hotlines.get(_carrier_hotline(turn, call))
    if hotline is not None and _minutes(turn, hotline):
        _put(turn, evolve(hotline, use=quota.answered(hotline.use, call.id, turn.now_ms)))
    trunk = turn.world.trunks.get(call.trunk)
    if trunk is not None and _minutes(turn, trunk):
        _put(turn, evolve(trunk, use=quota.answered(trunk.use, call.id, turn.now_ms)))
    agent = turn.world.agent_uses.get(_whose(call))
    if agent is not None and call.id in agent.use.live:
        _put(turn, evolve(agent, use=quota.answered(agent.use, call.id, turn.now_ms)))
        longest_ms = talk_max_ms(turn, call)
        if longest_ms is not None:
            turn.change_call(call.id, talk_ends_at_ms=turn.now_ms + longest_ms)


def over(turn: Turn, call: Call) -> None:
    """The call is over: it no longer counts as up, and its talk is added to the day."""
    since_ms, carrier = _since_ms(turn, call), _carrier_hotline(turn, call)
    for number in dict.fromkeys(row.hotline for row in call.attempts):
        _over_hotline(turn, call, number, since_ms if number == carrier else None)
    row = turn.world.agent_uses.get(_whose(call))
    if row is not None and call.id in row.use.live:
        day = figures.today(turn.world, turn.now_ms)
        _put(turn, evolve(row, use=quota.end(row.use, call.id, turn.now_ms, day, since_ms)))


def _since_ms(turn: Turn, call: Call) -> int | None:
    """Since when a call out talks, where no row says so; what an agent said to a caller is no talk by a trunk."""
    return call.answered_at_ms if call.direction == "outbound" and not _is_emergency(turn, call) else None


def over_trunk(turn: Turn, state: TrunkState, call: Call) -> TrunkState:
    """The same for the minutes of a trunk that has a cap on them."""
    if call.id not in state.use.live:
        return state
    day = figures.today(turn.world, turn.now_ms)
    use = quota.end(state.use, call.id, turn.now_ms, day, _since_ms(turn, call))
    minutes = _minutes(turn, state)
    return evolve(state, use=use, runs_out_ms=quota.runs_out_ms(use, minutes, turn.now_ms, day))


def begin_trunk(turn: Turn, state: TrunkState, call: str) -> TrunkState:
    """A call begins on a trunk whose minutes are counted."""
    if not _minutes(turn, state):
        return state
    day = figures.today(turn.world, turn.now_ms)
    return evolve(state, use=quota.begin(state.use, Limits(), call, turn.now_ms, day))


def spent(turn: Turn, row: HotlineState | TrunkState | AgentUse) -> tuple[str, ...]:
    """The minutes of a row may be used up now: the talks that must end, none when there is time left (a new day)."""
    day, minutes = figures.today(turn.world, turn.now_ms), _minutes(turn, row)
    left_ms = quota.left_ms(row.use, minutes, turn.now_ms, day)
    if left_ms == 0:
        turn.put(evolve(row, runs_out_ms=None))
        return tuple(call for call, _ in row.use.talks)
    turn.put(evolve(row, runs_out_ms=quota.runs_out_ms(row.use, minutes, turn.now_ms, day)))
    return ()


def talk_max_ms(turn: Turn, call: Call) -> int | None:
    """How long the agent's call out may talk now: the longest call, or what is left of the day; None without an end."""
    agent = turn.setup.agent.get(_whose(call))
    if agent is None or _is_emergency(turn, call):
        return None
    longest_s = (agent.reach or turn.setup.defaults.reach).longest_call
    day = figures.today(turn.world, turn.now_ms)
    left_ms = quota.left_ms(of_agent(turn, agent.name).use, agent.limits.minutes_per_day, turn.now_ms, day)
    ends = [at_ms for at_ms in (longest_s * 1000 or None, left_ms) if at_ms is not None]
    return max(1000, min(ends)) if ends else None


def of_agent(turn: Turn, agent: str) -> AgentUse:
    """What an agent has used."""
    return turn.world.agent_uses.get(agent) or AgentUse(agent)


def _state(turn: Turn, number: str) -> HotlineState:
    return turn.world.hotlines.get(number) or HotlineState(number)


def _callee(turn: Turn, hotline: Hotline, call: Call) -> CalleeDay | None:
    return turn.world.callee_days.get(candidates.callee_id(hotline.number, call.callee))


def _carrier_hotline(turn: Turn, call: Call) -> str:
    """The hotline that counts this call as up."""
    numbers = dict.fromkeys(row.hotline for row in call.attempts)
    return next((number for number in numbers if call.id in _state(turn, number).use.live), "")


def _over_hotline(turn: Turn, call: Call, number: str, since_ms: int | None) -> None:
    state = turn.world.hotlines.get(number)
    if state is not None and call.id in state.use.live:
        day = figures.today(turn.world, turn.now_ms)
        _put(turn, evolve(state, use=quota.end(state.use, call.id, turn.now_ms, day, since_ms)))


def _is_emergency(turn: Turn, call: Call) -> bool:
    """Whether the present attempt leads to an emergency number, whose talk nothing ends."""
    attempt = call.attempts[call.attempt - 1] if 0 < call.attempt <= len(call.attempts) else None
    return attempt is not None and attempt.number in turn.setup.defaults.emergency


def _minutes(turn: Turn, row: HotlineState | TrunkState | AgentUse) -> int:
    if isinstance(row, AgentUse):
        agent = turn.setup.agent.get(row.agent)
        return agent.limits.minutes_per_day if agent else 0
    if isinstance(row, TrunkState):
        trunk = turn.setup.trunk.get(row.name)
        return trunk.minutes_per_day if trunk else 0
    hotline = turn.setup.hotline.get(row.number)
    return hotline.limits.minutes_per_day if hotline else 0


def _put(turn: Turn, row: HotlineState | TrunkState | AgentUse) -> None:
    day = figures.today(turn.world, turn.now_ms)
    turn.put(evolve(row, runs_out_ms=quota.runs_out_ms(row.use, _minutes(turn, row), turn.now_ms, day)))
