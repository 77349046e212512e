"""What every test module owes: exactly one category, so that a lane knows what it needs and how long it takes."""

from __future__ import annotations

import os
import resource
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.faults import versions
from tests.faults.figures import FAULTS_N, record

# SIPp and PostgreSQL stand here when the machine has none of its own (`make setup TEST=1`).
TOOLS = Path(__file__).parents[1] / ".tools/bin"
os.environ["PATH"] = f"{TOOLS}{os.pathsep}{os.environ['PATH']}"

# Everybody a test speaks to is on this machine, whatever way out of it there is.
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"

# Whether a change lands is not left to chance: `make test` asks the same questions every time, `make search` new ones.
# `quick` is for the Pythons beside the first: there the question is whether it runs, not what else can be found.
FIXED: dict[str, Any] = {"derandomize": True, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("fixed", deadline=None, **FIXED)
settings.register_profile("quick", max_examples=15, deadline=None, **FIXED)
settings.register_profile("search", deadline=None)
settings.register_profile("deep", max_examples=5_000, deadline=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "fixed")
ASKS_THE_SAME = PROFILE in {"fixed", "quick"}
settings.load_profile(PROFILE)
if ASKS_THE_SAME:
    # Hypothesis also asks with the numbers and words of the program it finds loaded. What is loaded hangs on the tests
    # this process has run before, so these questions would be others on each run; `make search` asks them.
    providers.is_local_module_file = lambda _path: False

# Five hundred peers at once, both ends of them in one process, are more files than many shells allow.
FILES = 8_192
_, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
wanted_files = FILES if most_files == resource.RLIM_INFINITY else min(FILES, most_files)
resource.setrlimit(resource.RLIMIT_NOFILE, (wanted_files, most_files))

CATEGORIES = frozenset({"pure", "wire", "store", "web", "sim", "live", "faults"})


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Judge what was found, and leave out what needs a history that is not here."""
    judge(items)
    without = [item for item in items if item.get_closest_marker("history")]
    if without and not versions.commit_before():
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was left out and why."""
    if not versions.commit_before():
        terminalreporter.write_line("left out: upgrades from the version before, whose program is not in this clone")


def judge(items: list[pytest.Item]) -> None:
    """Refuse the run when a module has no category, or more than one."""
    wrong: dict[Path, str] = {}
    for item in items:
        found = sorted({mark.name for mark in item.iter_markers()} & CATEGORIES)
        if len(found) != 1:
            wrong[item.path] = f"{item.nodeid}: {' and '.join(found) or 'none'}"
    if wrong:
        names = ", ".join(sorted(CATEGORIES))
        lines = "\n  ".join(wrong[path] for path in sorted(wrong))
        raise pytest.UsageError(f"every test carries exactly one category of {names}; found\n  {lines}")


SHOWN: dict[tuple[Any, ...], list[bool]] = defaultdict(list)
"""What tests with a `shows` mark are about, and whether each of them passed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remember how the call of a test with a `shows` mark ended."""
    report = yield
    for mark in item.iter_markers("shows") if report.when == "call" else ():
        SHOWN[*mark.args, mark.kwargs.get("promise", "")].append(report.passed)
    return report


def pytest_sessionfinish() -> None:
    """Keep what was shown, all tests of one thing together."""
    for (fault, what, asked, promise), passed in SHOWN.items() if FAULTS_N else ():
        seen = f"{sum(passed)} of {len(passed)}"
        record(fault, what, asked, seen, times=len(passed), passed=all(passed), promise=promise)
