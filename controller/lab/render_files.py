"""`tongdai render asterisk`: the files an Asterisk includes to serve a setup.

Two kinds of file. `tongdai-pjsip.conf`, `tongdai-extensions.conf` and `tongdai-musiconhold.conf` follow the setup:
the daemon writes them again on every change (`write_generated`) and has Asterisk read them anew, which ends no call and
no registration. `tongdai-http.conf` and `tongdai-ari.conf` are written once, for the person who installs. How the
files were asked for is kept beside them, so that the daemon writes the same kind again.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from controller.core.setup import Setup
from controller.lab.conftext import DIGITS, NAME, PATH, SECRET, ConfError, Section, host_of
from controller.lab.render_dialplan import dialplan
from controller.lab.render_pjsip import SipOptions, pjsip

PJSIP, EXTENSIONS, MUSIC = "tongdai-pjsip.conf", "tongdai-extensions.conf", "tongdai-musiconhold.conf"
HTTP, ARI = "tongdai-http.conf", "tongdai-ari.conf"
OPTIONS: Final = "tongdai-render.json"

RELOADED: Final = {
    PJSIP: ("res_pjsip.so",),
    MUSIC: ("res_musiconhold.so",),
    EXTENSIONS: ("pbx_config.so",),
}
"""Modules that read a file anew, in this order: endpoints before the dialplan that dials them."""

SESSIONS: Final = 500
QUALIFY_S: Final = 60
PASSWORD_BYTES: Final = 24
_HEAD: Final = "; Written by tongdai from its setup; changes made here are lost at the next change of the setup.\n\n"


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """Where the parts of the installation are. `agi` and `http` are `host:port` on loopback.

    `agi_2` is the FastAGI of a second daemon, where there is one.

    An empty `ari_password` makes a random one. `music_dir` holds one folder a music class that is not `default`.
    """

    agi: str = "127.0.0.1:4573"
    agi_2: str = ""
    app: str = "tongdai"
    http: str = "127.0.0.1:8088"
    ari_user: str = "tongdai"
    ari_password: str = field(default="", repr=False)
    music_dir: str = "/usr/share/asterisk/moh"
    sip: SipOptions = field(default_factory=lambda: SipOptions(QUALIFY_S, QUALIFY_S))


def render_asterisk(setup: Setup, options: RenderOptions = RenderOptions()) -> dict[str, str]:
    """Write every file, by name; ConfError when the setup holds what no configuration file may."""
    return render_generated(setup, options) | {HTTP: http_conf(options.http), ARI: ari_conf(options)}


def render_generated(setup: Setup, options: RenderOptions) -> dict[str, str]:
    """Write the files that follow the setup."""
    return {
        PJSIP: _HEAD + pjsip(setup, options.sip),
        MUSIC: _HEAD + _music(setup, options.music_dir),
        EXTENSIONS: _HEAD + dialplan(setup, options.agi, options.app, options.agi_2),
    }


def write_asterisk(setup: Setup, out_dir: Path, options: RenderOptions = RenderOptions()) -> tuple[str, ...]:
    """Write every file into a folder; names of those that changed. A random ARI password is made once."""
    files = render_asterisk(setup, options)
    if not options.ari_password and (out_dir / ARI).exists():
        del files[ARI]
    kept = asdict(options) | {"ari_password": ""}
    return _write(out_dir, files | {OPTIONS: json.dumps(kept, indent=1, sort_keys=True) + "\n"})


def write_generated(setup: Setup, out_dir: Path, options: RenderOptions | None = None) -> tuple[str, ...]:
    """Write again what follows the setup, the way the folder was first written; names of the files that changed.

    OSError when the folder cannot be written; ConfError when the setup cannot be rendered: nothing is written then.
    """
    return _write(out_dir, render_generated(setup, options or kept_options(out_dir)))


def modules_to_reload(changed: tuple[str, ...]) -> tuple[str, ...]:
    """Which modules Asterisk has to reload for these files (ARI: `PUT /asterisk/modules/NAME`), in order."""
    return tuple(module for name, modules in RELOADED.items() if name in changed for module in modules)


def kept_options(out_dir: Path) -> RenderOptions:
    """How a folder was written; the defaults for a folder nobody has written to yet."""
    try:
        kept = json.loads((out_dir / OPTIONS).read_text(encoding="utf-8"))
        return RenderOptions(**(kept | {"sip": SipOptions(**kept["sip"])}))
    except FileNotFoundError:
        return RenderOptions()
    except (ValueError, TypeError, KeyError) as error:
        raise ConfError(f"{out_dir / OPTIONS}: cannot be understood, render again ({error})") from None


def http_conf(bind: str) -> str:
    """Asterisk's HTTP server for ARI: loopback, room for a pool of connections, no pages of its own."""
    host, _, port = bind.rpartition(":")
    address = "127.0.0.1" if host == "localhost" else host_of(host, "HTTP address")
    section = Section("general").set("enabled", "yes").set("bindaddr", address)
    section.set("bindport", port, DIGITS).set("sessionlimit", str(SESSIONS)).set("enable_static", "no")
    return str(section.set("enable_status", "no"))


def ari_conf(options: RenderOptions) -> str:
    """The one ARI user there is."""
    password = options.ari_password or secrets.token_urlsafe(PASSWORD_BYTES)
    user = Section(options.ari_user).set("type", "user").set("read_only", "no").set("password", password, SECRET)
    if NAME.pattern.fullmatch(options.ari_user) is None:
        raise ConfError(f"the ARI user wants {NAME.words}")
    return str(Section("general").set("enabled", "yes")) + "\n" + str(user)


def _music(setup: Setup, music_dir: str) -> str:
    """A class for every kind of music a queue names; `default` is Asterisk's own."""
    names = dict.fromkeys(queue.music for queue in setup.queues if queue.music != "default")
    return "\n".join(str(_music_class(name, music_dir)) for name in names)


def _music_class(name: str, music_dir: str) -> Section:
    if NAME.pattern.fullmatch(name) is None:
        raise ConfError(f"a music class wants {NAME.words}")
    return Section(name).set("mode", "files").set("directory", f"{music_dir}/{name}", PATH).set("sort", "random")


def _write(folder: Path, files: dict[str, str]) -> tuple[str, ...]:
    """Put files in place one by one, each whole or not at all, readable by us and our group only."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = tuple(name for name, text in files.items() if _differs(folder / name, text))
    for name in changed:
        handle, temporary = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as out:
                out.write(files[name])
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).chmod(0o640)
            Path(temporary).replace(folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
    return changed


def _differs(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") != text
    except (OSError, UnicodeDecodeError):
        return True
