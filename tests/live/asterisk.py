"""A private Asterisk for one test module: its own directories, its own ports, nothing of the system's touched.

It runs the unpacked packages by their own loader, as the lab does, but with a configuration small enough to be read
here: one ARI user, the modules ARI and PJSIP need, and whatever dialplan and endpoints the tests bring along.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.lab.get_asterisk import AsteriskInstall, find_asterisk
from tests.live.places import place

READY_WITHIN_S = 60.0
CONSOLE_S = 20.0
PORTS_FIRST, PORTS_EACH, PORTS_SETS = 12_000, 100, 40
"""Below what the system gives to sockets that ask for no port (from 32,768) and below every lab (from 20,000)."""
USER = "tongdai"
PASSWORD = "p@ss:w/rd?&#%1"  # every character that breaks a password carried in a URL

MODULES = """
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb pbx_config func_callerid func_channel
func_strings func_logic func_global func_db func_timeout func_env func_shell app_verbose app_stack app_exec
bridge_simple bridge_holding bridge_softmix bridge_native_rtp bridge_builtin_features
bridge_builtin_interval_features codec_ulaw codec_alaw codec_gsm codec_resample format_pcm format_wav format_gsm
format_sln res_pjproject res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_rtp_asterisk chan_pjsip
res_pjsip_caller_id res_pjsip_rfc3326 res_pjsip_endpoint_identifier_user res_pjsip_endpoint_identifier_ip
res_pjsip_registrar res_pjsip_pubsub res_pjsip_authenticator_digest res_pjsip_dlg_options res_crypto
res_http_websocket res_websocket_client res_stasis res_stasis_answer res_stasis_playback res_stasis_recording
res_stasis_snoop res_stasis_device_state res_ari res_ari_model res_ari_applications res_ari_asterisk
res_ari_bridges res_ari_channels res_ari_device_states res_ari_endpoints res_ari_events res_ari_playbacks
res_ari_recordings res_ari_sounds app_stasis chan_bridge_media res_musiconhold app_dial app_playback app_senddtmf
app_echo res_speech res_agi
"""


class NotReadyError(RuntimeError):
    """Asterisk did not start; the message holds the end of its log."""


_mine = itertools.cycle(range(PORTS_EACH))


def free_port() -> int:
    """A port nobody has, for TCP and UDP, which no outgoing connection and no other test process will take."""
    first = PORTS_FIRST + place() % PORTS_SETS * PORTS_EACH
    for n in itertools.islice(_mine, PORTS_EACH):
        if all(_is_free(first + n, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)):
            return first + n
    raise AssertionError("no free port")


def _is_free(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@dataclass
class PrivateAsterisk:
    """One Asterisk of our own. `dialplan` and `pjsip` are appended to the files of that name."""

    dialplan: str = ""
    pjsip: str = ""
    install: AsteriskInstall = field(default_factory=find_asterisk)
    http_port: int = field(default_factory=free_port)
    sip_port: int = field(default_factory=free_port)
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="tdast-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where its HTTP server listens."""
        return f"http://127.0.0.1:{self.http_port}/"

    @property
    def recordings(self) -> Path:
        """Where recordings land."""
        return self.home / "spool/recording"

    def start(self) -> float:
        """Start it and wait until ARI answers; returns how long that took, in seconds."""
        self._write()
        began = time.monotonic()
        with (self.home / "console").open("ab") as console:
            self.process = subprocess.Popen(
                [*self.install.argv, "-f", "-n", "-C", str(self.home / "etc/asterisk.conf")],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - began > READY_WITHIN_S:
                tail = (self.home / "console").read_text(errors="replace")[-2000:]
                raise NotReadyError(f"Asterisk did not come up:\n{tail}")
            time.sleep(0.01)
        return time.monotonic() - began

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """End it and remove its directories; there is nothing in them to be saved by a gentler end."""
        self.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    def freeze(self) -> None:
        """Stop it without ending it, as a machine out of memory does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen one go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def cli(self, command: str) -> str:
        """What the console says to one command, by the control socket (`-rx` costs 50 ms more)."""
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(CONSOLE_S)
            control.connect(str(self.home / "run/asterisk.ctl"))
            control.sendall(f"cli quit after {command}\0".encode())
            parts = []
            with contextlib.suppress(TimeoutError):
                while chunk := control.recv(65536):
                    parts.append(chunk)
        return b"".join(parts).replace(b"\0", b"").decode(errors="replace")

    def _answers(self) -> bool:
        token = b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        asked = urllib.request.Request(self.url + "ari/asterisk/ping", headers={"Authorization": f"Basic {token}"})
        try:
            with urllib.request.urlopen(asked, timeout=1) as answer:
                return bool(answer.status == 200) and "booted" in self.cli("core waitfullybooted")
        except (OSError, urllib.error.URLError):
            return False

    def _write(self) -> None:
        etc = self.home / "etc"
        for name in ("etc", "lib/keys", "spool/recording", "run", "log", "data/sounds/custom", "cache"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        for name in ("documentation", "rest-api", "static-http"):
            link(self.home / "data" / name, self.install.var_lib_dir / name)
        link(self.home / "data/sounds/en", self.install.sounds_dir / "en")
        link(self.home / "data/moh", self.install.moh_dir or self.install.var_lib_dir / "moh")
        for name, text in self._files().items():
            (etc / name).write_text(text)

    def _files(self) -> dict[str, str]:
        modules = self.install.modules_dir
        present = [name for name in MODULES.split() if (modules / f"{name}.so").exists()]
        dirs = {
            "astetcdir": "etc",
            "astvarlibdir": "lib",
            "astdbdir": "lib",
            "astkeydir": "lib",
            "astdatadir": "data",
            "astagidir": "data",
            "astspooldir": "spool",
            "astrundir": "run",
            "astlogdir": "log",
            "astcachedir": "cache",
        }
        lines = [f"{key} => {self.home / name}" for key, name in dirs.items()]
        return {
            "asterisk.conf": "\n".join(["[directories]", f"astmoddir => {modules}", *lines, OPTIONS]),
            "modules.conf": "\n".join(["[modules]", "autoload=no", *(f"load = {name}.so" for name in present)]) + "\n",
            "http.conf": HTTP.format(port=self.http_port),
            "ari.conf": ARI.format(user=USER, password=PASSWORD),
            "logger.conf": "[general]\n[logfiles]\nmessages => notice,warning,error\n",
            "musiconhold.conf": "[default]\nmode=files\ndirectory=moh/default\n",
            "indications.conf": INDICATIONS,
            "stasis.conf": "[threadpool]\ninitial_size=5\n",
            "rtp.conf": "[general]\nrtpstart=16000\nrtpend=16999\n",
            "pjsip.conf": PJSIP.format(port=self.sip_port) + self.pjsip,
            "extensions.conf": "[general]\nstatic=yes\n[globals]\n" + self.dialplan,
        }


def asterisk_of(dialplan: str = "", pjsip: str = "") -> Any:
    """A fixture for a module: `asterisk = asterisk_of(DIALPLAN, PJSIP)` starts one of its own and removes it after."""

    @pytest.fixture(scope="module", name="asterisk")
    def started() -> Iterator[PrivateAsterisk]:
        running = PrivateAsterisk(dialplan=dialplan, pjsip=pjsip)
        running.start()
        try:
            yield running
        finally:
            running.stop()

    return started


def link(path: Path, target: Path) -> None:
    """Make `path` point to `target`, once."""
    if not path.is_symlink():
        path.symlink_to(target)


OPTIONS = """
[options]
live_dangerously = no
nocolor = yes
transmit_silence = no
"""
HTTP = "[general]\nenabled=yes\nbindaddr=127.0.0.1\nbindport={port}\nsessionlimit=500\nenable_static=no\n"
ARI = """[general]
enabled=yes
pretty=no
[{user}]
type=user
read_only=no
password={password}
"""
INDICATIONS = "[general]\ncountry=us\n[us]\ndescription=US\nringcadence=2000,4000\nring=440+480/2000,0/4000\n"
PJSIP = """[global]
type=global
endpoint_identifier_order=ip,username
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{port}
"""
