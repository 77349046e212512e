"""Waiting music in the codecs phones speak, made once by Asterisk's own converter. Standard library only."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.lab.versions import AsteriskError

TRACKS = ("macroform-cold_day", "manolo_camp-morning_coffee")
CODECS = ("ulaw", "alaw")
READY_LIMIT_S = 120.0
"""Setup makes the environment at the same time, on every processor there is."""
CONVERT_LIMIT_S = 60.0
POLL_S = 0.05
MODULES = ("res_convert", "format_gsm", "format_pcm", "codec_gsm", "codec_ulaw", "codec_alaw", "codec_a_mu")
_FOLDERS = ("astetcdir", "astvarlibdir", "astdbdir", "astkeydir", "astagidir", "astspooldir", "astrundir", "astlogdir")


def convert(source: Path, target: Path, argv: Sequence[str], modules_dir: Path, data_dir: Path) -> None:
    """Convert `TRACKS` from gsm files in `source` to ulaw and alaw in `target`, with the Asterisk that `argv` starts.

    Raises `AsteriskError` when it does not start or does not convert: then it would not carry a call either.
    """
    target.mkdir(parents=True, exist_ok=True)
    # A control socket's path has room for 107 bytes, so a deep clone cannot hold it: this goes to the temporary folder.
    with tempfile.TemporaryDirectory(prefix="tongdai-music-") as home:
        configuration = _configure(Path(home), modules_dir, data_dir)
        for track in TRACKS:
            shutil.copy(source / f"{track}.gsm", home)
        with _running(argv, configuration) as ask:
            for track in TRACKS:
                for codec in CODECS:
                    ask(f"file convert {home}/{track}.gsm {home}/{track}.{codec}")
                    _keep(Path(home) / f"{track}.{codec}", target)


def _configure(home: Path, modules_dir: Path, data_dir: Path) -> Path:
    folders = "".join(f"{name} => {home}\n" for name in _FOLDERS)
    configuration = home / "asterisk.conf"
    configuration.write_text(f"[directories]\nastmoddir => {modules_dir}\nastdatadir => {data_dir}\n{folders}")
    (home / "modules.conf").write_text("[modules]\nautoload=no\n" + "".join(f"load = {name}.so\n" for name in MODULES))
    (home / "logger.conf").write_text("[general]\n[logfiles]\n")
    return configuration


@contextmanager
def _running(argv: Sequence[str], configuration: Path) -> Iterator[Callable[[str], int]]:
    """An Asterisk of our own while the block lasts; what it yields runs a console command and returns its exit code."""

    def ask(line: str) -> int:
        command = [*argv, "-C", str(configuration), "-rx", line]
        return subprocess.run(command, capture_output=True, timeout=CONVERT_LIMIT_S, check=False).returncode

    start = [*argv, "-f", "-n", "-C", str(configuration)]
    with subprocess.Popen(start, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            limit = time.monotonic() + READY_LIMIT_S
            while ask("core waitfullybooted"):
                if process.poll() is not None or time.monotonic() > limit:
                    raise AsteriskError(f"{argv[-1]} does not start: its own package may be damaged")
                time.sleep(POLL_S)
            yield ask
        finally:
            process.kill()


def _keep(made: Path, target: Path) -> None:
    if not made.is_file() or made.stat().st_size == 0:
        raise AsteriskError(f"Asterisk could not convert waiting music to {made.name}")
    shutil.copy(made, target)
