"""What we render for Asterisk: values that cannot say more than a value, names others rely on, and no open door."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from controller.core.setup import (
    AgentSetup,
    Defaults,
    Fallback,
    Group,
    Hotline,
    Menu,
    Phone,
    Queue,
    QueueGroup,
    Setup,
    Trunk,
    Way,
    WayKind,
)
from controller.lab.get_asterisk import AsteriskInstall
from controller.lab.lint_config import lint_config, read, strong
from controller.lab.render import (
    ConfError,
    RenderOptions,
    SipOptions,
    kept_options,
    modules_to_reload,
    render_asterisk,
    write_asterisk,
    write_generated,
    write_lab_config,
)
from controller.lab.render_dialplan import RING_MAX, dialled_forms, ring_endpoints
from controller.lab.versions import Support

pytestmark = pytest.mark.pure

PORTS = SimpleNamespace(sip=15060, ari=15061, agi=15062, rtp_first=16060, rtp_last=17059)
AN = AgentSetup("an", ("sales",), "101", phone=Phone(user="an-phone", password="s3cret"), endpoint="an-phone")
BINH = AgentSetup("binh", ("sales",), "102", phone=Phone(contact="sip:binh@192.0.2.22:5071"), endpoint="binh")
CHI = AgentSetup("chi", ("backup",), phone=Phone(endpoint="existing"), endpoint="existing")
FIRST = Trunk("first", "viettel", "192.0.2.11:5070", "first")
SALES = Queue("sales", (QueueGroup("sales"), QueueGroup("backup", primary=False)))
WHOLE = Setup(
    trunks=(
        FIRST,
        Trunk("second", endpoint="itsp"),
        Trunk("off", host="192.0.2.13:5060", endpoint="off", enabled=False),
    ),
    hotlines=(Hotline("+842473001001", country="VN", trunk="first", queue="sales"),),
    queues=(SALES,),
    groups=(Group("sales"), Group("backup")),
    agents=(AN, BINH, CHI),
)


def sections(text: str) -> dict[tuple[str, str], dict[str, str]]:
    """The objects of a PJSIP file by name and type, templates filled in."""
    blocks = read(text)
    bases = {block.name: block for block in blocks if "!" in block.bases}
    found = {}
    for block in blocks:
        values = {key: rows[-1] for base in block.bases if base in bases for key, rows in bases[base].values.items()}
        values |= {key: rows[-1] for key, rows in block.values.items()}
        if "!" not in block.bases:
            found[block.name, values["type"]] = values
    return found


def pjsip(setup: Setup = WHOLE, **sip: Any) -> dict[tuple[str, str], dict[str, str]]:
    return sections(render_asterisk(setup, RenderOptions(sip=SipOptions(**sip)))["tongdai-pjsip.conf"])


def dialplan(setup: Setup) -> str:
    return render_asterisk(setup)["tongdai-extensions.conf"]


def context(text: str, name: str) -> list[str]:
    """The lines of one context."""
    lines = text.partition(f"\n[{name}]\n")[2].partition("\n[")[0].splitlines()
    return [line for line in lines if line and not line.startswith(";")]


# -- PJSIP -----------------------------------------------------------------------------------------------------------


def test_a_registering_phone_is_named_by_its_user() -> None:
    found = pjsip()
    assert found["an-phone", "auth"]["username"] == "an-phone"
    assert found["an-phone", "auth"]["password"] == "s3cret"
    assert found["an-phone", "aor"]["max_contacts"] == "1"
    assert found["an-phone", "aor"]["remove_existing"] == "yes"
    endpoint = found["an-phone", "endpoint"]
    assert (endpoint["auth"], endpoint["aors"], endpoint["identify_by"]) == ("an-phone", "an-phone", "username")
    assert (endpoint["context"], endpoint["callerid"]) == ("tongdai-outbound", "an <101>")
    assert ("an-phone", "identify") not in found


def test_a_fixed_phone_is_named_by_its_agent_and_known_by_its_address() -> None:
    found = pjsip()
    assert found["binh", "aor"]["contact"] == "sip:binh@192.0.2.22:5071"
    assert found["binh", "endpoint"]["identify_by"] == "ip"
    assert "auth" not in found["binh", "endpoint"]
    assert found["binh", "identify"] == {"type": "identify", "endpoint": "binh", "match": "192.0.2.22"}


def test_two_fixed_phones_at_one_address_are_told_apart_by_their_ports() -> None:
    twin = replace(BINH, name="dung", endpoint="dung", phone=Phone(contact="sip:dung@192.0.2.22"))
    found = pjsip(replace(WHOLE, agents=(BINH, twin)))
    assert found["binh", "identify"]["match"] == "192.0.2.22:5071"
    assert found["dung", "identify"]["match"] == "192.0.2.22:5060"


def test_two_fixed_phones_at_one_address_of_the_sixth_version() -> None:
    first = replace(BINH, phone=Phone(contact="sip:binh@[2001:db8::7]:5071"))
    twin = replace(BINH, name="dung", endpoint="dung", phone=Phone(contact="sip:dung@[2001:db8::7]"))
    found = pjsip(replace(WHOLE, agents=(first, twin)))
    assert [found[name, "identify"]["match"] for name in ("binh", "dung")] == [
        "[2001:db8::7]:5071",
        "[2001:db8::7]:5060",
    ]


def test_two_fixed_phones_at_one_port_cannot_be_told_apart() -> None:
    twin = replace(BINH, name="dung", endpoint="dung", phone=Phone(contact="sip:dung@192.0.2.22:5071"))
    found = pjsip(replace(WHOLE, agents=(BINH, twin)))
    assert [name for name, kind in found if kind == "identify"] == ["first", "off"]
    assert {("binh", "endpoint"), ("dung", "endpoint")} <= set(found)


def test_a_fixed_phone_behind_a_trunks_address_is_not_taken_for_the_trunk() -> None:
    beside = replace(BINH, phone=Phone(contact="sip:binh@192.0.2.11:5071"))
    found = pjsip(replace(WHOLE, agents=(beside,)))
    assert ("binh", "identify") not in found
    assert found["first", "identify"]["match"] == "192.0.2.11"


def test_a_trunk_is_known_by_address_from_any_port() -> None:
    found = pjsip()
    assert found["first", "identify"]["match"] == "192.0.2.11"
    assert found["first", "aor"]["contact"] == "sip:192.0.2.11:5070"
    endpoint = found["first", "endpoint"]
    assert (endpoint["context"], endpoint["identify_by"]) == ("tongdai-inbound", "ip")
    assert endpoint["trust_id_inbound"] == "yes"


def test_what_exists_already_is_not_written() -> None:
    assert {name for name, _ in pjsip()} == {"first", "off", "an-phone", "binh"}


def test_media_stays_and_nobody_is_sent_elsewhere() -> None:
    for (_, kind), values in pjsip().items():
        if kind == "endpoint":
            assert (values["direct_media"], values["allow_transfer"], values["allow"]) == ("no", "no", "ulaw,alaw")


def test_an_address_of_the_sixth_version() -> None:
    found = pjsip(replace(WHOLE, trunks=(replace(FIRST, host="[2001:db8::1]:5060"),)))
    assert found["first", "identify"]["match"] == "2001:db8::1"
    assert found["first", "aor"]["contact"] == "sip:[2001:db8::1]:5060"


def test_phones_are_asked_for_a_sign_of_life_when_told_so() -> None:
    found = pjsip(qualify_phones_s=30, qualify_trunks_s=60)
    assert (found["binh", "aor"]["qualify_frequency"], found["first", "aor"]["qualify_frequency"]) == ("30", "60")


def test_two_endpoints_of_one_name_are_refused() -> None:
    with pytest.raises(ConfError, match="named first"):
        pjsip(replace(WHOLE, agents=(replace(BINH, endpoint="first"),)))


HOSTILE = (
    "a\nb",
    "a]b",
    "a;b",
    "a\\b",
    "a b",
    "a,b",
    "a&b",
    "a)b",
    "${X}",
    "a" * 65,
    "é",
    "a\0",
    "#include x",
    "a\r",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("where", ["trunk", "user", "agent", "extension", "endpoint"])
def test_no_name_says_more_than_a_name(where: str, text: str) -> None:
    agents, trunks = WHOLE.agents, WHOLE.trunks
    match where:
        case "trunk":
            trunks = (replace(FIRST, endpoint=text),)
        case "user":
            agents = (replace(AN, phone=replace(AN.phone, user=text)),)
        case "agent":
            agents = (replace(AN, name=text),)
        case "extension":
            agents = (replace(AN, extension=text),)
        case _:
            agents = (replace(BINH, endpoint=text),)
    with pytest.raises(ConfError):
        render_asterisk(replace(WHOLE, agents=agents, trunks=trunks))


@pytest.mark.parametrize("password", ["a\nb", "a;b", "a\\b", "a b", 'a"b', "a>b", "[x]", "é", "", "x" * 129])
def test_no_password_says_more_and_none_is_repeated_in_the_error(password: str) -> None:
    with pytest.raises(ConfError) as caught:
        pjsip(replace(WHOLE, agents=(replace(AN, phone=Phone(user="an-phone", password=password)),)))
    assert not password or password not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["sip.example.com:5060", "192.0.2.1:5060\n[x]", "192.0.2.1;x", "", "300.1.1.1:5060", "::"]
)
def test_no_host_says_more_than_an_address(host: str) -> None:
    hostile = replace(WHOLE, trunks=(replace(FIRST, host=host),))
    if not host:
        assert ("first", "endpoint") not in pjsip(hostile)
        return
    with pytest.raises(ConfError):
        pjsip(hostile)


# -- dialplan --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "country", "forms"),
    [
        ("+842473001001", "VN", ("+842473001001", "842473001001", "02473001001")),
        ("+842473001001", "", ("+842473001001", "842473001001", "02473001001")),
        ("+6531234567", "SG", ("+6531234567", "6531234567", "31234567")),
        ("+442079460000", "GB", ("+442079460000", "442079460000", "02079460000")),
        ("+442079460000", "VN", ("+442079460000", "442079460000")),
        ("19001234", "VN", ("19001234",)),
    ],
)
def test_a_hotline_as_carriers_write_it(number: str, country: str, forms: tuple[str, ...]) -> None:
    assert dialled_forms(Hotline(number, country=country), "VN") == forms


def test_hotlines_are_exact_extensions() -> None:
    lines = context(dialplan(WHOLE), "tongdai-hotlines")
    assert lines[0] == "exten => +842473001001,1,Set(TD_HOTLINE=+842473001001)"
    assert len(lines) == 6
    assert not [line for line in lines if "=> _" in line]


def test_a_form_that_is_another_hotlines_number_stays_its_own() -> None:
    two = replace(WHOLE, hotlines=(Hotline("+8419001234", country="VN"), Hotline("8419001234", country="VN")))
    lines = context(dialplan(two), "tongdai-hotlines")
    assert "exten => 8419001234,1,Set(TD_HOTLINE=8419001234)" in lines
    assert len([line for line in lines if line.startswith("exten => 8419001234,")]) == 1


@pytest.mark.parametrize("number", ["+84 24", "1,1,System(x)", "+84\n", "_X.", "", "s", "1)"])
def test_no_hotline_says_more_than_a_number(number: str) -> None:
    with pytest.raises(ConfError):
        dialplan(replace(WHOLE, hotlines=(Hotline(number, country="VN"),)))


def test_fallback_rings_the_primary_groups_in_the_order_of_the_setup() -> None:
    ringing = Hotline("+842473001001", queue="sales", trunk="first", fallback=Fallback("ring"))
    assert ring_endpoints(ringing, WHOLE) == ["an-phone", "binh"]
    lines = context(dialplan(replace(WHOLE, hotlines=(ringing,))), "tongdai-fallback")
    assert lines[3:5] == [f" same => n,Gosub(tongdai-fallback-add,s,1({name}))" for name in ("an-phone", "binh")]


def test_fallback_of_a_menu_rings_the_first_queue_it_leads_to() -> None:
    menus = (
        Menu("main", keys=(("1", Way(WayKind.MENU, "deep")), ("2", Way(WayKind.HANGUP)))),
        Menu("deep", keys=(("1", Way(WayKind.MENU, "main")), ("2", Way(WayKind.QUEUE, "sales")))),
        Menu("none", keys=(("1", Way(WayKind.MENU, "none")),)),
    )
    whole = replace(WHOLE, menus=menus)
    assert ring_endpoints(Hotline("1", menu="main"), whole) == ["an-phone", "binh"]
    assert ring_endpoints(Hotline("1", menu="none"), whole) == []


def test_fallback_rings_no_more_phones_than_a_dial_string_holds() -> None:
    many = tuple(replace(BINH, name=f"a{n}", endpoint=f"a{n}", extension="") for n in range(RING_MAX + 10))
    ringing = Hotline("+842473001001", queue="sales", fallback=Fallback("ring"))
    lines = context(dialplan(replace(WHOLE, agents=many, hotlines=(ringing,))), "tongdai-fallback")
    assert len([line for line in lines if "Gosub" in line]) == RING_MAX


def test_fallback_by_phone_needs_a_trunk() -> None:
    phone = Fallback("phone", "0912345678")
    rows = (Hotline("19001234", trunk="second", fallback=phone), Hotline("19001235", kind="virtual", fallback=phone))
    lines = context(dialplan(replace(WHOLE, hotlines=rows)), "tongdai-fallback")
    assert lines[2:5] == [
        " same => n,Set(TD_PHONE=0912345678)",
        " same => n,Set(TD_PHONE_TRUNK=itsp)",
        " same => n,Goto(tongdai-fallback-phone,s,1)",
    ]
    assert lines[6] == " same => n,Goto(tongdai-fallback-announce,s,1)"


def test_emergency_goes_by_every_trunk_that_is_on_and_can_be_called_back() -> None:
    lines = context(dialplan(WHOLE), "tongdai-emergency")
    assert lines[:5] == [
        "exten => 112,1,Set(TD_AT=${EPOCH})",
        " same => n,Set(TD_URGENT=112)",
        " same => n,Gosub(tongdai-emergency-try,s,1(112,first,+842473001001))",
        " same => n,Gosub(tongdai-emergency-try,s,1(112,itsp,))",
        " same => n,Goto(tongdai-emergency-failed,s,1)",
    ]
    assert len(lines) == 5 * len(WHOLE.defaults.emergency)


def test_an_extension_never_hides_an_emergency_number() -> None:
    clash = replace(WHOLE, agents=(replace(BINH, extension="113"), AN))
    assert context(dialplan(clash), "tongdai-colleagues") == ["exten => 101,1,Gosub(tongdai-colleague,s,1(an-phone))"]


def test_globals_say_where_the_controller_is() -> None:
    options = RenderOptions(agi="127.0.0.1:15062", app="lab")
    text = render_asterisk(replace(WHOLE, defaults=Defaults(language="en")), options)["tongdai-extensions.conf"]
    assert context(text, "globals")[:3] == ["TD_AGI=agi://127.0.0.1:15062", "TD_APP=lab", "TD_LANGUAGE=en"]


def test_globals_say_where_a_second_controller_is() -> None:
    options = RenderOptions(agi="127.0.0.1:4573", agi_2="127.0.0.1:4574")
    text = render_asterisk(WHOLE, options)["tongdai-extensions.conf"]
    assert context(text, "globals")[:2] == ["TD_AGI=agi://127.0.0.1:4573", "TD_AGI_2=agi://127.0.0.1:4574"]


@pytest.mark.parametrize("agi", ["127.0.0.1", "127.0.0.1:x", "a b:1", "127.0.0.1:1\n[x]", ":1"])
def test_no_address_says_more(agi: str) -> None:
    with pytest.raises(ConfError):
        render_asterisk(WHOLE, RenderOptions(agi=agi))


# -- files -----------------------------------------------------------------------------------------------------------


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    options = RenderOptions(agi="127.0.0.1:15062", ari_password="x" * 30, sip=SipOptions(transport="lab", nat=False))
    assert len(write_asterisk(WHOLE, tmp_path, options)) == 6
    assert write_generated(WHOLE, tmp_path) == ()
    assert kept_options(tmp_path) == replace(options, ari_password="")
    more = replace(WHOLE, hotlines=(*WHOLE.hotlines, Hotline("+842473001002", country="VN", queue="sales")))
    assert write_generated(more, tmp_path) == ("tongdai-extensions.conf",)
    assert "agi://127.0.0.1:15062" in (tmp_path / "tongdai-extensions.conf").read_text()
    music = replace(more, queues=(replace(SALES, music="jazz"),), trunks=(FIRST,))
    changed = write_generated(music, tmp_path)
    assert modules_to_reload(changed) == ("res_pjsip.so", "res_musiconhold.so", "pbx_config.so")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    assert all(path.stat().st_mode & 0o007 == 0 for path in tmp_path.iterdir())


def test_a_random_password_is_made_once(tmp_path: Path) -> None:
    write_asterisk(WHOLE, tmp_path)
    assert write_asterisk(WHOLE, tmp_path) == ()
    assert write_asterisk(WHOLE, tmp_path, RenderOptions(ari_password="y" * 30)) == ("tongdai-ari.conf",)


@pytest.mark.parametrize(("http", "address"), [("localhost:8088", "127.0.0.1"), ("[::1]:8088", "::1")])
def test_asterisks_http_is_bound_where_it_is_asked(http: str, address: str) -> None:
    text = render_asterisk(WHOLE, RenderOptions(http=http))["tongdai-http.conf"]
    assert f"bindaddr={address}\nbindport=8088\n" in text


@pytest.mark.parametrize("http", ["127.0.0.1", "pbx.example.com:8088", "127.0.0.1:80 88", "127.0.0.1:1\n"])
def test_asterisks_http_is_bound_nowhere_else(http: str) -> None:
    with pytest.raises(ConfError):
        render_asterisk(WHOLE, RenderOptions(http=http))


def test_a_setup_that_cannot_be_rendered_changes_no_file(tmp_path: Path) -> None:
    write_asterisk(WHOLE, tmp_path)
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    with pytest.raises(ConfError):
        write_generated(replace(WHOLE, hotlines=(Hotline("_X."),)), tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_folder_nobody_wrote_to_gets_the_defaults(tmp_path: Path) -> None:
    assert kept_options(tmp_path) == RenderOptions()
    (tmp_path / "tongdai-render.json").write_text('{"agi": 1, "nonsense": 2}')
    with pytest.raises(ConfError, match="render again"):
        write_generated(WHOLE, tmp_path)


def install(folder: Path) -> AsteriskInstall:
    for name in ("modules", "data/documentation", "data/rest-api", "data/sounds/en", "moh/default"):
        (folder / name).mkdir(parents=True)
    for name in ("res_ari", "res_websocket_client", "res_speech", "res_agi", "pbx_config"):
        (folder / f"modules/{name}.so").touch()
    return AsteriskInstall(
        "22.10.1",
        Support.FULL,
        ("asterisk",),
        folder / "modules",
        folder / "data",
        folder / "data/sounds",
        folder / "moh",
    )


def written_lab(tmp_path: Path) -> dict[str, str]:
    places = write_lab_config(tmp_path / "lab", install(tmp_path / "ast"), WHOLE, PORTS)
    etc = places.config.parent
    files = {path.name: path.read_text() for path in etc.iterdir() if path.is_file()}
    return files | {path.name: path.read_text() for path in places.generated.glob("*.conf")}


def test_a_lab_lies_in_its_own_directory_and_on_loopback(tmp_path: Path) -> None:
    files = written_lab(tmp_path)
    directories = re.findall(r"^ast\w+ => (.*)$", files["asterisk.conf"], re.MULTILINE)
    assert len(directories) == 11
    assert all(path.startswith(str(tmp_path)) for path in directories)
    assert all(Path(path).is_dir() for path in directories)
    addresses = re.findall(r"\d+\.\d+\.\d+\.\d+", files["http.conf"] + files["pjsip.conf"])
    assert set(addresses) == {"127.0.0.1"}
    assert "media_address=127.0.0.1" in files["tongdai-pjsip.conf"]
    assert "rtpstart=16060\nrtpend=17059" in files["rtp.conf"]


def test_a_lab_loads_what_there_is_in_the_order_it_needs(tmp_path: Path) -> None:
    loaded = re.findall(r"load=(\w+)\.so", written_lab(tmp_path)["modules.conf"])
    assert loaded == ["pbx_config", "res_websocket_client", "res_ari", "res_speech", "res_agi"]


def test_a_lab_can_be_written_again_over_itself(tmp_path: Path) -> None:
    asterisk = install(tmp_path / "ast")
    first = write_lab_config(tmp_path / "lab", asterisk, WHOLE, PORTS)
    (first.sounds / "vi/own.wav").write_bytes(b"somebody's greeting")
    again = write_lab_config(tmp_path / "lab", asterisk, WHOLE, PORTS)
    assert again.ari_password != first.ari_password
    assert (again.sounds / "vi/own.wav").read_bytes() == b"somebody's greeting"
    assert (again.sounds / "vi/tongdai-fallback.wav").is_file()
    assert (again.sounds / "en/tongdai-fallback.wav").is_file()


def test_a_deep_lab_has_a_short_place_for_its_socket(tmp_path: Path) -> None:
    asterisk = install(tmp_path / "ast")
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    for _ in range(2):
        places = write_lab_config(deep, asterisk, WHOLE, PORTS)
        run = re.findall(r"^astrundir => (.*)$", places.config.read_text(), re.MULTILINE)[0]
        assert len(f"{run}/asterisk.ctl") < 108
        assert Path(run).samefile(places.directory / "run")
    Path(run).rmdir()


# -- the lint of configuration -----------------------------------------------------------------------------------------


def test_what_we_write_has_no_finding(tmp_path: Path) -> None:
    assert lint_config(written_lab(tmp_path), ("101", "102")) == {}
    assert lint_config(render_asterisk(WHOLE), ("101", "102")) == {}


GOOD_ARI = "[general]\nenabled=yes\n[u]\ntype=user\npassword=kJh2_8dLmQ-7xZpW4vTn\n"
BAD = [
    ("asterisk.conf", "[options]\nlive_dangerously=yes\n", "dangerous"),
    ("asterisk.conf", "[directories]\nastetcdir => /x\n", "dangerous"),
    ("manager.conf", "[general]\nenabled=yes\n", "manager"),
    ("manager.conf", "[general]\nenabled=no\n[admin]\nsecret=x\n", "manager"),
    ("http.conf", "[general]\nenabled=yes\nbindaddr=0.0.0.0\nenable_status=no\n", "loopback"),
    ("http.conf", "[general]\nenabled=yes\nenable_status=no\n", "loopback"),
    ("http.conf", "[general]\nbindaddr=127.0.0.1\ntlsbindaddr=192.0.2.1:8089\nenable_status=no\n", "loopback"),
    ("http.conf", "[general]\nbindaddr=127.0.0.1\nenable_status=no\nenable_static=yes\n", "pages"),
    ("http.conf", "[general]\nbindaddr=127.0.0.1\n", "pages"),
    ("ari.conf", "[u]\ntype=user\npassword=asterisk\n", "password"),
    ("ari.conf", "[u]\ntype=user\npassword=aaaaaaaaaaaaaaaaaaaaaaaaa\n", "password"),
    ("ari.conf", f"{GOOD_ARI}[v]\ntype=user\npassword=kJh2_8dLmQ-7xZpW4vTn\n", "ari-user"),
    ("ari.conf", f"{GOOD_ARI}[general]\nallowed_origins=*\n", "origin"),
    ("pjsip.conf", "[101]\ntype=endpoint\nauth=101\nallow_transfer=no\n", "extension"),
    ("pjsip.conf", "[anonymous]\ntype=endpoint\nidentify_by=ip\nallow_transfer=no\n", "anonymous"),
    ("pjsip.conf", "[an]\ntype=endpoint\nallow_transfer=no\n", "open"),
    ("pjsip.conf", "[an]\ntype=endpoint\nauth=an\n", "transfer"),
    ("pjsip.conf", "[t](!)\ntype=endpoint\nauth=x\n[101](t)\nallow_transfer=no\n", "extension"),
    (
        "pjsip.conf",
        "[t]\ntype=endpoint\nidentify_by=ip\ntrust_id_inbound=yes\nallow_transfer=no\ncontext=tongdai-outbound\n",
        "toll",
    ),
    ("modules.conf", "[modules]\nautoload=yes\n", "module"),
    ("modules.conf", "[modules]\nautoload=no\nload=app_system.so\n", "module"),
    ("modules.conf", "[modules]\nautoload=no\nload = func_shell.so\nload = pbx_config.so\n", "module"),
    ("tongdai-extensions.conf", "[globals]\nTD_AGI=agi://192.0.2.9:4573\n", "loopback"),
    ("tongdai-extensions.conf", "[globals]\nTD_AGI_2=agi://192.0.2.9:4573\n", "loopback"),
]


@pytest.mark.parametrize(("name", "text", "rule"), BAD)
def test_a_seeded_mistake_is_found(name: str, text: str, rule: str) -> None:
    found = lint_config({name: text, "ari.conf" if name != "ari.conf" else "http.conf": ""}, ("101",))
    assert {finding.rule for finding in found[name]} == {rule}
    assert list(found) == [name]


def test_a_password_made_at_install_is_strong() -> None:
    made = {re.findall(r"password=(.*)", render_asterisk(WHOLE)["tongdai-ari.conf"])[0] for _ in range(20)}
    assert len(made) == 20
    assert all(strong(password) for password in made)
