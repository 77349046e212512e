"""Where a test process looks for ports and addresses of its own: beside those of every other worker of its run."""

from __future__ import annotations

import os


def place() -> int:
    """A number that differs for the workers of one run, and most probably for two runs at once.

    Workers have one parent and are counted. Their own process ids may be any distance apart, a round one too.
    """
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    return os.getppid() + int(worker.removeprefix("gw")) if worker else os.getpid()
