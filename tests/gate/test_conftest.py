"""The rule of categories can fail: shown on items made for it. And the same questions are asked each time."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis.internal.conjecture import providers

from controller.core import model
from tests.conftest import ASKS_THE_SAME, judge
from tests.faults import versions
from tests.gate.repository import ROOT

pytestmark = pytest.mark.pure


class Item:
    """What the rule looks at: marks of the item itself, its module and its classes, however they were given."""

    nodeid = "tests/test_one.py::test_it"
    path = Path("tests/test_one.py")

    def __init__(self, *marks: str) -> None:
        self._marks = [getattr(pytest.mark, name).mark for name in marks]

    def iter_markers(self) -> list[pytest.Mark]:
        return self._marks


def judged(*items: Item) -> None:
    judge(cast(list[Any], list(items)))


def test_one_category_beside_other_marks_is_right() -> None:
    judged(Item("pure"), Item("parametrize", "wire"))


@pytest.mark.parametrize(
    ("marks", "says"),
    [((), "none"), (("parametrize",), "none"), (("pure", "live"), "live and pure")],
    ids=["none", "only others", "two"],
)
def test_a_module_carries_exactly_one_category(marks: tuple[str, ...], says: str) -> None:
    with pytest.raises(pytest.UsageError, match="exactly one category") as refused:
        judged(Item("pure"), Item(*marks))
    assert f"{Item.nodeid}: {says}" in str(refused.value)


def test_a_category_nobody_knows_ends_the_run(pytestconfig: pytest.Config) -> None:
    assert "--strict-markers" in pytestconfig.getini("addopts")
    known = {line.partition(":")[0] for line in pytestconfig.getini("markers")}
    assert {"pure", "wire", "store", "web", "sim", "live"} <= known
    assert "quick" not in known


def test_questions_hang_on_the_test_alone_and_not_on_what_else_is_loaded() -> None:
    found = providers._get_local_constants()
    assert not ASKS_THE_SAME or len(found) == 0, f"{model.__name__} is loaded, and has constants"


def test_a_shallow_clone_and_a_copy_know_of_no_version_before(tmp_path: Path) -> None:
    clone = [
        "git",
        "-c",
        "safe.directory=*",
        "clone",
        "-q",
        "--depth",
        "1",
        f"file://{ROOT}",
        str(tmp_path / "shallow"),
    ]
    subprocess.run(clone, check=True, capture_output=True)
    assert versions.commit_before(tmp_path / "shallow") == ""
    (tmp_path / "copy").mkdir()
    assert versions.commit_before(tmp_path / "copy") == ""
