"""The only place that reads the clock. Everything else is handed the time."""

from __future__ import annotations

import time


class SystemClock:
    """Wall-clock milliseconds since the Unix epoch, UTC."""

    def now_ms(self) -> int:
        """Return the present instant."""
        return time.time_ns() // 1_000_000
