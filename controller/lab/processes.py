"""Child processes a lab keeps alive, as systemd would: started again within half a second, ended by their own pid.

A child begins in a session of its own, so that a Ctrl-C meant for the lab does not reach it before the lab decides;
and it dies with the lab even when the lab is killed (`setpriv --pdeathsig`, part of util-linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

RESTART_S = 0.1
STOP_S = 8.0
LOG_TAIL = 2000


def bound_to_us(command: Sequence[str]) -> list[str]:
    """The same command, killed by the kernel when we die."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else list(command)


@dataclass
class Child:
    """One process. `changed` is told whenever the pid changes; output goes to the end of `log`."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    changed: Callable[[], None]
    cwd: Path | None = None
    deaths: int = 0
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)
    _keeper: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The process id, 0 while there is none."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else 0

    async def start(self) -> None:
        """Start the process and keep it alive from now on."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def stop(self) -> None:
        """Ask the process to end, and kill it when it does not within 8 s."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        process = self._process
        if process is None or process.returncode is not None:
            return
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(sign)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), STOP_S)
                return

    def tail(self) -> str:
        """The end of the log, for a person who wants to know why."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-LOG_TAIL:] if self.log.exists() else ""

    async def _spawn(self) -> None:
        # For its owner alone: Asterisk writes whole numbers into its own.
        with os.fdopen(os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *bound_to_us(self.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.environ),
                cwd=self.cwd,
                start_new_session=True,
            )
        self.changed()

    async def _keep(self) -> None:
        while self._process is not None:
            await self._process.wait()
            self.deaths += 1
            await asyncio.sleep(RESTART_S)
            await self._spawn()
