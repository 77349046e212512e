"""Loading many modules: quickly, and without a traceback for somebody who changes their mind meanwhile.

A start loads some 900 modules, and nothing of them is garbage: looking for it costs a seventh of the time. Afterwards
they are set aside for good, so that no later search of the collector, in the middle of a call, walks over them again.
The same goes for the setup and the world of a start (`set_aside`): with 2,000 hotlines such a walk takes 20 to 100 ms,
in which nobody is answered.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

EXIT_INTERRUPTED: Final = 130
"""What a shell calls a program that was ended by Ctrl-C."""


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Load modules inside; Ctrl-C ends the process at once, for nothing is open yet that wants closing."""
    before = signal.getsignal(signal.SIGINT)
    ours = before is signal.default_int_handler and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, _leave)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        if ours:
            signal.signal(signal.SIGINT, before)


def set_aside() -> None:
    """Keep what is alive now out of every later search for garbage; it is still freed when nobody refers to it.

    Looks for garbage first, so that nothing of a setup that was replaced stays for good.
    """
    gc.collect()
    gc.freeze()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    os._exit(EXIT_INTERRUPTED)
