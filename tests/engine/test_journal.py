"""The journal: what was written is read again, torn lines are left out, old files go, a full disk costs no call."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller import journal
from controller.journal import DAY_MS, Journal
from controller.ports import Line

pytestmark = pytest.mark.pure


def line(at_ms: int, call: str = "1.1") -> Line:
    return Line(at_ms, call, "event", "DigitPressed", "DigitPressed#1", {"digit": "1"})


def test_stories_come_back_for_the_calls_asked_for(tmp_path: Path) -> None:
    book = Journal(tmp_path)
    book.write([line(1), line(2, "2.1"), line(3)])
    book.close()
    assert Journal(tmp_path).stories(["1.1"]) == {"1.1": [line(1), line(3)]}


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Whole numbers of callers stand in it, also where somebody else made the folder for everybody to read."""
    tmp_path.chmod(0o755)
    for folder in (tmp_path, tmp_path / "ours"):
        book = Journal(folder)
        book.write([line(1)])
        book.close()
    assert [path.stat().st_mode & 0o777 for path in tmp_path.glob("*.jsonl")] == [0o600]
    assert (tmp_path / "ours").stat().st_mode & 0o777 == 0o700


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    book = Journal(tmp_path)
    book.write([line(1)])
    book.close()
    file = next(tmp_path.glob("*.jsonl"))
    file.write_text(file.read_text() + '[2,"1.1","ev')
    assert list(journal.read(file)) == [line(1)]


def test_files_past_the_days_or_the_megabytes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "FILE_MAX_BYTES", 0)
    book = Journal(tmp_path, days=1, max_mb=1)
    for at_ms in (1, 2, 3, 2 + DAY_MS, 3 + DAY_MS):
        book.write([line(at_ms)])
    book.close()
    kept = sorted(int(path.stem.split("-")[0]) for path in tmp_path.glob("*.jsonl"))
    assert kept == [3, 2 + DAY_MS, 3 + DAY_MS]


def test_a_folder_that_cannot_be_written_is_counted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    book = Journal(tmp_path / "file" / "under")
    book.write([line(1)])
    assert book.failures == 1
