"""Turns the books have not got, on disk: while the books are away, whatever ends this process loses none of them.

One file a life, named after the books and the life, in the folder of the journal. It is there only while the books
are away, or when a life ended before they came back; whoever starts or leads next hands it in (`controller.arrears`).
Turns stand in it in their order and without a gap, so whatever was torn off at its end, what is there is how things
once stood. Nothing is forced to the disk itself: a process that dies loses nothing, a machine that loses its power may.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from controller.core import codec
from controller.core.model import Change
from controller.ports import Deed, Line, Said, Turn

SUFFIX, UNREAD = ".owed", ".unread"
_ENCODE = json.JSONEncoder(separators=(",", ":"), default=str, check_circular=False).encode


class Spool:
    """The file of one life; `folder` None keeps nothing. `books` is the name of the books, `holder` the life's own.

    A disk that fails costs the spool, not the calls: `failures` counts, and nothing more is kept until `clear`.
    """

    def __init__(self, folder: Path | None, books: str = "", holder: str = "") -> None:
        self.kept = 0
        self.failures = 0
        self._path = folder / f"{books}.{holder}{SUFFIX}" if folder is not None else None
        self._file: IO[str] | None = None
        self._broken = False
        self._read_at = (0, 0)

    def keep(self, turns: Sequence[Turn]) -> None:
        """Append turns; never raises."""
        if self._path is None or self._broken or not turns:
            return
        try:
            if self._file is None:
                self._file = _opened(self._path)
            self._file.write("".join(f"{dumps(turn)}\n" for turn in turns))
            self._file.flush()
            self.kept += len(turns)
        except OSError:
            self._fail()

    def read(self, first: int, many: int) -> list[Turn]:
        """Return at most so many turns, from the one with this place on (0: the first kept since `clear`)."""
        if self._path is None or first >= self.kept:
            return []
        place, offset = self._read_at if self._read_at[0] <= first else (0, 0)
        try:
            with self._path.open("rb") as file:
                file.seek(offset)
                for _ in range(first - place):
                    file.readline()
                found = [loads(file.readline().decode()) for _ in range(min(many, self.kept - first))]
                self._read_at = (first + len(found), file.tell())
        except (OSError, ValueError):
            self.failures += 1
            return []
        return found

    def clear(self) -> None:
        """Forget all of it: everything is on the books."""
        self._close()
        if self._path is not None and (self.kept or self._broken):
            try:
                self._path.unlink(missing_ok=True)
            except OSError:
                self.failures += 1
        self.kept, self._broken, self._read_at = 0, False, (0, 0)

    def close(self) -> None:
        """Let go of the file; what stands in it stays for the next start."""
        self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                self.failures += 1

    def _fail(self) -> None:
        """Keep no more: a turn after a gap would be put on a state it was not decided on."""
        self.failures += 1
        self._broken = True
        self._close()


@dataclass(slots=True)
class Left:
    """What a life that is over still owed: `holder` is the name it led under. `file` is locked as long as we look."""

    holder: str
    path: Path
    file: IO[bytes]
    read: int = 0
    unread: int = 0

    def turns(self) -> Iterator[Turn]:
        """Yield its turns in order, up to the first that cannot be read; a line torn off at the end is none."""
        self.file.seek(0)
        self.read = self.unread = 0
        for line in self.file:
            if not line.endswith(b"\n"):
                return
            try:
                turn = loads(line.decode())
            except ValueError:
                self.unread = 1 + sum(1 for _ in self.file)
                return
            self.read += 1
            yield turn

    def done(self) -> None:
        """They are on the books: nobody needs the file; what could not be read is put aside for a person."""
        if self.unread:
            self.path.rename(self.path.with_suffix(UNREAD))
        else:
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of it; what is not done is there for the next who looks."""
        self.file.close()


def left(folder: Path, books: str) -> Iterator[Left]:
    """Yield what lives on these books left that are over, oldest first; OSError when a file cannot be had."""
    found = sorted(folder.glob(f"{books}.*{SUFFIX}"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    for path in found:
        file = path.open("rb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()  # its life goes on
            continue
        yield Left(path.stem.rpartition(".")[2], path, file)


def dumps(turn: Turn) -> str:
    """Return a turn as one line of JSON."""
    return _ENCODE(
        [
            turn.at_ms,
            [[row.kind, row.id, None if row.after is None else codec.encode(row.after)] for row in turn.changes],
            [[said.seq, said.at_ms, codec.encode(said.fact)] for said in turn.facts],
            [
                [call, [[line.at_ms, line.kind, line.name, line.cause, line.body] for line in lines]]
                for call, lines in turn.stories
            ],
            [[deed.who, deed.action, deed.subject, deed.old, deed.new, deed.key] for deed in turn.deeds],
        ]
    )


def loads(text: str) -> Turn:
    """Read a turn back; ValueError when it is torn or not one."""
    try:
        at_ms, changes, facts, stories, deeds = json.loads(text)
        return Turn(
            at_ms,
            tuple(Change(kind, name, _entity(after)) for kind, name, after in changes),
            tuple(Said(seq, at, codec.decode(fact)) for seq, at, fact in facts),
            tuple((call, tuple(_line(call, row) for row in lines)) for call, lines in stories),
            tuple(Deed(*row) for row in deeds),
        )
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a turn: {error}") from error


def _entity(after: object) -> Any:
    return None if after is None else codec.decode(after)


def _line(call: str, row: Sequence[Any]) -> Line:
    at_ms, kind, name, cause, body = row
    return Line(at_ms, call, kind, name, cause, body)


def _opened(path: Path) -> IO[str]:
    """Open the file, locked for as long as we live: nobody hands in what a life still adds to."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Whole numbers of callers stand in it: for its owner alone, also in a folder that somebody else made.
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="ascii")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file
