"""The ledger of OWASP ASVS 5.0.0, level 2: no row is empty, and every test it names exists."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.web

ROOT = Path(__file__).parents[2]
LEDGER = tomllib.loads(Path(__file__).with_name("asvs.toml").read_text(encoding="utf-8"))
IN_ALL, LEFT_OUT = 253, {"V9": 7, "V10": 29, "V17": 7}
"""Requirements of levels 1 and 2, and those of chapters whose subject does not exist here."""
REASON_CHARS_MIN = 15


@cache
def named_in(file: str) -> frozenset[str]:
    return frozenset(
        re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_every_requirement_has_its_row() -> None:
    assert len(LEDGER) == IN_ALL - sum(LEFT_OUT.values()) == 210
    assert all(re.fullmatch(r"([1-9]|1[0-7])\.[1-9]\.[1-9][0-9]?", name) for name in LEDGER)
    assert not {name for name in LEDGER if f"V{name.partition('.')[0]}" in LEFT_OUT}


@pytest.mark.parametrize("name", LEDGER)
def test_a_row_names_a_test_that_exists_or_a_reason(name: str) -> None:
    row = LEDGER[name]
    assert len(row) == 1, row
    if "test" in row:
        file, _, test = row["test"].partition("::")
        assert test in named_in(file), row["test"]
    else:
        assert len(row["reason"]) >= REASON_CHARS_MIN, row
        for document in re.findall(r"docs/[a-z]+\.md", row["reason"]):
            assert (ROOT / document).is_file(), document
