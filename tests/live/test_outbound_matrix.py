"""Calling out, row by row: who dials × by which hotline × whom × over which trunk, and what the carriers were told.

The carriers are SIPp processes that stay up for the whole table and write down every INVITE. What must stand in one is
compared as a whole: number, From, P-Asserted-Identity and Privacy, as docs/setup.md promises them for each trunk.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.lab import phones, sip
from controller.lab.sipcall import SipCall
from controller.lab.softphone import Softphone
from tests.live.floor import Floor, same
from tests.live.harness import Json, Lab, soon, until
from tests.live.patience import PATIENCE_S
from tests.live.setups import UNLIMITED, hotline, people, queue, table

pytestmark = pytest.mark.live

SCENARIO = Path(__file__).parent / "sipp" / "switch.xml"
LIFE_S = 1800
ROW_MAX = timedelta(seconds=10)
OUT: dict[str, Any] = {"queue": "sales", "outbound": True}
TEAM, FRAIL = OUT | {"outbound_groups": ["team"]}, OUT | {"outbound_groups": ["frail"]}
VIRTUAL = "19001359"
TRUNKS: dict[str, tuple[str, dict[str, Any]]] = {
    "narrow": ("127.0.0.11", {"carrier": "itel", "max_channels": 1, "caller_id": "national", "privacy": True}),
    "lame": ("127.0.0.12", {"carrier": "viettel"}),
    "vt": ("127.0.0.13", {"carrier": "viettel"}),
    "mobi": ("127.0.0.14", {"carrier": "mobifone", "caller_id": "national"}),
    "vina": ("127.0.0.15", {"carrier": "vinaphone", "caller_id": "plain", "privacy": True}),
    "quiet": ("127.0.0.16", {"carrier": "vietnamobile", "caller_id_in": "from"}),
    "pai": ("127.0.0.17", {"carrier": "gmobile", "caller_id": "plain", "caller_id_in": "pai", "account": "hd-0911"}),
    "weary": ("127.0.0.18", {"carrier": "gmobile"}),
}
"""Every trunk with the address of its carrier. The first is small, so that emergency calls meet a full one."""
REFUSING = ("lame", "weary")
"""Carriers that say 503 to everybody."""
SETUP = "".join(
    (
        UNLIMITED,
        *(table("trunk", {"name": name, "host": f"{host}:@TRUNK@"} | keys) for name, (host, keys) in TRUNKS.items()),
        people(
            groups={"team": ("a1", "a2"), "frail": ("a3", "a5"), "backup": ("a4", "a6")},
            agents={
                "a1": {"outbound_with": "auto"},
                "a2": {"outbound_with": "+842473001301"},
                "a3": {"outbound_with": "worn"},
                "a4": {"outbound_with": "+842473001301"},
                "a5": {"outbound_with": "+842473001308"},
            },
        ),
        hotline("+842473001301", **TEAM | {"trunk": "vt"}),
        hotline("+842473001302", **TEAM | {"trunk": "mobi", "dial_code": "72"}),
        hotline("+842473001303", **TEAM | {"trunk": "vina"}),
        hotline("+842473001304", **TEAM | {"trunk": "quiet"}),
        hotline("+842473001305", **TEAM | {"trunk": "pai"}),
        hotline("+842473001306", **FRAIL | {"trunk": "lame", "dial_code": "76"}),
        hotline("+842473001307", **FRAIL | {"trunk": "weary", "dial_code": "77"}),
        hotline("+842473001308", **FRAIL | {"trunk": "narrow", "dial_code": "78"}),
        hotline("+842473001309", **FRAIL | {"trunk": "mobi"}),
        hotline("+842473001310", **OUT | {"trunk": "vt", "outbound": False, "dial_code": "70"}),
        hotline("19001388", **TEAM | {"trunk": "mobi", "dial_code": "*88"}),
        table("hotline", {"number": VIRTUAL, "kind": "virtual", "queue": "sales"}),
        table("adaptive", {"name": "auto", "fallback": "+842473001302", "dial_code": "71"}),
        table("adaptive", {"name": "worn", "fallback": "+842473001309"}),
        table("ported", {"number": "0912345679", "carrier": "viettel"}),
        table("blocked", {"number": "0967000999", "scopes": ["outbound"]}),
        queue("sales", "team"),
    )
)

Headers = tuple[str, str, str]
"""From without its tag, P-Asserted-Identity, Privacy: all of each, empty when there is none."""
VT: Headers = ("<sip:+842473001301@127.0.0.1>", "<sip:+842473001301@127.0.0.1>", "")
MOBI: Headers = ("<sip:02473001302@127.0.0.1>", "<sip:02473001302@127.0.0.1>", "")
VINA: Headers = ('"Anonymous" <sip:anonymous@anonymous.invalid>', "<sip:842473001303@127.0.0.1>", "id")
QUIET: Headers = ("<sip:+842473001304@127.0.0.1>", "", "")
PAI: Headers = ("<sip:hd-0911@127.0.0.1>", "<sip:842473001305@127.0.0.1>", "")
LAME: Headers = ("<sip:+842473001306@127.0.0.1>", "<sip:+842473001306@127.0.0.1>", "")
STEADY: Headers = ("<sip:02473001309@127.0.0.1>", "<sip:02473001309@127.0.0.1>", "")
SHORT: Headers = ("<sip:19001388@127.0.0.1>", "<sip:19001388@127.0.0.1>", "")
WEARY: Headers = ("<sip:hd-0911@127.0.0.1>", "<sip:842473001307@127.0.0.1>", "")
NARROW: Headers = ("<sip:02473001308@127.0.0.1>", "<sip:02473001308@127.0.0.1>", "")
"""An emergency call shows its number, although the trunk asks to keep it from callees."""

Sent = tuple[str, str, Headers]
"""One INVITE: the trunk whose carrier got it, the number it asked for, and the headers."""


@dataclass(frozen=True, slots=True)
class Row:
    """Somebody dials (or, with `click`, names a hotline to click to call) and this many carriers hear of it.

    `outcome` is the history's result and its reason or cause, the status a phone is turned away with, or `urgent`:
    carried by the dialplan alone.
    """

    who: str
    hotline: str
    callee: str
    state: str
    dialled: str
    outcome: str
    sent: tuple[Sent, ...] = ()
    click: str = ""


STATES = ("up", "busy", "503", "full", "cooling")
AUTO, GIVEN, CODE = "adaptive", "explicit", "dial code"
ROWS = (
    Row("a1", AUTO, "own carrier", "up", "0967000101", "answered agent", (("vt", "0967000101", VT),)),
    Row("a1", AUTO, "ported", "up", "0912345679", "answered agent", (("vt", "0912345679", VT),)),
    Row("a1", AUTO, "mobifone", "up", "+84901000103", "answered agent", (("mobi", "0901000103", MOBI),)),
    Row("a1", AUTO, "vinaphone", "up", "0084912000104", "answered agent", (("vina", "0912000104", VINA),)),
    Row("a1", AUTO, "vietnamobile", "up", "0922000105", "answered agent", (("quiet", "0922000105", QUIET),)),
    Row("a1", AUTO, "gmobile", "up", "0993000106", "answered agent", (("pai", "0993000106", PAI),)),
    Row("a1", AUTO, "unknown", "up", "0281112223", "answered agent", (("mobi", "0281112223", MOBI),)),
    Row("a1", AUTO, "landline", "up", "02838221234", "answered agent", (("mobi", "02838221234", MOBI),)),
    Row("a1", AUTO, "toll free", "up", "18001234", "answered agent", (("mobi", "18001234", MOBI),)),
    Row("a1", AUTO, "premium", "up", "19001234", "refused number_kind"),
    Row("a1", AUTO, "blocked", "up", "0967000999", "blocked blocked"),
    Row("a1", AUTO, "satellite", "up", "0088216123456", "refused number_kind"),
    Row("a2", GIVEN, "own carrier", "up", "84967000113", "answered agent", (("vt", "0967000113", VT),)),
    Row("a2", GIVEN, "other carrier", "up", "0901000114", "answered agent", (("vt", "0901000114", VT),)),
    Row("a2", GIVEN, "landline", "up", "02438221235", "answered agent", (("vt", "02438221235", VT),)),
    Row("a2", GIVEN, "foreign", "up", "0014155552671", "refused country"),
    Row("a1", CODE, "other carrier", "up", "720967000117", "answered agent", (("mobi", "0967000117", MOBI),)),
    Row(
        "a2",
        "adaptive by dial code",
        "mobifone",
        "up",
        "710901000118",
        "answered agent",
        (("mobi", "0901000118", MOBI),),
    ),
    Row(
        "a2",
        "service number by code",
        "mobifone",
        "up",
        "*880901000119",
        "answered agent",
        (("mobi", "0901000119", SHORT),),
    ),
    Row("a2", "takes calls only", "own carrier", "up", "700967000120", "refused not_permitted"),
    Row("a2", "forbidden by code", "own carrier", "up", "760967000121", "refused not_permitted"),
    Row("a4", "forbidden group", "own carrier", "up", "0967000122", "refused not_permitted"),
    Row("a6", "none", "own carrier", "up", "0967000123", "refused not_permitted"),
    Row("a6", "none", "emergency", "up", "113", "urgent", (("narrow", "113", NARROW),)),
    Row("a1", "virtual", "own carrier", "up", "0967000125", "refused virtual", click=VIRTUAL),
    Row("a4", "forbidden group", "own carrier", "up", "0967000126", "refused not_permitted", click="+842473001301"),
    Row(
        "a2",
        GIVEN,
        "other carrier",
        "up",
        "0967000127",
        "answered agent",
        (("vina", "0967000127", VINA),),
        "+842473001303",
    ),
    Row("a2", AUTO, "own carrier", "up", "0967 000 128", "answered agent", (("vt", "0967000128", VT),), "auto"),
    Row("outsider", "none", "own carrier", "up", "0967000129", "401"),
    Row("carrier", "none", "own carrier", "up", "0967000130", "404"),
    Row("a2", GIVEN, "own carrier", "busy", "0967131486", "missed busy", (("vt", "0967131486", VT),)),
    Row("a1", AUTO, "mobifone", "busy", "0901132486", "missed busy", (("mobi", "0901132486", MOBI),)),
    Row(
        "a3",
        AUTO,
        "own carrier",
        "503",
        "0967000133",
        "answered agent",
        (("lame", "0967000133", LAME), ("vt", "0967000133", LAME)),
    ),
    Row(
        "a3",
        CODE,
        "other carrier",
        "503",
        "760901000134",
        "answered agent",
        (("lame", "0901000134", LAME), ("vt", "0901000134", LAME)),
    ),
    Row("a3", CODE, "own carrier", "full", "780871000135", "refused no_trunk"),
    Row("a3", AUTO, "own carrier", "full", "0871000136", "answered agent", (("mobi", "0871000136", STEADY),)),
    Row("a4", "none", "emergency", "full", "115", "urgent", (("narrow", "115", NARROW),)),
    Row("a1", AUTO, "emergency", "full", "114", "answered agent", (("lame", "114", LAME), ("vt", "114", VT)), "auto"),
    Row("a3", CODE, "own carrier", "cooling", "770993000139", "answered agent", (("pai", "0993000139", WEARY),)),
    Row("a3", AUTO, "own carrier", "cooling", "0993000140", "answered agent", (("pai", "0993000140", WEARY),)),
)
assert len(ROWS) == 40
assert {row.state for row in ROWS} == set(STATES)


class Carriers:
    """The SIPp processes behind the trunks, and how many INVITEs of each were looked at already."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        text = SCENARIO.read_text(encoding="utf-8")
        refusing = text.replace("486@", "@").replace("486 Busy Here", "503 Service Unavailable")
        self._seen: set[str] = set()
        self.switches = {
            name: phones.Sipp(
                f"switch-{name}",
                refusing if name in REFUSING else text,
                lab.sip,
                directory,
                (host, lab.trunk_port),
                name,
                life_s=LIFE_S,
            ).start()
            for name, (host, _) in TRUNKS.items()
        }

    def new(self) -> list[Sent]:
        """What every carrier got since the last row, each INVITE once however often it was repeated."""
        return [self._sent(name, invite) for name, invite in self._unseen()]

    def count(self) -> int:
        """How many these are so far; the last may still be half-written."""
        return len(self._unseen())

    def forget(self) -> None:
        """What came so far is dealt with."""
        self._seen |= {invite.transaction for _, invite in self._unseen()}

    def _unseen(self) -> list[tuple[str, sip.Message]]:
        found: dict[str, tuple[str, sip.Message]] = {}
        for name, switch in self.switches.items():
            for invite in switch.received("INVITE"):
                if invite.transaction not in self._seen:
                    found.setdefault(invite.transaction, (name, invite))
        return list(found.values())

    def _sent(self, name: str, invite: sip.Message) -> Sent:
        user, _, where = invite.target.removeprefix("sip:").partition("@")
        assert where == f"{TRUNKS[name][0]}:{self.lab.trunk_port}"
        sender, tag, rest = invite.get("From").partition(";tag=")
        assert tag
        assert ";" not in rest
        return name, user, (sender, invite.get("P-Asserted-Identity"), invite.get("Privacy"))

    def stop(self) -> None:
        """End them."""
        for switch in self.switches.values():
            switch.stop()


