"""People with phones on the floor of the lab: agents, customers who come in by a trunk, carriers that take calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from controller.lab.sipcall import Rule, SipCall
from controller.lab.softphone import Softphone
from tests.live.harness import Api, Json, Lab, soon, until
from tests.live.patience import PATIENCE_S

PASSWORD = "live-Ph0ne"
AGENTS = ("a1", "a2", "a3", "a4", "a5", "a6")
CARRIERS = {"viettel": "127.0.0.11", "mobifone": "127.0.0.12", "vinaphone": "127.0.0.13", "spare": "127.0.0.14"}
CUSTOMER = "0281234567"
SETTLE_S = 30.0
SPEECH = 1500.0  # amplitude above which a tone of 8,000 is heard; silence and other tones measure below 200
CUSTOMER_HZ, CARRIER_HZ = 440, 1900


def agent_hz(name: str) -> int:
    """Every agent speaks on a frequency of their own."""
    return 700 + 150 * AGENTS.index(name)


@dataclass
class Floor:
    """Everybody in one test. `desk` seats an agent, `dial` is a customer, `carrier` an operator's switch."""

    lab: Lab
    api: Api
    phones: dict[str, Softphone] = field(default_factory=dict)
    others: list[Softphone] = field(default_factory=list)
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))

    async def desk(
        self, *names: str, rule: Rule | None = None, status: str = "available", state: str = ""
    ) -> Softphone:
        """Seat agents: phone registered, status set, `state` reached (`ready` when available). The last one's phone."""
        for name in names:
            if name not in self.phones:
                phone = Softphone(self.lab.sip, name, password=PASSWORD, hz=agent_hz(name))
                await phone.register()
                self.phones[name] = phone
            self.phones[name].rule = rule or Rule()
        for name in names:
            said = await self.api.status(name, status)
            assert said.is_success, said.text
        for name in names:
            await self.state(name, state or {"available": "ready"}.get(status, status))
        return self.phones[names[-1]]

    async def state(self, name: str, state: str, seconds: float = PATIENCE_S) -> Json:
        """Wait until an agent is in this state."""

        async def ask() -> Json | None:
            agent = await self.api.agent(name)
            return agent if agent["state"] == state else None

        return await until(ask, f"agent {name} {state}", seconds)

    def customer(self, carrier: str = "viettel") -> Softphone:
        """A phone behind an operator's trunk."""
        phone = Softphone(self.lab.sip, "outside", bind=(CARRIERS[carrier], 0), hz=CUSTOMER_HZ)
        self.others.append(phone)
        return phone

    def dial(self, hotline: str, shown: str = CUSTOMER, *, carrier: str = "viettel", **more: Any) -> SipCall:
        """A customer dials a hotline."""
        return self.customer(carrier).dial(hotline, shown=shown, **more)

    def carrier(self, name: str, rule: Rule | None = None) -> Softphone:
        """An operator that takes the calls of its trunk."""
        at = (CARRIERS[name], self.lab.trunk_port)
        phone = Softphone(self.lab.sip, name, bind=at, hz=CARRIER_HZ, rule=rule or Rule())
        self.others.append(phone)
        return phone

    async def live(self, shown: str = CUSTOMER, seconds: float = PATIENCE_S, **fields: Any) -> Json:
        """Wait for the live call of this caller to have these fields (`state="waiting"`)."""

        async def ask() -> Json | None:
            calls = [row for row in await self.api.calls() if same(row["caller"], shown)]
            return next((row for row in calls if all(row[key] == want for key, want in fields.items())), None)

        return await until(ask, f"a live call of {shown} with {fields}", seconds)

    async def ended(self, shown: str = CUSTOMER, seconds: float = PATIENCE_S) -> Json:
        """Wait for the last call of this caller in this test to be in the history."""

        async def ask() -> Json | None:
            if any(same(row["caller"], shown) for row in await self.api.calls()):
                return None
            calls = await self.api.calls("ended", since=self.began)
            return next((row for row in calls if same(row["caller"], shown)), None)

        return await until(ask, f"an ended call of {shown}", seconds)

    async def talk(self, hotline: str, shown: str = CUSTOMER) -> tuple[SipCall, Json]:
        """A customer dials and gets an agent: the call at the customer's side, and as the interface shows it."""
        call = self.dial(hotline, shown)
        talking = await self.live(shown, state="talking")
        await soon(call.up, "the customer hears somebody")
        return call, talking

    async def close(self) -> None:
        """Everybody hangs up and goes home; then nothing of the test may be left in Asterisk or on the agents."""
        people = [*self.phones.values(), *self.others]
        await asyncio.gather(*(phone.close() for phone in people), return_exceptions=True)
        await self.lab.ready(self.api)
        await self.settle()

    async def settle(self) -> None:
        """Sign everybody out, end every rest, and see that Asterisk is empty."""
        for name in AGENTS:
            await self.api.status(name, "offline")
            await self.api.send("POST", f"/api/v1/agents/{name}/wrap-up", {"action": "end"})
        await until(self._nothing_left, "no live call, channel or bridge", SETTLE_S)

    async def _nothing_left(self) -> bool:
        left = await self.left()
        return not any(left)

    async def left(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Live calls, Asterisk's channels and its bridges."""
        return await self.api.calls(), await self.api.ari("channels"), await self.api.ari("bridges")


def same(number: str | None, other: str) -> bool:
    """Whether two spellings mean the same number: carriers send `0…`, `84…` or `+84…`."""
    return (number or "")[-9:] == other[-9:]
