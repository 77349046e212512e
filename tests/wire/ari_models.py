"""Messages as Asterisk's own API description says they are, and then as it would never send them.

`data/ari-models-22.10.1.json` holds the names and types of every model in the description's files; the live facts
compare it with the Asterisk under test.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

DATA = Path(__file__).with_name("data") / "ari-models-22.10.1.json"
DESCRIPTION = json.loads(DATA.read_text())
MODELS = DESCRIPTION["models"]
EVENTS = tuple(DESCRIPTION["events"])

HOSTILE = (
    "",
    "anonymous",
    "\r\nagi_extension: 900",
    "500&PJSIP/itsp/14161234567",
    "${SHELL(id)}$[1+1]",
    "<script>alert(1)</script>",
    "=1+1,|%0d%0a\"'&",
    "\u202e\u2066gnp.exe\u200f",
    "\ud800",
    "\x00\x07\x1b[2J\x7f\x85",
    "👨\u200d👩\u200d👧",
    "e\u0301" * 90,
    "../../etc/passwd",
    "1795369149.0.a1",
    "1795369149.0.br",
    "voicemail/../x",
    "PJSIP/an-0000000g",
    "1" * 40,
)
SAMPLES = {
    "id": ["1795369149.0", "1795369149.0.a1", "1795369149.0.p2", "1795369149.0.pb1", "1795369149.0.sn", "b1"],
    "name": ["PJSIP/an-00000000", "PJSIP/cl-0000001c", "Local/x@y-00000001;1", "voicemail/abc", "Nguyễn Văn An"],
    "number": ["0912345678", "+84912345678", "an", ""],
    "state": ["Down", "Ring", "Ringing", "Up", "done", "failed", "online", "offline", "unknown"],
    "resource": ["an", "binh", "cl"],
    "technology": ["PJSIP", "SIP", "simple_bridge"],
    "contact_status": ["Reachable", "Unreachable", "NonQualified", "Removed"],
    "peer_status": ["Reachable", "Unreachable"],
    "dialstatus": ["", "RINGING", "ANSWER", "BUSY"],
    "digit": ["1", "#", "A", "12"],
    "target_uri": ["channel:1795369149.0", "bridge:1795369149.0.br"],
    "application": ["tongdai", "other"],
    "cause": [0, 16, 17, 32, 127, 480],
    "tech_cause": [486, 487, 0],
    "args": [["inbound", "+842473001001"], ["leg"], [], ["inbound"]],
    "app_data": ["tongdai,inbound,+842473001001", "tongdai,leg", "(Outgoing Line)"],
}


def message(kind: str, rng: random.Random) -> dict[str, object]:
    """One message of this kind with everything in it that the description names."""
    made = instance(kind, rng, 0)
    made.update(type=kind, timestamp=f"2026-11-22T17:12:30.{rng.randrange(10**6):06}+0000", asterisk_id="02:fc")
    made["application"] = rng.choice(SAMPLES["application"])
    return made


def instance(model: str, rng: random.Random, depth: int) -> dict[str, object]:
    """An object of this model."""
    return {name: value(name, kind, rng, depth + 1) for name, kind in MODELS[model]["properties"].items()}


def value(name: str, kind: str, rng: random.Random, depth: int) -> object:
    """Something of this type, and of the sort this name has in real messages."""
    if name in SAMPLES:
        return rng.choice(SAMPLES[name])
    if kind.startswith("List["):
        return [value("", kind[5:-1], rng, depth) for _ in range(rng.randrange(3))]
    if kind in MODELS:
        return instance(kind, rng, depth) if depth < 6 else {}
    return {"int": 7, "long": 7, "double": 0.5, "boolean": True, "object": {}, "containers": {}}.get(kind, "text")


def mutated(kind: str, rng: random.Random) -> str | bytes:
    """The same, with one to three things wrong in it, as text or as bytes."""
    made: object = message(kind, rng)
    for _ in range(rng.randint(1, 3)):
        made = spoil(made, rng)
    raw = json.dumps(made, ensure_ascii=rng.random() < 0.5)
    way = rng.random()
    if way < 0.05:
        return raw.replace("{", '{"type": "StasisStart", "type": 7, ', 1)  # duplicate keys
    if way < 0.10:
        return raw.replace('"text"', "NaN").replace(" 7", " -Infinity")
    if way < 0.15:
        return raw.replace(" 7", " " + "9" * rng.choice([30, 5000]))  # huge numbers
    if way < 0.40:
        return spoil_bytes(raw.encode("utf-8", "surrogatepass"), rng)
    return raw


def spoil(made: object, rng: random.Random) -> object:
    """Remove, empty or replace something somewhere."""
    if isinstance(made, dict) and made:
        key = rng.choice(list(made))
        way = rng.random()
        if way < 0.25:
            return {name: old for name, old in made.items() if name != key}
        if way < 0.45 and isinstance(made[key], dict | list):
            return {**made, key: spoil(made[key], rng)}
        return {**made, key: wrong(rng)}
    return wrong(rng)


def wrong(rng: random.Random) -> object:
    """A value nobody expects."""
    way = rng.randrange(60)
    if way == 0:
        return "x" * 1_000_000
    if way == 1:
        nested: object = None
        for _ in range(400):
            nested = [nested]
        return nested
    choices: tuple[object, ...] = (None, True, -1, 2**70, 1e308, [], {}, ["x"], {"id": 5}, rng.choice(HOSTILE))
    return choices[way % len(choices)] if way % 2 else rng.choice(HOSTILE)


def spoil_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Cut, flip or insert bytes."""
    at = rng.randrange(len(raw) + 1)
    way = rng.randrange(3)
    if way == 0:
        return raw[:at]
    if way == 1:
        return raw[:at] + bytes(rng.randrange(256) for _ in range(4)) + raw[at:]
    return raw[:at] + b"\xff\xfe\xed\xa0\x80" + raw[at + 5 :]
