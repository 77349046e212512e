"""The journal: every event, fact and command as one JSON line, for looking back, never for coming back.

Files are named by their first instant and kept for some days and some megabytes, whichever is less. A full disk
costs the journal, not the calls: failures are counted and the service goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from controller.ports import Line
from controller.spool import Spool

FILE_MAX_BYTES = 8 * 1024 * 1024
DAY_MS = 86_400_000
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


class Journal:
    """Append-only files under `folder`; None keeps nothing. Old files go when the limits are passed.

    `spool` is what coming back needs while the books are away; it stands in the same folder.
    """

    def __init__(self, folder: Path | None, days: int = 7, max_mb: int = 200, spool: Spool | None = None) -> None:
        self.spool = spool or Spool(None)
        self._folder = folder
        self._days = days
        self._max_bytes = max_mb * 1024 * 1024
        self._file: IO[str] | None = None
        self._size = 0
        self.failures = 0

    def write(self, lines: Sequence[Line]) -> None:
        """Append lines; never raises for want of disk."""
        if self._folder is None or not lines:
            return
        try:
            text = "".join(_dump(line) for line in lines)
            if self._file is None or self._size > FILE_MAX_BYTES:
                self._open(lines[0].at_ms)
            assert self._file is not None  # noqa: S101  # opened above
            self._file.write(text)
            self._file.flush()
            self._size += len(text)
        except OSError:
            self.failures += 1
            self.close()

    def close(self) -> None:
        """Close the file in use."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError:
                self.failures += 1
            self._file = None

    def stories(self, calls: Iterable[str]) -> dict[str, list[Line]]:
        """What the newest files tell of these calls, in order: their stories go on after a restart."""
        wanted = set(calls)
        found: dict[str, list[Line]] = {call: [] for call in wanted}
        if self._folder is None or not wanted:
            return found
        for path in sorted(self._folder.glob("*.jsonl"))[-4:]:
            for line in read(path):
                if line.call in wanted:
                    found[line.call].append(line)
        return found

    def _open(self, at_ms: int) -> None:
        self.close()
        assert self._folder is not None  # noqa: S101  # write() returned otherwise
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{at_ms:015d}-{os.getpid()}.jsonl"
        # Whole numbers of callers stand in it: for its owner alone, also in a folder that somebody else made.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._file = os.fdopen(file, "a", encoding="utf-8")
        self._size = 0
        self._prune(at_ms)

    def _prune(self, now_ms: int) -> None:
        assert self._folder is not None  # noqa: S101  # only called by _open
        kept_bytes = 0
        for path in sorted(self._folder.glob("*.jsonl"), reverse=True):
            kept_bytes += path.stat().st_size
            old = now_ms - int(path.stem.split("-")[0]) > self._days * DAY_MS
            if old or kept_bytes > self._max_bytes:
                path.unlink(missing_ok=True)


def _dump(line: Line) -> str:
    return _ENCODE([line.at_ms, line.call, line.kind, line.name, line.cause, line.body]) + "\n"


def read(path: Path) -> Iterator[Line]:
    """The lines of one file; a torn last line is left out."""
    with path.open(encoding="utf-8") as file:
        for text in file:
            try:
                row: Any = json.loads(text)
                line = Line(*row)
            except (ValueError, TypeError):
                continue
            if isinstance(line.body, dict):
                yield line
