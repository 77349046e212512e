"""The dialplan and PJSIP files we generate, and Asterisk reading them anew (docs/dialplan.md)."""

from __future__ import annotations

from pathlib import Path

import structlog

from controller.ari.telephone import AriTelephone
from controller.core.setup import Setup
from controller.errors import TongdaiError
from controller.lab.render import modules_to_reload, write_generated
from controller.settings import Settings


class Generated:
    """What Asterisk has been given to read. `two` says that another controller may stand beside this one."""

    def __init__(self, telephone: AriTelephone, settings: Settings, *, two: bool) -> None:
        self._telephone = telephone
        self._settings = settings
        self._two = two
        self._unread: dict[str, None] = {}
        self._log = structlog.get_logger("main")

    async def renew(self, setup: Setup) -> None:
        """Hotlines are exact extensions: Asterisk reads them anew; calls and registrations stay."""
        try:
            self._unread.update(dict.fromkeys(modules_to_reload(self._write(setup))))
            for module in tuple(self._unread):
                await self._telephone.reload(module)
                del self._unread[module]
            await self.point_at_us()
        except (OSError, TongdaiError) as error:
            self._log.error("Asterisk has not read the new setup", why=str(error))

    def _write(self, setup: Setup) -> tuple[str, ...]:
        """Render the files that are ours; the names of those that changed."""
        folder = self._settings.asterisk.generated_dir
        return tuple(write_generated(setup, Path(folder))) if folder else ()

    async def point_at_us(self) -> None:
        """Tell the dialplan whom to ask: two may be there, and a file that is read anew names the one of the file."""
        if self._two:
            if self._settings.standby.agi is not None:
                await self._telephone.set_global("TD_AGI_2", f"agi://{self._settings.standby.agi}")
            await self._telephone.set_global("TD_AGI", f"agi://{self._settings.agi.bind}")
