"""Z1 and Z2 led by coverage (atheris, libFuzzer): bytes in, and whatever reaches a new line is kept and changed again.

`python -m tests.fuzz.guided Z1 SECONDS SEED FOLDER`. atheris stands in .tools/fuzz, put there by `make fuzz`. What
broke a run before is in tests/fuzz/corpus and begins each new one; the library itself ends the process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

CORPUS = Path(__file__).with_name("corpus")
BYTES_MAX = 4_096

with atheris.instrument_imports(include=["controller.ari", "controller.agi.protocol", "controller.core.text"]):
    from tests.fuzz.targets import TARGETS


def main(program: str, seconds: str, seed: str, found: str) -> None:
    """Search for this long; a crash is written into the folder and ends the process with an error."""
    folder = Path(found)
    folder.mkdir(parents=True, exist_ok=True)
    kept = CORPUS / program.lower()
    target: Callable[[bytes], None] = TARGETS[program]
    options = [
        f"-max_total_time={seconds}",
        f"-seed={int(seed) + 1}",
        f"-max_len={BYTES_MAX}",
        f"-artifact_prefix={folder}/",
        f"-dict={CORPUS / (program.lower() + '.dict')}",
        "-print_final_stats=1",
        "-rss_limit_mb=1024",
        "-timeout=10",
    ]
    atheris.Setup([sys.argv[0], *options, str(folder / "seen"), str(kept)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:5])
