"""SIPp scenarios made to measure: what a phone, a carrier or a caller does, as the XML SIPp reads.

Two habits keep them honest. A phone never pauses, it waits for a CANCEL or BYE with a time limit, because SIPp
answers what it did not expect without the 487 a real phone sends. And every optional `recv` carries the time limit,
because SIPp counts from the first one that is pending.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

OK = 200
NEVER_MS = 600_000
REFUSALS = (403, 404, 408, 410, 480, 484, 486, 488, 500, 502, 503, 504, 600, 603, 606)
_SDP = """v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [rtpstream_audio_port] RTP/AVP 0
a=rtpmap:0 PCMU/8000"""


@dataclass(frozen=True, slots=True)
class Taking:
    """What a phone or carrier does with a call: ring, then `status` after `after_ms`.

    200 answers and talks `talk_ms`, then says BYE (the other side may do so before); 300 and above refuses; 0 rings
    until the other side gives up. `silent` sends nothing at all. `tone` is the µ-law file it speaks.
    """

    status: int = OK
    after_ms: int = 100
    talk_ms: int = NEVER_MS
    silent: bool = False
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Calling:
    """What a caller does: dial, talk, press keys by INFO (`keys`: milliseconds before each, and the key), hang up.

    `give_up_ms` limits the wait for an answer (CANCEL); `talk_ms` the talk (BYE). `digest`: Asterisk will ask who we
    are, as it asks agents, and SIPp's `-au` and `-ap` say it.
    """

    number: str
    shown: str
    name: str = ""
    give_up_ms: int = NEVER_MS
    talk_ms: int = NEVER_MS
    keys: tuple[tuple[int, str], ...] = ()
    tone: str = ""
    digest: bool = False


def taking(rule: Taking) -> str:
    """The scenario of a phone or carrier that takes calls."""
    parts = [_recv("INVITE", _REMEMBER, rrs=True)]
    if rule.silent:
        return _scenario([*parts, _recv("CANCEL", timeout=NEVER_MS, ontimeout="end"), _label("end")])
    parts.append(_send(_reply("180 Ringing")))
    wait = NEVER_MS if rule.status == 0 else rule.after_ms
    parts += [_recv("CANCEL", timeout=wait, ontimeout="decide" if rule.status else "end"), _send(_reply("200 OK"))]
    parts += [_send(_final("487 Request Terminated")), _recv("ACK", next_="end")]
    if rule.status == 0:
        return _scenario([*parts, _label("end")])
    parts.append(_label("decide"))
    if rule.status != OK:
        return _scenario([*parts, _send(_final(f"{rule.status} No")), _recv("ACK"), _label("end")])
    parts += [_send(_final("200 OK", sdp=True), retrans=True), _recv("ACK"), _speak(rule.tone)]
    parts += [_recv("BYE", timeout=rule.talk_ms, ontimeout="bye"), _send(_reply("200 OK")), _jump("end"), _label("bye")]
    return _scenario([*parts, _send(_LATER.format(method="BYE"), retrans=True), _response(OK), _label("end")])


def calling(rule: Calling) -> str:
    """The scenario of a caller."""
    said = {"number": rule.number, "shown": rule.shown, "name": f'"{rule.name}" ' if rule.name else ""}
    invite = _INVITE.format(**said, nth=1, auth="")
    last = 2 if rule.digest else 1
    limit: dict[str, object] = {"timeout": rule.give_up_ms, "ontimeout": "cancel"}
    parts = [_send(invite, retrans=True)]
    if rule.digest:
        again = _INVITE.format(**said, nth=2, auth="[authentication]\n")
        parts += [_response(401, auth=True), _send(_SAME.format(nth=1, method="ACK")), _send(again, retrans=True)]
    parts += [_response(status, optional=True, **limit) for status in (100, 180, 183)]
    parts += [_response(status, optional=True, next_="refused", **limit) for status in REFUSALS]
    parts += [_response(OK, rrs=True, **limit), _send(_IN_DIALOG.format(method="ACK")), _speak(rule.tone)]
    for wait_ms, key in rule.keys:
        parts += [f'<pause milliseconds="{wait_ms}"/>', _send(_INFO.format(key=key), retrans=True), _response(OK)]
    parts += [_recv("BYE", timeout=rule.talk_ms, ontimeout="bye"), _send(_reply("200 OK", ours=False)), _jump("end")]
    parts += [_label("bye"), _send(_IN_DIALOG.format(method="BYE"), retrans=True), _response(OK, next_="end")]
    parts += [
        _label("cancel"),
        _send(_SAME.format(nth=last, method="CANCEL"), retrans=True),
        _response(OK),
        _response(487),
    ]
    return _scenario([*parts, _label("refused"), _send(_SAME.format(nth=last, method="ACK")), _label("end")])


def registering(expires_s: int) -> str:
    """The scenario of a phone that registers by digest (user and password from SIPp's `-au` and `-ap`)."""
    first = _send(_REGISTER.format(expires=expires_s, number=1, auth=""), retrans=True)
    again = _send(_REGISTER.format(expires=expires_s, number=2, auth="[authentication]\n"), retrans=True)
    return _scenario([first, _response(401, auth=True), again, _response(OK)])


_REMEMBER = "".join(
    f'<ereg regexp=".*" search_in="hdr" header="{header}:" assign_to="{name}"/>'
    for header, name in (("From", "them"), ("To", "us"), ("CSeq", "number"), ("Via", "via"))
)

_INVITE = (
    """INVITE sip:{number}@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: {name}<sip:{shown}@[local_ip]>;tag=[pid]c[call_number]
To: <sip:{number}@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: {nth} INVITE
Contact: <sip:{shown}@[local_ip]:[local_port]>
{auth}Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

"""
    + _SDP
)

_SAME = """{method} [last_Request_URI] SIP/2.0
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: {nth} {method}
Max-Forwards: 70
Content-Length: 0"""

_IN_DIALOG = """{method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: [cseq] {method}
Max-Forwards: 70
Content-Length: 0"""

_INFO = """INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
[last_From:]
[last_To:]
Call-ID: [call_id]
CSeq: [cseq] INFO
Max-Forwards: 70
Content-Type: application/dtmf-relay
Content-Length: [len]

Signal={key}
Duration=100"""

_LATER = """{method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From:[$us];tag=[pid]p[call_number]
To:[$them]
Call-ID: [call_id]
CSeq: 1 {method}
Max-Forwards: 70
Content-Length: 0"""

_REGISTER = """REGISTER sip:[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:[service]@[remote_ip]:[remote_port]>;tag=[pid]r[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: {number} REGISTER
Contact: <sip:[service]@[local_ip]:[local_port]>
Expires: {expires}
{auth}Max-Forwards: 70
Content-Length: 0"""


def _reply(status: str, *, ours: bool = True) -> str:
    tag = ";tag=[pid]p[call_number]" if ours else ""
    return f"SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n[last_CSeq:]\n{_CONTACT}"


_CONTACT = "Contact: <sip:[service]@[local_ip]:[local_port]>\nContent-Length: 0"


def _final(status: str, *, sdp: bool = False) -> str:
    head = f"SIP/2.0 {status}\nVia:[$via]\nFrom:[$them]\nTo:[$us];tag=[pid]p[call_number]\nCall-ID: [call_id]\n"
    head += "CSeq:[$number]\nContact: <sip:[service]@[local_ip]:[local_port]>\n"
    return head + (f"Content-Type: application/sdp\nContent-Length: [len]\n\n{_SDP}" if sdp else "Content-Length: 0")


def _send(message: str, *, retrans: bool = False) -> str:
    attribute = ' retrans="500"' if retrans else ""
    return f"<send{attribute}><![CDATA[\n\n{message}\n\n]]></send>"


def _recv(method: str, action: str = "", **attributes: object) -> str:
    body = f"<action>{action}</action>" if action else ""
    return f'<recv request="{method}"{_written(attributes)}>{body}</recv>'


def _response(status: int, **attributes: object) -> str:
    return f'<recv response="{status}"{_written(attributes)}/>'


def _written(attributes: dict[str, object]) -> str:
    """Write attributes; `next_` is `next`, and what is false or empty is left out."""
    pairs = ((name.rstrip("_"), "true" if value is True else value) for name, value in attributes.items() if value)
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in pairs)


def _speak(tone: str) -> str:
    return f'<nop><action><exec rtp_stream="{escape(tone)},-1,0"/></action></nop>' if tone else ""


def _label(name: str) -> str:
    return f'<label id="{name}"/>'


def _jump(name: str) -> str:
    return f'<nop next="{name}"/>'


def _scenario(parts: list[str]) -> str:
    used = '<Reference variables="via,them,us,number"/>' if any('assign_to="via"' in part for part in parts) else ""
    body = "\n".join(part for part in [*parts, used] if part)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="tongdai">\n{body}\n</scenario>\n'
