"""The command `tongdai`, and `python -m controller`. Little may be loaded before `loading` is."""

from __future__ import annotations

import sys

from controller.loading import EXIT_INTERRUPTED, loading


def run() -> None:
    """Load the verbs and carry one out."""
    with loading():
        from controller.cli import app  # noqa: PLC0415 - this is what is loaded
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


if __name__ == "__main__":
    run()
