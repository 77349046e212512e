"""The environment is the one that was tested: every distribution pinned, none forgotten, none left over."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions

import pytest

from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure

PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+]+)")
REQUIREMENT = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^]]*\])?\s*(.*)")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pin_lines() -> list[str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pins() -> dict[str, str]:
    return {plain(found[1]): found[2] for found in map(PIN.fullmatch, pin_lines()) if found}


def requirements() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(each for group in project["optional-dependencies"].values() for each in group)]
    found = (REQUIREMENT.fullmatch(line) for line in asked)
    return {plain(match[1]): match[3] for match in found if match}


def test_every_line_is_one_exact_version() -> None:
    assert [line for line in pin_lines() if not PIN.fullmatch(line)] == []
    assert len(pins()) == len(pin_lines()) > 50, "a distribution is pinned twice, or hardly any is"


def test_what_the_project_asks_for_is_pinned() -> None:
    assert set(requirements()) - set(pins()) == set()


def test_exact_requirements_agree_with_the_pins() -> None:
    exact = {name: rule.removeprefix("==") for name, rule in requirements().items() if rule.startswith("==")}
    assert {"aioari", "panoramisk"} <= set(exact), "their inner parts are overridden: only the known versions will do"
    assert exact == {name: pins()[name] for name in exact}


@pytest.mark.parametrize("file", ["scripts/venv.sh", "docker/Dockerfile"])
def test_what_builds_is_pinned_too(file: str) -> None:
    named = re.search(r"grep -E '\^\(([a-z|-]+)\)=='", (ROOT / file).read_text())
    assert named
    builders = set(named[1].split("|"))
    assert builders <= set(pins())
    assert {"setuptools", "setuptools-scm"} <= builders, "without the second, aioari is built as version 0.0.0"


def test_the_environment_holds_the_pins_and_nothing_else() -> None:
    here = {plain(one.name): one.version for one in distributions()}
    here.pop("tongdai")
    assert here == pins()


def test_what_only_the_long_fuzz_uses_is_pinned_too() -> None:
    """It lies in a folder of its own, so that no other run has it."""
    lines = (ROOT / "scripts/fuzz-requirements.txt").read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert [line for line in wanted if not PIN.fullmatch(line)] == []
    assert {plain(line.partition("==")[0]) for line in wanted} & set(pins()) == set()
