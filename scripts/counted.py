"""Reads pytest's reports back: a lane without tests, or with one that was skipped, has proved nothing and fails.

usage: counted.py [--total] REPORT...
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def count(report: Path) -> tuple[int, list[str]]:
    """How many tests a report holds, and which of them did not run."""
    cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - a report pytest wrote for us a moment ago
    idle = [f"{case.get('classname')}::{case.get('name')}" for case in cases if case.find("skipped") is not None]
    return len(cases), idle


def main(arguments: list[str]) -> int:
    """One line about the reports together; exit code 1 when a report proves nothing."""
    is_total = arguments[:1] == ["--total"]
    counts = {Path(name): count(Path(name)) for name in arguments[is_total:]}
    skipped = [test for _, idle in counts.values() for test in idle]
    empty = [report.stem for report, (tests, _) in counts.items() if tests == 0]
    for test in skipped:
        print(f"test: skipped, which counts as failed here: {test}", file=sys.stderr)
    for lane in empty:
        print(f"test: lane {lane} holds no test", file=sys.stderr)
    if is_total:
        print("test: " + ", ".join(f"{report.stem} {tests}" for report, (tests, _) in counts.items()))
    return 1 if skipped or empty or not counts else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
