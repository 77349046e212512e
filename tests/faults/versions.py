"""The program of the schema before this one, and one of a schema after it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
NEWEST = max(path.name for path in (REPOSITORY / "sql/versions").glob("[0-9]*.py"))
BEFORE, NOW, AFTER = (f"{int(NEWEST[:4]) + n:04d}" for n in (-1, 0, 1))
"""Schemas."""
GIT_S, RUN_S = 60.0, 120.0
PROBE = """\
import json, controller
from controller.store.tables import SCHEMA_REVISION, metadata
tables = {name: [column.name for column in table.columns] for name, table in metadata.tables.items()}
print(json.dumps([controller.__file__, SCHEMA_REVISION, tables]))
"""


@cache
def commit_before(clone: Path = REPOSITORY) -> str:
    """The last commit before the newest migration; empty where the history is not here (a shallow clone, a copy).

    A migration that is not committed yet is newer than every commit.
    """
    added = _git(clone, "log", "--diff-filter=A", "--format=%H", "-1", "--", f"sql/versions/{NEWEST}").decode().strip()
    found = _git(clone, "rev-parse", "--verify", "--quiet", f"{added}^" if added else "HEAD").decode().strip()
    written_for = f'SCHEMA_REVISION: Final = "{BEFORE}"'.encode()
    return found if found and written_for in _git(clone, "show", f"{found}:controller/store/tables.py") else ""


def before(folder: Path) -> Path:
    """Put the program of the schema before into a folder of its own."""
    with zipfile.ZipFile(io.BytesIO(_git(REPOSITORY, "archive", "--format=zip", commit_before()))) as files:
        files.extractall(folder)
    return folder


def after(folder: Path) -> Path:
    """Make a program one schema further: a table and a column more, as a migration may bring them."""
    for name in ("controller", "sql", "dialplan", "sounds"):
        shutil.copytree(REPOSITORY / name, folder / name)
    (folder / f"sql/versions/{AFTER}_next.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision, down_revision = {AFTER!r}, {NOW!r}\n"
        "def upgrade():\n    op.create_table('next', sa.Column('n', sa.Integer()))\n"
        "    op.add_column('calls', sa.Column('mood', sa.Text(), server_default='', nullable=False))\n"
    )
    tables = folder / "controller/store/tables.py"
    tables.write_text(tables.read_text().replace(f'= "{NOW}"', f'= "{AFTER}"'))
    return folder


def asked(environ: dict[str, str], cwd: Path) -> tuple[Path, str, dict[str, Any]]:
    """Where a program run in this way finds its files, which schema it is of, and what it knows of the books."""
    found, revision, tables = json.loads(run(["-c", PROBE], environ, cwd))
    return Path(found), revision, tables


def run(arguments: list[str], environ: dict[str, str], cwd: Path) -> str:
    """What Python says when it is run so; AssertionError with its complaint when it fails."""
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=RUN_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def knows(code: Path, name: str) -> bool:
    """Whether the program in `code` has a setting, by the name of its variable: one that came later it would refuse."""
    if code == REPOSITORY or not name.startswith("TONGDAI_"):
        return True
    text = "".join(path.read_text(encoding="utf-8") for path in (code / "controller").glob("settings*.py"))
    words = name.removeprefix("TONGDAI_").lower().split("__")
    return all(re.search(rf"\b{word}\b", text) for word in words)


def _git(clone: Path, *arguments: str) -> bytes:
    """What git says, nothing when it cannot; whoever owns the clone, and whatever git is busy with meanwhile."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = ("git", "-C", str(clone), "-c", "safe.directory=*", *arguments)
    try:
        return subprocess.run(command, env=environ, capture_output=True, check=True, timeout=GIT_S).stdout
    except (OSError, subprocess.SubprocessError):
        return b""
