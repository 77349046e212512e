"""The rule of categories can fail: shown on modules made for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("marks", "code", "says"),
    [
        ("pytestmark = pytest.mark.pure", 0, "1 passed"),
        ("", 4, "exactly one category"),
        ("pytestmark = [pytest.mark.pure, pytest.mark.live]", 4, "live and pure"),
        ("pytestmark = pytest.mark.quick", 2, "'quick' not found"),
    ],
    ids=["one", "none", "two", "unknown"],
)
def test_a_module_carries_exactly_one_category(tmp_path: Path, marks: str, code: int, says: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    (tmp_path / "test_one.py").write_text(f"import pytest\n{marks}\ndef test_it():\n    assert True\n")
    command = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, says in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr
