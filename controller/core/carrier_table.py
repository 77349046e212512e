"""A table of carriers and the prefixes they hold: data with a date and a source, which an engineer may replace.

The shipped one stands in `controller/data`; reading files is for `controller.carrier_file`, what a table may look like
is decided here, and `[[carrier]]` rows of a setup obey the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import phonenumbers

from controller.core.alphabets import DIGITS, NAME, TEXT
from controller.core.saying import say
from controller.core.setup import Carrier, TableSource
from controller.core.shape import Place, Problem, Report, Table, once, shown, spell

NOTHING = TableSource()


@dataclass(frozen=True, slots=True)
class CarrierTable:
    """One table, and where it comes from. A country nobody shipped a table for has an empty one."""

    country: str = ""
    carriers: tuple[Carrier, ...] = ()
    source: TableSource = NOTHING


def read_table(document: Mapping[str, object], origin: str) -> tuple[CarrierTable, tuple[Problem, ...]]:
    """Read the document of a table: what could be read, and every mistake."""
    report = Report()
    root = Table(document, (), report)
    country = root.text("country", needed=True)
    if country and country not in phonenumbers.SUPPORTED_REGIONS:
        root.wrong("country", say("no_country", value=shown(country)))
    version = _version(root)
    sources = root.texts("sources", TEXT)
    if not sources and not report.wrong(root.at("sources")):
        root.wrong("sources", say("must_name_source"))
    tables = root.tables("carrier")
    carriers: list[Carrier] = []
    for table in tables:
        carriers.append(read_carrier(table))
        table.done()
    if not tables:
        root.wrong("carrier", say("no_carriers"))
    rows = list(zip((table.place for table in tables), carriers, strict=True))
    once((((*place, "name"), row.name) for place, row in rows), report)
    check_carriers(rows, report)
    _national(tables, country, report)
    root.done()
    return CarrierTable(country, tuple(carriers), TableSource(origin, version, sources)), tuple(report.problems)


def read_carrier(table: Table) -> Carrier:
    """An operator and its prefixes."""
    return Carrier(
        name=table.text("name", NAME, needed=True),
        aliases=table.texts("aliases", TEXT),
        prefixes=table.texts("prefixes", DIGITS),
        on_net=table.text("on_net", NAME),
    )


def check_carriers(rows: Iterable[tuple[Place, Carrier]], report: Report) -> None:
    """A prefix belongs to one carrier, and so does every way to write a name."""
    carriers = list(rows)
    once((((*place, "prefixes"), prefix) for place, row in carriers for prefix in row.prefixes), report)
    names = {row.name.casefold(): place for place, row in carriers}
    first: dict[str, Place] = {}
    for place, row in carriers:
        for alias in row.aliases:
            written = alias.casefold()
            other = names.get(written, first.setdefault(written, place))
            if other != place:
                report.add((*place, "aliases"), say("means_already", alias=alias, place=spell(other)))


def _version(root: Table) -> str:
    """The day the table was last compared with its sources."""
    version = root.raw("version")
    if isinstance(version, date):
        return version.isoformat()
    try:
        return date.fromisoformat(version).isoformat() if isinstance(version, str) else _no_version(root)
    except ValueError:
        return _no_version(root)


def _no_version(root: Table) -> str:
    root.wrong("version", say("no_version") if root.has("version") else say("missing"))
    return ""


def _national(tables: Iterable[Table], country: str, report: Report) -> None:
    """Prefixes in Vietnam begin with the trunk prefix 0: one without would never be found in a number."""
    if country != "VN":
        return
    for table in tables:
        for place, prefix in table.items("prefixes"):
            if isinstance(prefix, str) and prefix.isdigit() and not prefix.startswith("0"):
                report.add(place, say("with_zero", prefix=prefix))
