"""docs/reliability.md is made from figures: what is missing is said to be missing, what failed is shown."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.pure
SCRIPT = Path(__file__).parents[2] / "scripts/reliability.py"


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reliability", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def made(script: ModuleType, folder: Path, **files: object) -> tuple[int, str]:
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    code = script.main(["--figures", str(folder), "--out", str(folder / "page.md"), "--check"])
    return code, (folder / "page.md").read_text()


def test_without_any_figure_every_line_says_so(script: ModuleType, tmp_path: Path) -> None:
    code, page = made(script, tmp_path)
    assert code == 0
    assert page.count("| not run |") == len(script.PROMISES) + len(script.FAULTS)
    assert page.count("Not run.") == 3


def test_what_other_programmes_saw_stands_at_its_promise(script: ModuleType, tmp_path: Path) -> None:
    sim = {
        "runs": [{"programme": "F34", "seeds": 2000, "breaches": 1}, {"programme": "day", "seeds": 50, "breaches": 0}]
    }
    fuzz = [{"id": "Z1", "inputs": 20000, "asked": "0 exceptions", "seen": {"p99_ms": 0.5, "by": {}}, "pass": True,
             "found": ["one", "two"]}]  # fmt: skip
    soak = {"calls": 900, "failed": 0, "rung_twice": 0, "ring_p50_ms": 20.0, "ring_p99_ms": 90.0}
    soak |= {"rows": {"a": {"flat": True}, "b": {"flat": False, "second_quarter": 1.0, "last_quarter": 2.0}}}
    code, page = made(script, tmp_path, sim=sim, fuzz=fuzz, soak=soak)
    assert code == 1, "one seed broke something"
    assert (
        "| seeds, simulated | 2000 | S always, L ≤ 60 s after faults stop | 1999 of 2000 seeds | **not reached** |"
        in page
    )
    assert "hostile inputs: 20,000, all as asked (Z1)" in page
    assert "| Z1 | 20000 | 0 exceptions | p99_ms 0.5 | True | one; two |" in page
    assert "caller's INVITE to agent's INVITE: p50 20.0 ms, p99 90.0 ms (soak)" in page
    assert "| b: 1.0 in the second quarter, 2.0 in the last |" in page
    assert "days with one record a call: 50 of 50 seeds (sim)" in page


def test_a_figure_stands_at_its_fault_and_its_promise(script: ModuleType, tmp_path: Path) -> None:
    row = {"id": "F1", "what": "gap", "asked": "≤ 5 s", "times": 50, "unit": "s", "promise": "gap", "passed": True}
    code, page = made(script, tmp_path, faults=[row | {"median": 0.5, "p99": 1.25, "worst": 2.0}])
    assert code == 0
    assert "median 500 ms, p99 1.25 s, worst 2.00 s (F1)" in page
    assert "| gap | 50 | ≤ 5 s | median 500 ms, p99 1.25 s, worst 2.00 s | reached |" in page


def test_a_figure_says_of_which_commit_it_is_and_when_it_is_of_fewer_tries(script: ModuleType, tmp_path: Path) -> None:
    row = {"id": "F1", "what": "gap", "asked": "≤ 5 s", "times": 5, "seen": "1 s", "passed": True}
    rows = [row | {"commit": "abc", "most": 0}, row | {"commit": "abc", "most": 5}, row | {"commit": "def"}, row]
    _, page = made(script, tmp_path, faults=rows)
    assert page.count("| 1 s | reached |") == 3
    assert page.count("| 1 s | reached, 5 tries at most |") == 1
    assert "Taken at commit (figures): `abc` (2), `def` (1)." in page


def test_every_oddity_of_the_page_has_a_test_of_its_number() -> None:
    page = (SCRIPT.parents[1] / "docs/sip-oddities.md").read_text(encoding="utf-8")
    listed = {int(number) for number in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    text = "".join(
        path.read_text(encoding="utf-8") for path in (SCRIPT.parents[1] / "tests/live").glob("test_odd_*.py")
    )
    named = re.findall(r"def test((?:_\d\d)+)_", text) + re.findall(r'"(\d\d)-[a-z]', text)
    assert listed == set(range(1, 25)) == {int(number) for name in named for number in name.strip("_").split("_")}


def test_what_was_not_reached_is_shown_and_asked_for(script: ModuleType, tmp_path: Path) -> None:
    row = {"id": "F2", "what": "a|b", "asked": "0", "times": 1, "seen": "1", "passed": False}
    code, page = made(script, tmp_path, faults=[row], sim={"seeds": 20000, "breaches": 0}, load={"figures": [row]})
    assert code == 1
    assert "| a\\|b | 1 | 0 | 1 | **not reached** |" in page
    assert "| seeds | breaches |" in page


def test_a_file_that_cannot_be_read_is_left_out(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "fuzz.json").write_text("{")
    assert made(script, tmp_path)[0] == 0
