"""Which Asterisk this controller works with, and why another one is refused. Standard library only, no I/O.

The lines are drawn where Asterisk itself changed: before 20.10 and 22.0 each ARI command may stall 200 ms; 20.15 and
22.5 carry the requests the controller makes; 20.20.1, 22.10.1 and 23.4.1 add variables on events and the security fixes
of 2026-06-25.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from controller.errors import TongdaiError

_RELEASE = re.compile(r"Asterisk (?:certified[/-])?(\d+)\.(\d+)(?:\.(\d+))?")

FULL_SINCE = {20: (20, 20, 1), 22: (22, 10, 1), 23: (23, 4, 1)}
REDUCED_SINCE = {20: (20, 15, 0), 22: (22, 5, 0)}
CERTIFIED = (22, 8)
SUPPORTED = "20.20.1+, 22.10.1+ or 23.4.1+ (reduced: 20.15+, 22.5+, certified 22.8)"


class AsteriskError(TongdaiError):
    """No Asterisk that can be used, or none could be fetched; the message is one line for a person."""


class Support(Enum):
    """How far a version goes with us: everything, everything but some comfort, or not at all."""

    FULL = "full"
    REDUCED = "reduced"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `judge` found: the version as people write it, how far it goes, and why not further."""

    version: str
    support: Support
    reason: str = ""


def judge(banner: str) -> Verdict:
    """Read what `asterisk -V` prints and say whether this Asterisk may serve calls."""
    found = _RELEASE.search(banner)
    if not found:
        return Verdict(banner.strip()[:60], Support.REFUSED, f"not a release; supported are {SUPPORTED}")
    release = (int(found[1]), int(found[2]), int(found[3] or 0))
    if "certified" in found[0]:
        return _judge_certified(release)
    version = ".".join(map(str, release))
    full, reduced = FULL_SINCE.get(release[0]), REDUCED_SINCE.get(release[0])
    if full and release >= full:
        return Verdict(version, Support.FULL)
    if full and reduced and release >= reduced:
        wanted = ".".join(map(str, full))
        return Verdict(version, Support.REDUCED, f"older than {wanted}: no variables on events, older security fixes")
    return Verdict(version, Support.REFUSED, f"supported are {SUPPORTED}")


def _judge_certified(release: tuple[int, int, int]) -> Verdict:
    version = f"certified-{release[0]}.{release[1]}"
    if release[:2] == CERTIFIED:
        return Verdict(version, Support.REDUCED, "a certified branch: no variables on events")
    return Verdict(version, Support.REFUSED, f"supported are {SUPPORTED}")
