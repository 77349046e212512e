"""The sense of a setup whose shape was read: names exist and are unique, and what is said fits together.

Nothing is reported twice: a value that was already refused for its shape is empty here, and empty values are passed
over. What is allowed but hardly meant becomes a warning. Where calls are sent is looked at in `sense_ways`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from controller.core import dialcodes
from controller.core.carrier_table import check_carriers
from controller.core.saying import Saying, say
from controller.core.setup import Adaptive, AgentSetup, Hotline, Queue, Setup
from controller.core.shape import Place, Report, meant, once
from controller.core.shape_way import Use

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Draft:
    """A setup as far as it could be read, the place of each row of a table, and every way with its owner."""

    setup: Setup
    places: Mapping[str, tuple[Place, ...]]
    uses: tuple[Use, ...]

    def placed(self, table: str, rows: Iterable[Row]) -> Iterator[tuple[Place, Row]]:
        """The rows of a table, each with its place; none for tables that were not in the document."""
        return zip(self.places.get(table, ()), rows, strict=False)


def check(draft: Draft, report: Report) -> None:
    """Report every contradiction between tables."""
    setup = draft.setup
    _unique(draft, report)
    check_carriers(draft.placed("carrier", setup.carriers), report)
    _prefixes(draft, report)
    exists(report, ("defaults", "agent_limits", "hours"), say("a_schedule"), setup.defaults.reach.hours, setup.schedule)
    for place, hotline in draft.placed("hotline", setup.hotlines):
        _hotline(setup, place, hotline, report)
    for place, adaptive in draft.placed("adaptive", setup.adaptives):
        _adaptive(setup, place, adaptive, report)
    for place, queue in draft.placed("queue", setup.queues):
        _queue(setup, place, queue, report)
    for place, agent in draft.placed("agent", setup.agents):
        _agent(setup, place, agent, report)
    _endpoints(draft, report)
    _dial_codes(draft, report)


def exists(report: Report, place: Place, what: Saying, name: str, *names: Mapping[str, object]) -> None:
    """Report a name nobody has in any of these tables."""
    if name and not any(name in table for table in names):
        near = "" if report.full else meant(name, chain(*names))
        report.add(place, say("nobody_named", what=what, name=name, near=near))


def _prefixes(draft: Draft, report: Report) -> None:
    """Warn of prefixes no Vietnamese number begins with as it is dialled at home (docs/decisions.md 20)."""
    if draft.setup.defaults.country != "VN":
        return
    for place, carrier in draft.placed("carrier", draft.setup.carriers):
        for n, prefix in enumerate(carrier.prefixes):
            if not prefix.startswith(("0", "1")):
                report.warn((*place, "prefixes", n), say("with_zero", prefix=prefix))


def _unique(draft: Draft, report: Report) -> None:
    """No two rows of a table have the same name, no two agents the same extension."""
    setup = draft.setup
    blocked = [f"{row.number}{'…' if row.prefix else ''}" if row.number else "" for row in setup.blocked]
    for table, key, values in (
        ("trunk", "name", [row.name for row in setup.trunks]),
        ("carrier", "name", [row.name for row in setup.carriers]),
        ("hotline", "number", [row.number for row in setup.hotlines]),
        ("adaptive", "name", [row.name for row in setup.adaptives]),
        ("menu", "name", [row.name for row in setup.menus]),
        ("queue", "name", [row.name for row in setup.queues]),
        ("group", "name", [row.name for row in setup.groups]),
        ("agent", "name", [row.name for row in setup.agents]),
        ("agent", "extension", [row.extension for row in setup.agents]),
        ("blocked", "number", blocked),
        ("ported", "number", [row.number for row in setup.ported]),
        ("schedule", "name", [row.name for row in setup.schedules]),
        ("webhook", "name", [row.name for row in setup.webhooks]),
    ):
        once((((*place, key), value) for place, value in draft.placed(table, values)), report)


def _hotline(setup: Setup, place: Place, hotline: Hotline, report: Report) -> None:
    exists(report, (*place, "trunk"), say("a_trunk"), hotline.trunk, setup.trunk)
    exists(report, (*place, "queue"), say("a_queue"), hotline.queue, setup.queue)
    exists(report, (*place, "menu"), say("a_menu"), hotline.menu, setup.menu)
    exists(report, (*place, "hours"), say("a_schedule"), hotline.hours, setup.schedule)
    for group in hotline.outbound_groups or ():
        exists(report, (*place, "outbound_groups"), say("a_group"), group, setup.group)
    leads = [key for key in ("queue", "menu") if getattr(hotline, key) or report.wrong((*place, key))]
    if not leads:
        report.add((*place, "queue"), say("leads_nowhere"))
    elif len(leads) > 1:
        report.add((*place, "menu"), say("leads_twice"))
    if hotline.kind == "virtual":
        _virtual(place, hotline, report)
    elif not hotline.trunk and not report.wrong((*place, "trunk")):
        report.add((*place, "trunk"), say("trunk_missing"))


def _virtual(place: Place, hotline: Hotline, report: Report) -> None:
    """What a virtual hotline may not have: it belongs to no operator and never calls out."""
    if hotline.trunk:
        report.add((*place, "trunk"), say("virtual_trunk"))
    if hotline.outbound:
        report.warn((*place, "outbound"), say("virtual_outbound"))
    if hotline.fallback.kind == "phone":
        report.add((*place, "fallback"), say("virtual_fallback"))


def _adaptive(setup: Setup, place: Place, adaptive: Adaptive, report: Report) -> None:
    if adaptive.name.isdigit():
        report.add((*place, "name"), say("digits_only_name"))
    exists(report, (*place, "fallback"), say("a_hotline"), adaptive.fallback, setup.hotline)
    _may_call_out(setup, (*place, "fallback"), adaptive.fallback, report)


def _may_call_out(setup: Setup, place: Place, number: str, report: Report) -> None:
    """Warn of a hotline that is named for calling out and may not."""
    hotline = setup.hotline.get(number)
    if hotline and (hotline.kind == "virtual" or not hotline.outbound):
        why = say("is_virtual") if hotline.kind == "virtual" else say("has_outbound_false")
        report.warn(place, say("will_not_leave", number=number, why=why))


def _queue(setup: Setup, place: Place, queue: Queue, report: Report) -> None:
    for n, group in enumerate(queue.groups):
        exists(report, (*place, "groups", n, "name"), say("a_group"), group.name, setup.group)
    exists(report, (*place, "hours"), say("a_schedule"), queue.hours, setup.schedule)
    if not any(group.name in setup.staffed for group in queue.groups):
        report.warn((*place, "groups"), say("no_agent_serves"))


def _agent(setup: Setup, place: Place, agent: AgentSetup, report: Report) -> None:
    for group in agent.groups:
        exists(report, (*place, "groups"), say("a_group"), group, setup.group)
    if agent.reach and agent.reach.hours != setup.defaults.reach.hours:
        exists(report, (*place, "limits", "hours"), say("a_schedule"), agent.reach.hours, setup.schedule)
    via, what = agent.outbound_with, say("a_hotline_or_adaptive")
    exists(report, (*place, "outbound_with"), what, via, setup.hotline, setup.adaptive)
    _may_call_out(setup, (*place, "outbound_with"), agent.outbound_with, report)
    if agent.extension in setup.defaults.emergency:
        report.add((*place, "extension"), say("is_emergency", number=agent.extension))
    elif agent.extension and agent.extension in setup.hotline:
        report.add((*place, "extension"), say("is_hotline", number=agent.extension))


def _dial_codes(draft: Draft, report: Report) -> None:
    """Hotlines and adaptive numbers share one set of dial codes."""
    hotlines = draft.placed("hotline", draft.setup.hotlines)
    found = [((*place, "dial_code"), row.dial_code) for place, row in hotlines]
    found += [((*place, "dial_code"), row.dial_code) for place, row in draft.placed("adaptive", draft.setup.adaptives)]
    once(found, report)
    dialcodes.check([row for row in found if not report.wrong(row[0])], draft.setup, report)


def _endpoints(draft: Draft, report: Report) -> None:
    """Every PJSIP endpoint has one meaning, and none is named like an extension: those are the first to be guessed."""
    found: list[tuple[Place, str]] = []
    for place, trunk in draft.placed("trunk", draft.setup.trunks):
        found.append(((*place, "endpoint" if trunk.endpoint != trunk.name else "name"), trunk.endpoint))
    extensions = {row.extension for row in draft.setup.agents if row.extension}
    for place, agent in draft.placed("agent", draft.setup.agents):
        phone = agent.phone
        key = ("phone", "user") if phone.user else ("phone", "endpoint") if phone.endpoint else ("name",)
        found.append(((*place, *key), agent.endpoint))
        if agent.endpoint in extensions:
            report.add((*place, *key), say("is_extension", name=agent.endpoint))
    once(((place, name) for place, name in found if not report.wrong(place)), report)
