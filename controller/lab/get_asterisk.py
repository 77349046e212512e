"""The Asterisk a lab runs: one on PATH when its version is supported, else Debian's, unpacked into `.asterisk/`.

`python3 -m controller.lab.get_asterisk` makes sure there is one and prints which; `find_asterisk` finds it again.
Standard library only, because setup runs it while the virtual environment is still being made.

What stands in `.asterisk/`: the unpacked tree (`usr/`), `run-asterisk` that starts it, `moh/default/` with waiting
music already in ulaw and alaw (music kept as gsm is transcoded again for every waiting caller), and `VERSION`: the
version, where it came from, and the recipe it was made by, so that a newer recipe makes it afresh. With an Asterisk on
PATH only the music is made.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.errors import TongdaiError
from controller.lab import debian, music
from controller.lab.versions import AsteriskError, Support, Verdict, judge

FOLDER = Path(".asterisk")
CLONE = Path(__file__).resolve().parents[2]
PROGRAM = Path("usr/sbin/asterisk")
RECIPE = "1"
MUSIC_PACKAGE = "asterisk-moh-opsound-gsm"
PACKAGES = ("asterisk", MUSIC_PACKAGE)
BANNER_LIMIT_S = 60
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin")  # where Asterisk lives, and seldom on a person's PATH


@dataclass(frozen=True, slots=True)
class AsteriskInstall:
    """An Asterisk that can be started, and where its parts are. All paths are absolute.

    `argv` starts the program; append `-f -n -C asterisk.conf`. `var_lib_dir` holds documentation, rest-api and sounds
    and is what `astdatadir` is to be made of; `sounds_dir` has one folder a language; `moh_dir` has a folder `default`,
    or is None.
    """

    version: str
    support: Support
    argv: tuple[str, ...]
    modules_dir: Path
    var_lib_dir: Path
    sounds_dir: Path
    moh_dir: Path | None
    note: str = ""

    @property
    def program(self) -> str:
        """The Asterisk binary itself, as a person would name it."""
        return self.argv[-1]


def find_asterisk(root: Path | None = None) -> AsteriskInstall:
    """The Asterisk to use: the tree `root` when given, else a supported one on PATH, else `./.asterisk` or the clone's.

    Raises `AsteriskError` with one line when there is none.
    """
    if root is not None:
        return _unpacked(root.absolute())
    on_path, refusals = _on_path()
    if on_path:
        return on_path
    for folder in (Path.cwd() / FOLDER, CLONE / FOLDER):
        if (folder / PROGRAM).is_file():
            return _unpacked(folder)
    raise AsteriskError("; ".join([*refusals, "no Asterisk found: run `make setup`"]))


def prepare(folder: Path) -> tuple[AsteriskInstall, tuple[str, ...]]:
    """Make sure there is an Asterisk and music for it; returns it, and why others were refused."""
    on_path, refusals = _on_path()
    origin = on_path.program if on_path else f"Debian {debian.SUITE}"
    if _stamp(folder)[1:] != [origin, f"recipe {RECIPE}"]:
        _make(folder, on_path, origin)
    return find_asterisk(None if on_path else folder), refusals


def _make(folder: Path, on_path: AsteriskInstall | None, origin: str) -> None:
    """Build the folder beside its place and move it there when whole: an interrupted setup leaves nothing half done."""
    building = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(building, ignore_errors=True)
    packages = debian.fetch(PACKAGES)
    if on_path:
        packages = [package for package in packages if package.name == MUSIC_PACKAGE]
    debian.unpack(packages, building)
    install = on_path or _complete(building)
    tracks = building / "usr/share/asterisk/moh"
    music.convert(tracks, building / "moh/default", install.argv, install.modules_dir, install.var_lib_dir)
    (building / "VERSION").write_text(f"{install.version}\n{origin}\nrecipe {RECIPE}\n")
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)


def _complete(tree: Path) -> AsteriskInstall:
    """What dpkg would have done after unpacking: the launcher, and the languages of the sounds."""
    debian.launcher(tree, str(PROGRAM), tree / "run-asterisk")
    sounds = tree / "usr/share/asterisk/sounds"
    for link in sounds.iterdir():
        if link.is_symlink():
            link.unlink()  # they point at places of the machine, which is not ours to write to
    voice = next(folder for folder in sorted(sounds.iterdir()) if folder.is_dir())
    for language in ("en", "en_US"):
        (sounds / language).symlink_to(voice.name)
    return _unpacked(tree)


def _stamp(folder: Path) -> list[str]:
    try:
        return (folder / "VERSION").read_text().splitlines()
    except OSError:
        return []


def _unpacked(root: Path) -> AsteriskInstall:
    """The install in an unpacked tree; `AsteriskError` when the tree is none or holds a refused version."""
    if not (root / PROGRAM).is_file():
        raise AsteriskError(
            f"{root} holds no unpacked Asterisk: run `make setup`, or name another with --asterisk-root"
        )
    argv = (*debian.loader(root), str(root / PROGRAM))
    verdict = _verdict(argv)
    if verdict.support is Support.REFUSED:
        raise AsteriskError(f"Asterisk {verdict.version} in {root} is refused: {verdict.reason}")
    data = root / "usr/share/asterisk"
    modules = debian.libraries_of(root) / "asterisk/modules"
    return AsteriskInstall(
        verdict.version, verdict.support, argv, modules, data, data / "sounds", root / "moh", verdict.reason
    )


def _on_path() -> tuple[AsteriskInstall | None, tuple[str, ...]]:
    """A usable Asterisk of the machine, or None and why each one found was refused."""
    refusals: list[str] = []
    for program in _programs():
        verdict = _verdict((program,))
        if verdict.support is Support.REFUSED:
            refusals.append(f"Asterisk {verdict.version} at {program} is refused: {verdict.reason}")
            continue
        modules, data = _modules_of(program), _data_of(program)
        if modules and data:
            sounds = data / "sounds"
            install = AsteriskInstall(
                verdict.version, verdict.support, (program,), modules, data, sounds, _music_of(), verdict.reason
            )
            return install, tuple(refusals)
        refusals.append(
            f"Asterisk {verdict.version} at {program} is refused: no PJSIP modules or no documentation beside it"
        )
    return None, tuple(refusals)


def _programs() -> Iterator[str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS])
    seen: list[str] = []
    for folder in path.split(os.pathsep):
        found = shutil.which("asterisk", path=folder) if folder else None
        if found and os.path.realpath(found) not in seen:
            seen.append(os.path.realpath(found))
            yield found


def _modules_of(program: str) -> Path | None:
    prefix = Path(program).resolve().parent.parent
    candidates = [
        prefix / "lib/asterisk/modules",
        *sorted(prefix.glob("lib/*/asterisk/modules")),
        prefix / "lib64/asterisk/modules",
    ]
    return next((folder for folder in candidates if (folder / "chan_pjsip.so").is_file()), None)


def _data_of(program: str) -> Path | None:
    """The data folder: without the documentation in it Asterisk does not even start."""
    prefix = Path(program).resolve().parent.parent
    candidates = (Path("/var/lib/asterisk"), prefix / "share/asterisk", prefix / "var/lib/asterisk")
    return next((folder for folder in candidates if any(folder.glob("documentation/core-*.xml"))), None)


def _music_of() -> Path | None:
    candidates = (Path.cwd() / FOLDER / "moh", CLONE / FOLDER / "moh")
    return next((folder for folder in candidates if folder.is_dir()), None)


def _verdict(argv: Sequence[str]) -> Verdict:
    try:
        said = subprocess.run([*argv, "-V"], capture_output=True, text=True, timeout=BANNER_LIMIT_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Verdict("of unknown version", Support.REFUSED, f"it does not start ({problem})")
    return judge(said or "that says nothing")


def main(arguments: Sequence[str] | None = None) -> int:
    """The setup step: prepare and say in one line what was found; exit code 1 when there is nothing to use."""
    parser = argparse.ArgumentParser(prog="get_asterisk", description="Find or unpack the Asterisk the lab runs.")
    parser.add_argument("--into", type=Path, default=FOLDER, help="folder to unpack into")
    chosen = parser.parse_args(arguments)
    try:
        install, refusals = prepare(chosen.into.absolute())
    except TongdaiError as problem:
        print(f"setup: no Asterisk: {problem}", file=sys.stderr)
        return 1
    for refusal in refusals:
        print(f"setup: {refusal}", file=sys.stderr)
    if install.support is Support.REDUCED:
        print(
            f"setup: warning: Asterisk {install.version} is supported in a reduced way: {install.note}", file=sys.stderr
        )
    print(f"Asterisk {install.version} ({install.program})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
