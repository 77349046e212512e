"""No space for logs and journal (F32): the service goes on, and a metric tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.figures import record
from tests.faults.own_daemon import another_daemon
from tests.faults.ward import Ward
from tests.live.harness import until


@pytest.mark.live
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
