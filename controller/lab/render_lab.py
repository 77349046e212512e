"""A whole private Asterisk in one directory: for `tongdai lab` and for the tests that need a real one.

Every path Asterisk writes to lies in that directory and every port it opens is on loopback, so several run side by
side, none of them as root, and nothing of the machine's own Asterisk is touched. What Asterisk only reads (sounds,
documentation, the description of ARI, waiting music) is linked from where it was found.
"""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from controller.core.setup import Setup
from controller.lab.conftext import PATH, Section, checked
from controller.lab.get_asterisk import AsteriskInstall
from controller.lab.render_files import PASSWORD_BYTES, RenderOptions, ari_conf, http_conf, write_asterisk
from controller.lab.render_pjsip import SipOptions

HOST: Final = "127.0.0.1"
TRANSPORT: Final = "tongdai-udp"
SIP_T1_MS: Final = 500
"""T1 of RFC 3261 (17.1.1.1). A request nobody answers is given up after 64 of it."""

SOCKET_PATH_MAX: Final = 90
"""A unix socket's path has room for 107 bytes; `asterisk.ctl` and a margin go off."""

SOUNDS: Final = Path(__file__).resolve().parents[2] / "sounds"
LANGUAGES: Final = ("vi", "en")

_MODULES: Final = """
res_timing_timerfd res_sorcery_config res_sorcery_memory res_sorcery_astdb pbx_config func_callerid func_channel
func_strings func_logic func_global func_timeout func_hangupcause func_math func_cut func_devstate func_dialplan
func_db app_verbose app_stack app_exec bridge_simple bridge_holding bridge_softmix bridge_native_rtp
bridge_builtin_features bridge_builtin_interval_features codec_ulaw codec_alaw codec_a_mu codec_gsm codec_g722
codec_resample format_pcm format_wav format_gsm format_sln res_pjproject res_pjsip res_pjsip_session res_pjsip_sdp_rtp
res_rtp_asterisk chan_pjsip res_pjsip_caller_id res_pjsip_rfc3326 res_pjsip_header_funcs res_pjsip_nat
res_pjsip_dtmf_info res_pjsip_endpoint_identifier_user res_pjsip_endpoint_identifier_ip res_pjsip_authenticator_digest
res_pjsip_outbound_authenticator_digest res_pjsip_registrar res_pjsip_outbound_registration res_pjsip_diversion
res_pjsip_pubsub res_pjsip_refer res_pjsip_dlg_options res_pjsip_empty_info res_pjsip_logger res_pjsip_acl
func_pjsip_aor func_pjsip_contact func_pjsip_endpoint res_crypto res_srtp res_http_websocket
res_pjsip_transport_websocket res_websocket_client res_stasis res_stasis_answer res_stasis_playback
res_stasis_recording res_stasis_snoop res_stasis_device_state res_ari res_ari_model res_ari_applications
res_ari_asterisk res_ari_bridges res_ari_channels res_ari_device_states res_ari_endpoints res_ari_events
res_ari_playbacks res_ari_recordings res_ari_sounds app_stasis chan_bridge_media res_musiconhold app_dial app_playback
app_playtones res_speech res_agi
"""
MODULES: Final = tuple(_MODULES.split())
"""What the dialplan and the controller use. `res_websocket_client` stands before `res_ari` and `res_speech` before
`res_agi`, or the later one does not load; what could run a program or write a file by name is left out."""


class LabPorts(Protocol):
    """Ports on 127.0.0.1: SIP (UDP), Asterisk's HTTP, our FastAGI, and the first and last of RTP."""

    @property
    def sip(self) -> int: ...
    @property
    def ari(self) -> int: ...
    @property
    def agi(self) -> int: ...
    @property
    def rtp_first(self) -> int: ...
    @property
    def rtp_last(self) -> int: ...


