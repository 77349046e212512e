"""The dialplan of a setup: the hand-written contexts of `dialplan/`, and the tables they look into.

Numbers are exact extensions, so a caller reaches a hotline or nothing. What is generated only sets variables and
leaves for a hand-written context: a change of the setup under running calls then never moves a line from under one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import phonenumbers

from controller.core import callerid
from controller.core.setup import Hotline, Setup
from controller.lab.conftext import DIGITS, LANGUAGE, NAME, NUMBER, ConfError, checked

STATIC: Final = ("inbound.conf", "outbound.conf", "fallback.conf", "emergency.conf", "report.conf")
FOLDER: Final = Path(__file__).resolve().parents[2] / "dialplan"
RING_MAX: Final = 50
"""Phones one hotline rings at once while the controller is away: more would not fit into one dial string."""


def dialplan(setup: Setup, agi: str, app: str, agi_2: str = "") -> str:
    """Write the whole dialplan of a setup; `agi` is `host:port` of our side door, `app` the Stasis application.

    `agi_2` is the side door of a second controller (docs/standby.md), if there is one.
    """
    return "\n".join((variables(setup, agi, app, agi_2), written_by_hand(), generated(setup)))


def variables(setup: Setup, agi: str, app: str, agi_2: str = "") -> str:
    """Globals the hand-written contexts read. A second [globals] adds to the first, it replaces nothing."""
    rows = {"TD_AGI": _agi(agi)} | ({"TD_AGI_2": _agi(agi_2)} if agi_2 else {})
    rows |= {
        "TD_APP": checked(app, NAME, "Stasis application"),
        "TD_LANGUAGE": checked(setup.defaults.language, LANGUAGE, "language"),
    }
    return "[globals]\n" + "".join(f"{name}={value}\n" for name, value in rows.items())


def _agi(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not checked(port, DIGITS, "AGI port") or not _is_host(host):
        raise ConfError("the AGI address wants host:port")
    return f"agi://{address}"


def _is_host(text: str) -> bool:
    return NAME.pattern.fullmatch(text.removeprefix("[").removesuffix("]").replace(":", ".")) is not None


def written_by_hand() -> str:
    """The contexts of `dialplan/`, as they stand."""
    try:
        return "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in STATIC)
    except OSError as error:
        raise ConfError(f"{FOLDER}: the dialplan cannot be read ({error.strerror})") from None


def generated(setup: Setup) -> str:
    """The tables: hotlines, fallbacks, emergency numbers and colleagues."""
    return "\n".join((_hotlines(setup), _fallbacks(setup), _emergency(setup), _colleagues(setup)))


def dialled_forms(hotline: Hotline, default_country: str) -> tuple[str, ...]:
    """How a carrier may write a hotline: `+84…`, `84…`, `0…`; a short code has one form."""
    number = checked(hotline.number, NUMBER, "hotline number")
    if not number.startswith("+"):
        return (number,)
    region = hotline.country or default_country
    code = str(phonenumbers.country_code_for_region(region))
    forms = [number, number[1:]]
    if code != "0" and number.startswith(f"+{code}"):
        forms.append(_trunk_prefix(region) + number[1 + len(code) :])
    return tuple(forms)


def _trunk_prefix(region: str) -> str:
    """The digit dialled before a national number, `0` in most countries, nothing in some."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    prefix = (metadata.national_prefix or "") if metadata is not None else ""
    return prefix if prefix.isdigit() else ""


def _hotlines(setup: Setup) -> str:
    lines = ["; Every hotline as carriers write it.", "[tongdai-hotlines]"]
    taken = {row.number: row.number for row in setup.hotlines}
    for hotline in setup.hotlines:
        for form in dialled_forms(hotline, setup.defaults.country):
            if taken.setdefault(form, hotline.number) == hotline.number:
                lines.append(f"exten => {form},1,Set(TD_HOTLINE={hotline.number})")
                lines.append(" same => n,Goto(tongdai-inbound-call,s,1)")
    return _text(lines)


