"""A whole setup document, checked: shape first, then sense on all that could be read, every mistake in one report.

The document is what TOML and JSON have in common: tables, lists, texts, numbers and flags. How it came here, and on
which line of which file a place stands, is for `controller.setup_file` to know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from controller.core import sense, sense_ways
from controller.core.carrier_table import CarrierTable, read_carrier
from controller.core.saying import say
from controller.core.sense import Draft
from controller.core.setup import Carrier, Defaults, Hotline, Setup, TableSource, Trunk
from controller.core.shape import Place, Problem, Report, Table
from controller.core.shape_desk import (
    read_agent,
    read_group,
    read_menu,
    read_queue,
    read_schedule,
    read_webhook,
)
from controller.core.shape_hotlines import read_adaptive, read_hotline
from controller.core.shape_numbers import (
    read_blocked,
    read_defaults,
    read_ported,
    read_trunk,
)
from controller.core.shape_way import WayReader

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a document: a setup, or None and every mistake; warnings either way."""

    setup: Setup | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


NO_TABLE = CarrierTable()
ITS_OWN = TableSource("setup")
"""What is told of carriers that stand in the setup itself."""


def validate(document: Mapping[str, object], now_ms: int = 0, table: CarrierTable = NO_TABLE) -> Checked:
    """Check a document and build its setup; never raises. `table` holds the carriers of a document without any."""
    report = Report()
    draft = _Reading(document, report, table).draft()
    sense.check(draft, report)
    sense_ways.check(draft, report)
    _expired(draft, now_ms, report)
    setup = None if report.problems else draft.setup
    return Checked(setup, tuple(report.problems), tuple(report.warnings))


class _Reading:
    """The tables of one document, read in the order in which they need each other."""

    def __init__(self, document: Mapping[str, object], report: Report, table: CarrierTable) -> None:
        self._shipped = table
        self._root = Table(document, (), report)
        self._report = report
        self._places: dict[str, tuple[Place, ...]] = {}

    def draft(self) -> Draft:
        """Read everything there is."""
        defaults = self._defaults()
        country = defaults.country
        ways = WayReader(country, self._report)
        carriers, carriers_from = self._carriers(defaults)
        spelling = Setup(carriers=carriers).carrier_spelling
        trunks = self._rows("trunk", lambda table: read_trunk(table, spelling, country))
        hotlines = self._rows("hotline", lambda table: read_hotline(table, defaults, spelling, ways))
        setup = Setup(
            defaults=defaults,
            trunks=trunks,
            carriers=carriers,
            hotlines=_with_carriers(hotlines, trunks),
            adaptives=self._rows("adaptive", lambda table: read_adaptive(table, country)),
            menus=self._rows("menu", lambda table: read_menu(table, ways)),
            queues=self._rows("queue", lambda table: read_queue(table, defaults, ways)),
            groups=self._rows("group", read_group),
            agents=self._rows("agent", lambda table: read_agent(table, defaults)),
            blocked=self._rows("blocked", lambda table: read_blocked(table, defaults)),
            ported=self._rows("ported", lambda table: read_ported(table, country, spelling)),
            schedules=self._rows("schedule", lambda table: read_schedule(table, defaults)),
            webhooks=self._rows("webhook", read_webhook),
            carriers_from=carriers_from,
        )
        self._root.done()
        return Draft(setup, self._places, tuple(ways.uses))

    def _defaults(self) -> Defaults:
        table = self._root.table("defaults")
        defaults = read_defaults(table)
        if table:
            table.done()
        return defaults

    def _carriers(self, defaults: Defaults) -> tuple[tuple[Carrier, ...], TableSource]:
        """The carriers of the document, or those of the table that goes with it."""
        own = self._rows("carrier", read_carrier)
        if not own and not self._root.has("carrier"):
            return self._shipped.carriers, self._shipped.source
        if defaults.carriers:
            self._report.add(("defaults", "carriers"), say("own_carriers"))
        return own, ITS_OWN

    def _rows(self, table: str, read: Callable[[Table], Row]) -> tuple[Row, ...]:
        """Every row of a table, each with all its keys looked at."""
        rows: list[Row] = []
        tables = self._root.tables(table)
        for row in tables:
            rows.append(read(row))
            row.done()
        self._places[table] = tuple(row.place for row in tables)
        return tuple(rows)


def _with_carriers(hotlines: tuple[Hotline, ...], trunks: tuple[Trunk, ...]) -> tuple[Hotline, ...]:
    """A hotline belongs to the carrier of its trunk unless it says otherwise."""
    carrier_of = {trunk.name: trunk.carrier for trunk in trunks}
    return tuple(replace(row, carrier=row.carrier or carrier_of.get(row.trunk, "")) for row in hotlines)


def _expired(draft: Draft, now_ms: int, report: Report) -> None:
    """Warn of rows that no longer do anything."""
    for place, row in draft.placed("blocked", draft.setup.blocked):
        if row.until_ms is not None and row.until_ms <= now_ms:
            report.warn((*place, "until"), say("blocked_is_over"))
