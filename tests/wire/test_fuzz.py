"""Z1 to Z3 in short; `make fuzz` looks longer. What a longer search found stays in tests/fuzz/corpus."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.agi.protocol import Garbage, Header
from tests.fuzz.__main__ import kept
from tests.fuzz.program import play
from tests.fuzz.table import PROGRAMS, made
from tests.fuzz.targets import TARGETS
from tests.fuzz.z2_agi import read

pytestmark = pytest.mark.wire

CORPUS = Path(__file__).parents[1] / "fuzz/corpus"
RIGHT: dict[str, Callable[[dict[str, Any]], bool]] = {
    "Z1": lambda figures: figures["p99_ms"] <= 50 and figures["grown_mb"] <= 50,
    "Z2": lambda figures: figures["repeated_keys"] == figures["repeated_keys_refused"],
}
"""What does not hang on how quick the machine is; `make fuzz` measures that, too."""
BATCHES = {"Z1": 400, "Z2": 250, "Z3": 170}
SHORTER = 8 if os.environ.get("HYPOTHESIS_PROFILE") == "quick" else 1


@pytest.mark.parametrize("name", BATCHES)
def test_in_short(name: str) -> None:
    program = made(name)
    assert play(program, range(-(-BATCHES[name] // SHORTER))) >= 20_000 // SHORTER
    seen = program.seen()
    assert RIGHT.get(name, lambda figures: figures["pass"])(seen), seen


@pytest.mark.parametrize(
    "kept", [pytest.param(file, id=f"{file.parent.name}-{file.name}") for file in sorted(CORPUS.glob("*/*"))]
)
def test_what_was_found_before(kept: Path) -> None:
    TARGETS[kept.parent.name.upper()](kept.read_bytes())


def test_every_program_calls_itself_by_its_name() -> None:
    for name in PROGRAMS:
        if name != "Z8":  # starts a server: shown by the web lane
            program = made(name)
            assert name == program.ID


@pytest.mark.parametrize(
    ("name", "header"), [("forged-argument", False), ("repeated-key", False), ("forged-end", True)]
)
def test_no_forged_session_is_believed(name: str, header: bool) -> None:
    """A forged end of the header is seen at the next line: what is left of the true one is no reply."""
    said = read((CORPUS / "z2" / name).read_bytes()[1:], [256])
    assert [type(one) for one in said] == ([Header, Garbage] if header else [Garbage])


def test_a_run_of_one_program_leaves_the_figures_of_the_others() -> None:
    before = [{"id": "Z1", "inputs": 5, "found": []}, {"id": "Z8", "inputs": 6, "found": []}]
    row = {"id": "Z8", "inputs": 7, "found": ["make fuzz ONLY=Z8 SEED=0 BATCH=1\nTraceback"]}
    assert kept(before, row) == [before[0], row | {"found": ["make fuzz ONLY=Z8 SEED=0 BATCH=1"]}]
