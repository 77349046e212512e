"""Errors a person reads. Each message is one line that names the place; none is ever shown as a traceback."""

from __future__ import annotations


class TongdaiError(Exception):
    """Root of every error this program raises on purpose; `str()` of it is fit to be shown to a user."""


class SettingsError(TongdaiError):
    """A process setting (environment or tongdai.toml) is unknown or out of range."""


class SetupError(TongdaiError):
    """A setup was refused. `problems` holds every mistake found, each already with file, line and key."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StaleSetupError(TongdaiError):
    """Somebody else changed the setup since the version the caller had seen."""

    def __init__(self, seen: int, current: int) -> None:
        super().__init__(f"the setup is at version {current}, not {seen}: read it again and repeat the change")
        self.seen = seen
        self.current = current


class LedgerError(TongdaiError):
    """The database refused or did not answer in time."""


class TelephoneError(TongdaiError):
    """Asterisk refused a command or did not answer it in time; the call it served is told by `CommandFailed`."""


class LeadLostError(TongdaiError):
    """Another controller took over the ARI application: this process must stop commanding (exit code 75)."""
