"""The lab's daemon, run by a test in its own way: its output, its settings, its program elsewhere."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults import processes
from tests.faults.ward import Ward
from tests.live.harness import REPOSITORY


@asynccontextmanager
async def another_daemon(
    floor: Ward, out: Path, program: str = "controller", **settings: str
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The lab's daemon run by the test instead, with its output and some settings elsewhere."""
    daemon = floor.daemon
    environ = processes.environment(daemon) | settings
    floor.pause_supervisor()
    floor.lab.kill("daemon")
    try:
        own = _spawn(out, program, environ)
        try:
            try:
                await floor.lab.ready(floor.api)
            except AssertionError as wrong:
                raise AssertionError(f"{wrong}; the process ended with {own.poll()}") from None
            yield own
        finally:
            own.terminate()
            await asyncio.to_thread(own.wait, 60)
    finally:
        floor.resume_supervisor()
    await floor.reborn(daemon)


def _spawn(out: Path, program: str, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", program, "serve"]
    with out.open("ab") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
