"""A caller in front of a menu: every key, every silence and every wrong key ends in a listed place."""

from __future__ import annotations

import asyncio

import pytest

from tests.live.floor import CUSTOMER_HZ, SPEECH, Floor
from tests.live.harness import soon, until
from tests.live.patience import READY_S
from tests.live.setups import hotline, menu, queue, whole

pytestmark = pytest.mark.live

MAIN, LOOPS, SILENT, WRONG, STRICT, ENDLESS = (f"+84247300102{n}" for n in range(6))
SLEEPY_S = 20
"""How long a menu waits for a key, where a test is not about the silence."""
ENDLESS_S = 60
SETUP = whole(
    hotline(MAIN, menu="main", outbound=True),
    hotline(LOOPS, menu="loops"),
    hotline(SILENT, menu="silent"),
    hotline(WRONG, menu="wrong"),
    hotline(STRICT, menu="strict"),
    hotline(ENDLESS, menu="endless"),
    menu(
        "main",
        play="live-long",
        timeout=SLEEPY_S,
        keys={
            "1": {"queue": "sales"},
            "2": {"menu": "sub"},
            "9": {"phone": "0912345678", "hotline": MAIN},
            "0": "hangup",
            "*": {"queue": "sales"},
            "#": {"queue": "other"},
        },
        on_timeout={"queue": "other"},
        on_invalid="repeat",
    ),
    menu("sub", timeout=SLEEPY_S, keys={"1": {"queue": "other"}, "#": {"menu": "main"}}, on_timeout="hangup"),
    menu("loops", loops=2, keys={"1": {"queue": "sales"}}, on_timeout={"queue": "other"}),
    menu("silent", keys={"1": {"queue": "sales"}}, on_timeout="hangup"),
    menu("endless", play="live-endless", keys={"1": {"queue": "sales"}}, on_timeout="hangup"),
    menu("wrong", timeout=SLEEPY_S, keys={"1": {"queue": "sales"}}, on_invalid={"queue": "other"}),
    menu("strict", timeout=10, keys={"1": {"queue": "sales"}}, on_invalid="repeat"),
    queue("sales", "team"),
    queue("other", "backup"),
    groups={"team": ("a1",), "backup": ("a2",)},
)


async def _entered(floor: Floor, line: str):
    call = floor.dial(line)
    row = await floor.live(state="menu")
    await soon(call.up, "the menu picks up")
    return call, row


async def _names(floor: Floor, call: str, name: str, key: str) -> list[object]:
    return [line["body"][key] for line in await floor.api.story(call) if line["name"] == name]


@pytest.mark.parametrize("by_info", [False, True], ids=["rfc4733", "info"])
@pytest.mark.parametrize(
    ("key", "queue_name", "agent"), [("1", "sales", "a1"), ("*", "sales", "a1"), ("#", "other", "a2")]
)
async def test_a_key_goes_where_the_menu_says(
    floor: Floor, key: str, queue_name: str, agent: str, by_info: bool
) -> None:
    await floor.desk("a1", "a2")
    call, row = await _entered(floor, MAIN)
    await call.press(key, by_info=by_info)
    talking = await floor.live(state="talking")
    assert (talking["queue"], talking["agent"]) == (queue_name, agent)
    assert await _names(floor, row["id"], "MenuChosen", "key") == [key]
    await call.hangup()


async def test_a_key_cuts_the_prompt_short(floor: Floor) -> None:
    await floor.desk("a1")
    call, _ = await _entered(floor, ENDLESS)

    async def prompt() -> bool:
        return call.media.level(1000, 0.2) > SPEECH

    await until(prompt, "the prompt is heard")
    pressed = asyncio.get_running_loop().time()
    await call.press("1")
    await floor.live(state="talking")
    assert asyncio.get_running_loop().time() - pressed < ENDLESS_S / 2, "the prompt lasts a minute"
    await call.hangup()


async def test_a_submenu_and_back(floor: Floor) -> None:
    call, row = await _entered(floor, MAIN)
    for key in ("2", "#", "2"):
        await call.press(key)

        async def seen(n: int = ("2", "#", "2").index(key)) -> bool:
            return len(await _names(floor, row["id"], "MenuChosen", "key")) > n

        await until(seen, f"key {key} is taken")
    await asyncio.sleep(0.2)
    await floor.desk("a2")
    await call.press("1")
    await floor.live(state="talking", agent="a2")
    assert await _names(floor, row["id"], "MenuEntered", "menu") == ["main", "sub", "main", "sub"]
    await call.hangup()


async def test_silence_plays_again_and_then_goes_on(floor: Floor) -> None:
    await floor.desk("a2")
    floor.dial(LOOPS)
    row = await floor.live(state="talking", agent="a2")
    assert await _names(floor, row["id"], "MenuEntered", "loop") == [1, 2]


async def test_silence_can_end_the_call(floor: Floor) -> None:
    call = floor.dial(SILENT)
    await soon(call.ended, "the menu hangs up")
    assert (await floor.ended())["result"] == "stopped_at_menu"


async def test_a_wrong_key_repeats_the_menu(floor: Floor) -> None:
    await floor.desk("a1")
    call, row = await _entered(floor, STRICT)
    await call.press("7")

    async def repeated() -> bool:
        return len(await _names(floor, row["id"], "MenuEntered", "menu")) == 2

    await until(repeated, "the prompt begins again")
    await call.press("1")
    await floor.live(state="talking", agent="a1")
    assert await _names(floor, row["id"], "MenuChosen", "key") == ["7", "1"]
    await call.hangup()


async def test_a_wrong_key_can_lead_somewhere(floor: Floor) -> None:
    await floor.desk("a2")
    call, _ = await _entered(floor, WRONG)
    await call.press("5", by_info=True)
    await floor.live(state="talking", agent="a2")
    await call.hangup()


async def test_a_key_that_hangs_up(floor: Floor) -> None:
    call, _ = await _entered(floor, MAIN)
    await call.press("0", by_info=True)
    await soon(call.ended, "the menu hangs up")
    assert (await floor.ended())["result"] == "stopped_at_menu"


async def test_a_key_that_calls_a_phone_number(floor: Floor) -> None:
    viettel = floor.carrier("viettel")
    call, _ = await _entered(floor, MAIN)
    await call.press("9")
    leg = await viettel.next_call()
    assert leg.invite.target.partition("@")[0].endswith("912345678")
    assert leg.caller.lstrip("+0").endswith("2473001020"), "the hotline is shown, not the caller"
    await floor.live(state="talking")

    async def heard() -> bool:
        return leg.media.level(CUSTOMER_HZ, 0.3) > SPEECH

    await until(heard, "the phone hears the customer")
    await leg.hangup()
    await soon(call.ended, "the customer's call ends with it")
    assert (await floor.ended())["result"] == "answered"


async def test_hanging_up_in_the_prompt_is_stopped_at_menu(floor: Floor) -> None:
    call, _ = await _entered(floor, MAIN)
    await call.hangup()
    ended = await floor.ended()
    assert (ended["result"], ended["end_cause"]) == ("stopped_at_menu", "caller")


async def test_a_flood_of_keys_leaves_the_menu_in_a_listed_place(floor: Floor) -> None:
    await floor.desk("a2")
    call, row = await _entered(floor, STRICT)
    for _ in range(20):
        await call.press("7", by_info=True)
    await call.press("1", by_info=True)

    async def placed() -> bool:
        return not [live for live in await floor.api.calls() if live["id"] == row["id"] and live["state"] == "menu"]

    await until(placed, "the caller has left the menu", READY_S)
