"""Options many verbs share, and the table they print with."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli_client import Client, find, lab_facts
from controller.cli_story import plain
from controller.cli_words import words
from controller.errors import TongdaiError
from controller.settings import Settings
from controller.settings_load import load

Config = Annotated[
    Path | None, typer.Option("--config", help="Process settings (TOML); TONGDAI_* variables win over it.")
]
Token = Annotated[str | None, typer.Option("--token", help="Token for the daemon's API; else TONGDAI_TOKEN.")]
Lab = Annotated[Path | None, typer.Option("--lab", help="Directory of a running lab: its address and token.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the API answers, for programs.")]


def settings_of(config: Path | None, lab: Path | None = None) -> Settings:
    """Read the process settings; those of a lab are the ones it gave its daemon."""
    if lab is None:
        return load(config)
    facts = lab_facts(lab)
    told = {
        "TONGDAI_DATABASE__URL": f"sqlite+aiosqlite:///{lab.resolve() / 'tongdai.db'}",
        "TONGDAI_HTTP__BIND": facts["http"].rstrip("/").partition("://")[2],
        "TONGDAI_ARI__URL": facts.get("ari"),
        "TONGDAI_ARI__USER": facts.get("ari_user"),
        "TONGDAI_ARI__PASSWORD": facts.get("ari_password"),
        "TONGDAI_AGI__BIND": facts.get("agi"),
    }
    return load(environ={name: value for name, value in told.items() if value is not None})


def client_of(config: Path | None, token: str | None, lab: Path | None) -> Client:
    """Find the daemon to ask; TongdaiError when there is no token to show it."""
    client = find(settings_of(config, lab), token, lab)
    if client is None:
        raise TongdaiError(words("no_token"))
    return client


def say(text: str) -> None:
    """Print one line."""
    typer.echo(text)


def complain(text: str) -> None:
    """Print lines on standard error."""
    typer.echo(text, err=True)


def dump(value: Any) -> None:
    """Print JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under heads; what came from outside is shown and never obeyed."""
    from rich.console import Console  # noqa: PLC0415 - most verbs print no table
    from rich.table import Table  # noqa: PLC0415 - the same
    from rich.text import Text  # noqa: PLC0415 - the same

    found = [[Text("" if cell is None else plain(cell)) for cell in row] for row in rows]
    if not found:
        say(words("none"))
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for head in heads:
        shown.add_column(head, no_wrap=True)
    for row in found:
        shown.add_row(*row)
    # A pipe has no width: cutting lines there would cut what a program reads.
    width = None if sys.stdout.isatty() else 10_000
    Console(width=width, soft_wrap=True).print(shown)
