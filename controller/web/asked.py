"""What stands in a request beside its body: who asks, pages, instants, and numbers as browsers mangle them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field

from controller.core.answer import Answer
from controller.core.events import Event
from controller.core.saying import say
from controller.ports import Deed
from controller.web.auth import Principal, Role
from controller.web.deps import Deps
from controller.web.problems import Mistake, Problem
from controller.web.schemas import PRINTABLE, Direction, Result

PAGE_DEFAULT: Final = 50
PAGE_MAX: Final = 500
FILTER_CHARS_MAX: Final = 64
CURSOR_CHARS_MAX: Final = 400
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
_LOST_PLUS_IN_ZONE: Final = re.compile(r"(\d) (\d\d:?\d\d)$")


def deps_of(request: Request) -> Deps:
    """The rooms behind this application."""
    deps: Deps = request.app.state.deps
    return deps


def principal_of(request: Request) -> Principal:
    """Who asks, as the gate found out."""
    principal: Principal = request.scope["state"]["principal"]
    return principal


def plus(text: str) -> str:
    """Give back the `+` that a query string turned into a space (`?to=+84…` as browsers and scripts write it)."""
    return f"+{text.lstrip(' ')}" if text.startswith(" ") else text


def _zone(value: object) -> object:
    """An instant as the contract has it; the framework would also take seconds since 1970, which it has not."""
    if isinstance(value, str) and not _DATE.match(value):
        raise ValueError("must be an instant such as 2026-11-22T08:00:00+07:00")
    return _LOST_PLUS_IN_ZONE.sub(r"\1+\2", value) if isinstance(value, str) else value


Known = Annotated[Deps, Depends(deps_of)]
Who = Annotated[Principal, Depends(principal_of)]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="how many on a page")]
Cursor = Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX, description="`next` of the page before")]
Filter = Annotated[str, Query(max_length=FILTER_CHARS_MAX, pattern=PRINTABLE)]
NumberFilter = Annotated[str, Query(max_length=FILTER_CHARS_MAX, pattern=PRINTABLE), AfterValidator(plus)]
CallId = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
AgentName = Annotated[str, Path(max_length=FILTER_CHARS_MAX, pattern=PRINTABLE)]


_Word = Annotated[str, Field(max_length=FILTER_CHARS_MAX, pattern=PRINTABLE)]
_Number = Annotated[_Word, AfterValidator(plus)]
_Moment = Annotated[AwareDatetime | None, BeforeValidator(_zone)]


class CallsAsked(BaseModel):
    """The question of one page of calls."""

    state: Literal["live", "ended"] | None = Field(None, description="both when left out")
    hotline: _Number = ""
    queue: _Word = ""
    agent: _Word = ""
    caller: _Number = ""
    result: Result | None = Field(None, description="ended calls only")
    direction: Direction | None = None
    since: _Moment = Field(None, description="first instant of arrival, ISO 8601 with a time zone")
    until: _Moment = Field(None, description="the instant before which they arrived")
    limit: int = Field(PAGE_DEFAULT, ge=1, le=PAGE_MAX, description="how many on a page")
    cursor: str | None = Field(None, max_length=CURSOR_CHARS_MAX, description="`next` of the page before")


def epoch_ms(moment: datetime | None) -> int | None:
    """Milliseconds since the epoch of an instant somebody gave."""
    return None if moment is None else int(moment.timestamp() * 1000)


def page_mark(*parts: object) -> str:
    """Write the cursor that reads on after a row."""
    return base64.urlsafe_b64encode("|".join(str(part) for part in parts).encode()).decode().rstrip("=")


def after_name(cursor: str | None) -> str | None:
    """Read a cursor that names the last row of a page."""
    return None if cursor is None else _unpack(cursor)


def before_instant(cursor: str | None) -> tuple[int, str] | None:
    """Read a cursor that holds instant and id of the last row of a page."""
    if cursor is None:
        return None
    at_ms, bar, name = _unpack(cursor).partition("|")
    if not bar or not re.fullmatch(r"-?[0-9]{1,18}", at_ms) or not name.isprintable():
        raise _bad_cursor()
    return int(at_ms), name


def _unpack(cursor: str) -> str:
    try:
        raw = base64.b64decode(cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return raw.decode()
    except (binascii.Error, UnicodeError):
        raise _bad_cursor() from None


def _bad_cursor() -> Problem:
    return Problem(422, say("cursor_not_ours"), errors=(Mistake("query.cursor", say("not_ours")),))


def own(principal: Principal, agent: str) -> bool:
    """Whether the asker may see and change this agent: an agent's token is good for that agent alone."""
    return principal.role is not Role.AGENT or principal.agent == agent


_STATUS: Final = {"not_found": 404, "conflict": 409, "invalid": 422}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants done: the event, the words of its audit row, and the part of the request it stands in."""

    event: Event
    action: str
    about: str
    new: str = ""
    path: str = "body"
    old: Callable[[], str] = str
    """What is there before, asked in the moment the wish is decided."""


async def ask(deps: Deps, who: Principal, wish: Wish) -> None:
    """Put a wish through the one door and wait until it is written down, its audit row with it.

    A refusal becomes a problem document and leaves no row.
    """

    def deed() -> Deed:
        return Deed(who.by, wish.action, wish.about, wish.old(), wish.new)

    answer: Answer = await deps.engine.ask(wish.event, deed)
    if answer.ok:
        return
    status = _STATUS.get(answer.code, 409)
    errors = (Mistake(wish.path, answer.reason),) if status == _STATUS["invalid"] else ()
    raise Problem(status, answer.reason or say("not_now"), errors=errors)
