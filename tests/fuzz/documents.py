"""Setup documents made by dice: mostly sensible, of every size, and then with something wrong in them."""

from __future__ import annotations

import random
from typing import Any

from tests.fuzz.texts import any_text

Document = dict[str, Any]
STRATEGIES = ("longest-idle", "round-robin", "fewest-calls", "linear", "random", "ring-all")
NAMES = ("a", "B-1", "x_y.z", "sales", "hỗ trợ", "0", "tongdai", "-", "an.2")
KEYS = "0123456789*#"


def document(dice: random.Random) -> Document:
    """A whole setup. Most are accepted: a name that does not exist, a circle or a limit passed is left to chance."""
    sizes = {one: dice.randint(0, 3) for one in ("trunk", "menu", "schedule", "adaptive", "blocked")}
    sizes |= {"queue": dice.randint(1, 4), "group": dice.randint(1, 3), "agent": dice.randint(1, 6)}
    sizes["trunk"] = max(1, sizes["trunk"])
    names = {one: [f"{one[:2]}{n}" for n in range(count)] for one, count in sizes.items()}
    names["hotline"] = [f"+8424730010{n:02}" for n in range(dice.randint(1, 5))]
    make = _Maker(dice, names)
    made: Document = {one: [getattr(make, one)(name) for name in names[one]] for one in sizes}
    made["hotline"] = [make.hotline(number) for number in names["hotline"]]
    if dice.random() < 0.3:
        made["defaults"] = {"wrap_up_max": dice.choice((1, 60, 600)), "language": dice.choice(("vi", "en"))}
    return made


def spoilt(made: Document, dice: random.Random) -> Document:
    """The same with one to three values replaced, removed or doubled."""
    for _ in range(dice.randint(1, 3)):
        _spoil(made, dice, 0)
    return made


