"""Turns the books have not got, on disk: while the books are away, whatever ends this process loses none of them.

One file a life, named after the books and the life, in the folder of the journal. It is there only while the books
are away, or when a life ended before they came back; whoever starts or leads next hands it in (`controller.arrears`).
Turns stand in it in their order and without a gap, so whatever was torn off at its end, what is there is how things
once stood. Nothing is forced to the disk itself: a process that dies loses nothing, a machine that loses its power may.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
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

    A disk that fails costs the spool, not the calls: `failures` counts, and nothing more is kept until `clear`. What
    was kept before stays ours: the file is locked from its first turn on until `close`, or until it is gone.
    """

    def __init__(self, folder: Path | None, books: str = "", holder: str = "") -> None:
        self.kept = 0
        self.failures = 0
        self._path = folder / f"{books}.{holder}{SUFFIX}" if folder is not None else None
        self._file: io.FileIO | None = None
        self._size = 0
        self._broken = False
        self._unread = False
        self._places = ((0, 0), (0, 0))

    @classmethod
    def going_on(cls, left: Left, books: str, holder: str) -> Spool:
        """Go on with the file of a life that is over, which has been read to its end; OSError when it cannot be had."""
        assert not left.unread  # noqa: S101 - what stands behind would never be read
        found = cls(left.path.parent, books, holder)
        assert found._path is not None  # noqa: S101 - it has a folder
        left.path.replace(found._path)
        left.close()
        found._file = _locked(found._path)
        found._file.truncate(left.end)
        found.kept, found._size = left.read, left.end
        return found

    def keep(self, turns: Sequence[Turn]) -> None:
        """Append turns; never raises."""
        if self._path is None or self._broken or not turns:
            return
        text = "".join(f"{dumps(turn)}\n" for turn in turns).encode("ascii")
        try:
            file = self._opened()
            rest = text
            while rest:
                rest = rest[file.write(rest) or 0 :]
        except OSError:
            self._fail()
            return
        self.kept += len(turns)
        self._size += len(text)

    def read(self, first: int, many: int) -> Sequence[Turn | None]:
        """Return at most so many turns, from the one with this place on (0: the first kept since `clear`).

        None stands for one that cannot be read. OSError when the file cannot be had now.
        """
        if self._path is None or first >= self.kept:
            return []
        place, offset = max((known for known in self._places if known[0] <= first), default=(0, 0))
        raw = self._opened()
        raw.seek(offset)
        file = io.BufferedReader(raw)
        try:
            for _ in range(first - place):
                file.readline()
            begins = (first, file.tell())
            found = [_turn(file.readline()) for _ in range(min(many, self.kept - first))]
            self._places = (begins, (first + len(found), file.tell()))
        finally:
            file.detach()
        self._unread = self._unread or None in found
        return found

    def clear(self) -> None:
        """Forget all of it: everything is on the books. The file goes before its lock does."""
        if self._path is not None and (self.kept or self._broken):
            try:
                _remove(self._path, aside=self._unread)
            except OSError:
                self.failures += 1
                self._broken = True
                return
        self.close()
        self.kept, self._size, self._broken, self._unread, self._places = 0, 0, False, False, ((0, 0), (0, 0))

    def give_up(self) -> None:
        """Put the file aside for a person: it cannot be read."""
        self._unread = True
        self.clear()

    def close(self) -> None:
        """Let go of the file; what stands in it stays for the next start."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError:
                self.failures += 1

    def _opened(self) -> io.FileIO:
        if self._file is None:
            assert self._path is not None  # noqa: S101  # nobody opens the file of a spool that keeps nothing
            self._file = _locked(self._path)
        return self._file

    def _fail(self) -> None:
        """Keep no more: a turn after a gap would be put on a state it was not decided on.

        Half of what could not be written goes again. The file stays locked: whoever handed it in while we live would
        put its older rows over the newer ones we write.
        """
        self.failures += 1
        self._broken = True
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)


@dataclass(slots=True)
class Left:
    """What a life that is over still owed: `holder` is the name it led under. `file` is locked as long as we look.

    `turns` tells how many it could read, how many it could not, and where the last one ends.
    """

    holder: str
    path: Path
    file: IO[bytes]
    read: int = 0
    unread: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """Bytes that stand in it."""
        return os.fstat(self.file.fileno()).st_size

    def turns(self) -> Iterator[Turn]:
        """Yield its turns in order, up to the first that cannot be read; a line torn off at the end is none."""
        self.file.seek(0)
        self.read = self.unread = self.end = 0
        for line in self.file:
            if not line.endswith(b"\n"):
                return
            try:
                turn = loads(line.decode())
            except ValueError:
                self.unread = 1 + sum(1 for _ in self.file)
                return
            self.read += 1
            self.end += len(line)
            yield turn

    def done(self) -> None:
        """They are on the books: nobody needs the file; what could not be read is put aside for a person."""
        _remove(self.path, aside=bool(self.unread))

    def close(self) -> None:
        """Let go of it; what is not done is there for the next who looks."""
        self.file.close()


def left(folder: Path, books: str, refused: Callable[[OSError], None] = lambda _: None) -> Iterator[Left]:
    """Yield what lives on these books left that are over, oldest first; `refused` is told of files we cannot have."""
    for path in _oldest_first(folder.glob(f"{books}.*{SUFFIX}")):
        try:
            file = _taken(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            refused(error)
            continue
        if file is not None:
            yield Left(path.stem.rpartition(".")[2], path, file)


def _oldest_first(paths: Iterable[Path]) -> list[Path]:
    """Sort files by age; one with nothing in it is just being begun, and locked in a moment."""
    found = []
    for path in paths:
        with contextlib.suppress(OSError):
            seen = path.stat()
            if seen.st_size:
                found.append((seen.st_mtime_ns, path.name, path))
    return [path for _, _, path in sorted(found)]


def _taken(path: Path) -> IO[bytes] | None:
    """Open and lock a file; None when its life goes on, or has cleared it while we came."""
    file = path.open("rb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        gone = os.fstat(file.fileno()).st_nlink == 0
    except BlockingIOError:
        gone = True
    except OSError:
        file.close()
        raise
    if gone:
        file.close()
        return None
    return file


def _remove(path: Path, *, aside: bool) -> None:
    """Take a file away, or put it aside; where the folder does not let us, it is emptied."""
    try:
        if aside:
            path.replace(path.with_suffix(UNREAD))
        else:
            path.unlink(missing_ok=True)
    except OSError:
        os.truncate(path, 0)


def dumps(turn: Turn) -> str:
    """Return a turn as one line of JSON."""
    return _ENCODE(
        [
            turn.at_ms,
            [[row.kind, row.id, None if row.after is None else codec.encode(row.after)] for row in turn.changes],
            [[said.seq, said.at_ms, codec.encode(said.fact)] for said in turn.facts],
            [[call, [line.row for line in lines]] for call, lines in turn.stories],
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
            tuple((call, tuple(Line.of(call, row) for row in lines)) for call, lines in stories),
            tuple(Deed(*row) for row in deeds),
        )
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a turn: {error}") from error


def _entity(after: object) -> Any:
    return None if after is None else codec.decode(after)


def _turn(line: bytes) -> Turn | None:
    try:
        return loads(line.decode())
    except ValueError:
        return None


def _locked(path: Path) -> io.FileIO:
    """Open the file, locked for as long as we live: nobody hands in what a life still adds to."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Whole numbers of callers stand in it: for its owner alone, also in a folder that somebody else made.
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    file = io.FileIO(descriptor, "a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file
