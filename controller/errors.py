"""Errors a person reads. Each message is one line that names the place; none is ever shown as a traceback."""

from __future__ import annotations

from controller.core.saying import Language, Saying, say, told


class TongdaiError(Exception):
    """Root of every error this program raises on purpose; `str()` of it is fit to be shown to a user."""

    def __init__(self, said: Saying | str = "") -> None:
        super().__init__(str(said))
        self.said = said

    def told(self, language: Language) -> tuple[str, ...]:
        """What went wrong, a line each; what is no saying stands as it is."""
        return tuple(told(self.said, language).splitlines())


class SettingsError(TongdaiError):
    """A process setting (environment or tongdai.toml) is unknown or out of range."""


class SetupError(TongdaiError):
    """A setup was refused. `sayings` holds every mistake found, each already with file, line and key."""

    def __init__(self, sayings: tuple[Saying, ...]) -> None:
        super().__init__("\n".join(map(str, sayings)))
        self.sayings = sayings

    @property
    def problems(self) -> tuple[str, ...]:
        """Every mistake in English, as logs have it."""
        return self.told("en")

    def told(self, language: Language) -> tuple[str, ...]:
        """Every mistake, one line each."""
        return tuple(told(saying, language) for saying in self.sayings)


class StaleSetupError(TongdaiError):
    """Somebody else changed the setup since the version the caller had seen."""

    def __init__(self, seen: int, current: int) -> None:
        super().__init__(say("stale", current=current, seen=seen))
        self.seen = seen
        self.current = current


class LedgerError(TongdaiError):
    """The database refused or did not answer in time."""


class TelephoneError(TongdaiError):
    """Asterisk refused a command or did not answer it in time; the call it served is told by `CommandFailed`."""


class LeadLostError(TongdaiError):
    """Another controller took over the ARI application: this process must stop commanding (exit code 75)."""
