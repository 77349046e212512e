"""Verbs that ask a running daemon: calls, agents, queues, story, pick, call."""

from __future__ import annotations

from json import dumps as to_json
from typing import Annotated, Any

import typer

from controller.cli_client import path_of
from controller.cli_options import AsJson, Config, Lab, Token, client_of, dump, say, table
from controller.cli_story import lines, plain
from controller.cli_words import words

LIMIT_MAX = 500
CODES_SHOWN = 4

State = Annotated[str, typer.Option("--state", help="live or ended.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=LIMIT_MAX, help="At most so many, newest first.")]


def calls(
    state: State = "live",
    queue: Annotated[str, typer.Option(help="Only this queue.")] = "",
    agent: Annotated[str, typer.Option(help="Only this agent.")] = "",
    limit: Limit = 50,
    json: AsJson = False,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Show the calls that are up now, or ended ones."""
    client = client_of(config, token, lab)
    page = client.get("/api/v1/calls", state=state, queue=queue, agent=agent, limit=limit)
    if json:
        dump(page)
        return
    heads = (
        "CALL",
        "DIRECTION",
        "HOTLINE",
        "CALLER",
        "CALLEE",
        "STATE",
        "QUEUE",
        "PLACE",
        "AGENT",
        "ARRIVED",
        "RESULT",
    )
    names = (
        "id", "direction", "hotline", "caller", "callee", "state", "queue", "position", "agent", "arrived_at", "result",
    )  # fmt: skip
    table(heads, ([row[name] for name in names] for row in page["items"]))


def agents(json: AsJson = False, config: Config = None, token: Token = None, lab: Lab = None) -> None:
    """Show every agent: the status they wish and what they do now."""
    found = _every(config, token, lab, "/api/v1/agents")
    if json:
        dump(found)
        return
    heads = ("AGENT", "STATUS", "REASON", "STATE", "CALL", "SINCE", "WRAP-UP UNTIL", "GROUPS")
    names = ("name", "status", "reason", "state", "call", "since", "wrap_up_until")
    table(heads, ([*(row[name] for name in names), ", ".join(row["groups"])] for row in found))


def queues(json: AsJson = False, config: Config = None, token: Token = None, lab: Lab = None) -> None:
    """Show every queue: who is there, who waits, and today's figures."""
    found = _every(config, token, lab, "/api/v1/queues")
    if json:
        dump(found)
        return
    names = (
        "name", "online", "free", "ringing", "talking", "waiting", "longest_wait_s", "offered", "answered", "missed",
        "sla_percent", "average_speed_of_answer_s",
    )  # fmt: skip
    heads = ("QUEUE", "ONLINE", "FREE", "RINGING", "TALKING", "WAITING", "LONGEST s", "OFFERED", "ANSWERED", "MISSED")
    table((*heads, "SLA %", "ASA s"), ([row[name] for name in names] for row in found))


def trunks(json: AsJson = False, config: Config = None, token: Token = None, lab: Lab = None) -> None:
    """Show every trunk: whether it may be used, and how the last hour went."""
    found = _every(config, token, lab, "/api/v1/trunks")
    if json:
        dump(found)
        return
    heads = ("TRUNK", "CARRIER", "USABLE", "CALLS", "OF", "ATTEMPTS", "FAILED", "ASR %", "PDD ms", "ENDINGS", "WHY NOT")
    table(heads, (_trunk_row(row) for row in found))


def _trunk_row(row: dict[str, Any]) -> list[object]:
    worked = row["worked"]
    codes = ", ".join(f"{code['code']} x{code['count']}" for code in worked["codes"][:CODES_SHOWN])
    usable = words("yes") if row["usable"] else words("no")
    return [
        *(row["name"], row["carrier"], usable, row["calls"], row["max_channels"]),
        *(worked["attempts"], worked["failed"], worked["answer_seizure_percent"], worked["post_dial_delay_ms"]),
        *(codes, row["why_not"]),
    ]


def story(
    call: Annotated[str, typer.Argument(help="Id of the call, as `calls` shows it.")],
    json: AsJson = False,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Tell what happened to one call: every event, decision and command, and because of what."""
    told = client_of(config, token, lab).get(path_of("calls", call, "story"))
    if json:
        dump(told)
        return
    say(words("story_of", plain(told["call"])))
    for line in lines(told["items"]):
        say(line)


def pick(
    number: Annotated[str, typer.Argument(help="The number to be called.")],
    hotline: Annotated[str, typer.Option("--hotline", help="A hotline's number or an adaptive name.")] = "",
    agent: Annotated[str, typer.Option("--agent", help="Who would call.")] = "",
    json: AsJson = False,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Show which trunk and caller id a call would use, and why; nothing is dialled. Exit 1 when it may not be made."""
    client = client_of(config, token, lab)
    found = client.get("/api/v1/outbound/explain", to=number, hotline=hotline, agent=agent)
    if json:
        dump(found)
    else:
        _tell_pick(found)
    if not found["allowed"]:
        raise typer.Exit(1)


def call(
    number: Annotated[str, typer.Argument(help="The number to be called.")],
    agent: Annotated[str, typer.Option("--agent", help="Whose phone rings first.")],
    hotline: Annotated[str, typer.Option("--hotline", help="A hotline's number or an adaptive name.")] = "",
    json: AsJson = False,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Ring an agent's phone and, when it is picked up, dial a number. Exit 1 when that cannot be."""
    client = client_of(config, token, lab)
    body = to_json({"agent": agent, "to": number, "hotline": hotline}).encode()
    made = client.send("POST", "/api/v1/outbound", body, {"Content-Type": "application/json"}).json()
    if json:
        dump(made)
    else:
        say(words("calling", plain(agent), plain(number), plain(made["call"])))


def _tell_pick(found: dict[str, Any]) -> None:
    to = plain(found["to"])
    say(words("allowed", to) if found["allowed"] else words("refused", to, plain(found["reason"])))
    say(words("carrier", plain(found["carrier"] or "?"), plain(found["carrier_source"])))
    for number, row in enumerate(found["attempts"], start=1):
        parts = (row["trunk"], row["caller_id"], row["hotline"], row["why"])
        say(words("attempt", number, *map(plain, parts)))
    for step in found["steps"]:
        say(f"  - {plain(step)}")


def _every(config: Config, token: Token, lab: Lab, path: str) -> list[dict[str, Any]]:
    """Read every page of a list."""
    client = client_of(config, token, lab)
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.get(path, limit=LIMIT_MAX, cursor=cursor)
        found += page["items"]
        cursor = page["next"]
        if cursor is None:
            return found