@pytest.fixture(scope="module")
def carriers(lab: Lab, setup: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Carriers]:
    """Every carrier, up for the whole table."""
    found = Carriers(lab, tmp_path_factory.mktemp("carriers"))
    yield found
    found.stop()


@dataclass
class Table:
    """The floor and the carriers while rows are gone through."""

    floor: Floor
    carriers: Carriers

    async def go(self, row: Row) -> None:
        """One row: dial, compare, hang up, and wait until the books are closed."""
        assert self.carriers.new() == [], "a carrier was asked after its row was over"
        known = {call["id"] for call in await self._history()}
        call = await self._begin(row)
        if row.sent:
            await until(lambda: self._got(len(row.sent)), "the INVITEs")
        if call is not None:
            await self._hang_up(row, call)
        if not row.outcome.isdigit():
            await self._booked(row, known)
        got, wanted = sorted(self.carriers.new()), sorted(row.sent)
        assert got == wanted, f"the carriers got {got}"
        self.carriers.forget()

    async def _hang_up(self, row: Row, call: SipCall) -> None:
        if row.outcome in {"answered agent", "urgent"}:
            await soon(call.up, "the callee talks")
        elif row.outcome.startswith(("refused", "blocked")):
            await soon(call.ringing, "the announcement begins")
        else:
            await soon(call.ended, "the phone is turned away")
            assert not row.outcome.isdigit() or call.status == int(row.outcome)
        await call.hangup()

    async def _booked(self, row: Row, known: set[str]) -> None:
        if row.outcome != "urgent":
            ended = await until(lambda: self._ended(row, known), "the call in the history")
            assert ended is not None
            why = ended["reason"] if ended["result"] in {"refused", "blocked"} else ended["end_cause"]
            assert f"{ended['result']} {why}" == row.outcome
            assert (ended["trunk"] or "") == (row.sent[-1][0] if row.sent else "")
        await self.floor.state(row.who, "ready")

    async def _begin(self, row: Row) -> SipCall | None:
        """Dial as the row says: the call at the phone, None when no phone rang."""
        if row.who in {"outsider", "carrier"}:
            return self._stranger(row.who).dial(row.dialled)
        phone = await self.floor.desk(row.who)
        if not row.click:
            return phone.dial(row.dialled)
        body = {"agent": row.who, "to": row.dialled, "hotline": row.click}
        said = await self.floor.api.send("POST", "/api/v1/outbound", body)
        assert said.status_code == (202 if row.sent else 409), said.text
        return await phone.next_call(PATIENCE_S) if row.sent else None

    def _stranger(self, who: str) -> Softphone:
        host = TRUNKS["vt"][0] if who == "carrier" else "127.0.0.99"
        phone = Softphone(self.floor.lab.sip, who, password="guessed", bind=(host, 0))
        self.floor.others.append(phone)
        return phone

    async def _got(self, count: int) -> bool:
        return self.carriers.count() >= count

    async def _history(self) -> list[Json]:
        return await self.floor.api.calls("ended", since=self.floor.began, direction="outbound")

    async def _ended(self, row: Row, known: set[str]) -> Json | None:
        found = [call for call in await self._history() if call["id"] not in known]
        return next((call for call in found if same(call["callee"], row.dialled.replace(" ", ""))), None)

    async def fill(self) -> None:
        """Somebody talks over the trunk that carries one call."""
        phone = await self.floor.desk("a5")

        async def full() -> bool:
            if not [call for call in phone.calls if not call.ended.is_set()]:
                phone.dial("0967000200")
            talking = [call for call in phone.calls if call.up.is_set() and not call.ended.is_set()]
            return bool(talking) and not (await self._trunk("narrow"))["usable"]

        await until(full, "the trunk is full")
        self.carriers.forget()

    async def tire(self) -> None:
        """Calls by the carrier that refuses them all, until its trunk is left out; the other trunk carries them."""
        phone = await self.floor.desk("a3")

        async def left_out() -> bool:
            call = phone.dial("770993000201")
            await until(lambda: _decided(call), "the spare trunk carries it")
            await call.hangup()
            await self.floor.state("a3", "ready")
            until_when = (await self._trunk("weary"))["cooling_until"]
            return until_when is not None and datetime.fromisoformat(until_when) > datetime.now(UTC) + ROW_MAX

        await until(left_out, "the trunk is left out for longer than a row takes")
        self.carriers.forget()

    async def _trunk(self, name: str) -> Json:
        page = await self.floor.api.get("/api/v1/trunks")
        return next(row for row in page["items"] if row["name"] == name)


async def _decided(call: SipCall) -> bool:
    return call.up.is_set() or call.ended.is_set()


@pytest.mark.parametrize("state", STATES)
async def test_every_row(floor: Floor, carriers: Carriers, state: str) -> None:
    rows = Table(floor, carriers)
    if state == "full":
        await rows.fill()
    for row in (row for row in ROWS if row.state == state):
        if state == "cooling":
            await rows.tire()
        await rows.go(row)
