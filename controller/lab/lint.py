"""What a dialplan may not do: the rules an attacker who chooses number, name and extension cannot get around.

A caller and a phone choose `${EXTEN}`, `${CALLERID(…)}` and what arrives in `${ARGn}`; in a dial string `&` adds a
destination and `@` a trunk, so none of them stands there unless FILTER leaves nothing but its alphabet. The rules
follow Asterisk's README-SERIOUSLY.bestpractices and its advisory AST-2010-002.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from controller.lab.dialplan_text import (
    Context,
    Dialplan,
    Step,
    arguments,
    inner,
    parse,
    reachable,
    targets,
    variables,
)

_PROGRAMS: Final = (
    "system trysystem mixmonitor monitor originate eagi deadagi externalivr exec tryexec dumpchan forkcdr"
)
FORBIDDEN_APPS: Final = frozenset(_PROGRAMS.split())
FORBIDDEN_FUNCTIONS: Final = frozenset({"SHELL", "EVAL", "FILE", "CURL", "ENV", "ODBC_SQL", "AMI_CLIENT"})
OTHER_STORE: Final = re.compile(r"\bDB(?:_[A-Z]+)?\((?!tongdai-calls[/)])")
"""Asterisk's database, but for the one family that is ours: the others belong to registrations and to the engineer."""

CHOSEN_OUTSIDE: Final = re.compile(
    r"EXTEN|CALLERID|CALLERIDNUM|CALLERIDNAME|ARG\d+|HOT_\w+|PJSIP_HEADER|SIP_HEADER|CONNECTEDLINE|REDIRECTING"
    r"|DNID|RDNIS|BLINDTRANSFER|SIPREFERTOHDR|HANGUPCAUSE_KEYS"
)
"""Variables somebody else writes."""

FILTERS: Final = frozenset({"FILTER", "LEN"})
WIDE: Final = re.compile(r"FILTER\([^,]*[&@$(][^,]*,\$\{(?!TD_)")
DIALLING: Final = frozenset({"Dial", "Originate", "AGI", "Stasis", "Playback", "Background", "Queue", "Page"})
"""Applications whose arguments decide where a call goes or what is opened."""

OURS: Final = frozenset({"TD_AGI", "TD_AGI_2", "TD_DOOR"})
"""Where the controllers are; `TD_DOOR` is one of the two others (`doors`)."""
DIAL_OPTIONS: Final = frozenset("gi")
_SECONDS = r"\$\{FILTER\(0-9,\$\{TD_TALK_%s\}\)\}000"
LONGEST_TALK: Final = re.compile(rf"L\({_SECONDS % 'MAX'}(?::{_SECONDS % 'WARNING'})?\)")
"""The one option with a value: how long a talk may last, and how long before its end a tone warns of it, in
milliseconds made of digits alone."""
STATUS: Final = {"Stasis": ("STASISSTATUS",), "AGI": ("TD_OK", "AGISTATUS")}
SOON: Final = 2
"""Steps within which a status is looked at, and before which a time-out is set."""

OPEN: Final = re.compile(r"[.!]")
LIMITED: Final = re.compile(r"TIMEOUT\(absolute\)\s*=\s*\d*[1-9]\d*")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One breach: the line, the rule's name, and what is wrong in one sentence."""

    line: int
    rule: str
    text: str


def lint(text: str) -> list[Finding]:
    """Every finding in a dialplan, by line."""
    plan = parse(text)
    odd = [Finding(line, "form", what) for line, what in plan.odd]
    return sorted([*odd, *_directives(text), *(found for rule in RULES for found in rule(plan))])


