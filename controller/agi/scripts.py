"""The dialogues of the dial path: which trunk, which next, how it ended, and the feature codes.

Every word a channel says passes `controller.core.text` or a table here before it becomes an event. What the dialplan
gets back are variables named `TD_…`, and `TD_OK` is set last: a dialogue that ends early, for whatever reason, has
promised nothing.

    script     arguments                                answer
    outbound   number dialled, hotline or adaptive       TD_TRUNK TD_NUMBER TD_CALLERID TD_PRIVACY TD_TALK_MAX
               name, `odd` when other characters were    TD_TALK_WARNING TD_TIMEOUT TD_OK; or TD_REFUSAL
               dialled too
    next       DIALSTATUS, HANGUPCAUSE, SIP status,      the same
               milliseconds to the first sign
    ended      DIALSTATUS, HANGUPCAUSE, ANSWEREDTIME,    none
               `callee` when the far side hung up,
               SIP status, milliseconds as above
    feature    *40 … *43, seconds                        TD_SOUND TD_OK
    kept       unique id, a row of Asterisk's database   TD_OK
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from controller.agi import kept
from controller.agi.protocol import Header
from controller.agi.words import ANSWERED_S_MAX, endpoint_of, number_of, status_of
from controller.core import dialcodes
from controller.core.answer import Answer
from controller.core.commands import ReplyTrunks
from controller.core.events import (
    AgentStatusAsked,
    Event,
    OutboundAsked,
    OutboundEnded,
    OutboundNextAsked,
    WrapUpEndAsked,
    WrapUpExtendAsked,
)
from controller.core.setup import Setup
from controller.core.text import clean_name, clean_number

LOOKUP_S: Final = 0.15
EXTEND_S: Final = 30
EXTEND_S_MAX: Final = 3600
CAUSE_MAX: Final = 127
SIP_MIN: Final = 100
SIP_MAX: Final = 699
DELAY_MAX_MS: Final = 600_000
BY_CALLEE: Final = "callee"
"""The dialplan's word for a talk that the far side ended."""
ODD: Final = "odd"
"""The dialplan's word for a number that had characters no number has."""
BY_PHONE: Final = "phone"
"""Who asked, in the books, when an agent dialled a feature code."""

_CALL: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\.\d{1,12}")
_REFUSAL: Final = re.compile(r"[a-z_]{1,32}")


_log = structlog.get_logger("agi")


class SessionOverError(Exception):
    """A dialogue ends before its end. `outcome` is a word for the meter, `why` one line for the log."""

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(f"{outcome}: {why}")
        self.outcome = outcome
        self.why = why


class Talk(Protocol):
    """One dialogue with one channel, as the server opens it."""

    @property
    def header(self) -> Header: ...

    @property
    def hungup(self) -> bool:
        """Whether Asterisk said that the caller is gone."""
        ...

    async def set(self, name: str, value: str) -> None:
        """Set a channel variable; SessionOverError when that was not done."""
        ...

    async def set_all(self, values: Mapping[str, str]) -> None:
        """Set several in this order and by one command; SessionOverError when that was not done."""
        ...


class Door(Protocol):
    """The engine, as a door sees it."""

    def tell(self, event: Event) -> None:
        """Put an event in; never blocks, never raises."""
        ...

    async def ask(self, event: Event) -> Answer:
        """Put an event in and wait for its turn to be committed."""
        ...


Script = Callable[[Talk], Awaitable[None]]
"""One dialogue, from a believed header to its end."""

Lookup = Callable[[str], Awaitable[tuple[str, str]]]
"""The operator of a number by look-ups outside the core, and which of them knew; two empty texts when none did."""


async def no_lookup(_number: str) -> tuple[str, str]:
    """Look nowhere: the core's own tables decide."""
    return "", ""


