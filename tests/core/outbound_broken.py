"""The rules of calling out, each broken in one line of the core: the table of `outbound_mutants`."""

from __future__ import annotations

from typing import NamedTuple


class Broken(NamedTuple):
    """What no longer holds when the first `good` of a file is turned into `bad`."""

    name: str
    good: str
    bad: str


def never(name: str, good: str) -> Broken:
    """A condition that keeps something out, or an `if` with it, as if it never held."""
    return Broken(name, good, "if False:" if good.startswith("if ") else "False")


def undone(name: str, good: str) -> Broken:
    """Something that is not done any more."""
    return Broken(name, good, "pass")


def cap(name: str, good: str) -> tuple[Broken, Broken]:
    """A cap that is one too wide, and one that is not there at all."""
    return Broken(f"{name}: one too many", good, good.replace(">=", ">")), never(f"{name}: no cap", good)


DRAWN = 'salt=f"{agent}/{_calls(world, agent, day)}" if agent else asked.call'
FAILED = 'leaving.failed(turn, call, "CONGESTION", event.cause, event.tech_cause or 0)'

BROKEN: dict[str, tuple[Broken, ...]] = {
    "asking": (
        Broken("explain by its name", DRAWN, "salt=asked.call"),
        Broken("explain by the instant", DRAWN, "salt=str(now_ms)"),
        Broken("explain without uses", "        agent_uses=world.agent_uses,\n", ""),
    ),
    "call": (
        undone("answered late, a caller there", "turn.do(commands.HangUp(call.id, turn.cause, event.leg))"),
        undone("answered late, nobody there", "turn.do(commands.HangUp(event.call, turn.cause, event.leg))"),
        Broken(
            "an agent who leaves ends the caller",
            "    if call.consult:\n        consulting.hand_over(turn, call)",
            "    if False:\n        pass",
        ),
    ),
    "candidates": (
        never("virtual", 'if hotline.kind == "virtual":'),
        never("outbound = false", "if not hotline.outbound:"),
        never("groups", "if agent and allowed is not None:"),
        never("excluded kinds", "if notes.kind in trunk.excluded_kinds:"),
        never(
            "excluded prefixes",
            "if trunk.excluded_prefixes and notes.compared.startswith(trunk.excluded_prefixes):",
        ),
        never("service number chosen", 'not hotline.number.startswith("+")'),
        *cap("calls to one number", "row.calls >= most"),
        Broken(
            "spare of another carrier",
            "question.setup.trunks_of_carrier.get(own.carrier, ()) if own else ()",
            "question.setup.trunks if own else ()",
        ),
    ),
    "clicking": (
        Broken("clicked by nobody", "outbound.question(turn, event, call.agent)", 'outbound.question(turn, event, "")'),
    ),
    "consulting": (
        never("two phones asked", "if call.consult:"),
        undone("asked and not counted as talk", "outbound.carried(turn, call)"),
        undone("asked by a trunk that failed", FAILED),
        Broken("asked on after busy", "elif outbound.trunk_failed(event):", "elif True:"),
        Broken("asked without end", "if call.consult:\n        leaving.tried", "if False:\n        leaving.tried"),
        never("a phone lost unheard", "if state is None:"),
        never("picked up unheard, for an agent", 'if state == "up":'),
    ),
    "ending": (
        undone("called off and still ringing", "turn.do(commands.HangUp(call.id, turn.cause, call.consult))"),
        undone("called off and not given back", 'leaving.give_up(turn, turn.world.calls[call.id], "CANCEL")'),
    ),
    "leaving": (
        never("emergency by caps", "if attempt.number in turn.setup.defaults.emergency:"),
        Broken("any call ends a trial", "state.probe == call.id and (rang", "state.pauses and (True or rang"),
        undone("called off and on its trunk", "release(turn, turn.world.calls[call.id])"),
        undone("called off and on its hotline", "spending.over(turn, turn.world.calls[call.id])"),
        Broken("over and on its trunk", "    release(turn, call)\n    spending.over", "    spending.over"),
    ),
    "meter": (
        *cap("channels", "len(state.live) >= trunk.max_channels"),
        *cap("cps", "len(_recent(state, now_ms)) >= trunk.max_cps"),
        never("trunk minutes", "quota.talked_ms(state.use, now_ms, day) >= minutes * quota.MINUTE_MS"),
        never("switched off", "if not trunk.enabled:"),
        never("unreachable", "if not state.reachable:"),
        never("left out", "if left_ms:"),
        never("no trial", "if state.probe and state.probe in state.live:"),
        never("next: trunk", "if unusable(state, trunk, now_ms, day):"),
        Broken("never left out", "FAILURES_MAX = 3", "FAILURES_MAX = 4"),
        Broken("a shorter pause", "COOL_DOWN_MIN_MS = 30_000", "COOL_DOWN_MIN_MS = 20_000"),
        Broken("starts forgotten", "CPS_WINDOW_MS = 1_000", "CPS_WINDOW_MS = 900"),
        Broken("starts not noted", "starts_ms=(*_recent(state, now_ms), now_ms), probe", "starts_ms=(), probe"),
        Broken("channel not held", "live=(*others, call)", "live=others"),
    ),
    "outbound": (
        never("next after busy", "if event.status not in leaving.TRUNK_STATUS:"),
        never("a second call", "if agent.phase is AgentPhase.TALKING or agent.phase in OUT:"),
        Broken("sent on after busy", "    if trunk_failed(event):", "    if True:"),
    ),
    "quota": (
        *cap("calls at once", "len(use.live) >= limits.calls_at_once"),
        *cap("calls a minute", "len(_recent(use, now_ms)) >= limits.calls_per_minute"),
        *cap("calls a day", "use.calls >= limits.calls_per_day"),
        never("minutes a day", "talked_ms(use, now_ms, day) >= limits.minutes_per_day * MINUTE_MS"),
        Broken("minute forgotten", "MINUTE_MS = 60_000", "MINUTE_MS = 55_000"),
        Broken("calls not counted", "calls=today.calls + 1", "calls=today.calls"),
        Broken("talk not counted", "talked_ms=today.talked_ms + talked", "talked_ms=today.talked_ms"),
        Broken("talks that go on", "sum(max(0, now_ms - at_ms) for _, at_ms in use.talks)", "0"),
    ),
    "reconcile": (
        undone("picked up unheard, for a caller", "outbound.carried(turn, call)"),
        Broken("the phone goes with the agent", "if call.consult not in sight.seen:", "if True:"),
    ),
    "spending": (
        never("emergency by permission", "if attempt.number in turn.setup.defaults.emergency:"),
        never("next: blocked", 'numbers.is_blocked(turn.setup, call.callee, "outbound", turn.now_ms)'),
        Broken(
            "back is counted again", " or any(row.hotline == state.number for row in call.attempts[: call.attempt])", ""
        ),
        Broken("rung again: blocked", " or call.attempt_at_ms is not None", ""),
        never("next: barred", "candidates.barred(turn.setup, _whose(call), hotline)[0]"),
        never("next: limits", "quota.room(state.use, hotline.limits, turn.now_ms, day, call.id, counted=counted)"),
        Broken("next: callee", "row is None or row.day != day or row.calls < most", "True"),
        undone("agent not counted", "_begin_agent(turn, call)"),
        Broken("callee not counted", "day, before + 1, until_ms)", "day, before, until_ms)"),
        Broken("handed over is nobody's", "call.served_by or call.agent", "call.agent"),
        Broken("what was said before costs", 'call.direction == "outbound" and not', "not"),
        Broken("emergency costs minutes", " and not _is_emergency(turn, call) else None", " else None"),
        never("emergency talk has an end", "if _is_emergency(turn, call):"),
        Broken("no longest call", "longest_s * 1000 or None", "None"),
        Broken("minutes end nothing", "return tuple(call for call, _ in row.use.talks)", "return ()"),
    ),
    "transferring": (
        Broken("sent on by nobody", "agent=call.agent, ported", 'agent="", ported'),
        Broken("sent on by the agent's number", "event.via or call.hotline", "event.via"),
        never("sent on while a phone is asked", "if call.consult:"),
        never("sent on by who is gone", "call.phase is not Phase.TALKING or not call.agent"),
        Broken("refused and let go", "if decision.allowed:", "if True:"),
        Broken("sent on is nobody's", '"served_by": call.agent', '"served_by": ""'),
        Broken("handed over without end", '"talk_ends_at_ms": ends_at_ms', '"talk_ends_at_ms": None'),
    ),
    "trunks": (
        never("blocked", "if row:"),
        never("reach", "if reason:"),
        never("agent's limits", "if words:"),
        never("hours", "not hours.is_open(schedule, question.now_ms)"),
        Broken("more attempts", "ATTEMPTS_MAX = 3", "ATTEMPTS_MAX = 4"),
        Broken("adaptive outbound = false", "if adaptive.outbound:", "if True:"),
        Broken("blocked in another scope", '"outbound", question.now_ms)', '"queue", question.now_ms)'),
        Broken("reach of the agent", "agent.reach if agent and agent.reach else", "Reach() if False else"),
        Broken("emergency kept waiting", '("" if emergency else _limited', "(_limited"),
        Broken("a trunk twice", "attempts[trunk.name] =", "attempts[trunk.name + hotline] ="),
    ),
    "waking": (Broken("the longest call ends the caller", "    if call.consult:", "    if False:"),),
    "ways": (
        Broken("led on by another hotline", "way.hotline or call.hotline))", "call.hotline))"),
        Broken("the number that was called is shown", "            attempt.caller_id,", "            call.hotline,"),
    ),
}
"""By file of the core."""
