"""The house as ARCHITECTURE.md draws it: a test beside every file of the core, and a core that asks nobody."""

from __future__ import annotations

import ast
import sys
import tomllib

import pytest

from tests.gate.repository import ROOT, name, python

pytestmark = pytest.mark.pure

CORE = ROOT / "controller/core"
FORBIDDEN = set(tomllib.loads((CORE / "ruff.toml").read_text())["lint"]["flake8-tidy-imports"]["banned-api"])


def core_files() -> list[str]:
    return sorted(file.stem for file in CORE.glob("*.py") if file.stem != "__init__")


def imports(source: str) -> set[str]:
    """Every module a source imports, wherever in it the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or ".")
    return found


def test_there_is_a_core() -> None:
    assert {"step", "call", "agent", "matching", "trunks"} <= set(core_files())


def decides(source: str) -> bool:
    """Whether a source has functions to test; plain declarations are tested by those who use them."""
    return any(isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(source)))


def test_declarations_are_told_from_decisions() -> None:
    assert decides("class Call:\n    def ring(self): ...")
    assert not decides("class Call:\n    id: str")
    assert not decides((CORE / "events.py").read_text())


@pytest.mark.parametrize("stem", [stem for stem in core_files() if decides((CORE / f"{stem}.py").read_text())])
def test_a_core_file_has_its_own_test(stem: str) -> None:
    assert (ROOT / f"tests/core/test_{stem}.py").is_file()


@pytest.mark.parametrize("stem", core_files())
def test_a_core_file_is_quiet(stem: str) -> None:
    asked = imports((CORE / f"{stem}.py").read_text())
    assert asked & FORBIDDEN == set()
    assert {module.split(".")[0] for module in asked} - sys.stdlib_module_names <= {"controller", "phonenumbers"}
    outside = {
        module for module in asked if module.split(".")[0] == "controller" and not module.startswith("controller.core")
    }
    assert outside == set()


def test_an_import_is_seen_wherever_it_stands() -> None:
    assert imports("def f():\n    import time\n    from os import path") == {"time", "os"}
    assert {"time", "random", "asyncio", "os", "logging", "datetime.datetime.now"} <= FORBIDDEN


def test_no_class_prints_and_no_room_but_the_hall_talks_to_a_person() -> None:
    """`print` belongs to the command line, the lab and scripts; the daemon writes its log."""
    talking = [
        f"{name(file)}:{node.lineno}"
        for file in python("controller")
        if not name(file).startswith(("controller/cli", "controller/lab/"))
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert talking == []
