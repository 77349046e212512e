"""No space for logs and journal (F32): the service goes on, and a metric tells."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.faults import processes
from tests.faults.figures import record
from tests.faults.ward import Ward
from tests.live.harness import REPOSITORY, until

pytestmark = pytest.mark.live


@asynccontextmanager
async def another_daemon(floor: Ward, out: Path, **settings: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """The lab's daemon run by the test instead, with its output and some settings elsewhere."""
    daemon = floor.daemon
    environ = processes.environment(daemon) | settings
    floor.pause_supervisor()
    floor.lab.kill("daemon")
    try:
        own = _spawn(out, environ)
        try:
            await floor.lab.ready(floor.api)
            yield own
        finally:
            own.terminate()
            await asyncio.to_thread(own.wait, 20)
    finally:
        floor.resume_supervisor()
    await floor.reborn(daemon)


def _spawn(out: Path, environ: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "controller", "serve"]
    with out.open("ab") as log:
        return subprocess.Popen(command, cwd=REPOSITORY, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


async def test_a_full_disk_costs_the_logs_and_no_call(floor: Ward) -> None:
    """`/dev/full` takes no byte, and no directory can be made beneath it."""
    async with another_daemon(floor, Path("/dev/full"), TONGDAI_JOURNAL__DIR="/dev/full/journal") as own:
        await floor.desk("a1")
        floor.rude.cut("rst")
        await floor.noticed()
        await floor.resynced()
        await floor.serve_one()

        async def told() -> bool:
            lines = await floor.metric("tongdai_log_lines_lost_total")
            return lines > 0 and await floor.metric("tongdai_journal_failures_total") > 0

        await until(told, "metrics tell of lines and journal lost")
        assert own.poll() is None
    assert own.returncode == 0
    record("F32", "no space for logs and journal", "service goes on; a metric tells", "both", times=1, passed=True)
