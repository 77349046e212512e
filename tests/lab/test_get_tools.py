"""Tools of the machine first, else unpacked; small scripts stand for SIPp and PostgreSQL."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from controller.lab import debian, get_tools
from controller.lab.get_tools import find_postgres, prepare, reachable

pytestmark = pytest.mark.wire


def a_program(at: Path, says: str) -> Path:
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(f"#!/bin/sh\necho '{says}'\n")
    at.chmod(0o755)
    return at


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with neither tool, and a Debian that hands out scripts."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for helper in ("sh", "dirname"):
        (bin_folder / helper).symlink_to(f"/usr/bin/{helper}")
    monkeypatch.setenv("PATH", str(bin_folder))
    monkeypatch.setattr(get_tools, "SYSTEM_SERVERS", tmp_path / "usr/lib/postgresql")

    def fetch(packages: Sequence[str]) -> list[str]:
        return list(packages)

    def unpack(packages: Sequence[str], tree: Path) -> None:
        (tree / "usr/lib/x86_64-linux-gnu").mkdir(parents=True)
        # A loader that starts the program it is given as its own libraries would: --library-path L --argv0 A PROGRAM.
        a_program(tree / "usr/lib64/ld-linux-x86-64.so.2", "").write_text('#!/bin/sh\nshift 4\nexec "$@"\n')
        if packages == ["sip-tester"]:
            a_program(tree / "usr/bin/sipp", "SIPp v3.8.0")
        for name in get_tools.SERVER_PROGRAMS if packages == ["postgresql"] else ():
            a_program(tree / "usr/lib/postgresql/18/bin" / name, f"{name} (PostgreSQL) 18.6")

    monkeypatch.setattr(debian, "fetch", fetch)
    monkeypatch.setattr(debian, "unpack", unpack)
    return tmp_path


def test_what_is_missing_is_unpacked_and_starts(bare_machine: Path) -> None:
    folder = bare_machine / ".tools"
    lines = prepare(folder)
    assert lines[0] == f"SIPp v3.8.0 ({folder}/bin/sipp)"
    assert lines[1] == f"postgres (PostgreSQL) 18.6 ({folder}/bin/postgres)"
    for name in get_tools.SERVER_PROGRAMS:
        said = subprocess.run([folder / "bin" / name], capture_output=True, text=True, check=True).stdout
        assert said == f"{name} (PostgreSQL) 18.6\n"


def test_the_second_time_nothing_is_fetched(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = prepare(bare_machine / ".tools")
    monkeypatch.delattr(debian, "fetch")
    assert prepare(bare_machine / ".tools") == first


def test_the_machine_s_own_are_used(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(debian, "fetch")
    a_program(bare_machine / "bin/sipp", "SIPp v3.6.1")
    for version in ("9", "15"):
        for name in ("initdb", "postgres"):
            a_program(bare_machine / f"usr/lib/postgresql/{version}/bin/{name}", f"{name} (PostgreSQL) {version}")
    assert prepare(bare_machine / ".tools") == [
        f"SIPp v3.6.1 ({bare_machine}/bin/sipp)",
        f"postgres (PostgreSQL) 15 ({bare_machine}/usr/lib/postgresql/15/bin/postgres)",
    ]
    assert not (bare_machine / ".tools").exists()


def test_a_client_without_its_server_does_not_count(bare_machine: Path) -> None:
    a_program(bare_machine / "usr/lib/postgresql/16/bin/initdb", "initdb")
    assert find_postgres() is None


def test_a_tool_that_does_not_start_is_named(bare_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(bare_machine / ".tools")
    (bare_machine / ".tools/bin/sipp").write_text("#!/bin/sh\necho 'no such library' >&2\nexit 127\n")
    assert get_tools.main(["--into", str(bare_machine / ".tools")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{bare_machine}/.tools/bin/sipp does not start: no such library" in said


def test_another_user_gets_a_copy_of_what_it_could_not_reach(bare_machine: Path, tmp_path: Path) -> None:
    prepare(bare_machine / ".tools")
    program = bare_machine / ".tools/bin/initdb"
    bare_machine.chmod(0o700)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    copy = reachable(program, scratch)
    assert copy == scratch / ".tools/bin/initdb"
    assert subprocess.run([copy], capture_output=True, text=True, check=True).stdout == "initdb (PostgreSQL) 18.6\n"
    assert reachable(Path("/usr/bin/env"), scratch) == Path("/usr/bin/env")
