"""What the kernel knows about a process of the lab: when it began, what it used, how it ended."""

from __future__ import annotations

import os
import time
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STATE, _UTIME, _STIME, _START, _RSS, _EXIT = 2, 13, 14, 21, 23, 51


def _stat(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    name_end = text.rindex(")")
    return [str(pid), "", *text[name_end + 2 :].split()]


def is_alive(pid: int) -> bool:
    """Whether it still runs (a process that ended and was not asked about is a zombie, and does not)."""
    try:
        return _stat(pid)[_STATE] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def cpu_s(pid: int) -> float:
    """Processor time used so far."""
    row = _stat(pid)
    return (int(row[_UTIME]) + int(row[_STIME])) * TICK_S


def memory_mb(pid: int) -> float:
    """Resident memory."""
    return int(_stat(pid)[_RSS]) * PAGE_BYTES / 1e6


def age_s(pid: int) -> float:
    """How long ago it was started, to the hundredth of a second."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(_stat(pid)[_START]) * TICK_S


def exit_code(pid: int) -> int | None:
    """How a process ended whose parent has not asked yet; None while it runs, minus the signal that killed it."""
    row = _stat(pid)
    if row[_STATE] != "Z":
        return None
    return os.waitstatus_to_exitcode(int(row[_EXIT]))


def environment(pid: int) -> dict[str, str]:
    """The environment it was started with."""
    rows = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return dict(row.decode().split("=", 1) for row in rows if b"=" in row)
