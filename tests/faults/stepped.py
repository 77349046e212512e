"""The daemon with a clock that can be stepped: the file in `FAULTS_CLOCK` says by how many milliseconds.

Only the wall clock moves, as when somebody sets it; the loop's own clock goes on.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from controller.clock import SystemClock

_FILE = Path(os.environ.get("FAULTS_CLOCK", os.devnull))


def _stepped(_clock: SystemClock) -> int:
    return time.time_ns() // 1_000_000 + int(_FILE.read_text() or 0)


if __name__ == "__main__":
    SystemClock.now_ms = _stepped  # type: ignore[method-assign]  # the step is the fault
    os.environ.pop("FAULTS_CLOCK", None)
    from controller.cli import app

    sys.argv[0] = "tongdai"
    app()