@dataclass(slots=True)
class Dialogues:
    """Every script there is, and the sessions that wait for the engine (`ports.DialPath`)."""

    door: Door
    setup: Callable[[], Setup]
    lookup: Lookup = no_lookup
    _waiting: dict[str, asyncio.Future[ReplyTrunks]] = field(default_factory=dict)

    @property
    def scripts(self) -> dict[str, Script]:
        """The scripts by the path the dialplan asks for."""
        return {
            "outbound": self.outbound,
            "next": self.next,
            "ended": self.ended,
            "feature": self.feature,
            "kept": self.kept,
        }

    def reply(self, command: ReplyTrunks) -> None:
        """Hand the decision to the session that waits for it; nobody waits any more: nothing."""
        waiting = self._waiting.get(command.call)
        if waiting is not None and not waiting.done():
            waiting.set_result(command)

    async def outbound(self, talk: Talk) -> None:
        """An agent dials: ask for the trunk, the number as it leaves and the caller id."""
        call, dialled = _call_of(talk), clean_number(talk.header.argument(1))
        dialled, via = dialcodes.take_off(self.setup(), dialled, clean_name(talk.header.argument(2)))
        odd = talk.header.argument(3) == ODD
        ported, source = ("", "") if odd else await self._look_up(dialled)
        endpoint = endpoint_of(talk.header.values["agi_channel"])
        await self._decide(talk, OutboundAsked(call, endpoint, dialled, via, ported, source, odd))

    async def next(self, talk: Talk) -> None:
        """The trunk failed for its own reasons: ask for the next."""
        status, cause = status_of(talk.header.argument(1)), number_of(talk.header.argument(2), CAUSE_MAX)
        await self._decide(talk, OutboundNextAsked(_call_of(talk), status, cause, *_far_side(talk, 3)))

    async def ended(self, talk: Talk) -> None:
        """The call is over: tell how, and let the channel go at once."""
        status, cause = status_of(talk.header.argument(1)), number_of(talk.header.argument(2), CAUSE_MAX)
        answered_s = number_of(talk.header.argument(3), ANSWERED_S_MAX)
        by_callee = talk.header.argument(4) == BY_CALLEE
        far = _far_side(talk, 5)
        self.door.tell(OutboundEnded(_call_of(talk), status, cause, answered_s, by_callee, *far))

    async def feature(self, talk: Talk) -> None:
        """A feature code: do it and name the sound that says so."""
        event = self._asked(talk)
        if event is None:
            sound = "not_agent"
        else:
            answer = await self.door.ask(event)
            sound = _sound(event, answer)
        await talk.set("TD_SOUND", sound)
        await talk.set("TD_OK", "1")

    async def kept(self, talk: Talk) -> None:
        """A call the dialplan served by itself: the row may go when it is written down, or when it says nothing."""
        call, row = talk.header.argument(1), talk.header.argument(2)
        event = kept.read(call, row) if _CALL.fullmatch(call) else None
        if event is None:
            _log.warning("a row of the dialplan that is none", chars=len(row))
        else:
            await self.door.ask(event)
        await talk.set("TD_OK", "1")

    async def _look_up(self, number: str) -> tuple[str, str]:
        """Ask who holds a number; a look-up that fails or is slow is one that does not know."""
        try:
            async with asyncio.timeout(LOOKUP_S):
                ported, source = await self.lookup(number)
        except Exception:  # noqa: BLE001 - whatever is wrong outside, the call goes by the prefix
            return "", ""
        return clean_name(ported), clean_name(source)

    async def _decide(self, talk: Talk, event: OutboundAsked | OutboundNextAsked) -> None:
        """Ask the engine, wait for its word (the server knows how long), and hand it to the channel."""
        if talk.hungup:
            raise SessionOverError("hangup", "the caller is gone")
        if event.call in self._waiting:
            raise SessionOverError("refused", "this call is asking already")
        waiting: asyncio.Future[ReplyTrunks] = asyncio.get_running_loop().create_future()
        self._waiting[event.call] = waiting
        try:
            self.door.tell(event)
            command = await waiting
        finally:
            del self._waiting[event.call]
        await _hand_over(talk, command)

    def _asked(self, talk: Talk) -> Event | None:
        """Read a feature code as the wish of the agent whose phone dialled it; None when it is nobody's."""
        agent = self.setup().agent_of_endpoint.get(endpoint_of(talk.header.values["agi_channel"]))
        if agent is None:
            return None
        match talk.header.argument(1):
            case "*40":
                return AgentStatusAsked(agent, "available", by=BY_PHONE)
            case "*41":
                return AgentStatusAsked(agent, "not_ready", by=BY_PHONE)
            case "*42":
                return WrapUpEndAsked(agent, by=BY_PHONE)
            case "*43":
                seconds = number_of(talk.header.argument(2), EXTEND_S_MAX) or EXTEND_S
                return WrapUpExtendAsked(agent, seconds, by=BY_PHONE)
            case _:
                raise SessionOverError("garbage", "no such feature code")


async def _hand_over(talk: Talk, command: ReplyTrunks) -> None:
    """Write a decision on the channel, what permits the call last."""
    attempt = command.attempt
    if attempt is None:
        found = _REFUSAL.fullmatch(command.refusal)
        await talk.set("TD_REFUSAL", command.refusal if found else "not_permitted")
        return
    said = {"TD_TRUNK": attempt.endpoint, "TD_NUMBER": attempt.number, "TD_CALLERID": attempt.caller_id}
    if attempt.privacy:
        said["TD_PRIVACY"] = "1"
    if command.talk_max_s:
        said["TD_TALK_MAX"] = str(command.talk_max_s)
    if command.talk_warning_s:
        said["TD_TALK_WARNING"] = str(command.talk_warning_s)
    await talk.set_all({**said, "TD_TIMEOUT": str(command.dial_timeout_s), "TD_OK": "1"})


def _far_side(talk: Talk, first: int) -> tuple[int, int]:
    """What the carrier answered, and after how many milliseconds its phone gave the first sign; 0 where unknown."""
    sip = number_of(talk.header.argument(first), SIP_MAX)
    return sip if sip >= SIP_MIN else 0, number_of(talk.header.argument(first + 1), DELAY_MAX_MS)


def _call_of(talk: Talk) -> str:
    """The name of the call: the unique id of the agent's own channel."""
    call = talk.header.values["agi_uniqueid"]
    if not _CALL.fullmatch(call):
        raise SessionOverError("garbage", "no channel of Asterisk has such an id")
    return call


def _sound(event: Event, answer: Answer) -> str:
    """Name the word an agent hears: what was done, or why not."""
    if not answer.ok:
        return {"not_found": "not_agent", "conflict": "not_now"}.get(answer.code, "not_possible")
    match event:
        case AgentStatusAsked(status=status):
            return status
        case WrapUpEndAsked():
            return "wrap_up_ended"
        case _:
            return "wrap_up_extended"
