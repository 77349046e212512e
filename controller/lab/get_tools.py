"""What tests against real peers need beside Asterisk: SIPp and a PostgreSQL server.

One of the machine is used; what is missing is unpacked from Debian's own packages into `.tools/`, the same way as
Asterisk: no root, nothing installed. `python3 -m controller.lab.get_tools` does it, and `.tools/bin` then goes on PATH.
Standard library only, because setup runs it while the virtual environment is still being made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import TongdaiError
from controller.lab import debian

FOLDER = Path(".tools")
RECIPE = "1"
BANNER_LIMIT_S = 60
SERVER_PROGRAMS = ("initdb", "postgres", "pg_ctl", "psql", "pg_isready")
SYSTEM_SERVERS = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing tests need: how it is found, what Debian calls it, how it is made to start once unpacked."""

    name: str
    program: str
    package: str
    find: Callable[[], Path | None]
    install: Callable[[Path, Path], None]
    version_option: str


def find_sipp() -> Path | None:
    """SIPp on PATH."""
    found = shutil.which("sipp")
    return Path(found) if found else None


def find_postgres() -> Path | None:
    """`initdb` of the newest PostgreSQL server of the machine, with `postgres` beside it; else one on PATH."""
    versions = [found for found in SYSTEM_SERVERS.glob("*/bin/initdb") if found.with_name("postgres").exists()]
    if versions:
        return max(versions, key=lambda found: int(found.parts[-3]))
    on_path = shutil.which("initdb")
    return Path(on_path) if on_path else None


def _install_sipp(tree: Path, programs: Path) -> None:
    debian.launcher(tree, "usr/bin/sipp", programs / "sipp")


def _install_postgres(tree: Path, programs: Path) -> None:
    """Every server program becomes a launcher in its own place, because they start each other by path."""
    folder = next(tree.glob("usr/lib/postgresql/*/bin"))
    for name in SERVER_PROGRAMS:
        binary = (folder / name).rename(folder / f"{name}.bin")
        debian.launcher(tree, str(binary.relative_to(tree)), folder / name)
        to = os.path.relpath(folder / name, programs)
        script = f'#!/bin/sh\nexec "$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)/{to}" "$@"\n'
        (programs / name).write_text(script)
        (programs / name).chmod(0o755)


TOOLS = (
    Tool("SIPp", "sipp", "sip-tester", find_sipp, _install_sipp, "-v"),
    Tool("PostgreSQL", "postgres", "postgresql", find_postgres, _install_postgres, "--version"),
)


def reachable(program: Path, scratch: Path) -> Path:
    """`program`, or a copy of its tree inside `scratch` when another user could not run it where it is.

    PostgreSQL refuses to run as root, and root's own folders are closed to everybody else.
    """
    tree = next((folder for folder in program.resolve().parents if folder.parent.name == FOLDER.name), None)
    if tree is None or all(folder.stat().st_mode & 0o001 for folder in program.resolve().parents):
        return program
    copy = scratch / FOLDER.name
    shutil.copytree(tree.parent, copy, symlinks=True, dirs_exist_ok=True)
    return copy / program.resolve().relative_to(tree.parent)


def prepare(folder: Path) -> list[str]:
    """Make sure every tool is there; returns one line about each. Quick when nothing is missing."""
    missing = [tool for tool in TOOLS if tool.find() is None]
    stamp = folder / "VERSION"
    wanted = "".join(f"{tool.package}\n" for tool in missing) + f"recipe {RECIPE}\n"
    if missing and (not stamp.is_file() or stamp.read_text() != wanted):
        names = " and ".join(tool.name for tool in missing)
        print(f"setup: unpacking {names} into {folder.name}; nothing is installed", flush=True)
        _make(folder, missing, wanted)
    return [_describe(tool, folder) for tool in TOOLS]


def _make(folder: Path, missing: Sequence[Tool], wanted: str) -> None:
    building = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    (building / "bin").mkdir(parents=True)
    for tool in missing:
        tree = building / tool.package
        debian.unpack(debian.fetch([tool.package]), tree)
        tool.install(tree, building / "bin")
    (building / "VERSION").write_text(wanted)
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)


def _describe(tool: Tool, folder: Path) -> str:
    found = tool.find()
    program = found.with_name(tool.program) if found else folder / "bin" / tool.program
    command = [str(program), tool.version_option]
    said = subprocess.run(command, capture_output=True, text=True, timeout=BANNER_LIMIT_S, check=False)
    lines = [line.strip() for line in said.stdout.splitlines() if line.strip()]
    if not lines:
        raise debian.UnpackError(f"{program} does not start: {said.stderr.strip()[:200]}")
    return f"{lines[0]} ({program})"


def main(arguments: Sequence[str] | None = None) -> int:
    """The setup step of `make test`: prepare, one line a tool; exit code 1 and one line when something is missing."""
    parser = argparse.ArgumentParser(prog="get_tools", description="Find or unpack what tests need beside Asterisk.")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder to unpack into")
    chosen = parser.parse_args(arguments)
    try:
        print("\n".join(prepare(chosen.into.absolute())))
    except TongdaiError as problem:
        print(f"setup: what the tests need is missing: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
