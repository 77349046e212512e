"""Habits a reader relies on: reasons beside exceptions, no notes to oneself, nothing of the author's machine."""

from __future__ import annotations

import re
import subprocess
import tokenize
from pathlib import Path

import pytest

from tests.gate.repository import ROOT, files, name, python, texts

pytestmark = pytest.mark.pure

SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:)")
WITH_REASON = re.compile(r"#\s*(noqa: [A-Z0-9, ]+|type: ignore\[[a-z-, ]+\]|pragma: no cover)\s*(-|#)\s*\w.{2,}")
NOTE = re.compile("TO" + r"DO\b|FIX" + r"ME\b|\bXX" + r"X\b|\bHA" + r"CK\b")
MACHINE = re.compile("/wo" + r"rk/|/ro" + r"ot/|/ho" + r"me/[a-z]")
SECRET = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{36}\b")
LARGEST_BYTES = 300_000


def comments(file: Path) -> list[tuple[int, str]]:
    with tokenize.open(file) as stream:
        return [
            (token.start[0], token.string)
            for token in tokenize.generate_tokens(stream.readline)
            if token.type == tokenize.COMMENT
        ]


def test_every_suppression_says_why() -> None:
    bare = [
        f"{name(file)}:{line}: {text}"
        for file in python("controller", "sql", "scripts")
        for line, text in comments(file)
        if SUPPRESSION.search(text) and not WITH_REASON.search(text)
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("comment", "is_fine"),
    [
        ("# noqa: S603 - fixed commands, no shell", True),
        ("# type: ignore[no-untyped-call]  # SQLAlchemy left it out", True),
        ("# noqa: S603", False),
        ("# noqa", False),
        ("# type: ignore", False),
        ("# type: ignore[misc]  # ?", False),
    ],
)
def test_a_reason_is_known_when_seen(comment: str, is_fine: bool) -> None:
    assert SUPPRESSION.search(comment)
    assert bool(WITH_REASON.search(comment)) is is_fine


def test_every_ignored_rule_has_its_reason_beside_it() -> None:
    inside = False
    bare = []
    for line in (ROOT / "pyproject.toml").read_text().splitlines():
        if line.startswith(("ignore = [", '"')) and line.rstrip().endswith("["):
            inside = True
        elif line.startswith("]"):
            inside = False
        elif inside and "#" not in line:
            bare.append(line.strip())
    assert bare == []


@pytest.mark.parametrize("pattern", [NOTE, MACHINE, SECRET], ids=["notes to oneself", "a machine's paths", "secrets"])
def test_no_text_holds(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name(file)}:{number}: {line.strip()[:80]}"
        for file in texts()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def test_no_file_is_large_or_made_by_a_tool() -> None:
    assert [name(file) for file in files() if file.stat().st_size > LARGEST_BYTES] == []
    assert [name(file) for file in files() if file.suffix in {".pyc", ".so", ".db", ".log", ".deb", ".whl"}] == []


def test_scripts_run() -> None:
    shell = [file for file in files() if file.suffix == ".sh" or name(file) == ".ci/run"]
    assert len(shell) > 5
    for file in shell:
        assert file.stat().st_mode & 0o111, f"{name(file)} is not executable"
        subprocess.run(["bash", "-n", str(file)], check=True)


def test_continuous_integration_runs_what_a_person_runs() -> None:
    last = (ROOT / ".ci/run").read_text().strip().splitlines()[-1]
    assert last == "exec make test"
