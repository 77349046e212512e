"""A story as a person reads it: when, what happened, what was decided and done, and because of what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from controller.cli_words import language, words

EVENT, FACT, COMMAND = ">", "*", "<"
MARKS: Final = {"event": EVENT, "fact": FACT, "command": COMMAND}
"""`>` came from outside, `*` is what we decided, `<` is what we asked for."""

SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    # what came from outside
    "CallArrived": ("{caller} called {dialled}", "{caller} gọi đến {dialled}"),
    "CallGone": ("the caller's line ended (cause {cause})", "đường dây người gọi kết thúc (mã {cause})"),
    "DigitPressed": ("the caller pressed {digit}", "người gọi bấm phím {digit}"),
    "PlaybackEnded": ("the announcement ended", "lời thoại đã phát xong"),
    "MessageRecorded": ("a message of {duration_s} s was left", "đã để lại lời nhắn {duration_s} giây"),
    "LegRinging": ("{leg} rings", "{leg} đang đổ chuông"),
    "LegAnswered": ("{leg} was answered", "{leg} đã nhấc máy"),
    "LegGone": ("{leg} is gone (cause {cause})", "{leg} đã ngắt (mã {cause})"),
    "HoldChanged": ("hold on {channel}: {held}", "giữ máy trên {channel}: {held}"),
    "HangupAsked": ("{by} asked to end the call", "{by} yêu cầu kết thúc cuộc gọi"),
    "TransferAsked": ("{by} asked to transfer the caller to {dialled}", "{by} yêu cầu chuyển người gọi đến {dialled}"),
    "ConsultAsked": (
        "{by} wants a phone asked before a transfer: {action} {dialled}",
        "{by} yêu cầu hỏi một số trước khi chuyển: {action} {dialled}",
    ),
    "ClickToCallAsked": ("{by} asked that {agent} call {dialled}", "{by} yêu cầu {agent} gọi {dialled}"),
    "CalleeAnswered": ("the callee answered", "người được gọi đã nhấc máy"),
    "OutboundAsked": ("{endpoint} dialled {dialled}", "{endpoint} quay số {dialled}"),
    "OutboundNextAsked": ("the trunk failed: {status} {cause}", "đường trung kế lỗi: {status} {cause}"),
    "DialplanCalled": ("served by the dialplan: {kind} {status}", "dialplan tự xử lý: {kind} {status}"),
    "OutboundEnded": (
        "dialling ended: {status}, {answered_s} s of talk",
        "quay số kết thúc: {status}, đàm thoại {answered_s} giây",
    ),
    "SetupChanged": ("setup {version} is in force", "cấu hình {version} có hiệu lực"),
    "LinkLost": ("Asterisk is not heard any more", "mất liên lạc với Asterisk"),
    "SnapshotTaken": ("compared with what Asterisk has", "đối chiếu với những gì Asterisk đang có"),
    "Ticked": ("a deadline came", "đến hạn"),
    "CommandFailed": ("{command} failed: {reason}", "{command} không thực hiện được: {reason}"),
    # what was decided
    "CallStarted": ("{direction} call on {hotline}", "cuộc gọi {direction} qua {hotline}"),
    "MenuEntered": ("hears menu {menu} (round {loop})", "nghe menu {menu} (lượt {loop})"),
    "MenuChosen": ("menu {menu}, key {key}: on to {way}", "menu {menu}, phím {key}: chuyển đến {way}"),
    "CallQueued": ("waits in queue {queue}, place {position}", "chờ ở hàng đợi {queue}, vị trí {position}"),
    "CallOffered": ("offered to {agent}: {why}", "mời {agent}: {why}"),
    "OfferEnded": ("{agent} did not take it: {outcome}", "{agent} không nhận: {outcome}"),
    "CallAnswered": ("talks with {agent}", "đang nói chuyện với {agent}"),
    "CallHeld": ("put on hold by {by}", "{by} giữ máy"),
    "CallResumed": ("taken off hold by {by}", "{by} thôi giữ máy"),
    "ConsultStarted": (
        "{agent} asks {callee} first; the caller hears music",
        "{agent} hỏi {callee} trước; người gọi nghe nhạc",
    ),
    "ConsultAnswered": ("{callee} was picked up: {agent} talks to it", "{callee} đã nhấc máy: {agent} đang nói chuyện"),
    "ConsultEnded": ("asking {callee} is over: {outcome}", "kết thúc hỏi {callee}: {outcome}"),
    "CallTransferred": ("{agent} transferred the caller to {callee}", "{agent} chuyển người gọi đến {callee}"),
    "TransferAnswered": ("{callee} answered the transfer", "{callee} đã nhận cuộc gọi được chuyển"),
    "CallRouted": ("sent to {way}: {why}", "chuyển đến {way}: {why}"),
    "CallEnded": ("ended: {result} ({end_cause}) {reason}", "kết thúc: {result} ({end_cause}) {reason}"),
    "AgentChanged": ("{agent} is {state}", "{agent}: {state}"),
    "AlertRaised": ("alert {kind}: more than {limit_s} s", "cảnh báo {kind}: quá {limit_s} giây"),
    "AlertCleared": ("alert {kind} is over", "hết cảnh báo {kind}"),
    "OutboundPicked": (
        "{to} is {carrier} (by {carrier_source}): {steps}",
        "{to} thuộc {carrier} (theo {carrier_source}): {steps}",
    ),
    "OutboundBlocked": ("{to} refused: {reason}: {steps}", "{to} bị từ chối: {reason}: {steps}"),
    "AttemptEnded": (
        "trunk {trunk} returned {status} (SIP {sip}, Q.850 {cause}) after {took_ms} ms, first sign after {delay_ms} ms",
        "trung kế {trunk} trả về {status} (SIP {sip}, Q.850 {cause}) sau {took_ms} ms, tín hiệu đầu sau {delay_ms} ms",
    ),
    "TrunkChanged": ("trunk {trunk} is {state}", "trung kế {trunk}: {state}"),
    "FraudSuspected": ("{agent} may not be who dials: {why}", "có thể không phải {agent} đang gọi: {why}"),
    "TrunkFailed": ("trunk {trunk} failed: {status}", "trung kế {trunk} lỗi: {status}"),
    "OddEvent": ("unforeseen {event}: {why}", "sự kiện lạ {event}: {why}"),
    # what was asked for
    "Answer": ("pick up", "nhấc máy"),
    "Play": ("play {media}", "phát {media}"),
    "StopPlay": ("stop the announcement", "dừng lời thoại"),
    "StartMusic": ("start music {music}", "phát nhạc chờ {music}"),
    "StopMusic": ("stop the music", "dừng nhạc chờ"),
    "StartRinging": ("let {channel} hear ringing", "cho {channel} nghe tiếng chuông"),
    "StopRinging": ("end the ringing that {channel} hears", "dừng tiếng chuông trên {channel}"),
    "RingAgent": ("ring {endpoint} for {timeout_s} s ({leg})", "đổ chuông {endpoint} trong {timeout_s} giây ({leg})"),
    "Consult": ("join the agent with {leg}", "nối nhân viên với {leg}"),
    "Part": ("take the caller out of the talk", "đưa người gọi ra khỏi cuộc đàm thoại"),
    "RingDialler": (
        "ring {endpoint} for {timeout_s} s, then dial {dialled}",
        "đổ chuông {endpoint} trong {timeout_s} giây, rồi gọi {dialled}",
    ),
    "RingPhone": ("ring {number} by {endpoint} ({leg})", "đổ chuông {number} qua {endpoint} ({leg})"),
    "Join": ("join with {leg}", "nối với {leg}"),
    "Record": ("record as {name}", "ghi âm {name}"),
    "RecordOutbound": ("record as {name}", "ghi âm {name}"),
    "RecordMessage": ("record a message as {name}", "ghi lời nhắn {name}"),
    "HangUp": ("hang up {channel}", "ngắt {channel}"),
    "CloseBridge": ("close the bridge", "đóng cầu nối"),
    "ReplyTrunks": ("tell the dial path: {answer}", "trả lời đường quay số: {answer}"),
    "RingBell": ("tell the webhooks", "báo webhook"),
}
"""One sentence an event, fact or command: English, then Vietnamese. What is not named here shows as its fields."""


def plain(value: object) -> str:
    """Write a value without anything a terminal would obey."""
    text = str(value)
    return (
        text
        if text.isprintable()
        else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )


def sentence(name: str, body: Mapping[str, Any]) -> str:
    """Say one line of a story."""
    found = SENTENCES.get(name)
    if found is None:
        return " ".join(f"{key}={_shown(value)}" for key, value in body.items() if value not in ("", None, []))
    fields = defaultdict(lambda: "-", {key: _shown(value) or "-" for key, value in body.items()})
    if name == "ReplyTrunks":
        attempt = body.get("attempt") or {}
        fields["answer"] = _shown(attempt.get("trunk") or body.get("refusal") or "-")
    return found[1 if language() == "vi" else 0].format_map(fields).rstrip(" -")


def lines(items: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Write the items of a story as the API gives them, one line each; the event a line follows from is named once."""
    cause = ""
    for item in items:
        because = ""
        if item["kind"] != "event" and item.get("cause") and item["cause"] != cause:
            because = f"   [{words('because', plain(item['cause']))}]"
        cause = item.get("cause") or ""
        said = sentence(str(item["name"]), item["body"])
        mark = MARKS.get(item["kind"], "?")
        yield f"{offset(item['offset_ms'])} {mark} {plain(item['name']):<16} {said}{because}"


def offset(ms: int) -> str:
    """Write a time since the beginning in a column: `+  1:02.345`."""
    minutes, rest = divmod(max(0, ms), 60_000)
    return f"+{minutes:>3}:{rest // 1000:02d}.{rest % 1000:03d}"


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "; ".join(_shown(item) for item in value)
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_shown(item)}" for key, item in value.items() if item not in ("", None, []))
    return plain("" if value is None else value)
