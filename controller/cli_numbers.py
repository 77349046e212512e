"""Verbs about numbers: carriers (which table is in force), and number (whose it is, and naming that by hand)."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from controller import carrier_file
from controller.cli_client import Client, DaemonAwayError, find, path_of
from controller.cli_import import REFRESH
from controller.cli_options import AsJson, Config, Lab, Token, client_of, dump, say, settings_of, table
from controller.cli_setup import in_force
from controller.cli_story import plain
from controller.cli_words import words
from controller.core.setup import Carrier, TableSource

app = typer.Typer(help="Single numbers: whose subscriber it is, and naming that by hand.")

Number = Annotated[str, typer.Argument(help="The number, however it is written.")]


def carriers(
    check: Annotated[Path | None, typer.Option("--check", help="Look a table over and change nothing.")] = None,
    reload: Annotated[bool, typer.Option("--reload", help="Read the file of carriers anew first.")] = False,
    json: AsJson = False,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Show which table of carriers is in force, and what else knows whose subscriber a number is."""
    if check is not None:
        read = carrier_file.load(check)
        say(words("setup_fine", check))
        _tell_table(read.source, read.carriers)
        return
    settings = settings_of(config, lab)
    told = _asked(find(settings, token, lab), reload=reload, must=lab is not None or reload)
    if told is None:
        setup = in_force(settings)
        _tell_table(setup.carriers_from, setup.carriers)
    elif json:
        dump(told)
    else:
        _tell(told)


@app.command()
def show(number: Number, json: AsJson = False, config: Config = None, token: Token = None, lab: Lab = None) -> None:
    """Show what is known of a number and whose subscriber it is. Exit 1 when nobody knows."""
    found = client_of(config, token, lab).get(path_of("numbers", number))
    if json:
        dump(found)
    else:
        _tell_number(found)
    if found["carrier"] is None:
        raise typer.Exit(1)


@app.command("set")
def set_carrier(
    number: Number,
    carrier: Annotated[str, typer.Argument(help="The carrier, by its name or an alias.")],
    note: Annotated[str, typer.Option("--note", help="Why, for who asks later.")] = "",
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Name the carrier of a number by hand: it wins over ported lists, the look-up service and prefixes."""
    body = json_module.dumps({"carrier": carrier, "note": note}).encode()
    client = client_of(config, token, lab)
    answer = client.send("PUT", path_of("numbers", number, "carrier"), body, {"Content-Type": "application/json"})
    _tell_number(answer.json())


@app.command()
def unset(number: Number, config: Config = None, token: Token = None, lab: Lab = None) -> None:
    """Take back what was named by hand. Exit 1 when nothing was."""
    _tell_number(client_of(config, token, lab).send("DELETE", path_of("numbers", number, "carrier")).json())


@app.command("list")
def list_all(json: AsJson = False, config: Config = None, token: Token = None, lab: Lab = None) -> None:
    """List the numbers whose carrier was named by hand."""
    client = client_of(config, token, lab)
    rows: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.get("/api/v1/numbers", cursor=cursor)
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    if json:
        dump(rows)
    else:
        names = ("number", "carrier", "by", "at", "note")
        table(("NUMBER", "CARRIER", "BY", "AT", "NOTE"), ([row[name] for name in names] for row in rows))


def _asked(client: Client | None, *, reload: bool, must: bool) -> dict[str, Any] | None:
    """What the daemon says; None when there is none to ask and the books will do."""
    if client is None:
        if must:
            raise DaemonAwayError(words("no_token"))
        return None
    try:
        told: dict[str, Any] = client.send("POST", REFRESH).json() if reload else client.get("/api/v1/carriers")
    except DaemonAwayError:
        if must:
            raise
        return None
    return told


def _tell(told: dict[str, Any]) -> None:
    source = TableSource(told["origin"] or "", told["version"] or "", tuple(told["sources"]), told["trouble"] or "")
    rows = (
        Carrier(row["name"], tuple(row["aliases"]), tuple(row["prefixes"]), row["network"]) for row in told["carriers"]
    )
    _tell_table(source, tuple(rows))
    ported, lookup = told["ported"], told["lookup"]
    say(words("ported_held", ported["rows"], len(ported["lists"]), ported["blocks_in_memory"], ported["blocks"]))
    for row in ported["lists"]:
        say(f"  - {plain(row['name'])}: {row['rows']} ({row['imported_at']})")
    say(words("by_hand", told["by_hand"]))
    say(words("lookup_off") if lookup is None else words("lookup_is", lookup["state"], lookup["remembered"]))
    for trouble in filter(None, (ported["trouble"], lookup and lookup["trouble"])):
        say(f"  ! {plain(trouble)}")


def _tell_table(source: TableSource, rows: tuple[Carrier, ...]) -> None:
    say(words("carriers_from", source.origin or "-", source.version or "-"))
    for line in source.sources:
        say(f"  - {plain(line)}")
    if source.trouble:
        say(f"  ! {plain(source.trouble)}")
    heads = ("CARRIER", "NETWORK", "PREFIXES", "ALIASES")
    table(heads, ((row.name, row.group, " ".join(row.prefixes), ", ".join(row.aliases)) for row in rows))


def _tell_number(found: dict[str, Any]) -> None:
    spelled = found["e164"] or found["dial"] or "?"
    extra = [plain(found[key]) for key in ("area", "extension") if found[key]]
    say(" ".join((plain(spelled), plain(found["kind"]), *extra)))
    say(words("carrier", plain(found["carrier"] or "?"), plain(found["carrier_source"])))
