"""How well a trunk works: what became of the attempts of the last hour, in slots of five minutes.

Answer-seizure ratio is answered attempts over all attempts (ITU-T E.411), post-dial delay the time from dialling to the
first sign of the far phone (ITU-T E.721), where the dial path could measure it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from controller.core.evolve import evolve
from controller.core.model import Slot, TrunkWindow

SLOT_MS = 300_000
SLOTS = 12
CODES_MAX = 16
"""Different endings told apart in one slot; what comes after them counts as `other`."""
FAILED_MIN = 5
"""So many failures of its own, and half of all attempts, within the last two slots: such a trunk is set aside."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What attempts came to; ratios are None where there were none. `codes` most frequent first."""

    tries: int = 0
    answered: int = 0
    failed: int = 0
    answer_percent: float | None = None
    delay_ms: int | None = None
    codes: tuple[tuple[str, int], ...] = ()


def note(window: TrunkWindow, now_ms: int, code: str, *, answered: bool, failed: bool, delay_ms: int) -> TrunkWindow:
    """One attempt more; `delay_ms` of 0 was not measured."""
    slots = [slot for slot in window.slots if _is_recent(slot, now_ms)]
    began_ms = now_ms - now_ms % SLOT_MS
    last = slots.pop() if slots and slots[-1].began_ms == began_ms else Slot(began_ms)
    last = evolve(
        last,
        tries=last.tries + 1,
        answered=last.answered + answered,
        failed=last.failed + failed,
        delays=last.delays + (delay_ms > 0),
        delay_sum_ms=last.delay_sum_ms + delay_ms,
        codes=_counted(last.codes, code),
    )
    return evolve(window, slots=(*slots[-SLOTS + 1 :], last))


def is_failing(window: TrunkWindow, now_ms: int) -> bool:
    """Whether so much fails lately that a call now and then that goes through proves nothing."""
    late = [slot for slot in window.slots if 0 <= now_ms - slot.began_ms < 2 * SLOT_MS]
    failed, tries = sum(slot.failed for slot in late), sum(slot.tries for slot in late)
    return failed >= FAILED_MIN and 2 * failed >= tries


def figures(windows: Iterable[TrunkWindow], now_ms: int) -> Figures:
    """The last hour of one trunk, or of all trunks of a carrier together."""
    slots = [slot for window in windows for slot in window.slots if _is_recent(slot, now_ms)]
    tries, answered = sum(slot.tries for slot in slots), sum(slot.answered for slot in slots)
    delays = sum(slot.delays for slot in slots)
    codes: dict[str, int] = {}
    for slot in slots:
        for code, count in slot.codes:
            codes[code] = codes.get(code, 0) + count
    return Figures(
        tries,
        answered,
        sum(slot.failed for slot in slots),
        round(100 * answered / tries, 1) if tries else None,
        sum(slot.delay_sum_ms for slot in slots) // delays if delays else None,
        tuple(sorted(codes.items(), key=lambda row: (-row[1], row[0]))),
    )


def _is_recent(slot: Slot, now_ms: int) -> bool:
    """A slot that lies ahead dates from before the clock was set back."""
    return -SLOT_MS < now_ms - slot.began_ms < SLOTS * SLOT_MS


def _counted(codes: tuple[tuple[str, int], ...], code: str) -> tuple[tuple[str, int], ...]:
    known = dict(codes)
    name = code if code in known or len(known) < CODES_MAX else "other"
    return tuple((known | {name: known.get(name, 0) + 1}).items())
