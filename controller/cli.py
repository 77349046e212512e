"""The verbs of `tongdai`. Exit codes: 0 fine, 1 the answer is no, 2 wrong usage, settings or setup, 75 lost the lead.

An error is one line for a person on standard error; where a setup has many mistakes each has its line. A traceback is
shown to nobody who did not ask for it (`TONGDAI_LOG__LEVEL=debug`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from controller import __version__, cli_ask, cli_numbers, cli_setup, cli_token
from controller.cli_client import REFUSALS, RefusedError
from controller.cli_options import Config, Lab, complain, say, settings_of
from controller.cli_words import language, words
from controller.errors import LeadLostError, StaleSetupError, TongdaiError
from controller.loading import EXIT_INTERRUPTED, loading

EXIT_NO: Final = 1
EXIT_WRONG: Final = 2
EXIT_LEAD_LOST: Final = 75


class Verbs(TyperGroup):
    """The command group; whatever goes wrong below it ends as a line and an exit code."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: ARG002 - typer's own handling of errors is what we replace
        windows_expand_args: bool = True,  # noqa: ARG002 - part of the signature, and there is no Windows here
        **extra: Any,
    ) -> Any:
        """Run a verb and leave the process with its exit code."""
        try:
            code = super().main(args, prog_name or "tongdai", complete_var, standalone_mode=False, **extra)
        except (KeyboardInterrupt, typer.Abort):
            code = EXIT_INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last net: no person is shown a traceback
            code = report(error)
        sys.exit(code if isinstance(code, int) else 0)


app = typer.Typer(
    cls=Verbs,
    help="Tổng Đài: a hotline controller that runs beside a stock Asterisk.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
render_app = typer.Typer(help="Files for Asterisk.")


def report(error: Exception) -> int:
    """Tell a person what went wrong and return the exit code it means."""
    match error:
        case TyperException():
            context = getattr(error, "ctx", None)
            path = context.command_path if context is not None else "tongdai"
            complain(words("usage", " ".join(error.format_message().split()).rstrip("."), path))
        case TongdaiError():
            for line in error.told(language()):
                complain(words("error", line))
        case _:
            if os.environ.get("TONGDAI_LOG__LEVEL", "").lower() == "debug":
                traceback.print_exception(error)
            complain(words("unexpected", type(error).__name__, " ".join(str(error).split())))
    return exit_code(error)


def exit_code(error: Exception) -> int:
    """The exit code an error means."""
    match error:
        case LeadLostError():
            return EXIT_LEAD_LOST
        case StaleSetupError():
            return EXIT_NO
        case RefusedError() if error.status in REFUSALS:
            return EXIT_NO
        case _:
            return EXIT_WRONG


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
    config: Config = None,
) -> None:
    if config is not None:
        # Before the verb or behind it: both are how people write it, and what stands behind it counts.
        os.environ["TONGDAI_CONFIG"] = str(config)
    if version:
        say(f"tongdai {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())


@app.command()
def serve(config: Config = None) -> None:
    """Run the daemon until it is told to stop."""
    with loading():
        import uvloop  # noqa: PLC0415 - no other verb needs a loop this quick

        from controller import main  # noqa: PLC0415 - the whole house is built by this verb alone

    settings = settings_of(config)
    raise typer.Exit(uvloop.run(main.serve(settings)))


@app.command()
def lab(
    directory: Annotated[Path, typer.Option("--dir", help="Everything of the lab lives here.")] = Path("var/lab"),
    setup: Annotated[Path, typer.Option("--setup", help="The setup to begin with.")] = Path("examples/setup.toml"),
    asterisk_root: Annotated[
        Path | None, typer.Option("--asterisk-root", help="An unpacked Asterisk; else one on PATH, else ./.asterisk.")
    ] = None,
    port_base: Annotated[int, typer.Option("--port-base", help="First of the ports this lab uses.")] = 15060,
    rtp_range: Annotated[str, typer.Option("--rtp-range", help="RTP ports FIRST-LAST; else 1000 from the base.")] = "",
    no_demo: Annotated[bool, typer.Option("--no-demo", help="No demo phones and no demo calls.")] = False,
    daemon: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the daemon, SECTION.KEY=VALUE; may be repeated.")
    ] = None,
    sip_t1: Annotated[
        int,
        typer.Option("--sip-t1", min=100, max=4000, help="SIP's T1 in ms: a lost answer is given up after 64 of it."),
    ] = 500,
) -> None:
    """Run Asterisk, the daemon and a demonstration on loopback, in one directory, until Ctrl-C."""
    with loading():
        from controller.lab.run import LabOptions, run_lab  # noqa: PLC0415 - only this verb needs a laboratory

    options = LabOptions(
        directory=directory,
        setup=setup,
        asterisk_root=asterisk_root,
        port_base=port_base,
        demo=not no_demo,
        rtp_range=rtp_range,
        daemon=tuple(daemon or ()),
        sip_t1_ms=sip_t1,
    )
    raise typer.Exit(run_lab(options))


