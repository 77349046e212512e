"""Verbs about API tokens: create, list, revoke. They work on the books, with or without a daemon."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from controller.cli_options import Config, complain, say, settings_of, table
from controller.cli_words import words
from controller.clock import SystemClock
from controller.settings import Settings

if TYPE_CHECKING:
    from controller.store.tokens import Tokens

T = TypeVar("T")

app = typer.Typer(help="API tokens.")


@app.command()
def create(
    role: Annotated[
        str, typer.Option("--role", help="admin, supervisor, dial, read, or agent:NAME.", show_default=False)
    ],
    name: Annotated[str | None, typer.Argument(help="What it is for; it stands in the audit.")] = None,
    config: Config = None,
) -> None:
    """Make a token and print it: this is the only time it is shown."""
    known_as = role if name is None else name
    made = asyncio.run(_with_tokens(settings_of(config), lambda tokens: tokens.create(known_as, role, _me())))
    # The sentence goes to standard error, so that a script can take the token from standard output.
    complain(words("token_made", known_as, role))
    say(made)


@app.command("list")
def list_all(config: Config = None) -> None:
    """List every token ever made; the tokens themselves are known to nobody."""
    rows = asyncio.run(_with_tokens(settings_of(config), lambda tokens: tokens.list()))
    shown = ((row.id, row.name, row.role, _day(row.created_at_ms), _day(row.revoked_at_ms)) for row in rows)
    table(("ID", "NAME", "ROLE", "CREATED", "REVOKED"), shown)


@app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="Its number or its name.")],
    config: Config = None,
) -> None:
    """End a token. Exit 1 when there is none that is good."""
    from controller.store.tokens import TokenError  # noqa: PLC0415 - see `_with_tokens`

    try:
        row = asyncio.run(_with_tokens(settings_of(config), lambda tokens: tokens.revoke(which, _me())))
    except TokenError as error:
        complain(words("error", error))
        raise typer.Exit(1) from None
    say(words("token_revoked", f"{row.id} {row.name}"))


async def _with_tokens(settings: Settings, do: Callable[[Tokens], Awaitable[T]]) -> T:
    """Open the books, making them where there are none, and do one thing with the tokens in them."""
    from controller.store.db import Database, migrate  # noqa: PLC0415 - the other verbs start without the books
    from controller.store.tokens import Tokens  # noqa: PLC0415 - the same

    await migrate(settings.database.url)
    database = Database(settings.database.url)
    try:
        return await do(Tokens(database, SystemClock()))
    finally:
        await database.close()


def _me() -> str:
    return f"cli/{getpass.getuser()}"


def _day(at_ms: int | None) -> str:
    return "" if at_ms is None else f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M}"
