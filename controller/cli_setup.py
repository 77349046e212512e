"""Verbs about the setup: apply (check, show the difference, put in force) and export.

Where a daemon answers and there is a token, it is asked, so that the new setup is in force when the command returns.
Else the row is written to the books, where a running daemon finds it within two seconds.
"""

from __future__ import annotations

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from controller import cli_import, setup_file
from controller.cli_client import Client, DaemonAwayError, RefusedError, find
from controller.cli_options import Config, Lab, Token, complain, say, settings_of
from controller.cli_words import language, words
from controller.clock import SystemClock
from controller.core.difference import difference
from controller.core.saying import told
from controller.core.setup import Setup
from controller.errors import StaleSetupError, TongdaiError
from controller.settings import Settings

if TYPE_CHECKING:
    from controller.store.setup_repo import SetupRepo

TOML = {"Accept": "application/toml"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InForce:
    """The setup in force: its version and text, and the daemon that told it (None: the books did)."""

    version: int
    text: str
    daemon: Client | None

    def setup(self) -> Setup:
        """The setup as values; the one of fresh books is empty."""
        return setup_file.parse_in_force(self.text, f"version {self.version}")


def apply(  # noqa: PLR0913, PLR0917 - the options of a verb are its arguments
    file: Annotated[Path | None, typer.Argument(help="The setup (TOML).", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show the difference only.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    ported: Annotated[Path | None, typer.Option("--ported", help="Ported numbers (CSV: number, carrier).")] = None,
    blocked: Annotated[Path | None, typer.Option("--blocked", help="Blocked numbers (CSV: number, scopes, …).")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Pass over lines of --ported that cannot be used, and count them.")
    ] = False,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Check a setup, show what would change, and put it in force; import tables of numbers."""
    if file is None and ported is None and blocked is None:
        raise TongdaiError(words("nothing_to_apply"))
    settings = settings_of(config, lab)
    if file is not None:
        _apply_setup(file, settings, find(settings, token, lab), dry_run=dry_run, yes=yes, must_ask=lab is not None)
    if dry_run:
        for path, kind in ((ported, "ported"), (blocked, "blocked")):
            if path is not None:
                cli_import.look_over(path, kind, setup_of(settings, file), skip_bad=skip_bad and kind == "ported")
        return
    client = find(settings, token, lab)
    if ported is not None:
        cli_import.bring_in(settings, ported, "ported", client, in_force(settings), skip_bad=skip_bad)
    if blocked is not None:
        cli_import.bring_in(settings, blocked, "blocked", client, in_force(settings))


def export(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write here instead of printing.")] = None,
    config: Config = None,
    token: Token = None,
    lab: Lab = None,
) -> None:
    """Print the setup in force, as it was put in. It holds the passwords of phones."""
    settings = settings_of(config, lab)
    found = read_in_force(settings, find(settings, token, lab), must_ask=lab is not None)
    if out is None:
        typer.echo(found.text, nl=not found.text.endswith("\n"))
        return
    try:
        out.touch(mode=0o600)
        out.write_text(found.text, encoding="utf-8")
    except OSError as error:
        raise TongdaiError(f"{out}: {error.strerror}") from None
    complain(words("exported", found.version, out))


def read_in_force(settings: Settings, client: Client | None, *, must_ask: bool) -> InForce:
    """Read the setup in force from the daemon, or from the books when no daemon answers."""
    if client is not None:
        try:
            reply = client.send("GET", "/api/v1/setup", headers=TOML)
            return InForce(int(reply.etag.strip('"')), reply.body.decode(), client)
        except DaemonAwayError:
            if must_ask:
                raise
    stored = asyncio.run(_with_setups(settings, lambda setups: setups.current()))
    return InForce(stored.version, stored.text, None)


def _apply_setup(
    file: Path, settings: Settings, client: Client | None, *, dry_run: bool, yes: bool, must_ask: bool
) -> None:
    text = setup_file.read(file)
    checked = setup_file.check(text, str(file), SystemClock().now_ms())
    for warning in checked.warnings:
        complain(words("warning", told(warning, language())))
    after = checked.setup
    before = read_in_force(settings, client, must_ask=must_ask)
    changes = difference(before.setup(), after)
    for change in changes:
        say(change)
    if not changes:
        # What a person wrote is kept as it was written: a new comment changes nothing else, and is kept too.
        say(words("no_change" if text == before.text else "text_change"))
        if text == before.text:
            return
    if dry_run:
        say(words("dry_run", len(changes)))
        return
    if not yes and not _confirmed():
        complain(words("not_applied"))
        raise typer.Exit(1)
    _put(settings, before, text)


def _put(settings: Settings, before: InForce, text: str) -> None:
    """Put a setup in force, unless somebody else changed it since we looked."""
    if before.daemon is None:
        by = f"cli/{getpass.getuser()}"
        version = asyncio.run(_with_setups(settings, lambda setups: setups.put(text, before.version, by)))
        say(words("applied_books", version))
        return
    headers = {"If-Match": f'"{before.version}"', "Content-Type": "application/toml"}
    try:
        reply = before.daemon.send("PUT", "/api/v1/setup", text.encode(), headers)
    except RefusedError as error:
        if "version" in error.problem:
            raise StaleSetupError(before.version, int(error.problem["version"])) from None
        raise
    say(words("applied_daemon", reply.json()["version"]))


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise TongdaiError(words("no_terminal"))
    return typer.confirm(words("ask_apply"))


def setup_of(settings: Settings, file: Path | None) -> Setup:
    """Read a setup from a file, or the one in force from the books."""
    if file is not None:
        return setup_file.parse(setup_file.read(file), str(file))
    return read_in_force(settings, None, must_ask=False).setup()


def in_force(settings: Settings) -> Setup:
    """The setup in force, as the books have it."""
    return setup_of(settings, None)


async def _with_setups(settings: Settings, do: Callable[[SetupRepo], Awaitable[T]]) -> T:
    """Open the books, making them where there are none, and do one thing with the setups in them."""
    from controller.store.db import Database, migrate  # noqa: PLC0415 - where a daemon answers nobody opens its books
    from controller.store.setup_repo import SetupRepo  # noqa: PLC0415 - the same

    await migrate(settings.database.url)
    database = Database(settings.database.url)
    try:
        return await do(SetupRepo(database, SystemClock()))
    finally:
        await database.close()