@dataclass(frozen=True, slots=True)
class LabPlaces:
    """Where everything of one private Asterisk is.

    `argv` is the whole command that runs it in the foreground. `generated` is what the daemon's
    `[asterisk] generated_dir` wants, `sounds` its `sounds_dir`, `recordings` its `[recording] dir`.
    """

    directory: Path
    argv: tuple[str, ...]
    config: Path
    generated: Path
    sounds: Path
    recordings: Path
    messages: Path
    ari_url: str
    ari_user: str
    ari_password: str = field(repr=False)


def write_lab_config(
    directory: Path,
    install: AsteriskInstall,
    setup: Setup,
    ports: LabPorts,
    app: str = "tongdai",
    sip_t1_ms: int = SIP_T1_MS,
) -> LabPlaces:
    """Write the configuration of a private Asterisk into `directory` (made when missing), with a new ARI password."""
    home = directory.resolve() / "asterisk"
    checked(str(home), PATH, "lab directory")
    for name in ("etc", "lib/keys", "lib/agi-bin", "spool/recording", "spool/voicemail", "spool/tmp", "cache", "log"):
        (home / name).mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    run = _run_dir(home)
    _link_data(home / "data", install)
    options = RenderOptions(
        agi=f"{HOST}:{ports.agi}",
        app=app,
        http=f"{HOST}:{ports.ari}",
        ari_password=secrets.token_urlsafe(PASSWORD_BYTES),
        music_dir=str(home / "data/moh"),
        sip=SipOptions(transport=TRANSPORT, media_address=HOST, nat=False),
    )
    for name, text in _files(home, run, install, ports, options, sip_t1_ms).items():
        (home / "etc" / name).write_text(text, encoding="utf-8")
        (home / "etc" / name).chmod(0o600)
    write_asterisk(setup, home / "etc/tongdai", options)
    config = home / "etc/asterisk.conf"
    return LabPlaces(
        directory=home,
        argv=(*install.argv, "-f", "-n", "-C", str(config)),
        config=config,
        generated=home / "etc/tongdai",
        sounds=home / "data/sounds",
        recordings=home / "spool/recording",
        messages=home / "log/messages",
        ari_url=f"http://{options.http}",
        ari_user=options.ari_user,
        ari_password=options.ari_password,
    )


def _run_dir(home: Path) -> Path:
    """Where the control socket lies: in the lab, or in a folder of our own when the lab's path is too long for one."""
    run = home / "run"
    if len(str(run)) > SOCKET_PATH_MAX:
        if run.is_symlink() and run.is_dir():
            return run.resolve()
        short = Path(tempfile.mkdtemp(prefix="tongdai-lab-"))
        run.unlink(missing_ok=True)
        run.symlink_to(short)
        return short
    run.mkdir(exist_ok=True)
    return run


def _link_data(data: Path, install: AsteriskInstall) -> None:
    """Lay out what Asterisk reads: its own data, the prompts of both languages beside each other, waiting music."""
    data.mkdir(exist_ok=True)
    for name in ("rest-api", "documentation", "firmware"):
        _link(data / name, install.var_lib_dir / name)
    for language in LANGUAGES:
        folder = data / "sounds" / language
        folder.mkdir(parents=True, exist_ok=True)
        for source in (install.sounds_dir / language, SOUNDS / language):
            for entry in sorted(source.iterdir()) if source.is_dir() else ():
                _link(folder / entry.name, entry)
    (data / "moh").mkdir(exist_ok=True)
    music = install.moh_dir / "default" if install.moh_dir else install.var_lib_dir / "moh"
    _link(data / "moh/default", music)


def _link(link: Path, target: Path) -> None:
    """Point a link at what there is now; a real file or folder of that name is somebody's work and stays."""
    if link.is_symlink():
        link.unlink()
    if not link.exists() and target.exists():
        link.symlink_to(target.resolve(), target_is_directory=target.is_dir())


