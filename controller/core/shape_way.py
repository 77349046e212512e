"""The shape of a way: `"hangup"`, `"repeat"`, or a table that names one place to go.

Every way that is read is also noted, with who leads there and whether a call takes it without anybody's doing: the
checks of sense look at targets and circles through these notes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from controller.core.alphabets import FILE, NAME, TEXT
from controller.core.numbers import normalise
from controller.core.saying import say
from controller.core.setup import Way, WayKind
from controller.core.shape import Place, Report, Table, kind_of, meant, shown

_FORMS = say("way_forms", play="{ play = …, then = … }")


@dataclass(frozen=True, slots=True)
class Use:
    """A way, where it stands and who leads there: a `hotline`, `menu` or `queue` by `name`.

    `automatic`: a call takes it although nobody presses a key.
    """

    place: Place
    owner: str
    name: str
    way: Way
    automatic: bool


class WayReader:
    """Reads the ways of one document; `country` is where phone numbers without a country are dialled."""

    def __init__(self, country: str, report: Report) -> None:
        self.uses: list[Use] = []
        self._country = country
        self._report = report

    def read(self, table: Table, key: str, owner: tuple[str, str], *, automatic: bool = True) -> Way | None:
        """The way under a key; None when it is left out. A wrong one is reported and hangs up.

        `owner` is the kind and name of who leads there.
        """
        value = table.raw(key)
        if not table.has(key):
            return None
        place = table.at(key)
        way = self._way(value, place, repeat=owner[0] == "menu")
        self.uses.append(Use(place, *owner, way, automatic))
        return way

    def _way(self, value: object, place: Place, *, repeat: bool) -> Way:
        if isinstance(value, Mapping):
            return self._table(Table(value, place, self._report), repeat=repeat)
        words = (WayKind.HANGUP, WayKind.REPEAT) if repeat else (WayKind.HANGUP,)
        if not isinstance(value, str):
            self._report.add(place, say("must_be", wanted=_FORMS, kind=kind_of(value)))
        elif value not in words:
            forms = say("way_forms_or_repeat", forms=_FORMS) if repeat else _FORMS
            self._report.add(place, say("no_way", value=shown(value), forms=forms, near=meant(value, words)))
        else:
            return Way(WayKind(value))
        return Way()

    def _table(self, table: Table, *, repeat: bool) -> Way:
        named = [key for key in ("queue", "menu", "phone", "voicemail", "play") if table.has(key)]
        if len(named) != 1:
            self._report.add(table.place, say("one_place", forms=_FORMS))
            return Way()
        way = self._by_key(table, named[0], repeat=repeat)
        table.done()
        return way

    def _by_key(self, table: Table, key: str, *, repeat: bool) -> Way:
        match key:
            case "queue" | "menu":
                return Way(WayKind(key), table.text(key, NAME))
            case "phone":
                return self._phone(table)
            case "voicemail":
                if not table.flag(key, default=True):
                    table.wrong(key, say("only_true"))
                return Way(WayKind.VOICEMAIL)
            case _:
                return self._play(table, repeat=repeat)

    def _phone(self, table: Table) -> Way:
        hotline = table.text("hotline", TEXT)
        return Way(
            WayKind.PHONE,
            read_phone(table, "phone", self._country),
            normalise(hotline, self._country).shown or hotline,
        )

    def _play(self, table: Table, *, repeat: bool) -> Way:
        sound = table.text("play", FILE)
        value = table.raw("then")
        if isinstance(value, Mapping) and "play" in value:
            table.wrong("then", say("second_announcement"))
            return Way(play=sound)
        then = self._way(value, table.at("then"), repeat=repeat) if table.has("then") else Way()
        return replace(then, play=sound)


def read_phone(table: Table, key: str, country: str) -> str:
    """A phone number to call, as it is dialled; empty and reported when it is none."""
    written = table.text(key, TEXT, needed=True)
    dial = normalise(written, country).dial
    if not dial and not table.report.wrong(table.at(key)):
        table.wrong(key, say("no_phone_number", value=shown(written)))
    return dial
