"""What the gates look at: the files of this repository as git knows them."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = {
    ".cfg",
    ".conf",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".md",
    ".mako",
    ".py",
    ".sh",
    ".sql",
    ".toml",
    ".tsv",
    ".txt",
    ".yaml",
}


@cache
def files() -> tuple[Path, ...]:
    """Every file that is kept or is about to be: tracked ones and new ones that are not ignored."""
    # Whoever owns the clone, and whatever repository the program that runs the tests is busy with.
    git = ["git", "-C", str(ROOT), "-c", "safe.directory=*"]
    command = [*git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    listed = done.stdout.split("\0")
    return tuple(sorted(ROOT / name for name in listed if name and (ROOT / name).is_file()))


def texts() -> tuple[Path, ...]:
    """Those a person reads."""
    return tuple(file for file in files() if file.suffix in TEXT or file.name in {"Makefile", "Dockerfile", "run"})


def python(*folders: str) -> tuple[Path, ...]:
    """Python files below the named folders of the repository."""
    return tuple(file for file in files() if file.suffix == ".py" and file.relative_to(ROOT).parts[0] in folders)


def name(file: Path) -> str:
    """A file as people name it."""
    return str(file.relative_to(ROOT))