def _fallbacks(setup: Setup) -> str:
    lines = ["; What each hotline does while the controller is away.", "[tongdai-fallback]"]
    lines.append("include => tongdai-fallback-over")
    for hotline in setup.hotlines:
        number = checked(hotline.number, NUMBER, "hotline number")
        steps = _fallback(hotline, setup)
        lines.append(f"exten => {number},1,Set(TD_HOTLINE={number})")
        lines += [f" same => n,{step}" for step in steps]
    return _text(lines)


def _fallback(hotline: Hotline, setup: Setup) -> list[str]:
    """The steps of one hotline; what lacks a phone or a trunk is an announcement."""
    if hotline.fallback.kind == "ring":
        endpoints = ring_endpoints(hotline, setup)[:RING_MAX]
        adding = [f"Gosub(tongdai-fallback-add,s,1({name}))" for name in endpoints]
        return ["Set(TD_RING=)", *adding, "Goto(tongdai-fallback-ring,s,1)"]
    trunk = setup.trunk.get(hotline.trunk)
    if hotline.fallback.kind == "phone" and trunk is not None:
        phone = checked(hotline.fallback.phone, NUMBER, "fallback phone")
        endpoint = checked(trunk.endpoint, NAME, "trunk endpoint")
        return [f"Set(TD_PHONE={phone})", f"Set(TD_PHONE_TRUNK={endpoint})", "Goto(tongdai-fallback-phone,s,1)"]
    return ["Goto(tongdai-fallback-announce,s,1)"]


def ring_endpoints(hotline: Hotline, setup: Setup) -> list[str]:
    """Phones of the primary groups of the hotline's queue; of the first queue its menu leads to, if it has a menu."""
    queue = setup.queue.get(hotline.queue or _queue_of_menu(hotline.menu, setup))
    if queue is None:
        return []
    primary = [group.name for group in queue.groups if group.primary]
    agents = [row for row in setup.agents if row.endpoint and any(name in row.groups for name in primary)]
    return [checked(row.endpoint, NAME, "agent endpoint") for row in agents]


def _queue_of_menu(name: str, setup: Setup) -> str:
    """The first queue a caller finds in a tree of menus: by waiting, then key by key, level by level."""
    asked, seen = [name], [name]
    while asked:
        menu = setup.menu.get(asked.pop(0))
        if menu is None:
            continue
        for way in (menu.on_timeout, *(way for _, way in menu.keys)):
            if way.kind.value == "queue":
                return way.target
            if way.kind.value == "menu" and way.target not in seen:
                seen.append(way.target)
                asked.append(way.target)
    return ""


def _emergency(setup: Setup) -> str:
    lines = [
        "; Emergency numbers, by every trunk that is switched on, in the order of the setup.",
        "[tongdai-emergency]",
    ]
    tries = [(row.endpoint, _callback(row.name, setup)) for row in setup.trunks if row.enabled]
    for number in setup.defaults.emergency:
        checked(number, DIGITS, "emergency number")
        lines.append(f"exten => {number},1,Set(TD_AT=${{EPOCH}})")
        lines.append(f" same => n,Set(TD_URGENT={number})")
        for endpoint, callback in tries:
            name = checked(endpoint, NAME, "trunk endpoint")
            lines.append(f" same => n,Gosub(tongdai-emergency-try,s,1({number},{name},{callback}))")
        lines.append(" same => n,Goto(tongdai-emergency-failed,s,1)")
    return _text(lines)


def _callback(trunk: str, setup: Setup) -> str:
    """The number emergency services can call back: the first hotline of this trunk, else none."""
    found = next((row.number for row in setup.hotlines if row.trunk == trunk), "")
    if not found:
        return ""
    return checked(callerid.shown(found, setup.trunk[trunk], setup.defaults.country), NUMBER, "hotline number")


def _colleagues(setup: Setup) -> str:
    lines = ["; Agents by extension.", "[tongdai-colleagues]"]
    for agent in setup.agents:
        if agent.extension and agent.endpoint and agent.extension not in setup.defaults.emergency:
            extension = checked(agent.extension, DIGITS, "extension")
            endpoint = checked(agent.endpoint, NAME, "agent endpoint")
            lines.append(f"exten => {extension},1,Gosub(tongdai-colleague,s,1({endpoint}))")
    return _text(lines)


def _text(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"
