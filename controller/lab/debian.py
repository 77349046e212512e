"""Programs from Debian's own packages, unpacked into one folder: no root, nothing installed, every byte checked.

A private apt state knows one source only, Debian sid, signed by Debian's archive keys. apt resolves what a package
needs, downloads it and checks it against the signed index; the packages are then unpacked, not installed: no maintainer
script runs. Programs are started through the loader that came with them (`launcher`), so that the libraries of the
machine do not matter.

The packages stay in a cache outside the clone, with a list of their SHA-256 sums: a second clone needs no network.
Standard library only, because it runs before there is a virtual environment.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from controller.errors import TongdaiError

MIRROR = "http://deb.debian.org/debian"
SUITE = "sid"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
COMMAND_LIMIT_S = 600
PAUSES_S = (5, 20)
"""Between tries to download: a mirror that is being renewed has an index and packages that do not fit together."""
UNPACK_WORKERS = 4

# Needed by maintainer scripts, by modules nobody loads, or for reading only.
_NOT_UNPACKED = re.compile(
    r".*-perl|perl.*|libperl.*|python3.*|libpython3.*|libc-.*|libdebconf.*|libpam.*|libsemanage.*|libsepol.*|libsystemd-shared.*"
)
_NEEDED_BESIDE_LIBRARIES = re.compile(r"asterisk.*|sip-tester|postgresql-(client-)?\d+")
_LEFT_OUT = (
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
    "./usr/share/lintian",
    "./etc",
    "./var/log",
    "./run",
)

_PLANNED = re.compile(r"'\S+' (?P<file>[^_\s]+_(?P<version>[^_\s]+)_\S+) \d+ SHA256:(?P<sum>[0-9a-f]{64})")

# Debian's name of the machine -> (library folder, loader), both inside the unpacked tree.
_MACHINES = {
    "amd64": ("usr/lib/x86_64-linux-gnu", "usr/lib64/ld-linux-x86-64.so.2"),
    "arm64": ("usr/lib/aarch64-linux-gnu", "usr/lib/ld-linux-aarch64.so.1"),
}


class UnpackError(TongdaiError):
    """A package could not be fetched, checked or unpacked; the message is one line for a person."""


@dataclass(frozen=True, slots=True)
class Package:
    """One package file in the cache."""

    file: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return self.file.split("_", 1)[0]


def machine() -> str:
    """Debian's name of this machine's architecture; `UnpackError` where there is no dpkg or we have never tried."""
    found = _run(["dpkg", "--print-architecture"]).strip()
    if found not in _MACHINES:
        raise UnpackError(f"no way to unpack programs on {found}: tried on {' and '.join(_MACHINES)} only")
    return found


def loader(root: Path) -> list[str]:
    """The command prefix that starts a program of the unpacked tree `root` with that tree's own libraries."""
    for libraries, program in _MACHINES.values():
        if (root / program).exists():
            return [str(root / program), "--library-path", str(root / libraries)]
    raise UnpackError(f"{root} has no loader: remove it and run `make setup` again")


def libraries_of(root: Path) -> Path:
    """The library folder of the unpacked tree."""
    return Path(loader(root)[2])


def launcher(root: Path, program: str, at: Path) -> None:
    """Write a script `at` that starts `program` (a path inside `root`) through the loader; both may move together."""
    start, _, libraries = (os.path.relpath(part, at.parent) for part in loader(root))
    target = os.path.relpath(root / program, at.parent)
    at.write_text(
        "#!/bin/sh\n"
        'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n'
        f'exec "$here/{start}" --library-path "$here/{libraries}" --argv0 "$here/{at.name}" "$here/{target}" "$@"\n'
    )
    at.chmod(0o755)


def cache_folder() -> Path:
    """Where packages are kept between clones."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tongdai"


def fetch(packages: Sequence[str]) -> list[Package]:
    """`packages` and what they need, checked, in the cache. Needs the network only when the cache lacks one of them."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        manifest = folder / f"{'+'.join(packages)}-{machine()}.json"
        return _cached(manifest, folder) or _download(packages, folder, manifest)


def unpack(packages: Sequence[Package], root: Path) -> None:
    """Unpack cached packages into `root`, without documentation and what only maintainer scripts need."""
    root.mkdir(parents=True, exist_ok=True)
    folder = cache_folder()
    with ThreadPoolExecutor(UNPACK_WORKERS) as pool:
        list(pool.map(lambda package: _unpack_one(folder / package.file, root), packages))