class _Maker:
    """One row of each table. Whatever a name stands for is mostly in the setup."""

    def __init__(self, dice: random.Random, names: dict[str, list[str]]) -> None:
        self.dice = dice
        self.names = names

    def one(self, table: str) -> str:
        return self.dice.choice(self.names[table] or ["nobody"])

    def some(self, table: str, most: int = 3) -> list[str]:
        return self.dice.sample(self.names[table], k=self.dice.randint(0, min(most, len(self.names[table]))))

    def maybe(self, row: Document, chance: float = 0.4, **keys: Any) -> Document:
        return row | {key: value for key, value in keys.items() if self.dice.random() < chance}

    def seconds(self, low: int, high: int) -> int:
        return self.dice.choice((low, high, self.dice.randint(low, min(high, low + 30))))

    def way(self, *, key: bool = False, deep: bool = True) -> Any:
        """A way out. A queue or menu that a call comes to by itself is rare: many of those are circles."""
        kinds = ["hangup", "hangup", "voicemail", "phone", "play"] + (["queue", "menu", "menu"] if key else ["queue"])
        match self.dice.choice(kinds):
            case "queue":
                return {"queue": self.one("queue")}
            case "menu" if self.names["menu"]:
                return {"menu": self.one("menu")}
            case "phone":
                return self.maybe({"phone": "0912345678"}, hotline=self.one("hotline"))
            case "voicemail":
                return {"voicemail": True}
            case "play" if deep:
                return self.maybe({"play": "closed"}, then=self.way(key=key, deep=False))
            case _:
                return "hangup"

    def trunk(self, name: str) -> Document:
        row = {"name": name, "carrier": self.dice.choice(("viettel", "mobifone"))}
        row |= {"endpoint": f"pbx-{name}"} if self.dice.random() < 0.5 else {"host": f"127.0.0.1{name[-1]}:5070"}
        return self.maybe(row, max_channels=self.dice.choice((0, 1, 3)), max_cps=self.dice.choice((0, 1, 9)))

    def hotline(self, number: str) -> Document:
        row: Document = {"number": number}
        if self.dice.random() < 0.8:
            row |= {"trunk": self.one("trunk"), "outbound": self.dice.random() < 0.8}
        else:
            row["kind"] = "virtual"
        leads = "menu" if self.names["menu"] and self.dice.random() < 0.5 else "queue"
        row[leads] = self.one(leads)
        hours = {"hours": self.one("schedule"), "closed": self.way()} if self.names["schedule"] else {}
        times = {"wrap_up": self.seconds(0, 60), "notify_answer_time": self.seconds(0, 90)}
        return self.maybe(row, **hours, **times, notify_talk_time=self.seconds(0, 90))

    def adaptive(self, name: str) -> Document:
        return self.maybe({"name": name}, fallback=self.one("hotline"), outbound=self.dice.random() < 0.8)

    def menu(self, name: str) -> Document:
        keys = {key: self.way(key=True) for key in self.dice.sample(KEYS, k=self.dice.randint(0, 4))}
        row = {"name": name, "play": "welcome", "keys": keys}
        ways = {"on_timeout": self.way(), "on_invalid": "repeat", "barge_in": self.dice.random() < 0.5}
        return self.maybe(row, timeout=self.seconds(1, 20), loops=self.dice.randint(1, 20), **ways)

    def queue(self, name: str) -> Document:
        groups = self.some("group")
        rows: list[Any] = [{"name": group, "primary": n == 0} for n, group in enumerate(groups)]
        row = {"name": name, "groups": rows if self.dice.random() < 0.5 else groups, "overflow": self.way()}
        row["strategy"] = self.dice.choice(STRATEGIES)
        times = {"ring_time": self.seconds(3, 60), "max_wait": self.seconds(1, 300), "wrap_up": self.seconds(0, 60)}
        ways = {"on_full": self.way(), "on_max_wait": self.way(), "on_no_agent": self.way()}
        return self.maybe(row, **times, **ways, max_size=self.dice.randint(1, 5), record=self.dice.random() < 0.5)

    def group(self, name: str) -> Document:
        return {"name": name}

    def agent(self, name: str) -> Document:
        phone = {"user": name, "password": "a-Secret.1"} if self.dice.random() < 0.7 else {"endpoint": name}
        row = {"name": name, "groups": self.some("group"), "phone": phone}
        via = self.one("hotline") if self.dice.random() < 0.5 or not self.names["adaptive"] else self.one("adaptive")
        return self.maybe(row, 0.7, outbound_with=via, extension=f"1{name[-1]}1", wrap_up=self.seconds(0, 60))

    def schedule(self, name: str) -> Document:
        frames = self.dice.choice((["08:00-12:00", "13:30-17:30"], [], ["00:00-24:00"], ["22:00-06:00"]))
        return {"name": name, "open": dict.fromkeys(self.dice.sample(("mon", "wed", "sat", "sun"), k=2), frames)}

    def blocked(self, name: str) -> Document:
        return self.maybe({"number": f"09670000{name[-1]}1"}, scopes=[self.dice.choice(("ivr", "queue", "outbound"))])


def _spoil(value: Any, dice: random.Random, depth: int) -> None:
    """Change one thing somewhere inside."""
    if isinstance(value, dict) and value:
        key = dice.choice(list(value))
    elif isinstance(value, list) and value:
        key = dice.randrange(len(value))
    else:
        return
    inner = value[key]
    if isinstance(inner, dict | list) and inner and depth < 5 and dice.random() < 0.85:
        _spoil(inner, dice, depth + 1)
        return
    way = dice.random()
    if way < 0.2:
        del value[key]
    elif way < 0.3 and isinstance(value, list):
        value.append(inner)
    elif way < 0.3:
        value[any_text(dice)[:40]] = inner
    else:
        value[key] = _wrong(dice)


def _wrong(dice: random.Random) -> Any:
    plain = (None, True, False, 0, -1, 1, 2**63, 2**70, 1.5, float("nan"), float("inf"), [], {}, [[]], [{}], {"": {}})
    way = dice.random()
    if way < 0.5:
        return dice.choice(plain)
    return dice.choice(NAMES) if way < 0.7 else any_text(dice)