def _files(
    home: Path, run: Path, install: AsteriskInstall, ports: LabPorts, options: RenderOptions, sip_t1_ms: int
) -> dict[str, str]:
    """Every configuration file that does not follow the setup."""
    rtp = Section("general").set("rtpstart", str(ports.rtp_first)).set("rtpend", str(ports.rtp_last))
    transport = Section(TRANSPORT).set("type", "transport").set("protocol", "udp")
    transport.set("bind", f"{HOST}:{ports.sip}")
    timers = Section("system").set("type", "system")
    timers.set("timer_t1", str(sip_t1_ms)).set("timer_b", str(64 * sip_t1_ms))
    music = Section("default").set("mode", "files").set("directory", str(home / "data/moh/default"), PATH)
    return {
        "asterisk.conf": _asterisk_conf(home, run, install, ports.sip),
        "modules.conf": _modules_conf(install.modules_dir),
        "rtp.conf": str(rtp.set("icesupport", "no")),
        "http.conf": http_conf(options.http),
        "ari.conf": ari_conf(options),
        "pjsip.conf": f"{timers}\n{_pjsip_global()}\n{transport}\n#include tongdai/tongdai-pjsip.conf\n",
        "extensions.conf": "[general]\nstatic=yes\nwriteprotect=yes\n\n#include tongdai/tongdai-extensions.conf\n",
        "musiconhold.conf": f"{music}\n#include tongdai/tongdai-musiconhold.conf\n",
        **_QUIET,
    }


def _asterisk_conf(home: Path, run: Path, install: AsteriskInstall, sip_port: int) -> str:
    directories = {
        "astetcdir": home / "etc",
        "astmoddir": install.modules_dir,
        "astvarlibdir": home / "lib",
        "astdbdir": home / "lib",
        "astkeydir": home / "lib",
        "astagidir": home / "lib/agi-bin",
        "astdatadir": home / "data",
        "astspooldir": home / "spool",
        "astcachedir": home / "cache",
        "astrundir": run,
        "astlogdir": home / "log",
    }
    lines = [f"{name} => {checked(str(path), PATH, name)}" for name, path in directories.items()]
    entity = f"02:00:00:00:{sip_port >> 8:02x}:{sip_port & 255:02x}"
    options = Section("options").set("live_dangerously", "no").set("entityid", entity).set("hideconnect", "yes")
    return "[directories]\n" + "\n".join(lines) + f"\n\n{options}"


def _modules_conf(folder: Path) -> str:
    """Load what is needed, in order. A module this Asterisk does not have is left out; `tongdai check` says so."""
    present = [name for name in MODULES if (folder / f"{name}.so").is_file()]
    return "[modules]\nautoload=no\n" + "".join(f"load={name}.so\n" for name in present)


def _pjsip_global() -> Section:
    """Phones are known by user name, carriers and fixed phones by address, nobody else at all."""
    section = Section("global").set("type", "global").set("endpoint_identifier_order", "username,ip")
    section.set("user_agent", "Tong Dai lab").set("ignore_uri_user_options", "yes")
    return section.set("mwi_disable_initial_unsolicited", "yes")


_QUIET: Final = {
    "logger.conf": "[general]\ndateformat=%F %T.%3q\n\n[logfiles]\nmessages => notice,warning,error\n",
    "indications.conf": (
        "[general]\ncountry=vn\n\n[vn]\ndescription=Vietnam\nringcadence=1000,4000\ndial=425\n"
        "busy=425/500,0/500\nring=425/1000,0/4000\ncongestion=425/250,0/250\ncallwaiting=425/200,0/600,425/200,0/3000\n"
        "dialrecall=425/250,0/250\nrecord=1400/500,0/15000\ninfo=950/330,1400/330,1800/330,0/1000\nstutter=425\n"
    ),
    "manager.conf": "[general]\nenabled=no\nwebenabled=no\n",
    "cdr.conf": "[general]\nenable=no\n",
    "cel.conf": "[general]\nenable=no\n",
    "features.conf": "[general]\n\n[featuremap]\n",
    "acl.conf": "",
    "ccss.conf": "[general]\n",
    "udptl.conf": "[general]\n",
    "pjproject.conf": "",
    "websocket_client.conf": "",
    "stasis.conf": "",
}
"""Files Asterisk complains about when they are missing; nothing is recorded twice and there is no manager user."""
