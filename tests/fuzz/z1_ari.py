"""Z1: every message of Asterisk's API description, then with something wrong in it; nothing makes the reader raise."""

from __future__ import annotations

import gc
import json
import random
import time
from pathlib import Path

from controller.ari.notices import Odd
from controller.ari.wire import READERS, Ears
from tests.fuzz.program import Times
from tests.wire import ari_models
from tests.wire.ari_checks import check

MESSAGES = 50
WARM_BATCHES = 200
"""After these the reader has seen every kind of message: what it takes then, it keeps."""


class Z1:
    ID = "Z1"
    ASKED = "0 exceptions, unknown kinds counted, p99 <= 1 ms of processor time, memory + <= 5 MB"

    def __init__(self) -> None:
        self.ears = Ears("tongdai", frozenset({"an", "binh"}))
        self.times = Times()
        self.batches = self.inputs = self.unknown = 0
        self.resident_mb = 0.0

    def batch(self, dice: random.Random) -> int:
        """One reader hears everything, so that what it remembers is spoilt too."""
        kind = dice.choice(ari_models.EVENTS)
        for n in range(MESSAGES):
            self.hear(_message(kind if n % 2 else dice.choice(ari_models.EVENTS), dice))
        self.inputs += MESSAGES
        self.batches += 1
        if self.batches == WARM_BATCHES:
            self.resident_mb = resident_mb()
        return MESSAGES

    def hear(self, raw: str | bytes) -> None:
        began = time.thread_time()
        heard = self.ears.hear(raw)
        self.times.add(time.thread_time() - began)
        for item in heard:
            check(item)
            self.unknown += item == Odd("unknown_type")
        kind = _kind(raw)
        assert kind is None or kind in READERS or all(isinstance(item, Odd) for item in heard), kind

    def seen(self) -> dict[str, object]:
        grown = resident_mb() - self.resident_mb if self.resident_mb else 0.0
        figures = {"p50_ms": self.times.ms(50), "p99_ms": self.times.ms(99), "grown_mb": round(grown, 1)}
        passed = figures["p99_ms"] <= 1 and figures["grown_mb"] <= 5
        return {"exceptions": 0, "unknown_counted": self.unknown, **figures, "pass": passed}

    def close(self) -> None:
        pass


def _message(kind: str, dice: random.Random) -> str | bytes:
    return json.dumps(ari_models.message(kind, dice)) if dice.random() < 0.2 else ari_models.mutated(kind, dice)


def _kind(raw: str | bytes) -> str | None:
    """The kind a short message says it is, where that can be read at all."""
    if len(raw) > 10_000:
        return None
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    kind = found.get("type") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) else None


def resident_mb() -> float:
    """What this process has in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6
