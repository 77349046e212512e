"""What a person or the dial path is told when they asked for something."""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.saying import Saying


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is ok, not_found (no such agent or call), conflict (not now), invalid (never) or refused (not permitted).

    `reason` is one line for a person.
    """

    code: str = "ok"
    reason: Saying | str = ""

    @property
    def ok(self) -> bool:
        """Whether what was asked was done."""
        return self.code == "ok"


OK = Answer()
