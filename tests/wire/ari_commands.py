"""One of each command for the telephone."""

from __future__ import annotations

from controller.core import commands as do

CALL = "1795369149.0"
LEG = f"{CALL}.a1"
BRIDGE = f"{CALL}.br"
RING = do.RingAgent(CALL, "x", LEG, "an", "0912345678", "Nguyễn An", 15)
FORWARD = do.RingPhone(CALL, "x", f"{CALL}.p1", "viettel-1", "0987654321", "+842473001001", 30)
CLICK = do.RingDialler("click-9f.1", "x", "an", "0987654321", "auto.north", 30)

COMMANDS = [
    do.Answer(CALL, "x"),
    do.Play(CALL, "x", f"{CALL}.pb1", ("tongdai/welcome", "/srv/Tổng đài/closed"), "vi"),
    do.StopPlay(CALL, "x", f"{CALL}.pb1"),
    do.StartMusic(CALL, "x", "default"),
    do.StopMusic(CALL, "x"),
    do.StartRinging(CALL, "x", LEG),
    do.StopRinging(CALL, "x", LEG),
    RING,
    FORWARD,
    CLICK,
    do.Join(CALL, "x", LEG, BRIDGE),
    do.Part(CALL, "x", BRIDGE),
    do.Consult(CALL, "x", f"{CALL}.p2", LEG, BRIDGE),
    do.Record(CALL, "x", BRIDGE, f"calls/{CALL}"),
    do.RecordOutbound(CALL, "x", f"{CALL}.sn", f"calls/{CALL}"),
    do.RecordMessage(CALL, "x", f"voicemail/{CALL}", 120),
    do.HangUp(CALL, "x", LEG, 17),
    do.CloseBridge(CALL, "x", BRIDGE),
]