def _unpack_one(deb: Path, root: Path) -> None:
    leave_out = [f"--exclude={name}" for name in _LEFT_OUT]
    read = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    damaged = f"{deb} could not be unpacked: remove it and try again"
    with subprocess.Popen(read, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as reader:
        try:
            _run(["tar", "-x", "--no-same-owner", "-C", str(root), *leave_out], stdin=reader.stdout)
        except UnpackError as problem:
            raise UnpackError(damaged) from problem
    if reader.returncode:
        raise UnpackError(damaged)


def _cached(manifest: Path, folder: Path) -> list[Package]:
    try:
        found = [Package(**row) for row in json.loads(manifest.read_text())]
    except (OSError, ValueError, TypeError):
        return []
    whole = all((folder / one.file).is_file() and _sha256(folder / one.file) == one.sha256 for one in found)
    return found if whole else []


def _download(packages: Sequence[str], folder: Path, manifest: Path) -> list[Package]:
    for pause_s in PAUSES_S:
        try:
            return _download_once(packages, folder, manifest)
        except UnpackError:
            time.sleep(pause_s)
    return _download_once(packages, folder, manifest)


def _download_once(packages: Sequence[str], folder: Path, manifest: Path) -> list[Package]:
    with tempfile.TemporaryDirectory(prefix="apt-", dir=folder) as private:
        environment = _private_apt(Path(private))
        _run(["apt-get", "-qq", "update"], environment)
        plan = _run(["apt-get", "--print-uris", "-qq", "-y", "install", *packages], environment)
        wanted = [row for row in map(_planned, plan.splitlines()) if row and _is_needed(row.name)]
        if not wanted:
            raise UnpackError(f"Debian {SUITE} offers no {' '.join(packages)} for {machine()}")
        missing = [
            row for row in wanted if not (folder / row.file).is_file() or _sha256(folder / row.file) != row.sha256
        ]
        for row in missing:
            (folder / row.file).unlink(missing_ok=True)  # what an interrupted download has left
        if missing:
            _run(["apt-get", "-qq", "download", *(f"{row.name}={row.version}" for row in missing)], environment, folder)
    for row in wanted:
        if _sha256(folder / row.file) != row.sha256:
            raise UnpackError(f"{row.file} does not have the SHA-256 sum the signed index names")
    manifest.write_text(
        json.dumps([{"file": row.file, "version": row.version, "sha256": row.sha256} for row in wanted], indent=1)
    )
    return wanted


def _planned(line: str) -> Package | None:
    """One line of `apt-get --print-uris`: `'URL' FILE SIZE SHA256:SUM`."""
    found = _PLANNED.fullmatch(line.strip())
    return Package(found["file"], unquote(found["version"]), found["sum"]) if found else None


def _is_needed(name: str) -> bool:
    is_library = name.startswith("lib") and not _NOT_UNPACKED.fullmatch(name)
    return is_library or name == "zlib1g" or bool(_NEEDED_BESIDE_LIBRARIES.fullmatch(name))


def _private_apt(home: Path) -> dict[str, str]:
    """An apt of our own (one source, one keyring, nothing installed); returns the environment that selects it."""
    for name in (
        "state/lists/partial",
        "cache/archives/partial",
        "etc/parts",
        "etc/preferences.d",
        "etc/sources.list.d",
    ):
        (home / name).mkdir(parents=True)
    (home / "status").touch()
    mirror = os.environ.get("DEBIAN_MIRROR", MIRROR)
    (home / "etc/sources.list").write_text(f"deb [signed-by={_keyring(home)}] {mirror} {SUITE} main\n")
    settings = {
        "Dir::State": home / "state",
        "Dir::State::status": home / "status",
        "Dir::Cache": home / "cache",
        "Dir::Etc": home / "etc",
        "Dir::Etc::parts": home / "etc/parts",
        "APT::Architecture": machine(),
        "APT::Install-Recommends": "false",
        "APT::Update::Error-Mode": "any",  # a mirror out of reach is an error here, not a warning about an old index
        "APT::Sandbox::User": "",  # the user _apt cannot read a cache in somebody's home
        "Acquire::ForceHash": "sha256",
        "Acquire::Languages": "none",
        # A frozen mirror serves an index older than its own validity; the signature is checked all the same.
        "Acquire::Check-Valid-Until": "false",
        "Acquire::Retries": "3",
    }
    lines = [f'{key} "{value}";' for key, value in settings.items()] + [f'APT::Architectures {{ "{machine()}"; }};']
    (home / "apt.conf").write_text("\n".join(lines + _proxies()) + "\n")
    return {**os.environ, "APT_CONFIG": str(home / "apt.conf"), "LC_ALL": "C.UTF-8"}


def _proxies() -> list[str]:
    """The machine's own way to the network; everything else of its apt configuration is left behind."""
    dump = _run(["apt-config", "dump"]).splitlines()
    return [line for line in dump if line.lower().startswith("acquire::http")]


def _keyring(home: Path) -> Path:
    """Debian's archive keys: those of the machine, or (on Ubuntu) those its own signed archive hands out."""
    if KEYRING.is_file():
        return KEYRING
    _run(["apt-get", "-qq", "download", "debian-archive-keyring"], None, home)
    for deb in home.glob("debian-archive-keyring_*.deb"):
        _run(["dpkg-deb", "-x", str(deb), str(home / "keys")])
    found = home / "keys" / KEYRING.relative_to("/")
    if not found.is_file():
        raise UnpackError("Debian's archive keys are missing: install the package debian-archive-keyring")
    return found


def _run(
    command: Sequence[str],
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    stdin: IO[bytes] | None = None,
) -> str:
    if shutil.which(command[0]) is None:
        raise UnpackError(f"{command[0]} is missing: this way of getting programs works on Debian and Ubuntu only")
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=folder,
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as problem:
        raise UnpackError(f"{command[0]} did not end within {COMMAND_LIMIT_S} s") from problem
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()] or ["it said nothing"]
        worst = next((line for line in said if line.startswith("E:")), said[0])
        raise UnpackError(f"{command[0]} failed: {worst[:300]}")
    return done.stdout


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Two clones that set up at once take turns."""
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