@app.command()
def check(config: Config = None, lab: Lab = None) -> None:
    """Look at everything a call depends on, one line each. Exit 1 when a call would suffer."""
    from controller.lab.check import run_check  # noqa: PLC0415 - only this verb asks Asterisk from outside

    raise typer.Exit(asyncio.run(run_check(settings_of(config, lab), say)))


@app.command()
def migrate(config: Config = None) -> None:
    """Bring the database to the schema of this program, making it where there is none."""
    from controller.store import db  # noqa: PLC0415 - beside the verbs it serves

    revision = asyncio.run(db.migrate(settings_of(config).database.url))
    say(words("migrated", revision))


@render_app.command("asterisk")
def render_asterisk(
    out: Annotated[Path, typer.Option("--out", help="Directory for the files.", show_default=False)],
    setup: Annotated[Path | None, typer.Option("--setup", help="This setup instead of the one in force.")] = None,
    config: Config = None,
) -> None:
    """Write PJSIP, dialplan and ARI files for a setup, to be included by Asterisk's own."""
    from controller.lab import render  # noqa: PLC0415 - only this verb renders

    settings = settings_of(config)
    options = render.RenderOptions(
        agi=str(settings.agi.bind),
        agi_2=str(settings.standby.agi or ""),
        app=settings.ari.app,
        http=settings.ari.url.partition("://")[2],
        ari_user=settings.ari.user,
        ari_password=settings.ari.password,
    )
    try:
        written = render.write_asterisk(cli_setup.setup_of(settings, setup), out, options)
    except OSError as error:
        raise TongdaiError(f"{out}: {error.strerror}") from None
    for name in written:
        say(str(out / name))
    say(words("rendered", len(written), out))


@app.command()
def replay(
    path: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A journal file, or the directory of them.")],
    setup: Annotated[
        list[Path] | None,
        typer.Option("--setup", help="Replay under this setup and compare; again for each later version."),
    ] = None,
    call: Annotated[str, typer.Option("--call", help="Only this call.")] = "",
) -> None:
    """Tell what a journal recorded; with --setup, decide it anew and compare. Exit 1 when something differs."""
    from controller import cli_replay  # noqa: PLC0415 - only this verb decides anything itself

    raise typer.Exit(cli_replay.replay(path, setup or [], call))


app.command()(cli_setup.apply)
app.command()(cli_setup.export)
app.command()(cli_ask.calls)
app.command()(cli_ask.agents)
app.command()(cli_ask.queues)
app.command()(cli_ask.trunks)
app.command()(cli_ask.story)
app.command()(cli_ask.pick)
app.command()(cli_ask.call)
app.command()(cli_numbers.carriers)
app.add_typer(cli_numbers.app, name="number")
app.add_typer(cli_token.app, name="token")
app.add_typer(render_app, name="render")
