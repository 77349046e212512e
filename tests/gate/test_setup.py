"""The commands of a fresh machine: what they say when they cannot go on, and that a lane that proves nothing fails."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure

HEAD = '<?xml version="1.0"?><testsuites><testsuite name="pytest">'
TAIL = "</testsuite></testsuites>"
PASSED = '<testcase classname="a" name="passes" />'
SKIPPED = '<testcase classname="a" name="waits"><skipped message="no tool" /></testcase>'


def counted(report: Path, *cases: str) -> subprocess.CompletedProcess[str]:
    report.write_text(HEAD + "".join(cases) + TAIL)
    command = [sys.executable, str(ROOT / "scripts/counted.py"), "--total", str(report)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_lane_that_ran_is_counted(tmp_path: Path) -> None:
    done = counted(tmp_path / "pure.xml", PASSED, PASSED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "test: pure 2\n", "")


def test_a_skipped_test_fails_the_lane_by_name(tmp_path: Path) -> None:
    done = counted(tmp_path / "live.xml", PASSED, SKIPPED)
    assert done.returncode == 1
    assert "a::waits" in done.stderr


def test_a_lane_without_tests_fails(tmp_path: Path) -> None:
    done = counted(tmp_path / "sim.xml")
    assert done.returncode == 1
    assert "sim holds no test" in done.stderr


def a_machine(folder: Path, **programs: str) -> dict[str, str]:
    """An environment whose PATH holds bash's helpers and these programs only."""
    for helper in ("bash", "env", "dirname", "sed", "cat", "sha256sum"):
        (folder / helper).symlink_to(shutil.which(helper) or "/bin/false")
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": str(folder)}


@pytest.mark.parametrize("programs", [{}, {"python3": "exit 1"}], ids=["no python", "an old python"])
def test_setup_without_a_fit_python_is_one_clear_line(tmp_path: Path, programs: dict[str, str]) -> None:
    done = subprocess.run(
        [str(ROOT / "scripts/setup.sh")],
        env=a_machine(tmp_path, **programs),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "setup: no Python 3.11 or newer found (tried python3, python3.13, python3.12, python3.11)"
    ]


def test_a_python_that_lies_about_its_version_is_passed_over(tmp_path: Path) -> None:
    environment = a_machine(tmp_path, **{"python3.12": 'echo "3.11"'}) | {"HOME": str(tmp_path)}
    command = [str(ROOT / "scripts/find_python.sh"), "3.12"]
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 1


def test_every_verb_of_the_interface_is_there() -> None:
    verbs = {"setup", "run", "test", "check", "bench", "sim"}
    said = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    assert verbs <= {line.split()[1] for line in said.splitlines() if line.startswith("make ")}
    for verb in verbs:
        planned = subprocess.run(
            ["make", "-n", "-C", str(ROOT), verb], capture_output=True, text=True, check=True
        ).stdout
        scripts = {word for word in planned.split() if word.startswith("scripts/")}
        assert scripts
        assert [script for script in scripts if not os.access(ROOT / script, os.X_OK)] == []


def test_demo_0_leaves_out_the_demonstration() -> None:
    def planned(*variables: str) -> str:
        command = ["make", "-n", "-C", str(ROOT), "run", *variables]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "--no-demo" not in planned()
    assert "--no-demo" in planned("DEMO=0")