def _directives(text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(r"\s*#(exec|tryinclude)\b", line):
            yield Finding(number, "exec", "a program must not write the dialplan")


def _steps(plan: Dialplan) -> Iterator[Step]:
    for step in plan.steps():
        yield from inner(step)


def unfiltered(plan: Dialplan) -> Iterator[Finding]:
    """What somebody else writes passes FILTER before it is used for anything but a length."""
    for step in _steps(plan):
        target = step.args.partition("=")[0] if step.app == "Set" else ""
        if step.app in DIALLING and WIDE.search(step.args):
            yield Finding(step.line, "unfiltered", "a FILTER that lets through what has a meaning in a dial string")
        dialling = step.app in DIALLING or "PJSIP/" in step.args.partition("=")[2] or "PJSIP/" in step.args
        for name, around in variables(step.args):
            if FILTERS & set(around) or name == target:
                continue
            if CHOSEN_OUTSIDE.fullmatch(name):
                yield Finding(step.line, "unfiltered", f"{name} is used in {step.app} without FILTER")
            elif dialling and name not in FILTERS | OURS and not around:
                yield Finding(step.line, "unfiltered", f"{name} stands in {step.app} without FILTER")


def forbidden(plan: Dialplan) -> Iterator[Finding]:
    """No application or function that runs programs, writes files or makes calls of its own."""
    for step in _steps(plan):
        if step.app.lower() in FORBIDDEN_APPS:
            yield Finding(step.line, "forbidden", f"{step.app} is not used in this dialplan")
        words = {name for name, _ in variables(step.args)} | set(re.findall(r"\b([A-Z_]+)\(", step.args))
        for name in sorted(words & FORBIDDEN_FUNCTIONS):
            yield Finding(step.line, "forbidden", f"the function {name} is not used in this dialplan")
        if OTHER_STORE.search(step.args):
            yield Finding(step.line, "forbidden", "only our own rows in Asterisk's database are touched")


def channels(plan: Dialplan) -> Iterator[Finding]:
    """Only PJSIP is dialled, with options that give nobody keys or transfers, and forwarding is ignored."""
    for step in _steps(plan):
        if re.search(r"\bLocal/", step.args):
            yield Finding(step.line, "local", "a Local channel runs the dialplan again, as somebody else")
        if step.app != "Dial":
            continue
        rest = arguments(step)[1:]
        options = LONGEST_TALK.sub("", rest[1]) if len(rest) > 1 else ""
        if "i" not in options or not set(options) <= DIAL_OPTIONS:
            yield Finding(step.line, "dial-options", "Dial wants `i` and no option but g and a longest talk")
        if not rest or not rest[0]:
            yield Finding(step.line, "dial-options", "Dial without a time limit")


def inbound(plan: Dialplan) -> Iterator[Finding]:
    """A caller reaches exact numbers, and nothing that dials for agents."""
    names = reachable(plan, "inbound")
    for name in names:
        context = plan.contexts.get(name)
        for step in context.steps if context else ():
            if step.exten.startswith("_") and OPEN.search(step.exten):
                yield Finding(step.line, "open-pattern", f"{step.exten} in a context of callers")
            if step.exten == "i":
                yield Finding(step.line, "open-pattern", "an extension for every wrong number in a context of callers")
        for target in targets(context) if context else ():
            if "outbound" in target or "emergency" in target:
                yield Finding(context.line if context else 0, "toll", f"callers get from {name} to {target}")


def statuses(plan: Dialplan) -> Iterator[Finding]:
    """After Stasis and AGI the dialplan looks at what came of it; AGISTATUS alone permits no call."""
    for context, steps in _extensions(plan):
        for n, step in enumerate(steps):
            words = STATUS.get(step.app)
            after = [row for row in steps[n + 1 : n + 1 + SOON] if row.app in {"GotoIf", "ExecIf", "GosubIf"}]
            if words and not any(word in row.args for row in after for word in words):
                yield Finding(step.line, "status", f"{step.app} in {context.name} is not followed by a test")


def agi(plan: Dialplan) -> Iterator[Finding]:
    """AGI stands behind a time-out that can free the call, is asked anew, and permits by TD_OK alone."""
    for context, steps in _extensions(plan):
        for n, step in enumerate(steps):
            if step.app != "AGI":
                continue
            grants = not re.search(r"/ended\b", step.args)
            before = [row.args for row in steps[:n] if row.app == "Set"]
            if steps[0].exten != "h":
                yield from _net(context, step, [row.args for row in steps[max(0, n - SOON) : n]])
            if grants and not any(re.fullmatch(r"TD_OK\s*=\s*", args) for args in before):
                yield Finding(step.line, "agi", "TD_OK is not emptied before AGI")
            tests = [row.args for row in steps[n + 1 :] if row.app == "GotoIf"]
            if grants and not (tests and "TD_OK" in tests[0]):
                yield Finding(step.line, "agi", "the first thing looked at after AGI is not TD_OK")


def _net(context: Context, step: Step, just_before: list[str]) -> Iterator[Finding]:
    if not any(LIMITED.search(args) for args in just_before):
        yield Finding(step.line, "timeout", "AGI without TIMEOUT(absolute) before it")
    if "T" not in context.extens:
        yield Finding(step.line, "timeout", "AGI in a context without a T extension")


def doors(plan: Dialplan) -> Iterator[Finding]:
    """Only the addresses the engineer wrote are asked."""
    for step in _steps(plan):
        name, _, value = step.args.partition("=")
        if step.app == "Set" and name.strip() == "TD_DOOR" and value not in {"", "${TD_AGI}", "${TD_AGI_2}"}:
            yield Finding(step.line, "door", "TD_DOOR is set to something else than TD_AGI or TD_AGI_2")


def stasis(plan: Dialplan) -> Iterator[Finding]:
    """Stasis stands behind a time-out too, and nobody is answered before it."""
    for _, steps in _extensions(plan):
        for n, step in enumerate(steps):
            if step.app == "Stasis" and not any(LIMITED.search(row.args) for row in steps[:n]):
                yield Finding(step.line, "timeout", "Stasis without TIMEOUT(absolute) before it")
            if step.app == "Stasis" and any(row.app == "Answer" for row in steps[:n]):
                yield Finding(step.line, "answered", "the call is answered before the controller has it")


def trunks(plan: Dialplan) -> Iterator[Finding]:
    """A call by a trunk shows a number of ours, and its caller is not answered before the callee."""
    for context, steps in _extensions(plan):
        for n, step in enumerate(steps):
            if step.app != "Dial" or not _by_trunk(arguments(step)[0]):
                continue
            if not any(row.app == "Set" and re.match(r"CALLERID\((all|num)\)=", row.args) for row in steps[:n]):
                yield Finding(step.line, "caller-id", f"{context.name} dials a trunk with the phone's own caller id")
            if any(row.app == "Answer" for row in steps[:n]):
                yield Finding(step.line, "answered", "the call is answered before the callee answers")


def _by_trunk(destination: str) -> bool:
    """Whether a dial string names a number at an endpoint; an `@` in the alphabet of a FILTER is none."""
    return destination.startswith("PJSIP/") and "@" in re.sub(r"FILTER\([^,]*,", "", destination)


def emergency(plan: Dialplan) -> Iterator[Finding]:
    """Where agents dial, emergency numbers are looked up first, and need nothing that can be away."""
    for context in plan.contexts.values():
        numbers = [name for name in context.includes if "emergency" in name]
        first = bool(numbers) and context.includes[0] == numbers[0] and not context.steps
        if (context.name.endswith("outbound") or numbers) and not first:
            yield Finding(context.line, "emergency", f"{context.name} does not begin with emergency numbers")
    for name in reachable(plan, "emergency"):
        known = plan.contexts.get(name)
        for step in known.steps if known else ():
            if step.app in {"AGI", "Stasis"}:
                yield Finding(step.line, "emergency", f"an emergency call would wait for {step.app}")


def _extensions(plan: Dialplan) -> Iterator[tuple[Context, list[Step]]]:
    for context in plan.contexts.values():
        for exten in context.extens:
            yield context, context.of(exten)


RULES: Final[tuple[Callable[[Dialplan], Iterator[Finding]], ...]] = (
    unfiltered,
    forbidden,
    channels,
    inbound,
    statuses,
    agi,
    doors,
    stasis,
    trunks,
    emergency,
)


def unknown_targets(text: str) -> list[Finding]:
    """Includes and jumps to contexts that are nowhere: for a dialplan that is whole."""
    plan = parse(text)
    return [
        Finding(context.line, "unknown", f"{context.name} leads to {target}, which is nowhere")
        for context in plan.contexts.values()
        for target in targets(context)
        if target not in plan.contexts
    ]
